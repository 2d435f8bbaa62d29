-- Finds an nginx that has ngx_lua, configures it, starts it and ends it.

local example = require "bitfront.sandbox.example"
local machine = require "bitfront.sandbox.machine"

local _M = {}

local CANDIDATES = { "openresty", "nginx" }

-- An ordinary user's PATH leaves these out.
local PATH = [[
  PATH=$PATH:/usr/sbin:/usr/local/sbin
  PATH=$PATH:/usr/local/openresty/bin:/usr/local/openresty/nginx/sbin
]]

local MISSING = [[
the sandbox needs nginx with ngx_lua, and found none.
  Debian, Ubuntu:  apt-get install nginx libnginx-mod-http-lua lua-cjson
  Alpine:          apk add nginx nginx-mod-http-lua lua5.1-cjson
  others:          OpenResty, https://openresty.org/en/installation.html]]

-- Paths are relative to the state folder, nginx's prefix, except what is
-- installed elsewhere. The worker runs without root's rights where nginx is
-- started as root: whatever it needs is read before. It needs no temporary
-- files either, since bodies fit their buffer; nginx insists on the folders.
local CONFIG = [[
$(load_modules)
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 1024; }

http {
  access_log off;
  server_tokens off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  client_max_body_size 1m;
  client_body_buffer_size 1m;
  keepalive_requests 100000000;

  lua_package_path $(lua_path);
  lua_socket_log_errors off;
  init_by_lua_block { require("bitfront.sandbox.server").init() }
  init_worker_by_lua_block { require("bitfront.sandbox.server").end_with_master() }

  server {
    listen 127.0.0.1:$(port) ssl;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_protocols TLSv1.2 TLSv1.3;

    location / {
      content_by_lua_block { require("bitfront.sandbox.server").answer() }
    }
    location /sandbox/ {
      content_by_lua_block { require("bitfront.sandbox.server").control() }
    }
    # The same reply each time, without a rule: for benchmarks.
    location = /static/v1/account/balances {
      default_type application/json;
      return 200 '$(example)';
    }
    location @reset {
      reset_timedout_connection on;
      return 444;
    }
  }
}
]]

---@param text string
---@return string  one word of nginx.conf, whatever is in it
function _M.quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- What must be loaded for ngx_lua, as configuration text; "" where it is built in,
-- nil where there is none.
local function load_modules(build)
  if build:find("ngx_lua") or build:find("lua%-nginx%-module") then return "" end
  local folder = build:match("%-%-modules%-path=(%S+)")
  local lines = {}
  for i, name in ipairs { "ndk_http_module.so", "ngx_http_lua_module.so" } do
    local path = folder and folder .. "/" .. name
    if not (path and machine.run('[ -r "$1" ]', path)) then return nil end
    lines[i] = "load_module " .. _M.quoted(path) .. ";"
  end
  return table.concat(lines, "\n")
end

---@class bitfront.sandbox.Nginx
---@field command string  with its folder
---@field load_modules string

---@return bitfront.sandbox.Nginx?
---@return string? message
function _M.find()
  for _, name in ipairs(CANDIDATES) do
    local ok, output = machine.run(PATH .. 'command -v "$1" && "$1" -V', name)
    local modules = ok and load_modules(output)
    if modules then return { command = output:match "[^\n]+", load_modules = modules } end
  end
  return nil, MISSING
end

local function configuration(nginx, port)
  return (CONFIG:gsub("%$%(([%w_]+)%)", {
    load_modules = nginx.load_modules,
    lua_path = _M.quoted(machine.lua_folder() .. "/?.lua;;"),
    port = tostring(port),
    example = example.reply,
  }))
end

-- is_master FOLDER PID: whether this is the folder's nginx, and not a later process with
-- the same number. A zombie has no command line.
-- master FOLDER: prints the pid of the nginx that runs in a folder.
-- within_2s COMMAND: waits until the command succeeds.
-- stop FOLDER PID: ends that nginx, and waits for its end.
local FUNCTIONS = [[
  is_master() {
    if [ -r "/proc/$2/cmdline" ]
    then title=$(tr '\0' ' ' < "/proc/$2/cmdline")
    else title=$(ps -o args= -p "$2")
    fi
    case $title in
      *"master process"*" -p $1/ "*) ;;
      *) return 1 ;;
    esac
  } 2>/dev/null
  master() {
    read -r pid < "$1/nginx.pid" && is_master "$1" "$pid" && echo "$pid"
  } 2>/dev/null
  within_2s() {
    tries=40
    until "$@"; do
      [ $((tries -= 1)) -gt 0 ] || return 1
      sleep 0.05
    done
  }
  has_ended() { ! is_master "$1" "$2"; }
  stop() { kill -TERM "$2" && within_2s has_ended "$1" "$2"; }
]]

-- A clean environment: LUA_CPATH may name modules built for another Lua, which
-- nginx's own would load. (PATH, long as it is, also leaves room for the title
-- by which `is_master` knows the process: nginx writes it over its environment.)
-- When the command returns, nginx listens; it may not have its pid file yet.
local START = PATH .. FUNCTIONS .. [[
  cd "$2" && rm -f nginx.pid && mkdir -p tmp &&
  env -i PATH="$PATH" "$1" -p "$2/" -c nginx.conf || exit 1
  within_2s master "$2" || { echo "it has no pid file"; exit 1; }
]]

--- Starts nginx in a state folder. It answers when this returns.
---@param nginx bitfront.sandbox.Nginx
---@param dir string
---@param port integer
---@return true? done
---@return string? message
---@return boolean? taken  whether another process has the port
function _M.start(nginx, dir, port)
  local ok, message = machine.write(dir .. "/nginx.conf", configuration(nginx, port))
  if not ok then return nil, message end
  local started, output = machine.run(START, nginx.command, dir)
  if started then return true end
  return nil, "nginx did not start: " .. output,
    output:find("bind%(%).*[Aa]ddress.-in use") ~= nil
end

---@param dir string
---@return integer? pid  of the master; nil: none runs in this folder
function _M.pid(dir)
  local ok, output = machine.run(FUNCTIONS .. 'master "$1"', dir)
  return ok and tonumber(output) or nil
end

---@param dir string
---@param pid integer
---@return true? done
---@return string? message
function _M.stop(dir, pid)
  if machine.run(FUNCTIONS .. 'stop "$1" "$2"', dir, pid) then return true end
  return nil, ("nginx, process %d, does not stop"):format(pid)
end

-- Writes a line each second: that fails once the process that started the sandbox has
-- ended, however it ended. Where there is a setsid, the guard has a session of its own,
-- as nginx has: a signal to the group of that process must not end the guard and leave
-- nginx. The guard ends after nginx, so that who waits for the guard's end waits for
-- nginx's.
local GUARD = FUNCTIONS .. [[
  end() {
    trap '' INT TERM HUP
    is_master "$1" "$2" && stop "$1" "$2"
    exit
  }
  trap 'end "$@"' INT TERM HUP
  trap '' PIPE
  while is_master "$1" "$2" && echo; do sleep 1; done
  end "$@"
]]

--- Ties a running nginx to this process: it ends when this process does.
---@param dir string
---@param pid integer
---@return file* lines  until nginx ends
function _M.guard(dir, pid)
  local guard = 'exec 2>/dev/null\nexec $(command -v setsid) sh -c "$1" sh "$2" "$3"'
  return assert(io.popen(machine.with_arguments(guard, GUARD, dir, pid), "r"))
end

return _M
