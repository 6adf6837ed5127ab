/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "host/proxies.h"

#include "base/opt.h"

adit_err
adit_proxies_new(struct adit_mem *mem, const struct adit_rng *rng,
                 const char *list, struct adit_acl **out,
                 char why[ADIT_PROXIES_WHY_BYTES])
{
    char text[ADIT_ACL_WHY_BYTES] = "out of memory";
    struct adit_acl *a = NULL;
    const char *item = "";
    size_t at = 0, n = adit_opt_item(list, &at, &item);
    adit_err e = ADIT_OK;

    if (n > 0)
        e = adit_acl_new(mem, rng, &a);
    while (e == ADIT_OK && n > 0) {
        e = adit_acl_add(a, adit_slice(item, n), ADIT_ACL_SUBNETS, 0, text);
        if (e == ADIT_OK)
            n = adit_opt_item(list, &at, &item);
    }
    if (e != ADIT_OK) {
        snprintf(why, ADIT_PROXIES_WHY_BYTES, "listen.proxy_from: '%.*s': %s",
                 (int)ADIT_MIN(n, (size_t)80), item, text);
        adit_acl_free(a);
        return e;
    }
    *out = a;
    return ADIT_OK;
}

bool
adit_proxies_has(const struct adit_acl *a, const struct adit_endpoint *e)
{
    return a != NULL && adit_acl_ip(a, adit_endpoint_ip(e)) != ADIT_ACL_NONE;
}
