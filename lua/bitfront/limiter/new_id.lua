-- The id of a slot, which no other process gives to one of its own.

local native = require "bitfront.native"

local RANGE = 2 ^ 53

--- Raises where there are no random numbers.
---@return string id  of digits, whatever Lua and the locale make of a number
return function()
  local drawn = native.random() or error("there are no random numbers", 0)
  return ("%.0f"):format(drawn * RANGE)
end
