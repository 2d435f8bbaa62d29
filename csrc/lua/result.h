/* The result of an attempt, as Lua gets it. */
#ifndef BF_LUA_RESULT_H
#define BF_LUA_RESULT_H

#include "http/exchange.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Pushes one table for an exchange that is done:
 *   value        the records, or responseData's text (the whole reply's where
 * it has none); absent after an error error        kind (absent for a refusal
 * by the exchange), code, message, http_status, response_time, retry_after, and
 * `stale` where a kept connection broke before the reply info         the
 * envelope's fields and http_status; absent where none was read sent when the
 * request was signed, on core.now's clock; absent if it never was round_trip
 * seconds from then to the reply's first byte, if one came Where the client was
 * closed meanwhile, the error is that. A push may raise (memory), so the
 * exchange must belong to something that Lua's collector frees.
 */
void bf_push_result(lua_State *L, struct bf_exchange *exchange);

/* Pushes the result of a call that never became an attempt. */
void bf_push_failed(lua_State *L, const struct bf_error *error);

/* Pushes nil and the table of an error. */
int bf_push_error(lua_State *L, const struct bf_error *error);

/* Pushes true, or, where it was not done, what bf_push_error pushes. */
int bf_push_done(lua_State *L, bool done, const struct bf_error *error);

#pragma GCC visibility pop

#endif
