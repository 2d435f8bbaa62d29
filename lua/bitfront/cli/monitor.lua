--- `bitfront check`: tells a monitoring system whether what an account has is within bounds.

local bitfront = require "bitfront"
local clients = require "bitfront.cli.clients"
local coin = require "bitfront.records.coin"
local native = require "bitfront.native"
local plugin = require "bitfront.cli.plugin"
local selection = require "bitfront.cli.selection"
local streams = require "bitfront.cli.streams"

local _M = {}

local decimal = bitfront.decimal

local function is_less(amount, bound) return amount < bound end
local function is_more(amount, bound) return bound < amount end

-- The kinds of bounds, the worst first. A bound that is broken hides those after it.
local BOUNDS = {
  { name = "below", state = plugin.CRITICAL, is_broken = is_less, words = "below" },
  { name = "above", state = plugin.CRITICAL, is_broken = is_more, words = "above" },
  { name = "warn_below", state = plugin.WARNING, is_broken = is_less, words = "below" },
  { name = "warn_above", state = plugin.WARNING, is_broken = is_more, words = "above" },
}

-- None of a coin's bounds may be more than one after it: else one could never count, or
-- one would always be broken.
local ASCENDING = { "below", "warn_below", "warn_above", "above" }

local function option_of(name) return "--" .. name:gsub("_", "-") end

-- ---- what is asked for ----

--- The bounds of a coin; each may be missing.
---@class bitfront.cli.Bounds
---@field code string
---@field below? bitfront.Decimal
---@field above? bitfront.Decimal
---@field warn_below? bitfront.Decimal
---@field warn_above? bitfront.Decimal

-- The code and the amount of "BTC=0.5", or nil and what is wrong.
local function parse(text)
  local code, digits = text:match "^(.*)=([^=]*)$"
  if not code then return nil, "must be CODE=AMOUNT, as BTC=0.5" end
  if not coin.is_code(code) then return nil, coin.RULE end
  local amount, message = decimal(digits)
  if amount and amount:sign() < 0 then amount, message = nil, "must not be negative" end
  return amount and code, amount or message
end

local function check_order(coins)
  for _, bounds in ipairs(coins) do
    local last
    for _, name in ipairs(ASCENDING) do
      if last and bounds[name] and bounds[name] < bounds[last] then
        streams.stop("usage", ("%s %s=%s must not be more than %s %s=%s"):format(
          option_of(last), bounds.code, tostring(bounds[last]),
          option_of(name), bounds.code, tostring(bounds[name])))
      end
      last = bounds[name] and name or last
    end
  end
end

-- The coins that have bounds.
---@return bitfront.cli.Bounds[]
local function read_bounds(args)
  local coins, of = {}, {}
  for _, kind in ipairs(BOUNDS) do
    for _, text in ipairs(args[kind.name]) do
      local code, amount = parse(text)
      local bounds = of[code] or { code = code }
      if not code or bounds[kind.name] then
        streams.stop("usage", ("%s %s: %s"):format(option_of(kind.name), text,
          code and code .. " has one already" or amount))
      end
      bounds[kind.name] = amount
      if not of[code] then coins[#coins + 1], of[code] = bounds, bounds end
    end
  end
  check_order(coins)
  return coins
end

-- ---- what is found ----

--- What is told of an account.
---@class bitfront.cli.Findings
---@field state integer  the worst
---@field texts table<integer, string[]>  by state
---@field data string[]  performance data

local function add(findings, state, text)
  local texts = findings.texts[state] or {}
  texts[#texts + 1] = text
  findings.texts[state], findings.state = texts, math.max(findings.state, state)
end

-- By the guidelines: outside of it is wrong.
local function range(low, high)
  if not (low or high) then return "" end
  return (low and tostring(low) .. ":" or "~:") .. (high and tostring(high) or "")
end

local function add_data(findings, label, value, warn, critical)
  findings.data[#findings.data + 1] =
    (("%s=%s;%s;%s"):format(label, value, warn, critical):gsub(";+$", ""))
end

local function check_coin(findings, bounds, amount)
  local state, text = plugin.OK, ("%s %s"):format(bounds.code, tostring(amount))
  for _, kind in ipairs(BOUNDS) do
    local bound = bounds[kind.name]
    if state == plugin.OK and bound and kind.is_broken(amount, bound) then
      state, text = kind.state, ("%s is %s %s"):format(text, kind.words, tostring(bound))
    end
  end
  add(findings, state, text)
  add_data(findings, plugin.label(bounds.code), tostring(amount),
    range(bounds.warn_below, bounds.warn_above), range(bounds.below, bounds.above))
end

-- What there is of a coin; 0 where there is no record of it.
local function amount_of(records, by_code, code, column)
  local suggestion = by_code[code] and "" or selection.suggest(records, code)
  if suggestion ~= "" then
    streams.stop("usage", "the account has no record of " .. code .. suggestion)
  end
  return by_code[code] and by_code[code][column] or decimal "0"
end

-- Milliseconds in seconds; no format of Lua's, which asks the locale.
local function seconds(ms)
  return decimal(math.floor(ms + 0.5)) * "0.001"
end

local function check_age(findings, response_time, most)
  local age, limit = seconds(native.wall() - response_time), decimal(most)
  if limit < age then
    add(findings, plugin.CRITICAL, ("the reply is %s s old, more than %s"):format(
      tostring(age), tostring(limit)))
  end
  add_data(findings, "age", tostring(age) .. "s", "", range(nil, limit))
end

-- The worst first; what is well only where nothing else is told.
local function text_of(findings, records)
  local texts = {}
  for state = plugin.CRITICAL, math.min(findings.state, plugin.WARNING), -1 do
    for _, text in ipairs(findings.texts[state] or {}) do texts[#texts + 1] = text end
  end
  return texts[1] and table.concat(texts, ", ") or ("%d balances"):format(#records)
end

---@return integer status
function _M.run(args)
  local client = clients.open(args, args.profile)
  local coins = read_bounds(args)
  local records, err, info = client:balances()
  clients.result_of(client, args.profile, records, err)
  local by_code = bitfront.by_currency(records)
  local findings = { state = plugin.OK, texts = {}, data = {} }
  for _, bounds in ipairs(coins) do
    check_coin(findings, bounds, amount_of(records, by_code, bounds.code, args.of))
  end
  if args.stale then check_age(findings, info.responseTime, args.stale) end
  add_data(findings, "time", tostring(seconds(info.elapsed * 1000)) .. "s", "", "")
  return plugin.print(findings.state, text_of(findings, records), findings.data)
end

return _M
