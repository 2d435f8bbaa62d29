-- Commands, files and folders for specs: plain Lua 5.1 to 5.5, no rock.

local _M = {}

---The text as one word of a shell command.
function _M.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

function _M.read(path)
  local file, err = io.open(path, "rb")
  if not file then return nil, err end
  local text = file:read("*a")
  file:close()
  return text
end

function _M.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

-- Removes a folder when its input ends: that comes when this process ends,
-- however it does, or with the handle.
local KEEPER = [[
trap '' INT HUP TERM
exec 3<&0
{ cat; rm -rf %s; } <&3 >/dev/null 2>&1 &
]]

local folder -- of this process, made on first use; all paths are in it

local function make_folder()
  local path = capture("mktemp -d"):gsub("\n$", "")
  assert(path ~= "", "mktemp made no folder")
  local keeper = assert(io.popen(KEEPER:format(_M.quote(path)), "w"))
  return { path = path, keeper = keeper, count = 0 }
end

local function new_path()
  folder = folder or make_folder()
  folder.count = folder.count + 1
  return ("%s/%d"):format(folder.path, folder.count)
end

---A new empty folder, removed when the specs have run.
function _M.tmpdir()
  local path = new_path()
  os.execute("mkdir " .. _M.quote(path))
  return path
end

---A library, of this C text, for LD_PRELOAD.
---@param text string
---@return string path
function _M.preload(text)
  local dir = _M.tmpdir()
  _M.write(dir .. "/preload.c", text)
  _M.must(("cd %s && ${CC:-cc} -shared -fPIC -o preload.so preload.c"):format(dir))
  return dir .. "/preload.so"
end

---`env` words that set, and with false unset, the variables.
---@param env? table<string, string|false>
function _M.env_words(env)
  local unset, set = {}, {}
  for name, value in pairs(env or {}) do
    if value then
      set[#set + 1] = name .. "=" .. _M.quote(value)
    else
      unset[#unset + 1] = "-u " .. name
    end
  end
  return "env " .. table.concat(unset, " ") .. " " .. table.concat(set, " ")
end

---Runs a shell command.
---@param command string
---@param options? { env?: table<string, string|false>, cwd?: string, stdin?: string }
---@return string stdout, string stderr, integer exit_code
function _M.run(command, options)
  options = options or {}
  local path = new_path()
  _M.write(path .. ".in", options.stdin or "")
  local line = ("cd %s && %s sh -c %s <%s.in >%s.out 2>%s.err; echo $?")
    :format(_M.quote(options.cwd or "."), _M.env_words(options.env),
            _M.quote(command), path, path, path)
  local code = tonumber(capture(line))
  return _M.read(path .. ".out"), _M.read(path .. ".err"), code
end

---Runs a command that must succeed.
---@return string stdout
function _M.must(command, options)
  local stdout, stderr, code = _M.run(command, options)
  if code ~= 0 then
    error(("%s\nexit code %s\n%s"):format(command, code, stderr), 2)
  end
  return stdout
end

---The lines that a command, which must succeed, prints.
---@return string[] # sorted
function _M.lines(command)
  local lines = {}
  for line in _M.must(command):gmatch "[^\n]+" do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

---@return any[] # of the table, sorted
function _M.keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

---The command that runs this interpreter, from the words that started it.
function _M.interpreter()
  local words, i = arg or {}, 0
  while words[i - 1] do i = i - 1 end
  return words[i] or "lua"
end

---Runs a Lua program in a process of its own, by the interpreter the specs
---run on.
---@return string stdout, string stderr, integer exit_code
function _M.lua(program, options)
  local dir = _M.tmpdir()
  _M.write(dir .. "/program.lua", program)
  return _M.run(_M.interpreter() .. " " .. dir .. "/program.lua", options)
end

function _M.sleep(seconds)
  local ms = math.ceil(seconds * 1000) -- %f would ask the locale for a point
  os.execute(("sleep %d.%03d"):format(math.floor(ms / 1000), ms % 1000))
end

return _M
