--- What people do with balances: pick, order, add up, compare. All of it is
--- exact, whichever way the amounts came: a number stands for the shortest text
--- that reads back to it, a string for its digits. Nothing here changes what it
--- is given. What adds up is in totals.lua.

local fields = require "bitfront.records.fields"
local native = require "bitfront.native"
local options = require "bitfront.options"
local totals = require "bitfront.records.totals"

local amount_of, check_type = fields.amount_of, fields.check_type
local code_of, each = fields.code_of, fields.each

local _M = {
  by_currency = totals.by_currency, total = totals.total,
  value = totals.value, diff = totals.diff,
}

--- What is locked in orders: balance less availableBalance, as a number, a
--- string or a decimal, as the record has them; a decimal for a mixture.
---@param record bitfront.Record
---@return bitfront.Amount
function _M.locked(record, ...)
  options.no_more("bitfront.locked", 2, ...)
  local place = { call = "locked", list = "record" }
  check_type(record, "table", place, 2)
  local locked = fields.locked_of(record, place, 2)
  return fields.as_type(locked,
    fields.common_type(type(record.balance), type(record.availableBalance)))
end

-- ---- picking ----

---@class bitfront.Filter  what a record must meet, all of it
---@field currencies? string[]  coin codes
---@field min? bitfront.Amount  least balance
---@field max? bitfront.Amount  greatest balance
---@field nonzero? boolean  true: the balance is not 0
---@field locked? boolean  true: some of the balance is locked
---@field where? fun(record: bitfront.Record): any  a condition of your own

local function is_nonzero(record, place, level)
  local balance = amount_of(record, "balance", place, level + 1)
  if type(balance) == "number" then
    return balance ~= 0
  end
  return not balance:is_zero()
end

local function is_locked(record, place, level)
  return not fields.equals(amount_of(record, "balance", place, level + 1),
    amount_of(record, "availableBalance", place, level + 1))
end

-- For each key of a filter, what makes of its value the condition on a record;
-- false for none.
local conditions = {}

function conditions.currencies(codes, place, level)
  local wanted = {}
  for i = 1, fields.check_array(codes, place, level + 1) do
    place.index = i
    check_type(codes[i], "string", place, level + 1)
    wanted[codes[i]] = true
  end
  return function(record, at, deeper)
    return wanted[code_of(record, at, deeper + 1)]
  end
end

-- The limit as a number, if that is as good, and as a decimal.
local function check_limit(limit, place, level)
  local decimal, message = native.decimal(limit)
  if not decimal then
    fields.fail(place, nil, message, level + 1)
  end
  return fields.is_plain(limit) and limit, decimal
end

function conditions.min(limit, place, level)
  local number, decimal = check_limit(limit, place, level + 1)
  return function(record, at, deeper)
    local balance = amount_of(record, "balance", at, deeper + 1)
    local least = type(balance) == "number" and number or decimal
    return not fields.is_below(balance, least)
  end
end

function conditions.max(limit, place, level)
  local number, decimal = check_limit(limit, place, level + 1)
  return function(record, at, deeper)
    local balance = amount_of(record, "balance", at, deeper + 1)
    local greatest = type(balance) == "number" and number or decimal
    return not fields.is_below(greatest, balance)
  end
end

function conditions.nonzero(wanted, place, level)
  check_type(wanted, "boolean", place, level + 1)
  return wanted and is_nonzero
end

function conditions.locked(wanted, place, level)
  check_type(wanted, "boolean", place, level + 1)
  return wanted and is_locked
end

function conditions.where(condition, place, level)
  check_type(condition, "function", place, level + 1)
  return function(record)
    return condition(record)
  end
end

local function conditions_of(filter, level)
  local list = {}
  check_type(filter, "table", { call = "filter", list = "filter" }, level + 1)
  for name, value in pairs(filter) do
    local make = conditions[name]
    if not make then
      error(('bitfront.filter: unknown key "%s"%s'):format(tostring(name),
        options.did_you_mean(name, conditions)), level + 1)
    end
    local place = { call = "filter", list = name }
    list[#list + 1] = make(value, place, level + 1) or nil
  end
  return list
end

local function meets(record, list, place, level)
  for i = 1, #list do
    if not list[i](record, place, level + 1) then
      return false
    end
  end
  return true
end

--- The records that meet every condition of the filter, in their order.
---@param records bitfront.Record[]
---@param filter bitfront.Filter
---@return bitfront.Record[]
function _M.filter(records, filter, ...)
  options.no_more("bitfront.filter", 2, ...)
  local kept, list = {}, conditions_of(filter, 2)
  local place = { call = "filter", list = "records" }
  for _, record in each(records, place, 2) do
    if meets(record, list, place, 2) then
      kept[#kept + 1] = record
    end
  end
  return kept
end

--- The records whose balance is not 0.
---@param records bitfront.Record[]
---@return bitfront.Record[]
function _M.nonzero(records, ...)
  options.no_more("bitfront.nonzero", 2, ...)
  local kept, place = {}, { call = "nonzero", list = "records" }
  for _, record in each(records, place, 2) do
    if is_nonzero(record, place, 2) then
      kept[#kept + 1] = record
    end
  end
  return kept
end

--- A copy of the first record of this coin, or nil.
---@param records bitfront.Record[]
---@param code string
---@return bitfront.Record?
function _M.find(records, code, ...)
  options.no_more("bitfront.find", 2, ...)
  local place = { call = "find", list = "records" }
  check_type(code, "string", { call = "find", list = "code" }, 2)
  for _, record in each(records, place, 2) do
    if code_of(record, place, 2) == code then
      local copy = {}
      for name, value in pairs(record) do
        copy[name] = value
      end
      return copy
    end
  end
end

-- ---- ordering ----

---@alias bitfront.SortKey "currency"|"balance"|"availableBalance"|"locked"|"value"

-- A text that every locale orders as C orders the bytes of `text`; Lua's own
-- comparison asks the locale, which may put digits behind letters.
local function byte_order(text)
  return (text:gsub(".", function(char)
    return ("%03d"):format(char:byte())
  end))
end

local function key_of_field(field)
  return function(record, place, level)
    local amount = amount_of(record, field, place, level + 1)
    return amount
  end
end

local keys = {
  balance = key_of_field "balance",
  availableBalance = key_of_field "availableBalance",
  value = key_of_field "value",
  locked = fields.locked_of,
}

function keys.currency(record, place, level)
  return byte_order(code_of(record, place, level + 1))
end

-- The amounts as numbers if all of them are plain ones, else as decimals; nil
-- where one is no amount.
local function as_amounts(list)
  local plain, amounts = true, {}
  for i = 1, #list do
    plain = plain and fields.is_plain(list[i])
  end
  for i = 1, #list do
    amounts[i] = plain and list[i] or native.decimal(list[i])
    if not amounts[i] then
      return nil
    end
  end
  return amounts
end

-- Whatever a user's function gave: amounts, however written, or else texts.
local function check_keys(list, level)
  local amounts = as_amounts(list)
  for i = 1, amounts and 0 or #list do
    local place = { call = "sort", list = "key of records", index = i }
    check_type(list[i], "string", place, level + 1)
    list[i] = byte_order(list[i])
  end
  return amounts or list
end

local function keys_by_function(records, key, level)
  local list, place = {}, { call = "sort", list = "records" }
  for i, record in each(records, place, level + 1) do
    list[i] = key(record)
    if list[i] == nil then
      fields.fail(place, nil, "the key function returned nil", level + 1)
    end
  end
  return (check_keys(list, level + 1))
end

local function keys_by_name(records, name, level)
  local list, place = {}, { call = "sort", list = "records" }
  for i, record in each(records, place, level + 1) do
    list[i] = keys[name](record, place, level + 1)
  end
  return name == "currency" and list or as_amounts(list)
end

local function check_key(key, level)
  if type(key) ~= "function" and not keys[key] then
    error(("bitfront.sort: key must be currency, balance, availableBalance, "
      .. "locked, value or a function, not %s%s"):format(tostring(key),
      options.did_you_mean(key, keys)), level + 1)
  end
end

local function check_direction(direction, level)
  if direction ~= nil and direction ~= "asc" and direction ~= "desc" then
    error('bitfront.sort: direction must be "asc" or "desc", not '
      .. tostring(direction), level + 1)
  end
end

-- The numbers of the records in the order of their keys.
local function order_by(list, descending)
  local order = {}
  for i = 1, #list do
    order[i] = i
  end
  table.sort(order, function(i, j)
    local a, b = list[i], list[j]
    if a == b then
      return i < j
    elseif descending then
      return b < a
    end
    return a < b
  end)
  return order
end

--- The records in the order of a key; those with equal keys stay as they are.
--- What a function gives are amounts, if all of it can be read as numbers, else
--- texts in the order of their bytes.
---@param records bitfront.Record[]
---@param key bitfront.SortKey|fun(record: bitfront.Record): bitfront.Amount
---@param direction? "asc"|"desc"  default "asc"
---@return bitfront.Record[]
function _M.sort(records, key, direction, ...)
  options.no_more("bitfront.sort", 2, ...)
  check_key(key, 2)
  check_direction(direction, 2)
  local sorted = {}
  local keys_by = keys[key] and keys_by_name or keys_by_function
  local order = order_by(keys_by(records, key, 2), direction == "desc")
  for i = 1, #order do
    sorted[i] = records[order[i]]
  end
  return sorted
end

return _M
