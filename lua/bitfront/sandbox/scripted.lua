--- Scripted replies: what the next requests are answered, whatever the rules
-- think of them. Requests are counted and logged as ever.

local cjson = require "cjson"
local damage = require "bitfront.sandbox.damage"
local rules = require "bitfront.sandbox.rules"
local values = require "bitfront.sandbox.values"

local _M = {}

---@class bitfront.sandbox.Step  A field left out: as without a script.
---@field statusCode? integer
---@field statusMessage? string
---@field http_status? integer  200 to 599
---@field latency_ms? integer  How long to wait before answering, instead of
---  the settings' latency and jitter.
---@field body? string  Instead of the envelope.
---@field damage? string  A name of damage.lua.
---@field times? integer  For how many requests; 1 when left out.
-- In statusMessage and body, $key and $signature stand for what was sent.

local function is_string(value)
  return type(value) == "string"
end

local fields = {
  statusCode = values.integer_within(0, 999999999),
  statusMessage = is_string,
  http_status = values.integer_within(200, 599),
  latency_ms = values.wait_ms,
  body = is_string,
  damage = damage.is_known,
  times = values.integer_within(1, 1000000),
}

local function check_step(step)
  if type(step) ~= "table" then return nil, "a step must be an object" end
  for name, value in pairs(step) do
    local check = fields[name]
    if not check then return nil, "a step has no " .. tostring(name) end
    if not check(value) then return nil, "a step cannot have this " .. name end
  end
  return true
end

--- Appends steps: one, or an array of them. All or none.
---@param script bitfront.sandbox.Step[]
---@param added table
---@return true? done
---@return string? message
function _M.add(script, added)
  local steps = (#added > 0 or next(added) == nil) and added or { added }
  for _, step in ipairs(steps) do
    local ok, message = check_step(step)
    if not ok then return nil, message end
  end
  for _, step in ipairs(steps) do
    step.left = step.times or 1
    script[#script + 1] = step
  end
  return true
end

--- Takes the step for the request that is being answered.
---@param script bitfront.sandbox.Step[]
---@return bitfront.sandbox.Step?
function _M.next(script)
  local step = script[1]
  if not step then return nil end
  step.left = step.left - 1
  if step.left == 0 then table.remove(script, 1) end
  return step
end

--- The body that a step asks for; where it asks for none, the verdict's.
function _M.body(step, request, verdict, now)
  local sent = { key = request.headers["x-api-key"],
                 signature = request.headers["x-api-sign"] }
  local function filled(text)
    return (text:gsub("%$(%l+)", sent))
  end
  if step.body then return filled(step.body) end
  if step.statusCode and step.statusCode ~= verdict.code then
    verdict = { code = step.statusCode }
  end
  local message = step.statusMessage
  return rules.body(verdict, now, message and cjson.encode(filled(message)))
end

return _M
