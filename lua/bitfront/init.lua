--- bitfront: the balances of an account at an exchange that speaks BITFRONT's
--- open API, from Lua. Requiring it does no I/O, sets no globals and loads no
--- library: the C module is loaded with the first client.
---
---     local bitfront = require "bitfront"
---     for _, record in ipairs(assert(bitfront.balances())) do
---       print(record.currency, record.balance, record.availableBalance)
---     end

local accounts = require "bitfront.account"
local check_arguments = require "bitfront.check".arguments
local check_options = require "bitfront.options".of
local credentials = require "bitfront.credentials"
local errors = require "bitfront.error"
local is_options = require "bitfront.check".is_options
local many = require "bitfront.many"
local memo = require "bitfront.memo"
local native = require "bitfront.native"
local new_client = require "bitfront.client".new
local prices = require "bitfront.prices"
local raise = require "bitfront.misuse".raise
local records = require "bitfront.records"

---@class bitfront
---@field _VERSION string
---@field null userdata  JSON's null in what client:get and json.decode return; equal to cjson.null and ngx.null
local _M = {
  _VERSION = require "bitfront.version",
  json = require "bitfront.json",
}

-- null comes from the C module, which is not loaded before it is needed.
setmetatable(_M, {
  __index = function(bitfront, name)
    if name ~= "null" then return nil end
    bitfront.null = native.null
    return native.null
  end,
})

-- What is done with balances.
_M.filter, _M.nonzero, _M.find = records.filter, records.nonzero, records.find
_M.by_currency, _M.sort = records.by_currency, records.sort
_M.locked, _M.total, _M.value = records.locked, records.total, records.value
_M.diff, _M.format = records.diff, records.format

--- An exact number. Adds, subtracts, multiplies and compares with other
--- decimals, strings and numbers; tostring gives plain digits, as many as it was
--- given. Never rounds but in round.
---@class bitfront.Decimal
---@field round fun(self: bitfront.Decimal, places: integer, mode?: "down"|"half_even"|"up"): bitfront.Decimal  with exactly that many decimals, 0 to 400; default "down", towards zero
---@field to_number fun(self: bitfront.Decimal): number  the nearest double
---@field is_zero fun(self: bitfront.Decimal): boolean
---@field sign fun(self: bitfront.Decimal): integer  -1, 0 or 1
---@operator add(bitfront.Amount): bitfront.Decimal
---@operator sub(bitfront.Amount): bitfront.Decimal
---@operator mul(bitfront.Amount): bitfront.Decimal
---@operator unm: bitfront.Decimal
---@operator concat(any): string

--- The decimal that a value stands for.
---@param value bitfront.Amount  a string in JSON's number grammar; a number stands for its shortest text
---@return bitfront.Decimal decimal
---@overload fun(value: any): nil, string  and why: no number, more than 1,000 digits, or an exponent beyond 400
function _M.decimal(value, ...)
  check_arguments("bitfront.decimal", value, ...)
  return native.decimal(value)
end

--- A client for one account. Raises at the caller's line for an unknown option
--- or a value that will not do.
---@param options? bitfront.Options
---@return bitfront.Client
function _M.new(options, ...)
  check_arguments("bitfront.new", options, ...)
  return new_client(options)
end

-- Clients of bitfront.balances. One that is forgotten is the collector's: a call
-- of it may be under way.
local kept = memo.new(32, 2)

-- The client that was made from options like these, or a new one. Key and secret
-- are kept in C alone, and compared there.
local function kept_client(options)
  local others = {}
  for name, value in pairs(options) do
    if name ~= "api_key" and name ~= "api_secret" then others[name] = value end
  end
  local found = kept:find(others, function(made)
    return accounts.is_given(made, options.api_key, options.api_secret)
  end)
  if not found then
    found = new_client(options, "bitfront.balances")
    kept:add(others, found)
  end
  return found
end

--- The balances of one account; without options, of the one that the environment
--- names: BITFRONT_API_KEY and BITFRONT_API_SECRET (or files, with _FILE behind the
--- names), what systemd mounts, or the credentials file; BITFRONT_BASE_URL,
--- BITFRONT_CA_FILE. The same as new(options):balances() with
--- one client kept for all calls with options that are alike.
---@param options? bitfront.Options
---@return bitfront.Record[] records
---@return nil
---@return bitfront.Info info
---@overload fun(options?: bitfront.Options): nil, bitfront.Error, bitfront.Info?
function _M.balances(options, ...)
  check_arguments("bitfront.balances", options, ...)
  options = options == nil and {} or options
  is_options("bitfront.balances", options)
  return kept_client(options):balances()
end

--- The names of the sections of the credentials file, for the option profile, in the
--- file's order.
---@return string[] names  empty where there is no file
---@overload fun(): nil, bitfront.Error
function _M.profiles(...)
  check_arguments("bitfront.profiles", (...), ...)
  local names, err = credentials.profiles()
  if not names then return nil, errors.new(err, 0) end
  return names
end

--- The balances of many accounts, several at a time; shared connections, each
--- account with a deadline and a result of its own. In plain Lua it blocks
--- until all are there; others run meanwhile inside nginx, and where a client
--- has the option `sleep`. Raises at the caller's line for what is no client
--- and for one that is given twice.
---@param clients bitfront.Client[]
---@param options? bitfront.ManyOptions
---@return bitfront.Result[] results  in the order of the clients
function _M.balances_many(clients, options, ...)
  check_arguments("bitfront.balances_many", clients, ...)
  return many.balances(clients, options)
end

--- The exchange's prices of coins in a market: that of each pair's last trade, asked
--- for unsigned, one pair after the other, each once. What bitfront.value takes.
---@param client bitfront.Client
---@param market string  the coin that prices are in: "USDT"
---@param codes string[]
---@param options? bitfront.PricesOptions
---@return table<string, bitfront.Decimal> prices  by coin code; that of the market itself is 1
---@return nil
---@return string[] missing  codes of which the exchange has no pair with the market
---@overload fun(client: bitfront.Client, market: string, codes: string[], options?: bitfront.PricesOptions): nil, bitfront.Error
function _M.prices(client, market, codes, options, ...)
  check_arguments("bitfront.prices", client, ...)
  return prices.ask(client, market, codes, options)
end

--- A store for the option rate_limit of all who share a Redis. Where it cannot
--- be asked, calls fail with kind rate_limit and code store: nothing is sent.
---@param options bitfront.RedisOptions
---@return bitfront.Store
function _M.redis_limiter(options, ...)
  check_arguments("bitfront.redis_limiter", options, ...)
  return require "bitfront.limiter.redis".new(
    check_options("bitfront.redis_limiter", options))
end

--- A store for the option rate_limit of all workers of an nginx. No item of the
--- dict may be evicted: use one of its own, or nothing but safe_set and safe_add.
---@param name string  of a lua_shared_dict
---@return bitfront.Store
function _M.shared_dict_limiter(name, ...)
  check_arguments("bitfront.shared_dict_limiter", name, ...)
  return require "bitfront.limiter.shared_dict".new(name)
end

local function to_text(name, value)
  if type(value) == "number" and value % 1 == 0 then return ("%.0f"):format(value) end
  if type(value) == "string" then return value end
  raise("bitfront.sign: %s must be a string or a whole number", name)
end

--- The signature of a request, for tests and other tools: lower-case hex of
--- HMAC-SHA256 over the concatenation of all but the secret.
---@param secret string
---@param nonce integer|string  5 digits
---@param timestamp integer|string  Unix ms
---@param method string  "GET"
---@param path string
---@param query? string  without "?"
---@param body? string
---@return string hex  64 digits
function _M.sign(secret, nonce, timestamp, method, path, query, body, ...)
  check_arguments("bitfront.sign", secret, ...)
  if type(secret) ~= "string" or secret == "" then
    raise "bitfront.sign: secret must be a string that is not empty"
  end
  return native.sign(secret, to_text("nonce", nonce), to_text("timestamp", timestamp),
    to_text("method", method), to_text("path", path), to_text("query", query or ""),
    to_text("body", body or ""))
end

return _M
