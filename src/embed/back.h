/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * back: the worker's side of a node that the public API made: it obeys the
 * messages that come down, and puts into notes what the host reports.
 *
 * Thread: the worker's, but for _start and _free, which run before its
 * thread is made and after it has ended.
 */
#ifndef ADIT_EMBED_BACK_H
#define ADIT_EMBED_BACK_H

#include "adit/adit.h"
#include "embed/cross.h"
#include "embed/inner.h"
#include "host/node.h"

struct adit_back;
struct adit_piece;

/* Where adit_open and adit_ping go to, parsed by the user's side. */
struct adit_target {
    struct adit_peerid peer;
    struct adit_maddr addr; /* n = 0: a bare /p2p/ID */
    struct adit_dial_options opt;
};

/* What is left of a limited connection. */
struct adit_left {
    uint64_t out_bytes, in_bytes; /* UINT64_MAX: no limit */
    int64_t ms;                   /* INT64_MAX: no limit */
};
#define ADIT_LEFT_ALL ((struct adit_left){ UINT64_MAX, UINT64_MAX, INT64_MAX })

/* The worker's half of a stream. */
struct adit_bstream {
    struct adit_back *back;
    struct adit_list link; /* in back's; unlinked: over, or not begun */
    struct adit_hstream *s;
    struct adit_hconn *hc; /* while `s` lives */
    struct adit_connect *connect;
    struct adit_target target; /* of adit_open */
    const char *protocol;      /* back's */
    struct adit_piece *tx, **tx_tail;
    size_t n_uncredited; /* told up, not yet read by the user */
    bool tx_fin, tx_fin_sent, rx_fin;
    bool is_leaving; /* the user said bye */
    bool is_over;    /* failed; nothing more is sent or told */
    struct adit_timer linger;
    struct adit_msg start;
    struct adit_note opened, fin, failed, gone;
    adit_err err;
    char why[192];
};

struct adit_back {
    adit_node *front; /* for its outbox */
    struct adit_worker *w;
    struct adit_node *node;
    struct adit_host *host;
    struct adit_mem mem;
    struct adit_log log;
    struct adit_host_watch watch;
    struct adit_list streams, pings, reserves, handlers, names, limited;
    struct adit_timer limit_timer, quit_timer;
    struct adit_instant quit_by;
    struct adit_msg quit;
    bool tells_conn, tells_conn_end, tells_peer, tells_limit;
    struct adit_annex annex; /* of another door; open NULL: none */
    bool has_annex;          /* it was opened */
    bool is_closed;
};

/*
 * Make worker and node; `lent` NULL: a base of its own.  Answers as
 * adit_node_start, with `why` filled in.
 */
struct adit_config_handle;
ADIT_MUST_USE adit_err adit_back_start(struct adit_back *b, adit_node *front,
                                       const struct adit_config_handle *cfg,
                                       const struct adit_identity *id,
                                       struct adit_metrics *metrics,
                                       struct event_base *lent, char *why);

/* What adit_node_reconfigure sends down; frees itself. */
struct adit_change_cmd {
    struct adit_msg msg;
    struct adit_back *b;
    struct adit_node_config cfg;
    struct adit_rules *rules; /* owned; NULL: it is no relay */
    enum adit_level level;    /* of log lines */
};
void adit_back_change(struct adit_worker *w, struct adit_msg *m);

/* End everything, at once. */
void adit_back_close(struct adit_back *b);
/* A message: when what was written is out, or soon, close and stop. */
void adit_back_quit(struct adit_worker *w, struct adit_msg *m);
/* After _close. */
void adit_back_free(struct adit_back *b);

/* A name that lives as long as the node; NULL: no memory. */
const char *adit_back_name(struct adit_back *b, const char *name);

/* Warn of the limits of `hc` if they are near; any connection will do. */
void adit_back_check_limit(struct adit_back *b, struct adit_hconn *hc);

/* ---- connecting (bdial.c) ------------------------------------------------ */

ADIT_MUST_USE adit_err adit_back_connect(struct adit_back *b,
                                         const struct adit_target *t,
                                         adit_connect_fn *fn, void *ctx,
                                         struct adit_connect **out,
                                         const char **why);

/* What adit_reserve, adit_handle and adit_ping send down. */
struct adit_reserve_cmd {
    struct adit_msg msg;
    struct adit_back *b;
    struct adit_maddr addr;
};
void adit_back_reserve(struct adit_worker *w, struct adit_msg *m);

struct adit_handle_cmd {
    struct adit_msg msg;
    struct adit_back *b;
    bool on_limited;
    size_t n; /* of name[], its NUL included */
    char name[];
};
void adit_back_handle(struct adit_worker *w, struct adit_msg *m);

struct adit_ping_cmd {
    struct adit_msg msg;
    struct adit_note note; /* its end */
    struct adit_back *b;
    struct adit_list link;
    struct adit_target target;
    unsigned count;
    int64_t gap_us;
    void *tag;
    struct adit_connect *connect;
    struct adit_pinging *pinging;
    adit_err err;
    char why[192];
};
void adit_back_ping(struct adit_worker *w, struct adit_msg *m);

/* End what these began; for _close. */
void adit_back_close_dials(struct adit_back *b);

/* ---- streams (bstream.c) -------------------------------------------------- */

/* Messages of a stream's front half. */
void adit_bstream_on_start(struct adit_worker *w, struct adit_msg *m);
void adit_bstream_on_write(struct adit_worker *w, struct adit_msg *m);
void adit_bstream_on_credit(struct adit_worker *w, struct adit_msg *m);
void adit_bstream_on_finish(struct adit_worker *w, struct adit_msg *m);
void adit_bstream_on_bye(struct adit_worker *w, struct adit_msg *m);

/* A peer opened one for a handler's protocol. */
void adit_bstream_accept(struct adit_back *b, struct adit_hstream *s);

/* For the node's end: forget the host. */
void adit_bstream_close_all(struct adit_back *b);
/* Does any still have bytes to send behind its user's back? */
bool adit_bstream_any_leaving(const struct adit_back *b);
/* Tell those on `hc` what is left of it. */
void adit_bstream_tell_left(struct adit_back *b, struct adit_hconn *hc);

#endif
