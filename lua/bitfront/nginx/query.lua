--- The query of a request: which balances, in which order, in which form.

local coin = require "bitfront.records.coin"
local columns = require "bitfront.records.columns"
local native = require "bitfront.native"
local negotiate = require "bitfront.nginx.negotiate"
local rows = require "bitfront.rows"

local _M = {}

---@class bitfront.nginx.Query  the parameters, read
---@field format string?
---@field filter bitfront.Filter
---@field sort bitfront.SortKey?
---@field direction "asc"|"desc"?

local FLAGS = {
  [""] = true, ["1"] = true, ["true"] = true, ["0"] = false, ["false"] = false,
}

local function flag(text)
  return FLAGS[text]
end

local function number(text)
  return native.decimal(text) and text
end

local function format(text)
  return negotiate.FORMATS[text] and text
end

-- "-balance" is the same as balance with desc: one button of a form can say it.
local function sort(text)
  local column = columns[text:match "^%-?(%a+)$"]
  return column and column.sortable and text
end

local function list(names, word)
  return table.concat(names, ", ", 1, #names - 1) .. word .. names[#names]
end

-- `read` returns the value of a parameter's text; nil where the text is wrong.
local PARAMETERS = rows.keyed {
  { name = "format", read = format, must = list(rows.names(negotiate.FORMATS), " or ") },
  { name = "currency", read = coin.list, must = "coin codes such as BTC,ETH" },
  { name = "nonzero", read = flag, must = "1 or 0" },
  { name = "locked", read = flag, must = "1 or 0" },
  { name = "min", read = number, must = "a number" },
  { name = "sort", read = sort,
    must = list(rows.names(columns, { sortable = true }), " or ") },
  { name = "desc", read = flag, must = "1 or 0" },
}

local UNKNOWN = ("Parameters are %s."):format(list(rows.names(PARAMETERS), " and "))

-- The value of each parameter. In a form, "+" is a space.
local function read_each(args)
  local values = {}
  for part in args:gmatch "[^&]+" do
    local name, text = part:match "^([^=]*)=?(.*)$"
    name = ngx.unescape_uri(name)
    local parameter = PARAMETERS[name]
    if not parameter then return nil, UNKNOWN end
    if values[name] ~= nil then return nil, name .. " is there twice." end
    values[name] = parameter.read(ngx.unescape_uri(text))
    if values[name] == nil then
      return nil, ("%s must be %s."):format(name, parameter.must)
    end
  end
  return values
end

local function conflict(values, key, minus, has_prices)
  if values.desc ~= nil and not key then
    return "desc needs sort."
  elseif values.desc ~= nil and minus == "-" then
    return "desc and a minus before the key say the same: give one."
  elseif key == "value" and not has_prices then
    return "Values are not known here."
  end
end

---@param args string  the query as it stands in the URL
---@param has_prices boolean
---@return bitfront.nginx.Query? query
---@return string? message  a sentence for the client
function _M.parse(args, has_prices)
  local values, message = read_each(args)
  if not values then return nil, message end
  local minus, key = (values.sort or ""):match "^(%-?)(.+)$"
  message = conflict(values, key, minus, has_prices)
  if message then return nil, message end
  return {
    format = values.format, sort = key,
    direction = key and ((values.desc or minus == "-") and "desc" or "asc"),
    filter = {
      currencies = values.currency, min = values.min,
      nonzero = values.nonzero, locked = values.locked,
    },
  }
end

return _M
