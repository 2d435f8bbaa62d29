-- The other tables of the README, held against the code in both directions: nothing that is
-- there is missing in the README, and nothing that is listed is missing in the code.

local bitfront = require "bitfront"
local cjson = require "cjson"
local command = require "spec.support.command"
local core = require "bitfront.core"
local readme = require "spec.support.readme"
local support = require "spec.support"

local doc, table_of, LUA, C = readme.doc, readme.table_of, readme.LUA, readme.C

-- ---- the environment ----

describe("the README's table of environment variables", function()
  local rows = table_of "variable | what it is for"
  local text = LUA .. C

  it("has each variable that is read", function()
    for _, pattern in ipairs { 'getenv%s*%(?%s*"([%u_]+)"', '[^%w]env%s*%(?"([%u_]+)"',
                               '"(BITFRONT_[%u_]+)"', '"(XDG_[%u_]+)"' } do
      local found = readme.matches(text, pattern)
      assert.is_true(#found > 0)
      for _, name in ipairs(found) do assert.truthy(rows[name], name) end
    end
  end)

  it("has no other", function()
    for name in pairs(rows) do assert.truthy(text:find('"' .. name .. '"', 1, true), name) end
  end)
end)

-- ---- the command ----

describe("the README's table of exit statuses", function()
  it("has each, with the kinds of errors of its class", function()
    local listed, found = table_of "exit status | when | kinds of errors", {}
    for _, row in ipairs(require "bitfront.cli.exit_status") do
      local text = row.about:gsub("^%u", string.lower):gsub("%.$", "")
      local kinds = row.kinds and "`" .. table.concat(row.kinds, "` `") .. "`" or ""
      found[tostring(row.status)] = { tostring(row.status), text, kinds }
    end
    assert.same(found, listed)
  end)
end)

describe("the README on what programs read #apart", function()
  it("has what the command writes of a failure", function()
    local faultd, example = support.faultd(), nil
    for _, block in ipairs(doc.blocks) do
      example = block.lang == "json" and block.text:find '^{"account":' and block.text or example
    end
    local env = command.with_credentials { ca_file = faultd.ca_file,
      base_url = faultd:url_body(support.refusal(6004, '"API RPS limit exceeded"')) }
    local _, err = command.run("balances --format json", env)
    faultd:stop()
    assert.equal(example, err)
    local fields = support.keys(table_of "field | what it is")
    fields[#fields + 1] = "account"
    assert.same(readme.set(fields), support.keys(cjson.decode(example)))
  end)

  it("has each exit status of check", function()
    local plugin = require "bitfront.cli.plugin"
    for status, row in pairs(table_of "exit status of check | when") do
      assert.equal(tonumber(status), plugin[row[2]:match "^(%u+): "])
    end
  end)
end)

-- ---- the sandbox ----

describe("the README's tables of the sandbox #apart", function()
  local sandbox
  lazy_setup(function() sandbox = support.sandbox() end)
  lazy_teardown(function() sandbox:stop() end)

  it("have each damage", function()
    local listed = {}
    for name, row in pairs(table_of "name | what happens") do listed[name] = row[2] end
    assert.same(sandbox:control("GET", "damages"), listed)
  end)

  it("have each setting as it is at the start", function()
    local listed = {}
    for name, row in pairs(table_of "setting | what it does | at the start") do
      listed[name] = cjson.decode("[" .. row[3]:gsub("`", "") .. "]")[1]
    end
    assert.same(sandbox:control("GET", "settings"), listed)
  end)

  it("have each request of the control endpoint", function()
    local requests = readme.sources "lua/bitfront/sandbox -name '*.lua'"
    assert.same(readme.set(readme.matches(requests, '"(%u+ /sandbox/%l+)"')),
      support.keys(table_of "request | what it does"))
  end)
end)

-- ---- nginx ----

describe("the README's tables of nginx #once #apart", function()
  local sandbox, site

  lazy_setup(function()
    sandbox = support.sandbox()
    site = require "spec.support.nginx".start {
      http = "lua_shared_dict bitfront 1m;",
      server = [[
        location = /balances {
          content_by_lua_block { require("bitfront.nginx").serve()() }
        }
        location ~ ^/status/(?<kind>[a-z_]+)$ {
          content_by_lua_block {
            local err = { kind = ngx.var.kind, code = "made_up" }
            ngx.print(require("bitfront.nginx.problem").of_error(err, 2).status)
          }
        }
        location ~ ^/takes/(?<name>[a-z]+)/(?<value>[0-9.]+)$ {
          content_by_lua_block {
            local options = { name = "takes" .. ngx.var.value .. ngx.var.name }
            options[ngx.var.name] = tonumber(ngx.var.value)
            ngx.print(tostring((pcall(require("bitfront.nginx").cached, options))))
          }
        }]],
      env = { BITFRONT_BASE_URL = sandbox.base_url, BITFRONT_CA_FILE = sandbox.ca_file,
              BITFRONT_API_KEY = sandbox.key, BITFRONT_API_SECRET = sandbox.secret },
    }
  end)
  lazy_teardown(function()
    site:stop()
    sandbox:stop()
  end)

  it("have each parameter", function()
    local detail = cjson.decode((site:body "/balances?nope=1")).detail
    local named = detail:match "Parameters are (.*)%.":gsub(" and ", " ")
    assert.same(readme.set(readme.matches(named, "%l+")),
      support.keys(table_of "parameter | what it does"))
  end)

  it("stand beside an example of the JSON that is served", function()
    for _, block in ipairs(doc.blocks) do
      local data = block.lang == "json" and block.text:sub(1, 1) == "{" and cjson.decode(block.text)
      if data and data.balances then
        assert.same(cjson.decode((site:body "/balances?currency=BTC")), data)
        return
      end
    end
    error "there is none"
  end)

  it("have each metric", function()
    local text = site:body "/balances?format=prometheus"
    assert.truthy(text:find "bitfront_up 1", text)
    assert.same(readme.set(readme.matches(text, "# TYPE ([%l_]+)")),
      support.keys(table_of "metric | what it is"))
  end)

  it("have each kind of error", function()
    local text = site:body "/balances?format=prometheus"
    assert.same(readme.set(readme.matches(text, '_errors_total{kind="([%l_]+)"}')),
      support.keys(table_of "kind | when | codes"))
  end)

  it("have the status for each kind of error", function()
    local rows, listed = table_of "status | when", {}
    for status, row in pairs(rows) do
      for word in pairs(readme.words(row[2])) do listed[word] = status end
    end
    for kind in pairs(table_of "kind | when | codes") do
      assert.equal(listed[kind] or "500", (site:body("/status/" .. kind)), kind)
    end
  end)

  for status, arguments in pairs {
    ["400"] = { "/balances?min=x" }, ["405"] = { "/balances", nil, "-X POST" },
    ["406"] = { "/balances", { Accept = "image/png" } },
    ["421"] = { "/balances", { Host = "foreign.example" } },
  } do
    it("are right about " .. status, function()
      assert.truthy(table_of "status | when"[status])
      assert.equal(tonumber(status), site:get(arguments[1], arguments[2], arguments[3]).status)
    end)
  end

  for name, bounds in pairs { ttl = { "0.1", "86400", "0.09" }, stale = { "0", "86400" } } do
    it("are right about the limits of " .. name, function()
      local function takes(value) return (site:body("/takes/" .. name .. "/" .. value)) end
      assert.equal(("%s to %s s"):format(bounds[1], bounds[2]), table_of "what | limit"[name][2])
      assert.same({ "true", "true", "false" },
        { takes(bounds[1]), takes(bounds[2]), takes(bounds[3] or "86401") })
      assert.equal("false", takes "86401")
    end)
  end

  it("are right about the longest Accept", function()
    local limit = table_of "what | limit"["`Accept`, `If-None-Match`"][2]:match "%d+"
    local padding = ("x"):rep(tonumber(limit) - #"image/png;")
    local function status(accept) return site:get("/balances", { Accept = accept }).status end
    assert.same({ 406, 200 },
      { status("image/png;" .. padding), status("image/png;" .. padding .. "x") })
  end)
end)

-- ---- limits ----

local function accepts(call, ...)
  return (pcall(call, ...))
end

local function takes(name)
  return function(value) return accepts(bitfront.new, { [name] = value }) end
end

local function takes_text(length)
  return takes "user_agent"(("x"):rep(length))
end

local function round(places)
  return accepts(function() bitfront.decimal("1"):round(places) end)
end

local function is_looked_for(length)
  local client = bitfront.new { api_key = ("k"):rep(length), api_secret = "secret" }
  local message = require "bitfront.error".new({ kind = "request", code = 4000,
    message = ("k"):rep(length) }, 0).message
  client:close()
  return message == "***"
end

-- Line ends: where the size is right the file has no certificate in it.
local function takes_ca_file(size)
  local path = support.tmpdir() .. "/ca.pem"
  support.write(path, ("\n"):rep(size))
  local made, client = pcall(bitfront.new, { ca_file = path, api_key = "key",
    api_secret = "secret", base_url = "https://127.0.0.1:1", retries = 0 })
  local message = tostring(made and select(2, client:balances()) or client)
  return not message:find "larger"
end

local function takes_secret_file(size)
  local path = support.tmpdir() .. "/key"
  support.write(path, ("k"):rep(size))
  return core.secret_files(path, path) ~= nil
end

local function takes_output(size)
  local process = core.start_process(("printf '%%%ds'"):format(size))
  repeat core.sleep(0.001) until process:poll()
  local _, err = process:credentials()
  process:release()
  return not err.message:find "more than"
end

-- For each row: what takes a value, the least and the greatest that it takes.
local LIMITS = {
  ["`timeout`, `connect_timeout`"] = { takes "timeout", 0.001, 86400 },
  retries = { takes "retries", 0, 10 },
  rate_limit = { function(value)
    return accepts(bitfront.new, { rate_limit = { per_second = value } })
  end, 1 },
  max_body = { takes "max_body", 1, 1073741824 },
  ["text options (`api_key`, `base_url` ...)"] = { takes_text, 1, 4096 },
  decimals = { function(digits)
    return bitfront.decimal(("9"):rep(digits)) ~= nil
  end, 1, 1000 },
  ["`round`, `places`"] = { round, 0, 400 },
  concurrency = { function(value)
    return accepts(bitfront.balances_many, {}, { concurrency = value })
  end, 1, 10000 },
  ca_file = { takes_ca_file, nil, 2097152 },
  ["credentials looked for in messages"] = { is_looked_for, 8 },
  ["a file with a key or a secret"] = { takes_secret_file, 1, 4096 },
  ["what a `credential_process` prints"] = { takes_output, nil, 65536 },
}

-- Of these the sites above tell.
local ELSEWHERE = { ttl = true, stale = true, ["`Accept`, `If-None-Match`"] = true }

describe("the README's table of limits", function()
  local rows = table_of "what | limit"

  it("has no row that nobody checks", function()
    for what in pairs(rows) do
      assert.truthy(LIMITS[what] or ELSEWHERE[what] or what == "calls of a key by default", what)
    end
  end)

  it("is right about the calls of a key by default", function()
    local asked
    local function none() end
    local store = { release = none, block = none, peek = none }
    function store.acquire(_, _, _, per_second, per_minute)
      asked = ("%d in a second, %d in a minute"):format(per_second, per_minute)
    end
    bitfront.new({ api_key = "key", api_secret = "secret", rate_limit = { store = store } })
      :balances()
    assert.equal(asked, rows["calls of a key by default"][2])
  end)

  for what, limit in pairs(LIMITS) do
    it("is right about " .. what, function()
      local takes_it, least, most = limit[1], limit[2], limit[3]
      if least then assert.is_true(takes_it(least)) end
      if least and least == math.floor(least) then
        assert.is_false(takes_it(least - 1))
        assert.truthy(most or rows[what][2]:find(("%.0f"):format(least), 1, true))
      end
      if most then
        assert.truthy(rows[what][2]:find(("%.0f"):format(most), 1, true))
        assert.is_true(takes_it(most))
        assert.is_false(takes_it(most + 1))
      end
    end)
  end
end)

-- ---- install and contributing ----

describe("the README's links", function()
  it("lead to headings that there are", function()
    local anchors = readme.matches(support.read "README.md", "%]%(#([^)]+)%)")
    assert.is_true(#anchors > 30)
    for _, anchor in ipairs(anchors) do assert.truthy(doc.anchors[anchor], anchor) end
  end)
end)

describe("the README's other tables", function()
  it("name Debian packages that the Makefile installs", function()
    local deps = support.read ".ci/deps" .. " git "
    for lua in support.read "Makefile":match "\nLUAS *= ([^\n]+)":gmatch "%S+" do
      deps = ("%s %s lib%s-dev "):format(deps, lua, lua)
    end
    for _, row in pairs(table_of "for | Debian packages") do
      for word in pairs(readme.words(row[2])) do
        assert.truthy(deps:find(word, 1, true), word)
      end
    end
  end)

  it("name targets that the Makefile has", function()
    local makefile = "\n" .. support.read "Makefile"
    for _, row in ipairs(doc.tables["command | what it does"]) do
      for target in row[1]:gmatch "make ([%l-]+)" do
        assert.truthy(makefile:find("\n[%l -]*%f[%l-]" .. target:gsub("%-", "%%-")
          .. "%f[^%l-][%l -]*:"), target)
      end
    end
  end)

  it("name rooms and files that there are", function()
    local rooms = table_of "room of `csrc/` | what is in it"
    local folders = readme.matches(support.must "ls -d csrc/*/", "csrc/(%l+)/")
    assert.same(readme.set(folders), support.keys(rooms))
    folders = { "the files themselves" }
    for folder in support.must "ls -d lua/bitfront/*/":gmatch "bitfront/(%l+/)" do
      folders[#folders + 1] = folder
    end
    assert.same(readme.set(folders),
      support.keys(table_of "room of `lua/bitfront/` | what is in it"))
    for path in support.read "README.md":gmatch "%f[%l](%l+/[%w_/]+%.%l+)" do
      if path:find "^csrc/" or path:find "^lua/bitfront/" then
        assert.truthy(support.read(path), path)
      end
    end
  end)
end)
