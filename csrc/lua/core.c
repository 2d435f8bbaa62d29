/* bitfront.core: what Lua sees of the native side. Options arrive checked (see
 * lua/bitfront/options.lua); this is not a public interface. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif

#include "http/ca_file.h"
#include "lua/compat.h"
#include "http/engine.h"
#include "lua/call.h"
#include "lua/client.h"
#include "lua/decimal.h"
#include "lua/text.h"
#include "lua/thread.h"
#include "base/clock.h"
#include "base/openssl_check.h"
#include "http/result.h"
#include "lua/result.h"
#include "lua/terminal.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENGINE "bitfront.engine"
#define TRANSFER "bitfront.transfer"

/* The one symbol that others see. */
#ifdef __GNUC__
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

/* ---- the engine: one for each process and Lua state, made on first use ----
 */

struct engine_box {
    struct bf_engine *engine;
    bool closed; /* the Lua state is being closed: nothing would free another */
};

/* A string: LuaJIT on some systems cannot hold the address of a static. */
#define ENGINE_KEY "bitfront.engine box"

static int engine_gc(lua_State *L) {
    struct engine_box *box = luaL_checkudata(L, 1, ENGINE);
    struct bf_engine *engine = box->engine;
    box->engine = NULL;
    box->closed = true;
    bf_engine_free(engine);
    return 0;
}

/* The box in the registry; made before the first transfer's, so that when the
 * state closes it is collected after the last one. Raises on memory. */
static struct engine_box *engine_box(lua_State *L) {
    struct engine_box *box;
    lua_getfield(L, LUA_REGISTRYINDEX, ENGINE_KEY);
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (box)
        return box;
    box = bf_newuserdata(L, sizeof *box);
    box->engine = NULL;
    box->closed = false;
    bf_settype(L, ENGINE);
    lua_setfield(L, LUA_REGISTRYINDEX, ENGINE_KEY);
    return box;
}

/* The engine of this process, or NULL with `error` set. An engine from before
 * a fork is the parent's, and is left alone. */
static struct bf_engine *get_engine(lua_State *L, struct bf_error *error) {
    struct engine_box *box = engine_box(L);
    if (box->closed)
        bf_error_closing(error);
    else if (!box->engine || bf_engine_is_from_parent(box->engine))
        box->engine = bf_engine_new(error);
    return box->engine;
}

/* ---- transfer: one attempt ---- */

struct transfer_box {
    struct bf_engine *engine;
    struct bf_transfer *transfer; /* NULL once finished */
    enum bf_expect expect;
    enum bf_amounts amounts;
};

static struct transfer_box *to_transfer(lua_State *L) {
    return luaL_checkudata(L, 1, TRANSFER);
}

static struct transfer_box *check_transfer(lua_State *L) {
    struct transfer_box *box = to_transfer(L);
    luaL_argcheck(L, box->transfer, 1, "the transfer is finished");
    return box;
}

static void release_transfer(struct transfer_box *box) {
    struct bf_transfer *transfer = box->transfer;
    box->transfer = NULL;
    if (transfer)
        bf_engine_drop(box->engine, transfer);
}

static int transfer_gc(lua_State *L) {
    release_transfer(to_transfer(L));
    return 0;
}

/* transfer:done() */
static int transfer_done(lua_State *L) {
    struct transfer_box *box = check_transfer(L);
    lua_pushboolean(L, box->transfer->state != BF_RUNNING ||
                           bf_engine_is_from_parent(box->engine));
    return 1;
}

/* Pushes what became of the box's transfer and lets go of it. */
static int push_outcome(lua_State *L, struct transfer_box *box) {
    struct bf_transfer *t = box->transfer;
    int pushed;
    if (bf_engine_is_from_parent(box->engine)) {
        struct bf_error error = {.kind = BF_OK};
        bf_error_fork(&error);
        box->transfer = NULL; /* it is the parent's */
        return bf_push_error(L, &error);
    }
    if (t->client->closed)
        bf_outcome_close(t);
    bf_outcome_read(t, box->expect, box->amounts);
    pushed = bf_push_outcome(L, t, box->expect, box->amounts);
    release_transfer(box);
    return pushed;
}

/* transfer:finish(): the outcome of a transfer that is done (see push.h). */
static int transfer_finish(lua_State *L) {
    struct transfer_box *box = check_transfer(L);
    luaL_argcheck(L,
                  box->transfer->state != BF_RUNNING ||
                      bf_engine_is_from_parent(box->engine),
                  1, "the transfer is still running");
    return push_outcome(L, box);
}

static struct transfer_box *new_transfer(lua_State *L,
                                         struct bf_engine *engine) {
    struct transfer_box *box = bf_newuserdata(L, sizeof *box);
    memset(box, 0, sizeof *box);
    box->engine = engine;
    bf_settype(L, TRANSFER);
    return box;
}

/* Starts what the arguments (see luacall.h) ask for and pushes its box; or
 * pushes nothing that counts and is NULL with `error` set. */
static struct transfer_box *start(lua_State *L, struct bf_error *error) {
    struct bf_call call;
    struct transfer_box *box;
    if (!bf_check_call(L, &call, error))
        return NULL;
    box = new_transfer(L, get_engine(L, error)); /* after the engine's box */
    box->expect = call.expect;
    box->amounts = call.amounts;
    if (box->engine)
        box->transfer =
            bf_engine_start(box->engine, call.client, &call.request, error);
    return box->transfer ? box : NULL;
}

/* core.start(...): a transfer, or nil and an error. */
static int core_start(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    return start(L, &error) ? 1 : bf_push_error(L, &error);
}

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

/* A signal ends a step early. What its handler has put off until Lua runs again
 * (the interpreter's Ctrl-C is a debug hook) is not made to wait for the
 * server: calling something runs the hook, and an error it raises leaves from
 * here, the transfer being its box's. */
static void run_hook(lua_State *L) {
    if (!lua_gethook(L))
        return;
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
}

/* core.read(...): one whole attempt, blocking. */
static int core_read(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct transfer_box *box = start(L, &error);
    if (!box)
        return bf_push_error(L, &error);
    while (box->transfer->state == BF_RUNNING) {
        (void)bf_engine_step(box->engine, 60);
        run_hook(L);
    }
    return push_outcome(L, box);
}

/* core.balances(client, deadline, amounts, offset, monotonic): the same for
 * what this library is for. */
static int core_balances(lua_State *L) {
    lua_settop(L, 5);
    lua_pushliteral(L, "balances");
    lua_insert(L, 2);
    lua_pushliteral(L, "/v1/account/balances");
    lua_insert(L, 3);
    lua_pushnil(L);
    lua_insert(L, 4);
    return core_read(L);
}

/* core.step(seconds): moves all transfers of this state along, waiting for up
 * to `seconds`; returns how many are still running. */
static int core_step(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct engine_box *box = engine_box(L);
    size_t running = 0;
    luaL_argcheck(L, seconds >= 0, 1, "seconds must not be negative");
    if (box->engine && !bf_engine_is_from_parent(box->engine))
        running = bf_engine_step(box->engine, seconds);
    bf_pushinteger(L, (int64_t)running);
    return 1;
}

/* ---- the rest ---- */

/* core.sign(secret, nonce, timestamp, method, path, query, body): the hex
 * signature; all strings. Raises where OpenSSL fails. */
static int core_sign(lua_State *L) {
    struct bf_span secret, parts[6];
    char hex[BF_SIGNATURE_LEN + 1];
    EVP_MAC_CTX *key;
    bool ok;
    secret.text = luaL_checklstring(L, 1, &secret.len);
    for (int i = 0; i < 6; i++)
        parts[i].text = luaL_checklstring(L, i + 2, &parts[i].len);
    key = bf_sign_key(secret.text, secret.len);
    ok = key && bf_sign(key, parts, 6, hex);
    EVP_MAC_CTX_free(key);
    if (!ok)
        return luaL_error(L, "OpenSSL could not compute the signature");
    lua_pushlstring(L, hex, BF_SIGNATURE_LEN);
    return 1;
}

/* core.sha1(text): hex, as Redis names scripts; nil where OpenSSL has none. */
static int core_sha1(lua_State *L) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned digest_len = 0;
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    if (!EVP_Digest(text, len, digest, &digest_len, EVP_sha1(), NULL))
        return 0;
    bf_to_hex(digest, digest_len, hex);
    lua_pushlstring(L, hex, 2 * (size_t)digest_len);
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

/* core.sleep(seconds): a minute at the most; a signal ends it early. */
static int core_sleep(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct timespec time;
    luaL_argcheck(L, seconds >= 0 && seconds <= 60, 1, "0 to 60 seconds");
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    (void)nanosleep(&time, NULL);
    return 0;
}

/* The file that a function comes from as this library is bound; nil where the
 * system does not tell. */
static void push_file(lua_State *L, void (*function)(void)) {
    const void *address;
    Dl_info info;
    memcpy(&address, &function, sizeof address);
    lua_pushstring(L, dladdr(address, &info) ? info.dli_fname : NULL);
}

static void set_version(lua_State *L, const char *library, const char *compiled,
                        const char *loaded) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, compiled);
    lua_setfield(L, -2, "compiled");
    lua_pushstring(L, loaded);
    lua_setfield(L, -2, "loaded");
    lua_setfield(L, -2, library);
}

/* core.versions(): the libraries' versions, compiled against and loaded. */
static int core_versions(lua_State *L) {
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    lua_createtable(L, 0, 4);
    set_version(L, "curl", LIBCURL_VERSION, curl->version);
    lua_getfield(L, -1, "curl");
    lua_pushstring(L, curl->ssl_version);
    lua_setfield(L, -2, "ssl");
    push_file(L, (void (*)(void))curl_version_info);
    lua_setfield(L, -2, "file");
    lua_pop(L, 1);
    set_version(L, "openssl", OPENSSL_VERSION_TEXT,
                OpenSSL_version(OPENSSL_VERSION));
    lua_getfield(L, -1, "openssl");
    push_file(L, (void (*)(void))OpenSSL_version);
    lua_setfield(L, -2, "file");
    lua_pop(L, 1);
    set_version(L, "lua", LUA_RELEASE, NULL);
#if LIBCURL_VERSION_NUM >= 0x075400
    if (curl->age >= CURLVERSION_TENTH) {
        lua_pushstring(L, curl->cainfo);
        lua_setfield(L, -2, "ca_file");
    }
#endif
    return 1;
}

/* core.check_openssl(): true where it has what calls need; nil and an error. */
static int core_check_openssl(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    return bf_push_done(L, bf_openssl_check(&error), &error);
}

/* core.check_ca_file(path): true where it can be used; nil and an error. */
static int core_check_ca_file(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    const char *path = luaL_checkstring(L, 1);
    return bf_push_done(L, bf_ca_file_check(path, &error), &error);
}

static const luaL_Reg functions[] = {
    {"new",           bf_new_client     },
    {"environment",   bf_environment    },
    {"profile",       bf_profile        },
    {"profiles",      bf_profiles       },
    {"balances",      core_balances     },
    {"read",          core_read         },
    {"start",         core_start        },
    {"step",          core_step         },
    {"sign",          core_sign         },
    {"sha1",          core_sha1         },
    {"now",           core_now          },
    {"wall",          core_wall         },
    {"random",        core_random       },
    {"pid",           core_pid          },
    {"sleep",         core_sleep        },
    {"versions",      core_versions     },
    {"check_openssl", core_check_openssl},
    {"check_ca_file", core_check_ca_file},
    {NULL,            NULL              },
};

static const luaL_Reg transfer_methods[] = {
    {"done",   transfer_done  },
    {"finish", transfer_finish},
    {NULL,     NULL           },
};

static const luaL_Reg transfer_metamethods[] = {
    {"__gc", transfer_gc},
    {NULL,   NULL       },
};

static const luaL_Reg no_methods[] = {
    {NULL, NULL}
};

static const luaL_Reg engine_metamethods[] = {
    {"__gc", engine_gc},
    {NULL,   NULL     },
};

EXPORT int luaopen_bitfront_core(lua_State *L);
EXPORT int luaopen_bitfront_core(lua_State *L) {
    bf_newtype(L, ENGINE, no_methods, engine_metamethods);
    bf_register_client(L);
    bf_newtype(L, TRANSFER, transfer_methods, transfer_metamethods);
    lua_newtable(L);
    bf_setfuncs(L, functions);
    bf_add_decimal(L);
    bf_add_terminal(L);
    bf_add_text(L);
    bf_add_thread(L);
    return 1;
}
