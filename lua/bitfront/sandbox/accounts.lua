--- The accounts file: JSON, one account or an array of them.
--
--     [{ "api_key": "...", "api_secret": "...",
--        "balances": [
--          { "currency": "BTC", "balance": 0.1, "availableBalance": "1e-8" }
--        ] }]
--
-- Amounts are JSON numbers, or the same in quotes. They leave the sandbox digit
-- for digit, so they are never made into numbers: the numbers of the file are
-- put into quotes before cjson reads it. Runs in plain Lua and in nginx.

local cjson = require("cjson.safe").new()
local coin = require "bitfront.records.coin"

local _M = {}

---@class bitfront.sandbox.Account
---@field api_secret string
---@field balances { currency: string, json: string }[]

-- The position of the quote that ends the string begun at `open`.
local function end_of_string(json, open)
  local at = open
  repeat
    at = json:find('["\\]', at + 1)
    local escaped = at and json:sub(at, at) == "\\"
    if escaped then at = at + 1 end
  until not escaped
  return at or #json
end

-- What cannot be a number stays wrong in quotes: is_amount refuses it.
local function quote_numbers(json)
  local out, at = {}, 1
  while at <= #json do
    local open = json:find('"', at, true) or #json + 1
    local close = end_of_string(json, open)
    local between = json:sub(at, open - 1)
    out[#out + 1] = between:gsub("%-?%d[%w.+-]*", '"%0"')
    out[#out + 1] = json:sub(open, close)
    at = close + 1
  end
  return table.concat(out)
end

-- JSON's grammar of a number.
local function is_amount(text)
  if type(text) ~= "string" then return false end
  local whole, rest = text:match("^%-?(%d+)(.*)$")
  if not whole or whole:find("^0%d") then return false end
  rest = rest:gsub("^%.%d+", "")
  return rest == "" or rest:find("^[eE][+-]?%d+$") ~= nil
end

-- Errors of the checks below are raised as tables, and caught in parse.
local function refuse(place, wanted, got)
  local shown = type(got) == "string" and ("%q"):format(got) or type(got)
  error({ message = ("%s: %s wanted, got %s"):format(place, wanted, shown) })
end

local function check_string(value, place)
  if type(value) ~= "string" or value == "" then
    refuse(place, "a string", value)
  end
  return value
end

local function check_array(value, place)
  local is_array = type(value) == "table" and (next(value) == nil or value[1])
  if not is_array then refuse(place, "an array", value) end
  return value
end

local function check_amount(value, place)
  if not is_amount(value) then refuse(place, "a number", value) end
  return value
end

local function check_record(record, place)
  if type(record) ~= "table" then refuse(place, "an object", record) end
  local currency = check_string(record.currency, place .. ".currency")
  if not coin.is_code(currency) then
    refuse(place .. ".currency", "a coin code", currency)
  end
  return {
    currency = currency,
    json = ('{"currency":%s,"balance":%s,"availableBalance":%s}'):format(
      cjson.encode(currency),
      check_amount(record.balance, place .. ".balance"),
      check_amount(record.availableBalance, place .. ".availableBalance")),
  }
end

-- What a client would refuse to sign with; see csrc/credentials.c, which is not
-- there inside the sandbox's nginx.
local function check_secret(value, place)
  check_string(value, place)
  if value:find("[^ -~]") or value:find("^ ") or value:find(" $")
    or value:find("^([\"']).*%1$") or value:find("^[\"']$") then
    error({ message = place .. ": it must be printable ASCII, without blanks or "
      .. "quotes around it" }) -- a secret is not repeated
  end
  return value
end

local function check_account(account, place)
  if type(account) ~= "table" then refuse(place, "an object", account) end
  local key = check_string(account.api_key, place .. ".api_key")
  if not key:find("^%w+$") then
    refuse(place .. ".api_key", "letters and digits", key)
  end
  local balances = {}
  local listed = check_array(account.balances, place .. ".balances")
  for i, record in ipairs(listed) do
    balances[i] = check_record(record, ("%s.balances[%d]"):format(place, i - 1))
  end
  local secret = check_secret(account.api_secret, place .. ".api_secret")
  return key, { api_secret = secret, balances = balances }
end

local function check_accounts(list)
  local accounts = {}
  for i, listed in ipairs(list) do
    local place = ("accounts[%d]"):format(i - 1)
    local key, account = check_account(listed, place)
    if accounts[key] then refuse(place .. ".api_key", "another key", key) end
    accounts[key] = account
  end
  return accounts
end

--- Reads the text of an accounts file.
---@param json string
---@return table<string, bitfront.sandbox.Account>? by_api_key
---@return string? message  Names the place: accounts[0].balances[2].balance
function _M.parse(json)
  local document, message = cjson.decode(quote_numbers(json))
  if type(document) ~= "table" then
    return nil, "accounts: not JSON: " .. (message or "an array is wanted")
  end
  local list = document.api_key and { document } or document
  local ok, result = pcall(check_accounts, list)
  if ok then return result end
  if type(result) == "table" then return nil, result.message end
  error(result, 0)
end

return _M
