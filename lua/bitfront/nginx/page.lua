--- The page: one document with its style and its script, and a section for each account
-- that it shows. The script fetches the page again and shows what has changed; without
-- the script, the browser reloads it.

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

-- ---- sections ----

-- Nothing is between two sections: the page's script moves none for a blank.
local SECTION = "<section%s>\n%s%s</section>"
local HEADING = '<header><h2>%s</h2>%s</header>\n<p class="message">%s</p>\n'

local BALANCES = [[
<div class="card">
<table role="table"$(full)>
<caption>$(title), by currency</caption>
<thead role="rowgroup"><tr role="row">$(headers)</tr></thead>
<tbody role="rowgroup">$(rows)</tbody>
</table>
<p class="nothing"$(empty)>There are no balances to show.</p>
</div>
$(footer)]]

local FOOTER = '<footer>%s<p class="missing">%s</p></footer>\n'

-- Of the bars, once on the page.
local KEY = '<p class="key"><span class="is-free">available</span>'
  .. '<span class="is-locked">locked in orders</span></p>\n'

local WORTH = '<p class="worth"><span class="what">Total value%s</span> '
  .. '<span class="total">%s</span></p>'
local MADE = 'As of <time datetime="%s">%s</time>'
local STALE = "%s These are the last balances that came."

local function worth_html(site, view)
  local unit = site.unit
  if not (view and view.total) then return "" end
  return WORTH:format(unit and " in " .. escape(unit) or "", amount_html(view.total, 0, 0))
end

local function made_html(made)
  return made and MADE:format(os.date("!%Y-%m-%dT%H:%M:%SZ", made),
    os.date("!%Y-%m-%d %H:%M:%S UTC", made)) or ""
end

local function message_html(section)
  local message = section.message
  return message and escape(section.view and STALE:format(message) or message) or ""
end

-- The page's header has the time and the total value of all accounts together.
local function heading_html(site, section)
  if not section.account then
    return HEADING:format("All accounts", "", escape(section.message or ""))
  end
  local made = section.made and ('<p class="made">%s</p>'):format(made_html(section.made))
  return HEADING:format(escape(section.account),
    (made or "") .. worth_html(site, section.view), message_html(section))
end

local function footer_html(section)
  local missing = table.concat(section.view.missing or {}, ", ")
  if missing ~= "" then missing = "No price is known for " .. escape(missing) .. "." end
  if not section.account then return FOOTER:format(KEY, missing) end
  return missing ~= "" and FOOTER:format("", missing) or ""
end

local function balances_html(site, section, plan)
  local view = section.view
  if not view then return "" end
  local names, empty = amounts_of(view), #view.rows == 0
  return substitute(BALANCES, {
    full = empty and " hidden" or "", empty = empty and "" or " hidden",
    title = escape(section.account or site.title),
    headers = headers_html(names, plan), rows = rows_html(view.rows, names),
    footer = footer_html(section),
  })
end

---One section, which is the same text while its arguments are. The only one of a page has
---no heading: the page's header says what it would.
---@param site bitfront.nginx.ServeOptions
---@param section bitfront.nginx.Section
---@param plan bitfront.nginx.Plan
---@param is_alone boolean
---@return string html
function _M.section(site, section, plan, is_alone)
  local account = section.account
  return SECTION:format(account and (' data-account="%s"'):format(escape(account)) or "",
    is_alone and "" or heading_html(site, section), balances_html(site, section, plan))
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
<p id="made">$(made)</p>
<button type="button" id="pause" aria-pressed="false" hidden>Pause updates</button>
<p id="state" role="status">$(state)</p>
</div>
<form id="order" method="get" hidden>$(kept)</form>
<div id="sections">$(sections)</div>
</main>
<script>$(script)</script>
</body>
</html>
]]

local NOT_FRESH = "%d of %d accounts %s not up to date."

-- The sections say which accounts, and why.
local function state_text(sections)
  if #sections == 1 then return message_html(sections[1]) end
  local count = 0
  for i = 2, #sections do
    if sections[i].message then count = count + 1 end
  end
  return count > 0
    and NOT_FRESH:format(count, #sections - 1, count == 1 and "is" or "are") or ""
end

---The page of one account, or of several: then the first section is that of all accounts
---together.
---@param site bitfront.nginx.ServeOptions
---@param sections bitfront.nginx.Section[]
---@param plan bitfront.nginx.Plan
---@param htmls string[]  of each section, what `section` has returned
---@return string html
function _M.render(site, sections, plan, htmls)
  local first = sections[1]
  return substitute(DOCUMENT, {
    interval = ("%d"):format(math.ceil(site.cache.ttl)),
    reload = ("%d"):format(RELOAD_SECONDS),
    title = escape(site.title), worth = worth_html(site, first.view),
    made = made_html(first.made), state = state_text(sections),
    kept = kept_parameters(plan.args),
    sections = table.concat(htmls),
    style = page_style.text, script = page_script.text,
  })
end

return _M
