/* What the files of bitfront.core offer each other. */
#ifndef BF_LUA_CORE_H
#define BF_LUA_CORE_H

#include "http/exchange.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Each registers the types of the file that is named after it, and adds its
 * functions to the table on top of the stack. */
void bf_add_client(lua_State *L);
void bf_add_credentials(lua_State *L);
void bf_add_decimal(lua_State *L);
void bf_add_exchange(lua_State *L);
void bf_add_json(lua_State *L);
void bf_add_policy(lua_State *L);
void bf_add_system(lua_State *L);
void bf_add_text(lua_State *L);
void bf_add_thread(lua_State *L);

/* ---- client.c: a client as Lua sees it ---- */

/* The client at this index, open or closed; raises where it is none. */
struct bf_client *bf_check_client(lua_State *L, int arg);

/* ---- credentials.c: credentials as Lua sees them, and where they are found
 * ---- */

/* Pushes credentials that have none yet; returns where the reference that they
 * release is to be stored. */
struct bf_credentials **bf_push_credentials(lua_State *L);

/* What bf_push_credentials pushed; NULL where that is none or was released;
 * raises where it is something else. */
struct bf_credentials *bf_check_credentials(lua_State *L, int arg);

/* Pushes the hex SHA-256 of the API key, nil for NULL; returns 1. */
int bf_push_key_id(lua_State *L, const struct bf_credentials *credentials);

/* ---- exchange.c: attempts as Lua starts them ---- */

/* Makes the request that the table at index 1 asks for, which becomes the
 * caller's. Fields: client; expect ("balances", "data", "public"), path, query,
 * traceparent, deadline (on core.now's clock), amounts ("number", "string",
 * "decimal"), of which the first and none are the defaults; clock_offset in ms,
 * monotonic (true: it is to be added to core.now's clock and not to the
 * wall's), and the credentials to use (see client:credentials()), nil for the
 * client's. Raises for a field of a wrong type; NULL with `error` set: closed,
 * config, memory. Nothing that may raise may come between this and giving the
 * request to what frees it. */
struct bf_request *bf_to_request(lua_State *L, struct bf_error *error);

/* The error of a call that a finalizer makes while its Lua state is closed. */
void bf_error_closing(struct bf_error *error);

/* ---- result.c: the result of an attempt, as Lua gets it ---- */

/* Pushes three values for an exchange that is done, perhaps above others that
 * are to be dropped, and returns 3:
 *   the records, or the value of responseData (of the whole reply where it has
 *       none); nil after an error
 *   nil; after an error a table: kind (absent for a refusal by the exchange),
 *       code, message, http_status, response_time, retry_after, and `stale`
 *       where a kept connection broke before the reply
 *   a table of what is known of the attempt: the envelope's fields,
 *       http_status, `sent` (when the request was signed, on core.now's clock),
 *       `round_trip` (seconds from then to the reply's first byte) and
 *       `clock_offset` (ms by which the server's clock is ahead of the wall
 *       clock)
 * Where the client was closed meanwhile, the error is that. A push may raise
 * (memory), so the exchange must belong to something that Lua's collector
 * frees. */
int bf_push_result(lua_State *L, struct bf_exchange *exchange);

/* Pushes nil and the table of an error. */
int bf_push_error(lua_State *L, const struct bf_error *error);

/* Pushes true, or, where it was not done, what bf_push_error pushes. */
int bf_push_done(lua_State *L, bool done, const struct bf_error *error);

/* Pushes nil and the error of what was begun before a fork, in another process.
 */
int bf_push_fork(lua_State *L);

/* ---- json.c ---- */

/* The argument "number", "string" or "decimal"; none is the first. Raises for
 * another one. */
enum bf_amounts bf_check_amounts(lua_State *L, int arg);

/* Pushes a string's text with its escapes decoded. May raise (memory). */
void bf_push_string(lua_State *L, const struct bf_string *string);

/* Pushes the value that the text begins with, a part of a reply that was read:
 * the text is valid, and followed by a NUL, text.text[text.len]. Below it may
 * be further values. Returns false, with `error` set, where a number is none
 * that `amounts` can have. May raise (memory). */
bool bf_push_json(lua_State *L, struct bf_span text, enum bf_amounts amounts,
                  struct bf_error *error);

/* ---- decimal.c ---- */

/* Pushes the decimal of a text that bf_decimal_check_text accepts; may raise
 * (memory). */
void bf_push_decimal(lua_State *L, const char *text, size_t len);

/* ---- system.c ---- */

/* What blocked calls this before it returns. A signal ends the waiting early,
 * and its handler may have set a debug hook, as the interpreter's does for
 * Ctrl-C: calling a function runs the hook now, not when the server has
 * answered, and also within a loop that LuaJIT has compiled, which runs no
 * hooks of its own. May raise. */
void bf_run_hook(lua_State *L);

/* ---- text.c: texts for people: nothing secret in them, and nothing that
 * controls a terminal. All text from outside that a message holds is pushed by
 * one of these. Both may raise (memory). ---- */

/* Pushes the text with "***" for what bf_redact replaces, and with control and
 * invisible characters, and bytes that are not UTF-8, written out as \x1B or
 * \u{202E}. */
void bf_push_clean(lua_State *L, const char *text, size_t len);

/* The same for a string of the server's, cut to 512 bytes. */
void bf_push_clean_string(lua_State *L, const struct bf_string *string);

#pragma GCC visibility pop

#endif
