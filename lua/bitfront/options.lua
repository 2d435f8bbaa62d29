-- The options of bitfront.new: what each must be, and its default. Checked in
-- one place, copied, never written into.

local misuse = require "bitfront.misuse"

local _M = {}

---@class bitfront.Options
---@field api_key? string  with api_secret; or one of the next two; or none: the environment, then the profile file
---@field api_secret? string
---@field credentials? fun(): string, string  asked for key and secret before each call
---@field profile? string  a section of the credentials file
---@field base_url? string  default that of the account's section of the credentials file, else BITFRONT_BASE_URL, else https://openapi.bitfront.me
---@field timeout? number  seconds for the whole call; default 10
---@field connect_timeout? number  seconds until the connection stands; default 3
---@field retries? integer  further attempts after one that failed and may pass; default 2
---@field rate_limit? bitfront.RateLimit|false  the exchange's limits, kept on our side; false: not at all
---@field clock? "auto"|"system"|integer  whose time requests bear: learned from the replies (default), this machine's, or that and so many ms
---@field sleep? fun(seconds: number)  of a scheduler, so that its other coroutines run while a call waits
---@field on_attempt? fun(event: bitfront.Event)  called after each attempt
---@field amounts? "number"|"string"|"decimal"  Lua numbers (default), the digits as they came, or exact decimals
---@field ca_file? string  PEM file of the certificates to trust, instead of the system's; default that of the account's section, else BITFRONT_CA_FILE
---@field proxy? string  http://, https://, socks5h:// or socks4a:// URL; the environment's proxies are not used
---@field user_agent? string  default bitfront-lua/VERSION
---@field max_body? integer  bytes of the largest reply taken; default 1048576

---@class bitfront.RateLimit
---@field per_second? integer  calls of the key in any second; default 3
---@field per_minute? integer  and in any minute; default 60
---@field store? bitfront.Store  where they are counted; default: in this process

--- One attempt. No secret, key or signature is in it.
---@class bitfront.Event
---@field attempt integer  1 for the call's first
---@field path string
---@field kind? string  of its failure; nil for a success
---@field code? integer|string  the API's statusCode, or a fixed word
---@field http_status? integer
---@field began integer  Unix ms
---@field waited number  seconds before it: for a slot, and between attempts
---@field elapsed number  seconds it took
---@field round_trip? number  seconds from signing to the reply's first line

local DAY = 86400

local function seconds(value)
  return type(value) == "number" and value > 0 and value <= DAY,
    "a number of seconds above 0 and up to 86400"
end

local function bytes(value)
  return type(value) == "number" and value >= 1 and value <= 2 ^ 30
    and value % 1 == 0, "a whole number of bytes from 1 to 1073741824"
end

-- Printable ASCII: all of these end up in a header, a URL or a file name, and
-- a line end or a NUL in them would end it early.
local function text(value)
  return type(value) == "string" and value ~= "" and #value <= 4096
    and not value:find "[^\032-\126]",
    "a string of 1 to 4096 printable ASCII characters"
end

-- As it stands in the file, in whatever script.
local function section(value)
  return type(value) == "string" and value ~= "" and #value <= 4096
    and not value:find "[%z\001-\031\127]", "the name of a section"
end

-- With socks4 and socks5 libcurl looks the exchange's name up itself, in a way
-- that no deadline can end.
local function proxy(value)
  local known = type(value) == "string" and (value:find "^https?://"
    or value:find "^socks5h://" or value:find "^socks4a://")
  return text(value) and known ~= false and known ~= nil,
    "an http://, https://, socks5h:// or socks4a:// URL"
end

local function file(value)
  return type(value) == "string" and value ~= "" and not value:find "%z",
    "a file's path"
end

local function callable(purpose)
  return function(value)
    local meta = getmetatable(value)
    return type(value) == "function" or type(meta) == "table"
      and meta.__call ~= nil, "a function " .. purpose
  end
end

local function retries(value)
  return type(value) == "number" and value >= 0 and value <= 10
    and value % 1 == 0, "a whole number from 0 to 10"
end

local function clock(value)
  return value == "auto" or value == "system" or type(value) == "number"
    and value % 1 == 0 and math.abs(value) <= 1e12,
    '"auto", "system" or a whole number of ms'
end

local function is_limit(value)
  return type(value) == "number" and value >= 1 and value <= 1e9
    and value % 1 == 0
end

local function is_store(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata") and value.acquire ~= nil
    and value.release ~= nil and value.block ~= nil
end

local limits = {
  per_second = is_limit, per_minute = is_limit, store = is_store,
}

local RATE_LIMIT = "false or a table: per_second and per_minute, whole numbers "
  .. "of 1 or more, and store, with acquire, release, block and peek"

local function rate_limit(value)
  if type(value) ~= "table" then return value == false, RATE_LIMIT end
  for name, limit in pairs(value) do
    local check = limits[name]
    if not check or not check(limit) then return false, RATE_LIMIT end
  end
  return true
end

local function amounts(value)
  return value == "number" or value == "string" or value == "decimal",
    '"number", "string" or "decimal"'
end

-- What each option must be. The checks return whether a value will do, and the
-- words for what would have done.
local checks = {
  api_key = text,
  api_secret = text,
  credentials = callable "that returns key and secret",
  profile = section,
  base_url = text,
  timeout = seconds,
  connect_timeout = seconds,
  retries = retries,
  rate_limit = rate_limit,
  clock = clock,
  sleep = callable "of seconds",
  on_attempt = callable "of an event",
  amounts = amounts,
  ca_file = file,
  proxy = proxy,
  user_agent = text,
  max_body = bytes,
}

-- Levenshtein's distance, with a swap of neighbours as one step.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do rows[0][j] = j end
  for i = 1, #a do
    rows[i] = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local cost = math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1)
        and a:byte(i - 1) == b:byte(j) then
        cost = math.min(cost, rows[i - 2][j - 2] + 1)
      end
      rows[i][j] = cost
    end
  end
  return rows[#a][#b]
end

--- The name in `known` (a table with the names as keys) that somebody who wrote
--- `name` most likely meant, as a question to add to a message; "" if none is
--- near.
---@param name any
---@param known table<string, any>
---@return string
function _M.did_you_mean(name, known)
  local best, least = nil, 4
  if type(name) ~= "string" or #name > 40 then
    return ""
  end
  for candidate in pairs(known) do
    local steps = distance(name:lower(), candidate)
    if steps < least or (steps == least and best and candidate < best) then
      best, least = candidate, steps
    end
  end
  if not best or least > #best / 2 then
    return ""
  end
  return ('; did you mean "%s"?'):format(best)
end

-- Raises in the name of the function whose options they are.
local function fail(call, _, message, ...)
  misuse.raise("%s: %s", call, message:format(...))
end

--- Raises where there is a table that the function does not take: it would be
--- passed over, and its writer relies on it. Other values are dropped, as in Lua:
--- they may be further results of a call.
---@param call string  the function's name
---@param level integer
---@param ... any  what stands behind its last argument
function _M.no_more(call, level, ...)
  for i = 1, select("#", ...) do
    if type((select(i, ...))) == "table" then
      fail(call, level + 1, "too many arguments")
    end
  end
end

--- Raises for what is no table, and for one that inherits fields, which pairs does
--- not show: they would be passed over.
---@param call string  the function's name
---@param options any
---@param level integer
function _M.check_table(call, options, level)
  if type(options) ~= "table" then
    fail(call, level + 1, "options must be a table, not a %s", type(options))
  end
  local meta = getmetatable(options)
  if meta ~= nil and (type(meta) ~= "table" or meta.__index or meta.__pairs) then
    fail(call, level + 1, "options must not inherit fields")
  end
end

local function check_each(call, options, known, level)
  _M.check_table(call, options, level + 1)
  for name, value in pairs(options) do
    local check = known[name]
    if not check then
      fail(call, level + 1, 'unknown option "%s"%s', tostring(name),
        _M.did_you_mean(name, known))
    end
    local good, wanted = check(value)
    if not good then
      fail(call, level + 1, "%s must be %s", name, wanted)
    end
  end
end

local function check_credentials(call, options, level)
  local given = {}
  if (options.api_key == nil) ~= (options.api_secret == nil) then
    fail(call, level + 1, "%s is missing: api_key and api_secret go together",
      options.api_key and "api_secret" or "api_key")
  end
  for _, name in ipairs { "api_key", "credentials", "profile" } do
    given[#given + 1] = options[name] and name or nil
  end
  if #given > 1 then
    fail(call, level + 1, "give either %s or %s, not both", given[1], given[2])
  end
end

local DEFAULTS = { timeout = 10, retries = 2, clock = "auto" }
local DEFAULT_LIMITS = { per_second = 3, per_minute = 60 }

local function with_defaults(values, defaults)
  local copy = {}
  for name, value in pairs(defaults) do copy[name] = value end
  for name, value in pairs(values) do copy[name] = value end
  return copy
end

--- Returns a checked copy of `options`, with defaults; raises at `level` for a value that will
--- not do and for a name that does not exist.
---@param options bitfront.Options?
---@param level integer  as for error(): 1 is the caller of this function
---@param call? string  whose options they are; default bitfront.new
---@return bitfront.Options
function _M.check(options, level, call)
  options, call = options == nil and {} or options, call or "bitfront.new"
  check_each(call, options, checks, level + 1)
  local copy = with_defaults(options, DEFAULTS)
  check_credentials(call, copy, level + 1)
  if copy.rate_limit ~= false then
    copy.rate_limit = with_defaults(copy.rate_limit or {}, DEFAULT_LIMITS)
  end
  return copy
end

---@class bitfront.CallOptions
---@field timeout? number  seconds for this call, with all waiting and retries; default the client's own
---@field retries? integer  further attempts of this call; default the client's own

local of_call = { timeout = seconds, retries = retries }

--- The same for one call of a client, whose options are not copied.
---@param call string  the method's name
---@param level integer
---@param options bitfront.CallOptions?
---@param ... any  what stands behind them
---@return bitfront.CallOptions?
function _M.check_call(call, level, options, ...)
  _M.no_more(call, level + 1, ...)
  if options == nil then return nil end
  for name in pairs(type(options) == "table" and options or {}) do
    if checks[name] and not of_call[name] then
      fail(call, level + 1, "%s is an option of bitfront.new; a call takes timeout and retries",
        name)
    end
  end
  check_each(call, options, of_call, level + 1)
  return options
end

local function concurrency(value)
  return type(value) == "number" and value >= 1 and value <= 10000
    and value % 1 == 0, "a whole number from 1 to 10000"
end

local many = {
  concurrency = concurrency,
  timeout = seconds,
  on_progress = callable "of how many are done and how many there are",
}

--- The same for bitfront.balances_many.
---@param options bitfront.ManyOptions?
---@param level integer
---@return bitfront.ManyOptions
function _M.check_many(options, level)
  options = options == nil and {} or options
  check_each("bitfront.balances_many", options, many, level + 1)
  return with_defaults(options, { concurrency = 8 })
end

local redis = {
  connect = callable "that returns a connected client",
  name = text,
}

--- The same for bitfront.redis_limiter.
---@param options bitfront.RedisOptions
---@param level integer
function _M.check_redis(options, level)
  check_each("bitfront.redis_limiter", options, redis, level + 1)
  if not options.connect then
    fail("bitfront.redis_limiter", level + 1, "connect is missing")
  end
  return with_defaults(options, {})
end

return _M
