--- The sandbox exchange: starts and stops an nginx on loopback that keeps the
-- exchange's rules. This part runs in plain Lua 5.1 to 5.4 and LuaJIT; what
-- runs inside nginx is server.lua, and the rules themselves are rules.lua.

local accounts = require "bitfront.sandbox.accounts"
local certificate = require "bitfront.sandbox.certificate"
local example = require "bitfront.sandbox.example"
local folder = require "bitfront.sandbox.folder"
local limits_check = require "bitfront.sandbox.limits_check"
local lock = require "bitfront.sandbox.lock"
local nginx = require "bitfront.sandbox.nginx"
local ports = require "bitfront.sandbox.ports"
local shell = require "bitfront.sandbox.shell"

local _M = {}

---@class bitfront.SandboxOptions
---@field port? integer  Port on 127.0.0.1. Not given: 8443, or a free one where
---  that is taken. 0: any free one. Another: this one or none.
---@field accounts? string  File name of the accounts (JSON, see accounts.lua);
---  not given: one account, with the endpoint document's key and balances.
---@field background? boolean  true: runs until `stop`, also after this process.
---  Otherwise it ends with this process, however that ends.
---@field dir? string  State folder; not given: see folder.lua.

---@class bitfront.Sandbox
---@field base_url string
---@field ca_file string
---@field api_key? string  Of the default account only.
---@field api_secret? string  Of the default account only.
---@field port integer
---@field pid integer  Of nginx's master process.
---@field dir string  State folder: certificates, nginx.conf, error.log,
---  arrivals.log.
---@field exports string  `export NAME=value` lines for a shell, each ended by a
---  newline. The command prints these to stdout.
---@field guard? file*  Without `background`: what ties it to this process.
---@field already_running? boolean  true: it had been started before; nothing
---  was started now.

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text, trouble = file:read("*a")
  file:close()
  return text, trouble
end

-- The file is there and private before the secrets come into it.
local function write_private(path, text)
  local ok, output = shell.run('umask 077; : > "$1"', path)
  if not ok then return nil, output end
  local file, message = io.open(path, "wb")
  if not file then return nil, message end
  file:write(text)
  return file:close()
end

-- nginx adds to a file that is there, as private as it finds it. Where none can
-- be made, nginx says so.
local function place_arrivals(dir)
  os.remove(dir .. "/arrivals.log")
  write_private(dir .. "/arrivals.log", "")
end

-- Puts the accounts where nginx looks for them; none means the example.
local function place_accounts(dir, file_name)
  os.remove(dir .. "/accounts.json")
  if not file_name then return true end
  local text, trouble = read(file_name)
  if not text then return nil, trouble end
  local parsed, message = accounts.parse(text)
  if not parsed then return nil, file_name .. ": " .. message end
  return write_private(dir .. "/accounts.json", text)
end

local function export_lines(values)
  local lines = {}
  for _, pair in ipairs(values) do
    lines[#lines + 1] = ("export %s=%s\n"):format(pair[1], shell.quote(pair[2]))
  end
  return table.concat(lines)
end

---@return bitfront.Sandbox
local function describe(dir, port, pid, is_example)
  local sandbox = {
    base_url = ("https://127.0.0.1:%d"):format(port),
    ca_file = dir .. "/ca.pem",
    port = port, pid = pid, dir = dir,
  }
  local values = { { "BITFRONT_BASE_URL", sandbox.base_url },
                   { "BITFRONT_CA_FILE", sandbox.ca_file } }
  if is_example then
    sandbox.api_key, sandbox.api_secret = example.api_key, example.api_secret
    values[3] = { "BITFRONT_API_KEY", sandbox.api_key }
    values[4] = { "BITFRONT_API_SECRET", sandbox.api_secret }
  end
  sandbox.exports = export_lines(values)
  return sandbox
end

-- What runs in a folder tells by what was left there for nginx to read.
local function running_in(dir)
  local pid = nginx.pid(dir)
  if not pid then return nil, "no sandbox is running in " .. dir end
  local port = tonumber(read(dir .. "/nginx.conf"):match("listen [%d.]+:(%d+)"))
  return describe(dir, port, pid, read(dir .. "/accounts.json") == nil)
end

-- Started a second time, it is the same sandbox, unless another was wanted.
local function again(sandbox, options)
  local other_port = options.port and options.port ~= 0
    and options.port ~= sandbox.port
  if other_port or options.accounts then
    return nil, ("a sandbox is already running on port %d; stop it first")
      :format(sandbox.port)
  end
  sandbox.already_running = true
  return sandbox
end

local function start_on_a_port(found, dir, wanted)
  local candidates, message = ports.to_try(wanted)
  for _, port in ipairs(candidates or {}) do
    local ok, trouble, taken = nginx.start(found, dir, port)
    if ok then return port end
    message = trouble
    if not taken then break end
  end
  return nil, message
end

local function prepare(dir, options)
  local found, missing = nginx.find()
  if not found then return nil, missing end
  local placed, unreadable = place_accounts(dir, options.accounts)
  if not placed then return nil, unreadable end
  place_arrivals(dir)
  local ok, message = certificate.ensure(dir)
  if not ok then return nil, message end
  return found
end

local function check_options(options)
  local port = options.port
  local is_port = type(port) == "number" and port % 1 == 0
    and port >= 0 and port <= 65535
  if port ~= nil and not is_port then
    error("port: an integer from 0 to 65535 is wanted", 3)
  end
end

local function start_in(dir, options)
  local running = running_in(dir)
  if running then return again(running, options) end
  local found, unprepared = prepare(dir, options)
  if not found then return nil, unprepared end
  local port, not_started = start_on_a_port(found, dir, options.port)
  if not port then return nil, not_started end
  local sandbox = running_in(dir)
  if not options.background then
    sandbox.guard = nginx.guard(dir, sandbox.pid)
  end
  return sandbox
end

--- Starts the sandbox and returns once it answers. Prints nothing.
---@param options? bitfront.SandboxOptions
---@return bitfront.Sandbox? sandbox
---@return string? message  Why it could not be started (one line or more).
function _M.start(options)
  options = options or {}
  check_options(options)
  local dir, message = folder.open(options.dir)
  if not dir then return nil, message end
  return lock.hold(dir, start_in, dir, options)
end

-- Not guard:lines(): that raises where a signal ends the read, and once more
-- for Ctrl-C on the way out of pcall.
local function drain(guard)
  while guard:read("*l") do end
end

--- Blocks until a sandbox started without `background` ends: by Ctrl-C, or by
-- `stop` from elsewhere. Then everything it started has ended.
---@param sandbox bitfront.Sandbox
---@return true
function _M.wait(sandbox)
  if sandbox.guard then
    pcall(drain, sandbox.guard) -- Ctrl-C raises in here
    sandbox.guard:close()
  end
  return true
end

--- Stops the sandbox of a state folder.
---@param options? { dir: string? }
---@return true? stopped
---@return string? message  "no sandbox is running ..." or why it would not end.
function _M.stop(options)
  local sandbox, message = _M.status(options)
  if not sandbox then return nil, message end
  return nginx.stop(sandbox.dir, sandbox.pid)
end

--- The sandbox that runs in a state folder.
---@param options? { dir: string? }
---@return bitfront.Sandbox? sandbox
---@return string? message  "no sandbox is running ..."
function _M.status(options)
  local dir, message = folder.open(options and options.dir)
  if not dir then return nil, message end
  return running_in(dir)
end

--- Looks through the arrivals of the sandbox that runs in a state folder, or was
-- the last to run there, for windows with too many calls and for signatures
-- that came twice.
---@param options? { dir: string? }
---@return bitfront.sandbox.LimitsReport? report
---@return string? message  Why the arrivals cannot be read.
function _M.check_limits(options)
  local dir, no_folder = folder.open(options and options.dir)
  if not dir then return nil, no_folder end
  local text, message = read(dir .. "/arrivals.log")
  if not text then return nil, "the arrivals cannot be read: " .. message end
  return limits_check.check(text)
end

return _M
