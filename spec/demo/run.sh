#!/bin/sh
# usage: spec/demo/run.sh COMMAND
#
# The balances of the sandbox exchange, by a signed request over TLS. The
# sandbox gets a folder of its own, and ends with this script; where that is killed,
# `supervise` ends it.
set -u
bitfront=$1
folder=$(mktemp -d) || exit 1
stop() {
  "$bitfront" sandbox --stop --dir "$folder" >/dev/null 2>&1 && echo 'The sandbox is stopped.'
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' HUP INT TERM

echo '$ bitfront sandbox --background'
exports=$("$bitfront" sandbox --background --port 0 --dir "$folder") || exit 1
eval "$exports"
echo "The sandbox exchange answers at $BITFRONT_BASE_URL"
echo
echo '$ bitfront balances'
"$bitfront" balances || exit
echo
echo '$ bitfront sandbox --stop'
