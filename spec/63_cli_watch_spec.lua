local cjson = require "cjson"
local command = require "spec.support.command"
local shell = require "spec.support.shell"
local support = require "spec.support"

local fails, is_misuse = command.fails, command.is_misuse

local BEFORE = { { currency = "BTC", balance = "4.50", availableBalance = "4" },
                 { currency = "OLD", balance = "1", availableBalance = "1" } }
local AFTER = { { currency = "BTC", balance = "4.5000000000000000001", availableBalance = "3" },
                { currency = "NEW", balance = "1e-8", availableBalance = "0" } }

describe("bitfront watch", function()
  local sandbox, env

  local function balances(list)
    sandbox:accounts { { api_key = support.KEY, api_secret = support.SECRET, balances = list } }
  end

  lazy_setup(function()
    sandbox = support.sandbox()
    env = command.with_credentials(sandbox, { TERM = "xterm", NO_COLOR = false })
  end)
  lazy_teardown(function() sandbox:stop() end)

  before_each(function()
    sandbox:reset()
    sandbox:set { limits = false }
    balances(BEFORE)
  end)

  -- Starts it, has `meanwhile` change the exchange, and ends it by Ctrl-C after
  -- some seconds. `line` makes the shell's line of it.
  local function watch(line, meanwhile)
    local dir = support.tmpdir()
    local watched = ("(%s) >out 2>err </dev/null; echo $? >code"):format(line)
    os.execute(("cd %s && { %s sh -c %s; } &"):format(support.quote(dir), shell.env_words(env),
      support.quote(watched)))
    meanwhile()
    for _ = 1, 150 do
      if support.read(dir .. "/code") then break end
      support.sleep(0.1)
    end
    return support.read(dir .. "/out"), support.read(dir .. "/err"),
      tonumber(support.read(dir .. "/code"))
  end

  local function in_pipe(seconds, arguments)
    return ("timeout -s INT %d %s"):format(seconds,
      command.line("watch --interval 1 " .. (arguments or "")))
  end

  -- Under script(1), which gives it a terminal; what its end leaves of the
  -- terminal is told by stty.
  local function on_terminal(seconds, setup)
    local inner = ("%s; stty -a >before; %s; echo \"code $?\"; stty -a >after; cmp before after")
      :format(setup or "stty rows 24 cols 80", in_pipe(seconds):gsub("^timeout", "%0 --foreground"))
    return ("script -qec %s /dev/null"):format(support.quote(inner))
  end

  it("writes one line of JSON for each change, and nothing else", function()
    local out, err, code = watch(in_pipe(3), function()
      support.sleep(1.2)
      balances(AFTER)
    end)
    local lines = {}
    for line in out:gmatch("[^\n]+") do
      assert.is_table(cjson.decode(line))
      lines[#lines + 1] = line:gsub('"time":"%d+%-%d%d%-%d%dT[%d:.]+Z",', "")
    end
    assert.same({
      '{"change":"removed","currency":"OLD","before":{"balance":1,"availableBalance":1}}',
      '{"change":"added","currency":"NEW","after":{"balance":0.00000001,"availableBalance":0}}',
      '{"change":"changed","currency":"BTC","before":{"balance":4.50,"availableBalance":4},'
        .. '"after":{"balance":4.5000000000000000001,"availableBalance":3},'
        .. '"by":{"balance":0.0000000000000000001,"availableBalance":-1}}',
    }, lines)
    assert.equal("", err)
    assert.equal(124, code) -- timeout's; the command's own is below
  end)

  it("tells a failure once, and goes on", function()
    local out, err = watch(in_pipe(5), function()
      support.sleep(0.5)
      sandbox:script { { statusCode = 5000, times = 3 } } -- the client asks thrice
      balances(AFTER)
    end)
    assert.equal("bitfront: server (5000): INTERNAL ERROR\nbitfront: it answers again\n", err)
    assert.equal(3, select(2, out:gsub("\n", "")))
  end)

  it("draws the table again in the same place on a terminal, and leaves that as it was",
    function()
      local out = watch(on_terminal(3), function()
        support.sleep(1.2)
        balances(AFTER)
      end)
      local first, second = out:match("^(.-)\27%[(%d+)A\r\27%[J")
      assert.equal(select(2, first:gsub("\n", "")), tonumber(second))
      assert.truthy(first:find("BTC          4.50", 1, true), out)
      assert.truthy(out:find("BTC       4.5000000000000000001", 1, true), out)
      assert.truthy(out:find("Z  BTC balance +0.0000000000000000001, availableBalance -1\r\n",
        1, true))
      assert.truthy(out:find("Z  NEW is new", 1, true))
      assert.truthy(out:find("Z  OLD is gone", 1, true))
      assert.is_nil(out:find("differ", 1, true), out) -- cmp's word for another state of it
      for mode in out:gmatch("\27%[%??[%d;]*%a") do -- neither modes nor another screen
        assert.truthy(mode:find("^\27%[[012]?m$") or mode:find("^\27%[%d*[AJ]$"), mode)
      end
    end)

  it("fits a terminal that is too small for it", function()
    local out = watch(on_terminal(2, "stty rows 5 cols 60"), function() end)
    assert.truthy(out:find("(2 more)\r\n", 1, true), out)
    for up in out:gmatch("\27%[(%d+)A") do assert.is_true(tonumber(up) <= 4) end
  end)

  it("has no colour with NO_COLOR, and redraws nothing on a dumb terminal", function()
    env.NO_COLOR = "1"
    assert.is_nil(watch(on_terminal(1), function() end):find("\27[1m", 1, true))
    env.NO_COLOR, env.TERM = false, "dumb"
    assert.is_nil(watch(on_terminal(1), function() end):find("\27", 1, true))
    env.TERM = "xterm"
  end)

  it("ends with 130 at once by Ctrl-C, also while it waits for an answer", function()
    sandbox:script { { latency_ms = 8000 } }
    local line = ("%s & sleep 0.7; kill -INT $!; wait $!"):format(
      command.line "watch --interval 1")
    -- A shell without job control has its background jobs ignore SIGINT.
    local started = os.time()
    local _, err, code = watch(("set -m; %s"):format(line), function() end)
    assert.same({ "", 130 }, { err, code })
    assert.is_true(os.time() - started < 5)
  end)

  it("ends when nobody reads what it writes", function()
    for _, nobody in ipairs { ">&-", "| true" } do
      local line = ("{ %s; echo done >status; } %s"):format(
        command.line "watch --interval 1", nobody)
      local _, err = watch(line .. "; while ! test -s status; do sleep 0.1; done", function() end)
      assert.equal("bitfront: nobody reads the output\n", err)
    end
  end)

  it("ends where a call cannot be made", function()
    fails("watch", command.environment(), "config %(missing_credentials%)")
  end)

  it("takes intervals of a second or more", function()
    for _, seconds in ipairs { "0", "0.9", "-1", "1e3", "0x10", "nan", "86401", "''", "1,5" } do
      is_misuse("watch --interval=" .. seconds, "an interval is 1 to 86400 seconds")
    end
  end)
end)
