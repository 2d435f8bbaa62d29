#include "auth/process.h"
#include "auth/profile.h"
#include "auth/source.h"
#include "http/endpoint.h"
#include "lua/compat.h"
#include "lua/core.h"

#include <stdlib.h>

#define CREDENTIALS "bitfront.credentials"
#define PROCESS "bitfront.process"

/* ---- credentials ---- */

struct credentials_box {
    struct bf_credentials *credentials; /* NULL: none, or released */
};

struct bf_credentials **bf_push_credentials(lua_State *L) {
    struct credentials_box *box = bf_newbox(L, sizeof *box, CREDENTIALS);
    return &box->credentials;
}

struct bf_credentials *bf_check_credentials(lua_State *L, int arg) {
    struct credentials_box *box = luaL_checkudata(L, arg, CREDENTIALS);
    return box->credentials;
}

int bf_push_key_id(lua_State *L, const struct bf_credentials *credentials) {
    char hex[2 * BF_ACCOUNT_ID_LEN + 1];
    if (credentials)
        bf_to_hex(credentials->id, sizeof credentials->id, hex);
    lua_pushstring(L, credentials ? hex : NULL);
    return 1;
}

/* credentials:release(), and their end as garbage. */
static int credentials_release(lua_State *L) {
    struct credentials_box *box = luaL_checkudata(L, 1, CREDENTIALS);
    bf_credentials_unref(box->credentials);
    box->credentials = NULL;
    return 0;
}

/* credentials:key_id(): the hex SHA-256 of the API key. */
static int credentials_key_id(lua_State *L) {
    return bf_push_key_id(L, bf_check_credentials(L, 1));
}

/* ---- where they are found ---- */

/* Returns the credentials on top of the stack; false where there are none and
 * no error; or nil and the error. */
static int found(lua_State *L, const struct bf_credentials *credentials,
                 const struct bf_error *error) {
    if (error->kind != BF_OK)
        return bf_push_error(L, error);
    if (!credentials)
        lua_pushboolean(L, 0);
    return 1;
}

/* core.environment(key, key_file, secret, secret_file): the credentials in the
 * variables of these names; false where none is set; nil and an error. */
static int environment(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_variables key = {luaL_checkstring(L, 1), luaL_checkstring(L, 2)};
    struct bf_variables secret = {luaL_checkstring(L, 3),
                                  luaL_checkstring(L, 4)};
    struct bf_credentials **credentials = bf_push_credentials(L);
    *credentials = bf_source_variables(&key, &secret, &error);
    return found(L, *credentials, &error);
}

/* core.secret_files(key, secret): the credentials in the files at these paths;
 * false where there are none; nil and an error. */
static int secret_files(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    const char *key = luaL_checkstring(L, 1), *secret = luaL_checkstring(L, 2);
    struct bf_credentials **credentials = bf_push_credentials(L);
    *credentials = bf_source_files(key, secret, &error);
    return found(L, *credentials, &error);
}

static bool is_base_url(const char *url, struct bf_error *error) {
    bool insecure;
    free(bf_url_check(url, &insecure, error));
    return error->kind == BF_OK;
}

/* Pushes nil for "". */
static void push_setting(lua_State *L, const char *value) {
    lua_pushstring(L, *value ? value : NULL);
}

/* core.profile(path, name): the section's credentials (true where a process is
 * to be asked for them), base_url, ca_file and credential_process, nil where it
 * does not say; false and "file" or "section" where there is none; nil and an
 * error. */
static int profile(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    const char *path = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
    struct bf_account *account = bf_newuserdata(L, sizeof *account);
    struct bf_credentials **credentials = bf_push_credentials(L);
    enum bf_profile result =
        bf_profile_read(path, name, is_base_url, account, &error);
    if (result == BF_PROFILE_READ) {
        *credentials = account->credentials;
        if (!*credentials)
            lua_pushboolean(L, 1);
        push_setting(L, account->base_url);
        push_setting(L, account->ca_file);
        push_setting(L, account->process);
        return 4;
    }
    if (result == BF_PROFILE_ERROR)
        return bf_push_error(L, &error);
    lua_pushboolean(L, 0);
    lua_pushstring(L, result == BF_PROFILE_NO_FILE ? "file" : "section");
    return 2;
}

/* core.profiles(path): the names of the file's sections, each with a line end
 * behind it; false where there is no file; nil and an error. */
static int profiles(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    const char *path = luaL_checkstring(L, 1);
    char *names = bf_newuserdata(L, BF_PROFILE_NAMES_MAX);
    size_t len;
    enum bf_profile result =
        bf_profile_names(path, is_base_url, names, &len, &error);
    if (result == BF_PROFILE_ERROR)
        return bf_push_error(L, &error);
    if (result == BF_PROFILE_READ)
        lua_pushlstring(L, names, len);
    else
        lua_pushboolean(L, 0);
    return 1;
}

/* ---- a program that prints them ---- */

struct process_box {
    struct bf_process *process; /* NULL: none, or released */
};

static struct bf_process *check_process(lua_State *L) {
    struct process_box *box = bf_checkself(L, 1, PROCESS);
    luaL_argcheck(L, box->process, 1, "the process was released");
    return box->process;
}

/* core.start_process(command): a process, or nil and an error, whose message
 * follows the command's name. */
static int start_process(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_span command = bf_checkspan(L, 1);
    struct process_box *box = bf_newbox(L, sizeof *box, PROCESS);
    box->process = bf_process_start(command, &error);
    return box->process ? 1 : bf_push_error(L, &error);
}

/* process:poll(): has it ended? Never waits. */
static int process_poll(lua_State *L) {
    lua_pushboolean(L, bf_process_poll(check_process(L)));
    return 1;
}

/* process:kill(): poll returns true some time later. */
static int process_kill(lua_State *L) {
    bf_process_kill(check_process(L));
    return 0;
}

/* process:credentials(): those that it printed, and in Unix ms when they
 * expire, nil for never; or nil and an error. For one that has ended. */
static int process_credentials(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_process *process = check_process(L);
    struct bf_credentials **credentials = bf_push_credentials(L);
    int64_t expires_at = 0;
    *credentials = bf_process_credentials(process, &expires_at, &error);
    if (!*credentials)
        return bf_push_error(L, &error);
    if (expires_at)
        bf_pushinteger(L, expires_at);
    else
        lua_pushnil(L);
    return 2;
}

/* process:release(), and its end as garbage: ends it where it runs. */
static int process_release(lua_State *L) {
    struct process_box *box = luaL_checkudata(L, 1, PROCESS);
    struct bf_process *process = box->process;
    box->process = NULL;
    bf_process_free(process);
    return 0;
}

static const luaL_Reg credentials_methods[] = {
    {"key_id",  credentials_key_id },
    {"release", credentials_release},
    {NULL,      NULL               },
};

static const luaL_Reg process_methods[] = {
    {"poll",        process_poll       },
    {"kill",        process_kill       },
    {"credentials", process_credentials},
    {"release",     process_release    },
    {NULL,          NULL               },
};

static const luaL_Reg functions[] = {
    {"environment",   environment  },
    {"secret_files",  secret_files },
    {"profile",       profile      },
    {"profiles",      profiles     },
    {"start_process", start_process},
    {NULL,            NULL         },
};

void bf_add_credentials(lua_State *L) {
    bf_newtype(L, CREDENTIALS, credentials_release, credentials_methods, NULL);
    bf_newtype(L, PROCESS, process_release, process_methods, NULL);
    bf_setfuncs(L, functions);
}
