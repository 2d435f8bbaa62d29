-- The arrival log's file, and what is found in it.

local exchange_caller = require "spec.support.exchange_caller"
local cjson = require "cjson"
local command = require "spec.support.command"
local limits_check = require "bitfront.sandbox.limits_check"
local sandbox = require "bitfront.sandbox"
local shell = require "spec.support.shell"

local BALANCES = "/v1/account/balances"
local NOON = 1700000000000

local signatures = 0

-- A line of the log: a signed call of KEY at so many ms past noon, except for
-- what is given; false is a header that was not sent.
local function line(ms, with)
  with = with or {}
  signatures = signatures + 1
  local function header(name, usual)
    if with[name] == nil then return usual end
    return with[name] or nil
  end
  return cjson.encode {
    arrived_ms = NOON + ms, method = "GET", query = "", verdict = 1000,
    path = with.path or BALANCES,
    key = header("key", "KEY"),
    signature = header("signature", "s" .. signatures),
  } .. "\n"
end

local function lines(times, with)
  local all = {}
  for i, ms in ipairs(times) do all[i] = line(ms, with) end
  return table.concat(all)
end

-- Each finding in short: kind, key, ms past noon and calls, or kind and line.
local function findings(text)
  local found = {}
  for i, f in ipairs(limits_check.check(text).findings) do
    found[i] = f.line and ("%s %d"):format(f.kind, f.line)
      or ("%s %s %d %d"):format(f.kind, f.key, f.at_ms - NOON, f.calls)
  end
  return found
end

-- So many times, from `first` on, `step` ms apart.
local function every(step, count, first)
  local times = {}
  for i = 1, count do times[i] = (first or 0) + (i - 1) * step end
  return times
end

describe("the check of an arrival log", function()
  it("finds nothing in an empty one", function()
    assert.same({ findings = {}, calls = 0, keys = 0 }, limits_check.check "")
  end)

  it("finds more than 1 call of a key's tradeHistory within 1 s, and 30 within 60 s", function()
    local PATH = { path = "/v2/account/tradeHistory" }
    assert.same({}, findings(lines({ 0, 1000, 2000 }, PATH)))
    assert.same({ "per_second KEY 0 2" }, findings(lines({ 0, 999 }, PATH) .. line(1500)))
    assert.same({}, findings(lines(every(2000, 40), PATH)))
    assert.same({ "per_minute KEY 0 31" }, findings(lines(every(1999, 31), PATH)))
    assert.equal(PATH.path, limits_check.check(lines({ 0, 999 }, PATH)).findings[1].path)
  end)

  it("counts no call of what is answered unsigned, whatever its headers", function()
    assert.same({}, findings(lines({ 0, 0, 0, 0 }, { path = "/v1/public/time" })
      .. lines({ 0, 0, 0, 0 }, { path = "/v1/market/public/currentTickValue" })
      .. lines({ 0, 0, 0, 0 }, { path = "/v1/market/public/coins/pairPolicy" })))
  end)

  it("finds more than 3 calls of a key within 1 s, but not at exactly 1000 ms", function()
    assert.same({}, findings(lines { 0, 500, 999, 1000 }))
    assert.same({ "per_second KEY 0 4" }, findings(lines { 0, 500, 998, 999 }))
    assert.same({}, findings(lines { 0, 0, 0, 1000, 1000, 1000, 2000 }))
    assert.same({ "per_second KEY 1 4" }, findings(lines { 1, 1, 1, 1000, 1001, 1001 }))
  end)

  it("finds more than 60 calls of a key within 60 s, but not at exactly 60000 ms", function()
    local sixty = every(400, 60)
    assert.same({}, findings(lines(sixty) .. line(60000)))
    assert.same({ "per_minute KEY 0 61" }, findings(lines(sixty) .. line(59999)))
    assert.same({ "per_minute KEY 400 61" },
                findings(lines(sixty) .. line(60000) .. line(60399)))
    assert.same({}, findings(lines(sixty) .. line(60000) .. line(60400)))
  end)

  it("tells each window, but none that another holds whole", function()
    assert.same({ "per_second KEY 0 6" }, findings(lines { 0, 0, 0, 1, 2, 999 }))
    assert.same({ "per_second KEY 0 4", "per_second KEY 300 4", "per_second KEY 5000 4" },
                findings(lines { 0, 300, 600, 900, 1200, 5000, 5000, 5000, 5000 }))
  end)

  it("agrees with the exchange's own counting on any times", function()
    math.randomseed(7)
    for _ = 1, 300 do
      local times = {}
      for i = 1, math.random(2, 12) do times[i] = math.random(0, 4000) end
      table.sort(times)
      local refused = false
      for i = 4, #times do refused = refused or times[i] - times[i - 3] < 1000 end
      assert.equal(refused, #findings(lines(times)) > 0)
    end
  end)

  it("goes by the times, whatever the order of the lines", function()
    assert.same({ "per_second KEY 0 4" }, findings(lines { 999, 5000, 500, 0, 998 }))
    local text = line(700, { signature = "S", key = "LATER" }) .. line(0, { signature = "S" })
    assert.same({ "signature LATER 700 2" }, findings(text))
  end)

  it("goes by the order of the lines for calls of one moment", function()
    local text = {}
    for i = 1, 40 do text[i] = line(0, { signature = "S", key = "KEY" .. i }) end
    assert.same({ "signature KEY2 0 40" }, findings(table.concat(text)))
  end)

  it("tells findings by time, then by kind, then by key", function()
    local text, expected = lines({ 9000 }, { signature = "S", key = "X" })
      .. lines({ 9000 }, { signature = "S", key = "X" }), {}
    for i = 1, 9 do
      text = lines({ 9000, 9000, 9000, 9000 }, { key = "K" .. 10 - i }) .. text
      expected[i] = ("per_second K%d 9000 4"):format(i)
    end
    expected[10] = "signature X 9000 2"
    table.insert(expected, 1, "per_second LATER 700 4")
    assert.same(expected, findings(text .. lines({ 700, 700, 700, 700 }, { key = "LATER" })))
  end)

  it("counts a call at the clock's first millisecond", function()
    assert.same({ findings = {}, calls = 1, keys = 1, first_ms = 0, last_ms = 0 },
      limits_check.check '{"arrived_ms":0,"key":"KEY"}\n')
  end)

  it("counts each key for itself", function()
    local text = {}
    for i = 1, 3 do text[i] = line(i * 10) .. line(i * 10, { key = "OTHER" }) end
    text = table.concat(text)
    assert.same({}, findings(text))
    assert.same({ "per_second OTHER 10 4" }, findings(text .. line(35, { key = "OTHER" })))
    assert.equal(2, limits_check.check(text).keys)
  end)

  it("does not count calls that are not signed", function()
    local unsigned = line(0, { key = false }) .. line(0, { key = "" })
      .. line(0, { path = "/v1/public/time" })
    assert.same({ findings = {}, calls = 0, keys = 0 },
                limits_check.check(unsigned .. unsigned))
  end)

  it("counts calls that were refused or found the exchange down", function()
    local refused = line(0):gsub('"verdict":1000', '"verdict":4003,"down":true')
    assert.same({ "per_second KEY 0 4" }, findings(lines { 0, 1, 2 } .. refused))
  end)

  it("finds a signature that came twice, once, also of another key", function()
    local text = line(0, { signature = "S" }) .. line(70000) .. line(140000)
      .. line(200000, { signature = "S", key = "OTHER" }) .. line(300000, { signature = "S" })
    assert.same({ "signature OTHER 200000 3" }, findings(text))
  end)

  it("takes no missing or empty signature for one", function()
    local two = { 0, 5000 }
    assert.same({}, findings(lines(two, { signature = false }) .. lines(two, { signature = "" })))
    assert.same({}, findings(lines({ 9000, 9500 }, { signature = { "S", "T" } })))
  end)

  it("leaves a last line out that was cut, wherever", function()
    local whole, last = lines { 0, 1, 2 }, line(3)
    for at = 1, #last - 2 do
      local report = limits_check.check(whole .. last:sub(1, at))
      assert.same({ {}, 3, true }, { report.findings, report.calls, report.cut })
    end
    assert.same({ "per_second KEY 0 4" }, findings(whole .. last:sub(1, -2)))
    assert.is_nil(limits_check.check(whole .. last:sub(1, -2)).cut)
  end)

  it("names every other damaged line, and reads on", function()
    for _, damaged in ipairs { "", "{", "17", "null", "{}", '{"arrived_ms":"1"}',
                               '{"arrived_ms":NaN}', '{"arrived_ms":-1}', "\0" } do
      assert.same({ "damaged 2", "per_second KEY 0 4" },
                  findings(line(0) .. damaged .. "\n" .. lines { 1, 2, 3 }))
    end
    assert.same({ "damaged 1" }, findings "{\n")
  end)

  it("says how many calls it has seen, and from when to when", function()
    local report = limits_check.check(line(5000) .. line(7) .. line(2, { key = false }))
    assert.same({ findings = {}, calls = 2, keys = 1, first_ms = NOON + 7,
                  last_ms = NOON + 5000 }, report)
  end)
end)

describe("the log of arrivals in memory", function()
  it("has the last 10000, oldest first", function()
    package.loaded["bitfront.sandbox.c_functions"] = {}
    local log = require "bitfront.sandbox.arrivals".open "/dev/null"
    package.loaded["bitfront.sandbox.c_functions"] = nil
    local function kept()
      local all = cjson.decode(log:json())
      return { #all, all[1].arrived_ms, all[#all].arrived_ms }
    end
    for i = 1, 10000 do log:add({ arrived = i }, { code = 1000 }) end
    assert.same({ 10000, 1, 10000 }, kept())
    for i = 10001, 10003 do log:add({ arrived = i }, { code = 1000 }) end
    assert.same({ 10000, 4, 10003 }, kept())
    assert.is_nil(log.lines[3])
  end)
end)

describe("the file of arrivals", function()
  local box, caller, path

  setup(function()
    box = assert(sandbox.start { port = 0, dir = shell.tmpdir(), background = true })
    caller = exchange_caller.of(box)
    path = box.dir .. "/arrivals.log"
  end)

  teardown(function() sandbox.stop { dir = box.dir } end)

  before_each(function() caller:control("POST", "reset") end)

  local function decoded()
    local arrivals = {}
    for text in shell.read(path):gmatch("([^\n]*)\n") do
      arrivals[#arrivals + 1] = cjson.decode(text)
    end
    return arrivals
  end

  it("has the arrivals of the control endpoint, a line for each", function()
    caller:control("POST", "script", '{"statusCode":5000}')
    caller:get(BALANCES, { query = "a=1" })
    caller:get(BALANCES, { more = "-H 'X-API-KEY: K'" })
    shell.must(caller:curl(caller:url "/v1/public/time"))
    caller:control("POST", "settings", '{"down":true}')
    shell.run(caller:curl(caller:url(BALANCES)))
    local arrivals = decoded()
    assert.equal(4, #arrivals)
    assert.same(caller:control("GET", "log"), arrivals)
  end)

  it("has slashes and backslashes as they were sent, and no more of them", function()
    shell.must(caller:curl(caller:url [[/v1/public/time?/\/]]))
    local text = shell.read(path)
    assert.matches('"path":"/v1/public/time"', text, 1, true)
    assert.matches([["query":"/\\/"]], text, 1, true)
    assert.equal([[/\/]], cjson.decode(text).query)
    local log = shell.must(caller:curl(caller:control_words("GET", "log")))
    assert.equal("[" .. text:sub(1, -2) .. "]", log)
  end)

  it("is its owner's alone", function()
    assert.matches("^%-rw%-%-%-%-%-%-%-", shell.must("ls -l " .. shell.quote(path)))
  end)

  it("has a long line whole", function()
    caller:get(BALANCES, { query = "a=" .. ("%22"):rep(2000) })
    assert.equal(6002, #decoded()[1].query)
  end)

  for what, call in pairs { ["the log is cleared"] = { "DELETE", "log" },
                            ["all is put back"] = { "POST", "reset" } } do
    it("is emptied when " .. what .. ", and goes on from there", function()
      caller:get(BALANCES)
      caller:control(call[1], call[2])
      assert.equal("", shell.read(path))
      caller:get(BALANCES, { query = "second" })
      local arrivals = decoded()
      assert.same({ 1, "second" }, { #arrivals, arrivals[1].query })
    end)
  end

  it("is begun anew at each start", function()
    local dir = shell.tmpdir()
    shell.write(dir .. "/arrivals.log", "old\n")
    assert(sandbox.start { port = 0, dir = dir, background = true })
    local again = assert(sandbox.start { dir = dir })
    assert.equal("", shell.read(dir .. "/arrivals.log"))
    assert.matches("^%-rw%-%-%-%-%-%-%-", shell.must("ls -l " .. dir .. "/arrivals.log"))
    shell.must(exchange_caller.of(again):curl(again.base_url .. "/v1/public/time"))
    assert.is_true(sandbox.start({ dir = dir }).already_running)
    assert.matches("public", shell.read(dir .. "/arrivals.log"))
    sandbox.stop { dir = dir }
  end)

  it("may be missing: the sandbox goes on, and says so once", function()
    local dir = shell.tmpdir()
    shell.must(("mkdir -p %s/arrivals.log/in-the-way"):format(dir))
    local other = assert(sandbox.start { port = 0, dir = dir, background = true })
    finally(function() sandbox.stop { dir = dir } end)
    local calls = exchange_caller.of(other)
    for _ = 1, 2 do assert.equal(1000, calls:code(BALANCES)) end
    calls:control("POST", "reset")
    assert.equal(1000, calls:code(BALANCES))
    local _, told = shell.read(dir .. "/error.log"):gsub("arrivals are missing from the file", "")
    assert.equal(1, told)
  end)
end)

describe("bitfront sandbox --check-limits #apart", function()
  local box, caller

  setup(function()
    box = assert(sandbox.start { port = 0, dir = shell.tmpdir(), background = true })
    caller = exchange_caller.of(box)
  end)

  teardown(function() sandbox.stop { dir = box.dir } end)

  before_each(function() caller:control("POST", "reset") end)

  local function check(dir)
    return command.run("sandbox --check-limits --dir " .. shell.quote(dir or box.dir))
  end

  -- As the command shows the time of an arrival.
  local function display(ms)
    local utc = os.date("!%Y-%m-%dT%H:%M:%S", math.floor(ms / 1000))
    return ("%s.%03dZ"):format(utc, ms % 1000)
  end

  it("ends with 0 where nothing is wrong, while the sandbox runs", function()
    caller:get(BALANCES)
    caller:get(BALANCES, { key = "SOMEBODY" })
    local log = caller:control("GET", "log")
    assert.same({ ("2 calls of 2 keys from %s to %s: no limit exceeded, "
      .. "no signature used twice\n"):format(display(log[1].arrived_ms),
        display(log[2].arrived_ms)), "", 0 }, { check() })
  end)

  it("ends with 0 before anything has arrived", function()
    assert.same({ "0 calls of 0 keys: no limit exceeded, no signature used twice\n", "", 0 },
                { check() })
  end)

  it("ends with 1 and says what is wrong, with no more of a key than its beginning", function()
    caller:together {
      { BALANCES, { nonce = "77777" } }, { BALANCES, { nonce = "77777", timestamp = "$ts1" } },
      { BALANCES }, { BALANCES },
    }
    local log = caller:control("GET", "log")
    local first, second = log[1].arrived_ms, log[2].arrived_ms
    local out, err, code = check()
    assert.equal(("per_second  6W20...  %s  %.0f  4 calls\n"
      .. "signature   6W20...  %s  %.0f  2 calls\n"
      .. "4 calls of 1 key from %s to %s: limits exceeded in 1 window, "
      .. "1 signature used twice or more\n"):format(display(first), first, display(second), second,
        display(first), display(log[4].arrived_ms)), out)
    assert.same({ "", 1 }, { err, code })
  end)

  it("counts damaged lines as something wrong", function()
    local dir = shell.tmpdir()
    shell.write(dir .. "/arrivals.log", line(0) .. "oops\n")
    local out, err, code = check(dir)
    assert.equal("damaged     line 2\n1 call of 1 key from 2023-11-14T22:13:20.000Z to "
      .. "2023-11-14T22:13:20.000Z: no limit exceeded, no signature used twice, 1 damaged line\n",
      out)
    assert.same({ "", 1 }, { err, code })
  end)

  it("says that the last line is cut, which is nothing wrong", function()
    local dir = shell.tmpdir()
    shell.write(dir .. "/arrivals.log", line(0) .. "{")
    local out, _, code = check(dir)
    assert.matches("no signature used twice %(the last line is cut%)\n$", out)
    assert.equal(0, code)
  end)

  it("escapes what was sent as a key", function()
    local dir = shell.tmpdir()
    shell.write(dir .. "/arrivals.log", lines({ 0, 0, 0, 0 }, { key = "\27[2J" }))
    assert.matches("^per_second  \\x1B%[2J%.%.%.  ", (check(dir)))
  end)

  it("works after the sandbox has ended, however it ended", function()
    local dir = shell.tmpdir()
    local other = assert(sandbox.start { port = 0, dir = dir, background = true })
    exchange_caller.of(other):get(BALANCES)
    shell.must(("kill -KILL $(ps -o pid= --ppid %d) %d"):format(other.pid, other.pid))
    local out, _, code = check(dir)
    assert.matches("^1 call of 1 key from [^\n]*: no limit exceeded, no signature used twice\n$",
                   out)
    assert.equal(0, code)
  end)

  it("ends with 1 and one line where there is no file", function()
    command.fails("sandbox --check-limits --dir " .. shell.tmpdir(), nil,
                  "arrivals cannot be read: /.*/arrivals.log: No such file")
  end)

  it("adds up the windows of both limits", function()
    local found = {}
    for i, kind in ipairs { "per_second", "per_minute", "per_minute" } do
      found[i] = { kind = kind, key = "k", at_ms = 0, calls = 9, path = i == 2 and "/p" or nil }
    end
    assert.matches("\nper_minute  k%.%.%.  1970%-01%-01T00:00:00%.000Z  0  9 calls of /p\n.*"
      .. ": limits exceeded in 3 windows, no signature used twice\n$",
      require "bitfront.cli.limits_report".format {
        findings = found, calls = 9, keys = 1, first_ms = 0, last_ms = 0 })
  end)

  it("goes with neither --background nor --stop", function()
    command.is_misuse("sandbox --check-limits --background", "together")
    command.is_misuse("sandbox --stop --check-limits", "together")
  end)
end)
