-- The sandbox from outside: real nginx, real TLS, `curl` and `openssl`.

local core = require "bitfront.core"
local cjson = require "cjson"
local exchange_caller = require "spec.support.exchange_caller"
local sandbox = require "bitfront.sandbox"
local shell = require "spec.support.shell"

local BALANCES = "/v1/account/balances"

describe("the sandbox #apart", function()
  local box, caller

  setup(function()
    box = assert(sandbox.start {
      port = 0, dir = shell.tmpdir() })
    caller = exchange_caller.of(box)
  end)

  teardown(function()
    assert(sandbox.stop { dir = box.dir })
    assert.equal("", shell.read(box.dir .. "/error.log"))
  end)

  before_each(function()
    caller:control("POST", "reset")
    caller:control("POST", "settings", '{"limits":false}')
  end)

  it("answers the document's example, digit for digit", function()
    local body = caller:get(BALANCES).body
    assert.matches('^{"timezone":"UTC","responseTime":%d+,"statusCode":1000,'
      .. '"statusMessage":"Success","responseData":%[', body)
    for _, record in ipairs {
      '"BCH","balance":1000000000,"availableBalance":1000000000',
      '"XRP","balance":1000003043.7,"availableBalance":1000002063.7',
      '"ETH","balance":1000107794.9999858,"availableBalance":1000107794.9999858',
      '"BTC","balance":3999974992.35615,"availableBalance":3999970806.72614',
      '"USDT","balance":1000000000,"availableBalance":999998671.673',
    } do
      assert.matches('{"currency":' .. record .. "}", body, 1, true)
    end
  end)

  it("says each refusal with its code", function()
    for code, how in pairs {
      [4001] = { key = false }, [6001] = { key = "NOBODY" },
      [6002] = { key = "no-key" }, [4018] = { nonce = "1234" },
      [4013] = { timestamp = "12x" }, [6005] = { shift_ms = -1000 },
      [4003] = { secret = "another" }, [4017] = { method = "DELETE" },
    } do
      assert.equal(code, caller:code(BALANCES, how))
    end
    assert.equal(4000, caller:code "/v1/account")
    assert.equal(4000, caller:code(BALANCES, { more = "-H 'X-API-KEY: K'" }))
    assert.equal(4011, caller:code(BALANCES .. "/NONE"))
  end)

  it("answers for a coin that it knows and the account does not hold", function()
    local path = BALANCES .. "/LN"
    assert.matches('"responseData":%[{"currency":"LN","balance":0,"availableBalance":0}%]}$',
      caller:get(path).body)
    caller:control("POST", "settings", '{"not_held_as":"refusal"}')
    assert.equal(4011, caller:code(path))
    assert.equal(1000, caller:code(BALANCES .. "/BTC"))
  end)

  it("answers what is said of coin pairs, unsigned", function()
    local function public(target)
      return shell.must(caller:curl(caller:url("/v1/market/public/" .. target)))
    end
    assert.matches('"statusCode":1000,"statusMessage":"Success","responseData":{"bid":7.87e-6,'
      .. '"ask":7.89e-6,"last":7.88e-6,"volume":91233.1,"open":7.92e-6,"close":7.88e-6,'
      .. '"high":7.99e-6,"low":7.8e-6}}', public "currentTickValue?coinPair=XRP%2EBTC", 1, true)
    local text = public "coins/pairPolicy"
    assert.matches('{"marketType":"BTC","coinType":"XRP","displayNameOfCoinInformation":"XRP",'
      .. '"coinPairType":"BTC.XRP","tradeMinAmount":0.0001,"tradeMaxAmount":99999999999999999,'
      .. '"tradeMinVolume":0.001,"tradeMaxVolume":99999999999999999,"tradeMakerFeeRate":0.1,'
      .. '"tradeTakerFeeRate":0.1,"tradeFeeUnit":"BTC","minPrice":1e-8,"minPriceUnit":"BTC",'
      .. '"minAmountDecimal":4,"minPriceDecimal":8,"trade":true}', text, 1, true)
    assert.is_nil(text:find "%$")
    assert.equal(9, #cjson.decode(text).responseData)
    assert.equal(4017, cjson.decode(shell.must(caller:curl("-X POST "
      .. caller:url "/v1/market/public/coins/pairPolicy"))).statusCode)
  end)

  it("answers the other reads of an account that never traded", function()
    for path, how in pairs {
      ["/v1/trade/openOrders"] = { query = "market=ETH" },
      ["/v2/account/tradeHistory"] = { query = "coinPair=BCH.ETH&startTime=1" },
    } do
      assert.matches('"statusCode":1000,.*"responseData":%[%]}$', caller:get(path, how).body)
    end
    local page = caller:get("/v1/account/transactionHistory").json.responseData
    assert.same({ 0, 0, {} }, { page.number, page.totalElements, page.content })
  end)

  it("refuses in HTTP 200, with an envelope without data", function()
    local reply = caller:get(BALANCES, { secret = "wrong", more = "-i" }).body
    assert.matches("^HTTP/1.1 200 OK\r\n", reply)
    assert.matches("\nContent%-Type: application/json;charset=UTF%-8\r\n", reply)
    assert.matches('"statusMessage":"Invalid signature"}$', reply)
  end)

  it("takes a signature once, and a nonce once within a timestamp", function()
    local same = { nonce = "77777", timestamp = "$ts1" }
    assert.same({ 1000, 4005, 4018 }, caller:together {
      { BALANCES, { nonce = "77777" } }, { BALANCES, same }, { BALANCES .. "/BTC", same },
    })
  end)

  it("checks the signature over the query as it was sent", function()
    assert.equal(1000, caller:code(BALANCES, { query = "b=%20&a=1" }))
  end)

  -- A call is on its way for a while, and on a busy machine for long: by the time at
  -- which it arrived each is judged right, and in some try each way is seen.
  it("refuses timestamps ahead and behind", function()
    for shift_ms, expected in pairs {
      [800] = 1000, [-700] = 1000, [1300] = 6005, [-1000] = 6005,
    } do
      local code
      for _ = 1, 60 do
        local sent = caller:get(BALANCES, { shift_ms = shift_ms })
        local log = caller:control("GET", "log")
        local ahead = sent.timestamp - log[#log].arrived_ms
        code = sent.json.statusCode
        assert.equal(math.abs(ahead) < 1000 and 1000 or 6005, code, ahead .. " ms ahead")
        if code == expected then break end
      end
      assert.equal(expected, code)
    end
  end)

  it("allows a key three calls in a second", function()
    caller:control("POST", "settings", '{"limits":true}')
    assert.same({ 1000, 1000, 1000, 6004 }, caller:together {
      { BALANCES }, { BALANCES }, { BALANCES }, { BALANCES },
    })
  end)

  it("tells the time unsigned, without a statusCode", function()
    local body = shell.must(caller:curl(caller:url "/v1/public/time"))
    assert.matches('^{"timezone":"UTC","responseTime":%d%d%d%d%d%d%d%d%d%d%d%d%d}$',
                   body)
  end)

  it("sends one balance as an array of one, or as documented", function()
    local record = '{"currency":"BTC","balance":3999974992.35615,'
      .. '"availableBalance":3999970806.72614}'
    local body = caller:get(BALANCES .. "/BTC").body
    assert.matches('"responseData":[' .. record .. "]}", body, 1, true)
    caller:control("POST", "settings", '{"balance_as":"object"}')
    body = caller:get(BALANCES .. "/BTC").body
    assert.matches('"responseData":' .. record .. "}", body, 1, true)
  end)

  it("has a benchmark location that keeps no rules", function()
    local target = caller:url("/static" .. BALANCES)
    local body = shell.must(caller:curl(target .. " " .. target))
    assert.equal(2 * 830, #body)
    local connections = "-o /dev/null -o /dev/null -w '%{num_connects} ' "
    assert.equal("1 0 ", shell.must(caller:curl(connections .. target .. " " .. target)))
  end)

  it("listens on loopback alone", function()
    local config = shell.read(box.dir .. "/nginx.conf")
    local _, listens = config:gsub("%f[%w]listen%f[%W]", "")
    assert.equal(1, listens)
    assert.matches("listen 127.0.0.1:" .. box.port .. " ssl;", config, 1, true)
  end)

  it("answers to localhost too, by its own CA and no other", function()
    local url = ("https://localhost:%d/v1/public/time"):format(box.port)
    shell.must(caller:curl(url))
    local _, stderr, status = shell.run("curl -sS " .. url)
    assert.equal(60, status)
    assert.matches("certificate", stderr)
  end)

  describe("its control endpoint", function()
    it("requires a header that no web page can send", function()
      local body = shell.must(caller:curl(
        "-X POST -w '%{http_code}' " .. caller:url "/sandbox/reset"))
      assert.matches('^{"error":.*}403$', body)
    end)

    it("says what it cannot do", function()
      for _, call in ipairs {
        { "POST", "settings", "{", "JSON" },
        { "POST", "settings", '{"limit":false}',
          '^settings: unknown option "limit"; did you mean "limits"%?$' },
        { "POST", "settings", '{"limits":1}', "^settings: limits must be true or false$" },
        { "POST", "settings", '{"down":"no"}', "down must be true or false" },
        { "POST", "settings", '{"balance_as":"text"}',
          'balance_as must be "array" or "object"' },
        { "POST", "settings", '{"clock_offset_ms":0.5}', "clock_offset_ms must be a whole" },
        { "POST", "settings", '{"latency_ms":-1}', "latency_ms must be a whole number "
          .. "of milliseconds from 0 to 3600000$" },
        { "POST", "settings", '{"latency_ms":3600001}', "latency_ms must be" },
        { "POST", "settings", '{"jitter_ms":0.5}', "jitter_ms must be" },
        { "POST", "settings", '{"jitter_ms":null}', "jitter_ms must be" },
        { "POST", "accounts", "[1]", "accounts%[0%]: an object expected" },
        { "POST", "script", '{"damage":"none"}',
          "^step: damage must be a name of GET /sandbox/damages$" },
        { "POST", "script", '[{"code":1}]', '^step: unknown option "code"' },
        { "POST", "script", '[{"body":1}]', "^step: body must be a text$" },
        { "POST", "script", "[1]", "^step: options must be a table" },
        { "GET", "reset", "", "no such control call" },
      } do
        local reply = caller:control(call[1], call[2], call[3])
        assert.matches(call[4], reply.error)
      end
    end)

    it("says it without backslashes before slashes", function()
      assert.equal('{"error":"step: damage must be a name of GET /sandbox/damages"}',
        shell.must(caller:curl(caller:control_words("POST", "script", '{"damage":"none"}'))))
    end)

    it("sets accounts", function()
      caller:control("POST", "accounts",
        '{"api_key":"MINE","api_secret":"s3","balances":[{"currency":"BTC",'
        .. '"balance":0.10000000000000000001,"availableBalance":"1e-8"}]}')
      assert.equal(6001, caller:code(BALANCES))
      assert.matches('[{"currency":"BTC","balance":0.10000000000000000001,'
        .. '"availableBalance":1e-8}]',
        caller:get(BALANCES, { key = "MINE", secret = "s3" }).body, 1, true)
    end)

    it("reads and clears the log of arrivals", function()
      caller:control("DELETE", "log")
      local sent = caller:get(BALANCES, { query = "a=1" })
      caller:get(BALANCES, { secret = "wrong", more = "-H 'traceparent: 00-first'" })
      local log = caller:control("GET", "log")
      assert.equal(2, #log)
      assert.equal(4003, log[2].verdict)
      local first = log[1]
      assert.is_true(math.abs(first.arrived_ms - sent.timestamp) < 1000)
      first.arrived_ms = nil
      assert.same({ method = "GET", path = BALANCES, query = "a=1",
        key = box.api_key, timestamp = sent.timestamp, nonce = sent.nonce,
        signature = sent.signature, verdict = 1000 }, first)
      assert.equal("00-first", log[2].traceparent)
      caller:control("DELETE", "log")
      assert.same({}, caller:control("GET", "log"))
    end)

    it("moves the clock", function()
      caller:control("POST", "settings", '{"clock_offset_ms":-3600000}')
      local before = core.wall()
      local refused = caller:get(BALANCES)
      assert.equal(6005, refused.json.statusCode)
      local answered = refused.json.responseTime + 3600000
      assert.is_true(answered >= before - 1 and answered <= core.wall() + 1)
      assert.equal(1000, caller:code(BALANCES, { shift_ms = -3599100 }))
    end)

    -- How long after its arrival the reply of each call says that it is sent.
    local function waits(count)
      caller:control("DELETE", "log")
      local sent, waited = {}, {}
      for i = 1, count do sent[i] = caller:get(BALANCES).json.responseTime end
      local log = caller:control("GET", "log")
      for i = 1, count do waited[i] = sent[i] - log[i].arrived_ms end
      return waited
    end

    it("lets each reply wait, and reads its time when it is sent", function()
      caller:control("POST", "settings", '{"latency_ms":300}')
      assert.is_true(waits(1)[1] >= 299)
    end)

    it("lets replies wait by chance, on top", function()
      caller:control("POST", "settings", '{"latency_ms":100,"jitter_ms":400}')
      local waited = waits(8)
      table.sort(waited)
      assert.is_true(waited[1] >= 99)
      assert.is_true(waited[8] - waited[1] > 40)
    end)

    it("judges a request when it arrives, not when it is answered", function()
      caller:control("POST", "settings", '{"latency_ms":1200}')
      assert.equal(1000, caller:code(BALANCES))
    end)

    it("scripts a latency instead of the settings'", function()
      caller:control("POST", "settings", '{"latency_ms":4000}')
      caller:control("POST", "script", '[{"latency_ms":0},{"latency_ms":100}]')
      local waited = waits(2)
      assert.is_true(waited[1] < 4000 and waited[2] >= 99 and waited[2] < 4000)
    end)

    -- The server's module with a clock of ours, which only its sleeping moves.
    it("waits for as long as it is told, or a day for a client to close", function()
      local out, err = shell.lua([[
        local now, read_at, numbers, request, printed = 1000, nil, {}, {}, nil
        math.random = function(low, high)
          numbers[#numbers + 1] = ("%.0f-%.0f"):format(low, high)
          return high
        end
        os.time = function() return 40 end
        math.randomseed = function(seed) print("seed", seed) end
        package.loaded["bitfront.sandbox.c_functions"] = {}
        package.loaded["bitfront.sandbox.arrivals"] = { open = function()
          return { add = function() end, clear = function() end } end }
        ngx = { update_time = function() read_at = now end, now = function() return read_at end,
          sleep = function(seconds)
            assert(seconds > 0, "lets other requests run first")
            now = now + seconds
          end,
          worker = { pid = function() return 1 end },
          config = { prefix = function() return "/nowhere/" end }, header = {}, var = {},
          print = function(text) printed = text end,
          HTTP_CLOSE = "at once", exit = function(how) print("closes", how) end,
          req = { read_body = function() end, get_headers = function() return request.headers end,
                  get_method = function() return request.method end,
                  get_body_data = function() return request.body end,
                  socket = function(is_raw)
                    return {
                      settimeout = function(_, ms) print("raw", is_raw, ms) end,
                      send = function(_, bytes) print("sends", bytes) end,
                      receive = function(_, what) print("receives", what) end,
                    }
                  end } }
        local server = require "bitfront.sandbox.server"
        server.init()
        local function send(method, path, body, headers)
          request = { method = method, body = body, headers = headers or {} }
          ngx.var.request_uri = path
        end
        local function control(path, body)
          send("POST", "/sandbox/" .. path, body, { ["x-bitfront-sandbox"] = "control" })
          server.control()
          assert(ngx.status < 300, printed)
        end
        local function waits(settings, step)
          control("settings", settings)
          if step then control("script", step) end
          local begun = now
          send("GET", "/v1/account/balances")
          server.answer()
          local sent = tonumber(printed:match '"responseTime":(%d+)')
          print(("%.0f %.0f %s %d"):format((now - begun) * 1000, sent - begun * 1000,
            numbers[#numbers] or "-", ngx.status))
        end
        waits '{"latency_ms":300}'
        waits '{"latency_ms":100,"jitter_ms":400}'
        waits '{"latency_ms":0,"jitter_ms":0}'
        waits('{"latency_ms":4000,"jitter_ms":1}', '[{"latency_ms":0}]')
        waits('{"latency_ms":4000,"jitter_ms":2}', '[{"latency_ms":1}]')
        control("settings", '{"latency_ms":0}')
        control("script", '[{"damage":"hang"},{"damage":"cut_without_length","body":"12"}]')
        for _ = 1, 2 do
          send("GET", "/v1/account/balances")
          server.answer()
        end
      ]])
      assert.equal("", err)
      assert.equal("seed 41\n300 300 0-0 200\n500 500 0-400 200\n0 0 0-0 200\n0 0 0-0 200\n"
        .. "1 1 0-0 200\nraw true 86400000\nsends \nreceives *a\n"
        .. "raw true 86400000\nsends HTTP/1.1 200 OK|"
        .. "Content-Type: application/json;charset=UTF-8||1\ncloses at once\n",
        (out:gsub("\t", " "):gsub("\r\n", "|")))
    end)

    it("ends with its master, for which it looks each second", function()
      local out, err = shell.lua([[
        local is_orphan, look = false, nil
        package.loaded["bitfront.sandbox.c_functions"] = {
          is_orphan = function() return is_orphan end }
        package.loaded["bitfront.sandbox.arrivals"] = {}
        ngx = { timer = { every = function(seconds, call)
          print(seconds)
          look = call
        end } }
        os.exit = function(code) print("ended with", code) end
        require "bitfront.sandbox.server".end_with_master()
        look(false)
        is_orphan = true
        look(true)
        print "the master has ended"
        look(false)
      ]])
      assert.same({ "1\nthe master has ended\nended with\t1\n", "" }, { out, err })
    end)

    -- A call that finds the exchange down: what it prints, and how curl ends.
    local in_vain
    setup(function()
      in_vain = ("-i -H 'X-API-KEY: %s' %s"):format(box.api_key, caller:url(BALANCES))
    end)
    local function call_in_vain()
      local out, _, status = shell.run(caller:curl(in_vain))
      return out, status
    end

    it("takes the exchange down, and up again", function()
      caller:control("POST", "settings", '{"down":true}')
      for _ = 1, 2 do assert.same({ "", 56 }, { call_in_vain() }) end
      caller:control("POST", "settings", '{"down":false}')
      assert.equal(1000, caller:code(BALANCES))
    end)

    it("logs and counts what arrives while it is down, and closes at once", function()
      caller:control("POST", "settings",
                     '{"limits":true,"down":true,"latency_ms":3600000}')
      assert.same({ false, false, false, false, 6004 }, caller:together {
        in_vain, in_vain, in_vain,
        caller:control_words("POST", "settings", '{"down":false,"latency_ms":0}'),
        { BALANCES },
      })
      local log = caller:control("GET", "log")
      assert.equal(4, #log)
      assert.same({ true, box.api_key, 4001 }, { log[1].down, log[1].key, log[1].verdict })
      assert.is_nil(log[4].down)
    end)

    it("keeps a script for when it is up again", function()
      caller:control("POST", "script", '{"statusCode":5000}')
      caller:control("POST", "settings", '{"down":true}')
      call_in_vain()
      caller:control("POST", "settings", '{"down":false}')
      assert.equal(5000, caller:code(BALANCES))
    end)

    it("scripts the next replies, in order", function()
      caller:control("POST", "script", '[{"statusCode":5000,"times":2},'
        .. '{"statusCode":7,"statusMessage":"\\"$key\\" said $signature"}]')
      assert.equal(5000, caller:code(BALANCES))
      assert.equal("Internal server side error", caller:get(BALANCES).json.statusMessage)
      local third = caller:get(BALANCES)
      assert.equal(7, third.json.statusCode)
      assert.equal('"' .. box.api_key .. '" said ' .. third.signature,
                   third.json.statusMessage)
      assert.equal(1000, caller:code(BALANCES))
    end)

    it("scripts an HTTP status and a body", function()
      caller:control("POST", "script", '{"http_status":502,"body":"<html>"}')
      local reply = caller:get(BALANCES, { more = "-w '%{http_code}'" })
      assert.equal("<html>502", reply.body)
    end)

    it("scripts a latency, after which the reply's time is read", function()
      caller:control("POST", "script", '{"latency_ms":300}')
      local slow = caller:get(BALANCES).json
      local arrived = caller:control("GET", "log")[1].arrived_ms
      assert.equal(1000, slow.statusCode)
      assert.is_true(slow.responseTime - arrived >= 299)
    end)

    it("deletes a script", function()
      caller:control("POST", "script", '{"statusCode":5000}')
      caller:control("DELETE", "script")
      assert.equal(1000, caller:code(BALANCES))
    end)

    it("puts everything back", function()
      caller:control("POST", "script", '{"statusCode":5000}')
      caller:control("POST", "accounts", "[]")
      caller:control("POST", "settings",
        '{"clock_offset_ms":9,"balance_as":"object","down":true,"latency_ms":1,'
        .. '"jitter_ms":2,"not_held_as":"refusal"}')
      caller:control("POST", "reset")
      assert.same({ clock_offset_ms = 0, limits = true, balance_as = "array",
                    down = false, latency_ms = 0, jitter_ms = 0, not_held_as = "zero" },
                  caller:control("GET", "settings"))
      assert.same({}, caller:control("GET", "log"))
      assert.equal(1000, caller:code(BALANCES))
    end)
  end)
end)
