local nginx = require "spec.support.nginx"
local support = require "spec.support"

local TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

describe("a site's option trace #once #apart", function()
  local faultd, site

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  after_each(function()
    if site then site:stop() end
    site = nil
  end)

  -- A site whose exchange answers with this; each request finds nothing fresh.
  local function start(body, options)
    faultd:forget()
    site = nginx.start {
      env = { BITFRONT_API_KEY = support.KEY, BITFRONT_API_SECRET = support.SECRET,
              BITFRONT_BASE_URL = faultd:url_body(body), BITFRONT_CA_FILE = faultd.ca_file },
      http = "lua_shared_dict bitfront 1m;",
      server = ([[
        location = /balances {
          content_by_lua_block { require("bitfront.nginx").serve { format = "json", %s }() }
        }]]):format(options),
    }
    return site
  end

  -- What the exchange was sent, of each request.
  local function sent()
    local all = {}
    for i, request in ipairs(faultd:requests()) do
      all[i] = request.headers.traceparent or "none"
    end
    return all
  end

  local BALANCES = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

  it("has the call continue the trace of the request that causes it", function()
    start(BALANCES, "ttl = 60, trace = true")
    assert.equal(200, site:get("/balances", { traceparent = TRACEPARENT }).status)
    local later = (TRACEPARENT:gsub("b7", "c7"))
    assert.equal(200, site:get("/balances", { traceparent = later }).status)
    assert.same({ TRACEPARENT }, sent())
  end)

  for what, headers in pairs {
    ["none"] = {},
    ["one that is wrong"] = { traceparent = TRACEPARENT:upper() },
    ["one that is too long"] = { traceparent = TRACEPARENT .. ("x"):rep(4000) },
    ["one of all zeros"] = { traceparent = (TRACEPARENT:gsub("%x", "0")) },
    ["two"] = { traceparent = TRACEPARENT, Traceparent = TRACEPARENT },
  } do
    it("sends none on where the request has " .. what, function()
      start(BALANCES, "ttl = 60, trace = true")
      assert.equal(200, site:get("/balances", headers).status)
      assert.same({ "none" }, sent())
    end)
  end

  it("is off by itself", function()
    start(BALANCES, "ttl = 60")
    assert.equal(200, site:get("/balances", { traceparent = TRACEPARENT }).status)
    assert.same({ "none" }, sent())
  end)

  it("names the trace in the error log, whole", function()
    start(support.refusal(6001), "ttl = 60, trace = true")
    site:get("/balances", { traceparent = TRACEPARENT })
    assert.matches("auth (6001): refused; traceparent " .. TRACEPARENT,
      (site:log():gsub("6001%): [^;]*;", "6001): refused;")), 1, true)
  end)
end)
