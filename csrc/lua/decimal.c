/* The Lua types bitfront.decimal, an exact number that never changes, and
 * bitfront.sum, a running total for long columns of them. */
#include "lua/compat.h"
#include "lua/core.h"
#include "money/decimal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DECIMAL "bitfront.decimal"
#define SUM "bitfront.sum"

struct sum {
    struct bf_decimal total;
    struct bf_decimal box; /* scratch, kept for its memory */
};

static int raise_memory(lua_State *L) {
    return luaL_error(L, "not enough memory for a decimal");
}

/* Pushes a decimal, which is 0. */
static struct bf_decimal *prep_decimal(lua_State *L) {
    struct bf_decimal *box = bf_newbox(L, sizeof *box, DECIMAL);
    if (bf_decimal_init(box) != BF_DECIMAL_OK)
        raise_memory(L);
    return box;
}

/* ---- from what Lua has ---- */

/* Pushes the start of the string at `index` in quotes, safe for a log. */
static void push_excerpt(lua_State *L, int index) {
    char shown[36];
    size_t len, n = 0;
    const char *text = lua_tolstring(L, index, &len);
    for (; n < len && n < 32; n++)
        shown[n] = text[n];
    for (size_t i = 0; i < n; i++)
        if (shown[i] < ' ' || shown[i] > '~')
            shown[i] = '?';
    snprintf(shown + n, sizeof shown - n, "%s", len > n ? "..." : "");
    lua_pushfstring(L, "\"%s\"", shown);
}

/* Pushes what is wrong with the value at `index`. */
static void push_message(lua_State *L, int index, enum bf_status status) {
    if (lua_type(L, index) == LUA_TNUMBER) {
        lua_pushliteral(L, "not a finite number");
    } else if (lua_type(L, index) != LUA_TSTRING) {
        lua_pushfstring(L, "number expected, got %s", luaL_typename(L, index));
    } else {
        push_excerpt(L, index);
        lua_pushfstring(L,
                        status == BF_DECIMAL_SYNTAX
                            ? "not a number: %s"
                            : "more than 1000 digits, or an exponent "
                              "beyond 400: %s",
                        lua_tostring(L, -1));
        lua_remove(L, -2);
    }
}

static enum bf_status from_number(lua_State *L, int index,
                                  struct bf_decimal *to) {
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, index))
        return bf_decimal_from_integer(to, lua_tointeger(L, index));
#endif
    return bf_decimal_from_double(to, (double)lua_tonumber(L, index));
}

/* Sets `to` from a number or a string. */
static enum bf_status convert(lua_State *L, int index, struct bf_decimal *to) {
    size_t len;
    const char *text;
    if (lua_type(L, index) == LUA_TNUMBER)
        return from_number(L, index, to);
    if (lua_type(L, index) != LUA_TSTRING)
        return BF_DECIMAL_SYNTAX;
    text = lua_tolstring(L, index, &len);
    return bf_decimal_from_text(to, text, len);
}

/* The decimal at `index`, or NULL. */
static struct bf_decimal *test_decimal(lua_State *L, int index) {
    return bf_testudata(L, index, DECIMAL);
}

/* The same, with its number: one that __gc has seen raises. */
static const struct bf_decimal *check_open(lua_State *L,
                                           struct bf_decimal *box) {
    if (!box->coefficient)
        luaL_error(L, "the decimal is gone");
    return box;
}

/* Pushes nil and what is wrong with the value at `index`. */
static int push_refusal(lua_State *L, int index, enum bf_status status) {
    if (status == BF_DECIMAL_MEMORY)
        return raise_memory(L);
    lua_pushnil(L);
    push_message(L, index, status);
    return 2;
}

/* decimal(value): the decimal, or nil and a message */
static int new_decimal(lua_State *L) {
    enum bf_status status;
    lua_settop(L, 1);
    if (test_decimal(L, 1))
        return 1;
    status = convert(L, 1, prep_decimal(L));
    return status == BF_DECIMAL_OK ? 1 : push_refusal(L, 1, status);
}

/* ---- operators ---- */

/* The operand at `index`; for another number its decimal, which is pushed. */
static const struct bf_decimal *check_operand(lua_State *L, int index) {
    struct bf_decimal *box = test_decimal(L, index);
    enum bf_status status;
    if (box)
        return check_open(L, box);
    box = prep_decimal(L);
    status = convert(L, index, box);
    if (status != BF_DECIMAL_OK) {
        (void)push_refusal(L, index, status);
        luaL_error(L, "%s", lua_tostring(L, -1));
    }
    return box;
}

/* The decimal that methods are called on. */
static const struct bf_decimal *check_self(lua_State *L) {
    return check_open(L, luaL_checkudata(L, 1, DECIMAL));
}

/* Returns the decimal on top, or raises. */
static int check_status(lua_State *L, enum bf_status status) {
    if (status == BF_DECIMAL_MEMORY)
        return raise_memory(L);
    if (status != BF_DECIMAL_OK)
        return luaL_error(L, "the result has more than 1000 digits, "
                             "or an exponent beyond 400");
    return 1;
}

void bf_push_decimal(lua_State *L, const char *text, size_t len) {
    (void)check_status(L, bf_decimal_from_text(prep_decimal(L), text, len));
}

/* The two operands, wherever a caller has the operator's function from. */
static void check_operands(lua_State *L, const struct bf_decimal **a,
                           const struct bf_decimal **b) {
    lua_settop(L, 2);
    *a = check_operand(L, 1);
    *b = check_operand(L, 2);
}

static int calculate(lua_State *L, char operation) {
    const struct bf_decimal *a, *b;
    check_operands(L, &a, &b);
    return check_status(L,
                        bf_decimal_calculate(prep_decimal(L), a, operation, b));
}

static int decimal_add(lua_State *L) {
    return calculate(L, '+');
}

static int decimal_sub(lua_State *L) {
    return calculate(L, '-');
}

static int decimal_mul(lua_State *L) {
    return calculate(L, '*');
}

static int decimal_unm(lua_State *L) {
    const struct bf_decimal *a = check_self(L);
    struct bf_decimal *to = prep_decimal(L);
    enum bf_status status = bf_decimal_copy(to, a);
    BN_set_negative(to->coefficient, !BN_is_negative(to->coefficient));
    return check_status(L, status);
}

static int compare(lua_State *L) {
    int order = 0;
    const struct bf_decimal *a, *b;
    check_operands(L, &a, &b);
    if (bf_decimal_compare(a, b, &order) != BF_DECIMAL_OK)
        raise_memory(L);
    return order;
}

static int decimal_eq(lua_State *L) {
    bool both = test_decimal(L, 1) && test_decimal(L, 2);
    lua_pushboolean(L, both && compare(L) == 0);
    return 1;
}

static int decimal_lt(lua_State *L) {
    lua_pushboolean(L, compare(L) < 0);
    return 1;
}

static int decimal_le(lua_State *L) {
    lua_pushboolean(L, compare(L) <= 0);
    return 1;
}

/* ---- text and methods ---- */

static void push_text(lua_State *L, const struct bf_decimal *decimal) {
    char text[BF_DECIMAL_TEXT];
    size_t len = bf_decimal_to_text(decimal, text);
    if (len == 0)
        raise_memory(L);
    lua_pushlstring(L, text, len);
}

static int decimal_tostring(lua_State *L) {
    push_text(L, check_self(L));
    return 1;
}

/* Replaces a decimal at `index` by its text; leaves anything else. */
static void to_text(lua_State *L, int index) {
    struct bf_decimal *box = test_decimal(L, index);
    if (!box)
        return;
    push_text(L, check_open(L, box));
    lua_replace(L, index);
}

static int decimal_concat(lua_State *L) {
    to_text(L, 1);
    to_text(L, 2);
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_concat(L, 2);
    return 1;
}

/* :to_number(): the nearest double */
static int decimal_to_number(lua_State *L) {
    double value = 0;
    if (bf_decimal_to_double(check_self(L), &value) != BF_DECIMAL_OK)
        return raise_memory(L);
    lua_pushnumber(L, value);
    return 1;
}

static enum bf_decimal_mode check_mode(lua_State *L, int index) {
    static const char *const names[] = {"down", "half_even", "up", NULL};
    const char *name = luaL_optstring(L, index, "down");
    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum bf_decimal_mode)i;
    luaL_argerror(L, index, "\"down\", \"half_even\" or \"up\" expected");
    return BF_DECIMAL_DOWN;
}

/* :round(places, mode) */
static int decimal_round(lua_State *L) {
    const struct bf_decimal *a = check_self(L);
    lua_Number places = luaL_checknumber(L, 2);
    enum bf_decimal_mode mode = check_mode(L, 3);
    luaL_argcheck(L,
                  places >= 0 && places <= BF_DECIMAL_EXPONENT &&
                      floor((double)places) == places,
                  2, "a whole number of places from 0 to 400 expected");
    return check_status(
        L, bf_decimal_round(prep_decimal(L), a, (int)places, mode));
}

static int decimal_is_zero(lua_State *L) {
    lua_pushboolean(L, bf_decimal_sign(check_self(L)) == 0);
    return 1;
}

static int decimal_sign(lua_State *L) {
    lua_pushinteger(L, bf_decimal_sign(check_self(L)));
    return 1;
}

static int decimal_gc(lua_State *L) {
    bf_decimal_free(luaL_checkudata(L, 1, DECIMAL));
    return 0;
}

static const luaL_Reg decimal_methods[] = {
    {"to_number", decimal_to_number},
    {"round",     decimal_round    },
    {"is_zero",   decimal_is_zero  },
    {"sign",      decimal_sign     },
    {NULL,        NULL             }
};

static const luaL_Reg decimal_metamethods[] = {
    {"__add",      decimal_add     },
    {"__sub",      decimal_sub     },
    {"__mul",      decimal_mul     },
    {"__unm",      decimal_unm     },
    {"__eq",       decimal_eq      },
    {"__lt",       decimal_lt      },
    {"__le",       decimal_le      },
    {"__tostring", decimal_tostring},
    {"__concat",   decimal_concat  },
    {NULL,         NULL            }
};

/* ---- bitfront.sum ---- */

/* sum(): a total that starts at 0 */
static int new_sum(lua_State *L) {
    struct sum *sum = bf_newbox(L, sizeof *sum, SUM);
    if (bf_decimal_init(&sum->total) != BF_DECIMAL_OK ||
        bf_decimal_init(&sum->box) != BF_DECIMAL_OK)
        return raise_memory(L);
    return 1;
}

static struct sum *check_sum(lua_State *L) {
    struct sum *sum = luaL_checkudata(L, 1, SUM);
    check_open(L, &sum->box);
    return sum;
}

/* :add(value): true, or nil and a message */
static int sum_add(lua_State *L) {
    struct sum *sum = check_sum(L);
    struct bf_decimal *more = test_decimal(L, 2);
    enum bf_status status = BF_DECIMAL_OK;
    if (more) {
        check_open(L, more);
    } else {
        more = &sum->box;
        status = convert(L, 2, more);
    }
    if (status == BF_DECIMAL_OK)
        status = bf_decimal_accumulate(&sum->total, more, &sum->box);
    if (status != BF_DECIMAL_OK)
        return push_refusal(L, 2, status);
    lua_pushboolean(L, 1);
    return 1;
}

/* :total(): what was added, as a decimal */
static int sum_total(lua_State *L) {
    struct sum *sum = check_sum(L);
    struct bf_decimal *to = prep_decimal(L);
    enum bf_status status = bf_decimal_copy(to, &sum->total);
    if (status == BF_DECIMAL_OK)
        status = bf_decimal_check(to);
    return check_status(L, status);
}

static int sum_gc(lua_State *L) {
    struct sum *sum = luaL_checkudata(L, 1, SUM);
    bf_decimal_free(&sum->total);
    bf_decimal_free(&sum->box);
    return 0;
}

static const luaL_Reg sum_methods[] = {
    {"add",   sum_add  },
    {"total", sum_total},
    {NULL,    NULL     }
};

static const luaL_Reg functions[] = {
    {"decimal", new_decimal},
    {"sum",     new_sum    },
    {NULL,      NULL       }
};

void bf_add_decimal(lua_State *L) {
    bf_newtype(L, DECIMAL, decimal_gc, decimal_methods, decimal_metamethods);
    bf_newtype(L, SUM, sum_gc, sum_methods, NULL);
    bf_setfuncs(L, functions);
}
