local bitfront = require "bitfront"
local coin = require "bitfront.records.coin"
local columns = require "bitfront.records.columns"
local number = require "spec.support.number"

local decimal = bitfront.decimal

-- The endpoint document's own five balances.
local DOCUMENT = {
  { "BCH", "1000000000", "1000000000", "0" },
  { "XRP", "1000003043.7", "1000002063.7", "980" },
  { "ETH", "1000107794.9999858", "1000107794.9999858", "0" },
  { "BTC", "3999974992.35615", "3999970806.72614", "4185.63001" },
  { "USDT", "1000000000", "999998671.673", "1328.327" },
}

local MODES = { number = number, string = tostring, decimal = decimal }

local function document(mode)
  local records = {}
  for i, row in ipairs(DOCUMENT) do
    records[i] = {
      currency = row[1], balance = MODES[mode](row[2]),
      availableBalance = MODES[mode](row[3]),
    }
  end
  return records
end

local function record(code, balance, available)
  return { currency = code, balance = balance, availableBalance = available or balance }
end

local function codes(records)
  local list = {}
  for i, one in ipairs(records) do list[i] = one.currency end
  return table.concat(list, " ")
end

-- Whether two amounts are the same, whatever they are written as.
local function same(expected, got)
  assert.is_true(decimal(expected) == decimal(got),
    tostring(expected) .. " is not " .. tostring(got))
end

local function kind(value)
  return type(value) == "userdata" and "decimal" or type(value)
end

-- The message that a call raises, without its place, which must be ours.
local function complaint(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  local file, rest = message:match("([%w_]+%.lua):%d+: (.*)")
  assert.equal("32_records_spec.lua", file, message)
  return rest
end

describe("the helpers for records", function()
  for mode in pairs(MODES) do
    describe("that hold each amount as a " .. mode, function()
      local records

      before_each(function() records = document(mode) end)

      it("tell what is locked, exactly, in the same form #smoke", function()
        for i, row in ipairs(DOCUMENT) do
          local locked = bitfront.locked(records[i])
          assert.equal(mode, kind(locked))
          same(row[4], locked)
        end
      end)

      it("sort by every key and either way #smoke", function()
        local ORDERS = {
          { "currency", "BCH BTC ETH USDT XRP", "XRP USDT ETH BTC BCH" },
          { "balance", "BCH USDT XRP ETH BTC", "BTC ETH XRP BCH USDT" },
          { "availableBalance", "USDT BCH XRP ETH BTC", "BTC ETH XRP BCH USDT" },
          { "locked", "BCH ETH XRP USDT BTC", "BTC USDT XRP BCH ETH" },
        }
        for _, row in ipairs(ORDERS) do
          assert.equal(row[2], codes(bitfront.sort(records, row[1])))
          assert.equal(row[2], codes(bitfront.sort(records, row[1], "asc")))
          assert.equal(row[3], codes(bitfront.sort(records, row[1], "desc")))
        end
      end)

      it("sort by a function's amounts as amounts, and by its texts as texts", function()
        assert.equal("USDT BCH XRP ETH BTC", codes(bitfront.sort(records,
          function(one) return one.availableBalance end)))
        assert.equal("BTC BCH ETH XRP USDT", codes(bitfront.sort(records,
          function(one) return one.currency:reverse() end)))
      end)

      it("filter by coin, amount, lock and condition #smoke", function()
        local FILTERS = {
          { { currencies = { "BTC", "XRP", "NONE" } }, "XRP BTC" },
          { { currencies = {} }, "" },
          { { min = "1000003043.7" }, "XRP ETH BTC" },
          { { min = 1000003043.7 }, "XRP ETH BTC" },
          { { min = decimal("1000003043.70000001") }, "ETH BTC" },
          { { max = 1000000000 }, "BCH USDT" },
          { { max = "1000003043.69999999" }, "BCH USDT" },
          { { min = "1000003043.7", max = "1000003043.7" }, "XRP" },
          { { locked = true }, "XRP BTC USDT" },
          { { locked = false, nonzero = false }, "BCH XRP ETH BTC USDT" },
          { { where = function(one) return #one.currency == 4 end }, "USDT" },
          { {}, "BCH XRP ETH BTC USDT" },
        }
        for _, row in ipairs(FILTERS) do
          assert.equal(row[2], codes(bitfront.filter(records, row[1])))
        end
      end)

      it("tell dust from nothing", function()
        local make = MODES[mode]
        local dust = {
          record("A", make("0")), record("B", make("1e-18")), record("C", make("0.00")),
          record("D", make("-0")), record("E", make("-0.1")),
        }
        assert.equal("B E", codes(bitfront.nonzero(dust)))
        assert.equal("B E", codes(bitfront.filter(dust, { nonzero = true })))
      end)

      it("find a coin, as a copy", function()
        local found = bitfront.find(records, "BTC")
        assert.same(records[4], found)
        assert.is_false(rawequal(records[4], found))
        assert.is_nil(bitfront.find(records, "btc"))
      end)

      it("leave their input as it is", function()
        for _, one in ipairs(records) do
          setmetatable(one, { __newindex = function() error("written to") end })
        end
        bitfront.filter(records, { nonzero = true })
        bitfront.sort(records, "balance", "desc")
        bitfront.by_currency(records)
        bitfront.total { records, records }
        bitfront.value(records, { BTC = 1 })
        bitfront.diff(records, {})
        bitfront.format(records, "table")
        assert.equal("BCH XRP ETH BTC USDT", codes(records))
        same("3999974992.35615", records[4].balance)
        assert.is_false(rawequal(records, bitfront.filter(records, {})))
        assert.is_false(rawequal(records, bitfront.sort(records, "currency")))
      end)
    end)
  end

  it("keep the order of equal keys, either way", function()
    local records = {}
    for i = 1, 100 do records[i] = record("C" .. i, i % 3) end
    for _, direction in ipairs { "asc", "desc" } do
      local last = {}
      for _, one in ipairs(bitfront.sort(records, "balance", direction)) do
        local rank = tonumber(one.currency:sub(2))
        assert.is_true(rank > (last[one.balance] or 0))
        last[one.balance] = rank
      end
    end
  end)

  it("order amounts of different forms by their value", function()
    local records = {
      record("A", "10"), record("B", 9), record("C", decimal("9.5")), record("D", "9.50001"),
    }
    assert.equal("B C D A", codes(bitfront.sort(records, "balance")))
    assert.equal("B C D A", codes(bitfront.sort(records, function(one) return one.balance end)))
  end)

  it("tell apart amounts that are the same double", function()
    local records = { record("A", "0.30000000000000000001"), record("B", "0.3") }
    assert.equal("B A", codes(bitfront.sort(records, "balance")))
    assert.equal("A", codes(bitfront.filter(records, { min = "0.30000000000000000001" })))
    assert.equal("B", codes(bitfront.filter(records, { max = 0.3 })))
  end)

  it("order a double by its text, where an integer is as near to it", function()
    local records = { record("A", 2 ^ 60), record("B", 1152921504606846977) }
    local _, is_apart = tostring(decimal(records[2].balance)):find "977$" -- no double
    assert.equal(is_apart and "B A" or "A B", codes(bitfront.sort(records, "balance")))
  end)

  it("tell what is locked where amounts are of different forms", function()
    local records = { record("A", 1, "1.0"), record("B", "2", 1), record("C", 3, decimal "3") }
    assert.equal("B", codes(bitfront.filter(records, { locked = true })))
  end)

  it("make a decimal of a mixture", function()
    local locked = bitfront.locked(record("A", 0.3, "0.1"))
    assert.equal("userdata", type(locked))
    assert.equal("0.2", tostring(locked))
  end)

  it("take what is locked from a negative balance", function()
    assert.equal("-2.5", bitfront.locked(record("A", "-1", "1.5")))
  end)

  it("take an empty list", function()
    assert.same({}, bitfront.filter({}, { min = 1 }))
    assert.same({}, bitfront.sort({}, "balance"))
    assert.same({}, bitfront.nonzero({}))
  end)

  describe("raise at the caller's line", function()
    it("for a filter's unknown key, with the likely one", function()
      assert.equal('bitfront.filter: unknown key "nonzeor"; did you mean "nonzero"?',
        complaint(function() bitfront.filter({}, { nonzeor = true }) end))
    end)

    it("for a field that is missing, with its place", function()
      local records = { record("A", 1), { currency = "B" }, { balance = 1 } }
      local EXPECTED = "bitfront.%s: records[%d].%s"
      local CALLS = {
        { "sort", 2, "balance", function() bitfront.sort(records, "balance") end },
        { "sort", 3, "currency", function() bitfront.sort(records, "currency") end },
        { "sort", 2, "balance", function() bitfront.sort(records, "locked") end },
        { "sort", 1, "value", function() bitfront.sort(records, "value") end },
        { "filter", 2, "balance", function() bitfront.filter(records, { min = 1 }) end },
        { "filter", 2, "balance", function() bitfront.filter(records, { locked = true }) end },
        { "filter", 3, "currency", function() bitfront.filter(records, { currencies = {} }) end },
        { "nonzero", 2, "balance", function() bitfront.nonzero(records) end },
        { "find", 3, "currency", function() bitfront.find(records, "Z") end },
        { "by_currency", 2, "balance", function() bitfront.by_currency(records) end },
        { "value", 2, "balance", function() bitfront.value(records, { B = 1 }) end },
        { "format", 2, "balance", function() bitfront.format(records, "csv") end },
      }
      for _, call in ipairs(CALLS) do
        assert.matches(EXPECTED:format(call[1], call[2], call[3]), complaint(call[4]), 1, true)
      end
    end)

    it("for an amount that is none", function()
      for _, amount in ipairs { "x", "", 0 / 0, 1 / 0, true, {} } do
        local records = { record("A", amount) }
        assert.matches("records[1].balance",
          complaint(function() bitfront.sort(records, "balance") end), 1, true)
      end
    end)

    it("for arguments of another sort", function()
      local CALLS = {
        { "records: table expected", function() bitfront.filter(nil, {}) end },
        { "filter: table expected", function() bitfront.filter({}, nil) end },
        { "records[1]: table expected", function() bitfront.filter({ 1 }, {}) end },
        { "min: number expected", function() bitfront.filter({}, { min = {} }) end },
        { 'max: not a number: "x"', function() bitfront.filter({}, { max = "x" }) end },
        { "currencies: table", function() bitfront.filter({}, { currencies = "A" }) end },
        { "currencies[2]: string",
          function() bitfront.filter({}, { currencies = { "A", 1 } }) end },
        { "currencies: an array is expected",
          function() bitfront.filter({}, { currencies = { BTC = true } }) end },
        { "currencies: an array is expected",
          function() bitfront.filter({}, { currencies = { "A", ETH = true } }) end },
        { "records: an array is expected",
          function() bitfront.nonzero { BTC = record("BTC", 1) } end },
        { "records: an array of records is expected, got a record",
          function() bitfront.format(record("BTC", 1), "table") end },
        { "records: an array is expected",
          function() bitfront.sort({ record("A", 1), nil, record("B", 1) }, "balance") end },
        { "records: an array is expected", function()
          bitfront.nonzero { record("A", 1), nil, record("B", 1), [100] = record("C", 1) }
        end },
        { "filter: must not inherit fields",
          function() bitfront.filter({}, setmetatable({}, { __index = { min = 1 } })) end },
        { "records: an array is expected",
          function() bitfront.find({ [0] = record("A", 1), record("B", 1) }, "A") end },
        { "nonzero: boolean expected", function() bitfront.filter({}, { nonzero = 1 }) end },
        { "where: function expected", function() bitfront.filter({}, { where = true }) end },
        { "code: string expected", function() bitfront.find({}) end },
        { 'did you mean "balance"?', function() bitfront.sort({}, "balanc") end },
        { "currency, balance, availableBalance", function() bitfront.sort({}) end },
        { '"asc" or "desc"', function() bitfront.sort({}, "balance", "up") end },
        { "record: table expected", function() bitfront.locked("BTC") end },
        { "record.availableBalance", function() bitfront.locked { balance = 1 } end },
        { "the key function returned nil",
          function() bitfront.sort({ record("A", 1) }, function() end) end },
        { "key of records[1]: string expected",
          function() bitfront.sort({ record("A", 1) }, function() return {} end) end },
      }
      for _, call in ipairs(CALLS) do
        assert.matches(call[1], complaint(call[2]), 1, true)
      end
    end)
  end)

  it("take what a caller has put beside the records", function()
    local records = { record("A", 1), n = 1, info = { statusCode = 1000 } }
    assert.equal("A", codes(bitfront.nonzero(records)))
    assert.same({}, bitfront.nonzero { info = { statusCode = 1000 } })
  end)

  it("sort by the columns that can be sorted by, and no others", function()
    local records = { record("B", 2), record("A", 1) }
    for _, one in ipairs(records) do one.price, one.value, one.account = 1, 1, "main" end
    for _, column in ipairs(columns) do
      local sorts = pcall(bitfront.sort, records, column.name)
      assert.equal(column.sortable == true, sorts, column.name)
    end
    assert.matches("key must be", complaint(function() bitfront.sort(records, 1) end), 1, true)
  end)

  it("find and pick by any code that can be read", function()
    for _, code in ipairs { "AAVE.F", "btc", "$PAC", "比特", "A,B", " ", "%d", "\1" } do
      local records = { record("BTC", 1), record(code, 2) }
      assert.equal(2, bitfront.find(records, code).balance)
      assert.equal(code, codes(bitfront.filter(records, { currencies = { code } })))
      assert.equal(2, bitfront.by_currency(records)[code].balance)
      assert.equal("2", tostring(bitfront.value(records, { [code] = 1 }).total))
    end
  end)

  it("have one rule for coin codes, for lists of them and for those in a URL's path", function()
    for _, code in ipairs { "BTC", "..", "%d", "a/b" } do assert.is_true(coin.is_code(code)) end
    for _, bad in ipairs { "", "\0", "A\0B", 1, {} } do
      assert.is_false(coin.is_code(bad))
      assert.is_nil((coin.path_segment(bad)))
    end
    for text, list in pairs { ["BTC,ETH"] = { "BTC", "ETH" }, ["A\\,B, "] = { "A,B", " " } } do
      assert.same(list, coin.list(text))
    end
    for _, text in ipairs { "", ",", "A,", "A,,B", "A\0" } do
      assert.same({ nil, coin.RULE }, { coin.list(text) })
    end
    assert.same({ "...", "A%20B~", "%E6" },
      { (coin.path_segment "..."), (coin.path_segment "A B~"), (coin.path_segment "\230") })
    for _, code in ipairs { ".", "..", "/A", "A\\B", "A\1", "\31", "\127" } do
      assert.equal("code must be a text without /, \\ and control characters, "
        .. "and not empty, . or ..",
        select(2, coin.path_segment(code)))
    end
  end)

  it("order coin codes by their bytes in every locale", function()
    local before = os.setlocale()
    local records = { record("a", 1), record("B", 1), record("9", 1), record("AA", 1),
      record("A", 1), record("A0", 1) }
    for _, locale in ipairs { "C", "de_DE.UTF-8" } do
      assert(os.setlocale(locale), "the locale " .. locale .. " is missing")
      local sorted = codes(bitfront.sort(records, "currency"))
      os.setlocale(before)
      assert.equal("9 A A0 AA B a", sorted)
    end
  end)
end)
