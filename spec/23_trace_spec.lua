-- The header traceparent of a call, as it goes over the wire.

local bitfront = require "bitfront"
local core = require "bitfront.core"
local support = require "spec.support"

local TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
local FIELDS = ("-%s-%s-01"):format(TRACE_ID, PARENT_ID)
local TRACEPARENT = "00" .. FIELDS

-- The call of each method.
local METHODS = {
  balances = function(client, options) return client:balances(options) end,
  balance = function(client, options) return client:balance("BTC", options) end,
  server_time = function(client, options) return client:server_time(options) end,
  get = function(client, options) return client:get("/v1/a", "b=c", options) end,
  balances_many = function(client, options)
    return bitfront.balances_many({ client }, options)[1].balances
  end,
}

describe("a traceparent", function()
  local faultd, url

  setup(function()
    faultd = support.faultd()
    url = faultd:url_body(support.success
      '[{"currency":"BTC","balance":1.5,"availableBalance":1.25}]')
  end)
  teardown(function() faultd:stop() end)
  before_each(function() faultd:forget() end)

  -- The values of the header in a request, and all else that was sent.
  local function taken_from(request)
    local values, rest = {}, request.head:gsub("[^\n]*\n", function(line)
      return line:lower():find "^traceparent" and "" or nil
    end)
    for value in request.head:gmatch "\ntraceparent: ([^\r\n]*)\r" do
      values[#values + 1] = value
    end
    return values, rest
  end

  local function has_right_signature(request)
    local headers, path, query = request.headers, request.path:match "^([^?]*)%??(.*)$"
    local signature = headers["x-api-sign"]
    return signature ~= nil and signature == bitfront.sign(support.SECRET,
      headers["x-api-nonce"], headers["x-api-timestamp"], "GET", path, query)
  end

  for name, call in pairs(METHODS) do
    it("is sent once and as it is, and is not signed, by " .. name, function()
      local client = support.client { base_url = url }
      assert.truthy(call(client, { traceparent = TRACEPARENT }))
      client:close()
      local request = faultd:requests()[1]
      assert.same({ TRACEPARENT }, (taken_from(request)))
      assert.equal(name ~= "server_time", has_right_signature(request))
    end)

    it("is not sent where none is given, nor with a later call, by " .. name, function()
      local client = support.client { base_url = url }
      for _, options in ipairs { {}, { traceparent = TRACEPARENT }, {} } do
        assert.truthy(call(client, options))
      end
      client:close()
      local counts, rests = {}, {}
      for i, request in ipairs(faultd:requests()) do
        local values, rest = taken_from(request)
        counts[i], rests[i] = #values, rest:gsub("X%-API%-[^\n]*\n", "")
      end
      assert.same({ 0, 1, 0 }, counts)
      assert.same({ rests[1], rests[1], rests[1] }, rests)
    end)
  end

  it("of many accounts is that of each account's call", function()
    local clients = {}
    for i = 1, 3 do clients[i] = support.client { base_url = url, api_key = "Many" .. i } end
    for _, result in ipairs(bitfront.balances_many(clients, { traceparent = TRACEPARENT })) do
      assert.is_nil(result.err)
    end
    local requests = faultd:requests()
    assert.equal(3, #requests)
    for _, request in ipairs(requests) do
      assert.same({ TRACEPARENT }, (taken_from(request)))
    end
  end)

  it("of prices is that of each pair's call", function()
    local client = support.client { base_url = faultd:url_body(support.success '{"last":1}') }
    assert(bitfront.prices(client, "USDT", { "BTC", "ETH" }, { traceparent = TRACEPARENT }))
    local ok, message = pcall(bitfront.prices, client, "USDT", {}, { traceparent = "00" })
    client:close()
    assert.is_false(ok)
    assert.truthy(message:find("bitfront.prices: traceparent must be", 1, true), message)
    local requests = faultd:requests()
    assert.equal(2, #requests)
    for _, request in ipairs(requests) do
      assert.same({ TRACEPARENT }, (taken_from(request)))
      assert.is_nil(request.headers["x-api-key"])
    end
  end)

  it("is the same with each attempt, and in each event, under a scheduler too", function()
    for _, sleep in ipairs { false, core.sleep } do
      faultd:forget()
      local events, signatures = {}, {}
      local client = support.client {
        base_url = faultd:url_body(support.refusal(4005)), retries = 1, sleep = sleep or nil,
        on_attempt = function(event) events[#events + 1] = event.traceparent or "none" end,
      }
      assert.is_nil((client:balances { traceparent = TRACEPARENT }))
      assert.is_nil((client:balances { retries = 0 }))
      client:close()
      assert.same({ TRACEPARENT, TRACEPARENT, "none" }, events)
      local requests = faultd:requests()
      for i = 1, 2 do
        assert.same({ TRACEPARENT }, (taken_from(requests[i])))
        assert.is_true(has_right_signature(requests[i]))
        signatures[i] = requests[i].headers["x-api-sign"]
      end
      assert.are_not.equal(signatures[1], signatures[2])
      assert.same({ 3, {} }, { #requests, (taken_from(requests[3])) })
    end
  end)

  -- A signature is a run of 64 hex digits; its 32 and 16 are none.
  it("is not taken for a signature in a message", function()
    local _, err = support.balances(faultd:url_body(
      support.refusal(4000, ('"%s was refused"'):format(TRACEPARENT))))
    assert.equal(TRACEPARENT .. " was refused", err.message)
  end)

  describe("may be", function()
    local ROWS = {
      { "not sampled", TRACEPARENT:gsub("01$", "00") },
      { "with flags that are not known", TRACEPARENT:gsub("01$", "ff") },
      { "of ids that have one digit other than 0",
        "00-" .. ("0"):rep(31) .. "1-" .. "1" .. ("0"):rep(15) .. "-00" },
      { "of a later version", "01" .. FIELDS },
      { "of a later version with more in it", "cc" .. FIELDS .. "-what.the=future;will,be!~" },
      { "of a later version with an empty field", "fe" .. FIELDS .. "-" },
      { "of 256 characters", "01" .. FIELDS .. "-" .. ("f"):rep(200) },
    }
    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local client = support.client { base_url = url }
        assert.truthy(client:balances { traceparent = row[2] })
        client:close()
        local request = faultd:requests()[1]
        assert.same({ row[2] }, (taken_from(request)))
        assert.equal(8, #request.names)
        assert.is_true(has_right_signature(request))
      end)
    end
  end)

  describe("raises at the caller's line where it is", function()
    local ROWS = {
      { "empty", "" }, { "a number", 0 }, { "a table", { TRACEPARENT } }, { "false", false },
      { "a table with its text", setmetatable({}, { __tostring = function()
        return TRACEPARENT end }) },
      { "one character too short", TRACEPARENT:sub(1, 54) },
      { "one character too long", TRACEPARENT .. "0" },
      { "of version 00 with more in it", TRACEPARENT .. "-00" },
      { "of version 00 with a dash at its end", TRACEPARENT .. "-" },
      { "of version ff", "ff" .. FIELDS }, { "of version FE", "FE" .. FIELDS },
      { "of a later version with more in its flags", "01" .. FIELDS .. "0" },
      { "of a later version with something else than a dash", "01" .. FIELDS .. ".00" },
      { "of a later version and over-long", "01" .. FIELDS .. "-" .. ("f"):rep(201) },
      { "of a megabyte", "01" .. FIELDS .. "-" .. ("f"):rep(2 ^ 20) },
      { "of a trace id of zeros", ("00-%s-%s-01"):format(("0"):rep(32), PARENT_ID) },
      { "of a parent id of zeros", ("00-%s-%s-01"):format(TRACE_ID, ("0"):rep(16)) },
      { "in upper case", TRACEPARENT:upper() }, { "of one upper-case digit",
        (TRACEPARENT:gsub("e4736", "E4736")) },
      { "of what is no hex digit", (TRACEPARENT:gsub("^00%-4", "00-g")) },
      { "without dashes", (TRACEPARENT:gsub("%-", "")) },
      { "with a blank before it", " " .. TRACEPARENT },
      { "with a blank after it", TRACEPARENT .. " " },
      { "with a line end after it", TRACEPARENT .. "\r\n" },
      { "with a newline after it", TRACEPARENT .. "\n" },
      { "with a header after it", TRACEPARENT .. "\r\nX-Evil: 1" },
      { "with a NUL after it", TRACEPARENT .. "\0" },
      { "with a NUL in it", (TRACEPARENT:gsub("4bf9", "4b\0009")) },
      { "of a later version with a header after it", "01" .. FIELDS .. "-\r\nX-Evil: 1" },
      { "of a later version with a newline after it", "01" .. FIELDS .. "-00\n" },
      { "of a later version with a NUL after it", "01" .. FIELDS .. "-\0" },
      { "of a later version with a blank in it", "01" .. FIELDS .. "-a b" },
      { "of a later version with a tab in it", "01" .. FIELDS .. "-a\tb" },
      { "of a later version with a DEL in it", "01" .. FIELDS .. "-\127" },
      { "of a later version with what is not ASCII in it", "01" .. FIELDS .. "-\195\164" },
    }
    for _, row in ipairs(ROWS) do
      it(row[1], function()
        local client = support.client { base_url = url }
        for name, call in pairs(METHODS) do
          local ok, message = pcall(call, client, { traceparent = row[2] })
          assert.is_false(ok, name)
          local where = name:find "many" and "bitfront." or "client:"
          assert.equal(("%s%s: traceparent must be of the form "
            .. '"00-TRACE_ID-PARENT_ID-FLAGS": 32, 16 and 2 lower-case hex digits, neither id '
            .. "all zeros"):format(where, name), message:match "23_trace_spec%.lua:%d+: (.*)")
        end
        client:close()
        assert.same({}, faultd:requests())
      end)
    end

    it("an option of a client", function()
      local ok, message = pcall(bitfront.new, { traceparent = TRACEPARENT })
      assert.is_false(ok)
      assert.truthy(message:find('unknown option "traceparent"', 1, true), message)
    end)
  end)
end)
