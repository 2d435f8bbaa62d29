-- What the module does inside a real nginx: where a call works and where it says
-- that it cannot, that it keeps nobody waiting, and that nothing of it is left
-- when a caller or a worker goes away.

local dead_dns = require "spec.support.dead_dns"
local namespace = require "spec.support.namespace"
local support = require "spec.support"
local nginx = require "spec.support.nginx"
local number = require "spec.support.number"

-- In each worker: clients of the servers there are, and words for what becomes
-- of a call.
local INIT = [[
  local bitfront = require "bitfront"
  local urls, ca_file = { %s }, %q
  clients = {}
  for name, url in pairs(urls) do
    clients[name] = bitfront.new { api_key = %q, api_secret = %q,
      base_url = url, ca_file = ca_file, timeout = 20, connect_timeout = 20,
      rate_limit = false, retries = 0 }
  end
  function result_of(name)
    local records, err = clients[name or "ok"]:balances()
    return records and records[1].currency or err.kind .. " " .. err.code
  end
  function note(where, name)
    local words = result_of(name)
    local file = assert(io.open(ngx.config.prefix() .. "notes", "a"))
    file:write(where, ": ", words, "\n")
    file:close()
    return words
  end
]]

local SERVER = [[
  location = /ok { content_by_lua_block { ngx.print(result_of "ok", "\n") } }
  location = /slow { content_by_lua_block { ngx.print(result_of "slow", "\n") } }
  location = /silent { content_by_lua_block { ngx.print(result_of "silent", "\n") } }
  location = /status { content_by_lua_block {
    collectgarbage() collectgarbage()
    ngx.print(table.concat({ require "bitfront.core".thread_status() }, " "))
  } }
]]

describe("inside nginx #once #apart", function()
  local faultd, host
  local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  after_each(function()
    if host then host:stop() end
    host = nil
  end)

  local function init_lua()
    local urls = {}
    for name, url in pairs {
      ok = faultd:url_body(BODY), slow = faultd:url_body(BODY, { delay = 200 }),
      slower = faultd:url_body(BODY, { delay = 1500 }),
      silent = faultd:url { listener = "silent" },
    } do
      urls[#urls + 1] = ("%s = %q"):format(name, url)
    end
    return INIT:format(table.concat(urls, ", "), faultd.ca_file, support.KEY,
      support.SECRET)
  end

  local function start(options)
    options = options or {}
    host = nginx.start {
      http = ("init_by_lua_block {\n%s\n%s}\n%s"):format(init_lua(),
        options.init or "", options.http or ""),
      server = SERVER .. (options.server or ""),
      main = options.main, workers = options.workers, stream = options.stream,
      under = options.under, env = options.env,
    }
    return host
  end

  local function notes()
    local found = {}
    for where, words in (support.read(host.dir .. "/notes") or "")
      :gmatch "([^\n]-): ([^\n]*)" do
      found[where] = words
    end
    return found
  end

  -- Waits until no job is left of a caller that has ended.
  local function await_no_jobs()
    return host:await("jobs are left", function()
      return host:body "/status" == "0 0"
    end)
  end

  local function logs_no_error()
    assert.equal("", host:logged_errors())
  end

  local function count(text, word)
    return select(2, text:gsub(word, ""))
  end

  -- What `measure` returns, at best of three times where it is not below the bound:
  -- the machine may have been busy with something else.
  local function at_best(bound, measure)
    local least = measure()
    for _ = 1, 2 do
      if least >= bound then least = math.min(least, measure()) end
    end
    return least
  end

  -- ---- where it works ----

  describe("a call works in", function()
    for phase, server in pairs {
      rewrite = [[rewrite_by_lua_block { ngx.print(note "rewrite") ngx.exit(200) }]],
      access = [[access_by_lua_block { ngx.print(note "access") ngx.exit(200) }]],
      content = [[content_by_lua_block { ngx.print(note "content") }]],
    } do
      it("the phase " .. phase, function()
        start { server = "location = /try { " .. server .. " }" }
        for _ = 1, 3 do assert.equal("BTC", (host:body "/try")) end
        logs_no_error()
      end)
    end

    it("a subrequest, a timer, and a light thread", function()
      start { server = [[
        location = /inner { content_by_lua_block { ngx.print(result_of "ok") } }
        location = /try { content_by_lua_block {
          ngx.timer.at(0, function() note "timer" end)
          local all = {}
          for i = 1, 3 do all[i] = ngx.thread.spawn(result_of, "slow") end
          for i = 1, 3 do assert(select(2, ngx.thread.wait(all[i])) == "BTC") end
          ngx.print(ngx.location.capture("/inner").body)
        } }]] }
      assert.equal("BTC", (host:body "/try"))
      host:await("no timer", function() return notes().timer end)
      assert.equal("BTC", notes().timer)
      logs_no_error()
    end)

    it("ssl_certificate_by_lua", function()
      local certs = support.certs()
      start { http = ([[
        lua_ssl_trusted_certificate %s;
        ssl_session_fetch_by_lua_block { note "ssl_session_fetch" }
        ssl_session_store_by_lua_block { note "ssl_session_store" }
        server {
          listen unix:tls.sock ssl;
          ssl_protocols TLSv1.2;
          ssl_session_tickets off;
          ssl_certificate %s;
          ssl_certificate_key %s;
          ssl_client_hello_by_lua_block { note "ssl_client_hello" }
          ssl_certificate_by_lua_block { note "ssl_cert" }
          location / { return 200 pong; }
        }]]):format(certs.ca, certs.good, certs.good) }
        support.run(("cd %s && (sleep 0.5; echo) | openssl s_client -unix tls.sock "
        .. "-no_ticket -reconnect"):format(host.dir))
      local found = notes()
      assert.equal("BTC", found.ssl_cert)
      assert.equal("phase ssl_session_store", found.ssl_session_store)
      -- Without OpenResty's patches the last two cannot wait.
      assert.equal(found.ssl_client_hello, "phase ssl_client_hello")
      assert.equal(found.ssl_session_fetch, "phase ssl_session_fetch")
      logs_no_error()
      assert.equal("BTC\n", (host:body "/ok"))
    end)

    for where, code in pairs {
      ["pcall and xpcall"] = [[
        local a, one = pcall(result_of)
        local b, two = xpcall(result_of, debug.traceback)
        return a and b and one == two and one]],
      ["coroutine.wrap"] = "return coroutine.wrap(result_of)()",
      ["coroutine.resume"] = [[
        local made = coroutine.create(function() coroutine.yield() return result_of() end)
        coroutine.resume(made)
        return select(2, coroutine.resume(made))]],
      ["a metamethod"] = [[
        local words = setmetatable({}, { __index = result_of and function() return result_of() end,
          __call = function() return result_of() end,
          __concat = function() return result_of() end })
        return words.x == words() and words .. "" == words.x and words.x]],
      ["an iterator"] = [[for words in function() return result_of() end do return words end]],
      ["a loaded chunk"] = "return loadstring('return result_of()')()",
      ["a callback of ngx.re.gsub"] =
        "return (ngx.re.gsub('x', 'x', function() return result_of() end))",
    } do
      it(where, function()
        start { server = ("location = /try { content_by_lua_block { %s } }")
          :format("ngx.print((function() " .. code .. " end)())") }
        assert.equal("BTC", (host:body "/try"))
        logs_no_error()
      end)
    end
  end)

  -- ---- where it cannot ----

  describe("a call says that it cannot be made in", function()
    -- One worker, the same before and after, which has seen no signal.
    local function is_unharmed(pids)
      assert.same(pids, host:workers())
      assert.equal("BTC\n", (host:body "/ok"))
      assert.equal("0 0", (host:body "/status"))
      assert.is_nil(host:log():find("signal 11", 1, true))
      logs_no_error()
    end

    it("the phases that cannot wait", function()
      start {
        init = 'note "init"',
        http = [[
          init_worker_by_lua_block { note "init_worker" }
          exit_worker_by_lua_block { note "exit_worker" }
          upstream chosen {
            server 0.0.0.1;
            balancer_by_lua_block {
              note "balancer"
              require "ngx.balancer".set_current_peer("127.0.0.1", ngx.var.server_port)
            }
          }]],
        server = [[
          location = /try {
            set_by_lua_block $word { return note "set" }
            header_filter_by_lua_block { note "header_filter" }
            body_filter_by_lua_block { note "body_filter" }
            log_by_lua_block { note "log" }
            content_by_lua_block { ngx.print "words" }
          }
          location = /balance { proxy_pass http://chosen/ping; }]],
      }
      local pids = host:workers()
      host:body "/try"
      assert.equal("pong", (host:body "/balance"))
      is_unharmed(pids)
      host:stop "QUIT"
      local found = notes()
      for _, phase in ipairs { "init", "init_worker", "exit_worker", "balancer", "set",
                               "header_filter", "body_filter", "log" } do
        assert.equal("phase " .. phase, found[phase])
      end
    end)

    for where, code in pairs {
      ["a comparator of table.sort"] =
        "local w table.sort({ 1, 2 }, function(a, b) w = result_of() return a < b end) return w",
      ["a callback of string.gsub"] =
        "return (string.gsub('x', 'x', function() return result_of() end))",
      ["a module's top level"] =
        "package.preload.top = function() return result_of() end return require 'top'",
      ["pcall within table.sort"] = [[
        local w
        table.sort({ 1, 2 }, function(a, b) w = select(2, pcall(result_of)) return a < b end)
        return w]],
      ["a finalizer"] = [[
        local w, proxy = nil, newproxy(true)
        getmetatable(proxy).__gc = function() w = result_of() end
        proxy = nil
        collectgarbage() collectgarbage()
        return w]],
    } do
      it(where, function()
        start { server = ("location = /try { content_by_lua_block { %s } }")
          :format("ngx.print((function() " .. code .. " end)())") }
        local pids = host:workers()
        assert.equal("phase c_call", (host:body "/try"))
        is_unharmed(pids)
      end)
    end

    it("any of them, naming the phase and the way out", function()
      start { server = [[location = /try { content_by_lua_block { ngx.print("x") }
        log_by_lua_block {
          local _, err = clients.ok:balances()
          local file = io.open(ngx.config.prefix() .. "message", "w")
          file:write(err.message, " retryable=", tostring(err.retryable))
          file:close()
        } }]] }
      host:body "/try"
      local text = host:await("no message", function()
        local written = support.read(host.dir .. "/message")
        return written ~= "" and written
      end)
      assert.truthy(text:find("phase log", 1, true), text)
      assert.truthy(text:find("ngx.timer.at(0", 1, true), text)
      assert.truthy(text:find("retryable=false", 1, true), text)
    end)
  end)

  -- ---- many at once ----

  it("100 callers of one worker wait for a slow server together", function()
    start()
    local core = require "bitfront.core"
    local function time_of(path)
      local begun = core.now()
      assert.equal(100, count(host:many(path, 100), "BTC"))
      return core.now() - begun
    end
    local fast = time_of "/ok" -- what 100 handshakes take of this machine
    assert.is_true(time_of "/slow" - fast < 5) -- not 20, as one after the other
    await_no_jobs()
    logs_no_error()
  end)

  local DEAD = [[
    local nginx = require "spec.support.nginx"
    local core = require "bitfront.core"
    local host = nginx.start { main = "master_process off;",
      server = "location = /dead { content_by_lua_block { " ..
        "local client = require 'bitfront'.new { api_key = 'k', api_secret = 's', " ..
        "rate_limit = false, timeout = 0.5, base_url = 'https://dead.example' } " ..
        "local _, err = client:balances() ngx.print(err.kind, ' ', err.code, ';') } }" }
    local pipe = io.popen("for i in 1 2; do curl -sZ --no-progress-meter " ..
      "--parallel-immediate -m 10 '" .. host.url .. "/dead?[1-10]'; done")
    local longest, till = 0, core.now() + 1
    repeat -- by curl's clock, which does not count the time that curl takes to start
      longest = math.max(longest, tonumber(require "spec.support.shell".must(
        "curl -sf -m 30 -o /dev/null -w '%{time_total}' " .. host.url .. "/ping")))
    until core.now() > till
    print(pipe:read "*a")
    print(longest)
    local begun = core.now()
    host:stop "QUIT"
    print(core.now() - begun)
  ]]

  it("a name server that never answers keeps nobody waiting", function()
    namespace.needed(pending)
    local dir = support.tmpdir()
    support.write(dir .. "/dead.lua", DEAD)
    local took = at_best(0.3, function()
      local out = dead_dns.run(support.interpreter() .. " " .. dir .. "/dead.lua")
      local words, longest, ending = out:match "^([^\n]*)\n([^\n]*)\n([^\n]*)"
      assert.equal(("timeout resolve;"):rep(20), words)
      assert.is_true(number(ending) < 3, ending) -- a name server is waited for 5 s
      return number(longest)
    end)
    assert.is_true(took < 0.3, tostring(took))
  end)

  it("each caller has its own client, deadline and error", function()
    start { server = [[location = /try { content_by_lua_block {
      local bitfront = require "bitfront"
      local late = bitfront.new { api_key = "k", api_secret = "s", timeout = 0.1,
        rate_limit = false,
        base_url = clients.silent and ngx.var.arg_url }
      local begun = ngx.now()
      local thread = ngx.thread.spawn(late.balances, late)
      local slow = ngx.thread.spawn(result_of, "slower")
      local _, _, err = ngx.thread.wait(thread)
      ngx.update_time()
      local took = ngx.now() - begun
      local _, words = ngx.thread.wait(slow)
      ngx.print(err.kind, " ", took < 1.4, " ", words)
    } }]] }
    assert.equal("timeout true BTC",
      (host:body("/try?url=" .. faultd:url { listener = "silent" })))
  end)

  it("a caller gets its answer also where no socket can be made", function()
    start { main = "env TMPDIR;", http = [[init_worker_by_lua_block {
      require "bitfront.core".thread_listen = function() end }]] }
    assert.equal(30, count(host:many("/slow", 30), "BTC"))
    logs_no_error()
  end)

  -- ---- callers that go away ----

  describe("nothing is left of", function()
    for _, check in ipairs { "on", "off" } do
      it("clients that close their connection, lua_check_client_abort " .. check, function()
        start { http = "lua_check_client_abort " .. check .. ";" }
        for _ = 1, 3 do host:many("/slow", 40, "-m 0.1") end
        await_no_jobs()
        assert.equal(20, count(host:many("/slow", 20), "BTC"))
        await_no_jobs()
        logs_no_error()
      end)
    end

    it("light threads that are killed, and requests that exit", function()
      start { server = [[
        location = /kill { content_by_lua_block {
          for i = 1, 20 do
            local thread = ngx.thread.spawn(result_of, "silent")
            ngx.sleep(0.002)
            assert(ngx.thread.kill(thread))
          end
          ngx.print "killed"
        } }
        location = /exit { content_by_lua_block {
          for i = 1, 20 do ngx.thread.spawn(result_of, "silent") end
          ngx.sleep(0.01)
          ngx.exit(204)
        } }]] }
      for _ = 1, 3 do
        assert.equal("killed", (host:body "/kill"))
        assert.equal(204, select(2, host:body "/exit"))
      end
      await_no_jobs()
      assert.equal("BTC\n", (host:body "/ok"))
      logs_no_error()
    end)

    it("clients that are collected while they ask", function()
      start { server = [[location = /try { content_by_lua_block {
        local function ask()
          local client = require "bitfront".new { api_key = "k", api_secret = "s",
            base_url = ngx.var.arg_url, rate_limit = false }
          ngx.thread.spawn(client.balances, client)
        end
        for i = 1, 20 do ask() end
        collectgarbage() collectgarbage()
        ngx.exit(204)
      } }]] }
      host:body("/try?url=" .. faultd:url { listener = "silent" })
      await_no_jobs()
      logs_no_error()
    end)
  end)

  -- ---- the life of a worker ----

  -- Keeps asking in a process of its own, for some seconds and 50 calls at least;
  -- its end prints how many calls were answered and how many were not.
  local function keep_asking(path, seconds)
    return assert(io.popen(([[
      good=0 bad=0 end=$(($(date +%%s) + %d))
      while [ $(date +%%s) -lt $end ] || [ $((good + bad)) -le 50 ]; do
        for line in $(curl -sZ --no-progress-meter --parallel-immediate -m 20 '%s%s?[1-10]'); do
          [ "$line" = BTC ] && good=$((good+1)) || bad=$((bad+1))
        done
      done
      echo $good $bad]]):format(seconds, host.url, path)))
  end

  local function answers(pipe)
    local good, bad = pipe:read("*a"):match "(%d+) (%d+)"
    pipe:close()
    return tonumber(good), tonumber(bad)
  end

  -- Reloads and returns the workers of before.
  local function reload()
    local before = host:workers()
    host:signal "HUP"
    host:await("no new worker", function()
      local now = host:workers()
      return now[1] and now[#now] ~= before[#before]
    end)
    return before
  end

  it("a reload loses no call, and the old worker goes away", function()
    start()
    local pipe = keep_asking("/slow", 4)
    for _ = 1, 4 do
      support.sleep(0.7)
      for _, pid in ipairs(reload()) do
        host:await("the old worker stays", function()
          return not nginx.is_running(pid)
        end)
      end
    end
    local good, bad = answers(pipe)
    assert.is_true(good > 50)
    assert.equal(0, bad)
    assert.is_nil(host:log():find("exited on signal", 1, true))
    logs_no_error()
  end)

  -- How long it takes to end.
  local function time_of_stop(signal)
    local core = require "bitfront.core"
    local begun = core.now()
    assert.equal(0, host:stop(signal))
    return core.now() - begun
  end

  it("a worker that quits completes the calls that it has, and those begun meanwhile", function()
    local took = at_best(2.2, function() -- of which the two calls are 1.7
      start { server = [[location = /two { content_by_lua_block {
        local first = result_of "slower"
        ngx.print(first, " ", result_of "slow", " ", tostring(ngx.worker.exiting()))
      } }]] }
      assert.equal("BTC\n", (host:body "/ok"))
      local core = require "bitfront.core"
      local pipe = assert(io.popen("curl -s -m 10 " .. host.url .. "/two"))
      local last = core.now() + 5
      repeat until host:body "/status":find "^[1-9]" or core.now() > last
      local seconds = time_of_stop "QUIT"
      assert.equal("BTC BTC true", pipe:read "*a")
      pipe:close()
      logs_no_error()
      return seconds
    end)
    assert.is_true(took < 2.2, tostring(took))
  end)

  for _, way in ipairs { { "QUIT" }, { "TERM", "/silent" }, { "TERM", "/slow" } } do
    it(("a worker ends at once by %s while it %s"):format(way[1],
      way[2] and "calls " .. way[2] or "is idle"), function()
        local took = at_best(0.5, function()
          start()
          local without_calls = time_of_stop(way[1]) -- of this machine
          start()
          assert.equal("BTC\n", (host:body "/ok"))
          local pipe = way[2] and io.popen("curl -sm 5 " .. host.url .. way[2])
          support.sleep(0.1)
          local seconds = time_of_stop(way[1])
          if pipe then pipe:close() end
          assert.is_nil(host:log():find("exited on signal", 1, true))
          logs_no_error()
          return seconds - without_calls
        end)
        assert.is_true(took < 0.5, tostring(took))
      end)
  end

  -- ---- when nginx or the system has nothing left ----

  -- All of the timers that a worker may run at once are another's, until /free.
  local TIMERS = [[
    location = /timers { content_by_lua_block {
      busy = true
      for _ = 1, 8 do
        ngx.timer.at(0, function()
          while busy and not ngx.worker.exiting() do ngx.sleep(0.01) end
        end)
      end
      ngx.sleep(0.05)
    } }
    location = /pending { content_by_lua_block {
      for _ = 1, 20 do ngx.timer.at(100, function() ngx.sleep(0.3) end) end
    } }
    location = /free { content_by_lua_block { busy = false ngx.sleep(0.1) } }
  ]]

  for _, where in ipairs { "/timers", "/pending" } do
    for _, cache in ipairs { "on", "off" } do
      it(("a worker ends where other code has too many timers: %s, lua_code_cache %s")
        :format(where, cache), function()
          for _, way in ipairs { "QUIT", "HUP" } do
            start { server = TIMERS, http = "lua_max_running_timers 8; "
              .. ("lua_code_cache %s;"):format(cache) }
            assert.equal("BTC\n", (host:body "/ok"))
            host:body(where)
            local pids = host:workers()
            host:signal(way)
            host:await("the old worker stays", function()
              return not nginx.is_running(pids[1])
            end, 3)
            host:stop()
          end
        end)
    end
  end

  it("callers who have left leave no job where other code has all timers", function()
    start { http = "lua_max_running_timers 8; lua_check_client_abort on;", server = TIMERS }
    assert.equal("BTC\n", (host:body "/ok"))
    host:body "/timers"
    for _ = 1, 2 do host:many("/silent", 20, "-m 0.1") end
    await_no_jobs()
    assert.equal(20, count(host:many("/slow", 20), "BTC"))
  end)

  it("callers who come one after the other wait with one semaphore", function()
    start { init = [[
      local semaphore, made = require "ngx.semaphore", 0
      local new = semaphore.new
      semaphore.new = function(n)
        made = made + 1
        return new(n)
      end
      function semaphores() return made end
    ]], server = [[
      location = /made { content_by_lua_block { ngx.print(semaphores()) } } ]] }
    host:await("no caller is woken", function()
      return host:body "/slow" == "BTC\n" and host:body "/made" == "1"
    end)
    for _ = 1, 5 do assert.equal("BTC\n", (host:body "/slow")) end
    assert.equal("1", (host:body "/made"))
  end)

  it("callers get their answers also where no semaphore can be made", function()
    start { init = [[
      short = false
      local semaphore, refused = require "ngx.semaphore", 0
      local new = semaphore.new
      semaphore.new = function(n)
        if not short then return new(n) end
        refused = refused + 1
        return nil, "no memory"
      end
      function count_refused() return refused end
    ]], server = [[
      location = /short { content_by_lua_block { short = true } }
      location = /refused { content_by_lua_block { ngx.print(count_refused()) } }]] }
    host:body "/short"
    host:await("no caller waits with a semaphore", function()
      assert.equal(20, count(host:many("/slow", 20), "BTC"))
      return host:body "/refused" ~= "0"
    end)
    await_no_jobs()
    logs_no_error()
  end)

  it("a caller waits no longer than its deadline for a thread that is stuck", function()
    local stuck = support.tmpdir() .. "/stuck"
    local library = support.preload(([[
      #include <dlfcn.h>
      #include <unistd.h>
      int curl_multi_poll(void *multi, void *fds, unsigned count, int ms, int *ready) {
        void *libcurl = dlopen("libcurl.so.4", RTLD_LAZY);
        int (*real)(void *, void *, unsigned, int, int *) = dlsym(libcurl, "curl_multi_poll");
        while (access("%s", F_OK) == 0) usleep(10000);
        return real(multi, fds, count, ms, ready);
      }]]):format(stuck))
    start { env = { LD_PRELOAD = library }, server = ([[
      location = /try { content_by_lua_block {
        local begun = require "bitfront.core".now()
        local client = require "bitfront".new { api_key = "k", api_secret = "s", timeout = 0.3,
          base_url = ngx.unescape_uri(ngx.var.arg_url), ca_file = "%s", rate_limit = false }
        local _, err = client:balances()
        local took = require "bitfront.core".now() - begun
        ngx.print(tostring(err), " ", took >= 0.55)
      } }]]):format(faultd.ca_file) }
    assert.equal("BTC\n", (host:body "/ok"))
    support.write(stuck, "")
    local said = host:body("/try?url=" .. faultd:url { listener = "silent" })
    os.remove(stuck)
    assert.equal("bitfront: timeout (busy): the engine's thread did not complete the request "
      .. "in time true", said)
    assert.equal("BTC\n", (host:body "/ok"))
    await_no_jobs()
  end)

  it("a worker whose first timer nginx discarded listens later", function()
    local tmp = support.tmpdir()
    start { env = { TMPDIR = tmp }, http = "lua_max_running_timers 8;", server = TIMERS .. [[
      location = /socket { content_by_lua_block {
        ngx.print(tostring(require "bitfront.core".thread_listen()))
      } }]] }
    host:body "/timers"
    assert.equal("BTC\n", (host:body "/ok"))
    assert.truthy(support.must("ls " .. tmp):find "bitfront")
    host:body "/free"
    host:await("it does not listen", function()
      assert.equal("BTC\n", (host:body "/ok"))
      return support.must("ls " .. tmp) == ""
    end, 8)
    support.sleep(2.1) -- longer than a path lasts
    assert.equal("nil", (host:body "/socket"))
    assert.equal(20, count(host:many("/slow", 20), "BTC"))
  end)

  -- The first call of a worker, with so many descriptors left. Of three or four
  -- it depends on the turns of thread and worker whether they are enough.
  for left = 0, 4 do
    it(("calls work again after a time with %d descriptors left"):format(left), function()
      local server = ([[
        location = /short { content_by_lua_block {
          for _ = 1, 300 do -- an earlier connection would give its descriptor back
            if ngx.var.connections_active == "1" then break end
            ngx.sleep(0.01)
          end
          local files = {}
          repeat
            local file = io.open "/dev/null"
            files[#files + 1] = file
          until not file
          for i = 1, %d do table.remove(files):close() end
          local _, words = pcall(result_of, "ok")
          for _, file in ipairs(files) do file:close() end
          ngx.print(words)
        } }]]):format(left)
      local took = at_best(2, function()
        start { main = "worker_rlimit_nofile 100;", server = server }
        local words = host:body "/short"
        assert.truthy(words == "network descriptors" or left > 2 and words == "BTC", words)
        for _ = 1, 3 do assert.equal("BTC\n", (host:body "/ok")) end
        local pids = host:workers()
        host:signal "HUP"
        host:await("the old worker stays", function() return not nginx.is_running(pids[1]) end, 3)
        return time_of_stop "QUIT"
      end)
      assert.is_true(took < 2, tostring(took))
    end)
  end

  it("a worker that is killed affects no other", function()
    start()
    assert.equal("BTC\n", (host:body "/ok"))
    local pipe = io.popen("curl -sm 5 " .. host.url .. "/silent")
    support.sleep(0.1)
    local pids = host:workers()
    support.must("kill -9 " .. pids[1])
    pipe:close()
    host:await("no new worker", function()
      local now = host:workers()
      return now[1] and now[1] ~= pids[1]
    end)
    assert.equal("BTC\n", (host:body "/ok"))
    assert.equal(20, count(host:many("/slow", 20), "BTC"))
  end)

  it("several workers have a thread each, and a client made before the fork", function()
    start { workers = 3 }
    assert.equal(60, count(host:many("/slow", 60), "BTC"))
    for _, pid in ipairs(host:workers()) do
      local names = support.must("cat /proc/" .. pid .. "/task/*/comm")
      assert.is_true(count(names, "bitfront") <= 1)
    end
    logs_no_error()
  end)

  it("leaves no file behind", function()
    local tmp = support.tmpdir()
    start { env = { TMPDIR = tmp } }
    assert.equal("BTC\n", (host:body "/ok"))
    -- A socket keeps the name of the file that it had.
    assert.truthy(support.read "/proc/net/unix":find(tmp .. "/bitfront.", 1, true))
    assert.equal("", support.must("ls -A " .. tmp))
    host:stop "KILL"
    assert.equal("", support.must("ls -A " .. tmp))
  end)

  it("lua_code_cache off works", function()
    start { http = "lua_code_cache off;" }
    for _ = 1, 5 do assert.equal("BTC\n", (host:body "/ok")) end
    assert.equal(30, count(host:many("/slow", 30), "BTC"))
    for _ = 1, 2 do host:many("/slow", 10, "-m 0.1") end
    await_no_jobs()
    local pids = host:workers()
    assert.equal(1, #pids)
    assert.equal(0, host:stop "QUIT")
    assert.is_nil(host:log():find("exited on signal", 1, true))
  end)

  it("a single process works, and ends", function()
    start { main = "master_process off;" }
    assert.equal(20, count(host:many("/slow", 20), "BTC"))
    assert.equal(0, host:stop "QUIT")
    logs_no_error()
  end)
end)
