-- Commands in a network and with mounts of their own, which they may change, whoever
-- runs the specs: what they set there (addresses, a name server) ends with them.

local shell = require "spec.support.shell"

local _M = {}

---Words before a command that is to run in new namespaces, where even loopback is
---down. Root needs none of users, in which nginx could not give files to nobody.
_M.UNSHARE = "PATH=$PATH:/usr/sbin:/sbin exec unshare --net --mount "
  .. (shell.must "id -u" == "0\n" and "" or "--user --map-current-user --keep-caps ")

local message -- why there can be none here; false where there can

---Ends a test as pending where the kernel permits no namespaces to this user.
---@param pending function # busted's, which only a spec's own file can name
function _M.needed(pending)
  if message == nil then
    local _, err, code = shell.run(_M.UNSHARE .. "true")
    message = code ~= 0 and "no namespaces for this user here: " .. err
  end
  if message then pending(message) end
end

---Runs a shell command in new namespaces.
---@param command string
---@param options? table # as shell.run's
---@return string stdout, string stderr, integer exit_code
function _M.run(command, options)
  return shell.run(_M.UNSHARE .. "sh -c " .. shell.quote(command), options)
end

---As run, for a command that must succeed.
---@return string stdout
function _M.must(command, options)
  return shell.must(_M.UNSHARE .. "sh -c " .. shell.quote(command), options)
end

return _M
