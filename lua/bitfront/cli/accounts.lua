--- The accounts that the command is to ask: a client for each, and words for a
-- call that failed.

local streams = require "bitfront.cli.streams"

local _M = {}

local PAIR_TO_TRY = "; 'bitfront sandbox' prints a key and a secret to try it with"
local CLOSED = "; the public exchange has closed: name a server with --base-url or "
  .. "BITFRONT_BASE_URL, or start one with 'bitfront sandbox'"

local function advice(err, args)
  if err.code == "missing_credentials" then return PAIR_TO_TRY end
  local unreachable = err.kind == "network" or err.kind == "timeout"
  local named = args.base_url or os.getenv("BITFRONT_BASE_URL")
  return unreachable and not named and CLOSED or ""
end

---@param err bitfront.Error
---@param account? string  its name, where there are several
---@return string
function _M.describe(err, account)
  return ("%s%s (%s): %s"):format(account and account .. ": " or "", err.kind,
    err.code, err.message)
end

---The result of a call, or the end of the command.
function _M.result_of(args, account, result, err)
  if result ~= nil then return result end
  streams.stop(streams.FAILED, _M.describe(err, account) .. advice(err, args))
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
  local credentials = require "bitfront.credentials"
  return os.getenv(credentials.PROFILE_VARIABLE) or "default"
end

---One look at an account. Its records say whose they are if that is asked for:
---by several profiles, or by the column.
---@param account bitfront.cli.Account
---@param args table
---@return bitfront.Record[]?, bitfront.Error?
function _M.ask(account, args)
  local records, err = account.client:balances()
  local wanted = args.columns and args.columns.account
  for _, record in ipairs(records or {}) do
    record.account = account.name or wanted and unnamed() or nil
  end
  return records, err
end

function _M.close_all(accounts)
  for _, account in ipairs(accounts) do
    account.client:close()
  end
end

return _M
