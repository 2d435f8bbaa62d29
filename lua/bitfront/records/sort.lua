--- Records in an order.

local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local fields = require "bitfront.records.fields"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local rows = require "bitfront.rows"

local _M = {}

local KEYS = rows.keyed(rows.names(columns, { sortable = true }))

local function check_key(key)
  if type(key) ~= "function" and not (type(key) == "string" and KEYS[key]) then
    raise("bitfront.sort: key must be %s or a function, not %s%s",
      table.concat(KEYS, ", "), tostring(key), check.did_you_mean(key, KEYS))
  end
end

local function check_direction(direction)
  if direction ~= nil and direction ~= "asc" and direction ~= "desc" then
    raise('bitfront.sort: direction must be "asc" or "desc", not %s',
      tostring(direction))
  end
end

-- ---- keys of records ----

-- What reads the key of a record: reader(record, key, where).
local function reader_of(key)
  local column = columns[key]
  if not column then
    return function(record, call, where)
      local value = call(record)
      if value == nil then
        fields.fail(where, nil, "the key function returned nil")
      end
      return value
    end
  elseif column.from == "difference" then
    return fields.difference
  end
  return column.kind == "text" and fields.text_of or fields.amount_of
end

-- ---- keys that can be compared ----

local DIGITS = setmetatable({}, { __index = function(digits, char)
  digits[char] = ("%03d"):format(char:byte())
  return digits[char]
end })

-- A text that every locale orders as C orders the bytes of `text`; Lua's own
-- comparison asks the locale, which may put digits behind letters.
local function byte_order(text)
  return (text:gsub(".", DIGITS))
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
    if not amounts[i] then return nil end
  end
  return amounts
end

-- What a user's function gave are amounts, however written, or else texts.
local function as_comparable(list, kind)
  local amounts = kind ~= "text" and as_amounts(list)
  if amounts then return amounts end
  for i = 1, #list do
    local where = { call = "sort", list = "key of records", index = i }
    fields.check_type(list[i], "string", where)
    list[i] = byte_order(list[i])
  end
  return list
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
  check.arguments("bitfront.sort", records, ...)
  check_key(key)
  check_direction(direction)
  local list, sorted, read = {}, {}, reader_of(key)
  local where = { call = "sort", list = "records" }
  for i, record in fields.each(records, where) do
    list[i] = read(record, key, where)
  end
  list = as_comparable(list, columns[key] and columns[key].kind)
  local order = order_by(list, direction == "desc")
  for i = 1, #order do
    sorted[i] = records[order[i]]
  end
  return sorted
end

return _M
