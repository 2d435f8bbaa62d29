--- `bitfront watch`: asks the accounts again and again, and shows what has
-- changed. A call that fails is shown too, once, and the command goes on.

local bitfront = require "bitfront"
local clients = require "bitfront.cli.clients"
local failure = require "bitfront.cli.failure"
local selection = require "bitfront.cli.selection"
local streams = require "bitfront.cli.streams"
local wait = require "bitfront.wait"
local watch_jsonl = require "bitfront.cli.watch_jsonl"
local watch_screen = require "bitfront.cli.watch_screen"

local _M = {}

--- What shows changes.
---@class bitfront.cli.View
---@field note fun(self, message: string)
---@field change fun(self, account: bitfront.cli.Account, kind: "removed"|"added"|"changed", before?: bitfront.Record, after?: bitfront.Record, difference?: table)
---@field update fun(self, records: bitfront.Record[], pause: number, is_failing: boolean)  all accounts have been asked

-- Shows a failure once, and once that it is over. Messages have ms in them that
-- differ, so that only kind and code are compared.
local function note_failure(account, err, view)
  local last = err and err.kind .. " " .. err.code
  if last == account.failure then return end
  account.failure = last
  view:note(err and failure.describe(err)
    or (account.name and account.name .. ": " or "") .. "it answers again")
end

local function show_changes(account, records, view)
  local diff = bitfront.diff(account.records, records)
  for _, record in ipairs(diff.removed) do view:change(account, "removed", record) end
  for _, record in ipairs(diff.added) do view:change(account, "added", nil, record) end
  for _, change in ipairs(diff.changed) do
    view:change(account, "changed", change.before, change.after, change)
  end
end

-- Asks once; returns for how many seconds the server asks for no call.
local function ask(account, args, selected, view)
  local records, err = clients.ask(account, args)
  if err and err.kind == "config" then -- what is missing will not come by waiting
    clients.result_of(account.client, account.name, nil, err)
  end
  note_failure(account, err, view)
  if records then
    records = selection.pick(records, selected)
    if account.records then show_changes(account, records, view) end
    account.records = records
  end
  return err and err.retry_after or 0
end

-- The last records of all accounts, in the order that was asked for.
local function known_records(accounts, selected)
  local all = {}
  for _, account in ipairs(accounts) do
    for _, record in ipairs(account.records or {}) do all[#all + 1] = record end
  end
  return (selection.pick(all, selected))
end

function _M.run(args)
  local selected = selection.new(args)
  local accounts = clients.open_all(args)
  local view = watch_screen.is_there() and watch_screen.new(args, selected)
    or watch_jsonl.new(args)
  while true do
    local pause, is_failing = args.interval, false
    for _, account in ipairs(accounts) do
      pause = math.max(pause, ask(account, args, selected, view))
      is_failing = is_failing or account.failure ~= nil
    end
    view:update(known_records(accounts, selected), pause, is_failing)
    streams.check_output()
    wait.block(pause)
  end
end

return _M
