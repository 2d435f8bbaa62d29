-- Programs in which functions of the system, libcurl and OpenSSL fail when they say so.
-- A preloaded library has the functions of these names, and calls the real ones.

local shell = require "spec.support.shell"

local _M = {}

local NAMES = {
  "__cxa_atexit", "__register_atfork", "bind", "clock_gettime", "connect", "dladdr", "fcntl",
  "fstat", "ioctl", "listen", "open", "pipe2", "posix_spawn_file_actions_adddup2",
  "posix_spawn_file_actions_addopen", "posix_spawn_file_actions_init", "posix_spawnattr_init",
  "posix_spawnattr_setsigdefault", "posix_spawnattr_setsigmask", "posix_spawnp",
  "pthread_attr_init", "pthread_create", "pthread_mutex_init", "read", "sigpending", "socket",
  "strdup", "strndup", "waitpid",
  "curl_easy_getinfo", "curl_easy_init", "curl_easy_setopt", "curl_global_init",
  "curl_multi_add_handle", "curl_multi_poll", "curl_url",
  "BN_CTX_get", "BN_add_word", "BN_bn2dec", "BN_copy", "BN_div", "BN_lshift", "BN_lshift1",
  "BN_mul", "BN_mul_word", "BN_new", "BN_set_word", "CRYPTO_get_ex_new_index",
  "EVP_Digest", "EVP_MAC_CTX_new",
  "EVP_MAC_fetch", "EVP_MAC_final", "EVP_MAC_init", "EVP_MAC_update",
  "OPENSSL_init_crypto", "OSSL_LIB_CTX_get0_global_default", "RAND_bytes",
  "X509_STORE_load_file", "X509_STORE_new",
}

-- The file that FAILING names holds a number that no other plan had, a function's name,
-- what it returns, errno, how many calls of it fail behind how many others, which of
-- its arguments (from 0; -1: none) must be what for that, and a part of the path of the
-- library that must have called it ("/": any). With the last failure the file is
-- removed. Plain system calls read it: but for dladdr, no function here calls another.
local LIBRARY = [[
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *name, const long *arguments, void *caller, long *value) {
  static int last, left, before;
  char text[200], other[64], from[64];
  Dl_info library;
  int serial, error, times, after, index;
  long expected;
  long fd = syscall(SYS_openat, AT_FDCWD, getenv("FAILING"), O_RDONLY);
  long len = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
  if (fd >= 0)
    syscall(SYS_close, fd);
  text[len > 0 ? len : 0] = '\0';
  if (sscanf(text, "%d %63s %ld %d %d %d %d %ld %63s", &serial, other, value, &error,
             &times, &after, &index, &expected, from) != 9 || strcmp(name, other) != 0 ||
      (index >= 0 && arguments[index] != expected) ||
      (strcmp(from, "/") != 0 && (!dladdr(caller, &library) ||
                                  !strstr(library.dli_fname, from))))
    return 0;
  if (serial != last) {
    left = times;
    before = after;
  }
  last = serial;
  if (before-- > 0)
    return 0;
  if (--left == 0)
    syscall(SYS_unlinkat, AT_FDCWD, getenv("FAILING"), 0);
  errno = error;
  return 1;
}

static void *real(const char *name) {
  static const char *const libraries[] = {"libcurl.so.4", "libcrypto.so.3"};
  void *found = dlsym(RTLD_NEXT, name);
  for (int i = 0; !found && i < 2; i++) {
    void *library = dlopen(libraries[i], RTLD_NOW);
    found = library ? dlsym(library, name) : NULL;
  }
  return found;
}

#define WRAP(name) \
  long wrap_##name(long a, long b, long c, long d, long e, long f) __asm__(#name); \
  long wrap_##name(long a, long b, long c, long d, long e, long f) { \
    const long arguments[] = {a, b, c, d, e, f}; \
    long value; \
    long (*function)(long, long, long, long, long, long); \
    if (fails(#name, arguments, __builtin_return_address(0), &value)) \
      return value; \
    *(void **)&function = real(#name); \
    return function(a, b, c, d, e, f); \
  }

/* What real() itself calls. */
#define WRAP_ALLOCATION(name) \
  extern void *__libc_##name(size_t a, size_t b); \
  void *wrap_##name(size_t a, size_t b) __asm__(#name); \
  void *wrap_##name(size_t a, size_t b) { \
    long value; \
    return fails(#name, NULL, __builtin_return_address(0), &value) ? NULL \
      : __libc_##name(a, b); \
  }
WRAP_ALLOCATION(malloc)
WRAP_ALLOCATION(calloc)
WRAP_ALLOCATION(realloc)
]]

-- What a program begins with. `fail` says which function is to fail, until it has done
-- so as often (else a million times) or until `heal`, which tells whether it has not.
local PRELUDE = [[
local serial = 0
local function fail(name, value, more)
  more = more or {}
  serial = serial + 1
  local file = assert(io.open(os.getenv "FAILING", "w"))
  file:write(serial, " ", name, " ", value, " ", more.errno or 0,
    " ", more.times or 1000000,
    " ", more.after or 0, " ", more.argument or -1, " ", more.is or 0,
    " ", more.from or "/", "\n")
  file:close()
end
local function heal() return os.remove(os.getenv "FAILING") end
]]

---Runs a Lua program with `fail` and `heal` in a process of its own.
---@param program string
---@param env? table<string, string|false>
---@return string stdout, string stderr, integer exit_code
function _M.run(program, env)
  local lines = { LIBRARY }
  for _, name in ipairs(NAMES) do lines[#lines + 1] = "WRAP(" .. name .. ")" end
  _M.library = _M.library or shell.preload(table.concat(lines, "\n") .. "\n")
  local all = { LD_PRELOAD = _M.library, FAILING = shell.tmpdir() .. "/plan" }
  for name, value in pairs(env or {}) do all[name] = value end
  return shell.lua(PRELUDE .. program, { env = all })
end

return _M
