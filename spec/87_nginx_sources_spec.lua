-- The sources of key and secret inside nginx: files, and a program that prints them, for
-- which no worker waits.

local nginx = require "spec.support.nginx"
local support = require "spec.support"

local GOOD = ('{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}')
  :format(support.KEY, support.SECRET)

describe("inside nginx #once #apart", function()
  local sandbox, home, site

  setup(function()
    sandbox = support.sandbox()
    sandbox:set { limits = false }
  end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    home = support.tmpdir()
    support.must("umask 077; mkdir -p bitfront", { cwd = home })
  end)
  after_each(function()
    if site then site:stop() end
    site = nil
  end)

  -- A worker with these variables. /call answers with a coin, or with an error.
  local function start(env, timeout)
    env.BITFRONT_BASE_URL, env.BITFRONT_CA_FILE = sandbox.base_url, sandbox.ca_file
    site = nginx.start { env = env, http = ([[init_by_lua_block {
      client = require "bitfront".new { timeout = %s, rate_limit = false }
    }]]):format(timeout or 20), server = [[
      lua_check_client_abort on;
      location = /call { content_by_lua_block {
        local records, err = client:balances()
        ngx.print(records and records[1].currency or tostring(err), "\n")
      } }
      location = /go { content_by_lua_block {
        assert(io.open(ngx.var.arg_file, "w")):close()
        ngx.print "gone"
      } }
      location = /children { content_by_lua_block {
        local file = io.open("/proc/" .. ngx.worker.pid() .. "/task/"
          .. ngx.worker.pid() .. "/children")
        ngx.print(file:read "*a")
      } }
    ]] }
  end

  -- A program that is this text of the shell.
  local function start_with(script, timeout)
    support.write(home .. "/bitfront/credentials",
      "[default]\ncredential_process = " .. home .. "/helper\n")
    support.write(home .. "/helper", "#!/bin/sh\necho $$ >>" .. home .. "/pids\n" .. script)
    support.must("chmod 600 bitfront/credentials; chmod 700 helper", { cwd = home })
    start({ XDG_CONFIG_HOME = home }, timeout)
  end

  local function runs()
    return select(2, (support.read(home .. "/pids") or ""):gsub("\n", ""))
  end

  local PRINT = "printf %s " .. support.quote(GOOD) .. "\n"

  it("a program is asked for key and secret once, and the worker serves others meanwhile",
    function()
      start_with("echo words for the log >&2\nwhile ! [ -e " .. "$(dirname $0)/go ]; do "
        .. "sleep 0.02; done\n" .. PRINT)
      local pipe = io.popen(("curl -sZ --no-progress-meter --parallel-immediate -m 60 "
        .. "'%s/call?[1-10]'"):format(site.url))
      site:await("it is not asked", function() return runs() == 1 end)
      assert.equal("gone", (site:body("/go?file=" .. home .. "/go")))
      assert.equal(("BCH\n"):rep(10), pipe:read "*a")
      pipe:close()
      assert.equal(1, runs())
      assert.equal("", (site:body "/children"))
      assert.equal("", site:logged_errors())
      assert.truthy(site:log():find("words for the log", 1, true))
    end)

  it("a program that does not end is ended at the deadline", function()
    start_with("trap '' TERM\nsleep 30\n", 0.5)
    local message = site:body "/call"
    assert.truthy(message:find("bitfront: timeout (credential_process): ", 1, true), message)
    assert.equal("", (site:body "/children"))
    assert.equal("pong", (site:body "/ping"))
  end)

  it("a program that fails is told by what it printed, where nginx has waited for it", function()
    start_with "exit 1\n"
    local message = site:body "/call"
    assert.truthy(message:find "config %(credential_process%): .-: ended with status 1\n$"
      or message:find "config %(credential_process%): .-: printed nothing\n$", message)
    assert.equal("", (site:body "/children"))
  end)

  it("a caller that is killed while a program runs is followed by others", function()
    start_with("[ $(wc -l <$(dirname $0)/pids) = 2 ] || exec sleep 30\n" .. PRINT, 2)
    support.run(("curl -s -m 0.5 %s/call"):format(site.url))
    assert.equal(1, runs())
    local message = site:await("no call succeeds", function()
      local body = site:body "/call"
      return body == "BCH\n" and body
    end)
    assert.equal("BCH\n", message)
    assert.equal(2, runs())
    assert.equal("", (site:body "/children"))
  end)

  it("files are read that variables name, or that systemd mounts", function()
    support.write(home .. "/bitfront.api_key", support.KEY .. "\n")
    support.write(home .. "/bitfront.api_secret", support.SECRET .. "\n")
    for _, env in ipairs { { CREDENTIALS_DIRECTORY = home }, {
      BITFRONT_API_KEY_FILE = home .. "/bitfront.api_key",
      BITFRONT_API_SECRET_FILE = home .. "/bitfront.api_secret",
    } } do
      start(env)
      assert.equal("BCH\n", (site:body "/call"))
      site:stop()
    end
  end)
end)
