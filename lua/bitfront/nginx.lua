--- For sites in nginx or OpenResty: balances that all workers share, a page and
-- an API of them, metrics.
--
--     location = /balances {
--       allow 127.0.0.1; deny all;
--       content_by_lua_block { require("bitfront.nginx").serve { ttl = 2 }() }
--     }

local check = require "bitfront.check"
local memo = require "bitfront.memo"
local raise = require "bitfront.misuse".raise

local _M = {}

---@class bitfront.nginx.CacheOptions
---@field dict? string  name of the lua_shared_dict; default "bitfront"
---@field ttl? number  seconds for which balances are fresh; default 2
---@field stale? number  seconds for which they are shown after that, if there are no newer ones; default 60
---@field name? string  tells the caches of several accounts in one dict apart; default "default"
---@field options? bitfront.Options  for the cache's own client; none: all from the environment
---@field client? bitfront.Client  instead of one of its own
---@field accounts? table<string, bitfront.Options>|"profiles"  instead of one account, several by name; "profiles": all sections of the credentials file
---@field trace? boolean  true: the call of the exchange is part of the trace of the request that causes it

---@class bitfront.nginx.ServeOptions: bitfront.nginx.CacheOptions
---@field cache? bitfront.nginx.Cache  instead of the options of one
---@field allow_public? boolean  true: also for clients that are not on loopback or in a private network
---@field hosts? string[]  names by which the site is asked for, besides loopback names, IP addresses and the server's server_name
---@field format? "json"|"csv"|"prometheus"|"html"  the only one, whatever a client prefers
---@field amounts? "string"|"number"  how JSON has amounts; readers of JSON round numbers; default "string"
---@field prices? table<string, bitfront.Amount>|fun(): table<string, bitfront.Amount>?  by coin code, all in one currency
---@field unit? string  what prices are in, for people: "USD"
---@field title? string  of the page; default "Balances"

-- ---- made once ----

-- A block of nginx.conf runs with each request, and calls serve each time: the same
-- options then return the handler that they returned before.
local REMEMBERED, DEPTH = 32, 4 -- options of serve hold those of bitfront.new, by account

-- Returns the options: a table that may be read.
local function begin(call, options, ...)
  check.no_more(call, ...)
  options = options == nil and {} or options
  check.is_options(call, options)
  if not rawget(_G, "ngx") then raise("%s: this works inside nginx only", call) end
  return options
end

local made_caches = {}

-- Returns the one cache of a name in a dict. A second one with other options would
-- show the account of the first, or replace its balances.
local function cached(options)
  local checked = require "bitfront.nginx.site_options".of_cache(options)
  local key = checked.dict .. ":" .. checked.name
  local made = made_caches[key]
  if made and memo.is_like(options, made.options, DEPTH) then return made.cache end
  local maker = checked.accounts and require "bitfront.nginx.account_caches"
    or require "bitfront.nginx.cache"
  local cache = maker.new(checked)
  if made then
    raise("bitfront.nginx.cached: the dict has a cache %s with other options; "
      .. "make it once, or give this one a name", key)
  end
  made_caches[key] = { options = memo.copy_of(options, DEPTH), cache = cache }
  return cache
end

--- A cache of balances for all workers, of one account or of several.
---@param options? bitfront.nginx.CacheOptions
---@return bitfront.nginx.Cache
function _M.cached(options, ...)
  return cached(begin("bitfront.nginx.cached", options, ...))
end

--- Checks what a call from this worker needs, as the command `bitfront doctor` does:
--- nginx may have loaded other libraries than the command.
---@param options? bitfront.Options  of the client to check with
---@return string report  a line for each check
---@return boolean healthy  nothing is wrong
function _M.doctor(options, ...)
  local call = "bitfront.nginx.doctor"
  local client = require "bitfront.client".new(begin(call, options, ...), call)
  local report, healthy = require "bitfront.doctor".examine(client)
  client:close()
  return report, healthy
end

local handlers = memo.new(REMEMBERED, DEPTH)

--- A content handler for a location: JSON, CSV, Prometheus' text or a page, by
--- Accept or ?format=.
---@param options? bitfront.nginx.ServeOptions
---@return fun() handler  answers the request it is called in
function _M.serve(options, ...)
  options = begin("bitfront.nginx.serve", options, ...)
  local handler = handlers:find(options)
  if not handler then
    handler = require "bitfront.nginx.serve".new(options, cached)
    handlers:add(options, handler)
  end
  return handler
end

return _M
