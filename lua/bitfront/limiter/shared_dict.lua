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
local SWEEP_INTERVAL = 60 -- s

local Store = {}
Store.__index = Store

-- The names of locks that replace one whose holder is dead, by that one's name. Such
-- a lock stays in the dict: what two workers see at different times must not let
-- one of them remove the lock of a third.
local successors = {}

-- No worker yields while it holds a lock: what this process holds, a process that
-- had its number before it has left, or a function that raised.
local function is_abandoned(holder)
  return holder == native.pid() or not native.process_exists(holder)
end

-- A worker may be stopped at any point with the lock, so its age tells nothing of
-- it. Returns the lock's name.
local function lock(dict, name)
  local begun = native.now()
  repeat
    name = successors[name] or name
    local added, message = dict:safe_add(name, native.pid())
    if added then return name end
    if message ~= "exists" then return nil, message end
    local holder = dict:get(name)
    if holder and is_abandoned(holder) then
      successors[name] = name .. " +"
    else
      ngx.sleep(0.001)
    end
  until native.now() - begun > LOCK_TIMEOUT
  return nil, ("could not acquire the lock within %s s"):format(LOCK_TIMEOUT)
end

-- A dict that has no memory for a new value may have removed the old one already. So a
-- state has two names in turn: it is written under one before the other is removed.
-- Where a worker was killed between the two steps, both are there, and the one under the
-- first name is taken: either it is the newer one, or the newer one is a change that was
-- never reported to a caller.
local function names(key)
  local name = PREFIX .. key
  return name, name .. "\1" -- which no API key has
end

-- Returns the state, its name, and its next name. The first name is read again for a
-- caller without the lock: the state may have got that name meanwhile.
local function read(dict, key)
  local name, other = names(key)
  local text = dict:get(name)
  if not text then
    name, other, text = other, name, dict:get(other) or dict:get(name)
  end
  return text and window.unpack(text) or window.new(), name, other
end

-- Removes a key that has not been used for a minute, if nobody uses it now.
local function remove_idle(dict, key)
  local name = LOCK_PREFIX .. key
  name = successors[name] or name
  if not dict:safe_add(name, native.pid()) then return end
  local state = read(dict, key)
  if window.is_idle(state, native.now() * 1000) then
    local first, second = names(key)
    dict:delete(second)
    dict:delete(first)
  end
  dict:delete(name)
end

-- Makes room in a full dict. The caller holds the lock of its own key.
local swept = {} -- when, by dict
local function sweep(dict)
  local now = native.now()
  if now - (swept[dict] or -SWEEP_INTERVAL) < SWEEP_INTERVAL then return end
  swept[dict] = now
  for _, name in ipairs(dict:get_keys(0)) do
    local key = name:sub(1, #PREFIX) == PREFIX and name:sub(#PREFIX + 1):gsub("\1$", "")
    if key then remove_idle(dict, key) end
  end
end

-- A full dict might evict what others need, or this store.
local function write(dict, state, name, other)
  if dict:free_space() == 0 then sweep(dict) end
  if dict:free_space() == 0 then return nil, "no memory" end
  local written, message = dict:safe_set(other, window.pack(state))
  if written then dict:delete(name) end
  return written, message
end

-- Does window[operation] to the key's state under the lock. Returns the wait that it
-- gives, 0 where the state has changed; nil and the cause where it cannot be done.
local function change(self, operation, key, ...)
  local dict, written = self.dict, true
  local locked, message = lock(dict, LOCK_PREFIX .. key)
  if not locked then return nil, message end
  local state, name, other = read(dict, key)
  local wait = window[operation](state, native.now() * 1000, ...) or 0
  if wait == 0 then written, message = write(dict, state, name, other) end
  dict:delete(locked)
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
  local state = read(self.dict, key)
  return window.peek(state, native.now() * 1000)
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
