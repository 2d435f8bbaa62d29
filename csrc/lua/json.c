/* JSON as Lua values. An array is told from an object by its metatable, which
 * says nothing else. null is the light userdata NULL, as for lua-cjson and
 * ngx_lua. */
#include "lua/compat.h"
#include "lua/core.h"
#include "money/decimal.h"

#include <limits.h>

#define ARRAY "bitfront.array"
#define BATCH 16
#define SHORT_TEXT 256 /* as long a text is decoded on the C stack */

struct decoder {
    lua_State *L;
    struct bf_scan scan;
    enum bf_amounts amounts;
    int array; /* the index of the metatable of arrays */
    int keys;  /* the index of the memory of more keys than the scan has */
};

static bool push_value(struct decoder *d);

enum bf_amounts bf_check_amounts(lua_State *L, int arg) {
    static const char *const names[] = {"number", "string", "decimal", NULL};
    return (enum bf_amounts)luaL_checkoption(L, arg, names[0], names);
}

/* ---- strings and numbers ---- */

void bf_push_string(lua_State *L, const struct bf_string *string) {
    char text[SHORT_TEXT], *decoded = text;
    if (!string->escaped) {
        lua_pushlstring(L, string->text, string->len);
        return;
    }
    lua_pushnil(L); /* the place of a longer text's scratch */
    if (string->len > sizeof text) {
        decoded = bf_newuserdata(L, string->len);
        lua_replace(L, -2);
    }
    lua_pushlstring(L, decoded, bf_string_decode(string, decoded));
    lua_remove(L, -2);
}

static bool push_string(struct decoder *d) {
    struct bf_string string;
    if (!bf_scan_string(&d->scan, &string))
        return false;
    bf_push_string(d->L, &string);
    return true;
}

static bool push_decimal(struct decoder *d, const struct bf_span *number) {
    if (bf_decimal_check_text(number->text, number->len) != BF_DECIMAL_OK) {
        d->scan.at = number->text;
        d->scan.problem = "number with more digits or a larger exponent than "
                          "a decimal may have";
        return false;
    }
    bf_push_decimal(d->L, number->text, number->len);
    return true;
}

static bool push_number(struct decoder *d) {
    struct bf_span text;
    double value;
    if (d->amounts == BF_AS_NUMBER) {
        if (!bf_scan_number(&d->scan, &text, &value))
            return false;
        lua_pushnumber(d->L, value);
        return true;
    }
    if (!bf_scan_number_text(&d->scan, &text))
        return false;
    if (d->amounts == BF_AS_DECIMAL)
        return push_decimal(d, &text);
    lua_pushlstring(d->L, text.text, text.len);
    return true;
}

/* ---- objects and arrays ---- */

/* Makes room for the next key, in memory of Lua's, which any error frees.
 * Always true. */
static bool make_room(struct decoder *d) {
    struct bf_scan *scan = &d->scan;
    struct bf_key *keys;
    if (scan->key_count < scan->key_cap)
        return true;
    keys = bf_newuserdata(d->L, 2 * scan->key_cap * sizeof *keys);
    memcpy(keys, scan->keys, scan->key_cap * sizeof *keys);
    lua_replace(d->L, d->keys);
    scan->keys = keys;
    scan->key_cap *= 2;
    return true;
}

/* Values are gathered on the stack and set in batches: nearly all tables have
 * their final size from the beginning then, and Lua moves nothing. The table is
 * made with the first batch, in a slot below the values. */
static int push_slot(struct decoder *d) {
    if (!lua_checkstack(d->L, 2 * BATCH + LUA_MINSTACK))
        luaL_error(d->L, "not enough memory");
    lua_pushnil(d->L);
    return lua_gettop(d->L);
}

/* Sets the members above the slot. */
static void set_members(struct decoder *d, int slot) {
    int above = lua_gettop(d->L) - slot;
    if (lua_isnil(d->L, slot)) {
        lua_createtable(d->L, 0, above / 2);
        lua_replace(d->L, slot);
    }
    for (; above > 0; above -= 2)
        lua_rawset(d->L, slot);
}

/* Sets the elements above the slot, behind the `count` that were set. */
static void set_elements(struct decoder *d, int slot, int count) {
    int above = lua_gettop(d->L) - slot;
    if (lua_isnil(d->L, slot)) {
        lua_createtable(d->L, above, 0);
        lua_pushvalue(d->L, d->array);
        lua_setmetatable(d->L, -2);
        lua_replace(d->L, slot);
    }
    for (; above > 0; above--)
        lua_rawseti(d->L, slot, count + above);
}

static bool push_object(struct decoder *d) {
    struct bf_container container;
    struct bf_string key = {NULL, 0, false};
    int slot = push_slot(d), gathered = 0;
    if (!bf_scan_open(&d->scan, &container))
        return false;
    while (make_room(d) && bf_scan_member(&d->scan, &container, &key)) {
        bf_push_string(d->L, &key);
        if (!push_value(d))
            return false;
        if (++gathered % BATCH == 0)
            set_members(d, slot);
    }
    set_members(d, slot);
    return !d->scan.problem;
}

static bool push_array(struct decoder *d) {
    struct bf_container container;
    int slot = push_slot(d), count = 0;
    if (!bf_scan_open(&d->scan, &container))
        return false;
    while (bf_scan_element(&d->scan, &container)) {
        if (!push_value(d))
            return false;
        if (++count % BATCH == 0)
            set_elements(d, slot, count - BATCH);
    }
    set_elements(d, slot, count - count % BATCH);
    return !d->scan.problem;
}

/* ---- any value ---- */

static bool push_word(struct decoder *d, char first) {
    if (first == 'n')
        lua_pushlightuserdata(d->L, NULL);
    else
        lua_pushboolean(d->L, first == 't');
    return bf_scan_skip(&d->scan);
}

/* Pushes the next value. Where it is wrong, returns false with the scan's
 * problem set, and with anything on the stack. */
static bool push_value(struct decoder *d) {
    char first = bf_scan_peek(&d->scan);
    switch (first) {
    case '{':
        return push_object(d);
    case '[':
        return push_array(d);
    case '"':
        return push_string(d);
    default:
        return first == '-' || (first >= '0' && first <= '9')
                   ? push_number(d)
                   : push_word(d, first);
    }
}

/* Pushes a place for `keys`, and the value that the text begins with. `array`
 * is the index of the metatable of arrays. */
static bool decode(struct decoder *d, lua_State *L, struct bf_span text,
                   enum bf_amounts amounts, int array) {
    bf_scan_init(&d->scan, text.text, text.len);
    d->L = L;
    d->amounts = amounts;
    d->array = array;
    lua_pushnil(L);
    d->keys = lua_gettop(L);
    return push_value(d);
}

static unsigned long place(const struct decoder *d) {
    return (unsigned long)(d->scan.at - d->scan.begin) + 1;
}

bool bf_push_json(lua_State *L, struct bf_span text, enum bf_amounts amounts,
                  struct bf_error *error) {
    struct decoder d;
    luaL_getmetatable(L, ARRAY);
    if (!decode(&d, L, text, amounts, lua_gettop(L))) {
        bf_error_set(error, BF_PROTOCOL, "schema",
                     "responseData is refused: %s at byte %lu of it",
                     d.scan.problem, place(&d));
        return false;
    }
    return true;
}

/* core.decode(text, amounts): the value; nil and what is wrong where the text
 * is not JSON. The metatable of arrays is its upvalue. */
static int core_decode(lua_State *L) {
    struct bf_span text = bf_checkspan(L, 1);
    enum bf_amounts amounts = bf_check_amounts(L, 2);
    struct decoder d;
    luaL_argcheck(L, text.len <= INT_MAX, 1, "less than 2 GB expected");
    if (decode(&d, L, text, amounts, lua_upvalueindex(1)) &&
        bf_scan_end(&d.scan))
        return 1;
    lua_pushnil(L);
    lua_pushfstring(L, "%s at byte %d", d.scan.problem, (int)place(&d));
    return 2;
}

void bf_add_json(lua_State *L) {
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    (void)luaL_newmetatable(L, ARRAY);
    bf_setstring(L, "__name", ARRAY);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "array");
    lua_pushcclosure(L, core_decode, 1);
    lua_setfield(L, -2, "decode");
}
