--- Shell commands from plain Lua, with every argument quoted.

local _M = {}

---@param text string
---@return string  One word for the shell, whatever is in it.
function _M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Fills `$1`, `$2`... of a script with quoted arguments.
---@param script string
---@param ... string|number
---@return string command
function _M.fill(script, ...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = _M.quote(tostring(word)) end
  return "set -- " .. table.concat(words, " ") .. "\n" .. script
end

--- Runs a script with arguments and waits for its end.
---@param script string
---@param ... string|number  The script's $1, $2...
---@return boolean ok  Did it end with 0?
---@return string output  stdout and stderr, without the last newline.
function _M.run(script, ...)
  local command = "(" .. _M.fill(script, ...) .. "\n) 2>&1 </dev/null; echo $?"
  local pipe = assert(io.popen(command, "r"))
  local output, status = pipe:read("*a"):match("^(.-)\n?(%d+)\n$")
  pipe:close()
  return status == "0", output or ""
end

return _M
