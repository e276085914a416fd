# crm: customer relationship management inside PostgreSQL
#
# For people:       make demo [CSV=file] [DEALS=file]   the main job, told in a terminal
#                   make check [TESTS="email import"]   build and run the tests
#                   make check-deep                     the long ones: sanitizers, valgrind, other majors … (doc/testing.md)
#                   make bench                          timings beside what one would do without us
#                   make fuzz [SECONDS=60]              fuzz the parsers
#                   make help                           this text
# For packagers:    make && make install [PG_CONFIG=…]  an ordinary PGXS build
#                   make dist                           the release archive
#
# The first group installs what it needs (Debian packages) and works in a copy
# of the tree under build/; the second touches nothing but this tree.

PEOPLE = demo check check-deep check-settings check-asan \
	check-sqlsmith check-valgrind check-majors coverage \
	bench bench-peers fuzz dependencies update-phone-metadata

ifneq ($(filter help,$(MAKECMDGOALS)),)

.PHONY: help
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//; p' $(firstword $(MAKEFILE_LIST))

else ifneq ($(filter $(PEOPLE),$(MAKECMDGOALS)),)

.PHONY: $(PEOPLE)
.NOTPARALLEL:
export PG_CONFIG CSV DEALS TESTS ROWS FLOOR MODES QUERIES RELEASES PEERS GROWTH SEED
export FUZZ_SECONDS = $(SECONDS)

$(PEOPLE):
	@test/tool/$@

else

EXTENSION   = crm
EXTVERSION := $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" crm.control)
MODULE_big  = crm
OBJS        = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
OUR_HEADERS = $(wildcard src/*.h src/*/*.h src/*/*.inc)

# One script is assembled from numbered fragments; the statements that
# crm.install() runs travel in it as the rows of crm.schema_source().
SQL_CODE    = $(sort $(wildcard sql/[0-9][0-9]-*.sql))
SQL_SCHEMA  = $(sort $(wildcard sql/table/*.sql)) $(sort $(wildcard sql/view/*.sql)) \
	$(sort $(wildcard sql/migration/*.sql))
SQL_CURRENT = sql/crm--$(EXTVERSION).sql
SQL_FROZEN  = $(filter-out sql/released/crm--$(EXTVERSION).sql,$(wildcard sql/released/crm--*.sql))
SQL_DELTAS  = $(patsubst sql/delta/%.sql,sql/crm--%.sql,$(wildcard sql/delta/*.sql))
DATA        = $(SQL_FROZEN)
DATA_built  = $(SQL_CURRENT) $(SQL_DELTAS)
DOCS        = $(wildcard doc/*.md)

PG_CPPFLAGS = -Isrc -DCRM_VERSION='"$(EXTVERSION)"' $(shell pkg-config --cflags icu-uc 2>/dev/null)
PG_CFLAGS   = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement $(CRM_CFLAGS)
SHLIB_LINK  = $(or $(shell pkg-config --libs icu-uc 2>/dev/null),-licuuc -licudata) $(CRM_LINK)

REGRESS        = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=test --load-extension=crm
ISOLATION      = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=crm
TAP_TESTS      = 1
PROVE_TESTS    = $(sort $(wildcard test/t/*.pl))
EXTRA_CLEAN    = results output_iso tmp_check $(DATA_built)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

ifneq ($(strip $(foreach t,$(REGRESS),$(wildcard sql/$(t).sql))),)
$(error a file in sql/ shadows a test of the same name)
endif

# PGXS tracks no headers.
$(OBJS) $(OBJS:.o=.bc): $(OUR_HEADERS) Makefile crm.control

$(SQL_CURRENT): $(SQL_CODE) $(SQL_SCHEMA) sql/assemble crm.control
	sql/assemble current > $@

sql/crm--%.sql: sql/delta/%.sql $(SQL_CODE) $(SQL_SCHEMA) sql/assemble crm.control
	sql/assemble delta $< > $@

.PHONY: dist
dist:
	git archive --format=zip --prefix=crm-$(EXTVERSION)/ -o crm-$(EXTVERSION).zip HEAD

endif
