--- How long calls take: a histogram in the dict, each call counted under its bucket.

local _M = {}

--- Upper bounds of the buckets, in seconds.
_M.BOUNDS = { 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.huge }
local BOUNDS = _M.BOUNDS

---@param shared bitfront.nginx.SharedBalances
---@param seconds number
function _M.observe(shared, seconds)
  local i = 1
  while seconds > BOUNDS[i] do i = i + 1 end
  shared:count("duration:" .. i)
  shared:count("duration_sum", seconds)
end

---@param shared bitfront.nginx.SharedBalances
---@return integer[] counts  for each bound: calls that took as long or less
---@return number sum  in seconds
function _M.read(shared)
  local counts, below = {}, 0
  for i = 1, #BOUNDS do
    below = below + (shared:number("duration:" .. i) or 0)
    counts[i] = below
  end
  return counts, shared:number "duration_sum" or 0
end

return _M
