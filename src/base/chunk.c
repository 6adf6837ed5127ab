/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "base/chunk.h"

#include <string.h>

/*
 * Data bytes per class.  Small ones for control frames and partial frames
 * that have just begun; the fourth holds two Noise frames of 16 KiB, which
 * is what most peers send; the largest any Noise frame.
 */
static const uint32_t class_bytes[ADIT_CHUNK_N_CLASSES] = {
    464, 2000, 8144, 33088, ADIT_CHUNK_MAX_BYTES,
};

/* A queue's pieces grow up to this class, unless one frame needs more. */
#define GROW_CLASS 3u

/* Kept per class when free: enough for one busy turn, little when idle. */
#define MAX_WARM 16

void
adit_pool_init(struct adit_pool *p, struct adit_mem *mem, size_t cap_bytes)
{
    *p = (struct adit_pool){ .mem = mem, .cap_bytes = cap_bytes };
}

static size_t
chunk_bytes(unsigned cls)
{
    return sizeof(struct adit_chunk) + class_bytes[cls];
}

void
adit_pool_fini(struct adit_pool *p)
{
    adit_assert(p->used_bytes == 0);
    for (unsigned i = 0; i < ADIT_CHUNK_N_CLASSES; i++) {
        struct adit_chunk *k;

        while ((k = p->warm[i]) != NULL) {
            p->warm[i] = k->next;
            adit_mem_free(p->mem, k, chunk_bytes(i));
        }
        p->n_warm[i] = 0;
    }
}

bool
adit_pool_is_tight(const struct adit_pool *p)
{
    return p->used_bytes > p->cap_bytes - p->cap_bytes / 4;
}

static unsigned
class_for(size_t n)
{
    unsigned cls = 0;

    while (class_bytes[cls] < n)
        cls++;
    return cls;
}

static struct adit_chunk *
chunk_new(struct adit_pool *p, unsigned cls)
{
    struct adit_chunk *k;

    if (chunk_bytes(cls) > p->cap_bytes ||
        p->used_bytes > p->cap_bytes - chunk_bytes(cls))
        return NULL;
    k = p->warm[cls];
    if (k != NULL) {
        p->warm[cls] = k->next;
        p->n_warm[cls]--;
    } else {
        k = adit_mem_alloc(p->mem, chunk_bytes(cls));
        if (k == NULL)
            return NULL;
        k->cap = class_bytes[cls];
        k->cls = cls;
    }
    k->next = NULL;
    k->off = k->end = 0;
    p->used_bytes += chunk_bytes(cls);
    return k;
}

static void
chunk_free(struct adit_pool *p, struct adit_chunk *k)
{
    unsigned cls = k->cls;

    p->used_bytes -= chunk_bytes(cls);
    if (p->n_warm[cls] == MAX_WARM) {
        adit_mem_free(p->mem, k, chunk_bytes(cls));
        return;
    }
    k->next = p->warm[cls];
    p->warm[cls] = k;
    p->n_warm[cls]++;
}

uint8_t *
adit_chain_reserve(struct adit_chain *c, struct adit_pool *p, size_t n)
{
    struct adit_chunk *k = c->tail;
    unsigned cls, larger = 0;

    adit_assert(n <= ADIT_CHUNK_MAX_BYTES);
    if (k != NULL && k->cap - k->end >= n)
        return k->data + k->end;
    cls = class_for(n);
    /*
     * A queue that grows gets larger pieces: forty short frames then leave
     * in two writes of two pieces, not in five of eight.
     */
    if (k != NULL)
        larger = ADIT_MIN(k->cls + 1, GROW_CLASS);
    k = larger > cls ? chunk_new(p, larger) : NULL;
    if (k == NULL)
        k = chunk_new(p, cls);
    if (k == NULL)
        return NULL;
    if (c->tail != NULL)
        c->tail->next = k;
    else
        c->head = k;
    c->tail = k;
    return k->data;
}

void
adit_chain_commit(struct adit_chain *c, size_t n)
{
    adit_assert(c->tail != NULL && c->tail->cap - c->tail->end >= n);
    c->tail->end += (uint32_t)n;
    c->n_bytes += n;
}

adit_err
adit_chain_append(struct adit_chain *c, struct adit_pool *p,
                  struct adit_slice s)
{
    struct adit_chunk *tail = c->tail;
    uint32_t tail_end = tail != NULL ? tail->end : 0;
    size_t done = 0;

    while (done < s.n) {
        size_t room = c->tail != NULL ? c->tail->cap - c->tail->end : 0;
        size_t n = s.n - done;
        uint8_t *dst;

        if (room > 0)
            n = ADIT_MIN(n, room);
        n = ADIT_MIN(n, (size_t)ADIT_CHUNK_MAX_BYTES);
        dst = adit_chain_reserve(c, p, n);
        if (dst == NULL)
            break;
        memcpy(dst, s.p + done, n);
        adit_chain_commit(c, n);
        done += n;
    }
    if (done == s.n)
        return ADIT_OK;

    /* Undo: what was added lies behind the old tail. */
    for (struct adit_chunk *k = tail != NULL ? tail->next : c->head, *next;
         k != NULL; k = next) {
        next = k->next;
        chunk_free(p, k);
    }
    if (tail != NULL) {
        tail->next = NULL;
        tail->end = tail_end;
    } else {
        c->head = NULL;
    }
    c->tail = tail;
    c->n_bytes -= done;
    return ADIT_ELIMIT;
}

struct adit_mslice
adit_chain_peek(const struct adit_chain *c)
{
    for (struct adit_chunk *k = c->head; k != NULL; k = k->next)
        if (k->end > k->off)
            return (struct adit_mslice){ k->data + k->off, k->end - k->off };
    return (struct adit_mslice){ NULL, 0 };
}

size_t
adit_chain_gather(const struct adit_chain *c, struct adit_slice *v, size_t max)
{
    size_t n = 0;

    for (struct adit_chunk *k = c->head; k != NULL && n < max; k = k->next)
        if (k->end > k->off)
            v[n++] = adit_slice(k->data + k->off, k->end - k->off);
    return n;
}

void
adit_chain_drain(struct adit_chain *c, struct adit_pool *p, size_t n)
{
    adit_assert(n <= c->n_bytes);
    c->n_bytes -= n;
    for (;;) {
        struct adit_chunk *k = c->head;
        size_t have;

        if (k == NULL)
            return;
        have = k->end - k->off;
        if (n < have) {
            k->off += (uint32_t)n;
            return;
        }
        n -= have;
        c->head = k->next;
        if (c->head == NULL)
            c->tail = NULL;
        chunk_free(p, k);
    }
}

void
adit_chain_fini(struct adit_chain *c, struct adit_pool *p)
{
    adit_chain_drain(c, p, c->n_bytes);
}
