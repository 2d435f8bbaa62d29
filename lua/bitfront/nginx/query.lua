--- The query of a request: which balances, in which order, in which form.

local coin = require "bitfront.records.coin"
local native = require "bitfront.native"

local _M = {}

local SORT_KEYS = {
  currency = true, balance = true, availableBalance = true, locked = true,
  value = true,
}
local FORMATS = { json = true, csv = true, prometheus = true, html = true }
local FLAGS = {
  [""] = true, ["1"] = true, ["true"] = true, ["0"] = false, ["false"] = false,
}

---@class bitfront.nginx.Query  the parameters, read
---@field format string?
---@field filter bitfront.Filter
---@field sort bitfront.SortKey?
---@field direction "asc"|"desc"?
---@field of_page true?  the page's own script asks

-- Each puts its value into the query, or returns what is wrong with it.
local readers = {}

function readers.format(value, query)
  if not FORMATS[value] then
    return "format must be json, csv, prometheus or html."
  end
  query.format = value
end

function readers.currency(value, query)
  local codes = coin.list(value)
  if not codes then return "currency must be coin codes such as BTC,ETH." end
  query.filter.currencies = codes
end

function readers.min(value, query)
  if not native.decimal(value) then
    return "min must be a number."
  end
  query.filter.min = value
end

local function flag(name)
  return function(value, query)
    if FLAGS[value] == nil then
      return name .. " must be 1 or 0."
    end
    query.filter[name] = FLAGS[value]
  end
end

readers.nonzero, readers.locked = flag "nonzero", flag "locked"

-- "-balance" is the same as balance with desc: one button of a form can say it.
function readers.sort(value, query)
  local minus, key = value:match("^(%-?)(%a+)$")
  if not SORT_KEYS[key] then
    return "sort must be currency, balance, availableBalance, locked or value."
  end
  query.sort = key
  if minus == "-" then query.direction = "desc" end
end

function readers.desc(value, query)
  if FLAGS[value] == nil then
    return "desc must be 1 or 0."
  end
  query.descending = FLAGS[value]
end

-- The page's script says so.
readers["for"] = function(value, query)
  if value ~= "page" then return "for must be page." end
  query.of_page = true
end

-- In a form, "+" is a space; what is no escape stands for itself.
local function decode(text)
  return ngx.unescape_uri(text)
end

local function read_each(args, query)
  local seen = {}
  for part in args:gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    name = decode(name)
    local read = readers[name]
    if not read then
      return "Parameters are format, currency, nonzero, locked, min, sort and desc."
    elseif seen[name] then
      return name .. " is there twice."
    end
    seen[name] = true
    local wrong = read(decode(value), query)
    if wrong then return wrong end
  end
end

local function conflict(query, has_prices)
  if query.descending ~= nil and not query.sort then
    return "desc needs sort."
  elseif query.descending ~= nil and query.direction then
    return "desc and a minus before the key say the same: give one."
  elseif query.sort == "value" and not has_prices then
    return "Values are not known here."
  end
end

---@param args string?  the query as it stands in the URL
---@param has_prices boolean
---@return bitfront.nginx.Query? query
---@return string? wrong  a sentence for the client
function _M.parse(args, has_prices)
  local query = { filter = {} }
  local wrong = read_each(args or "", query) or conflict(query, has_prices)
  if wrong then return nil, wrong end
  if query.sort then
    local down = query.descending or query.direction == "desc"
    query.direction = down and "desc" or "asc"
  end
  return query
end

return _M
