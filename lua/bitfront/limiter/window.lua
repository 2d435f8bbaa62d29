-- The arithmetic of the exchange's limits: 3 calls in any second and 60 in any
-- minute, of one key. A call counts until 1 s (60 s) after it ended, so that
-- wherever between sending and reply the server saw it, it sees no more than
-- that. Knows no store and no clock; times are in ms. The same text runs here
-- and, sent by redis.lua, inside Redis: it has to be plain Lua 5.1.

local _M = {}

_M.SECOND, _M.MINUTE = 1000, 60000

-- No call is under way for longer: a minute (client.lua), and what may still
-- arrive after it (limiter.lua).
local LONGEST_LEASE = 65000

--- A key of which no call is known.
---@class bitfront.Window
---@field full number  until when there is no room whatever the counts say
---@field ended number[]  when calls ended, in that order, from index `first` to `last`
---@field flying table<string, number>  calls under way, and when each is over at the latest
---@field count integer  of those
function _M.new()
  return { full = 0, ended = {}, first = 1, last = 0, flying = {}, count = 0 }
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

local function note_landing(state, id)
  if state.flying[id] then
    state.flying[id] = nil
    state.count = state.count - 1
  end
end

-- Where the clock was set back, what it had said before is not far in the future.
-- A call under way whose process is dead leaves room after a minute.
local function return_to(state, now)
  for id, over in pairs(state.flying) do
    if over > now + LONGEST_LEASE then
      state.flying[id] = now + _M.MINUTE - _M.SECOND
    end
  end
  local i = state.last
  while i >= state.first and state.ended[i] > now + _M.MINUTE do
    state.ended[i] = now + _M.MINUTE
    i = i - 1
  end
  state.full = math.min(state.full, now + _M.MINUTE)
end

-- A call of which nothing was heard, its process being dead, was over when it
-- had to be. What ended more than a minute ago is forgotten.
local function settle(state, now)
  return_to(state, now)
  for id, over in pairs(state.flying) do
    if over <= now then
      note_landing(state, id)
      note_end(state, over)
    end
  end
  while state.first <= state.last
    and state.ended[state.first] + _M.MINUTE <= now do
    state.ended[state.first] = nil
    state.first = state.first + 1
  end
end

-- ms until there may be room for one more call in a window: by then all but
-- limit - 1 of those in it have left. One under way leaves it a whole window
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
  settle(state, now)
  local wait = math.max(state.full - now,
    wait_for(state, now, _M.SECOND, per_second),
    wait_for(state, now, _M.MINUTE, per_minute))
  if wait > 0 then return wait end
  state.flying[id] = now + math.min(lease, LONGEST_LEASE)
  state.count = state.count + 1
  return 0
end

--- The slot's call has ended `grace` ms from now. One that is not known here
--- was taken before the state was lost, or outlived its lease: it counts. Without
--- `grace` nothing was sent, and nothing counts.
function _M.release(state, now, id, grace)
  note_landing(state, id)
  if grace then note_end(state, now + grace) end
end

--- Leaves no room for `ms` from now.
function _M.fill(state, now, ms)
  state.full = math.max(state.full, now + ms)
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
  settle(state, now)
  return count_since(state, now - _M.SECOND), count_since(state, now - _M.MINUTE),
    math.max(0, state.full - now)
end

--- Whether there is nothing in it worth keeping.
function _M.is_idle(state, now)
  settle(state, now)
  return state.count == 0 and state.first > state.last and state.full <= now
end

-- Rounded up: never sooner than it was.
local function digits(time)
  return string.format("%.0f", math.ceil(time))
end

--- The state as a text; an id in it must be letters and digits.
function _M.pack(state)
  local words = { digits(state.full) }
  for i = state.first, state.last do
    words[#words + 1] = digits(state.ended[i])
  end
  for id, over in pairs(state.flying) do
    words[#words + 1] = id .. "=" .. digits(over)
  end
  return table.concat(words, " ")
end

function _M.unpack(text)
  local state = _M.new()
  for word in string.gmatch(text, "%S+") do
    local id, over = string.match(word, "^(%w+)=(%d+)$")
    if id then
      state.flying[id] = tonumber(over)
      state.count = state.count + 1
    else
      state.last = state.last + 1
      state.ended[state.last] = tonumber(word)
    end
  end
  state.full, state.first = state.ended[1], 2
  state.ended[1] = nil
  return state
end

return _M
