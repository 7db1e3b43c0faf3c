# kstream: what make can do here.
#
# For users of an installed PostgreSQL (PGXS; PG_CONFIG chooses the server):
#	make, make install, make uninstall, make clean
#	make installcheck	the server suites against the installed extension
#
# In private copies of PostgreSQL that leave the installed one alone
# (test/private-pg.sh); these install missing Debian packages first:
#	make demo			kstream shown at work
#	make check			every suite; the last line is "N passed, N failed"
#	make check-unit, check-regress, check-isolation, check-tap, check-history,
#	make check-style
#	make soak			a search for leaks and wrong results, then clients, faults and the checker of test/history for an hour
#	make bench			measurements on the release build
#	make bench-quick	four ratios of it in three minutes, to compare a change
#	make bench-peers	the same work on kstream, Kafka, PgQ and others; see test/bench/peers
#	make bench-kafka	Kafka's clients on kstream and on Apache Kafka
#	make check-versions	the suites on PostgreSQL 15 to 18, as far as they can be had
#	make check-assert	the suites on a PostgreSQL with assertions, built from source
#	make check-sanitize	the suites with gcc's address and undefined behaviour sanitizers
#	make check-kafka	Kafka clients by others, fetched from their languages' registries: every record compared
#	make deb			the Debian package for one version of PostgreSQL, into build/deb
#	make check-deb		the package in a clean system (root)
#	make check-mutants	prove that the tests find bugs put in on purpose
#	make stage			only set up and build; prints where the copies are
#
# And make format, which lays the C code out as check-style wants it.
#
# Variables:
#	DEBUG_POINTS=1		compile in wait and error points, and seeded bugs
#	COPT=-Werror		warnings stop the build
#	TESTS="name ..."	only these tests of check-regress or check-isolation, clients of check-kafka
#	PROVE_TESTS="file ..."	only these files of check-tap
#	SOAK_HOURS=n, SOAK_SECONDS=n	how long soak takes
#	MUTANTS="name ..."	only these bugs of check-mutants
#	MAJORS="17 18"		only these versions of check-versions
#	KSTREAM_PG_MAJOR=N	the version of PostgreSQL of everything else (15)
#	KSTREAM_ROOTS=dir	where other suites of Debian are kept (check-versions, check-deb)
#	KSTREAM_STAGE=dir	where the private copies are kept

SUITE_GOALS = check-unit check-regress check-isolation check-tap check-history check-style
HOUSE  = demo check soak bench bench-quick bench-peers bench-kafka stage format check-mutants check-versions check-assert \
		 check-sanitize check-kafka deb check-deb $(SUITE_GOALS)

ifneq (,$(filter $(HOUSE),$(MAKECMDGOALS)))

# Variables reach the scripts through the environment.
SETUP   = bash test/setup.sh
PRIVATE = bash test/private-pg.sh

# The suites tell their sums themselves; when they could not run, that is one
# failure (status 2 of test/private-pg.sh).
RUN_SUITES = $(SETUP) build check style clients && $(PRIVATE) release test -- bash test/run_all.sh
OR_NOT_RUN = || { [ $$? = 1 ] || echo '0 passed, 1 failed'; exit 1; }

.PHONY: $(HOUSE)

demo:
	@$(SETUP) build demo
	@$(PRIVATE) release -- bash demo/run.sh

check:
	@$(RUN_SUITES) unit regress isolation tap history style $(OR_NOT_RUN)

$(SUITE_GOALS): check-%:
	@$(RUN_SUITES) $* $(OR_NOT_RUN)

check-mutants:
	@$(SETUP) build check && $(PRIVATE) test -- bash test/check_mutants.sh $(MUTANTS) $(OR_NOT_RUN)

check-versions:
	@bash test/check_versions.sh $(MAJORS)

check-assert:
	@$(SETUP) build check source && bash test/check_assert.sh $(OR_NOT_RUN)

check-sanitize:
	@$(SETUP) build check source && bash test/check_sanitize.sh $(OR_NOT_RUN)

# Kafka clients by others; those that can be had are fetched from their registries.
check-kafka:
	@$(SETUP) build check
	@bash test/kafka/clients/get.sh "$$($(PRIVATE) test -- printenv STAGE | tail -n 1)/kafka-clients"
	@$(PRIVATE) test -- bash test/kafka/check_clients.sh $(OR_NOT_RUN)

deb:
	@$(SETUP) build deb
	@bash test/deb.sh build

check-deb: deb
	@$(SETUP) roots
	@bash test/deb.sh check

# Rounds on new servers; what one that fails leaves is kept in out/soak.
soak:
	@$(SETUP) build check
	@$(PRIVATE) test -- bash test/history/soak.sh $(or $(SOAK_SECONDS),$(shell echo $$(($(or $(SOAK_HOURS),1) * 3600))))

bench:
	@$(SETUP) build bench
	@$(SETUP) peers || true	# a figure says what it goes without
	@$(PRIVATE) release -- bash test/bench/run.sh

bench-quick:
	@$(SETUP) build bench
	@BENCH_FIGURES="quick single bulk fetch latency" BENCH_SECONDS=$${BENCH_SECONDS:-2} \
		BENCH_ROWS=$${BENCH_ROWS:-300000} $(PRIVATE) release -- bash test/bench/run.sh

# The results replace those of test/bench/results.
bench-peers:
	@$(SETUP) build bench plots
	@bash test/bench/peers/get.sh
	@$(PRIVATE) release -- python3 test/bench/peers/run.py
	@mkdir -p test/bench/results
	@cp "$$($(PRIVATE) release -- printenv STAGE | tail -n 1)"/out/peers/* test/bench/results/

# The quick form; BENCH_KAFKA=full is the other.
bench-kafka:
	@$(SETUP) build bench-kafka
	@bash test/bench/peers/get.sh load kafka
	@$(PRIVATE) release -- python3 test/bench/kafka/run.py

stage:
	@$(SETUP) build
	@$(PRIVATE) release test

format:
	@$(SETUP) style
	clang-format-14 --style=file -i $(wildcard src/*.[ch] src/*/*.[ch])

# Goals of the other half of this file, named together with ours.
OTHERS = $(filter-out $(HOUSE),$(MAKECMDGOALS))
ifneq (,$(OTHERS))
.PHONY: $(OTHERS)
$(OTHERS):
	@$(MAKE) $@
endif

else

EXTENSION   = kstream
EXTVERSION  = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)
MODULE_big  = $(EXTENSION)
SRCS        = $(sort $(wildcard src/*.c src/*/*.c))
OWN_HEADERS = $(sort $(wildcard src/*.h src/*/*.h))
OBJS        = $(SRCS:.c=.o)

PG_CPPFLAGS = -I$(srcdir)/src -DKSTREAM_VERSION='"$(EXTVERSION)"'
ifdef DEBUG_POINTS
PG_CPPFLAGS += -DKSTREAM_DEBUG_POINTS
endif

# PostgreSQL's own headers and calling convention leave parameters unused and
# fields out of initializers; everything else of -Wextra is on.
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
SHLIB_LINK  = -lz -llz4 -lzstd -lsnappy

# The install script is the parts of src/sql in the order of their numbers.
INSTALL_SQL = src/sql/$(EXTENSION)--$(EXTVERSION).sql
DATA_built  = $(INSTALL_SQL)
DATA        = $(wildcard src/sql/upgrade/$(EXTENSION)--*.sql)

NO_INSTALLCHECK = 1	# defined below: the library must be preloaded
TESTOUT    ?= $(CURDIR)/test/output
EXTRA_CLEAN = test/output

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(wildcard $(PGXS)))
$(error PostgreSQL's extension makefile was not found through "$(PG_CONFIG)": install postgresql-server-dev-15 or name another PG_CONFIG)
endif

# Bitcode is wanted by PostgreSQL's JIT only; without clang do without it.
PG_CLANG := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq (,$(shell command -v $(PG_CLANG) 2>/dev/null))
override with_llvm = no
endif

include $(PGXS)

# PGXS tracks no headers in Debian's build, so every object follows them all.
$(OBJS) $(OBJS:.o=.bc): $(OWN_HEADERS)

$(INSTALL_SQL): $(sort $(wildcard src/sql/[0-9]*.sql)) $(EXTENSION).control
	cat $(filter %.sql,$^) > $@

# Every suite starts a server of its own; initdb refuses root, so step down to
# a user who must be able to read this directory.  The tests that stop at a
# debug point need a library built with DEBUG_POINTS=1.
.PHONY: installcheck
installcheck:
	mkdir -p '$(TESTOUT)'
	step=; if [ "$$(id -u)" = 0 ]; then chown postgres '$(TESTOUT)'; step='runuser -u postgres --'; fi; \
	$$step env OUT='$(TESTOUT)' BINDIR='$(bindir)' PGXS='$(PGXS)' \
		bash test/run_all.sh regress isolation tap

endif
