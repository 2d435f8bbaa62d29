--- The balances and how the calls of the exchange go, for Prometheus.

local format = require "bitfront.records.format"
local histogram = require "bitfront.nginx.histogram"
local kinds = require "bitfront.status".KINDS
local native = require "bitfront.native"
local records = require "bitfront.records"

local _M = {}

local function whole(number)
  return ("%.0f"):format(number or 0)
end

-- A decimal's text has a point in every locale.
local function fraction(number)
  return tostring(native.decimal(number))
end

-- ---- the metrics ----

local function is_up(shared)
  local state = shared:state()
  return state.version and not state.failure and "1" or "0"
end

-- All kinds: a counter that is there from the start can be added up.
local KINDS = {}
for i, kind in ipairs(kinds) do KINDS[i] = { "", 'kind="' .. kind.name .. '"' } end

local function errors_by_kind(shared)
  local counts = {}
  for i, kind in ipairs(kinds) do counts[i] = whole(shared:number("errors:" .. kind.name)) end
  return counts
end

local DURATIONS = {}
for i, bound in ipairs(histogram.BOUNDS) do
  DURATIONS[i] = { "_bucket",
    'le="' .. (bound == math.huge and "+Inf" or fraction(bound)) .. '"' }
end
DURATIONS[#DURATIONS + 1], DURATIONS[#DURATIONS + 2] = { "_count" }, { "_sum" }

local function durations(shared)
  local values, counts, sum = {}, histogram.read(shared)
  for i, count in ipairs(counts) do values[i] = whole(count) end
  values[#counts + 1], values[#counts + 2] = values[#counts], fraction(sum)
  return values
end

local function limit_used(shared)
  local used = shared:number "limit_used"
  return { used and fraction(used) }
end

---@class bitfront.nginx.Metric
---@field name string
---@field kind "gauge"|"counter"|"histogram"
---@field help string
---@field samples? {[1]: string, [2]: string?}[]  suffix of the name, and label; none: one without both
---@field values fun(shared: bitfront.nginx.SharedBalances): string[]  of an account's samples

---@type bitfront.nginx.Metric[]
local METRICS = {
  { name = "bitfront_up", kind = "gauge",
    help = "Whether the last call of the exchange brought balances.",
    values = function(shared) return { is_up(shared) } end },
  { name = "bitfront_exchange_calls_total", kind = "counter", help = "Calls of the exchange.",
    values = function(shared) return { whole(shared:number "calls") } end },
  { name = "bitfront_exchange_errors_total", kind = "counter",
    help = "Calls that failed, by kind of error.", samples = KINDS, values = errors_by_kind },
  { name = "bitfront_exchange_call_duration_seconds", kind = "histogram",
    help = "How long calls of the exchange took.", samples = DURATIONS, values = durations },
  { name = "bitfront_exchange_limit_used_ratio", kind = "gauge",
    help = "How much of the calls of a minute that the exchange allows were made.",
    values = limit_used },
}
local ONE_SAMPLE = { { "" } }

local AGE = { name = "bitfront_cache_age_seconds", kind = "gauge",
              help = "How old the balances are." }

-- ---- the samples of one account ----

local function labels_of(account, label)
  local first = account and format.label("account", account)
  local both = first and label and first .. "," .. label or first or label
  return both and "{" .. both .. "} " or " "
end

-- What stands before the values of an account's samples, made once: by its cache.
local prefixes = setmetatable({}, { __mode = "k" })

local function prefixes_of(answer)
  local made = prefixes[answer.cache]
  if made then return made end
  made = { age = AGE.name .. labels_of(answer.account) }
  for i, metric in ipairs(METRICS) do
    made[i] = {}
    for j, sample in ipairs(metric.samples or ONE_SAMPLE) do
      made[i][j] = metric.name .. sample[1] .. labels_of(answer.account, sample[2])
    end
  end
  prefixes[answer.cache] = made
  return made
end

local function samples_of(metric, answer, before)
  local values = metric.values(answer.cache.shared)
  for i = 1, #values do values[i] = before[i] .. values[i] .. "\n" end
  return table.concat(values)
end

---@class bitfront.nginx.Samples  of one account, but for the age
---@field copy bitfront.nginx.Copy?
---@field state bitfront.nginx.State
---@field calls number?
---@field balances string
---@field metrics string[]  those of each of METRICS

-- Made again when a call has ended.
local function all_samples_of(answer, plan)
  local shared, known = answer.cache.shared, plan.parts[answer.account or 1]
  local state, calls, copy = shared:state(), shared:number "calls", answer.copy
  if known and known.copy == copy and known.state == state and known.calls == calls then
    return known
  end
  local made = { copy = copy, state = state, calls = calls, metrics = {}, balances = copy and
    format.samples(records.filter(copy.records, plan.filter), answer.account) or "" }
  for i, metric in ipairs(METRICS) do
    made.metrics[i] = samples_of(metric, answer, prefixes_of(answer)[i])
  end
  plan.parts[answer.account or 1] = made
  return made
end

-- ---- all of it ----

-- A metric stands in one place, with all its samples; one without any is left out.
local function add(texts, metric, samples)
  local at, is_empty = #texts + 1, true
  texts[at] = format.metric_head(metric.name, metric.kind, metric.help)
  for i = 1, #samples do
    texts[at + i] = samples[i]
    is_empty = is_empty and samples[i] == ""
  end
  if is_empty then texts[at] = "" end
end

---@param answers bitfront.nginx.Answer[]
---@param plan bitfront.nginx.Plan  which keeps the samples
---@param pause fun()  called between two accounts
---@return string[] texts  one after the other: one string of them would be copied once more
---@return integer length  of all, in bytes
function _M.texts(answers, plan, pause)
  local all, texts, samples = {}, { "" }, {}
  for i, answer in ipairs(answers) do
    all[i] = all_samples_of(answer, plan)
    texts[i + 1] = all[i].balances
    if answer.copy then texts[1] = format.BALANCE_HEAD end
    pause()
  end
  for number, metric in ipairs(METRICS) do
    for i, one in ipairs(all) do samples[i] = one.metrics[number] end
    add(texts, metric, samples)
  end
  for i, answer in ipairs(answers) do
    samples[i] = answer.age and prefixes_of(answer).age .. fraction(answer.age) .. "\n" or ""
  end
  add(texts, AGE, samples)
  local length = 0
  for i = 1, #texts do length = length + #texts[i] end
  return texts, length
end

return _M
