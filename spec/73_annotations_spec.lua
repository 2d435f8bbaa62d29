-- The annotations are comments, and editors are all that reads them. Here they are
-- held against what they describe.

local luacats = require "spec.support.luacats"
local bitfront = require "bitfront"
local support = require "spec.support"

local all = luacats.read(support.lines "find lua/bitfront -name '*.lua'")

local BUILTIN = { ["file*"] = true }
for name in ("any boolean false function integer lightuserdata nil number self string table "
  .. "thread true unknown userdata"):gmatch "%l+" do
  BUILTIN[name] = true
end

-- ---- functions ----

-- What is wrong with the comment above a function, which is at that line.
local function error_of_function(path, line)
  local block = all.files[path][line]
  if not block then return "has no comment" end
  if not block.has_text then return "has no description" end
  local text = support.read(path)
  for _ = 2, line do text = text:match "\n(.*)" end
  local params = text:match "^[^(]*%(([^)]*)%)"
  local named, body = {}, text:match "^(.-)\nend"
  for name in params:gmatch "[%a_][%w_]*" do named[#named + 1] = name end
  if table.concat(named, " ") ~= table.concat(block.params, " ") then
    return ("takes (%s), and the comment has (%s)"):format(table.concat(named, " "),
      table.concat(block.params, " "))
  elseif body:find "\n  return [^\n]" and block.returns == 0 then
    return "has no @return"
  end
end

-- A function that another one made has a comment with its type, where it is given
-- its name.
local function has_type(path, name)
  local number = 0
  for line in support.read(path):gmatch "([^\n]*)\n" do
    number = number + 1
    local block = line:find("^_M%." .. name .. " = ") and all.files[path][number]
    if block then return block.has_text and block.type ~= nil end
  end
  return false
end

-- What is wrong with the functions of a table, and how many there are.
local function errors_of(prefix, functions)
  local found, count = {}, 0
  for name, value in pairs(functions) do
    if type(value) == "function" and name:sub(1, 1) ~= "_" then
      local info = debug.getinfo(value, "S")
      local path = info.source:match "^@.*(lua/bitfront/.*)$"
      local err = "is in no file of the package"
      if path then err = error_of_function(path, info.linedefined) end
      if err and path and has_type(path, name) then err = nil end
      found[#found + 1] = err and ("%s%s %s"):format(prefix, name, err) or nil
      count = count + 1
    end
  end
  return found, count
end

-- The methods of a class whose module works in nginx alone: by its text.
local function errors_of_methods(path, class)
  local found, number, count = {}, 0, 0
  for line in support.read(path):gmatch "([^\n]*)\n" do
    number = number + 1
    local name = line:match("^function " .. class .. ":(%l[%w_]*)%(")
    local err = name and error_of_function(path, number)
    found[#found + 1] = err and ("%s:%s %s"):format(class, name, err) or nil
    count = count + (name and 1 or 0)
  end
  return found, count
end

describe("annotations #once", function()
  it("are such as an editor can read", function()
    assert.same({}, all.errors)
  end)

  it("name types that there are", function()
    for _, name in ipairs(all.names) do
      assert.truthy(BUILTIN[name] or all.classes[name] or all.aliases[name], name)
    end
  end)

  for prefix, made in pairs {
    ["bitfront."] = function() return bitfront, 18 end,
    ["client:"] = function()
      local client = bitfront.new { api_key = "key", api_secret = "secret" }
      client:close()
      return getmetatable(client).__index, 5
    end,
    ["bitfront.json."] = function() return bitfront.json, 2 end,
    ["bitfront.nginx."] = function() return require "bitfront.nginx", 3 end,
    ["bitfront.sandbox."] = function() return require "bitfront.sandbox", 5 end,
  } do
    it("are on each function of " .. prefix, function()
      local functions, least = made()
      local found, count = errors_of(prefix, functions)
      assert.same({}, found)
      assert.is_true(count >= least, prefix .. count)
    end)
  end

  it("are on each method of a cache", function()
    local found, count = errors_of_methods("lua/bitfront/nginx/cache.lua", "Cache")
    assert.same({}, found)
    assert.is_true(count >= 1)
  end)

  it("have each method of a decimal, and no other", function()
    local methods = {}
    for name in pairs(all.classes["bitfront.Decimal"].fields) do methods[name] = true end
    for name in pairs(debug.getmetatable(bitfront.decimal "1").__index) do
      assert.is_true(methods[name], name)
      methods[name] = nil
    end
    assert.same({}, methods)
  end)

  it("are read by what finds each of these mistakes", function()
    local path = support.tmpdir() .. "/mistakes.lua"
    local MISTAKES = {
      "---@parm x string", "---@param x", "---@param x fun(", "---@return table<string",
      "---@field ? string", "---@class", "---@overload string", '---| "x',
      "---@alias a.B {x: }", "---@operator add", "---@param x string|",
    }
    support.write(path, "---@class a.A\n" .. table.concat(MISTAKES, "\n") .. "\n")
    assert.equal(#MISTAKES, #luacats.read({ path }).errors)
  end)
end)

-- ---- tables ----

-- What the annotation of an option ends with.
local function ending_of(row)
  local version = require "bitfront.version"
  local value = row.default
  if row.fallback then return ", else " .. row.fallback end
  if value == nil then return "" end
  if type(value) == "table" then return "; default those of the reply" end -- columns
  if type(value) ~= "string" then return ("; default %.0f"):format(value) end
  if value:find(version, 1, true) then
    return "; default " .. value:gsub("%f[%d]%d.*", "VERSION")
  end
  return ('; default "%s"'):format(value)
end

-- Values that an option of a type takes, and one that it does not.
local PROBES = { boolean = { true, false, wrong = 1 }, integer = { 1, wrong = 1.5 },
                 number = { 0.5, 1, wrong = "1" } }

-- What is wrong with the type of an option, by what its check takes.
local function error_of_type(row, written)
  local probes = PROBES[written] or {}
  for literal in written:gmatch '"([^"]*)"' do probes[#probes + 1] = literal end
  for _, value in ipairs(probes) do
    if not row.check(value) then return "does not take " .. tostring(value) end
  end
  if probes.wrong and row.check(probes.wrong) then return "is no " .. written end
end

-- What is wrong with the annotation of an option.
local function error_of_option(row, field)
  if not field then return "has no @field" end
  local ending, is_optional = ending_of(row), not row.is_required
  if field.is_optional ~= is_optional then
    return is_optional and "must have a ?" or "must have no ?"
  elseif not field.about:find "%a" then
    return "has no description"
  elseif field.about:sub(#field.about - #ending + 1) ~= ending then
    return ("must end with %q"):format(ending)
  elseif ending == "" and field.about:find '; default ["%d]' then
    return "has no default"
  end
  return row.check and error_of_type(row, field.type)
end

local function errors_of_options(rows, class)
  local found, fields = {}, all.classes[class].fields
  for name, row in pairs(rows) do
    local err = error_of_option(row, fields[name])
    if err then found[#found + 1] = ("%s.%s %s"):format(class, name, err) end
  end
  for name in pairs(fields) do
    if not rows[name] then found[#found + 1] = ("%s.%s is no option"):format(class, name) end
  end
  return found
end

describe("the annotations of", function()
  local rows = require "bitfront.options".rows
  local site_rows = require "bitfront.nginx.site_options".rows
  local status = require "bitfront.status"

  for class, options in pairs {
    ["bitfront.Options"] = rows["bitfront.new"], ["bitfront.RateLimit"] = rows.rate_limit,
    ["bitfront.CallOptions"] = rows["client:balances"],
    ["bitfront.JsonOptions"] = rows["bitfront.json.decode"],
    ["bitfront.PricesOptions"] = rows["bitfront.prices"],
    ["bitfront.ManyOptions"] = rows["bitfront.balances_many"],
    ["bitfront.RedisOptions"] = rows["bitfront.redis_limiter"],
    ["bitfront.FormatOptions"] = require "bitfront.records.format".options,
    ["bitfront.Filter"] = require "bitfront.records.filter".keys,
    ["bitfront.nginx.CacheOptions"] = site_rows["bitfront.nginx.cached"],
    ["bitfront.nginx.ServeOptions"] = site_rows["bitfront.nginx.serve"],
    ["bitfront.SandboxOptions"] = require "bitfront.sandbox".options,
  } do
    it(class .. " are what their rows say #once", function()
      assert.same({}, errors_of_options(options, class))
    end)

    it(class .. " have defaults that are right #once", function()
      for name, row in pairs(options) do
        assert.truthy(row.default == nil or row.check(row.default), name)
      end
    end)
  end

  it("kinds of errors have a value for each row, with its description #once", function()
    local kinds = {}
    for i, value in ipairs(all.aliases["bitfront.ErrorKind"].values) do
      kinds[i] = value[1]
      assert.truthy(value[2]:find "%a", value[1])
    end
    assert.same(require "bitfront.rows".names(status.KINDS), kinds)
  end)
end)

describe("the table of status codes", function()
  it("has kinds that there are, and no code twice #once", function()
    local status = require "bitfront.status"
    local kinds, seen = {}, {}
    for _, row in ipairs(status.KINDS) do kinds[row.name] = true end
    for _, row in ipairs(status.CODES) do
      assert.is_true(kinds[row[2]], row[2])
      assert.is_nil(seen[row[1]], tostring(row[1]))
      assert.truthy(row[3]:find "%a")
      seen[row[1]] = true
    end
  end)
end)
