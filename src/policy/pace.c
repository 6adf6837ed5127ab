/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/pace.h"

#include "base/slice.h"

#define HOUR_US (3600 * ADIT_S)

/* Keys that one request forgets at most: more than it adds, so that none
 * whose bucket is full stays, and few enough that no turn is long. */
#define FORGET_A_CALL 8

struct key {
    struct adit_map_node node;
    struct adit_heap_node full; /* when its bucket is */
    uint8_t n;
    uint8_t b[];
};

static struct key *
key_of(struct adit_map_node *n)
{
    return ADIT_CONTAINER_OF(n, struct key, node);
}

static bool
has_key(const struct adit_map_node *n, struct adit_slice key)
{
    const struct key *k = ADIT_CONTAINER_OF(n, const struct key, node);

    return adit_slice_eq(adit_slice(k->b, k->n), key);
}

static size_t
key_bytes(size_t n)
{
    return ADIT_MAX(sizeof(struct key), offsetof(struct key, b) + n);
}

static struct key *
find(const struct adit_pace *p, struct adit_slice key)
{
    struct adit_map_node *n = adit_map_get(&p->keys, key, has_key);

    return n != NULL ? key_of(n) : NULL;
}

static void
forget(struct adit_pace *p, struct key *k)
{
    adit_heap_remove(&p->full, &k->full);
    adit_map_remove(&p->keys, &k->node);
    adit_mem_free(p->mem, k, key_bytes(k->n));
}

static void
forget_full(struct adit_pace *p, struct adit_instant now)
{
    struct adit_heap_node *n;

    for (int i = 0;
         i < FORGET_A_CALL && (n = adit_heap_min(&p->full)) != NULL &&
         (adit_instant_is_due(n->due, now) || p->keys.n >= ADIT_PACE_MAX_KEYS);
         i++)
        forget(p, ADIT_CONTAINER_OF(n, struct key, full));
}

/* In how long one request more is free; rounded up, so that an hour never
 * has more than it may. */
static int64_t
each_us(uint32_t per_hour)
{
    return (HOUR_US + per_hour - 1) / per_hour;
}

adit_err
adit_pace_init(struct adit_pace *p, struct adit_mem *mem,
               const struct adit_rng *rng)
{
    *p = (struct adit_pace){ .mem = mem };
    adit_heap_init(&p->full, mem);
    return adit_map_init(&p->keys, mem, rng);
}

void
adit_pace_fini(struct adit_pace *p)
{
    struct adit_heap_node *n;

    while ((n = adit_heap_min(&p->full)) != NULL)
        forget(p, ADIT_CONTAINER_OF(n, struct key, full));
    adit_heap_fini(&p->full);
    adit_map_fini(&p->keys);
    *p = (struct adit_pace){ 0 };
}

/* Begin with a bucket that was full until it is charged up to `full`. */
static adit_err
add(struct adit_pace *p, struct adit_slice key, struct adit_instant full)
{
    struct key *k = adit_mem_alloc(p->mem, key_bytes(key.n));

    if (k == NULL)
        return ADIT_ENOMEM;
    if (adit_heap_set(&p->full, &k->full, full) != ADIT_OK) {
        adit_mem_free(p->mem, k, key_bytes(key.n));
        return ADIT_ENOMEM;
    }
    k->n = (uint8_t)key.n;
    memcpy(k->b, key.p, key.n);
    adit_map_add(&p->keys, key, &k->node);
    return ADIT_OK;
}

static void
move(struct adit_pace *p, struct key *k, struct adit_instant full)
{
    adit_err e = adit_heap_set(&p->full, &k->full, full);

    adit_assert(e == ADIT_OK); /* moving never fails */
}

adit_err
adit_pace_take(struct adit_pace *p, struct adit_slice key, uint32_t per_hour,
               struct adit_instant now, uint64_t *value, uint32_t *retry_s)
{
    struct adit_instant full, most;
    struct key *k;
    int64_t each;

    adit_assert(key.n > 0 && key.n <= ADIT_PACE_KEY_BYTES);
    if (per_hour == 0)
        return ADIT_OK;
    k = find(p, key);
    each = each_us(per_hour);
    full = k != NULL && k->full.due.us > now.us ? k->full.due : now;
    most = adit_instant_add(now, each * per_hour);
    if (adit_instant_add(full, each).us > most.us) {
        int64_t charged = adit_instant_sub(full, now);
        int64_t wait = adit_instant_sub(adit_instant_add(full, each), most);

        *value = (uint64_t)((charged + each - 1) / each) + 1;
        *retry_s = (uint32_t)ADIT_MIN((wait + ADIT_S - 1) / ADIT_S,
                                      (int64_t)UINT32_MAX);
        return ADIT_ELIMIT;
    }
    full = adit_instant_add(full, each);
    if (k != NULL) {
        move(p, k, full);
        return ADIT_OK;
    }
    forget_full(p, now);
    return add(p, key, full);
}

size_t
adit_pace_n(const struct adit_pace *p)
{
    return p->keys.n;
}
