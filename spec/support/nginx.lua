-- An nginx with ngx_lua and this tree's modules in it, for specs about what they do
-- inside. It ends when its handle does, or the process that holds it.

local nginx_process = require "bitfront.sandbox.nginx_process"
local ports = require "bitfront.sandbox.ports"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

-- Where root runs the specs, the workers stay root, so that they can read the
-- tree; elsewhere the directive does nothing but complain.
local CONFIG = [[
$(modules)
$(user)
worker_processes $(workers);
pid nginx.pid;
error_log error.log info;
$(main)
events { worker_connections $(connections); }
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
    listen 127.0.0.1:$(port)$(spread);
    listen unix:$(dir)/socket;
    location = /ping { return 200 "pong"; }
    $(server)
  }
}
]]

-- Ends nginx when standard input does. An empty environment: LUA_CPATH names
-- modules for the Lua of the specs. Shells often begin with 1024 descriptors.
local RUN = [[
PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/local/openresty/nginx/sbin
cd "$1" && mkdir -p tmp && ulimit -Sn "$(ulimit -Hn)" || exit
exec 3<&0
env -i PATH="$PATH" $(env) $(under) $(nginx) -g "daemon off;" -p "$1/" \
  -c nginx.conf </dev/null 3<&- >out 2>&1 &
nginx=$!
{ cat; kill -TERM $nginx; } <&3 >/dev/null 2>&1 &
exec 3<&-
wait $nginx
echo $? >ended
]]

-- The folders where this tree's files for LuaJIT are, with the module of a build.
local function paths(build)
  local text = shell.must([[
eval "$(${MAKE:-make} -s --no-print-directory env LUA=luajit)"
printf "%s\n" "$LUA_PATH" "$LUA_CPATH"]], { env = { BUILD = build } })
  return text:match "^([^\n]*)\n([^\n]*)\n"
end

-- The tree's module for LuaJIT, built once.
local built
local function build()
  if built then return end
  shell.must "${MAKE:-make} -s --no-print-directory LUA=luajit all"
  built = true
end

-- Each may be in a stream{} of the configuration too.
local function load_modules()
  local nginx = assert(nginx_process.find())
  local stream = "/usr/lib/nginx/modules/ngx_stream_module.so"
  return nginx.load_modules
    .. (shell.read(stream) and "\nload_module " .. stream .. ";" or ""), nginx.command
end

local function substitute(template, values)
  return (template:gsub("%$%(([%w_]+)%)", values))
end

-- As words for env, and as directives that let the workers have them.
local function environment(env)
  local words, directives = {}, {}
  for name, value in pairs(env or {}) do
    words[#words + 1] = name .. "=" .. shell.quote(value)
    directives[#directives + 1] = "env " .. name .. ";\n"
  end
  return table.concat(words, " "), table.concat(directives)
end

local DEFAULTS = {
  workers = 1, connections = 4096, main = "", http = "", server = "", stream = "",
}

local function write_files(options, dir, port)
  local modules, nginx = load_modules()
  local lua_path, lua_cpath = paths(options.build)
  local env, directives = environment(options.env)
  local values = {
    modules = modules, user = shell.must "id -u" == "0\n" and "user root;" or "",
    port = tostring(port), inner = tostring(ports.to_try(0)[1]), dir = dir,
    spread = options.spread and " reuseport" or "", lua_path = lua_path, lua_cpath = lua_cpath,
  }
  for name, default in pairs(DEFAULTS) do
    values[name] = tostring(options[name] or default)
  end
  values.main = directives .. values.main
  shell.write(dir .. "/nginx.conf", substitute(options.whole or CONFIG, values))
  shell.write(dir .. "/run.sh", substitute(RUN, {
    env = env, under = options.under or "", nginx = nginx,
  }))
end

-- Nil and what nginx says, where it does not come up.
local function try(options, dir, port)
  os.remove(dir .. "/ended") -- of a port before this one, as the socket
  os.remove(dir .. "/socket")
  write_files(options, dir, port)
  local self = setmetatable({
    dir = dir, port = port, url = "http://127.0.0.1:" .. port,
    stdin = assert(io.popen(("exec sh %s/run.sh %s 2>/dev/null"):format(dir, dir), "w")),
  }, meta)
  self:await("it does not start", function()
    return self:has_ended()
      or self:pid() and (options.whole or self:body "/ping" == "pong")
  end, options.under and 30 or 5)
  if not self:has_ended() then return self end
  self.stdin:close()
  return nil, shell.read(dir .. "/out")
end

---@class NginxOptions
---@field main? string  configuration at the top
---@field http? string  in http{}
---@field server? string  in the one server{}
---@field stream? string  a whole stream{}
---@field whole? string  a whole nginx.conf, with $(port), $(inner) and $(dir) in it, instead of those
---@field env? table<string, string>  which the workers have
---@field workers? integer  1 where not given
---@field connections? integer  of each worker, 4096 where not given
---@field build? string  whose module it has, such as ".build/asan"
---@field spread? boolean  share connections evenly among them
---@field under? string  the command that runs nginx, such as valgrind

---Starts it, on a free port and in a folder of its own; it answers when this
---returns.
---@param options NginxOptions
function _M.start(options)
  build()
  local dir, message = shell.tmpdir(), nil
  for _, port in ipairs(assert(ports.to_try(0))) do
    local self
    self, message = try(options, dir, port)
    if self then return self end
    if not message:find "in use" then break end
  end
  error("nginx did not start: " .. message, 2)
end

---A whole nginx.conf that the command has printed, as it stands but for the port and
---the workers' user.
---@param text string
---@return string whole
function _M.as_printed(text)
  return (text:gsub("127%.0%.0%.1:8080", "127.0.0.1:$(port)"):gsub("\npid", "\n$(user)%0"))
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

local function header_words(headers)
  local words = {}
  for name, value in pairs(headers or {}) do
    words[#words + 1] = "-H " .. shell.quote(name .. ": " .. value)
  end
  return table.concat(words, " ")
end

---@class SiteReply
---@field status integer
---@field headers table<string, string> by lower-case name
---@field body string

local function parse(text)
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  assert(head, "no reply: " .. text)
  local reply = { status = tonumber(head:match("^HTTP/%S+ (%d+)")), body = body,
                  headers = {} }
  for name, value in head:gmatch("\r\n([^:\r\n]+): ?([^\r\n]*)") do
    reply.headers[name:lower()] = value
  end
  return reply
end

---One request by curl.
---@param path string
---@param headers? table<string, string>
---@param more? string more words for curl
---@return SiteReply
function methods:get(path, headers, more)
  return parse(shell.must(("curl -sS -i --max-time 30 --noproxy '*' %s %s %s")
    :format(header_words(headers), more or "", shell.quote(self.url .. path))))
end

---@return SiteReply # without a body
function methods:head(path, headers)
  return self:get(path, headers, "-I")
end

---The same request `count` times at once; the bodies, one after the other, with
---their statuses on a line before each.
---@return string
function methods:burst(path, count)
  local url = shell.quote(self.url .. path)
  return shell.must(("seq %d | xargs -P %d -I{} curl -sS --max-time 30 -w "
    .. "'%%{http_code}\\n' -o /dev/null %s"):format(count, math.min(count, 64), url))
end

---@return string body
---@return integer status  0: there was no reply
function methods:body(path, more)
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

---The lines of the log that report an error or a warning.
function methods:logged_errors()
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

function methods:has_ended()
  return shell.read(self.dir .. "/ended") ~= nil
end

---Ends it, in the way of a signal; returns its exit code.
function methods:stop(name)
  if self.stdin then
    if not self:has_ended() and self:pid() then
      local left = name == "KILL" and self:workers() or {} -- by their master
      shell.run(("kill -%s %d"):format(name or "TERM", self:pid()))
      for _, pid in ipairs(left) do shell.run("kill -KILL " .. pid) end
      self:await("it does not end", function() return self:has_ended() end, 20)
    end
    self.stdin:close()
    self.stdin = nil
  end
  return tonumber(shell.read(self.dir .. "/ended"))
end

return _M
