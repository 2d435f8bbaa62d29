-- Mistakes of the caller. They are raised at the line that made them: the first
-- one outside this package, however deep in it the mistake was found.

local getinfo = debug and debug.getinfo -- a program may remove it later

local _M = {}

-- What the source of each file of this package begins with; nil where debug
-- information was stripped, or there is no library to ask for it.
local PACKAGE = getinfo and getinfo(1, "S").source:match "^(@.*[/\\])misuse%.lua$"

-- "script.lua:3: "; "" where no Lua code outside the package is on the stack.
-- Frames of C functions (pcall, table.sort) and Lua 5.1's of tail calls have no
-- line.
local function position_of_caller()
  local level = 3
  while true do
    local frame = getinfo(level, "Sl")
    if not frame then return "" end
    if frame.currentline > 0 and frame.source:sub(1, #PACKAGE) ~= PACKAGE then
      return ("%s:%d: "):format(frame.short_src, frame.currentline)
    end
    level = level + 1
  end
end

local raised, raised_message -- the last error, with and without its position

--- Raises at the caller's line. A message names the function and the argument:
--- "bitfront.sort: key must be ...".
---@param message string  a format
---@param ... any  its values
function _M.raise(message, ...)
  message = message:format(...)
  if not PACKAGE then error(message, 2) end
  raised, raised_message = position_of_caller() .. message, message
  error(raised, 0)
end

--- The text of an error that pcall caught, without a position where it was raised
--- here: what was handed to a function in the caller's name is not the mistake of
--- the line that is on the stack.
function _M.text_of(caught)
  return raised and caught == raised and raised_message or tostring(caught)
end

return _M
