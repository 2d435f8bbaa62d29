--- What the command prints: text that is safe for a terminal, and balances as
-- a table or as JSON. Amounts are strings here, with the wire's digits, and
-- are printed as they are.

local _M = {}

local COLUMNS = { "currency", "balance", "availableBalance" }

-- Characters that steer a terminal or change the order of what is read: C0,
-- DEL, C1, marks and overrides of direction, invisible characters and
-- separators of lines.
local function is_hidden(code)
  return code < 0x20 or (code >= 0x7F and code < 0xA0)
    or code == 0xAD or code == 0x61C or code == 0xFEFF
    or (code >= 0x200B and code <= 0x200F)
    or (code >= 0x2028 and code <= 0x202E)
    or (code >= 0x2060 and code <= 0x206F)
end

-- The code point of one UTF-8 character. Overlong forms come out as what they
-- hide, so they are escaped as that.
local function code_point(char)
  local lead = char:byte()
  local code = lead < 0x80 and lead or lead % 2 ^ (7 - #char)
  for i = 2, #char do
    code = code * 64 + char:byte(i) % 64
  end
  return code
end

local SEQUENCES = {
  "^[%z\1-\127]", "^[\194-\223][\128-\191]", "^[\224-\239][\128-\191][\128-\191]",
  "^[\240-\244][\128-\191][\128-\191][\128-\191]",
}

local function next_char(text, at)
  for _, sequence in ipairs(SEQUENCES) do
    local char = text:match(sequence, at)
    if char then return char end
  end
end

-- The text with every hidden character as `hide` writes it; a byte that is not
-- UTF-8 is hidden too.
local function replace_hidden(text, hide)
  if not text:find("[%z\1-\31\127-\255]") then return text end
  local parts, at = {}, 1
  while at <= #text do
    local char = next_char(text, at)
    local code = char and code_point(char) or text:byte(at)
    parts[#parts + 1] = char and not is_hidden(code) and char or hide(code)
    at = at + (char and #char or 1)
  end
  return table.concat(parts)
end

---The text with what could steer a terminal written out, as \x1B or \u{202E}.
---@param text any
---@return string
function _M.escape(text)
  return (replace_hidden(tostring(text), function(code)
    return string.format(code < 0x100 and "\\x%02X" or "\\u{%04X}", code)
  end))
end

-- lua-cjson leaves C1 and marks of direction as they are.
local function json_string(text)
  return (replace_hidden(require "cjson".encode(text), function(code)
    return string.format("\\u%04x", code)
  end))
end

local function json_record(record)
  return string.format('  {"currency":%s,"balance":%s,"availableBalance":%s}',
    json_string(record.currency), record.balance, record.availableBalance)
end

---@param balances { currency: string, balance: string, availableBalance: string }[]
---@return string  a JSON array, one record a line, amounts as JSON numbers
function _M.json(balances)
  local lines = {}
  for i, record in ipairs(balances) do
    lines[i] = json_record(record)
  end
  if #lines == 0 then return "[]\n" end
  return "[\n" .. table.concat(lines, ",\n") .. "\n]\n"
end

local function width(text)
  return #text:gsub("[\128-\191]", "") -- one for each UTF-8 character
end

local function pad(text, size, on_left)
  local space = string.rep(" ", size - width(text))
  return on_left and space .. text or text .. space
end

local function fraction_width(cell)
  local point = cell:find(".", 1, true)
  return point and #cell - point + 1 or 0
end

-- Amounts with spaces behind them, so that right-aligned their points meet.
local function align_on_point(cells)
  local widest = 0
  for _, cell in ipairs(cells) do
    widest = math.max(widest, fraction_width(cell))
  end
  for i, cell in ipairs(cells) do
    cells[i] = cell .. string.rep(" ", widest - fraction_width(cell))
  end
end

local function column(balances, name)
  local cells = {}
  for i, record in ipairs(balances) do
    cells[i] = _M.escape(record[name])
  end
  if name ~= "currency" then align_on_point(cells) end
  table.insert(cells, 1, name)
  local size = 0
  for _, cell in ipairs(cells) do
    size = math.max(size, width(cell))
  end
  for i, cell in ipairs(cells) do
    cells[i] = pad(cell, size, name ~= "currency")
  end
  return cells
end

---@param balances { currency: string, balance: string, availableBalance: string }[]
---@return string  a heading and a line for each record, aligned on the decimal point
function _M.table(balances)
  local columns, lines = {}, {}
  for i, name in ipairs(COLUMNS) do
    columns[i] = column(balances, name)
  end
  for row = 1, #balances + 1 do
    local cells = {}
    for i = 1, #columns do cells[i] = columns[i][row] end
    lines[row] = table.concat(cells, "  "):gsub(" +$", "") .. "\n"
  end
  return table.concat(lines)
end

---@param ms number
---@return string  its digits
function _M.milliseconds(ms)
  return (string.format("%.0f", ms))
end

---@param ms number  Unix time
---@return string  as 2018-05-02T05:43:21.363Z; "?" beyond the calendar
function _M.utc(ms)
  local seconds = math.floor(ms / 1000)
  local ok, text = pcall(os.date, "!%Y-%m-%dT%H:%M:%S", seconds)
  return ok and string.format("%s.%03dZ", text, math.floor(ms - seconds * 1000)) or "?"
end

return _M
