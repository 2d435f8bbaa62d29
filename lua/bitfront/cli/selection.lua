--- Which records are shown, in which order, with which columns: what the options
-- of `balances` and `watch` have in common.

local bitfront = require "bitfront"
local prices = require "bitfront.cli.prices"
local streams = require "bitfront.cli.streams"

local _M = {}

---@class bitfront.cli.Selection
---@field filter bitfront.Filter
---@field columns string[]
---@field prices? table<string, string>
---@field sort? bitfront.SortKey
---@field direction "asc"|"desc"

local function columns_of(args)
  if args.columns then return args.columns end
  local columns = { "currency", "balance", "availableBalance" }
  if #args.profile > 1 and not args.total then table.insert(columns, 1, "account") end
  if args.locked then columns[#columns + 1] = "locked" end
  if args.value then
    columns[#columns + 1] = "price"
    columns[#columns + 1] = "value"
  end
  return columns
end

local function minimum_of(args)
  local least, message = args.min, nil
  if least then least, message = bitfront.decimal(least) end
  if message then streams.stop(streams.MISUSED, "--min: " .. message) end
  return least
end

local function prices_of(args)
  local known, message = args.value, nil
  if known then known, message = prices.read(known) end
  if message then streams.stop(streams.FAILED, message) end
  return known
end

---What the options ask for; ends the command where they cannot be followed.
---@param args table
---@return bitfront.cli.Selection
function _M.new(args)
  return {
    filter = {
      currencies = args.currency, min = minimum_of(args),
      nonzero = args.nonzero, locked = args.locked,
    },
    columns = columns_of(args),
    prices = prices_of(args),
    sort = args.sort, direction = args.desc and "desc" or "asc",
  }
end

---@param records bitfront.Record[]
---@param selection bitfront.cli.Selection
---@return bitfront.Record[] picked
---@return bitfront.Value? worth  where there are prices
function _M.pick(records, selection)
  local picked, worth = bitfront.filter(records, selection.filter), nil
  if selection.prices then
    worth = bitfront.value(picked, selection.prices)
    picked = worth.records
  end
  if selection.sort then
    picked = bitfront.sort(picked, selection.sort, selection.direction)
  end
  return picked, worth
end

return _M
