-- Several accounts in one site: each with its own key, limit, call and freshness.

local cjson = require "cjson"
local command = require "spec.support.command"
local nginx = require "spec.support.nginx"
local support = require "spec.support"

local ACCOUNTS = {
  { api_key = "keyofmain", api_secret = "secret1", balances = {
    { currency = "BTC", balance = "0.1", availableBalance = "0.1" },
    { currency = "ETH", balance = "0", availableBalance = "0" } } },
  { api_key = "keyofspare", api_secret = "secret2", balances = {
    { currency = "BTC", balance = "0.20000000000000000001", availableBalance = "0.05" },
    { currency = "XRP", balance = "7", availableBalance = "7" } } },
}

describe("the accounts of bitfront.nginx #once #apart", function()
  local exchange, site

  lazy_setup(function() exchange = support.sandbox() end)
  lazy_teardown(function() exchange:stop() end)
  before_each(function()
    exchange:reset()
    exchange:accounts(ACCOUNTS)
  end)
  after_each(function()
    if site then site:stop() end
    site = nil
  end)

  local function options_of(key, secret, more)
    return ("{ api_key = %q, api_secret = %q, base_url = %q, ca_file = %q, %s }"):format(key,
      secret, more and more.base_url or exchange.base_url, exchange.ca_file,
      more and more.options or "")
  end

  local MAIN, SPARE
  lazy_setup(function()
    MAIN, SPARE = options_of("keyofmain", "secret1"), options_of("keyofspare", "secret2")
  end)

  -- A site of these accounts, as the inside of a Lua table; `more.options` of serve.
  local function start(accounts, more)
    more = more or {}
    local made = ("{ accounts = %s, ttl = 60, %s }"):format(accounts:find "^\"" and accounts
      or "{" .. accounts .. "}", more.options or "")
    site = nginx.start {
      workers = more.workers, spread = true, env = more.env,
      http = ("lua_shared_dict bitfront %s; %s init_by_lua_block { package.loaded.made = %s }")
        :format(more.size or "1m", more.http or "", made),
      server = [[
        location = /balances {
          content_by_lua_block { require("bitfront.nginx").serve(require "made")() }
        }
        location = /cache { content_by_lua_block {
          local cache = require("bitfront.nginx").cached(require "made")
          local records, err, info = cache:balances()
          for _, of in pairs(info and info.accounts or {}) do of.err = of.err and of.err.kind end
          ngx.print(require("cjson").encode { records = records, err = err and tostring(err),
            attempts = err and err.attempts,
            freshness = info and info.freshness, age = info and info.age,
            kind = info and info.err and info.err.kind, accounts = info and info.accounts })
        } }]] .. (more.server or ""),
    }
    return site
  end

  local function json(path)
    local reply = site:get(path or "/balances")
    return cjson.decode(reply.body), reply
  end

  local function keyed(list)
    local by_account = {}
    for _, one in ipairs(list) do by_account[one.account] = one end
    return by_account
  end

  local function calls_of(key)
    local count = 0
    for _, request in ipairs(exchange:log()) do
      count = count + (request.key == key and 1 or 0)
    end
    return count
  end

  local TWO
  lazy_setup(function() TWO = ("spare = %s, main = %s"):format(SPARE, MAIN) end)

  -- ---- what is shown ----

  it("has the rows of all in JSON, each with its account, and exact sums of them", function()
    start(TWO)
    local shown, reply = json()
    assert.equal(200, reply.status)
    local rows = {}
    for i, row in ipairs(shown.balances) do
      rows[i] = row.account .. " " .. row.currency .. " " .. row.balance .. " " .. row.locked
    end
    assert.same({ "main BTC 0.1 0.0", "main ETH 0 0", "spare BTC 0.20000000000000000001 "
      .. "0.15000000000000000001", "spare XRP 7 0" }, rows)
    assert.same({ "BTC 0.30000000000000000001", "ETH 0", "XRP 7" },
      { shown.all[1].currency .. " " .. shown.all[1].balance,
        shown.all[2].currency .. " " .. shown.all[2].balance,
        shown.all[3].currency .. " " .. shown.all[3].balance })
    assert.is_nil(shown.all[1].account)
    for i, name in ipairs { "main", "spare" } do
      assert.equal(name, shown.accounts[i].account)
      assert.equal("fresh", shown.accounts[i].freshness)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", shown.accounts[i].as_of)
    end
    assert.equal("private, max-age=60", reply.headers["cache-control"])
  end)

  it("has a total for each account and one over all where there are prices", function()
    start(TWO, { options = 'prices = { BTC = "10", ETH = 1 }, unit = "USD"' })
    local shown = json()
    assert.same({ "3.00000000000000000010", { "XRP" }, "USD" },
      { shown.total, shown.missing, shown.unit })
    assert.same({ "1.0", "2.00000000000000000010" },
      { shown.accounts[1].total, shown.accounts[2].total })
    assert.same({ {}, { "XRP" } }, { shown.accounts[1].missing, shown.accounts[2].missing })
    assert.equal("account,currency,balance,availableBalance,locked,price,value\r\n"
      .. "main,BTC,0.1,0.1,0.0,10,1.0\r\nmain,ETH,0,0,0,1,0\r\n"
      .. "spare,BTC,0.20000000000000000001,0.05,0.15000000000000000001,10,"
      .. "2.00000000000000000010\r\nspare,XRP,7,7,0,,\r\n",
      site:get "/balances?format=csv".body)
  end)

  it("filters and sorts within each account", function()
    start(TWO)
    assert.equal("account,currency,balance,availableBalance,locked\r\n"
      .. "main,BTC,0.1,0.1,0.0\r\nspare,XRP,7,7,0\r\nspare,BTC,0.20000000000000000001,0.05,"
      .. "0.15000000000000000001\r\n",
      site:get "/balances?format=csv&nonzero=1&sort=-balance".body)
    -- A coin counts in the sum of all by what there is of it together.
    assert.equal("0.30000000000000000001", json "/balances?min=0.25&currency=BTC".all[1].balance)
    assert.equal(0, #json "/balances?min=0.25&currency=BTC".balances)
  end)

  it("has a section and a total for each on the page, and one of all", function()
    local closed = options_of("keyofmain", "secret1",
      { base_url = "https://127.0.0.1:" .. support.free_port() })
    start(TWO .. ', ["<lost>"] = ' .. closed,
      { options = 'format = "html", prices = { BTC = "10" }, unit = "USD"' })
    local reply = site:get "/balances"
    local html = reply.body
    assert.same({ "partial; error=network", "0" },
      { reply.headers["bitfront-freshness"], reply.headers.age })
    for _, words in ipairs {
      "<h2>All accounts</h2>", "Without &lt;lost&gt;.", "<h2>main</h2>", "<h2>spare</h2>",
      "<h2>&lt;lost&gt;</h2>", "The exchange cannot be reached.",
      "1 of 3 accounts is not up to date.",
    } do
      assert.matches(words, html, 1, true)
    end
    local totals = 0
    for _ in html:gmatch "Total value in USD" do totals = totals + 1 end
    assert.equal(3, totals) -- of all, main and spare
    assert.equal(3, select(2, html:gsub("<time ", ""))) -- of the same
  end)

  it("has one entity tag for all of it", function()
    start(TWO, { options = "name = 'x', stale = 60" })
    local first = site:get "/balances"
    assert.equal(304, site:get("/balances", { ["If-None-Match"] = first.headers.etag }).status)
    assert.equal(first.headers.etag, site:get "/balances".headers.etag)
    assert.not_equal(first.headers.etag, site:get "/balances?format=csv".headers.etag)
  end)

  it("gives each metric once, with a label account", function()
    start(TWO, { options = 'format = "prometheus"' })
    local text = "\n" .. site:get "/balances".body
    support.write(site.dir .. "/metrics", text:sub(2))
    local out, err, code = support.run("promtool check metrics <" .. site.dir .. "/metrics")
    assert.same({ "", "", 0 }, { out, err, code })
    for _, line in ipairs {
      'bitfront_balance{account="spare",currency="BTC",state="total"} 0.20000000000000000001',
      'bitfront_up{account="main"} 1', 'bitfront_up{account="spare"} 1',
      'bitfront_exchange_calls_total{account="main"} 1',
      'bitfront_exchange_errors_total{account="main",kind="network"} 0',
      'bitfront_exchange_call_duration_seconds_bucket{account="main",le="+Inf"} 1',
      'bitfront_exchange_call_duration_seconds_count{account="spare"} 1',
    } do
      assert.truthy(text:find("\n" .. line .. "\n", 1, true), line .. " is not in" .. text)
    end
    assert.matches('\nbitfront_cache_age_seconds{account="main"} %d', text)
    assert.matches('\nbitfront_exchange_limit_used_ratio{account="main"} 0%.%d', text)
  end)

  it("writes a hostile name out, wherever it stands", function()
    start(('["=<b>\\"\\n"] = %s'):format(MAIN))
    assert.equal("=<b>\"\n", json().accounts[1].account)
    assert.matches('account="=<b>\\"\\n",', site:get "/balances?format=prometheus".body, 1, true)
    assert.matches('\n"\'=<b>""\n",BTC,', site:get "/balances?format=csv".body, 1, true)
  end)

  -- ---- one that fails ----

  it("shows the others where one fails, and says which does", function()
    local closed = options_of("keyofmain", "secret1",
      { base_url = "https://127.0.0.1:" .. support.free_port() })
    start(TWO .. ", lost = " .. closed .. ", wrong = " .. options_of("keyofnone", "secret"),
      { options = 'prices = { BTC = "10" }' })
    local shown, reply = json()
    local of = keyed(shown.accounts)
    assert.same({ 200, 4, "3.00000000000000000010" },
      { reply.status, #shown.balances, shown.total })
    assert.same({ account = "lost", freshness = "none", error = "network" }, of.lost)
    assert.same({ account = "wrong", freshness = "none", error = "auth" }, of.wrong)
    assert.same({ "fresh", "fresh" }, { of.main.freshness, of.spare.freshness })
    assert.equal("partial; error=network", reply.headers["bitfront-freshness"])
    assert.equal("private, max-age=0", reply.headers["cache-control"])
    local metrics = site:get "/balances?format=prometheus".body
    assert.matches('bitfront_up{account="lost"} 0', metrics, 1, true)
    assert.matches('bitfront_exchange_errors_total{account="wrong",kind="auth"} 1', metrics, 1,
      true)
    assert.is_nil(metrics:find 'bitfront_cache_age_seconds{account="lost"}')
  end)

  -- Where balances never came, a scrape shows the failure at once, and has it tried again.
  it("scrapes without waiting where a call has failed", function()
    local faults = support.faultd()
    finally(function() faults:stop() end)
    site = nginx.start {
      http = "lua_shared_dict bitfront 1m;",
      server = ([[
        location = /metrics { content_by_lua_block {
          require("bitfront.nginx").serve { ttl = 0.1, format = "prometheus", options = {
            api_key = "k", api_secret = "s", timeout = 1, base_url = %q, ca_file = %q } }()
        } }]]):format(faults:url { close = "hang" }, faults.ca_file),
    }
    assert.matches("bitfront_exchange_calls_total 1\n", site:get "/metrics".body)
    support.sleep(0.2)
    assert.matches("bitfront_exchange_calls_total 1\n", site:get "/metrics".body)
    site:await("it was not tried again", function()
      return site:get "/metrics".body:find("bitfront_exchange_calls_total 2\n", 1, true)
    end)
  end)

  it("answers with the problem where all fail", function()
    start("wrong = " .. options_of("keyofnone", "secret"))
    local shown, reply = json()
    assert.same({ 500, "auth" }, { reply.status, shown.kind })
  end)

  it("shows stale balances of one beside fresh ones of others", function()
    start(TWO, { options = "ttl = 1, stale = 60" })
    json()
    exchange:accounts { ACCOUNTS[1] }
    exchange:set { latency_ms = 500 }
    support.sleep(1.1)
    local before = keyed(json().accounts) -- has both asked, and does not wait
    assert.same({ "stale", "stale" }, { before.main.freshness, before.spare.freshness })
    assert.is_nil(before.spare.error)
    site:await("the failure is not shown", function()
      return keyed(json().accounts).spare.error == "auth"
    end)
    local of = keyed(json().accounts)
    assert.equal("stale", of.spare.freshness)
    assert.equal(4, #json().balances)
  end)

  it("waits for no account that hangs where others answer", function()
    local faults = support.faultd()
    finally(function() faults:stop() end)
    start(TWO .. ", hung = " .. ("{ api_key = 'k', api_secret = 's', base_url = %q, "
      .. "ca_file = %q, timeout = 30 }"):format(faults:url { close = "hang" }, faults.ca_file))
    local shown = json()
    assert.same({ account = "hung", freshness = "none", error = "timeout" },
      keyed(shown.accounts).hung)
    assert.equal(4, #shown.balances)
    -- Once is enough: with a second each these would take longer than its call.
    for _ = 1, 35 do assert.equal(200, site:get "/balances".status) end
    -- Its call has not ended.
    assert.matches('bitfront_exchange_calls_total{account="hung"} 0\n',
      site:get "/balances?format=prometheus".body, 1, true)
  end)

  it("asks again before it answers with the errors of calls that are due again", function()
    exchange:set { down = true }
    start(TWO, { options = "ttl = 0.1, stale = 60" })
    assert.equal(502, site:get "/balances".status)
    exchange:set { down = false }
    support.sleep(0.2)
    assert.equal(200, site:get "/balances".status)
  end)

  it("shows no error for longer than balances", function()
    local closed = options_of("keyofmain", "secret1",
      { base_url = "https://127.0.0.1:" .. support.free_port() })
    start("spare = " .. SPARE .. ", lost = " .. closed, { options = "ttl = 0.1, stale = 0" })
    json()
    support.sleep(0.3)
    -- Its error has passed: it is asked again and, since all are due, waited for.
    local shown = json()
    assert.equal("network", keyed(shown.accounts).lost.error)
    assert.equal("fresh", keyed(shown.accounts).spare.freshness)
  end)

  it("answers within one deadline where nginx runs no timer and many accounts hang", function()
    local faults = support.faultd()
    finally(function() faults:stop() end)
    local accounts = { "good = " .. MAIN }
    for i = 1, 12 do
      accounts[i + 1] = ("hung%d = { api_key = 'k%d', api_secret = 's', base_url = %q, "
        .. "ca_file = %q, timeout = 8 }"):format(i, i, faults:url { close = "hang" },
        faults.ca_file)
    end
    start(table.concat(accounts, ", "),
      { http = "lua_max_running_timers 0; lua_max_pending_timers 0;" })
    -- One after the other they would take 96 s, which curl does not wait for. It is so short
    -- that nginx would hold it back to the request's end, as long as calls go on in it.
    assert.matches("\ngood,BTC,", (site:body "/balances?format=csv"))
    assert.is_nil(site:log():find "account hung%d+")
    assert.equal("fresh", keyed(json().accounts).good.freshness)
  end)

  it("says in the log which account fails, once, and when it answers again", function()
    local odd = ('["a\\nb"] = %s'):format(options_of("keyofspare", "wrong"))
    start(TWO .. ", " .. odd, { workers = 2, options = "ttl = 0.2, stale = 60" })
    local function lines(pattern)
      local count = 0
      for _ in site:log():gmatch(pattern) do count = count + 1 end
      return count
    end
    for _ = 1, 20 do
      site:burst("/balances", 4)
      support.sleep(0.05)
    end
    assert.equal(1, lines "bitfront: signature %(4003%)[^\n]*; account a\\x0Ab")
    exchange:accounts { ACCOUNTS[1], { api_key = "keyofspare", api_secret = "wrong",
                                       balances = ACCOUNTS[2].balances } }
    site:await("it does not say so", function()
      site:burst("/balances", 4)
      return lines "answers again; account a\\x0Ab" == 1
        and lines "bitfront: signature %(4003%)[^\n]*; account spare" == 1
    end)
    assert.equal(1, lines "answers again")
  end)

  it("says so where the dict is full", function()
    start(TWO, { size = "12k", server = [[
      location = /fill { content_by_lua_block {
        for _, length in ipairs { 1000, 1 } do
          local i = 0
          repeat i = i + 1 until not ngx.shared.bitfront:safe_add(length .. "-" .. i,
            ("x"):rep(length))
        end
      } }]] })
    site:get "/fill"
    local shown, reply = json()
    assert.same({ 500, "config" }, { reply.status, shown.kind })
    assert.matches("the lua_shared_dict cannot keep the lock", json "/cache".err, 1, true)
    -- Metrics are there also then: up tells of it.
    assert.matches('bitfront_up{account="main"} 0\n', site:get "/balances?format=prometheus".body,
      1, true)
  end)

  -- ---- each account by itself ----

  it("calls each account once a ttl, whatever the number of workers and requests", function()
    start(TWO, { workers = 4 })
    assert.equal(("200\n"):rep(40), site:burst("/balances", 40))
    assert.same({ 1, 1 }, { calls_of "keyofmain", calls_of "keyofspare" })
  end)

  it("keeps the limit of each key", function()
    local options = "rate_limit = { per_second = 1, per_minute = 2 }"
    start(("main = %s, spare = %s"):format(
      options_of("keyofmain", "secret1", { options = options }), SPARE),
      { options = "ttl = 0.1, stale = 60" })
    for _ = 1, 20 do
      site:get "/balances"
      support.sleep(0.2)
    end
    assert.equal(2, calls_of "keyofmain")
    assert.truthy(calls_of "keyofspare" > 2)
    local metrics = site:get "/balances?format=prometheus".body
    assert.matches('bitfront_exchange_limit_used_ratio{account="main"} 1\n', metrics, 1, true)
  end)

  it("calls in a timer, so that a client that leaves stops nothing", function()
    exchange:set { latency_ms = 500 }
    start(TWO, { http = "lua_check_client_abort on;" })
    site:await("it was not called", function()
      support.run(("curl -s -m 0.2 %s/balances"):format(site.url))
      return calls_of "keyofspare" > 0
    end)
    assert.equal(4, #json().balances)
    assert.same({ 1, 1 }, { calls_of "keyofmain", calls_of "keyofspare" })
  end)

  it("calls also where nginx runs no timer", function()
    start(TWO, { http = "lua_max_running_timers 0; lua_max_pending_timers 0;" })
    assert.equal(4, #json().balances)
  end)

  it("has in each call the traceparent of the request that causes it", function()
    local traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for _, http in ipairs { "", "lua_max_running_timers 0; lua_max_pending_timers 0;" } do
      exchange:reset()
      exchange:accounts(ACCOUNTS)
      start(TWO, { options = "trace = true", http = http })
      site:get("/balances", { traceparent = traceparent })
      site:stop()
      local log = exchange:log()
      assert.same({ 2, traceparent, traceparent }, { #log, log[1].traceparent, log[2].traceparent })
    end
  end)

  it("shows what there is in a phase that cannot wait, and has the accounts asked", function()
    start(TWO, { server = [[
      location = /filter {
        return 200 "x";
        header_filter_by_lua_block {
          local cache = require("bitfront.nginx").cached(require "made")
          local records, err = cache:balances()
          ngx.header["X-Got"] = records and #records or err.kind .. err.attempts
        }
      }]] })
    assert.equal("phase0", site:get "/filter".headers["x-got"])
    site:await("the balances are not shown", function()
      return site:get "/filter".headers["x-got"] == "4"
    end)
  end)

  -- So many accounts of 100 coins, as words for `start`.
  local function accounts_of_100_coins(count)
    local records, accounts = {}, {}
    for i = 1, 100 do
      records[i] = { currency = "C" .. i, balance = "1.5", availableBalance = "1" }
    end
    exchange:accounts { { api_key = "keyofmain", api_secret = "secret1", balances = records } }
    exchange:set { limits = false }
    local options = options_of("keyofmain", "secret1", { options = "rate_limit = false" })
    for i = 1, count do accounts[i] = ("a%d = %s"):format(i, options) end
    return table.concat(accounts, ", ")
  end

  it("keeps the last answer, however long it is", function()
    start(accounts_of_100_coins(60), { size = "8m", options = [[
      prices = function()
        ngx.shared.bitfront:incr("asked", 1, 0)
        return { C1 = 1 }
      end]], server = [[
      location = /asked { content_by_lua_block { ngx.print(ngx.shared.bitfront:get "asked") } }]] })
    assert.is_true(#site:get "/balances?format=html".body > 4 * 1024 * 1024)
    for _ = 1, 3 do site:get "/balances?format=html" end
    assert.equal("1", site:get "/asked".body)
  end)

  it("keeps fewer answers where there are many accounts, so that queries fill no memory", function()
    start(accounts_of_100_coins(16), { server = [[
      location = /kilobytes { content_by_lua_block {
        collectgarbage()
        ngx.print(collectgarbage "count")
      } }]] })
    local function kilobytes() return tonumber(site:get "/kilobytes".body) end
    local before = kilobytes()
    local one = #site:get "/balances?format=html".body / 1024
    for i = 1, 40 do site:get("/balances?format=html&min=0." .. i) end
    -- Of each section the text is kept, and that of the whole.
    local grown = kilobytes() - before
    assert.is_true(grown < 2 * 12 * one, ("%.0f kB, each of %.0f"):format(grown, one))
  end)

  -- ---- cache:balances ----

  it("gives a script the records of all, and what is known of each", function()
    start(TWO .. ", wrong = " .. options_of("keyofnone", "secret"))
    local got = json "/cache"
    assert.equal(4, #got.records)
    assert.same({ account = "main", currency = "BTC", balance = 0.1, availableBalance = 0.1 },
      got.records[1])
    assert.same({ "stale", "auth" }, { got.freshness, got.kind })
    assert.same({ err = "auth" }, got.accounts.wrong)
    assert.equal("fresh", got.accounts.main.freshness)
    assert.equal(math.max(got.accounts.main.age, got.accounts.spare.age), got.age)
  end)

  it("keeps all fresh by refresh, which waits for nothing", function()
    start(TWO, { server = [[
      location = /refresh { content_by_lua_block {
        local cache = require("bitfront.nginx").cached(require "made")
        for _ = 1, 3 do cache:refresh() end
        ngx.print(select(2, pcall(cache.refresh)))
      } }]] })
    assert.matches("call it with a colon: cache:refresh()", site:get "/refresh".body, 1, true)
    site:await("not both are called", function()
      return calls_of "keyofmain" + calls_of "keyofspare" == 2
    end)
    assert.equal(4, #json "/cache".records)
    assert.same({ 1, 1 }, { calls_of "keyofmain", calls_of "keyofspare" })
  end)

  -- What a worker's timer does: the names of the accounts in the order in which their calls
  -- begin, and each pause in between in ms.
  local function begun(accounts, ttl, before)
    start(accounts, { options = "ttl = " .. ttl .. ",", server = [[
      location = /begun { content_by_lua_block {
        local cache, sleep = require "bitfront.nginx.cache", ngx.sleep
        local all, begin, said = require("bitfront.nginx").cached(require "made"), cache.begin, {}
        all:balances()
        ngx.sleep(]] .. ttl .. [[ + 0.05)
        ]] .. before .. [[
        function cache.begin(one, ...)
          said[#said + 1] = one.account
          return begin(one, ...)
        end
        function ngx.sleep(seconds)
          if debug.getinfo(2, "S").source:find "account_caches" then
            said[#said + 1] = ("%.0f"):format(seconds * 1000)
          end
          return sleep(seconds)
        end
        all:refresh()
        sleep(]] .. ttl .. [[ / 2 + 0.05)
        ngx.print(table.concat(said, " "))
      } }]] })
    return site:get "/begun".body
  end

  local function three() return ("a = %s, b = %s, c = %s"):format(MAIN, SPARE, MAIN) end

  it("begins calls that nobody waits for at intervals, or they would be due together", function()
    assert.equal("a 10 b 10 c 10", begun(three(), 1, ""))
  end)

  it("begins calls that somebody waits for first, and at once", function()
    assert.equal("b c a 10", begun(three(), 1, [[
      local shared = all.list[2].cache.shared
      for _, key in ipairs(ngx.shared.bitfront:get_keys(0)) do -- b has nothing, c old balances
        if key:find(shared.prefix, 1, true) then ngx.shared.bitfront:delete(key) end
      end
      all.list[3].cache.stale = 0
    ]]))
  end)

  it("has intervals of half a ttl in all where there are many", function()
    local accounts, expected = {}, {}
    local free = options_of("keyofmain", "secret1", { options = "rate_limit = false" })
    exchange:set { limits = false }
    for i = 1, 10 do
      accounts[i], expected[i] = ("a%02d = %s"):format(i, free), ("a%02d 5"):format(i)
    end
    assert.equal(table.concat(expected, " "), begun(table.concat(accounts, ", "), 0.1, ""))
  end)

  -- What code says in a worker whose clock is moved by sleeping alone, where nginx grants
  -- timers and runs none, and where each call that is begun is said.
  local function simulated(code, accounts)
    start(accounts or TWO, { server = [[
      location = /simulated { content_by_lua_block {
        local cache, waits = require "bitfront.nginx.cache", require "bitfront.wait.nginx"
        local native, timers, said, pauses = require "bitfront.native", {}, {}, {}
        local now = native.now() * 0 + 1000
        native.now = function() return now end
        ngx.sleep = function(seconds)
          pauses[#pauses + 1] = ("%.4g"):format(seconds)
          now = now + seconds
        end
        waits.start_timer = function(call)
          timers[#timers + 1] = call
          return true
        end
        function cache.begin(one) said[#said + 1] = one.account end
        local all = require("bitfront.nginx").cached(require "made")
        local function say(...) said[#said + 1] = table.concat({ ... }, " ") end
        ]] .. code .. [[
        ngx.print(table.concat(said, ", "))
      } }]] })
    return site:get "/simulated".body
  end

  it("starts another timer where one does not run, and none while calls are begun", function()
    assert.equal("1 1 2 2 3, main, 3, 3, 4, spare, 4, 5", simulated [[
      local counts = {}
      for i, time in ipairs { 1000, 1000.049, 1000.05, 1001.0499, 1001.05 } do
        now = time
        all:refresh()
        counts[i] = #timers
      end
      say(unpack(counts))
      timers[1](true)
      local begin = cache.begin
      function cache.begin(one)
        begin(one)
        timers[2](false)
        for _, later in ipairs(one.account == "main" and { 0.5, 0.49, 0.01 } or {}) do
          now = now + later
          all:refresh()
          say(#timers)
        end
      end
      timers[3](false)
      all:refresh()
      say(#timers)
      now = now + 0.05
      all:refresh()
      say(#timers)
    ]])
  end)

  it("waits for accounts in pauses that grow, for a second where others have balances", function()
    local accounts = ("main = %s, spare = %s"):format(
      options_of("keyofmain", "secret1", { options = "timeout = 0.5" }),
      options_of("keyofspare", "secret2", { options = "timeout = 0.25" }))
    assert.equal("main, spare, nil timeout response 1.508, "
      .. "0.01 0.015 0.0225 0.03375 0.05063 0.07594 0.1 0.1, "
      .. "main fresh timeout, 1.008, 1.5, 2", simulated([[
      local copies, peek = {}, cache.peek
      function cache.peek(one) return { copy = copies[one.account], freshness =
        copies[one.account] and "fresh", age = 0, cache = one }, true end
      function cache.is_due() return true, true end
      local function have_both()
        copies.main, copies.spare = { records = {} }, { records = {} }
        all:balances()
      end
      local records, err = all:balances()
      say(tostring(records), err.kind, err.code, ("%.4g"):format(now - 1000))
      say(unpack(pauses, 1, 8))
      now, all.last_begun = 2000, 2000
      have_both()
      copies.spare = nil
      local _, _, info = all:balances()
      say("main", info.accounts.main.freshness, info.accounts.spare.err.kind)
      say(("%.4g"):format(now - 2000))
      function ngx.sleep() now = now + 0.5 end
      for _, name in ipairs { "spare", "main" } do
        now, all.last_begun = 3000, 4000
        if name == "spare" then have_both() end
        copies[name] = nil
        all:balances()
        say(now - 3000)
      end
    ]], accounts))
  end)

  it("waits for nothing where no call can bring it, and starts a timer for calls alone", function()
    assert.equal("none 0 0, dict 0 1, 1", simulated [[
      local code, is_due
      function cache.peek(one) return { err = { code = code }, cache = one }, is_due end
      for _, case in ipairs { { "none", false }, { "dict", true } } do
        code, is_due = case[1], case[2]
        local _, err = all:balances()
        say(err.code, now - 1000, #timers)
      end
      now, ngx.get_phase = now + 1, function() return "init" end
      all:refresh()
      say(#timers)
    ]])
  end)

  it("leaves out intervals below a millisecond", function()
    local accounts = {}
    for i = 1, 60 do accounts[i] = ("a%02d = %s"):format(i, MAIN) end
    local said = begun(table.concat(accounts, ", "), 0.1, "")
    assert.matches("^a", said)
    assert.is_nil(said:find " %d")
    assert.equal("", site:logged_errors())
  end)

  it("answers in a worker that exits as in others", function()
    start(TWO, { options = "ttl = 0.1, stale = 0,", server = [[
      location = /late { content_by_lua_block {
        local cache = require("bitfront.nginx").cached(require "made")
        while not ngx.worker.exiting() do ngx.sleep(0.01) end
        ngx.print(#cache:balances())
      } }]] })
    local pipe = io.popen("curl -s -m 20 " .. site.url .. "/late; echo")
    site:await("no request comes", function() return site:get "/ping".status == 200 end)
    support.sleep(0.1)
    site:signal "HUP"
    assert.equal("4\n", pipe:read "*a")
    pipe:close()
  end)

  it("is given to serve, too", function()
    start(TWO, { server = [[
      location = /given { content_by_lua_block {
        local nginx = require "bitfront.nginx"
        nginx.serve { cache = nginx.cached(require "made") }()
      } }]] })
    assert.equal(4, #json "/given".balances)
  end)

  it("gives the error where no account has balances", function()
    start("wrong = " .. options_of("keyofnone", "secret"))
    local got = json "/cache"
    assert.is_nil(got.records)
    assert.matches("^bitfront: auth ", got.err)
  end)

  -- ---- profiles ----

  local function profiles(names)
    return command.with_credentials(exchange, { BITFRONT_API_KEY = false,
      BITFRONT_API_SECRET = false, HOME = command.home(names) })
  end

  it("takes all sections of the credentials file", function()
    local env = profiles { main = { "keyofmain", "secret1" }, spare = { "keyofspare", "secret2" } }
    start('"profiles"', { env = { HOME = env.HOME, BITFRONT_BASE_URL = exchange.base_url,
                                  BITFRONT_CA_FILE = exchange.ca_file } })
    local of = keyed(json().accounts)
    assert.same({ "fresh", "fresh" }, { of.main.freshness, of.spare.freshness })
  end)

  it("says so where that file has none or cannot be read, and reads it again", function()
    local dir = support.tmpdir()
    start('"profiles"', { env = { HOME = dir, BITFRONT_BASE_URL = exchange.base_url,
                                  BITFRONT_CA_FILE = exchange.ca_file } })
    local shown, reply = json()
    assert.same({ 500, "config" }, { reply.status, shown.kind })
    assert.equal(500, site:get "/balances?format=prometheus".status)
    assert.equal(1, select(2, site:log():gsub("credentials has no accounts", "")))
    assert.equal(0, json "/cache".attempts)
    support.must(("mkdir -p %s/.config/bitfront && cp %s/.config/bitfront/credentials "
      .. "%s/.config/bitfront/"):format(dir, profiles { main = { "keyofmain", "secret1" } }.HOME,
      dir))
    assert.equal(200, site:get "/balances".status)
  end)

  -- ---- misuse ----

  it("refuses what are no accounts, and names the one whose options are wrong", function()
    start(TWO, { server = [[
      location = /made { content_by_lua_block {
        local options = assert(loadstring("return " .. ngx.unescape_uri(ngx.var.args)))()
        ngx.print(select(2, pcall(require("bitfront.nginx").cached, options)))
      } }]] })
    local function refuses(options, words)
      local escaped = options:gsub("[^%w]", function(char)
        return ("%%%02X"):format(char:byte())
      end)
      assert.matches(words, site:get("/made?" .. escaped).body, 1, true)
    end
    for _, wrong in ipairs { "{}", "1", '"all"', "{ {} }", '{ [""] = {} }', "{ a = 1 }",
                             "setmetatable({ a = {} }, { __index = {} })" } do
      refuses("{ accounts = " .. wrong .. " }",
        'bitfront.nginx.cached: accounts must be "profiles", or options for bitfront.new by '
          .. "the account's name")
    end
    refuses("{ accounts = { b = { api_kee = 'x' }, a = {} } }",
      'bitfront.nginx.cached: accounts["b"]: unknown option "api_kee"; did you mean "api_key"?')
    for first, names in pairs { a = "a b c d e f g h", b = "h g f e d c b" } do
      refuses("{ accounts = { " .. names:gsub("%a", "%0 = { x = 1 }, ") .. " } }",
        ('bitfront.nginx.cached: accounts["%s"]: unknown option "x"'):format(first))
    end
    refuses("{ accounts = { a = {} }, options = {} }", "give either accounts or options, not both")
    refuses("{ accounts = { a = {} }, client = { balances = print } }",
      "give either accounts or client, not both")
  end)

  it("is made once for the same accounts, and raises for others under its name", function()
    start(TWO, { server = ([[
      location = /made { content_by_lua_block {
        local nginx = require "bitfront.nginx"
        local function made(secret)
          return nginx.cached { name = "m", accounts = { a = { api_key = "k",
            api_secret = secret, rate_limit = { per_second = 2 } } } }
        end
        local same = made "1" == made "1"
        ngx.print(tostring(same), " ", select(2, pcall(made, "2")))
      } }]]) })
    assert.matches("^true .*has a cache bitfront:m with other options", site:get "/made".body)
  end)
end)
