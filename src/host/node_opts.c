/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The rows of a node's options: the only place where their names, bounds
 * and defaults stand.  The sample file and the manual are made from it.
 */
#include "config.h"

#include "host/node.h"

#define AT(field) offsetof(struct adit_node_config, field)

static const struct adit_opt_row rows[] = {
    { "listen.tcp", ADIT_OPT_LIST, AT(listen_tcp), "", NULL, NULL, "start",
      "Where to accept connections: multiaddrs /ip4/ADDRESS/tcp/PORT or "
      "/ip6/ADDRESS/tcp/PORT; port 0 is any that is free. Empty: nowhere." },
    { "announce.addresses", ADIT_OPT_LIST, AT(announce_addresses), "", NULL,
      NULL, "start",
      "The addresses others reach this node at, names (/dns4/...) allowed. "
      "Empty: those it listens on, and what peers of three networks say they "
      "reached it at. Best told where it is behind a 1:1 NAT or in a "
      "container." },
    { "announce.private", ADIT_OPT_BOOL, AT(announce_private), "no", NULL,
      NULL, "start",
      "Announce private and loopback addresses too: for a relay of a private "
      "network, and for trying things out on one machine." },
    { "relay.enabled", ADIT_OPT_BOOL, AT(relay_enabled), "no", NULL, NULL,
      "start", "Be a circuit relay v2 for others. On by default in aditd." },
    { "reservation.max", ADIT_OPT_COUNT, AT(rsvp_total), "1024", NULL,
      "10000000", "start", "Reservations held at once; 0: no limit." },
    { "reservation.max_per_ip", ADIT_OPT_COUNT, AT(rsvp_per_ip), "8", NULL,
      "10000000", "start",
      "Reservations per IPv4 address or IPv6 /64; 0: no limit." },
    { "reservation.ttl", ADIT_OPT_DURATION, AT(rsvp_ttl_us), "1h", "1s",
      "365d", "start",
      "How long a reservation holds before it must be renewed. js peers renew "
      "five minutes, go peers two minutes before its end." },
    { "reservation.grace", ADIT_OPT_DURATION, AT(rsvp_grace_us), "30s", NULL,
      "1h", "start",
      "A peer that lost its connection keeps its slot for this long." },
    { "circuit.data_bytes", ADIT_OPT_BYTES, AT(circuit_bytes), "128KiB", NULL,
      "1048576GiB", "start",
      "What a circuit may carry, each way; 0: no limit." },
    { "circuit.duration", ADIT_OPT_DURATION, AT(circuit_us), "2min", NULL,
      "365d", "start",
      "How long a circuit may last, in whole seconds; 0: no limit." },
    { "circuit.max", ADIT_OPT_COUNT, AT(circuits_total), "4096", NULL,
      "10000000", "start", "Circuits open at once; 0: no limit." },
    { "circuit.max_per_peer", ADIT_OPT_COUNT, AT(circuits_per_peer), "16",
      NULL, "10000000", "start",
      "Circuits of one peer as source, and as destination; 0: no limit." },
    { "connection.max", ADIT_OPT_COUNT, AT(conns_total), "4096", NULL,
      "10000000", "start", "Connections open at once; 0: no limit." },
    { "connection.max_per_ip", ADIT_OPT_COUNT, AT(conns_per_ip), "64", NULL,
      "10000000", "start",
      "Connections per IPv4 address or IPv6 /64; 0: no limit." },
    { "connection.streams", ADIT_OPT_COUNT, AT(streams_per_conn), "256", "8",
      "510", "start",
      "Streams open at once on one connection, both ways. rust peers end a "
      "connection with 512." },
    { "connection.idle", ADIT_OPT_DURATION, AT(idle_us), "30s", NULL, "1d",
      "start",
      "A connection that was opened to us and has no stream, reservation or "
      "circuit is closed after this long; 0: never." },
    { "connection.stall", ADIT_OPT_DURATION, AT(stall_us), "30s", "1s", "1h",
      "start", "A peer that reads nothing for this long is let go." },
    { "connection.keepalive", ADIT_OPT_DURATION, AT(keepalive_us), "60s", NULL,
      "1h", "start",
      "A connection that is silent for this long is pinged; 0: never." },
    { "connection.partial", ADIT_OPT_DURATION, AT(partial_us), "10s", "1s",
      "1min", "start", "For the rest of a frame that has begun." },
    { "handshake.max", ADIT_OPT_COUNT, AT(handshakes_total), "512", NULL,
      "10000000", "start", "Handshakes under way at once; 0: no limit." },
    { "handshake.max_per_ip", ADIT_OPT_COUNT, AT(handshakes_per_ip), "32",
      NULL, "10000000", "start",
      "Handshakes under way per IPv4 address or IPv6 /64; 0: no limit." },
    { "handshake.timeout", ADIT_OPT_DURATION, AT(handshake_us), "15s", "1s",
      "2min", "start", "For a connection to be secured and multiplexed." },
    { "node.buffer_bytes", ADIT_OPT_BYTES, AT(buffer_bytes), "256MiB", "1MiB",
      "1024GiB", "start",
      "Bytes that may wait in all. Above three quarters no new circuits; "
      "full, who has waited longest goes: a circuit, unread output or half "
      "a frame." },
    { "node.coalesce", ADIT_OPT_BOOL, AT(coalesce), "yes", NULL, NULL, "start",
      "Above 100 MB/s rest 0.4 ms between turns, so that small pieces share "
      "system calls: more bytes per CPU-second for a little latency." },
    { "yamux.window_max", ADIT_OPT_BYTES, AT(window_max_bytes), "256KiB",
      "256KiB", "16MiB", "start",
      "How far a stream's window may grow on paths with a long round trip." },
    { "noise.early_muxer", ADIT_OPT_BOOL, AT(early_muxer), "yes", NULL, NULL,
      "start", "Agree on the muxer inside the Noise handshake." },
    { "identify.agent", ADIT_OPT_TEXT, AT(agent), "adit/" PACKAGE_VERSION,
      NULL, NULL, "start", "What we call ourselves to peers." },
};

const struct adit_opt_table adit_node_options = { rows, ADIT_NITEMS(rows) };
