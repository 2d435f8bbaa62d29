-- An https:// proxy that supports CONNECT alone.
--
--     lua5.4 tunneld.lua CERTIFICATE [endless|http]
--
-- prints its port, and ends with its standard input. The certificate's file has its
-- key too. With "endless" it refuses, in a reply that never ends. With
-- "http" it is an http:// proxy.

local cqueues = require "cqueues"
local pkey = require "openssl.pkey"
local socket = require "cqueues.socket"
local ssl_context = require "openssl.ssl.context"
local x509 = require "openssl.x509"

local function context_of(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  local context = ssl_context.new("TLS", true)
  context:setCertificate(x509.new(text))
  context:setPrivateKey(pkey.new(text))
  return context
end

local function pass(from, to)
  repeat
    local bytes = from:read(-4096)
    if bytes then to:write(bytes) to:flush() end
  until not bytes
  to:shutdown "w"
end

local function refuse_for_ever(client)
  client:write("HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=x\r\n"
    .. "Content-Length: 99999999999\r\n\r\n")
  while client:write(("x"):rep(65536)) do client:flush() end
end

local function serve(client, context, queue)
  client:setmode("bn", "bn")
  if arg[2] ~= "http" then client:starttls(context) end
  local host, port = client:read "*l":match "^CONNECT (%S+):(%d+) "
  repeat until client:read "*l":match "^\r?$"
  if arg[2] == "endless" then return refuse_for_ever(client) end
  local server = socket.connect(host, tonumber(port))
  server:setmode("bn", "bn")
  client:write "HTTP/1.1 200 OK\r\n\r\n"
  client:flush()
  queue:wrap(pcall, pass, server, client)
  pcall(pass, client, server)
end

local queue, context = cqueues.new(), context_of(arg[1])
local listener = socket.listen("127.0.0.1", 0)
queue:wrap(function()
  while true do
    local client = listener:accept()
    queue:wrap(pcall, serve, client, context, queue)
  end
end)
queue:wrap(function()
  socket.fdopen(0):read "*a"
  os.exit(0)
end)
listener:listen()
print((select(3, listener:localname())))
io.stdout:close()
assert(queue:loop())
