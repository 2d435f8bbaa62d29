local nginx = require "spec.support.nginx"
local support = require "spec.support"

-- No rocks server is asked: the two rocks it depends on count as provided, by
-- whatever this machine has.
local CONFIG = [[
rocks_provided = { ["lua-cjson"] = "2.1.0-1", argparse = "0.7.1-1" }
rocks_servers = {}
home_tree = "%s"
]]

local PROGRAM = [[
local bitfront = require "bitfront"
print(bitfront._VERSION)
print(bitfront.sign("dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI", 12345, 1523864107010,
                    "GET", "/v1/account/balances"))
print(package.searchpath and package.searchpath("bitfront.core", package.cpath) or "")
]]

local SIGNATURE = "f23e24bfff7faf21f51eb2d36c510bd2c2cc4202fc9f1e28de06e929b318c3cd"

local FLAGS = support.quote "CFLAGS=-O0 -fPIC"

-- What a clone has.
local function copy_of_tree(dir)
  support.must("cp -R csrc lua rockspec LICENSE " .. support.quote(dir))
end

-- A shell command in which LuaRocks knows only the folder `dir`, and a tree in it.
local function luarocks(dir, version, tree, arguments)
  local command = ("luarocks --lua-version %s --tree %s %s")
    :format(version, support.quote(dir .. "/" .. tree), arguments)
  return support.must(command, {
    cwd = dir,
    env = { LUAROCKS_CONFIG = dir .. "/config.lua", HOME = dir, CI = false },
  })
end

local function bitfront_version()
  return dofile("lua/bitfront/version.lua")
end

-- Where man finds the page of a command in this folder, without this tree's build on
-- the PATH, which has a page too.
local function man(bin, arguments)
  return support.run("man -w " .. arguments,
    { env = { PATH = bin .. ":/usr/bin:/bin", MANPATH = false } })
end

local function finds_man_page(bin)
  local path = man(bin, "bitfront"):gsub("\n$", "")
  assert.equal(bin:gsub("/bin$", ""), path:sub(1, #bin - 4))
  assert.truthy(support.read(path):find(("^%%.TH BITFRONT 1 [%%d-]+ %q"):format(
    "bitfront " .. bitfront_version())))
end

-- How the rock is packed, by the version of Lua: in a clone, as a reader of the README
-- does it, and from the archive of a release, which its rockspec names.
local PACK = {
  ["5.1"] = function(dir)
    copy_of_tree(dir)
    luarocks(dir, "5.1", "tree", "make --pack-binary-rock rockspec/bitfront-scm-1.rockspec "
      .. FLAGS)
    support.must("rm -rf csrc lua bitfront", { cwd = dir })
  end,
  ["5.4"] = function(dir)
    local name = "bitfront-" .. bitfront_version()
    local rockspec = name .. "-1.rockspec"
    support.must("mkdir " .. name, { cwd = dir })
    copy_of_tree(dir .. "/" .. name)
    support.write(dir .. "/" .. rockspec, (support.read("rockspec/" .. rockspec)
      :gsub("https://example%.org/bitfront", "file://" .. dir)))
    support.must(("tar -czf %s.tar.gz %s && rm -rf %s"):format(name, name, name), { cwd = dir })
    luarocks(dir, "5.4", "tree", "pack " .. rockspec)
    luarocks(dir, "5.4", "tree", ("build --pack-binary-rock %s-1.src.rock "):format(name) .. FLAGS)
    support.must(("rm %s-1.src.rock %s.tar.gz"):format(name, name), { cwd = dir })
  end,
}

-- A folder with the packed rock alone.
local function pack_rock(version)
  local dir = support.tmpdir()
  support.write(dir .. "/config.lua", CONFIG:format(dir))
  PACK[version](dir)
  return dir
end

-- Installs the packed rock; returns the tree's folder.
local function install_rock(dir, version, tree, mode)
  luarocks(dir, version, tree, ("install --deps-mode=%s ./bitfront-*.rock"):format(mode))
  return dir .. "/" .. tree
end

-- Only the installed tree and the system's own modules.
local function environment(tree, version)
  return {
    LUA_PATH = ("%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua;;")
      :format(tree, version, tree, version),
    LUA_CPATH = ("%s/lib/lua/%s/?.so;;"):format(tree, version),
  }
end

local function run(lua, tree, version)
  local empty = support.tmpdir()
  support.write(empty .. "/program.lua", PROGRAM)
  return support.must(lua .. " program.lua", { cwd = empty, env = environment(tree, version) })
end

local function behaves_like_an_installation(tree, lua, version)
  local loaded_version, signature, path = run(lua, tree, version):match("(.-)\n(.-)\n(.-)\n")
  assert.equal(bitfront_version(), loaded_version)
  assert.equal(SIGNATURE, signature)
  if path ~= "" then assert.equal(tree, path:sub(1, #tree)) end
end

-- No variable tells a command where its modules are.
local BARE = { LUA_PATH = false, LUA_CPATH = false }

local function command_runs(command)
  local out = support.must(support.quote(command) .. " --version",
                           { cwd = support.tmpdir(), env = BARE })
  assert.equal("bitfront " .. bitfront_version() .. "\n", out)
end

-- The same by a symbolic link in PATH, to a name that is a link as well.
local function runs_by_links(command)
  local dir = support.tmpdir()
  support.must(("mkdir bin && ln -s %s one && ln -s ../one bin/bitfront"):format(
    support.quote(command)), { cwd = dir })
  command_runs(dir .. "/bin/bitfront")
  support.must("PATH=$PWD/bin:$PATH && cd / && bitfront --version", { cwd = dir, env = BARE })
end

local SANDBOX = [[
  exports=$("$0" sandbox --background --port 0 --dir "$1") || exit 1
  eval "$exports"
  "$0" balances --format json; status=$?
  "$0" sandbox --stop --dir "$1" >/dev/null
  exit $status]]

-- The command of an installation shows the balances of its own sandbox.
local function shows_balances(command)
  local dir = support.tmpdir()
  local out = support.must(("sh -c %s %s %s"):format(
    support.quote(SANDBOX), support.quote(command), support.quote(dir)),
    { cwd = dir, env = BARE })
  assert.truthy(out:find('"balance":1000107794.9999858', 1, true))
end

-- The nginx.conf that the command of an installation prints, and what it says to stderr.
local function printed_conf(command)
  local out, err, code = support.run(support.quote(command) .. " nginx-conf",
    { cwd = support.tmpdir(), env = BARE })
  assert.equal(0, code, err)
  return out, err
end

-- An nginx that is started with it shows the balances of a sandbox, by that tree alone.
local function serves_balances(tree)
  local exchange = support.sandbox()
  local out, err = printed_conf(tree .. "/bin/bitfront")
  assert.equal("", err)
  local site = nginx.start { whole = nginx.as_printed(out), env = {
    BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
    BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file } }
  local reply = site:get("/balances", { Accept = "application/json" })
  local modules = ""
  for _, pid in ipairs(site:workers()) do
    modules = modules .. support.read(("/proc/%d/maps"):format(pid))
  end
  site:stop()
  exchange:stop()
  assert.equal(200, reply.status, reply.body)
  assert.truthy(modules:find(tree .. "/lib/lua/5.1/bitfront/core.so", 1, true))
end

-- What a module needs of the program that loads it: names that no library gives it.
-- A compiler that optimises may put in a function's place what it does.
local function needs_only_lua(module)
  local symbols = support.must("nm -D --undefined-only " .. support.quote(module))
  for name in symbols:gmatch(" U ([^\n]+)") do
    assert.truthy(name:find "@" or name:find "^lua" or name:find "^curl_", name)
  end
end

describe("the packed rock #once #apart", function()
  for version, interpreters in pairs { ["5.4"] = { "lua5.4" }, ["5.1"] = { "lua5.1", "luajit" } } do
    describe("in a tree for Lua " .. version, function()
      local dir, tree

      lazy_setup(function()
        dir = pack_rock(version)
        tree = install_rock(dir, version, "tree", "one")
      end)

      for _, lua in ipairs(interpreters) do
        it("is required by " .. lua .. " from an empty folder", function()
          behaves_like_an_installation(tree, lua, version)
        end)
      end

      it("brings the command", function()
        command_runs(tree .. "/bin/bitfront")
        shows_balances(tree .. "/bin/bitfront")
      end)

      for _, mode in ipairs { "one", "order", "all", "none" } do
        it("brings a command that finds its modules after --deps-mode=" .. mode, function()
          local other = install_rock(dir, version, "a tree of " .. mode, mode)
          command_runs(other .. "/bin/bitfront")
          runs_by_links(other .. "/bin/bitfront")
        end)
      end

      if version == "5.1" then
        it("prints an nginx.conf with which nginx serves its balances", function()
          serves_balances(tree)
          serves_balances(install_rock(dir, version, "a tree for nginx", "none"))
        end)
      end

      it("names each library that it needs", function()
        needs_only_lua(tree .. "/lib/lua/" .. version .. "/bitfront/core.so")
      end)

      it("exports no symbol but the one that Lua looks for", function()
        local symbols = support.must("nm -D --defined-only "
          .. support.quote(tree .. "/lib/lua/" .. version .. "/bitfront/core.so"))
        for name in symbols:gmatch(" T ([^\n]+)") do
          assert.equal("luaopen_bitfront_core", name)
        end
      end)

      it("installs nothing outside its own names", function()
        local out = support.must("ls bin share/lua/" .. version .. " lib/lua/" .. version,
                                 { cwd = tree })
        assert.equal(("bin:\nbitfront\n\nlib/lua/%s:\nbitfront\n\nshare/lua/%s:\nbitfront\n")
          :format(version, version), out)
      end)

      it("brings the man page, and takes it away again", function()
        finds_man_page(tree .. "/bin")
        luarocks(dir, version, "tree", "remove bitfront")
        local out, _, code = man(tree .. "/bin", "bitfront")
        assert.same({ "", 16 }, { out, code })
      end)
    end)
  end
end)

describe("make #once #apart", function()
  it("links whatever the compiler leaves to libraries", function()
    local build = support.tmpdir()
    support.must("make -s LUA=lua5.4 CFLAGS='-O0 -fno-builtin' all helpers",
      { env = { BUILD = build } })
    needs_only_lua(build .. "/5.4/bitfront/core.so")
  end)
end)

-- In the environment of this tree's build, as a reader of the README has it.
local function in_env(command, lua, path)
  return support.run(('eval "$(make -s --no-print-directory env LUA=%s)"; %s'):format(lua, command),
    { env = { LUA_PATH = false, LUA_CPATH = false, LUA_PATH_5_4 = path, LUA = false } })
end

describe("make env #once #apart", function()
  local OTHER = [[lua5.2 -e 'print(pcall(require, "bitfront.core"))']]

  it("lets its Lua and the shell find this tree", function()
    local out = in_env([[lua5.4 -e 'print(require "bitfront"._VERSION)'; bitfront --version]],
                       "lua5.4")
    assert.equal(("%s\nbitfront %s\n"):format(bitfront_version(), bitfront_version()), out)
  end)

  it("keeps what its Lua's variable has", function()
    local tree = support.tmpdir()
    support.write(tree .. "/own.lua", "return 'own'")
    for _, path in ipairs { tree .. "/?.lua", tree .. "/?.lua;;" } do
      local out = in_env([[lua5.4 -e 'print(require "own", require "bitfront"._VERSION)']],
                         "lua5.4", path)
      assert.equal(("own\t%s\n"):format(bitfront_version()), out)
    end
  end)

  it("changes nothing for another Lua", function()
    assert.equal(support.run(OTHER, { env = { LUA_PATH = false, LUA_CPATH = false } }),
      in_env(OTHER, "lua5.4"))
  end)
end)

describe("the command of a checkout #once #apart", function()
  it("finds its modules from anywhere", function()
    support.must "make -s all LUA=lua5.4"
    command_runs(support.must("pwd"):gsub("\n", "") .. "/.build/bin/bitfront")
    local dir = support.tmpdir()
    support.must(("ln -s %s/lua %s/linked"):format("$PWD", dir))
    local line = ("lua5.4 %s/linked/bitfront/cli/bitfront "):format(dir)
    assert.equal("bitfront " .. bitfront_version() .. "\n",
      support.must(line .. "--version", { cwd = dir, env = BARE }))
    assert.truthy(support.must(line .. "--help", { cwd = dir, env = BARE }):find "nginx%-conf")
  end)

  it("lets the environment name another build", function()
    local dir = support.tmpdir()
    support.must("mkdir bitfront", { cwd = dir })
    support.write(dir .. "/bitfront/core.lua", "error 'another build'")
    local _, err = support.run("lua5.4 lua/bitfront/cli/bitfront time",
      { env = { LUA_PATH = dir .. "/?.lua;;", LUA_CPATH = false } })
    assert.truthy(err:find("another build", 1, true), err)
  end)
end)

describe("make run #once #apart", function()
  it("ends with the sandbox stopped", function()
    local out = support.must("make -s run LUA=lua5.4", { env = { LUA_PATH = false,
                                                                LUA_CPATH = false } })
    assert.truthy(out:find("1000107794.9999858", 1, true), out)
    assert.equal("The sandbox is stopped.\n", out:match "[^\n]*\n$")
  end)
end)

describe("make spec #once #apart", function()
  it("tells how to name one", function()
    local _, err, code = support.run "make -s spec SPEC=no_such"
    assert.is_true(code ~= 0)
    assert.truthy(err:find("make spec SPEC=25_clock", 1, true), err)
  end)
end)

describe("make install #once #apart", function()
  local root

  lazy_setup(function()
    root = support.tmpdir()
    support.must("make -s install LUA=lua5.4 PREFIX=/usr DESTDIR=" .. support.quote(root))
  end)

  it("puts the module under PREFIX in DESTDIR, where Lua finds it", function()
    behaves_like_an_installation(root .. "/usr", "lua5.4", "5.4")
  end)

  it("puts the command in PREFIX/bin", function()
    command_runs(root .. "/usr/bin/bitfront")
    shows_balances(root .. "/usr/bin/bitfront")
  end)

  it("gives a command that finds its modules in any PREFIX, moved or linked to", function()
    local dir = support.tmpdir()
    local prefix = dir .. "/it's a prefix"
    support.must("make -s install LUA=lua5.4 PREFIX=" .. support.quote(prefix))
    command_runs(prefix .. "/bin/bitfront")
    runs_by_links(prefix .. "/bin/bitfront")
    support.must(("mv %s %s/moved"):format(support.quote(prefix), dir))
    command_runs(dir .. "/moved/bin/bitfront")
    runs_by_links(dir .. "/moved/bin/bitfront")
  end)

  -- There an older one lies where the command would look by itself.
  for _, row in ipairs { { "lua5.4", "5.4", "INST_LDIR" }, { "lua5.4", "5.4", "INST_CDIR" },
                         { "luajit", "5.1", "INST_LDIR", "INST_CDIR", "INST_BDIR" } } do
    it(("gives %s a command that finds its modules with %s apart from PREFIX"):format(row[1],
      table.concat(row, ", ", 3)), function()
      local dir = support.tmpdir()
      local words = { "make -s install LUA=", row[1], " PREFIX=", dir }
      support.must(("mkdir -p share/lua/%s/bitfront lib && cd share/lua/%s/bitfront"
        .. " && echo 'error [[an older one]]' >cli.lua"):format(row[2], row[2]), { cwd = dir })
      for i = 3, #row do
        words[#words + 1] = (" %s=%s"):format(row[i], support.quote(dir .. "/it's " .. row[i]))
      end
      support.must(table.concat(words))
      local command = dir .. (row[5] and "/it's INST_BDIR" or "/bin") .. "/bitfront"
      command_runs(command)
      runs_by_links(command)
      shows_balances(command)
    end)
  end

  it("gives a command whose own modules come before those that LUA_PATH names", function()
    local dir = support.tmpdir()
    support.must("mkdir bitfront", { cwd = dir })
    support.write(dir .. "/bitfront/cli.lua", "error 'another one'")
    local out = support.must(root .. "/usr/bin/bitfront --version",
      { env = { LUA_PATH = dir .. "/?.lua;;", LUA_CPATH = false } })
    assert.equal("bitfront " .. bitfront_version() .. "\n", out)
  end)

  it("puts the man page and completions where man and the shells look", function()
    finds_man_page(root .. "/usr/bin")
    for place, arguments in pairs {
      ["bash-completion/completions/bitfront"] = "completion bash",
      ["zsh/site-functions/_bitfront"] = "completion zsh",
      ["fish/vendor_completions.d/bitfront.fish"] = "completion fish",
    } do
      assert.equal(support.must(root .. "/usr/bin/bitfront " .. arguments,
        { env = environment(root .. "/usr", "5.4") }), support.read(root .. "/usr/share/" .. place))
    end
  end)

  it("gives a command that prints an nginx.conf with which nginx serves balances", function()
    local prefix = support.tmpdir() .. "/it's a prefix"
    support.must("make -s install LUA=luajit PREFIX=" .. support.quote(prefix))
    serves_balances(prefix)
    support.must("make -s install LUA=lua5.4 PREFIX=" .. support.quote(prefix))
    serves_balances(prefix)
  end)

  it("gives a command that says where nginx lacks modules that it prints the path of", function()
    local out, err = printed_conf(root .. "/usr/bin/bitfront")
    local folder = support.must("pwd -P", { cwd = root }):gsub("\n", "") .. "/usr/lib/lua/5.1"
    assert.truthy(out:find(('lua_package_cpath "%s/?.so;;";'):format(folder), 1, true), out)
    assert.equal(("bitfront: nginx needs bitfront for Lua 5.1 (LuaJIT): %s has none; install it "
      .. "there too, with luarocks --lua-version 5.1 or make install LUA=luajit\n")
      :format(folder), err)
  end)

  it("is undone by make uninstall", function()
    support.must("make -s uninstall LUA=lua5.4 PREFIX=/usr DESTDIR=" .. support.quote(root))
    assert.equal("", support.must("find . -type f", { cwd = root }))
  end)
end)
