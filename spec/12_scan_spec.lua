local bad_json = require "spec.support.bad_json"
local json = require "bitfront.json"
local support = require "spec.support"

-- Strictness does not depend on where a value stands, so each document is
-- tried twice: as the whole body, and as the value of a field nobody reads.
describe("a reply's JSON", function()
  local faultd

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function ask(body)
    return support.balances(faultd:url_body(body))
  end

  local function in_unknown_field(document)
    return support.success("[]", ',"unknown":' .. document)
  end

  local function is_refused(code, body)
    local balances, err = ask(body)
    assert.is_nil(balances)
    assert.equal("protocol", err.kind)
    assert.equal(code, err.code)
    assert.is_false(err.retryable)
  end

  -- By bitfront.json.decode. A range is that of doubles.
  local function is_not_decoded(document, name)
    local is_range = name and name:find "^range"
    for _, amounts in ipairs(is_range and { "number" } or { "number", "string", "decimal" }) do
      local value, message = json.decode(document, { amounts = amounts })
      assert.is_nil(value)
      assert.matches(" at byte %d+$", message)
    end
  end

  describe("is refused where it is not JSON", function()
    for _, row in ipairs(bad_json) do
      it("- " .. row[1], function()
        is_refused("json", row[2])
        is_refused("json", in_unknown_field(row[2]))
        is_not_decoded(row[2], row[1])
      end)
    end
  end)

  local function many_members(count)
    local members = {}
    for i = 1, count do members[i] = (',"key%d":%d'):format(i, i) end
    return table.concat(members)
  end

  describe("is refused where the envelope is damaged by", function()
    local good = support.success()
    local ROWS = {
      { "a byte order mark", "\239\187\191" .. good },
      { "a NUL after the end", good .. "\0" },
      { "a letter after the end", good .. "x" },
      { "a second envelope", good .. good },
      { "a missing last brace", good:sub(1, -2) },
      { "a comma after the last field", good:sub(1, -2) .. ",}" },
      { "statusCode twice", good:sub(1, -2) .. ',"statusCode":1000}' },
      { "responseData twice", good:sub(1, -2) .. ',"responseData":[]}' },
      { "statusCode twice, once in escapes",
        good:sub(1, -2) .. ',"\\u0073tatusCode":1000}' },
      { "an unknown field twice", support.success("[]", ',"x":1,"x":2') },
      { "an unknown field twice among many", support.success("[]", many_members(100)
        .. ',"key7":0') },
      { "currency twice in a record", support.success(
        '[{"currency":"BTC","currency":"ETH","balance":1,'
        .. '"availableBalance":1}]') },
      { "balance twice in a record", support.success(
        '[{"currency":"BTC","balance":1,"balance":1,"availableBalance":1}]') },
      { "an unknown field twice in a record", support.success(
        '[{"currency":"BTC","balance":1,"availableBalance":1,"x":1,"x":1}]') },
      { "33 levels of nesting",
        support.success("[]", ',"x":' .. ("["):rep(32) .. ("]"):rep(32)) },
    }

    for _, row in ipairs(ROWS) do
      it("- " .. row[1], function() is_refused("json", row[2]) end)
    end
  end)

  describe("is named in the message where it is not JSON", function()
    local BINARY = "\1\2\3\4"
    local ROWS = {
      { "", "is empty, not JSON" },
      { " \r\n\t", "is empty, not JSON" },
      { "<html><body>502</body></html>", "is an HTML page, not JSON" },
      { "\n<!DOCTYPE HTML>\n<title>x</title>", "is an HTML page, not JSON" },
      { '<?xml version="1.0"?>\n<HTML lang="en">', "is an HTML page, not JSON" },
      { '<?xml version="1.0"?>\n<Error/>', "is an XML document, not JSON" },
      { "<h1>Not found</h1>", "is HTML or XML, not JSON" },
      { "<", "is HTML or XML, not JSON" },
      { "<!doctype html", "is an HTML page, not JSON" },
      { "<!doctype htmx>", "is HTML or XML, not JSON" },
      { "<x><html", "is an HTML page, not JSON" },
      { "<htm>", "is HTML or XML, not JSON" },
      { "x", 'is not JSON: it begins with "x"' },
      { "{\0", "is UTF-16 text, not JSON" },
      { ("x"):rep(2000), 'is not JSON: it begins with "' .. ("x"):rep(40) .. '..."' },
      { "\239\187\191" .. support.success(),
        "begins with a byte order mark (UTF-8), not JSON" },
      { "\255\254{\0}\0", "is UTF-16 text, not JSON" },
      { "\254\255\0{\0}", "is UTF-16 text, not JSON" },
      { (support.success():gsub(".", "%0\0")), "is UTF-16 text, not JSON" },
      { (support.success():gsub(".", "\0%0")), "is UTF-16 text, not JSON" },
      { "\31\139\8\0" .. BINARY, "is compressed (gzip), not JSON" },
      { "\40\181\47\253" .. BINARY, "is compressed (zstd), not JSON" },
      { "\120\156" .. BINARY, "is compressed (deflate), not JSON" },
      { "\139\2\128" .. BINARY, "is binary data, not JSON" },
      { "\0", "is binary data, not JSON" },
      { "OK", 'is not JSON: it begins with "OK"' },
      { " upstream failed\nsee the log", 'is not JSON: it begins with "upstream failed"' },
      { "up\rdown", 'is not JSON: it begins with "up"' },
      { ("\191"):rep(60), 'is not JSON: it begins with "..."' },
      { "404 page not found", 'is not JSON: it begins with "404 page not found"' },
      { "nobody", 'is not JSON: it begins with "nobody"' },
      { "NaN", 'is not JSON: it begins with "NaN"' },
      { "\252ber\27[2J", "is binary data, not JSON" },
      { "\252ber", 'is not JSON: it begins with "\\xFCber"' },
      { ("x"):rep(41), 'is not JSON: it begins with "' .. ("x"):rep(40) .. '..."' },
      { ("x"):rep(39) .. "\195\169", 'is not JSON: it begins with "' .. ("x"):rep(39) .. '..."' },
      { "for " .. support.KEY, 'is not JSON: it begins with "for ***"' },
      { ("x"):rep(30) .. support.SECRET,
        'is not JSON: it begins with "' .. ("x"):rep(30) .. '***"' },
    }

    for _, row in ipairs(ROWS) do
      it(("- %q"):format(row[1]:sub(1, 24)), function()
        local _, err = ask(row[1])
        assert.equal("json", err.code)
        assert.equal("the reply " .. row[2], err.message)
      end)
    end

    it("but by the place of the error where it begins as JSON", function()
      local record = [[{"currency":"BT\,"balance":1,"availableBalance":1}]]
      for body, place in pairs {
        [support.success("[" .. record .. "]")] = "bad escape at byte",
        [support.success((record:gsub("\\", "\1")))] = "control character in a string at byte",
        ["[1,]"] = "stray comma at byte 4", ['{"a":1'] = "a comma was expected at byte 7",
        ['"a'] = "unfinished string at byte 3", ["true x"] = 'begins with "true x"',
      } do
        local _, err = ask(body)
        assert.truthy(err.message:find(place, 1, true), err.message)
      end
    end)
  end)

  describe("is taken where it is JSON", function()
    local DOCUMENTS = {
      "null", "true", "false", "0", "-0", "-0.0", "0e1", "0E+2", "-0e-400",
      "1", "-1", "10", "123456789012345678901234567890", "1.5", "-1.25",
      "0.5e-7", "1E5", "1e+5", "1e-5", "1.0E-05", "1e308", "0e99999",
      "1.7976931348623157e308", "-1.7976931348623158e308", "5e-324", "3e-324",
      '""', '"a"', '" "', '"\127"', '"/"', '"\\/"', '"\\""', '"\\\\"',
      '"\\b\\f\\n\\r\\t"', '"\\u0000"', '"\\u0041"', '"\\u00e9\\u00E9"',
      '"\\uD83D\\uDE00"', '"\\udbff\\udfff"', '"\\uFFFF"', '"\\uFDD0"',
      '"\195\169"', '"\226\130\172"', '"\240\159\152\128"',
      '"\194\128"', '"\223\191"', '"\224\160\128"', '"\237\159\191"',
      '"\238\128\128"', '"\239\191\191"', '"\240\144\128\128"',
      '"\244\143\191\191"', '"\239\187\191"', '"\\\\u0041"', '"/*x*/"',
      "[]", "[ ]", "[[]]", "[1]", "[1,2]", "[null,true,false]",
      " [ 1 , 2 ] ", "\t[\r\n1\n,\r2\t]\n", "[[],{}]",
      "{}", "{ }", '{"":1}', '{"a":{}}', '{"a":1,"b":2}', '{"a":1,"A":2}',
      '{"a":{"a":{"a":1}}}', '{"a":1,"\\u0000a":2}', '{"a":1,"a\\u0000":2}',
      '{"\\u00e9":1,"e\\u0301":2}', '[{"a":1},{"a":2}]',
      ' { "a" : 1 , "b" : [ ] } ',
      ("["):rep(31) .. ("]"):rep(31), ('{"a":'):rep(31) .. "1" .. ("}"):rep(31),
      '"' .. ("x"):rep(100000) .. '"', ("9"):rep(300),
      "[" .. ("0,"):rep(5000) .. "0]",
    }

    for i, document in ipairs(DOCUMENTS) do
      local name = #document > 60 and document:sub(1, 57) .. "..." or document
      it(("- %d: %q"):format(i, name), function()
        assert.same({}, (ask(in_unknown_field(document))))
        assert.is_not_nil((json.decode(document)))
        is_refused("schema", document)
      end)
    end

    it("- many unlike keys in one object", function()
      assert.same({}, (ask(in_unknown_field("{" .. many_members(2000):sub(2) .. "}"))))
    end)

    it("- white space all round", function()
      assert.same({}, (ask("\r\n\t " .. support.success() .. " \t\r\n")))
    end)
  end)

  describe("has its strings decoded:", function()
    local STRINGS = {
      { "B\\u0054C", "BTC" },
      { "\\u00e9", "\195\169" },
      { "\\u20AC", "\226\130\172" },
      { "\\ud83d\\ude00", "\240\159\152\128" },
      { "\\uDBFF\\uDFFF", "\244\143\191\191" },
      { "\\\"\\\\\\/\\b\\f\\n\\r\\t", '"\\/\b\f\n\r\t' },
      { "\240\159\152\128", "\240\159\152\128" },
      { "\\\\u0041", "\\u0041" },
      { "a\\u0020b", "a b" },
    }

    for _, row in ipairs(STRINGS) do
      it("- " .. row[1], function()
        local balances = ask(support.success(
          ('[{"currency":"%s","balance":1,"availableBalance":1}]')
          :format(row[1])))
        assert.equal(row[2], balances[1].currency)
      end)
    end
  end)

  -- JSON_TEST_SUITE, a checkout of the suite of that name, adds its documents: those
  -- that its parsers must take (y_), must refuse (n_), and may do either with (i_).
  local suite = os.getenv "JSON_TEST_SUITE"
  if suite then
    -- Twice the same key: right by RFC 8259, and refused here.
    local REFUSED = { ["y_object_duplicated_key.json"] = true,
                      ["y_object_duplicated_key_and_value.json"] = true }
    local counts = { y = 0, n = 0, i = 0 }

    for path in support.must("ls " .. support.quote(suite) .. "/test_parsing/*.json")
      :gmatch "[^\n]+" do
      local name = path:match "[^/]+$"
      local class = name:sub(1, 1)
      counts[class] = counts[class] + 1
      it("as the JSONTestSuite has it: " .. name, function()
        local document = support.read(path)
        if class == "n" or REFUSED[name] then
          is_refused("json", document)
          is_refused("json", in_unknown_field(document))
          is_not_decoded(document)
        elseif class == "y" then
          is_refused("schema", document)
          assert.is_not_nil((json.decode(document)))
          assert.same({}, (ask(in_unknown_field(document))))
        else
          local balances, err = ask(in_unknown_field(document))
          assert.same(balances and {} or "json", balances or err.code)
        end
      end)
    end

    it("as the JSONTestSuite has it, whole", function()
      assert.same({ y = 95, n = 188, i = 35 }, counts)
    end)
  end
end)
