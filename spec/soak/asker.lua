-- usage: asker.lua FOLDER NAME SECONDS SEED      by way of workers.lua
--
-- Asks the site whose URL is in the folder, and leaves one time in three before
-- the answer can be there. The body of a 200 must be FOLDER/expected.N; what is
-- wrong goes to FOLDER/wrong, and how often each thing came to FOLDER/NAME. Ends
-- after SECONDS, with FOLDER/stop, or with the folder.

local core = require "bitfront.core"
local shell = require "spec.support.shell"
local site = require "spec.soak.site"

local folder, name, seconds, seed = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])
math.randomseed(seed)

local LONGEST = 20 -- s, for any answer
local MOST = 20 -- requests on a connection

local DOCUMENTED = { ["200"] = true, ["502"] = true, ["503"] = true, ["504"] = true }

-- Of a 500, if the exchange was told to refuse with it: see site_faults.lua.
local REFUSED = { auth = true, clock = true, replay = true, request = true,
                  signature = true }

local paths, expected, counts = {}, {}, {}
for i, row in ipairs(site.PATHS) do
  expected[row[1]] = shell.read(("%s/expected.%d"):format(folder, i))
  for _ = 1, row[2] do paths[#paths + 1] = row[1] end
end

local function count(what)
  counts[what] = (counts[what] or 0) + 1
end

local function complain(path, what, body)
  count "wrong"
  local file = io.open(folder .. "/wrong", "a")
  if not file then return end
  file:write(("%s: %s: %s\n"):format(path, what, body:sub(1, 400)))
  file:close()
end

local function is_documented(status, body)
  return DOCUMENTED[status]
    or status == "500" and REFUSED[body:match '"kind":"(%l+)"']
end

-- `failure` is curl's exit code.
local function judge(path, is_waiting, body, status, failure)
  if failure == "28" and is_waiting then
    complain(path, "no answer in time", body)
  elseif failure ~= "0" then
    count(failure == "28" and "left" or "none")
  elseif not is_documented(status, body) then
    complain(path, status, body)
  elseif status == "200" and body ~= expected[path] then
    complain(path, "WRONG", body)
  else
    count(status)
  end
end

local function ask(url)
  local path, is_waiting = paths[math.random(#paths)], math.random(3) > 1
  local time = is_waiting and LONGEST or math.random(1, 60) / 100
  local urls = (" " .. shell.quote(url .. path)):rep(math.random(MOST))
  local pipe = io.popen(("exec curl -s --noproxy '*' -m %s -w "
    .. "'\\n@@ %%{http_code} %%{exitcode}\\n' %s"):format(time, urls))
  local text = pipe:read "*a"
  pipe:close()
  for body, status, failure in text:gmatch "(.-)\n@@ (%d+) (%d+)\n" do
    judge(path, is_waiting, body, status, failure)
  end
end

local function next_url(deadline)
  return core.now() < deadline and not shell.read(folder .. "/stop")
    and shell.read(folder .. "/url")
end

local deadline = core.now() + seconds
local url = next_url(deadline)
while url do
  ask(url)
  core.sleep(math.random() * 0.2)
  url = next_url(deadline)
end

local file = io.open(folder .. "/" .. name, "w")
if file then
  for what, times in pairs(counts) do file:write(what, " ", times, "\n") end
  file:close()
end
