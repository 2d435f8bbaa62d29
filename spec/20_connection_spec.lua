-- Connections: whose they are, how long they are kept, and when they are not used.

local recordd = require "spec.support.recordd"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local tunnel = require "spec.support.tunnel"

local BODY = support.success(
  '[{"currency":"BTC","balance":2.5,"availableBalance":1.25}]')
local REPLY = support.reply(BODY)

local function port_of(url)
  return tonumber(url:match ":(%d+)$" or url:match ":(%d+)/")
end

-- A kernel may have been told to do without IPv6.
local function needs_v6()
  if not (support.read "/proc/net/if_inet6" or ""):find(("0"):rep(31) .. "1 ", 1, true) then
    pending "::1 is no address of this machine"
  end
end

-- How often a server did the step "mark:PATH".
local function marks(path)
  return #(support.read(path) or "")
end

describe("a connection", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  local function client(options)
    local all = { base_url = faultd:url_body(BODY, { listener = "plain" }) }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  -- A call of a client of its own.
  local function call(options)
    local one = client(options)
    assert(one:balances())
    one:close()
  end

  describe("belongs to one account:", function()
    for _, listener in ipairs { "plain", "good" } do
      local url
      before_each(function() url = faultd:url_body(BODY, { listener = listener }) end)

      it("two clients with the same key share it, " .. listener, function()
        local a, b = client { base_url = url }, client { base_url = url }
        for _ = 1, 3 do
          assert(a:balances())
          assert(b:balances())
        end
        assert.equal("1 1 1 1 1 1", (faultd:connections()))
      end)

      it("two keys do not, " .. listener, function()
        local a, b = client { base_url = url, api_key = "keyOfA" },
          client { base_url = url, api_key = "keyOfB" }
        for _ = 1, 3 do
          assert(a:balances())
          assert(b:balances())
        end
        assert.equal("1 2 1 2 1 2", (faultd:connections()))
      end)

      it("unsigned calls have their own, whoever makes them, " .. listener, function()
        local a, b = client { base_url = url, api_key = "keyOfC" },
          client { base_url = url, api_key = "keyOfD" }
        for _, one in ipairs { a, b } do
          assert(one:balances())
          assert(one:server_time())
          assert(one:get "/v1/public/time")
        end
        assert.equal("1 2 2 3 2 2", (faultd:connections()))
        for _, request in ipairs(faultd:requests()) do
          assert.equal(request.path:find "public" == nil, request.headers["x-api-key"] ~= nil)
        end
      end)

      it("a client that gets another key does not use the old one's, " .. listener, function()
        local key = "keyOfE"
        local one = require "bitfront".new { base_url = url, ca_file = faultd.ca_file,
          rate_limit = false, credentials = function() return key, "secret" end }
        for _, each in ipairs { "keyOfE", "keyOfE", "keyOfF", "keyOfF", "keyOfE" } do
          key = each
          assert(one:balances())
        end
        assert.equal("1 1 2 2 1", (faultd:connections()))
        for i, each in ipairs { "keyOfE", "keyOfE", "keyOfF", "keyOfF", "keyOfE" } do
          assert.equal(each, faultd:requests()[i].headers["x-api-key"])
        end
      end)

      it("another ca_file has its own, " .. listener, function()
        local copy = support.tmpdir() .. "/ca.pem"
        support.write(copy, support.read(faultd.ca_file))
        for _ = 1, 2 do
          call { base_url = url, api_key = "keyOfG" }
          call { base_url = url, api_key = "keyOfG", ca_file = copy }
        end
        assert.equal("1 2 1 2", (faultd:connections()))
      end)

      it("another ca_file than none has its own, " .. listener, function()
        local bare = require "bitfront".new { base_url = url, rate_limit = false, retries = 0,
          api_key = "keyOfI", api_secret = support.SECRET }
        for _ = 1, 2 do
          call { base_url = url, api_key = "keyOfI" }
          bare:balances()
        end
        bare:close()
        assert.equal(listener == "plain" and "1 2 1 2" or "1 1", (faultd:connections()))
      end)

      it("another proxy has its own, " .. listener, function()
        local one, other = tunnel.start "http", tunnel.start "http"
        for _ = 1, 2 do
          call { base_url = url, api_key = "keyOfH" }
          call { base_url = url, api_key = "keyOfH", proxy = one.url }
          call { base_url = url, api_key = "keyOfH", proxy = other.url }
        end
        one:stop()
        other:stop()
        assert.equal("1 2 3 1 2 3", (faultd:connections()))
      end)
    end
  end)

  describe("that is kept", function()
    -- So many calls of one account at once.
    local function at_once(count, options)
      local clients = {}
      for i = 1, count do clients[i] = client(options) end
      local results = require "bitfront".balances_many(clients, { concurrency = count })
      for i, result in ipairs(results) do
        assert.is_nil(result.err)
        clients[i]:close()
      end
    end

    it("is the one that was used last", function()
      local options = { base_url = faultd:url_body(BODY, { listener = "plain", delay = 300 }) }
      at_once(3, options)
      assert.equal("1 2 3", (faultd:connections()))
      faultd:forget()
      for _ = 1, 4 do call(options) end
      assert.equal("1 1 1 1", (faultd:connections()))
    end)

    it("is one of at most 256", function()
      local url = faultd:url_body(BODY, { listener = "plain", delay = 1500 })
      at_once(300, { base_url = url, timeout = 60, connect_timeout = 60 })
      local _, count = faultd:connections()
      assert.equal(300, count)
      assert.equal(256, #tcp.connections(port_of(url)))
    end)

    it("is closed when it was not used for 60 s #once #apart", function()
      local ahead = support.preload [[
        #define _GNU_SOURCE
        #include <signal.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>

        static volatile sig_atomic_t seconds;

        static void on_signal(int number) {
            seconds += 40;
        }

        int clock_gettime(clockid_t id, struct timespec *now) {
            long result = syscall(SYS_clock_gettime, id, now);
            if (id != CLOCK_REALTIME)
                now->tv_sec += seconds;
            return (int)result;
        }

        __attribute__((constructor)) static void start(void) {
            signal(SIGUSR1, on_signal);
        }]]
      local own = support.faultd()
      local url = own:url_body(BODY, { listener = "plain", delay = 500 })
      local out, err = support.lua(([[
        local bitfront, tcp = require "bitfront", require "spec.support.tcp"
        local function client()
          return bitfront.new { api_key = "key", api_secret = "secret", base_url = %q,
            rate_limit = false, clock = "system" }
        end
        for _, result in ipairs(bitfront.balances_many { client(), client(), client() }) do
          assert(result.balances)
        end
        local one = client()
        for _, waits in ipairs { 0, 1, 1, 2, 1 } do
          for _ = 1, waits do os.execute "kill -USR1 $PPID" end
          assert(one:balances())
          io.write(#tcp.connections(%d), " ")
        end]]):format(url, port_of(url)), { env = { LD_PRELOAD = ahead } })
      assert.equal("", err)
      assert.equal("3 3 1 1 1 ", out)
      local numbers, used = {}, {}
      for i, request in ipairs(own:requests()) do numbers[i] = request.connection end
      own:stop()
      for i = 4, 8 do used[i - 3] = numbers[i] end
      assert.same({ used[1], used[1], used[1], used[4], used[4] }, used)
      assert.are_not.equal(used[1], used[4])
    end)
  end)

  -- What a second call finds of it, by RFC 9112, 6.3 and 9.3.
  describe("is", function()
    local LENGTH = "Content-Length: " .. #BODY
    for _, row in ipairs {
      { "kept", BODY, "HTTP/1.1 200 OK", LENGTH },
      { "kept", BODY, "HTTP/1.1 200 OK", LENGTH, "Connection: keep-alive" },
      { "closed", BODY, "HTTP/1.1 200 OK", LENGTH, "Connection: close" },
      { "closed", BODY, "HTTP/1.1 200 OK", "connection:CLOSE", LENGTH },
      { "closed", BODY, "HTTP/1.1 200 OK", LENGTH, "Connection: keep-alive, close" },
      { "closed", BODY, "HTTP/1.1 200 OK", LENGTH, "Connection: close", "Connection: keep-alive" },
      { "closed", BODY, "HTTP/1.1 200 OK", LENGTH, "Connection: keep-alive", "Connection: close" },
      { "closed", BODY, "HTTP/1.0 200 OK", LENGTH },
      { "kept", BODY, "HTTP/1.0 200 OK", LENGTH, "Connection: keep-alive" },
      { "closed", BODY, "HTTP/1.0 200 OK", LENGTH, "Connection: close", "Connection: keep-alive" },
      { "kept", BODY, "HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK", LENGTH },
      { "kept", BODY, "HTTP/1.1 103 Early Hints", "Connection: close", "", "HTTP/1.1 102 X", "",
        "HTTP/1.1 200 OK", LENGTH },
      { "closed", BODY, "HTTP/1.1 100 Continue", "Connection: keep-alive", "",
        "HTTP/1.0 200 OK", LENGTH },
      { "closed", "", "HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: upgrade" },
      { "closed", "", "HTTP/1.1 204 No Content" },
      { "closed", "", "HTTP/1.1 204 No Content", "Content-Length: 0" },
      { "kept", "", "HTTP/1.1 304 Not Modified", "Content-Length: 5000" },
      { "kept", "", "HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked" },
      { "kept", "", "HTTP/1.1 500 X", "Content-Length: 0" },
      { "kept", "<p>busy</p>", "HTTP/1.1 503 X", "Content-Length: 11", "Retry-After: 1" },
      { "kept", "3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 404 X", "Transfer-Encoding: chunked" },
      { "kept", "moved", "HTTP/1.1 301 X", "Content-Length: 5", "Location: /x" },
      { "closed", "<p>busy</p>", "HTTP/1.1 503 X", "Content-Length: 11", "Connection: close" },
      { "closed", "<p>busy</p>", "HTTP/1.1 503 X" },
    } do
      it(row[1] .. " behind " .. table.concat(row, ", ", 3), function()
        local reply = table.concat(row, "\r\n", 3) .. "\r\n\r\n" .. row[2]
        for _, listener in ipairs { "plain", "good" } do
          faultd:forget()
          local one = client { base_url = faultd:url {
            reply = reply, listener = listener, close = "keep" } }
          for _ = 1, 3 do one:balances() end
          one:close()
          assert.equal(row[1] == "kept" and "1 1 1" or "1 2 3", (faultd:connections()))
        end
      end)
    end

    -- Its own TLS may hold what nobody sees.
    for _, row in ipairs { { "http", "plain", "kept" }, { "http", "good", "kept" },
                           { "https", "plain", "closed" }, { "https", "good", "closed" } } do
      it(("%s through an %s proxy, %s"):format(row[3], row[1], row[2]), function()
        local proxy = tunnel.start(row[1])
        local one = client { base_url = faultd:url_body(BODY, { listener = row[2] }),
                             proxy = proxy.url }
        for _ = 1, 3 do assert(one:balances()) end
        one:close()
        proxy:stop()
        assert.equal(row[3] == "kept" and "1 1 1" or "1 2 3", (faultd:connections()))
      end)
    end
  end)

  describe("of IPv6", function()
    local faultd6
    teardown(function() if faultd6 then faultd6:stop() end end)

    local function start()
      needs_v6()
      faultd6 = faultd6 or support.faultd(nil, true)
      faultd6:forget()
    end

    for _, listener in ipairs { "good", "plain" } do
      it("is made to ::1, and kept, " .. listener, function()
        start()
        local one = client { base_url = faultd6:url_body(BODY, { listener = listener }) }
        for _ = 1, 3 do assert.equal(2.5, assert(one:balances())[1].balance) end
        one:close()
        assert.equal("1 1 1", (faultd6:connections()))
        assert.equal("[::1]:" .. faultd6.ports[listener], faultd6:requests()[3].headers.host)
      end)
    end

    it("is made only to the host that the certificate names", function()
      start()
      for _, row in ipairs { { "wronghost", "tls", "hostname" }, { "unknown", "tls", "untrusted" },
                             { "closed", "network", "refused" } } do
        local _, err = support.balances(faultd6:url_body(BODY, { listener = row[1] }))
        assert.same({ row[2], row[3] }, { err.kind, err.code })
      end
    end)
  end)

  -- The proxy's address is the one that is connected to.
  describe("for http is not made to an address that is not loopback:", function()
    for _, host in ipairs { "128.0.0.1", "126.255.255.255", "10.0.0.1", "[::2]", "[2001:db8::1]",
                            "[fe80::1]", "[::ffff:127.0.0.1]" } do
      it(host, function()
        local _, err = support.balances(faultd:url_body(BODY, { listener = "plain" }),
          { proxy = "http://" .. host .. ":" .. faultd.ports.plain })
        assert.same({ "network", "refused", true }, { err.kind, err.code,
          err.message:find("http:// leads to an address that is not loopback", 1, true) ~= nil })
        assert.equal(0, #faultd:requests())
      end)
    end
  end)

  describe("is not used again, at no cost of an attempt, where the server", function()
    local function put(shake, text)
      return shake == "wait:0" and recordd.bytes(text) or recordd.data(text)
    end

    -- How many connections and requests two calls take, where the server does these
    -- steps when the first is over. On 127.0.0.1, or the `address` given.
    local function calls(shake, steps, address)
      local dir = support.tmpdir()
      local connected, asked, go = dir .. "/connected", dir .. "/asked", dir .. "/go"
      local all = { "mark:" .. connected, shake, "request", "mark:" .. asked,
                    put(shake, REPLY), "await:" .. go }
      for _, step in ipairs(steps) do all[#all + 1] = step end
      for _, step in ipairs { "request", "mark:" .. asked, put(shake, REPLY), "hang" } do
        all[#all + 1] = step
      end
      local server = recordd.start(all, address)
      local one = support.client { base_url = server.url }
      for i = 1, 2 do
        local balances, err, info = one:balances()
        assert.is_nil(err)
        assert.same({ 2.5, 1 }, { balances[1].balance, info.attempts })
        if i == 1 then
          support.write(go, "")
          tcp.wait_for_peer(port_of(server.url), address ~= nil)
        end
      end
      one:close()
      server:stop()
      return marks(connected), marks(asked)
    end

    local ENDINGS = {
      { "has closed it", { "fin" } },
      { "has reset it", { "rst" } },
      { "has closed its half", { "half" } },
      { "has sent a byte", { "BYTE" } },
      { "has sent a reply", { "REPLY" } },
    }
    local TLS_ENDINGS = {
      { "has said that it closes", { "record:21:0100" } },
      { "has said that it closes, and has", { "record:21:0100", "fin" } },
      { "has sent an alert", { "record:21:0250" } },
      { "has sent an alert and closed it", { "record:21:0250", "fin" } },
      { "has sent a part of a record", { "bytes:1703030020aabb" } },
      { "has sent a part of a record's head", { "bytes:17" } },
      { "has sent a record that is none", { "bytes:1703030020" .. ("ab"):rep(32) } },
      { "has sent a part of a record and closed it", { "bytes:1703030020aabb", "fin" } },
      { "has sent a record without data and a byte", { "+record:23:", "BYTE" } },
    }

    local function add(shake, rows, address)
      for _, row in ipairs(rows) do
        local where = (shake == "wait:0" and "" or ", " .. shake)
          .. (address and ", at " .. address or "")
        it(row[1] .. where, function()
          if address then needs_v6() end
          local steps = {}
          for i, step in ipairs(row[2]) do
            steps[i] = step:gsub("BYTE", put(shake, "x")):gsub("REPLY", put(shake, REPLY))
          end
          assert.same({ 2, 2 }, { calls(shake, steps, address) })
        end)
      end
    end

    add("wait:0", ENDINGS)
    for _, shake in ipairs { "shake13", "shake12" } do
      add(shake, ENDINGS)
      add(shake, TLS_ENDINGS)
    end
    for _, shake in ipairs { "wait:0", "shake13" } do add(shake, ENDINGS, "::1") end

    it("- but it is where there was only what belongs to TLS", function()
      local ticket = recordd.hex "\4\0\0\22\0\0\28\32\0\0\0\1\1a\0\8ticketab\0\0"
      assert.same({ 1, 2 }, { calls("shake13", { "record:22:" .. ticket }) })
      assert.same({ 1, 2 }, { calls("shake13", { "update:1800000100" }) })
    end)
  end)

  it("is read again where something comes while it is looked at #once #apart", function()
    local dir = support.tmpdir()
    local connected, mark, go = dir .. "/connected", dir .. "/mark", dir .. "/go"
    -- The server goes on between a read that finds nothing and the poll behind it.
    local library = support.preload [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <fcntl.h>
      #include <stdlib.h>
      #include <unistd.h>
      int poll(void *fds, unsigned long count, int timeout) {
        int (*next)(void *, unsigned long, int) = dlsym(RTLD_NEXT, "poll");
        if (count == 1 && timeout == 0 && unlink(getenv("MARK")) == 0) {
          close(creat(getenv("GO"), 0600));
          next(fds, count, 10000);
          unlink(getenv("GO"));
        }
        return next(fds, count, timeout);
      }]]
    for shake, row in pairs { ["wait:0"] = { recordd.bytes "x", recordd.bytes(REPLY), 2 },
                              shake13 = { "update:1800000100", recordd.data(REPLY), 1 } } do
      support.write(connected, "")
      local server = recordd.start { "mark:" .. connected, shake, "request", row[2],
        "await:" .. go, row[1], "request", row[2], "hang" }
      local out, err = support.lua(([[
        local client = require "bitfront".new { api_key = "key", api_secret = "secret",
          base_url = %q, ca_file = %q, retries = 0, rate_limit = false, clock = "system" }
        assert(client:balances())
        io.open(os.getenv "MARK", "w"):close()
        assert(client:balances())
        print "done"
      ]]):format(server.url, faultd.ca_file),
        { env = { LD_PRELOAD = library, MARK = mark, GO = go } })
      server:stop()
      assert.equal("done\n", out, err)
      assert.equal(row[3], marks(connected), shake)
    end
  end)

  it("is closed in good order where the peer has received all that was sent", function()
    local server = recordd.start { "request", recordd.bytes(
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " .. #BODY .. "\r\n\r\n"
      .. BODY), "hang" }
    assert(support.balances(server.url))
    -- FIN_WAIT1, FIN_WAIT2 or TIME_WAIT: of a connection that was reset nothing is left.
    assert.truthy(support.read "/proc/net/tcp"
      :find((":%04X 0[4-6] "):format(port_of(server.url))))
    server:stop()
  end)

  it("is made by libcurl for nothing else #once", function()
    local options = support.preload [[
      #include <dlfcn.h>
      #include <stdarg.h>
      #include <stdio.h>
      int curl_easy_setopt(void *easy, int option, ...) {
        int (*next)(void *, int, ...) = dlsym(dlopen("libcurl.so.4", RTLD_NOW),
                                              "curl_easy_setopt");
        va_list rest;
        long value;
        va_start(rest, option);
        value = va_arg(rest, long);
        va_end(rest);
        if (option < 10000)
          printf(" %d=%ld ", option, value);
        return next(easy, option, value);
      }]]
    local out = support.lua(([[
      require "bitfront".balances { api_key = "key", api_secret = "secret", base_url = %q }
    ]]):format(faultd:url_body(BODY, { listener = "plain" })), { env = { LD_PRELOAD = options } })
    for name, option in pairs {
      CONNECT_ONLY = "141=1", SSL_VERIFYHOST = "81=2", PROXY_SSL_VERIFYHOST = "249=2",
      FOLLOWLOCATION = "52=0", UNRESTRICTED_AUTH = "105=0", NETRC = "51=0", NOPROGRESS = "43=0",
      SSL_SESSIONID_CACHE = "150=0", TIMEOUT_MS = "155=0",
    } do
      assert.truthy(out:find(" " .. option .. " ", 1, true), name)
    end
  end)

  describe("that breaks before a reply's first byte", function()
    -- All requests are signed, each with a nonce of its own.
    local function nonces()
      local seen, count = {}, 0
      for _, request in ipairs(faultd:requests()) do
        for _, name in ipairs { "x-api-nonce", "x-api-sign" } do
          assert.is_nil(seen[request.headers[name]])
          seen[request.headers[name]] = true
        end
        count = count + 1
      end
      return count
    end

    for _, row in ipairs { { "plain", "fin", "empty" }, { "plain", "rst", "reset" },
                           { "good", "fin", "empty" }, { "good", "notls", "empty" },
                           { "good", "rst", "reset" } } do
      it(("is an error of kind network, and each retry signed anew, %s, %s")
        :format(row[1], row[2]), function()
          local url = faultd:url { listener = row[1], close = row[2] }
          for retries = 0, 2 do
            faultd:forget()
            local _, err = client { base_url = url, retries = retries }:balances()
            assert.same({ "network", row[3], true, retries + 1 },
              { err.kind, err.code, err.retryable, err.attempts })
            assert.equal(retries + 1, nonces())
          end
        end)
    end

    for _, listener in ipairs { "plain", "good" } do
      it("though it was kept, costs an attempt, " .. listener, function()
        local url = faultd:url_body(BODY, { listener = listener, serves = 1 })
        local one = client { base_url = url, retries = 1 }
        assert(one:balances())
        local balances, _, info = one:balances()
        assert.same({ 2.5, 2 }, { balances[1].balance, info.attempts })
        assert.equal("1 1 2", (faultd:connections()))
        assert.equal(3, nonces())
        local _, err = client { base_url = url, retries = 0 }:balances()
        assert.same({ "network", true, 1 }, { err.kind, err.retryable, err.attempts })
        assert.equal(4, nonces())
      end)
    end

    it("though it was kept, is stale also where nothing can be written #once #apart", function()
      local library = support.preload [[
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <string.h>
        #include <sys/types.h>

        ssize_t send(int fd, const void *data, size_t len, int flags) {
            static int requests;
            ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
            if (len > 4 && memcmp(data, "GET ", 4) == 0 && ++requests == 2) {
                errno = ECONNRESET;
                return -1;
            }
            return next(fd, data, len, flags);
        }]]
      local program = ([[
        local core = require "bitfront.core"
        local client = core.new { base_url = %q, user_agent = "spec", connect_timeout = 3,
                                  max_body = 1e6 }
        for i = 1, 3 do
          local _, err = core.get { client = client, expect = "public",
                                    deadline = core.now() + 3 }
          io.write(err and err.kind .. " " .. tostring(err.stale) or "ok", i < 3 and ", " or "")
        end
      ]]):format(faultd:url_body(BODY, { listener = "plain" }))
      assert.equal("ok, network true, ok",
        (support.lua(program, { env = { LD_PRELOAD = library } })))
    end)
  end)
end)
