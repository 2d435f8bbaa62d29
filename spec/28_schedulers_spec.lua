local core = require "bitfront.core"
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

  -- The longest time between two runs of a coroutine that sleeps 10 ms each time,
  -- while the function runs; how often it ran, in how much of own time.
  local function longest_stall(scheduler, action)
    local ended, longest, ticks, failure = false, 0, 0, nil
    local begun = support.own_time()
    scheduler.run {
      function()
        local last = support.own_time()
        while not ended do
          scheduler.sleep(0.01)
          local now = support.own_time()
          longest, ticks, last = math.max(longest, now - last), ticks + 1, now
        end
      end,
      function()
        local ok, message = pcall(action)
        ended, failure = true, not ok and message
      end,
    }
    assert.falsy(failure)
    return longest, ticks, support.own_time() - begun
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
      local client = support.client {
        base_url = faultd:url_body(support.success(), { delay = 500 }),
        sleep = scheduler.sleep,
      }
      local elapsed
      local stall, ticks, all = longest_stall(scheduler, function()
        local begun = core.now()
        assert(client:balances())
        elapsed = core.now() - begun
      end)
      client:close()
      assert.is_true(elapsed >= 0.5 and all < 0.8, elapsed .. " " .. all)
      assert.is_true(ticks > all / 0.02, ticks .. " in " .. all)
      assert.is_true(stall < 0.2, tostring(stall))
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
      longest_stall(scheduler, function()
        for _, result in ipairs(require "bitfront".balances_many(clients)) do
          assert.is_nil(result.err)
        end
      end)
    end)

    it(name .. " others run while many calls and their slots wait", function()
      if not can_run then return end
      local clients, store = {}, require "bitfront.limiter.memory".new()
      for i = 1, 5 do
        clients[i] = support.client {
          base_url = faultd:url_body(support.success(), { delay = 500 }),
          sleep = scheduler.sleep, rate_limit = { store = store },
        }
      end
      local stall, ticks, all = longest_stall(scheduler, function()
        for _, result in ipairs(require "bitfront".balances_many(clients)) do
          assert.is_nil(result.err)
        end
      end)
      assert.is_true(ticks > all / 0.02, ticks .. " in " .. all)
      assert.is_true(stall < 0.2, tostring(stall))
    end)
  end
end)
