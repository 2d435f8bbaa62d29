--- Ports to try on 127.0.0.1.

local _M = {}

local DEFAULT = 8443
-- Below the range from which kernels take the ports of outgoing connections.
local LOWEST, HIGHEST = 20000, 32000
local TRIES = 20

-- How Linux writes 0.0.0.0, 127.0.0.1 (in either byte order) and [::].
local IN_THE_WAY = {
  ["00000000"] = true, ["0100007F"] = true, ["7F000001"] = true,
  [("0"):rep(32)] = true,
}

-- Ports that somebody listens on, as Linux lists them. Elsewhere there is no
-- list, and nginx finds out by trying, which takes it 2 s.
local function listening()
  local ports = {}
  for _, name in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    local file = io.open(name, "r")
    local text = file and file:read("*a") or ""
    if file then file:close() end
    for address, port in text:gmatch("%d+: (%x+):(%x+) %x+:%x+ 0A ") do
      if IN_THE_WAY[address] then ports[tonumber(port, 16)] = true end
    end
  end
  return ports
end

-- Not math.random: seeding that would disturb the program around.
local function random_port()
  local file = assert(io.open("/dev/urandom", "rb"))
  local high, low = file:read(2):byte(1, 2)
  file:close()
  return LOWEST + (high * 256 + low) % (HIGHEST - LOWEST)
end

--- The ports to try, best first: the one wanted and no other; without a wish
-- the default one and then any; for 0 any.
---@param wanted? integer
---@return integer[]? ports
---@return string? message
function _M.to_try(wanted)
  local taken = listening()
  if wanted and wanted ~= 0 then
    if not taken[wanted] then return { wanted } end
    return nil, ("port %d of 127.0.0.1 is taken"):format(wanted)
  end
  local ports = {}
  if not wanted and not taken[DEFAULT] then ports[1] = DEFAULT end
  for _ = 1, TRIES do
    local port = random_port()
    if not taken[port] then ports[#ports + 1] = port end
  end
  return ports
end

return _M
