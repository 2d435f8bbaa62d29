local accounts = require "bitfront.account"
local clocks = require "bitfront.clock"
local core = require "bitfront.core"
local one_call = require "spec.support.one_call"
local support = require "spec.support"

-- The wall's and the steady clock of one instant.
local function instant()
  local before, wall, after
  repeat -- until the processor is not taken away in between
    before, wall, after = core.now(), core.wall(), core.now()
  until after - before < 0.001
  return wall, after
end

describe("the clock #smoke", function()
  local clock
  before_each(function() clock = clocks.of("https://" .. tostring({})) end)

  -- A reply that came now, `round_trip` seconds after the request, from a server
  -- that read its clock half way and is ahead of this machine by so many ms.
  local function learn(ahead, round_trip, refused)
    local wall, now = instant()
    clock:learn(math.floor(wall + ahead - round_trip * 500), now - round_trip,
      round_trip, refused)
  end

  -- By how much a monotonic offset is ahead of this machine's clock.
  local function ahead_of_wall(offset)
    local wall, now = instant()
    return offset + now * 1000 - wall
  end

  -- By how much a request's timestamp is ahead of this machine's clock.
  local function ahead()
    local offset, monotonic = clock:offset()
    return monotonic and ahead_of_wall(offset) or offset
  end

  local function is_near(expected, seen)
    assert.is_true(math.abs(expected - seen) <= 3, ("%s, not %s"):format(seen, expected))
  end

  it("is this machine's until something is known", function()
    assert.same({ 0, false }, { clock:offset() })
  end)

  it("tells the server's time half a round trip from now", function()
    learn(7000, 0.1)
    is_near(7050, ahead())
  end)

  it("uses the sample of the shortest round trip among recent ones", function()
    learn(7000, 0.2)
    learn(7030, 0.01)
    learn(7000, 0.4)
    is_near(7035, ahead())
  end)

  it("starts over where a reply contradicts what is known", function()
    learn(7000, 0.01)
    learn(-3600000, 0.3)
    is_near(-3600000 + 150, ahead())
  end)

  it("takes most of a long time for the server's own work, before it told its time",
    function()
      learn(7000, 2, true)
      is_near(7000 - 1000 + 250 + 250, ahead())
    end)

  it("is kept where one request was long on its way", function()
    learn(7000, 0.02)
    learn(7000, 2.4, true)
    is_near(7010, ahead())
    learn(7000, 2.4, true)
    is_near(7000 - 1200 + 250 + 250, ahead())
  end)

  it("starts over after a refusal that contradicts it, or knows better", function()
    learn(7000, 0.02)
    learn(0, 2, true)
    is_near(-1000 + 500, ahead())
    learn(5, 0.02, true)
    is_near(15, ahead())
  end)

  it("is not changed by a slow reply that does not contradict it", function()
    learn(900, 2)
    assert.same({ 0, false }, { clock:offset() })
    learn(500, 0.02)
    learn(900, 2)
    is_near(510, ahead())
  end)

  it("ignores a time that no calendar has", function()
    for _, time in ipairs { 0, -1, 2 ^ 62, 9e18 } do
      clock:learn(time, core.now() - 0.01, 0.01, true)
    end
    assert.same({ 0, false }, { clock:offset() })
  end)

  it("is shared by those who have the same dict", function()
    local stored = {} -- all that is asked of a lua_shared_dict
    local dict = {
      get = function(_, name) return stored[name] end,
      safe_set = function(_, name, value) stored[name] = value end,
      delete = function(_, name) stored[name] = nil end,
    }
    clock:share(dict)
    learn(7000, 0.02)
    local name, text = next(stored)
    local other = clocks.of "https://c.example"
    other:share(dict)
    stored["bitfront:clock:https://c.example"] = text
    assert.truthy(name:find "^bitfront:clock:https://")
    local offset, monotonic = other:offset()
    assert.is_true(monotonic)
    is_near(7010, ahead_of_wall(offset))
    stored["bitfront:clock:https://c.example"] = "nonsense"
    assert.equal(offset, (other:offset()))
    other:forget()
    assert.same({ 0, false }, { other:offset() })
    assert.is_nil(stored["bitfront:clock:https://c.example"])
  end)

  it("is written where it has changed, for 30 days, and read where another one wrote", function()
    local NAME = "bitfront:clock:https://d.example"
    local one, known, stored, told = clocks.of "https://d.example", {}, nil, {}
    local function note(...) told[#told + 1] = table.concat({ ... }, " ") end
    one.known = {
      learn = function() return known.changed end, forget = function() known.offset = nil end,
      best = function() return known.offset, 20, 1.5 end,
      offset = function() return known.offset or 0, known.offset ~= nil end,
      adopt = function(_, ...) note("adopt", ...) return known.adopts end,
    }
    one:share {
      get = function(_, name) assert.equal(NAME, name) return stored end,
      safe_set = function(_, name, text, life) note(name, text, life) stored = text end,
      delete = function(_, name) note("delete", name) stored = nil end,
    }
    known.offset = -7000
    one:learn(1, 2, 3)
    assert.same({}, told)
    known.changed = true
    one:learn(1, 2, 3)
    assert.same({ -7000, true }, { one:offset() }) -- which reads nothing of its own
    assert.same({ NAME .. " -7000 20 1500 2592000" }, told)
    stored = "12 3 4500"
    one:offset()
    known.adopts = true
    one:offset()
    one:offset()
    assert.same({ "adopt 12 3 " .. 4.5, "adopt 12 3 " .. 4.5 }, { told[2], told[3] })
    assert.equal(3, #told)
    one:forget()
    assert.equal("delete " .. NAME, told[4])
    stored = "12 3 4500" -- again, after it was forgotten
    one:offset()
    assert.equal(5, #told)
  end)

  it("is shared where a section names the exchange, also when another client asks there #apart",
    function()
      local home = one_call.home "[default]\napi_key = k\napi_secret = s\n"
      local env = one_call.environment(home)
      env.BITFRONT_BASE_URL = "http://127.0.0.1:2"
      assert.equal("nil true\ntrue\n", support.lua([[
        local bitfront = require "bitfront"
        local asked
        local client = bitfront.new { retries = 0, rate_limit = false }
        require "bitfront.account".share_clock(client,
          { get = function(_, name) asked[name] = true end })
        local function is_asked(port)
          return asked["bitfront:clock:http://127.0.0.1:" .. port]
        end
        local file = io.open(os.getenv "HOME" .. "/.config/bitfront/credentials", "a")
        file:write "base_url = http://127.0.0.1:1\n"
        file:close()
        asked = {}
        client:balances()
        print(is_asked(2), is_asked(1))
        bitfront.new { base_url = "http://127.0.0.1:1", api_key = "k", api_secret = "s" }
        asked = {}
        client:balances()
        print(is_asked(1))
      ]], { env = env }):gsub("\t", " "))
    end)

  it("is one for all clients of an exchange, and freed with the last", function()
    local other = clocks.of "https://a.example"
    assert.equal(other, clocks.of "https://a.example")
    assert.are_not.equal(other, clocks.of "https://b.example")
    other = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.same({ 0, false }, { clocks.of("https://a.example"):offset() })
  end)
end)

describe("a call by a clock that is wrong", function()
  local sandbox
  setup(function() sandbox = support.sandbox() end)
  teardown(function() sandbox:stop() end)
  before_each(function() sandbox:reset() end)

  local function client_with(options)
    local all = { base_url = sandbox.base_url, ca_file = sandbox.ca_file, retries = 2,
      clock = "auto" }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  for _, ahead in ipairs { 3600000, -3600000, 7000, -1500 } do
    it(("by %d ms succeeds on its second attempt, and the next on its first")
      :format(ahead), function()
      sandbox:set { clock_offset_ms = ahead, limits = false }
      local client = client_with()
      local balances, err, info = client:balances()
      assert.is_nil(err)
      assert.equal(5, #balances)
      assert.equal(2, info.attempts)
      -- The server read its clock at some time between request and reply.
      assert.is_true(math.abs(info.clock_offset - ahead) < info.elapsed * 500 + 5)
      assert.equal(1, select(3, client:balances()).attempts)
      local log = sandbox:log()
      assert.same({ 6005, 1000, 1000 }, { log[1].verdict, log[2].verdict, log[3].verdict })
      assert.are_not.equal(log[1].signature, log[2].signature)
      client:close()
    end)
  end

  it("succeeds on its second attempt also where the exchange is slow", function()
    sandbox:set { clock_offset_ms = 3600000, limits = false, latency_ms = 1500 }
    local client = client_with()
    local _, err, info = client:balances()
    client:close()
    assert.is_nil(err)
    assert.equal(2, info.attempts)
  end)

  it("succeeds on its second attempt also beside other calls at the same time", function()
    sandbox:set { clock_offset_ms = -60000, limits = false }
    local clients = {}
    for i = 1, 8 do clients[i] = client_with() end
    for _, result in ipairs(require "bitfront".balances_many(clients)) do
      assert.is_nil(result.err)
      assert.equal(2, result.info.attempts)
    end
    assert.equal(16, #sandbox:log())
  end)

  it("learns nothing from a reply that is not taken", function()
    sandbox:set { limits = false }
    local client = client_with()
    assert(client:balances())
    local now = ("%.0f"):format(core.wall() - 9e6)
    sandbox:script { body = '{"timezone":"UTC","responseTime":' .. now
      .. ',"statusCode":1000,"statusMessage":"SUCCESS","responseData":[}' }
    assert.equal("protocol", select(2, client:balances()).kind)
    local _, _, info = client:balances()
    client:close()
    assert.equal(1, info.attempts)
  end)

  it("succeeds again after one wrong time, also where refusals tell no time", function()
    sandbox:set { limits = false }
    local client = client_with()
    sandbox:script { body = '{"timezone":"UTC","responseTime":' .. ("%.0f"):format(
      core.wall() + 1e9) .. ',"statusCode":1000,"statusMessage":"SUCCESS","responseData":[]}' }
    assert(client:balances())
    for _, time in ipairs { "", '"responseTime":-5,', '"responseTime":999999999999999,' } do
      sandbox:script { body = '{"timezone":"UTC",' .. time
        .. '"statusCode":6005,"statusMessage":"x"}' }
      local _, err, info = client:balances()
      assert.is_nil(err)
      assert.equal(2, info.attempts)
    end
    client:close()
  end)

  it("succeeds also after the exchange's clock was set", function()
    local client = client_with()
    sandbox:set { limits = false }
    for _, ahead in ipairs { 0, 3600000, -3600000, 0 } do
      sandbox:set { clock_offset_ms = ahead }
      local _, err, info = client:balances()
      assert.is_nil(err)
      assert.is_true(info.attempts <= 2)
      assert.equal(1, select(3, client:balances()).attempts)
    end
    client:close()
  end)

  it("fails after one attempt where this machine's clock is to be used", function()
    sandbox:set { clock_offset_ms = 5000, limits = false }
    for _, row in ipairs { { "system", 6005 }, { 4000, 6005 }, { 5000, nil } } do
      local client = client_with { clock = row[1] }
      local _, err, info = client:balances()
      assert.equal(row[2], err and err.code)
      assert.equal(1, info.attempts)
      assert.equal(tonumber(row[1]) or 0, accounts.of(client).clock:offset())
      client:close()
    end
  end)
end)
