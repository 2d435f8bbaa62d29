-- What bitfront.balances_many costs: how far it is from ideal, what an account
-- in flight takes, and how the cost grows. Nothing here fails because of a
-- figure.

local bitfront = require "bitfront"
local core = require "bitfront.core"
local support = require "spec.support"

local faultd = support.faultd()

local function clients(count, options)
  local all = {}
  for i = 1, count do all[i] = support.client(options) end
  return all
end

local function close(all)
  for _, client in ipairs(all) do client:close() end
end

local function resident_kib()
  collectgarbage()
  collectgarbage()
  return tonumber(support.read("/proc/self/smaps_rollup"):match "\nRss:%s*(%d+)")
end

local function cpu_s()
  return os.clock()
end

-- Wall and CPU seconds for as many accounts, all of which must answer.
local function run(count, url, concurrency)
  local all = clients(count, { base_url = url })
  local begun, cpu = core.now(), cpu_s()
  for _, result in ipairs(bitfront.balances_many(all,
    { concurrency = concurrency, timeout = 60 })) do
    if result.err then error(result.err) end
  end
  local elapsed, used = core.now() - begun, cpu_s() - cpu
  close(all)
  return elapsed, used
end

-- Accounts that all get no answer until their deadline: the memory that they take,
-- and how late the latest of them ends.
local function in_flight(what, address, count)
  local late, most = 0, 0
  local all = clients(count, {
    base_url = address, connect_timeout = 60, on_attempt = function(event)
      late = math.max(late, event.elapsed - 4)
    end,
  })
  local before = resident_kib()
  for i, result in ipairs(bitfront.balances_many(all, {
    concurrency = count, timeout = 4, on_progress = function(done)
      if done == 1 then most = resident_kib() end
    end,
  })) do
    if not result.err then error("call " .. i .. " was answered") end
  end
  print(("%s: %.1f KiB for each of %d in flight; the latest ended %.0f ms past its deadline")
    :format(what, (most - before) / count, count, late * 1000))
  close(all)
end

-- First, while the heap has no room left over from others.
in_flight("TLS", faultd:url { reply = "", close = "hang" }, 1000)

local url = faultd:url_body(support.success(), { delay = 50 })
run(64, url, 64)
local thousand, cpu_thousand = run(1000, url, 64)
print(("1,000 accounts, 50 ms, concurrency 64: %.2f s, %.2f of the ideal 16 rounds")
  :format(thousand, thousand / 0.8))
local ten, cpu_ten = run(10000, url, 64)
print(("10,000 accounts: %.2f s, %.2f times the 1,000; CPU %.2f times")
  :format(ten, ten / thousand, cpu_ten / cpu_thousand))

faultd:stop()
