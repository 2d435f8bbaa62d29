-- usage: faults.lua [RUNS [SEED]]        1000 runs, a seed by the clock
--        faults.lua MODE INJECTION       one run, such as: thread read:error=EIO:when=7
--
-- In each run faulted.lua makes calls, and strace has one of its system calls
-- fail: once, five times in a row, or from then on. No run may end by a signal,
-- take too long, give wrong balances or undocumented errors, or fail in more calls
-- than system calls failed. Prints what came of them, by system call.
--
-- strace must be allowed to trace: nothing else needs root, or more than loopback.

local shell = require "spec.support.shell"
local support = require "spec.support"

local TIMEOUT = 2 -- s, of a call
local CALLS = 16 -- that faulted.lua makes
local LONGEST = CALLS * (TIMEOUT + 1) + 10 -- s, of a run
local AT_ONCE = 4
local BATCH = 20 -- runs after which it tells of failures

-- System calls and the errors that a kernel, a limit or a filter has for them.
-- futex is left out: one that fails where it wakes a thread, no kernel has.
local FAULTS = {
  accept = "EAGAIN ECONNABORTED EINTR EMFILE ENFILE EPERM",
  accept4 = "EAGAIN ECONNABORTED EINTR EMFILE ENFILE EPERM",
  bind = "EACCES EADDRINUSE EINVAL ENOMEM EROFS",
  brk = "retval=0", -- the break that there is, below what was asked for
  clock_nanosleep = "EINTR",
  clone = "EAGAIN ENOMEM EPERM",
  clone3 = "EAGAIN ENOMEM ENOSYS EPERM",
  close = "EINTR EIO",
  connect = "EACCES EADDRNOTAVAIL EAGAIN ECONNREFUSED EHOSTUNREACH EINTR "
    .. "ENETUNREACH EPERM ETIMEDOUT",
  epoll_create1 = "EMFILE ENFILE ENOMEM",
  epoll_ctl = "ENOMEM ENOSPC",
  epoll_wait = "EINTR",
  eventfd2 = "EMFILE ENFILE ENOMEM EPERM",
  fcntl = "EACCES EINTR EMFILE EPERM",
  fstat = "EIO ENOMEM",
  getpeername = "ENOBUFS ENOTCONN",
  getrandom = "EINTR ENOSYS EPERM",
  getsockname = "ENOBUFS",
  getsockopt = "ENOBUFS EPERM",
  listen = "EADDRINUSE",
  lseek = "EINVAL",
  madvise = "EAGAIN ENOMEM",
  mkdir = "EACCES EEXIST ENOENT ENOSPC EROFS",
  mmap = "EAGAIN ENFILE ENOMEM",
  mprotect = "EACCES ENOMEM",
  mremap = "EAGAIN ENOMEM",
  munmap = "EINVAL ENOMEM",
  newfstatat = "EACCES EIO ENOENT ENOMEM",
  openat = "EACCES EINTR EIO EMFILE ENFILE ENOENT ENOMEM",
  pipe2 = "EMFILE ENFILE",
  poll = "EINTR ENOMEM",
  ppoll = "EINTR ENOMEM",
  prctl = "EPERM",
  read = "EINTR EIO ENOMEM",
  recvfrom = "EAGAIN ECONNRESET EINTR EIO ENOMEM ETIMEDOUT",
  recvmsg = "EAGAIN EINTR ENOMEM",
  rmdir = "EACCES EBUSY ENOTEMPTY",
  rt_sigpending = "ENOSYS EPERM",
  rt_sigprocmask = "EPERM",
  rt_sigtimedwait = "EAGAIN EINTR EPERM",
  sendmmsg = "EAGAIN ECONNREFUSED EINTR ENOBUFS EPERM",
  sendto = "EAGAIN ECONNRESET EINTR ENOBUFS ENOMEM EPERM EPIPE",
  setsockopt = "EINVAL ENOMEM ENOPROTOOPT EPERM",
  shutdown = "ENOTCONN",
  socket = "EACCES EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM EPERM",
  socketpair = "EMFILE ENFILE ENOSYS EPERM",
  unlink = "EACCES EBUSY EROFS",
  write = "EINTR EIO ENOSPC EPIPE",
}
local NAMES = {}
for name in pairs(FAULTS) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

-- What no kernel says for ever: mkdtemp would try 238328 names, under strace for minutes.
local PASSES = { EINTR = true, EEXIST = true }

-- Without memory Lua itself raises, as ever.
local IS_MEMORY = { brk = true, mmap = true, mprotect = true, mremap = true, munmap = true }

-- What a caller may be told when the system has failed it; see README.md.
local KINDS = { config = true, memory = true, network = true, timeout = true, tls = true }

-- ---- the setting ----

local BODY = support.success('[{"currency":"BTC","balance":3999974992.35615,'
  .. '"availableBalance":3999970806.72614},{"currency":"L\\u004e","balance":1e-8,'
  .. '"availableBalance":0}]')

local faultd, folder = support.faultd(), shell.tmpdir()

shell.must(("umask 077; mkdir %s/bitfront; : >%s/bitfront/credentials")
  :format(folder, folder))
shell.write(folder .. "/bitfront/credentials",
  ("[soak]\napi_key = %s\napi_secret = %s\n"):format(support.KEY, support.SECRET))

local ENVIRONMENT = {
  FAULT_CA = faultd.ca_file, FAULT_TIMEOUT = tostring(TIMEOUT),
  FAULT_KEPT = faultd:url_body(BODY),
  FAULT_CLOSING = faultd:url_body(BODY, { close = "fin", headers = { "Connection: close" } }),
  FAULT_PLAIN = faultd:url_body(BODY, { listener = "plain" }),
  FAULT_NAME = faultd:url_body(BODY, { host = "localhost" }),
  FAULT_UNKNOWN = "https://name.invalid",
  XDG_CONFIG_HOME = folder,
}
local LUAJIT = shell.must '"${MAKE:-make}" -s --no-print-directory env LUA=luajit'

-- Runs of { mode, name, injection }, some of them at a time; each then has a
-- folder with what became of it.
local function execute(runs)
  local list = {}
  for i, run in ipairs(runs) do
    run.folder = ("%s/%s"):format(shell.tmpdir(), i)
    list[i] = ("%s %s %d -e trace=%s %s"):format(run.folder, run.mode, LONGEST,
      run.name, run.injection and "-e inject=" .. run.injection or "")
  end
  shell.run(("%s\nxargs -P %d -L 1 spec/soak/fault.sh"):format(LUAJIT, AT_ONCE),
    { env = ENVIRONMENT, stdin = table.concat(list, "\n") .. "\n" })
end

-- ---- what came of a run ----

local function complain(run, message)
  run.message = run.message or message
end

-- A call's name, and what came of it: see faulted.lua.
local function judge_line(run, line)
  local result = line:match "^%S+ (.*)$" or line
  local kind, code = result:match "^(%l+)/(%S+)"
  if result == "right" then return end
  run.failed = run.failed + 1
  if IS_MEMORY[run.name] and result:find "^raised .*not enough memory" then
    run.results[#run.results + 1] = "raised"
  elseif KINDS[kind] then
    run.results[#run.results + 1] = kind .. "/" .. code
  else
    complain(run, result)
  end
end

local function judge(run)
  local function read(name) return shell.read(run.folder .. "/" .. name) or "" end
  run.failed, run.results = 0, {}
  local ended, count = read "ended":match "%S+", 0
  local _, injected = read "trace":gsub("%(INJECTED%)", "")
  run.injected = injected
  if ended == "3" and run.name == "write" -- it could not tell
    or IS_MEMORY[run.name] and read "err":find "not enough memory" then
    return
  end
  if ended ~= "0" then
    return complain(run, ("ended with %s: %s%s"):format(ended, read "err", read "strace"))
  end
  for line in read "out":gmatch "[^\n]+" do
    count = count + 1
    judge_line(run, line)
  end
  if count ~= CALLS then complain(run, count .. " calls were told") end
  if run.failed > injected then
    complain(run, ("%d calls failed where %d system calls did: %s"):format(run.failed,
      injected, table.concat(run.results, " ")))
  end
end

local function print_failure(run)
  print(("FAILED: lua5.4 spec/soak/faults.lua %s %s\n  %s"):format(run.mode,
    run.injection, run.message))
  for line in (shell.read(run.folder .. "/out") or ""):gmatch "[^\n]+" do
    print("  | " .. line)
  end
end

-- ---- which runs ----

-- How often each thread of faulted.lua makes each system call, at the most.
local function count_calls(mode)
  local run = { mode = mode, name = table.concat(NAMES, ",") }
  execute { run }
  run.name = ""
  judge(run)
  assert(not run.message and run.failed == 0, run.message or "calls fail without a fault")
  local counts, most = {}, {}
  for line in io.lines(run.folder .. "/trace") do
    local thread, name = line:match "^(%d+) +([%w_]+)%("
    if thread then
      counts[thread .. name] = (counts[thread .. name] or 0) + 1
      most[name] = math.max(most[name] or 0, counts[thread .. name])
    end
  end
  return most
end

local function draw(mode, most)
  local names = {}
  for _, name in ipairs(NAMES) do
    if most[name] then names[#names + 1] = name end
  end
  local name, errors = names[math.random(#names)], {}
  for word in FAULTS[name]:gmatch "%S+" do errors[#errors + 1] = word end
  local first, way = math.random(most[name]), math.random(10)
  local word = errors[math.random(#errors)]
  local for_ever = way == 1 and not PASSES[word]
  local last = for_ever and "+" or way <= 3 and ".." .. first + 4 or ""
  return { mode = mode, name = name, injection = ("%s:%s:when=%d%s"):format(name,
    word:find "=" and word or "error=" .. word, first, last) }
end

-- What once found something comes first: from one of these calls on nothing can be received,
-- though TLS's tickets have come.
local FOUND = {}
for i = 66, 69 do
  FOUND[#FOUND + 1] = { mode = "inline", name = "recvfrom",
                        injection = ("recvfrom:error=EAGAIN:when=%d+"):format(i) }
end

-- ---- the sum ----

local sum = {} -- by system call: runs, and its results with how often they came

local function add(run)
  local row = sum[run.name] or { runs = 0, injected = 0, results = {} }
  sum[run.name] = row
  row.runs, row.injected = row.runs + 1, row.injected + run.injected
  for _, result in ipairs(run.results) do
    row.results[result] = (row.results[result] or 0) + 1
  end
end

local function print_sum()
  print(("%-16s %5s %7s  %s"):format("system call", "runs", "failed", "and what that did to calls"))
  for _, name in ipairs(NAMES) do
    local row, words = sum[name], {}
    for result, count in pairs(row and row.results or {}) do
      words[#words + 1] = result .. " " .. count
    end
    table.sort(words)
    if row then
      print(("%-16s %5d %7d  %s"):format(name, row.runs, row.injected, table.concat(words, ", ")))
    end
  end
end

-- Whether all of them ended as they should.
local function make_runs(count, next_run)
  local bad = 0
  for first = 1, count, BATCH do
    local runs = {}
    for i = first, math.min(count, first + BATCH - 1) do runs[#runs + 1] = next_run(i) end
    execute(runs)
    for _, run in ipairs(runs) do
      judge(run)
      add(run)
      if run.message then
        bad = bad + 1
        print_failure(run)
      end
    end
    io.stdout:flush()
  end
  print(("%d runs with faults in system calls, %d failed"):format(count, bad))
  return bad == 0
end

local function main(first, second)
  local one = not tonumber(first) and first
  if one then
    local name = second:match "^[%w_]+"
    return make_runs(1, function() return { mode = one, name = name, injection = second } end)
  end
  local count, seed = tonumber(first) or 1000, tonumber(second) or os.time()
  local modes = { "inline", "thread" }
  local most = { inline = count_calls "inline", thread = count_calls "thread" }
  print(("seed %d: lua5.4 spec/soak/faults.lua %d %d"):format(seed, count, seed))
  math.randomseed(seed)
  local good = make_runs(count, function(i)
    if FOUND[i] then return FOUND[i] end
    local mode = modes[i % 2 + 1]
    return draw(mode, most[mode])
  end)
  print_sum()
  return good
end

local good = main(arg[1], arg[2])
faultd:stop()
os.exit(good)
