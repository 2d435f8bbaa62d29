#include "base/clock.h"
#include "lua/compat.h"
#include "lua/core.h"

static void set_integer(lua_State *L, const char *key, int64_t value) {
    bf_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_clean(lua_State *L, const char *key,
                      const struct bf_string *string) {
    bf_push_clean_string(L, string);
    lua_setfield(L, -2, key);
}

/* ---- a reply ---- */

/* The reader has checked that the amount is in range. */
static void push_amount(lua_State *L, const struct bf_value *amount,
                        enum bf_amounts amounts) {
    if (amounts == BF_AS_STRING)
        lua_pushlstring(L, amount->text.text, amount->text.len);
    else if (amounts == BF_AS_DECIMAL)
        bf_push_decimal(L, amount->text.text, amount->text.len);
    else
        lua_pushnumber(L, amount->number);
}

/* The names of the fields are on the stack from index `names` on: setting a
 * field by a name on the stack saves looking the name up. */
static void push_balance(lua_State *L, const struct bf_balance *balance,
                         int names, enum bf_amounts amounts) {
    lua_createtable(L, 0, BF_FIELDS);
    for (int i = 0; i < BF_FIELDS; i++) {
        lua_pushvalue(L, names + i);
        if (bf_fields[i].kind == BF_TEXT)
            bf_push_string(L, &balance->values[i].text);
        else
            push_amount(L, &balance->values[i], amounts);
        lua_rawset(L, -3);
    }
}

static void push_balances(lua_State *L, const struct bf_reply *reply,
                          enum bf_amounts amounts) {
    int names = lua_gettop(L) + 1;
    luaL_checkstack(L, BF_FIELDS + 9, "balances");
    for (size_t i = 0; i < BF_FIELDS; i++)
        lua_pushlstring(L, bf_fields[i].name, bf_fields[i].len);
    lua_createtable(L, (int)reply->count, 0);
    for (size_t i = 0; i < reply->count; i++) {
        push_balance(L, &reply->balances[i], names, amounts);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_replace(L, names);
    lua_settop(L, names);
}

/* The server read its clock between our sending and its reply, most likely half
 * way: by so many ms it is ahead of the wall clock. */
static double wall_offset(const struct bf_result *result) {
    double half_way = (result->sent + result->replied) / 2;
    double ago = (bf_now() - half_way) * 1000;
    return (double)result->reply.response_time - ((double)bf_wall_ms() - ago);
}

/* Sized for what the call adds, too. */
static void push_info(lua_State *L, const struct bf_result *result) {
    const struct bf_reply *reply = &result->reply;
    lua_createtable(L, 0, 10);
    if (reply->has_zone)
        set_clean(L, "timezone", &reply->zone);
    if (reply->has_time)
        set_integer(L, "responseTime", reply->response_time);
    if (reply->has_code)
        set_integer(L, "statusCode", reply->status_code);
    if (reply->has_message)
        set_clean(L, "statusMessage", &reply->message);
    if (result->status)
        set_integer(L, "http_status", result->status);
    if (result->sent > 0)
        set_number(L, "sent", result->sent);
    if (result->sent > 0 && result->replied > 0)
        set_number(L, "round_trip", result->replied - result->sent);
    if (reply->has_time)
        set_number(L, "clock_offset", wall_offset(result));
}

/* ---- a failure ---- */

static void push_error_table(lua_State *L, const struct bf_error *error) {
    lua_createtable(L, 0, 8);
    bf_setstring(L, "kind", bf_kind_name(error->kind));
    bf_setstring(L, "code", error->code);
    bf_push_clean(L, error->text, strlen(error->text));
    lua_setfield(L, -2, "message");
}

int bf_push_error(lua_State *L, const struct bf_error *error) {
    lua_pushnil(L);
    push_error_table(L, error);
    return 2;
}

int bf_push_fork(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    bf_error_set(&error, BF_NETWORK, "fork",
                 "the call was begun before a fork, in another process");
    return bf_push_error(L, &error);
}

int bf_push_done(lua_State *L, bool done, const struct bf_error *error) {
    if (!done)
        return bf_push_error(L, error);
    lua_pushboolean(L, 1);
    return 1;
}

static void push_attempt_error(lua_State *L, const struct bf_result *result) {
    const struct bf_reply *reply = &result->reply;
    push_error_table(L, &result->error);
    if (result->error.kind == BF_API) { /* which kind it is, Lua's table says */
        set_integer(L, "code", reply->status_code);
        if (reply->has_message)
            set_clean(L, "message", &reply->message);
    }
    if (result->status)
        set_integer(L, "http_status", result->status);
    if (reply->has_time)
        set_integer(L, "response_time", reply->response_time);
    if (result->retry_after >= 0)
        set_integer(L, "retry_after", result->retry_after);
    if (result->stale) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "stale");
    }
}

/* ---- the result ---- */

/* The value lies above what it was made with; false, with an error set, where
 * there is none. */
static bool push_value(lua_State *L, struct bf_result *result,
                       const struct bf_request *request) {
    const struct bf_span *body = &result->body;
    const char *data = result->reply.data ? result->reply.data : body->text;
    if (request->expect != BF_BALANCES)
        return bf_push_json(
            L, (struct bf_span){data, body->len - (size_t)(data - body->text)},
            request->amounts, &result->error);
    push_balances(L, &result->reply, request->amounts);
    return true;
}

int bf_push_result(lua_State *L, struct bf_exchange *exchange) {
    struct bf_result *result = &exchange->result;
    bool done;
    if (exchange->request->client->closed)
        bf_result_close(result);
    done =
        result->error.kind == BF_OK && push_value(L, result, exchange->request);
    lua_pushnil(L);
    if (!done)
        push_attempt_error(L, result);
    push_info(L, result);
    return 3;
}
