-- Ports to try on 127.0.0.1.

local machine = require "bitfront.sandbox.machine"

local _M = {}

local DEFAULT = 8443
-- Below the range from which kernels take the ports of outgoing connections.
local LOWEST, HIGHEST = 20000, 32000
local TRIES = 20

-- How Linux writes 0.0.0.0, 127.0.0.1 (in either byte order) and [::].
local BLOCKING = {
  ["00000000"] = true, ["0100007F"] = true, ["7F000001"] = true,
  [("0"):rep(32)] = true,
}

-- Ports on which some process listens, as Linux lists them. Other systems have no such
-- list; there nginx tries the port, which takes 2 s.
local function listening()
  local ports = {}
  for _, name in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    local text = machine.read(name) or ""
    for address, port in text:gmatch("%d+: (%x+):(%x+) %x+:%x+ 0A ") do
      if BLOCKING[address] then ports[tonumber(port, 16)] = true end
    end
  end
  return ports
end

--- The ports to try, best first: the one requested and no other; for nil the default
--- one and then any; for 0 any.
---@param requested? integer
---@return integer[]? ports
---@return string? message
function _M.to_try(requested)
  local taken = listening()
  if requested and requested ~= 0 then
    if not taken[requested] then return { requested } end
    return nil, ("port %d of 127.0.0.1 is taken"):format(requested)
  end
  local ports = {}
  if not requested and not taken[DEFAULT] then ports[1] = DEFAULT end
  -- Not math.random: seeding that would disturb the program around.
  local urandom = assert(io.open("/dev/urandom", "rb"))
  for high, low in urandom:read(2 * TRIES):gmatch("(.)(.)") do
    local port = LOWEST + (high:byte() * 256 + low:byte()) % (HIGHEST - LOWEST)
    if not taken[port] then ports[#ports + 1] = port end
  end
  urandom:close()
  return ports
end

return _M
