-- The exchange's rules, to be read beside the API's documents. Nothing here knows
-- nginx: server.lua passes requests and the time.
--
-- A refusal is an envelope without `responseData`; the HTTP status is 200 whatever
-- the result. What the documents leave open is marked as an assumption.

local check = require "bitfront.check"
local cjson = require "cjson"
local market = require "bitfront.sandbox.market"
local status = require "bitfront.status"

local _M = {}

---@class bitfront.sandbox.Request
---@field method string
---@field path string  as sent: not decoded, not normalized
---@field query string  without `?`; "" for none
---@field body string
---@field arrived integer  ms, by the machine's clock
---@field key? string|string[]  this and the next three: the headers, a table where one
---  was sent twice
---@field timestamp? string|string[]
---@field nonce? string|string[]
---@field signature? string|string[]
---@field traceparent? string|string[]  W3C's; for the log alone
---@field control? string|string[]  X-Bitfront-Sandbox

---@class bitfront.sandbox.Exchange
---@field accounts table<string, bitfront.sandbox.Account>  by API key
---@field settings table<string, any>
---@field arrivals table<string, integer[]>  arrival times by API key
---@field spent table  signatures and nonces that have had their one use

---@class bitfront.sandbox.Decision
---@field code integer  statusCode
---@field data? string  JSON text of responseData
---@field bare? boolean  without a statusCode in the reply (public/time)

local SUCCESS = 1000
local CLOCK_TOLERANCE_MS = 1000
local SPENT_FOR_MS = 60000

---@class bitfront.sandbox.Limit
---@field name "per_second"|"per_minute"
---@field calls integer  the most in any `ms`
---@field ms integer

--- How many calls the exchange takes of one key; the most calls last.
---@type bitfront.sandbox.Limit[]
_M.limits = {
  { name = "per_second", calls = 3, ms = 1000 },
  { name = "per_minute", calls = 60, ms = 60000 },
}

--- The same for single paths. Assumption: their calls count towards the limits of the key
--- too.
---@type table<string, bitfront.sandbox.Limit[]>
_M.path_limits = {
  ["/v2/account/tradeHistory"] = {
    { name = "per_second", calls = 1, ms = 1000 },
    { name = "per_minute", calls = 30, ms = 60000 },
  },
}

-- The documents' texts, as their table of codes has them. Assumption: their examples, one
-- of which says SUCCESS and one of 4001 a whole sentence, are not what is sent.
local messages = { [SUCCESS] = "Success" }
for _, row in ipairs(status.CODES) do messages[row[1]] = row[3] end

--- How long a reply may be made to wait: up to an hour.
_M.latency = check.whole(0, 3600000, "milliseconds")

--- What can be set while the exchange runs, by name.
---@type table<string, bitfront.OptionRow>
_M.settings = {
  clock_offset_ms = { check = check.whole(-2 ^ 53, 2 ^ 53, "milliseconds"),
    default = 0, about = "how far the exchange's clock is ahead of the machine's" },
  limits = { check = check.boolean, default = true,
    about = "false: any number of calls" },
  balance_as = { check = check.one_of("array", "object"),
    default = "array", about = "how the balance of one coin is sent: it is documented as "
      .. "an object and shown as an array of one" },
  not_held_as = { check = check.one_of("zero", "refusal"),
    default = "zero", about = "what is said of a coin that the exchange knows and the "
      .. "account does not hold: the documents call 4011 an unsupported currency" },
  down = { check = check.boolean, default = false,
    about = "true: the connection of each request is reset" },
  latency_ms = { check = _M.latency, default = 0,
    about = "how long each reply waits before it is sent" },
  jitter_ms = { check = _M.latency, default = 0,
    about = "how much longer, at most and by chance, each reply waits" },
}

---@param accounts table<string, bitfront.sandbox.Account>
---@return bitfront.sandbox.Exchange
function _M.new(accounts)
  return {
    accounts = accounts,
    settings = check.with_defaults({}, _M.settings),
    arrivals = {},
    spent = { now = {}, before = {}, turned = 0 },
  }
end

--- The exchange's clock, in ms, at a moment of the machine's clock.
function _M.clock(exchange, machine_ms)
  return machine_ms + exchange.settings.clock_offset_ms
end

-- Adds to the arrivals of this name, as many as the limits go by, oldest first; returns
-- whether they are too many.
local function count_arrival(exchange, name, now, limits)
  local times, is_over = exchange.arrivals[name] or {}, false
  exchange.arrivals[name] = times
  times[#times + 1] = now
  if #times > limits[#limits].calls + 1 then table.remove(times, 1) end
  for _, limit in ipairs(limits) do
    local earlier = times[#times - limit.calls]
    is_over = is_over or earlier ~= nil and now - earlier < limit.ms
  end
  return is_over
end

-- Marks a signature or a nonce as used; false where it was used before. Marks are
-- removed after one to two minutes, when the check of the clock refuses them.
local function spend(exchange, mark, now)
  local spent = exchange.spent
  if now - spent.turned >= SPENT_FOR_MS then
    spent.before, spent.now, spent.turned = spent.now, {}, now
  end
  local fresh = not (spent.now[mark] or spent.before[mark])
  spent.now[mark] = true
  return fresh
end

---------------------------------------------------------------------------
-- What a request is refused for

-- Assumption: a request counts where it arrives, also one that is refused, for this
-- reason or another, as long as it names a registered key.
local function is_over_limit(exchange, request)
  if not (exchange.settings.limits and exchange.accounts[request.key]) then
    return false
  end
  local key, path, now = request.key, request.path, request.arrived
  local is_over = count_arrival(exchange, key, now, _M.limits)
  local own = _M.path_limits[path]
  return own and count_arrival(exchange, key .. " " .. path, now, own) or is_over
end

local function has_other_method(_, request)
  return request.method ~= "GET"
end

local function has_header_twice(_, request)
  for _, name in ipairs { "key", "signature", "timestamp", "nonce" } do
    if type(request[name]) == "table" then return true end
  end
  return false
end

-- The documents do not count the nonce among these: without one it is 4018.
local function lacks_header(_, request)
  for _, name in ipairs { "key", "signature", "timestamp" } do
    if (request[name] or "") == "" then return true end
  end
  return false
end

local function has_unknown_key(exchange, request)
  request.account = exchange.accounts[request.key]
  return not request.account
end

-- Assumption: the documents allow 5 s one way and 1 s the other; which is which,
-- they do not agree on. 1 s either way satisfies both readings.
local function has_distant_timestamp(exchange, request)
  local now = _M.clock(exchange, request.arrived)
  return math.abs(tonumber(request.timestamp) - now) >= CLOCK_TOLERANCE_MS
end

local function has_wrong_signature(_, request)
  local c_functions = require "bitfront.sandbox.c_functions" -- only nginx has it
  local message = request.nonce .. request.timestamp .. request.method
    .. request.path .. request.query .. request.body
  return request.signature
    ~= c_functions.hmac_sha256_hex(request.account.api_secret, message)
end

-- The same nonce and timestamp under another signature: another path or query.
local function has_used_nonce(exchange, request)
  local mark = request.key .. request.timestamp .. request.nonce
  return not spend(exchange, mark, request.arrived)
end

-- Assumption: they are checked in this order. The first that applies is the answer. And: a
-- path that does not exist, and a header that came twice, are a bad request.
local refusals = {
  { code = 6004, when = is_over_limit },
  { code = 4000, when = function(_, request) return not request.endpoint end },
  { code = 4017, when = has_other_method },
  { code = 4000, when = has_header_twice },
  { code = 4001, when = lacks_header },
  -- Assumption: the documents do not say what makes a key invalid.
  { code = 6002, when = function(_, request) return request.key:find("%W") end },
  { code = 6001, when = has_unknown_key },
  { code = 4018, when = function(_, request)
    return not (request.nonce or ""):find("^[1-9]%d%d%d%d$")
  end },
  { code = 4013, when = function(_, request)
    return not request.timestamp:find("^[1-9]%d*$")
  end },
  { code = 6005, when = has_distant_timestamp },
  { code = 4003, when = has_wrong_signature },
  { code = 4005, when = function(exchange, request)
    return not spend(exchange, request.signature, request.arrived)
  end },
  { code = 4018, when = has_used_nonce },
}

---------------------------------------------------------------------------
-- The endpoints

local function json_array(texts)
  return "[" .. table.concat(texts, ",") .. "]"
end

-- GET /v1/account/balances
local function balances(_, request)
  local texts = {}
  for i, record in ipairs(request.account.balances) do texts[i] = record.json end
  return { code = SUCCESS, data = json_array(texts) }
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- Assumption: the documents list all coin codes in pairPolicy; here those of any account are
-- known, too.
local function is_known(exchange, code)
  if market.knows(code) then return true end
  for _, account in pairs(exchange.accounts) do
    for _, record in ipairs(account.balances) do
      if record.currency == code then return true end
    end
  end
  return false
end

-- The record of a coin as JSON; nil: 4011. Assumption: a coin that the exchange knows is
-- a supported one, so an account without it has 0 of it.
local function record_of(exchange, account, code)
  for _, record in ipairs(account.balances) do
    if record.currency == code then return record.json end
  end
  return exchange.settings.not_held_as == "zero" and is_known(exchange, code)
    and ('{"currency":%s,"balance":0,"availableBalance":0}'):format(cjson.encode(code)) or nil
end

-- GET /v1/account/balances/{currency}: what was signed is the path as sent.
local function balance(exchange, request)
  local json = record_of(exchange, request.account, unescape(request.path:match("[^/]+$")))
  if not json then return { code = 4011 } end
  local as_object = exchange.settings.balance_as == "object"
  return { code = SUCCESS, data = as_object and json or json_array { json } }
end

local function always(code, data)
  return function() return { code = code, data = data } end
end

-- The value of a field of the query, as it was before it was escaped.
local function field(query, name)
  for found, value in query:gmatch("([^&=]+)=([^&]*)") do
    if found == name then return unescape(value) end
  end
end

-- What is said of the pair that the field coinPair names. Assumption: a field that is
-- missing is told of before a pair that does not exist.
---@param required string[]  fields of the query
---@param data_of fun(pair: bitfront.sandbox.Pair): string
local function of_pair(required, data_of)
  return function(_, request)
    for _, name in ipairs(required) do
      if not field(request.query, name) then return { code = 4012 } end
    end
    local pair = market.find(field(request.query, "coinPair"))
    return { code = pair and SUCCESS or 4009, data = pair and data_of(pair) }
  end
end

-- The account has never traded or transferred anything. Assumption: then no order is found
-- by its number, and a list is empty.
local SIGNED = {
  { "^/v1/account/balances$", balances },
  { "^/v1/account/balances/[^/]+$", balance },
  { "^/v1/account/transactionHistory$", always(SUCCESS, '{"number":0,"size":20,'
    .. '"totalPages":0,"numberOfElements":0,"totalElements":0,"previousPage":false,'
    .. '"first":true,"nextPage":false,"last":true,"content":[]}') },
  { "^/v1/trade/openOrders$", always(SUCCESS, "[]") },
  { "^/v2/account/orders/%d+$", always(3321) },
  { "^/v2/account/tradeHistory$",
    of_pair({ "coinPair", "startTime" }, function() return "[]" end) },
}

-- Assumption: but for the time these replies have the envelope of the others.
local PUBLIC = {
  ["/v1/public/time"] = function() return { code = SUCCESS, bare = true } end,
  ["/v1/market/public/currentTickValue"] = of_pair({ "coinPair" }, market.tick_value),
  ["/v1/market/public/coins/pairPolicy"] = always(SUCCESS, market.policies()),
}

--- Whether what is there is answered unsigned, and not counted.
function _M.is_public(path)
  return PUBLIC[path] ~= nil
end

local function endpoint_of(path)
  for _, row in ipairs(SIGNED) do
    if path:find(row[1]) then return row[2] end
  end
end

local function judge_signed(exchange, request)
  request.endpoint = endpoint_of(request.path)
  for _, row in ipairs(refusals) do
    if row.when(exchange, request) then return { code = row.code } end
  end
  return request.endpoint(exchange, request)
end

--- The exchange's answer to a request. Counts the request, and marks its signature as
--- used.
---@param exchange bitfront.sandbox.Exchange
---@param request bitfront.sandbox.Request
---@return bitfront.sandbox.Decision
function _M.judge(exchange, request)
  local public = PUBLIC[request.path]
  if not public then return judge_signed(exchange, request) end
  if has_other_method(exchange, request) then return { code = 4017 } end
  return public(exchange, request)
end

--- The body of the reply.
---@param decision bitfront.sandbox.Decision
---@param now integer  ms, by the exchange's clock
---@param message? string  JSON text, instead of the code's own message
---@return string json
function _M.body(decision, now, message)
  local head = ('{"timezone":"UTC","responseTime":%.0f'):format(now)
  if decision.bare then return head .. "}" end
  message = message or ('"%s"'):format(messages[decision.code] or "")
  return ('%s,"statusCode":%d,"statusMessage":%s%s}'):format(head, decision.code, message,
    decision.data and ',"responseData":' .. decision.data or "")
end

return _M
