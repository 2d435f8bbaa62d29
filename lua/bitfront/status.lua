-- The kinds of errors and the exchange's status codes. Source of the codes: the
-- API's table of StatusCode definitions.

local keyed = require "bitfront.rows".keyed

local _M = {}

--- What kind of error it is: a closed set, to be compared with.
---@alias bitfront.ErrorKind
---| "config" # credentials are missing or cannot be used, or a setting is wrong
---| "network" # no connection, or it broke before the reply was whole
---| "timeout" # the deadline came
---| "tls" # the server could not prove its identity, or refused TLS
---| "http" # an HTTP status other than 200; 429 and 5xx are retryable
---| "protocol" # a reply that is not what the API documents
---| "auth" # the account or the key is unknown or not allowed
---| "permission" # this IP address is not permitted
---| "signature" # a header is missing, or the signature is wrong
---| "replay" # the signature or the nonce was used before
---| "clock" # the request's time is wrong
---| "rate_limit" # too many calls
---| "maintenance" # of a currency pair
---| "server" # the exchange's internal errors
---| "request" # the exchange refuses what was asked
---| "phase" # nginx cannot wait in this phase
---| "closed" # the client is closed
---| "memory" # there was not enough memory, or no thread

---@class bitfront.KindRow
---@field name bitfront.ErrorKind
---@field retryable? true  the same call may succeed later

---@type bitfront.KindRow[]
_M.KINDS = keyed {
  { name = "config" },
  { name = "network", retryable = true },
  { name = "timeout", retryable = true },
  { name = "tls" },
  { name = "http" },
  { name = "protocol" },
  { name = "auth" },
  { name = "permission" },
  { name = "signature" },
  { name = "replay", retryable = true },
  { name = "clock", retryable = true },
  { name = "rate_limit", retryable = true },
  { name = "maintenance" },
  { name = "server", retryable = true },
  { name = "request" },
  { name = "phase" },
  { name = "closed" },
  { name = "memory" },
}

--- The exchange's status codes: code, kind, and the API's text for it. A client
--- that only reads meets the refusals of orders in client:get at most.
---@type { [1]: integer, [2]: bitfront.ErrorKind, [3]: string }[]
_M.CODES = {
  { 1202, "auth", "Member not found" },
  { 3113, "maintenance", "Currency pair system is in maintenance" },
  { 3203, "request", "Unit price cannot be lower than the minimum value" },
  { 3204, "request", "Unit price is out of scale" },
  { 3211, "request", "Amount is too low" },
  { 3212, "request", "Amount is too high to order" },
  { 3213, "request", "AMOUNT has out of scale" },
  { 3221, "request", "Volume is too low" },
  { 3222, "request", "Volume is too high to order" },
  { 3301, "request", "Not enough balance for an order" },
  { 3302, "request", "Not enough remained amount for a request" },
  { 3311, "request", "Active order count exceed" },
  { 3321, "request", "Original request not found" },
  { 3401, "server", "Internal core system error" },
  { 4000, "request", "Bad request" },
  { 4001, "signature", "X-API-Key, X-API-SIGN, or X-API-TIMESTAMP is missing" },
  { 4002, "request", "Invalid parameter value" },
  { 4003, "signature", "Invalid signature" },
  { 4005, "replay", "Duplicate signature usage detected" },
  { 4006, "request", "Invalid 'orderSide' parameter" },
  { 4007, "request", "Invalid 'quantity' parameter (should be greater than 0)" },
  { 4008, "request", "Invalid 'price' parameter (should be greater than 0)" },
  { 4009, "request", "Invalid 'coinPair'" },
  { 4010, "request", "Invalid 'market'" },
  { 4011, "request", "Invalid 'currency'" },
  { 4012, "request", "Mandatory parameter not passed" },
  { 4013, "clock", "Invalid timestamp" },
  { 4014, "request", "Invalid transfer type" },
  { 4015, "request", "Invalid page number" },
  { 4016, "request", "Invalid page size" },
  { 4017, "request", "Unsupported request method" },
  { 4018, "replay", "Invalid X-API-NONCE" },
  { 4101, "auth", "Account not found" },
  { 5000, "server", "Internal server side error" },
  { 5001, "server", "Internal timeout error" },
  { 5002, "server", "Socket timeout exception" },
  { 6000, "auth", "Unauthorized request" },
  { 6001, "auth", "Unregistered API KEY" },
  { 6002, "auth", "Invalid API KEY" },
  { 6003, "permission", "Unauthorized IP" },
  { 6004, "rate_limit", "API RPS limit exceeded" },
  { 6005, "clock", "Invalid request timestamp" },
}

local kind_of_code = {}
for _, row in ipairs(_M.CODES) do kind_of_code[row[1]] = row[2] end

--- The kind of a refusal by its statusCode, which is not 1000. A code that is not
--- in the table is the server's error if it is 5xxx, else the request's.
---@return bitfront.ErrorKind
function _M.kind_of(code)
  return kind_of_code[code] or code >= 5000 and code <= 5999 and "server" or "request"
end

--- May the same call succeed later?
function _M.is_retryable(kind, http_status)
  if kind == "http" and http_status then
    return http_status == 429 or http_status >= 500 and http_status <= 599
  end
  return _M.KINDS[kind] ~= nil and _M.KINDS[kind].retryable or false
end

return _M
