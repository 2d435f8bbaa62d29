-- What the functions of the package check their arguments with. `call` is the
-- name of the function that was called, as its user writes it: "bitfront.new",
-- "client:get". Everything here raises at the caller's line.

local raise = require "bitfront.misuse".raise

local _M = {}

-- Levenshtein's distance, with a swap of neighbours as one step.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do rows[0][j] = j end
  for i = 1, #a do
    rows[i] = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local cost = math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + (same and 0 or 1))
      if a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then -- byte(0) is nil
        cost = math.min(cost, rows[i - 2][j - 2] + 1)
      end
      rows[i][j] = cost
    end
  end
  return rows[#a][#b]
end

--- The name in `known` that `name` was most likely meant to be, as a question to add
--- to a message; "" if none is near. The strings among the keys of `known` are names.
---@param known table<string, any>
function _M.did_you_mean(name, known)
  local best, least = nil, 4
  if type(name) ~= "string" or #name > 40 then return "" end
  for candidate in pairs(known) do
    local steps = type(candidate) == "string" and distance(name:lower(), candidate)
      or math.huge
    if steps < least or steps == least and best and candidate < best then
      best, least = candidate, steps
    end
  end
  if not best or least > #best / 2 then return "" end
  return ('; did you mean "%s"?'):format(best)
end

--- Raises where a name is not in a table that has the known names as keys.
---@param what string  "option", "format"
---@param known table<string, any>
function _M.known(call, what, name, known)
  if type(name) ~= "string" or known[name] == nil then
    raise('%s: unknown %s "%s"%s', call, what, tostring(name),
      _M.did_you_mean(name, known))
  end
end

--- Raises where a table follows the last argument of a function: it would be ignored,
--- and its writer relies on it. Other values are ignored, as in Lua: they may be
--- further results of a call.
---@param ... any  what follows the last argument
function _M.no_more(call, ...)
  for i = 1, select("#", ...) do
    if type((select(i, ...))) == "table" then
      raise("%s: too many arguments", call)
    end
  end
end

--- For each function of bitfront. bitfront:find("BTC") would give it the module as its
--- first argument, and "BTC" as the next.
---@param first any  its first argument
---@param ... any  what follows its last one
function _M.arguments(call, first, ...)
  if first ~= nil and rawequal(first, package.loaded.bitfront) then
    raise("call it with a dot: %s(...)", call)
  end
  _M.no_more(call, ...)
end

--- Whether a table may inherit fields, which pairs does not show: they would be ignored.
function _M.inherits(value)
  local meta = getmetatable(value)
  return meta ~= nil
    and (type(meta) ~= "table" or meta.__index ~= nil or meta.__pairs ~= nil)
end

--- Raises for what is no table of options, and for one that inherits fields.
function _M.is_options(call, options)
  if type(options) ~= "table" then
    raise("%s: options must be a table, not a %s", call, type(options))
  elseif _M.inherits(options) then
    raise("%s: options must not inherit fields", call)
  end
end

--- Whether all items stand under the keys 1 to n: others would not be read. Without
--- `is_item`, whatever stands there is one.
---@param is_item? fun(value: any): boolean
function _M.is_array(list, is_item)
  if type(list) ~= "table" then return false end
  local count, last = 0, #list
  for key, value in pairs(list) do
    if type(key) == "number" and key >= 1 and key <= last and key % 1 == 0 then
      count = count + 1
    elseif type(key) == "number" or not is_item or is_item(value) then
      return false
    end
  end
  return count == last
end

---@alias bitfront.Check fun(value: any): any, string?  whether a value will do; and the words for what would have done

--- What an option may be. What it is for, its annotation says.
---@class bitfront.OptionRow
---@field check bitfront.Check
---@field default? any
---@field fallback? string  applies where nothing else says what the option does
---@field is_required? true
---@field about? string  for people: what it is, where it has no annotation

--- Raises for a name that does not exist and for a value that will not do.
---@param rows table<string, bitfront.OptionRow>  by the option's name
function _M.options(call, options, rows)
  _M.is_options(call, options)
  for name, value in pairs(options) do
    _M.known(call, "option", name, rows)
    local is_right, expected = rows[name].check(value)
    if not is_right then raise("%s: %s must be %s", call, name, expected) end
  end
  for name, row in pairs(rows) do
    if row.is_required and options[name] == nil then
      raise("%s: %s is missing", call, name)
    end
  end
end

--- A copy of the options with the defaults of their rows. The caller's table is
--- never written into.
---@param rows table<string, bitfront.OptionRow>
function _M.with_defaults(options, rows)
  local copy = {}
  for name, row in pairs(rows) do copy[name] = row.default end
  for name, value in pairs(options) do copy[name] = value end
  return copy
end

-- ---- what makes a check ----

---@param unit? string  "seconds"
function _M.number(least, most, unit)
  local expected = ("a number %sfrom %s to %s"):format(unit and "of " .. unit .. " " or "",
    least, most):gsub(",", ".") -- the locale's
  return function(value)
    return type(value) == "number" and value >= least and value <= most, expected
  end
end

--- As number, for whole ones.
function _M.whole(least, most, unit)
  local expected = ("a whole number %sfrom %.0f to %.0f"):format(
    unit and "of " .. unit .. " " or "", least, most)
  return function(value)
    return type(value) == "number" and value >= least and value <= most
      and value % 1 == 0, expected
  end
end

function _M.boolean(value)
  return type(value) == "boolean", "true or false"
end

---@param ... string  two or more
function _M.one_of(...)
  local choices, names = {}, {}
  for i, choice in ipairs { ... } do
    choices[choice], names[i] = true, ('"%s"'):format(choice)
  end
  local last = table.remove(names)
  local expected = table.concat(names, ", ") .. " or " .. last
  return function(value) return value ~= nil and choices[value], expected end
end

---@param purpose string  "of seconds"
function _M.callable(purpose)
  return function(value)
    local meta = getmetatable(value)
    return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil,
      "a function " .. purpose
  end
end

return _M
