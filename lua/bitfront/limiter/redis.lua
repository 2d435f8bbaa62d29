-- The limiter's store for many machines: Redis. One script on the server takes
-- each decision, by the server's clock. All keys' states are fields of one hash,
-- so that Redis (evicting, flushed, restarted, failed over) can lose them only
-- together, and a loss is noticed: then every key counts as full until no call from
-- before can count, as it does in a Redis that has never been used for this.

local limiter = require "bitfront.limiter"
local native = require "bitfront.native"
local raise = require "bitfront.misuse".raise
local window = require "bitfront.limiter.window"

local TIMEOUT = 0.1 -- s for each answer of the server

-- In a Redis before 5 a script that asks for the time may write only after
-- replicate_commands. A server's run_id is a new one after each restart and on
-- each replica.
local SCRIPT = [[
local window = (function()
$(window)
end)()
if redis.replicate_commands then redis.replicate_commands() end

local hash, operation, field = KEYS[1], ARGV[1], ARGV[2]
local time = redis.call("TIME")
local now = time[1] * 1000 + time[2] / 1000
local run_id = redis.call("INFO", "server"):match("run_id:(%x+)")
if not run_id then error("the server does not tell its run_id") end

local known = redis.call("HMGET", hash, "run_id", "since", field)
local since = tonumber(known[2] or nil)
if known[1] ~= run_id or not since or since > now then
  known = { run_id, string.format("%.0f", now) }
  redis.call("DEL", hash)
  redis.call("HMSET", hash, "run_id", run_id, "since", known[2])
end
local state = known[3] and window.unpack(known[3]) or window.new()
window.block(state, tonumber(known[2]), window.LONGEST_FULL)

if operation == "peek" then
  local second, minute, full = window.peek(state, now)
  return { second, minute, math.ceil(full) }
end
local wait
if operation == "block" then
  window.block(state, now, tonumber(ARGV[3]))
else -- ARGV[3] is a slot's id; release gets "" where nothing was sent
  wait = window[operation](state, now, ARGV[3], tonumber(ARGV[4]),
    tonumber(ARGV[5]), tonumber(ARGV[6]))
end
redis.call("HSET", hash, field, window.pack(state))

-- Now and then, some keys that nobody uses any more are removed.
if operation == "acquire" and time[2] % 64 == 0 then
  local cursor = redis.call("HGET", hash, "cursor") or "0"
  local scanned = redis.call("HSCAN", hash, cursor, "COUNT", 20)
  for i = 1, #scanned[2], 2 do
    local name, text = scanned[2][i], scanned[2][i + 1]
    if name ~= "run_id" and name ~= "since" and name ~= "cursor"
      and window.is_idle(window.unpack(text), now) then
      redis.call("HDEL", hash, name)
    end
  end
  redis.call("HSET", hash, "cursor", scanned[1])
end
redis.call("PEXPIRE", hash, 30 * 86400000)
return math.ceil(wait or 0)
]]

local Store = {
  full_hint = "a Redis that is new, or has lost what it knew, counts as full for 125 s",
}
Store.__index = Store

-- ---- the client: redis-lua raises, lua-resty-redis returns nil and a message

local function is_client(value)
  return type(value) == "table" and type(value.evalsha) == "function"
end

-- Of redis-lua, which has no methods for it. lua-resty-redis has, and takes any
-- other field for a command.
local function socket_of(client)
  return client.network and client.network.socket or {}
end

local function set_timeout(client)
  if client.set_timeout then return client:set_timeout(TIMEOUT * 1000) end
  local socket = socket_of(client)
  if socket.settimeout then socket:settimeout(TIMEOUT, "t") end
end

local function connect(self)
  local connected, client, message = pcall(self.connect)
  if not connected or not client then
    return nil, tostring(not connected and client or message or "connect gave nothing")
  elseif not is_client(client) then
    return nil, "connect gave no client of redis-lua or lua-resty-redis, but a " .. type(client)
  end
  set_timeout(client)
  return client, client.get_reused_times and (client:get_reused_times() or 0) > 0
end

-- A connection serves one call at a time, and none is used on both sides of a
-- fork. Returns a client and whether it was used before; or nil and a message.
local function take_client(self)
  local pid = native.pid()
  if self.pid ~= pid then
    self.pid, self.idle = pid, {}
  end
  local client = table.remove(self.idle)
  if client then return client, true end
  return connect(self)
end

-- lua-resty-redis has a pool of its own, and its connections end with the
-- request.
local function give_back(self, client)
  if client.set_keepalive then
    client:set_keepalive()
  else
    self.idle[#self.idle + 1] = client
  end
end

local function close(client)
  local closable = client.close and client or socket_of(client)
  pcall(closable.close, closable)
end

local function ask(client, command, ...)
  local done, reply, message = pcall(client[command], client, ...)
  if not done then return nil, tostring(reply) end
  if reply == nil or reply == false then return nil, tostring(message or "no answer") end
  return reply
end

-- ---- the script ----

-- By its hash; by its text where the server does not have it.
local function ask_script(self, client, ...)
  local reply, message = nil, "NOSCRIPT"
  if self.sha then
    reply, message = ask(client, "evalsha", self.sha, 1, self.hash, ...)
  end
  if not reply and message:find("NOSCRIPT", 1, true) then
    return ask(client, "eval", self.script, 1, self.hash, ...)
  end
  return reply, message
end

-- A server that was started anew has closed the connections that were kept. What
-- it may have done before counts twice then, which is no harm.
local function run(self, ...)
  local client, used = take_client(self)
  if not client then return nil, used end
  local reply, message = ask_script(self, client, ...)
  if reply then
    give_back(self, client)
    return reply
  end
  close(client)
  if used == true and message:find("closed", 1, true) then
    self.idle = {}
    return run(self, ...)
  end
  return nil, message
end

-- As Redis reads it, whatever Lua and the locale make of a number.
local function digits(value)
  return ("%.0f"):format(math.ceil(value))
end

local function number(reply, message)
  local value = tonumber(reply)
  if value then return value end
  return nil, message or "it answered " .. type(reply)
end

function Store:acquire(key, lease, per_second, per_minute)
  local id = limiter.new_id()
  local wait, message = number(run(self, "acquire", key, id, digits(lease),
    digits(per_second), digits(per_minute)))
  return wait, wait and id or message
end

function Store:release(key, id, grace)
  return number(run(self, "release", key, id, grace and digits(grace) or ""))
end

function Store:block(key, ms)
  return number(run(self, "block", key, digits(ms)))
end

function Store:peek(key)
  local reply, message = run(self, "peek", key)
  if type(reply) ~= "table" then return nil, message end
  return tonumber(reply[1]), tonumber(reply[2]), tonumber(reply[3])
end

-- ---- making one ----

-- The text of window.lua, from where it was loaded.
local function window_text()
  local path = debug.getinfo(window.acquire, "S").source:match("^@(.*)$")
  local file = path and io.open(path, "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

local _M = {}

---@class bitfront.RedisOptions
---@field connect fun(): table  a connected client of redis-lua or lua-resty-redis, with the time-out for connecting that you want; it gets 100 ms for each answer
---@field name? string  of the hash; default "bitfront:limiter"

--- See bitfront.redis_limiter.
---@param options bitfront.RedisOptions  checked
---@return bitfront.Store
function _M.new(options)
  local text = window_text()
  if not text then
    raise "bitfront.redis_limiter: the source of bitfront.limiter.window cannot be read"
  end
  local script = SCRIPT:gsub("%$%(window%)", function() return text end)
  return setmetatable({
    connect = options.connect, hash = options.name,
    script = script, sha = native.sha1(script), idle = {},
  }, Store)
end

return _M
