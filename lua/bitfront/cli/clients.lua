--- The accounts that the command asks: a client for each, and words for a call
-- that failed.

local accounts = require "bitfront.account"
local bitfront = require "bitfront"
local credentials = require "bitfront.credentials"
local errors = require "bitfront.error"
local misuse = require "bitfront.misuse"
local streams = require "bitfront.cli.streams"

local _M = {}

local CREDENTIALS_TO_TRY = "; 'bitfront sandbox' prints a key and a secret to try it with"
local CLOSED = "; the public exchange has closed: name a server with --base-url or "
  .. "BITFRONT_BASE_URL, or start one with 'bitfront sandbox'"

local function advice(err, client)
  if err.code == "missing_credentials" then return CREDENTIALS_TO_TRY end
  local is_unreachable = err.kind == "network" or err.kind == "timeout"
  return is_unreachable and not accounts.of(client).endpoint.base_url_from and CLOSED or ""
end

-- The error of a client's call, with whose it was and what to do about it.
local function failure_of(err, client, name)
  err.account, err.message = name, err.message .. advice(err, client)
  return err
end

---The result of a client's call; ends the command where there is none.
function _M.result_of(client, name, result, err)
  if result ~= nil then return result end
  streams.fail { failure_of(err, client, name) }
end

---@param args table  of the command line
---@param profile? string
---@return bitfront.Client
function _M.open(args, profile)
  streams.load "bitfront.core" -- where it is broken, that is not the caller's mistake
  local ok, client = pcall(bitfront.new, {
    base_url = args.base_url, ca_file = args.ca_file, profile = profile,
    amounts = "decimal", timeout = args.timeout,
  })
  if ok then return client end
  streams.stop("usage", (misuse.text_of(client):gsub("^bitfront%.new: ", "")))
end

---With --all-profiles, `profile` becomes the list of all there are.
function _M.name_all(args)
  if not args.all_profiles then return end
  streams.load "bitfront.core"
  local names, err, path = credentials.profiles()
  if not names then streams.fail { errors.new(err, 0) } end
  args.profile = names
  if not names[1] then
    streams.fail { errors.new({ kind = "config", code = "profile",
      message = "there are no profiles in " .. path }, 0) }
  end
end

---@class bitfront.cli.Account
---@field client bitfront.Client
---@field name? string  where profiles were named

---@param args table  whose `profile` is a list
---@return bitfront.cli.Account[]
function _M.open_all(args)
  local opened = {}
  for i, profile in ipairs(args.profile) do
    opened[i] = { client = _M.open(args, profile), name = profile }
  end
  if #opened == 0 then opened[1] = { client = _M.open(args) } end
  return opened
end

-- The records have their account's name if that is asked for: by several profiles, or
-- by the column. Where no profile was named, the account is the environment's.
local function mark(asked, args, records)
  local name = asked.name or args.columns and args.columns.account
    and (credentials.variable(credentials.PROFILE_VARIABLE) or "default") or nil
  for _, record in ipairs(records or {}) do record.account = name end
  return records
end

---Asks one account.
---@return bitfront.Record[]?, bitfront.cli.Failure?
function _M.ask(asked, args)
  local records, err = asked.client:balances()
  if err then err.account = asked.name end
  return mark(asked, args, records), err
end

-- A line for people, which is overwritten and at last erased.
local function show_progress(done, count)
  io.stderr:write(("\r\27[K%d of %d accounts"):format(done, count),
    done == count and "\r\27[K" or "")
end

---Asks all accounts at once. Where any of them fails, each that does is named, and
---the command ends: a part of the balances is worse than none.
---@return bitfront.Record[][]
function _M.ask_all(opened, args)
  local clients, lists, failures = {}, {}, {}
  for i, asked in ipairs(opened) do clients[i] = asked.client end
  local is_shown = #clients > 1 and not args.quiet and os.getenv "TERM" ~= "dumb"
    and streams.load("bitfront.core").is_terminal(2)
  local results = bitfront.balances_many(clients,
    { on_progress = is_shown and show_progress or nil })
  for i, result in ipairs(results) do
    lists[i] = mark(opened[i], args, result.balances)
    failures[#failures + 1] = result.err and failure_of(result.err, clients[i], opened[i].name)
  end
  if failures[1] then streams.fail(failures) end
  return lists
end

return _M
