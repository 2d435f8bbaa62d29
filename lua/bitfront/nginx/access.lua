--- Which clients are near: on this machine, or in a private network.

local _M = {}

local function is_near_ipv4(address)
  local a, b = address:match("^(%d+)%.(%d+)%.%d+%.%d+$")
  a, b = tonumber(a), tonumber(b)
  if not a then return false end
  return a == 127 or a == 10 or a == 192 and b == 168
    or a == 172 and b >= 16 and b <= 31 or a == 169 and b == 254
end

-- ::1, fc00::/7, fe80::/10; nginx writes addresses in lower case and shortened.
local function is_near_ipv6(address)
  return address == "::1" or address:find "^f[cd]%x%x:" ~= nil
    or address:find "^fe[89ab]%x:" ~= nil
end

--- Whether an address is loopback, private or link-local, or a unix socket.
---@param address string?  as nginx has it in $remote_addr
---@return boolean
function _M.is_near(address)
  if not address then return false end
  local mapped = address:match("^::ffff:(%d+%.%d+%.%d+%.%d+)$")
  return address == "unix:" or is_near_ipv4(mapped or address)
    or is_near_ipv6(address)
end

return _M
