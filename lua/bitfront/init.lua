--- bitfront: the balances of an account at an exchange that speaks BITFRONT's
--- open API, from Lua. Requiring it does no I/O, sets no globals and loads no
--- library: the native side comes in with the first client.
---
---     local bitfront = require "bitfront"
---     for _, record in ipairs(assert(bitfront.balances())) do
---       print(record.currency, record.balance, record.availableBalance)
---     end

local accounts = require "bitfront.account"
local client = require "bitfront.client"
local format = require "bitfront.records.format"
local memo = require "bitfront.memo"
local native = require "bitfront.native"
local options_of = require "bitfront.options"
local records = require "bitfront.records"

local _M = { _VERSION = require "bitfront.version" }

-- What is done with balances; see records.lua and format.lua.
for name, helper in pairs(records) do
  _M[name] = helper
end
_M.format = format.format

--- An exact number. Adds, subtracts, multiplies and compares with other
--- decimals, strings and numbers; tostring gives plain digits, as many as it was
--- given. Never rounds but in round.
---@class bitfront.Decimal
---@field round fun(self, places: integer, mode?: "down"|"half_even"|"up"): bitfront.Decimal  with exactly that many decimals, 0 to 400; default "down", towards zero
---@field to_number fun(self): number  the nearest double
---@field is_zero fun(self): boolean
---@field sign fun(self): integer  -1, 0 or 1

--- The decimal that a value stands for.
---@param value string|number|bitfront.Decimal  a string in JSON's number grammar; a number stands for its shortest text
---@return bitfront.Decimal?
---@return string? message  for what is not a number, or has more than 1,000 digits or an exponent beyond 400
function _M.decimal(value, ...)
  options_of.no_more("bitfront.decimal", 2, ...)
  return native.decimal(value)
end

-- Of what takes options first: bitfront:new() would give it all of this as options.
local function check_dot(options, name)
  if options == _M then
    error(("call it with a dot: bitfront.%s(...)"):format(name), 3)
  end
end

--- A client for one account. Raises at the caller's line for an unknown option
--- or a value that will not do.
---@param options? bitfront.Options
---@return bitfront.Client
function _M.new(options, ...)
  check_dot(options, "new")
  options_of.no_more("bitfront.new", 2, ...)
  local made = client.new(options, 2) -- no tail call: it would hide the level
  return made
end

-- Clients of bitfront.balances. One that is forgotten is the collector's: a call
-- of it may be under way.
local kept = memo.new(32, 2)

-- The client that was made from options like these, or a new one. Key and secret
-- are kept in C alone, and compared there.
local function kept_client(options, level)
  local others = {}
  options = options == nil and {} or options
  options_of.check_table("bitfront.balances", options, level + 1)
  for name, value in pairs(options) do
    if name ~= "api_key" and name ~= "api_secret" then others[name] = value end
  end
  local found = kept:find(others, function(made)
    return accounts.is_given(made, options.api_key, options.api_secret)
  end)
  if not found then
    found = client.new(options, level + 1, "bitfront.balances")
    kept:add(others, found)
  end
  return found
end

--- The balances of one account; without options, of the one that the environment
--- names: BITFRONT_API_KEY and BITFRONT_API_SECRET, or the credentials file;
--- BITFRONT_BASE_URL, BITFRONT_CA_FILE. The same as new(options):balances() with
--- one client kept for all calls with options that are alike.
---@param options? bitfront.Options
---@return bitfront.Record[]? records
---@return bitfront.Error? err
---@return bitfront.Info? info
function _M.balances(options, ...)
  check_dot(options, "balances")
  options_of.no_more("bitfront.balances", 2, ...)
  local found = kept_client(options, 2)
  return found:balances()
end

--- The balances of many accounts, several at a time; shared connections, each
--- account with a deadline and an outcome of its own. In plain Lua it blocks
--- until all are there; it lets others go on inside nginx, and where a client
--- has the option `sleep`. Raises at the caller's line for what is no client
--- and for one that is given twice.
---@param clients bitfront.Client[]
---@param options? bitfront.ManyOptions
---@return bitfront.Outcome[] outcomes  in the order of the clients
function _M.balances_many(clients, options, ...)
  options_of.no_more("bitfront.balances_many", 2, ...)
  local outcomes = client.balances_many(clients, options, 2)
  return outcomes
end

--- A store for the option rate_limit of all who share a Redis. Where it cannot
--- be asked, calls fail with kind rate_limit and code store: nothing is sent.
---@param options bitfront.RedisOptions
---@return bitfront.Store
function _M.redis_limiter(options, ...)
  options_of.no_more("bitfront.redis_limiter", 2, ...)
  local checked = options_of.check_redis(options, 2)
  local store, message = require "bitfront.limiter.redis".new(checked)
  return store or error("bitfront.redis_limiter: " .. message, 2)
end

--- A store for the option rate_limit of all workers of an nginx. No item of the
--- dict may be evicted: use one of its own, or nothing but safe_set and safe_add.
---@param name string  of a lua_shared_dict
---@return bitfront.Store
function _M.shared_dict_limiter(name, ...)
  options_of.no_more("bitfront.shared_dict_limiter", 2, ...)
  local store, message = require "bitfront.limiter.shared_dict".new(name)
  return store or error("bitfront.shared_dict_limiter: " .. message, 2)
end

local function text_of(name, value)
  if type(value) == "number" and value % 1 == 0 then
    return ("%.0f"):format(value)
  elseif type(value) == "string" then
    return value
  end
  error(("bitfront.sign: %s must be a string or a whole number"):format(name), 3)
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
  options_of.no_more("bitfront.sign", 2, ...)
  if type(secret) ~= "string" or secret == "" then
    error("bitfront.sign: secret must be a string that is not empty", 2)
  end
  return native.sign(secret, text_of("nonce", nonce),
    text_of("timestamp", timestamp), text_of("method", method),
    text_of("path", path), text_of("query", query or ""),
    text_of("body", body or ""))
end

return _M
