--- Coin codes: what the exchange calls a coin, and so what it can be asked for
--- by. The one rule is what csrc/json/reply.c reads: any text, but not an empty one,
--- and without a NUL. Letters count as they are written.

local _M = {}

_M.RULE = "a coin code must not be empty or hold a NUL"

function _M.is_code(code)
  return type(code) == "string" and code ~= "" and not code:find "%z"
end

--- A text as a part of a URL. Patterns name their letters: %w asks the locale.
function _M.escape(text)
  return (text:gsub("[^A-Za-z0-9._~-]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

--- The code as the last part of a URL's path. What a server on the way might take
--- for another path is refused, escaped as well as plain.
---@return string? escaped
---@return string? message
function _M.path_segment(code)
  if not _M.is_code(code) or code == "." or code == ".."
    or code:find("[/\\\1-\31\127]") then
    return nil, "code must be a text without /, \\ and control characters, "
      .. "and not empty, . or .."
  end
  return _M.escape(code)
end

local COMMA = { ["\0"] = "," }

--- Reads a list of codes such as "BTC,ETH", as the command and the site take it.
--- A comma that belongs to a code has a backslash before it.
---@return string[]? codes
---@return string? message
function _M.list(text)
  local codes = {}
  if not _M.is_code(text) then return nil, _M.RULE end
  -- No code has a NUL, so that can stand for such a comma.
  for part in (text:gsub("\\,", "\0") .. ","):gmatch("([^,]*),") do
    local code = part:gsub(".", COMMA)
    if code == "" then return nil, _M.RULE end
    codes[#codes + 1] = code
  end
  return codes
end

return _M
