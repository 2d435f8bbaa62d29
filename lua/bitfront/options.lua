-- The options of bitfront.new: what each must be, and its default. Checked in
-- one place, copied, never written into.

local _M = {}

---@class bitfront.Options
---@field api_key? string  with api_secret; or one of the next two; or none: the environment, then the profile file
---@field api_secret? string
---@field credentials? fun(): string, string  asked for key and secret before each call
---@field profile? string  a section of the credentials file
---@field base_url? string  default BITFRONT_BASE_URL, else https://openapi.bitfront.me
---@field timeout? number  seconds for the whole call; default 10
---@field connect_timeout? number  seconds until the connection stands; default 3
---@field amounts? "number"|"string"|"decimal"  Lua numbers (default), the digits as they came, or exact decimals
---@field ca_file? string  PEM file of the certificates to trust, instead of the system's; default BITFRONT_CA_FILE
---@field proxy? string  http://, https://, socks5h:// or socks4a:// URL; the environment's proxies are not used
---@field user_agent? string  default bitfront-lua/VERSION
---@field max_body? integer  bytes of the largest reply taken; default 1048576

local DAY = 86400

local function seconds(value)
  return type(value) == "number" and value > 0 and value <= DAY,
    "a number of seconds above 0 and up to 86400"
end

local function bytes(value)
  return type(value) == "number" and value >= 1 and value <= 2 ^ 30
    and value % 1 == 0, "a whole number of bytes from 1 to 1073741824"
end

-- Printable ASCII: all of these end up in a header, a URL or a file name, and
-- a line end or a NUL in them would end it early.
local function text(value)
  return type(value) == "string" and value ~= "" and #value <= 4096
    and not value:find "[^\032-\126]",
    "a string of 1 to 4096 printable ASCII characters"
end

-- With socks4 and socks5 libcurl looks the exchange's name up itself, in a way
-- that no deadline can end.
local function proxy(value)
  local known = type(value) == "string" and (value:find "^https?://"
    or value:find "^socks5h://" or value:find "^socks4a://")
  return text(value) and known ~= false and known ~= nil,
    "an http://, https://, socks5h:// or socks4a:// URL"
end

local function file(value)
  return type(value) == "string" and value ~= "" and not value:find "%z",
    "a file's path"
end

local function callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or type(meta) == "table"
    and meta.__call ~= nil, "a function that returns key and secret"
end

local function amounts(value)
  return value == "number" or value == "string" or value == "decimal",
    '"number", "string" or "decimal"'
end

-- What each option must be. The checks return whether a value will do, and the
-- words for what would have done.
local checks = {
  api_key = text,
  api_secret = text,
  credentials = callable,
  profile = text,
  base_url = text,
  timeout = seconds,
  connect_timeout = seconds,
  amounts = amounts,
  ca_file = file,
  proxy = proxy,
  user_agent = text,
  max_body = bytes,
}

-- Levenshtein's distance, with a swap of neighbours as one step.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do rows[0][j] = j end
  for i = 1, #a do
    rows[i] = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local cost = math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1)
        and a:byte(i - 1) == b:byte(j) then
        cost = math.min(cost, rows[i - 2][j - 2] + 1)
      end
      rows[i][j] = cost
    end
  end
  return rows[#a][#b]
end

--- The name in `known` (a table with the names as keys) that somebody who wrote
--- `name` most likely meant, as a question to add to a message; "" if none is
--- near.
---@param name any
---@param known table<string, any>
---@return string
function _M.did_you_mean(name, known)
  local best, least = nil, 4
  if type(name) ~= "string" or #name > 40 then
    return ""
  end
  for candidate in pairs(known) do
    local steps = distance(name:lower(), candidate)
    if steps < least or (steps == least and best and candidate < best) then
      best, least = candidate, steps
    end
  end
  if not best or least > #best / 2 then
    return ""
  end
  return ('; did you mean "%s"?'):format(best)
end

local function fail(level, message, ...)
  error("bitfront.new: " .. message:format(...), level + 1)
end

local function check_each(options, level)
  for name, value in pairs(options) do
    local check = checks[name]
    if not check then
      fail(level + 1, 'unknown option "%s"%s', tostring(name),
        _M.did_you_mean(name, checks))
    end
    local good, wanted = check(value)
    if not good then
      fail(level + 1, "%s must be %s", name, wanted)
    end
  end
end

local function check_credentials(options, level)
  local given = {}
  if (options.api_key == nil) ~= (options.api_secret == nil) then
    fail(level + 1, "%s is missing: api_key and api_secret go together",
      options.api_key and "api_secret" or "api_key")
  end
  for _, name in ipairs { "api_key", "credentials", "profile" } do
    given[#given + 1] = options[name] and name or nil
  end
  if #given > 1 then
    fail(level + 1, "give either %s or %s, not both", given[1], given[2])
  end
end

--- Returns a checked copy of `options`; raises at `level` for a value that will
--- not do and for a name that does not exist.
---@param options bitfront.Options?
---@param level integer  as for error(): 1 is the caller of this function
---@return bitfront.Options
function _M.check(options, level)
  local copy = {}
  if options ~= nil and type(options) ~= "table" then
    fail(level + 1, "options must be a table, not a %s", type(options))
  end
  for name, value in pairs(options or {}) do
    copy[name] = value
  end
  check_each(copy, level + 1)
  check_credentials(copy, level + 1)
  return copy
end

return _M
