-- A running https:// or http:// proxy; see tunneld.lua.

local certs = require "spec.support.certs"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

---Starts one.
---@param more? string its second argument
---@param certificate? string a name in spec.support.certs; else "good"
---@return table # with `url`, and a method `stop`
function _M.start(more, certificate)
  local fifo = shell.tmpdir() .. "/port"
  shell.must("mkfifo " .. fifo)
  local stdin = assert(io.popen(("lua5.4 spec/support/tunneld.lua %s %s >%s"):format(
    shell.quote(certs.paths()[certificate or "good"]), more or "", fifo), "w"))
  local file = assert(io.open(fifo))
  local port = file:read "*l"
  file:close()
  local scheme = more == "http" and "http" or "https"
  return setmetatable({ stdin = stdin, url = scheme .. "://127.0.0.1:" .. port }, meta)
end

function methods:stop()
  self.stdin:close()
end

return _M
