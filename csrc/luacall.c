#include "luacall.h"

#include "compat.h"
#include "luaclient.h"

static struct bf_span opt_span(lua_State *L, int arg) {
    struct bf_span span;
    span.text = luaL_optlstring(L, arg, "", &span.len);
    return span;
}

static struct bf_credentials *credentials(lua_State *L,
                                          const struct bf_call *call) {
    if (call->want == BF_PUBLIC)
        return NULL;
    return lua_isnoneornil(L, 9) ? call->client->credentials
                                 : bf_check_pair(L, 9);
}

bool bf_check_call(lua_State *L, struct bf_call *call, struct bf_fault *fault) {
    static const char *const wants[] = {"balances", "data", "public", NULL};
    static const char *const modes[] = {"number", "string", "decimal", NULL};
    struct bf_request *request = &call->request;
    call->client = bf_check_client(L);
    call->want = (enum bf_want)luaL_checkoption(L, 2, NULL, wants);
    request->path = opt_span(L, 3);
    request->query = opt_span(L, 4);
    request->deadline = luaL_checknumber(L, 5);
    call->amounts = (enum bf_amounts)luaL_checkoption(L, 6, "number", modes);
    request->clock_offset = (int64_t)luaL_optnumber(L, 7, 0);
    request->monotonic = lua_toboolean(L, 8);
    request->credentials = credentials(L, call);
    lua_settop(L, 9); /* what comes next, comes behind what was left out */
    if (call->client->closed)
        bf_fault_set(fault, BF_CLOSED, "closed", "the client is closed");
    else if (call->want != BF_PUBLIC && !request->credentials)
        bf_fault_set(fault, BF_CONFIG, "missing_credentials",
                     "the client has no credentials");
    return fault->kind == BF_OK;
}

void bf_fault_closing(struct bf_fault *fault) {
    bf_fault_set(fault, BF_CLOSED, "closed", "the Lua state is being closed");
}

void bf_fault_fork(struct bf_fault *fault) {
    bf_fault_set(fault, BF_NETWORK, "fork",
                 "the call was begun before a fork, in another process");
}
