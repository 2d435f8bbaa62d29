/* One source for Lua 5.1 to 5.5 and LuaJIT. What PUC Lua 5.1 lacks is here
 * under private names: a library built against its headers runs on LuaJIT,
 * one that took LuaJIT's extras would not run on PUC 5.1. */
#ifndef BF_COMPAT_H
#define BF_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

#if LUA_VERSION_NUM < 503
extern int lua_isyieldable(lua_State *L); /* LuaJIT has it, too */
#endif

#pragma GCC visibility push(hidden)

/* Functions that are used and that another Lua lacks are weak: it can load this
 * build then, which raises an error that names both versions (see core.c). */
#if LUA_VERSION_NUM < 502
#pragma weak lua_call
#pragma weak lua_tonumber
#else
#pragma weak luaL_checkversion_
#pragma weak lua_callk
#pragma weak lua_tonumberx
#endif
#if LUA_VERSION_NUM < 503
#pragma weak lua_remove
#pragma weak lua_replace
#else
#pragma weak lua_copy
#pragma weak lua_isinteger
#pragma weak lua_rotate
#pragma weak lua_tointegerx
#endif
#pragma weak lua_isyieldable
#if LUA_VERSION_NUM < 504
#pragma weak lua_newuserdata
#else
#pragma weak lua_newuserdatauv
#endif

/* Adds functions to the table on top of the stack; NULL: none. */
static inline void bf_setfuncs(lua_State *L, const luaL_Reg *functions) {
    for (; functions && functions->name; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

/* The userdata at `index` if its metatable is the registered `type`. */
static inline void *bf_testudata(lua_State *L, int index, const char *type) {
    void *box = lua_touserdata(L, index);
    if (!box || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, type);
    if (!lua_rawequal(L, -1, -2))
        box = NULL;
    lua_pop(L, 2);
    return box;
}

/* A userdata that has no values of Lua's with it. */
static inline void *bf_newuserdata(lua_State *L, size_t size) {
#if LUA_VERSION_NUM >= 504
    return lua_newuserdatauv(L, size, 0);
#else
    return lua_newuserdata(L, size);
#endif
}

/* An integer that may exceed 32 bits: an integer where Lua has them, else a
 * double, exact to 2^53. */
static inline void bf_pushinteger(lua_State *L, int64_t number) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)number);
#else
    lua_pushnumber(L, (lua_Number)number);
#endif
}

/* The userdata at `arg`, which must be of the registered `type`; else raises. A
 * method of the type (see bf_newtype) finds the metatable without a search. */
static inline void *bf_checkself(lua_State *L, int arg, const char *type) {
    void *box = lua_touserdata(L, arg);
    if (box && lua_getmetatable(L, arg)) {
        int is_own = lua_rawequal(L, -1, lua_upvalueindex(1));
        lua_pop(L, 1);
        if (is_own)
            return box;
    }
    return luaL_checkudata(L, arg, type);
}

static inline void bf_setstring(lua_State *L, const char *name,
                                const char *value) {
    lua_pushstring(L, value); /* nil for NULL */
    lua_setfield(L, -2, name);
}

/* Registers a userdata type: methods in a table of their own under __index,
 * each with the metatable as its upvalue; __gc, and other metamethods. Any of
 * these may be NULL. Filled in also where it exists: an earlier try may have
 * run out of memory half way. */
static inline void bf_newtype(lua_State *L, const char *type, lua_CFunction gc,
                              const luaL_Reg *methods,
                              const luaL_Reg *metamethods) {
    (void)luaL_newmetatable(L, type);
    bf_setfuncs(L, metamethods);
    if (gc) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    bf_setstring(L, "__name", type);
    bf_setstring(L, "__metatable", type); /* what getmetatable returns */
    lua_newtable(L);
    for (; methods && methods->name; methods++) {
        lua_pushvalue(L, -2);
        lua_pushcclosure(L, methods->func, 1);
        lua_setfield(L, -2, methods->name);
    }
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Pushes a userdata of this type that is all zeros. What it acquires later, its
 * __gc frees after any error. */
static inline void *bf_newbox(lua_State *L, size_t size, const char *type) {
    void *box = bf_newuserdata(L, size);
    memset(box, 0, size);
    luaL_getmetatable(L, type);
    lua_setmetatable(L, -2);
    return box;
}

/* The userdata of this type that the Lua state has one of, all zeros at first,
 * which the registry keeps under `key`: a string, since LuaJIT on some systems
 * cannot hold the address of a static. Raises on memory. */
static inline void *bf_statebox(lua_State *L, size_t size, const char *type,
                                const char *key) {
    void *box;
    lua_getfield(L, LUA_REGISTRYINDEX, key);
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!box) {
        box = bf_newbox(L, size, type);
        lua_setfield(L, LUA_REGISTRYINDEX, key);
    }
    return box;
}

static inline struct bf_span bf_checkspan(lua_State *L, int arg) {
    struct bf_span span;
    span.text = luaL_checklstring(L, arg, &span.len);
    return span;
}

#pragma GCC visibility pop

#endif
