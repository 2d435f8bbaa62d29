--- What a query shows of the balances: rows in their order, what they are worth.

local columns = require "bitfront.records.columns"
local fields = require "bitfront.records.fields"
local format = require "bitfront.records.format"
local records = require "bitfront.records"
local rows = require "bitfront.rows"
local text = require "bitfront.records.text"
require "cjson" -- which text.json loads: a worker without descriptors could not

local _M = {}

---@class bitfront.nginx.Row: bitfront.Record  its amounts are strings of plain digits
---@field locked string
---@field price bitfront.Decimal?
---@field value bitfront.Decimal?
---@field share integer?  how much is available, in thousandths; nil where there is nothing, or more than a double holds
---@field percent string?  the same in percent, with a point in every locale

---@class bitfront.nginx.View
---@field columns string[]  names; price and value are not in each row
---@field rows bitfront.nginx.Row[]
---@field total string?  where there are prices
---@field missing string[]?  coins without one

local function names_of(has_prices)
  local names = {}
  for _, column in ipairs(columns) do
    if column.from ~= "caller" and (has_prices or column.from ~= "prices") then
      names[#names + 1] = column.name
    end
  end
  return names
end

local PLAIN, PRICED = names_of(false), names_of(true)

-- In doubles, which are exact enough for a bar; but 1000 only where nothing is locked.
local function share_of(record, locked)
  local all, free = tonumber(record.balance), tonumber(record.availableBalance)
  if all <= 0 or all == math.huge then return nil end
  local share = math.max(0, math.min(1000, math.floor(1000 * free / all)))
  return share == 1000 and locked:find "[1-9]" and 999 or share
end

local function row_of(record)
  local row = fields.copy(record)
  row.locked = records.locked(record)
  row.share = share_of(record, row.locked)
  row.percent = row.share and ("%d.%d"):format(math.floor(row.share / 10), row.share % 10)
  return row
end

-- Rows that have a price become records.value's copies of them, which it returns
-- in their order.
local function add_values(view, prices)
  local worth, at = records.value(view.rows, prices), 0
  local is_missing = rows.keyed(worth.missing)
  for i, row in ipairs(view.rows) do
    if not is_missing[row.currency] then
      at = at + 1
      view.rows[i] = worth.records[at]
    end
  end
  view.total, view.missing = tostring(worth.total), worth.missing
end

-- Rows without a value come last in both directions.
local function sort(list, key, direction)
  local others, sorted = {}, {}
  for _, row in ipairs(list) do
    table.insert(row[key] and sorted or others, row)
  end
  sorted = records.sort(sorted, key, direction)
  for _, row in ipairs(others) do
    sorted[#sorted + 1] = row
  end
  return sorted
end

---@param all bitfront.Record[]  their amounts are strings
---@param query bitfront.nginx.Query
---@param prices table<string, bitfront.Amount>?
---@return bitfront.nginx.View
function _M.of(all, query, prices)
  local view = { rows = {}, columns = prices and PRICED or PLAIN }
  for i, record in ipairs(records.filter(all, query.filter)) do
    view.rows[i] = row_of(record)
  end
  if prices then add_values(view, prices) end
  if query.sort then view.rows = sort(view.rows, query.sort, query.direction) end
  return view
end

-- ---- as text for programs ----

local function format_row(row, kind, amounts)
  return format.format({ row }, kind,
    { columns = row.value and PRICED or PLAIN, amounts = amounts })
end

local function json_row(row, amounts)
  return format_row(row, "jsonl", amounts):sub(1, -3)
    .. (',"available_percent":%s}'):format(row.percent or "null")
end

---@param site bitfront.nginx.ServeOptions
---@param view bitfront.nginx.View
---@return string
function _M.json(site, view)
  local amounts, unit = site.amounts, site.unit
  local objects, missing, members = {}, {}, {}
  for i, row in ipairs(view.rows) do objects[i] = json_row(row, amounts) end
  for i, code in ipairs(view.missing or {}) do missing[i] = text.json(code) end
  members[1] = ('"balances":[%s%s]'):format(#objects > 0 and "\n  " or "",
    table.concat(objects, ",\n  "))
  if view.total then
    members[2] = '"total":' .. (amounts == "number" and view.total or text.json(view.total))
    members[3] = '"missing":[' .. table.concat(missing, ",") .. "]"
    members[4] = unit and '"unit":' .. text.json(unit)
  end
  return "{" .. table.concat(members, ",\n") .. "}\n"
end

-- One format call for each row: the cells of price and value may be empty.
---@param view bitfront.nginx.View
---@return string
function _M.csv(_, view)
  local lines = { table.concat(view.columns, ",") }
  for _, row in ipairs(view.rows) do
    local line = format_row(row, "csv"):match "\r\n(.*)\r\n$"
    lines[#lines + 1] = line .. (view.total and not row.value and ",," or "")
  end
  return table.concat(lines, "\r\n") .. "\r\n"
end

return _M
