-- usage: lua spec/nginx/page.lua TOOLS SCREENSHOTS
--
-- Starts the sites that page_check.js checks, and runs it: the documentation's
-- balances, those of a hostile exchange, none, and those of several accounts.

package.path = "./?.lua;" .. package.path

local nginx = require "spec.support.nginx"
local sections = require "spec.nginx.sections"
local support = require "spec.support"

local tools, screenshots = arg[1], arg[2]
local CHECK = "node spec/nginx/page_check.js %s %s %s"

local HOSTILE = [=[[
  {"currency":"<img src=x onerror=alert(1)>","balance":1.5,"availableBalance":1.25},
  {"currency":"\u202eCTB\u0007","balance":1e-8,"availableBalance":0},
  {"currency":"\"&'</script><script>alert(1)</script>","balance":0,"availableBalance":0}
]]=]

local LOCATION = [[
  location = /%s {
    content_by_lua_block {
      require("bitfront.nginx").serve {
        name = "%s", ttl = 1, %s
        options = { api_key = "%s", api_secret = "%s", base_url = "%s",
                    ca_file = "%s" },
      }()
    }
  }
]]

local function location(name, server, more)
  return LOCATION:format(name, name, more or "", support.KEY, support.SECRET,
    server.base_url, server.ca_file)
end

local exchange, faults = support.sandbox(), support.faultd()
exchange:set { limits = false }

local function fault(data)
  return { base_url = faults:url_body(support.success(data)), ca_file = faults.ca_file }
end

local site = nginx.start {
  http = "lua_shared_dict bitfront 1m;",
  server = location("balances", exchange, [[
      prices = { BTC = "65000.123456789", ETH = "3000.5" }, unit = "USD",]])
    .. location("hostile", fault(HOSTILE), "title = [[<b>\"Mine\" & yours]],")
    .. location("empty", fault("[]"))
    .. location("only", exchange, 'format = "html", amounts = "number",')
    .. sections.location "accounts",
}

local status = os.execute(CHECK:format(support.quote(tools), site.url,
  support.quote(screenshots)))
site:stop()
exchange:stop()
faults:stop()
os.exit(status == true or status == 0 and 0 or 1)
