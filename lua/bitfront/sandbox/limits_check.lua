--- What a client did wrong, by the arrival log (log.lua): windows of time in
-- which more calls of one key arrived than the limits allow, and signatures that
-- came twice. It counts as the exchange does (rules.lua), but looks at every
-- call that names a key, also one that is not registered. Knows neither files
-- nor clocks.

local cjson = require "cjson.safe"
local limits = require "bitfront.sandbox.limits"

local _M = {}

---@class bitfront.sandbox.Finding
---@field kind "per_second"|"per_minute"|"signature"|"damaged"
---@field key? string  In full: mask it where it is shown.
---@field at_ms? integer  The window's first call; the signature's second use.
---@field calls? integer  In the window; with the signature.
---@field line? integer  The damaged one.

---@class bitfront.sandbox.LimitsReport
---@field findings bitfront.sandbox.Finding[]  Damaged lines, then by time.
---@field calls integer  Signed ones.
---@field keys integer  Whose they are.
---@field first_ms? integer
---@field last_ms? integer
---@field cut? boolean  true: the last line was cut, and is left out.

-- ---- lines ----

local function is_time(value)
  return type(value) == "number" and value >= 0 and value % 1 == 0
end

local function decode(line)
  local arrival = cjson.decode(line)
  local is_arrival = type(arrival) == "table" and is_time(arrival.arrived_ms)
  return is_arrival and arrival or nil
end

local function is_signed(arrival)
  return arrival.path ~= "/v1/public/time" and type(arrival.key) == "string"
    and arrival.key ~= ""
end

-- A last line without its newline was cut, by a kill or a full disk, or is being
-- written. It counts where all but the newline is there.
local function read(text)
  local calls, damaged, number, cut = {}, {}, 0, nil
  for line, newline in text:gmatch("([^\n]*)(\n?)") do
    number = number + 1
    local arrival = decode(line)
    if arrival and is_signed(arrival) then
      arrival.line = number
      calls[#calls + 1] = arrival
    elseif not arrival and newline ~= "" then
      damaged[#damaged + 1] = { kind = "damaged", line = number }
    elseif not arrival and line ~= "" then
      cut = true
    end
  end
  return calls, damaged, cut
end

-- ---- windows ----

-- In order of arrival, whatever the order of the lines.
local function sort_calls(calls)
  table.sort(calls, function(a, b)
    if a.arrived_ms ~= b.arrived_ms then return a.arrived_ms < b.arrived_ms end
    return a.line < b.line
  end)
end

local function times_by_key(calls)
  local times, keys = {}, {}
  for _, call in ipairs(calls) do
    local key = call.key
    if not times[key] then
      times[key] = {}
      keys[#keys + 1] = key
    end
    table.insert(times[key], call.arrived_ms)
  end
  return times, keys
end

-- A window begins with a call and ends before the one at exactly `limit.ms`. One
-- whose calls are all in the window before is not told for itself.
local function add_windows(findings, key, times, limit)
  local last, told = 0, 0
  for first, at in ipairs(times) do
    while times[last + 1] and times[last + 1] - at < limit.ms do
      last = last + 1
    end
    local calls = last - first + 1
    if calls > limit.calls and last > told then
      told = last
      findings[#findings + 1] = { kind = limit.name, key = key, at_ms = at, calls = calls }
    end
  end
end

-- ---- signatures ----

local function add_reuses(findings, calls)
  local seen = {}
  for _, call in ipairs(calls) do
    local signature = call.signature
    local reuse = signature and seen[signature]
    if reuse then
      reuse.calls = reuse.calls + 1
      if reuse.calls == 2 then
        reuse.key, reuse.at_ms = call.key, call.arrived_ms
        findings[#findings + 1] = reuse
      end
    elseif type(signature) == "string" and signature ~= "" then
      seen[signature] = { kind = "signature", calls = 1 }
    end
  end
end

-- ----

local function sort_findings(findings)
  table.sort(findings, function(a, b)
    if a.at_ms ~= b.at_ms then return a.at_ms < b.at_ms end
    if a.kind ~= b.kind then return a.kind < b.kind end
    return a.key < b.key
  end)
end

--- Looks for what should not be in an arrival log.
---@param text string  The file's: a line of JSON for each arrival.
---@return bitfront.sandbox.LimitsReport
function _M.check(text)
  local calls, damaged, cut = read(text)
  sort_calls(calls)
  local times, keys = times_by_key(calls)
  local findings = {}
  for _, key in ipairs(keys) do
    for _, limit in ipairs(limits) do
      add_windows(findings, key, times[key], limit)
    end
  end
  add_reuses(findings, calls)
  sort_findings(findings)
  for i, finding in ipairs(damaged) do table.insert(findings, i, finding) end
  return {
    findings = findings, calls = #calls, keys = #keys, cut = cut,
    first_ms = calls[1] and calls[1].arrived_ms,
    last_ms = calls[1] and calls[#calls].arrived_ms,
  }
end

return _M
