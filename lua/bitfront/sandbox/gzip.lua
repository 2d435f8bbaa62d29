--- gzip, by the zlib that nginx itself is linked with. Runs in nginx only.

local bit = require "bit"
local ffi = require "ffi"

ffi.cdef [[
  unsigned long compressBound(unsigned long len);
  int compress2(char *out, unsigned long *out_len,
                const char *data, unsigned long len, int level);
]]

local C = ffi.C

local _M = {}

local HEADER = "\31\139\8\0\0\0\0\0\0\3"

local function uint32(n)
  return string.char(bit.band(n, 255), bit.band(bit.rshift(n, 8), 255),
                     bit.band(bit.rshift(n, 16), 255), bit.rshift(n, 24))
end

---@param text string
---@return string
function _M.pack(text)
  local size = C.compressBound(#text)
  local out = ffi.new("char[?]", size)
  local packed_len = ffi.new("unsigned long[1]", size)
  assert(C.compress2(out, packed_len, text, #text, 9) == 0, "zlib failed")
  -- zlib's own frame is 2 bytes before and 4 bytes after what gzip frames.
  local deflated = ffi.string(out + 2, packed_len[0] - 6)
  return HEADER .. deflated .. uint32(ngx.crc32_long(text)) .. uint32(#text)
end

return _M
