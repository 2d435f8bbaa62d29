-- usage: faulted.lua inline|thread      by way of fault.sh, traced by strace
--
-- Makes calls while system calls fail, and writes a line for each call: its
-- name, and what came of it. Where the server is, and what it answers at which
-- URL, is in variables FAULT_* that faults.lua sets.

local ffi = require "ffi"
local bitfront = require "bitfront"
local core = require "bitfront.core"

local TIMEOUT = tonumber(os.getenv "FAULT_TIMEOUT") -- s, of a call
local MARGIN = 1 -- s; what a call may take beyond that on a busy machine
local ROUNDS = 2

-- Where only a process's ancestors may trace it (Yama), this one lets others.
ffi.cdef "int prctl(int option, unsigned long tracer, ...)"
local PR_SET_PTRACER, ANY = 0x59616d61, ffi.cast("unsigned long", -1)

-- Faults begin here: what has to be loaded has been.
local function await_tracer()
  ffi.C.prctl(PR_SET_PTRACER, ANY)
  local ready = assert(io.open("/dev/fd/3", "w"))
  ready:write "ready\n"
  ready:close()
  for _ = 1, 10000 do
    local file = io.open "/proc/self/status"
    local status = file and file:read "*a" or ""
    if file then file:close() end
    -- Where a fault makes this read fail, the process is traced already.
    if not status:find "TracerPid:%s*0\n" then return end
    core.sleep(0.001)
  end
  error "nobody traces this process"
end

-- ---- the two ways to make a call ----

-- As in nginx: on the engine's thread, while this one goes on.
local function read_by_thread(request)
  local job, err = core.thread_start(request)
  local deadline = request.deadline
  if not job then return nil, err end
  while not job:done() and core.now() < deadline + MARGIN / 2 do
    core.sleep(0.0005)
  end
  if job:done() then return job:finish() end
  job:cancel()
  return nil, { kind = "timeout", code = "busy", message = "" }, { sent = deadline }
end

local WAITERS = {
  thread = { sleep = core.sleep, read = read_by_thread },
}

local function client_of(name, options)
  options = options or { api_key = "6W206egN32nCQ0VB",
                         api_secret = "dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI" }
  options.base_url, options.ca_file = os.getenv("FAULT_" .. name), os.getenv "FAULT_CA"
  options.timeout, options.retries = TIMEOUT, 0
  options.rate_limit, options.clock = false, "system"
  options.amounts = "string"
  local client = bitfront.new(options)
  local state = require "bitfront.account".of(client).call
  state.waiter = WAITERS[arg[1]] or state.waiter
  return client
end

-- ---- the calls ----

local function is_right(records)
  return #records == 2
    and records[1].currency == "BTC" and records[1].balance == "3999974992.35615"
    and records[1].availableBalance == "3999970806.72614"
    and records[2].currency == "LN" and records[2].balance == "1e-8"
    and records[2].availableBalance == "0"
end

local function result_of(client)
  local done, records, err = pcall(client.balances, client)
  if not done then
    return "raised " .. tostring(records):gsub("%s+", " ")
  elseif records then
    return is_right(records) and "right" or "WRONG"
  end
  return ("%s/%s %s"):format(err.kind, err.code, (tostring(err):gsub("%s+", " ")))
end

local lines = {}

-- A name that does not resolve is asked of the resolver, which has a thread.
local RIGHT = { ["network/resolve"] = "unknown", ["timeout/resolve"] = "unknown" }

local function call(name, client)
  local began = core.now()
  local result = result_of(client)
  if RIGHT[result:match "^%S+"] == name then result = "right" end
  local took = core.now() - began
  if took > TIMEOUT + MARGIN then
    result = ("LATE after %.1f s: %s"):format(took, result)
  end
  lines[#lines + 1] = name .. " " .. result
end

-- A call by a client of its own, which is closed after it.
local function call_once(name, url, options)
  local made, client = pcall(client_of, url, options)
  if not made then
    lines[#lines + 1] = name .. " raised " .. tostring(client):gsub("%s+", " ")
    return
  end
  call(name, client)
  client:close()
end

-- The socket by which the thread notifies a worker of nginx. Nobody connects to it
-- here.
local function listen_and_close()
  if core.thread_listen() then core.thread_accept() end
  core.thread_close()
end

local client = client_of "KEPT"
await_tracer()
for _ = 1, ROUNDS do
  call("new", client)
  call("kept", client)
  call_once("profile", "KEPT", { profile = "soak" })
  call_once("closing", "CLOSING")
  call_once("plain", "PLAIN")
  call_once("name", "NAME")
  call_once("unknown", "UNKNOWN")
  if arg[1] == "thread" then listen_and_close() end
  collectgarbage()
  call("kept", client)
end

-- The output may be what fails.
local text, written = table.concat(lines, "\n") .. "\n", nil
for _ = 1, 10 do
  written = written or io.write(text) and io.flush()
end
os.exit(written and 0 or 3, true)
