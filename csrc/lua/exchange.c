#include "http/engine.h"
#include "lua/compat.h"
#include "lua/core.h"

#include <math.h>
#include <string.h>

#define ENGINE "bitfront.engine"
#define EXCHANGE "bitfront.exchange"
#define BALANCES_PATH "/v1/account/balances"

/* ---- the request ---- */

static bool may_ask(const struct bf_client *client,
                    const struct bf_credentials *credentials,
                    enum bf_expect expect, struct bf_error *error) {
    if (client->closed)
        bf_error_set(error, BF_CLOSED, "closed", "the client is closed");
    else if (expect != BF_PUBLIC && !credentials)
        bf_error_set(error, BF_CONFIG, "missing_credentials",
                     "the client has no credentials");
    return error->kind == BF_OK;
}

/* The fields of a request, as they come to lie on the stack. */
enum {
    CLIENT,
    EXPECT,
    AMOUNTS,
    DEADLINE,
    CLOCK_OFFSET,
    MONOTONIC,
    PATH,
    QUERY,
    TRACEPARENT,
    CREDENTIALS,
    FIELDS
};

/* Pushes the fields of the table at 1; returns the index of the first. */
static int push_fields(lua_State *L) {
    static const char *const names[FIELDS] = {
        "client",    "expect", "amounts", "deadline",    "clock_offset",
        "monotonic", "path",   "query",   "traceparent", "credentials"};
    int first = lua_gettop(L) + 1;
    luaL_checktype(L, 1, LUA_TTABLE);
    for (int i = 0; i < FIELDS; i++)
        lua_getfield(L, 1, names[i]);
    return first;
}

static struct bf_span opt_span(lua_State *L, int index, const char *otherwise) {
    struct bf_span span;
    span.text = luaL_optlstring(L, index, otherwise, &span.len);
    return span;
}

struct bf_request *bf_to_request(lua_State *L, struct bf_error *error) {
    static const char *const expects[] = {"balances", "data", "public", NULL};
    int at = push_fields(L);
    struct bf_client *client = bf_check_client(L, at + CLIENT);
    int expect = luaL_checkoption(L, at + EXPECT, expects[0], expects);
    enum bf_amounts amounts = bf_check_amounts(L, at + AMOUNTS);
    double deadline = luaL_optnumber(L, at + DEADLINE, HUGE_VAL);
    double clock_offset = luaL_optnumber(L, at + CLOCK_OFFSET, 0);
    struct bf_span path = opt_span(L, at + PATH, BALANCES_PATH);
    struct bf_span query = opt_span(L, at + QUERY, "");
    struct bf_span traceparent = opt_span(L, at + TRACEPARENT, "");
    struct bf_credentials *credentials =
        lua_isnil(L, at + CREDENTIALS)
            ? client->credentials
            : bf_check_credentials(L, at + CREDENTIALS);
    struct bf_request *request;
    if (!may_ask(client, credentials, (enum bf_expect)expect, error))
        return NULL;
    request = bf_request_new(client, expect == BF_PUBLIC ? NULL : credentials,
                             path, query, traceparent);
    if (!request) {
        bf_error_no_memory(error);
        return NULL;
    }
    request->expect = (enum bf_expect)expect;
    request->amounts = amounts;
    request->deadline = deadline;
    request->clock_offset = (int64_t)clock_offset;
    request->monotonic = lua_toboolean(L, at + MONOTONIC);
    return request;
}

void bf_error_closing(struct bf_error *error) {
    bf_error_set(error, BF_CLOSED, "closed", "the Lua state is being closed");
}

/* ---- the engine: one for each process and Lua state, made on first use ----
 */

struct engine_box {
    struct bf_engine *engine;
    bool closed; /* the Lua state is being closed: nothing would free another */
};

static int engine_gc(lua_State *L) {
    struct engine_box *box = luaL_checkudata(L, 1, ENGINE);
    struct bf_engine *engine = box->engine;
    box->engine = NULL;
    box->closed = true;
    bf_engine_free(engine);
    return 0;
}

/* Made before the first exchange's box, so that when the state closes it is
 * collected after the last one. */
static struct engine_box *engine_box(lua_State *L) {
    return bf_statebox(L, sizeof(struct engine_box), ENGINE, ENGINE " box");
}

/* The engine of this process, or NULL with `error` set. An engine from before
 * a fork is the parent's, and is left alone. */
static struct bf_engine *get_engine(lua_State *L, struct bf_error *error) {
    struct engine_box *box = engine_box(L);
    if (box->closed)
        bf_error_closing(error);
    else if (!box->engine || bf_engine_is_from_parent(box->engine))
        box->engine = bf_engine_new(error);
    return box->engine;
}

/* ---- an exchange: one attempt ---- */

struct exchange_box {
    struct bf_engine *engine;
    struct bf_exchange *exchange; /* NULL once finished */
};

static struct exchange_box *to_exchange(lua_State *L) {
    return bf_checkself(L, 1, EXCHANGE);
}

static struct exchange_box *check_exchange(lua_State *L) {
    struct exchange_box *box = to_exchange(L);
    luaL_argcheck(L, box->exchange, 1, "the exchange is finished");
    return box;
}

static void release(struct exchange_box *box) {
    struct bf_exchange *exchange = box->exchange;
    box->exchange = NULL;
    if (exchange)
        bf_engine_release(box->engine, exchange);
}

static int exchange_gc(lua_State *L) {
    release(to_exchange(L));
    return 0;
}

static bool is_done(const struct exchange_box *box) {
    return box->exchange->state == BF_EXCHANGE_DONE ||
           bf_engine_is_from_parent(box->engine);
}

/* exchange:done() */
static int exchange_done(lua_State *L) {
    lua_pushboolean(L, is_done(check_exchange(L)));
    return 1;
}

/* Pushes the result of the box's exchange and releases it. */
static int push_result(lua_State *L, struct exchange_box *box) {
    int pushed;
    if (bf_engine_is_from_parent(box->engine)) {
        box->exchange = NULL; /* it is the parent's */
        return bf_push_fork(L);
    }
    pushed = bf_push_result(L, box->exchange);
    release(box);
    return pushed;
}

/* exchange:finish(): the result of an exchange that is done (see core.h). */
static int exchange_finish(lua_State *L) {
    struct exchange_box *box = check_exchange(L);
    luaL_argcheck(L, is_done(box), 1, "the exchange is still running");
    return push_result(L, box);
}

/* Starts what the request table at 1 asks for and leaves its box at 2; NULL
 * with `error` set. */
static struct exchange_box *start(lua_State *L, struct bf_error *error) {
    struct exchange_box *box;
    struct bf_request *request;
    struct bf_engine *engine = get_engine(L, error); /* before its exchanges */
    lua_settop(L, 1);
    box = bf_newbox(L, sizeof *box, EXCHANGE);
    box->engine = engine;
    request = engine ? bf_to_request(L, error) : NULL;
    if (request)
        box->exchange = bf_engine_start(engine, request, error);
    lua_settop(L, 2);
    return box->exchange ? box : NULL;
}

/* core.start(request): an exchange, or nil and an error. */
static int core_start(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    return start(L, &error) ? 1 : bf_push_error(L, &error);
}

/* core.balances(request), core.get(request): the result of one whole attempt,
 * blocking; of the account's balances, and of anything else. */
static int attempt(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct exchange_box *box = start(L, &error);
    if (!box)
        return bf_push_error(L, &error);
    while (box->exchange->state != BF_EXCHANGE_DONE) {
        (void)bf_engine_step(box->engine, 60);
        bf_run_hook(L);
    }
    return push_result(L, box);
}

/* core.step(seconds): advances all exchanges of this state, waiting for up
 * to `seconds`; returns how many are still running. */
static int core_step(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct engine_box *box = engine_box(L);
    size_t running = 0;
    luaL_argcheck(L, seconds >= 0, 1, "seconds must not be negative");
    if (box->engine && !bf_engine_is_from_parent(box->engine))
        running = bf_engine_step(box->engine, seconds);
    bf_run_hook(L);
    bf_pushinteger(L, (int64_t)running);
    return 1;
}

static const luaL_Reg functions[] = {
    {"balances", attempt   },
    {"get",      attempt   },
    {"start",    core_start},
    {"step",     core_step },
    {NULL,       NULL      },
};

static const luaL_Reg exchange_methods[] = {
    {"done",   exchange_done  },
    {"finish", exchange_finish},
    {NULL,     NULL           },
};

void bf_add_exchange(lua_State *L) {
    bf_newtype(L, ENGINE, engine_gc, NULL, NULL);
    bf_newtype(L, EXCHANGE, exchange_gc, exchange_methods, NULL);
    bf_setfuncs(L, functions);
}
