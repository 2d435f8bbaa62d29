--- The balances in a lua_shared_dict: at most one call of the exchange in each
-- ttl, whatever the number of workers and requests. What the workers share is
-- store.lua's; a worker decodes once what another has fetched.

local errors = require "bitfront.error"
local format = require "bitfront.records.format"
local native = require "bitfront.native"
local no_more = require "bitfront.options".no_more
local options_of = require "bitfront.nginx.cache_options"
local shared_dict = require "bitfront.limiter.shared_dict"
local stores = require "bitfront.nginx.store"
local waits = require "bitfront.wait.nginx"

local _M = {}

local DEFAULT_TIMEOUT = 10 -- of a client that does not tell its own
local LONGEST_RETRY_AFTER = 60 -- however long a server wants to be left alone
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.05 -- between two looks at the dict
local PATIENCE = 1 -- for newer balances, of those who could show older ones
local START = 0.05 -- in which a timer is to run that nginx has granted

local function micro(seconds)
  return seconds * 1e6
end

---@class bitfront.nginx.Cache
local Cache = {}
local meta = { __index = Cache, __name = "bitfront.nginx.cache" }

---@class bitfront.nginx.Info
---@field age number  seconds since the balances were asked for
---@field freshness "fresh"|"stale"  stale: older than ttl, since the exchange fails or is being asked
---@field err bitfront.Error?  of stale ones: why there are no newer ones

-- ---- the client ----

-- A client of the cache's own. It brings the wire's digits; what the user wants
-- instead is made of them. A failure is not repeated by it: the next ttl does.
-- All workers together keep the exchange's limits and know its clock, by way of
-- the same dict.
local function own_client(options, dict)
  local wanted = {}
  for name, value in pairs(options) do
    wanted[name] = value
  end
  wanted.amounts, wanted.retries = "string", wanted.retries or 0
  if wanted.rate_limit ~= false then
    local limits = {}
    for name, value in pairs(wanted.rate_limit or {}) do
      limits[name] = value
    end
    limits.store = limits.store or assert(shared_dict.new(dict))
    wanted.rate_limit = limits
  end
  local client = require "bitfront".new(wanted)
  client:_share_clock(ngx.shared[dict])
  return client
end

-- Made with the first call, in a worker: a master that forks has no libcurl.
function Cache:_client()
  if not self.client then
    self.client = own_client(self.options, self.dict_name)
    self.options = nil
  end
  return self.client
end

-- The balances as the dict keeps them: JSON with every digit. What the exchange
-- has said may have more of those than are taken here. And when they were asked
-- for, of a client that tells.
function Cache:_fetch()
  local records, err, info = self:_client():balances()
  if not records then return nil, err end
  local done, json = pcall(format.format, records, "json", { amounts = "string" })
  if done then return json, nil, info and info.sent end
  return nil, errors.new({ kind = "protocol", code = "schema", message = tostring(json) }, 1)
end

-- The same where something raises: what is wrong with the options shows when
-- the client is made, and no flight is to be lost for it.
function Cache:_ask()
  local called, json, err, sent = pcall(self._fetch, self)
  local is_ours = type(err) == "table" and err.kind and err.code
  if called and (json or is_ours) then return json, err, sent end
  return nil, errors.new({ kind = "config", code = "client",
    message = tostring(not called and json or err) }, 0)
end

-- ---- a flight ----

local function keep_beating(self, token)
  repeat
    ngx.sleep(stores.BEAT_SECONDS)
  until not self.store:beat(token)
end

-- When the exchange may be asked again: not before a ttl has passed, a failing
-- one neither, nor before it wants to be.
function Cache:_next_call(since, err)
  local pause = math.min(err and err.retry_after or 0, LONGEST_RETRY_AFTER)
  return since + micro(math.max(self.ttl, pause))
end

-- The error log hears of a failure when it begins and when it has passed.
function Cache:_log(err)
  local said = err and err.kind .. " " .. err.code -- texts tell of ms that passed
  if said and said ~= self.logged then
    ngx.log(ngx.ERR, tostring(err))
  elseif self.logged and not said then
    ngx.log(ngx.WARN, "bitfront: the exchange answers again")
  end
  self.logged = said
end

function Cache:_note(err, began)
  local store = self.store
  store:count "calls"
  store:put("duration", stores.now() - began)
  if err then store:count("errors:" .. err.kind) end
  self:_log(err)
end

-- `sent`: s. A client that is not ours may not tell it, or not by this clock: then
-- it was at any time since the call began.
function Cache:_land(token, began, json, sent)
  local now, asked = stores.now(), type(sent) == "number" and math.floor(micro(sent))
  local is_told = asked and asked >= began and asked <= now
  return self.store:land(token, is_told and asked or began, json,
    self:_next_call(is_told and asked or now))
end

function Cache:_crash(token, began, err)
  return self.store:crash(token, began, err, self:_next_call(stores.now(), err))
end

-- Asks the exchange and keeps what it says. The call may yield or not.
-- For `seconds` nobody else does, should it not come back.
local function fly(self, token, seconds)
  local began = stores.now()
  local held, full = self.store:start(token, began, math.min(self.ttl, seconds))
  if not held then
    self.unkept = full
    return self.store:release(token)
  end
  local beating = ngx.thread.spawn(keep_beating, self, token)
  local json, err, sent = self:_ask()
  ngx.thread.kill(beating)
  self:_note(err, began)
  if json then
    held, err = self:_land(token, began, json, sent)
  end
  if err then
    held, full = self:_crash(token, began, err)
  end
  self.unkept = not held and full or nil
  self.store:release(token)
end

-- The error log hears once that nginx runs no timers, until it has run one.
function Cache:_note_no_timer()
  if not self.timerless and not ngx.worker.exiting() then
    ngx.log(ngx.ERR, "bitfront: nginx did not run a timer within ", START * 1000,
      " ms, and the request asks the exchange itself; see lua_max_running_timers, ",
      "lua_max_pending_timers and worker_connections")
  end
  self.timerless = true
end

local function has_begun(flight)
  local last = stores.now() + micro(START)
  while not flight.begun and stores.now() < last do ngx.sleep(0.001) end
  return flight.begun
end

-- In a timer, so that no client's leaving ends it; where nginx gives none (it may
-- grant one and not run it), here: whichever comes first. Returns why it can be
-- nowhere.
function Cache:_launch(token)
  local flight = { begun = false }
  local function start(premature)
    if flight.begun then return end
    flight.begun, self.timerless = true, false
    if premature then return self.store:call_off(token) end
    fly(self, token, self.timeout + 1)
  end
  local granted = waits.start_timer(start)
  local waiter, failure = waits.waiter()
  if granted and (not waiter or has_begun(flight)) then return end
  flight.begun = true
  if waiter then
    self:_note_no_timer()
    return fly(self, token, stores.LOCK_SECONDS) -- it ends when its client leaves
  end
  self.store:call_off(token)
  return errors.new(failure, 0)
end

-- ---- what there is ----

-- The worker's own copy of the balances in the dict: decoded once, and the
-- place for what is made of them.
---@class bitfront.nginx.Copy: bitfront.nginx.Stored
---@field rendered table  whatever; gone with the copy

-- The balances there are, if any are young enough to be shown; how the last
-- call went; and the time.
---@return bitfront.nginx.Copy? copy
---@return bitfront.nginx.State state
---@return integer now
function Cache:_look()
  local state, now = self.store:state(), stores.now()
  if not state.version then return nil, state, now end
  if not self.copy or self.copy.version ~= state.version then
    self.copy = self.store:value()
    if self.copy then self.copy.rendered = {} end
  end
  local copy = self.copy
  if copy and now - copy.version < micro(self.ttl + self.stale) then
    return copy, state, now
  end
  return nil, state, now
end

-- The last call's failure, and for how long now the exchange is still left alone.
local function error_of(state, now)
  local copy = {}
  for name, value in pairs(state.failure) do
    copy[name] = value
  end
  local err = errors.new(copy, copy.attempts or 0)
  err.retryable = state.failure.retryable
  if copy.retry_after then
    err.retry_after = math.max(0, state.next_at - now) / 1e6
  end
  return err
end

-- What is answered without a new call. An answer is the copy, whether it is
-- fresh, and why not.
local function what_there_is(copy, state, now)
  if copy then
    return copy, "stale", state.failure and error_of(state, now)
  elseif state.failure then
    return nil, nil, error_of(state, now)
  end
end

-- ---- waiting ----

-- Whether the caller can wait; why not.
local function can_wait()
  local waiter, failure = waits.waiter()
  return waiter ~= nil, failure
end

local function too_late()
  return errors.new({ kind = "timeout", code = "response",
    message = "no worker has brought balances in time" }, 0)
end

-- Begins a call if no other does. Returns whether it did, and why none can.
function Cache:_try(now)
  local token, err = self.store:take_off(now, self.ttl)
  if not token then return false, err end
  self.unkept = nil
  err = self:_launch(token)
  return err == nil, err
end

-- A visit to the cache is what began when fresh balances were not found. The
-- next two return true, and with it the answer, where there is one.

-- What a call has brought, this visit's or another's.
function Cache:_landed(visit, copy, state, now)
  if copy and now - copy.version < micro(self.ttl) then
    return true, copy, "fresh"
  elseif copy and copy.version >= visit.came then
    return true, copy, "stale" -- the call took that long
  elseif visit.launched and self.unkept then
    return true, nil, nil, self.unkept
  elseif now < state.next_at and (copy or state.failure) then
    return true, what_there_is(copy, state, now)
  end
end

-- What is shown while a call is under way.
function Cache:_meanwhile(visit, copy, state, now)
  local patient = visit.launched and visit.may_wait
    and now - visit.came < micro(PATIENCE)
  if copy and not patient then
    return true, what_there_is(copy, state, now)
  elseif not visit.may_wait then
    return true, nil, nil, errors.new(visit.failure, 0)
  elseif now - visit.came > micro(self.timeout + 1) then
    return true, nil, nil, too_late()
  end
end

-- One look, which begins a call where none is under way.
function Cache:_step(visit)
  local copy, state, now = self:_look()
  local done, answer, freshness, err = self:_landed(visit, copy, state, now)
  if done then return true, answer, freshness, err end
  local launched, full = self:_try(now)
  if full then return true, nil, nil, full end
  visit.launched = visit.launched or launched
  return self:_meanwhile(visit, copy, state, now)
end

-- Whoever begins the call waits for it, a while; others do only where there is
-- nothing to show meanwhile.
function Cache:_visit()
  local visit = { came = stores.now() }
  visit.may_wait, visit.failure = can_wait()
  if ngx.get_phase() == "init" then -- the master's: it has no timers
    return nil, nil, errors.new(visit.failure, 0)
  end
  local pause = FIRST_PAUSE
  while true do
    local done, copy, freshness, err = self:_step(visit)
    if done then return copy, freshness, err end
    ngx.sleep(pause)
    pause = math.min(pause * 1.5, LONGEST_PAUSE)
  end
end

--- For those who render: the worker's own copy, which is not to be changed.
---@return bitfront.nginx.Copy? copy
---@return "fresh"|"stale"? freshness
---@return bitfront.Error? err  without a copy: why; with a stale one: why it is
---@return number? age  of the copy, in seconds
function Cache:_get()
  -- Nobody asks for newer ones before these are a ttl old: no look at the dict.
  local copy = self.copy
  local age = copy and (stores.now() - copy.version) / 1e6
  if age and age < self.ttl then
    return copy, "fresh", nil, age
  end
  local freshness, err
  copy, freshness, err = self:_visit()
  return copy, freshness, err,
    copy and math.max(0, stores.now() - copy.version) / 1e6
end

-- ---- what a user calls ----

local give = {}

function give.string(text) return text end
function give.number(text) return tonumber(text) end
function give.decimal(text) return native.decimal(text) end

-- Records of the caller's own: nobody can change what others get.
local function hand_out(records, amounts)
  local own, convert = {}, give[amounts]
  for i, record in ipairs(records) do
    own[i] = {
      currency = record.currency,
      balance = convert(record.balance),
      availableBalance = convert(record.availableBalance),
    }
  end
  return own
end

--- The account's balances, at most ttl seconds old; older ones, up to ttl and
--- stale seconds, while the exchange fails or another worker asks it.
---@return bitfront.Record[]? records  amounts as the client's option `amounts` says
---@return bitfront.Error? err
---@return bitfront.nginx.Info? info
function Cache:balances(...)
  if getmetatable(self) ~= meta then
    error("call it with a colon: cache:balances()", 2)
  end
  no_more("cache:balances", 2, ...)
  local copy, freshness, err, age = self:_get()
  if not copy then return nil, err end
  return hand_out(copy.records, self.amounts), nil,
    { age = age, freshness = freshness, err = err }
end

-- ---- making one ----

--- See bitfront.nginx.cached. Raises at `level`.
---@param options bitfront.nginx.CacheOptions
---@param level integer
---@return bitfront.nginx.Cache
function _M.new(options, level)
  options_of.check(options, level + 1)
  local dict_name = options.dict or "bitfront"
  local told = options_of.for_client(options, level + 1)
  return setmetatable({
    store = stores.new(options_of.dict(dict_name, level + 1),
      (options.name or "default") .. ":" .. options_of.account(told)),
    dict_name = dict_name,
    ttl = options.ttl or 2, stale = options.stale or 60,
    client = options.client, options = told,
    amounts = told.amounts or "number",
    timeout = told.timeout or DEFAULT_TIMEOUT,
  }, meta)
end

return _M
