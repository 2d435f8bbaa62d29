/* One source for Lua 5.1 to 5.5 and LuaJIT. What PUC Lua 5.1 lacks is here
 * under private names: a library built against its headers runs on LuaJIT,
 * one that took LuaJIT's extras would not run on PUC 5.1. */
#ifndef BF_COMPAT_H
#define BF_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

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
extern int lua_isyieldable(lua_State *L); /* LuaJIT has it, too */
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

static inline void bf_setfuncs(lua_State *L, const luaL_Reg *functions) {
    for (; functions->name; functions++) {
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

/* Adds methods to the table on top of the stack, above the metatable that is
 * the upvalue of each. */
static inline void bf_setmethods(lua_State *L, const luaL_Reg *methods) {
    for (; methods->name; methods++) {
        lua_pushvalue(L, -2);
        lua_pushcclosure(L, methods->func, 1);
        lua_setfield(L, -2, methods->name);
    }
}

/* Registers a userdata type: methods in a table of their own under __index.
 * Filled in also where it exists: an earlier try may have run out of memory
 * half way. */
static inline void bf_newtype(lua_State *L, const char *type,
                              const luaL_Reg *methods,
                              const luaL_Reg *metamethods) {
    (void)luaL_newmetatable(L, type);
    bf_setfuncs(L, metamethods);
    lua_newtable(L);
    bf_setmethods(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, type); /* what getmetatable gives: nothing to change */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static inline void bf_settype(lua_State *L, const char *type) {
    luaL_getmetatable(L, type);
    lua_setmetatable(L, -2);
}

#pragma GCC visibility pop

#endif
