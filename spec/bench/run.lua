-- What a call costs, beside raw libcurl and beside the usual Lua libraries. All
-- clients ask one nginx on loopback for the same reply, over a TLS connection
-- that they keep. Nothing here fails because of a figure.
--
-- Instructions are counted by callgrind, CPU time by the kernel; both are the
-- difference of a short and a long run, so that what a process does once is not
-- in them.

local support = require "spec.support"

local PATH = "/v1/account/balances"

-- ---- running things ----

local environments = {}

-- The lines that set the environment of this tree's build for a Lua.
local function environment(lua)
  environments[lua] = environments[lua] or support.must(
    "${MAKE:-make} -s --no-print-directory env LUA=" .. lua)
  return environments[lua]
end

local function have(command)
  local _, _, code = support.run(command)
  return code == 0
end

local has_valgrind = have "valgrind --version"

-- In what follows, `words` is a function that makes a shell script of what is
-- to stand before the program and of the number of calls.

local function counted(words, calls)
  return tonumber(support.must(words("valgrind --tool=callgrind "
    .. "--callgrind-out-file=/dev/null", calls) .. " 2>&1")
    :match "Collected : (%d+)")
end

local function instructions(words, calls)
  if not has_valgrind then return nil end
  local short = math.floor(calls / 10)
  return (counted(words, calls + short) - counted(words, short)) / calls
end

-- Seconds of user and system time of what the shell ran.
local function cpu(words, calls)
  local line = support.must("(" .. words("", calls) .. "\n); times")
    :match "\n([^\n]+)\n$"
  local seconds = 0
  for minutes, rest in line:gmatch "(%d+)m([%d.]+)s" do
    seconds = seconds + minutes * 60 + rest
  end
  return seconds
end

local function cpu_us(words, calls)
  local short = math.floor(calls / 10)
  return (cpu(words, calls + short) - cpu(words, short)) / calls * 1e6
end

-- ---- the clients ----

local function raw(base_url, ca_file, secret)
  return function(before, calls)
    return ("%s .build/test/rawcurl %s %s %d %s")
      :format(before, support.quote(base_url .. PATH), ca_file, calls,
        secret or "")
  end
end

local function script(lua, file, base_url, ca_file, more)
  return function(before, calls)
    return ("%sexport BITFRONT_API_KEY=%s BITFRONT_API_SECRET=%s "
      .. "BITFRONT_BASE_URL=%s BITFRONT_CA_FILE=%s\n%s %s spec/bench/%s %s %s")
      :format(environment(lua), support.KEY, support.SECRET,
        support.quote(base_url), ca_file, before, lua, file, calls, more or "")
  end
end

local function clients(base_url, ca_file)
  local function lua(name, file, more)
    return script(name, file, base_url, ca_file, more)
  end
  return {
    { "raw libcurl, nothing signed or decoded", raw(base_url, ca_file) },
    { "raw libcurl, signed, nothing decoded",
      raw(base_url, ca_file, support.SECRET) },
    { "bitfront, limiter on, Lua 5.4", lua("lua5.4", "balances.lua", "limited") },
    { "bitfront, limiter on, LuaJIT", lua("luajit", "balances.lua", "limited"),
      needs = "luajit -v" },
    { "bitfront, limiter off, Lua 5.4", lua("lua5.4", "balances.lua") },
    { "lua-http, luaossl, lua-cjson, Lua 5.1", lua("lua5.1", "luahttp.lua"),
      needs = [[lua5.1 -e 'require "http.client" require "openssl"']] },
  }
end

local function of_raw(value, first)
  return value and first and ("%6.2f"):format(value / first) or "     -"
end

local function installed(all)
  local list = {}
  for _, client in ipairs(all) do
    if client.needs and not have(client.needs) then
      print(("%s: skipped, not installed"):format(client[1]))
    else
      list[#list + 1] = client
    end
  end
  return list
end

-- In turns, and the median of three, for a machine that has other work too.
local function measure(list)
  for _, client in ipairs(list) do
    client.ir = instructions(client[2], 1000)
    client.rounds = {}
  end
  for round = 1, 3 do
    for _, client in ipairs(list) do
      client.rounds[round] = cpu_us(client[2], 20000)
    end
  end
  for _, client in ipairs(list) do
    table.sort(client.rounds)
    client.us = client.rounds[2]
  end
end

-- Returns the instructions of a call against those of raw libcurl that neither
-- signs nor decodes: on Lua 5.4, and on LuaJIT where there is one.
local function compare_calls(base_url, ca_file)
  local list = installed(clients(base_url, ca_file))
  local first = list[1]
  measure(list)
  print(("%-40s %12s %6s %9s %6s"):format("a call, 830-byte reply",
    "instructions", "x raw", "CPU us", "x raw"))
  for _, client in ipairs(list) do
    print(("%-40s %12s %s %9.1f %s"):format(client[1],
      client.ir and ("%.0f"):format(client.ir) or "-",
      of_raw(client.ir, first.ir), client.us, of_raw(client.us, first.us)))
  end
  if first.ir then
    local jit = list[4].needs == "luajit -v" and list[4].ir / first.ir
    return list[3].ir / first.ir, jit or nil
  end
end

-- ---- decoding ----

-- About 90 bytes a record, as of a server that prints doubles.
local function records(count)
  local list = {}
  for i = 1, count do
    local whole, part = i * 1000003 % 4000000000, i * 7919 % 100000
    list[i] = ('{"currency":"C%04d","balance":%d.%05d,'
      .. '"availableBalance":%d.%05d}')
      :format(i, whole + 1000000000, part, whole + 999999999, part)
  end
  return support.success("[" .. table.concat(list, ",") .. "]")
end

local function decode_instructions(path, word)
  return instructions(function(before, calls)
    return ("%s lua5.4 spec/bench/decode.lua %d %s %s")
      :format(before, calls, support.quote(path), word)
  end, 100)
end

local function cjson_instructions(body)
  local file = support.tmpdir() .. "/body"
  support.write(file, body)
  return decode_instructions(file, "cjson")
end

-- What more the large reply costs than the small one, less what more it costs
-- to receive: raw libcurl tells that.
local function our_instructions(faultd, large, small)
  local function more(words_of)
    local function at(body)
      return instructions(words_of(faultd:url_body(body)), 200)
    end
    return at(large) - at(small)
  end
  return more(function(url)
    return script("lua5.4", "balances.lua", url, faultd.ca_file)
  end) - more(function(url)
    return raw(url, faultd.ca_file)
  end)
end

-- Returns our instructions against lua-cjson's.
local function compare_decoding()
  if not has_valgrind then return nil end
  local large, small = records(300), records(5)
  local faultd = support.faultd()
  local ours = our_instructions(faultd, large, small)
  faultd:stop()
  local cjson = cjson_instructions(large) - cjson_instructions(small)
  print(("\ndecoding 300 records (%d bytes) beyond 5 (%d bytes), instructions")
    :format(#large, #small))
  print(("%-40s %12.0f"):format("lua-cjson, Lua 5.4", cjson))
  print(("%-40s %12.0f"):format("bitfront, Lua 5.4", ours))
  return ours / cjson
end

-- Returns our instructions against lua-cjson's for JSON of any kind, where they are
-- most. JSON_FILES is a folder of files: those in tests/ of lua-cjson's repository are
-- what it measures itself by.
local function compare_json()
  if not has_valgrind then return nil end
  local folder, most = os.getenv "JSON_FILES", 0
  if not folder then
    folder = support.tmpdir()
    support.write(folder .. "/300-records.json", records(300))
  end
  print "\nreading JSON, instructions               lua-cjson     bitfront"
  for _, path in ipairs(support.lines("ls " .. support.quote(folder) .. "/*.json")) do
    local cjson, ours = decode_instructions(path, "cjson"), decode_instructions(path, "")
    print(("%-38s %12.0f %12.0f"):format(path:match "[^/]*$", cjson, ours))
    most = math.max(most, ours / cjson)
  end
  return most
end

-- ---- the process ----

local function run_process(lua, base_url, ca_file, word)
  local values = {}
  local output = support.must(
    script(lua, "process.lua", base_url, ca_file)("", word))
  for name, value in output:gmatch "([%w_]+) (%S+)\n" do
    values[name] = tonumber(value)
  end
  return values
end

-- The median, since the first one reads the files from the disk.
local function require_ms(base_url, ca_file)
  local times = {}
  for i = 1, 15 do
    times[i] = run_process("lua5.4", base_url, ca_file, "").require_ms
  end
  table.sort(times)
  return times[8]
end

-- ---- the targets ----

local function judge(what, value, limit, form)
  print(("%-52s %10s %8s  %s"):format(what,
    value and form:format(value) or "-", form:format(limit),
    not value and "not measured" or value <= limit and "met" or "not met"))
end

local function main()
  local sandbox = support.sandbox()
  local base_url, ca_file = sandbox.base_url .. "/static", sandbox.ca_file
  local call, call_jit = compare_calls(base_url, ca_file)
  local decoding, json = compare_decoding(), compare_json()
  local process = run_process("lua5.4", base_url, ca_file, "calls")
  print(("\n%-52s %10s %8s"):format("targets, Lua 5.4", "measured", "at most"))
  judge("a call, x raw libcurl's instructions", call, 0.9, "%.2f")
  judge("a call, x raw libcurl's instructions, LuaJIT", call_jit, 0.7, "%.2f")
  judge("decoding, x lua-cjson's instructions", decoding, 0.32, "%.2f")
  judge("reading JSON, x lua-cjson's instructions, at most", json, 1, "%.2f")
  judge("require, ms", require_ms(base_url, ca_file), 3, "%.1f")
  judge("libcurl loaded by require", process.libcurl_loaded, 0, "%d")
  judge("memory grown by 100,000 calls, KiB", process.grown_kib, 64, "%d")
  judge("descriptors grown by them", process.grown_descriptors, 0, "%d")
  if have "luajit -v" then
    judge("memory grown, on LuaJIT, KiB",
      run_process("luajit", base_url, ca_file, "calls").grown_kib, 64, "%d")
  end
  sandbox:stop()
end

main()
