-- The limiter's store for one process and Lua state: what is used where no
-- other is given.

local native = require "bitfront.native"
local window = require "bitfront.limiter.window"

local Store = {}
Store.__index = Store

local function now_ms()
  return native.now() * 1000
end

-- Keys that have not been used for a minute are forgotten, whenever there are
-- twice as many as there were after the last look.
local function sweep(self)
  local now, left = now_ms(), 0
  for key, state in pairs(self.states) do
    if window.is_idle(state, now) then
      self.states[key] = nil
    else
      left = left + 1
    end
  end
  self.count, self.sweep_at = left, math.max(64, 2 * left)
end

local function state_of(self, key)
  local state = self.states[key]
  if not state then
    if self.count >= self.sweep_at then sweep(self) end
    state = window.new()
    self.states[key], self.count = state, self.count + 1
  end
  return state
end

function Store:acquire(key, lease, per_second, per_minute)
  local id = self.last_id + 1
  self.last_id = id
  return window.acquire(state_of(self, key), now_ms(), id, lease, per_second,
    per_minute), id
end

function Store:release(key, id, grace)
  window.release(state_of(self, key), now_ms(), id, grace)
  return true
end

function Store:fill(key, ms)
  window.fill(state_of(self, key), now_ms(), ms)
  return true
end

function Store:peek(key)
  return window.peek(state_of(self, key), now_ms())
end

local _M = {}

---@return bitfront.Store
function _M.new()
  return setmetatable({ states = {}, count = 0, sweep_at = 64, last_id = 0 }, Store)
end

return _M
