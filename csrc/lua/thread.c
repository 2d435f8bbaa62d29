#include "lua/compat.h"
#include "lua/core.h"
#include "thread/thread.h"

#define QUEUE "bitfront.completion_queue"
#define JOB "bitfront.job"

/* ---- the completion queue: one for each Lua state, made on first use ---- */

struct queue_box {
    struct bf_thread *thread;
    struct bf_completion_queue *queue; /* NULL: not made, or freed */
    bool closed; /* the Lua state is being closed: nothing would free another */
};

static int queue_gc(lua_State *L) {
    struct queue_box *box = luaL_checkudata(L, 1, QUEUE);
    struct bf_completion_queue *queue = box->queue;
    box->queue = NULL;
    box->closed = true;
    if (queue && !bf_thread_is_from_parent(box->thread))
        bf_completion_queue_free(box->thread, queue);
    return 0;
}

static struct queue_box *queue_box(lua_State *L) {
    return bf_statebox(L, sizeof(struct queue_box), QUEUE, QUEUE " box");
}

/* The box with this process's queue; NULL: none was made yet. */
static struct queue_box *test_queue(lua_State *L) {
    struct queue_box *box = queue_box(L);
    return box->queue && !bf_thread_is_from_parent(box->thread) ? box : NULL;
}

/* The same, made where there is none; NULL with `error` set: closed, memory,
 * config. A queue from before a fork is the parent's, and is not freed. */
static struct queue_box *get_queue(lua_State *L, struct bf_error *error) {
    struct queue_box *box = queue_box(L);
    if (test_queue(L))
        return box;
    if (box->closed) {
        bf_error_closing(error);
        return NULL;
    }
    box->thread = bf_thread_get(error);
    box->queue = box->thread ? bf_completion_queue_new() : NULL;
    if (!box->queue)
        bf_error_no_memory(error);
    return box->queue ? box : NULL;
}

/* ---- jobs ---- */

struct job_box {
    struct bf_thread *thread;
    struct bf_job *job; /* NULL once finished */
};

static struct job_box *to_job(lua_State *L) {
    return bf_checkself(L, 1, JOB);
}

static struct job_box *check_job(lua_State *L) {
    struct job_box *box = to_job(L);
    luaL_argcheck(L, box->job, 1, "the job is finished");
    return box;
}

/* job:cancel(), and __gc: the result is not needed. Never waits. */
static int job_cancel(lua_State *L) {
    struct job_box *box = to_job(L);
    struct bf_job *job = box->job;
    box->job = NULL;
    if (job && !bf_thread_is_from_parent(box->thread))
        bf_thread_release(box->thread, job);
    return 0;
}

/* job:id(): the number that core.thread_take gives for it. */
static int job_id(lua_State *L) {
    lua_pushnumber(L, check_job(L)->job->id);
    return 1;
}

static bool is_done(const struct job_box *box) {
    return atomic_load(&box->job->state) == BF_JOB_DONE ||
           bf_thread_is_from_parent(box->thread);
}

/* job:done(): can the job be finished? */
static int job_done(lua_State *L) {
    lua_pushboolean(L, is_done(check_job(L)));
    return 1;
}

/* job:finish(): the result of a job that is done, see core.h. Raises where
 * the job is not done. */
static int job_finish(lua_State *L) {
    struct job_box *box = check_job(L);
    struct bf_job *job = box->job;
    int pushed;
    luaL_argcheck(L, is_done(box), 1, "the job is still running");
    if (bf_thread_is_from_parent(box->thread)) {
        box->job = NULL; /* it is the parent's */
        return bf_push_fork(L);
    }
    pushed = job->exchange ? bf_push_result(L, job->exchange)
                           : bf_push_error(L, &job->error);
    (void)job_cancel(L);
    return pushed;
}

/* core.thread_start(request): a job, or nil and an error. */
static int thread_start(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct queue_box *queue = get_queue(L, &error);
    struct bf_request *request;
    struct job_box *box;
    lua_settop(L, 1);
    box = bf_newbox(L, sizeof *box, JOB);
    request = queue ? bf_to_request(L, &error) : NULL;
    if (request) {
        box->thread = queue->thread;
        box->job =
            bf_thread_submit(queue->thread, queue->queue, request, &error);
    }
    lua_settop(L, 2);
    return box->job ? 1 : bf_push_error(L, &error);
}

/* ---- which jobs are done ---- */

/* core.thread_take(ids): writes the ids of jobs that became done since the last
 * call into the table; returns how many. */
static int thread_take(lua_State *L) {
    struct queue_box *box = test_queue(L);
    double ids[64];
    const size_t max = sizeof ids / sizeof *ids;
    size_t count = max, all = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    while (box && count == max) {
        count = bf_completion_queue_take(box->thread, box->queue, ids, max);
        for (size_t i = 0; i < count; i++) {
            lua_pushnumber(L, ids[i]);
            lua_rawseti(L, 1, (int)++all);
        }
    }
    bf_pushinteger(L, (int64_t)all);
    return 1;
}

/* core.thread_listen(): the path of a socket to connect to, which will have a
 * byte to read when jobs are done; nil where this state cannot have one. */
static int thread_listen(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct queue_box *box = get_queue(L, &error);
    char path[BF_NOTIFIER_PATH];
    bool listens =
        box && bf_completion_queue_listen(box->thread, box->queue, path);
    lua_pushstring(L, listens ? path : NULL);
    return 1;
}

/* core.thread_accept(path?): to be called after the attempt to connect. True:
 * there is a connection. Jobs that became done before must be taken then, since
 * no byte is sent for them. False: there is none; or `path` is not the latest
 * one of this state, and nothing changes. */
static int thread_accept(lua_State *L) {
    const char *path = luaL_optstring(L, 1, NULL);
    struct queue_box *box = test_queue(L);
    lua_pushboolean(
        L, box && bf_completion_queue_accept(box->thread, box->queue, path));
    return 1;
}

/* core.thread_close(): ends the connection of this state, if there is one. */
static int thread_close(lua_State *L) {
    struct queue_box *box = test_queue(L);
    if (box)
        bf_completion_queue_close(box->thread, box->queue);
    return 0;
}

/* core.thread_status(): how many jobs of this process are not done, and how
 * many are done but neither finished nor cancelled. */
static int thread_status(lua_State *L) {
    size_t live, held;
    bf_thread_count(&live, &held);
    bf_pushinteger(L, (int64_t)live);
    bf_pushinteger(L, (int64_t)held);
    return 2;
}

static const luaL_Reg job_methods[] = {
    {"id",     job_id    },
    {"done",   job_done  },
    {"finish", job_finish},
    {"cancel", job_cancel},
    {NULL,     NULL      },
};

static const luaL_Reg functions[] = {
    {"thread_start",  thread_start },
    {"thread_take",   thread_take  },
    {"thread_listen", thread_listen},
    {"thread_accept", thread_accept},
    {"thread_close",  thread_close },
    {"thread_status", thread_status},
    {NULL,            NULL         },
};

void bf_add_thread(lua_State *L) {
    bf_newtype(L, QUEUE, queue_gc, NULL, NULL);
    bf_newtype(L, JOB, job_cancel, job_methods, NULL);
    bf_setfuncs(L, functions);
}
