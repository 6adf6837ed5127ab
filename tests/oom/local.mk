# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new tests/oom/x.c is one line here: check_PROGRAMS += %D%/x
# Helpers that several of them share: tests_oom_liboom_la_SOURCES += %D%/y.c
check_LTLIBRARIES += %D%/liboom.la
tests_oom_liboom_la_SOURCES =
check_PROGRAMS += %D%/exchange
%C%_exchange_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
check_PROGRAMS += %D%/ruled
%C%_ruled_SOURCES = %D%/ruled.c tests/sim/fakes.c tests/sim/fakes.h
%C%_ruled_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
