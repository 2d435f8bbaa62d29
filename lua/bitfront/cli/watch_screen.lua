--- Changes for people: on a terminal the table is drawn anew after each look, in
-- the same place, with what happened last below it. The terminal is put into no
-- mode, so however the command ends, there is nothing to put back.

local bitfront = require "bitfront"
local core = require "bitfront.core"
local streams = require "bitfront.cli.streams"
local text = require "bitfront.records.text"
local times = require "bitfront.cli.times"

local _M = {}

local Screen = {}

local EVENTS = 6 -- that are kept in view

---Whether stdout is a terminal that can move its cursor.
function _M.is_there()
  local term = os.getenv("TERM")
  return core.is_terminal() and term ~= nil and term ~= "" and term ~= "dumb"
end

-- ---- what happened ----

local function clock()
  return (times.utc(core.wall()):gsub("%.%d+", ""))
end

function Screen:note(message)
  local event = clock() .. "  " .. text.escape(message)
  table.insert(self.events, event)
  if #self.events > EVENTS then table.remove(self.events, 1) end
end

local function signed(amount)
  return (amount:sign() > 0 and "+" or "") .. tostring(amount)
end

local function moves(change)
  local parts = {}
  for _, field in ipairs { "balance", "availableBalance" } do
    if not change[field]:is_zero() then
      parts[#parts + 1] = field .. " " .. signed(change[field])
    end
  end
  return table.concat(parts, ", ")
end

function Screen:changes(account, diff)
  local whose = account.name and account.name .. ": " or ""
  for _, record in ipairs(diff.removed) do
    self:note(("%s%s is gone"):format(whose, record.currency))
  end
  for _, record in ipairs(diff.added) do
    self:note(("%s%s is new"):format(whose, record.currency))
  end
  for _, change in ipairs(diff.changed) do
    self:note(("%s%s %s"):format(whose, change.currency, moves(change)))
  end
end

-- ---- drawing ----

-- The rows that a line takes where `columns` is all there is.
local function rows_of(line, columns)
  local width = text.width((line:gsub("\27%[%d*m", "")))
  return math.max(1, math.ceil(width / columns))
end

local function height(lines, columns)
  local rows = 0
  for _, line in ipairs(lines) do rows = rows + rows_of(line, columns) end
  return rows
end

local function split(output)
  local lines = {}
  for line in output:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

-- How many of the lines there is room for.
local function count_fitting(lines, room, columns)
  for i, line in ipairs(lines) do
    room = room - rows_of(line, columns)
    if room < 0 then return i - 1 end
  end
  return #lines
end

-- The table, less the lines at its end for which there is no room.
local function fit(lines, room, columns)
  if count_fitting(lines, room, columns) == #lines then return lines end
  local shown = {}
  for i = 1, math.max(1, count_fitting(lines, room - 1, columns)) do shown[i] = lines[i] end
  shown[#shown + 1] = ("(%d more)"):format(#lines - #shown)
  return shown
end

local function below_table(self, pause, failing)
  local lines = { "" }
  for _, event in ipairs(self.events) do lines[#lines + 1] = event end
  lines[#lines + 1] = ("%s  %sagain in %s s; Ctrl-C ends it")
    :format(clock(), failing and "the last look failed; " or "",
      tostring(bitfront.decimal(pause)))
  return lines
end

-- All that is to be seen: in one row less than there are, since the cursor is
-- below it.
local function view(self, records, foot, columns, rows)
  while #foot > 1 and height(foot, columns) > rows - 3 do table.remove(foot, 1) end
  local lines = fit(split(bitfront.format(records, "table", {
    columns = self.columns, places = self.places, color = true,
  })), rows - 1 - height(foot, columns), columns)
  for _, line in ipairs(foot) do lines[#lines + 1] = line end
  while #lines > 1 and height(lines, columns) > rows - 1 do table.remove(lines, 1) end
  return lines
end

function Screen:looked(records, pause, failing)
  local columns, rows = core.terminal_size()
  columns, rows = columns or 80, rows or 24
  local up = height(self.drawn, columns)
  self.drawn = view(self, records, below_table(self, pause, failing), columns, rows)
  streams.write((up > 0 and ("\27[%dA\r\27[J"):format(up) or "")
    .. table.concat(self.drawn, "\n") .. "\n")
end

---@param args table
---@param wanted bitfront.cli.Selection
function _M.new(args, wanted)
  io.stdout:setvbuf("full") -- each view in one piece
  return setmetatable({
    columns = wanted.columns, places = args.places, events = {}, drawn = {},
  }, { __index = Screen })
end

return _M
