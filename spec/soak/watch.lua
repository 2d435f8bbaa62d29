-- What the workers' soak checks while it runs: whether workers end when
-- they should and only then, how large they are, and what they and the
-- sanitizers have written.

local core = require "bitfront.core"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

local LEAVING = 20 -- s, for a worker that has been replaced
local LARGEST = 500 -- MB of a worker, most of them the sanitizers'
local MOST_FILES = 64 -- of a worker at rest

-- Of nginx's log: what no injected fault explains.
local UNEXPLAINED = {
  "exited on signal %d+", "exited with code [1-9]%d*", "exited with fatal code",
  "open socket #%d+ left in connection", "lua entry thread aborted", "stack traceback",
  "attempt to ", "runtime error", "%[emerg%]",
}

function _M.new()
  return setmetatable({ leaving = {}, seen = {}, failures = {}, largest = 0,
    signalled = 0 }, meta)
end

function methods:fail(what, ...)
  local text = what:format(...)
  print("FAILED: " .. text)
  io.stdout:flush()
  self.failures[#self.failures + 1] = text
end

-- ---- processes ----

-- A file of the system about a process, read without starting another one: those
-- that this soak starts must not wear out the numbers that processes have.
local function proc(pid, name)
  return shell.read(("/proc/%d/%s"):format(pid, name)) or ""
end

-- Another process may have got the number.
local function is_worker(pid, master)
  local status = proc(pid, "status")
  return status:find "^Name:%s*nginx\n" and not status:find "State:%s*Z"
    and tonumber(status:match "PPid:%s*(%d+)") == master
end

function methods:note_workers(host)
  local pids, master = {}, host:pid()
  local children = master and proc(master, ("task/%d/children"):format(master)) or ""
  for word in children:gmatch "%d+" do
    local pid = tonumber(word)
    if is_worker(pid, master) then
      pids[#pids + 1] = pid
      self.seen[pid] = master
    end
  end
  return pids
end

---To be called before a reload: those that there are have so long to leave.
function methods:replace(host)
  for _, pid in ipairs(self:note_workers(host)) do
    self.leaving[pid] = self.leaving[pid] or {
      last = core.now() + LEAVING, host = host, master = host:pid(),
    }
  end
end

-- Short of files, a worker of nginx closes the socket by which its master tells it
-- to leave, after a "recvmsg() ..." in the log; so it is told here.
function methods:signal_again(pid, leaving)
  local has_closed = ("%%[alert%%] %d#%d: recvmsg%%(%%)"):format(pid, pid)
  if not leaving.signalled and core.now() > leaving.last - LEAVING / 2
    and leaving.host:log():find(has_closed) then
    leaving.signalled, self.signalled = true, self.signalled + 1
    shell.run("kill -QUIT " .. pid)
  end
end

-- Where the threads of a worker are, and how many files it has.
local function describe(pid)
  return (shell.run(("cd /proc/%d/task && for t in *; do echo $(cat $t/comm): "
    .. "$(cat $t/syscall) $(cat $t/status | grep State); done; ls -l /proc/%d/fd | wc -l")
    :format(pid, pid)))
end

function methods:check_leaving()
  for pid, leaving in pairs(self.leaving) do
    if not is_worker(pid, leaving.master) then
      self.leaving[pid] = nil
    elseif core.now() > leaving.last then
      self:fail("worker %d does not leave:\n%s", pid, describe(pid))
      shell.run("kill -KILL " .. pid)
      self.leaving[pid] = nil
    else
      self:signal_again(pid, leaving)
    end
  end
end

function methods:check_size(host)
  for _, pid in ipairs(self:note_workers(host)) do
    local size = tonumber(proc(pid, "status"):match "VmRSS:%s*(%d+)" or 0) / 1024
    self.largest = math.max(self.largest, size)
    if size > LARGEST then
      self:fail("worker %d has %.0f MB", pid, size)
      shell.run("kill -KILL " .. pid)
    end
  end
end

---No worker that there ever was is left.
function methods:check_gone()
  for pid, master in pairs(self.seen) do
    if is_worker(pid, master) or is_worker(pid, 1) then
      self:fail("worker %d is left", pid)
    end
  end
end

-- ---- what they have open and under way ----

-- Each worker says once that it has nothing under way, whichever is asked.
local function await_rest(self, host, seconds)
  local last, resting, said = core.now() + seconds, {}, {}
  repeat
    local pid, jobs = host:body "/status":match "^(%d+) (.*)$"
    if pid then
      said[pid], resting[pid] = jobs, jobs == "0 0" or nil
    end
    local missing
    for _, worker in ipairs(self:note_workers(host)) do
      if not resting[tostring(worker)] then missing = worker end
    end
    if not missing then return true end
  until core.now() > last
  local words = {}
  for pid, jobs in pairs(said) do words[#words + 1] = pid .. ": " .. jobs end
  return nil, table.concat(words, ", ")
end

function methods:check_rest(host)
  local rests, message = await_rest(self, host, 30)
  if not rests then self:fail("calls are left in workers (live, held): %s", message) end
  for _, pid in ipairs(self:note_workers(host)) do
    local count = tonumber((shell.run(("ls /proc/%d/fd | wc -l"):format(pid))))
    if count > MOST_FILES then
      self:fail("worker %d has %d files open:\n%s", pid, count,
        shell.run(("ls -l /proc/%d/fd"):format(pid)))
    end
  end
end

-- ---- what was written ----

---Of the sanitizers: see site.lua.
function methods:check_reports(folder)
  for path in shell.run(("ls %s/sanitizer*"):format(folder)):gmatch "%S+" do
    self:fail("%s", shell.read(path))
    os.remove(path)
  end
end

-- Of each kind the first line; signal 9 is ours.
function methods:check_log(host)
  local log = host:log():gsub("[^\n]*exited on signal 9[^\n]*\n", "")
  for _, pattern in ipairs(UNEXPLAINED) do
    local line = log:match("[^\n]*" .. pattern .. "[^\n]*")
    if line then self:fail("%d times %s", select(2, log:gsub(pattern, "")), line) end
  end
end

---No socket is left, but of workers that were killed while they had one.
---@param killed integer
function methods:check_folder(folder, killed)
  local left = shell.run(("ls %s/tmp"):format(folder))
  if select(2, left:gsub("\n", "")) > killed then
    self:fail("%d workers were killed, and there are left:\n%s", killed, left)
  end
end

return _M
