-- The log of arrivals: the last requests to the exchange, oldest first; and all of
-- them in a file, which stays after the sandbox has ended. Where there is no file, the
-- sandbox answers all the same, and its error log says so once. Runs in nginx only.

local c_functions = require "bitfront.sandbox.c_functions"
local cjson = require "cjson"

local LONGEST = 10000

---@class bitfront.sandbox.Arrivals
---@field lines table<integer, string>  the last ones, numbered from the first on
---@field last integer
---@field file? file*
---@field message? string  why there is no file
---@field is_reported? boolean  whether the error log says that lines are missing
local arrivals = {}
arrivals.__index = arrivals

-- A line is written whole, or cut where the disk is full.
local function write(self, line)
  local ok, message = nil, self.message
  if self.file then ok, message = self.file:write(line .. "\n") end
  if ok or self.is_reported then return end
  self.is_reported = true
  ngx.log(ngx.ERR, "arrivals are missing from the file: ", message)
end

function arrivals:add(request, decision, step, down)
  local line = cjson.encode({
    arrived_ms = request.arrived, -- by the machine's clock
    method = request.method,
    path = request.path,
    query = request.query,
    key = request.key,
    timestamp = request.timestamp,
    nonce = request.nonce,
    signature = request.signature,
    traceparent = request.traceparent,
    verdict = decision.code,
    script = step, -- that was answered instead
    down = down or nil,
  }):gsub("\\/", "/") -- cjson escapes each slash
  self.last = self.last + 1
  self.lines[self.last] = line
  self.lines[self.last - LONGEST] = nil
  write(self, line)
end

--- A JSON array, one line for each arrival.
function arrivals:json()
  local first = math.max(1, self.last - LONGEST + 1)
  return "[" .. table.concat(self.lines, ",\n", first, self.last) .. "]"
end

--- Deletes what arrived so far, in the file too.
function arrivals:clear()
  self.lines, self.last = {}, 0
  if self.file then c_functions.empty(self.file) end
end

local _M = {}

--- Opens the file. Called with the rights of nginx's master, since the worker may have
--- none to the folder. Lines are appended, also after the file has been emptied, and
--- not buffered: each line is one write.
---@param path string
---@return bitfront.sandbox.Arrivals
function _M.open(path)
  local file, message = io.open(path, "ab")
  if file then file:setvbuf("no") end
  return setmetatable({ lines = {}, last = 0, file = file, message = message }, arrivals)
end

return _M
