--- The page: one document with its style and its script. The script fetches the page
-- again and shows what has changed; without the script, the browser reloads it.

local columns = require "bitfront.records.columns"
local page_script = require "bitfront.nginx.page_script"
local page_style = require "bitfront.nginx.page_style"
local text = require "bitfront.records.text"

local _M = {}

--- Only the page's own address is loaded, and only its own style and script apply.
_M.POLICY = ("default-src 'none'; connect-src 'self'; img-src data:; "
  .. "style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'self'; "
  .. "frame-ancestors 'none'"):format(page_style.hash, page_script.hash)

local RELOAD_SECONDS = 30 -- without the script

local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;",
}

local function escape(value)
  return (text.escape(value):gsub("[&<>\"']", ENTITIES))
end

-- "$(name)" in a template.
local function substitute(template, values)
  return (template:gsub("%$%((%w+)%)", values))
end

-- ---- amounts ----

local AMOUNT = '<span class="amount">%s%s%s%s%s</span>'
local FRACTION = '<span class="fraction">%s</span>'
local PAD = '<span class="pad%s" aria-hidden="true">%s</span>'

local function fraction_of(amount)
  return tostring(amount or ""):match "%.(%d*)$" or ""
end

-- The most decimals that any of the rows has, by column; and of all columns.
local function places_of(rows, names)
  local places, most = {}, 0
  for _, name in ipairs(names) do
    places[name] = 0
    for _, row in ipairs(rows) do
      places[name] = math.max(places[name], #fraction_of(row[name]))
    end
    most = math.max(most, places[name])
  end
  return places, most
end

-- Invisible zeros, from so many decimals to so many.
local function pad(from, to, class)
  return to > from
    and PAD:format(class, (from == 0 and "." or "") .. ("0"):rep(to - from)) or ""
end

-- With zeros up to `places`, which align the points of a column; and, where a row is a
-- card, up to `most`, which align those of the card.
local function amount_html(amount, places, most)
  local sign, whole, fraction = tostring(amount):match "^(%-?)(%d+)%.?(%d*)$"
  local first = (#whole - 1) % 3 + 1
  return AMOUNT:format(sign .. whole:sub(1, first),
    whole:sub(first + 1):gsub("%d%d%d", '<span class="group">%0</span>'),
    fraction ~= "" and FRACTION:format("." .. fraction) or "",
    pad(#fraction, places, ""), pad(places, most, " in-card"))
end

-- ---- rows ----

local ROW = '<tr role="row" data-coin="%s"><th role="rowheader" scope="row">%s</th>%s%s</tr>'
local CELL = '<td role="cell" class="%s">'
  .. '<span class="label" aria-hidden="true">%s</span>%s</td>'
local NONE = '<span class="none">\226\128\147%s</span>'

local SHARE = '<td role="cell" class="bar"><div class="share">'
  .. '<svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">'
  .. "%s</svg>%s</div></td>"
local RECTANGLE = '<rect class="%s" x="%d" width="%d" height="10"/>'
local PERCENT = '<span>%s\194\160%%<span class="unseen"> available</span></span>'

-- The width of the available part of the bar: a small part is visible, too.
local function width_of(share)
  if share == 0 or share == 1000 then return share end
  return math.min(960, math.max(40, share))
end

local function share_cell(row)
  if not row.share then
    return SHARE:format(RECTANGLE:format("empty", 0, 1000),
      NONE:format '<span class="unseen"> nothing</span>')
  end
  local width = width_of(row.share)
  return SHARE:format(RECTANGLE:format("free", 0, width)
    .. RECTANGLE:format("locked", width, 1000 - width), PERCENT:format(row.percent))
end

local function row_html(row, names, places, most)
  local cells, code = {}, escape(row.currency)
  for i, name in ipairs(names) do
    cells[i] = CELL:format(name, columns[name].label,
      row[name] and amount_html(row[name], places[name], most) or NONE:format "")
  end
  return ROW:format(code, code, table.concat(cells), share_cell(row))
end

local function rows_html(rows, names)
  local places, most = places_of(rows, names)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = row_html(row, names, places, most)
  end
  return table.concat(lines)
end

-- The columns that headers can sort by, but the first one: that of the coins.
local function amounts_of(view)
  local names = {}
  for _, name in ipairs(view.columns) do
    local column = columns[name]
    if column.kind == "amount" and column.sortable then names[#names + 1] = name end
  end
  return names
end

-- ---- headers, which sort ----

local HEADER = '<th role="columnheader" scope="col" data-key="%s"%s>'
  .. '<button type="submit" form="order" name="sort" value="%s">%s</button></th>'

-- A click sorts amounts descending and texts ascending; a second click reverses that.
local function header_html(name, query)
  local minus, sort = columns[name].kind == "amount", ""
  if query.sort == name then
    minus = query.direction == "asc"
    sort = (' aria-sort="%sending"'):format(query.direction)
  end
  return HEADER:format(name, sort, (minus and "-" or "") .. name, columns[name].label)
end

local function headers_html(names, query)
  local cells = { header_html("currency", query) }
  for i, name in ipairs(names) do cells[i + 1] = header_html(name, query) end
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
<tbody role="rowgroup">$(rows)</tbody>
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

local WORTH = '<p class="worth"><span class="what">Total value%s</span>'
  .. '<span id="total">%s</span></p>'

local STALE = "%s These are the last balances that came."

local function worth_html(view, unit)
  if not view.total then return "" end
  return WORTH:format(unit and " in " .. escape(unit) or "", amount_html(view.total, 0, 0))
end

local function missing_text(view)
  if #(view.missing or "") == 0 then return "" end
  return "No price is known for " .. escape(table.concat(view.missing, ", ")) .. "."
end

---@param site bitfront.nginx.ServeOptions
---@param view bitfront.nginx.View
---@param plan bitfront.nginx.Plan
---@param copy bitfront.nginx.Copy
---@param message string?  a sentence: why there are no newer balances
---@return string html
function _M.render(site, view, plan, copy, message)
  local names = amounts_of(view)
  local empty = #view.rows == 0
  return substitute(DOCUMENT, {
    interval = ("%d"):format(math.ceil(site.cache.ttl)),
    reload = ("%d"):format(RELOAD_SECONDS),
    title = escape(site.title), worth = worth_html(view, site.unit),
    made = os.date("!%Y-%m-%dT%H:%M:%SZ", copy.made),
    shown = os.date("!%Y-%m-%d %H:%M:%S UTC", copy.made),
    state = message and STALE:format(message) or "", kept = kept_parameters(plan.args),
    full = empty and " hidden" or "", empty = empty and "" or " hidden",
    headers = headers_html(names, plan),
    rows = rows_html(view.rows, names), missing = missing_text(view),
    style = page_style.text, script = page_script.text,
  })
end

return _M
