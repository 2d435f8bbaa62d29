--- The commands of `bitfront`: what each is called, takes and does. The parser and
-- the help read these tables.

local clients = require "bitfront.cli.clients"
local coin = require "bitfront.records.coin"
local columns = require "bitfront.records.columns"
local exit_status = require "bitfront.cli.exit_status"
local format = require "bitfront.records.format"
local is_seconds = require "bitfront.options".rows["bitfront.new"].timeout.check
local rows = require "bitfront.rows"
local streams = require "bitfront.cli.streams"
local utc = require "bitfront.records.text".utc

local load, stop, write = streams.load, streams.stop, streams.write

-- ---- values: each returns what a text stands for, or nil and what is wrong ----

-- A number in digits; `rule` says from where to where.
local function number(rule, pattern, least, most)
  return function(text)
    local value = text:find(pattern) and tonumber(text)
    if value and value >= least and value <= most then return value end
    return nil, (rule .. ", not '%s'"):format(least, most, text)
  end
end

local function places(text)
  local value = text:find "^%d+$" and tonumber(text)
  local is_right, expected = format.options.places.check(value)
  if is_right then return value end
  return nil, ("places must be %s, not '%s'"):format(expected, text)
end

-- As the library's option `timeout`.
local function seconds(option)
  return function(text)
    local value = text:find "^%d+%.?%d*$" and tonumber(text)
    local is_right, expected = is_seconds(value)
    if is_right then return value end
    return nil, ("%s must be %s, not '%s'"):format(option, expected, text)
  end
end

local function not_empty(text)
  if text ~= "" then return text end
  return nil, "the name must not be empty"
end

-- A file's name, or @ and a coin code.
local function price_source(text)
  if text == "@" then return nil, "a coin code must follow @, as in @USDT" end
  return not_empty(text)
end

local function coin_code(text)
  local segment, message = coin.path_segment(text)
  return segment and text, message
end

-- The columns' names in their order; indexing finds each as a key too.
local function column_names(text)
  local list, set = {}, {}
  for name in (text .. ","):gmatch("([^,]*),") do
    if not columns[name] then
      return nil, ("there is no column '%s': %s"):format(name,
        table.concat(rows.names(columns), ", "))
    elseif set[name] then
      return nil, ("the column '%s' is named twice"):format(name)
    end
    list[#list + 1], set[name] = name, true
  end
  return setmetatable(list, { __index = set })
end

-- ---- options ----

--- The properties of an argparse element; argparse ignores `kind` and `is_exclusive`.
---@class bitfront.cli.Option
---@field kind "option"|"flag"|"argument"
---@field is_exclusive? boolean  of a command's options that are, one may be given
---@field name string  with its dashes
---@field description string
---@field argname? string  what the value of an option is called
---@field convert? fun(text: string): any, string?
---@field choices? string[]
---@field words? string[]  where there are no choices: what a shell completes the value by
---@field default? string
---@field overwrite? boolean  false: it may be given once only; else the last one counts
---@field count? "*"  it may be given several times, and all count

local SERVER = {
  { kind = "option", name = "--base-url", argname = "<url>",
    description = "Where the API is; else the profile's, else BITFRONT_BASE_URL." },
  { kind = "option", name = "--ca-file", argname = "<file>",
    description = "Certificates to trust; else the profile's, else BITFRONT_CA_FILE, "
      .. "else the system's." },
  { kind = "option", name = "--timeout", argname = "<seconds>", convert = seconds "--timeout",
    description = "Seconds for an account's call with all waiting and retries; else 10." },
}

local SECTION = "Section of the credentials file; else BITFRONT_PROFILE."

local PROFILE = {
  { kind = "option", name = "--profile", argname = "<name>", overwrite = false,
    description = SECTION },
}

local PROFILES = {
  { kind = "option", name = "--profile", argname = "<name>", count = "*",
    description = SECTION .. " Several give one table." },
}

local FORMATS = rows.names(format.kinds)
local SORT_KEYS = rows.names(columns, { sortable = true })

local FORMAT = {
  { kind = "option", name = "--format", argname = "<format>", choices = FORMATS,
    default = "table", description = "One of " .. table.concat(FORMATS, ", ") .. "." },
}

local AMOUNTS = {
  { kind = "option", name = "--amounts", argname = "<type>", choices = { "number", "string" },
    description = "What an amount is in JSON: number, or string for what rounds numbers." },
}

local QUIET = {
  { kind = "flag", name = "--quiet", description = "No notes on stderr; errors stay." },
}

local SELECTION = {
  { kind = "option", name = "--currency", argname = "<codes>", convert = coin.list,
    overwrite = false, description = "Only these coins, as BTC,ETH." },
  { kind = "flag", name = "--nonzero", description = "Only coins whose balance is not 0." },
  { kind = "option", name = "--min", argname = "<amount>",
    description = "Only coins whose balance is that much or more." },
  { kind = "flag", name = "--locked",
    description = "Only coins of which some is locked in orders, and how much." },
  { kind = "option", name = "--sort", argname = "<key>", choices = SORT_KEYS,
    overwrite = false,
    description = "Order by one of " .. table.concat(SORT_KEYS, ", ") .. "." },
  { kind = "flag", name = "--desc", description = "The greatest first." },
  { kind = "option", name = "--columns", argname = "<names>", convert = column_names,
    words = rows.names(columns), overwrite = false,
    description = "What to show, as currency,locked." },
  { kind = "option", name = "--places", argname = "<number>", convert = places,
    description = "Show no more decimals; ~ marks an amount that was cut." },
}

local OF_BALANCES = {
  { kind = "flag", name = "--total", description = "Add up what the accounts have of each coin." },
  { kind = "option", name = "--value", argname = "<file>", overwrite = false,
    convert = price_source,
    description = 'What each coin is worth: a JSON file of prices, {"BTC": 65000.5}; - is stdin, '
      .. "@USDT the exchange's prices in USDT." },
  { kind = "flag", name = "--all-profiles",
    description = "All accounts of the credentials file." },
}

local OF_BALANCE = {
  { kind = "argument", name = "code", convert = coin_code,
    description = "Its coin code, as BTC." },
}

local OF_WATCH = {
  { kind = "option", name = "--interval", argname = "<seconds>", default = "5",
    convert = number("an interval is %d to %d seconds", "^%d+%.?%d*$", 1, 86400),
    description = "Seconds between two calls, 1 or more." },
}

local STATES = rows.names(columns, { kind = "amount", from = "reply" })

-- A bound of a coin.
local function bound(name, words)
  return { kind = "option", name = name, argname = "<code=amount>", count = "*",
           description = words .. ", as BTC=0.5." }
end

local OF_CHECK = {
  bound("--below", "Critical where there is less of a coin"),
  bound("--above", "Critical where there is more of a coin"),
  bound("--warn-below", "A warning where there is less of a coin"),
  bound("--warn-above", "A warning where there is more of a coin"),
  { kind = "option", name = "--of", argname = "<column>", choices = STATES, default = "balance",
    description = "What the bounds are for: one of " .. table.concat(STATES, ", ") .. "." },
  { kind = "option", name = "--stale", argname = "<seconds>", convert = seconds "--stale",
    description = "Critical where the reply's time is further in the past." },
}

local OF_SANDBOX = {
  { kind = "option", name = "--port", argname = "<number>",
    convert = number("a port is a number from %d to %d", "^%d+$", 0, 65535),
    description = "Port on 127.0.0.1; 0 is any free one; else 8443, or a free one." },
  { kind = "option", name = "--accounts", argname = "<file>", convert = not_empty,
    description = "JSON file of the accounts it answers for." },
  { kind = "option", name = "--dir", argname = "<folder>", convert = not_empty,
    description = "Folder for its certificates and state." },
  { kind = "flag", name = "--background", is_exclusive = true,
    description = "Keep it running after this command." },
  { kind = "flag", name = "--stop", is_exclusive = true,
    description = "Stop the one that runs in the background." },
  { kind = "flag", name = "--check-limits", is_exclusive = true,
    description = "Find calls too close together among those that it answered." },
}

local OF_NGINX_CONF = {
  { kind = "flag", name = "--dashboard", is_exclusive = true,
    description = "Print a Grafana dashboard of its metrics instead." },
  { kind = "flag", name = "--alerts", is_exclusive = true,
    description = "Print alert rules of Prometheus for its metrics instead." },
}

local OF_COMPLETION = {
  { kind = "argument", name = "shell", choices = { "bash", "zsh", "fish" },
    description = "Which shell: bash, zsh or fish." },
}

local function join(...)
  local all = {}
  for _, options in ipairs { ... } do
    for _, option in ipairs(options) do all[#all + 1] = option end
  end
  return all
end

-- ---- what they do ----

local function show_time(args)
  local client = clients.open(args, args.profile)
  local ms = clients.result_of(client, nil, client:server_time())
  write(("%.0f  %s\n"):format(ms, utc(ms)))
end

local function examine(args)
  local report, is_healthy =
    load("bitfront.doctor").examine(clients.open(args, args.profile))
  write(report)
  return is_healthy and 0 or exit_status.failed.status
end

local function or_stop(result, message)
  return result or stop("failed", message, "sandbox")
end

local function check_limits(sandbox, args)
  local report = or_stop(sandbox.check_limits({ dir = args.dir }))
  write(load("bitfront.cli.limits_report").format(report))
  return #report.findings == 0 and 0 or exit_status.failed.status
end

local function run_sandbox(args)
  local sandbox = load "bitfront.sandbox"
  if args.stop then return or_stop(sandbox.stop({ dir = args.dir })) and 0 end
  if args.check_limits then return check_limits(sandbox, args) end
  local running = or_stop(sandbox.start({
    port = args.port, accounts = args.accounts, background = args.background,
    dir = args.dir,
  }))
  write(running.exports)
  if running.already_running then
    streams.note("the sandbox is already running at " .. running.base_url)
  elseif not args.background then
    streams.note(("the sandbox answers at %s until Ctrl-C"):format(running.base_url))
    sandbox.wait(running)
  end
end

---@class bitfront.cli.Command
---@field name string
---@field description string
---@field options bitfront.cli.Option[]
---@field run fun(args: table): integer?  the status to exit with; default 0

---@type bitfront.cli.Command[]
local commands

local function print_completion(args)
  write(load "bitfront.cli.completion"(commands, args.shell))
end

local function print_man_page()
  write(load "bitfront.cli.man_page"(commands))
end

commands = rows.keyed {
  { name = "balances", description = "Show the balances of one account or several.",
    options = join(SELECTION, OF_BALANCES, FORMAT, AMOUNTS, QUIET, PROFILES, SERVER),
    run = function(args) load("bitfront.cli.balances").all(args) end },
  { name = "balance", description = "Show the balance of one coin.",
    options = join(OF_BALANCE, FORMAT, AMOUNTS, QUIET, PROFILE, SERVER),
    run = function(args) load("bitfront.cli.balances").one(args) end },
  { name = "watch", description = "Show changes of the balances as they happen.",
    options = join(OF_WATCH, SELECTION, AMOUNTS, PROFILES, SERVER),
    run = function(args) load("bitfront.cli.watch").run(args) end },
  { name = "check", description = "Check balances for a monitoring system. "
      .. "Ends with 0 for OK, 1 for WARNING, 2 for CRITICAL, 3 for UNKNOWN.",
    options = join(OF_CHECK, PROFILE, SERVER),
    run = function(args) return load("bitfront.cli.monitor").run(args) end },
  { name = "time", description = "Show the server's clock.",
    options = join(PROFILE, SERVER), run = show_time },
  { name = "doctor", description = "Find what keeps calls from working.",
    options = join(PROFILE, SERVER), run = examine },
  { name = "sandbox", description = "Run an exchange to test against.",
    options = join(OF_SANDBOX, QUIET), run = run_sandbox },
  { name = "nginx-conf", description = "Print an nginx.conf that shows the balances.",
    options = OF_NGINX_CONF,
    run = function(args) load("bitfront.cli.nginx_conf").run(args) end },
  { name = "completion", description = "Print what makes a shell complete this command.",
    options = OF_COMPLETION, run = print_completion },
  { name = "man", description = "Print the man page, for man -l.", options = {},
    run = print_man_page },
}

return commands
