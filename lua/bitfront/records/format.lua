--- Balance records as text: for people, spreadsheets, programs and monitoring.
--- Every digit that is shown is exact, and no amount has an exponent.

local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local fields = require "bitfront.records.fields"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local rows = require "bitfront.rows"
local text = require "bitfront.records.text"

local _M = {}

-- ---- options ----

-- What is wrong with the columns that are asked for. They are an object's members
-- in JSON, and what programs find the cells of a CSV file by: each has to be there
-- once.
local function message_of_names(names)
  local seen = {}
  for _, name in ipairs(names) do
    local column = columns[name]
    if not column or column.name ~= name then
      return ('there is no column "%s"%s'):format(tostring(name),
        check.did_you_mean(name, columns))
    elseif seen[name] then
      return name .. " is named twice"
    end
    seen[name] = true
  end
  return #names == 0 and "at least one is needed"
end

local function are_columns(names)
  local expected = "an array of names of columns"
  if not check.is_array(names) then
    return false, expected .. ", without holes and other keys"
  end
  local message = message_of_names(names)
  return not message, message and expected .. ": " .. message
end

-- Marks that nobody takes for a digit, a decimal point or a sign: the last four
-- are U+2019 and the spaces U+00A0, U+2009 and U+202F.
local MARKS = {
  [","] = true, ["'"] = true, ["_"] = true, [" "] = true,
  ["\226\128\153"] = true, ["\194\160"] = true, ["\226\128\137"] = true,
  ["\226\128\175"] = true,
}

local function is_mark(mark)
  return type(mark) == "boolean" or MARKS[mark] == true,
    "true, a comma, an apostrophe, a space or _"
end

---@class bitfront.FormatOptions
---@field columns? string[]  which columns, in which order, each once; default those of the reply
---@field places? integer  decimals to show; what has more is cut off, towards zero, and marked with ~
---@field thousands? string|boolean  what to put between groups of three digits; true is ","
---@field color? boolean  colours, if standard output is a terminal and NO_COLOR is not set
---@field amounts? "number"|"string"  how amounts are written; default "number"

---@type table<string, bitfront.OptionRow>
_M.options = {
  columns = { check = are_columns, default = rows.names(columns, { from = "reply" }) },
  places = { check = check.whole(0, 400) },
  thousands = { check = is_mark },
  color = { check = check.boolean },
  amounts = { check = check.one_of("number", "string"), default = "number" },
}

-- ---- cells ----

local cell_of = { text = fields.text_of }

-- The difference of two numbers is as short as numbers are: 980, where that of
-- two texts with a decimal each is 980.0.
function cell_of.amount(record, name, where)
  local column = columns[name]
  if column.from ~= "difference" then
    return fields.to_decimal(record, name, where)
  end
  local amount = fields.difference(record, name, where)
  local digits = tostring(amount)
  if type(record[column.minuend]) == "number" and digits:find "%." then
    return native.decimal((digits:gsub("%.?0+$", "")))
  end
  return amount
end

-- The cells of each record, in the order of the columns, written by `write.text`
-- and `write.amount`; with `line`, what that makes of the cells.
local function each_written(records, shown, write, line)
  local lines, where = {}, { call = "format", list = "records" }
  for i, record in fields.each(records, where) do
    local cells = {}
    for j, column in ipairs(shown) do
      local kind = column.kind
      cells[j] = write[kind](cell_of[kind](record, column.name, where))
    end
    lines[i] = line and line(cells) or cells
  end
  return lines
end

-- ---- table and markdown ----

local function group_thousands(digits, mark)
  local sign, whole, rest = digits:match("^(%-?)(%d+)(.*)$")
  local first = (#whole - 1) % 3 + 1
  local groups = whole:sub(first + 1):gsub("%d%d%d", mark .. "%0")
  return sign .. whole:sub(1, first) .. groups .. rest
end

--- An amount's digits, as the options want them for people.
---@param options bitfront.FormatOptions
function _M.display(amount, options)
  local digits, cut = tostring(amount), ""
  local point = digits:find "%." or #digits
  if options.places and #digits - point > options.places then
    local rounded = amount:round(options.places)
    cut = rounded == amount and "" or "~"
    digits = tostring(rounded)
  end
  if options.thousands then
    digits = group_thousands(digits,
      options.thousands == true and "," or options.thousands)
  end
  return cut .. digits
end

local function displayed(options)
  return function(amount) return _M.display(amount, options) end
end

local function fraction_width(cell)
  local point = cell:find("%.%d*$")
  return point and #cell - point + 1 or 0
end

-- Makes the cells of a column, the first of which is its name, equally wide.
-- Texts are aligned on the left, amounts on their points.
local function align(grid, i, is_text)
  local fraction, widest = 0, 0
  for row = 2, is_text and 0 or #grid do
    fraction = math.max(fraction, fraction_width(grid[row][i]))
  end
  for row, cells in ipairs(grid) do
    if row > 1 and not is_text then
      cells[i] = cells[i] .. (" "):rep(fraction - fraction_width(cells[i]))
    end
    widest = math.max(widest, text.width(cells[i]))
  end
  for _, cells in ipairs(grid) do
    local space = (" "):rep(widest - text.width(cells[i]))
    cells[i] = is_text and cells[i] .. space or space .. cells[i]
  end
end

local function has_color(options)
  local refused = os.getenv "NO_COLOR"
  return options.color and (refused == nil or refused == "")
    and os.getenv "TERM" ~= "dumb" and native.is_terminal()
end

-- Names bold, zeros dim.
local function paint(grid, shown)
  for row, cells in ipairs(grid) do
    for i, cell in ipairs(cells) do
      if row == 1 then
        cells[i] = "\27[1m" .. cell .. "\27[0m"
      elseif shown[i].kind == "amount" and not cell:find "[1-9~]" then
        cells[i] = "\27[2m" .. cell .. "\27[0m"
      end
    end
  end
end

local function as_table(records, shown, options)
  local grid = each_written(records, shown,
    { text = text.escape, amount = displayed(options) })
  table.insert(grid, 1, rows.names(shown))
  for i, column in ipairs(shown) do
    align(grid, i, column.kind == "text")
  end
  if has_color(options) then paint(grid, shown) end
  for row, cells in ipairs(grid) do
    grid[row] = (table.concat(cells, "  "):match("^.*[^ ]") or "") .. "\n"
  end
  return table.concat(grid)
end

local function markdown_line(cells)
  return "| " .. table.concat(cells, " | ") .. " |\n"
end

local function markdown_text(cell)
  return (text.escape(cell):gsub("[\\|`*_<>~&%[%]]", "\\%0"))
end

local function as_markdown(records, shown, options)
  local marks = {}
  for i, column in ipairs(shown) do
    marks[i] = column.kind == "text" and "---" or "---:"
  end
  return markdown_line(rows.names(shown)) .. markdown_line(marks)
    .. table.concat(each_written(records, shown,
      { text = markdown_text, amount = displayed(options) }, markdown_line))
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

local function csv_line(cells)
  return table.concat(cells, ",") .. "\r\n"
end

local function as_csv(records, shown)
  return csv_line(rows.names(shown)) .. table.concat(each_written(records,
    shown, { text = csv_text, amount = tostring }, csv_line))
end

-- ---- json ----

--- An amount in JSON: its digits, or these as a string.
---@param amount bitfront.Decimal
---@param options bitfront.FormatOptions
---@return string
function _M.json_amount(amount, options)
  local digits = tostring(amount)
  return options.amounts == "string" and '"' .. digits .. '"' or digits
end

local function json_objects(records, shown, options)
  local write = { text = text.json,
    amount = function(amount) return _M.json_amount(amount, options) end }
  return each_written(records, shown, write, function(cells)
    for i, column in ipairs(shown) do
      cells[i] = ('"%s":%s'):format(column.name, cells[i])
    end
    return "{" .. table.concat(cells, ",") .. "}"
  end)
end

local function as_json(records, shown, options)
  local objects = json_objects(records, shown, options)
  return #objects == 0 and "[]"
    or "[\n  " .. table.concat(objects, ",\n  ") .. "\n]"
end

local function as_jsonl(records, shown, options)
  local objects = json_objects(records, shown, options)
  return #objects == 0 and "" or table.concat(objects, "\n") .. "\n"
end

-- ---- prometheus ----

local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

--- A label of Prometheus' format. A newline has its own escape; whatever else is hidden is
--- written out.
---@return string
function _M.label(name, value)
  if value:find "^[A-Za-z0-9_.-]+$" then return name .. '="' .. value .. '"' end
  local clean = value:gsub("[^\n]+", text.escape)
  return ('%s="%s"'):format(name, (clean:gsub('[\\"\n]', ESCAPES)))
end

local function labels_of(record, account, where)
  account = account or record.account and fields.text_of(record, "account", where)
  return (account and _M.label("account", account) .. "," or "")
    .. _M.label("currency", fields.text_of(record, "currency", where))
end

-- The columns that are samples, and the label of each.
local STATES, STATE_LABELS = {}, {}
for _, column in ipairs(columns) do
  if column.state then
    STATES[#STATES + 1] = column.name
    STATE_LABELS[#STATES] = (',state="%s"'):format(column.state)
  end
end

-- A decimal; or a text that is what the decimal's would be, since making one is most of
-- the work where there are many accounts.
local function sample_of(record, name, where)
  local value = record[name]
  local is_text = type(value) == "string"
    and (value:find "^[1-9]%d*$" or value:find "^[1-9]%d*%.%d+$" or value:find "^0%.%d+$")
  return is_text and value or cell_of.amount(record, name, where)
end

-- A series may come once only, so records with the same labels are added up.
local function add_to_series(series, labels, amount)
  local known = series.of[labels]
  if known == nil then
    series.of[labels] = amount
    series[#series + 1] = labels
  else
    local sum = series.sums[labels] or native.sum()
    if not series.sums[labels] then sum:add(known) end
    sum:add(amount)
    series.sums[labels] = sum
  end
end

--- The samples of bitfront_balance, without the lines that describe the metric.
---@param records bitfront.Record[]
---@param account string?  whose they are; none: each record says it, or nobody does
---@return string
function _M.samples(records, account)
  local series, lines = { of = {}, sums = {} }, {}
  local where = { call = "format", list = "records" }
  for _, record in fields.each(records, where) do
    local labels = labels_of(record, account, where)
    for i = 1, #STATES do
      add_to_series(series, labels .. STATE_LABELS[i], sample_of(record, STATES[i], where))
    end
  end
  for i = 1, #series do
    local labels = series[i]
    local sum = series.sums[labels]
    lines[i] = "bitfront_balance{" .. labels .. "} "
      .. tostring(sum and sum:total() or series.of[labels]) .. "\n"
  end
  return table.concat(lines)
end

--- The lines before the samples of a metric of Prometheus' format.
---@return string
function _M.metric_head(name, kind, help)
  return ("# HELP %s %s\n# TYPE %s %s\n"):format(name, help, name, kind)
end

--- Those before what `samples` returns.
_M.BALANCE_HEAD = _M.metric_head("bitfront_balance", "gauge",
  "Balance of the account, by coin and state.")

local function as_prometheus(records)
  return _M.BALANCE_HEAD .. _M.samples(records)
end

-- ---- all of them ----

---@class bitfront.Format
---@field name string
---@field render fun(records, columns: bitfront.Column[], options: bitfront.FormatOptions): string
---@field options table<string, string>  the names of the options that it takes, also as an array
---@field media? string  its Content-Type, where HTTP has one

---@alias bitfront.FormatKind "table"|"json"|"csv"|"jsonl"|"markdown"|"prometheus"

---@type bitfront.Format[]
_M.kinds = rows.keyed {
  { name = "table", render = as_table,
    options = rows.keyed { "columns", "places", "thousands", "color" } },
  { name = "json", render = as_json, media = "application/json",
    options = rows.keyed { "columns", "amounts" } },
  { name = "csv", render = as_csv, options = rows.keyed { "columns" },
    media = "text/csv; charset=utf-8; header=present" },
  { name = "jsonl", render = as_jsonl,
    options = rows.keyed { "columns", "amounts" } },
  { name = "markdown", render = as_markdown,
    options = rows.keyed { "columns", "places", "thousands" } },
  { name = "prometheus", render = as_prometheus, options = {},
    media = "text/plain; version=0.0.4; charset=utf-8" },
}

local function check_options(options, kind)
  check.options("bitfront.format", options, _M.options)
  for name in pairs(options) do
    if not kind.options[name] then
      raise('bitfront.format: %s has no option "%s"', kind.name, name)
    end
  end
end

--- The records as text. Lines end with a newline, in CSV with CR LF; JSON is one
--- value without a newline behind it.
---@param records bitfront.Record[]
---@param kind bitfront.FormatKind
---@param options? bitfront.FormatOptions
---@return string
function _M.format(records, kind, options, ...)
  check.arguments("bitfront.format", records, ...)
  check.known("bitfront.format", "format", kind, _M.kinds)
  local format, shown = _M.kinds[kind], {}
  options = options == nil and {} or options
  check_options(options, format)
  for i, name in ipairs(options.columns or _M.options.columns.default) do
    shown[i] = columns[name]
  end
  return format.render(records, shown, options)
end

return _M
