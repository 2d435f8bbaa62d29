local support = require "spec.support"

describe("a client", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function client_of(body, options)
    local all = { base_url = faultd:url_body(body) }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  local SUCCESS = support.success()

  describe("raises at the caller's line for", function()
    local client
    setup(function() client = client_of(SUCCESS) end)
    teardown(function() client:close() end)

    local ROWS = {
      { "a coin code in small letters", "balance", "btc", "code must be" },
      { "an empty coin code", "balance", "", "code must be" },
      { "a coin code of 21 letters", "balance", ("A"):rep(21), "code must be" },
      { "a coin code with a slash", "balance", "BTC/..", "code must be" },
      { "a coin code with a line end", "balance", "BTC\n", "code must be" },
      { "no coin code", "balance", nil, "code must be" },
      { "a path without a version", "get", "/account", "path must look like" },
      { "a path with a query", "get", "/v1/a?b=c", "path must look like" },
      { "a path with a fragment", "get", "/v1/a#b", "path must look like" },
      { "a path that climbs", "get", "/v1/public/../account/balances",
        "path must look like" },
      { "a path that climbs at its end", "get", "/v1/a/..",
        "path must look like" },
      { "a path with a blank", "get", "/v1/a b", "path must look like" },
      { "a path that is encoded", "get", "/v1/%2e%2e/a", "path must look like" },
      { "a path with an empty step", "get", "/v1//a", "path must look like" },
      { "no path", "get", nil, "path must look like" },
    }

    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local ok, message = pcall(function()
          client[row[2]](client, row[3])
        end)
        assert.is_false(ok)
        assert.truthy(message:find(row[4], 1, true), message)
        assert.truthy(message:find "^[^\n]*23_client_spec%.lua:%d+: ", message)
      end)
    end

    it("a query that is neither table nor string", function()
      for _, query in ipairs { 7, true, "?a=b", "a b", "a=1#b", "a=\r\n",
        { "x" }, { a = {} }, { a = 1.5 } } do
        local ok, message = pcall(client.get, client, "/v1/a", query)
        assert.is_false(ok)
        assert.truthy(message:find("client:get: query", 1, true), message)
      end
    end)

    it("a query value, in a table", function()
      local ok, message = pcall(function()
        client:get("/v1/a", { a = {} })
      end)
      assert.is_false(ok)
      assert.truthy(message:find "^[^\n]*23_client_spec%.lua:%d+: ", message)
    end)

    it("a method called with a dot", function()
      local ok, message = pcall(function() client.balances() end)
      assert.is_false(ok)
      assert.truthy(message:find("client:balances(...)", 1, true), message)
    end)
  end)

  it("sends a table of query values in the order of their names, encoded",
    function()
      faultd:forget()
      local client = client_of(SUCCESS)
      assert(client:get("/v1/trade/openOrders",
        { market = "ETH", max = 100, currency = "B T&C=", all = true }))
      assert.equal("/v1/trade/openOrders"
        .. "?all=true&currency=B%20T%26C%3D&market=ETH&max=100",
        faultd:requests()[1].path)
      client:close()
    end)

  it("returns errors of kind closed after close, which may be called again",
    function()
      faultd:forget()
      local client = client_of(SUCCESS)
      client:close()
      client:close()
      for _, call in ipairs {
        { "balances" }, { "balance", "BTC" }, { "server_time" },
        { "get", "/v1/a" },
      } do
        local value, err = client[call[1]](client, call[2])
        assert.is_nil(value)
        assert.equal("closed", err.kind)
        assert.equal(0, err.attempts)
        assert.is_false(err.retryable)
      end
      assert.equal(0, #faultd:requests())
    end)

  it("gives the server's clock in ms, from a reply without a statusCode",
    function()
      local client = client_of '{"timezone":"UTC","responseTime":1525239801363}'
      local time, err, info = client:server_time()
      assert.is_nil(err)
      assert.equal(1525239801363, time)
      assert.equal("UTC", info.timezone)
      client:close()
      local other = client_of '{"timezone":"UTC"}'
      time, err = other:server_time()
      assert.is_nil(time)
      assert.equal("schema", err.code)
      other:close()
    end)

  it("gives exact decimals where asked", function()
    local client = client_of(support.success(
      '[{"currency":"BTC","balance":3999974992.35615,"availableBalance":3999970806.72614}]'),
      { amounts = "decimal" })
    local record = client:balance "BTC"
    assert.equal("4185.63001", tostring(record.balance - record.availableBalance))
    assert.equal("3999974992.35615", tostring(client:balances()[1].balance))
    client:close()
  end)

  it("tells in info how the call went", function()
    local client = client_of(SUCCESS)
    local _, _, info = client:balances()
    assert.equal(1, info.attempts)
    assert.equal(200, info.http_status)
    assert.equal(1000, info.statusCode)
    assert.is_true(info.elapsed > 0 and info.elapsed < 10)
    local offset = 1525239801363 - os.time() * 1000 -- the reply's clock
    assert.is_true(math.abs(info.clock_offset - offset) < 5000)
    client:close()
  end)

  it("gives client:get what lua-cjson makes of responseData", function()
    local client = client_of(support.success '{"a":[1.5,null,"x\\u00e9"]}')
    local data = client:get "/v1/trade/openOrders"
    assert.equal(1.5, data.a[1])
    assert.equal(require "cjson".null, data.a[2])
    assert.equal("x\195\169", data.a[3])
    client:close()
  end)

  it("gives client:get the whole reply where there is no responseData",
    function()
      local client = client_of '{"timezone":"U\\u0054C","responseTime":7}'
      assert.same({ timezone = "UTC", responseTime = 7 },
        client:get "/v1/public/time")
      client:close()
    end)

  if _VERSION == "Lua 5.4" then
    it("is closed at the end of its scope in Lua 5.4", function()
      local inner
      assert(load [[
        local client, keep = ...
        local scoped <close> = client
        keep(scoped)
      ]])(client_of(SUCCESS), function(client) inner = client end)
      assert.equal("closed", select(2, inner:balances()).kind)
    end)
  end
end)

describe("an error", function()
  local bitfront = require "bitfront"
  local err

  setup(function()
    local client = bitfront.new { api_key = "k", api_secret = "s",
      base_url = "http://127.0.0.1:" .. support.free_port() }
    err = select(2, client:balances())
    client:close()
  end)

  it("is a table with a kind, a code and a message", function()
    assert.equal("network", err.kind)
    assert.equal("refused", err.code)
    assert.is_true(err.retryable)
    assert.equal(1, #{ err.message })
  end)

  it("reads well as a string, joined to one, and raised", function()
    assert.truthy(tostring(err):find "^bitfront: network %(refused%): %w")
    assert.equal("x " .. tostring(err), "x " .. err)
    assert.equal(tostring(err) .. " x", err .. " x")
    local ok, raised = pcall(error, err)
    assert.is_false(ok)
    assert.equal(err, raised)
  end)

  it("shows a terminal no control characters of the server's", function()
    local faultd = support.faultd()
    local body = support.refusal(5000, '"a\\u001b[31m\\n\\u009bb"')
    local _, refusal = support.balances(faultd:url_body(body))
    faultd:stop()
    assert.equal("a\27[31m\n\194\155b", refusal.message)
    assert.equal("bitfront: server (5000): a?[31m??b", tostring(refusal))
  end)
end)
