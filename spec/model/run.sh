#!/bin/sh
# usage: spec/model/run.sh [full]
#
# Checks limiter.pml: for each row below Spin writes a program that tries every
# order of events and stops at the first error. By itself with 2 callers and 3
# calls, some seconds a row; `full` with 3 callers and 4 calls for the rows of
# safety that hold, which takes an hour and some GB of memory.
set -u
model=$(cd "$(dirname "$0")" && pwd)/limiter.pml
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

# What must be found | the claim | words for the model | why
rows='holds|safety|-DSTORE=0|memory of one process
holds|safety|-DSTORE=1|a shared dict whose lock is broken when its holder is dead
holds|safety|-DSTORE=2|Redis, which loses its state and has its clock set back
holds|liveness|-DPROMPT -DSTORE=0|memory: who waits gets a slot or is refused before the deadline
holds|liveness|-DPROMPT -DSTORE=1|a shared dict: the same
holds|liveness|-DPROMPT -DSTORE=2|Redis: the same
broken|safety|-DSTORE=0 -DRESTART|no promise: memory of a process that was started again
broken|safety|-DSTORE=1 -DRESTART|no promise: a shared dict of an nginx that was started again
broken|safety|-DSTORE=1 -DEVICTED|no promise: a shared dict from which others evict
broken|safety|-DSTORE=2 -DFORWARD|no promise: Redis, the clock of which is set forward
broken|safety|-DSTORE=0 -DMISTAKE=1|a slot is free once its call is sent
broken|safety|-DSTORE=0 -DMISTAKE=2|a call counts from its reply on only
broken|safety|-DSTORE=2 -DMISTAKE=3|a lost state is taken for an empty one
broken|liveness|-DPROMPT -DSTORE=0 -DMISTAKE=4|who has no turn before the deadline sleeps until it comes
broken|liveness|-DPROMPT -DSTORE=1 -DMISTAKE=5|nobody breaks the lock of a dead process
broken|safety|-DSTORE=2 -DPER_SECOND=2 -DPER_MINUTE=2 -DFULL=MINUTE|a lost state is full for a minute only: calls of before may arrive later
broken|safety|-DSTORE=2 -DSET_BACK_TO=1|a lease is cut where the clock is set back: its call may arrive later
broken|safety|-DSTORE=1 -DBREAK_BY_AGE -DCALLS=2|a lock is broken by age: its holder may only be paused'

size='-DCALLERS=2 -DCALLS=3' store=-DCOLLAPSE
if [ "${1:-}" = full ]; then
  size='-DCALLERS=3 -DCALLS=4'
  store=-DHC4 # of each state 12 bytes of its hash
  rows=$(echo "$rows" | grep '^holds|safety' | sed 's/-DSTORE=1/& -DCOARSE/')
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

# Whether a row's result is what it has to be.
check() {
  found=$(verify "$2" "$3")
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' log)
  echo "$found: $2, $4 (${states:-no} states)"
  [ "$found" = "$1" ] && return
  echo "must be: $1" # not the last line: that is the sum
  return 1
}

# These must be noticed, or no row below says anything.
passed=0 failed=0
for words in -DSTORE=0\ -DMISTAKE=2 -DPER_SECOND=; do
  if check holds safety "$words" 'a row that must fail' >made-up; then
    cat made-up
    failed=$((failed + 1))
  fi
done

# A log of calls at these ms, accepted or refused by trace.sh.
trace() {
  expected=$1
  shift
  printf '{"arrived_ms":%s,"key":"some-key","path":"/"}\n' "$@" >arrivals
  if "${model%/*}/trace.sh" arrivals >said 2>&1; then found=accepted; else found=refused; fi
  if [ $found = "$expected" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    cat said
  fi
  shift $(($# - 2))
  echo "$found: a trace that ends at $1 and $2 ms"
}
minute=$(seq 1000 400 24600) # 60 calls
trace accepted 5000 5010 5020 6000
trace refused 5000 5010 5020 5999
trace accepted $minute 61000
trace refused $minute 60999

while IFS='|' read -r expected claim words why; do
  if check "$expected" "$claim" "$words" "$why"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
done <<END
$rows
END
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
