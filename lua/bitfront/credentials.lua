-- Where a client's key and secret come from. From the environment and from files they
-- go straight into C memory: a Lua string cannot be wiped.

local native = require "bitfront.native"

local _M = {}

_M.KEY_VARIABLE = "BITFRONT_API_KEY"
_M.KEY_FILE_VARIABLE = "BITFRONT_API_KEY_FILE"
_M.SECRET_VARIABLE = "BITFRONT_API_SECRET"
_M.SECRET_FILE_VARIABLE = "BITFRONT_API_SECRET_FILE"
_M.DIRECTORY_VARIABLE = "CREDENTIALS_DIRECTORY" -- systemd's, for LoadCredential=
_M.PROFILE_VARIABLE = "BITFRONT_PROFILE"

local KEY_FILE, SECRET_FILE = "bitfront.api_key", "bitfront.api_secret" -- in that directory

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

--- What a source says of an account.
---@class bitfront.Found
---@field credentials? userdata  key and secret, in C; none: a program prints them
---@field origin string  where they were found, for people
---@field base_url? string  of the section
---@field ca_file? string  of the section
---@field process? string  the command of that program

-- ---- the sources ----

-- Each returns the account; nil and an error; or nil, nil and why there is none, which
-- is no error. `profile` is the option.

local function from_environment()
  local key_file = _M.variable(_M.KEY_FILE_VARIABLE)
  local secret_file = _M.variable(_M.SECRET_FILE_VARIABLE)
  local found, err = native.environment(_M.KEY_VARIABLE, _M.KEY_FILE_VARIABLE,
    _M.SECRET_VARIABLE, _M.SECRET_FILE_VARIABLE)
  if not found then return nil, err, "not set" end
  return { credentials = found, origin = ("%s and %s"):format(
    key_file and _M.KEY_FILE_VARIABLE or _M.KEY_VARIABLE,
    secret_file and _M.SECRET_FILE_VARIABLE or _M.SECRET_VARIABLE) }
end

local function from_directory()
  local folder = _M.variable(_M.DIRECTORY_VARIABLE)
  if not folder then return nil, nil, "not set" end
  local key, secret = folder .. "/" .. KEY_FILE, folder .. "/" .. SECRET_FILE
  local found, err = native.secret_files(key, secret)
  if not found then
    return nil, err, ("neither %s nor %s can be found in %s"):format(KEY_FILE, SECRET_FILE, folder)
  end
  return { credentials = found, origin = ("%s and %s"):format(key, secret) }
end

-- Of a section that there is.
local function section_of(name, path, found, base_url, ca_file, process)
  local origin = ("section [%s] of %s"):format(name, path)
  return { credentials = not process and found or nil, process = process,
    base_url = base_url, ca_file = ca_file,
    origin = process and "credential_process of " .. origin or origin }
end

-- Where there is nothing, that is an error for a section that was asked for.
local function from_file(profile)
  local asked_for = profile or _M.variable(_M.PROFILE_VARIABLE)
  local name, why = asked_for or "default"
  local path, message = _M.profile_path()
  if path then
    local found, err, ca_file, process = native.profile(path, name)
    if found then return section_of(name, path, found, err, ca_file, process) end
    if found == nil then return nil, err end
    why = err == "file" and "there is no file " .. path
      or ("%s has no section [%s]"):format(path, name)
  else
    why = ("section [%s] of the credentials file cannot be found: %s"):format(name, message)
  end
  return nil, asked_for and config_error("profile", "%s", why), why
end

local NOT_ASKED = "not asked, since the option profile is given"

--- The sources of an account that is not in the options, in the order in which they are
--- asked: the first one that has credentials, or is wrong, is the last one asked.
_M.SOURCES = {
  { name = "BITFRONT_API_KEY, BITFRONT_API_SECRET, or these with _FILE",
    find = from_environment },
  { name = "files in $CREDENTIALS_DIRECTORY", find = from_directory },
  { name = "credentials file", find = from_file, is_a_profile = true },
}

-- What the source returns, and in words what became of it.
local function ask(source, profile)
  if profile and not source.is_a_profile then return nil, nil, NOT_ASKED end
  local found, err, why = source.find(profile)
  return found, err, found and "used" or err and "cannot be used" or why
end

--- The account of a client that was given neither credentials nor a function.
---@param profile string?  the option
---@param signed boolean  false: for a call that needs no credentials, only where its exchange is
---@return bitfront.Found?
---@return table? err  none: there is no account
---@return string[] notes  what became of each source that was asked, for people
function _M.find(profile, signed)
  local notes, found, err = {}, nil, nil
  for i, source in ipairs(_M.SOURCES) do
    found, err, notes[i] = ask(source, profile)
    if err and not signed and not source.is_a_profile then return nil, nil, notes end
    if found or err then break end
  end
  return found, err, notes
end

--- The sections of the credentials file, in its order.
---@return string[]? names  empty where there is no file
---@return table? err
---@return string? path  of the file
function _M.profiles()
  local path, message = _M.profile_path()
  if not path then return nil, config_error("profile", "there are no profiles: %s", message) end
  local text, err = native.profiles(path)
  if err then return nil, err end
  local names = {}
  for name in (text or ""):gmatch "([^\n]*)\n" do names[#names + 1] = name end
  return names, nil, path
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
