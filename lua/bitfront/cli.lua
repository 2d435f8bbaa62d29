--- The command `bitfront`. Data goes to stdout, messages to stderr. exit_status.lua has what
-- it ends with.

local exit_status = require "bitfront.cli.exit_status"
local failure = require "bitfront.cli.failure"
local plugin = require "bitfront.cli.plugin"
local streams = require "bitfront.cli.streams"

local _M = {}

local function run(argv)
  local commands = streams.load "bitfront.cli.commands"
  local args, message = streams.load("bitfront.cli.arguments").parse(argv)
  if not args then
    local command = commands[argv[1]] and argv[1] .. " " or ""
    streams.stop("usage", ("%s (see bitfront %s--help)"):format(message, command))
  end
  if args.help or args.version then
    streams.write(args.help or "bitfront " .. require "bitfront.version" .. "\n")
    return 0
  end
  streams.is_quiet = args.quiet
  return commands[args.command].run(args) or 0
end

-- Whether a program reads what fails, also where the arguments are wrong. The last
-- --format counts.
local function wants_json(argv)
  local format
  for i, word in ipairs(argv) do
    format = word:match "^%-%-format=(.*)" or word == "--format" and argv[i + 1] or format
  end
  return format == "json" or format == "jsonl"
end

-- The errors that ended it, of what was raised; nil after Ctrl-C.
local function errors_of(raised)
  if type(raised) == "table" and raised.errors then return raised.errors end
  local message = tostring(raised)
  return not message:find("interrupted!$") and { streams.failure("failed", message, "internal") }
    or nil
end

---Runs the command.
---@param argv string[]  its arguments
---@return integer status  to exit with
function _M.main(argv)
  streams.reserve_closed()
  local ok, result = pcall(run, argv)
  if ok then return result end
  local errors = errors_of(result)
  if not errors then return exit_status.interrupted.status end
  if argv[1] == "check" then return plugin.report(errors) end
  return failure.report(errors, wants_json(argv))
end

return _M
