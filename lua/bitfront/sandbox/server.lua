-- Inside nginx: passes its requests to the exchange's rules. nginx runs one worker
-- process, so the exchange is a plain Lua table and counting is exact.

local accounts_file = require "bitfront.sandbox.accounts_file"
local arrivals = require "bitfront.sandbox.arrivals"
local c_functions = require "bitfront.sandbox.c_functions"
local control = require "bitfront.sandbox.control"
local damage = require "bitfront.sandbox.damage"
local example = require "bitfront.sandbox.example"
local machine = require "bitfront.sandbox.machine"
local rules = require "bitfront.sandbox.rules"
local scripted = require "bitfront.sandbox.scripted"

local _M = {}

local A_DAY_MS = 86400000

local state -- see control.lua

-- ngx.now() is the time at which nginx last read the clock.
local function machine_ms()
  ngx.update_time()
  return math.floor(ngx.now() * 1000 + 0.5)
end

--- Called once, as nginx starts and still has its master's rights.
function _M.init()
  math.randomseed(os.time() + ngx.worker.pid())
  local dir = ngx.config.prefix()
  local accounts = machine.read(dir .. "accounts.json") or example.accounts
  state = control.new_state(assert(accounts_file.parse(accounts)),
    arrivals.open(dir .. "arrivals.log"))
end

--- A worker whose master was killed (SIGKILL) would keep the port for good: it ends
--- within a second.
function _M.end_with_master()
  ngx.timer.every(1, function(premature)
    if not premature and c_functions.is_orphan() then os.exit(1) end
  end)
end

---@return bitfront.sandbox.Request
local function read_request()
  local arrived = machine_ms()
  ngx.req.read_body()
  local path, query = ngx.var.request_uri:match("^([^?]*)%??(.*)$")
  local headers = ngx.req.get_headers(0)
  return {
    arrived = arrived,
    method = ngx.req.get_method(),
    path = path,
    query = query,
    body = ngx.req.get_body_data() or "",
    key = headers["x-api-key"],
    timestamp = headers["x-api-timestamp"],
    nonce = headers["x-api-nonce"],
    signature = headers["x-api-sign"],
    traceparent = headers.traceparent,
    control = headers["x-bitfront-sandbox"],
  }
end

local function send(status, body)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json;charset=UTF-8"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

-- Sends bytes past nginx's own HTTP, and ends the connection as damage.lua says.
local function send_raw(bytes, ending)
  if ending == "reset" then return ngx.exec("@reset") end
  local socket = assert(ngx.req.socket(true))
  socket:settimeout(A_DAY_MS)
  socket:send(bytes) -- a client may close before the end
  if ending == "hang" then socket:receive("*a") end
  if ending == "cut" then ngx.exit(ngx.HTTP_CLOSE) end
end

-- Waits as long as the step says, else as the settings do, with a jitter of its own for
-- each reply. (Not ngx.sleep(0): that lets other requests run first.)
local function wait(step)
  local settings = state.exchange.settings
  local ms = step and step.latency_ms
    or settings.latency_ms + math.random(0, settings.jitter_ms)
  if ms > 0 then ngx.sleep(ms / 1000) end
end

local function answer_by_script(step, request, decision)
  local now = rules.clock(state.exchange, machine_ms())
  local body = scripted.body(step, request, decision, now)
  if step.damage then
    send_raw(damage.apply(step.damage, body))
  else
    send(step.http_status or 200, body)
  end
end

--- Answers a request to the exchange. One that arrives while it is down counts and is
--- logged too, and takes no step of the script.
function _M.answer()
  local request = read_request()
  local down = state.exchange.settings.down
  local decision = rules.judge(state.exchange, request)
  local step = not down and scripted.next(state.script) or nil
  state.arrivals:add(request, decision, step, down)
  if down then return send_raw("", "reset") end
  wait(step)
  if step then return answer_by_script(step, request, decision) end
  send(200, rules.body(decision, rules.clock(state.exchange, machine_ms())))
end

--- Answers a request to the control endpoint.
function _M.control()
  send(control.answer(state, read_request()))
end

return _M
