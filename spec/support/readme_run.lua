-- Runs the README's blocks as a reader would: in a copy of the checkout, with a
-- home of their own, against one sandbox exchange.

local nginx = require "spec.support.nginx"
local shell = require "spec.support.shell"

local _M = {}
local methods = {}
local meta = { __index = methods }

-- What a clone has, and the builds, so that make has little to do.
local COPY = [[
${MAKE:-make} -s --no-print-directory LUA=luajit all &&
  mkdir -p "$1/.build" && cp -a csrc lua spec rockspec .ci .busted .luacheckrc Makefile \
  README.md LICENSE "$1" && cp -a .build/5.1 .build/5.4 .build/test .build/bin "$1/.build"]]

-- The account of the documents, and the second one of the README's file.
local ACCOUNTS = [=[
exports=$(bitfront sandbox --background --port 0 2>/dev/null) || exit 1
eval "$exports"
ask() {
  curl -sS --fail-with-body --noproxy '*' --cacert "$BITFRONT_CA_FILE" -o /dev/null \
    -H 'X-Bitfront-Sandbox: control' "$@"
}
ask -X POST "$BITFRONT_BASE_URL/sandbox/reset" || exit 1
ask -d '[{ "api_key": "'$BITFRONT_API_KEY'", "api_secret": "'$BITFRONT_API_SECRET'", "balances": [
    { "currency": "BCH", "balance": 1000000000, "availableBalance": 1000000000 },
    { "currency": "XRP", "balance": 1000003043.7, "availableBalance": 1000002063.7 },
    { "currency": "ETH", "balance": 1000107794.9999858, "availableBalance": 1000107794.9999858 },
    { "currency": "BTC", "balance": 3999974992.35615, "availableBalance": 3999970806.72614 },
    { "currency": "USDT", "balance": 1000000000, "availableBalance": 999998671.673 }] },
  { "api_key": "8GZ0wMxDk2pLrT5u", "api_secret": "p3VnYb7KqE9sJcX1zRfT4hWmU6aLdG2o",
    "balances": [] }]' "$BITFRONT_BASE_URL/sandbox/accounts" || exit 1
]=]

-- Runs until Ctrl-C reaches all of its group, as from a terminal.
local UNTIL_CTRL_C = [[
env --default-signal=INT setsid sh -ec "$1" >out 2>&1 &
for _ in $(seq 300); do
  url=$(sed -n 's/^The page is at *//p' out)
  [ -z "$url" ] && kill -0 $! 2>/dev/null || break
  sleep 0.1
done
curl -sS --fail --noproxy '*' -o page.html "$url" || { cat out >&2; exit 1; }
env kill -INT -- -$! && wait $!
! curl -s --noproxy '*' -o page.html "$url"]]

---@class ReadmeRunner
---@field home string
---@field checkout string
---@field redis_port? integer

---@return ReadmeRunner
function _M.new()
  local self = setmetatable({ home = shell.tmpdir(), checkout = shell.tmpdir() }, meta)
  shell.must("sh -c " .. shell.quote(COPY) .. " copy " .. shell.quote(self.checkout))
  shell.must("make -s LUA=lua5.4 all", { cwd = self.checkout, env = { BUILD = false } })
  return self
end

---Ends the sandbox.
function methods:stop()
  shell.run("bitfront sandbox --stop", { env = self:environment() })
end

-- That of a reader who has said: eval "$(make -s env)".
function methods:environment()
  local lua, module = self.checkout .. "/lua/", self.checkout .. "/.build/5.4/"
  return {
    HOME = self.home, XDG_RUNTIME_DIR = false, XDG_STATE_HOME = false, XDG_CONFIG_HOME = false,
    BITFRONT_SANDBOX_DIR = false, BITFRONT_TALLY = false, BUILD = false, CI = false, LUA = false,
    LUA_PATH = false, LUA_CPATH = false, LUA_PATH_5_4 = lua .. "?.lua;" .. lua .. "?/init.lua;;",
    LUA_CPATH_5_4 = module .. "?.so;;",
    PATH = self.checkout .. "/.build/bin:" .. os.getenv "PATH",
  }
end

-- A shell command with the variables of the sandbox, which answers as at its start.
function methods:in_sandbox(command, env)
  return shell.run(ACCOUNTS .. command, { cwd = self.checkout, env = env or self:environment() })
end

---@return table<string, string>  what the sandbox's export lines say
function methods:exports()
  local names = { "API_KEY", "API_SECRET", "BASE_URL", "CA_FILE" }
  local out, err = self:in_sandbox(
    [[for name in ]] .. table.concat(names, " ") .. [[; do
      eval "printf '%s\n' \"\$BITFRONT_$name\""
    done]])
  local values, each = {}, out:gmatch "[^\n]+"
  for _, name in ipairs(names) do
    values["BITFRONT_" .. name] = each() or error("the sandbox did not start: " .. err)
  end
  return values
end

local runners = {}

function runners.sh(self, block)
  if block.info == "until-ctrl-c" then
    return self:in_sandbox("set -- " .. shell.quote(block.text) .. "\n" .. UNTIL_CTRL_C)
  end
  return self:in_sandbox("set -e\n" .. block.text)
end

-- By the Lua that runs the specs. Debian has redis-lua for 5.1 to 5.3, as one file
-- that later ones run too.
function runners.lua(self, block)
  local name = block.info ~= "" and block.info or "program.lua"
  local text = block.text:gsub("6379", tostring(self.redis_port or 6379))
  shell.write(self.checkout .. "/" .. name, text)
  local env = self:exports()
  env.HOME, env.LUA_PATH_5_4, env.LUA_CPATH_5_4 = self.home, false, false
  env.LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;%s;/usr/share/lua/5.3/?.lua"):format(
    self.checkout, self.checkout, package.path)
  env.LUA_CPATH = package.cpath
  return shell.run(shell.interpreter() .. " " .. name, { cwd = self.checkout, env = env })
end

-- Of a block of nginx.conf what is the reader's own: ports, and files below /etc.
local FRAME = [[
$(modules)
$(user)
pid nginx.pid;
error_log error.log info;
events {}
]]
local HTTP = [[
http {
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
  uwsgi_temp_path tmp; scgi_temp_path tmp;
  lua_package_path "$(lua_path)";
  lua_package_cpath "$(lua_cpath)";
]]

local function as_whole_conf(self, text)
  return FRAME .. text:gsub("http {\n", HTTP):gsub("8080", "$(port)"):gsub("8081", "$(inner)")
    :gsub("6379", tostring(self.redis_port or 6379))
    :gsub("=/etc;", "=" .. self.home .. "/etc;")
    :gsub("/etc/nginx/htpasswd", self.home .. "/etc/htpasswd")
end

-- The README's credentials file, with the sandbox in the place of its exchange.
local function write_etc(self, credentials, env)
  local etc = shell.quote(self.home .. "/etc")
  shell.must(("mkdir -p %s/bitfront && : >%s/bitfront/credentials && "
    .. "chmod 600 %s/bitfront/credentials"):format(etc, etc, etc))
  shell.write(self.home .. "/etc/bitfront/credentials", (credentials
    :gsub("%[default%]", "[one]"):gsub("%[other%]", "[two]")
    :gsub("https://exchange.example", env.BITFRONT_BASE_URL)
    :gsub("/etc/ssl/exchange.pem", env.BITFRONT_CA_FILE)))
  shell.write(self.home .. "/etc/htpasswd", "ops:" .. "{PLAIN}swordfish\n")
end

-- The paths of the locations that are named by a whole path, or by several.
local function paths_of(block)
  local paths = {}
  for path in block.text:gmatch "location = (/%S+)" do paths[#paths + 1] = path end
  for names in block.text:gmatch "location ~ %^/%(([%w|]+)%)%$" do
    for name in names:gmatch "%w+" do paths[#paths + 1] = "/" .. name end
  end
  return paths
end

-- Each of these shows balances; without a password only where none is wanted.
local function check_site(site, block)
  local browser = { Accept = "text/html", Host = block.text:match 'hosts = { "([^"]+)"' }
  local has_password = block.text:find "auth_basic "
  for _, path in ipairs(paths_of(block)) do
    local refused = has_password and site:get(path, browser).status or 401
    local reply = site:get(path, browser, "-u ops:swordfish")
    if refused ~= 401 or reply.status ~= 200 then
      return ("%s: status %d, %d\n%s\n%s"):format(path, refused, reply.status, reply.body,
        site:log())
    end
  end
end

function runners.nginx(self, block, credentials)
  local env = self:exports()
  write_etc(self, credentials or "", env)
  local started, site = pcall(nginx.start, { whole = as_whole_conf(self, block.text), env = env })
  if not started then return "", tostring(site), 1 end
  local message = check_site(site, block)
  site:stop()
  return "", message or "", message and 1 or 0
end

-- These are read, not run.
local DATA = { ini = true, json = true, text = true }

---What is wrong with a block; nil: it runs, and prints what the README says.
---@param block ReadmeBlock
---@param ... any  for its language's runner
---@return string?
function methods:complaint(block, ...)
  if block.info:find "^no%-run" then
    return not block.info:find '^no%-run reason="[^"]+"$' and "is not run, for no reason" or nil
  elseif DATA[block.lang] then
    return nil
  elseif not runners[block.lang] then
    return ('nobody runs blocks of "%s"'):format(block.lang)
  end
  local out, err, code = runners[block.lang](self, block, ...)
  out = out:gsub("\r\n", "\n")
  if code ~= 0 then
    return ("exit code %d\n%s%s"):format(code, out, err)
  elseif block.output and out ~= block.output then
    return ("prints\n%s\nand not\n%s\n%s"):format(out, block.output, err)
  end
end

return _M
