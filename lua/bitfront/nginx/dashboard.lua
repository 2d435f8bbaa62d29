--- The Grafana dashboard of a site's metrics, as JSON to import.

-- The choices above the panels: a label, and a metric that has it. All is .*, which
-- also matches series without the label: account is there where a site has several.
local VARIABLES = {
  { "job", "bitfront_up" },
  { "account", 'bitfront_up{job=~"$job"}' },
  { "currency", 'bitfront_balance{job=~"$job",account=~"$account"}' },
}

-- Each has targets, of PromQL and what follows the account in the legend. CHOSEN stands
-- for the choices, EACH for the labels that tell accounts apart. A width of 24 is a line:
-- one that is repeated needs its own, since Grafana gives all of it to the copies.
local PANELS = {
  { title = "Last call brought balances", unit = "bool_yes_no", width = 8, max = 1,
    help = "Yes is 1, no is 0.",
    { "min by (EACH) (bitfront_up{CHOSEN})", "" } },
  { title = "Age of the balances", unit = "s", width = 8,
    help = "None where there are no balances, or none recent enough to be shown.",
    { "max by (EACH) (bitfront_cache_age_seconds{CHOSEN})", "" } },
  { title = "Exchange's limit used", unit = "percentunit", width = 8, max = 1,
    help = "After the last call. At 100 % calls wait, or fail with rate_limit.",
    { "max by (EACH) (bitfront_exchange_limit_used_ratio{CHOSEN})", "" } },
  { title = "Calls of the exchange", unit = "reqps", width = 12,
    help = "All, and those that failed by kind of error.",
    { "sum by (EACH) (rate(bitfront_exchange_calls_total{CHOSEN}[$__rate_interval]))",
      "calls" },
    { "sum by (EACH, kind) (rate(bitfront_exchange_errors_total{CHOSEN}[$__rate_interval]))"
      .. " > 0", "failed: {{kind}}" } },
  { title = "Duration of a call", unit = "s", width = 12,
    help = "Half of the calls, and 99 % of them, took that long or less.",
    { "histogram_quantile(0.5, sum by (EACH, le) (rate("
      .. "bitfront_exchange_call_duration_seconds_bucket{CHOSEN}[$__rate_interval])))", "p50" },
    { "histogram_quantile(0.99, sum by (EACH, le) (rate("
      .. "bitfront_exchange_call_duration_seconds_bucket{CHOSEN}[$__rate_interval])))", "p99" } },
  { title = "Balance of $currency", unit = "none", width = 24, is_per_coin = true,
    help = "There is a panel for each coin that is chosen.",
    { 'max by (EACH, state) (bitfront_balance{CHOSEN,currency=~"$currency"})', "{{state}}" } },
}

local WORDS = { EACH = "job, account", CHOSEN = 'job=~"$job",account=~"$account"' }

local DASHBOARD = [[
{
  "title": "bitfront", "uid": "bitfront", "tags": ["bitfront"],
  "description": "Printed by bitfront nginx-conf --dashboard",
  "schemaVersion": 36, "editable": true, "refresh": "30s",
  "time": { "from": "now-6h", "to": "now" },
  "templating": { "list": [
    { "name": "datasource", "type": "datasource", "query": "prometheus",
      "refresh": 1, "options": [], "current": {} },
$(variables)
  ] },
  "panels": [
$(panels)
  ]
}
]]

local SOURCE = '"datasource": { "type": "prometheus", "uid": "${datasource}" }'

local VARIABLE = [[
    { "name": "$(label)", "type": "query", "refresh": 2, "sort": 1,
      $(source),
      "query": "label_values($(metric), $(label))",
      "multi": true, "includeAll": true, "allValue": ".*", "options": [],
      "current": { "text": ["All"], "value": ["$__all"] } }]]

local PANEL = [[
    { "id": $(id), "type": "timeseries", "title": "$(title)",
      "description": "$(help)",
      $(source),
      "gridPos": { "x": $(x), "y": $(y), "w": $(width), "h": 8 },$(repeated)
      "fieldConfig": { "defaults": { "unit": "$(unit)", "min": 0,$(max)
          "custom": { "fillOpacity": 10, "showPoints": "never" } }, "overrides": [] },
      "options": { "tooltip": { "mode": "multi" },
        "legend": { "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"] } },
      "targets": [
$(targets)
      ] }]]

local REPEATED = '\n      "repeat": "currency", "repeatDirection": "h", "maxPerRow": 3,'

local TARGET = [[
        { "refId": "$(id)", "legendFormat": "$(legend)",
          "expr": "$(expr)" }]]

local function fill(template, values)
  return (template:gsub("%$%(([%w_]+)%)", values))
end

-- Each row's text by its template.
local function list(rows, template, values_of)
  local texts = {}
  for i, row in ipairs(rows) do texts[i] = fill(template, values_of(row, i)) end
  return table.concat(texts, ",\n")
end

local function quoted(text)
  return (text:gsub('"', '\\"'))
end

local function target(row, i)
  return { id = ("ABC"):sub(i, i), expr = quoted(row[1]:gsub("%u+", WORDS)),
           legend = ("{{job}} {{account}} " .. row[2]):gsub(" $", "") }
end

-- From left to right, in lines of 24.
local function place(rows)
  local x, y = 0, 0
  for _, row in ipairs(rows) do
    if x + row.width > 24 then x, y = 0, y + 8 end
    row.x, row.y, x = x, y, x + row.width
  end
  return rows
end

local function panel(row, i)
  return setmetatable({
    id = i, source = SOURCE, targets = list(row, TARGET, target),
    max = row.max and (' "max": %d,'):format(row.max) or "",
    repeated = row.is_per_coin and REPEATED or "",
  }, { __index = row })
end

local function variable(row)
  return { label = row[1], metric = quoted(row[2]), source = SOURCE }
end

---@type string
return fill(DASHBOARD, { variables = list(VARIABLES, VARIABLE, variable),
                         panels = list(place(PANELS), PANEL, panel) })
