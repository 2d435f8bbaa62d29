-- The bounds of a reply: each with what is just inside and just outside.

local support = require "spec.support"

local OK = "HTTP/1.1 200 OK"
local DATA = '[{"currency":"BTC","balance":2.5,"availableBalance":1.25}]'

-- A body of exactly so many bytes, which ends in a number's record: a byte too
-- few or too many of it is noticed.
local function body_of(length)
  local blanks = length - #support.success(DATA)
  return support.success((" "):rep(blanks) .. DATA)
end

-- A reply of exactly so many bytes, and where its body begins.
local function reply_of(length)
  local digits = #tostring(length)
  local head = OK .. "\r\nContent-Length: %0" .. digits .. "d\r\n\r\n"
  local body = length - #head:format(0)
  return head:format(body) .. body_of(body)
end

local function chunked(body, size)
  local parts = { OK .. "\r\nTransfer-Encoding: chunked\r\n\r\n" }
  for at = 1, #body, size do
    local data = body:sub(at, at + size - 1)
    parts[#parts + 1] = ("%x\r\n%s\r\n"):format(#data, data)
  end
  return table.concat(parts) .. "0\r\n\r\n"
end

describe("a reply's bounds:", function()
  local faultd, client

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  -- In one connection, so that the buffer is one that has been used.
  local function ask(reply, plan)
    local all = { reply = reply, close = "keep", listener = "plain" }
    for name, value in pairs(plan or {}) do all[name] = value end
    client = support.client { base_url = faultd:url(all), timeout = 10 }
    local balances, err = client:balances()
    client:close()
    return balances, err
  end

  local function is_taken(reply, plan)
    local balances, err = ask(reply, plan)
    assert.is_nil(err)
    assert.same({ "BTC", 2.5, 1.25, 1 }, { balances[1].currency, balances[1].balance,
      balances[1].availableBalance, #balances })
  end

  -- The buffer grows by doubling. It has the whole reply and a byte behind it.
  for _, size in ipairs { 4096, 8192, 16384, 65536, 262144 } do
    it(("%d bytes, and up to two less or more"):format(size), function()
      for more = -3, 2 do
        is_taken(reply_of(size + more))
        is_taken(reply_of(size + more), { cut = size + more, chunk = size - 2 })
        local body = body_of(size + more)
        is_taken(OK .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body)
        is_taken(chunked(body, #body))
        is_taken(chunked(body, size - 1))
      end
    end)
  end

  -- What is counted, up to the last chunk's line and behind it, and its limit.
  local SURPLUS = {
    { "sizes and extensions", 1048576, function(bytes)
      local body = support.success(DATA)
      local size = ("%x;"):format(#body)
      local pad = ("x"):rep(bytes - #size - #"\r\n\r\n0\r\n")
      return ("%s%s\r\n%s\r\n0\r\n\r\n"):format(size, pad, body)
    end },
    { "trailers", 65536, function(bytes)
      local body = support.success(DATA)
      local pad = ("x"):rep(bytes - #"A: \r\nB: \r\n\r\n")
      return ("%x\r\n%s\r\n0\r\nA: \r\nB: %s\r\n\r\n"):format(#body, body, pad)
    end },
  }
  for _, row in ipairs(SURPLUS) do
    it(("a chunked reply may have %d bytes of %s"):format(row[2], row[1]), function()
      local head = OK .. "\r\nTransfer-Encoding: chunked\r\n\r\n"
      is_taken(head .. row[3](row[2]))
      local balances, err = ask(head .. row[3](row[2] + 1))
      assert.is_nil(balances)
      assert.same({ "protocol", "too_large", "the reply's chunked encoding has too many bytes "
        .. "that are not of the body" }, { err.kind, err.code, err.message })
    end)
  end

  it("a head may have 65536 bytes", function()
    for more, code in pairs { [0] = false, [1] = "protocol too_large" } do
      local head = OK .. "\r\nContent-Length: " .. #support.success(DATA) .. "\r\nX: %s\r\n\r\n"
      local pad = ("x"):rep(65536 + more - #head:format "")
      local _, err = ask(head:format(pad) .. support.success(DATA))
      assert.equal(code, err and err.kind .. " " .. err.code or false)
    end
  end)

  it("a header may have any byte from blank to ~ and above DEL, and tabs", function()
    local framing = "\r\nContent-Length: " .. #support.success(DATA)
    for byte = 1, 255 do
      local char = string.char(byte)
      local reply = OK .. "\r\nX: a" .. char .. "b" .. framing .. "\r\n\r\n"
        .. support.success(DATA)
      if byte == 9 or byte >= 32 and byte ~= 127 then
        is_taken(reply)
      elseif byte ~= 10 then
        local balances, err = ask(reply)
        assert.is_nil(balances)
        assert.equal("protocol framing", err.kind .. " " .. err.code)
      end
    end
  end)

  -- The characters of a token, RFC 9110, 5.6.2.
  it("a header's name has the characters of a token and no other", function()
    local framing = "\r\nContent-Length: " .. #support.success(DATA)
    for byte = 1, 255 do
      local char = string.char(byte)
      local reply = OK .. "\r\nX" .. char .. "Y: a" .. framing .. "\r\n\r\n"
        .. support.success(DATA)
      if byte < 128 and char:find "[%w!#$%%&'*+%-.^_`|~:]" then -- X:Y is X
        is_taken(reply)
      else
        local balances, err = ask(reply)
        assert.is_nil(balances)
        assert.equal("protocol framing", err.kind .. " " .. err.code)
      end
    end
  end)

  for _, row in ipairs {
    { "200", "protocol", "json", false }, { "429", "http", "status", true },
    { "428", "http", "status", false }, { "430", "http", "status", false },
    { "499", "http", "status", false }, { "500", "http", "status", true },
    { "599", "http", "status", true }, { "600", "http", "status", false },
    { "99", "protocol", "framing", false }, { "1000", "protocol", "framing", false },
  } do
    it("status " .. row[1] .. " without JSON", function()
      local _, err = ask("HTTP/1.1 " .. row[1] .. " X\r\nContent-Length: 2\r\n\r\nno")
      assert.same({ row[2], row[3], row[4] }, { err.kind, err.code, err.retryable })
    end)
  end
end)
