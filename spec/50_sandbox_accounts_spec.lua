local accounts_file = require "bitfront.sandbox.accounts_file"

local function account(balances)
  return ('{"api_key":"K1","api_secret":"s","balances":%s}'):format(balances)
end

local function record(amount)
  return ('[{"currency":"BTC","balance":%s,"availableBalance":0}]')
    :format(amount)
end

describe("an accounts file", function()
  it("holds one account, or an array of them", function()
    local two = "[" .. account "[]" .. "," .. account("[]"):gsub("K1", "K2")
    assert.same({ K1 = { api_secret = "s", balances = {} } },
                accounts_file.parse(account "[]"))
    assert.truthy(accounts_file.parse(two .. "]").K2)
  end)

  for _, amount in ipairs {
    "0", "-0", "1000107794.9999858", "3999974992.35615", "1e-8", "1E+8",
    "0.10000000000000000000000000000001", "100000000000000000000000000001",
    "1.50",
  } do
    it("keeps the digits of " .. amount, function()
      local expected = '{"currency":"BTC","balance":' .. amount
        .. ',"availableBalance":0}'
      local plain = assert(accounts_file.parse(account(record(amount))))
      local quoted = assert(accounts_file.parse(account(record('"' .. amount .. '"'))))
      assert.equal(expected, plain.K1.balances[1].json)
      assert.equal(expected, quoted.K1.balances[1].json)
    end)
  end

  it("leaves digits inside strings alone, also behind escaped quotes", function()
    local json = account("[]"):gsub('"s"', '"1 \\\\\\\\\\" 2"')
    assert.equal('1 \\\\" 2', accounts_file.parse(json).K1.api_secret)
  end)

  for amount, got in pairs {
    ["010"] = '"010"', ["1."] = '"1."', ["0x10"] = '"0x10"', ["1e"] = '"1e"',
    ["1e400x"] = '"1e400x"', ["null"] = "userdata", ["true"] = "boolean", ['""'] = '""',
    ['".5"'] = '".5"', ['"+1"'] = '"+1"', ['"NaN"'] = '"NaN"', ["{}"] = "table",
    ['"1 "'] = '"1 "',
  } do
    it("is refused for the amount " .. amount .. ", with its place", function()
      assert.same({ nil, "accounts[0].balances[0].balance: a number expected, got " .. got },
        { accounts_file.parse(account(record(amount))) })
    end)
  end

  local KEY = "accounts[0].api_key: letters and digits expected, got "
  local SECRET = "accounts[0].api_secret: "
  local QUOTED = SECRET .. "must be printable ASCII, without blanks or quotes around it"
  local CODE = "accounts[0].balances[0].currency: a coin code expected, got "

  for what, row in pairs {
    ["not JSON"] = { "{", "accounts: not JSON: *" }, ["empty"] = { "", "accounts: not JSON: *" },
    ["a string"] = { '"x"', "accounts: not JSON: an array is expected" },
    ["NaN"] = { "NaN", "accounts: not JSON: *" },
    ["an unclosed string"] = { '{"api_key":"', "accounts: not JSON: *" },
    ["an object without a key"] = { '{"a":1}', "accounts: an array expected, got table" },
    ["an account that is a number"] = { "[1]", 'accounts[0]: an object expected, got "1"' },
    ["no balances"] = { '{"api_key":"K","api_secret":"s"}',
      "accounts[0].balances: an array expected, got nil" },
    ["balances that are an object"] = { account '{"BTC":1}',
      "accounts[0].balances: an array expected, got table" },
    ["a balance that is a number"] = { account "[1]",
      'accounts[0].balances[0]: an object expected, got "1"' },
    ["no secret"] = { '{"api_key":"K","balances":[]}', SECRET .. "a string expected, got nil" },
    ["an empty secret"] = { '{"api_key":"K","api_secret":"","balances":[]}',
      SECRET .. 'a string expected, got ""' },
    ["a key with a space"] = { '{"api_key":"K 1","api_secret":"s","balances":[]}',
      KEY .. '"K 1"' },
    ["a key in quotes"] = { [[{"api_key":"'K'","api_secret":"s","balances":[]}]],
      KEY .. [["'K'"]] },
    ["an empty key"] = { '{"api_key":"","api_secret":"s","balances":[]}', KEY .. '""' },
    ["a secret with a blank behind it"] =
      { '{"api_key":"K","api_secret":"s ","balances":[]}', QUOTED },
    ["a secret with a tab before it"] =
      { '{"api_key":"K","api_secret":"\\ts","balances":[]}', QUOTED },
    ["a secret in quotes"] = { [[{"api_key":"K","api_secret":"'s'","balances":[]}]], QUOTED },
    ["an empty coin code"] = { account(record("1"):gsub("BTC", "")), CODE .. '""' },
    ["a coin code with a NUL"] = { account(record("1"):gsub("BTC", "B\\u0000C")), CODE .. "*" },
    ["no coin code"] = { account '[{"balance":1,"availableBalance":1}]', CODE .. "nil" },
    ["one key twice"] = { "[" .. account "[]" .. "," .. account "[]" .. "]",
      'accounts[1].api_key: another key expected, got "K1"' },
  } do
    it("is refused when it is or has " .. what, function()
      local parsed, message = accounts_file.parse(row[1])
      assert.is_nil(parsed)
      if row[2]:sub(-1) == "*" then message = message:sub(1, #row[2] - 1) .. "*" end
      assert.equal(row[2], message)
    end)
  end

  it("raises what is no mistake in it, as Ctrl-C does", function()
    local format = string.format
    rawset(string, "format", function() error("interrupted!", 0) end)
    local results = { pcall(accounts_file.parse, "[1]") }
    rawset(string, "format", format)
    assert.same({ false, "interrupted!" }, results)
  end)
end)
