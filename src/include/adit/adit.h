/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * adit: reach peers behind NAT through a relay, over libp2p's own protocols.
 *
 * A node has an identity, options by name, and events.  It runs either on a
 * thread of ours (adit_node_start; then poll adit_node_fd and call
 * adit_node_dispatch) or inside your libevent base (adit_node_attach; no
 * thread of ours at all).  Either way every event is called from one place,
 * with no lock held, and any function of this header may be called from it,
 * adit_node_free included.
 *
 * Thread: unless a comment says otherwise, every function on a node and on
 * what belongs to it is for one thread: the one that dispatches.
 * The library installs no signal handler and never raises SIGPIPE.  Threads:
 * the one of adit_node_start, named "adit"; its dependencies start none.
 */
#ifndef ADIT_ADIT_H
#define ADIT_ADIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <adit/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

typedef struct adit_config_handle adit_config;
typedef struct adit_key_handle adit_key;
typedef struct adit_node_handle adit_node;
typedef struct adit_stream_handle adit_stream;

/* "0.1.0"; static.  Any thread.    Since: 0.1 */
ADIT_API const char *adit_version(void);

/* ---- identity ----------------------------------------------------------- */

/* A peer id as text, and its NUL. */
#define ADIT_PEER_ID_BYTES 96

/* What a file holds; go-libp2p's key files are taken as they are. */

/*
 * A new Ed25519 key, from the system's randomness.  ADIT_ENOMEM.
 * Any thread.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_key_new(adit_key **out);

/*
 * Read a key file: libp2p's PrivateKey message, Ed25519.
 *
 *   ADIT_EIO     it cannot be read; errno tells why
 *   ADIT_EINVAL  it is no such key
 *   ADIT_ENOMEM
 *
 * Any thread.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_key_load(const char *path,
                                              adit_key **out);

/*
 * Write it, mode 0600; never over an existing file.  ADIT_EIO: errno tells
 * why (EEXIST: there is one).  Any thread.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_key_save(const adit_key *k,
                                              const char *path);

/* Its peer id ("12D3KooW...").  Any thread.    Since: 0.1 */
ADIT_API void adit_key_peer_id(const adit_key *k,
                               char out[ADIT_PEER_ID_BYTES]);

/* Wipes it.  NULL is fine.    Since: 0.1 */
ADIT_API void adit_key_free(adit_key *k);

/* ---- addresses ----------------------------------------------------------- */

/* Where and why a text is not a multiaddr. */
struct adit_addr_why {
    size_t size;      /* sizeof(struct adit_addr_why) */
    size_t at;        /* offset in the text */
    const char *what; /* static, half a sentence */
};

/*
 * Is `text` a multiaddr?  ADIT_EINVAL: *why (may be NULL) says where it is
 * wrong.  Any thread.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_addr_check(const char *text,
                                                struct adit_addr_why *why);

/* ---- configuration -------------------------------------------------------- */

/* All defaults.  NULL: no memory.  Any thread.    Since: 0.1 */
ADIT_API adit_config *adit_config_new(void);

/* NULL is fine.  A node keeps its own copy.    Since: 0.1 */
ADIT_API void adit_config_free(adit_config *cfg);

/*
 * Set an option by the name it has in the configuration file.
 *
 *   cfg    borrowed
 *   name   for example "reservation.ttl"
 *   value  text as the file has it: "90s", "1h", "128KiB", "yes"; copied
 *
 * ADIT_EINVAL for an unknown name or an unfit value; adit_config_why(cfg)
 * then says which in words.  ADIT_ENOMEM.
 *
 * Thread: any, one at a time per cfg.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_config_set(adit_config *cfg,
                                                const char *name,
                                                const char *value);

/*
 * The value of an option, as text that _set would take.  Returns its length;
 * at most cap - 1 of it and a NUL are written.  0 also for an unknown name.
 * Since: 0.1
 */
ADIT_API size_t adit_config_get(const adit_config *cfg, const char *name,
                                char *out, size_t cap);

/* What was wrong with the last _set; borrowed until the next.  Since: 0.1 */
ADIT_API const char *adit_config_why(const adit_config *cfg);

/* A row of the option table. */
struct adit_option {
    size_t size;      /* sizeof(struct adit_option), set by the caller */
    const char *name; /* "circuit.data_bytes" */
    const char *type; /* "bytes", "duration", "count", "yes/no", "text",
                          "address list" */
    const char *min;  /* NULL: none */
    const char *max;  /* NULL: none */
    const char *def;  /* as _set would take it */
    const char *unit; /* "" if the type says it all */
    const char *when; /* when a change takes effect: "start" or "reload" */
    const char *help; /* a sentence or two */
};

/*
 * The i-th option, from 0, in the order of the manual; all static.
 * ADIT_DONE: there are no more.  Any thread.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_option_at(size_t i,
                                               struct adit_option *out);

/* An option's name, "class.NAME.key" included, and its NUL. */
#define ADIT_OPTION_NAME_BYTES 96

/*
 * The i-th option that `cfg` has, from 0: those of adit_option_at, then those
 * of each class, "class.NAME.key"; its name as _set takes it into `name`.
 * ADIT_DONE: there are no more.  Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err
adit_config_at(const adit_config *cfg, size_t i,
               char name[ADIT_OPTION_NAME_BYTES], struct adit_option *out);

/*
 * As adit_config_get(), but for an option of a class that was not set the
 * value that then holds.  Since: 0.1
 */
ADIT_API size_t adit_config_resolve(const adit_config *cfg, const char *name,
                                    char *out, size_t cap);

/*
 * Sockets that somebody bound already (a service manager, the process before
 * us), for one node: each is listened on in place of the address of
 * listen.tcp that it is bound to (with port 0 there: any port).  One that
 * listen.tcp does not name, that is not TCP, or that takes both IPv4 and IPv6
 * keeps the node from starting, adit_node_why() says which.  The numbers are
 * copied; a node that starts closes them and keeps duplicates, one that does
 * not leaves them open.  A node that is to dial from the port it listens on
 * needs SO_REUSEPORT set on them.  ADIT_EFULL: more than eight.  Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_config_set_sockets(adit_config *cfg,
                                                        const int *fds,
                                                        size_t n);

enum adit_level {
    ADIT_LEVEL_ERROR,
    ADIT_LEVEL_WARN,
    ADIT_LEVEL_INFO,
    ADIT_LEVEL_DEBUG
};

/*
 * Where log lines go (`event key=value ...`, no newline, NUL-terminated);
 * default: nowhere.  Called with no lock held, from the node's thread; it
 * may call nothing of this library.  Lines above `level` are not made.
 * Since: 0.1
 */
ADIT_API void adit_config_set_log(adit_config *cfg, enum adit_level level,
                                  void (*sink)(void *ctx,
                                               enum adit_level level,
                                               const char *line),
                                  void *ctx);

/* ---- events --------------------------------------------------------------- */

/* A reservation on a relay. */
struct adit_reservation {
    size_t size;
    const char *relay;        /* its peer id */
    int64_t until_unix_s;     /* UTC */
    bool renewed;             /* it was held before */
    bool is_limited;          /* the two below apply */
    uint64_t limit_bytes;     /* each way, per circuit; 0: no limit */
    uint32_t limit_s;         /* per circuit; 0: no limit */
    const char *const *addrs; /* where others dial us, with our /p2p */
    size_t n_addrs;
};

/* A reservation that is not, or no longer, held. */
struct adit_reservation_lost {
    size_t size;
    const char *relay;
    adit_err why;
    const char *text;    /* half a sentence */
    uint32_t status;     /* the relay's, of circuit v2; 0: none came */
    int64_t retry_in_ms; /* the next try */
};

/* A connection to a peer. */
struct adit_conn_info {
    size_t size;
    uint64_t id;       /* never used twice in a node */
    const char *peer;  /* its peer id */
    const char *addr;  /* where it is, or the circuit's address */
    const char *relay; /* the relay's peer id; NULL: direct */
    bool is_inbound;
    bool is_limited; /* a relay limits it; the three below apply */
    uint64_t left_out_bytes, left_in_bytes; /* UINT64_MAX: no limit */
    int64_t left_ms;                        /* INT64_MAX: no limit */
};

/* What a peer says of itself. */
struct adit_peer_info {
    size_t size;
    uint64_t conn; /* over which connection it said so */
    const char *peer;
    const char *agent;    /* printable ASCII; the rest is replaced */
    const char *observed; /* our address as it sees us; "" if unknown */
    const char *const *protocols;
    size_t n_protocols;
    const char *const *addrs;
    size_t n_addrs;
};

/*
 * What the node tells its owner.  Start from ADIT_EVENTS_INIT and fill in
 * what you want; an entry left NULL is skipped.  New entries are only ever
 * added at the end, and `size` tells the library how far yours goes.
 * Pointers are borrowed for the call.
 */
struct adit_events {
    size_t size;
    void *ctx; /* handed back as the first argument; never touched */
    /* It serves: these are its own addresses, each with its /p2p. */
    void (*on_ready)(void *ctx, adit_node *n, const char *const *addrs,
                     size_t n_addrs);
    /* A peer opened a stream for a protocol of adit_handle().  `s` is yours
     * from here on: end it with adit_stream_close(). */
    void (*on_stream)(void *ctx, adit_node *n, adit_stream *s);
    void (*on_reserved)(void *ctx, adit_node *n,
                        const struct adit_reservation *r);
    void (*on_reservation_lost)(void *ctx, adit_node *n,
                                const struct adit_reservation_lost *r);
    void (*on_conn)(void *ctx, adit_node *n, const struct adit_conn_info *c);
    void (*on_conn_end)(void *ctx, adit_node *n,
                        const struct adit_conn_info *c, adit_err why,
                        const char *text);
    void (*on_peer)(void *ctx, adit_node *n, const struct adit_peer_info *p);
    /* A limited connection nears its end: a fifth, or ten seconds, is left.
     * Once per connection. */
    void (*on_limit_near)(void *ctx, adit_node *n,
                          const struct adit_conn_info *c);
    /* One answer to adit_ping(), or with `why` not ADIT_OK its end. */
    void (*on_ping)(void *ctx, adit_node *n, void *tag, adit_err why,
                    const char *text, int64_t rtt_us);
    /* The node's thread cannot go on; free the node. */
    void (*on_failed)(void *ctx, adit_node *n, adit_err why, const char *text);
};
#define ADIT_EVENTS_INIT                                                      \
    {                                                                         \
        sizeof(struct adit_events), NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
            NULL, NULL, NULL, NULL                                            \
    }

/* ---- node ------------------------------------------------------------------ */

/*
 * A node, not running yet.  `cfg`, `key` and `ev` are copied.
 *
 *   ADIT_EINVAL  options that do not go together; adit_config_why(cfg)
 *   ADIT_ENOMEM
 *
 * Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_node_new(adit_config *cfg,
                                              const adit_key *key,
                                              const struct adit_events *ev,
                                              adit_node **out);

/*
 * Run on a thread of ours.  Listeners are bound before it returns.
 *
 *   ADIT_EFULL ADIT_EDENIED ADIT_EUNREACHABLE  a listen address is in use,
 *                needs a privilege, or is not ours; adit_node_why() says
 *   ADIT_EINVAL  a socket of adit_config_set_sockets() does not fit
 *   ADIT_EIO     no thread, no descriptors
 *   ADIT_ESTATE  it runs already
 *
 * Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_node_start(adit_node *n);

/*
 * Run inside `base`, which must outlive the node; no thread of ours.  The
 * events come from within your event loop; _fd and _dispatch are not needed.
 * Answers as adit_node_start().    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_node_attach(adit_node *n,
                                                 struct event_base *base);

/*
 * Change the options of a running node: those whose `when` is "reload" take
 * effect at once and together, and so does the level of adit_config_set_log;
 * the others stay as they are, the log's sink too.  The files that options
 * name are read within this call.  Connections, reservations and
 * circuits that are open stay, within the limits they were told.
 *
 *   ADIT_EINVAL  adit_config_why(cfg) says what is wrong; nothing changed
 *   ADIT_ENOMEM  likewise
 *   ADIT_ESTATE  it does not run
 *
 * Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_node_reconfigure(adit_node *n,
                                                      adit_config *cfg);

/*
 * A descriptor that polls readable when adit_node_dispatch() has work; -1
 * unless started.  Borrowed: never read, write or close it.    Since: 0.1
 */
ADIT_API int adit_node_fd(const adit_node *n);

/* Deliver what waits and return; never blocks.    Since: 0.1 */
ADIT_API void adit_node_dispatch(adit_node *n);

/* Why it could not be started; never NULL.    Since: 0.1 */
ADIT_API const char *adit_node_why(const adit_node *n);

/*
 * NULL is fine.  Ends its connections and streams, says goodbye where it
 * can, waits for its thread (well under a second), which sees off what was
 * written to streams that were closed; attached, only what the sockets take
 * at once.  No event is delivered after the return.  Streams are gone with
 * it.    Since: 0.1
 */
ADIT_API void adit_node_free(adit_node *n);

/* Its peer id.    Since: 0.1 */
ADIT_API void adit_node_peer_id(const adit_node *n,
                                char out[ADIT_PEER_ID_BYTES]);

/*
 * Hold a reservation on the relay at `addr` (which names it by /p2p) for as
 * long as the node lives: renewed, and taken again after whatever happens.
 * Events tell.  ADIT_EINVAL: not such an address; ADIT_ENOMEM.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_reserve(adit_node *n, const char *addr);

/*
 * Take streams for `protocol` ("/x/1"); on_stream tells.  `on_limited`: also
 * over connections that a relay limits.  ADIT_EINVAL: not a name;
 * ADIT_ENOMEM.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_handle(adit_node *n, const char *protocol,
                                            bool on_limited);

/* ---- dialling ---------------------------------------------------------------- */

enum adit_dial_mode {
    ADIT_DIAL_ANY,        /* a relayed path will do, at once */
    ADIT_DIAL_WAIT,       /* it will do if none is direct after wait_ms */
    ADIT_DIAL_DIRECT_ONLY /* it will not do */
};

struct adit_dial_options {
    size_t size;
    enum adit_dial_mode mode;
    uint32_t wait_ms;    /* mode WAIT */
    uint32_t timeout_ms; /* of the whole attempt */
    /* Open the stream even if the path is limited by a relay. */
    bool on_limited;
};
#define ADIT_DIAL_OPTIONS_INIT                                                \
    {                                                                         \
        sizeof(struct adit_dial_options), ADIT_DIAL_ANY, 0, 30000, true       \
    }

/* What a stream tells; see adit_stream_set_events(). */
struct adit_stream_events {
    size_t size;
    void *ctx;
    /* The peer took it: a stream of adit_open() only. */
    void (*on_open)(void *ctx, adit_stream *s);
    /* adit_stream_read() has bytes, or the end.  Read until it answers
     * ADIT_AGAIN: what you leave is not told of twice. */
    void (*on_readable)(void *ctx, adit_stream *s);
    /* adit_stream_write() took less than it was given, and has room again. */
    void (*on_writable)(void *ctx, adit_stream *s);
    /* It could not be opened, was reset, or its connection is gone:
     * adit_stream_why() says.  Still yours: close it. */
    void (*on_failed)(void *ctx, adit_stream *s, adit_err why,
                      const char *text);
};
#define ADIT_STREAM_EVENTS_INIT                                               \
    {                                                                         \
        sizeof(struct adit_stream_events), NULL, NULL, NULL, NULL, NULL       \
    }

/*
 * Open a stream for `protocol` to the peer at `addr`: a multiaddr ending in
 * /p2p/ID, direct or through a relay (.../p2p-circuit/p2p/ID), or a bare
 * /p2p/ID, for which connections that are open, and the relays that we
 * reserve on, are tried.  An open connection is used again.  It may be
 * written to at once.
 *
 *   opt, ev      copied; opt NULL: ADIT_DIAL_OPTIONS_INIT
 *   ADIT_EINVAL  not such an address, or not a protocol name
 *   ADIT_ENOMEM
 *
 * Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_open(adit_node *n, const char *addr,
                                          const char *protocol,
                                          const struct adit_dial_options *opt,
                                          const struct adit_stream_events *ev,
                                          adit_stream **out);

/*
 * Ping the peer at `addr` (as in adit_open) `count` times, gap_ms apart; one
 * on_ping for each, and one at the end with ADIT_DONE or what went wrong.
 * ADIT_EINVAL, ADIT_ENOMEM.    Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_ping(adit_node *n, const char *addr,
                                          const struct adit_dial_options *opt,
                                          unsigned count, uint32_t gap_ms,
                                          void *tag);

/* ---- streams ------------------------------------------------------------------ */

/*
 * Copied; NULL: no more events.  What there was to tell before is told again,
 * later.    Since: 0.1
 */
ADIT_API void adit_stream_set_events(adit_stream *s,
                                     const struct adit_stream_events *ev);

/* Remember `user`, for whatever you like.    Since: 0.1 */
ADIT_API void adit_stream_set_user(adit_stream *s, void *user);

/* What was remembered; NULL at first.    Since: 0.1 */
ADIT_API void *adit_stream_user(const adit_stream *s);

/*
 * Read up to `cap` bytes.
 *
 *   ADIT_OK     *n (at least 1) bytes are in buf; the peer may send as many
 *               more
 *   ADIT_AGAIN  nothing now; on_readable follows
 *   ADIT_DONE   the peer sends no more
 *   other       it is dead: adit_stream_why()
 *
 * Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_stream_read(adit_stream *s, void *buf,
                                                 size_t cap, size_t *n);

/*
 * Write a prefix of `buf`; copied.
 *
 *   ADIT_OK      *n (at least 1) bytes were taken
 *   ADIT_AGAIN   no room; on_writable follows
 *   ADIT_ESTATE  after adit_stream_finish()
 *   other        it is dead
 *
 * Since: 0.1
 */
ADIT_API ADIT_MUST_USE adit_err adit_stream_write(adit_stream *s,
                                                  const void *buf, size_t len,
                                                  size_t *n);

/* We send no more; reading goes on.  Behind what was written.  Since: 0.1 */
ADIT_API void adit_stream_finish(adit_stream *s);

/*
 * Done with it: what was written is still sent, then it ends in order.  The
 * handle is gone.  NULL is fine.    Since: 0.1
 */
ADIT_API void adit_stream_close(adit_stream *s);

/* Done with it, at once, by reset.  The handle is gone.    Since: 0.1 */
ADIT_API void adit_stream_abort(adit_stream *s);

/* Over which connection, and what is left of it.  ADIT_ESTATE: it has none
 * yet, or no more; out->size must be set.    Since: 0.1 */
ADIT_API ADIT_MUST_USE adit_err adit_stream_conn(const adit_stream *s,
                                                 struct adit_conn_info *out);

/* The protocol's name.    Since: 0.1 */
ADIT_API const char *adit_stream_protocol(const adit_stream *s);

/* Why it is dead, half a sentence; "" while it is not.    Since: 0.1 */
ADIT_API const char *adit_stream_why(const adit_stream *s);

/* ---- metrics --------------------------------------------------------------- */

/*
 * The counters in Prometheus' text form.  Returns the length; at most
 * cap - 1 bytes of it and a NUL are written.  Any thread.    Since: 0.1
 */
ADIT_API size_t adit_node_metrics(const adit_node *n, char *out, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
