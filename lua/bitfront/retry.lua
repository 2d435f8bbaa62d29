-- Whether a call that failed is made again, and after which pause. Only reads
-- exist, so any may be repeated; each try is signed anew.

local native = require "bitfront.native"

local _M = {}

local BASE, LONGEST = 0.2, 5 -- s
local CAPACITY = 10 -- retries in store

--- Full jitter: anything from 0 to a bound that doubles. The random numbers are
--- OpenSSL's, so forked workers do not pause in step.
---@param n integer  0 for the first retry
---@return number seconds
function _M.pause(n)
  return (native.random() or 1) * math.min(LONGEST, BASE * 2 ^ n)
end

--- What a client may spend on retries: while a server is down it soon gets one
--- request a call, and no more. A success gives back what its retries took, or
--- else a fifth of one. The idea is the AWS SDKs' standard mode.
---@class bitfront.Quota
---@field left number

---@return bitfront.Quota
function _M.quota()
  return { left = CAPACITY }
end

---@param retries integer  that the successful call took
function _M.refund(quota, retries)
  quota.left = math.min(CAPACITY, quota.left + (retries > 0 and retries or 0.2))
end

--- Takes a retry from the quota, where there is one left.
function _M.take(quota)
  if quota.left < 1 then return false end
  quota.left = quota.left - 1
  return true
end

-- The cause of an error that a new request repairs at once, or never: its kind, or
-- "stale" for a kept connection that the server had closed. nil for other errors.
local function cause_of(err, seen)
  if err.kind == "clock" or err.kind == "replay" then return err.kind end
  return err.stale and not seen.stale and "stale" or nil
end

--- The pause before the next try; nil where there is to be none.
---@param seen table<string, true>  the causes that this call has had; written to
---@param retries integer  made already
---@param limited boolean  is there a limiter? It has the pause after a refusal
---@return number? seconds
---@return boolean? uncounted  the retry takes nothing from the quota
function _M.after(err, seen, retries, limited)
  local cause = cause_of(err, seen)
  if not err.retryable or seen[cause or ""] then return nil end
  local pause = 0
  if cause then
    seen[cause] = true
  elseif err.kind ~= "rate_limit" then
    pause = _M.pause(retries)
  elseif not limited then
    pause = 1
  end
  return math.max(pause, err.retry_after or 0), cause and true
end

return _M
