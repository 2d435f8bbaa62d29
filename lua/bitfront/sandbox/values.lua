--- Checks of single values, shared by settings and scripts.

local _M = {}

---@param low integer
---@param high integer
---@return fun(value: any): boolean
function _M.integer_within(low, high)
  return function(value)
    return type(value) == "number" and value % 1 == 0
      and value >= low and value <= high
  end
end

--- How long a reply may be made to wait: up to an hour.
_M.wait_ms = _M.integer_within(0, 3600000)

return _M
