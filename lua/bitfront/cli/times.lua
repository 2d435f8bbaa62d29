--- Times as the command prints them.

local _M = {}

---@param ms number  Unix time
---@return string  as 2018-05-02T05:43:21.363Z; "?" beyond the calendar
function _M.utc(ms)
  local seconds = math.floor(ms / 1000)
  local ok, text = pcall(os.date, "!%Y-%m-%dT%H:%M:%S", seconds)
  return ok and string.format("%s.%03dZ", text, math.floor(ms - seconds * 1000)) or "?"
end

return _M
