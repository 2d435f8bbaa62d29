--- The command `bitfront`. Data goes to stdout, messages to stderr. It ends with
-- 0; with 1 for a failure at run time; with 2 where it was called wrongly.

local streams = require "bitfront.cli.streams"

local _M = {}

local function run(argv)
  local commands = streams.load "bitfront.cli.commands"
  local args, message = streams.load("bitfront.cli.arguments").parse(argv)
  if not args then
    local command = commands[argv[1]] and argv[1] .. " " or ""
    streams.stop(streams.MISUSED, ("%s (see bitfront %s--help)"):format(message, command))
  end
  if args.help or args.version then
    streams.write(args.help or "bitfront " .. require "bitfront.version" .. "\n")
    return 0
  end
  return commands[args.command].run(args) or 0
end

---Runs the command.
---@param argv string[]  its arguments
---@return integer status  to exit with
function _M.main(argv)
  streams.reserve_closed()
  local ok, result = pcall(run, argv)
  if ok then return result end
  if type(result) == "table" and result.status then
    streams.say(result.message)
    return result.status
  end
  if tostring(result):find("interrupted!$") then return streams.INTERRUPTED end
  streams.say(tostring(result))
  return streams.FAILED
end

return _M
