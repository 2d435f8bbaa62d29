--- Reads a file of prices: a JSON object of coin codes and numbers, or numbers
-- in strings. Not by lua-cjson alone, which makes doubles of all numbers: here
-- they stay the digits that are written there.

local coin = require "bitfront.records.coin"
local decimal = require "bitfront".decimal

local _M = {}

local ESCAPES = { ['\\"'] = "\\u0022", ["\\\\"] = "\\u005C" }

-- The tokens of a JSON text as they are written, and the line of each: strings, words
-- (numbers are words), and single characters. A string that is not closed is a quote and
-- more.
local function tokens_of(source)
  source = source:gsub('\\["\\]', ESCAPES) -- a string ends at the next quote
  local tokens, lines, line, from = {}, {}, 1, 1
  local at = source:find "[^ \t\r\n]"
  while at do
    local _, ends = source:sub(from, at - 1):gsub("\n", "")
    line, from = line + ends, at
    local token = source:match('^"[^"]*"', at) or source:match("^[%w.+-]+", at)
      or source:sub(at, at)
    tokens[#tokens + 1], lines[#lines + 1] = token, line
    at = source:find("[^ \t\r\n]", at + #token)
  end
  return tokens, lines
end

-- The text of a JSON string; nil for another token.
local function text_of(token)
  if not token:find '^"[^%c]*"$' then return nil end
  local ok, list = pcall(require("cjson").decode, "[" .. token .. "]")
  return ok and list[1] or nil
end

local NO_OBJECT = 'not an object of prices, as {"BTC": 65000.5}'

-- Adds a price; returns what is wrong with it, and by how many tokens behind its name.
local function add(prices, code, value)
  if not coin.is_code(code) then return coin.RULE, 0 end
  local price = value:sub(1, 1) == '"' and text_of(value) or value
  if not decimal(price) then
    return ("the price of %s is not a number: %s"):format(code, price:sub(1, 40)), 2
  elseif prices[code] then
    return ("%s has two prices"):format(code), 0
  end
  prices[code] = price
end

-- Reads the member that begins at a token, with what separates it from the next; returns
-- what is wrong, and at which token.
local function read_member(prices, tokens, at)
  local code = text_of(tokens[at] or "")
  if not code then return NO_OBJECT, at end
  if tokens[at + 1] ~= ":" then return NO_OBJECT, at + 1 end
  local message, behind = add(prices, code, tokens[at + 2] or "")
  if message then return message, at + behind end
  local separator = at + 3 < #tokens and "," or "}"
  if tokens[at + 3] ~= separator then return NO_OBJECT, at + 3 end
end

---@return table<string, string>? prices
---@return string? message
---@return integer? line  where that is wrong
function _M.parse(source)
  local tokens, lines = tokens_of(source)
  local prices, member = {}, 2
  if tokens[1] ~= "{" then return nil, NO_OBJECT, lines[1] or 1 end
  if #tokens == 2 and tokens[2] == "}" then return prices end
  local message, at
  repeat
    message, at = read_member(prices, tokens, member)
    member = member + 4
  until message or member > #tokens
  if message then return nil, message, lines[at] or lines[#lines] end
  return prices
end

-- The file, and what it is called in messages.
local function open(path)
  if path == "-" then return io.stdin, "stdin" end
  local file, message = io.open(path, "rb")
  return file, file and path or message
end

---@param path string  "-" for stdin
---@return table<string, string>? prices  by coin code, as they are written
---@return string? message  with the file's name and the line
function _M.read(path)
  local file, name = open(path)
  if not file then return nil, name end
  local source, message = file:read("*a")
  if file ~= io.stdin then file:close() end
  if not source then return nil, name .. ": " .. message end
  local prices, wrong, line = _M.parse(source)
  return prices, wrong and ("%s:%d: %s"):format(name, line, wrong)
end

return _M
