-- The exchange's status codes, and which failures may pass when the call is
-- made again. Source: the API's table of StatusCode definitions.

local _M = {}

local AUTH = { kind = "auth", retryable = false }
local PERMISSION = { kind = "permission", retryable = false }
local SIGNATURE = { kind = "signature", retryable = false }
local REQUEST = { kind = "request", retryable = false }
local MAINTENANCE = { kind = "maintenance", retryable = false }
local REPLAY = { kind = "replay", retryable = true } -- once, freshly signed
local CLOCK = { kind = "clock", retryable = true } -- once, with its offset
local RATE_LIMIT = { kind = "rate_limit", retryable = true }
local SERVER = { kind = "server", retryable = true }

local meanings = {
  [1202] = AUTH, -- member not found
  [3113] = MAINTENANCE, -- of the currency pair
  [3401] = SERVER, -- internal error in the core system
  [4000] = REQUEST, -- bad request
  [4001] = SIGNATURE, -- a header is missing
  [4002] = REQUEST, -- invalid parameter value
  [4003] = SIGNATURE, -- invalid signature
  [4005] = REPLAY, -- signature already used
  [4013] = CLOCK, -- invalid timestamp
  [4017] = REQUEST, -- unsupported method
  [4018] = REPLAY, -- invalid nonce
  [4101] = AUTH, -- account not found
  [5000] = SERVER, -- internal error
  [5001] = SERVER, -- internal time-out
  [5002] = SERVER, -- socket time-out
  [6000] = AUTH, -- unauthorized
  [6001] = AUTH, -- unregistered key
  [6002] = AUTH, -- invalid key
  [6003] = PERMISSION, -- this IP address is not permitted
  [6004] = RATE_LIMIT, -- limit exceeded
  [6005] = CLOCK, -- invalid request timestamp
}

-- Refusals of orders (price, amount, funds, count, not found) and of their
-- parameters: a client that only reads meets them in client:get at most.
for _, code in ipairs {
  3203, 3204, 3211, 3212, 3213, 3221, 3222, 3301, 3302, 3311, 3321,
  4006, 4007, 4008, 4009, 4010, 4011, 4012, 4014, 4015, 4016,
} do
  meanings[code] = REQUEST
end

--- What a statusCode other than 1000 means. A code that is not in the table is
--- the server's trouble if it is 5xxx, else the request's.
---@param code integer
---@return { kind: string, retryable: boolean }
function _M.meaning(code)
  local unknown = code >= 5000 and code <= 5999 and SERVER or REQUEST
  return meanings[code] or unknown
end

local passing = { network = true, timeout = true, rate_limit = true }

--- May a failure that is not a refusal by the exchange pass by itself?
---@param kind string
---@param http_status integer?
---@return boolean
function _M.may_pass(kind, http_status)
  if kind == "http" then
    http_status = http_status or 0
    return http_status == 429 or http_status >= 500 and http_status <= 599
  end
  return passing[kind] or false
end

return _M
