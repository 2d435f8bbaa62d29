-- What the LuaCATS annotations in lua/bitfront say, read as an editor reads them.
-- A line that no editor understands is an error.

local shell = require "spec.support.shell"

local _M = {}

-- ---- types ----

-- A reader of one line: `at` is where it is.
local Reader = {}
Reader.__index = Reader

function Reader:skip(pattern)
  local _, last, found = self.text:find("^%s*(" .. pattern .. ")", self.at)
  if last then self.at = last + 1 end
  return found
end

function Reader:expect(pattern)
  return self:skip(pattern)
    or error(("%s expected at %q"):format(pattern, self.text:sub(self.at)), 0)
end

function Reader:list(read, close)
  if self:skip(close) then return end
  repeat read(self) until not self:skip ","
  self:expect(close)
end

local function parameter(reader)
  if not reader:skip "%.%.%." then reader:expect "[%a_][%w_]*%??" end
  if reader:skip ":" then reader:type() end
end

local function field(reader)
  if reader:skip "%[" then
    if not reader:skip "%d+" then reader:type() end
    reader:expect "%]"
  else
    reader:expect "[%a_][%w_]*%??"
  end
  reader:expect ":"
  reader:type()
end

-- The results of a function type: types, each of which may have a name before it.
local function results(reader)
  repeat
    reader:skip "[%a_][%w_]*%s*:"
    reader:type()
  until not reader:skip ","
end

function Reader:primary()
  if self:skip "%(" then
    results(self)
    self:expect "%)"
  elseif self:skip "{" then
    self:list(field, "}")
  elseif self:skip "fun%(" then
    self:list(parameter, "%)")
    if self:skip ":" then results(self) end
  elseif not (self:skip '"[^"]*"' or self:skip "%-?%d+" or self:skip "%.%.%.") then
    local name = self:skip "file%*" or self:expect "[%a_][%w_.]*"
    self.names[#self.names + 1] = name
    if self:skip "<" then self:list(self.type, ">") end
  end
end

function Reader:type()
  repeat
    self:primary()
    while self.text:find("^%[%]", self.at) or self.text:find("^%?", self.at) do
      self.at = self.at + (self.text:find("^%?", self.at) and 1 or 2)
    end
  until not self:skip "|"
end

-- ---- tags ----

local TAGS = {}

-- Reads a type; returns its text.
local function type_text(reader)
  reader:skip "%s*"
  local from = reader.at
  reader:type()
  return reader.text:sub(from, reader.at - 1)
end

local function rest(reader)
  return (reader.text:sub(reader.at):gsub("^%s*#?%s*", ""))
end

function TAGS.class(reader, all)
  reader:skip "%(exact%)"
  local class = { fields = {}, about = "" }
  all.classes[reader:expect "[%a_][%w_.]*"] = class
  if reader:skip ":" then class.parent = type_text(reader) end
  return class
end

function TAGS.field(reader, _, class)
  local scope = reader:skip "package%s" or reader:skip "private%s" or reader:skip "protected%s"
  local name = reader:expect "[%a_][%w_]*"
  local is_optional = reader:skip "%?" ~= nil
  class.fields[name] = { scope = scope, is_optional = is_optional, type = type_text(reader),
    about = rest(reader) }
end

function TAGS.operator(reader)
  reader:expect "%l+"
  if reader:skip "%(" then
    reader:type()
    reader:expect "%)"
  end
  reader:expect ":"
  reader:type()
end

function TAGS.alias(reader, all)
  local alias = { values = {} }
  all.aliases[reader:expect "[%a_][%w_.]*"] = alias
  if rest(reader) ~= "" then reader:type() end
  return alias
end

function TAGS.param(reader, _, _, block)
  local name = reader:skip "%.%.%." or reader:expect "[%a_][%w_]*"
  reader:skip "%?"
  block.params[#block.params + 1] = name
  reader:type()
end

TAGS["return"] = function(reader, _, _, block)
  block.returns = block.returns + 1
  reader:type()
end

function TAGS.overload(reader)
  assert(reader.text:find("^%s*fun%(", reader.at), "no function")
  reader:type()
end

function TAGS.type(reader, _, _, block)
  block.type = type_text(reader)
end

-- One value of an alias: | "value" # about
local function alias_value(reader, alias)
  local value = reader:expect '"[^"]*"'
  alias.values[#alias.values + 1] = { value:sub(2, -2), rest(reader) }
end

local function tag(line, all, block)
  local name, text = line:match "^%-%-%-%s?@(%l+)%s*(.*)$"
  local reader = setmetatable({ text = text or line:match "^%-%-%-%s*|%s*(.*)$", at = 1,
    names = all.names }, Reader)
  if reader.text and not name then return alias_value(reader, block.last) end
  if not name then
    block.has_text = block.has_text or line:find "%w" ~= nil
    return
  end
  local read = TAGS[name] or error("no tag @" .. name, 0)
  block.last = read(reader, all, block.last, block) or block.last
end

-- ---- files ----

local function new_block()
  return { params = {}, returns = 0 }
end

local function read_file(path, all)
  local block, number, blocks = nil, 0, {}
  for line in (shell.read(path) .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if line:find "^%s*%-%-%-[^%-]" or line:find "^%s*%-%-%-$" then
      block = block or new_block()
      local done, err = pcall(tag, line:match "^%s*(.*)$", all, block)
      if not done then
        all.errors[#all.errors + 1] = ("%s:%d: %s"):format(path, number, err)
      end
    elseif block and not line:find "^%s*%-%-" then
      blocks[number], block = block, nil
    end
  end
  all.files[path] = blocks
end

---@class spec.Luacats
---@field classes table<string, table>  with `fields` by name, of type, is_optional and about
---@field aliases table<string, table>  with `values`, an array of value and about
---@field files table<string, table<integer, table>>  by path, the comment above each line
---@field names string[]  of all types that are used
---@field errors string[]

---@param paths string[]
---@return spec.Luacats
function _M.read(paths)
  local all = { classes = {}, aliases = {}, files = {}, names = {}, errors = {} }
  for _, path in ipairs(paths) do read_file(path, all) end
  return all
end

return _M
