local accounts = require "bitfront.account"
local core = require "bitfront.core"
local retry = require "bitfront.retry"
local support = require "spec.support"

describe("a pause", function()
  it("is anything from 0 to a bound that doubles up to 5 s, evenly", function()
    for n, bound in pairs { [0] = 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, [20] = 5 } do
      local buckets = {}
      for _ = 1, 10000 do
        local pause = retry.pause(n)
        assert.is_true(pause >= 0 and pause < bound)
        local bucket = math.floor(pause / bound * 10)
        buckets[bucket] = (buckets[bucket] or 0) + 1
      end
      for bucket = 0, 9 do
        local count = buckets[bucket]
        assert.is_true(count > 800 and count < 1200, bucket .. ": " .. count)
      end
    end
  end)
end)

describe("a client's quota of retries", function()
  local DOWN = { kind = "network", code = "refused", retryable = true }

  it("is not spent on a retry that there is no time for", function()
    local faultd = support.faultd()
    local client = support.client { retries = 2, timeout = 1, base_url = faultd:url {
      reply = "HTTP/1.1 503 X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n" } }
    for _ = 1, 3 do assert.equal(1, select(2, client:balances()).attempts) end
    assert.equal(10, accounts.of(client).call.quota.left)
    client:close()
    faultd:stop()
  end)

  it("lets 100 clients ask a dead server at most 1.1 times a call", function()
    local calls, requests = 0, 0
    for _ = 1, 100 do
      local quota = retry.quota()
      for _ = 1, 600 do -- ten minutes of a call each second
        calls = calls + 1
        local retries = 0
        while retries < 2 and retry.take(quota) do retries = retries + 1 end
        requests = requests + 1 + retries
      end
    end
    assert.is_true(requests / calls < 1.1, tostring(requests / calls))
  end)

  it("gives back on success what its retries took, or else a fifth", function()
    local quota = retry.quota()
    while retry.take(quota) do end
    for _ = 1, 5 do retry.refund(quota, 0) end
    assert.is_true(retry.take(quota))
    assert.is_false(retry.take(quota))
    retry.refund(quota, 2)
    assert.is_true(retry.take(quota))
    assert.is_true(retry.take(quota))
    assert.is_false(retry.take(quota))
  end)

  it("is not needed for what is sent again once, at once", function()
    for _, kind in ipairs { "clock", "replay" } do
      local seen = {}
      local pause, free = retry.after({ kind = kind, retryable = true }, seen, 0, true)
      assert.same({ 0, true }, { pause, free })
      assert.is_nil((retry.after({ kind = kind, retryable = true }, seen, 1, true)))
    end
    assert.is_nil(select(2, retry.after(DOWN, {}, 0, true)))
  end)
end)

describe("a failed call", function()
  local sandbox
  setup(function() sandbox = support.sandbox() end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    sandbox:set { limits = false }
  end)

  local function client_with(options)
    local all = {
      base_url = sandbox.base_url, ca_file = sandbox.ca_file, retries = 2,
      clock = "auto",
      rate_limit = { per_second = 1000, per_minute = 10000 },
    }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  -- By the API's table: code, kind, requests, retryable.
  local ROWS = {
    { 3401, "server", 3 }, { 4005, "replay", 2 }, { 4018, "replay", 2 },
    { 4013, "clock", 2 }, { 6005, "clock", 2 },
    { 5000, "server", 3 }, { 5001, "server", 3 }, { 5002, "server", 3 },
    { 5999, "server", 3 }, { 6004, "rate_limit", 3 },
  }
  for kind, codes in pairs {
    auth = { 1202, 4101, 6000, 6001, 6002 }, permission = { 6003 },
    maintenance = { 3113 }, signature = { 4001, 4003 },
    request = {
      3203, 3204, 3211, 3212, 3213, 3221, 3222, 3301, 3302, 3311, 3321, 4000,
      4002, 4006, 4007, 4008, 4009, 4010, 4011, 4012, 4014, 4015, 4016, 4017,
      1, 999, 1001, 4999, 6006, 7000, 99999,
    },
  } do
    for _, code in ipairs(codes) do ROWS[#ROWS + 1] = { code, kind, 1 } end
  end

  for _, row in ipairs(ROWS) do
    local code, kind, requests = row[1], row[2], row[3]
    it(("with code %d is of kind %s and makes %d request(s)"):format(code, kind,
      requests), function()
      sandbox:script { statusCode = code, times = 10 }
      local client = client_with()
      local balances, err, info = client:balances()
      client:close()
      assert.is_nil(balances)
      assert.equal(code, err.code)
      assert.equal(kind, err.kind)
      assert.equal(requests > 1, err.retryable)
      assert.equal(requests, err.attempts)
      assert.equal(requests, info.attempts)
      local log, signatures = sandbox:log(), {}
      assert.equal(requests, #log)
      for _, arrival in ipairs(log) do
        assert.is_nil(signatures[arrival.signature])
        signatures[arrival.signature] = true
      end
    end)
  end

  for _, row in ipairs {
    { { http_status = 503 }, "http", "status", 3 },
    { { http_status = 429 }, "http", "status", 3 }, -- left alone for a second
    { { http_status = 404 }, "http", "status", 1 },
    { { http_status = 401 }, "http", "status", 1 },
    { { body = "{}" }, "protocol", "schema", 1 },
    { { damage = "closed_in_headers" }, "network", "truncated", 3 },
    { { damage = "closed_before_body" }, "network", "truncated", 3 },
    { { damage = "closed_in_body" }, "network", "truncated", 3 },
    { { damage = "closed_in_chunk" }, "network", "truncated", 3 },
    { { damage = "closed_before_last_chunk" }, "network", "truncated", 3 },
    -- Whole, and wrong: it would be so again.
    { { damage = "early_zero_chunk" }, "protocol", "framing", 1 },
    { { damage = "json_cut" }, "protocol", "json", 1 },
    { { damage = "length_list" }, "protocol", "framing", 1 },
    { { damage = "too_large" }, "protocol", "too_large", 1 },
    { { damage = "gzip_cut" }, "protocol", "framing", 1 },
    { { damage = "reset" }, "network", "reset", 3 },
  } do
    it(("of kind %s, code %s, makes %d request(s)"):format(row[2], row[3], row[4]),
      function()
        local what, value = next(row[1])
        sandbox:script { [what] = value, times = 10 }
        local client = client_with()
        local _, err = client:balances()
        client:close()
        assert.equal(row[2], err.kind)
        assert.equal(row[3], err.code)
        assert.equal(row[4] > 1, err.retryable)
        assert.equal(row[4], err.attempts)
        assert.is_nil(err.stale)
        assert.equal(row[4], #sandbox:log())
      end)
  end

  it("succeeds when the failure has passed, and tells how many attempts it took", function()
    sandbox:script { statusCode = 5000, times = 2 }
    local client = client_with()
    local balances, err, info = client:balances()
    client:close()
    assert.is_nil(err)
    assert.equal(5, #balances)
    assert.equal(3, info.attempts)
  end)

  it("counts them also where the reply is whole and is not what was asked for", function()
    for method, row in pairs {
      balance = { "BTC", support.success() }, server_time = { nil, "{}" },
      get = { "/v1/public/time", '{"responseTime":1,"a":0.' .. ("1"):rep(1001) .. "}" },
    } do
      sandbox:reset()
      sandbox:script { http_status = 503 }
      sandbox:script { body = row[2] }
      local client = client_with { amounts = "decimal" }
      local value, err, info = client[method](client, row[1])
      client:close()
      assert.is_nil(value)
      assert.same({ "protocol", 2, 200, info.responseTime, 2 },
        { err.kind, err.attempts, err.http_status, err.response_time,
          info.attempts }, method)
    end
  end)

  -- As a finalizer may, or a debug hook.
  it("counts its own attempts where another call is made as it ends", function()
    sandbox:script { statusCode = 5000 }
    local client, other = client_with(), nil
    debug.sethook(function()
      if not other and accounts.of(client).call.spare_run then other = { client:balances() } end
    end, "", 1)
    local _, _, info = client:balances()
    debug.sethook()
    client:close()
    assert.equal(2, info.attempts)
    assert.equal(1, other[3].attempts)
  end)

  it("is made again where the connection broke within the reply, signed anew", function()
    for _, damage in ipairs { "closed_in_headers", "closed_in_body", "closed_in_chunk" } do
      sandbox:reset()
      sandbox:set { limits = false }
      sandbox:script { damage = damage, times = 2 }
      local client = client_with()
      local balances, err, info = client:balances()
      assert.is_nil(err)
      assert.equal(5, #balances)
      assert.equal(3, info.attempts)
      assert.equal(10, accounts.of(client).call.quota.left)
      client:close()
      local log = sandbox:log()
      assert.not_equal(log[1].signature, log[2].signature)
      assert.not_equal(log[2].signature, log[3].signature)
    end
  end)

  -- Each attempt fails with this code, but the last one may be ended by the
  -- deadline. Returns the seconds of pauses.
  local function fails_until_the_deadline(timeout, code)
    local waited, codes = 0, {}
    local client = client_with { timeout = timeout, retries = 10, on_attempt = function(event)
      waited = waited + event.waited
      codes[#codes + 1] = event.code
    end }
    local begun = support.own_time()
    local _, err = client:balances()
    assert.is_true(support.own_time() - begun < timeout + 0.1)
    client:close()
    assert.equal(#codes, err.attempts)
    assert.is_true(#codes > 1 and err.code == codes[#codes])
    assert.is_true(err.code == code or err.kind == "timeout", tostring(err))
    for i = 1, #codes - 1 do assert.equal(code, codes[i]) end
    return waited
  end

  it("whose reply broke off pauses before the next try, and keeps its deadline", function()
    sandbox:script { damage = "closed_in_body", times = 1000 }
    assert.is_true(fails_until_the_deadline(0.8, "truncated") > 0)
  end)

  it("is not made again with retries = 0", function()
    for _, code in ipairs { 5000, 6005, 4005 } do
      sandbox:script { statusCode = code }
      local client = client_with { retries = 0 }
      assert.equal(1, select(2, client:balances()).attempts)
      client:close()
    end
    assert.equal(3, #sandbox:log())
  end)

  it("is not made again past its deadline", function()
    sandbox:script { statusCode = 5000, times = 1000 }
    fails_until_the_deadline(0.5, 5000)
  end)

  it("makes no attempt for a second after 6004", function()
    sandbox:script { statusCode = 6004 }
    local client = client_with()
    local begun = core.now()
    local _, err, info = client:balances()
    client:close()
    assert.is_nil(err)
    assert.equal(2, info.attempts)
    assert.is_true(core.now() - begun >= 1)
  end)

  it("fails at once where 6004 leaves no time before the deadline", function()
    sandbox:script { statusCode = 6004 }
    local client = client_with { timeout = 0.95 }
    local begun = support.own_time()
    local _, err = client:balances()
    client:close()
    assert.equal(6004, err.code)
    assert.equal(1, err.attempts)
    assert.equal(1, err.retry_after)
    assert.is_true(support.own_time() - begun < 0.5)
  end)

  it("is made again at once where a kept connection proved dead", function()
    local events = {}
    local client = client_with { on_attempt = function(event)
      event.kept_waiting = core.now() - support.own_time() -- for a processor, till now
      events[#events + 1] = event
    end }
    assert(client:balances())
    sandbox:script { damage = "reset" }
    local _, err, info = client:balances()
    client:close()
    assert.is_nil(err)
    assert.equal(2, info.attempts)
    assert.equal("network", events[2].kind)
    local waited = events[3].waited - (events[3].kept_waiting - events[2].kept_waiting)
    assert.is_true(waited < 0.01, tostring(waited))
  end)

  it("honours Retry-After up to the deadline", function()
    local faultd = support.faultd()
    local reply = "HTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    for _, row in ipairs { { 10, 2, 1 }, { 0.9, 1, 0 } } do
      faultd:forget()
      local client = support.client {
        base_url = faultd:url { reply = reply }, retries = 1, timeout = row[1],
      }
      local begun, own_begun = core.now(), support.own_time()
      local _, err = client:balances()
      client:close()
      assert.equal("http", err.kind)
      assert.equal(1, err.retry_after)
      assert.equal(row[2], err.attempts)
      assert.is_true(core.now() - begun >= row[3])
      assert.is_true(support.own_time() - own_begun < row[3] + 0.4)
    end
    faultd:stop()
  end)

  it("tells on_attempt of each attempt, and of no secret", function()
    sandbox:script { { statusCode = 5000, statusMessage = "$key $signature" } }
    local events = {}
    local client = client_with {
      on_attempt = function(event)
        events[#events + 1] = event
        error "harmless"
      end,
    }
    local before = core.wall()
    assert(client:get("/v1/account/balances", "a=b"))
    client:close()
    assert.equal(2, #events)
    local first, second = events[1], events[2]
    assert.same({ 1, "server", 5000, 200 },
      { first.attempt, first.kind, first.code, first.http_status })
    assert.same({ 2, nil, 1000, 200 },
      { second.attempt, second.kind, second.code, second.http_status })
    for _, event in ipairs(events) do
      assert.equal("/v1/account/balances", event.path)
      assert.is_true(event.began >= before - 1 and event.began <= core.wall())
      assert.is_true(event.elapsed > 0 and event.round_trip <= event.elapsed)
      assert.is_true(event.waited >= 0 and event.waited < 1)
      for _, value in pairs(event) do
        assert.is_nil(tostring(value):find(support.KEY, 1, true))
      end
    end
  end)

  it("is ended by Ctrl-C also within on_attempt", function()
    local out = support.lua(([[
      local core = require "bitfront.core"
      local client = require "bitfront".new { api_key = "k", api_secret = "s",
        base_url = "http://127.0.0.1:%d", retries = 0, on_attempt = function()
          io.popen("kill -s INT $PPID"):close()
          while true do core.sleep(0.01) end
        end }
      print(pcall(client.balances, client))
    ]]):format(support.free_port()))
    assert.matches("^false\t[^\n]*interrupted!\n$", out)
  end)

  it("is not harmed by whatever on_attempt raises", function()
    for _, raised in ipairs {
      "text", 1, false, {},
      setmetatable({}, { __tostring = function() error "no words for it" end }),
    } do
      local client = client_with { on_attempt = function() error(raised) end }
      assert(client:balances())
      client:close()
    end
  end)

  it("costs no slot where nothing was sent", function()
    local store = require "bitfront.limiter.memory".new()
    local client = support.client {
      base_url = "http://127.0.0.1:" .. support.free_port(), retries = 2,
      rate_limit = { store = store },
    }
    assert.equal("refused", select(2, client:balances()).code)
    assert.equal(0, select(2, store:peek(accounts.of(client).handle:key_id())))
    client:close()
  end)

  it("blocks its key for a minute at most, whatever the server says", function()
    local faultd, store = support.faultd(), require "bitfront.limiter.memory".new()
    local client = support.client {
      rate_limit = { store = store }, base_url = faultd:url { reply =
        support.reply(support.refusal(6004), { headers = { "Retry-After: 80000" } }) },
    }
    assert.equal(80000, select(2, client:balances()).retry_after)
    local _, _, full = store:peek(accounts.of(client).handle:key_id())
    assert.is_true(full > 50000 and full <= 60000, tostring(full))
    client:close()
    faultd:stop()
  end)

  it("takes a slot for each attempt, and for each question for the time", function()
    sandbox:script { statusCode = 5000, times = 2 }
    local store = require "bitfront.limiter.memory".new()
    local client = client_with { rate_limit = { store = store } }
    assert(client:balances())
    assert(client:server_time())
    assert.equal(4, select(2, store:peek(accounts.of(client).handle:key_id())))
    client:close()
  end)
end)

describe("a path that has a limit of its own", function()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function ask(client, path)
    local _, err = client:get(path, nil, { timeout = 0.3 })
    return err and ("%s %s"):format(err.code, err.message:match "%d+ calls a second and %d+")
      or "taken"
  end

  local HISTORY, TICK = "/v2/account/tradeHistory", "/v1/market/public/currentTickValue"
  local BODY = support.success "[]"

  it("is asked once in a second, beside the account's other calls", function()
    local store = require "bitfront.limiter.memory".new()
    local client = support.client { base_url = faultd:url_body(BODY),
      rate_limit = { store = store } }
    assert.equal("taken", ask(client, HISTORY))
    assert.equal("limit 1 calls a second and 30", ask(client, HISTORY))
    assert.equal("taken", ask(client, "/v1/trade/openOrders"))
    assert.equal("taken", ask(client, "/v1/trade/openOrders"))
    assert.equal("limit 3 calls a second and 60", ask(client, "/v1/trade/openOrders"))
    local key = accounts.of(client).handle:key_id()
    assert.equal(3, (store:peek(key)))
    assert.equal(1, (store:peek("tradeHistory:" .. key)))
    client:close()
  end)

  it("is never asked more often than the exchange permits", function()
    local sandbox = support.sandbox()
    finally(function() sandbox:stop() end)
    local client = support.client { base_url = sandbox.base_url, ca_file = sandbox.ca_file,
      api_key = sandbox.key, api_secret = sandbox.secret,
      rate_limit = { store = require "bitfront.limiter.memory".new() } }
    for _ = 1, 2 do
      local query = { coinPair = "BCH.ETH", startTime = 1 }
      assert.same({}, (assert(client:get(HISTORY, query))))
      assert.equal(0, assert(client:balance "LN").balance)
    end
    client:close()
    local verdicts = {}
    for i, arrival in ipairs(sandbox:log()) do verdicts[i] = arrival.verdict end
    assert.same({ 1000, 1000, 1000, 1000 }, verdicts)
  end)

  it("holds no slot where the account's other calls leave none", function()
    local store = require "bitfront.limiter.memory".new()
    local client = support.client { base_url = faultd:url_body(BODY),
      rate_limit = { store = store } }
    for _ = 1, 3 do assert.equal("taken", ask(client, "/v1/trade/openOrders")) end
    assert.equal("limit 3 calls a second and 60", ask(client, HISTORY))
    assert.equal(0, (store:peek("tradeHistory:" .. accounts.of(client).handle:key_id())))
    client:close()
  end)

  it("is counted for the exchange and not for the account where it is unsigned", function()
    local store = require "bitfront.limiter.memory".new()
    local function client_of(more)
      more.store = store
      return support.client { base_url = faultd:url_body(BODY), rate_limit = more }
    end
    local one, other, fast = client_of {}, client_of {}, client_of { public_per_second = 20 }
    for _ = 1, 3 do assert.equal("taken", ask(one, TICK)) end
    assert.equal("limit 3 calls a second and 180", ask(other, TICK))
    for _ = 1, 17 do assert.equal("taken", ask(fast, TICK)) end
    assert.equal("limit 20 calls a second and 1200", ask(fast, TICK))
    assert.equal("taken", ask(one, "/v1/trade/openOrders"))
    assert.equal(1, (store:peek(accounts.of(one).handle:key_id())))
    for _, client in ipairs { one, other, fast } do client:close() end
  end)

  it("is not counted where no limits are kept", function()
    local client = support.client { base_url = faultd:url_body(BODY), rate_limit = false }
    for _ = 1, 5 do
      assert.equal("taken", ask(client, HISTORY))
      assert.equal("taken", ask(client, TICK))
    end
    client:close()
  end)

  it("has no room for a while, nor has the account, where the exchange says so", function()
    local store = require "bitfront.limiter.memory".new()
    local client = support.client { base_url = faultd:url_body(support.refusal(6004)),
      rate_limit = { store = store }, retries = 0 }
    client:get(HISTORY)
    local key = accounts.of(client).handle:key_id()
    for _, name in ipairs { key, "tradeHistory:" .. key } do
      assert.is_true(select(3, store:peek(name)) > 0, name)
    end
    client:close()
  end)
end)

describe("limits kept on our side", function()
  it("count a call whose process dies for as long as the server may read it late", function()
    local faultd, leases = support.faultd(), {}
    local client = support.client {
      base_url = faultd:url { listener = "silent" }, timeout = 0.3,
      rate_limit = { store = {
        acquire = function(_, _, lease) leases[#leases + 1] = lease return 0, 1 end,
        release = function() return true end,
        block = function() return true end,
        peek = function() return 0, 0, 0 end,
      } },
    }
    assert.equal("timeout", select(2, client:balances()).kind)
    assert.equal(1, #leases)
    assert.is_true(leases[1] > 5000 and leases[1] <= 5300, leases[1])
    client:close()
    faultd:stop()
  end)

  it("refuse at once those whose turn is a minute away", function()
    local faultd, store = support.faultd(), require "bitfront.limiter.memory".new()
    local clients, soon = {}, 0
    for i = 1, 15 do
      clients[i] = support.client {
        base_url = faultd:url_body(support.success(), { delay = 2500 }), timeout = 5,
        rate_limit = { store = store, per_second = 3, per_minute = 6 },
      }
    end
    local begun = core.now()
    require "bitfront".balances_many(clients, { concurrency = 15, on_progress = function()
      if core.now() - begun < 2 then soon = soon + 1 end
    end })
    assert.equal(6, soon) -- three are under way, and six wait for their turn
    for _, client in ipairs(clients) do client:close() end
    faultd:stop()
  end)

  it("let ten calls in a row take 3 s, and the exchange refuse none", function()
    local sandbox = support.sandbox()
    local client = support.client {
      base_url = sandbox.base_url, ca_file = sandbox.ca_file, rate_limit = {
        store = require "bitfront.limiter.memory".new(),
      },
    }
    local begun = core.now()
    for _ = 1, 10 do
      local _, err, info = client:balances()
      assert.is_nil(err)
      assert.equal(1, info.attempts)
    end
    assert.is_true(core.now() - begun >= 3)
    client:close()
    sandbox:stop()
  end)
end)
