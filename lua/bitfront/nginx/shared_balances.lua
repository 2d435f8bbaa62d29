--- What the workers share: the keys of one cache in a lua_shared_dict.
--
-- The dict expires keys by the wall clock, which may jump. So the values hold times by
-- the steady clock, and only these count. Nothing here evicts other keys of the dict:
-- what does not fit is an error.

local cjson = require "cjson"
local errors = require "bitfront.error"
local ffi = require "ffi"
local json = require "bitfront.json"
local native = require "bitfront.native"

local _M = {}

local LOCK_SECONDS = 1 -- for longer no lock outlives its worker

_M.LOCK_SECONDS = LOCK_SECONDS
_M.RENEW_SECONDS = 0.3 -- how often the lock is renewed while its worker lives

---@class bitfront.nginx.SharedBalances
local Shared = {}
local meta = { __index = Shared }

-- ---- time: seconds of the machine's steady clock, the same for all processes ----

-- LuaJIT asks no locale for the point.
local function digits(seconds)
  return ("%.9f"):format(seconds)
end

-- ---- is a worker alive? ----

-- Somebody else may have declared it already, with other words for the types.
pcall(ffi.cdef, "int kill(int pid, int sig);")

local EPERM = 1

local function is_alive(pid)
  return ffi.C.kill(pid, 0) == 0 or ffi.errno() == EPERM
end

-- ---- keys ----

local is_logged = false

-- The owner of the dict sees in the error log, once, that it is full.
local function dict_error(name, message)
  local text = ("the lua_shared_dict cannot keep the %s: %s"):format(name, message)
  if not is_logged then ngx.log(ngx.ERR, "bitfront: ", text) end
  is_logged = true
  return errors.new({ kind = "config", code = "dict", message = text }, 0)
end

---@return string  "" where there is none
function Shared:text(name)
  return self.dict:get(self.prefix .. name) or ""
end

function Shared:_delete(name)
  self.dict:delete(self.prefix .. name)
end

---@return true? kept
---@return bitfront.Error? err
function Shared:put(name, value)
  local kept, message = self.dict:safe_set(self.prefix .. name, value)
  if kept then return true end
  return nil, dict_error(name, message)
end

--- Adds to a number that only grows. Not incr with a first value: that evicts other keys.
---@param by? number  default 1
function Shared:count(name, by)
  local dict, key = self.dict, self.prefix .. name
  if not dict:incr(key, by or 1) then
    dict:safe_add(key, 0)
    dict:incr(key, by or 1)
  end
end

---@return number?
function Shared:number(name)
  return tonumber(self:text(name))
end

-- ---- the lock: one call of the exchange at a time, by one of the workers ----

-- A lock is "TOKEN TIME", the time when its holder renewed it.
function Shared:_lock()
  local holder, renewed = self:text "lock":match "^(%S+) (%d+%.%d+)$"
  return holder, tonumber(renewed)
end

-- A lock expires by the wall clock, so that a dead worker leaves none behind; and by
-- the steady one, since the wall clock may be set back meanwhile. This removes expired
-- locks only; only safe_add makes a new one.
function Shared:_is_locked(now)
  local holder, renewed = self:_lock()
  if holder and now - renewed >= LOCK_SECONDS then
    self:_delete "lock"
    return false
  end
  return holder ~= nil
end

-- Which worker began the last call, and until when no other may begin one: "PID TOKEN
-- UNTIL". That is short before the exchange is called, since the call may never start.
function Shared:_put_began(token, now, seconds)
  return self:put("began", ("%d %s %s"):format(ngx.worker.pid(), token,
    digits(now + seconds)))
end

-- Whether the call of a living worker goes on, also where its lock is lost: the worker
-- was stopped, or the wall clock was set forward.
function Shared:_is_underway(now)
  local pid, last = self:text "began":match "^(%d+) %S+ (%d+%.%d+)$"
  return pid ~= nil and now < tonumber(last) and is_alive(tonumber(pid))
end

local tokens = 0

-- No other call of any worker has this name.
local function new_token(now)
  tokens = tokens + 1
  return ("%s-%d-%d"):format(digits(now), ngx.worker.pid(), tokens)
end

-- Begins a call, for the holder of the lock. Two workers may both find a lock expired,
-- and the slower one removes the new lock of the other: then only the worker that has
-- the lock at the end of this goes on.
function Shared:_begin(token, now, ttl)
  if self:_is_underway(now) then return nil end
  local began, err = self:_put_began(token, now, math.min(ttl, LOCK_SECONDS))
  if not began then return nil, err end
  if self:_lock() == token then return true end
  self:_delete "began"
  return nil
end

--- Acquires the right to call the exchange, for all workers.
---@param now number
---@param ttl number
---@return string? token  nil: another worker has it
---@return bitfront.Error? err
function Shared:acquire(now, ttl)
  if self:_is_locked(now) or self:_is_underway(now) then return nil end
  local token = new_token(now)
  local locked, message = self.dict:safe_add(self.prefix .. "lock",
    token .. " " .. digits(now), LOCK_SECONDS)
  if not locked then
    return nil, message ~= "exists" and dict_error("lock", message) or nil
  end
  local begun, err = self:_begin(token, now, ttl)
  if begun then return token end
  self:release(token)
  return nil, err
end

--- Says that the exchange is called now, unless the lock was lost meanwhile.
---@param token string
---@param now number
---@param seconds number  for which no other call may begin, as long as this worker lives
---@return boolean? held
---@return bitfront.Error? err
function Shared:start(token, now, seconds)
  if self:_lock() ~= token then return false end
  return self:_put_began(token, now, seconds)
end

--- Renews the lock.
---@return boolean held  false: another worker has it
function Shared:renew(token)
  local holder = self:_lock()
  if holder ~= nil and holder ~= token then return false end
  self.dict:safe_set(self.prefix .. "lock", token .. " " .. digits(native.now()),
    LOCK_SECONDS)
  return true
end

function Shared:release(token)
  if self:_lock() == token then self:_delete "lock" end
end

--- Takes back what acquire did, where the exchange was not called.
function Shared:cancel(token)
  if self:text "began":match "^%d+ (%S+)" == token then self:_delete "began" end
  self:release(token)
end

-- ---- what a call brought ----

---@class bitfront.nginx.State  how the last call went
---@field version number?  of the balances there are: when they were asked for
---@field next_at number  no call before this
---@field began number?  when the call began that this is of
---@field failure table?  fields of the error, if the last call failed

local FAILURE_FIELDS = {
  "kind", "code", "message", "retryable", "retry_after", "http_status",
  "response_time", "attempts",
}

local function failure_text(err)
  if not err then return "" end
  local fields = {}
  for _, name in ipairs(FAILURE_FIELDS) do fields[name] = err[name] end
  return cjson.encode(fields)
end

-- "VERSION NEXT BEGAN FAILURE", the version 0 where nothing ever came.
local function parse_state(text)
  local version, next_at, began, failure =
    text:match "^(%d+%.%d+) (%d+%.%d+) (%d+%.%d+) (.*)$"
  version = tonumber(version)
  return {
    version = version ~= 0 and version or nil,
    next_at = tonumber(next_at) or 0,
    began = tonumber(began),
    failure = failure and failure ~= "" and json.decode(failure) or nil,
  }
end

--- How the last call went. The same table as long as nothing has happened.
---@return bitfront.nginx.State
function Shared:state()
  local text = self:text "state"
  if text ~= self.state_text then
    self.state_text, self.last_state = text, parse_state(text)
  end
  return self.last_state
end

---@class bitfront.nginx.Copy  the balances in the dict, decoded: each worker has one
---@field version number  when the balances were asked for, by the steady clock
---@field made integer  the same as Unix time, for people
---@field records bitfront.Record[]  their amounts are strings

---@return bitfront.nginx.Copy?
function Shared:copy()
  local version, made, text = self:text "value":match "^(%d+%.%d+) (%d+) (.*)$"
  local records = text and json.decode(text)
  return records
    and { version = tonumber(version), made = tonumber(made), records = records }
end

-- Whether another worker has begun a call since: this one was stopped or busy for
-- longer than its lock lasts.
function Shared:_is_overtaken(token, began)
  local holder = self:_lock()
  return holder ~= nil and holder ~= token
    or began < (self:state().began or 0)
end

function Shared:_put_balances(began, text)
  local made = ngx.time() - math.floor(native.now() - began)
  return self:put("value", ("%s %d %s"):format(digits(began), made, text))
end

--- Saves what a call brought, unless it was overtaken: balances, or why there are
--- none, beside the balances that there are.
---@param token string  of the call
---@param began number  when it was made: the balances may be as old as that
---@param next_at number
---@param text string?  the records as JSON, their amounts as strings
---@param failure bitfront.Error?
---@return true? done
---@return bitfront.Error? err
function Shared:save(token, began, next_at, text, failure)
  if self:_is_overtaken(token, began) then return true end
  local version = text and began or self:state().version or 0
  if text then
    local kept, err = self:_put_balances(began, text)
    if not kept then return nil, err end
  end
  return self:put("state", ("%s %s %s %s"):format(digits(version), digits(next_at),
    digits(began), failure_text(failure)))
end

---@param dict table  of ngx.shared
---@param name string  of the cache, and what tells its account from others
---@return bitfront.nginx.SharedBalances
function _M.new(dict, name)
  return setmetatable({ dict = dict, prefix = ("bitfront:%s:"):format(name) }, meta)
end

return _M
