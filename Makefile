# bitfront: build, try, test and install.
#
#   make [LUA=lua5.4]   build the module for one Lua into .build/
#   make run            show the balances of the sandbox exchange
#   make test           every spec on every Lua
#   make help           all targets
#
# Yours to set, on the command line or in the environment: LUA, CC, CFLAGS,
# CPPFLAGS, LDFLAGS, PREFIX, DESTDIR, LUA_INCDIR, and WERROR=1.

# Names in this file are relative, so the tree may be in a folder with a
# space in its name; $(CURDIR) appears in quoted shell words only.

LUA       ?= lua5.4
BUILD     ?= .build
CFLAGS    ?= -O2 -g
PREFIX    ?= /usr/local
PKG_CONFIG ?= pkg-config

# What the specs and lint build for, where it is: 5.5 is not in every Debian. Other
# files read this line.
LUAS       = lua5.1 lua5.2 lua5.3 luajit lua5.4 lua5.5
HERE       = $(shell for lua in $(LUAS); do command -v $$lua; done | sed 's:.*/::')

# ---- the Lua to build for: 5.1 (also LuaJIT), 5.2 to 5.5
ABI := $(shell $(LUA) -e 'print((_VERSION:gsub("^Lua ", "")))' 2>/dev/null)
need_lua = $(if $(ABI),,$(error $(LUA) does not run: "make deps" installs \
  what is missing, or say LUA=... for another Lua))

# PUC 5.1 headers come before LuaJIT's: what compiles with them runs on both.
LUA_PC := $(shell for p in lua$(ABI) lua-$(ABI) lua$(subst .,,$(ABI)) \
    $(if $(filter 5.1,$(ABI)),luajit) lua; do \
  case `$(PKG_CONFIG) --modversion $$p 2>/dev/null` in \
  ($(ABI)*|2.*) echo $$p; break;; esac; done)
LUA_CFLAGS ?= $(if $(LUA_INCDIR),-I"$(LUA_INCDIR)",$(if $(LUA_PC),\
  $(shell $(PKG_CONFIG) --cflags $(LUA_PC)),-I/usr/include/lua$(ABI)))

DEP_CFLAGS := $(shell $(PKG_CONFIG) --cflags libcurl openssl 2>/dev/null)
DEP_LIBS   := $(or $(shell $(PKG_CONFIG) --libs libcurl openssl 2>/dev/null),\
  -lcurl -lssl -lcrypto) -ldl -lm -pthread

# ---- flags: ours first, so that the user's have the last word
WARNINGS  = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -pedantic
WERROR   ?= 0
OUR_CFLAGS = -std=c11 -D_GNU_SOURCE -Icsrc -fPIC -fvisibility=hidden -pthread \
  $(WARNINGS) $(if $(filter-out 0 no,$(WERROR)),-Werror) -MMD -MP
COMPILE = $(CC) $(OUR_CFLAGS) $(LUA_CFLAGS) $(DEP_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ifeq ($(shell uname -s),Darwin)
  MODULE_LDFLAGS = -bundle -undefined dynamic_lookup
else
  MODULE_LDFLAGS = -shared
endif

# ---- what is built
OUT      = $(BUILD)/$(ABI)
MODULE   = $(OUT)/bitfront/core.so
SOURCES := csrc/needs.c $(wildcard csrc/*/*.c)
OBJECTS  = $(SOURCES:csrc/%.c=$(OUT)/obj/%.o)
ARCHIVE  = $(OUT)/obj/csrc.a
COMMAND  = $(BUILD)/bin/bitfront
# Below lua/bitfront, since LuaRocks installs all of lua/ as it stands.
SCRIPT   = lua/bitfront/cli/bitfront
HELPERS := $(patsubst %.c,$(BUILD)/test/%,$(notdir \
  $(wildcard spec/support/*.c spec/bench/*.c)))
# What a suite has started ends with it, see supervise.c; Linux alone can do that.
SUPERVISOR := $(if $(filter Linux,$(shell uname -s)),.build/test/supervise)
# By exec: the parent is make then, and no shell that goes on when make is killed.
supervised = exec $(SUPERVISOR)
TORTURE_HOSTS = $(patsubst lua%,$(BUILD)/test/torture-%,\
  $(filter lua5.4 lua5.1 lua5.5,$(HERE)))
LUA_FILES = $(shell find lua/bitfront -name '*.lua')

all: $(MODULE) $(COMMAND) ## build for one Lua (the default)

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(MODULE_LDFLAGS) $(CFLAGS) -o $@ $(OBJECTS) $(LDFLAGS) $(DEP_LIBS)

$(OUT)/obj/%.o: csrc/%.c
	$(need_lua)
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

# Programs of the specs may use any part of csrc that needs no Lua.
$(ARCHIVE): $(filter-out $(OUT)/obj/lua/%,$(OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/test/%: spec/support/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(COMPILE) -o $@ $< $(ARCHIVE) $(LDFLAGS) $(DEP_LIBS)

$(BUILD)/test/%: spec/bench/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(COMPILE) -o $@ $< $(ARCHIVE) $(LDFLAGS) $(DEP_LIBS)

# Without csrc, so that scripts can have it before anything else is there.
.build/test/supervise: spec/support/supervise.c
	@mkdir -p $(@D)
	$(CC) $(OUR_CFLAGS) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LDFLAGS)

# A host of its own for each Lua, so neither $(LUA) nor its headers count here.
$(TORTURE_HOSTS): $(BUILD)/test/torture-%: spec/torture/torture.c
	@mkdir -p $(@D)
	$(CC) $(OUR_CFLAGS) $(CPPFLAGS) $(CFLAGS) \
	  $$($(PKG_CONFIG) --cflags lua$*) -o $@ $< $(LDFLAGS) \
	  $$($(PKG_CONFIG) --libs lua$*) $(DEP_LIBS)

# The command of this tree. Its text depends on LUA, so it is made each time.
$(COMMAND): FORCE
	@mkdir -p $(@D)
	@{ echo '#!/bin/sh'; $(print_env); \
	  echo $(call quote,exec $(LUA) $(call quote,$(CURDIR)/$(SCRIPT))) \
	    '"$$@"'; } >$@.$$$$ && chmod +x $@.$$$$ && mv $@.$$$$ $@

# ---- the environment in which require "bitfront" finds this tree's build. Each Lua
# ---- but 5.1 has variables of its own: those of the others stay as they are.
# ---- What the variable already has comes after this tree, the defaults come last.
quote = '$(subst ','\'',$1)'
export_line = echo $(call quote,export $1=$(call quote,$2;)"$${$1:+$$$1;};")
suffix = $(if $(filter 5.1,$(ABI)),,_$(subst .,_,$(ABI)))
print_env = \
  $(call export_line,LUA_PATH$(suffix),$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua); \
  $(call export_line,LUA_CPATH$(suffix),$(CURDIR)/$(OUT)/?.so)
print_path = \
  echo $(call quote,export PATH=$(call quote,$(CURDIR)/$(BUILD)/bin):"$$PATH")
env: ## eval "$(make -s env)": use this tree from a shell
	$(need_lua)
	@$(print_env); $(print_path)

all-luas: ## build for each Lua that is here, of 5.1 to 5.5 and LuaJIT
	@for lua in $(HERE); do $(MAKE) LUA=$$lua all || exit 1; done
luas: ## print their names
	@echo $(HERE)

helpers: $(HELPERS)

# ---- try it, test it. Each installs what it lacks, then starts make anew:
# ---- only then does it see what was installed.
AGAIN = $(MAKE) -s
export MAKE

run: ## show the balances of the sandbox exchange
	@.ci/deps run
	@$(AGAIN) all $(SUPERVISOR)
	@$(supervised) spec/demo/run.sh $(COMMAND)
run-nginx: ## serve them as a page, until Ctrl-C
	@.ci/deps run nginx
	@$(AGAIN) all $(SUPERVISOR)
	@$(AGAIN) LUA=luajit all
	@$(supervised) spec/demo/nginx.sh $(COMMAND)
test: ## every spec on every Lua; ends with "N passed, N failed"
	@.ci/deps run test
	@$(AGAIN) all-luas helpers
	@$(supervised) .ci/test
check: ## the specs that need no server, on one Lua
	@.ci/deps run test
	@$(AGAIN) all helpers
	@$(supervised) .ci/test check $(LUA)
spec: ## one spec: make spec SPEC=25_clock LUA=lua5.1
	@test -f spec/$(SPEC)_spec.lua || \
	  { echo 'make spec SPEC=25_clock runs spec/25_clock_spec.lua' >&2; exit 1; }
	@.ci/deps run test
	@$(AGAIN) all helpers
	@$(supervised) .ci/test $(LUA) spec/$(SPEC)_spec.lua
fresh: ## run and test on a bare Debian: SUITE=bookworm, FRESH=smoke for less
	@$(AGAIN) $(SUPERVISOR)
	@TMPDIR="$(CURDIR)/.build" exec $(SUPERVISOR) .ci/fresh $(FRESH)
page: ## the page in Chromium: accessibility, policy
	@.ci/deps run nginx page
	@$(AGAIN) all helpers
	@$(AGAIN) LUA=luajit all
	@$(supervised) .ci/page
lint: ## clang-format, clang-tidy, cppcheck, luacheck
	@.ci/deps run test lint
	@$(AGAIN) -k lint-found
asan tsan valgrind: ## specs with checks of memory; of the thread
	@.ci/deps run test $(filter valgrind,$@)
	@$(AGAIN) $(SUPERVISOR)
	@$(supervised) .ci/memory $@
torture: ## every allocation fails once, in its turn
	@.ci/deps run test valgrind
	@$(AGAIN) all-luas helpers $(TORTURE_HOSTS)
	@$(supervised) spec/torture/run.sh $(TORTURE_HOSTS)
soak: ## calls for minutes, with faults; SOAK=all, "workers 60", "faults 250"
	@.ci/deps run test soak model
	@$(AGAIN) all-luas helpers
	@$(supervised) spec/soak/run.sh $(SOAK)
fuzz: ## made-up replies and other texts, under ASan: FUZZ=60 is each target's seconds
	@.ci/deps run fuzz
	@$(AGAIN) $(SUPERVISOR)
	@$(supervised) spec/fuzz/run.sh $(FUZZ)
model: ## Spin tries every order of events on the limiter; MODEL=full
	@.ci/deps model
	@$(AGAIN) $(SUPERVISOR)
	@$(supervised) spec/model/run.sh $(MODEL)
bench: ## cost of a call, beside raw libcurl
	@.ci/deps run test valgrind bench
	@$(AGAIN) all-luas helpers
	@$(supervised) spec/bench/run.sh
coverage: ## lines and branches of C, lines of Lua, that no spec runs
	@.ci/deps run test nginx
	@$(AGAIN) all-luas helpers
	@$(supervised) spec/coverage/run.sh
mutants: ## small changes at random, and the specs that notice: SEED=1 COUNT=60
	@.ci/deps run test nginx
	@$(AGAIN) all-luas helpers
	@$(supervised) spec/mutants/run.sh
deps: ## apt-get what is missing for run, test and lint
	@.ci/deps run test lint

C_FILES = $(wildcard csrc/*.[ch] csrc/*/*.[ch] spec/*/*.[ch] .ci/*.c)
lint-found: check-format warnings tidy cppcheck luacheck

check-format:
	clang-format --dry-run -Werror $(C_FILES)

warnings:
	$(AGAIN) BUILD=.build/warnings WERROR=1 all-luas

# One file at a time: clang-tidy 14 carries the state of va_list to the next.
tidy:
	printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -n 1 -P 2 sh -c 'clang-tidy \
	  --quiet "$$0" -- -std=c11 -D_GNU_SOURCE -Icsrc $(LUA_CFLAGS) $(DEP_CFLAGS)'

# Newer ones analyse in full only where told so, and count it as a finding.
cppcheck:
	cppcheck --quiet $$(cppcheck --help | grep -q -e --check-level= && \
	  echo --check-level=exhaustive) --std=c11 --error-exitcode=1 --inline-suppr \
	  --enable=warning,performance,portability -U__has_include -Icsrc $(C_FILES)

luacheck:
	luacheck --quiet lua $(SCRIPT) spec .ci .luacheckrc .busted

format: ## rewrite the C files by clang-format
	clang-format -i $(C_FILES)

# ---- a release: its sources are the archive of its tag
VERSION = $(shell sed -n 's/^return "\(.*\)"/\1/p' lua/bitfront/version.lua)
ROCKSPEC = rockspec/bitfront-$(VERSION)-1.rockspec
source = url = home .. "/bitfront-$(VERSION).tar.gz", tag = "v$(VERSION)",
rockspec: ## write the rockspec of this version, from that of scm
	@sed -e 's/^version = .*/version = "$(VERSION)-1"/' -e 's|^  url = .*|  $(source)|' \
	  rockspec/bitfront-scm-1.rockspec >$(ROCKSPEC)

# ---- install: PREFIX and DESTDIR as usual
INST_LDIR ?= $(PREFIX)/share/lua/$(ABI)
INST_CDIR ?= $(PREFIX)/lib/lua/$(ABI)
INST_BDIR ?= $(PREFIX)/bin

# The command finds the modules of its PREFIX from where it lies. Modules that are
# elsewhere are named in it, before its last line. Other programs look by LUA_PATH.
folders =
ifneq ($(INST_LDIR) $(INST_CDIR) $(INST_BDIR),$(PREFIX)/share/lua/$(ABI) \
  $(PREFIX)/lib/lua/$(ABI) $(PREFIX)/bin)
  folders = \
    package.path = [[$(INST_LDIR)/?.lua;$(INST_LDIR)/?/init.lua;]] .. package.path \
    package.cpath = [[$(INST_CDIR)/?.so;]] .. package.cpath
endif

# What the command prints of itself, where man and the shells look for it.
PRINTED = $(addprefix $(BUILD)/share/,man/man1/bitfront.1 \
  bash-completion/completions/bitfront zsh/site-functions/_bitfront \
  fish/vendor_completions.d/bitfront.fish)
$(BUILD)/share/man%: words = man
$(BUILD)/share/bash%: words = completion bash
$(BUILD)/share/zsh%: words = completion zsh
$(BUILD)/share/fish%: words = completion fish

$(PRINTED): all
	@mkdir -p $(@D)
	@$(COMMAND) $(words) >$@.$$$$ && mv $@.$$$$ $@

install: all $(PRINTED) ## to PREFIX, /usr/local, under DESTDIR
	@for file in $(LUA_FILES); do \
	  install -d "$(DESTDIR)$(INST_LDIR)/$$(dirname $${file#lua/})" && \
	  install -m 644 $$file "$(DESTDIR)$(INST_LDIR)/$${file#lua/}" || exit 1; \
	done
	install -d "$(DESTDIR)$(INST_CDIR)/bitfront" "$(DESTDIR)$(INST_BDIR)"
	install -m 755 $(MODULE) "$(DESTDIR)$(INST_CDIR)/bitfront/core.so"
	{ echo '#!/usr/bin/env $(LUA)'; sed '1d;$$d' $(SCRIPT); \
	  $(if $(folders),echo $(call quote,$(folders));) tail -n 1 $(SCRIPT); } \
	  >"$(DESTDIR)$(INST_BDIR)/bitfront"
	chmod 755 "$(DESTDIR)$(INST_BDIR)/bitfront"
	@for file in $(PRINTED:$(BUILD)/%=%); do \
	  install -d "$(DESTDIR)$(PREFIX)/$$(dirname $$file)" && \
	  install -m 644 $(BUILD)/$$file "$(DESTDIR)$(PREFIX)/$$file" || exit 1; \
	done

uninstall: ## remove what install has put there
	$(need_lua)
	rm -rf "$(DESTDIR)$(INST_LDIR)/bitfront" "$(DESTDIR)$(INST_CDIR)/bitfront"
	rm -f "$(DESTDIR)$(INST_BDIR)/bitfront" \
	  $(patsubst $(BUILD)/%,"$(DESTDIR)$(PREFIX)/%",$(PRINTED))

# Also what "luarocks make" leaves in the tree it builds.
clean: ## remove what was built
	rm -rf .build bitfront
	rm -f csrc/*.o csrc/*/*.o *.rock

help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## /\1\t/p' Makefile | expand -t 21

-include $(wildcard $(BUILD)/*/obj/*.d $(BUILD)/*/obj/*/*.d $(BUILD)/test/*.d)

FORCE:
.DELETE_ON_ERROR:
.PHONY: all all-luas luas env helpers run run-nginx test check spec fresh page lint \
  asan tsan valgrind torture soak fuzz model coverage mutants bench deps \
  lint-found check-format warnings tidy cppcheck luacheck format rockspec install \
  uninstall clean help FORCE
