--- What the command tells of a failure: a line for each error, for people or as JSON, and
-- the exit status.

local errors = require "bitfront.error"
local exit_status = require "bitfront.cli.exit_status"
local kinds = require "bitfront.status".KINDS
local native = require "bitfront.native"
local streams = require "bitfront.cli.streams"
local text = require "bitfront.records.text"

local _M = {}

--- An error of the library; or one of the command, whose kind is "usage" or "failed".
---@class bitfront.cli.Failure
---@field kind string
---@field code integer|string
---@field message string
---@field account? string  whose call it was, where profiles were named

---@param err bitfront.cli.Failure
---@return string line
function _M.describe(err)
  return (err.account and err.account .. ": " or "")
    .. (kinds[err.kind] and errors.describe(err) or err.message)
end

-- ---- JSON ----

local FIELDS = { "account", "kind", "code", "message", "retryable", "retry_after", "http_status",
                 "response_time", "attempts" }

local json_of = { ["nil"] = function() return "null" end, boolean = tostring }

-- Numbers have a point, whatever the locale.
function json_of.number(value)
  return tostring(native.decimal(value) or "null")
end

-- What cannot be loaded may be what writes JSON.
function json_of.string(value)
  local ok, written = pcall(text.json, value)
  return ok and written or '"' .. value:gsub('[%c"\\\127-\255]', "?") .. '"'
end

local function as_json(err)
  local members = {}
  for i, field in ipairs(FIELDS) do
    local value = err[field]
    members[i] = ('"%s":%s'):format(field, json_of[type(value)](value))
  end
  return "{" .. table.concat(members, ",") .. "}\n"
end

-- ---- reporting ----

local class_of = {}
for _, class in ipairs(exit_status) do
  class_of[class.name] = class
  for _, kind in ipairs(class.kinds or {}) do class_of[kind] = class end
end

---Tells of each error on stderr.
---@param list bitfront.cli.Failure[]
---@param is_json boolean  in lines of JSON
---@return integer status  to exit with
function _M.report(list, is_json)
  local class = class_of[list[1].kind]
  for _, err in ipairs(list) do
    if is_json then
      io.stderr:write(as_json(err))
    else
      streams.say(_M.describe(err))
    end
    if class_of[err.kind] ~= class then class = exit_status.failed end
  end
  return class.status
end

return _M
