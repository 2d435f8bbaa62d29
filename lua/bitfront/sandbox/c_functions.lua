-- Functions of libc, and of the OpenSSL and the zlib that nginx itself is linked
-- with. HMAC is not the client's own signing code, so that the sandbox finds a mistake
-- in that. Runs in nginx's LuaJIT only.

local bit = require "bit"
local ffi = require "ffi"

ffi.cdef [[
  typedef struct evp_md_st EVP_MD;
  const EVP_MD *EVP_sha256(void);
  unsigned char *HMAC(const EVP_MD *md, const void *key, int key_len,
                      const char *data, size_t data_len,
                      unsigned char *out, unsigned int *out_len);
  unsigned long compressBound(unsigned long len);
  int compress2(char *out, unsigned long *out_len,
                const char *data, unsigned long len, int level);
  int fileno(void *stream);
  int ftruncate(int fd, long length);
  int getppid(void);
  extern int ngx_parent;
]]

local C = ffi.C
local SHA256_BYTES = 32
local GZIP_HEADER = "\31\139\8\0\0\0\0\0\0\3"

local _M = {}

---@param key string
---@param message string
---@return string hex  64 lower-case digits
function _M.hmac_sha256_hex(key, message)
  local out = ffi.new("unsigned char[?]", SHA256_BYTES)
  local done = C.HMAC(C.EVP_sha256(), key, #key, message, #message, out, nil)
  assert(done ~= nil, "HMAC failed")
  return (ffi.string(out, SHA256_BYTES):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

local function uint32(n)
  return string.char(bit.band(n, 255), bit.band(bit.rshift(n, 8), 255),
    bit.band(bit.rshift(n, 16), 255), bit.rshift(n, 24))
end

---@param text string
---@return string
function _M.gzip(text)
  local size = C.compressBound(#text)
  local out = ffi.new("char[?]", size)
  local packed_len = ffi.new("unsigned long[1]", size)
  assert(C.compress2(out, packed_len, text, #text, 9) == 0, "zlib failed")
  -- Without zlib's own head of 2 bytes and tail of 4.
  local deflated = ffi.string(out + 2, packed_len[0] - 6)
  return GZIP_HEADER .. deflated .. uint32(ngx.crc32_long(text)) .. uint32(#text)
end

---@param file file*  opened to append, without a buffer
function _M.empty(file)
  C.ftruncate(C.fileno(file), 0)
end

--- Has the process that started this worker ended? nginx's own variable has its pid, also
--- where it had ended before any Lua ran here.
---@return boolean
function _M.is_orphan()
  return C.getppid() ~= C.ngx_parent
end

return _M
