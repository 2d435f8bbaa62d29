local support = require "spec.support"

local BODY = support.success(
  '[{"currency":"BTC","balance":2.5,"availableBalance":1.25}]')
local LENGTH = "Content-Length: " .. #BODY
local CHUNKED = "Transfer-Encoding: chunked"

-- A reply of these head lines and this body.
local function raw(lines, body)
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")
end

local function ok(...)
  return { "HTTP/1.1 200 OK", ... }
end

-- The body in chunks of `size` bytes, with the last one. Sizes have `digits` at least.
local function in_chunks(body, size, extension, digits)
  local chunks, form = {}, "%0" .. (digits or 1) .. "x%s\r\n%s\r\n"
  for at = 1, #body, size do
    local data = body:sub(at, at + size - 1)
    chunks[#chunks + 1] = form:format(#data, extension or "", data)
  end
  return table.concat(chunks) .. "0\r\n\r\n"
end

describe("an HTTP exchange", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  -- The connection is kept unless the plan says how it ends.
  local function ask(reply, plan, options)
    local all = { reply = reply, close = "keep" }
    for name, value in pairs(plan or {}) do all[name] = value end
    return support.balances(faultd:url(all), options or { timeout = 3 })
  end

  local function gives_balances(...)
    local balances, err = ask(...)
    assert.is_nil(err)
    assert.equal(2.5, balances[1].balance)
  end

  local function is_refused(kind, code, ...)
    local balances, err = ask(...)
    assert.is_nil(balances)
    assert.equal(kind, err.kind)
    assert.equal(code, err.code)
    return err
  end

  describe("is taken", function()
    local ROWS = {
      { "with a Content-Length", raw(ok(LENGTH), BODY) },
      { "with a header name in other letters",
        raw(ok("content-LENGTH:" .. #BODY), BODY) },
      { "with blanks round the length",
        raw(ok("Content-Length: \t " .. #BODY .. " \t"), BODY) },
      { "in one chunk", raw(ok(CHUNKED), in_chunks(BODY, 1000)) },
      { "in chunks of a byte", raw(ok(CHUNKED), in_chunks(BODY, 1)) },
      { "in chunks with extensions",
        raw(ok(CHUNKED), in_chunks(BODY, 7, ";a=b")) },
      { "in chunks with blanks and tabs behind their sizes",
        raw(ok(CHUNKED), in_chunks(BODY, 7, " ;\ta")) },
      { "in chunks with tabs behind their sizes", raw(ok(CHUNKED), in_chunks(BODY, 7, "\t")) },
      { "in chunks with sizes of seven digits", raw(ok(CHUNKED), in_chunks(BODY, 7, "", 7)) },
      { "in chunks with a trailer", (raw(ok(CHUNKED), in_chunks(BODY, 90))
        :gsub("0\r\n\r\n$", "0\r\nX-Checked: yes\r\n\r\n")) },
      { "without a blank behind the status", raw({ "HTTP/1.1 200", LENGTH }, BODY) },
      { "with a length of 15 digits",
        raw(ok("Content-Length: " .. ("%015d"):format(#BODY)), BODY) },
      { "without a reason in the status line",
        raw({ "HTTP/1.1 200 ", LENGTH }, BODY) },
      { "from a server of HTTP/1.0", raw({ "HTTP/1.0 200 OK", LENGTH }, BODY) },
      { "behind an interim reply 100",
        "HTTP/1.1 100 Continue\r\n\r\n" .. raw(ok(LENGTH), BODY) },
      { "behind an interim reply 103", "HTTP/1.1 103 Early Hints\r\n"
        .. "Link: </a>\r\n\r\n" .. raw(ok(LENGTH), BODY) },
      { "with cookies, which are not kept",
        raw(ok(LENGTH, "Set-Cookie: a=b; Path=/"), BODY) },
      { "with headers just under 64 KiB",
        raw(ok(LENGTH, ("X-Pad: " .. ("x"):rep(990) .. "\r\n"):rep(64)
          .. "X-End: 1"), BODY) },
    }

    for _, row in ipairs(ROWS) do
      it(row[1], function()
        for _, listener in ipairs { "good", "plain" } do
          gives_balances(row[2], { listener = listener })
        end
      end)
    end

    it("a byte at a time", function()
      gives_balances(raw(ok(LENGTH), BODY), { chunk = 1 })
      gives_balances(raw(ok(CHUNKED), in_chunks(BODY, 5)), { chunk = 1 })
    end)

    it("from a server that closes behind it without having said so",
      function()
        for _, listener in ipairs { "good", "plain" } do
          for _, close in ipairs { "fin", "notls" } do
            for _ = 1, 3 do
              gives_balances(raw(ok(LENGTH), BODY),
                { listener = listener, close = close })
              support.sleep(0.02)
            end
          end
        end
      end)

    it("from a server that says that it closes", function()
      for _ = 1, 20 do
        gives_balances(raw(ok(LENGTH, "Connection: close"), BODY),
          { close = "fin" })
      end
    end)

    it("up to max_body bytes and no further", function()
      for _, reply in ipairs { raw(ok(LENGTH), BODY),
                               raw(ok(CHUNKED), in_chunks(BODY, 50)) } do
        gives_balances(reply, nil, { max_body = #BODY })
        is_refused("protocol", "too_large", reply, nil,
          { max_body = #BODY - 1 })
      end
    end)
  end)

  describe("is not whole, with code framing,", function()
    local ROWS = {
      { "without any framing", raw(ok(), BODY) },
      { "without framing, closed as said", raw(ok("Connection: close"), BODY) },
      { "with two lengths that differ",
        raw(ok(LENGTH, "Content-Length: " .. #BODY - 1), BODY) },
      { "with the same length twice", raw(ok(LENGTH, LENGTH), BODY) },
      { "with a list of lengths",
        raw(ok(("Content-Length: %d, 89"):format(#BODY)), BODY) },
      { "with a list of equal lengths",
        raw(ok(("Content-Length: %d, %d"):format(#BODY, #BODY)), BODY) },
      { "with a plus before the length",
        raw(ok("Content-Length: +" .. #BODY), BODY) },
      { "with a minus before the length",
        raw(ok("Content-Length: -" .. #BODY), BODY) },
      { "with a length in hex",
        raw(ok(("Content-Length: 0x%x"):format(#BODY)), BODY) },
      { "with a length and a letter",
        raw(ok(LENGTH .. "b"), BODY) },
      { "with a length with a point", raw(ok(LENGTH .. ".0"), BODY) },
      { "with an empty length", raw(ok("Content-Length:"), BODY) },
      { "with a length of 16 digits",
        raw(ok("Content-Length: " .. ("%016d"):format(#BODY)), BODY) },
      { "with a length of 20 digits", raw(ok("Content-Length: " .. ("0"):rep(17) .. #BODY), BODY) },
      { "with chunks and a length",
        raw(ok(CHUNKED, LENGTH), in_chunks(BODY, 1000)) },
      { "with a length and chunks",
        raw(ok(LENGTH, CHUNKED), in_chunks(BODY, 1000)) },
      { "with chunked twice",
        raw(ok(CHUNKED, CHUNKED), in_chunks(BODY, 1000)) },
      { "with a coding under the chunks",
        raw(ok("Transfer-Encoding: gzip, chunked"), in_chunks(BODY, 1000)) },
      { "with chunked in a list with itself",
        raw(ok("Transfer-Encoding: chunked, chunked"), in_chunks(BODY, 1000)) },
      { "with chunked under another coding",
        raw(ok("Transfer-Encoding: chunked, identity"), in_chunks(BODY, 1000)) },
      { "with a parameter of chunked",
        raw(ok("Transfer-Encoding: chunked;x"), in_chunks(BODY, 1000)) },
      { "with an empty coding beside chunked",
        raw(ok("Transfer-Encoding:", CHUNKED), in_chunks(BODY, 1000)) },
      { "in chunks, from a server of HTTP/1.0",
        raw({ "HTTP/1.0 200 OK", CHUNKED }, in_chunks(BODY, 1000)) },
      { "in chunks, from a server of HTTP/1.0 that keeps the connection",
        raw({ "HTTP/1.0 200 OK", "Connection: keep-alive", CHUNKED }, in_chunks(BODY, 1000)) },
      { "in chunks, from a server of HTTP/1.0 behind an interim reply of HTTP/1.1",
        "HTTP/1.1 100 Continue\r\n\r\n"
          .. raw({ "HTTP/1.0 200 OK", CHUNKED }, in_chunks(BODY, 1000)) },
      { "behind an interim reply that is malformed",
        raw { "HTTP/1.1 103 Early Hints", "X-A" } .. raw(ok(LENGTH), BODY) },
      { "behind an interim reply that is chunked",
        raw({ "HTTP/1.1 103 Early Hints", CHUNKED }) .. raw(ok(CHUNKED), in_chunks(BODY, 1000)) },
      { "behind an interim reply that announces a body",
        raw({ "HTTP/1.1 103 Early Hints", LENGTH }) .. raw(ok(LENGTH), BODY) },
      { "with an unknown coding", raw(ok("Transfer-Encoding: x"), BODY) },
      { "with bytes after the announced body", raw(ok(LENGTH), BODY .. "x") },
      { "with a second reply right behind",
        raw(ok(LENGTH), BODY) .. raw(ok(LENGTH), BODY) },
      { "with bytes after the last chunk",
        raw(ok(CHUNKED), in_chunks(BODY, 1000) .. "x") },
      { "compressed", raw(ok(LENGTH, "Content-Encoding: gzip"), BODY) },
      { "compressed twice",
        raw(ok(LENGTH, "Content-Encoding: gzip", "Content-Encoding: gzip"), BODY) },
      { "with an unknown encoding", raw(ok(LENGTH, "Content-Encoding: br2"), BODY) },
      { "with an empty encoding", raw(ok(LENGTH, "Content-Encoding:"), BODY) },
      { "with an encoding behind none",
        raw(ok(LENGTH, "Content-Encoding: identity", "Content-Encoding: br"), BODY) },
      { "with a bare CR in the status line",
        raw({ "HTTP/1.1 200 OK\rX-A: b", LENGTH }, BODY) },
      { "with a bare CR in a header", raw(ok(LENGTH, "X-A: b\rX-C: d"), BODY) },
      { "with a bare LF for a line's end",
        "HTTP/1.1 200 OK\n" .. LENGTH .. "\n\n" .. BODY },
      { "with a bare LF for the head's end", raw(ok(LENGTH)):sub(1, -3) .. "\n" .. BODY },
      { "with a NUL in a header", raw(ok(LENGTH, "X-A: b\0c"), BODY) },
      { "with a blank before a colon",
        raw(ok("Content-Length : " .. #BODY), BODY) },
      { "with a header folded", raw(ok("X-A: b\r\n c", LENGTH), BODY) },
      { "with a header without a colon", raw(ok("X-A", LENGTH), BODY) },
      { "with a header without a name", raw(ok(": b", LENGTH), BODY) },
      { "from HTTP/0.9", BODY, "fin" },
      { "from HTTP/2", raw({ "HTTP/2 200 OK", LENGTH }, BODY) },
      { "from HTTP/1.2", raw({ "HTTP/1.2 200 OK", LENGTH }, BODY) },
      { "from HTTP/1", raw({ "HTTP/1 200 OK", LENGTH }, BODY) },
      { "from HTTP/1.10", raw({ "HTTP/1.10 200 OK", LENGTH }, BODY) },
      { "from HTTP/0.9 by its name", raw({ "HTTP/0.9 200 OK", LENGTH }, BODY) },
      { "from http/1.1", raw({ "http/1.1 200 OK", LENGTH }, BODY) },
      { "from what begins as HTTP/1 and goes on otherwise", "HTTP/1x", "fin" },
      { "from another protocol", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n",
        "fin" },
      { "with a status of two digits", raw({ "HTTP/1.1 20 OK", LENGTH }, BODY) },
      { "with a status of two digits and no more", raw({ "HTTP/1.1 20", LENGTH }, BODY) },
      { "with a status that is no number", raw({ "HTTP/1.1 2x0 OK", LENGTH }, BODY) },
      { "with a status of four digits and no more", raw({ "HTTP/1.1 2000", LENGTH }, BODY) },
      { "with a tab before the status", raw({ "HTTP/1.1\t200 OK", LENGTH }, BODY) },
      { "with a status of four digits",
        raw({ "HTTP/1.1 2000 OK", LENGTH }, BODY) },
      { "with a chunk size that is no number",
        raw(ok(CHUNKED), "zz\r\n" .. BODY .. "\r\n0\r\n\r\n") },
      { "with a chunk size too large for any number",
        raw(ok(CHUNKED), ("f"):rep(20) .. "\r\n" .. BODY .. "\r\n0\r\n\r\n") },
      { "with chunk sizes of eight digits", raw(ok(CHUNKED), in_chunks(BODY, 7, "", 8)) },
      { "with a chunk size without digits", raw(ok(CHUNKED), "\r\n\r\n") },
      { "with a letter behind a chunk's size", raw(ok(CHUNKED), in_chunks(BODY, 7, "x")) },
      { "with a control character behind a chunk's size",
        raw(ok(CHUNKED), in_chunks(BODY, 7, ";a\1b")) },
      { "with a bare CR behind a chunk's size", raw(ok(CHUNKED), in_chunks(BODY, 7, "\rx")) },
      { "with a chunk size's line that ends with LF",
        raw(ok(CHUNKED), (in_chunks(BODY, 1000):gsub("\r\n", "\n", 1))) },
      { "with a control character in a trailer",
        raw(ok(CHUNKED), (in_chunks(BODY, 1000):gsub("\r\n$", "X-A: \1\r\n\r\n"))) },
      { "with a chunk longer than its size",
        raw(ok(CHUNKED), "5\r\n" .. BODY .. "\r\n0\r\n\r\n") },
    }

    for _, row in ipairs(ROWS) do
      it(row[1], function()
        for _, listener in ipairs { "good", "plain" } do
          is_refused("protocol", "framing", row[2],
            { listener = listener, close = row[3] })
        end
      end)
    end

    for coding, words in pairs {
      ["gzip"] = "is compressed (gzip), which was not asked for",
      ["X-Gzip"] = "is compressed (X-Gzip), which was not asked for",
      ["br"] = "is compressed (br), which was not asked for",
      ["UTF-8"] = 'has Content-Encoding "UTF-8"; none was asked for',
      [""] = 'has Content-Encoding ""; none was asked for',
      ["none"] = 'has Content-Encoding "none"; none was asked for',
      ["gzip, br"] = 'has Content-Encoding "gzip, br"; none was asked for',
      [("x"):rep(31)] = 'has Content-Encoding "' .. ("x"):rep(31) .. '"; none was asked for',
      [("x"):rep(32)] = 'has Content-Encoding "..."; none was asked for',
      ["\194\155" .. support.KEY] = 'has Content-Encoding "\\x9B***"; none was asked for',
    } do
      it(("with the encoding %q, naming it"):format(coding), function()
        local err = is_refused("protocol", "framing",
          raw(ok("Content-Encoding: " .. coding, LENGTH), BODY))
        assert.equal("the reply " .. words, err.message)
      end)
    end

    it("over TLS that ends without saying so", function()
      is_refused("protocol", "framing", raw(ok(), BODY), { close = "notls" })
    end)

    it("with two framings, in a locale in which I is not the capital of i", function()
      local before, lines = os.setlocale(), ok(LENGTH, "TRANSFER-ENCODING: chunked")
      if not os.setlocale "tr_TR.UTF-8" then pending("no locale tr_TR.UTF-8 here") end
      local refused, err = pcall(is_refused, "protocol", "framing", raw(lines, BODY))
      os.setlocale(before)
      assert(refused, err)
    end)
  end)

  describe("is not whole:", function()
    local ROWS = {
      { "an empty body", "json", raw(ok("Content-Length: 0")) },
      { "a zero chunk first", "json", raw(ok(CHUNKED), "0\r\n\r\n") },
      { "a zero chunk before its time", "json",
        raw(ok(CHUNKED), in_chunks(BODY:sub(1, 60), 30)) },
      { "headers over 64 KiB", "too_large",
        raw(ok(LENGTH, ("X-Pad: " .. ("x"):rep(990) .. "\r\n"):rep(66)
          .. "X-End: 1"), BODY) },
      { "one header of 70000 bytes", "too_large",
        raw(ok(LENGTH, "X-Pad: " .. ("x"):rep(70000)), BODY) },
      { "one header of 200000 bytes", "too_large",
        raw(ok(LENGTH, "X-Pad: " .. ("x"):rep(200000)), BODY) },
      { "a trailer over 64 KiB", "too_large", (raw(ok(CHUNKED),
        in_chunks(BODY, 90)):gsub("\r\n$", ("X-Pad: " .. ("x"):rep(990)
          .. "\r\n"):rep(70) .. "\r\n")) },
      { "an announced body over max_body", "too_large",
        raw(ok("Content-Length: 1048577"), BODY) },
      { "chunks over max_body", "too_large",
        raw(ok(CHUNKED), in_chunks((" "):rep(1048577), 65536)) },
    }

    for _, row in ipairs(ROWS) do
      it(row[1] .. " has code " .. row[2], function()
        is_refused("protocol", row[2], row[3], { close = row[4] })
      end)
    end

    it("headers over 64 KiB have code too_large whatever the status, in one piece and in many",
      function()
        local lines = { "HTTP/1.1 503 X", LENGTH, ("X-Pad: " .. ("x"):rep(990) .. "\r\n"):rep(66)
          .. "Retry-After: 7" }
        for _, listener in ipairs { "good", "plain" } do
          for _, chunk in ipairs { 1000, 70000 } do
            local err = is_refused("protocol", "too_large", raw(lines, BODY),
              { listener = listener, chunk = chunk })
            assert.is_nil(err.retry_after)
          end
        end
      end)

    for bytes, retry_after in pairs { [65536] = 7, [65537] = false } do
      it(("of headers over 64 KiB a line that ends with byte %d counts: %s"):format(bytes,
        tostring(retry_after ~= false)), function()
        local lines = { "HTTP/1.1 503 X", "X-Pad: ", "Retry-After: 7" }
        lines[2] = lines[2] .. ("x"):rep(bytes - #raw(lines, "") + 2)
        for _, chunk in ipairs { 1000, 65536, 70000 } do
          local err = is_refused("protocol", "too_large", raw(lines, BODY), { chunk = chunk })
          assert.equal(retry_after, err.retry_after or false)
        end
      end)
    end

    it("a compressed body of 64 MiB has code framing", function()
      local zeros = support.tmpdir() .. "/zeros.gz"
      support.must("head -c 67108864 /dev/zero | gzip >" .. zeros)
      local bomb = support.read(zeros)
      is_refused("protocol", "framing", raw(ok("Content-Encoding: gzip",
        "Content-Length: " .. #bomb), bomb))
    end)
  end)

  describe("whose end did not come, which is kind network:", function()
    local ROWS = {
      { "a body cut where JSON might end",
        raw(ok("Content-Length: " .. #BODY + 1), BODY) },
      { "chunks without the last",
        raw(ok(CHUNKED), (in_chunks(BODY, 50):gsub("0\r\n\r\n$", ""))) },
      { "chunks without the last line's end",
        raw(ok(CHUNKED), (in_chunks(BODY, 50):gsub("\r\n$", ""))) },
      { "an interim head and no other", "HTTP/1.1 100 Continue\r\n\r\n",
        "the reply ends within its headers" },
      { "a trailer without an end", raw(ok(CHUNKED), (in_chunks(BODY, 90)
        :gsub("\r\n$", "X-Checked: y"))) },
    }

    for _, row in ipairs(ROWS) do
      for _, ending in ipairs { { "good", "fin" }, { "good", "notls" }, { "good", "rst" },
                                { "plain", "fin" }, { "plain", "rst" } } do
        it(("%s, %s, %s"):format(row[1], ending[1], ending[2]), function()
          local err = is_refused("network", "truncated", row[2],
            { listener = ending[1], close = ending[2] })
          assert.is_true(err.retryable)
          if ending[2] == "rst" then
            assert.truthy(err.message:find "^the connection broke within the reply: .")
          else
            assert.equal(row[3] or "the reply's body is not complete", err.message)
          end
        end)
      end
    end

    it("but not where what came before was malformed", function()
      is_refused("protocol", "framing", raw(ok("X-A")), { close = "fin" })
      is_refused("protocol", "framing", raw(ok(CHUNKED), "zz\r\n"), { close = "fin" })
      is_refused("protocol", "framing", raw(ok(LENGTH, LENGTH), BODY:sub(1, 9)),
        { close = "fin" })
    end)
  end)

  describe("cut at any byte gives no result", function()
    local REPLIES = {
      { "with a length", raw(ok(LENGTH), BODY) },
      { "in chunks", raw(ok(CHUNKED), in_chunks(BODY, 60)) },
    }
    local ENDINGS = { { "good", "fin" }, { "good", "notls" },
                      { "plain", "fin" } }

    for _, reply in ipairs(REPLIES) do
      for _, ending in ipairs(ENDINGS) do
        it(("- %s, %s, %s"):format(reply[1], ending[1], ending[2]), function()
          for cut = #"HTTP/1.1 200 OK\r\n", #reply[2] - 1 do
            local balances, err = ask(reply[2],
              { listener = ending[1], close = ending[2], cut = cut })
            assert.is_nil(balances, "cut at " .. cut)
            assert.equal("network truncated at " .. cut,
              err.kind .. " " .. tostring(err.code) .. " at " .. cut)
          end
        end)
      end

      it("- " .. reply[1] .. ", by a reset", function()
        for cut = 1, #reply[2] - 1, 7 do
          local balances, err = ask(reply[2], { close = "rst", cut = cut })
          assert.is_nil(balances, "cut at " .. cut)
          assert.equal("network", err.kind)
        end
      end)
    end

    it("- in the first line", function()
      for cut = 1, #"HTTP/1.1 200 OK\r\n" - 1 do
        local balances, err = ask(REPLIES[1][2], { cut = cut, close = "fin" })
        assert.is_nil(balances, "cut at " .. cut)
        assert.equal("network truncated", err.kind .. " " .. err.code)
      end
    end)

    it("- before the first, which is kind network", function()
      for _, listener in ipairs { "good", "plain" } do
        local err = is_refused("network", "empty", "",
          { listener = listener, close = "fin" })
        assert.is_nil(err.http_status) -- nor that of an earlier reply
      end
    end)
  end)

  describe("with another HTTP status", function()
    local PAGE = "<html><body>502 Bad Gateway</body></html>"

    local function status(line, body, ...)
      return raw({ "HTTP/1.1 " .. line,
                   "Content-Length: " .. #(body or ""), ... }, body)
    end

    for _, row in ipairs {
      { "201 Created", BODY, false }, { "204 No Content", nil, false },
      { "206 Partial Content", BODY, false }, { "299 Odd", BODY, false },
      { "400 Bad Request", PAGE, false }, { "403 Forbidden", PAGE, false },
      { "404 Not Found", PAGE, false }, { "429 Too Many Requests", PAGE, true },
      { "500 Internal Server Error", PAGE, true },
      { "500 Internal Server Error", nil, true },
      { "500 Internal Server Error", BODY, true },
      { "502 Bad Gateway", PAGE, true },
      { "503 Service Unavailable", PAGE, true },
      { "504 Gateway Timeout", PAGE, true }, { "999 Denied", PAGE, false },
    } do
      it(("%s and a body of %d bytes is kind http")
        :format(row[1], #(row[2] or "")), function()
          local err = is_refused("http", "status", status(row[1], row[2]))
          assert.equal(tonumber(row[1]:match("^%d+")), err.http_status)
          assert.equal(row[3], err.retryable)
        end)
    end

    local DATE = "Date: Wed, 21 Oct 2015 07:28:00 GMT"
    for _, row in ipairs {
      { 7, "Retry-After: 7" },
      { 0, "Retry-After: 0", DATE },
      { 86400, "Retry-After: 999999" },
      { 86400, "Retry-After: 86401" },
      { 86400, "Retry-After: " .. ("9"):rep(16) },
      { 86400, "Retry-After: 1" .. ("0"):rep(400), DATE },
      { 7, "Retry-After: " .. ("0"):rep(40) .. "7" },
      { false, "Retry-After: -1", DATE },
      { false, "Retry-After: +7", DATE },
      { false, "Retry-After: 7, 8", DATE },
      { false, "Retry-After: 7 s", DATE },
      { false, "Retry-After:", DATE },
      { false, "Retry-After: 1.5" },
      { false, "Retry-After: soon", DATE },
      { 90, DATE, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT" },
      { 90, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT", DATE },
      { 86400, "Retry-After: Fri, 21 Oct 2016 07:28:00 GMT", DATE },
      { 0, "Retry-After: Wed, 21 Oct 2015 07:27:59 GMT", DATE },
      -- By which clock that is, nobody can tell.
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT" },
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT", "Date: yesterday" },
      { false, "Retry-After: Wed, 99 Foo 2015 07:28:00 GMT", DATE },
      -- The other two forms of RFC 9110, 5.6.7.
      { 90, "Retry-After: Wednesday, 21-Oct-15 07:29:30 GMT", DATE },
      { 90, "Retry-After: Wed Oct 21 07:29:30 2015", DATE },
      { 86400, "Retry-After: Sun Nov  1 07:29:30 2015", DATE },
      { 90, "Retry-After: Thu Mar  1 00:01:29 2012", "Date: Wed, 29 Feb 2012 23:59:59 GMT" },
      { 90, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT",
        "Date: Wednesday, 21-Oct-15 07:28:00 GMT" },
      { 90, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT", "Date: Wed Oct 21 07:28:00 2015" },
      { 0, "Retry-After: Sunday, 06-Nov-94 08:49:37 GMT", DATE },
      { 0, "Retry-After: Fri Feb 13 23:31:30 1931", DATE },
      { 30, "Retry-After: Thu, 01 Jan 1970 00:01:29 GMT", "Date: Thu, 01 Jan 1970 00:00:59 GMT" },
      { 86400, "Retry-After: Fri, 31 Dec 9999 23:59:60 GMT", DATE },
      { 86400, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT", "Date: Fri Feb 13 23:31:30 1931" },
      { false, "Retry-After: , 21 Oct 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:30", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:30 +0200", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT, 5", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 24:29:30 GMT", DATE },
      { false, "Retry-After: Sun, 29 Feb 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Mi, 21 Okt 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed; 21 Oct 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed, x1 Oct 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed,  1 Oct 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed Oct x1 07:29:30 2015", DATE },
      { false, "Retry-After: Wed, 00 Oct 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Sat, 32 Oct 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed, 21 Okt 2015 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 07:60:30 GMT", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:61 GMT", DATE },
      { 86400, "Retry-After: Wed, 29 Feb 2400 07:29:30 GMT", DATE },
      { false, "Retry-After: Mon, 29 Feb 2100 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT", "Date: " .. ("x"):rep(100) },
      { false, "Retry-After: Wed, 21-Oct-15 07:29:30 GMT", DATE },
      { false, "Retry-After: Wed Oct 21 07:29:30 2015 GMT", DATE },
      -- The longest of several.
      { 90, "Retry-After: 90", "Retry-After: 7" },
      { 90, "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT", DATE, "Retry-After: 7",
        "Retry-After: soon" },
      { false, "Retry-After: 20151021 07:29:30 1234567 GMT", DATE },
    } do
      it(("makes %s s of %s"):format(tostring(row[1]), table.concat(row, ", ", 2)), function()
        local refused = is_refused("http", "status", status("429 Too Many Requests",
          PAGE, table.concat(row, "\r\n", 2)))
        assert.equal(row[1] or nil, refused.retry_after)
      end)
    end

    it("takes a year of two digits that is far ahead for one that is past", function()
      local year = 1970 + math.floor(os.time() / 31556952) -- as is computed in C
      for _, row in ipairs { { 50, 86400 }, { 51, 0 } } do
        local refused = is_refused("http", "status", status("429 Too Many Requests", PAGE,
          ("Retry-After: Sunday, 06-Nov-%02d 08:49:37 GMT"):format((year + row[1]) % 100),
          ("Date: Sun Nov  6 08:49:37 %d"):format(year)))
        assert.equal(row[2], refused.retry_after)
      end
    end)

    it("101 does not change the protocol", function()
      is_refused("http", "status", raw({ "HTTP/1.1 101 Switching Protocols",
        "Upgrade: h2c", "Connection: Upgrade" }))
    end)

    it("and the exchange's whole envelope is the exchange's refusal",
      function()
        local err = is_refused("server", 5000, status("503 Service Unavailable",
          support.refusal(5000)))
        assert.equal(503, err.http_status)
        is_refused("auth", 6001, status("401 Unauthorized",
          support.refusal(6001)))
      end)

    it("and an envelope that lacks a member is kind http", function()
      for _, member in ipairs { '"timezone":"UTC",', '"responseTime":1525239801363,',
        '"statusCode":5000,', ',"statusMessage":"REFUSED"' } do
        local body, count = support.refusal(5000):gsub(member, "")
        assert.equal(1, count)
        is_refused("http", "status", status("503 Service Unavailable", body))
      end
    end)

    it("and half an envelope is kind http", function()
      is_refused("http", "status", status("500 Internal Server Error",
        support.refusal(5000):sub(1, -2)))
      is_refused("http", "status",
        status("500 Internal Server Error", support.refusal(5000)),
        { cut = 140, close = "fin" })
    end)

    for _, code in ipairs { 301, 302, 303, 307, 308 } do
      it(code .. " is not followed", function()
        local elsewhere = faultd:url { host = "localhost", close = "keep",
                                       reply = raw(ok(LENGTH), BODY) }
        local err = is_refused("http", "redirect", status(code .. " Moved",
          PAGE, ("Location: %s/{X-API-KEY}/{X-API-SIGN}"):format(elsewhere)),
          { echo = 1 })
        assert.equal(1, #faultd:requests())
        assert.is_false(err.retryable)
        assert.falsy(tostring(err):find(support.KEY:sub(-6), 1, true))
      end)
    end

    it("shows nothing of what the server echoes", function()
      local line = "HTTP/1.1 500 {X-API-KEY} {X-API-SIGN}"
      local err = is_refused("http", "status",
        raw({ line, "Content-Length: 0" }), { echo = 1 })
      local signature = faultd:requests()[1].headers["x-api-sign"]
      assert.falsy(tostring(err):find(support.KEY:sub(-6), 1, true))
      assert.falsy(tostring(err):find(signature:sub(1, 8), 1, true))
    end)
  end)

  describe("that leaves bytes on a kept connection", function()
    it("does not give them to the next call", function()
      local stale = support.success(
        '[{"currency":"BTC","balance":7,"availableBalance":7}]')
      local first = raw(ok(LENGTH), BODY)
      local server = support.faultd() -- to which no other client has a connection
      finally(function() server:stop() end)
      for _, listener in ipairs { "good", "plain" } do
        local url = server:url {
          listener = listener, close = "keep",
          reply = first .. raw(ok("Content-Length: " .. #stale), stale),
          chunk = #first, gap = 50,
        }
        local client = support.client { base_url = url }
        assert.equal(2.5, client:balances()[1].balance)
        require "spec.support.tcp".wait_for_peer(tonumber(url:match ":(%d+)"))
        assert.equal(2.5, client:balances()[1].balance)
        client:close()
      end
    end)
  end)

  describe("whose reply is followed by more bytes in the same write", function()
    local FORGED = raw(ok("Content-Length: " .. #support.success "[]"),
      support.success "[]")
    -- The head alone in the first write, body and all else in the second: past
    -- the head libcurl reads the body and no more, and the rest waits, over
    -- TLS where no look at the socket finds it.
    local head = raw(ok(LENGTH, "X-Pad: " .. ("x"):rep(900)))
    local options = { reply = head .. BODY .. FORGED, chunk = #head, gap = 30,
                      close = "keep" }

    for _, listener in ipairs { "good", "plain" } do
      it("is refused, and leaves none of it to others, " .. listener,
        function()
          assert.is_true(#BODY + #FORGED < #head)
          options.listener = listener
          for _ = 1, 3 do is_refused("protocol", "framing", options.reply,
            options) end
        end)

      -- libcurl's own buffer ends where the head does.
      for _, row in ipairs {
        { "200 OK", "Content-Length: 0", "protocol", "framing" },
        { "503 X", "Content-Length: 0", "http", "status" },
        { "204 No Content", "X-Length: 0", "http", "status" },
        { "304 Not Modified", "X-Length: 0", "http", "redirect" },
      } do
        it(("leaves none of it to others behind a %s without a body, %s")
          :format(row[1], listener), function()
            local pad = 4096 - #raw({ "HTTP/1.1 " .. row[1], row[2], "X-Pad: " })
            local reply = raw({ "HTTP/1.1 " .. row[1], row[2],
              "X-Pad: " .. ("x"):rep(pad) }, FORGED)
            assert.equal(4096 + #FORGED, #reply)
            for _ = 1, 3 do
              is_refused(row[3], row[4], reply, { listener = listener, close = "keep" })
            end
          end)
      end

      it("is refused also where the reply would end the connection, " .. listener,
        function()
          is_refused("protocol", "framing",
            raw(ok(LENGTH, "Connection: close"), BODY .. "GARBAGE"),
            { listener = listener })
          is_refused("protocol", "framing",
            raw(ok(LENGTH, "Connection: keep-alive, x"), BODY .. "\r\n"),
            { listener = listener })
        end)
    end
  end)

  it("is taken whatever an interim head says of the connection", function()
    gives_balances("HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n"
      .. raw(ok(LENGTH), BODY))
  end)
end)
