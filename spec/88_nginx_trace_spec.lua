-- The traceparent of a request to nginx, which the call of the exchange that it begins
-- has, too.

local nginx = require "spec.support.nginx"
local support = require "spec.support"

local TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
local FIELDS = ("-%s-%s-01"):format(TRACE_ID, PARENT_ID)
local TRACEPARENT = "00" .. FIELDS
local OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

-- Each name is a cache of its own, so that a request for a new one begins a call.
local SERVER = [[
  location ~ ^/(traced|plain|slow|failing|foreign)/(\w+)$ {
    content_by_lua_block {
      local options = { name = ngx.var[2], ttl = 60, trace = ngx.var[1] ~= "plain" or nil }
      if ngx.var[1] == "foreign" then
        options.client = foreign
      else
        options.options = options_of(ngx.var[1])
      end
      require("bitfront.nginx").serve(options)()
    }
  }
  location = /timer {
    content_by_lua_block {
      ngx.timer.at(0, function()
        require("bitfront.nginx").cached {
          name = "timer", trace = true, options = options_of "good" }:balances()
      end)
    }
  }
  location = /filter {
    header_filter_by_lua_block {
      require("bitfront.nginx").cached {
        name = "filter", trace = true, options = options_of "good" }:balances()
    }
    return 200;
  }
  location = /call {
    content_by_lua_block {
      local options, seen = options_of "good", nil
      options.on_attempt = function(event) seen = event.traceparent end
      local client = require("bitfront").new(options)
      assert(client:balances { traceparent = ngx.var.http_traceparent })
      client:close()
      ngx.print(seen)
    }
  }
  location = /busy { content_by_lua_block {
    for _ = 1, 8 do
      ngx.timer.at(0, function() while not ngx.worker.exiting() do ngx.sleep(0.01) end end)
    end
    ngx.sleep(0.05)
  } }
]]

local HTTP = [[
  lua_shared_dict bitfront 4m;
  %s
  init_by_lua_block {
    local urls = { slow = %q, failing = %q }
    function options_of(kind)
      return { base_url = urls[kind] or %q, ca_file = %q, api_key = %q, api_secret = %q,
               rate_limit = false }
    end
    foreign = { balances = function(_, options)
      ngx.log(ngx.WARN, "foreign: ", options and options.traceparent or tostring(options))
      return {}
    end }
  }
]]

describe("the traceparent of a request to nginx #once #apart", function()
  local count, faultd, site = 0, nil, nil

  local function start(more)
    local body = support.success()
    return nginx.start {
      http = HTTP:format(more or "", faultd:url_body(body, { delay = 300 }),
        faultd:url_body(support.refusal(5000)), faultd:url_body(body), faultd.ca_file,
        support.KEY, support.SECRET),
      server = SERVER,
    }
  end

  setup(function()
    faultd = support.faultd()
    site = start()
  end)
  teardown(function()
    site:stop()
    faultd:stop()
  end)
  before_each(function() faultd:forget() end)

  -- A location with a new cache.
  local function new_path(kind)
    count = count + 1
    return ("/%s/n%d"):format(kind or "traced", count)
  end

  -- The one request that the exchange has got: its traceparent, and whether it is a
  -- signed one with nothing else in it.
  local function sent()
    local requests = faultd:requests()
    assert.equal(1, #requests)
    local names, seen = requests[1].names, {}
    for i, name in ipairs(names) do seen[i] = name:lower() end
    table.sort(seen)
    local headers = table.concat(seen, " ")
    assert.equal("accept host " .. (headers:find "traceparent" and "traceparent " or "")
      .. "user-agent x-api-key x-api-nonce x-api-sign x-api-timestamp", headers)
    assert.equal(support.KEY, requests[1].headers["x-api-key"])
    return requests[1].headers.traceparent
  end

  it("is that of the exchange's call, and none is made for a later request", function()
    local path = new_path()
    assert.equal(200, site:get(path, { traceparent = TRACEPARENT }).status)
    assert.equal(200, site:get(path, { traceparent = OTHER }).status)
    assert.equal(TRACEPARENT, sent())
  end)

  it("is that of a call that begins in a phase that cannot wait", function()
    assert.equal(200, site:get("/filter", { traceparent = TRACEPARENT }).status)
    site:await("no call is made", function() return #faultd:requests() > 0 end)
    assert.equal(TRACEPARENT, sent())
  end)

  it("is that of the call whatever the letter case of its name, and of a later version",
    function()
      local later = "01" .. FIELDS .. "-more"
      assert.equal(200, site:get(new_path(), { TraceParent = later }).status)
      assert.equal(later, sent())
    end)

  it("is not that of the call without the option, and none is made up with it", function()
    assert.equal(200, site:get(new_path "plain", { traceparent = TRACEPARENT }).status)
    assert.is_nil(sent())
    faultd:forget()
    assert.equal(200, site:get(new_path()).status)
    assert.is_nil(sent())
  end)

  it("is passed on also by a call of one's own, and is in its event", function()
    local reply = site:get("/call", { traceparent = TRACEPARENT })
    assert.same({ 200, TRACEPARENT }, { reply.status, reply.body })
    assert.equal(TRACEPARENT, sent())
  end)

  it("is that of the request that begins the call, where others wait for it", function()
    local url, words = support.quote(site.url .. new_path "slow"), {}
    for i, traceparent in ipairs { TRACEPARENT, OTHER } do
      words[i] = ("curl -sS -o /dev/null -w '%%{http_code} ' -H 'traceparent: %s' %s &")
        :format(traceparent, url)
    end
    assert.equal("200 200 ", support.must(table.concat(words, "\n") .. "\nwait"))
    local traceparent = sent()
    assert.is_true(traceparent == TRACEPARENT or traceparent == OTHER)
  end)

  it("is not that of a call that a timer begins", function()
    assert.equal(200, site:get("/timer", { traceparent = TRACEPARENT }).status)
    site:await("no call is made", function() return #faultd:requests() > 0 end)
    assert.is_nil(sent())
  end)

  it("is given to a client of another kind, which gets no options without it", function()
    site:get(new_path "foreign", { traceparent = TRACEPARENT })
    site:get(new_path "foreign")
    local first, second = site:log():match "foreign: (%S+),.*foreign: (%S+),"
    assert.same({ TRACEPARENT, "nil" }, { first, second })
  end)

  describe("is ignored, and the request answered, where it is", function()
    local function header(value) return "-H 'traceparent: " .. value .. "' " end
    local ROWS = {
      { "there twice", header(TRACEPARENT) .. header(OTHER) },
      { "there twice, the same", header(TRACEPARENT) .. header(TRACEPARENT) },
      { "there twice, in different letter case",
        header(TRACEPARENT) .. "-H 'TRACEPARENT: " .. OTHER .. "'" },
      { "there twice, with a hundred headers between them",
        header(TRACEPARENT) .. ("-H 'X-Filler: 1' "):rep(110) .. header(OTHER) },
      { "two in one", header(TRACEPARENT .. ", " .. OTHER) },
      { "in upper case", header(TRACEPARENT:upper()) },
      { "empty", "-H 'traceparent;'" },
      { "too short", header(TRACEPARENT:sub(1, -2)) },
      { "too long", header(TRACEPARENT .. "0") },
      { "over-long", header("01" .. FIELDS .. "-" .. ("a"):rep(4000)) },
      { "of version ff", header("ff" .. FIELDS) },
      { "of version 00 with more in it", header(TRACEPARENT .. "-00") },
      { "all zeros", header("00-" .. ("0"):rep(32) .. "-" .. ("0"):rep(16) .. "-00") },
      { "of a later version with a tab in it", header("01" .. FIELDS .. "-a\tb") },
      { "of a later version with bytes beyond ASCII", header("01" .. FIELDS .. "-\195\164") },
    }
    for _, row in ipairs(ROWS) do
      it(row[1], function()
        assert.equal(200, site:get(new_path(), nil, row[2]).status)
        assert.is_nil(sent())
      end)
    end
  end)

  it("brings no header with it", function()
    for _, line_end in ipairs { "\r\n", "\n" } do
      faultd:forget()
      local header = ("traceparent: %s%sX-API-KEY: evil"):format(TRACEPARENT, line_end)
      assert.equal(200, site:get(new_path(), nil, "-H " .. support.quote(header)).status)
      assert.equal(TRACEPARENT, sent())
    end
    faultd:forget()
    for _, bytes in ipairs { "\r", "\rX-API-KEY: evil", "\r\n X-API-KEY: evil" } do
      local header = ("traceparent: 01%s-%s"):format(FIELDS, bytes)
      local reply = site:get(new_path(), nil, "-H " .. support.quote(header))
      assert.truthy(reply.status == 200 or reply.status == 400, reply.status)
    end
    for _, request in ipairs(faultd:requests()) do
      assert.is_nil(request.head:find "evil")
      assert.is_nil(request.head:find "\r[^\n]")
    end
  end)

  describe("in the error log", function()
    local function times(text)
      return select(2, site:log():gsub((text:gsub("%p", "%%%0")), ""))
    end

    it("is in the line of its call that fails, and in no other", function()
      local path = new_path "failing"
      assert.equal(502, site:get(path, { traceparent = OTHER }).status)
      assert.equal(1, times("bitfront: server (5000): REFUSED; traceparent " .. OTHER))
      assert.equal(502, site:get(new_path "failing").status)
      site:await("there is no other line", function()
        return times "bitfront: server (5000): REFUSED" == 2
      end)
      assert.equal(1, times(OTHER))
    end)
  end)

  describe("in the error log", function()
    local exchange, other
    lazy_setup(function() exchange = support.sandbox() end)
    lazy_teardown(function()
      other:stop()
      exchange:stop()
    end)

    it("is in the line that the exchange answers again", function()
      other = nginx.start {
        env = { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret,
                BITFRONT_BASE_URL = exchange.base_url, BITFRONT_CA_FILE = exchange.ca_file },
        http = "lua_shared_dict bitfront 1m;",
        server = [[location = /balances { content_by_lua_block {
          require("bitfront.nginx").serve { ttl = 0.1, trace = true }()
        } }]],
      }
      exchange:set { limits = false }
      exchange:script { statusCode = 5000 }
      local first = other:get("/balances", { traceparent = OTHER })
      assert.equal(502, first.status)
      other:await("it does not answer again", function()
        return other:get("/balances", { traceparent = TRACEPARENT }).status == 200
      end)
      local failed, again = other:log()
        :match "traceparent (%S+),.-answers again; traceparent (%S+),"
      assert.same({ OTHER, TRACEPARENT }, { failed, again }, other:log())
    end)
  end)

  it("is that of the call where nginx runs no timers, too", function()
    local busy = start "lua_max_running_timers 8;"
    busy:get "/busy"
    assert.equal(200, busy:get(new_path(), { traceparent = TRACEPARENT }).status)
    assert.truthy(busy:log():find "did not run a timer")
    busy:stop()
    assert.equal(TRACEPARENT, sent())
  end)
end)
