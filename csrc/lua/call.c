#include "lua/call.h"

#include "lua/compat.h"
#include "lua/client.h"

static struct bf_span opt_span(lua_State *L, int arg) {
    struct bf_span span;
    span.text = luaL_optlstring(L, arg, "", &span.len);
    return span;
}

static struct bf_credentials *credentials(lua_State *L,
                                          const struct bf_call *call) {
    if (call->expect == BF_PUBLIC)
        return NULL;
    return lua_isnoneornil(L, 9) ? call->client->credentials
                                 : bf_check_pair(L, 9);
}

bool bf_check_call(lua_State *L, struct bf_call *call, struct bf_error *error) {
    static const char *const wants[] = {"balances", "data", "public", NULL};
    static const char *const modes[] = {"number", "string", "decimal", NULL};
    struct bf_request *request = &call->request;
    call->client = bf_check_client(L);
    call->expect = (enum bf_expect)luaL_checkoption(L, 2, NULL, wants);
    request->path = opt_span(L, 3);
    request->query = opt_span(L, 4);
    request->deadline = luaL_checknumber(L, 5);
    call->amounts = (enum bf_amounts)luaL_checkoption(L, 6, "number", modes);
    request->clock_offset = (int64_t)luaL_optnumber(L, 7, 0);
    request->monotonic = lua_toboolean(L, 8);
    request->credentials = credentials(L, call);
    lua_settop(L, 9); /* what comes next, comes behind what was left out */
    if (call->client->closed)
        bf_error_set(error, BF_CLOSED, "closed", "the client is closed");
    else if (call->expect != BF_PUBLIC && !request->credentials)
        bf_error_set(error, BF_CONFIG, "missing_credentials",
                     "the client has no credentials");
    return error->kind == BF_OK;
}

void bf_error_closing(struct bf_error *error) {
    bf_error_set(error, BF_CLOSED, "closed", "the Lua state is being closed");
}

void bf_error_fork(struct bf_error *error) {
    bf_error_set(error, BF_NETWORK, "fork",
                 "the call was begun before a fork, in another process");
}
