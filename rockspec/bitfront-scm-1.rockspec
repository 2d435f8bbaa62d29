rockspec_format = "3.0"
package = "bitfront"
version = "scm-1"
source = {
  -- No public home yet: "luarocks make" in a clone does not look here.
  url = "git+https://example.org/bitfront.git",
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
  license = "MIT",
}
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson",
  "argparse",
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
        "csrc/aim.c",
        "csrc/amount.c",
        "csrc/big.c",
        "csrc/body.c",
        "csrc/channel.c",
        "csrc/chunks.c",
        "csrc/client.c",
        "csrc/core.c",
        "csrc/credentials.c",
        "csrc/decimal.c",
        "csrc/engine.c",
        "csrc/escape.c",
        "csrc/fault.c",
        "csrc/head.c",
        "csrc/job.c",
        "csrc/lockdown.c",
        "csrc/luacall.c",
        "csrc/luaclient.c",
        "csrc/luadecimal.c",
        "csrc/luathread.c",
        "csrc/outcome.c",
        "csrc/profile.c",
        "csrc/push.c",
        "csrc/reply.c",
        "csrc/request.c",
        "csrc/scan.c",
        "csrc/sign.c",
        "csrc/sockets.c",
        "csrc/terminal.c",
        "csrc/thread.c",
        "csrc/transfer.c",
        "csrc/url.c",
        "csrc/verdict.c",
      },
      defines = { "_GNU_SOURCE" },
      libraries = { "curl", "ssl", "crypto", "pthread", "dl", "m" },
      incdirs = { "$(CURL_INCDIR)", "$(OPENSSL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)", "$(OPENSSL_LIBDIR)" },
    },
    ["bitfront.cli"] = "lua/bitfront/cli.lua",
    ["bitfront.cli.accounts"] = "lua/bitfront/cli/accounts.lua",
    ["bitfront.cli.arguments"] = "lua/bitfront/cli/arguments.lua",
    ["bitfront.cli.balances"] = "lua/bitfront/cli/balances.lua",
    ["bitfront.cli.doctor"] = "lua/bitfront/cli/doctor.lua",
    ["bitfront.cli.limits"] = "lua/bitfront/cli/limits.lua",
    ["bitfront.cli.lines"] = "lua/bitfront/cli/lines.lua",
    ["bitfront.cli.prices"] = "lua/bitfront/cli/prices.lua",
    ["bitfront.cli.screen"] = "lua/bitfront/cli/screen.lua",
    ["bitfront.cli.selection"] = "lua/bitfront/cli/selection.lua",
    ["bitfront.cli.streams"] = "lua/bitfront/cli/streams.lua",
    ["bitfront.cli.times"] = "lua/bitfront/cli/times.lua",
    ["bitfront.cli.watch"] = "lua/bitfront/cli/watch.lua",
    ["bitfront.client"] = "lua/bitfront/client.lua",
    ["bitfront.clock"] = "lua/bitfront/clock.lua",
    ["bitfront.credentials"] = "lua/bitfront/credentials.lua",
    ["bitfront.error"] = "lua/bitfront/error.lua",
    ["bitfront.fields"] = "lua/bitfront/fields.lua",
    ["bitfront.format"] = "lua/bitfront/format.lua",
    bitfront = "lua/bitfront/init.lua",
    ["bitfront.limiter"] = "lua/bitfront/limiter.lua",
    ["bitfront.limiter.memory"] = "lua/bitfront/limiter/memory.lua",
    ["bitfront.limiter.new_id"] = "lua/bitfront/limiter/new_id.lua",
    ["bitfront.limiter.redis"] = "lua/bitfront/limiter/redis.lua",
    ["bitfront.limiter.shared_dict"] = "lua/bitfront/limiter/shared_dict.lua",
    ["bitfront.limiter.window"] = "lua/bitfront/limiter/window.lua",
    ["bitfront.many"] = "lua/bitfront/many.lua",
    ["bitfront.native"] = "lua/bitfront/native.lua",
    ["bitfront.nginx"] = "lua/bitfront/nginx.lua",
    ["bitfront.nginx.access"] = "lua/bitfront/nginx/access.lua",
    ["bitfront.nginx.cache"] = "lua/bitfront/nginx/cache.lua",
    ["bitfront.nginx.cache_options"] = "lua/bitfront/nginx/cache_options.lua",
    ["bitfront.nginx.example"] = "lua/bitfront/nginx/example.lua",
    ["bitfront.nginx.metrics"] = "lua/bitfront/nginx/metrics.lua",
    ["bitfront.nginx.negotiate"] = "lua/bitfront/nginx/negotiate.lua",
    ["bitfront.nginx.page"] = "lua/bitfront/nginx/page.lua",
    ["bitfront.nginx.problem"] = "lua/bitfront/nginx/problem.lua",
    ["bitfront.nginx.query"] = "lua/bitfront/nginx/query.lua",
    ["bitfront.nginx.script"] = "lua/bitfront/nginx/script.lua",
    ["bitfront.nginx.serve"] = "lua/bitfront/nginx/serve.lua",
    ["bitfront.nginx.store"] = "lua/bitfront/nginx/store.lua",
    ["bitfront.nginx.style"] = "lua/bitfront/nginx/style.lua",
    ["bitfront.nginx.view"] = "lua/bitfront/nginx/view.lua",
    ["bitfront.options"] = "lua/bitfront/options.lua",
    ["bitfront.records"] = "lua/bitfront/records.lua",
    ["bitfront.retry"] = "lua/bitfront/retry.lua",
    ["bitfront.sandbox.accounts"] = "lua/bitfront/sandbox/accounts.lua",
    ["bitfront.sandbox.certificate"] = "lua/bitfront/sandbox/certificate.lua",
    ["bitfront.sandbox.control"] = "lua/bitfront/sandbox/control.lua",
    ["bitfront.sandbox.crypto"] = "lua/bitfront/sandbox/crypto.lua",
    ["bitfront.sandbox.damage"] = "lua/bitfront/sandbox/damage.lua",
    ["bitfront.sandbox.example"] = "lua/bitfront/sandbox/example.lua",
    ["bitfront.sandbox.folder"] = "lua/bitfront/sandbox/folder.lua",
    ["bitfront.sandbox.gzip"] = "lua/bitfront/sandbox/gzip.lua",
    ["bitfront.sandbox"] = "lua/bitfront/sandbox/init.lua",
    ["bitfront.sandbox.limits"] = "lua/bitfront/sandbox/limits.lua",
    ["bitfront.sandbox.limits_check"] = "lua/bitfront/sandbox/limits_check.lua",
    ["bitfront.sandbox.lock"] = "lua/bitfront/sandbox/lock.lua",
    ["bitfront.sandbox.log"] = "lua/bitfront/sandbox/log.lua",
    ["bitfront.sandbox.log_file"] = "lua/bitfront/sandbox/log_file.lua",
    ["bitfront.sandbox.nginx"] = "lua/bitfront/sandbox/nginx.lua",
    ["bitfront.sandbox.ports"] = "lua/bitfront/sandbox/ports.lua",
    ["bitfront.sandbox.rules"] = "lua/bitfront/sandbox/rules.lua",
    ["bitfront.sandbox.script"] = "lua/bitfront/sandbox/script.lua",
    ["bitfront.sandbox.server"] = "lua/bitfront/sandbox/server.lua",
    ["bitfront.sandbox.shell"] = "lua/bitfront/sandbox/shell.lua",
    ["bitfront.sandbox.values"] = "lua/bitfront/sandbox/values.lua",
    ["bitfront.status"] = "lua/bitfront/status.lua",
    ["bitfront.target"] = "lua/bitfront/target.lua",
    ["bitfront.tasks"] = "lua/bitfront/tasks.lua",
    ["bitfront.text"] = "lua/bitfront/text.lua",
    ["bitfront.totals"] = "lua/bitfront/totals.lua",
    ["bitfront.wait.nginx"] = "lua/bitfront/wait/nginx.lua",
    ["bitfront.version"] = "lua/bitfront/version.lua",
    ["bitfront.wait"] = "lua/bitfront/wait.lua",
  },
  install = {
    bin = { bitfront = "lua/bitfront/cli/bitfront" },
  },
}
