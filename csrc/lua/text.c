#include "auth/redact.h"
#include "lua/compat.h"
#include "lua/core.h"

#include <openssl/crypto.h>
#include <stdio.h>

#define SHOWN_MAX 512     /* bytes of the server's text in a message */
#define SEARCHED_MAX 2048 /* as many are searched for credentials */

/* ---- control and invisible characters ---- */

/* Characters that control a terminal, change the direction of text or show
 * nothing: C0, DEL, C1, line separators, directions, and what Unicode calls
 * default-ignorable. First and last, ascending. */
static const struct {
    long first, last;
} hidden[] = {
    {0x00,    0x1F   },
    {0x7F,    0x9F   },
    {0xAD,    0xAD   },
    {0x34F,   0x34F  },
    {0x61C,   0x61C  },
    {0x115F,  0x1160 },
    {0x17B4,  0x17B5 },
    {0x180B,  0x180F },
    {0x200B,  0x200F },
    {0x2028,  0x202E },
    {0x2060,  0x206F },
    {0x3164,  0x3164 },
    {0xFE00,  0xFE0F },
    {0xFEFF,  0xFEFF },
    {0xFFA0,  0xFFA0 },
    {0xFFF0,  0xFFFB },
    {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
};

static bool is_hidden(long code) {
    size_t i = 0;
    if (code >= ' ' && code < 0x7F)
        return false;
    while (i < sizeof hidden / sizeof *hidden && code > hidden[i].last)
        i++;
    return i < sizeof hidden / sizeof *hidden && code >= hidden[i].first;
}

static void add_hidden(luaL_Buffer *buffer, long code, bool json) {
    char text[16];
    if (json && code > 0xFFFF) { /* JSON has the halves of a surrogate pair */
        add_hidden(buffer, 0xD7C0 + (code >> 10), json);
        code = 0xDC00 | (code & 0x3FF);
    }
    (void)snprintf(text, sizeof text,
                   json           ? "\\u%04lx"
                   : code < 0x100 ? "\\x%02lX"
                                  : "\\u{%04lX}",
                   (unsigned long)code);
    luaL_addstring(buffer, text);
}

/* Pushes the text with what is hidden written out; with `json` as JSON does. */
static void push_visible(lua_State *L, const char *text, size_t len,
                         bool json) {
    const char *end = text + len, *from = text;
    size_t step;
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (const char *at = text; at < end; at += step) {
        long code = bf_utf8_char(at, end, &step);
        if (code >= 0 && !is_hidden(code))
            continue;
        luaL_addlstring(&buffer, from, (size_t)(at - from));
        add_hidden(&buffer, code < 0 ? (unsigned char)*at : code, json);
        from = at + step;
    }
    luaL_addlstring(&buffer, from, (size_t)(end - from));
    luaL_pushresult(&buffer);
}

/* ---- texts from outside ---- */

void bf_push_clean(lua_State *L, const char *text, size_t len) {
    char *copy = bf_newuserdata(L, 2 * len);
    memcpy(copy, text, len);
    push_visible(L, copy, bf_redact(copy, len, copy + len), false);
    lua_remove(L, -2); /* the scratch */
}

/* Is the text too short for a credential, with no character that is written
 * out? Most texts of the exchange are. */
static bool is_harmless(const struct bf_string *string) {
    if (string->escaped || string->len >= BF_REDACT_SHORTEST)
        return false;
    for (size_t i = 0; i < string->len; i++)
        if (string->text[i] < ' ' || string->text[i] > '~')
            return false;
    return true;
}

/* Credentials are replaced before the text is cut: a cut could leave the first
 * half of one. */
static void push_redacted(lua_State *L, const struct bf_string *string) {
    size_t max = string->len < SEARCHED_MAX ? string->len : SEARCHED_MAX;
    char *text = bf_newuserdata(L, string->len + max);
    size_t len = bf_string_decode(string, text);
    if (len > max)
        OPENSSL_cleanse(text + max, len - max);
    len = bf_redact(text, len < max ? len : max, text + string->len);
    push_visible(L, text, bf_utf8_cut(text, len, SHOWN_MAX), false);
    lua_remove(L, -2);
}

void bf_push_clean_string(lua_State *L, const struct bf_string *string) {
    if (is_harmless(string))
        lua_pushlstring(L, string->text, string->len);
    else
        push_redacted(L, string);
}

/* ---- for Lua ---- */

/* core.clean(text): what may be in a message. */
static int core_clean(lua_State *L) {
    struct bf_span text = bf_checkspan(L, 1);
    bf_push_clean(L, text.text, text.len);
    return 1;
}

/* core.escape(text, json): data that is to be shown, with what is hidden
 * written out; with `json` as JSON does. */
static int core_escape(lua_State *L) {
    struct bf_span text = bf_checkspan(L, 1);
    push_visible(L, text.text, text.len, lua_toboolean(L, 2));
    return 1;
}

static const luaL_Reg functions[] = {
    {"clean",  core_clean },
    {"escape", core_escape},
    {NULL,     NULL       },
};

void bf_add_text(lua_State *L) {
    bf_setfuncs(L, functions);
}
