rockspec_format = "3.0"
package = "bitfront"
version = "1.0.0-1"
-- A placeholder, since there is no public home yet.
local home = "https://example.org/bitfront"
source = {
  url = home .. "/bitfront-1.0.0.tar.gz", tag = "v1.0.0",
}
description = {
  summary = "The balances of a BITFRONT account, read natively in C",
  detailed = [[
Makes the signed request for the balances of a BITFRONT account in C over
verified TLS and returns Lua records. The command `bitfront` shows them, and
`bitfront sandbox` is an exchange to test against.

Needs the headers of libcurl and OpenSSL 3:
  Debian, Ubuntu  apt install libcurl4-openssl-dev libssl-dev
  Alpine          apk add curl-dev openssl-dev
  Fedora          dnf install libcurl-devel openssl-devel
  macOS           brew install curl openssl@3
Headers in a place of their own: luarocks ... CURL_DIR=... OPENSSL_DIR=...]],
  homepage = home,
  license = "MIT",
  labels = { "api", "exchange", "http", "nginx", "openresty" },
}
dependencies = {
  "lua >= 5.1, < 5.6",
  "lua-cjson",
  "argparse >= 0.7",
}
test_dependencies = {
  "busted >= 2.0",
}
-- On Linux the compiler looks for the headers: LuaRocks would miss Debian's
-- /usr/include/<machine>/curl, and csrc/needs.c names the packages to install.
external_dependencies = {
  CURL = {},
  OPENSSL = {},
  platforms = {
    macosx = {
      CURL = { header = "curl/curl.h" },
      OPENSSL = { header = "openssl/evp.h" },
    },
    bsd = {
      CURL = { header = "curl/curl.h" },
      OPENSSL = { header = "openssl/evp.h" },
    },
  },
}
build = {
  type = "builtin",
  modules = {
    ["bitfront.core"] = {
      sources = {
        "csrc/needs.c",
        "csrc/auth/credentials.c",
        "csrc/auth/process.c",
        "csrc/auth/process_output.c",
        "csrc/auth/profile.c",
        "csrc/auth/redact.c",
        "csrc/auth/secret_file.c",
        "csrc/auth/sign.c",
        "csrc/auth/source.c",
        "csrc/auth/words.c",
        "csrc/base/clock.c",
        "csrc/base/date.c",
        "csrc/base/error.c",
        "csrc/base/openssl_check.c",
        "csrc/base/sigpipe.c",
        "csrc/http/body.c",
        "csrc/http/ca_file.c",
        "csrc/http/client.c",
        "csrc/http/connection.c",
        "csrc/http/curl_error.c",
        "csrc/http/curl_setup.c",
        "csrc/http/endpoint.c",
        "csrc/http/engine.c",
        "csrc/http/exchange.c",
        "csrc/http/head.c",
        "csrc/http/pool.c",
        "csrc/http/request.c",
        "csrc/http/result.c",
        "csrc/http/sockets.c",
        "csrc/json/escape.c",
        "csrc/json/reply.c",
        "csrc/json/scan.c",
        "csrc/lua/client.c",
        "csrc/lua/core.c",
        "csrc/lua/credentials.c",
        "csrc/lua/decimal.c",
        "csrc/lua/exchange.c",
        "csrc/lua/json.c",
        "csrc/lua/policy.c",
        "csrc/lua/result.c",
        "csrc/lua/system.c",
        "csrc/lua/text.c",
        "csrc/lua/thread.c",
        "csrc/money/amount.c",
        "csrc/money/bigint.c",
        "csrc/money/decimal.c",
        "csrc/money/quotient.c",
        "csrc/policy/server_clock.c",
        "csrc/policy/window.c",
        "csrc/thread/notifier.c",
        "csrc/thread/thread.c",
      },
      defines = { "_GNU_SOURCE" },
      libraries = { "curl", "ssl", "crypto", "pthread", "dl", "m" },
      incdirs = { "csrc", "$(CURL_INCDIR)", "$(OPENSSL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)", "$(OPENSSL_LIBDIR)" },
    },
    ["bitfront"] = "lua/bitfront/init.lua",
    ["bitfront.account"] = "lua/bitfront/account.lua",
    ["bitfront.call"] = "lua/bitfront/call.lua",
    ["bitfront.check"] = "lua/bitfront/check.lua",
    ["bitfront.cli"] = "lua/bitfront/cli.lua",
    ["bitfront.cli.arguments"] = "lua/bitfront/cli/arguments.lua",
    ["bitfront.cli.balances"] = "lua/bitfront/cli/balances.lua",
    ["bitfront.cli.clients"] = "lua/bitfront/cli/clients.lua",
    ["bitfront.cli.commands"] = "lua/bitfront/cli/commands.lua",
    ["bitfront.cli.completion"] = "lua/bitfront/cli/completion.lua",
    ["bitfront.cli.exit_status"] = "lua/bitfront/cli/exit_status.lua",
    ["bitfront.cli.failure"] = "lua/bitfront/cli/failure.lua",
    ["bitfront.cli.limits_report"] = "lua/bitfront/cli/limits_report.lua",
    ["bitfront.cli.man_page"] = "lua/bitfront/cli/man_page.lua",
    ["bitfront.cli.monitor"] = "lua/bitfront/cli/monitor.lua",
    ["bitfront.cli.nginx_conf"] = "lua/bitfront/cli/nginx_conf.lua",
    ["bitfront.cli.plugin"] = "lua/bitfront/cli/plugin.lua",
    ["bitfront.cli.prices_file"] = "lua/bitfront/cli/prices_file.lua",
    ["bitfront.cli.selection"] = "lua/bitfront/cli/selection.lua",
    ["bitfront.cli.streams"] = "lua/bitfront/cli/streams.lua",
    ["bitfront.cli.watch"] = "lua/bitfront/cli/watch.lua",
    ["bitfront.cli.watch_jsonl"] = "lua/bitfront/cli/watch_jsonl.lua",
    ["bitfront.cli.watch_screen"] = "lua/bitfront/cli/watch_screen.lua",
    ["bitfront.client"] = "lua/bitfront/client.lua",
    ["bitfront.clock"] = "lua/bitfront/clock.lua",
    ["bitfront.credential_process"] = "lua/bitfront/credential_process.lua",
    ["bitfront.credentials"] = "lua/bitfront/credentials.lua",
    ["bitfront.doctor"] = "lua/bitfront/doctor.lua",
    ["bitfront.error"] = "lua/bitfront/error.lua",
    ["bitfront.json"] = "lua/bitfront/json.lua",
    ["bitfront.limiter"] = "lua/bitfront/limiter.lua",
    ["bitfront.limiter.memory"] = "lua/bitfront/limiter/memory.lua",
    ["bitfront.limiter.redis"] = "lua/bitfront/limiter/redis.lua",
    ["bitfront.limiter.shared_dict"] = "lua/bitfront/limiter/shared_dict.lua",
    ["bitfront.limiter.window"] = "lua/bitfront/limiter/window.lua",
    ["bitfront.many"] = "lua/bitfront/many.lua",
    ["bitfront.memo"] = "lua/bitfront/memo.lua",
    ["bitfront.misuse"] = "lua/bitfront/misuse.lua",
    ["bitfront.native"] = "lua/bitfront/native.lua",
    ["bitfront.nginx"] = "lua/bitfront/nginx.lua",
    ["bitfront.nginx.access"] = "lua/bitfront/nginx/access.lua",
    ["bitfront.nginx.account_caches"] = "lua/bitfront/nginx/account_caches.lua",
    ["bitfront.nginx.alerts"] = "lua/bitfront/nginx/alerts.lua",
    ["bitfront.nginx.cache"] = "lua/bitfront/nginx/cache.lua",
    ["bitfront.nginx.conf_example"] = "lua/bitfront/nginx/conf_example.lua",
    ["bitfront.nginx.dashboard"] = "lua/bitfront/nginx/dashboard.lua",
    ["bitfront.nginx.histogram"] = "lua/bitfront/nginx/histogram.lua",
    ["bitfront.nginx.metrics"] = "lua/bitfront/nginx/metrics.lua",
    ["bitfront.nginx.negotiate"] = "lua/bitfront/nginx/negotiate.lua",
    ["bitfront.nginx.observe"] = "lua/bitfront/nginx/observe.lua",
    ["bitfront.nginx.page"] = "lua/bitfront/nginx/page.lua",
    ["bitfront.nginx.page_script"] = "lua/bitfront/nginx/page_script.lua",
    ["bitfront.nginx.page_style"] = "lua/bitfront/nginx/page_style.lua",
    ["bitfront.nginx.problem"] = "lua/bitfront/nginx/problem.lua",
    ["bitfront.nginx.query"] = "lua/bitfront/nginx/query.lua",
    ["bitfront.nginx.render"] = "lua/bitfront/nginx/render.lua",
    ["bitfront.nginx.serve"] = "lua/bitfront/nginx/serve.lua",
    ["bitfront.nginx.shared_balances"] = "lua/bitfront/nginx/shared_balances.lua",
    ["bitfront.nginx.site_options"] = "lua/bitfront/nginx/site_options.lua",
    ["bitfront.nginx.turns"] = "lua/bitfront/nginx/turns.lua",
    ["bitfront.nginx.view"] = "lua/bitfront/nginx/view.lua",
    ["bitfront.options"] = "lua/bitfront/options.lua",
    ["bitfront.prices"] = "lua/bitfront/prices.lua",
    ["bitfront.records"] = "lua/bitfront/records/init.lua",
    ["bitfront.records.coin"] = "lua/bitfront/records/coin.lua",
    ["bitfront.records.columns"] = "lua/bitfront/records/columns.lua",
    ["bitfront.records.fields"] = "lua/bitfront/records/fields.lua",
    ["bitfront.records.filter"] = "lua/bitfront/records/filter.lua",
    ["bitfront.records.format"] = "lua/bitfront/records/format.lua",
    ["bitfront.records.sort"] = "lua/bitfront/records/sort.lua",
    ["bitfront.records.text"] = "lua/bitfront/records/text.lua",
    ["bitfront.records.totals"] = "lua/bitfront/records/totals.lua",
    ["bitfront.retry"] = "lua/bitfront/retry.lua",
    ["bitfront.rows"] = "lua/bitfront/rows.lua",
    ["bitfront.sandbox"] = "lua/bitfront/sandbox/init.lua",
    ["bitfront.sandbox.accounts_file"] = "lua/bitfront/sandbox/accounts_file.lua",
    ["bitfront.sandbox.arrivals"] = "lua/bitfront/sandbox/arrivals.lua",
    ["bitfront.sandbox.c_functions"] = "lua/bitfront/sandbox/c_functions.lua",
    ["bitfront.sandbox.certificate"] = "lua/bitfront/sandbox/certificate.lua",
    ["bitfront.sandbox.control"] = "lua/bitfront/sandbox/control.lua",
    ["bitfront.sandbox.damage"] = "lua/bitfront/sandbox/damage.lua",
    ["bitfront.sandbox.example"] = "lua/bitfront/sandbox/example.lua",
    ["bitfront.sandbox.folder"] = "lua/bitfront/sandbox/folder.lua",
    ["bitfront.sandbox.limits_check"] = "lua/bitfront/sandbox/limits_check.lua",
    ["bitfront.sandbox.machine"] = "lua/bitfront/sandbox/machine.lua",
    ["bitfront.sandbox.market"] = "lua/bitfront/sandbox/market.lua",
    ["bitfront.sandbox.nginx_process"] = "lua/bitfront/sandbox/nginx_process.lua",
    ["bitfront.sandbox.ports"] = "lua/bitfront/sandbox/ports.lua",
    ["bitfront.sandbox.rules"] = "lua/bitfront/sandbox/rules.lua",
    ["bitfront.sandbox.scripted"] = "lua/bitfront/sandbox/scripted.lua",
    ["bitfront.sandbox.server"] = "lua/bitfront/sandbox/server.lua",
    ["bitfront.status"] = "lua/bitfront/status.lua",
    ["bitfront.target"] = "lua/bitfront/target.lua",
    ["bitfront.version"] = "lua/bitfront/version.lua",
    ["bitfront.wait"] = "lua/bitfront/wait.lua",
    ["bitfront.wait.nginx"] = "lua/bitfront/wait/nginx.lua",
    ["bitfront.wait.tasks"] = "lua/bitfront/wait/tasks.lua",
    bitfront = "lua/bitfront/init.lua",
  },
  install = {
    bin = { bitfront = "lua/bitfront/cli/bitfront" },
  },
}
test = {
  type = "command",
  script = ".ci/luarocks.lua",
}
-- LuaRocks itself installs no man page. This one is in the rock's folder, which goes with
-- the rock, and a link to it where man looks for the page of a command in the tree's bin/.
-- The rock is as good without it: where it cannot be made, that is no failure.
hooks = {
  post_install = [["$(SCRIPTS_DIR)/bitfront" man >"$(PREFIX)/bitfront.1" && ]]
    .. [[mkdir -p "$(SCRIPTS_DIR)/../share/man/man1" && ]]
    .. [[ln -sf "$(PREFIX)/bitfront.1" "$(SCRIPTS_DIR)/../share/man/man1" || :]],
}
