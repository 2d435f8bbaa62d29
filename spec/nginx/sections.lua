-- A location whose page has several sections: of all accounts, and of four.

local _M = {}

_M.HOSTILE = "<script>alert(1)</script>\226\128\174\"'&"

local LOCATION = [==[
  location = /%s {
    content_by_lua_block {
      local page, views = require "bitfront.nginx.page", require "bitfront.nginx.view"
      local HOSTILE, MADE = %q, ngx.time()
      local prices = { BTC = "65000.123456789", ETH = "3000.5" }
      local plan = require("bitfront.nginx.query").parse(ngx.var.args or "", true)
      plan.args = ngx.var.args or ""

      local function section(account, balances, message, made)
        local records = {}
        for coin, balance, available in (balances or ""):gmatch "(%%S+) (%%S+) (%%S+);" do
          table.insert(records,
            { currency = coin, balance = balance, availableBalance = available })
        end
        return { account = account, message = message, made = balances and made,
          view = balances and views.of(records, plan, prices) }
      end

      local site = { title = "Balances", unit = "USD", cache = { ttl = 1 } }
      local sections, htmls = {
        section(nil, "BTC 1500.75 1500.25; ETH 1024.5 1024.5; USDT 1000 999.5;",
          "Without " .. HOSTILE .. ".", MADE - 86400),
        section("hot", "BTC 0.75 0.25; USDT 1000 999.5;", nil, MADE),
        section("cold", "BTC 1500 1500; ETH 1024.5 1024.5;",
          "The exchange cannot be reached.", MADE - 86400),
        section("empty", "", nil, MADE),
        section(HOSTILE, nil, "The exchange does not know the key."),
      }, {}
      for i, each in ipairs(sections) do htmls[i] = page.section(site, each, plan, false) end

      ngx.header["Content-Type"] = "text/html; charset=utf-8"
      ngx.header["Content-Security-Policy"] = page.POLICY
      ngx.print(page.render(site, sections, plan, htmls))
    }
  }
]==]

---@param name string  of the location
---@return string
function _M.location(name)
  return LOCATION:format(name, _M.HOSTILE)
end

return _M
