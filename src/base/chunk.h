/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * chunk: pooled pieces of memory for bytes that must wait.
 *
 * A chain is a byte queue made of chunks; an empty chain owns nothing.  The
 * pool has a cap in bytes: it is the node's promise of how much may wait in
 * all, and _is_tight() says when new work should be refused.  A few chunks
 * of each size are kept warm.  Thread: one owner per pool.
 */
#ifndef ADIT_BASE_CHUNK_H
#define ADIT_BASE_CHUNK_H

#include "base/mem.h"
#include "base/slice.h"

/* A Noise frame is at most 2 + 65,535 bytes; the largest class holds one. */
#define ADIT_CHUNK_MAX_BYTES 65600

#define ADIT_CHUNK_N_CLASSES 5

struct adit_chunk {
    struct adit_chunk *next;
    uint32_t off; /* first byte not yet drained */
    uint32_t end; /* one past the last byte written */
    uint32_t cap; /* bytes of data[] */
    uint32_t cls;
    uint8_t head[16]; /* dead bytes in front of data, for a frame's header */
    uint8_t data[];
};

struct adit_pool {
    struct adit_mem *mem;
    size_t cap_bytes;
    size_t used_bytes; /* in chains; the warm ones are not counted */
    struct adit_chunk *warm[ADIT_CHUNK_N_CLASSES];
    unsigned n_warm[ADIT_CHUNK_N_CLASSES];
};

struct adit_chain {
    struct adit_chunk *head, *tail;
    size_t n_bytes; /* readable */
};

void adit_pool_init(struct adit_pool *p, struct adit_mem *mem,
                    size_t cap_bytes);

/* Every chain must have been emptied. */
void adit_pool_fini(struct adit_pool *p);

/* Above three quarters of its cap: take on no new work. */
bool adit_pool_is_tight(const struct adit_pool *p);

/*
 * Make room for `n` contiguous bytes at the end, n <= ADIT_CHUNK_MAX_BYTES.
 *
 *   not NULL  write up to n bytes there, then call _commit
 *   NULL      the pool's cap, or memory, is used up; the chain is as it was
 */
uint8_t *adit_chain_reserve(struct adit_chain *c, struct adit_pool *p,
                            size_t n);

/* The first `n` bytes of what _reserve gave are now in the queue. */
void adit_chain_commit(struct adit_chain *c, size_t n);

/* Copy `s` to the end.  ADIT_ELIMIT: all or nothing, and it was nothing. */
ADIT_MUST_USE adit_err adit_chain_append(struct adit_chain *c,
                                         struct adit_pool *p,
                                         struct adit_slice s);

/*
 * The first contiguous readable bytes; empty if there are none.  They, and
 * the 16 bytes in front of them, may be written.  Borrowed until the next
 * call on the chain.
 */
struct adit_mslice adit_chain_peek(const struct adit_chain *c);

/* As _peek, but up to `max` pieces in order; returns how many. */
size_t adit_chain_gather(const struct adit_chain *c, struct adit_slice *v,
                         size_t max);

/* Forget the first `n` bytes, n <= n_bytes; chunks go back to the pool. */
void adit_chain_drain(struct adit_chain *c, struct adit_pool *p, size_t n);

/* Forget everything. */
void adit_chain_fini(struct adit_chain *c, struct adit_pool *p);

#endif
