/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * proxy: the header of PROXY protocol version 2, by which a balancer says
 * for whom it connects; the receiving side.
 *
 * It takes the header's bytes and not one more: what is behind them belongs
 * to the next layer.  Extensions (TLVs) are skipped, a checksum among them
 * is not looked at.  Version 1, the line of text, is refused, and so is a
 * header for anything but TCP; one without an address (UNSPEC) counts as
 * the balancer's own.  No deadline: its driver has one.
 * Follows proxy-protocol.txt of HAProxy, 2.2.
 */
#ifndef ADIT_WIRE_PROXY_PROXY_H
#define ADIT_WIRE_PROXY_PROXY_H

#include "base/err.h"
#include "base/slice.h"

/* Signature, version and command, family, length. */
#define ADIT_PROXY_HEAD_BYTES 16

/* Behind the head: addresses and extensions.  The specification asks for
 * 520; certificates' names and cloud balancers' ids take some hundred. */
#define ADIT_PROXY_MAX_TAIL_BYTES 4096

enum adit_proxy_event_type {
    ADIT_PROXY_LOCAL, /* the balancer's own connection: a health check */
    ADIT_PROXY_NAMED, /* on behalf of `src` */
};

struct adit_proxy_event {
    enum adit_proxy_event_type type;
    struct adit_slice src, dst; /* 4 or 16 bytes; borrowed from the machine */
    uint16_t src_port, dst_port;
};

struct adit_proxy {
    uint8_t state;
    uint16_t have; /* bytes of the header that came */
    uint16_t need; /* bytes that it has */
    const char *why;
    uint8_t b[ADIT_PROXY_HEAD_BYTES + 36]; /* up to two IPv6 addresses */
};

void adit_proxy_init(struct adit_proxy *m);

/*
 * How many bytes it takes now for certain; 0: it is over.  Whoever reads
 * just as many never reads beyond the header.
 */
size_t adit_proxy_wants(const struct adit_proxy *m);

/*
 * Take what belongs to the header.
 *
 *   ADIT_OK      *used were taken; none when it is over
 *   ADIT_EPROTO  not this protocol, or not TCP; at the first byte that
 *                shows it.  _why says what
 */
ADIT_MUST_USE adit_err adit_proxy_feed(struct adit_proxy *m,
                                       struct adit_slice in, size_t *used);

/* ADIT_OK: the header is complete, once.  ADIT_AGAIN.  What _feed answered
 * when it failed. */
ADIT_MUST_USE adit_err adit_proxy_next(struct adit_proxy *m,
                                       struct adit_proxy_event *ev);

/* Why it failed; static.  NULL if it did not. */
const char *adit_proxy_why(const struct adit_proxy *m);

#endif
