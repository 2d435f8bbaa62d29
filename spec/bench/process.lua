-- process.lua: what the module costs the process it is in. Prints lines
-- "NAME NUMBER": the time that `require` takes, whether libcurl came with it,
-- and what 100,000 calls leave behind.

local clock = os.clock()
local bitfront = require "bitfront"
local required = os.clock() - clock

local WARM_UP, CALLS = 1000, 100000

local function report(name, number)
  print(("%s %.6g"):format(name, number))
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- The kernel's exact count where there is one.
local function resident_kib()
  collectgarbage()
  collectgarbage()
  local rollup = io.open "/proc/self/smaps_rollup"
  if rollup then
    rollup:close()
    return tonumber(read("/proc/self/smaps_rollup"):match "\nRss:%s*(%d+)")
  end
  return tonumber(read("/proc/self/status"):match "\nVmRSS:%s*(%d+)")
end

local function descriptors()
  local pipe = assert(io.popen "ls /proc/$PPID/fd | wc -l")
  local count = tonumber(pipe:read "*a")
  pipe:close()
  return count
end

report("require_ms", required * 1000)
report("libcurl_loaded",
  read("/proc/self/maps"):find("libcurl", 1, true) and 1 or 0)

if arg[1] == "calls" then
  local client = bitfront.new { timeout = 60, rate_limit = false }
  for _ = 1, WARM_UP do
    assert(client:balances())
  end
  local kib, open = resident_kib(), descriptors()
  for _ = 1, CALLS do
    assert(client:balances())
  end
  report("grown_descriptors", descriptors() - open)
  report("grown_kib", resident_kib() - kib)
end
