-- A running fault server (faultd.c) and the URLs that tell it what to send.

local certs = require "spec.support.certs"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

local PROGRAM = ".build/test/faultd"

-- The name of each listener, how it behaves and whose certificate it shows.
local LISTENERS = {
  { "good", "tls", "good" },
  { "plain", "plain" },
  { "expired", "tls", "expired" },
  { "wronghost", "tls", "wronghost" },
  { "selfsigned", "tls", "selfsigned" },
  { "unknown", "tls", "unknown" },
  { "tls11", "tls11", "good" },
  { "closed", "closed" },
  { "full", "full" },
  { "silent", "silent" },
  { "reset", "reset" },
}

-- What the server's echo option makes of {Header-Name}, in bytes.
local ECHO_LENGTH = {
  ["X-API-KEY"] = 16, ["X-API-SIGN"] = 64, ["X-API-NONCE"] = 5,
  ["X-API-TIMESTAMP"] = 13,
}

local OPTIONS = { "cut", "delay", "chunk", "gap", "echo", "serves", "idle",
                  "close" }

local function listener_words(paths, more, is_v6)
  local words, family = {}, is_v6 and "6" or ""
  for _, l in ipairs(LISTENERS) do
    local word = l[1] .. ":" .. l[2] .. family
    if l[3] then word = word .. ":" .. paths[l[3]] end
    words[#words + 1] = shell.quote(word)
  end
  for name, pem in pairs(more or {}) do
    words[#words + 1] = shell.quote(("%s:tls%s:%s"):format(name, family, pem))
  end
  return table.concat(words, " ")
end

-- The lines "NAME PORT" up to an empty one.  A server that fails to start
-- closes the pipe, so this never waits for ever.
local function read_ports(fifo)
  local file, ports = assert(io.open(fifo)), {}
  for line in file:lines() do
    local name, port = line:match("^(%w+) (%d+)$")
    if not name then break end
    ports[name] = tonumber(port)
  end
  file:close()
  assert(ports.good, PROGRAM .. " did not start; make it first")
  return ports
end

---Starts a server with every listener there is.
---@param more? table<string, string> # further ones, and their certificates
---@param is_v6? boolean # on ::1, not on 127.0.0.1
---@return table # see the methods
function _M.start(more, is_v6)
  local dir, paths = shell.tmpdir(), certs.paths()
  shell.must("mkfifo " .. dir .. "/ports")
  local stdin = assert(io.popen(("exec %s %s %s >%s/ports")
    :format(PROGRAM, dir, listener_words(paths, more, is_v6), dir), "w"))
  return setmetatable({
    dir = dir,
    host = is_v6 and "[::1]" or "127.0.0.1",
    ports = read_ports(dir .. "/ports"),
    ca_file = paths.ca,
    stdin = stdin,
    names = {},
    count = 0,
  }, meta)
end

-- The file that holds these reply bytes; the same bytes are written once.
function methods:name_of(reply)
  if not self.names[reply] then
    self.count = self.count + 1
    self.names[reply] = "r" .. self.count
    shell.write(self.dir .. "/" .. self.names[reply], reply)
  end
  return self.names[reply]
end

---@class FaultPlan what to send; the words are those of faultd.c
---@field reply? string the bytes
---@field listener? string "good" where not given
---@field scheme? string
---@field host? string a name for the server's address
---@field cut? integer
---@field delay? integer ms
---@field chunk? integer
---@field gap? integer ms
---@field echo? integer
---@field serves? integer
---@field idle? integer ms
---@field close? "fin"|"rst"|"notls"|"hang"|"keep"

---The base_url at which the server sends `reply`, byte for byte.
---@param t FaultPlan
---@return string
function methods:url(t)
  local listener = t.listener or "good"
  local options = { "f=" .. self:name_of(t.reply or "") }
  for _, name in ipairs(OPTIONS) do
    if t[name] then options[#options + 1] = name .. "=" .. t[name] end
  end
  return ("%s://%s:%d/%s"):format(
    t.scheme or (listener == "plain" and "http" or "https"),
    t.host or self.host, self.ports[listener], table.concat(options, ";"))
end

local function echoed_length(body)
  local function widened(name)
    return ECHO_LENGTH[name] and ("x"):rep(ECHO_LENGTH[name])
  end
  return #body:gsub("{([%w-]+)}", widened)
end

---A whole reply of HTTP/1.1 with this body.
---@param t? { status: string?, headers: string[]?, echo: integer? }
---@return string
function _M.reply(body, t)
  t = t or {}
  local lines = { "HTTP/1.1 " .. (t.status or "200 OK") }
  for _, header in ipairs(t.headers or {}) do lines[#lines + 1] = header end
  lines[#lines + 1] = "Content-Type: application/json"
  lines[#lines + 1] = ("Content-Length: %d"):format(
    t.echo and echoed_length(body) or #body)
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

---The base_url at which the server answers with this body, well framed, and
---keeps the connection unless told how to close it.
---@param t? table # as for `url` and `reply`
---@return string
function methods:url_body(body, t)
  local copy = { close = "keep" }
  for name, value in pairs(t or {}) do copy[name] = value end
  copy.reply = _M.reply(body, t)
  return self:url(copy)
end

local function parse_head(head)
  local request = { head = head, headers = {}, names = {} }
  request.method, request.target, request.version =
    head:match("^(%S+) (%S+) (%S+)\r\n")
  request.path = request.target:gsub("^/[^/]*", "")
  for name, value in head:gmatch("\r\n([^:\r\n]+): ?([^\r\n]*)") do
    request.headers[name:lower()] = value
    request.names[#request.names + 1] = name
  end
  return request
end

---@class FaultRequest
---@field listener string
---@field connection integer the connections of all listeners are counted
---@field head string
---@field method string
---@field target string
---@field path string the target without the server's options
---@field version string
---@field headers table<string, string> by lower-case name
---@field names string[] of headers, as sent and in order

---The requests that arrived, in order.
---@return FaultRequest[]
function methods:requests()
  local log, found, at = shell.read(self.dir .. "/requests"), {}, 1
  while at <= #log do
    local listener, connection, size, first =
      log:match("^(%w+) (%d+) (%d+)\n()", at)
    local request = parse_head(log:sub(first, first + size - 1))
    request.listener, request.connection = listener, tonumber(connection)
    found[#found + 1] = request
    at = first + size
  end
  return found
end

---Which connection each of them came on, the first being 1.
---@return string # such as "1 2 1"
---@return integer # how many there were
function methods:connections()
  local numbers, count, list = {}, 0, {}
  for i, request in ipairs(self:requests()) do
    if not numbers[request.connection] then
      count = count + 1
      numbers[request.connection] = count
    end
    list[i] = numbers[request.connection]
  end
  return table.concat(list, " "), count
end

---Forgets the requests that arrived so far.
function methods:forget()
  shell.write(self.dir .. "/requests", "")
end

---Ends the server, which also ends by itself when this process is gone.
function methods:stop()
  if not self.stdin then return end
  self.stdin:write("\n") -- other children may hold the pipe open
  self.stdin:close()
  self.stdin = nil
end

return _M
