--- The arrival log's file: a line for each arrival, for who wants to know after
-- the sandbox has ended, or of more arrivals than it remembers. Without a file
-- the sandbox goes on, and says so once. Runs in nginx only.

local ffi = require "ffi"

ffi.cdef [[
  int fileno(void *stream);
  int ftruncate(int fd, long length);
]]

---@class bitfront.sandbox.LogFile
---@field handle? file*
---@field trouble? string  Why there is no handle.
---@field told? boolean  Has the error log been told?
local log_file = {}
log_file.__index = log_file

local function tell(self, trouble)
  if self.told then return end
  self.told = true
  ngx.log(ngx.ERR, "arrivals are missing from the file: ", trouble)
end

--- Adds a line. It is written whole, or cut where the disk is full.
---@param line string
function log_file:add(line)
  local ok, trouble = nil, self.trouble
  if self.handle then ok, trouble = self.handle:write(line .. "\n") end
  if not ok then tell(self, trouble) end
end

--- Empties the file.
function log_file:clear()
  if self.handle then
    ffi.C.ftruncate(ffi.C.fileno(self.handle), 0)
  end
end

local _M = {}

--- Opens the file while nginx has its master's rights: the worker, which gets
-- the handle from it, may have none to the folder. What is written goes to the
-- end of the file, also where that has been emptied since. Nothing is buffered,
-- so that each line is one write.
---@param path string
---@return bitfront.sandbox.LogFile
function _M.open(path)
  local handle, trouble = io.open(path, "ab")
  if handle then handle:setvbuf("no") end
  return setmetatable({ handle = handle, trouble = trouble }, log_file)
end

return _M
