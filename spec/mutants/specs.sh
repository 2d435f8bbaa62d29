#!/bin/sh
# usage: spec/mutants/specs.sh <LIST      lines "FILE SECONDS PROCESSOR_SECONDS"
#
# Runs spec files, SIDE at once in their order, until one fails twice; asan=FILE,FILE... is
# the specs under ASan, torture the short one. Prints "passed FILE SECONDS
# PROCESSOR_SECONDS" for each that passes, and "failed FILE".
# A file has so many seconds in all, and each of its processes so many of a processor:
# that ends an endless loop also where the machine has much else to do.
if [ $# = 0 ]; then
  exec xargs -r -P "${SIDE:-2}" -L 1 "$0"
fi
export BITFRONT_TALLY=/dev/null
. .ci/count.sh
make_locales
file=$1 seconds=$2
limited=".build/test/supervise timeout -k 5 $seconds"
ulimit -t "$3"

run() {
  case $file in
  asan=*)
    files=$(echo "${file#*=}" | tr , ' ') $limited env -u BITFRONT_TALLY "$make" -s asan
    ;;
  torture)
    host=.build/test/torture-5.4
    # valgrind sees what glibc loses for each locale where LOCPATH is set
    "$make" -s $host && TORTURE=short $limited env -u LOCPATH spec/torture/run.sh $host
    ;;
  *)
    ulimit -v 4194304 # kB
    in_tree lua5.4 $limited lua5.4 .ci/busted.lua -o .ci/tally.lua --no-keep-going \
      --exclude-tags=long "$file"
    ;;
  esac </dev/null >/dev/null 2>&1
}

# What has taken all its time (124, 137 of timeout) or all of the processor's (SIGXCPU)
# is not tried again.
passes() {
  began=$(date +%s)
  run && return
  case $? in 124 | 137 | 152) return 1 ;; esac
  began=$(date +%s)
  run
}

if passes; then
  took=$(($(date +%s) - began))
  make_folder
  times >"$folder/times" # in a pipe it would be another process's
  awk -v file="$file" -v took="$took" 'NR == 2 {
    split($0, part, /[ms ]+/)
    printf "passed %s %d %d\n", file, took, part[1] * 60 + part[2] + part[3] * 60 + part[4] + 1
  }' "$folder/times"
else
  echo "failed $file"
  kill "$PPID" # xargs; the supervisor above it ends the others
fi
