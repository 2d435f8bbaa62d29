-- usage: mutate.lua SEED COUNT PART PARTS      in a copy of the tree, which it changes
--
-- Draws COUNT sites of csrc and lua by SEED, and of these tries each PARTS-th from PART
-- on: changes it, builds, and runs the specs, those of its room first, until one fails. A
-- line for each: killed, survived, equivalent, or uncompiled; behind survivors, what was
-- changed.

local shell = require "spec.support.shell"
local sites_of = require "spec.mutants.sites".of

local seed, count, part, parts = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]),
  tonumber(arg[4])
local SECONDS = 600 -- for a spec file on the unchanged tree

-- The specs of what begins so, the likeliest first; the first row that matches.
local RELEVANT = {
  { "csrc/base/", "14 26 15 17 20_connection" },
  { "csrc/money/", "13 31 14 33 34 32" },
  { "csrc/json/", "14 12 15 13" },
  { "csrc/auth/sign", "11 15 16" },
  { "csrc/auth/", "22 11 15 21_options 16 23" },
  { "csrc/http/", "15 16 17 20_connection 20_peer 21_options 26 22" },
  { "csrc/policy/", "19 24 25 26" },
  { "csrc/thread/", "18 84" },
  { "csrc/lua/decimal", "31 33 34 32" },
  { "csrc/lua/thread", "18 84" },
  { "csrc/lua/policy", "19 24 25" },
  { "csrc/lua/exchange", "17 28 15 23 18" },
  { "csrc/lua/", "23 21_options 14 15 22 17 29 54 18" },
  { "lua/bitfront/records/", "32 34 33 30 21_options 31 62" },
  { "lua/bitfront/limiter", "24 19 21_options 27 26 85" },
  { "lua/bitfront/wait", "28 26 27 84" },
  { "lua/bitfront/nginx", "81 82 83 86 85 92" },
  { "lua/bitfront/sandbox/", "51 50 52 53 55 54" },
  { "lua/bitfront/cli/", "61 62 63 91" },
  { "lua/bitfront/clock", "25 26 19 84" },
  { "lua/bitfront/credentials", "22 21_options 61" },
  { "lua/bitfront/many", "27 28 84" },
  { "lua/bitfront/doctor", "61 86 23" },
  { "lua/bitfront/", "23 21_misuse 21_options 26 27 22 24 25 29 14 28 61 91" },
}

local function files_of(pattern)
  local files = {}
  for path in shell.must("ls spec/" .. pattern .. "_spec.lua"):gmatch "[^\n]+" do
    files[#files + 1] = path
  end
  return files
end

-- All spec files but those of the package and of the README's blocks, which take minutes:
-- of a change, the likeliest to notice it first.
local function specs_for(path)
  local files, known = {}, {}
  local function add(more)
    for _, file in ipairs(more) do
      if not known[file] then files[#files + 1] = file end
      known[file] = true
    end
  end
  for _, row in ipairs(RELEVANT) do
    if #files == 0 and path:sub(1, #row[1]) == row[1] then
      for name in row[2]:gmatch "%S+" do add(files_of(name .. "*")) end
    end
  end
  add(files_of "[1-6]*")
  add(files_of "8*")
  return files
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
  for path in shell.must "find csrc lua/bitfront -type f | sort":gmatch "[^\n]+" do
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

local function build(path)
  if not path:find "^csrc" then
    return select(3, shell.run("luac5.4 -p " .. path)) == 0
  end
  local targets = " all .build/test/threads .build/test/doubles .build/test/hmac"
  return select(3, shell.run("make -s LUA=lua5.4" .. targets .. " && make -s LUA=luajit all")) == 0
end

local TIMED_OUT = 124 -- of the command timeout

-- Whether a spec file passes, within some seconds; and its exit code.
local function passes(file, seconds)
  local _, _, code = shell.run(([[
    . .ci/count.sh
    make_locales
    in_tree lua5.4 timeout -k 5 %d lua5.4 .ci/busted.lua -o .ci/tally.lua \
      --no-keep-going --exclude-tags=long %s </dev/null]]):format(seconds, file))
  return code == 0, code
end

-- Whether it fails twice. One that takes four times as long as it should is an endless
-- loop: once is enough.
local function fails(file, seconds)
  local is_passed, code = passes(file, seconds)
  if is_passed then return false end
  return code == TIMED_OUT or not passes(file, seconds)
end

-- The seconds that a spec file is given: of those tried so far. false: it fails on the
-- unchanged tree.
local limits = {}

local function limit_of(file)
  if limits[file] == nil then
    local began = os.time()
    local is_sound = passes(file, SECONDS) or passes(file, SECONDS)
    limits[file] = is_sound and 20 + 4 * (os.time() - began)
    if not is_sound then print("unusable: fails without a change: " .. file) end
  end
  return limits[file]
end

-- The first of the files that fails with the change in place; nil: none does.
local function killer_of(files, change, restore)
  for _, file in ipairs(files) do
    if limits[file] == nil then
      restore()
      limit_of(file)
      change()
    end
    if limits[file] and fails(file, limits[file]) then return file end
  end
end

-- Changes that change nothing, by file, line before and line after.
local function is_equivalent(path, before, after)
  local known = shell.read "spec/mutants/equivalent.txt" or ""
  local row = ("\n%s | %s | %s | "):format(path, before, after)
  return ("\n" .. known):find(row, 1, true) ~= nil
end

local function trimmed(text) return text:match "^%s*(.-)%s*$" end

local function try(site, number)
  local path, original = site.path, shell.read(site.path)
  local changed = original:sub(1, site.first - 1) .. site.by .. original:sub(site.last + 1)
  local line, before = line_at(original, site.first)
  local _, after = line_at(changed, site.first)
  before, after = trimmed(before), trimmed(after)
  local function say(word, more)
    print(("%s: %s:%d (%d)%s"):format(word, path, line, number, more or ""))
    if word == "survived" then print("  - " .. before .. "\n  + " .. after) end
    io.stdout:flush()
  end
  if is_equivalent(path, before, after) then return say "equivalent" end
  local function change()
    shell.write(path, changed)
    return build(path)
  end
  local function restore()
    shell.write(path, original)
    build(path)
  end
  local files = specs_for(path)
  limit_of(files[1])
  if not change() then
    say "uncompiled"
  else
    local killer = killer_of(files, change, restore)
    say(killer and "killed" or "survived", killer and " by " .. killer)
  end
  restore()
end

local picked, total = drawn()
if part == 1 then print(("seed %d: %d of %d places"):format(seed, #picked, total)) end
for number = part, #picked, parts do try(picked[number], number) end
