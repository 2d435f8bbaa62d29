-- The limiter's store for all workers of an nginx: a lua_shared_dict. The
-- workers take turns by a lock in the dict, each holding it for some
-- microseconds. Times are the monotonic clock's, which is one for all processes
-- of a machine; the dict's own expiry goes by a clock that somebody may set, so
-- what was counted has none.

local native = require "bitfront.native"
local new_id = require "bitfront.limiter.new_id"
local window = require "bitfront.limiter.window"

local PREFIX = "bitfront:limiter:"
local LOCK_PREFIX = "bitfront:limiter-lock:"
local PATIENCE = 0.1 -- s to wait for the lock
local STALE = 0.5 -- s after which its holder is taken for dead
local LOCKED = 1 -- s until the dict forgets a lock that nobody asked for since
local SWEEPS = 60 -- s between two

local Store = {}
Store.__index = Store

local function break_stale(dict, name, now)
  local since = dict:get(name)
  if since and now - since > STALE then
    dict:delete(name)
  end
end

-- What is written under it, so that a holder who was stopped meanwhile finds
-- that it is another's by now.
local function lock(dict, name)
  local begun = native.now()
  while true do
    local now = native.now()
    local added, trouble = dict:safe_add(name, now, LOCKED)
    if added then return now end
    if trouble ~= "exists" then return nil, trouble end
    if now - begun > PATIENCE then return nil, "its lock is not to be had" end
    break_stale(dict, name, now)
    ngx.sleep(0.001)
  end
end

local function read(dict, key)
  local text = dict:get(PREFIX .. key)
  return text and window.unpack(text) or window.new()
end

local function unlock(dict, name, mine)
  if dict:get(name) == mine then dict:delete(name) end
end

-- Forgets a key that has not been used for a minute, if nobody is at it.
local function forget_idle(dict, key)
  local name, now = LOCK_PREFIX .. key, native.now()
  if not dict:safe_add(name, now, LOCKED) then return end
  if window.is_idle(read(dict, key), now * 1000) then
    dict:delete(PREFIX .. key)
  end
  unlock(dict, name, now)
end

-- Where there is no room left; the key's own lock is held.
local swept = {} -- when, by dict
local function sweep(dict)
  local now = native.now()
  if now - (swept[dict] or -SWEEPS) < SWEEPS then return end
  swept[dict] = now
  for _, name in ipairs(dict:get_keys(0)) do
    if name:sub(1, #PREFIX) == PREFIX then forget_idle(dict, name:sub(#PREFIX + 1)) end
  end
end

-- A dict that is full might drop what others need, or what we do.
local function write(dict, key, state)
  if dict:free_space() == 0 then sweep(dict) end
  if dict:free_space() == 0 then return nil, "no memory" end
  return dict:safe_set(PREFIX .. key, window.pack(state))
end

-- Changes the key's state under the lock by `operation(state, now, ...)`, whose
-- result is returned; nil and the cause where that cannot be done.
local function change(self, key, operation, ...)
  local dict, name = self.dict, LOCK_PREFIX .. key
  local mine, trouble = lock(dict, name)
  if not mine then return nil, trouble end
  local state = read(dict, key)
  local result = operation(state, native.now() * 1000, ...)
  local written = true
  if dict:get(name) ~= mine then
    written, trouble = nil, "its lock was lost"
  elseif result == 0 then
    written, trouble = write(dict, key, state)
  end
  unlock(dict, name, mine)
  return written and result, trouble
end

local function release(state, now, id, grace)
  window.release(state, now, id, grace)
  return 0
end

local function fill(state, now, ms)
  window.block(state, now, ms)
  return 0
end

function Store:acquire(key, lease, per_second, per_minute)
  local id, none = new_id()
  if not id then return nil, none end
  local wait, trouble = change(self, key, window.acquire, id, lease, per_second,
    per_minute)
  return wait, wait and id or trouble
end

function Store:release(key, id, grace)
  return change(self, key, release, id, grace)
end

function Store:fill(key, ms)
  return change(self, key, fill, ms)
end

function Store:peek(key)
  return window.peek(read(self.dict, key), native.now() * 1000)
end

local _M = {}

---@param name string  of a lua_shared_dict
---@return bitfront.Store?
---@return string? message
function _M.new(name)
  local dict = ngx and ngx.shared and ngx.shared[name]
  if not dict then
    return nil, ("there is no lua_shared_dict %s"):format(tostring(name))
  end
  return setmetatable({ dict = dict }, Store)
end

return _M
