# kvsfs: see README.md.  Everything that is made goes under $(BUILD).
#
#   make            build/kvsfs and build/kvs-server
#   make check      every test
#   make demo       a stream to look at, with no AWS account
#   make lint       layers, formatting, clang-tidy, cppcheck
#   make install    PREFIX and DESTDIR are honoured

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

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 \
	     -DKVSFS_VERSION=\"$(VERSION)\" -I. $(OPT) $(WARN) $(WERROR) \
	     $(SANFLAGS) -pthread -MMD -MP \
	     $(shell pkg-config --cflags $(PKGS)) $(CFLAGS)
ALL_LIBS   = -Wl,--as-needed $(shell pkg-config --libs $(PKGS)) -pthread

# The layers, lowest first.  tests/lint/layers says who may include whom; the
# order here is the link order.
LAYERS     = base aws net mkv cache kvs archive view fuse cli
dir_of     = $(if $(filter cache,$(1)),cache,fs/$(1))
libs_upto  = $(foreach l,$(1),$(BUILD)/lib$(l).a)

DEPS_base    = base
DEPS_aws     = aws base
DEPS_net     = net base
DEPS_mkv     = mkv base
DEPS_cache   = cache base
DEPS_kvs     = kvs net aws base
DEPS_archive = archive kvs cache mkv net aws base
DEPS_view    = view $(DEPS_archive)
DEPS_fuse    = fuse $(DEPS_view)
DEPS_cli     = cli $(DEPS_fuse)

all: $(BUILD)/kvsfs $(BUILD)/kvs-server

define layer_rules
SRC_$(1) := $$(wildcard $(call dir_of,$(1))/*.c)
OBJ_$(1) := $$(SRC_$(1):%.c=$$(BUILD)/%.o)
$$(BUILD)/lib$(1).a: $$(OBJ_$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$(OBJ_$(1))
TEST_SRC_$(1) := $$(wildcard tests/unit/$(1)/test_*.c)
TEST_BIN_$(1) := $$(TEST_SRC_$(1):%.c=$$(BUILD)/%)
$$(TEST_BIN_$(1)): $$(BUILD)/tests/unit/$(1)/%: \
		$$(BUILD)/tests/unit/$(1)/%.o $$(call libs_upto,$$(DEPS_$(1)))
	$$(CC) $$(SANFLAGS) $$(LDFLAGS) -o $$@ $$< \
		$$(call libs_upto,$$(DEPS_$(1))) $$(ALL_LIBS) -lcmocka
unit-$(1): $$(TEST_BIN_$(1))
UNIT_BINS += $$(TEST_BIN_$(1))
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$(l))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The stamp makes a change of flags rebuild, a sanitizer build into the same
# folder included.
$(BUILD)/kvsfs: $(call libs_upto,$(DEPS_cli))
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group \
		$(ALL_LIBS)

SRV_SRC := $(wildcard tests/kvs-server/*.c)
SRV_OBJ := $(SRV_SRC:%.c=$(BUILD)/%.o)
$(SRV_OBJ): ALL_CFLAGS += $(shell pkg-config --cflags $(SRV_PKGS))
$(BUILD)/kvs-server: $(SRV_OBJ)
	$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(SRV_PKGS)) \
		-pthread -lm

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all clean check lint demo demo-stop install uninstall bench deps
