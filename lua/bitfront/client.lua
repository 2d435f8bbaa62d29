-- A client: one account at one exchange.

local accounts = require "bitfront.account"
local call = require "bitfront.call"
local errors = require "bitfront.error"
local misuse = require "bitfront.misuse"
local no_more = require "bitfront.check".no_more
local of_call = require "bitfront.options".of_call
local of_client = require "bitfront.options".of_client
local target = require "bitfront.target"

local _M = {}

---@class bitfront.Client
---@field package _account bitfront.Account
local Client = {}
local meta = { __index = Client, __name = "bitfront.client" }

--- Is this value a client?
---@param value any
---@return boolean
function _M.is_client(value)
  return getmetatable(value) == meta
end

--- The options of a client: checked, with defaults and without api_key and
--- api_secret.
---@param client bitfront.Client
---@return bitfront.Options
function _M.options(client)
  return accounts.of(client).options
end

--- See bitfront.new.
---@param options bitfront.Options?
---@param name? string  of the function that is called; default bitfront.new
---@return bitfront.Client
function _M.new(options, name)
  name = name or "bitfront.new"
  local account, err = accounts.new(of_client(name, options))
  if not account then misuse.raise("%s: %s", name, err.message) end
  call.prepare(account)
  return setmetatable({ _account = account }, meta)
end

-- ---- what a user calls ----

local function account_of(client, method)
  if getmetatable(client) ~= meta then
    misuse.raise("call it with a colon: client:%s(...)", method)
  end
  return client._account
end

--- The account's balances, in the server's order.
---@param options? bitfront.CallOptions
---@return bitfront.Record[] records  empty for an empty account
---@return nil
---@return bitfront.Info info
---@overload fun(self: bitfront.Client, options?: bitfront.CallOptions): nil, bitfront.Error, bitfront.Info?
function Client:balances(options, ...)
  local account = account_of(self, "balances")
  return call.perform(account, target.BALANCES, of_call("client:balances", options, ...))
end

-- The error of a reply that was read and is not what was asked for.
local function reply_error(message, info)
  return errors.new({ kind = "protocol", code = "schema", message = message,
    http_status = info.http_status, response_time = info.responseTime }, info.attempts)
end

-- The one record of the coin that was asked for. Of two, neither is known to be
-- right.
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
---@return bitfront.Record record
---@return nil
---@return bitfront.Info info
---@overload fun(self: bitfront.Client, code: string, options?: bitfront.CallOptions): nil, bitfront.Error, bitfront.Info?
function Client:balance(code, options, ...)
  local account = account_of(self, "balance")
  local records, err, info = call.perform(account, target.of_coin(code),
    of_call("client:balance", options, ...))
  if not records then return nil, err, info end
  local record, message = the_record(records, code)
  return record, message and reply_error(message, info), info
end

--- The server's clock. Needs no credentials.
---@param options? bitfront.CallOptions
---@return integer milliseconds  Unix time
---@return nil
---@return bitfront.Info info
---@overload fun(self: bitfront.Client, options?: bitfront.CallOptions): nil, bitfront.Error, bitfront.Info?
function Client:server_time(options, ...)
  local account = account_of(self, "server_time")
  local _, err, info = call.perform(account, target.TIME,
    of_call("client:server_time", options, ...))
  if err then return nil, err, info end
  local time = info.responseTime
  return time, not time and reply_error("responseTime must be an integer", info) or nil, info
end

--- Any other read of the API. Everything under /public/ is asked for unsigned.
---@param path string  such as "/v1/trade/openOrders"
---@param query? string|table<string, string|integer|boolean>  a query string as it stands in a URL, or names and values
---@param options? bitfront.CallOptions
---@return any data  responseData, or the whole reply where it has none: numbers as the option amounts says, null as bitfront.null, arrays as bitfront.json.is_array tells
---@return bitfront.Error? err
---@return bitfront.Info? info
function Client:get(path, query, options, ...)
  local account = account_of(self, "get")
  return call.perform(account, target.of_path(path, query),
    of_call("client:get", options, ...))
end

--- Wipes the credentials. Calls after it return an error of kind "closed", and so does
--- one that waits, when it wakes; closing again does nothing.
function Client:close(...)
  local account = account_of(self, "close")
  no_more("client:close", ...)
  account.handle:close()
end

function meta:__close()
  self._account.handle:close()
end

function meta:__tostring()
  return tostring(self._account.handle)
end

return _M
