local bitfront = require "bitfront"
local core = require "bitfront.core"
local native = require "bitfront.native"
local recordd = require "spec.support.recordd"
local support = require "spec.support"

describe("the balances of many accounts #smoke", function()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function coin(code)
    return support.success(('[{"currency":"%s","balance":1,"availableBalance":1}]')
      :format(code))
  end

  local function client_of(body, options, more)
    local all = { base_url = faultd:url_body(body, options) }
    for name, value in pairs(more or {}) do all[name] = value end
    return support.client(all)
  end

  it("come in the order of the clients, whichever is slow", function()
    local clients = {}
    for i = 1, 20 do
      clients[i] = client_of(coin("C" .. i), { delay = (i * 37) % 100 })
    end
    local seen = {}
    local results = bitfront.balances_many(clients, {
      concurrency = 6, on_progress = function(done, count)
        seen[#seen + 1] = done .. "/" .. count
        error "harmless"
      end,
    })
    assert.equal(20, #results)
    for i, result in ipairs(results) do
      assert.is_nil(result.err)
      assert.equal("C" .. i, result.balances[1].currency)
      assert.equal(1, result.info.attempts)
    end
    assert.equal("1/20", seen[1])
    assert.equal("20/20", seen[20])
    assert.equal(20, #seen)
  end)

  -- The server replies to a request only when it is told to: when four wait for it.
  it("are asked for at once, and no more at a time than is said", function()
    local dir, clients, most, released = support.tmpdir(), {}, 0, 0
    local server = recordd.start { "request", "mark:" .. dir .. "/come",
      "await:" .. dir .. "/go", recordd.bytes(support.reply(coin "A")) }
    local function sleep(seconds)
      local waiting = #(support.read(dir .. "/come") or "") - released
      most = math.max(most, waiting)
      if (waiting >= 4 or released >= 8) and released < 12 and not support.read(dir .. "/go") then
        support.write(dir .. "/go", "")
        released = released + 1
      end
      core.sleep(seconds)
    end
    for i = 1, 12 do
      clients[i] = support.client { api_key = "Many" .. i, base_url = server.url,
        sleep = sleep, timeout = 30 }
    end
    for _, result in ipairs(bitfront.balances_many(clients, { concurrency = 4 })) do
      assert.is_nil(result.err)
    end
    server:stop()
    assert.same({ 4, 12 }, { most, released })
  end)

  -- Lua 5.1 cannot yield in there, which is an error like any other.
  it("keep what they brought where on_progress yields", function()
    local results = bitfront.balances_many({ client_of(coin "A"), client_of(coin "B") },
      { on_progress = function() coroutine.yield() end })
    assert.equal("A", results[1].balances[1].currency)
    assert.equal("B", results[2].balances[1].currency)
  end)

  it("do not affect each other", function()
    local closed = client_of(coin "A")
    closed:close()
    local results = bitfront.balances_many({
      client_of(coin "A"),
      client_of(coin "A", { delay = 5000 }),
      closed,
      client_of(support.refusal(6001)),
      bitfront.new {
        base_url = faultd:url_body(coin "A"), ca_file = support.certs().ca,
        credentials = function() error("the vault is shut", 0) end,
      },
      client_of(coin "B"),
    }, { timeout = 2 })
    assert.equal("A", results[1].balances[1].currency)
    assert.equal("timeout", results[2].err.kind)
    assert.equal("closed", results[3].err.kind)
    assert.equal("auth", results[4].err.kind)
    assert.equal(6001, results[4].info.statusCode)
    assert.equal("config", results[5].err.kind)
    assert.truthy(results[5].err.message:find("the vault is shut", 1, true))
    assert.equal("B", results[6].balances[1].currency)
  end)

  it("are an empty list where there are no clients", function()
    assert.same({}, bitfront.balances_many {})
  end)

  it("share a key's slots in order", function()
    local store = require "bitfront.limiter.memory".new()
    local clients = {}
    for i = 1, 7 do
      clients[i] = client_of(coin "A", nil, { rate_limit = { store = store } })
    end
    local begun = core.now()
    for _, result in ipairs(bitfront.balances_many(clients)) do
      assert.is_nil(result.err)
    end
    assert.is_true(core.now() - begun >= 2)
  end)

  -- On a clock that only sleeping moves, with three accounts that get a slot each 0.75 s,
  -- the first at once: what is called meanwhile, and how often.
  local function calls_while_waiting(has_scheduler)
    local originals, now, next_slot, polls = {}, math.floor(native.now()), 0, 0
    local started, counts = now, { slept = 0, sleeps = 0, acquires = 0, steps = 0 }
    local function sleep(seconds)
      counts.sleeps, counts.slept, now = counts.sleeps + 1, counts.slept + seconds, now + seconds
    end
    local function replace(name, by) originals[name], native[name] = native[name], by end
    replace("now", function() return now end)
    replace("sleep", sleep)
    replace("step", function(seconds)
      counts.steps = counts.steps + 1
      return originals.step(seconds)
    end)
    -- Up to 10 ms are a poll, for a reply that comes whatever this clock says: 1 ms, since
    -- by this clock something has just gone on.
    local function scheduler_sleep(seconds)
      if seconds > 0.01 then return sleep(seconds) end
      assert.equal(0.001, seconds)
      polls = polls + 1
      assert(polls < 3000, "polls without end")
      originals.sleep(0.001)
    end
    local function acquire()
      counts.acquires = counts.acquires + 1
      local left = started + next_slot - now
      if left > 0 then return left * 1000 end
      next_slot = next_slot + 0.75
      return 0, next_slot
    end
    local function nothing() return 0, 0, 0 end
    local store = { acquire = acquire, release = nothing, block = nothing, peek = nothing }
    local clients = {}
    for i = 1, 3 do
      clients[i] = client_of(coin "A", nil, { rate_limit = { store = store },
        sleep = has_scheduler and scheduler_sleep or nil })
    end
    local done, results = pcall(bitfront.balances_many, clients)
    for name, original in pairs(originals) do native[name] = original end
    assert.is_true(done, results)
    for i = 1, 3 do assert.is_nil(results[i].err) end
    return counts
  end

  -- A process that blocks sleeps for 250 ms at most, so that signals are noticed.
  it("leave the processor alone while they wait for a slot", function()
    local counts = calls_while_waiting(false)
    assert.is_true(counts.steps < 50, counts.steps)
    counts.steps = nil
    assert.same({ slept = 1.5, sleeps = 6, acquires = 6 }, counts)
  end)

  it("leave it to a scheduler for the whole of that time", function()
    local counts = calls_while_waiting(true)
    counts.steps = nil
    assert.same({ slept = 1.5, sleeps = 2, acquires = 6 }, counts)
  end)

  it("raise at the caller's line for what is misuse", function()
    local client = client_of(coin "A")
    for _, row in ipairs {
      { "clients must be an array", 7 },
      { "clients must be an array" },
      { "clients[1] is no client", { {} } },
      { "clients[2] is no client", { client, "x" } },
      { "clients", { client, nil, client } },
      { "clients", { nil, client } },
      { "clients must be an array without holes", { x = client } },
      { "clients must be an array without holes", { [1] = client, [7] = client } },
      { "clients[1] and clients[2] are the same", { client, client } },
      { "options must be a table", {}, 5 },
      { 'unknown option "concurency"; did you mean "concurrency"?', {},
        { concurency = 1 } },
      { "concurrency must be", {}, { concurrency = 0 } },
      { "concurrency must be", {}, { concurrency = 1.5 } },
      { "timeout must be", {}, { timeout = 0 } },
      { "timeout must be", {}, { timeout = -1 } },
      { "timeout must be", {}, { timeout = 0 / 0 } },
      { "timeout must be", {}, { timeout = 86401 } },
      { "on_progress must be", {}, { on_progress = "x" } },
    } do
      local ok, message = pcall(function()
        bitfront.balances_many(row[2], row[3])
      end)
      assert.is_false(ok)
      assert.truthy(message:find(row[1], 1, true), message)
      assert.truthy(message:find "^[^\n]*27_many_spec%.lua:%d+: ", message)
    end
    client:close()
  end)

  it("fail one by one where a function that was given yields to nobody", function()
    local results = bitfront.balances_many {
      client_of(coin "A"),
      client_of(coin "B", nil, { on_attempt = function() coroutine.yield() end }),
      client_of(coin "C"),
    }
    assert.equal("A", results[1].balances[1].currency)
    assert.equal("C", results[3].balances[1].currency)
    if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then -- there pcall is in the way
      assert.same({ "raised", 0 }, { results[2].err.code, results[2].err.attempts })
    end
  end)

  it("end when a thousand calls hang, each at its deadline #once", function()
    local clients = {}
    for i = 1, 1000 do
      clients[i] = support.client {
        base_url = "http://127.0.0.1:" .. faultd.ports.silent, connect_timeout = 60,
      }
    end
    for _, result in ipairs(bitfront.balances_many(clients,
      { concurrency = 1000, timeout = 2 })) do
      assert.equal("timeout", result.err.kind)
    end
  end)
end)
