local native = require "bitfront.native"
local recordd = require "spec.support.recordd"
local support = require "spec.support"

-- Each runs functions as coroutines beside each other, and has a sleep.
local schedulers = {}

local has_copas, copas = pcall(require, "copas")
if has_copas and copas.sleep then -- Debian's Copas 1 has none
  schedulers.copas = {
    sleep = copas.sleep,
    run = function(functions)
      for _, each in ipairs(functions) do copas.addthread(each) end
      copas.loop()
    end,
  }
end

local has_cqueues, cqueues = pcall(require, "cqueues")
if has_cqueues then
  schedulers.cqueues = {
    sleep = cqueues.sleep,
    run = function(functions)
      local queue = cqueues.new()
      for _, each in ipairs(functions) do queue:wrap(each) end
      assert(queue:loop())
    end,
  }
end

local has_luv, luv = pcall(require, "luv")
if has_luv then
  schedulers.luv = {
    sleep = function(seconds)
      local thread, timer = coroutine.running(), luv.new_timer()
      timer:start(math.ceil(seconds * 1000), 0, function()
        timer:close()
        assert(coroutine.resume(thread))
      end)
      coroutine.yield()
    end,
    run = function(functions)
      for _, each in ipairs(functions) do
        assert(coroutine.resume(coroutine.create(each)))
      end
      luv.run()
    end,
  }
end

describe("under the scheduler", function()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local REPLY_AT = 10 -- ticks

  -- Runs the function beside a coroutine that sleeps 10 ms each time. A server sends a
  -- reply after each tenth tick only: a call that blocks the others never ends. One that
  -- blocks them for a part of the time waits in the engine.
  ---@param act fun(url: string)
  ---@return integer ticks
  local function ticks_beside(scheduler, act)
    local ended, ticks, failure = false, 0, nil
    local go = support.tmpdir() .. "/go"
    local steps, reply = {}, recordd.bytes(support.reply(support.success()))
    for _ = 1, 5 do -- of a connection
      for _, step in ipairs { "request", "await:" .. go, reply } do steps[#steps + 1] = step end
    end
    local server = recordd.start(steps)
    local step, longest_step = native.step, 0
    native.step = function(seconds)
      longest_step = math.max(longest_step, seconds)
      return step(seconds)
    end
    finally(function() native.step = step end)
    scheduler.run {
      function()
        while not ended do
          scheduler.sleep(0.01)
          ticks = ticks + 1
          if ticks % REPLY_AT == 0 then support.write(go, "") end
        end
      end,
      function()
        local ok, message = pcall(act, server.url)
        ended, failure = true, not ok and message
      end,
    }
    server:stop()
    assert.falsy(failure)
    assert.equal(0, longest_step)
    return ticks
  end

  it("at least two are installed", function()
    local count = 0
    for _ in pairs(schedulers) do count = count + 1 end
    assert.is_true(count >= 2, tostring(count))
  end)

  for name, scheduler in pairs(schedulers) do
    -- Lua 5.1 cannot yield out of pcall.
    local can_run = _VERSION ~= "Lua 5.1" or rawget(_G, "jit")

    it(name .. " others run while a call waits", function()
      if not can_run then return end
      local longest = 0
      local ticks = ticks_beside(scheduler, function(url)
        local client = support.client { base_url = url, timeout = 10, sleep = function(seconds)
          longest = math.max(longest, seconds)
          return scheduler.sleep(seconds)
        end }
        assert(client:balances())
        client:close()
      end)
      assert.is_true(ticks >= REPLY_AT, ticks)
      assert.is_true(longest <= 0.01, longest) -- so the reply is not noticed late
    end)

    it(name .. " a credentials function may wait too, among many", function()
      if not can_run or name == "luv" then return end -- luv's resumes only its own
      local clients = {}
      for i = 1, 3 do
        clients[i] = require "bitfront".new {
          base_url = faultd:url_body(support.success()), ca_file = support.certs().ca,
          sleep = scheduler.sleep, rate_limit = false, clock = "system",
          credentials = function()
            scheduler.sleep(0.05)
            return "key" .. i, "secret"
          end,
        }
      end
      ticks_beside(scheduler, function()
        for _, result in ipairs(require "bitfront".balances_many(clients)) do
          assert.is_nil(result.err)
        end
      end)
    end)

    it(name .. " others run while many calls and their slots wait", function()
      if not can_run then return end
      local store, count = require "bitfront.limiter.memory".new(), 5
      local ticks = ticks_beside(scheduler, function(url)
        local clients = {}
        for i = 1, count do
          clients[i] = support.client { base_url = url, timeout = 20, sleep = scheduler.sleep,
            rate_limit = { store = store } }
        end
        for _, result in ipairs(require "bitfront".balances_many(clients)) do
          assert.is_nil(result.err)
        end
      end)
      assert.is_true(ticks >= count * REPLY_AT, ticks)
    end)
  end
end)

describe("waiting", function()
  local wait = require "bitfront.wait"

  it("for an exchange polls each tenth of the time it took, from 1 to 10 ms", function()
    for taken, pause in pairs { [0] = 0.001, [0.01] = 0.001, [0.05] = 0.005, [0.1] = 0.01,
                                [60] = 0.01 } do
      assert.equal(pause, wait.poll_interval(taken))
    end
  end)

  it("of a process that blocks sleeps for 250 ms at most, until it is due", function()
    local now, sleep, clock, slept = native.now, native.sleep, 1024, {}
    native.now = function() return clock end
    native.sleep = function(seconds)
      assert(#slept < 200, "sleeps without end")
      slept[#slept + 1] = seconds
      clock = clock + seconds * 0.5 -- a signal ended it
    end
    local done, message = pcall(function()
      wait.block(0)
      wait.block(0.375)
    end)
    native.now, native.sleep = now, sleep
    assert.is_true(done, message)
    assert.same({ 0.25, 0.25, 0.125, 0.0625 }, { slept[1], slept[2], slept[3], slept[4] })
  end)

  it("under a scheduler begins with a step, and has one after each sleep", function()
    local originals, clock, told = {}, 1024, {}
    local exchange = { done = function() return #told == 5 end, finish = function() return "x" end }
    for name, by in pairs { now = function() return clock end,
                            start = function() return exchange end,
                            step = function(seconds) told[#told + 1] = "step " .. seconds end } do
      originals[name], native[name] = native[name], by
    end
    local done, value = pcall(wait.by(function(seconds)
      assert(#told < 9, "sleeps without end")
      clock, told[#told + 1] = clock + 0.0625, "sleep " .. seconds
    end).read, {})
    for name, original in pairs(originals) do native[name] = original end
    assert.same({ true, "x" }, { done, value })
    assert.same({ "step 0", "sleep " .. 0.001, "step 0", "sleep " .. 0.00625, "step 0" }, told)
  end)

  it("is nginx's where there is its table of functions", function()
    local ngx = rawget(_G, "ngx")
    local own = {}
    for i, row in ipairs { { false }, { false, {} }, { false, "x" },
                           { true, { get_phase = print } } } do
      rawset(_G, "ngx", row[2])
      assert.equal(row[1], wait.is_nginx(), i)
      if not row[1] then assert.equal(own, (wait.choose(own))) end
    end
    rawset(_G, "ngx", ngx)
  end)
end)
