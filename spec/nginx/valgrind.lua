-- An nginx of one process under valgrind, with some hundred calls of every kind
-- made in it. Fails for errors and lost memory in whose stack this module
-- appears; what is nginx's and LuaJIT's own is only counted.

local support = require "spec.support"
local nginx = require "spec.support.nginx"

local UNDER = "valgrind --leak-check=full --show-leak-kinds=definite "
  .. "--errors-for-leak-kinds=definite --keep-debuginfo=yes --num-callers=40 "
  .. "--log-file=valgrind.log"

local BODY = support.success '[{"currency":"BTC","balance":1,"availableBalance":1}]'

local INIT = [[
  init_by_lua_block {
    local bitfront = require "bitfront"
    clients = {}
    for name, url in pairs { %s } do
      clients[name] = bitfront.new { api_key = "k", api_secret = "s", timeout = 5,
        base_url = url, ca_file = %q, rate_limit = false, retries = 0 }
    end
    function result_of(name)
      local records, err = clients[name]:balances()
      return records and records[1].currency or err.kind
    end
  }
]]

local SERVER = [[
  location ~ /call/(?<name>.*)$ { content_by_lua_block {
    ngx.print(result_of(ngx.var.name), "\n") } }
  location = /log { content_by_lua_block { ngx.print "x" }
    log_by_lua_block { result_of "ok" } }
  location = /kill { content_by_lua_block {
    for i = 1, 10 do
      local thread = ngx.thread.spawn(result_of, "silent")
      ngx.sleep(0.001)
      ngx.thread.kill(thread)
      ngx.thread.spawn(result_of, "silent")
    end
    local client = require "bitfront".new { api_key = "k", api_secret = "s" }
    ngx.thread.spawn(client.balances, client)
    ngx.thread.spawn(result_of, "slow")
    client:close()
    collectgarbage()
    ngx.exit(204)
  } }
  location = /status { content_by_lua_block {
    collectgarbage() collectgarbage()
    ngx.print(table.concat({ require "bitfront.core".thread_status() }, " "))
  } }
]]

-- The names of our C files, as a stack has them.
local function our_files()
  local names = {}
  for name in support.must "find csrc -name '*.c'":gmatch "([%w_]+%.c)\n" do
    names[name] = true
  end
  return names
end

-- Messages of valgrind are paragraphs, and have "at 0x" where their stack begins.
local function messages(log)
  local all, lines = {}, {}
  for line in (log .. "==1== \n"):gmatch "([^\n]*)\n" do
    local text = line:gsub("^==%d+== ?", "")
    if text ~= "" then
      lines[#lines + 1] = text
    else
      local message = table.concat(lines, "\n")
      if message:find "at 0x" then all[#all + 1] = message end
      lines = {}
    end
  end
  return all
end

local function is_ours(message, names)
  for name in message:gmatch "%(([%w_]+%.c):%d+%)" do
    if names[name] then return true end
  end
  return message:find("core.so", 1, true) ~= nil
end

local function ask(host)
  for _, name in ipairs { "ok", "ok", "refusal", "damaged", "closed", "untrusted" } do
    host:many("/call/" .. name, 50)
  end
  host:many("/call/slow", 50)
  host:many("/call/slow", 20, "-m 0.2")
  host:body "/log"
  host:body "/kill"
  host:await("jobs are left", function() return host:body "/status" == "0 0" end, 20)
end

local function main()
  local faultd, urls = support.faultd(), {}
  for name, url in pairs {
    ok = faultd:url_body(BODY), slow = faultd:url_body(BODY, { delay = 300 }),
    refusal = faultd:url_body(support.refusal(6001)), damaged = faultd:url_body "[",
    closed = faultd:url { listener = "closed" }, silent = faultd:url { listener = "silent" },
    untrusted = faultd:url_body(BODY, { listener = "unknown" }),
  } do
    urls[#urls + 1] = ("%s = %q"):format(name, url)
  end
  local host = nginx.start {
    main = "master_process off;", under = UNDER, server = SERVER,
    http = INIT:format(table.concat(urls, ", "), faultd.ca_file),
  }
  ask(host)
  host:stop "QUIT"
  faultd:stop()
  local ours, others, names = 0, 0, our_files()
  for _, message in ipairs(messages(support.read(host.dir .. "/valgrind.log"))) do
    if is_ours(message, names) then
      ours = ours + 1
      print(message .. "\n")
    else
      others = others + 1
    end
  end
  print(support.read(host.dir .. "/valgrind.log"):match "ERROR SUMMARY[^\n]*")
  print(("%d messages of valgrind about this module, %d about others"):format(ours, others))
  os.exit(ours == 0 and 0 or 1)
end

main()
