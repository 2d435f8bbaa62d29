-- usage: mutate.lua SEED COUNT PART PARTS      in a copy of the tree, which it changes
--
-- Draws COUNT sites of csrc and lua by SEED, and of these tries each PARTS-th from PART
-- on: changes it, builds, and runs the specs of its room until one fails twice; those that
-- are still open get the checks of memory, for C, and all other specs in the end. A line
-- for each: killed, survived, equivalent, or uncompiled; behind open ones and survivors,
-- what was changed.

local shell = require "spec.support.shell"
local sites_of = require "spec.mutants.sites".of

local seed, count, part, parts = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]),
  tonumber(arg[4])

-- The specs of what begins so, the likeliest first; the first row that matches.
local RELEVANT = {
  { "csrc/base/date", "22_process 26 15" },
  { "csrc/base/", "14 26 15 17 20_connection" },
  { "csrc/money/", "13 31 14 33 34 32" },
  { "csrc/json/", "14 12 15 13 23" },
  { "csrc/auth/sign", "11 15 16" },
  { "csrc/auth/redact", "22 14 12 15" },
  { "csrc/auth/", "22 11 15 21_options 16 23 17_failing" },
  { "csrc/http/result", "14 12 15 22" },
  { "csrc/http/", "15 16 17 20_connection 20_peer 21_options 26 22" },
  { "csrc/policy/", "19 24 25 26" },
  { "csrc/thread/", "18 84 17_failing" },
  { "csrc/lua/decimal", "31 33 34 32 21_misuse" },
  { "csrc/lua/core", "73_wrong_lua 23 21_options 17_failing 18 29 54" },
  { "csrc/lua/thread", "18 84 17_failing" },
  { "csrc/lua/policy", "19 24 25" },
  { "csrc/lua/json", "12_json 23 29" },
  { "csrc/lua/exchange", "17 28 15 23 18" },
  { "csrc/lua/", "23 21_options 14 15 22 17 29 54 18" },
  { "lua/bitfront/records/", "32 34 33 30 21_options 31 62" },
  { "lua/bitfront/limiter", "24 19 21_options 27 26 85" },
  { "lua/bitfront/wait", "28 26 27 84" },
  { "lua/bitfront/nginx/account_caches", "89 88" },
  { "lua/bitfront/nginx", "81 82 89 83 88 86 85 92" },
  { "lua/bitfront/sandbox/", "51 50 52 53 55 54" },
  { "lua/bitfront/cli/", "61 62 63 66 67 64 65 91 55" },
  { "lua/bitfront/clock", "25 26 19 84" },
  { "lua/bitfront/credential", "22 21_options 61" },
  { "lua/bitfront/prices", "27_prices 62" },
  { "lua/bitfront/check", "21_misuse 21_options 27_prices 66" },
  { "lua/bitfront/json", "12_json" },
  { "lua/bitfront/many", "27 28 84" },
  { "lua/bitfront/doctor", "61 86 23" },
  { "lua/bitfront/", "23 21_misuse 21_options 26 27 22 24 25 29 14 28 61 91" },
}

-- What notices a loss of memory, or what follows where there is none: the specs under
-- ASan, but those of other processes; and the torture.
local function memory_checks(path, files)
  if not path:find "^csrc" then return {} end
  local named = {}
  for _, file in ipairs(files) do
    if not file:find "^spec/[58]" then named[#named + 1] = file end
  end
  return { "asan=" .. table.concat(named, ","), "torture" }
end

-- The spec files that are likeliest to notice a change of a file; and all others but
-- those of the package and of the README's blocks, which take minutes.
local function specs_for(path)
  local is_listed = {}
  local function listed(patterns)
    local files = {}
    for pattern in patterns:gmatch "%S+" do
      for _, file in ipairs(shell.lines("ls spec/" .. pattern .. "*_spec.lua")) do
        if not is_listed[file] then files[#files + 1] = file end
        is_listed[file] = true
      end
    end
    return files
  end
  for _, row in ipairs(RELEVANT) do
    if path:sub(1, #row[1]) == row[1] then return listed(row[2]), listed "[1-6] 8" end
  end
  return {}, listed "[1-6] 8"
end

-- ---- drawing

local state = seed % 2147483646 + 1
local function random(most) -- Park and Miller's: the same on every Lua
  state = state * 16807 % 2147483647
  return state % most + 1
end

local function all_sites()
  local all = {}
  local only = os.getenv "ONLY" or ""
  for _, path in ipairs(shell.lines "find csrc lua/bitfront -type f") do
    local is_lua = not path:find "%.[ch]$"
    local is_drawn = path:sub(1, #only) == only
    for _, site in ipairs(is_drawn and sites_of(shell.read(path), is_lua) or {}) do
      site.path = path
      all[#all + 1] = site
    end
  end
  return all
end

local function drawn()
  local all, picked = all_sites(), {}
  for i = 1, math.min(count, #all) do
    picked[i] = table.remove(all, random(#all))
  end
  return picked, #all + #picked
end

-- ---- trying

local function line_at(text, at)
  local _, number = text:sub(1, at - 1):gsub("\n", "")
  local before = text:sub(1, at - 1):match "[^\n]*$"
  return number + 1, before .. text:match("^[^\n]*", at)
end

-- What was made for an earlier change is made again too: make goes by the files' times.
local function build(path)
  if not path:find "^csrc" and select(3, shell.run("luac5.4 -p " .. path)) ~= 0 then
    return false
  end
  local targets = " all .build/test/threads .build/test/doubles .build/test/hmac"
  return select(3, shell.run("make -s LUA=lua5.4" .. targets .. " && make -s LUA=luajit all")) == 0
end

-- By spec file, the longest that it took where it passed: seconds, and of a processor.
-- false: it fails on the unchanged tree.
local known = {}

-- The row of a file for specs.sh: what it may take at most.
local function row_of(file)
  local took = known[file] or { 145, 45 }
  return ("%s %d %d\n"):format(file, 20 + 4 * took[1], 20 + 4 * took[2])
end

-- Runs spec files in their order until one has failed twice. Those that passed are taken
-- out of the list; returns the one that failed.
local function run(files)
  local rows = {}
  for i, file in ipairs(files) do rows[i] = row_of(file) end
  local out = shell.run(".build/test/supervise spec/mutants/specs.sh",
    { stdin = table.concat(rows) })
  for file, seconds, of_processor in out:gmatch "passed (%S+) (%d+) (%d+)" do
    local before = known[file] or { 0, 0 }
    known[file] = { math.max(before[1], tonumber(seconds)),
                    math.max(before[2], tonumber(of_processor)) }
    for i = #files, 1, -1 do
      if files[i] == file then table.remove(files, i) end
    end
  end
  return out:match "failed (%S+)"
end

local function is_usable(file)
  if known[file] == nil then
    known[file] = false
    if run { file } then print("unusable: fails without a change: " .. file) end
  end
  return known[file] ~= false
end

-- Those that can be used, in the order of what they took; of the others the order stays.
local function usable(files)
  local found = {}
  for i, file in ipairs(files) do
    if known[file] ~= false then
      local took = known[file] or { 60 }
      found[#found + 1] = { file = file, took = took[1], i = i }
    end
  end
  table.sort(found, function(a, b)
    if a.took ~= b.took then return a.took < b.took end
    return a.i < b.i
  end)
  for i, row in ipairs(found) do found[i] = row.file end
  return found
end

-- The first of the files that fails with the change in place, and passes without it; nil:
-- none does.
local function killer_of(files, change, restore)
  files = usable(files)
  while #files > 0 do
    local killer = run(files)
    if not killer or known[killer] then return killer end
    restore()
    if is_usable(killer) then return killer end
    change()
    files = usable(files)
  end
end

-- Changes that change nothing, by file, line before and line after.
local function is_equivalent(path, before, after)
  local listed = shell.read "spec/mutants/equivalent.txt" or ""
  local row = ("\n%s | %s | %s | "):format(path, before, after)
  return ("\n" .. listed):find(row, 1, true) ~= nil
end

local function trimmed(text) return text:match "^%s*(.-)%s*$" end

local function prepare(site, number)
  local path, original = site.path, shell.read(site.path)
  local changed = original:sub(1, site.first - 1) .. site.by .. original:sub(site.last + 1)
  local line, before = line_at(original, site.first)
  local _, after = line_at(changed, site.first)
  local likely, others = specs_for(path)
  local checks = memory_checks(path, likely)
  return {
    path = path, original = original, likely = likely, checks = checks, others = others,
    before = trimmed(before), after = trimmed(after),
    where = ("%s:%d (%d)"):format(path, line, number),
    change = function()
      shell.write(path, changed)
      return build(path)
    end,
    restore = function()
      shell.write(path, original)
      return build(path)
    end,
  }
end

local function say(word, mutant, more)
  print(("%s: %s%s"):format(word, mutant.where, more or ""))
  if not more then print("  - " .. mutant.before .. "\n  + " .. mutant.after) end
  io.stdout:flush()
end

-- Whether none of the files notices a change.
local function survives(mutant, files)
  local is_compiled = mutant.change()
  local killer = is_compiled and killer_of(files, mutant.change, mutant.restore)
  shell.write(mutant.path, mutant.original)
  if not is_compiled then
    say("uncompiled", mutant, "")
  elseif killer then
    say("killed", mutant, " by " .. killer)
  end
  return is_compiled and not killer
end

local picked, total = drawn()
if part == 1 then print(("seed %d: %d of %d places"):format(seed, #picked, total)) end
local open = {} -- those that the likely specs have not noticed
for number = part, #picked, parts do
  local mutant = prepare(picked[number], number)
  if is_equivalent(mutant.path, mutant.before, mutant.after) then
    say("equivalent", mutant, "")
  elseif survives(mutant, mutant.likely) then
    say("open", mutant)
    open[#open + 1] = mutant
  end
end
for _, mutant in ipairs(open) do
  if survives(mutant, mutant.checks) and survives(mutant, mutant.others) then
    say("survived", mutant)
  end
end
