local support = require "spec.support"

local ROCKSPEC = "rockspec/bitfront-scm-1.rockspec"

local function load_rockspec()
  local rockspec = {}
  assert(load(support.read(ROCKSPEC), ROCKSPEC, "t", rockspec))()
  return rockspec
end

-- The paths that `find` prints, as a sorted list.
local function files(arguments)
  local list = {}
  for path in support.must("find " .. arguments):gmatch("[^\n]+") do
    list[#list + 1] = path
  end
  table.sort(list)
  return list
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

  lazy_setup(function() rockspec = load_rockspec() end)

  it("compiles every C file", function()
    local sources = rockspec.build.modules["bitfront.core"].sources
    assert.same(files("csrc -name '*.c'"), sorted(sources))
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
    assert.same(files("lua/bitfront -name '*.lua'"), lua_modules(rockspec))
    for name, path in pairs(rockspec.build.modules) do
      if type(path) == "string" then
        local module = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
        assert.equal((module:gsub("/", ".")), name)
      end
    end
  end)

  it("leaves no other file of lua/ out", function()
    assert.same({ rockspec.build.install.bin.bitfront },
                files("lua -type f ! -name '*.lua'"))
  end)

  it("declares what it needs: the Luas of the Makefile, and two rocks", function()
    local luas = support.read "Makefile":match "\nLUAS *= ([^\n]+)"
    local last = 0
    for minor in luas:gmatch "lua5%.(%d+)" do last = math.max(last, tonumber(minor)) end
    assert.same({ ("lua >= 5.1, < 5.%d"):format(last + 1), "lua-cjson", "argparse" },
                rockspec.dependencies)
    assert.is_table(rockspec.external_dependencies.CURL)
    assert.is_table(rockspec.external_dependencies.OPENSSL)
  end)
end)
