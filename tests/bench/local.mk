# SPDX-License-Identifier: Apache-2.0 OR MIT
# Measuring programs: built by `make bench` only, and never installed.
# A new tests/bench/x.c is one line here: bench_programs += %D%/x$(EXEEXT)
bench_programs = %D%/bareloop$(EXEEXT)
EXTRA_PROGRAMS += %D%/bareloop
%C%_bareloop_SOURCES = %D%/bareloop.c
%C%_bareloop_CFLAGS = $(RING_CFLAGS)
%C%_bareloop_LDADD = $(CRYPTO_LIBS)
bench_programs += %D%/yamux_bench$(EXEEXT)
EXTRA_PROGRAMS += %D%/yamux_bench
bench_programs += %D%/idle_slope$(EXEEXT)
EXTRA_PROGRAMS += %D%/idle_slope
%C%_idle_slope_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
%C%_idle_slope_LDADD = tests/sim/libsim.la $(LIBADIT_RINGS) $(LIBADIT_DEPS)
CLEANFILES += $(bench_programs)

# make bench BENCH_ARGS='--quick --json out.json'
bench: $(bench_programs) aditd$(EXEEXT)
	$(PYTHON3) $(srcdir)/%D%/run --builddir '$(abs_top_builddir)' $(BENCH_ARGS)
.PHONY: bench

EXTRA_DIST += %D%/run %D%/README.md \
	%D%/goload/go.mod %D%/goload/go.sum \
	%D%/goload/circuits.go %D%/goload/flood.go %D%/goload/frames.go \
	%D%/goload/host.go %D%/goload/idle.go %D%/goload/latency.go \
	%D%/goload/main.go %D%/goload/relay.go %D%/goload/setup.go \
	%D%/goload/shares.go
