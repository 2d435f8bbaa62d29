-- usage: workers.lua [SECONDS [SEED]]        600 seconds, a seed by the clock
--
-- Four workers of an nginx that have the build with ASan and UBSan answer some
-- clients, while whatever a machine does to them is done: reloads, kills, stops,
-- full tables of timers, connections and files, clients who leave, an exchange
-- that is slow, broken or gone. Fails for what a sanitizer says, for a worker
-- that ends or stays when it should not, for an answer that is wrong or not
-- documented, for a call beyond the exchange's limits, and where it does not
-- answer soon after all that. The same seed does the same things.

local core = require "bitfront.core"
local example = require "bitfront.sandbox.example"
local nginx = require "spec.support.nginx"
local shell = require "spec.support.shell"
local site = require "spec.soak.site"
local support = require "spec.support"
local watch = require "spec.soak.watch"

local SECONDS, SEED = tonumber(arg[1]) or 600, tonumber(arg[2]) or os.time()
local CLIENTS = 6
local RECOVERY = 65 -- s, for fresh balances when all is well again: a minute's limit

local ACCOUNTS = { { "soakkey1", "soaksecret1" }, { "soakkey2", "soaksecret2" } }

local folder = shell.tmpdir()
local watcher = watch.new()
local host, free, limited
local counts, killed = {}, 0

math.randomseed(SEED)
local random = math.random

-- ---- the setting ----

local function accounts_file()
  local accounts, path = {}, folder .. "/accounts.json"
  for i, account in ipairs(ACCOUNTS) do
    accounts[i] = ('{"api_key":"%s","api_secret":"%s","balances":%s}'):format(account[1],
      account[2], example.reply:match '"responseData": (%b[])')
  end
  shell.write(path, "[" .. table.concat(accounts, ",") .. "]")
  return path
end

local function start_site()
  host = nginx.start(site.options(free, limited, ACCOUNTS, folder))
  shell.write(folder .. "/url", host.url)
end

local function stop_site(way)
  watcher:replace(host)
  if not pcall(host.stop, host, way) then
    watcher:fail("nginx does not end with %s:\n%s", way, watcher:describe(host))
    host:stop "KILL"
  end
  watcher:check_log(host)
end

local function start_clients()
  local clients = {}
  for i = 1, CLIENTS do
    clients[i] = assert(io.popen(("exec %s spec/soak/asker.lua %s counts.%d %d %d")
      :format(shell.interpreter(), folder, i, SECONDS + 60, SEED + i)))
  end
  return clients
end

-- Waits for them too.
local function stop_clients(clients)
  shell.write(folder .. "/stop", "")
  for _, client in ipairs(clients) do client:close() end
end

local function check_limits()
  local report, _, status = shell.run(
    ("%s lua/bitfront/cli/bitfront sandbox --check-limits --dir %s")
      :format(shell.interpreter(), shell.quote(limited.dir)))
  io.write(report)
  if status ~= 0 then watcher:fail "the exchange was asked more often than it allows" end
end

-- ---- what is done ----

local later = {} -- { when, what } of what ends a fault

local function after(seconds, action)
  later[#later + 1] = { core.now() + seconds, action }
end

local function run_later(now)
  for i = #later, 1, -1 do
    if later[i][1] <= now then table.remove(later, i)[2]() end
  end
end

local function worker()
  local pids = watcher:note_workers(host)
  return pids[random(#pids)] or host:pid()
end

local function send(name, pid)
  shell.run(("kill -%s %d"):format(name, pid))
end

-- Of one of the two exchanges; one that is just starting is left alone.
local function tell(exchange, method, name, value)
  pcall(exchange.control, exchange, method, name, value)
end

local function either()
  return random(2) == 1 and free or limited
end

local DAMAGES = { "closed_at_once", "reset", "hang", "hang_in_body", "closed_in_headers",
  "closed_in_body", "cut_without_length", "closed_in_chunk", "two_lengths",
  "length_and_chunked", "early_zero_chunk", "empty_body", "excess_body", "too_large",
  "too_many_headers", "gzip_bomb", "redirect", "html_503", "not_json", "json_twice",
  "duplicate_key", "huge_number", "status_204", "status_429", "currency_nul" }
local REFUSALS = { 4003, 4005, 4013, 5000, 6001, 6004, 9999 }

local actions = {}

function actions.reload()
  watcher:replace(host)
  host:signal "HUP"
end

function actions.kill()
  killed = killed + 1
  send("KILL", worker())
end

function actions.stop()
  local pid = worker()
  send("STOP", pid)
  after(0.1 + random() * 3, function() send("CONT", pid) end)
end

function actions.files()
  local pid = worker()
  local open = tonumber((shell.run(("ls /proc/%d/fd | wc -l"):format(pid))))
  local soft = tonumber((shell.run(
    ("prlimit --nofile --noheadings -o SOFT -p %d"):format(pid))))
  if not soft then return end -- it has just been killed
  shell.run(("prlimit --nofile=%d: -p %d"):format(open + random(0, 4), pid))
  after(0.5 + random() * 3, function()
    shell.run(("prlimit --nofile=%d: -p %d"):format(soft, pid))
  end)
end

function actions.timers()
  host:many("/timers", random(1, 8), "-m 1")
end

function actions.connections()
  shell.run(("curl -sZ --parallel-immediate --parallel-max 300 -m 2 '%s/held?[1-300]' "
    .. ">%s/held 2>&1 &"):format(host.url, folder))
end

function actions.damage()
  tell(either(), "POST", "script", { damage = DAMAGES[random(#DAMAGES)], times = random(4) })
end

function actions.refusal()
  tell(either(), "POST", "script",
    { statusCode = REFUSALS[random(#REFUSALS)], times = random(4) })
end

function actions.latency()
  local exchange = either()
  tell(exchange, "POST", "settings",
    { latency_ms = random(0, 1500), jitter_ms = random(0, 500) })
  after(random() * 4, function()
    tell(exchange, "POST", "settings", { latency_ms = 0, jitter_ms = 0 })
  end)
end

function actions.down()
  local exchange = either()
  tell(exchange, "POST", "settings", { down = true })
  after(random() * 3, function() tell(exchange, "POST", "settings", { down = false }) end)
end

-- With the limited one its count of calls would end.
function actions.exchange()
  local sandbox = require "bitfront.sandbox"
  local options = { port = free.port, dir = free.dir, accounts = folder .. "/accounts.json" }
  free:stop()
  free.sandbox = assert(sandbox.start(options))
  free:set { limits = false }
end

-- A new nginx knows nothing of the calls that the one before it has made, so
-- they are no longer counted here either.
function actions.restart()
  run_later(math.huge) -- a stopped worker cannot end
  stop_site "QUIT"
  check_limits()
  limited:control("DELETE", "log")
  start_site()
end

local WEIGHTS = { reload = 6, kill = 6, stop = 6, files = 8, timers = 3, connections = 2,
  damage = 10, refusal = 3, latency = 4, down = 2, exchange = 1, restart = 1 }
local drawn = {}
for name, weight in pairs(WEIGHTS) do
  for _ = 1, weight do drawn[#drawn + 1] = name end
end
table.sort(drawn) -- pairs has no order that a seed repeats

local function check()
  watcher:check_leaving()
  watcher:check_size(host)
  watcher:check_reports(folder)
end

local function suffer()
  local over = core.now() + SECONDS
  while core.now() < over do
    local name = drawn[random(#drawn)]
    local next_one = core.now() + random()
    actions[name]()
    counts[name] = (counts[name] or 0) + 1
    repeat
      run_later(core.now())
      check()
      core.sleep(0.05)
    until core.now() >= next_one
  end
  run_later(math.huge)
end

-- ---- the end ----

-- What a 200 bears, from a site to which nothing has been done yet.
local function learn_answers()
  for i, row in ipairs(site.PATHS) do
    local body, status = host:body(row[1])
    assert(status == 200 and body:find "1000107794.9999858", row[1] .. ": " .. body)
    shell.write(("%s/expected.%d"):format(folder, i), body)
  end
end

local function is_fresh()
  for i, row in ipairs(site.PATHS) do
    local done, reply = pcall(host.get, host, row[1])
    if not done or reply.status ~= 200 or reply.headers["bitfront-freshness"]
      or reply.body ~= shell.read(("%s/expected.%d"):format(folder, i)) then
      return false, row[1] .. ": " .. (done and reply.status .. " " .. reply.body or reply)
    end
  end
  return true
end

local function check_recovery()
  local began = core.now()
  local fresh, said = is_fresh()
  while not fresh and core.now() < began + RECOVERY do
    core.sleep(0.1)
    fresh, said = is_fresh()
  end
  if not fresh then watcher:fail("it does not recover: %s", said) end
  print(("fresh balances %.1f s after the last fault"):format(core.now() - began))
end

local function heal()
  for _, exchange in ipairs { free, limited } do
    exchange:control("DELETE", "script")
    exchange:set { latency_ms = 0, jitter_ms = 0, down = false }
  end
end

local function tell_counts(title, numbers)
  local words = {}
  for name, count in pairs(numbers) do words[#words + 1] = name .. " " .. count end
  table.sort(words)
  print(title .. ": " .. table.concat(words, ", "))
end

local function sum_of_clients()
  local sum = {}
  for i = 1, CLIENTS do
    for name, count in (shell.read(("%s/counts.%d"):format(folder, i)) or "")
      :gmatch "(%S+) (%d+)" do
      sum[name] = (sum[name] or 0) + tonumber(count)
    end
  end
  return sum
end

local function conclude()
  tell_counts("done to the site", counts)
  tell_counts("answers", sum_of_clients())
  local wrong = shell.read(folder .. "/wrong")
  if wrong then watcher:fail("answers:\n%s", wrong:sub(1, 4000)) end
  print(("the largest worker had %.0f MB; %d failures"):format(watcher.largest,
    #watcher.failures))
end

local function main()
  print(("seed %d: lua5.4 spec/soak/workers.lua %d %d"):format(SEED, SECONDS, SEED))
  shell.must("mkdir " .. folder .. "/tmp")
  local accounts = accounts_file()
  free, limited = support.sandbox { accounts = accounts }, support.sandbox { accounts = accounts }
  free:set { limits = false }
  start_site()
  learn_answers()
  local clients = start_clients()
  suffer()
  stop_clients(clients)
  check_limits()
  heal()
  check_recovery()
  watcher:check_rest(host)
  stop_site "QUIT"
  watcher:check_reports(folder)
  watcher:check_gone()
  watcher:check_folder(folder, killed)
  free:stop()
  limited:stop()
  conclude()
  return #watcher.failures == 0
end

local done, good = xpcall(main, debug.traceback)
shell.write(folder .. "/stop", "") -- also where it was interrupted
if not done then print(good) end
os.exit(done and good)
