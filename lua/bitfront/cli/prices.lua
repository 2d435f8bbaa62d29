--- Reads a file of prices: a JSON object of coin codes and numbers, or numbers
-- in strings. Not by lua-cjson alone, which makes doubles of all numbers: here
-- they stay the digits that are written there.

local coin = require "bitfront.records.coin"
local decimal = require "bitfront".decimal

local _M = {}

local ESCAPES = { ['\\"'] = "\\u0022", ["\\\\"] = "\\u005C" }

-- The tokens of a JSON text as they are written: strings, words (numbers are
-- words), and single characters. A string that is not closed is a quote and more.
local function tokens_of(source)
  source = source:gsub('\\["\\]', ESCAPES) -- a string ends at the next quote
  local tokens, at = {}, source:find "[^ \t\r\n]"
  while at do
    local token = source:match('^"[^"]*"', at) or source:match("^[%w.+-]+", at)
      or source:sub(at, at)
    tokens[#tokens + 1] = token
    at = source:find("[^ \t\r\n]", at + #token)
  end
  return tokens
end

-- The text of a JSON string; nil for another token.
local function text_of(token)
  if not token:find '^"[^%c]*"$' then return nil end
  local ok, list = pcall(require("cjson").decode, "[" .. token .. "]")
  return ok and list[1] or nil
end

local NO_OBJECT = "not an object of prices"

-- Adds a member to `prices`; returns what is wrong with it.
local function add(prices, name, colon, value)
  local code = text_of(name)
  if not code or colon ~= ":" then return NO_OBJECT end
  if not coin.is_code(code) then return coin.RULE end
  local price = value:sub(1, 1) == '"' and text_of(value) or value
  if not decimal(price) then
    return ("the price of %s is not a number: %s"):format(code, price:sub(1, 40))
  elseif prices[code] then
    return ("%s has two prices"):format(code)
  end
  prices[code] = price
end

---@return table<string, string>? prices
---@return string? message
function _M.parse(source)
  local prices, tokens = {}, tokens_of(source)
  local count = #tokens
  if tokens[1] ~= "{" then return nil, NO_OBJECT end
  if count == 2 and tokens[2] == "}" then return prices end
  for i = 2, math.max(2, count), 4 do
    local message = add(prices, tokens[i] or "", tokens[i + 1], tokens[i + 2] or "")
    if not message and tokens[i + 3] ~= (i + 3 < count and "," or "}") then
      message = NO_OBJECT
    end
    if message then return nil, message end
  end
  return prices
end

---@return table<string, string>? prices  by coin code, as they are written
---@return string? message
function _M.read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local source, prices
  source, message = file:read("*a")
  file:close()
  if source then prices, message = _M.parse(source) end
  return prices, message and path .. ": " .. message
end

return _M
