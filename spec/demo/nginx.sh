#!/bin/sh
# usage: spec/demo/nginx.sh COMMAND
#
# The site of "bitfront nginx-conf" with a sandbox exchange behind it, both in
# folders of their own and on free ports. They end with this script, by Ctrl-C
# mostly; where it is killed, `supervise` ends them. Another process may take a port
# that was free a moment ago; then the next one is tried.
set -u
bitfront=$1
folder=$(mktemp -d) || exit 1
site=
stop() {
  trap '' HUP INT TERM
  [ -z "$site" ] || { kill "$site" && wait "$site"; } 2>/dev/null
  "$bitfront" sandbox --stop --dir "$folder/exchange" >/dev/null 2>&1
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' HUP INT TERM

ask_lua() {
  "${LUA:-lua5.4}" -e "package.path = 'lua/?.lua;' .. package.path
    local nginx = require('bitfront.sandbox.nginx_process').find() or {}
    local ports = require('bitfront.sandbox.ports').to_try(0)
    print($1)"
}
ports=$(ask_lua 'table.concat(ports, " ")')
nginx=$(ask_lua 'nginx.command')

configuration() {
  [ "$(id -u)" != 0 ] || echo 'user root;'
  "$bitfront" nginx-conf | sed "s/127.0.0.1:8080/127.0.0.1:$port/"
}
answers() {
  tries=50 # of 0.1 s: nginx tries a port that is taken for 2.5 s
  until [ -s "$folder/site/nginx.pid" ]; do
    kill -0 "$site" 2>/dev/null && [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}
# Variables that name modules for another Lua are not for nginx.
start() {
  configuration >"$folder/site/nginx.conf" || exit 1
  env -u LUA_PATH -u LUA_CPATH "$nginx" -p "$folder/site/" -c nginx.conf \
    -g 'daemon off;' 2>"$folder/site/stderr" &
  site=$!
  answers
}

exports=$("$bitfront" sandbox --background --port 0 --dir "$folder/exchange") ||
  exit 1
eval "$exports"
mkdir -p "$folder/site" || exit 1
for port in $ports; do
  start && break
  said=$folder/site/stderr
  grep -q 'in use' "$said" || { cat "$said" >&2; exit 1; }
done
answers || exit 1
echo "The sandbox exchange answers at $BITFRONT_BASE_URL"
echo "The page is at                  http://127.0.0.1:$port/balances"
echo "Metrics are at                  http://127.0.0.1:$port/metrics"
echo 'Ctrl-C ends all of it.'
wait "$site"
