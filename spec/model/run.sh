#!/bin/sh
# usage: spec/model/run.sh [full]
#
# Checks limiter.pml: for each row below Spin writes a program that tries every
# order of events and stops at the first error. By itself with 2 callers and 3
# calls, some seconds a row; `full` with 3 callers and 4 calls for the rows of
# safety that hold, which takes minutes and some GB of memory.
set -u
model=$(cd "$(dirname "$0")" && pwd)/limiter.pml
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

# What must be found | the claim | words for the model | why
rows='holds|safety|-DSTORE=0|memory of one process
holds|safety|-DSTORE=1|a shared dict whose lock is broken when its holder is dead
holds|safety|-DSTORE=2|Redis, which loses its state and has its clock set back
holds|liveness|-DSTORE=0|memory: who waits gets a slot or is refused
holds|liveness|-DSTORE=1|a shared dict: the same
holds|liveness|-DSTORE=2|Redis: the same
broken|safety|-DSTORE=0 -DMISTAKE=1|a slot is free once its call is sent
broken|safety|-DSTORE=0 -DMISTAKE=2|a call counts from its reply on only
broken|safety|-DSTORE=2 -DMISTAKE=3|a lost state is taken for an empty one
broken|safety|-DSTORE=2 -DPER_SECOND=2 -DPER_MINUTE=2 -DFULL=MINUTE|a lost state is full for a minute only: calls of before may arrive later
broken|safety|-DSTORE=1 -DBREAK_BY_AGE|a lock is broken by age: its holder may only be paused'

size='-DCALLERS=2 -DCALLS=3' store=-DCOLLAPSE
if [ "${1:-}" = full ]; then
  size='-DCALLERS=3 -DCALLS=4'
  store=-DHC4 # of each state 12 bytes of its hash
  rows=$(echo "$rows" | grep '^holds|safety')
fi

# What Spin finds: "holds", "broken", or why there is no result.
verify() {
  case $1 in
  safety) flags="-DSAFETY -DNOCLAIM $store" search= ;;
  liveness) flags='-DCOLLAPSE -DNFAIR=3' search='-a -f' ;;
  esac
  rm -f pan* ./*.trail
  { spin -a $size $2 "$model" &&
    ${CC:-cc} -O2 $flags -DVECTORSZ=2048 -DMEMLIM=20000 -o pan pan.c &&
    ./pan $search -m100000; } >log 2>&1
  case $(cat log) in
  *'errors: 0'*) grep -q 'max search depth too small' log || echo holds ;;
  *'assertion violated'* | *'acceptance cycle'*) echo broken ;;
  *) tail -n 5 log ;;
  esac
}

passed=0 failed=0
while IFS='|' read -r expected claim words why; do
  found=$(verify "$claim" "$words")
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' log)
  if [ "$found" = "$expected" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1)) found="$found, must be: $expected"
  fi
  echo "$found: $claim, $why (${states:-no} states)"
done <<END
$rows
END
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
