-- What is asked for: paths and queries, checked and encoded.

local coin = require "bitfront.records.coin"
local raise = require "bitfront.misuse".raise

local _M = {}

--- What a call asks for.
---@class bitfront.Target
---@field expect "balances"|"data"|"public"  what the reply must be; public: the request is not signed
---@field path string
---@field query? string
---@field limit? bitfront.TargetLimit

--- Calls that are counted by themselves: for each account, beside all of its calls; or,
--- where `is_public`, for all who ask this exchange, and only there.
---@class bitfront.TargetLimit
---@field name string
---@field is_public? true
---@field per_second? integer  none: the option public_per_second of rate_limit
---@field per_minute? integer  none: 60 times that

-- The API's documents have no limit for these.
---@type bitfront.TargetLimit
local PUBLIC = { name = "public", is_public = true }

-- The API's documents: "limited to 1 per second and 30 per minute".
---@type table<string, bitfront.TargetLimit>
local PATH_LIMITS = {
  ["/v2/account/tradeHistory"] = { name = "tradeHistory", per_second = 1, per_minute = 30 },
}

local BALANCES = "/v1/account/balances"
local MAX_QUERY = 8192 -- bytes

---@type bitfront.Target
_M.BALANCES = { expect = "balances", path = BALANCES }
---@type bitfront.Target
_M.TIME = { expect = "public", path = "/v1/public/time" }

--- The balance of one coin.
---@return bitfront.Target
function _M.of_coin(code)
  local segment, message = coin.path_segment(code)
  if not segment then raise("client:balance: %s", message) end
  return { expect = "balances", path = BALANCES .. "/" .. segment }
end

-- A path is signed and sent as it is, so it has nothing in it that a URL parser
-- might read in another way.
local function check_path(path)
  if type(path) ~= "string" or not path:find "^/v[0-9]+/[A-Za-z0-9_./~-]*$"
    or path:find "//" or (path .. "/"):find "/%.%.?/" then
    raise "client:get: path must look like /v1/trade/openOrders"
  end
end

local function query_value(name, value)
  if type(value) == "number" and value % 1 == 0 and value > -2 ^ 53
    and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  elseif type(value) == "boolean" then
    return tostring(value)
  elseif type(value) ~= "string" then
    raise("client:get: query value of %s must be a string, a boolean or a whole number "
      .. "between -2^53 and 2^53", tostring(name))
  end
  return coin.escape(value)
end

-- In the order of the names, so that the same table is the same request.
local function query_of_table(query)
  local fields = {}
  for name, value in pairs(query) do
    if type(name) ~= "string" then raise "client:get: query names must be strings" end
    fields[#fields + 1] = coin.escape(name) .. "=" .. query_value(name, value)
  end
  table.sort(fields)
  return table.concat(fields, "&")
end

local function check_query(query)
  if type(query) == "table" then
    query = query_of_table(query)
    if #query > MAX_QUERY then raise "client:get: query must not exceed 8192 bytes" end
  elseif query ~= nil and (type(query) ~= "string" or #query > MAX_QUERY
    or query:find "[^A-Za-z0-9!$%%&'()*+,./:;=?@_~-]" or query:find "^%?") then
    raise "client:get: query must be a table, or a string as it stands in a URL, without the ?"
  end
  return query
end

--- Any other read. Everything under /public/ is asked for unsigned.
---@return bitfront.Target
function _M.of_path(path, query)
  check_path(path)
  local is_public = path:find "^/v%d+/public/" or path:find "^/v%d+/market/public/"
  return { expect = is_public and "public" or "data", path = path, query = check_query(query),
    limit = is_public and PUBLIC or PATH_LIMITS[path] }
end

return _M
