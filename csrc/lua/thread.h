/* The engine's thread as Lua sees it: jobs, and the connection that notifies a
 * host of those that are done. */
#ifndef BF_LUATHREAD_H
#define BF_LUATHREAD_H

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Adds core.thread_start and the other functions of thread.c to the table on
 * top of the stack. */
void bf_add_thread(lua_State *L);

#pragma GCC visibility pop

#endif
