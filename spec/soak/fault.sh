#!/bin/sh
# usage: fault.sh FOLDER MODE SECONDS STRACE-ARGUMENTS...      see faults.lua
#
# One run of faulted.lua under strace. The folder gets its output (out), what
# strace saw (trace), and how it ended (ended): an exit code, 128 and more for a
# signal, or "timeout" where SECONDS were not enough.
set -u
folder=$1 mode=$2 seconds=$3
shift 3
mkdir -p "$folder" && mkfifo "$folder/ready" || exit

# -joff: LuaJIT ends the process where mprotect fails for its compiled code.
luajit -joff spec/soak/faulted.lua "$mode" </dev/null \
  >"$folder/out" 2>"$folder/err" 3>"$folder/ready" &
program=$!
tracer=
stop() {
  trap '' HUP INT TERM
  kill -KILL $program
  [ -z "$tracer" ] || kill -TERM $tracer
} 2>/dev/null
trap 'stop; exit 130' HUP INT TERM

read -r _ <"$folder/ready"
timeout "$seconds" strace -f -qq -o "$folder/trace" -p $program "$@" \
  2>"$folder/strace" &
tracer=$!
wait $tracer
traced=$?
# Where it has ended, only its exit code is left.
[ $traced = 0 ] || kill -KILL $program 2>/dev/null
wait $program
ended=$?
[ $traced = 124 ] && ended=timeout
echo "$ended" >"$folder/ended"
