--- One start at a time in a state folder: two at the same instant would each
-- find that none runs there, and one of their nginxes could not be found again.

local shell = require "bitfront.sandbox.shell"

local _M = {}

-- A symbolic link is made whole, with its owner's pid in it, or not at all. One
-- whose owner has died is taken away. $PPID is the process that runs Lua.
local TAKE = [[
  take() {
    ln -s "$PPID" "$1/starting" && return
    owner=$(readlink "$1/starting") && ! kill -0 "$owner" && rm -f "$1/starting"
    return 1
  } 2>/dev/null
  tries=200
  until take "$1"; do
    [ $((tries -= 1)) -gt 0 ] || exit 1
    sleep 0.05
  done
]]

--- Calls action(...) while no other process does so for this folder.
---@param dir string
---@param action function
---@return any ...  What it returns; nil and a message where the wait is too long.
function _M.hold(dir, action, ...)
  if not shell.run(TAKE, dir) then
    return nil, "another start is under way in " .. dir
  end
  local ok, result, message = pcall(action, ...)
  os.remove(dir .. "/starting")
  if not ok then error(result, 0) end
  return result, message
end

return _M
