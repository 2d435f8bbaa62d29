--- Waits inside an nginx worker without blocking it. The engine runs on a thread
--- of its own and callers wait on semaphores. One light thread of each worker
--- reads from a socket to which the engine's thread writes a byte when jobs are
--- done; it wakes their callers. A second light thread checks all of them at
--- intervals: nothing here relies on an nginx timer, which may be granted and
--- never run.
---
--- While no light thread reads from that socket (not yet, not any more, or
--- because another Lua state of this worker has it, as with lua_code_cache off),
--- a caller polls its job, at first each millisecond.

local native = require "bitfront.native"

local ngx = ngx
local has_semaphore, semaphore = pcall(require, "ngx.semaphore")

local _M = {}

local MARGIN = 0.25 -- s that a caller waits beyond its deadline, which the engine keeps
local FOREVER = 2 ^ 31 - 1 -- ms; a socket takes no longer time
local LISTEN_INTERVAL = 5 -- s between two attempts to listen
local SOCKET_LIFETIME = 20 * 24 * 3600 -- s; less than FOREVER
local POOL_SIZE = 256 -- sleepers that are kept
local CHECK_INTERVAL = 0.25 -- s; also how long a worker that exits may be kept

local YIELDING = {
  rewrite = true, server_rewrite = true, access = true, content = true,
  timer = true, preread = true, ssl_cert = true, ssl_session_fetch = true,
  ssl_client_hello = true,
}

-- In these phases waiting needs patches that OpenResty has, to nginx and to
-- OpenSSL. Without them the handshake breaks, or the wait does not end.
local PATCHES = {
  ssl_client_hello = "ngx_is_privileged_agent",
  ssl_session_fetch = "SSL_magic_pending_session_ptr",
}

-- A sleeper is what a caller waits with: { sem =, job =, release = }; `job` and
-- `release` are false while it is in the pool.
local waiting = {} -- sleepers by their job's id
local pool, pooled = {}, 0
local listening = false -- is the socket being read?
local next_attempt = has_semaphore and 0 or math.huge -- when to listen again

local function wake_all()
  for id, sleeper in pairs(waiting) do
    waiting[id] = nil
    sleeper.sem:post(1)
  end
end

-- ---- callers that were killed ----

-- The jobs of sleepers that were woken because they are done: since the last check,
-- and between the two before. nginx runs a caller that was woken long before the
-- second check: a sleeper that has the same job then is that of a killed caller.
local woken, woken_before = {}, {}

local function wake(id, sleeper)
  waiting[id], woken[sleeper] = nil, sleeper.job
  sleeper.sem:post(1)
end

-- Cancels the job, which would else run to its deadline, and releases what the
-- caller would have released.
local function clean_up(sleeper, is_unanswered)
  local job, release = sleeper.job, sleeper.release
  sleeper.job, sleeper.release = false, false
  job:cancel()
  if release then release(is_unanswered) end
end

-- Where a caller was killed while it waited, or its client closed the
-- connection, nothing waits on its semaphore any more. Where a caller waits for
-- a job that is done, the byte that notifies of it could not be sent.
local function check()
  local killed = {} -- whether the request is unanswered, by sleeper
  for sleeper, job in pairs(woken_before) do
    if sleeper.job == job then killed[sleeper] = false end
  end
  woken, woken_before = {}, woken
  for id, sleeper in pairs(waiting) do
    if sleeper.sem:count() >= 0 then
      waiting[id], killed[sleeper] = nil, true
    elseif sleeper.job:done() then
      wake(id, sleeper)
    end
  end
  for sleeper, is_unanswered in pairs(killed) do clean_up(sleeper, is_unanswered) end
end

-- Until the worker exits, or the socket is to be replaced.
local function check_at_intervals()
  local last = native.now() + SOCKET_LIFETIME
  repeat
    ngx.sleep(CHECK_INTERVAL)
    pcall(check)
  until ngx.worker.exiting() or native.now() > last
  native.thread_close()
end

-- ---- the socket ----

local function connect(path)
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, FOREVER)
  return socket:connect("unix:" .. path) and socket
end

local done = {}

local function wake_done()
  for i = 1, native.thread_take(done) do
    local sleeper = waiting[done[i]]
    if sleeper then wake(done[i], sleeper) end
  end
end

-- Until the socket is closed. The first time without a byte: none is sent for
-- jobs that became done before the connection was accepted.
local function read_notifications(socket)
  repeat
    wake_done()
  until not socket:receive(1)
end

-- Runs in a timer. Where the timer is late, another path has replaced its own,
-- and nothing is done.
local function listen(premature, path)
  local tried, socket = pcall(connect, path)
  if not native.thread_accept(path) then return end
  if tried and socket and not premature then
    local checker = ngx.thread.spawn(check_at_intervals)
    listening = true
    pcall(read_notifications, socket)
    listening = false
    ngx.thread.kill(checker)
  end
  native.thread_close()
  wake_all()
end

--- Has nginx run a function, soon and outside of any request. nginx raises where
--- no connection is free for that.
---@return boolean granted  true: it may run, but nginx may still cancel it
function _M.start_timer(action, ...)
  local called, granted = pcall(ngx.timer.at, 0, action, ...)
  return called and granted ~= nil
end

-- There is no path where another Lua state of this worker has the connection, or
-- where no folder can be written.
local function try_to_listen()
  local now = native.now()
  if now < next_attempt or ngx.worker.exiting() then return end
  next_attempt = now + LISTEN_INTERVAL
  local path = native.thread_listen()
  if path and not _M.start_timer(listen, path) then
    native.thread_close()
  end
end

-- ---- a caller ----

local function take_sleeper()
  local sleeper = pool[pooled]
  if not sleeper then
    local sem = semaphore.new(0)
    return sem and { sem = sem, job = false, release = false }
  end
  pool[pooled] = nil
  pooled = pooled - 1
  return sleeper
end

-- Waits until the sleeper is woken, for `seconds` at the most. A sleeper that
-- was not woken is not kept: its semaphore may still be posted.
local function sleep_until_woken(job, seconds, release)
  local id, sleeper = job:id(), take_sleeper()
  if not sleeper then
    return ngx.sleep(0.001) -- there is no memory now
  end
  sleeper.job, sleeper.release = job, release or false
  waiting[id] = sleeper
  local was_woken = sleeper.sem:wait(seconds)
  sleeper.job, sleeper.release = false, false
  if was_woken and pooled < POOL_SIZE then
    pooled = pooled + 1
    pool[pooled] = sleeper
  end
  waiting[id] = nil
end

-- Polls until the socket is being read; less often, the longer it takes.
local function poll(job, last)
  local started = native.now()
  local now = started
  while not listening and not job:done() and now < last do
    ngx.sleep(math.max(0.001, math.min(0.01, (now - started) / 20)))
    now = native.now()
  end
end

-- Waits until the job is done, or until `last` on native.now's clock. It may have
-- become done, and its id been taken, before the caller sleeps.
local function wait_for(job, last, release)
  local now = native.now()
  if not listening then try_to_listen() end
  while not job:done() and now < last do
    if listening then
      sleep_until_woken(job, last - now, release)
    else
      poll(job, last)
    end
    now = native.now()
  end
  return job:done()
end

local BUSY_MESSAGE = "the engine's thread did not complete the request in time"

-- As native.get, but the worker serves others meanwhile.
local function read(request, release)
  local job, err = native.thread_start(request)
  if not job then return nil, err end
  local deadline = request.deadline
  if not wait_for(job, deadline + MARGIN, release) then
    job:cancel()
    return nil, { kind = "timeout", code = "busy", message = BUSY_MESSAGE },
      { sent = deadline } -- the request may have been sent until then
  end
  return job:finish()
end

-- ---- where waiting is possible ----

local waiter = { sleep = ngx.sleep, read = read }

local function refuse(code, where)
  return nil, {
    kind = "phase", code = code,
    message = ("nginx cannot wait %s; make the call from a timer: "
      .. "ngx.timer.at(0, function() ... end)"):format(where),
  }
end

--- How to wait in the phase that runs now. To be asked for each call.
---@return bitfront.Waiter? waiter
---@return { kind: "phase", code: string, message: string }? err
function _M.waiter()
  local phase = ngx.get_phase()
  local patch = PATCHES[phase]
  if not YIELDING[phase] or patch and not native.has_symbol(patch) then
    return refuse(phase, ("in the phase %s"):format(phase))
  elseif native.yieldable() == false then
    return refuse("c_call", ("across a C call, such as table.sort, "
      .. "string.gsub or require, in the phase %s"):format(phase))
  end
  return waiter
end

return _M
