-- What a program does with the module, for torture.c to run while memory runs
-- out. Where the server is, and what it says at which URL, is in variables
-- TORTURE_* that run.lua sets.

local function url(name)
  return assert(os.getenv("TORTURE_" .. name), "run it by way of run.lua")
end

local function client_of(name, options)
  local all = {
    api_key = "6W206egN32nCQ0VB",
    api_secret = "dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI",
    base_url = url(name),
    ca_file = url("CA"),
    rate_limit = false,
    clock = "system",
  }
  for key, value in pairs(options or {}) do
    all[key] = value
  end
  return require("bitfront").new(all)
end

-- With everything loaded that a first call loads.
local function prepared(name, options)
  return function()
    local client = client_of(name, options)
    client:get("/v1/trade/openOrders")
    return client
  end
end

local function two_accounts()
  return { prepared "TLS" (), prepared("TLS", { api_key = "6W206egN32nCQ0VC" })() }
end

-- `require` of Lua 5.1 takes a module whose loading has failed for one that
-- loads itself, until its mark is taken away.
local function unload_modules()
  for name in pairs(package.loaded) do
    if name:find "^bitfront" then
      package.loaded[name] = nil
    end
  end
end

local function is_right(balances, btc)
  return #balances == 2 and balances[1].currency == "BTC"
    and balances[1].balance == btc and balances[2].currency == "LN"
end

local function asks_balances(btc)
  return function(client)
    local balances, err, info = client:balances()
    if not balances then
      return nil, err
    end
    return is_right(balances, btc) and info.statusCode == 1000
      and info.statusMessage == "SUCCESS", "WRONG balances"
  end
end

-- What people do with exact amounts, one thing after the other.
local function calculates(client)
  local bitfront = require "bitfront"
  local balances, err = client:balances()
  if not balances then
    return nil, err
  end
  local one, all = balances[1].balance, 0
  for _, record in ipairs(balances) do
    all = all + record.balance * "1e-3" - record.availableBalance
  end
  return tostring(one) == "2.5" and one > balances[2].balance
    and tostring(-one:round(0, "up")) == "-3" and one:to_number() == 2.5
    and tostring(all) == "-1.24749999999"
    and bitfront.decimal("x") == nil, "WRONG numbers"
end

-- lua-cjson loses two blocks where Lua's memory ends while it encodes, and calls exit()
-- where malloc fails.
local FORMATS = { "table", "csv", "json", "jsonl", "markdown", "prometheus" }

local function helps(client)
  local bitfront = require "bitfront"
  local balances, err = client:balances()
  if not balances then
    return nil, err
  end
  local sorted = bitfront.sort(bitfront.filter(balances, { nonzero = true, min = "0" }), "locked")
  local total = bitfront.total { balances, sorted }
  local worth = bitfront.value(total, { BTC = 2 })
  local diff = bitfront.diff(balances, total)
  for _, kind in ipairs(os.getenv "TORTURE_CJSON" and FORMATS or { "table", "csv" }) do
    bitfront.format(total, kind)
  end
  return total[1].balance == "5.0" and tostring(worth.total) == "10.0"
    and worth.missing[1] == "LN" and diff.changed[1].balance == "2.5"
    and sorted[1].currency == "LN", "WRONG results"
end

-- A call that fails must fail in this way.
local function fails(kind, code)
  return function(client)
    local balances, err = client:balances()
    if balances then
      return nil, "WRONG: it has not failed"
    elseif err.kind == kind and err.code == code then
      return tostring(err):find(kind, 1, true) and #("" .. err) > 0, "WRONG text"
    end
    return nil, err
  end
end

local function start(client, core)
  return core.start { client = require("bitfront.account").of(client).handle,
    deadline = core.now() + 5 }
end

-- Waits for the exchange; its result must be right.
local function finish(exchange, core)
  while not exchange:done() do
    core.step(1)
  end
  local records, err = exchange:finish()
  if not records then
    return nil, err.message
  end
  return is_right(records, 2.5), "WRONG balances"
end

local function in_pieces(client)
  local core = require "bitfront.core"
  local exchange, err = start(client, core)
  if not exchange then
    return nil, err.message
  end
  return finish(exchange, core)
end

-- On the engine's thread, which runs out of memory too.
local function in_thread(client)
  local core = require "bitfront.core"
  local job, err = core.thread_start { client = require("bitfront.account").of(client).handle,
    deadline = core.now() + 2 }
  if not job then
    return nil, err.message
  end
  while not job:done() do
    core.sleep(0.0002)
  end
  core.thread_take {}
  local records
  records, err = job:finish()
  if not records then
    return nil, err.message
  end
  return is_right(records, 2.5), "WRONG balances"
end

-- The thread is made, and its engine on it.
local function first_in_thread()
  unload_modules()
  return in_thread(client_of "TLS")
end

-- Nobody holds the job or the client any more, while it runs.
local function in_thread_lost()
  local core = require "bitfront.core"
  local client = client_of "SLOW"
  local job, err = core.thread_start { client = require("bitfront.account").of(client).handle,
    deadline = core.now() + 2 }
  if not job then
    return nil, err.message
  end
  client, job = nil, nil -- luacheck: ignore
  collectgarbage()
  return true
end

-- Collected while it is on its way, and the client with it or before it.
local function in_flight()
  local core = require "bitfront.core"
  local client = client_of "SLOW"
  local exchange, err = start(client, core)
  if not exchange then
    return nil, err.message
  end
  core.step(0)
  client, exchange = nil, nil -- luacheck: ignore
  collectgarbage()
  core.step(0)
  return true
end

-- More than there are connections for; some are given up at once, some when they
-- have a connection.
local function at_once(client)
  local core = require "bitfront.core"
  local exchanges = {}
  for i = 1, 7 do
    local err
    exchanges[i], err = start(client, core)
    if not exchanges[i] then
      return nil, err.message
    end
  end
  exchanges[1], exchanges[4] = nil, nil
  collectgarbage()
  core.step(0)
  exchanges[2], exchanges[5] = nil, nil
  collectgarbage()
  for _, i in ipairs { 7, 3, 6 } do
    local right, message = finish(exchanges[i], core)
    if not right then
      return nil, message
    end
  end
  return true
end

-- The second call finds the first one's connection, or that it has ended since.
local function asks_twice(client)
  local core = require "bitfront.core"
  for _ = 1, 2 do
    local right, err = asks_balances(2.5)(client)
    if not right then
      return nil, err
    end
    core.sleep(0.003)
  end
  return true
end

-- Neither may use the other's connection.
local function alternates(clients)
  for i = 1, 4 do
    local right, err = asks_balances(2.5)(clients[i % 2 + 1])
    if not right then
      return nil, err
    end
  end
  return true
end

local function loads()
  unload_modules()
  local bitfront, core = require "bitfront", require "bitfront.core"
  return type(bitfront.new) == "function" and type(core.balances) == "function",
    "WRONG module"
end

local function makes_and_closes()
  local client = client_of "OK"
  client:close()
  client:close()
  local balances, err = client:balances()
  return not balances and err.kind == "closed", "WRONG: not closed"
end

local function is_misused()
  local ok, message = pcall(client_of, "OK", { timout = 1 })
  if ok or message:find "not enough memory" then
    return nil, message
  end
  return message:find 'did you mean "timeout"' ~= nil, "WRONG words: " .. message
end

-- From each place that credentials may come from.
local function finds_credentials()
  local key, secret = "6W206egN32nCQ0VB", "dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI"
  local ways = {
    { credentials = function() return key, secret end },
    { profile = "torture" },
    {},
    { api_key = key, api_secret = secret },
  }
  for _, way in ipairs(ways) do
    way.base_url, way.ca_file = url "OK", url "CA"
  end
  ways[#ways + 1] = { profile = "elsewhere" }
  ways[#ways + 1] = { profile = "printed" }
  for _, way in ipairs(ways) do
    way.rate_limit = false
    local balances, err = require("bitfront").new(way):balances()
    if not balances then
      return nil, err
    end
  end
  return true
end

-- Some times before: an exchange's clock keeps what its last replies told.
local function credentials_found()
  for _ = 1, 5 do assert(finds_credentials()) end
end

local function gets(client)
  local orders, err = client:get("/v1/trade/openOrders", { max = 3 })
  if not orders then
    return nil, err
  end
  return #orders == 2 and orders[1].balance == 2.5, "WRONG data"
end

-- More keys than there is room for at first, and a long text with escapes.
local function decodes()
  local members = { ('"text":"%s\\u0000"'):format(("x"):rep(600)) }
  for i = 1, 40 do members[i + 1] = ('"key%d":[%d.50]'):format(i, i) end
  local value, message = require("bitfront").json.decode(
    "{" .. table.concat(members, ",") .. "}", { amounts = "decimal" })
  if not value then
    return nil, message
  end
  return #value.text == 601 and tostring(value.key40[1]) == "40.50", "WRONG data"
end

local function asks_time_and_signs(client)
  local time, err = client:server_time()
  if not time then
    return nil, err
  end
  local sign = require("bitfront").sign
  return time == 1525239801363
    and #sign("s", 12345, 1, "GET", "/v1/x") == 64, "WRONG data"
end

-- More than a window has room for when it is new.
local function takes_slots()
  local core = require "bitfront.core"
  local store = core.window_store({ k = core.window() }, error)
  for _ = 1, 40 do
    local wait, message = store:acquire("k", 1000, 100, 100)
    if wait ~= 0 then
      return nil, message or "WRONG wait"
    end
  end
  local in_second, in_minute = store:peek "k"
  if in_second ~= 40 or in_minute ~= 40 then
    return nil, "WRONG counts"
  end
  for id = -1, -40, -1 do -- as of calls that another process has forgotten
    local ended, message = store:release("k", id, 0)
    if not ended then
      return nil, message
    end
  end
  return true
end

-- The limits are so high that nothing waits. What is remembered of each call for
-- a minute, and of the clock, counts as lost here.
local limited = {
  rate_limit = { per_second = 1e6, per_minute = 1e6 }, clock = "auto",
}

-- A whole program: what a first call sets up is in it.
local function first_call(name)
  return function()
    unload_modules()
    return asks_balances(2.5)(client_of(name))
  end
end

-- What OpenSSL sets up once, also when it is asked what it has after a failure, is
-- there before blocks are counted.
local function loaded()
  local core = require "bitfront.core"
  core.check_openssl()
  return core
end

local scenarios = {
  { name = "load", run = loads, fresh = true },
  { name = "new", run = makes_and_closes, prepare = loaded },
  { name = "first", run = first_call "OK", prepare = loaded, fresh = true },
  { name = "first tls", run = first_call "TLS", prepare = loaded, fresh = true,
    cold = true },
  { name = "number", run = asks_balances(2.5), prepare = prepared "OK" },
  { name = "string", run = asks_balances "2.5",
    prepare = prepared("OK", { amounts = "string" }) },
  { name = "decimal", run = calculates,
    prepare = prepared("OK", { amounts = "decimal" }) },
  { name = "helpers", run = helps, prepare = prepared("OK", { amounts = "string" }) },
  { name = "refusal", run = fails("auth", 6001), prepare = prepared "REFUSAL" },
  { name = "damaged", run = fails("protocol", "json"),
    prepare = prepared "DAMAGED" },
  { name = "members", run = asks_balances(2.5), prepare = prepared "MEMBERS" },
  { name = "cut", run = fails("network", "truncated"),
    prepare = prepared "CUT" },
  { name = "tls", run = asks_balances(2.5), prepare = prepared "TLS" },
  { name = "untrusted", run = fails("tls", "untrusted"),
    prepare = prepared "UNTRUSTED" },
  { name = "new tls", run = asks_balances(2.5), prepare = prepared "TLS_ONCE" },
  { name = "time, sign", run = asks_time_and_signs, prepare = prepared "OK" },
  { name = "get", run = gets, prepare = prepared "OK" },
  { name = "json", run = decodes, prepare = loaded },
  { name = "pieces", run = in_pieces, prepare = prepared "OK" },
  { name = "limited", run = asks_balances(2.5), prepare = prepared("OK", limited),
    slack = 60 },
  { name = "slots", run = takes_slots, prepare = loaded },
  { name = "thread", run = in_thread, prepare = prepared "OK", slack = 60 },
  { name = "thread, tls", run = in_thread, prepare = prepared "TLS_ONCE", slack = 60 },
  { name = "first thread", run = first_in_thread, prepare = loaded, fresh = true,
    cold = true },
  { name = "thread, lost", run = in_thread_lost, prepare = loaded, slack = 60 },
  { name = "in flight", run = in_flight, prepare = loaded },
  { name = "kept", run = asks_twice, prepare = prepared "OK" },
  { name = "closes", run = asks_twice, prepare = prepared "CLOSES" },
  { name = "trailing", run = fails("protocol", "framing"),
    prepare = prepared "TRAILING" },
  -- The last connection may have ended before it is kept.
  { name = "ended idle", run = asks_twice, prepare = prepared "IDLE", slack = 40 },
  { name = "broke", run = asks_twice, prepare = prepared "SERVES_ONE" },
  { name = "named", run = asks_balances(2.5), prepare = prepared "NAMED" },
  { name = "accounts", run = alternates, prepare = two_accounts },
  { name = "at once", run = at_once, prepare = prepared "SLOW" },
  { name = "misuse", run = is_misused, prepare = loaded },
  { name = "credentials", run = finds_credentials, prepare = credentials_found },
}

return scenarios
