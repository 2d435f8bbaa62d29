# Read by the scripts beside it: runs things and counts what passed.
#
# Counts go to the file BITFRONT_TALLY, as lines "passed failed skipped". A
# script that is called by another one adds lines to its caller's file, and sums up
# its own lines only.
set -u
make=${MAKE:-make}

# A folder of this script's own, removed when it ends: $folder. Where the script is
# killed, `supervise` removes it.
folder=
make_folder() {
  [ -n "$folder" ] || folder=$(mktemp -d) || exit 1
}
trap '[ -z "$folder" ] || rm -rf --one-file-system "$folder"' EXIT
# Not SIGTERM: a shell takes it only when its command has ended. Without a trap the
# script ends at once, and `supervise` then ends the command.
trap 'exit 130' HUP INT

if [ -z "${BITFRONT_TALLY:-}" ]; then
  make_folder
  BITFRONT_TALLY=$folder/tally
  : >"$BITFRONT_TALLY"
fi
export BITFRONT_TALLY

count() { echo "$*" >>"$BITFRONT_TALLY"; }
lines() { wc -l <"$BITFRONT_TALLY"; }
headline() { printf '\n== %s\n' "$*"; }
callers=$(lines)

# The sum of one column.
sum() {
  awk -v from="$callers" -v column="$1" 'NR > from { n += $column }
    END { print n + 0 }' "$BITFRONT_TALLY"
}

# What was skipped has not passed: with CI=true it is a failure.
failed() {
  if [ "${CI:-}" = true ]; then echo $(($(sum 2) + $(sum 3))); else sum 2; fi
}

# check NAME COMMAND... : one check, passed when COMMAND succeeds.
check() {
  headline "$1"
  shift
  if "$@"; then count 1 0 0; else count 0 1 0; fi
}

# suite COMMAND... : COMMAND counts for itself. That is a failure where it
# ends without counts, or fails although its counts have no failure.
suite() {
  lines_before=$(lines)
  failed_before=$(failed)
  if "$@"; then status=0; else status=$?; fi
  if [ "$(lines)" = "$lines_before" ] ||
    { [ $status != 0 ] && [ "$(failed)" = "$failed_before" ]; }; then
    echo "ended with status $status and no failure counted: $*"
    count 0 1 0
  fi
}

# Locales for the specs alone: one with a decimal comma, and one in which I is
# not the capital of i. Renamed when they are whole: an interrupted run leaves no
# half of one.
make_locales() {
  export LOCPATH="$PWD/.build/locale"
  for locale in de_DE tr_TR; do
    [ -d "$LOCPATH/$locale.UTF-8" ] && continue
    mkdir -p "$LOCPATH" "$LOCPATH.$$"
    localedef -i $locale -f UTF-8 "$LOCPATH.$$/$locale.UTF-8"
    mv -T "$LOCPATH.$$/$locale.UTF-8" "$LOCPATH/$locale.UTF-8" 2>/dev/null
    rm -rf "$LOCPATH.$$"
  done
}

# specs LUA [BUSTED ARGUMENTS]: in the environment of this tree's build; with
# the words of $under before the command, with $SPEC_HOST in the place of LUA.
specs() {
  headline "specs on $*"
  make_locales
  lua=$1
  shift
  suite in_tree "$lua" .build/test/supervise timeout -k 10 1200 ${under:-} \
    "${SPEC_HOST:-$lua}" .ci/busted.lua -o .ci/tally.lua "$@" </dev/null
}

# jobs LUA [BUSTED ARGUMENTS]: a line for each spec file, or of $files. Those that
# take the longest, with nginx, have the highest numbers and come first.
jobs() {
  lua=$1
  shift
  for file in ${files:-$(ls -r spec/*_spec.lua)}; do echo "$lua" "$file" "$@"; done
}

# side_by_side: each line of $folder/jobs is the arguments of a .ci/test. Most of
# their time is waiting, so there are more at once than processors. One that passed
# is a line; of others all that they said is shown, when they have ended.
side_by_side() {
  make_locales
  sh -c 'xargs -r -P "$1" -L 1 sh -c "$2" "$0" <"$0/jobs"' "$folder" \
    "${JOBS:-$(($(nproc) * 3))}" '
    log=$0/$$
    : >"$log.tally"
    begun=$(date +%s)
    BITFRONT_TALLY=$log.tally .ci/test "$@" >"$log" 2>&1 </dev/null
    [ -s "$log.tally" ] || echo 0 1 0 >"$log.tally"
    if awk "\$2 + \$3 { exit 1 }" "$log.tally"; then
      account=$(tail -n 1 "$log")
      printf "%s: %s, %s s\n" "$*" "$account" $(($(date +%s) - begun)) >"$log"
    fi
    flock "$0" cat "$log"' || count 0 1 0
  cat "$folder"/*.tally >>"$BITFRONT_TALLY"
}

# What the machine or its user has set is not what specs depend on: they run with
# these variables of the caller, those of this tree's build, and fixed others.
own="PATH MAKE BUILD TMPDIR CC CFLAGS CPPFLAGS LDFLAGS PKG_CONFIG PKG_CONFIG_PATH
  LD_LIBRARY_PATH CI BITFRONT_TALLY LOCPATH ASAN_OPTIONS LSAN_OPTIONS
  UBSAN_OPTIONS JSON_TEST_SUITE WYCHEPROOF"

# in_tree LUA COMMAND...: BUILD says which build (.build, .build/asan).
in_tree() (
  environment=$("$make" -s --no-print-directory env LUA="$1") || exit 1
  # By the names that each Lua reads: specs give other paths to what they start.
  eval "$(printf '%s\n' "$environment" | sed 's/^\(export LUA_C*PATH\)_[0-9_]*=/\1=/')"
  LUA=$1
  shift
  for name in $own LUA LUA_PATH LUA_CPATH; do
    eval "[ -z \"\${$name+set}\" ] || set -- $name=\"\$$name\" \"\$@\""
  done
  umask 022
  exec env -i HOME=/nonexistent LANG=C.UTF-8 TERM=xterm TZ=UTC "$@"
)

# remark TEXT: what a reader of the sum has to know.
remark() { count 0 0 0 "$*"; }

# Prints the sum, alone on the last line; fails where anything did.
finish() {
  passed=$(sum 1)
  skipped=$(sum 3)
  awk -v from="$callers" 'NR > from && NF > 3 { print "\n" substr($0, 7) }' \
    "$BITFRONT_TALLY"
  [ "$skipped" = 0 ] || printf '\nskipped: %s, see above for why\n' "$skipped"
  printf '\n%s passed, %s failed\n' "$passed" "$(failed)"
  [ "$(failed)" = 0 ] && [ "$passed" != 0 ]
}
