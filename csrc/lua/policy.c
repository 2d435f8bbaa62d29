/* The Lua types bitfront.window and bitfront.server_clock: policy/ with this
 * machine's clocks. Each method takes the time as its last argument; without it
 * the time is now. A time that is not finite raises. */
#include "base/clock.h"
#include "lua/compat.h"
#include "lua/core.h"
#include "policy/server_clock.h"
#include "policy/window.h"

#include <math.h>
#include <stdatomic.h>

#define WINDOW "bitfront.window"
#define CLOCK "bitfront.server_clock"

/* Sums of a few such times are exact enough, and an int64_t holds 1000 times
 * as much. */
#define FARTHEST 1e15

static bool is_time(double time) {
    return fabs(time) <= FARTHEST; /* not where it is NaN */
}

static double check_time(lua_State *L, int index) {
    double time = luaL_checknumber(L, index);
    luaL_argcheck(L, is_time(time), index, "a time was expected");
    return time;
}

/* ---- window: the limits of one key ---- */

struct window_box {
    struct bf_window window;
    bool closed;
};

static int window_gc(lua_State *L) {
    struct window_box *box = luaL_checkudata(L, 1, WINDOW);
    bf_window_free(&box->window);
    box->closed = true;
    return 0;
}

/* core.window(): of a key of which no call is known */
static int new_window(lua_State *L) {
    (void)bf_newbox(L, sizeof(struct window_box), WINDOW);
    return 1;
}

/* The ms of the monotonic clock, or what is at `index`. */
static double check_now_ms(lua_State *L, int index) {
    return lua_isnoneornil(L, index) ? bf_now() * 1000 : check_time(L, index);
}

/* window:is_idle(): whether there is nothing in it worth keeping */
static int window_is_idle(lua_State *L) {
    struct window_box *box = bf_checkself(L, 1, WINDOW);
    luaL_argcheck(L, !box->closed, 1, "the window is closed");
    lua_pushboolean(L, bf_window_is_idle(&box->window, check_now_ms(L, 2)));
    return 1;
}

static const luaL_Reg window_methods[] = {
    {"is_idle", window_is_idle},
    {NULL,      NULL          },
};

/* ---- window_store: the windows of keys, as lua/bitfront/limiter.lua asks ----
 */

static atomic_uint last_id; /* of a slot, in this process */

static size_t check_limit(lua_State *L, int index) {
    double limit = luaL_checknumber(L, index);
    luaL_argcheck(L,
                  limit >= 1 && limit <= 1e9 && limit == (double)(size_t)limit,
                  index, "a limit must be a whole number from 1 to 1e9");
    return (size_t)limit;
}

static int push_no_memory(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "not enough memory");
    return 2;
}

/* The window of the key at 2, which a table keeps (the first upvalue); the
 * second upvalue is called to add the one that it lacks. */
static struct bf_window *window_of_key(lua_State *L) {
    struct window_box *box;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_pushvalue(L, 2);
        lua_call(L, 1, 1);
    }
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return &box->window;
}

/* store:acquire(key, lease, per_second, per_minute): 0 and an id where a slot
 * was taken, else the ms until there may be one; nil and a message. An id that
 * no other call has may follow the time. */
static int store_acquire(lua_State *L) {
    struct bf_window *window = window_of_key(L);
    double lease = check_time(L, 3), wait;
    struct bf_limits limits = {check_limit(L, 4), check_limit(L, 5)};
    double now = check_now_ms(L, 6);
    double id = lua_isnoneornil(L, 7) ? atomic_fetch_add(&last_id, 1)
                                      : check_time(L, 7);
    if (!bf_window_acquire(window, now, id, lease, &limits, &wait))
        return push_no_memory(L);
    lua_pushnumber(L, wait);
    lua_pushnumber(L, id);
    return 2;
}

/* store:release(key, id, grace): true; nil and a message. The call ended
 * `grace` ms from now; nil: nothing was sent, and nothing counts. */
static int store_release(lua_State *L) {
    struct bf_window *window = window_of_key(L);
    double id = lua_type(L, 3) == LUA_TNUMBER ? lua_tonumber(L, 3) : NAN;
    if (lua_isnoneornil(L, 4))
        bf_window_cancel(window, id);
    else if (!bf_window_release(window, id,
                                check_now_ms(L, 5) + check_time(L, 4)))
        return push_no_memory(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* store:block(key, ms): true */
static int store_block(lua_State *L) {
    struct bf_window *window = window_of_key(L);
    bf_window_block(window, check_now_ms(L, 4), check_time(L, 3));
    lua_pushboolean(L, 1);
    return 1;
}

/* store:peek(key): calls that count in the second and in the minute, and the ms
 * for which there is no room whatever they are */
static int store_peek(lua_State *L) {
    struct bf_window *window = window_of_key(L);
    struct bf_usage usage = bf_window_peek(window, check_now_ms(L, 3));
    bf_pushinteger(L, (int64_t)usage.in_second);
    bf_pushinteger(L, (int64_t)usage.in_minute);
    lua_pushnumber(L, usage.full_for);
    return 3;
}

static const luaL_Reg store_methods[] = {
    {"acquire", store_acquire},
    {"release", store_release},
    {"block",   store_block  },
    {"peek",    store_peek   },
    {NULL,      NULL         },
};

/* core.window_store(windows, add): a store over the table of windows by key;
 * add(key) adds one and returns it */
static int new_store(lua_State *L) {
    const luaL_Reg *method = store_methods;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_newtable(L);
    for (; method->name; method++) {
        lua_pushvalue(L, 1);
        lua_pushvalue(L, 2);
        lua_pushcclosure(L, method->func, 2);
        lua_setfield(L, -2, method->name);
    }
    return 1;
}

/* ---- server_clock: what is known of an exchange's clock ---- */

static struct bf_server_clock *check_clock(lua_State *L) {
    return bf_checkself(L, 1, CLOCK);
}

/* core.server_clock(): one of which nothing is known */
static int new_clock(lua_State *L) {
    (void)bf_newbox(L, sizeof(struct bf_server_clock), CLOCK);
    return 1;
}

/* server_clock:learn(response_time, sent, round_trip, refused): true where what
 * is known has changed; now and the Unix time in ms may follow */
static int clock_learn(lua_State *L) {
    struct bf_server_clock *clock = check_clock(L);
    struct bf_clock_reading reading = {
        .response_time = luaL_checknumber(L, 2),
        .sent = check_time(L, 3),
        .round_trip = check_time(L, 4),
        .refused = lua_toboolean(L, 5),
    };
    bool given = !lua_isnoneornil(L, 6);
    double now = given ? check_time(L, 6) : bf_now();
    double wall = given ? check_time(L, 7) : (double)bf_wall_ms();
    lua_pushboolean(L, bf_server_clock_learn(clock, &reading, now, wall));
    return 1;
}

/* server_clock:forget() */
static int clock_forget(lua_State *L) {
    bf_server_clock_forget(check_clock(L));
    return 0;
}

/* server_clock:offset(): ms, an integer, and whether they are to be added to
 * the monotonic clock; else to the wall's */
static int clock_offset(lua_State *L) {
    int64_t offset;
    bool monotonic = bf_server_clock_offset(check_clock(L), &offset);
    bf_pushinteger(L, offset);
    lua_pushboolean(L, monotonic);
    return 2;
}

/* server_clock:best(): offset, half (ms), at (s) of the best sample; or nil */
static int clock_best(lua_State *L) {
    const struct bf_clock_sample *best = bf_server_clock_best(check_clock(L));
    if (!best)
        return 0;
    lua_pushnumber(L, best->offset);
    lua_pushnumber(L, best->half);
    lua_pushnumber(L, best->at);
    return 3;
}

/* server_clock:adopt(offset, half, at): goes by what best() gave in another
 * process; false for numbers that best() does not give, which change nothing */
static int clock_adopt(lua_State *L) {
    struct bf_server_clock *clock = check_clock(L);
    double offset = luaL_checknumber(L, 2), half = luaL_checknumber(L, 3);
    double at = luaL_checknumber(L, 4);
    bool possible = is_time(offset) && is_time(half) && is_time(at);
    if (possible)
        bf_server_clock_adopt(clock, offset, half, at);
    lua_pushboolean(L, possible);
    return 1;
}

static const luaL_Reg clock_methods[] = {
    {"learn",  clock_learn },
    {"forget", clock_forget},
    {"offset", clock_offset},
    {"best",   clock_best  },
    {"adopt",  clock_adopt },
    {NULL,     NULL        },
};

static const luaL_Reg functions[] = {
    {"window",       new_window},
    {"window_store", new_store },
    {"server_clock", new_clock },
    {NULL,           NULL      },
};

void bf_add_policy(lua_State *L) {
    bf_newtype(L, WINDOW, window_gc, window_methods, NULL);
    bf_newtype(L, CLOCK, NULL, clock_methods, NULL);
    bf_setfuncs(L, functions);
}
