--- What `bitfront nginx-conf` prints: the example, for this machine and this tree; or
-- what watches such a site.

local alerts = require "bitfront.nginx.alerts"
local conf_example = require "bitfront.nginx.conf_example"
local dashboard = require "bitfront.nginx.dashboard"
local machine = require "bitfront.sandbox.machine"
local native = require "bitfront.native"
local nginx_process = require "bitfront.sandbox.nginx_process"
local streams = require "bitfront.cli.streams"

local quoted = nginx_process.quoted
local OWN_VERSION = "/" .. _VERSION:match "%d+%.%d+" .. "$"

-- As Debian's nginx has it, for a machine on which none was found.
local ELSEWHERE = { command = "nginx", load_modules = "include /etc/nginx/modules-enabled/*.conf;" }

local _M = {}

-- A folder of modules, or the one beside it that is for nginx's LuaJIT.
local function for_luajit(folder)
  return (folder:gsub(OWN_VERSION, "/5.1"))
end

local function print_conf()
  local nginx = nginx_process.find() or ELSEWHERE
  local lua = for_luajit(machine.lua_folder())
  local modules = for_luajit(machine.folder(native.versions().core.file, ".."))
  streams.write(conf_example {
    command = nginx.command, load_modules = nginx.load_modules,
    lua_path = quoted(("%s/?.lua;%s/?/init.lua;;"):format(lua, lua)),
    lua_cpath = quoted(modules .. "/?.so;;"),
  })
  if not machine.run('[ -r "$1" ]', modules .. "/bitfront/core.so") then
    streams.say(("nginx needs bitfront for Lua 5.1 (LuaJIT): %s has none; install it there "
      .. "too, with luarocks --lua-version 5.1 or make install LUA=luajit"):format(modules))
  end
end

---@param args table  dashboard, alerts: true to print that instead
function _M.run(args)
  if args.dashboard then return streams.write(dashboard) end
  if args.alerts then return streams.write(alerts) end
  print_conf()
end

return _M
