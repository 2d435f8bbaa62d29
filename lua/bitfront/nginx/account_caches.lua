--- The caches of several accounts as one. Each has its own client, limit, call and
--- freshness, and one that fails hides no other.
--
-- With many accounts a call is always due. So nobody waits for newer balances where
-- there are older ones, and the calls are begun by a timer, one after the other: many at
-- once would delay the worker's other requests.

local cache = require "bitfront.nginx.cache"
local credentials = require "bitfront.credentials"
local errors = require "bitfront.error"
local native = require "bitfront.native"
local nginx = require "bitfront.wait.nginx"

local _M = {}

local FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.1 -- s between two reads of all accounts
local LONGEST_GAP = 0.01 -- s between two calls for which nobody waits

---@class bitfront.nginx.AccountCaches: bitfront.nginx.Cache
local Caches = {}
local meta = { __index = Caches, __name = "bitfront.nginx.cache" }

---@class bitfront.nginx.AccountInfo: bitfront.nginx.Info  of the oldest balances, and the first error
---@field accounts table<string, bitfront.nginx.Info>  err also where an account has no balances: then only that

-- ---- which accounts ----

---@class bitfront.nginx.AccountCache
---@field account string
---@field cache bitfront.nginx.Cache

local function add(self, account, options)
  local made = cache.new({ dict = self.dict, name = self.name .. "/" .. account,
    ttl = self.ttl, stale = self.stale, trace = self.trace, options = options }, account)
  table.insert(self.list, { account = account, cache = made })
  self.timeout = math.max(self.timeout, made.timeout)
end

local function find_profiles()
  local names, err, path = credentials.profiles()
  if names and names[1] then return names end
  err = err or { kind = "config", code = "profile", message = path .. " has no accounts" }
  return nil, errors.new(err, 0)
end

-- The credentials file is read with the first use, as that of a single account, and again
-- until it has accounts. Returns why there are none.
local function find(self)
  if self.list[1] then return nil end
  local names, err = find_profiles()
  for _, name in ipairs(names or {}) do add(self, name, { profile = name }) end
  if err and err.message ~= self.logged then ngx.log(ngx.ERR, tostring(err)) end
  self.logged = err and err.message
  return err
end

-- ---- calls ----

-- `begin` is cache.begin, which lets the worker do other things. Whoever does this may be
-- killed, and a begin may be slow: then another may do it too, since of two who begin the
-- same call one does.
local function begin_one(self, one, begin, traceparent)
  self.busy_until = native.now() + cache.LONGEST_WAIT
  begin(one.cache, traceparent)
end

-- Calls that begin together are due together again a ttl later: so those for which nobody
-- waits begin at intervals, of half a ttl in all. `gap` is the longest.
local function begin_calls(self, begin, gap, traceparent)
  local others = {}
  gap = math.min(gap, self.ttl / 2 / #self.list)
  self.last_begun = native.now()
  for _, one in ipairs(self.list) do
    local is_due, is_shown = cache.is_due(one.cache)
    if is_due and is_shown then
      others[#others + 1] = one
    elseif is_due then
      begin_one(self, one, begin, traceparent)
    end
  end
  for _, one in ipairs(others) do
    if cache.is_due(one.cache) then
      begin_one(self, one, begin, traceparent)
      if gap >= 0.001 and not ngx.worker.exiting() then ngx.sleep(gap) end
    end
  end
  self.busy_until = 0
end

-- In a request, where nginx runs no timer: each call is in a light thread of its own, since
-- the request makes them itself.
local function begin_here(one)
  ngx.thread.spawn(cache.begin, one)
end

local function is_busy(self)
  return native.now() < self.busy_until
end

-- In a timer, as the calls themselves: a request ends when its client leaves. A timer
-- that nginx grants may never run, and each that does not is a line of the error log.
local function start_calls(self)
  local now = native.now()
  if is_busy(self) or now < self.next_start then return end
  local is_lost = self.last_start > self.last_begun
  self.next_start = now + (is_lost and cache.LONGEST_WAIT or cache.TIMER_SECONDS)
  self.last_start = now
  local traceparent = self.trace and cache.traceparent_of_request() or nil
  nginx.start_timer(function(premature)
    if premature or is_busy(self) then return end
    begin_calls(self, cache.begin, LONGEST_GAP, traceparent)
  end)
end

-- ---- answers ----

local function is_of_dict(err)
  return err ~= nil and err.code == "dict"
end

-- Has the calls begun that are due. Returns an answer for each account, whether any has
-- balances, and whether none need be waited for: each has balances or an error. Where all
-- have errors, a call that is due again is waited for, unless none can begin.
local function peek_all(self)
  local answers, any_due, any_awaited, has_copy, is_complete = {}, false, false, false, true
  for i, one in ipairs(self.list) do
    local answer, is_due = cache.peek(one.cache)
    answer.account = one.account
    answers[i], any_due = answer, any_due or is_due
    any_awaited = any_awaited or is_due and not is_of_dict(answer.err)
    has_copy = has_copy or answer.copy ~= nil
    is_complete = is_complete and (answer.copy or answer.err) ~= nil
  end
  if any_due then start_calls(self) end
  return answers, has_copy, is_complete and (has_copy or not any_awaited)
end

-- Whether a request that has waited so long need not wait on. Where others have balances,
-- an account is waited for once, by all of this worker's requests together.
local function is_enough(self, waited, has_copy)
  local now = native.now()
  self.incomplete_since = self.incomplete_since or now
  return waited > self.timeout + 1
    or has_copy and now - self.incomplete_since > cache.LONGEST_WAIT
end

-- Waits for accounts that have neither balances nor an error yet, not for long where others
-- have balances. Where nginx runs no timer, the request begins the calls. Returns the
-- answers, why some have neither, and whether it began calls.
local function wait_for_answers(self)
  local began, pause, has_begun = native.now(), FIRST_PAUSE, false
  while true do
    local answers, has_copy, is_complete = peek_all(self)
    if is_complete then
      self.incomplete_since = nil
      return answers, nil, has_begun
    end
    local waiter, phase_err = nginx.waiter()
    if not waiter then return answers, errors.new(phase_err, 0) end
    local waited = native.now() - began
    if is_enough(self, waited, has_copy) then return answers, cache.no_answer(), has_begun end
    if waited > cache.TIMER_SECONDS and self.last_begun < began and not has_begun then
      has_begun = true
      begin_calls(self, begin_here, 0)
    end
    ngx.sleep(pause)
    pause = math.min(pause * 1.5, LONGEST_PAUSE)
  end
end

--- An answer for each account.
---@return bitfront.nginx.Answer[]  one without account and cache where it is not known which there are
---@return boolean? goes_on  the request makes calls, which go on after its answer
function Caches:_answers()
  local err = find(self)
  if err then return { { err = err } } end
  local answers, no_answer, has_begun = wait_for_answers(self)
  for _, answer in ipairs(answers) do
    if not answer.copy then answer.err = answer.err or no_answer end
  end
  return answers, has_begun
end

--- The balances of all accounts, each record with its `account`.
---@return bitfront.Record[]? records  of the accounts that have any
---@return bitfront.Error? err  where none has
---@return bitfront.nginx.AccountInfo? info
function Caches:balances(...)
  cache.check_call("cache:balances", self, meta, ...)
  local records, info = {}, { age = 0, freshness = "fresh", accounts = {} }
  local has_copy = false
  for _, answer in ipairs(self:_answers()) do
    local of = { age = answer.age, freshness = answer.freshness, err = answer.err }
    info.err = info.err or answer.err
    if answer.freshness ~= "fresh" then info.freshness = "stale" end
    if answer.account then info.accounts[answer.account] = of end
    if answer.copy then
      has_copy, info.age = true, math.max(info.age, answer.age)
      cache.add_records(answer, records)
    end
  end
  if not has_copy then return nil, info.err end
  return records, nil, info
end

--- Has a timer begin the calls that are due, and does not wait for them.
function Caches:refresh(...)
  cache.check_call("cache:refresh", self, meta, ...)
  if ngx.get_phase() == "init" or find(self) then return end
  for _, one in ipairs(self.list) do
    if cache.is_due(one.cache) then return start_calls(self) end
  end
end

-- ---- making one ----

--- See bitfront.nginx.cached.
---@param options bitfront.nginx.CacheOptions  checked, with accounts
---@return bitfront.nginx.AccountCaches
function _M.new(options)
  local self = setmetatable({ dict = options.dict, name = options.name, ttl = options.ttl,
    stale = options.stale, trace = options.trace, list = {}, timeout = 0,
    last_begun = 0, last_start = 0, busy_until = 0, next_start = 0 }, meta)
  local named = options.accounts ~= "profiles" and options.accounts or {}
  for _, one in ipairs(named) do add(self, one.account, one.options) end
  return self
end

return _M
