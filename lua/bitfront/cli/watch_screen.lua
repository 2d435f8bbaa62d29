--- Changes for people: on a terminal the table is drawn again after each update, in
-- the same place, with the last events below it. The terminal is put into no mode,
-- so however the command ends, there is nothing to restore.

local bitfront = require "bitfront"
local columns = require "bitfront.records.columns"
local core = require "bitfront.core"
local rows = require "bitfront.rows"
local streams = require "bitfront.cli.streams"
local text = require "bitfront.records.text"

local _M = {}

local View = {}
View.__index = View

local EVENTS = 6 -- that are shown
local AMOUNTS = rows.names(columns, { from = "reply", kind = "amount" })

---Whether stdout is a terminal that can move its cursor.
function _M.is_there()
  local term = os.getenv("TERM")
  return core.is_terminal() and term ~= nil and term ~= "" and term ~= "dumb"
end

-- ---- what happened ----

local function clock()
  return (text.utc(core.wall()):gsub("%.%d+", ""))
end

function View:note(message)
  local event = clock() .. "  " .. text.escape(message)
  table.insert(self.events, event)
  if #self.events > EVENTS then table.remove(self.events, 1) end
end

local function signed(amount)
  return (amount:sign() > 0 and "+" or "") .. tostring(amount)
end

local function amounts_of(difference)
  local parts = {}
  for _, field in ipairs(AMOUNTS) do
    if not difference[field]:is_zero() then
      parts[#parts + 1] = field .. " " .. signed(difference[field])
    end
  end
  return table.concat(parts, ", ")
end

local EVENT = { removed = "is gone", added = "is new" }

function View:change(account, kind, before, after, difference)
  self:note(("%s%s %s"):format(account.name and account.name .. ": " or "",
    (before or after).currency, EVENT[kind] or amounts_of(difference)))
end

-- ---- drawing ----

-- The terminal's rows that a line takes; `width` is the terminal's.
local function rows_of(line, width)
  return math.max(1, math.ceil(text.width((line:gsub("\27%[%d*m", ""))) / width))
end

local function height(lines, width)
  local sum = 0
  for _, line in ipairs(lines) do sum = sum + rows_of(line, width) end
  return sum
end

local function split(output)
  local lines = {}
  for line in output:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

-- The lines, less those at the end for which there is no room.
local function fit(lines, room, width)
  if height(lines, width) <= room then return lines end
  local shown = {}
  for i, line in ipairs(lines) do
    room = room - rows_of(line, width)
    if i > 1 and room < 1 then break end -- the last row tells how many are missing
    shown[i] = line
  end
  shown[#shown + 1] = ("(%d more)"):format(#lines - #shown)
  return shown
end

local function below_table(self, pause, is_failing)
  local lines = { "" }
  for _, event in ipairs(self.events) do lines[#lines + 1] = event end
  lines[#lines + 1] = ("%s  %sagain in %s s; Ctrl-C ends it")
    :format(clock(), is_failing and "the last call failed; " or "",
      tostring(bitfront.decimal(pause)))
  return lines
end

-- Removes first lines where there is no room for all.
local function trim(lines, room, width)
  while #lines > 1 and height(lines, width) > room do table.remove(lines, 1) end
end

-- All lines, in one row less than there are, since the cursor is below them.
local function lines_of(self, records, foot, width, room)
  trim(foot, room - 2, width)
  local lines = fit(split(bitfront.format(records, "table", {
    columns = self.columns, places = self.places, color = true,
  })), room - height(foot, width), width)
  for _, line in ipairs(foot) do lines[#lines + 1] = line end
  trim(lines, room, width)
  return lines
end

function View:update(records, pause, is_failing)
  local width, screen_rows = core.terminal_size()
  width, screen_rows = width or 80, screen_rows or 24
  local up = height(self.lines, width)
  self.lines = lines_of(self, records, below_table(self, pause, is_failing), width,
    screen_rows - 1)
  streams.write((up > 0 and ("\27[%dA\r\27[J"):format(up) or "")
    .. table.concat(self.lines, "\n") .. "\n")
end

---@return bitfront.cli.View
function _M.new(args, selected)
  io.stdout:setvbuf("full") -- each update in one piece
  return setmetatable({
    columns = selected.columns, places = args.places, events = {}, lines = {},
  }, View)
end

return _M
