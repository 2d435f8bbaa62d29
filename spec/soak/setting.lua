-- What the soaks share: a sandbox with two accounts behind a proxy that delays
-- what passes through it by up to 500 ms, and the check of what arrived.

local core = require "bitfront.core"
local shell = require "spec.support.shell"
local support = require "spec.support"

local _M = {}

_M.KEYS = { { "soakkey1", "secret1" }, { "soakkey2", "secret2" } }

local function accounts_file()
  local path, accounts = shell.tmpdir() .. "/accounts.json", {}
  for i, credentials in ipairs(_M.KEYS) do
    accounts[i] = ('{"api_key":"%s","api_secret":"%s","balances":[]}')
      :format(credentials[1], credentials[2])
  end
  shell.write(path, "[" .. table.concat(accounts, ",") .. "]")
  return path
end

function _M.start()
  local sandbox = support.sandbox { accounts = accounts_file() }
  return sandbox, support.jitterd(sandbox.port, 500)
end

function _M.sleep_until(time)
  while core.now() < time do core.sleep(math.max(0, math.min(1, time - core.now()))) end
end

---Calls each function at its second; later ones are left out.
---@param faults table[]  pairs of a second and a function of the end
function _M.run_faults(faults, seconds)
  local begun = core.now()
  for _, fault in ipairs(faults) do
    if fault[1] >= seconds then break end
    _M.sleep_until(begun + fault[1])
    fault[2](begun + seconds)
  end
  _M.sleep_until(begun + seconds)
end

---What `--check-limits` says of the arrivals, and the model of the limiter; and
---whether both found that no limit was exceeded.
---@return string report, boolean good
function _M.check_limits(dir)
  local report, stderr, status = shell.run(
    ("%s lua/bitfront/cli/bitfront sandbox --check-limits --dir %s")
      :format(shell.interpreter(), shell.quote(dir)))
  local trace, more, refused = shell.run("spec/model/trace.sh "
    .. shell.quote(dir .. "/arrivals.log"))
  return report .. stderr .. trace .. more, status == 0 and refused == 0
end

---Prints what arrived and what could have, 60 a minute for each key. Whether no
---limit was exceeded; and a good part of it did arrive, or nothing was tested.
function _M.judge(sandbox, seconds)
  local report, good = _M.check_limits(sandbox.dir)
  io.write(report)
  local calls = tonumber(report:match "(%d+) calls? of")
  local permitted = #_M.KEYS * 60 * math.ceil(seconds / 60)
  print(("%d of %d permitted calls in %d s: %.1f %%"):format(calls, permitted,
    seconds, calls / permitted * 100))
  return good and calls > permitted * 0.4
end

return _M
