--- Checks what a call needs, piece by piece. The report says where credentials
--- were found and never what they are.

local accounts = require "bitfront.account"
local call = require "bitfront.call"
local credentials = require "bitfront.credentials"
local describe = require "bitfront.error".describe
local limiter = require "bitfront.limiter"
local native = require "bitfront.native"

local _M = {}

local CLOCK_LIMIT = 1000 -- ms by which the exchange lets a request's clock differ

local function both(versions)
  return ("compiled with %s, loaded %s"):format(versions.compiled, versions.loaded)
end

local function lua()
  local jit = rawget(_G, "jit")
  return ("%s, module compiled for %s")
    :format(jit and jit.version or _VERSION, native.versions().lua.compiled)
end

local function libcurl()
  local curl = native.versions().curl
  return ("%s, TLS by %s"):format(both(curl), curl.ssl)
end

local function openssl()
  local works, err = native.check_openssl()
  if not works then return describe(err), true end
  return both(native.versions().openssl)
end

-- The files of that library in this process, by Linux.
local function loaded(name)
  local done, files, maps = {}, {}, io.open "/proc/self/maps"
  for line in maps and maps:lines() or function() end do
    local path = line:match "/.*"
    if path and not done[path] and path:find("/" .. name .. "[^/]*$") then
      files[#files + 1], done[path] = path, true
    end
  end
  if maps then maps:close() end
  return files
end

local function release(version)
  return version:match("%d+%.%d+%.%d+")
end

-- A host may bring an OpenSSL of its own. Two in one process have settings of their
-- own, and a structure of one that is handed to the other ends the process.
local function libraries()
  local versions, files = native.versions(), loaded("libcrypto")
  local bound = versions.openssl.file or "?"
  local two = #files > 1 or release(versions.openssl.loaded) ~= release(versions.curl.ssl)
  if two then
    return ("there are two OpenSSLs: this module uses %s of %s, libcurl uses %s; loaded: %s")
      :format(versions.openssl.loaded, bound, versions.curl.ssl, table.concat(files, ", ")), true
  end
  return ("%s, %s"):format(versions.curl.file or "?", bound)
end

local function cjson_rock()
  local found, cjson = pcall(require, "cjson")
  if not found then return "not found; the format json and the sandbox need it", true end
  return cjson._VERSION
end

local function ca_file(client)
  local endpoint = accounts.of(client).endpoint
  local path = endpoint.ca_file or native.versions().ca_file
  if not path then return "libcurl's own choice" end
  local usable, err = native.check_ca_file(path)
  if not usable then return describe(err), true end
  return path .. (endpoint.ca_file and ", from " .. endpoint.ca_file_from or "")
end

local function base_url(client)
  local endpoint, err = accounts.of(client).endpoint, accounts.of(client).err
  if err and err.code == "base_url" then return describe(err), true end
  local from = endpoint.base_url_from
  return endpoint.base_url .. (from and ", from " .. from or ", the default")
end

local function found_credentials(client, reply)
  if reply.err then return describe(reply.err), true end
  return "found in " .. (accounts.of(client).origin or "the credentials function")
end

local function of_options(options)
  if options.profile then return "the profile is named" end
  return "not given"
end

-- In the order in which they are asked.
local function sources(client)
  local own, lines = accounts.of(client), {}
  local given = own.has_own_credentials or own.options.credentials
  lines[1] = "1. options: " .. (given and "used" or of_options(own.options))
  for i, source in ipairs(credentials.SOURCES) do
    lines[i + 1] = ("%d. %s: %s"):format(i + 1, source.name,
      not given and own.notes and own.notes[i] or "not asked, since an earlier one is there")
  end
  return lines
end

local function server(client, reply)
  local time, err, info = client:server_time()
  reply.info = info
  if not time then return describe(err), true end
  return ("answers in %.0f ms"):format(reply.info.elapsed * 1000)
end

local function account(client)
  local balances, err = client:balances()
  if err then return describe(err), true end
  return ("answers with %d records"):format(#balances)
end

-- What this process has used: no more than this check, where the limiter counts
-- in this process alone.
local function windows(client)
  local limit = call.limit_of(accounts.of(client))
  if not limit then return "not kept" end
  local second, minute, full_ms = limiter.peek(limit)
  if not second then return "the store cannot be asked: " .. tostring(minute), true end
  return ("%d of %d calls in the last second, %d of %d in the last minute, as %s knows%s")
    :format(second, limit.per_second, minute, limit.per_minute,
      limit.store == limiter.process_store() and "this process" or "the store",
      full_ms > 0 and "; the exchange says it is full" or "")
end

local function clock(_, reply)
  local offset = reply.info and reply.info.clock_offset
  if not offset then return "not compared, since the server did not tell its time" end
  local size, uncertainty = math.abs(offset), reply.info.elapsed * 500
  if size <= uncertainty then
    return ("this machine's and the server's are less than %.0f ms apart")
      :format(uncertainty + 1)
  end
  return ("this machine's is %.0f ms %s the server's, give or take %.0f")
    :format(size, offset > 0 and "behind" or "ahead of", uncertainty),
    size - uncertainty >= CLOCK_LIMIT
end

-- Each returns what it found, in a line or several, and true where that is wrong.
local CHECKS = {
  { "bitfront", function() return require "bitfront.version" end },
  { "Lua", lua },
  { "libcurl", libcurl },
  { "OpenSSL", openssl },
  { "libraries", libraries },
  { "lua-cjson", cjson_rock },
  { "CA file", ca_file },
  { "base URL", base_url },
  { "credentials", found_credentials },
  { "sources", sources },
  { "server", server },
  { "clock", clock },
  { "account", account },
  { "limits", windows },
}

---@return string report  a line for each check
---@return boolean healthy  nothing is wrong
function _M.examine(client)
  local lines, healthy = {}, true
  -- first: the account's section may say where its exchange is
  local reply = { err = call.try_credentials(accounts.of(client)) }
  for _, check in ipairs(CHECKS) do
    local found, is_wrong = check[2](client, reply)
    healthy = healthy and not is_wrong
    for _, text in ipairs(type(found) == "table" and found or { found }) do
      lines[#lines + 1] = ("%-7s  %-11s  %s\n")
        :format(is_wrong and "TROUBLE" or "ok", check[1], native.clean(tostring(text)))
    end
  end
  return table.concat(lines), healthy
end

return _M
