-- An nginx with this tree's module in it, for specs about what the module does
-- inside. It ends when its handle does, or the process that holds it.

local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

local CONFIG = [[
$(modules)
$(user)
daemon off;
worker_processes $(workers);
pid nginx.pid;
error_log error.log info;
$(main)
events { worker_connections 4096; }
$(stream)
http {
  access_log off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  keepalive_requests 100000000;
  lua_package_path "$(lua_path)";
  lua_package_cpath "$(lua_cpath)";
  $(http)
  server {
    listen 127.0.0.1:$(port);
    location = /ping { return 200 "pong"; }
    $(server)
  }
}
]]

-- Ends nginx when standard input does.
local RUN = [[
PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/local/openresty/nginx/sbin
cd "$1" && mkdir tmp || exit
exec 3<&0
env -i PATH="$PATH" $3 $4 "$2" -p "$1/" -c nginx.conf </dev/null 3<&- >out 2>&1 &
nginx=$!
{ cat; kill -TERM $nginx; } <&3 >/dev/null 2>&1 &
exec 3<&-
wait $nginx
echo $? >ended
]]

-- The folders where this tree's files for LuaJIT are.
local function paths()
  local text = shell.must([[
eval "$(${MAKE:-make} -s --no-print-directory env LUA=luajit)"
printf "%s\n" "$LUA_PATH" "$LUA_CPATH"]])
  return text:match "^([^\n]*)\n([^\n]*)\n"
end

-- The tree's module for LuaJIT, built once.
local built
local function build()
  if built then return end
  shell.must "${MAKE:-make} -s --no-print-directory LUA=luajit all"
  built = true
end

local function load_modules()
  local lines = {}
  for _, name in ipairs { "ndk_http_module.so", "ngx_http_lua_module.so",
                          "ngx_stream_module.so" } do
    local path = "/usr/lib/nginx/modules/" .. name
    if shell.read(path) then
      lines[#lines + 1] = "load_module " .. path .. ";"
    end
  end
  return table.concat(lines, "\n")
end

local function free_port()
  local out = shell.must(".build/test/faultd " .. shell.tmpdir() .. " free:closed",
    { stdin = "\n" })
  return out:match "^free (%d+)\n"
end

---@class WorkerOptions
---@field main? string  configuration at the top
---@field http? string  in http{}
---@field server? string  in the one server{}
---@field workers? integer  1 where not given
---@field under? string  the command that runs nginx, such as valgrind
---@field stream? string  a whole stream{}

---Starts it; it answers when this returns.
---@param options WorkerOptions
function _M.start(options)
  build()
  local dir, port = shell.tmpdir(), free_port()
  local lua_path, lua_cpath = paths()
  local root = shell.must("id -u"):match "^0\n"
  local values = {
    modules = load_modules(), user = root and "user root;" or "",
    workers = tostring(options.workers or 1), port = port,
    lua_path = lua_path, lua_cpath = lua_cpath,
    main = options.main or "", http = options.http or "",
    server = options.server or "", stream = options.stream or "",
  }
  shell.write(dir .. "/nginx.conf", (CONFIG:gsub("%$%(([%w_]+)%)", values)))
  shell.write(dir .. "/run.sh", RUN)
  local stdin = assert(io.popen(("exec sh %s/run.sh %s nginx %s 2>/dev/null"):format(
    dir, dir, options.under and shell.quote(options.under) or "''"), "w"))
  local self = setmetatable({
    dir = dir, port = port, stdin = stdin, url = "http://127.0.0.1:" .. port,
  }, meta)
  self:await("it does not start", function()
    return self:get "/ping" == "pong" or shell.read(dir .. "/ended")
  end, options.under and 30 or 5)
  assert(not shell.read(dir .. "/ended"), shell.read(dir .. "/out"))
  return self
end

---Waits for something to come true.
function methods:await(what, condition, seconds)
  for _ = 1, (seconds or 5) * 50 do
    local value = condition()
    if value then return value end
    shell.sleep(0.02)
  end
  error(("%s\n%s\n%s"):format(what, shell.read(self.dir .. "/out") or "",
    self:log()), 2)
end

---@return string body, integer status
function methods:get(path, more)
  local out = shell.run(("curl -s -m 30 -w '\\n%%{http_code}' %s %s"):format(
    more or "", shell.quote(self.url .. path)))
  local body, status = out:match "^(.*)\n(%d+)$"
  return body, tonumber(status)
end

---So many requests at once; their bodies, one after the other.
function methods:many(path, count, more)
  return (shell.run(("curl -sZ --no-progress-meter --parallel-immediate "
    .. "--parallel-max %d -m 60 %s %s"):format(count, more or "",
    shell.quote(("%s%s?[1-%d]"):format(self.url, path, count)))))
end

---What nginx has logged.
function methods:log()
  return shell.read(self.dir .. "/error.log") or ""
end

---The lines of the log that tell of trouble.
function methods:trouble()
  local lines = {}
  for line in self:log():gmatch "[^\n]+" do
    if line:find "%[warn%]" or line:find "%[error%]" or line:find "%[crit%]"
      or line:find "%[alert%]" or line:find "%[emerg%]" or line:find "exited on signal" then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

---The master's, or that of the only process.
function methods:pid()
  return tonumber((shell.read(self.dir .. "/nginx.pid") or ""):match "%d+")
end

---Of the workers that there are.
function methods:workers()
  local pids = {}
  for pid in shell.run("pgrep -P " .. self:pid()):gmatch "%d+" do
    pids[#pids + 1] = tonumber(pid)
  end
  table.sort(pids)
  return pids
end

function methods:signal(name)
  shell.must(("kill -%s %d"):format(name, self:pid()))
end

function _M.is_running(pid)
  local _, _, code = shell.run("kill -0 " .. pid)
  return code == 0
end

---Ends it, in the way of a signal; returns its exit code.
function methods:stop(name)
  if self.stdin then
    if not shell.read(self.dir .. "/ended") and self:pid() then
      local left = name == "KILL" and self:workers() or {} -- by their master
      shell.run(("kill -%s %d"):format(name or "TERM", self:pid()))
      for _, pid in ipairs(left) do shell.run("kill -KILL " .. pid) end
      self:await("it does not end", function()
        return shell.read(self.dir .. "/ended")
      end, 20)
    end
    self.stdin:close()
    self.stdin = nil
  end
  return tonumber(shell.read(self.dir .. "/ended"))
end

return _M
