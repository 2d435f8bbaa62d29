---The fields that a file's LuaCATS annotations give a class.
local support = require "spec.support"

---@param path string
---@param class string
---@return table<string, { type: string, about: string, is_optional: boolean }>
return function(path, class)
  local fields, is_inside = {}, false
  for line in support.read(path):gmatch "[^\n]*" do
    local name, mark, rest = line:match "^%-%-%-@field ([%w_]+)(%??) (.*)$"
    if line:find "^%-%-%-@class " then
      is_inside = line:match "^%-%-%-@class ([%w_.]+)" == class
    elseif is_inside and name then
      local kind, about = rest:match "^(.-)  (.*)$"
      fields[name] = { type = kind or rest, about = about or "", is_optional = mark == "?" }
    end
  end
  return fields
end
