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

local files = {}
if LEFT then
  repeat
    local file = io.open "/dev/null"
    files[#files + 1] = file
  until not file
  for i = 1, LEFT do table.remove(files):close() end
end
call()
call()
for _, file in ipairs(files) do file:close() end
call()
os.exit(7)
]]

---What it says, and its exit code: 137 where it did not end.
---@param faultd table  a fault server
---@param how "read"|"thread"
---@param options { left: integer?, preload: string? }  the path of a library
function _M.run(faultd, how, options)
  local dir = shell.tmpdir()
  shell.write(dir .. "/program.lua", PROGRAM:format(
    faultd:url_body(support.success()), faultd.ca_file, tostring(options.left), how))
  local out, _, code = shell.run(("ulimit -n 100; exec timeout -s KILL 20 "
    .. "env LD_PRELOAD=%s %s %s/program.lua"):format(options.preload or "",
    shell.interpreter(), dir))
  return (out:gsub("\ttrue\n", ", ")), code
end

---The least number of descriptors that are enough for all calls; with fewer, two are
---refused, each time. Versions of libcurl differ in how many they are woken by.
---@param refused string  what the calls come to with too few
---@return integer?  nil: five are too few
function _M.enough(faultd, how, refused)
  for left = 0, 5 do
    local said, code = _M.run(faultd, how, { left = left })
    assert.equal(7, code, said)
    if said == "ok, ok, ok, " then return left end
    assert.equal(refused, said)
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
