-- What specs share.  Each helper's words are in the file it comes from.

local shell = require "spec.support.shell"

local _M = {
  tmpdir = shell.tmpdir, run = shell.run, must = shell.must, lua = shell.lua,
  read = shell.read, write = shell.write, quote = shell.quote,
  lines = shell.lines, keys = shell.keys, sleep = shell.sleep,
  interpreter = shell.interpreter, preload = shell.preload,
}

-- The credentials of the API's own documentation.
_M.KEY = "6W206egN32nCQ0VB"
_M.SECRET = "dwjnGqCVzfHlW6Q9r4BjXpmiK1WCdMBI"

---The body of a successful reply.
---@param data? string the JSON of responseData
---@param more? string JSON members to put behind it, with their comma
function _M.success(data, more)
  -- Joined, not formatted: "%s" ends at a NUL in Lua 5.1 and 5.2.
  return '{"timezone":"UTC","responseTime":1525239801363,"statusCode":1000,'
    .. '"statusMessage":"SUCCESS","responseData":' .. (data or "[]")
    .. (more or "") .. "}"
end

---The body of a refusal; both are JSON.
function _M.refusal(code, message)
  return '{"timezone":"UTC","responseTime":1525239801363,"statusCode":' .. code
    .. ',"statusMessage":' .. (message or '"REFUSED"') .. "}"
end

---Paths of certificates; see certs.lua.
function _M.certs()
  return require "spec.support.certs".paths()
end

---A running fault server; see faultd.lua.
---@param more? table<string, string>
---@param is_v6? boolean
function _M.faultd(more, is_v6)
  return require "spec.support.faultd".start(more, is_v6)
end

---A proxy that delays what passes through it; see jitterd.lua.
---@param target_port integer
---@param max_ms integer
function _M.jitterd(target_port, max_ms)
  return require "spec.support.jitterd".start(target_port, max_ms)
end

---A whole reply of HTTP/1.1 with this body, as bytes.
function _M.reply(body, options)
  return require "spec.support.faultd".reply(body, options)
end

---A running sandbox exchange; see exchange.lua.
function _M.sandbox(options)
  return require "spec.support.exchange".start(options)
end

---A client with the documentation's key and secret and the specs' CA, which
---asks once, and at once: the rules it keeps by default have specs of their own.
---@param options? table # for bitfront.new; these win
function _M.client(options)
  local all = { api_key = _M.KEY, api_secret = _M.SECRET,
                ca_file = _M.certs().ca, rate_limit = false, retries = 0,
                clock = "system" }
  for name, value in pairs(options or {}) do all[name] = value end
  return require "bitfront".new(all)
end

---One call for the balances by a client of its own.
---@param base_url string
---@param options? table # for bitfront.new
---@return table? balances, table? err, table? info
function _M.balances(base_url, options)
  local all = { base_url = base_url }
  for name, value in pairs(options or {}) do all[name] = value end
  local client = _M.client(all)
  local balances, err, info = client:balances()
  client:close()
  return balances, err, info
end

---Seconds of a steady clock that stands still while this process waits for a
---processor: what it measures is the program's doing, not a busy machine's.
function _M.own_time()
  local waited = (_M.read "/proc/self/schedstat" or ""):match "^%d+ (%d+)"
  return require "bitfront.core".now() - (tonumber(waited) or 0) / 1e9
end

---A port of 127.0.0.1 that nothing listens on.
function _M.free_port()
  local out = _M.must(".build/test/faultd " .. _M.tmpdir() .. " free:closed",
                      { stdin = "\n" })
  return tonumber(out:match("^free (%d+)\n"))
end

return _M
