#!/bin/sh
# usage: spec/soak/run.sh [all]      see redis.lua and nginx.lua; from the root
#
# The soaks with faults, side by side; with all, first those without, which tell
# how much of what is permitted gets through.
set -u
eval "$("${MAKE:-make}" -s --no-print-directory env LUA=lua5.4)"

both() {
  lua5.4 spec/soak/redis.lua "$1" $3 >.build/soak.redis 2>&1 &
  redis=$!
  lua5.4 spec/soak/nginx.lua "$2" $3
  failed=$?
  wait $redis || failed=1
  cat .build/soak.redis
  return $failed
}

[ "${1:-}" != all ] || both 90 90 '' || exit
both 150 90 faults
