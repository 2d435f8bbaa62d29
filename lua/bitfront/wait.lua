-- The ways to wait: for a server, and for time to pass. There is one engine; the
-- ways differ in what else runs meanwhile.

local native = require "bitfront.native"

local _M = {}

--- How a call waits.
---@class bitfront.Waiter
---@field sleep fun(seconds: number)
---@field read fun(request: bitfront.Request, release: bitfront.Release?): (any, table?, table?)  makes one attempt: the value, the error, and what is known of the attempt

--- Called where a waiter finds the caller of `read` killed: releases what the caller
--- would have released. No upvalue of it may be a local of the caller's coroutine,
--- whose stack no longer exists then.
---@alias bitfront.Release fun(is_unanswered: boolean)  true: the server may still read the request

-- A signal is noticed when Lua runs again: one that comes just before a sleep
-- ends none.
local LONGEST_SLEEP = 0.25

--- Blocks this process.
function _M.block(seconds)
  local due = native.now() + seconds
  local left = seconds
  while left > 0 do
    native.sleep(math.min(left, LONGEST_SLEEP))
    left = due - native.now()
  end
end

-- Plain Lua: there is nobody else.
local inline = {
  sleep = _M.block,
  read = function(request) return native.get(request) end,
}

local SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.001, 0.01

--- Seconds between two polls of exchanges that have run for so long: a tenth of it,
--- so that polling neither costs much nor makes a call much longer.
function _M.poll_interval(seconds_so_far)
  return math.min(LONGEST_INTERVAL, math.max(SHORTEST_INTERVAL, seconds_so_far / 10))
end

--- A way to wait over the engine's exchanges.
---@param sleep fun(seconds: number)
---@param await fun(exchange: userdata)  returns when the exchange is done
---@return bitfront.Waiter
function _M.new(sleep, await)
  return {
    sleep = sleep,
    read = function(request)
      local exchange, err = native.start(request)
      if not exchange then return nil, err end
      await(exchange)
      return exchange:finish()
    end,
  }
end

-- Under a scheduler: its other coroutines run while `sleep` does.
local function stepped(sleep)
  return _M.new(sleep, function(exchange)
    local begun = native.now()
    native.step(0)
    while not exchange:done() do
      sleep(_M.poll_interval(native.now() - begun))
      native.step(0)
    end
  end)
end

--- Is this a worker of nginx, which has its own way?
function _M.is_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase ~= nil
end

--- The way of a client with this `sleep` option.
---@param sleep? fun(seconds: number)  of a scheduler
---@return bitfront.Waiter
function _M.by(sleep)
  if _M.is_nginx() then
    require "bitfront.wait.nginx" -- later there may be no descriptor to load it with
  end
  return sleep and stepped(sleep) or inline
end

--- The way to wait here and now.
---@param own bitfront.Waiter  the client's
---@return bitfront.Waiter?
---@return table? err  kind phase: nothing can wait here
function _M.choose(own)
  if _M.is_nginx() then
    return require "bitfront.wait.nginx".waiter()
  end
  return own
end

return _M
