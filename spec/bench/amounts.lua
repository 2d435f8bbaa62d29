-- amounts.lua: what the helpers cost beside the same work on plain Lua numbers,
-- which is the floor: it rounds, sorts unstably and aligns nothing. CPU time a
-- call, and of the total its growth from 1,000 accounts to 10,000.

local bitfront = require "bitfront"

local COINS = 300

local MAKE = { number = tonumber, string = tostring, decimal = bitfront.decimal }

local function account(mode)
  local records, make = {}, MAKE[mode]
  for i = 1, COINS do
    local whole, part = i * 7919 % 1000003, i * 104729 % 10000000
    records[i] = {
      currency = ("C%03d"):format(i),
      balance = make(("%d.%07d"):format(whole, part)),
      availableBalance = make(("%d.%07d"):format(whole, i % 3 == 0 and 0 or part)),
    }
  end
  return records
end

local function microseconds(times, work, ...)
  collectgarbage()
  local started = os.clock()
  for _ = 1, times do work(...) end
  return (os.clock() - started) / times * 1e6
end

local floor = {}

function floor.sort(records)
  local sorted = {}
  for i = 1, #records do sorted[i] = records[i] end
  table.sort(sorted, function(a, b) return a.balance < b.balance end)
  return sorted
end

function floor.filter(records)
  local kept = {}
  for i = 1, #records do
    local record = records[i]
    if record.balance ~= 0 and record.balance >= 10 then kept[#kept + 1] = record end
  end
  return kept
end

function floor.format(records)
  local lines = {}
  for i, record in ipairs(records) do
    lines[i] = ("%-8s  %20.7f  %20.7f\n"):format(record.currency, record.balance,
      record.availableBalance)
  end
  return table.concat(lines)
end

function floor.total(lists)
  local sums = {}
  for _, records in ipairs(lists) do
    for i = 1, #records do
      local record = records[i]
      local sum = sums[record.currency]
      if not sum then
        sum = { balance = 0, availableBalance = 0 }
        sums[record.currency] = sum
      end
      sum.balance = sum.balance + record.balance
      sum.availableBalance = sum.availableBalance + record.availableBalance
    end
  end
  return sums
end

local helpers = {
  sort = function(records) return bitfront.sort(records, "balance") end,
  filter = function(records) return bitfront.filter(records, { nonzero = true, min = 10 }) end,
  format = function(records) return bitfront.format(records, "table") end,
  total = bitfront.total,
}

local function accounts(count, records)
  local lists = {}
  for i = 1, count do lists[i] = records end
  return lists
end

local function report(name, mode, cost, least)
  print(("%-22s %-8s %12.0f us  %6.1f x"):format(name, mode, cost, cost / least))
end

local function compare(name, work, times, argument_of)
  local least = microseconds(times, floor[work], argument_of("number"))
  report(name, "floor", least, least)
  for _, mode in ipairs { "number", "string", "decimal" } do
    report(name, mode, microseconds(times, helpers[work], argument_of(mode)), least)
  end
end

local function growth()
  for _, mode in ipairs { "number", "string", "decimal" } do
    local records = account(mode)
    local small = microseconds(3, bitfront.total, accounts(1000, records))
    local large = microseconds(1, bitfront.total, accounts(10000, records))
    print(("total, 10 x accounts   %-8s %12.1f x the time"):format(mode, large / small))
  end
end

local jit = rawget(_G, "jit")
print(("%s, %d records"):format(jit and jit.version or _VERSION, COINS))
compare("sort by balance", "sort", 200, account)
compare("filter", "filter", 200, account)
compare("format as a table", "format", 50, account)
compare("total, 10000 accounts", "total", 1, function(mode)
  return accounts(10000, account(mode))
end)
growth()
