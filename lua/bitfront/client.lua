-- A client: one account at one exchange. Everything that is policy is here;
-- the bytes are C's.

local credentials = require "bitfront.credentials"
local errors = require "bitfront.error"
local native = require "bitfront.native"
local options_of = require "bitfront.options"
local version = require "bitfront.version"

local _M = {}

local MAX_QUERY = 8192 -- bytes
local BASE_URL = "https://openapi.bitfront.me"
local BALANCES = "/v1/account/balances"
local BALANCES_REQUEST = { want = "balances", path = BALANCES }
local TIME_REQUEST = { want = "public", path = "/v1/public/time" }

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
---@field attempts integer  requests made for the call
---@field elapsed number  seconds the call took
---@field clock_offset number?  ms by which the server's clock is ahead of ours, as this reply tells

---@class bitfront.Client
local Client = {}
local meta = { __index = Client, __name = "bitfront.client" }

-- ---- the call ----

-- The server read its clock between our sending and its reply: most likely half
-- way.
local function clock_offset(response_time, sent, round_trip)
  if response_time and sent and round_trip then
    local ago = native.now() - sent - round_trip / 2
    return response_time - (native.wall() - ago * 1000)
  end
end

-- How to wait where this is called: inside nginx without keeping it.
local function waiter()
  local ngx = rawget(_G, "ngx")
  if ngx and ngx.get_phase then
    return require("bitfront.wait.nginx").waiter()
  end
  return native
end

local function attempt(self, request, deadline, by)
  return by.read(self._native, request.want, request.path, request.query,
    deadline, self._options.amounts)
end

-- One call, one deadline over all of it. Today it is one attempt; limiter,
-- clock and retries belong around it.
local function call(self, request)
  local started = native.now()
  local deadline = started + self._options.timeout
  local by, refusal = waiter()
  if not by then
    return nil, errors.new(refusal, 0)
  end
  if self._fault then
    return nil, errors.new(self._fault(), 0)
  elseif self._native:is_closed() then
    return nil, errors.new({
      kind = "closed", code = "closed", message = "the client is closed",
    }, 0)
  end
  if request.want ~= "public" then
    local ready, err = credentials.load(self._native, self._options)
    if not ready then
      return nil, err
    end
  end
  local value, failure, info, sent, round_trip =
    attempt(self, request, deadline, by)
  if info then
    info.attempts = 1
    info.elapsed = native.now() - started
    info.clock_offset = clock_offset(info.responseTime, sent, round_trip)
  end
  return value, failure and errors.new(failure, sent and 1 or 0), info
end

-- ---- what is asked for ----

-- Patterns name their letters: %w asks the locale.

-- A path is signed and sent as it is, so it has nothing in it that a URL parser
-- might read in another way.
local function check_path(path, level)
  if type(path) ~= "string" or not path:find "^/v[0-9]+/[A-Za-z0-9_./~-]*$"
    or path:find "//" or (path .. "/"):find "/%.%.?/" then
    error("client:get: path must look like /v1/trade/openOrders", level + 1)
  end
  return path
end

local function escape(text)
  return (text:gsub("[^A-Za-z0-9._~-]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local function query_value(name, value, level)
  if type(value) == "number" and value % 1 == 0 and value > -2 ^ 53
    and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  elseif type(value) == "boolean" then
    return tostring(value)
  elseif type(value) ~= "string" then
    error(("client:get: query value of %s must be a string, a whole number "
      .. "or a boolean"):format(tostring(name)), level + 1)
  end
  return escape(value)
end

-- In the order of the names, so that the same table is the same request.
local function query_of_table(query, level)
  local pairs_of = {}
  for name, value in pairs(query) do
    if type(name) ~= "string" then
      error("client:get: query names must be strings", level + 1)
    end
    pairs_of[#pairs_of + 1] = escape(name) .. "="
      .. query_value(name, value, level + 1)
  end
  table.sort(pairs_of)
  local text = table.concat(pairs_of, "&")
  if #text > MAX_QUERY then
    error("client:get: query must not exceed 8192 bytes", level + 1)
  end
  return text
end

local function check_query(query, level)
  if type(query) == "table" then
    return query_of_table(query, level + 1)
  elseif query ~= nil and (type(query) ~= "string" or #query > MAX_QUERY
    or query:find "[^A-Za-z0-9!$%%&'()*+,./:;=?@_~-]" or query:find "^%?") then
    error("client:get: query must be a table, or a string as it stands in "
      .. "a URL, without the ?", level + 1)
  end
  return query
end

-- ---- what a user calls ----

local function check_self(self, name)
  if getmetatable(self) ~= meta then
    error(("call it with a colon: client:%s(...)"):format(name), 3)
  end
end

--- The account's balances, in the server's order.
---@return bitfront.Record[]? records  empty for an empty account
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:balances()
  check_self(self, "balances")
  return call(self, BALANCES_REQUEST)
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
---@param code string  coin code such as "BTC": 1 to 20 of A-Z and 0-9
---@return bitfront.Record? record
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:balance(code)
  check_self(self, "balance")
  if type(code) ~= "string" or #code > 20 or not code:find "^[A-Z0-9]+$" then
    error("client:balance: code must be 1 to 20 of A-Z and 0-9", 2)
  end
  local path = BALANCES .. "/" .. code
  local records, err, info = call(self, { want = "balances", path = path })
  if not records then
    return nil, err, info
  end
  local record, trouble = the_record(records, code)
  return record, trouble and errors.new({
    kind = "protocol", code = "schema", http_status = info.http_status,
    message = trouble,
  }, 1), info
end

--- The server's clock. Needs no credentials.
---@return integer? milliseconds  Unix time
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:server_time()
  check_self(self, "server_time")
  local reply, err, info = call(self, TIME_REQUEST)
  if reply and not (info and info.responseTime) then
    err = errors.new({
      kind = "protocol", code = "schema",
      message = "responseTime must be an integer",
    }, 1)
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
---@return any? data  responseData decoded by lua-cjson (amounts are doubles, null is cjson.null); the whole reply where it has none
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:get(path, query)
  check_self(self, "get")
  path, query = check_path(path, 2), check_query(query, 2)
  local public = path:find "^/v%d+/public/" or path:find "^/v%d+/market/public/"
  local text, err, info = call(self, {
    want = public and "public" or "data", path = path, query = query,
  })
  if not text then
    return nil, err, info
  end
  local value, failure = decode(text)
  return value, failure and errors.new(failure, 1), info
end

--- Wipes the credentials. Calls after it return an error of kind "closed";
--- closing again does nothing.
function Client:close()
  check_self(self, "close")
  self._native:close()
end

meta.__close = Client.close

function meta:__tostring()
  return tostring(self._native)
end

-- ---- making one ----

local function native_options(checked)
  return {
    base_url = checked.base_url,
    ca_file = checked.ca_file,
    proxy = checked.proxy,
    user_agent = checked.user_agent or "bitfront-lua/" .. version,
    connect_timeout = checked.connect_timeout or 3,
    max_body = checked.max_body or 1048576,
  }
end

-- An empty variable is as good as none.
local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- What the environment says may be wrong without a fault of the caller's: then
-- there is a client, but each of its calls returns why it cannot work.
local function misconfigured(options, name, err)
  local function fault()
    return { kind = "config", code = err.code,
      message = ("%s: %s"):format(name, err.message) }
  end
  options.base_url = BASE_URL
  return setmetatable({
    _native = assert(native.new(native_options(options))),
    _options = options, _fault = fault,
  }, meta)
end

--- See bitfront.new. Raises at `level`.
---@param options bitfront.Options?
---@param level integer
---@return bitfront.Client
function _M.new(options, level)
  local checked = options_of.check(options, level + 1)
  local own_url = checked.base_url
  checked.base_url = own_url or variable "BITFRONT_BASE_URL" or BASE_URL
  checked.ca_file = checked.ca_file or variable "BITFRONT_CA_FILE"
  checked.timeout = checked.timeout or 10
  local client, err = native.new(native_options(checked))
  if not client and err.kind == "config" and not own_url then
    return misconfigured(checked, "BITFRONT_BASE_URL", err)
  elseif not client then
    error("bitfront.new: " .. err.message, level + 1)
  end
  if checked.api_key then
    local kept, trouble =
      client:set_credentials(checked.api_key, checked.api_secret)
    if not kept then
      error("bitfront.new: " .. trouble.message, level + 1)
    end
    checked.api_key, checked.api_secret = nil, nil -- in C from here on
  end
  return setmetatable({ _native = client, _options = checked }, meta)
end

return _M
