--- Reads a file of prices: a JSON object of coin codes and numbers, or numbers
-- in strings. Not by lua-cjson, which makes doubles of all numbers: here they
-- stay the digits that are written there.

local coin = require "bitfront.records.coin"
local decimal = require "bitfront".decimal

local _M = {}

-- The JSON string at `at`, decoded, and where it ends.
local function take_string(source, at)
  local last = at
  repeat
    last = source:find('["\\%c]', last + 1)
    local char = last and source:sub(last, last)
    if char == "\\" then last = last + 1 end
  until char ~= "\\"
  if not last or source:sub(last, last) ~= '"' then return nil end
  local ok, list = pcall(require("cjson").decode, "[" .. source:sub(at, last) .. "]")
  if ok then return list[1], last + 1 end
end

-- The number at `at` as it is written, or the string there, and where it ends.
local function take_price(source, at)
  if source:sub(at, at) == '"' then return take_string(source, at) end
  local word = source:match("^[%w.+-]+", at)
  if word then return word, at + #word end
end

local function skip(source, at)
  return source:find("[^ \t\r\n]", at) or #source + 1
end

-- Behind `mark`, and what spaces there are, or nil.
local function pass(source, at, mark)
  if source:sub(at, at) == mark then return skip(source, at + 1) end
end

local NO_OBJECT = "not an object of prices"

-- Adds the member at `at` to `prices`; returns where the next token is.
local function take_member(source, at, prices)
  local code, price
  if source:sub(at, at) == '"' then code, at = take_string(source, at) end
  at = code and pass(source, skip(source, at), ":")
  if not at then return nil, NO_OBJECT end
  if not coin.is_code(code) then return nil, coin.RULE end
  price, at = take_price(source, at)
  if not (price and decimal(price)) then
    return nil, ("the price of %s is not a number%s"):format(code,
      price and ": " .. price:sub(1, 40) or "")
  elseif prices[code] then
    return nil, ("%s has two prices"):format(code)
  end
  prices[code] = price
  return skip(source, at)
end

---@param source string
---@return table<string, string>? prices
---@return string? message
function _M.parse(source)
  local prices = {}
  local at = pass(source, skip(source, 1), "{")
  local closed = at and pass(source, at, "}")
  while at and not closed do
    local next_token, message = take_member(source, at, prices)
    if not next_token then return nil, message end
    closed = pass(source, next_token, "}")
    at = pass(source, next_token, ",")
  end
  if closed and closed > #source then return prices end
  return nil, NO_OBJECT
end

---@param path string
---@return table<string, string>? prices  by coin code, as they are written
---@return string? message
function _M.read(path)
  local file, reason = io.open(path, "rb")
  if not file then return nil, reason end
  local source
  source, reason = file:read("*a")
  file:close()
  if not source then return nil, path .. ": " .. reason end
  local prices, message = _M.parse(source)
  return prices, message and path .. ": " .. message
end

return _M
