-- The arithmetic of csrc/policy/server_clock.c in Lua, to compare it with.

local _M = {}

local KEPT = 8 -- samples
local DRIFT = 0.2 -- ms by which two clocks may part in a second
local WIDE = 250 -- ms; a longer way is mostly the server's own work
local LATEST = 253402300799999 -- ms; the end of the year 9999

local Clock = {}
Clock.__index = Clock

local function uncertainty(sample, now)
  return sample.half + (now - sample.at) * DRIFT
end

local function present(self, now, wall)
  return self.known or { offset = wall - now * 1000, half = 0, at = now }
end

local function contradicts(sample, held, now)
  local apart = math.abs(sample.middle - held.offset)
  return apart > sample.half + uncertainty(held, now) + 1
end

local function find_best(samples, now)
  local best, least = nil, math.huge
  for i = 1, #samples do
    local ms = uncertainty(samples[i], now)
    if ms < least then best, least = samples[i], ms end
  end
  return best
end

local function restart(self, sample)
  self.samples, self.known = { sample }, sample
end

local function add(self, sample, now)
  local samples = self.samples
  samples[#samples + 1] = sample
  if #samples > KEPT then table.remove(samples, 1) end
  self.known = find_best(samples, now)
end

local function sample_of(response_time, sent, round_trip)
  local half = round_trip * 500
  local received = (sent + round_trip) * 1000
  return {
    offset = response_time - received + math.min(half, WIDE),
    middle = response_time - received + half, half = half, at = sent,
  }
end

local function overrules(self, sample, now)
  self.refusals = self.refusals + 1
  return not self.known or self.refusals > 1 or contradicts(sample, self.known, now)
    or sample.half <= self.known.half
end

function Clock:learn(response_time, sent, round_trip, refused, now, wall)
  if response_time <= 0 or response_time > LATEST then
    if refused then self:forget() end
    return refused
  end
  local before = self.known
  local sample = sample_of(response_time, sent, round_trip)
  if refused then
    if overrules(self, sample, now) then restart(self, sample) end
  elseif contradicts(sample, present(self, now, wall), now) then
    restart(self, sample)
  elseif sample.half <= WIDE then
    add(self, sample, now)
  end
  if not refused then self.refusals = 0 end
  return self.known ~= before
end

function Clock:forget()
  self.samples, self.known, self.refusals = {}, nil, 0
end

function Clock:offset()
  local best = self.known
  if not best then return 0, false end
  return math.floor(best.offset + math.min(best.half, WIDE) + 0.5), true
end

function Clock:best()
  local best = self.known
  if best then return best.offset, best.half, best.at end
end

function Clock:adopt(offset, half, at)
  restart(self, { offset = offset, half = half, at = at })
  return true
end

---A clock of which nothing is known, with the methods of core.server_clock().
function _M.new()
  return setmetatable({ samples = {}, refusals = 0 }, Clock)
end

return _M
