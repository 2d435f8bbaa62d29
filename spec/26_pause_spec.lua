-- What happens between two tries: for how long a call pauses by kind of failure,
-- exactly, with random numbers that the specs choose.

local accounts = require "bitfront.account"
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

-- On a clock that stands still but for what the rows say, and without a server.
describe("each attempt of a call", function()
  local originals, now, wall = {}, nil, 5e12
  before_each(function()
    now = 1024
    for name, by in pairs { now = function() return now end, wall = function() return wall end,
                            random = function() return 0.625 end } do
      originals[name], native[name] = native[name], by
    end
  end)
  after_each(function()
    for name, original in pairs(originals) do native[name] = original end
  end)

  -- Makes a call whose attempts end as the rows say. Returns the error, its info, what the
  -- attempts were made with, for how long it slept, and what is left of a quota of 5.
  local function perform(options, rows, path, clock)
    local client, requests, slept = support.client(options), {}, {}
    local account = accounts.of(client)
    account.clock, account.call.quota.left = clock or account.clock, 5
    account.call.waiter = {
      sleep = function(seconds) now, slept[#slept + 1] = now + seconds, seconds end,
      read = function(request, release)
        local row = rows[#requests + 1] or { err = { kind = "config", code = "no row" } }
        requests[#requests + 1] = { deadline = request.deadline, release = release }
        now = now + (row.takes or 0)
        if row.releases then release(row.releases == "unanswered") end
        return row.value, row.err, row.info
      end,
    }
    local _, err, info = client:get(path or "/v1/a")
    client:close()
    return err, info, requests, slept, account.call.quota.left
  end

  local function failure(kind, code, more)
    local err = { kind = kind, code = code or "x", message = "x" }
    for name, value in pairs(more or {}) do err[name] = value end
    return err
  end

  -- A store that has room for so many calls, and what it was told.
  local function store_with_room(room)
    local told = { leases = {}, releases = {}, blocks = {} }
    local function note(list, value) list[#list + 1] = value end
    return {
      acquire = function(_, _, lease)
        if #told.leases == room then return 1e9 end
        note(told.leases, lease)
        return 0, #told.leases
      end,
      release = function(_, _, id, grace) note(told.releases, { id, grace }) return true end,
      block = function(_, _, ms) note(told.blocks, ms) return true end,
      peek = function() return 0, 0, 0 end,
    }, told
  end

  local DONE = { value = "x", info = {} }

  for _, row in ipairs { { 10, 10 }, { 59, 59 }, { 61, 60 }, { 1000, 60 } } do
    it(("of %d s ends after %d s at the latest"):format(row[1], row[2]), function()
      local _, _, requests = perform({ timeout = row[1] }, { DONE })
      assert.equal(1024 + row[2], requests[1].deadline)
      assert.is_falsy(requests[1].release)
      local store, told = store_with_room(9)
      _, _, requests = perform({ timeout = row[1], rate_limit = { store = store } }, { DONE })
      assert.equal(1024 + row[2], requests[1].deadline)
      assert.same({ row[2] * 1000 + 5000 }, told.leases)
    end)
  end

  it("ends with the slot that ends first", function()
    local store = store_with_room(9)
    local acquire = store.acquire
    function store.acquire(...)
      now = now + 1
      return acquire(...)
    end
    local _, _, requests = perform({ timeout = 1000, rate_limit = { store = store } }, { DONE },
      "/v2/account/tradeHistory")
    assert.equal(1024 + 60, requests[1].deadline)
  end)

  -- How it ends; for how many ms the server may still read it, or that nothing was sent.
  for name, row in pairs {
    ["is answered"] = { { value = "x", info = { sent = 1, round_trip = 1 } }, 0 },
    ["is refused"] = { { err = failure("server", 5000), info = { sent = 1, round_trip = 1 } }, 0 },
    ["has no answer"] = { { err = failure "timeout", info = { sent = 1 } }, 5000 },
    ["has half an answer"] = {
      { err = failure "timeout", info = { sent = 1, round_trip = 1 } }, 0 },
    ["breaks off"] = { { err = failure "network", info = { sent = 1 } }, 0 },
    ["is not sent"] = { { err = failure "network", info = {} } },
    ["cannot be begun"] = { { err = failure "memory" } },
    ["is given up by its waiter"] = { { releases = "unanswered", err = failure "timeout" }, 5000 },
    ["is given up answered"] = { { releases = "answered", err = failure "timeout" }, 0 },
  } do
    it("gives its slot back once where it " .. name, function()
      local store, told = store_with_room(9)
      perform({ rate_limit = { store = store } }, { row[1] })
      assert.same({ { 1, row[2] } }, told.releases)
    end)
  end

  it("gives back the slots of both limits", function()
    local store, told = store_with_room(9)
    perform({ rate_limit = { store = store } }, { DONE }, "/v2/account/tradeHistory")
    assert.equal(2, #told.releases)
  end)

  local WHOLE = { responseTime = 5, sent = 1, round_trip = 2 }
  -- How it ends, and what the clock learns.
  for name, row in pairs {
    ["from a reply"] = { { value = "x", info = WHOLE }, { 5, 1, 2, false } },
    ["from a refusal"] = { { err = failure("server", 5000), info = WHOLE }, { 5, 1, 2, false } },
    ["from a refusal of its time"] = {
      { err = failure("clock", 6005), info = WHOLE }, { 5, 1, 2, true } },
    ["nothing from a reply that is not taken"] = {
      { err = failure("protocol", "json"), info = WHOLE } },
    ["nothing from a reply that tells no time"] = {
      { value = "x", info = { sent = 1, round_trip = 2 } } },
    ["nothing from a reply that was not timed"] = {
      { value = "x", info = { sent = 1, responseTime = 5 } } },
    ["that it is wrong from a refusal that tells no time"] = {
      { err = failure("clock", 6005), info = { sent = 1, round_trip = 2 } }, "forgets" },
  } do
    it("teaches the clock " .. name, function()
      local learned
      perform({}, { row[1] }, nil, {
        is_fixed = true, offset = function() return 0, false end,
        learn = function(_, time, sent, round_trip, refused)
          learned = { time, sent, round_trip, refused or false }
        end,
        forget = function() learned = "forgets" end,
      })
      assert.same(row[2], learned)
    end)
  end

  it("is told to on_attempt with its times", function()
    local events = {}
    local _, info, _, slept = perform({ retries = 1, on_attempt = function(event)
      events[#events + 1] = event
    end }, {
      { err = failure("server", 5000), takes = 257 / 1024,
        info = { http_status = 200, round_trip = 0.25, sent = 1, statusCode = 5000 } },
      { value = "x", takes = 0.5, info = { http_status = 200, statusCode = 1000 } },
    })
    assert.same({ 0.125 }, slept)
    assert.same({ attempts = 2, elapsed = 0.5 + 0.125 + 257 / 1024, http_status = 200,
                  statusCode = 1000 }, info)
    assert.same({
      { attempt = 1, path = "/v1/a", kind = "server", code = 5000, http_status = 200,
        began = wall - 251, waited = 0, elapsed = 257 / 1024, round_trip = 0.25 },
      { attempt = 2, path = "/v1/a", code = 1000, http_status = 200, began = wall - 500,
        waited = 0.125, elapsed = 0.5 },
    }, events)
  end)

  it("ends the call where on_attempt raises that it was interrupted", function()
    for message, is_raised in pairs { ["x: interrupted!"] = true, ["interrupted! x"] = false } do
      local function observe() error(message, 0) end
      local done, caught = pcall(perform, { on_attempt = observe }, { DONE })
      assert.same({ not is_raised, is_raised and message or nil }, { done, caught })
    end
  end)

  it("leaves an info where an envelope was read", function()
    for _, row in ipairs { { { responseTime = 1 }, true }, { { statusCode = 1 }, true },
                           { { http_status = 503 }, false } } do
      local _, info = perform({}, { { err = failure "protocol", info = row[1] } })
      assert.equal(row[2], info ~= nil)
    end
    assert.is_nil((select(2, perform({}, { { err = failure "memory" } }))))
  end)

  -- The call's timeout, how the first attempt ends; how many are made, and the pauses.
  for i, row in ipairs {
    { 1, failure("rate_limit", 6004), 1, {} }, { 1.125, failure("rate_limit", 6004), 2, { 1 } },
    { 0.125, failure "network", 1, {} }, { 0.25, failure "network", 2, { 0.125 } },
    { 1, failure("replay", 4005), 2, {} }, { 1, failure("clock", 6005), 1, {} },
    { 1, failure "tls", 1, {} },
  } do
    it("is made again where the pause ends before the deadline, row " .. i, function()
      local _, _, requests, slept = perform({ timeout = row[1], retries = 2 },
        { { err = row[2] }, DONE })
      assert.same({ row[3], row[4] }, { #requests, slept })
    end)
  end

  it("follows one that the exchange allows at once where limits are kept, else in a second",
    function()
      local rows = { { err = failure("rate_limit", 6004, { retry_after = 0 }) }, DONE }
      local _, _, _, slept = perform({ retries = 1 }, rows)
      assert.same({ 1 }, slept)
      rows[1] = { err = failure("rate_limit", 6004, { retry_after = 0 }) }
      _, _, _, slept = perform({ retries = 1, rate_limit = { store = (store_with_room(9)) } }, rows)
      assert.same({}, slept)
    end)

  it("leaves its error where there is no slot for another one", function()
    local store, told = store_with_room(1)
    local options = { retries = 2, rate_limit = { store = store } }
    local err = perform(options, { { err = failure("server", 5000) } })
    assert.same({ 5000, 1 }, { err.code, err.attempts })
    err = perform(options, {})
    assert.same({ "limit", 0, 1e6 }, { err.code, err.attempts, err.retry_after })
    assert.equal(1, #told.releases)
  end)

  it("takes from the quota what a success gives back, or a fifth more", function()
    local function failed(kind) return { err = failure(kind) } end
    for i, row in ipairs { { 5.2, DONE }, { 5, failed "server", DONE }, { 5, failed "tls" },
                           { 3, failed "server", failed "server", failed "server" },
                           { 5, failed "server", failed "server", DONE } } do
      local left = table.remove(row, 1)
      assert.equal(left, select(5, perform({ retries = 2 }, row)), i)
    end
  end)

  -- How it ends; for how long the limiter is blocked, and what the error says of it.
  for i, row in ipairs {
    { failure("rate_limit", 6004), 1000, 1 },
    { failure("rate_limit", 6004, { retry_after = 3 }), 3000, 3 },
    { failure("http", "status", { http_status = 429 }), 1000 },
    { failure("http", "status", { http_status = 429, retry_after = 2 }), 2000, 2 },
    { failure("http", "status", { http_status = 503, retry_after = 2 }), nil, 2 },
    { failure("server", 5000) },
  } do
    it("leaves the exchange alone where that refuses more calls, row " .. i, function()
      local store, told = store_with_room(9)
      local err = perform({ rate_limit = { store = store } }, { { err = row[1] } })
      assert.same({ row[2] }, told.blocks)
      assert.equal(row[3], err.retry_after)
    end)
  end

  it("is counted under the key, or under the exchange where there is none", function()
    local one = support.client { rate_limit = {} }
    local other = require "bitfront".new { credentials = print, base_url = "http://127.0.0.1:1" }
    local limit_of = require "bitfront.call".limit_of
    local limit = limit_of(accounts.of(one))
    assert.equal(accounts.of(one).handle:key_id(), limit.key)
    assert.equal(limit, limit_of(accounts.of(one)))
    limit = limit_of(accounts.of(other))
    assert.same({ "anonymous:http://127.0.0.1:1", 3, 60 },
      { limit.key, limit.per_second, limit.per_minute })
    limit = limit_of(accounts.of(other), { key_id = function() return "its key" end })
    assert.equal("its key", limit.key)
    assert.are_not.equal(limit, limit_of(accounts.of(other)))
    one:close()
    other:close()
  end)
end)

describe("a client's quota of retries", function()
  it("has ten at most, and gets back what they were, or a fifth of one", function()
    local quota = retry.quota()
    assert.equal(10, quota.left)
    retry.refund(quota, 0)
    retry.refund(quota, 2)
    assert.equal(10, quota.left)
    for left = 9, 0, -1 do
      assert.is_true(retry.take(quota))
      assert.equal(left, quota.left)
    end
    assert.is_false(retry.take(quota))
    assert.equal(0, quota.left)
    retry.refund(quota, 0)
    assert.equal(0.2, quota.left)
    retry.refund(quota, 1)
    assert.equal(1.2, quota.left)
  end)
end)
