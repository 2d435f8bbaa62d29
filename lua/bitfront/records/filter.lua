--- Records that are picked out of a list; they stay in their order.

local check = require "bitfront.check"
local fields = require "bitfront.records.fields"
local native = require "bitfront.native"

local alike, amount_of, text_of = fields.alike, fields.amount_of, fields.text_of
local check_type = fields.check_type

local _M = {}

-- ---- conditions ----

---@alias bitfront.Condition fun(record: bitfront.Record, where: bitfront.Where): any

local function is_nonzero(record, where)
  local balance = amount_of(record, "balance", where)
  if type(balance) == "number" then return balance ~= 0 end
  return not balance:is_zero()
end

local function is_locked(record, where)
  local balance, available = alike(amount_of(record, "balance", where),
    amount_of(record, "availableBalance", where))
  return balance ~= available
end

-- For a key that is true or false: the condition if true.
local function flag(condition)
  return function(value, where)
    check_type(value, "boolean", where)
    return value and condition
  end
end

-- For a key that is a limit of the balance.
local function limit(is_beyond)
  return function(value, where)
    local decimal, message = native.decimal(value)
    if not decimal then fields.fail(where, nil, message) end
    local number = fields.is_plain(value) and value
    return function(record, at)
      local balance = amount_of(record, "balance", at)
      return not is_beyond(alike(balance,
        type(balance) == "number" and number or decimal))
    end
  end
end

local function one_of(list, where)
  local codes = {}
  for i = 1, fields.check_array(list, where) do
    where.index = i
    check_type(list[i], "string", where)
    codes[list[i]] = true
  end
  return function(record, at)
    return codes[text_of(record, "currency", at)]
  end
end

local function call_of(condition, where)
  check_type(condition, "function", where)
  return function(record)
    return condition(record)
  end
end

---@class bitfront.Filter  what a record must meet, all of it
---@field currencies? string[]  coin codes, the same to the letter
---@field min? bitfront.Amount  least balance
---@field max? bitfront.Amount  greatest balance
---@field nonzero? boolean  true: the balance is not 0
---@field locked? boolean  true: some of the balance is locked in orders
---@field where? fun(record: bitfront.Record): any  a condition of your own

--- What a key of a filter is. `make` checks its value and gives the condition on
--- a record; false for none.
---@class bitfront.FilterRow
---@field make fun(value: any, where: bitfront.Where): bitfront.Condition|false

---@type table<string, bitfront.FilterRow>
_M.keys = {
  currencies = { make = one_of },
  min = { make = limit(function(balance, least) return balance < least end) },
  max = { make = limit(function(balance, most) return most < balance end) },
  nonzero = { make = flag(is_nonzero) },
  locked = { make = flag(is_locked) },
  where = { make = call_of },
}

-- ---- picking ----

local function conditions_of(filter)
  local list, where = {}, { call = "filter", list = "filter" }
  check_type(filter, "table", where)
  if check.inherits(filter) then fields.fail(where, nil, "must not inherit fields") end
  for name, value in pairs(filter) do
    check.known("bitfront.filter", "key", name, _M.keys)
    list[#list + 1] =
      _M.keys[name].make(value, { call = "filter", list = name }) or nil
  end
  return list
end

local function pick(call, records, conditions)
  local kept, where = {}, { call = call, list = "records" }
  for _, record in fields.each(records, where) do
    local is_met = true
    for i = 1, #conditions do
      is_met = is_met and conditions[i](record, where)
    end
    if is_met then kept[#kept + 1] = record end
  end
  return kept
end

--- The records that meet every condition of the filter, in their order.
---@param records bitfront.Record[]
---@param filter bitfront.Filter
---@return bitfront.Record[]
function _M.filter(records, filter, ...)
  check.arguments("bitfront.filter", records, ...)
  return pick("filter", records, conditions_of(filter))
end

--- The records whose balance is not 0.
---@param records bitfront.Record[]
---@return bitfront.Record[]
function _M.nonzero(records, ...)
  check.arguments("bitfront.nonzero", records, ...)
  return pick("nonzero", records, { is_nonzero })
end

--- A copy of the first record of this coin, or nil.
---@param records bitfront.Record[]
---@param code string
---@return bitfront.Record?
function _M.find(records, code, ...)
  check.arguments("bitfront.find", records, ...)
  local where = { call = "find", list = "records" }
  check_type(code, "string", { call = "find", list = "code" })
  for _, record in fields.each(records, where) do
    if text_of(record, "currency", where) == code then
      return fields.copy(record)
    end
  end
end

return _M
