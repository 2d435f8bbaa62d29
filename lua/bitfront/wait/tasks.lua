-- Several jobs at once in one process without threads: each is a coroutine that
-- yields where it has to wait, and all of them use the one engine.

local native = require "bitfront.native"
local wait = require "bitfront.wait"

local _M = {}

-- What a task yields: this mark, and the exchange it waits for, or the time.
-- Without the mark it is a user's function that yields, to a scheduler.
local OURS = {}

local waiter = wait.new(function(seconds)
  coroutine.yield(OURS, nil, native.now() + seconds)
end, function(exchange)
  coroutine.yield(OURS, exchange)
end)

local function is_ready(task, now)
  if task.exchange then return task.exchange:done() end
  return task.due <= now
end

local function is_in_coroutine()
  local running, is_main = coroutine.running()
  return running ~= nil and not is_main
end

local resume

-- Notes what a task yielded; whether the task has ended.
local function note(task, raised, ok, ...)
  local mark, exchange, due = ...
  if not ok then
    raised(task.job, mark)
  elseif mark == OURS then
    task.exchange, task.due = exchange, due
  elseif coroutine.status(task.thread) == "dead" then
    return true
  elseif is_in_coroutine() then
    return resume(task, raised, coroutine.yield(...))
  else
    ok = false
    raised(task.job, "a function that was given yields where there is no scheduler")
  end
  return not ok
end

-- Runs a task until it waits or ends; whether it has ended.
function resume(task, raised, ...)
  return note(task, raised, coroutine.resume(task.thread, ...))
end

-- Until something may have become ready.
local function idle(tasks, sleep, begun)
  local now, left, exchanges = native.now(), math.huge, false
  for _, task in ipairs(tasks) do
    exchanges = exchanges or task.exchange
    left = math.min(left, math.max(0, (task.due or math.huge) - now))
  end
  if sleep then
    if exchanges then
      native.step(0)
      left = math.min(left, wait.poll_interval(now - begun))
    end
    sleep(left)
  elseif exchanges then
    native.step(math.min(left, 60))
  else
    wait.block(left)
  end
end

-- Resumes each that is ready; those that have ended leave the list.
local function resume_ready(tasks, raised)
  local now, kept, progress = native.now(), 0, false
  for i = 1, #tasks do
    local task, ended = tasks[i], false
    if is_ready(task, now) then
      progress, ended = true, resume(task, raised)
    end
    tasks[i] = nil
    if not ended then
      kept = kept + 1
      tasks[kept] = task
    end
  end
  return progress
end

--- Does job(1, waiter) to job(count, waiter), up to `concurrency` at a time.
---@param sleep? fun(seconds: number)  of a scheduler; without one, this blocks
---@param job fun(i: integer, waiter: bitfront.Waiter)
---@param raised fun(i: integer, message: any)  called where a job raises
function _M.run(count, concurrency, sleep, job, raised)
  local tasks, begun, progress_at = {}, 0, native.now()
  while begun < count or tasks[1] do
    while begun < count and #tasks < concurrency do
      begun = begun + 1
      local task = { job = begun, thread = coroutine.create(job) }
      if not resume(task, raised, begun, waiter) then tasks[#tasks + 1] = task end
    end
    if resume_ready(tasks, raised) then
      progress_at = native.now()
    elseif tasks[1] then
      idle(tasks, sleep, progress_at)
    end
  end
end

return _M
