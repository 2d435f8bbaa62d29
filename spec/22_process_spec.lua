-- credential_process: a program that prints key and secret.

local core = require "bitfront.core"
local failing = require "spec.support.failing"
local memory = require "spec.support.memory"
local one_call = require "spec.support.one_call"
local support = require "spec.support"

local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'
local KEY, SECRET = "Kq7ZxPmW93LsTbVd", "sEcReT-oF-tHe-aCcOuNt-8817263544"
local GOOD = ('{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}'):format(KEY, SECRET)
local LABEL = "credential_process of section [default] of HOME/.config/bitfront/credentials: "

local faultd
setup(function() faultd = support.faultd() end)
teardown(function() faultd:stop() end)
before_each(function() faultd:forget() end)

-- A home folder whose credentials file names this command. HOME in it is that folder.
local function home_of(command, more)
  local home = one_call.home ""
  support.write(home .. "/.config/bitfront/credentials",
    "[default]\ncredential_process = " .. command:gsub("HOME", home) .. "\n" .. (more or ""))
  return home
end

-- The same for a program that is this text of the shell. It notes that it runs.
local function helper(script, more)
  local home = home_of("HOME/helper", more)
  support.write(home .. "/helper", "#!/bin/sh\necho $$ >>" .. home .. "/pids\n" .. script)
  support.write(home .. "/pids", "")
  support.must("chmod 700 helper", { cwd = home })
  return home
end

local function prints(text)
  return "printf '%s' " .. support.quote(text) .. "\n"
end

local function pids(home)
  local list = {}
  for pid in support.read(home .. "/pids"):gmatch "%d+" do list[#list + 1] = pid end
  return list
end

-- None of its programs is there any more, not even as a zombie.
local function is_gone(home)
  for _, pid in ipairs(pids(home)) do
    assert.is_nil(support.read("/proc/" .. pid .. "/stat"), pid)
  end
end

local function result(home, call)
  call = call or {}
  call.home = home
  return one_call.result(faultd, BODY, call)
end

local function is_ok(home, call)
  local message, requests = result(home, call)
  assert.equal("ok", message)
  assert.equal(1, #requests)
  assert.equal(KEY, requests[1].headers["x-api-key"])
end

local function is_refused(home, expected, call)
  local message, requests = result(home, call)
  assert.equal(expected, message)
  assert.equal(0, #requests)
end

-- What a Lua program prints whose account is that of the home folder.
local function program(home, text, env)
  local all = one_call.environment(home)
  all.BITFRONT_CA_FILE, all.BITFRONT_BASE_URL = faultd.ca_file, faultd:url_body(BODY)
  for name, value in pairs(env or {}) do all[name] = value end
  local out, err = support.lua(([[
    local bitfront, core = require "bitfront", require "bitfront.core"
    local HOME = %q
    local function told(records, err)
      return records and "ok" or err.kind .. " " .. err.code
    end
  ]]):format(home) .. text, { env = all })
  assert.equal("", err)
  return out
end

local function keys_sent()
  local keys = {}
  for i, request in ipairs(faultd:requests()) do keys[i] = request.headers["x-api-key"] end
  return keys
end

describe("a credential_process #apart", function()
  it("is asked for key and secret", function()
    is_ok(helper(prints(GOOD)))
  end)

  it("may print them in parts, with blanks around them, escaped, and close its output", function()
    for _, script in ipairs {
      prints(GOOD:sub(1, 40)) .. "sleep 0.2\n" .. prints(GOOD:sub(41)),
      prints(" \r\n\t" .. GOOD:gsub(",", " , ") .. "\n\n"),
      prints((GOOD:gsub("Kq7", "\\u004bq\\u0037"):gsub("AccessKeyId", "\\u0041ccessKeyId"))),
      prints(GOOD) .. "exec >&-\nsleep 0.2\n",
      prints(GOOD) .. ("printf '%%%ds'\n"):format(65536 - #GOOD),
      prints((GOOD:gsub("}$", ',"SessionToken":null,"AccountId":null}'))),
      prints((GOOD:gsub("}$", ',"Expiration":"2999-01-31T09:30:00Z"}'))),
    } do
      is_ok(helper(script))
      faultd:forget()
    end
  end)

  it("signs with the secret that it prints", function()
    local home = helper(prints(GOOD))
    is_ok(home)
    local headers = faultd:requests()[1].headers
    assert.equal(core.sign(SECRET, headers["x-api-nonce"], headers["x-api-timestamp"], "GET",
      faultd:requests()[1].target, "", ""):len(), #headers["x-api-sign"])
    assert.equal(core.sign(SECRET, headers["x-api-nonce"], headers["x-api-timestamp"], "GET",
      "/v1/account/balances", "", ""), headers["x-api-sign"])
  end)

  -- The words that the program gets.
  for command, words in pairs {
    ["a b"] = { "a", "b" }, [" a   b "] = { "a", "b" }, ["'a b' \"c d\""] = { "a b", "c d" },
    ["a'b'\"c\"d"] = { "abcd" }, ["'' \"\""] = { "", "" },
    ["a\\ b \\' \\\""] = { "a b", "'", '"' },
    ["'a\\b'"] = { "a\\b" }, ['"a\\"b\\\\c\\d"'] = { 'a"b\\c\\d' }, ["\\\\"] = { "\\" },
    ["# ;"] = { "#", ";" }, ["$HOME ~ *"] = { "$HOME", "~", "*" },
    ["| > & ; `x` $(x)"] = { "|", ">", "&", ";", "`x`", "$(x)" }, ["한국"] = { "한국" },
  } do
    it(("splits %s into words, and does nothing else that a shell does"):format(command),
      function()
        local home = home_of("x")
        local file = home .. "/.config/bitfront/credentials"
        support.write(home .. "/helper",
          "#!/bin/sh\nfor word; do printf '<%s>\\n' \"$word\"; done >" .. home .. "/words\n"
            .. prints(GOOD))
        support.must("chmod 700 helper", { cwd = home })
        support.write(file,
          ("[default]\ncredential_process = %s/helper %s\n"):format(home, command))
        is_ok(home)
        assert.equal("<" .. table.concat(words, ">\n<") .. ">\n", support.read(home .. "/words"))
      end)
  end

  for command, what in pairs {
    ["'a"] = "has a quote without an end, or a backslash at its end",
    ['a "b'] = "has a quote without an end, or a backslash at its end",
    ['"a\\'] = "has a quote without an end, or a backslash at its end",
    ["a\\"] = "has a quote without an end, or a backslash at its end",
    [""] = "must not be empty", ["a\0b"] = "has a control character",
    ["a\tb"] = "has a control character",
    ["\1a"] = "has a control character", [("a"):rep(4097)] = "is too long",
  } do
    it(("that is %q is refused with the line"):format(command:sub(1, 20)), function()
      is_refused(home_of(command), "config profile HOME/.config/bitfront/credentials: line 2 "
        .. what)
    end)
  end

  it("beside a key or a secret is refused with the line", function()
    local MIXED = " sets a second source of the credentials: credential_process stands in place "
      .. "of api_key and api_secret"
    for text, line in pairs {
      ["credential_process = x\napi_key = k\n"] = 3,
      ["credential_process = x\napi_secret = s\n"] = 3,
      ["api_secret = s\ncredential_process = x\n"] = 3,
      ["api_key = k\napi_secret = s\ncredential_process = x\n"] = 4,
    } do
      is_refused(one_call.home("[default]\n" .. text),
        ("config profile HOME/.config/bitfront/credentials: line %d%s"):format(line, MIXED))
    end
    is_refused(home_of("x", "credential_process = y\n"), "config profile HOME/.config/bitfront/"
      .. "credentials: credential_process is set twice (line 3)")
  end)

  it("is looked for on the PATH, and may have its own exchange", function()
    local home = home_of("helper", "base_url = "
      .. faultd:url_body(BODY, { listener = "plain" }) .. "\n")
    support.write(home .. "/helper", "#!/bin/sh\n" .. prints(GOOD))
    support.must("chmod 700 helper", { cwd = home })
    is_ok(home, { env = { PATH = home .. ":" .. os.getenv "PATH" } })
    assert.equal("plain", faultd:requests()[1].listener)
  end)

  it("has its standard error shown, nothing to read, no descriptor more, and no signal blocked "
    .. "or ignored", function()
      local home = helper([[
        cat; ls -l /proc/$$/fd | grep -c 'socket\|faultd\|opened' >&2
        # without a program of its own: a shell that waits for one blocks signals
        while read -r name set; do
          case $name in Sig[BI]*) echo "$name$set" >&2 ;; esac
        done </proc/$$/status
      ]] .. prints(GOOD))
      local out = support.run(([[trap '' PIPE USR1; exec %s %s/program.lua]]):format(
        support.interpreter(), home), { env = one_call.environment(home) })
      assert.equal("", out) -- there is no such program yet
      support.write(home .. "/program.lua", ([[
        local file = assert(io.open(%q, "w")) -- Lua leaves it open to programs
        local client = require "bitfront".new { base_url = "http://127.0.0.1:1", retries = 0 }
        print(select(2, client:balances()).kind)
      ]]):format(home .. "/opened"))
      local err
      out, err = support.run(("trap '' PIPE USR1; exec %s %s/program.lua"):format(
        support.interpreter(), home), { env = one_call.environment(home) })
      assert.equal("network\n", out)
      assert.matches("^0\nSigBlk:0+\nSigIgn:%d+\n$", err)
    end)
end)

describe("a credential_process #apart that", function()
  local NOTHING = "config credential_process " .. LABEL
  for name, row in pairs {
    ["prints nothing"] = { "", "printed nothing" },
    ["prints blanks"] = { prints " \n", "printed nothing" },
    ["prints no JSON"] = { prints "x", "printed no object of JSON" },
    ["prints an array"] = { prints "[1]", "printed no object of JSON" },
    ["prints half of it"] = { prints(GOOD:sub(1, 40)), "printed what is no valid JSON: " },
    ["prints it twice"] = { prints(GOOD .. GOOD),
      "printed what is no valid JSON: something follows the value" },
    ["prints a byte order mark"] = { prints("\239\187\191" .. GOOD), "printed no object of JSON" },
    ["prints a member twice"] = { prints((GOOD:gsub("{", '{"Version":1,'))),
      "printed what is no valid JSON: duplicate key" },
    ["prints a control character"] = { "printf '%s\\0' " .. support.quote(GOOD) .. "\n",
      "printed what is no valid JSON: something follows the value" },
    ["prints no version"] = { prints((GOOD:gsub('"Version":1,', ""))), "printed no Version" },
    ["prints no key"] = { prints '{"Version":1,"SecretAccessKey":"s"}', "printed no AccessKeyId" },
    ["prints no secret"] = { prints '{"Version":1,"AccessKeyId":"k"}',
      "printed no SecretAccessKey" },
    ["prints a version below 0"] = { prints((GOOD:gsub(":1", ":-1"))),
      "printed Version, which must be the number 1" },
    ["prints another version"] = { prints((GOOD:gsub(":1", ":2"))),
      "printed Version, which must be the number 1" },
    ["prints a version that is a string"] = { prints((GOOD:gsub(":1", ':"1"'))),
      "printed Version, which must be the number 1" },
    ["prints a key that is a number"] = { prints((GOOD:gsub('"Kq[^"]*"', "12345678"))),
      "printed AccessKeyId, which must be a string" },
    ["prints a secret that is null"] = { prints((GOOD:gsub('"sE[^"]*"', "null"))),
      "printed SecretAccessKey, which must be a string" },
    ["prints an empty key"] = { prints((GOOD:gsub('"Kq[^"]*"', '""'))),
      "printed AccessKeyId, which must not be empty" },
    ["prints a secret with a line end"] = { prints((GOOD:gsub('"sE', '"\\nsE'))),
      "printed SecretAccessKey, which has a blank" },
    ["prints a key with a NUL"] = { prints((GOOD:gsub("Kq7", "Kq7\\u0000"))),
      "printed AccessKeyId, which must be a string of printable ASCII characters" },
    ["prints a member of another name"] = { prints((GOOD:gsub("}$", ',"expiration":"x"}'))),
      "printed a member that is none of Version, AccessKeyId, SecretAccessKey and Expiration" },
    ["prints an expiration that is a number"] = {
      prints((GOOD:gsub("}$", ',"Expiration":1795555594}'))),
      "printed Expiration, which must be a string" },
    ["prints an expiration that has passed"] = {
      prints((GOOD:gsub("}$", ',"Expiration":"1970-01-01T00:00:00Z"}'))),
      "printed Expiration, which has passed: they are of no use now" },
    ["fails with valid output"] = { prints(GOOD) .. "exit 3\n", "ended with status 3" },
    ["is ended by a signal"] = { prints(GOOD) .. "kill -TERM $$\n", "was ended by signal 15" },
    ["prints too much"] = { "yes " .. KEY .. "\n", "printed more than 65536 bytes" },
    ["prints spaces beyond the limit"] = {
      prints(GOOD) .. ("printf '%%%ds'\n"):format(65537 - #GOOD),
      "printed more than 65536 bytes" },
  } do
    it(name .. " is refused, and nothing is sent", function()
      local home = helper(row[1])
      local message, requests = result(home)
      assert.equal(NOTHING .. row[2], message:sub(1, #NOTHING + #row[2]))
      assert.equal(0, #requests)
      assert.is_nil(message:find(KEY:sub(1, 8), 1, true))
      assert.is_nil(message:find(SECRET:sub(1, 8), 1, true))
      is_gone(home)
    end)
  end

  for _, text in ipairs { "2999-01-31", "2999-01-31 09:30:00Z", "2999-01-31T09:30:00",
    "2999-02-29T09:30:00Z", "2999-12-32T09:30:00Z", "2999-13-01T09:30:00Z", "2999-00-01T09:30:00Z",
    "2999-01-31T24:00:00Z", "2999-01-31T09:30:00z", "2999-01-31T09:30:00.Z",
    "2999-01-31T09:30:00+0100", "2999-01-31T09:30:00+24:00", "2999-01-31T09:30:00+00:60",
    "2999-01-31T09:30:00Zx", "x", "" } do
    it(("prints the expiration %q is refused"):format(text), function()
      is_refused(helper(prints((GOOD:gsub("}$", (',"Expiration":"%s"}'):format(text))))), NOTHING
        .. "printed Expiration, which must be a time such as 2026-01-31T09:30:00Z")
    end)
  end

  it("prints an expiration in any zone and year", function()
    for text, seconds in pairs {
      ["2999-01-31T09:30:00Z"] = 32474770200, ["2999-01-31T04:00:00-05:30"] = 32474770200,
      ["2999-01-31T15:00:00+05:30"] = 32474770200, -- a part of a second does not count
      ["2999-02-01T09:29:00.999+23:59"] = 32474770200, ["2101-01-01T00:00:00Z"] = 4133980800,
      ["2100-03-01T00:00:00Z"] = 4107542400, ["2400-02-29T12:00:00Z"] = 13574606400,
      ["2099-12-31T23:59:60Z"] = 4102444800,
    } do
      local process = core.start_process(helper(prints((GOOD:gsub("}$",
        (',"Expiration":"%s"}'):format(text))))) .. "/helper")
      repeat core.sleep(0.001) until process:poll()
      assert.equal(seconds * 1000, select(2, process:credentials()), text)
      process:release()
      assert.matches("#1 to .+ %(the process was released%)$",
        select(2, pcall(process.poll, process)))
    end
  end)

  it("cannot be started is refused, with the system's reason", function()
    is_refused(home_of "/nonexistent/helper x",
      NOTHING .. "/nonexistent/helper cannot be started: No such file or directory")
    is_refused(home_of "no-such-helper",
      NOTHING .. "no-such-helper cannot be started: No such file or directory")
    is_refused(home_of "/dev/null", NOTHING .. "/dev/null cannot be started: Permission denied")
    is_refused(home_of ":", NOTHING .. ": cannot be started: No such file or directory")
    is_refused(home_of "''", NOTHING .. " cannot be started: No such file or directory")
    local home = home_of "HOME/helper" -- without #!: no shell tries it
    support.write(home .. "/helper", prints(GOOD))
    support.must("chmod 700 helper", { cwd = home })
    is_refused(home, NOTHING .. "HOME/helper cannot be started: Exec format error")
  end)

  it("cannot be started for a lack of the system's means fails with that #once #apart", function()
    local home = helper(prints(GOOD))
    local out, err = failing.run(([[
      local core = require "bitfront.core"
      for _, row in ipairs {
        { "pipe2", -1, { errno = 24 } }, { "pipe2", -1, { errno = 12 } },
        { "posix_spawnp", 11 }, { "posix_spawnp", 12 }, { "posix_spawn_file_actions_init", 12 },
        { "posix_spawnattr_init", 12 }, { "posix_spawn_file_actions_addopen", 12 },
        { "posix_spawn_file_actions_adddup2", 12 }, { "posix_spawnattr_setsigmask", 22 },
        { "posix_spawnattr_setsigdefault", 22 },
      } do
        fail(row[1], row[2], row[3])
        local process, err = core.start_process %q
        heal()
        print(process and "ok" or err.kind .. " " .. err.code)
      end
      print(io.read "*a") -- standard input is open
      local function output(name, value, more)
        local process = core.start_process %q
        fail(name, value, more)
        repeat core.sleep(0.001) until process:poll()
        heal()
        print(process:credentials() and "ok")
        process:release()
      end
      output("waitpid", -1, { errno = 4, times = 3 }) -- EINTR
      output("waitpid", -1, { errno = 10, after = 30 }) -- ECHILD: the host has waited for it
      output("read", -1, { errno = 4, times = 2 })
    ]]):format(home .. "/helper", home .. "/helper"))
    assert.equal("network descriptors\nmemory memory\nconfig credential_process\n"
      .. ("memory memory\n"):rep(5) .. ("config credential_process\n"):rep(2) .. "\n"
      .. ("ok\n"):rep(3), out, err)
  end)

  -- Each ends itself long after the deadline, and would then be asked in vain.
  for name, script in pairs {
    ["does not end"] = "sleep 30\n",
    ["does not end, whatever it printed,"] = prints(GOOD) .. "sleep 30\n",
    ["ignores signals"] = "trap '' TERM INT HUP\nsleep 30\nsleep 30\n",
    ["waits for a program of its own"] =
      "(trap '' TERM; echo $$ >>$(dirname $0)/pids; sleep 30) & wait\n",
    ["closes its output and does not end"] = prints(GOOD) .. "exec >&-\nsleep 30\n",
    ["stops itself"] = "kill -STOP $$\n",
  } do
    it(name .. " is ended at the call's deadline", function()
      local home = helper(script)
      local message, requests = result(home, { options = "timeout = 0.3" })
      assert.truthy(message:find("timeout credential_process " .. LABEL
        .. "has not ended in time, after ", 1, true), message)
      assert.equal(0, #requests)
      is_gone(home)
    end)
  end

  it("is not waited for without end where even its end by force does not end it #once", function()
    local out, err = failing.run([[
      local client = require "bitfront".new { timeout = 0.2, base_url = "https://127.0.0.1:1" }
      fail("waitpid", 0, { times = 1000000 })
      local _, err = client:balances()
      print(err.kind, err.code, heal())
    ]], one_call.environment(helper "sleep 30\n"))
    assert.equal("timeout\tcredential_process\ttrue\n", out, err)
  end)

  -- An agent, say, that it has started.
  it("leaves a program behind is done when it has ended itself", function()
    local home = helper(prints(GOOD) .. "sleep 30 & echo $! >$(dirname $0)/agent\n")
    is_ok(home, { options = "timeout = 20" })
    support.must("kill " .. support.read(home .. "/agent")) -- which is there
    is_gone(home)
  end)

  it("is the host's to wait for is asked too", function()
    local home = helper(prints(GOOD))
    support.write(home .. "/program.lua", [[
      local client = require "bitfront".new { base_url = "http://127.0.0.1:1", retries = 0 }
      print(select(2, client:balances()).kind)]])
    local out, err = support.run(("trap '' CHLD; exec %s %s/program.lua"):format(
      support.interpreter(), home), { env = one_call.environment(home) })
    assert.equal("network\n", out, err)
  end)
end)

describe("what a credential_process printed #apart", function()
  -- A program that prints another key each time, which expires in so many seconds.
  local function changing(seconds, more)
    return helper(([[
      count=$(wc -l <$(dirname $0)/pids)
      %s
      printf '{"Version":1,"AccessKeyId":"key-number-%%d","SecretAccessKey":"s"%%s}' $count %s
    ]]):format(more or "", seconds and ([["$(date -u -d '%s seconds' \
      '+,"Expiration":"%%Y-%%m-%%dT%%H:%%M:%%S.123Z"')"]]):format(seconds) or "''"))
  end

  it("is used until a minute before it expires", function()
    for seconds, keys in pairs {
      [3600] = { "key-number-1", "key-number-1", "key-number-1" },
      [30] = { "key-number-1", "key-number-2", "key-number-3" },
    } do
      local home = changing(seconds)
      assert.equal("ok\nok\nok\n", program(home, [[
        local client = bitfront.new { rate_limit = false }
        for _ = 1, 3 do print(told(client:balances())) end
      ]]))
      assert.same(keys, keys_sent())
      is_gone(home)
      faultd:forget()
    end
  end)

  it("is used for the client's life where it does not expire", function()
    local home = changing()
    assert.equal("ok\nok\nok\nok\n", program(home, [[
      local client = bitfront.new { rate_limit = false }
      for _ = 1, 3 do print(told(client:balances())) end
      print(told(bitfront.balances()))
    ]]))
    assert.same({ "key-number-1", "key-number-1", "key-number-1", "key-number-2" }, keys_sent())
  end)

  it("is used as long as it has not expired where no new one is to be had", function()
    local home = changing(30, "[ $count = 1 ] || exit 1")
    assert.equal("ok\nok\n", program(home, [[
      local client = bitfront.new { rate_limit = false }
      for _ = 1, 2 do print(told(client:balances())) end
    ]]))
    assert.same({ "key-number-1", "key-number-1" }, keys_sent())
    faultd:forget()
    home = changing(2, "[ $count = 1 ] || exit 1")
    assert.equal("ok\nconfig credential_process\n", program(home, [[
      local client = bitfront.new { rate_limit = false }
      print(told(client:balances()))
      core.sleep(3)
      print(told(client:balances()))
    ]]))
    assert.same({ "key-number-1" }, keys_sent())
  end)

  it("is not asked for where nothing is signed", function()
    local home = changing()
    assert.equal("ok\n0\n", program(home, [[
      local client = bitfront.new {}
      print(told(client:server_time()))
      print(#assert(io.open(HOME .. "/pids")):read "*a")
    ]]))
  end)

  it("is asked for again after a failure", function()
    local home = changing(nil, "[ $count = 2 ] || exit 1")
    assert.equal("config credential_process\nok\nok\n", program(home, [[
      local client = bitfront.new {}
      for _ = 1, 3 do print(told(client:balances())) end
    ]]))
    assert.same({ "key-number-2", "key-number-2" }, keys_sent())
  end)

  it("is limited under its own key, and a call keeps to the key that it began with", function()
    local home = changing(30)
    local out = program(home, [[
      local ids, known, client = {}, {}, nil
      local store = require "bitfront.limiter.memory".new()
      local spy = setmetatable({}, { __index = function(_, name)
        return function(_, key, ...)
          if name == "acquire" then
            ids[#ids + 1] = key
            known[key] = known[key] or #ids
          end
          return store[name](store, key, ...)
        end
      end })
      client = bitfront.new { retries = 1, rate_limit = { store = spy },
        on_attempt = function(event)
          if event.kind and #ids == 1 then print(told(client:balances())) end
        end,
        base_url = os.getenv "FIRST_FAILS" }
      print(told(client:balances()))
      for i, id in ipairs(ids) do ids[i] = known[id] end
      print(table.concat(ids, " "))
    ]], { FIRST_FAILS = faultd:url_body(support.refusal(5000, '"x"')) })
    -- The first call is tried twice with the first key; within it, another one twice.
    assert.equal("server 5000\nserver 5000\n1 2 2 1\n", out)
    assert.same({ "key-number-1", "key-number-2", "key-number-2", "key-number-1" }, keys_sent())
  end)

  it("is struck out of what the server says", function()
    local home = helper(prints(GOOD))
    local out = program(home, [[
      local client = bitfront.new { base_url = os.getenv "ECHOES", retries = 0 }
      print(select(2, client:balances()).message)
    ]], { ECHOES = faultd:url_body(support.refusal(5000, ('"<%s %s>"'):format(KEY, SECRET))) })
    assert.equal("<*** ***>\n", out)
  end)

  it("leaves no descriptor and no process behind", function()
    local home = helper "[ $(wc -l <$(dirname $0)/pids) -le 20 ] || exec sleep 30\nexit 1\n"
    local out = program(home, [[
      local function list() -- by no pipe, whose other end may be open for a moment
        os.execute("{ ls -l /proc/$PPID/fd | sed 's/.* \\([0-9]* ->\\)/\\1/; s/[0-9]*]$//'; "
          .. "cat /proc/$PPID/task/*/children | wc -w; } >" .. HOME .. "/list")
        local file = io.open(HOME .. "/list")
        local text = file:read "*a"
        file:close()
        return text
      end
      local client = bitfront.new { timeout = 0.1 }
      client:balances()
      local before = list()
      for _ = 1, 25 do client:balances() end
      local after = list()
      print(after == before or before .. after)
    ]])
    assert.equal("true\n", out)
    is_gone(home)
  end)

  it("is nowhere in the memory of the process once its client is closed #once", function()
    local home = helper(prints((GOOD:gsub("Kq7", "\\u004bq7"))))
    local env = one_call.environment(home)
    env.LOOK_FOR = nil
    for _, needle in ipairs { KEY, KEY:sub(2), SECRET } do
      local counts = memory.count(needle, ([[
        local client = require "bitfront".new { base_url = %q, ca_file = %q }
        assert(client:balances())
        look()
        client:close()
        look()
      ]]):format(faultd:url_body(BODY), faultd.ca_file), { env = env })
      assert.is_true(counts[1] > 0)
      assert.equal(0, counts[2])
    end
  end)

  it("is in no memory that is freed, whatever becomes of it #once", function()
    for _, script in ipairs { prints(GOOD), prints(GOOD) .. "exit 1\n", prints(GOOD .. "x"),
                              prints(GOOD:gsub('"Version":1', '"Version":2')) } do
      local env = one_call.environment(helper(script))
      env.LOOK_FOR = nil
      assert.same({ 0 }, memory.count(SECRET, ([[
        local client = require "bitfront".new { base_url = %q, ca_file = %q }
        client:balances()
        client:close()
        look()
      ]]):format(faultd:url_body(BODY), faultd.ca_file), { env = env, freed = true }))
    end
  end)
end)

describe("several calls at once of a client with a credential_process #apart", function()
  -- Coroutines that sleep: `run` resumes each in turn until all have ended.
  local TASKS = [[
    local function sleep() coroutine.yield() end
    local tasks = {}
    local function spawn(action)
      tasks[#tasks + 1] = coroutine.create(action)
      assert(coroutine.resume(tasks[#tasks]))
    end
    local function run()
      local left
      repeat
        left = 0
        for i, task in ipairs(tasks) do
          if task and coroutine.status(task) ~= "dead" then
            left = left + 1
            assert(coroutine.resume(task))
          end
        end
        core.sleep(0.001)
      until left == 0
    end
    local function runs()
      return select(2, assert(io.open(HOME .. "/pids")):read "*a":gsub("\n", ""))
    end
  ]]

  it("ask it once", function()
    local home = helper("sleep 0.2\n" .. prints(GOOD))
    assert.equal("1 5\n", program(home, TASKS .. [[
      local client, ok = bitfront.new { sleep = sleep, rate_limit = false }, 0
      for _ = 1, 5 do
        spawn(function() if client:balances() then ok = ok + 1 end end)
      end
      run()
      print(runs() .. " " .. ok)
    ]]))
  end)

  it("ask it once where it fails, and each gets an error of its own", function()
    local home = helper "sleep 0.2\nexit 1\n"
    assert.equal("1 true config credential_process\n", (program(home, TASKS .. [[
      local client, errors = bitfront.new { sleep = sleep }, {}
      for i = 1, 5 do
        spawn(function() errors[i] = select(2, client:balances()) end)
      end
      run()
      local are_different = true
      for i = 2, 5 do are_different = are_different and errors[i] ~= errors[1] end
      print(runs(), are_different, told(nil, errors[5]))
    ]]):gsub("\t", " ")))
  end)

  it("do not end it for one another: each has its own deadline", function()
    local home = helper("sleep 0.5\n" .. prints(GOOD))
    assert.equal("1 timeout credential_process, ok\n", program(home, TASKS .. [[
      local client, results = bitfront.new { sleep = sleep, timeout = 20 }, {}
      spawn(function() results[2] = told(client:balances()) end)
      spawn(function() results[1] = told(client:balances { timeout = 0.1 }) end)
      run()
      print(runs() .. " " .. table.concat(results, ", "))
    ]]))
  end)

  it("start it anew where its deadline was another one's", function()
    local home = helper("sleep 0.5\n" .. prints(GOOD))
    assert.equal("2 timeout credential_process, ok\n", program(home, TASKS .. [[
      local client, results = bitfront.new { sleep = sleep, timeout = 20 }, {}
      spawn(function() results[1] = told(client:balances { timeout = 0.1 }) end)
      spawn(function() results[2] = told(client:balances()) end)
      run()
      print(runs() .. " " .. table.concat(results, ", "))
    ]]))
    is_gone(home)
  end)

  it("do not wait for what a caller that was killed has started", function()
    local home = helper("[ $(wc -l <$(dirname $0)/pids) = 2 ] || exec sleep 30\n" .. prints(GOOD))
    assert.equal("2 ok\n", program(home, TASKS .. [[
      local client = bitfront.new { sleep = sleep, timeout = 0.2 }
      spawn(function() client:balances() end)
      tasks[1] = false -- nobody resumes it
      core.sleep(1)
      local result
      spawn(function() result = told(client:balances { timeout = 20 }) end)
      run()
      print(runs() .. " " .. result)
    ]]))
    is_gone(home)
  end)

  it("fail where the client is closed meanwhile, and the program is ended", function()
    local home = helper "sleep 30\n"
    assert.equal("closed closed\nclosed closed\n1\n", program(home, TASKS .. [[
      local client = bitfront.new { sleep = sleep, timeout = 20 }
      for _ = 1, 2 do spawn(function() print(told(client:balances())) end) end
      repeat core.sleep(0.01) until runs() == 1
      client:close()
      run()
      print(runs())
    ]]))
    is_gone(home)
  end)

  it("end it with their client, as garbage or with the state", function()
    for _, ending in ipairs { "client, tasks = nil, {} collectgarbage() collectgarbage()", "" } do
      local home = helper "sleep 30\n"
      assert.equal("", program(home, TASKS .. [[
        local client = bitfront.new { sleep = sleep, timeout = 20 }
        spawn(function() client:balances() end)
        repeat core.sleep(0.01) until runs() == 1
      ]] .. ending))
      is_gone(home)
    end
  end)

  it("share it in bitfront.balances_many with no other client", function()
    local home = helper("sleep 0.2\n" .. prints(GOOD))
    assert.equal("3 ok ok ok\n", program(home, TASKS .. [[
      local clients, results = {}, {}
      for i = 1, 3 do clients[i] = bitfront.new { rate_limit = false } end
      for i, result in ipairs(bitfront.balances_many(clients)) do
        results[i] = told(result.balances, result.err)
      end
      print(runs() .. " " .. table.concat(results, " "))
    ]]))
  end)

  if not rawget(_G, "jit") then return end

  it("go on in both processes after a fork", function()
    local home = helper("sleep 0.3\n" .. prints(GOOD))
    assert.equal("network fork\nok\nok\n3\n", program(home, TASKS .. [[
      package.path = "./?.lua;" .. package.path
      local client = bitfront.new { sleep = sleep, timeout = 20, rate_limit = false }
      local result
      spawn(function() result = told(client:balances()) end)
      local is_child = require "spec.support.fork".in_child(function()
        run()
        io.write(result, "\n")
        tasks = {}
        spawn(function() result = told(client:balances()) end)
        run()
        io.write(result, "\n")
        io.stdout:flush()
        return true
      end)
      run()
      print(result)
      print(runs() + (is_child and 1 or 0))
    ]]))
  end)
end)

-- On a clock that stands still but for sleep, with programs that are not there.
describe("a credential_process by the clock", function()
  local credential_process = require "bitfront.credential_process"
  local native = require "bitfront.native"
  local originals, now, wall, tool, handle, process, kills, slept
  local GRACE, ENDED = 0.25, "here: has not ended in time, after %d ms"

  before_each(function()
    originals, now, wall, kills, slept = {}, 1024, 1e12, 0, {}
    -- Ends at `ends`, with credentials that expire at `expires`, or with `err`.
    tool = { ends = 1024, starts = 0, releases = 0,
      poll = function(self) return now >= self.ends end,
      release = function(self) self.releases = self.releases + 1 end,
      kill = function(self)
        kills = kills + 1
        self.ends = self.ends_killed or now
      end,
      credentials = function(self)
        if self.err then return nil, self.err end
        return { release = function() self.wiped = (self.wiped or 0) + 1 end }, self.expires
      end }
    handle = { uses = 0, has_credentials = function(self) return self.uses > 0 end,
      is_closed = function(self) return self.closed_at and now >= self.closed_at end,
      use = function(self)
        if self.refusal then return nil, self.refusal end
        self.uses = self.uses + 1
        return true
      end }
    for name, by in pairs { now = function() return now end, wall = function() return wall end,
      pid = function() return 7 end, start_process = function(command)
        assert.equal("command", command)
        tool.starts = tool.starts + 1
        return tool
      end } do
      originals[name], native[name] = native[name], by
    end
    process = credential_process.new("command", "here")
  end)
  after_each(function()
    for name, original in pairs(originals) do native[name] = original end
  end)

  local function provide(deadline)
    return credential_process.provide(process, handle, { sleep = function(seconds)
      assert(#slept < 5000, "sleeps without end")
      slept[#slept + 1], now = seconds, now + seconds
    end }, deadline or 1034)
  end

  it("is asked again from a minute before what it printed expires", function()
    tool.expires = wall + 60001
    assert.is_nil(provide())
    assert.is_nil(provide())
    assert.same({ 1, 1, 1, 1 }, { tool.starts, tool.releases, handle.uses, tool.wiped })
    wall = wall + 1
    assert.is_nil(provide())
    assert.same({ 2, 2, 2 }, { tool.starts, tool.releases, handle.uses })
  end)

  it("that fails does no harm until what it printed has expired", function()
    tool.expires = wall + 2
    assert.is_nil(provide())
    tool.err, wall = { kind = "config", code = "x", message = "failed" }, wall + 1
    assert.is_nil(provide())
    tool.err, wall = { kind = "config", code = "x", message = "failed" }, wall + 1
    assert.equal("here: failed", provide().message)
    handle.refusal, tool.err = { kind = "memory", message = "none" }, nil
    wall = wall - 1
    assert.equal(handle.refusal, provide())
    assert.is_nil(process.run)
  end)

  it("that cannot be started fails with its place", function()
    native.start_process = function()
      return nil, { kind = "config", code = "x", message = "cannot be started" }
    end
    assert.equal("here: cannot be started", provide().message)
  end)

  it("is polled each tenth of the time it took, from 1 to 10 ms", function()
    tool.ends = 1024.5
    assert.is_nil(provide())
    assert.equal(0.001, slept[1])
    assert.equal(0.01, slept[#slept])
    assert.equal(0, kills)
  end)

  it("is ended at the deadline, and not waited for longer than the grace", function()
    tool.ends = 2000
    local err = provide(1024)
    assert.same({ "timeout", ENDED:format(0), 1, 1 },
      { err.kind, err.message, kills, tool.releases })
    tool.ends, tool.ends_killed, slept = 2000, 3000, {}
    err = provide(1025)
    assert.equal("timeout", err.kind)
    assert.same({ 2, 2 }, { kills, tool.releases })
    assert.is_true(now > 1025 + GRACE and now < 1025 + GRACE + 0.02, tostring(now))
    assert.is_nil(process.run)
  end)

  it("of another call is waited for until the own deadline", function()
    process.run = { program = tool, pid = 7, begun = 1023, deadline = 1034 }
    tool.ends = 2000
    local err = provide(1024)
    assert.same({ ENDED:format(1000), 0, 0, 0 },
      { err.message, kills, tool.starts, tool.releases })
    assert.truthy(process.run)
  end)

  it("of another call that was ended is started anew, and its error kept", function()
    local run = { program = tool, pid = 7, begun = 1023, deadline = 1024 }
    process.run, tool.ends = run, 2000
    local poll = tool.poll
    function tool.poll(self)
      if process.run ~= run then self.ends = now end
      return poll(self)
    end
    assert.is_nil(provide(1034))
    assert.same({ 1, 1, 2 }, { kills, tool.starts, tool.releases })
    assert.same({ true, true, ENDED:format(1000) }, { run.is_done, run.is_late, run.err.message })
  end)

  it("of another call that was ended at the own deadline is not started anew", function()
    process.run = { program = tool, pid = 7, begun = 1023, deadline = 1024 }
    tool.ends = 2000
    assert.equal("timeout", provide(1024 + 0.01).kind)
    assert.same({ { 0.01 }, 1, 0, 1 }, { slept, kills, tool.starts, tool.releases })
  end)

  it("is not waited for where its callers were killed, or it was begun before a fork", function()
    for _, run in ipairs { { pid = 7, deadline = 1024 - GRACE - 2 ^ -20 },
                           { pid = 8, deadline = 1034 } } do
      local left = { release = function(self) self.is_released = true end }
      run.program, run.begun, process.run = left, 1020, run
      tool.starts, handle.uses = 0, 0
      assert.is_nil(provide())
      assert.same({ true, true, true, 1 },
        { left.is_released, run.is_done, run.is_late, tool.starts })
      assert.equal(ENDED:format(4000), run.err.message)
    end
  end)

  it("is waited for to the end of the grace", function()
    local err = { kind = "timeout" }
    process.run = { program = tool, pid = 7, begun = 1020, deadline = 1024 - GRACE, err = err }
    tool.ends = 2000
    assert.equal(err, provide(1024))
    assert.same({ 0, 1, 1 }, { tool.starts, tool.releases, #slept })
  end)

  it("is ended where the client is closed", function()
    tool.ends, handle.closed_at = 2000, 1024.5
    local err = provide()
    assert.same({ "closed", "closed", "the client is closed", 1, 1 },
      { err.kind, err.code, err.message, kills, tool.releases })
  end)
end)
