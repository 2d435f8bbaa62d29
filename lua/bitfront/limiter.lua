-- Slots: no more calls of one key than the exchange permits. A store counts the
-- calls (limiter/*.lua). Here callers wait for a slot, in order of arrival, and
-- are refused at once where theirs would come after the deadline.

local native = require "bitfront.native"

local _M = {}

--- Where the calls of all who share a limit are counted. Each operation returns
--- nil and the cause where the store cannot be asked. Times are in ms.
---@class bitfront.Store
---@field acquire fun(self, key: string, lease: number, per_second: integer, per_minute: integer): number?, any  0 and the slot's id; or ms until there may be room, and no sooner
---@field release fun(self, key: string, id: any, grace: number?): any  the slot's call has ended `grace` ms from now; nil: nothing was sent, and nothing counts
---@field block fun(self, key: string, ms: number): any  there is no room for so long
---@field peek fun(self, key: string): integer?, any, number  calls that count in the second and in the minute, ms for which it is full whatever they are
---@field full_hint? string  for people: why there may be no room for long

--- The server may read a request for so long after nobody waits for its answer any
--- more. On a connection that it has closed it reads nothing.
_M.UNANSWERED_GRACE_MS = 5000

local SHORTEST_SLEEP = 0.001 -- s between two tries
local KILLED_AFTER = 1 -- s: a caller that is so late for its next try was killed

local ID_RANGE = 2 ^ 53

--- The id of a slot, which no other process gives to one of its own. Raises where
--- there are no random numbers.
---@return string id  of digits, whatever Lua and the locale make of a number
function _M.new_id()
  local drawn = native.random() or error("there are no random numbers", 0)
  return ("%.0f"):format(drawn * ID_RANGE)
end

local process_store

--- The store of this process.
---@return bitfront.Store
function _M.process_store()
  process_store = process_store or require "bitfront.limiter.memory".new()
  return process_store
end

--- How many calls one key may make, and where they are counted.
---@class bitfront.Limit
---@field store bitfront.Store
---@field key string
---@field per_second integer
---@field per_minute integer

---@class bitfront.Slot
---@field limit bitfront.Limit
---@field id any
---@field expires_at number  s, on native.now's clock: nothing may be sent after that
---@field cancelled? fun(): table?  why nobody waits for it any more, as an error

-- The callers who wait for a slot, in order of arrival, by store and key. A
-- caller is { due = when it tries next }; the queue's `due` is when the first
-- one may get a slot. Times in s, on native.now's clock.
local queues = setmetatable({}, { __mode = "k" })

local function queue_of(limit)
  local by_key = queues[limit.store]
  return by_key and by_key[limit.key]
end

local function set_queue(limit, queue)
  local by_key = queues[limit.store] or {}
  queues[limit.store], by_key[limit.key] = by_key, queue
  return queue
end

local function store_error(cause)
  return {
    kind = "rate_limit", code = "store",
    message = "the limiter's store cannot be used: " .. tostring(cause),
  }
end

local function full_error(limit, wait)
  local hint = wait > 30 and limit.store.full_hint
  return {
    kind = "rate_limit", code = "limit", retry_after = wait,
    message = ("%d calls a second and %d a minute leave no room before the "
      .. "deadline%s"):format(limit.per_second, limit.per_minute, hint and "; " .. hint or ""),
  }
end

-- An operation of a store may raise: it may be the user's own.
local function ask(limit, operation, ...)
  return pcall(limit.store[operation], limit.store, limit.key, ...)
end

-- Seconds until there may be a slot; or 0 and the slot's id; or nil and the error.
local function ask_for_slot(limit, lease)
  local store = limit.store
  local done, wait, id = pcall(store.acquire, store, limit.key,
    lease * 1000 + _M.UNANSWERED_GRACE_MS, limit.per_second, limit.per_minute)
  if not done or type(wait) ~= "number" or wait ~= wait then
    return nil, store_error(done and id or wait)
  end
  return wait > 0 and wait / 1000 or 0, id
end

-- A slot; nil and the error; or nil, nil, and seconds until the next try. A slot
-- that comes after the deadline is given back. The lease ends the slot of a
-- process that dies as if its call had been given up at the last moment.
local function try(limit, deadline, longest, slot)
  local begun = native.now()
  local lease = deadline - begun
  if lease > longest then lease = longest end
  if lease <= 0 then return nil, full_error(limit, 0) end
  local wait, id = ask_for_slot(limit, lease)
  if not wait then return nil, id end
  local is_late = native.now() + wait >= deadline
  if wait == 0 and not is_late then
    slot.limit, slot.id, slot.expires_at = limit, id, begun + lease
    return slot
  elseif wait == 0 then
    ask(limit, "release", id)
  end
  if is_late then return nil, full_error(limit, wait) end
  return nil, nil, wait
end

-- The caller's index. Callers before it that were killed while they waited are
-- removed; a caller that was removed as killed and is not joins again.
local function index_of(queue, caller)
  local now = native.now()
  while queue[1] and queue[1] ~= caller and queue[1].due + KILLED_AFTER < now do
    table.remove(queue, 1)
  end
  for i, other in ipairs(queue) do
    if other == caller then return i end
  end
  caller.due, queue[#queue + 1] = now, caller
  return #queue
end

local function leave(limit, queue, caller)
  table.remove(queue, index_of(queue, caller))
  if not queue[1] and queue_of(limit) == queue then set_queue(limit, nil) end
end

-- As `try`. Only the first in the queue asks the store: one behind it gets no slot
-- sooner.
local function try_in_turn(limit, queue, caller, deadline, longest, slot)
  local before = index_of(queue, caller) - 1
  if before == 0 then
    local acquired, err, wait = try(limit, deadline, longest, slot)
    queue.due = wait and native.now() + wait or 0
    return acquired, err, wait
  end
  local now = native.now()
  local due = math.max(queue.due, now) + math.max(math.floor(before / limit.per_second),
    60 * math.floor(before / limit.per_minute))
  if due >= deadline then return nil, full_error(limit, due - now) end
  return nil, nil, queue.due - now
end

local function wait_in_queue(limit, waiter, deadline, longest, slot)
  local queue = queue_of(limit) or set_queue(limit, { due = 0 })
  local caller = {}
  local acquired, err, wait
  repeat
    acquired, err, wait = try_in_turn(limit, queue, caller, deadline, longest, slot)
    if not (acquired or err) then
      wait = math.max(wait, SHORTEST_SLEEP)
      caller.due = native.now() + wait
      waiter.sleep(wait)
      err = slot.cancelled and slot.cancelled()
    end
  until acquired or err
  leave(limit, queue, caller)
  return acquired, err
end

--- Waits for a slot. Where there is none before the deadline, nothing is spent and
--- the error comes at once.
---@param deadline number  s, on native.now's clock
---@param longest number  s from getting the slot in which its call is over
---@param slot? bitfront.Slot  a table to use for the slot
---@return bitfront.Slot?
---@return table? err
function _M.acquire(limit, waiter, deadline, longest, slot)
  slot = slot or {}
  if not queue_of(limit) then
    local acquired, err, wait = try(limit, deadline, longest, slot)
    if not wait then return acquired, err end
  end
  return wait_in_queue(limit, waiter, deadline, longest, slot)
end

--- The slot's call has ended: it counts until a second (a minute) after. Where
--- the store cannot be asked, it counts as one whose process died.
---@param grace_ms number?  by which the server may read the call later than now; nil: nothing was sent
function _M.release(slot, grace_ms)
  local limit = slot.limit
  pcall(limit.store.release, limit.store, limit.key, slot.id, grace_ms)
end

local LONGEST_BLOCK = 60 -- s: the longer window is over then, whatever a server says

--- The exchange said that there is no room.
function _M.block(limit, seconds)
  ask(limit, "block", math.min(seconds, LONGEST_BLOCK) * 1000)
end

---@return integer? in_second  calls that count
---@return integer|any in_minute  or why the store cannot be asked
---@return number? full_ms  for which there is no room whatever the counts are
function _M.peek(limit)
  local done, in_second, in_minute, full_ms = ask(limit, "peek")
  local is_right = done and type(in_second) == "number" and type(in_minute) == "number"
    and type(full_ms) == "number"
  if is_right then return in_second, in_minute, full_ms end
  return nil, done and in_minute or in_second
end

return _M
