-- Exact arithmetic by someone else: bc, from Debian's package of that name.

local shell = require "spec.support.shell"

local _M = {}

---The text as bc takes it: without an exponent, the point moved by hand.
---@param text string in JSON's number grammar
function _M.plain(text)
  local sign, whole, fraction, exponent =
    text:match("^(%-?)(%d+)%.?(%d*)[eE]?([+-]?%d*)$")
  local shift = tonumber(exponent) or 0
  while shift > 0 do
    whole, fraction = whole .. (fraction .. "0"):sub(1, 1), fraction:sub(2)
    shift = shift - 1
  end
  while shift < 0 do
    whole, fraction = whole:sub(1, -2), (("0" .. whole):sub(-1)) .. fraction
    shift = shift + 1
  end
  return sign .. (whole == "" and "0" or whole)
    .. (fraction == "" and "" or "." .. fraction)
end

-- Rounding to p places: d down, towards zero; u up, away from it; h to the
-- nearest, ties to the even digit. i cuts to a whole number.
local FUNCTIONS = [[
scale = 100
define i(x) { auto s; s = scale; scale = 0; x = x / 1; scale = s; return (x); }
define d(x, p) { return (i(x * 10 ^ p) / 10 ^ p); }
define u(x, p) {
  auto t;
  t = i(x * 10 ^ p);
  if (x > 0) if (t < x * 10 ^ p) t = t + 1;
  if (x < 0) if (t > x * 10 ^ p) t = t - 1;
  return (t / 10 ^ p);
}
define h(x, p) {
  auto t, r;
  t = i(x * 10 ^ p);
  r = 2 * (x * 10 ^ p - t);
  if (r > 1) return ((t + 1) / 10 ^ p);
  if (r < -1) return ((t - 1) / 10 ^ p);
  if (i(t / 2) * 2 != t) t = t + r * (r * r == 1);
  return (t / 10 ^ p);
}
]]

---What bc makes of the expressions, one line each.
---@param expressions string[]
---@return string[]
function _M.run(expressions)
  local dir = shell.tmpdir()
  shell.write(dir .. "/program", FUNCTIONS .. table.concat(expressions, "\n") .. "\n")
  local out = shell.must("BC_LINE_LENGTH=0 bc -q " .. shell.quote(dir .. "/program"),
    { stdin = "" })
  local lines = {}
  for line in out:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end

return _M
