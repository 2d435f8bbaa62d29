local cjson = require "cjson"
local command = require "spec.support.command"
local shell = require "spec.support.shell"
local support = require "spec.support"

local fails, is_misuse = command.fails, command.is_misuse

local BEFORE = { { currency = "BTC", balance = "4.50", availableBalance = "4" },
                 { currency = "OLD", balance = "1", availableBalance = "1" } }
local AFTER = { { currency = "BTC", balance = "4.5000000000000000001", availableBalance = "3" },
                { currency = "NEW", balance = "1e-8", availableBalance = "0" } }

describe("bitfront watch #apart", function()
  local sandbox, env

  local function balances(list)
    sandbox:accounts { { api_key = support.KEY, api_secret = support.SECRET, balances = list } }
  end

  lazy_setup(function()
    sandbox = support.sandbox()
    env = command.with_credentials(sandbox, { TERM = "xterm", NO_COLOR = false })
  end)
  lazy_teardown(function() sandbox:stop() end)

  local function begin_anew()
    sandbox:reset()
    sandbox:set { limits = false }
    balances(BEFORE)
  end

  before_each(begin_anew)

  local function await(what, condition)
    for _ = 1, 300 do
      if condition() then return end
      support.sleep(0.1)
    end
    error(what, 2)
  end

  local function await_calls(count)
    await("it does not ask", function() return #sandbox:log() >= count end)
  end

  local function start(line)
    local dir = support.tmpdir()
    local watched = ("(%s) >out 2>err </dev/null; echo $? >code"):format(line)
    os.execute(("cd %s && { %s sh -c %s; } &"):format(support.quote(dir), shell.env_words(env),
      support.quote(watched)))
    return dir
  end

  local function finish(dir)
    await("it does not end", function() return support.read(dir .. "/code") end)
    return support.read(dir .. "/out"), support.read(dir .. "/err"),
      tonumber(support.read(dir .. "/code"))
  end

  -- Starts it, has `change` change the exchange after its first call, and ends it by
  -- Ctrl-C two calls after it has written what `is_written` finds.
  local function watch(line, change, is_written)
    local dir = start(line)
    await_calls(1)
    change()
    await("it does not write that", function()
      return is_written(support.read(dir .. "/out"), support.read(dir .. "/err"))
    end)
    await_calls(#sandbox:log() + 2)
    support.must("kill -ALRM $(cat pid)", { cwd = dir })
    return finish(dir)
  end

  local function nothing() end

  local function has_lines(count)
    return function(text) return select(2, text:gsub("\n", "")) >= count end
  end

  -- As if its time were up, `timeout` interrupts what it runs when SIGALRM comes.
  local function in_pipe(option, arguments)
    return ("sh -c %s"):format(support.quote(("echo $$ >pid; exec timeout %s -s INT 60 %s")
      :format(option or "", command.line("watch --interval 1 " .. (arguments or "")))))
  end

  -- Under script(1), which gives it a terminal; what its end leaves of the
  -- terminal is told by stty.
  local function on_terminal(setup)
    local inner = ("%s; stty -a >before; %s; echo \"code $?\"; stty -a >after; cmp before after")
      :format(setup or "stty rows 24 cols 80", in_pipe "--foreground")
    return ("script -qec %s /dev/null"):format(support.quote(inner))
  end

  it("writes one line of JSON for each change, and nothing else", function()
    local out, err, code = watch(in_pipe(), function() balances(AFTER) end, has_lines(3))
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

  it("writes amounts as strings with --amounts string", function()
    local out = watch(in_pipe(nil, "--currency BTC --amounts string"),
      function() balances(AFTER) end, has_lines(1))
    assert.equal('"change":"changed","currency":"BTC",'
        .. '"before":{"balance":"4.50","availableBalance":"4"},'
        .. '"after":{"balance":"4.5000000000000000001","availableBalance":"3"},'
        .. '"by":{"balance":"0.0000000000000000001","availableBalance":"-1"}}\n',
      (out:gsub("^.-Z\",", "")))
  end)

  it("tells a failure once, and goes on", function()
    local out, err = watch(in_pipe(), function()
      sandbox:script { { statusCode = 5000, times = 3 } } -- the client asks thrice
      balances(AFTER)
    end, has_lines(3))
    assert.equal("bitfront: server (5000): Internal server side error\n"
      .. "bitfront: it answers again\n", err)
    assert.equal(3, select(2, out:gsub("\n", "")))
  end)

  it("draws the table again in the same place on a terminal, and leaves that as it was",
    function()
      local out = watch(on_terminal(), function() balances(AFTER) end, function(text)
        return text:find "OLD is gone"
      end)
      local first, second = out:match("^(.-)\27%[(%d+)A\r\27%[J")
      assert.equal(select(2, first:gsub("\n", "")), tonumber(second))
      assert.truthy(first:find("BTC          4.50", 1, true), out)
      assert.truthy(first:find("\27[1m", 1, true), out)
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
    local out = watch(on_terminal "stty rows 5 cols 60", nothing, function(text)
      return text:find "\27%[%d+A"
    end)
    assert.truthy(out:find("(2 more)\r\n", 1, true), out)
    for up in out:gmatch("\27%[(%d+)A") do assert.is_true(tonumber(up) <= 4) end
  end)

  it("has no colour with NO_COLOR, and redraws nothing on a dumb terminal", function()
    env.NO_COLOR = "1"
    local function shows_new(text) return text:find "NEW" end
    local function change() balances(AFTER) end
    assert.is_nil(watch(on_terminal(), change, shows_new):find("\27[1m", 1, true))
    begin_anew()
    env.NO_COLOR, env.TERM = false, "dumb"
    assert.is_nil(watch(on_terminal(), change, shows_new):find("\27", 1, true))
    env.TERM = "xterm"
  end)

  it("ends with 130 at once by Ctrl-C, also while it waits for an answer", function()
    sandbox:script { { latency_ms = 8000 } }
    -- A shell without job control has its background jobs ignore SIGINT.
    local dir = start(("set -m; %s & echo $! >pid; wait $!"):format(
      command.line "watch --interval 1"))
    await_calls(1)
    local interrupted = os.time()
    support.must("kill -INT $(cat pid)", { cwd = dir })
    local _, err, code = finish(dir)
    assert.same({ "", 130 }, { err, code })
    assert.is_true(os.time() - interrupted < 5)
  end)

  it("ends when nobody reads what it writes", function()
    for _, nobody in ipairs { ">&-", "| true" } do
      local line = ("{ %s; echo done >status; } %s"):format(
        command.line "watch --interval 1", nobody)
      local _, err = finish(start(line .. "; while ! test -s status; do sleep 0.1; done"))
      assert.equal("bitfront: nobody reads the output\n", err)
    end
  end)

  it("ends where a call cannot be made", function()
    fails("watch", command.environment(), "config %(missing_credentials%)", 3)
  end)

  it("takes intervals of a second or more", function()
    for _, seconds in ipairs { "0", "0.9", "-1", "1e3", "0x10", "nan", "86401", "''", "1,5" } do
      is_misuse("watch --interval=" .. seconds, "an interval is 1 to 86400 seconds")
    end
  end)
end)

describe("the rounds of bitfront watch #apart", function()
  -- Two accounts, of which each call of a round gives what the row says.
  it("note each failure once, and pause for as long as a server asks", function()
    local out, err = shell.lua [[
      local clients = require "bitfront.cli.clients"
      local decimal = require "bitfront".decimal
      local streams = require "bitfront.cli.streams"
      local wait = require "bitfront.wait"
      local watch_screen = require "bitfront.cli.watch_screen"
      local function btc(balance)
        return { { currency = "BTC", balance = decimal(balance), availableBalance = decimal "0" } }
      end
      local function failed(kind, retry_after)
        return { kind = kind, code = 1, message = "m", retry_after = retry_after }
      end
      local rounds, number = {
        { a = btc "1", b = failed("rate_limit", 30) },
        { a = failed("network", 4), b = failed("rate_limit", 2) },
        { a = btc "2", b = btc "7" }, { a = {}, b = btc "7" }, { a = btc "3", b = failed "server" },
      }, 1
      local nameless = { client = {} }
      clients.open_all = function() return { { client = {}, name = "a" }, nameless } end
      clients.ask = function(account)
        local given = rounds[number][account.name or "b"]
        if given.kind then
          given.account = account.name
          return nil, given
        end
        return given
      end
      watch_screen.is_there = function() return true end
      watch_screen.new = function()
        return {
          note = function(_, message) print("note " .. message) end,
          change = function(_, account, kind, before, after, difference)
            print("change", account.name, kind, tostring(before and before.balance),
              tostring(after and after.balance), tostring(difference and difference.balance))
          end,
          update = function(_, records, pause, is_failing) print(#records, pause, is_failing) end,
        }
      end
      streams.check_output = function() end
      wait.block = function(pause)
        print("pause", pause)
        number = number + 1
        if not rounds[number] then error "over" end
      end
      print((select(2, pcall(require "bitfront.cli.watch".run, { interval = 5, profile = {} }))
        :gsub(".* ", "")))
    ]]
    assert.equal("", err)
    assert.equal([[
note rate_limit (1): m
1 30 true
pause 30
note a: network (1): m
1 5 true
pause 5
note a: it answers again
change a changed 1 2 1
note it answers again
2 5 false
pause 5
change a removed 2 nil nil
1 5 false
pause 5
change a added nil 3 nil
note server (1): m
2 5 true
pause 5
over
]], (out:gsub("\t", " ")))
  end)
end)

describe("the screen of bitfront watch #apart", function()
  -- What it writes, without its time, of so many balances and events: twice, the first time
  -- without moving the cursor.
  local function draws(size, balances, events, update)
    local out, err = shell.lua(([[
      local core = require "bitfront.core"
      local decimal = require "bitfront".decimal
      local watch_screen = require "bitfront.cli.watch_screen"
      core.wall = function() return 1700000000123 end
      core.terminal_size = function() return %s end
      local view, records = watch_screen.new({ places = 0 },
        { columns = { "currency", "balance" } }), {}
      for i = 1, %d do records[i] = { currency = "C" .. i, balance = decimal(i .. ".0") } end
      for i = 1, %d do view:note("event\t" .. i) end
      for _ = 1, 2 do view:update(records, %s) end
    ]]):format(size, balances, events, update), { env = { NO_COLOR = "1" } })
    assert.equal("", err)
    out = out:gsub("2023%-11%-14T22:13:20Z", "T"):gsub("\n", "|")
    local first, up, second = out:match "^(.-)\27%[(%d+)A\r\27%[J(.*)$"
    assert.equal(first, second)
    return tonumber(up), first
  end

  it("tells whose coins came, are gone, or are more or less", function()
    assert.equal("hot: ETH is new\nBTC is gone\nBTC balance +1.5, availableBalance -2\n"
      .. "hot: BTC availableBalance +0.1\n", (shell.lua [[
        local decimal = require "bitfront".decimal
        local view, hot = require "bitfront.cli.watch_screen".new({}, {}), { name = "hot" }
        local function by(balance, available)
          return { balance = decimal(balance), availableBalance = decimal(available) }
        end
        local btc = { currency = "BTC" }
        view:change(hot, "added", nil, { currency = "ETH" })
        view:change({}, "removed", btc)
        view:change({}, "changed", btc, btc, by("1.5", "-2"))
        view:change(hot, "changed", btc, btc, by("0.0", "0.1"))
        for _, event in ipairs(view.events) do print((event:gsub("^%S+Z  ", ""))) end
      ]]))
  end)

  it("is there on a terminal that can move its cursor", function()
    assert.equal("true false false false false\n", (shell.lua [[
      local core, term = require "bitfront.core", nil
      function os.getenv() return term end
      local function is_there(is_terminal, of)
        core.is_terminal, term = function() return is_terminal end, of
        return tostring(require "bitfront.cli.watch_screen".is_there())
      end
      print(table.concat({ is_there(true, "xterm"), is_there(true, "dumb"), is_there(true, ""),
        is_there(true), is_there(false, "xterm") }, " "))
    ]]))
  end)

  local EVENTS = "T  event\\x091|T  event\\x092|T  event\\x093|"
  local AGAIN = "T  again in 1 s; Ctrl-C ends it|"

  -- The terminal's size, balances, events, pause and whether a call failed; how many of the
  -- terminal's rows that takes, and the lines.
  local ROWS = {
    { "80, 24", 0, 0, "1, false", 3, "currency  balance||" .. AGAIN },
    { "80, 24", 2, 7, "1.5, true", 11, "currency  balance|C1              1|C2              2||"
      .. EVENTS:gsub("%d|", { ["1|"] = "2|", ["2|"] = "3|", ["3|"] = "4|" })
      .. EVENTS:gsub("%d|", { ["1|"] = "5|", ["2|"] = "6|", ["3|"] = "7|" })
      .. "T  the last call failed; again in 1.5 s; Ctrl-C ends it|" },
    { "80, 10", 4, 3, "1, false", 9, "currency  balance|C1              1|"
      .. "C2              2|(2 more)||" .. EVENTS .. AGAIN },
    { "80, 11", 4, 3, "1, false", 10, "currency  balance|C1              1|"
      .. "C2              2|C3              3|C4              4||" .. EVENTS .. AGAIN },
    { "80, 8", 4, 3, "1, false", 7, "currency  balance|(4 more)||" .. EVENTS .. AGAIN },
    { "80, 7", 4, 3, "1, false", 6, "currency  balance|(4 more)|" .. EVENTS .. AGAIN },
    { "80, 4", 4, 3, "1, false", 3, "currency  balance|(4 more)|" .. AGAIN },
    { "80, 2", 4, 3, "1, false", 1, AGAIN },
    { "50, 24", 0, 1, "1, false", 4, "currency  balance||T  event\\x091|" .. AGAIN },
    { "49, 24", 0, 1, "1, false", 5, "currency  balance||T  event\\x091|" .. AGAIN },
    { "14, 12", 4, 3, "1, false", 10, "currency  balance|(4 more)|T  event\\x093|" .. AGAIN },
    { "14, 7", 4, 0, "1, false", 5, "(4 more)|" .. AGAIN },
    { "nil", 0, 0, "1e31, false", 4, "currency  balance||"
      .. (AGAIN:gsub("1", "1" .. ("0"):rep(31))) },
    { "nil", 25, 0, "1, false", 23, "currency  balance|"
      .. ("C%d              %d|"):rep(9):format(1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9,
        9) .. ("C%d            %d|"):rep(10):format(10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15,
        16, 16, 17, 17, 18, 18, 19, 19) .. "(6 more)||" .. AGAIN },
  }
  for _, row in ipairs(ROWS) do
    it(("fits %d balances and %d events into %s cells"):format(row[2], row[3], row[1]), function()
      assert.same({ row[5], row[6] }, { draws(row[1], row[2], row[3], row[4]) })
    end)
  end
end)
