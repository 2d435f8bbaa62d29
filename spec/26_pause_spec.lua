-- What happens between two tries: for how long a call pauses by kind of failure,
-- exactly, with random numbers that the specs choose.

local core = require "bitfront.core"
local native = require "bitfront.native"
local retry = require "bitfront.retry"
local status = require "bitfront.status"
local support = require "spec.support"

describe("the pause between two tries", function()
  local random
  before_each(function() random = native.random end)
  after_each(function() native.random = random end)

  -- From here on, the random number from 0 to below 1.
  local function draw(number)
    native.random = function() return number end
  end

  it("is a random part of 0.2 s, which doubles with each try up to 5 s", function()
    for tries, bound in pairs { [0] = 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5, 5, 5 } do
      for _, part in ipairs { 0, 0.25, 0.5, 1 - 2 ^ -53 } do
        draw(part)
        assert.equal(part * bound, retry.pause(tries))
      end
    end
  end)

  it("is the longest where there are no random numbers", function()
    draw(nil)
    assert.equal(0.4, retry.pause(1))
    assert.equal(5, retry.pause(9))
  end)

  -- For an error, after so many retries, with and without limits kept on our side.
  local function after(err, retries, is_limited, seen)
    draw(0.5)
    return retry.after(err, seen or {}, retries, is_limited)
  end

  -- Kind, the server's Retry-After, retries already made, is a limit kept; the pause.
  for _, row in ipairs {
    { "network", nil, 0, true, 0.1 }, { "network", nil, 2, false, 0.4 },
    { "timeout", nil, 0, true, 0.1 }, { "timeout", nil, 9, true, 2.5 },
    { "server", nil, 0, false, 0.1 }, { "server", nil, 1, true, 0.2 },
    { "http", nil, 0, true, 0.1 }, { "http", nil, 3, true, 0.8 },
    { "http", 0, 0, true, 0.1 }, { "http", 1, 0, true, 1 }, { "http", 1, 9, true, 2.5 },
    { "http", 80000, 0, false, 80000 }, { "server", 2, 0, true, 2 },
    -- The limiter has its pause; without one, the exchange is left alone for a second.
    { "rate_limit", nil, 0, true, 0 }, { "rate_limit", nil, 4, true, 0 },
    { "rate_limit", nil, 0, false, 1 }, { "rate_limit", nil, 4, false, 1 },
    { "rate_limit", 1, 0, true, 1 }, { "rate_limit", 3, 0, false, 3 },
    { "rate_limit", 0, 0, false, 1 },
  } do
    it(("is %g s for kind %s after %d retries, %s, Retry-After %s"):format(row[5], row[1],
      row[3], row[4] and "with limits" or "without", tostring(row[2])), function()
        local err = { kind = row[1], retryable = true, retry_after = row[2] }
        assert.same({ row[5] }, { after(err, row[3], row[4]) })
      end)
  end

  it("is none for what a new request repairs, and not repaired twice", function()
    for _, kind in ipairs { "clock", "replay" } do
      for _, is_limited in ipairs { true, false } do
        local seen, err = {}, { kind = kind, retryable = true }
        assert.same({ 0, true }, { after(err, 5, is_limited, seen) })
        assert.same({}, { after(err, 6, is_limited, seen) })
        assert.same({ 2.5 }, { after({ kind = "server", retryable = true }, 6, true, seen) })
      end
    end
  end)

  it("is none for a kept connection that was dead, the first time", function()
    local seen, err = {}, { kind = "network", retryable = true, stale = true }
    assert.same({ 0, true }, { after(err, 0, true, seen) })
    assert.same({ 0.2 }, { after(err, 1, true, seen) })
  end)

  it("is not there for an error that will be the same again", function()
    for _, row in ipairs(status.KINDS) do
      local pause = after({ kind = row.name, retryable = row.retryable, retry_after = 1 }, 0, true)
      assert.equal(row.retryable == true, pause ~= nil, row.name)
    end
  end)
end)

describe("a call that fails pauses", function()
  local faultd, random
  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)
  before_each(function()
    random = native.random
    native.random = function() return 0.5 end
    faultd:forget()
  end)
  after_each(function() native.random = random end)

  -- What a scheduler is asked to sleep for, but for the polls of a reply.
  local function pauses_of(options)
    local pauses = {}
    local client = support.client { base_url = options.base_url, retries = options.retries or 3,
      timeout = 1000, rate_limit = options.rate_limit, sleep = function(seconds)
        if seconds > 0.01 then pauses[#pauses + 1] = seconds else core.sleep(seconds) end
      end }
    local _, err = client:balances()
    client:close()
    return pauses, err
  end

  -- A store with room for all, which tells for how many ms it was blocked.
  local function store_of(blocks)
    return { acquire = function() return 0, 1 end, release = function() return true end,
      block = function(_, _, ms) blocks[#blocks + 1] = ms end,
      peek = function() return 0, 0, 0 end }
  end

  local function http(code, ...)
    local head = { "HTTP/1.1 " .. code .. " X", "Content-Length: 0", ... }
    return table.concat(head, "\r\n") .. "\r\n\r\n"
  end

  local function refusal(code, header)
    return support.reply(support.refusal(code), { headers = { header } })
  end

  local JITTER, NONE = { 0.1, 0.2, 0.4 }, {}
  -- What fails and how; the pauses without limits of ours, and with them; for how long
  -- the limiter is blocked each time.
  for _, row in ipairs {
    { "HTTP 500", { reply = http(500) }, JITTER, JITTER },
    { "HTTP 599", { reply = http(599) }, JITTER, JITTER },
    { "HTTP 503, Retry-After 0", { reply = http(503, "Retry-After: 0") }, JITTER, JITTER },
    { "HTTP 503, Retry-After 7", { reply = http(503, "Retry-After: 7") }, { 7, 7, 7 },
      { 7, 7, 7 } },
    { "HTTP 429", { reply = http(429) }, JITTER, JITTER, 1000 },
    { "HTTP 429, Retry-After 2", { reply = http(429, "Retry-After: 2") }, { 2, 2, 2 },
      { 2, 2, 2 }, 2000 },
    { "HTTP 429, Retry-After 61", { reply = http(429, "Retry-After: 61") }, { 61, 61, 61 },
      { 61, 61, 61 }, 60000 },
    { "code 5000", { reply = refusal(5000) }, JITTER, JITTER },
    { "code 6004", { reply = refusal(6004) }, { 1, 1, 1 }, { 1, 1, 1 }, 1000 },
    { "code 6004, Retry-After 3", { reply = refusal(6004, "Retry-After: 3") }, { 3, 3, 3 },
      { 3, 3, 3 }, 3000 },
    { "code 4005, once at once", { reply = refusal(4005) }, NONE, NONE, nil, 2 },
    { "code 9000, not at all", { reply = refusal(9000) }, NONE, NONE, nil, 1 },
    { "HTTP 600, not at all", { reply = http(600) }, NONE, NONE, nil, 1 },
    { "no connection", { listener = "closed" }, JITTER, JITTER },
    { "a reset", { listener = "plain", close = "rst" }, JITTER, JITTER },
    { "half a reply", { reply = refusal(5000), cut = 60 }, JITTER, JITTER },
  } do
    it("after " .. row[1], function()
      local url = faultd:url(row[2])
      local pauses, err = pauses_of { base_url = url }
      assert.same(row[3], pauses)
      assert.equal(row[6] or 4, err.attempts)
      local blocks = {}
      pauses, err = pauses_of { base_url = url, rate_limit = { store = store_of(blocks) } }
      assert.same(row[4], pauses)
      assert.equal(row[6] or 4, err.attempts)
      assert.same(row[5] and { row[5], row[5], row[5], row[5] } or {}, blocks)
    end)
  end

  it("longer each time, to 5 s, while the quota lasts", function()
    local pauses, err = pauses_of { base_url = faultd:url { reply = http(503) }, retries = 10 }
    assert.same({ 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5, 2.5, 2.5, 2.5 }, pauses)
    assert.equal(11, err.attempts)
  end)
end)
