#!/bin/sh
# usage: spec/nginx/valgrind.sh      see valgrind.lua; from the root
set -eu
eval "$("${MAKE:-make}" -s --no-print-directory env LUA=lua5.4)"
exec lua5.4 spec/nginx/valgrind.lua
