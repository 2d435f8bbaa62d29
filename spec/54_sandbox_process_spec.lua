-- Starting and stopping: what runs, for how long, and where it keeps things.

local exchange_caller = require "spec.support.exchange_caller"
local ports = require "bitfront.sandbox.ports"
local sandbox = require "bitfront.sandbox"
local shell = require "spec.support.shell"
local support = require "spec.support"

local function root()
  return (shell.must("pwd -P"):gsub("\n", ""))
end

-- What a program in a process of its own needs to find the sandbox's modules.
local function environment(lua_folder, more)
  local env = { LUA_PATH = ("%s/?.lua;%s/?/init.lua;%s")
    :format(lua_folder, lua_folder, package.path), LUA_CPATH = package.cpath }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

local function runs(pid)
  local _, _, status = shell.run(("kill -0 %d"):format(pid))
  local stat = status == 0 and shell.read(("/proc/%d/stat"):format(pid))
  return status == 0 and not (stat or ""):find(") Z", 1, true)
end

local function ends_within(seconds, pid)
  for _ = 1, seconds * 20 do
    if not runs(pid) then return true end
    shell.sleep(0.05)
  end
  return false
end

local function answers(box)
  local url = box.base_url .. "/v1/public/time"
  return shell.must(exchange_caller.of(box):curl(url)):find("responseTime") ~= nil
end

describe("the ports of the sandbox", function()
  local machine = require "bitfront.sandbox.machine"
  local texts, read, open

  before_each(function() texts, read, open = {}, machine.read, io.open end)
  local function put_back()
    machine.read = read
    rawset(io, "open", open)
  end
  after_each(put_back)

  -- As where these lines are what Linux tells, and these bytes what comes by chance.
  local function to_try(requested, bytes)
    machine.read = function(name) return texts[name] end
    local asked, is_closed
    rawset(io, "open", function()
      return { close = function() is_closed = true end, read = function(_, count)
        asked = count
        return bytes or ""
      end }
    end)
    local candidates, message = ports.to_try(requested)
    put_back()
    assert.equal(asked ~= nil, is_closed == true)
    return candidates, message, asked
  end

  local function listens(address, state)
    return ("  0: %s:20FB 00000000:0000 %s 00000000:00000000\n"):format(address, state or "0A")
  end

  it("are what is asked for, unless somebody listens there", function()
    for address, is_taken in pairs {
      ["00000000"] = true, ["0100007F"] = true, ["7F000001"] = true, [("0"):rep(32)] = true,
      ["0200007F"] = false, [("0"):rep(31) .. "1"] = false, ["0000000000000000"] = false,
    } do
      for _, name in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
        texts = { [name] = listens(address) }
        assert.same(is_taken and { nil, "port 8443 of 127.0.0.1 is taken" } or { { 8443 } },
          { to_try(8443) }, address)
        assert.same({ 8444 }, (to_try(8444)))
      end
    end
    texts = { ["/proc/net/tcp"] = listens("00000000", "01") }
    assert.same({ 8443 }, (to_try(8443)))
  end)

  it("are the default one and twenty others by chance, from 20000 to 31999", function()
    local bytes, others = "\0\0\0\1\46\223\46\224\255\255", { 20000, 20001, 31999, 20000, 25535 }
    assert.same({ others, nil, 40 }, { to_try(0, bytes) })
    table.insert(others, 1, 8443)
    assert.same({ others, nil, 40 }, { to_try(nil, bytes) })
    texts = { ["/proc/net/tcp"] = listens "00000000" .. listens "00000000":gsub("20FB", "4E20") }
    assert.same({ 20001, 31999, 25535 }, (to_try(nil, bytes)))
  end)
end)

describe("sandbox.start #apart", function()
  local started

  before_each(function() started = {} end)
  after_each(function()
    for _, dir in ipairs(started) do sandbox.stop { dir = dir } end
  end)

  -- Whatever it starts in this folder ends with the spec.
  local function folder(name)
    local dir = shell.tmpdir() .. (name or "")
    started[#started + 1] = dir
    return dir
  end

  local function start(options)
    options.background = true
    options.dir = options.dir or folder()
    return sandbox.start(options)
  end

  it("returns once the sandbox answers, and says how to reach it", function()
    local box = assert(start { port = 0 })
    assert.is_true(answers(box))
    assert.equal(("https://127.0.0.1:%d"):format(box.port), box.base_url)
    assert.equal(("export BITFRONT_BASE_URL='%s'\n"
      .. "export BITFRONT_CA_FILE='%s'\n"
      .. "export BITFRONT_API_KEY='6W206egN32nCQ0VB'\n"
      .. "export BITFRONT_API_SECRET='dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI'\n")
      :format(box.base_url, box.ca_file), box.exports)
  end)

  it("works in a folder with spaces and quotes in its path", function()
    local box = assert(start { port = 0, dir = folder "/it's \"a\" $folder" })
    assert.is_true(answers(box))
    assert.equal(box.ca_file,
      shell.must(box.exports .. "printf %s \"$BITFRONT_CA_FILE\""))
  end)

  it("takes the port asked for, or says that it is taken", function()
    local port = ports.to_try(0)[1]
    assert.equal(port, assert(start { port = port }).port)
    local box, message = start { port = port }
    assert.is_nil(box)
    assert.equal(("port %d of 127.0.0.1 is taken"):format(port), message)
  end)

  it("takes a free port where the default one is taken", function()
    local first = assert(start {}) -- unless another process has it already
    local second = assert(start {})
    assert.not_equal(first.port, second.port)
    assert.is_true(answers(first) and answers(second))
  end)

  it("leaves no worker where its nginx was killed", function()
    local box = assert(start { port = 0 })
    local worker = tonumber((shell.must(("ps -o pid= --ppid %d"):format(box.pid))))
    shell.must(("kill -KILL %d"):format(box.pid))
    assert.is_true(ends_within(3, worker))
  end)

  it("raises for a port that is none", function()
    for _, port in ipairs { "8443", -1, 65536, 1.5 } do
      local ok, message = pcall(function() sandbox.start { port = port } end)
      assert.is_false(ok)
      assert.matches("54_.*:%d+: bitfront%.sandbox%.start: port must be a whole number from 0 to "
        .. "65535$", message)
    end
  end)

  it("raises for an option that does not exist, in each function", function()
    for name, options in pairs { start = { prot = 1 }, stop = { port = 1 },
                                 status = { port = 1 }, check_limits = { port = 1 } } do
      local ok, message = pcall(function() sandbox[name](options) end)
      assert.is_false(ok)
      assert.matches(("54_.*:%%d+: bitfront%%.sandbox%%.%s: unknown option \"%s\"")
        :format(name, (next(options))), message)
    end
  end)

  it("raises for a folder that has no name", function()
    for _, dir in ipairs { "", 1, "a\0b", "\0" } do
      local ok, message = pcall(function() sandbox.status { dir = dir } end)
      assert.is_false(ok)
      assert.matches("dir must be the name of", message)
    end
  end)

  it("started again, is the one that runs", function()
    local first = assert(start { port = 0 })
    local again = assert(start { dir = first.dir })
    assert.is_true(again.already_running)
    assert.equal(first.pid, again.pid)
    assert.equal(first.exports, again.exports)
    for _, port in ipairs { 0, first.port } do
      assert.equal(first.pid, assert(start { dir = first.dir, port = port }).pid)
    end
    for _, options in ipairs { { accounts = "a.json" }, { port = first.port - 1 } } do
      options.dir = first.dir
      assert.same({ nil, ("a sandbox is already running on port %d; stop it first")
        :format(first.port) }, { start(options) })
    end
  end)

  it("at the same instant, starts one and no more", function()
    local dir = folder()
    local program = shell.tmpdir() .. "/program.lua"
    shell.write(program, [[
      local box = assert(require("bitfront.sandbox").start {
        port = 0, dir = os.getenv "DIR", background = true })
      print(box.pid, not box.already_running)
    ]])
    local out = shell.must(("for i in 1 2 3 4; do %s %s & done; wait")
      :format(shell.interpreter(), program),
      { env = environment(root() .. "/lua", { DIR = dir }) })
    local _, pids = out:gsub(("%d\t"):format(sandbox.status({ dir = dir }).pid), "")
    local _, started_anew = out:gsub("true", "")
    assert.same({ 4, 1 }, { pids, started_anew })
    assert.is_nil(shell.must("ls " .. dir):find("starting", 1, true))
  end)

  it("does not wait for a start that was killed", function()
    local dir = folder()
    local dead = shell.must("sh -c 'echo $$'")
    shell.must(("ln -s %d %s/starting"):format(tonumber(dead), dir))
    assert.is_true(answers(assert(start { port = 0, dir = dir })))
  end)

  it("answers from an accounts file, and exports no secret of it", function()
    local file = shell.tmpdir() .. "/my accounts.json"
    shell.write(file, '{"api_key":"MINE","api_secret":"s3cret","balances":'
      .. '[{"currency":"LN","balance":1.10,"availableBalance":0}]}')
    local box = assert(start { port = 0, accounts = file })
    local reply = exchange_caller.of(box):get("/v1/account/balances",
                                      { key = "MINE", secret = "s3cret" })
    assert.matches('"balance":1.10,', reply.body, 1, true)
    assert.is_nil(box.api_key)
    assert.not_matches("s3cret", box.exports)
    assert.matches("^%-rw%-%-%-%-%-%-%-",
      shell.must("ls -l " .. shell.quote(box.dir .. "/accounts.json")))
    sandbox.stop { dir = box.dir }
    box = assert(start { port = 0, dir = box.dir })
    assert.same({ support.KEY, support.SECRET }, { box.api_key, box.api_secret })
  end)

  it("says what is wrong with an accounts file", function()
    local file = shell.tmpdir() .. "/accounts.json"
    shell.write(file, '[{"api_key":"K"}]')
    local box, message = start { port = 0, accounts = file }
    assert.is_nil(box)
    assert.matches(file .. ": accounts[0].balances", message, 1, true)
    box, message = start { port = 0, accounts = "/none" }
    assert.is_nil(box)
    assert.matches("/none", message)
    box, message = start { port = 0, accounts = "/" }
    assert.is_nil(box)
    assert.equal("/: Is a directory", message)
  end)

  it("keeps its folder and its keys private, and no key of its CA", function()
    local box = assert(start { port = 0, dir = folder "/new" })
    local modes = shell.must(("cd %s && ls -ld . *"):format(box.dir))
    assert.matches("drwx%-%-%-%-%-%-[^\n]* %.\n", modes)
    assert.matches("%-rw%-%-%-%-%-%-%-[^\n]* server%.key\n", modes)
    assert.not_matches("ca%.key", modes)
  end)

  it("keeps certificates, and makes new ones before they expire", function()
    local dir = folder()
    local function start_and_read()
      assert(start { port = 0, dir = dir })
      assert(sandbox.stop { dir = dir })
      return shell.read(dir .. "/server.pem"), shell.read(dir .. "/ca.pem")
    end
    local first = start_and_read()
    assert.equal(first, (start_and_read()))
    shell.must(("cd %s && openssl x509 -in server.pem -signkey server.key"
      .. " -days 0 -out short.pem && mv short.pem server.pem"):format(dir))
    assert.not_equal(first, (start_and_read()))
    shell.must(("cd %s && openssl verify -x509_strict -CAfile ca.pem server.pem")
      :format(dir))
  end)

  it("passes on what a start raises, and lets another one begin", function()
    local locked, dir = require "bitfront.sandbox.folder".locked, folder()
    shell.must("mkdir -p " .. dir)
    assert.same({ false, "no luck" }, { pcall(locked, function() error("no luck", 0) end, dir) })
    assert.same({ 1, "why" }, { locked(function() return 1, "why" end, dir) })
  end)

  it("refuses a folder that others can write in", function()
    local dir = shell.tmpdir()
    shell.must("chmod 777 " .. dir)
    local box, message = sandbox.start { dir = dir, background = true }
    assert.is_nil(box)
    assert.matches(dir .. " cannot be the sandbox's folder", message, 1, true)
  end)

  it("refuses a symbolic link as its folder", function()
    local dir = shell.tmpdir()
    shell.must(("cd %s && mkdir real && ln -s real link"):format(dir))
    assert.is_nil((sandbox.start { dir = dir .. "/link", background = true }))
  end)

  describe("without a folder asked for", function()
    local function status_in(env)
      local out = shell.lua(
        'print((select(2, require("bitfront.sandbox").status())))',
        { env = environment(root() .. "/lua", env) })
      return out:match("^no sandbox is running in (.*)\n$")
    end

    it("goes by the environment", function()
      local dir = shell.must("cd " .. shell.tmpdir() .. " && pwd -P"):sub(1, -2)
      local env = { BITFRONT_SANDBOX_DIR = dir .. "/asked",
        XDG_RUNTIME_DIR = dir, XDG_STATE_HOME = dir .. "/state",
        HOME = dir .. "/home", TMPDIR = dir }
      assert.equal(dir .. "/asked", status_in(env))
      env.BITFRONT_SANDBOX_DIR = false
      assert.equal(dir .. "/bitfront-sandbox", status_in(env))
      env.XDG_RUNTIME_DIR = dir .. "/none"
      assert.equal(dir .. "/state/bitfront/sandbox", status_in(env))
      env.XDG_STATE_HOME = false
      assert.equal(dir .. "/home/.local/state/bitfront/sandbox", status_in(env))
    end)

    it("uses a temporary one where the home cannot be written", function()
      local dir = shell.must("cd " .. shell.tmpdir() .. " && pwd -P"):sub(1, -2)
      local env = { BITFRONT_SANDBOX_DIR = false, XDG_RUNTIME_DIR = false,
                    XDG_STATE_HOME = false, HOME = "/proc", TMPDIR = dir }
      local uid = shell.must("id -u"):sub(1, -2)
      assert.equal(dir .. "/bitfront-sandbox-" .. uid, status_in(env))
    end)
  end)

  it("works for an ordinary user, from anywhere, out of any tree", function()
    -- Not shell.tmpdir(): others cannot enter what that is in.
    local tree = shell.must("mktemp -d"):sub(1, -2)
    finally(function() os.execute("rm -rf " .. shell.quote(tree)) end)
    shell.must(("cp -r lua %s/'a tree' && chmod -R a+rX %s && mkdir -m 777 %s/tmp")
      :format(tree, tree, tree))
    local program = ([[
      local sandbox = require "bitfront.sandbox"
      local box = assert(sandbox.start { port = 0, background = true })
      local curl = "curl -sS --cacert %s %s/v1/public/time"
      os.execute(curl:format(box.ca_file, box.base_url))
      assert(sandbox.stop())
    ]])
    shell.write(tree .. "/program.lua", program)
    shell.must(("chmod a+r %s/program.lua"):format(tree))
    local become_ordinary = shell.must "id -u" == "0\n"
      and "setpriv --reuid 65534 --regid 65534 --clear-groups" or ""
    local out, stderr = shell.run(
      ("%s %s %s/program.lua"):format(become_ordinary, shell.interpreter(), tree),
      { cwd = "/", env = environment(tree .. "/a tree", {
          HOME = "/proc", TMPDIR = tree .. "/tmp", PATH = "/usr/bin:/bin",
          BITFRONT_SANDBOX_DIR = false, XDG_RUNTIME_DIR = false,
          XDG_STATE_HOME = false }) })
    assert.matches('^{"timezone":"UTC"', out, nil, nil, stderr)
  end)

  describe("without background", function()
    local program = [[
      local sandbox = require "bitfront.sandbox"
      local box = assert(sandbox.start { port = 0, dir = os.getenv "DIR" })
      local file = io.open(os.getenv "DIR" .. "/said", "w")
      file:write(box.pid, "\n")
      file:close()
      sandbox.wait(box)
      print "ended in order"
    ]]

    -- The program's pid, nginx's pid, and where the program writes to.
    local function start_in_background()
      local dir = folder()
      shell.write(dir .. "/program.lua", program)
      local pid = shell.must(
        ("setsid %s %s/program.lua >%s/out 2>&1 & echo $!")
          :format(shell.interpreter(), dir, dir),
        { env = environment(root() .. "/lua", { DIR = dir }) })
      for _ = 1, 400 do
        if (shell.read(dir .. "/said") or ""):find("\n", 1, true) then break end
        shell.sleep(0.05)
      end
      local nginx = tonumber(shell.read(dir .. "/said"))
      assert.is_true(runs(nginx))
      return tonumber(pid), nginx, dir
    end

    for _, signal in ipairs { "TERM", "KILL" } do
      it("it ends when its process ends by SIG" .. signal, function()
        local lua, nginx, dir = start_in_background()
        shell.must("rm -r " .. dir) -- as specs do whose folders go first
        shell.must(("kill -%s %d"):format(signal, lua))
        assert.is_true(ends_within(3, nginx))
      end)
    end

    it("it ends when the whole group of its process is killed", function()
      local lua, nginx = start_in_background()
      shell.must(("kill -KILL -%d"):format(lua))
      assert.is_true(ends_within(3, nginx))
    end)

    it("it ends by Ctrl-C, and the program goes on", function()
      local lua, nginx, dir = start_in_background()
      shell.must(("kill -INT -%d"):format(lua))
      assert.is_true(ends_within(3, lua))
      assert.is_false(runs(nginx))
      assert.equal("ended in order\n", shell.read(dir .. "/out"))
    end)

    it("it can be stopped from elsewhere", function()
      local lua, nginx, dir = start_in_background()
      assert.is_true(sandbox.stop { dir = dir })
      assert.is_true(ends_within(3, lua))
      assert.is_false(runs(nginx))
    end)
  end)
end)

describe("sandbox.wait", function()
  it("reads until all that was started has ended, or Ctrl-C comes, and closes", function()
    local native = require "bitfront.native"
    local sleep, lines, told = native.sleep, { "", "" }, {}
    local function note(...) told[#told + 1] = table.concat({ ... }, " ") end
    local guard = {
      read = function(_, what)
        note("read", what)
        if lines[1] == "Ctrl-C" then error("interrupted!", 0) end
        return table.remove(lines)
      end,
      close = function() note "close" end,
    }
    finally(function() native.sleep = sleep end)
    native.sleep = function(seconds) note("sleep", seconds) end
    assert.is_true(sandbox.wait { guard = guard })
    lines = { "Ctrl-C" }
    assert.is_true(sandbox.wait { guard = guard })
    assert.equal("read *l, sleep 0, read *l, sleep 0, read *l, close, read *l, close",
      table.concat(told, ", "))
    assert.is_true(sandbox.wait {})
  end)
end)

describe("a sandbox says #once #apart", function()
  -- A PATH with scripts, by the name of a command, that are found before the machine's.
  local function path_with(scripts)
    local dir = shell.tmpdir()
    for name, script in pairs(scripts) do
      shell.write(dir .. "/" .. name, "#!/bin/sh\n" .. script)
      shell.must("chmod +x " .. dir .. "/" .. name)
    end
    return dir .. ":" .. os.getenv "PATH"
  end

  -- What start or stop says, in a process of its own.
  local function says(call, dir, scripts, before, options)
    local program = shell.tmpdir() .. "/program.lua"
    shell.write(program, ([[
      local result, message = require "bitfront.sandbox".%s {
        dir = os.getenv "DIR", %s }
      io.write(message or tostring(result))]]):format(call, options or ""))
    return (shell.run(("{ %s exec %s %s; } 2>&1 | cat")
      :format(before or "", shell.interpreter(), program),
      { env = environment(root() .. "/lua", { DIR = dir, PATH = path_with(scripts) }) }))
  end

  local BACKGROUND = "port = 0, background = true"

  it("nothing of a worker that its nginx, killed meanwhile, had only begun to start", function()
    local dir = shell.tmpdir()
    local hold, begun = dir .. "/hold", dir .. "/begun"
    local library = shell.preload(([[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <stdio.h>
      #include <unistd.h>
      pid_t fork(void) {
        pid_t (*real)(void), pid;
        *(void **)&real = dlsym(RTLD_NEXT, "fork");
        pid = real();
        if (pid == 0 && access("%s", F_OK) == 0) {
          FILE *file = fopen("%s", "w");
          fprintf(file, "%%d.", getpid());
          fclose(file);
          while (access("%s", F_OK) == 0)
            usleep(1000);
        }
        return pid;
      }
    ]]):format(hold, begun, hold))
    local nginx = shell.must("PATH=$PATH:/usr/sbin command -v nginx"):sub(1, -2)
    assert.equal("table: ", says("start", dir, { openresty = "exit 1",
      nginx = ("exec env LD_PRELOAD=%s %s \"$@\""):format(library, nginx) }, "", BACKGROUND)
      :sub(1, 7))
    local master = tonumber(shell.read(dir .. "/nginx.pid"))
    local old = tonumber(shell.must("ps -o pid= --ppid " .. master))
    shell.write(hold, "")
    shell.must("kill -HUP " .. master)
    local new
    repeat
      shell.sleep(0.005)
      new = tonumber((shell.read(begun) or ""):match "(%d+)%.")
    until new
    shell.must("kill -KILL " .. master)
    os.remove(hold)
    assert.is_true(ends_within(4, old) and ends_within(4, new))
  end)

  it("how to install nginx where there is none with ngx_lua", function()
    local out = says("start", shell.tmpdir(), {
      openresty = "exit 1", nginx = "echo configure arguments: --modules-path=/nonexistent",
    }, "", BACKGROUND)
    assert.matches("^the sandbox needs nginx with ngx_lua, and found none%.\n  Debian", out)
  end)

  it("why nginx did not start, and tries another port only where that one is taken", function()
    local dir = shell.tmpdir()
    local out = says("start", dir, { openresty = [[
      [ "$1" != -V ] || { echo lua-nginx-module; exit; }
      echo >>tries
      case $(wc -l <tries) in
        1|2) echo 'nginx: [emerg] bind() to 127.0.0.1:1 failed (98: Address already in use)' ;;
        *) echo 'nginx: [emerg] no luck' ;;
      esac
      exit 1]] }, "", BACKGROUND)
    assert.equal("nginx did not start: nginx: [emerg] no luck", out)
    assert.equal("\n\n\n", shell.read(dir .. "/tries"))
  end)

  it("why openssl made no certificates", function()
    assert.equal("openssl could not make the certificates: no entropy",
      says("start", shell.tmpdir(), { openssl = "echo no entropy >&2; exit 3" }, "", BACKGROUND))
  end)

  it("which file could not be written, of one byte or of many", function()
    for _, length in ipairs { 1, 100000 } do
      local dir, file = shell.must("cd " .. shell.tmpdir() .. " && pwd -P"):sub(1, -2),
        shell.tmpdir() .. "/accounts.json"
      shell.write(file, ('[{"api_key":"K","api_secret":"%s","balances":[]}]')
        :format(("s"):rep(length)))
      assert.equal(dir .. "/accounts.json: File too large",
        says("start", dir, {}, "trap '' XFSZ; ulimit -f 0;",
          ("%s, accounts = %q"):format(BACKGROUND, file)))
    end
  end)

  local NO_WAIT = { sleep = "exit 0" }

  it("that another start does not end", function()
    local dir = shell.must("cd " .. shell.tmpdir() .. " && pwd -P"):sub(1, -2)
    local pid = shell.must("sleep 60 >/dev/null 2>&1 & echo $!")
    shell.must(("ln -s %d %s/starting"):format(tonumber(pid), dir))
    local out = says("start", dir, NO_WAIT, "", BACKGROUND)
    shell.must("kill " .. pid)
    assert.equal("another start is under way in " .. dir, out)
  end)

  it("that nginx does not stop", function()
    local box = assert(sandbox.start { port = 0, background = true, dir = shell.tmpdir() })
    shell.must("kill -STOP " .. box.pid)
    local out = says("stop", box.dir, NO_WAIT)
    shell.must("kill -CONT " .. box.pid)
    assert.equal(("nginx, process %d, does not stop"):format(box.pid), out)
    assert.is_true(ends_within(5, box.pid))
  end)
end)

describe("a folder with files of the user's", function()
  it("is not taken, and they stay as they are", function()
    for _, name in ipairs { "nginx.conf", "server.key", "ca.pem" } do
      local dir = shell.tmpdir()
      shell.write(dir .. "/" .. name, "mine")
      local started, message = sandbox.start { port = 0, dir = dir }
      assert.is_nil(started)
      assert.truthy(message:find("cannot be the sandbox's folder", 1, true), message)
      assert.equal("mine", shell.read(dir .. "/" .. name))
      assert.equal(name .. "\n", shell.must("ls -A " .. dir))
    end
  end)
end)

describe("sandbox.stop #apart", function()
  it("ends what runs in the folder, all of it", function()
    local box = assert(sandbox.start {
      port = 0, background = true, dir = shell.tmpdir() })
    assert.is_true(sandbox.stop { dir = box.dir })
    assert.is_true(ends_within(1, box.pid))
    local _, _, status = shell.run("curl -s " .. box.base_url)
    assert.equal(7, status)
  end)

  it("says that nothing runs", function()
    local stopped, message = sandbox.stop { dir = shell.tmpdir() }
    assert.is_nil(stopped)
    assert.matches("^no sandbox is running in /", message)
  end)

  it("leaves a process alone that has got the number since", function()
    local dir = shell.tmpdir()
    local pid = shell.must("sleep 30 >/dev/null 2>&1 & echo $!")
    shell.write(dir .. "/nginx.pid", pid)
    assert.is_nil((sandbox.stop { dir = dir }))
    assert.is_true(runs(pid))
    shell.must("kill " .. pid)
  end)
end)
