-- The C module, loaded when something in it is first called. Loading it brings
-- in libcurl and the thirty libraries that libcurl needs, some 3 ms of work and
-- their constructors, which `require "bitfront"` is not to cost: in nginx it
-- runs in the master process, before the workers are forked.

return setmetatable({}, {
  __index = function(native, name)
    for key, value in pairs(require "bitfront.core") do
      native[key] = value
    end
    return rawget(native, name)
  end,
})
