local bitfront = require "bitfront"
local cjson = require "cjson"
local support = require "spec.support"

local json = bitfront.json
local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

-- Which texts are refused, 12_scan has.
describe("bitfront.json.decode", function()
  local function same(expected, text, amounts)
    local value, message = json.decode(text, amounts and { amounts = amounts })
    assert.is_nil(message)
    assert.same(expected, value)
  end

  it("gives Lua's values", function()
    same({ a = { 1.5, true, false, "x\195\169", { b = {} } }, [""] = -0.5 },
      ' {"a": [1.5, true, false, "x\\u00e9", {"b": {}}], "": -5e-1}\r\n\t')
    same("text", '"text"')
    same(7, "7")
    same(false, "false")
  end)

  it("gives null as bitfront.null, which is lua-cjson's", function()
    assert.equal(bitfront.null, (json.decode "null"))
    assert.equal(bitfront.null, json.decode '{"a":[1,null,3]}'.a[2])
    assert.equal(cjson.null, bitfront.null)
    assert.equal("userdata", type(bitfront.null))
    assert.is_nil(rawget(bitfront, "nul") or bitfront.nul)
  end)

  it("tells arrays and objects apart, also empty ones", function()
    local value = json.decode '{"a":[],"b":{},"c":[{},[1]]}'
    assert.is_true(json.is_array(value.a) and json.is_array(value.c)
      and json.is_array(value.c[2]))
    assert.is_false(json.is_array(value) or json.is_array(value.b)
      or json.is_array(value.c[1]))
    for _, other in ipairs { {}, "", 1, bitfront.null } do
      assert.is_false(json.is_array(other))
    end
    assert.is_false(json.is_array(nil))
  end)

  local NUMBERS = {
    "0", "-0", "1e-8", "1E+2", "0.10", "123456789012345678901234567890",
    "1000107794.9999858", "9007199254740993", "0.000", "-1.50e1", "12.3456789012",
  }
  for digit = 0, 9 do -- as the first one, the only one, and the last one of each part
    local format = digit == 0 and "%d.%d%de-%d" or "%d%d.%de+%d"
    NUMBERS[#NUMBERS + 1] = tostring(digit)
    NUMBERS[#NUMBERS + 1] = "-" .. format:format(digit, digit, digit, digit)
  end

  it("keeps each number's text", function()
    same(NUMBERS, "[" .. table.concat(NUMBERS, ",") .. "]", "string")
    same({ "1e400", "1e-400", "1e999999999999" }, "[1e400,1e-400,1e999999999999]", "string")
  end)

  it("keeps each number's digits", function()
    local decimals = json.decode("[" .. table.concat(NUMBERS, ",") .. "]",
      { amounts = "decimal" })
    for i, number in ipairs(NUMBERS) do
      assert.equal(tostring(bitfront.decimal(number)), tostring(decimals[i]))
    end
  end)

  it("gives the nearest double", function()
    local doubles = json.decode("[" .. table.concat(NUMBERS, ",") .. "]")
    for i, number in ipairs(NUMBERS) do
      assert.equal(tonumber(number) + 0.0, doubles[i])
    end
    assert.equal(-math.huge, 1 / doubles[2])
    assert.equal(tostring(0.0), tostring(doubles[1])) -- a float where Lua has integers
  end)

  describe("names what is wrong, and its byte:", function()
    local ROWS = {
      { "", nil, "a value was expected at byte 1" },
      { " [1,]", nil, "stray comma at byte 5" },
      { '{"a":1,"a":2}', nil, "duplicate key at byte 14" },
      { "[1] x", nil, "something follows the value at byte 5" },
      { "[1e400]", nil, "number beyond a double's range at byte 2" },
      { "[0,1e401]", "decimal",
        "number with more digits or a larger exponent than a decimal may have at byte 4" },
      { "[1e-400,0.1e-400]", "decimal",
        "number with more digits or a larger exponent than a decimal may have at byte 9" },
      { "[0," .. ("7"):rep(1001) .. "]", "decimal",
        "number with more digits or a larger exponent than a decimal may have at byte 4" },
      { "[0,01]", "string", "bad number at byte 4" },
      { "[1234567:]", nil, "a comma was expected at byte 9" }, -- eight bytes are read at once
      { "[1234567/]", nil, "a comma was expected at byte 9" },
      { '["\128"]', nil, "invalid UTF-8 at byte 3" },
      { '["\252\128\128\128"]', nil, "invalid UTF-8 at byte 3" }, -- bits of U+100000
      { "\239\187\1911", nil, "bad number at byte 1" },
      { "[\"\27[2J\"]", nil, "control character in a string at byte 3" },
    }
    for _, row in ipairs(ROWS) do
      it(("%q"):format(row[1]:sub(1, 20)), function()
        local value, message = json.decode(row[1], row[2] and { amounts = row[2] })
        assert.is_nil(value)
        assert.equal(row[3], message)
      end)
    end
  end)

  it("takes 32 levels of nesting, and no more", function()
    assert.is_not_nil((json.decode(("["):rep(32) .. ("]"):rep(32))))
    assert.is_not_nil((json.decode(('{"a":'):rep(32) .. "1" .. ("}"):rep(32))))
    assert.same({ nil, "nested too deeply at byte 33" },
      { json.decode(("["):rep(33) .. ("]"):rep(33)) })
    assert.same({ nil, "nested too deeply at byte 161" },
      { json.decode(('{"a":'):rep(33) .. "1" .. ("}"):rep(33)) })
  end)

  -- Values are set in batches, keys are kept in memory that grows.
  for _, count in ipairs { 0, 1, 15, 16, 17, 31, 32, 33, 48, 100, 1000 } do
    it(("gives all of %d elements and members"):format(count), function()
      local elements, members, list, object = {}, {}, {}, {}
      for i = 1, count do
        elements[i], list[i] = ("%d"):format(i), i
        members[i], object["key" .. i] = ('"key%d":{"a":[%d]}'):format(i, i), { a = { i } }
      end
      same(list, "[" .. table.concat(elements, ",") .. "]")
      same(object, "{" .. table.concat(members, ",") .. "}")
      members[count + 1] = ('"key%d":0'):format(math.max(1, count))
      local doubled = "{" .. table.concat(members, ",") .. "}"
      assert.equal(count == 0, json.decode(doubled) ~= nil)
    end)
  end

  for _, len in ipairs { 0, 1, 255, 256, 257, 5000 } do
    it(("decodes the escapes in texts of %d bytes"):format(len), function()
      same(("x"):rep(len) .. "\0", '"' .. ("x"):rep(len) .. '\\u0000"')
      same({ [("k"):rep(len) .. '"'] = "\195\169" },
        '{"' .. ("k"):rep(len) .. '\\"":"\\u00E9"}')
    end)
  end

  it("is not misled by a finalizer that decodes meanwhile", function()
    local members = {}
    for i = 1, 40 do members[i] = ('"key%d":%d'):format(i, i) end
    local text = "{" .. table.concat(members, ",") .. "}"
    local function leave_garbage()
      if _VERSION > "Lua 5.1" then
        setmetatable({}, { __gc = function() json.decode(text) end })
      end
    end
    for _ = 1, 200 do
      leave_garbage()
      assert.equal(40, json.decode(text).key40)
    end
  end)

  describe("raises at its caller's line for", function()
    local ROWS = {
      { "no text", {}, "text must be a string, not a nil" },
      { "a number", { 1 }, "text must be a string, not a number" },
      { "options that are no table", { "1", "string" }, "options must be a table" },
      { "an unknown option", { "1", { amount = "string" } }, 'did you mean "amounts"?' },
      { "other amounts", { "1", { amounts = "text" } },
        'amounts must be "number", "string" or "decimal"' },
      { "more arguments", { "1", {}, {} }, "too many arguments" },
    }
    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local ok, message = pcall(function()
          local value = json.decode(unpack(row[2]))
          return value
        end)
        assert.is_false(ok)
        assert.matches("12_json_spec", message)
        assert.truthy(message:find("bitfront.json.decode: " .. row[3], 1, true)
          or message:find(row[3], 1, true), message)
      end)
    end
  end)
end)

describe("client:get", function()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local DATA = '{"id":9007199254740993,"price":0.10,"list":[],"none":null}'

  local function get(options, call_options, data)
    options.base_url = faultd:url_body(support.success(data or DATA))
    local client = support.client(options)
    local value, err, info = client:get("/v1/trade/openOrders", nil, call_options)
    client:close()
    return value, err, info
  end

  it("gives doubles unless it is asked for more", function()
    local value = get {}
    assert.equal(9007199254740992, value.id)
    assert.equal(0.1, value.price)
    assert.is_true(json.is_array(value.list))
    assert.equal(bitfront.null, value.none)
  end)

  it("gives digits or decimals as the client's option amounts says", function()
    assert.equal("0.10", get({ amounts = "string" }).price)
    local value = get { amounts = "decimal" }
    assert.equal("9007199254740993", tostring(value.id))
    assert.equal("0.10", tostring(value.price))
  end)

  it("goes by the option of the call first", function()
    assert.equal("0.10", get({}, { amounts = "string" }).price)
    assert.equal(0.1, get({ amounts = "decimal" }, { amounts = "number" }).price)
  end)

  for text, value in pairs { ["false"] = false, ["null"] = bitfront.null, ["0"] = 0 } do
    it("gives a responseData that is " .. text, function()
      local data, err, info = get({}, nil, text)
      assert.equal(value, data)
      assert.is_nil(err)
      assert.equal(1000, info.statusCode)
    end)
  end

  for text, place in pairs { ["%s"] = 1, ["[%s]"] = 2, ['{"a":%s}'] = 6, ['{"a":[%s]}'] = 7,
                             ["[[1],{},%s]"] = 9 } do
    it("refuses a number that no decimal can be in " .. text .. ", and gives info", function()
      local data, err, info = get({ amounts = "decimal" }, nil,
        text:format("0." .. ("1"):rep(1001)))
      assert.is_nil(data)
      assert.equal("protocol schema", err.kind .. " " .. err.code)
      assert.equal("responseData is refused: number with more digits or a larger exponent "
        .. "than a decimal may have at byte " .. place .. " of it", err.message)
      assert.equal(1, err.attempts)
      assert.equal(1000, info.statusCode)
    end)
  end
end)
