/* The client as Lua sees it: a userdata that holds the credentials. */
#ifndef BF_LUACLIENT_H
#define BF_LUACLIENT_H

#include "http/client.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

void bf_register_client(lua_State *L);

/* core.new(options): a client without credentials; or nil and an error. */
int bf_new_client(lua_State *L);

/* Where credentials come from: see each. */
int bf_environment(lua_State *L);
int bf_profile(lua_State *L);
int bf_profiles(lua_State *L);

/* Argument 1, open or closed; raises where it is no client. */
struct bf_client *bf_check_client(lua_State *L);

/* What client:pair() gave; NULL where that is none or was dropped; raises where
 * it is something else. */
struct bf_credentials *bf_check_pair(lua_State *L, int arg);

#pragma GCC visibility pop

#endif
