-- Asks the program that a section of the credentials file names, credential_process,
-- for key and secret. The calls of a client share one run of it, and what it printed
-- until that expires. It is polled, so that nothing waits but the caller.

local native = require "bitfront.native"
local poll_interval = require "bitfront.wait".poll_interval

local _M = {}

local MARGIN_MS = 60000 -- before they expire: then new ones are asked for
local GRACE = 0.25 -- s beyond the deadline, for a program that was ended to be gone

--- A program, and what became of it. What it printed is in the client's handle.
---@class bitfront.CredentialProcess
---@field command string
---@field origin string  of the command, for people
---@field expires_at? integer  of the last credentials, Unix ms; none: never
---@field run? bitfront.CredentialRun  under way

---@class bitfront.CredentialRun
---@field program userdata
---@field pid integer  of the process that started it
---@field begun number
---@field deadline number  of the call that started it
---@field is_late? true  the deadline came first
---@field is_done? true
---@field err? table

local function config_error(process, err)
  err.message = ("%s: %s"):format(process.origin, err.message)
  return err
end

local function timeout_error(process, seconds)
  return { kind = "timeout", code = "credential_process",
    message = ("%s: has not ended in time, after %.0f ms"):format(process.origin, seconds * 1000) }
end

---@return bitfront.CredentialProcess
function _M.new(command, origin)
  return { command = command, origin = origin }
end

local function has_valid(process, handle, margin)
  return handle:has_credentials()
    and (not process.expires_at or native.wall() < process.expires_at - margin)
end

local function finish(process, run)
  run.is_done = true
  run.program:release()
  if process.run == run then process.run = nil end
end

local function expire(process, run, now)
  run.is_late, run.err = true, timeout_error(process, now - run.begun)
end

-- The run to share; none that was left alone, since its callers were killed, or that
-- was begun before a fork.
local function running(process)
  local run, now = process.run, native.now()
  if run and (run.pid ~= native.pid() or now > run.deadline + GRACE) then
    expire(process, run, now)
    finish(process, run)
  end
  return process.run
end

local function start(process, deadline)
  local program, err = native.start_process(process.command)
  if not program then return nil, config_error(process, err) end
  process.run = { program = program, pid = native.pid(), begun = native.now(),
    deadline = deadline }
  return process.run
end

-- Gives the handle what the program printed.
local function use_output(process, handle, run)
  local credentials, detail = run.program:credentials()
  if not credentials then
    run.err = config_error(process, detail)
    return
  end
  local used, err = handle:use(credentials)
  credentials:release()
  if used then process.expires_at = detail else run.err = err end
end

-- Looks at the run once. What it was ended for is its error.
local function advance(process, handle, run)
  local now = native.now()
  if run.program:poll() then
    if not run.err then use_output(process, handle, run) end
    finish(process, run)
  elseif not run.err and handle:is_closed() then
    run.err = { kind = "closed", code = "closed", message = "the client is closed" }
    run.program:kill()
  elseif not run.err and now >= run.deadline then
    expire(process, run, now)
    run.program:kill()
  elseif now > run.deadline + GRACE then
    finish(process, run)
  end
end

-- Until the run is done, or the caller's own deadline comes before the run's.
local function wait_for(process, handle, run, waiter, deadline)
  advance(process, handle, run)
  while not run.is_done do
    local now = native.now()
    if now >= deadline and deadline < run.deadline then
      return timeout_error(process, now - run.begun)
    end
    waiter.sleep(poll_interval(now - run.begun))
    if not run.is_done then advance(process, handle, run) end
  end
  return run.err
end

--- Provides the handle with credentials that have not expired. Asks the program where
--- it has none, and a minute before they expire; one that fails then does no harm yet.
---@param process bitfront.CredentialProcess
---@param handle userdata  the client's C side
---@param waiter bitfront.Waiter
---@param deadline number  of the call
---@return table? err  which belongs to several callers
function _M.provide(process, handle, waiter, deadline)
  if has_valid(process, handle, MARGIN_MS) then return nil end
  local run, err
  repeat
    run, err = running(process), nil
    if not run then run, err = start(process, deadline) end
    if run then err = wait_for(process, handle, run, waiter, deadline) end
  until not (run and run.is_late and native.now() < deadline)
  local does_no_harm = err and err.kind == "config" and has_valid(process, handle, 0)
  return not does_no_harm and err or nil
end

return _M
