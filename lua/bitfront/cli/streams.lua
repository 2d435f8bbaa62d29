--- The command's streams, and its ends: data goes to stdout, messages to stderr.

local text = require "bitfront.records.text"

local _M = {}

_M.is_quiet = false -- whether there are no notes

---Ends the command from anywhere below `main`.
---@param errors bitfront.cli.Failure[]
function _M.fail(errors)
  error({ errors = errors }, 0)
end

---An error of the command's own.
---@param kind "usage"|"failed"
---@param message string
---@param code? string  default "arguments"
---@return bitfront.cli.Failure
function _M.failure(kind, message, code)
  return { kind = kind, code = code or "arguments", message = message, retryable = false }
end

---Ends the command by such an error.
function _M.stop(kind, message, code)
  _M.fail { _M.failure(kind, message, code) }
end

---A message in which what could harm a terminal is escaped.
---@param message string
---@return string
function _M.shown(message)
  local ok, shown = pcall(text.escape, message) -- by the C module, if that loads
  return ok and shown or (message:gsub("%c", "?"))
end

---@param message string
function _M.say(message)
  io.stderr:write("bitfront: ", _M.shown(message), "\n")
end

---Says what is no failure.
---@param message string
function _M.note(message)
  if not _M.is_quiet then _M.say(message) end
end

local EBADF = 9
local reserved = {} -- files by the standard stream whose number they have

---Opens something unwritable in the place of standard streams that are closed. Else
---the next file that is opened had such a number: it could be the connection, and
---the output would be sent to the server.
function _M.reserve_closed()
  for _, stream in ipairs({ io.stdin, io.stdout, io.stderr }) do
    local _, _, errno = stream:seek("cur")
    if errno == EBADF then reserved[stream] = io.open("/dev/null", "r") end
  end
end

function _M.write(output)
  local ok, err = io.stdout:write(output)
  if ok then ok, err = io.stdout:flush() end
  if not ok then
    _M.stop("failed", "the output cannot be written: " .. tostring(err), "output")
  end
end

---Ends a command that writes seldom where nobody reads the output any more.
function _M.check_output()
  if reserved[io.stdout] or require("bitfront.core").is_hung_up() then
    _M.stop("failed", "nobody reads the output", "output")
  end
end

---A module that may be missing or broken, with a reason of one line: not the
---list of places where it is not, but what the dynamic linker says.
function _M.load(name)
  local ok, module = pcall(require, name)
  if ok then return module end
  local first, second = tostring(module):match("^([^\n]*)\n?%s*([^\n]*)")
  _M.stop("failed", ("the module %s cannot be loaded: %s"):format(name,
    first:find("^error loading") and first .. " " .. second or first), "internal")
end

return _M
