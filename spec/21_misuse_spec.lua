-- A mistake of the caller is raised at the first line outside the package.

local check = require "bitfront.check"
local misuse = require "bitfront.misuse"
local support = require "spec.support"

local load_text = rawget(_G, "loadstring") or load
local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

-- A function of another file, whose lines are told by its name.
local function chunk(name, text)
  return assert(load_text(text, "@" .. name))
end

-- Lua 5.1 and 5.2 write the whole of a chunk only.
local CAN_STRIP = rawget(_G, "jit") or _VERSION >= "Lua 5.3"

describe("a mistake of the caller", function()
  local function raises(expected, ...)
    local ok, message = pcall(...)
    assert.is_false(ok)
    assert.equal(expected, message)
  end

  it("is raised at the line of the call, however deep it is found", function()
    raises("user.lua:2: f: x must be true or false",
      chunk("user.lua", "local options = require 'bitfront.check'.options\n"
        .. "options('f', { x = 1 }, { x = { check = require 'bitfront.check'.boolean } })\n"))
  end)

  it("is raised at the line of a pcall that calls a function of the package", function()
    local call = chunk("user.lua", "local f = ...\nlocal ok, message = pcall(f, 'f', {})\n"
      .. "return ok, message\n")
    local ok, message = call(check.no_more)
    assert.is_false(ok)
    assert.equal("user.lua:2: f: too many arguments", message)
  end)

  it("is raised at the line of a call that string.gsub makes", function()
    raises("user.lua:2: f: options must be a table, not a nil",
      chunk("user.lua", "\nlocal text = ('f'):gsub('.', (...)) return text"),
      check.is_options)
  end)

  it("is raised at the last line that is still on the stack after tail calls", function()
    local tail = chunk("tail.lua", "local f = ... return f('f', {})\n")
    raises("user.lua:2: f: too many arguments",
      chunk("user.lua", "local tail, f = ...\nlocal none = tail(f)\nreturn none"),
      tail, check.no_more)
  end)

  it("is raised at the line of a coroutine that makes it", function()
    local call = chunk("user.lua", "local f = ...\n\nlocal none = f('f', {})\n return none")
    local ok, message = coroutine.resume(coroutine.create(call), check.no_more)
    assert.is_false(ok)
    assert.equal("user.lua:3: f: too many arguments", message)
  end)

  it("has no line where a coroutine is nothing but the package's", function()
    local ok, message = coroutine.resume(coroutine.create(check.no_more), "f", {})
    assert.is_false(ok)
    assert.equal("f: too many arguments", message)
  end)

  it("is raised at the line of a callback that the package calls", function()
    local callback = chunk("callback.lua", "\nlocal none = require 'bitfront'.new(7)\n"
      .. "return none")
    local client = require "bitfront".new { credentials = callback }
    raises("callback.lua:2: bitfront.new: options must be a table, not a number",
      chunk("user.lua", "(...):balances()"), client)
    client:close()
  end)

  it("is raised at the first line of a file", function()
    raises("user.lua:1: f: too many arguments",
      chunk("user.lua", "local none = (...)('f', {}) return none"), check.no_more)
  end)

  it("is raised at a line of a chunk that is no file", function()
    raises("content_by_lua:2: f: too many arguments",
      assert(load_text("local f = ...\nf('f', {})", "=content_by_lua")), check.no_more)
  end)

  -- Runs in a new interpreter: `before` first, then this; gives what pcall caught.
  local function caught_after(before)
    local out, err = support.lua(before .. [[

      local check = require "bitfront.check"
      local function call() check.no_more("f", {}) end
      print((select(2, pcall(call)):gsub("^[^\n]*/", "")))
    ]])
    assert.equal("", err)
    return out
  end

  it("names the function where there is no debug library", function()
    for _, before in ipairs { "debug = nil", "debug = {}" } do
      assert.matches("^check%.lua:%d+: f: too many arguments\n$", caught_after(before))
    end
    assert.matches("^program%.lua:%d+: f: too many arguments\n$", caught_after "")
  end)

  it("is raised at the line of the call where the debug library is removed later", function()
    for _, removed in ipairs { "debug = nil", "debug.getinfo = nil" } do
      assert.matches("^program%.lua:%d+: f: too many arguments\n$",
        caught_after("require 'bitfront.misuse' " .. removed))
    end
  end)

  if CAN_STRIP then
    it("names the function where the package is stripped", function()
      local out = caught_after [[
        local function strip(name)
          local loader = (package.searchers or package.loaders)[2](name)
          package.preload[name] = (loadstring or load)(string.dump(loader, true))
        end
        strip "bitfront.misuse"
        strip "bitfront.check"
      ]]
      assert.matches("f: too many arguments\n$", out)
    end)

    it("is raised at the nearest line that is known where the caller is stripped", function()
      local stripped = load_text(string.dump(chunk("stripped.lua",
        "local f = ...\nlocal none = f('f', {})\nreturn none"), true))
      raises("user.lua:2: f: too many arguments",
        chunk("user.lua", "local f, g = ...\nlocal none = f(g)\nreturn none"),
        stripped, check.no_more)
    end)
  end
end)

describe("a name that is not known", function()
  local LONG = ("x"):rep(40)

  -- What is written, the names that are known, and the one that was probably meant.
  for _, row in ipairs {
    { "ab", { "ba" }, "ba" }, { "acb", { "abc" }, "abc" }, { "ABC", { "abc" }, "abc" },
    { "abxy", { "abcd" }, "abcd" }, { "axyz", { "abcd" } }, { "b", { "ab" }, "ab" },
    { "abcxyz", { "abcdef" }, "abcdef" }, { "abcdefxyz", { "abcdef" }, "abcdef" },
    { "abc", { "abcdef" }, "abcdef" }, { "abcdefwxyz", { "abcdefghij" } },
    { "baxyzfgh", { "abcdefgh" } }, { "abx", { "abe", "abd", "abf" }, "abd" },
    { LONG, { LONG }, LONG }, { LONG .. "x", { LONG .. "x" } }, { 1, { "1" } },
  } do
    it(("is probably %s: %s"):format(row[3] or "none of those", row[1]), function()
      local known = { "no name" }
      for _, name in ipairs(row[2]) do known[name] = true end
      assert.equal(row[3] and ('; did you mean "%s"?'):format(row[3]) or "",
        check.did_you_mean(row[1], known))
    end)
  end

  it("is probably the nearest one, whatever comes before it in the alphabet", function()
    local known = { bcdefg = true }
    for i = 10, 60 do known["a" .. i] = true end
    assert.equal('; did you mean "bcdefg"?', check.did_you_mean("bcdefx", known))
  end)
end)

describe("what an option must be", function()
  it("is said with its bounds, and its unit where there is one", function()
    for expected, option in pairs {
      ["a number from 0 to 1.5"] = check.number(0, 1.5),
      ["a number of seconds from 0 to 1.5"] = check.number(0, 1.5, "seconds"),
      ["a whole number from 1 to 9"] = check.whole(1, 9),
      ["a whole number of bytes from 1 to 9"] = check.whole(1, 9, "bytes"),
    } do
      assert.same({ false, expected }, { option(-1) })
      assert.same({ true, expected }, { option(1) })
    end
  end)

  it("may be that it is there", function()
    local rows = { x = { check = check.boolean, is_required = true },
                   y = { check = check.boolean } }
    local ok, message = pcall(check.options, "f", { y = true }, rows)
    assert.is_false(ok)
    assert.matches("f: x is missing$", message)
    check.options("f", { x = false }, rows)
  end)
end)

describe("an array", function()
  local function is_text(value) return type(value) == "string" end

  it("has its items under the keys 1 to n, and no others", function()
    for i, list in ipairs { {}, { "a" }, { "a", "b" }, { "a", n = 1 } } do
      assert.is_true(check.is_array(list, is_text), i)
    end
    for i, list in ipairs { { "a", n = "b" }, { [0] = "a", "b" }, { [0] = "a", "b", nil, "c" },
                            { [1.5] = "a", "b", nil, "c" }, { "a", nil, "c", [9] = "i" },
                            { "a", [0] = 1 }, "a" } do
      assert.is_false(check.is_array(list, is_text), i)
    end
    assert.is_false(check.is_array { "a", n = 1 })
    assert.is_false(check.is_array(nil))
  end)
end)

describe("what pcall caught, as a text,", function()
  local function text_of_caught(...)
    return misuse.text_of(select(2, pcall(...)))
  end

  it("has no line where the package raised it", function()
    assert.equal("f: too many arguments", text_of_caught(check.no_more, "f", {}))
    assert.equal("f: 100% of 1", text_of_caught(misuse.raise, "f: %d%% of %s", 100, 1))
  end)

  it("is what it was where somebody else raised it", function()
    text_of_caught(check.no_more, "f", {})
    assert.equal("user.lua:1: no", text_of_caught(chunk("user.lua", "error 'no'")))
    assert.equal("no", text_of_caught(error, setmetatable({}, {
      __tostring = function() return "no" end,
    })))
    assert.equal("nil", text_of_caught(error))
  end)

  it("is whole before anything was raised", function()
    assert.equal("nil\nfalse\n", support.lua [[
      local misuse = require "bitfront.misuse"
      print(misuse.text_of(nil))
      print(misuse.text_of(false))
    ]])
  end)
end)

-- Before a call's last argument, one too many would become another argument.
describe("a function of the module", function()
  local core = require "bitfront.core"
  local one, sum, store = core.decimal "1", core.sum(),
    core.window_store({ k = core.window() }, error)
  local clock = core.server_clock()
  local client = core.new { base_url = "https://a", user_agent = "spec", connect_timeout = 1,
    max_body = 1000 }
  for name, row in pairs {
    sha1 = { 1, core.sha1, "x" }, now = { 1, core.now }, wall = { 1, core.wall },
    random = { 1, core.random }, pid = { 1, core.pid }, sleep = { 0, core.sleep, 0 },
    process_exists = { 1, core.process_exists, 1 }, versions = { 1, core.versions },
    yieldable = { 1, core.yieldable }, has_symbol = { 1, core.has_symbol, "x" },
    is_terminal = { 1, core.is_terminal }, is_hung_up = { 1, core.is_hung_up },
    clean = { 1, core.clean, "x" }, escape = { 1, core.escape, "x" },
    decode = { 1, core.decode, "1", "number" },
    ["decode of no JSON"] = { 2, core.decode, "", "number" },
    sign = { 1, core.sign, "s", 1, 1, "GET", "/", "", "" },
    check_openssl = { 1, core.check_openssl },
    decimal = { 1, core.decimal, "1" }, sum = { 1, core.sum }, window = { 1, core.window },
    ["decimal:to_number"] = { 1, one.to_number, one }, ["decimal:round"] = { 1, one.round, one, 0 },
    ["decimal:is_zero"] = { 1, one.is_zero, one }, ["decimal:sign"] = { 1, one.sign, one },
    ["sum:add"] = { 1, sum.add, sum, one }, ["sum:total"] = { 1, sum.total, sum },
    ["client:set_credentials"] = { 1, client.set_credentials, client, "k", "s" },
    ["client:has_credentials"] = { 1, client.has_credentials, client },
    ["client:holds"] = { 1, client.holds, client, "k", "s" },
    ["client:key_id"] = { 1, client.key_id, client },
    ["client:credentials"] = { 1, client.credentials, client },
    ["client:is_closed"] = { 1, client.is_closed, client },
    ["store:acquire"] = { 2, store.acquire, store, "k", 1000, 100, 100 },
    ["store:release"] = { 1, store.release, store, "k", -1, 0 },
    ["store:block"] = { 1, store.block, store, "k", 0 },
    ["store:peek"] = { 3, store.peek, store, "k" },
    ["clock:offset"] = { 2, clock.offset, clock },
    ["clock:best"] = { 0, clock.best, core.server_clock() },
    ["clock:learn"] = { 1, clock.learn, clock, 1e12, 99, 1, false, 100, 1e12 },
    ["clock:forget"] = { 0, clock.forget, clock },
    ["clock:adopt"] = { 1, clock.adopt, clock, 1, 1, 1 },
  } do
    it(("returns %d values: %s"):format(row[1], name), function()
      assert.equal(row[1], select("#", row[2](unpack(row, 3))))
    end)
  end
end)

describe("what is refused, or not used any more #once", function()
  local GROWN = [[
    local bitfront = require "bitfront"
    local function begin()
      local ok, value = pcall(function() %s end)
      assert((ok and value ~= nil) == %s, value)
    end
    local function kilobytes()
      collectgarbage() collectgarbage()
      return io.open "/proc/self/status":read "*a":match "VmRSS:%%s*(%%d+)"
    end
    for _ = 1, 5000 do begin() end
    local before = kilobytes()
    for _ = 1, 5000 do begin() end
    print(kilobytes() - before)]]

  -- By how many kilobytes the process grows where it makes the call again and again.
  local function grown(call, is_made)
    return tonumber((support.lua(GROWN:format(call, tostring(is_made)))))
  end

  for name, call in pairs {
    ["a base_url"] = 'bitfront.new { api_key = "k", api_secret = "s", base_url = "https://[" }',
    ["a proxy"] = 'bitfront.new { api_key = "k", api_secret = "s", proxy = "ftp://x" }',
    ["a key"] = 'bitfront.new { api_key = "\\n", api_secret = "s" }',
    ["a secret"] = 'bitfront.new { api_key = "k", api_secret = "" }',
    ["a timeout"] = 'bitfront.balances { api_key = "k", api_secret = "s", timeout = "1" }',
    ["a path"] = 'local client = bitfront.new { api_key = "k", api_secret = "s" }\n'
      .. 'return client:get("v1 /", {})',
    ["a call of a closed client"] = 'local client = bitfront.new { api_key = "k", '
      .. 'api_secret = "s" }\nclient:close()\nreturn client:balances()',
    ["a call without a server"] = 'return (bitfront.balances { api_key = "k", '
      .. 'api_secret = "s", base_url = "http://127.0.0.1:1", retries = 0, rate_limit = false })',
    ["a decimal"] = 'assert(bitfront.decimal "1e")',
    ["a JSON text"] = "return bitfront.json.decode '[{\"a\":[1,2,\"b\"],\"c\":1.5e3},'",
  } do
    it("leaves nothing in memory: " .. name, function()
      assert.is_true(grown(call, false) < 400)
    end)
  end

  for name, call in pairs {
    ["a client"] = 'return bitfront.new { api_key = "k", api_secret = "s" }',
    ["a closed client"] = 'local client = bitfront.new { api_key = "k", api_secret = "s" }\n'
      .. 'client:close()\nreturn client',
    ["a decimal"] = 'return bitfront.decimal "0.1234567890123456789"',
    ["what is calculated with decimals"] = 'local a, b = bitfront.decimal "1.5", '
      .. 'bitfront.decimal "0.25"\nlocal sum\nfor _ = 1, 4 do\n'
      .. 'sum = require "bitfront.native".sum()\n'
      .. 'assert(sum:add(a) and a > b and tostring(a) == "1.5")\nend\n'
      .. 'assert(a + b ~= a * b and a - b ~= -b and a:round(0) < sum:total())\n'
      .. 'collectgarbage("step", 20)\nreturn sum', -- little is left to be collected
    ["a signature"] = 'return require "bitfront.core".sign("s", "1", "1", "GET", "/", "", "")',
    ["a window"] = 'local core = require "bitfront.core"\n'
      .. 'local store = core.window_store({ k = core.window() }, error)\n'
      .. 'return store:acquire("k", 1000, 1, 1, 0, 1)',
    ["a JSON value"] = "return bitfront.json.decode('{\"a\":[1,\"b\",2e400]}', "
      .. '{ amounts = "decimal" })',
  } do
    it("leaves nothing in memory: " .. name .. " that was collected", function()
      assert.is_true(grown(call, true) < 400)
    end)
  end

  it("leaves nothing in memory: calls of a window that have ended", function()
    assert.is_true(grown([[
      local core = require "bitfront.core"
      STORE = STORE or core.window_store({ k = core.window() }, error)
      NOW = NOW or 0
      for _ = 1, 20 do
        NOW = NOW + 61000
        assert(STORE:acquire("k", 1000, 1, 1, NOW, 1) == 0)
        STORE:release("k", 1, 0, NOW)
      end
      return STORE]], true) < 400)
  end)
end)
