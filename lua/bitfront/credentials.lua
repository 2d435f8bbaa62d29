-- Where a client's key and secret come from. From the environment and from the
-- credentials file they go straight into C memory: a Lua string cannot be wiped.

local native = require "bitfront.native"

local _M = {}

_M.KEY_VARIABLE = "BITFRONT_API_KEY"
_M.SECRET_VARIABLE = "BITFRONT_API_SECRET"
_M.PROFILE_VARIABLE = "BITFRONT_PROFILE"

local function config_error(code, message, ...)
  return { kind = "config", code = code, message = message:format(...) }
end

--- A variable of the environment. An empty one is as good as none.
---@return string?
function _M.variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

-- What is wrong with a variable that should be a folder; nil: nothing.
local function folder_error(name)
  local value = _M.variable(name)
  if not value then return name .. " is not set" end
  return value:sub(1, 1) ~= "/" and name .. " is no absolute path" or nil
end

--- The path of the credentials file; nil and why where no variable leads to it.
---@return string? path
---@return string? message
function _M.profile_path()
  local no_config, no_home = folder_error "XDG_CONFIG_HOME", folder_error "HOME"
  if not no_config then
    return os.getenv "XDG_CONFIG_HOME" .. "/bitfront/credentials"
  elseif not no_home then
    return os.getenv "HOME" .. "/.config/bitfront/credentials"
  end
  return nil, ("%s, and %s%s"):format(no_home, no_config, rawget(_G, "ngx")
    and "; nginx takes variables away: write 'env HOME;' at the top of nginx.conf" or "")
end

--- The error of a client that has no credentials and was not given a source of any.
---@return table err
function _M.missing()
  local path, message = _M.profile_path()
  return config_error("missing_credentials",
    "no credentials: set %s and %s, or write api_key and api_secret into "
      .. "section [default] of %s", _M.KEY_VARIABLE, _M.SECRET_VARIABLE,
    path or "the credentials file (" .. message .. ")")
end

--- What the environment or the credentials file says of an account.
---@class bitfront.Found
---@field credentials userdata  key and secret, in C
---@field origin string  where they were found, for people
---@field base_url? string  of the section
---@field ca_file? string  of the section

-- The section's account; nil and an error; or nil where there is none, which is
-- no error unless the section was asked for.
local function from_file(name, is_asked_for)
  local path, message = _M.profile_path()
  if not path then
    return nil, is_asked_for and config_error("profile",
      "section [%s] of the credentials file cannot be found: %s", name, message) or nil
  end
  local found, base_url, ca_file = native.profile(path, name)
  if found then
    return { credentials = found, base_url = base_url, ca_file = ca_file,
      origin = ("section [%s] of %s"):format(name, path) }
  elseif found == nil then
    return nil, base_url -- the error
  elseif not is_asked_for then
    return nil
  elseif base_url == "file" then
    return nil, config_error("profile", "there is no file %s", path)
  end
  return nil, config_error("profile", "%s has no section [%s]", path, name)
end

--- The account of a client that was given neither credentials nor a function: the
--- section that was asked for, else what the environment says, else the section
--- that the environment names, else [default].
---@param profile string?  the option
---@param signed boolean  false: for a call that needs no credentials, only where its exchange is
---@return bitfront.Found?
---@return table? err  none: there is no account
function _M.find(profile, signed)
  if profile then return from_file(profile, true) end
  local found, err = native.environment(_M.KEY_VARIABLE, _M.SECRET_VARIABLE)
  if found == false then
    local name = _M.variable(_M.PROFILE_VARIABLE)
    return from_file(name or "default", name ~= nil)
  elseif not found then
    return nil, signed and err or nil
  end
  return { credentials = found,
    origin = ("%s and %s"):format(_M.KEY_VARIABLE, _M.SECRET_VARIABLE) }
end

--- Asks the function of the option `credentials`. What it gives is this call's,
--- whatever it gives another one meanwhile.
---@param handle userdata  the client's C side
---@param credentials fun(): string, string
---@return userdata? credentials
---@return table? err
function _M.ask(handle, credentials)
  local key, secret = credentials()
  if type(key) ~= "string" or type(secret) ~= "string" then
    return nil, config_error("missing_credentials",
      "the credentials function returned %s and %s, not two strings",
      type(key), type(secret))
  end
  local used, err = handle:set_credentials(key, secret,
    "the key of the credentials function", "the secret of the credentials function")
  if not used then return nil, err end
  return handle:credentials()
end

return _M
