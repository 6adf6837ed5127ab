# SPDX-License-Identifier: Apache-2.0 OR MIT
# Measuring programs: built by `make bench` only.
# A new tests/bench/x.c is one line here: EXTRA_PROGRAMS += %D%/x
EXTRA_PROGRAMS += %D%/bareloop

bench-programs: $(EXTRA_PROGRAMS)
.PHONY: bench-programs
