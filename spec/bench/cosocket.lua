-- The same signed request as a hand-written client of OpenResty's would make it:
-- a cosocket, HTTP in Lua, lua-cjson. For nginx.lua to compare with.

local cjson = require "cjson"
local core = require "bitfront.core"

local _M = {}

local PATH = "/v1/account/balances"

-- prefix: of the path, which is not signed.
function _M.new(host, port, prefix, key, secret)
  return setmetatable({ host = host, port = port, prefix = prefix, key = key,
    secret = secret }, { __index = _M })
end

local function connect(self)
  local socket = ngx.socket.tcp()
  socket:settimeout(5000)
  local ok, err = socket:connect(self.host, self.port, { pool_size = 512 })
  if not ok then return nil, err end
  if socket:getreusedtimes() == 0 then
    ok, err = socket:sslhandshake(nil, "localhost", true)
    if not ok then return nil, err end
  end
  return socket
end

local function request(self)
  local timestamp = ("%.0f"):format(ngx.now() * 1000)
  local nonce = tostring(math.random(10000, 99999))
  local signature = core.sign(self.secret, nonce, timestamp, "GET", PATH, "", "")
  return {
    "GET ", self.prefix, PATH, " HTTP/1.1\r\nHost: ", self.host,
    "\r\nAccept: application/json\r\nX-API-KEY: ", self.key,
    "\r\nX-API-TIMESTAMP: ", timestamp, "\r\nX-API-NONCE: ", nonce,
    "\r\nX-API-SIGN: ", signature, "\r\n\r\n",
  }
end

local function read_head(socket)
  local line, err = socket:receive "*l"
  if not line then return nil, err end
  local status = tonumber(line:match "^HTTP/1%.1 (%d%d%d)")
  local headers = {}
  while true do
    line, err = socket:receive "*l"
    if not line then return nil, err end
    if line == "" then return status, headers end
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    headers[name:lower()] = value
  end
end

function _M:balances()
  local socket, err = connect(self)
  if not socket then return nil, err end
  local ok
  ok, err = socket:send(request(self))
  if not ok then return nil, err end
  local status, headers = read_head(socket)
  if status ~= 200 then return nil, headers or status end
  local body
  body, err = socket:receive(tonumber(headers["content-length"]))
  if not body then return nil, err end
  socket:setkeepalive(60000, 512)
  local reply = cjson.decode(body)
  if reply.statusCode ~= 1000 then return nil, reply.statusMessage end
  return reply.responseData, nil, reply
end

return _M
