/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/job.h"

#include "host/rules.h"
#include "net/addr.h"

#include "config.h"

/* Peer ids and addresses as text; 0 in a limit is no limit, and said so. */

json_t *
adit_row_count(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *
adit_row_peerid(const struct adit_peerid *p)
{
    char text[ADIT_PEERID_TEXT_BYTES];

    if (adit_peerid_is_none(p))
        return json_null();
    return json_string(adit_peerid_format(p, text));
}

static void
set_count(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, adit_row_count(n));
}

/* ---- status --------------------------------------------------------------------- */

static uint64_t
metric(const struct adit_desk *d, enum adit_metric i)
{
    return adit_metric_get(d->cfg.host->metrics, i);
}

static uint64_t
refused(const struct adit_desk *d)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < ADIT_N_RULES - ADIT_RULE_CONNS_PER_PEER; i++)
        sum += metric(d, ADIT_M_REFUSED_CONNS_PER_PEER + i);
    return sum;
}

static json_t *
addresses(const struct adit_host *h)
{
    json_t *v = json_array();
    char id[ADIT_PEERID_TEXT_BYTES], text[ADIT_MADDR_TEXT_BYTES];
    char whole[ADIT_MADDR_TEXT_BYTES + ADIT_PEERID_TEXT_BYTES + 8];

    adit_peerid_format(&h->identity->id, id);
    for (size_t i = 0; i < h->n_addrs; i++) {
        snprintf(whole, sizeof(whole), "%s/p2p/%s",
                 adit_maddr_format(&h->addrs[i], text), id);
        json_array_append_new(v, json_string(whole));
    }
    return v;
}

static json_t *
listens(const struct adit_node *n)
{
    json_t *v = json_array();
    char text[ADIT_MADDR_TEXT_BYTES];
    size_t count;
    const struct adit_maddr *at = adit_node_listens(n, &count);

    for (size_t i = 0; i < count; i++)
        json_array_append_new(v, json_string(adit_maddr_format(&at[i], text)));
    return v;
}

static json_t *
ledger(const struct adit_desk *d)
{
    struct adit_ledger *l =
        d->cfg.relay != NULL ? adit_relay_ledger(d->cfg.relay) : NULL;
    struct adit_ledger_state s;
    json_t *o;

    if (l == NULL)
        return json_null();
    adit_ledger_state(l, &s);
    o = json_object();
    json_object_set_new(o, "ok", json_boolean(!s.is_failing));
    json_object_set_new(o, "written_unix_s", json_integer(s.written_unix_s));
    set_count(o, "pending", s.n_pending);
    if (s.is_failing) {
        json_object_set_new(o, "failing_unix_s",
                            json_integer(s.failing_unix_s));
        json_object_set_new(o, "why", json_string(s.why));
    }
    return o;
}

/* Over the last five to ten seconds. */
static uint64_t
rate(const struct adit_desk *d)
{
    const struct adit_desk_sample *s = &d->samples[0];
    int64_t us = adit_instant_sub(adit_worker_now(d->cfg.w), s->at);

    return us > 0 ? (uint64_t)((double)(metric(d, ADIT_M_RELAYED_BYTES) -
                                        s->n_bytes) *
                               1e6 / (double)us)
                  : 0;
}

static void
add_scraped(json_t *o, const struct adit_desk *d)
{
    static const struct {
        enum adit_scraped_metric i;
        const char *key;
    } rows[] = {
        { ADIT_SCRAPED_OPEN_FDS, "descriptors" },
        { ADIT_SCRAPED_MAX_FDS, "descriptors_max" },
        { ADIT_SCRAPED_RESIDENT, "resident_bytes" },
    };
    struct adit_scraped s = { 0 };

    adit_proc_read(d->cfg.proc, adit_worker_now(d->cfg.w),
                   adit_worker_unix_s(d->cfg.w), &s);
    for (size_t i = 0; i < ADIT_NITEMS(rows); i++)
        if (s.is_known[rows[i].i])
            set_count(o, rows[i].key, s.v[rows[i].i]);
}

json_t *
adit_row_status(const struct adit_desk *d)
{
    static const struct {
        enum adit_metric i;
        const char *key;
    } rows[] = {
        { ADIT_M_CONNS, "connections" },
        { ADIT_M_HANDSHAKES, "handshakes" },
        { ADIT_M_STREAMS, "streams" },
        { ADIT_M_RELAYED_BYTES, "relayed_bytes" },
        { ADIT_M_PACED, "paced_circuits" },
    };
    const struct adit_node_config *cfg = adit_node_cfg(d->cfg.node);
    const struct adit_pool *pool = adit_worker_pool(d->cfg.w);
    struct adit_relay *r = d->cfg.relay;
    json_t *o = json_object();
    const char *why = "ready";
    bool is_ready = adit_desk_is_ready(d, &why);
    int64_t generation_unix_s = atomic_load(&d->generation_unix_s);

    json_object_set_new(o, "version", json_string(PACKAGE_VERSION));
    json_object_set_new(o, "peer",
                        adit_row_peerid(&d->cfg.host->identity->id));
    json_object_set_new(o, "addresses", addresses(d->cfg.host));
    json_object_set_new(o, "listens", listens(d->cfg.node));
    json_object_set_new(o, "ready", json_boolean(is_ready));
    json_object_set_new(o, "state", json_string(why));
    json_object_set_new(o, "started_unix_s", json_integer(d->opened_unix_s));
    json_object_set_new(
        o, "up_s",
        json_integer(adit_instant_sub(adit_worker_now(d->cfg.w), d->opened) /
                     ADIT_S));
    set_count(o, "reservations", r != NULL ? adit_relay_n_reservations(r) : 0);
    set_count(o, "reservations_max",
              cfg->caps[ADIT_CAP_RSVPS][ADIT_SCOPE_NODE]);
    set_count(o, "circuits", r != NULL ? adit_relay_n_circuits(r) : 0);
    set_count(o, "circuits_max",
              cfg->caps[ADIT_CAP_CIRCUITS][ADIT_SCOPE_NODE]);
    for (size_t i = 0; i < ADIT_NITEMS(rows); i++)
        set_count(o, rows[i].key, metric(d, rows[i].i));
    set_count(o, "connections_max",
              cfg->caps[ADIT_CAP_CONNS][ADIT_SCOPE_NODE]);
    set_count(o, "bytes_s", rate(d));
    set_count(o, "rate_bytes_s", cfg->rate_node);
    set_count(o, "refused", refused(d));
    set_count(o, "buffer_bytes", pool->used_bytes);
    set_count(o, "buffer_max_bytes", pool->cap_bytes);
    add_scraped(o, d);
    json_object_set_new(o, "ledger", ledger(d));
    json_object_set_new(
        o, "config",
        generation_unix_s == 0
            ? json_null()
            : json_pack("{s:I,s:I}", "generation",
                        (json_int_t)atomic_load(&d->generation),
                        "since_unix_s", (json_int_t)generation_unix_s));
    return o;
}

/* ---- peers and circuits -------------------------------------------------------------- */

json_t *
adit_row_peer(const struct adit_relay_peer_info *p)
{
    char at[ADIT_ENDPOINT_TEXT_BYTES];
    json_t *o = json_object();

    json_object_set_new(o, "peer", adit_row_peerid(p->peer));
    json_object_set_new(o, "class", json_string(p->class_name));
    json_object_set_new(o, "class_why", json_string(p->class_why));
    json_object_set_new(
        o, "address",
        adit_endpoint_is_none(&p->remote)
            ? json_null()
            : json_string(adit_endpoint_format(&p->remote, at)));
    set_count(o, "connections", p->n_conns);
    json_object_set_new(o, "reserved_until_unix_s",
                        p->has_reservation ? json_integer(p->until_unix_s)
                                           : json_null());
    set_count(o, "circuits_out", p->n_as_src);
    set_count(o, "circuits_in", p->n_as_dst);
    set_count(o, "day_bytes", p->day_bytes);
    set_count(o, "month_bytes", p->month_bytes);
    json_object_set_new(o, "banned", json_boolean(p->is_banned));
    return o;
}

/* "to_destination": {"accepted_bytes":...}, and the other way. */
static void
add_ways(json_t *o, const uint64_t accepted_bytes[2],
         const uint64_t handed_bytes[2])
{
    static const char *const names[] = { "to_destination", "to_source" };

    for (unsigned i = 0; i < 2; i++) {
        json_t *way = json_object();

        set_count(way, "accepted_bytes", accepted_bytes[i]);
        set_count(way, "handed_bytes", handed_bytes[i]);
        json_object_set_new(o, names[i], way);
    }
}

json_t *
adit_row_circuit(const struct adit_circuit_copy *c)
{
    json_t *o = json_object();

    set_count(o, "id", c->id);
    json_object_set_new(o, "source", adit_row_peerid(&c->src));
    json_object_set_new(o, "destination", adit_row_peerid(&c->dst));
    json_object_set_new(o, "age_s", json_integer(c->age_us / ADIT_S));
    add_ways(o, c->accepted_bytes, c->handed_bytes);
    set_count(o, "limit_s", c->terms.duration_s);
    set_count(o, "limit_bytes", c->terms.data_bytes);
    set_count(o, "rate_bytes_s", c->terms.bytes_s);
    json_object_set_new(o, "paced", json_boolean(c->is_paced));
    return o;
}

/* ---- limits ----------------------------------------------------------------------------- */

json_t *
adit_row_node_limits(const struct adit_node_config *cfg)
{
    static const char *const things[ADIT_N_CAP_THINGS] = {
        [ADIT_CAP_CONNS] = "connections", [ADIT_CAP_HANDSHAKES] = "handshakes",
        [ADIT_CAP_STREAMS] = "streams",   [ADIT_CAP_RSVPS] = "reservations",
        [ADIT_CAP_CIRCUITS] = "circuits",
    };
    static const char *const scopes[ADIT_N_CAP_SCOPES] = {
        [ADIT_SCOPE_PEER] = "peer",   [ADIT_SCOPE_IP] = "ip",
        [ADIT_SCOPE_NET48] = "net48", [ADIT_SCOPE_ASN] = "asn",
        [ADIT_SCOPE_NODE] = "node",
    };
    json_t *o = json_object();

    json_object_set_new(o, "scope", json_string("node"));
    for (unsigned t = 0; t < ADIT_N_CAP_THINGS; t++) {
        json_t *caps = json_object();

        for (unsigned s = 0; s < ADIT_N_CAP_SCOPES; s++)
            set_count(caps, scopes[s], cfg->caps[t][s]);
        json_object_set_new(o, things[t], caps);
    }
    set_count(o, "rate_node_bytes_s", cfg->rate_node);
    set_count(o, "rate_peer_bytes_s", cfg->rate_peer);
    set_count(o, "rate_circuit_bytes_s", cfg->rate_circuit);
    set_count(o, "reservations_per_hour", cfg->rsvps_per_hour);
    set_count(o, "reservations_per_hour_ip", cfg->rsvps_per_hour_ip);
    set_count(o, "circuits_per_hour", cfg->circuits_per_hour);
    set_count(o, "circuits_per_hour_ip", cfg->circuits_per_hour_ip);
    set_count(o, "buffer_bytes", cfg->buffer_bytes);
    return o;
}

/* The classes of a set of bits. */
static json_t *
class_names(const struct adit_rules *r, uint32_t bits)
{
    json_t *v = json_array();

    for (size_t i = 0; i < r->n_classes; i++)
        if ((bits >> i & 1) != 0)
            json_array_append_new(v, json_string(r->classes[i].name));
    return v;
}

json_t *
adit_row_class_limits(const struct adit_rules *r, size_t i)
{
    const struct adit_class *c = &r->classes[i];
    json_t *o = json_object();

    json_object_set_new(o, "scope", json_string("class"));
    json_object_set_new(o, "class", json_string(c->name));
    json_object_set_new(o, "may_reserve", json_boolean(c->may_reserve));
    json_object_set_new(o, "may_dial", class_names(r, c->may_dial));
    json_object_set_new(o, "dialled_by", class_names(r, c->dialled_by));
    json_object_set_new(o, "announce_limit", json_boolean(c->announce_limit));
    json_object_set_new(o, "reservation_s",
                        json_integer(c->rsvp_ttl_us / ADIT_S));
    set_count(o, "reservations", c->rsvp_max);
    set_count(o, "reservations_per_hour", c->rsvps_per_hour);
    set_count(o, "circuits_per_hour", c->circuits_per_hour);
    set_count(o, "circuits", c->circuits);
    set_count(o, "circuits_in", c->circuits_in);
    set_count(o, "circuits_out", c->circuits_out);
    set_count(o, "circuit_s", c->circuit_s);
    set_count(o, "circuit_bytes", c->circuit_bytes);
    set_count(o, "rate_circuit_bytes_s", c->circuit_bytes_s);
    set_count(o, "rate_peer_bytes_s", c->peer_bytes_s);
    set_count(o, "day_bytes", c->day_bytes);
    set_count(o, "month_bytes", c->month_bytes);
    json_object_set_new(o, "over_quota",
                        json_string(c->over_quota < r->n_classes
                                        ? r->classes[c->over_quota].name
                                        : "refuse"));
    return o;
}

/* ---- the ledger ----------------------------------------------------------------------------- */

json_t *
adit_row_usage(const struct adit_usage_row *u)
{
    json_t *o = json_object(), *refusals = json_object();

    json_object_set_new(o, "peer", adit_row_peerid(&u->peer));
    json_object_set_new(o, "period_unix_s", json_integer(u->period_unix_s));
    json_object_set_new(o, "first_unix_s", json_integer(u->first_unix_s));
    json_object_set_new(o, "last_unix_s", json_integer(u->last_unix_s));
    set_count(o, "sent_bytes", u->sums.sent_bytes);
    set_count(o, "received_bytes", u->sums.received_bytes);
    set_count(o, "circuits_out", u->sums.n_as_src);
    set_count(o, "circuits_in", u->sums.n_as_dst);
    set_count(o, "reservations", u->sums.n_reservations);
    for (unsigned i = ADIT_RULE_NONE + 1; i < ADIT_N_RULES; i++)
        if (u->sums.refusals[i] > 0)
            set_count(refusals, adit_rule_name(i), u->sums.refusals[i]);
    json_object_set_new(o, "refusals", refusals);
    return o;
}

json_t *
adit_row_record(const struct adit_ledger_record *r)
{
    json_t *o = json_object();

    json_object_set_new(o, "source", adit_row_peerid(&r->src));
    json_object_set_new(o, "destination", adit_row_peerid(&r->dst));
    json_object_set_new(o, "began_unix_s", json_integer(r->began_unix_s));
    json_object_set_new(o, "lasted_us", json_integer(r->lasted_us));
    add_ways(o, r->accepted_bytes, r->handed_bytes);
    json_object_set_new(o, "why", json_string(r->why));
    return o;
}
