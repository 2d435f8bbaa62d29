-- What a worker can tell of itself, and many accounts at once in it.

local support = require "spec.support"
local nginx = require "spec.support.nginx"

local SERVER = [[
  location = /doctor { content_by_lua_block {
    local report, healthy = require("bitfront.nginx").doctor {
      api_key = %q, api_secret = %q, base_url = %q, ca_file = %q }
    ngx.print(report, healthy and "healthy" or "ill")
  } }
  location = /many { content_by_lua_block {
    local bitfront, clients = require "bitfront", {}
    for i = 1, 20 do
      clients[i] = bitfront.new { api_key = %q, api_secret = %q, ca_file = %q,
        rate_limit = false, base_url = i == 7 and "http://127.0.0.1:1" or %q,
        retries = 0 }
    end
    local begun, steps = ngx.now(), 0
    local outcomes = bitfront.balances_many(clients, {
      concurrency = 5, on_progress = function() steps = steps + 1 end,
    })
    ngx.update_time()
    for i, outcome in ipairs(outcomes) do
      ngx.print(outcome.balances and "+" or outcome.err.kind)
    end
    ngx.print(" ", steps, " ", ngx.now() - begun < 1.5)
  } }
  location = /nowhere { content_by_lua_block {
    local bitfront = require "bitfront"
    local client, outcomes = bitfront.new { api_key = "k", api_secret = "s" }, nil
    table.sort({ 1, 2 }, function(a, b)
      outcomes = bitfront.balances_many { client }
      return a < b
    end)
    ngx.print(outcomes[1].err.kind, " ", outcomes[1].err.code)
  } }
]]

describe("inside nginx #once #apart", function()
  local sandbox, faultd, host

  setup(function()
    sandbox, faultd = support.sandbox(), support.faultd()
    host = nginx.start { server = SERVER:format(sandbox.key, sandbox.secret,
      sandbox.base_url, sandbox.ca_file, support.KEY, support.SECRET,
      support.certs().ca, faultd:url_body(support.success(), { delay = 200 })) }
  end)
  teardown(function()
    host:stop()
    faultd:stop()
    sandbox:stop()
  end)

  it("the doctor tells which libraries the worker has loaded", function()
    local report = host:body "/doctor"
    assert.truthy(report:find "ok +libraries +/%S+libcurl%S+, /%S+libcrypto", report)
    assert.truthy(report:find "ok +Lua +LuaJIT", report)
    assert.truthy(report:find "ok +server +answers in", report)
    assert.truthy(report:find "healthy$", report)
  end)

  it("many accounts are asked at once, and one that fails harms no other", function()
    assert.equal("++++++network+++++++++++++ 20 true", (host:body "/many"))
  end)

  it("many accounts where none can wait are that many errors of kind phase", function()
    assert.equal("phase c_call", (host:body "/nowhere"))
    assert.equal("", host:trouble())
  end)
end)
