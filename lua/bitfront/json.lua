-- The strict JSON reader that replies are read with, for other texts.

local check = require "bitfront.check"
local misuse = require "bitfront.misuse"
local native = require "bitfront.native"
local options_of = require "bitfront.options".of

---@class bitfront.json
local _M = {}

---@class bitfront.JsonOptions
---@field amounts? "number"|"string"|"decimal"  what numbers become: Lua's, the digits as they came, or exact decimals; default "number"

--- The value of a JSON text: objects and arrays as tables, null as bitfront.null.
--- A number becomes the nearest double, unless the options say otherwise. Refuses what
--- RFC 8259 does not permit, invalid UTF-8, a key that an object has twice, more than 32
--- levels, and numbers beyond the range of what they are to be.
---@param text string
---@param options? bitfront.JsonOptions
---@return any value  never nil
---@overload fun(text: string, options?: bitfront.JsonOptions): nil, string  and what is wrong, at which byte
function _M.decode(text, options, ...)
  if type(text) ~= "string" then
    misuse.raise("bitfront.json.decode: text must be a string, not a %s", type(text))
  end
  if (...) ~= nil then check.no_more("bitfront.json.decode", ...) end
  if options == nil then return native.decode(text) end
  return native.decode(text, options_of("bitfront.json.decode", options).amounts)
end

--- Whether this is an array that decode or client:get has made; an empty one is told from
--- an empty object by this alone.
---@param value any
---@return boolean
function _M.is_array(value)
  return type(value) == "table" and getmetatable(value) == native.array
end

return _M
