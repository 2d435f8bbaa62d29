--- The command `bitfront`. Data goes to stdout, trouble to stderr. It ends with
-- 0; with 1 for a failure at run time; with 2 where it was called wrongly.

local output = require "bitfront.cli.output"

local _M = {}

local FAILED, MISUSED = 1, 2
local INTERRUPTED = 130 -- as a shell reports SIGINT

-- Ends the command from anywhere below `main`.
local function stop(status, message)
  error({ status = status, message = message }, 0)
end

local function say(text)
  io.stderr:write("bitfront: ", output.escape(text), "\n")
end

-- The numbers of standard streams that are closed go to what is opened next,
-- which could be the connection; then output would be sent to the server. They
-- are taken here, unwritable, so that writing fails.
local EBADF = 9
local taken = {}

local function take_closed_streams()
  for _, stream in ipairs({ io.stdin, io.stdout, io.stderr }) do
    local _, _, errno = stream:seek("cur")
    if errno == EBADF then taken[#taken + 1] = io.open("/dev/null", "r") end
  end
end

local function write(text)
  local ok, err = io.stdout:write(text)
  if ok then ok, err = io.stdout:flush() end
  if not ok then stop(FAILED, "the output cannot be written: " .. tostring(err)) end
end

-- A module that may be missing or broken, with a reason of one line: not the
-- list of places where it is not, but what the dynamic linker says.
local function load(name)
  local ok, module = pcall(require, name)
  if ok then return module end
  local first, second = tostring(module):match("^([^\n]*)\n?%s*([^\n]*)")
  stop(FAILED, ("the module %s cannot be loaded: %s"):format(name,
    first:find("^error loading") and first .. " " .. second or first))
end

local PAIR_TO_TRY = "; 'bitfront sandbox' prints a key and a secret to try it with"
local CLOSED = "; the public exchange has closed: name a server with --base-url or "
  .. "BITFRONT_BASE_URL, or start one with 'bitfront sandbox'"

local function advice(err, args)
  if err.code == "missing_credentials" then return PAIR_TO_TRY end
  local unreachable = err.kind == "network" or err.kind == "timeout"
  local named = args.base_url or os.getenv("BITFRONT_BASE_URL")
  return unreachable and not named and CLOSED or ""
end

local function result_of(args, result, err)
  if result ~= nil then return result end
  stop(FAILED, ("%s (%s): %s%s"):format(err.kind, err.code, err.message, advice(err, args)))
end

local function open(args)
  load("bitfront.core") -- where it is broken, that is not the caller's mistake
  local ok, client = pcall(load("bitfront").new, {
    base_url = args.base_url, ca_file = args.ca_file, profile = args.profile,
    amounts = "string",
  })
  if ok then return client end
  stop(MISUSED, (tostring(client):gsub("^%S+%.lua:%d+: ", "")
    :gsub("^bitfront%.new: ", "")))
end

-- The records of the wanted coins, in the order of the reply.
local function only(balances, wanted)
  if not wanted then return balances end
  local chosen, found = {}, {}
  for _, record in ipairs(balances) do
    if wanted[record.currency] then
      chosen[#chosen + 1] = record
      found[record.currency] = true
    end
  end
  for _, code in ipairs(wanted) do
    if not found[code] then say("the account has no record of " .. code) end
  end
  return chosen
end

local commands = {}

function commands.balances(args)
  local client = open(args)
  local balances = result_of(args, client:balances())
  client:close()
  write(output[args.format](only(balances, args.currency)))
end

function commands.balance(args)
  local client = open(args)
  local record = result_of(args, client:balance(args.code))
  client:close()
  write(output[args.format]({ record }))
end

function commands.time(args)
  local client = open(args)
  local ms = result_of(args, client:server_time())
  client:close()
  write(("%s  %s\n"):format(output.milliseconds(ms), output.utc(ms)))
end

function commands.doctor(args)
  local client = open(args)
  local report, healthy = load("bitfront.cli.doctor").examine(client)
  client:close()
  write(report)
  return healthy and 0 or FAILED
end

local function stop_sandbox(sandbox, args)
  local stopped, message = sandbox.stop({ dir = args.dir })
  if not stopped then stop(FAILED, message) end
end

function commands.sandbox(args)
  local sandbox = load("bitfront.sandbox")
  if args.stop then return stop_sandbox(sandbox, args) end
  local running, message = sandbox.start({
    port = args.port, accounts = args.accounts, background = args.background,
    dir = args.dir,
  })
  if not running then stop(FAILED, message) end
  write(running.exports)
  if running.already_running then
    say("it had been started before, at " .. running.base_url)
  elseif not args.background then
    say(("the sandbox answers at %s until Ctrl-C"):format(running.base_url))
    sandbox.wait(running)
  end
end

local function run(argv)
  local args, message = load("bitfront.cli.arguments").parse(argv)
  if not args then stop(MISUSED, message .. " (see bitfront --help)") end
  if args.version then
    write("bitfront " .. require "bitfront.version" .. "\n")
    return 0
  end
  return commands[args.command](args) or 0
end

---Runs the command.
---@param argv string[]  its arguments
---@return integer status  to exit with
function _M.main(argv)
  take_closed_streams()
  local ok, result = pcall(run, argv)
  if ok then return result end
  if type(result) == "table" and result.status then
    say(result.message)
    return result.status
  end
  if tostring(result):find("interrupted!$") then return INTERRUPTED end
  say(tostring(result))
  return FAILED
end

return _M
