-- Records added up, valued and compared; part of records.lua.

local fields = require "bitfront.records.fields"
local native = require "bitfront.native"
local no_more = require "bitfront.options".no_more

local check_type, code_of, each = fields.check_type, fields.code_of, fields.each

local _M = {}

local FIELDS = { "balance", "availableBalance" }

-- ---- one record for each coin ----

-- A group is all records of one coin. While there is one record only, its
-- amounts are kept as they are; then sums come in, and note the types that
-- went into them.

local function new_group(record, code, place, level)
  local group = { record = { currency = code } }
  for _, field in ipairs(FIELDS) do
    fields.exact(record, field, place, level + 1)
    group.record[field] = record[field]
  end
  return group
end

local function start_sums(group)
  group.sums, group.types = {}, {}
  for _, field in ipairs(FIELDS) do
    local amount = group.record[field]
    group.sums[field] = native.sum()
    group.sums[field]:add(amount)
    group.types[field] = type(amount)
  end
end

local function add_to_group(group, record, place, level)
  if not group.sums then
    start_sums(group)
  end
  for i = 1, #FIELDS do
    local field = FIELDS[i]
    local amount = record[field]
    local added, message = group.sums[field]:add(amount)
    if not added then
      fields.fail(place, field, message, level + 1)
    end
    group.types[field] =
      fields.common_type(group.types[field], type(amount))
  end
end

-- `groups` has a group for each code, and in its array part all of them in the
-- order in which their coins came.
local function add_records(groups, records, place, level)
  for _, record in each(records, place, level + 1) do
    local code = code_of(record, place, level + 1)
    local group = groups.of[code]
    if group then
      add_to_group(group, record, place, level + 1)
    else
      group = new_group(record, code, place, level + 1)
      groups.of[code] = group
      groups[#groups + 1] = group
    end
  end
end

local function sum_up(group, place, level)
  for _, field in ipairs(group.sums and FIELDS or {}) do
    local sum, name = group.sums[field], group.record.currency .. "." .. field
    local total = fields.calculate(sum.total, sum, nil, name, place, level + 1)
    group.record[field] = fields.as_type(total, group.types[field])
  end
  return group.record
end

-- The sums of all groups as records, both in a list and by code.
local function sum_up_all(groups, place, level)
  local list, by_code = {}, {}
  place.index = nil
  for i, group in ipairs(groups) do
    list[i] = sum_up(group, place, level + 1)
    by_code[list[i].currency] = list[i]
  end
  return list, by_code
end

local function group_by_code(records, place, level)
  local groups = { of = {} }
  add_records(groups, records, place, level + 1)
  local list, by_code = sum_up_all(groups, place, level + 1)
  return list, by_code
end

--- The records by their coin codes. Records of the same coin are added up.
---@param records bitfront.Record[]
---@return table<string, bitfront.Record>
function _M.by_currency(records, ...)
  no_more("bitfront.by_currency", 2, ...)
  local place = { call = "by_currency", list = "records" }
  local _, by_code = group_by_code(records, place, 2)
  return by_code
end

--- What there is of each coin in several accounts together: one record a coin,
--- in the order in which the coins first come. Amounts are of the type that
--- they had, decimals where types were mixed.
---@param lists bitfront.Record[][]  one list for each account
---@return bitfront.Record[]
function _M.total(lists, ...)
  no_more("bitfront.total", 2, ...)
  local groups, place = { of = {} }, { call = "total", list = "lists" }
  for i = 1, fields.check_array(lists, place, 2) do
    place.list = ("lists[%d]"):format(i)
    if type(lists[i]) == "table" and lists[i].currency ~= nil then
      -- total(records) for total { records }: each would count as an empty list
      error(("bitfront.total: lists[%d] is a record: give an array of arrays "
        .. "of records"):format(i), 2)
    end
    add_records(groups, lists[i], place, 2)
  end
  place.list = "lists"
  return (sum_up_all(groups, place, 2))
end

-- ---- value ----

local function check_prices(prices, level)
  local exact, names = {}, {}
  local place = { call = "value", list = "prices" }
  check_type(prices, "table", place, level + 1)
  for code in pairs(prices) do
    names[#names + 1] = code
  end
  -- in order, so that the same mistake gives the same message
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, code in ipairs(names) do
    if type(code) ~= "string" then
      fields.fail(place, nil, "coin codes expected as keys, got "
        .. tostring(code), level + 1)
    end
    exact[code] = fields.exact(prices, code, place, level + 1)
  end
  return exact
end

local function priced(record, price, place, level)
  local copy = { price = price }
  for name, value in pairs(record) do
    if name ~= "price" then
      copy[name] = value
    end
  end
  local balance = fields.exact(record, "balance", place, level + 1)
  copy.value = fields.calculate(fields.multiply, balance, price, "value",
    place, level + 1)
  return copy
end

---@class bitfront.Value
---@field total bitfront.Decimal  of all that has a price
---@field records table[]  copies of the records that have one, with price and value, both decimals
---@field missing string[]  the coins that have none, each once

--- What the balances are worth: exact products with the prices, and their sum.
---@param records bitfront.Record[]
---@param prices table<string, bitfront.Amount>  by coin code, all in one currency
---@return bitfront.Value
function _M.value(records, prices, ...)
  no_more("bitfront.value", 2, ...)
  local price_of = check_prices(prices, 2)
  local worth = { records = {}, missing = {} }
  local sum, named = native.sum(), {}
  local place = { call = "value", list = "records" }
  for _, record in each(records, place, 2) do
    local code = code_of(record, place, 2)
    if price_of[code] then
      local copy = priced(record, price_of[code], place, 2)
      worth.records[#worth.records + 1] = copy
      sum:add(copy.value)
    elseif not named[code] then
      worth.missing[#worth.missing + 1] = code
      named[code] = true
    end
  end
  place.index = nil
  worth.total = fields.calculate(sum.total, sum, nil, "value", place, 2)
  return worth
end

-- ---- diff ----

local function change(before, after, place, level)
  local changed, delta = false, { currency = after.currency }
  for _, field in ipairs(FIELDS) do
    local old = fields.exact(before, field, place, level + 1)
    local new = fields.exact(after, field, place, level + 1)
    local by = fields.calculate(fields.subtract, new, old, field, place,
      level + 1)
    changed = changed or not by:is_zero()
    delta[field] = fields.as_type(by,
      fields.common_type(type(before[field]), type(after[field])))
  end
  delta.before, delta.after = before, after
  return changed and delta or nil
end

---@class bitfront.Change: bitfront.Record  balance and availableBalance are by how much they grew
---@field before bitfront.Record
---@field after bitfront.Record

---@class bitfront.Diff
---@field added bitfront.Record[]  of the coins that are only in `after`
---@field removed bitfront.Record[]  of the coins that are only in `before`
---@field changed bitfront.Change[]

--- What changed between two lists, by coin; records of the same coin are added
--- up first.
---@param before bitfront.Record[]
---@param after bitfront.Record[]
---@return bitfront.Diff
function _M.diff(before, after, ...)
  no_more("bitfront.diff", 2, ...)
  local result = { added = {}, removed = {}, changed = {} }
  local at_before = { call = "diff", list = "before" }
  local at_after = { call = "diff", list = "after" }
  local old, old_by_code = group_by_code(before, at_before, 2)
  local new, new_by_code = group_by_code(after, at_after, 2)
  for _, record in ipairs(new) do
    local was = old_by_code[record.currency]
    local list = was and result.changed or result.added
    list[#list + 1] = was and change(was, record, at_after, 2)
      or not was and record or nil
  end
  for _, record in ipairs(old) do
    if not new_by_code[record.currency] then
      result.removed[#result.removed + 1] = record
    end
  end
  return result
end

return _M
