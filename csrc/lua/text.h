/* Texts for people, as Lua gets them: nothing secret in them, and nothing that
 * steers a terminal. All that was said outside passes here on its way into a
 * message. Knows Lua. */
#ifndef BF_LUATEXT_H
#define BF_LUATEXT_H

#include "json/escape.h"

#include <lua.h>

#pragma GCC visibility push(hidden)

/* Pushes the text with what bf_redact strikes out replaced and with control
 * and invisible characters, and bytes that are not UTF-8, written out as \x1B
 * or \u{202E}. May raise (memory). */
void bf_push_clean(lua_State *L, const char *text, size_t len);

/* The same for a string of the server's, cut to 512 bytes. */
void bf_push_clean_string(lua_State *L, const struct bf_string *string);

#pragma GCC visibility pop

#endif
