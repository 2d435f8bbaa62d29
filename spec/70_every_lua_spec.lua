local support = require "spec.support"

-- What is different from Lua to Lua: loading, numbers, errors, collecting. The
-- other specs run on Lua 5.4 and LuaJIT only; these run on every Lua.
describe("on every Lua #smoke", function()
  local sandbox

  lazy_setup(function() sandbox = support.sandbox() end)
  lazy_teardown(function() sandbox:stop() end)

  local function new_client(options)
    local all = { api_key = sandbox.key, api_secret = sandbox.secret,
                  base_url = sandbox.base_url, ca_file = sandbox.ca_file }
    for name, value in pairs(options or {}) do all[name] = value end
    return require "bitfront".new(all)
  end

  it("the build is the one for the Lua that runs", function()
    local loaded = require "bitfront.core".versions().lua.compiled
    assert.equal(_VERSION, loaded:sub(1, #_VERSION))
  end)

  it("requiring it sets no globals", function()
    local out = support.lua [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "bitfront".new({ api_key = "k", api_secret = "s" }):close()
      for name in pairs(_G) do
        if not before[name] then print(name) end
      end]]
    assert.equal("", out)
  end)

  it("a signature is the documented one", function()
    assert.equal("f23e24bfff7faf21f51eb2d36c510bd2c2cc4202fc9f1e28de06e929b318c3cd",
      require "bitfront".sign(support.SECRET, 12345, 1523864107010, "GET", "/v1/account/balances"))
  end)

  it("balances come as numbers, and with their digits as strings", function()
    local balances = assert(new_client():balances())
    assert.same({ currency = "BTC", balance = 3999974992.35615,
                  availableBalance = 3999970806.72614 }, balances[4])
    balances = assert(new_client({ amounts = "string" }):balances())
    assert.same({ currency = "ETH", balance = "1000107794.9999858",
                  availableBalance = "1000107794.9999858" }, balances[3])
  end)

  it("a refusal is an error with a kind", function()
    sandbox:reset()
    local balances, err = new_client({ api_secret = "wrong" }):balances()
    assert.is_nil(balances)
    assert.same({ "signature", 4003, false }, { err.kind, err.code, err.retryable })
    assert.truthy(tostring(err):find("signature", 1, true))
    assert.truthy(("it says: " .. err):find("it says: ", 1, true))
  end)

  it("misuse raises at the caller's line", function()
    local ok, message = pcall(function() require "bitfront".new { api_kee = "k" } end)
    assert.is_false(ok)
    assert.truthy(message:find("70_every_lua_spec.lua:%d+: .*did you mean \"api_key\""), message)
  end)

  it("a C module that cannot be loaded says why, each time", function()
    local out, err = support.lua [[
      package.preload["bitfront.core"] = function()
        error("this build is for another Lua", 0)
      end
      local bitfront = require "bitfront"
      for _ = 1, 2 do print(select(2, pcall(bitfront.decimal, "1"))) end
    ]]
    assert.same({ ("this build is for another Lua\n"):rep(2), "" }, { out, err })
  end)

  it("the server's clock is whole milliseconds", function()
    local ms = assert(new_client():server_time())
    assert.equal(0, ms % 1)
    assert.truthy(math.abs(ms / 1000 - os.time()) < 60)
  end)

  it("a closed client says so, and a forgotten one is collected", function()
    local client = new_client()
    client:close()
    client:close()
    local _, err = client:balances()
    assert.equal("closed", err.kind)
    for _ = 1, 100 do new_client() end
    collectgarbage()
    collectgarbage()
  end)
end)
