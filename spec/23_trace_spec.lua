local bitfront = require "bitfront"
local support = require "spec.support"
local trace = require "bitfront.trace"

local TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
local OPTIONS = { traceparent = TRACEPARENT }

describe("the call option traceparent", function()
  local faultd
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  local function client_of(body, options)
    local all = { base_url = faultd:url_body(body) }
    for name, value in pairs(options or {}) do all[name] = value end
    faultd:forget()
    return support.client(all)
  end

  local function sent(request)
    local _, count = request.head:lower():gsub("\ntraceparent:", "")
    return count, request.head:match "\r\ntraceparent: ([^\r\n]*)\r\n"
  end

  local RECORD = '[{"currency":"BTC","balance":1,"availableBalance":1}]'
  local CALLS = {
    balances = {}, balance = { "BTC" }, server_time = {}, get = { "/v1/trade/openOrders", "a=1" },
  }

  for name, arguments in pairs(CALLS) do
    it("is sent as it is, once, by client:" .. name .. ", and by no later call", function()
      local client = client_of(support.success(RECORD))
      local first = arguments[1] or OPTIONS
      assert(client[name](client, first, arguments[1] and (arguments[2] or OPTIONS),
        arguments[2] and OPTIONS))
      assert(client[name](client, arguments[1], arguments[2]))
      client:close()
      local requests = faultd:requests()
      assert.same({ 1, TRACEPARENT }, { sent(requests[1]) })
      assert.same({ 0 }, { sent(requests[2]) })
    end)
  end

  it("is not signed", function()
    local client = client_of(support.success(RECORD))
    assert(client:balances(OPTIONS))
    client:close()
    local head = faultd:requests()[1].head
    local function header(name) return head:match("\r\n" .. name .. ": ([^\r\n]*)\r\n") end
    assert.equal(header "X%-API%-SIGN", bitfront.sign(support.SECRET, header "X%-API%-NONCE",
      header "X%-API%-TIMESTAMP", "GET", "/v1/account/balances"))
  end)

  it("is that of each attempt, and is in its event", function()
    local events = {}
    local client = client_of(support.refusal(5000), { retries = 1,
      on_attempt = function(event) events[#events + 1] = event.traceparent or "none" end })
    client:balances(OPTIONS)
    client:balances { retries = 0 }
    client:close()
    assert.same({ TRACEPARENT, TRACEPARENT, "none" }, events)
    assert.same({ 1, TRACEPARENT }, { sent(faultd:requests()[2]) })
  end)

  it("raises at the caller's line where it is none of version 00", function()
    local client = client_of(support.success(RECORD))
    for _, wrong in ipairs {
      "", "00", TRACEPARENT:upper(), TRACEPARENT .. "-", TRACEPARENT .. "\r\nX-API-KEY: x",
      TRACEPARENT .. "\n", "\n" .. TRACEPARENT, TRACEPARENT .. "\0", TRACEPARENT .. " ",
      (TRACEPARENT:gsub("^00", "01")), (TRACEPARENT:gsub("^00", "ff")),
      (TRACEPARENT:gsub("%x+%-01$", ("0"):rep(16) .. "-01")),
      "00-" .. ("0"):rep(32) .. "-b7ad6b7169203331-01", (TRACEPARENT:gsub("b7", "g7")),
      TRACEPARENT:rep(100), 1, true, {},
    } do
      local ok, message = pcall(function() client:balances { traceparent = wrong } end)
      assert.is_false(ok)
      assert.matches("23_trace_spec%.lua:%d+: client:balances: traceparent must be a traceparent "
        .. "of version 00, such as 00%-", message)
    end
    assert.same({}, faultd:requests())
    client:close()
  end)
end)

-- What nginx has received, before it is sent on.
describe("a header traceparent of others", function()
  local REST = TRACEPARENT:sub(3)

  for text, expected in pairs {
    [TRACEPARENT] = TRACEPARENT, ["01" .. REST] = TRACEPARENT,
    ["fe" .. REST .. "-what-may-come"] = TRACEPARENT,
    ["cc" .. REST .. "-"] = TRACEPARENT, ["ff" .. REST] = false, ["cc" .. REST .. "."] = false,
    ["00" .. REST .. "-x"] = false, ["0" .. REST] = false, ["0G" .. REST] = false,
    [TRACEPARENT .. ", " .. TRACEPARENT] = false, [TRACEPARENT:upper()] = false,
    [""] = false, ["00-" .. ("0"):rep(32) .. TRACEPARENT:sub(36)] = false,
  } do
    it(("%q is %s"):format(text, expected and "sent on" or "not sent on"), function()
      assert.equal(expected or nil, trace.of_header(text))
    end)
  end

  it("that came twice, or not at all, is not sent on", function()
    assert.is_nil(trace.of_header { TRACEPARENT, TRACEPARENT })
    assert.is_nil(trace.of_header(nil))
  end)
end)
