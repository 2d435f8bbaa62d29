-- A network of its own, whose name server takes every question and never answers.

local shell = require "spec.support.shell"

local _M = {}

-- $1 is this tree, $2 the command.
local NETWORK = [[
set -e
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
echo nameserver 127.0.0.1 >resolv
mount --bind resolv /etc/resolv.conf
mkfifo stdin ports
exec 3<>stdin
"$1/.build/test/faultd" . dead:dns <stdin >ports 3>&- &
read -r name port <ports
cd "$1"
sh -c "$2"
echo >&3
wait
]]

---Why there can be none here; nil where there can.
---@return string?
function _M.skip_message()
  local _, message, code = shell.run "unshare -rnm true"
  return code ~= 0 and "no network namespace here: " .. message or nil
end

---What a command prints that runs in this folder, in such a network. It must
---succeed.
---@param command string
---@return string
function _M.run(command)
  local tree = shell.must("pwd"):gsub("\n$", "")
  return (shell.must(("unshare -rnm sh -c %s sh %s %s"):format(shell.quote(NETWORK),
    shell.quote(tree), shell.quote(command)), { cwd = shell.tmpdir() }))
end

return _M
