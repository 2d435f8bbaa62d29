-- The page as the server renders it, and the site to copy. What a browser makes
-- of the page, spec/nginx/page_check.js checks.

local command = require "spec.support.command"
local nginx = require "spec.support.nginx"
local nginx_process = require "bitfront.sandbox.nginx_process"
local sections = require "spec.nginx.sections"
local support = require "spec.support"

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

local HOSTILE = [=[[
  {"currency":"<img src=x onerror=alert(1)>","balance":1.5,"availableBalance":1.25},
  {"currency":"\"'&</td></script><script>alert(1)</script>","balance":0,"availableBalance":0},
  {"currency":"\u202eCTB\u0007","balance":1e-8,"availableBalance":0}
]]=]

local function count(text, what)
  local found, at = 0, 1
  while true do
    at = text:find(what, at, true)
    if not at then return found end
    found, at = found + 1, at + #what
  end
end

describe("the page #once #apart", function()
  local exchange, faults, site

  local function location(name, server, more)
    return ([[
      location = /%s {
        content_by_lua_block {
          require("bitfront.nginx").serve {
            name = "%s", ttl = 60, %s options = {
              api_key = "%s", api_secret = "%s", base_url = "%s", ca_file = "%s" },
          }()
        }
      }]]):format(name, name, more or "", support.KEY, support.SECRET,
                  server.base_url, server.ca_file)
  end

  local function fault(data)
    return { base_url = faults:url_body(support.success(data)), ca_file = faults.ca_file }
  end

  lazy_setup(function()
    exchange, faults = support.sandbox(), support.faultd()
    site = nginx.start {
      http = "lua_shared_dict bitfront 1m;",
      server = location("balances", exchange)
        .. location("valued", exchange,
             [[prices = { BTC = "0.5" }, unit = "<i>", title = "A & \"B\"",]])
        .. location("hostile", fault(HOSTILE))
        .. location("empty", fault "[]")
        .. location("stale", exchange, "ttl = 1,"):gsub("ttl = 60, ", "")
        .. sections.location "accounts",
    }
  end)
  lazy_teardown(function()
    site:stop()
    faults:stop()
    exchange:stop()
  end)

  local function page(path)
    local reply = site:get(path, { Accept = "text/html" })
    assert.equal(200, reply.status)
    return reply.body, reply.headers
  end

  it("has its style and script within, and loads nothing", function()
    local html = page "/balances"
    assert.equal(1, count(html, "<style>"))
    assert.equal(1, count(html, "<script>"))
    for _, word in ipairs { "src=", "<link rel=\"stylesheet", "@import", "url(", "https://" } do
      assert.equal(0, count(html, word), word)
    end
    assert.equal(0, count(html, " style="))
    assert.is_nil(html:find " on%a+=")
  end)

  it("its policy lets in exactly that style and script", function()
    local html, headers = page "/balances"
    for _, tag in ipairs { "style", "script" } do
      local text = html:match("<" .. tag .. ">(.-)</" .. tag .. ">")
      local hash = support.must("openssl dgst -sha256 -binary | base64", { stdin = text })
      local words = ("%s-src 'sha256-%s'"):format(tag, (hash:gsub("\n", "")))
      assert.truthy(headers["content-security-policy"]:find(words, 1, true),
                    "lua/bitfront/nginx/page_" .. tag .. ".lua must have the hash sha256-" .. hash)
    end
  end)

  it("is a table with a caption, and headers of columns and rows", function()
    local html = page "/balances"
    assert.matches("<caption>Balances, by currency</caption>", html, 1, true)
    assert.equal(5, count(html, '<th role="columnheader" scope="col"'))
    assert.equal(5, count(html, '<th role="rowheader" scope="row">'))
    assert.matches('<html lang="en"', html, 1, true)
    assert.matches('<p id="state" role="status"></p>', html, 1, true)
  end)

  it("shows every digit, the points of a column one below the other", function()
    local html = page "/balances"
    assert.matches('<span class="amount">3<span class="group">999</span><span class="group">974'
      .. '</span><span class="group">992</span><span class="fraction">.35615</span>'
      .. '<span class="pad" aria-hidden="true">00</span></span>', html, 1, true)
    assert.matches('<span class="group">000</span><span class="pad" aria-hidden="true">'
      .. ".0000000</span></span>", html, 1, true)
  end)

  it("says in words what the bars show", function()
    local html = page "/balances"
    assert.equal(3, count(html, '99.9\194\160%<span class="unseen"> available</span>'))
    assert.equal(2, count(html, '100.0\194\160%<span class="unseen"> available</span>'))
    assert.equal(1, count(page "/hostile", '<span class="unseen"> nothing</span>'))
  end)

  it("escapes what comes from the exchange", function()
    local html = page "/hostile"
    -- In the attribute that a row is found by, and in its header.
    assert.equal(2, count(html, "&lt;img src=x onerror=alert(1)&gt;"))
    assert.equal(2, count(html, "&quot;&#39;&amp;&lt;/td&gt;&lt;/script&gt;&lt;script&gt;"))
    assert.equal(2, count(html, "\\u{202E}CTB\\x07"))
    assert.equal(0, count(html, "<img"))
    assert.equal(0, count(html, "\226\128\174"))
    assert.equal(1, count(html, "<script>"))
  end)

  it("escapes what the site and the address say", function()
    local html = page "/valued"
    assert.equal(2, count(html, "A &amp; &quot;B&quot;</"))
    assert.matches("Total value in &lt;i&gt;", html, 1, true)
    html = page "/balances?currency=%22%3E%3Cb%3E"
    assert.matches('<input type="hidden" name="currency" value="&quot;&gt;&lt;b&gt;">',
                   html, 1, true)
    assert.equal(0, count(html, "<b>"))
  end)

  it("has the total and the values where there are prices", function()
    local html = page "/valued"
    assert.matches("No price is known for BCH, XRP, ETH, USDT.", html, 1, true)
    assert.equal(4, count(html, '<td role="cell" class="value"><span class="label" '
      .. 'aria-hidden="true">Value</span><span class="none">'))
    assert.matches('<span class="total"><span class="amount">1<span class="group">999</span>',
                   html, 1, true)
  end)

  it("works without its script: headers are buttons of a form", function()
    local html = page "/balances?nonzero=1&sort=-balance"
    assert.matches('<form id="order" method="get" hidden><input type="hidden" name="nonzero"'
      .. ' value="1"></form>', html, 1, true)
    assert.matches('data-key="balance" aria-sort="descending"><button type="submit" form="order"'
      .. ' name="sort" value="balance">', html, 1, true)
    assert.matches('name="sort" value="-locked">', html, 1, true)
    assert.equal(1, count(html, " aria-sort="))
    assert.truthy(html:find("BTC</th>", 1, true) < html:find("ETH</th>", 1, true))
    assert.matches('<noscript><meta http-equiv="refresh" content="30"></noscript>', html, 1, true)
    html = page "/balances?desc&sort=balance&nonzero&currency=%42TC"
    assert.matches('hidden><input type="hidden" name="nonzero" value=""><input type="hidden" '
      .. 'name="currency" value="BTC"></form>', html, 1, true)
  end)

  it("says so where there is nothing to show", function()
    local html = page "/empty"
    assert.matches('<table role="table" hidden>', html, 1, true)
    assert.matches('<p class="nothing">There are no balances', html, 1, true)
  end)

  it("has no heading over the balances of the only account", function()
    local html = page "/balances"
    assert.equal(1, count(html, "<section>"))
    assert.equal(0, count(html, "<h2"))
    assert.equal(0, count(html, 'class="message"'))
    assert.equal(1, count(html, '<table role="table">'))
    assert.equal(1, count(html, '<p class="nothing" hidden>'))
    assert.equal(1, count(html, "<time "))
  end)

  it("says so where the balances are stale, and why", function()
    page "/stale"
    exchange:script { statusCode = 5000, times = 100 }
    support.sleep(1.1)
    assert.matches('role="status">The exchange has an internal error. These are the '
      .. "last balances that came.</p>", page "/stale", 1, true)
    exchange:reset()
  end)
end)

describe("the page of several accounts #once #apart", function()
  local site, html

  lazy_setup(function()
    site = nginx.start { server = sections.location "accounts" }
    html = site:get("/accounts").body
  end)
  lazy_teardown(function() site:stop() end)

  -- The section of an account, as it stands in the attribute; of all without one.
  local function section(account)
    local head = account and ' data-account="' .. account .. '"' or ""
    local _, at = html:find("<section" .. head .. ">", 1, true)
    return html:sub(at + 1):match "^.-</section>"
  end

  it("has a section for all of them, and one for each", function()
    local names = {}
    for name in html:gmatch "<section[^>]*>\n<header><h2>(.-)</h2>" do
      names[#names + 1] = name
    end
    assert.same({ "All accounts", "hot", "cold", "empty",
      "&lt;script&gt;alert(1)&lt;/script&gt;\\u{202E}&quot;&#39;&amp;" }, names)
    assert.matches("<caption>Balances, by currency</caption>", section(), 1, true)
    assert.matches("<caption>cold, by currency</caption>", section "cold", 1, true)
    assert.matches("There are no balances to show.", section "empty", 1, true)
  end)

  it("has the total value of all in its header, and of each over its table", function()
    local header = html:match "<header>.-</header>"
    assert.matches('<span class="total"><span class="amount">100<span class="group">622</span>',
                   header, 1, true)
    assert.equal(0, count(section(), 'class="worth"'))
    assert.matches('Total value in USD</span> <span class="total"><span class="amount">48'
      .. '<span class="group">750</span>', section "hot", 1, true)
    assert.matches("No price is known for USDT.", section "hot", 1, true)
    assert.equal(0, count(section "cold", "No price is known"))
  end)

  it("says when the balances of each are from; of all, when the oldest", function()
    local oldest = html:match '<p id="made">As of (<time .-</time>)</p>'
    assert.equal(oldest, section "cold":match '<p class="made">As of (.-)</p>')
    assert.not_equal(oldest, section "hot":match '<p class="made">As of (.-)</p>')
    assert.equal(4, count(html, "<time "))
    assert.equal(0, count(section(), "<time "))
  end)

  it("says how many are not up to date; and at each, why", function()
    assert.matches('role="status">2 of 4 accounts are not up to date.</p>', html, 1, true)
    assert.equal(1, count(html, "role=\"status\""))
    local function message(account)
      return section(account):match '<p class="message">(.-)</p>'
    end
    assert.matches("^Without &lt;script&gt;.*&amp;%.$", message())
    assert.equal("", message "hot")
    assert.equal("The exchange cannot be reached. These are the last balances that came.",
                 message "cold")
  end)

  it("has no table where there are no balances", function()
    local without = section "&lt;script&gt;alert(1)&lt;/script&gt;\\u{202E}&quot;&#39;&amp;"
    assert.matches('<p class="message">The exchange does not know the key.</p>', without, 1, true)
    for _, word in ipairs { "<table", "worth", "<time", "<footer" } do
      assert.equal(0, count(without, word), word)
    end
  end)

  it("has each id once, and one script", function()
    local seen = {}
    for id in html:gmatch ' id="(.-)"' do
      assert.is_nil(seen[id], id)
      seen[id] = true
    end
    assert.equal(1, count(html, "<script"))
    assert.equal(1, count(html, 'class="key"'))
  end)

  it("sorts all tables by one form", function()
    html = site:get("/accounts?sort=balance").body
    assert.equal(4, count(html, 'data-key="balance" aria-sort="ascending"'))
    assert.equal(1, count(html, "<form"))
    local hot = section "hot"
    assert.truthy(hot:find("BTC</th>", 1, true) < hot:find("USDT</th>", 1, true))
    html = site:get("/accounts").body
  end)
end)

-- Made here, and not by nginx: whichever Lua runs this.
describe("the text of the page #once", function()
  local page, views = require "bitfront.nginx.page", require "bitfront.nginx.view"
  local site = { title = "T", unit = "USD", cache = { ttl = 1.5 } }

  -- A section of rows "COIN BALANCE AVAILABLE".
  local function section(rows, query, prices)
    local records = {}
    for i, row in ipairs(rows) do
      local coin, balance, available = row:match "(%S+) (%S+) (%S+)"
      records[i] = { currency = coin, balance = balance, availableBalance = available }
    end
    query = query or {}
    query.filter, query.args = {}, ""
    local of = { view = views.of(records, query, prices), made = 86400 }
    return page.section(site, of, query, true), of
  end

  it("has amounts in groups, with zeros that align a column, and [those of a card]", function()
    local html = section({ "A 1234567.25 234567.25", "B 12 0.5", "C 123 0", "D -1234 0.5",
      "E 123456 123456" }, nil, { A = "2.5" })
    local found = {}
    for class, cell in html:gmatch('<td role="cell" class="(%l%a+)"><span class="label" '
      .. 'aria%-hidden="true">%u%l+</span>(.-)</td>') do
      found[class] = found[class] or {}
      table.insert(found[class], (cell:gsub('<span class="group">(.-)</span>', "'%1")
        :gsub('<span class="fraction">(.-)</span>', "%1")
        :gsub('<span class="pad" aria%-hidden="true">(.-)</span>', "(%1)")
        :gsub('<span class="pad in%-card" aria%-hidden="true">(.-)</span>', "[%1]")
        :gsub('^<span class="amount">(.-)</span>$', "%1")))
    end
    local NONE = '<span class="none">\226\128\147</span>'
    assert.same({
      balance = { "1'234'567.25[0]", "12(.00)[0]", "123(.00)[0]", "-1'234(.00)[0]",
                  "123'456(.00)[0]" },
      availableBalance = { "234'567.25[0]", "0.5(0)[0]", "0(.00)[0]", "0.5(0)[0]",
                           "123'456(.00)[0]" },
      locked = { "1'000'000.00[0]", "11.5(0)[0]", "123(.00)[0]", "-1'234.5(0)[0]", "0(.00)[0]" },
      value = { "3'086'418.125", NONE, NONE, NONE, NONE },
    }, found)
    html = section { "A 1 1" }
    assert.equal(2, count(html, '</span><span class="amount">1</span></td>'))
    assert.equal(1, count(html, '</span><span class="amount">0</span></td>'))
  end)

  it("draws a bar of what is available, a small part of either so that it is seen", function()
    for available, width in pairs { ["0"] = 0, ["1"] = 40, ["39"] = 40, ["41"] = 41,
                                    ["959.9"] = 959, ["961"] = 960, ["999"] = 960,
                                    ["1000"] = 1000 } do
      local bar = section { "A 1000 " .. available }:match '<td role="cell" class="bar">.-</td>'
      assert.equal(('<td role="cell" class="bar"><div class="share"><svg viewBox="0 0 1000 10" '
        .. 'preserveAspectRatio="none" aria-hidden="true"><rect class="free" x="0" width="%d" '
        .. 'height="10"/><rect class="locked" x="%d" width="%d" height="10"/></svg>'
        .. '<span>%d.%d\194\160%%<span class="unseen"> available</span></span></div></td>')
        :format(width, width, 1000 - width, math.floor(available / 10),
          math.floor(available % 10)), bar)
    end
    assert.matches("<span>100.0\194\160%<", section { "A 0.5 0.5" }, 1, true)
    assert.matches("<span>50.0\194\160%<", section { "A 1 0.5" }, 1, true)
    assert.truthy(section { "A 0 0" }:find('<rect class="empty" x="0" width="1000" height="10"/>'
      .. '</svg><span class="none">\226\128\147<span class="unseen"> nothing</span></span>', 1,
      true))
  end)

  -- What it is sorted by, and what a click on the headers of the coin and the balance sends.
  for _, case in ipairs {
    { nil, nil, "", "currency", "", "-balance" },
    { "currency", "asc", ' aria-sort="ascending"', "-currency", "", "-balance" },
    { "currency", "desc", ' aria-sort="descending"', "currency", "", "-balance" },
    { "balance", "asc", "", "currency", ' aria-sort="ascending"', "-balance" },
    { "balance", "desc", "", "currency", ' aria-sort="descending"', "balance" },
  } do
    local order = case[1] and case[1] .. " " .. case[2] or "none"
    it("has headers that sort, or turn the order, which is " .. order, function()
      local html, found = section({ "A 1 1" }, { sort = case[1], direction = case[2] }), {}
      for sort, key in html:gmatch('<th role="columnheader" scope="col" data%-key="%a+"(.-)>'
        .. '<button type="submit" form="order" name="sort" value="(.-)">') do
        found[#found + 1], found[#found + 2] = sort, key
      end
      assert.same({ case[3], case[4], case[5], case[6], "", "-availableBalance", "", "-locked" },
        found)
      assert.equal(1, count(html, '<th role="columnheader" scope="col">Available share</th>'))
    end)
  end

  it("has its times, its total, and how many accounts are not up to date", function()
    local html, first = section({ "A 2 1", "B 1 1" }, nil, { A = "2" })
    local function render(...)
      return page.render(site, { first, ... }, { args = "" }, { html })
    end
    local whole = render()
    assert.matches('<html lang="en" data-interval="2">', whole, 1, true)
    assert.matches('<p id="made">As of <time datetime="1970-01-02T00:00:00Z">1970-01-02 00:00:00 '
      .. "UTC</time></p>", whole, 1, true)
    assert.matches('<h1>T</h1><p class="worth"><span class="what">Total value in USD</span> '
      .. '<span class="total"><span class="amount">4</span></span></p></header>', whole, 1, true)
    assert.matches('<p class="missing">No price is known for B.</p></footer>', whole, 1, true)
    assert.matches('content="30"', whole, 1, true)
    local late = { message = "It is late." }
    for text, given in pairs { [""] = { {}, {} }, ["2 of 2 accounts are not up to date."] =
      { late, late }, ["1 of 3 accounts is not up to date."] = { {}, late, {} } } do
      assert.matches(('<p id="state" role="status">%s</p>'):format(text),
        render(unpack(given)), 1, true)
    end
  end)
end)

describe("the site to copy #once #apart", function()
  local exchange, site

  lazy_setup(function() exchange = support.sandbox() end)
  lazy_teardown(function()
    if site then site:stop() end
    exchange:stop()
  end)

  -- The command prints it, to a file that a reader then starts nginx with.
  local function start(env)
    local out, err, code = command.run "nginx-conf"
    assert.same({ "", 0 }, { err, code })
    env.BITFRONT_BASE_URL, env.BITFRONT_CA_FILE = exchange.base_url, exchange.ca_file
    site = nginx.start { whole = nginx.as_printed(out), env = env }
  end

  it("shows balances and metrics, and keeps them fresh by itself", function()
    start { BITFRONT_API_KEY = exchange.key, BITFRONT_API_SECRET = exchange.secret }
    for _ = 1, 100 do
      if #exchange:log() > 0 then break end
      support.sleep(0.05)
    end
    support.sleep(5)
    local log = exchange:log()
    assert.truthy(#log >= 2 and #log <= 4, #log)
    for i = 2, #log do
      assert.truthy(log[i].arrived_ms - log[i - 1].arrived_ms >= 1950)
    end
    assert.equal(200, site:get "/balances".status)
    assert.matches("bitfront_up 1", site:get "/metrics".body)
    assert.is_nil(site:log():find "%[error%]")
  end)

  -- Root tries it as another user, to whom the folder belongs.
  it("is for an ordinary user too, who can write nowhere but in the folder", function()
    local dir, is_root = support.tmpdir(), support.must "id -u" == "0\n"
    support.write(dir .. "/nginx.conf", (command.run "nginx-conf"))
    local _, err, code = support.run(("%s %s -t -p ./ -c nginx.conf"):format(is_root
      and "chown 65534 . && setpriv --reuid=65534 --regid=65534 --clear-groups" or "",
      nginx_process.find().command), { cwd = dir, env = { PATH = "/usr/bin:/bin" } })
    assert.equal(0, code, err)
    assert.same({ "access.log", "error.log", "nginx.conf", "nginx.pid", "tmp" },
      support.lines("ls " .. dir))
  end)

  it("takes the account of the credentials file in HOME", function()
    site:stop()
    start { HOME = command.home { mine = { exchange.key, exchange.secret } },
            BITFRONT_PROFILE = "mine" }
    local reply = site:get "/balances"
    assert.equal(200, reply.status, reply.body)
  end)
end)
