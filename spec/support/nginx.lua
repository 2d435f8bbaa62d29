-- A running site: nginx with ngx_lua and this tree's modules, for specs.

local found = require "bitfront.sandbox.nginx"
local ports = require "bitfront.sandbox.ports"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

-- What nginx loads is built for LuaJIT, whichever Lua runs the specs.
local CONFIG = [[
$(modules)
user root;
worker_processes $(workers);
pid nginx.pid;
error_log error.log info;
$(main)
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  keepalive_requests 1000000;
  lua_package_path "$(root)/lua/?.lua;$(root)/lua/?/init.lua;;";
  lua_package_cpath "$(root)/.build/5.1/?.so;;";
  $(http)
  server {
    listen 127.0.0.1:$(port) reuseport;
    listen unix:$(dir)/socket;
    $(server)
  }
}
]]

local function fill(template, values)
  return (template:gsub("%$%((%w+)%)", values))
end

local function env_lines(env)
  local names = {}
  for name in pairs(env) do
    names[#names + 1] = "env " .. name .. ";"
  end
  return table.concat(names, "\n")
end

-- Where root runs the specs, the workers stay root, so that they can read the
-- tree; elsewhere the directive does nothing but complain.
local function configuration(options, nginx, dir, port)
  local config = fill(CONFIG, {
    modules = nginx.load_modules, workers = tostring(options.workers or 1),
    main = env_lines(options.env or {}) .. (options.main or ""),
    root = shell.must("pwd -P"):gsub("\n$", ""), http = options.http or "",
    server = options.server or "", port = tostring(port), dir = dir,
  })
  return shell.must("id -u") == "0\n" and config
    or config:gsub("user root;\n", "")
end

local function try(options, nginx, dir, port)
  shell.write(dir .. "/nginx.conf", options.whole
    and fill(options.whole, { port = tostring(port), dir = dir })
    or configuration(options, nginx, dir, port))
  local words = {}
  for name, value in pairs(options.env or {}) do
    words[#words + 1] = name .. "=" .. shell.quote(value)
  end
  -- An empty environment: LUA_CPATH names modules for the Lua of the specs.
  local command = ("mkdir -p tmp && exec env -i PATH=$PATH:/usr/sbin %s %s -p %s/ "
    .. "-c nginx.conf"):format(table.concat(words, " "), nginx.command, dir)
  return shell.run(command, { cwd = dir })
end

local function wait_for(path)
  for _ = 1, 100 do
    if (shell.read(path) or "") ~= "" then return shell.read(path) end
    shell.sleep(0.02)
  end
  error("nginx has no pid file")
end

---@class Site
---@field url string
---@field port integer
---@field dir string
---@field pid integer of the master

---Starts nginx on a free port, in a folder of its own. The text of `whole` is a
---whole nginx.conf, with $(port) and $(dir) in it, instead of the others.
---@param options { http: string?, server: string?, main: string?, whole: string?, workers: integer?, env: table<string, string>? }
---@return Site
function _M.start(options)
  local nginx, dir = assert(found.find()), shell.tmpdir()
  local trouble
  for _, port in ipairs(assert(ports.to_try(0))) do
    local out, err, code = try(options, nginx, dir, port)
    if code == 0 then
      local pid = tonumber(wait_for(dir .. "/nginx.pid"))
      return setmetatable({
        url = "http://127.0.0.1:" .. port, port = port, dir = dir, pid = pid,
        guard = found.guard(dir, pid), -- it ends with this process
      }, meta)
    end
    trouble = out .. err
    if not trouble:find "in use" then break end
  end
  error("nginx did not start: " .. trouble, 2)
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

---Pids of the workers, ascending.
function methods:workers()
  local out = shell.must(("ps -o pid=,args= --ppid %d"):format(self.pid))
  local pids = {}
  for pid, args in out:gmatch("(%d+)([^\n]*)") do
    if args:find "worker process" and not args:find "shutting" then
      pids[#pids + 1] = tonumber(pid)
    end
  end
  return pids
end

function methods:log()
  return shell.read(self.dir .. "/error.log")
end

---Ends it: by its pid, and waits until it is gone.
function methods:stop()
  shell.run(("kill %d; for i in $(seq 100); do [ -e %s/nginx.pid ] || break; "
    .. "sleep 0.05; done"):format(self.pid, self.dir))
end

return _M
