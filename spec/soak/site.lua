-- The site of the workers' soak: four workers that have the module's build with
-- ASan and UBSan, with the balances of one sandbox exchange by way of the cache,
-- and direct calls of another that sets no limits.

local _M = {}

_M.WORKERS = 4
_M.TIMEOUT = 3 -- s, of each call of an exchange
_M.BUILD = ".build/asan"

-- What is asked for, and how often for each time that the rarest is. Each has
-- the same answer whenever it is 200.
_M.PATHS = {
  { "/free", 10 }, { "/limited", 1 }, { "/balances?format=json", 6 },
  { "/balances?format=csv", 2 }, { "/balances?format=json&currency=BTC,ETH", 2 },
}

local HTTP = [[
  lua_shared_dict bitfront 1m;
  lua_shared_dict limits 1m;
  init_by_lua_block {
    local bitfront = require "bitfront"
    -- A worker without descriptors could not open their files.
    require "bitfront.nginx"
    require "bitfront.nginx.serve"
    local free_url, limited_url = %q, %q
    local free_ca, limited_ca = %q, %q
    local timeout = %d
    local function options(url, ca, account)
      return { base_url = url, ca_file = ca, timeout = timeout, amounts = "string",
               api_key = account.key, api_secret = account.secret }
    end
    local first, second = { key = %q, secret = %q }, { key = %q, secret = %q }
    local of_site = options(limited_url, limited_ca, first)
    local free = options(free_url, free_ca, first)
    free.rate_limit, free.retries = false, 1
    local limited = options(limited_url, limited_ca, second)
    limited.rate_limit = { store = bitfront.shared_dict_limiter "limits" }
    clients = { free = bitfront.new(free), limited = bitfront.new(limited) }

    function direct(name)
      local records, err = clients[name]:balances()
      if not records then
        ngx.status = 502
        return ngx.print(err.kind, "/", err.code)
      end
      for _, record in ipairs(records) do
        ngx.say(record.currency, " ", record.balance, " ", record.availableBalance)
      end
    end

    site = { ttl = 2, stale = 30, options = of_site }

    -- As many timers as may run at a time, for some seconds.
    function fill_timers()
      for _ = 1, 300 do
        ngx.timer.at(0, function() ngx.sleep(2) end)
      end
    end
  }
  init_worker_by_lua_block {
    if ngx.worker.id() == 0 then
      local cache = require("bitfront.nginx").cached(site)
      ngx.timer.every(0.5, function() cache:balances() end)
    end
  }
]]

local SERVER = [[
  location = /balances { content_by_lua_block { require("bitfront.nginx").serve(site)() } }
  location = /free { content_by_lua_block { direct "free" } }
  location = /limited { content_by_lua_block { direct "limited" } }
  location = /timers { content_by_lua_block { fill_timers() ngx.print "x" } }
  location = /held { content_by_lua_block { ngx.sleep(2) ngx.print "x" } }
  location = /status { content_by_lua_block {
    collectgarbage() collectgarbage()
    local live, held = require "bitfront.core".thread_status()
    ngx.print(ngx.worker.pid(), " ", live, " ", held)
  } }
]]

-- The sanitizers' runtime has to be there before anything else. What nginx and
-- LuaJIT do not free at their end is not reported.
local function environment(folder)
  local libasan = require "spec.support.shell".must "${CC:-cc} -print-file-name=libasan.so"
  local log = ":log_path=" .. folder .. "/sanitizer"
  return {
    LD_PRELOAD = libasan:gsub("%s+$", ""), TMPDIR = folder .. "/tmp",
    ASAN_OPTIONS = "detect_leaks=0:quarantine_size_mb=16" .. log,
    UBSAN_OPTIONS = "print_stacktrace=1" .. log,
  }
end

---@param free Exchange  without limits
---@param limited Exchange
---@param accounts string[][]  two keys and their secrets
---@param folder string  for reports of the sanitizers, and sockets
---@return NginxOptions
function _M.options(free, limited, accounts, folder)
  return {
    workers = _M.WORKERS, build = _M.BUILD, connections = 256,
    http = HTTP:format(free.base_url, limited.base_url, free.ca_file,
      limited.ca_file, _M.TIMEOUT, accounts[1][1], accounts[1][2],
      accounts[2][1], accounts[2][2]),
    server = SERVER, env = environment(folder),
  }
end

return _M
