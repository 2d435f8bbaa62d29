local accounts = require "bitfront.account"
local one_call = require "spec.support.one_call"
local support = require "spec.support"

describe("credentials", function()
  local faultd
  local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  -- The result of one call in a process of its own.
  local function result(env, options, profile_text, mode)
    return one_call.result(faultd, BODY, { env = env, options = options,
      profile = profile_text, mode = mode })
  end

  local function signed_with(requests, key)
    assert.equal(1, #requests)
    assert.equal(key, requests[1].headers["x-api-key"])
  end

  it("that are missing are named with both variables and the file", function()
    local message, requests = result {}
    assert.truthy(message:find("^config missing_credentials"))
    assert.truthy(message:find("BITFRONT_API_KEY", 1, true))
    assert.truthy(message:find("BITFRONT_API_SECRET", 1, true))
    assert.truthy(message:find("HOME/.config/bitfront/credentials", 1, true))
    assert.equal(0, #requests)
  end)

  it("come from the environment", function()
    local message, requests = result {
      BITFRONT_API_KEY = "env-key", BITFRONT_API_SECRET = "env-secret",
    }
    assert.equal("ok", message)
    signed_with(requests, "env-key")
  end)

  it("of the environment that lack one of the two are not used", function()
    local message, requests = result { BITFRONT_API_KEY = "env-key" }
    assert.equal("config missing_credentials BITFRONT_API_KEY is set, but "
      .. "BITFRONT_API_SECRET is not, and neither is BITFRONT_API_SECRET_FILE", message)
    assert.equal(0, #requests)
  end)

  it("of the environment with a control character are refused, not sent",
    function()
      local message, requests = result {
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
        local message, requests = result { BITFRONT_API_KEY = row[1],
          BITFRONT_API_SECRET = "s" }
        assert.equal("config credentials BITFRONT_API_KEY" .. row[2], message)
        message = result { BITFRONT_API_KEY = "k", BITFRONT_API_SECRET = row[1] }
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
        local message = result({}, ("credentials = function() return %q, 's' end"):format(row[1]))
        assert.equal("config credentials the key of the credentials function" .. row[2], message)
        message = result({}, ("credentials = function() return 'k', %q end"):format(row[1]))
        assert.equal("config credentials the secret of the credentials function" .. row[2],
          message)
      end
    end)

    it("the line", function()
      for value, what in pairs { ['"k"'] = QUOTES, ["'k'"] = QUOTES, ['"'] = QUOTES,
        ["\vk"] = BLANK, ["k\f"] = BLANK, [""] = " must not be empty",
        ["k\1"] = " must be a string of printable ASCII characters",
        ["k\127"] = " must be a string of printable ASCII characters" } do
        local message, requests = result({}, "",
          ("[default]\napi_key = k\napi_secret = %s\n"):format(value))
        assert.equal("config profile HOME/.config/bitfront/credentials: line 3" .. what, message)
        assert.equal(0, #requests)
      end
    end)
  end)

  it("may have blanks and quotes in them", function()
    local message, requests = result { BITFRONT_API_KEY = "a \"b' c\"",
      BITFRONT_API_SECRET = "\"s" }
    assert.equal("ok", message)
    signed_with(requests, "a \"b' c\"")
  end)

  local FILE = "# accounts\n[default]\napi_key = file-key\n"
    .. "api_secret = file-secret\r\n\n[other]\n \tapi_key=other-key\n"
    .. "api_secret=other=secret\n; end\n[half]\napi_key = x\n"

  it("come from the profile file where the environment has none", function()
    local message, requests = result({}, "", FILE)
    assert.equal("ok", message)
    signed_with(requests, "file-key")
  end)

  it("of the environment go before the file's", function()
    local _, requests = result({ BITFRONT_API_KEY = "env-key",
      BITFRONT_API_SECRET = "s" }, "", FILE)
    signed_with(requests, "env-key")
  end)

  it("come from the profile that is asked for", function()
    local _, requests = result({ BITFRONT_API_KEY = "env-key",
      BITFRONT_API_SECRET = "s" }, 'profile = "other"', FILE)
    signed_with(requests, "other-key")
  end)

  it("come from the profile that the environment names", function()
    local _, requests = result({ BITFRONT_PROFILE = "other" }, "", FILE)
    signed_with(requests, "other-key")
  end)

  it("of a profile that is not there are missing", function()
    assert.equal("config profile HOME/.config/bitfront/credentials has no "
      .. "section [nobody]", (result({}, 'profile = "nobody"', FILE)))
    assert.equal("config profile there is no file "
      .. "HOME/.config/bitfront/credentials",
      (result({}, 'profile = "nobody"')))
  end)

  it("of a profile that lack one of the two are refused", function()
    assert.equal("config profile HOME/.config/bitfront/credentials: section "
      .. "[half] has no api_secret", (result({}, 'profile = "half"', FILE)))
    assert.equal("config profile HOME/.config/bitfront/credentials: section "
      .. "[half] has no api_key", (result({}, 'profile = "half"', "[half]\napi_secret = x\n")))
  end)

  it("may begin with a byte order mark and have comments", function()
    for _, before in ipairs { "\239\187\191", "# x\n", "\n ; y\r\n", " \t\r\n[ ]\n[a=b]\n" } do
      assert.equal("ok", (result({}, "", before .. "[default] # mine\n"
        .. "#api_key = no\napi_key = k\n;region = x\napi_secret = s")))
    end
  end)

  for text, expected in pairs {
    ["[default\napi_key = k\napi_secret = s\n"] = "line 1 is neither",
    ["[default] x\napi_key = k\napi_secret = s\n"] = "line 1 is neither",
    ["[default]\n\napi_key: k\napi_secret = s\n"] = "line 3 is neither",
    ["[default]\napi_key = k\napi_secret = s\n[other]\napi_key\n"] = "line 5 is neither",
    ["[default]\napi_key = k\nnonsense = 1\napi_secret = s\n"] = "line 3 sets what is none of "
      .. "api_key, api_secret, credential_process, base_url and ca_file$",
    ["[default]\napi_key = k\napi_secret = s\n[other]\nBASE_URL = https://x\n"] = "line 5 sets",
    ["api_key = k\n[default]\napi_secret = s\n"] = "line 1 stands before any %[section%]$",
    ["[default]\napi_key =\napi_secret = s\n"] = "line 2 must not be empty",
    ["[default]\napi_key = k\napi_secret = s\nbase_url =\n"] = "line 4 must not be empty",
    ["[default]\napi_key = k\napi_secret = s\nca_file = ~/ca.pem\n"] =
      "line 4 must be an absolute path: ~ is not expanded",
    ["[default]\napi_key = k\napi_secret = s\nca_file = ca.pem\n"] = "line 4 must be an absolute",
    ["[default]\napi_key = k\napi_secret = s\nca_file = \"/ca.pem\"\n"] = "line 4 must be an abs",
    ["[default]\napi_key = k\napi_secret = s\nca_file = /\0\n"] = "line 4 has a control",
    ["[default]\napi_key = k\napi_secret = s\nca_file = /\127\n"] = "line 4 has a control",
    ["[default]\nca_file = /" .. ("x"):rep(4096)] = "line 2 is too long",
    ["[default]\nca_file = /" .. ("x"):rep(4095)] = "section %[default%] has no api_key$",
    ["[default]\nca_file = /a\nca_file = /b\n"] = "ca_file is set twice %(line 3%)$",
    ["[default]\napi_key = k\napi_key = l\n"] = "api_key is set twice %(line 3%)$",
    ["[default]\napi_key = \"k\"\napi_secret = s\n"] = "line 2 has quotes",
    ["[default]\napi_key = k\napi_secret = 's'\n"] = "line 3 has quotes",
    ["[default]\napi_key = k\napi_secret = s\n[default]\n"] = "line 4 begins a section again",
  } do
    it(("of %q are refused with the line"):format(text:sub(1, 80)), function()
      local message, requests = result({}, "", text)
      assert.truthy(message:find("^config profile .*credentials: " .. expected), message)
      assert.equal(0, #requests)
    end)
  end

  for _, mode in ipairs { "640", "604", "620", "777" } do
    it("in a file with mode " .. mode .. " are refused, the mode named",
      function()
        local message, requests = result({}, "", FILE, mode)
        assert.truthy(message:find("^config permissions"), message)
        assert.truthy(message:find("mode 0" .. mode, 1, true), message)
        assert.equal(0, #requests)
      end)
  end

  it("in something that is no file are refused", function()
    local home = support.tmpdir()
    os.execute("mkdir -p " .. home .. "/bitfront; mkfifo -m 600 " .. home
      .. "/bitfront/credentials")
    local message = result { XDG_CONFIG_HOME = home }
    assert.truthy(message:find("is not a regular file", 1, true), message)
  end)

  it("in a file too large to be one are refused", function()
    local message = result({}, "", FILE .. ("# filler\n"):rep(9000))
    assert.truthy(message:find("^config profile .* cannot be read"), message)
  end)

  it("in a file that cannot be opened are refused, with the system's reason", function()
    local home = support.tmpdir()
    support.must("mkdir bitfront; ln -s credentials bitfront/credentials", { cwd = home })
    assert.equal("config profile " .. home .. "/bitfront/credentials cannot be opened: "
      .. "Too many levels of symbolic links", (result { XDG_CONFIG_HOME = home }))
  end)

  -- Root may do everything, but for what it has given up.
  it("in a file that the user may not read are refused, with the system's reason", function()
    local home = support.tmpdir()
    support.must("mkdir bitfront; touch bitfront/credentials; chmod 0 bitfront/credentials",
      { cwd = home })
    support.write(home .. "/program.lua",
      [[print(select(2, require "bitfront".new { profile = "x" }:balances()))]])
    local out, err = support.run(("%s %s %s/program.lua"):format(
      support.must "id -u" == "0\n" and "setpriv --bounding-set -all" or "",
      support.interpreter(), home), { env = { XDG_CONFIG_HOME = home } })
    assert.equal(("bitfront: config (profile): %s/bitfront/credentials cannot be opened: "
      .. "Permission denied\n"):format(home), out, err)
  end)

  -- Root gives the file away. An ordinary user cannot, nor read a file of another one:
  -- the process takes itself for another user.
  it("in a file of another user are refused", function()
    local home, user = support.tmpdir(), support.must("id -u"):sub(1, -2)
    local env, owner, process = { XDG_CONFIG_HOME = home }, "65534", user
    support.must("mkdir -m 755 bitfront; touch bitfront/credentials;"
      .. "chmod 600 bitfront/credentials", { cwd = home })
    if user == "0" then
      support.must("chown 65534 bitfront/credentials", { cwd = home })
    else
      owner, process = user, "65534"
      env.LD_PRELOAD = support.preload "unsigned geteuid(void) { return 65534; }"
    end
    assert.equal(("config permissions %s/bitfront/credentials belongs to user %s, "
      .. "but this process is user %s's"):format(home, owner, process), (result(env)))
  end)

  it("without a home folder are missing, the variables named", function()
    for env, reason in pairs {
      [{ HOME = false }] = "HOME is not set, and XDG_CONFIG_HOME is not set",
      [{ HOME = "" }] = "HOME is not set, and XDG_CONFIG_HOME is not set",
      [{ HOME = "home", XDG_CONFIG_HOME = "config" }] =
        "HOME is no absolute path, and XDG_CONFIG_HOME is no absolute path",
    } do
      local message = result(env)
      assert.truthy(message:find "^config missing_credentials no credentials: set ", message)
      assert.truthy(message:find("[default] of the credentials file (" .. reason .. ")", 1, true),
        message)
      -- Not the ones that there are: they are another account's.
      env.BITFRONT_API_KEY, env.BITFRONT_API_SECRET = "env-key", "env-secret"
      local requests
      message, requests = result(env, 'profile = "two"')
      assert.equal("config profile section [two] of the credentials file cannot be found: "
        .. reason, message)
      assert.equal(0, #requests)
    end
    assert.truthy(result({ HOME = false, BITFRONT_PROFILE = "two" })
      :find("config profile section [two] of the credentials file cannot be found: HOME", 1, true))
  end)

  describe("with an exchange of their own", function()
    -- Two exchanges: what was asked is told by the listener.
    local function section(name, more)
      return ("[%s]\napi_key = %s-key\napi_secret = s\nbase_url = %s\n%s\n"):format(name, name,
        faultd:url_body(BODY, { listener = "plain" }), more or "")
    end

    local function asked(listener, requests, key)
      assert.equal(1, #requests)
      assert.equal(listener, requests[1].listener)
      assert.equal(key, requests[1].headers["x-api-key"])
    end

    local function path_of(options)
      local home = support.tmpdir()
      support.must("umask 077; mkdir bitfront", { cwd = home })
      support.write(home .. "/bitfront/credentials", options)
      support.must("chmod 600 bitfront/credentials", { cwd = home })
      return home
    end

    it("ask there, whatever the environment says", function()
      local message, requests = result({}, "", section "default")
      assert.equal("ok", message)
      asked("plain", requests, "default-key")
      faultd:forget()
      message, requests = result({ BITFRONT_BASE_URL = "http://example.com" }, "",
        section "default")
      assert.equal("ok", message)
      asked("plain", requests, "default-key")
      faultd:forget()
      message, requests = result({}, 'profile = "two"', section "default" .. section "two")
      assert.equal("ok", message)
      asked("plain", requests, "two-key")
    end)

    it("ask nowhere where they have none, and the environment a wrong one", function()
      local text = section "default":gsub("base_url = %S+", "ca_file = " .. faultd.ca_file)
      local message, requests = result({ BITFRONT_BASE_URL = "http://example.com" }, "", text)
      assert.matches("^config base_url BITFRONT_BASE_URL: ", message)
      assert.equal(0, #requests)
    end)

    it("ask elsewhere only where an option says so", function()
      local message, requests = result({},
        ("base_url = %q"):format(faultd:url_body(BODY)), section "default")
      assert.equal("ok", message)
      asked("good", requests, "default-key")
    end)

    it("that are not the account's change nothing", function()
      local message, requests = result({ BITFRONT_API_KEY = "env-key",
        BITFRONT_API_SECRET = "s" }, "", section "default")
      assert.equal("ok", message)
      asked("good", requests, "env-key")
      faultd:forget()
      message, requests = result({}, 'api_key = "k", api_secret = "s"', section "default")
      assert.equal("ok", message)
      asked("good", requests, "k")
      faultd:forget()
      message, requests = result({}, 'credentials = function() return "f", "s" end',
        section "default")
      assert.equal("ok", message)
      asked("good", requests, "f")
    end)

    it("trust whom their section names, but for an option", function()
      local text = ("[default]\napi_key = k\napi_secret = s\nca_file = %s\n")
      local right, wrong = faultd.ca_file, "/nonexistent/ca.pem"
      local function with(section_ca, option_ca, variable)
        return (result({ BITFRONT_CA_FILE = variable },
          option_ca and ("ca_file = %q"):format(option_ca), text:format(section_ca)))
      end
      assert.equal("ok", with(right, nil, wrong))
      assert.truthy(with(wrong, nil, right):find "^tls ca_file ")
      assert.equal("ok", with(wrong, right, wrong))
    end)

    it("ask there for the time too, before and after a signed call", function()
      local home = path_of(section "default")
      local out, err = support.lua([[
        local client = require "bitfront".new()
        print((client:server_time()), #client:balances(), (client:server_time()))
      ]], { env = { XDG_CONFIG_HOME = home, BITFRONT_API_KEY = false,
        BITFRONT_API_SECRET = false, BITFRONT_PROFILE = false,
        BITFRONT_BASE_URL = faultd:url_body(BODY) } })
      assert.equal("1525239801363\t1\t1525239801363\n", out, err)
      for i, request in ipairs(faultd:requests()) do
        assert.equal("plain", request.listener, i)
      end
      assert.equal(3, #faultd:requests())
    end)

    it("are not guessed where their section cannot be read", function()
      for options, text in pairs {
        ["profile = 'two'"] = section "default",
        [""] = section "default" .. "nonsense = 1\n",
      } do
        local home = path_of(text)
        local out = support.lua(([[
          local client = require "bitfront".new { %s }
          print(select(2, client:server_time()).code)
        ]]):format(options), { env = { XDG_CONFIG_HOME = home, BITFRONT_API_KEY = false,
          BITFRONT_API_SECRET = false, BITFRONT_PROFILE = false,
          BITFRONT_CA_FILE = faultd.ca_file, BITFRONT_BASE_URL = faultd:url_body(BODY) } })
        assert.equal("profile\n", out)
        assert.equal(0, #faultd:requests())
      end
    end)

    it("work with a client that was there before they were right", function()
      local home = path_of("[default]\napi_key = k\napi_secret = s\nbase_url = ftp://x\n")
      local out, err = support.lua(([[
        local client = require "bitfront".new()
        print(select(2, client:balances()).message)
        print(select(2, client:server_time()).code)
        os.remove(%q)
        print((client:server_time())) -- there is no section: the environment's
        os.rename(%q, %q)
        print(#client:balances(), (client:server_time()))
        client:close()
        print(select(2, client:server_time()).kind)
      ]]):format(home .. "/bitfront/credentials", path_of(section "default")
        .. "/bitfront/credentials", home .. "/bitfront/credentials"),
        { env = { XDG_CONFIG_HOME = home, BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
          BITFRONT_PROFILE = false, BITFRONT_CA_FILE = faultd.ca_file,
          BITFRONT_BASE_URL = faultd:url_body(BODY) } })
      assert.equal(home .. "/bitfront/credentials: line 4: base_url must begin with https://\n"
        .. "base_url\n1525239801363\n1\t1525239801363\nclosed\n", out, err)
      local listeners = {}
      for i, request in ipairs(faultd:requests()) do listeners[i] = request.listener end
      assert.same({ "good", "plain", "plain" }, listeners)
    end)

    it("are not timed by a reply of the one that was asked before they were found", function()
      local path = path_of(section "default") .. "/bitfront/credentials"
      local home = path_of ""
      local out, err = support.lua(([[
        local path, client = %q, nil
        client = require "bitfront".new { retries = 1, on_attempt = function(event)
          if event.code == 5000 and event.attempt == 1 then
            os.rename(%q, path)
            client:balances()
          end
        end }
        print(select(2, client:server_time()).code, #client:balances())
      ]]):format(home .. "/bitfront/credentials", path),
        { env = { XDG_CONFIG_HOME = home, BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
          BITFRONT_PROFILE = false, BITFRONT_CA_FILE = faultd.ca_file,
          BITFRONT_BASE_URL = faultd:url_body('{"timezone":"UTC","responseTime":1625239801363,'
            .. '"statusCode":5000,"statusMessage":"x"}') } })
      assert.equal("5000\t1\n", out, err)
      local requests, listeners = faultd:requests(), {}
      for i, request in ipairs(requests) do listeners[i] = request.listener end
      assert.same({ "good", "plain", "good", "plain" }, listeners)
      local timestamp = tonumber(requests[4].headers["x-api-timestamp"])
      assert.is_true(math.abs(timestamp - 1525239801363) < 60000, tostring(timestamp))
    end)

    for url, what in pairs {
      ["http://example.com"] = "base_url may be http:// only for a loopback address; use https://",
      ["https://u:p@127.0.0.1"] = "base_url must not hold a user or password",
      ['"https://127.0.0.1"'] = "base_url ", ["https://127.0.0.1/ x"] = "base_url ",
      ["https://a/b\252"] = "base_url is not a URL with a host",
    } do
      local shown = url:gsub("[^ -~]", "?")
      it("with the invalid base_url " .. shown .. " are refused with the line", function()
        for _, name in ipairs { "default", "other" } do
          local message, requests = result({}, "", "[default]\napi_key = k\napi_secret = s\n"
            .. (name == "other" and "[other]\n" or "") .. "base_url = " .. url)
          local expected = ("config base_url HOME/.config/bitfront/credentials: line %d: %s")
            :format(name == "default" and 4 or 5, what)
          assert.truthy(message:find(expected, 1, true), message)
          assert.equal(0, #requests)
        end
      end)
    end
  end)

  describe("from a function", function()
    local function client_of(credentials)
      return require "bitfront".new { credentials = credentials,
        base_url = faultd:url_body(BODY), ca_file = faultd.ca_file }
    end

    it("are asked for at each call, so new ones are used at once", function()
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
      assert.is_false(accounts.of(client).handle:has_credentials())
      assert.equal(0, #faultd:requests())
    end)

    it("raise what the function raises", function()
      local client = client_of(function() error("vault is sealed", 0) end)
      assert.has_error(function() client:balances() end, "vault is sealed")
      client:close()
    end)

    describe("are those of one call", function()
      local core = require "bitfront.core"
      local SECRETS = { tenant1 = "secret-1", tenant2 = "secret-2" }
      local sandbox, key

      setup(function()
        sandbox = support.sandbox()
        local tenants = {}
        for name, secret in pairs(SECRETS) do
          tenants[#tenants + 1] = { api_key = name, api_secret = secret,
            balances = { { currency = name == "tenant1" and "AAA" or "BBB", balance = 1,
              availableBalance = 1 } } }
        end
        sandbox:accounts(tenants)
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
        assert.equal(1, select(2, store:peek(accounts.of(client).handle:key_id()))) -- tenant2's
        client:close()
      end)
    end)
  end)
end)

describe("the credentials of every account of the process", function()
  local core = require "bitfront.core"
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function account(key, secret, options)
    local all = { api_key = key, api_secret = secret, base_url = "http://127.0.0.1:1" }
    for name, value in pairs(options or {}) do all[name] = value end
    return support.client(all)
  end

  local function refusal(text)
    return faultd:url_body(support.refusal(5000, '"' .. text .. '"'))
  end

  local ASKS = {
    ["balances"] = function(client) return client:balances() end,
    ["server_time"] = function(client) return client:server_time() end,
    ["get, signed,"] = function(client) return client:get "/v1/x" end,
    ["get, unsigned,"] = function(client) return client:get "/v1/public/x" end,
  }

  local function message_of(text, ask)
    local client = account("asking-key", "asking-secret", { base_url = refusal(text) })
    local _, err, info = (ask or ASKS.balances)(client)
    client:close()
    assert.equal(err.message, info.statusMessage)
    return err.message
  end

  for name, ask in pairs(ASKS) do
    it("are struck out of what " .. name .. " gives back", function()
      local other = account("first-account-key", "first-account-secret")
      assert.equal("<***|***|***|***|***>", message_of("<first-account-key|"
        .. "FIRST-account-secret|asking-key|asking-secret|" .. ("0a"):rep(32) .. ">", ask))
      other:close()
    end)
  end

  it("are looked for while a client has them", function()
    local one, two = account("shared-key", "secret-of-one"), account("shared-key", "secret-of-two")
    one:close()
    assert.equal("*** secret-of-one ***", message_of "shared-key secret-of-one secret-of-two")
    two:close()
    assert.equal("shared-key", message_of "shared-key")
  end)

  it("are not looked for where they are shorter than 8 characters", function()
    local other = account("SUCCESS", "server")
    assert.equal("SUCCESS of a server", message_of "SUCCESS of a server")
    other:close()
  end)

  it("may be many", function()
    local clients = {}
    for i = 1, 300 do clients[i] = account(("key-number-%d-"):format(i), "secret") end
    for i = 300, 2, -2 do clients[i]:close() end
    assert.equal("*** key-number-2- *** key-number-300-",
      message_of "key-number-1- key-number-2- key-number-299- key-number-300-")
    for i = 1, 300, 2 do clients[i]:close() end
  end)

  it("are struck out of what a limiter's store says", function()
    local function broken() return nil, "bad asking-key\27[2J asking-secret" end
    local client = account("asking-key", "asking-secret",
      { rate_limit = { store = { acquire = broken, release = broken, block = broken } } })
    local _, err = client:balances()
    client:close()
    assert.equal("store", err.code)
    assert.truthy(err.message:find("bad ***\\x1B[2J ***", 1, true), err.message)
  end)

  it("are struck out of what comes from the engine's thread", function()
    local other = account("first-account-key", "first-account-secret")
    local client = assert(core.new { ca_file = faultd.ca_file, user_agent = "spec",
      base_url = refusal "of first-account-key", connect_timeout = 3, max_body = 1e6 })
    local job = assert(core.thread_start { client = client,
      expect = "public", path = "/v1/public/time", deadline = core.now() + 5 })
    local last = core.now() + 20
    while not job:done() do
      assert(core.now() < last, "the job does not end")
      core.sleep(0.001)
    end
    assert.equal("of ***", select(2, job:finish()).message)
    client:close()
    other:close()
  end)

  it("that the text's end cuts off are struck out from 8 characters on", function()
    local client = account(support.KEY, support.SECRET)
    for len = 1, #support.SECRET do
      local begun = support.SECRET:sub(1, len)
      assert.equal("x" .. (len < 8 and begun or "***"), core.clean("x" .. begun))
    end
    local ordinary = support.SECRET:sub(1, 20) .. "-"
    assert.equal(ordinary, core.clean(ordinary))
    client:close()
  end)

  it("are found in escapes alone that are whole, and of ASCII characters", function()
    local client = account("%a\\bcdefgh", support.SECRET)
    for _, escape in ipairs { "%", "%2", "%g5", "%2g", "%00", "%a5", "\\", "\\u002", "\\u0000",
      "\\u00a5", "\\u00g5", "%61", "\\a" } do
      assert.equal(escape, core.clean(escape))
      assert.equal("x" .. escape .. "bcdefgh", core.clean("x" .. escape .. "bcdefgh"))
    end
    for _, key in ipairs { "%a\\bcdefgh", "%25%61%5c%62cdefgh", "\\u0025A\\\\bcdefgh",
      "\\%a\\\\bcdefgh" } do
      assert.equal("x***y", core.clean("x" .. key .. "y"))
    end
    for _, last in ipairs { "%68", "\\u0068", "\\h" } do
      assert.equal("x***", core.clean("x%a\\bcdefg" .. last))
    end
    client:close()
    client = account("%25abcdef", support.SECRET) -- its own escape
    for _, key in ipairs { "%25abcdef", "%2525abcdef" } do
      assert.equal("x***y", core.clean("x" .. key .. "y"))
    end
    client:close()
    client = account("_pbcdefgh", support.SECRET)
    for _, key in ipairs { "_%70bcdefgh", "%5Fpbcdefgh" } do
      assert.equal("***", core.clean(key))
    end
    for _, other in ipairs { "%6gpbcdefgh", "_x70bcdefgh", "_xu0070bcdefgh", "_xpbcdefgh",
      "_\\x0070bcdefgh", "_\\u0170bcdefgh" } do
      assert.equal(other, core.clean(other))
    end
    client:close()
  end)
end)

describe("a text that is shown", function()
  local core = require "bitfront.core"

  it("has control characters, and bytes that are not UTF-8, written out", function()
    for text, shown in pairs {
      [""] = "", ["plain"] = "plain", ["\0\1\27\127"] = "\\x00\\x01\\x1B\\x7F",
      ["\195\169\240\159\152\128"] = "\195\169\240\159\152\128",
      ["\194\128\194\159\194\160"] = "\\x80\\x9F\194\160",
      ["\226\128\174\239\187\191"] = "\\u{202E}\\u{FEFF}",
      ["a\195"] = "a\\xC3", ["\195a"] = "\\xC3a", ["\255\254"] = "\\xFF\\xFE",
      ["\193\129"] = "\\xC1\\x81", ["\224\130\155"] = "\\xE0\\x82\\x9B", -- overlong
      ["\237\160\128"] = "\\xED\\xA0\\x80", ["\244\144\128\128"] = "\\xF4\\x90\\x80\\x80",
    } do
      assert.equal(shown, core.escape(text))
      assert.equal(shown, core.clean(text))
      assert.equal(shown, core.clean(shown)) -- and again, nothing more
    end
  end)

  it("has what is hidden written out in any plane, in JSON as a surrogate pair", function()
    for text, shown in pairs {
      ["\243\160\128\129"] = { "\\u{E0001}", "\\udb40\\udc01" },
      ["\240\157\133\179"] = { "\\u{1D173}", "\\ud834\\udd73" },
      ["\226\128\174"] = { "\\u{202E}", "\\u202e" },
      ["\243\176\128\128"] = { "\243\176\128\128", "\243\176\128\128" }, -- behind the last one
    } do
      assert.equal(shown[1], core.escape(text))
      assert.equal(shown[2], core.escape(text, true))
    end
  end)
end)

describe("the memory of a process", function()
  local memory = require "spec.support.memory"
  local KEY, SECRET = "Kq7ZxPmW93LsTbVd", "sEcReT-oF-tHe-aCcOuNt-8817263544"
  local faultd, home

  setup(function()
    faultd = support.faultd()
    home = support.tmpdir()
    support.must("mkdir bitfront && chmod 700 bitfront", { cwd = home })
    support.write(home .. "/bitfront/credentials",
      ("[default]\napi_key = %s\napi_secret = %s\n"):format(KEY, SECRET))
    support.must("chmod 600 bitfront/credentials", { cwd = home })
  end)
  teardown(function() faultd:stop() end)

  -- How often the text is there while the client is open, and when it is not.
  local function count(text, listener, message, wipe)
    local url = faultd:url { listener = listener, echo = 1, close = "keep",
      reply = support.reply(support.refusal(4003, '"' .. message .. '"'), { echo = 1 }) }
    local counts = memory.count(text, ([[
      local client = require "bitfront".new { base_url = %q, ca_file = %q,
        rate_limit = false, retries = 0 }
      for _ = 1, 3 do
        local _, err = client:balances()
        assert(err.code == 4003, err)
      end
      look()
      client:close()
      look()
    ]]):format(url, faultd.ca_file), { wipe = wipe, env = {
      XDG_CONFIG_HOME = home, BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
    } })
    assert.equal(2, #counts)
    return counts[1], counts[2]
  end

  for _, listener in ipairs { "good", "plain" } do
    for name, text in pairs { key = KEY, secret = SECRET } do
      local more = listener == "plain" and (" "):rep(5000) or "" -- the buffer grows
      it(("holds no %s once its client is closed, also where a server sent it (%s) #once")
        :format(name, listener), function()
          local open, closed = count(text, listener,
            "{X-API-KEY} {X-API-SIGN} " .. SECRET .. more, true)
          assert.is_true(open > 0)
          assert.equal(0, closed)
        end)
    end
  end

  it("holds neither in what was freed, where the server sent none #once", function()
    for _, text in ipairs { KEY, SECRET } do
      local open, closed = count(text, "good", "INVALID SIGNATURE")
      assert.is_true(open > 0)
      assert.equal(0, closed)
    end
  end)

  it("that is freed never holds a key or secret, of a file or from the server #once", function()
    local long = '"' .. ("x"):rep(70000) .. SECRET .. '"' -- cut before the secret is found
    local reply = support.reply(support.refusal(4003, long))
    for _, text in ipairs { KEY, SECRET } do
      local counts = memory.count(text, ([[
        local client = require "bitfront".new { base_url = %q, rate_limit = false, retries = 0 }
        assert(select(2, client:balances()).code == 4003)
        client:close()
        collectgarbage()
        look()
      ]]):format(faultd:url { listener = "plain", reply = reply }),
        { freed = true, env = {
          XDG_CONFIG_HOME = home, BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
        } })
      assert.same({ 0 }, counts)
    end
  end)
end)
