--- Balance records as text: for people, spreadsheets, programs and monitoring.
--- Every digit that is shown is exact, and no amount has an exponent.

local fields = require "bitfront.records.fields"
local native = require "bitfront.native"
local options_of = require "bitfront.options"
local text = require "bitfront.records.text"

local _M = {}

-- The columns there are. Text is shown as it is, amounts as digits.
local COLUMNS = {
  account = "text", currency = "text", balance = "amount",
  availableBalance = "amount", locked = "amount", price = "amount",
  value = "amount",
}
local DEFAULT_COLUMNS = { "currency", "balance", "availableBalance" }

---@class bitfront.FormatOptions
---@field columns? string[]  account, currency, balance, availableBalance, locked, price, value; default the API's three
---@field places? integer  table, markdown: decimals to show; an amount that has more is rounded down and marked with ~
---@field thousands? string|boolean  table, markdown: what to put between groups of three digits; true is ","
---@field color? boolean  table: colours, if standard output is a terminal and NO_COLOR is not set
---@field amounts? "number"|"string"  json, jsonl: how amounts are written; default "number"

-- ---- options ----

local checks = {}

-- Columns are an object's members in JSON, and what programs find the cells of
-- a CSV file by: each has to be there once.
function checks.columns(columns, place, level)
  local seen = {}
  if fields.check_array(columns, place, level + 1) == 0 then
    fields.fail(place, nil, "at least one is needed", level + 1)
  end
  for _, name in ipairs(columns) do
    if not COLUMNS[name] then
      error(('bitfront.format: there is no column "%s"%s'):format(
        tostring(name), options_of.did_you_mean(name, COLUMNS)), level + 1)
    elseif seen[name] then
      fields.fail(place, nil, name .. " is named twice", level + 1)
    end
    seen[name] = true
  end
end

function checks.places(places, place, level)
  fields.check_type(places, "number", place, level + 1)
  if places < 0 or places > 400 or places % 1 ~= 0 then
    fields.fail(place, nil, "a whole number from 0 to 400 expected", level + 1)
  end
end

-- Marks that nobody takes for a digit, a decimal point or a sign: the last four
-- are U+2019 and the spaces U+00A0, U+2009 and U+202F.
local MARKS = {
  [","] = true, ["'"] = true, ["_"] = true, [" "] = true,
  ["\226\128\153"] = true, ["\194\160"] = true, ["\226\128\137"] = true,
  ["\226\128\175"] = true,
}

function checks.thousands(mark, place, level)
  if type(mark) ~= "boolean" then
    fields.check_type(mark, "string", place, level + 1)
    if not MARKS[mark] then
      fields.fail(place, nil, "true, a comma, an apostrophe, a space or _ expected",
        level + 1)
    end
  end
end

function checks.color(wanted, place, level)
  fields.check_type(wanted, "boolean", place, level + 1)
end

function checks.amounts(how, place, level)
  if how ~= "number" and how ~= "string" then
    fields.fail(place, nil, '"number" or "string" expected', level + 1)
  end
end

local function unknown(what, name, known, level)
  error(('bitfront.format: %s "%s"%s'):format(what, tostring(name),
    options_of.did_you_mean(name, known)), level + 1)
end

local function check_options(options, kind, accepted, level)
  local place = { call = "format", list = "options" }
  fields.check_type(options, "table", place, level + 1)
  for name, value in pairs(options) do
    if not checks[name] then
      unknown("unknown option", name, checks, level + 1)
    end
    if not accepted[name] then
      unknown(kind .. " has no option", name, {}, level + 1)
    end
    place.list = name
    checks[name](value, place, level + 1)
  end
end

-- ---- cells ----

local cell_of = {}

function cell_of.text(record, name, place, level)
  local value = record[name]
  if type(value) ~= "string" then
    fields.fail(place, name, "string expected, got " .. type(value), level + 1)
  end
  return value
end

-- The difference of two numbers is as short as numbers are: 980, where that of
-- two texts with a decimal each is 980.0.
local function locked_cell(record, place, level)
  local locked = fields.locked_of(record, place, level + 1)
  local plain = tostring(locked)
  if type(record.balance) == "number" and plain:find(".", 1, true) then
    locked = native.decimal((plain:gsub("0+$", ""):gsub("%.$", "")))
  end
  return locked
end

function cell_of.amount(record, name, place, level)
  local amount
  if name == "locked" then
    amount = locked_cell(record, place, level + 1)
  else
    amount = fields.exact(record, name, place, level + 1)
  end
  return amount
end

-- Calls row(cells) for each record, the cells in the order of the columns: the
-- strings of texts, the decimals of amounts.
local function each_row(records, columns, level, row)
  local place = { call = "format", list = "records" }
  for _, record in fields.each(records, place, level + 1) do
    local cells = {}
    for i, name in ipairs(columns) do
      cells[i] = cell_of[COLUMNS[name]](record, name, place, level + 1)
    end
    row(cells)
  end
end

-- ---- table and markdown ----

local function group_thousands(plain, mark)
  local sign, whole, rest = plain:match("^(%-?)(%d+)(.*)$")
  local first = (#whole - 1) % 3 + 1
  local groups = whole:sub(first + 1):gsub("%d%d%d", function(group)
    return mark .. group
  end)
  return sign .. whole:sub(1, first) .. groups .. rest
end

--- An amount's digits, as the options want them for people.
---@param amount bitfront.Decimal
---@param options bitfront.FormatOptions
---@return string
function _M.shown(amount, options)
  local plain, cut = tostring(amount), ""
  local point = plain:find(".", 1, true) or #plain
  if options.places and #plain - point > options.places then
    local rounded = amount:round(options.places)
    cut = rounded == amount and "" or "~"
    plain = tostring(rounded)
  end
  if options.thousands then
    plain = group_thousands(plain,
      options.thousands == true and "," or options.thousands)
  end
  return cut .. plain
end

local function fraction_width(cell)
  local point = cell:find("%.%d*$")
  return point and #cell - point + 1 or 0
end

-- Amounts get spaces behind them, so that their points meet when they are moved
-- to the right.
local function align_on_point(cells)
  local widest = 0
  for _, cell in ipairs(cells) do
    widest = math.max(widest, fraction_width(cell))
  end
  for i, cell in ipairs(cells) do
    cells[i] = cell .. (" "):rep(widest - fraction_width(cell))
  end
end

-- All cells as wide as the widest and the name.
local function fill(cells, name)
  local is_text, size = COLUMNS[name] == "text", 0
  if not is_text then
    align_on_point(cells)
  end
  table.insert(cells, 1, name)
  for _, cell in ipairs(cells) do
    size = math.max(size, text.width(cell))
  end
  for i, cell in ipairs(cells) do
    local space = (" "):rep(size - text.width(cell))
    cells[i] = is_text and cell .. space or space .. cell
  end
end

-- The table's columns, each a list of cells with the name on top.
local function columns_of(records, columns, options, level)
  local lists, zeros = {}, {}
  for i in ipairs(columns) do
    lists[i], zeros[i] = {}, {}
  end
  each_row(records, columns, level + 1, function(cells)
    for i, cell in ipairs(cells) do
      local is_text = COLUMNS[columns[i]] == "text"
      table.insert(lists[i], is_text and text.escape(cell)
        or _M.shown(cell, options))
      table.insert(zeros[i], not is_text and cell:is_zero())
    end
  end)
  for i, name in ipairs(columns) do
    fill(lists[i], name)
  end
  return lists, zeros
end

local function wants_color(options)
  local refused = os.getenv "NO_COLOR"
  return options.color and (refused == nil or refused == "")
    and os.getenv "TERM" ~= "dumb" and native.is_terminal()
end

-- Names bold, zeros dim.
local function paint(lists, zeros)
  for i, cells in ipairs(lists) do
    cells[1] = "\27[1m" .. cells[1] .. "\27[0m"
    for row = 2, #cells do
      if zeros[i][row - 1] then
        cells[row] = "\27[2m" .. cells[row] .. "\27[0m"
      end
    end
  end
end

local formats = {}

function formats.table(records, columns, options, level)
  local lists, zeros = columns_of(records, columns, options, level + 1)
  local lines = {}
  if wants_color(options) then
    paint(lists, zeros)
  end
  for row = 1, #(lists[1] or {}) do
    local cells = {}
    for i = 1, #lists do
      cells[i] = lists[i][row]
    end
    lines[row] = (table.concat(cells, "  "):match("^.*[^ ]") or "") .. "\n"
  end
  return table.concat(lines)
end

local function markdown_row(cells)
  return "| " .. table.concat(cells, " | ") .. " |\n"
end

function formats.markdown(records, columns, options, level)
  local marks, lines = {}, {}
  for i, name in ipairs(columns) do
    marks[i] = COLUMNS[name] == "text" and "---" or "---:"
  end
  lines[1], lines[2] = markdown_row(columns), markdown_row(marks)
  each_row(records, columns, level + 1, function(cells)
    for i, name in ipairs(columns) do
      cells[i] = COLUMNS[name] == "text"
        and text.escape(cells[i]):gsub("[\\|`*_<>~&%[%]]", "\\%0")
        or _M.shown(cells[i], options)
    end
    lines[#lines + 1] = markdown_row(cells)
  end)
  return table.concat(lines)
end

-- ---- csv ----

-- Line ends are quoted, and what separates cells in other places; whatever else
-- is hidden is written out, since files are shown on terminals too.
local function csv_text(cell)
  cell = cell:gsub("[^\t\r\n]+", text.escape)
  if text.is_formula(cell) then
    cell = "'" .. cell
  end
  if cell:find('[",;\t\r\n]') then
    cell = '"' .. cell:gsub('"', '""') .. '"'
  end
  return cell
end

function formats.csv(records, columns, _, level)
  local lines = { table.concat(columns, ",") .. "\r\n" }
  each_row(records, columns, level + 1, function(cells)
    for i, name in ipairs(columns) do
      cells[i] = COLUMNS[name] == "text" and csv_text(cells[i])
        or tostring(cells[i])
    end
    lines[#lines + 1] = table.concat(cells, ",") .. "\r\n"
  end)
  return table.concat(lines)
end

-- ---- json ----

local function json_objects(records, columns, options, level)
  local objects = {}
  each_row(records, columns, level + 1, function(cells)
    for i, name in ipairs(columns) do
      local value = tostring(cells[i])
      if COLUMNS[name] == "text" or options.amounts == "string" then
        value = text.json(value)
      end
      cells[i] = ('"%s":%s'):format(name, value)
    end
    objects[#objects + 1] = "{" .. table.concat(cells, ",") .. "}"
  end)
  return objects
end

function formats.json(records, columns, options, level)
  local objects = json_objects(records, columns, options, level + 1)
  return #objects == 0 and "[]"
    or "[\n  " .. table.concat(objects, ",\n  ") .. "\n]"
end

function formats.jsonl(records, columns, options, level)
  local objects = json_objects(records, columns, options, level + 1)
  return #objects == 0 and "" or table.concat(objects, "\n") .. "\n"
end

-- ---- prometheus ----

local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

local STATES = {
  { "total", "balance" }, { "available", "availableBalance" },
  { "locked", "locked" },
}

-- A newline has its own escape; whatever else is hidden is written out.
local function label(name, value)
  local clean = value:gsub("[^\n]+", text.escape)
  return ('%s="%s"'):format(name, (clean:gsub('[\\"\n]', ESCAPES)))
end

local function labels_of(record, place, level)
  local account = record.account
    and label("account", cell_of.text(record, "account", place, level + 1))
  return (account and account .. "," or "")
    .. label("currency", fields.code_of(record, place, level + 1))
end

-- A series may come once only, so records with the same labels are added up.
local function add_to_series(series, labels, amount)
  local sum = series.of[labels]
  if not sum then
    sum = native.sum()
    series.of[labels] = sum
    series[#series + 1] = labels
  end
  sum:add(amount)
end

local PROMETHEUS_HEAD = [[
# HELP bitfront_balance Balance of the account, by coin and state.
# TYPE bitfront_balance gauge
]]

function formats.prometheus(records, _, _, level)
  local series, lines = { of = {} }, { PROMETHEUS_HEAD }
  local place = { call = "format", list = "records" }
  for _, record in fields.each(records, place, level + 1) do
    local labels = labels_of(record, place, level + 1)
    for _, state in ipairs(STATES) do
      add_to_series(series, labels .. "," .. label("state", state[1]),
        cell_of.amount(record, state[2], place, level + 1))
    end
  end
  for i, labels in ipairs(series) do
    lines[i + 1] = ("bitfront_balance{%s} %s\n"):format(labels,
      tostring(series.of[labels]:total()))
  end
  return table.concat(lines)
end

-- ---- all of them ----

-- The options that each format takes.
local ACCEPTED = {
  table = { columns = 1, places = 1, thousands = 1, color = 1 },
  markdown = { columns = 1, places = 1, thousands = 1 },
  csv = { columns = 1 },
  json = { columns = 1, amounts = 1 },
  jsonl = { columns = 1, amounts = 1 },
  prometheus = {},
}

_M.options = { places = { check = require "bitfront.check".whole(0, 400) } }
_M.display = _M.shown

local keyed = require "bitfront.rows".keyed
_M.kinds = keyed {
  { name = "table", options = keyed { "columns", "places", "thousands", "color" } },
  { name = "json", options = keyed { "columns", "amounts" } },
  { name = "csv", options = keyed { "columns" } },
  { name = "jsonl", options = keyed { "columns", "amounts" } },
  { name = "markdown", options = keyed { "columns", "places", "thousands" } },
  { name = "prometheus", options = {} },
}

--- The records as text. Lines end with a newline, in CSV with CR LF; JSON is one
--- value without a newline behind it.
---@param records bitfront.Record[]
---@param kind "table"|"csv"|"json"|"jsonl"|"markdown"|"prometheus"
---@param options? bitfront.FormatOptions
---@return string
function _M.format(records, kind, options, ...)
  options_of.no_more("bitfront.format", 2, ...)
  if not formats[kind] then
    unknown("unknown format", kind, formats, 2)
  end
  check_options(options or {}, kind, ACCEPTED[kind], 2)
  local columns = options and options.columns or DEFAULT_COLUMNS
  return (formats[kind](records, columns, options or {}, 2))
end

return _M
