-- What the workers' soak does to its site: functions of the soak, see workers.lua.
-- What some of them do ends later, by run_later.

local core = require "bitfront.core"
local shell = require "spec.support.shell"

local _M = {}

local random = math.random

local later = {} -- { when, what } of what ends a fault

local function after(seconds, action)
  later[#later + 1] = { core.now() + seconds, action }
end

local function run_later(now)
  for i = #later, 1, -1 do
    if later[i][1] <= now then table.remove(later, i)[2]() end
  end
end

-- Calls the function with one of the workers, if there is one just now.
local function with_worker(soak, action)
  local pids = soak.watcher:note_workers(soak.host)
  if pids[1] then action(pids[random(#pids)]) end
end

local function send(name, pid)
  shell.run(("kill -%s %d"):format(name, pid))
end

-- Of one of the two exchanges; one that is just starting is left alone.
local function tell(exchange, method, name, value)
  pcall(exchange.control, exchange, method, name, value)
end

local function either(soak)
  return random(2) == 1 and soak.free or soak.limited
end

local actions = {}

local DAMAGES = { "closed_at_once", "reset", "hang", "hang_in_body", "closed_in_headers",
  "closed_in_body", "cut_without_length", "closed_in_chunk", "two_lengths",
  "length_and_chunked", "early_zero_chunk", "empty_body", "excess_body", "too_large",
  "too_many_headers", "gzip_bomb", "redirect", "html_503", "not_json", "json_twice",
  "duplicate_key", "huge_number", "status_204", "status_429", "currency_nul" }
local REFUSALS = { 4003, 4005, 4013, 5000, 6001, 6004, 9999 }

function actions.reload(soak)
  soak.watcher:replace(soak.host)
  soak.host:signal "HUP"
end

function actions.kill(soak)
  with_worker(soak, function(pid)
    soak.killed = soak.killed + 1
    send("KILL", pid)
  end)
end

function actions.stop(soak)
  with_worker(soak, function(pid)
    send("STOP", pid)
    after(0.1 + random() * 3, function() send("CONT", pid) end)
  end)
end

local function limit_files(pid)
  local open = tonumber((shell.run(("ls /proc/%d/fd | wc -l"):format(pid))))
  local most = shell.run(("prlimit --nofile --noheadings -o HARD -p %d"):format(pid))
  shell.run(("prlimit --nofile=%d: -p %d"):format(open + random(0, 4), pid))
  after(0.5 + random() * 3, function()
    shell.run(("prlimit --nofile=%s: -p %d"):format(most:match "%w*", pid))
  end)
end

function actions.files(soak)
  with_worker(soak, limit_files)
end

function actions.timers(soak)
  soak.host:many("/timers", random(1, 8), "-m 1")
end

function actions.connections(soak)
  shell.run(("curl -sZ --parallel-immediate --parallel-max 300 -m 2 '%s/held?[1-300]' "
    .. ">%s/held 2>&1 &"):format(soak.host.url, soak.folder))
end

function actions.damage(soak)
  tell(either(soak), "POST", "script", { damage = DAMAGES[random(#DAMAGES)], times = random(4) })
end

function actions.refusal(soak)
  tell(either(soak), "POST", "script",
    { statusCode = REFUSALS[random(#REFUSALS)], times = random(4) })
end

function actions.latency(soak)
  local exchange = either(soak)
  tell(exchange, "POST", "settings",
    { latency_ms = random(0, 1500), jitter_ms = random(0, 500) })
  after(random() * 4, function()
    tell(exchange, "POST", "settings", { latency_ms = 0, jitter_ms = 0 })
  end)
end

function actions.down(soak)
  local exchange = either(soak)
  tell(exchange, "POST", "settings", { down = true })
  after(random() * 3, function() tell(exchange, "POST", "settings", { down = false }) end)
end

-- With the limited one its count of calls would end.
function actions.exchange(soak)
  local free = soak.free
  free:stop()
  free.sandbox = assert(require "bitfront.sandbox".start {
    port = free.port, dir = free.dir, accounts = soak.folder .. "/accounts.json",
  })
  free:set { limits = false }
end

-- A new nginx knows nothing of the calls that the one before it has made, so
-- they are no longer counted here either.
function actions.restart(soak)
  run_later(math.huge) -- a stopped worker cannot end
  soak:stop_site()
  soak:check_limits()
  soak.limited:control("DELETE", "log")
  soak:start_site()
end

-- How often each is done, for each time that the rarest is.
local WEIGHTS = { reload = 6, kill = 6, stop = 6, files = 8, timers = 3, connections = 2,
  damage = 10, refusal = 3, latency = 4, down = 2, exchange = 1, restart = 1 }
local drawn = {}
for name, weight in pairs(WEIGHTS) do
  for _ = 1, weight do drawn[#drawn + 1] = name end
end
table.sort(drawn) -- pairs has no order that a seed repeats

---Does one of them to the soak's site.
function _M.next(soak)
  local name = drawn[random(#drawn)]
  actions[name](soak)
  soak.counts[name] = (soak.counts[name] or 0) + 1
end

_M.run_later = run_later

return _M
