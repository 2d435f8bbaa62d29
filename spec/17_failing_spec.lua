-- What a call comes to where a function of the system, of libcurl or of OpenSSL fails; and
-- that what the module has allocated is freed.

local failing = require "spec.support.failing"
local support = require "spec.support"

describe("where a function fails that is not this module's, #once #apart", function()
  local faultd, profile

  -- More records and members than there is room for at first.
  local records, members = {}, {}
  for i = 1, 40 do
    records[i] = ('{"currency":"C%d","balance":1,"availableBalance":1}'):format(i)
    members[i] = ('"key%d":%d'):format(i, i)
  end
  local BODY = support.success("[" .. table.concat(records, ",") .. "]",
    "," .. table.concat(members, ","))

  setup(function()
    faultd, profile = support.faultd(), support.tmpdir() .. "/credentials"
    support.write(profile, "[p]\napi_key = k\napi_secret = s\n")
    support.must("chmod 600 " .. profile)
    support.write(profile .. ".printed",
      '{"Version":1,"AccessKeyId":"k","SecretAccessKey":"s"}')
    support.write(profile .. ".key", "k\n")
  end)
  teardown(function() faultd:stop() end)

  -- What the program must print. Its `call` makes a call by a client of its own and
  -- returns "ok", or the error's kind and code.
  local function says(expected, program)
    local out, err, code = failing.run(([[
      local core = require "bitfront.core"
      local URL, PLAIN, CA, PROFILE = %q, %q, %q, %q
      local PRINTED, KEY = PROFILE .. ".printed", PROFILE .. ".key"
      local function told(done, err)
        return done and "ok" or err.kind .. " " .. err.code
      end
      local calls = 0
      local function call(how)
        local client, err = core.new { base_url = URL, ca_file = CA, user_agent = "spec",
          connect_timeout = 3, max_body = 1e6 }
        local done = client
        calls = calls + 1 -- an account of its own has no connection yet
        if client then done, err = client:set_credentials("k" .. calls, "s") end
        local request = { client = client, deadline = core.now() + 5 }
        if not done then
          return told(done, err)
        elseif how ~= "thread" then
          return told(core.balances(request))
        end
        local job
        job, err = core.thread_start(request)
        if not job then return told(job, err) end
        while not job:done() do core.sleep(0.001) end
        return told(job:finish())
      end
    ]]):format(faultd:url_body(BODY),
      faultd:url_body(BODY, { listener = "plain" }), faultd.ca_file, profile)
      .. program)
    assert.equal(table.concat(expected, "\n") .. "\n", out, err)
    assert.equal(0, code, err)
  end

  -- Rows of { a call's result, the function, what it returns, more }; then a call in
  -- which none fails.
  local function calls_say(rows, how)
    local expected, program = {}, {}
    for _, row in ipairs(rows) do
      expected[#expected + 1] = row[2] .. " " .. row[1]
      program[#program + 1] = ("fail(%q, %d, %s) print(%q .. call(%q)) heal()")
        :format(row[2], row[3], row[4] or "{}", row[2] .. " ", how or "")
    end
    expected[#expected + 1] = "ok"
    says(expected, table.concat(program, "\n") .. ("\nprint(call(%q))"):format(how or ""))
  end

  it("a call ends with that error, or as ever, and later ones as ever", function()
    calls_say {
      { "config openssl", "OSSL_LIB_CTX_get0_global_default", 0 },
      { "memory memory", "curl_global_init", 27 },
      { "memory memory", "CRYPTO_get_ex_new_index", -1, "{ argument = 0, is = 1 }" }, -- SSL_CTX
      { "ok", "dladdr", 0 },
      { "memory memory", "EVP_Digest", 0 },
      { "config openssl", "EVP_MAC_fetch", 0 },
      { "memory memory", "EVP_MAC_CTX_new", 0 },
      { "memory memory", "EVP_MAC_init", 0 },
      { "memory memory", "curl_url", 0 },
      { "memory memory", "curl_easy_init", 0 },
      { "memory memory", "curl_multi_add_handle", 3 },
      { "ok", "curl_multi_poll", 3, "{ times = 2 }" },
      { "network unreachable", "connect", -1, "{ errno = 101 }" }, -- ENETUNREACH
      { "network unreachable", "connect", -1, "{ errno = 113 }" }, -- EHOSTUNREACH
      { "network reset", "connect", -1, "{ errno = 104 }" }, -- ECONNRESET
      { "network refused", "socket", -1, "{ errno = 13 }" }, -- EACCES
      { "network descriptors", "socket", -1, "{ errno = 24 }" }, -- EMFILE
      { "network descriptors", "socket", -1, "{ errno = 23 }" }, -- ENFILE
      { "network refused", "fcntl", -1, "{ argument = 1, is = 3 }" }, -- F_GETFL
      { "network refused", "fcntl", -1, "{ argument = 1, is = 2 }" }, -- F_SETFD
      { "ok", "ioctl", -1 },
      { "ok", "sigpending", -1 },
      { "ok", "clock_gettime", -1, "{ argument = 0, is = 7 }" }, -- CLOCK_BOOTTIME
    }
  end)

  it("a client is made of key and secret, and each of its calls has that error", function()
    says({ "config openssl", "config openssl" }, [[
      fail("EVP_MAC_fetch", 0)
      local client = require("bitfront").new { api_key = "k", api_secret = "s", base_url = URL,
        ca_file = CA }
      heal()
      for _ = 1, 2 do print(told(client:balances())) end
    ]])
  end)

  it("a call that was to be signed is not sent", function()
    faultd:forget()
    says({ "memory memory", "memory memory", "ok" }, [[
      URL = PLAIN
      for _, name in ipairs { "EVP_MAC_update", "EVP_MAC_final" } do
        fail(name, 0)
        print(call())
        heal()
      end
      print(call())
    ]])
    assert.equal(1, #faultd:requests())
  end)

  -- As libcurl 7.74 closes some. `heal` tells whether more would have been lost.
  for _, row in ipairs { { 1, "ok", "nil" }, { 3, "ok", "nil" }, { 10, "ok", "nil" },
                         { 11, "network refused", "nil" }, { 100, "network refused", "true" } } do
    it(("a call finds another connection, not without end, where libcurl has closed "
      .. "those that it made: %d times"):format(row[1]), function()
      says({ row[2], row[3] }, ([[
        fail("curl_easy_getinfo", 0, { times = %d, argument = 1, is = 0x50002C }) -- no socket
        print(call())
        print(tostring(heal()))
      ]]):format(row[1]))
    end)
  end

  -- Each of them, in its turn. The two without which a call is as safe came with 7.87.
  it("a call is refused where libcurl refuses an option", function()
    local major, minor = require "bitfront.core".versions().curl.compiled:match "^(%d+)%.(%d+)"
    local optional = major * 100 + minor >= 787 and 2 or 0
    says({ "true", tostring(optional) }, [[
      local refused, count, has_failed = 0, -1, true
      while has_failed do
        count = count + 1
        fail("curl_easy_setopt", 48, { times = 1, after = count }) -- CURLE_UNKNOWN_OPTION
        refused = refused + (call() == "config libcurl" and 1 or 0)
        has_failed = not heal()
      end
      print(refused > 20)
      print(count - refused)
    ]])
  end)

  -- Each allocation of the module's own, in its turn, until none is left to fail.
  for _, row in ipairs {
    { "a call", "return call()" },
    { "a call on the engine's thread", [[return call "thread"]] },
    { "a profile", [[return told(core.profile(PROFILE, "p"))]] },
    { "slots of the limiter", [[
      local store = core.window_store({ k = core.window() }, error)
      for _ = 1, 40 do
        local wait, message = store:acquire("k", 1000, 100, 100)
        if wait ~= 0 then return (message:gsub("not enough memory", "memory memory")) end
      end
      for id = -1, -40, -1 do -- as of calls that another process has forgotten
        local ended, message = store:release("k", id, 0)
        if not ended then return (message:gsub("not enough memory", "memory memory")) end
      end
      return "ok"
    ]] },
    { "keys in files", "return told(core.secret_files(KEY, KEY))" },
    { "a program that prints keys", [[
      local process, err = core.start_process("cat " .. PRINTED)
      if not process then return told(process, err) end
      repeat core.sleep(0.001) until process:poll()
      return told(process:credentials())
    ]] },
  } do
    it("says so where there is no memory for " .. row[1], function()
      says({ "true", "ok" }, ([[
        local function ask() %s end
        local count = 0
        for _, name in ipairs { "malloc", "calloc", "realloc", "strdup", "strndup" } do
          local after, result = 0, nil
          repeat
            fail(name, 0, { errno = 12, times = 1, after = after, from = "/core.so" }) -- ENOMEM
            result = ask()
            after = after + 1
            local has_failed = not heal()
            if has_failed ~= (result == "memory memory") then print(name, after, result) end
          until not has_failed
          count = count + after - 1
        end
        print(count > 0)
        print(ask())
      ]]):format(row[2]))
    end)
  end

  it("the engine's thread is not made, and the next call makes it", function()
    calls_say({
      { "config openssl", "OSSL_LIB_CTX_get0_global_default", 0 },
      { "memory memory", "OPENSSL_init_crypto", 0, '{ from = "/core.so" }' },
      { "memory memory", "__register_atfork", 12 },
      { "memory memory", "__cxa_atexit", -1 },
      { "memory memory", "pthread_mutex_init", 12 },
      { "memory thread", "pthread_attr_init", 12 },
      { "memory thread", "pthread_create", 11 },
    }, "thread")
  end)

  it("the engine's thread listens nowhere", function()
    says({ "nil", "nil", "string" }, [[
      for _, name in ipairs { "socket", "listen" } do
        fail(name, -1, { errno = 13 })
        print(core.thread_listen())
        heal()
      end
      print(type(core.thread_listen()))
    ]])
  end)

  it("a profile is not read", function()
    says({ "memory memory", "config profile", "false file", "config profile", "ok",
      "config profile", "config profile" }, [[
      for _, row in ipairs {
        { "open", 12 }, { "open", 13 }, { "open", 20 }, -- ENOMEM, EACCES, ENOTDIR
        { "fstat", 5 }, { "read", 4, 3 }, { "read", 5 }, -- EIO, EINTR three times, EIO
      } do
        fail(row[1], -1, { errno = row[2], times = row[3] })
        local credentials, err = core.profile(PROFILE, "p")
        heal()
        print(credentials == false and "false " .. err or told(credentials, err))
      end
      fail("fstat", -1)
      print(told(core.profiles(PROFILE)))
    ]])
  end)

  it("a ca_file is not read", function()
    says({ "memory memory", "network descriptors", "network descriptors", "memory memory",
      "tls ca_file", "ok" }, [[
      for _, row in ipairs {
        { "open", -1, { errno = 12 } }, -- ENOMEM
        { "open", -1, { errno = 24 } }, -- EMFILE
        { "open", -1, { errno = 24, after = 1 } },
        { "X509_STORE_new", 0 }, { "X509_STORE_load_file", 0 },
      } do
        fail((table.unpack or unpack)(row))
        print(told(core.check_ca_file(CA)))
        heal()
      end
      print(told(core.check_ca_file(CA)))
    ]])
  end)

  it("a call has no certificates, of a ca_file or of the system", function()
    local major, minor = require "bitfront.core".versions().curl.loaded:match "^(%d+)%.(%d+)"
    if major * 100 + minor < 788 then return end -- it reads them by another function
    says({ "memory memory", "tls ca_file" }, [[
      fail("X509_STORE_load_file", 0, { from = "libcurl" })
      print(call())
      CA = nil
      fail("X509_STORE_load_file", 0)
      print(call())
    ]])
  end)

  it("there is no random number, no digest and no file's name", function()
    says({ "nil", "memory memory", "0", "nil" }, [[
      fail("RAND_bytes", 0)
      for _ = 1, 64 do core.random() end -- those that were drawn before
      print(core.random())
      print(call())
      fail("EVP_Digest", 0)
      print(select("#", core.sha1 "x"))
      fail("dladdr", 0)
      print(core.versions().curl.file)
    ]])
  end)

  it("arithmetic raises", function()
    says({ "27 not enough memory for a decimal\tnil" }, [[
      local decimal = require "bitfront".decimal
      local HALF, LONG, text = decimal "2.5", ("9"):rep(1000), ("9"):rep(50)
      local ROWS = {
        { "BN_new", function() return decimal "1" end },
        { "BN_mul_word", function() return decimal "1" end },
        { "BN_mul_word", function() return decimal(text) end },
        { "BN_add_word", function() return decimal(text) end },
        { "BN_add_word", function() return decimal(text) end, 2 },
        { "BN_mul_word", function() return decimal(2.5e60) end },
        { "BN_mul_word", function() return decimal(2.5e10) end },
        { "BN_copy", function() return decimal(2.5e10) end },
        { "BN_set_word", function() return decimal(1) end },
        { "BN_lshift", function() return decimal(1) end },
        { "BN_add_word", function() return decimal(1) end },
        { "BN_set_word", function() return decimal(1.5) end },
        { "BN_bn2dec", function() return decimal(LONG) end },
        { "BN_bn2dec", function() return tostring(HALF) end },
        { "BN_bn2dec", function() return HALF:to_number() end },
        { "BN_lshift1", function() return HALF:round(0, "half_even") end },
        { "BN_add_word", function() return HALF:round(0, "up") end },
        { "BN_set_word", function() return HALF:round(0, "up") end },
        { "BN_mul_word", function() return HALF:round(0, "up") end },
        { "BN_div", function() return HALF:round(0, "up") end },
        { "BN_CTX_get", function() return HALF:round(0, "up") end },
        { "BN_CTX_get", function() return HALF:round(0, "up") end, 1 },
        { "BN_copy", function() return HALF:round(4) end },
        { "BN_mul_word", function() return HALF:round(4) end },
        { "BN_copy", function() return HALF + 1 end },
        { "BN_mul", function() return HALF * HALF end },
        { "BN_copy", function() return HALF < 1 end },
      }
      local messages = {}
      for _, row in ipairs(ROWS) do
        fail(row[1], 0, { after = row[3] })
        local done, message = pcall(row[2])
        heal()
        assert(not done, row[1])
        message = message:match "not enough.*"
        messages[message] = true
        assert(row[2]() ~= nil)
      end
      print(#ROWS .. " " .. next(messages), next(messages, next(messages)))
    ]])
  end)
end)

describe("a name that resolves only after the call's deadline #once #apart", function()
  it("gets no connection then", function()
    local faultd = support.faultd()
    finally(function() faultd:stop() end)
    local library = support.preload [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <string.h>
      #include <unistd.h>
      int getaddrinfo(const char *name, void *service, void *hints, void *found) {
        int (*next)(const char *, void *, void *, void *) = dlsym(RTLD_NEXT, "getaddrinfo");
        if (!name || strcmp(name, "late.test") != 0)
          return next(name, service, hints, found);
        usleep(300000);
        return next("127.0.0.1", service, hints, found);
      }
      int connect(int fd, void *address, unsigned len) {
        int (*next)(int, void *, unsigned) = dlsym(RTLD_NEXT, "connect");
        write(1, "c", 1);
        return next(fd, address, len);
      }]]
    local late = faultd:url { listener = "silent", host = "late.test" }
    local out, err = support.lua(([[
      local bitfront = require "bitfront"
      local function call(url, timeout)
        local client = bitfront.new { api_key = "key", api_secret = "secret", base_url = url,
          ca_file = %q, timeout = timeout, retries = 0, rate_limit = false, clock = "system" }
        local balances, err = client:balances()
        print(balances and "ok" or err.kind .. " " .. err.code)
      end
      call(%q, 0.1)
      call(%q, 5)
    ]]):format(faultd.ca_file, late, faultd:url_body(support.success(), { delay = 1000 })),
      { env = { LD_PRELOAD = library } })
    assert.equal("timeout resolve\ncok\n", out, err)
  end)
end)

-- As where a process is stopped meanwhile.
describe("a call whose deadline passes while its connection is looked at #once #apart", function()
  it("is not signed", function()
    local faultd = support.faultd()
    finally(function() faultd:stop() end)
    local library, mark = support.preload [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <stdlib.h>
      #include <unistd.h>
      int poll(void *fds, unsigned long count, int timeout) {
        int (*next)(void *, unsigned long, int) = dlsym(RTLD_NEXT, "poll");
        int found = next(fds, count, timeout);
        if (count == 1 && timeout == 0 && access(getenv("MARK"), F_OK) == 0)
          usleep(600000);
        return found;
      }]], support.tmpdir() .. "/mark"
    local out, err = support.lua(([[
      local client = require "bitfront".new { api_key = "key", api_secret = "secret",
        base_url = %q, ca_file = %q, timeout = 0.5, retries = 0, rate_limit = false,
        clock = "system" }
      local function call()
        local balances, err = client:balances()
        print(balances and "ok" or err.kind .. " " .. err.code)
      end
      call()
      io.open(os.getenv "MARK", "w"):close()
      call()
      os.remove(os.getenv "MARK")
      call()
    ]]):format(faultd:url_body(support.success()), faultd.ca_file),
      { env = { LD_PRELOAD = library, MARK = mark } })
    assert.equal("ok\ntimeout response\nok\n", out, err)
    assert.equal(2, #faultd:requests())
  end)
end)

describe("what the module has allocated #once #apart", function()
  -- Each block is noted until anyone frees it. What is left at the end of the process is
  -- printed.
  local LIBRARY = [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <stdatomic.h>
      #include <stdio.h>
      #include <stdlib.h>
      #include <string.h>

      extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
      extern void *__libc_realloc(void *, size_t);
      extern void __libc_free(void *);

      static void *held[10000];
      static size_t count;
      static atomic_flag lock = ATOMIC_FLAG_INIT;

      static void replace(void *block, void *by) {
        size_t i = 0;
        while (atomic_flag_test_and_set(&lock)) continue;
        while (i < count && held[i] != block) i++;
        if (i < count || (!block && count < sizeof held / sizeof *held)) {
          count += i == count;
          held[i] = by ? by : held[--count];
        }
        atomic_flag_clear(&lock);
      }

      static void *note(void *block, void *caller) {
        Dl_info library;
        if (block && dladdr(caller, &library) && strstr(library.dli_fname, "/core.so"))
          replace(NULL, block);
        return block;
      }

      #define NOTED(block) note(block, __builtin_return_address(0))
      void *malloc(size_t size) { return NOTED(__libc_malloc(size)); }
      void *calloc(size_t n, size_t size) { return NOTED(__libc_calloc(n, size)); }
      char *strndup(const char *text, size_t most) {
        size_t len = strnlen(text, most);
        char *copy = __libc_calloc(1, len + 1);
        return NOTED(memcpy(copy, text, len));
      }
      char *strdup(const char *text) {
        return NOTED(strcpy(__libc_malloc(strlen(text) + 1), text));
      }
      void free(void *block) {
        if (block) replace(block, NULL);
        __libc_free(block);
      }
      void *realloc(void *block, size_t size) {
        void *moved;
        if (!block) return NOTED(__libc_malloc(size));
        moved = __libc_realloc(block, size);
        if (moved && moved != block) replace(block, moved);
        return moved;
      }
      __attribute__((destructor)) static void end(void) { printf("%zu left\n", count); }

      int pthread_create(void *id, void *how, void *action, void *argument) {
        int (*next)(void *, void *, void *, void *) = dlsym(RTLD_NEXT, "pthread_create");
        return getenv("THREADLESS") ? 11 : next(id, how, action, argument);
      }
      int getaddrinfo(void) { return -2; }
  ]]

  local faultd
  local keys = {} -- more than are kept without an allocation
  for i = 1, 100 do keys[i] = ('"%d":%d'):format(i, i) end
  keys = '{"SessionToken":{' .. table.concat(keys, ",") .. "}}"

  setup(function() faultd = support.faultd() end)
  teardown(function() faultd:stop() end)

  -- The thread itself stays until the process has ended.
  for _, row in ipairs {
    { "a call", 0, "for _, url in ipairs(URLS) do core.balances(request(url)) end" },
    { "calls on the engine's thread", 1, [[
      local silent = start(SILENT)
      for _, url in ipairs(URLS) do finish(start(url)) end
      silent:cancel() -- the thread runs once more, and takes what was finished
      while core.thread_status() > 0 do core.sleep(0.001) end
    ]] },
    { "a connection whose exchange was released while a name was looked up", 0, [[
      core.start(request "https://name.invalid")
      core.step(0)
      collectgarbage()
      collectgarbage()
      for _ = 1, 100 do
        core.step(0)
        core.sleep(0.01)
      end
    ]] },
    { "exchanges, more than are kept", 0, [[
      local exchanges = {}
      for i = 1, 70 do exchanges[i] = core.start(request(SILENT)) end
      exchanges = nil
    ]] },
    { "a job for which the system has no thread", 1,
      "assert(not core.thread_start(request(SILENT)))", { THREADLESS = "yes" } },
    { "a socket to listen at", 1, "core.thread_listen()" },
    { "a profile", 0, [[core.profiles(FILE) core.profile(FILE, "p") core.profile(FILE, "q")]] },
    { "keys in files", 0, "core.secret_files(FILE, FILE) core.secret_files(FILE, LARGE)" },
    { "programs that print keys", 0, [[
      for _, text in ipairs { '{"Version":1,"AccessKeyId":"k","SecretAccessKey":"s"}', KEYS } do
        local process = core.start_process("echo '" .. text .. "'")
        repeat core.sleep(0.001) until process:poll()
        process:credentials()
      end
      core.start_process "sleep 5"
      core.start_process "/nonexistent/program"
    ]] },
  } do
    it("is freed at the end, for " .. row[1], function()
      local file = support.tmpdir() .. "/credentials"
      support.write(file, "[p]\napi_key = k\napi_secret = s\n")
      support.write(file .. ".large", ("x"):rep(1e6))
      support.must("chmod 600 " .. file .. "*")
      local env = { LD_PRELOAD = support.preload(LIBRARY) }
      for name, value in pairs(row[4] or {}) do env[name] = value end
      local out, err = support.lua(([[
        local core = require "bitfront.core"
        local URLS, SILENT, CA, FILE, KEYS = { %q, %q }, %q, %q, %q, %q
        local LARGE = FILE .. ".large"
        local function request(url)
          local client = assert(core.new { base_url = url, ca_file = CA, user_agent = "spec",
            connect_timeout = 3, max_body = 1e6 })
          assert(client:set_credentials("k", "s"))
          return { client = client, deadline = core.now() + 60 }
        end
        local function start(url) return assert(core.thread_start(request(url))) end
        local function finish(job)
          while not job:done() do core.sleep(0.001) end
          job:finish()
        end
      ]]):format(faultd:url_body(support.success()), faultd:url_body(keys),
        faultd:url { listener = "silent" }, faultd.ca_file, file, keys) .. row[3],
        { env = env })
      assert.equal(row[2] .. " left\n", out, err)
    end)
  end
end)
