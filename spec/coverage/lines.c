/* Marks the lines of lua/bitfront that a Lua state runs.
 *
 * FOLDER has a file for each Lua file, by the name that ends its path, with "%"
 * for "/". A process maps such a file and sets the byte of each line it runs:
 * nothing is lost with a process that is killed.
 *
 * Compiled once for each Lua. A program's Lua calls luaopen_lines by way of
 * LUA_INIT; nginx, which knows no LUA_INIT, gets the library by LD_PRELOAD. */
#include <dlfcn.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef FOLDER
#define FOLDER "."
#endif

enum { MOST_LINES = 4096, MOST_FILES = 4096, LONGEST_NAME = 256 };

/* A source of this process, by the address of its name. */
static struct {
    const char *source;
    char name[LONGEST_NAME];
    char *lines; /* NULL: none of lua/bitfront */
} files[MOST_FILES];

/* The name that a source has in lua/bitfront of this tree, or of an installed
 * one; NULL: it has none. */
static const char *name_of(const char *source) {
    static const char *const folders[] = {"lua/bitfront/", "lua/5.4/bitfront/",
                                          "lua/5.1/bitfront/"};
    static const char command[] = "/bin/bitfront";
    size_t length = strlen(source), end = sizeof command - 1;
    if (source[0] != '@')
        return NULL;
    if (length > end && strcmp(source + length - end, command) == 0)
        return "cli/bitfront";
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *found = strstr(source, folders[i]);
        if (found)
            return found + strlen(folders[i]);
    }
    return NULL;
}

/* The mapped file of a source; NULL where there is none, or none just now. */
static char *map_lines(const char *source) {
    const char *name = name_of(source);
    if (!name)
        return NULL;
    char path[sizeof FOLDER + LONGEST_NAME];
    int length =
        snprintf(path, sizeof path, "%s/lua/bitfront/%s", FOLDER, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return NULL;
    for (char *c = path + sizeof FOLDER; *c; c++)
        if (*c == '/')
            *c = '%';
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *lines =
        mmap(NULL, MOST_LINES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return lines == MAP_FAILED ? NULL : lines;
}

/* The lines of a source. Addresses are used again: names are compared too. */
static char *lines_of(const char *source) {
    size_t first = ((size_t)source >> 4) % MOST_FILES;
    if (files[first].source == source &&
        strncmp(files[first].name, source, LONGEST_NAME - 1) == 0)
        return files[first].lines;
    char *lines = map_lines(source);
    if (!lines && name_of(source))
        return NULL;
    if (files[first].lines)
        munmap(files[first].lines, MOST_LINES);
    files[first].source = source;
    (void)snprintf(files[first].name, LONGEST_NAME, "%s", source);
    files[first].lines = lines;
    return lines;
}

static void mark(lua_State *L, lua_Debug *at) {
    if (!lua_getinfo(L, "S", at) || at->currentline < 1)
        return;
    char *lines = lines_of(at->source);
    if (lines && at->currentline < MOST_LINES)
        lines[at->currentline] = 1;
}

/* Library to look for LuaJIT's functions in; NULL: the whole program. */
static void begin(lua_State *L, void *library) {
    int (*set_mode)(lua_State *, int, int) = NULL;
    *(void **)&set_mode = dlsym(library, "luaJIT_setmode");
    if (set_mode)
        set_mode(L, 0, 0); /* compiled traces call no hooks */
    lua_sethook(L, mark, LUA_MASKLINE, 0);
}

#if LUA_VERSION_NUM == 504
/* Lua's own hook for Ctrl-C takes the place of this one, and removes itself as
 * it raises: a pcall that catches that sets this one again. */
static int finish_pcall(lua_State *L, int status, lua_KContext context) {
    (void)context;
    if (!lua_gethook(L))
        begin(L, RTLD_DEFAULT);
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_insert(L, 1);
    return lua_gettop(L);
}

static int protected_call(lua_State *L) {
    luaL_checkany(L, 1);
    int arguments = lua_gettop(L) - 1;
    int status = lua_pcallk(L, arguments, LUA_MULTRET, 0, 0, finish_pcall);
    return finish_pcall(L, status, 0);
}
#endif

int luaopen_lines(lua_State *L);
int luaopen_lines(lua_State *L) {
    begin(L, RTLD_DEFAULT);
#if LUA_VERSION_NUM == 504
    lua_register(L, "pcall", protected_call);
#endif
    return 0;
}

#if LUA_VERSION_NUM == 501
lua_State *luaL_newstate(void) {
    void *library = dlopen("libluajit-5.1.so.2", RTLD_NOW | RTLD_NOLOAD);
    lua_State *(*new_state)(void) = NULL;
    if (library)
        *(void **)&new_state = dlsym(library, "luaL_newstate");
    lua_State *L = new_state ? new_state() : NULL;
    if (L)
        begin(L, library);
    return L;
}
#endif
