-- The engine on a thread of its own, as the Lua side of a host uses it. How nginx
-- waits for it is in 84_nginx_wait_spec.lua.

local dead_dns = require "spec.support.dead_dns"
local namespace = require "spec.support.namespace"
local recordd = require "spec.support.recordd"
local shortage = require "spec.support.shortage"
local support = require "spec.support"

describe("the engine's thread", function()
  local core = require "bitfront.core"
  local faultd
  local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function new_handle(base_url)
    local client = assert(core.new {
      base_url = base_url, ca_file = faultd.ca_file, user_agent = "spec",
      connect_timeout = 60, max_body = 1e6,
    })
    assert(client:set_credentials(support.KEY, support.SECRET))
    return client
  end

  local function start(client, timeout, expect, path, query)
    return assert(core.thread_start { client = client, expect = expect, path = path,
      query = query, deadline = core.now() + (timeout or 5) })
  end

  local function wait(job)
    local last = core.now() + 60
    while not job:done() do
      assert(core.now() < last, "the job does not end")
      core.sleep(0.001)
    end
    return job
  end

  local function finish(job)
    return wait(job):finish()
  end

  -- Whether the process soon has no job that is queued, running or held.
  local function has_no_jobs()
    local last = core.now() + 5
    repeat
      core.sleep(0.005)
      local live, held = core.thread_status()
      if live == 0 and held == 0 then return true end
    until core.now() > last
  end

  -- Two times: the first one calls what is to be called before the end.
  local function collect()
    collectgarbage()
    collectgarbage()
  end

  it("gives what a call in this thread gives", function()
    local client = new_handle(faultd:url_body(BODY))
    local whole = core.balances { client = client, deadline = core.now() + 5 }
    local begun = core.now()
    local records, err, info = finish(start(client))
    assert.same(whole, records)
    assert.is_nil(err)
    assert.equal(1000, info.statusCode)
    assert.is_true(begun <= info.sent and info.sent <= core.now())
    assert.is_true(info.round_trip >= 0 and info.round_trip <= core.now() - info.sent)
  end)

  it("gives other reads, and refusals, as a call in this thread does", function()
    local client = new_handle(faultd:url_body(support.success '[{"orderID":1}]'))
    local job = start(client, 5, "data", "/v1/trade/openOrders", "max=3")
    assert.same({ { orderID = 1 } }, (finish(job)))
    local refused = new_handle(faultd:url_body(support.refusal(6001)))
    local records, err, info = finish(start(refused))
    assert.is_nil(records)
    assert.equal(6001, err.code)
    assert.equal(6001, info.statusCode)
    local damaged = new_handle(faultd:url_body "[")
    assert.equal("json", select(2, finish(start(damaged))).code)
    local status = new_handle(faultd:url { reply = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" })
    assert.equal(503, select(2, finish(start(status))).http_status)
  end)

  it("goes on while nobody polls, and completes every job", function()
    -- A server that replies to none before all requests have come.
    local server = recordd.start { "shake13", "request", "gather:50",
      recordd.data(support.reply(BODY)) }
    local together = new_handle(server.url)
    local late = new_handle(faultd:url_body(BODY, { delay = 5000 }))
    local jobs = {}
    for i = 1, 50 do jobs[i] = start(together, 30) end
    local timed_out = start(late, 0.2)
    core.sleep(0.7)
    for _, job in ipairs(jobs) do
      assert.equal(1, #assert(finish(job)))
    end
    assert.equal("timeout", select(2, finish(timed_out)).kind)
    server:stop()
  end)

  -- Without being woken it would notice hardly any of them before a second is over; on a
  -- busy machine some may be late anyhow.
  it("is woken for each job", function()
    local client = new_handle(faultd:url_body(BODY))
    assert(finish(start(client, 60))) -- makes the connection
    local in_time = 0
    for _ = 1, 10 do
      if finish(start(client, 0.9)) then in_time = in_time + 1 end
      core.sleep(0.02) -- until it waits again
    end
    assert.is_true(in_time > 5, in_time)
  end)

  it("names the jobs that are done, once", function()
    local client, ids, seen, expected = new_handle(faultd:url_body(BODY)), {}, {}, {}
    core.thread_take(ids)
    local jobs = {}
    for i = 1, 200 do
      jobs[i] = start(client, 60)
      expected[jobs[i]:id()] = true
    end
    for i = 1, 200 do wait(jobs[i]) end
    for i = 1, core.thread_take(ids) do seen[ids[i]] = true end
    assert.same(expected, seen)
    assert.equal(0, core.thread_take(ids))
    for i = 1, 200 do assert(jobs[i]:finish()) end
  end)

  it("does not name a job that was cancelled or finished before", function()
    local client, ids = new_handle(faultd:url_body(BODY)), {}
    core.thread_take(ids)
    finish(start(client))
    assert.equal(0, select("#", wait(start(client)):cancel()))
    assert.equal(0, core.thread_take(ids))
  end)

  it("frees what nothing refers to any more", function()
    assert.is_true(has_no_jobs())
    local client = new_handle(faultd:url { listener = "silent" })
    for _ = 1, 10 do start(client, 60) end
    assert.equal(10, (core.thread_status()))
    collect()
    assert.is_true(has_no_jobs())
    for _ = 1, 100 do start(client, 60):cancel() end
    assert.is_true(has_no_jobs())
  end)

  it("does not wait for a resolver whose caller has cancelled", function()
    for _ = 1, 5 do start(new_handle("https://name.invalid"), 60) end
    local before = core.now()
    collect()
    assert.is_true(has_no_jobs())
    assert.is_true(core.now() - before < 3) -- a name server is waited for 5 s
  end)

  it("completes a job at its deadline whose name is still being resolved", function()
    namespace.needed(pending)
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", [[
      local core = require "bitfront.core"
      local client = assert(core.new { base_url = "https://name.invalid", user_agent = "spec",
        connect_timeout = 30, max_body = 1e6 })
      local deadline, jobs = core.now() + 0.3, {}
      for i = 1, 5 do
        jobs[i] = assert(core.thread_start { client = client, expect = "public",
          path = "/v1/public/time", deadline = deadline })
      end
      for _, job in ipairs(jobs) do
        while not job:done() do core.sleep(0.001) end
        local records, err, info = job:finish()
        print(records, err.kind, err.code, info.sent)
      end
      print(core.now() - deadline < 1, core.thread_status())
    ]])
    local out = dead_dns.run(("%s %s/program.lua"):format(support.interpreter(), dir))
    assert.equal(("nil\ttimeout\tresolve\tnil\n"):rep(5) .. "true\t0\t0\n", out)
  end)

  it("does not sign for a client that was closed meanwhile", function()
    local client = new_handle(faultd:url { listener = "silent" })
    local job = start(client, 0.3)
    client:close()
    faultd:forget()
    assert.is_nil((finish(job)))
    assert.equal(0, #faultd:requests())
    local records, err = core.thread_start { client = client, deadline = core.now() + 1 }
    assert.is_nil(records)
    assert.equal("closed", err.kind)
  end)

  it("gives no result of a client closed while the reply was on its way", function()
    for _, body in ipairs { BODY, support.refusal(6001) } do
      local client = new_handle(faultd:url_body(body, { delay = 100 }))
      local job = start(client)
      core.sleep(0.05)
      client:close()
      local records, err, info = finish(job)
      assert.is_nil(records)
      assert.equal("closed", err.kind)
      assert.is_nil(info.responseTime)
    end
    local client = new_handle(faultd:url_body(BODY))
    local job = wait(start(client))
    client:close()
    assert.equal("closed", select(2, job:finish()).kind)
  end)

  it("completes a call whose client nothing refers to any more", function()
    local job = start(new_handle(faultd:url_body(BODY, { delay = 100 })))
    collect()
    assert.equal(1, #assert(finish(job)))
  end)

  it("checks what a call needs before it is submitted", function()
    local client = assert(core.new { base_url = faultd:url_body(BODY),
      user_agent = "spec", connect_timeout = 3, max_body = 1e6 })
    local job, err = core.thread_start { client = client, deadline = core.now() + 1 }
    assert.is_nil(job)
    assert.equal("missing_credentials", err.code)
    assert.has_error(function() core.thread_start { client = {} } end)
    assert.has_error(function() core.thread_start { client = client, expect = "gold" } end)
  end)

  it("raises where a job is finished too soon, or twice", function()
    local job = start(new_handle(faultd:url_body(BODY, { delay = 100 })))
    assert.matches("#1 to .+ %(the job is still running%)$", select(2, pcall(job.finish, job)))
    finish(job)
    for _, method in ipairs { job.finish, job.done, job.id } do
      assert.matches("#1 to .+ %(the job is finished%)$", select(2, pcall(method, job)))
    end
    job:cancel()
  end)

  it("listens at a socket that leaves no file behind", function()
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", [[
      local core = require "bitfront.core"
      local path = core.thread_listen()
      print(path, core.thread_listen())
      print(core.thread_accept(), io.open(path))
      assert(core.thread_listen()) -- to be removed at exit
    ]])
    local out = support.run(("env TMPDIR=%s %s %s/program.lua"):format(
      dir, support.interpreter(), dir))
    assert.truthy(out:find(dir .. "/bitfront", 1, true), out)
    assert.truthy(out:find "\tnil\nfalse\tnil", out)
    assert.equal("program.lua\n", support.must("ls " .. dir))
  end)

  it("listens elsewhere where TMPDIR cannot be used", function()
    local dir = support.tmpdir()
    local function folder_in(tmpdir)
      local out = support.lua('print(require "bitfront.core".thread_listen())',
        { env = { TMPDIR = tmpdir } })
      return out:match "^(.*)/bitfront%.......+/s\n$"
    end
    -- 108 bytes hold the path, "/bitfront.XXXXXX/s" and the end of the text.
    local longest = dir .. "/" .. ("x"):rep(88 - #dir - 1)
    support.must(("mkdir %s %sx"):format(longest, longest))
    assert.equal(longest, folder_in(longest))
    for _, other in ipairs { longest .. "x", "/nonexistent/folder", ".", "", false } do
      assert.equal("/dev/shm", folder_in(other))
    end
  end)

  it("listens nowhere where the system refuses to bind, and leaves no folder #once", function()
    local dir = support.tmpdir()
    local out = support.lua('print(require "bitfront.core".thread_listen())', { env = {
      TMPDIR = dir, LD_PRELOAD = support.preload "int bind(void) { return -1; }" } })
    assert.equal("nil\n", out)
    assert.equal("", support.must("ls -A " .. dir))
  end)

  it("listens again when the host has closed the connection", function()
    local out, err = support.lua(([=[
      local core = require "bitfront.core"
      local client = assert(core.new { base_url = %q, ca_file = %q, user_agent = "spec",
        connect_timeout = 5, max_body = 1e6 })
      assert(client:set_credentials("k", "s"))
      local path = core.thread_listen()
      assert(os.execute("lua5.4 -e 'require \"cqueues.socket\".connect { path = [[" .. path
        .. "]] }:connect(5)'"))
      print(core.thread_accept(), core.thread_listen())
      local job = assert(core.thread_start { client = client, deadline = core.now() + 5 })
      local last, again = core.now() + 20, nil
      repeat -- the path of the old connection lasts 2 s
        core.sleep(0.01)
        again = job:done() and core.thread_listen()
      until again or core.now() > last
      print(type(again))
    ]=]):format(faultd:url_body(BODY), faultd.ca_file))
    assert.equal("true\tnil\nstring\n", out, err)
  end)

  local function ends_well(program, library)
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", ([[
      local core = require "bitfront.core"
      local function new_handle(url)
        local client = assert(core.new { base_url = url, ca_file = %q,
          user_agent = "spec", connect_timeout = 30, max_body = 1e6 })
        assert(client:set_credentials("k", "s"))
        return client
      end
      local function start(url)
        return assert(core.thread_start { client = new_handle(url), deadline = core.now() + 30 })
      end
      local OK, SILENT = %q, %q
      %s
    ]]):format(faultd.ca_file, faultd:url_body(BODY), faultd:url { listener = "silent" },
      program))
    local before = core.now()
    local out, _, code = support.run(("timeout -s KILL 20 env LD_PRELOAD=%s %s %s/program.lua")
      :format(library or "", support.interpreter(), dir))
    assert.equal("", out)
    assert.equal(7, code)
    return core.now() - before
  end

  for _, way in ipairs {
    { "at once", "start(OK) os.exit(7)" },
    { "while it waits for a server", "J = start(SILENT) core.sleep(0.1) os.exit(7)" },
    { "while it resolves a name", "J = start('https://name.invalid') os.exit(7)" },
    { "with results that nobody took", "J = start(OK) core.sleep(0.2) os.exit(7)" },
    { "with its state closed", -- which Lua 5.1 cannot
      "J = start(SILENT) K = start(OK) core.sleep(0.1) os.exit(7, true)" },
  } do
    it("lets the process end " .. way[1], function()
      assert.is_true(ends_well(way[2]) < 5)
    end)
  end

  it("lets the process end while a name does not resolve for long #once", function()
    local took = ends_well("J = start('https://late.invalid') core.sleep(0.1) os.exit(7)",
      support.preload [[
        #include <unistd.h>
        int getaddrinfo(void) { for (;;) sleep(60); }]])
    assert.is_true(took < 5, tostring(took))
  end)

  it("lets the process end while a system call of the thread does not return #once", function()
    local took = ends_well("J = start(SILENT) core.sleep(0.1) os.exit(7)", support.preload [[
      #include <sys/socket.h>
      #include <unistd.h>
      int connect(int fd, const struct sockaddr *to, socklen_t len) {
        (void)fd, (void)to, (void)len;
        for (;;) sleep(60);
      }]])
    assert.is_true(took < 10, tostring(took))
  end)

  local REFUSED = "network descriptors, network descriptors, ok, "

  it("is not created without descriptors that wake it; the next call tries again #once",
    function()
      for _, errno in ipairs { "EMFILE", "ENFILE", "EPERM", "EACCES" } do
        local said, code = shortage.run(faultd, "thread",
          { preload = shortage.refusing(errno) })
        assert.same({ REFUSED, 7 }, { said, code }, errno)
      end
    end)

  it("works again after a time with too few descriptors left, and lets the process end",
    function()
      shortage.check_left(faultd, "thread", REFUSED)
    end)

  it("notices new jobs, and that it is to end, within a second where nothing can wake it #once",
    function()
      assert.same({ "ok, ok, ok, ", 7 }, { shortage.run(faultd, "thread", {
        preload = support.preload [[
          #include <errno.h>
          #include <sys/socket.h>
          #include <sys/syscall.h>
          #include <unistd.h>
          ssize_t send(int fd, const void *text, size_t len, int flags) {
            if (syscall(SYS_gettid) != getpid())
              return sendto(fd, text, len, flags, 0, 0);
            errno = EPERM;
            return -1;
          }]] }) })
    end)

  it("does not listen at a socket that cannot be made non-blocking #once", function()
    local dir = support.tmpdir()
    support.write(dir .. "/program.lua", [[
      local core = require "bitfront.core"
      print(core.thread_listen())
      print(core.thread_accept())
    ]])
    local library = support.preload [[
      #include <errno.h>
      #include <fcntl.h>
      #include <stdarg.h>
      #include <sys/syscall.h>
      #include <unistd.h>
      int fcntl(int fd, int command, ...) {
        va_list rest;
        long value;
        va_start(rest, command);
        value = va_arg(rest, long);
        va_end(rest);
        if (command != F_SETFL) return syscall(SYS_fcntl, fd, command, value);
        errno = EPERM;
        return -1;
      }]]
    local out = support.run(("timeout -s KILL 5 env LD_PRELOAD=%s %s %s/program.lua")
      :format(library, support.interpreter(), dir))
    assert.equal("nil\nfalse\n", out)
  end)

  it("replaces a path that nobody connected to, and accepts nobody who uses the old one", function()
    local path = assert(core.thread_listen())
    assert.is_nil(core.thread_listen())
    core.sleep(2.1)
    local again = assert(core.thread_listen())
    assert.are_not.equal(path, again)
    assert.is_nil(io.open((path:gsub("/s$", ""))))
    assert.is_false(core.thread_accept(path))
    assert.is_nil(core.thread_listen())
    assert.is_false(core.thread_accept(again))
    local last = assert(core.thread_listen())
    core.thread_close()
    assert.is_nil(io.open((last:gsub("/s$", ""))))
  end)

  it("serves several threads of a host, and none when the process exits #once", function()
    local program = (os.getenv "BUILD" or ".build") .. "/test/threads"
    local out, _, code = support.run(("timeout -s KILL 120 %s %s %s"):format(program,
      support.quote(faultd:url_body(BODY)), faultd.ca_file))
    assert.equal("0 wrong, 1 notified, 0 live, 0 held\nthe process is about to exit\n", out)
    assert.equal(0, code)
  end)

  it("has all signals blocked", function()
    finish(start(new_handle(faultd:url_body(BODY))))
    local file = io.open "/proc/self/status"
    if not file then return end
    file:close()
    local status = support.must("cat /proc/" .. core.pid() .. "/task/*/status")
    local mask = status:match "Name:%s*bitfront\n.-SigBlk:%s*(%x+)"
    -- All but SIGKILL and SIGSTOP, and what the C library keeps for itself.
    assert.truthy(mask and mask:find "[7f]ffbfeff$", mask)
  end)

  it("tells whether a coroutine may yield, where Lua knows", function()
    local tells = rawget(coroutine, "isyieldable") ~= nil
    assert.equal(tells, core.yieldable() ~= nil)
    if not tells then return end
    assert.is_true(coroutine.wrap(function() return core.yieldable() end)())
    coroutine.wrap(function()
      table.sort({ 2, 1 }, function(a, b)
        assert.is_false(core.yieldable())
        return a < b
      end)
    end)()
  end)

  if not rawget(_G, "jit") then return end

  local function in_child(action)
    return require "spec.support.fork".in_child(action, "exit")
  end

  it("is made anew after a fork, and leaves the parent's alone", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 50 }))
    local slow = start(client)
    finish(start(client))
    faultd:forget()
    assert(finish(start(client)))
    local under_way = start(client)
    assert.is_true(in_child(function()
      local records, err = under_way:finish()
      assert(records == nil and err.code == "fork")
      slow = nil
      collect()
      return (finish(start(client))) ~= nil
    end))
    assert(finish(under_way))
    assert(finish(start(client)))
    assert(finish(slow))
    local connections = {}
    for _, request in ipairs(faultd:requests()) do
      connections[request.connection] = true
    end
    assert.is_true(next(connections) ~= nil)
  end)

  it("has no jobs in a forked child, which ends as any other program", function()
    local client = new_handle(faultd:url_body(BODY, { delay = 50 }))
    local job = start(client)
    assert.is_true(in_child(function()
      local live, held = core.thread_status()
      return live == 0 and held == 0
    end))
    assert(finish(job))
  end)
end)
