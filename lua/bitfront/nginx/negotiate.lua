--- What a client can take: its Accept, and whether it has the answer already.
--- Both headers can be long and hostile: each byte is looked at a few times only.

local trim = require "bitfront.records.text".trim

local _M = {}

-- Bytes of a header that are read. Browsers send some 200; what is longer is
-- taken as not there.
local MAX_HEADER = 4096

---@class bitfront.nginx.MediaType
---@field format string  "json", "csv", "prometheus" or "html"
---@field type string
---@field subtype string
---@field parameters table<string, string>

local function media(format, main, subtype, parameters)
  return { format = format, type = main, subtype = subtype,
           parameters = parameters or {} }
end

-- Where a client likes several as well, the first of these is for it.
_M.TYPES = {
  media("json", "application", "json"),
  media("html", "text", "html", { charset = "utf-8" }),
  media("csv", "text", "csv", { charset = "utf-8", header = "present" }),
  media("prometheus", "text", "plain", { charset = "utf-8", version = "0.0.4" }),
}

local TOKEN = "[A-Za-z0-9!#$%%&'*+.^_`|~-]+"

-- The parts between separators outside of quotes, without blanks at their ends.
local function split(text, separator)
  local parts, from, quoted = {}, 1, false
  for at, char in text:gmatch('()(["' .. separator .. '])') do
    if char == '"' then
      quoted = not quoted
    elseif not quoted then
      parts[#parts + 1] = trim(text:sub(from, at - 1))
      from = at + 1
    end
  end
  parts[#parts + 1] = trim(text:sub(from))
  return parts
end

-- 0 to 1 with up to three decimals, in thousandths: no locale is asked.
local function thousandths(text)
  local whole, rest = text:match("^([01])%.?(%d*)$")
  if not whole or #rest > 3 then return nil end
  local q = tonumber(whole .. rest .. ("0"):rep(3 - #rest))
  return q <= 1000 and q or nil
end

-- The name and the value of q=0.5 or charset="utf-8", in lower case; nil where
-- it is none.
local function parse_parameter(text)
  local name, value = text:match("^([^=]*)=(.*)$")
  name = name and trim(name):match("^" .. TOKEN .. "$")
  if not name then return nil end
  value = trim(value)
  value = trim(value:match('^"([^"]*)"$') or value)
  if not value:find('"', 1, true) then return name:lower(), value:lower() end
end

-- A range such as text/*;q=0.5, or nil where it is none.
local function parse_range(text)
  local parts = split(text, ";")
  local main, subtype = parts[1]:match("^(" .. TOKEN .. ")/(" .. TOKEN .. ")$")
  local range = { q = 1000, parameters = {}, count = 0 }
  for i = 2, #parts do
    local name, value = parse_parameter(parts[i])
    if name == "q" then
      range.q = thousandths(value)
      break -- what follows is no parameter of the type
    elseif name then
      range.parameters[name] = value
      range.count = range.count + 1
    end
  end
  if not main or not range.q then return nil end
  range.type, range.subtype = main:lower(), subtype:lower()
  return range
end

local function has_parameters(offered, range)
  for name, value in pairs(range.parameters) do
    local ours = offered.parameters[name]
    if name ~= "charset" and ours ~= value then return false end
  end
  return true
end

-- How closely a range names a type; nil where it does not.
local function closeness(offered, range)
  if range.type == "*" and range.subtype == "*" then
    return 1
  elseif range.type ~= offered.type then
    return nil
  elseif range.subtype == "*" then
    return 2
  elseif range.subtype == offered.subtype and has_parameters(offered, range) then
    return 3 + range.count
  end
end

-- The quality of the range that names the type most closely.
local function quality(offered, ranges)
  local closest, q = 0, 0
  for _, range in ipairs(ranges) do
    local close = closeness(offered, range)
    if close and close > closest then
      closest, q = close, range.q
    end
  end
  return q
end

--- The format that a client likes best.
---@param accept string?
---@return string? format  nil: it takes none of ours
function _M.format(accept)
  local ranges = {}
  accept = accept and #accept <= MAX_HEADER and accept or "*/*"
  for _, text in ipairs(split(accept, ",")) do
    ranges[#ranges + 1] = parse_range(text)
  end
  if #ranges == 0 then return _M.TYPES[1].format end
  local best, best_q = nil, 0
  for _, offered in ipairs(_M.TYPES) do
    local q = quality(offered, ranges)
    if q > best_q then
      best, best_q = offered.format, q
    end
  end
  return best
end

--- Whether If-None-Match names this entity tag, by weak comparison.
---@param if_none_match string
---@param etag string  with its quotes
---@return boolean
function _M.has(if_none_match, etag)
  if #if_none_match > MAX_HEADER then return false end
  if trim(if_none_match) == "*" then return true end
  for tag in if_none_match:gmatch('"[^"]*"') do
    if tag == etag then return true end
  end
  return false
end

return _M
