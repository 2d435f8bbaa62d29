-- A proxy (jitterd.c) before a server of 127.0.0.1: what passes through it is
-- late by chance, in order, and otherwise unchanged.

local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

local PROGRAM = ".build/test/jitterd"

-- A proxy that fails to start closes the pipe, so this never waits for ever.
local function read_port(fifo)
  local file = assert(io.open(fifo))
  local port = (file:read("*l") or ""):match("^port (%d+)$")
  file:close()
  return assert(tonumber(port), PROGRAM .. " did not start; make it first")
end

---@class Jitterd
---@field port integer of 127.0.0.1
---@field base_url string what to call where the target speaks TLS

---Starts a proxy before a port of 127.0.0.1. It ends with `stop`, and with this
---process.
---@param target_port integer
---@param max_ms integer the most by which a chunk is delayed, 0 to 3600000
---@return Jitterd
function _M.start(target_port, max_ms)
  local fifo = shell.tmpdir() .. "/port"
  shell.must("mkfifo " .. fifo)
  local stdin = assert(io.popen(("exec %s %d %d >%s")
    :format(PROGRAM, target_port, max_ms, fifo), "w"))
  local port = read_port(fifo)
  return setmetatable({
    port = port, base_url = "https://127.0.0.1:" .. port, stdin = stdin,
  }, meta)
end

---Ends the proxy and every connection through it.
function methods:stop()
  if not self.stdin then return end
  self.stdin:write("\n") -- other children may hold the pipe open
  self.stdin:close()
  self.stdin = nil
end

return _M
