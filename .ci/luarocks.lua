-- usage: luarocks test ROCKSPEC [-- BUSTED ARGUMENTS]
--
-- Builds the tree for the Lua that LuaRocks runs this with, and runs the specs that
-- start no server, or those that the arguments name. Installs nothing.

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local lua, arguments = quote(arg[-1]), {}
for i, argument in ipairs(arg) do arguments[i] = quote(argument) end
local specs = arguments[1] and lua .. " " .. table.concat(arguments, " ") or "check " .. lua

-- The specs look where this Lua does: there LuaRocks has put busted. "make env" reads
-- the variables that carry the version, but for 5.1.
local version = _VERSION == "Lua 5.1" and "" or _VERSION:gsub("^Lua (%d)%.", "_%1_")
local result = os.execute(("export LUA_PATH%s=%s LUA_CPATH%s=%s; "
  .. "make -s LUA=%s all helpers && .ci/test %s"):format(version, quote(package.path),
  version, quote(package.cpath), lua, specs))
os.exit((result == 0 or result == true) and 0 or 1)
