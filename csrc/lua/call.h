/* What the two ways to drive the engine have in common on Lua's side: the
 * arguments of a call. Knows Lua. */
#ifndef BF_LUACALL_H
#define BF_LUACALL_H

#include "http/exchange.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

struct bf_call {
    struct bf_client *client;
    struct bf_request request; /* its spans are the arguments' */
    enum bf_expect expect;
    enum bf_amounts amounts;
};

/* Reads what a call asks for. Arguments: client, want ("balances", "data",
 * "public"), path, query or nil, deadline (on core.now's clock), amounts
 * ("number", "string", "decimal"), clock offset in ms, true where that is to
 * be added to core.now's clock and not to the wall's, and the credentials to
 * use (see client:pair()), nil for the client's. Leaves nine values on the
 * stack. Raises for arguments of a wrong type; false with `error` set where
 * the client is closed or has no credentials. */
bool bf_check_call(lua_State *L, struct bf_call *call, struct bf_error *error);

/* The error of a call that a finalizer makes while its Lua state is closed. */
void bf_error_closing(struct bf_error *error);

/* The error of what was begun before a fork, in another process. */
void bf_error_fork(struct bf_error *error);

#pragma GCC visibility pop

#endif
