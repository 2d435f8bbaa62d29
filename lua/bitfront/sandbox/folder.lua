-- The sandbox's state folder: certificates, nginx.conf, pid file, error log, log of
-- arrivals.
--
-- It is the first of these that can be used: the one asked for; $BITFRONT_SANDBOX_DIR;
-- $XDG_RUNTIME_DIR/bitfront-sandbox; $XDG_STATE_HOME/bitfront/sandbox, with
-- ~/.local/state where that is not set; ${TMPDIR:-/tmp}/bitfront-sandbox-UID. Where
-- one of the first two is set and cannot be used, no other is taken.

local machine = require "bitfront.sandbox.machine"

local _M = {}

-- In a world-writable /tmp, another user may have made the folder first: it must be a
-- folder of this user's that no other user can write in. No file of the user's is
-- replaced: where files have the sandbox's names, its mark must be there. $1 is the
-- command that makes the folder.
local USE = [[
  umask 077
  $1 "$2" 2>/dev/null
  [ -d "$2" ] && [ ! -L "$2" ] && [ -O "$2" ] && [ -w "$2" ] || exit 1
  [ -z "$(find "$2" -prune \( -perm -020 -o -perm -002 \))" ] || exit 1
  cd "$2" || exit 1
  for name in nginx.conf server.key server.pem ca.key ca.pem accounts.json tmp; do
    [ -e .bitfront-sandbox ] || [ ! -e "$name" ] || exit 1
  done
  : >.bitfront-sandbox && pwd -P
]]

-- The lock is a symbolic link, which is made in one step with its owner's pid in it. A
-- lock whose owner has ended is removed. $PPID is the process that runs Lua.
local LOCK = [[
  try_lock() {
    ln -s "$PPID" "$1/starting" && return
    owner=$(readlink "$1/starting") && ! kill -0 "$owner" && rm -f "$1/starting"
    return 1
  } 2>/dev/null
  tries=100
  until try_lock "$1"; do
    [ $((tries -= 1)) -gt 0 ] || exit 1
    sleep 0.1
  done
]]

local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function use(path, make)
  local rooted = path:sub(1, 1) == "/" and path or "./" .. path
  local ok, output = machine.run(USE, make, rooted)
  return ok and output or nil
end

local function temporary()
  local _, uid = machine.run("id -u")
  return (env "TMPDIR" or "/tmp") .. "/bitfront-sandbox-" .. uid
end

local function use_default()
  local runtime, home = env "XDG_RUNTIME_DIR", env "HOME"
  local state = env "XDG_STATE_HOME" or home and home .. "/.local/state"
  return runtime and use(runtime .. "/bitfront-sandbox", "mkdir")
    or state and use(state .. "/bitfront/sandbox", "mkdir -p")
    or use(temporary(), "mkdir")
end

--- Finds the folder, and makes it (0700) where there is none.
---@param asked_for? string
---@return string? dir  absolute
---@return string? message
function _M.open(asked_for)
  asked_for = asked_for or env "BITFRONT_SANDBOX_DIR"
  local dir
  if asked_for then dir = use(asked_for, "mkdir -p") else dir = use_default() end
  if dir then return dir end
  return nil, (asked_for or temporary()) .. " cannot be the sandbox's folder: it must be "
    .. "a folder of yours that you can write in and no other user can, without an "
    .. "nginx.conf or other files of the sandbox's names that are not its own"
end

--- Calls action(dir, ...) while no other process does so for this folder: of two
--- starts at the same instant, one would replace the pid file of the other.
---@param action function
---@param dir string
---@return any result  of the action; nil where the wait is too long
---@return string? message
function _M.locked(action, dir, ...)
  if not machine.run(LOCK, dir) then
    return nil, "another start is under way in " .. dir
  end
  local ok, result, message = pcall(action, dir, ...)
  os.remove(dir .. "/starting")
  if not ok then error(result, 0) end
  return result, message
end

return _M
