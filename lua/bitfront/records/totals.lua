--- Records added up, valued and compared.

local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local fields = require "bitfront.records.fields"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local rows = require "bitfront.rows"

local calculate, each, text_of = fields.calculate, fields.each, fields.text_of
local to_decimal = fields.to_decimal

local _M = {}

local AMOUNTS = rows.names(columns, { from = "reply", kind = "amount" })

-- ---- one record for each coin ----

-- A group is all records of one coin. Its record has the amounts of the first of
-- them, as they are; the second starts the sums.

local function new_group(record, code, where)
  local first = { currency = code }
  for i = 1, #AMOUNTS do
    local field = AMOUNTS[i]
    fields.amount_of(record, field, where) -- or it raises
    first[field] = record[field]
  end
  return { record = first }
end

local function start_sums(group)
  group.sums = {}
  for _, field in ipairs(AMOUNTS) do
    group.sums[field] = native.sum()
    group.sums[field]:add(group.record[field])
  end
end

local function add_to_group(group, record, where)
  if not group.sums then start_sums(group) end
  local first = group.record
  for i = 1, #AMOUNTS do
    local field = AMOUNTS[i]
    local amount, sum = record[field], group.sums[field]
    local added, message = sum:add(amount)
    if not added then fields.fail(where, field, message) end
    if type(amount) ~= type(first[field]) then
      first[field] = sum -- userdata, as the decimal that the mixture will give
    end
  end
end

-- `groups` has a group for each code, and in its array part all of them in the
-- order in which their coins came.
local function add_records(groups, records, where)
  for _, record in each(records, where) do
    local code = text_of(record, "currency", where)
    local group = groups.of[code]
    if group then
      add_to_group(group, record, where)
    else
      group = new_group(record, code, where)
      groups.of[code] = group
      groups[#groups + 1] = group
    end
  end
end

local function sum_up(group, where)
  local record = group.record
  for _, field in ipairs(group.sums and AMOUNTS or {}) do
    local sum, name = group.sums[field], record.currency .. "." .. field
    record[field] = fields.like(calculate(sum.total, sum, nil, name, where),
      record[field], record[field])
  end
  return record
end

-- The sums of all groups as records, both in a list and by code.
local function sum_up_all(groups, where)
  local list, by_code = {}, {}
  where.index = nil
  for i, group in ipairs(groups) do
    list[i] = sum_up(group, where)
    by_code[list[i].currency] = list[i]
  end
  return list, by_code
end

local function group_by_code(records, where)
  local groups = { of = {} }
  add_records(groups, records, where)
  return sum_up_all(groups, where)
end

--- The records by their coin codes. Records of the same coin are added up.
---@param records bitfront.Record[]
---@return table<string, bitfront.Record>
function _M.by_currency(records, ...)
  check.arguments("bitfront.by_currency", records, ...)
  local _, by_code =
    group_by_code(records, { call = "by_currency", list = "records" })
  return by_code
end

--- What there is of each coin in several accounts together: one record a coin,
--- in the order in which the coins first come. Amounts are of the type that
--- they had, decimals where types were mixed.
---@param lists bitfront.Record[][]  one list for each account
---@return bitfront.Record[]
function _M.total(lists, ...)
  check.arguments("bitfront.total", lists, ...)
  local groups, where = { of = {} }, { call = "total", list = "lists" }
  for i = 1, fields.check_array(lists, where) do
    where.list = ("lists[%d]"):format(i)
    if type(lists[i]) == "table" and lists[i].currency ~= nil then
      -- total(records) for total { records }: each would count as an empty list
      raise("bitfront.total: lists[%d] is a record: give an array of arrays "
        .. "of records", i)
    end
    add_records(groups, lists[i], where)
  end
  where.list = "lists"
  return (sum_up_all(groups, where))
end

-- ---- value ----

local function check_prices(prices)
  local decimals, names = {}, {}
  local where = { call = "value", list = "prices" }
  fields.check_type(prices, "table", where)
  for code in pairs(prices) do
    names[#names + 1] = code
  end
  -- in order, so that the same mistake gives the same message
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, code in ipairs(names) do
    if type(code) ~= "string" then
      fields.fail(where, nil, "coin codes expected as keys, got " .. tostring(code))
    end
    decimals[code] = to_decimal(prices, code, where)
  end
  return decimals
end

local function multiply(a, b)
  return a * b
end

local function priced(record, price, where)
  local copy = fields.copy(record)
  copy.price = price
  copy.value = calculate(multiply, to_decimal(record, "balance", where), price,
    "value", where)
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
  check.arguments("bitfront.value", records, ...)
  local price_of = check_prices(prices)
  local worth = { records = {}, missing = {} }
  local sum, named = native.sum(), {}
  local where = { call = "value", list = "records" }
  for _, record in each(records, where) do
    local code = text_of(record, "currency", where)
    if price_of[code] then
      local copy = priced(record, price_of[code], where)
      worth.records[#worth.records + 1] = copy
      sum:add(copy.value)
    elseif not named[code] then
      worth.missing[#worth.missing + 1] = code
      named[code] = true
    end
  end
  where.index = nil
  worth.total = calculate(sum.total, sum, nil, "value", where)
  return worth
end

-- ---- diff ----

-- The change of a coin; nil where no amount is another one.
local function change(before, after, where)
  local changed, delta = false, { currency = after.currency }
  for _, field in ipairs(AMOUNTS) do
    local by = calculate(fields.subtract, to_decimal(after, field, where),
      to_decimal(before, field, where), field, where)
    changed = changed or not by:is_zero()
    delta[field] = fields.like(by, before[field], after[field])
  end
  delta.before, delta.after = before, after
  return changed and delta or nil
end

---@class bitfront.Change: bitfront.Record  its amounts are by how much they grew
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
  check.arguments("bitfront.diff", before, ...)
  local result = { added = {}, removed = {}, changed = {} }
  local where = { call = "diff", list = "after" }
  local old, old_by_code =
    group_by_code(before, { call = "diff", list = "before" })
  local new, new_by_code = group_by_code(after, where)
  for _, record in ipairs(new) do
    local was = old_by_code[record.currency]
    local list = was and result.changed or result.added
    list[#list + 1] = not was and record or change(was, record, where)
  end
  for _, record in ipairs(old) do
    if not new_by_code[record.currency] then
      result.removed[#result.removed + 1] = record
    end
  end
  return result
end

return _M
