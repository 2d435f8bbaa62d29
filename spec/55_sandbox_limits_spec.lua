-- The arrival log's file, and what is found in it.

local callers = require "spec.support.exchange_caller"
local cjson = require "cjson"
local sandbox = require "bitfront.sandbox"
local shell = require "spec.support.shell"

local BALANCES = "/v1/account/balances"

describe("the file of arrivals", function()
  local box, caller, path

  setup(function()
    box = assert(sandbox.start { port = 0, dir = shell.tmpdir(), background = true })
    caller = callers.of(box)
    path = box.dir .. "/arrivals.log"
  end)

  teardown(function() sandbox.stop { dir = box.dir } end)

  before_each(function() caller:control("POST", "reset") end)

  local function decoded()
    local arrivals = {}
    for text in shell.read(path):gmatch("([^\n]*)\n") do
      arrivals[#arrivals + 1] = cjson.decode(text)
    end
    return arrivals
  end

  it("has the arrivals of the control endpoint, a line for each", function()
    caller:control("POST", "script", '{"statusCode":5000}')
    caller:get(BALANCES, { query = "a=1" })
    caller:get(BALANCES, { more = "-H 'X-API-KEY: K'" })
    shell.must(caller:curl(caller:url "/v1/public/time"))
    caller:control("POST", "settings", '{"down":true}')
    shell.run(caller:curl(caller:url(BALANCES)))
    local arrivals = decoded()
    assert.equal(4, #arrivals)
    assert.same(caller:control("GET", "log"), arrivals)
  end)

  it("is its owner's alone", function()
    assert.matches("^%-rw%-%-%-%-%-%-%-", shell.must("ls -l " .. shell.quote(path)))
  end)

  it("has a long line whole", function()
    caller:get(BALANCES, { query = "a=" .. ("%22"):rep(2000) })
    assert.equal(6002, #decoded()[1].query)
  end)

  for what, call in pairs { ["the log is cleared"] = { "DELETE", "log" },
                            ["all is put back"] = { "POST", "reset" } } do
    it("is emptied when " .. what .. ", and goes on from there", function()
      caller:get(BALANCES)
      caller:control(call[1], call[2])
      assert.equal("", shell.read(path))
      caller:get(BALANCES, { query = "second" })
      local arrivals = decoded()
      assert.same({ 1, "second" }, { #arrivals, arrivals[1].query })
    end)
  end

  it("is begun anew at each start", function()
    local dir = shell.tmpdir()
    shell.write(dir .. "/arrivals.log", "old\n")
    assert(sandbox.start { port = 0, dir = dir, background = true })
    local again = assert(sandbox.start { dir = dir })
    assert.equal("", shell.read(dir .. "/arrivals.log"))
    assert.matches("^%-rw%-%-%-%-%-%-%-", shell.must("ls -l " .. dir .. "/arrivals.log"))
    shell.must(callers.of(again):curl(again.base_url .. "/v1/public/time"))
    assert.is_true(sandbox.start({ dir = dir }).already_running)
    assert.matches("public", shell.read(dir .. "/arrivals.log"))
    sandbox.stop { dir = dir }
  end)

  it("may be missing: the sandbox goes on, and says so once", function()
    local dir = shell.tmpdir()
    shell.must(("mkdir -p %s/arrivals.log/in-the-way"):format(dir))
    local other = assert(sandbox.start { port = 0, dir = dir, background = true })
    finally(function() sandbox.stop { dir = dir } end)
    local calls = callers.of(other)
    for _ = 1, 2 do assert.equal(1000, calls:code(BALANCES)) end
    calls:control("POST", "reset")
    assert.equal(1000, calls:code(BALANCES))
    local _, told = shell.read(dir .. "/error.log"):gsub("arrivals are missing from the file", "")
    assert.equal(1, told)
  end)
end)
