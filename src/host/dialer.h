/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * dialer: how a host gets a pipe to an address: a TCP dial, or in a
 * simulation a memory link.
 */
#ifndef ADIT_HOST_DIALER_H
#define ADIT_HOST_DIALER_H

#include "net/dial.h"

struct adit_dialer {
    /* As adit_dial_start; *op is what _cancel takes. */
    adit_err (*start)(void *ctx, const struct adit_dial_config *cfg,
                      adit_dial_fn *fn, void *fn_ctx, void **op);
    void (*cancel)(void *ctx, void *op);
    void *ctx;
};

#endif
