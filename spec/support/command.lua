-- The command `bitfront`, run as a user runs it, for specs.

local assert = require "luassert"
local shell = require "spec.support.shell"
local support = require "spec.support"

local _M = {}

---The command under the interpreter and the build that run this spec.
function _M.line(arguments)
  return ("%s %s/lua/bitfront/cli/bitfront %s"):format(shell.interpreter(),
    support.quote(support.must("pwd"):gsub("\n$", "")), arguments)
end

---Nothing of the machine's own settings, and no folder with credentials. With ASan, the
---search for leaks at its end takes longer than all that the command does; the specs of the
---library have it, in processes that do not end after a call.
function _M.environment(more)
  local env = {
    BITFRONT_API_KEY = false, BITFRONT_API_SECRET = false,
    BITFRONT_API_KEY_FILE = false, BITFRONT_API_SECRET_FILE = false,
    BITFRONT_BASE_URL = false, BITFRONT_CA_FILE = false, CREDENTIALS_DIRECTORY = false,
    BITFRONT_PROFILE = false, XDG_CONFIG_HOME = false,
    BITFRONT_SANDBOX_DIR = false, HOME = "/nonexistent",
    TERM = "xterm", NO_COLOR = false, ASAN_OPTIONS = "detect_leaks=0",
  }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

function _M.with_credentials(server, more)
  local env = _M.environment {
    BITFRONT_API_KEY = support.KEY, BITFRONT_API_SECRET = support.SECRET,
    BITFRONT_BASE_URL = server.base_url, BITFRONT_CA_FILE = server.ca_file,
  }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

---A home folder with this credentials file, which its owner alone can read.
---@param profiles table<string, table> names and pairs of key and secret; more settings by name
function _M.home(profiles)
  local home, sections = support.tmpdir(), {}
  for name, profile in pairs(profiles) do
    sections[#sections + 1] = ("[%s]\napi_key = %s\napi_secret = %s\n")
      :format(name, profile[1], profile[2])
    for setting, value in pairs(profile) do
      if type(setting) == "string" then
        sections[#sections + 1] = ("%s = %s\n"):format(setting, value)
      end
    end
  end
  support.must("umask 077; mkdir -p .config/bitfront", { cwd = home })
  support.write(home .. "/.config/bitfront/credentials", table.concat(sections))
  support.must("chmod 600 .config/bitfront/credentials", { cwd = home })
  return home
end

---Runs it; whatever it does, it prints no secret and no traceback.
function _M.run(arguments, env, options)
  local all = { env = env or _M.environment() }
  for name, value in pairs(options or {}) do all[name] = value end
  local out, err, code = support.run(_M.line(arguments), all)
  assert.is_nil((out .. err):find(support.SECRET, 1, true))
  assert.is_nil(err:find("traceback", 1, true))
  return out, err, code
end

function _M.is_one_line(text)
  local _, lines = text:gsub("\n", "")
  return lines == 1 and text:sub(1, 10) == "bitfront: "
end

local function ends_with(status, arguments, env, pattern)
  local out, err, code = _M.run(arguments, env)
  assert.equal("", out)
  assert.truthy(err:find(pattern), err)
  assert.truthy(_M.is_one_line(err), err)
  assert.equal(status, code)
end

---It was called wrongly: one line says so, and it ends with 2.
function _M.is_misuse(arguments, pattern, env)
  ends_with(2, arguments, env, pattern)
end

---It fails: one line says why, and it ends with that status.
---@param status? integer  default 1
function _M.fails(arguments, env, pattern, status)
  ends_with(status or 1, arguments, env, pattern)
end

return _M
