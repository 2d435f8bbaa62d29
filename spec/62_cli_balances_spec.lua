local cjson = require "cjson"
local command = require "spec.support.command"
local support = require "spec.support"

local bitfront, fails, is_misuse = command.run, command.fails, command.is_misuse

describe("bitfront balances #apart", function()
  local sandbox, env

  lazy_setup(function()
    sandbox = support.sandbox()
    sandbox:set { limits = false }
    env = command.with_credentials(sandbox)
  end)
  lazy_teardown(function() sandbox:stop() end)

  local function prints(expected, arguments)
    local out, err, code = bitfront("balances " .. arguments, env)
    assert.same({ expected, "", 0 }, { out, err, code })
  end

  local function prices(text)
    local path = support.tmpdir() .. "/prices.json"
    support.write(path, text)
    return support.quote(path)
  end

  describe("picks", function()
    it("by --nonzero, --min and --currency, all of them", function()
      prints("currency\r\nETH\r\nBTC\r\n",
        "--min 1000107794.9999858 --format csv --columns currency")
      prints("currency\r\nBTC\r\n", "--nonzero --currency BTC,BCH --min 1e9 --format csv"
        .. " --columns currency --sort balance --min=2000000000.0000000000000000001")
    end)

    it("by --locked, and shows how much", function()
      prints([[
currency           balance  availableBalance      locked
BTC       3999974992.35615  3999970806.72614  4185.63001
USDT      1000000000         999998671.673    1328.327
XRP       1000003043.7      1000002063.7       980.0
]], "--locked --sort locked --desc")
    end)

    it("nothing where nothing is left", function()
      prints("currency  balance  availableBalance\n", "--min 1e30")
      prints("[]\n", "--min 1e30 --format json")
    end)
  end)

  describe("shows", function()
    it("what --columns says, rounded down to --places", function()
      prints([[
    balance  currency
 1000000000  BCH
~1000003043  XRP
~1000107794  ETH
~3999974992  BTC
 1000000000  USDT
]], "--columns balance,currency --places 0")
    end)

    it("every format, and each as its readers need it", function()
      local one = " --currency XRP"
      prints("currency,balance,availableBalance\r\nXRP,1000003043.7,1000002063.7\r\n",
        "--format csv" .. one)
      prints('{"currency":"XRP","balance":1000003043.7,"availableBalance":1000002063.7}\n',
        "--format jsonl" .. one)
      prints("| currency | balance | availableBalance |\n| --- | ---: | ---: |\n"
        .. "| XRP | 1000003043.7 | 1000002063.7 |\n", "--format markdown" .. one)
      local out = bitfront("balances --format prometheus" .. one, env)
      assert.truthy(out:find('\nbitfront_balance{currency="XRP",state="total"} 1000003043.7\n',
        1, true))
      out = bitfront("balances --format json" .. one, env)
      assert.equal("XRP", cjson.decode(out)[1].currency)
    end)

    it("one coin in the same formats", function()
      local out = bitfront("balance BTC --format csv", env)
      assert.equal("currency,balance,availableBalance\r\nBTC,3999974992.35615,3999970806.72614\r\n",
        out)
    end)
  end)

  describe("--value @MARKET", function()
    before_each(function() sandbox:reset() sandbox:set { limits = false } end)

    it("asks the exchange for the prices of what is shown", function()
      local out, err, code = bitfront("balances --currency BCH,BTC,USDT --value @BTC "
        .. "--format csv --columns currency,price,value", env)
      assert.same({ "currency,price,value\r\nBCH,0.0063499,6349900.0000000\r\n"
        .. "BTC,1,3999974992.35615\r\n", 0 }, { out, code })
      assert.equal("bitfront: no price for USDT\n"
        .. "bitfront: total value 4006324892.3561500\n", err)
      local asked = {}
      for i, arrival in ipairs(sandbox:log()) do asked[i] = arrival.query end
      assert.same({ "", "coinPair=BCH.BTC", "coinPair=USDT.BTC" }, asked)
    end)

    it("asks for nothing where nothing is shown", function()
      prints("currency\r\n", "--format csv --columns currency --value @USDT --quiet --min 1e30")
      assert.equal(1, #sandbox:log())
    end)

    it("fails with what a price cannot be had for, and shows nothing", function()
      sandbox:script { latency_ms = 1 }
      sandbox:script { statusCode = 4000 }
      local out, err, code = bitfront("balances --value @USDT", env)
      assert.same({ "", 5 }, { out, code })
      assert.equal("bitfront: request (4000): Bad request\n", err)
    end)

    it("needs the market", function()
      is_misuse("balances --value @", "a coin code must follow @")
    end)
  end)

  describe("--value", function()
    it("multiplies exactly, adds up, and names what has no price", function()
      local file = prices '{"BTC": 0.123456789012345678901, "ETH" : "1e-3",\n"DOGE":1}'
      local out, err, code = bitfront("balances --sort value --desc --value " .. file
        .. " --columns currency,price,value", env)
      assert.equal([[
currency                    price                                 value
BTC       0.123456789012345678901  493824068.68597223027000895733259115
ETH       0.001                      1000107.7949999858

total value  494824176.48097221607000895733259115
]], out)
      assert.same({ "bitfront: no price for BCH, XRP, USDT\n", 0 }, { err, code })
    end)

    local USDT = '{"currency":"USDT","balance":1000000000,"availableBalance":999998671.673,'
      .. '"price":2,"value":2000000000}'
    local NO_PRICE = "bitfront: no price for BCH, XRP, ETH, BTC\n"

    it("gives programs the value of each record, the total, and what is not in it", function()
      local file = prices '{"USDT":2}'
      assert.same({ USDT .. '\n{"total":2000000000,"missing":["BCH","XRP","ETH","BTC"]}\n',
        NO_PRICE, 0 }, { bitfront("balances --format jsonl --value " .. file, env) })
      local out = bitfront("balances --format json --value " .. file, env)
      assert.equal('{\n"balances":[\n  ' .. USDT .. '\n],\n"total":2000000000,'
        .. '"missing":["BCH","XRP","ETH","BTC"]\n}\n', out)
      assert.equal(2000000000, cjson.decode(out).total)
    end)

    it("gives them an object also where nothing is left", function()
      prints('{\n"balances":[],\n"total":0,"missing":[]\n}\n',
        "--format json --min 1e30 --value " .. prices "{}")
      prints('{"total":0,"missing":[]}\n', "--format jsonl --min 1e30 --value " .. prices "{}")
    end)

    it("names the total beside CSV, of which each line is a record", function()
      assert.same({ "currency,value\r\nUSDT,2000000000\r\n",
        NO_PRICE .. "bitfront: total value 2000000000\n", 0 },
        { bitfront("balances --format csv --columns currency,value --value "
          .. prices '{"USDT":2}', env) })
    end)

    it("reads prices from stdin", function()
      assert.same({ "value\r\n2000000000\r\n", "", 0 },
        { bitfront("balances --quiet --format csv --columns value --value -", env,
          { stdin = '{"USDT":2}' }) })
    end)

    local ROWS = {
      { "no object", "[1]", ":1: not an object of prices" },
      { "an empty file", "", ":1: not an object of prices, as {\"BTC\": 65000.5}" },
      { "half an object", '{"A":\n1', ":2: not an object of prices" },
      { "a comma too many", '{"A":1\n\n,\n}', ":4: not an object of prices" },
      { "something behind it", '{"A":1}\n2', ":1: not an object of prices" },
      { "a name that is not closed", '{"A:1}', "not an object of prices" },
      { "a name with a line end", '{"A\n":1}', "not an object of prices" },
      { "no colon", '{"A"\n\r\n1}', ":3: not an object of prices" },
      { "a hexadecimal price", '{"A":0x10}', ":1: the price of A is not a number: 0x10" },
      { "NaN", '{"A":NaN}', "price of A is not a number: NaN" },
      { "null", '{"B": 1,\n "\\u0041":\nnull}', ":3: the price of A is not a number: null" },
      { "a word", '{"A":"much"}', "price of A is not a number: much" },
      { "an object", '{"A":{}}', "price of A is not a number" },
      { "a price that is not closed", '{"A":"1', "price of A is not a number" },
      { "a million digits", '{"A":' .. ("9"):rep(1e6) .. "}", "price of A is not a number: 9+$" },
      { "an empty code", '{"":1}', "a coin code must not be empty" },
      { "a code with a NUL", '{"A\\u0000":1}', "a coin code must not be empty or hold a NUL" },
      { "two prices", '{"A":1,\n"A":1}', ":2: A has two prices" },
      { "a harmful name", '{"\\u001b[2J":"x"}', "price of \\x1B%[2J is not a number" },
    }
    for _, row in ipairs(ROWS) do
      it("refuses " .. row[1], function()
        fails("balances --value " .. prices(row[2]), env, (row[3]:gsub("%$$", "\n$")))
      end)
    end

    -- Each token has a line of its own: what is wrong has the line where it is.
    it("tells on which line of a file what is wrong", function()
      local parse = require "bitfront.cli.prices_file".parse
      local NO_OBJECT = 'not an object of prices, as {"BTC": 65000.5}'
      for _, case in ipairs {
        { "", NO_OBJECT, 1 }, { "\n", NO_OBJECT, 1 }, { "\n{", NO_OBJECT, 2 },
        { '[\n"A"\n:\n1\n}', NO_OBJECT, 1 }, { "{}\n}", NO_OBJECT, 1 },
        { "{\n1\n:\n1\n}", NO_OBJECT, 2 }, { '{\n"A"\n1\n:\n}', NO_OBJECT, 3 },
        { '{\n"A"\n:\n1\n;', NO_OBJECT, 5 }, { '{\n"A"\n:\n1\n', NO_OBJECT, 4 },
        { '{\n"A"\n:\n1\n}\n}', NO_OBJECT, 5 }, { '{\n"A"\n:\n1\n,\n}', NO_OBJECT, 6 },
        { '{\n"A"\n:\n1\n,\n"B"\n:\n2\n,', NO_OBJECT, 9 },
        { '{\n"A"\n:\n1\n,\n"B"\n:\n2\n}\n}', NO_OBJECT, 9 },
        { '{\n""\n:\n1\n}', "a coin code must not be empty or hold a NUL", 2 },
        { '{\n"A"\n:\n1\n,\n"A"\n:\n2\n}', "A has two prices", 6 },
        { '{\n"A"\n:\nx\n}', "the price of A is not a number: x", 4 },
        { '{\n"A"\n:\n', "the price of A is not a number: ", 3 },
        { '{\n"A"\n:\n"1\n}', 'the price of A is not a number: "', 4 },
        { '{"A":' .. ("x"):rep(41) .. "}", "the price of A is not a number: " .. ("x"):rep(40),
          1 },
      } do
        assert.same({ nil, case[2], case[3] }, { parse(case[1]) }, case[1])
      end
      assert.same({ {} }, { parse " { } " })
      assert.same({ { A = "1", ["\\"] = "1e2", ['"B'] = "-0.50" } },
        { parse '\r\n{"A":1,\t"\\\\": "1e2" ,"\\"B":-0.50}\n' })
    end)

    it("refuses a file that cannot be read, and names it", function()
      fails("balances --value /nonexistent/p.json", env, ": /nonexistent/p%.json: No such file")
      fails("balances --value /", env, ": /: Is a directory")
      fails("balances --value - </", env, ": stdin: Is a directory")
      fails("balances --value - </dev/null", env, ": stdin:1: not an object")
      fails("balances --value - <&-", env, ": stdin:1: not an object")
      local path = support.tmpdir() .. "/p.json"
      support.write(path, '{"BTC": 1,\n"ETH": 2,\n"XRP": "much"}')
      fails("balances --value - <" .. path, env, ": stdin:3: the price of XRP is not a number")
      fails("balances --value " .. path, env, ": " .. path:gsub("%p", "%%%0")
        .. ":3: the price of XRP")
    end)

    it("sends nothing where the prices cannot be read", function()
      local before = #sandbox:log()
      fails("balances --value - </dev/null", env, "not an object")
      assert.equal(before, #sandbox:log())
    end)
  end)

  describe("with several profiles", function()
    local several

    lazy_setup(function()
      sandbox:accounts {
        { api_key = "keyofmain", api_secret = "secret1",
          balances = { { currency = "BTC", balance = "0.1", availableBalance = "0.1" } } },
        { api_key = "keyofspare", api_secret = "secret2",
          balances = { { currency = "BTC", balance = "0.2", availableBalance = "0.05" },
                       { currency = "ETH", balance = "7", availableBalance = "7" } } },
      }
      several = command.with_credentials(sandbox, {
        BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
        HOME = command.home { main = { "keyofmain", "secret1" },
                              spare = { "keyofspare", "secret2" },
                              wrong = { "keyofnone", "secret3" } },
      })
    end)
    lazy_teardown(function() sandbox:reset() sandbox:set { limits = false } end)

    it("has them in one table, with their names", function()
      local out, err, code = bitfront("balances --profile main --profile spare", several)
      assert.same({ [[
account  currency  balance  availableBalance
main     BTC           0.1              0.1
spare    BTC           0.2              0.05
spare    ETH           7                7
]], "", 0 }, { out, err, code })
    end)

    local function home_of(names)
      local profiles = {}
      for i, name in ipairs(names) do profiles[name] = { "keyof" .. name, "secret" .. i } end
      local env_of_two = {}
      for name, value in pairs(several) do env_of_two[name] = value end
      env_of_two.HOME = command.home(profiles)
      return env_of_two
    end

    it("has all that the file has with --all-profiles", function()
      local two = home_of { "main", "spare" }
      local out, err, code = bitfront(
        "balances --all-profiles --total --format csv", two)
      assert.same({ "currency,balance,availableBalance\r\nBTC,0.3,0.15\r\nETH,7,7\r\n",
        "", 0 }, { out, err, code })
      out = bitfront("balances --all-profiles --currency ETH --format csv", two)
      assert.equal("account,currency,balance,availableBalance\r\nspare,ETH,7,7\r\n", out)
    end)

    it("has sections in any script with --all-profiles", function()
      local out, err = bitfront("balances --all-profiles --format csv --columns account",
        (function()
          local env_of_one = home_of {}
          env_of_one.HOME = command.home { ["Küche"] = { "keyofmain", "secret1" } }
          return env_of_one
        end)())
      assert.same({ "account\r\nKüche\r\n", "" }, { out, err })
    end)

    it("tells how far it is on a terminal, and wipes that away, but not with --quiet", function()
      local two = home_of { "main", "spare" }
      local function shown(option)
        local inner = command.line "balances --all-profiles --format csv " .. option
        return (support.run("script -qec " .. support.quote(inner .. " >/dev/null")
          .. " /dev/null", { env = two }))
      end
      assert.equal("\r\27[K1 of 2 accounts\r\27[K2 of 2 accounts\r\27[K", shown "")
      assert.equal("", shown "--quiet")
    end)

    it("has the heading of a table in bold on a terminal", function()
      local inner = command.line "balances --profile main --columns currency"
      assert.equal("\27[1mcurrency\27[0m\r\nBTC\r\n",
        (support.run("script -qec " .. support.quote(inner) .. " /dev/null", { env = several })))
    end)

    it("has no name of one alone, and says what it has not", function()
      assert.same({ "currency,balance,availableBalance\r\n",
        "bitfront: the account has no record of DOGE\n", 0 },
        { bitfront("balances --profile main --currency DOGE --format csv", several) })
    end)

    it("names each that fails with --all-profiles, and shows none", function()
      local out, err, code = bitfront("balances --all-profiles",
        home_of { "main", "spare", "lost", "gone" })
      assert.same({ "", 5 }, { out, code })
      assert.truthy(err:find "bitfront: gone: auth %(6001%)")
      assert.truthy(err:find "bitfront: lost: auth %(6001%)")
    end)

    it("says where there are no profiles", function()
      fails("balances --all-profiles", command.environment { HOME = support.tmpdir() },
        "config %(profile%): there are no profiles in /", 3)
      is_misuse("balances --all-profiles --profile main", "one of %-%-all%-profiles")
    end)

    it("adds them up with --total", function()
      local out = bitfront("balances --profile main --profile spare --total --locked", several)
      assert.equal("currency  balance  availableBalance  locked\n"
        .. "BTC           0.3              0.15    0.15\n", out)
    end)

    it("tells programs which coins are in no sum, and has none for others", function()
      local arguments = "balances --all-profiles --total --currency ETH,DOGE,DOGE"
      local two = home_of { "main", "spare" }
      local eth = '{"currency":"ETH","balance":7,"availableBalance":7}'
      assert.same({ '{\n"balances":[\n  ' .. eth .. '\n],\n"missing":["DOGE"]\n}\n',
        "bitfront: no account has a record of DOGE\n", 0 },
        { bitfront(arguments .. " --format json", two) })
      assert.equal(eth .. '\n{"missing":["DOGE"]}\n', (bitfront(arguments .. " --format jsonl",
        two)))
      assert.equal('{"total":0,"missing":["DOGE","ETH"]}\n', (bitfront(arguments
        .. " --format jsonl --value - --quiet", two, { stdin = "{}" })))
      assert.equal("currency,balance,availableBalance\r\nETH,7,7\r\n",
        (bitfront(arguments .. " --format csv", two)))
    end)

    it("has a line of JSON for each that fails, with its account", function()
      local out, err, code = bitfront("balances --all-profiles --format json",
        home_of { "main", "spare", "lost", "gone" })
      assert.same({ "", 5 }, { out, code })
      local accounts = {}
      for line in err:gmatch "[^\n]+" do
        local failure = cjson.decode(line)
        assert.same({ "auth", 6001 }, { failure.kind, failure.code })
        accounts[failure.account] = true
      end
      assert.same({ "gone", "lost" }, support.keys(accounts))
    end)

    it("ends with 1 where they fail by several classes", function()
      local mixed = {}
      for name, value in pairs(several) do mixed[name] = value end
      mixed.HOME = command.home { wrong = { "keyofnone", "secret3" },
        away = { "keyofmain", "secret1", base_url = "https://127.0.0.1:" .. support.free_port() } }
      local out, err, code = bitfront("balances --all-profiles", mixed)
      assert.same({ "", 1 }, { out, code })
      assert.truthy(err:find "bitfront: away: network %(refused%)" , err)
      assert.truthy(err:find "bitfront: wrong: auth %(6001%)", err)
    end)

    it("labels them for Prometheus", function()
      local out = bitfront("balances --profile main --format prometheus", several)
      assert.truthy(out:find('{account="main",currency="BTC",state="total"} 0.1\n', 1, true))
    end)

    it("names the account of a single one if it is asked for", function()
      local out = bitfront("balances --profile main --columns account,balance --format csv",
        several)
      assert.equal("account,balance\r\nmain,0.1\r\n", out)
      several.BITFRONT_PROFILE = "main"
      out = bitfront("balances --columns account,balance --format csv", several)
      several.BITFRONT_PROFILE = false
      assert.equal("account,balance\r\nmain,0.1\r\n", out)
    end)

    it("fails whole where one fails, and names it", function()
      fails("balances --profile main --profile wrong", several,
        "^bitfront: wrong: auth %(6001%)", 5)
    end)
  end)

  describe("for coins with odd codes", function()
    local CODES = { "AAVE.F", "btc", "$PAC", "比特", "a b", "50%", "A,B", "A+B&C=D?#" }
    local client

    lazy_setup(function()
      local balances = {}
      for i, code in ipairs(CODES) do
        balances[i] = { currency = code, balance = tostring(i), availableBalance = "0" }
      end
      sandbox:accounts { { api_key = support.KEY, api_secret = support.SECRET,
                           balances = balances } }
      client = support.client { base_url = sandbox.base_url, ca_file = sandbox.ca_file }
    end)
    lazy_teardown(function()
      client:close()
      sandbox:reset()
      sandbox:set { limits = false }
    end)

    for i, code in ipairs(CODES) do
      it("finds " .. code .. " by what is shown", function()
        local expected = ('{"currency":"%s","balance":%d}\n'):format(code, i)
        local asked = support.quote((code:gsub(",", "\\,")))
        prints(expected, "--format jsonl --columns currency,balance --currency " .. asked)
        local out, err = bitfront("balance --format csv " .. support.quote(code), env)
        assert.same({ 'currency,balance,availableBalance\r\n'
          .. (code:find(",", 1, true) and '"' .. code .. '"' or code)
          .. "," .. i .. ",0\r\n", "" }, { out, err })
        assert.equal(i, assert(client:balance(code)).balance)
        out = bitfront("balances --format csv --columns value --value "
          .. prices(cjson.encode { [code] = "10" }), env)
        assert.equal("value\r\n" .. i * 10 .. "\r\n", out)
      end)
    end

    it("asks for all of them in one list", function()
      local out = bitfront("balances --format csv --columns balance --currency "
        .. support.quote("btc,A\\,B,$PAC"), env)
      assert.equal("balance\r\n2\r\n3\r\n7\r\n", out)
    end)

    it("finds the code where only its case is wrong, and says each once", function()
      local out, err, code = bitfront("balances --format json --currency 'BTC,BTC,$pac,NONE'",
        env)
      assert.same({ "[]\n", 0 }, { out, code })
      assert.equal("bitfront: the account has no record of BTC; did you mean btc?\n"
        .. "bitfront: the account has no record of $pac; did you mean $PAC?\n"
        .. "bitfront: the account has no record of NONE\n", err)
      fails("balance aave.f", env, "request %(4011%): .*; did you mean AAVE%.F%?", 5)
    end)
  end)

  it("writes amounts as strings in JSON with --amounts string", function()
    local BTC = '{"currency":"BTC","balance":"3999974992.35615","availableBalance":'
      .. '"3999970806.72614","locked":"4185.63001","price":"0.5","value":"1999987496.178075"}'
    local columns = " --columns currency,balance,availableBalance,locked,price,value"
    local file = prices '{"BTC":0.5}'
    prints(BTC .. '\n{"total":"1999987496.178075","missing":[]}\n',
      "--currency BTC --format jsonl --amounts string --value " .. file .. columns)
    prints('{\n"balances":[\n  ' .. BTC .. '\n],\n"total":"1999987496.178075","missing":[]\n}\n',
      "--currency BTC --format json --amounts string --value " .. file .. columns)
    local out = bitfront("balance BTC --amounts string --format jsonl", env)
    assert.equal('{"currency":"BTC","balance":"3999974992.35615",'
      .. '"availableBalance":"3999970806.72614"}\n', out)
    prints(bitfront("balances --format jsonl", env), "--format jsonl --amounts number")
  end)

  it("says nothing beside the data with --quiet, but what fails", function()
    prints("currency\r\nBTC\r\n", "--quiet --currency BTC,NONE --format csv --columns currency"
      .. " --value " .. prices '{"BTC":1}')
    fails("balances --quiet --currency NONE", command.environment(), "missing_credentials", 3)
    is_misuse("balances --quiet --frobnicate", "unknown option")
  end)

  it("notes nothing where the output cannot be written", function()
    fails("balances --currency BTC,NONE >/dev/full", env, "cannot be written")
  end)

  it("ends with 2 for options that make no sense, together or alone", function()
    is_misuse("balances --amounts string", "%-%-amounts is for json and jsonl")
    is_misuse("balance BTC --amounts string --format csv", "%-%-amounts is for json and jsonl")
    is_misuse("balances --amounts decimal --format csv", "'%-%-amounts' must be one of")
    is_misuse("balances --value - --value -", "at most 1 time")
    is_misuse("balances --value ''", "must not be empty")
    is_misuse("balances --columns balanse", "no column 'balanse'")
    is_misuse("balances --columns ''", "no column ''")
    is_misuse("balances --columns currency,", "no column ''")
    for _, format in ipairs { "table", "csv", "markdown" } do
      is_misuse("balances --columns currency,balance,currency --format " .. format,
        "'currency' is named twice")
    end
    is_misuse("watch --columns locked,locked", "'locked' is named twice")
    is_misuse("balances --places -1", "option")
    is_misuse("balances --places 1.5", "places")
    is_misuse("balances --places 401", "places")
    is_misuse("balances --sort price", "sort")
    is_misuse("balances --desc", "%-%-desc needs %-%-sort")
    is_misuse("balances --sort value", "need %-%-value")
    is_misuse("balances --columns price", "need %-%-value")
    is_misuse("balances --places 2 --format csv", "for table and markdown")
    is_misuse("balances --format prometheus --columns currency", "prometheus")
    is_misuse("balances --total --columns account", "no account")
    is_misuse("balances --profile a --profile a", "twice")
    for _, amount in ipairs { "x", "''", "' 1'", "0x10", "1e999999999", "NaN" } do
      is_misuse("balances --min " .. amount, "%-%-min: ", env)
    end
  end)

  it("shows a terminal nothing that a coin's name hides, in any format", function()
    local faultd = support.faultd()
    local nasty = command.with_credentials {
      base_url = faultd:url_body(support.success('[{"currency":"=\\u001b[2J\\u202e\\n|",'
        .. '"balance":1,"availableBalance":1}]')), ca_file = faultd.ca_file,
    }
    for _, format in ipairs { "table", "csv", "markdown", "prometheus", "json", "jsonl" } do
      local out = bitfront("balances --format " .. format, nasty)
      assert.is_nil(out:find("\27", 1, true), out)
      assert.is_nil(out:find("\226\128\174", 1, true), out)
    end
    assert.truthy(bitfront("balances --format csv", nasty):find("\r\n\"'=", 1, true))
    faultd:stop()
  end)
end)
