--- Errors for clients: RFC 9457's application/problem+json, with the kind and a
-- sentence of this file. Texts of the exchange and names of files and servers are not
-- shown.

local _M = {}

---@class bitfront.nginx.Problem
---@field status integer
---@field body string
---@field retry_after integer?  seconds
---@field allow string?

local TITLES = {
  [400] = "Bad Request", [403] = "Forbidden", [405] = "Method Not Allowed",
  [406] = "Not Acceptable", [421] = "Misdirected Request", [500] = "Internal Server Error",
  [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

local OF_SITE = "The site cannot ask the exchange. Its error log says why."
local OF_REPLY = "The exchange did not answer as it should."

-- The status and the sentence for each kind; all others are the site's errors.
local KINDS = {
  network = { 502, "The exchange cannot be reached." },
  tls = { 502, "The exchange cannot prove that it is the exchange." },
  http = { 502, OF_REPLY },
  protocol = { 502, OF_REPLY },
  server = { 502, "The exchange has an internal error." },
  timeout = { 504, "The exchange did not answer in time." },
  rate_limit = { 503, "The exchange has been asked as often as it allows." },
}

--- A problem with the request. Nothing in the values may need escaping.
---@param status integer
---@param kind string
---@param detail string  ASCII without quotes
---@return bitfront.nginx.Problem
function _M.of_request(status, kind, detail)
  return { status = status, body = ('{"type":"about:blank","title":"%s","status":%d,'
    .. '"kind":"%s","detail":"%s"}'):format(TITLES[status], status, kind, detail) }
end

--- What is wrong, as a sentence for people.
---@param err bitfront.Error
---@return string
function _M.sentence(err)
  local row = KINDS[err.kind]
  return row and err.code ~= "ca_file" and row[2] or OF_SITE
end

--- A problem on the way to the exchange.
---@param err bitfront.Error
---@param ttl number  after which the exchange is asked again
---@return bitfront.nginx.Problem
function _M.of_error(err, ttl)
  local status = KINDS[err.kind] and KINDS[err.kind][1] or 500
  local problem = _M.of_request(status, err.kind, _M.sentence(err))
  if status == 503 then
    problem.retry_after = math.max(1, math.ceil(err.retry_after or ttl))
  end
  return problem
end

return _M
