-- One call in a process of its own, whose environment, home folder and credentials
-- file are as a spec says.

local support = require "spec.support"

local _M = {}

---Nothing that tells of an account; what the others of this machine have is unset.
---@param home string
---@return table<string, string|false>
function _M.environment(home)
  return { HOME = home, XDG_CONFIG_HOME = false, BITFRONT_PROFILE = false,
    BITFRONT_API_KEY = false, BITFRONT_API_KEY_FILE = false,
    BITFRONT_API_SECRET = false, BITFRONT_API_SECRET_FILE = false,
    CREDENTIALS_DIRECTORY = false }
end

---A home folder, with a credentials file where there is a text for one.
---@param text? string
---@param mode? string
---@return string
function _M.home(text, mode)
  local home = support.tmpdir()
  if text then
    support.must("mkdir -p .config/bitfront", { cwd = home })
    support.write(home .. "/.config/bitfront/credentials", text)
    support.must(("chmod %s .config/bitfront/credentials"):format(mode or "600"), { cwd = home })
  end
  return home
end

---@class OneCall
---@field env? table<string, string|false>
---@field options? string  of bitfront.new, in Lua
---@field profile? string  the credentials file's text
---@field mode? string  its mode
---@field method? string  default "balances"
---@field home? string  a folder, instead of a new one

---The result: "ok", or kind, code and message, in which the home folder is HOME; and
---the requests that the server has got.
---@param server table  a fault server
---@param body string
---@param call OneCall
---@return string, FaultRequest[]
function _M.result(server, body, call)
  local home = call.home or _M.home(call.profile, call.mode)
  local env = _M.environment(home)
  env.BITFRONT_CA_FILE, env.BITFRONT_BASE_URL = server.ca_file, server:url_body(body)
  for name, value in pairs(call.env or {}) do env[name] = value end
  local out, err = support.lua(([[
    local client = require "bitfront".new { %s }
    local records, err = client:%s()
    print(records and "ok" or err.kind .. " " .. err.code .. " " .. err.message)
  ]]):format(call.options or "", call.method or "balances"), { env = env })
  return (out .. err):gsub("\n$", ""):gsub(home, "HOME"), server:requests()
end

return _M
