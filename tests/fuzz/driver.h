/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What a fuzz target defines: libFuzzer's entry point.
 */
#ifndef ADIT_FUZZ_DRIVER_H
#define ADIT_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* Try `n` bytes at `p`.  Always 0; a finding is a crash. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#endif
