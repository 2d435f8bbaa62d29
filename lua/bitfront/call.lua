-- The loop of a call. One deadline is over all of it: wait for a slot, sign and
-- send, learn the exchange's clock, decide, pause, again.

local accounts = require "bitfront.account"
local errors = require "bitfront.error"
local limiter = require "bitfront.limiter"
local native = require "bitfront.native"
local retry = require "bitfront.retry"
local wait = require "bitfront.wait"

local _M = {}

---@class bitfront.Info
---@field timezone string  documented as always "UTC"
---@field responseTime integer  the server's clock, Unix ms
---@field statusCode integer  1000 for a success
---@field statusMessage string
---@field http_status integer
---@field attempts integer  made for the call
---@field elapsed number  seconds the call took, with all waiting
---@field sent number  when it was signed: seconds of the machine's steady clock
---@field round_trip number  seconds from then to the reply's first byte
---@field clock_offset number?  ms by which the server's clock is ahead of ours, by this reply

--- One attempt. No secret, key or signature is in it.
---@class bitfront.Event
---@field attempt integer  1 for the call's first
---@field path string
---@field kind? bitfront.ErrorKind  of its error; nil for a success
---@field code? integer|string  the API's statusCode, or a fixed word
---@field http_status? integer
---@field began integer  Unix ms
---@field waited number  seconds before it: for a slot, and between attempts
---@field elapsed number  seconds it took
---@field round_trip? number  seconds from signing to the reply's first line
---@field traceparent? string  the call's option

--- What an attempt is made with: filled in by the call, read by C.
---@class bitfront.Request
---@field client userdata  the account's handle
---@field credentials? userdata  of this call alone; default: the handle's
---@field expect "balances"|"data"|"public"  what the reply must be
---@field path string
---@field query? string
---@field traceparent? string  a header's value
---@field amounts "number"|"string"|"decimal"
---@field deadline number  of the attempt, seconds of native.now's clock
---@field clock_offset integer  ms, added to a clock of ours to get the server's time
---@field monotonic boolean  to native.now's clock; else to the wall's

--- A call under way. An account uses one table for call after call.
---@class bitfront.Run
---@field account bitfront.Account
---@field request bitfront.Request  what each attempt is made with
---@field limits bitfront.Limit[]  that the call is counted under
---@field slots bitfront.Slot[]  of the attempt, one for each limit
---@field held integer  so many of the slots are taken
---@field release bitfront.Release  of these slots
---@field clock bitfront.Clock  of the exchange that the call was begun with
---@field waiter bitfront.Waiter
---@field started number
---@field deadline number  of all of it
---@field retries integer  further attempts that may be made
---@field attempts integer
---@field ready number  when the next attempt could have begun, but for pauses
---@field seen table<string, true>|false  see retry.lua

--- What calls of an account share.
---@class bitfront.CallState
---@field waiter bitfront.Waiter
---@field quota bitfront.Quota
---@field limit? bitfront.Limit  where each call has the same one
---@field spare_run? bitfront.Run

-- No attempt takes longer: a slot whose process was killed is taken for no longer.
local LONGEST_ATTEMPT = 60 -- s

--- Prepares a new account for calls.
function _M.prepare(account)
  local limits = account.options.rate_limit
  if limits then limits.store = limits.store or limiter.process_store() end
  account.call = { quota = retry.quota(), waiter = wait.by(account.options.sleep) }
end

-- How many calls are permitted under this key.
local function new_limit(account, key, per_second, per_minute)
  return { store = account.options.rate_limit.store, key = key,
    per_second = per_second, per_minute = per_minute }
end

--- How many calls the account may make; nil: no limits are kept. They are counted
--- under the SHA-256 of its API key, or, where it has none, under the exchange.
---@param credentials? userdata  of one call
---@return bitfront.Limit?
function _M.limit_of(account, credentials)
  local limits, state = account.options.rate_limit, account.call
  if not limits or state.limit then return state.limit end
  local id = (credentials or account.handle):key_id()
  local limit = new_limit(account, id or "anonymous:" .. account.endpoint.base_url,
    limits.per_second, limits.per_minute)
  if id and not accounts.has_changing_key(account) then state.limit = limit end
  return limit
end
local limit_of = _M.limit_of

-- What the call is counted under: the target's own limit, and the account's. The own one
-- comes first, since it leaves less room.
---@return bitfront.Limit[]  one, two, or none where no limits are kept
local function limits_of(account, target, credentials)
  local own, limits = target.limit, account.options.rate_limit
  if not limits then return {} end
  if not own then return { limit_of(account, credentials) } end
  local of_account = not own.is_public and limit_of(account, credentials) or nil
  local whose = of_account and of_account.key or account.endpoint.base_url
  local per_second = own.per_second or limits.public_per_second
  return { new_limit(account, own.name .. ":" .. whose, per_second,
    own.per_minute or 60 * per_second), of_account }
end

-- A slot of the run's, for its limit of this number.
local function new_slot(run)
  return { cancelled = function() return accounts.closed(run.request.client) end }
end

-- Gives the slots back that the run has: see limiter.release.
local function release(run, grace)
  for i = 1, run.held do limiter.release(run.slots[i], grace) end
  run.held = 0
end

local function new_run(account)
  local run = { account = account, request = {}, held = 0 }
  run.slots = { new_slot(run), new_slot(run) }
  function run.release(is_unanswered)
    release(run, is_unanswered and limiter.UNANSWERED_GRACE_MS or 0)
  end
  return run
end

-- Waits for a slot of each limit; where there is none, nothing is held and nothing spent.
---@return number? expires_at  s, on native.now's clock; none: there are no limits
---@return table? err
local function acquire(run)
  local expires_at
  for i, limit in ipairs(run.limits) do
    local slot, err = limiter.acquire(limit, run.waiter, run.deadline, LONGEST_ATTEMPT,
      run.slots[i])
    if not slot then
      release(run, nil)
      return nil, err
    end
    run.held, expires_at = i, math.min(slot.expires_at, expires_at or slot.expires_at)
  end
  return expires_at
end

local function set_request(request, account, target, credentials)
  request.client, request.credentials = account.handle, credentials
  request.expect, request.path, request.query = target.expect, target.path, target.query
end

local function begin(account, target, options, waiter)
  local started, state, own = native.now(), account.call, account.options
  local deadline = started + (options.timeout or own.timeout)
  local err, credentials
  if not waiter then
    waiter, err = wait.choose(state.waiter)
  end
  if not err then
    err, credentials = accounts.prepare(account, target.expect ~= "public", waiter, deadline)
  end
  if err then return nil, errors.new(err, 0) end
  local run = state.spare_run or new_run(account)
  state.spare_run = nil
  set_request(run.request, account, target, credentials)
  run.request.amounts = options.amounts or own.amounts
  run.request.traceparent = options.traceparent
  run.clock, run.waiter, run.started, run.ready = account.clock, waiter, started, started
  run.deadline = deadline
  run.retries = options.retries or own.retries
  run.limits, run.attempts, run.seen = limits_of(account, target, credentials), 0, false
  return run
end

--- Provides what a signed call needs, and makes none.
---@return table? err
function _M.try_credentials(account)
  local waiter, err = wait.choose(account.call.waiter)
  local credentials
  if waiter then
    err, credentials = accounts.prepare(account, true, waiter,
      native.now() + account.options.timeout)
  end
  if credentials then credentials:release() end
  return err
end

-- An error that the observer raises is ignored. Ctrl-C is not one of those.
local function notify_attempt(run, began, err, info)
  local observer = run.account.options.on_attempt
  if not observer then return end
  local now = native.now()
  local done, message = pcall(observer, {
    attempt = run.attempts, path = run.request.path,
    kind = err and err.kind, code = err and err.code or info.statusCode,
    http_status = info.http_status,
    began = native.wall() - math.floor((now - began) * 1000 + 0.5),
    waited = began - run.ready, elapsed = now - began, round_trip = info.round_trip,
    traceparent = run.request.traceparent,
  })
  if not done and type(message) == "string" and message:find "interrupted!$" then
    error(message, 0)
  end
end

-- For how long the attempt may still be read by the server, in ms; nil where it
-- was not sent.
local function grace_of(err, info)
  if not info.sent then return nil end
  local is_unanswered = err and err.kind ~= "network" and not info.round_trip
  return is_unanswered and limiter.UNANSWERED_GRACE_MS or 0
end

-- Only a whole reply has a time that the clock can learn from.
local function update_clock(clock, err, info)
  local time = info.responseTime
  if time and info.round_trip and (not err or type(err.code) == "number") then
    clock:learn(time, info.sent, info.round_trip, err and err.kind == "clock")
  elseif err and err.kind == "clock" then
    clock:forget()
  end
end

local NO_INFO = {} -- of an attempt that could not be begun

-- Signs and sends, once. The slots are not released where this raises: then they
-- count until the deadline.
local function attempt(run, expires_at)
  local request = run.request
  local began = native.now()
  run.attempts = run.attempts + 1
  request.clock_offset, request.monotonic = run.clock:offset()
  request.deadline = expires_at or math.min(run.deadline, began + LONGEST_ATTEMPT)
  local value, err, info = run.waiter.read(request, expires_at and run.release)
  info = info or NO_INFO
  release(run, grace_of(err, info))
  err = err and errors.new(err, run.attempts)
  update_clock(run.clock, err, info)
  notify_attempt(run, began, err, info)
  return value, err, info
end

-- Seconds for which the exchange is left alone that refuses more calls.
local PAUSE = 1

local function note_rate_limit(run, err)
  local is_refused = err.kind == "rate_limit"
  if not is_refused and err.http_status ~= 429 then return end
  local seconds = err.retry_after or PAUSE
  if is_refused then err.retry_after = seconds end
  for _, limit in ipairs(run.limits) do limiter.block(limit, seconds) end
end

-- Pauses, where the call is to be tried again; returns whether it is.
local function try_again(run, err)
  if run.attempts > run.retries
    or err.kind == "clock" and run.clock.is_fixed then
    return false
  end
  run.seen = run.seen or {}
  local pause, uncounted = retry.after(err, run.seen, run.attempts - 1, run.limits[1] ~= nil)
  run.ready = native.now()
  if not pause or run.ready + pause >= run.deadline
    or not uncounted and not retry.take(run.account.call.quota) then
    return false
  end
  if pause > 0 then run.waiter.sleep(pause) end
  return true
end

-- Returns the user's info: nil where the call failed and no envelope was read. Nothing
-- may use `run` after this: another call may have it.
local function finish(run, info, err)
  local credentials = run.request.credentials
  if credentials then credentials:release() end
  if not err or info and (info.responseTime or info.statusCode) then
    info.attempts, info.elapsed = run.attempts, native.now() - run.started
  else
    info = nil
  end
  run.account.call.spare_run = run
  return info
end

--- One call, with its retries.
---@param options bitfront.CallOptions
---@param waiter? bitfront.Waiter  default: the account's own
---@return any? value  what the reply was to be
---@return bitfront.Error? err
---@return bitfront.Info? info
function _M.perform(account, target, options, waiter)
  local run, err = begin(account, target, options, waiter)
  if not run then return nil, err end
  local value, info
  repeat
    local expires_at, limit_err = acquire(run)
    if limit_err then
      if not err or limit_err.kind == "closed" then err = errors.new(limit_err, run.attempts) end
      break
    end
    value, err, info = attempt(run, expires_at)
    if not err then
      retry.refund(account.call.quota, run.attempts - 1)
      return value, nil, finish(run, info)
    end
    note_rate_limit(run, err)
  until not try_again(run, err)
  err.stale = nil
  return nil, err, finish(run, info, err)
end

return _M
