-- Each damaged reply, as it comes over the wire.

local exchange_caller = require "spec.support.exchange_caller"
local damage = require "bitfront.sandbox.damage"
local sandbox = require "bitfront.sandbox"
local shell = require "spec.support.shell"

-- What public/time is answered, and all of it in a whole reply.
local TIME = '{"timezone":"UTC","responseTime":%d+}'
local HEAD = "^HTTP/1.1 200 OK\r\nContent%-Type: application/json;charset=UTF%-8\r\n"
local WHOLE = HEAD .. "Content%-Length: (%d+)\r\n\r\n(.*)$"

-- Bytes sent, as a pattern: of the whole reply, ended in order.
local wires = {
  closed_at_once = "^$",
  closed_in_headers = "^HTTP/1.1 200 OK\r\nContent%-Ty$",
  closed_before_body = HEAD .. "Content%-Length: 47\r\n\r\n$",
  closed_in_body = HEAD .. 'Content%-Length: 47\r\n\r\n{"timezone":"UTC","resp$',
  closed_without_length = HEAD .. '\r\n{"timezone":"UTC","resp$',
  closed_in_chunk = HEAD .. 'Transfer%-Encoding: chunked\r\n\r\n2f\r\n{"[^}]*$',
  closed_before_last_chunk =
    HEAD .. "Transfer%-Encoding: chunked\r\n\r\n2f\r\n" .. TIME .. "\r\n$",
  two_lengths =
    HEAD .. "Content%-Length: 47\r\nContent%-Length: 23\r\n\r\n" .. TIME .. "$",
  length_list = HEAD .. "Content%-Length: 47, 23\r\n\r\n" .. TIME .. "$",
  length_plus = HEAD .. "Content%-Length: %+47\r\n\r\n" .. TIME .. "$",
  length_and_chunked = HEAD .. "Content%-Length: 47\r\n"
    .. "Transfer%-Encoding: chunked\r\n\r\n2f\r\n" .. TIME .. "\r\n0\r\n\r\n$",
  early_zero_chunk = HEAD .. "Transfer%-Encoding: chunked\r\n\r\n"
    .. '17\r\n{"timezone":"UTC","resp\r\n0\r\n\r\n2f\r\n' .. TIME .. "\r\n$",
  empty_body = HEAD .. "Content%-Length: 0\r\n\r\n$",
  excess_body = HEAD .. "Content%-Length: 47\r\n\r\n" .. TIME .. TIME .. "$",
  too_large = HEAD .. "Content%-Length: 2097152\r\n\r\n" .. TIME .. " +$",
  too_many_headers = HEAD .. "Content%-Length: 47\r\nX%-Padding: x+\r\nX%-Padd",
  gzip_cut = HEAD .. "Content%-Encoding: gzip\r\nContent%-Length: 3%d\r\n\r\n\31\139",
  bare_cr_status = "^HTTP/1.1 200 O\rK\r\nContent%-Type.*\r\n\r\n" .. TIME .. "$",
  redirect = "^HTTP/1.1 302 Found\r\n.*\nLocation: /static/v1/account/balances\r\n",
  html_503 = "^HTTP/1.1 503 Service Unavailable\r\n"
    .. "Content%-Type: text/html\r\nContent%-Length: 58\r\n\r\n<html>.*</html>$",
  status_101 = "^HTTP/1.1 101 Status\r\n.*\r\n\r\n" .. TIME .. "$",
  status_204 = "^HTTP/1.1 204 Status\r\n.*\r\n\r\n" .. TIME .. "$",
  status_999 = "^HTTP/1.1 999 Status\r\n.*\r\n\r\n" .. TIME .. "$",
}

-- What is in the body of a reply that is whole as HTTP; plain text.
local bodies = {
  not_json = "SUCCESS",
  json_cut = '"availableBalance":999998671.673}]',
  json_twice = '}]}{"timezone"',
  trailing_nul = "}]}\0",
  byte_order_mark = '\239\187\191{"timezone"',
  duplicate_key = '"statusCode":5000,"statusCode":1000',
  bad_utf8 = '"UT\255C"',
  raw_newline = '"UT\nC"',
  lone_surrogate = '"\\ud800"',
  deep = ("["):rep(1000) .. ("]"):rep(1000),
  huge_number = '"balance":1e400,',
  not_a_number = '"balance":NaN,',
  hex_number = '"balance":0x10,',
  leading_zero = '"balance":010,',
  bare_point = '"balance":2.,',
  amount_in_quotes = '"balance":"1",',
  amount_null = '"balance":null,',
  wrong_schema = '"responseData":{"BTC":1.5}}',
  no_data = '"statusMessage":"SUCCESS"}',
  no_status_code = '"responseTime":1525239801363,"statusMessage"',
  status_code_in_quotes = '"statusCode":"1000",',
  status_code_fraction = '"statusCode":1000.5,',
  currency_empty = '"currency":"",',
  currency_nul = '"currency":"B\\u0000C",',
}

-- These have an `it` of their own below.
local others = { "reset", "hang", "hang_in_body", "cut_without_length", "gzip",
                 "gzip_bomb", "status_NNN" }

describe("a damaged reply of the sandbox: #apart", function()
  local box, caller

  setup(function()
    box = assert(sandbox.start {
      port = 0, dir = shell.tmpdir() })
    caller = exchange_caller.of(box)
  end)

  teardown(function()
    assert(sandbox.stop { dir = box.dir })
    assert.equal("", shell.read(box.dir .. "/error.log"))
  end)

  local function script(name)
    assert.same({}, caller:control("POST", "script",
                                   ('{"damage":"%s"}'):format(name)))
  end

  for name, pattern in pairs(wires) do
    it(name, function()
      script(name)
      local bytes, message = caller:wire()
      assert.matches(pattern, bytes)
      assert.not_matches("error", message)
    end)
  end

  for name, text in pairs(bodies) do
    it(name, function()
      script(name)
      local length, body = caller:wire():match(WHOLE)
      assert.equal(tonumber(length), #body)
      assert.matches(text, body, 1, true)
    end)
  end

  it("has 1 MiB of headers where there are too many", function()
    local padding = damage.apply("too_many_headers", "x"):match "(X%-Padding.*)\r\nx$"
    assert.equal(1048576, #padding)
    assert.equal(1024, select(2, padding:gsub("X%-Padding: x+\r\n", "")))
  end)

  it("is damaged in one place, and as deep as it is said", function()
    local function body_of(name)
      return (damage.apply(name, ""):match "\r\n\r\n(.*)$")
    end
    assert.equal(bodies.deep, body_of "deep")
    assert.equal(1, select(2, body_of "huge_number":gsub("1e400", "")))
  end)

  it("has a name that is known, and is a text", function()
    for _, name in ipairs { "reset", "status_404" } do assert.is_true((damage.is_known(name))) end
    for _, name in ipairs { "resets", "status_40", 1, {} } do
      assert.is_false((damage.is_known(name)))
    end
  end)

  -- A whole command for curl, and how it ends.
  local function curl(words)
    return shell.run(caller:curl(words .. " " .. caller:url "/v1/public/time"))
  end

  it("reset", function()
    script "reset"
    local bytes, message = caller:wire()
    assert.equal("", bytes)
    assert.matches("errno=104", message) -- ECONNRESET
  end)

  it("cut_without_length", function()
    script "cut_without_length"
    local bytes, message = caller:wire()
    assert.matches(wires.closed_without_length, bytes)
    assert.matches("unexpected eof", message)
  end)

  it("hang", function()
    script "hang"
    local out, _, status = curl "-i --max-time 0.3"
    assert.equal("", out)
    assert.equal(28, status)
  end)

  it("hang_in_body", function()
    script "hang_in_body"
    local out, _, status = curl "-i -N --max-time 0.3"
    assert.matches(wires.closed_in_body, out)
    assert.equal(28, status)
  end)

  it("gzip", function()
    script "gzip"
    assert.matches("^" .. TIME .. "$", (curl "--compressed"))
  end)

  it("gzip_bomb", function()
    script "gzip_bomb"
    local packed = caller:wire():match("\r\n\r\n(.*)$")
    assert.is_true(#packed < 70000)
    local unpacked = shell.must("gzip -dc | wc -c", { stdin = packed })
    assert.equal(64 * 1024 * 1024, tonumber(unpacked))
  end)

  it("each of them by a name that the control endpoint lists", function()
    local listed = caller:control("GET", "damages")
    for _, name in ipairs(others) do listed[name] = nil end
    for name in pairs(bodies) do
      assert.is_string(listed[name])
      listed[name] = nil
    end
    for name in pairs(wires) do listed[name] = nil end
    assert.same({}, listed)
  end)

  it("each of them listed on a line of its own, always in the same order", function()
    local words = caller:control_words("GET", "damages")
    local lines = {}
    for line in shell.must(caller:curl(words)):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.same({ "{", "}", #damage.list + 2 }, { lines[1], lines[#lines], #lines })
    for i, row in ipairs(damage.list) do
      local comma = i < #damage.list and "," or ""
      assert.equal(('"%s": "%s"%s'):format(row.name, row.about, comma), lines[i + 1])
    end
  end)
end)

describe("the list of damages #once", function()
  it("has each name once, and what happens in words", function()
    local seen = {}
    for _, row in ipairs(damage.list) do
      assert.is_nil(seen[row.name])
      seen[row.name] = true
      assert.matches("^%S", row.about)
    end
  end)

  it("has a MiB of headers, in lines of a KiB", function()
    local lines = damage.apply("too_many_headers", "{}")
      :match "\r\nContent%-Length: 2\r\n(.*)\r\n{}$"
    local line = "X-Padding: " .. ("x"):rep(1011) .. "\r\n"
    assert.equal(1024, #line)
    assert.is_true(lines == line:rep(1024))
  end)

  it("is the README's, in the same order", function()
    local rows = shell.read("README.md"):match "\n| name | what happens |\n| %-+ | %-+ |\n(.-)\n\n"
    local listed = {}
    for name, about in (rows or ""):gmatch "| `([%w_]+)` | ([^\n]*) |" do
      listed[#listed + 1] = { name = name, about = about }
    end
    assert.same(damage.list, listed)
  end)
end)
