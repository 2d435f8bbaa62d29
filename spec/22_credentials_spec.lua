local support = require "spec.support"

describe("credentials", function()
  local faultd
  local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  -- The outcome of one call in a process of its own, whose home and
  -- environment are as given: "ok", or kind, code and message.
  local function outcome(env, options, profile_text, mode)
    local home = support.tmpdir()
    if profile_text then
      os.execute("mkdir -p " .. home .. "/.config/bitfront")
      support.write(home .. "/.config/bitfront/credentials", profile_text)
      os.execute(("chmod %s %s/.config/bitfront/credentials")
        :format(mode or "600", home))
    end
    local all = { HOME = home, XDG_CONFIG_HOME = false,
      BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
      BITFRONT_PROFILE = false, BITFRONT_CA_FILE = faultd.ca_file,
      BITFRONT_BASE_URL = faultd:url_body(BODY) }
    for name, value in pairs(env) do all[name] = value end
    local out, err = support.lua(([[
      local client = require "bitfront".new { %s }
      local records, err = client:balances()
      print(records and "ok" or err.kind .. " " .. err.code .. " " .. err.message)
    ]]):format(options or ""), { env = all })
    return (out .. err):gsub("\n$", ""):gsub(home, "HOME"), faultd:requests()
  end

  local function signed_with(requests, key)
    assert.equal(1, #requests)
    assert.equal(key, requests[1].headers["x-api-key"])
  end

  it("that are missing are named with both variables and the file", function()
    local message, requests = outcome {}
    assert.truthy(message:find("^config missing_credentials"))
    assert.truthy(message:find("BITFRONT_API_KEY", 1, true))
    assert.truthy(message:find("BITFRONT_API_SECRET", 1, true))
    assert.truthy(message:find("HOME/.config/bitfront/credentials", 1, true))
    assert.equal(0, #requests)
  end)

  it("come from the environment", function()
    local message, requests = outcome {
      BITFRONT_API_KEY = "env-key", BITFRONT_API_SECRET = "env-secret",
    }
    assert.equal("ok", message)
    signed_with(requests, "env-key")
  end)

  it("of the environment are of no use by halves", function()
    local message, requests = outcome { BITFRONT_API_KEY = "env-key" }
    assert.equal("config missing_credentials BITFRONT_API_KEY is set, but "
      .. "BITFRONT_API_SECRET is not", message)
    assert.equal(0, #requests)
  end)

  it("of the environment with a control character are refused, not sent",
    function()
      local message, requests = outcome {
        BITFRONT_API_KEY = "key\nX-Other: header", BITFRONT_API_SECRET = "s",
      }
      assert.truthy(message:find("^config credentials BITFRONT_API_KEY must be"), message)
      assert.equal(0, #requests)
    end)

  -- The exchange counts the calls of "K" and of "K " as one key's.
  describe("with a blank or quotes around them are refused, not sent, naming", function()
    local BLANK = " has a blank at its beginning or end, which would be part of it"
    local QUOTES = " has quotes around it, which would be part of it"
    local ROWS = {
      { "k ", BLANK }, { " k", BLANK }, { "\tk", BLANK }, { "k\t", BLANK },
      { "k\n", BLANK }, { "k\r", BLANK }, { "\vk", BLANK }, { "k\f", BLANK },
      { " ", BLANK }, { '"k"', QUOTES }, { "'k'", QUOTES }, { '""', QUOTES },
      { '"', QUOTES }, { "'", QUOTES }, { '" k "', QUOTES },
    }

    it("the variable", function()
      for _, row in ipairs(ROWS) do
        local message, requests = outcome { BITFRONT_API_KEY = row[1],
          BITFRONT_API_SECRET = "s" }
        assert.equal("config credentials BITFRONT_API_KEY" .. row[2], message)
        message = outcome { BITFRONT_API_KEY = "k", BITFRONT_API_SECRET = row[1] }
        assert.equal("config credentials BITFRONT_API_SECRET" .. row[2], message)
        assert.equal(0, #requests)
      end
    end)

    it("the option, at the caller's line", function()
      local bitfront = require "bitfront"
      for _, name in ipairs { "api_key", "api_secret" } do
        for _, row in ipairs(ROWS) do
          local options = { api_key = "k", api_secret = "s" }
          options[name] = row[1]
          local ok, message = pcall(function() bitfront.new(options) end)
          assert.is_false(ok)
          assert.truthy(message:find("^[^\n]*22_credentials_spec%.lua:%d+: bitfront%.new: "
            .. name .. " [mh]"), message)
        end
      end
    end)

    it("what the function gave", function()
      for _, row in ipairs(ROWS) do
        local message = outcome({}, ("credentials = function() return %q, 's' end"):format(row[1]))
        assert.equal("config credentials the key of the credentials function" .. row[2], message)
        message = outcome({}, ("credentials = function() return 'k', %q end"):format(row[1]))
        assert.equal("config credentials the secret of the credentials function" .. row[2],
          message)
      end
    end)

    it("the line", function()
      for value, what in pairs { ['"k"'] = QUOTES, ["'k'"] = QUOTES, ['"'] = QUOTES,
        ["\vk"] = BLANK, ["k\f"] = BLANK, [""] = " must not be empty",
        ["k\1"] = " must be a string of printable ASCII characters" } do
        local message, requests = outcome({}, "",
          ("[default]\napi_key = k\napi_secret = %s\n"):format(value))
        assert.equal("config profile HOME/.config/bitfront/credentials: line 3" .. what, message)
        assert.equal(0, #requests)
      end
    end)
  end)

  it("may have blanks and quotes in them", function()
    local message, requests = outcome { BITFRONT_API_KEY = "a \"b' c\"",
      BITFRONT_API_SECRET = "\"s" }
    assert.equal("ok", message)
    signed_with(requests, "a \"b' c\"")
  end)

  local FILE = "# accounts\n[default]\napi_key = file-key\n"
    .. "api_secret = file-secret\r\n\n[other]\n  api_key=other-key\n"
    .. "api_secret=other=secret\n; end\n[half]\napi_key = x\n"

  it("come from the profile file where the environment has none", function()
    local message, requests = outcome({}, "", FILE)
    assert.equal("ok", message)
    signed_with(requests, "file-key")
  end)

  it("of the environment go before the file's", function()
    local _, requests = outcome({ BITFRONT_API_KEY = "env-key",
      BITFRONT_API_SECRET = "s" }, "", FILE)
    signed_with(requests, "env-key")
  end)

  it("come from the profile that is asked for", function()
    local _, requests = outcome({ BITFRONT_API_KEY = "env-key",
      BITFRONT_API_SECRET = "s" }, 'profile = "other"', FILE)
    signed_with(requests, "other-key")
  end)

  it("come from the profile that the environment names", function()
    local _, requests = outcome({ BITFRONT_PROFILE = "other" }, "", FILE)
    signed_with(requests, "other-key")
  end)

  it("of a profile that is not there are missing", function()
    assert.equal("config profile HOME/.config/bitfront/credentials has no "
      .. "section [nobody]", (outcome({}, 'profile = "nobody"', FILE)))
    assert.equal("config profile there is no file "
      .. "HOME/.config/bitfront/credentials",
      (outcome({}, 'profile = "nobody"')))
  end)

  it("of a profile by halves are refused", function()
    assert.equal("config profile HOME/.config/bitfront/credentials: section "
      .. "[half] has no api_secret", (outcome({}, 'profile = "half"', FILE)))
  end)

  it("may begin with a byte order mark and have comments", function()
    for _, before in ipairs { "\239\187\191", "# x\n", "\n ; y\r\n" } do
      assert.equal("ok", (outcome({}, "", before .. "[default] # mine\n"
        .. "#api_key = no\napi_key = k\nregion = x\napi_secret = s")))
    end
  end)

  for text, trouble in pairs {
    ["[default\napi_key = k\napi_secret = s\n"] = "line 1 is neither",
    ["[default] x\napi_key = k\napi_secret = s\n"] = "line 1 is neither",
    ["[default]\n\napi_key: k\napi_secret = s\n"] = "line 3 is neither",
    ["[default]\napi_key = k\napi_secret = s\n[other]\napi_key\n"] = "line 5 is neither",
    ["[default]\napi_key = k\napi_key = l\n"] = "line 3 says it a second time",
    ["[default]\napi_key = \"k\"\napi_secret = s\n"] = "line 2 has quotes",
    ["[default]\napi_key = k\napi_secret = 's'\n"] = "line 3 has quotes",
    ["[default]\napi_key = k\napi_secret = s\n[default]\n"] = "line 4 begins a section again",
  } do
    it(("of %q are refused with the line"):format(text), function()
      local message, requests = outcome({}, "", text)
      assert.truthy(message:find("^config profile .*credentials: " .. trouble), message)
      assert.equal(0, #requests)
    end)
  end

  for _, mode in ipairs { "640", "604", "620", "777" } do
    it("in a file with mode " .. mode .. " are refused, the mode named",
      function()
        local message, requests = outcome({}, "", FILE, mode)
        assert.truthy(message:find("^config permissions"), message)
        assert.truthy(message:find("mode 0" .. mode, 1, true), message)
        assert.equal(0, #requests)
      end)
  end

  it("in something that is no file are refused", function()
    local home = support.tmpdir()
    os.execute("mkdir -p " .. home .. "/bitfront; mkfifo -m 600 " .. home
      .. "/bitfront/credentials")
    local message = outcome { XDG_CONFIG_HOME = home }
    assert.truthy(message:find("is not a regular file", 1, true), message)
  end)

  it("in a file too large to be one are refused", function()
    local message = outcome({}, "", FILE .. ("# filler\n"):rep(9000))
    assert.truthy(message:find("^config profile .* cannot be read"), message)
  end)

  it("without a home folder are missing", function()
    assert.truthy(outcome({ HOME = false }):find "^config missing_credentials")
  end)

  describe("from a function", function()
    local function client_of(credentials)
      return require "bitfront".new { credentials = credentials,
        base_url = faultd:url_body(BODY), ca_file = faultd.ca_file }
    end

    it("are asked for at each call, so a new pair counts at once", function()
      local calls = 0
      local client = client_of(function()
        calls = calls + 1
        return "key-" .. calls, "secret"
      end)
      assert(client:balances())
      assert(client:balances())
      local requests = faultd:requests()
      assert.equal("key-1", requests[1].headers["x-api-key"])
      assert.equal("key-2", requests[2].headers["x-api-key"])
      client:close()
    end)

    it("are not asked for where nothing is signed", function()
      local client = client_of(function() error "asked" end)
      assert.truthy(client:server_time())
      client:close()
    end)

    it("that are not two strings are missing", function()
      local client = client_of(function() return "key" end)
      local records, err = client:balances()
      assert.is_nil(records)
      assert.equal("config", err.kind)
      assert.equal("the credentials function returned string and nil, not two "
        .. "strings", err.message)
      assert.equal(0, #faultd:requests())
      client:close()
    end)

    it("with a control character are refused, not sent", function()
      local client = client_of(function() return "key\r\nX: y", "secret" end)
      local _, err = client:balances()
      assert.equal("config", err.kind)
      assert.equal(0, #faultd:requests())
      client:close()
    end)

    it("of a client that is closed meanwhile are not kept", function()
      local client
      client = client_of(function()
        client:close()
        return "key", "secret"
      end)
      local _, err = client:balances()
      assert.equal("closed", err.kind)
      assert.is_false(client._native:has_credentials())
      assert.equal(0, #faultd:requests())
    end)

    it("raise what the function raises", function()
      local client = client_of(function() error("vault is sealed", 0) end)
      assert.has_error(function() client:balances() end, "vault is sealed")
      client:close()
    end)

    describe("stay one call's own", function()
      local core = require "bitfront.core"
      local SECRETS = { tenant1 = "secret-1", tenant2 = "secret-2" }
      local sandbox, key

      setup(function()
        sandbox = support.sandbox()
        local accounts = {}
        for name, secret in pairs(SECRETS) do
          accounts[#accounts + 1] = { api_key = name, api_secret = secret,
            balances = { { currency = name == "tenant1" and "AAA" or "BBB", balance = 1,
              availableBalance = 1 } } }
        end
        sandbox:accounts(accounts)
      end)
      teardown(function() sandbox:stop() end)
      before_each(function() sandbox:control("DELETE", "log") end)

      local function tenant_client(options)
        local all = { base_url = sandbox.base_url, ca_file = sandbox.ca_file,
          credentials = function() return key, SECRETS[key] end }
        for name, value in pairs(options) do all[name] = value end
        return require "bitfront".new(all)
      end

      local function keys_seen()
        local keys = {}
        for i, arrival in ipairs(sandbox:log()) do keys[i] = arrival.key end
        return table.concat(keys, " ")
      end

      it("while it waits for its turn", function()
        local client = tenant_client {
          rate_limit = { store = require "bitfront.limiter.memory".new() },
          sleep = function(seconds)
            local due = core.now() + seconds
            repeat coroutine.yield() until core.now() >= due
          end,
        }
        local waiting = coroutine.create(function()
          for i = 1, 4 do
            key = "tenant1"
            local records, err = client:balances()
            assert.equal("AAA", (records or error(err))[1].currency, i)
          end
        end)
        repeat
          assert(coroutine.resume(waiting))
        until #sandbox:log() == 3
        local other = coroutine.create(function()
          key = "tenant2"
          assert.equal("BBB", assert(client:balances())[1].currency)
        end)
        while coroutine.status(other) ~= "dead" do assert(coroutine.resume(other)) end
        while coroutine.status(waiting) ~= "dead" do assert(coroutine.resume(waiting)) end
        assert.equal("tenant1 tenant1 tenant1 tenant2 tenant1", keys_seen())
        client:close()
      end)

      it("when it is tried again", function()
        local store = require "bitfront.limiter.memory".new()
        local client
        client = tenant_client { rate_limit = { store = store }, on_attempt = function(event)
          if event.kind and key == "tenant1" then
            key = "tenant2"
            assert(client:balances())
          end
        end }
        key = "tenant1"
        sandbox:script { statusCode = 5000 }
        assert.equal("AAA", assert(client:balances())[1].currency)
        assert.equal("tenant1 tenant2 tenant1", keys_seen())
        assert.equal(1, select(2, store:peek(client._native:key_id()))) -- tenant2's
        client:close()
      end)
    end)
  end)
end)
