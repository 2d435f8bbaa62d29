-- Forked processes, on LuaJIT.

local ffi = require "ffi"

ffi.cdef [[
  int fork(void); int waitpid(int, int *, int);
  void _exit(int); void exit(int);
]]

local _M = {}

---Runs the function in a forked process; true if it returned true there.
---@param action fun(): any
---@param ending? "exit"  ends as programs do; else at once
---@return boolean
function _M.in_child(action, ending)
  local status = ffi.new "int[1]"
  local pid = ffi.C.fork()
  if pid == 0 then
    local ok, result = pcall(action)
    ffi.C[ending or "_exit"](ok and result and 0 or 1)
  end
  ffi.C.waitpid(pid, status, 0)
  return status[0] == 0
end

return _M
