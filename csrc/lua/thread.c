#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif

#include "lua/thread.h"

#include "lua/compat.h"
#include "lua/call.h"
#include "http/result.h"
#include "lua/result.h"
#include "thread/thread.h"

#include <dlfcn.h>

#define OUTBOX "bitfront.outbox"
#define JOB "bitfront.job"

/* LuaJIT has it, and PUC Lua from 5.3 on; the headers we compile with may not
 * say so. */
#if LUA_VERSION_NUM < 503
extern int lua_isyieldable(lua_State *L) __attribute__((weak));
#define HAS_ISYIELDABLE (lua_isyieldable != NULL)
#else
#define HAS_ISYIELDABLE 1
#endif

/* ---- the outbox: one for each Lua state, made on first use ---- */

struct outbox_box {
    struct bf_thread *thread;
    struct bf_outbox *outbox; /* NULL where it could not be made */
    bool closed; /* the Lua state is being closed: nothing would free another */
};

static int outbox_gc(lua_State *L) {
    struct outbox_box *box = luaL_checkudata(L, 1, OUTBOX);
    struct bf_outbox *outbox = box->outbox;
    box->outbox = NULL;
    box->closed = true;
    if (outbox && !bf_thread_is_from_parent(box->thread))
        bf_outbox_free(box->thread, outbox);
    return 0;
}

/* The box in the registry; its fields may be NULL. Raises on memory. */
static struct outbox_box *outbox_box(lua_State *L) {
    struct outbox_box *box;
    lua_getfield(L, LUA_REGISTRYINDEX, OUTBOX " box");
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (box)
        return box;
    box = bf_newuserdata(L, sizeof *box);
    box->thread = NULL;
    box->outbox = NULL;
    box->closed = false;
    bf_settype(L, OUTBOX);
    lua_setfield(L, LUA_REGISTRYINDEX, OUTBOX " box");
    return box;
}

/* What there is of it in this process; NULL: nothing yet. */
static struct outbox_box *known_outbox(lua_State *L) {
    struct outbox_box *box = outbox_box(L);
    return box->outbox && !bf_thread_is_from_parent(box->thread) ? box : NULL;
}

/* NULL with `error` set: memory. */
static struct outbox_box *get_outbox(lua_State *L, struct bf_error *error) {
    struct outbox_box *box = known_outbox(L);
    if (box)
        return box;
    box = outbox_box(L);
    if (box->closed) {
        bf_error_closing(error);
        return NULL;
    }
    box->outbox = NULL; /* one from before a fork is the parent's */
    box->thread = bf_thread_get(error);
    if (box->thread)
        box->outbox = bf_outbox_new();
    if (!box->outbox)
        bf_error_no_memory(error);
    return box->outbox ? box : NULL;
}

/* ---- jobs ---- */

struct job_box {
    struct bf_thread *thread;
    struct bf_job *job; /* NULL once finished */
};

static struct job_box *to_job(lua_State *L) {
    return luaL_checkudata(L, 1, JOB);
}

static struct job_box *check_job(lua_State *L) {
    struct job_box *box = to_job(L);
    luaL_argcheck(L, box->job, 1, "the job is finished");
    return box;
}

/* job:drop(), and its end as garbage: nobody wants the outcome. Never waits. */
static int job_drop(lua_State *L) {
    struct job_box *box = to_job(L);
    struct bf_job *job = box->job;
    box->job = NULL;
    if (job && !bf_thread_is_from_parent(box->thread))
        bf_thread_drop(box->thread, job);
    return 0;
}

/* job:id(): as core.thread_take gives it. */
static int job_id(lua_State *L) {
    lua_pushnumber(L, check_job(L)->job->id);
    return 1;
}

static bool is_done(const struct job_box *box) {
    return atomic_load(&box->job->done) ||
           bf_thread_is_from_parent(box->thread);
}

/* job:done() */
static int job_done(lua_State *L) {
    lua_pushboolean(L, is_done(check_job(L)));
    return 1;
}

static int push_fork(lua_State *L, struct job_box *box) {
    struct bf_error error = {.kind = BF_OK};
    bf_error_fork(&error);
    box->job = NULL; /* it is the parent's */
    return bf_push_error(L, &error);
}

/* job:finish(): the outcome of a job that is done (see push.h). */
static int job_finish(lua_State *L) {
    struct job_box *box = check_job(L);
    struct bf_job *job = box->job;
    int pushed;
    luaL_argcheck(L, is_done(box), 1, "the job is still running");
    if (bf_thread_is_from_parent(box->thread))
        return push_fork(L, box);
    if (job->transfer && job->transfer->client->closed)
        bf_outcome_close(job->transfer);
    pushed = job->transfer
                 ? bf_push_outcome(L, job->transfer, job->expect, job->amounts)
                 : bf_push_error(L, &job->error);
    box->job = NULL;
    bf_thread_drop(box->thread, job);
    return pushed;
}

static struct job_box *new_job(lua_State *L) {
    struct job_box *box = bf_newuserdata(L, sizeof *box);
    box->thread = NULL;
    box->job = NULL;
    bf_settype(L, JOB);
    return box;
}

static bool begin(struct job_box *box, const struct outbox_box *outbox,
                  const struct bf_call *call, struct bf_error *error) {
    struct bf_job *job =
        bf_job_new(call->client, &call->request, call->expect, call->amounts);
    box->thread = outbox->thread;
    if (!job)
        bf_error_no_memory(error);
    else if (bf_thread_begin(outbox->thread, outbox->outbox, job, error))
        box->job = job;
    else
        bf_job_free(job);
    return box->job != NULL;
}

/* core.thread_start(...): a job, or nil and an error; arguments as those of
 * core.start. */
static int thread_start(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct outbox_box *outbox = NULL;
    struct bf_call call;
    if (bf_check_call(L, &call, &error))
        outbox = get_outbox(L, &error);
    if (outbox && begin(new_job(L), outbox, &call, &error))
        return 1;
    return bf_push_error(L, &error);
}

/* ---- what became of them ---- */

/* core.thread_take(ids): writes the ids of jobs that became done since the last
 * time into the table; returns how many. */
static int thread_take(lua_State *L) {
    struct outbox_box *box = known_outbox(L);
    double ids[64];
    const size_t max = sizeof ids / sizeof *ids;
    size_t count = max, all = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    while (box && count == max) {
        count = bf_outbox_take(box->thread, box->outbox, ids, max);
        for (size_t i = 0; i < count; i++) {
            lua_pushnumber(L, ids[i]);
            lua_rawseti(L, 1, (int)++all);
        }
    }
    bf_pushinteger(L, (int64_t)all);
    return 1;
}

/* core.thread_channel(): the path of a socket to connect to, on which there
 * will be a byte when jobs are done; nil where there is none for this state. */
static int thread_channel(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct outbox_box *box = get_outbox(L, &error);
    lua_pushstring(L, box ? bf_bell_offer(box->thread, box->outbox) : NULL);
    return 1;
}

/* core.thread_connected(path?): to be called when that was tried; is it so?
 * What was done before must be taken then: no byte tells of it. False, and
 * nothing is changed, where the path is not the last one of this state. */
static int thread_connected(lua_State *L) {
    const char *path = luaL_optstring(L, 1, NULL);
    struct outbox_box *box = known_outbox(L);
    lua_pushboolean(L, box && bf_bell_accept(box->thread, box->outbox, path));
    return 1;
}

/* core.thread_hang_up(): the other end sees the end of the connection. */
static int thread_hang_up(lua_State *L) {
    struct outbox_box *box = known_outbox(L);
    if (box)
        bf_bell_close(box->thread, box->outbox);
    return 0;
}

/* core.thread_status(): the process's jobs on their way, and the done ones that
 * are still held. */
static int thread_status(lua_State *L) {
    size_t live, held;
    bf_thread_count(&live, &held);
    bf_pushinteger(L, (int64_t)live);
    bf_pushinteger(L, (int64_t)held);
    return 2;
}

/* core.yieldable(): may the running coroutine yield? nil: this Lua does not
 * tell. A yield across a C call is an error at best; where the host resumes
 * such a coroutine, the process may end. */
static int core_yieldable(lua_State *L) {
    if (HAS_ISYIELDABLE)
        lua_pushboolean(L, lua_isyieldable(L));
    else
        lua_pushnil(L);
    return 1;
}

/* core.has_symbol(name): does the process have a function or variable of that
 * name? By these a host shows how it was built. */
static int core_has_symbol(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_pushboolean(L, dlsym(RTLD_DEFAULT, name) != NULL);
    return 1;
}

static const luaL_Reg job_methods[] = {
    {"id",     job_id    },
    {"done",   job_done  },
    {"finish", job_finish},
    {"drop",   job_drop  },
    {NULL,     NULL      },
};

static const luaL_Reg job_metamethods[] = {
    {"__gc", job_drop},
    {NULL,   NULL    },
};

static const luaL_Reg no_methods[] = {
    {NULL, NULL}
};

static const luaL_Reg outbox_metamethods[] = {
    {"__gc", outbox_gc},
    {NULL,   NULL     },
};

static const luaL_Reg functions[] = {
    {"thread_start",     thread_start    },
    {"thread_take",      thread_take     },
    {"thread_channel",   thread_channel  },
    {"thread_connected", thread_connected},
    {"thread_hang_up",   thread_hang_up  },
    {"thread_status",    thread_status   },
    {"yieldable",        core_yieldable  },
    {"has_symbol",       core_has_symbol },
    {NULL,               NULL            },
};

void bf_add_thread(lua_State *L) {
    bf_newtype(L, OUTBOX, no_methods, outbox_metamethods);
    bf_newtype(L, JOB, job_methods, job_metamethods);
    bf_setfuncs(L, functions);
}
