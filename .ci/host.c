/* usage: host PROGRAM.lua [ARGUMENTS]
 *
 * The least Lua interpreter: runs one program. Compiled with -fsanitize it
 * brings the sanitizers' runtime along, which a stock Lua would need preloaded,
 * and so would every program that specs start. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>

/* The global `arg`, as the stock interpreter makes it. */
static void push_arg(lua_State *L, int argc, char **argv) {
    lua_createtable(L, argc, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
}

/* Ctrl-C raises in the program, as in the stock interpreter. */
static lua_State *interrupted;

static void stop(lua_State *L, lua_Debug *at) {
    (void)at;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted!");
}

static void on_interrupt(int signal_number) {
    (void)signal(signal_number, SIG_DFL);
    /* lua.c does so too: of Lua's functions, this one is made for handlers. */
    // NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c,cert-msc54-cpp)
    lua_sethook(interrupted, stop,
                LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static int traceback(lua_State *L) {
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* lua_CFunction of (argc, argv). */
static int run(lua_State *L) {
    int argc = (int)lua_tointeger(L, 1);
    char **argv = (char **)lua_touserdata(L, 2);
    luaL_openlibs(L);
    push_arg(L, argc, argv);
    lua_setglobal(L, "arg");
    if (luaL_loadfile(L, argv[1]) != LUA_OK)
        return lua_error(L);
    for (int i = 2; i < argc; i++)
        lua_pushstring(L, argv[i]);
    lua_call(L, argc - 2, 0);
    return 0;
}

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    int status = LUA_ERRMEM;
    if (L && argc > 1) {
        interrupted = L;
        (void)signal(SIGINT, on_interrupt);
        lua_pushcfunction(L, traceback);
        lua_pushcfunction(L, run);
        lua_pushinteger(L, argc);
        lua_pushlightuserdata(L, (void *)argv);
        status = lua_pcall(L, 2, 0, 1);
        if (status != LUA_OK)
            (void)fprintf(stderr, "%s: %s\n", argv[0], lua_tostring(L, -1));
        lua_close(L);
    }
    return status == LUA_OK ? 0 : 1;
}
