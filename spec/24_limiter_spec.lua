local core = require "bitfront.core"
local limiter = require "bitfront.limiter"
local memory = require "bitfront.limiter.memory"
local native = require "bitfront.native"
local limiter_rows = require "spec.support.limiter_rows"
local support = require "spec.support"
local window = require "bitfront.limiter.window"
local window_schedule = require "spec.support.window_schedule"

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

local function sleep(seconds)
  local due = core.now() + seconds
  while core.now() < due do core.sleep(math.max(0, due - core.now())) end
end

describe("the limits", function()
  -- The index of the first call that is beyond a limit, by the times of arrival.
  local function first_violation(arrivals, per_second, per_minute)
    table.sort(arrivals)
    for i = 1, #arrivals do
      local too_soon = i > per_second
        and arrivals[i] - arrivals[i - per_second] < 1000
        or i > per_minute and arrivals[i] - arrivals[i - per_minute] < 60000
      if too_soon then return i end
    end
  end

  -- A call arrives between its slot and its end; one that is abandoned, up to
  -- its deadline. Time passes by chance, and is packed away now and then.
  local function simulate(acquires, random)
    local state, now, arrivals, under_way = window.new(), 1e6, {}, {}
    local granted = 0
    for i = 1, acquires do
      now = now + random() ^ 8 * 4000
      for id, call in pairs(under_way) do
        if call.ends <= now then
          if not call.abandoned then window.release(state, call.ends, id, 0) end
          under_way[id] = nil
        end
      end
      local lease = 1 + random() * 9000
      if window.acquire(state, now, i, lease, 3, 60) == 0 then
        granted = granted + 1
        local ends = now + random() ^ 4 * lease
        local abandoned = random() < 0.05
        under_way[i] = { ends = ends, abandoned = abandoned }
        arrivals[#arrivals + 1] = now
          + random() * ((abandoned and now + lease or ends) - now)
      end
    end
    return arrivals, granted
  end

  it("are kept over 1,000,000 acquires by chance, as the server sees them #once", function()
    local granted = 0
    for seed = 1, 10 do
      local last = seed * 7919
      local function random() -- Park and Miller's, the same on every Lua
        last = last * 16807 % 2147483647
        return last / 2147483647
      end
      local arrivals, count = simulate(100000, random)
      assert.is_nil(first_violation(arrivals, 3, 60))
      granted = granted + count
    end
    assert.is_true(granted > 100000, tostring(granted))
  end)

  it("are the same after the state was a text", function()
    local state = window.new()
    for i = 1, 3 do window.acquire(state, 1000.5 + i, i, 500, 9, 60) end
    window.release(state, 1100.25, 2, 0)
    window.block(state, 1100, 77)
    local copy = window.unpack(window.pack(state))
    assert.equal(2, copy.count)
    assert.equal(1502, copy.in_flight["1"])
    assert.equal(1101, copy.ended[copy.first])
    assert.equal(1177, copy.full_until)
    assert.same({ window.peek(state, 1101) }, { window.peek(copy, 1101) })
    assert.same(window.new(), (function()
      local empty = window.unpack(window.pack(window.new()))
      empty.first, empty.last = 1, 0
      return empty
    end)())
  end)
end)

describe("a clock that was set back", function()
  it("holds nothing up for longer than a call counts", function()
    local state = window.new()
    for i = 1, 3 do
      window.acquire(state, 5e9, i, 1000, 3, 60)
      window.release(state, 5e9, i, 0)
    end
    window.block(state, 5e9, 60000)
    local wait = window.acquire(state, 1e9, 4, 1000, 3, 60)
    assert.is_true(wait > 0 and wait <= 125000, tostring(wait))
  end)

  -- The ms until there is room, for a caller who tries when it is told to.
  local function waits(state, now, per_second, per_minute)
    local begun = now
    repeat
      local wait = window.acquire(state, now, "last", 1000, per_second, per_minute)
      now = now + wait
    until wait == 0
    return now - begun
  end

  -- A call may arrive until the end of its lease. How much of that was over when the
  -- clock was set back, nobody knows.
  for _, back in ipairs { 1, 5, 64, 66, 290, 1e6 } do
    it(("by %d s ends the calls of a dead process neither early nor late"):format(back), function()
      for _, lease in ipairs { 1000, 15000, 65000 } do
        local state, now = window.new(), 5e9
        for i = 1, 3 do window.acquire(state, now, i, lease, 3, 60) end
        state = window.unpack(window.pack(state))
        local waited = waits(state, now - back * 1000, 3, 60)
        assert.equal(math.min(lease + back * 1000, 65000) + 1000, waited)
      end
    end)
  end

  it("does not end a call before its time", function()
    local state = window.new()
    for i = 1, 3 do window.acquire(state, 1e6, i, 65000, 3, 60) end
    assert.equal(66000, waits(state, 1e6, 3, 60))
  end)
end)

describe("the store of a process #smoke", function()
  local store = memory.new()
  for i, row in ipairs(limiter_rows) do
    it(row[1], function() row[2](store, "key" .. i, sleep) end)
  end

  local function count_of(full)
    local count = 0
    for _ in pairs(full.windows) do count = count + 1 end
    return count
  end

  it("forgets keys that have not been used for a minute", function()
    local full = memory.new()
    for i = 1, 1000 do full:block("key" .. i, 0) end
    assert.equal(1000 % 64, count_of(full)) -- each 64 are removed
  end)

  it("keeps keys that are in use, however many come after them", function()
    local full = memory.new()
    for i = 1, 100 do assert.equal(0, (full:acquire("used" .. i, 60000, 3, 60))) end
    for i = 1, 1000 do full:block("key" .. i, 0) end
    -- With 64 and 128 keys, and then with each 200, it looks for some to remove.
    assert.equal(100 + (1000 - 28) % 100, count_of(full))
    for i = 1, 100 do assert.same({ 1, 1, 0 }, { full:peek("used" .. i) }) end
  end)
end)

describe("waiting for a slot #smoke", function()
  -- Time passes only while all callers wait.
  local now, real_now
  before_each(function()
    real_now, now = native.now, 1000
    native.now = function() return now end
  end)
  after_each(function() native.now = real_now end)

  local function new_store()
    local state, count = window.new(), 0
    return {
      acquire = function(_, _, lease, per_second, per_minute)
        count = count + 1
        return window.acquire(state, now * 1000, count, lease, per_second, per_minute), count
      end,
      release = function(_, _, id, grace) window.release(state, now * 1000, id, grace) end,
      peek = function() return window.peek(state, now * 1000) end,
    }
  end

  -- Callers that take turns, the last one first.
  local function run(callers)
    local live = {}
    for _, caller in ipairs(callers) do
      live[#live + 1] = { thread = coroutine.create(caller), due = now }
    end
    while live[1] do
      local next_due = math.huge
      for i = #live, 1, -1 do
        local task = live[i]
        if task.due <= now then
          local ok, seconds = coroutine.resume(task.thread)
          assert(ok, seconds)
          task.due = now + (seconds or 0)
          if coroutine.status(task.thread) == "dead" then table.remove(live, i) end
        end
        next_due = math.min(next_due, task.due)
      end
      now = math.max(now, next_due)
    end
  end

  local waiter = { sleep = function(seconds) coroutine.yield(seconds) end }

  local function limit_of(store, per_second)
    return { store = store, key = "k", per_second = per_second, per_minute = 1e6 }
  end

  -- A store that gives these results, one after the other, and notes what it is asked.
  local function store_of(results, full_hint)
    local asked = {}
    local function give(_, ...)
      asked[#asked + 1] = { ... }
      return unpack(table.remove(results, 1))
    end
    return { acquire = give, block = give, peek = give, asked = asked, full_hint = full_hint }
  end

  it("asks for a lease until the call is over, wherever the server reads it", function()
    for longest, lease in pairs { [60] = 10, [10] = 10, [2] = 2 } do
      local limit = limit_of(store_of { { 0, "id" } }, 3)
      local slot = limiter.acquire(limit, nil, now + 10, longest)
      assert.same({ { "k", lease * 1000 + 5000, 3, 1e6 } }, limit.store.asked)
      assert.same({ limit = limit, id = "id", expires_at = now + lease }, slot)
    end
  end)

  it("goes on for as long as the store says, and for a millisecond at least", function()
    local slept, limit = {}, limit_of(store_of { { 1 }, { 1 }, { 0.5 }, { 1500 }, { 0, "id" } }, 3)
    local sleeper = { sleep = function(seconds)
      slept[#slept + 1], now = seconds, now + seconds
    end }
    assert.equal("id", limiter.acquire(limit, sleeper, now + 10, 60).id)
    assert.same({ 0.001, 0.001, 1.5 }, slept)
  end)

  it("is refused where the slot comes at the deadline, and not asked for at it", function()
    for seconds, asked in pairs { [1] = 1, [0] = 0 } do
      local limit = limit_of(store_of { { 1000 } }, 3)
      local slot, err = limiter.acquire(limit, nil, now + seconds, 60)
      assert.is_nil(slot)
      assert.same({ "limit", seconds, asked }, { err.code, err.retry_after, #limit.store.asked })
    end
  end)

  it("is refused with the store's hint where it takes more than 30 s", function()
    for wait, hint in pairs { [30000] = "", [30500] = "; H" } do
      local _, err = limiter.acquire(limit_of(store_of({ { wait } }, "H"), 3), nil, now + 1, 60)
      assert.equal("3 calls a second and 1000000 a minute leave no room before the deadline"
        .. hint, err.message)
    end
  end)

  it("is refused behind a caller who waits for a minute to be over, if that is late", function()
    local limit = { store = new_store(), key = "k", per_second = 1e6, per_minute = 1 }
    limiter.release(limiter.acquire(limit, waiter, now + 60, 60), 0)
    local first = coroutine.wrap(function() limiter.acquire(limit, waiter, now + 100, 60) end)
    assert.equal(60, first())
    local _, err = limiter.acquire(limit, nil, now + 120, 60)
    assert.same({ "limit", 120 }, { err.code, err.retry_after })
    local behind = coroutine.wrap(function() limiter.acquire(limit, waiter, now + 120.5, 60) end)
    assert.equal(60, behind())
  end)

  it("fills the store for as long as the exchange says, and for a minute at most", function()
    for seconds, ms in pairs { [0.5] = 500, [60] = 60000, [61] = 60000, [1e9] = 60000 } do
      local limit = limit_of(store_of { {} }, 3)
      limiter.block(limit, seconds)
      assert.same({ { "k", ms } }, limit.store.asked)
    end
  end)

  it("takes three numbers of a store that is peeked at, or the cause", function()
    for _, row in ipairs { { { 1, 2, 3 }, { 1, 2, 3 } }, { { 1, 2 }, { nil, 2 } },
                           { { "1", 2, 3 }, { nil, 2 } }, { { 1, "2", 3 }, { nil, "2" } } } do
      assert.same(row[2], { limiter.peek(limit_of(store_of { row[1] }, 3)) })
    end
    local failing = { peek = function() error("why", 0) end }
    assert.same({ nil, "why" }, { limiter.peek(limit_of(failing)) })
  end)

  it("ends in the order of arrival", function()
    local limit, order, callers = limit_of(new_store(), 2), {}, {}
    for i = 1, 8 do
      callers[9 - i] = function() -- run() begins with the last
        local slot = assert(limiter.acquire(limit, waiter, now + 60, 60))
        order[#order + 1] = i
        limiter.release(slot, 0)
      end
    end
    run(callers)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, order)
  end)

  it("is refused at once where the next slot comes after the deadline, and costs nothing",
    function()
      local store = new_store()
      local limit = limit_of(store, 1)
      local slot = assert(limiter.acquire(limit, waiter, now + 60, 60))
      local none, err = limiter.acquire(limit, waiter, now + 0.5, 60)
      assert.is_nil(none)
      assert.equal("rate_limit", err.kind)
      assert.equal("limit", err.code)
      assert.same({ 1, 1000 }, { err.retry_after, now })
      assert.equal(1, (store:peek "k"))
      limiter.release(slot, 0)
    end)

  it("is refused at once where so many wait that it cannot be in time", function()
    local limit, refused, callers = limit_of(new_store(), 1), 0, {}
    local deadline = now + 2.9
    for _ = 1, 20 do
      callers[#callers + 1] = function()
        local begun = now
        local slot = limiter.acquire(limit, waiter, deadline, 60)
        if slot then return limiter.release(slot, 0) end
        assert.equal(begun, now)
        refused = refused + 1
      end
    end
    run(callers)
    assert.equal(17, refused)
  end)

  it("ends when the caller before was collected while it waited", function()
    local limit, passed = limit_of(new_store(), 1), false
    local slot = assert(limiter.acquire(limit, waiter, now + 60, 60))
    limiter.release(slot, 0)
    local killed = coroutine.create(function()
      limiter.acquire(limit, waiter, now + 60, 60)
    end)
    coroutine.resume(killed)
    killed = nil -- luacheck: ignore
    collectgarbage()
    run { function()
      passed = limiter.acquire(limit, waiter, now + 10, 60)
    end }
    assert.truthy(passed)
    -- The killed one would have tried at 1001, and was given a second more.
    assert.is_true(now > 1002 and now < 1002.01, now)
  end)

  it("passes a caller that is late for its next try by more than a second", function()
    for late, code in pairs { [1] = "limit", [1.01] = "a slot" } do
      local limit = limit_of(new_store(), 1)
      limiter.release(limiter.acquire(limit, waiter, now + 60, 60), 0)
      local killed = coroutine.wrap(function() limiter.acquire(limit, waiter, now + 60, 60) end)
      now = now + killed() + late
      local slot, err = limiter.acquire(limit, nil, now + 0.5, 60)
      assert.equal(code, slot and "a slot" or err.code)
    end
  end)

  it("goes on in the same order when the first one has its slot", function()
    local limit, order = limit_of(new_store(), 1), {}
    limiter.release(limiter.acquire(limit, waiter, now + 60, 60), 0)
    local function caller(name, after)
      return function()
        waiter.sleep(after)
        limiter.release(assert(limiter.acquire(limit, waiter, now + 60, 60)), 0)
        order[#order + 1] = name
      end
    end
    run { caller("second", 0), caller("first", 0), caller("last", 1.0005) }
    assert.same({ "first", "second", "last" }, order)
  end)

  it("ends at the deadline behind a caller that never goes on", function()
    local limit = limit_of(new_store(), 1)
    limiter.release(assert(limiter.acquire(limit, waiter, now + 60, 60)), 0)
    local killed = coroutine.create(function()
      limiter.acquire(limit, waiter, now + 60, 60)
    end)
    coroutine.resume(killed)
    now = now + 1.05 -- it would have tried by now
    local begun, err = now, nil
    run { function()
      err = select(2, limiter.acquire(limit, waiter, now + 0.4, 60))
    end }
    assert.equal("limit", err.code)
    assert.equal(begun, now)
    assert.equal(1, select(2, limit.store:peek "k"))
  end)

  it("gives back a slot that came too late, and takes none after the deadline", function()
    local store = new_store()
    local slow = {
      acquire = function(_, ...)
        now = now + 0.1
        return store:acquire(...)
      end,
      release = function(_, ...) return store:release(...) end,
    }
    for _, seconds in ipairs { 0.05, -1 } do
      local slot, err = limiter.acquire(limit_of(slow, 1), waiter, now + seconds, 60)
      assert.is_nil(slot)
      assert.equal("limit", err.code)
    end
    assert.equal(0, (store:peek "k"))
  end)

  it("fails closed where the store raises or returns what no store may", function()
    local cause, nan = {}, 0 / 0
    for _, row in ipairs {
      { tostring(nan), function() return nan end },
      { "no such host", function() error("no such host", 0) end },
      { "no such host", function() return nil, "no such host" end },
      { tostring(cause), function() return nil, cause end },
    } do
      local slot, err = limiter.acquire(limit_of({ acquire = row[2] }, 1), waiter, now + 1, 60)
      assert.is_nil(slot)
      assert.same({ kind = "rate_limit", code = "store",
        message = "the limiter's store cannot be used: " .. row[1] }, err)
    end
  end)

  it("is told by the doctor where the store raises or returns the cause", function()
    local function fail() error("no such host", 0) end
    for _, peek in ipairs { fail, function() return nil, "no such host" end } do
      local client = support.client { base_url = "http://127.0.0.1:1", rate_limit = { store = {
        acquire = fail, release = fail, block = fail, peek = peek } } }
      local report, is_healthy = require "bitfront.doctor".examine(client)
      client:close()
      assert.matches("TROUBLE +limits +the store cannot be asked: no such host\n$", report)
      assert.is_false(is_healthy)
    end
  end)
end)

describe("the store in Redis", function()
  local server, store
  local redis = require "spec.support.redis"

  -- A server that has been known for more than a minute, as far as the store
  -- can tell.
  local function age()
    server:connect():hset("bitfront:limiter", "since", 1)
  end

  setup(function()
    server = redis.start()
    store = server:store()
    store:peek "k"
    age()
  end)
  teardown(function() server:stop() end)

  for i, row in ipairs(limiter_rows) do
    it(row[1], function() row[2](store, "key" .. i, sleep) end)
  end

  it("gives what it writes an expiry, and knows API keys by their SHA-256", function()
    local client = support.client {
      rate_limit = { store = store }, base_url = "http://127.0.0.1:1",
    }
    client:balances()
    client:close()
    local connection = server:connect()
    assert.same({ "bitfront:limiter" }, connection:keys "*")
    assert.is_true(connection:ttl "bitfront:limiter" > 60)
    local digest = support.must("printf %s " .. support.KEY .. " | sha256sum"):match "%x+"
    assert.is_true(connection:hexists("bitfront:limiter", digest))
    assert.is_nil(support.read(server.dir .. "/redis.log"):find(support.KEY, 1, true))
  end)

  it("uses the script's hash, and its text where the server does not have it", function()
    local client = server:connect()
    client:config("resetstat")
    assert(store:peek "k")
    client:script "flush"
    assert(store:peek "k")
    local stats = client:raw_cmd "INFO commandstats\r\n"
    assert.truthy(tostring(stats):find "cmdstat_evalsha:calls=2")
    assert.truthy(tostring(stats):find "cmdstat_eval:calls=1")
  end)

  for what, lose in pairs {
    ["FLUSHALL"] = function() server:connect():flushall() end,
    ["a restart"] = function() server:restart() end,
    ["a restart from an old snapshot"] = function()
      server:connect():save()
      server:restart()
    end,
  } do
    it("counts as full for as long as any call may count after " .. what, function()
      lose()
      for _, key in ipairs { "key1", "new" } do
        local wait = store:acquire(key, 1000, 3, 60)
        assert.is_true(wait > 123000 and wait <= 125001, tostring(wait))
      end
      age()
      assert.equal(0, (store:acquire("unused" .. what, 1000, 3, 60)))
    end)
  end

  it("counts as full for so long where its clock is behind what it had said", function()
    server:connect():hset("bitfront:limiter", "since", "99999999999999")
    local limit = { store = store, key = "key1", per_second = 3, per_minute = 60 }
    local slot, err = limiter.acquire(limit, nil, core.now() + 100, 60)
    assert.is_nil(slot)
    assert.is_true(err.retry_after > 100 and err.retry_after <= 125.001, err.retry_after)
    assert.truthy(err.message:find("counts as full for 125 s", 1, true), err.message)
    age()
  end)

  it("has no room a minute after a loss, and has room when no call of before counts", function()
    local connection = server:connect()
    local function wait_after(ms)
      local function now()
        local time = connection:time()
        return time[1] * 1000 + time[2] / 1000
      end
      local lost_at = math.floor(now() - ms)
      connection:hset("bitfront:limiter", "since", ("%.0f"):format(lost_at))
      local wait = store:acquire("lost" .. ms, 1000, 3, 60)
      return wait, lost_at + 125000 - now()
    end
    local wait, wait_now = wait_after(62000)
    assert.is_true(wait <= 63001 and wait >= wait_now, wait)
    assert.equal(0, wait_after(125000))
    age()
  end)

  it("lets calls of killed processes last a lease where its clock was set back", function()
    local connection = server:connect()
    local function now_ms()
      local time = connection:time()
      return time[1] * 1000 + time[2] / 1000
    end
    local late = now_ms() + 290000
    connection:hset("bitfront:limiter", "back",
      ("0 1=%.0f 2=%.0f 3=%.0f"):format(late, late, late))
    local begun = now_ms()
    assert.is_true(store:acquire("back", 1000, 3, 60) > 0)
    local ended, text = now_ms(), connection:hget("bitfront:limiter", "back")
    for expires_at in text:gmatch "=(%d+)" do
      local since = tonumber(expires_at) - 65000
      assert.is_true(since >= begun and since <= ended + 1, text)
    end
    assert.truthy(text:find "=", 1, true)
  end)

  -- The text that the store sends, asked at given times; between two steps each
  -- key's state is a text.
  local SCHEDULE = [[
local window = (function()
%s
end)()
local states, results = {}, {}
for line in ARGV[1]:gmatch "[^\n]+" do
  local word = {}
  for value in line:gmatch "%%S+" do word[#word + 1] = value end
  local key, now, name = word[1], tonumber(word[2]), word[3]
  local state = states[key] and window.unpack(states[key]) or window.new()
  local a, b, c
  if name == "acquire" then
    a = window.acquire(state, now, word[4], tonumber(word[5]), tonumber(word[6]),
      tonumber(word[7]))
  elseif name == "release" then
    window.release(state, now, word[4], tonumber(word[5]))
    a = true
  elseif name == "block" then
    window.block(state, now, tonumber(word[4]))
  else
    a, b, c = window[name](state, now)
  end
  states[key] = window.pack(state)
  results[#results + 1] = ("%%s %%s %%s"):format(tostring(a), tostring(b), tostring(c))
end
return table.concat(results, "\n")
]]

  local function line_of(key, now, name, ...)
    local words = { key, ("%.0f"):format(now), name }
    for i = 1, select("#", ...) do
      local value = select(i, ...)
      words[3 + i] = value and ("%.0f"):format(value)
    end
    return table.concat(words, " ")
  end

  local function in_c(windows, key, now, name, a, b, c, d)
    windows[key] = windows[key] or core.window()
    local windows_store = core.window_store(windows, error)
    if name == "acquire" then return (windows_store:acquire(key, b, c, d, now, a)) end
    if name == "release" then return windows_store:release(key, a, b, now) end
    if name == "block" then
      windows_store:block(key, a, now)
      return nil
    end
    if name == "is_idle" then return windows[key]:is_idle(now) end
    return windows_store:peek(key, now)
  end

  it("gives at the same times the same results as the store of a process", function()
    local script = SCHEDULE:format(support.read "lua/bitfront/limiter/window.lua")
    for seed = 1, 20 do
      local windows, lines, results = {}, {}, {}
      window_schedule.run({ seed = seed, steps = 1000, keys = seed, unit = 1 },
        function(key, now, ...)
          local a, b, c = in_c(windows, key, now, ...)
          lines[#lines + 1] = line_of(key, now, ...)
          results[#results + 1] = { a, b, c }
          return a
        end)
      local reply, i = server:connect():eval(script, 0, table.concat(lines, "\n")), 0
      for answer in reply:gmatch "[^\n]+" do
        i = i + 1
        local x, y, z = answer:match "^(%S+) (%S+) (%S+)$"
        for n, value in ipairs { x, y, z } do
          local own = results[i][n]
          assert.equal(tonumber(value) or value, type(own) == "number" and own or tostring(own),
            ("seed %d, step %d: %s"):format(seed, i, lines[i]))
        end
      end
      assert.equal(#lines, i)
    end
  end)

  it("forgets keys that nobody uses", function()
    local connection = server:connect()
    for i = 1, 300 do connection:hset("bitfront:limiter", "idle" .. i, "0 1000") end
    for _ = 1, 3000 do
      store:acquire("busy", 1, 1e6, 1e6)
      if connection:hlen "bitfront:limiter" < 250 then break end
    end
    assert.is_true(connection:hlen "bitfront:limiter" < 250)
  end)

  local function fails_closed(pattern)
    local client = support.client {
      rate_limit = { store = store }, base_url = "http://127.0.0.1:1",
    }
    local begun = support.own_time()
    local _, err = client:balances()
    client:close()
    assert.equal("rate_limit", err.kind)
    assert.equal("store", err.code)
    assert.equal(0, err.attempts)
    assert.is_true(err.retryable)
    assert.truthy(err.message:find(pattern), err.message)
    assert.is_true(support.own_time() - begun < 1)
  end

  it("fails closed while it is read-only", function()
    server:connect():slaveof("127.0.0.1", "1")
    fails_closed "READONLY"
    server:connect():slaveof("no", "one")
  end)

  it("fails closed while it is out of memory", function()
    server:connect():config("set", "maxmemory", 1)
    fails_closed "OOM"
    server:connect():config("set", "maxmemory", 0)
  end)

  it("fails closed where something else has its name", function()
    local client = server:connect()
    client:rename("bitfront:limiter", "aside")
    client:set("bitfront:limiter", "mine")
    fails_closed "WRONGTYPE"
    client:rename("aside", "bitfront:limiter")
  end)

  it("fails closed when it does not answer within 100 ms", function()
    store = server:store { connect = function() return server:connect() end }
    local answered -- in time, if need be not at once
    for _ = 1, 50 do answered = answered or store:peek "k" end
    assert(answered)
    server:signal "STOP"
    fails_closed "timeout"
    server:signal "CONT"
    store = server:store()
    assert(store:peek "k")
  end)

  it("fails closed while it is down, and goes on when it is back", function()
    server:stop()
    sleep(0.1)
    fails_closed "refused"
    server:restart()
    assert(store:peek "k")
  end)

  it("fails closed with what connect said", function()
    for what, connect in pairs {
      ["no route"] = function() error "no route" end,
      ["no luck"] = function() return nil, "no luck" end,
      ["gave nothing"] = function() end,
      ["gave no client .*, but a number"] = function()
        return 1
      end,
      ["gave no client .*, but a table"] = function()
        return {}
      end,
    } do
      store = require "bitfront".redis_limiter { connect = connect }
      fails_closed(what)
    end
    store = server:store()
  end)
end)

it("a refusal by a store that is not in Redis does not tell of Redis", function()
  local own = { acquire = function() return 90000 end }
  local in_process = memory.new()
  in_process:block("k", 90000)
  for _, store in ipairs { own, in_process } do
    local _, err = limiter.acquire({ store = store, key = "k", per_second = 3, per_minute = 60 },
      nil, core.now() + 10, 60)
    assert.is_true(err.retry_after > 80 and err.retry_after <= 90, err.retry_after)
    assert.equal("3 calls a second and 60 a minute leave no room before the deadline", err.message)
  end
end)

it("a call that waits for a slot ends when it wakes after its client was closed", function()
  for _, retries in ipairs { 0, 1 } do -- with and without an attempt before
    local taken, faultd = 0, support.faultd()
    local store = { acquire = function()
      taken = taken + 1
      return taken > retries and 100 or 0, taken
    end }
    for _, name in ipairs { "release", "block", "peek" } do store[name] = function() end end
    local client
    client = support.client { retries = retries, timeout = 3, rate_limit = { store = store },
      base_url = faultd:url { reply = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n" },
      sleep = function(seconds)
        if taken > retries then client:close() end
        core.sleep(seconds)
      end }
    local _, err = client:balances()
    faultd:stop()
    assert.same({ "closed", "closed", retries, retries + 2 },
      { err.kind, err.code, err.attempts, taken })
  end
end)

it("the store in Redis needs the source of the script that it sends", function()
  local out = support.lua [[
    local path = debug.getinfo(require "bitfront.limiter.window".acquire, "S").source:sub(2)
    local text = io.open(path):read "*a"
    -- As in a program that is packed into one file.
    package.loaded["bitfront.limiter.window"] = (loadstring or load)(text, "=packed")()
    print(pcall(function()
      return (require "bitfront".redis_limiter { connect = function() end })
    end))
  ]]
  assert.matches("^false\t[^\n]*program%.lua:6: bitfront%.redis_limiter: the source of "
    .. "bitfront%.limiter%.window cannot be read\n$", out)
end)

it("a store of one's own must have block #smoke", function()
  local function nothing() end
  local ok, message = pcall(require "bitfront".new, { rate_limit = { store = {
    acquire = nothing, release = nothing, peek = nothing, fill = nothing,
  } } })
  assert.is_false(ok)
  assert.truthy(message:find("store, with acquire, release, block and peek", 1, true), message)
end)

describe("a store's options raise at the caller's line for", function()
  local bitfront = require "bitfront"
  for what, call in pairs {
    ["no connect"] = function() bitfront.redis_limiter {} end,
    ["a connect that is no function"] = function()
      bitfront.redis_limiter { connect = "localhost" }
    end,
    ["an option that does not exist"] = function()
      bitfront.redis_limiter { connect = print, port = 1 }
    end,
    ["no options"] = function() bitfront.redis_limiter() end,
    ["a dict outside nginx"] = function() bitfront.shared_dict_limiter "x" end,
  } do
    it(what, function()
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find "^[^\n]*24_limiter_spec%.lua:%d+: bitfront%.", message)
    end)
  end
end)

-- A dict, a clock and workers of the row's own: no nginx.
describe("the store in a shared dict", function()
  local PREFIX, LOCK = "bitfront:limiter:", "bitfront:limiter-lock:"
  local ngx, now, exists = rawget(_G, "ngx"), native.now, native.process_exists
  local values, clock, free, slept, tries, store

  local dict = {}
  function dict:safe_add(name, value)
    tries = tries + 1
    if self == nil or values[name] ~= nil then return false, "exists" end
    values[name] = value
    return true
  end
  function dict:get(name) return self and values[name] end
  function dict:safe_set(name, value)
    values[name] = value
    return self ~= nil
  end
  function dict:delete(name) if self then values[name] = nil end end
  function dict:free_space() return self and free end
  function dict:get_keys(most)
    assert.equal(0, most)
    return self and support.keys(values)
  end

  before_each(function()
    values, clock, free, slept, tries = {}, 0, 4096, {}, 0
    native.now = function() return clock end
    native.process_exists = function(pid) return pid == 1 end
    rawset(_G, "ngx", { shared = { limits = dict }, sleep = function(seconds)
      slept[#slept + 1] = seconds
      clock = clock + 0.05
    end })
    store = require "bitfront.limiter.shared_dict".new "limits"
  end)
  after_each(function()
    native.now, native.process_exists = now, exists
    rawset(_G, "ngx", ngx)
  end)

  it("tries again each millisecond for 0.1 s where a worker has the lock", function()
    values[LOCK .. "held"] = 1
    assert.same({ nil, "could not acquire the lock within " .. 0.1 .. " s" },
      { store:acquire("held", 1000, 3, 60) })
    assert.same({ 0.001, 0.001, 0.001 }, slept)
    clock = 8
    assert.is_nil((store:acquire("held", 1000, 3, 60)))
    assert.equal(5, #slept)
    values[LOCK .. "held"] = nil
    assert.equal(0, (store:acquire("held", 1000, 3, 60)))
  end)

  it("says why a dict takes no lock", function()
    local add = dict.safe_add
    dict.safe_add = function() return false, "no memory" end
    assert.same({ nil, "no memory" }, { store:block("k", 1000) })
    dict.safe_add = add
    assert.same({}, slept)
  end)

  it("writes only what has changed, and in the place of what was there", function()
    clock = 1000
    assert.equal(0, (store:acquire("k", 1000, 1, 60)))
    assert.same({ PREFIX .. "k" }, support.keys(values))
    assert.equal(1000, (store:acquire("k", 1000, 1, 60)))
    assert.same({ PREFIX .. "k" }, support.keys(values))
    assert.equal(0, (store:release("k", "other", 0)))
    assert.same({ PREFIX .. "k\1" }, support.keys(values))
    assert.matches("^0 1000000 %w+=1001000$", values[PREFIX .. "k\1"])
    clock = 1000.75
    assert.same({ 2, 2, 0 }, { store:peek "k" })
  end)

  it("reads a state that gets its first name meanwhile", function()
    local get, asked = dict.get, {}
    dict.get = function(_, name)
      asked[#asked + 1] = name
      return #asked == 3 and "0 1000" or nil
    end
    local counts = { store:peek "k" }
    dict.get = get
    assert.same({ PREFIX .. "k", PREFIX .. "k\1", PREFIX .. "k" }, asked)
    assert.same({ 1, 1, 0 }, counts)
  end)

  it("makes room in a full dict each minute, by keys that nobody uses", function()
    local function fill()
      values = { [PREFIX .. "idle"] = "0", [PREFIX .. "idle\1"] = "0", other = "0",
                 [PREFIX .. "used"] = ("0 %.0f"):format(clock * 1000 - 59950),
                 [PREFIX .. "locked"] = "0", [LOCK .. "locked"] = 1 }
      free = 0
      assert.same({ nil, "no memory" }, { store:acquire("new", 1000, 3, 60) })
      return #support.keys(values), values[PREFIX .. "idle"] or values[PREFIX .. "idle\1"]
    end
    assert.same({ 4 }, { fill() })
    clock = 59.75
    assert.same({ 6, "0" }, { fill() })
    clock = 60
    assert.same({ 4 }, { fill() })
  end)

  it("makes room by the lock that replaced one of a worker that was killed", function()
    values[LOCK .. "dead"] = 2
    assert.equal(0, (store:release("dead", "id")))
    assert.same({}, slept)
    free, clock = 0, 1000
    store:block("other", 1)
    assert.same({ LOCK .. "dead" }, support.keys(values))
  end)
end)

-- What redis.lua needs of a client; no server.
describe("the store in Redis, by a client of any kind,", function()
  local pid = native.pid
  local told, answers, made
  after_each(function() native.pid = pid end)

  -- Each answer is what evalsha or eval returns or, in a function, raises.
  local function client_of(methods)
    made = made + 1
    local client = { number = made }
    for _, command in ipairs { "evalsha", "eval" } do
      client[command] = function(self, script, ...)
        local is_text = #script > 40
        told[#told + 1] = table.concat({ self.number, command, is_text and "text" or "hash", ... },
          " ")
        local answer = table.remove(answers, 1)
        if type(answer) == "function" then return answer() end
        return unpack(answer, 1, 2)
      end
    end
    for name, method in pairs(methods or {}) do client[name] = method end
    return client
  end

  local function store_of(methods)
    told, answers, made = {}, {}, 0
    return require "bitfront".redis_limiter { name = "h",
      connect = function() return client_of(methods) end }
  end

  it("sends whole numbers, and returns what it is told", function()
    local store = store_of()
    answers = { { 0 }, { "7" }, { 0 }, { 0 }, { 0 }, { { "1", 2, "3" } } }
    local wait, id = store:acquire("k", 1000.5, 3, 60)
    assert.equal(0, wait)
    assert.equal(7, (store:acquire("k", 1e15, 3, 60)))
    assert.same({ 0 }, { store:release("k", "x", 0.25) })
    assert.same({ 0 }, { store:release("k", "x") })
    assert.same({ 0 }, { store:block("k", 2.5) })
    assert.same({ 1, 2, 3 }, { store:peek "k" })
    assert.equal("1 evalsha hash 1 h acquire k " .. id .. " 1001 3 60", told[1])
    assert.matches("^1 evalsha hash 1 h acquire k %w+ 1000000000000000 3 60$", told[2])
    assert.same({ "1 evalsha hash 1 h release k x 1", "1 evalsha hash 1 h release k x ",
      "1 evalsha hash 1 h block k 3", "1 evalsha hash 1 h peek k" }, { unpack(told, 3) })
  end)

  it("says what is wrong with an answer", function()
    local store = store_of()
    answers = { { {} }, { false }, { nil, "why" }, function() error("raised", 0) end, { "x" },
                { nil, "NOSCRIPT" }, { nil, "none either" } }
    assert.same({ nil, "it answered table" }, { store:block("k", 1) })
    assert.same({ nil, "no answer" }, { store:block("k", 1) })
    assert.same({ nil, "why" }, { store:acquire("k", 1, 1, 1) })
    assert.same({ nil, "raised" }, { store:peek "k" })
    assert.is_nil((store:peek "k"))
    assert.same({ nil, "none either" }, { store:block("k", 1) })
    assert.matches("^%d evalsha hash 1 h block k 1$", told[#told - 1])
    assert.matches("^%d eval text 1 h block k 1$", told[#told])
  end)

  it("sets time-outs of 100 ms, and closes a connection that has failed", function()
    for _, case in ipairs {
      { { set_timeout = function(_, ms) told[#told + 1] = ms end,
          close = function() told[#told + 1] = "close" end }, { 100, "close" } },
      { { network = { socket = {
          settimeout = function(_, seconds, mode) told[#told + 1] = mode .. seconds end,
          close = function() told[#told + 1] = "close" end } } }, { "t" .. 0.1, "close" } },
      { {}, {} },
    } do
      local store = store_of(case[1])
      answers = { { nil, "no" }, { nil, "no" } }
      assert.same({ nil, "no" }, { store:block("k", 1) })
      table.remove(told, #told == 1 and 1 or 2)
      assert.same(case[2], told)
    end
  end)

  it("asks again by a new connection where one that was kept is closed", function()
    local store = store_of()
    answers = { { 0 }, { nil, "closed" }, { 5 }, { nil, "timeout" }, { nil, "closed" } }
    assert.equal(0, (store:block("k", 1)))
    assert.equal(5, (store:block("k", 1)))
    assert.same({ nil, "timeout" }, { store:block("k", 1) })
    assert.same({ nil, "closed" }, { store:block("k", 1) })
    local by = {}
    for i, line in ipairs(told) do by[i] = line:sub(1, 1) end
    assert.same({ "1", "1", "2", "2", "3" }, by)
  end)

  it("asks again where a connection of a pool was used before, and gives it back", function()
    local times, given = 1, 0
    local store = store_of { set_timeout = function() end, close = function() end,
      get_reused_times = function() return times end,
      set_keepalive = function() given = given + 1 end }
    answers = { function() times = 0 return nil, "closed" end, { 5 }, { nil, "closed" } }
    assert.equal(5, (store:block("k", 1)))
    times = nil -- its pool does not tell
    assert.same({ nil, "closed" }, { store:block("k", 1) })
    assert.same({ 3, 1 }, { made, given })
  end)

  it("uses no connection of another process", function()
    local store, number = store_of(), 1
    native.pid = function() return number end
    answers = { { 0 }, { 0 }, { 0 }, { 0 } }
    store:block("k", 1)
    store:block("k", 1)
    number = 2
    store:block("k", 1)
    store:block("k", 1)
    local by = {}
    for i, line in ipairs(told) do by[i] = line:sub(1, 1) end
    assert.same({ "1", "1", "2", "2" }, by)
  end)
end)
