-- `bitfront completion`, in the shells themselves: each is asked for what it completes.

local columns = require "bitfront.records.columns"
local command = require "spec.support.command"
local commands = require "bitfront.cli.commands"
local completion = require "bitfront.cli.completion"
local format = require "bitfront.records.format"
local rows = require "bitfront.rows"
local support = require "spec.support"

local ENV = { HOME = "/nonexistent", XDG_CONFIG_HOME = false, XDG_DATA_HOME = false,
              TERM = "dumb", BASH_ENV = false, ZDOTDIR = false }

-- The bodies of what follows each "== LINE".
local function sections(output)
  local found = {}
  for line, body in (output .. "== "):gmatch "== ([^\n]*)\n(.-)%f[=]%f[^\n]" do
    found[line] = body
  end
  return found
end

local function run(program, interpreter, folder, lines)
  local words = { support.quote(folder) }
  for i, line in ipairs(lines) do words[i + 1] = support.quote(line) end
  support.write(folder .. "/program", program)
  local out, err, code = support.run(("timeout 300 %s %s/program %s"):format(interpreter, folder,
    table.concat(words, " ")), { env = ENV, cwd = folder })
  assert.same({ "", 0 }, { err, code })
  return sections(out)
end

-- Each takes scripts by their shell's name and command lines, and returns for each line
-- the words that complete it, with what is shown beside them.
local SHELLS = {}

local BASH = [=[
source "$1/bitfront.bash"
[[ $(complete -p bitfront) == "complete "*"-F _bitfront bitfront" ]] || exit 1
for line in "${@:2}"; do
  COMP_WORDS=($line)
  [[ $line != *" " ]] || COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
  _bitfront
  printf '== %s\n' "$line"
  printf '%s\n' "${COMPREPLY[@]}"
done
]=]

function SHELLS.bash(script, lines)
  local folder, found = support.tmpdir(), {}
  support.write(folder .. "/bitfront.bash", script)
  for line, body in pairs(run(BASH, "bash --norc", folder, lines)) do
    found[line] = {}
    for word in body:gmatch "[^\n]+" do found[line][word] = true end
  end
  return found
end

local FISH = [[
set -x XDG_DATA_DIRS $argv[1]
for line in $argv[2..-1]
  echo "== $line"
  complete -C $line
end
]]

function SHELLS.fish(script, lines)
  local folder, found = support.tmpdir(), {}
  support.must("mkdir -p fish/vendor_completions.d", { cwd = folder })
  support.write(folder .. "/fish/vendor_completions.d/bitfront.fish", script)
  local all = run(FISH, ("env XDG_DATA_DIRS=%s HOME=%s fish"):format(folder, folder), folder,
    lines)
  for line, body in pairs(all) do
    found[line] = {}
    for word, text in body:gmatch "([^\n\t]+)\t?([^\n]*)" do found[line][word] = text end
  end
  return found
end

-- An interactive zsh at a terminal: Ctrl-D lists what completes the line before it, Ctrl-U
-- takes the line away. When the editor begins a line, the last one is done.
local ZSH = [[
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "stty cols 500; PS1=; fpath=(${(q)1} \$fpath)" \
  '; autoload -Uz compinit; compinit -u -D' \
  '; zle-line-init() { print -n "<NE""XT>"; }; zle -N zle-line-init'
zpty -r shell output '*<NEXT>*'
for line in "${@:2}"; do
  zpty -n -w shell "$line"$'\x04\x15\n'
  zpty -r shell output '*<NEXT>*'
  print -r -- "== $line"
  print -r -- "$output"
done
]]

function SHELLS.zsh(script, lines)
  local folder, found = support.tmpdir(), {}
  support.write(folder .. "/_bitfront", script)
  for line, body in pairs(run(ZSH, "zsh -f", folder, lines)) do
    local list, shown = {}, body:gsub("\r", ""):match "^[^\n]*\n(.-)\n?bitfront " or ""
    for row in shown:gmatch "[^\n]+" do
      local word, text = row:match "^(%S+) +%-%- (.-) *$"
      if word then list[word] = text end
      for name in (word and "" or row):gmatch "%S+" do list[name] = "" end
    end
    found[line] = list
  end
  return found
end

-- What is said of it: its description's first sentence.
local function first_sentence(text)
  return text:match "^(.-)%.%s" or text:match "^(.-)%.?$"
end

local function commands_of(table_of_commands)
  local expected = {}
  for _, row in ipairs(table_of_commands) do
    expected[row.name] = first_sentence(row.description)
  end
  return expected
end

local function options_of(row)
  local expected = { ["--help"] = "Show this help message and exit",
                     ["--version"] = "Show the version and exit" }
  for _, option in ipairs(row.options) do
    if option.kind ~= "argument" then
      expected[option.name] = first_sentence(option.description)
    end
  end
  return expected
end

-- bash does not show the texts beside the words.
local function compare(shell, expected, found)
  assert.same(support.keys(expected), support.keys(found))
  if shell ~= "bash" then assert.same(expected, found) end
end

local CHOICES = {
  ["bitfront balances --format "] = rows.names(format.kinds),
  ["bitfront watch --sort "] = rows.names(columns, { sortable = true }),
  ["bitfront watch --columns "] = rows.names(columns),
  ["bitfront balances --sort bal"] = { "balance" },
  ["bitfront balance --amounts "] = { "number", "string" },
  ["bitfront check --of "] = { "balance", "availableBalance" },
  ["bitfront completion "] = { "bash", "fish", "zsh" },
}
-- Values that name a file or a folder: here the one with the program that asks.
local FILE, FOLDER = "bitfront balances --value prog", "bitfront sandbox --dir prog"
-- Values of which nothing is known, and which are no files.
local NOTHING = { "bitfront balances --profile ", "bitfront watch --interval ",
                  "bitfront check --below ", "bitfront time --timeout " }

-- What means something to a shell, or to one of its functions.
local HOSTILE = [[Costs $HOME $(echo no) `echo no`, "both" or 'one' [more] {a,b} <c> c:d *? !! ]]
  .. "100 %s; a|b & größer #1 ~"

local MADE_UP = { {
  name = "made-up", description = HOSTILE,
  options = { { kind = "flag", name = "--flag", description = "Flag: " .. HOSTILE },
              { kind = "option", name = "--option", argname = "<name>", choices = { "one", "two" },
                description = HOSTILE } },
} }

describe("bitfront completion #once #apart", function()
  for shell, complete in pairs(SHELLS) do
    describe("lets " .. shell .. " complete", function()
      local found

      lazy_setup(function()
        local lines = { "bitfront ", FILE, FOLDER }
        for _, row in ipairs(commands) do
          lines[#lines + 1] = ("bitfront %s --"):format(row.name)
        end
        for line in pairs(CHOICES) do lines[#lines + 1] = line end
        for _, line in ipairs(NOTHING) do lines[#lines + 1] = line end
        found = complete(command.run("completion " .. shell), lines)
      end)

      it("each command", function()
        compare(shell, commands_of(commands), found["bitfront "])
      end)

      for _, row in ipairs(commands) do
        it("each option of " .. row.name, function()
          compare(shell, options_of(row), found[("bitfront %s --"):format(row.name)])
        end)
      end

      it("values that are known", function()
        for line, words in pairs(CHOICES) do
          table.sort(words)
          assert.same(words, support.keys(found[line]), line)
        end
      end)

      it("files and folders", function()
        assert.same({ { "program" }, { "program" } },
          { support.keys(found[FILE]), support.keys(found[FOLDER]) })
      end)

      it("no other values by file names", function()
        for _, line in ipairs(NOTHING) do assert.same({}, found[line], line) end
      end)

      it("texts with characters that mean something to it", function()
        local script = completion(MADE_UP, shell)
        local made_up = complete(script, { "bitfront ", "bitfront made-up --",
                                           "bitfront made-up --option " })
        compare(shell, commands_of(MADE_UP), made_up["bitfront "])
        compare(shell, options_of(MADE_UP[1]), made_up["bitfront made-up --"])
        assert.same({ "one", "two" }, support.keys(made_up["bitfront made-up --option "]))
      end)
    end)

    it("gives " .. shell .. " the same in each locale", function()
      local script = command.run("completion " .. shell)
      for _, locale in ipairs { "C", "tr_TR.UTF-8", "de_DE.UTF-8" } do
        assert.equal(script, (command.run("completion " .. shell,
          command.environment { LC_ALL = locale })))
      end
    end)
  end

  it("has the option --help once, which is that of each command", function()
    for shell, pattern in pairs { bash = "%-%-help", fish = "%-l help", zsh = "%-%-help" } do
      assert.equal(1, select(2, completion(commands, shell):gsub(pattern, "")), shell)
    end
  end)

  it("takes no other shell", function()
    command.is_misuse("completion tcsh", "'shell' must be one of 'bash', 'zsh', 'fish'")
    command.is_misuse("completion", "missing argument 'shell'")
  end)
end)
