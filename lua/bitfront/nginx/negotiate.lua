--- The request's headers Accept and If-None-Match. Both can be long and hostile: each
--- byte is read a few times only.

local kinds = require "bitfront.records.format".kinds
local rows = require "bitfront.rows"
local trim = require "bitfront.records.text".trim

local _M = {}

-- Bytes. Browsers send some 200; a longer header counts as missing.
local MAX_HEADER = 4096

local TOKEN = "([A-Za-z0-9!#$%%&'*+.^_`|~-]+)"
local TYPE = ("^%s/%s$"):format(TOKEN, TOKEN)
local PARAMETER = (";[ \t]*%s[ \t]*=([^;]*)"):format(TOKEN)

-- A number from 0 to 1 with up to three decimals; nil for other texts.
local function quality_of(text)
  local q = tonumber(text:match "^[01]$" or text:match "^[01]%.%d?%d?%d?$")
  return q and q <= 1 and q or nil
end

-- A range such as text/*;q=0.5: its type, subtype, q and parameters; nil for other
-- texts. Wrong parameters are ignored.
local function parse_range(text)
  local head, tail = text:lower():match "^([^;]*)(.*)$"
  local main, subtype = trim(head):match(TYPE)
  local range = { type = main, subtype = subtype, q = 1, parameters = {} }
  for name, value in tail:gmatch(PARAMETER) do
    value = trim(value)
    value = trim(value:match '^"([^"]*)"$' or value)
    if name == "q" then
      range.q = quality_of(value)
      break -- what follows is no parameter of the type
    elseif not value:find('"', 1, true) then
      range.parameters[name] = value
    end
  end
  return main and range.q and range or nil
end

-- Quoted commas and semicolons separate nothing.
local function hide_separators(quoted)
  return (quoted:gsub("[,;]", " "))
end

local function parse_ranges(accept)
  local ranges = {}
  for text in accept:gsub('"[^"]*"', hide_separators):gmatch "[^,]+" do
    ranges[#ranges + 1] = parse_range(text)
  end
  return ranges
end

-- Of several with the same quality, the first is taken.
_M.FORMATS = rows.keyed {
  { name = "json" }, { name = "html", type = "text/html; charset=utf-8" },
  { name = "csv" }, { name = "prometheus" },
}
for _, row in ipairs(_M.FORMATS) do
  row.type = row.type or kinds[row.name].media
  row.offered = parse_range(row.type)
end

-- How closely a range names a type; 0 where it does not.
local function closeness(offered, range)
  if range.type == "*" and range.subtype == "*" then return 1 end
  if range.type ~= offered.type then return 0 end
  if range.subtype == "*" then return 2 end
  if range.subtype ~= offered.subtype then return 0 end
  local close = 3
  for name, value in pairs(range.parameters) do
    if name ~= "charset" and offered.parameters[name] ~= value then return 0 end
    close = close + 1
  end
  return close
end

-- The quality of the range that names the type most closely.
local function quality(offered, ranges)
  local closest, q = 0, 0
  for _, range in ipairs(ranges) do
    local close = closeness(offered, range)
    if close > closest then
      closest, q = close, range.q
    end
  end
  return q
end

--- The format with the highest quality.
---@param accept string
---@return string? format  nil: Accept has none of these
function _M.format(accept)
  local ranges = parse_ranges(#accept <= MAX_HEADER and accept or "*/*")
  local best, best_q = nil, 0
  if #ranges == 0 then return _M.FORMATS[1].name end
  for _, format in ipairs(_M.FORMATS) do
    local q = quality(format.offered, ranges)
    if q > best_q then
      best, best_q = format.name, q
    end
  end
  return best
end

--- Whether If-None-Match names this entity tag, by weak comparison.
---@param if_none_match string
---@param etag string  with its quotes
---@return boolean
function _M.has(if_none_match, etag)
  return #if_none_match <= MAX_HEADER
    and (trim(if_none_match) == "*" or if_none_match:find(etag, 1, true) ~= nil)
end

return _M
