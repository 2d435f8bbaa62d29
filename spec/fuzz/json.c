/* A libFuzzer target: any text given to the reader of JSON for Lua. The three
 * ways to have numbers take the same texts, but for numbers that one of them
 * cannot hold. Built and run by spec/fuzz/run.sh. */

#include "lua/compat.h"
#include "lua/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int luaopen_bitfront_core(lua_State *L);

/* Says whether it is taken; `*at` is the message of one that is not. */
static bool is_taken(lua_State *L, const char *amounts, char at[128]) {
    lua_getfield(L, 1, "decode");
    lua_pushvalue(L, 2);
    lua_pushstring(L, amounts);
    lua_call(L, 2, 2);
    bool taken = lua_isnil(L, -1);
    if (taken == lua_isnil(L, -2))
        abort();
    at[0] = '\0';
    if (!taken)
        strncat(at, lua_tostring(L, -1), 127);
    lua_pop(L, 2);
    return taken;
}

static int read(lua_State *L) {
    char as_string[128], as_other[128];
    bool taken = is_taken(L, "string", as_string);
    static const char *const others[] = {"number", "decimal"};
    for (size_t i = 0; i < 2; i++) {
        bool other = is_taken(L, others[i], as_other);
        bool is_large = strncmp(as_other, "number ", 7) == 0;
        if (other && !taken)
            abort();
        if (!other && !is_large && (taken || strcmp(as_string, as_other) != 0))
            abort();
    }
    lua_settop(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0); /* else libFuzzer looks for leaks */
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    static lua_State *L;
    if (!L) {
        L = luaL_newstate();
        if (!L)
            abort();
        luaopen_bitfront_core(L);
        lua_replace(L, 1); /* what is below it is of no use */
    }
    lua_settop(L, 1);
    lua_pushlstring(L, (const char *)data, size);
    lua_pushcfunction(L, read);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
    lua_settop(L, 1);
    lua_gc(L, LUA_GCCOLLECT, 0); /* else libFuzzer looks for leaks */
    return 0;
}
