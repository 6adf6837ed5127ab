# SPDX-License-Identifier: Apache-2.0 OR MIT
# Programs that tests/integ/run and books use beside aditd and adit.
noinst_PROGRAMS += %D%/churn
tests_integ_churn_SOURCES = %D%/churn.c
tests_integ_churn_LDADD = libadit.la $(LIBEVENT_LIBS)
noinst_PROGRAMS += %D%/load
tests_integ_load_SOURCES = %D%/load.c
tests_integ_load_LDADD = $(LIBADIT_RINGS) $(LIBADIT_DEPS)
# For LD_PRELOAD; -rpath makes libtool build a shared one though it is not
# installed.
noinst_LTLIBRARIES += %D%/clock.la
tests_integ_clock_la_SOURCES = %D%/clock.c
tests_integ_clock_la_CFLAGS = $(AM_CFLAGS)
tests_integ_clock_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
