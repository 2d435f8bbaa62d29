#include "auth/profile.h"
#include "lua/compat.h"
#include "lua/core.h"

#include <stdlib.h>
#include <string.h>

#define CLIENT "bitfront.client"
#define CREDENTIALS "bitfront.credentials"

struct client_box {
    struct bf_client *client; /* NULL where it could not be made */
};

struct credentials_box {
    struct bf_credentials *credentials; /* NULL: none, or released */
};

static struct client_box *to_box(lua_State *L) {
    return bf_checkself(L, 1, CLIENT);
}

struct bf_client *bf_check_client(lua_State *L, int arg) {
    struct client_box *box = bf_checkself(L, arg, CLIENT);
    struct bf_client *client = box->client;
    luaL_argcheck(L, client, arg, "a client that was made");
    return client;
}

static const char *field_string(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    return lua_tostring(L, -1); /* the table keeps it */
}

static lua_Number field_number(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    return luaL_checknumber(L, -1);
}

static int new_client(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_client_options options;
    struct client_box *box;
    luaL_checktype(L, 1, LUA_TTABLE);
    options.base_url = field_string(L, "base_url");
    options.ca_file = field_string(L, "ca_file");
    options.proxy = field_string(L, "proxy");
    options.user_agent = field_string(L, "user_agent");
    options.connect_timeout = field_number(L, "connect_timeout");
    options.max_body = (size_t)field_number(L, "max_body");
    luaL_argcheck(L, options.base_url && options.user_agent, 1,
                  "base_url and user_agent are needed");
    box = bf_newbox(L, sizeof *box, CLIENT);
    box->client = bf_client_new(&options, &error);
    return box->client ? 1 : bf_push_error(L, &error);
}

/* client:set_credentials(key, secret, key_name, secret_name): true, or nil and
 * an error that names the one it is about. */
static int client_set_credentials(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_client *client = bf_check_client(L, 1);
    struct bf_span key = bf_checkspan(L, 2), secret = bf_checkspan(L, 3);
    struct bf_credential_names names = {luaL_optstring(L, 4, "api_key"),
                                        luaL_optstring(L, 5, "api_secret")};
    return bf_push_done(
        L, bf_client_credentials(client, key, secret, &names, &error), &error);
}

/* An empty variable is as good as none. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static struct credentials_box *prep_credentials(lua_State *L) {
    return bf_newbox(L, sizeof(struct credentials_box), CREDENTIALS);
}

/* core.environment(key_name, secret_name): the credentials in these variables;
 * false where neither is set; nil and an error where one is, or a value is bad.
 */
static int environment(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_credential_names names = {luaL_checkstring(L, 1),
                                        luaL_checkstring(L, 2)};
    const char *key = variable(names.key), *secret = variable(names.secret);
    struct credentials_box *box = prep_credentials(L);
    if (!key && !secret) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (key && secret)
        box->credentials = bf_credentials_new(
            bf_span_of(key), bf_span_of(secret), &names, &error);
    else
        bf_error_set(&error, BF_CONFIG, "missing_credentials",
                     "%s is set, but %s is not", key ? names.key : names.secret,
                     key ? names.secret : names.key);
    return box->credentials ? 1 : bf_push_error(L, &error);
}

/* Pushes nil for "". */
static void push_setting(lua_State *L, const char *value) {
    lua_pushstring(L, *value ? value : NULL);
}

static bool is_base_url(const char *url, struct bf_error *error) {
    bool insecure;
    free(bf_url_check(url, &insecure, error));
    return error->kind == BF_OK;
}

/* core.profile(path, name): the section's credentials, base_url and ca_file,
 * nil where it does not say; false and "file" or "section" where there is none;
 * nil and an error. */
static int profile(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    const char *path = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
    struct bf_account *account = bf_newuserdata(L, sizeof *account);
    struct credentials_box *box = prep_credentials(L);
    enum bf_profile result =
        bf_profile_read(path, name, is_base_url, account, &error);
    if (result == BF_PROFILE_READ) {
        box->credentials = account->credentials;
        push_setting(L, account->base_url);
        push_setting(L, account->ca_file);
        return 3;
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

/* client:use(credentials): true, or nil and an error. */
static int client_use(lua_State *L) {
    struct bf_error error = {.kind = BF_OK};
    struct bf_client *client = bf_check_client(L, 1);
    struct bf_credentials *credentials = bf_check_credentials(L, 2);
    luaL_argcheck(L, credentials, 2, "credentials that were not released");
    return bf_push_done(L, bf_client_use(client, credentials, &error), &error);
}

/* client:has_credentials() */
static int client_has_credentials(lua_State *L) {
    lua_pushboolean(L, bf_check_client(L, 1)->credentials != NULL);
    return 1;
}

/* client:holds(key, secret): are these its credentials? */
static int client_holds(lua_State *L) {
    const struct bf_credentials *own = bf_check_client(L, 1)->credentials;
    struct bf_span key = bf_checkspan(L, 2), secret = bf_checkspan(L, 3);
    lua_pushboolean(L, own && bf_credentials_equal(own, key, secret));
    return 1;
}

static int push_key_id(lua_State *L, const struct bf_credentials *credentials) {
    char hex[2 * BF_ACCOUNT_ID_LEN + 1];
    if (credentials)
        bf_to_hex(credentials->id, sizeof credentials->id, hex);
    lua_pushstring(L, credentials ? hex : NULL);
    return 1;
}

/* client:key_id(): the hex SHA-256 of the API key; nil where there is none. */
static int client_key_id(lua_State *L) {
    return push_key_id(L, bf_check_client(L, 1)->credentials);
}

/* client:credentials(): those that it has now, for a call that is to keep to
 * them whatever others give the client meanwhile. */
static int client_credentials(lua_State *L) {
    struct bf_client *client = bf_check_client(L, 1);
    struct credentials_box *box = prep_credentials(L);
    if (client->credentials)
        box->credentials = bf_credentials_ref(client->credentials);
    return 1;
}

/* credentials:release(), and their end as garbage. */
static int credentials_release(lua_State *L) {
    struct credentials_box *box = luaL_checkudata(L, 1, CREDENTIALS);
    bf_credentials_unref(box->credentials);
    box->credentials = NULL;
    return 0;
}

/* credentials:key_id(), as client:key_id(). */
static int credentials_key_id(lua_State *L) {
    return push_key_id(L, bf_check_credentials(L, 1));
}

struct bf_credentials *bf_check_credentials(lua_State *L, int arg) {
    struct credentials_box *box = luaL_checkudata(L, arg, CREDENTIALS);
    return box->credentials;
}

/* client:is_closed() */
static int client_is_closed(lua_State *L) {
    lua_pushboolean(L, bf_check_client(L, 1)->closed);
    return 1;
}

/* client:close(): wipes the credentials; again does nothing. */
static int client_close(lua_State *L) {
    struct bf_client *client = to_box(L)->client;
    if (client)
        bf_client_close(client);
    return 0;
}

/* Calls that are under way go on; what is left of the secret goes with the
 * last of them. */
static int client_gc(lua_State *L) {
    struct client_box *box = to_box(L);
    struct bf_client *client = box->client;
    box->client = NULL;
    bf_client_unref(client);
    return 0;
}

static int client_tostring(lua_State *L) {
    struct bf_client *client = to_box(L)->client;
    lua_pushfstring(L, "%s (%s)", CLIENT,
                    !client || client->closed ? "closed"
                                              : client->endpoint->base_url);
    return 1;
}

static const luaL_Reg client_methods[] = {
    {"set_credentials", client_set_credentials},
    {"use",             client_use            },
    {"has_credentials", client_has_credentials},
    {"holds",           client_holds          },
    {"key_id",          client_key_id         },
    {"credentials",     client_credentials    },
    {"is_closed",       client_is_closed      },
    {"close",           client_close          },
    {NULL,              NULL                  },
};

static const luaL_Reg client_metamethods[] = {
    {"__close",    client_close   },
    {"__tostring", client_tostring},
    {NULL,         NULL           },
};

static const luaL_Reg credentials_methods[] = {
    {"key_id",  credentials_key_id },
    {"release", credentials_release},
    {NULL,      NULL               },
};

static const luaL_Reg functions[] = {
    {"new",         new_client },
    {"environment", environment},
    {"profile",     profile    },
    {"profiles",    profiles   },
    {NULL,          NULL       },
};

void bf_add_client(lua_State *L) {
    bf_newtype(L, CREDENTIALS, credentials_release, credentials_methods, NULL);
    bf_newtype(L, CLIENT, client_gc, client_methods, client_metamethods);
    bf_setfuncs(L, functions);
}
