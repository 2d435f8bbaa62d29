/* Decimals as Lua sees them. */
#ifndef BF_LUADECIMAL_H
#define BF_LUADECIMAL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* Registers the types; adds the functions `decimal` and `sum` to the table on
 * top of the stack. */
void bf_add_decimal(lua_State *L);

/* Pushes the decimal that a JSON number's text stands for and returns true;
 * where it is beyond a decimal's limits, pushes a message and returns false.
 * Raises for want of memory only. */
bool bf_push_decimal(lua_State *L, const char *text, size_t len);

#pragma GCC visibility pop

#endif
