--- The arguments of the command `bitfront`: what there is to say, and which of
-- it is well-formed.

local argparse = require "argparse"
local coin = require "bitfront.records.coin"

local _M = {}

-- ---- values ----

-- Of the one coin that is asked for alone.
local function coin_code(text)
  local segment, message = coin.path_segment(text)
  if segment then return text end
  return nil, message
end

local COLUMNS = {
  account = true, currency = true, balance = true, availableBalance = true,
  locked = true, price = true, value = true,
}

-- The columns' names in their order; each of them is a key too, as which only
-- indexing finds it.
local function columns_of(text)
  local list, set = {}, {}
  for name in (text .. ","):gmatch("([^,]*),") do
    if not COLUMNS[name] then
      return nil, ("there is no column '%s': account, currency, balance, "
        .. "availableBalance, locked, price, value"):format(name)
    elseif set[name] then
      return nil, ("the column '%s' is named twice"):format(name)
    end
    list[#list + 1], set[name] = name, true
  end
  return setmetatable(list, { __index = set })
end

local function port_number(text)
  local port = text:find("^%d+$") and tonumber(text)
  if port and port <= 65535 then return port end
  return nil, ("a port is a number from 0 to 65535, not '%s'"):format(text)
end

local function places(text)
  local count = text:find("^%d+$") and tonumber(text)
  if count and count <= 400 then return count end
  return nil, ("places are a number from 0 to 400, not '%s'"):format(text)
end

local function interval(text)
  local seconds = text:find("^%d+%.?%d*$") and tonumber(text)
  if seconds and seconds >= 1 and seconds <= 86400 then return seconds end
  return nil, ("an interval is 1 to 86400 seconds, not '%s'"):format(text)
end

local function not_empty(text)
  if text ~= "" then return text end
  return nil, "a name that is empty names nothing"
end

-- ---- options ----

-- argparse itself would print the help and end with 0, also where nobody gets it.
local function add_help(parser)
  return parser:add_help { action = function()
    error({ help = parser:get_help() .. "\n" }, 0)
  end }
end

local function add_command(parser, name, description)
  return add_help(parser:command(name, description):description(description))
end

local function add_server_options(command)
  command:option("--base-url", "Where the API is; else the profile's, else BITFRONT_BASE_URL.")
    :argname("<url>")
  command:option("--ca-file", "Certificates to trust; else the profile's, else BITFRONT_CA_FILE, "
    .. "else the system's."):argname("<file>")
  return command
end

local PROFILE = "Section of the credentials file; else BITFRONT_PROFILE."

local function add_profile(command)
  command:option("--profile", PROFILE):argname("<name>"):overwrite(false)
  return add_server_options(command)
end

local function add_profiles(command)
  command:option("--profile", PROFILE .. " Several give one table."):argname("<name>"):count("*")
  return add_server_options(command)
end

local FORMATS = { "table", "json", "csv", "jsonl", "markdown", "prometheus" }

local function add_format(command)
  command:option("--format", "One of " .. table.concat(FORMATS, ", ") .. "."):choices(FORMATS)
    :default("table"):argname("<format>")
end

local SORT_KEYS = { "currency", "balance", "availableBalance", "locked", "value" }

local function add_selection(command)
  command:option("--currency", "Only these coins, as BTC,ETH."):convert(coin.list)
    :argname("<codes>"):overwrite(false)
  command:flag("--nonzero", "Only coins whose balance is not 0.")
  command:option("--min", "Only coins of which there is that much."):argname("<amount>")
  command:flag("--locked", "Only coins of which some is locked in orders, and how much.")
  command:option("--sort", "Order by one of " .. table.concat(SORT_KEYS, ", ") .. ".")
    :choices(SORT_KEYS):argname("<key>"):overwrite(false)
  command:flag("--desc", "The greatest first.")
  command:option("--columns", "What to show, as currency,locked."):convert(columns_of)
    :argname("<names>"):overwrite(false)
  command:option("--places", "Show no more decimals; ~ marks an amount that was cut.")
    :convert(places):argname("<number>")
end

local function add_sandbox_options(command)
  command:option("--port", "Port on 127.0.0.1; 0 is any free one."):convert(port_number)
    :argname("<number>")
  command:option("--accounts", "JSON file of the accounts it answers for."):convert(not_empty)
    :argname("<file>")
  command:option("--dir", "Folder for its certificates and state."):convert(not_empty)
    :argname("<folder>")
  command:mutex(
    command:flag("--background", "Keep it running after this command."),
    command:flag("--stop", "Stop the one that runs in the background."),
    command:flag("--check-limits", "Look for calls too close together in what arrived."))
end

local function add_balances(parser)
  local command = add_command(parser, "balances", "Show the balances of one account or several.")
  add_selection(command)
  command:flag("--total", "Add up what the accounts have of each coin.")
  command:option("--value", 'What it is worth: a JSON file of prices, {"BTC": 65000.5}.')
    :argname("<file>"):overwrite(false)
  add_format(command)
  add_profiles(command)
  command:flag("--all-profiles", "All accounts of the credentials file.")
end

local function add_watch(parser)
  local command = add_command(parser, "watch", "Show changes of the balances as they happen.")
  command:option("--interval", "Seconds between two looks, 1 or more."):convert(interval)
    :default("5"):argname("<seconds>")
  add_selection(command)
  add_profiles(command)
end

local function add_balance(parser)
  local command = add_command(parser, "balance", "Show the balance of one coin.")
  command:argument("code", "Its coin code, as BTC."):convert(coin_code)
  add_format(command)
  add_profile(command)
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
  add_balances(parser)
  add_balance(parser)
  add_watch(parser)
  add_profile(add_command(parser, "time", "Show the server's clock."))
  add_profile(add_command(parser, "doctor", "Look for what keeps calls from working."))
  add_sandbox_options(add_command(parser, "sandbox", "Run an exchange to test against."))
  add_command(parser, "nginx-conf", "Print an nginx.conf that shows the balances.")
  return parser
end

-- ---- what does not go together ----

local function needs_value(args)
  local columns = args.columns or {}
  return (args.sort == "value" or columns.price or columns.value) and not args.value
end

local function repeated_profile(args)
  local seen = {}
  for _, name in ipairs(type(args.profile) == "table" and args.profile or {}) do
    if seen[name] then return true end
    seen[name] = true
  end
end

local CONFLICTS = {
  { "--desc needs --sort", function(args) return args.desc and not args.sort end },
  { "value and price need --value", needs_value },
  { "a total has no account", function(args)
    return args.total and args.columns and args.columns.account
  end },
  { "--places is for table and markdown", function(args)
    return args.places and args.format and args.format ~= "table" and args.format ~= "markdown"
  end },
  { "prometheus takes neither --columns nor --value", function(args)
    return args.format == "prometheus" and (args.columns or args.value)
  end },
  { "a profile is named twice", repeated_profile },
  { "--port and --accounts are for starting it", function(args)
    return (args.stop or args.check_limits) and (args.port or args.accounts)
  end },
  { "--profile is one of --all-profiles", function(args)
    return args.all_profiles and args.profile[1]
  end },
}

local function conflict_in(args)
  for _, conflict in ipairs(CONFLICTS) do
    if conflict[2](args) then return conflict[1] end
  end
end

---@param argv string[]
---@return table? args  `version` or `help` set, or `command` and its options
---@return string? message  what is wrong with them, in one line
function _M.parse(argv)
  local parser = new_parser()
  local ok, result = pcall(parser.parse, parser, argv)
  if not ok and type(result) ~= "table" then error(result, 0) end
  if result.help then return result end
  if not ok then return nil, (result.message:gsub("\n", "; ")) end
  if not (result.command or result.version) then return nil, "a command is required" end
  local conflict = conflict_in(result)
  if conflict then return nil, conflict end
  return result
end

return _M
