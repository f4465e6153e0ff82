# kvsfs: see README.md.  Everything that is made goes under $(BUILD).
#
#   make            build/kvsfs and build/kvs-server; make deps first, once
#   make check      every test; TESTS=unit/mkv or mount/test_x.py for a part
#   make demo       a stream to look at, with no AWS account; demo-stop ends it
#   make lint       layers, lengths, formatting, clang-tidy, cppcheck
#   make bench      how fast it is, as ratios in one run; QUICK=1 is rougher,
#                   ROWS="cold-hour ls" a part of it
#   make install    PREFIX and DESTDIR are honoured; uninstall
#
# check, demo, lint and bench install what they miss first (tests/deps).

BUILD    ?= build
PREFIX   ?= /usr/local
CC       ?= gcc
PKGS      = fuse3 libcurl libcrypto json-c sqlite3 glib-2.0 libxxhash libsystemd
SRV_PKGS  = libmicrohttpd json-c libcrypto
PYTHON   ?= /usr/bin/python3

WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef \
	    -Wformat=2 -Wimplicit-fallthrough -Wno-unused-parameter
WERROR   ?=
OPT      ?= -O2 -g
# SAN=address,undefined or SAN=thread
SAN      ?=
SANFLAGS  = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
	    -fno-omit-frame-pointer)
VERSION   = 0.1.0

# V=1 shows the commands.
Q         = $(if $(V),,@)
say       = @$(if $(V),:,echo '  $(1)  $@')

# Empty where a package is missing: the flags stamp below says so then.
HAVE_PKGS  := $(shell pkg-config --exists $(PKGS) 2>/dev/null && echo yes)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
SRV_CFLAGS := $(shell pkg-config --cflags $(SRV_PKGS) 2>/dev/null)
SRV_LIBS   := $(shell pkg-config --libs $(SRV_PKGS) 2>/dev/null)

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 \
	     -DKVSFS_VERSION=\"$(VERSION)\" -I. $(OPT) $(WARN) $(WERROR) \
	     $(SANFLAGS) -pthread -MMD -MP \
	     $(PKG_CFLAGS) $(CFLAGS)
ALL_LIBS   = -Wl,--as-needed $(PKG_LIBS) -pthread -lm

# The layers, lowest first.  tests/lint/layers says who may include whom; the
# order here is the link order.
LAYERS     = base aws net mkv cache creds kvs archive view fuse cli
dir_of     = $(if $(filter cache,$(1)),cache,fs/$(1))
libs_upto  = $(foreach l,$(1),$(BUILD)/lib$(l).a)

DEPS_base    = base
DEPS_aws     = aws base
DEPS_net     = net base
DEPS_mkv     = mkv base
DEPS_cache   = cache base
DEPS_creds   = creds aws net base
DEPS_kvs     = kvs $(DEPS_creds)
DEPS_archive = archive kvs creds cache mkv net aws base
DEPS_view    = view $(DEPS_archive)
DEPS_fuse    = fuse $(DEPS_view)
DEPS_cli     = cli $(DEPS_fuse)

all: $(BUILD)/kvsfs $(BUILD)/kvs-server

define layer_rules
SRC_$(1) := $$(wildcard $(call dir_of,$(1))/*.c)
OBJ_$(1) := $$(SRC_$(1):%.c=$$(BUILD)/%.o)
$$(BUILD)/lib$(1).a: $$(OBJ_$(1))
	@rm -f $$@
	$$(call say,AR)
	$$(Q)$$(AR) rcs $$@ $$(OBJ_$(1))
TEST_SRC_$(1) := $$(wildcard tests/unit/$(1)/test_*.c)
TEST_BIN_$(1) := $$(TEST_SRC_$(1):%.c=$$(BUILD)/%)
$$(TEST_BIN_$(1)): $$(BUILD)/tests/unit/$(1)/%: \
		$$(BUILD)/tests/unit/$(1)/%.o $$(call libs_upto,$$(DEPS_$(1)))
	$$(call say,LD)
	$$(Q)$$(CC) $$(SANFLAGS) $$(LDFLAGS) -o $$@ $$< \
		$$(call libs_upto,$$(DEPS_$(1))) $$(ALL_LIBS) -lcmocka
unit-$(1): $$(TEST_BIN_$(1))
UNIT_BINS += $$(TEST_BIN_$(1))
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$(l))))

# The stamp makes a change of flags rebuild, a sanitizer build into the same
# folder included: everything depends on it, and it changes when they do.
FLAGS := $(CC) $(ALL_CFLAGS) $(SRV_CFLAGS) $(LDFLAGS) $(ALL_LIBS) $(SRV_LIBS)
$(BUILD)/flags: FORCE
	@test "$(HAVE_PKGS)" || { echo "make: a library of \
	$(PKGS) is missing: run make deps (installs Debian packages)" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/kvsfs: $(call libs_upto,$(DEPS_cli))
	$(call say,LD)
	$(Q)$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group \
		$(ALL_LIBS)

SRV_SRC := $(wildcard tests/kvs-server/*.c)
SRV_OBJ := $(SRV_SRC:%.c=$(BUILD)/%.o)
$(SRV_OBJ): private ALL_CFLAGS += $(SRV_CFLAGS)
$(BUILD)/kvs-server: $(SRV_OBJ)
	$(call say,LD)
	$(Q)$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(SRV_LIBS) -pthread -lm

# ---- tests ------------------------------------------------------------------

# What runs after deps is a make of its own: it sees what was installed.
JOBS   = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
NEXT   = +@$(MAKE) --no-print-directory $(JOBS)
TESTS ?=
ROWS  ?=
QUICK ?=

# What `make` needs; the other targets install what they need themselves.
deps:
	@tests/deps demo

check:
	@tests/deps check
	$(NEXT) check-now

check-now: all $(UNIT_BINS)
	@$(PYTHON) tests/run --build $(BUILD) $(TESTS)

lint:
	@tests/deps lint
	@$(PYTHON) tests/lint/run

demo:
	@tests/deps demo
	$(NEXT) all
	@tests/demo/run start $(BUILD)

demo-stop:
	@tests/demo/run stop $(BUILD)

bench:
	@tests/deps check
	@tests/deps bench || echo 'The rows of missing peers will say so.'
	$(NEXT) all
	@QUICK=$(QUICK) tests/bench/run $(BUILD) $(ROWS)

# ---- installation -----------------------------------------------------------

BINDIR     ?= $(PREFIX)/bin
# Where mount(8) looks for its helpers.
HELPERDIR  ?= /sbin
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc

install: $(BUILD)/kvsfs
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(HELPERDIR) \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/kvsfs
	install -m 755 $(BUILD)/kvsfs $(DESTDIR)$(BINDIR)/kvsfs
	ln -sf $(BINDIR)/kvsfs $(DESTDIR)$(HELPERDIR)/mount.kvsfs
	sed 's|/usr/local/bin/|$(BINDIR)/|' systemd/kvsfs@.service \
		> $(BUILD)/kvsfs@.service
	install -m 644 $(BUILD)/kvsfs@.service $(DESTDIR)$(UNITDIR)
	install -m 644 systemd/example.conf $(DESTDIR)$(SYSCONFDIR)/kvsfs

# What /etc/kvsfs holds besides the example is the user's.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/kvsfs $(DESTDIR)$(HELPERDIR)/mount.kvsfs \
		$(DESTDIR)$(UNITDIR)/kvsfs@.service \
		$(DESTDIR)$(SYSCONFDIR)/kvsfs/example.conf
	rmdir $(DESTDIR)$(SYSCONFDIR)/kvsfs 2>/dev/null || true

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all clean check check-now lint demo demo-stop install uninstall bench \
	deps FORCE $(LAYERS:%=unit-%)
