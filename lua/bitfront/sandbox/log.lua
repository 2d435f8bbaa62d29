--- The arrival log: the last requests to the exchange, oldest first; and all of
-- them in its file.

local cjson = require "cjson"

local LONGEST = 10000

---@class bitfront.sandbox.Arrival  As each is told, in JSON.
---@field arrived_ms integer  Machine's clock.
---@field method string
---@field path string
---@field query string
---@field key? string|string[]  This and the next three: the headers as sent.
---@field timestamp? string|string[]
---@field nonce? string|string[]
---@field signature? string|string[]
---@field verdict integer  statusCode
---@field script? bitfront.sandbox.Step  What it was answered instead.
---@field down? boolean  true: it found the exchange down.

local log = {}
log.__index = log

function log:add(request, verdict, step, down)
  local arrival = {
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
    down = down or nil,
  }
  self.last = self.last + 1
  self.arrivals[self.last] = arrival
  self.arrivals[self.last - LONGEST] = nil
  self.file:add(cjson.encode(arrival))
end

--- A JSON array, one line for each arrival.
function log:json()
  local lines = {}
  for i = math.max(1, self.last - LONGEST + 1), self.last do
    lines[#lines + 1] = cjson.encode(self.arrivals[i])
  end
  return "[" .. table.concat(lines, ",\n") .. "]"
end

--- Forgets what arrived so far, in the file too.
function log:clear()
  self.arrivals, self.last = {}, 0
  self.file:clear()
end

local _M = {}

---@param file bitfront.sandbox.LogFile
function _M.new(file)
  return setmetatable({ arrivals = {}, last = 0, file = file }, log)
end

return _M
