-- The rules by themselves, where each millisecond can be chosen. That nginx
-- keeps them too is in 52_sandbox_wire_spec.lua.

local NOON = 1700000000000
local HISTORY = "/v2/account/tradeHistory"
local TICK_VALUE = "/v1/market/public/currentTickValue"

-- Stands in for the OpenSSL inside nginx.
package.loaded["bitfront.sandbox.c_functions"] = {
  hmac_sha256_hex = function(secret, message)
    return ("hmac(%s, %s)"):format(secret, message)
  end,
}

local rules = require "bitfront.sandbox.rules"

describe("the exchange", function()
  local exchange, nonce

  before_each(function()
    local record = { currency = "BTC", json = '{"currency":"BTC"}' }
    exchange = rules.new {
      KEY = { api_secret = "secret", balances = { record } },
      OTHER = { api_secret = "other", balances = {} },
    }
    nonce = 10000
  end)

  local function header_of(given, usual)
    if given == nil then return usual end
    return given or nil
  end

  -- A right request, except for what is given; false is a header not sent.
  local function request(with)
    with = with or {}
    nonce = nonce + 1
    local r = {
      arrived = with.arrived or NOON, method = with.method or "GET",
      path = with.path or "/v1/account/balances",
      query = with.query or "", body = "",
    }
    local sent = {
      nonce = header_of(with.nonce, tostring(nonce)),
      timestamp = header_of(with.timestamp, ("%.0f"):format(r.arrived)),
    }
    local message = tostring(sent.nonce) .. tostring(sent.timestamp)
      .. r.method .. r.path .. r.query
    local signed = ("hmac(%s, %s)"):format(with.secret or "secret", message)
    r.key = header_of(with.key, "KEY")
    r.nonce, r.timestamp = sent.nonce, sent.timestamp
    r.signature = header_of(with.signature, signed)
    return r
  end

  local function code(with)
    return rules.judge(exchange, request(with)).code
  end

  it("answers a request that keeps the rules", function()
    assert.same({ code = 1000, data = '[{"currency":"BTC"}]' },
                rules.judge(exchange, request()))
  end)

  for what, row in pairs {
    ["another path"] = { 4000, { path = "/v1/account" } },
    ["another method"] = { 4017, { method = "POST" } },
    ["no key"] = { 4001, { key = false } },
    ["an empty key"] = { 4001, { key = "" } },
    ["no signature"] = { 4001, { signature = false } },
    ["no timestamp"] = { 4001, { timestamp = false } },
    ["a header sent twice"] = { 4000, { nonce = { "10001", "10002" } } },
    ["a malformed key"] = { 6002, { key = "K-1" } },
    ["an unregistered key"] = { 6001, { key = "NOBODY" } },
    ["no nonce"] = { 4018, { nonce = false } },
    ["the nonce 9999"] = { 4018, { nonce = "9999" } },
    ["the nonce 100000"] = { 4018, { nonce = "100000" } },
    ["the nonce 01234"] = { 4018, { nonce = "01234" } },
    ["the nonce 1234x"] = { 4018, { nonce = "1234x" } },
    ["a timestamp with a point"] = { 4013, { timestamp = "1700000000.5" } },
    ["a timestamp with a sign"] = { 4013, { timestamp = "+1700000000000" } },
    ["a timestamp in seconds"] = { 6005, { timestamp = "1700000000" } },
    ["another key's signature"] = { 4003, { secret = "other" } },
    ["a signature of something else"] = { 4003, { signature = "abc" } },
    ["a coin that is not there"] = { 4011, { path = "/v1/account/balances/X" } },
    ["a coin in small letters"] = { 4011, { path = "/v1/account/balances/btc" } },
    ["a history of no pair"] = { 4012, { path = HISTORY, query = "startTime=1" } },
    ["a history without its start"] = { 4012, { path = HISTORY, query = "coinPair=BCH.ETH" } },
    ["a history of a pair that is not there"] = { 4009,
      { path = HISTORY, query = "coinPair=ETH.BCH&startTime=1" } },
    ["the number of an order"] = { 3321, { path = "/v2/account/orders/10100000030913" } },
    ["no number of an order"] = { 4000, { path = "/v2/account/orders/x" } },
    ["tick values of no pair"] = { 4012, { path = TICK_VALUE, query = "pair=XRP.BTC" } },
    ["tick values of an empty pair"] = { 4009, { path = TICK_VALUE, query = "coinPair=" } },
    ["tick values of MARKET.CURRENCY"] = { 4009,
      { path = TICK_VALUE, query = "coinPair=BTC.XRP" } },
    ["another method, unsigned"] = { 4017, { path = TICK_VALUE, method = "POST" } },
  } do
    it(("refuses %s with %d"):format(what, row[1]), function()
      assert.equal(row[1], code(row[2]))
    end)
  end

  it("takes the nonces 10000 and 99999", function()
    assert.equal(1000, code { nonce = "10000" })
    assert.equal(1000, code { nonce = "99999" })
  end)

  it("takes a timestamp up to 999 ms off, either way", function()
    exchange.settings.limits = false
    for off, expected in pairs {
      [-1000] = 6005, [-999] = 1000, [999] = 1000, [1000] = 6005,
    } do
      assert.equal(expected, code { timestamp = ("%.0f"):format(NOON + off) })
    end
  end)

  it("goes by its own clock, which can be moved", function()
    exchange.settings.clock_offset_ms = 5000
    assert.equal(6005, code())
    assert.equal(1000, code { timestamp = ("%.0f"):format(NOON + 5000) })
  end)

  it("takes each signature once", function()
    local once = request()
    assert.equal(1000, rules.judge(exchange, once).code)
    assert.equal(4005, rules.judge(exchange, once).code)
  end)

  it("knows a signature and a nonce for one to two minutes, by the machine's clock", function()
    exchange.settings.limits = false
    local one, other = request(), request()
    local function code_at(ms, asked)
      asked.arrived = NOON + ms
      exchange.settings.clock_offset_ms = NOON - asked.arrived
      return rules.judge(exchange, asked).code
    end
    assert.same({ 1000, 1000, 1000 },
      { code_at(0, one), code_at(0, other), code_at(60000, request()) })
    assert.same({ 4005, 1000 }, { code_at(119999, one), code_at(120000, other) })
  end)

  it("takes a nonce once within a timestamp", function()
    local path = "/v1/account/balances/BTC"
    assert.equal(1000, code { nonce = "12345" })
    assert.equal(4018, code { nonce = "12345", path = path })
    assert.equal(1000, code { nonce = "12345", arrived = NOON + 1 })
  end)

  it("does not count a wrong signature as a use of the nonce", function()
    assert.equal(4003, code { nonce = "12345", signature = "abc" })
    assert.equal(1000, code { nonce = "12345" })
  end)

  it("signs the query too", function()
    assert.equal(1000, code { query = "a=b" })
  end)

  describe("limits each key", function()
    it("to 3 calls in any 1 s", function()
      for _, row in ipairs {
        { 0, 1000 }, { 500, 1000 }, { 999, 1000 }, { 999, 6004 },
        { 1998, 1000 }, { 1998, 6004 }, { 1999, 1000 },
      } do
        assert.equal(row[2], code { arrived = NOON + row[1] })
      end
    end)

    it("to 60 calls in any 60 s", function()
      for i = 0, 59 do
        assert.equal(1000, code { arrived = NOON + i * 500 })
      end
      assert.equal(6004, code { arrived = NOON + 59999 })
      assert.equal(1000, code { arrived = NOON + 60500 })
    end)

    it("counting also what it refuses, for whatever reason", function()
      code { signature = "abc" }
      code { nonce = false }
      code { method = "POST" }
      assert.equal(6004, code())
      assert.equal(6004, code { arrived = NOON + 999 })
    end)

    it("and not by the calls of another", function()
      for _ = 1, 4 do code() end
      assert.equal(6004, code())
      assert.equal(1000, code { key = "OTHER", secret = "other" })
    end)

    describe("to 1 call in any 1 s and 30 in any 60 s of its tradeHistory,", function()
      local PATH, QUERY = HISTORY, "coinPair=BCH.ETH&startTime=1"
      local function history(ms)
        return code { path = PATH, query = QUERY, arrived = NOON + ms,
                      timestamp = ("%.0f"):format(NOON + ms) }
      end

      it("refused ones too", function()
        for _, row in ipairs { { 0, 1000 }, { 999, 6004 }, { 1998, 6004 }, { 2998, 1000 } } do
          assert.equal(row[2], history(row[1]), row[1])
        end
      end)

      it("which count among all of its calls", function()
        assert.equal(1000, history(0))
        assert.equal(1000, code())
        assert.equal(1000, code())
        assert.equal(6004, code())
        assert.equal(1000, code { path = PATH, query = QUERY, key = "OTHER", secret = "other" })
      end)

      it("at exactly 60 s again", function()
        for i = 0, 29 do assert.equal(1000, history(i * 2000), i) end
        assert.equal(6004, history(59999))
        assert.equal(6004, history(61999)) -- of the last 60 s 30 count, with the refused one
        assert.equal(1000, history(64000))
      end)
    end)

    it("unless the limits are switched off", function()
      exchange.settings.limits = false
      for _ = 1, 100 do assert.equal(1000, code()) end
    end)

    it("but not calls for the time", function()
      for _ = 1, 10 do code { path = "/v1/public/time" } end
      assert.equal(1000, code())
    end)
  end)

  it("knows a coin that any account holds", function()
    local path = "/v1/account/balances/%4d%69NE"
    exchange.settings.limits = false
    assert.equal(4011, code { path = path })
    exchange.accounts.KEY.balances[2] = { currency = "MiNE", json = "{}" }
    local asked = request { path = path, key = "OTHER", secret = "other" }
    assert.equal('[{"currency":"MiNE","balance":0,"availableBalance":0}]',
      rules.judge(exchange, asked).data)
  end)

  it("says nothing of a coin that no account holds, which is known, where it is told so",
    function()
      local path = "/v1/account/balances/XRP"
      assert.equal(1000, code { path = path })
      exchange.settings.not_held_as = "refusal"
      assert.equal(4011, code { path = path })
      assert.equal(4011, code { path = "/v1/account/balances/BTC", key = "OTHER",
        secret = "other" })
      assert.equal(1000, code { path = "/v1/account/balances/BTC" })
    end)

  it("begins with these settings", function()
    assert.same({ clock_offset_ms = 0, limits = true, balance_as = "array", not_held_as = "zero",
                  down = false, latency_ms = 0, jitter_ms = 0 }, rules.new({}).settings)
  end)

  it("has settings, and a script, up to these bounds", function()
    local set, step = rules.settings, require "bitfront.sandbox.scripted".fields
    for _, row in ipairs {
      { set.clock_offset_ms, -2 ^ 53, 2 ^ 53, 2 }, { set.latency_ms, 0, 3600000, 1 },
      { set.jitter_ms, 0, 3600000, 1 }, { step.statusCode, 0, 999999999, 1 },
      { step.http_status, 200, 599, 1 }, { step.latency_ms, 0, 3600000, 1 },
      { step.times, 1, 1000000, 1 },
    } do
      local option, least, most, beyond = row[1], row[2], row[3], row[4]
      assert.same({ false, true, true, false },
        { (option.check(least - beyond)), (option.check(least)), (option.check(most)),
          (option.check(most + beyond)) }, option.about)
    end
  end)

  it("has the documents' text for each code", function()
    for _, row in ipairs(require "bitfront.status".CODES) do
      assert.truthy(rules.body({ code = row[1] }, NOON)
        :find(('"statusMessage":"%s"}'):format(row[3]), 1, true))
    end
  end)

  it("sends one balance as an array of one, or as the object", function()
    local path = "/v1/account/balances/BTC"
    local function data()
      return rules.judge(exchange, request { path = path }).data
    end
    assert.equal('[{"currency":"BTC"}]', data())
    exchange.settings.balance_as = "object"
    assert.equal('{"currency":"BTC"}', data())
  end)

  describe("says", function()
    it("success with responseData", function()
      assert.equal('{"timezone":"UTC","responseTime":1700000000000,'
        .. '"statusCode":1000,"statusMessage":"Success","responseData":[]}',
        rules.body({ code = 1000, data = "[]" }, NOON))
    end)

    it("a refusal without", function()
      assert.equal('{"timezone":"UTC","responseTime":1700000000000,'
        .. '"statusCode":4003,"statusMessage":"Invalid signature"}',
        rules.body({ code = 4003 }, NOON))
    end)

    it("the time without a statusCode", function()
      local asked = request { path = "/v1/public/time" }
      assert.equal('{"timezone":"UTC","responseTime":1700000000000}',
        rules.body(rules.judge(exchange, asked), NOON))
    end)
  end)
end)
