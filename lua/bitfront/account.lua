-- What a client's calls are made with: credentials, the exchange's address, and the
-- certificates that are trusted. The base_url and ca_file of the account's section take precedence
-- over the environment, so that a variable cannot send the key to another exchange.

local clocks = require "bitfront.clock"
local credential_process = require "bitfront.credential_process"
local credentials = require "bitfront.credentials"
local native = require "bitfront.native"
local option_rows = require "bitfront.options".rows["bitfront.new"]

local _M = {}

---@class bitfront.Endpoint
---@field base_url string
---@field base_url_from? string  what it comes from, for people; nil: it is the default
---@field ca_file? string  none: libcurl's own
---@field ca_file_from? string

--- What is behind a client.
---@class bitfront.Account
---@field options bitfront.Options  checked; api_key and api_secret are in C alone
---@field handle userdata  the client's C side
---@field endpoint bitfront.Endpoint
---@field clock bitfront.Clock  of the exchange
---@field clock_dict? table  by which the clock is shared
---@field err? table  of a wrong variable or library: each call returns it
---@field origin? string  where the credentials were found, for people
---@field notes? string[]  what became of each of credentials.SOURCES that was asked
---@field process? bitfront.CredentialProcess  what prints the credentials, which then change
---@field has_own_credentials? true  they are the options api_key and api_secret
---@field call bitfront.CallState  what call.lua keeps from call to call

local DEFAULT = { base_url = option_rows.base_url.fallback }
local VARIABLES = { base_url = "BITFRONT_BASE_URL", ca_file = "BITFRONT_CA_FILE" }

-- Each of the two by itself: the option, else the account's section, else the
-- variable, else the default.
local function choose_endpoint(options, found)
  local endpoint = { base_url = DEFAULT.base_url }
  for name, from in pairs(VARIABLES) do
    local of_section = found and found[name]
    local value = options[name] or of_section or credentials.variable(from)
    if value then
      endpoint[name] = value
      endpoint[name .. "_from"] = options[name] and "the option " .. name
        or of_section and found.origin or from
    end
  end
  return endpoint
end

-- Has the account's calls go there. Calls that are under way keep the handle that
-- they were begun with.
local function connect(account, endpoint)
  local options = account.options
  local handle, err = native.new {
    base_url = endpoint.base_url, ca_file = endpoint.ca_file, proxy = options.proxy,
    user_agent = options.user_agent, connect_timeout = options.connect_timeout,
    max_body = options.max_body,
  }
  if not handle then return nil, err end
  account.handle, account.endpoint = handle, endpoint
  account.clock = options.clock == "auto" and clocks.of(endpoint.base_url)
    or clocks.fixed(tonumber(options.clock) or 0)
  if account.clock_dict then account.clock:share(account.clock_dict) end
  return true
end

-- A wrong variable is not the caller's mistake: there is a client, and each of its
-- calls returns the error.
local function connect_first(account)
  local endpoint = choose_endpoint(account.options)
  local connected, err = connect(account, endpoint)
  if connected or err.code ~= "base_url" or account.options.base_url then
    return connected, err
  end
  account.err = { kind = "config", code = err.code,
    message = ("%s: %s"):format(endpoint.base_url_from, err.message) }
  endpoint.base_url, endpoint.base_url_from = DEFAULT.base_url, nil
  return connect(account, endpoint)
end

local function use_own_credentials(account)
  local options = account.options
  if not options.api_key then return true end
  local used, err = account.handle:set_credentials(options.api_key, options.api_secret)
  options.api_key, options.api_secret = nil, nil
  account.has_own_credentials = true
  account.origin = "the options api_key and api_secret"
  if used or err.code ~= "openssl" then return used, err end
  account.err = err
  return true
end

--- Makes an account, whose C side takes over the options api_key and api_secret.
---@param options bitfront.Options  checked, and its own from now on
---@return bitfront.Account?
---@return table? err
function _M.new(options)
  local account = { options = options }
  local done, err = connect_first(account)
  if done then done, err = use_own_credentials(account) end
  return done and account, err
end

--- The account behind a client.
---@return bitfront.Account
function _M.of(client)
  return client._account
end

--- From now on the client shares what is known of its exchange's clock with the
--- other workers of this nginx.
---@param dict table  a lua_shared_dict
function _M.share_clock(client, dict)
  local account = _M.of(client)
  account.clock_dict = dict
  account.clock:share(dict)
end

--- Whether these are the options api_key and api_secret of the client, which are
--- compared in C.
function _M.is_given(client, key, secret)
  local account = _M.of(client)
  if not account.has_own_credentials then return key == nil and secret == nil end
  return type(key) == "string" and type(secret) == "string"
    and account.handle:holds(key, secret)
end

-- Finds the account's credentials, tried with each call until there are some. The
-- section of the credentials file may name the exchange, for unsigned calls too. The
-- credentials come last: no handle that asks another exchange ever has them.
local function open(account, signed)
  local found, err, notes = credentials.find(account.options.profile, signed)
  account.notes = notes
  if not found then return err end
  local done = true
  if found.base_url or found.ca_file then
    done, err = connect(account, choose_endpoint(account.options, found))
    if done and found.base_url then account.err = nil end
  end
  if done and not account.err then
    account.origin = found.origin
    if found.process then
      account.process = credential_process.new(found.process, found.origin)
    else
      done, err = account.handle:use(found.credentials)
    end
  end
  if found.credentials then found.credentials:release() end
  return not done and err or nil
end

--- The error of a call by this handle, where its client is closed.
---@return table? err
function _M.closed(handle)
  return handle:is_closed()
    and { kind = "closed", code = "closed", message = "the client is closed" } or nil
end

--- Whether a call may have another key than the one before.
function _M.has_changing_key(account)
  return account.options.credentials ~= nil or account.process ~= nil
end

-- Whether it is known where the credentials come from.
local function has_source(account)
  return _M.has_changing_key(account) or account.has_own_credentials
    or account.handle:has_credentials()
end

--- Tells the account apart from others, without giving its key away: by its key, or, where
--- each call may have another one, by where keys come from; and by its exchange. Nil while
--- it has no key.
---@return string?
function _M.id(account)
  if account.err or _M.closed(account.handle) then return nil end
  if not has_source(account) then open(account, true) end
  if account.err or not has_source(account) then return nil end
  local whose = account.handle:key_id()
  if _M.has_changing_key(account) then whose = "by " .. (account.origin or "a function") end
  return whose .. " " .. account.endpoint.base_url
end

-- Several calls may have the same error.
local function copy_of(err)
  return err and { kind = err.kind, code = err.code, message = err.message }
end

-- Those of one call.
local function current(account, waiter, deadline)
  local handle, ask = account.handle, account.options.credentials
  if ask then
    local given, err = credentials.ask(handle, ask)
    return err, given
  end
  local err = credential_process.provide(account.process, handle, waiter, deadline)
  if err then return copy_of(err) end
  return nil, handle:credentials()
end

--- Provides what a call needs. A function is called each time, so that a changed
--- secret takes effect at once, and a program is asked again before what it printed
--- expires; everything else is read once.
---@param signed boolean
---@param waiter bitfront.Waiter
---@param deadline number  of the call
---@return table? err  why the call cannot be made
---@return userdata? credentials  of a function or a program: of this call alone
function _M.prepare(account, signed, waiter, deadline)
  local is_ready = not _M.has_changing_key(account) and not account.err
    and account.handle:has_credentials() -- a closed client has none
  if is_ready then return nil end
  local err = _M.closed(account.handle)
  if err then return err end
  if not has_source(account) then err = open(account, signed) end
  err = copy_of(account.err) or err
  if err or not signed then return err end
  if _M.has_changing_key(account) then return current(account, waiter, deadline) end
  return not account.handle:has_credentials() and credentials.missing() or nil
end

return _M
