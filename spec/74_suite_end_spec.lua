-- What a suite has started ends with it, also when it, or what runs it, is killed.

local shell = require "spec.support.shell"

-- A suite of one spec. It tells of its folder when it has started all, and waits.
local SUITE = [[
local support = require "spec.support"
it("has servers of all kinds", function()
  local redis = require("spec.support.redis").start()
  local site = require("spec.support.nginx").start { workers = 2 }
  local servers = { redis, site, support.sandbox(), support.faultd(),
    assert(require("bitfront.sandbox").start { port = 0, background = true,
      dir = support.tmpdir() }) }
  support.write(%q, os.getenv "TMPDIR")
  support.sleep(600)
  assert(#servers == 5)
end)
]]

---@class Process
---@field pid integer
---@field parent integer
---@field group integer
---@field name string
---@field words string  of its command line

-- Those there are, without the dead.
---@return table<integer, Process> by_pid
local function all_processes()
  local found = {}
  for line in shell.must "ps -eo pid=,ppid=,pgid=,stat=,comm=,args=":gmatch "[^\n]+" do
    local pid, parent, group, state, name, words =
      line:match "(%d+) +(%d+) +(%d+) +(%S+) +(%S+) +(.*)"
    if not state:find "^Z" then
      found[tonumber(pid)] = { pid = tonumber(pid), parent = tonumber(parent),
        group = tonumber(group), name = name, words = words }
    end
  end
  return found
end

-- The process and those below it.
local function tree_of(top)
  local all, tree = all_processes(), {}
  for pid, process in pairs(all) do
    local above = process
    while above and above.pid ~= top do above = all[above.parent] end
    if above then tree[pid] = process end
  end
  return tree
end

local function count(tree, name)
  local found = 0
  for _, process in pairs(tree) do
    if process.name == name then found = found + 1 end
  end
  return found
end

local function pid_of(tree, name, words)
  for pid, process in pairs(tree) do
    if process.name == name and process.words:find(words, 1, true) then return pid end
  end
  error("no process " .. words)
end

-- Those of the tree that still run, with their command lines.
local function survivors(tree)
  local now, found = all_processes(), {}
  for pid, process in pairs(tree) do
    if now[pid] and now[pid].name == process.name then found[#found + 1] = process.words end
  end
  return table.concat(found, "\n")
end

local function wait_for(condition)
  for _ = 1, 3000 do
    local value = condition()
    if value then return value end
    shell.sleep(0.1)
  end
end

-- The path of a file, as make's SPEC names it from the folder spec/.
local function spec_name(path)
  local _, depth = shell.must("pwd"):gsub("/", "")
  return ("../"):rep(depth + 1) .. path:gsub("^/", ""):gsub("_spec%.lua$", "")
end

---@return Process[] tree
---@return string folder  of the suite, in which all of its own are
---@return integer make
local function start_suite()
  local dir = shell.tmpdir()
  local ready = dir .. "/ready"
  shell.write(dir .. "/waits_spec.lua", SUITE:format(ready))
  local make = tonumber(shell.must(([[env -u MAKEFLAGS -u BITFRONT_TALLY -u TMPDIR \
    --default-signal=INT setsid ${MAKE:-make} spec SPEC=%s >%s/out 2>&1 \
    & echo $!]]):format(
    spec_name(dir .. "/waits_spec.lua"), dir)))
  local folder = wait_for(function()
    local text = shell.read(ready)
    return text ~= "" and text
  end)
  assert(folder, shell.read(dir .. "/out"))
  return tree_of(make), folder:match "^/tmp/bitfront%.%w+", make
end

-- What is killed, by its place in the suite's processes.
local KILLED = {
  { "busted", "KILL", function(tree) return pid_of(tree, "lua5.4", ".ci/busted.lua") end },
  { "the group of busted", "KILL", function(tree)
    return -tree[pid_of(tree, "lua5.4", ".ci/busted.lua")].group
  end },
  { "the script that counts", "KILL", function(tree) return pid_of(tree, "test", ".ci/test") end },
  { "the script that counts", "TERM", function(tree) return pid_of(tree, "test", ".ci/test") end },
  { "make", "KILL", function(_, make) return make end },
  { "make, as by Ctrl-C,", "INT", function(_, make) return -make end },
}

describe("a suite #once #apart", function()
  for _, row in ipairs(KILLED) do
    it(("leaves nothing when %s gets SIG%s"):format(row[1], row[2]), function()
      local tree, folder, make = start_suite()
      assert.same({ nginx = 7, ["redis-server"] = 1, faultd = 1 }, {
        nginx = count(tree, "nginx"), ["redis-server"] = count(tree, "redis-server"),
        faultd = count(tree, "faultd") })
      assert.equal("0\n", (shell.must(("test -d %s; echo $?"):format(folder))))
      shell.must(("env kill -%s -- %d"):format(row[2], row[3](tree, make)))
      wait_for(function() return survivors(tree) == "" end)
      assert.equal("", survivors(tree))
      assert.equal("1\n", (shell.must(("test -d %s; echo $?"):format(folder))))
    end)
  end
end)
