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
---@field account string?  where there are several
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

local function names_of(has_prices, has_account)
  local names = {}
  for _, column in ipairs(columns) do
    if (has_account or column.from ~= "caller") and (has_prices or column.from ~= "prices") then
      names[#names + 1] = column.name
    end
  end
  return names
end

-- By whether there are prices, and whether there are several accounts.
local NAMES = {
  [true] = { [true] = names_of(true, true), [false] = names_of(true, false) },
  [false] = { [true] = names_of(false, true), [false] = names_of(false, false) },
}

-- Lua 5.4.4 compiles NAMES[price ~= nil] wrongly: the index has to be a variable.
local function names_for(has_prices, has_account)
  return NAMES[has_prices][has_account]
end

-- In doubles, which are exact enough for a bar; but 1000 only where nothing is locked.
local function share_of(record, locked)
  local all, free = tonumber(record.balance), tonumber(record.availableBalance)
  if all <= 0 or all == math.huge then return nil end
  local share = math.max(0, math.min(1000, math.floor(1000 * free / all)))
  return share == 1000 and locked:find "^[%d.]*[1-9]" and 999 or share
end

local function row_of(record, account)
  local row = fields.copy(record)
  row.account = account
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
---@param account string?  whose they are, where there are several
---@return bitfront.nginx.View
function _M.of(all, query, prices, account)
  local view = { rows = {}, columns = names_for(prices ~= nil, account ~= nil) }
  for i, record in ipairs(records.filter(all, query.filter)) do
    view.rows[i] = row_of(record, account)
  end
  if prices then add_values(view, prices) end
  if query.sort then view.rows = sort(view.rows, query.sort, query.direction) end
  return view
end

-- ---- as text for programs ----

local function format_row(row, kind, amounts)
  return format.format({ row }, kind,
    { columns = names_for(row.value ~= nil, row.account ~= nil), amounts = amounts })
end

local function json_row(row, amounts)
  return format_row(row, "jsonl", amounts):sub(1, -3)
    .. (',"available_percent":%s}'):format(row.percent or "null")
end

--- The objects of a section's rows, which json puts together.
---@param site bitfront.nginx.ServeOptions
---@param section bitfront.nginx.Section
---@return string
function _M.json_rows(site, section)
  local objects = {}
  for i, row in ipairs(section.view and section.view.rows or {}) do
    objects[i] = json_row(row, site.amounts)
  end
  return table.concat(objects, ",\n  ")
end

local function json_array(name, items)
  return ('"%s":[%s%s]'):format(name, items ~= "" and "\n  " or "", items)
end

-- The total and what it lacks, as members.
local function add_total(members, view, amounts)
  if not (view and view.total) then return end
  local missing = {}
  for i, code in ipairs(view.missing) do missing[i] = text.json(code) end
  members[#members + 1] = '"total":'
    .. (amounts == "number" and view.total or text.json(view.total))
  members[#members + 1] = '"missing":[' .. table.concat(missing, ",") .. "]"
end

-- What there is of an account, beside its balances.
local function json_account(section, amounts)
  local members = {
    '"account":' .. text.json(section.account),
    ('"freshness":"%s"'):format(section.freshness or "none"),
  }
  if section.made then
    members[3] = ('"as_of":"%s"'):format(os.date("!%Y-%m-%dT%H:%M:%SZ", section.made))
  end
  if section.err then
    members[#members + 1] = '"error":' .. text.json(section.err.kind)
  end
  add_total(members, section.view, amounts)
  return "{" .. table.concat(members, ",") .. "}"
end

-- With several accounts, the first section is of all together.
local function add_accounts(members, sections, parts, amounts)
  local objects, accounts = {}, {}
  for i = 2, #sections do
    objects[#objects + 1] = parts[i] ~= "" and parts[i] or nil
    accounts[i - 1] = json_account(sections[i], amounts)
  end
  members[1] = json_array("balances", table.concat(objects, ",\n  "))
  members[2] = json_array("accounts", table.concat(accounts, ",\n  "))
  members[3] = json_array("all", parts[1])
end

---@param site bitfront.nginx.ServeOptions
---@param sections bitfront.nginx.Section[]
---@param parts string[]  what json_rows made of each
---@return string
function _M.json(site, sections, _, parts)
  local members, view = {}, sections[1].view
  if sections[2] then
    add_accounts(members, sections, parts, site.amounts)
  else
    members[1] = json_array("balances", parts[1])
  end
  add_total(members, view, site.amounts)
  if view.total and site.unit then members[#members + 1] = '"unit":' .. text.json(site.unit) end
  return "{" .. table.concat(members, ",\n") .. "}\n"
end

--- The lines of a section's rows. One format call for each row: the cells of price and
--- value may be empty.
---@param section bitfront.nginx.Section
---@return string
function _M.csv_rows(_, section)
  local lines, view = {}, section.view
  for i, row in ipairs(view and view.rows or {}) do
    local line = format_row(row, "csv"):match "\r\n(.*)\r\n$"
    lines[i] = line .. (view.total and not row.value and ",," or "") .. "\r\n"
  end
  return table.concat(lines)
end

--- A table of the accounts' rows: those of all together are not among them.
---@param sections bitfront.nginx.Section[]
---@param parts string[]  what csv_rows made of each
---@return string
function _M.csv(_, sections, _, parts)
  local first = sections[2] and 2 or 1
  local names = names_for(sections[1].view.total ~= nil, sections[2] ~= nil)
  return table.concat(names, ",") .. "\r\n" .. table.concat(parts, "", first)
end

return _M
