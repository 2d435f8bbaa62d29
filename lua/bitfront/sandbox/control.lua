--- The control endpoint, /sandbox/: for tests that need the exchange in a
-- certain state. Bodies are JSON both ways; an error is HTTP 400 or 404 with
-- {"error": text}.
--
--     GET    /sandbox/settings   the settings (rules.lua)
--     POST   /sandbox/settings   changes those given: {"limits": false}
--     POST   /sandbox/accounts   replaces all accounts (accounts.lua)
--     GET    /sandbox/log        arrivals, oldest first (log.lua)
--     DELETE /sandbox/log        forgets them, in arrivals.log too
--     POST   /sandbox/script     appends steps for next replies (script.lua)
--     DELETE /sandbox/script
--     GET    /sandbox/damages    the damages' names, and what each does
--     POST   /sandbox/reset      everything as it was at the start
--
-- Each needs the header `X-Bitfront-Sandbox: control`. A web page cannot send
-- it to another origin, so none can reach in here through a user's browser.

local accounts = require "bitfront.sandbox.accounts"
local cjson = require "cjson.safe"
local damage = require "bitfront.sandbox.damage"
local rules = require "bitfront.sandbox.rules"
local script = require "bitfront.sandbox.scripted"
local values = require "bitfront.sandbox.values"

local _M = {}

--- The state at the start; the log is begun anew.
---@param by_key table<string, bitfront.sandbox.Account>
function _M.new_state(by_key, log)
  log:clear()
  return {
    accounts_at_start = by_key,
    exchange = rules.new(by_key),
    log = log,
    script = {},
  }
end

local function one_of(...)
  local allowed = {}
  for _, value in ipairs { ... } do allowed[value] = true end
  return function(value) return allowed[value] end
end

local function is_boolean(value)
  return type(value) == "boolean"
end

local settings = {
  clock_offset_ms = function(value)
    return type(value) == "number" and value % 1 == 0
  end,
  limits = is_boolean,
  balance_as = one_of("array", "object"),
  down = is_boolean,
  latency_ms = values.wait_ms,
  jitter_ms = values.wait_ms,
}

local function check_settings(wanted)
  for name, value in pairs(wanted) do
    local check = settings[name]
    if not check then return nil, "there is no setting " .. tostring(name) end
    if not check(value) then return nil, name .. " cannot be that" end
  end
  return true
end

local function read_settings(state)
  return cjson.encode(state.exchange.settings)
end

local function decode_object(body)
  local value = cjson.decode(body)
  if type(value) ~= "table" then return nil, "a JSON body is wanted" end
  return value
end

local function change_settings(state, body)
  local wanted, message = decode_object(body)
  if not wanted then return nil, message end
  local ok, refusal = check_settings(wanted)
  if not ok then return nil, refusal end
  for name, value in pairs(wanted) do
    state.exchange.settings[name] = value
  end
  return read_settings(state)
end

local function replace_accounts(state, body)
  local by_key, message = accounts.parse(body)
  if not by_key then return nil, message end
  state.exchange.accounts = by_key
  return "{}"
end

local function read_log(state)
  return state.log:json()
end

local function clear_log(state)
  state.log:clear()
  return "{}"
end

local function append_script(state, body)
  local steps, message = decode_object(body)
  if not steps then return nil, message end
  local ok, refusal = script.add(state.script, steps)
  return ok and "{}", refusal
end

local function clear_script(state)
  state.script = {}
  return "{}"
end

local function list_damages()
  return cjson.encode(damage.described())
end

local function reset(state)
  local anew = _M.new_state(state.accounts_at_start, state.log)
  for name, value in pairs(anew) do
    state[name] = value
  end
  return "{}"
end

local calls = {
  ["GET /sandbox/settings"] = read_settings,
  ["POST /sandbox/settings"] = change_settings,
  ["POST /sandbox/accounts"] = replace_accounts,
  ["GET /sandbox/log"] = read_log,
  ["DELETE /sandbox/log"] = clear_log,
  ["POST /sandbox/script"] = append_script,
  ["DELETE /sandbox/script"] = clear_script,
  ["GET /sandbox/damages"] = list_damages,
  ["POST /sandbox/reset"] = reset,
}

local function failure(message)
  return cjson.encode { error = message }
end

---@param request bitfront.sandbox.Request
---@return integer http_status
---@return string json
function _M.answer(state, request)
  if request.headers["x-bitfront-sandbox"] ~= "control" then
    return 403, failure "the header X-Bitfront-Sandbox: control is missing"
  end
  local call = calls[request.method .. " " .. request.path]
  if not call then return 404, failure "there is no such control call" end
  local body, message = call(state, request.body)
  if not body then return 400, failure(message) end
  return 200, body
end

return _M
