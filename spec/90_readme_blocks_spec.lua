local nginx = require "spec.support.nginx"
local ports = require "bitfront.sandbox.ports"
local readme = require "spec.support.readme"
local readme_run = require "spec.support.readme_run"
local redis = require "spec.support.redis"

local doc = readme.doc

-- The limiter's state in Redis becomes one of which nothing was ever lost.
local function age(server)
  local client = server:connect()
  for _, field in ipairs(client:hkeys "bitfront:limiter") do
    if field ~= "run_id" then client:hdel("bitfront:limiter", field) end
  end
  client:hset("bitfront:limiter", "since", "1")
end

-- The first port that the sandbox and the site try is one that another process has.
local TAKEN = [[
export LUA_INIT_5_4='
  package.preload["bitfront.sandbox.ports"] = function()
    local ports = dofile "lua/bitfront/sandbox/ports.lua"
    local to_try = ports.to_try
    function ports.to_try(...)
      local found = to_try(...)
      table.insert(found, 1, %d)
      return found
    end
    return ports
  end'
]]

describe("each block of the README #apart", function()
  local runner, server

  lazy_setup(function()
    server = redis.start()
    runner = readme_run.new()
    runner.redis_port = server.port
  end)
  lazy_teardown(function()
    runner:stop()
    server:stop()
  end)

  local credentials
  for _, block in ipairs(doc.blocks) do
    if block.lang == "ini" then credentials = block.text end
  end

  for _, block in ipairs(doc.blocks) do
    local tag = block.lang == "lua" and "" or " #once"
    it(("runs: line %d, %s%s"):format(block.line, block.lang, tag), function()
      if block.lang == "nginx" then age(server) end
      assert.is_nil(runner:complaint(block, credentials))
    end)
  end

  it("of Redis shows balances when it is not new any more", function()
    local count = 0
    for _, block in ipairs(doc.blocks) do
      if block.lang == "lua" and block.text:find("redis_limiter", 1, true) then
        age(server)
        count = count + 1
        assert.is_nil(runner:complaint({ lang = "lua", info = "", text = block.text,
                                         output = "5\n" }))
      end
    end
    assert.equal(1, count)
  end)

  it("starts an nginx of the specs on another port where one was taken meanwhile #once", function()
    local to_try = ports.to_try
    finally(function() ports.to_try = to_try end)
    function ports.to_try(...)
      local found = to_try(...)
      table.insert(found, 1, server.port)
      return found
    end
    local site = nginx.start {}
    assert.equal("pong", (site:body "/ping"))
    site:stop()
  end)

  it("of nginx takes another port where one was taken meanwhile #once", function()
    assert.is_nil(runner:complaint { lang = "sh", info = "until-ctrl-c",
      text = TAKEN:format(server.port) .. "make run-nginx" })
  end)
end)

-- ---- that the specs above can fail ----

local function only_block(text)
  return readme.parse("## Made up\n\n" .. text).blocks[1]
end

local BAD_NGINX = [[
```nginx
http {
  server {
    listen 127.0.0.1:8080;
    location = /made-up { return %s }
  }
}
```
]]

describe("a made-up block #once #apart", function()
  local runner

  lazy_setup(function() runner = readme_run.new() end)
  lazy_teardown(function() runner:stop() end)

  for name, row in pairs {
    ["of Lua that raises"] = { "```lua\nlater(err)\n```\n", "later" },
    ["of Lua that prints something else"] =
      { "```lua\nprint(1)\n```\n\nprints\n\n```text\n2\n```\n", "prints\n1\n\nand not\n2\n" },
    ["of a command that fails"] = { "```sh\nfalse\ntrue\n```\n", "exit code 1" },
    ["of nginx with a mistake"] = { BAD_NGINX:format '200 "no semicolon"', "unexpected \"}\"" },
    ["of nginx that serves no page"] = { BAD_NGINX:format "404;", "/made-up: status 401, 404" },
    ["of an unknown language"] = { "```bash\ntrue\n```\n", 'nobody runs blocks of "bash"' },
    ["of no language"] = { "```\ntrue\n```\n", 'nobody runs blocks of ""' },
    ["that is not run for no reason"] = { "```sh no-run\nfalse\n```\n", "for no reason" },
    ["that never serves its page"] = { "```sh until-ctrl-c\necho no\n```\n", "exit code" },
  } do
    it(name .. " is told", function()
      local complaint = runner:complaint(only_block(row[1]))
      assert.truthy(complaint and complaint:find(row[2], 1, true), complaint)
    end)
  end

  it("that runs and prints what it says is right", function()
    assert.is_nil(runner:complaint(only_block "```sh\necho 1\n```\n\n```text\n1\n```\n"))
    assert.is_nil(runner:complaint(only_block '```sh no-run reason="needs root"\nfalse\n```\n'))
  end)
end)
