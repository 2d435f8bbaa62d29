#!/bin/sh
# usage: spec/soak/run.sh [all]                        redis.lua and nginx.lua
#        spec/soak/run.sh workers [SECONDS [SEED]]     see workers.lua
#        spec/soak/run.sh faults [RUNS [SEED]]         see faults.lua
#
# From the root of the tree. The soaks of the limits have faults and run side by
# side; with all, first those without, which tell how much of what is permitted
# gets through.
set -u
make=${MAKE:-make}
eval "$("$make" -s --no-print-directory env LUA=lua5.4)"

both() {
  lua5.4 spec/soak/redis.lua "$1" $3 >.build/soak.redis 2>&1 &
  redis=$!
  lua5.4 spec/soak/nginx.lua "$2" $3
  failed=$?
  wait $redis || failed=1
  cat .build/soak.redis
  return $failed
}

# The module for nginx's Lua with the sanitizers in it, see .ci/memory.
build_asan() {
  flags='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined'
  BUILD=.build/asan "$make" -s --no-print-directory LUA=luajit CFLAGS="$flags" \
    LDFLAGS=-Wl,-z,nodelete all
}

soak=${1:-}
[ $# = 0 ] || shift
case $soak in
workers) build_asan && exec lua5.4 spec/soak/workers.lua "$@" ;;
faults) exec lua5.4 spec/soak/faults.lua "$@" ;;
all) both 90 90 '' && both 220 90 faults ;;
'') both 220 90 faults ;;
*) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
