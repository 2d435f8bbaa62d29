--- The balances and how their fetching goes, for Prometheus.

local format = require "bitfront.records.format"

local _M = {}

local TYPE = "# HELP %s %s\n# TYPE %s %s\n"

-- The closed set: a counter that is there from the start can be added up.
local KINDS = {
  "auth", "clock", "closed", "config", "http", "maintenance", "memory",
  "network", "permission", "phase", "protocol", "rate_limit", "replay",
  "request", "server", "signature", "timeout", "tls",
}

local function head(name, kind, help)
  return TYPE:format(name, help, name, kind)
end

local function metric(name, kind, help, value)
  return ("%s%s %s\n"):format(head(name, kind, help), name, value)
end

local function count(number)
  return ("%.0f"):format(number)
end

-- Microseconds as seconds, without asking the locale for a point.
local function seconds(microseconds)
  local whole = math.floor(microseconds / 1e6)
  return ("%d.%06d"):format(whole, math.floor(microseconds - whole * 1e6))
end

local function errors_by_kind(store)
  local name = "bitfront_exchange_errors_total"
  local lines = { head(name, "counter", "Calls that failed, by kind of error.") }
  for _, kind in ipairs(KINDS) do
    lines[#lines + 1] = ('%s{kind="%s"} %s\n'):format(name, kind,
      count(store:number("errors:" .. kind)))
  end
  return table.concat(lines)
end

---@param store bitfront.nginx.Store
---@param rows bitfront.Record[]?
---@param age number?  seconds
---@return string
function _M.text(store, rows, age)
  local state = store:state()
  local parts = {
    rows and format.format(rows, "prometheus") or "",
    metric("bitfront_up", "gauge",
      "Whether the last call of the exchange brought balances.",
      state.version and not state.failure and 1 or 0),
    metric("bitfront_exchange_calls_total", "counter",
      "Calls of the exchange.", count(store:number "calls")),
    errors_by_kind(store),
    metric("bitfront_exchange_call_duration_seconds", "gauge",
      "How long the last call of the exchange took.",
      seconds(store:number "duration")),
  }
  if age then
    parts[#parts + 1] = metric("bitfront_cache_age_seconds", "gauge",
      "How old the balances are.", seconds(age * 1e6))
  end
  return table.concat(parts)
end

return _M
