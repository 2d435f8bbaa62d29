-- Scripted replies: the next requests get these instead of the rules' answers. Requests
-- are counted and logged as without a script.

local check = require "bitfront.check"
local cjson = require "cjson"
local damage = require "bitfront.sandbox.damage"
local misuse = require "bitfront.misuse"
local rules = require "bitfront.sandbox.rules"

local _M = {}

local function text(value)
  return type(value) == "string", "a text"
end

--- The fields of a step; one that is left out is as without a script. In
--- statusMessage and body, $key and $signature stand for what was sent.
---@type table<string, bitfront.OptionRow>
_M.fields = {
  statusCode = { check = check.whole(0, 999999999),
    about = "instead of the rules' own" },
  statusMessage = { check = text, about = "instead of the code's own" },
  http_status = { check = check.whole(200, 599),
    about = "instead of 200" },
  latency_ms = { check = rules.latency,
    about = "how long to wait before the reply, instead of the settings' latency and jitter" },
  body = { check = text, about = "instead of the envelope" },
  damage = { check = damage.is_known, about = "how the reply is damaged" },
  times = { check = check.whole(1, 1000000),
    about = "for how many requests; 1 when left out" },
}

--- Appends steps: one, or an array of them. All or none.
---@param script table[]
---@param added table
---@return true? done
---@return string? message
function _M.add(script, added)
  local steps = (#added > 0 or next(added) == nil) and added or { added }
  for _, step in ipairs(steps) do
    local ok, caught = pcall(check.options, "step", step, _M.fields)
    if not ok then return nil, misuse.text_of(caught) end
  end
  for _, step in ipairs(steps) do
    step.left = step.times or 1
    script[#script + 1] = step
  end
  return true
end

--- Takes the step for the request that is being answered.
---@param script table[]
---@return table? step
function _M.next(script)
  local step = script[1]
  if not step then return nil end
  step.left = step.left - 1
  if step.left == 0 then table.remove(script, 1) end
  return step
end

--- The body that a step asks for; where it asks for none, the decision's.
function _M.body(step, request, decision, now)
  local sent = { key = request.key, signature = request.signature }
  local function substitute(template)
    return (template:gsub("%$(%l+)", sent))
  end
  if step.body then return substitute(step.body) end
  if step.statusCode and step.statusCode ~= decision.code then
    decision = { code = step.statusCode }
  end
  local message = step.statusMessage
  return rules.body(decision, now, message and cjson.encode(substitute(message)))
end

return _M
