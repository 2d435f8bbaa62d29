local support = require "spec.support"

-- Every build in every Lua that is here. The builds are made here where only one is
-- wanted.
local HOSTS, VERSIONS, BUILD = {}, {}, os.getenv "BUILD" or ".build"
for lua in support.must "${MAKE:-make} -s --no-print-directory luas":gmatch "%S+" do
  HOSTS[lua] = lua:match "%d.*" or "5.1"
  if lua ~= "luajit" then VERSIONS[#VERSIONS + 1] = HOSTS[lua] end
end

-- The names in what nm prints of API functions, of the kinds `kinds`.
local function names(listing, kinds)
  local set = {}
  for kind, name in listing:gmatch "(%a) (luaL?_[%w_]+)" do
    if kinds:find(kind, 1, true) then set[name] = true end
  end
  return set
end

-- The API functions that a Lua exports, itself or by a library of its own.
local function exported(lua)
  local path = support.quote(support.must("command -v " .. lua):gsub("\n$", ""))
  return names(support.must(("{ echo %s; ldd %s | grep -o '/[^ ]*lua[^ ]*'; } | "
    .. "xargs nm -D --defined-only"):format(path, path)), "T")
end

-- Runs a statement in this Lua, which finds the build of this version.
local function run(lua, version, statement)
  local out = support.must(lua .. " -e " .. support.quote(
    ("print(select(2, pcall(function() %s end)))"):format(statement)), {
    env = { LUA_CPATH = ("%s/%s/?.so;;"):format(BUILD, version) } })
  return (out:gsub("\n$", ""))
end

describe("a build in each Lua #once #apart", function()
  lazy_setup(function()
    for _, version in ipairs(VERSIONS) do
      support.must(("${MAKE:-make} -s LUA=lua%s %s/%s/bitfront/core.so")
        :format(version, BUILD, version))
    end
  end)

  for lua, own in pairs(HOSTS) do
    for _, version in ipairs(VERSIONS) do
      local message = own == version and "loaded"
        or ("this build is for Lua %s, this is Lua %s"):format(version, own)
      it(("of %s, in %s: %s"):format(version, lua, message), function()
        assert.equal(message, run(lua, version, 'require "bitfront.core" return "loaded"'))
      end)
    end
  end

  it("of another one is an error of the first client", function()
    local message = run("lua5.2", "5.4", [[
      return require "bitfront".new { api_key = "k", api_secret = "s" }]])
    assert.truthy(message:find("this build is for Lua 5.4, this is Lua 5.2", 1, true), message)
  end)

  it("is loaded by its own Lua also where _VERSION was removed", function()
    for lua, own in pairs(HOSTS) do
      assert.equal("loaded",
        run(lua, own, '_VERSION = nil require "bitfront.core" return "loaded"'))
    end
  end)

  it("needs only functions that every Lua has; no other is weak", function()
    local hosts = {}
    for lua in pairs(HOSTS) do hosts[lua] = exported(lua) end
    for _, version in ipairs(VERSIONS) do
      local build = support.must(("nm -D --undefined-only %s/%s/bitfront/core.so")
        :format(BUILD, version))
      local needed, weak = names(build, "U"), names(build, "w")
      for lua, has in pairs(hosts) do
        for name in pairs(needed) do
          assert.is_true(has[name], ("%s lacks %s, which compat.h must make weak in %s")
            :format(lua, name, version))
        end
      end
      for name in pairs(weak) do
        local everywhere = true
        for _, has in pairs(hosts) do everywhere = everywhere and has[name] end
        assert.is_nil(everywhere, name .. " is weak, but every Lua has it")
      end
    end
  end)
end)
