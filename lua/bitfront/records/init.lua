--- What people do with balances: pick, order, add up, compare, show. All of it is
--- exact, whichever way the amounts came: a number stands for the shortest text
--- that reads back to it, a string for its digits. Nothing here changes what it
--- is given.

local check = require "bitfront.check"
local fields = require "bitfront.records.fields"
local filter = require "bitfront.records.filter"
local format = require "bitfront.records.format"
local sort = require "bitfront.records.sort"
local totals = require "bitfront.records.totals"

-- All of it becomes the package's own: bitfront.filter and so on.
local _M = {
  filter = filter.filter, nonzero = filter.nonzero, find = filter.find,
  sort = sort.sort, format = format.format,
  by_currency = totals.by_currency, total = totals.total,
  value = totals.value, diff = totals.diff,
}

--- What is locked in orders: balance less availableBalance, as a number, a
--- string or a decimal, as the record has them; a decimal for a mixture.
---@param record bitfront.Record
---@return bitfront.Amount
function _M.locked(record, ...)
  check.arguments("bitfront.locked", record, ...)
  local where = { call = "locked", list = "record" }
  fields.check_type(record, "table", where)
  return fields.like(fields.difference(record, "locked", where),
    record.balance, record.availableBalance)
end

return _M
