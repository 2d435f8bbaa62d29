#!/bin/sh
# usage: spec/fuzz/run.sh [SECONDS] [TARGET...]
#
# Feeds made-up texts to csrc, under ASan and UBSan, with clang's libFuzzer; each
# target for so many seconds. The targets: reply (each reader of a part of one),
# exchange (the whole way), json (the reader for Lua) and process (what a
# credential_process is called by and prints). What they have learned and found
# stays in .build/fuzz.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- reply exchange json process
folder=.build/fuzz
for target in reply exchange json process; do mkdir -p "$folder/$target-corpus"; done

json() { printf '%b' "$2" >"$folder/json-corpus/seed-$1"; }
json keys '{"a":[1,-2.5e+3,"\\u0041\\ud83d\\ude00",true,false,null,{}],"b":{"c":[[]]},"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0}'
json large '[1e400,9007199254740993,0.1e-400,123456789012345678901234567890]'
process() { printf '%b' "$2" >"$folder/process-corpus/seed-$1"; }
process all '\0{"Version":1,"AccessKeyId":"K","SecretAccessKey":"S\\u0041","Expiration":"2026-01-31T09:30:00Z","SessionToken":"","AccountId":"1"}'
process offset '\0{"Version":1,"AccessKeyId":"K","SecretAccessKey":"S","Expiration":"2026-01-31T09:30:00.5+01:00"}'
process words "\1a 'b c' \"d\\\\\" e\" \\\\ f"

seed() { printf '%b' "$2" >"$folder/reply-corpus/seed-$1"; }
seed balances '\0{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"B\\u0054C","balance":1.5e-3,"availableBalance":-0}]}'
seed documented '\5{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"BTC","balance":3999974992.35615,"availableBalance":0.00000001}, { "currency": "ETH", "balance": 9007199254740993, "availableBalance": -1.5 }]}'
seed cut '\5{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"BTC","balance":3999974992.3561'
seed public '\1{"timezone":"UTC","responseTime":1525239801363}'
seed head '\2HTTP/1.1 200 OK\r\nContent-Length: 3\r\nRetry-After: 7\r\n\r\n'
seed date '\2HTTP/1.1 503 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:00 GMT\r\n\r\n'
seed redact '\3a THE-fuzzed-key %2Fthe-%25fuzzed\\\\secret\\/ \\u0074he-fuzzed'
seed chunks '\4003;x\r\nabc\r\n0\r\nTrailer: x\r\n\r\n'

# Balances as numbers, up to 60000 bytes, in cuts of 4 bytes to 8 KiB.
exchange() { printf '%b' "\033\003\0377\0201\0\014\0237\001\0200$2" >"$folder/exchange-corpus/seed-$1"; }
# A body with its length, and in chunks. %b does not take \x in every shell.
body='{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":[{"currency":"BTC","balance":1.5,"availableBalance":0}]}'
# Its currency is the fuzzed key, one character of which is escaped.
hidden='{"timezone":"UTC","responseTime":1,"statusCode":1000,"statusMessage":"OK","responseData":{"currency":"the\\u002dfuzzed-key","balance":1,"availableBalance":0}}'
refusal='{"timezone":"UTC","responseTime":1,"statusCode":6001,"statusMessage":"NO"}'
ok='HTTP/1.1 200 OK\r\n'
length="Content-Length: ${#body}\r\n"
chunked='Transfer-Encoding: chunked\r\n\r\n'
size=$(printf %x ${#body})
exchange length "$ok$length\r\n$body"
exchange trailing "$ok$length\r\n$body$ok"
exchange chunks "$ok$chunked$size\r\n$body\r\n0\r\n\r\n"
exchange extension "$ok$chunked$size;a=\"b\"\r\n$body\r\n0\r\nA: b\r\n\r\n"
exchange more-chunks "$ok$chunked$size\r\n$body\r\n0\r\n\r\n0\r\n\r\n"
exchange interim "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: <a>\r\n\r\n$ok$length\r\n$body"
exchange switched 'HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\nPRI'
exchange interim-length "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n$ok$length\r\n$body"
exchange closes "HTTP/1.0 200 OK\r\nConnection: close\r\n$length\r\n$body"
exchange refusal "HTTP/1.1 400 Bad\r\nContent-Length: ${#refusal}\r\n\r\n$refusal"
exchange busy "HTTP/1.1 503 X\r\nRetry-After: 7\r\n$chunked""2\r\nno\r\n0\r\n\r\n"
exchange date "HTTP/1.1 503 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:00 GMT\r\n$length\r\n$body"
exchange html "$ok""Content-Length: 17\r\n\r\n<!doctype html>no"
exchange hidden "$ok""Content-Length: $((${#hidden} - 1))\r\n\r\n$hidden"
exchange none 'HTTP/1.1 204 X\r\n\r\n'
exchange not-modified 'HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n'
exchange two-lengths "$ok$length$length\r\n$body"
exchange until-close "$ok\r\n$body"
exchange gzip "$ok$length""Content-Encoding: gzip\r\n\r\n$body"
exchange no-http 'SSH-2.0-OpenSSH\r\n'
exchange cut "$ok$length\r\n{"
# Long replies; \0365 N M is M bytes N * 16 times.
exchange head-lines "$ok\0365\0377\0060A: 0123456789012345678901234567890123456789012\r\n$length\r\n$body"
exchange head-line "$ok""A: \0365\0377\0020abcdefghijklmnop\r\n$length\r\n$body"
exchange heads "\0365\0377\0031HTTP/1.1 100 Continue\r\n\r\n$ok$length\r\n$body"
exchange heads-error "HTTP/1.1 100 Continue\r\n\0365\0377\0020A: 0123456789a\r\n\0365\0040\0002\r\nHTTP/1.1 503 X\r\n$length\r\n$body"
exchange extensions "$ok$chunked$size;\0365\0377\0020abcdefghijklmnop\r\n$body\r\n0\r\n\r\n"
exchange trailers "$ok$chunked$size\r\n$body\r\n0\r\n\0365\0377\0024A: 0123456789abcde\r\n\r\n"
exchange bytes "$ok$chunked\0365\0377\00061\r\n \r\n$size\r\n$body\r\n0\r\n\r\n"
exchange records "$ok$chunked\0365\0100\0102""3c\r\n                                                            \r\n$size\r\n$body\r\n0\r\n\r\n"

sources=$(ls csrc/base/*.c csrc/money/*.c csrc/json/*.c csrc/auth/*.c csrc/http/*.c)
for target in "$@"; do
  more=
  [ "$target" != json ] ||
    more="$(ls csrc/lua/*.c csrc/policy/*.c csrc/thread/*.c) $(pkg-config --cflags --libs lua5.4) -DBF_VERSION=\"fuzz\""
  # shellcheck disable=SC2086
  clang -std=c11 -D_GNU_SOURCE -g -O1 -Icsrc \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -o "$folder/$target" "spec/fuzz/$target.c" spec/fuzz/account.c $sources $more \
    -lcurl -lssl -lcrypto -ldl -lpthread -lm
  "$folder/$target" -verbosity=0 -max_total_time="$seconds" -max_len=4096 \
    -artifact_prefix="$folder/$target-" -print_final_stats=1 \
    "$folder/$target-corpus"
done
