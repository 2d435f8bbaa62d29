/* What Lua cannot find out about standard output. */
#ifndef BF_TERMINAL_H
#define BF_TERMINAL_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Adds its functions to the table on top of the stack. */
void bf_add_terminal(lua_State *L);

#pragma GCC visibility pop

#endif
