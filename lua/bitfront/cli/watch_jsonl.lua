--- Changes for programs: one line of JSON each on stdout, trouble on stderr.

local core = require "bitfront.core"
local streams = require "bitfront.cli.streams"
local text = require "bitfront.records.text"
local times = require "bitfront.cli.times"

local _M = {}

local Lines = {}

local function amounts(record)
  return ('{"balance":%s,"availableBalance":%s}'):format(
    tostring(record.balance), tostring(record.availableBalance))
end

-- A member of an object for each name and record that there is.
local function members(names, records)
  local parts = {}
  for i, name in ipairs(names) do
    if records[i] then parts[#parts + 1] = (',"%s":%s'):format(name, amounts(records[i])) end
  end
  return table.concat(parts)
end

local NAMES = { "before", "after", "by" }

local function write(account, change, code, before, after, by)
  streams.write(('{"time":"%s"%s,"change":"%s","currency":%s%s}\n'):format(
    times.utc(core.wall()),
    account.name and ',"account":' .. text.json(account.name) or "", change,
    text.json(code), members(NAMES, { before or false, after or false, by or false })))
end

function Lines:changes(account, diff) -- luacheck: no self
  for _, record in ipairs(diff.removed) do
    write(account, "removed", record.currency, record)
  end
  for _, record in ipairs(diff.added) do
    write(account, "added", record.currency, nil, record)
  end
  for _, change in ipairs(diff.changed) do
    write(account, "changed", change.currency, change.before, change.after, change)
  end
end

function Lines:note(message) -- luacheck: no self
  streams.say(message)
end

function Lines:looked() end -- luacheck: no self

function _M.new()
  return setmetatable({}, { __index = Lines })
end

return _M
