-- The content handler: formats, parameters, headers, errors.

local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local support = require "spec.support"

describe("bitfront.nginx.serve #once #apart", function()
  local exchange, site

  local function location(name, options)
    return ([[
      location = /%s {
        content_by_lua_block { require("bitfront.nginx").serve { %s }() }
      }]]):format(name, options)
  end

  -- A location whose cache asks another server, or with other credentials.
  local function asking(name, options)
    local words = {}
    for key, value in pairs(options) do
      words[#words + 1] = ("%s = %s"):format(key,
        type(value) == "string" and ("%q"):format(value) or tostring(value))
    end
    return location(name, ("name = %q, options = { %s }"):format(name,
      table.concat(words, ", ")))
  end

  -- A server of its own name; the one of "_" has all other names.
  local function named(name)
    return ([[
      server {
        listen unix:named%s;
        server_name %s;
        %s
      }]]):format(name == "_" and " default_server" or "", name,
      location("balances", "ttl = 60"))
  end

  lazy_setup(function()
    exchange = support.sandbox()
    exchange:set { limits = false }
    site = nginx.start {
      env = { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
              BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file },
      http = "lua_shared_dict bitfront 1m; set_real_ip_from 127.0.0.1; real_ip_header X-From;"
        .. "set_real_ip_from unix:;"
        .. named "Mine.example" .. named "*.wild.example" .. named ".dotted.example"
        .. named "~^regex\\.example$" .. named "_",
      server = location("balances", "ttl = 60")
        .. location("metrics", 'ttl = 60, format = "prometheus"')
        .. location("valued", [[ttl = 60, title = "Mine", unit = "USD",
             prices = { BTC = "65000.5", ETH = 2 }]])
        .. location("numbers", 'ttl = 60, amounts = "number"')
        .. location("only", 'ttl = 60, format = "html", amounts = "number"')
        .. location("public", "ttl = 60, allow_public = true")
        .. location("hosted",
             'ttl = 60, hosts = { "Balances.example.com", "nginx", "old.example." }')
        .. location("short", 'name = "short", ttl = 1, stale = 60')
        .. location("broken", "ttl = 60, prices = function() error 'no prices' end")
        .. asking("key", { api_key = "none", api_secret = "none" })
        .. asking("closed", { base_url = "https://127.0.0.1:" .. support.free_port() })
        .. asking("untrusted", { ca_file = support.certs().ca })
        .. asking("unread", { ca_file = "/nonexistent/ca.pem" })
        .. asking("scripted", { timeout = 2, rate_limit = false })
        .. [[
      location = /huge { content_by_lua_block {
        huge = huge or { balances = function()
          return { { currency = "A", balance = "1e350", availableBalance = "1e350" },
                   { currency = "B", balance = "2", availableBalance = "1" } }
        end }
        require("bitfront.nginx").serve { name = "huge", client = huge }()
      } }
      location = /odd { content_by_lua_block {
        odd = odd or { balances = function()
          local records = {}
          for i, code in ipairs { "AAVE.F", "btc", "$PAC", "A,B", "<b>" } do
            records[i] = { currency = code, balance = "1", availableBalance = "1" }
          end
          return records
        end }
        require("bitfront.nginx").serve { name = "odd", client = odd }()
      } }
      location = /counted { content_by_lua_block {
        counted = counted or require("bitfront.nginx").serve { ttl = 60, prices = function()
          ngx.shared.bitfront:incr("asked", 1, 0)
          return {}
        end }
        counted()
      } }
      location = /asked { content_by_lua_block { ngx.print(ngx.shared.bitfront:get "asked") } }
      location = /hoisted { content_by_lua_block { require("handlers").one() } }
      location = /made {
        content_by_lua_block {
          local serve = require("bitfront.nginx").serve
          ngx.print(tostring(serve { ttl = 60 } == serve { ttl = 60 }))
          local options = loadstring("return " .. ngx.unescape_uri(ngx.var.args))()
          local made, message = pcall(function() return serve(options) end)
          ngx.say(" ", tostring(message))
        }
      }]],
    }
  end)
  lazy_teardown(function()
    site:stop()
    exchange:stop()
  end)

  -- RFC 9457, 4.2.1: the title of about:blank is the status's phrase.
  local TITLES = {
    [400] = "Bad Request", [403] = "Forbidden", [405] = "Method Not Allowed",
    [406] = "Not Acceptable", [421] = "Misdirected Request", [500] = "Internal Server Error",
    [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
  }

  local function is_problem(reply, status, kind)
    assert.equal(status, reply.status)
    assert.equal("application/problem+json", reply.headers["content-type"])
    assert.equal("no-store", reply.headers["cache-control"])
    assert.equal("nosniff", reply.headers["x-content-type-options"])
    local problem = cjson.decode(reply.body)
    assert.same({ status, kind, "about:blank", TITLES[status] },
      { problem.status, problem.kind, problem.type, problem.title })
    assert.is_string(problem.detail)
    return problem
  end

  -- ---- formats ----

  it("answers JSON with every digit, as strings", function()
    local reply = site:get "/balances"
    assert.same({ 200, "application/json" }, { reply.status, reply.headers["content-type"] })
    assert.same({ currency = "BTC", balance = "3999974992.35615",
                  availableBalance = "3999970806.72614", locked = "4185.63001",
                  available_percent = 99.9 }, cjson.decode(reply.body).balances[4])
    assert.is_nil(cjson.decode(reply.body).total)
  end)

  it("answers in each format where no file can be opened any more", function()
    local host = nginx.start {
      http = [[
        lua_shared_dict bitfront 1m;
        init_by_lua_block {
          require "bitfront.nginx.serve"
          local serve = require("bitfront.nginx").serve
          local client = { balances = function()
            return { { currency = "A", balance = "2", availableBalance = "1" } }
          end }
          function answer() return serve { client = client }() end
        }
        init_worker_by_lua_block { package.loaders = {} }]],
      server = "location = /balances { content_by_lua_block { answer() } }",
    }
    finally(function() host:stop() end)
    for _, format in ipairs { "json", "csv", "html", "prometheus" } do
      local body, status = host:body("/balances?format=" .. format)
      assert.equal(200, status, body)
    end
  end)

  it("answers JSON with amounts as numbers where that is asked for", function()
    local body = site:get "/numbers".body
    assert.truthy(body:find('"balance":1000107794.9999858,', 1, true), body)
  end)

  it("has every digit in the page, whatever JSON has", function()
    for _, path in ipairs { "/only", "/numbers?format=html" } do
      local reply = site:get(path)
      assert.equal("text/html; charset=utf-8", reply.headers["content-type"])
      assert.matches('<span class="fraction">.9999858</span>', reply.body, 1, true)
    end
    is_problem(site:get "/only?format=json", 400, "parameter")
    is_problem(site:get "/balances?format=json&for=page", 400, "parameter")
  end)

  it("answers JSON where there is more of a coin than a double holds", function()
    local data = cjson.decode(site:get("/huge").body)
    assert.equal(cjson.null, data.balances[1].available_percent)
    assert.equal(50, data.balances[2].available_percent)
  end)

  it("says what it is worth where there are prices", function()
    local data = cjson.decode(site:get "/valued".body)
    assert.same({ "65000.5", "260000374490645.928075" },
                { data.balances[4].price, data.balances[4].value })
    assert.is_nil(data.balances[1].value)
    assert.same({ "260002374706235.9280466", "USD", { "BCH", "XRP", "USDT" } },
                { data.total:sub(1, 23), data.unit, data.missing })
  end)

  it("answers CSV", function()
    local reply = site:get("/balances", { Accept = "text/csv" })
    assert.matches("^text/csv", reply.headers["content-type"])
    assert.matches("^currency,balance,availableBalance,locked\r\nBCH,1000000000,1000000000,0\r\n",
                   reply.body)
    assert.matches("\r\nXRP,1000003043.7,1000002063.7,980.0,,\r\n",
                   site:get "/valued?format=csv".body, 1, true)
  end)

  it("answers the page", function()
    local reply = site:get("/balances", { Accept = "text/html" })
    assert.equal("text/html; charset=utf-8", reply.headers["content-type"])
    assert.matches("^<!DOCTYPE html>", reply.body)
  end)

  for _, case in ipairs {
    { "*/*", "application/json" },
    { "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html" },
    { "text/html;q=0.5, text/csv;q=0.6", "text/csv" },
    { "text/*", "text/html" },
    { "application/json;q=0, */*;q=0.1", "text/html" },
    { "application/json;q=0.1, text/*;q=0.2, text/html;q=0", "text/csv" },
    { "TEXT/CSV", "text/csv" },
    { "text/plain", "text/plain" },
    { "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain" },
    { "application/openmetrics-text;version=1.0.0,text/plain;version=1.0.0;q=0.6,"
      .. "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain" },
    { "text/plain;version=1.0.0,application/json;q=0.1", "application/json" },
    { "text/csv;q=1.5,application/json;q=0.2", "application/json" },
    { 'text/csv;x="a,b;q=0",text/html;q=0.1', "text/html" },
    { "nonsense", "application/json" },
    { "text/csv;q=1,application/json;q=0.999", "text/csv" },
    { "text/csv;q=1.000,application/json;q=0.999", "text/csv" },
    { "text/csv;q=1.001,application/json;q=0.001", "application/json" },
    { "text/csv;q=1.0000,application/json;q=0.001", "application/json" },
    { 'text/csv ; q = "0.9" , text/html;q=0.8', "text/csv" },
    { 'text/plain;version="0.0.4"', "text/plain" },
    { 'text/csv;version="a"b,text/html;q=0.1', "text/csv" },
    { 'text/csv;version="a,text/html;q=0.1', "text/csv" },
    { "text/csv,text/html;q=1", "text/html" },
    { "text/csv;q=0.5;level=1", "text/csv" },
    { "*/*;q=0.1,text/*;q=0.2", "text/html" },
    { "text/plain;q=0,text/plain;version=0.0.4", "text/plain" },
    { "text/html;charset=iso-8859-1", "text/html" },
  } do
    it("answers " .. case[2] .. " where Accept is " .. case[1], function()
      local reply = site:get("/balances", { Accept = case[1] })
      assert.equal(200, reply.status)
      assert.equal(case[2], reply.headers["content-type"]:match "^[^;]*")
      assert.equal("Accept", reply.headers["vary"])
    end)
  end

  local function cpu_ns()
    return tonumber(support.read(("/proc/%d/schedstat"):format(site:workers()[1])):match "%d+")
  end

  -- The first of them took 17 s of the worker's time, others the square of their
  -- length.
  it("reads hostile headers in a time that grows as they do", function()
    local blanks, reply = (" "):rep(1600), site:get "/balances"
    local before = cpu_ns()
    for _, value in ipairs {
      "a/b;x=" .. blanks .. '"a"b', "a/b" .. blanks .. "x",
      "a/b;x" .. blanks .. "=" .. blanks .. "q",
      "a/b;q=" .. blanks .. "1" .. blanks .. "x", ("x/y;a=b,"):rep(800), (";"):rep(7000),
      (","):rep(7000), ('"'):rep(7001), ("a/"):rep(3500), "x" .. (" "):rep(7000) .. "x",
      'W/"' .. ("a"):rep(7000), "text/html" .. (" "):rep(5000) .. ";",
    } do
      local got = site:get("/balances", { Accept = value, ["If-None-Match"] = value })
      assert.truthy(got.status == 406 or got.headers.etag == reply.headers.etag)
    end
    assert.truthy(cpu_ns() - before < 2e9)
  end)

  it("reads a header of a usual length to its end", function()
    local padding = ("a/b;c=d, "):rep(400)
    assert.equal("text/csv; charset=utf-8; header=present",
      site:get("/balances", { Accept = padding .. "text/csv" }).headers["content-type"])
    local known = ('"x", '):rep(600) .. site:get "/balances".headers.etag
    assert.equal(304, site:get("/balances", { ["If-None-Match"] = known }).status)
  end)

  it("gives what the address asks for, whatever is accepted", function()
    for format, kind in pairs { json = "application/json", csv = "text/csv",
                                html = "text/html", prometheus = "text/plain" } do
      local reply = site:get("/balances?format=" .. format, { Accept = "image/png" })
      assert.equal(kind, reply.headers["content-type"]:match "^[^;]*")
    end
  end)

  it("answers 406 where Accept has none of its formats", function()
    for _, accept in ipairs { "image/png", "application/json;q=0", "*/*;q=0" } do
      is_problem(site:get("/balances", { Accept = accept }), 406, "accept")
    end
  end)

  -- ---- parameters ----

  local function codes(query)
    local found, reply = {}, site:get("/valued?" .. query)
    assert.equal(200, reply.status, reply.body)
    for _, record in ipairs(cjson.decode(reply.body).balances) do
      found[#found + 1] = record.currency
    end
    return table.concat(found, " ")
  end

  for query, expected in pairs {
    ["currency=BTC,ETH"] = "ETH BTC",
    ["currency=BTC%2CETH"] = "ETH BTC",
    ["currency=NONE"] = "",
    ["nonzero"] = "BCH XRP ETH BTC USDT",
    ["locked=1"] = "XRP BTC USDT",
    ["locked=0"] = "BCH XRP ETH BTC USDT",
    ["locked=false"] = "BCH XRP ETH BTC USDT",
    ["%63urrency=BTC"] = "BTC",
    ["min=1000003043.7"] = "XRP ETH BTC",
    ["min=1000003043.70000000000000001"] = "ETH BTC",
    ["sort=currency"] = "BCH BTC ETH USDT XRP",
    ["sort=balance&desc"] = "BTC ETH XRP BCH USDT",
    ["sort=-locked&locked"] = "BTC USDT XRP",
    ["sort=value&desc=true"] = "BTC ETH BCH XRP USDT",
    ["sort=value"] = "ETH BTC BCH XRP USDT",
  } do
    it("?" .. query .. " picks and sorts", function()
      assert.equal(expected, codes(query))
    end)
  end

  it("gives coins by any code that it shows", function()
    for query, expected in pairs {
      ["AAVE.F"] = { "AAVE.F" }, btc = { "btc" }, ["$PAC,btc"] = { "btc", "$PAC" },
      ["A%5C,B"] = { "A,B" }, ["A,B"] = {}, ["%3Cb%3E"] = { "<b>" }, ["%0A"] = {},
      [("A"):rep(65)] = {},
    } do
      local reply = site:get("/odd?currency=" .. query)
      assert.equal(200, reply.status, query)
      local found = {}
      for i, record in ipairs(cjson.decode(reply.body).balances) do
        found[i] = record.currency
      end
      assert.same(expected, found)
      assert.equal(200, site:get("/odd?format=html&currency=" .. query).status)
    end
  end)

  it("answers 400 to parameters that will not do", function()
    for _, query in ipairs {
      "curency=BTC", "currency=", "currency=A,,B", "min=", "min=1e999", "min=abc",
      "sort=-balance&desc", "sort=-balance&desc=0",
      "nonzero=yes", "sort=name", "sort=", "desc", "sort=currency&desc=maybe",
      "format=xml", "format=json&format=csv", "currency=%00", "%ff=1",
    } do
      is_problem(site:get("/balances?" .. query), 400, "parameter")
    end
    is_problem(site:get "/balances?sort=value", 400, "parameter")
    is_problem(site:get "/metrics?format=json", 400, "parameter")
    for query, detail in pairs {
      x = "Parameters are format, currency, nonzero, locked, min, sort and desc.",
      ["format=xml"] = "format must be json, html, csv or prometheus.",
      ["min=1&min=1"] = "min is there twice.",
    } do
      assert.equal(detail, is_problem(site:get("/balances?" .. query), 400, "parameter").detail)
    end
  end)

  it("repeats nothing of what was sent in a 400", function()
    local reply = site:get "/balances?%3Cscript%3Ealert(1)%3C/script%3E=1"
    assert.is_nil(reply.body:find "script")
  end)

  -- ---- headers ----

  it("tells for how long an answer is good, and how old it is", function()
    site:get "/short"
    support.sleep(0.1)
    local headers = site:get "/short".headers
    assert.equal("private, max-age=1", headers["cache-control"])
    assert.equal("0", headers.age)
    site:get "/balances"
    support.sleep(1.1)
    headers = site:get "/balances".headers
    assert.equal("private, max-age=60", headers["cache-control"]) -- of which age is gone
    assert.truthy(tonumber(headers.age) >= 1 and tonumber(headers.age) < 60)
    assert.is_nil(headers["bitfront-freshness"])
    assert.is_nil(headers.warning)
  end)

  it("keeps referrers, other types and other sites away", function()
    local headers = site:get("/balances", { Accept = "text/html" }).headers
    assert.equal("nosniff", headers["x-content-type-options"])
    assert.equal("no-referrer", headers["referrer-policy"])
    local policy = headers["content-security-policy"]
    for _, words in ipairs { "default-src 'none'", "connect-src 'self'", "base-uri 'none'",
                             "form-action 'self'", "frame-ancestors 'none'" } do
      assert.truthy(policy:find(words, 1, true), words)
    end
    assert.is_nil(policy:find "unsafe")
  end)

  it("answers 304 where the client has the answer", function()
    local reply = site:get "/balances"
    local etag = reply.headers.etag
    assert.matches('^"%x+"$', etag)
    for _, known in ipairs { etag, "W/" .. etag, '"other", ' .. etag, "*" } do
      local again = site:get("/balances", { ["If-None-Match"] = known })
      assert.same({ 304, "" }, { again.status, again.body })
      assert.equal(etag, again.headers.etag)
      assert.equal("Accept", again.headers.vary)
      assert.truthy(again.headers["cache-control"])
    end
    assert.equal(200, site:get("/balances", { ["If-None-Match"] = '"other"' }).status)
    assert.not_equal(etag, site:get "/balances?format=csv".headers.etag)
    assert.not_equal(etag, site:get "/balances?locked".headers.etag)
  end)

  it("answers HEAD as GET, without the body", function()
    for _, path in ipairs { "/balances", "/balances?format=html", "/balances?bad" } do
      local get, head = site:get(path), site:head(path)
      assert.equal(get.status, head.status)
      assert.equal("", head.body)
      for _, name in ipairs { "content-type", "content-length", "etag", "vary" } do
        assert.equal(get.headers[name], head.headers[name])
      end
      assert.equal(tostring(#get.body), head.headers["content-length"])
    end
  end)

  it("answers 405 to other methods", function()
    for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS", "PATCH" } do
      local reply = site:get("/balances", nil, "-X " .. method .. " -d x=1")
      is_problem(reply, 405, "method")
      assert.equal("GET, HEAD", reply.headers.allow)
    end
  end)

  it("keeps the answers to the last 64 queries that differ", function()
    local function asked_after(...)
      for _, query in ipairs { ... } do site:body("/counted" .. query) end
      return site:get "/asked".body
    end
    assert.equal("64", asked_after("", "?min=[1-63]", ""))
    assert.equal("66", asked_after("?min=64", ""))
    assert.equal("128", asked_after("?min=[65-126]", ""))
  end)

  -- ---- who may ask ----

  for address, is_near in pairs {
    ["127.0.0.1"] = true, ["127.255.0.9"] = true, ["10.1.2.3"] = true,
    ["172.16.0.1"] = true, ["172.31.255.255"] = true, ["192.168.7.7"] = true,
    ["169.254.1.1"] = true, ["::1"] = true, ["fd12:3456::1"] = true, ["fc00::1"] = true,
    ["fe80::1"] = true, ["febf::1"] = true, ["::ffff:10.0.0.1"] = true,
    ["172.15.0.1"] = false, ["172.32.0.1"] = false, ["192.169.0.1"] = false,
    ["11.0.0.1"] = false, ["8.8.8.8"] = false, ["100.64.0.1"] = false,
    ["2001:db8::1"] = false, ["fec0::1"] = false, ["::ffff:8.8.8.8"] = false,
    ["::"] = false, ["0.0.0.0"] = false, ["fe::1"] = false, ["fc::1"] = false,
  } do
    it((is_near and "answers " or "refuses ") .. address, function()
      local reply = site:get("/balances", { ["X-From"] = address })
      if is_near then
        assert.equal(200, reply.status)
      else
        is_problem(reply, 403, "address")
        assert.is_nil(reply.body:find "BTC")
        assert.equal(200, site:get("/public", { ["X-From"] = address }).status)
      end
    end)
  end

  -- DNS rebinding: the browser of somebody near asks for a foreign site, whose name
  -- leads to this machine.
  for _, host in ipairs {
    "evil.example", "EVIL.EXAMPLE:80", "evil.example.", "localhost.evil.example",
    "127.0.0.1.evil.example", "xlocalhost", "127.0.0.1x", "1.2.3", "1.2.3.4.5", "_",
    "balances.example.com", "nginx", "0x7f.1", "localhost..",
  } do
    it("refuses a request for the host " .. host, function()
      local headers = { Host = host }
      for _, path in ipairs { "/balances", "/balances?format=html", "/balances?format=csv",
                              "/balances?bad", "/metrics", "/public", "/closed" } do
        local reply = site:get(path, headers)
        if reply.status ~= 400 or reply.headers["content-type"] ~= "text/html" then
          is_problem(reply, 421, "host") -- else nginx itself does not take the name
        end
        assert.is_nil(reply.body:find("BTC", 1, true))
        assert.is_nil(reply.body:find("bitfront_", 1, true))
      end
      for _, method in ipairs { "POST", "OPTIONS", "DELETE" } do
        local reply = site:get("/balances", headers, "-X " .. method)
        assert.truthy(reply.status == 421 or reply.status == 400)
        assert.is_nil(reply.headers["access-control-allow-origin"])
      end
    end)
  end

  for _, host in ipairs {
    "localhost", "LocalHost:8080", "app.localhost", "127.0.0.1", "192.168.1.9:81", "[::1]",
    "[::1]:8080", "[2001:db8::1]:1", "localhost.", "10.0.0.1.",
  } do
    it("answers a request for the host " .. host, function()
      assert.equal(200, site:get("/balances", { Host = host }).status)
    end)
  end

  it("answers to the names of the option hosts, and to no other", function()
    for host, status in pairs {
      ["balances.example.com"] = 200, ["BALANCES.example.com:8080"] = 200, nginx = 200,
      ["nginx:80"] = 200, ["balances.example.com."] = 200, ["old.example"] = 200,
      ["x.balances.example.com"] = 421, ["example.com"] = 421, ["nginx.evil.example"] = 421,
    } do
      assert.equal(status, site:get("/hosted", { Host = host }).status, host)
    end
  end)

  it("answers to the first server_name, where it is a name", function()
    for host, status in pairs {
      ["mine.example"] = 200, ["Mine.Example:80"] = 200, ["a.wild.example"] = 200,
      ["b.dotted.example"] = 421, ["dotted.example"] = 200, ["wild.example"] = 421,
      ["evil.example"] = 421, ["x.mine.example"] = 421, ["awild.example"] = 421,
      ["regex.example"] = 421,
    } do
      local reply = site:get("/balances", { Host = host }, "--unix-socket "
        .. site.dir .. "/named")
      assert.equal(status, reply.status, host)
    end
  end)

  it("goes by the name in the first line, where there is one", function()
    for host, status in pairs { ["evil.example"] = 421, ["localhost:80"] = 200 } do
      local reply = site:get("/balances", { Host = "127.0.0.1" },
        "--request-target http://" .. host .. "/balances")
      assert.equal(status, reply.status)
    end
  end)

  it("answers a request without a host, which no browser sends", function()
    assert.equal(200, site:get("/balances", nil, "-0 -H Host:").status)
    assert.equal(200, site:get("/balances", nil, "-0 -H Host: --unix-socket "
      .. site.dir .. "/named").status)
    assert.equal(421, site:get("/balances", nil, "-0 -H Host: --request-target "
      .. "http://evil.example/balances").status)
  end)

  it("answers a unix socket", function()
    assert.equal(200, site:get("/balances", nil, "--unix-socket " .. site.dir .. "/socket").status)
  end)

  -- ---- errors ----

  -- The cache of a location forgets an error after its ttl.
  local function after_failing(step)
    support.sleep(2.1)
    exchange:script(step)
    return site:get "/scripted"
  end

  it("has a status for each kind of error", function()
    is_problem(site:get "/key", 500, "auth")
    is_problem(site:get "/closed", 502, "network")
    is_problem(site:get "/untrusted", 502, "tls")
    assert.equal("The site cannot ask the exchange. Its error log says why.",
      is_problem(site:get "/unread", 502, "tls").detail)
    assert.truthy(site:log():find("bitfront: tls (ca_file): ca_file "
      .. "/nonexistent/ca.pem: No such file or directory", 1, true))
    is_problem(after_failing { statusCode = 5000 }, 502, "server")
    is_problem(after_failing { http_status = 404, body = "no" }, 502, "http")
    is_problem(after_failing { body = "no json" }, 502, "protocol")
    is_problem(after_failing { latency_ms = 4000 }, 504, "timeout")
    local reply = after_failing { statusCode = 6004 }
    is_problem(reply, 503, "rate_limit")
    assert.truthy(tonumber(reply.headers["retry-after"]) >= 2)
  end)

  it("tells nothing that the outside should not see", function()
    local reply = after_failing { statusCode = 6001, statusMessage = "the $key is UNKNOWN" }
    local told = is_problem(reply, 500, "auth")
    assert.equal("The site cannot ask the exchange. Its error log says why.", told.detail)
    local tree = support.must("pwd -P"):gsub("\n$", "")
    for _, path in ipairs { "/key", "/closed", "/untrusted", "/unread", "/scripted" } do
      local body = site:get(path).body
      for _, secret in ipairs { "UNKNOWN", exchange.key, exchange.secret, "127.0.0.1",
                                tostring(exchange.port), tree, ".lua", ".pem", "6001" } do
        assert.is_nil(body:find(secret, 1, true), path .. " tells " .. secret)
      end
    end
    assert.truthy(site:log():find "bitfront: auth %(6001%)")
    assert.is_nil(site:log():find(exchange.secret, 1, true))
  end)

  it("answers 500 where the site's own code fails, and why in the log", function()
    is_problem(site:get "/broken", 500, "config")
    assert.truthy(site:log():find "no prices")
  end)

  it("marks stale answers", function()
    site:get "/short"
    exchange:script { statusCode = 5000, times = 2 }
    support.sleep(2.1)
    local reply = site:get "/short"
    exchange:control("DELETE", "script")
    assert.equal(200, reply.status)
    assert.equal("stale; error=server", reply.headers["bitfront-freshness"])
    assert.matches("^110 ", reply.headers.warning)
    assert.truthy(tonumber(reply.headers.age) >= 1)
    assert.equal("private, max-age=0", reply.headers["cache-control"])
    assert.equal(5, #cjson.decode(reply.body).balances)
  end)

  -- ---- metrics ----

  local function value_of(text, series)
    return tonumber(text:match("\n" .. series:gsub("%p", "%%%0") .. " (%S+)\n"))
  end

  it("has the balances and how the calls go as metrics", function()
    local fresh = nginx.start {
      env = { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
              BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file },
      http = "lua_shared_dict bitfront 1m;",
      server = location("metrics", 'ttl = 60, format = "prometheus"'),
    }
    finally(function() fresh:stop() end)
    local reply = fresh:get "/metrics"
    assert.equal("text/plain; version=0.0.4; charset=utf-8", reply.headers["content-type"])
    local text = "\n" .. reply.body
    assert.equal(3999974992.35615,
                 value_of(text, 'bitfront_balance{currency="BTC",state="total"}'))
    assert.equal(1, value_of(text, "bitfront_up"))
    assert.equal(1, value_of(text, "bitfront_exchange_calls_total"))
    assert.equal(0, value_of(text, 'bitfront_exchange_errors_total{kind="timeout"}'))
    assert.truthy(value_of(text, "bitfront_cache_age_seconds") >= 0)
    assert.truthy(value_of(text, "bitfront_exchange_call_duration_seconds_sum") > 0)
    local last, bounds = 0, {}
    for bound, count in text:gmatch
      'bitfront_exchange_call_duration_seconds_bucket{le="([^"]+)"} (%d+)\n' do
      assert.truthy(tonumber(count) >= last)
      bounds[#bounds + 1], last = bound, tonumber(count)
    end
    assert.equal("0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf", table.concat(bounds, " "))
    assert.same({ 1, 1 },
      { last, value_of(text, "bitfront_exchange_call_duration_seconds_count") })
    -- The documents: 60 calls a minute.
    assert.equal(1 / 60, value_of(text, "bitfront_exchange_limit_used_ratio"))
  end)

  it("counts a call in the bucket of its time", function()
    local faults = support.faultd()
    local slow = nginx.start {
      http = "lua_shared_dict bitfront 1m;",
      server = asking("slow", { api_key = "k", api_secret = "s", ca_file = faults.ca_file,
        base_url = faults:url_body(support.success "[]", { delay = 300 }) }),
    }
    finally(function() slow:stop() faults:stop() end)
    local text = "\n" .. slow:get "/slow?format=prometheus".body
    local name = "bitfront_exchange_call_duration_seconds_bucket"
    assert.equal(0, value_of(text, name .. '{le="0.25"}'))
    assert.equal(1, value_of(text, name .. '{le="10"}'))
    local sum = value_of(text, "bitfront_exchange_call_duration_seconds_sum")
    assert.truthy(sum >= 0.3 and sum < 10)
  end)

  -- A limiter's store of one's own, whose peek is this.
  local function site_with_store(peek)
    return nginx.start {
      env = { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
              BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file },
      http = ([[lua_shared_dict bitfront 1m;
        init_by_lua_block {
          local function none() return 0 end
          store = { acquire = function() return 0, "id" end, release = none, block = none,
                    peek = %s }
        }]]):format(peek),
      server = location("metrics",
        'ttl = 60, format = "prometheus", options = { rate_limit = { store = store } }'),
    }
  end

  it("does not keep balances back while it asks the limiter's store for the metrics", function()
    local own = site_with_store "function() ngx.sleep(3600) end"
    finally(function() own:stop() end)
    local text = "\n" .. own:get "/metrics".body
    assert.equal(1, value_of(text, "bitfront_up"))
    assert.equal(0, value_of(text, "bitfront_exchange_calls_total")) -- peek has not returned
  end)

  it("has the ratio that the limiter's store tells, 1 where no call can be made", function()
    for peek, ratio in pairs { ["1, 30, 0"] = 0.5, ["1, 90, 0"] = 1, ["1, 30, 1"] = 1 } do
      local own = site_with_store("function() return " .. peek .. " end")
      local text = "\n" .. own:get "/metrics".body
      own:stop()
      assert.equal(ratio, value_of(text, "bitfront_exchange_limit_used_ratio"), peek)
    end
  end)

  it("has no ratio where the limiter's store does not tell it", function()
    for _, peek in ipairs { 'function() return 1, "x", 0 end', "function() error {} end",
                            "function() return 1, nil, 0 end" } do
      local own = site_with_store(peek)
      local text = "\n" .. own:get "/metrics".body
      own:stop()
      assert.same({ 1, 1 }, { value_of(text, "bitfront_up"),
                              value_of(text, "bitfront_exchange_calls_total") })
      assert.is_nil(text:find("limit_used_ratio", 1, true))
    end
  end)

  for available, percent in pairs {
    ["2.9999999999999999999999"] = "99.9", ["3"] = "100.0", ["3.5"] = "100.0", ["-1"] = "0.0",
    ["0.0029"] = "0.0", ["0.003"] = "0.1",
  } do
    it(("shows how much of 3 is available: %s"):format(available), function()
      local view = require "bitfront.nginx.view".of(
        { { currency = "BTC", balance = "3", availableBalance = available } }, { filter = {} })
      assert.equal(percent, view.rows[1].percent)
    end)
  end

  it("writes fractions with a point in every locale", function()
    local metrics, page = require "bitfront.nginx.metrics", require "bitfront.nginx.page"
    local views, before = require "bitfront.nginx.view", os.setlocale()
    local shared = {
      state = function() return {} end, number = function() return 0.5 end,
    }
    finally(function() os.setlocale(before) end)
    assert(os.setlocale("de_DE.UTF-8"), "the locale de_DE.UTF-8 is missing")
    local text = table.concat(metrics.texts({ { cache = { shared = shared }, age = 0.25 } },
      { filter = {}, parts = {} }, function() end))
    for _, line in ipairs { 'seconds_bucket{le="0.25"} 2', "seconds_sum 0.5", "ratio 0.5",
                            "age_seconds 0.25" } do
      assert.matches(line .. "\n", text, 1, true)
    end
    local site_of, view = { title = "", cache = { ttl = 1 } }, views.of(
      { { currency = "BTC", balance = "3", availableBalance = "1" } }, { filter = {} })
    local section = { view = view, made = 0 }
    assert.matches('"available_percent":33.3}', views.json_rows({}, section), 1, true)
    assert.matches(">33.3\194\160%<", page.section(site_of, section, { args = "" }, true), 1, true)
  end)

  it("promtool finds nothing wrong with them", function()
    support.write(site.dir .. "/metrics", site:get "/metrics".body)
    local out, err, code = support.run("promtool check metrics <" .. site.dir .. "/metrics")
    assert.same({ "", "", 0 }, { out, err, code })
  end)

  it("answers metrics also where there are no balances", function()
    local reply = site:get "/closed?format=prometheus"
    assert.equal(200, reply.status)
    local text = "\n" .. reply.body
    assert.equal(0, value_of(text, "bitfront_up"))
    local calls, errors = value_of(text, "bitfront_exchange_calls_total"), 0
    for kind, count in text:gmatch '\nbitfront_exchange_errors_total{kind="(%l+_?%l*)"} (%d+)' do
      assert.equal(kind == "network" and calls or 0, tonumber(count), kind)
      errors = errors + count
    end
    assert.is_true(errors >= 1 and errors == calls)
    assert.is_nil(value_of(text, "bitfront_cache_age_seconds"))
    support.write(site.dir .. "/metrics", reply.body)
    support.must("promtool check metrics <" .. site.dir .. "/metrics")
  end)

  -- ---- making one ----

  it("is made once for the same options", function()
    assert.matches("^true", site:get "/made?%7B%7D".body)
  end)

  it("raises at the caller's line for what will not do", function()
    local function refuses(options, pattern)
      local escaped = options:gsub("[^%w]", function(char)
        return ("%%%02X"):format(char:byte())
      end)
      assert.matches(pattern, site:get("/made?" .. escaped).body)
    end
    refuses('{ titel = "x" }', 'bitfront.nginx.serve: unknown option "titel"; did you mean "title"')
    refuses('{ format = "xml" }', 'format must be "json", "csv", "prometheus" or "html"')
    refuses('{ allow_public = 1 }', "allow_public must be true or false")
    refuses('{ prices = 1 }', "prices must be a table of prices")
    refuses('{ unit = 1 }', "unit must be a string")
    refuses('{ title = 1 }', "title must be a string")
    refuses('{ amounts = "decimal" }', 'amounts must be "string" or "number"')
    refuses('{ cache = "x" }', "cache must be what bitfront.nginx.cached returned")
    for _, hosts in ipairs { '"a"', "{}", '{ a = true }', '{ "a:80" }', '{ "*.a" }', '{ "" }',
                             '{ "http://a" }', "{ 1 }", '{ "a", nil, "b" }', '{ ".a" }' } do
      refuses("{ hosts = " .. hosts .. " }", "hosts must be an array of host names")
    end
    refuses('{ name = "x", ttl = 0 }', "bitfront.nginx.serve: ttl must be")
    refuses('{ ttl = 61 }', "has a cache bitfront:default with other options")
    refuses('{ cache = {} }', "cache must be what bitfront.nginx.cached returned")
    refuses('{ cache = require("bitfront.nginx").cached { ttl = 60 }, ttl = 60 }',
            "give either cache or ttl, not both")
  end)
end)

-- Made here, and not by nginx: whichever Lua runs this.
describe("the texts of bitfront.nginx.serve #once", function()
  local metrics, views = require "bitfront.nginx.metrics", require "bitfront.nginx.view"
  local A = { currency = "A", balance = "1234.25", availableBalance = "234.25" }
  local B = { currency = "B", balance = "0", availableBalance = "0" }
  local query, prices = { filter = {} }, { A = "2.5" }

  local function whole(site, sections)
    local json, csv = {}, {}
    for i, section in ipairs(sections) do
      json[i], csv[i] = views.json_rows(site, section), views.csv_rows(site, section)
    end
    return views.json(site, sections, query, json), views.csv(site, sections, query, csv)
  end

  it("are JSON and CSV of one account", function()
    local json, csv = whole({ amounts = "string" }, { { view = views.of({ A, B }, query) } })
    assert.equal('{"balances":[\n'
      .. '  {"currency":"A","balance":"1234.25","availableBalance":"234.25","locked":"1000.00",'
      .. '"available_percent":18.9},\n'
      .. '  {"currency":"B","balance":"0","availableBalance":"0","locked":"0",'
      .. '"available_percent":null}]}\n', json)
    assert.equal("currency,balance,availableBalance,locked\r\nA,1234.25,234.25,1000.00\r\n"
      .. "B,0,0,0\r\n", csv)
    json, csv = whole({ amounts = "number" }, { { view = views.of({ A, B }, query, prices) } })
    assert.equal('{"balances":[\n'
      .. '  {"currency":"A","balance":1234.25,"availableBalance":234.25,"locked":1000.00,'
      .. '"price":2.5,"value":3085.625,"available_percent":18.9},\n'
      .. '  {"currency":"B","balance":0,"availableBalance":0,"locked":0,'
      .. '"available_percent":null}],\n"total":3085.625,\n"missing":["B"]}\n', json)
    assert.equal("currency,balance,availableBalance,locked,price,value\r\n"
      .. "A,1234.25,234.25,1000.00,2.5,3085.625\r\nB,0,0,0,,\r\n", csv)
    assert.equal('{"balances":[]}\n', (whole({}, { { view = views.of({}, query) } })))
  end)

  it("are JSON and CSV of several accounts, and of all of them", function()
    local json, csv = whole({ amounts = "string", unit = "USD" }, {
      { view = views.of({ A }, query, prices) },
      { account = "a", view = views.of({ A, B }, query, prices, "a"), made = 86400,
        freshness = "fresh" },
      { account = "b", err = { kind = "network" } },
      { account = "c", view = views.of({}, query, prices, "c"), made = 86401, freshness = "stale",
        err = { kind = "auth" } },
      { account = "d", view = views.of({ B }, query, nil, "d"), made = 0, freshness = "fresh" },
    })
    assert.equal('{"balances":[\n'
      .. '  {"account":"a","currency":"A","balance":"1234.25","availableBalance":"234.25",'
      .. '"locked":"1000.00","price":"2.5","value":"3085.625","available_percent":18.9},\n'
      .. '  {"account":"a","currency":"B","balance":"0","availableBalance":"0","locked":"0",'
      .. '"available_percent":null},\n'
      .. '  {"account":"d","currency":"B","balance":"0","availableBalance":"0","locked":"0",'
      .. '"available_percent":null}],\n"accounts":[\n'
      .. '  {"account":"a","freshness":"fresh","as_of":"1970-01-02T00:00:00Z",'
      .. '"total":"3085.625","missing":["B"]},\n'
      .. '  {"account":"b","freshness":"none","error":"network"},\n'
      .. '  {"account":"c","freshness":"stale","as_of":"1970-01-02T00:00:01Z","error":"auth",'
      .. '"total":"0","missing":[]},\n'
      .. '  {"account":"d","freshness":"fresh","as_of":"1970-01-01T00:00:00Z"}],\n"all":[\n'
      .. '  {"currency":"A","balance":"1234.25","availableBalance":"234.25","locked":"1000.00",'
      .. '"price":"2.5","value":"3085.625","available_percent":18.9}],\n'
      .. '"total":"3085.625",\n"missing":[],\n"unit":"USD"}\n', json)
    assert.equal("account,currency,balance,availableBalance,locked,price,value\r\n"
      .. "a,A,1234.25,234.25,1000.00,2.5,3085.625\r\na,B,0,0,0,,\r\nd,B,0,0,0\r\n", csv)
    json, csv = whole({}, { { view = views.of({}, query) },
      { account = "a", view = views.of({}, query, nil, "a"), made = 0, freshness = "fresh" } })
    assert.equal('{"balances":[],\n"accounts":[\n  {"account":"a","freshness":"fresh",'
      .. '"as_of":"1970-01-01T00:00:00Z"}],\n"all":[]}\n', json)
    assert.equal("account,currency,balance,availableBalance,locked\r\n", csv)
    csv = select(2, whole({}, { { view = views.of({ B }, query) },
      { account = "a", view = views.of({ B }, query, nil, "a") } }))
    assert.equal("account,currency,balance,availableBalance,locked\r\na,B,0,0,0\r\n", csv)
  end)

  it("are made again of the accounts that have changed, and where a function has the prices",
    function()
      local render, before, pauses = require "bitfront.nginx.render", rawget(_G, "ngx"), 0
      rawset(_G, "ngx", { md5 = function() return "digest" end })
      finally(function() rawset(_G, "ngx", before) end)
      local site, plan = { prices = { A = "2" } }, { format = "csv", filter = {}, parts = {} }
      local a, b = { account = "a", copy = { version = 1, records = { A }, made = 0 } },
        { account = "b", copy = { version = 1, records = { A }, made = 0 } }
      local function lines()
        local found = render.find(site, plan, { a, b }, function() pauses = pauses + 1 end)
        assert.same({ #found.body, '"digest"' }, { found.length, found.etag })
        return found.body:gsub("^.-\r\n", "")
      end
      assert.equal("a,A,1234.25,234.25,1000.00,2,2468.50\r\n"
        .. "b,A,1234.25,234.25,1000.00,2,2468.50\r\n", (lines()))
      local of_a, of_b = plan.parts.a, plan.parts.b
      a.copy = { version = 2, records = { B }, made = 0 }
      assert.matches("^a,B,0,0,0,,\r\n", (lines()))
      assert.same({ false, true, 4 }, { of_a == plan.parts.a, of_b == plan.parts.b, pauses })
      site.prices, a.copy.version = function() return { A = "1" } end, 3
      assert.matches("\r\nb,A,1234.25,234.25,1000.00,1,1234.25\r\n$", (lines()))
    end)

  -- What the metrics ask of a cache.
  local function cache_of(numbers, state)
    return { shared = { state = function() return state end,
                        number = function(_, name) return numbers[name] end } }
  end

  local function texts_of(answers, plan)
    local pauses = 0
    local texts, length = metrics.texts(answers, plan, function() pauses = pauses + 1 end)
    local text = table.concat(texts)
    assert.same({ #text, #answers }, { length, pauses })
    return text
  end

  it("are metrics of each account", function()
    local text = texts_of({
      { cache = cache_of({ calls = 7, ["errors:tls"] = 2, ["duration:1"] = 1, ["duration:3"] = 2,
          ["duration:11"] = 4, duration_sum = 1.5, limit_used = 0.25 }, { version = 1 }),
        account = "a", age = 0.5, copy = { records = { A } } },
      { cache = cache_of({}, {}), account = "b" },
      { cache = cache_of({}, { version = 1, failure = {} }), account = "c" },
    }, { filter = {}, parts = {} })
    local found, zeros = {}, 0
    for line in text:gmatch "[^\n]+" do
      local is_zero = line:find " 0$"
      zeros = zeros + (is_zero and 1 or 0)
      if not is_zero and line:sub(1, 1) ~= "#" then
        found[#found + 1] = line:gsub("^bitfront_", ""):gsub("exchange_", "")
      end
    end
    local function bucket(bound, calls)
      return ('call_duration_seconds_bucket{account="a",le="%s"} %d'):format(bound, calls)
    end
    assert.same({
      'balance{account="a",currency="A",state="total"} 1234.25',
      'balance{account="a",currency="A",state="available"} 234.25',
      'balance{account="a",currency="A",state="locked"} 1000.00', 'up{account="a"} 1',
      'calls_total{account="a"} 7', 'errors_total{account="a",kind="tls"} 2', bucket("0.01", 1),
      bucket("0.025", 1), bucket("0.05", 3), bucket("0.1", 3), bucket("0.25", 3), bucket("0.5", 3),
      bucket("1", 3), bucket("2.5", 3), bucket("5", 3), bucket("10", 3), bucket("+Inf", 7),
      'call_duration_seconds_count{account="a"} 7', 'call_duration_seconds_sum{account="a"} 1.5',
      'limit_used_ratio{account="a"} 0.25', 'cache_age_seconds{account="a"} 0.5',
    }, found)
    local kinds = #require "bitfront.status".KINDS
    assert.equal((kinds - 1) + 2 * (2 + kinds + 13), zeros)
    for _, name in ipairs { "balance", "up", "exchange_calls_total", "exchange_errors_total",
                            "exchange_call_duration_seconds", "exchange_limit_used_ratio",
                            "cache_age_seconds" } do
      assert.equal(1, select(2, text:gsub("# TYPE bitfront_" .. name .. " %l+\n", "")), name)
    end
  end)

  it("are metrics without a line of what is not known", function()
    local text = texts_of({ { cache = cache_of({}, {}) } }, { filter = {}, parts = {} })
    for _, name in ipairs { "bitfront_balance", "limit_used_ratio", "age_seconds" } do
      assert.is_nil(text:find(name, 1, true), name)
    end
    assert.matches("\nbitfront_up 0\n", text, 1, true)
  end)

  it("are made again where a call has ended, or there are other balances or another state",
    function()
      local numbers, plan = { calls = 1, limit_used = 0.5 }, { filter = {}, parts = {} }
      local answer = { cache = cache_of(numbers, {}), age = 1, copy = { records = { B } } }
      local before = texts_of({ answer }, plan)
      numbers.limit_used = 0.75
      assert.equal(before, texts_of({ answer }, plan))
      answer.copy = { records = { A } }
      assert.matches("state=\"total\"} 1234.25\n", texts_of({ answer }, plan), 1, true)
      numbers.calls = 2
      assert.matches("calls_total 2\n", texts_of({ answer }, plan), 1, true)
      local state = { version = 1 }
      answer.cache.shared.state = function() return state end
      assert.matches("\nbitfront_up 1\n", texts_of({ answer }, plan), 1, true)
      answer.age = 2
      assert.matches("age_seconds 2\n", texts_of({ answer }, plan), 1, true)
    end)

  it("take a call into the bucket of its bound", function()
    local histogram, counts = require "bitfront.nginx.histogram", {}
    local shared = { count = function(_, name, by)
      counts[#counts + 1] = name .. " " .. (by or 1)
    end }
    for _, seconds in ipairs { 0.01, 0.0101, 10, 11 } do histogram.observe(shared, seconds) end
    assert.same({ "duration:1 1", "duration_sum " .. 0.01, "duration:2 1",
      "duration_sum " .. 0.0101, "duration:10 1", "duration_sum 10", "duration:11 1",
      "duration_sum 11" }, counts)
  end)

  it("go by headers of up to 4096 bytes", function()
    local negotiate = require "bitfront.nginx.negotiate"
    local accept, known = "text/csv" .. (","):rep(4088), '"etag"' .. (","):rep(4090)
    assert.same({ "csv", "json" }, { negotiate.format(accept), negotiate.format(accept .. ",") })
    assert.same({ true, false },
      { negotiate.has(known, '"etag"'), negotiate.has(known .. ",", '"etag"') })
  end)

  it("are of options with these bounds and defaults", function()
    local rows = require "bitfront.nginx.site_options".rows
    for _, case in ipairs { { "ttl", 0.1, 86400, 2, 0.09 }, { "stale", 0, 86400, 60, -1 } } do
      local row = rows["bitfront.nginx.cached"][case[1]]
      assert.same({ true, true, false, false, case[4] }, { (row.check(case[2])),
        (row.check(case[3])), (row.check(case[3] + 1)), (row.check(case[5])), row.default })
    end
  end)

  it("are of an account that its exchange and its section name, where it has no key yet", function()
    local function ids(env)
      return (support.lua([[
        local id = require "bitfront.nginx.site_options".account_id
        print(id {}, id { base_url = "b", profile = "p", api_key = "k" },
          id { api_key = "k" }, id { credentials = print })]], { env = env }))
    end
    assert.equal("https://u e\tb p\thttps://u \thttps://u \n",
      ids { BITFRONT_PROFILE = "e", BITFRONT_BASE_URL = "https://u" })
    assert.equal(" \tb p\t \t \n", ids { BITFRONT_PROFILE = false, BITFRONT_BASE_URL = false })
  end)

  it("are problems with a status, a sentence and when to ask again", function()
    local problem = require "bitfront.nginx.problem"
    for _, case in ipairs {
      { { kind = "rate_limit" }, 0.1, 503, 1 }, { { kind = "rate_limit" }, 1.5, 503, 2 },
      { { kind = "rate_limit", retry_after = 2.1 }, 9, 503, 3 }, { { kind = "timeout" }, 1, 504 },
      { { kind = "tls" }, 1, 502 }, { { kind = "auth" }, 1, 500 },
    } do
      local made = problem.of_error(case[1], case[2])
      assert.same({ case[3], case[4] }, { made.status, made.retry_after })
    end
    assert.equal('{"type":"about:blank","title":"Bad Gateway","status":502,"kind":"http",'
      .. '"detail":"The exchange did not answer as it should."}',
      problem.of_error({ kind = "http" }, 1).body)
  end)
end)

describe("a handler", function()
  local SERVE = "bitfront.nginx.serve"

  it("is remembered for the last 32 options that are not alike", function()
    local site, loaded, ngx = require "bitfront.nginx", package.loaded[SERVE], rawget(_G, "ngx")
    local made, handlers = 0, {}
    package.loaded[SERVE] = { new = function()
      made = made + 1
      local number = made
      return function() return number end
    end }
    rawset(_G, "ngx", {})
    finally(function()
      package.loaded[SERVE] = loaded
      rawset(_G, "ngx", ngx)
    end)
    for i = 1, 33 do handlers[i] = site.serve { title = "title " .. i } end
    for i = 2, 33 do assert.equal(handlers[i], site.serve { title = "title " .. i }) end
    assert.are_not.equal(handlers[1], site.serve { title = "title 1" })
    local function options_with(store)
      return { accounts = { a = { rate_limit = { store = store } } } }
    end
    local store = {}
    local handler = site.serve(options_with(store))
    assert.equal(handler, site.serve(options_with(store)))
    assert.are_not.equal(handler, site.serve(options_with {}))
  end)
end)
