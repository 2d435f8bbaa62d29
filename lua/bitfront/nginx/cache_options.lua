--- What bitfront.nginx.cached is given: whether it will do, and what it says of
-- the account.

local credentials = require "bitfront.credentials"
local options_of = require "bitfront.options"

local _M = {}

local checks = {}

local function fail(level, ...)
  error("bitfront.nginx.cached: " .. (...):format(select(2, ...)), level + 1)
end

local function is_word(value)
  return type(value) == "string" and value:find "^[A-Za-z0-9_.-]+$" ~= nil
end

function checks.dict(value)
  return is_word(value), "the name of a lua_shared_dict"
end

function checks.name(value)
  return is_word(value), "a name of letters, digits and _ . -"
end

function checks.ttl(value)
  return type(value) == "number" and value >= 0.1 and value <= 86400,
    "a number of seconds from 0.1 to 86400"
end

function checks.stale(value)
  return type(value) == "number" and value >= 0 and value <= 86400,
    "a number of seconds from 0 to 86400"
end

function checks.client(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata")
    and type(value.balances) == "function", "a client"
end

function checks.options(value)
  return type(value) == "table", "a table of options for bitfront.new"
end

_M.checks = checks

--- Raises at `level` where they will not do.
---@param options bitfront.nginx.CacheOptions
---@param level integer
function _M.check(options, level)
  for name, value in pairs(options) do
    if not checks[name] then
      fail(level + 1, 'unknown option "%s"%s', tostring(name),
        options_of.did_you_mean(name, checks))
    end
    local good, wanted = checks[name](value)
    if not good then fail(level + 1, "%s must be %s", name, wanted) end
  end
  if options.client and options.options then
    fail(level + 1, "give either client or options, not both")
  end
end

---@param name string
---@param level integer
---@return table dict  of ngx.shared; raises where there is none
function _M.dict(name, level)
  local dict = ngx.shared[name]
  if not dict then
    fail(level + 1, "nginx.conf has no lua_shared_dict %s", name)
  end
  return dict
end

--- What the cache's own client is to be told. A client that is given tells its
--- own, if it is one of ours. Raises at `level` where they will not do.
---@param options bitfront.nginx.CacheOptions
---@param level integer
---@return bitfront.Options
function _M.for_client(options, level)
  if options.client then
    local known = options.client._options
    return type(known) == "table" and known or {}
  end
  local checked = options_of.check(options.options, level + 1)
  local own = {}
  for name in pairs(options.options or {}) do
    own[name] = checked[name]
  end
  return own
end

--- Tells accounts apart: the dict outlives a reload, whose nginx.conf may name
--- another one. Not by a profile's content, which is not known yet.
---@param told bitfront.Options  for the client
---@return string
function _M.account(told)
  local url, profile = told.base_url, told.profile
  local key = told.api_key
  if not (key or profile or told.credentials) then
    key = os.getenv(credentials.KEY_VARIABLE)
    profile = os.getenv(credentials.PROFILE_VARIABLE)
  end
  return ngx.md5(("%s %s %s"):format(url or os.getenv "BITFRONT_BASE_URL" or "",
    key or "", profile or "")):sub(1, 16)
end

return _M
