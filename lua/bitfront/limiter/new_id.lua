-- The name of a slot, which no other process gives to one of its own.

local native = require "bitfront.native"

local RANGE = 2 ^ 53

---@return string? id  of digits, whatever Lua and the locale make of a number
---@return string? message
return function()
  local drawn = native.random()
  if not drawn then return nil, "there are no random numbers" end
  return ("%.0f"):format(drawn * RANGE)
end
