-- The C module, loaded when something in it is first called. Loading it brings
-- in libcurl and the thirty libraries that libcurl needs, some 3 ms of work and
-- their constructors, which `require "bitfront"` is not to cost: in nginx it
-- runs in the master process, before the workers are forked.

-- Lua 5.1 remembers that loading has begun and not why it failed: without this
-- the next call raised "loop or previous error".
local function load_core()
  local loaded, core = pcall(require, "bitfront.core")
  if loaded then return core end
  package.loaded["bitfront.core"] = nil
  error(core, 0)
end

return setmetatable({}, {
  __index = function(native, name)
    for key, value in pairs(load_core()) do
      native[key] = value
    end
    return rawget(native, name)
  end,
})
