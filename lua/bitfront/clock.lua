-- What is known of an exchange's clock: one for all clients that ask there, and,
-- where they share a dict, for all workers of an nginx. The arithmetic is C's
-- (csrc/policy/server_clock.c).

local native = require "bitfront.native"

local _M = {}

---@class bitfront.Clock
---@field is_fixed? true  it learns nothing
---@field known userdata  a server_clock of C's
---@field name string  of its entry in the dict
---@field dict? table
---@field entry? string  of the dict, that `known` is equal to or newer than
local Clock = {}
Clock.__index = Clock

-- ---- workers of an nginx that share what they know ----

local PREFIX = "bitfront:clock:"
local LIFE = 30 * 86400 -- s

local function publish(self)
  local offset, half, at = self.known:best()
  if offset then
    self.entry = ("%.0f %.0f %.0f"):format(offset, half, at * 1000)
    self.dict:safe_set(self.name, self.entry, LIFE)
  else
    self.dict:delete(self.name)
    self.entry = nil
  end
end

-- What another worker has learned since, by the same monotonic clock.
local function adopt(self)
  local text = self.dict:get(self.name)
  if not text or text == self.entry then return end
  local offset, half, at = text:match "^(%-?%d+) (%d+) (%d+)$"
  if offset and self.known:adopt(tonumber(offset), tonumber(half), at / 1000) then
    self.entry = text
  end
end

-- ---- what calls need ----

--- Learns from a reply.
---@param response_time integer  ms
---@param sent number  s, on native.now's clock
---@param round_trip number  s
---@param refused boolean?  for its time: then what is known is wrong
function Clock:learn(response_time, sent, round_trip, refused)
  local changed = self.known:learn(response_time, sent, round_trip, refused)
  if changed and self.dict then publish(self) end
end

--- A call was refused for its time by a reply that has none of its own: what is
--- known is forgotten, and the next call uses this machine's clock.
function Clock:forget()
  self.known:forget()
  if self.dict then publish(self) end
end

--- What to add to which clock so that a request bears the server's time at the
--- moment of its arrival.
---@return integer offset  ms
---@return boolean monotonic  to native.now's clock; else to the wall's
function Clock:offset()
  if self.dict then adopt(self) end
  return self.known:offset()
end

--- From now on what is known is shared with the other workers of this nginx.
---@param dict table  a lua_shared_dict
function Clock:share(dict)
  self.dict = dict
end

local clocks = setmetatable({}, { __mode = "v" })

--- The clock of the exchange at an address: one for all clients that ask there.
---@return bitfront.Clock
function _M.of(base_url)
  local clock = clocks[base_url]
  if not clock then
    clock = setmetatable({ known = native.server_clock(), name = PREFIX .. base_url }, Clock)
    clocks[base_url] = clock
  end
  return clock
end

local Fixed = { is_fixed = true }
Fixed.__index = Fixed

function Fixed.learn() end
function Fixed.forget() end
function Fixed.share() end

function Fixed:offset()
  return self.ms, false
end

--- A clock at a fixed distance from this machine's, which learns nothing.
---@return bitfront.Clock
function _M.fixed(ms)
  return setmetatable({ ms = ms }, Fixed)
end

return _M
