--- Long computing in a request, between which the worker answers others.

local native = require "bitfront.native"

local _M = {}

local LONGEST = 0.02 -- seconds of computing at a stretch
local PAUSE = 0.001 -- seconds; nginx complains of 0 where it lacks a patch of OpenResty's

--- What to call between two pieces of work of a request: it lets others have their turn
--- where this one has computed for long.
---@return fun() pause
function _M.new()
  local began = native.now()
  return function()
    if native.now() - began < LONGEST then return end
    ngx.sleep(PAUSE)
    began = native.now()
  end
end

return _M
