-- `bitfront man`: as two formatters show it, and held against the tables and the README.

local command = require "spec.support.command"
local commands = require "bitfront.cli.commands"
local man_page = require "bitfront.cli.man_page"
local readme = require "spec.support.readme"
local support = require "spec.support"

local function page_of(env)
  local out, err, code = command.run("man", command.environment(env))
  assert.same({ "", 0 }, { err, code })
  return out
end

local FORMATTERS = {
  mandoc = "mandoc -Tutf8 -K utf-8 -O width=1000",
  groff = "groff -man -ww -K utf8 -Tutf8 -P-c -rLL=1000n",
}

-- What a reader sees, without bold and underlined letters, in lines that are not broken.
local function shown(page, formatter)
  local out, err, code = support.run(FORMATTERS[formatter], { stdin = page })
  assert.same({ "", 0 }, { err, code })
  return (out:gsub("[^\128-\191][\128-\191]*\b", ""):gsub("\194\160", " "))
end

-- The lines below a heading, until the next one; those of commands are indented by 3.
-- How far the first line is indented is the formatter's choice, and taken away.
local function section(text, heading)
  local lines, is_inside, indent = {}, false, nil
  for line in text:gmatch "[^\n]+" do
    if not line:find "^     " then
      is_inside = line == heading
    elseif is_inside then
      indent = indent or #line:match "^ *"
      lines[#lines + 1] = line:sub(indent + 1)
    end
  end
  return lines
end

-- What they say. Whether a short term has a line of its own, is the formatter's choice too.
local function words(lines)
  return (table.concat(lines, " "):gsub(" +", " "))
end

-- The words of a command's section, as they have to be.
local function words_of(row)
  local lines, synopsis = { "", row.description }, "bitfront " .. row.name
  for _, option in ipairs(row.options) do
    local value = option.argname and " " .. option.argname:match "<(.*)>" or ""
    local term = option.name .. value
    lines[#lines + 1] = term
    lines[#lines + 1] = option.description
      .. (option.default and " Default: " .. option.default .. "." or "")
    synopsis = synopsis .. (option.kind == "argument" and " " .. term or " [" .. term .. "]")
  end
  lines[1] = synopsis
  return words(lines)
end

-- The terms of a section that are a word each, and by them what is said of them.
local function terms_of(lines)
  local terms, last = {}, nil
  for _, line in ipairs(lines) do
    local term, text = line:match "^(%S+) *(.*)$"
    if term then
      terms[#terms + 1], terms[term], last = term, text, term
    else
      terms[last] = terms[last] .. line:match "^ *(.*)$"
    end
  end
  return terms
end

-- What means something to roff, at the beginning of a line and within it.
local HOSTILE = [[.SH 'tis \fBbold\fR \n(yr \(co "quoted" .. it's `so` a-b ~ ^ größer {x,y} $HOME]]

describe("bitfront man #once #apart", function()
  local page

  lazy_setup(function() page = page_of() end)

  it("prints what mandoc finds nothing wrong with", function()
    assert.same({ "", "", 0 }, { support.run("mandoc -Tlint", { stdin = page }) })
  end)

  for formatter in pairs(FORMATTERS) do
    describe("as " .. formatter .. " shows it", function()
      local text

      lazy_setup(function() text = shown(page, formatter) end)

      for _, row in ipairs(commands) do
        it("says what " .. row.name .. " does and takes", function()
          assert.equal(words_of(row), words(section(text, "   " .. row.name)))
        end)
      end

      it("shows texts as they are", function()
        local row = {
          name = "made-up", description = HOSTILE,
          options = { { kind = "option", name = "--it's", argname = "<.a\\b>",
                        description = HOSTILE .. " " .. HOSTILE } },
        }
        assert.equal(words_of(row),
          words(section(shown(man_page { row }, formatter), "   made-up")))
      end)

      it("has examples", function()
        local found = words(section(text, "EXAMPLES"))
        assert.equal(1, found:find('eval "$(bitfront sandbox --background)"', 1, true))
        assert.truthy(found:find("bitfront check --below BTC=0.5", 1, true))
      end)

      it("has the exit statuses of the README, with their kinds of errors", function()
        local found = terms_of(section(text, "EXIT STATUS"))
        local listed = readme.doc.tables["exit status | when | kinds of errors"]
        assert.equal(#listed, #found)
        for i, row in ipairs(listed) do
          assert.equal(row[1], found[i])
          local kinds = found[row[1]]:match "Kinds of errors: (.-)%." or ""
          assert.same(readme.matches(row[3], "[%l_]+"), readme.matches(kinds, "[%l_]+"))
        end
      end)

      it("has each environment variable of the README", function()
        local terms = terms_of(section(text, "ENVIRONMENT"))
        local listed = readme.table_of "variable | what it is for"
        for _, name in ipairs(terms) do assert.truthy(listed[name], name) end
        for name in pairs(listed) do assert.truthy(text:find(name, 1, true), name) end
      end)
    end)
  end

  it("breaks its own lines at 80 bytes", function()
    local one, two = ("x"):rep(39), ("y"):rep(40)
    local row = { name = "made-up", description = one .. " " .. two .. " " .. one .. "x " .. two,
                  options = {} }
    assert.truthy(man_page { row }:find(("\n.PP\n%s %s\n%sx\n%s\n"):format(one, two, one, two), 1,
      true))
  end)

  it("has the date that SOURCE_DATE_EPOCH names, else today's", function()
    local first = os.date "!%Y-%m-%d"
    local today = page_of { SOURCE_DATE_EPOCH = false }:match "^%.TH BITFRONT 1 (%S+) "
    assert.truthy(today == first or today == os.date "!%Y-%m-%d", today)
    assert.truthy(page_of { SOURCE_DATE_EPOCH = "86400" }:find "^%.TH BITFRONT 1 1970%-01%-02 ")
  end)

  it("is the same in each locale", function()
    for _, locale in ipairs { "C", "tr_TR.UTF-8", "de_DE.UTF-8" } do
      assert.equal(page_of { SOURCE_DATE_EPOCH = "0", LC_ALL = "C.UTF-8" },
        page_of { SOURCE_DATE_EPOCH = "0", LC_ALL = locale })
    end
  end)
end)
