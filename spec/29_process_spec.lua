-- What a process may do beside calling: fork, and be hit by signals.

local core = require "bitfront.core"
local namespace = require "spec.support.namespace"
local support = require "spec.support"

describe("a process #apart", function()
  it("under 10,000 signals of three kinds gets the same replies, and keeps its handlers #once",
    function()
      local faultd = support.faultd()
      local out = support.must(("SSL_CERT_FILE=/dev/null .build/test/signalled %s 500")
        :format(support.quote(faultd:url_body(support.success(),
          { listener = "plain", delay = 1 }))))
      faultd:stop()
      assert.equal("500 1 same\n", out)
    end)

  -- What TCP has not got rid of when the network fails, it would send when the
  -- network is back, and nobody counts it by then.
  local OUTAGE = [[
    local bitfront, core = require "bitfront", require "bitfront.core"
    local sandbox = require "spec.support".sandbox()
    local clients = {}
    for i = 1, 3 do
      clients[i] = bitfront.new { base_url = sandbox.base_url, timeout = 1.5,
        ca_file = sandbox.ca_file, api_key = sandbox.key,
        api_secret = sandbox.secret, retries = 0 }
    end
    local function ask(expected)
      for _, result in ipairs(bitfront.balances_many(clients)) do
        assert((result.err and result.err.kind or "fine") == expected,
          tostring(result.err))
      end
    end
    local function sleep_until(time) while core.now() < time do core.sleep(0.1) end end
    ask "fine"
    sleep_until(core.now() + 1.5)
    local begun = core.now()
    os.execute "ip link set lo down"
    ask "timeout"
    sleep_until(begun + 4.5)
    os.execute "ip link set lo up"
    sleep_until(begun + 10)
    ask "fine"
    local check = assert(io.popen("%s lua/bitfront/cli/bitfront sandbox "
      .. "--check-limits --dir " .. sandbox.dir))
    print(check:read "*a")
    sandbox:stop()
  ]]

  it("whose network fails for a while sends nothing of that later #once", function()
    namespace.needed(pending)
    local program = support.tmpdir() .. "/outage.lua"
    support.write(program, 'package.path = "./?.lua;" .. package.path\n'
      .. OUTAGE:format(support.interpreter()))
    local out, err = namespace.run("ip link set lo up; " .. support.interpreter() .. " "
      .. program)
    assert.truthy(out:find("6 calls of 1 key .*: no limit exceeded"), out .. err)
  end)

  it("that is not told which signals are pending waits for none #once", function()
    local faultd = support.faultd()
    local library = support.preload [[
      #include <errno.h>
      #include <signal.h>
      #include <string.h>
      int sigpending(sigset_t *set) {
        static int count; /* what is left in the set is anything */
        memset(set, ++count % 2 ? 0 : 0xff, sizeof *set);
        errno = EPERM;
        return -1;
      }]]
    local program = support.tmpdir() .. "/program.lua"
    support.write(program, ([[
      local client = require "bitfront".new { base_url = %q, ca_file = %q,
        api_key = "k", api_secret = "s", rate_limit = false }
      for _ = 1, 3 do assert(client:balances()) end
      print "done"
    ]]):format(faultd:url_body(support.success()), faultd.ca_file))
    local out = support.run(("timeout -s KILL 10 env LD_PRELOAD=%s %s %s")
      :format(library, support.interpreter(), program))
    faultd:stop()
    assert.equal("done\n", out)
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
      local stamp = arrival.timestamp .. arrival.nonce
      assert.is_nil(seen[stamp])
      seen[stamp] = true
    end
    sandbox:stop()
  end)

  it("and its forked child strike out the credentials that both know", function()
    local client = support.client { base_url = "http://127.0.0.1:1" }
    assert.is_true(in_child(function()
      local own = support.client { api_key = "of-the-child", api_secret = "s",
        base_url = "http://127.0.0.1:1" }
      local struck = core.clean(support.KEY .. " of-the-child") == "*** ***"
      own:close()
      return struck and core.clean(support.KEY .. " of-the-child") == "*** of-the-child"
    end))
    assert.equal("of-the-child", core.clean "of-the-child")
    client:close()
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
