--- `bitfront watch`: looks at the accounts again and again, and tells what has
-- changed. A call that fails is told too, once, and it goes on.

local accounts = require "bitfront.cli.accounts"
local bitfront = require "bitfront"
local lines = require "bitfront.cli.watch_jsonl"
local screen = require "bitfront.cli.watch_screen"
local selection = require "bitfront.cli.selection"
local streams = require "bitfront.cli.streams"
local wait = require "bitfront.wait"

local _M = {}

-- What a call that cannot be made lacks will not come by waiting.
local function note_failure(account, err, teller)
  if err.kind == "config" then accounts.result_of(account.client, account.name, nil, err) end
  local failure = err.kind .. " " .. err.code -- texts tell of ms that passed
  if account.failure ~= failure then teller:note(accounts.describe(err, account.name)) end
  account.failure = failure
end

local function note_records(account, records, teller)
  if account.failure then
    teller:note((account.name and account.name .. ": " or "") .. "it answers again")
  end
  account.failure = nil
  if account.records then
    teller:changes(account, bitfront.diff(account.records, records))
  end
  account.records = records
end

-- One look; returns the seconds that the server wants to be left alone.
local function look(account, args, wanted, teller)
  local records, err = accounts.ask(account, args)
  if records then
    note_records(account, selection.pick(records, wanted), teller)
  else
    note_failure(account, err, teller)
  end
  return err and err.retry_after or 0
end

-- All that is known, in the order that was asked for.
local function known_records(watched, wanted)
  local all = {}
  for _, account in ipairs(watched) do
    for _, record in ipairs(account.records or {}) do all[#all + 1] = record end
  end
  return (selection.pick(all, wanted))
end

---@param args table
function _M.run(args)
  local wanted = selection.new(args)
  local watched = accounts.open_all(args)
  local teller = screen.is_there() and screen.new(args, wanted) or lines.new()
  while true do
    local pause, failing = args.interval, false
    for _, account in ipairs(watched) do
      pause = math.max(pause, look(account, args, wanted, teller))
      failing = failing or account.failure ~= nil
    end
    teller:looked(known_records(watched, wanted), pause, failing)
    streams.check_output()
    wait.block(pause)
  end
end

return _M
