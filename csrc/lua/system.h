/* What Lua cannot find out about the machine, the process and its libraries. */
#ifndef BF_LUA_SYSTEM_H
#define BF_LUA_SYSTEM_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Adds its functions to the table on top of the stack. */
void bf_add_system(lua_State *L);

#pragma GCC visibility pop

#endif
