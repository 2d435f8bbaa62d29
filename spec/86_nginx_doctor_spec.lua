-- What a worker can tell of itself, and many accounts at once in it.

local command = require "spec.support.command"
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
    local results = bitfront.balances_many(clients, {
      concurrency = 5, on_progress = function() steps = steps + 1 end,
    })
    ngx.update_time()
    for i, result in ipairs(results) do
      ngx.print(result.balances and "+" or result.err.kind)
    end
    ngx.print(" ", steps, " ", ngx.now() - begun < 1.5)
    ngx.print(" ", bitfront.balances_many { clients[1] }[1].balances and "+")
  } }
  location = /kept { content_by_lua_block {
    local bitfront = require "bitfront"
    local function options(timeout)
      return { api_key = "kept-key", api_secret = "kept-secret", timeout = timeout,
        base_url = ngx.var.arg_url, rate_limit = { per_second = 1000 } }
    end
    local threads = {}
    for i = 1, 10 do
      threads[i] = ngx.thread.spawn(bitfront.balances, options(i > 5 and 5 or 6))
    end
    for i = 1, 10 do
      local _, balances, err = ngx.thread.wait(threads[i])
      ngx.print(balances and "+" or tostring(err))
    end
    local ok, message = pcall(function() bitfront.balances { nonsense = 1 } end)
    ngx.print(" ", message)
  } }
  location = /nowhere { content_by_lua_block {
    local bitfront = require "bitfront"
    local client, results = bitfront.new { api_key = "k", api_secret = "s" }, nil
    table.sort({ 1, 2 }, function(a, b)
      results = bitfront.balances_many { client }
      return a < b
    end)
    ngx.print(results[1].err.kind, " ", results[1].err.code, " ", results[1].err.attempts)
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

  it("bitfront.balances takes the options of a client", function()
    local url = ("http://127.0.0.1:%d/%s"):format(faultd.ports.plain,
      faultd:url_body(support.success()):match "[^/]*$")
    local told = host:body("/kept?url=" .. url)
    assert.truthy(told:find "^%+%+%+%+%+%+%+%+%+%+ .*: bitfront%.balances: unknown option "
      and told:find('"nonsense"', 1, true), told)
  end)

  it("many accounts are asked at once, and one that fails affects no other", function()
    assert.equal("++++++network+++++++++++++ 20 true +", (host:body "/many"))
  end)

  it("many accounts where none can wait are that many errors of kind phase", function()
    assert.equal("phase c_call 0", (host:body "/nowhere"))
    assert.equal("", host:logged_errors())
  end)

  describe("a profile", function()
    local PROFILE = [[
      location = /profile { content_by_lua_block {
        local balances, err = require("bitfront").new { profile = "two" }:balances()
        ngx.print(balances and balances[1].currency or tostring(err))
      } }
      location = /nobody { content_by_lua_block {
        ngx.print(tostring(select(2, require("bitfront").balances())))
      } }
      location = /doctor { content_by_lua_block {
        ngx.print((require("bitfront.nginx").doctor { profile = "two" }))
      } }
    ]]

    local function with(env, check)
      local site = nginx.start { server = PROFILE, env = env }
      local ok, message = pcall(check, site)
      site:stop()
      assert(ok, message)
    end

    it("that no worker can find is told with the directive that is missing", function()
      local WAY_OUT = "HOME is not set, and XDG_CONFIG_HOME is not set; nginx takes variables "
        .. "away: write 'env HOME;' at the top of nginx.conf"
      with({ BITFRONT_API_KEY = "k", BITFRONT_API_SECRET = "s" }, function(site)
        assert.equal("bitfront: config (profile): section [two] of the credentials file cannot "
          .. "be found: " .. WAY_OUT, (site:body "/profile"))
      end)
      with(nil, function(site)
        local message = site:body "/nobody"
        assert.truthy(message:find("config (missing_credentials)", 1, true), message)
        assert.truthy(message:find(WAY_OUT, 1, true), message)
      end)
    end)

    it("that a worker can find asks its own exchange", function()
      local home = command.home { two = { "key-of-two", "secret2",
        base_url = faultd:url_body(support.success(
          '[{"currency":"TWO","balance":1,"availableBalance":1}]'), { listener = "plain" }) } }
      with({ HOME = home, BITFRONT_BASE_URL = "https://127.0.0.1:1" }, function(site)
        assert.equal("TWO", (site:body "/profile"))
        local report = site:body "/doctor"
        assert.truthy(report:find("ok +base URL +http://127%.0%.0%.1:%S+, from section %[two%]"),
          report)
      end)
    end)
  end)
end)
