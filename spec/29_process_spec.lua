-- What a process may do beside calling: fork, and be hit by signals.

local core = require "bitfront.core"
local support = require "spec.support"

describe("a process", function()
  it("under 10,000 signals of three kinds gets the same replies, and keeps its handlers #once",
    function()
      local faultd = support.faultd()
      local out = support.must(("SSL_CERT_FILE=/dev/null .build/test/signalled %s 500")
        :format(support.quote(faultd:url_body(support.success(),
          { listener = "plain", delay = 1 }))))
      faultd:stop()
      assert.equal("500 1 same\n", out)
    end)

  if not rawget(_G, "jit") then return end
  local in_child = require "spec.support.fork".in_child

  it("that forks 1,000 times gets its own replies, as its children do", function()
    local sandbox = support.sandbox()
    sandbox:set { limits = false }
    local client = support.client {
      base_url = sandbox.base_url, ca_file = sandbox.ca_file,
    }
    local function reply()
      local balances, err = client:balances()
      return not err and #balances == 5
    end
    assert.is_true(reply())
    for i = 1, 1000 do
      -- Most children only look at what a fork must not share; TLS is slow.
      assert.is_true(in_child(i % 20 == 0 and reply or function()
        return core.random() ~= nil and core.step(0) == 0
      end))
      if i % 20 == 0 then assert.is_true(reply()) end
    end
    client:close()
    local seen = {}
    for _, arrival in ipairs(sandbox:log()) do
      assert.equal(1000, arrival.verdict)
      local pair = arrival.timestamp .. arrival.nonce
      assert.is_nil(seen[pair])
      seen[pair] = true
    end
    sandbox:stop()
  end)

  it("and its forked child draw different random numbers", function()
    core.random()
    local file = support.tmpdir() .. "/drawn"
    assert.is_true(in_child(function()
      support.write(file, tostring(core.random()))
      return true
    end))
    assert.are_not.equal(support.read(file), tostring(core.random()))
  end)
end)
