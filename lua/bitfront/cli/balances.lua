--- `bitfront balances` and `bitfront balance`.

local bitfront = require "bitfront"
local clients = require "bitfront.cli.clients"
local format = require "bitfront.records.format"
local selection = require "bitfront.cli.selection"
local streams = require "bitfront.cli.streams"
local text = require "bitfront.records.text"

local _M = {}

local INVALID_CURRENCY = 4011

-- The records in the order of the accounts; with --total, of all together.
local function ask_all(opened, args)
  local all, lists = {}, clients.ask_all(opened, args)
  for _, list in ipairs(lists) do
    for _, record in ipairs(list) do all[#all + 1] = record end
  end
  return args.total and bitfront.total(lists) or all
end

-- The exchange's prices for these records, asked as the first account is.
local function asks_prices(opened)
  return function(market, records)
    local codes, first = {}, opened[1]
    for i, record in ipairs(records) do codes[i] = record.currency end
    local prices, err = bitfront.prices(first.client, market, codes)
    return clients.result_of(first.client, first.name, prices, err)
  end
end

-- The coins that were asked for and of which there is no record, each once.
local function absent_coins(records, args)
  local codes, is_named = {}, {}
  for _, code in ipairs(args.currency or {}) do
    if not (bitfront.find(records, code) or is_named[code]) then codes[#codes + 1] = code end
    is_named[code] = true
  end
  return codes
end

local function text_of(records, args, columns)
  local takes = format.kinds[args.format].options
  local options = {
    columns = takes.columns and columns, places = takes.places and args.places,
    color = takes.color and true, amounts = takes.amounts and args.amounts,
  }
  return bitfront.format(records, args.format, options)
end

-- ---- what --total and --value add ----

---@class bitfront.cli.Sum
---@field total? bitfront.Decimal  what all is worth, where there are prices
---@field missing string[]  the coins that are not in it: without a record, or without a price

local function sum_of(args, absent, worth)
  if not (args.total or worth) then return nil end
  local sum = { total = worth and worth.total, missing = {} }
  for _, codes in ipairs { absent, worth and worth.missing } do
    for _, code in ipairs(codes) do sum.missing[#sum.missing + 1] = code end
  end
  return sum
end

local function json_members(sum, args)
  local codes = {}
  for i, code in ipairs(sum.missing) do codes[i] = text.json(code) end
  return ("%s\"missing\":[%s]"):format(
    sum.total and ('"total":%s,'):format(format.json_amount(sum.total, args)) or "",
    table.concat(codes, ","))
end

local function total_line(sum, args)
  return ("\ntotal value  %s\n"):format(format.display(sum.total, args))
end

-- The whole output, by its format; others have the sum among the notes, or not at all.
local output_of = {}

function output_of.json(records, sum, args)
  if not sum then return records .. "\n" end
  return ('{\n"balances":%s,\n%s\n}\n'):format(records, json_members(sum, args))
end

function output_of.jsonl(records, sum, args)
  return records .. (sum and ("{%s}\n"):format(json_members(sum, args)) or "")
end

function output_of.table(records, sum, args)
  return records .. (sum and sum.total and total_line(sum, args) or "")
end
output_of.markdown = output_of.table

local function as_it_is(records) return records end

local function note(records, absent, args, worth)
  local whose = #args.profile > 1 and "no account has a record of "
    or "the account has no record of "
  for _, code in ipairs(absent) do
    streams.note(whose .. code .. selection.suggest(records, code))
  end
  if worth and worth.missing[1] then
    streams.note("no price for " .. table.concat(worth.missing, ", "))
  end
  if worth and not output_of[args.format] then
    streams.note("total value " .. tostring(worth.total))
  end
end

-- ---- the commands ----

function _M.all(args)
  clients.name_all(args)
  local selected = selection.new(args)
  local opened = clients.open_all(args)
  local records = ask_all(opened, args)
  local picked, worth = selection.pick(records, selected, asks_prices(opened))
  local absent = absent_coins(records, args)
  local write = output_of[args.format] or as_it_is
  streams.write(write(text_of(picked, args, selected.columns), sum_of(args, absent, worth), args))
  note(records, absent, args, worth)
end

function _M.one(args)
  local client = clients.open(args, args.profile)
  local record, err = client:balance(args.code)
  if err and err.code == INVALID_CURRENCY and args.code ~= args.code:upper() then
    err.message = ("%s; did you mean %s?"):format(err.message, args.code:upper())
  end
  clients.result_of(client, nil, record, err)
  local write = output_of[args.format] or as_it_is
  streams.write(write(text_of({ record }, args), nil, args))
end

return _M
