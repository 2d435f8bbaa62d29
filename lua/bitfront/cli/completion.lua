--- What makes a shell complete the command. argparse writes it, from a parser made for
-- this alone: argparse completes file names wherever there are no choices, and choices
-- of an option only, not of an argument.

local argparse = require "argparse"

local TAKES_FILE = { ["<file>"] = true, ["<folder>"] = true }

-- The words that a value is completed by; nil: by file names.
local function words_for(option)
  return option.choices or option.words or not TAKES_FILE[option.argname] and {} or nil
end

local function add(command, option)
  local element = command[option.kind](command, option)
  local words = option.kind ~= "flag" and words_for(option)
  if words then element:choices(words) end
end

---@param commands bitfront.cli.Command[]
---@param shell "bash"|"zsh"|"fish"
---@return string script  that the shell has to run
return function(commands, shell)
  local parser = argparse("bitfront")
  parser:flag("--version", "Show the version and exit.")
  for _, row in ipairs(commands) do
    local command = parser:command(row.name, row.description):add_help(false)
    for _, option in ipairs(row.options) do
      if option.kind == "argument" and option.choices then
        for _, choice in ipairs(option.choices) do command:command(choice):add_help(false) end
      else
        add(command, option)
      end
    end
  end
  return parser[("get_%s_complete"):format(shell)](parser)
end
