-- What is known of an exchange's clock. Each reply tells its time, refusals
-- too. It is held against the monotonic clock, so that setting this machine's
-- clock changes nothing.

local native = require "bitfront.native"

local _M = {}

local KEPT = 8 -- samples
local DRIFT = 0.2 -- ms by which two clocks may part in a second
local WIDE = 250 -- ms; a longer way is mostly the server's own work
local LATEST = 253402300799999 -- ms; the end of the year 9999

---@class bitfront.Clock
---@field is_fixed? true  it learns nothing
---@field samples table[]  { offset =, middle =, half =, at = }: ms ahead of the monotonic clock, the same if the time was read half way, half the round trip in ms, when
---@field best table?
local Clock = {}
Clock.__index = Clock

-- By how much a sample may be wrong, in ms.
local function doubt(sample, now)
  return sample.half + (now - sample.at) * DRIFT
end

-- What we go by: the best sample, or else this machine's clock.
local function present(self, now)
  return self.best or { offset = native.wall() - now * 1000, half = 0, at = now }
end

-- The middle of the round trip is as far from both ends as can be.
local function contradicts(sample, held, now)
  local apart = math.abs(sample.middle - held.offset)
  return apart > sample.half + doubt(held, now) + 1 -- its time is in whole ms
end

local function find_best(samples, now)
  local best, least = nil, math.huge
  for i = 1, #samples do
    local doubted = doubt(samples[i], now)
    if doubted < least then best, least = samples[i], doubted end
  end
  return best
end

-- ---- workers of an nginx that share what they know ----

local PREFIX = "bitfront:clock:"
local LIFE = 30 * 86400 -- s

local function publish(self)
  local best = self.best
  self.seen = ("%.0f %.0f %.0f"):format(best.offset, best.half, best.at * 1000)
  self.dict:safe_set(self.name, self.seen, LIFE)
end

-- What another worker has found out since, by the same monotonic clock.
local function adopt(self)
  local text = self.dict:get(self.name)
  if not text or text == self.seen then return end
  local offset, half, at = text:match "^(%-?%d+) (%d+) (%d+)$"
  if not offset then return end
  local sample = { offset = tonumber(offset), half = tonumber(half), at = at / 1000 }
  self.samples, self.best, self.seen = { sample }, sample, text
end

-- ---- samples ----

local function start_over(self, sample)
  self.samples, self.best = { sample }, sample
end

local function add(self, sample, now)
  local samples = self.samples
  samples[#samples + 1] = sample
  if #samples > KEPT then table.remove(samples, 1) end
  self.best = find_best(samples, now)
end

-- The server read its clock between our sending and its reply: half way, if both
-- ways took as long. A long time between is mostly its own work, which it did
-- before it said what time it is.
local function sample_of(response_time, sent, round_trip)
  local half = round_trip * 500
  local received = (sent + round_trip) * 1000
  return {
    offset = response_time - received + math.min(half, WIDE),
    middle = response_time - received + half, half = half, at = sent,
  }
end

-- A request may have been refused because it was long on its way, by what is
-- still right: that is given up only after a second refusal.
local function overrules(self, sample, now)
  self.refusals = self.refusals + 1
  return not self.best or self.refusals > 1 or contradicts(sample, self.best, now)
    or sample.half <= self.best.half
end

--- Takes in what a reply tells. One that took its time tells little, and is heard
--- only where it contradicts what is known.
---@param response_time integer  ms
---@param sent number  s, on native.now's clock
---@param round_trip number  s
---@param refused boolean?  for its time: then what is known is wrong
function Clock:learn(response_time, sent, round_trip, refused)
  if response_time <= 0 or response_time > LATEST then
    if refused then self:forget() end
    return
  end
  local now, before = native.now(), self.best
  local sample = sample_of(response_time, sent, round_trip)
  if refused then
    if overrules(self, sample, now) then start_over(self, sample) end
  elseif contradicts(sample, present(self, now), now) then
    start_over(self, sample)
  elseif sample.half <= WIDE then
    add(self, sample, now)
  end
  if not refused then self.refusals = 0 end
  if self.dict and self.best ~= before then publish(self) end
end

--- A call was refused for its time by a reply that does not tell a better one:
--- what is known is forgotten, and the next one goes by this machine's clock.
function Clock:forget()
  self.samples, self.best, self.refusals = {}, nil, 0
  if self.dict then
    self.dict:delete(self.name)
    self.seen = nil
  end
end

--- What to add to which clock so that a request bears the server's time at the
--- moment of its arrival.
---@return integer offset  ms
---@return boolean monotonic  to native.now's clock; else to the wall's
function Clock:aim()
  if self.dict then adopt(self) end
  local best = self.best
  if not best then return 0, false end
  return math.floor(best.offset + math.min(best.half, WIDE) + 0.5), true
end

--- From now on what is known is shared with the other workers of this nginx.
---@param dict table  a lua_shared_dict
function Clock:share(dict)
  self.dict = dict
end

local clocks = setmetatable({}, { __mode = "v" })

--- The clock of the exchange at an address: one for all clients that ask there.
---@param base_url string
---@return bitfront.Clock
function _M.of(base_url)
  local clock = clocks[base_url]
  if not clock then
    clock = setmetatable({ samples = {}, refusals = 0, name = PREFIX .. base_url }, Clock)
    clocks[base_url] = clock
  end
  return clock
end

local Fixed = { is_fixed = true }
Fixed.__index = Fixed

function Fixed.learn() end
function Fixed.forget() end
function Fixed.share() end

function Fixed:aim()
  return self.offset, false
end

--- A clock that is as far from this machine's as it is told, and learns nothing.
---@param offset integer  ms
---@return bitfront.Clock
function _M.fixed(offset)
  return setmetatable({ offset = offset }, Fixed)
end

return _M
