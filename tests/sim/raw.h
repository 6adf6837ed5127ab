/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * raw: a stranger on a memory link, every byte of whose is the test's.
 *
 * It can do the upgrade properly, and then frames Yamux by hand: whatever
 * header, whatever body.  What the node answers is kept by stream.  It obeys
 * no window, grants none unless told to, and may stop reading.
 */
#ifndef ADIT_TESTS_SIM_RAW_H
#define ADIT_TESTS_SIM_RAW_H

#include "net/upgrade.h"
#include "wire/circuit/status.h"
#include "world.h"

enum { RAW_DATA, RAW_WINDOW, RAW_PING, RAW_GOAWAY }; /* frame types */
enum { RAW_SYN = 1, RAW_ACK = 2, RAW_FIN = 4, RAW_RST = 8 };

#define RAW_HOP "/libp2p/circuit/relay/0.2.0/hop"
#define RAW_STOP "/libp2p/circuit/relay/0.2.0/stop"

/* What strangers share: keys and a worker that does nothing. */
struct raw_kit {
    struct sim_world *w;
    struct adit_mem mem;
    struct adit_worker *worker;
    struct adit_metrics metrics;
    struct adit_identity identity;
    struct adit_net net;
    uint64_t rng;
};

struct raw_stream {
    uint32_t id;
    bool is_inbound; /* the node opened it */
    bool agreed;     /* its protocol, by us, without a look */
    bool answered;   /* with stop_reply */
    bool fin, rst;   /* by the node */
    uint32_t code;
    uint64_t n_total; /* bytes that came */
    uint64_t ungranted;
    size_t n, cap; /* the first of them */
    uint8_t *b;
};

struct raw {
    struct raw_kit *kit;
    struct adit_pipe *pipe; /* NULL: closed */
    struct adit_upgrade *up;
    struct adit_noise_key tx, rx;
    bool is_secured, is_ready, is_over, is_garbled;
    bool grants; /* window, for all that comes */
    bool has_goaway;
    uint32_t goaway;
    const uint8_t *stop_reply; /* to each stream the node opens */
    size_t n_stop_reply;
    uint32_t next_id;
    uint8_t *out; /* the link has no room for it yet */
    size_t n_out, out_cap;
    uint8_t *in; /* not decrypted yet */
    size_t n_in, in_cap;
    uint8_t hdr[12];
    size_t n_hdr;
    uint32_t body_left, cur;
    struct raw_stream **streams;
    size_t n_streams;
    size_t n_pongs;
};

void raw_kit_init(struct raw_kit *k, struct sim_world *w);
void raw_kit_fini(struct raw_kit *k);

/* Connected; `upgrade`: and on its way to be secured.  From 10.`addr`. */
struct raw *raw_new(struct raw_kit *k, struct sim_node *to, uint32_t addr,
                    bool upgrade);
/* The same, secured; asserts that it worked. */
struct raw *raw_ready(struct raw_kit *k, struct sim_node *to, uint32_t addr);
/* Gone: in order, or by a broken link.  NULL is fine. */
void raw_free(struct raw *r, bool abort);

/* Forget what was heard on its streams. */
void raw_forget(struct raw *r);

void raw_bytes(struct raw *r, const void *p, size_t n);
/* A Noise frame. */
void raw_noise(struct raw *r, const void *p, size_t n);
/* The same, all but its last `less` bytes. */
void raw_noise_cut(struct raw *r, const void *p, size_t n, size_t less);
void raw_frame(struct raw *r, unsigned type, unsigned flags, uint32_t id,
               uint32_t len, const void *body, size_t n);
/* Stop or resume reading; the link fills up. */
void raw_deaf(struct raw *r, bool deaf);

/* Open a stream and propose `protocol`; its id. */
uint32_t raw_open(struct raw *r, const char *protocol);
void raw_data(struct raw *r, uint32_t id, const void *p, size_t n);

/* NULL: nothing was heard of it. */
struct raw_stream *raw_stream(struct raw *r, uint32_t id);
/* What came behind the agreed protocol; n = 0: nothing yet. */
struct adit_slice raw_answer(struct raw *r, uint32_t id, const char *protocol);
/* The status in the hop answer on `id`; 0: none yet. */
uint32_t raw_status(struct raw *r, uint32_t id);

/* Open a hop stream and ask; its id.  `raw_status` tells. */
uint32_t raw_reserve(struct raw *r);
uint32_t raw_connect(struct raw *r, const struct adit_peerid *dst);

/* Run the world until the stream is answered, or over; its status. */
uint32_t raw_wait(struct raw *r, uint32_t id);
/* Run the world until this connection is over.  False: it lives. */
bool raw_wait_over(struct raw *r, int64_t us);

/* Yes to a STOP. */
extern const uint8_t raw_stop_ok[5];

#endif
