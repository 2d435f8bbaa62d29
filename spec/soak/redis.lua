-- usage: redis.lua SECONDS [faults]
--
-- Ten processes with two keys share a Redis, before a sandbox behind a proxy
-- that delays what passes through it by up to 500 ms. With faults, processes
-- are killed and stopped, and Redis restarts and forgets everything. Fails
-- where more arrived than the exchange permits; prints how much did.

local core = require "bitfront.core"
local redis = require "spec.support.redis"
local shell = require "spec.support.shell"
local support = require "spec.support"

local PROCESSES = 10
local SECONDS, with_faults = tonumber(arg[1]), arg[2] == "faults"

local KEYS = { { "soakkey1", "secret1" }, { "soakkey2", "secret2" } }

local function accounts_file()
  local path, accounts = shell.tmpdir() .. "/accounts.json", {}
  for i, pair in ipairs(KEYS) do
    accounts[i] = ('{"api_key":"%s","api_secret":"%s","balances":[]}')
      :format(pair[1], pair[2])
  end
  shell.write(path, "[" .. table.concat(accounts, ",") .. "]")
  return path
end

local sandbox = support.sandbox { accounts = accounts_file() }
local proxy = support.jitterd(sandbox.port, 500)
local server = redis.start()

-- A Redis that has been used for long: what a new one does is for the faults.
local function age()
  server:store():peek "k"
  server:connect():hset("bitfront:limiter", "since", 1)
end

local out = shell.tmpdir()

-- Starts the i-th process, which ends at `over`; its pid is in a file.
local function start(i, over)
  local pair = KEYS[i % #KEYS + 1]
  local env = shell.env_words {
    BITFRONT_API_KEY = pair[1], BITFRONT_API_SECRET = pair[2],
    BITFRONT_BASE_URL = proxy.base_url, BITFRONT_CA_FILE = sandbox.ca_file,
  }
  shell.must(("%s %s spec/soak/caller.lua %d %d >>%s/%d.out 2>&1 & echo $! >%s/%d.pid")
    :format(env, shell.interpreter(), server.port, math.floor(over - core.now()),
      out, i, out, i))
end

local function signal(i, name)
  shell.must(("kill -%s $(cat %s/%d.pid)"):format(name, out, i))
end

local function kill_and_start(i)
  return function(over)
    signal(i, "KILL")
    start(i, over)
  end
end

local FAULTS = {
  { 8, kill_and_start(1) }, { 9, kill_and_start(2) },
  { 10, function() signal(3, "STOP") end }, { 11, function() signal(4, "STOP") end },
  { 20, function() server:restart() end },
  { 25, function() server:connect():flushall() end },
  { 26, function() signal(3, "CONT") end }, { 27, kill_and_start(5) },
  { 86, function() signal(4, "CONT") end }, { 87, function() signal(6, "STOP") end },
  { 92, kill_and_start(7) }, { 99, function() signal(6, "CONT") end },
  { 101, kill_and_start(8) },
}

local function sleep_until(time)
  while core.now() < time do core.sleep(math.max(0, math.min(1, time - core.now()))) end
end

local function report()
  local counts = {}
  for i = 1, PROCESSES do
    for kind, count in (shell.read(out .. "/" .. i .. ".out") or ""):gmatch "(%S+)\t(%d+)" do
      counts[kind] = (counts[kind] or 0) + tonumber(count)
    end
  end
  for kind, count in pairs(counts) do print(("%-24s %d"):format(kind, count)) end
end

age()
local begun = core.now()
for i = 1, PROCESSES do start(i, begun + SECONDS) end
for _, fault in ipairs(with_faults and FAULTS or {}) do
  if fault[1] >= SECONDS then break end
  sleep_until(begun + fault[1])
  fault[2](begun + SECONDS)
end
sleep_until(begun + SECONDS + 11) -- the last call's own deadline
report()
-- 60 a minute for each key, and what of the last minute has begun.
local permitted = #KEYS * 60 * math.ceil(SECONDS / 60)
local check, trouble, status = shell.run(
  ("%s lua/bitfront/cli/bitfront sandbox --check-limits --dir %s")
    :format(shell.interpreter(), shell.quote(sandbox.dir)))
io.write(check, trouble)
local calls = tonumber(check:match "(%d+) calls? of")
print(("%d of %d permitted calls in %d s: %.1f %%"):format(calls, permitted, SECONDS,
  calls / permitted * 100))
server:stop()
proxy:stop()
sandbox:stop()
os.exit(status == 0 and calls > #KEYS * 60 * 0.5)
