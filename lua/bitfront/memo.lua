-- Values by the options they were made from: options that are alike give what
-- they gave before. Nothing in here raises.

local _M = {}

-- What is deeper is compared as it is: the same table, or not alike. So is what
-- has a metatable: that is an object, whatever its fields are just now.
local function is_open(value, depth)
  return depth > 0 and type(value) == "table" and getmetatable(value) == nil
end

local function is_like(a, b, depth)
  if a == b then return true end
  if not (is_open(a, depth) and is_open(b, depth)) then return false end
  for name, value in pairs(a) do
    if not is_like(value, b[name], depth - 1) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

--- Whether two values are alike, in tables of that many levels.
---@type fun(a: any, b: any, depth: integer): boolean
_M.is_like = is_like

--- A copy to be compared with later, whatever becomes of the tables of the caller.
function _M.copy_of(value, depth)
  if not is_open(value, depth) then return value end
  local copy = {}
  for name, inner in pairs(value) do
    copy[name] = _M.copy_of(inner, depth - 1)
  end
  return copy
end

---@class bitfront.Memo
local Memo = {}
Memo.__index = Memo

--- A memo of the last `limit` values.
---@param depth integer  levels of tables in the options
---@return bitfront.Memo
function _M.new(limit, depth)
  return setmetatable({ limit = limit, depth = depth, last = 0 }, Memo)
end

--- The value that was made from options like these.
---@param is_right? fun(value: any): boolean  has the last word
function Memo:find(options, is_right)
  for i = 1, #self do
    local made = self[i]
    if is_like(options, made.options, self.depth)
      and (not is_right or is_right(made.value)) then
      return made.value
    end
  end
end

--- Keeps one more, in the place of the oldest if there are too many.
function Memo:add(options, value)
  self.last = self.last % self.limit + 1
  self[self.last] = { options = _M.copy_of(options, self.depth), value = value }
end

return _M
