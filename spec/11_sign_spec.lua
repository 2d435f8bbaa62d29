local bitfront = require "bitfront"
local support = require "spec.support"
local vectors = require "spec.support.vectors"

local function openssl_hmac(secret, message)
  local file = support.tmpdir() .. "/message"
  support.write(file, message)
  local hex = secret:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end)
  local out = support.must("openssl dgst -sha256 -mac HMAC -macopt hexkey:"
    .. hex .. " " .. file)
  return out:match("= (%x+)")
end

describe("bitfront.sign #smoke", function()
  for _, row in ipairs(vectors.signatures) do
    it("gives the documented signature of " .. row[1] .. " " .. row[2],
      function()
        assert.equal(row[5], bitfront.sign(support.SECRET, vectors.NONCE,
          vectors.TIMESTAMP, row[1], row[2], row[3], row[4]))
      end)
  end

  it("takes an empty query and body for none", function()
    assert.equal(vectors.signatures[1][5], bitfront.sign(support.SECRET, vectors.NONCE,
      vectors.TIMESTAMP, "GET", "/v1/account/balances", "", ""))
  end)

  local ODD = {
    { "a secret of one byte", "s" },
    { "a secret as long as the hash's block", ("k"):rep(64) },
    { "a secret longer than the hash's block", ("k"):rep(65) },
    { "a secret of 4096 bytes", ("0123456789abcdef"):rep(256) },
    { "a secret of bytes over 127", "\255\254\128caf\195\169" },
    { "a query of percent escapes", "s", "a=%20b&c=%EA%B3%84" },
    { "a query of bytes over 127", "s", "q=\234\179\132\236\162\140" },
    { "a query of 2000 bytes", "s", ("x"):rep(2000) },
  }

  for _, row in ipairs(ODD) do
    it("agrees with openssl on " .. row[1], function()
      local message = "999991700000000000GET/v1/x" .. (row[3] or "")
      assert.equal(openssl_hmac(row[2], message),
        bitfront.sign(row[2], 99999, 1700000000000, "GET", "/v1/x", row[3]))
    end)
  end

  local NO_SECRET = "must be a string that is not empty"
  local NO_TEXT = "must be a string or a whole number"

  for _, row in ipairs {
    { "an empty secret", "secret " .. NO_SECRET, "" },
    { "a secret that is a number", "secret " .. NO_SECRET, 5 },
    { "a nonce of half a number", "nonce " .. NO_TEXT, "s", 0.5 },
    { "a timestamp without an end", "timestamp " .. NO_TEXT, "s", 12345, 1 / 0 },
    { "a method that is true", "method " .. NO_TEXT, "s", 12345, 0, true },
    { "no path", "path " .. NO_TEXT, "s", 12345, 0, "GET", nil },
    { "a query in a table", "query " .. NO_TEXT, "s", 12345, 0, "GET", "/", {} },
    { "a body that is a function", "body " .. NO_TEXT, "s", 12345, 0, "GET", "/", "", print },
  } do
    it("raises at the caller's line for " .. row[1], function()
      local ok, message = pcall(function()
        return (bitfront.sign(row[3], row[4], row[5], row[6], row[7], row[8], row[9]))
      end)
      assert.is_false(ok)
      assert.equal(row[2], message:match "^[^\n]*11_sign_spec%.lua:%d+: bitfront%.sign: (.*)$")
    end)
  end
end)

-- WYCHEPROOF, its file hmac_sha256_test.json, adds its vectors to those of RFC 4231.
describe("the HMAC of a signature #once", function()
  -- One program makes all of them: each row gets its line.
  local function results(rows)
    local input = {}
    for i, row in ipairs(rows) do
      input[i] = row[1] .. " " .. (row[2] == "" and "-" or row[2])
    end
    local program = (os.getenv "BUILD" or ".build") .. "/test/hmac"
    local lines = {}
    for line in support.must(program, { stdin = table.concat(input, "\n") })
      :gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    assert.equal(#rows, #lines)
    return lines
  end

  local function check(rows)
    local macs = results(rows)
    for i, row in ipairs(rows) do
      local is_valid = macs[i]:sub(1, #row[3]) == row[3]
      assert.equal(row[4] ~= false, is_valid, ("vector %d: %s"):format(i, macs[i]))
    end
  end

  it("is that of RFC 4231", function()
    assert.equal(7, #vectors.hmac)
    check(vectors.hmac)
  end)

  local path = os.getenv "WYCHEPROOF"
  if path then
    it("is that of Wycheproof's vectors", function()
      local rows = vectors.wycheproof(path)
      assert.is_true(#rows >= 100, path .. " has few vectors")
      check(rows)
    end)
  end
end)

describe("a signed request #smoke", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  local function sorted(names)
    local copy = {}
    for i, name in ipairs(names) do copy[i] = name end
    table.sort(copy)
    return table.concat(copy, " ")
  end

  local function the_request(options)
    assert(support.balances(faultd:url_body(support.success()), options))
    local requests = faultd:requests()
    assert.equal(1, #requests)
    return requests[1]
  end

  it("is a GET of HTTP/1.1 for the documented path", function()
    local request = the_request()
    assert.equal("GET", request.method)
    assert.equal("/v1/account/balances", request.path)
    assert.equal("HTTP/1.1", request.version)
  end)

  it("has the documented headers and no other", function()
    assert.equal("Accept Host User-Agent X-API-KEY X-API-NONCE X-API-SIGN "
      .. "X-API-TIMESTAMP", sorted(the_request().names))
  end)

  it("says what it accepts and who it is", function()
    local headers = the_request().headers
    assert.equal("application/json", headers.accept)
    assert.equal("bitfront-lua/" .. bitfront._VERSION, headers["user-agent"])
    assert.equal(support.KEY, headers["x-api-key"])
  end)

  it("names the user agent it was told", function()
    assert.equal("shop/2.1",
      the_request({ user_agent = "shop/2.1" }).headers["user-agent"])
  end)

  -- Whether the server, which knows the secret, would find it signed for this.
  local function is_signed_for(path, query, request)
    local h = request.headers
    assert.equal(bitfront.sign(support.SECRET, h["x-api-nonce"],
      h["x-api-timestamp"], "GET", path, query), h["x-api-sign"])
  end

  it("is signed for a path without the base URL's prefix", function()
    is_signed_for("/v1/account/balances", nil, the_request())
  end)

  for name, query in pairs {
    ["a table"] = { max = 100, currency = "BTC", market = "ETH" },
    ["a string"] = "currency=BTC&market=ETH&max=100",
  } do
    it("is signed for its query without the question mark, from " .. name,
      function()
        local client = support.client {
          base_url = faultd:url_body(support.success()),
        }
        assert(client:get("/v1/trade/openOrders", query))
        client:close()
        local path, sent = faultd:requests()[1].path:match("^(.-)%?(.*)$")
        assert.equal("/v1/trade/openOrders", path)
        assert.equal("currency=BTC&market=ETH&max=100", sent)
        is_signed_for(path, sent, faultd:requests()[1])
      end)
  end

  it("for one coin signs that coin's path", function()
    local client = support.client {
      base_url = faultd:url_body(support.success(
        '{"currency":"BTC","balance":1,"availableBalance":1}')),
    }
    assert(client:balance("BTC"))
    client:close()
    local request = faultd:requests()[1]
    assert.equal("/v1/account/balances/BTC", request.path)
    is_signed_for("/v1/account/balances/BTC", nil, request)
  end)

  it("carries a time of 13 digits, which is now", function()
    local before = os.time()
    local timestamp = the_request().headers["x-api-timestamp"]
    assert.truthy(timestamp:match("^%d%d%d%d%d%d%d%d%d%d%d%d%d$"))
    assert.is_true(tonumber(timestamp) / 1000 >= before)
    -- The clock that os.time reads may lag some milliseconds behind.
    assert.is_true(tonumber(timestamp) / 1000 <= os.time() + 1.1)
  end)

  it("is new each time: nonce, time and signature", function()
    local client = support.client {
      base_url = faultd:url_body(support.success()),
    }
    for _ = 1, 200 do assert(client:balances()) end
    client:close()
    local signatures, stamps = {}, {}
    for _, request in ipairs(faultd:requests()) do
      local h = request.headers
      local stamp = h["x-api-timestamp"] .. h["x-api-nonce"]
      assert.is_nil(signatures[h["x-api-sign"]])
      assert.is_nil(stamps[stamp])
      signatures[h["x-api-sign"]], stamps[stamp] = true, true
      assert.truthy(h["x-api-nonce"]:match("^[1-9]%d%d%d%d$"))
      assert.equal(64, #h["x-api-sign"])
      assert.is_nil(h["x-api-sign"]:find("[^0-9a-f]"))
    end
  end)

  it("for the server's time is not signed and shows no key", function()
    local client = support.client {
      base_url = faultd:url_body('{"timezone":"UTC","responseTime":1525239801363}'),
    }
    assert.equal(1525239801363, client:server_time())
    client:close()
    local request = faultd:requests()[1]
    assert.equal("/v1/public/time", request.path)
    assert.equal("Accept Host User-Agent", sorted(request.names))
  end)

  it("for market data is not signed and shows no key", function()
    local client = support.client {
      base_url = faultd:url_body(support.success()),
    }
    assert(client:get("/v1/market/public/currentTickValue"))
    client:close()
    assert.equal("Accept Host User-Agent", sorted(faultd:requests()[1].names))
  end)

  it("leaves Lua's own random numbers alone", function()
    math.randomseed(42)
    local expected = math.random(1, 1000000)
    math.randomseed(42)
    the_request()
    assert.equal(expected, math.random(1, 1000000))
  end)

  it("goes on where the clock stands still, as under a debugger #once", function()
    local frozen = support.preload [[
      #define _GNU_SOURCE
      #include <sys/syscall.h>
      #include <time.h>
      #include <unistd.h>
      int clock_gettime(clockid_t id, struct timespec *now) {
          long result = syscall(SYS_clock_gettime, id, now);
          if (id == CLOCK_REALTIME)
              *now = (struct timespec){.tv_sec = 1523864107, .tv_nsec = 10000000};
          return (int)result;
      }]]
    local out = support.lua(([[
      local client = require "bitfront".new { api_key = "key", api_secret = "secret",
        base_url = %q, ca_file = %q, rate_limit = false, clock = "system" }
      for _ = 1, 70 do assert(client:balances()) end
      print "done"
    ]]):format(faultd:url_body(support.success()), faultd.ca_file),
      { env = { LD_PRELOAD = frozen } })
    assert.equal("done\n", out)
    assert.equal(70, #faultd:requests())
    assert.equal("1523864107010", faultd:requests()[1].headers["x-api-timestamp"])
  end)

  it("has the nonce that was drawn, from 10000 to 99999, and none twice in a ms #once", function()
    local fixed = support.preload [[
      #define _GNU_SOURCE
      #include <sys/syscall.h>
      #include <time.h>
      #include <unistd.h>
      int RAND_bytes_ex(void *, unsigned char *, size_t, unsigned);
      int RAND_bytes(unsigned char *bytes, int len) {
          /* The first is beyond the last whole multiple of 90000. */
          static const unsigned drawn[] = {4294890000, 4294889999, 89999, 90000, 3000000019,
                                           4294890001};
          if (len != 256) /* not of the stored words, which are taken from the end on */
              return RAND_bytes_ex(0, bytes, len, 0);
          for (int i = 0; i < 6; i++)
              ((unsigned *)bytes)[63 - i] = drawn[i];
          return 1;
      }
      int clock_gettime(clockid_t id, struct timespec *now) {
          long result = syscall(SYS_clock_gettime, id, now);
          if (id == CLOCK_REALTIME)
              *now = (struct timespec){.tv_sec = 1523864107, .tv_nsec = 10000000};
          return (int)result;
      }]]
    local out, err = support.lua(([[
      local core = require "bitfront.core"
      local client = core.new { base_url = %q, ca_file = %q, user_agent = "spec",
        connect_timeout = 5, max_body = 1e6 }
      client:set_credentials("key", "secret")
      for _ = 1, 2 do assert(core.balances { client = client, deadline = core.now() + 5 }) end
      print(core.random() == (3000000019 * 2 ^ 21 + math.floor(4294890001 / 2 ^ 11)) / 2 ^ 53)
    ]]):format(faultd:url_body(support.success()), faultd.ca_file),
      { env = { LD_PRELOAD = fixed } })
    assert.equal("true\n", out, err)
    local nonces = {}
    for i, request in ipairs(faultd:requests()) do
      nonces[i] = request.headers["x-api-nonce"]
      assert.equal("1523864107010", request.headers["x-api-timestamp"])
    end
    assert.same({ "99999", "10000" }, nonces)
  end)
end)
