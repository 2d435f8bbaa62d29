--- HMAC-SHA256 and comparison in constant time, straight from the OpenSSL that
-- nginx itself is linked with. On purpose not the client's own signing code: a
-- mistake in that one must show here. Runs in nginx's LuaJIT only.

local ffi = require "ffi"

ffi.cdef [[
  typedef struct evp_md_st EVP_MD;
  const EVP_MD *EVP_sha256(void);
  unsigned char *HMAC(const EVP_MD *md, const void *key, int key_len,
                      const char *data, size_t data_len,
                      unsigned char *out, unsigned int *out_len);
  int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

local C = ffi.C
local SHA256_BYTES = 32

local _M = {}

---@param key string
---@param message string
---@return string hex  64 lower-case digits
function _M.hmac_sha256_hex(key, message)
  local out = ffi.new("unsigned char[?]", SHA256_BYTES)
  local done = C.HMAC(C.EVP_sha256(), key, #key, message, #message, out, nil)
  assert(done ~= nil, "HMAC failed")
  local hex = {}
  for i = 0, SHA256_BYTES - 1 do
    hex[#hex + 1] = ("%02x"):format(out[i])
  end
  return table.concat(hex)
end

--- Takes as long for strings that differ early as for those that differ late.
---@param a string
---@param b string
---@return boolean
function _M.equal(a, b)
  return #a == #b and C.CRYPTO_memcmp(a, b, #a) == 0
end

return _M
