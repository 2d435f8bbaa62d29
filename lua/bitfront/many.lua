-- The balances of many accounts at once.

local accounts = require "bitfront.account"
local call = require "bitfront.call"
local check = require "bitfront.check"
local check_options = require "bitfront.options".of
local client = require "bitfront.client"
local errors = require "bitfront.error"
local misuse = require "bitfront.misuse"
local target = require "bitfront.target"
local tasks = require "bitfront.wait.tasks"
local wait = require "bitfront.wait"

local raise = misuse.raise

local _M = {}

---@class bitfront.Result
---@field balances? bitfront.Record[]
---@field err? bitfront.Error
---@field info? bitfront.Info

local function check_clients(clients)
  local seen = {}
  if not check.is_array(clients) then
    raise "bitfront.balances_many: clients must be an array without holes"
  end
  for i, one in ipairs(clients) do
    if not client.is_client(one) then
      raise("bitfront.balances_many: clients[%d] is no client", i)
    elseif seen[one] then
      raise("bitfront.balances_many: clients[%d] and clients[%d] are the same client",
        seen[one], i)
    end
    seen[one] = i
  end
end

-- Light threads of nginx, each taking the next account until there is none.
local function run_in_nginx(count, concurrency, job, raised)
  local thread = ngx.thread
  local waiter, err = wait.choose()
  if not waiter then return err end
  local begun, threads = 0, {}
  local function work()
    while begun < count do
      begun = begun + 1
      local mine = begun
      local done, message = pcall(job, mine, waiter)
      if not done then raised(mine, message) end
    end
  end
  for i = 1, math.min(concurrency, count) do threads[i] = thread.spawn(work) end
  for i = 1, #threads do thread.wait(threads[i]) end
end

local function sleep_of(clients)
  for _, one in ipairs(clients) do
    local sleep = client.options(one).sleep
    if sleep then return sleep end
  end
end

--- See bitfront.balances_many.
---@param clients bitfront.Client[]
---@param options bitfront.ManyOptions?
---@return bitfront.Result[]
function _M.balances(clients, options)
  check_clients(clients)
  options = check_options("bitfront.balances_many", options)
  local results, done, count = {}, 0, #clients
  local of_call = { timeout = options.timeout, traceparent = options.traceparent }
  local function note(i, balances, err, info)
    results[i] = { balances = balances, err = err, info = info }
    done = done + 1
    if options.on_progress then pcall(options.on_progress, done, count) end
  end
  local function job(i, waiter)
    note(i, call.perform(accounts.of(clients[i]), target.BALANCES, of_call, waiter))
  end
  -- An error that a credentials function raises, say, is that account's alone.
  local function raised(i, message)
    if not results[i] then
      note(i, nil, errors.new({ kind = "config", code = "raised",
        message = misuse.text_of(message) }, 0))
    end
  end
  if wait.is_nginx() then
    local err = run_in_nginx(count, options.concurrency, job, raised)
    for i = 1, err and count or 0 do results[i] = { err = errors.new(err, 0) } end
  else
    tasks.run(count, options.concurrency, sleep_of(clients), job, raised)
  end
  return results
end

return _M
