# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Every test program speaks TAP (cmocka does when told so by the environment),
# so that `make check` prints one line per case.

# What every test program gets that does not say otherwise.
LDADD = $(check_LTLIBRARIES) src/admin/libadmin.la $(LIBADIT_RINGS) \
	$(INIH_LIBS) $(JANSSON_LIBS) $(LIBADIT_DEPS) $(CMOCKA_LIBS)

AM_TESTS_ENVIRONMENT = \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	srcdir='$(srcdir)'; export srcdir; \
	abs_top_srcdir='$(abs_top_srcdir)'; export abs_top_srcdir; \
	abs_top_builddir='$(abs_top_builddir)'; export abs_top_builddir; \
	PYTHON3='$(PYTHON3)'; export PYTHON3; \
	NM='$(NM)'; export NM; \
	CC='$(CC)'; export CC; \
	CLANG_FORMAT='$(CLANG_FORMAT)'; export CLANG_FORMAT; \
	headers_CPPFLAGS='-D_GNU_SOURCE -I$(abs_top_srcdir)/src -I$(abs_top_srcdir)/src/include -I$(abs_top_builddir) -I$(abs_top_srcdir)'; \
	export headers_CPPFLAGS; \
	fuzz_targets='$(fuzz_targets)'; export fuzz_targets;

tap_driver = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh

TEST_EXTENSIONS = .sh
LOG_DRIVER = $(tap_driver)
SH_LOG_DRIVER = $(tap_driver)
# A test that hangs is a failed one.
LOG_COMPILER = $(BASH_PATH) $(srcdir)/tests/tap.sh timeout -k 10 600
SH_LOG_COMPILER = timeout -k 10 600 $(BASH_PATH)

# Those test programs that have threads, for the TSan lane.
thread_tests =

EXTRA_DIST += %D%/tap.sh %D%/integ/run %D%/image/run.sh

# The image and the compose file; needs a Docker, so it is no part of check.
check-image: adit
	abs_top_srcdir='$(abs_top_srcdir)' abs_top_builddir='$(abs_top_builddir)' \
	  $(BASH_PATH) $(srcdir)/tests/image/run.sh
.PHONY: check-image
EXTRA_DIST += %D%/integ/world.py %D%/integ/config.py %D%/integ/daemon.py
EXTRA_DIST += %D%/integ/tool.py %D%/integ/balancer.py %D%/integ/door.py
EXTRA_DIST += %D%/integ/limits.py %D%/integ/traffic.py %D%/integ/books.py
EXTRA_DIST += %D%/integ/mishaps.py

include tests/unit/local.mk
include tests/sim/local.mk
include tests/fuzz/local.mk
include tests/oom/local.mk
include tests/integ/local.mk
include tests/checks/local.mk

TESTS += $(check_PROGRAMS)

check-threads: $(thread_tests)
	$(MAKE) check-TESTS TESTS='$(thread_tests)'
.PHONY: check-threads
