-- The fields of balance records, checked where they are used, and exact
-- whichever way they came.

local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local type = type

local _M = {}

---@alias bitfront.Amount number|string|bitfront.Decimal

-- Where a value is, for messages: put into words only where one is needed.
---@class bitfront.Where
---@field call string  the function's name
---@field list string  its argument's
---@field index integer?

--- Raises "bitfront.sort: records[3].balance: number expected, got nil".
function _M.fail(where, field, message)
  raise("bitfront.%s: %s%s%s: %s", where.call, where.list,
    where.index and ("[%d]"):format(where.index) or "",
    field and "." .. field or "", message)
end

function _M.check_type(value, expected, where)
  if type(value) ~= expected then
    _M.fail(where, nil, ("%s expected, got %s"):format(expected, type(value)))
  end
end

---@return integer count
function _M.check_array(list, where, is_item)
  _M.check_type(list, "table", where)
  if not check.is_array(list, is_item) then
    _M.fail(where, nil, "an array is expected, without holes and other keys")
  end
  return #list
end

-- What else callers may have put beside the records is theirs.
local function is_record(value)
  return type(value) == "table" and value.currency ~= nil
end

--- Iterates over the records; where.index is the current one's.
function _M.each(records, where)
  where.index = nil
  local count = _M.check_array(records, where, is_record)
  if count == 0 and is_record(records) then -- it would count as an empty list
    _M.fail(where, nil, "an array of records is expected, got a record")
  end
  return function(_, i)
    i = i + 1
    if i > count then return nil end
    local record = records[i]
    where.index = i
    if type(record) ~= "table" then
      _M.fail(where, nil, "table expected, got " .. type(record))
    end
    return i, record
  end, nil, 0
end

--- A copy that may be written into.
function _M.copy(record)
  local copy = {}
  for name, value in pairs(record) do
    copy[name] = value
  end
  return copy
end

--- The field's text.
function _M.text_of(record, field, where)
  local text = record[field]
  if type(text) ~= "string" then
    _M.fail(where, field, "string expected, got " .. type(text))
  end
  return text
end

--- The field's amount as a decimal.
---@return bitfront.Decimal
function _M.to_decimal(record, field, where)
  local value, message = native.decimal(record[field])
  if not value then _M.fail(where, field, message) end
  return value
end

-- Below this, numbers of every kind compare as their texts would.
local PLAIN = 2 ^ 53

--- Whether the value is a number that need not become a decimal.
function _M.is_plain(value)
  return type(value) == "number" and value > -PLAIN and value < PLAIN
end

--- The field's amount as a plain number if it is one, else as a decimal.
---@return number|bitfront.Decimal
function _M.amount_of(record, field, where)
  local value = record[field]
  if _M.is_plain(value) then
    return value
  end
  return _M.to_decimal(record, field, where)
end

--- Two results of amount_of as operands of one comparison: Lua 5.1 compares no
--- mixture.
function _M.alike(a, b)
  if type(a) == type(b) then return a, b end
  return native.decimal(a), native.decimal(b)
end

--- The result of an operator on decimals. Raises where the result is beyond a
--- decimal's limits; the message names the field.
function _M.calculate(operator, a, b, field, where)
  local done, result = pcall(operator, a, b)
  if not done then
    _M.fail(where, field, (tostring(result):gsub("^.-:%d+: ", "")))
  end
  return result
end

function _M.subtract(a, b)
  return a - b
end

--- The amount of a column that is the difference of two others.
---@return bitfront.Decimal
function _M.difference(record, name, where)
  local column = columns[name]
  return _M.calculate(_M.subtract,
    _M.to_decimal(record, column.minuend, where),
    _M.to_decimal(record, column.subtrahend, where), name, where)
end

--- The decimal as an amount of the type that `a` and `b` have; a mixture of types
--- gives a decimal.
---@return bitfront.Amount
function _M.like(decimal, a, b)
  local kind = type(a) == type(b) and type(a)
  if kind == "number" then
    local number = decimal:to_number()
    -- What no double can hold stays exact: an infinity is no amount.
    return math.abs(number) < math.huge and number or decimal
  end
  return kind == "string" and tostring(decimal) or decimal
end

return _M
