#!/bin/sh
# usage: spec/bench/run.sh      see run.lua, nginx.lua and amounts.lua; from the root
set -eu

in_tree() (
  eval "$("${MAKE:-make}" -s --no-print-directory env LUA="$1")"
  exec "$@"
)

in_tree lua5.4 spec/bench/run.lua
echo
in_tree lua5.4 spec/bench/nginx.lua
for lua in lua5.4 luajit; do
  echo
  in_tree $lua spec/bench/many.lua
  in_tree $lua spec/bench/amounts.lua
done
