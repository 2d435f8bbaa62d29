-- usage: report.lua BUILD       from the root of the tree, after run.sh
--
-- Prints for each file what has been run of it, then the lines that have not been and
-- are not in exceptions.txt. Fails where a goal is missed or an exception is stale. The
-- branches of an excepted line do not count.

local cjson = require "cjson"
local shell = require "spec.support.shell"

local GOALS = { c_lines = 100, c_branches = 95, lua_lines = 100 }

local build = assert(arg[1], "usage: report.lua BUILD")

-- ---- C: what gcov says of each object, summed up by source. Two objects (5.4, 5.1) are
-- ---- of one source, and an inline function is in many.

local function merge_line(lines, line)
  local known = lines[line.line_number] or { is_run = false, branches = {} }
  known.is_run = known.is_run or line.count > 0
  for i, branch in ipairs(line.branches) do
    known.branches[i] = known.branches[i] or branch.count > 0
  end
  lines[line.line_number] = known
end

local function c_files()
  local found = {}
  for _, path in ipairs(shell.lines("find csrc -name '*.c'")) do found[path] = {} end
  for _, object in ipairs(shell.lines("find " .. build .. "/*/obj -name '*.gcda'")) do
    local out = shell.must("gcov --branch-probabilities --json-format --stdout "
      .. shell.quote(object) .. " 2>/dev/null")
    for _, file in ipairs(cjson.decode(out).files) do
      local path = file.file
      if path:find "^csrc/" then
        found[path] = found[path] or {}
        for _, line in ipairs(file.lines) do merge_line(found[path], line) end
      end
    end
  end
  return found
end

-- ---- Lua: the lines that have an instruction by the compilers of PUC Lua and of LuaJIT,
-- ---- and those marked. nginx in the specs runs on LuaJIT, the rest on PUC Lua.

-- The return at a function's end is behind the last statement, and is often not reached.
-- What takes a function's "..." calls no hook.
local function lines_with_code(path)
  local lines, last, by_luajit = {}, nil, {}
  for line in shell.must("luajit spec/coverage/luajit_lines.lua "
    .. shell.quote(path)):gmatch "%d+" do by_luajit[tonumber(line)] = true end
  local listing = shell.must("luac5.4 -l -p - <" .. shell.quote(path))
  for line in listing:gmatch "[^\n]+" do
    local number = line:match "^\t%d+\t%[(%d+)%]"
    if line:find("VARARGPREP", 1, true) then number = nil end
    if number and last and by_luajit[last] then lines[last] = { is_run = false, branches = {} } end
    last = tonumber(number)
  end
  return lines
end

local function lua_files()
  local found = {}
  for _, path in ipairs(shell.lines("find lua/bitfront -type f")) do
    local marks = assert(shell.read(build .. "/lines/" .. path:gsub("/", "%%")))
    found[path] = lines_with_code(path)
    for number, line in pairs(found[path]) do line.is_run = marks:byte(number + 1) ~= 0 end
  end
  return found
end

-- ---- exceptions: rows "FILE | the line's text | why no test can reach it", each for one
-- ---- line. Of a text that is in the file again, the line before stands before it. Where
-- ---- the reason begins with "by chance:", the line may also be run.

local function trimmed(text) return text:match "^%s*(.-)%s*$" end

local function read_exceptions()
  local rows = {}
  for line in (shell.read "spec/coverage/exceptions.txt" or ""):gmatch "[^\n]+" do
    local path, text, why = line:match "^([%w_/.]+) | (.-) | (.+)$"
    assert(path or line:find "^#", "spec/coverage/exceptions.txt: " .. line)
    if path then
      rows[#rows + 1] = { path = path, text = text, is_used = false,
        by_chance = why:find "^by chance: " ~= nil }
    end
  end
  return rows
end

local exceptions = read_exceptions()

local function excuse(path, text, before)
  for _, row in ipairs(exceptions) do
    if row.path == path and not row.is_used
      and (row.text == text or row.text == before .. " " .. text) then
      row.is_used = true
      return true
    end
  end
  return false
end

-- ---- the report

local function texts_of(path)
  local texts = {}
  for line in (shell.read(path) .. "\n"):gmatch "(.-)\n" do texts[#texts + 1] = line end
  return texts
end

local function count_branches(account, branches)
  local run = 0
  for _, is_run in ipairs(branches) do run = run + (is_run and 1 or 0) end
  account.branches, account.branches_run = account.branches + #branches,
    account.branches_run + run
  return run < #branches
end

-- Counts a file; adds to `missing` the lines that have not been run, and to `partly`
-- those of whose branches some have not been taken.
local function account_of(path, lines, missing, partly)
  local account = { lines = 0, lines_run = 0, branches = 0, branches_run = 0 }
  local texts = texts_of(path)
  for _, number in ipairs(shell.keys(lines)) do
    local line, text = lines[number], trimmed(texts[number])
    local is_excused = not line.is_run and excuse(path, text, trimmed(texts[number - 1] or ""))
    local where = ("%s:%d: %s"):format(path, number, text)
    if not is_excused then
      account.lines = account.lines + 1
      account.lines_run = account.lines_run + (line.is_run and 1 or 0)
      if count_branches(account, line.branches) and line.is_run then
        partly[#partly + 1] = where
      end
      if not line.is_run then missing[#missing + 1] = where end
    end
  end
  return account
end

local function percent(run, all) return all == 0 and 100 or 100 * run / all end

local function print_row(name, account)
  local branches = account.branches == 0 and "" or ("%6.1f %% of %4d branches"):format(
    percent(account.branches_run, account.branches), account.branches)
  print(("%6.1f %% of %5d lines %26s  %s"):format(percent(account.lines_run, account.lines),
    account.lines, branches, name))
end

local function print_files(files, title)
  local missing, partly = {}, {}
  local total = { lines = 0, lines_run = 0, branches = 0, branches_run = 0 }
  print("\n== " .. title)
  for _, path in ipairs(shell.keys(files)) do
    local account = account_of(path, files[path], missing, partly)
    for name, value in pairs(account) do total[name] = total[name] + value end
    print_row(path, account)
  end
  print_row(title .. " in all", total)
  print("\nlines of " .. title .. " that have not been run: " .. #missing)
  for _, where in ipairs(missing) do print(where) end
  if #partly > 0 then print("\nlines of which a branch has not been taken: " .. #partly) end
  for _, where in ipairs(partly) do print(where) end
  return total
end

local c = print_files(c_files(), "csrc")
local lua = print_files(lua_files(), "lua")
local failed = 0

local function judge(name, run, all, goal)
  local is_met = percent(run, all) >= goal
  if not is_met then failed = failed + 1 end
  print(("%s: %.2f %% (%d of %d), goal %d %%: %s"):format(name, percent(run, all), run, all,
    goal, is_met and "met" or "missed"))
end

print ""
for _, row in ipairs(exceptions) do
  if not (row.is_used or row.by_chance) then
    failed = failed + 1
    print(("stale exception: %s | %s"):format(row.path, row.text))
  end
end
print(#exceptions .. " lines excepted with their branches, in spec/coverage/exceptions.txt")
judge("C lines", c.lines_run, c.lines, GOALS.c_lines)
judge("C branches", c.branches_run, c.branches, GOALS.c_branches)
judge("Lua lines", lua.lines_run, lua.lines, GOALS.lua_lines)
os.exit(failed == 0)
