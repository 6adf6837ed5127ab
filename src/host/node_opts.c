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
    { "listen.proxy_from", ADIT_OPT_LIST, AT(proxy_from), "", NULL, NULL,
      "reload",
      "Subnets of balancers that speak PROXY protocol v2: connections from "
      "them must begin with it, and count for the address that it names." },
    { "announce.addresses", ADIT_OPT_LIST, AT(announce_addresses), "", NULL,
      NULL, "reload",
      "The addresses others reach this node at, names (/dns4/...) allowed. "
      "Empty: those it listens on, and what peers of three networks say they "
      "reached it at. Best told where it is behind a 1:1 NAT or in a "
      "container." },
    { "announce.private", ADIT_OPT_BOOL, AT(announce_private), "no", NULL,
      NULL, "reload",
      "Announce private and loopback addresses too: for a relay of a private "
      "network, and for trying things out on one machine." },
    { "relay.enabled", ADIT_OPT_BOOL, AT(relay_enabled), "no", NULL, NULL,
      "start", "Be a circuit relay v2 for others. On by default in aditd." },
    { "reservation.max", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE]), "1024", NULL, "10000000",
      "reload", "Reservations held at once; 0: no limit." },
    { "reservation.max_per_ip", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_RSVPS][ADIT_SCOPE_IP]), "8", NULL, "10000000", "reload",
      "Reservations per IPv4 address or IPv6 /64; 0: no limit." },
    { "reservation.max_per_48", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NET48]), "32", NULL, "10000000",
      "reload", "Reservations per IPv6 /48; 0: no limit." },
    { "reservation.max_per_asn", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_RSVPS][ADIT_SCOPE_ASN]), "0", NULL, "10000000",
      "reload",
      "Reservations per autonomous system, if asn.file is set; 0: no limit." },
    { "reservation.per_hour", ADIT_OPT_COUNT, AT(rsvps_per_hour), "30", NULL,
      "1000000", "reload",
      "Reservations and renewals a peer may ask for in an hour, as many at "
      "once; 0: no limit." },
    { "reservation.per_hour_ip", ADIT_OPT_COUNT, AT(rsvps_per_hour_ip), "60",
      NULL, "1000000", "reload",
      "The same for an IPv4 address or IPv6 /64; whom a class lists by its id "
      "has its class's alone." },
    { "reservation.ttl", ADIT_OPT_DURATION, AT(rsvp_ttl_us), "1h", "1s",
      "365d", "reload",
      "How long a reservation holds before it must be renewed. js peers renew "
      "five minutes, go peers two minutes before its end." },
    { "reservation.grace", ADIT_OPT_DURATION, AT(rsvp_grace_us), "30s", NULL,
      "1h", "reload",
      "A peer that lost its connection keeps its slot for this long." },
    { "circuit.data_bytes", ADIT_OPT_BYTES, AT(circuit_bytes), "128KiB", NULL,
      "1048576GiB", "reload",
      "What a circuit may carry, each way; 0: no limit." },
    { "circuit.duration", ADIT_OPT_DURATION, AT(circuit_us), "2min", NULL,
      "365d", "reload",
      "How long a circuit may last, in whole seconds; 0: no limit." },
    { "circuit.max", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CIRCUITS][ADIT_SCOPE_NODE]), "4096", NULL, "10000000",
      "reload", "Circuits open at once; 0: no limit." },
    { "circuit.max_per_peer", ADIT_OPT_COUNT, AT(circuits_per_peer), "16",
      NULL, "10000000", "reload",
      "Circuits of one peer as source, and as destination; 0: no limit." },
    { "circuit.max_per_ip", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CIRCUITS][ADIT_SCOPE_IP]), "64", NULL, "10000000",
      "reload",
      "Circuits whose source is at one IPv4 address or IPv6 /64; 0: no "
      "limit." },
    { "circuit.max_per_48", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CIRCUITS][ADIT_SCOPE_NET48]), "0", NULL, "10000000",
      "reload", "The same for an IPv6 /48." },
    { "circuit.max_per_asn", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CIRCUITS][ADIT_SCOPE_ASN]), "0", NULL, "10000000",
      "reload", "The same for an autonomous system, if asn.file is set." },
    { "circuit.per_hour", ADIT_OPT_COUNT, AT(circuits_per_hour), "20", NULL,
      "1000000", "reload",
      "Circuits a peer may ask for in an hour, as many at once; fewer than "
      "its duration goes into the hour, or circuits chain for ever; 0: no "
      "limit." },
    { "circuit.per_hour_ip", ADIT_OPT_COUNT, AT(circuits_per_hour_ip), "60",
      NULL, "1000000", "reload",
      "The same for an IPv4 address or IPv6 /64; whom a class lists by its id "
      "has its class's alone." },
    { "circuit.wider", ADIT_OPT_BOOL, AT(circuit_wider), "no", NULL, NULL,
      "reload",
      "Where the classes of source and destination differ the wider limits "
      "hold, since either end pays; otherwise the narrower." },
    { "rate.node_bytes_s", ADIT_OPT_BYTES, AT(rate_node), "0", NULL, "1024GiB",
      "reload",
      "Circuit payload that all circuits may move in a second, both ways "
      "together; shared fairly among those that want more; 0: no limit." },
    { "rate.peer_bytes_s", ADIT_OPT_BYTES, AT(rate_peer), "0", NULL, "1024GiB",
      "reload", "The same for the circuits of one peer." },
    { "rate.circuit_bytes_s", ADIT_OPT_BYTES, AT(rate_circuit), "0", NULL,
      "1024GiB", "reload", "The same for one circuit." },
    { "connection.max", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CONNS][ADIT_SCOPE_NODE]), "4096", NULL, "10000000",
      "reload", "Connections open at once; 0: no limit." },
    { "connection.max_per_ip", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CONNS][ADIT_SCOPE_IP]), "64", NULL, "10000000",
      "reload", "Connections per IPv4 address or IPv6 /64; 0: no limit." },
    { "connection.max_per_48", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CONNS][ADIT_SCOPE_NET48]), "256", NULL, "10000000",
      "reload", "Connections per IPv6 /48; 0: no limit." },
    { "connection.max_per_asn", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CONNS][ADIT_SCOPE_ASN]), "0", NULL, "10000000",
      "reload",
      "Connections per autonomous system, if asn.file is set; 0: no limit." },
    { "connection.max_per_peer", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_CONNS][ADIT_SCOPE_PEER]), "8", NULL, "10000000",
      "reload", "Connections of one peer; 0: no limit." },
    { "connection.streams", ADIT_OPT_COUNT, AT(streams_per_conn), "256", "8",
      "510", "start",
      "Streams open at once on one connection, both ways. rust peers end a "
      "connection with 512." },
    { "stream.max", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_STREAMS][ADIT_SCOPE_NODE]), "0", NULL, "10000000",
      "reload", "Streams open at once on all connections; 0: no limit." },
    { "stream.max_per_peer", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_STREAMS][ADIT_SCOPE_PEER]), "512", NULL, "10000000",
      "reload", "Streams of one peer; 0: no limit." },
    { "stream.max_per_ip", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_STREAMS][ADIT_SCOPE_IP]), "0", NULL, "10000000",
      "reload", "Streams per IPv4 address or IPv6 /64; 0: no limit." },
    { "stream.max_per_48", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_STREAMS][ADIT_SCOPE_NET48]), "0", NULL, "10000000",
      "reload", "Streams per IPv6 /48; 0: no limit." },
    { "stream.max_per_asn", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_STREAMS][ADIT_SCOPE_ASN]), "0", NULL, "10000000",
      "reload",
      "Streams per autonomous system, if asn.file is set; 0: no limit." },
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
    { "handshake.max", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_HANDSHAKES][ADIT_SCOPE_NODE]), "512", NULL, "10000000",
      "reload", "Handshakes under way at once; 0: no limit." },
    { "handshake.max_per_ip", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_HANDSHAKES][ADIT_SCOPE_IP]), "32", NULL, "10000000",
      "reload",
      "Handshakes under way per IPv4 address or IPv6 /64; 0: no limit." },
    { "handshake.max_per_48", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_HANDSHAKES][ADIT_SCOPE_NET48]), "64", NULL, "10000000",
      "reload", "Handshakes under way per IPv6 /48; 0: no limit." },
    { "handshake.max_per_asn", ADIT_OPT_COUNT,
      AT(caps[ADIT_CAP_HANDSHAKES][ADIT_SCOPE_ASN]), "0", NULL, "10000000",
      "reload",
      "Handshakes under way per autonomous system, if asn.file is set; 0: no "
      "limit." },
    { "handshake.timeout", ADIT_OPT_DURATION, AT(handshake_us), "15s", "1s",
      "2min", "start", "For a connection to be secured and multiplexed." },
    { "access.allow_file", ADIT_OPT_TEXT, AT(allow_file), "", NULL, NULL,
      "reload",
      "Peer ids and subnets, one a line, that alone may reserve, and may dial "
      "whoever has; read again on reload. Empty: everybody may." },
    { "access.deny_file", ADIT_OPT_TEXT, AT(deny_file), "", NULL, NULL,
      "reload",
      "Peer ids and subnets, one a line, that may do neither; it stands above "
      "everything else." },
    { "asn.file", ADIT_OPT_TEXT, AT(asn_file), "", NULL, NULL, "reload",
      "A database of autonomous systems in MaxMind's format "
      "(GeoLite2-ASN.mmdb), for limits and classes by ASN." },
    { "admission.url", ADIT_OPT_TEXT, AT(admission_url), "", NULL, NULL,
      "reload",
      "http://HOST:PORT/PATH that is asked whether a peer may reserve or "
      "dial, and as which class. No answer in time, or a wrong one: it may "
      "not. Peers that a list names are not asked about." },
    { "admission.token_file", ADIT_OPT_TEXT, AT(admission_token_file), "",
      NULL, NULL, "reload",
      "A file with the bearer token that the questions carry." },
    { "admission.timeout", ADIT_OPT_DURATION, AT(admission_timeout_us), "3s",
      "10ms", "30s", "reload", "How long its answer may take." },
    { "admission.cache", ADIT_OPT_DURATION, AT(admission_cache_us), "1min",
      NULL, "1d", "reload",
      "How long an answer holds unless it says otherwise; 0: ask every "
      "time." },
    { "ledger.backend", ADIT_OPT_CHOICE, AT(ledger_backend), "none",
      "none|sqlite|redis", NULL, "start",
      "Where it is kept who used how much: nowhere, in a file, or in a Redis "
      "that several relays share." },
    { "ledger.file", ADIT_OPT_TEXT, AT(ledger_file), "/var/lib/adit/ledger.db",
      NULL, NULL, "start", "The SQLite file." },
    { "ledger.redis", ADIT_OPT_TEXT, AT(ledger_redis), "127.0.0.1:6379", NULL,
      NULL, "start", "HOST:PORT or /PATH/OF/SOCKET of the Redis server." },
    { "ledger.redis_prefix", ADIT_OPT_TEXT, AT(ledger_redis_prefix),
      "adit:", NULL, NULL, "start",
      "What the names of its keys begin with; relays with the same share "
      "quotas and totals." },
    { "ledger.redis_password_file", ADIT_OPT_TEXT,
      AT(ledger_redis_password_file), "", NULL, NULL, "start",
      "A file with its password, or USER and password in two words." },
    { "ledger.flush", ADIT_OPT_DURATION, AT(ledger_flush_us), "5s", "100ms",
      "1h", "start",
      "How often usage is written. A crash loses at most this." },
    { "ledger.keep_circuits", ADIT_OPT_DURATION, AT(ledger_keep_circuits_us),
      "30d", NULL, "3650d", "start",
      "How long the closing records of circuits are kept; 0: none are." },
    { "ledger.keep_days", ADIT_OPT_DURATION, AT(ledger_keep_days_us), "400d",
      "62d", "3650d", "start", "How long usage by day is kept." },
    { "ledger.keep_months", ADIT_OPT_DURATION, AT(ledger_keep_months_us),
      "1100d", "62d", "3650d", "start",
      "How long usage by month is kept; the month that it is always is." },
    { "drain.deadline", ADIT_OPT_DURATION, AT(drain_deadline_us), "10min",
      "1s", "7d", "reload", "When a drain ends whatever is still there." },
    { "drain.threshold", ADIT_OPT_COUNT, AT(drain_threshold), "0", NULL,
      "10000000", "reload",
      "With no more circuits than this a drain need not wait for its "
      "deadline." },
    { "drain.group", ADIT_OPT_COUNT, AT(drain_group), "16", "1", "100000",
      "reload", "How many reserved connections a drain closes at a time." },
    { "drain.every", ADIT_OPT_DURATION, AT(drain_every_us), "1s", "10ms", "1h",
      "reload", "How long it waits between two groups." },
    { "log.addresses", ADIT_OPT_CHOICE, AT(log_addresses), "full",
      "full|prefix|none", NULL, "reload",
      "What the log says of peers' addresses: all, the network (IPv4 /24, "
      "IPv6 /48), or nothing." },
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

/* ---- classes --------------------------------------------------------------- */

#undef AT
#define AT(field) offsetof(struct adit_class_config, field)

/* A row whose class says nothing is as the node's option `base` says. */
static const struct {
    const char *key, *base;
} inherited[] = {
    { "reservation_ttl", "reservation.ttl" },
    { "reservations_per_hour", "reservation.per_hour" },
    { "circuits_in", "circuit.max_per_peer" },
    { "circuits_out", "circuit.max_per_peer" },
    { "circuits_per_hour", "circuit.per_hour" },
    { "circuit_duration", "circuit.duration" },
    { "circuit_bytes", "circuit.data_bytes" },
    { "circuit_bytes_s", "rate.circuit_bytes_s" },
    { "peer_bytes_s", "rate.peer_bytes_s" },
};

static const struct adit_opt_row class_rows[] = {
    { "peers", ADIT_OPT_LIST, AT(peers), "", NULL, NULL, "reload",
      "Peer ids that are of this class." },
    { "peers_file", ADIT_OPT_TEXT, AT(peers_file), "", NULL, NULL, "reload",
      "A file of them, one a line; subnets too." },
    { "subnets", ADIT_OPT_LIST, AT(subnets), "", NULL, NULL, "reload",
      "Networks (192.0.2.0/24) whose peers are of this class, unless their id "
      "is listed elsewhere; the longest match counts." },
    { "asns", ADIT_OPT_LIST, AT(asns), "", NULL, NULL, "reload",
      "Autonomous systems (numbers) whose peers are of this class, unless id "
      "or subnet say otherwise; needs asn.file." },
    { "may_reserve", ADIT_OPT_BOOL, AT(may_reserve), "yes", NULL, NULL,
      "reload", "Whether its peers may reserve." },
    { "reservations", ADIT_OPT_COUNT, AT(rsvp_max), "0", NULL, "10000000",
      "reload",
      "Reservations that its peers may hold in all; 0: no limit but the "
      "node's." },
    { "reservation_ttl", ADIT_OPT_DURATION, AT(rsvp_ttl_us), "1h", "1s",
      "365d", "reload", "How long a reservation holds." },
    { "reservations_per_hour", ADIT_OPT_COUNT, AT(rsvps_per_hour), "30", NULL,
      "1000000", "reload",
      "Reservations and renewals a peer may ask for in an hour; 0: no "
      "limit." },
    { "circuits_in", ADIT_OPT_COUNT, AT(circuits_in), "16", NULL, "10000000",
      "reload", "Circuits of a peer as destination; 0: no limit." },
    { "circuits_out", ADIT_OPT_COUNT, AT(circuits_out), "16", NULL, "10000000",
      "reload", "Circuits of a peer as source; 0: no limit." },
    { "circuits", ADIT_OPT_COUNT, AT(circuits), "0", NULL, "10000000",
      "reload", "Circuits of a peer, both together; 0: no limit." },
    { "circuits_per_hour", ADIT_OPT_COUNT, AT(circuits_per_hour), "20", NULL,
      "1000000", "reload",
      "Circuits a peer may ask for in an hour; 0: no limit." },
    { "circuit_duration", ADIT_OPT_DURATION, AT(circuit_us), "2min", NULL,
      "365d", "reload",
      "How long a circuit may last, in whole seconds; 0: no limit." },
    { "circuit_bytes", ADIT_OPT_BYTES, AT(circuit_bytes), "128KiB", NULL,
      "1048576GiB", "reload",
      "What a circuit may carry, each way; 0: no limit." },
    { "circuit_bytes_s", ADIT_OPT_BYTES, AT(rate_circuit), "0", NULL,
      "1024GiB", "reload",
      "What a circuit may move in a second, both ways together; 0: no "
      "limit." },
    { "peer_bytes_s", ADIT_OPT_BYTES, AT(rate_peer), "0", NULL, "1024GiB",
      "reload",
      "What the circuits of a peer may move in a second; 0: no limit." },
    { "day_bytes", ADIT_OPT_BYTES, AT(day_bytes), "0", NULL, "1048576GiB",
      "reload",
      "What the circuits of a peer may move in a day (UTC), both ways "
      "together; 0: no quota. Needs a ledger to survive a restart." },
    { "month_bytes", ADIT_OPT_BYTES, AT(month_bytes), "0", NULL, "1048576GiB",
      "reload", "The same for a calendar month." },
    { "over_quota", ADIT_OPT_TEXT, AT(over_quota), "refuse", NULL, NULL,
      "reload",
      "Where a peer falls that has used up its quota: \"refuse\", or the name "
      "of a class." },
    { "may_dial", ADIT_OPT_LIST, AT(may_dial), "any", NULL, NULL, "reload",
      "Classes whose peers may be dialled by those of this one; \"any\", "
      "\"none\"." },
    { "dialled_by", ADIT_OPT_LIST, AT(dialled_by), "any", NULL, NULL, "reload",
      "Classes whose peers may dial those of this one; \"any\", \"none\"." },
    { "announce_limit", ADIT_OPT_BOOL, AT(announce_limit), "no", NULL, NULL,
      "reload",
      "Where there is no limit, announce (and keep) one of a year and a "
      "pebibyte: js peers punch holes from limited connections only." },
};

const struct adit_opt_table adit_class_options = { class_rows,
                                                   ADIT_NITEMS(class_rows) };

_Static_assert(ADIT_NITEMS(class_rows) <= 64, "adit_class_config.set");

/* What the classes that are always there have otherwise than the node. */
static const char *const builtin_names[] = { "anonymous", "listed",
                                             "unlimited" };
static const struct {
    const char *name, *value;
} builtin[] = {
    { "class.listed.circuit_duration", "30min" },
    { "class.listed.circuit_bytes", "1GiB" },
    { "class.listed.circuits_per_hour", "0" },
    { "class.unlimited.circuit_duration", "0" },
    { "class.unlimited.circuit_bytes", "0" },
    { "class.unlimited.circuit_bytes_s", "0" },
    { "class.unlimited.peer_bytes_s", "0" },
    { "class.unlimited.circuits_in", "0" },
    { "class.unlimited.circuits_out", "0" },
    { "class.unlimited.circuits_per_hour", "0" },
    { "class.unlimited.reservations_per_hour", "0" },
};

/* "class.NAME.key": NAME and key; false: it is no such name. */
static bool
split(const char *name, struct adit_slice *cls, const char **key)
{
    const char *dot;

    if (strncmp(name, "class.", 6) != 0)
        return false;
    name += 6;
    dot = strchr(name, '.');
    if (dot == NULL)
        return false;
    *cls = adit_slice(name, (size_t)(dot - name));
    *key = dot + 1;
    return true;
}

static const struct adit_class_config *
find_class(const struct adit_node_config *cfg, struct adit_slice name)
{
    for (size_t i = 0; i < cfg->n_classes; i++)
        if (adit_slice_eq(adit_slice_str(cfg->classes[i].name), name))
            return &cfg->classes[i];
    return NULL;
}

static const char *
add_class(struct adit_node_config *cfg, struct adit_slice name)
{
    struct adit_class_config *c = &cfg->classes[cfg->n_classes];

    if (cfg->n_classes == ADIT_NODE_MAX_CLASSES)
        return "there are too many classes";
    if (name.n == 0 || name.n >= ADIT_CLASS_NAME_BYTES)
        return "a name of 1 to 31 characters was expected";
    for (size_t i = 0; i < name.n; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", name.p[i]) ==
            NULL)
            return "a name of a-z, 0-9, - and _ was expected";
    memset(c, 0, sizeof(*c));
    adit_opt_defaults(&adit_class_options, c);
    memcpy(c->name, name.p, name.n);
    cfg->n_classes++;
    return NULL;
}

void
adit_node_config_init(struct adit_node_config *cfg)
{
    memset(cfg, 0, sizeof(*cfg));
    adit_opt_defaults(&adit_node_options, cfg);
    for (size_t i = 0; i < ADIT_NITEMS(builtin_names); i++) {
        const char *bad = add_class(cfg, adit_slice_str(builtin_names[i]));

        adit_assert(bad == NULL);
    }
    for (size_t i = 0; i < ADIT_NITEMS(builtin); i++) {
        char why[ADIT_OPT_WHY_BYTES];
        adit_err e =
            adit_node_config_set(cfg, builtin[i].name, builtin[i].value, why);

        adit_assert(e == ADIT_OK);
    }
}

adit_err
adit_node_config_set(struct adit_node_config *cfg, const char *name,
                     const char *value, char why[ADIT_OPT_WHY_BYTES])
{
    struct adit_slice cls;
    const char *key, *bad = NULL;
    struct adit_class_config *c;
    char inner[ADIT_OPT_WHY_BYTES];

    if (!split(name, &cls, &key))
        return adit_opt_set(&adit_node_options, cfg, name, value, why);
    if (adit_opt_find(&adit_class_options, key) == NULL) {
        const char *near = adit_opt_nearest(&adit_class_options, key);

        snprintf(why, ADIT_OPT_WHY_BYTES,
                 near != NULL ? "unknown option '%.90s': did you mean %s?"
                              : "unknown option '%.90s'",
                 name, near);
        return ADIT_EINVAL;
    }
    if (find_class(cfg, cls) == NULL)
        bad = add_class(cfg, cls);
    if (bad != NULL) {
        snprintf(why, ADIT_OPT_WHY_BYTES, "class '%.*s': %s",
                 (int)ADIT_MIN(cls.n, (size_t)60), cls.p, bad);
        return ADIT_EINVAL;
    }
    c = (struct adit_class_config *)(uintptr_t)find_class(cfg, cls);
    if (adit_opt_set(&adit_class_options, c, key, value, inner) != ADIT_OK) {
        snprintf(why, ADIT_OPT_WHY_BYTES, "class.%s.%.200s", c->name, inner);
        return ADIT_EINVAL;
    }
    c->set |=
        UINT64_C(1) << (adit_opt_find(&adit_class_options, key) - class_rows);
    return ADIT_OK;
}

void
adit_class_config_resolve(const struct adit_node_config *cfg,
                          const struct adit_class_config *in,
                          struct adit_class_config *out)
{
    *out = *in;
    for (size_t i = 0; i < ADIT_NITEMS(inherited); i++) {
        const struct adit_opt_row *row =
            adit_opt_find(&adit_class_options, inherited[i].key);
        const struct adit_opt_row *base =
            adit_opt_find(&adit_node_options, inherited[i].base);

        adit_assert(row != NULL && base != NULL && row->type == base->type);
        if ((in->set >> (row - class_rows) & 1) != 0)
            continue;
        /* Each inherited row is a number of 64 bits. */
        memcpy((char *)out + row->offset, (const char *)cfg + base->offset,
               sizeof(uint64_t));
    }
}

size_t
adit_node_config_get(const struct adit_node_config *cfg, const char *name,
                     bool resolved, char *out, size_t cap)
{
    const struct adit_opt_row *row;
    const struct adit_class_config *c;
    struct adit_slice cls;
    const char *key;

    if (cap > 0)
        out[0] = '\0';
    if (!split(name, &cls, &key)) {
        row = adit_opt_find(&adit_node_options, name);
        return row != NULL ? adit_opt_get(row, cfg, out, cap) : 0;
    }
    row = adit_opt_find(&adit_class_options, key);
    c = find_class(cfg, cls);
    if (row == NULL || c == NULL)
        return 0;
    if (!resolved && (c->set >> (row - class_rows) & 1) == 0)
        return 0;
    struct adit_class_config r;

    adit_class_config_resolve(cfg, c, &r);
    return adit_opt_get(row, &r, out, cap);
}

const struct adit_opt_row *
adit_node_config_at(const struct adit_node_config *cfg, size_t i,
                    char name[ADIT_OPT_NAME_BYTES])
{
    const struct adit_opt_row *row;
    size_t k;

    if (i < adit_node_options.n) {
        snprintf(name, ADIT_OPT_NAME_BYTES, "%s", rows[i].name);
        return &rows[i];
    }
    i -= adit_node_options.n;
    k = i / adit_class_options.n;
    if (k >= cfg->n_classes)
        return NULL;
    row = &class_rows[i % adit_class_options.n];
    snprintf(name, ADIT_OPT_NAME_BYTES, "class.%s.%s", cfg->classes[k].name,
             row->name);
    return row;
}
