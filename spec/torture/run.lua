-- run.lua TORTURE...: the torture of each of these programs (torture.c), for
-- the Lua that the end of its name says, against a server that it starts.
--
-- With TORTURE=short in the environment many allocations are left out, and it
-- ends within a minute; with TORTURE=coverage runs are left out in which gcov's
-- counters fail or are too slow: those in a new process, and under valgrind.

local support = require "spec.support"

local HOW = os.getenv "TORTURE" or "whole"
local SCENARIOS = "spec/torture/scenarios.lua"

local BODY = support.success('[{"currency":"BTC","balance":2.5,'
  .. '"availableBalance":1.25},{"currency":"L\\u004e","balance":1e-8,'
  .. '"availableBalance":0}]')

local MEMBERS = {}
for i = 1, 100 do MEMBERS[i] = ('"key%d":%d'):format(i, i) end
MEMBERS = table.concat(MEMBERS, ",")

-- How each run is made: what fails, for how many allocations of a scenario (0: for
-- each; nil: no run), and the words before the program's.
local VALGRIND = "valgrind --quiet --error-exitcode=9 --leak-check=full "
  .. "--show-leak-kinds=definite,indirect,possible "
  .. "--errors-for-leak-kinds=definite,indirect,possible "
  .. "--soname-synonyms=somalloc=nouserintercepts"
local RUNS = {
  { "lua", "env TORTURE_CJSON=yes", short = 150, coverage = 150, whole = 0 },
  { "lua", VALGRIND, short = 4, whole = 200 },
  { "c", "", short = 40, coverage = 0, whole = 0 },
  { "c", VALGRIND, short = 3, whole = 60 },
  { "cold", "", short = 150, whole = 0 },
}

local FAILS = {
  lua = "Lua's allocator fails",
  c = "malloc fails",
  cold = "malloc fails in a new process",
}

local function urls(faultd)
  local function plain(body, more)
    local all = { listener = "plain" }
    for name, value in pairs(more or {}) do
      all[name] = value
    end
    return faultd:url_body(body, all)
  end
  local closing = { close = "fin", headers = { "Connection: close" } }
  return {
    OK = plain(BODY),
    REFUSAL = plain(support.refusal(6001, '"UNREGISTERED \\u00e9"')),
    DAMAGED = plain((BODY:gsub("}$", ",}"))),
    MEMBERS = plain((BODY:gsub("}$", "," .. MEMBERS .. "}"))),
    CUT = plain(BODY, { cut = 200, close = "fin" }),
    SLOW = plain(BODY, { delay = 20 }),
    CLOSES = plain(BODY, closing),
    IDLE = plain(BODY, { idle = 1 }),
    SERVES_ONE = plain(BODY, { serves = 1 }),
    NAMED = plain(BODY, { close = "fin", headers = closing.headers, host = "localhost" }),
    TRAILING = faultd:url { reply = support.reply(BODY) .. "x",
      listener = "plain", close = "keep" },
    TLS = faultd:url_body(BODY),
    TLS_ONCE = faultd:url_body(BODY, closing),
    UNTRUSTED = faultd:url_body(BODY, { listener = "unknown" }),
    CA = faultd.ca_file,
  }
end

-- Profiles, and a secret in a file, in a folder that only the owner can read.
local function write_files(faultd)
  local dir = support.tmpdir()
  local here = ("base_url = %s\nca_file = %s\n"):format(urls(faultd).OK, faultd.ca_file)
  support.must("umask 077; mkdir " .. dir .. "/bitfront")
  support.write(dir .. "/bitfront/credentials",
    ("[torture]\napi_key = %s\napi_secret = %s\n[elsewhere]\napi_key = %s\n"
      .. "api_secret = %s\n%s[printed]\ncredential_process = cat %s/printed\n%s")
      :format(support.KEY, support.SECRET, support.KEY, support.SECRET, here, dir, here))
  support.write(dir .. "/printed", ('{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s",'
    .. '"Expiration":"2999-01-31T09:30:00Z"}'):format(support.KEY, support.SECRET))
  support.write(dir .. "/secret", support.SECRET .. "\n")
  support.must("chmod 600 " .. dir .. "/bitfront/credentials " .. dir .. "/secret")
  return dir
end

local function exports(variables)
  local lines = {}
  for name, value in pairs(variables) do
    lines[#lines + 1] = ("export %s=%s\n"):format(name, support.quote(value))
  end
  return table.concat(lines)
end

local function environment(faultd)
  local dir = write_files(faultd)
  local variables = {
    XDG_CONFIG_HOME = dir,
    BITFRONT_API_KEY = support.KEY,
    BITFRONT_API_SECRET_FILE = dir .. "/secret",
  }
  for name, value in pairs(urls(faultd)) do
    variables["TORTURE_" .. name] = value
  end
  return exports(variables)
end

-- Standard output goes where ours goes, so it is os.execute that runs it.
local function execute(script)
  local result = os.execute(script)
  return result == true or result == 0
end

local function torture(program, run, settings)
  local what, words, tries = run[1], run[2], run[HOW]
  print(("\n%s: %s%s%s"):format(
    program:match "[^/]+$", FAILS[what],
    tries > 0 and (", up to %d times a scenario and way"):format(tries) or "",
    words == VALGRIND and ", under valgrind" or ""))
  io.stdout:flush()
  return execute(([[
eval "$(${MAKE:-make} -s --no-print-directory env LUA=lua%s)"
%s exec %s %s %s %d %s]]):format(program:match "[%d.]+$", settings, words,
    program, what, tries, SCENARIOS))
end

local function main(programs)
  assert(RUNS[1][HOW], "TORTURE is short, coverage or whole")
  local faultd = support.faultd()
  local settings, good = environment(faultd), true
  for _, program in ipairs(programs) do
    for _, run in ipairs(RUNS) do
      if run[HOW] and not torture(program, run, settings) then
        print "\nthis run has failed; what it wrote last tells where"
        good = false
      end
    end
  end
  faultd:stop()
  return good
end

os.exit(main(arg) and 0 or 1)
