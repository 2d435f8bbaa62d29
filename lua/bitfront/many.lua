-- The balances of many accounts at once.

local errors = require "bitfront.error"
local options_of = require "bitfront.options"
local tasks = require "bitfront.wait.tasks"
local wait = require "bitfront.wait"

local _M = {}

---@class bitfront.ManyOptions
---@field concurrency? integer  calls under way at a time; default 8
---@field timeout? number  seconds for each account's call, from its beginning; default the client's own
---@field on_progress? fun(done: integer, count: integer)  called after each account

---@class bitfront.Outcome
---@field balances? bitfront.Record[]
---@field err? bitfront.Error
---@field info? bitfront.Info

local function check_clients(clients, is_client, level)
  if type(clients) ~= "table" then
    error("bitfront.balances_many: clients must be an array", level + 1)
  end
  local seen, count = {}, 0
  for _ in pairs(clients) do count = count + 1 end
  if count > #clients then
    error("bitfront.balances_many: clients must be an array without holes", level + 1)
  end
  for i = 1, #clients do
    local client = clients[i]
    if not is_client(client) then
      error(("bitfront.balances_many: clients[%d] is no client"):format(i), level + 1)
    elseif seen[client] then
      error(("bitfront.balances_many: clients[%d] and clients[%d] are the same client")
        :format(seen[client], i), level + 1)
    end
    seen[client] = i
  end
end

-- What a credentials function raises, say, is that account's trouble alone.
local function raised_error(message)
  return errors.new({
    kind = "config", code = "raised", message = tostring(message),
  }, 0)
end

-- Light threads of nginx, each taking the next account until there is none.
local function run_in_nginx(count, concurrency, job, raised)
  local thread = ngx.thread
  local waiter, failure = wait.choose()
  if not waiter then return failure end
  local begun, threads = 0, {}
  local function work()
    while begun < count do
      begun = begun + 1
      local mine = begun
      local ok, message = pcall(job, mine, waiter)
      if not ok then raised(mine, message) end
    end
  end
  for i = 1, math.min(concurrency, count) do threads[i] = thread.spawn(work) end
  for i = 1, #threads do thread.wait(threads[i]) end
end

local function sleep_of(clients)
  for _, client in ipairs(clients) do
    if client._options.sleep then return client._options.sleep end
  end
end

--- See bitfront.balances_many. Raises at `level`.
---@param clients bitfront.Client[]
---@param options bitfront.ManyOptions?
---@param is_client fun(value: any): boolean
---@param ask fun(client: bitfront.Client, waiter: bitfront.Waiter, timeout: number?): bitfront.Record[]?, bitfront.Error?, bitfront.Info?
---@param level integer
---@return bitfront.Outcome[]
function _M.balances(clients, options, is_client, ask, level)
  check_clients(clients, is_client, level + 1)
  local checked = options_of.check_many(options, level + 1)
  local results, done, count = {}, 0, #clients
  local function note(i, balances, err, info)
    results[i] = { balances = balances, err = err, info = info }
    done = done + 1
    if checked.on_progress then pcall(checked.on_progress, done, count) end
  end
  local function job(i, waiter)
    note(i, ask(clients[i], waiter, checked.timeout))
  end
  local function raised(i, message)
    if not results[i] then note(i, nil, raised_error(message)) end
  end
  if wait.is_nginx() then
    local failure = run_in_nginx(count, checked.concurrency, job, raised)
    for i = 1, failure and count or 0 do
      results[i] = { err = errors.new(failure, 0) }
    end
  else
    tasks.run(count, checked.concurrency, sleep_of(clients), job, raised)
  end
  return results
end

return _M
