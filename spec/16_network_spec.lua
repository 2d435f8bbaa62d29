local dead_dns = require "spec.support.dead_dns"
local namespace = require "spec.support.namespace"
local recordd = require "spec.support.recordd"
local support = require "spec.support"
local turns = require "spec.support.turns"

local BODY = support.success(
  '[{"currency":"BTC","balance":2.5,"availableBalance":1.25}]')

local function now()
  return require "bitfront.core".now()
end

describe("the network", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  local function is_refused(kind, code, url, options)
    local balances, err = support.balances(url, options)
    assert.is_nil(balances)
    assert.equal(kind, err.kind)
    assert.equal(code, err.code)
    return err
  end

  describe("fails with kind network:", function()
    for _, scheme in ipairs { "https", "http" } do
      it("- connection refused, " .. scheme, function()
        local err = is_refused("network", "refused",
          faultd:url { listener = "closed", scheme = scheme })
        assert.is_true(err.retryable)
      end)

      it("- connection reset when it is made, " .. scheme, function()
        is_refused("network", "reset",
          faultd:url { listener = "reset", scheme = scheme })
      end)
    end

    for _, listener in ipairs { "good", "plain" } do
      it("- connection reset for an answer, " .. listener, function()
        is_refused("network", "reset",
          faultd:url { listener = listener, close = "rst" })
      end)

      it("- connection closed for an answer, " .. listener, function()
        is_refused("network", "empty", faultd:url { listener = listener })
      end)
    end
  end)

  describe("fails with kind timeout,", function()
    -- Ends at its deadline: never before, and not 100 ms after.
    local function times_out(code, plan, options, deadline)
      local url = faultd:url(plan)
      local begun, own_begun = now(), support.own_time()
      local err = is_refused("timeout", code, url, options)
      local elapsed, own_elapsed = now() - begun, support.own_time() - own_begun
      assert.is_true(elapsed >= deadline - 0.002, "after " .. elapsed .. " s")
      assert.is_true(own_elapsed < deadline + 0.1, "after " .. own_elapsed .. " s")
      assert.is_true(err.retryable)
    end

    -- A TLS handshake comes before those that wait for a second.
    local reply = support.reply(BODY)
    local ROWS = {
      { "connecting", "connect", { listener = "full" } },
      { "connecting plainly", "connect",
        { listener = "full", scheme = "http" } },
      { "in the TLS handshake", "tls", { listener = "silent" } },
      { "waiting for the answer", "response",
        { reply = reply, delay = 3000 }, 1 },
      { "waiting for the answer of a plain server", "response",
        { listener = "silent", scheme = "http" } },
      { "in a head that stops", "response",
        { reply = reply, cut = 30, close = "hang" }, 1 },
      { "in a body that stops", "body",
        { reply = reply, cut = #reply - 1, close = "hang" }, 1 },
      { "in a head that trickles", "response",
        { reply = reply, chunk = 10, gap = 200 }, 1 },
      { "in a body that trickles", "body",
        { reply = support.reply(BODY .. (" "):rep(2000)), chunk = 400,
          gap = 300 }, 1 },
    }

    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local timeout = row[4] or 0.3
        times_out(row[2], row[3], { timeout = timeout }, timeout)
      end)
    end

    for i = 1, 3 do
      it(ROWS[i][1] .. " for connect_timeout", function()
        times_out(ROWS[i][2], ROWS[i][3],
          { timeout = 3, connect_timeout = 0.2 }, 0.2)
      end)
    end

    it("but connect_timeout does not bound the answer", function()
      assert(support.balances(faultd:url_body(BODY, { delay = 1200 }),
        { connect_timeout = 1 }))
    end)
  end)

  describe("fails with kind tls", function()
    local ROWS = {
      { "an expired certificate", "expired", "expired" },
      { "another host's certificate", "hostname", "wronghost" },
      { "a self-signed certificate", "self_signed", "selfsigned" },
      { "a certificate of an unknown CA", "untrusted", "unknown" },
      { "TLS 1.1", "version", "tls11" },
    }

    for _, row in ipairs(ROWS) do
      it("at " .. row[1] .. ", and sends nothing", function()
        local err = is_refused("tls", row[2],
          faultd:url_body(BODY, { listener = row[3] }))
        assert.equal(0, #faultd:requests())
        assert.is_false(err.retryable)
        assert.truthy(err.message:find("ca_file", 1, true))
        for _, word in ipairs { "insecure", "disabl", "verify=", "turn off",
                                "skip", "VERIFY" } do
          assert.falsy(err.message:find(word, 1, true))
        end
      end)
    end

    for i = 1, 4 do
      local row = ROWS[i]
      it("at " .. row[1] .. " of an https proxy, and sends nothing", function()
        local tunnel = require "spec.support.tunnel".start("", row[3])
        is_refused("tls", row[2], faultd:url_body(BODY), { proxy = tunnel.url })
        tunnel:stop()
        assert.equal(0, #faultd:requests())
      end)
    end

    it("at a certificate that names credentials, and shows none", function()
      local dir = support.tmpdir()
      local subject = ("\27[2J%s %s"):format(support.KEY, support.SECRET)
      support.must(("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out only.pem "
        .. "-days 1000 -subj %s && cat only.pem key.pem >both.pem")
        :format(support.quote("/CN=" .. subject)), { cwd = dir })
      local echoing = support.faultd { echoing = dir .. "/both.pem" }
      local _, err = support.balances(echoing:url_body(BODY, { listener = "echoing" }),
        { ca_file = dir .. "/only.pem" })
      echoing:stop()
      assert.equal("tls", err.kind)
      assert.equal("hostname", err.code)
      assert.truthy(err.message:find("'\\x1B[2J*** ***'", 1, true), err.message)
    end)

    it("at the good certificate where another CA is trusted", function()
      local other_ca = support.certs().selfsigned
      assert.equal("tls", select(2, support.balances(faultd:url_body(BODY),
        { ca_file = other_ca })).kind)
    end)

    it("on a kept connection that only another client trusts", function()
      local url = faultd:url_body(BODY)
      local trusting = support.client { base_url = url }
      assert(trusting:balances())
      local _, err = support.balances(url,
        { ca_file = support.certs().selfsigned })
      assert.equal("tls", err.kind)
      trusting:close()
    end)

    it("at a ca_file that is missing, or none", function()
      local empty = support.tmpdir() .. "/empty.pem"
      support.write(empty, "no certificate\n")
      local missing = empty .. ".missing"
      local _, in_the_locale = io.open(missing)
      for path, reason in pairs {
        [empty] = "no certificate in PEM form",
        [missing] = in_the_locale:sub(#missing + 3),
      } do
        local err = is_refused("tls", "ca_file", faultd:url_body(BODY),
          { ca_file = path })
        assert.truthy(err.message:find(path .. ": " .. reason, 1, true))
      end
    end)

    it("at a ca_file that is no file, without waiting for it", function()
      local fifo, large = support.tmpdir() .. "/fifo.pem", support.tmpdir() .. "/large.pem"
      support.must("mkfifo " .. fifo)
      local certificates = support.read(faultd.ca_file)
      local most = certificates .. ("\n"):rep(2 * 1024 * 1024 - #certificates)
      support.write(large, most .. "\n")
      is_refused("tls", "ca_file", faultd:url_body(BODY), { ca_file = large })
      for _, path in ipairs { fifo, support.tmpdir(), "/dev/null", "/dev/zero" } do
        local err = is_refused("tls", "ca_file", faultd:url_body(BODY),
          { ca_file = path })
        assert.equal("ca_file " .. path .. ": not a regular file",
          (err.message))
      end
      support.write(large, most) -- which is not too large
      assert(support.balances(faultd:url_body(BODY), { ca_file = large }))
      assert(support.balances(faultd:url_body(BODY, { listener = "plain" }), { ca_file = fifo }))
    end)

    it("at a server that does not speak it", function()
      is_refused("tls", "handshake",
        faultd:url { listener = "plain", scheme = "https" })
    end)
  end)

  -- Each in a process of its own: what is wrong there ends the process.
  it("does not end the process where a connection is reset as soon as it is made", function()
    local server = recordd.start { "shake13", "rst" }
    local out = support.lua(([[
      for _ = 1, 20 do
        local client = require "bitfront".new { api_key = "key", api_secret = "secret",
          base_url = %q, ca_file = %q, retries = 0, rate_limit = false }
        local _, err = client:balances()
        io.write(err.kind, " ")
        client:close()
      end]]):format(server.url, faultd.ca_file))
    server:stop()
    assert.equal(("network "):rep(20), out)
  end)

  it("has servers with a name as well as with an address", function()
    assert(support.balances(faultd:url_body(BODY, { host = "localhost" })))
  end)

  -- What becomes of a call in a process that the words before begin; "no start"
  -- where it could not even load the module.
  local function result_in(before, url, after)
    local program = support.tmpdir() .. "/call.lua"
    support.write(program, ([[
      local client = require "bitfront".new { api_key = "key", api_secret = "secret",
        base_url = %q, ca_file = %q, retries = 0, rate_limit = false }
      local balances, err = client:balances()
      io.write(balances and "ok"
        or err.kind .. " " .. err.code .. " " .. tostring(err.retryable))
      local source = err and (err.message:match "configured by the (.*)"
        or err.message:match "this libcurl uses (.-);")
      io.write(source and ": " .. source or "")
      %s
    ]]):format(url, faultd.ca_file, after or ""))
    local out, _, code = support.run(before .. " " .. support.interpreter() .. " " .. program)
    return code == 0 and out or "no start"
  end

  it("fails with kind config, not memory or tls, where OpenSSL has no provider", function()
    local file = support.tmpdir() .. "/openssl.cnf"
    support.write(file, "openssl_conf = init\n[init]\nproviders = these\n[these]\n"
      .. "null = null\n[null]\nactivate = 1\n")
    assert.equal("config openssl false: file that the environment variable OPENSSL_CONF names",
      result_in("OPENSSL_CONF=" .. file .. " exec", faultd:url_body(BODY)))
    namespace.needed(pending)
    local of_system = support.must "openssl version -d":match '"(.*)"' .. "/openssl.cnf"
    local mounting = ("%s sh -c 'mount --bind %s %s && exec \"$@\"' sh env "):format(
      namespace.UNSHARE, file, of_system)
    assert.equal("config openssl false: system's openssl.cnf",
      result_in(mounting, faultd:url_body(BODY)))
    assert.equal(
      "config openssl false: folder that the environment variable OPENSSL_MODULES names",
      result_in(mounting .. "OPENSSL_MODULES=/nonexistent", faultd:url_body(BODY)))
  end)

  it("fails with kind config where libcurl uses no OpenSSL, or another one #once", function()
    for version, text in pairs {
      ['"GnuTLS/3.7.9"'] = "GnuTLS/3.7.9", ['"OpenSSL/1.1.1w"'] = "OpenSSL/1.1.1w",
      ["0"] = "no TLS",
    } do
      local other = support.preload(([[
        #include <curl/curl.h>
        static curl_version_info_data info = { .ssl_version = %s };
        curl_version_info_data *curl_version_info(CURLversion version) {
            (void)version;
            return &info;
        }
      ]]):format(version))
      assert.equal("config libcurl false: " .. text,
        result_in("LD_PRELOAD=" .. other, faultd:url_body(BODY)))
    end
  end)

  it("fails at once where no name server can be reached", function()
    namespace.needed(pending)
    assert.equal("network resolve true",
      result_in(namespace.UNSHARE, "https://nowhere.invalid"))
  end)

  -- The peak of a call that has what it needs, in KiB; then with less and less.
  it("fails with kind memory, not tls, where memory is short #once #apart", function()
    local url, seen = faultd:url_body(BODY), {}
    local peak = tonumber(result_in("exec", url, [[
      for line in io.lines "/proc/self/status" do
        io.write(line:match "^VmPeak:%s*(%d+)" or "")
      end]]):match "%d+")
    for less = 40, 2400, 40 do
      local result = result_in(("ulimit -v %d; exec"):format(peak - less), url)
      seen[result] = (seen[result] or 0) + 1
    end
    seen.ok, seen["no start"] = nil, nil
    assert.truthy((seen["memory memory false"] or 0) > 3)
    seen["memory memory false"] = nil
    assert.same({}, seen)
  end)

  -- libcurl asks for the peer's address before TLS begins, and keeps what it was
  -- told first.
  it("fails with kind network, not tls, where the connection ended before TLS #once", function()
    local gone = support.preload [[
      #include <errno.h>
      #include <sys/socket.h>
      int getpeername(int fd, struct sockaddr *name, socklen_t *len) {
          (void)fd, (void)name, (void)len;
          errno = ENOTCONN;
          return -1;
      }]]
    assert.equal("network reset true", result_in("LD_PRELOAD=" .. gone .. " exec",
      faultd:url { listener = "reset", scheme = "https" }))
  end)

  it("works where the system refuses to check the socket #once", function()
    local refusing = support.preload [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <errno.h>
      #include <poll.h>
      int poll(struct pollfd *fds, nfds_t count, int ms) {
          int (*next)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
          if (count != 1 || ms != 0 || fds->events != POLLIN)
              return next(fds, count, ms);
          errno = EINTR;
          return -1;
      }]]
    assert.equal("ok", result_in("LD_PRELOAD=" .. refusing .. " exec", faultd:url_body(BODY)))
  end)

  -- How many are needed differs between versions of libcurl.
  it("fails with kind network, not tls, where there are too few descriptors", function()
    local seen, last = {}, nil
    for count = 4, 12 do
      last = result_in("ulimit -n " .. count .. "; exec", faultd:url_body(BODY))
      assert.is_true(last == "ok" or not seen.ok, count .. ": " .. last)
      seen[last] = true
    end
    seen["no start"] = nil
    assert.same({ ["network descriptors true"] = true, ok = true }, seen)
    assert.equal("ok", last)
  end)

  it("does not read what a proxy says without end", function()
    local tunnel = require "spec.support.tunnel".start "endless"
    local client = support.client { base_url = faultd:url_body(BODY), proxy = tunnel.url,
                                    timeout = 20 }
    local begun = now()
    local balances, err = client:balances()
    assert.is_nil(balances)
    assert.equal("network", err.kind)
    assert.equal("proxy", err.code)
    assert.is_true(now() - begun < 10)
    client:close()
    tunnel:stop()
  end)

  for name, answer in pairs {
    ["closes"] = "", ["answers CONNECT with an interim reply"] = "HTTP/1.1 100 Continue\r\n\r\n",
    ["speaks no HTTP"] = "SSH-2.0-OpenSSH_9.2\r\n",
    ["speaks HTTP of no known version"] = "HTTP/7.5 200 OK\r\n\r\n",
  } do
    it("names a proxy that " .. name, function()
      local server = recordd.start { "hello", "bytes:" .. recordd.hex(answer), "fin" }
      local client = support.client { base_url = faultd:url_body(BODY), timeout = 5, retries = 0,
                                      proxy = server.url:gsub("^https", "http") }
      local _, err = client:balances()
      client:close()
      server:stop()
      assert.same({ "network", "proxy" }, { err.kind, err.code }, err.message)
    end)
  end

  describe("is refused by an alert of the server", function()
    local HEAD = "record:23:" .. recordd.hex "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    local ALERTS = {
      unexpected_message = 10, handshake_failure = 40, bad_certificate = 42,
      certificate_unknown = 46, unknown_ca = 48, access_denied = 49, protocol_version = 70,
      insufficient_security = 71, internal_error = 80, unrecognized_name = 112,
      certificate_required = 116, no_application_protocol = 120, of_no_name = 200,
    }
    -- When it comes, and the steps, where ALERT is a record of that alert.
    local ROWS = {
      { "in the handshake", { "hello", "PLAIN" } },
      { "when TLS 1.3 stands", { "shake13", "ALERT" } },
      { "when TLS 1.3 stands, and a reset", { "shake13", "ALERT", "request", "rst" } },
      { "for an answer, TLS 1.3", { "shake13", "request", "ALERT" } },
      { "within the answer, TLS 1.3", { "shake13", "request", HEAD, "ALERT" } },
      { "when TLS 1.2 stands", { "shake12", "ALERT" } },
      { "for an answer, TLS 1.2", { "shake12", "request", "ALERT" } },
      { "within the answer, TLS 1.2", { "shake12", "request", HEAD, "ALERT", "rst" } },
    }

    -- The failure of a call that may be tried thrice, with an alert of this
    -- level and number, in hexadecimal digits.
    local function failure_of(steps, alert)
      local copy = {}
      for i, step in ipairs(steps) do
        copy[i] = step:gsub("^PLAIN$", "bytes:1503030002" .. alert)
          :gsub("^ALERT$", "record:21:" .. alert)
      end
      local server = recordd.start(copy)
      local client = support.client { base_url = server.url, timeout = 3, retries = 2 }
      local _, err = client:balances()
      client:close()
      server:stop()
      return err
    end

    for _, row in ipairs(ROWS) do
      it(row[1] .. ", which is tls, and not tried again", function()
        for name, number in pairs(ALERTS) do
          local err = failure_of(row[2], ("02%02x"):format(number))
          assert.same({ name, "tls", name == "protocol_version" and "version" or "handshake", 1 },
            { name, err.kind, err.code, err.attempts })
          assert.truthy(row[2] == ROWS[1][2] or err.message:find("refused TLS", 1, true))
        end
      end)
    end

    it("but not where it only closes, which is network", function()
      for _, row in ipairs {
        { "reset", ROWS[1][2] }, { "empty", ROWS[2][2] }, { "empty", ROWS[4][2] },
        { "truncated", ROWS[5][2] }, { "empty", ROWS[7][2] }, { "truncated", ROWS[8][2] },
      } do
        local err = failure_of(row[2], "0100")
        assert.same({ "network", row[1], 3 }, { err.kind, err.code, err.attempts })
      end
    end)

    it("where that is a proxy", function()
      local server = recordd.start { "shake13", "request", "record:21:0274" }
      local err = is_refused("tls", "handshake", faultd:url_body(BODY), { proxy = server.url })
      assert.is_false(err.retryable)
      server:stop()
    end)
  end)

  -- From a peer that is faster than we are.
  describe("delays no call where the peer sends without end", function()
    local function data(text) return "record:23:" .. recordd.hex(text) end
    local function handshake(text) return "record:22:" .. recordd.hex(text) end

    local CHUNKED = data "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    local TICKET = "\4\0\0\22\0\0\28\32\0\0\0\1\1a\0\8ticketab\0\0"
    local GREETING = ("160303000400000000"):rep(400) -- a plain HelloRequest
    local TUNNEL = data "HTTP/1.1 200 OK\r\n\r\n"

    -- What, kind, code, and the steps of the server, or of a proxy.
    local ROWS = {
      { "KeyUpdate", "timeout", "response", { "shake13", "request", "*update:1800000100" } },
      { "KeyUpdate that requires an answer", "timeout", "response",
        { "shake13", "request", "*update:1800000101" } },
      { "KeyUpdate before the request", "timeout", "response",
        { "shake13", "*update:1800000100" } },
      { "tickets", "timeout", "response", { "shake13", "request", "*" .. handshake(TICKET) } },
      { "records full of tickets", "timeout", "response",
        { "shake13", "request", "*" .. handshake(TICKET:rep(600)) } },
      { "empty records", "network", "reset", { "shake13", "request", "*record:23:" } },
      { "empty records of TLS 1.2", "network", "reset",
        { "shake12", "request", "*record:23:" } },
      { "HelloRequest of TLS 1.2", "timeout", "response",
        { "shake12", "request", "*" .. handshake "\0\0\0\0" } },
      { "HelloRequest in the handshake", "timeout", "tls", { "hello", "*bytes:" .. GREETING } },
      { "HelloRequest and warnings in the handshake", "timeout", "tls",
        { "hello", "*bytes:1503030002015a" .. GREETING:sub(1, 18) } },
      { "ChangeCipherSpec in the handshake", "tls", "handshake",
        { "hello", "*bytes:140303000101" } },
      { "interim heads", "protocol", "too_large",
        { "shake13", "request", "*" .. data(("HTTP/1.1 100 C\r\n\r\n"):rep(200)) } },
      { "header lines", "protocol", "too_large",
        { "shake13", "request", data "HTTP/1.1 200 OK\r\n",
          "*" .. data(("A: b\r\n"):rep(500)) } },
      { "one header line", "protocol", "too_large",
        { "shake13", "request", data "HTTP/1.1 200 OK\r\nA:", "*" .. data(("b"):rep(500)) } },
      { "a chunk's extension", "protocol", "too_large",
        { "shake13", "request", CHUNKED, data "1;", "*" .. data(("a"):rep(15000)) } },
      { "a chunk's extension, a byte a record", "timeout", "body",
        { "shake13", "request", CHUNKED, data "1;", "*" .. data "a" } },
      { "chunks of a byte", "protocol", "too_large",
        { "shake13", "request", CHUNKED, "*" .. data(("1\r\n \r\n"):rep(2000)) } },
      { "a trailer", "protocol", "too_large",
        { "shake13", "request", CHUNKED, data "0\r\n",
          "*" .. data(("A: b\r\n"):rep(500)) } },
      { "KeyUpdate, as a proxy", "timeout", "tls",
        { "shake13", "request", "*update:1800000100" }, true },
      { "KeyUpdate, as a proxy that has agreed", "timeout", "tls",
        { "shake13", "request", TUNNEL, "*update:1800000100" }, true },
      { "HelloRequest in the handshake, as a proxy", "timeout", "tls",
        { "hello", "*bytes:" .. GREETING }, true },
      { "HelloRequest in the handshake, through a proxy", "timeout", "tls",
        { "shake13", "request", TUNNEL, "*record:23:" .. GREETING }, true },
    }

    for _, row in ipairs(ROWS) do
      it("- " .. row[1], function()
        local server = recordd.start(row[4])
        local expected, result, client = row[2] .. " " .. row[3], nil, nil
        -- A busy machine may not get as far as that in half a second.
        for _, timeout in ipairs { 0.5, 3 } do
          if client then client:close() end
          client = support.client { timeout = timeout, proxy = row[5] and server.url,
            base_url = row[5] and faultd:url_body(BODY) or server.url }
          local _, err = client:balances()
          result = err.kind .. " " .. err.code
          if result == expected then break end
        end
        assert.equal(expected, result)
        turns.check_short(faultd, client, 0.5)
        client:close()
        server:stop()
      end)
    end
  end)

  describe("keeps a connection", function()
    local function connections(server)
      local seen, count, requests = {}, 0, (server or faultd):requests()
      for _, request in ipairs(requests) do
        if not seen[request.connection] then count = count + 1 end
        seen[request.connection] = true
      end
      return count, #requests
    end

    it("for all calls of a client", function()
      local client = support.client { base_url = faultd:url_body(BODY) }
      for _ = 1, 20 do assert(client:balances()) end
      client:close()
      assert.same({ 1, 20 }, { connections() })
    end)

    it("for all clients of a server", function()
      local url = faultd:url_body(BODY)
      for _ = 1, 5 do assert(support.balances(url)) end
      assert.same({ 1, 5 }, { connections() })
    end)

    it("also behind a refusal", function()
      local url = faultd:url_body(support.refusal(4003))
      for _ = 1, 5 do support.balances(url) end
      assert.same({ 1, 5 }, { connections() })
    end)

    -- Until the server has ended all its connections to this port.
    local function await_end(port)
      local open = (":%04X %%x+:%%x+ 01 "):format(port)
      for _ = 1, 500 do
        if not support.read "/proc/net/tcp":find(open) then return end
        support.sleep(0.02)
      end
      error "the server keeps its connections"
    end

    it("and makes another without an error where the server closed it",
      function()
        local server = support.faultd()
        for _, listener in ipairs { "good", "plain" } do
          local client = support.client {
            base_url = server:url_body(BODY, { listener = listener, idle = 20 }),
          }
          for _ = 1, 3 do
            assert(client:balances())
            await_end(server.ports[listener])
          end
          client:close()
        end
        assert.same({ 6, 6 }, { connections(server) })
        server:stop()
      end)

    it("and never sends a signature twice where the server closes it",
      function()
        for _, listener in ipairs { "good", "plain" } do
          local client = support.client {
            base_url = faultd:url_body(BODY, { listener = listener, serves = 1 }),
          }
          assert(client:balances())
          local balances, err = client:balances()
          assert.truthy(balances or err.kind == "network" and err.retryable)
          client:close()
        end
        local seen = {}
        for _, request in ipairs(faultd:requests()) do
          local signature = request.headers["x-api-sign"]
          assert.is_nil(seen[signature])
          seen[signature] = true
        end
      end)

    -- Its own TLS may hold what nobody sees.
    it("but none through the TLS of a proxy", function()
      local tunnel = require "spec.support.tunnel".start()
      local client = support.client { base_url = faultd:url_body(BODY), proxy = tunnel.url }
      for _ = 1, 3 do assert(client:balances()) end
      client:close()
      tunnel:stop()
      assert.same({ 3, 3 }, { connections() })
    end)

    -- By RFC 9112, 6.1 and 9.3: how many connections two calls take.
    for _, row in ipairs {
      { 2, "HTTP/1.0 200 OK", "Content-Length: " .. #BODY },
      { 1, "HTTP/1.0 200 OK", "Content-Length: " .. #BODY, "Connection: keep-alive" },
      { 2, "HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "Connection: keep-alive" },
      { 2, "HTTP/1.0 503 Unavailable", "Transfer-Encoding: chunked", "Connection: keep-alive" },
      { 2, "HTTP/1.1 204 No Content", "Transfer-Encoding: chunked" },
      { 2, "HTTP/1.1 204 No Content", "Content-Length: " .. #BODY },
      { 2, "HTTP/1.1 200 OK", "Content-Length: " .. #BODY, "Connection: close" },
    } do
      local head = table.concat(row, "\r\n", 2) .. "\r\n\r\n"
      it(("%s for a second call behind %s"):format(row[1] == 2 and "but not" or "and",
        table.concat(row, ", ", 2)), function()
          local body = head:find "chunked" and ("%x\r\n%s\r\n0\r\n\r\n"):format(#BODY, BODY) or BODY
          local client = support.client { base_url = faultd:url {
            reply = head .. (head:find " 204 " and "" or body), close = "keep" } }
          for _ = 1, 2 do client:balances() end
          client:close()
          assert.same({ row[1], 2 }, { connections() })
        end)
    end

    it("but not one on which a call failed", function()
      local client = support.client {
        base_url = faultd:url { reply = support.reply(BODY), cut = 150,
                                close = "hang" },
        timeout = 1, -- with a handshake in it
      }
      for _ = 1, 2 do assert.is_nil((client:balances())) end
      client:close()
      assert.same({ 2, 2 }, { connections() })
    end)
  end)

  describe("ignores", function()
    -- What a process of its own says, with this environment.
    local function says_with(env, plan)
      local out, err, code = support.lua(([[
        local client = require "bitfront".new {
          api_key = %q, api_secret = %q, ca_file = %q, base_url = %q }
        local balances, err = client:balances()
        print(balances and balances[1].balance or err.code)
      ]]):format(support.KEY, support.SECRET, faultd.ca_file,
                 faultd:url_body(BODY, plan)), { env = env })
      assert.equal("", err)
      assert.equal(0, code)
      return out
    end

    it("proxies in the environment", function()
      local nowhere = "http://127.0.0.1:" .. faultd.ports.closed
      local env = {}
      for _, name in ipairs { "http_proxy", "https_proxy", "HTTPS_PROXY",
                              "all_proxy", "ALL_PROXY" } do
        env[name] = nowhere
      end
      assert.equal("2.5\n", says_with(env))
      assert.equal("2.5\n", says_with(env, { listener = "plain" }))
    end)

    it("SSLKEYLOGFILE", function()
      local path = support.tmpdir() .. "/keys"
      assert.equal("2.5\n", says_with { SSLKEYLOGFILE = path })
      assert.equal("", support.read(path) or "")
    end)

    it(".netrc and .curlrc", function()
      local home = support.tmpdir()
      support.write(home .. "/.netrc", "default login someone password x\n")
      support.write(home .. "/.curlrc", "insecure\nverbose\n")
      assert.equal("2.5\n", says_with { HOME = home, CURL_HOME = home,
                                        NETRC = home .. "/.netrc" })
      assert.is_nil(faultd:requests()[1].headers.authorization)
    end)

    it("CAs in the environment, where ca_file is given", function()
      local ca = support.tmpdir() .. "/ca.pem"
      support.must(("openssl x509 -in %s -out %s")
        :format(support.quote(support.certs().unknown), ca))
      assert.equal("untrusted\n", says_with(
        { SSL_CERT_FILE = ca, CURL_CA_BUNDLE = ca }, { listener = "unknown" }))
    end)
  end)

  -- In a network where nothing answers to 10.9.*, nor does anything refuse there.
  describe("with several addresses of a host", function()
    local SETUP = [[
      set -e
      ip link set lo up
      ip addr add 10.8.0.1/32 dev lo
      ip route add 10.9.0.0/16 dev lo
      ip -6 addr add 2001:db8:1::1/128 dev lo
      ip -6 route add 2001:db8:2::/48 dev lo
      mount --bind hosts /etc/hosts
      mount --bind order /etc/gai.conf
      cd %s
      exec %s %s/program.lua
    ]]
    local ORDER = "precedence ::ffff:10.9.0.1/128 100\nprecedence ::ffff:10.9.0.2/128 90\n"
      .. "precedence ::/0 40\nprecedence ::ffff:127.0.0.2/128 20\n"
      .. "precedence ::ffff:0:0/96 10\n"
    -- So long that a busy machine has the time for TLS in the part that is left for it.
    local CONNECT_TIMEOUT = 4
    -- The name in a certificate of the good CA.
    local PROGRAM = [[
      package.path = "./?.lua;" .. package.path
      local core, support = require "bitfront.core", require "spec.support"
      local faultd = support.faultd()
      local client = support.client { connect_timeout = %d, timeout = 10, base_url =
        faultd:url_body(support.success(), { listener = "wronghost", host = "elsewhere.invalid" }) }
      local begun, own_begun = core.now(), support.own_time()
      local balances, err = client:balances()
      io.write(balances and "ok" or err.kind .. " " .. err.code, " ",
        core.now() - begun, " ", support.own_time() - own_begun)
      client:close()
      faultd:stop()
    ]]

    local function ask_at(addresses)
      local dir = support.tmpdir()
      support.write(dir .. "/hosts", (addresses:gsub("%S+", "%0 elsewhere.invalid\n")))
      support.write(dir .. "/order", ORDER)
      support.write(dir .. "/program.lua", PROGRAM:format(CONNECT_TIMEOUT))
      local tree = support.quote(support.must("pwd"):sub(1, -2))
      local out = namespace.must(SETUP:format(tree, support.interpreter(), dir), { cwd = dir })
      local result, elapsed, own_elapsed = out:match("^(.*) (%S+) (%S+)$")
      return result, elapsed / CONNECT_TIMEOUT, own_elapsed / CONNECT_TIMEOUT
    end

    -- To 8.14, libcurl gives an address half of the time that is left before it tries the
    -- next; later 200 ms.
    local major, minor = require "bitfront.core".versions().curl.loaded:match "(%d+)%.(%d+)"
    local version = major * 1000 + minor
    local halves, pause = version <= 8014, 0.2 / CONNECT_TIMEOUT
    -- Before 7.87 the last address has half of the rest too: of 9/8, see csrc/http/connection.c.
    local both = version < 7087 and 9 / 8 * 3 / 4 or 0.998
    -- And after which parts of connect_timeout.
    for _, row in ipairs {
      { "the second of two", "10.9.0.1 127.0.0.1", "ok", halves and 0.3 or pause, 0.9 },
      { "the third", "10.9.0.1 10.9.0.2 127.0.0.1", "ok", halves and 0.5 or 2 * pause, 1 },
      { "the other family", "2001:db8:2::1 127.0.0.1", "ok", 0, 0.9 },
      { "the second of the other family", "2001:db8:2::1 10.9.0.1 127.0.0.1", "ok",
        halves and 0.2 or pause, 1 },
      { "the next where one refuses", "127.0.0.2 127.0.0.1", "ok", 0, 0.3 },
      { "none of two that are silent", "10.9.0.1 10.9.0.2", "timeout connect", both, 1.3 },
    } do
      it("reaches " .. row[1] .. " within connect_timeout #once", function()
        namespace.needed(pending)
        if not support.read "/etc/gai.conf" then pending "no order of addresses here" end
        local result, elapsed, own_elapsed = ask_at(row[2])
        assert.equal(row[3], result)
        assert.is_true(elapsed >= row[4] and own_elapsed < row[5],
          elapsed .. ", " .. own_elapsed .. " of it")
      end)
    end
  end)

  describe("with a name server that never answers", function()
    local PROGRAM = [[
      local core, support = require "bitfront.core", require "spec.support"
      local client = require "bitfront".new {
        api_key = "key", api_secret = "secret", timeout = 0.4, retries = 0,
        connect_timeout = %s, base_url = "https://dead.example" }
      for _ = 1, 2 do
        local begun, own_begun = core.now(), support.own_time()
        local _, err = client:balances()
        print(err.kind, err.code, core.now() - begun, support.own_time() - own_begun)
      end
      print(core.now())
      if %s then client:close() end
    ]]

    local NOW = "print(require 'bitfront.core'.now())"

    -- What a process with a dead name server printed, and how long its end took.
    local function ask_the_dead(connect_timeout, closes, before)
      local dir, lua = support.tmpdir(), support.interpreter()
      support.write(dir .. "/ask.lua", PROGRAM:format(connect_timeout, closes))
      support.write(dir .. "/now.lua", NOW)
      local out = dead_dns.run(("%s%s %s/ask.lua; %s %s/now.lua")
        :format(before or "", lua, dir, lua, dir))
      local lines = {}
      for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
      return lines, tonumber(lines[4]) - tonumber(lines[3])
    end

    for _, row in ipairs {
      { "timeout", "3", 0.4, "false" },
      { "connect_timeout", "0.2", 0.2, "true" },
    } do
      it("gives up at " .. row[1] .. " and ends at once #once", function()
        namespace.needed(pending)
        local lines, ending = ask_the_dead(row[2], row[4])
        for i = 1, 2 do
          local words, elapsed, own = lines[i]:match("^(%w+\t%w+)\t(.*)\t(.*)$")
          assert.equal("timeout\tresolve", words)
          assert.is_true(tonumber(elapsed) >= row[3] - 0.002, elapsed)
          assert.is_true(tonumber(own) < row[3] + 0.1, own)
        end
        -- A name server is waited for 5 s, and an interpreter starts in this time.
        assert.is_true(ending < 3, "the end took " .. ending .. " s")
      end)
    end

    it("gives up at the same stage where libcurl finds the time over before us #once", function()
      namespace.needed(pending)
      local late = support.preload [[
        #include <dlfcn.h>
        #include <unistd.h>
        int curl_multi_perform(void *multi, int *running) {
            static int calls;
            int (*next)(void *, int *) = dlsym(dlopen("libcurl.so.4", RTLD_LAZY),
                                               "curl_multi_perform");
            if (calls++ > 0)
                usleep(300000);
            return next(multi, running);
        }]]
      local lines = ask_the_dead("0.2", "true", "env LD_PRELOAD=" .. late .. " ")
      assert.equal("timeout\tresolve", lines[1]:match "^%w+\t%w+")
    end)
  end)
end)
