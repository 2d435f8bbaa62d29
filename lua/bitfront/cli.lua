--- The command `bitfront`. Data goes to stdout, trouble to stderr. It ends with
-- 0; with 1 for a failure at run time; with 2 where it was called wrongly.

local accounts = require "bitfront.cli.accounts"
local streams = require "bitfront.cli.streams"
local times = require "bitfront.cli.times"

local _M = {}

local FAILED, MISUSED = streams.FAILED, streams.MISUSED
local INTERRUPTED = 130 -- as a shell reports SIGINT
local load, stop, write = streams.load, streams.stop, streams.write

local commands = {}

function commands.balances(args)
  load("bitfront.cli.balances").all(args)
end

function commands.balance(args)
  load("bitfront.cli.balances").one(args)
end

function commands.watch(args)
  load("bitfront.cli.watch").run(args)
end

function commands.time(args)
  local client = accounts.open(args, args.profile)
  local ms = accounts.result_of(client, nil, client:server_time())
  client:close()
  write(("%s  %s\n"):format(times.milliseconds(ms), times.utc(ms)))
end

function commands.doctor(args)
  local client = accounts.open(args, args.profile)
  local report, healthy = load("bitfront.doctor").examine(client)
  client:close()
  write(report)
  return healthy and 0 or FAILED
end

local function stop_sandbox(sandbox, args)
  local stopped, message = sandbox.stop({ dir = args.dir })
  if not stopped then stop(FAILED, message) end
end

local function check_limits(sandbox, args)
  local report, message = sandbox.check_limits({ dir = args.dir })
  if not report then stop(FAILED, message) end
  write(load("bitfront.cli.limits_report").format(report))
  return #report.findings == 0 and 0 or FAILED
end

function commands.sandbox(args)
  local sandbox = load("bitfront.sandbox")
  if args.stop then return stop_sandbox(sandbox, args) end
  if args.check_limits then return check_limits(sandbox, args) end
  local running, message = sandbox.start({
    port = args.port, accounts = args.accounts, background = args.background,
    dir = args.dir,
  })
  if not running then stop(FAILED, message) end
  write(running.exports)
  if running.already_running then
    streams.say("it had been started before, at " .. running.base_url)
  elseif not args.background then
    streams.say(("the sandbox answers at %s until Ctrl-C"):format(running.base_url))
    sandbox.wait(running)
  end
end

commands["nginx-conf"] = function()
  write(load("bitfront.nginx.conf_example"))
end

local function run(argv)
  local args, message = load("bitfront.cli.arguments").parse(argv)
  if not args then
    local command = commands[argv[1]] and argv[1] .. " " or ""
    stop(MISUSED, ("%s (see bitfront %s--help)"):format(message, command))
  end
  if args.help or args.version then
    write(args.help or "bitfront " .. require "bitfront.version" .. "\n")
    return 0
  end
  return commands[args.command](args) or 0
end

---Runs the command.
---@param argv string[]  its arguments
---@return integer status  to exit with
function _M.main(argv)
  streams.take_closed()
  local ok, result = pcall(run, argv)
  if ok then return result end
  if type(result) == "table" and result.status then
    streams.say(result.message)
    return result.status
  end
  if tostring(result):find("interrupted!$") then return INTERRUPTED end
  streams.say(tostring(result))
  return FAILED
end

return _M
