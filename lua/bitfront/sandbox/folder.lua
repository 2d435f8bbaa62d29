--- The sandbox's state folder: certificates, nginx.conf, pid file, error log,
-- arrival log.
--
-- The first that can be used of: the one asked for; $BITFRONT_SANDBOX_DIR;
-- $XDG_RUNTIME_DIR/bitfront-sandbox; $XDG_STATE_HOME/bitfront/sandbox, with
-- ~/.local/state where that is not set; ${TMPDIR:-/tmp}/bitfront-sandbox-UID.
-- The first two are wishes: where one of them cannot be used, none is taken.

local shell = require "bitfront.sandbox.shell"

local _M = {}

-- In a world-writable /tmp anybody can have made the folder first: it has to
-- be a folder, ours, and nobody else's to write in. Nothing of the user's is
-- written over: what has our names has to be marked as ours. $1 is how to make it.
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

local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function use(path, make)
  local rooted = path:sub(1, 1) == "/" and path or "./" .. path
  local ok, output = shell.run(USE, make, rooted)
  return ok and output or nil
end

local function temporary()
  local _, uid = shell.run("id -u")
  return (env "TMPDIR" or "/tmp") .. "/bitfront-sandbox-" .. uid
end

local function use_default()
  local runtime = env "XDG_RUNTIME_DIR"
  local home = env "HOME"
  local state = env "XDG_STATE_HOME" or home and home .. "/.local/state"
  return runtime and use(runtime .. "/bitfront-sandbox", "mkdir")
    or state and use(state .. "/bitfront/sandbox", "mkdir -p")
    or use(temporary(), "mkdir")
end

--- Finds the folder, and makes it (0700) where there is none.
---@param wanted? string
---@return string? dir  Absolute.
---@return string? message
function _M.open(wanted)
  wanted = wanted or env "BITFRONT_SANDBOX_DIR"
  if not wanted then
    local dir = use_default()
    if dir then return dir end
    wanted = temporary()
  end
  local dir = use(wanted, "mkdir -p")
  if dir then return dir end
  return nil, wanted .. " cannot be the sandbox's folder: it must be a folder "
    .. "of yours that you can write in and no other user can, without an "
    .. "nginx.conf or other files of the sandbox's names that are not its own"
end

return _M
