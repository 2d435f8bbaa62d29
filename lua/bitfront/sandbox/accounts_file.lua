-- The accounts file: JSON, one account or an array of them.
--
--     [{ "api_key": "...", "api_secret": "...",
--        "balances": [
--          { "currency": "BTC", "balance": 0.1, "availableBalance": "1e-8" }
--        ] }]
--
-- Amounts are JSON numbers, or the same in quotes. The sandbox sends every digit of
-- them, so they never become doubles: the numbers of the file are put into quotes before
-- cjson reads it. Runs in plain Lua and in nginx.

local cjson = require("cjson.safe").new()
local coin = require "bitfront.records.coin"
local columns = require "bitfront.records.columns"
local rows = require "bitfront.rows"

local _M = {}

---@class bitfront.sandbox.Account
---@field api_secret string
---@field balances { currency: string, json: string }[]

-- is_amount refuses what is no number, also in quotes.
local function quote_numbers(json)
  -- With no quote inside a string, each begins or ends one.
  json = json:gsub("\\.", { ['\\"'] = "\\u0022" })
  return (json:gsub('([^"]*)("?[^"]*"?)', function(between, text)
    return between:gsub("%-?%d[%w.+-]*", '"%0"') .. text
  end))
end

-- JSON's grammar of a number.
local function is_amount(text)
  if type(text) ~= "string" then return false end
  local whole, rest = text:match("^%-?(%d+)(.*)$")
  if not whole or whole:find("^0%d") then return false end
  rest = rest:gsub("^%.%d+", "")
  return rest == "" or rest:find("^[eE][+-]?%d+$") ~= nil
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local function is_array(value)
  return type(value) == "table" and (next(value) == nil or value[1] ~= nil)
end

-- As csrc/auth/credentials.c, which the sandbox's nginx does not have: a client refuses
-- other secrets.
local function is_secret(text)
  return not (text:find("[^ -~]") or text:find("^ ") or text:find(" $")
    or text:find("^([\"']).*%1$") or text:find("^[\"']$"))
end

-- Raises a table, which parse catches.
local function refuse(message, ...)
  error({ message = message:format(...) })
end

local function must_be(is_right, where, expected, value)
  if is_right then return end
  refuse("%s: %s expected, got %s", where, expected,
    type(value) == "string" and ("%q"):format(value) or type(value))
end

local FIELDS = rows.names(columns, { from = "reply" })
local KINDS = {
  text = { is_right = coin.is_code, expected = "a coin code", encode = cjson.encode },
  amount = { is_right = is_amount, expected = "a number", encode = tostring },
}

local function balance_of(record, where)
  must_be(type(record) == "table", where, "an object", record)
  local members = {}
  for i, name in ipairs(FIELDS) do
    local kind, value = KINDS[columns[name].kind], record[name]
    must_be(kind.is_right(value), where .. "." .. name, kind.expected, value)
    members[i] = ('"%s":%s'):format(name, kind.encode(value))
  end
  return { currency = record.currency, json = "{" .. table.concat(members, ",") .. "}" }
end

local function account_of(listed, where)
  must_be(type(listed) == "table", where, "an object", listed)
  local key, secret, balances = listed.api_key, listed.api_secret, {}
  must_be(is_text(key) and not key:find("%W"), where .. ".api_key", "letters and digits", key)
  must_be(is_array(listed.balances), where .. ".balances", "an array", listed.balances)
  for i, record in ipairs(listed.balances) do
    balances[i] = balance_of(record, ("%s.balances[%d]"):format(where, i - 1))
  end
  must_be(is_text(secret), where .. ".api_secret", "a string", secret)
  if not is_secret(secret) then -- it is not repeated
    refuse("%s.api_secret: must be printable ASCII, without blanks or quotes around it", where)
  end
  return key, { api_secret = secret, balances = balances }
end

local function accounts_of(list)
  local accounts = {}
  must_be(is_array(list), "accounts", "an array", list)
  for i, listed in ipairs(list) do
    local where = ("accounts[%d]"):format(i - 1)
    local key, account = account_of(listed, where)
    must_be(not accounts[key], where .. ".api_key", "another key", key)
    accounts[key] = account
  end
  return accounts
end

--- Reads the text of an accounts file.
---@param json string
---@return table<string, bitfront.sandbox.Account>? by_api_key
---@return string? message  names the field: accounts[0].balances[2].balance
function _M.parse(json)
  local document, message = cjson.decode(quote_numbers(json))
  if type(document) ~= "table" then
    return nil, "accounts: not JSON: " .. (message or "an array is expected")
  end
  local ok, result = pcall(accounts_of, document.api_key and { document } or document)
  if ok then return result end
  if type(result) == "table" then return nil, result.message end
  error(result, 0)
end

return _M
