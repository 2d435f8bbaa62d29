#include "lua/compat.h"
#include "lua/core.h"

#define CLIENT "bitfront.client"

struct client_box {
    struct bf_client *client; /* NULL where it could not be made */
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

/* client:key_id(): the hex SHA-256 of the API key; nil where there is none. */
static int client_key_id(lua_State *L) {
    return bf_push_key_id(L, bf_check_client(L, 1)->credentials);
}

/* client:credentials(): those that it has now, for a call that is to keep to
 * them whatever others give the client meanwhile. */
static int client_credentials(lua_State *L) {
    struct bf_client *client = bf_check_client(L, 1);
    struct bf_credentials **credentials = bf_push_credentials(L);
    if (client->credentials)
        *credentials = bf_credentials_ref(client->credentials);
    return 1;
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

static const luaL_Reg functions[] = {
    {"new", new_client},
    {NULL,  NULL      },
};

void bf_add_client(lua_State *L) {
    bf_newtype(L, CLIENT, client_gc, client_methods, client_metamethods);
    bf_setfuncs(L, functions);
}
