local bitfront = require "bitfront"
local number = require "spec.support.number"

local decimal = bitfront.decimal

local MODES = { number = number, string = tostring, decimal = decimal }

local function record(code, balance, available)
  return { currency = code, balance = balance, availableBalance = available or balance }
end

local function kind(value)
  return type(value) == "userdata" and "decimal" or type(value)
end

local function same(expected, got)
  assert.is_true(decimal(expected) == decimal(got),
    tostring(got) .. " is not " .. tostring(expected))
end

local function complaint(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  local file, rest = message:match("([%w_]+%.lua):%d+: (.*)")
  assert.equal("33_totals_spec.lua", file, message)
  return rest
end

describe("adding up records", function()
  for mode, make in pairs(MODES) do
    describe("that hold each amount as a " .. mode, function()
      it("by_currency adds what comes twice, exactly #smoke", function()
        local by = bitfront.by_currency {
          record("A", make("0.1")), record("B", make("1.10")), record("A", make("0.2")),
        }
        assert.equal(mode, kind(by.A.balance))
        same("0.3", by.A.balance)
        same("0.3", by.A.availableBalance)
        assert.equal("A", by.A.currency)
        assert.equal(tostring(make("1.10")), tostring(by.B.balance))
      end)

      it("total adds a coin over all accounts #smoke", function()
        local total = bitfront.total {
          { record("A", make("0.1"), make("0.05")), record("B", make("1")) },
          {},
          { record("C", make("7")), record("A", make("0.2"), make("0")) },
        }
        assert.equal(3, #total)
        assert.equal("A", total[1].currency)
        assert.equal("C", total[3].currency)
        assert.equal(mode, kind(total[1].balance))
        same("0.3", total[1].balance)
        same("0.05", total[1].availableBalance)
      end)

      it("value multiplies exactly and names what has no price #smoke", function()
        local worth = bitfront.value({
          record("BTC", make("0.1")), record("ETH", make("3")), record("X", make("1")),
          record("Y", make("1")), record("X", make("2")),
        }, { BTC = "0.2", ETH = 1.1, ZZZ = decimal("9") })
        assert.equal("3.32", tostring(worth.total))
        assert.same({ "X", "Y" }, worth.missing)
        assert.equal(2, #worth.records)
        assert.equal("0.02", tostring(worth.records[1].value))
        assert.equal("1.1", tostring(worth.records[2].price))
        assert.equal("ETH", bitfront.sort(worth.records, "value", "desc")[1].currency)
      end)

      it("diff tells what came, what went and what changed by how much #smoke", function()
        local result = bitfront.diff(
          { record("A", make("0.3"), make("0.3")), record("B", make("1.1")),
            record("C", make("5")) },
          { record("D", make("2")), record("B", make("1.10")),
            record("A", make("0.1"), make("0.3")) })
        assert.equal(1, #result.added)
        assert.equal("D", result.added[1].currency)
        assert.equal(1, #result.removed)
        assert.equal("C", result.removed[1].currency)
        assert.equal(1, #result.changed)
        local change = result.changed[1]
        assert.equal("A", change.currency)
        assert.equal(mode, kind(change.balance))
        same("-0.2", change.balance)
        same("0", change.availableBalance)
        same("0.3", change.before.balance)
        same("0.1", change.after.balance)
      end)
    end)
  end

  it("loses nothing where doubles would", function()
    local lists = {}
    for i = 1, 10 do lists[i] = { record("A", 0.1), record("B", "1e-18"), record("B", "1e18") } end
    local total = bitfront.total(lists)
    assert.equal(1, total[1].balance)
    assert.equal("10000000000000000000.000000000000000010", total[2].balance)
  end)

  it("gives decimals where forms are mixed", function()
    local total = bitfront.total { { record("A", 0.1) }, { record("A", "0.2") } }
    assert.equal("userdata", type(total[1].balance))
    assert.equal("0.3", tostring(total[1].balance))
    for _, last in ipairs { 0.1, "0.1", decimal "0.1" } do
      total = bitfront.total { { record("A", 0.1), record("A", "0.1"), record("A", last) } }
      assert.equal("userdata", type(total[1].balance))
      assert.equal("0.3", tostring(total[1].balance))
    end
    total = bitfront.total { { record("A", decimal "0.1"), record("A", 0.2) } }
    assert.equal("0.3", tostring(total[1].balance))
  end)

  it("gives new records, also of a coin that comes once", function()
    local only = record("A", "1")
    assert.is_false(rawequal(only, bitfront.by_currency({ only }).A))
    assert.is_false(rawequal(only, bitfront.total({ { only } })[1]))
  end)

  it("takes coins with odd codes", function()
    local by = bitfront.by_currency { record("of", 1), record("1", 2), record("", 3) }
    assert.equal(1, by.of.balance)
    assert.equal(2, by["1"].balance)
    assert.equal(3, by[""].balance)
  end)

  it("takes nothing", function()
    assert.same({}, bitfront.by_currency {})
    assert.same({}, bitfront.total {})
    assert.same({ added = {}, removed = {}, changed = {} }, bitfront.diff({}, {}))
    local worth = bitfront.value({}, {})
    assert.equal("0", tostring(worth.total))
  end)

  it("names a wrong argument at the caller's line", function()
    local good, bad = { record("A", 1) }, { record("A", "x") }
    local CALLS = {
      { "total: lists: table expected, got nil", function() bitfront.total() end },
      { "total: lists[2]: table expected", function() bitfront.total { good, 1 } end },
      { "total: lists: an array is expected, without holes and other keys",
        function() bitfront.total { good, main = good } end },
      { 'total: lists[2][1].balance: not a number: "x"',
        function() bitfront.total { good, bad } end },
      { "total: lists[1][1].availableBalance",
        function() bitfront.total { { { currency = "A", balance = 1 } } } end },
      { 'value: prices.BTC: not a number: "much"',
        function() bitfront.value(good, { BTC = "much" }) end },
      { "value: prices.A: number expected, got table",
        function() bitfront.value(good, { A = {}, B = {} }) end },
      { "value: prices: table expected", function() bitfront.value(good) end },
      { "value: prices: coin codes expected as keys, got 1",
        function() bitfront.value(good, { 65000 }) end },
      { "total: lists: an array is expected",
        function() bitfront.total { main = good, spare = good } end },
      { "total: lists: an array is expected",
        function() bitfront.total { good, nil, good } end },
      { "total: lists[1]: an array is expected",
        function() bitfront.total { { A = good[1] } } end },
      { "diff: after: an array is expected",
        function() bitfront.diff(good, { A = good[1] }) end },
      { "diff: before[1].balance", function() bitfront.diff(bad, good) end },
      { "diff: after[1].balance", function() bitfront.diff(good, bad) end },
      { "value: records[1].value: the result has more than 1000 digits",
        function() bitfront.value({ record("A", "1e400") }, { A = "1e400" }) end },
      { "value: records.value: the result has more than 1000 digits", function()
        bitfront.value({ record("A", ("9"):rep(1000)), record("A", "1") }, { A = 1 })
      end },
      { "total: lists.A.balance: the result has more than 1000 digits",
        function() bitfront.total { { record("A", ("9"):rep(1000)) }, { record("A", "1") } } end },
      { "by_currency: records.A.balance: the result has more than 1000 digits",
        function()
          bitfront.by_currency { record("A", ("9"):rep(1000)), record("A", "1") }
        end },
    }
    for _, call in ipairs(CALLS) do
      assert.matches(call[1], complaint(call[2]), 1, true)
    end
  end)

  it("names the first of many wrong prices, in the order of their codes", function()
    local prices = {}
    for i = 100, 199 do prices["C" .. i] = "x" end
    assert.equal('bitfront.value: prices.C100: not a number: "x"',
      complaint(function() bitfront.value({}, prices) end))
  end)

  it("refuses a list of records where a list of lists belongs", function()
    local records = { { currency = "A", balance = 1, availableBalance = 1 } }
    local ok, message = pcall(function() bitfront.total(records) end)
    assert.is_false(ok)
    assert.truthy(message:find("33_totals_spec%.lua:%d+: bitfront%.total: "
      .. "lists%[1%] is a record"), message)
  end)

  it("gives no infinity where a sum is beyond a double's range", function()
    local list = { { currency = "A", balance = 1.7e308, availableBalance = 0 } }
    local sum = bitfront.total({ list, list })[1].balance
    assert.equal("34" .. ("0"):rep(307), tostring(sum))
  end)
end)
