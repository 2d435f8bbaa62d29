-- The limiter's store for one process and Lua state: what is used where no
-- other is given. The counting is C's (csrc/policy/window.c).

local native = require "bitfront.native"

local Store = {}
Store.__index = Store

-- Keys that have not been used for a minute are forgotten, whenever there are
-- twice as many as there were after the last sweep.
local function sweep(self)
  local left = 0
  for key, window in pairs(self.windows) do
    if window:is_idle() then
      self.windows[key] = nil
    else
      left = left + 1
    end
  end
  self.count, self.sweep_at = left, math.max(64, 2 * left)
end

local function add(self, key)
  if self.count >= self.sweep_at then sweep(self) end
  local window = native.window()
  self.windows[key], self.count = window, self.count + 1
  return window
end

function Store:acquire(key, lease, per_second, per_minute)
  local id, window = self.last_id + 1, self.windows[key] or add(self, key)
  self.last_id = id
  local wait, message = window:acquire(id, lease, per_second, per_minute)
  return wait, wait and id or message
end

function Store:release(key, id, grace)
  local window = self.windows[key] or add(self, key)
  return window:release(id, grace)
end

function Store:fill(key, ms)
  local window = self.windows[key] or add(self, key)
  window:block(ms)
  return true
end

function Store:peek(key)
  local window = self.windows[key] or add(self, key)
  return window:peek()
end

local _M = {}

---@return bitfront.Store
function _M.new()
  return setmetatable({ windows = {}, count = 0, sweep_at = 64, last_id = 0 }, Store)
end

return _M
