/* Included before each C file: Lua's functions that raise never return. Lua's
 * headers do not say so, and gcc would count branches behind them, as in
 * luaL_argcheck. */
#include <lauxlib.h>
#include <lua.h>

__attribute__((noreturn)) int(luaL_argerror)(lua_State *L, int arg,
                                             const char *message);
__attribute__((noreturn)) int(luaL_error)(lua_State *L, const char *format,
                                          ...);
__attribute__((noreturn)) int(lua_error)(lua_State *L);
