local support = require "spec.support"
local vectors = require "spec.support.vectors"

describe("a whole reply", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function ask(body, options)
    return support.balances(faultd:url_body(body), options)
  end

  local function record(currency, balance, available, more)
    return ('{"currency":%s,"balance":%s,"availableBalance":%s%s}')
      :format(currency, balance, available or balance, more or "")
  end

  describe("gives records #smoke", function()
    it("of currency, balance and availableBalance, and nothing else",
      function()
        assert.same({ { currency = "BTC", balance = 2.5,
                        availableBalance = 1.25 } },
          (ask(support.success("[" .. record('"BTC"', "2.5", "1.25") .. "]"))))
      end)

    it("of the reply that the endpoint's document shows", function()
      local function rows_of(amounts)
        local rows = {}
        for i, balance in ipairs((ask(vectors.reply, { amounts = amounts }))) do
          rows[i] = { balance.currency, balance.balance, balance.availableBalance }
        end
        return rows
      end
      local doubles = {}
      for i, row in ipairs(vectors.records) do
        doubles[i] = { row[1], tonumber(row[2]), tonumber(row[3]) }
      end
      assert.same(vectors.records, rows_of "string")
      assert.same(doubles, rows_of "number")
    end)

    it("in the server's order", function()
      local names, rows = { "XRP", "BTC", "ETH", "ADA" }, {}
      for i, name in ipairs(names) do rows[i] = record(('"%s"'):format(name), i) end
      local balances = ask(support.success("[" .. table.concat(rows, ",") .. "]"))
      for i, name in ipairs(names) do
        assert.equal(name, balances[i].currency)
        assert.equal(i, balances[i].balance)
      end
    end)

    it("of an empty account: an empty table", function()
      local balances, err = ask(support.success("[]"))
      assert.same({}, balances)
      assert.is_nil(err)
    end)

    it("twice where a currency comes twice", function()
      local balances = ask(support.success(
        "[" .. record('"BTC"', 1) .. "," .. record('"BTC"', 2) .. "]"))
      assert.equal(2, #balances)
      assert.equal(1, balances[1].balance)
      assert.equal(2, balances[2].balance)
    end)

    it("of negative amounts and of -0", function()
      local balances = ask(support.success(
        "[" .. record('"BTC"', "-1.5", "-0") .. "]"))
      assert.equal(-1.5, balances[1].balance)
      assert.equal(-math.huge, 1 / balances[1].availableBalance)
    end)

    it("whatever unknown fields say", function()
      local more = ',"Balance":7,"balance ":8,"locked":{"balance":[9]}'
      local balances = ask(support.success(
        "[" .. record('"BTC"', 1, 2, more) .. "]",
        ',"StatusCode":4000,"page":{"statusCode":4000}'))
      assert.same({ { currency = "BTC", balance = 1, availableBalance = 2 } },
        balances)
    end)

    it("whatever order fields come in", function()
      local balances = ask('{"responseData":[{"availableBalance":2,'
        .. '"balance":1,"currency":"BTC"}],"statusMessage":"SUCCESS",'
        .. '"statusCode":1000,"responseTime":1525239801363,"timezone":"UTC"}')
      assert.same({ { currency = "BTC", balance = 1, availableBalance = 2 } },
        balances)
    end)

    it("however they are spelled", function()
      for _, data in ipairs {
        record('"BTC"', "10.5", "-0.25"),
        ' { "currency": "BTC", "balance": 10.5, "availableBalance": -0.25 } ',
        '{\n\t"currency" :"BTC" ,\r\n"balance" : 10.5,"availableBalance" :-0.25\n}',
        record('"B\\u0054C"', "10.5", "-0.25"),
        record('"BTC"', "1.05e1", "-25E-2"),
        record('"BTC"', "10.50000000000000000000000", "-0.2500000000000000000"),
        record('"BTC"', "10.5", "-0.25", ',"x":null'),
        '{"x":{"balance":1},"currency":"BTC","balance":10.5,"availableBalance":-0.25}',
        '{"c\\u0075rrency":"BTC","balance":10.5,"availableBalance":-0.25}',
      } do
        local balances, err = ask(support.success("[" .. data .. "," .. data .. "]"))
        assert(balances, tostring(err) .. " " .. data)
        for i = 1, 2 do
          assert.same({ currency = "BTC", balance = 10.5, availableBalance = -0.25 },
            balances[i])
        end
      end
    end)

    it("not where they are cut off, wherever that is", function()
      local whole = support.success("[" .. record('"BTC"', "10.5", "-0.25") .. "]")
      for len = #whole - 1, whole:find("[", 1, true), -1 do
        -- A number that is none is wrong from its beginning.
        local cut = whole:sub(1, len)
        local number = cut:match ":(%-?%d+%.)$" or cut:match ":(%-)$" or ""
        for _, body in ipairs { cut, cut .. "\0" } do
          local balances, err = ask(body)
          assert.is_nil(balances)
          assert.equal("json", err.code)
          assert.equal(len + 1 - #number, tonumber(err.message:match " at byte (%d+)$"), body)
        end
      end
    end)

    it("by the thousand", function()
      local rows = {}
      for i = 1, 5000 do rows[i] = record(('"C%d"'):format(i), i) end
      local balances = ask(support.success("[" .. table.concat(rows, ",") .. "]"))
      assert.equal(5000, #balances)
      assert.equal("C5000", balances[5000].currency)
    end)

    it("that belong to the caller", function()
      local url = faultd:url_body(support.success(
        "[" .. record('"BTC"', 1) .. "]"))
      local client = support.client { base_url = url }
      local first = assert(client:balances())
      first[1].balance = 99
      assert.equal(1, client:balances()[1].balance)
      client:close()
    end)
  end)

  it("gives its own words in info, beside the call's", function()
    local now = require "bitfront.core".now
    local begun = now()
    local _, err, info = ask(support.success())
    assert.is_nil(err)
    assert.equal("UTC", info.timezone)
    assert.equal(1525239801363, info.responseTime)
    assert.equal(1000, info.statusCode)
    assert.equal("SUCCESS", info.statusMessage)
    assert.equal(200, info.http_status)
    assert.equal(1, info.attempts)
    assert.is_true(info.elapsed > 0 and info.elapsed <= now() - begun)
  end)

  describe("of one coin", function()
    local function ask_one(data)
      local client = support.client {
        base_url = faultd:url_body(support.success(data)),
      }
      local one, err = client:balance("BTC")
      client:close()
      return one, err
    end

    it("may be an object", function()
      assert.same({ { currency = "BTC", balance = 1, availableBalance = 1 } },
        { ask_one(record('"BTC"', 1)) })
    end)

    it("may be an array of one", function()
      assert.same({ { currency = "BTC", balance = 1, availableBalance = 1 } },
        { ask_one("[" .. record('"BTC"', 1) .. "]") })
    end)

    for name, row in pairs {
      ["an empty array"] = { "[]", "has no record of BTC" },
      ["null"] = { "null", "must be an array" },
      ["another coin"] = { record('"ETH"', 1), "has no record of BTC" },
      ["two records of the coin"] = { ("[%s,%s]"):format(record('"BTC"', 1), record('"BTC"', 2)),
        "has more than one record of BTC" },
    } do
      it("may not be " .. name, function()
        local one, err = ask_one(row[1])
        assert.is_nil(one)
        assert.same({ "protocol", "schema", "responseData " .. row[2] },
          { err.kind, err.code, err.message })
      end)
    end
  end)

  describe("of another shape is refused, saying where:", function()
    local function rows_with(bad) -- the fourth of five is bad
      local good = record('"BTC"', 1)
      return support.success("["
        .. table.concat({ good, good, good, bad, good }, ",") .. "]")
    end

    local ROWS = {
      { "an array", "[]" },
      { "a string", '"SUCCESS"' },
      { "null", "null" },
      { "an empty object", "{}", "statusCode" },
      { "no statusCode", '{"timezone":"UTC","responseTime":1,'
        .. '"statusMessage":"SUCCESS","responseData":[]}', "statusCode" },
      { "success without responseData", support.refusal(1000),
        "responseData" },
      { "responseData null", support.success("null"), "responseData" },
      { "responseData an object", support.success("{}"), "responseData" },
      { "responseData a string", support.success('"[]"'), "responseData" },
      { "responseTime a string", (support.success():gsub("1525239801363",
        '"1525239801363"')), "responseTime" },
      { "statusMessage a number", (support.success():gsub('"SUCCESS"', "1")),
        "statusMessage" },
      { "timezone a number", (support.success():gsub('"UTC"', "1")),
        "timezone" },
      { "a record that is an array", rows_with("[]"), "responseData[3]" },
      { "a record that is a number", rows_with("1"), "responseData[3]" },
      { "a record that is null", rows_with("null"), "responseData[3]" },
      { "a record without currency",
        rows_with('{"balance":1,"availableBalance":1}'),
        "responseData[3].currency" },
      { "a record without balance",
        rows_with('{"currency":"BTC","availableBalance":1}'),
        "responseData[3].balance" },
      { "a record without availableBalance",
        rows_with('{"currency":"BTC","balance":1}'),
        "responseData[3].availableBalance" },
      { "a record with Currency",
        rows_with('{"Currency":"BTC","balance":1,"availableBalance":1}'),
        "responseData[3].currency is missing" },
      { "a record with no name as it should be",
        rows_with('{"Currency":"BTC","Balance":1,"AvailableBalance":1}'),
        "responseData[3].currency is missing" },
      { "a record whose names end with the next letter",
        rows_with('{"currencz":"BTC","balancf":1,"availableBalancf":1}'),
        "responseData[3].currency is missing" },
      { "a record with balancE",
        rows_with('{"currency":"BTC","balancE":1,"availableBalance":1}'),
        "responseData[3].balance is missing" },
      { "currency a number", rows_with(record("1", 1)),
        "responseData[3].currency" },
      { "currency null", rows_with(record("null", 1)),
        "responseData[3].currency" },
      { "currency empty", rows_with(record('""', 1)),
        "responseData[3].currency" },
      { "currency with a NUL", rows_with(record('"BTC\\u0000"', 1)),
        "responseData[3].currency" },
    }
    for _, amount in ipairs { '"1.5"', "null", "true", "[]", "[1]", "{}", '""',
                              '"NaN"' } do
      ROWS[#ROWS + 1] = { "balance " .. amount,
        rows_with(record('"BTC"', amount, "1")), "responseData[3].balance" }
      ROWS[#ROWS + 1] = { "availableBalance " .. amount,
        rows_with(record('"BTC"', "1", amount)),
        "responseData[3].availableBalance" }
    end
    for _, code in ipairs { "1000.0", '"1000"', "1e3", "1.0e3", "null", "true",
                            "[1000]", "1000.5", "99999999999999999999" } do
      ROWS[#ROWS + 1] = { "statusCode " .. code, support.refusal(code),
                          "statusCode must be an integer" }
    end

    for _, row in ipairs(ROWS) do
      it("- " .. row[1], function()
        for _, mode in ipairs { "number", "string", "decimal" } do
          local balances, err = ask(row[2], { amounts = mode })
          assert.is_nil(balances)
          assert.equal("protocol", err.kind)
          assert.equal("schema", err.code)
          assert.is_false(err.retryable)
          assert.truthy(err.message:find(row[3] or "", 1, true))
        end
      end)
    end
  end)

  it("with an amount beyond a double's range is refused, whatever amounts are", function()
    for _, mode in ipairs { "number", "string", "decimal" } do
      local balances, err = ask(support.success("[" .. record('"BTC"', "1e309") .. "]"),
        { amounts = mode })
      assert.is_nil(balances)
      assert.equal("json", err.code)
      assert.matches("number beyond a double's range at byte %d+$", err.message)
    end
  end)

  describe("with an amount that no decimal may be", function()
    local ROWS = {
      "0." .. ("1"):rep(1001), "0." .. ("0"):rep(400) .. "1e401",
      "0e401", "0e-401", "0e999999999", "0." .. ("0"):rep(1801),
    }

    for _, amount in ipairs(ROWS) do
      it("is taken as numbers and refused as decimals: " .. amount:sub(1, 20), function()
        local body = support.success("[" .. record('"BTC"', "1", amount) .. "]")
        assert.is_table((ask(body)))
        assert.is_table((ask(body, { amounts = "string" })))
        local balances, err = ask(body, { amounts = "decimal" })
        assert.is_nil(balances)
        assert.equal("protocol", err.kind)
        assert.equal("schema", err.code)
        assert.truthy(err.message:find("responseData[0].availableBalance", 1, true))
      end)
    end

    it("takes those at the limits", function()
      local amount = "0." .. ("1"):rep(1000)
      local balances = ask(support.success("[" .. record('"BTC"', amount, "0e400") .. "]"),
        { amounts = "decimal" })
      assert.equal(amount, tostring(balances[1].balance))
      assert.is_true(balances[1].availableBalance:is_zero())
    end)
  end)

  describe("with a statusCode other than 1000 is a refusal:", function()
    -- kind, whether to retry, and the codes
    local TABLE = {
      { "auth", false, 1202, 4101, 6000, 6001, 6002 },
      { "maintenance", false, 3113 },
      { "request", false, 3203, 3204, 3211, 3212, 3213, 3221, 3222, 3301, 3302,
        3311, 3321, 4000, 4002, 4006, 4007, 4008, 4009, 4010, 4011, 4012, 4014,
        4015, 4016, 4017 },
      { "server", true, 3401, 5000, 5001, 5002 },
      { "signature", false, 4001, 4003 },
      { "replay", true, 4005, 4018 },
      { "clock", true, 4013, 6005 },
      { "permission", false, 6003 },
      { "rate_limit", true, 6004 },
      -- and those no table names
      { "server", true, 5999, 5003 },
      { "request", false, 4999, 1001, 999, 0, -1, 7000, 2147483647 },
    }

    it("- those of the documents' table are known", function()
      local expected, codes = {}, {}
      for i = 1, #TABLE - 2 do
        for j = 3, #TABLE[i] do expected[#expected + 1] = TABLE[i][j] end
      end
      table.sort(expected)
      for i, row in ipairs(require "bitfront.status".CODES) do codes[i] = row[1] end
      assert.same(expected, codes)
    end)

    for _, row in ipairs(TABLE) do
      for i = 3, #row do
        it(("- %d is of kind %s"):format(row[i], row[1]), function()
          local balances, err, info = ask(support.refusal(row[i], '"SORRY"'))
          assert.is_nil(balances)
          assert.equal(row[1], err.kind)
          assert.equal(row[i], err.code)
          assert.equal(row[2], err.retryable)
          assert.truthy(err.message:find("SORRY", 1, true))
          assert.equal(1525239801363, err.response_time)
          assert.equal(200, err.http_status)
          assert.equal(row[i], info.statusCode)
        end)
      end
    end

    it("- also where responseData comes with it", function()
      local body = support.success("[]"):gsub("1000", "4003")
      assert.equal("signature", select(2, ask(body)).kind)
    end)

    it("- reads well as text", function()
      local _, err = ask(support.refusal(4003, '"INVALID SIGNATURE"'))
      assert.truthy(tostring(err):find("INVALID SIGNATURE", 1, true))
      assert.equal("x" .. tostring(err), "x" .. err)
      local ok, thrown = pcall(error, err)
      assert.is_false(ok)
      assert.equal(err, thrown)
    end)
  end)

  describe("has its message", function()
    local function message(text)
      return select(2, ask(support.refusal(4003, '"' .. text .. '"'))).message
    end

    it("whole up to 512 bytes", function()
      assert.truthy(message(("x"):rep(512)):find(("x"):rep(512), 1, true))
    end)

    it("cut behind 512 bytes", function()
      assert.falsy(message(("x"):rep(513)):find(("x"):rep(513), 1, true))
    end)

    for name, char in pairs { ["two"] = "\195\169", ["three"] = "\236\162\140",
                              ["four"] = "\240\159\152\128" } do
      it(("never cut in a character of %s bytes"):format(name), function()
        for lead = 0, 3 do
          local whole = math.floor((512 - lead) / #char)
          local text = ("x"):rep(lead) .. char:rep(300)
          local kept = message(text)
          local at, till = kept:find(("x"):rep(lead) .. char:rep(whole), 1, true)
          assert.truthy(at)
          assert.falsy(kept:sub(till + 1):find("[\128-\255]"))
        end
      end)
    end

    it("cut behind 512 bytes of the 2 KiB that are searched", function()
      assert.matches(("x"):rep(512) .. "$", message(("x"):rep(5000)))
    end)

    it("with what is hidden written out, however short, as has the envelope", function()
      for text, shown in pairs { ["a\127"] = "a\\x7F", ["\127a"] = "\\x7Fa", ["~ "] = "~ ",
        ["\195\169"] = "\195\169", ["key-of-8"] = "***", ["key-of-"] = "key-of-" } do
        local _, err, info = ask(support.refusal(4003, '"' .. text .. '"'),
          { api_key = "key-of-8" })
        assert.same({ shown, shown }, { err.message, info.statusMessage })
      end
    end)

    it("and may have none", function()
      assert.equal("signature",
        select(2, ask(support.refusal(4003, '""'))).kind)
    end)
  end)

  describe("that echoes", function()
    local function all_text(value, seen)
      seen = seen or {}
      if type(value) ~= "table" then return tostring(value) end
      if seen[value] then return "" end
      seen[value] = true
      local texts = { tostring(value) }
      for k, v in pairs(value) do
        texts[#texts + 1] = all_text(k, seen) .. " " .. all_text(v, seen)
      end
      return table.concat(texts, "\n")
    end

    local function echo(text)
      faultd:forget()
      local body = support.refusal(4003, '"' .. text .. '"')
      local _, err, info = support.balances(
        faultd:url_body(body, { echo = 1 }))
      assert.equal("signature", err.kind)
      return all_text(err) .. all_text(info),
        faultd:requests()[1].headers["x-api-sign"]
    end

    it("the signature has it struck out", function()
      local text, signature = echo("got {X-API-SIGN} for it")
      assert.truthy(text:find("for it", 1, true))
      assert.falsy(text:find(signature:sub(1, 8), 1, true))
      assert.falsy(text:find(signature:sub(-8), 1, true))
    end)

    it("an earlier signature too", function()
      local signature = ("0123456789abcdefABCDEF0123456789"):rep(2)
      assert.equal(64, #signature)
      for before, after in pairs { [""] = "", ["a "] = " b", ["x"] = "-", ["ff"] = "00" } do
        local text = echo("saw " .. before .. signature .. after .. " before")
        assert.falsy(text:find("0123456789", 1, true), text)
        assert.truthy(text:find("before", 1, true), text)
      end
      local digest = signature:sub(1, 63) -- is none
      assert.truthy(echo("saw " .. digest .. " before"):find(digest, 1, true))
    end)

    it("the key has it struck out", function()
      local text = echo("key {X-API-KEY}, key {X-API-KEY}!")
      assert.falsy(text:find(support.KEY:sub(-6), 1, true))
    end)

    it("the key in escapes has it struck out", function()
      local text = echo("key \\u0036" .. support.KEY:sub(2))
      assert.falsy(text:find(support.KEY:sub(-6), 1, true))
    end)

    it("the secret has it struck out", function()
      local text = echo("secret " .. support.SECRET)
      assert.falsy(text:find(support.SECRET:sub(1, 6), 1, true))
      assert.falsy(text:find(support.SECRET:sub(-6), 1, true))
    end)

    it("the key in the timezone has it struck out there too", function()
      local body = support.success():gsub("UTC", "{X-API-KEY}", 1)
      local _, _, info = support.balances(
        faultd:url { reply = support.reply(body, { echo = 1 }), echo = 1 })
      assert.equal("***", info.timezone)
    end)

    for name, spelled in pairs {
      ["in small letters"] = support.KEY:lower(),
      ["as in a URL"] = support.KEY:gsub("^6W", "%%36%%57"),
      ["as in JSON within JSON"] = support.KEY:gsub("^6W", "\\\\u0036\\\\u0057"),
      ["twice over"] = support.KEY .. support.KEY,
      ["in its secret's arms"] = support.SECRET .. support.KEY .. support.SECRET,
    } do
      it("the key " .. name .. " has it struck out", function()
        assert.truthy(echo("<" .. spelled .. ">"):find("<***>", 1, true))
      end)
    end

    it("what overlaps has all of it struck out", function()
      local other = support.client { api_key = support.KEY:sub(-9) .. "-tail", api_secret = "s",
        base_url = "http://127.0.0.1:1" }
      local text = echo("<" .. support.KEY .. "-tail>")
      other:close()
      assert.truthy(text:find("<***>", 1, true), text)
    end)

    it("the secret where the message is cut leaves no part of it", function()
      for lead = 481, 511 do
        local text = echo(("."):rep(lead) .. support.SECRET)
        assert.falsy(text:find(".." .. support.SECRET:sub(1, 1), 1, true))
      end
    end)
  end)

  describe("has coin codes", function()
    local signature = ("0123456789abcdefABCDEF0123456789"):rep(2)
    local escaped = support.KEY:gsub(".", function(c)
      return ("\\u%04X"):format(c:byte())
    end)

    it("that are never altered, whatever the credentials are", function()
      for code, credentials in pairs {
        USDT = { "k1", "s" }, ATC = { "a", "b" }, BTC = { "BTC", "BTC" },
        AVALANC = { "avalanc", "AVALANC" }, ["a\226\128\174"] = { "k", "s" },
      } do
        local balances = ask(support.success("[" .. record('"' .. code .. '"', 1) .. "]"),
          { api_key = credentials[1], api_secret = credentials[2] })
        assert.equal(code, balances[1].currency)
      end
    end)

    local ROWS = {
      { "the API key", support.KEY },
      { "the API key in small letters", support.KEY:lower() },
      { "the API key within", "A" .. support.KEY .. "Z" },
      { "the API key in escapes", escaped },
      { "the API key half in escapes", escaped:sub(1, 12) .. support.KEY:sub(3) },
      { "the secret", support.SECRET },
      { "a signature", signature },
      { "a signature in escapes", "\\u0030" .. signature:sub(2) },
    }

    for _, row in ipairs(ROWS) do
      it("of which none may hold " .. row[1], function()
        local bad = record('"' .. row[2] .. '"', 1)
        local odd = bad:gsub("{", '{"x":1,', 1) -- not as the documents spell it
        local good = record('"BTC"', 1)
        for place, data in pairs {
          ["responseData[3].currency"] = "[" .. (good .. ","):rep(3) .. bad .. "]",
          ["responseData[1].currency"] = "[" .. good .. "," .. odd .. "]",
          ["responseData.currency"] = bad,
        } do
          local client = support.client { base_url = faultd:url_body(support.success(data)) }
          local records, err
          if data == bad then
            records, err = client:balance "BTC"
          else
            records, err = client:balances()
          end
          client:close()
          assert.is_nil(records)
          assert.equal("protocol", err.kind)
          assert.equal("schema", err.code)
          assert.equal(place .. " must not hold an API key, a secret or a signature", err.message)
        end
      end)
    end

    it("of which none may be an API key of 8 characters", function()
      local records, err = ask(support.success("[" .. record('"KEY-OF-8"', 1) .. "]"),
        { api_key = "key-of-8" })
      assert.is_nil(records)
      assert.equal("schema", err.code)
    end)

    it("that may be the beginning of a credential", function()
      local code = support.KEY:sub(1, -2)
      local records = ask(support.success("[" .. record('"' .. code .. '"', 1) .. "]"))
      assert.equal(code, records[1].currency)
    end)

    it("of which none may hold another account's key", function()
      local other = support.client { api_key = "another-key", api_secret = "s",
        base_url = "http://127.0.0.1:1" }
      local body = support.success("[" .. record('"another-key"', 1) .. "]")
      local _, err = ask(body)
      assert.equal("schema", err.code)
      other:close() -- and is known no more
      assert.equal("another-key", (ask(body))[1].currency)
    end)
  end)

  describe("to client:get", function()
    local function get(body)
      local client = support.client { base_url = faultd:url_body(body) }
      local data, err, info = client:get("/v1/trade/openOrders")
      client:close()
      return data, err, info
    end

    it("gives its responseData", function()
      local data, _, info = get(support.success('{"a":[1,"x",{"b":true}]}'))
      assert.same({ a = { 1, "x", { b = true } } }, data)
      assert.equal(1000, info.statusCode)
    end)

    it("gives it as it came, even with the key in it", function()
      assert.same({ key = support.KEY, text = "\27[2J" },
        (get(support.success('{"key":"' .. support.KEY .. '","text":"\\u001b[2J"}'))))
    end)

    it("gives a refusal's kind", function()
      assert.equal("auth", select(2, get(support.refusal(6002))).kind)
    end)

    for _, bad in ipairs { "NaN", "1e400", "0x10", "01", '"\255"', '"a\nb"',
                           '{"a":1,"a":2}' } do
      it(("is refused with %q in it"):format(bad), function()
        assert.equal("json", select(2, get(support.success(bad))).code)
      end)
    end
  end)
end)
