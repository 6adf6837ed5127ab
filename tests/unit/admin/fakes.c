/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "fakes.h"

struct fake fake;

void
fake_peer(size_t i, struct adit_peerid *out)
{
    /* identity multihash of an Ed25519 key's message */
    *out = (struct adit_peerid){ 38, { 0x00, 0x24, 0x08, 0x01, 0x12, 0x20 } };
    out->b[6] = (uint8_t)(i >> 8);
    out->b[7] = (uint8_t)i;
}

void
fake_fill(size_t n_peers, size_t n_circuits)
{
    for (size_t i = 0; i < n_peers; i++)
        fake_peer(i, &fake.peers[i]);
    fake.n_peers = n_peers;
    fake.n_circuits = n_circuits;
}

/* ---- relay --------------------------------------------------------------------- */

static void
peer_info(size_t i, struct adit_relay_peer_info *p)
{
    *p = (struct adit_relay_peer_info){
        .peer = &fake.peers[i],
        .class_name = "anonymous",
        .class_why = "default",
        .n_conns = 1,
        .has_reservation = i % 2 == 0,
        .until_unix_s = 1700003600,
        .n_as_src = i == 2 ? 5 : 0,
        .day_bytes = 10 * i,
        .month_bytes = 100 * i,
    };
}

void
adit_relay_each_peer(struct adit_relay *r,
                     bool (*fn)(void *ctx,
                                const struct adit_relay_peer_info *p),
                     void *ctx)
{
    (void)r;
    for (size_t i = 0; i < fake.n_peers; i++) {
        struct adit_relay_peer_info p;

        peer_info(i, &p);
        if (!fn(ctx, &p))
            return;
    }
}

bool
adit_relay_peer(struct adit_relay *r, const struct adit_peerid *peer,
                struct adit_relay_peer_info *out)
{
    (void)r;
    for (size_t i = 0; i < fake.n_peers; i++)
        if (adit_peerid_eq(peer, &fake.peers[i])) {
            peer_info(i, out);
            return true;
        }
    return false;
}

void
adit_relay_each_circuit(struct adit_relay *r,
                        bool (*fn)(void *ctx,
                                   const struct adit_circuit_info *c),
                        void *ctx)
{
    (void)r;
    for (size_t i = 0; i < fake.n_circuits; i++) {
        struct adit_circuit_info c = {
            .id = i + 1,
            .src = &fake.peers[i % fake.n_peers],
            .dst = &fake.peers[(i + 1) % fake.n_peers],
            .terms = { 120, 131072, 0 },
            .age_us = 90 * ADIT_S,
            .accepted_bytes = { i, 2 },
            .handed_bytes = { i, 1 },
        };

        if (!fn(ctx, &c))
            return;
    }
}

static void
note(const char *what, const struct adit_peerid *peer, long long n,
     const char *name)
{
    snprintf(fake.done, sizeof(fake.done), "%s %u %lld %s", what,
             peer != NULL ? peer->b[7] : 0U, n, name);
}

size_t
adit_relay_kick(struct adit_relay *r, const struct adit_peerid *peer)
{
    (void)r;
    note("kick", peer, 0, "");
    return 3;
}

adit_err
adit_relay_ban(struct adit_relay *r, const struct adit_peerid *peer,
               int64_t until_unix_s)
{
    (void)r;
    note("ban", peer, until_unix_s != 0, "");
    return ADIT_OK;
}

void
adit_relay_unban(struct adit_relay *r, const struct adit_peerid *peer)
{
    (void)r;
    note("unban", peer, 0, "");
}

adit_err
adit_relay_set_class(struct adit_relay *r, const struct adit_peerid *peer,
                     const char *name)
{
    (void)r;
    note("class", peer, 0, name);
    return strcmp(name, "none") == 0 ? ADIT_EINVAL : ADIT_OK;
}

void
adit_relay_drain(struct adit_relay *r)
{
    (void)r;
    fake.drain = ADIT_DRAIN_ON;
}

void
adit_relay_undrain(struct adit_relay *r)
{
    (void)r;
    fake.drain = ADIT_DRAIN_NO;
}

enum adit_drain_state
adit_relay_drain_state(const struct adit_relay *r)
{
    (void)r;
    return fake.drain;
}

uint32_t
adit_relay_n_reservations(const struct adit_relay *r)
{
    (void)r;
    return (uint32_t)(fake.n_peers + 1) / 2;
}

uint32_t
adit_relay_n_circuits(const struct adit_relay *r)
{
    (void)r;
    return (uint32_t)fake.n_circuits;
}

struct adit_ledger *
adit_relay_ledger(const struct adit_relay *r)
{
    (void)r;
    return fake.has_ledger ? (struct adit_ledger *)&fake : NULL;
}

const struct adit_rules *
adit_relay_rules(const struct adit_relay *r)
{
    (void)r;
    return &fake.rules;
}

/* ---- ledger --------------------------------------------------------------------- */

adit_err
adit_ledger_query(struct adit_ledger *l, const struct adit_usage_query *q,
                  adit_usage_fn *fn, void *ctx)
{
    (void)l;
    fake.query = *q;
    fake.query_fn = fn;
    fake.query_ctx = ctx;
    return ADIT_OK;
}

void
adit_ledger_forget(struct adit_ledger *l, void *ctx)
{
    (void)l;
    fake.n_forgotten += fake.query_ctx == ctx;
    fake.query_fn = NULL;
}

void
adit_ledger_state(const struct adit_ledger *l, struct adit_ledger_state *out)
{
    (void)l;
    *out = (struct adit_ledger_state){ .is_failing = true,
                                       .written_unix_s = 1700000000,
                                       .failing_unix_s = 1700000001,
                                       .n_pending = 7,
                                       .why = "disk full" };
}

/* ---- node ------------------------------------------------------------------------ */

const struct adit_node_config *
adit_node_cfg(const struct adit_node *n)
{
    (void)n;
    return &fake.cfg;
}

const struct adit_maddr *
adit_node_listens(const struct adit_node *n, size_t *count)
{
    (void)n;
    *count = fake.n_listens;
    return fake.listens;
}
