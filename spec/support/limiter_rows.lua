-- What every store of the limiter has to do, whatever it is kept in. Run by
-- busted, and inside nginx.

local now = require "bitfront.native".now

local FAR = 1e6 -- a limit that does not matter here

local function expect(what, ok, seen)
  if not ok then error(("%s: %s"):format(what, tostring(seen)), 3) end
end

local function taken(store, key, per_second, per_minute, lease)
  local wait, id = store:acquire(key, lease or 10000, per_second or 3, per_minute or 60)
  expect("a slot", wait == 0, wait or id)
  return id
end

local function denied(store, key, least, most, per_second, per_minute)
  local wait, cause = store:acquire(key, 10000, per_second or 3, per_minute or 60)
  expect("a wait", wait and wait > 0, wait or cause)
  expect("ms to wait", wait >= least and wait <= most + 1, wait) -- or rounded up
  return wait
end

---Each row: a name, and a function of the store, a key that nobody used, and a
---function that sleeps for seconds.
return {
  { "gives as many slots as a second has calls, and tells how long the next takes",
    function(store, key)
      for _ = 1, 3 do taken(store, key) end
      denied(store, key, 900, 1000)
    end },
  { "counts a call until a second after it ended", function(store, key, sleep)
    local first = taken(store, key, 1)
    sleep(0.4)
    local ended = now()
    assert(store:release(key, first, 0))
    denied(store, key, 500, 1000, 1)
    local wait -- however late a busy machine lets this go on
    repeat
      sleep(0.1)
      wait = store:acquire(key, 10000, 1, 60)
    until wait == 0 or now() > ended + 5 -- nil: the store was not to be asked
    expect("s until there is a slot", wait == 0 and now() - ended >= 1, now() - ended)
  end },
  { "counts a call until a minute after it ended", function(store, key)
    for _ = 1, 5 do
      assert(store:release(key, taken(store, key, FAR, 5), 0))
    end
    denied(store, key, 59000, 60000, FAR, 5)
  end },
  { "counts a call that nobody ended until its deadline, and then on",
    function(store, key, sleep)
      taken(store, key, 1, 60, 200)
      sleep(0.3)
      denied(store, key, 200, 900, 1)
      sleep(0.95)
      taken(store, key, 1)
    end },
  { "takes a slot back of which nothing was sent", function(store, key)
    for _ = 1, 5 do assert(store:release(key, taken(store, key, 1, 1))) end
  end },
  { "keeps keys apart", function(store, key)
    for _ = 1, 3 do taken(store, key .. "a") end
    taken(store, key .. "b")
    denied(store, key .. "a", 900, 1000)
  end },
  { "lets a call count for longer that may arrive late", function(store, key)
    assert(store:release(key, taken(store, key, 1), 5000))
    denied(store, key, 5500, 6000, 1)
  end },
  { "counts the end of a call that it knows nothing of", function(store, key)
    assert(store:release(key, "4711", 0))
    denied(store, key, 500, 1000, 1)
  end },
  { "has no room for as long as it is told", function(store, key, sleep)
    assert(store:block(key, 800))
    denied(store, key, 300, 800)
    sleep(0.81)
    taken(store, key)
  end },
  { "tells how many calls count", function(store, key, sleep)
    for _ = 1, 2 do assert(store:release(key, taken(store, key), 0)) end
    local second = store:peek(key)
    expect("in the second", second == 2, second)
    sleep(1.01)
    taken(store, key)
    local later, minute = store:peek(key)
    expect("in the second", later == 1, later)
    expect("in the minute", minute == 3, minute)
  end },
}
