/* bitfront.core: what Lua sees of the native side. Options arrive checked (see
 * lua/bitfront/options.lua); this is not a public interface. */

#include "auth/sign.h"
#include "base/openssl_check.h"
#include "http/ca_file.h"
#include "lua/compat.h"
#include "lua/core.h"

/* The one symbol that others see. */
#ifdef __GNUC__
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

/* core.sign(secret, nonce, timestamp, method, path, query, body): the hex
 * signature; all strings. Raises where OpenSSL fails. */
static int core_sign(lua_State *L) {
    struct bf_span secret = bf_checkspan(L, 1), parts[6];
    char hex[BF_SIGNATURE_LEN + 1];
    EVP_MAC_CTX *key;
    bool ok;
    for (int i = 0; i < 6; i++)
        parts[i] = bf_checkspan(L, i + 2);
    key = bf_sign_key(secret.text, secret.len);
    ok = key && bf_sign(key, parts, 6, hex);
    EVP_MAC_CTX_free(key);
    if (!ok)
        return luaL_error(L, "OpenSSL could not compute the signature");
    lua_pushlstring(L, hex, BF_SIGNATURE_LEN);
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
    {"sign",          core_sign         },
    {"check_openssl", core_check_openssl},
    {"check_ca_file", core_check_ca_file},
    {NULL,            NULL              },
};

/* Raises where the Lua that runs is not the one this was built for. Calls only
 * functions that every Lua has, with arguments that mean the same in each:
 * lua_call is not one of them. */
static void check_lua(lua_State *L) {
    const char *running;
    lua_createtable(L, 0, 1);
    if (luaL_loadstring(L, "return _VERSION") != 0)
        lua_error(L); /* not enough memory */
    lua_setfield(L, -2, "__call");
    lua_pushvalue(L, -1);
    lua_setmetatable(L, -2);
    (void)luaL_callmeta(L, -1, "__call");
    running = lua_tolstring(L, -1, NULL);
    if (running && strcmp(running, LUA_VERSION) != 0)
        luaL_error(L, "this build is for %s, this is %s", LUA_VERSION, running);
#if LUA_VERSION_NUM >= 502
    luaL_checkversion(L); /* and one whose numbers have the same size */
#endif
}

EXPORT int luaopen_bitfront_core(lua_State *L);
EXPORT int luaopen_bitfront_core(lua_State *L) {
    check_lua(L);
    lua_newtable(L);
    bf_setfuncs(L, functions);
    bf_add_exchange(L);
    bf_add_client(L);
    bf_add_credentials(L);
    bf_add_decimal(L);
    bf_add_json(L);
    bf_add_system(L);
    bf_add_text(L);
    bf_add_thread(L);
    bf_add_policy(L);
    return 1;
}
