-- Calls the sandbox with nothing of the project's own: `curl` speaks TLS and
-- HTTP, and `openssl dgst` signs.

local cjson = require "cjson"
local shell = require "spec.support.shell"

local caller = {}
caller.__index = caller

local _M = {}

---@param sandbox bitfront.Sandbox
function _M.of(sandbox)
  return setmetatable({ sandbox = sandbox, nonce = 10000 }, caller)
end

function caller:curl(words)
  local ca = shell.quote(self.sandbox.ca_file)
  return ("curl -sS --max-time 5 --cacert %s %s"):format(ca, words)
end

function caller:url(target)
  return shell.quote(self.sandbox.base_url .. target)
end

-- A header as words for curl; false leaves it out.
local function header(name, value)
  return value and ('-H "%s: %s"'):format(name, value) or ""
end

local function choose(given, usual)
  if given == nil then return usual end
  return given
end

-- Says timestamp and signature on a line, and keeps them as $ts1 and $sign1, and so on.
local SIGN = [[
ts=%s; [ "$ts" ] || ts=$(( $(date +%%s%%3N) + %d ))
sign=$(printf %%s "%s${ts}%s%s%s" | openssl dgst -sha256 -hmac %s)
sign=${sign##* }
echo "$ts $sign"
ts%d=$ts sign%d=$sign
]]

---@alias Call { method?: string, query?: string, key?: string|false,
---  secret?: string, nonce?: string|false, timestamp?: string|false,
---  shift_ms?: integer, signature?: string|false, more?: string }

-- Shell lines that sign the call number i, words of curl that send it, its nonce. The
-- timestamp is shift_ms from now, unless `how` says else.
local function signed(self, i, path, how, shift_ms)
  self.nonce = self.nonce + 1
  local method, query = how.method or "GET", how.query or ""
  local nonce = choose(how.nonce, tostring(self.nonce))
  local sign = SIGN:format(how.timestamp or "", how.shift_ms or shift_ms or 0, nonce or "",
    method, path, query, how.secret or self.sandbox.api_secret, i, i)
  local target = path .. (query ~= "" and "?" .. query or "")
  return sign, table.concat({
    "-X", method, self:url(target), how.more or "",
    header("X-API-KEY", choose(how.key, self.sandbox.api_key)),
    header("X-API-TIMESTAMP", choose(how.timestamp, "$ts" .. i)),
    header("X-API-NONCE", nonce),
    header("X-API-SIGN", choose(how.signature, "$sign" .. i)),
  }, " "), nonce
end

-- In ms: what the exchange tolerates, and how far ahead of it a call is signed, so that a
-- busy machine has almost twice the time.
local TOLERANCE, AHEAD = 1000, 900

-- How many milliseconds after its timestamp a call arrived that was refused for it,
-- where the caller said none.
local function lateness(reply, how)
  local refused = type(reply.json) == "table" and reply.json.statusCode == 6005
  local time = refused and reply.json.responseTime
  if how.timestamp or how.shift_ms or not time then return 0 end
  return time - (tonumber(reply.timestamp) or time)
end

---A signed call. Where a busy machine took so long that the exchange refuses the call,
---it is made again, signed for as late as the last one arrived. What is given replaces
---what would be right; a header that is given as false is not sent.
---@param path string
---@param how? Call
---@return table reply # timestamp, nonce, signature, body, json
function caller:get(path, how)
  local shift_ms, reply = AHEAD, nil
  for try = 1, 5 do
    reply = self:get_once(path, how, shift_ms)
    local late = lateness(reply, how or {})
    if late < TOLERANCE and (try == 1 or late > -TOLERANCE) then break end
    shift_ms = shift_ms + late
  end
  return reply
end

function caller:get_once(path, how, shift_ms)
  local sign, words, nonce = signed(self, 1, path, how or {}, shift_ms)
  local out = shell.must(sign .. self:curl(words))
  local timestamp, signature, body = out:match("^(%S*) (%x+)\n(.*)$")
  return { timestamp = timestamp, nonce = nonce, signature = signature,
           body = body, json = body:sub(1, 1) == "{" and cjson.decode(body) }
end

-- In ms: for how much later calls are signed that are sent together. It takes a busy
-- machine long to sign them all.
local LATER = 2500
local NOW = "$(date +%s%3N)"
local WAIT = ("while [ %s -lt $((begun + %d)) ]; do sleep 0.02; done\n"):format(NOW, LATER - AHEAD)

---Calls that arrive within milliseconds: signed beforehand, for one later time, and sent one
---after the other by one process. "$ts1" as a timestamp is the first's.
---@param calls (string|{ [1]: string, [2]: Call? })[] path and how, or curl's words
---@return (integer|false)[] codes # false: no reply
function caller:together(calls)
  local script, words, codes = {}, {}, {}
  local later = ("$((begun + %d))"):format(LATER)
  for i, call in ipairs(calls) do
    if type(call) == "string" then
      words[i] = call
    else
      local how = { timestamp = later }
      for name, value in pairs(call[2] or {}) do how[name] = value end
      script[#script + 1], words[i] = signed(self, i, call[1], how)
    end
    words[i] = self:curl(words[i] .. " -w '\\n'"):gsub("^curl", "")
  end
  local out = shell.run("begun=" .. NOW .. "\n" .. table.concat(script) .. WAIT
    .. "curl " .. table.concat(words, " --next "))
  out = out:gsub("[^\n]*\n", "", #script)
  for line in out:gmatch "([^\n]*)\n" do
    codes[#codes + 1] = tonumber(line:match '"statusCode":(%d+)') or false
  end
  return codes
end

---A signed call's statusCode.
function caller:code(path, how)
  return self:get(path, how).json.statusCode
end

---A call of the control endpoint, as curl's words.
function caller:control_words(method, name, body)
  return ("-X %s -H 'X-Bitfront-Sandbox: control' %s -d %s")
    :format(method, self:url("/sandbox/" .. name), shell.quote(body or ""))
end

---A call of the control endpoint.
---@return table json
function caller:control(...)
  return cjson.decode(shell.must(self:curl(self:control_words(...))))
end

---What the server sends for a call of public/time, byte for byte.
---@return string bytes
---@return string message # what `openssl s_client` says of the connection
function caller:wire()
  local bytes, message = shell.run(
    ("openssl s_client -quiet -ign_eof -servername localhost"
      .. " -connect 127.0.0.1:%d -CAfile %s")
      :format(self.sandbox.port, shell.quote(self.sandbox.ca_file)),
    { stdin = "GET /v1/public/time HTTP/1.1\r\nHost: localhost\r\n"
        .. "Connection: close\r\n\r\n" })
  return bytes, message
end

return _M
