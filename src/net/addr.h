/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * addr: an IP address and TCP port, compact, and its way to and from a
 * multiaddr.
 *
 * Only /ip4|ip6(with ip6zone)/tcp is an endpoint; names are for `dial`, the
 * rest for other transports.  Values: copy them.  Looks up an interface's
 * index for a zone, does no other I/O.  Thread: any.
 */
#ifndef ADIT_NET_ADDR_H
#define ADIT_NET_ADDR_H

#include "base/err.h"
#include "base/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct adit_maddr;

/* 28 bytes, where a multiaddr takes 512: what each connection keeps. */
struct adit_endpoint {
    union {
        struct sockaddr sa; /* sa_family 0: none */
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    };
};

/* "[ip6%zone]:port", and its NUL. */
#define ADIT_ENDPOINT_TEXT_BYTES 80

static inline bool
adit_endpoint_is_none(const struct adit_endpoint *e)
{
    return e->sa.sa_family != AF_INET && e->sa.sa_family != AF_INET6;
}

/* What bind and connect want to know; 0 for none. */
socklen_t adit_endpoint_bytes(const struct adit_endpoint *e);

/*
 * From what accept, getsockname and getifaddrs give; ::ffff:a.b.c.d becomes
 * IPv4.  ADIT_EUNSUPPORTED: another family.
 */
ADIT_MUST_USE adit_err adit_endpoint_of_sockaddr(const struct sockaddr *sa,
                                                 struct adit_endpoint *out);

/* From the 4 or 16 bytes of an IP address.  ADIT_EINVAL: other lengths. */
ADIT_MUST_USE adit_err adit_endpoint_of_ip(struct adit_slice ip, uint16_t port,
                                           struct adit_endpoint *out);

/*
 * The /ip4 or /ip6 and /tcp at the front of `a`; *rest (may be NULL) is what
 * follows, borrowed from `a`.
 *
 *   ADIT_EUNSUPPORTED  it begins otherwise, /dns or /udp for example
 *   ADIT_EIO           no interface has the name of the zone
 */
ADIT_MUST_USE adit_err adit_endpoint_of_maddr(const struct adit_maddr *a,
                                              struct adit_endpoint *out,
                                              struct adit_slice *rest);

/* /ip4|ip6/../tcp/port; out->n = 0 for none. */
void adit_endpoint_to_maddr(const struct adit_endpoint *e,
                            struct adit_maddr *out);

uint16_t adit_endpoint_port(const struct adit_endpoint *e);
void adit_endpoint_set_port(struct adit_endpoint *e, uint16_t port);

/* The 4 or 16 bytes of the IP address; borrowed.  Empty for none. */
struct adit_slice adit_endpoint_ip(const struct adit_endpoint *e);

/* Same address and port (and zone). */
bool adit_endpoint_eq(const struct adit_endpoint *a,
                      const struct adit_endpoint *b);

/* "1.2.3.4:80", "[::1]:80", "" for none; NUL-terminated.  Returns `out`. */
const char *adit_endpoint_format(const struct adit_endpoint *e,
                                 char out[static ADIT_ENDPOINT_TEXT_BYTES]);

/* How much of an address is shown. */
enum adit_addr_shown { ADIT_ADDR_FULL, ADIT_ADDR_PREFIX, ADIT_ADDR_NONE };

/* The networks that ADIT_ADDR_PREFIX shows: of hundreds of customers. */
#define ADIT_SHOWN_BITS4 24
#define ADIT_SHOWN_BITS6 48

/*
 * A peer's address for a log: as _format, or its network "192.0.2.0/24" or
 * "2001:db8:1::/48" without port and zone, or "-"; "" for none.  Returns
 * `out`.
 */
const char *adit_endpoint_show(const struct adit_endpoint *e,
                               enum adit_addr_shown how,
                               char out[static ADIT_ENDPOINT_TEXT_BYTES]);

/* 0.0.0.0 or ::. */
bool adit_endpoint_is_unspecified(const struct adit_endpoint *e);
/* 127.0.0.0/8 or ::1. */
bool adit_endpoint_is_loopback(const struct adit_endpoint *e);
/*
 * Reached from inside a site only: RFC 1918, 100.64.0.0/10 (RFC 6598),
 * fc00::/7, link-local.
 */
bool adit_endpoint_is_private(const struct adit_endpoint *e);
/*
 * Unicast that any host of the Internet may reach: none of the above, no
 * multicast, no range that IANA's special-purpose registries hold back.
 */
bool adit_endpoint_is_global(const struct adit_endpoint *e);

/* The longest key of a prefix: its family, its bits, its bytes. */
#define ADIT_PREFIX_KEY_MAX_BYTES 18

/*
 * The network an endpoint lies in, as a key for tables: the first `bits4`
 * bits of an IPv4 or `bits6` of an IPv6 address.  Returns how many bytes of
 * `out` it takes; 0 for none.
 */
size_t adit_endpoint_prefix(const struct adit_endpoint *e, unsigned bits4,
                            unsigned bits6,
                            uint8_t out[static ADIT_PREFIX_KEY_MAX_BYTES]);

#endif
