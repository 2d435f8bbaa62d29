--- The balances in a lua_shared_dict: at most one call of the exchange in each
-- ttl, whatever the number of workers and requests. What the workers share is
-- shared_balances.lua's; a worker decodes once what another has fetched.

local accounts = require "bitfront.account"
local client = require "bitfront.client"
local columns = require "bitfront.records.columns"
local errors = require "bitfront.error"
local fields = require "bitfront.records.fields"
local format = require "bitfront.records.format"
local misuse = require "bitfront.misuse"
local native = require "bitfront.native"
local observe = require "bitfront.nginx.observe"
local no_more = require "bitfront.check".no_more
local rows = require "bitfront.rows"
local shared_balances = require "bitfront.nginx.shared_balances"
local shared_dict = require "bitfront.limiter.shared_dict"
local site_options = require "bitfront.nginx.site_options"
local nginx = require "bitfront.wait.nginx"
local is_traceparent = require "bitfront.options".rows["client:balances"].traceparent.check

local _M = {}

-- All in seconds.
local DEFAULT_TIMEOUT = 10 -- of a client whose timeout is not known
local LONGEST_RETRY_AFTER = 60 -- whatever the exchange asks for
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.05 -- between two reads of the dict
local LONGEST_WAIT = 1 -- for newer balances, where older ones can be shown
local TIMER_SECONDS = 0.05 -- within which a timer must run that nginx has granted

_M.LONGEST_WAIT, _M.TIMER_SECONDS = LONGEST_WAIT, TIMER_SECONDS

local AMOUNTS = rows.names(columns, { from = "reply", kind = "amount" })

---@class bitfront.nginx.Cache
local Cache = {}
local meta = { __index = Cache, __name = "bitfront.nginx.cache" }

---@class bitfront.nginx.Info
---@field age number  seconds since the balances were asked for
---@field freshness "fresh"|"stale"  stale: older than ttl, since the exchange fails or the call goes on
---@field err bitfront.Error?  of stale ones: why there are no newer ones

-- ---- the client ----

local function shared_of(self, id)
  return shared_balances.new(ngx.shared[self.dict_name],
    ("%s:%s"):format(self.name, ngx.md5(id):sub(1, 16)))
end

-- A client of the cache's own, made when the dict is first read, in a worker: a master
-- that forks has no libcurl. Its amounts are strings, with every digit of the reply.
-- All workers share the exchange's limits and its clock in the same dict.
function Cache:_client()
  if self.client then return self.client end
  local options, limits = self.options, self.options.rate_limit
  options.amounts = "string"
  if limits then
    limits.store = limits.store or shared_dict.new(self.dict_name)
  end
  self.client = client.new(options)
  accounts.share_clock(self.client, ngx.shared[self.dict_name])
  self.options = nil
  return self.client
end

--- The traceparent of the request that this runs for; in a timer there is none. One that
--- is wrong, or comes twice, is ignored. (Of two, ngx.var may show the first.)
---@return string?
function _M.traceparent_of_request()
  local _, value = pcall(function() return ngx.req.get_headers(0).traceparent end)
  return is_traceparent(value) and value or nil
end

--- What the workers share of this account: by its key at the exchange, once that is known.
--- The dict outlives a reload, after which a file or a variable may have another key: nothing
--- reads what was stored under a former one.
---@param again? boolean  true: looks for a key although there was none before
---@return bitfront.nginx.SharedBalances
function Cache:_shared(again)
  local is_known = self.is_identified or self.has_looked and not again
  if is_known or ngx.get_phase() == "init" then return self.shared end
  self.has_looked = true
  local made, used = pcall(self._client, self)
  if not made then return self.shared end -- the call's error says why
  local account = client.is_client(used) and accounts.of(used)
  local id = account and accounts.id(account)
  self.is_identified = id ~= nil or not account
  if id then self.shared, self.copy = shared_of(self, id), nil end
  return self.shared
end

-- Returns the balances as JSON with every digit, and the time of the request where
-- the client knows it. JSON cannot be made of an amount with too many digits.
local function fetch(self, traceparent)
  local records, err, info = self:_client():balances(traceparent
    and { traceparent = traceparent })
  if not records then return nil, err end
  local done, json = pcall(format.format, records, "json", { amounts = "string" })
  if done then return json, nil, info and info.sent end
  return nil, errors.new({ kind = "protocol", code = "schema",
    message = misuse.text_of(json) }, 1)
end

-- As fetch, with an error for what raises: wrong options do when the client is made.
local function try_fetch(self, traceparent)
  local called, json, err, sent = pcall(fetch, self, traceparent)
  local is_ours = type(err) == "table" and err.kind and err.code
  if called and (json or is_ours) then return json, err, sent end
  return nil, errors.new({ kind = "config", code = "client",
    message = misuse.text_of(not called and json or err) }, 0)
end

-- ---- a call of the exchange ----

---@class bitfront.nginx.Turn  this worker's right to call the exchange
---@field shared bitfront.nginx.SharedBalances  where it was acquired: the cache may change to others
---@field token string

local function keep_renewing(turn)
  repeat
    ngx.sleep(shared_balances.RENEW_SECONDS)
  until not turn.shared:renew(turn.token)
end

-- Returns the time of the next call: after a ttl, also of a call that failed, and not
-- before the error's retry_after.
local function next_call(self, since, err)
  local pause = math.min(err and err.retry_after or 0, LONGEST_RETRY_AFTER)
  return since + math.max(self.ttl, pause)
end

-- A client of another kind may have no `sent`, or one by another clock: then the
-- request was sent at any time since the call began. Returns why nothing could be saved.
local function save(self, turn, began, json, err, sent)
  local shared, token, now = turn.shared, turn.token, native.now()
  local is_told = type(sent) == "number" and sent >= began and sent <= now
  if json then
    local saved, dict_err = shared:save(token, is_told and sent or began,
      next_call(self, is_told and sent or now), json)
    if saved then return nil end
    err = dict_err
  end
  return select(2, shared:save(token, began, next_call(self, now, err), nil, err))
end

-- Calls the exchange and saves the result. The call may yield or not. If it never
-- returns, no other worker calls the exchange for `seconds`. The balances are saved
-- first: what the metrics ask the limiter's store may take long.
local function refresh(self, turn, seconds, traceparent)
  local began, shared = native.now(), turn.shared
  local held, dict_err = shared:start(turn.token, began, math.min(self.ttl, seconds))
  self.dict_err = dict_err
  if held then
    local renewing = ngx.thread.spawn(keep_renewing, turn)
    local json, err, sent = try_fetch(self, traceparent)
    ngx.thread.kill(renewing)
    if self:_shared(true) == shared then -- or the call itself found a key
      self.dict_err = save(self, turn, began, json, err, sent)
    end
    observe.call(self, shared, native.now() - began, err, traceparent)
  end
  shared:release(turn.token)
end

-- Writes to the error log once that nginx runs no timers, until it has run one.
local function note_no_timer(self)
  if not self.is_timerless and not ngx.worker.exiting() then
    ngx.log(ngx.ERR, "bitfront: nginx did not run a timer within ", TIMER_SECONDS * 1000,
      " ms, and the request asks the exchange itself; see lua_max_running_timers, ",
      "lua_max_pending_timers and worker_connections")
  end
  self.is_timerless = true
end

local function has_begun(started)
  local last = native.now() + TIMER_SECONDS
  while not started.begun and native.now() < last do ngx.sleep(0.001) end
  return started.begun
end

-- Refreshes in a timer, since a request ends when its client leaves. nginx may grant
-- no timer, or grant one and not run it: then here. Only the first of the two
-- refreshes. Returns why neither can.
local function start_refresh(self, turn, traceparent)
  local started = { begun = false }
  traceparent = self.trace and (traceparent or _M.traceparent_of_request()) or nil
  local granted = nginx.start_timer(function(premature)
    if started.begun then return end
    started.begun, self.is_timerless = true, false
    if premature then return turn.shared:cancel(turn.token) end
    refresh(self, turn, self.timeout + 1, traceparent)
  end)
  local waiter, phase_err = nginx.waiter()
  if granted and (not waiter or has_begun(started)) then return nil end
  started.begun = true
  if not waiter then
    turn.shared:cancel(turn.token)
    return errors.new(phase_err, 0)
  end
  note_no_timer(self)
  -- It ends when its client leaves.
  refresh(self, turn, shared_balances.LOCK_SECONDS, traceparent)
end

-- Where the key is not known, it is looked for again before each call: what is known of it
-- by its key has to be read first.
local function acquire(self, now)
  local shared = self.shared
  local token, err = shared:acquire(now, self.ttl)
  if not token or self:_shared(true) == shared then return token, err end
  shared:cancel(token)
end

-- Begins a call if no other is under way. Returns whether it did, and why none can.
local function try_refresh(self, now, traceparent)
  local token, err = acquire(self, now)
  if token or err then self.dict_err = err end
  if not token then return false, err end
  err = start_refresh(self, { shared = self.shared, token = token }, traceparent)
  return err == nil, err
end

-- ---- what there is ----

-- The balances, if they are recent enough to be shown; the state of the last call; and
-- the time.
---@return bitfront.nginx.Copy? copy
---@return bitfront.nginx.State state
---@return integer now
local function read(self)
  local state, now = self:_shared():state(), native.now()
  if not state.version then return nil, state, now end
  if not self.copy or self.copy.version ~= state.version then
    self.copy = self.shared:copy()
  end
  local is_shown = self.copy
    and now - self.copy.version < self.ttl + self.stale
  return is_shown and self.copy or nil, state, now
end

-- The error of the last call; its retry_after counts from now.
local function error_of(state, now)
  if not state.failure then return nil end
  local err = fields.copy(state.failure)
  errors.new(err, err.attempts or 0)
  err.retryable = state.failure.retryable
  if err.retry_after then
    err.retry_after = math.max(0, state.next_at - now)
  end
  return err
end

-- ---- a lookup: begins where no fresh balances are found, and ends with an answer ----

-- The next two return true and the answer (the copy, whether it is fresh, and why
-- not), or nothing while there is none.

-- What a call has brought, this lookup's or another's.
local function completed(self, lookup, copy, state, now)
  if copy and now - copy.version < self.ttl then
    return true, copy, "fresh"
  elseif copy and copy.version >= lookup.began then
    return true, copy, "stale" -- the call took that long
  elseif lookup.has_called and self.dict_err then
    return true, nil, nil, self.dict_err
  elseif now < state.next_at and (copy or state.failure) then
    return true, copy, copy and "stale", error_of(state, now)
  end
end

--- Why there are no balances where no call has ended.
---@return bitfront.Error
function _M.no_answer()
  return errors.new({ kind = "timeout", code = "response",
    message = "no worker has brought balances in time" }, 0)
end

-- The answer while a call is under way. The lookup that began the call waits for it up
-- to LONGEST_WAIT; the others wait only where there is nothing to show.
local function meanwhile(self, lookup, copy, state, now)
  local is_waiting = lookup.has_called and lookup.waiter
    and now - lookup.began < LONGEST_WAIT
  if copy and not is_waiting then
    return true, copy, "stale", error_of(state, now)
  elseif not lookup.waiter then
    return true, nil, nil, errors.new(lookup.phase_err, 0)
  elseif now - lookup.began > self.timeout + 1 then
    return true, nil, nil, _M.no_answer()
  end
end

-- One read, which begins a call where none is under way.
local function step(self, lookup)
  local copy, state, now = read(self)
  local done, answer, freshness, err = completed(self, lookup, copy, state, now)
  if done then return true, answer, freshness, err end
  local has_called, dict_err = try_refresh(self, now)
  if dict_err then return true, nil, nil, dict_err end
  lookup.has_called = lookup.has_called or has_called
  return meanwhile(self, lookup, copy, state, now)
end

local function look_up(self)
  local lookup, pause = { began = native.now() }, FIRST_PAUSE
  lookup.waiter, lookup.phase_err = nginx.waiter()
  if ngx.get_phase() == "init" then -- the master's: it has no timers
    return nil, nil, errors.new(lookup.phase_err, 0)
  end
  while true do
    local done, copy, freshness, err = step(self, lookup)
    if done then return copy, freshness, err end
    ngx.sleep(pause)
    pause = math.min(pause * 1.5, LONGEST_PAUSE)
  end
end

---@class bitfront.nginx.Answer  what there is of one account
---@field cache bitfront.nginx.Cache  the account's own
---@field account string?  its name, where there are several
---@field copy bitfront.nginx.Copy?  the worker's own, which must not be changed
---@field freshness "fresh"|"stale"|nil  of the copy
---@field err bitfront.Error?  without a copy: why; with a stale one: why it is
---@field age number?  of the copy, in seconds

local function answer_of(self, copy, freshness, err)
  return { cache = self, copy = copy, freshness = freshness, err = err,
    age = copy and math.max(0, native.now() - copy.version) }
end

-- No call begins before these are a ttl old, so the dict need not be read.
local function has_fresh_copy(self)
  return self.copy ~= nil and native.now() - self.copy.version < self.ttl
end

---@param self bitfront.nginx.Cache
---@return bitfront.nginx.Answer
local function lookup(self)
  if has_fresh_copy(self) then return answer_of(self, self.copy, "fresh") end
  return answer_of(self, look_up(self))
end

--- What there is already. Begins no call and waits for none.
---@param self bitfront.nginx.Cache
---@return bitfront.nginx.Answer
---@return boolean is_due  it is time for a call
function _M.peek(self)
  if has_fresh_copy(self) then return answer_of(self, self.copy, "fresh"), false end
  local copy, state, now = read(self)
  if copy and now - copy.version < self.ttl then return answer_of(self, copy, "fresh"), false end
  -- An error is shown as long as balances are.
  local err = now < state.next_at + self.stale and error_of(state, now) or self.dict_err
  return answer_of(self, copy, copy and "stale", err), now >= state.next_at
end

--- Whether it is time for a call.
---@param self bitfront.nginx.Cache
---@return boolean is_due
---@return boolean is_shown  nobody waits for it: there are balances that can be shown
function _M.is_due(self)
  if has_fresh_copy(self) then return false, true end
  local state, now = self:_shared():state(), native.now()
  return now >= state.next_at, state.version ~= nil and now - state.version < self.ttl + self.stale
end

--- Begins a call if no other is under way, and does not wait for it.
---@param self bitfront.nginx.Cache
---@param traceparent string?  of the request that causes it, where this runs in another place
function _M.begin(self, traceparent)
  try_refresh(self, native.now(), traceparent)
end

--- An answer for each account: here one.
---@param is_scrape boolean  does not wait for a call where the last one failed
---@return bitfront.nginx.Answer[]
function Cache:_answers(is_scrape)
  if is_scrape then
    local answer, is_due = _M.peek(self)
    if answer.err and not answer.copy then
      if is_due then _M.begin(self) end
      return { answer }
    end
  end
  return { lookup(self) }
end

-- ---- what a user calls ----

--- Raises where a method was called with a dot, or with arguments.
---@param of table  the metatable of caches of this kind
function _M.check_call(name, self, of, ...)
  if getmetatable(self) ~= of then misuse.raise("call it with a colon: %s()", name) end
  no_more(name, ...)
end

local convert = { number = tonumber, string = tostring, decimal = native.decimal }

--- Adds copies of an answer's records to a list: the caller may change them. Their amounts
--- are as the client's option `amounts` says.
---@param answer bitfront.nginx.Answer  which has a copy
---@param list bitfront.Record[]
function _M.add_records(answer, list)
  local to_amount = convert[answer.cache.amounts]
  for _, record in ipairs(answer.copy.records) do
    local copy = fields.copy(record)
    copy.account = answer.account
    for _, name in ipairs(AMOUNTS) do copy[name] = to_amount(record[name]) end
    list[#list + 1] = copy
  end
end

--- The account's balances, at most ttl seconds old; older ones, up to ttl and
--- stale seconds, while the exchange fails or another worker asks it.
---@return bitfront.Record[]? records  amounts as the client's option `amounts` says
---@return bitfront.Error? err
---@return bitfront.nginx.Info? info
function Cache:balances(...)
  _M.check_call("cache:balances", self, meta, ...)
  local answer, records = lookup(self), {}
  if not answer.copy then return nil, answer.err end
  _M.add_records(answer, records)
  return records, nil, { age = answer.age, freshness = answer.freshness, err = answer.err }
end

--- Begins the call that is due, if any, and does not wait for its reply, unless nginx runs
--- no timer: then it makes the call itself. What came of it, `balances` tells.
function Cache:refresh(...)
  _M.check_call("cache:refresh", self, meta, ...)
  if ngx.get_phase() ~= "init" and _M.is_due(self) then _M.begin(self) end
end

-- ---- making one ----

--- See bitfront.nginx.cached.
---@param options bitfront.nginx.CacheOptions  checked
---@param account string?  its name, where there are several
---@return bitfront.nginx.Cache
function _M.new(options, account)
  local of_client = site_options.of_client(options)
  local self = setmetatable({
    name = options.name, dict_name = options.dict, account = account,
    ttl = options.ttl, stale = options.stale, client = options.client, options = of_client,
    amounts = of_client.amounts or "number",
    timeout = of_client.timeout or DEFAULT_TIMEOUT, trace = options.trace,
  }, meta)
  self.shared = shared_of(self, site_options.account_id(of_client))
  return self
end

return _M
