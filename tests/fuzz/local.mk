# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A new target tests/fuzz/x.c (it defines LLVMFuzzerTestOneInput, see driver.h)
# is one line here: fuzz_targets += %D%/x
# Its inputs lie in tests/fuzz/corpus/x/ and are replayed by `make check`.
# `make fuzz FUZZ_SECONDS=60` in a build with --enable-fuzz looks for more.

fuzz_targets =
fuzz_targets += %D%/envelope %D%/key %D%/maddr_bytes %D%/maddr_text
fuzz_targets += %D%/pb %D%/peerid
fuzz_targets += %D%/cipher %D%/lpm %D%/mss %D%/noise %D%/ping
fuzz_targets += %D%/hop_cli %D%/hop_srv %D%/stop_cli %D%/stop_srv
fuzz_targets += %D%/identify
EXTRA_DIST += %D%/trace.h
fuzz_targets += %D%/acl
fuzz_targets += %D%/yamux
fuzz_targets += %D%/proxy
fuzz_targets += %D%/http_head

EXTRA_PROGRAMS += $(fuzz_targets)
CLEANFILES += $(fuzz_targets)

check_LTLIBRARIES += %D%/libdriver.la
tests_fuzz_libdriver_la_SOURCES = %D%/driver.h
if FUZZ
# libFuzzer brings its own main, and speaks no TAP.
$(fuzz_targets): AM_LDFLAGS += -fsanitize=fuzzer
TESTS += %D%/replay.sh
%D%/replay.log: $(fuzz_targets)
else
tests_fuzz_libdriver_la_SOURCES += %D%/driver.c
TESTS += $(fuzz_targets)
endif

EXTRA_DIST += %D%/replay.sh %D%/script.h %D%/corpus

FUZZ_SECONDS = 10

# One case a target; a finding lies in fuzz-findings/ of the build directory.
fuzz: $(fuzz_targets)
	@$(AM_TESTS_ENVIRONMENT) FUZZ_SECONDS='$(FUZZ_SECONDS)' \
	  $(BASH_PATH) $(srcdir)/%D%/replay.sh
.PHONY: fuzz
