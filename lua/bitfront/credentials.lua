-- Where a client's key and secret come from. From the environment and from the
-- credentials file they go straight into C memory: a Lua string cannot be wiped.

local errors = require "bitfront.error"
local native = require "bitfront.native"

local _M = {}

_M.KEY_VARIABLE = "BITFRONT_API_KEY"
_M.SECRET_VARIABLE = "BITFRONT_API_SECRET"
_M.PROFILE_VARIABLE = "BITFRONT_PROFILE"

local function config_error(code, message, ...)
  return errors.new({
    kind = "config", code = code, message = message:format(...),
  }, 0)
end

-- What is wrong with a variable that should be a folder; nil where it will do.
local function folder_complaint(name)
  local value = os.getenv(name)
  if not value or value == "" then return name .. " is not set" end
  return value:sub(1, 1) ~= "/" and name .. " is no absolute path" or nil
end

--- The path of the credentials file; nil and the reason where no variable tells it.
---@return string? path
---@return string? message
function _M.profile_path()
  local no_config, no_home = folder_complaint "XDG_CONFIG_HOME", folder_complaint "HOME"
  if not no_config then
    return os.getenv "XDG_CONFIG_HOME" .. "/bitfront/credentials"
  elseif not no_home then
    return os.getenv "HOME" .. "/.config/bitfront/credentials"
  end
  return nil, ("%s, and %s%s"):format(no_home, no_config, rawget(_G, "ngx")
    and "; nginx takes variables away: write 'env HOME;' at the top of nginx.conf" or "")
end

--- There are none, and nobody said where they would be.
---@return bitfront.Error
function _M.missing()
  local path, message = _M.profile_path()
  return config_error("missing_credentials",
    "no credentials: set %s and %s, or write api_key and api_secret into "
      .. "section [default] of %s", _M.KEY_VARIABLE, _M.SECRET_VARIABLE,
    path or "the credentials file (" .. message .. ")")
end

--- What a client's calls are made with, as far as the environment and the
--- credentials file say.
---@class bitfront.Account
---@field pair userdata  key and secret, in C
---@field origin string  where they were found, for people
---@field base_url? string  of the section
---@field ca_file? string  of the section

-- The section's account; nil and an error; or nil where there is none, which is
-- no error unless somebody asked for it.
local function from_file(name, asked_for)
  local path, message = _M.profile_path()
  if not path then
    return nil, asked_for and config_error("profile",
      "section [%s] of the credentials file cannot be found: %s", name, message) or nil
  end
  local pair, base_url, ca_file = native.profile(path, name)
  if pair then
    return { pair = pair, base_url = base_url, ca_file = ca_file,
      origin = ("section [%s] of %s"):format(name, path) }
  elseif pair == nil then
    return nil, errors.new(base_url, 0)
  elseif not asked_for then
    return nil
  elseif base_url == "file" then
    return nil, config_error("profile", "there is no file %s", path)
  end
  return nil, config_error("profile", "%s has no section [%s]", path, name)
end

--- The account of a client that was given neither a pair nor a function: the
--- section that was asked for, else what the environment says, else the section
--- that the environment names, else [default].
---@param profile string?  the option
---@param signed boolean  false: for a call that needs no pair, only where its exchange is
---@return bitfront.Account?
---@return bitfront.Error? err  none: there is no account
function _M.find(profile, signed)
  if profile then return from_file(profile, true) end
  local pair, failure = native.environment(_M.KEY_VARIABLE, _M.SECRET_VARIABLE)
  if pair == false then
    local name = os.getenv(_M.PROFILE_VARIABLE)
    name = name ~= "" and name or nil
    return from_file(name or "default", name ~= nil)
  elseif not pair then
    return nil, signed and errors.new(failure, 0) or nil
  end
  return { pair = pair, origin = ("%s and %s"):format(_M.KEY_VARIABLE, _M.SECRET_VARIABLE) }
end

--- Asks the function of the option `credentials`. What it gives is this call's,
--- whatever it gives another one meanwhile.
---@param client userdata  the client's C side
---@param credentials fun(): string, string
---@return userdata? pair
---@return bitfront.Error?
function _M.ask(client, credentials)
  local key, secret = credentials()
  if type(key) ~= "string" or type(secret) ~= "string" then
    return nil, config_error("missing_credentials",
      "the credentials function returned %s and %s, not two strings",
      type(key), type(secret))
  end
  local used, err = client:set_credentials(key, secret,
    "the key of the credentials function", "the secret of the credentials function")
  if not used then return nil, errors.new(err, 0) end
  return client:credentials()
end

return _M
