--- Which records are shown, in which order, with which columns: what the options
-- of `balances` and `watch` have in common.

local bitfront = require "bitfront"
local columns = require "bitfront.records.columns"
local prices = require "bitfront.cli.prices_file"
local streams = require "bitfront.cli.streams"

local _M = {}

---@class bitfront.cli.Selection
---@field filter bitfront.Filter
---@field columns string[]
---@field prices? table<string, bitfront.Amount>
---@field market? string  where the exchange is to be asked for the prices
---@field sort? bitfront.SortKey
---@field direction "asc"|"desc"

-- The columns of the reply, and those that other options fill.
local function column_names(args)
  if args.columns then return args.columns end
  local names, is_filled = {}, {
    reply = true, caller = #args.profile > 1 and not args.total,
    difference = args.locked, prices = args.value,
  }
  for _, column in ipairs(columns) do
    if is_filled[column.from] then names[#names + 1] = column.name end
  end
  return names
end

-- An option's value read by a function; ends the command where it cannot be.
local function read(value, reader, kind, prefix, code)
  if not value then return nil end
  local result, message = reader(value)
  return result or streams.stop(kind, prefix .. message, code)
end

-- Of --value @USDT; nil for a file.
local function market_of(value)
  return value and value:match "^@(.*)$"
end

---What the options ask for; ends the command where they cannot be followed.
---@return bitfront.cli.Selection
function _M.new(args)
  return {
    filter = {
      currencies = args.currency, nonzero = args.nonzero, locked = args.locked,
      min = read(args.min, bitfront.decimal, "usage", "--min: "),
    },
    columns = column_names(args),
    market = market_of(args.value),
    prices = read(not market_of(args.value) and args.value, prices.read, "failed", "", "prices"),
    sort = args.sort, direction = args.desc and "desc" or "asc",
  }
end

---Somebody who typed btc meant BTC.
---@param records bitfront.Record[]  of which none has that code
---@param code string
---@return string question  to add to a message; "" where there is none
function _M.suggest(records, code)
  for _, record in ipairs(records) do
    if record.currency:upper() == code:upper() then
      return "; did you mean " .. record.currency .. "?"
    end
  end
  return ""
end

---@param prices_of? fun(market: string, records: bitfront.Record[]): table<string, bitfront.Amount>  asks the exchange
---@return bitfront.Record[] picked
---@return bitfront.Value? worth  where there are prices
function _M.pick(records, selection, prices_of)
  local picked, worth = bitfront.filter(records, selection.filter), nil
  local known = selection.market and prices_of(selection.market, picked) or selection.prices
  if known then
    worth = bitfront.value(picked, known)
    picked = worth.records
  end
  if selection.sort then
    picked = bitfront.sort(picked, selection.sort, selection.direction)
  end
  return picked, worth
end

return _M
