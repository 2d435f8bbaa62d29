-- A running server that sends any bytes and any TLS record; the steps are those of
-- recordd.c.

local certs = require "spec.support.certs"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

---The text in hexadecimal digits.
---@param text string
---@return string
function _M.hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

---The step that sends this text as it is.
function _M.bytes(text) return "bytes:" .. _M.hex(text) end

---The step that sends it in a TLS record.
function _M.data(text) return "record:23:" .. _M.hex(text) end

---Starts one that does these steps on each connection.
---@param steps string[]
---@param address? string "127.0.0.1" where not given, or "::1"
---@return table # with `url`, and a method `stop`
function _M.start(steps, address)
  address = address or "127.0.0.1"
  local words, fifo = {}, shell.tmpdir() .. "/port"
  for i, step in ipairs(steps) do words[i] = shell.quote(step) end
  shell.must("mkfifo " .. fifo)
  local stdin = assert(io.popen(("exec .build/test/recordd %s %s %s >%s"):format(
    address, shell.quote(certs.paths().good), table.concat(words, " "), fifo), "w"))
  local file = assert(io.open(fifo))
  local port = file:read "*l"
  file:close()
  assert(port, "recordd did not start; make it first")
  local command = " " .. table.concat(steps, " ")
  local scheme = (command:find " shake" or command:find " hello") and "https" or "http"
  local host = address:find ":" and "[" .. address .. "]" or address
  return setmetatable({ stdin = stdin, url = ("%s://%s:%s"):format(scheme, host, port) },
    meta)
end

function methods:stop()
  self.stdin:write("\n") -- other children may hold the pipe open
  self.stdin:close()
end

return _M
