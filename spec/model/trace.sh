#!/bin/sh
# usage: spec/model/trace.sh FILE      arrivals.log of a sandbox
#
# Has the model's exchange (exchange.pml) count what arrived, key by key, in ms and
# with the exchange's own limits: Spin runs each key's arrivals in the order of time.
# Fails where a window had more than its limit, and where a line cannot be read.
set -u
model=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
# As it is now, since the exchange may still write to it, without a last line that is cut.
sed '${/}$/!d}' "$1" >"$folder/arrivals" || exit 2
cd "$folder" || exit 2

# Of each signed call: the key and the time.
sed -n '/"path":"\/v1\/public\/time"/!{
  /"key":"/{
    h
    s/.*"key":"\([^"]*\)".*/\1/
    G
    s/\n.*"arrived_ms":\([0-9][0-9]*\).*/ \1/p
  }
}' arrivals | sort -k1,1 -k2,2n >calls

if [ "$(wc -l <calls)" != "$(grep -v '"/v1/public/time"' arrivals | grep -c '"key":')" ]; then
  echo 'some lines cannot be read' >&2
  exit 1
fi

# trace KEY: the model of its calls.
trace() {
  awk -v key="$1" '$1 == key { print (n++ ? $2 - last : 0); last = $2 }' calls >gaps
  cat <<END
#define TIME int
#define SECOND 1000
#define MINUTE 60000
#define PER_SECOND 3
#define PER_MINUTE 60
#include "$model/exchange.pml"
int gaps[$(wc -l <gaps)] = { $(paste -sd, gaps) };
init {
  int i, k;
  for (k : 0 .. $(($(wc -l <gaps) - 1))) { d_step { printf("%d\n", k + 1); pass(gaps[k]); arrive() } };
  printf("accepted\n")
}
END
}

failed=0
for key in $(cut -d' ' -f1 calls | uniq); do
  trace "$key" >trace.pml
  spin -T -u10000000 trace.pml >said 2>&1
  if grep -qx ' *accepted' said && ! grep -q 'assertion violated' said; then
    echo "the model accepts $(wc -l <gaps) calls of ${key%"${key#????}"}..."
  else
    failed=1
    call=$(grep -x '[0-9]*' said | tail -n 1)
    echo "the model refuses call ${call:-?} of ${key%"${key#????}"}...:"
    grep -e assertion -e rror said | head -n 3
  fi
done
exit $failed
