--- The page: one document with all that it needs, rendered here and kept up to
-- date by its script. Without the script it is whole, and reloads itself.

local script = require "bitfront.nginx.page_script"
local style = require "bitfront.nginx.page_style"
local text = require "bitfront.records.text"

local _M = {}

--- Nothing is loaded but the same address, and nothing runs but what is in this
--- folder.
_M.POLICY = ("default-src 'none'; connect-src 'self'; img-src data:; "
  .. "style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'self'; "
  .. "frame-ancestors 'none'"):format(style.hash, script.hash)

local RELOAD_SECONDS = 30 -- without the script

local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;",
}

local function escape(value)
  return (text.escape(value):gsub("[&<>\"']", ENTITIES))
end

-- "$(name)" in a template.
local function fill(template, values)
  return (template:gsub("%$%((%w+)%)", values))
end

-- ---- amounts ----

local function places_of(rows, name)
  local most = 0
  for _, row in ipairs(rows) do
    most = math.max(most, #((row[name] or ""):match("%.(%d*)$") or ""))
  end
  return most
end

local function groups_of(whole)
  local first = (#whole - 1) % 3 + 1
  return whole:sub(1, first) .. whole:sub(first + 1)
    :gsub("%d%d%d", '<span class="group">%0</span>')
end

-- With invisible zeros up to `places`, so that the points of a column meet.
local function amount(value, places)
  local sign, whole, fraction = value:match("^(%-?)(%d+)%.?(%d*)$")
  local lacking = places - #fraction
  local pad = lacking > 0
    and (fraction == "" and "." or "") .. ("0"):rep(lacking)
  return ('<span class="amount">%s%s%s%s</span>'):format(sign, groups_of(whole),
    fraction ~= "" and '<span class="fraction">.' .. fraction .. "</span>" or "",
    pad and '<span class="pad" aria-hidden="true">' .. pad .. "</span>" or "")
end

-- ---- rows ----

local COLUMNS = {
  { "balance", "Balance" }, { "availableBalance", "Available" },
  { "locked", "Locked" }, { "value", "Value" },
}

local NONE = '<span class="none">\226\128\147</span>'

local CELL = '<td role="cell" class="%s">'
  .. '<span class="label" aria-hidden="true">%s</span>%s</td>'

local BAR = '<svg viewBox="0 0 1000 10" preserveAspectRatio="none" '
  .. 'aria-hidden="true">%s</svg>'
local RECTANGLE = '<rect class="%s" x="%d" width="%d" height="10"/>'

-- What there is a little of is to be seen: at least 4 % of the bar.
local function drawn(share)
  if share == 0 or share == 1000 then return share end
  return math.min(960, math.max(40, share))
end

local function share_cell(share)
  if not share then
    return '<td role="cell" class="bar"><div class="share">'
      .. BAR:format(RECTANGLE:format("empty", 0, 1000))
      .. '<span class="none">\226\128\147<span class="unseen"> nothing</span>'
      .. "</span></div></td>"
  end
  local width = drawn(share)
  return ('<td role="cell" class="bar"><div class="share">%s<span>%d.%d\194\160%%'
    .. '<span class="unseen"> available</span></span></div></td>'):format(
    BAR:format(RECTANGLE:format("free", 0, width)
      .. RECTANGLE:format("locked", width, 1000 - width)),
    math.floor(share / 10), share % 10)
end

local function row_html(row, columns, places)
  local cells = { '<tr role="row"><th role="rowheader" scope="row">'
    .. escape(row.currency) .. "</th>" }
  for _, column in ipairs(columns) do
    local name, value = column[1], row[column[1]]
    cells[#cells + 1] = CELL:format(name, column[2],
      value and amount(value, places[name]) or NONE)
  end
  return table.concat(cells) .. share_cell(row.share) .. "</tr>"
end

local function rows_html(rows, columns)
  local places, lines = {}, {}
  for _, column in ipairs(columns) do
    places[column[1]] = places_of(rows, column[1])
  end
  for i, row in ipairs(rows) do
    lines[i] = row_html(row, columns, places)
  end
  return table.concat(lines, "\n")
end

-- ---- headers, which sort ----

local HEADER = '<th role="columnheader" scope="col" data-key="%s"%s>'
  .. '<button type="submit" form="order" name="sort" value="%s">%s</button></th>'

-- A click gives the greatest first, of names the first; another one turns it.
local function header_html(key, label, query)
  local minus, sort = key ~= "currency", ""
  if query.sort == key then
    minus = query.direction == "asc"
    sort = minus and ' aria-sort="ascending"' or ' aria-sort="descending"'
  end
  return HEADER:format(key, sort, (minus and "-" or "") .. key, label)
end

local function headers_html(columns, query)
  local cells = { header_html("currency", "Currency", query) }
  for _, column in ipairs(columns) do
    cells[#cells + 1] = header_html(column[1], column[2], query)
  end
  return table.concat(cells)
    .. '<th role="columnheader" scope="col">Available share</th>'
end

-- The parameters that a click on a header keeps.
local function kept_parameters(args)
  local inputs = {}
  for part in args:gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    if name ~= "sort" and name ~= "desc" then
      inputs[#inputs + 1] = ('<input type="hidden" name="%s" value="%s">')
        :format(escape(ngx.unescape_uri(name)), escape(ngx.unescape_uri(value)))
    end
  end
  return table.concat(inputs)
end

-- ---- the document ----

local DOCUMENT = [[
<!DOCTYPE html>
<html lang="en" data-interval="$(interval)">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$(title)</title>
<noscript><meta http-equiv="refresh" content="$(reload)"></noscript>
<link rel="icon" href="data:,">
<style>$(style)</style>
</head>
<body>
<main>
<header><h1>$(title)</h1>$(worth)</header>
<div class="bar-of-state">
<p>As of <time id="time" datetime="$(made)">$(shown)</time></p>
<button type="button" id="pause" aria-pressed="false" hidden>Pause updates</button>
<p id="state" role="status">$(state)</p>
</div>
<form id="order" method="get" hidden>$(kept)</form>
<div class="card">
<table role="table"$(full)>
<caption>$(title), by currency</caption>
<thead role="rowgroup"><tr role="row">$(headers)</tr></thead>
<tbody role="rowgroup">
$(rows)
</tbody>
</table>
<p class="nothing" id="nothing"$(empty)>There are no balances to show.</p>
</div>
<footer>
<p class="key">
<span class="is-free">available</span>
<span class="is-locked">locked in orders</span>
</p>
<p id="missing">$(missing)</p>
</footer>
</main>
<script>$(script)</script>
</body>
</html>
]]

local WHY = {
  timeout = "The exchange does not answer in time.",
  rate_limit = "The exchange has been asked as often as it allows.",
  network = "The exchange cannot be reached.",
}

local function state_text(err)
  if not err then return "" end
  return (WHY[err.kind] or "The exchange does not answer as it should.")
    .. " These are the last balances it gave."
end

local function worth_html(view, unit)
  if not view.total then return "" end
  return ('<p class="worth"><span class="what">Total value%s</span>'
    .. '<span id="total">%s</span></p>'):format(
    unit and " in " .. escape(unit) or "", amount(view.total, 0))
end

local function missing_text(view)
  local missing = view.missing or {}
  if #missing == 0 then return "" end
  return "No price is known for " .. escape(table.concat(missing, ", ")) .. "."
end

---@class bitfront.nginx.PageOptions
---@field title string
---@field unit string?
---@field query bitfront.nginx.Plan
---@field made integer  Unix time of the balances
---@field interval number  seconds
---@field freshness "fresh"|"stale"
---@field err bitfront.Error?

---@param view bitfront.nginx.View
---@param options bitfront.nginx.PageOptions
---@return string html
function _M.render(view, options)
  local columns = {}
  for i = 1, view.total and 4 or 3 do
    columns[i] = COLUMNS[i]
  end
  local empty = #view.rows == 0
  return fill(DOCUMENT, {
    interval = ("%d"):format(math.ceil(options.interval)),
    reload = ("%d"):format(RELOAD_SECONDS),
    title = escape(options.title), worth = worth_html(view, options.unit),
    made = os.date("!%Y-%m-%dT%H:%M:%SZ", options.made),
    shown = os.date("!%Y-%m-%d %H:%M:%S UTC", options.made),
    state = state_text(options.err), kept = kept_parameters(options.query.args),
    full = empty and " hidden" or "", empty = empty and "" or " hidden",
    headers = headers_html(columns, options.query),
    rows = rows_html(view.rows, columns), missing = missing_text(view),
    style = style.text, script = script.text,
  })
end

return _M
