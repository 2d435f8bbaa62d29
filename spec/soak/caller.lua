-- usage: caller.lua REDIS_PORT SECONDS      with the client's variables set
--
-- Asks for balances as often as the limiter permits, and prints at the end how the
-- calls ended: a line "KIND COUNT" for each kind.

local bitfront = require "bitfront"
local core = require "bitfront.core"
local redis = require "spec.support.redis"

local port, seconds = tonumber(arg[1]), tonumber(arg[2])
local client = bitfront.new {
  timeout = 10,
  rate_limit = { store = bitfront.redis_limiter {
    connect = function() return redis.connect_to(port) end,
  } },
}

local counts, deadline = {}, core.now() + seconds
while core.now() < deadline do
  local balances, err = client:balances()
  local kind = balances and "success" or err.kind .. "/" .. err.code
  counts[kind] = (counts[kind] or 0) + 1
  if err then
    core.sleep(math.max(0, math.min(err.retry_after or 0.1, deadline - core.now(), 60)))
  end
end
client:close()
for kind, count in pairs(counts) do print(kind, count) end
