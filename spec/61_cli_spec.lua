local cjson = require "cjson"
local command = require "spec.support.command"
local exit_status = require "bitfront.cli.exit_status"
local rows = require "bitfront.rows"
local status = require "bitfront.status"
local support = require "spec.support"

local EXAMPLE = [[
currency             balance    availableBalance
BCH       1000000000          1000000000
XRP       1000003043.7        1000002063.7
ETH       1000107794.9999858  1000107794.9999858
BTC       3999974992.35615    3999970806.72614
USDT      1000000000           999998671.673
]]

local JSON = [=[
[
  {"currency":"XRP","balance":1000003043.7,"availableBalance":1000002063.7},
  {"currency":"USDT","balance":1000000000,"availableBalance":999998671.673}
]
]=]

local bitfront, environment = command.run, command.environment
local with_credentials, one_line = command.with_credentials, command.is_one_line
local is_misuse, fails = command.is_misuse, command.fails

describe("the command #apart", function()
  it("says its version", function()
    assert.same({ "bitfront " .. require "bitfront"._VERSION .. "\n", "", 0 },
                { bitfront "--version" })
  end)

  it("names its commands in its help", function()
    local out, err, code = bitfront "--help"
    for _, name in ipairs { "balances", "balance", "watch", "time", "sandbox", "doctor" } do
      assert.truthy(out:find("\n +" .. name .. " "))
    end
    assert.same({ "", 0 }, { err, code })
  end)

  it("has no option that takes the secret", function()
    for _, name in ipairs { "balances", "balance", "watch", "time", "sandbox", "doctor" } do
      local out = bitfront(name .. " --help")
      assert.is_nil(out:lower():find("secret"))
    end
  end)

  it("ends with 1 and one line on stderr where a module of its own is damaged", function()
    local dir = support.tmpdir()
    support.must("mkdir -p bitfront/cli", { cwd = dir })
    local path = dir .. "/?.lua;" .. package.path
    for _, raised in ipairs { "'two\\nlines'",
      "setmetatable({}, { __tostring = function() return 'two\\nlines' end })" } do
      support.write(dir .. "/bitfront/cli/completion.lua",
        ("return function() error(%s, 0) end"):format(raised))
      assert.same({ "", "bitfront: two\\x0Alines\n", 1 },
                  { bitfront("completion bash", environment { LUA_PATH = path }) })
    end
  end)

  it("ends with 2 and one line on stderr when it is called wrongly", function()
    is_misuse("", "a command is required")
    is_misuse("balence", "unknown command")
    is_misuse("balances --frobnicate", "unknown option")
    is_misuse("balances --format xml", "table.*json")
    is_misuse("balances --currency BTC,", "coin code")
    is_misuse("balances --currency ''", "coin code")
    is_misuse("balances --sort balance --sort currency", "at most 1 time")
    is_misuse("balances --columns balance --columns currency", "at most 1 time")
    is_misuse("balances extra", "too many arguments")
    is_misuse("balance", "missing argument")
    is_misuse("sandbox --port 99999", "port")
    is_misuse("sandbox --port 1e3", "port")
    is_misuse("sandbox --background --stop", "together")
    is_misuse("sandbox --dir ''", "empty")
    is_misuse("sandbox --stop --port 5", "for starting it")
    is_misuse("sandbox --check-limits --accounts x", "for starting it")
    is_misuse("balances --currency BTC --currency ETH", "at most 1 time")
    is_misuse("balance BTC --profile a --profile b", "at most 1 time")
    is_misuse("balances --foramt json", "unknown option '%-%-foramt'; Did you mean "
      .. "'%-%-format'%? %(see bitfront balances %-%-help%)")
  end)

  it("takes a --timeout as the library does", function()
    for _, seconds in ipairs { "0", "-1", "x", "1e3", "0x10", "nan", "inf", "86401", "''", "1,5",
      "'1 '" } do
      is_misuse("balances --timeout=" .. seconds,
        "%-%-timeout must be a number of seconds above 0 and up to 86400, not '")
    end
    for _, name in ipairs { "balance BTC", "time", "watch", "doctor" } do
      is_misuse(name .. " --timeout 0", "%-%-timeout must be")
    end
    fails("balances --timeout 0.001 --timeout 86400", environment(), "missing_credentials", 3)
  end)

  it("ends with 2 for what the library raises at", function()
    is_misuse("balance ''", "code must be")
    is_misuse("balance ..", "code must be")
    is_misuse("balance A/B", "code must be")
    is_misuse("balances --base-url http://example.com", "base_url")
    is_misuse("balances --base-url ''", "base_url")
    is_misuse("time --base-url https://user:pw@127.0.0.1", "base_url")
  end)

  it("names no file or line of its own, wherever its script is", function()
    local elsewhere = support.tmpdir() .. "/bitfront"
    support.write(elsewhere, support.read "lua/bitfront/cli/bitfront")
    for _, line in ipairs { command.line "", support.interpreter() .. " " .. elsewhere } do
      local out, err, code = support.run(line .. " time --base-url ''", { env = environment() })
      assert.same({ "", "bitfront: base_url must be a string of 1 to 4096 printable ASCII "
        .. "characters\n", 2 }, { out, err, code })
    end
  end)

  it("escapes what it was given when it repeats it", function()
    is_misuse("\27[31mred", "\\x1B%[31mred")
  end)
end)

describe("the arguments of the command", function()
  local parse = require "bitfront.cli.arguments".parse

  local function words(text)
    local list = {}
    for word in text:gmatch "%S+" do list[#list + 1] = word end
    return list
  end

  local INTERVAL = "an interval is 1 to 86400 seconds, not '%s'"
  local SECONDS = "%s must be a number of seconds above 0 and up to 86400, not '%s'"
  local PRICED = "price and value need --value"
  local STARTED = "--port and --accounts are for starting it"

  for text, message in pairs {
    [""] = "a command is required",
    ["balence"] = "unknown command 'balence'; Did you mean 'balance'?",
    ["watch --interval 0.9"] = INTERVAL:format "0.9",
    ["watch --interval 86401"] = INTERVAL:format "86401",
    ["sandbox --port 65536"] = "a port is a number from 0 to 65535, not '65536'",
    ["sandbox --port 1.0"] = "a port is a number from 0 to 65535, not '1.0'",
    ["balances --places 401"] = "places must be a whole number from 0 to 400, not '401'",
    ["time --timeout 0"] = SECONDS:format("--timeout", "0"),
    ["check --stale x"] = SECONDS:format("--stale", "x"),
    ["balances --desc"] = "--desc needs --sort", ["balances --sort value"] = PRICED,
    ["balances --columns price"] = PRICED, ["balances --columns currency,value"] = PRICED,
    ["balances --total --columns account,balance"] = "a total has no account",
    ["balances --columns currency,"] = "there is no column '': account, currency, balance, "
      .. "availableBalance, locked, price, value",
    ["balances --places 2 --format csv"] = "--places is for table and markdown",
    ["balances --amounts string"] = "--amounts is for json and jsonl",
    ["balances --format prometheus --columns currency"] =
      "prometheus takes neither --columns nor --value",
    ["balances --format prometheus --value p"] = "prometheus takes neither --columns nor --value",
    ["balances --profile a --profile b --profile a"] = "a profile is named twice",
    ["sandbox --stop --port 5"] = STARTED, ["sandbox --stop --accounts a"] = STARTED,
    ["sandbox --check-limits --port 5"] = STARTED,
    ["sandbox --check-limits --accounts a"] = STARTED,
    ["balances --all-profiles --profile a"] = "--profile is one of --all-profiles",
    ["sandbox --background --stop"] =
      "option '--stop' can not be used together with option '--background'",
    ["sandbox --check-limits --stop"] =
      "option '--stop' can not be used together with option '--check-limits'",
    ["nginx-conf --alerts --dashboard"] =
      "option '--dashboard' can not be used together with option '--alerts'",
    ["balance .."] = "code must be a text without /, \\ and control characters, and not empty, "
      .. ". or ..",
  } do
    it(("are refused: '%s'"):format(text), function()
      assert.same({ nil, message }, { parse(words(text)) })
    end)
  end

  for text, expected in pairs {
    ["watch"] = { interval = 5, profile = {} }, ["watch --interval 1"] = { interval = 1 },
    ["watch --interval 86400"] = { interval = 86400 },
    ["watch --amounts string"] = { amounts = "string" },
    ["sandbox --port 0 --accounts a"] = { port = 0, accounts = "a" },
    ["sandbox --port 65535"] = { port = 65535 }, ["sandbox --stop"] = { stop = true },
    ["balances"] = { format = "table", profile = {} },
    ["balances --places 0"] = { places = 0 },
    ["balances --places 400 --format markdown"] = { places = 400 },
    ["balances --sort balance --desc"] = { sort = "balance", desc = true },
    ["balances --sort value --value p"] = { sort = "value", value = "p" },
    ["balances --columns currency,value --value p"] = { columns = { "currency", "value" } },
    ["balances --total --columns balance"] = { total = true, columns = { "balance" } },
    ["balances --columns account"] = { columns = { "account" } },
    ["balances --amounts string --format jsonl"] = { amounts = "string", format = "jsonl" },
    ["balances --columns currency --format json"] = { columns = { "currency" } },
    ["balances --profile a --profile b"] = { profile = { "a", "b" } },
    ["balances --all-profiles"] = { all_profiles = true, profile = {} },
    ["check --below BTC=1 --below ETH=1"] = { below = { "BTC=1", "ETH=1" }, above = {},
                                              of = "balance" },
    ["time --timeout 86400"] = { timeout = 86400 }, ["--version"] = { version = true },
  } do
    it(("are taken: '%s'"):format(text), function()
      local args = assert(parse(words(text)))
      for name, value in pairs(expected) do assert.same(value, args[name], name) end
      assert.equal(text:match "^%l+", args.command)
    end)
  end

  it("raise what is no mistake in them, as Ctrl-C does", function()
    local shell = require "bitfront.cli.commands".completion.options[1]
    finally(function() shell.convert = nil end)
    shell.convert = function() error("interrupted!", 0) end
    assert.same({ false, "interrupted!" }, { pcall(parse, { "completion", "bash" }) })
  end)
end)

describe("the exit statuses of the command", function()
  it("have each kind of error once, and each status once", function()
    local kinds, seen = {}, {}
    for _, row in ipairs(exit_status) do
      assert.is_nil(seen[row.status])
      seen[row.status] = row
      for _, kind in ipairs(row.kinds or {}) do
        assert.is_nil(kinds[kind], kind)
        kinds[kind] = row
      end
    end
    local names = rows.names(status.KINDS)
    table.sort(names)
    assert.same(names, support.keys(kinds))
  end)
end)

describe("the command, where a program reads its failures, #apart", function()
  local function says(kind, code, ending, arguments, env, options)
    local out, err, ended = bitfront(arguments, env, options)
    assert.same({ "", ending }, { out, ended }, err)
    assert.truthy(err:find "^{[^\n]*}\n$", err)
    local failure = cjson.decode(err)
    assert.same({ kind, code, false, cjson.null, kind == "config" and 0 or cjson.null },
      { failure.kind, failure.code, failure.retryable, failure.retry_after, failure.attempts })
    return failure.message
  end

  it("says in JSON what is wrong with its arguments, wherever they are", function()
    for _, arguments in ipairs { "balances --format json --frobnicate",
      "balances --places 1 --format=jsonl", "balances --format csv --min x --format json",
      "balance --format json", "frobnicate --format json", "balances --format json --timeout 0",
      "balances --format json --base-url x" } do
      says("usage", "arguments", 2, arguments)
    end
    is_misuse("balances --format json --format csv --frobnicate", "unknown option")
    is_misuse("balances --format json --format xml", "must be one of")
    is_misuse("time --frobnicate", "unknown option")
  end)

  it("says in JSON what it cannot do", function()
    assert.truthy(says("config", "missing_credentials", 3, "balances --format json")
      :find("'bitfront sandbox' prints a key", 1, true))
    says("config", "profile", 3, "balances --all-profiles --format jsonl")
    says("config", "profile", 3, "balances --all-profiles --format json",
      environment { HOME = false })
    says("failed", "prices", 1, "balances --format json --value /nonexistent/prices.json")
    says("failed", "output", 1, "balances --format json --help >/dev/full")
  end)

  it("says it also where the C module, which escapes it, cannot be loaded", function()
    local dir = support.tmpdir()
    support.must("mkdir -p bitfront", { cwd = dir })
    support.write(dir .. "/bitfront/core.lua", [[error('"not \\ built"\nfor \255 this')]])
    local env = environment { LUA_PATH = dir .. "/?.lua;" .. package.path }
    local message = says("failed", "internal", 1, "balances --format json", env)
    assert.truthy(message:find("the module bitfront.core cannot be loaded: ", 1, true), message)
    assert.truthy(message:find("?not ? built?", 1, true), message)
  end)

  it("ends as it would where nobody reads stderr", function()
    for _, arguments in ipairs { "balances --format json 2>&-", "balances 2>&-",
      "balances --format jsonl 2>/dev/full" } do
      local out, err, ended = bitfront(arguments)
      assert.same({ "", "", 3 }, { out, err, ended })
    end
  end)
end)

describe("the command, without credentials, #apart", function()
  it("names the variables, the file and the sandbox", function()
    fails("balances", environment(), "BITFRONT_API_KEY.*BITFRONT_API_SECRET.*bitfront/credentials"
      .. ".*bitfront sandbox", 3)
  end)

  it("says that a profile is not there", function()
    fails("balances --profile other", environment(), "config %(profile%)", 3)
  end)

  it("says what a profile is looked for with that is not there", function()
    local lost = { HOME = false, BITFRONT_API_KEY = "k", BITFRONT_API_SECRET = "s" }
    for _, arguments in ipairs { "balances --profile two", "balance BTC --profile two",
      "time --profile two", "balances --profile one --profile two" } do
      local out, err, code = bitfront(arguments, environment(lost))
      assert.truthy(err:find("config (profile): section [two] of the credentials file cannot be "
        .. "found: HOME is not set, and XDG_CONFIG_HOME is not set\n", 1, true), err)
      assert.same({ "", 3 }, { out, code })
    end
    fails("balances --all-profiles", environment(lost),
      "config %(profile%): there are no profiles: HOME is not set", 3)
  end)
end)

describe("the command, with a server that fails, #apart", function()
  local faultd

  lazy_setup(function() faultd = support.faultd() end)
  lazy_teardown(function() faultd:stop() end)

  local function answering(body, t)
    return with_credentials({ base_url = faultd:url_body(body, t), ca_file = faultd.ca_file })
  end

  it("names the kind and the code of a refusal", function()
    fails("balances", answering(support.refusal(4003, '"INVALID SIGNATURE"')),
          "signature %(4003%): INVALID SIGNATURE", 5)
  end)

  it("escapes control characters and marks of direction in a refusal", function()
    fails("balances", answering(support.refusal(4000, '"a\\u001b[2Jb\\u009bc\\u202ed\\u007f\\n"')),
          "a\\x1B%[2Jb\\x9Bc\\u{202E}d\\x7F\\x0A", 5)
  end)

  it("escapes them in a coin code too", function()
    local env = answering(support.success(
      '[{"currency":"B\\u001b]0;x\\u0007T\\u202eC","balance":1,"availableBalance":1}]'))
    local out = bitfront("balances", env)
    assert.truthy(out:find("B\\x1B]0;x\\x07T\\u{202E}C  ", 1, true), out)
    out = bitfront("balances --format json", env)
    assert.truthy(out:find('"currency":"B\\u001b]0;x\\u0007T\\u202eC"', 1, true), out)
  end)

  it("prints amounts with every digit that came, and without an exponent", function()
    local env = answering(support.success('[{"currency":"AB","balance":1e-8,'
      .. '"availableBalance":-0},{"currency":"C","balance":0.10000000000000000001,'
      .. '"availableBalance":1.50}]'))
    assert.equal("currency                 balance  availableBalance\n"
      .. "AB        0.00000001                          0\n"
      .. "C         0.10000000000000000001              1.50\n", (bitfront("balances", env)))
    local out = bitfront("balances --format json", env)
    assert.truthy(out:find('"balance":0.00000001,"availableBalance":0}', 1, true))
    assert.truthy(out:find('"balance":0.10000000000000000001,"availableBalance":1.50}', 1, true))
  end)

  it("refuses an amount with too many digits, and names it", function()
    fails("balances", answering(support.success('[{"currency":"A","balance":1,'
      .. '"availableBalance":0e999999999}]')),
      "responseData%[0%].availableBalance has more digits", 7)
  end)

  it("shows an empty account as a heading, and as an empty array", function()
    local env = answering(support.success "[]")
    assert.same({ "currency  balance  availableBalance\n", "", 0 }, { bitfront("balances", env) })
    assert.same({ "[]\n", "", 0 }, { bitfront("balances --format json", env) })
  end)

  it("says which check of TLS failed", function()
    local env = answering("{}", { listener = "expired" })
    fails("balances", env, "tls %(expired%)", 4)
  end)

  it("says that the public exchange has closed when no server was named", function()
    for _, env in ipairs { {}, { BITFRONT_BASE_URL = "" } } do
      local _, err, code = bitfront("time", env)
      assert.truthy(err:find("the public exchange has closed", 1, true), err)
      assert.equal(4, code)
    end
  end)

  -- What the server sends, and how the command ends; retryable ones are tried thrice.
  local ENDS = {
    { "auth", 6001, 5 }, { "permission", 6003, 5 }, { "signature", 4001, 5 },
    { "replay", 4005, 5, true }, { "clock", 6005, 5, true }, { "maintenance", 3113, 5 },
    { "request", 4000, 5 }, { "server", 5000, 8, true }, { "rate_limit", 6004, 6, true },
    { "http", "status", 8, reply = { status = "404 Not Found" } },
    { "protocol", "json", 7, body = "{" },
    { "tls", "expired", 4, listener = "expired" },
    { "network", "empty", 4, true, cut = 0, close = "fin" },
    { "timeout", "response", 4, true, delay = 30000 },
  }

  for _, row in ipairs(ENDS) do
    local kind, code, ending, is_retryable = row[1], row[2], row[3], row[4] or false
    it("ends with " .. ending .. " for " .. kind .. ", and says why in JSON", function()
      local env = answering(row.body or type(code) == "number" and support.refusal(code) or "x",
        { status = row.reply and row.reply.status, listener = row.listener, cut = row.cut,
          delay = row.delay, close = row.close })
      local out, err, ended = bitfront("balances --timeout 1.5 --format json", env)
      assert.same({ "", ending }, { out, ended }, err)
      assert.truthy(err:find "^{[^\n]*}\n$", err)
      local failure = cjson.decode(err)
      assert.same({ kind, code, is_retryable },
        { failure.kind, failure.code, failure.retryable })
    end)
  end

  it("tells programs each field of an error, null where there is none", function()
    local _, err = bitfront("balances --format jsonl",
      answering(support.refusal(6001, '"N\\"O"')))
    assert.equal('{"account":null,"kind":"auth","code":6001,"message":"N\\"O","retryable":false,'
      .. '"retry_after":null,"http_status":200,"response_time":1525239801363,"attempts":1}\n', err)
    _, err = bitfront("balance BTC --format json --timeout 1",
      answering("x", { status = "503 Busy", headers = { "Retry-After: 7" } }))
    assert.truthy(err:find('"retryable":true,"retry_after":7,"http_status":503,', 1, true), err)
  end)

  it("writes JSON that a terminal and a parser can take, whatever it says", function()
    local _, err = bitfront("balances --format json",
      answering(support.refusal(4000, '"a\\u001b[2Jb\\u202ed\\n\\"\\\\"')))
    assert.is_nil(err:find("\27", 1, true))
    assert.equal("a\\x1B[2Jb\\u{202E}d\\x0A\"\\", cjson.decode(err).message)
  end)

  it("shows a clock that is centuries off", function()
    local body = '{"timezone":"UTC","responseTime":99999999999999}'
    local out, _, code = bitfront("time", answering(body))
    assert.equal("99999999999999  5138-11-16T09:46:39.999Z\n", out)
    assert.equal(0, code)
  end)
end)

describe("the command, with the sandbox exchange, #apart", function()
  local sandbox, env

  lazy_setup(function()
    sandbox = support.sandbox()
    env = with_credentials(sandbox)
    sandbox:set { limits = false }
  end)
  lazy_teardown(function() sandbox:stop() end)

  it("shows the balances as a table, aligned on the decimal point", function()
    assert.same({ EXAMPLE, "", 0 }, { bitfront("balances", env) })
  end)

  it("shows the balances of some coins as JSON, with the digits that came", function()
    assert.same({ JSON, "", 0 }, { bitfront("balances --currency USDT,XRP --format json", env) })
  end)

  it("says which of the wanted coins the account has not", function()
    local out, err, code = bitfront("balances --currency DOGE --format json", env)
    assert.same({ "[]\n", "bitfront: the account has no record of DOGE\n", 0 }, { out, err, code })
  end)

  it("shows the balance of one coin", function()
    local out, err, code = bitfront("balance BTC --format json", env)
    assert.same({ '[\n  {"currency":"BTC","balance":3999974992.35615,'
      .. '"availableBalance":3999970806.72614}\n]\n', "", 0 }, { out, err, code })
  end)

  it("shows the server's clock in milliseconds and as a date", function()
    local ms, date = bitfront("time", env):match("^(%d+)  (%S+)\n$")
    assert.truthy(math.abs(tonumber(ms) / 1000 - os.time()) < 60)
    assert.equal(os.date("!%Y-%m-%dT%H:%M:%S", math.floor(tonumber(ms) / 1000))
      .. "." .. ms:sub(-3) .. "Z", date)
  end)

  it("needs no credentials for the server's clock", function()
    local _, _, code = bitfront("time", with_credentials(sandbox, {
      BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
    }))
    assert.equal(0, code)
  end)

  it("takes server and certificates from options", function()
    local out = bitfront(("balances --base-url %s --ca-file %s"):format(
      sandbox.base_url, support.quote(sandbox.ca_file)),
      with_credentials({}, { BITFRONT_BASE_URL = "https://127.0.0.1:1" }))
    assert.equal(EXAMPLE, out)
  end)

  it("takes credentials from a profile", function()
    local out, err = bitfront("balances --profile other", with_credentials(sandbox, {
      BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
      HOME = command.home { other = { support.KEY, support.SECRET } },
    }))
    assert.same({ EXAMPLE, "" }, { out, err })
  end)

  it("asks each profile's own exchange, whatever the environment says", function()
    local faultd = support.faultd()
    local function body(code)
      return support.success(('[{"currency":"%s","balance":1,"availableBalance":1}]'):format(code))
    end
    local alone = with_credentials({}, { BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
      BITFRONT_BASE_URL = "https://127.0.0.1:1",
      HOME = command.home {
        one = { "key-of-one", "secret1", base_url = faultd:url_body(body "ONE"),
          ca_file = faultd.ca_file },
        two = { "key-of-two", "secret2",
          base_url = faultd:url_body(body "TWO", { listener = "plain" }) },
      } })
    local out, err = bitfront("balances --all-profiles --columns account,currency --format csv",
      alone)
    local lines = {}
    for line in out:gmatch "[^\r\n]+" do lines[#lines + 1] = line end
    table.sort(lines)
    assert.same({ "account,currency", "one,ONE", "two,TWO" }, lines, err)
    assert.truthy(bitfront("time --profile two", alone):find "^1525239801363 ")
    out = bitfront("balances --profile two --columns currency --format csv --base-url "
      .. support.quote(faultd:url_body(body "ONE", { listener = "plain" })), alone)
    assert.equal("currency\r\nONE\r\n", out)
    out = bitfront("doctor --profile two", alone)
    for _, text in ipairs { "base URL +http://127%.0%.0%.1:%d+/%S+, from section %[two%] of /",
      "credentials +found in section %[two%] of /", "account +answers with 1 rec" } do
      assert.truthy(out:find("\nok +" .. text), out)
    end
    faultd:stop()
  end)

  it("ends with 1 when its output cannot be written", function()
    for _, arguments in ipairs { "balances", "balance BTC --format csv", "time", "doctor",
      "nginx-conf", "--version", "--help", "-h", "balances --help", "sandbox -h" } do
      local _, err, code = bitfront(arguments .. " >/dev/full", env)
      assert.truthy(err:find("the output cannot be written", 1, true), err)
      assert.truthy(one_line(err), err)
      assert.equal(1, code)
      _, err, code = bitfront(arguments .. " >&-", env)
      assert.truthy(one_line(err), err)
      assert.equal(1, code)
    end
    local _, err, code = bitfront("balances >&- <&-", env) -- the connection must not become stdout
    assert.truthy(one_line(err), err)
    assert.equal(1, code)
  end)

  it("ends with one line or none when its reader has ended", function()
    for _, trap in ipairs { "", "trap '' PIPE;" } do
      local line = ("%s (sleep 0.2; %s) | true"):format(trap, command.line "balances")
      local _, err = support.run(line, { env = env })
      assert.truthy(err == "" or one_line(err), err)
    end
  end)
end)

describe("bitfront doctor #apart", function()
  local sandbox, env

  lazy_setup(function()
    sandbox = support.sandbox()
    env = with_credentials(sandbox)
    sandbox:set { limits = false }
  end)
  lazy_teardown(function() sandbox:stop() end)

  it("finds nothing wrong where a call would work", function()
    local out, err, code = bitfront("doctor", env)
    assert.is_nil(out:find("TROUBLE", 1, true), out)
    for _, name in ipairs { "bitfront", "Lua", "libcurl", "OpenSSL", "lua%-cjson" } do
      assert.truthy(("\n" .. out):find("\nok +" .. name .. " +%S"), name)
    end
    for _, text in ipairs { sandbox.base_url .. ", from BITFRONT_BASE_URL\n",
      sandbox.ca_file .. ", from BITFRONT_CA_FILE\n",
      "found in BITFRONT_API_KEY and BITFRONT_API_SECRET\n" } do
      assert.truthy(out:find(text, 1, true), text)
    end
    assert.same({ "", 0 }, { err, code })
  end)

  it("shows by how much the clock differs, and what is used of the limits", function()
    local out = bitfront("doctor", env)
    assert.truthy(out:find "ok +clock +this machine's .-%d+ ms ", out)
    assert.truthy(out:find("ok +limits +2 of 3 calls in the last second, "
      .. "2 of 60 in the last minute, as this process knows"), out)
  end)

  it("says nothing of the key or the secret", function()
    local out = bitfront("doctor", env)
    for at = 1, #support.KEY - 3 do
      assert.is_nil(out:find(support.KEY:sub(at, at + 3), 1, true))
    end
    for at = 1, #support.SECRET - 3 do
      assert.is_nil(out:find(support.SECRET:sub(at, at + 3), 1, true))
    end
  end)

  it("finds a clock that is off by a second or more", function()
    sandbox:set { clock_offset_ms = -5500 }
    local out, _, code = bitfront("doctor", env)
    sandbox:set { clock_offset_ms = 0 }
    assert.truthy(out:find("TROUBLE +clock +this machine's is 5%d%d%d ms ahead of the "
      .. "server's, give or take %d"), out)
    assert.equal(1, code)
  end)

  local function finds(expected, arguments, its_env)
    local out, err, code = bitfront("doctor " .. arguments, its_env)
    assert.truthy(out:find("TROUBLE " .. expected), out)
    assert.same({ "", 1 }, { err, code })
  end

  it("finds an OpenSSL without a provider, and a CA file that is none", function()
    local file, its_env = support.tmpdir() .. "/openssl.cnf", {}
    support.write(file, "openssl_conf = init\n[init]\nproviders = these\n[these]\n"
      .. "null = null\n[null]\nactivate = 1\n")
    for name, value in pairs(env) do its_env[name] = value end
    its_env.OPENSSL_CONF = file
    finds("+OpenSSL +config %(openssl%): .-OPENSSL_CONF", "", its_env)
    its_env.OPENSSL_CONF, its_env.BITFRONT_CA_FILE = nil, support.tmpdir() .. "/fifo.pem"
    support.must("mkfifo " .. its_env.BITFRONT_CA_FILE)
    finds("+CA file +tls %(ca_file%): .-not a regular file", "", its_env)
  end)

  it("checks the CA file also where BITFRONT_BASE_URL is wrong", function()
    local its_env = {}
    for name, value in pairs(env) do its_env[name] = value end
    its_env.BITFRONT_BASE_URL = "no URL"
    finds("+base URL +config %(base_url%): BITFRONT_BASE_URL", "", its_env)
    local out = bitfront("doctor", its_env)
    local found = out:match("ok +CA file +([^\n]*)")
    assert.equal(env.BITFRONT_CA_FILE .. ", from BITFRONT_CA_FILE", found)
  end)

  it("tells which libraries are loaded, and warns of two OpenSSLs", function()
    local out = bitfront("doctor", env)
    local libcrypto = out:match("ok +libraries +/%S+libcurl%S+, (/%S+libcrypto%S+)\n")
    assert.truthy(libcrypto, out)
    local copy = support.tmpdir() .. "/libcrypto.so.copy"
    support.must(("cp %s %s"):format(libcrypto, copy))
    out = support.lua(([[
      require "bitfront.core"
      package.loadlib(%q, "*") -- 5.1 finds no function of that name, and loads it
      require "bitfront.cli".main { "doctor" }
    ]]):format(copy), { env = env })
    assert.truthy(out:find("TROUBLE +libraries +there are two OpenSSLs"), out)
    assert.truthy(out:find(copy, 1, true), out)
  end)

  it("finds a key that the exchange does not know", function()
    finds(" account +auth %(6001%)", "", with_credentials(sandbox, {
      BITFRONT_API_KEY = "nobody",
    }))
  end)

  it("finds missing credentials, an unreadable CA file and a silent server", function()
    finds(" credentials  config %(missing_credentials%)", "", with_credentials(sandbox, {
      BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
    }))
    finds(" CA file +tls %(ca_file%): .-No such file", "--ca-file /nonexistent/ca.pem", env)
    finds(" server +network %(refused%)",
          "--base-url https://127.0.0.1:" .. support.free_port(), env)
  end)
end)

describe("bitfront sandbox #apart", function()
  it("runs in the background, prints how to use it, and stops", function()
    local dir = support.quote(support.tmpdir())
    local out, err, code = support.run(
      command.line("sandbox --background --port 0 --dir " .. dir), { env = environment() })
    assert.same({ "", 0 }, { err, code })
    local balances = support.must(out .. command.line "balances", { env = environment() })
    assert.equal(EXAMPLE, balances)
    support.must(command.line("sandbox --stop --dir " .. dir), { env = environment() })
    out, err, code = bitfront("sandbox --stop --dir " .. dir)
    assert.same({ "", 1 }, { out, code })
    assert.truthy(err:find("no sandbox is running", 1, true), err)
  end)

  it("ends with 0 where it has stopped one", function()
    local sandbox, given = require "bitfront.sandbox", nil
    local stop = sandbox.stop
    finally(function() sandbox.stop = stop end)
    sandbox.stop = function(options) given = options return true end
    assert.equal(0, require "bitfront.cli.commands".sandbox.run { stop = true, dir = "/x" })
    assert.same({ dir = "/x" }, given)
  end)

  it("is waited for in the foreground, where it has just been started", function()
    local sandbox, streams = require "bitfront.sandbox", require "bitfront.cli.streams"
    local start, wait, note, told = sandbox.start, sandbox.wait, streams.note, {}
    finally(function() sandbox.start, sandbox.wait, streams.note = start, wait, note end)
    sandbox.wait = function(box) told[#told + 1] = "wait for " .. box.base_url end
    streams.note = function(message) told[#told + 1] = message end
    local given
    local function run(args, already_running)
      sandbox.start = function(options)
        given = options
        return { base_url = "URL", exports = "", already_running = already_running }
      end
      told = {}
      assert.is_nil((require "bitfront.cli.commands".sandbox.run(args)))
      return table.concat(told, ", ")
    end
    assert.equal("the sandbox answers at URL until Ctrl-C, wait for URL",
      run { port = 1, accounts = "a", dir = "/x" })
    assert.same({ port = 1, accounts = "a", dir = "/x" }, given)
    assert.equal("", run { background = true })
    assert.same({ background = true }, given)
    assert.equal("the sandbox is already running at URL", run({}, true))
  end)

  it("says with --quiet nothing of one that runs already", function()
    local function run(line) -- what it prints has the example's secret
      return support.run(command.line(line), { env = environment() })
    end
    local line = "sandbox --background --port 0 --dir " .. support.quote(support.tmpdir())
    local exports = run(line)
    local out, err = run(line)
    assert.equal(exports, out)
    assert.truthy(err:find "the sandbox is already running at https://", err)
    assert.same({ exports, "", 0 }, { run(line .. " --quiet") })
    assert.same({ "", "", 0 }, { run((line:gsub("%-%-background %-%-port 0", "--stop"))) })
  end)

  it("ends in the foreground on Ctrl-C, without a traceback", function()
    local dir = support.tmpdir()
    local env = environment()
    if rawget(_G, "jit") then -- compiles each loop at once: no hook runs in what it has compiled
      env.LUA_INIT = "jit.opt.start 'hotloop=1'"
    end
    -- SIGINT to the group, once, as a terminal sends it.
    local _, err = support.run(([[exec timeout -s KILL 60 setsid -w sh -c '
      { for _ in $(seq 300); do [ ! -s exports ] || break; sleep 0.1; done
        sleep 2.5; kill -s INT -- -$$; } &
      exec "$@" >exports' sh %s]])
      :format(command.line("sandbox --port 0 --dir " .. support.quote(dir))),
      { env = env, cwd = dir })
    assert.truthy(one_line(err), err)
    assert.truthy(support.read(dir .. "/exports"):find("export BITFRONT_BASE_URL=", 1, true))
    local _, _, code = bitfront("sandbox --stop --dir " .. support.quote(dir))
    assert.equal(1, code)
  end)

  it("answers from an accounts file", function()
    local dir = support.tmpdir()
    local missing = dir .. "/missing.json"
    local _, err, code = bitfront(("sandbox --port 0 --background --accounts %s --dir %s")
      :format(missing, support.quote(dir)))
    assert.truthy(err:find(missing, 1, true), err)
    assert.equal(1, code)
  end)
end)
