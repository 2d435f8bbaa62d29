-- A client: one account at one exchange. Everything that is policy is here;
-- the bytes are C's.

local accounts = require "bitfront.account"
local coin = require "bitfront.records.coin"
local errors = require "bitfront.error"
local limiter = require "bitfront.limiter"
local many = require "bitfront.many"
local misuse = require "bitfront.misuse"
local native = require "bitfront.native"
local options_of = require "bitfront.options"
local retry = require "bitfront.retry"
local target = require "bitfront.target"
local wait = require "bitfront.wait"

local _M = {}

local BALANCES = "/v1/account/balances"
local BALANCES_TARGET = { expect = "balances", path = BALANCES }
local TIME_TARGET = { expect = "public", path = "/v1/public/time" }

---@class bitfront.Record
---@field currency string  coin code; the exchange says LN for the coin LINK
---@field balance number|string|bitfront.Decimal  all there is, as `amounts` says
---@field availableBalance number|string|bitfront.Decimal  what is not locked in orders

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
---@field clock_offset number?  ms by which the server's clock is ahead of ours, as this reply tells

---@class bitfront.Client
local Client = {}
local meta = { __index = Client, __name = "bitfront.client" }

-- ---- the call ----

-- What the limiter goes by. Asked for with each call where a function may give
-- another key with each.
local function limit_of(self, credentials)
  local limits = self._limits
  if not limits or self._limit then return self._limit end
  local key, has_key = limiter.key_of(credentials or self._native, self._endpoint.base_url)
  local limit = {
    store = limits.store, per_second = limits.per_second,
    per_minute = limits.per_minute, key = key,
  }
  if has_key and not self._options.credentials then self._limit = limit end
  return limit
end

--- What an attempt is made with: filled in by the call, read by C.
---@class bitfront.Request
---@field client userdata  the C side of the client
---@field credentials? userdata  of this call alone; default: the client's
---@field expect "balances"|"data"|"public"  what the reply must be
---@field path string
---@field query? string
---@field amounts "number"|"string"|"decimal"
---@field deadline number  of the attempt, seconds of native.now's clock
---@field clock_offset integer  ms, added to a clock of ours to get the server's time
---@field monotonic boolean  to native.now's clock; else to the wall's

--- A call under way. A client uses one table for call after call.
---@class bitfront.Run
---@field client bitfront.Client
---@field request bitfront.Request  what each attempt is made with
---@field slot bitfront.Slot  of the attempt, where limits are kept
---@field clock bitfront.Clock  of the exchange that the call was begun with
---@field waiter bitfront.Waiter
---@field started number
---@field deadline number  of all of it
---@field retries integer  further attempts that may be made
---@field limit? bitfront.Limit  none: no limits are kept
---@field attempts integer
---@field ready number  when the next attempt could have begun, but for pauses
---@field seen table<string, true>|false  see retry.lua

local function fill_request(request, self, asked, credentials)
  request.client, request.credentials = self._native, credentials
  request.expect, request.path, request.query = asked.expect, asked.path, asked.query
  request.amounts = self._options.amounts
end

local function new_run(self)
  local run = { client = self, request = {}, slot = {} }
  function run.release(is_unanswered)
    limiter.release(run.slot, is_unanswered and limiter.UNANSWERED_GRACE_MS or 0)
  end
  return run
end

local function begin(self, asked, options, waiter)
  local failure, credentials
  local started = native.now()
  if not waiter then
    waiter, failure = wait.choose(self._waiter)
  end
  if not failure then
    failure, credentials = accounts.prepare(self, asked.expect ~= "public")
  end
  if failure then return nil, errors.new(failure, 0) end
  local run = self._spare_run or new_run(self)
  self._spare_run = nil
  fill_request(run.request, self, asked, credentials)
  run.clock, run.waiter, run.started, run.ready = self._clock, waiter, started, started
  run.deadline = started + (options.timeout or self._options.timeout)
  run.retries = options.retries or self._options.retries
  run.limit, run.attempts, run.seen = limit_of(self, credentials), 0, false
  return run
end

-- Whatever it does, it is not to harm the call; but Ctrl-C is not its doing.
local function tell_observer(run, began, err, info)
  local observer = run.client._options.on_attempt
  if not observer then return end
  local now = native.now()
  local told, message = pcall(observer, {
    attempt = run.attempts, path = run.request.path,
    kind = err and err.kind, code = err and err.code or info.statusCode,
    http_status = info.http_status,
    began = native.wall() - math.floor((now - began) * 1000 + 0.5),
    waited = began - run.ready, elapsed = now - began, round_trip = info.round_trip,
  })
  if not told and type(message) == "string" and message:find "interrupted!$" then
    error(message, 0)
  end
end

-- No attempt takes longer: so long a slot is taken at the most, should its
-- process die.
local LONGEST_ATTEMPT = 60 -- s

-- For how long the attempt may still be seen by the server, in ms; nil where it
-- never was.
local function grace_of(failure, info)
  if not info.sent then return nil end
  local lost = failure and failure.kind ~= "network" and not info.round_trip
  return lost and limiter.UNANSWERED_GRACE_MS or 0
end

-- What a reply tells of the exchange's clock; one that is not whole, nothing.
local function teach_clock(clock, err, info)
  local time = info.responseTime
  if time and info.round_trip and (not err or type(err.code) == "number") then
    clock:learn(time, info.sent, info.round_trip, err and err.kind == "clock")
  elseif err and err.kind == "clock" then
    clock:forget()
  end
end

local NOTHING = {} -- is known of an attempt that could not be begun

-- Signs and sends, once. The slot is not given back where this raises: then it
-- counts until the deadline.
local function attempt(run, slot)
  local request = run.request
  local began = native.now()
  run.attempts = run.attempts + 1
  request.clock_offset, request.monotonic = run.clock:aim()
  request.deadline = slot and slot.expires_at
    or math.min(run.deadline, began + LONGEST_ATTEMPT)
  local value, failure, info = run.waiter.read(request, slot and run.release)
  info = info or NOTHING
  if slot then limiter.release(slot, grace_of(failure, info)) end
  local err = failure and errors.new(failure, run.attempts)
  teach_clock(run.clock, err, info)
  tell_observer(run, began, err, info)
  return value, err, info
end

-- Seconds for which the exchange is left alone that says it was asked too often.
local FULL = 1

local function heed_refusal(run, err)
  local refused = err.kind == "rate_limit"
  if not refused and err.http_status ~= 429 then return end
  local seconds = err.retry_after or FULL
  if refused then err.retry_after = seconds end
  if run.limit then limiter.block(run.limit, seconds) end
end

-- Whether to try again; the pause is over when this returns.
local function try_again(run, err)
  if run.attempts > run.retries
    or err.kind == "clock" and run.clock.is_fixed then
    return false
  end
  run.seen = run.seen or {}
  local pause, free = retry.after(err, run.seen, run.attempts - 1, run.limit ~= nil)
  run.ready = native.now()
  if not pause or run.ready + pause >= run.deadline
    or not free and not retry.take(run.client._quota) then
    return false
  end
  if pause > 0 then run.waiter.sleep(pause) end
  return true
end

-- What the user is told of the call: nil where no envelope was read. The last
-- that is done with `run`: another call may have it from then on.
local function finish(run, info)
  local credentials = run.request.credentials
  if credentials then credentials:release() end
  if info and (info.responseTime or info.statusCode) then
    info.attempts, info.elapsed = run.attempts, native.now() - run.started
  else
    info = nil
  end
  run.client._spare_run = run
  return info
end

local NO_OPTIONS = {}

-- One call, one deadline over all of it: wait for a slot, sign and send, learn
-- the clock, decide, pause, again.
local function call(self, asked, options, waiter)
  local run, obstructed = begin(self, asked, options or NO_OPTIONS, waiter)
  if not run then return nil, obstructed end
  local value, err, info
  repeat
    local slot, refused
    if run.limit then
      slot, refused = limiter.acquire(run.limit, run.waiter, run.deadline,
        LONGEST_ATTEMPT, run.slot)
    end
    if refused then
      err = err or errors.new(refused, 0)
      break
    end
    value, err, info = attempt(run, slot)
    if not err then
      retry.refund(self._quota, run.attempts - 1)
      return value, nil, finish(run, info)
    end
    heed_refusal(run, err)
  until not try_again(run, err)
  err.stale = nil
  return nil, err, finish(run, info)
end

-- ---- what a user calls ----

local function is_client(value)
  return getmetatable(value) == meta
end

local function check_self(self, name)
  if not is_client(self) then
    error(("call it with a colon: client:%s(...)"):format(name), 3)
  end
end

--- The account's balances, in the server's order.
---@param options? bitfront.CallOptions
---@return bitfront.Record[]? records  empty for an empty account
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:balances(options, ...)
  check_self(self, "balances")
  options = options_of.check_call("client:balances", 2, options, ...)
  return call(self, BALANCES_TARGET, options)
end

-- The one record of the coin that was asked for. Two would be a question which
-- one to believe; that is not for us to answer.
local function the_record(records, code)
  local found
  for _, record in ipairs(records) do
    if record.currency == code then
      if found then
        return nil, "responseData has more than one record of " .. code
      end
      found = record
    end
  end
  return found, not found and "responseData has no record of " .. code or nil
end

--- The balance of one coin.
---@param code string  coin code such as "BTC", as balances() returns it
---@param options? bitfront.CallOptions
---@return bitfront.Record? record
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:balance(code, options, ...)
  check_self(self, "balance")
  local segment, message = coin.path_segment(code)
  if not segment then error("client:balance: " .. message, 2) end
  options = options_of.check_call("client:balance", 2, options, ...)
  local path = BALANCES .. "/" .. segment
  local records, err, info = call(self, { expect = "balances", path = path }, options)
  if not records then
    return nil, err, info
  end
  local record, trouble = the_record(records, code)
  return record, trouble and errors.new({
    kind = "protocol", code = "schema", http_status = info.http_status,
    message = trouble,
  }, info.attempts), info
end

--- The server's clock. Needs no credentials.
---@param options? bitfront.CallOptions
---@return integer? milliseconds  Unix time
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:server_time(options, ...)
  check_self(self, "server_time")
  options = options_of.check_call("client:server_time", 2, options, ...)
  local reply, err, info = call(self, TIME_TARGET, options)
  if reply and not (info and info.responseTime) then
    err = errors.new({
      kind = "protocol", code = "schema",
      message = "responseTime must be an integer",
    }, info and info.attempts or 1)
  end
  return not err and info.responseTime or nil, err, info
end

-- The body has passed the strict scanner; what lua-cjson is lax about cannot be
-- in it. A new instance each time, because lua-cjson reads the locale's decimal
-- point only when one is made, and takes "1.5" for an error in a locale that
-- was set later and has a comma.
local function decode(text)
  local found, cjson = pcall(require, "cjson")
  if not found then
    return nil, { kind = "config", code = "cjson",
      message = "client:get needs the rock lua-cjson" }
  end
  local decoded, value = pcall(cjson.new().decode, text)
  if not decoded then
    return nil, { kind = "protocol", code = "json", message = value }
  end
  return value
end

--- Any other read of the API. Everything under /public/ is asked for unsigned.
---@param path string  such as "/v1/trade/openOrders"
---@param query? string|table<string, string|integer|boolean>  a query string as it stands in a URL, or names and values
---@param options? bitfront.CallOptions
---@return any? data  responseData decoded by lua-cjson (amounts are doubles, null is cjson.null); the whole reply where it has none
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:get(path, query, options, ...)
  check_self(self, "get")
  path, query = target.check_path(path, 2), target.check_query(query, 2)
  options = options_of.check_call("client:get", 2, options, ...)
  local public = path:find "^/v%d+/public/" or path:find "^/v%d+/market/public/"
  local text, err, info = call(self, {
    expect = public and "public" or "data", path = path, query = query,
  }, options)
  if not text then
    return nil, err, info
  end
  local value, failure = decode(text)
  return value, failure and errors.new(failure, info and info.attempts or 1), info
end

--- Wipes the credentials. Calls after it return an error of kind "closed";
--- closing again does nothing.
function Client:close(...)
  check_self(self, "close")
  options_of.no_more("client:close", 2, ...)
  self._native:close()
end

function meta:__close()
  self._native:close()
end

function meta:__tostring()
  return tostring(self._native)
end

--- From now on the client knows of its exchange's clock what the other workers
--- of this nginx know.
---@param dict table  a lua_shared_dict
function Client:_share_clock(dict)
  self._clock_dict = dict
  self._clock:share(dict)
end

local function ask(self, waiter, timeout)
  return call(self, BALANCES_TARGET, { timeout = timeout }, waiter)
end

-- ---- making one ----

--- See bitfront.new. Raises at `level`.
---@param options bitfront.Options?
---@param level integer
---@param name? string  of the function that is called; default bitfront.new
---@return bitfront.Client
function _M.new(options, level, name)
  name = name or "bitfront.new"
  local checked = options_of.check(options, level + 1, name)
  local limits = checked.rate_limit
  local self = setmetatable({
    _options = checked, _quota = retry.quota(), _waiter = wait.by(checked.sleep),
    _limits = limits and {
      per_second = limits.per_second, per_minute = limits.per_minute,
      store = limits.store or limiter.process_store(),
    },
  }, meta)
  local begun, err = accounts.begin(self)
  if not begun then misuse.raise("%s: %s", name, err.message) end
  return self
end

--- See bitfront.balances_many. Raises at `level`.
---@param clients bitfront.Client[]
---@param options bitfront.ManyOptions?
---@param level integer
---@return bitfront.Outcome[]
function _M.balances_many(clients, options, level)
  local results = many.balances(clients, options, is_client, ask, level + 1)
  return results
end

return _M
