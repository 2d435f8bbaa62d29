--- The arguments of the command `bitfront`: what there is to say, and which of
-- it is well-formed.

local argparse = require "argparse"

local _M = {}

local function coin_code(text)
  if #text <= 20 and text:find("^[A-Z0-9]+$") then return text end
  return nil, ("a coin code is 1 to 20 of A-Z and 0-9, not '%s'"):format(text)
end

-- "A,B" as a list that is also a set.
local function coin_codes(text)
  local codes = {}
  for each in (text .. ","):gmatch("([^,]*),") do
    local code, message = coin_code(each)
    if not code then return nil, message end
    codes[#codes + 1] = code
    codes[code] = true
  end
  return codes
end

local function port_number(text)
  local port = text:find("^%d+$") and tonumber(text)
  if port and port <= 65535 then return port end
  return nil, ("a port is a number from 0 to 65535, not '%s'"):format(text)
end

local function add_command(parser, name, description)
  return parser:command(name, description):description(description)
end

local function add_server_options(command)
  command:option("--base-url", "Where the API is; else BITFRONT_BASE_URL."):argname("<url>")
  command:option("--ca-file", "Certificates to trust; else BITFRONT_CA_FILE, else the system's.")
    :argname("<file>")
  command:option("--profile", "Section of the credentials file; else BITFRONT_PROFILE.")
    :argname("<name>")
  return command
end

local function add_format(command)
  command:option("--format", "How to print the records."):choices({ "table", "json" })
    :default("table"):argname("<format>")
  return command
end

local function add_sandbox_options(command)
  command:option("--port", "Port on 127.0.0.1; 0 is any free one."):convert(port_number)
    :argname("<number>")
  command:option("--accounts", "JSON file of the accounts it answers for."):argname("<file>")
  command:option("--dir", "Folder for its certificates and state."):argname("<folder>")
  command:mutex(
    command:flag("--background", "Keep it running after this command."),
    command:flag("--stop", "Stop the one that runs in the background."))
end

local EPILOG = [[
Credentials come from BITFRONT_API_KEY and BITFRONT_API_SECRET, or from the
file ~/.config/bitfront/credentials; no option takes the secret.]]

local function new_parser()
  local parser = argparse("bitfront", "Shows the balances of a BITFRONT account.", EPILOG)
  parser:command_target("command"):require_command(false)
  parser:flag("--version", "Show the version and exit.")
  local balances = add_command(parser, "balances", "Show the balances of the account.")
  balances:option("--currency", "Only these coins, as BTC,ETH."):convert(coin_codes)
    :argname("<codes>")
  add_server_options(add_format(balances))
  local balance = add_command(parser, "balance", "Show the balance of one coin.")
  balance:argument("code", "Its coin code, as BTC."):convert(coin_code)
  add_server_options(add_format(balance))
  add_server_options(add_command(parser, "time", "Show the server's clock."))
  add_server_options(add_command(parser, "doctor", "Look for what keeps calls from working."))
  add_sandbox_options(add_command(parser, "sandbox", "Run an exchange to test against."))
  return parser
end

---@param argv string[]
---@return table? args  `version` set, or `command` and its options
---@return string? message  what is wrong with them, in one line
function _M.parse(argv)
  local ok, result = new_parser():pparse(argv)
  if not ok then return nil, result end
  if not (result.command or result.version) then return nil, "a command is required" end
  return result
end

return _M
