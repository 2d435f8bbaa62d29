-- What a call returns when it fails: a table that reads well wherever a string
-- was expected.

local native = require "bitfront.native"
local status = require "bitfront.status"

local _M = {}

---@class bitfront.Error
---@field kind bitfront.ErrorKind
---@field code integer|string  the API's statusCode, or a fixed word
---@field message string  for people; may change
---@field retryable boolean  may the same call succeed later?
---@field retry_after number?  seconds to leave the server alone for, where it said so
---@field http_status integer?  where there was a reply
---@field response_time integer?  the server's clock, Unix ms
---@field attempts integer  requests made for the call; 0: nothing was sent

local Error = {}

--- "kind (code): message"
---@param err table  it has these three
function _M.describe(err)
  return ("%s (%s): %s"):format(err.kind, err.code, tostring(err.message))
end

function Error:__tostring()
  return "bitfront: " .. _M.describe(self)
end

function Error.__concat(left, right)
  return tostring(left) .. tostring(right)
end

-- Without the C module, which may have failed to load, nothing was received from
-- outside.
local function clean(message)
  message = message == nil and "" or tostring(message)
  return package.loaded["bitfront.core"] and native.clean(message) or message
end

--- Makes an error of a table that has kind, code and message; or, for a refusal
--- by the exchange, the statusCode as its code and no kind. The table itself
--- becomes the error. Its message is cleaned, whoever wrote it: no credentials of
--- any account, no signatures, no control characters.
---@param fields table
---@param attempts integer  requests made
---@return bitfront.Error
function _M.new(fields, attempts)
  local kind = fields.kind or status.kind_of(fields.code)
  fields.kind, fields.retryable = kind, status.is_retryable(kind, fields.http_status)
  fields.attempts, fields.message = attempts, clean(fields.message)
  return setmetatable(fields, Error)
end

return _M
