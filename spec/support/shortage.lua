-- A program that makes three calls: two while the system refuses it something,
-- and one after that. It says what became of each, and ends with 7.

local assert = require "luassert"
local shell = require "spec.support.shell"
local support = require "spec.support"

local _M = {}

-- LEFT descriptors are free for the first two calls; nil: all of them.
local PROGRAM = [[
local core = require "bitfront.core"
local client = assert(core.new { base_url = %q, ca_file = %q, user_agent = "spec",
  connect_timeout = 3, max_body = 1e6 })
assert(client:set_credentials("k", "s"))
local LEFT = %s

local function read(deadline)
  return core.balances { client = client, deadline = deadline }
end

local function thread(deadline)
  local job, err = core.thread_start { client = client, deadline = deadline }
  if not job then return nil, err end
  while not job:done() do
    if core.now() > deadline + 1 then return nil, { kind = "nothing", code = "came" } end
    core.sleep(0.001)
  end
  return job:finish()
end

local function call()
  local begun = core.now()
  local records, err = %s(begun + 3)
  print(records and "ok" or err.kind .. " " .. err.code, core.now() - begun < 1.5)
end

local function open_all()
  local files = {}
  repeat
    local file = io.open "/dev/null"
    files[#files + 1] = file
  until not file
  return files
end

local function close(files)
  for _, file in ipairs(files) do file:close() end
  return #files
end

local free = close(open_all())
local files = LEFT and open_all() or {}
for _ = 1, LEFT or 0 do table.remove(files):close() end
call()
call()
close(files)
call()
io.stderr:write("kept ", free - close(open_all()), "\n")
os.exit(7)
]]

-- What it says, its exit code, and how many descriptors its calls have kept.
local function execute(faultd, how, options)
  local dir = shell.tmpdir()
  shell.write(dir .. "/program.lua", PROGRAM:format(
    faultd:url_body(support.success()), faultd.ca_file, tostring(options.left), how))
  local out, err, code = shell.run(("ulimit -n 100; exec timeout -s KILL 20 "
    .. "env LD_PRELOAD=%s %s %s/program.lua"):format(options.preload or "",
    shell.interpreter(), dir))
  return (out:gsub("\ttrue\n", ", ")), code, tonumber(err:match "kept (%d+)")
end

---What it says, and its exit code: 137 where it did not end.
---@param faultd table  a fault server
---@param how "read"|"thread"
---@param options { left: integer?, preload: string? }  the path of a library
function _M.run(faultd, how, options)
  local said, code = execute(faultd, how, options)
  return said, code
end

---With too few descriptors two calls are refused, with one more none is. Versions of
---libcurl differ in how many they are woken by; these and the connection are kept. A
---first call needs one more, since it opens the certificates twice before it connects.
---@param refused string  what the calls come to with too few
function _M.check_left(faultd, how, refused)
  local kept = select(3, execute(faultd, how, {}))
  assert.truthy(kept >= 2, kept)
  for left = 0, kept + 1 do
    assert.same({ left > kept and "ok, ok, ok, " or refused, 7 },
      { _M.run(faultd, how, { left = left }) }, left)
  end
end

-- What libcurl, in one version or another, makes to be woken by.
local REFUSAL = [[
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
static int refused;
int socketpair(int family, int type, int protocol, int fds[2]) {
  int (*real)(int, int, int, int *) = dlsym(RTLD_NEXT, "socketpair");
  if (++refused > 2) return real(family, type, protocol, fds);
  errno = %s;
  return -1;
}
int eventfd(unsigned value, int flags) {
  int (*real)(unsigned, int) = dlsym(RTLD_NEXT, "eventfd");
  if (++refused > 2) return real(value, flags);
  errno = %s;
  return -1;
}
]]

---A library that refuses that to the first two calls.
---@param errno string
function _M.refusing(errno)
  return shell.preload(REFUSAL:format(errno, errno))
end

return _M
