--- What a query shows of the balances: rows in their order, what they are worth.

local format = require "bitfront.records.format"
local records = require "bitfront.records"
local text = require "bitfront.records.text"

local _M = {}

local AMOUNTS = { "balance", "availableBalance", "locked" }

---@class bitfront.nginx.Row: bitfront.Record  its amounts are strings of plain digits
---@field locked string
---@field price string?
---@field value string?
---@field share integer?  how much is available, in thousandths; nil where there is nothing, or more than a double holds

---@class bitfront.nginx.View
---@field rows bitfront.nginx.Row[]
---@field total string?  where there are prices
---@field missing string[]?  coins without one

-- Doubles will do to draw a bar. All of it is available, or some is not: that
-- is exact.
local function share_of(record, locked)
  local all, free = tonumber(record.balance), tonumber(record.availableBalance)
  if all <= 0 or all == math.huge then return nil end
  local share = math.max(0, math.min(1000, math.floor(1000 * free / all)))
  return share == 1000 and locked:find "[1-9]" and 999 or share
end

local function row_of(record)
  local locked = records.locked(record)
  return {
    currency = record.currency, balance = record.balance,
    availableBalance = record.availableBalance, locked = locked,
    share = share_of(record, locked),
  }
end

-- Puts price and value into the rows that have one; records.value keeps those,
-- in their order.
local function add_values(view, picked, prices)
  local worth, next_one = records.value(picked, prices), 1
  for _, row in ipairs(view.rows) do
    local record = worth.records[next_one]
    if record and prices[row.currency] ~= nil then
      row.price, row.value = tostring(record.price), tostring(record.value)
      next_one = next_one + 1
    end
  end
  view.total, view.missing = tostring(worth.total), worth.missing
end

-- What has no value comes last, whichever way.
local function sort_by_value(rows, direction)
  local valued, others = {}, {}
  for _, row in ipairs(rows) do
    table.insert(row.value and valued or others, row)
  end
  valued = records.sort(valued, "value", direction)
  for _, row in ipairs(others) do
    valued[#valued + 1] = row
  end
  return valued
end

local function sort(rows, query)
  if not query.sort then return rows end
  if query.sort == "value" then
    return sort_by_value(rows, query.direction)
  end
  return records.sort(rows, query.sort, query.direction)
end

---@param all bitfront.Record[]  their amounts are strings
---@param query bitfront.nginx.Query
---@param prices table<string, bitfront.Amount>?
---@return bitfront.nginx.View
function _M.of(all, query, prices)
  local picked, view = records.filter(all, query.filter), { rows = {} }
  for i, record in ipairs(picked) do
    view.rows[i] = row_of(record)
  end
  if prices then add_values(view, picked, prices) end
  view.rows = sort(view.rows, query)
  return view
end

-- ---- as text for programs ----

local function columns_of(row)
  local columns = { "currency" }
  for _, name in ipairs(AMOUNTS) do
    columns[#columns + 1] = name
  end
  if row and row.value then
    columns[5], columns[6] = "price", "value"
  end
  return columns
end

local function percent(share)
  return ("%d.%d"):format(math.floor(share / 10), share % 10)
end

local function json_row(row, amounts)
  local object = format.format({ row }, "jsonl",
    { columns = columns_of(row), amounts = amounts })
  return object:sub(1, -3) .. ',"available_percent":'
    .. (row.share and percent(row.share) or "null") .. "}"
end

local function json_list(list, item, ...)
  local items = {}
  for i, value in ipairs(list) do
    items[i] = item(value, ...)
  end
  return items
end

---@param view bitfront.nginx.View
---@param amounts "string"|"number"
---@param unit string?
---@return string
function _M.json(view, amounts, unit)
  local rows = json_list(view.rows, json_row, amounts)
  local members = { '"balances":[' .. (#rows > 0 and "\n  " or "")
    .. table.concat(rows, ",\n  ") .. "]" }
  if view.total then
    local total = amounts == "number" and view.total or text.json(view.total)
    members[2] = '"total":' .. total
    members[3] = '"missing":['
      .. table.concat(json_list(view.missing, text.json), ",") .. "]"
    members[4] = unit and '"unit":' .. text.json(unit)
  end
  return "{" .. table.concat(members, ",\n") .. "}\n"
end

-- One format call for each row: the cells of price and value may be empty.
local function csv_row(row, valued)
  local csv = format.format({ row }, "csv", { columns = columns_of(row) })
  local line = csv:match("\r\n(.*)\r\n$")
  return line .. (valued and not row.value and ",," or "") .. "\r\n"
end

---@param view bitfront.nginx.View
---@return string
function _M.csv(view)
  local valued = view.total ~= nil
  local lines = { table.concat(columns_of({ value = valued and "" or nil }), ",")
    .. "\r\n" }
  for _, row in ipairs(view.rows) do
    lines[#lines + 1] = csv_row(row, valued)
  end
  return table.concat(lines)
end

return _M
