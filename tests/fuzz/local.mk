# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A new target tests/fuzz/x.c (it defines LLVMFuzzerTestOneInput) is one line
# here: fuzz_targets += %D%/x
# Its inputs lie in tests/fuzz/corpus/x/ and are replayed by `make check`.

fuzz_targets =

check_PROGRAMS += $(fuzz_targets)

check_LTLIBRARIES += %D%/libdriver.la
tests_fuzz_libdriver_la_SOURCES = %D%/driver.h
if FUZZ
# libFuzzer brings its own main.
$(fuzz_targets): AM_LDFLAGS += -fsanitize=fuzzer
else
tests_fuzz_libdriver_la_SOURCES += %D%/driver.c
endif
