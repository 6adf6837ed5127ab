/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/class.h"

_Static_assert(ADIT_MAX_CLASSES <= 32, "a class is a bit of may_dial");
_Static_assert(ADIT_MAX_CLASSES < ADIT_NO_CLASS, "it is none of them");

bool
adit_class_may_dial(const struct adit_class *v, uint8_t src, uint8_t dst)
{
    return (v[src].may_dial >> dst & 1) != 0 &&
           (v[dst].dialled_by >> src & 1) != 0;
}

/* 0 is no limit: the widest of all. */
static uint64_t
join(uint64_t a, uint64_t b, bool wider)
{
    if (a == 0 || b == 0)
        return wider ? 0 : a + b;
    return wider ? ADIT_MAX(a, b) : ADIT_MIN(a, b);
}

/* Put the limits that are announced where there is none. */
static void
announce(struct adit_circuit_terms *t)
{
    if (t->duration_s == 0)
        t->duration_s = ADIT_ANNOUNCED_S;
    if (t->data_bytes == 0)
        t->data_bytes = ADIT_ANNOUNCED_BYTES;
}

struct adit_circuit_terms
adit_class_terms(const struct adit_class *c)
{
    return adit_class_join(c, c, false);
}

struct adit_circuit_terms
adit_class_join(const struct adit_class *src, const struct adit_class *dst,
                bool wider)
{
    struct adit_circuit_terms t = {
        .duration_s = (uint32_t)join(src->circuit_s, dst->circuit_s, wider),
        .data_bytes = join(src->circuit_bytes, dst->circuit_bytes, wider),
        .bytes_s = join(src->circuit_bytes_s, dst->circuit_bytes_s, wider),
    };

    if (src->announce_limit || dst->announce_limit)
        announce(&t);
    return t;
}
