-- The sandbox exchange: starts and stops an nginx on loopback that keeps the
-- exchange's rules. This part runs in plain Lua 5.1 to 5.5 and LuaJIT; what runs
-- inside nginx is server.lua, and the rules themselves are rules.lua.

local accounts_file = require "bitfront.sandbox.accounts_file"
local certificate = require "bitfront.sandbox.certificate"
local check = require "bitfront.check"
local example = require "bitfront.sandbox.example"
local folder = require "bitfront.sandbox.folder"
local limits_check = require "bitfront.sandbox.limits_check"
local machine = require "bitfront.sandbox.machine"
local native = require "bitfront.native"
local nginx_process = require "bitfront.sandbox.nginx_process"
local ports = require "bitfront.sandbox.ports"

local _M = {}

local function path(value)
  return type(value) == "string" and value ~= "" and not value:find("\0", 1, true),
    "the name of a file or a folder"
end

--- The options of start; the other functions take `dir` alone.
---@type table<string, bitfront.OptionRow>
_M.options = {
  port = { check = check.whole(0, 65535) },
  accounts = { check = path },
  background = { check = check.boolean },
  dir = { check = path },
}

---@class bitfront.SandboxOptions
---@field port? integer  on 127.0.0.1; 0: any free one; not given: 8443, or a free one where that is taken
---@field accounts? string  JSON file of the accounts it answers for; not given: one account, with the key and the balances of the endpoint's document
---@field background? boolean  true: it runs until stop, also after this process; otherwise it ends with this process, however that ends
---@field dir? string  folder for its certificates and state

---@class bitfront.Sandbox
---@field base_url string
---@field ca_file string
---@field api_key? string  of the default account only
---@field api_secret? string  of the default account only
---@field port integer
---@field pid integer  of nginx's master process
---@field dir string  state folder: certificates, nginx.conf, error.log, arrivals.log
---@field exports string  `export NAME=value` lines for a shell, each ended by a
---  newline. The command prints these to stdout.
---@field guard? file*  without `background`: ends the sandbox with this process
---@field already_running? boolean  true: it had been started before

-- The variables that a client reads, and from which field each is.
local EXPORTS = {
  { "BITFRONT_BASE_URL", "base_url" },
  { "BITFRONT_CA_FILE", "ca_file" },
  { "BITFRONT_API_KEY", "api_key" },
  { "BITFRONT_API_SECRET", "api_secret" },
}

local function export_lines(sandbox)
  local lines = {}
  for _, row in ipairs(EXPORTS) do
    local name, value = row[1], sandbox[row[2]]
    if value then lines[#lines + 1] = ("export %s=%s\n"):format(name, machine.quote(value)) end
  end
  return table.concat(lines)
end

-- The files in the folder, which nginx has read, describe the sandbox.
---@return bitfront.Sandbox? sandbox
---@return string? message
local function running_in(dir)
  local pid = nginx_process.pid(dir)
  if not pid then return nil, "no sandbox is running in " .. dir end
  local configuration = machine.read(dir .. "/nginx.conf")
  local port = tonumber(configuration:match("listen [%d.]+:(%d+)"))
  local sandbox = {
    base_url = ("https://127.0.0.1:%d"):format(port), ca_file = dir .. "/ca.pem",
    port = port, pid = pid, dir = dir,
  }
  if not machine.read(dir .. "/accounts.json") then
    sandbox.api_key, sandbox.api_secret = example.api_key, example.api_secret
  end
  sandbox.exports = export_lines(sandbox)
  return sandbox
end

-- A second start returns the sandbox that runs, unless its options differ.
local function again(sandbox, options)
  local other_port = options.port and options.port ~= 0 and options.port ~= sandbox.port
  if other_port or options.accounts then
    return nil, ("a sandbox is already running on port %d; stop it first")
      :format(sandbox.port)
  end
  sandbox.already_running = true
  return sandbox
end

-- Copies the accounts to where nginx reads them; without a copy, nginx has the example.
local function copy_accounts(file_name, dir)
  os.remove(dir .. "/accounts.json")
  if not file_name then return true end
  local text, message = machine.read(file_name)
  if not text then return nil, message end
  local accounts
  accounts, message = accounts_file.parse(text)
  if not accounts then return nil, file_name .. ": " .. message end
  return machine.write(dir .. "/accounts.json", text)
end

local function start_on_a_port(found, dir, requested)
  local candidates, message = ports.to_try(requested)
  for _, port in ipairs(candidates or {}) do
    local ok, taken
    ok, message, taken = nginx_process.start(found, dir, port)
    if ok then return true end
    if not taken then break end
  end
  return nil, message
end

local function start_nginx(dir, options)
  local found, missing = nginx_process.find()
  if not found then return nil, missing end
  local ok, message = copy_accounts(options.accounts, dir)
  if not ok then return nil, message end
  -- nginx appends to a file that is there, as private as it finds it. Where none can
  -- be made, nginx says so.
  machine.write(dir .. "/arrivals.log", "")
  ok, message = certificate.ensure(dir)
  if not ok then return nil, message end
  return start_on_a_port(found, dir, options.port)
end

local function start_in(dir, options)
  local sandbox = running_in(dir)
  if sandbox then return again(sandbox, options) end
  local ok, message = start_nginx(dir, options)
  if not ok then return nil, message end
  sandbox = running_in(dir)
  if not options.background then
    sandbox.guard = nginx_process.guard(dir, sandbox.pid)
  end
  return sandbox
end

-- A function of the state folder that its options name.
local function of_folder(name, rows, call)
  return function(options)
    if options == nil then options = {} end
    check.options("bitfront.sandbox." .. name, options, rows)
    local dir, message = folder.open(options.dir)
    if not dir then return nil, message end
    return call(dir, options)
  end
end

--- Starts the sandbox and returns once it answers. Prints nothing.
---@type fun(options?: bitfront.SandboxOptions): bitfront.Sandbox?, string?
_M.start = of_folder("start", _M.options, function(dir, options)
  return folder.locked(start_in, dir, options)
end)

-- Not guard:lines(): that raises where a signal ends the read, and Ctrl-C then raises
-- a second time, behind pcall. The sleep lets Ctrl-C end the loop where LuaJIT has
-- compiled it.
local function drain(guard)
  while guard:read("*l") do native.sleep(0) end
end

--- Blocks until a sandbox started without `background` ends: by Ctrl-C, or by `stop`
--- from elsewhere. Then everything it started has ended.
---@param sandbox bitfront.Sandbox
---@return true
function _M.wait(sandbox)
  if sandbox.guard then
    pcall(drain, sandbox.guard) -- Ctrl-C raises in here
    sandbox.guard:close()
  end
  return true
end

local DIR = { dir = _M.options.dir }

--- The sandbox that runs in a state folder; or nil and "no sandbox is running ...".
---@type fun(options?: { dir: string? }): bitfront.Sandbox?, string?
_M.status = of_folder("status", DIR, running_in)

--- Stops it; or nil and why nothing was stopped.
---@type fun(options?: { dir: string? }): true?, string?
_M.stop = of_folder("stop", DIR, function(dir)
  local sandbox, message = running_in(dir)
  if not sandbox then return nil, message end
  return nginx_process.stop(dir, sandbox.pid)
end)

--- Checks the arrivals of the sandbox that runs in a state folder, or was the last to
--- run there: finds windows with too many calls and signatures that came twice. Or nil
--- and why the arrivals cannot be read.
---@type fun(options?: { dir: string? }): bitfront.sandbox.LimitsReport?, string?
_M.check_limits = of_folder("check_limits", DIR, function(dir)
  local text, message = machine.read(dir .. "/arrivals.log")
  if not text then return nil, "the arrivals cannot be read: " .. message end
  return limits_check.check(text)
end)

return _M
