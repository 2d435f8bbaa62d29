#!/bin/sh
# usage: spec/torture/run.sh TORTURE...      see run.lua
#
# From the root of the tree. TORTURE=short ends within a minute.
set -eu
eval "$("${MAKE:-make}" -s --no-print-directory env LUA=lua5.4)"
exec lua5.4 spec/torture/run.lua "$@"
