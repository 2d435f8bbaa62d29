/* Decimals as Lua sees them. */
#ifndef BF_LUADECIMAL_H
#define BF_LUADECIMAL_H

#include <lua.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* Pushes the decimal of a text that bf_decimal_check_text accepts; may raise
 * (memory). */
void bf_push_decimal(lua_State *L, const char *text, size_t len);

#pragma GCC visibility pop

#endif
