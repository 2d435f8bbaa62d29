local clock_oracle = require "spec.support.clock_oracle"
local core = require "bitfront.core"
local new_random = require "spec.support.new_random"
local window = require "bitfront.limiter.window"
local window_schedule = require "spec.support.window_schedule"

-- Schedules by their seeds; the first SHORT of them are for every run.
local SCHEDULES, STEPS, SHORT = 50, 20000, 2

local function both(run)
  it("as the Lua code does #smoke", function()
    for seed = 1, SHORT do run(seed) end
  end)
  it("as the Lua code does, over 1,000,000 steps in all #long", function()
    for seed = SHORT + 1, SCHEDULES do run(seed) end
  end)
end

local function show(...)
  local words = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    words[i] = type(value) == "number" and ("%.17g"):format(value) or tostring(value)
  end
  return table.concat(words, " ")
end

-- How often a result was seen, so that schedules in which nothing happens are noticed.
local function count(seen, name)
  seen[name] = (seen[name] or 0) + 1
end

local function new_store()
  local windows = {}
  local store = core.window_store(windows, function(key)
    windows[key] = core.window()
    return windows[key]
  end)
  store.windows = windows
  return store
end

describe("the window in C answers", function()
  local operations = {
    acquire = { window.acquire, function(store, key, now, id, lease, per_second, per_minute)
      return (store:acquire(key, lease, per_second, per_minute, now, id))
    end },
    release = { function(...)
      window.release(...)
      return true
    end, function(store, key, now, id, grace) return store:release(key, id, grace, now) end },
    block = { function(...)
      window.block(...)
      return true
    end, function(store, key, now, ms) return store:block(key, ms, now) end },
    peek = { window.peek, function(store, key, now) return store:peek(key, now) end },
    is_idle = { window.is_idle, function(store, key, now)
      return not store.windows[key] or store.windows[key]:is_idle(now)
    end },
  }

  local function compare(seed)
    local texts, store, step, seen = {}, new_store(), 0, {}
    local unit = seed % 2 == 0 and 250 or nil
    window_schedule.run({ seed = seed, steps = STEPS, keys = 1 + seed % 40, unit = unit },
      function(key, now, name, ...)
        step = step + 1
        texts[key] = texts[key] or window.new()
        local operation = operations[name]
        local a, b, c = operation[1](texts[key], now, ...)
        local x, y, z = operation[2](store, key, now, ...)
        if a ~= x or b ~= y or c ~= z then
          error(("seed %d, step %d, key %d: %s\nin C:   %s\nin Lua: %s"):format(seed, step,
            key, show(name, now, ...), show(x, y, z), show(a, b, c)), 0)
        end
        count(seen, name .. tostring(a == 0 or a == true))
        return x
      end)
    for _, result in ipairs { "acquiretrue", "acquirefalse", "peektrue", "peekfalse",
                              "is_idletrue", "is_idlefalse" } do
      assert.is_true(seen[result] > 10, result)
    end
  end

  both(compare)

  it("that it is idle from the moment on at which nothing counts any more #smoke", function()
    local store, state = new_store(), window.new()
    local function expect(idle, now)
      assert.equal(idle, window.is_idle(state, now))
      assert.equal(idle, store.windows.k:is_idle(now))
    end
    store:release("k", 1, 0, 1000)
    window.release(state, 1000, 1, 0)
    expect(false, 60999.5)
    expect(true, 61000)
    store:block("k", 500, 61000)
    window.block(state, 61000, 500)
    expect(false, 61499.5)
    expect(true, 61500)
  end)
end)

describe("the server's clock in C answers", function()
  -- Some round trips are the same as another's.
  local function round_trip_of(random)
    local chance = random()
    if chance < 0.3 then return 0.02 end
    if chance < 0.8 then return random() ^ 3 end
    if chance < 0.9 then return 0.5 end
    return random() * 20
  end

  -- A reply of a server whose clock, as this machine's, is set now and then.
  local function reply(random, world)
    local round_trip = round_trip_of(random)
    if random() < 0.003 then world.ahead = (random() - 0.5) * 1e7 end
    if random() < 0.002 then world.wall = world.wall + (random() - 0.5) * 1e6 end
    local sent = world.now - round_trip - (random() < 0.9 and 0 or random())
    local time = world.now * 1000 + world.ahead - round_trip * 1000 * random()
    if random() < 0.01 then time = (random() - 0.5) * 1e15 end
    return math.floor(time), sent, round_trip, random() < 0.05, world.now,
      math.floor(world.now * 1000 + world.wall)
  end

  local function operation(random, world)
    local chance = random()
    if chance < 0.6 then return "learn", reply(random, world) end
    if chance < 0.9 then return "offset" end
    if chance < 0.99 then return "best" end
    if chance < 0.995 then return "forget" end
    return "adopt", math.floor(world.ahead + random() * 100), math.floor(random() * 300),
      math.floor((world.now - random() * 5) * 1000) / 1000
  end

  local function compare(seed)
    local random, oracle, clock, seen = new_random(seed), clock_oracle.new(),
      core.server_clock(), {}
    local world = { now = 1e4 * random(), ahead = 1.6e12, wall = 1.6e12 }
    local function step(i, name, ...)
      local a, b, c = oracle[name](oracle, ...)
      local x, y, z = clock[name](clock, ...)
      if a ~= x or b ~= y or c ~= z then
        error(("seed %d, step %d: %s\nin C:   %s\nin Lua: %s"):format(seed, i,
          show(name, ...), show(x, y, z), show(a, b, c)), 0)
      end
      count(seen, name .. tostring(a == true or b == true))
    end
    for i = 1, STEPS do
      if random() < 0.8 then world.now = world.now + random() ^ 4 * 10 end
      step(i, operation(random, world))
    end
    for _, result in ipairs { "learntrue", "learnfalse", "offsettrue", "offsetfalse" } do
      assert.is_true(seen[result] > 10, result)
    end
  end

  both(compare)

  it("of a refusal that may be a delay's only at the second time #smoke", function()
    -- Known to within 10 ms; a refusal after a round trip of 1 s is by 500 + 10 + 1 ms.
    local function known(clock)
      clock:adopt(1e12, 10, 100)
      return clock
    end
    local function is_learnt(clock, more)
      return (clock:learn(1e12 + 100000 + more, 99, 1, true, 100, 1e12))
    end
    local clock = known(core.server_clock())
    assert.is_false(is_learnt(clock, 11))
    assert.is_true(is_learnt(clock, 11))
    assert.is_true(is_learnt(known(core.server_clock()), 12))
    clock:forget()
    assert.is_false(is_learnt(known(clock), 11))
  end)

  it("of a success that took long only where it contradicts this machine's clock #smoke", function()
    for more, is_learnt in pairs { [1] = false, [2] = true } do
      local clock = core.server_clock()
      assert.equal(is_learnt, (clock:learn(1e12 + more, 9999, 1, false, 10000, 1e12)))
    end
  end)

  it("of a time from 1 ms after 1970 to the last of the year 9999 #smoke", function()
    for time, is_known in pairs { [0] = false, [1] = true, [253402300799999] = true,
                                  [253402300800000] = false } do
      local clock = core.server_clock()
      assert.is_true(clock:learn(time, 99, 1, true, 100, 1e12))
      assert.equal(is_known, clock:best() ~= nil)
    end
  end)
end)

describe("each method of both #smoke", function()
  local HOSTILE = { 0 / 0, 1 / 0, -1 / 0, 1e300, -1e300, 2 ^ 63, -2 ^ 63, 1e15, -1e15, -1, 0,
    0.5, 1e9, 1e9 + 1, "1e400", "x", true, {}, print }

  -- Each in the place of each argument, and some of them in two.
  local function try_arguments(object, name, arguments)
    local method, raised = object[name], 0
    local function call(...)
      local done, message = pcall(method, object, ...)
      if not done then
        assert.truthy(message:find "bad argument #%d to", message)
        raised = raised + 1
      end
    end
    for i = 1, arguments do
      for _, value in ipairs(HOSTILE) do
        for _, other in ipairs(HOSTILE) do
          local given = { 1, 1, 1, 1, 1, 1 }
          given[arguments + 1 - i], given[i] = other, value
          call(given[1], given[2], given[3], given[4], given[5], given[6])
        end
      end
    end
    assert.is_true(arguments == 0 or raised > 0, name)
  end

  local METHODS = {
    window = { is_idle = 1 },
    server_clock = { learn = 6, forget = 0, offset = 0, best = 0, adopt = 3 },
    window_store = { acquire = 5, release = 3, block = 2, peek = 1 },
  }

  -- A store of one key, the methods of which are called without it.
  local function of_one_key()
    local object, store = {}, new_store()
    for name in pairs(METHODS.window_store) do
      object[name] = function(_, ...) return store[name](store, "k", ...) end
    end
    return object
  end

  for type_name, methods in pairs(METHODS) do
    for name, arguments in pairs(methods) do
      it(("raises or is taken: %s:%s"):format(type_name, name), function()
        local object = type_name == "window_store" and of_one_key() or core[type_name]()
        try_arguments(object, name, arguments)
        try_arguments(object, name, arguments) -- with what the first time has left
        for other, count_of in pairs(methods) do try_arguments(object, other, count_of) end
      end)
      if type_name ~= "window_store" then
        it(("raises where self is another thing: %s:%s"):format(type_name, name), function()
          local method = core[type_name]()[name]
          for _, self in ipairs { 1, "x", {}, io.stdout, core.decimal(1), print } do
            local done, message = pcall(method, self, 1, 1, 1, 1, 1)
            assert.is_false(done)
            assert.truthy(message:find("bitfront." .. type_name .. " expected", 1, true), message)
          end
        end)
      end
    end
  end

  it("leaves no offset that is not a whole number", function()
    local clock = core.server_clock()
    for _, offset in ipairs { 1e15, -1e15, 0.4 } do
      assert.is_true(clock:adopt(offset, 0, 0))
      assert.equal(math.floor(offset + 0.5), (clock:offset()))
    end
    assert.is_false(clock:adopt(1e300, 0, 0))
    assert.is_false(clock:adopt(0, 0 / 0, 0))
    assert.equal(0, (clock:offset()))
  end)

  it("goes by this machine's clock where no time is given", function()
    local store = new_store()
    assert.is_true(store:block("k", 1000))
    assert.is_true(select(3, store:peek("k", core.now() * 1000)) <= 1000)
  end)

  it("raises where the window is closed, which may happen twice", function()
    local object = core.window()
    assert.equal(0, (core.window_store({ k = object }, error):acquire("k", 1000, 3, 60)))
    local close = debug.getmetatable(object).__gc
    close(object)
    close(object)
    local done, message = pcall(object.is_idle, object)
    assert.is_false(done)
    assert.matches("bad argument #1 to .+ %(the window is closed%)$", message)
  end)
end)
