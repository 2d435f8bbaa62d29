# Read by the scripts beside it: runs things and counts what passed.
#
# Counts go to the file BITFRONT_TALLY, as lines "passed failed skipped". A
# script that is called by another one adds to its caller's file, and answers for
# the lines of its own.
set -u
make=${MAKE:-make}

if [ -z "${BITFRONT_TALLY:-}" ]; then
  mkdir -p .build
  BITFRONT_TALLY=$PWD/.build/tally.$$
  : >"$BITFRONT_TALLY"
  trap 'rm -f "$BITFRONT_TALLY"' EXIT
  trap 'exit 130' HUP INT TERM
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

# suite COMMAND... : COMMAND counts for itself. When it ends without an
# account, or fails although its account is clean, that is a failure.
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

# A locale with a decimal comma, for the specs alone.
make_locale() {
  export LOCPATH="$PWD/.build/locale"
  [ -d "$LOCPATH/de_DE.UTF-8" ] && return
  mkdir -p "$LOCPATH"
  localedef -i de_DE -f UTF-8 "$LOCPATH/de_DE.UTF-8"
}

# specs LUA [BUSTED ARGUMENTS]: in the environment of this tree's build; with
# the words of $under before the command, with $host in the place of LUA.
specs() {
  headline "specs on $*"
  make_locale
  lua=$1
  shift
  suite in_tree "$lua" timeout -k 10 1200 ${under:-} "${host:-$lua}" \
    .ci/busted.lua -o .ci/tally.lua "$@"
}

# in_tree LUA COMMAND...: BUILD says which build (.build, .build/asan).
in_tree() (
  environment=$("$make" -s --no-print-directory env LUA="$1") || exit 1
  eval "$environment"
  LUA=$1
  export LUA
  shift
  exec "$@"
)

# Prints the sum, alone on the last line; fails where anything did.
finish() {
  passed=$(sum 1)
  skipped=$(sum 3)
  [ "$skipped" = 0 ] || printf '\nskipped: %s, see above for why\n' "$skipped"
  printf '\n%s passed, %s failed\n' "$passed" "$(failed)"
  [ "$(failed)" = 0 ] && [ "$passed" != 0 ]
}
