/* The engine's thread as Lua sees it: jobs, and the bell that tells when some
 * are done. */
#ifndef BF_LUATHREAD_H
#define BF_LUATHREAD_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Adds thread_start and its kin to the table on top of the stack. */
void bf_add_thread(lua_State *L);

#pragma GCC visibility pop

#endif
