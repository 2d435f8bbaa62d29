-- The limiter's stores inside a real nginx: the shared dict, and Redis by
-- lua-resty-redis.

local redis = require "spec.support.redis"
local limiter_rows = require "spec.support.limiter_rows"
local support = require "spec.support"
local nginx = require "spec.support.nginx"

local HTTP = [[
  lua_shared_dict limits 1m;
  lua_shared_dict tiny 32k;
  lua_shared_dict idle 32k;
  lua_shared_dict grow 64k;
  init_by_lua_block {
    rows = dofile(%q)
    bitfront = require "bitfront"
    stores = {
      dict = function() return bitfront.shared_dict_limiter "limits" end,
      redis = function() return bitfront.redis_limiter {
        connect = function()
          local client = require "nginx.redis":new()
          client:set_timeout(5000)
          client.set_timeout = function() end -- 100 ms are not enough on a busy machine
          local ok, err = client:connect("127.0.0.1", %d)
          return ok and client, err
        end,
      } end,
    }
    -- What each client was told, and how often its connection had been used.
    told = {}
    function resty(port)
      return bitfront.redis_limiter { connect = function()
        local client = require "nginx.redis":new()
        local set_timeout = client.set_timeout
        client.set_timeout = function(self, ms)
          told[#told + 1] = ms
          return set_timeout(self, port == %d and ms * 50 or ms) -- on a busy machine
        end
        local ok, err = client:connect("127.0.0.1", port)
        if not ok then return nil, err end
        told[#told + 1] = "used " .. client:get_reused_times()
        return client
      end }
    end
  }
]]

local SERVER = [[
  location = /row { content_by_lua_block {
    local name, i = ngx.var.arg_store, tonumber(ngx.var.arg_row)
    local ok, message = pcall(rows[i][2], stores[name](), name .. "key" .. i, ngx.sleep)
    ngx.print(ok and "ok" or message)
  } }
  location = /resty { lua_socket_log_errors off; content_by_lua_block {
    told = {}
    local store = resty(tonumber(ngx.var.arg_port))
    for _ = 1, ngx.var.arg_calls do
      local second, minute = store:peek "resty"
      told[#told + 1] = tostring(second) .. " " .. tostring(minute)
    end
    ngx.print(table.concat(told, ", "))
  } }
  # Takes what there is, without waiting for more, but for the lock.
  location = /take { content_by_lua_block {
    local store, wait, message = stores.dict(), nil, nil
    repeat
      wait, message = store:acquire("shared", 60000, 7, 1000)
    until wait or not message:find "acquire the lock"
    ngx.print(wait == 0 and "t" or wait and "f" or message)
  } }
  location = /full { content_by_lua_block {
    local dict = ngx.shared.tiny
    local store = bitfront.shared_dict_limiter "tiny"
    assert(store:acquire("k", 1000, 3, 60) == 0)
    local i = 0
    repeat i = i + 1 until not dict:safe_set("filler" .. i, ("x"):rep(100))
    local client = bitfront.new { api_key = "k", api_secret = "s",
      base_url = "http://127.0.0.1:1", rate_limit = { store = store } }
    local _, err = client:balances()
    ngx.print(err.kind, " ", err.code, " ", err.attempts, " ", err.message)
  } }
  location = /hang {
    lua_check_client_abort on;
    content_by_lua_block {
      bitfront.new { api_key = "given-up", api_secret = "s", base_url = "%s", timeout = 50,
        connect_timeout = 50, rate_limit = { store = stores.dict() } }:balances()
    }
  }
  # The first that is answered has the others killed, of which some were woken with it.
  location = /first { content_by_lua_block {
    local client = bitfront.new { api_key = "woken", api_secret = "s", base_url = "%s",
      timeout = 50, rate_limit = { store = stores.dict(), per_second = 20 } }
    local threads = {}
    for i = 1, 10 do threads[i] = ngx.thread.spawn(client.balances, client) end
    ngx.thread.wait(unpack(threads))
    for _, thread in ipairs(threads) do ngx.thread.kill(thread) end
    ngx.print "killed"
  } }
  location = /next { content_by_lua_block {
    local _, err = bitfront.new { api_key = ngx.var.arg_key, api_secret = "s", retries = 0,
      base_url = "http://127.0.0.1:1", timeout = 12,
      rate_limit = { store = stores.dict(), per_second = 1 } }:balances()
    ngx.print(err.kind, " ", err.code)
  } }
  location = /idle { content_by_lua_block {
    local dict = ngx.shared.idle
    local store = bitfront.shared_dict_limiter "idle"
    assert(store:acquire("busy", 1000, 3, 60) == 0)
    local i = 0
    repeat i = i + 1 until not dict:safe_set("bitfront:limiter:" .. i, ("0 1000"):rep(20, " "))
    local wait = store:acquire("new", 1000, 3, 60)
    ngx.print(wait, " ", dict:ttl "bitfront:limiter:new", " ",
      store:peek "busy", " ", #dict:get_keys(0))
  } }
  # Both names of a state, as a worker leaves them that is killed between two steps.
  location = /both { content_by_lua_block {
    local dict, store = ngx.shared.limits, stores.dict()
    local name, now = "bitfront:limiter:both", require "bitfront.core".now() * 1000
    local one, two = ("0 %%.0f"):format(now), ("0 %%.0f %%.0f"):format(now, now)
    dict:set(name, one)
    dict:set(name .. "\1", two)
    local function names()
      return (dict:get(name) and "first" or "") .. (dict:get(name .. "\1") and "second" or "")
    end
    ngx.print((select(2, store:peek "both")))
    for _ = 1, 2 do
      ngx.print(" ", (store:acquire("both", 5000, 9, 60)), " ", select(2, store:peek "both"), " ",
        names())
    end
  } }
  # A state of two pages grows, where one page is free elsewhere.
  location = /grow { content_by_lua_block {
    local dict, store = ngx.shared.grow, bitfront.shared_dict_limiter "grow"
    dict:set("bitfront:limiter-lock:x", 1) -- so that there is memory for a lock
    local function acquire() return store:acquire("k", 50000, 1e6, 1e6) end
    for _ = 1, 200 do assert(acquire() == 0) end
    local i = 0
    repeat i = i + 1 until not dict:safe_set("filler" .. i, ("x"):rep(3000))
    dict:delete("filler" .. i - 1)
    local count, wait, message = 199
    repeat
      count = count + 1
      wait, message = acquire()
    until wait ~= 0
    local _, counted = store:peek "k"
    dict:delete "filler1"
    dict:delete "filler2"
    dict:delete "filler3"
    ngx.print(message, " ", counted == count, " ", acquire(), " ",
      select(2, store:peek "k") == count + 1)
  } }
  location = /locked { content_by_lua_block {
    local store, key, sleep, pauses = stores.dict(), ngx.var.arg_key, ngx.sleep, 0
    local holder = tonumber(ngx.var.arg_holder) or ngx.worker.pid()
    ngx.sleep = function(seconds) pauses = pauses + 1 return sleep(seconds) end
    ngx.shared.limits:set("bitfront:limiter-lock:" .. key, holder)
    local wait, message = store:acquire(key, 60000, 3, 60)
    ngx.sleep = sleep
    ngx.print(wait == 0 and "taken" or message, pauses == 0 and " at once " or " after pauses ",
      (store:peek(key)), " ",
      ngx.shared.limits:get("bitfront:limiter-lock:" .. key) == holder)
  } }
]]

describe("inside nginx #once #apart", function()
  local host, server, faultd

  setup(function()
    faultd = support.faultd()
    server = redis.start()
    server:store():peek "k"
    server:connect():hset("bitfront:limiter", "since", 1)
    host = nginx.start {
      workers = 4, server = SERVER:format(faultd:url { listener = "silent" },
        faultd:url_body(support.success(), { listener = "plain", delay = 200 })),
      http = HTTP:format(support.must("pwd"):gsub("\n", "")
        .. "/spec/support/limiter_rows.lua", server.port, server.port),
    }
  end)
  teardown(function()
    host:stop()
    server:stop()
    faultd:stop()
  end)

  for _, store in ipairs { "dict", "redis" } do
    describe("the store " .. store, function()
      for i, row in ipairs(limiter_rows) do
        it(row[1], function()
          assert.equal("ok", (host:body(("/row?store=%s&row=%d"):format(store, i))))
        end)
      end
    end)
  end

  -- The first connection may be one that a spec before has left in the pool.
  it("a connection of lua-resty-redis gets 100 ms and serves the next call", function()
    local answer = host:body("/resty?calls=3&port=" .. server.port)
    local first = tonumber(answer:match "^used (%d+), ")
    assert.equal(("used %d, 100, 0 0, used %d, 100, 0 0, used %d, 100, 0 0")
      :format(first, first + 1, first + 2), answer)
  end)

  it("a Redis that is silent is not waited for", function()
    assert.equal("used 0, 100, nil timeout, used 0, 100, nil timeout",
      (host:body("/resty?calls=2&port=" .. faultd.ports.silent)))
  end)

  it("four workers at once get no more slots than there are", function()
    local answers = host:many("/take", 200)
    assert.equal(7, select(2, answers:gsub("t", "")), answers)
    assert.equal(193, select(2, answers:gsub("f", "")), answers)
  end)

  it("the shared dict fails closed when it is full", function()
    local answer = host:body "/full"
    assert.truthy(answer:find "^rate_limit store 0 .*no memory", answer)
  end)

  it("callers who close their connection leave their turns to others", function()
    host:many("/hang", 3, "-m 0.3")
    -- Until nginx has noticed all three, a call is refused at once and costs nothing. The
    -- turns of those that are not given back are taken for 55 s.
    local answer
    for _ = 1, 100 do
      answer = host:body "/next?key=given-up"
      if answer ~= "rate_limit limit" then break end
      support.sleep(0.1)
    end
    assert.equal("network refused", answer)
  end)

  it("callers who are killed as they are woken leave their turns to others", function()
    for _ = 1, 3 do assert.equal("killed", (host:body "/first")) end
    assert.equal("network refused", (host:body "/next?key=woken"))
  end)

  it("the shared dict forgets idle keys where it is full, and no other ever", function()
    assert.equal("0 0 1 2", (host:body "/idle"))
  end)

  it("the shared dict loses no state that grows where there is no memory", function()
    assert.equal("no memory true 0 true", (host:body "/grow"))
  end)

  it("the shared dict goes on with one of two states that a killed worker left", function()
    assert.equal("1 0 2 second 0 3 first", (host:body "/both"))
  end)

  describe("the shared dict", function()
    local function acquire(key, holder)
      return (host:body(("/locked?key=%s&holder=%s"):format(key, holder)))
    end

    it("outlives a worker that was killed with its lock", function()
      local dead = support.must "sh -c 'echo $$'":match "%d+"
      for count = 1, 3 do
        assert.equal(("taken at once %d true"):format(count), acquire("dead", dead))
      end
    end)

    it("waits for a worker that is stopped with its lock, however long that is", function()
      local alive = support.must "sleep 60 >/dev/null & echo $!":match "%d+"
      finally(function() support.run("kill " .. alive) end)
      local locked = "could not acquire the lock within 0.1 s after pauses 0 true"
      assert.equal(locked, acquire("alive", alive))
      support.must("kill -STOP " .. alive)
      support.run "sleep 1.2"
      assert.equal(locked, acquire("alive", alive))
      support.must("kill -KILL " .. alive .. "; while kill -0 " .. alive .. "; do sleep 0.1; done")
      assert.equal("taken at once 1 true", acquire("alive", alive))
    end)

    it("outlives a function that raised with the lock", function()
      assert.equal("taken at once 1 true", acquire("own", "own"))
    end)
  end)

  it("nothing of this is in the error log", function()
    assert.equal("", host:logged_errors())
  end)
end)
