/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * churn: COUNT times connect to a relay, reserve, and disconnect, each time
 * as somebody new; WIDTH of them at once.  What the relay has afterwards must
 * be what it had before: tests/integ/run looks at that.
 *
 *   churn RELAY COUNT WIDTH      exit code 0 if every one was reserved
 */
#include <adit/adit.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct churn {
    struct event_base *base;
    const char *relay;
    long left; /* to be begun */
    long n_done;
    long n_failed;
    long n_live;
};

struct one {
    struct churn *all;
    adit_node *node;
};

static int begin(struct churn *all);

static void
end(struct one *o)
{
    struct churn *all = o->all;

    adit_node_free(o->node);
    free(o);
    all->n_live--;
    if (all->left > 0 && begin(all) != 0)
        all->n_failed++;
    if (all->n_live == 0)
        event_base_loopbreak(all->base);
}

static void
on_reserved(void *ctx, adit_node *n, const struct adit_reservation *r)
{
    struct one *o = ctx;

    (void)n;
    (void)r;
    o->all->n_done++;
    end(o);
}

static void
on_lost(void *ctx, adit_node *n, const struct adit_reservation_lost *r)
{
    struct one *o = ctx;

    (void)n;
    fprintf(stderr, "not reserved: %s\n", r->text);
    o->all->n_failed++;
    end(o);
}

static int
begin(struct churn *all)
{
    struct adit_events ev = ADIT_EVENTS_INIT;
    struct one *o = calloc(1, sizeof(*o));
    adit_config *cfg = adit_config_new();
    adit_key *key = NULL;
    int rc = -1;

    all->left--;
    if (o == NULL || cfg == NULL || adit_key_new(&key) != ADIT_OK)
        goto out;
    o->all = all;
    ev.ctx = o;
    ev.on_reserved = on_reserved;
    ev.on_reservation_lost = on_lost;
    if (adit_node_new(cfg, key, &ev, &o->node) != ADIT_OK)
        goto out;
    if (adit_node_attach(o->node, all->base) != ADIT_OK ||
        adit_reserve(o->node, all->relay) != ADIT_OK) {
        adit_node_free(o->node);
        goto out;
    }
    all->n_live++;
    rc = 0;
out:
    adit_key_free(key);
    adit_config_free(cfg);
    if (rc != 0)
        free(o);
    return rc;
}

int
main(int argc, char **argv)
{
    struct churn all = { 0 };
    long width;

    if (argc != 4) {
        fprintf(stderr, "usage: churn RELAY COUNT WIDTH\n");
        return 64;
    }
    all.base = event_base_new();
    all.relay = argv[1];
    all.left = strtol(argv[2], NULL, 10);
    width = strtol(argv[3], NULL, 10);
    if (all.base == NULL)
        return 71;
    for (long i = 0; i < width && all.left > 0; i++)
        if (begin(&all) != 0)
            all.n_failed++;
    if (all.n_live > 0)
        event_base_dispatch(all.base);
    event_base_free(all.base);
    printf("%ld reserved, %ld failed\n", all.n_done, all.n_failed);
    return all.n_failed == 0 ? 0 : 1;
}
