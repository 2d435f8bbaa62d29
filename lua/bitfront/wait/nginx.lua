--- Waits inside an nginx worker without keeping it: the engine runs on a thread
--- of its own, callers sleep on semaphores, and one light thread per worker
--- listens at a socket to the bell that the engine's thread rings. Another makes
--- rounds beside it: nothing here waits for an nginx timer, which may be granted
--- and never run.
---
--- Where there is no bell (not yet, no more, or in another Lua state of this
--- worker, as with lua_code_cache off) a caller looks for itself, at first each
--- millisecond.

local core = require "bitfront.native"
local limiter = require "bitfront.limiter"

local ngx = ngx
local has_semaphore, semaphore = pcall(require, "ngx.semaphore")

local _M = {}

-- What a caller waits for beyond its deadline, which the engine keeps: s.
local MARGIN = 0.25
local FOREVER = 2 ^ 31 - 1 -- ms; more than that no socket takes
local RETRY = 5 -- s between two tries to listen
local RENEW = 20 * 24 * 3600 -- s; before a socket has waited for ever
local POOL = 256 -- sleepers kept
local ROUND = 0.25 -- s; for no longer does this keep a worker that is to exit

local YIELDING = {
  rewrite = true, server_rewrite = true, access = true, content = true,
  timer = true, preread = true, ssl_cert = true, ssl_session_fetch = true,
  ssl_client_hello = true,
}

-- In these, waiting takes patches that come with OpenResty: to nginx, and to
-- OpenSSL. Without them the handshake breaks, or the wait is not ended.
local PATCHES = {
  ssl_client_hello = "ngx_is_privileged_agent",
  ssl_session_fetch = "SSL_magic_pending_session_ptr",
}

-- Who sleeps on which job: { sem =, job =, slot = }.
local waiting = {}
local pool, pooled = {}, 0 -- of such tables, without a job
local listening = false -- is the bell heard?
local next_try = has_semaphore and 0 or math.huge -- to hang one up

local function wake_all()
  for id, sleeper in pairs(waiting) do
    waiting[id] = nil
    sleeper.sem:post(1)
  end
end

-- ---- callers who are gone ----

-- What a caller left behind ends now, and not with its deadline: its transfer, and
-- its turn, which counts for as long as the server may read its request.
local function clean_up(gone, grace)
  for _, sleeper in ipairs(gone) do
    local job, slot = sleeper.job, sleeper.slot
    sleeper.job, sleeper.slot = false, false
    job:drop()
    if slot then limiter.release(slot, grace) end
  end
end

-- Who was woken the last time, and with which job; and how often that was. nginx
-- has let them run before the bell is heard again: who still has that job was
-- killed.
local woken, their_jobs, woken_count = {}, {}, 0
local wakes, wakes_seen = 0, 0

local function take_left_over()
  local gone
  for i = 1, woken_count do
    local sleeper, job = woken[i], their_jobs[i]
    woken[i], their_jobs[i] = nil, nil
    if sleeper.job == job then
      gone = gone or {}
      gone[#gone + 1] = sleeper
    end
  end
  woken_count = 0
  return gone
end

-- Of a caller that was killed, or whose client has hung up, while it waited only
-- this is left: nobody waits on its semaphore any more. Who waits for a job that
-- is done has not been told: the bell could not be rung.
local function take_gone()
  local gone = {}
  for id, sleeper in pairs(waiting) do
    if sleeper.sem:count() >= 0 then
      gone[#gone + 1] = sleeper
      waiting[id] = nil
    elseif sleeper.job:done() then
      waiting[id] = nil
      sleeper.sem:post(1)
    end
  end
  return gone
end

local done = {}

local function wake_done()
  local left = take_left_over()
  wakes = wakes + 1
  for i = 1, core.thread_take(done) do
    local id = done[i]
    local sleeper = waiting[id]
    if sleeper then
      waiting[id] = nil
      woken_count = woken_count + 1
      woken[woken_count], their_jobs[woken_count] = sleeper, sleeper.job
      sleeper.sem:post(1)
    end
  end
  if left then clean_up(left, 0) end
end

-- Those who were woken since the last round may not have run yet.
local function make_round()
  local left = wakes == wakes_seen and take_left_over()
  local gone = take_gone()
  wakes_seen = wakes
  if left then clean_up(left, 0) end
  clean_up(gone, limiter.LATE)
end

-- Until the worker is to exit, or the socket has been used for long enough.
local function make_rounds()
  local last = core.now() + RENEW
  repeat
    ngx.sleep(ROUND)
    pcall(make_round)
  until ngx.worker.exiting() or core.now() > last
  core.thread_hang_up()
end

-- ---- the bell ----

local function connect(path)
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, FOREVER)
  return socket:connect("unix:" .. path) and socket
end

local function hear(socket)
  repeat
    wake_done() -- the first time: what came before the bell was there
  until not socket:receive(1)
end

-- A timer that is late finds that its path is not the last one any more.
local function listen(premature, path)
  local tried, socket = pcall(connect, path)
  if not core.thread_connected(path) then return end
  if tried and socket and not premature then
    local rounds = ngx.thread.spawn(make_rounds)
    listening = true
    pcall(hear, socket)
    listening = false
    ngx.thread.kill(rounds)
  end
  core.thread_hang_up()
  wake_all()
end

--- Has nginx run a function, soon and outside of any request. It raises where no
--- connection is free for that.
---@return boolean granted  true: it may run; whether it does is never sure
function _M.start_timer(action, ...)
  local called, granted = pcall(ngx.timer.at, 0, action, ...)
  return called and granted ~= nil
end

-- Another Lua state of this worker may have the bell, or there may be no folder
-- for its socket.
local function try_to_listen()
  local now = core.now()
  if now < next_try or ngx.worker.exiting() then return end
  next_try = now + RETRY
  local path = core.thread_channel()
  if path and not _M.start_timer(listen, path) then
    core.thread_hang_up()
  end
end

-- ---- a caller ----

local function take_sleeper()
  local sleeper = pool[pooled]
  if not sleeper then
    local sem = semaphore.new(0)
    return sem and { sem = sem, job = false, slot = false }
  end
  pool[pooled] = nil
  pooled = pooled - 1
  return sleeper
end

-- Waits to be woken.
local function sleep_until_rung(job, seconds, slot)
  local id, sleeper = job:id(), take_sleeper()
  if not sleeper then
    return ngx.sleep(0.001) -- there is no memory now
  end
  sleeper.job, sleeper.slot = job, slot or false
  waiting[id] = sleeper
  local rung = sleeper.sem:wait(seconds)
  sleeper.job, sleeper.slot = false, false
  if rung and pooled < POOL then -- nothing can be posted to it any more
    pooled = pooled + 1
    pool[pooled] = sleeper
  end
  waiting[id] = nil
end

-- Looks until there is a bell; less often, the longer it takes.
local function look(job, last)
  local started = core.now()
  local now = started
  while not listening and not job:done() and now < last do
    ngx.sleep(math.max(0.001, math.min(0.01, (now - started) / 20)))
    now = core.now()
  end
end

local function wait_for(job, last, slot)
  local now = core.now()
  if not listening then
    try_to_listen()
  end
  -- What is done already may have been rung for before anybody waited.
  while not job:done() and now < last do
    if listening then
      sleep_until_rung(job, last - now, slot)
    else
      look(job, last)
    end
    now = core.now()
  end
  return job:done()
end

local LATE = "the thread that makes requests has not come to this one in time"

-- As core.read, while the worker goes on.
local function read(client, want, path, query, deadline, amounts, clock_offset,
    monotonic, pair, slot)
  local job, failure = core.thread_start(client, want, path, query, deadline,
    amounts, clock_offset, monotonic, pair)
  if not job then
    return nil, failure
  end
  if not wait_for(job, deadline + MARGIN, slot) then
    job:drop()
    return nil, { kind = "timeout", code = "busy", message = LATE }, nil,
      deadline -- it may have been sent until then
  end
  return job:finish()
end

-- ---- where that is possible ----

local waiter = { sleep = ngx.sleep, read = read }

local function refuse(code, where)
  return nil, {
    kind = "phase", code = code,
    message = ("nginx cannot wait %s; make the call from a timer: "
      .. "ngx.timer.at(0, function() ... end)"):format(where),
  }
end

--- How to wait where this is called; it must be asked for again for each call.
---@return bitfront.Waiter? waiter
---@return { kind: "phase", code: string, message: string }? failure
function _M.waiter()
  local phase = ngx.get_phase()
  local patch = PATCHES[phase]
  if not YIELDING[phase] or patch and not core.has_symbol(patch) then
    return refuse(phase, ("in the phase %s"):format(phase))
  elseif core.yieldable() == false then
    return refuse("c_call", ("across a C call, such as table.sort, "
      .. "string.gsub or require, in the phase %s"):format(phase))
  end
  return waiter
end

return _M
