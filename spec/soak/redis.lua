-- usage: redis.lua SECONDS [faults]
--
-- Ten processes with two keys share a Redis. With faults, processes are killed
-- and stopped, and Redis restarts and loses everything. Fails where more
-- arrived than the exchange permits; prints how much did.

local core = require "bitfront.core"
local redis = require "spec.support.redis"
local setting = require "spec.soak.setting"
local shell = require "spec.support.shell"

local PROCESSES = 10
local SECONDS, with_faults = tonumber(arg[1]), arg[2] == "faults"

local sandbox, proxy = setting.start()
local server = redis.start()
local out = shell.tmpdir()

-- Starts the i-th process, which ends at `deadline`; its pid is in a file.
local function start(i, deadline)
  local credentials = setting.KEYS[i % #setting.KEYS + 1]
  local env = shell.env_words {
    BITFRONT_API_KEY = credentials[1], BITFRONT_API_SECRET = credentials[2],
    BITFRONT_BASE_URL = proxy.base_url, BITFRONT_CA_FILE = sandbox.ca_file,
  }
  shell.must(("%s %s spec/soak/caller.lua %d %d >>%s/%d.out 2>&1 & echo $! >%s/%d.pid")
    :format(env, shell.interpreter(), server.port, math.floor(deadline - core.now()),
      out, i, out, i))
end

local function signal(i, name)
  shell.must(("kill -%s $(cat %s/%d.pid)"):format(name, out, i))
end

local function replace(i)
  return function(deadline)
    signal(i, "KILL")
    start(i, deadline)
  end
end

local function send(i, name)
  return function() signal(i, name) end
end

-- What Redis loses makes it full for 125 s; after them all processes make calls again.
local FAULTS = {
  { 8, replace(1) }, { 9, replace(2) }, { 10, send(3, "STOP") },
  { 11, send(4, "STOP") }, { 20, function() server:restart() end },
  { 25, function() server:connect():flushall() end }, { 26, send(3, "CONT") },
  { 27, replace(5) }, { 151, send(4, "CONT") }, { 152, send(6, "STOP") },
  { 157, replace(7) }, { 164, send(6, "CONT") }, { 166, replace(8) },
}

local function print_results()
  local counts = {}
  for i = 1, PROCESSES do
    for kind, count in (shell.read(out .. "/" .. i .. ".out") or ""):gmatch "(%S+)\t(%d+)" do
      counts[kind] = (counts[kind] or 0) + tonumber(count)
    end
  end
  for kind, count in pairs(counts) do print(("%-24s %d"):format(kind, count)) end
end

-- As if it had been used for long: what a new one does is for the faults.
server:store():peek "k"
server:connect():hset("bitfront:limiter", "since", 1)

for i = 1, PROCESSES do start(i, core.now() + SECONDS) end
setting.run_faults(with_faults and FAULTS or {}, SECONDS)
setting.sleep_until(core.now() + 11) -- the last call's own deadline
print(("ten processes, Redis%s"):format(with_faults and ", faults" or ""))
print_results()
local good = setting.judge(sandbox, SECONDS)
server:stop()
proxy:stop()
sandbox:stop()
os.exit(good)
