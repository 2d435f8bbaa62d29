-- What a call costs an nginx worker, beside the other ways to make it there; and
-- how long an unrelated location takes meanwhile. Nothing here fails because of a figure.
--
-- The CPU time of the event loop's thread is the kernel's (schedstat), for each
-- call, net of the same handler without the call. Medians of interleaved rounds.

local dead_dns = require "spec.support.dead_dns"
local core_now = require "bitfront.native".now
local support = require "spec.support"
local namespace = require "spec.support.namespace"
local nginx = require "spec.support.nginx"

local SECONDS, ROUNDS = tonumber(arg[1]) or 2, tonumber(arg[2]) or 3
local CALLERS = { 1, 32, 256 }

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

-- ---- the kernel's figures ----

-- Nanoseconds on a processor: of the event loop's thread, and of all.
local function cpu(pid)
  local main, all = 0, 0
  for task in support.must("ls /proc/" .. pid .. "/task"):gmatch "%d+" do
    local text = support.read(("/proc/%d/task/%s/schedstat"):format(pid, task))
    local ns = tonumber(text and text:match "^%d+" or 0)
    all = all + ns
    if tonumber(task) == pid then main = ns end
  end
  return main, all
end

-- ---- wrk ----

local REPORT = [[
  %s
  function done(summary, latency)
    print(("%%d %%d %%d %%d %%d"):format(summary.requests, summary.duration,
      latency:percentile(99), latency.max,
      summary.errors.status + summary.errors.connect + summary.errors.read
        + summary.errors.timeout))
  end
]]

local function script(more)
  local path = support.tmpdir() .. "/wrk.lua"
  support.write(path, REPORT:format(more or ""))
  return path
end

local function wrk_words(host, path, callers, seconds, with)
  return ("wrk -t1 -c%d -d%d -s %s %s%s"):format(callers, seconds, with, host.url, path)
end

local function read_report(text)
  local requests, us, p99, max, errors =
    text:match "\n(%d+) (%d+) (%d+) (%d+) (%d+)\n"
  return { requests = tonumber(requests), seconds = us / 1e6, p99 = tonumber(p99),
    max = tonumber(max), errors = tonumber(errors) }
end

-- ---- the ways to call ----

local WAYS = {
  { "the handler without a call", "/none" },
  { "blocking in the worker", "/blocking" },
  { "cosocket, by hand", "/cosocket" },
  { "proxy_pass, kept connections", "/proxy" },
  { "bitfront", "/bitfront" },
}

local INIT = [[
  lua_ssl_trusted_certificate %s;
  lua_ssl_verify_depth 3;
  init_by_lua_block {
    local bitfront = require "bitfront"
    client = bitfront.new { api_key = %q, api_secret = %q, base_url = %q, ca_file = %q,
      timeout = 20, rate_limit = false, retries = 0 }
    %s
  }
]]

local SIDE_BY_SIDE = [[
  init_worker_by_lua_block {
    package.path = package.path .. ";%s/?.lua"
    core = require "bitfront.core"
    hand = require "spec.bench.cosocket".new("127.0.0.1", %d, "/static", %q, %q)
  }
  upstream exchange { server 127.0.0.1:%d; keepalive 512; }
]]

local OURS = [[
  location = /bitfront { content_by_lua_block {
    local balances, err = client:balances()
    if not balances then ngx.log(ngx.ERR, err) ngx.exit(500) end
    ngx.print(#balances)
  } }
]]

local THEIRS = [[
  location = /none { content_by_lua_block { ngx.print "22" } }
  location = /blocking { content_by_lua_block {
    local balances = core.balances {
      client = require("bitfront.account").of(client).handle, deadline = core.now() + 10 }
    if not balances then ngx.exit(500) end
    ngx.print(#balances)
  } }
  location = /cosocket { content_by_lua_block {
    local balances, err = hand:balances()
    if not balances then ngx.log(ngx.ERR, err) ngx.exit(500) end
    ngx.print(#balances)
  } }
  location = /proxy {
    proxy_pass https://exchange/static/v1/account/balances;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host 127.0.0.1;
    proxy_ssl_name localhost;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate %s;
  }
]]

local function start(base_url, ca_file, more)
  more = more or {}
  return nginx.start {
    http = INIT:format(ca_file, support.KEY, support.SECRET, base_url, ca_file, more.init or "")
      .. (more.http or ""),
    server = OURS .. (more.server or ""),
    main = more.main,
  }
end

-- Figures of one way with so many callers.
local function measure(host, way, callers, with)
  local pid = host:workers()[1]
  local main, all = cpu(pid)
  local report = read_report(support.must(
    wrk_words(host, way[2], callers, SECONDS, with)))
  local main_after, all_after = cpu(pid)
  report.main = (main_after - main) / report.requests / 1000
  report.all = (all_after - all) / report.requests / 1000
  report.rate = report.requests / report.seconds
  return report
end

local function print_rows(rows, callers)
  print(("\n%-32s %10s %12s %12s %12s %7s"):format(callers .. " callers", "calls/s",
    "loop us/call", "net of none", "all us/call", "failed"))
  for _, row in ipairs(rows) do
    print(("%-32s %10.0f %12.1f %12.1f %12.1f %7d"):format(row.name, row.rate, row.main,
      row.main - rows[1].main, row.all, row.errors))
  end
end

local function side_by_side(host, callers, with)
  local rounds, rows = {}, {}
  for _, way in ipairs(WAYS) do
    host:body(way[2])
    rounds[way] = {}
  end
  for round = 1, ROUNDS do
    for _, way in ipairs(WAYS) do
      rounds[way][round] = measure(host, way, callers, with)
    end
  end
  for i, way in ipairs(WAYS) do
    rows[i] = { name = way[1] }
    for _, figure in ipairs { "rate", "main", "all", "errors" } do
      local list = {}
      for round = 1, ROUNDS do list[round] = rounds[way][round][figure] end
      rows[i][figure] = median(list)
    end
  end
  print_rows(rows, callers)
  return rows
end

local function tree()
  return (support.must "pwd":gsub("\n", ""))
end

local function compare()
  local sandbox = support.sandbox()
  local port = tonumber(sandbox.base_url:match ":(%d+)")
  local host = start(sandbox.base_url .. "/static", sandbox.ca_file, {
    http = SIDE_BY_SIDE:format(tree(), port, support.KEY, support.SECRET, port),
    server = THEIRS:format(sandbox.ca_file),
  })
  local with = script()
  print "a call of a fast exchange on loopback, one worker"
  for _, callers in ipairs(CALLERS) do
    local rows = side_by_side(host, callers, with)
    local none = rows[1].main
    if callers == 32 then
      print(("the loop's time, x the cosocket's: %.2f (at most 0.4); x proxy_pass's: %.2f "
        .. "(below 1)"):format((rows[5].main - none) / (rows[3].main - none),
        (rows[5].main - none) / (rows[4].main - none)))
      print(("calls a second, x blocking: %.2f (at least 2.5)"):format(rows[5].rate / rows[2].rate))
    end
  end
  host:stop()
  sandbox:stop()
end

-- ---- how long others wait ----

local PING = script "function delay() return 1 end"

local function ping(host, seconds, beside)
  local words = wrk_words(host, "/ping", 1, seconds, PING)
  if beside then
    words = ("{ sleep 0.3; %s; } >/dev/null 2>&1 & %s; wait"):format(beside, words)
  end
  local report = read_report(support.must(words))
  return report.p99 / 1000, report.max / 1000
end

local function row(what, p99, max)
  print(("%-52s %8.2f %8.2f"):format(what, p99, max))
end

local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

local function slow_server(faultd)
  local host = start(faultd:url_body(BODY, { delay = 200 }), faultd.ca_file)
  row("/ping, ms: idle", ping(host, 3))
  local with, out = script(), support.tmpdir() .. "/out"
  row("beside 100 callers of 200 ms", ping(host, 6,
    wrk_words(host, "/bitfront", 100, 4, with) .. " | tee " .. out))
  local report = read_report(support.read(out))
  print(("  of them %.0f calls a second, %d failed"):format(
    report.requests / report.seconds, report.errors))
  host:stop()
end

local function cold(faultd)
  local url = faultd:url_body(BODY, { close = "fin", headers = { "Connection: close" } })
  local host = start(url, faultd.ca_file)
  row("while 100 cold TLS connections are made", ping(host, 2, ("curl -sZ "
    .. "--parallel-immediate --parallel-max 100 '%s/bitfront?[1-100]'"):format(host.url)))
  host:stop()
end

local function outstanding(faultd)
  local host = start(faultd:url { listener = "plain", reply = "x", delay = 9000 },
    faultd.ca_file)
  host:body "/ping"
  local pipe = io.popen("curl -sm 8 " .. host.url .. "/bitfront")
  support.sleep(0.5)
  local pid = host:workers()[1]
  local _, before = cpu(pid)
  support.sleep(5)
  local _, after = cpu(pid)
  print(("one slow call outstanding: %.3f %% of a core (at most 0.2)"):format(
    (after - before) / 5e9 * 100))
  host:stop()
  pipe:close()
end

-- The site's answer from its cache beside a constant text as long: the worker's CPU
-- time for each, in turn, so that what disturbs one disturbs both.
local function from_cache()
  local exchange = support.sandbox()
  local host = nginx.start {
    env = { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
            BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file },
    http = "lua_shared_dict bitfront 1m;",
    server = [[
      location = /balances { content_by_lua_block {
        require("bitfront.nginx").serve { ttl = 2 }() } }
      location = /length { content_by_lua_block {
        local text = ngx.location.capture("/balances").body
        constant = ("x"):rep(#text)
        ngx.print(#text) } }
      location = /constant { content_by_lua_block { ngx.print(constant) } }]],
  }
  assert(tonumber((host:body "/length")) > 0)
  local pid, ratios = host:workers()[1], {}
  local function cost(path)
    local _, before = cpu(pid)
    local text = support.must(wrk_words(host, path, 16, 1, script()))
    local _, after = cpu(pid)
    return (after - before) / read_report(text).requests
  end
  for i = 1, ROUNDS do
    ratios[i] = cost "/constant" / cost "/balances"
  end
  print(("\nthe site's cache, x a constant text: %.2f (at least 0.8)"):format(median(ratios)))
  host:stop()
  exchange:stop()
end

-- A site of 200 accounts, each of whose calls brings other amounts: how long a scrape takes
-- while a timer keeps them fresh, and how often each is called.
local ACCOUNTS, COINS, TTL, SCRAPES = 200, 10, 2, 20

local function changing_balances()
  local records = {}
  for i = 1, COINS do
    records[i] = ('{"currency":"C%d","balance":{X-API-TIMESTAMP}.%d,"availableBalance":1}')
      :format(i, i)
  end
  return support.success("[" .. table.concat(records, ",") .. "]")
end

-- Calls of each account, from the metrics.
local function calls_of(host)
  local calls = {}
  for account, count in host:body "/metrics"
    :gmatch 'bitfront_exchange_calls_total{account="(%d+)"} (%d+)' do
    calls[account] = tonumber(count)
  end
  return calls
end

local function many_accounts(faultd)
  local host = nginx.start {
    http = ([[
      lua_shared_dict bitfront 16m;
      init_worker_by_lua_block {
        local accounts = {}
        for i = 1, %d do
          accounts[tostring(i)] = { api_key = "key" .. i, api_secret = "secret",
            base_url = %q, ca_file = %q }
        end
        options = { accounts = accounts, ttl = %d, format = "prometheus" }
        handler = require("bitfront.nginx").serve(options)
        local cache = require("bitfront.nginx").cached { accounts = accounts, ttl = %d }
        ngx.timer.every(0.5, function() cache:refresh() end)
      }]]):format(ACCOUNTS, faultd:url_body(changing_balances(), { echo = 1 }), faultd.ca_file,
      TTL, TTL),
    server = "location = /metrics { content_by_lua_block { handler() } }",
  }
  support.sleep(3)
  local before, pid, begun = calls_of(host), host:workers()[1], core_now()
  local _, cpu_before = cpu(pid)
  local report = read_report(support.must(wrk_words(host, "/metrics", 1, 20,
    script(("function delay() return %d end"):format(1000 / SCRAPES)))))
  local _, cpu_after = cpu(pid)
  local seconds, most, count = core_now() - begun, 0, 0
  for account, calls in pairs(calls_of(host)) do
    local made = calls - before[account]
    most, count = math.max(most, made), count + made
  end
  print(("\na scrape of %d accounts of %d coins, ttl %d s, one worker: p99 %.1f ms (below 20), "
    .. "longest %.1f"):format(ACCOUNTS, COINS, TTL, report.p99 / 1000, report.max / 1000))
  print(("  of them %.1f a second, %d failed, %d bytes; calls of an account in %.0f s: %.1f, at "
    .. "most %d (at most %d); the worker is busy for %.0f %% of the time"):format(
    report.requests / report.seconds, report.errors, #host:body "/metrics", seconds,
    count / ACCOUNTS, most, math.ceil(seconds / TTL), (cpu_after - cpu_before) / 1e7 / seconds))
  host:stop()
end

local function dead()
  local host = start("https://dead.example", support.certs().ca, {
    main = "master_process off;",
    server = [[location = /dead { content_by_lua_block {
      require("bitfront.account").of(client).options.timeout = 0.5
      local _, err = client:balances()
      ngx.print(err.kind) } }]],
  })
  host.workers = function() return { host:pid() } end
  row("with a dead name server, 20 callers", ping(host, 3,
    wrk_words(host, "/dead", 20, 2, script())))
  host:stop()
end

-- Runs again with "dead" in a network whose name server never answers.
local function in_dead_network()
  local message
  namespace.needed(function(why) message = why end)
  io.write(message or dead_dns.run "lua5.4 spec/bench/nginx.lua dead")
end

if arg[1] == "dead" then
  dead()
elseif arg[1] == "accounts" then
  local faultd = support.faultd()
  many_accounts(faultd)
  faultd:stop()
else
  compare()
  local faultd = support.faultd()
  print(("\n%-52s %8s %8s"):format("what an unrelated location feels", "p99", "longest"))
  slow_server(faultd)
  cold(faultd)
  in_dead_network()
  outstanding(faultd)
  from_cache()
  many_accounts(faultd)
  faultd:stop()
end
