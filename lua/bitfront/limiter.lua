-- Slots: no more calls of one key than the exchange permits. The counting is
-- the store's (limiter/*.lua); here callers wait for their turn, in order of
-- arrival, and learn at once when it would come too late.

local native = require "bitfront.native"

local _M = {}

--- Where the calls of all who share a limit are counted. Each operation returns
--- nil and the cause where the store cannot be asked. Times are in ms.
---@class bitfront.Store
---@field acquire fun(self, key: string, lease: number, per_second: integer, per_minute: integer): number?, any  0 and the slot's id; or ms until there may be room, and no sooner
---@field release fun(self, key: string, id: any, grace: number?): any  the slot's call has ended `grace` ms from now; nil: nothing was sent, and nothing counts
---@field fill fun(self, key: string, ms: number): any  there is no room for so long
---@field peek fun(self, key: string): integer?, any, number  calls that count in the second and in the minute, ms for which it is full whatever they are

-- What was sent and not answered may be read by the server when nobody waits for
-- it any more. On a connection that it has closed it reads nothing.
_M.LATE = 5000 -- ms

local SHORTEST = 0.001 -- s between two looks
local PATIENCE = 1 -- s after which a caller who does not look is gone

--- In whose name a client's calls are counted: its API key's SHA-256, or, where it
--- has none, the exchange's.
---@param client userdata  its C side, or the credentials of one call
---@param base_url string
---@return string key
---@return boolean has_key
function _M.key_of(client, base_url)
  local id = client:key_id()
  return id or "anonymous:" .. base_url, id ~= nil
end

local process_store

--- The store of this process.
---@return bitfront.Store
function _M.process_store()
  process_store = process_store or require "bitfront.limiter.memory".new()
  return process_store
end

-- Callers who wait, by store and key.
local queues = setmetatable({}, { __mode = "k" })

local function queue_of(store, key)
  local by_key = queues[store]
  if not by_key then
    by_key = {}
    queues[store] = by_key
  end
  by_key[key] = by_key[key] or { due = 0 }
  return by_key[key]
end

local function forget_queue(gate)
  queues[gate.store][gate.key] = nil
end

--- What a client's calls pass.
---@class bitfront.Gate
---@field store bitfront.Store
---@field key string
---@field per_second integer
---@field per_minute integer

---@class bitfront.Slot
---@field gate bitfront.Gate
---@field id any
---@field over number  s, on native.now's clock: nothing may be sent after that

local function broken(cause)
  return {
    kind = "rate_limit", code = "store",
    message = "the limiter's store cannot be used: " .. tostring(cause),
  }
end

local NEW = "; a store that is new, or has lost what it knew, counts as full for a "
  .. "minute"

local function full(gate, wait)
  local may_be_new = wait > 30 and gate.store ~= process_store
  return {
    kind = "rate_limit", code = "limit", retry_after = wait,
    message = ("%d calls a second and %d a minute leave no room before the "
      .. "deadline%s"):format(gate.per_second, gate.per_minute, may_be_new and NEW or ""),
  }
end

-- A slot; nil and the failure; or nil, nil, and seconds until the next try. A
-- slot that took so long to get that the deadline is over is given back. One whose
-- process dies counts as if its call had been given up at the last moment. Each
-- operation of a store is called by pcall: it may be the user's own.
local function try(gate, deadline, longest, slot)
  local begun, store = native.now(), gate.store
  local lease = deadline - begun
  if lease <= 0 then return nil, full(gate, 0) end
  if lease > longest then lease = longest end
  local done, wait, id = pcall(store.acquire, store, gate.key, lease * 1000 + _M.LATE,
    gate.per_second, gate.per_minute)
  local late = native.now() >= deadline
  if not done or type(wait) ~= "number" or wait ~= wait then
    return nil, broken(done and id or wait)
  elseif wait <= 0 and not late then
    slot.gate, slot.id, slot.over = gate, id, begun + lease
    return slot
  elseif wait <= 0 then
    pcall(store.release, store, gate.key, id)
  end
  wait = math.max(wait, 0) / 1000
  if native.now() + wait >= deadline then return nil, full(gate, wait) end
  return nil, nil, wait
end

-- The place in the queue, past those who are not there any more: one that was
-- killed while it waited does not come back to look.
local function place_of(queue, ticket)
  local now = native.now()
  while queue[1] ~= ticket and queue[1].due + PATIENCE < now do
    table.remove(queue, 1).gone = true
  end
  for i, other in ipairs(queue) do
    if other == ticket then return i end
  end
end

local function join(queue)
  local ticket = { due = native.now() }
  queue[#queue + 1] = ticket
  return ticket
end

local function leave(gate, queue, ticket)
  for i, other in ipairs(queue) do
    if other == ticket then
      table.remove(queue, i)
      break
    end
  end
  if not queue[1] and queues[gate.store][gate.key] == queue then
    forget_queue(gate)
  end
end

-- One look of a waiting caller: as `try`. Only the first in the queue asks the
-- store; one behind can reckon that it is not sooner than those before it.
local function look(gate, queue, ticket, deadline, longest, slot)
  local place = place_of(queue, ticket)
  if place == 1 then
    local taken, failure, wait = try(gate, deadline, longest, slot)
    queue.due = wait and native.now() + wait or 0
    return taken, failure, wait
  end
  local now = native.now()
  local due = math.max(queue.due, now) + math.max(math.floor((place - 1) / gate.per_second),
    60 * math.floor((place - 1) / gate.per_minute))
  if due >= deadline then return nil, full(gate, due - now) end
  return nil, nil, queue.due - now
end

local function wait_in_line(gate, waiter, deadline, longest, slot)
  local queue = queue_of(gate.store, gate.key)
  local ticket = join(queue)
  while true do
    if ticket.gone then ticket = join(queue) end
    local taken, failure, wait = look(gate, queue, ticket, deadline, longest, slot)
    if taken or failure then
      leave(gate, queue, ticket)
      return taken, failure
    end
    wait = math.max(wait, SHORTEST)
    ticket.due = native.now() + wait
    waiter.sleep(wait)
  end
end

--- Waits for a slot. Nothing is spent where there is none before the deadline,
--- which is told at once.
---@param gate bitfront.Gate
---@param waiter bitfront.Waiter
---@param deadline number  s, on native.now's clock
---@param longest number  s from getting the slot in which its call is over
---@param slot? bitfront.Slot  a table to use for the slot
---@return bitfront.Slot?
---@return table? failure
function _M.acquire(gate, waiter, deadline, longest, slot)
  local waiting = queues[gate.store]
  slot = slot or {}
  if not (waiting and waiting[gate.key]) then
    local taken, failure, wait = try(gate, deadline, longest, slot)
    if taken or failure or not wait then return taken, failure end
  end
  return wait_in_line(gate, waiter, deadline, longest, slot)
end

--- The slot's call has ended: it counts until a second (a minute) after. Where
--- the store cannot be told, it counts as one whose process died.
---@param slot bitfront.Slot
---@param grace number?  ms by which the server may see the call later than now; nil: it will not, nothing was sent
function _M.release(slot, grace)
  local gate = slot.gate
  pcall(gate.store.release, gate.store, gate.key, slot.id, grace)
end

local LONGEST_FULL = 60 -- s: the longer window is over then, whatever it is told

--- The exchange said that there is no room.
---@param gate bitfront.Gate
---@param seconds number
function _M.fill(gate, seconds)
  pcall(gate.store.fill, gate.store, gate.key, math.min(seconds, LONGEST_FULL) * 1000)
end

---@param gate bitfront.Gate
---@return integer? in_second  calls that count
---@return integer|any in_minute  or why the store cannot be asked
function _M.peek(gate)
  local done, in_second, in_minute, full_for = pcall(gate.store.peek, gate.store, gate.key)
  if done then return in_second, in_minute, full_for end
  return nil, in_second
end

return _M
