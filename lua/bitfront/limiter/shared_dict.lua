-- The limiter's store for all workers of an nginx: a lua_shared_dict. The
-- workers take turns by a lock in the dict, each holding it for some
-- microseconds. Times are the monotonic clock's, which is one for all processes
-- of a machine; the dict's own expiry goes by a clock that somebody may set, so
-- what was counted has none.

local limiter = require "bitfront.limiter"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local window = require "bitfront.limiter.window"

local PREFIX = "bitfront:limiter:"
local LOCK_PREFIX = "bitfront:limiter-lock:"
local LOCK_TIMEOUT = 0.1 -- s
local STALE_AFTER = 0.5 -- s after which a lock's holder is taken for dead
local LOCK_LIFETIME = 1 -- s until the dict drops a lock that nobody asked for since
local SWEEP_INTERVAL = 60 -- s

local Store = {}
Store.__index = Store

-- Removes a lock whose holder is dead.
local function break_stale(dict, name, now)
  local since = dict:get(name)
  if since and now - since > STALE_AFTER then dict:delete(name) end
end

-- Returns what the lock holds: by it a holder who was stopped meanwhile finds
-- that the lock is another's by now.
local function lock(dict, name)
  local begun = native.now()
  while true do
    local now = native.now()
    local added, message = dict:safe_add(name, now, LOCK_LIFETIME)
    if added then return now end
    if message ~= "exists" then return nil, message end
    if now - begun > LOCK_TIMEOUT then
      return nil, ("could not acquire the lock within %s s"):format(LOCK_TIMEOUT)
    end
    break_stale(dict, name, now)
    ngx.sleep(0.001)
  end
end

local function unlock(dict, name, mine)
  if dict:get(name) == mine then dict:delete(name) end
end

local function read(dict, key)
  local text = dict:get(PREFIX .. key)
  return text and window.unpack(text) or window.new()
end

-- Removes a key that has not been used for a minute, if nobody uses it now.
local function remove_idle(dict, key)
  local name, now = LOCK_PREFIX .. key, native.now()
  if not dict:safe_add(name, now, LOCK_LIFETIME) then return end
  if window.is_idle(read(dict, key), now * 1000) then dict:delete(PREFIX .. key) end
  unlock(dict, name, now)
end

-- Makes room in a full dict. The caller holds the lock of its own key.
local swept = {} -- when, by dict
local function sweep(dict)
  local now = native.now()
  if now - (swept[dict] or -SWEEP_INTERVAL) < SWEEP_INTERVAL then return end
  swept[dict] = now
  for _, name in ipairs(dict:get_keys(0)) do
    if name:sub(1, #PREFIX) == PREFIX then remove_idle(dict, name:sub(#PREFIX + 1)) end
  end
end

-- A full dict might evict what others need, or this store.
local function write(dict, key, state)
  if dict:free_space() == 0 then sweep(dict) end
  if dict:free_space() == 0 then return nil, "no memory" end
  return dict:safe_set(PREFIX .. key, window.pack(state))
end

-- Does window[operation] to the key's state under the lock. Returns the wait that it
-- gives, 0 where the state has changed; nil and the cause where it cannot be done.
local function change(self, operation, key, ...)
  local dict, name = self.dict, LOCK_PREFIX .. key
  local mine, message = lock(dict, name)
  if not mine then return nil, message end
  local state, written = read(dict, key), true
  local wait = window[operation](state, native.now() * 1000, ...) or 0
  if dict:get(name) ~= mine then
    written, message = nil, "another worker took the lock"
  elseif wait == 0 then
    written, message = write(dict, key, state)
  end
  unlock(dict, name, mine)
  return written and wait, message
end

function Store:acquire(key, ...)
  local id = limiter.new_id()
  local wait, message = change(self, "acquire", key, id, ...)
  return wait, wait and id or message
end

function Store:release(...)
  return change(self, "release", ...)
end

function Store:block(...)
  return change(self, "block", ...)
end

function Store:peek(key)
  return window.peek(read(self.dict, key), native.now() * 1000)
end

local _M = {}

--- See bitfront.shared_dict_limiter.
---@return bitfront.Store
function _M.new(name)
  local ngx = rawget(_G, "ngx")
  local dict = ngx and ngx.shared and ngx.shared[name]
  if not dict then
    raise("bitfront.shared_dict_limiter: there is no lua_shared_dict %s", tostring(name))
  end
  return setmetatable({ dict = dict }, Store)
end

return _M
