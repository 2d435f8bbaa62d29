-- A Redis server of the specs' own, and clients of it by the rock redis-lua.

local ports = require "bitfront.sandbox.ports"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

-- Debian has redis-lua, which is one file of plain Lua, for 5.1 to 5.3.
local function redis_lua()
  local found, redis = pcall(require, "redis")
  if found then return redis end
  return dofile "/usr/share/lua/5.3/redis.lua"
end

-- Ends the server when this process ends, however it does. KILL: a stopped one
-- takes no other.
local KEEPER = [[
trap '' INT HUP TERM
exec 3<&0
{ cat; read -r pid <%s/redis.pid && kill -KILL "$pid"; } <&3 >/dev/null 2>&1 &
]]

-- Whether it answers, by its log: on a port that another process has, that one would.
local function launch(server)
  local path = server.dir .. "/redis.log"
  os.remove(path)
  shell.must(("redis-server --port %d --bind 127.0.0.1 --dir %s --pidfile %s "
    .. "--daemonize yes --logfile redis.log --save '' %s"):format(server.port,
    server.dir, server.dir .. "/redis.pid", server.arguments))
  local log
  for _ = 1, 100 do
    log = shell.read(path) or ""
    if log:find "Ready to accept" then return true end
    if log:find "in use" then return false end
    shell.sleep(0.05)
  end
  error("redis-server did not start: " .. log)
end

---A server that answers, on a free port.
---@param arguments? string  more words for redis-server
function _M.start(arguments)
  local server = setmetatable({ dir = shell.tmpdir(), arguments = arguments or "" }, meta)
  server.keeper = assert(io.popen(KEEPER:format(server.dir), "w"))
  for _, port in ipairs(ports.to_try(0)) do
    server.port = port
    if launch(server) then return server end
  end
  error "no port is free for redis-server"
end

---A connected client of redis-lua.
---@param port integer  of 127.0.0.1
function _M.connect_to(port)
  return redis_lua().connect { host = "127.0.0.1", port = port, timeout = 5 }
end

function methods:connect()
  return _M.connect_to(self.port)
end

-- A client whose time-out the store does not shorten to its 100 ms, within which a
-- busy machine may not answer.
local function connect_patiently(server)
  local client = server:connect()
  local socket = client.network.socket
  client.network.socket = setmetatable({ settimeout = function() return 1 end }, {
    __index = function(_, name)
      return function(_, ...) return socket[name](socket, ...) end
    end,
  })
  return client
end

---A limiter's store on it. Unless the options say how to connect, it waits longer
---for an answer than others do.
function methods:store(options)
  local all = { connect = function() return connect_patiently(self) end }
  for name, value in pairs(options or {}) do all[name] = value end
  return require "bitfront".redis_limiter(all)
end

function methods:signal(name)
  shell.must(("kill -%s $(cat %s/redis.pid)"):format(name, self.dir))
end

---Kills it, and starts it again with what it had saved.
function methods:restart()
  self:stop()
  shell.sleep(0.05)
  assert(launch(self), "another process has the port of redis-server")
end

function methods:stop()
  pcall(self.signal, self, "KILL")
end

return _M
