-- `bitfront nginx-conf` with --dashboard and --alerts: Prometheus' own tool reads the
-- rules and the dashboard's expressions, and evaluates both on series that are made up.

local cjson = require "cjson"
local command = require "spec.support.command"
local decode = require "bitfront.json".decode
local readme = require "spec.support.readme"
local support = require "spec.support"

local function printed(option)
  local out, err, code = command.run("nginx-conf " .. option)
  assert.same({ "", 0 }, { err, code })
  return out
end

-- JSON is YAML.
local function promtool(what, file, folder)
  if type(file) == "table" then
    support.write(folder .. "/file.yml", cjson.encode(file))
    file = "file.yml"
  end
  local out, err, code = support.run(("promtool %s rules %s"):format(what, file),
    { cwd = folder })
  return out .. err, code
end

-- ---- series of a site, a value each 15 s ----

local MINUTES = 20
local COUNT = MINUTES * 4

local HEALTHY = {
  bitfront_up = "1x" .. COUNT,
  bitfront_cache_age_seconds = "2x" .. COUNT,
  bitfront_exchange_limit_used_ratio = "0.5x" .. COUNT,
  bitfront_exchange_calls_total = "0+8x" .. COUNT,
  ['bitfront_exchange_errors_total{kind="network"}'] = "0+1x" .. COUNT,
  ['bitfront_exchange_errors_total{kind="timeout"}'] = "0+3x" .. COUNT,
  ['bitfront_exchange_errors_total{kind="auth"}'] = "0x" .. COUNT,
  ['bitfront_exchange_call_duration_seconds_bucket{le="0.1"}'] = "0+4x" .. COUNT,
  ['bitfront_exchange_call_duration_seconds_bucket{le="+Inf"}'] = "0+8x" .. COUNT,
  ['bitfront_balance{currency="BTC",state="total"}'] = "3x" .. COUNT,
}

local TARGET = 'job="bitfront",instance="site:8080"'

-- A metric and its labels, with these labels too.
local function with_labels(series, labels)
  local name, own = series:match "^([%w_]+){?(.-)}?$"
  return ("%s{%s}"):format(name, own == "" and labels or own .. "," .. labels)
end

-- Adds those of one account; changes are values by series, false where there are none.
local function add_account(list, account, changes)
  local labels = TARGET .. account
  for series, values in pairs(HEALTHY) do
    if changes[series] ~= nil then values = changes[series] end
    if values then list[#list + 1] = { series = with_labels(series, labels), values = values } end
  end
end

local NO_ACCOUNT, ONE, OTHER = "", ',account="one"', ',account="other"'

-- ---- alerts ----

-- What differs from a healthy site, the minute, and the alert that there is then.
local ALERTS = {
  { "nothing where all is well, and half of the calls fail", {}, MINUTES },
  { "a site that is down", { up = "1x20 0x60" }, 8, "BitfrontSiteDown" },
  { "nothing where it is down for less than 2 minutes", { up = "1x20 0x60" }, 7 },
  { "a site that never was", { up = false }, 3, "BitfrontSiteDown" },
  { "nothing where another target is down", { other = "0x80" }, MINUTES },
  { "balances of more than 60 s", { bitfront_cache_age_seconds = "61x80" }, 2,
    "BitfrontBalancesStale" },
  { "nothing where balances are 60 s old", { bitfront_cache_age_seconds = "60x80" }, MINUTES },
  { "nothing where they were old for less than 2 minutes",
    { bitfront_cache_age_seconds = "2x20 90x7 2x60" }, 7 },
  { "balances that are there no more", { bitfront_cache_age_seconds = "2x20 40 55 62 stale" },
    8, "BitfrontBalancesStale" },
  { "balances that never were", { bitfront_cache_age_seconds = false, bitfront_up = "0x80" },
    2, "BitfrontBalancesStale" },
  { "balances that never were, while scrapes fail", { bitfront_cache_age_seconds = false,
      bitfront_up = "0x2 " .. ("stale stale 0 "):rep(20) }, 9, "BitfrontBalancesStale" },
  { "calls of which more than half fail",
    { ['bitfront_exchange_errors_total{kind="auth"}'] = "0+1x80" }, 3, "BitfrontExchangeFailing" },
  { "nothing where calls have failed before",
    { ['bitfront_exchange_errors_total{kind="auth"}'] = "1000x80" }, 10 },
  { "nothing where there are no calls", { bitfront_exchange_calls_total = "9x80",
      ['bitfront_exchange_errors_total{kind="network"}'] = "9x80",
      ['bitfront_exchange_errors_total{kind="timeout"}'] = "0x80" }, 10 },
  { "a limit of which more than 0.8 are used",
    { bitfront_exchange_limit_used_ratio = "0.7 0.95x79" }, 10, "BitfrontLimitNearlyUsed" },
  { "nothing where 0.8 are used", { bitfront_exchange_limit_used_ratio = "0.8x80" }, MINUTES },
  { "nothing where no limit is kept", { bitfront_exchange_limit_used_ratio = false }, MINUTES },
}

-- The series of a site with these accounts, of which the first differs by the changes; and
-- of another target. A site that is down has no metrics from then on.
local function site_of(changes, first, second)
  local list = { { series = 'up{job="other",instance="site:9"}',
                   values = changes.other or "1x" .. COUNT } }
  local own, up = changes, changes.up
  if up ~= nil then
    own = {}
    for series, values in pairs(HEALTHY) do
      own[series] = up and values:gsub("x%d+$", "x20 stale")
    end
  end
  if up ~= false then
    list[2] = { series = "up{" .. TARGET .. "}", values = up or "1x" .. COUNT }
  end
  add_account(list, first, own)
  if second then add_account(list, second, up ~= nil and own or {}) end
  return list
end

-- That this alert is firing for the first account, and nothing else is.
local function firing(row, account)
  local changes, alert = row[2], row[4]
  if not alert then return nil end
  local labels = changes.up == false and "" or TARGET .. (changes.up and "" or account) .. ","
  local is_warning = alert:find "Failing" or alert:find "Limit"
  return { { value = 1, labels = ('ALERTS{%salertname="%s",alertstate="firing",severity="%s"}')
    :format(labels, alert, is_warning and "warning" or "critical") } }
end

describe("bitfront nginx-conf --alerts #apart #once", function()
  local text, folder

  lazy_setup(function()
    text, folder = printed "--alerts", support.tmpdir()
    support.write(folder .. "/bitfront-alerts.yml", text)
  end)

  local function test(...)
    return promtool("test", { rule_files = { "bitfront-alerts.yml" },
                              evaluation_interval = "15s", tests = { ... } }, folder)
  end

  it("prints rules in which promtool finds nothing wrong", function()
    local output, code = promtool("check", "bitfront-alerts.yml", folder)
    assert.equal(0, code, output)
    assert.truthy(output:find "SUCCESS: %d rules found", output)
  end)

  for _, row in ipairs(ALERTS) do
    local function test_of(first, second)
      return { interval = "15s", input_series = site_of(row[2], first, second),
               promql_expr_test = { { eval_time = row[3] .. "m",
                                      expr = 'ALERTS{alertstate="firing"}',
                                      exp_samples = firing(row, first) } } }
    end

    it("tells of " .. row[1] .. ", with and without a label account", function()
      local output, code = test(test_of(NO_ACCOUNT), test_of(ONE, OTHER))
      assert.equal(0, code, output)
    end)
  end

  -- What promtool got, which it tells where something else is expected.
  it("names the site and the account in the texts", function()
    for _, row in ipairs(ALERTS) do
      local output = row[4] and test { interval = "15s", input_series = site_of(row[2], ONE),
        alert_rule_test = { { alertname = row[4], eval_time = row[3] .. "m" } } }
      local got = output and output:match "got:(.*)"
      local summary = got and got:match 'summary="([^"]*)"'
      if row[4] then
        assert.truthy(summary, output)
        assert.is_nil(got:find "error expanding", got)
        assert.is_nil(summary:find("  ", 1, true), summary)
        assert.equal(row[2].up ~= false, summary:find("site:8080", 1, true) ~= nil, summary)
        assert.equal(row[2].up == nil, summary:find(", account one$") ~= nil, summary)
      end
    end
  end)

  it("has the alerts of the README, with their thresholds and times", function()
    local listed = readme.table_of "alert | when | for | what to do"
    local names = readme.matches(text, "%- alert: (%w+)")
    assert.same({}, readme.differences(names, support.keys(listed)))
    for _, name in ipairs(names) do
      local rule = text:match("%- alert: " .. name .. "\n(.-annotations)")
      local threshold = rule:match " > ([%d.]+)"
      assert.equal(listed[name][3], rule:match "for: (%d+)m" .. " min")
      assert.truthy(not threshold or listed[name][2]:find(threshold, 1, true), name)
    end
  end)

  it("uses metrics that there are", function()
    local metrics = readme.table_of "metric | what it is"
    for name in text:gmatch "%f[%w_]bitfront_[%l_]+" do assert.truthy(metrics[name], name) end
  end)
end)

-- ---- dashboard ----

describe("bitfront nginx-conf --dashboard #apart #once", function()
  local text, dashboard, folder

  lazy_setup(function()
    text, folder = printed "--dashboard", support.tmpdir()
    dashboard = assert(decode(text))
  end)

  -- As Grafana sends it, where "All" is chosen.
  local function each_expression(visit)
    for _, panel in ipairs(dashboard.panels) do
      for _, target in ipairs(panel.targets) do
        local expression = target.expr:gsub("%$__rate_interval", "5m"):gsub("%$%l+", ".*")
        assert.is_nil(expression:find("$", 1, true), expression)
        visit(expression, panel)
      end
    end
  end

  it("has panels whose expressions promtool accepts", function()
    local rules = {}
    each_expression(function(expression)
      rules[#rules + 1] = { record = "panel:" .. #rules, expr = expression }
    end)
    assert.is_true(#rules >= 8)
    local output, code = promtool("check", { groups = { { name = "panels", rules = rules } } },
      folder)
    assert.equal(0, code, output)
  end)

  for name, accounts in pairs { ["without a label account"] = { NO_ACCOUNT },
                                ["of each account"] = { ONE, OTHER } } do
    it("shows something in each panel, " .. name, function()
      local expected = {}
      each_expression(function(expression)
        expected[#expected + 1] = { eval_time = MINUTES .. "m",
          expr = ("count(count by (job, account) (%s))"):format(expression),
          exp_samples = { { labels = "{}", value = #accounts } } }
      end)
      local output, code = promtool("test", { tests = { { interval = "15s",
        input_series = site_of({}, accounts[1], accounts[2]), promql_expr_test = expected } } },
        folder)
      assert.equal(0, code, output)
    end)
  end

  it("has a panel for each metric of the README", function()
    local shown = {}
    each_expression(function(expression)
      for name in expression:gmatch "%f[%w_]bitfront_[%l_]+" do
        shown[#shown + 1] = (name:gsub("_bucket$", ""))
      end
    end)
    assert.same({}, readme.differences(readme.set(shown),
      support.keys(readme.table_of "metric | what it is")))
  end)

  it("has a variable for each that is used, and each data source is the chosen one", function()
    local names, used = {}, {}
    for i, variable in ipairs(dashboard.templating.list) do names[i] = variable.name end
    for name in text:gmatch "%${?(%l+)" do used[#used + 1] = name end
    table.sort(names)
    assert.same(names, readme.set(used))
    for uid in text:gmatch '"uid": "([^"]+)" }' do assert.equal("${datasource}", uid) end
  end)

  it("has these panels, with a legend for each of their expressions", function()
    local panels, name = {}, "{{job}} {{account}}"
    for i, panel in ipairs(dashboard.panels) do
      local legends, defaults = {}, panel.fieldConfig.defaults
      for j, target in ipairs(panel.targets) do
        legends[j] = target.refId .. target.legendFormat:gsub(name, "", 1)
      end
      panels[i] = ("%d %s %d %s%s %s"):format(panel.id, defaults.unit, panel.gridPos.w,
        defaults.max and ("%.0f"):format(defaults.max) or "-",
        panel["repeat"] and " " .. panel["repeat"] or "", table.concat(legends, ","))
    end
    assert.same({ "1 bool_yes_no 8 1 A", "2 s 8 - A", "3 percentunit 8 1 A",
      "4 reqps 12 - A calls,B failed: {{kind}}", "5 s 12 - A p50,B p99",
      "6 none 24 - currency A {{state}}" }, panels)
  end)

  it("has panels that lie beside each other, and a line for those that are repeated", function()
    local taken, ids = {}, {}
    for _, panel in ipairs(dashboard.panels) do
      local place = panel.gridPos
      assert.is_nil(ids[panel.id])
      ids[panel.id] = true
      for x = place.x, place.x + place.w - 1 do
        local key = ("%d %d"):format(x, place.y)
        assert.is_true(x < 24 and place.y % place.h == 0 and not taken[key], panel.title)
        taken[key] = true
      end
      assert.truthy(not panel["repeat"] or place.w == 24)
    end
  end)
end)

describe("bitfront nginx-conf #apart", function()
  it("prints one of its texts only", function()
    command.is_misuse("nginx-conf --dashboard --alerts", "can not be used together")
    command.is_misuse("nginx-conf --dashboard --dashboard --alerts", "can not be used together")
    command.is_misuse("nginx-conf alerts", "too many arguments")
  end)
end)
