/* The result of an attempt, as Lua gets it. */
#ifndef BF_LUA_RESULT_H
#define BF_LUA_RESULT_H

#include "http/exchange.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Pushes three values for an exchange that is done, and returns their number:
 *   the records, or responseData's text (the whole reply's where it has none);
 *       nil after an error
 *   nil; after an error a table: kind (absent for a refusal by the exchange),
 *       code, message, http_status, response_time, retry_after, and `stale`
 *       where a kept connection broke before the reply
 *   a table of what is known of the attempt: the envelope's fields,
 * http_status, `sent` (when the request was signed, on core.now's clock),
 * `round_trip` (seconds from then to the reply's first byte) and `clock_offset`
 * (ms by which the server's clock is ahead of the wall clock) Where the client
 * was closed meanwhile, the error is that. A push may raise (memory), so the
 * exchange must belong to something that Lua's collector frees.
 */
int bf_push_result(lua_State *L, struct bf_exchange *exchange);

/* Pushes nil and the table of an error. */
int bf_push_error(lua_State *L, const struct bf_error *error);

/* Pushes true, or, where it was not done, what bf_push_error pushes. */
int bf_push_done(lua_State *L, bool done, const struct bf_error *error);

#pragma GCC visibility pop

#endif
