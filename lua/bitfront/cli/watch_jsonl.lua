--- Changes for programs: one line of JSON each on stdout, messages on stderr.

local columns = require "bitfront.records.columns"
local core = require "bitfront.core"
local format = require "bitfront.records.format"
local rows = require "bitfront.rows"
local streams = require "bitfront.cli.streams"
local text = require "bitfront.records.text"

local _M = {}

local View = {}
View.__index = View

local AMOUNTS = rows.names(columns, { from = "reply", kind = "amount" })

-- ',"name":{"balance":1,"availableBalance":1}'; "" where there is no record.
local function member(name, record, options)
  local parts = {}
  if not record then return "" end
  for i, field in ipairs(AMOUNTS) do
    parts[i] = ('"%s":%s'):format(field, format.json_amount(record[field], options))
  end
  return (',"%s":{%s}'):format(name, table.concat(parts, ","))
end

function View:change(account, kind, before, after, difference)
  streams.write(('{"time":"%s"%s,"change":"%s","currency":%s%s%s%s}\n'):format(
    text.utc(core.wall()),
    account.name and ',"account":' .. text.json(account.name) or "", kind,
    text.json((before or after).currency), member("before", before, self),
    member("after", after, self), member("by", difference, self)))
end

function View:note(message) -- luacheck: no self
  streams.say(message)
end

function View:update() end -- luacheck: no self

---@return bitfront.cli.View
function _M.new(args)
  return setmetatable({ amounts = args.amounts }, View)
end

return _M
