--- The accounts that the command is to ask: a client for each, and words for a
-- call that failed.

local streams = require "bitfront.cli.streams"

local _M = {}

local PAIR_TO_TRY = "; 'bitfront sandbox' prints a key and a secret to try it with"
local CLOSED = "; the public exchange has closed: name a server with --base-url or "
  .. "BITFRONT_BASE_URL, or start one with 'bitfront sandbox'"

local function advice(err, client)
  if err.code == "missing_credentials" then return PAIR_TO_TRY end
  local unreachable = err.kind == "network" or err.kind == "timeout"
  return unreachable and not client._endpoint.base_url_from and CLOSED or ""
end

---@param err bitfront.Error
---@param account? string  its name, where there are several
---@return string
function _M.describe(err, account)
  return ("%s%s (%s): %s"):format(account and account .. ": " or "", err.kind,
    err.code, err.message)
end

---The result of a client's call, or the end of the command.
function _M.result_of(client, account, result, err)
  if result ~= nil then return result end
  streams.stop(streams.FAILED, _M.describe(err, account) .. advice(err, client))
end

---@param args table  of the command line
---@param profile? string
---@return bitfront.Client
function _M.open(args, profile)
  streams.load("bitfront.core") -- where it is broken, that is not the caller's mistake
  local ok, client = pcall(streams.load("bitfront").new, {
    base_url = args.base_url, ca_file = args.ca_file, profile = profile,
    amounts = "decimal",
  })
  if ok then return client end
  streams.stop(streams.MISUSED, (tostring(client):gsub("^%S+%.lua:%d+: ", "")
    :gsub("^bitfront%.new: ", "")))
end

---@class bitfront.cli.Account
---@field client bitfront.Client
---@field name? string  where profiles were named

---With --all-profiles, `profile` becomes the list of all there are.
---@param args table
function _M.name_all(args)
  if not args.all_profiles then return end
  local path, no_folder = require "bitfront.credentials".profile_path()
  if not path then streams.stop(streams.FAILED, "there are no profiles: " .. no_folder) end
  local names, err = streams.load("bitfront.core").profiles(path)
  if err then streams.stop(streams.FAILED, _M.describe(err)) end
  for name in (names or ""):gmatch("[^\n]+") do
    if not args.profile[name] then
      args.profile[#args.profile + 1] = name
      args.profile[name] = true
    end
  end
  if not args.profile[1] then
    streams.stop(streams.FAILED, "there are no profiles in " .. path)
  end
end

---@param args table  whose `profile` is a list
---@return bitfront.cli.Account[]
function _M.open_all(args)
  local accounts = {}
  for i, profile in ipairs(args.profile) do
    accounts[i] = { client = _M.open(args, profile), name = profile }
  end
  if #accounts == 0 then accounts[1] = { client = _M.open(args) } end
  return accounts
end

-- Where no profile was named, the account is the one that goes without saying.
local function unnamed()
  local name = os.getenv(require "bitfront.credentials".PROFILE_VARIABLE)
  return name ~= "" and name or "default"
end

-- The records say whose they are if that is asked for: by several profiles, or by
-- the column.
local function mark(account, args, records)
  local wanted = args.columns and args.columns.account
  for _, record in ipairs(records or {}) do
    record.account = account.name or wanted and unnamed() or nil
  end
  return records
end

---One look at an account.
---@param account bitfront.cli.Account
---@param args table
---@return bitfront.Record[]?, bitfront.Error?
function _M.ask(account, args)
  local records, err = account.client:balances()
  return mark(account, args, records), err
end

-- A line that is written over and at last wiped away, for people.
local function show_progress(done, count)
  io.stderr:write(("\r\27[K%d of %d accounts"):format(done, count),
    done == count and "\r\27[K" or "")
end

---One look at all accounts at once. Where any of them fails, each that does is
---named, and it ends: half of the money is worse than none.
---@param accounts bitfront.cli.Account[]
---@param args table
---@return bitfront.Record[][]
function _M.ask_all(accounts, args)
  local clients, lists, failures = {}, {}, {}
  for i, account in ipairs(accounts) do clients[i] = account.client end
  local shown = #clients > 1 and os.getenv "TERM" ~= "dumb"
    and streams.load("bitfront.core").is_terminal(2)
  local outcomes = streams.load("bitfront").balances_many(clients,
    { on_progress = shown and show_progress or nil })
  for i, outcome in ipairs(outcomes) do
    local err = outcome.err
    lists[i] = mark(accounts[i], args, outcome.balances)
    failures[#failures + 1] = err and _M.describe(err, accounts[i].name) .. advice(err, clients[i])
  end
  local last = table.remove(failures)
  for _, failure in ipairs(failures) do streams.say(failure) end
  if last then streams.stop(streams.FAILED, last) end
  return lists
end

function _M.close_all(accounts)
  for _, account in ipairs(accounts) do
    account.client:close()
  end
end

return _M
