/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "net/net.h"

/* The muxers we offer inside Noise; yamux is the only one we speak. */
static const char *const muxers[] = { "/yamux/1.0.0" };

adit_err
adit_net_init(struct adit_net *n, struct adit_worker *w,
              const struct adit_net_config *cfg)
{
    adit_err e;

    *n = (struct adit_net){ .w = w, .cfg = *cfg };
    adit_list_init(&n->partials);
    adit_list_init(&n->stalled);
    e = adit_noise_static_make(&n->statik, cfg->identity, muxers,
                               cfg->early_muxer ? ADIT_NITEMS(muxers) : 0,
                               adit_worker_rng(w));
    if (e == ADIT_OK)
        e = adit_aead_new(adit_worker_mem(w), &n->aead);
    if (e != ADIT_OK)
        adit_net_fini(n);
    return e;
}

void
adit_net_fini(struct adit_net *n)
{
    if (n->aead != NULL)
        adit_aead_free(n->aead);
    n->aead = NULL;
    adit_noise_static_fini(&n->statik);
}
