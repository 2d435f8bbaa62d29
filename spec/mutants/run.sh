#!/bin/sh
# usage: spec/mutants/run.sh        SEED=1 COUNT=60 PARTS=2 in the environment
#
# Changes csrc and lua in COUNT places, one at a time, drawn at random by SEED, and runs
# the specs, those of its room first. A change that no spec notices has survived: it is printed.
# PARTS of them at once, each in a copy of the tree in .build/mutants, with a log beside
# it, and SIDE=2 specs at once in each. ONLY=csrc/json draws from the files whose names
# begin so.
set -eu
seed=${SEED:-1} count=${COUNT:-60} parts=${PARTS:-2}
folder=$PWD/.build/mutants
rm -rf "$folder"
mkdir -p "$folder"

pids=
for part in $(seq "$parts"); do
  tree=$folder/$part
  mkdir "$tree"
  cp -a csrc lua rockspec spec .ci .busted Makefile README.md LICENSE CHANGELOG.md "$tree"
  mkdir "$tree/.build"
  for built in .build/5.4 .build/5.1 .build/bin .build/test .build/locale; do
    [ ! -d "$built" ] || cp -a "$built" "$tree/.build"
  done
  (cd "$tree" && exec lua5.4 spec/mutants/mutate.lua "$seed" "$count" "$part" "$parts") \
    >"$folder/$part.log" &
  pids="$pids $!"
done
for pid in $pids; do wait "$pid" || exit 1; done
cat "$folder"/*.log
awk -F: '
  { n[$1]++ }
  END {
    killable = n["killed"] + n["survived"]
    printf "\n%d killed, %d survived, %d equivalent, %d uncompiled: %.1f %% killed\n",
      n["killed"], n["survived"], n["equivalent"], n["uncompiled"],
      killable ? 100 * n["killed"] / killable : 0
    exit killable == 0 || n["killed"] < 0.95 * killable
  }' "$folder"/*.log
