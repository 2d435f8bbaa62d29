--- The balances and how the calls of the exchange go, for Prometheus.

local format = require "bitfront.records.format"
local kinds = require "bitfront.status".KINDS
local native = require "bitfront.native"

local _M = {}

local ERRORS = "bitfront_exchange_errors_total"

local function head(name, kind, help)
  return ("# HELP %s %s\n# TYPE %s %s\n"):format(name, help, name, kind)
end

local function metric(name, kind, help, value)
  return ("%s%s %s\n"):format(head(name, kind, help), name, value)
end

local function whole(number)
  return ("%.0f"):format(number)
end

-- A decimal's text has a point in every locale.
local function fraction(number)
  return tostring(native.decimal(number))
end

-- All kinds: a counter that is there from the start can be added up.
local function errors_by_kind(shared)
  local lines = { head(ERRORS, "counter", "Calls that failed, by kind of error.") }
  for i, kind in ipairs(kinds) do
    lines[i + 1] = ('%s{kind="%s"} %s\n'):format(ERRORS, kind.name,
      whole(shared:number("errors:" .. kind.name)))
  end
  return table.concat(lines)
end

---@param shared bitfront.nginx.SharedBalances
---@param rows bitfront.Record[]?
---@param age number?  seconds
---@return string
function _M.text(shared, rows, age)
  local state = shared:state()
  return (rows and format.format(rows, "prometheus") or "")
    .. metric("bitfront_up", "gauge",
      "Whether the last call of the exchange brought balances.",
      state.version and not state.failure and 1 or 0)
    .. metric("bitfront_exchange_calls_total", "counter",
      "Calls of the exchange.", whole(shared:number "calls"))
    .. errors_by_kind(shared)
    .. metric("bitfront_exchange_call_duration_seconds", "gauge",
      "How long the last call of the exchange took.", fraction(shared:number "duration"))
    .. (age and metric("bitfront_cache_age_seconds", "gauge",
      "How old the balances are.", fraction(age)) or "")
end

return _M
