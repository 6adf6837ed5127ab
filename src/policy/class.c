/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/class.h"

_Static_assert(ADIT_ANNOUNCED_S % 1000 != 0, "it is read as seconds");
_Static_assert(ADIT_MAX_CLASSES <= 32, "a class is a bit of may_dial");
_Static_assert(ADIT_MAX_CLASSES < ADIT_NO_CLASS, "it is none of them");

bool
adit_class_may_dial(const struct adit_class *v, uint8_t src, uint8_t dst)
{
    return (v[src].may_dial >> dst & 1) != 0 &&
           (v[dst].dialled_by >> src & 1) != 0;
}

struct adit_circuit_terms
adit_class_terms(const struct adit_class *c)
{
    struct adit_circuit_terms t = {
        .duration_s = c->circuit_s,
        .data_bytes = c->circuit_bytes,
        .bytes_s = c->circuit_bytes_s,
    };

    if (c->announce_limit && t.duration_s == 0)
        t.duration_s = ADIT_ANNOUNCED_S;
    if (c->announce_limit && t.data_bytes == 0)
        t.data_bytes = ADIT_ANNOUNCED_BYTES;
    return t;
}

static uint64_t
narrower(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 ? a + b : ADIT_MIN(a, b);
}

struct adit_circuit_terms
adit_terms_narrow(struct adit_circuit_terms a, struct adit_circuit_terms b)
{
    return (struct adit_circuit_terms){
        .duration_s = (uint32_t)narrower(a.duration_s, b.duration_s),
        .data_bytes = narrower(a.data_bytes, b.data_bytes),
        .bytes_s = narrower(a.bytes_s, b.bytes_s),
    };
}

/* `announced` stands for none, and is said. */
static uint64_t
wider(uint64_t a, uint64_t b, uint64_t announced)
{
    if (a == announced || b == announced)
        return announced;
    return a == 0 || b == 0 ? 0 : ADIT_MAX(a, b);
}

struct adit_circuit_terms
adit_terms_join(struct adit_circuit_terms src, struct adit_circuit_terms dst,
                bool is_wider)
{
    if (!is_wider)
        return adit_terms_narrow(src, dst);
    return (struct adit_circuit_terms){
        .duration_s =
            (uint32_t)wider(src.duration_s, dst.duration_s, ADIT_ANNOUNCED_S),
        .data_bytes =
            wider(src.data_bytes, dst.data_bytes, ADIT_ANNOUNCED_BYTES),
        .bytes_s = wider(src.bytes_s, dst.bytes_s, 0),
    };
}
