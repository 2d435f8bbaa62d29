-- run.lua TORTURE...: the torture of each of these programs (torture.c), for
-- the Lua that the end of its name says, against a server that it starts.
--
-- With TORTURE=short in the environment many allocations are left out, and it
-- ends within a minute; with TORTURE=malloc those runs are left out that fail Lua's
-- allocator, or need valgrind.

local support = require "spec.support"

local SHORT = os.getenv "TORTURE" == "short"
local MALLOC = os.getenv "TORTURE" == "malloc"
local SCENARIOS = "spec/torture/scenarios.lua"

local BODY = support.success('[{"currency":"BTC","balance":2.5,'
  .. '"availableBalance":1.25},{"currency":"L\\u004e","balance":1e-8,'
  .. '"availableBalance":0}]')

-- How each run is made: what fails, for how many allocations of a scenario in a
-- short and in a whole run (0: for each), and the words before the program's.
local VALGRIND = "valgrind --quiet --error-exitcode=9 --leak-check=full "
  .. "--show-leak-kinds=definite,indirect,possible "
  .. "--errors-for-leak-kinds=definite,indirect,possible "
  .. "--soname-synonyms=somalloc=nouserintercepts"
local RUNS = {
  { "lua", 150, 0, "env TORTURE_CJSON=yes" },
  { "lua", 4, 200, VALGRIND },
  { "c", 40, 0, "" },
  { "c", 3, 60, VALGRIND },
  { "cold", 150, 0, "" },
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

-- Profiles in a folder that only the owner can read.
local function write_profile(faultd)
  local dir = support.tmpdir()
  support.must("umask 077; mkdir " .. dir .. "/bitfront")
  support.write(dir .. "/bitfront/credentials",
    ("[torture]\napi_key = %s\napi_secret = %s\n[elsewhere]\napi_key = %s\n"
      .. "api_secret = %s\nbase_url = %s\nca_file = %s\n")
      :format(support.KEY, support.SECRET, support.KEY, support.SECRET,
        urls(faultd).OK, faultd.ca_file))
  support.must("chmod 600 " .. dir .. "/bitfront/credentials")
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
  local variables = {
    XDG_CONFIG_HOME = write_profile(faultd),
    BITFRONT_API_KEY = support.KEY,
    BITFRONT_API_SECRET = support.SECRET,
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
  local what, tries = run[1], SHORT and run[2] or run[3]
  print(("\n%s: %s%s%s"):format(
    program:match "[^/]+$", FAILS[what],
    tries > 0 and (", up to %d times a scenario and way"):format(tries) or "",
    run[4] == VALGRIND and ", under valgrind" or ""))
  io.stdout:flush()
  return execute(([[
eval "$(${MAKE:-make} -s --no-print-directory env LUA=lua%s)"
%s exec %s %s %s %d %s]]):format(program:match "[%d.]+$", settings, run[4],
    program, what, tries, SCENARIOS))
end

local function main(programs)
  local faultd = support.faultd()
  local settings, good = environment(faultd), true
  for _, program in ipairs(programs) do
    for _, run in ipairs(RUNS) do
      local is_run = not MALLOC or run[1] ~= "lua" and run[4] ~= VALGRIND
      if is_run and not torture(program, run, settings) then
        print "\nthis run has failed; what it wrote last tells where"
        good = false
      end
    end
  end
  faultd:stop()
  return good
end

os.exit(main(arg) and 0 or 1)
