/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * asn: the autonomous system of an address, by a database file in MaxMind's
 * format (GeoLite2-ASN.mmdb and its like).
 *
 * The library that reads it maps the file; nothing of it is seen outside.
 * Thread: one owner; looking up changes nothing.
 */
#ifndef ADIT_POLICY_ASN_H
#define ADIT_POLICY_ASN_H

#include "base/mem.h"
#include "base/slice.h"

struct adit_asn;

#define ADIT_ASN_WHY_BYTES 128

/*
 *   ADIT_EIO          it cannot be read; `why`
 *   ADIT_EINVAL       it is no such database, or one of something else
 *   ADIT_EUNSUPPORTED built without the library
 *   ADIT_ENOMEM
 */
ADIT_MUST_USE adit_err adit_asn_open(struct adit_mem *mem, const char *path,
                                     struct adit_asn **out,
                                     char why[ADIT_ASN_WHY_BYTES]);
/* NULL is fine. */
void adit_asn_close(struct adit_asn *a);

/* 0: unknown, or `a` is NULL. */
uint32_t adit_asn_of(const struct adit_asn *a, struct adit_slice ip);

#endif
