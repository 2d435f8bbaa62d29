-- bitfront.core is not for users; these are the promises that the Lua side is
-- built on: an attempt in pieces, several at once, and what a fork leaves.

local recordd = require "spec.support.recordd"
local shortage = require "spec.support.shortage"
local support = require "spec.support"
local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

describe("the engine", function()
  local core = require "bitfront.core"
  local faultd
  local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function new_handle(base_url, connect_timeout)
    local client = assert(core.new {
      base_url = base_url, ca_file = faultd.ca_file, user_agent = "spec",
      connect_timeout = connect_timeout or 3, max_body = 1e6,
    })
    assert(client:set_credentials(support.KEY, support.SECRET))
    return client
  end

  local function start(client, timeout)
    return assert(core.start { client = client, deadline = core.now() + (timeout or 5) })
  end

  local function finish(exchange)
    while not exchange:done() do core.step(1) end
    return exchange:finish()
  end

  local function balances(client)
    return core.balances { client = client, deadline = core.now() + 5 }
  end

  it("gives in pieces what it gives in one call", function()
    local client = new_handle(faultd:url_body(BODY))
    local whole, begun = balances(client), core.now()
    local pieces, err, info = finish(start(client))
    assert.same(whole, pieces)
    assert.is_nil(err)
    assert.equal(1000, info.statusCode)
    assert.is_true(begun <= info.sent and info.sent <= core.now())
    assert.is_true(info.round_trip >= 0 and info.round_trip <= core.now() - info.sent)
  end)

  it("tells of an attempt what is known of it", function()
    local function known(url)
      local _, _, info = balances(new_handle(url))
      for name in pairs(info) do info[name] = true end
      return info
    end
    assert.same({}, known "http://127.0.0.1:1")
    assert.same({ sent = true }, known(faultd:url { close = "fin" }))
    assert.same({ sent = true, round_trip = true, http_status = true },
      known(faultd:url { reply = support.reply "x" }))
  end)

  it("signs with the server's time as an offset to the clock that is asked for",
    function()
      local client = new_handle(faultd:url_body(BODY))
      for _, row in ipairs {
        { core.wall(), { 7000, false } },
        { core.wall(), { core.wall() - core.now() * 1000 + 7000, true } },
      } do
        faultd:forget()
        assert(core.balances { client = client, deadline = core.now() + 5,
          clock_offset = math.floor(row[2][1]), monotonic = row[2][2] })
        local header = faultd:requests()[1].headers["x-api-timestamp"]
        local ahead = tonumber(header) - row[1]
        assert.is_true(ahead > 6900 and ahead < 12000, tostring(ahead))
      end
      faultd:forget()
      core.balances { client = client, deadline = core.now() + 5, clock_offset = -1e15 }
      assert.equal("0", faultd:requests()[1].headers["x-api-timestamp"])
    end)

  it("sends each part of a request, of one byte or of thousands", function()
    local url, long = faultd:url_body(BODY, { listener = "plain" }), ("a"):rep(3000)
    for _, row in ipairs {
      { "", "", "spec", "" }, { "", "b", "spec", "" }, { "", long, "spec", "" },
      { "/" .. long, "", "spec", "" }, { "", "", long, "" }, { "", "", "spec", long },
    } do
      local client = assert(core.new { base_url = url .. row[1], user_agent = row[3],
        connect_timeout = 3, max_body = 1e6 })
      faultd:forget()
      assert(core.get { client = client, deadline = core.now() + 5, expect = "public",
        path = "/v1/x" .. row[4], query = row[2] })
      local request = faultd:requests()[1]
      local query = row[2] == "" and "" or "?" .. row[2]
      assert.equal(row[1] .. "/v1/x" .. row[4] .. query, request.path)
      assert.equal(row[3], request.headers["user-agent"])
    end
  end)

  it("draws numbers from 0 to below 1", function()
    local least, most, sum = 1, 0, 0
    for _ = 1, 10000 do
      local drawn = core.random()
      least, most = math.min(least, drawn), math.max(most, drawn)
      sum = sum + drawn
    end
    assert.is_true(least >= 0 and least < 0.01)
    assert.is_true(most > 0.99 and most < 1)
    assert.is_true(math.abs(sum / 10000 - 0.5) < 0.03)
  end)

  -- A server that replies to none before so many requests have come.
  local function serve_together(count, body)
    return recordd.start { "shake13", "request", "gather:" .. count,
      recordd.data(support.reply(body)) }
  end

  it("notices a reply while other exchanges connect, begun before it and after it", function()
    local silent = new_handle(faultd:url { listener = "silent" })
    local replying = new_handle(faultd:url_body(BODY, { listener = "plain", delay = 100 }))
    local others = { start(silent, 60) }
    local exchange = start(replying)
    others[2] = start(silent, 60)
    assert.equal(1, #assert(finish(exchange)))
    assert.is_false(others[1]:done() or others[2]:done())
    others[1], others[2] = nil, nil
    collectgarbage()
    collectgarbage()
  end)

  -- With a clock that stands still.
  it("waits for as long as it is asked to, until the next deadline, or a minute #once", function()
    local recorded = support.preload [[
      #include <stdio.h>
      #include <time.h>
      int clock_gettime(clockid_t id, struct timespec *now) {
        (void)id;
        *now = (struct timespec){.tv_sec = 1024};
        return 0;
      }
      int curl_multi_poll(void *multi, void *fds, unsigned count, int ms, int *changed) {
        (void)multi, (void)fds, (void)count, (void)changed;
        return printf("%d ", ms) < 0;
      }]]
    local out = support.lua(([[
      local core = require "bitfront.core"
      local function start(seconds, proxy)
        local client = assert(core.new { base_url = %q, user_agent = "spec", proxy = proxy,
          connect_timeout = 1000, max_body = 1e6 })
        return assert(core.start { client = client, expect = "public", path = "/",
          deadline = core.now() + seconds })
      end
      start(90)
      collectgarbage()
      collectgarbage()
      core.step(1) -- there is nothing to wait for
      local first = start(90)
      for _, seconds in ipairs { 0.25, 0.0001, 0, 30, 100 } do core.step(seconds) end
      local second = start(0.5)
      core.step(1)
      local refused = start(60, "http://128.0.0.1:1") -- is done at once
      core.step(0.25)
      print(first:done(), second:done(), refused:done())
    ]]):format(faultd:url { listener = "silent", scheme = "http" }),
      { env = { LD_PRELOAD = recorded } })
    assert.equal("250 1 0 30000 60000 500 0 false\tfalse\ttrue\n", out)
  end)

  it("does not wait when it is asked not to", function()
    local server = serve_together(2, BODY)
    local client = new_handle(server.url)
    local exchange = start(client, 30)
    for _ = 1, 100 do
      core.step(0)
      assert.is_false(exchange:done())
      support.sleep(0.002)
    end
    local other = start(client, 30)
    assert.equal(1, #assert(finish(exchange)))
    assert.equal(1, #assert(finish(other)))
    server:stop()
  end)

  it("carries many exchanges at once, each with its own end", function()
    local good, bad = serve_together(15, BODY), serve_together(15, "[")
    local whole, damaged = new_handle(good.url, 60), new_handle(bad.url, 60)
    local late = new_handle(faultd:url_body(BODY, { delay = 5000 }))
    local exchanges = {}
    for i = 1, 30 do exchanges[i] = start(i % 2 == 0 and whole or damaged, 30) end
    local timed_out = start(late, 0.2)
    for i, exchange in ipairs(exchanges) do
      local records, err = finish(exchange)
      assert.equal(i % 2 == 0, records ~= nil)
      assert.equal(i % 2 == 1 and "json" or nil, err and err.code)
    end
    assert.equal("timeout", select(2, finish(timed_out)).kind)
    good:stop()
    bad:stop()
    assert.equal(0, core.step(0))
  end)

  it("gives a reply that came in time also to a host that asks after the deadline", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 100 }))
    faultd:forget()
    local exchange = start(client, 0.6)
    repeat core.step(0.01) until #faultd:requests() > 0
    core.sleep(0.8)
    assert.equal(1, #assert(finish(exchange)))
  end)

  it("frees an exchange that nothing refers to any more", function()
    local client = new_handle(faultd:url { listener = "silent" })
    start(client)
    assert.equal(1, core.step(0))
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.step(0))
  end)

  it("does not sign for a client that was closed meanwhile", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 300 }))
    faultd:forget()
    local exchange = start(client)
    client:close()
    assert.equal("closed", select(2, finish(exchange)).kind)
    for _, request in ipairs(faultd:requests()) do
      assert.is_nil(request) -- nothing was sent
    end
  end)

  it("does not sign for it with its former credentials, either", function()
    local client = new_handle(faultd:url_body(BODY))
    faultd:forget()
    local exchange = start(client)
    assert(client:set_credentials("anotherKey", "anotherSecret"))
    client:close()
    local _, err, info = finish(exchange)
    assert.equal("closed", err.kind)
    assert.is_nil(info.sent)
    assert.same({}, faultd:requests())
  end)

  it("gives no result of a client closed while the reply was on its way",
    function()
      for _, body in ipairs { BODY, support.refusal(6001) } do
        local client = new_handle(faultd:url_body(body, { delay = 300 }))
        faultd:forget()
        local exchange = start(client)
        repeat core.step(0.01) until exchange:done() or #faultd:requests() > 0
        client:close()
        assert.equal("closed", select(2, finish(exchange)).kind)
      end
    end)

  it("signs with the credentials that a call was begun with, and strikes them out",
    function()
      local url = faultd:url { echo = 1, close = "keep", reply = support.reply(
        support.refusal(6002, '"bad key {X-API-KEY}"'), { echo = 1 }) }
      local client = new_handle(url)
      local exchange = start(client)
      assert(client:set_credentials("another-key", "another-secret"))
      faultd:forget()
      local err = select(2, finish(exchange))
      assert.equal(6002, err.code)
      assert.equal("bad key ***", err.message)
      assert.equal(support.KEY, faultd:requests()[1].headers["x-api-key"])
    end)

  it("completes a call whose client nothing refers to any more", function()
    local exchange = start(new_handle(faultd:url_body(BODY, { delay = 100 })))
    collectgarbage()
    collectgarbage()
    assert.equal(1, #assert(finish(exchange)))
  end)

  it("carries more exchanges than it keeps connections", function()
    -- 300 handshakes at once are some seconds' work for a busy machine.
    local client, exchanges = new_handle(faultd:url_body(BODY), 60), {}
    for i = 1, 300 do exchanges[i] = start(client, 60) end
    for i = 1, 300 do assert.equal(1, #assert(finish(exchanges[i]))) end
  end)

  it("frees at once an exchange that was never stepped", function()
    for _ = 1, 5 do start(new_handle("https://name.invalid")) end
    collectgarbage()
    collectgarbage()
    assert.equal(0, core.step(0))
  end)

  it("raises where an exchange is finished too soon, or twice", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 100 }))
    local exchange = start(client)
    assert.has_error(function() exchange:finish() end)
    finish(exchange)
    for _, method in ipairs { exchange.finish, exchange.done } do
      assert.matches("#1 to .+ %(the exchange is finished%)$", select(2, pcall(method, exchange)))
    end
  end)

  it("lets Ctrl-C end a call that waits, and the Lua state still works", function()
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", ([[
      local core = require "bitfront.core"
      local client = require "bitfront".new { base_url = %q, ca_file = %q,
        api_key = "k", api_secret = "s" }
      local begun = core.now()
      print(pcall(client.balances, client))
      collectgarbage()
      print(core.now() - begun < 5, core.step(0))
    ]]):format(faultd:url_body(BODY, { delay = 9000 }), faultd.ca_file))
    -- As if its time were up, `timeout` interrupts: half a second after the request
    -- has arrived. Without --foreground it does so twice, and the second one kills.
    faultd:forget()
    local out = support.run(([[
      { for _ in $(seq 300); do [ ! -s %s/requests ] || break; sleep 0.1; done
        sleep 0.5; kill -ALRM $$; } &
      exec timeout --foreground -s INT -k 20 60 %s %s/program.lua]])
      :format(faultd.dir, support.interpreter(), dir))
    assert.truthy(out:find "^false\t[^\n]*interrupted!", out)
    assert.truthy(out:find "\ntrue\t", out)
  end)

  it("lets Ctrl-C end a loop of sleeps, also one that LuaJIT has compiled", function()
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", [[
      local core = require "bitfront.core"
      local jit = rawget(_G, "jit")
      if jit then jit.opt.start "hotloop=1" end
      print(pcall(function() for _ = 1, 1000 do core.sleep(0.01) end end))
    ]])
    local out = support.run(("{ sleep 1; kill -s INT $$; } & exec %s %s/program.lua")
      :format(support.interpreter(), dir))
    assert.truthy(out:find "^false\t[^\n]*interrupted!", out)
  end)

  it("does not use the descriptors of closed standard streams", function()
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", ([[
      local client = require "bitfront".new { base_url = %q, ca_file = %q,
        api_key = "k", api_secret = "s" }
      assert(require "bitfront.core".check_ca_file(%q))
      for i = 1, 3 do
        assert(client:balances())
        for _, file in ipairs { io.stdout, io.stderr } do
          file:write("a line of the program's\n")
          file:flush()
        end
        assert(not io.read())
      end
      os.execute "ls /proc/$PPID/fd >%s/used"
      os.exit(42)
    ]]):format(faultd:url_body(BODY), faultd.ca_file, faultd.ca_file, dir))
    local _, _, code = support.run(("exec %s %s/program.lua <&- >&- 2>&-")
      :format(support.interpreter(), dir))
    assert.equal(42, code)
    for fd in support.read(dir .. "/used"):gmatch "%d+" do assert.is_true(tonumber(fd) > 2, fd) end
  end)

  describe("where the system refuses the descriptors that wake it", function()
    local REFUSED = "network descriptors, network descriptors, ok, "
    local MEMORY = "memory memory, memory memory, ok, "

    it("is not made, and the next call tries again #once", function()
      for _, errno in ipairs { "EMFILE", "ENFILE", "EPERM", "EACCES", "ENOMEM" } do
        local said, code = shortage.run(faultd, "read",
          { preload = shortage.refusing(errno) })
        local expected = errno == "ENOMEM" and MEMORY or REFUSED
        assert.same({ expected, 7 }, { said, code }, errno)
      end
    end)

    it("is not made where libcurl then makes no multi handle #once", function()
      -- "errno": it is what it was before, when a close went well.
      for errno, expected in pairs { EMFILE = REFUSED, ENOMEM = MEMORY, ["0"] = MEMORY,
                                     errno = MEMORY } do
        local library = support.preload(([[
          #include <dlfcn.h>
          #include <errno.h>
          #include <sys/syscall.h>
          #include <unistd.h>
          static int refused;
          int close(int fd) {
            long result = syscall(SYS_close, fd);
            errno = EPERM;
            return (int)result;
          }
          void *curl_multi_init(void) {
            void *library = dlopen("libcurl.so.4", RTLD_NOW);
            if (++refused > 2) return ((void *(*)(void))dlsym(library, "curl_multi_init"))();
            errno = %s;
            return 0;
          }
        ]]):format(errno))
        assert.same({ expected, 7 }, { shortage.run(faultd, "read", { preload = library }) },
          errno)
      end
    end)

    it("is not made with too few descriptors left, and the next call tries again", function()
      shortage.check_left(faultd, "read", REFUSED)
    end)
  end)

  it("raises for what no caller in its senses asks", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 50 }))
    local credentials, window = client:credentials(), core.window()
    local store, clock = core.window_store({ k = window }, error), core.server_clock()
    local released = client:credentials()
    released:release()
    released:release()
    local exchange = start(client)
    local NEEDED = "#1 (base_url and user_agent are needed)"
    local LIMIT = " (a limit must be a whole number from 1 to 1e9)"
    for _, row in ipairs {
      { NEEDED, core.new, { base_url = "https://a", connect_timeout = 1, max_body = 1 } },
      { NEEDED, core.new, { user_agent = "spec", connect_timeout = 1, max_body = 1 } },
      { "#1 (table expected, got no value)", core.new },
      { "#2 (credentials that were not released)", client.use, client, released },
      { "#1 (the exchange is still running)", exchange.finish, exchange },
      { "#1 (seconds must not be negative)", core.step, -1 },
      { "#1 (0 to 60 seconds)", core.sleep, -1 },
      { "#1 (0 to 60 seconds)", core.sleep, 60.5 },
      { "#4" .. LIMIT, store.acquire, store, "k", 1, 0, 1 },
      { "#5" .. LIMIT, store.acquire, store, "k", 1, 1, 1.5 },
      { "#5" .. LIMIT, store.acquire, store, "k", 1, 1, 1e9 + 1 },
      { "#3 (a time was expected)", store.acquire, store, "k", 0 / 0, 1, 1 },
      { "#7 (number expected, got no value)", clock.learn, clock, 1, 1, 1, false, 1 },
      { "#1 (table expected, got number)", core.window_store, 1, error },
      { "#2 (function expected, got number)", core.window_store, {}, 2 },
      { "#1 (table expected, got no value)", core.thread_take },
      { "#4 (invalid option 'x')", core.start, { client = client, expect = "x" } },
      { "#5 (invalid option 'x')", core.start, { client = client, amounts = "x" } },
      { "#6 (number expected, got table)", core.start, { client = client, deadline = {} } },
      { "#7 (number expected, got table)", core.start, { client = client, clock_offset = {} } },
      { "#9 (string expected, got table)", core.start, { client = client, path = {} } },
      { "#10 (string expected, got table)", core.start, { client = client, query = {} } },
      { "#11 (string expected, got table)", core.start, { client = client, traceparent = {} } },
    } do
      local done, text = pcall(row[2], unpack(row, 3))
      assert.is_false(done, row[1])
      assert.equal("bad argument " .. row[1], (text:gsub(" to '.-' ", " ", 1)))
    end
    assert.equal(0, (store:acquire("k", 1, 1e9, 1e9)))
    assert.same({ true }, { client:use(credentials) })
    assert(finish(exchange))
    assert.has_error(function() exchange:finish() end)
    assert.is_false(client:holds("other", support.SECRET))
    assert.is_false(client:holds(support.KEY, "other"))
    assert.is_false(client:holds(support.KEY, (support.SECRET:gsub(".$", "~"))))
    assert.is_false(client:holds((support.KEY:gsub(".$", "~")), support.SECRET))
    assert.is_true(client:holds(support.KEY, support.SECRET))
  end)

  it("returns nothing where there is nothing to tell", function()
    local client, clock = new_handle(faultd:url_body(BODY)), core.server_clock()
    local credentials, process = client:credentials(), core.start_process "/bin/true"
    for name, call in pairs {
      kill = function() return process:kill() end,
      ["release of a process"] = function()
        return core.start_process("/bin/true"):release()
      end,
      release = function() return credentials:release() end,
      close = function() return client:close() end,
      forget = function() return clock:forget() end,
      best = function() return clock:best() end,
      sleep = function() return core.sleep(0) end,
    } do
      assert.equal(0, select("#", call()), name)
    end
  end)

  it("asks whether a process is there without sending it a signal", function()
    assert.equal("true\n", support.lua [[
      local core = require "bitfront.core"
      print(core.process_exists(core.pid()))]])
  end)

  it("tells of no job and no exchange where none was asked for", function()
    assert.equal("0\t0\tfalse\t0\t0\n", support.lua [[
      local core = require "bitfront.core"
      core.thread_close()
      print(core.step(0), core.thread_take {}, core.thread_accept(), core.thread_status())]])
  end)

  it("begins what a request asks for, whatever follows it", function()
    local request = { client = new_handle(faultd:url_body(BODY)), deadline = core.now() + 5 }
    assert.equal("bitfront.exchange", getmetatable(core.start(request, "more")))
    local job = core.thread_start(request, "more")
    assert.equal("bitfront.job", getmetatable(job))
    job:cancel()
    assert.equal(1, #assert((core.balances(request, "more"))))
  end)

  it("asks the system for what it was asked, and says what the system says #once", function()
    local library = support.preload [[
      #include <errno.h>
      #include <stdarg.h>
      #include <stdio.h>
      #include <sys/ioctl.h>
      #include <time.h>
      int nanosleep(const struct timespec *time, struct timespec *left) {
        (void)left;
        printf("%ld s and %ld ns\n", (long)time->tv_sec, time->tv_nsec);
        fflush(stdout);
        return 0;
      }
      int kill(int pid, int number) {
        errno = pid == 8 ? EPERM : ESRCH;
        return number == 0 && pid == 7 ? 0 : -1;
      }
      int isatty(int fd) { return fd == 1 || fd == 7; }
      int ioctl(int fd, unsigned long request, ...) {
        static const struct winsize sizes[] = {{24, 80}, {24, 0}, {0, 80}, {1, 1}, {24, 80}};
        static int asked;
        va_list rest;
        va_start(rest, request);
        if (request != TIOCGWINSZ) return -1;
        *va_arg(rest, struct winsize *) = sizes[asked];
        va_end(rest);
        return asked++ == 0 ? -1 : fd - 1;
      }]]
    local out, err = support.lua([[
      local core = require "bitfront.core"
      for _, seconds in ipairs { 60, 1.25, 0 } do core.sleep(seconds) io.stdout:flush() end
      print(core.process_exists(7), core.process_exists(8), core.process_exists(9))
      print(core.is_terminal(), core.is_terminal(7), core.is_terminal(0))
      for _ = 1, 5 do print(core.terminal_size()) end
      print(core.has_symbol "nanosleep", core.has_symbol "no_such_symbol")
    ]], { env = { LD_PRELOAD = library } })
    assert.equal("60 s and 0 ns\n1 s and 250000000 ns\n0 s and 0 ns\n"
      .. "true\ttrue\tfalse\ntrue\ttrue\tfalse\n" .. ("nil\n"):rep(3) .. "1\t1\n80\t24\n"
      .. "true\tfalse\n", out, err)
  end)

  it("knows no size of an output that is no terminal", function()
    assert.equal("false\tnil\n", support.lua
      'local core = require "bitfront.core" print(core.is_terminal(), core.terminal_size())')
  end)

  -- Finalizers run in the reverse order of their objects.
  it("refuses calls where the Lua state is being closed #once", function()
    local out, err = support.lua(([[
      local core = require "bitfront.core"
      local client, closed, window, amount
      local function told(done, err) print(done and "done" or err.kind .. " " .. err.code) end
      LAST = setmetatable({}, { __gc = function()
        print(closed, closed:close())
        print((select(2, pcall(closed.key_id, closed))))
        print(pcall(window.is_idle, window), pcall(tostring, amount))
        local request = { client = client, deadline = core.now() + 1 }
        told(core.start(request))
        told(core.thread_start(request))
        print(core.thread_listen(), core.step(0))
      end })
      closed = core.new { base_url = %q, user_agent = "spec", connect_timeout = 1, max_body = 1 }
      client, window, amount = closed, core.window(), core.decimal "1"
      client:set_credentials("k", "s")
      told(core.start { client = client, deadline = core.now() + 1 })
      told(core.thread_start { client = client, deadline = core.now() + 1 })
    ]]):format(faultd:url_body(BODY, { listener = "plain" })))
    assert.equal("done\ndone\nbitfront.client (closed)\n"
      .. "bad argument #1 to '?' (a client that was made)\n"
      .. "false\tfalse\tthe decimal is gone\nclosed closed\nclosed closed\nnil\t0\n", out, err)
  end)

  it("does not take other userdata for its own", function()
    assert.has_error(function() core.balances { client = io.stdout } end)
    assert.has_error(function() core.start { client = {} } end)
    assert.has_error(function() core.start(io.stdout) end)
  end)

  if not rawget(_G, "jit") then return end
  local in_child = require "spec.support.fork".in_child

  it("after a fork makes its own connections and leaves the parent's", function()
    local client = new_handle(faultd:url_body(BODY))
    faultd:forget()
    assert(balances(client))
    assert.is_true(in_child(function()
      local ok = balances(client)
      collectgarbage()
      return ok
    end))
    assert(balances(client))
    local requests = faultd:requests()
    assert.equal(requests[1].connection, requests[3].connection)
    assert.are_not.equal(requests[1].connection, requests[2].connection)
  end)

  it("gives a child no answer of a call that its parent began", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 300 }))
    local exchange, other = start(client), start(client)
    core.step(0)
    assert.is_true(in_child(function()
      local records, err = exchange:finish()
      other = nil
      collectgarbage()
      return records == nil and err.kind == "network" and err.code == "fork"
    end))
    assert.equal(1, #assert(finish(other)))
    assert.equal(1, #assert(finish(exchange)))
  end)
end)
