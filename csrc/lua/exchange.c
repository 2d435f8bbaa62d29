#include "lua/exchange.h"

#include "http/engine.h"
#include "lua/client.h"
#include "lua/compat.h"
#include "lua/result.h"

#include <math.h>
#include <string.h>

#define ENGINE "bitfront.engine"
#define EXCHANGE "bitfront.exchange"
#define BALANCES_PATH "/v1/account/balances"

/* ---- the request ---- */

/* The field stays on the stack, so that its text stays where it is. */
static struct bf_span opt_span(lua_State *L, const char *name,
                               const char *otherwise) {
    struct bf_span span = bf_span_of(otherwise);
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1))
        span.text = luaL_checklstring(L, -1, &span.len);
    return span;
}

static double opt_number(lua_State *L, const char *name, double otherwise) {
    lua_Number number;
    lua_getfield(L, 1, name);
    number = luaL_optnumber(L, -1, otherwise);
    lua_pop(L, 1);
    return number;
}

static int field_option(lua_State *L, const char *name,
                        const char *const *options) {
    int option;
    lua_getfield(L, 1, name);
    option = luaL_checkoption(L, -1, options[0], options);
    lua_pop(L, 1);
    return option;
}

static bool field_boolean(lua_State *L, const char *name) {
    bool is_true;
    lua_getfield(L, 1, name);
    is_true = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is_true;
}

static struct bf_credentials *field_credentials(lua_State *L,
                                                const struct bf_client *client,
                                                enum bf_expect expect) {
    struct bf_credentials *credentials = client->credentials;
    lua_getfield(L, 1, "credentials");
    if (!lua_isnil(L, -1))
        credentials = bf_check_credentials(L, -1);
    return expect == BF_PUBLIC ? NULL : credentials;
}

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

struct bf_request *bf_to_request(lua_State *L, struct bf_error *error) {
    static const char *const expects[] = {"balances", "data", "public", NULL};
    static const char *const modes[] = {"number", "string", "decimal", NULL};
    struct bf_request numbers = {.monotonic = false}, *request;
    struct bf_credentials *credentials;
    struct bf_client *client;
    struct bf_span path, query;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "client");
    client = bf_check_client(L, -1);
    numbers.expect = (enum bf_expect)field_option(L, "expect", expects);
    numbers.amounts = (enum bf_amounts)field_option(L, "amounts", modes);
    numbers.deadline = opt_number(L, "deadline", HUGE_VAL);
    numbers.clock_offset = (int64_t)opt_number(L, "clock_offset", 0);
    numbers.monotonic = field_boolean(L, "monotonic");
    credentials = field_credentials(L, client, numbers.expect);
    path = opt_span(L, "path", BALANCES_PATH);
    query = opt_span(L, "query", "");
    if (!may_ask(client, credentials, numbers.expect, error))
        return NULL;
    request = bf_request_new(client, credentials, path, query);
    if (!request) {
        bf_error_no_memory(error);
        return NULL;
    }
    request->expect = numbers.expect;
    request->amounts = numbers.amounts;
    request->deadline = numbers.deadline;
    request->clock_offset = numbers.clock_offset;
    request->monotonic = numbers.monotonic;
    return request;
}

void bf_error_closing(struct bf_error *error) {
    bf_error_set(error, BF_CLOSED, "closed", "the Lua state is being closed");
}

void bf_error_fork(struct bf_error *error) {
    bf_error_set(error, BF_NETWORK, "fork",
                 "the call was begun before a fork, in another process");
}

/* ---- the engine: one for each process and Lua state, made on first use ----
 */

struct engine_box {
    struct bf_engine *engine;
    bool closed; /* the Lua state is being closed: nothing would free another */
};

/* A string: LuaJIT on some systems cannot hold the address of a static. */
#define ENGINE_KEY "bitfront.engine box"

static int engine_gc(lua_State *L) {
    struct engine_box *box = luaL_checkudata(L, 1, ENGINE);
    struct bf_engine *engine = box->engine;
    box->engine = NULL;
    box->closed = true;
    bf_engine_free(engine);
    return 0;
}

/* The box in the registry; made before the first exchange's, so that when the
 * state closes it is collected after the last one. Raises on memory. */
static struct engine_box *engine_box(lua_State *L) {
    struct engine_box *box;
    lua_getfield(L, LUA_REGISTRYINDEX, ENGINE_KEY);
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (box)
        return box;
    box = bf_newuserdata(L, sizeof *box);
    box->engine = NULL;
    box->closed = false;
    bf_settype(L, ENGINE);
    lua_setfield(L, LUA_REGISTRYINDEX, ENGINE_KEY);
    return box;
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
        struct bf_error error = {.kind = BF_OK};
        bf_error_fork(&error);
        box->exchange = NULL; /* it is the parent's */
        return bf_push_error(L, &error);
    }
    pushed = bf_push_result(L, box->exchange);
    release(box);
    return pushed;
}

/* exchange:finish(): the result of an exchange that is done (see result.h). */
static int exchange_finish(lua_State *L) {
    struct exchange_box *box = check_exchange(L);
    luaL_argcheck(L, is_done(box), 1, "the exchange is still running");
    return push_result(L, box);
}

static struct exchange_box *prep_exchange(lua_State *L) {
    struct exchange_box *box = bf_newuserdata(L, sizeof *box);
    box->engine = NULL;
    box->exchange = NULL;
    bf_settype(L, EXCHANGE);
    return box;
}

/* Starts what the request table at 1 asks for and leaves its box at 2; NULL
 * with `error` set. */
static struct exchange_box *start(lua_State *L, struct bf_error *error) {
    struct exchange_box *box;
    struct bf_request *request;
    struct bf_engine *engine = get_engine(L, error); /* before its exchanges */
    lua_settop(L, 1);
    box = prep_exchange(L);
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

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

/* A signal ends a step early. What its handler has put off until Lua runs again
 * (the interpreter's Ctrl-C is a debug hook) does not wait for the server:
 * calling something runs the hook, and an error it raises leaves from here, the
 * exchange being its box's. */
static void run_hook(lua_State *L) {
    if (!lua_gethook(L))
        return;
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
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
        run_hook(L);
    }
    return push_result(L, box);
}

/* core.step(seconds): moves all exchanges of this state along, waiting for up
 * to `seconds`; returns how many are still running. */
static int core_step(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct engine_box *box = engine_box(L);
    size_t running = 0;
    luaL_argcheck(L, seconds >= 0, 1, "seconds must not be negative");
    if (box->engine && !bf_engine_is_from_parent(box->engine))
        running = bf_engine_step(box->engine, seconds);
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

static const luaL_Reg exchange_metamethods[] = {
    {"__gc", exchange_gc},
    {NULL,   NULL       },
};

static const luaL_Reg no_methods[] = {
    {NULL, NULL}
};

static const luaL_Reg engine_metamethods[] = {
    {"__gc", engine_gc},
    {NULL,   NULL     },
};

void bf_add_exchange(lua_State *L) {
    bf_newtype(L, ENGINE, no_methods, engine_metamethods);
    bf_newtype(L, EXCHANGE, exchange_methods, exchange_metamethods);
    bf_setfuncs(L, functions);
}
