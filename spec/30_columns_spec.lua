local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local rows = require "bitfront.rows"

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
end)
