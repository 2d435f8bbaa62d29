-- `bitfront check`: its one line and its exit status, as a monitoring system reads them.

local command = require "spec.support.command"
local support = require "spec.support"

local bitfront = command.run

-- The parts of its line; whatever it tells, there is one, and nothing on stderr.
local function parts(arguments, env, options)
  local out, err, status = bitfront("check " .. arguments, env, options)
  assert.equal("", err)
  local name, text, data = out:match "^BITFRONT (%u+): ([^|\n]*) | ([^|\n]*)\n$"
  if not name then name, text = out:match "^BITFRONT (%u+): ([^|\n]*)\n$" end
  assert.truthy(name, out)
  assert.equal(({ OK = 0, WARNING = 1, CRITICAL = 2, UNKNOWN = 3 })[name], status)
  return name, text, data
end

-- Seconds differ from run to run.
local function without_seconds(data)
  return (data:gsub("=%-?%d+%.%d%d%ds", "=Ss"))
end

local function is_unknown(expected, arguments, env)
  local name, text, data = parts(arguments, env)
  assert.equal("UNKNOWN", name)
  assert.is_nil(data)
  assert.truthy(text:find(expected), text)
end

describe("bitfront check #apart", function()
  local sandbox, env

  local function has(list)
    local balances = {}
    for i, row in ipairs(list) do
      balances[i] = { currency = row[1], balance = row[2], availableBalance = row[3] or row[2] }
    end
    sandbox:accounts { { api_key = support.KEY, api_secret = support.SECRET, balances = balances } }
  end

  lazy_setup(function()
    sandbox = support.sandbox()
    sandbox:set { limits = false }
    env = command.with_credentials(sandbox)
    has { { "BTC", "0.5", "0.25" }, { "USDT", "1000000.0000000000000001" }, { "sUSD", "1e-8" } }
  end)
  lazy_teardown(function() sandbox:stop() end)

  local function tells(name, text, data, arguments)
    local found, words, numbers = parts(arguments, env)
    assert.same({ name, text, data and data .. " time=Ss" or "time=Ss" },
      { found, words, without_seconds(numbers) })
  end

  it("is well where nothing is asked for and the balances can be read", function()
    tells("OK", "3 balances", nil, "")
  end)

  -- Name, text, performance data and arguments.
  local ROWS = {
    { "OK", "BTC 0.5", "BTC=0.5;;0.5:", "--below BTC=0.5" },
    { "OK", "BTC 0.5", "BTC=0.5;;~:0.50", "--above BTC=0.50" },
    { "OK", "BTC 0.5", "BTC=0.5;;0:", "--below BTC=0" },
    { "CRITICAL", "BTC 0.5 is below 0.5000000000000000000000000001",
      "BTC=0.5;;0.5000000000000000000000000001:", "--below BTC=0.5000000000000000000000000001" },
    { "CRITICAL", "USDT 1000000.0000000000000001 is above 1000000",
      "USDT=1000000.0000000000000001;;~:1000000", "--above USDT=1e6" },
    { "WARNING", "BTC 0.5 is below 1", "BTC=0.5;1:;0.1:", "--below BTC=0.1 --warn-below BTC=1" },
    { "WARNING", "BTC 0.5 is above 0.3", "BTC=0.5;~:0.3;~:2",
      "--warn-above BTC=0.3 --above BTC=2" },
    { "CRITICAL", "BTC 0.5 is above 0.4", "BTC=0.5;0.2:0.3;0.1:0.4",
      "--above BTC=0.4 --warn-above BTC=0.3 --warn-below BTC=0.2 --below BTC=0.1" },
    { "OK", "BTC 0.5", "BTC=0.5;0.5:0.5;0.5:0.5",
      "--above BTC=0.5 --warn-above BTC=0.5 --warn-below BTC=0.5 --below BTC=0.5" },
    { "CRITICAL", "USDT 1000000.0000000000000001 is above 7, BTC 0.5 is below 1",
      "USDT=1000000.0000000000000001;;~:7 BTC=0.5;1:", "--warn-below BTC=1 --above USDT=7" },
    { "CRITICAL", "USDT 1000000.0000000000000001 is above 7",
      "BTC=0.5;;0.1: USDT=1000000.0000000000000001;;~:7", "--below BTC=0.1 --above USDT=7" },
    { "WARNING", "BTC 0.5 is below 1", "USDT=1000000.0000000000000001;;1: BTC=0.5;1:",
      "--warn-below BTC=1 --below USDT=1" },
    { "OK", "DOGE 0", "DOGE=0;;~:5", "--above DOGE=5" },
    { "CRITICAL", "DOGE 0 is below 5", "DOGE=0;;5:", "--below DOGE=5" },
    { "OK", "sUSD 0.00000001", "sUSD=0.00000001;;0.00000001:", "--below sUSD=1e-8" },
    { "CRITICAL", "BTC 0.25 is below 0.5", "BTC=0.25;;0.5:",
      "--below BTC=0.5 --of availableBalance" },
    { "OK", "BTC 0.5", "BTC=0.5;;~:1" .. ("0"):rep(400), "--above BTC=1e400" },
  }
  for _, row in ipairs(ROWS) do
    it("tells of " .. row[4]:sub(1, 80), function()
      tells(row[1], row[2], row[3], row[4])
    end)
  end

  it("adds up what an account has of a coin in several records", function()
    has { { "BTC", "0.1" }, { "BTC", "0.2" } }
    tells("OK", "BTC 0.3", "BTC=0.3;;0.3:0.3", "--below BTC=0.3 --above BTC=0.3")
    has { { "BTC", "0.5", "0.25" }, { "sUSD", "1e-8" } }
  end)

  it("writes labels and texts that end neither early nor in a control character", function()
    has { { "A B", "1" }, { "it's|=\27[31m", "2" } }
    tells("OK", "A B 1, it's\\x7C=\\x1B[31m 2", "'A B'=1;;1: 'it''s\\x7C=\\x1B[31m'=2;;2:",
      "--below 'A B=1' --below " .. support.quote "it's|=\27[31m=2")
    has { { "BTC", "0.5", "0.25" }, { "sUSD", "1e-8" } }
  end)

  -- What is told, and arguments.
  local MISTAKES = {
    { "%-%-below BTC: must be CODE=AMOUNT, as BTC=0%.5", "--below BTC" },
    { "%-%-below BTC=: not a number", "--below BTC=" },
    { "%-%-above =1: a coin code must not be empty", "--above =1" },
    { "%-%-warn%-above =: a coin code", "--warn-above =" },
    { "%-%-below BTC=%-1: must not be negative", "--below BTC=-1" },
    { "%-%-below BTC=1e401: ", "--below BTC=1e401" },
    { "%-%-below BTC=NaN: not a number", "--below BTC=NaN" },
    { "%-%-below BTC=0,5: not a number", "--below BTC=0,5" },
    { "%-%-below BTC=0x1: not a number", "--below BTC=0x1" },
    { "%-%-below BTC= 1: not a number", "--below 'BTC= 1'" },
    { "%-%-below BTC=2: BTC has one already", "--below BTC=1 --below BTC=2" },
    { "%-%-below BTC=2 must not be more than %-%-above BTC=1", "--below BTC=2 --above BTC=1" },
    { "%-%-below BTC=2 must not be more than %-%-warn%-below BTC=1",
      "--below BTC=2 --warn-below BTC=1" },
    { "%-%-warn%-above BTC=2 must not be more than %-%-above BTC=1",
      "--warn-above BTC=2 --above BTC=1" },
    { "%-%-warn%-below BTC=3 must not be more than %-%-above BTC=2",
      "--warn-below BTC=3 --above BTC=2 --below BTC=1" },
    { "%-%-stale must be a number of seconds above 0", "--stale 0" },
    { "%-%-stale must be a number of seconds above 0", "--stale x" },
    { "'%-%-of' must be one of", "--of currency" },
    { "unknown option '%-%-frobnicate' %(see bitfront check %-%-help%)", "--frobnicate" },
    { "too many arguments", "BTC" },
    { "unknown option '%-%-format'", "--format json" },
    { "base_url", "--base-url http://example.com" },
  }
  for _, row in ipairs(MISTAKES) do
    it("asks nobody and does not know with " .. row[2], function()
      local before = #sandbox:log()
      is_unknown(row[1], row[2], env)
      assert.equal(before, #sandbox:log())
    end)
  end

  it("takes no coin for one that the account has in other letters", function()
    is_unknown("no record of btc; did you mean BTC%?", "--above btc=5", env)
    is_unknown("no record of SUSD; did you mean sUSD%?", "--below SUSD=5", env)
  end)

  it("does not know where it cannot ask", function()
    is_unknown("config %(missing_credentials%)", "", command.environment())
    is_unknown("config %(profile%)", "--profile other", command.environment())
    is_unknown("auth %(6001%)", "--below BTC=1",
      command.with_credentials(sandbox, { BITFRONT_API_KEY = "nobody" }))
    sandbox:script { { latency_ms = 5000 } }
    is_unknown("timeout %(response%)", "--timeout 1", env)
  end)

  it("does not know where a module cannot be loaded", function()
    for _, name in ipairs { "argparse", "bitfront/core", "bitfront/cli/commands" } do
      local dir = support.tmpdir()
      support.must("mkdir -p bitfront/cli", { cwd = dir })
      support.write(dir .. "/" .. name .. ".lua", "error('not | built')")
      is_unknown("cannot be loaded: .*not \\x7C built", "--below BTC=1",
        command.with_credentials(sandbox, { LUA_PATH = dir .. "/?.lua;" .. package.path }))
    end
  end)

  it("does not know where its line cannot be written", function()
    for _, redirection in ipairs { ">/dev/full", ">&-" } do
      local out, err, status = bitfront("check --below BTC=9 " .. redirection, env)
      assert.same({ "", 3 }, { out, status })
      assert.truthy(command.is_one_line(err), err)
    end
  end)

  it("finds a reply whose time is past --stale", function()
    sandbox:set { clock_offset_ms = -5500 }
    local name, text, data = parts("--stale 5 --warn-below BTC=1", env)
    assert.equal("CRITICAL", name)
    assert.truthy(text:find "^the reply is [56]%.%d%d%d s old, more than 5, BTC 0%.5 is below 1$",
      text)
    assert.truthy(data:find "^BTC=0%.5;1: age=[56]%.%d%d%ds;;~:5 time=%d+%.%d%d%ds$", data)
    assert.equal("OK", (parts("--stale 60", env)))
    sandbox:set { clock_offset_ms = 5500 }
    name, text, data = parts("--stale 0.5", env)
    sandbox:set { clock_offset_ms = 0 }
    assert.same({ "OK", "2 balances" }, { name, text })
    assert.truthy(data:find "^age=%-[45]%.%d%d%ds;;~:0.5 time=", data)
  end)

  -- A client and a clock of the row's own.
  it("tells seconds rounded to milliseconds, and an age that is as much as --stale", function()
    local function checked(arguments)
      return (support.lua(([[
        require "bitfront.native".now()
        require "bitfront.native".wall = function() return 1700000005000.4 end
        require "bitfront.cli.clients".open = function()
          return { balances = function()
            return {}, nil, { responseTime = 1700000000000, elapsed = 8.0625 }
          end }
        end
        require "bitfront.cli".main { "check", %s }]]):format(arguments), { env = env }))
    end
    assert.equal("BITFRONT OK: 0 balances | age=5.000s;;~:5 time=8.063s\n",
      checked '"--stale", "5"')
    assert.equal("BITFRONT CRITICAL: the reply is 5.000 s old, more than 4.999 | "
      .. "age=5.000s;;~:4.999 time=8.063s\n", checked '"--stale", "4.999"')
  end)

  it("checks the account of a profile", function()
    local name, text = parts("--profile main --below BTC=0.5", command.with_credentials(sandbox, {
      BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
      HOME = command.home { main = { support.KEY, support.SECRET } },
    }))
    assert.same({ "OK", "BTC 0.5" }, { name, text })
  end)

  it("is the same under a locale with a decimal comma", function()
    local out = support.lua([[
      assert(os.setlocale "de_DE.UTF-8")
      require "bitfront.cli".main { "check", "--below", "BTC=0.25", "--stale", "86400",
                                    "--timeout", "10" }
    ]], { env = env })
    assert.truthy(out:find("^BITFRONT OK: BTC 0%.5 | BTC=0%.5;;0%.25: age=%-?%d+%.%d+s;;~:86400 "
      .. "time=%d+%.%d+s\n$"), out)
  end)

  it("has a help that tells what bounds are", function()
    local out, err, status = bitfront "check --help"
    assert.truthy(out:find "%-%-below <code=amount>")
    assert.truthy(out:gsub("%s+", " "):find(
      "0 for OK, 1 for WARNING, 2 for CRITICAL, 3 for UNKNOWN", 1, true))
    assert.same({ "", 0 }, { err, status })
  end)
end)
