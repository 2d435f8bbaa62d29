-- What the README lists, held against the code in both directions: nothing that is
-- there is missing in the README, and nothing that is listed is missing in the code.

local bitfront = require "bitfront"
local columns = require "bitfront.records.columns"
local command = require "spec.support.command"
local readme = require "spec.support.readme"
local rows = require "bitfront.rows"
local support = require "spec.support"

local doc, table_of, LUA, C = readme.doc, readme.table_of, readme.LUA, readme.C

local function output_of(arguments)
  local out, err = support.run(command.line(arguments), { env = command.environment() })
  return out .. err
end

-- ---- functions and options ----

-- The fields of a class, by its annotations: name and text.
local function fields_of(class)
  local line = "%-%-%-@class " .. class:gsub("%.", "%%.")
  local body = LUA:match(line .. "\n(.-)\n[^%-]") or LUA:match(line .. "[: ][^\n]*\n(.-)\n[^%-]")
  assert(body, "there is no class " .. class)
  local fields = {}
  for name, text in ("\n" .. body):gmatch "\n%-%-%-@field ([%w_]+)%??([^\n]*)" do
    fields[name] = text
  end
  return fields
end

local function default_of(text)
  return text:match 'default `?(%d[%d.]*%d)' or text:match 'default `?(%d)'
    or text:match 'default `?("[^"]+")'
end

local OPTIONS = {
  ["bitfront.new"] = "bitfront.Options",
  ["bitfront.balances_many"] = "bitfront.ManyOptions",
  ["client:balances"] = "bitfront.CallOptions",
  ["bitfront.json.decode"] = "bitfront.JsonOptions",
  ["bitfront.prices"] = "bitfront.PricesOptions",
  ["bitfront.redis_limiter"] = "bitfront.RedisOptions",
  ["bitfront.filter"] = "bitfront.Filter",
  ["bitfront.format"] = "bitfront.FormatOptions",
  ["bitfront.nginx.cached"] = "bitfront.nginx.CacheOptions",
  ["bitfront.nginx.serve"] = "bitfront.nginx.ServeOptions",
  ["sandbox.start"] = "bitfront.SandboxOptions",
}

local function compare_options(listed, class)
  local fields = fields_of(class)
  assert.same({}, readme.differences(support.keys(fields), support.keys(listed)))
  for name, text in pairs(fields) do
    local default = default_of(text)
    if default then assert.equal(default, default_of(listed[name].text), name) end
  end
end

describe("the README's reference lists", function()
  for heading, class in pairs(OPTIONS) do
    it("the options of " .. heading .. ", with their defaults", function()
      compare_options(doc.entries[heading].options, class)
    end)
  end

  it("what is in rate_limit", function()
    compare_options(doc.entries["bitfront.new"].options.rate_limit.nested, "bitfront.RateLimit")
  end)

  -- Functions by their README names, of which each has an entry with its syntax.
  local function functions(prefix, module)
    local names = {}
    for name, value in pairs(module) do
      if type(value) == "function" and name:sub(1, 1) ~= "_" then names[prefix .. name] = true end
    end
    return names
  end

  local client = bitfront.new { api_key = "key", api_secret = "secret" }
  local cache = {} -- whose module works in nginx alone: by its text
  for name in LUA:gmatch "\nfunction Cache:([%w_]+)%(" do cache[name] = print end
  for prefix, module in pairs {
    ["bitfront."] = bitfront, ["client:"] = getmetatable(client).__index, ["cache:"] = cache,
    ["bitfront.json."] = bitfront.json,
    ["bitfront.nginx."] = require "bitfront.nginx", ["sandbox."] = require "bitfront.sandbox",
  } do
    it("each function of " .. prefix .. " and no other", function()
      local listed = {}
      for heading, entry in pairs(doc.entries) do
        local name = heading:sub(1, #prefix) == prefix and heading:sub(#prefix + 1) or ""
        if name:find "^%l[%w_]*$" and not (prefix == "bitfront." and name == "nginx") then
          listed[heading] = true
          assert.truthy(entry.syntax and entry.syntax:find(name .. "(", 1, true), heading)
        end
      end
      assert.same({}, readme.differences(support.keys(functions(prefix, module)),
        support.keys(listed)))
    end)
  end

  it("each method of a decimal and no other", function()
    local text = support.read "README.md":match "\n#### bitfront.decimal\n(.-)\n####"
    assert.same(support.keys(functions("", debug.getmetatable(bitfront.decimal "1").__index)),
      readme.set(readme.matches(text, "decimal:([%w_]+)%(")))
  end)

  it("the version", function()
    assert.truthy(doc.entries["bitfront._VERSION"].syntax)
  end)
end)

-- ---- errors ----

describe("the README's table of errors", function()
  local kinds = table_of "kind | when | codes"

  -- A refusal by its statusCode, or an error of that kind.
  local function made(fields)
    fields.message = ""
    return require "bitfront.error".new(fields, 0)
  end

  it("has each of the fields", function()
    assert.same(support.keys(fields_of "bitfront.Error"),
      support.keys(table_of "field | what it is"))
  end)

  it("has each status code under its kind", function()
    local listed = {}
    for kind, row in pairs(kinds) do
      for code in row[3]:gmatch "%d%d%d%d" do listed[tonumber(code)] = kind end
    end
    for code = 1001, 9999 do
      local kind = listed[code] or code >= 5000 and code <= 5999 and "server" or "request"
      assert.equal(made({ code = code }).kind, kind,
        ("the row in the README that %d belongs to"):format(code))
    end
  end)

  it("tells which are retryable", function()
    local sentence = support.read "README.md":match "\nRetryable are (.-)%."
    local retryable = readme.words(sentence)
    for kind, row in pairs(kinds) do
      local code = tonumber(row[3]:match "%d%d%d%d")
      local err = made(code and { code = code }
        or { kind = kind ~= "request" and kind or nil, code = 4000, http_status = 503 })
      assert.same({ kind, retryable[kind] or false }, { err.kind, err.retryable })
    end
    assert.is_false(made({ kind = "http", code = "status", http_status = 404 }).retryable)
    assert.is_true(made({ kind = "http", code = "status", http_status = 429 }).retryable)
  end)

  -- Words that stand beside a kind in the code.
  local function in_code()
    local pairs_found = {}
    for kind, code in C:gmatch 'BF_(%u+),%s*"(%l[%l_]*)"' do
      pairs_found[#pairs_found + 1] = { kind:lower(), code }
    end
    for kind, code in LUA:gmatch 'kind = "(%l[%l_]*)",%s*code = "(%l[%l_]*)"' do
      pairs_found[#pairs_found + 1] = { kind, code }
    end
    return pairs_found
  end

  it("has each word that is a code in the code", function()
    local found = in_code()
    assert.is_true(#found > 60)
    for _, pair in ipairs(found) do
      if kinds[pair[1]] then
        assert.truthy(readme.words(kinds[pair[1]][3])[pair[2]], pair[1] .. " " .. pair[2])
      end
    end
  end)

  it("has no word that is not in the code", function()
    for kind, row in pairs(kinds) do
      for word in pairs(readme.words(row[3])) do
        local quoted = '"' .. word .. '"'
        assert.truthy(C:find(quoted, 1, true) or LUA:find(quoted, 1, true), kind .. " " .. word)
      end
    end
  end)
end)

-- ---- records ----

local RECORD = {} -- each column has a value
for _, column in ipairs(columns) do RECORD[column.name] = column.kind == "text" and "BTC" or 2 end

describe("the README's tables of formats", function()
  it("have each format", function()
    local formats = table_of "format | what it is"
    local one_of = output_of "balances --help":match "One of (.-)%."
    assert.same({}, readme.differences(readme.matches(one_of, "%l+"), support.keys(formats)))
    for name in pairs(formats) do bitfront.format({ RECORD }, name) end
    assert.has_error(function() bitfront.format({ RECORD }, "xml") end)
  end)

  it("have each column", function()
    local listed = table_of "column | what it is"
    local message = output_of "balances --columns nope"
    local named = message:match "'nope': ([%w, ]+)" or message:match '"nope"[^:]*: ([%w, ]+)'
    assert.same({}, readme.differences(readme.matches(named, "%w+"), support.keys(listed)))
    for name in pairs(listed) do bitfront.format({ RECORD }, "csv", { columns = { name } }) end
  end)

  it("have each field of a record", function()
    local text = support.read "README.md":match "#### client:balances\n.-records `(.-)`"
    assert.same(rows.names(columns, { from = "reply" }), readme.matches(text, "(%w+) ="))
  end)

  it("have each state of a balance", function()
    local text = table_of "format | what it is".prometheus[2]
    for _, column in ipairs(columns) do
      local state = column.state
      assert.truthy(not state or text:find('["`]' .. state .. '["`]'), state)
    end
  end)

  it("have each key to sort by", function()
    local named = output_of "balances --help":match "Order by one of (.-)%."
    local keys = readme.set(readme.matches(named, "%w+"))
    local text = support.read "README.md":match "#### bitfront.sort\n.-`key` is (.-)%."
    assert.same({}, readme.differences(keys, readme.matches(text, '`"(%w+)"`')))
    for _, key in ipairs(keys) do bitfront.sort({ RECORD }, key) end
  end)
end)

-- ---- the command ----

describe("the README's part on the command", function()
  local names = {}
  for name in output_of "--help":match "Commands:\n(.*)":gmatch "\n?   ([%l-]+)  " do
    names[#names + 1] = name
  end

  it("has each command", function()
    local listed = {}
    for heading in pairs(doc.entries) do
      local name = heading:match "^bitfront ([%l-]+)$"
      if name then listed[name] = true end
    end
    assert.is_true(#names >= 7)
    assert.same({}, readme.differences(names, support.keys(listed)))
  end)

  local described = {}
  for _, name in ipairs(names) do
    for option in pairs((doc.entries["bitfront " .. name] or { options = {} }).options) do
      described[option:match "^%-%-[%l-]+"] = true
    end
  end

  for _, name in ipairs(names) do
    it("has the options of " .. name, function()
      local options = readme.matches(output_of(name .. " --help"), "\n   [%-h, ]*(%-%-[%l-]+)")
      local listed = readme.matches(doc.entries["bitfront " .. name].syntax, "%[(%-%-[%l-]+)")
      listed[#listed + 1] = "--help"
      assert.same({}, readme.differences(options, listed))
      for _, option in ipairs(listed) do
        assert.truthy(described[option] or option == "--help", option)
      end
    end)
  end
end)
