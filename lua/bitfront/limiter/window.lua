-- The arithmetic of the exchange's limits: 3 calls in any second and 60 in any
-- minute, of one key. A call counts until 1 s (60 s) after it ended: whenever
-- between sending and reply the server counted it, the server counts no more than
-- that. Knows no store and no clock; times are in ms. The same text runs here
-- and, sent by redis.lua, inside Redis: it has to be plain Lua 5.1. The store of
-- a process has the same arithmetic in C, csrc/policy/window.c: what changes here
-- changes there.

local _M = {}

_M.SECOND, _M.MINUTE = 1000, 60000

-- No call is in flight for longer: an attempt takes a minute at the most, and the
-- server may read it UNANSWERED_GRACE_MS (limiter.lua) later.
local LONGEST_LEASE = 65000

-- For so long a call that is in flight now may still count.
_M.LONGEST_FULL = _M.MINUTE + LONGEST_LEASE

--- A key of which no call is known.
---@class bitfront.Window
---@field full_until number  until when there is no room whatever the counts say
---@field ended number[]  when calls ended, in that order, from index `first` to `last`
---@field in_flight table<string, number>  calls that have not ended, and when each has at the latest
---@field count integer  of those
function _M.new()
  return { full_until = 0, ended = {}, first = 1, last = 0, in_flight = {}, count = 0 }
end

local function note_end(state, time)
  local ended, i = state.ended, state.last
  while i >= state.first and ended[i] > time do
    ended[i + 1] = ended[i]
    i = i - 1
  end
  ended[i + 1] = time
  state.last = state.last + 1
end

local function remove_slot(state, id)
  if state.in_flight[id] then
    state.in_flight[id] = nil
    state.count = state.count - 1
  end
end

-- Where the clock was set back, what it had said before is not far in the future. For
-- how long a call has been in flight is not known then: it gets the longest lease again.
local function set_back(state, now)
  for id, expires_at in pairs(state.in_flight) do
    if expires_at > now + LONGEST_LEASE then
      state.in_flight[id] = now + LONGEST_LEASE
    end
  end
  local i = state.last
  while i >= state.first and state.ended[i] > now + _M.MINUTE do
    state.ended[i] = now + _M.MINUTE
    i = i - 1
  end
  state.full_until = math.min(state.full_until, now + _M.LONGEST_FULL)
end

-- Ends the calls whose lease is over: their process is dead. Forgets what ended
-- more than a minute ago.
local function update(state, now)
  set_back(state, now)
  for id, expires_at in pairs(state.in_flight) do
    if expires_at <= now then
      remove_slot(state, id)
      note_end(state, expires_at)
    end
  end
  while state.first <= state.last
    and state.ended[state.first] + _M.MINUTE <= now do
    state.ended[state.first] = nil
    state.first = state.first + 1
  end
end

-- ms until there may be room for one more call in a window: by then all but
-- limit - 1 of those in it have left. One in flight leaves it a whole window
-- from now at the earliest.
local function wait_for(state, now, window, limit)
  local room = limit - state.count
  if room <= 0 then return window end
  local leaving = state.last - room + 1
  return leaving >= state.first and state.ended[leaving] + window - now or 0
end

--- Takes a slot for a call that is over after `lease` ms at the latest.
---@return number wait  0: the slot is taken; else ms until there may be one, and no sooner
function _M.acquire(state, now, id, lease, per_second, per_minute)
  update(state, now)
  local wait = math.max(state.full_until - now,
    wait_for(state, now, _M.SECOND, per_second),
    wait_for(state, now, _M.MINUTE, per_minute))
  if wait > 0 then return wait end
  state.in_flight[id] = now + math.min(lease, LONGEST_LEASE)
  state.count = state.count + 1
  return 0
end

--- The slot's call has ended `grace` ms from now. One that is not known here
--- was taken before the state was lost, or outlived its lease: it counts. Without
--- `grace` nothing was sent, and nothing counts.
function _M.release(state, now, id, grace)
  remove_slot(state, id)
  if grace then note_end(state, now + grace) end
end

--- Leaves no room for `ms` from now.
function _M.block(state, now, ms)
  state.full_until = math.max(state.full_until, now + ms)
end

local function count_since(state, time)
  local count, i = state.count, state.last
  while i >= state.first and state.ended[i] > time do
    count, i = count + 1, i - 1
  end
  return count
end

---@return integer in_second, integer in_minute  calls that count
---@return number full  ms for which there is no room whatever the counts say
function _M.peek(state, now)
  update(state, now)
  return count_since(state, now - _M.SECOND), count_since(state, now - _M.MINUTE),
    math.max(0, state.full_until - now)
end

--- Whether there is nothing in it worth keeping.
function _M.is_idle(state, now)
  update(state, now)
  return state.count == 0 and state.first > state.last and state.full_until <= now
end

-- Rounded up: never sooner than it was.
local function digits(time)
  return string.format("%.0f", math.ceil(time))
end

--- The state as a text; an id in it must be letters and digits.
function _M.pack(state)
  local words = { digits(state.full_until) }
  for i = state.first, state.last do
    words[#words + 1] = digits(state.ended[i])
  end
  for id, expires_at in pairs(state.in_flight) do
    words[#words + 1] = id .. "=" .. digits(expires_at)
  end
  return table.concat(words, " ")
end

function _M.unpack(text)
  local state = _M.new()
  for word in string.gmatch(text, "%S+") do
    local id, expires_at = string.match(word, "^(%w+)=(%d+)$")
    if id then
      state.in_flight[id] = tonumber(expires_at)
      state.count = state.count + 1
    else
      state.last = state.last + 1
      state.ended[state.last] = tonumber(word)
    end
  end
  state.full_until, state.first = state.ended[1], 2
  state.ended[1] = nil
  return state
end

return _M
