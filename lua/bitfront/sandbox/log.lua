--- The arrival log: the last requests to the exchange, oldest first.

local cjson = require "cjson"

local LONGEST = 10000

local log = {}
log.__index = log

function log:add(request, verdict, step, down)
  self.last = self.last + 1
  self[self.last] = {
    arrived_ms = request.arrived,
    method = request.method,
    path = request.path,
    query = request.query,
    key = request.headers["x-api-key"],
    timestamp = request.headers["x-api-timestamp"],
    nonce = request.headers["x-api-nonce"],
    signature = request.headers["x-api-sign"],
    verdict = verdict.code,
    script = step,
    down = down or nil, -- it found the exchange down
  }
  self[self.last - LONGEST] = nil
end

--- A JSON array, one line for each arrival.
function log:json()
  local lines = {}
  for i = math.max(1, self.last - LONGEST + 1), self.last do
    lines[#lines + 1] = cjson.encode(self[i])
  end
  return "[" .. table.concat(lines, ",\n") .. "]"
end

local _M = {}

function _M.new()
  return setmetatable({ last = 0 }, log)
end

return _M
