-- Shell commands and files of the machine.

local _M = {}

---@param text string
---@return string  one word for the shell, whatever is in it
function _M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- A script with quoted arguments for its `$1`, `$2`...
---@param script string
---@param ... string|number
---@return string command
function _M.with_arguments(script, ...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = _M.quote(tostring(word)) end
  return "set -- " .. table.concat(words, " ") .. "\n" .. script
end

--- Runs a script with arguments and waits for its end.
---@param script string
---@param ... string|number
---@return boolean ok  whether it ended with 0
---@return string output  stdout and stderr, without the last newline
function _M.run(script, ...)
  local command = "(" .. _M.with_arguments(script, ...) .. "\n) 2>&1 </dev/null; echo $?"
  local pipe = assert(io.popen(command, "r"))
  local output, status = pipe:read("*a"):match("^(.-)\n?(%d+)\n$")
  pipe:close()
  return status == "0", output or ""
end

---@param file string
---@param up string  from the file's folder to the one that is asked for, as "../.."
---@return string folder  its whole path, without symbolic links
function _M.folder(file, up)
  local _, folder = _M.run('cd "$(dirname "$1")/$2" && pwd -P', file, up)
  return folder
end

---@return string folder  that has bitfront/, wherever this file was installed
function _M.lua_folder()
  return _M.folder(debug.getinfo(1, "S").source:match "^@(.*)$", "../..")
end

---@param path string
---@return string? text
---@return string? message
function _M.read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text
  text, message = file:read("*a")
  file:close()
  return text, not text and ("%s: %s"):format(path, message) or nil
end

--- Writes a new file in place of an old one. It is its owner's alone before the
--- text comes into it.
---@param path string
---@param text string
---@return true? done
---@return string? message
function _M.write(path, text)
  os.remove(path)
  local ok, message = _M.run('umask 077; : >"$1"', path)
  if not ok then return nil, message end
  local file
  file, message = io.open(path, "wb")
  if not file then return nil, message end
  local written, early = file:write(text)
  local closed, late = file:close() -- which writes what is still in the buffer
  if written and closed then return true end
  return nil, ("%s: %s"):format(path, early or late)
end

return _M
