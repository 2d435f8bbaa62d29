--- `bitfront balances` and `bitfront balance`.

local bitfront = require "bitfront"
local clients = require "bitfront.cli.clients"
local format = require "bitfront.records.format"
local selection = require "bitfront.cli.selection"
local streams = require "bitfront.cli.streams"

local _M = {}

local INVALID_CURRENCY = 4011

-- The records in the order of the accounts; with --total, of all together.
local function ask_all(args)
  local all, lists = {}, clients.ask_all(clients.open_all(args), args)
  for _, list in ipairs(lists) do
    for _, record in ipairs(list) do all[#all + 1] = record end
  end
  return args.total and bitfront.total(lists) or all
end

-- Somebody who typed btc meant BTC.
local function suggest(records, code)
  for _, record in ipairs(records) do
    if record.currency:upper() == code:upper() then
      return "; did you mean " .. record.currency .. "?"
    end
  end
  return ""
end

local function name_missing(records, args)
  local whose = #args.profile > 1 and "no account has a record of "
    or "the account has no record of "
  local is_named = {}
  for _, code in ipairs(args.currency or {}) do
    if not (bitfront.find(records, code) or is_named[code]) then
      streams.say(whose .. code .. suggest(records, code))
      is_named[code] = true
    end
  end
end

local function text_of(records, args, columns)
  local takes = format.kinds[args.format].options
  local text = bitfront.format(records, args.format, {
    columns = takes.columns and columns, places = takes.places and args.places,
    color = takes.color and true,
  })
  return args.format == "json" and text .. "\n" or text
end

-- For people; a program has the values, each in its record.
local function total_line(worth, args)
  if not format.kinds[args.format].options.places then return "" end
  return ("\ntotal value  %s\n"):format(format.display(worth.total, args))
end

function _M.all(args)
  clients.name_all(args)
  local selected = selection.new(args)
  local records = ask_all(args)
  name_missing(records, args)
  local picked, worth = selection.pick(records, selected)
  if worth and worth.missing[1] then
    streams.say("no price for " .. table.concat(worth.missing, ", "))
  end
  streams.write(text_of(picked, args, selected.columns)
    .. (worth and total_line(worth, args) or ""))
end

function _M.one(args)
  local client = clients.open(args, args.profile)
  local record, err = client:balance(args.code)
  if err and err.code == INVALID_CURRENCY and args.code ~= args.code:upper() then
    err.message = ("%s; did you mean %s?"):format(err.message, args.code:upper())
  end
  clients.result_of(client, nil, record, err)
  streams.write(text_of({ record }, args))
end

return _M
