-- usage: nginx.lua SECONDS [faults]
--
-- Four workers of an nginx with two keys share a lua_shared_dict. With faults,
-- workers are killed and stopped, and nginx reloads. Fails where more arrived
-- than the exchange permits; prints how much did.

local core = require "bitfront.core"
local setting = require "spec.soak.setting"
local shell = require "spec.support.shell"
local nginx = require "spec.support.nginx"

local SECONDS, with_faults = tonumber(arg[1]), arg[2] == "faults"

local HTTP = [[
  lua_shared_dict limits 1m;
  init_worker_by_lua_block {
    local bitfront = require "bitfront"
    local function loop(premature, key, secret)
      if premature then return end
      local client = bitfront.new { api_key = key, api_secret = secret,
        base_url = %q, ca_file = %q, timeout = 10,
        rate_limit = { store = bitfront.shared_dict_limiter "limits" } }
      local begun = ngx.now()
      while not ngx.worker.exiting() and ngx.now() - begun < %d do
        local balances, err = client:balances()
        if err then
          if err.kind ~= "rate_limit" then ngx.log(ngx.NOTICE, err) end
          ngx.sleep(math.min(err.retry_after or 0.1, 1))
        end
      end
      client:close()
    end
    for _ = 1, 2 do
      ngx.timer.at(0, loop, %q, %q)
      ngx.timer.at(0, loop, %q, %q)
    end
  }
]]

local sandbox, proxy = setting.start()
local keys = setting.KEYS
local host = nginx.start {
  workers = 4, http = HTTP:format(proxy.base_url, sandbox.ca_file, SECONDS,
    keys[1][1], keys[1][2], keys[2][1], keys[2][2]),
}

local function signal(i, name)
  return function()
    local pid = host:workers()[i]
    if pid then shell.run(("kill -%s %d"):format(name, pid)) end
  end
end

local stopped
local FAULTS = {
  { 8, signal(1, "KILL") }, { 12, signal(2, "KILL") },
  { 15, function() stopped = host:workers()[1] shell.run("kill -STOP " .. stopped) end },
  { 30, signal(3, "KILL") }, { 40, function() host:signal "HUP" end },
  { 50, function() shell.run("kill -CONT " .. stopped) end },
  { 60, signal(1, "KILL") }, { 62, signal(2, "KILL") }, { 64, signal(3, "KILL") },
  { 75, function() host:signal "HUP" end }, { 80, signal(4, "KILL") },
}

setting.run_faults(with_faults and FAULTS or {}, SECONDS)
host:stop()
setting.sleep_until(core.now() + 1)
print(("four workers, shared dict%s"):format(with_faults and ", faults" or ""))
local good = setting.judge(sandbox, SECONDS)
proxy:stop()
sandbox:stop()
os.exit(good)
