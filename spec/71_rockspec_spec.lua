local support = require "spec.support"

local SCM = "rockspec/bitfront-scm-1.rockspec"

local function load_rockspec(path)
  local rockspec, setfenv = {}, rawget(_G, "setfenv")
  local chunk = assert((rawget(_G, "loadstring") or load)(support.read(path), path, "t", rockspec))
  if setfenv then setfenv(chunk, rockspec) end
  chunk()
  return rockspec
end

local function sorted(list)
  local copy = {}
  for i, value in ipairs(list) do copy[i] = value end
  table.sort(copy)
  return copy
end

local function lua_modules(rockspec)
  local paths = {}
  for _, path in pairs(rockspec.build.modules) do
    if type(path) == "string" then paths[#paths + 1] = path end
  end
  return sorted(paths)
end

describe("the rockspec #once", function()
  local rockspec

  lazy_setup(function() rockspec = load_rockspec(SCM) end)

  it("compiles every C file", function()
    local sources = rockspec.build.modules["bitfront.core"].sources
    assert.same(support.lines("find csrc -name '*.c'"), sorted(sources))
  end)

  it("begins with the C file that says which headers are missing", function()
    assert.equal("csrc/needs.c", rockspec.build.modules["bitfront.core"].sources[1])
    local text = support.read("csrc/needs.c")
    for _, package in ipairs { "libcurl4-openssl-dev", "libssl-dev", "curl-dev", "openssl-dev",
                               "libcurl-devel", "openssl-devel", "brew install" } do
      assert.truthy(text:find(package, 1, true), package .. " is not named")
    end
  end)

  it("installs every Lua file under its module's name", function()
    assert.same(support.lines("find lua/bitfront -name '*.lua'"), lua_modules(rockspec))
    for name, path in pairs(rockspec.build.modules) do
      if type(path) == "string" then
        local module = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
        assert.equal((module:gsub("/", ".")), name)
      end
    end
  end)

  it("leaves no other file of lua/ out", function()
    assert.same({ rockspec.build.install.bin.bitfront },
                support.lines("find lua -type f ! -name '*.lua'"))
  end)

  it("declares what it needs: the Luas of the Makefile, and two rocks", function()
    local luas = support.read "Makefile":match "\nLUAS *= ([^\n]+)"
    local last = 0
    for minor in luas:gmatch "lua5%.(%d+)" do last = math.max(last, tonumber(minor)) end
    assert.same({ ("lua >= 5.1, < 5.%d"):format(last + 1), "lua-cjson", "argparse >= 0.7" },
                rockspec.dependencies)
    assert.is_table(rockspec.external_dependencies.CURL)
    assert.is_table(rockspec.external_dependencies.OPENSSL)
  end)

  it("names a script that luarocks test runs, by the Lua of LuaRocks", function()
    assert.same({ type = "command", script = ".ci/luarocks.lua" }, rockspec.test)
    local home = support.tmpdir()
    support.write(home .. "/config.lua", 'rocks_provided = { busted = "2.1.1-1", '
      .. 'argparse = "0.7.1-1", ["lua-cjson"] = "2.1.0-1" } rocks_servers = {}')
    for name, count in pairs {
      ["33_totals"] = "[1-9]%d* passed, 0 failed", no_such = "0 passed",
    } do
      local out, err, code = support.run(("luarocks --lua-version 5.4 test %s -- "
        .. "spec/%s_spec.lua"):format(SCM, name), { env = { HOME = home, CI = false,
        BITFRONT_TALLY = false, LUAROCKS_CONFIG = home .. "/config.lua" } })
      assert.truthy(out:find(count), out .. err)
      assert.equal(name ~= "no_such", code == 0)
    end
  end)
end)

-- ---- a release ----

local function sections_of(changelog)
  local sections, section = {}, nil
  for line in changelog:gmatch "[^\n]+" do
    local name, rest = line:match "^## %[(.-)%](.*)$"
    if name then
      section = { name = name, date = rest:match "^ %- (%d%d%d%d%-%d%d%-%d%d)$", lines = 0 }
      sections[#sections + 1] = section
    elseif section then
      section.lines = section.lines + 1
    end
  end
  return sections
end

---What the files of a tree do not agree on. A version that ends with "-dev" is not
---released yet.
---@param tree { version: string, changelog: string, readme: string, rockspecs: table<string, string>, made: string, sources: table<string, string> }
---@return string[]
local function disagreements(tree)
  local found = {}
  local function expect(condition, message, ...)
    if not condition then found[#found + 1] = message:format(...) end
  end
  local sections = sections_of(tree.changelog)
  local unreleased, last = sections[1], sections[2]
  local number, dev = tree.version:match "^(%d+%.%d+%.%d+)(.*)$"
  local path = ("rockspec/bitfront-%s-1.rockspec"):format(last.name)
  expect(number and (dev == "" or dev == "-dev"), "version.lua: %s is no version", tree.version)
  expect(unreleased.name == "Unreleased", "CHANGELOG.md: the first section is not [Unreleased]")
  expect(last.date, "CHANGELOG.md: [%s] has no date", last.name)
  if dev == "-dev" then
    expect(last.name ~= number, "version.lua: %s is released, so it is not -dev", number)
  else
    expect(last.name == number, "CHANGELOG.md has no section [%s]", tree.version)
    expect(unreleased.lines == 0, "version.lua: what is not released has another version than %s",
      tree.version)
    expect(tree.rockspecs[path] == tree.made, "%s is not what make rockspec writes", path)
  end
  expect(tree.rockspecs[path], "%s is missing", path)
  expect(tree.readme:find("This is version " .. last.name .. ":", 1, true),
    "README.md does not say that this is version %s", last.name)
  for name in tree.readme:gmatch "bitfront%-([%w.]+)%-1%.[%l.]*rock" do
    expect(name == "scm" or name == last.name, "README.md names the rock %s", name)
  end
  for source, text in pairs(tree.sources) do
    expect(source == "lua/bitfront/version.lua"
      or not text:find("%f[%w.]" .. tree.version:gsub("%p", "%%%0") .. "%f[^%w.]"),
      "%s has the version", source)
  end
  return found
end

local function texts_of(paths)
  local texts = {}
  for _, path in ipairs(paths) do texts[path] = support.read(path) end
  return texts
end

describe("a release #once", function()
  local tree

  lazy_setup(function()
    local made = support.tmpdir() .. "/made"
    support.must("make -s rockspec ROCKSPEC=" .. made)
    tree = {
      version = dofile "lua/bitfront/version.lua",
      changelog = support.read "CHANGELOG.md", readme = support.read "README.md",
      rockspecs = texts_of(support.lines "find rockspec -type f"), made = support.read(made),
      sources = texts_of(support.lines "find lua csrc .ci Makefile -type f"),
    }
  end)

  it("has one version, in all of its files", function()
    assert.same({}, disagreements(tree))
  end)

  it("has rockspecs in which luarocks lint finds nothing", function()
    local env = { HOME = support.tmpdir() }
    for path in pairs(tree.rockspecs) do
      support.must("luarocks --lua-version 5.4 lint " .. path, { env = env })
    end
  end)

  -- A tree in which all is right, but for what `change` does.
  local function example(change)
    local rockspec = "rockspec/bitfront-2.1.0-1.rockspec"
    local made = {
      version = "2.1.0", made = "rockspec of 2.1.0",
      changelog = "# Changelog\n\n## [Unreleased]\n\n## [2.1.0] - 2026-11-27\n\n- new\n"
        .. "## [2.0.0] - 2026-01-01\n",
      readme = "This is version 2.1.0: rockspec/bitfront-scm-1.rockspec\n",
      rockspecs = { [rockspec] = "rockspec of 2.1.0" },
      sources = { ["lua/bitfront/version.lua"] = 'return "2.1.0"', ["csrc/a.c"] = "12.1.0 2.1.01" },
    }
    change(made, rockspec)
    return made
  end

  for name, row in pairs {
    ["nothing"] = { change = function() end },
    ["a version for what comes next"] = { change = function(t)
      t.version, t.made = "2.2.0-dev", "another"
      t.changelog = t.changelog:gsub("%[Unreleased%]\n", "%0\n- newer\n")
    end },
    ["a change of a released version"] = { change = function(t)
      t.changelog = t.changelog:gsub("%[Unreleased%]\n", "%0\n- newer\n")
    end, "version.lua: what is not released has another version than 2.1.0" },
    ["a version that is no version"] = { change = function(t) t.version = "2.1" end,
      "version.lua: 2.1 is no version", "CHANGELOG.md has no section [2.1]" },
    ["a version that is not in the changelog"] = { change = function(t) t.version = "2.1.1" end,
      "CHANGELOG.md has no section [2.1.1]" },
    ["a version that is still -dev"] = { change = function(t) t.version = "2.1.0-dev" end,
      "version.lua: 2.1.0 is released, so it is not -dev" },
    ["no section for what comes next"] = { change = function(t)
      t.changelog = t.changelog:gsub("Unreleased", "3.0.0")
    end, "CHANGELOG.md: the first section is not [Unreleased]" },
    ["no date"] = { change = function(t) t.changelog = t.changelog:gsub(" %- 2026%-11%-27", "") end,
      "CHANGELOG.md: [2.1.0] has no date" },
    ["no rockspec"] = { change = function(t) t.rockspecs = {} end,
      "rockspec/bitfront-2.1.0-1.rockspec is not what make rockspec writes",
      "rockspec/bitfront-2.1.0-1.rockspec is missing" },
    ["an old rockspec"] = { change = function(t, path) t.rockspecs[path] = "old" end,
      "rockspec/bitfront-2.1.0-1.rockspec is not what make rockspec writes" },
    ["an old README"] = { change = function(t)
      t.readme = "This is version 2.0.0: bitfront-2.0.0-1.src.rock bitfront-2.1.0-1.rockspec"
    end, "README.md does not say that this is version 2.1.0", "README.md names the rock 2.0.0" },
    ["a version in a second place"] = { change = function(t) t.sources["csrc/a.c"] = '"2.1.0"' end,
      "csrc/a.c has the version" },
  } do
    it("is checked by what finds: " .. name, function()
      local messages = {}
      for i, message in ipairs(row) do messages[i] = message end
      assert.same(messages, disagreements(example(row.change)))
    end)
  end
end)
