--- What a monitoring plug-in prints, and its exit statuses, by the Monitoring Plugins
-- Development Guidelines: one line on stdout, also of what fails.

local failure = require "bitfront.cli.failure"
local streams = require "bitfront.cli.streams"

local _M = { OK = 0, WARNING = 1, CRITICAL = 2, UNKNOWN = 3 }

local NAMES = {}
for name, status in pairs(_M) do NAMES[status] = name end

-- Performance data begin at the first bar.
local function shown(text)
  return (streams.shown(text):gsub("|", "\\x7C"))
end

---A text as the label of performance data.
function _M.label(text)
  local label = shown(text)
  return label:find "^[A-Za-z0-9._]+$" and label or "'" .. label:gsub("'", "''") .. "'"
end

---@param status integer
---@param text string
---@param data? string[]  performance data
---@return integer status
function _M.print(status, text, data)
  streams.write(("BITFRONT %s: %s%s\n"):format(NAMES[status], shown(text),
    data and " | " .. table.concat(data, " ") or ""))
  return status
end

---What is to be known could not be found out, for these reasons.
---@param list bitfront.cli.Failure[]
---@return integer status
function _M.report(list)
  local lines = {}
  for i, err in ipairs(list) do lines[i] = failure.describe(err) end
  local text = table.concat(lines, "; ")
  if not pcall(_M.print, _M.UNKNOWN, text) then streams.say(text) end
  return _M.UNKNOWN
end

return _M
