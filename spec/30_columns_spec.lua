local check = require "bitfront.check"
local columns = require "bitfront.records.columns"
local luacats = require "spec.support.luacats"
local readme = require "spec.support.readme"
local rows = require "bitfront.rows"
local support = require "spec.support"

describe("the table of columns", function()
  it("has each column once, in the order in which columns are shown #smoke", function()
    local listed = readme.doc.tables["column | what it is"]
    local names = {}
    for i, row in ipairs(listed) do names[i] = row[1]:gsub("`", "") end
    assert.same(names, rows.names(columns))
    for _, column in ipairs(columns) do assert.equal(column, columns[column.name]) end
  end)

  it("has the fields that the reader of replies has, of the same kinds #once", function()
    local fields = {}
    for name, kind in support.read "csrc/json/reply.h":gmatch '[^%w]ROW%("(%w+)", BF_(%u+)%)' do
      fields[#fields + 1] = name .. " " .. kind:lower()
    end
    local found = {}
    for _, name in ipairs(rows.names(columns, { from = "reply" })) do
      found[#found + 1] = name .. " " .. columns[name].kind
    end
    assert.same(fields, found)
  end)

  describe("is repeated in the annotations", function()
    local PATH = "lua/bitfront/records/columns.lua"
    local all = luacats.read { PATH }

    it("of a record #once", function()
      local types = { text = "string", amount = "bitfront.Amount" }
      local expected, found = {}, {}
      for _, name in ipairs(rows.names(columns, { from = "reply" })) do
        expected[name] = types[columns[name].kind]
      end
      for name, field in pairs(all.classes["bitfront.Record"].fields) do
        found[name] = field.type
      end
      assert.same(expected, found)
    end)

    it("of the keys to sort by #once", function()
      local keys = table.concat(rows.names(columns, { sortable = true }), '"|"')
      assert.equal('"' .. keys .. '"', support.read(PATH):match "@alias bitfront.SortKey ([^\n]+)")
    end)
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
    local list = { { name = "a", kind = "text", sortable = true }, { name = "b", kind = "amount" },
                   { name = "c", kind = "amount", sortable = true } }
    assert.same({ "a", "b", "c" }, rows.names(list))
    assert.same({ "a", "c" }, rows.names(list, { sortable = true }))
    assert.same({ "c" }, rows.names(list, { sortable = true, kind = "amount" }))
    assert.same({}, rows.names(list, { kind = "nothing" }))
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
      columns.held = { name = "held", kind = "amount", label = "Held", from = "reply",
                       sortable = true, state = "held" }
      table.insert(columns, 5, columns.held) -- behind availableBalance
      local bitfront = require "bitfront"
      local function record(code, balance, held)
        local made = { currency = code, balance = balance, held = held }
        for _, column in ipairs(columns) do
          if column.from == "reply" then made[column.name] = made[column.name] or 0 end
        end
        return made
      end
      local one, other = { record("A", 2, "0.25"), record("B", 1, "0.5") }, { record("A", 2, "1") }
      local csv = bitfront.format(one, "csv", { columns = { "currency", "balance", "held" } })
      io.write(bitfront.format({}, "csv"):match "availableBalance,held", "\n",
        (csv:gsub("\r", "")), (bitfront.format(other, "prometheus")))
      io.write(bitfront.total({ one, other })[1].held, " ")
      io.write(bitfront.diff(one, other).changed[1].held, " ")
      io.write(bitfront.sort(one, "held", "desc")[1].currency, "\n")
    ]]
    assert.equal([[
availableBalance,held
currency,balance,held
A,2,0.25
B,1,0.5
# HELP bitfront_balance Balance of the account, by coin and state.
# TYPE bitfront_balance gauge
bitfront_balance{currency="A",state="total"} 2
bitfront_balance{currency="A",state="available"} 0
bitfront_balance{currency="A",state="held"} 1
bitfront_balance{currency="A",state="locked"} 2
1.25 0.75 B
]], out)
  end)
end)
