--- Which requests a site answers: those from this machine or a private network that
--- have a name of the site in Host. Where the name of another site leads to this
--- machine's address (DNS rebinding), a browser sends that site's requests from a near
--- address, but with that name.

local check = require "bitfront.check"

local _M = {}

-- nginx writes addresses in lower case and shortened.
local NEAR = {
  "^127%.", "^10%.", "^192%.168%.", "^172%.1[6-9]%.", "^172%.2%d%.", "^172%.3[01]%.",
  "^169%.254%.",                            -- link-local
  "^::1$", "^f[cd]%x%x:", "^fe[89ab]%x:",   -- ::1, fc00::/7, fe80::/10
  "^unix:$",
}

--- Whether an address is loopback, private or link-local, or a unix socket.
---@param address string?  as nginx has it in $remote_addr
---@return boolean
function _M.is_near(address)
  address = address or ""
  address = address:match "^::ffff:(%d+%.%d+%.%d+%.%d+)$" or address
  for _, pattern in ipairs(NEAR) do
    if address:find(pattern) then return true end
  end
  return false
end

-- No DNS server can give these another address.
local function is_loopback_or_address(name)
  return name:find "^%d+%.%d+%.%d+%.%d+$" ~= nil or name == "localhost"
    or name:find "%.localhost$" ~= nil or name:find "^%[[%x:.]+%]$" ~= nil
end

-- `own` may be *.example.com; it is "" or "_" where the server has no name.
local function is_server_name(name, own)
  if own:sub(1, 2) == "*." then
    return name:sub(1 - #own) == own:sub(2)
  end
  return name == own and own ~= "" and own ~= "_"
end

local last -- the last name that was one of those: most requests have the same

--- Whether the request's host is a loopback name, an IP address, the server's first
--- name in nginx.conf or one of `names`. No browser sends a request without a host.
---@param names table<string, true>
---@return boolean
function _M.is_own_name(names)
  local name = ngx.var.host -- in lower case, without the port and the root's dot
  if name == last or names[name] then return true end
  if is_loopback_or_address(name) then
    last = name
    return true
  end
  local own = ngx.var.server_name:lower()
  return is_server_name(name, own) or name == own and not ngx.var.http_host
end

--- Names as is_own_name looks them up.
---@param list any
---@return table<string, true>? names  nil where it is no array of names
function _M.names_of(list)
  local names = {}
  if not check.is_array(list) or #list == 0 then return nil end
  for _, name in ipairs(list) do
    if type(name) ~= "string" or not name:find "^[A-Za-z0-9_-][A-Za-z0-9._-]*$" then
      return nil
    end
    names[name:lower():match "^(.-)%.?$"] = true
  end
  return names
end

return _M
