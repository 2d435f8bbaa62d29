-- The header traceparent of W3C's Trace Context: a call's place in a trace that others
-- keep. https://www.w3.org/TR/trace-context/

local _M = {}

_M.EXPECTED = "a traceparent of version 00, such as "
  .. "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

-- Patterns name their letters: %x takes capitals, which the header may not have.
local VERSION_00 = "^00%-(" .. ("[0-9a-f]"):rep(32) .. ")%-(" .. ("[0-9a-f]"):rep(16)
  .. ")%-[0-9a-f][0-9a-f]$"

--- Whether this is a header of version 00, as it is sent.
---@param text any
function _M.is_valid(text)
  if type(text) ~= "string" then return false end
  local trace_id, parent_id = text:match(VERSION_00)
  return trace_id ~= nil and trace_id:find "[1-9a-f]" ~= nil
    and parent_id:find "[1-9a-f]" ~= nil
end

--- What is sent on for a header that somebody else has sent: of a later version, the
--- part that this one knows. nil for one that is wrong, or came more than once.
---@param header any  as ngx.req.get_headers has it
---@return string?
function _M.of_header(header)
  if type(header) ~= "string" then return nil end
  local version, rest = header:match "^([0-9a-f][0-9a-f])%-", header:sub(56)
  local is_whole = rest == "" or version ~= "00" and rest:sub(1, 1) == "-"
  local text = "00" .. header:sub(3, 55)
  return version and version ~= "ff" and is_whole and _M.is_valid(text) and text or nil
end

return _M
