#include "lua/terminal.h"

#include <lauxlib.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* is_terminal(fd): whether that, or else standard output, is one */
static int is_terminal(lua_State *L) {
    lua_pushboolean(L, isatty((int)luaL_optinteger(L, 1, STDOUT_FILENO)));
    return 1;
}

/* terminal_size(): its columns and rows; nil where they are not known */
static int terminal_size(lua_State *L) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 ||
        size.ws_row == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, size.ws_col);
    lua_pushinteger(L, size.ws_row);
    return 2;
}

/* is_hung_up(): whether nobody can read standard output any more */
static int is_hung_up(lua_State *L) {
    struct pollfd out = {.fd = STDOUT_FILENO};
    lua_pushboolean(L, poll(&out, 1, 0) == 1);
    return 1;
}

void bf_add_terminal(lua_State *L) {
    lua_pushcfunction(L, is_terminal);
    lua_setfield(L, -2, "is_terminal");
    lua_pushcfunction(L, terminal_size);
    lua_setfield(L, -2, "terminal_size");
    lua_pushcfunction(L, is_hung_up);
    lua_setfield(L, -2, "is_hung_up");
}
