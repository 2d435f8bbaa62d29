/* The outcome of an attempt onto the Lua stack. Knows Lua, as core.c and
 * luaclient.c do, and nothing else. */
#ifndef BF_PUSH_H
#define BF_PUSH_H

#include "http/exchange.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Pushes five values for a transfer whose reply was read (see outcome.h):
 *   the records, or responseData's text (the whole reply's where it has none);
 *       nil after a failure
 *   nil; after a failure a table: kind (nil for a refusal by the exchange),
 *       code, message, http_status, response_time, retry_after, and `stale`
 *       where a kept connection proved dead
 *   the envelope's fields and http_status, or nil where none was read
 *   when the request was signed, on bf_now()'s clock; nil if it never was
 *   seconds from then to the reply's first line, or nil
 * A push may raise (memory), so the transfer must belong to something that
 * Lua's collector frees. */
int bf_push_outcome(lua_State *L, const struct bf_transfer *transfer,
                    enum bf_expect expect, enum bf_amounts amounts);

/* Pushes nil and the table of a error: what a call that never became an
 * attempt returns. */
int bf_push_error(lua_State *L, const struct bf_error *error);

/* Pushes true, or, where it was not done, what bf_push_error does. */
int bf_push_done(lua_State *L, bool done, const struct bf_error *error);

#pragma GCC visibility pop

#endif
