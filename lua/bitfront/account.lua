-- What a client's calls are made with: key and secret, where they go, and whom
-- they trust. The base_url and ca_file of the account's section take precedence
-- over the environment, so that a variable cannot send the key to another exchange.

local clocks = require "bitfront.clock"
local credentials = require "bitfront.credentials"
local native = require "bitfront.native"
local version = require "bitfront.version"

local _M = {}

---@class bitfront.Endpoint
---@field base_url string
---@field base_url_from? string  who says so, for people; nil: nobody, it is the default
---@field ca_file? string  none: libcurl's own
---@field ca_file_from? string

local DEFAULT = { base_url = "https://openapi.bitfront.me" }
local VARIABLES = { base_url = "BITFRONT_BASE_URL", ca_file = "BITFRONT_CA_FILE" }

-- An empty variable is as good as none.
local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- Each of the two by itself: the option, else the account's section, else the
-- variable, else the default.
local function endpoint_of(options, account)
  local endpoint = { base_url = DEFAULT.base_url }
  for name, from in pairs(VARIABLES) do
    local of_section = account and account[name]
    local value = options[name] or of_section or variable(from)
    if value then
      endpoint[name] = value
      endpoint[name .. "_from"] = options[name] and "the option " .. name
        or of_section and account.origin or from
    end
  end
  return endpoint
end

-- Has the client ask there. Calls that are under way keep to the C side that
-- they were begun with.
local function connect(client, endpoint)
  local options = client._options
  local made, err = native.new {
    base_url = endpoint.base_url, ca_file = endpoint.ca_file, proxy = options.proxy,
    user_agent = options.user_agent or "bitfront-lua/" .. version,
    connect_timeout = options.connect_timeout or 3,
    max_body = options.max_body or 1048576,
  }
  if not made then return nil, err end
  client._native, client._endpoint = made, endpoint
  client._clock = options.clock == "auto" and clocks.of(endpoint.base_url)
    or clocks.fixed(tonumber(options.clock) or 0)
  if client._clock_dict then client._clock:share(client._clock_dict) end
  return true
end

-- What the environment says may be wrong without a fault of the caller's: then
-- there is a client, but each of its calls returns why it cannot work.
local function fail_each_call(client, code, message)
  client._fault = function()
    return { kind = "config", code = code, message = message }
  end
end

local function connect_first(client)
  local endpoint = endpoint_of(client._options)
  local connected, err = connect(client, endpoint)
  if connected or err.code ~= "base_url" or client._options.base_url then
    return connected, err
  end
  fail_each_call(client, err.code, ("%s: %s"):format(endpoint.base_url_from, err.message))
  return connect(client, DEFAULT)
end

--- Makes a new client's C side, which takes over the options api_key and
--- api_secret: the Lua side keeps no copy of them.
---@param client bitfront.Client
---@return true?
---@return table? failure
function _M.begin(client)
  local options = client._options
  local done, err = connect_first(client)
  if done and options.api_key then
    done, err = client._native:set_credentials(options.api_key, options.api_secret)
    options.api_key, options.api_secret = nil, nil
    client._has_own_pair, client._origin = true, "the options api_key and api_secret"
    if err and err.code == "openssl" then
      fail_each_call(client, err.code, err.message)
      return true
    end
  end
  return done, err
end

--- Whether these are the options api_key and api_secret of the client, which are
--- compared in C.
---@param client bitfront.Client
---@param key any
---@param secret any
---@return boolean
function _M.is_given(client, key, secret)
  if not client._has_own_pair then return key == nil and secret == nil end
  return type(key) == "string" and type(secret) == "string"
    and client._native:holds(key, secret)
end

-- Looks for the account, with each call until there is one. Its section of the
-- credentials file may say where its exchange is, for unsigned calls too. The
-- pair comes last: no C side that asks elsewhere ever has it.
local function open(client, signed)
  local account, err = credentials.find(client._options.profile, signed)
  if not account then return err end
  local done, failure = true, nil
  if account.base_url or account.ca_file then
    done, failure = connect(client, endpoint_of(client._options, account))
    if done and account.base_url then client._fault = nil end
  end
  if done and not client._fault then
    client._origin = account.origin
    done, failure = client._native:use(account.pair)
  end
  account.pair:release()
  return not done and failure or nil
end

local function look_for(client, signed)
  local ask, err, pair = client._options.credentials, nil, nil
  if client._native:is_closed() then
    return { kind = "closed", code = "closed", message = "the client is closed" }
  elseif not ask and not client._has_own_pair and not client._native:has_credentials() then
    err = open(client, signed)
  end
  if client._fault then return client._fault() end
  if not err and signed and ask then
    pair, err = credentials.ask(client._native, ask)
  elseif not err and signed and not client._native:has_credentials() then
    err = credentials.missing()
  end
  return err, pair
end

--- Sees to it that the client has all that a call needs. A function is asked each
--- time, so that a changed secret takes effect at once; everything else is read
--- once.
---@param client bitfront.Client
---@param signed boolean
---@return table? failure  what keeps the call from being made at all
---@return userdata? pair  of a function: the credentials of this call alone
function _M.prepare(client, signed)
  local is_ready = not client._options.credentials and not client._fault
    and client._native:has_credentials() -- a closed client has none
  if is_ready then return nil end
  return look_for(client, signed)
end

--- Where the client asks now.
---@param client bitfront.Client
---@return bitfront.Endpoint
function _M.endpoint_of(client)
  return client._endpoint
end

return _M
