/* The client as Lua sees it: a userdata that holds the credentials. */
#ifndef BF_LUA_CLIENT_H
#define BF_LUA_CLIENT_H

#include "http/client.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* The client at this index, open or closed; raises where it is none. */
struct bf_client *bf_check_client(lua_State *L, int arg);

/* What client:credentials() gave; NULL where that is none or was released;
 * raises where it is something else. */
struct bf_credentials *bf_check_credentials(lua_State *L, int arg);

#pragma GCC visibility pop

#endif
