local bitfront = require "bitfront"
local cjson = require "cjson"
local number = require "spec.support.number"
local rows = require "bitfront.rows"
local support = require "spec.support"
local text = require "bitfront.records.text"

local decimal, format = bitfront.decimal, bitfront.format
local kinds = require("bitfront.records.format").kinds
local format_options = require("bitfront.records.format").options

local function record(code, balance, available)
  return { currency = code, balance = balance, availableBalance = available or balance }
end

-- The endpoint document's own five balances, as strings, numbers and decimals.
local function document(make)
  return {
    record("BCH", make("1000000000")),
    record("XRP", make("1000003043.7"), make("1000002063.7")),
    record("ETH", make("1000107794.9999858")),
    record("BTC", make("3999974992.35615"), make("3999970806.72614")),
    record("USDT", make("1000000000"), make("999998671.673")),
  }
end

local function complaint(...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  local file, rest = message:match("([%w_]+%.lua):%d+: (.*)")
  assert.equal("34_format_spec.lua", file, message)
  return rest
end

local TABLE = [[
currency             balance    availableBalance
BCH       1000000000          1000000000
XRP       1000003043.7        1000002063.7
ETH       1000107794.9999858  1000107794.9999858
BTC       3999974992.35615    3999970806.72614
USDT      1000000000           999998671.673
]]

local JSONL = [[
{"currency":"BCH","balance":1000000000,"availableBalance":1000000000}
{"currency":"XRP","balance":1000003043.7,"availableBalance":1000002063.7}
{"currency":"ETH","balance":1000107794.9999858,"availableBalance":1000107794.9999858}
{"currency":"BTC","balance":3999974992.35615,"availableBalance":3999970806.72614}
{"currency":"USDT","balance":1000000000,"availableBalance":999998671.673}
]]

local CSV = [[
currency,balance,availableBalance
BCH,1000000000,1000000000
XRP,1000003043.7,1000002063.7
ETH,1000107794.9999858,1000107794.9999858
BTC,3999974992.35615,3999970806.72614
USDT,1000000000,999998671.673
]]

for mode, make in pairs { number = number, string = tostring, decimal = decimal } do
  describe("formats of amounts that are " .. mode .. "s", function()
    it("keep every digit #smoke", function()
      local records = document(make)
      assert.equal(TABLE, format(records, "table"))
      assert.equal(JSONL, format(records, "jsonl"))
      assert.equal((CSV:gsub("\n", "\r\n")), format(records, "csv"))
      assert.equal("[\n  " .. JSONL:gsub("\n$", ""):gsub("\n", ",\n  ") .. "\n]",
        format(records, "json"))
      assert.matches('bitfront_balance{currency="ETH",state="total"} 1000107794.9999858\n',
        format(records, "prometheus"), 1, true)
      assert.matches("| BTC | 3999974992.35615 | 3999970806.72614 |\n",
        format(records, "markdown"), 1, true)
    end)

    it("have no exponents", function()
      local tiny = { record("A", make("1e-8")), record("B", make("1e21")) }
      assert.equal("currency,balance,availableBalance\r\nA,0.00000001,0.00000001\r\n"
        .. "B,1000000000000000000000,1000000000000000000000\r\n", format(tiny, "csv"))
      for _, kind in ipairs { "table", "json", "jsonl", "markdown", "prometheus" } do
        assert.not_matches("%de[+-]?%d", format(tiny, kind))
      end
    end)
  end)
end

describe("the format", function()
  describe("table", function()
    it("aligns columns on the decimal point", function()
      assert.equal("currency  locked\n"
        .. "A          -0.25\n" .. "LONGCOIN   10\n" .. "C           0\n",
        format({ record("A", "1", "1.25"), record("LONGCOIN", "11", "1"), record("C", 1) },
          "table", { columns = { "currency", "locked" } }))
    end)

    it("groups thousands", function()
      local records = { record("A", "1234567.891011"), record("B", "-123456"), record("C", "999") }
      local out = format(records, "table", { columns = { "balance" }, thousands = true })
      assert.equal("         balance\n1,234,567.891011\n -123,456\n      999\n", out)
      out = format(records, "table", { columns = { "balance" }, thousands = "'" })
      assert.matches("1'234'567.891011", out, 1, true)
    end)

    it("rounds down to places and marks what it cut", function()
      local records = { record("A", "1.999"), record("B", "1.9900"), record("C", "-1.999"),
        record("D", "20"), record("E", "0.001") }
      assert.equal("currency  balance\nA           ~1.99\nB            1.99\n"
        .. "C          ~-1.99\nD           20\nE           ~0.00\n",
        format(records, "table", { columns = { "currency", "balance" }, places = 2 }))
    end)

    it("measures wide and combining characters", function()
      local records = { record("比特", "1"), record("ab", "1"), record("e\204\129", "1") }
      assert.equal("currency  balance\n比特            1\nab              1\n"
        .. "e\204\129               1\n",
        format(records, "table", { columns = { "currency", "balance" } }))
    end)

    it("gives each character the columns that it takes", function()
      for char, columns in pairs {
        ["\203\191"] = 1, ["\204\128"] = 0, ["\205\175"] = 0, ["\205\176"] = 1, -- U+0300 to 036F
        ["\226\140\153"] = 1, ["\226\140\154"] = 2, ["\226\140\155"] = 2, -- U+231A and 231B
        ["\240\159\134\144"] = 1, ["\240\159\134\145"] = 2, ["\240\159\134\154"] = 2, -- U+1F191
        ["\244\128\128\128"] = 1, -- U+100000, above all others
      } do
        assert.equal("currency  balance\n" .. char .. (" "):rep(8 - columns) .. "        1\n",
          format({ record(char, 1) }, "table", { columns = { "currency", "balance" } }))
      end
    end)

    it("writes out what could control a terminal", function()
      local out = format({ record("\27[31m\226\128\174\255", 1) }, "table")
      assert.matches("\\x1B[31m\\u{202E}\\xFF", out, 1, true)
    end)

    it("takes a long run of blanks in no more than its time", function()
      local code = "a" .. (" "):rep(2e5) .. "b"
      local before = os.clock()
      local out = format({ record(code, 1) }, "table", { columns = { "balance", "currency" } })
      assert.truthy(os.clock() - before < 2) -- of 20 s or more, by the square
      assert.matches("1  " .. code .. "\n", out, 1, true)
    end)

    it("shows names alone for an empty list", function()
      assert.equal("currency  balance  availableBalance\n", format({}, "table"))
    end)
  end)

  describe("table's colour", function()
    local PROGRAM = [[
      local text = require "bitfront".format(
        { { currency = "0", balance = 10.5, availableBalance = 0 } }, "table", { color = true })
      io.write(text)
    ]]

    local function display_on_terminal(env)
      local dir = support.tmpdir()
      support.write(dir .. "/program.lua", PROGRAM)
      local command = require("spec.support.shell").interpreter() .. " " .. dir .. "/program.lua"
      return support.must("script -qec " .. support.quote(command) .. " /dev/null", { env = env })
    end

    it("is there on a terminal: names are bold, and amounts of 0 dim", function()
      assert.equal("\27[1mcurrency\27[0m  \27[1mbalance\27[0m  \27[1mavailableBalance\27[0m\r\n"
        .. "0            10.5  \27[2m               0\27[0m\r\n",
        display_on_terminal { TERM = "xterm", NO_COLOR = false })
    end)

    it("is not there with NO_COLOR, nor on a dumb terminal", function()
      for _, env in ipairs { { TERM = "xterm", NO_COLOR = "1" },
                             { TERM = "dumb", NO_COLOR = false } } do
        assert.not_matches("\27", display_on_terminal(env), 1, true)
      end
    end)

    it("is not there in a pipe", function()
      assert.not_matches("\27", (support.lua(PROGRAM)), 1, true)
    end)
  end)

  describe("csv", function()
    it("quotes what RFC 4180 has quoted", function()
      assert.equal('currency,balance\r\n"a,b",1\r\n"say ""x""",1\r\n"two\nlines",1\r\n',
        format({ record("a,b", 1), record('say "x"', 1), record("two\nlines", 1) }, "csv",
          { columns = { "currency", "balance" } }))
    end)

    it("leaves no text that a spreadsheet takes for a formula", function()
      for _, start in ipairs {
        "=", "+", "-", "@", "\t", "\r", "\n", " ", "\r\n", "＝", "＋", "－", "＠", "﹦", "﹢",
        "﹣", "﹫", "\226\136\146", "\194\160", "\225\154\128", "\226\128\128", "\226\128\138",
        "\226\128\175", "\226\129\159", "\227\128\128", "\226\160\128",
      } do
        for _, rest in ipairs { "cmd()", "=1+1", "" } do
          local one = record(start .. rest, 1)
          one.account = one.currency
          for _, name in ipairs { "currency", "account" } do
            local out = format({ one }, "csv", { columns = { name } })
            local cell = out:match('^%l+\r\n"?(.-)"?\r\n$')
            assert.equal("'" .. start .. rest, cell)
          end
        end
      end
    end)

    it("starts no cell with invisible characters", function()
      for _, start in ipairs { "\239\187\191", "\226\128\139", "\226\129\160", "\0", "\11",
                               "\194\133", "\194\173", "\226\128\142", "\225\160\142",
                               "\227\133\164", "\205\143", "\239\184\128",
                               "\243\160\128\160", "\240\157\133\179" } do
        local out = format({ record(start .. "=cmd()", 1) }, "csv", { columns = { "currency" } })
        assert.matches("^currency\r\n\\[xu]", out)
      end
    end)

    it("quotes what separates cells elsewhere, so that none begins within a text", function()
      assert.equal('currency\r\n"A;=1"\r\n"B\t=1"\r\n"C\n=1"\r\n',
        format({ record("A;=1", 1), record("B\t=1", 1), record("C\n=1", 1) }, "csv",
          { columns = { "currency" } }))
    end)

    it("leaves other texts as they are", function()
      for _, code in ipairs { "BTC", "$PAC", "比特", "A=B", "A-B", "1INCH", "'A", "é", "、" } do
        assert.equal("currency\r\n" .. code .. "\r\n",
          format({ record(code, 1) }, "csv", { columns = { "currency" } }))
      end
    end)

    it("writes out what could control a terminal that shows the file", function()
      assert.equal("currency\r\na\\x1B[2J\\u{202E}\\xFF\r\n",
        format({ record("a\27[2J\226\128\174\255", 1) }, "csv", { columns = { "currency" } }))
    end)

    it("leaves negative amounts numbers", function()
      assert.equal("balance\r\n-1.5\r\n",
        format({ record("A", "-1.5") }, "csv", { columns = { "balance" } }))
    end)
  end)

  describe("json", function()
    it("is [] for an empty list, and jsonl nothing", function()
      assert.equal("[]", format({}, "json"))
      assert.equal("", format({}, "jsonl"))
    end)

    it("writes amounts as strings where asked", function()
      assert.equal('{"currency":"A","balance":"1.10","availableBalance":"1.10"}\n',
        format({ record("A", "1.10") }, "jsonl", { amounts = "string" }))
    end)

    it("is read back by lua-cjson, whatever the text", function()
      for _, code in ipairs { 'q"\\/', "\1\n\127", "\194\133\226\128\174", "比特",
        "\243\160\128\129" } do
        assert.equal(code, cjson.decode(format({ record(code, 1) }, "json"))[1].currency)
      end
    end)

    it("takes what lua-cjson decoded", function()
      local records = cjson.decode('[{"currency":"A","balance":1.5,"availableBalance":1}]')
      assert.equal('{"currency":"A","locked":0.5}\n',
        format(records, "jsonl", { columns = { "currency", "locked" } }))
      records = cjson.decode('[{"currency":"A","balance":null,"availableBalance":1}]')
      assert.matches("records[1].balance: number expected",
        complaint(function() format(records, "json") end), 1, true)
    end)
  end)

  describe("markdown", function()
    it("is a table with amounts on the right", function()
      assert.equal("| currency | balance |\n| --- | ---: |\n| A\\|B | ~1,000.5 |\n",
        format({ record("A|B", "1000.55") }, "markdown",
          { columns = { "currency", "balance" }, places = 1, thousands = true }))
    end)
  end)

  describe("prometheus", function()
    local NASTY = {
      record("BTC", "1.5", "1"), record("BTC", 0.25), record('q"\\\n\27\255', 1),
    }

    it("has each series once, with its labels escaped", function()
      assert.equal([[
# HELP bitfront_balance Balance of the account, by coin and state.
# TYPE bitfront_balance gauge
bitfront_balance{currency="BTC",state="total"} 1.75
bitfront_balance{currency="BTC",state="available"} 1.25
bitfront_balance{currency="BTC",state="locked"} 0.5
bitfront_balance{currency="q\"\\\n\\x1B\\xFF",state="total"} 1
bitfront_balance{currency="q\"\\\n\\x1B\\xFF",state="available"} 1
bitfront_balance{currency="q\"\\\n\\x1B\\xFF",state="locked"} 0
]], format(NASTY, "prometheus"))
    end)

    it("keeps accounts apart", function()
      local one = record("BTC", 1)
      one.account = "main"
      assert.matches('{account="main",currency="BTC",state="total"} 1\n',
        format({ one, record("BTC", 2) }, "prometheus"), 1, true)
    end)

    it("is accepted by promtool #once", function()
      local _, _, missing = support.run("command -v promtool")
      if missing ~= 0 then
        pending("promtool is missing: apt-get install prometheus")
        return
      end
      for _, records in ipairs { document(tostring), NASTY, {} } do
        local out, err, code = support.run("promtool check metrics",
          { stdin = format(records, "prometheus") })
        assert.same({ "", "", 0 }, { out, err, code })
      end
    end)
  end)

  it("takes each column once, and at least one, whatever the format", function()
    for _, kind in ipairs { "table", "json", "csv", "jsonl", "markdown" } do
      for message, columns in pairs {
        ["currency is named twice"] = { "currency", "currency" },
        ["at least one is needed"] = {},
      } do
        assert.matches(message, complaint(function()
          format({ record("A", 1) }, kind, { columns = columns })
        end), 1, true)
      end
    end
  end)

  it("groups by no mark that looks like a part of the number", function()
    for _, mark in ipairs { ".", "", "0", "5", "-", "+", "~", "e", "|", "\n", ",,", "\27" } do
      assert.matches("thousands must be true, a comma", complaint(function()
        format({ record("A", "1234567.5") }, "table", { thousands = mark })
      end), 1, true)
    end
    for _, mark in ipairs { ",", "'", " ", "_", "\226\128\153", "\194\160", "\226\128\137",
                            "\226\128\175" } do
      assert.matches("1" .. mark .. "234" .. mark .. "567.5",
        format({ record("A", "1234567.5") }, "table", { thousands = mark }), 1, true)
    end
  end)

  describe("raises at the caller's line", function()
    local CALLS = {
      { 'unknown format "tabel"; did you mean "table"?', function() format({}, "tabel") end },
      { 'unknown format "nil"', function() format({}) end },
      { 'unknown option "plaecs"; did you mean "places"?',
        function() format({}, "table", { plaecs = 1 }) end },
      { 'csv has no option "places"', function() format({}, "csv", { places = 1 }) end },
      { "options must be a table, not a number", function() format({}, "csv", 1) end },
      { "places must be a whole number from 0 to 400",
        function() format({}, "table", { places = 1.5 }) end },
      { "places must be a whole number from 0 to 400",
        function() format({}, "table", { places = "2" }) end },
      { "places must be a whole number from 0 to 400",
        function() format({}, "table", { places = 401 }) end },
      { "thousands must be true, a comma, an apostrophe, a space or _",
        function() format({}, "table", { thousands = 1 }) end },
      { "color must be true or false", function() format({}, "table", { color = 1 }) end },
      { 'amounts must be "number" or "string"',
        function() format({}, "json", { amounts = "x" }) end },
      { 'no column "balanse"; did you mean "balance"?',
        function() format({}, "csv", { columns = { "balanse" } }) end },
      { "columns must be an array of names of columns: balance is named twice",
        function() format({}, "csv", { columns = { "balance", "currency", "balance" } }) end },
      { "columns must be an array of names of columns: at least one is needed",
        function() format({}, "csv", { columns = {} }) end },
      { 'there is no column "1"', function() format({}, "csv", { columns = { 1 } }) end },
      { "columns must be an array of names of columns, without holes and other keys",
        function() format({}, "table", { columns = { currency = true } }) end },
      { "columns must be an array of names of columns, without holes and other keys",
        function() format({}, "json", { columns = { "currency", nil, "balance" } }) end },
      { "records: an array is expected",
        function() format({ A = record("A", 1) }, "table") end },
      { "columns must be an array of names of columns, without",
        function() format({}, "csv", { columns = "balance" }) end },
      { "records: table expected", function() format(nil, "csv") end },
      { "records[1].price: number expected, got nil",
        function() format({ record("A", 1) }, "csv", { columns = { "price" } }) end },
      { "records[1].account: string expected, got nil",
        function() format({ record("A", 1) }, "table", { columns = { "account" } }) end },
      { "records[2].currency: string expected",
        function() format({ record("A", 1), record(nil, 1) }, "prometheus") end },
    }
    for _, call in ipairs(CALLS) do
      it("- " .. call[1], function()
        assert.matches(call[1], complaint(call[2]), 1, true)
      end)
    end
  end)

  describe("has tables", function()
    it("of the kinds there are, which take the options that they say", function()
      local VALUES = { columns = { "balance" }, places = 2, thousands = true, color = false,
                       amounts = "string" }
      local annotated = support.read "lua/bitfront/records/format.lua"
        :match "@alias bitfront.FormatKind ([^\n]+)"
      assert.equal('"' .. table.concat(rows.names(kinds), '"|"') .. '"', annotated)
      for _, kind in ipairs(kinds) do
        for name in pairs(format_options) do
          local takes = pcall(format, {}, kind.name, { [name] = VALUES[name] })
          assert.equal(kind.options[name] ~= nil, takes, kind.name .. " " .. name)
        end
      end
    end)

    it("whose columns are shown where none are asked for", function()
      for _, kind in ipairs(kinds) do
        local columns = kind.options.columns and format_options.columns.default
        local records = { record("A", 1) }
        assert.equal(format(records, kind.name, { columns = columns }),
          format(records, kind.name))
      end
    end)
  end)

  it("shows a time as the calendar has it, and none beyond", function()
    for ms, shown in pairs { [1525239801363] = "2018-05-02T05:43:21.363Z", [1e21] = "?",
                             [999.5] = "1970-01-01T00:00:00.999Z", [1e60] = "?" } do
      assert.equal(shown, text.utc(ms))
    end
    -- Beyond an integer of 64 bits, some Luas have a date and others none.
    for _, ms in ipairs { 2 ^ 63, 1e19, 6e19 } do
      local shown = text.utc(ms)
      assert.is_true(shown == "?" or shown:find "^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$" == 1)
    end
  end)

  it("takes the blanks and tabs from the ends of a text", function()
    for given, left in pairs { [" a b\t"] = "a b", ["a"] = "a", [" \t"] = "", [""] = "" } do
      assert.equal(left, text.trim(given))
    end
  end)

  it("does not ask the locale", function()
    local before, records = os.setlocale(), document(number)
    assert(os.setlocale("de_DE.UTF-8"), "the locale de_DE.UTF-8 is missing")
    local out = format(records, "table")
    os.setlocale(before)
    assert.equal(TABLE, out)
  end)
end)
