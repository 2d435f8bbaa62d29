-- Where a client's key and secret come from. From the environment and from the
-- profile file they go straight into C memory: a Lua string cannot be wiped.

local errors = require "bitfront.error"

local _M = {}

_M.KEY_VARIABLE = "BITFRONT_API_KEY"
_M.SECRET_VARIABLE = "BITFRONT_API_SECRET"
_M.PROFILE_VARIABLE = "BITFRONT_PROFILE"

--- The path of the credentials file, or nil where there is no home folder.
---@return string?
function _M.profile_path()
  local config, home = os.getenv "XDG_CONFIG_HOME", os.getenv "HOME"
  if config and config:sub(1, 1) == "/" then
    return config .. "/bitfront/credentials"
  end
  return home and home ~= "" and home .. "/.config/bitfront/credentials" or nil
end

local function config_error(code, message, ...)
  return errors.new({
    kind = "config", code = code, message = message:format(...),
  }, 0)
end

local function missing()
  return config_error("missing_credentials",
    "no credentials: set %s and %s, or write api_key and api_secret into "
      .. "section [default] of %s", _M.KEY_VARIABLE, _M.SECRET_VARIABLE,
    _M.profile_path() or "~/.config/bitfront/credentials")
end

-- true, false (there is none), or nil and the error.
local function use_profile(native, name, asked_for)
  local path = _M.profile_path()
  if not path then
    return false
  end
  local used, what = native:use_profile(path, name)
  if used == nil then
    return nil, errors.new(what, 0)
  elseif used or not asked_for then
    return used
  elseif what == "file" then
    return nil, config_error("profile", "there is no file %s", path)
  end
  return nil, config_error("profile", "%s has no section [%s]", path, name)
end

local function use_function(native, credentials)
  local key, secret = credentials()
  if type(key) ~= "string" or type(secret) ~= "string" then
    return nil, config_error("missing_credentials",
      "the credentials function returned %s and %s, not two strings",
      type(key), type(secret))
  end
  local used, err = native:set_credentials(key, secret,
    "the key of the credentials function", "the secret of the credentials function")
  return used, err and errors.new(err, 0), used and native:pair()
end

local function use_environment(native)
  local used, err = native:use_environment(_M.KEY_VARIABLE, _M.SECRET_VARIABLE)
  return used, err and errors.new(err, 0)
end

--- Sees to it that the client can sign. A function is asked each time, so that
--- a changed secret takes effect at once; everything else is read once. What the
--- function gave is this call's, whatever it gives another one meanwhile.
---@param native userdata  the client's C side
---@param options bitfront.Options
---@return true? ready
---@return bitfront.Error?
---@return userdata? pair  of a function: the credentials to use
function _M.load(native, options)
  local used, err
  if options.credentials then
    return use_function(native, options.credentials)
  elseif native:has_credentials() then
    return true
  elseif options.profile then
    used, err = use_profile(native, options.profile, true)
  else
    used, err = use_environment(native)
    if used == false then
      local name = os.getenv(_M.PROFILE_VARIABLE)
      name = name ~= "" and name or nil
      used, err = use_profile(native, name or "default", name ~= nil)
    end
  end
  return used or nil, err or not used and missing() or nil
end

return _M
