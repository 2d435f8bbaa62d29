local bc = require "spec.support.bc"
local number = require "spec.support.number"
local support = require "spec.support"

local doubles = (os.getenv "BUILD" or ".build") .. "/test/doubles"

-- Numbers whose nearest double is known by construction, not by a parser:
-- exact decimals of doubles and of the points half-way between two of them.
local BASE = 10000000

-- Whole numbers as limbs of seven decimal digits, the lowest first.
local function limbs(value)
  local out = {}
  repeat
    local low = math.fmod(value, BASE)
    out[#out + 1] = low
    value = (value - low) / BASE
  until value == 0
  return out
end

-- n * factor + carry, in place; factor up to 10^7.
local function multiply(n, factor, carry)
  carry = carry or 0
  for i = 1, #n do
    local product = n[i] * factor + carry
    n[i] = math.fmod(product, BASE)
    carry = (product - n[i]) / BASE
  end
  while carry > 0 do
    n[#n + 1] = math.fmod(carry, BASE)
    carry = (carry - n[#n]) / BASE
  end
  return n
end

local function power(n, base, exponent)
  for _ = 1, exponent do multiply(n, base) end
  return n
end

local function digits(n)
  local out = { ("%d"):format(n[#n]) }
  for i = #n - 1, 1, -1 do out[#out + 1] = ("%07d"):format(n[i]) end
  return table.concat(out)
end

-- The exact decimal text of n * 2^exponent.
local function exactly(n, exponent)
  if exponent >= 0 then return digits(power(n, 2, exponent)) end
  local text = digits(power(n, 5, -exponent))
  text = ("0"):rep(1 - exponent - #text) .. text
  return text:sub(1, exponent - 1) .. "." .. text:sub(exponent)
end

local function half_way(m, exponent) -- between m and m + 1, times 2^exponent
  return exactly(multiply(limbs(m), 2, 1), exponent - 1)
end

local function just_below(text) -- only texts that end in an odd digit
  return text:sub(1, -2) .. ("%d"):format(tonumber(text:sub(-1)) - 1)
    .. (text:find(".", 1, true) and "9" or ".9")
end

local function just_above(text)
  return text .. (text:find(".", 1, true) and "1" or ".0001")
end

-- The same numbers each run.
local seed = 20220101
local function random(below)
  seed = math.fmod(seed * 16807, 2147483647)
  return math.fmod(seed, below)
end

local function significand() -- of 53 bits, the first one set
  return 2 ^ 52 + random(2 ^ 26) * 2 ^ 26 + random(2 ^ 26)
end

local function add_neighbours(cases, m, exponent)
  local text = half_way(m, exponent)
  local even = math.fmod(m, 2) == 0 and m or m + 1
  cases[#cases + 1] = { exactly(limbs(m), exponent), m * 2 ^ exponent }
  cases[#cases + 1] = { text, even * 2 ^ exponent }
  cases[#cases + 1] = { just_above(text), (m + 1) * 2 ^ exponent }
  if text:find("[13579]$") then
    cases[#cases + 1] = { just_below(text), m * 2 ^ exponent }
  end
end

local function constructed()
  local cases = {}
  for exponent = -200, 200, 2 do
    add_neighbours(cases, significand(), exponent)
  end
  for exponent = -80, -30 do -- where balances are
    for _ = 1, 5 do add_neighbours(cases, significand(), exponent) end
  end
  for _, exponent in ipairs { -1074, -1073, -1000, -700, 600, 970 } do
    add_neighbours(cases, significand(), exponent)
  end
  for _, m in ipairs { 1, 2, 3, 2 ^ 51, 2 ^ 52 - 1 } do -- subnormal
    add_neighbours(cases, m, -1074)
  end
  cases[#cases + 1] = { just_above(half_way(0, -1074)), 2 ^ -1074 }
  cases[#cases + 1] = { exactly(limbs(2 ^ 53 - 1), 971),
                        (2 ^ 53 - 1) * 2 ^ 971 }
  return cases
end

-- Texts as servers print them, and what Lua's own reader makes of them.
local function read_by_lua()
  local cases = {}
  local function add(text) -- a point keeps Lua from reading an integer
    cases[#cases + 1] = { text,
      number(text:find("[.eE]") and text or text .. ".0") }
  end
  for _, text in ipairs {
    "0", "-0", "0.0", "-0.0", "0e5", "1", "-1", "10", "0.1", "0.2", "0.3",
    "1000000000", "1000003043.7", "1000107794.9999858", "3999974992.35615",
    "3999970806.72614", "999998671.673", "1e-8", "1E-8", "1.5e+3", "1e308",
    "-1e308", "1.7976931348623157e308", "1.7976931348623158e308",
    "2.2250738585072011e-308", "2.2250738585072014e-308", "5e-324", "4.94e-324",
    "3e-324", "9007199254740993", "9007199254740992.9",
    "9007199254740993.0000000000000000000000000000000000000000000000000001",
    "0.1000000000000000055511151231257827021181583404541015625",
    "123456789012345678901234567890", "0.00000001", "100000000.00000001",
    "18446744073709551615", "18446744073709551616", "18446744073709553666",
    "1e22", "1e23", "8.5e22",
    "6929495644600919.5", "3.5844466002796428e+298", "1.448997445238699",
    "0." .. ("0"):rep(400) .. "1e401", ("1"):rep(300) .. "e-299",
  } do
    add(text)
  end
  for _ = 1, 1500 do
    local whole, part = random(2000000000), random(100000000)
    add(("%d.%08d"):format(whole, part))
    add(("%s%d.%d%d%de%d"):format(random(2) == 0 and "-" or "", random(10),
      random(1000000000), random(1000000000), random(10), random(600) - 300))
  end
  return cases
end

describe("a double #once #apart", function()
  -- The same program checks the shortest texts of doubles. Most amounts are
  -- converted by a multiplication that does not decide a tie.
  it("is the nearest one, next to the points half way between two of them and on "
    .. "them, for 100,000 texts", function()
    local out = support.must(doubles .. " 20000 " .. os.time())
    assert.matches(" 0 wrong\n$", out)
  end)

  it("is the nearest one also where the compiler has no integers of 128 bits", function()
    local program = support.quote(support.tmpdir() .. "/doubles")
    support.must("${CC:-cc} -O1 -std=c11 -Icsrc -U__SIZEOF_INT128__ -o " .. program
      .. " spec/support/doubles.c csrc/json/scan.c csrc/json/escape.c csrc/money/amount.c"
      .. " csrc/money/bigint.c csrc/money/quotient.c -lm")
    assert.matches(" 0 wrong\n$", support.must(program .. " 20000 " .. os.time()))
  end)

  it("is the nearest one, and its text the shortest, for 10,000,000 such texts, "
    .. "2,000,000 random doubles, the powers of two and ten, and their neighbours "
    .. "#long", function()
    local out = support.must(doubles .. " 2000000 " .. os.time())
    assert.matches(" 0 wrong\n$", out)
  end)
end)

describe("an amount #smoke", function()
  local faultd, cases

  setup(function()
    faultd = support.faultd()
    cases = constructed()
    for _, case in ipairs(read_by_lua()) do cases[#cases + 1] = case end
  end)
  teardown(function() faultd:stop() end)

  local function negated(text)
    return text:find("^%-") and text:sub(2) or "-" .. text
  end

  -- All texts in one reply; in each record once as it is, once with a sign.
  local function ask(mode)
    local rows = {}
    for i, case in ipairs(cases) do
      local other = negated(case[1])
      rows[i] = ('{"currency":"C%d","balance":%s,"availableBalance":%s}')
        :format(i, case[1], other)
    end
    local body = support.success("[" .. table.concat(rows, ",") .. "]")
    local balances, err = support.balances(faultd:url_body(body),
      { amounts = mode, max_body = 16 * 1024 * 1024 })
    assert.is_nil(err)
    assert.equal(#cases, #balances)
    return balances
  end

  -- Equal, and of one sign where both are 0.
  local function same(a, b)
    return type(a) == "number" and a == b and (a ~= 0 or 1 / a == 1 / b)
  end

  local function all_nearest()
    for i, record in ipairs(ask("number")) do
      local text, expected = cases[i][1], cases[i][2]
      assert(same(expected, record.balance),
        text .. " gave " .. ("%.17g"):format(record.balance))
      assert(same(-expected, record.availableBalance), "- " .. text)
    end
  end

  it('in mode "number" is the nearest double, ties to even', function()
    assert.is_true(#cases > 4000)
    all_nearest()
  end)

  it('in mode "string" is what came, digit for digit', function()
    for i, record in ipairs(ask("string")) do
      local text = cases[i][1]
      assert(record.balance == text, text)
      assert(record.availableBalance == negated(text), text)
    end
  end)

  -- A text that a decimal may have, with its exponent done and no sign for 0.
  local function plain_or_nil(text)
    local _, count = text:gsub("[eE].*", ""):gsub("^%-?0?%.?0*", ""):gsub("%d", "")
    local exponent = math.abs(tonumber(text:match("[eE](.*)")) or 0)
    if count > 1000 or exponent > 400 then return nil end
    local plain = bc.plain(text):gsub("^(%-?)0+(%d)", "%1%2")
    return plain:find("[1-9]") and plain or (plain:gsub("^%-", ""))
  end

  it('in mode "decimal" has every digit that came, without an exponent', function()
    local all, kept = cases, {}
    for _, case in ipairs(all) do
      kept[#kept + 1] = plain_or_nil(case[1]) and case
    end
    assert.is_true(#kept > 4000)
    cases = kept
    local balances = ask("decimal")
    cases = all
    for i, record in ipairs(balances) do
      local text = kept[i][1]
      assert(tostring(record.balance) == plain_or_nil(text), text)
      assert(tostring(record.availableBalance) == plain_or_nil(negated(text)), text)
    end
  end)

  it("does not depend on the locale's decimal point", function()
    local before = os.setlocale()
    if not (os.setlocale("de_DE.UTF-8") or os.setlocale("de_DE.utf8")) then
      pending("no locale de_DE.UTF-8 here")
    end
    local ok, err = pcall(all_nearest)
    local _, _, info = support.balances(faultd:url_body(support.success()))
    os.setlocale(before)
    assert(ok, err)
    assert.equal(1525239801363, info.responseTime)
  end)

  it("of the documented example keeps its digits", function()
    local amounts = { "1000107794.9999858", "3999974992.35615" }
    for _, text in ipairs(amounts) do
      local body = support.success(
        ('[{"currency":"X","balance":%s,"availableBalance":%s}]')
        :format(text, text))
      local record = support.balances(faultd:url_body(body))[1]
      assert.equal(tonumber(text), record.balance)
    end
  end)
end)
