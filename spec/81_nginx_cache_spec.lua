-- The cache that nginx's workers share. What runs inside nginx runs in LuaJIT,
-- whichever Lua runs this.

local nginx = require "spec.support.nginx"
local support = require "spec.support"

-- Answers with what the cache says, as JSON: enough to see everything.
local TELL = [[
  location = /tell {
    content_by_lua_block {
      local cache = require("bitfront.nginx").cached(require "wanted")
      local records, err, info = cache:balances()
      if info then info.err = info.err and tostring(info.err) end
      ngx.print(require("cjson").encode {
        count = records and #records, err = err and tostring(err),
        kind = err and err.kind, code = err and err.code,
        retryable = err and err.retryable, attempts = err and err.attempts, info = info,
      })
    }
  }
  location = /keys {
    content_by_lua_block {
      for _, key in ipairs(ngx.shared.bitfront:get_keys(0)) do
        ngx.say(key, " ", tostring(ngx.shared.bitfront:get(key)))
      end
    }
  }
  location = /run {
    content_by_lua_block {
      local code = ngx.unescape_uri(ngx.var.args)
      ngx.print(tostring(assert(loadstring(code))()))
    }
  }
]]

local WANTED = [[
  lua_shared_dict bitfront %s;
  init_by_lua_block {
    package.loaded.wanted = { %s }
    %s
  }
]]

describe("bitfront.nginx.cached #once #apart", function()
  local cjson = require "cjson"
  local exchange, site

  lazy_setup(function() exchange = support.sandbox() end)
  lazy_teardown(function() exchange:stop() end)
  before_each(function()
    exchange:reset()
    exchange:set { limits = false }
  end)
  after_each(function()
    if site then site:stop() end
    site = nil
  end)

  local function environment(more)
    local env = { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
                  BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file }
    for name, value in pairs(more or {}) do env[name] = value end
    return env
  end

  local function start(wanted, more)
    more = more or {}
    site = nginx.start {
      workers = more.workers, spread = true, env = environment(more.env),
      http = WANTED:format(more.size or "1m", wanted, more.init or "") .. (more.http or ""),
      server = TELL .. (more.server or ""),
    }
    return site
  end

  local function tell()
    return cjson.decode(site:get("/tell").body)
  end

  local function run(code)
    return site:get("/run?" .. code:gsub("[^%w]", function(char)
      return ("%%%02X"):format(char:byte())
    end)).body
  end

  local function calls()
    return #exchange:log()
  end

  -- Milliseconds between the calls, from when they were signed: how long each is on
  -- its way is the machine's doing. The client goes by this machine's clock.
  local function gaps()
    local found, log = {}, exchange:log()
    for i = 2, #log do
      found[i - 1] = tonumber(log[i].timestamp) - tonumber(log[i - 1].timestamp)
    end
    return found
  end

  it("gives records, their age, and that they are fresh", function()
    start "ttl = 5"
    local told = tell()
    assert.equal(5, told.count)
    assert.equal("fresh", told.info.freshness)
    assert.truthy(told.info.age >= 0 and told.info.age < 5)
    support.sleep(0.3)
    assert.truthy(tell().info.age >= 0.3)
    assert.equal(1, calls())
  end)

  it("gives amounts as the client's options say, exactly", function()
    for amounts, shown in pairs { number = "number 1000107794.9999858141",
                                  string = "string 1000107794.9999858",
                                  decimal = "userdata 1000107794.9999858" } do
      start(("options = { amounts = %q }"):format(amounts))
      assert.equal(shown, run [[
        local records = require("bitfront.nginx").cached(require "wanted"):balances()
        local amount = records[3].balance
        local shown = type(amount) == "number" and ("%.10f"):format(amount)
        return type(amount) .. " " .. (shown or tostring(amount))]])
      site:stop()
    end
  end)

  it("takes a client that there is, and gives what it gives", function()
    start 'client = require("bitfront").new { amounts = "string", timeout = 3 }'
    assert.equal("1000107794.9999858", run [[
      local records = require("bitfront.nginx").cached(require "wanted"):balances()
      return records[3].balance]])
  end)

  it("shares the limits and the exchange's clock in the same dict", function()
    start("ttl = 1", { workers = 2 })
    tell()
    local keys = site:get("/keys").body
    assert.truthy(keys:find("bitfront:clock:" .. exchange.base_url, 1, true), keys)
    assert.truthy(keys:find("bitfront:limiter:", 1, true), keys)
    assert.is_nil(keys:find(exchange.key, 1, true))
  end)

  it("gives each caller records of its own", function()
    start "ttl = 5"
    assert.equal("BCH 1000000000", run [[
      local cache = require("bitfront.nginx").cached(require "wanted")
      local records = cache:balances()
      records[1].currency, records[1].balance, records[2] = "XXX", 0, nil
      records = cache:balances()
      return records[1].currency .. " " .. records[1].balance]])
  end)

  describe("with four workers under load", function()
    -- Requests from all sides for some seconds, to every worker.
    local function load_for(seconds)
      local command = ("wrk -t2 -c64 -d%d --timeout 10s %s/tell"):format(seconds, site.url)
      local out = support.must(command)
      assert.is_nil(out:find "Non%-2xx", out)
      assert.is_nil(out:find "Socket errors", out)
      return tonumber(out:match "(%d+) requests in")
    end

    it("calls the exchange at most once in each ttl", function()
      start("ttl = 1, options = { clock = 'system' }", { workers = 4 })
      local requests = load_for(5)
      assert.truthy(requests > 1000, requests)
      assert.truthy(calls() >= 4 and calls() <= 6, calls())
      for _, gap in ipairs(gaps()) do assert.truthy(gap >= 950, gap) end
    end)

    it("so also while the exchange fails, and while it is slow", function()
      start("ttl = 1, options = { timeout = 2, clock = 'system' }", { workers = 4 })
      exchange:script { { statusCode = 5000, times = 3 }, { latency_ms = 1500 } }
      load_for(6)
      assert.truthy(calls() >= 3 and calls() <= 7, calls())
      for _, gap in ipairs(gaps()) do assert.truthy(gap >= 950, gap) end
    end)

    it("makes requests at one time wait for the one call", function()
      start("ttl = 60", { workers = 4 })
      exchange:script { latency_ms = 300 }
      local out = site:burst("/tell", 100)
      local _, answered = out:gsub("200\n", "")
      assert.equal(100, answered)
      assert.equal(1, calls())
      assert.equal(4, #site:workers())
    end)
  end)

  it("answers old balances while newer ones are fetched", function()
    start("ttl = 0.5, options = { timeout = 5 }", { workers = 4 })
    tell()
    support.sleep(0.6)
    exchange:script { latency_ms = 3000 }
    support.run(("curl -s %s/tell >/dev/null 2>&1 &"):format(site.url))
    site:await("nobody asks", function() return calls() == 2 end)
    local out = support.must(("seq 12 | xargs -P 12 -I{} curl -sS %s/tell"):format(site.url))
    assert.truthy(out:find '"freshness":"stale"', out)
    assert.is_nil(out:find '"kind"', out)
  end)

  describe("while the exchange fails", function()
    it("gives stale balances and says why, then only the error", function()
      start "ttl = 0.3, stale = 3"
      assert.equal("fresh", tell().info.freshness)
      exchange:script { statusCode = 5000, times = 1000 }
      support.sleep(0.4)
      local told = tell()
      assert.equal(5, told.count)
      assert.equal("stale", told.info.freshness)
      assert.matches("server %(5000%)", told.info.err)
      support.sleep(3.1)
      told = tell()
      assert.is_nil(told.count)
      assert.same({ "server", 5000, true }, { told.kind, told.code, told.retryable })
    end)

    it("is fresh again as soon as it answers", function()
      start "ttl = 2"
      exchange:script { statusCode = 5000 }
      assert.equal("server", tell().kind)
      assert.equal("server", tell().kind)
      assert.equal(1, calls())
      support.sleep(2.1)
      assert.equal("fresh", tell().info.freshness)
    end)

    it("makes no call for as long as the exchange says", function()
      start "ttl = 5"
      assert.equal("rate_limit 1", run [[
        local calls = 0
        local client = { balances = function()
          calls = calls + 1
          return nil, { kind = "rate_limit", code = 6004, message = "m", retry_after = 30 }
        end }
        local cache = require("bitfront.nginx").cached {
          name = "limited", ttl = 0.1, client = client }
        cache:balances()
        ngx.sleep(0.4)
        local _, err = cache:balances()
        return err.kind .. " " .. calls]])
    end)

    it("writes it to the error log once, and when it has passed", function()
      start "ttl = 0.2"
      exchange:script { statusCode = 5000, times = 3 }
      for _ = 1, 4 do
        tell()
        support.sleep(0.25)
      end
      local _, times = site:log():gsub("bitfront: server %(5000%)", "")
      assert.equal(1, times)
      assert.truthy(site:log():find "the exchange answers again")
    end)
  end)

  -- The worker that asks, once it does.
  local function asking()
    for _ = 1, 100 do
      if calls() > 0 then break end
      support.sleep(0.02)
    end
    return site:get("/keys").body:match "began (%d+)"
  end

  describe("when a worker is killed in the middle of a call", function()
    local function kill_while_calling()
      exchange:script { latency_ms = 5000 }
      support.run(("curl -s --max-time 8 %s/tell >/dev/null 2>&1 &"):format(site.url))
      support.must("kill -9 " .. asking())
    end

    it("the next one works within a second", function()
      start("ttl = 30, options = { timeout = 20 }", { workers = 2 })
      kill_while_calling()
      local before = os.time()
      assert.equal("fresh", tell().info.freshness)
      assert.truthy(os.time() - before <= 4) -- its deadline would be 20 s
      assert.equal(2, calls())
    end)

    it("no lock stays in the dict for longer than a second", function()
      start("ttl = 30, options = { timeout = 20 }", { workers = 2 })
      kill_while_calling()
      support.sleep(1.05)
      assert.is_nil(site:get("/keys").body:find ":lock")
    end)
  end)

  describe("when a worker is kept from its work while it calls", function()
    local function accounts(coins)
      local balances = {}
      for i = 1, coins do
        balances[i] = { currency = "C" .. i, balance = 1, availableBalance = 1 }
      end
      exchange:accounts { { api_key = "busy", api_secret = "secret", balances = balances } }
    end

    local OPTIONS = 'ttl = %s, options = { timeout = 20, api_key = "busy", api_secret = "secret" }'

    -- What all workers tell, a hundred times.
    local function tells(pattern)
      local out = support.must(("seq 100 | xargs -P 4 -I{} curl -sS %s/tell"):format(site.url))
      assert.equal(100, select(2, out:gsub(pattern, "")), out)
    end

    -- A call of the first worker begins with one coin and ends after the calls of
    -- the other one, who finds two.
    local function stop_one(step)
      start(OPTIONS:format "0.5", { workers = 2 })
      accounts(1)
      exchange:script(step)
      support.run(("curl -s --max-time 20 %s/tell >/dev/null 2>&1 &"):format(site.url))
      local pid = asking()
      support.must("kill -STOP " .. pid)
      support.sleep(1.2)
      accounts(2)
      site:await("the other one brings nothing", function()
        -- Connections that the kernel has given to the one that is stopped wait for it.
        return support.run(("curl -s -m 0.3 %s/tell %s/keys"):format(site.url, site.url))
          :find("C2", 1, true)
      end, 1)
      support.must("kill -CONT " .. pid)
      support.sleep(0.3)
      return site:get("/keys").body
    end

    it("its old balances do not replace newer ones", function()
      stop_one { latency_ms = 300 }
      tells '"count":2'
    end)

    it("nor does its failure", function()
      local keys = stop_one { latency_ms = 300, statusCode = 5000 }
      assert.is_nil(keys:find('"kind"', 1, true), keys)
      tells '"count":2'
    end)

    it("its balances are as old as they are", function()
      start(OPTIONS:format "60")
      accounts(1)
      exchange:script { latency_ms = 1500 }
      assert.equal("true true", run [[
        local cache = require("bitfront.nginx").cached(require "wanted")
        local thread = ngx.thread.spawn(cache.balances, cache)
        ngx.sleep(1) -- the request is out
        os.execute "sleep 3"
        local _, _, _, info = ngx.thread.wait(thread)
        return tostring(info.age > 3) .. " " .. tostring(info.age < 8)]])
      assert.equal(1, calls())
    end)

    it("the age of balances counts from when they were asked for", function()
      start "ttl = 5"
      exchange:script { latency_ms = 700 }
      local told = tell()
      assert.equal("fresh", told.info.freshness)
      assert.is_true(told.info.age >= 0.7 and told.info.age < 5, told.info.age)
    end)
  end)

  describe("where nginx runs no timers", function()
    local NOTE = "bitfront: nginx did not run a timer within 50 ms"
    local BUSY = [[
      location = /timers { content_by_lua_block {
        busy = true
        for _ = 1, 8 do
          ngx.timer.at(0, function()
            while busy and not ngx.worker.exiting() do ngx.sleep(0.01) end
          end)
        end
        ngx.sleep(0.05)
      } }
      location = /free { content_by_lua_block { busy = false ngx.sleep(0.1) } }
    ]]

    local function timed_tell()
      local core = require "bitfront.core"
      local begun = core.now()
      local told = tell()
      return told, core.now() - begun
    end

    local function notes()
      return select(2, site:log():gsub(NOTE, ""))
    end

    it("the request that finds no balances fetches them, and the log says so once", function()
      start("ttl = 0.2", { server = BUSY, http = "lua_max_running_timers 8;" })
      site:get "/timers"
      local shortest = math.huge
      for i = 1, 5 do
        local told, took = timed_tell()
        shortest = math.min(shortest, took)
        assert.same({ 5, "fresh" }, { told.count, told.info.freshness })
        assert.equal(i, calls())
        support.sleep(0.25) -- the next ones have stale balances
      end
      -- Who waits for a timer that never runs does so each time, for a second.
      assert.is_true(shortest < 0.9, shortest)
      assert.equal(1, notes())
      site:get "/free"
      assert.equal("fresh", tell().info.freshness)
      site:get "/timers"
      support.sleep(0.25)
      assert.equal("fresh", tell().info.freshness)
      assert.equal(2, notes())
    end)

    it("requests at one time get what one of them fetched", function()
      start("ttl = 60", { server = BUSY, http = "lua_max_running_timers 8;" })
      site:get "/timers"
      exchange:script { latency_ms = 200 }
      local _, answered = site:burst("/tell", 50):gsub("200\n", "")
      assert.equal(50, answered)
      assert.equal(1, calls())
    end)

    it("since its connections are used up, the same", function()
      start("ttl = 0.2", { http = "lua_socket_log_errors off;" })
      local config = site.dir .. "/nginx.conf"
      support.write(config, (support.read(config)
        :gsub("worker_connections 4096", "worker_connections 24")))
      local before = site:workers()[1]
      site:signal "HUP"
      site:await("the old worker stays", function()
        return site:workers()[1] ~= before and not nginx.is_running(before)
      end)
      local said = run(([[
        local held = {}
        repeat
          local socket = ngx.socket.tcp()
          held[#held + 1] = socket
        until not socket:connect("127.0.0.1", %d) or #held > 100
        local cache = require("bitfront.nginx").cached(require "wanted")
        local records, err, info = cache:balances()
        for _, socket in ipairs(held) do socket:close() end
        return records and #records .. " " .. info.freshness or tostring(err)]])
        :format(exchange.port))
      assert.equal("5 fresh", said, site:log())
      assert.equal(1, notes())
    end)

    it("a caller that cannot wait gets an error, and blocks no other", function()
      start("ttl = 60", { http = "lua_max_running_timers 8;", server = BUSY .. [[
        location = /header {
          header_filter_by_lua_block {
            local _, err = require("bitfront.nginx").cached(require "wanted"):balances()
            ngx.header["X-Said"] = err and err.kind
          }
          return 200;
        }]] })
      site:get "/timers"
      assert.equal("phase", site:get("/header").headers["x-said"])
      local told, took = timed_tell()
      assert.equal("fresh", told.info.freshness)
      assert.is_true(took < 2.5, took)
    end)
  end)

  -- Not the machine's clock: the dict's keys as they are after such a jump.
  describe("when the wall clock jumps", function()
    it("back, a dead worker's lock is removed", function()
      start "ttl = 2"
      assert.equal("true", run [[
        local now = require "bitfront.native".now()
        local cache = require("bitfront.nginx").cached(require "wanted")
        return ngx.shared.bitfront:set(cache:_shared().prefix .. "lock",
          ("dead-1 %.9f"):format(now - 1.1), 3601)]])
      assert.equal("fresh", tell().info.freshness)
    end)

    it("forward, a living worker's call stays the only one", function()
      start("ttl = 5, options = { timeout = 3 }", { workers = 2 })
      assert.equal("nil", run [[
        local now = require "bitfront.native".now
        local one = require("bitfront.nginx").cached(require "wanted"):_shared()
        local token = one:acquire(now(), 5)
        ngx.shared.bitfront:delete(one.prefix .. "lock")
        return token and one:acquire(now(), 5)]])
    end)

    it("balances keep their age", function()
      start "ttl = 2"
      tell()
      for line in site:get("/keys").body:gmatch "[^\n]+" do
        local key = line:match "^(bitfront:default:%S+) "
        if key and not key:find ":lock" then
          assert.equal("0", run(("return ngx.shared.bitfront:ttl(%q)"):format(key)))
        end
      end
    end)
  end)

  it("a lock is one worker's only", function()
    start "ttl = 2"
    assert.equal("string nil", run [[
      local shared_balances = require "bitfront.nginx.shared_balances"
      local one = shared_balances.new(ngx.shared.bitfront, "x")
      local now = require "bitfront.native".now
      local first, second = one:acquire(now(), 2), one:acquire(now(), 2)
      return type(first) .. " " .. type(second)]])
  end)

  -- A cache of these options, whose client and clock are the row's: only its sleeping moves
  -- that. It has what the workers share in `shared`.
  local SIMULATED = [[
    local native, waits = require "bitfront.native", require "bitfront.wait.nginx"
    local now, slept, said = native.now() * 0 + 1000, {}, {}
    native.now = function() return now end
    ngx.sleep = function(seconds)
      slept[#slept + 1] = seconds
      now = now + seconds
    end
    local calls, shared = 0, { state = { next_at = 0 } }
    local client = { balances = function()
      calls = calls + 1
      return {}
    end }
    local cache = require "bitfront.nginx.cache"
    local own = require("bitfront.nginx").cached { name = "simulated", ttl = 10, stale = 5,
      client = client }
    own.shared = setmetatable({ state = function() return shared.state end,
      copy = function() return shared.copy end,
      acquire = function() return shared.token, shared.err end }, { __index = own.shared })
    local function say(...)
      local words = { ... }
      for i = 1, select("#", ...) do
        local rounded = type(words[i]) == "number" and math.floor(words[i] * 1e6 + 0.5) / 1e6
        words[i] = tostring(rounded or words[i])
      end
      said[#said + 1] = table.concat(words, " ") .. "\n"
    end
    %s
    return table.concat(said)]]

  it("shows what there is by its times", function()
    start "ttl = 2"
    -- The time, the freshness, its age, the error's kind and pause, whether a call is due;
    -- then that again, and whether balances can be shown.
    assert.equal([[
1009.999 fresh 9.999 nil nil false false true
1010 stale 10 tls 1 false false true
1010.999 stale 10.999 tls 0.001 false false true
1011 stale 11 tls 0 true true true
1014.999 stale 14.999 tls 0 true true true
1015 nil nil tls 0 true true false
1015.999 nil nil tls 0 true true false
1016 nil nil nil nil true true false
1016.5 nil nil dict nil true true false
999 nil nil dict nil true true false
]], run(SIMULATED:format [[
      local function tell()
        local answer, is_due = cache.peek(own)
        local err = answer.err or {}
        say(now, answer.freshness, answer.age, err.kind, err.retry_after, is_due,
          cache.is_due(own))
      end
      shared.copy = { version = 1000, records = {} }
      shared.state = { version = 1000, next_at = 1011,
        failure = { kind = "tls", code = "x", message = "m", retry_after = 60 } }
      for _, time in ipairs { 1009.999, 1010, 1010.999, 1011, 1014.999, 1015, 1015.999, 1016 } do
        now = time
        own.copy = time < 1010 and shared.copy or nil
        tell()
      end
      own.dict_err = { kind = "dict" }
      now = 1016.5
      tell()
      own.copy, shared.state, now = nil, { next_at = 0 }, 999
      tell()]]))
  end)

  it("waits for the call of another worker in pauses that grow, up to its deadline", function()
    start "ttl = 2"
    assert.equal([[
timeout response 0 11.048516 0.002 0.003 0.0045
0.022781 0.034172 0.05 0.05
no call 0
stale server 0
fresh nil 0
dict 0
]], run(SIMULATED:format [[
      local _, err = own:balances()
      say(err.kind, err.code, err.attempts, now - 1000, slept[1], slept[2], slept[3])
      say(slept[7], slept[8], slept[9], slept[#slept])
      say("no call", calls)
      now, slept = 1012, {}
      shared.copy = { version = 1000, records = {} }
      shared.state = { version = 1000, next_at = 1011, failure = { kind = "server", code = 1 } }
      local _, _, info = own:balances()
      say(info.freshness, info.err.kind, #slept)
      shared.copy, shared.state = { version = 1003, records = {} }, { version = 1003, next_at = 0 }
      _, _, info = own:balances()
      say(info.freshness, info.err, #slept)
      now, shared.err = 1013, { kind = "dict" }
      _, err = own:balances()
      say(err.kind, #slept)]]))
  end)

  it("answers at once where another worker calls, and waits a second for its own call", function()
    start "ttl = 2"
    assert.equal([[
not due: 1 stale nil nil 0 0
failed: nil nil server 0 0 0
failed: nil nil tls 3 0 0
failed, due: 1 stale server 0 1 0
others call: 1 stale nil nil 1 0
own call: 1 stale nil nil 28 1.048516
brought meanwhile: 2 fresh nil nil 3 0.0095
began meanwhile: nil nil dict nil 1 0
an earlier error: 2 fresh nil nil 3 0.0095
an error of its own call: nil nil dict nil 1 0.002
]], run(SIMULATED:format [[
      local tokens, acquired = 0, 0
      function own.shared.acquire()
        acquired, tokens = acquired + 1, tokens - 1
        return tokens >= 0 and "token" or nil, shared.err
      end
      waits.start_timer = function(call)
        call(true) -- as one whose call goes on
        own.dict_err = shared.fails
        return true
      end
      local sleep = ngx.sleep
      function ngx.sleep(seconds)
        sleep(seconds)
        if #slept == 3 and shared.brings then
          shared.copy = shared.brings
          shared.state = { version = shared.brings.version, next_at = 0 }
        end
      end
      local function ask(about, of, copy, calls_of_own)
        now, slept, acquired, tokens, own.copy = 2000, {}, 0, calls_of_own or 0, nil
        shared.copy, shared.state = copy, of
        of.version = copy and copy.version
        local records, err, info = own:balances()
        info = info or { err = err }
        say(about, records and #records, info.freshness, info.err and info.err.kind,
          info.err and info.err.attempts, acquired, now - 2000)
      end
      local function of_age(age, count)
        local records = {}
        for i = 1, count or 1 do records[i] = { balance = "1", availableBalance = "1" } end
        return { version = 2000 - age, records = records }
      end
      local server = { kind = "server", code = 1, message = "m" }
      ask("not due:", { next_at = 2000.001 }, of_age(10))
      ask("failed:", { next_at = 2000.001, failure = server })
      ask("failed:", { next_at = 2000.001, failure =
        { kind = "tls", code = 1, message = "m", attempts = 3 } })
      ask("failed, due:", { next_at = 2000, failure = server }, of_age(10))
      ask("others call:", { next_at = 2000 }, of_age(10))
      ask("own call:", { next_at = 2000 }, of_age(10), 1)
      shared.brings = of_age(0, 2)
      ask("brought meanwhile:", { next_at = 0 }, of_age(10), 1)
      shared.brings, shared.err = nil, { kind = "dict" }
      ask("began meanwhile:", { next_at = 0 })
      shared.brings, shared.err, own.dict_err = of_age(0, 2), nil, { kind = "dict" }
      ask("an earlier error:", { next_at = 0 })
      shared.brings, shared.fails = nil, { kind = "dict" }
      ask("an error of its own call:", { next_at = 0 }, nil, 1)]]))
  end)

  -- What the workers share is kept in the dict, and a call that goes on is not renewed: that
  -- is another thread, in which the clock would run.
  local IN_THE_DICT = [[
    for _, name in ipairs { "state", "copy", "acquire" } do own.shared[name] = nil end
    ngx.thread.spawn, ngx.thread.kill = function() end, function() end
    local until_then
    local function calls_for(seconds, ...)
      local results = { ... }
      function client.balances()
        until_then = own.shared:text "began":match "%S+$" - now
        now = now + seconds
        return unpack(results, 1, 3)
      end
    end
  ]]

  it("asks the exchange itself where no timer runs in time, for a second at most", function()
    start "ttl = 2"
    assert.equal([[
52 0.001 0.002 1
fresh nil 2.002 0.051 12.051
none 10
none 11
none premature 0
]], run(SIMULATED:format(IN_THE_DICT .. [[
      local run_timer
      waits.start_timer = function(call)
        if run_timer then run_timer(call) end
        return true
      end
      calls_for(2, {}, nil, nil)
      local _, _, info = own:balances()
      local state = own.shared:state()
      say(#slept, slept[1], slept[#slept], until_then)
      say(info.freshness, info.err, info.age, state.version - 1000, state.next_at - 1000)
      run_timer = function(call) call(false) end
      now = now + 100
      own:balances()
      say("none", until_then)
      now, own.ttl = now + 100, 60
      own:balances()
      say("none", until_then)
      run_timer = function(call) call(true) end
      now, until_then = now + 100, "premature"
      cache.begin(own)
      say("none", until_then, #own.shared:text "lock" + #own.shared:text "began")
    ]])))
  end)

  it("makes the next call a ttl after the last one, or as the exchange says, in a minute at most",
    function()
      start "ttl = 2"
      assert.equal([[
12 nil
12 tls
32 tls
62 tls
12 closed
0 10
1 11
2 12
0 12
0 12
0 12
2.5
]], run(SIMULATED:format(IN_THE_DICT .. [[
        waits.start_timer = function(call)
          call(false)
          return true
        end
        local function ask(...)
          now, own.copy = now + 1000, nil
          calls_for(...)
          local began = now
          local _, err, info = own:balances()
          return began, own.shared:state(), err or info and info.err
        end
        for _, pause in ipairs { 0, 5, 30, 600 } do
          local err = pause > 0 and { kind = "tls", code = "x", message = "m",
            retry_after = pause } or nil
          local began, state, told = ask(2, not err and {} or nil, err)
          say(state.next_at - began, told and told.kind)
        end
        local began, state, told = ask(2, nil, { kind = "closed", code = "x", message = "m" })
        say(state.next_at - began, told.kind)
        for _, sent in ipairs { 0, 1, 2, 2.001, -0.001, "text" } do
          local asked, brought = ask(2, {}, nil, { sent = type(sent) == "number"
            and now + 1000 + sent or sent })
          say(brought.version - asked, brought.next_at - asked)
        end
        own.ttl = 0.5
        began, state = ask(2, nil, told)
        say(state.next_at - began)
      ]])))
    end)

  -- The dict's texts, without the name of what they are of; PID and TOKEN are of the call.
  it("what the workers share counts by the times that it is told", function()
    start "ttl = 2"
    assert.equal([[
acquired: lock=TOKEN 1000.000000000, began=PID TOKEN 1001.000000000
of that name: 1
locked: nil
begun: nil
ended: TOKEN
for less than a second: lock=TOKEN 1003.000000000, began=PID TOKEN 1003.500000000
of another: false lock=TOKEN 1003.000000000, began=PID TOKEN 1003.500000000
called: true began=PID TOKEN 1063.000000000
of another: lock=TOKEN 1003.000000000, began=PID TOKEN 1063.000000000
taken back: lock=, began=
held: nil
expired: TOKEN
renewed: true lock=TOKEN NOW
of another: false lock=TOKEN NOW
released: lock=
acquired again: true lock=TOKEN NOW
saved: true 1004.000000000 1009.000000000 1004.000000000 ;
saved: 1004 1009 1004 nil
the same: true
balances: 1004.000000000 [] true
earlier: true 1004.000000000 1009.000000000 1004.000000000 ;
failed: true 1004.000000000 1010.000000000 1004.000000000 {};
overtaken: true 1004.000000000 1010.000000000 1004.000000000 {};
never: nil 5 6 tls
counted: nil 2 0.75
]], run [[
      local dict, said, token = ngx.shared.bitfront, {}, nil
      local native = require "bitfront.native"
      local shared = require "bitfront.nginx.shared_balances".new(dict, "x")
      local function say(about, ...)
        local words = { about }
        for i = 1, select("#", ...) do words[i + 1] = tostring((select(i, ...))) end
        local line = table.concat(words, " ")
        if token then line = line:gsub(token:gsub("%-", "%%-"), "TOKEN") end
        said[#said + 1] = line:gsub("began=" .. ngx.worker.pid() .. " ", "began=PID ") .. "\n"
      end
      local function lock() return "lock=" .. shared:text "lock" end
      local function both() return lock() .. ", began=" .. shared:text "began" end
      local former = shared:acquire(1000, 5)
      shared:cancel(former)
      token = shared:acquire(1000, 5)
      say("acquired:", both())
      say("of that name:", former == token and 2 or 1)
      say("locked:", shared:acquire(1000.999, 5))
      dict:delete "bitfront:x:lock"
      say("begun:", shared:acquire(1000.999, 5))
      token = shared:acquire(1001, 5)
      say("ended:", token)
      shared:cancel(token)
      token = shared:acquire(1003, 0.5)
      say("for less than a second:", both())
      say("of another:", shared:start("x", 1003, 60), both())
      say("called:", shared:start(token, 1003, 60), "began=" .. shared:text "began")
      shared:cancel "x"
      shared:release "x"
      say("of another:", both())
      shared:cancel(token)
      say("taken back:", both())
      shared:put("lock", "dead 1003.000000000")
      say("held:", shared:acquire(1003.999, 5))
      token = shared:acquire(1004, 5)
      say("expired:", token)
      local function renew(by)
        return shared:renew(by), (lock():gsub("%d+%.%d+$", function(time)
          return time ~= "1004.000000000" and "NOW" or time
        end))
      end
      say("renewed:", renew(token))
      say("of another:", renew "x")
      shared:release(token)
      say("released:", lock())
      say("acquired again:", renew(token))
      shared:release(token)
      say("saved:", shared:save(token, 1004, 1009, "[]"), shared:text "state" .. ";")
      local state = shared:state()
      say("saved:", state.version, state.next_at, state.began, state.failure)
      say("the same:", state == shared:state())
      local made = ngx.time() - math.floor(native.now() - 1004)
      say("balances:", (shared:text "value":gsub(" %d+ ", " ")),
        math.abs(shared:text "value":match " (%d+) " - made) <= 1)
      say("earlier:", shared:save(token, 1003.999, 1011, "[1]"), shared:text "state" .. ";")
      say("failed:", shared:save(token, 1004, 1010, nil, {}), shared:text "state" .. ";")
      shared:put("lock", "x 1004.000000000")
      say("overtaken:", shared:save(token, 1005, 1012, "[1]"), shared:text "state" .. ";")
      shared = require "bitfront.nginx.shared_balances".new(dict, "y")
      shared:save(token, 6, 5, nil, { kind = "tls", other = 1 })
      state = shared:state()
      say("never:", state.version, state.next_at, state.began, state.failure.kind)
      for _, by in ipairs { 0.5, 0.25 } do
        shared:count "calls"
        shared:count("seconds", by)
      end
      say("counted:", shared:number "other", shared:number "calls", shared:number "seconds")
      return table.concat(said)]])
  end)

  it("a call goes on as long as its process lives, whoever it belongs to", function()
    start "ttl = 2"
    local pid = support.must "sleep 60 >/dev/null 2>&1 & echo $!":match "%d+"
    local function acquired()
      return run(([[
        local shared = require "bitfront.nginx.shared_balances".new(ngx.shared.bitfront, "x")
        shared:put("began", "%s x 1060.000000000")
        return type(shared:acquire(1000, 2))]]):format(pid))
    end
    assert.same({ "nil", "nil" }, { acquired(), acquired() })
    support.must("kill -KILL " .. pid)
    site:await("it goes on", function() return not nginx.is_running(pid) end)
    assert.equal("string", acquired())
  end)

  it("a lock that another worker removed, who took it for an older one, begins no call", function()
    start "ttl = 2"
    assert.equal("nil nil nil", run [[
      local dict = ngx.shared.bitfront
      local late = { safe_add = function(_, key, ...)
        local added, message = dict:safe_add(key, ...)
        dict:delete(key)
        return added, message
      end }
      for _, name in ipairs { "get", "delete", "safe_set" } do
        late[name] = function(_, ...) return dict[name](dict, ...) end
      end
      local shared = require "bitfront.nginx.shared_balances".new(late, "x")
      local token, err = shared:acquire(require "bitfront.native".now(), 2)
      return tostring(token) .. " " .. tostring(err) .. " "
        .. tostring(dict:get "bitfront:x:began")]])
  end)

  it("a lookup ends where another worker's call brings nothing in time", function()
    start "ttl = 60, options = { timeout = 0.2 }"
    run [[
      local shared = require("bitfront.nginx").cached(require "wanted"):_shared()
      shared:put("began", ("%d x %.9f"):format(ngx.worker.pid(),
        require "bitfront.native".now() + 60))]]
    local told = tell()
    assert.same({ "timeout", "response", 0 }, { told.kind, told.code, calls() })
    assert.matches("no worker has brought balances in time", told.err, 1, true)
  end)

  it("a full dict is an error, logged once, and nothing is evicted", function()
    start("ttl = 0.2", { size = "12k" })
    run [[
      local dict = ngx.shared.bitfront
      for i = 1, 1000 do
        if not dict:safe_add("other" .. i, ("x"):rep(1000)) then break end
      end
      for i = 1, 1000 do
        if not dict:safe_add("small" .. i, "x") then break end
      end
      return true]]
    local _, before = site:get("/keys").body:gsub("\n", "")
    local told = tell()
    support.sleep(0.3)
    assert.same({ "config", "dict", 0 }, { told.kind, told.code, told.attempts })
    assert.same({ "config", "dict" }, { tell().kind, tell().code })
    local _, after = site:get("/keys").body:gsub("\n", "")
    assert.truthy(after >= before)
    local _, times = site:log():gsub("lua_shared_dict cannot keep", "")
    assert.equal(1, times)
  end)

  -- A full dict but for `free` items of a lock's size and one of `longer` bytes.
  local function fill(free, longer)
    return (([[
      local dict = ngx.shared.bitfront
      local prefix = require("bitfront.nginx").cached(require "wanted"):_shared().prefix
      local function add(name, length)
        return dict:safe_add(prefix .. name, ("x"):rep(length))
      end
      if $longer > 0 then add("longer", $longer) end
      for i = 1, $free do add("free" .. i, 50) end
      for _, length in ipairs { 2000, 1000, 500, 250, 100, 50, 1 } do
        local i = 0
        repeat i = i + 1 until not add(length .. "-" .. i, length)
      end
      for i = 1, $free do dict:delete(prefix .. "free" .. i) end
      dict:delete(prefix .. "longer")]])
      :gsub("%$(%a+)", { free = free, longer = longer }))
  end

  local function told_of_full_dict(free, longer)
    start('ttl = 60, options = { rate_limit = false, clock = "system" }', { size = "32k" })
    run(fill(free, longer))
    local told = tell()
    local keys = site:get("/keys").body
    assert.is_nil(keys:find(":lock ", 1, true))
    return told.kind, told.code, told.err:match "cannot keep the (%a+): no memory", calls(), keys
  end

  it("a dict without room for a call's beginning is an error, and no call is made", function()
    local kind, code, what, count, keys = told_of_full_dict(1, 0)
    assert.same({ "config", "dict", "began", 0 }, { kind, code, what, count })
    assert.is_nil(keys:find(":began ", 1, true))
  end)

  it("a dict without room for balances is an error, told once to all for a ttl", function()
    local kind, code, what, count = told_of_full_dict(3, 350)
    assert.same({ "config", "dict", "value", 1 }, { kind, code, what, count })
    assert.same({ "config", "dict" }, { tell().kind, tell().code })
    assert.equal(1, calls())
  end)

  it("a dict without room for balances nor for that error is an error", function()
    local kind, code, what, count = told_of_full_dict(3, 0)
    assert.same({ "config", "dict", "state", 1 }, { kind, code, what, count })
  end)

  it("what is wrong with the client is an error, and is not raised", function()
    start("ttl = 1", { env = { BITFRONT_API_KEY = "", BITFRONT_API_SECRET = "",
                               HOME = "/nonexistent" } })
    local told = tell()
    assert.same({ "config", "missing_credentials", 0 }, { told.kind, told.code, told.attempts })
    assert.equal(0, calls())
    site:stop()
    start 'options = { base_url = "https://[" }'
    assert.same({ "config", 0 }, { tell().kind, tell().attempts })
  end)

  it("what is known of the clock stays in the dict for 30 days", function()
    start "ttl = 5"
    tell()
    local left = tonumber(run [[
      for _, key in ipairs(ngx.shared.bitfront:get_keys(0)) do
        if key:find("bitfront:clock:", 1, true) then return ngx.shared.bitfront:ttl(key) end
      end]])
    assert.is_true(left > 29.9 * 86400 and left <= 30 * 86400, left)
  end)

  it("the key and the secret are in C alone once there is a client", function()
    start("ttl = 5", { http = [[
      init_worker_by_lua_block {
        package.loaded.given = { options = {
          api_key = "tenant", api_secret = "its secret" } }
      }]] })
    assert.equal("true false", run [[
      local function holds(value, seen)
        if value == "its secret" then return true end
        if type(value) ~= "table" or seen[value] then return false end
        seen[value] = true
        for _, inner in pairs(value) do
          if holds(inner, seen) then return true end
        end
        return false
      end
      local cache = require "bitfront.nginx".cached(require "given")
      local before = holds(cache, {})
      cache:balances()
      return tostring(before) .. " " .. tostring(holds(cache, {}))]])
  end)

  it("two accounts in one dict do not see each other", function()
    start("ttl = 5", { http = [[
      init_worker_by_lua_block {
        package.loaded.other = { name = "other", options = {
          api_key = "none", api_secret = "none" } }
      }]] })
    assert.equal("nil auth 5", run [[
      local nginx = require "bitfront.nginx"
      local mine = nginx.cached(require "wanted"):balances()
      local theirs, err = nginx.cached(require "other"):balances()
      return tostring(theirs) .. " " .. err.kind .. " " .. #mine]])
  end)

  -- ---- an account that is another one after a reload ----

  local function start_as(options, env)
    env.BITFRONT_API_KEY, env.BITFRONT_API_SECRET = "", ""
    exchange:accounts {
      { api_key = "tenant1", api_secret = "secret1",
        balances = { { currency = "AAA", balance = 1, availableBalance = 1 } } },
      { api_key = "tenant2", api_secret = "secret2",
        balances = { { currency = "B", balance = 1, availableBalance = 1 },
                     { currency = "C", balance = 1, availableBalance = 1 } } },
    }
    start("ttl = 60, options = { " .. options .. " }", { env = env })
  end

  local function reload()
    local before = site:workers()[1]
    site:signal "HUP"
    site:await("the old worker stays", function()
      return site:workers()[1] ~= before and not nginx.is_running(before)
    end)
  end

  local function write_credentials(dir, text)
    support.must("umask 077; mkdir -p bitfront", { cwd = dir })
    support.write(dir .. "/bitfront/credentials", text)
    support.must("chmod 600 bitfront/credentials", { cwd = dir })
  end

  -- The files in which each source finds tenant 1, 2 or 3, whom the exchange does not know.
  local function write_tenant(dir, number)
    local key, secret = "tenant" .. number, "secret" .. number
    local section = ("api_key = %s\napi_secret = %s\n"):format(key, secret)
    support.write(dir .. "/bitfront.api_key", key)
    support.write(dir .. "/bitfront.api_secret", secret)
    support.must("chmod 600 bitfront.api_*", { cwd = dir })
    write_credentials(dir, "[default]\n" .. section .. "[site]\n" .. section)
  end

  it("sees nothing of what another account left behind at a reload: the options", function()
    start_as('api_key = "tenant1", api_secret = "secret1"', {})
    assert.equal(1, tell().count)
    local config = site.dir .. "/nginx.conf"
    support.write(config, (support.read(config):gsub("tenant1", "tenant2")
      :gsub("secret1", "secret2")))
    reload()
    local told = tell()
    assert.same({ 2, "fresh" }, { told.count, told.info.freshness })
  end)

  for source, of in pairs {
    ["files that variables name"] = { "", { BITFRONT_API_KEY_FILE = "/bitfront.api_key",
                                            BITFRONT_API_SECRET_FILE = "/bitfront.api_secret" } },
    ["systemd's folder"] = { "", { CREDENTIALS_DIRECTORY = "" } },
    ["the default section"] = { "", { XDG_CONFIG_HOME = "" } },
    ["another section"] = { 'profile = "site"', { XDG_CONFIG_HOME = "" } },
  } do
    it("sees nothing of what another account left behind at a reload: " .. source, function()
      local dir, env = support.tmpdir(), {}
      for name, path in pairs(of[2]) do env[name] = dir .. path end
      write_tenant(dir, 1)
      start_as(of[1], env)
      assert.equal(1, tell().count)
      write_tenant(dir, 2)
      run [[require("bitfront.nginx").cached(require "wanted").copy = nil return ""]]
      assert.equal(1, tell().count) -- a worker reads its key once
      reload()
      local told = tell()
      assert.same({ 2, "fresh" }, { told.count, told.info.freshness })
      reload()
      assert.equal(2, tell().count)
      assert.equal(2, calls()) -- of the same account there is what there was
      write_tenant(dir, 3)
      reload()
      assert.same({ "auth", 6001 }, { tell().kind, tell().code })
    end)
  end

  it("has balances as soon as there is a key, by one call, and none of them without it", function()
    local dir = support.tmpdir()
    start_as("", { CREDENTIALS_DIRECTORY = dir })
    assert.equal("missing_credentials", tell().code)
    write_tenant(dir, 1)
    run [[
      require("bitfront.nginx").cached(require "wanted").shared:state().next_at = 0
      return ""]] -- as after a ttl
    site:await("it finds no key", function() return tell().count == 1 end)
    assert.equal(1, calls())
    support.must("rm bitfront.api_*", { cwd = dir })
    reload()
    assert.equal("missing_credentials", tell().code)
  end)

  it("sees nothing of another exchange where a program prints the key", function()
    local dir = support.tmpdir()
    support.write(dir .. "/helper", "#!/bin/sh\nprintf %s " .. support.quote(
      '{"Version":1,"AccessKeyId":"tenant1","SecretAccessKey":"secret1"}'))
    support.must("chmod 700 helper", { cwd = dir })
    local function write_section(base_url)
      write_credentials(dir, ("[default]\ncredential_process = %s/helper\nbase_url = %s\n")
        :format(dir, base_url))
    end
    write_section(exchange.base_url)
    start_as("", { XDG_CONFIG_HOME = dir })
    assert.equal(1, tell().count)
    reload()
    assert.same({ 1, 1 }, { tell().count, calls() })
    write_section "https://127.0.0.1:1"
    reload()
    assert.equal("network", tell().kind)
  end)

  it("makes no call for a client that was closed", function()
    local dir = support.tmpdir()
    write_credentials(dir, ("[site]\napi_key = tenant1\napi_secret = secret1\nbase_url = %s\n")
      :format(exchange.base_url))
    start([[ttl = 60, client = (function()
      local client = require("bitfront").new { profile = "site" }
      client:close()
      return client
    end)()]], { env = { XDG_CONFIG_HOME = dir } })
    assert.same({ "closed", 0 }, { tell().kind, calls() })
  end)

  it("gives what there is where nothing can wait", function()
    start("ttl = 5", { server = [[
      location = /log {
        header_filter_by_lua_block {
          local cache = require("bitfront.nginx").cached(require "wanted")
          local records, err = cache:balances()
          ngx.header["X-Said"] = records and #records
            or err.kind .. " " .. err.code .. " " .. err.attempts
        }
        return 200;
      }]] })
    assert.equal("phase header_filter 0", site:get("/log").headers["x-said"])
    for _ = 1, 50 do
      if site:get("/log").headers["x-said"] == "5" then break end
      support.sleep(0.05)
    end
    assert.equal("5", site:get("/log").headers["x-said"])
  end)

  it("says so where not even a timer can be had", function()
    start("ttl = 60", { init = [[
      local cache = require("bitfront.nginx").cached(require "wanted")
      local done, records, err = pcall(cache.balances, cache)
      package.loaded.said = { done, records,
        err and err.kind .. " " .. err.code .. " " .. err.attempts }
    ]], http = "lua_max_pending_timers 1;", server = [[
      location = /full {
        header_filter_by_lua_block {
          local timer = assert(ngx.timer.at(0.5, function() end))
          local cache = require("bitfront.nginx").cached(require "wanted")
          local done, records, err = pcall(cache.balances, cache)
          ngx.header["X-Said"] = tostring(done) .. " " .. tostring(records) .. " "
            .. (err and err.kind .. " " .. err.code .. " " .. err.attempts or tostring(err))
        }
        return 200;
      }]] })
    assert.equal("true nil phase init 0", run [[
      local said = require "said"
      return tostring(said[1]) .. " " .. tostring(said[2]) .. " " .. said[3] ]])
    assert.equal("true nil phase header_filter 0", site:get("/full").headers["x-said"])
    support.sleep(0.6)
    assert.equal("fresh", tell().info.freshness) -- nothing is in its way
  end)

  it("a client of another kind may fail in its own words", function()
    start "ttl = 1"
    assert.equal("config client no luck today", run [[
      local _, err = require("bitfront.nginx").cached { name = "own",
        client = { balances = function() return nil, "no luck today" end } }:balances()
      return err.kind .. " " .. err.code .. " " .. err.message]])
  end)

  it("the log has the error of a client of another kind on one line", function()
    start "ttl = 1"
    run [[require("bitfront.nginx").cached { name = "own", client = { balances = function()
      return nil, { kind = "network", code = 7, message = "no\nluck" } end } }:balances()]]
    assert.matches("bitfront: network (7): no\\x0Aluck", site:log(), 1, true)
  end)

  it("an amount of too many digits is an error of the reply", function()
    start "ttl = 60"
    exchange:script { body = support.success(('[{"currency":"A","balance":1.%s,'
      .. '"availableBalance":1}]'):format(("1"):rep(2000))) }
    local told = tell()
    assert.same({ "protocol", "schema", 1 }, { told.kind, told.code, told.attempts })
  end)

  it("a failure is logged once, though its text says how long it took", function()
    start "ttl = 1"
    run [[
      local n = 0
      local cache = require("bitfront.nginx").cached { name = "slow", ttl = 0.1,
        client = { balances = function()
          n = n + 1
          return nil, require("bitfront.error").new({ kind = "timeout", code = "response",
            message = "after " .. n .. " ms" }, 1)
        end } }
      for _ = 1, 4 do
        cache:balances()
        ngx.sleep(0.15)
      end
      return n]]
    assert.truthy(site:log():find "after 1 ms")
    assert.is_nil(site:log():find "after 2 ms")
  end)

  it("a failure's pause runs down", function()
    start "ttl = 1"
    assert.equal("true true", run [[
      local cache = require("bitfront.nginx").cached { name = "paused", ttl = 0.1,
        client = { balances = function()
          return nil, { kind = "rate_limit", code = 6004, message = "m", retry_after = 30 }
        end } }
      local _, first = cache:balances()
      ngx.sleep(0.5)
      local _, second = cache:balances()
      return tostring(first.retry_after > 29.5 and first.retry_after <= 30) .. " "
        .. tostring(second.retry_after < 29.6 and second.retry_after > 20)]])
  end)

  it("does not wait below a C function", function()
    start "ttl = 5"
    assert.equal("phase", run [[
      local kind
      local cache = require("bitfront.nginx").cached(require "wanted")
      table.sort({ 1, 2 }, function()
        local _, err = cache:balances()
        kind = err and err.kind
      end)
      return kind]])
    support.sleep(0.2)
    assert.equal("fresh", tell().info.freshness)
    assert.equal(1, #site:workers())
    assert.is_nil(site:log():find "signal %d+")
  end)

  it("makes one cache of the same options, and raises for others", function()
    start "ttl = 5"
    assert.equal("true", run [[
      local nginx = require "bitfront.nginx"
      return nginx.cached { ttl = 5 } == nginx.cached { ttl = 5 }]])
    assert.matches("has a cache bitfront:default with other options", run [[
      local nginx = require "bitfront.nginx"
      return select(2, pcall(nginx.cached, { ttl = 6 }))]])
    assert.equal("true", run [[
      local nginx = require "bitfront.nginx"
      local function cached(calls)
        return nginx.cached { name = "a", options = { rate_limit = { per_second = calls } } }
      end
      return cached(2) == cached(2) and not pcall(cached, 3)]])
    -- The table may be the caller's to write into.
    assert.matches("has a cache bitfront:b with other options", run [[
      local nginx, options = require "bitfront.nginx", { name = "b", options = { timeout = 5 } }
      nginx.cached(options)
      options.options.timeout = 6
      return select(2, pcall(nginx.cached, options))]])
  end)

  it("raises for a table too many", function()
    start "ttl = 5"
    for _, call in ipairs { "cached({ ttl = 5 }, {})", "serve({ ttl = 5 }, {})", "doctor({}, {})",
      "cached { ttl = 5 }:balances { ttl = 1 }", "cached { ttl = 5 }:refresh { ttl = 1 }" } do
      assert.matches("%]:1: .*: too many arguments$", run(
        "return select(2, pcall(function() require('bitfront.nginx')." .. call .. " end))"))
    end
  end)

  it("raises at the caller's line for a call with a dot", function()
    start "ttl = 5"
    assert.matches("%]:2: call it with a colon: cache:balances%(%)$", run [[
      local cache = require("bitfront.nginx").cached(require "wanted")
      return select(2, pcall(function() cache.balances() end))]])
    assert.matches("%]:2: call it with a colon: cache:refresh%(%)$", run [[
      local cache = require("bitfront.nginx").cached(require "wanted")
      return select(2, pcall(function() cache.refresh() end))]])
  end)

  it("is kept fresh by refresh, which calls when a call is due", function()
    start "ttl = 60"
    assert.equal("1", run [[
      local cache = require("bitfront.nginx").cached(require "wanted")
      for _ = 1, 3 do cache:refresh() end
      while cache:_shared():text "calls" == "" do ngx.sleep(0.01) end
      cache:refresh()
      ngx.sleep(0.1)
      return cache:_shared():number "calls"]])
    assert.equal(1, calls())
    site:stop()
    start "ttl = 0.3"
    assert.equal("done", run [[
      local cache = require("bitfront.nginx").cached(require "wanted")
      while (cache:_shared():number "calls" or 0) < 3 do
        cache:refresh()
        ngx.sleep(0.02)
      end
      return "done"]])
  end)

  it("is refreshed where nothing can wait, and not in the master", function()
    start("ttl = 60", { init = 'require("bitfront.nginx").cached(require "wanted"):refresh()',
      server = [[
        location = /log {
          header_filter_by_lua_block {
            require("bitfront.nginx").cached(require "wanted"):refresh()
          }
          return 200;
        }]] })
    assert.equal(0, calls())
    site:get "/log"
    site:await("no call begins", function() return calls() == 1 end)
    assert.same({ "fresh", 1 }, { tell().info.freshness, calls() })
  end)

  it("raises at the caller's line for what will not do", function()
    start "ttl = 5"
    local function refuses(options, pattern)
      assert.matches(pattern, run(([[
        local options = %s
        return select(2, pcall(function()
          require("bitfront.nginx").cached(options)
        end))]]):format(options)))
    end
    refuses('{ ttl = 0 }', '%]:3: bitfront.nginx.cached: ttl must be a number of seconds')
    refuses('{ tll = 1 }', 'unknown option "tll"; did you mean "ttl"')
    refuses('{ dict = "none" }', "nginx.conf has no lua_shared_dict none")
    refuses('{ dict = "none", accounts = "profiles" }', "nginx.conf has no lua_shared_dict none")
    refuses('{ options = { timeout = -1 } }', "timeout must be")
    refuses('{ client = 1 }', "client must be a client")
    refuses('{ client = {} }', "client must be a client")
    refuses('{ client = require("bitfront").new {}, options = {} }',
      "%]:3: bitfront.nginx.cached: give either client or options, not both$")
    refuses('{ options = 1 }', "options must be a table of options for bitfront.new")
    refuses('{ name = 1 }', "name must be a name of letters, digits and _ . %-")
    refuses('{ name = "a b" }', "name must be a name of letters, digits and _ . %-")
    refuses('{ dict = "a b" }', "dict must be the name of a lua_shared_dict")
    refuses('{ trace = 1 }', "trace must be true or false")
  end)

  it("works inside nginx only", function()
    for _, call in ipairs { "cached", "serve" } do
      local out = support.lua(([[
        print(select(2, pcall(function() require("bitfront.nginx").%s {} end)))]])
        :format(call))
      assert.matches("%.lua:1: bitfront.nginx." .. call .. ": this works inside nginx only", out)
    end
  end)

  it("a reload keeps the balances", function()
    start("ttl = 30", { workers = 2 })
    tell()
    local before = table.concat(site:workers(), " ")
    support.must("kill -HUP " .. site:pid())
    for _ = 1, 100 do
      if table.concat(site:workers(), " ") ~= before and #site:workers() == 2 then break end
      support.sleep(0.05)
    end
    support.sleep(0.2)
    assert.equal("fresh", tell().info.freshness)
    assert.equal(1, calls())
  end)
end)
