--- The nginx.conf of a site to begin with.

local CONFIG = [==[
# Balances as a page, as JSON or CSV, and as metrics, for this machine only.
#
#   /balances   the page in a browser; JSON, CSV and others by Accept or ?format=
#   /metrics    for Prometheus
#
# "bitfront nginx-conf" prints this file. Try it in a folder of its own:
#   bitfront nginx-conf >nginx.conf && $(command) -p "$PWD/" -c nginx.conf

# ngx_lua, where it is a module of its own: OpenResty has it built in.
$(load_modules)

worker_processes auto;

# What nginx writes, here and in http, is in the folder that -p names.
pid nginx.pid;
error_log error.log;

# Where root starts nginx, its workers are another user's, who has to be able to
# read the rock and BITFRONT_CA_FILE: the sandbox's is for its owner only.
# user www-data;

# nginx takes all other variables away from its workers.
env BITFRONT_API_KEY;
env BITFRONT_API_SECRET;
env BITFRONT_BASE_URL;
env BITFRONT_CA_FILE;
# In the place of key and secret, files that the workers can read.
env BITFRONT_API_KEY_FILE;
env BITFRONT_API_SECRET_FILE;
# For the credentials file, in the place of these. It must be the workers' own.
env BITFRONT_PROFILE;
env XDG_CONFIG_HOME;
env HOME;

events {}

http {
  access_log access.log;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  uwsgi_temp_path tmp;
  scgi_temp_path tmp;

  # Where bitfront is: these were printed by the command of this tree.
  lua_package_path $(lua_path);
  lua_package_cpath $(lua_cpath);

  # What all workers share: balances, and the one call that fetches them.
  lua_shared_dict bitfront 1m;

  # Keeps the balances fresh, so that nobody waits for the exchange. Without it
  # they are fetched when somebody asks.
  init_worker_by_lua_block {
    if ngx.worker.id() == 0 then
      local cache = require("bitfront.nginx").cached { ttl = 2, stale = 60 }
      ngx.timer.every(0.5, function() cache:balances() end)
    end
  }

  server {
    listen 127.0.0.1:8080;
    # Asked for by IP address or as localhost; by other names only if they are its
    # own, here or in the option hosts of serve.
    # server_name balances.example.com;

    location = /balances {
      allow 127.0.0.1;
      deny all;
      content_by_lua_block {
        require("bitfront.nginx").serve { ttl = 2, stale = 60 }()
      }
    }

    location = /metrics {
      allow 127.0.0.1;
      deny all;
      content_by_lua_block {
        require("bitfront.nginx").serve { ttl = 2, stale = 60, format = "prometheus" }()
      }
    }
  }
}
]==]

---@param values table<string, string>  load_modules, command, lua_path, lua_cpath
---@return string
return function(values)
  return (CONFIG:gsub("%$%(([%w_]+)%)", values))
end
