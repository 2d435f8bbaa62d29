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

---@param quota bitfront.Quota
---@param retries integer  that the successful call took
function _M.refund(quota, retries)
  quota.left = math.min(CAPACITY, quota.left + (retries > 0 and retries or 0.2))
end

--- Takes a retry from the quota, where there is one left.
---@param quota bitfront.Quota
---@return boolean
function _M.take(quota)
  if quota.left < 1 then return false end
  quota.left = quota.left - 1
  return true
end

-- What is mended by asking anew at once, and if not then, never. It costs nothing
-- of the quota.
local function once(seen, kind)
  if seen[kind] then return nil end
  seen[kind] = true
  return 0, true
end

-- Seconds, or nil where the failure is not to be tried again; and whether that
-- is free.
local function pause_after(failure, seen, retries, limited)
  local kind = failure.kind
  if not failure.retryable then
    return nil
  elseif kind == "clock" or kind == "replay" then
    return once(seen, kind)
  elseif failure.stale and not seen.stale then
    return once(seen, "stale")
  elseif kind == "rate_limit" then
    return limited and 0 or 1 -- the limiter has the pause
  end
  return _M.pause(retries)
end

--- The pause before the next try; nil where there is to be none.
---@param failure table  an error with kind and retryable
---@param seen table<string, true>  what this call has been through; written to
---@param retries integer  made already
---@param limited boolean  is there a limiter?
---@return number? seconds
---@return boolean? free  it costs nothing of the quota
function _M.after(failure, seen, retries, limited)
  local pause, free = pause_after(failure, seen, retries, limited)
  return pause and math.max(pause, failure.retry_after or 0), free
end

return _M
