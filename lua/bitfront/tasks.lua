-- Several jobs at once in one process without threads: each is a coroutine
-- that gives way where it has to wait, all of them over the one engine.

local native = require "bitfront.native"
local wait = require "bitfront.wait"

local _M = {}

-- What a task gives way with: the transfer it waits for, or the time.
local waiter = {
  sleep = function(seconds)
    coroutine.yield(nil, native.now() + seconds)
  end,
  read = function(...)
    local transfer, failure = native.start(...)
    if not transfer then return nil, failure end
    coroutine.yield(transfer)
    return transfer:finish()
  end,
}

---@class bitfront.Task
---@field job integer
---@field thread thread
---@field transfer? userdata
---@field due? number

local function is_ready(task, now)
  if task.transfer then return task.transfer:done() end
  return task.due <= now
end

-- Runs a task until it waits or ends; whether it has ended.
local function resume(task, raised, ...)
  local ok, transfer, due = coroutine.resume(task.thread, ...)
  if not ok then raised(task.job, transfer) end
  task.transfer, task.due = transfer, due
  return coroutine.status(task.thread) == "dead"
end

-- Until something may have become ready.
local function idle(tasks, sleep, begun)
  local now, next_due, transfers = native.now(), math.huge, false
  for _, task in ipairs(tasks) do
    if task.transfer then transfers = true end
    if task.due then next_due = math.min(next_due, task.due) end
  end
  local left = math.max(0, next_due - now)
  if sleep then
    if transfers then native.step(0) end
    sleep(math.min(left, wait.nap(now - begun)))
  elseif transfers then
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
---@param count integer
---@param concurrency integer
---@param sleep? fun(seconds: number)  of a scheduler; without one, this blocks
---@param job fun(i: integer, waiter: bitfront.Waiter)
---@param raised fun(i: integer, message: any)  told where a job raises
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
