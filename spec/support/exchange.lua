-- A running sandbox exchange and its control endpoint, for specs.

local cjson = require "cjson"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

---@class Exchange
---@field base_url string
---@field ca_file string
---@field key string of the account of the endpoint's document
---@field secret string
---@field port integer
---@field dir string

---Starts a sandbox of its own on a free port, in a folder of its own.  It ends
---with `stop`, and with this process.
---@param options? { accounts: string? } a file name
---@return Exchange
function _M.start(options)
  local sandbox = assert(require "bitfront.sandbox".start {
    port = 0, dir = shell.tmpdir(), accounts = options and options.accounts,
  })
  return setmetatable({
    sandbox = sandbox, -- it ends when this is collected
    base_url = sandbox.base_url,
    ca_file = sandbox.ca_file,
    key = sandbox.api_key,
    secret = sandbox.api_secret,
    port = sandbox.port,
    dir = sandbox.dir,
  }, meta)
end

-- One call of the control endpoint; see bitfront/sandbox/control.lua.
function methods:control(method, name, value)
  local command = ("curl -sS --fail-with-body --noproxy '*' --cacert %s -X %s "
    .. "-H 'X-Bitfront-Sandbox: control' %s %s/sandbox/%s")
    :format(shell.quote(self.ca_file), method,
            value and "--data-binary @-" or "", self.base_url, name)
  local out, err, code = shell.run(command,
    { stdin = value and cjson.encode(value) })
  if code ~= 0 then error(out .. err, 2) end
  return cjson.decode(out)
end

---Changes settings: { limits = false }, { clock_offset_ms = 7000 }.
function methods:set(settings)
  return self:control("POST", "settings", settings)
end

---Replaces all accounts; as in an accounts file.
function methods:accounts(accounts)
  return self:control("POST", "accounts", accounts)
end

---Says what the next requests get: one step, or an array of them.
function methods:script(steps)
  return self:control("POST", "script", steps)
end

---What arrived, oldest first.
function methods:log()
  return self:control("GET", "log")
end

---Everything as it was at the start.
function methods:reset()
  return self:control("POST", "reset")
end

function methods:stop()
  require "bitfront.sandbox".stop { dir = self.dir }
end

return _M
