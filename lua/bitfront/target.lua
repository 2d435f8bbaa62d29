-- What is asked for: paths and queries, checked and encoded.

local _M = {}

local MAX_QUERY = 8192 -- bytes

-- Patterns name their letters: %w asks the locale.

-- A path is signed and sent as it is, so it has nothing in it that a URL parser
-- might read in another way.
function _M.check_path(path, level)
  if type(path) ~= "string" or not path:find "^/v[0-9]+/[A-Za-z0-9_./~-]*$"
    or path:find "//" or (path .. "/"):find "/%.%.?/" then
    error("client:get: path must look like /v1/trade/openOrders", level + 1)
  end
  return path
end

function _M.escape(text)
  return (text:gsub("[^A-Za-z0-9._~-]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local function query_value(name, value, level)
  if type(value) == "number" and value % 1 == 0 and value > -2 ^ 53
    and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  elseif type(value) == "boolean" then
    return tostring(value)
  elseif type(value) ~= "string" then
    error(("client:get: query value of %s must be a string, a whole number "
      .. "or a boolean"):format(tostring(name)), level + 1)
  end
  return _M.escape(value)
end

-- In the order of the names, so that the same table is the same request.
local function query_of_table(query, level)
  local pairs_of = {}
  for name, value in pairs(query) do
    if type(name) ~= "string" then
      error("client:get: query names must be strings", level + 1)
    end
    pairs_of[#pairs_of + 1] = _M.escape(name) .. "="
      .. query_value(name, value, level + 1)
  end
  table.sort(pairs_of)
  local text = table.concat(pairs_of, "&")
  if #text > MAX_QUERY then
    error("client:get: query must not exceed 8192 bytes", level + 1)
  end
  return text
end

function _M.check_query(query, level)
  if type(query) == "table" then
    local text = query_of_table(query, level + 1) -- a tail call hides a level
    return text
  elseif query ~= nil and (type(query) ~= "string" or #query > MAX_QUERY
    or query:find "[^A-Za-z0-9!$%%&'()*+,./:;=?@_~-]" or query:find "^%?") then
    error("client:get: query must be a table, or a string as it stands in "
      .. "a URL, without the ?", level + 1)
  end
  return query
end

return _M
