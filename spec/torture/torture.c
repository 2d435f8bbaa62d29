/*
 * torture: runs scenarios while memory runs out, at each allocation in turn.
 *
 *     torture lua|c|cold TRIES SCENARIOS.lua
 *
 * "lua" fails allocations of the Lua state, "c" those of malloc, wherever in
 * the process: the module's own, libcurl's, OpenSSL's. "cold" is "c" with a
 * process of its own for each failure, in which libcurl and OpenSSL have to set
 * themselves up: it must not end by a signal, or take too long, and that is all
 * that is asked. A scenario is run with its first allocation failing, then its
 * second, and so on until a run passes in which nothing is left to fail. Where
 * that comes to more than some TRIES, as many are made, evenly spread; 0 is no
 * limit. There are these ways to fail:
 *
 *     once     that allocation fails
 *     on       that allocation fails and so do all that follow
 *     collect  Lua's first try alone fails, so that Lua 5.2 and later make a
 *              full collection there, and must lose nothing that is in use
 *
 * A failure may show as Lua's own error or as the module's; never as a signal,
 * a wrong result or another error (where malloc fails, libcurl and OpenSSL are
 * free to say something else, but not to say nothing until the deadline). After
 * each the same scenario must succeed. What is still allocated at the end must
 * be what was at the beginning; valgrind sees what is lost on the way.
 *
 * A scenario is a table: name; run, a function that returns true when its
 * results are right, or nil and an error; prepare, whose result run gets;
 * fresh, when each run is to have a Lua state of its own; cold, when it is for
 * "cold" and not for "c", because what libcurl has read of a CA file, it keeps
 * for a day, also where OpenSSL ran out of memory over it; slack, the blocks
 * that others than this module are known to lose in it.
 */
#include <lauxlib.h>
#include <lualib.h>

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANG 120 /* s: a scenario that takes longer will not end */
/* Blocks that may be left when all runs of a scenario are over: libcurl's and
 * OpenSSL's caches and error queues fill up when malloc fails. */
#define SLACK 8
#define SLACK_IN_C 256

/* ---- failing ---- */

enum way { ONCE, ON, COLLECT };
static const char *const way_names[] = {"once", "on", "collect"};

/* The module may have a thread that allocates too. */
static struct {
    bool in_c; /* malloc is to fail, not Lua's allocator */
    atomic_bool armed;
    atomic_long left;  /* allocations before the one that fails */
    atomic_long times; /* how many fail in a row from there */
    atomic_bool struck;
} plan;

static atomic_long blocks; /* allocated at present */

/* Lua 5.2 and later try again after a collection. */
static long times_of(enum way way) {
    if (way == ON)
        return LONG_MAX;
    return way == ONCE && !plan.in_c && LUA_VERSION_NUM >= 502 ? 2 : 1;
}

static void arm(enum way way, long at) {
    plan.left = at;
    plan.times = times_of(way);
    plan.struck = false;
    plan.armed = true;
}

static bool strikes(bool in_c) {
    if (!plan.armed || in_c != plan.in_c || plan.left-- > 0 ||
        plan.times-- <= 0)
        return false;
    plan.struck = true;
    return true;
}

/* ---- malloc, calloc and the like, in the place of the C library's ---- */

#ifdef __GLIBC__
#define EXPORT __attribute__((visibility("default")))

void *libc_malloc(size_t size) __asm__("__libc_malloc");
void *libc_calloc(size_t count, size_t size) __asm__("__libc_calloc");
void *libc_realloc(void *old, size_t size) __asm__("__libc_realloc");
void libc_free(void *old) __asm__("__libc_free");

static void *counted(void *made) {
    blocks += made != NULL;
    return made;
}

EXPORT void *malloc(size_t size) {
    return strikes(true) ? NULL : counted(libc_malloc(size));
}

EXPORT void *calloc(size_t count, size_t size) {
    return strikes(true) ? NULL : counted(libc_calloc(count, size));
}

EXPORT void *realloc(void *old, size_t size) {
    void *made = strikes(true) ? NULL : libc_realloc(old, size);
    blocks += !old && made;
    return made;
}

EXPORT void free(void *old) {
    blocks -= old != NULL;
    libc_free(old);
}
#else
#define libc_realloc realloc
#define libc_free free
#endif

static void *allocate(void *unused, void *old, size_t had, size_t size) {
    void *made;
    (void)unused;
    if (size == 0) {
        blocks -= old != NULL;
        libc_free(old);
        return NULL;
    }
    /* Lua takes it for granted that a block can be made smaller. */
    if ((!old || size > had) && strikes(false))
        return NULL;
    made = libc_realloc(old, size);
    blocks += !old && made;
    return made;
}

/* ---- a scenario ---- */

struct scenario {
    const char *file;
    int index;
    char name[64];
    bool fresh, cold;
    long slack;
};

static void fail(const struct scenario *s, enum way way, long at,
                 const char *what, const char *detail) {
    fprintf(stderr, "torture: %s (%s): %s, allocation %ld (%s): %s: %s\n",
            s->name, LUA_VERSION, plan.in_c ? "malloc" : "Lua", at + 1,
            way_names[way], what, detail);
    exit(1);
}

static _Noreturn void give_up(lua_State *L, const char *what) {
    fprintf(stderr, "torture: %s: %s\n", what, lua_tostring(L, -1));
    exit(2);
}

/* Leaves the scenario's table at 1 and what it has prepared at 2; false where
 * there is no such scenario. */
static bool load(lua_State *L, const char *file, int index) {
    lua_settop(L, 0);
    if (luaL_loadfile(L, file) || lua_pcall(L, 0, 1, 0))
        give_up(L, file);
    lua_rawgeti(L, 1, index);
    lua_replace(L, 1);
    if (!lua_istable(L, 1))
        return false;
    lua_getfield(L, 1, "prepare");
    if (lua_isfunction(L, -1) && lua_pcall(L, 0, 1, 0))
        give_up(L, "prepare");
    return true;
}

static lua_State *open_state(void) {
#if LUA_VERSION_NUM >= 505
    lua_State *L = lua_newstate(allocate, NULL, 1); /* the seed of hashes */
#else
    lua_State *L = lua_newstate(allocate, NULL);
#endif
    if (!L)
        exit(2);
    luaL_openlibs(L);
    return L;
}

/* Runs the scenario; what it says is in `said`: "" for success. */
static void run(lua_State *L, char *said, size_t room) {
    bool right;
    lua_settop(L, 2);
    (void)lua_gc(L, LUA_GCCOLLECT, 0); /* so that runs are alike */
    lua_getfield(L, 1, "run");
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 1, 2, 0)) {
        plan.armed = false;
        right = false;
    } else {
        plan.armed = false;
        right = lua_isboolean(L, -2) && lua_toboolean(L, -2);
    }
    if (!right && !lua_isstring(L, -1) && luaL_callmeta(L, -1, "__tostring"))
        lua_replace(L, -2);
    snprintf(said, room, "%s",
             right                 ? ""
             : lua_isstring(L, -1) ? lua_tostring(L, -1)
                                   : "no reason given");
    lua_settop(L, 2);
    (void)lua_gc(L, LUA_GCCOLLECT, 0);
}

/* A run in which malloc failed may end with another error than that; but not
 * only at the deadline of a call. */
static bool is_allowed(const char *said, enum way way) {
    if (*said == '\0')
        return true;
    if (way == COLLECT || strstr(said, "WRONG") ||
        strstr(said, "timeout (response)") || strstr(said, "timeout (body)"))
        return false;
    return plan.in_c || strstr(said, "not enough memory");
}

/* The run in which allocation `at` fails, and one after it. False: there was
 * no such allocation any more. */
static bool torture(lua_State *L, const struct scenario *s, enum way way,
                    long at) {
    char said[256];
    arm(way, at);
    run(L, said, sizeof said);
    if (!is_allowed(said, way))
        fail(s, way, at, "ended with", said);
    if (!plan.struck)
        return false;
    run(L, said, sizeof said);
    if (*said)
        fail(s, way, at, "the next run ended with", said);
    return true;
}

static bool torture_fresh(const struct scenario *s, enum way way, long at) {
    lua_State *L = open_state();
    bool again;
    (void)load(L, s->file, s->index);
    again = torture(L, s, way, at);
    lua_close(L);
    return again;
}

/* How many allocations there are to fail: a run in which none does. */
static long count(lua_State *L, const struct scenario *s, enum way way) {
    if (s->fresh)
        (void)torture_fresh(s, way, LONG_MAX);
    else
        (void)torture(L, s, way, LONG_MAX);
    return LONG_MAX - plan.left;
}

/* Returns how many failures there were. */
static long each(lua_State *L, const struct scenario *s, enum way way,
                 long tries) {
    long step = tries ? 1 + count(L, s, way) / tries : 1;
    long at = 0;
    while (s->fresh ? torture_fresh(s, way, at) : torture(L, s, way, at)) {
        (void)alarm(HANG);
        at += step;
    }
    return at / step;
}

/* The module's thread may tell a result before it frees what that has taken. */
static void wait_for_thread(long most) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    for (int tries = 0; blocks > most && tries < 1000; tries++)
        (void)nanosleep(&pause, NULL);
}

static void check_blocks(const struct scenario *s, enum way way, long made,
                         long before) {
    long slack = s->slack + (plan.in_c ? SLACK_IN_C : SLACK);
    char grown[32];
    wait_for_thread(before + slack);
    snprintf(grown, sizeof grown, "%ld blocks", blocks - before);
    if (blocks - before > slack)
        fail(s, way, made, "still allocated after all runs", grown);
}

static void torture_way(lua_State *L, const struct scenario *s, enum way way,
                        long tries) {
    char said[256];
    long before, made;
    run(L, said, sizeof said);
    if (*said)
        fail(s, way, -1, "without any failure", said);
    before = blocks;
    made = each(L, s, way, tries);
    check_blocks(s, way, made, before);
    printf(" %s %ld", way_names[way], made);
    (void)fflush(stdout);
}

static void torture_all(const struct scenario *s, long tries) {
    lua_State *L = open_state();
    (void)load(L, s->file, s->index);
    printf("%-11s", s->name);
    torture_way(L, s, ONCE, tries);
    torture_way(L, s, ON, tries);
    if (!plan.in_c && LUA_VERSION_NUM >= 502)
        torture_way(L, s, COLLECT, tries);
    puts("");
    lua_close(L);
}

/* ---- in a new process ---- */

/* How a child ends. The C library itself ends it, with this status, where there
 * is no memory for a library's thread-local data. */
enum { STRUCK = 20, SPARED = 21, GAVE_UP = 127 };

static _Noreturn void run_cold(const struct scenario *s, enum way way,
                               long at) {
    lua_State *L = open_state();
    char said[256];
    (void)load(L, s->file, s->index);
    (void)alarm(HANG);
    arm(way, at);
    run(L, said, sizeof said);
    lua_close(L);
    _exit(!plan.struck ? SPARED : strstr(said, "WRONG") ? 1 : STRUCK);
}

/* False: there was no such allocation any more. */
static bool run_in_child(const struct scenario *s, enum way way, long at) {
    char ended[32];
    int status = 0, code;
    pid_t child = fork();
    if (child == 0)
        run_cold(s, way, at);
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(2);
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    snprintf(ended, sizeof ended, "status %d", status);
    if (code != STRUCK && code != SPARED && code != GAVE_UP)
        fail(s, way, at, "the process ended with", ended);
    return code != SPARED;
}

#define MANY 30000 /* more than there are in a first call */

static void torture_cold(const struct scenario *s, long tries) {
    long step = tries ? 1 + MANY / tries : 1;
    for (enum way way = ONCE; way <= ON; way++) {
        long at = 0;
        while (run_in_child(s, way, at))
            at += step;
        printf("%s cold %s %ld\n", s->name, way_names[way], at / step);
    }
}

/* Reads the scenario's name and fresh; false where there is none. */
static bool describe(struct scenario *s) {
    lua_State *L = open_state();
    bool found = load(L, s->file, s->index);
    if (found) {
        lua_getfield(L, 1, "name");
        snprintf(s->name, sizeof s->name, "%s", lua_tostring(L, -1));
        lua_getfield(L, 1, "fresh");
        s->fresh = lua_toboolean(L, -1);
        lua_getfield(L, 1, "cold");
        s->cold = lua_toboolean(L, -1);
        lua_getfield(L, 1, "slack");
        s->slack = (long)lua_tonumber(L, -1);
    }
    lua_close(L);
    return found;
}

int main(int argc, char **argv) {
    struct scenario s = {.index = 1};
    long tries = argc == 4 ? strtol(argv[2], NULL, 10) : -1;
    bool cold = argc == 4 && strcmp(argv[1], "cold") == 0;
    if (tries < 0) {
        fprintf(stderr, "usage: torture lua|c|cold TRIES SCENARIOS.lua\n");
        return 2;
    }
    plan.in_c = argv[1][0] == 'c';
    for (s.file = argv[3]; describe(&s); s.index++) {
        if (cold && s.cold)
            torture_cold(&s, tries);
        else if (!cold && !(plan.in_c && s.cold))
            torture_all(&s, tries);
    }
    return 0;
}
