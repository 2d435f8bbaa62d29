-- What a peer may send without being asked: before a request, behind a reply, twice,
-- in pieces, or without end.

local recordd = require "spec.support.recordd"
local support = require "spec.support"
local tcp = require "spec.support.tcp"
local turns = require "spec.support.turns"

local BODY = support.success(
  '[{"currency":"BTC","balance":2.5,"availableBalance":1.25}]')
local REPLY = support.reply(BODY)
local CHUNKED = ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
  .. "5\r\n%s\r\n%x;a=b\r\n%s\r\n0\r\nX-Checked: yes\r\n\r\n")
  :format(BODY:sub(1, 5), #BODY - 5, BODY:sub(6))

local bytes, data = recordd.bytes, recordd.data

local function port_of(url)
  return tonumber(url:match ":(%d+)")
end

-- A server that does these steps, and then nothing.
local function serve(steps)
  local all = {}
  for i, step in ipairs(steps) do all[i] = step end
  all[#all + 1] = "hang"
  return recordd.start(all)
end

describe("a peer", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  local function client(options)
    local all = { base_url = faultd:url_body(BODY, { listener = "plain" }) }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  describe("that sends each reply twice", function()
    local twice

    setup(function() twice = support.faultd() end)
    teardown(function() twice:stop() end)

    -- Each reply tells the key and the nonce of its request.
    local function doubled(listener, gap)
      local body = support.success(
        '[{"currency":"{X-API-KEY}","balance":{X-API-NONCE},"availableBalance":0}]')
      local sent = body:gsub("{X%-API%-KEY}", "Aof101"):gsub("{X%-API%-NONCE}", "12345")
      local head = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(#sent)
      return twice:url { reply = (head .. body):rep(2), chunk = #head + #sent, gap = gap,
                         listener = listener, echo = 1, close = "keep" }
    end

    -- The nonce in the reply; nil where the copy has come with it.
    local function ask(one, key)
      local balances, err = one:balances()
      if not balances then
        assert.equal("protocol framing", err.kind .. " " .. tostring(err.code))
        return nil
      end
      assert.equal(key, balances[1].currency)
      return balances[1].balance
    end

    local function last_nonce()
      local requests = twice:requests()
      return tonumber(requests[#requests].headers["x-api-nonce"])
    end

    for _, listener in ipairs { "good", "plain" } do
      it("gives nobody the copy, " .. listener, function()
        local given, again, tries = 0, 0, 0
        for _, gap in ipairs { 0, 1, 5, 20, 50, 100, 200 } do
          for _ = 1, 6 do
            tries = tries + 1
            local keys, url = { "Aof" .. 100 + tries, "Bof" .. 100 + tries }, doubled(listener, gap)
            local a = client { base_url = url, api_key = keys[1] }
            local b = client { base_url = url, api_key = keys[2] }
            given = ask(a, keys[1]) and given + 1 or given
            ask(b, keys[2])
            tcp.wait_for_peer(port_of(url))
            local nonce = ask(a, keys[1])
            assert.is_true(not nonce or nonce == last_nonce())
            again = nonce and again + 1 or again
            a:close()
            b:close()
          end
        end
        assert.is_true(given > 0 and again > 0)
      end)
    end
  end)

  describe("that sends more behind its reply has it refused, and the connection closed:", function()
    local ALONE = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
    for _, row in ipairs {
      { "a copy in the same segment", { "request", bytes(REPLY:rep(2)) } },
      { "a byte in the same segment", { "request", bytes(REPLY .. "\0") } },
      { "a copy in the same segment, in chunks", { "request", bytes(CHUNKED:rep(2)) } },
      { "a copy in the same record", { "shake13", "request", data(REPLY:rep(2)) } },
      { "a copy in the same record of TLS 1.2", { "shake12", "request", data(REPLY:rep(2)) } },
      { "a copy in the next record", { "shake13", "request", "+" .. data(REPLY), data(REPLY) } },
      { "a copy in the next record of TLS 1.2",
        { "shake12", "request", "+" .. data(REPLY), data(REPLY) } },
      { "a copy in the next record, in chunks",
        { "shake13", "request", "+" .. data(CHUNKED), data(CHUNKED) } },
      { "a byte in the next record", { "shake13", "request", "+" .. data(REPLY), data "\0" } },
      { "a byte behind records without data",
        { "shake13", "request", "+" .. data(REPLY), "+record:23:", "+record:23:", data "x" } },
      { "a byte behind KeyUpdate",
        { "shake13", "request", "+" .. data(REPLY), "+update:1800000100", data "x" } },
      { "a part of a record", { "shake13", "request", "+" .. data(REPLY), "bytes:17030300ff01" } },
      { "a part of a record's head", { "shake12", "request", "+" .. data(REPLY), "bytes:17" } },
      { "a copy, with another status", { "request", bytes(ALONE .. REPLY) }, "http status" },
      { "a copy in the next record, with another status",
        { "shake13", "request", "+" .. data(ALONE), data(REPLY) }, "http status" },
    } do
      it(row[1], function()
        local server = serve(row[2])
        for _ = 1, 3 do
          local _, err = support.balances(server.url)
          assert.equal(row[3] or "protocol framing", err.kind .. " " .. tostring(err.code))
          assert.same({}, tcp.connections(port_of(server.url)))
        end
        server:stop()
      end)
    end
  end)

  describe("that sends something before a request gets none:", function()
    -- The server's first bytes are there when libcurl says that it has connected.
    local SLOW = [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <errno.h>
      #include <netinet/in.h>
      #include <poll.h>
      #include <stdlib.h>
      #include <unistd.h>

      static void wait_for(int fd) {
          struct sockaddr_in peer;
          socklen_t len = sizeof peer;
          struct pollfd readable = {fd, POLLIN, 0};
          int kept = errno;
          if (getpeername(fd, (void *)&peer, &len) == 0 && peer.sin_family == AF_INET)
              poll(&readable, 1, 10000);
          errno = kept;
      }

      int connect(int fd, const struct sockaddr *address, socklen_t len) {
          int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
          int result = next(fd, address, len);
          if (!getenv("TLS"))
              wait_for(fd);
          return result;
      }

      ssize_t send(int fd, const void *data, size_t len, int flags) {
          ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
          ssize_t sent = next(fd, data, len, flags);
          wait_for(fd);
          return sent;
      }

      ssize_t write(int fd, const void *data, size_t len) {
          ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
          ssize_t sent = next(fd, data, len);
          wait_for(fd);
          return sent;
      }]]

    local PROGRAM = [[
      local client = require "bitfront".new { api_key = "key", api_secret = "secret",
        base_url = %q, ca_file = %q, retries = 0, rate_limit = false, clock = "system" }
      local balances, err, info = client:balances()
      io.write(balances and "ok" or err.kind .. " " .. tostring(err.code))
    ]]

    for _, row in ipairs {
      { "a whole reply", REPLY }, { "a byte", "x" },
      { "an interim head", "HTTP/1.1 100 C\r\n\r\n" },
    } do
      for _, shake in ipairs { "", "shake13" } do
        it(("%s%s #once #apart"):format(row[1], shake == "" and "" or ", over TLS"), function()
          local library, mark = support.preload(SLOW), support.tmpdir() .. "/request"
          local server = serve(shake == "" and { bytes(row[2]), "request", "mark:" .. mark }
            or { shake, data(row[2]), "request", "mark:" .. mark })
          assert.equal("protocol framing", (support.lua(PROGRAM:format(server.url, faultd.ca_file),
            { env = { LD_PRELOAD = library, TLS = shake ~= "" and "yes" } })))
          support.sleep(0.05)
          assert.is_nil((support.read(mark)))
          server:stop()
        end)
      end

      it(row[1] .. ", behind what a proxy says", function()
        local mark = support.tmpdir() .. "/request"
        local server = serve { "request", bytes("HTTP/1.1 200 OK\r\n\r\n" .. row[2]), "request",
                               "mark:" .. mark, bytes(REPLY) }
        local _, err = client { proxy = server.url }:balances()
        assert.equal("protocol framing", err.kind .. " " .. tostring(err.code))
        assert.same({}, tcp.connections(port_of(server.url)))
        support.sleep(0.05)
        assert.is_nil((support.read(mark)))
        server:stop()
      end)
    end

    it("but a ticket may, also in two parts #once #apart", function()
      local library = support.preload(SLOW)
      local ticket = "record:22:"
        .. recordd.hex "\4\0\0\22\0\0\28\32\0\0\0\1\1a\0\8ticketab\0\0"
      local server = recordd.start { "shake13", "/" .. ticket, "wait:100", ticket, "request",
                                     data(REPLY), "fin" }
      assert.equal("ok", (support.lua(PROGRAM:format(server.url, faultd.ca_file),
        { env = { LD_PRELOAD = library, TLS = "yes" } })))
      server:stop()
    end)
  end)

  it("that does not read, but has replied, does not keep the processor busy", function()
    local core = require "bitfront.core"
    local server = serve { "hello", bytes "HTTP/1.1 414 X\r\nContent-Length: 0\r\n\r\n",
                           "await:/nonexistent" }
    local one = core.new { base_url = (server.url:gsub("^https", "http")), user_agent = "spec",
                           connect_timeout = 3, max_body = 1e6 }
    local exchange = core.start { client = one, expect = "public", amounts = "number",
      path = "/v1/" .. ("a"):rep(2 ^ 25), deadline = core.now() + 4 }
    local steps = 0 -- 5 are usual, a busy loop has 100,000
    while not exchange:done() do
      core.step(1)
      steps = steps + 1
    end
    local _, err = exchange:finish()
    assert.same({ "timeout", "response" }, { err.kind, err.code })
    assert.is_true(steps < 1000, steps)
    server:stop()
  end)

  describe("whose reply comes in pieces is understood,", function()
    for _, row in ipairs {
      { "with a length", REPLY }, { "chunked", CHUNKED },
      { "behind an interim head", "HTTP/1.1 103 E\r\nA: b\r\n\r\n" .. REPLY },
    } do
      for _, listener in ipairs { "plain", "good" } do
        it(("%s, %s"):format(row[1], listener), function()
          for size = 1, #row[2] do
            local balances, err, info = support.balances(faultd:url { reply = row[2],
              listener = listener, chunk = size, gap = 1, close = "keep" })
            assert.is_nil(err)
            assert.same({ { currency = "BTC", balance = 2.5, availableBalance = 1.25 } },
              balances)
            assert.same({ 1000, 1525239801363, 200, 1 },
              { info.statusCode, info.responseTime, info.http_status, info.attempts })
          end
        end)
      end
    end

    it("behind records without data, and between them", function()
      for _, shake in ipairs { "shake13", "shake12" } do
        local steps = { shake, "request" }
        for _, part in ipairs { REPLY:sub(1, 9), REPLY:sub(10, -9), REPLY:sub(-8) } do
          for _ = 1, 20 do steps[#steps + 1] = "+record:23:" end
          steps[#steps + 1] = "+" .. data(part)
        end
        steps[#steps] = steps[#steps]:sub(2)
        local server = serve(steps)
        assert(support.balances(server.url, { timeout = 5 }))
        server:stop()
      end
    end)
  end)

  describe("that sends without end keeps no other call from its end:", function()
    local OK = "HTTP/1.1 200 OK\r\n"
    -- What comes once and what without end, in bytes or records.
    local ROWS = {
      { "what is not HTTP", "", "x" },
      { "the first line", "HTTP/1.1 200 ", "x" },
      { "header lines", OK, "A: b\r\n" },
      { "one header line", OK .. "A:", "b" },
      { "interim heads", "", "HTTP/1.1 100 C\r\n\r\n" },
      { "what is behind the body", "", REPLY },
      { "a body", OK .. "Content-Length: 1048576\r\n\r\n", " " },
      { "chunks of a byte", OK .. "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n" },
      { "large chunks", OK .. "Transfer-Encoding: chunked\r\n\r\n",
        "1000\r\n" .. (" "):rep(4096) .. "\r\n" },
      { "a chunk's size", OK .. "Transfer-Encoding: chunked\r\n\r\n", "0" },
      { "a chunk's extension", OK .. "Transfer-Encoding: chunked\r\n\r\n1;", "a" },
      { "trailers", OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n" },
      { "one trailer", OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\nA:", "b" },
    }

    local function delays_no_call(steps, may_succeed)
      local server = serve(steps)
      local one = support.client { base_url = server.url, timeout = 0.5 }
      assert.is_true(one:balances() == nil or may_succeed)
      turns.check_short(faultd, one, 0.5)
      one:close()
      server:stop()
    end

    for _, row in ipairs(ROWS) do
      local many = row[3]:rep(math.ceil(7000 / #row[3]))
      it(row[1], function()
        delays_no_call { "request", bytes(row[2]), "*" .. bytes(many) }
      end)

      it(row[1] .. ", over TLS", function()
        delays_no_call { "shake13", "request", data(row[2]), "*" .. data(many) }
      end)
    end

    for _, row in ipairs {
      { "what nobody asked for", { "*" .. bytes(REPLY) } },
      { "what nobody asked for, over TLS", { "shake13", "*" .. data(REPLY) } },
      { "records without data", { "shake13", "request", "*record:23:" } },
      { "records without data behind a reply",
        { "shake13", "request", data(REPLY), "*record:23:" }, true },
      { "KeyUpdate behind a reply",
        { "shake13", "request", data(REPLY), "*update:1800000100" }, true },
    } do
      it(row[1], function() delays_no_call(row[2], row[3]) end)
    end
  end)
end)
