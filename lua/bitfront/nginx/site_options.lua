--- The options of bitfront.nginx.cached and bitfront.nginx.serve, and what the
-- first of them say of the account.

local access = require "bitfront.nginx.access"
local check = require "bitfront.check"
local client = require "bitfront.client"
local credentials = require "bitfront.credentials"
local of_client = require "bitfront.options".of_client
local raise = require "bitfront.misuse".raise

local _M = {}

local CACHED, SERVE = "bitfront.nginx.cached", "bitfront.nginx.serve"

local function word(expected)
  return function(value)
    return type(value) == "string" and value:find "^[A-Za-z0-9_.-]+$" ~= nil, expected
  end
end

local function a_client(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata")
    and type(value.balances) == "function", "a client"
end

local function a_cache(value)
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta.__name == "bitfront.nginx.cache",
    "what bitfront.nginx.cached returned"
end

local function accounts(value)
  local is_right = value == "profiles"
    or type(value) == "table" and next(value) ~= nil and not check.inherits(value)
  for name, options in pairs(type(value) == "table" and value or {}) do
    is_right = is_right and type(name) == "string" and name ~= "" and type(options) == "table"
  end
  return is_right, '"profiles", or options for bitfront.new by the account\'s name'
end

local function hosts(value)
  return access.names_of(value) ~= nil, "an array of host names, without ports"
end

local function prices(value)
  return type(value) == "table" or type(value) == "function",
    "a table of prices by coin code, or a function that returns one"
end

local function typed(kind, expected)
  return function(value) return type(value) == kind, expected end
end

local text = typed("string", "a string")

local cached_rows = {
  dict = { check = word "the name of a lua_shared_dict", default = "bitfront" },
  ttl = { check = check.number(0.1, 86400, "seconds"), default = 2 },
  stale = { check = check.number(0, 86400, "seconds"), default = 60 },
  name = { check = word "a name of letters, digits and _ . -", default = "default" },
  options = { check = typed("table", "a table of options for bitfront.new") },
  client = { check = a_client },
  accounts = { check = accounts },
  trace = { check = check.boolean },
}

local serve_rows = {
  cache = { check = a_cache },
  allow_public = { check = check.boolean },
  hosts = { check = hosts },
  format = { check = check.one_of("json", "csv", "prometheus", "html") },
  amounts = { check = check.one_of("string", "number"), default = "string" },
  prices = { check = prices },
  unit = { check = text },
  title = { check = text, default = "Balances" },
}

--- The options of each function, by name; those of a cache are options of serve, too.
---@type table<string, table<string, bitfront.OptionRow>>
_M.rows = { [CACHED] = cached_rows, [SERVE] = serve_rows }

local all_rows = {}
for _, rows in pairs(_M.rows) do
  for name, row in pairs(rows) do all_rows[name] = row end
end

---@class bitfront.nginx.NamedOptions
---@field account string
---@field options bitfront.Options

-- Returns them in the order of their names: the same mistake gives the same message.
---@param by_name table<string, bitfront.Options>
---@return bitfront.nginx.NamedOptions[]
local function in_order(by_name)
  local list = {}
  for name, options in pairs(by_name) do
    list[#list + 1] = { account = name, options = options }
  end
  table.sort(list, function(a, b) return a.account < b.account end)
  for _, one in ipairs(list) do
    of_client(("%s: accounts[%q]"):format(CACHED, one.account), one.options)
  end
  return list
end

--- A checked copy of a cache's options, with the defaults.
---@param options bitfront.nginx.CacheOptions
---@return bitfront.nginx.CacheOptions checked  its accounts as NamedOptions, unless they are "profiles"
function _M.of_cache(options)
  check.options(CACHED, options, cached_rows)
  local given = {}
  for _, name in ipairs { "accounts", "client", "options" } do
    given[#given + 1] = options[name] and name or nil
  end
  if given[2] then
    raise("%s: give either %s or %s, not both", CACHED, given[1], given[2])
  end
  local checked = check.with_defaults(options, cached_rows)
  if not ngx.shared[checked.dict] then
    raise("%s: nginx.conf has no lua_shared_dict %s", CACHED, checked.dict)
  end
  if type(checked.accounts) == "table" then checked.accounts = in_order(checked.accounts) end
  return checked
end

--- Checked copies of serve's own options, with the defaults, and of those of the
--- cache that it makes.
---@param options bitfront.nginx.ServeOptions
---@return bitfront.nginx.ServeOptions
---@return bitfront.nginx.CacheOptions
function _M.of_serve(options)
  check.options(SERVE, options, all_rows)
  local own, of_cache = {}, {}
  for name, value in pairs(options) do
    (cached_rows[name] and of_cache or own)[name] = value
  end
  if own.cache and next(of_cache) ~= nil then
    raise("%s: give either cache or %s, not both", SERVE, (next(of_cache)))
  end
  own = check.with_defaults(own, serve_rows)
  own.hosts = own.hosts and access.names_of(own.hosts) or {}
  return own, of_cache
end

--- The options of the cache's client. The cache's own client does not retry, since the
--- cache calls again after a ttl. Those of a client of another kind are not known.
---@param options bitfront.nginx.CacheOptions
---@return bitfront.Options
function _M.of_client(options)
  if not options.client then
    local own = of_client("bitfront.new", options.options)
    own.retries = options.options and options.options.retries or 0
    return own
  end
  return client.is_client(options.client) and client.options(options.client) or {}
end

--- Identifies an account that has no key yet: by its exchange and its section's name.
---@param options bitfront.Options  of the client
---@return string
function _M.account_id(options)
  local profile = options.profile or not (options.api_key or options.credentials)
    and credentials.variable(credentials.PROFILE_VARIABLE)
  return ("%s %s"):format(options.base_url or credentials.variable "BITFRONT_BASE_URL" or "",
    profile or "")
end

return _M
