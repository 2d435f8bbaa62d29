#!/bin/sh
# usage: spec/bench/run.sh      see run.lua; from the root of the tree
set -eu
eval "$("${MAKE:-make}" -s --no-print-directory env LUA=lua5.4)"
exec lua5.4 spec/bench/run.lua
