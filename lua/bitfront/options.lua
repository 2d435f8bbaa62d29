-- The options of the library's functions: a row for each, which everything reads
-- that checks an option. What an option is stands in the annotations, which a spec
-- holds against the rows, and in the README, which a spec holds against both.

local check = require "bitfront.check"
local raise = require "bitfront.misuse".raise
local version = require "bitfront.version"

local _M = {}

---@class bitfront.Options
---@field api_key? string  with api_secret. Give one of api_key, credentials and profile, or none: then the environment is read, else what systemd mounts, else the credentials file
---@field api_secret? string  of the api_key
---@field credentials? fun(): string, string  asked for key and secret before each call
---@field profile? string  a section of the credentials file
---@field base_url? string  the exchange's address; default that of the account's section of the credentials file, else BITFRONT_BASE_URL, else https://openapi.bitfront.me
---@field timeout? number  seconds for the whole call; default 10
---@field connect_timeout? number  seconds until the connection is made; default 3
---@field retries? integer  further attempts after one that failed and may pass; default 2
---@field rate_limit? bitfront.RateLimit|false  the exchange's limits, kept on our side; false: not at all
---@field clock? "auto"|"system"|integer  the time that requests have: learned from the replies, this machine's, or this machine's plus so many ms; default "auto"
---@field sleep? fun(seconds: number)  of a scheduler, so that its other coroutines run while a call waits
---@field on_attempt? fun(event: bitfront.Event)  called after each attempt
---@field amounts? "number"|"string"|"decimal"  Lua numbers, the digits as they came, or exact decimals; default "number"
---@field ca_file? string  PEM file of the certificates to trust, and no others; default that of the account's section, else BITFRONT_CA_FILE, else libcurl's
---@field proxy? string  http://, https://, socks5h:// or socks4a:// URL; the environment's proxies are not used
---@field user_agent? string  what the client calls itself; default bitfront-lua/VERSION
---@field max_body? integer  bytes of the largest reply taken; default 1048576

---@class bitfront.RateLimit
---@field per_second? integer  calls of the key in any second; default 3
---@field per_minute? integer  and in any minute; default 60
---@field public_per_second? integer  unsigned calls in any second; default 3
---@field store? bitfront.Store  where they are counted, if not in this process

---@class bitfront.CallOptions
---@field timeout? number  seconds for this call, with all waiting and retries; default the client's own
---@field retries? integer  further attempts of this call; default the client's own
---@field amounts? "number"|"string"|"decimal"  what amounts are in this call's result; default the client's own
---@field traceparent? string  W3C's header of that name, which is sent unchanged with each attempt; default none

---@class bitfront.ManyOptions
---@field concurrency? integer  calls under way at a time; default 8
---@field timeout? number  seconds for each account's call, from its beginning; default the client's own
---@field traceparent? string  that of each account's call
---@field on_progress? fun(done: integer, count: integer)  called after each account

-- ---- what values must be ----

local function seconds(value)
  return type(value) == "number" and value > 0 and value <= 86400,
    "a number of seconds above 0 and up to 86400"
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

-- With socks4 and socks5 libcurl resolves the exchange's name itself, and no
-- deadline can end that.
local function proxy(value)
  return text(value) and (value:find "^https?://" or value:find "^socks5h://"
    or value:find "^socks4a://"), "an http://, https://, socks5h:// or socks4a:// URL"
end

local function file(value)
  return type(value) == "string" and value ~= "" and not value:find "%z",
    "a file's path"
end

local clock_offset = check.whole(-1e12, 1e12)

local function clock(value)
  return value == "auto" or value == "system" or (clock_offset(value)),
    '"auto", "system" or a whole number of ms'
end

local function store(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata") and value.acquire ~= nil
    and value.release ~= nil and value.block ~= nil
end

local LONGEST_TRACEPARENT = 256
local HEX = "[0-9a-f]" -- not %x, which is capitals too
local TRACEPARENT = ("^(%s)%%-(%s)%%-(%s)%%-%s(.*)$"):format(HEX:rep(2), HEX:rep(32),
  HEX:rep(16), HEX:rep(2))

-- W3C Trace Context, 3.2. What a version after 00 may append is not known: here it is
-- any visible ASCII, since a line end or a NUL would begin another header.
local function traceparent(value)
  local number, trace_id, parent_id, more
  if type(value) == "string" and #value <= LONGEST_TRACEPARENT then
    number, trace_id, parent_id, more = value:match(TRACEPARENT)
  end
  return number and number ~= "ff" and trace_id:find "[^0]" and parent_id:find "[^0]"
    and (more == "" or number ~= "00" and more:find "^%-[!-~]*$"),
    'of the form "00-TRACE_ID-PARENT_ID-FLAGS": 32, 16 and 2 lower-case hex digits, '
    .. "neither id all zeros"
end

local amounts = check.one_of("number", "string", "decimal")
local retries = check.whole(0, 10)
local limit = check.whole(1, 1e9)

---@type table<string, bitfront.OptionRow>
local rate_limit_rows = {
  per_second = { check = limit, default = 3 },
  per_minute = { check = limit, default = 60 },
  public_per_second = { check = limit, default = 3 },
  store = { check = store },
}

local function rate_limit(value)
  local is_right = value == false or type(value) == "table" and not check.inherits(value)
  for name, inner in pairs(is_right and value or {}) do
    local row = rate_limit_rows[name]
    is_right = is_right and row and row.check(inner)
  end
  return is_right, "false or a table that inherits nothing: per_second, per_minute and "
    .. "public_per_second, whole numbers from 1 to 1000000000, and store, with acquire, release, "
    .. "block and peek"
end

-- ---- the rows ----

--- The options of each function that takes some, by name.
---@type table<string, table<string, bitfront.OptionRow>>
_M.rows = {
  ["bitfront.new"] = {
    api_key = { check = text },
    api_secret = { check = text },
    credentials = { check = check.callable "that returns key and secret" },
    profile = { check = section },
    base_url = { check = text, fallback = "https://openapi.bitfront.me" },
    timeout = { check = seconds, default = 10 },
    connect_timeout = { check = seconds, default = 3 },
    retries = { check = retries, default = 2 },
    rate_limit = { check = rate_limit },
    clock = { check = clock, default = "auto" },
    sleep = { check = check.callable "of seconds" },
    on_attempt = { check = check.callable "of an event" },
    amounts = { check = amounts, default = "number" },
    ca_file = { check = file },
    proxy = { check = proxy },
    user_agent = { check = text, default = "bitfront-lua/" .. version },
    max_body = { check = check.whole(1, 2 ^ 30, "bytes"), default = 1048576 },
  },
  ["rate_limit"] = rate_limit_rows,
  ["client:balances"] = {
    timeout = { check = seconds },
    retries = { check = retries },
    amounts = { check = amounts },
    traceparent = { check = traceparent },
  },
  ["bitfront.prices"] = {
    timeout = { check = seconds },
    retries = { check = retries },
    traceparent = { check = traceparent },
  },
  ["bitfront.json.decode"] = {
    amounts = { check = amounts, default = "number" },
  },
  ["bitfront.balances_many"] = {
    concurrency = { check = check.whole(1, 10000), default = 8 },
    timeout = { check = seconds },
    traceparent = { check = traceparent },
    on_progress = { check = check.callable "of how many are done and how many there are" },
  },
  ["bitfront.redis_limiter"] = {
    connect = { check = check.callable "that returns a connected client", is_required = true },
    name = { check = text, default = "bitfront:limiter" },
  },
}

local client_rows, call_rows = _M.rows["bitfront.new"], _M.rows["client:balances"]

-- ---- checking ----

local function check_credentials(call, options)
  local given = {}
  if (options.api_key == nil) ~= (options.api_secret == nil) then
    raise("%s: %s is missing: api_key and api_secret go together", call,
      options.api_key and "api_secret" or "api_key")
  end
  for _, name in ipairs { "api_key", "credentials", "profile" } do
    given[#given + 1] = options[name] and name or nil
  end
  if #given > 1 then
    raise("%s: give either %s or %s, not both", call, given[1], given[2])
  end
end

--- A checked copy of a client's options, with the defaults.
---@param call string  the function that was given them
---@param options bitfront.Options?
---@return bitfront.Options
function _M.of_client(call, options)
  options = options == nil and {} or options
  check.options(call, options, client_rows)
  check_credentials(call, options)
  local copy = check.with_defaults(options, client_rows)
  if copy.rate_limit ~= false then
    copy.rate_limit = check.with_defaults(copy.rate_limit or {}, rate_limit_rows)
  end
  return copy
end

local NONE = {}

--- The options of one call of a client, which are not copied.
---@param call string  the method
---@param options bitfront.CallOptions?
---@param ... any  what follows them
---@return bitfront.CallOptions
function _M.of_call(call, options, ...)
  if select("#", ...) > 0 then check.no_more(call, ...) end
  if options == nil then return NONE end
  for name in pairs(type(options) == "table" and options or NONE) do
    if client_rows[name] and not call_rows[name] then
      raise("%s: %s is an option of bitfront.new; a call takes timeout, retries, amounts and "
        .. "traceparent",
        call, name)
    end
  end
  check.options(call, options, call_rows)
  return options
end

--- A checked copy of the options of any other function that `rows` has.
function _M.of(call, options)
  options = options == nil and {} or options
  check.options(call, options, _M.rows[call])
  return check.with_defaults(options, _M.rows[call])
end

return _M
