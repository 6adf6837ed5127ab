/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* proxies: the balancers of listen.proxy_from, as a list of subnets. */
#ifndef ADIT_HOST_PROXIES_H
#define ADIT_HOST_PROXIES_H

#include "net/addr.h"
#include "policy/acl.h"

#define ADIT_PROXIES_WHY_BYTES 256

/*
 * From the option's text; *out is NULL if it names nobody.  Free it with
 * adit_acl_free.  ADIT_EINVAL, ADIT_ENOMEM: `why` begins with the option.
 */
ADIT_MUST_USE adit_err adit_proxies_new(struct adit_mem *mem,
                                        const struct adit_rng *rng,
                                        const char *list,
                                        struct adit_acl **out,
                                        char why[ADIT_PROXIES_WHY_BYTES]);

/* `a` may be NULL: nobody. */
bool adit_proxies_has(const struct adit_acl *a, const struct adit_endpoint *e);

#endif
