local bc = require "spec.support.bc"
local bitfront = require "bitfront"
local number = require "spec.support.number"

local decimal = bitfront.decimal

describe("a decimal", function()
  describe("from text", function()
    it("prints the digits it was given #smoke", function()
      for _, text in ipairs { "0", "1.10", "-1.10", "0.00", "1000000000",
        "1000107794.9999858", "-0.000000000000000001" } do
        assert.equal(text, tostring(decimal(text)))
      end
    end)

    it("never prints an exponent #smoke", function()
      local PLAIN = {
        ["1e3"] = "1000", ["1.5e3"] = "1500", ["1.10e1"] = "11.0",
        ["1e-8"] = "0.00000001", ["1.5E-3"] = "0.0015", ["2E+2"] = "200",
        ["0e5"] = "0", ["0e-2"] = "0.00", ["12.34e1"] = "123.4",
      }
      for text, plain in pairs(PLAIN) do
        assert.equal(plain, tostring(decimal(text)))
      end
    end)

    it("has no sign when it is zero", function()
      assert.equal("0.00", tostring(decimal("-0.00")))
    end)

    it("takes 1,000 digits and exponents to 400, and no more", function()
      assert.equal(("9"):rep(1000), tostring(decimal(("9"):rep(1000))))
      assert.is_nil((decimal(("9"):rep(1001))))
      assert.equal("1" .. ("0"):rep(400), tostring(decimal("1e400")))
      assert.is_nil((decimal("1e401")))
      assert.equal("0." .. ("0"):rep(399) .. "1", tostring(decimal("1e-400")))
      assert.is_nil((decimal("1e-401")))
      assert.equal("0." .. ("7"):rep(1000), tostring(decimal("0." .. ("7"):rep(1000))))
      for exponent, zeros in pairs { [10] = 409, [-10] = 389 } do -- 1e-400, written otherwise
        local text = "0." .. ("0"):rep(zeros) .. "1e" .. exponent
        assert.equal("0." .. ("0"):rep(399) .. "1", tostring(decimal(text)))
        assert.is_nil((decimal((text:gsub("%.", ".0")))))
      end
    end)

    it("has at most 400 places also where it is zero", function()
      local zero, high = decimal("0e-400"), decimal("0e400")
      assert.equal("0." .. ("0"):rep(400), tostring(zero))
      assert.equal("0." .. ("0"):rep(400), tostring(zero * zero))
      assert.equal("0", tostring(high * high))
      assert.is_true(high * high == zero * zero)
      assert.is_nil((decimal("0e401")))
      assert.is_nil((decimal("0e-401")))
      assert.equal("0." .. ("0"):rep(400), tostring(decimal("0." .. ("0"):rep(1800))))
      assert.is_nil((decimal("0." .. ("0"):rep(1801))))
    end)

    describe("is refused for", function()
      local REFUSED = {
        "", " ", " 1", "1 ", "1\n", "1\0", "1e", "1e+", "1e1.5", "0x10", "NaN", "nan",
        "Infinity", "inf", "1_000", "1,5", "1'000", "01", "-01", "00", "+1", "-", "--1",
        ".5", "5.", "-.5", "1.e1", ".", "e5", "1.2.3", "1d5", "1f", "\217\161\217\162",
        "1e999999999", "1e-999999999", "1e" .. ("9"):rep(40),
      }
      for _, text in ipairs(REFUSED) do
        it(("%q"):format(text), function()
          local value, message = decimal(text)
          assert.is_nil(value)
          assert.is_string(message)
        end)
      end
    end)

    -- Seconds of the processor for `count` calls of what(text).
    local function cost(count, what, text)
      local began = os.clock()
      for _ = 1, count do what(text) end
      return os.clock() - began
    end

    it("takes time by its length, not by its exponent", function()
      local nines = ("9"):rep(1e7)
      local function scan(text) return text:find "%a$" end
      for _, text in ipairs { nines, "0." .. nines, "1e" .. nines, "0." .. ("0"):rep(1e7) } do
        assert.is_nil((decimal(text)))
        local read, scanned = cost(1, decimal, text), cost(1, scan, text)
        assert.is_true(read < 10 * scanned, ("%.3f s, a scan %.3f s"):format(read, scanned))
      end
      local refused, longest = cost(10000, decimal, "1e999999999"), cost(10000, decimal, "1e400")
      assert.is_true(refused < 10 * longest, ("%.3f s, 1e400 %.3f s"):format(refused, longest))
    end)

    it("says what was wrong, safe for a log", function()
      local _, message = decimal("\27[2J" .. ("x"):rep(100))
      assert.equal('not a number: "?[2J' .. ("x"):rep(28) .. '..."', message)
      assert.same({ nil, 'not a number: " ~??"' }, { decimal(" ~\127\128") })
    end)
  end)

  describe("from a Lua value", function()
    it("is the shortest text of a number #smoke", function()
      assert.equal("0.1", tostring(decimal(0.1)))
      assert.equal("1000107794.9999858", tostring(decimal(1000107794.9999858)))
      assert.equal("100", tostring(decimal(100)))
      assert.equal("0.00000001", tostring(decimal(1e-8)))
      assert.equal("100000000000000000000000", tostring(decimal(1e23)))
      assert.equal("0." .. ("0"):rep(323) .. "5", tostring(decimal(2 ^ -1074)))
    end)

    it("is all digits of an integer", function()
      assert.equal("-5", tostring(decimal(-5)))
      assert.equal("0", tostring(decimal(0)))
      local largest = tonumber("9223372036854775807")
      if largest == largest - 1 then return end -- this Lua has doubles only
      assert.equal("9223372036854775807", tostring(decimal(largest)))
      assert.equal("-9223372036854775808", tostring(decimal(-largest - 1)))
    end)

    it("is refused for what is no finite number", function()
      for _, value in ipairs { 0 / 0, 1 / 0, -1 / 0, true, {}, print, io.stdout } do
        local made, message = decimal(value)
        assert.is_nil(made)
        assert.is_string(message)
      end
      assert.same({ nil, "number expected, got nil" }, { decimal(nil) })
    end)

    it("is itself for a decimal", function()
      local one = decimal("1")
      assert.is_true(rawequal(one, decimal(one)))
      assert.is_true(rawequal(one, decimal(one, 2)))
    end)
  end)

  describe("in an operation", function()
    it("is exact #smoke", function()
      assert.equal("0.3", tostring(decimal("0.1") + decimal("0.2")))
      assert.equal("4185.63001",
        tostring(decimal("3999974992.35615") - decimal("3999970806.72614")))
      assert.equal("0.02", tostring(decimal("0.1") * decimal("0.2")))
      assert.equal("-1.10", tostring(-decimal("1.10")))
    end)

    it("is equal to no other value", function()
      local one = decimal "1"
      for _, other in ipairs { {}, io.stdout, "1" } do
        assert.is_false(one == other)
        assert.is_false(other == one)
      end
      assert.is_true(one == decimal "1.0")
    end)

    it("takes strings and numbers on either side #smoke", function()
      local half = decimal("0.5")
      for _, sum in ipairs { half + 1, 1 + half, half + "1", "1" + half } do
        assert.equal("1.5", tostring(sum))
      end
      assert.equal("-0.4", tostring(0.1 - half))
      assert.equal("0.05", tostring("0.1" * half))
    end)

    it("compares by value, however it was written #smoke", function()
      assert.is_true(decimal("1.10") == decimal("1.1"))
      assert.is_true(decimal("1e2") == decimal("100"))
      assert.is_true(decimal("-0") == decimal("0.00"))
      assert.is_false(decimal("1") == decimal("1.0000000000000000000000000001"))
      assert.is_true(decimal("0.1") < decimal("0.11"))
      assert.is_true(decimal("-2") < decimal("-1.5"))
      assert.is_true(decimal("1.0") <= decimal("1"))
      assert.is_true(decimal("2") > decimal("1.99"))
      assert.is_false(decimal("1") < decimal("1.0"))
      assert.is_false(decimal("2") <= decimal("1.99"))
    end)

    it("compares with strings and numbers where Lua allows it", function()
      if _VERSION == "Lua 5.1" then return end -- compares like with like only
      assert.is_true(decimal("1") < "1.5")
      assert.is_true(2 > decimal("1"))
      assert.is_true("1" <= decimal("1"))
    end)

    it("joins with strings", function()
      assert.equal("1.10 BTC", decimal("1.10") .. " BTC")
      assert.equal("balance: 1.10", "balance: " .. decimal("1.10"))
      for place, join in ipairs { function() return {} .. decimal "1" end,
                                  function() return decimal "1" .. {} end } do
        local line = debug.getinfo(join, "S").linedefined
        assert.matches(("31_decimal_spec.lua:%d: bad argument #%d to .+ %%(string expected, "
          .. "got table%%)$"):format(line, place), select(2, pcall(join)))
      end
    end)

    it("leaves its operands as they are", function()
      local a, b = decimal("1.10"), decimal("2")
      assert.is_table { a + b, a - b, a * b, -a, a < b, a:round(0) }
      assert.equal("1.10", tostring(a))
      assert.equal("2", tostring(b))
    end)

    it("raises at the caller's line for what is not a number", function()
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, message = pcall(function() local _ = decimal("1") + "x" end)
      assert.is_false(ok)
      assert.matches("31_decimal_spec.lua:" .. line .. ": not a number: \"x\"", message, 1, true)
      assert.has_error(function() local _ = decimal("1") * {} end)
      assert.has_error(function() local _ = decimal("1") - 0 / 0 end)
    end)

    it("raises beyond the limits", function()
      local huge, tiny = decimal("1e400"), decimal("1e-400")
      local long = decimal(("9"):rep(1000))
      assert.has_error(function() local _ = huge * "1e1" end)
      assert.has_error(function() local _ = tiny * tiny end)
      assert.has_error(function() local _ = long + 1 end)
      assert.has_error(function() local _ = long * long end)
      assert.equal(801, #tostring(huge + tiny) - 1)
      local lowest = decimal("1.5e-200") * "1e-200" -- 1.5e-400
      assert.equal("15", tostring(lowest):match "[1-9].*")
      assert.has_error(function() local _ = decimal("1.5e-200") * "1e-201" end)
    end)

    it("cannot divide", function()
      assert.has_error(function() local _ = decimal("1") / decimal("3") end)
    end)
  end)

  describe(":round", function()
    it("rounds towards zero unless told otherwise", function()
      assert.equal("1.23", tostring(decimal("1.239"):round(2)))
      assert.equal("-1.23", tostring(decimal("-1.239"):round(2)))
      assert.equal("0", tostring(decimal("-0.9"):round(0)))
      assert.equal("1.3", tostring(decimal("1.21"):round(1, "up")))
      assert.equal("-1.3", tostring(decimal("-1.21"):round(1, "up")))
      assert.equal("1.2", tostring(decimal("1.25"):round(1, "half_even")))
      assert.equal("1.4", tostring(decimal("1.35"):round(1, "half_even")))
    end)

    it("gives exactly as many places as were asked for", function()
      assert.equal("5.00", tostring(decimal("5"):round(2)))
      assert.equal("100.0", tostring(decimal("1e2"):round(1)))
    end)

    it("raises for other places and modes", function()
      local one = decimal("1")
      for _, places in ipairs { -1, 0.5, 401, 0 / 0, "x", {} } do
        assert.has_error(function() one:round(places) end)
      end
      assert.equal("1." .. ("0"):rep(400), tostring(one:round(400)))
      for message, arguments in pairs {
        ['#2 to .+ %(a whole number of places from 0 to 400 expected%)$'] = { 401 },
        ['#3 to .+ %("down", "half_even" or "up" expected%)$'] = { 1, "floor" },
      } do
        assert.matches(message, select(2, pcall(one.round, one, arguments[1], arguments[2])))
      end
    end)
  end)

  it("tells zero and sign", function()
    for text, sign in pairs { ["-0.01"] = -1, ["-0.0"] = 0, ["0"] = 0, ["3"] = 1 } do
      assert.equal(sign, decimal(text):sign())
      assert.equal(sign == 0, decimal(text):is_zero())
    end
  end)

  it("becomes the nearest double", function()
    assert.equal(0.1, decimal("0.1"):to_number())
    assert.equal(2 ^ 53, decimal("9007199254740993"):to_number())
    assert.equal(2 ^ 53 + 2, decimal("9007199254740993.0000000001"):to_number())
    assert.equal(math.huge, decimal("1e309"):to_number())
    assert.equal(-math.huge, decimal("-1e400"):to_number())
    assert.equal(math.huge, decimal(("9"):rep(400) .. ".5"):to_number())
    assert.equal(-math.huge, decimal("-" .. ("9"):rep(400) .. ".5"):to_number())
    assert.equal(math.huge, 1 / decimal("1e-400"):to_number())
    assert.equal(-math.huge, 1 / decimal("-1e-400"):to_number())
    assert.equal(0, decimal("1e-400"):to_number())
  end)

  it("may live a hundred thousand times at once", function()
    local list, sum = {}, decimal(0)
    for i = 1, 1e5 do list[i] = decimal(i) end
    for i = 1, 1e5 do sum = sum + list[i] end
    assert.equal("5000050000", tostring(sum))
  end)

  it("does not give away the metatable that all decimals share", function()
    assert.equal("bitfront.decimal", getmetatable(decimal(1)))
  end)

  it("has operators that take two operands, also where they are called as functions", function()
    local operators = debug.getmetatable(decimal(5))
    for _, name in ipairs { "__add", "__sub", "__mul", "__lt", "__le" } do
      assert.has_error(function() operators[name](5) end)
      assert.has_error(function() operators[name](decimal(5)) end)
    end
  end)

  it("cannot be used any more once it was collected", function()
    local one = decimal("1")
    local gc = debug.getmetatable(one).__gc
    gc(one)
    gc(one)
    assert.has_error(function() tostring(one) end)
    assert.has_error(function() local _ = one + 1 end)
  end)
end)

describe("a sum of decimals", function()
  local sum = require "bitfront.core".sum

  it("is what was added, of any kind", function()
    local total = sum()
    for _, value in ipairs { 1, "0.10", decimal "-3" } do
      assert.same({ true }, { total:add(value) })
    end
    assert.same({ nil, 'not a number: "x"' }, { total:add "x" })
    assert.equal("-1.90", tostring(total:total()))
  end)

  it("cannot be used any more once it was collected, nor with what was", function()
    local total, one = sum(), decimal "1"
    debug.getmetatable(one).__gc(one)
    assert.matches("the decimal is gone", select(2, pcall(total.add, total, one)), 1, true)
    for _ = 1, 2 do debug.getmetatable(total).__gc(total) end
    for _, name in ipairs { "add", "total" } do
      assert.matches("the decimal is gone", select(2, pcall(total[name], total, "1")), 1, true)
    end
  end)
end)

-- ---- against bc ----

local state = 20251123

local function random(n) -- 1 to n, the same on every Lua
  state = (state * 16807) % 2147483647
  return state % n + 1
end

local function random_digits(count)
  local digits = {}
  for i = 1, count do digits[i] = random(10) - 1 end
  return table.concat(digits)
end

local function random_text()
  local text = random(3) == 1 and "-" or ""
  text = text .. (random(4) == 1 and "0" or random(9) .. random_digits(random(25)))
  if random(3) > 1 then text = text .. "." .. random_digits(random(25)) end
  if random(4) == 1 then text = text .. "e" .. (random(31) - 16) end
  return text
end

-- A number's one form: bc writes .5 for 0.5, and 0 for 0.00.
local function same_form(text)
  text = text:gsub("^(%-?)%.", "%10.")
  if text:find(".", 1, true) then text = text:gsub("0+$", ""):gsub("%.$", "") end
  return text == "-0" and "0" or text
end

local OPERATIONS = {
  function(a, b) return "(%s) + (%s)", decimal(a) + decimal(b) end,
  function(a, b) return "(%s) - (%s)", decimal(a) - b end,
  function(a, b) return "(%s) * (%s)", a * decimal(b) end,
  function(a, b) return "(%s) < (%s)", decimal(a) < decimal(b) end,
  function(a, b) return "(%s) <= (%s)", decimal(a) <= decimal(b) end,
  function(a, b) return "(%s) == (%s)", decimal(a) == decimal(b) end,
}

local function text_of(result)
  if type(result) == "boolean" then return result and "1" or "0" end
  return same_form(tostring(result))
end

describe("bc agrees on #once", function()
  it("12,000 sums, differences, products and comparisons", function()
    local expressions, ours = {}, {}
    for i = 1, 12000 do
      local a, b = random_text(), random_text()
      if random(10) == 1 then b = a .. (a:find("[.e]") and "" or ".0") end
      local template, result = OPERATIONS[i % #OPERATIONS + 1](a, b)
      expressions[i] = template:format(bc.plain(a), bc.plain(b))
      ours[i] = text_of(result)
    end
    for i, theirs in ipairs(bc.run(expressions)) do
      assert.equal(same_form(theirs), ours[i], expressions[i])
    end
  end)

  it("3,000 roundings", function()
    local expressions, ours = {}, {}
    local MODES = { d = "down", u = "up", h = "half_even" }
    for i = 1, 3000 do
      local a, places = random_text(), random(12) - 1
      if i % 3 == 0 then a = random(999) .. "." .. random_digits(places) .. "5" end -- a tie
      local name = ("duh"):sub(i % 7 % 3 + 1, i % 7 % 3 + 1)
      expressions[i] = ("%s(%s, %d)"):format(name, bc.plain(a), places)
      ours[i] = same_form(tostring(decimal(a):round(places, MODES[name])))
    end
    for i, theirs in ipairs(bc.run(expressions)) do
      assert.equal(same_form(theirs), ours[i], expressions[i])
    end
  end)
end)

describe("the shortest text of a double #once", function()
  it("is what a decimal of it prints", function()
    for _ = 1, 20000 do
      local value = number(random(9) .. "." .. random_digits(random(17))
        .. "e" .. random(600) - 300)
      assert.equal(value, number(tostring(decimal(value))) + 0.0)
    end
  end)
end)

describe("under a locale with a decimal comma", function()
  local before

  setup(function()
    before = os.setlocale()
    assert(os.setlocale("de_DE.UTF-8"), "the locale de_DE.UTF-8 is missing")
  end)
  teardown(function() os.setlocale(before) end)

  it("a decimal reads and prints a point", function()
    assert.equal("1.5", tostring(decimal("1.5")))
    assert.equal("2.25", tostring(decimal("1.5") * "1.5"))
    assert.is_nil((decimal("1,5")))
    assert.equal("0.5", tostring(decimal(1 / 2)))
    assert.equal(1 / 2, decimal("0.5"):to_number())
  end)
end)
