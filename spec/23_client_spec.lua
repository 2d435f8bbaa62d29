local accounts = require "bitfront.account"
local support = require "spec.support"

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

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
      { "an empty coin code", "balance", "", "code must be" },
      { "a coin code that is a number", "balance", 1, "code must be" },
      { "a coin code of one dot", "balance", ".", "code must be" },
      { "a coin code of two dots", "balance", "..", "code must be" },
      { "a coin code with a backslash", "balance", "A\\..", "code must be" },
      { "a coin code with a NUL", "balance", "A\0B", "code must be" },
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

    for _, name in ipairs { "balances", "balance", "server_time", "get" } do
      it("options of client:" .. name .. " that a call does not take", function()
        local FIRST = { balance = { "BTC" }, get = { "/v1/a", { a = 1 } } }
        local OPTIONS = {
          { { timeout = 0 }, "timeout must be a number of seconds" },
          { { timeout = "1" }, "timeout must be" }, { { timeout = 1 / 0 }, "timeout must be" },
          { { retries = -1 }, "retries must be a whole number" },
          { { retries = 11 }, "retries must be" }, { { retries = true }, "retries must be" },
          { { retires = 1 }, 'unknown option "retires"; did you mean "retries"?' },
          { { "BTC" }, 'unknown option "1"' }, { { colour = 1 }, 'unknown option "colour"' },
          { { amounts = "text" }, 'amounts must be "number", "string" or "decimal"' },
          { { max_body = 9 },
            "max_body is an option of bitfront.new; a call takes timeout, retries, "
              .. "amounts and traceparent" },
          { { api_key = "k", api_secret = "s" }, "is an option of bitfront.new" },
          { "BTC", "options must be a table, not a string" },
          { 5, "options must be a table, not a number" },
          { false, "options must be a table, not a boolean" },
        }
        for _, row in ipairs(OPTIONS) do
          local arguments = { client }
          for _, argument in ipairs(FIRST[name] or {}) do
            arguments[#arguments + 1] = argument
          end
          arguments[#arguments + 1] = row[1]
          local ok, message = pcall(function()
            client[name](unpack(arguments))
          end)
          assert.is_false(ok)
          assert.truthy(message:find("client:" .. name .. ": ", 1, true), message)
          assert.truthy(message:find(row[2], 1, true), message)
          assert.truthy(message:find "^[^\n]*23_client_spec%.lua:%d+: ", message)
        end
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

  it("takes no interim reply for the reply that it times", function()
    local hints = "HTTP/1.1 103 Early Hints\r\n\r\n"
    local _, err, info = support.balances(faultd:url { chunk = #hints, gap = 100,
      reply = hints .. support.reply(support.success "[]") })
    assert.is_nil(err)
    assert.is_true(info.round_trip >= 0.1, tostring(info.round_trip))
  end)

  it("tells in info how the call went", function()
    local client = client_of(SUCCESS)
    local _, _, info = client:balances()
    assert.equal(1, info.attempts)
    assert.equal(200, info.http_status)
    assert.equal(1000, info.statusCode)
    assert.is_true(info.elapsed > 0 and info.elapsed < 10)
    local ago = require "bitfront.core".now() - info.sent
    assert.is_true(ago > 0 and ago < info.elapsed + 1)
    assert.is_true(info.round_trip > 0 and info.round_trip <= info.elapsed)
    local offset = 1525239801363 - os.time() * 1000 -- the reply's clock
    assert.is_true(math.abs(info.clock_offset - offset) < 5000)
    client:close()
  end)

  it("gives client:get the whole reply where there is no responseData",
    function()
      local client = client_of '{"timezone":"U\\u0054C","responseTime":7}'
      assert.same({ timezone = "UTC", responseTime = 7 },
        client:get "/v1/public/time")
      client:close()
    end)

  if _VERSION >= "Lua 5.4" then
    it("is closed at the end of its scope", function()
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

describe("for one call", function()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local CALLS = {
    balances = {}, balance = { "BTC" }, server_time = {}, get = { "/v1/a", "a=b" },
  }

  local function call(client, name, options)
    local arguments = {}
    for i, argument in ipairs(CALLS[name]) do arguments[i] = argument end
    arguments[#arguments + 1] = options
    return client[name](client, unpack(arguments))
  end

  it("timeout and retries are what it says, and the client's own for the next", function()
    local refused = support.client { retries = 1, base_url = faultd:url {
      reply = "HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" } }
    local slow = support.client { timeout = 60,
      base_url = faultd:url_body(support.success(), { delay = 20000 }) }
    for name in pairs(CALLS) do
      for _, row in ipairs { { 0, 1 }, { 1, 2 } } do
        local _, err = call(refused, name, { retries = row[1] })
        assert.equal(row[2], err.attempts, name)
      end
      assert.equal(2, select(2, call(refused, name)).attempts, name)
      assert.equal(2, select(2, call(refused, name, {})).attempts, name)
      assert.equal("timeout", select(2, call(slow, name, { timeout = 0.05 })).kind, name)
      accounts.of(refused).call.quota.left = 10 -- four calls would have used it up
    end
    refused:close()
    slow:close()
  end)

  it("a longer timeout than the client's own counts too", function()
    local client = support.client { timeout = 0.05,
      base_url = faultd:url_body(support.success(), { delay = 300 }) }
    assert.equal("timeout", select(2, client:balances()).kind)
    assert.same({}, client:balances { timeout = 10 })
    assert.equal("timeout", select(2, client:balances()).kind)
    client:close()
  end)
end)

describe("bitfront.balances", function()
  local bitfront = require "bitfront"
  local BODY = support.success()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  local function options(more)
    local all = { api_key = "key-one", api_secret = "secret-one", ca_file = faultd.ca_file,
      base_url = faultd:url_body(BODY), rate_limit = { per_second = 1000, per_minute = 10000 } }
    for name, value in pairs(more or {}) do all[name] = value end
    return all
  end

  it("asks with the options it is given, for that account", function()
    assert.same({}, bitfront.balances(options()))
    assert.same({}, bitfront.balances(options { api_key = "key-two" }))
    assert.same({}, bitfront.balances(options { api_secret = "secret-two" }))
    local SECRETS = { "secret-one", "secret-one", "secret-two" }
    for i, request in ipairs(faultd:requests()) do
      local head = request.headers
      assert.equal(i == 2 and "key-two" or "key-one", head["x-api-key"])
      assert.equal(bitfront.sign(SECRETS[i], head["x-api-nonce"], head["x-api-timestamp"], "GET",
        "/v1/account/balances"), head["x-api-sign"])
    end
    assert.equal(3, #faultd:requests())
  end)

  it("keeps a client for options that are alike, and only for those", function()
    local home = support.tmpdir()
    support.must("umask 077; mkdir bitfront", { cwd = home })
    local out, err = support.lua(([[
      local bitfront = require "bitfront"
      local function profile(key)
        local file = assert(io.open(%q, "w"))
        file:write("[default]\napi_key = ", key, "\napi_secret = s\n")
        file:write("[two]\napi_key = two-", key, "\napi_secret = s\n")
        file:close()
      end
      os.execute "umask 077; : >$XDG_CONFIG_HOME/bitfront/credentials"
      local function limits(n) return { rate_limit = { per_second = n } } end
      profile "first"
      assert(bitfront.balances())
      assert(bitfront.balances(limits(50)))
      profile "later" -- what was read once is not read again
      assert(bitfront.balances {})
      assert(bitfront.balances(limits(50)))
      assert(bitfront.balances(limits(51)))
      local mine = { profile = "two" }
      assert(bitfront.balances(mine))
      mine.profile = nil -- what it is compared with is no table of ours
      mine.rate_limit = { per_second = 50 }
      assert(bitfront.balances(mine))
      assert(bitfront.balances { profile = "two" })
    ]]):format(home .. "/bitfront/credentials"), { env = { XDG_CONFIG_HOME = home,
      BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false, BITFRONT_PROFILE = false,
      BITFRONT_BASE_URL = faultd:url_body(BODY), BITFRONT_CA_FILE = faultd.ca_file } })
    assert.same({ "", "" }, { out, err })
    local keys = {}
    for i, request in ipairs(faultd:requests()) do keys[i] = request.headers["x-api-key"] end
    assert.same({ "first", "first", "first", "first", "later", "two-later", "first",
      "two-later" }, keys)
  end)

  it("keeps one for each store, whatever is in it", function()
    local function none() return true end
    local function acquire(store) store.count = store.count + 1 return 0, 1 end
    local stores = {}
    for i = 1, 2 do
      stores[i] = { acquire = acquire, release = none, block = none, count = 0 }
      assert.same({}, bitfront.balances(options { rate_limit = { store = stores[i] } }))
    end
    assert.same({ 1, 1 }, { stores[1].count, stores[2].count })
  end)

  it("keeps no secret where Lua could find it", function()
    assert.same({}, bitfront.balances(options { api_secret = "kept-secret" }))
    local seen = {}
    local function look(value)
      assert.are_not.equal("kept-secret", value)
      if seen[value] then return end
      if type(value) == "table" then
        seen[value] = true
        for name, inner in pairs(value) do look(name) look(inner) end
      elseif type(value) == "function" then
        seen[value] = true
        for i = 1, 255 do
          local name, inner = debug.getupvalue(value, i)
          if not name then break end
          if name ~= "_ENV" then look(inner) end
        end
      end
    end
    look(bitfront.balances)
  end)

  it("keeps no more than so many, whatever it is given", function()
    local functions = setmetatable({}, { __mode = "k" })
    local function call(i)
      local function observe() return i end
      functions[observe] = true
      assert.same({}, bitfront.balances(options { on_attempt = observe }))
    end
    for i = 1, 100 do call(i) end
    assert.same({}, bitfront.balances(options { timeout = 100 }))
    collectgarbage()
    collectgarbage()
    local alive = 0
    for _ in pairs(functions) do alive = alive + 1 end
    assert.equal(31, alive) -- and the last one, without a function
  end)
end)

describe("what client:get asks for", function()
  local target = require "bitfront.target"
  local PATH = "path must look like /v1/trade/openOrders"
  local VALUE = "query value of a must be a string, a boolean or a whole number "
    .. "between -2^53 and 2^53"
  local TEXT = "query must be a table, or a string as it stands in a URL, without the ?"

  it("is signed, but for what is public, which has a limit of its own", function()
    local PUBLIC = { name = "public", is_public = true }
    for path, row in pairs {
      ["/v1/a"] = { "data" }, ["/v1/public"] = { "data" }, ["/v10/a/public/b.c"] = { "data" },
      ["/v1/public/"] = { "public", PUBLIC }, ["/v2/public/time"] = { "public", PUBLIC },
      ["/v1/market/public/a"] = { "public", PUBLIC }, ["/v1/a/public/b"] = { "data" },
      ["/v2/account/tradeHistory"] = { "data",
        { name = "tradeHistory", per_second = 1, per_minute = 30 } },
    } do
      local found = target.of_path(path)
      assert.same({ path, row[1], row[2] }, { found.path, found.expect, found.limit })
      assert.is_nil(found.query)
    end
  end)

  it("has a query as it was given, or of a table", function()
    local LONG = ("x"):rep(8190)
    for expected, query in pairs {
      ["a=1&b=-1"] = { b = -1, a = 1 }, ["a=false&b=true"] = { b = true, a = false },
      ["a=9007199254740991&b=-9007199254740991"] = { a = 2 ^ 53 - 1, b = 1 - 2 ^ 53 },
      ["a=" .. LONG] = { a = LONG }, ["xx" .. LONG] = "xx" .. LONG, ["a?b=%20"] = "a?b=%20",
      [""] = {}, ["%26="] = { ["&"] = "" },
    } do
      assert.equal(expected, target.of_path("/v1/a", query).query)
    end
    for i, row in ipairs {
      { TEXT, "xxx" .. LONG }, { "query must not exceed 8192 bytes", { ab = LONG } },
      { TEXT, "?a" }, { TEXT, "a b" }, { TEXT, false }, { VALUE, { a = 2 ^ 53 } },
      { VALUE, { a = -2 ^ 53 } },
      { VALUE, { a = 0.5 } }, { VALUE, { a = {} } }, { VALUE, { a = 0 / 0 } },
      { "query names must be strings", { "x" } }, { PATH, nil, "/v1/." }, { PATH, nil, "/v1/../a" },
      { PATH, nil, "/v1/./a" }, { PATH, nil, "/v1//" }, { PATH, nil, 7 }, { PATH, nil, "/v1" },
    } do
      local ok, message = pcall(target.of_path, row[3] or "/v1/a", row[2])
      assert.is_false(ok, i)
      assert.equal("client:get: " .. row[1], message:match "client:get: .*")
    end
  end)
end)

describe("options that are alike", function()
  local memo = require "bitfront.memo"

  it("are equal in so many levels of plain tables", function()
    local inner, object = {}, setmetatable({}, {})
    for i, row in ipairs {
      { true, 1, 1, 0 }, { false, 1, "1", 1 }, { false, {}, {}, 0 }, { true, {}, {}, 1 },
      { true, inner, inner, 0 }, { true, { a = 1, b = 2 }, { a = 1, b = 2 }, 1 },
      { false, { a = 1 }, { a = 1, b = 2 }, 1 }, { false, { a = 1, b = 2 }, { a = 1 }, 1 },
      { false, { a = 1 }, { a = 2 }, 1 }, { false, { a = {} }, { a = {} }, 1 },
      { true, { a = {} }, { a = {} }, 2 }, { true, { a = inner }, { a = inner }, 1 },
      { false, { a = { {} } }, { a = { {} } }, 2 }, { true, object, object, 1 },
      { false, object, {}, 1 }, { false, {}, object, 1 }, { false, {}, 1, 1 },
    } do
      assert.equal(row[1], memo.is_like(row[2], row[3], row[4]), i)
    end
  end)

  it("are copied in as many levels", function()
    local deep, object = { c = 1 }, setmetatable({}, {})
    local value = { a = { b = deep }, object = object, n = 1 }
    assert.equal(value, memo.copy_of(value, 0))
    local copy = memo.copy_of(value, 2)
    assert.same(value, copy)
    assert.are_not.equal(value, copy)
    assert.are_not.equal(value.a, copy.a)
    assert.equal(deep, copy.a.b)
    assert.equal(object, copy.object)
    assert.equal(value.a, memo.copy_of(value, 1).a)
  end)

  it("give the last values that were made from them, the oldest goes first", function()
    local made = memo.new(2, 1)
    for i = 1, 5 do
      made:add({ i = i }, "value " .. i)
      for j = 1, 5 do
        assert.equal((j == i or j == i - 1) and "value " .. j or nil, (made:find { i = j }))
      end
    end
    assert.is_nil((made:find({ i = 5 }, function(value) return value ~= "value 5" end)))
    assert.equal("value 5", made:find({ i = 5 }, function(value) return value == "value 5" end))
  end)
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

  it("shows no control characters of the server's", function()
    local faultd = support.faultd()
    local body = support.refusal(5000, '"a\\u001b[31m\\n\\u009bb\\u202ec\\u007f\\u0000"')
    local _, refusal, info = support.balances(faultd:url_body(body))
    faultd:stop()
    local shown = "a\\x1B[31m\\x0A\\x9Bb\\u{202E}c\\x7F\\x00"
    assert.equal(shown, refusal.message)
    assert.equal(shown, info.statusMessage)
    assert.equal("bitfront: server (5000): " .. shown, tostring(refusal))
  end)
end)

-- With libraries, a server and a store that are not there.
describe("the report of the doctor", function()
  local cjson, native = require "cjson", require "bitfront.native"
  local originals, open, client, account, maps, versions, closed
  before_each(function()
    originals, open, closed, maps = {}, io.open, 0, {}
    rawset(io, "open", function(path)
      assert.equal("/proc/self/maps", path)
      local i = 0
      return maps and {
        lines = function() return function() i = i + 1 return maps[i] end end,
        close = function() closed = closed + 1 end,
      }
    end)
    versions = {
      lua = { compiled = "Lua 5.9" }, ca_file = "/etc/ca.pem",
      curl = { compiled = "8.1", loaded = "8.2", ssl = "OpenSSL/3.0.1",
               file = "/lib/libcurl.so.4" },
      openssl = { compiled = "OpenSSL 3.0.0", loaded = "OpenSSL 3.0.1 x",
                  file = "/lib/libcrypto.so.3" },
    }
    for name, by in pairs { versions = function() return versions end,
                            now = function() return 1024 end,
                            check_openssl = function() return true end,
                            check_ca_file = function() return true end } do
      originals[name], native[name] = native[name], by
    end
    account = {
      options = { timeout = 8, rate_limit = {} }, origin = "a place", notes = { "a", "b", "c" },
      endpoint = { base_url = "https://a" },
      handle = { has_credentials = function() return true end,
                 is_closed = function() return false end },
      call = { waiter = {}, limit = { per_second = 3, per_minute = 60,
        store = { peek = function() return 1, 2, 0 end } } },
    }
    client = { _account = account, balances = function() return { {}, {} } end,
      server_time = function() return 1, nil, { elapsed = 0.25, clock_offset = 125 } end }
  end)
  after_each(function()
    rawset(io, "open", open)
    for name, original in pairs(originals) do native[name] = original end
  end)

  local function examine() return require "bitfront.doctor".examine(client) end

  it("has a line for each check, or several", function()
    local jit = rawget(_G, "jit")
    maps = { "7f /lib/libcrypto.so.3", "7f /lib/libcrypto.so.3", "7f /libcrypto/other", "7f" }
    assert.same({ [[
ok       bitfront     ]] .. require "bitfront.version" .. [[

ok       Lua          ]] .. (jit and jit.version or _VERSION) .. [[, module compiled for Lua 5.9
ok       libcurl      compiled with 8.1, loaded 8.2, TLS by OpenSSL/3.0.1
ok       OpenSSL      compiled with OpenSSL 3.0.0, loaded OpenSSL 3.0.1 x
ok       libraries    /lib/libcurl.so.4, /lib/libcrypto.so.3
ok       lua-cjson    ]] .. cjson._VERSION .. [[

ok       CA file      /etc/ca.pem
ok       base URL     https://a, the default
ok       credentials  found in a place
ok       sources      1. options: not given
ok       sources      2. BITFRONT_API_KEY, BITFRONT_API_SECRET, or these with _FILE: a
ok       sources      3. files in $CREDENTIALS_DIRECTORY: b
ok       sources      4. credentials file: c
ok       server       answers in 250 ms
ok       clock        this machine's and the server's are less than 126 ms apart
ok       account      answers with 2 records
ok       limits       1 of 3 calls in the last second, 2 of 60 in the last minute, ]]
      .. "as the store knows\n", true }, { examine() })
    assert.equal(1, closed)
  end)

  local TWO = "TROUBLE  libraries    there are two OpenSSLs: this module uses OpenSSL 3.0.1 x of "
  local function clock_of(offset, elapsed)
    return function()
      client.server_time = function()
        return 1, nil, { elapsed = elapsed or 0.25, clock_offset = offset }
      end
    end
  end
  local function error_of(kind, code, message)
    return { kind = kind, code = code, message = message }
  end

  -- What is changed, and the line of the report.
  for expected, change in pairs {
    [TWO .. "/lib/libcrypto.so.3, libcurl uses OpenSSL/3.0.1; loaded: /a/libcrypto.so.3, "
      .. "/b/libcrypto.so"] = function()
      maps = { "7f /a/libcrypto.so.3", "7f", "7f /b/libcrypto.so" }
    end,
    [TWO .. "?, libcurl uses OpenSSL/3.0.2; loaded: "] = function()
      versions.curl.ssl, versions.openssl.file, maps = "OpenSSL/3.0.2", nil, nil
    end,
    ["ok       libraries    ?, /lib/libcrypto.so.3"] = function() versions.curl.file = nil end,
    ["TROUBLE  OpenSSL      config (openssl): x"] = function()
      native.check_openssl = function() return nil, error_of("config", "openssl", "x") end
    end,
    ["TROUBLE  lua-cjson    not found; the format json and the sandbox need it"] = function()
      local preload = package.preload.cjson
      package.loaded.cjson, package.preload.cjson = nil, function() error "not there" end
      return function() package.loaded.cjson, package.preload.cjson = cjson, preload end
    end,
    ["ok       CA file      libcurl's own choice"] = function() versions.ca_file = nil end,
    ["ok       CA file      /my/ca.pem, from a variable"] = function()
      account.endpoint.ca_file, account.endpoint.ca_file_from = "/my/ca.pem", "a variable"
    end,
    ["TROUBLE  CA file      tls (ca_file): x /etc/ca.pem"] = function()
      native.check_ca_file = function(path) return nil, error_of("tls", "ca_file", "x " .. path) end
    end,
    ["ok       base URL     https://a, from a variable"] = function()
      account.endpoint.base_url_from = "a variable"
      account.err = error_of("config", "openssl", "x")
    end,
    ["TROUBLE  base URL     config (base_url): x"] = function()
      account.err = error_of("config", "base_url", "x")
    end,
    ["TROUBLE  credentials  config (missing_credentials): the credentials function returned nil "
      .. "and nil, not two strings"] = function() account.options.credentials = function() end end,
    ["ok       sources      1. options: used"] = function() account.has_own_credentials = true end,
    ["ok       sources      1. options: the profile is named"] = function()
      account.options.profile = "x"
    end,
    ["ok       sources      4. credentials file: not asked, since an earlier one is there"] =
      function() account.notes[3] = nil end,
    ["ok       server       answers in 2000 ms"] = clock_of(nil, 2),
    ["TROUBLE  server       network (refused): x"] = function()
      client.server_time = function() return nil, error_of("network", "refused", "x") end
    end,
    ["ok       clock        not compared, since the server did not tell its time"] =
      clock_of(nil),
    ["ok       clock        this machine's is 126 ms behind the server's, give or take 125"] =
      clock_of(126),
    ["ok       clock        this machine's is 1 ms behind the server's, give or take 0"] =
      clock_of(1, 0),
    ["ok       clock        this machine's is 1124 ms ahead of the server's, give or take 125"] =
      clock_of(-1124),
    ["TROUBLE  clock        this machine's is 1125 ms behind the server's, give or take 125"] =
      clock_of(1125),
    ["TROUBLE  account      auth (6001): x"] = function()
      client.balances = function() return nil, error_of("auth", 6001, "x") end
    end,
    ["ok       limits       not kept"] = function()
      account.options.rate_limit, account.call.limit = false, nil
    end,
    ["TROUBLE  limits       the store cannot be asked: x"] = function()
      account.call.limit.store.peek = function() return nil, "x" end
    end,
    ["ok       limits       1 of 3 calls in the last second, 2 of 60 in the last minute, as the "
      .. "store knows; the exchange says it is full"] = function()
      account.call.limit.store.peek = function() return 1, 2, 1 end
    end,
  } do
    it("says " .. expected:gsub(" +", " "), function()
      local undo = change()
      local report, healthy = examine()
      if undo then undo() end
      assert.truthy(("\n" .. report):find("\n" .. expected .. "\n", 1, true), report)
      assert.equal(not report:find "TROUBLE", healthy)
    end)
  end

  it("is made with credentials that are asked for once, and released", function()
    local released = 0
    account.origin, account.options.credentials = nil, function() return "k", "s" end
    account.handle.set_credentials = function() return true end
    account.handle.credentials = function()
      return { release = function() released = released + 1 end }
    end
    assert.truthy(examine():find("\nok       credentials  found in the credentials function\n", 1,
      true))
    assert.equal(1, released)
  end)

  it("is made within the time that a call has", function()
    local prepare, prepared = accounts.prepare, nil
    accounts.prepare = function(_, signed, _, deadline) prepared = { signed, deadline } end
    examine()
    accounts.prepare = prepare
    assert.same({ true, 1024 + 8 }, prepared)
  end)
end)

describe("an account", function()
  local bitfront = require "bitfront"
  local URL = "http://127.0.0.1:1"

  it("is told apart by its key, or by where keys come from, and by its exchange", function()
    local one = bitfront.new { api_key = "kkkk", api_secret = "s", base_url = URL }
    local asked = bitfront.new { credentials = print, base_url = URL }
    local account = accounts.of(one)
    assert.equal(account.handle:key_id() .. " " .. URL, accounts.id(account))
    assert.equal("by a function " .. URL, accounts.id(accounts.of(asked)))
    accounts.of(asked).origin = "x"
    assert.equal("by x " .. URL, accounts.id(accounts.of(asked)))
    account.err = { kind = "config", code = "x", message = "x" }
    assert.is_nil(accounts.id(account))
    asked:close()
    one:close()
    account.err = nil
    assert.is_nil(accounts.id(account))
    assert.is_nil(accounts.id(accounts.of(asked)))
  end)

  it("has its endpoint from the options, else from variables, else by default", function()
    local credentials = require "bitfront.credentials"
    local variable, CA, variables = credentials.variable, support.certs().ca, {}
    credentials.variable = function(name) return variables[name] end
    finally(function() credentials.variable = variable end)
    local function endpoint_of(options)
      local client = bitfront.new(options)
      client:close()
      return accounts.of(client).endpoint, accounts.of(client)
    end
    local DEFAULT = { base_url = "https://openapi.bitfront.me" }
    assert.same(DEFAULT, (endpoint_of {}))
    variables = { BITFRONT_BASE_URL = URL, BITFRONT_CA_FILE = CA }
    assert.same({ base_url = URL, base_url_from = "BITFRONT_BASE_URL", ca_file = CA,
                  ca_file_from = "BITFRONT_CA_FILE" }, (endpoint_of {}))
    assert.same({ base_url = "http://[::1]", base_url_from = "the option base_url",
                  ca_file = "/x", ca_file_from = "the option ca_file" },
      (endpoint_of { base_url = "http://[::1]", ca_file = "/x" }))
    variables = { BITFRONT_BASE_URL = "x" }
    local endpoint, account = endpoint_of { api_key = "k", api_secret = "s" }
    assert.same(DEFAULT, endpoint)
    assert.same({ "config", "base_url" }, { account.err.kind, account.err.code })
    assert.equal("the options api_key and api_secret", account.origin)
  end)

  it("is one of key and secret only where both are the same", function()
    local one = bitfront.new { api_key = "kkkk", api_secret = "ssss" }
    local other = bitfront.new {}
    for _, row in ipairs { { one, true, "kkkk", "ssss" }, { one, false, "kkkk", "sss" },
                           { one, false, "kkk", "ssss" }, { one, false, "kkkk" },
                           { one, false, nil, "ssss" }, { one, false }, { other, true },
                           { other, false, "kkkk" }, { other, false, nil, "ssss" } } do
      assert.equal(row[2], accounts.is_given(row[1], row[3], row[4]))
    end
    one:close()
    other:close()
  end)
end)
