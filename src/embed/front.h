/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * front: the user's side of a node: handles, and the queue of what he is to
 * be told.  The worker's side is back.h.
 *
 * Whether the worker has a thread of its own or lives in the user's event
 * loop, the two sides share nothing that changes.  Down go messages to the
 * worker's mailbox, up go notes to the outbox; both lie inside what they
 * are about, so that sending cannot fail.
 */
#ifndef ADIT_EMBED_FRONT_H
#define ADIT_EMBED_FRONT_H

#include "adit/adit.h"
#include "embed/back.h"
#include "embed/handle.h"
#include "embed/cross.h"
#include "loop/mailbox.h"

#include <pthread.h>

enum adit_front_state {
    ADIT_FRONT_NEW,
    ADIT_FRONT_STARTED,  /* on a thread of ours */
    ADIT_FRONT_ATTACHED, /* in the user's event base */
};

struct adit_node_handle {
    enum adit_front_state state;
    struct adit_events ev;
    struct adit_config_handle config;
    struct adit_identity id;
    struct adit_metrics metrics;          /* atomics */
    struct adit_list streams;             /* struct adit_stream_handle.link */
    struct adit_mailbox outbox;           /* once running */
    struct adit_msg *early, **early_tail; /* before it runs */
    bool is_dispatching;
    bool is_deaf;   /* freed, or being freed: nobody is told anything */
    bool is_doomed; /* freed from a callback: goes when that returns */
    bool has_thread;
    pthread_t thread;
    struct adit_task task; /* attached: dispatch at the end of a turn */
    char why[ADIT_NODE_WHY_BYTES];
    struct adit_back back; /* the worker's, once it runs */
};

/* Owned bytes on their way: up as received, down as credit for that; or
 * down as written, up as room for that. */
struct adit_piece {
    struct adit_msg msg;   /* down */
    struct adit_note note; /* up */
    struct adit_piece *next;
    struct adit_stream_handle *s;
    struct adit_left left; /* up: of its connection */
    size_t off, n;         /* what is not read, or not written, yet */
    size_t cap;
    uint8_t head[16]; /* dead bytes, for a frame's header */
    uint8_t data[];
};

/* Longer ones are cut; our own sentences are shorter. */
#define ADIT_WHY_BYTES 192

/*
 * A stream, both its sides; each touches its own half.  It goes when the user
 * has said bye, and the worker, after that, that it is gone.
 */
struct adit_stream_handle {
    adit_node *node;
    struct adit_list link;
    struct adit_stream_events ev;
    void *user;
    struct adit_piece *rx, **rx_tail;
    size_t tx_bytes; /* written by the user, not yet by the worker */
    struct adit_conn_note *conn; /* owned; NULL: not known */
    struct adit_left left;
    bool rx_fin, tx_fin, is_dead;
    bool wants_room;
    bool is_closed; /* by the user: it is only waited for its end */
    bool is_gone;   /* the worker's half is over */
    bool is_kicked; /* `kick` is in the outbox */
    adit_err err;
    char why[ADIT_WHY_BYTES];
    struct adit_note kick; /* look again what there is to tell */
    struct adit_msg finish, bye;
    bool bye_is_abort;
    struct adit_bstream b;
    char protocol[];
};

/* Unwritten bytes of one stream. */
#define ADIT_STREAM_ROOM_BYTES 262144

/* Send to the worker; kept until there is one. */
void adit_front_post(adit_node *n, struct adit_msg *m,
                     void (*fn)(struct adit_worker *w, struct adit_msg *m));

/* Tell the user, later.  From either side. */
void adit_front_note(adit_node *n, struct adit_note *note,
                     void (*fn)(adit_node *n, struct adit_note *note));

/* NULL: no memory.  `protocol` is copied. */
adit_stream *adit_front_stream_new(adit_node *n, const char *protocol,
                                   size_t protocol_bytes);
void adit_front_stream_free(adit_stream *s);

/* What the worker tells of a stream: its notes. */
void adit_front_on_inbound(adit_node *n, struct adit_note *note);
void adit_front_on_conn(adit_node *n, struct adit_note *note);
void adit_front_on_left(adit_node *n, struct adit_note *note);
void adit_front_on_open(adit_node *n, struct adit_note *note);
void adit_front_on_data(adit_node *n, struct adit_note *note);
void adit_front_on_room(adit_node *n, struct adit_note *note);
void adit_front_on_fin(adit_node *n, struct adit_note *note);
void adit_front_on_failed(adit_node *n, struct adit_note *note);
void adit_front_on_gone(adit_node *n, struct adit_note *note);

#endif
