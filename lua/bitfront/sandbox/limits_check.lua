-- Finds a client's mistakes in the log of arrivals: windows of time in which more calls
-- of one key arrived than the limits allow, and signatures that were used twice. It
-- counts as the exchange does (rules.lua), but includes calls with a key that is not
-- registered. Reads no files and no clocks.

local cjson = require "cjson.safe"
local rules = require "bitfront.sandbox.rules"

local _M = {}

---@class bitfront.sandbox.Finding
---@field kind "per_second"|"per_minute"|"signature"|"damaged"
---@field key? string  in full: mask it where it is shown
---@field path? string  where the limit is that path's own
---@field at_ms? integer  the window's first call; the signature's second use
---@field calls? integer  in the window; with the signature
---@field line? integer  the damaged one

---@class bitfront.sandbox.LimitsReport
---@field findings bitfront.sandbox.Finding[]  damaged lines, then by time
---@field calls integer  signed ones
---@field keys integer  how many they are of
---@field first_ms? integer
---@field last_ms? integer
---@field cut? boolean  true: the last line was cut, and is left out

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local function decode(line)
  local arrival = cjson.decode(line)
  local ms = type(arrival) == "table" and arrival.arrived_ms
  return type(ms) == "number" and ms >= 0 and ms % 1 == 0 and arrival or nil
end

-- The signed calls, and the damaged lines. A last line without its newline was cut, by
-- a kill or a full disk, or is being written. It counts where all but the newline is
-- there.
local function read(text)
  local calls, damaged, number, cut = {}, {}, 0, nil
  for line, newline in text:gmatch("([^\n]*)(\n?)") do
    number = number + 1
    local arrival = decode(line)
    if not arrival and newline ~= "" then
      damaged[#damaged + 1] = { kind = "damaged", line = number }
    elseif not arrival and line ~= "" then
      cut = true
    elseif arrival and is_text(arrival.key) and not rules.is_public(arrival.path) then
      arrival.line = number
      calls[#calls + 1] = arrival
    end
  end
  return calls, damaged, cut
end

-- An order by the first of these fields in which two rows differ.
local function by(...)
  local names = { ... }
  return function(a, b)
    for _, name in ipairs(names) do
      if a[name] ~= b[name] then return a[name] < b[name] end
    end
    return false
  end
end

-- The times of the calls of each key, and of those that have this path.
local function times_by_key(calls, path)
  local times, keys = {}, 0
  for _, call in ipairs(calls) do
    if not path or call.path == path then
      if not times[call.key] then times[call.key], keys = {}, keys + 1 end
      table.insert(times[call.key], call.arrived_ms)
    end
  end
  return times, keys
end

-- A window begins with a call and ends before the one at exactly `limit.ms`. One
-- whose calls are all in the window before is not listed.
local function add_windows(findings, key, times, limit, path)
  local last, listed = 0, 0
  for first, at in ipairs(times) do
    while times[last + 1] and times[last + 1] - at < limit.ms do
      last = last + 1
    end
    local calls = last - first + 1
    if calls > limit.calls and last > listed then
      listed = last
      findings[#findings + 1] =
        { kind = limit.name, key = key, path = path, at_ms = at, calls = calls }
    end
  end
end

local function add_windows_of(findings, times, limits, path)
  for key, list in pairs(times) do
    for _, limit in ipairs(limits) do add_windows(findings, key, list, limit, path) end
  end
end

local function add_reuses(findings, calls)
  local uses = {}
  for _, call in ipairs(calls) do
    local signature = call.signature
    if is_text(signature) then
      local use = uses[signature] or { kind = "signature", calls = 0 }
      uses[signature], use.calls = use, use.calls + 1
      if use.calls == 2 then
        use.key, use.at_ms = call.key, call.arrived_ms
        findings[#findings + 1] = use
      end
    end
  end
end

--- Finds what should not be in a log of arrivals.
---@param text string  the file's: a line of JSON for each arrival
---@return bitfront.sandbox.LimitsReport
function _M.check(text)
  local calls, all, cut = read(text)
  table.sort(calls, by("arrived_ms", "line")) -- whatever the order of the lines
  local times, keys = times_by_key(calls)
  local findings = {}
  add_windows_of(findings, times, rules.limits)
  for path, limits in pairs(rules.path_limits) do
    add_windows_of(findings, times_by_key(calls, path), limits, path)
  end
  add_reuses(findings, calls)
  table.sort(findings, by("at_ms", "kind", "key"))
  for _, finding in ipairs(findings) do all[#all + 1] = finding end
  local first, last = calls[1] or {}, calls[#calls] or {}
  return { findings = all, calls = #calls, keys = keys, cut = cut,
           first_ms = first.arrived_ms, last_ms = last.arrived_ms }
end

return _M
