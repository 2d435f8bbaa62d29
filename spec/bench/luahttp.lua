-- luahttp.lua CALLS: the same calls by hand, with lua-http, luaossl and
-- lua-cjson. Certificate verified, connection kept, each request signed.

local cjson = require "cjson"
local headers = require "http.headers"
local hmac = require "openssl.hmac"
local http_client = require "http.client"
local http_tls = require "http.tls"
local rand = require "openssl.rand"
local store = require "openssl.x509.store"
local verify = require "openssl.ssl.context".VERIFY_PEER

local BASE = assert(os.getenv "BITFRONT_BASE_URL")
local KEY = assert(os.getenv "BITFRONT_API_KEY")
local SECRET = assert(os.getenv "BITFRONT_API_SECRET")
local HOST, PORT, PREFIX = BASE:match "^https://([^:/]+):(%d+)(.*)$"
local PATH = "/v1/account/balances"

local function connect()
  local context = http_tls.new_client_context()
  context:setStore(store.new():add(assert(os.getenv "BITFRONT_CA_FILE")))
  context:setVerify(verify)
  return assert(http_client.connect({
    host = HOST, port = tonumber(PORT), tls = true, ctx = context,
    version = 1.1,
  }, 10))
end

local function hex(text)
  return (text:gsub(".", function(char)
    return ("%02x"):format(char:byte())
  end))
end

local function request_headers()
  local timestamp = ("%.0f"):format(os.time() * 1000)
  local nonce = tostring(10000 + rand.uniform(90000))
  local h = headers.new()
  h:append(":method", "GET")
  h:append(":scheme", "https")
  h:append(":authority", HOST .. ":" .. PORT)
  h:append(":path", PREFIX .. PATH)
  h:append("accept", "application/json")
  h:append("user-agent", "bitfront-lua/0.1.0")
  h:append("x-api-key", KEY)
  h:append("x-api-timestamp", timestamp)
  h:append("x-api-nonce", nonce)
  h:append("x-api-sign",
    hex(hmac.new(SECRET, "sha256"):final(nonce .. timestamp .. "GET" .. PATH)))
  return h
end

local function balances(connection)
  local stream = assert(connection:new_stream())
  assert(stream:write_headers(request_headers(), true, 10))
  local reply = assert(stream:get_headers(10))
  assert(reply:get ":status" == "200")
  local body = assert(stream:get_body_as_string(10))
  stream:shutdown()
  local envelope = cjson.decode(body)
  assert(envelope.statusCode == 1000)
  return envelope.responseData
end

local connection = connect()
for _ = 1, tonumber(arg[1]) do
  balances(connection)
end
