local bitfront = require "bitfront"
local support = require "spec.support"

describe("bitfront.prices", function()
  local sandbox, faultd
  setup(function() sandbox, faultd = support.sandbox(), support.faultd() end)
  teardown(function()
    sandbox:stop()
    faultd:stop()
  end)
  before_each(function() sandbox:reset() end)

  local function client_with(options)
    local all = { base_url = sandbox.base_url, ca_file = sandbox.ca_file,
                  rate_limit = { public_per_second = 1000 } }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  local function texts(prices)
    local all = {}
    for code, price in pairs(prices) do all[code] = tostring(price) end
    return all
  end

  local function paths()
    local all = {}
    for i, arrival in ipairs(sandbox:log()) do all[i] = arrival.path .. "?" .. arrival.query end
    return all
  end

  it("are decimals, and names what has no pair; each pair is asked for once, unsigned", function()
    local client = client_with()
    local prices, err, missing = bitfront.prices(client, "BTC",
      { "ETH", "XRP", "ETH", "USDT", "BTC", "NONE" })
    client:close()
    assert.is_nil(err)
    assert.same({ ETH = "0.046161", XRP = "0.00000788", BTC = "1" }, texts(prices))
    assert.same({ "USDT", "NONE" }, missing)
    local TICK = "/v1/market/public/currentTickValue?coinPair="
    assert.same({ TICK .. "ETH.BTC", TICK .. "XRP.BTC", TICK .. "USDT.BTC", TICK .. "NONE.BTC" },
      paths())
    for _, arrival in ipairs(sandbox:log()) do
      assert.is_nil(arrival.key or arrival.signature or arrival.nonce or arrival.timestamp)
    end
  end)

  it("are what bitfront.value takes", function()
    local client = client_with { amounts = "string" }
    local prices = assert(bitfront.prices(client, "USDT", { "BTC" }))
    client:close()
    local worth = bitfront.value({ { currency = "BTC", balance = "0.1", availableBalance = "0" },
      { currency = "USDT", balance = "1.5", availableBalance = "0" } }, prices)
    assert.equal("6501.512", tostring(worth.total))
  end)

  it("need no credentials", function()
    local client = bitfront.new { base_url = sandbox.base_url, ca_file = sandbox.ca_file,
      credentials = function() error "must not be asked" end }
    assert.same({ BTC = "65000.12", USDT = "1" },
      texts(assert(bitfront.prices(client, "USDT", { "BTC" }))))
    client:close()
  end)

  it("of nothing need no call", function()
    local client = client_with()
    assert.same({ USDT = "1" }, texts(assert(bitfront.prices(client, "USDT", {}))))
    assert.same({}, paths())
    client:close()
  end)

  it("are none where one call fails: an error is not a missing pair", function()
    sandbox:script { body = support.success('{"last":1}') }
    sandbox:script { statusCode = 4000 }
    local client = client_with()
    local prices, err = bitfront.prices(client, "USDT", { "BTC", "ETH", "XRP" })
    client:close()
    assert.is_nil(prices)
    assert.equal("request 4000", err.kind .. " " .. err.code)
    assert.equal(2, #paths())
  end)

  it("goes by the options of the calls", function()
    sandbox:script { http_status = 503, times = 2 }
    local client = client_with()
    local _, err = bitfront.prices(client, "USDT", { "BTC" }, { retries = 0 })
    assert.equal("http", err.kind)
    assert.equal(1, err.attempts)
    local slow = client_with { base_url = faultd:url { listener = "silent" },
      ca_file = faultd.ca_file }
    _, err = bitfront.prices(slow, "USDT", { "BTC" }, { timeout = 0.1 })
    assert.equal("timeout", err.kind)
    client:close()
    slow:close()
  end)

  for _, data in ipairs { "[]", '"1"', "null", "{}", '{"last":"1"}', '{"last":null}',
                          '{"last":[1]}', '{"last":true}' } do
    it("refuse as a tick " .. data, function()
      local client = client_with { base_url = faultd:url_body(support.success(data)),
        ca_file = faultd.ca_file }
      local prices, err, missing = bitfront.prices(client, "USDT", { "BTC" })
      client:close()
      assert.is_nil(prices or missing)
      assert.equal("protocol schema responseData.last of BTC.USDT must be a number",
        ("%s %s %s"):format(err.kind, err.code, err.message))
      assert.equal(1, err.attempts)
    end)
  end

  it("raise at the caller's line for what is wrong", function()
    local client = client_with()
    for message, arguments in pairs {
      ["client must be a client"] = { {}, "USDT", {} },
      ["market: a coin code must not be empty"] = { client, "", {} },
      ["codes must be an array of coin codes"] = { client, "USDT", "BTC" },
      ["codes must be an array"] = { client, "USDT", { BTC = 1 } },
      ["codes[2]: a coin code must not be empty"] = { client, "USDT", { "BTC", "" } },
      ["codes[1]: a coin code"] = { client, "USDT", { 5 } },
      ['unknown option "amounts"'] = { client, "USDT", {}, { amounts = "string" } },
      ["timeout must be a number of seconds"] = { client, "USDT", {}, { timeout = 0 } },
    } do
      local ok, text = pcall(function()
        bitfront.prices(arguments[1], arguments[2], arguments[3], arguments[4])
      end)
      assert.is_false(ok)
      assert.matches("27_prices_spec%.lua:%d+: bitfront%.prices: ", text)
      assert.truthy(text:find(message, 1, true), text)
    end
    assert.same({}, paths())
    client:close()
  end)
end)
