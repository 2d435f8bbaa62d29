-- What is left of a secret in a process's memory. A preloaded library counts it
-- when the process gets SIGUSR1, and wipes what is freed, so that what is found
-- is in memory that somebody holds; or counts how often it was in what was freed.

local shell = require "spec.support.shell"

local _M = {}

local LIBRARY = [[
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void __libc_free(void *);

static int wipes, counts_freed;
static unsigned freed;

/* With its bytes inverted, so that it is not found itself. */
static char needle[256];

static int is_here(const char *at, const char *end) {
    size_t i = 0;
    while (needle[i] && at + i < end && at[i] == (char)~needle[i])
        i++;
    return i > 0 && !needle[i];
}

void free(void *p) {
    if (p && counts_freed)
        for (const char *at = p, *end = at + malloc_usable_size(p); at < end; at++)
            freed += (unsigned)is_here(at, end);
    if (p && wipes)
        memset(p, 0, malloc_usable_size(p));
    __libc_free(p);
}

void *realloc(void *p, size_t size) {
    void *copy = size || !p ? malloc(size) : NULL;
    size_t old = p ? malloc_usable_size(p) : 0;
    if (p && copy)
        memcpy(copy, p, old < size ? old : size);
    if (copy || size == 0)
        free(p);
    return copy;
}

/* Of an environment variable there is a copy on the stack. */
static unsigned count(const char *maps) {
    unsigned found = 0;
    for (const char *line = maps; line; line = strchr(line + 1, '\n')) {
        unsigned long from, to;
        char rest[4096] = "";
        if (sscanf(line, "%lx-%lx rw%4095[^\n]", &from, &to, rest) == 3 &&
            !strstr(rest, "[stack]"))
            for (const char *at = (char *)from; at < (char *)to; at++)
                found += is_here(at, (char *)to);
    }
    return found;
}

static void look(int signal) {
    static char maps[1 << 20];
    int fd = open("/proc/self/maps", O_RDONLY);
    ssize_t len = 0, got;
    (void)signal;
    while ((got = read(fd, maps + len, sizeof maps - 1 - (size_t)len)) > 0)
        len += got;
    close(fd);
    maps[len] = '\0';
    dprintf(STDOUT_FILENO, "%u\n", counts_freed ? freed : count(maps));
}

__attribute__((constructor)) static void start(void) {
    const char *value = getenv("LOOK_FOR");
    for (size_t i = 0; value && value[i]; i++)
        needle[i] = (char)~value[i];
    wipes = getenv("WIPE_FREED") != NULL;
    counts_freed = getenv("COUNT_FREED") != NULL;
    signal(SIGUSR1, look);
}
]]

---Runs a Lua program in a process of its own, in which `look()` counts the
---text in its memory.
---@param text string
---@param program string
---@param options { env: table<string, string|false>, wipe?: boolean, freed?: boolean }
--- wipe: also what libraries have freed; freed: counts it in what was freed until then
---@return integer[] counts  one for each `look()`
function _M.count(text, program, options)
  _M.library = _M.library or shell.preload(LIBRARY)
  local env = { LD_PRELOAD = _M.library, LOOK_FOR = text, WIPE_FREED = options.wipe and "1",
    COUNT_FREED = options.freed and "1" }
  for name, value in pairs(options.env) do env[name] = value end
  local out, err = shell.lua(
    'local function look() os.execute "kill -USR1 $PPID" end\n' .. program, { env = env })
  local counts = {}
  for count in out:gmatch "%d+" do counts[#counts + 1] = tonumber(count) end
  assert(err == "", err)
  return counts
end

return _M
