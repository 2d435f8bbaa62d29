--- The command's streams, and its ends: data goes to stdout, messages to stderr.

local text = require "bitfront.records.text"

local _M = {}

-- The exit statuses; a shell reports SIGINT by the last.
_M.FAILED, _M.MISUSED, _M.INTERRUPTED = 1, 2, 130

---Ends the command from anywhere below `main`.
function _M.stop(status, message)
  error({ status = status, message = message }, 0)
end

---@param message string  what could harm a terminal is escaped
function _M.say(message)
  local ok, shown = pcall(text.escape, message) -- by the C module, if that loads
  io.stderr:write("bitfront: ", ok and shown or message:gsub("%c", "?"), "\n")
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
    _M.stop(_M.FAILED, "the output cannot be written: " .. tostring(err))
  end
end

---Ends a command that writes seldom where nobody reads the output any more.
function _M.check_output()
  if reserved[io.stdout] or require("bitfront.core").is_hung_up() then
    _M.stop(_M.FAILED, "nobody reads the output")
  end
end

---A module that may be missing or broken, with a reason of one line: not the
---list of places where it is not, but what the dynamic linker says.
function _M.load(name)
  local ok, module = pcall(require, name)
  if ok then return module end
  local first, second = tostring(module):match("^([^\n]*)\n?%s*([^\n]*)")
  _M.stop(_M.FAILED, ("the module %s cannot be loaded: %s"):format(name,
    first:find("^error loading") and first .. " " .. second or first))
end

return _M
