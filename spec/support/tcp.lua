-- What the system says of this machine's TCP connections, by /proc/net/tcp and tcp6.

local _M = {}

---@class TcpConnection the client's end of one
---@field open boolean neither end has been closed
---@field unread integer bytes that have come and were not read

---Those to this port that the client has not closed.
---@param port integer
---@param is_v6? boolean of ::1, not of 127.0.0.1
---@return TcpConnection[]
function _M.connections(port, is_v6)
  local found = {}
  for line in io.lines(is_v6 and "/proc/net/tcp6" or "/proc/net/tcp") do
    local to, state, unread = line:match "^%s*%d+: %x+:%x+ %x+:(%x+) (%x+) %x+:(%x+)"
    if to and tonumber(to, 16) == port and (state == "01" or state == "08") then
      found[#found + 1] = { open = state == "01", unread = tonumber(unread, 16) }
    end
  end
  return found
end

local function any_is_silent(port, is_v6)
  for _, connection in ipairs(_M.connections(port, is_v6)) do
    if connection.open and connection.unread == 0 then return true end
  end
  return false
end

---Waits until something has come on each of them: bytes, or the end.
---@param port integer
---@param is_v6? boolean
function _M.wait_for_peer(port, is_v6)
  local core = require "bitfront.core"
  local due = core.now() + 30
  while any_is_silent(port, is_v6) do
    assert(core.now() < due, "nothing has come")
    core.sleep(0.001)
  end
end

return _M
