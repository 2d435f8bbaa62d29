#!/bin/sh
# usage: spec/coverage/run.sh [SPEC...]
#
# Runs the specs on Lua 5.4 (nginx in them on LuaJIT), those that fork on LuaJIT too,
# with C compiled by gcc for gcov and with a hook that marks Lua's lines, and prints
# what they have not run.
# All of it is in .build/coverage. With SPEC, files, only these are run. With
# BITFRONT_KEEP=yes what was run before counts too.
. .ci/count.sh
export BUILD=.build/coverage
marks=$PWD/$BUILD/lines
pc() { ${PKG_CONFIG:-pkg-config} "$@"; }

# Without atomic counters a thread's counts are lost, and a child's are not added.
flags='-O0 -g --coverage -fprofile-update=atomic -include spec/coverage/noreturn.h'
linked="--coverage $BUILD/counted.o"

library() {
  # shellcheck disable=SC2046
  ${CC:-gcc} -std=c11 -D_GNU_SOURCE -O2 -Wall -shared -fPIC \
    "-DFOLDER=\"$marks\"" $(pc --cflags "lua$1") \
    -o "$BUILD/lines-$1.so" spec/coverage/lines.c
}

# exits NAME FLAGS...: see exits.c. It comes to lie in the build's folder.
exits() {
  output=$BUILD/$1
  shift
  ${CC:-gcc} -std=c11 -D_GNU_SOURCE -O2 -Wall -fPIC "$@" \
    -o "$output" spec/coverage/exits.c
}

# The files that processes mark lines in; nginx's workers may be of another user.
make_marks() {
  rm -rf "$marks"
  mkdir -p "$marks"
  for file in $(find lua/bitfront -type f); do
    truncate -s 4096 "$marks/$(echo "$file" | tr / %)"
  done
  chmod a+rw "$marks"/*
}

# The counts of C, which nginx's workers add to: each process that ends writes them.
make_counts() {
  luajit -e "package.cpath = [[$PWD/$BUILD/5.1/?.so]] require 'bitfront.core'" &&
    find "$BUILD/5.1" -name '*.gcda' -exec chmod a+rw {} +
}

# The counts of an object that has been compiled since: gcov refuses them.
forget_old_counts() {
  find "$BUILD" -name '*.gcno' | while read -r notes; do
    counts=${notes%.gcno}.gcda
    [ ! "$notes" -nt "$counts" ] || rm -f "$counts"
  done
}

# nginx is started in an environment of its own, but found in PATH.
nginx_in_path() {
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || return 1
  mkdir -p "$BUILD/path"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nexport LD_PRELOAD=%s${LD_PRELOAD:+:$LD_PRELOAD}\nexec %s "$@"\n' \
    "'$PWD/$BUILD/lines-5.1.so $PWD/$BUILD/exits.so'" "$nginx" >"$BUILD/path/nginx"
  chmod +x "$BUILD/path/nginx"
}

# Every Lua reads LUA_INIT.
write_init() {
  cat >"$BUILD/init.lua" <<END
local version = _VERSION:match "5.[14]"
if version then
  package.loadlib([[$PWD/$BUILD/lines-]] .. version .. ".so", "luaopen_lines")()
end
END
}

prepare() {
  BUILD=.build "$make" -s helpers || return 1
  mkdir -p "$BUILD" && exits exits.so -shared && exits counted.o -c -DCOUNTED || return 1
  for lua in lua5.4 luajit; do
    "$make" -s LUA=$lua CFLAGS="$flags" LDFLAGS="$linked" all || return 1
  done
  "$make" -s CFLAGS="$flags" LDFLAGS="$linked" helpers \
    $BUILD/test/torture-5.4 || return 1
  library 5.1 && library 5.4 && nginx_in_path && write_init || return 1
  if [ "${BITFRONT_KEEP:-}" = yes ] && [ -d "$marks" ]; then
    forget_old_counts
    return
  fi
  find "$BUILD" -name '*.gcda' -delete
  make_marks
  make_counts
}

prepare || exit 1
export under="env LUA_INIT=@$PWD/$BUILD/init.lua LD_PRELOAD=$PWD/$BUILD/exits.so"
PATH=$PWD/$BUILD/path:$PATH
make_folder coverage
forking=$(grep -l 'spec[.]support[.]fork' ${*:-spec/*_spec.lua})
{
  files=$* jobs lua5.4 --exclude-tags=long
  [ -z "$forking" ] || files=$forking jobs luajit --exclude-tags=long,once
} >"$folder/jobs"
side_by_side
if [ $# = 0 ]; then
  # What only an allocation that fails reaches.
  TORTURE=coverage check torture spec/torture/run.sh $BUILD/test/torture-5.4
fi
lua5.4 spec/coverage/report.lua "$BUILD" || count 0 1 0
finish
