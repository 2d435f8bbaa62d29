-- decode.lua CALLS FILE [cjson]: bitfront, or lua-cjson, decodes the file's text that
-- many times.

local decode = arg[3] and require "cjson".decode or require "bitfront".json.decode
local file = assert(io.open(arg[2], "rb"))
local text = file:read "*a"
file:close()

for _ = 1, tonumber(arg[1]) do
  decode(text)
end
