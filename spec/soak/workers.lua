-- usage: workers.lua [SECONDS [SEED]]        600 seconds, a seed by the clock
--
-- Four workers of an nginx that have the build with ASan and UBSan answer some
-- clients, during reloads, kills, stops, full tables of timers, connections and
-- files, clients who leave, and an exchange that is slow, broken or down. Fails for
-- a report of a sanitizer, for a worker that ends or stays when it should not, for
-- an answer that is wrong or not documented, for a call beyond the exchange's
-- limits, and where it does not answer soon after all that. The same seed does the
-- same things.

local core = require "bitfront.core"
local example = require "bitfront.sandbox.example"
local nginx = require "spec.support.nginx"
local setting = require "spec.soak.setting"
local shell = require "spec.support.shell"
local site = require "spec.soak.site"
local site_faults = require "spec.soak.site_faults"
local support = require "spec.support"
local watch = require "spec.soak.watch"

local SECONDS, SEED = tonumber(arg[1]) or 600, tonumber(arg[2]) or os.time()
local CLIENTS = 6
local ENDING = 30 -- s, for nginx
local RECOVERY = 65 -- s, for fresh balances when all is well again: a minute's limit

local ACCOUNTS = { { "soakkey1", "soaksecret1" }, { "soakkey2", "soaksecret2" } }

local folder = shell.tmpdir()
local watcher = watch.new()

-- host: the nginx; free and limited: the exchanges; killed: workers so ended;
-- counts: what was done, see site_faults.lua.
local soak = { folder = folder, watcher = watcher, killed = 0, counts = {} }

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

function soak:start_site()
  self.host = nginx.start(site.options(self.free, self.limited, ACCOUNTS, folder))
  shell.write(folder .. "/url", self.host.url)
end

function soak:stop_site()
  local host, last = self.host, core.now() + ENDING
  watcher:replace(host)
  host:signal "QUIT"
  while not host:has_ended() and core.now() < last do
    watcher:check_leaving()
    core.sleep(0.1)
  end
  if not host:has_ended() then watcher:fail "nginx does not end" end
  host:stop "KILL"
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

function soak:check_limits()
  local report, good = setting.check_limits(self.limited.dir)
  io.write(report)
  if not good then watcher:fail "the exchange was asked more often than it allows" end
end

local function run_faults()
  local deadline = core.now() + SECONDS
  while core.now() < deadline do
    local next_one = core.now() + math.random()
    site_faults.next(soak)
    watcher:check_reports(folder)
    repeat
      site_faults.run_later(core.now())
      watcher:check_leaving()
      watcher:check_size(soak.host)
      core.sleep(0.05)
    until core.now() >= next_one
  end
  site_faults.run_later(math.huge)
end

-- ---- the end ----

-- The body of a 200, from a site to which nothing has been done yet.
local function record_answers()
  for i, row in ipairs(site.PATHS) do
    local body, status = soak.host:body(row[1])
    assert(status == 200 and body:find "1000107794.9999858", row[1] .. ": " .. body)
    shell.write(("%s/expected.%d"):format(folder, i), body)
  end
end

local function is_fresh()
  for i, row in ipairs(site.PATHS) do
    local done, reply = pcall(soak.host.get, soak.host, row[1])
    if not done or reply.status ~= 200 or reply.headers["bitfront-freshness"]
      or reply.body ~= shell.read(("%s/expected.%d"):format(folder, i)) then
      return false, row[1] .. ": " .. (done and reply.status .. " " .. reply.body or reply)
    end
  end
  return true
end

local function check_recovery()
  local began = core.now()
  local fresh, message = is_fresh()
  while not fresh and core.now() < began + RECOVERY do
    core.sleep(0.1)
    fresh, message = is_fresh()
  end
  if not fresh then watcher:fail("it does not recover: %s", message) end
  print(("fresh balances %.1f s after the last fault"):format(core.now() - began))
end

local function restore_exchanges()
  for _, exchange in ipairs { soak.free, soak.limited } do
    exchange:control("DELETE", "script")
    exchange:set { latency_ms = 0, jitter_ms = 0, down = false }
  end
end

local function print_counts(title, numbers)
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
  print_counts("done to the site", soak.counts)
  print_counts("answers", sum_of_clients())
  local wrong = shell.read(folder .. "/wrong")
  if wrong then watcher:fail("answers:\n%s", wrong:sub(1, 2000)) end
  print(("the largest worker had %.0f MB; %d closed the socket to their master; %d failures")
    :format(watcher.largest, watcher.signalled, #watcher.failures))
end

local function main()
  math.randomseed(SEED)
  print(("seed %d: lua5.4 spec/soak/workers.lua %d %d"):format(SEED, SECONDS, SEED))
  shell.must("mkdir " .. folder .. "/tmp")
  local accounts = accounts_file()
  soak.free = support.sandbox { accounts = accounts }
  soak.limited = support.sandbox { accounts = accounts }
  soak.free:set { limits = false }
  soak:start_site()
  record_answers()
  local clients = start_clients()
  run_faults()
  stop_clients(clients)
  soak:check_limits()
  restore_exchanges()
  check_recovery()
  watcher:check_rest(soak.host)
  soak:stop_site()
  watcher:check_reports(folder)
  watcher:check_gone()
  watcher:check_folder(folder, soak.killed)
  soak.free:stop()
  soak.limited:stop()
  conclude()
  return #watcher.failures == 0
end

local done, good = xpcall(main, debug.traceback)
shell.write(folder .. "/stop", "") -- also where it was interrupted
if not done then print(good) end
os.exit(done and good)
