--- Reads the arguments of the command `bitfront`: which command, with which
-- options, and whether they go together.

local argparse = require "argparse"
local columns = require "bitfront.records.columns"
local commands = require "bitfront.cli.commands"
local format = require "bitfront.records.format"
local rows = require "bitfront.rows"

local _M = {}

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

-- argparse itself would print the help and end with 0, also where nobody gets it.
local function add_help(parser)
  return parser:add_help { action = function()
    error({ help = parser:get_help() .. "\n" }, 0)
  end }
end

local function add_command(parser, row)
  local command = add_help(parser:command(row.name, row.description)
    :description(row.description)
    :summary(row.description:match "^(.-%.) " or row.description))
  local exclusive = {}
  for _, option in ipairs(row.options) do
    local element = command[option.kind](command, option)
    if option.is_exclusive then exclusive[#exclusive + 1] = element end
  end
  if exclusive[1] then command:mutex(unpack(exclusive)) end
end

local EPILOG = [[
Credentials come from BITFRONT_API_KEY and BITFRONT_API_SECRET, or from the
file ~/.config/bitfront/credentials; no option takes the secret.]]

local function new_parser()
  local parser = add_help(argparse("bitfront", "Shows the balances of a BITFRONT account.",
    EPILOG))
  function parser.error(_, message) error({ message = message }, 0) end
  parser:command_target("command"):require_command(false)
  parser:flag("--version", "Show the version and exit.")
  for _, row in ipairs(commands) do add_command(parser, row) end
  return parser
end

-- ---- what does not go together ----

local PRICED = rows.names(columns, { from = "prices" })

local function needs_prices(args)
  local is_needed = columns[args.sort] and columns[args.sort].from == "prices"
  for _, name in ipairs(PRICED) do
    is_needed = is_needed or args.columns and args.columns[name]
  end
  return is_needed and not args.value
end

-- The names of the formats that take an option.
local function formats_with(option)
  local names = {}
  for _, kind in ipairs(format.kinds) do
    if kind.options[option] then names[#names + 1] = kind.name end
  end
  return names
end

-- Whether there is a format, and it does not take the option.
local function does_not_take(args, option)
  return args.format and not format.kinds[args.format].options[option]
end

local function has_profile_twice(args)
  local seen = {}
  for _, name in ipairs(type(args.profile) == "table" and args.profile or {}) do
    if seen[name] then return true end
    seen[name] = true
  end
end

-- Each returns what does not go together, or nothing.
local CONFLICTS = {
  function(args) return args.desc and not args.sort and "--desc needs --sort" end,
  function(args)
    return needs_prices(args) and table.concat(PRICED, " and ") .. " need --value"
  end,
  function(args)
    return args.total and args.columns and args.columns.account and "a total has no account"
  end,
  function(args)
    return args.places and does_not_take(args, "places")
      and "--places is for " .. table.concat(formats_with "places", " and ")
  end,
  function(args)
    return args.amounts and does_not_take(args, "amounts")
      and "--amounts is for " .. table.concat(formats_with "amounts", " and ")
  end,
  function(args)
    return (args.columns or args.value) and does_not_take(args, "columns")
      and args.format .. " takes neither --columns nor --value"
  end,
  function(args) return has_profile_twice(args) and "a profile is named twice" end,
  function(args)
    return (args.stop or args.check_limits) and (args.port or args.accounts)
      and "--port and --accounts are for starting it"
  end,
  function(args)
    return args.all_profiles and args.profile[1] and "--profile is one of --all-profiles"
  end,
}

local function conflict_in(args)
  for _, conflict_of in ipairs(CONFLICTS) do
    local message = conflict_of(args)
    if message then return message end
  end
end

---@return table? args  `version` or `help` set, or `command` and its options
---@return string? message  what is wrong with them, in one line
function _M.parse(argv)
  local parser = new_parser()
  local ok, result = pcall(parser.parse, parser, argv)
  if not ok and type(result) ~= "table" then error(result, 0) end
  if result.help then return result end
  if not ok then return nil, (result.message:gsub("\n", "; ")) end
  if not (result.command or result.version) then return nil, "a command is required" end
  local message = conflict_in(result)
  if message then return nil, message end
  return result
end

return _M
