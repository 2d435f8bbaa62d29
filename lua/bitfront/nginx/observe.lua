--- What each call leaves behind: counters for the metrics, and lines of the error log.

local accounts = require "bitfront.account"
local call = require "bitfront.call"
local client = require "bitfront.client"
local errors = require "bitfront.error"
local histogram = require "bitfront.nginx.histogram"
local limiter = require "bitfront.limiter"
local native = require "bitfront.native"

local _M = {}

-- A failure is written to the error log when it begins and when it has passed, by whichever
-- worker sees that.
local function log(shared, account, err, traceparent)
  local about = (account and "; account " .. native.clean(account) or "")
    .. (traceparent and "; traceparent " .. traceparent or "")
  local said = err and err.kind .. " " .. err.code or "" -- the text may have a time in it
  local before = shared:text "logged"
  if said == before then return end
  shared:put("logged", said)
  if err then
    ngx.log(ngx.ERR, "bitfront: ", native.clean(errors.describe(err)), about)
  else
    ngx.log(ngx.WARN, "bitfront: the exchange answers again", about)
  end
end

-- How much of the exchange's limit is in use, 0 to 1: calls of the last minute, which
-- a scrape in seconds from now still finds there. Nil where no limit is kept, or by a
-- client of another kind.
local function limit_used(used)
  if not client.is_client(used) then return nil end
  local account = accounts.of(used)
  local limit = not accounts.has_changing_key(account) and call.limit_of(account)
  if not limit then return nil end
  local _, in_minute, full_ms = limiter.peek(limit)
  if not full_ms then return nil end
  return full_ms > 0 and 1 or math.min(1, in_minute / limit.per_minute)
end

--- Notes a call that has ended. The number of calls comes last: who reads the others again
--- when it has changed has them all.
---@param cache bitfront.nginx.Cache  that made it
---@param shared bitfront.nginx.SharedBalances  where it was begun
---@param seconds number  that it took
---@param err bitfront.Error?
---@param traceparent string?
function _M.call(cache, shared, seconds, err, traceparent)
  histogram.observe(shared, seconds)
  shared:put("limit_used", limit_used(cache.client) or "")
  if err then shared:count("errors:" .. err.kind) end
  shared:count "calls"
  log(shared, cache.account, err, traceparent)
end

return _M
