local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local rows = require "bitfront.rows"
local support = require "spec.support"

describe("the table of columns", function()
  it("has each column once, in the order in which columns are shown #smoke", function()
    assert.same({ "account", "currency", "balance", "availableBalance", "locked", "price",
                  "value" }, rows.names(columns))
    for _, column in ipairs(columns) do assert.equal(column, columns[column.name]) end
  end)

  it("says all that there is to say of a column", function()
    local KINDS = { text = true, amount = true }
    local FROM = { caller = true, reply = true, difference = true, prices = true }
    for _, column in ipairs(columns) do
      assert.is_true(KINDS[column.kind], column.name)
      assert.is_true(FROM[column.from], column.name)
      assert.matches("^%u%l+$", column.label)
      if column.from == "difference" then
        assert.equal("amount", columns[column.minuend].kind)
        assert.equal("amount", columns[column.subtrahend].kind)
      end
    end
  end)

  it("gives the names of the columns that have something in common", function()
    assert.same({ "currency", "balance", "availableBalance" },
      rows.names(columns, { default = true }))
    assert.same({ "balance", "availableBalance" },
      rows.names(columns, { from = "reply", kind = "amount" }))
    assert.same({ "currency", "balance", "availableBalance", "locked", "value" },
      rows.names(columns, { sortable = true }))
    assert.same({}, rows.names(columns, { from = "nowhere" }))
  end)

  it("keys rows that are their own names, too", function()
    local list = rows.keyed { "columns", "places" }
    assert.equal("places", list.places)
    assert.same({ "columns", "places" }, { list[1], list[2] })
  end)

  it("is one that a mistyped name is looked for in, by names alone", function()
    assert.equal('; did you mean "balance"?', check.did_you_mean("balanse", columns))
    assert.equal("", check.did_you_mean("1", columns))
    local ok, message = pcall(check.known, "bitfront.format", "column", 1, columns)
    assert.is_false(ok)
    assert.matches('unknown column "1"', message, 1, true)
  end)

  it("is all that the helpers need for a field that the exchange adds", function()
    local out = support.lua [[
      local columns = require "bitfront.records.columns"
      columns.frozen = { name = "frozen", kind = "amount", label = "Frozen", from = "reply",
                         default = true, sortable = true, state = "frozen" }
      table.insert(columns, 5, columns.frozen)
      local bitfront = require "bitfront"
      local function record(code, balance, frozen)
        return { currency = code, balance = balance, availableBalance = 0, frozen = frozen }
      end
      local one, other = { record("A", 2, "0.25"), record("B", 1, "0.5") }, { record("A", 2, "1") }
      io.write(bitfront.format(one, "csv"):gsub("\r", ""), (bitfront.format(other, "prometheus")))
      io.write(bitfront.total({ one, other })[1].frozen, " ")
      io.write(bitfront.diff(one, other).changed[1].frozen, " ")
      io.write(bitfront.sort(one, "frozen", "desc")[1].currency, "\n")
    ]]
    assert.equal([[
currency,balance,availableBalance,frozen
A,2,0,0.25
B,1,0,0.5
# HELP bitfront_balance Balance of the account, by coin and state.
# TYPE bitfront_balance gauge
bitfront_balance{currency="A",state="total"} 2
bitfront_balance{currency="A",state="available"} 0
bitfront_balance{currency="A",state="frozen"} 1
bitfront_balance{currency="A",state="locked"} 2
1.25 0.75 B
]], out)
  end)
end)
