-- usage: luajit luajit_lines.lua FILE
--
-- Prints the lines of a Lua file that LuaJIT has instructions of. In an expression of
-- several lines they are other ones than PUC Lua's.

local util = require "jit.util"

local function print_lines(prototype)
  local pc, constant = 1, -1
  while util.funcbc(prototype, pc) do
    print(util.funcinfo(prototype, pc).currentline)
    pc = pc + 1
  end
  while util.funck(prototype, constant) do
    local value = util.funck(prototype, constant)
    if type(value) == "proto" then print_lines(value) end
    constant = constant - 1
  end
end

print_lines(assert(loadfile(arg[1])))
