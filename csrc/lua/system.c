#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_DEFAULT */
#endif

#include "auth/sign.h"
#include "base/clock.h"
#include "lua/compat.h"
#include "lua/core.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* core.sha1(text): hex, as Redis names scripts; nil where OpenSSL has none. */
static int core_sha1(lua_State *L) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned len = 0;
    struct bf_span text = bf_checkspan(L, 1);
    if (!EVP_Digest(text.text, text.len, digest, &len, EVP_sha1(), NULL))
        return 0;
    bf_to_hex(digest, len, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* core.now(): monotonic seconds. */
static int core_now(lua_State *L) {
    lua_pushnumber(L, bf_now());
    return 1;
}

/* core.wall(): Unix time in ms. */
static int core_wall(lua_State *L) {
    bf_pushinteger(L, bf_wall_ms());
    return 1;
}

/* core.random(): from 0 to below 1; nil where OpenSSL has no random numbers. */
static int core_random(lua_State *L) {
    double number;
    if (bf_random(&number))
        lua_pushnumber(L, number);
    else
        lua_pushnil(L);
    return 1;
}

/* core.pid(): of this process. */
static int core_pid(lua_State *L) {
    bf_pushinteger(L, getpid());
    return 1;
}

/* core.process_exists(pid): is there a process with this number? */
static int core_process_exists(lua_State *L) {
    pid_t pid = (pid_t)luaL_checknumber(L, 1);
    lua_pushboolean(L, kill(pid, 0) == 0 || errno == EPERM);
    return 1;
}

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

void bf_run_hook(lua_State *L) {
    if (!lua_gethook(L))
        return;
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
}

/* core.sleep(seconds): a minute at the most; a signal ends it early. */
static int core_sleep(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct timespec time;
    luaL_argcheck(L, seconds >= 0 && seconds <= 60, 1, "0 to 60 seconds");
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    (void)nanosleep(&time, NULL);
    bf_run_hook(L);
    return 0;
}

/* Pushes what is known of a library: its versions, and the file that `function`
 * comes from as this one is bound to it, where the system tells. */
static void push_library(lua_State *L, const char *compiled, const char *loaded,
                         void (*function)(void)) {
    const void *address;
    Dl_info info;
    memcpy((void *)&address, (const void *)&function, sizeof address);
    lua_createtable(L, 0, 4);
    bf_setstring(L, "compiled", compiled);
    bf_setstring(L, "loaded", loaded);
    if (dladdr(address, &info))
        bf_setstring(L, "file", info.dli_fname);
}

/* core.versions(): the libraries' versions, compiled against and loaded, and
 * the file of this module. */
static int core_versions(lua_State *L) {
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    lua_createtable(L, 0, 5);
    push_library(L, LIBCURL_VERSION, curl->version,
                 (void (*)(void))curl_version_info);
    bf_setstring(L, "ssl", curl->ssl_version);
    lua_setfield(L, -2, "curl");
    push_library(L, OPENSSL_VERSION_TEXT, OpenSSL_version(OPENSSL_VERSION),
                 (void (*)(void))OpenSSL_version);
    lua_setfield(L, -2, "openssl");
    push_library(L, LUA_RELEASE, NULL, (void (*)(void))lua_settop);
    lua_setfield(L, -2, "lua");
    push_library(L, NULL, NULL, (void (*)(void))core_versions);
    lua_setfield(L, -2, "core");
#if LIBCURL_VERSION_NUM >= 0x075400
    if (curl->age >= CURLVERSION_TENTH)
        bf_setstring(L, "ca_file", curl->cainfo);
#endif
    return 1;
}

/* core.yieldable(): may the running coroutine yield? nil: this Lua cannot tell.
 * A yield across a C call raises at best; where the host resumes such a
 * coroutine, the process may end by a signal. */
static int core_yieldable(lua_State *L) {
    if (lua_isyieldable)
        lua_pushboolean(L, lua_isyieldable(L));
    else
        lua_pushnil(L);
    return 1;
}

/* core.has_symbol(name): does the process have a function or variable of that
 * name? They tell how a host was built. */
static int core_has_symbol(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_pushboolean(L, dlsym(RTLD_DEFAULT, name) != NULL);
    return 1;
}

/* ---- the terminal ---- */

/* core.is_terminal(fd): whether that, or else standard output, is one */
static int is_terminal(lua_State *L) {
    lua_pushboolean(L, isatty((int)luaL_optinteger(L, 1, STDOUT_FILENO)));
    return 1;
}

/* core.terminal_size(): its columns and rows; nil where they are not known */
static int terminal_size(lua_State *L) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
        size.ws_row == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, size.ws_col);
    lua_pushinteger(L, size.ws_row);
    return 2;
}

/* core.is_hung_up(): whether nobody can read standard output any more */
static int is_hung_up(lua_State *L) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    lua_pushboolean(L, poll(&out, 1, 0) == 1);
    return 1;
}

static const luaL_Reg functions[] = {
    {"sha1",           core_sha1          },
    {"process_exists", core_process_exists},
    {"now",            core_now           },
    {"wall",           core_wall          },
    {"random",         core_random        },
    {"pid",            core_pid           },
    {"sleep",          core_sleep         },
    {"versions",       core_versions      },
    {"yieldable",      core_yieldable     },
    {"has_symbol",     core_has_symbol    },
    {"is_terminal",    is_terminal        },
    {"terminal_size",  terminal_size      },
    {"is_hung_up",     is_hung_up         },
    {NULL,             NULL               },
};

void bf_add_system(lua_State *L) {
    bf_setfuncs(L, functions);
}
