/* The parts of bitfront.core. Each function registers the types of the file
 * that is named after it, and adds its functions to the table on top of the
 * stack.
 */
#ifndef BF_LUA_CORE_H
#define BF_LUA_CORE_H

#include <lua.h>

#pragma GCC visibility push(hidden)

void bf_add_client(lua_State *L);
void bf_add_decimal(lua_State *L);
void bf_add_exchange(lua_State *L);
void bf_add_policy(lua_State *L);
void bf_add_system(lua_State *L); /* the machine, the process, its libraries */
void bf_add_text(lua_State *L);
void bf_add_thread(lua_State *L);

#pragma GCC visibility pop

#endif
