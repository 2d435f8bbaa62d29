-- Calls of many keys by chance, for two windows that must give the same results.

local new_random = require "spec.support.new_random"

local _M = {}

-- Chances of each operation; what is left are releases.
local ACQUIRE, BLOCK, PEEK, IS_IDLE = 0.45, 0.02, 0.06, 0.05

-- Mostly some ms pass, or none; seldom as much as a window has, or a clock that
-- was set.
local function pass_time(random, now)
  local chance = random()
  if chance < 0.8 then return now + random() ^ 8 * 4000 end
  if chance < 0.9 then return now end
  if chance < 0.95 then return math.floor(now) + 1000 end
  if chance < 0.98 then return now + random() * 3000 end
  if chance < 0.985 then return now + 60000 end
  if chance < 0.995 then return now + random() * 200000 end
  return now - random() ^ 3 * 400000
end

local function new_key(random)
  local function limit() return 1 + math.floor(random() ^ 3 * 120) end
  return { in_flight = {}, per_second = limit(), per_minute = limit(), limit = limit }
end

-- Now and then another client of the key has other limits.
local function acquire(random, key, id)
  local lease = random() < 0.9 and random() * 9000 or random() * 80000 - 500
  local other = random() < 0.05
  return "acquire", id, lease, other and key.limit() or key.per_second,
    other and key.limit() or key.per_minute
end

-- Of a call in flight, also of one whose lease is over; or of one that is not
-- known. Some are never ended: their process is dead.
local function release(random, key, id)
  local in_flight = key.in_flight
  local n = #in_flight
  local i = 1 + math.floor(random() * n)
  local ended = in_flight[i] or id
  in_flight[i], in_flight[n] = in_flight[n], nil
  if random() < 0.05 then return nil end
  local chance = random()
  return "release", ended,
    chance < 0.5 and 0 or chance < 0.9 and math.floor(random() * 5001) + random() or nil
end

local function operation(random, key, id)
  local chance = random()
  if chance < ACQUIRE then return acquire(random, key, id) end
  if chance < ACQUIRE + BLOCK then return "block", random() ^ 3 * 60000 end
  if chance < ACQUIRE + BLOCK + PEEK then return "peek" end
  if chance < ACQUIRE + BLOCK + PEEK + IS_IDLE then return "is_idle" end
  return release(random, key, id)
end

-- To the next multiple of `unit`, so that times are often equal.
local function rounder(unit)
  return function(value)
    return value and unit and math.ceil(value / unit) * unit or value
  end
end

---Calls `apply(key, now, operation, ...)` for that many steps; `...` are id,
---lease, per_second, per_minute of an acquire; id and grace of a release; ms of
---a block. It returns what the operation did.
---@param options { seed: integer, steps: integer, keys: integer, unit?: integer }  unit: of all times, in ms
function _M.run(options, apply)
  local random, round = new_random(options.seed), rounder(options.unit)
  local now, keys = 1e9 + random(), {}
  for i = 1, options.keys do keys[i] = new_key(random) end
  for step = 1, options.steps do
    now = round(pass_time(random, now))
    local index = 1 + math.floor(random() * options.keys)
    local key = keys[index]
    local name, a, b, c, d = operation(random, key, step)
    if name == "block" then a = round(a) end
    if name then
      local result = apply(index, now, name, a, round(b), c, d)
      if name == "acquire" and result == 0 then key.in_flight[#key.in_flight + 1] = step end
    end
  end
end

return _M
