-- The control endpoint, /sandbox/: for tests that need the exchange in a certain
-- state. Bodies are JSON both ways; an error is HTTP 400, 403 or 404 with
-- {"error": text}.
--
-- Each call needs the header `X-Bitfront-Sandbox: control`. A web page cannot send it
-- to another origin, so no page in a user's browser can call this.

local accounts_file = require "bitfront.sandbox.accounts_file"
local check = require "bitfront.check"
local cjson = require "cjson.safe"
local damage = require "bitfront.sandbox.damage"
local misuse = require "bitfront.misuse"
local rules = require "bitfront.sandbox.rules"
local scripted = require "bitfront.sandbox.scripted"

local _M = {}

--- The state at the start, with an empty log.
---@param by_key table<string, bitfront.sandbox.Account>
---@param arrivals bitfront.sandbox.Arrivals
function _M.new_state(by_key, arrivals)
  arrivals:clear()
  return {
    accounts_at_start = by_key,
    arrivals = arrivals,
    exchange = rules.new(by_key),
    script = {},
  }
end

local function read_settings(state)
  return cjson.encode(state.exchange.settings)
end

local function change_settings(state, changes)
  local ok, caught = pcall(check.options, "settings", changes, rules.settings)
  if not ok then return nil, misuse.text_of(caught) end
  for name, value in pairs(changes) do state.exchange.settings[name] = value end
  return read_settings(state)
end

local function replace_accounts(state, body)
  local by_key, message = accounts_file.parse(body)
  if not by_key then return nil, message end
  state.exchange.accounts = by_key
end

local function append_steps(state, steps)
  local _, message = scripted.add(state.script, steps)
  return nil, message
end

-- In the order of the list, and one line for each.
local function list_damages()
  local lines = {}
  for i, row in ipairs(damage.list) do
    lines[i] = ("%s: %s"):format(cjson.encode(row.name), cjson.encode(row.about))
  end
  return "{\n" .. table.concat(lines, ",\n") .. "\n}\n"
end

local function reset(state)
  local new = _M.new_state(state.accounts_at_start, state.arrivals)
  for name, value in pairs(new) do state[name] = value end
end

-- A call that takes an object or an array.
local function of_json(call)
  return function(state, body)
    local value = cjson.decode(body)
    if type(value) ~= "table" then return nil, "the body must be JSON" end
    return call(state, value)
  end
end

-- Each returns the JSON of its reply, nil for {}; and a message where it failed.
local calls = {
  ["GET /sandbox/settings"] = read_settings,
  ["POST /sandbox/settings"] = of_json(change_settings), -- those given: {"limits": false}
  ["POST /sandbox/accounts"] = replace_accounts, -- all of them
  ["GET /sandbox/log"] = function(state) return state.arrivals:json() end,
  ["DELETE /sandbox/log"] = function(state) state.arrivals:clear() end,
  ["POST /sandbox/script"] = of_json(append_steps), -- for the next replies
  ["DELETE /sandbox/script"] = function(state) state.script = {} end,
  ["GET /sandbox/damages"] = list_damages,
  ["POST /sandbox/reset"] = reset, -- everything as it was at the start
}

local function failure(message)
  return (cjson.encode { error = message }:gsub("\\/", "/")) -- cjson escapes each slash
end

---@param request bitfront.sandbox.Request
---@return integer http_status
---@return string json
function _M.answer(state, request)
  if request.control ~= "control" then
    return 403, failure "the header X-Bitfront-Sandbox: control is missing"
  end
  local call = calls[request.method .. " " .. request.path]
  if not call then return 404, failure "there is no such control call" end
  local json, message = call(state, request.body)
  if message then return 400, failure(message) end
  return 200, json or "{}"
end

return _M
