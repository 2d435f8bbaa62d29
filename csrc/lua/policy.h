#ifndef BF_LUA_POLICY_H
#define BF_LUA_POLICY_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Adds window and server_clock to the table on the stack (see policy.c). */
void bf_add_policy(lua_State *L);

#pragma GCC visibility pop

#endif
