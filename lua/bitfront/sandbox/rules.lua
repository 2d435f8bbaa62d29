--- The exchange's rules, to be read beside the API's documents. Nothing here
-- knows nginx: server.lua hands in requests, and says what time it is.
--
-- A refusal is an envelope without `responseData`; the HTTP status is 200
-- whatever the outcome.

local crypto = require "bitfront.sandbox.crypto"
local limits = require "bitfront.sandbox.limits"

local _M = {}

---@class bitfront.sandbox.Request
---@field method string
---@field path string  As sent: not decoded, not normalized.
---@field query string  Without `?`; "" for none.
---@field body string
---@field headers table<string, string|string[]>  Names in lower case.
---@field arrived integer  Machine's clock, ms.

---@class bitfront.sandbox.Exchange
---@field accounts table<string, bitfront.sandbox.Account>  By API key.
---@field settings bitfront.sandbox.Settings
---@field arrivals table<string, table>  Arrival times by API key, as queues.
---@field spent table  Signatures and nonces that have had their one use.

---@class bitfront.sandbox.Settings
---@field clock_offset_ms integer  Exchange's clock minus the machine's.
---@field limits boolean  false: any number of calls.
---@field balance_as "array"|"object"  How the balance of one currency is sent:
---  it is documented as an object and shown as an array of one.
---@field down boolean  true: no request is answered, see server.lua.
---@field latency_ms integer  How long each reply waits before it is sent.
---@field jitter_ms integer  And at most how much longer, by chance.

---@class bitfront.sandbox.Verdict
---@field code integer  statusCode
---@field data? string  JSON text of responseData
---@field bare? boolean  No statusCode in the reply (public/time).

local SUCCESS = 1000
local CLOCK_TOLERANCE_MS = 1000
local LONGEST_WINDOW_MS = 60000

_M.messages = {
  [SUCCESS] = "SUCCESS",
  [1202] = "MEMBER NOT FOUND",
  [3113] = "CURRENCY PAIR IN MAINTENANCE",
  [3401] = "INTERNAL ERROR IN THE CORE SYSTEM",
  [4000] = "BAD REQUEST",
  [4001] = "X-API-KEY, X-API-SIGN OR X-API-TIMESTAMP MISSING",
  [4002] = "INVALID PARAMETER VALUE",
  [4003] = "INVALID SIGNATURE",
  [4005] = "SIGNATURE ALREADY USED",
  [4011] = "INVALID CURRENCY",
  [4013] = "INVALID TIMESTAMP",
  [4017] = "UNSUPPORTED METHOD",
  [4018] = "INVALID X-API-NONCE",
  [4101] = "ACCOUNT NOT FOUND",
  [5000] = "INTERNAL ERROR",
  [5001] = "INTERNAL TIMEOUT",
  [5002] = "SOCKET TIMEOUT",
  [6000] = "UNAUTHORIZED",
  [6001] = "UNREGISTERED API KEY",
  [6002] = "INVALID API KEY",
  [6003] = "IP ADDRESS NOT PERMITTED",
  [6004] = "LIMIT EXCEEDED",
  [6005] = "INVALID REQUEST TIMESTAMP",
}

---@param accounts table<string, bitfront.sandbox.Account>
---@return bitfront.sandbox.Exchange
function _M.new(accounts)
  return {
    accounts = accounts,
    settings = {
      clock_offset_ms = 0, limits = true, balance_as = "array",
      down = false, latency_ms = 0, jitter_ms = 0,
    },
    arrivals = {},
    spent = { now = {}, before = {}, turned = 0 },
  }
end

--- The exchange's clock at a moment of the machine's clock.
function _M.clock(exchange, machine_ms)
  return machine_ms + exchange.settings.clock_offset_ms
end

-- Arrivals of one key that still count: a queue, oldest first.
local function arrivals_of(exchange, key)
  local queue = exchange.arrivals[key]
  if not queue then
    queue = { first = 1, last = 0 }
    exchange.arrivals[key] = queue
  end
  return queue
end

local function count_arrival(queue, now)
  queue.last = queue.last + 1
  queue[queue.last] = now
  while now - queue[queue.first] >= LONGEST_WINDOW_MS do
    queue[queue.first] = nil
    queue.first = queue.first + 1
  end
end

-- More than `limit.calls` arrivals in the last `limit.ms`, this one included?
local function exceeds(queue, now, limit)
  local earlier = queue[queue.last - limit.calls]
  return earlier ~= nil and now - earlier < limit.ms
end

-- What a signature or a nonce was used for is forgotten after one to two
-- minutes; by then the clock check refuses it.
local function spend(exchange, mark, now)
  local spent = exchange.spent
  if now - spent.turned >= 60000 then
    spent.before, spent.now, spent.turned = spent.now, {}, now
  end
  local fresh = not (spent.now[mark] or spent.before[mark])
  spent.now[mark] = true
  return fresh
end

---------------------------------------------------------------------------
-- The checks of a signed request. Each returns the refusal's code or nil.

-- Counted where it arrives: also a request that is refused, for this reason
-- or another, as long as it names a registered key.
local function within_limits(exchange, request)
  if not (exchange.settings.limits and exchange.accounts[request.key]) then
    return nil
  end
  local queue = arrivals_of(exchange, request.key)
  count_arrival(queue, request.arrived)
  for _, limit in ipairs(limits) do
    if exceeds(queue, request.arrived, limit) then return 6004 end
  end
end

local function path_known(_, request)
  if not request.endpoint then return 4000 end
end

local function method_supported(_, request)
  if request.method ~= "GET" then return 4017 end
end

local function headers_sent_once(_, request)
  for _, name in ipairs { "key", "signature", "timestamp", "nonce" } do
    if type(request[name]) == "table" then return 4000 end
  end
end

-- The documents do not count the nonce among these: without one it is 4018.
local function headers_present(_, request)
  for _, name in ipairs { "key", "signature", "timestamp" } do
    if (request[name] or "") == "" then return 4001 end
  end
end

local function key_well_formed(_, request)
  if not request.key:find("^%w+$") then return 6002 end
end

local function key_registered(exchange, request)
  request.account = exchange.accounts[request.key]
  if not request.account then return 6001 end
end

local function nonce_well_formed(_, request)
  if not (request.nonce or ""):find("^[1-9]%d%d%d%d$") then return 4018 end
end

local function timestamp_well_formed(_, request)
  if not request.timestamp:find("^[1-9]%d*$") then return 4013 end
end

-- The documents allow 5 s one way and 1 s the other; which is which, they do
-- not agree on. 1 s either way satisfies both readings.
local function timestamp_near(exchange, request)
  local now = _M.clock(exchange, request.arrived)
  local distance = math.abs(tonumber(request.timestamp) - now)
  if distance >= CLOCK_TOLERANCE_MS then return 6005 end
end

local function signature_right(_, request)
  local message = request.nonce .. request.timestamp .. request.method
    .. request.path .. request.query .. request.body
  local right = crypto.hmac_sha256_hex(request.account.api_secret, message)
  if not crypto.equal(request.signature, right) then return 4003 end
end

local function signature_unused(exchange, request)
  local fresh = spend(exchange, request.signature, request.arrived)
  if not fresh then return 4005 end
end

-- The same nonce and timestamp under another signature: another path or query.
local function nonce_unused(exchange, request)
  local mark = request.key .. request.timestamp .. request.nonce
  if not spend(exchange, mark, request.arrived) then return 4018 end
end

-- In this order; the first refusal is the answer.
local checks = {
  within_limits,         -- 6004
  path_known,            -- 4000
  method_supported,      -- 4017
  headers_sent_once,     -- 4000
  headers_present,       -- 4001
  key_well_formed,       -- 6002
  key_registered,        -- 6001
  nonce_well_formed,     -- 4018
  timestamp_well_formed, -- 4013
  timestamp_near,        -- 6005
  signature_right,       -- 4003
  signature_unused,      -- 4005
  nonce_unused,          -- 4018
}

---------------------------------------------------------------------------
-- The endpoints

local function json_array(texts)
  return "[" .. table.concat(texts, ",") .. "]"
end

-- GET /v1/account/balances
local function balances(_, request)
  local texts = {}
  for i, record in ipairs(request.account.balances) do
    texts[i] = record.json
  end
  return { code = SUCCESS, data = json_array(texts) }
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- GET /v1/account/balances/{currency}: what was signed is the path as sent.
local function balance(exchange, request)
  local code = unescape(request.path:match("[^/]+$"))
  for _, record in ipairs(request.account.balances) do
    if record.currency == code then
      local as_object = exchange.settings.balance_as == "object"
      local data = as_object and record.json or json_array { record.json }
      return { code = SUCCESS, data = data }
    end
  end
  return { code = 4011 }
end

-- GET /v1/public/time
local function time()
  return { code = SUCCESS, bare = true }
end

local signed = {
  { "^/v1/account/balances$", balances },
  { "^/v1/account/balances/[^/]+$", balance },
}

local function endpoint_of(path)
  for _, row in ipairs(signed) do
    if path:find(row[1]) then return row[2] end
  end
end

---------------------------------------------------------------------------

local function judge_signed(exchange, request)
  request.key = request.headers["x-api-key"]
  request.signature = request.headers["x-api-sign"]
  request.timestamp = request.headers["x-api-timestamp"]
  request.nonce = request.headers["x-api-nonce"]
  request.endpoint = endpoint_of(request.path)
  for _, check in ipairs(checks) do
    local refusal = check(exchange, request)
    if refusal then return { code = refusal } end
  end
  return request.endpoint(exchange, request)
end

--- What the exchange thinks of a request. Counts it, and spends its signature.
---@param exchange bitfront.sandbox.Exchange
---@param request bitfront.sandbox.Request
---@return bitfront.sandbox.Verdict
function _M.judge(exchange, request)
  if request.path ~= "/v1/public/time" then
    return judge_signed(exchange, request)
  end
  local refusal = method_supported(exchange, request)
  return refusal and { code = refusal } or time()
end

--- The body that tells a verdict.
---@param verdict bitfront.sandbox.Verdict
---@param now integer  Exchange's clock, ms.
---@param message? string  JSON text, instead of the code's own message.
---@return string json
function _M.body(verdict, now, message)
  local fields = { ('"timezone":"UTC","responseTime":%.0f'):format(now) }
  if not verdict.bare then
    message = message or ('"%s"'):format(_M.messages[verdict.code] or "")
    fields[#fields + 1] = ('"statusCode":%d'):format(verdict.code)
    fields[#fields + 1] = '"statusMessage":' .. message
  end
  if verdict.data then
    fields[#fields + 1] = '"responseData":' .. verdict.data
  end
  return "{" .. table.concat(fields, ",") .. "}"
end

return _M
