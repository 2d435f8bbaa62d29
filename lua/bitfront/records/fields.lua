-- The fields of balance records, checked where they are used, and exact
-- whichever way they came. A level is as for error(), seen from the function
-- that passes it; a call that passes one is never a tail call, which would
-- take a level away.

local native = require "bitfront.native"

local _M = {}

---@alias bitfront.Amount number|string|bitfront.Decimal

-- Where a record is, for messages: put into words only where one is needed.
---@class bitfront.Place
---@field call string  the function's name
---@field list string  its argument's
---@field index integer?

--- Raises "bitfront.sort: records[3].balance: number expected, got nil".
---@param place bitfront.Place
---@param field string?
---@param message string
---@param level integer
function _M.fail(place, field, message, level)
  local index = place.index and ("[%d]"):format(place.index) or ""
  error(("bitfront.%s: %s%s%s: %s"):format(place.call, place.list, index,
    field and "." .. field or "", message), level + 1)
end

function _M.check_type(value, wanted, place, level)
  if type(value) ~= wanted then
    _M.fail(place, nil, ("%s expected, got %s"):format(wanted, type(value)),
      level + 1)
  end
end

--- Items under other keys than 1 to n would not be read. Without `is_item`,
--- whatever stands there is one.
---@param is_item? fun(value: any): boolean
---@return integer count
function _M.check_array(list, place, level, is_item)
  local count = 0
  _M.check_type(list, "table", place, level + 1)
  for key, value in pairs(list) do
    if type(key) == "number" or not is_item or is_item(value) then
      count = count + 1
    end
  end
  if count ~= #list then
    _M.fail(place, nil, "an array is expected, without holes and other keys",
      level + 1)
  end
  return count
end

-- What else callers may have put beside the records is theirs.
local function is_record(value)
  return type(value) == "table" and value.currency ~= nil
end

--- Iterates over the records, `place` following.
function _M.each(records, place, level)
  place.index = nil
  local count = _M.check_array(records, place, level + 1, is_record)
  return function(_, i)
    i = i + 1
    if i <= count then
      place.index = i
      _M.check_type(records[i], "table", place, level + 1)
      return i, records[i]
    end
  end, nil, 0
end

--- The record's coin code.
function _M.code_of(record, place, level)
  local code = record.currency
  if type(code) ~= "string" then
    _M.fail(place, "currency", "string expected, got " .. type(code), level + 1)
  end
  return code
end

--- The field's amount as a decimal.
---@return bitfront.Decimal
function _M.exact(record, field, place, level)
  local value, message = native.decimal(record[field])
  if not value then
    _M.fail(place, field, message, level + 1)
  end
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
function _M.amount_of(record, field, place, level)
  local value = record[field]
  if not _M.is_plain(value) then
    value = _M.exact(record, field, place, level + 1)
  end
  return value
end

-- Two amounts as operands of one comparison: Lua 5.1 compares no mixture.
local function alike(a, b)
  if type(a) == type(b) then
    return a, b
  end
  return native.decimal(a), native.decimal(b)
end

--- Whether two results of amount_of are the same amount.
function _M.equals(a, b)
  a, b = alike(a, b)
  return a == b
end

function _M.is_below(a, b)
  a, b = alike(a, b)
  return a < b
end

--- The result of an operator on decimals. Where it is beyond a decimal's
--- limits, the record's field gets the blame.
function _M.calculate(operator, a, b, field, place, level)
  local done, result = pcall(operator, a, b)
  if not done then
    local message = tostring(result):gsub("^.-:%d+: ", "")
    _M.fail(place, field, message, level + 1)
  end
  return result
end

function _M.subtract(a, b)
  return a - b
end

function _M.multiply(a, b)
  return a * b
end

--- What two types of amount have in common: themselves where they are the
--- same; a mixture gives decimals, which are userdata.
function _M.common_type(a, b)
  return a == b and a or "userdata"
end

--- The decimal as an amount of that type.
---@return bitfront.Amount
function _M.as_type(decimal, wanted)
  if wanted == "number" then
    local number = decimal:to_number()
    -- What no double can hold stays exact: an infinity is no amount.
    return math.abs(number) < math.huge and number or decimal
  elseif wanted == "string" then
    return tostring(decimal)
  end
  return decimal
end

--- balance less availableBalance
---@return bitfront.Decimal
function _M.locked_of(record, place, level)
  local balance = _M.exact(record, "balance", place, level + 1)
  local available = _M.exact(record, "availableBalance", place, level + 1)
  local locked = _M.calculate(_M.subtract, balance, available, "locked", place,
    level + 1)
  return locked
end

return _M
