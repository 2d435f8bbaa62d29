/* Attempts as Lua starts them: the request that it fills in, and the exchange
 * that is driven from its own thread. */
#ifndef BF_LUA_EXCHANGE_H
#define BF_LUA_EXCHANGE_H

#include "http/request.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Makes the request that the table at index 1 asks for, which becomes the
 * caller's. Fields: client; expect ("balances", "data", "public"), path, query,
 * deadline (on core.now's clock), amounts ("number", "string", "decimal"), of
 * which the first and none are the defaults; clock_offset in ms, monotonic
 * (true: it is to be added to core.now's clock and not to the wall's), and the
 * credentials to use (see client:credentials()), nil for the client's. Raises
 * for a field of a wrong type; NULL with `error` set: closed, config, memory.
 * Nothing that may raise may come between this and giving the request to what
 * frees it. */
struct bf_request *bf_to_request(lua_State *L, struct bf_error *error);

/* The error of a call that a finalizer makes while its Lua state is closed. */
void bf_error_closing(struct bf_error *error);

/* Pushes nil and the error of what was begun before a fork, in another process.
 */
int bf_push_fork(lua_State *L);

#pragma GCC visibility pop

#endif
