-- A network of its own, whose name server takes every question and never answers.

local namespace = require "spec.support.namespace"
local shell = require "spec.support.shell"

local _M = {}

-- %s are this tree and the command, as words.
local NETWORK = [[
set -e
ip link set lo up
echo nameserver 127.0.0.1 >resolv
mount --bind resolv /etc/resolv.conf
mkfifo stdin ports
exec 3<>stdin
%s/.build/test/faultd . dead:dns <stdin >ports 3>&- &
read -r name port <ports
cd %s
sh -c %s
echo >&3
wait
]]

---What a command prints that runs in this folder, in such a network. It must
---succeed.
---@param command string
---@return string
function _M.run(command)
  local tree = shell.quote(shell.must("pwd"):sub(1, -2))
  return (namespace.must(NETWORK:format(tree, tree, shell.quote(command)),
    { cwd = shell.tmpdir() }))
end

return _M
