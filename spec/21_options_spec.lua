local support = require "spec.support"

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

describe("bitfront.new", function()
  local bitfront = require "bitfront"

  local function complaint(options)
    local ok, message = pcall(function() bitfront.new(options) end)
    assert.is_false(ok)
    return message
  end

  describe("raises at the caller's line for", function()
    local ROWS = {
      { "no table", 7, "options must be a table, not a number" },
      { "an unknown option", { api_kye = "x" },
        'unknown option "api_kye"; did you mean "api_key"?' },
      { "an unknown option in capitals", { TIMEOUT = 1 },
        'unknown option "TIMEOUT"; did you mean "timeout"?' },
      { "an unknown option like no other", { colour = "red" },
        'unknown option "colour"' },
      { "a name that is no string", { "x" }, 'unknown option "1"' },
      { "a timeout of 0", { timeout = 0 }, "timeout must be a number of seconds" },
      { "a negative timeout", { timeout = -1 }, "timeout must be" },
      { "a timeout that is no number", { timeout = 0 / 0 }, "timeout must be" },
      { "a timeout over a day", { timeout = 86401 }, "timeout must be" },
      { "a timeout in a string", { timeout = "10" }, "timeout must be" },
      { "a connect_timeout of 0", { connect_timeout = 0 },
        "connect_timeout must be" },
      { "half a byte", { max_body = 1.5 }, "max_body must be" },
      { "no byte", { max_body = 0 }, "max_body must be" },
      { "amounts of another kind", { amounts = "double" },
        'amounts must be "number", "string" or "decimal"' },
      { "a fraction of a retry", { retries = 0.5 }, "retries must be" },
      { "fewer retries than none", { retries = -1 }, "retries must be" },
      { "limits that are on", { rate_limit = true }, "rate_limit must be" },
      { "a limit of 0", { rate_limit = { per_second = 0 } }, "rate_limit must be" },
      { "a limit that is no limit", { rate_limit = { per_second = 1e9 + 1 } },
        "whole numbers from 1 to 1000000000" },
      { "a negative limit", { rate_limit = { per_minute = -1 } },
        "rate_limit must be" },
      { "a limit that is no number", { rate_limit = { per_second = 0 / 0 } },
        "rate_limit must be" },
      { "half a call", { rate_limit = { per_minute = 1.5 } }, "rate_limit must be" },
      { "a limit in a string", { rate_limit = { per_minute = "60" } },
        "rate_limit must be" },
      { "a limit that does not exist", { rate_limit = { per_hour = 1 } },
        "rate_limit must be" },
      { "a store that is none", { rate_limit = { store = {} } },
        "rate_limit must be" },
      { "limits that are inherited", { rate_limit = setmetatable({}, {
        __index = { per_second = 1 } }) }, "a table that inherits nothing" },
      { "a clock that does not exist", { clock = "atomic" },
        'clock must be "auto", "system" or a whole number of ms' },
      { "a clock that is no number", { clock = 0 / 0 }, "clock must be" },
      { "a clock 32 years fast", { clock = 1e12 + 1 }, "clock must be" },
      { "the least integer as a clock", { clock = tonumber "-9223372036854775808" },
        "clock must be" },
      { "a sleep that cannot be called", { sleep = 1 }, "sleep must be a function" },
      { "an on_attempt that cannot be called", { on_attempt = {} },
        "on_attempt must be a function" },
      { "credentials that cannot be called", { credentials = "x" },
        "credentials must be a function" },
      { "a proxy that resolves names here", { proxy = "socks5://127.0.0.1" },
        "socks5h://" },
      { "a proxy of another kind", { proxy = "ftp://127.0.0.1" },
        "proxy must be an http://" },
      { "a user agent that never ends", { user_agent = ("x"):rep(5000) },
        "user_agent must be a string of 1 to 4096" },
      { "an empty ca_file", { ca_file = "" }, "ca_file must be" },
      { "a line end in the user agent", { user_agent = "a\r\nX: y" },
        "user_agent must be" },
      { "a key without a secret", { api_key = "k" },
        "api_secret is missing: api_key and api_secret go together" },
      { "a secret without a key", { api_secret = "s" }, "api_key is missing" },
      { "two sources of credentials",
        { api_key = "k", api_secret = "s", profile = "p" },
        "give either api_key or profile, not both" },
      { "an empty key", { api_key = "", api_secret = "s" }, "api_key must be" },
      { "an empty secret", { api_key = "k", api_secret = "" },
        "api_secret must be" },
      { "a key that is no string", { api_key = 1, api_secret = "s" },
        "api_key must be" },
      { "a secret that is no string", { api_key = "k", api_secret = {} },
        "api_secret must be" },
      { "a line end in the key", { api_key = "k\nX: y", api_secret = "s" },
        "api_key must be" },
      { "a NUL in the secret", { api_key = "k", api_secret = "s\0t" },
        "api_secret must be" },
    }

    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local message = complaint(row[2])
        assert.truthy(message:find(row[3], 1, true), message)
        assert.truthy(message:find("^[^\n]*21_options_spec%.lua:%d+: bitfront%.new: "), message)
      end)

      it(row[1] .. ", in bitfront.balances", function()
        local ok, message = pcall(function() bitfront.balances(row[2]) end)
        assert.is_false(ok)
        assert.truthy(message:find(row[3], 1, true), message)
        assert.truthy(message:find "^[^\n]*21_options_spec%.lua:%d+: bitfront%.balances: ", message)
      end)
    end
  end)

  describe("raises where it is called with a colon, as every other function does:", function()
    local FUNCTIONS = {
      "new", "balances", "balances_many", "redis_limiter", "shared_dict_limiter", "sign",
      "decimal", "filter", "nonzero", "find", "by_currency", "sort", "locked", "total",
      "value", "diff", "format", "prices", "profiles",
    }
    local are_tried = { _VERSION = true, null = true, json = true } -- 12_json has its functions

    for _, name in ipairs(FUNCTIONS) do
      are_tried[name] = true
      it("bitfront:" .. name, function()
        for _, argument in ipairs { false, "BTC", {} } do
          local ok, message = pcall(function() bitfront[name](bitfront, argument or nil) end)
          assert.is_false(ok)
          assert.truthy(message:find("^[^\n]*21_options_spec%.lua:%d+: call it with a dot: "
            .. "bitfront%." .. name .. "%(%.%.%.%)$"), message)
        end
      end)
    end

    it("all of them", function()
      for name in pairs(bitfront) do assert.is_true(are_tried[name], name) end
    end)
  end)

  it("raises for one argument too many, as every other function does", function()
    local records, client = {}, bitfront.new { api_key = "k", api_secret = "s" }
    client:close() -- so that what takes them does no harm
    local CALLS = {
      new = { {} }, balances = { {} }, balances_many = { {}, {} },
      redis_limiter = { { connect = print } }, shared_dict_limiter = { "x" },
      sign = { "s", 1, 1, "GET", "/", "", "" }, decimal = { "1.25" },
      filter = { records, {} }, nonzero = { records }, find = { records, "A" },
      by_currency = { records }, sort = { records, "balance", "desc" },
      locked = { { balance = 1, availableBalance = 1 } }, total = { { records } },
      prices = { client, "USDT", {}, {} }, profiles = {},
      value = { records, {} }, diff = { records, records }, format = { records, "csv", {} },
      ["client:balances"] = { client, {} }, ["client:balance"] = { client, "BTC", {} },
      ["client:server_time"] = { client, {} }, ["client:get"] = { client, "/v1/a", "", {} },
      ["client:close"] = { client },
    }
    for name, value in pairs(bitfront) do
      assert.is_truthy(CALLS[name] or type(value) ~= "function", name)
    end
    for name, arguments in pairs(CALLS) do
      local method = name:match "^client:(.*)"
      local called = method and client[method] or bitfront[name]
      arguments[#arguments + 1] = {}
      local ok, message = pcall(function() called(unpack(arguments)) end)
      assert.is_false(ok, name)
      assert.truthy(message:find "^[^\n]*21_options_spec%.lua:%d+: ", message)
      assert.truthy(message:find((method and name or "bitfront." .. name)
        .. ": too many arguments$"), message)
    end
  end)

  it("takes no second result of gsub for an argument, as decimal does not", function()
    assert.equal("1234.5", tostring(bitfront.decimal(("1,234.5"):gsub(",", ""))))
  end)

  it("never repeats a bad secret in its message", function()
    local message = complaint { api_key = "k", api_secret = "hunter2\n" }
    assert.is_nil(message:find("hunter2", 1, true))
  end)

  describe("raises for a base_url with", function()
    local ROWS = {
      { "no scheme", "openapi.bitfront.me", "base_url" },
      { "another scheme", "ftp://127.0.0.1", "must begin with https://" },
      { "a scheme that begins as https does", "httpsx://127.0.0.1", "must begin with https://" },
      { "an empty user", "https://@127.0.0.1", "user or password" },
      { "a user that looks like a host", "https://127.0.0.1@a", "user or password" },
      { "a backslash in its path", "https://a/b\\c", "is not a URL with a host" },
      { "no host", "https://", "base_url" },
      { "http to another machine", "http://openapi.bitfront.me",
        "http:// only for a loopback address" },
      { "http to a name that begins like loopback",
        "http://localhost.example.com", "only for a loopback address" },
      { "http to an address that ends like loopback", "http://10.127.0.0.1",
        "base_url" },
      { "http to any address", "http://0.0.0.0", "only for a loopback" },
      { "a user", "https://user@127.0.0.1", "user or password" },
      { "a password", "https://user:secret@127.0.0.1", "user or password" },
      { "a fragment", "https://127.0.0.1/#top", "fragment" },
      { "an empty fragment", "https://127.0.0.1/#", "fragment" },
      { "a query", "https://127.0.0.1/?a=b", "query" },
      { "a blank", "https://127.0.0.1/ x", "base_url" },
      { "a line end", "https://127.0.0.1/\r\nX-Y: z", "base_url" },
      { "a backslash", "https://127.0.0.1\\@example.com", "base_url" },
      { "a port that is none", "https://127.0.0.1:99999", "a port from 1 to 65535" },
      { "an escape in its path that is none", "https://a/p%zz", "two hexadecimal" },
    }

    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local message = complaint { base_url = row[2] }
        assert.truthy(message:find(row[3], 1, true), message)
        assert.is_nil(message:find("secret@", 1, true))
      end)
    end
  end)

  for _, url in ipairs {
    "https://openapi.bitfront.me", "https://openapi.bitfront.me/",
    "https://127.0.0.1:8443/prefix", "http://127.0.0.1:1", "http://127.8.9.1",
    "http://localhost:8080", "http://[::1]:80", "HTTPS://EXAMPLE.COM",
    "https://a_b.example.", "https://xn--bcher-kva.example", "https://3com.example/p%2Fq",
    "https://[0:0:0:0:0:0:0:1]:65535", "https://[::ffff:127.0.0.1]", "https://a/://b",
    "https://a.0xg", "https://a.xx1", "https://0a.x", "https://a.", "https://[2001:db8::]",
    "https://[1:2:3:4:5:6:255.255.255.255]/p", "http://[::1]/p", "https://a/~b",
    "https://" .. ("a"):rep(63) .. ".b", "https://" .. ("a."):rep(126) .. "a",
  } do
    it("takes " .. url, function()
      assert.has_no.errors(function()
        bitfront.new({ base_url = url }):close()
      end)
    end)
  end

  -- Each of them failed with every call before, as network trouble that may pass.
  local NOWHERE = {
    "e%aa", "%65xample.com", "a..b", ".a", "a..", ".", "-a", "a-.b", "a,b", "a;b", "*", "a'b",
    ("a"):rep(64) .. ".b", ("a."):rep(126) .. "aa", "1.2.3.4.5", "1.2.3", "127.1", "12",
    "256.1.1.1", "0x7f.1", "017.0.0.1", "1.2.3.4.", "[::1]x", "[]", "]", "[1.2.3.4]",
    "[::1", "::1", "[::1]:", "[::1]:0", "[::1]:65536", "[::1]80", "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[::12345]", "[::g]", "[::1.2.3.256]", "[[::1]]",
    "[::1%]", "[::1%25]", "[fe80::1%1]", "[fe80::1%25lo]", "[fe80::1%lo]",
    "0x50", "a.0X50", "a.0x", "a:0", "a:", "a:65536", "a:000443", "a\127b", "a:+1", "a:1x",
    "a::1", "/a",
    "a@b@c", "b\252cher.example",
  }
  for _, host in ipairs(NOWHERE) do
    it("refuses the host " .. host .. " of a base_url and of a proxy", function()
      assert.matches("bitfront%.new: base_url ", complaint { base_url = "https://" .. host })
      assert.matches("bitfront%.new: proxy ", complaint { proxy = "http://" .. host })
    end)
  end

  -- libcurl takes one slash to three for two: it would call another host than is read
  -- here, or than a reader sees.
  for _, rest in ipairs { ":/a", ":///a", ":/x://b", ":/xy://b", ":/x@y://b" } do
    it("refuses a base_url and a proxy with " .. rest .. " behind the scheme", function()
      assert.matches("bitfront%.new: base_url ", complaint { base_url = "https" .. rest })
      assert.matches("bitfront%.new: proxy ", complaint { proxy = "http" .. rest })
    end)
  end

  it("takes proxies with a password, and shows none of a wrong one", function()
    for _, url in ipairs { "http://user:100%@127.0.0.1:3128/", "socks5h://[::1]",
                           "https://user@proxy.example", "socks4a://a_b:1" } do
      bitfront.new({ proxy = url }):close()
    end
    local message = complaint { proxy = "http://user:hunter2@e%aa" }
    assert.is_nil(message:find("hunter2", 1, true))
  end)

  it("names the environment's base_url only where that is wrong", function()
    local out = support.lua([[
      print(pcall(require "bitfront".new, { proxy = "http://e%aa" }))
      print(select(2, require "bitfront".new():server_time()).message)
    ]], { env = { BITFRONT_BASE_URL = "https://e%aa" } })
    assert.matches("proxy must name its host", out:match "^[^\n]*", 1, true)
    assert.matches("\nBITFRONT_BASE_URL: base_url must name its host", out, 1, true)
  end)

  it("leaves the table it was given alone", function()
    local options = setmetatable({ api_key = "k", api_secret = "s" }, {
      __newindex = function() error "written to" end,
    })
    bitfront.new(options):close()
    assert.same({ api_key = "k", api_secret = "s" }, options)
  end)

  it("raises for options that inherit fields, as the other functions do", function()
    local client = bitfront.new { api_key = "k", api_secret = "s" }
    client:close()
    local function fields_of(options) return next, options end
    for _, meta in ipairs { { __index = { profile = "other" } }, { __pairs = fields_of },
                            { __metatable = "hidden" } } do
      local inheriting = setmetatable({}, meta)
      for _, call in ipairs {
        function() bitfront.new(inheriting) end,
        function() bitfront.balances(inheriting) end,
        function() client:balances(inheriting) end,
      } do
        local ok, message = pcall(call)
        assert.is_false(ok)
        assert.matches("21_options_spec.lua:%d+: .*: options must not inherit fields$", message)
      end
    end
  end)

  it("does not keep the secret where Lua could find it", function()
    local client = bitfront.new { api_key = "kkkk", api_secret = "ssss" }
    local function look(value, seen)
      assert.are_not.equal("ssss", value)
      if type(value) == "table" and not seen[value] then
        seen[value] = true
        for name, inner in pairs(value) do look(name, seen) look(inner, seen) end
      end
    end
    look(client, {})
    assert.is_nil(tostring(client):find("kkkk", 1, true))
    client:close()
  end)

  it("takes an empty variable for none", function()
    local out = support.lua([[
      local client = require "bitfront".new()
      print(tostring(client), select(2, client:balances()).code)
    ]], { env = { BITFRONT_BASE_URL = "", BITFRONT_CA_FILE = "",
      BITFRONT_API_KEY = "", BITFRONT_API_SECRET = "", BITFRONT_PROFILE = "",
      HOME = false, XDG_CONFIG_HOME = false } })
    assert.equal("bitfront.client (https://openapi.bitfront.me)\t"
      .. "missing_credentials\n", out)
  end)

  it("takes what the environment says, and an error in it is no misuse",
    function()
      local code = [[
        local bitfront = require "bitfront"
        local client = bitfront.new()
        print(select(2, client:server_time()).kind)
        print(select(2, client:balances()).code)
        print(select(2, bitfront.balances()).message)
        client:close()
      ]]
      local out = support.lua(code, {
        env = { BITFRONT_BASE_URL = "http://example.com" },
      })
      assert.equal("config\nbase_url\nBITFRONT_BASE_URL: base_url may be "
        .. "http:// only for a loopback address; use https://\n", out)
    end)
end)

it("the options that are not given have their defaults", function()
  local options = require "bitfront.options"
  assert.same({ timeout = 10, connect_timeout = 3, retries = 2, clock = "auto",
    amounts = "number", max_body = 1048576, user_agent = "bitfront-lua/"
      .. require "bitfront.version", rate_limit = { per_second = 3, per_minute = 60,
                                                    public_per_second = 3 } },
    options.of_client "bitfront.new")
  assert.is_false(options.of_client("bitfront.new", { rate_limit = false }).rate_limit)
  assert.same({ concurrency = 8 }, options.of "bitfront.balances_many")
  assert.same({ amounts = "number" }, options.of "bitfront.json.decode")
  assert.same({ connect = print, name = "bitfront:limiter" },
    options.of("bitfront.redis_limiter", { connect = print }))
end)

describe("the bounds of an option:", function()
  local options = require "bitfront.options".rows
  local rules = require "bitfront.sandbox.rules"
  local site = require "bitfront.nginx.site_options".rows
  local scripted = require "bitfront.sandbox.scripted".fields

  -- Whose options, the option, what is just inside, what is just outside.
  local DAY = { 5e-324, 0.001, 86400 }
  local NO_DAY = { 0, -5e-324, 86400 + 2 ^ -36, 1 / 0, 0 / 0, "1" }
  local TEXT = { "x", " ", "~", ("x"):rep(4095), ("x"):rep(4096) }
  local NO_TEXT = { "", "\31", "\127", "a\0", ("x"):rep(4097), 1 }
  local HOUR, NO_HOUR = { 0, 3600000 }, { -1, 0.5, 3600001 }
  local CALLABLE = { print, setmetatable({}, { __call = print }) }
  local NOT_CALLABLE = { "x", {}, setmetatable({}, {}), setmetatable({}, { __metatable = "x" }) }
  local new = options["bitfront.new"]
  local ROWS = {
    { new, "credentials", CALLABLE, NOT_CALLABLE }, { new, "sleep", CALLABLE, NOT_CALLABLE },
    { options.rate_limit, "store", { { acquire = 1, release = 1, block = 1 } },
      { 1, "x", { acquire = 1, release = 1 }, { acquire = 1, block = 1 },
        { release = 1, block = 1 } } },
    { new, "timeout", DAY, NO_DAY }, { new, "connect_timeout", DAY, NO_DAY },
    { new, "retries", { 0, 1, 10 }, { -1, 0.5, 11, 0 / 0 } },
    { new, "max_body", { 1, 2 ^ 30 - 1, 2 ^ 30 }, { 0, 1.5, 2 ^ 30 + 1, 1 / 0 } },
    { new, "clock", { -1e12, 0, 1, 1e12, "auto", "system" },
      { -1e12 - 1, 1e12 + 1, 0.5, 1 / 0, "none" } },
    { new, "profile", { "x", " ", "\128", ("x"):rep(4096) },
      { "", "\0", "\1", "\31", "\127", ("x"):rep(4097) } },
    { new, "ca_file", { "x", "\1", ("x"):rep(5000) }, { "", "a\0", 1 } },
    { new, "proxy", { "http://x", "https://x", "socks5h://x", "socks4a://x",
      "http://" .. ("x"):rep(4089) }, { "", "xhttp://x", "http:/x", "httpss://x", "socks5://x",
      "socks4://x", "http://" .. ("x"):rep(4090) } },
    { new, "rate_limit", { false, {}, { per_second = 1, per_minute = 1 },
      { per_second = 1e9, per_minute = 1e9 }, { public_per_second = 1 } },
      { true, { public_per_second = 0 }, { per_second = 0 }, { per_minute = 0 },
      { per_second = 1e9 + 1 }, { per_minute = 1e9 + 1 }, { per_second = 1.5 } } },
    { options["client:balances"], "timeout", DAY, NO_DAY },
    { options["client:balances"], "retries", { 0, 10 }, { -1, 11, 0.5 } },
    { options["bitfront.prices"], "timeout", DAY, NO_DAY },
    { options["bitfront.prices"], "retries", { 0, 10 }, { -1, 11, 0.5 } },
    { options["bitfront.balances_many"], "timeout", DAY, NO_DAY },
    { options["bitfront.balances_many"], "concurrency", { 1, 10000 }, { 0, 1.5, 10001 } },
    { options["bitfront.redis_limiter"], "name", TEXT, NO_TEXT },
    { require "bitfront.records.format".options, "places", { 0, 1, 400 }, { -1, 0.5, 401 } },
    { site["bitfront.nginx.cached"], "ttl", { 0.1, 2, 86400 },
      { 0, 0.1 - 2 ^ -56, 86400 + 2 ^ -36, 0 / 0 } },
    { site["bitfront.nginx.cached"], "stale", { 0, 86400 }, { -5e-324, 86400 + 2 ^ -36, 0 / 0 } },
    { site["bitfront.nginx.cached"], "dict", { "a", "Z_.-09" }, { "", "a b", "\195\164", "a/" } },
    { site["bitfront.nginx.cached"], "name", { "a", "Z_.-09" }, { "", "a b", "\195\164", "a:" } },
    { require "bitfront.sandbox".options, "port", { 0, 1, 65535 }, { -1, 0.5, 65536 } },
    { rules.settings, "clock_offset_ms", { -2 ^ 53, 2 ^ 53 }, { 0.5, -2 ^ 53 - 2, 2 ^ 53 + 2 } },
    { rules.settings, "latency_ms", HOUR, NO_HOUR }, { rules.settings, "jitter_ms", HOUR, NO_HOUR },
    { scripted, "latency_ms", HOUR, NO_HOUR },
    { scripted, "statusCode", { 0, 999999999 }, { -1, 0.5, 1000000000 } },
    { scripted, "http_status", { 200, 599 }, { 199, 200.5, 600 } },
    { scripted, "times", { 1, 1000000 }, { 0, 1.5, 1000001 } },
  }
  for _, name in ipairs { "api_key", "api_secret", "base_url", "user_agent" } do
    ROWS[#ROWS + 1] = { new, name, TEXT, NO_TEXT }
  end

  local tried = {}
  for number, row in ipairs(ROWS) do
    local rows, name = row[1], row[2]
    tried[rows[name]] = true
    it(("%s, row %d"):format(name, number), function()
      for i, inside in ipairs(row[3]) do assert.truthy((rows[name].check(inside)), i) end
      for i, outside in ipairs(row[4]) do assert.falsy((rows[name].check(outside)), i) end
    end)
  end

  it("all that are numbers are tried", function()
    for _, all in ipairs { options, site, { rules.settings, scripted } } do
      for _, rows in pairs(all) do
        for name, row in pairs(rows) do
          local _, expected = row.check(0 / 0)
          local text = tostring(expected)
          local is_number = text:find "a number" or text:find "whole number"
          assert.is_true(tried[row] or not is_number or rows == options.rate_limit, name)
        end
      end
    end
  end)
end)
