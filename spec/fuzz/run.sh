#!/bin/sh
# usage: spec/fuzz/run.sh [SECONDS]
#
# Feeds made-up replies to the readers of csrc, under ASan and UBSan, with
# clang's libFuzzer. What it has learned and found stays in .build/fuzz.
set -eu
cd "$(dirname "$0")/../.."
folder=.build/fuzz
mkdir -p "$folder/corpus"

seed() { printf '%b' "$2" >"$folder/corpus/seed-$1"; }
seed balances '\0{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"B\\u0054C","balance":1.5e-3,"availableBalance":-0}]}'
seed documented '\5{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"BTC","balance":3999974992.35615,"availableBalance":0.00000001}, { "currency": "ETH", "balance": 9007199254740993, "availableBalance": -1.5 }]}'
seed cut '\5{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"BTC","balance":3999974992.3561'
seed public '\1{"timezone":"UTC","responseTime":1525239801363}'
seed head '\2HTTP/1.1 200 OK\r\nContent-Length: 3\r\nRetry-After: 7\r\n\r\n'
seed date '\2HTTP/1.1 503 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:00 GMT\r\n\r\n'
seed redact '\3a THE-fuzzed-key %2Fthe-%25fuzzed\\\\secret\\/ \\u0074he-fuzzed'
seed chunks '\4003;x\r\nabc\r\n0\r\nTrailer: x\r\n\r\n'

sources=$(ls csrc/base/*.c csrc/money/*.c csrc/json/*.c csrc/auth/*.c csrc/http/*.c)
# shellcheck disable=SC2086
clang -std=c11 -D_GNU_SOURCE -g -O1 -Icsrc \
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
  -o "$folder/reply" spec/fuzz/reply.c $sources -lcurl -lssl -lcrypto -ldl -lpthread -lm
exec "$folder/reply" -max_total_time="${1:-60}" -max_len=4096 \
  -artifact_prefix="$folder/" -print_final_stats=1 "$folder/corpus"
