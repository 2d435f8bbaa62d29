-- The limiter's store for one process and Lua state: what is used where no
-- other is given. The counting is C's (csrc/policy/window.c).

local native = require "bitfront.native"

-- Removes the windows of keys that have not been used for a minute; returns how
-- many are left.
local function sweep(windows)
  local left = 0
  for key, window in pairs(windows) do
    if window:is_idle() then
      windows[key] = nil
    else
      left = left + 1
    end
  end
  return left
end

local _M = {}

--- A store that sweeps whenever there are twice as many keys as after the last
--- sweep.
---@return bitfront.Store
function _M.new()
  local windows, count, sweep_at = {}, 0, 64
  local store = native.window_store(windows, function(key)
    if count >= sweep_at then
      count = sweep(windows)
      sweep_at = math.max(64, 2 * count)
    end
    local window = native.window()
    windows[key], count = window, count + 1
    return window
  end)
  store.windows = windows
  return store
end

return _M
