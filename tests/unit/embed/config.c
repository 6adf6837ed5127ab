/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Configuration, option table, addresses, metrics, and bad arguments: what
 * the public API answers without a node that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <adit/adit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
options(void **state)
{
    struct adit_option o = { .size = sizeof(o) };
    adit_config *cfg = adit_config_new();
    size_t i;

    (void)state;
    assert_non_null(cfg);
    for (i = 0; adit_option_at(i, &o) == ADIT_OK; i++) {
        char now[2048];

        assert_int_equal(o.size, sizeof(o));
        assert_non_null(strchr(o.name, '.'));
        assert_true(strlen(o.help) > 10);
        assert_true(strcmp(o.when, "start") == 0 ||
                    strcmp(o.when, "reload") == 0);
        /* The default is a value, and what _get gives can be set again. */
        assert_int_equal(adit_config_set(cfg, o.name, o.def), ADIT_OK);
        adit_config_get(cfg, o.name, now, sizeof(now));
        assert_int_equal(adit_config_set(cfg, o.name, now), ADIT_OK);
    }
    assert_true(i > 10);
    assert_int_equal(adit_option_at(i, &o), ADIT_DONE);
    adit_config_free(cfg);
    adit_config_free(NULL);
}

/* A caller of an older version has a shorter struct. */
static void
shorter_structs(void **state)
{
    struct adit_option o;
    struct adit_addr_why why;

    (void)state;
    memset(&o, 0x5a, sizeof(o));
    o.size = offsetof(struct adit_option, type);
    assert_int_equal(adit_option_at(0, &o), ADIT_OK);
    assert_non_null(strchr(o.name, '.'));
    assert_int_equal(((unsigned char *)&o.type)[0], 0x5a);

    memset(&why, 0x5a, sizeof(why));
    why.size = offsetof(struct adit_addr_why, what);
    assert_int_equal(adit_addr_check("/ip4/1.2.3", &why), ADIT_EINVAL);
    assert_int_equal(((unsigned char *)&why.what)[0], 0x5a);
}

static void
config_errors(void **state)
{
    static const struct {
        const char *why, *name, *value;
        const char *says; /* part of it */
    } cases[] = {
        { "unknown", "circuit.bytess", "1", "circuit" },
        { "no number", "circuit.data_bytes", "many", "circuit.data_bytes" },
        { "no unit", "circuit.duration", "90", "circuit.duration" },
        { "not yes or no", "relay.enabled", "maybe", "relay.enabled" },
        { "too small", "node.buffer_bytes", "1B", "node.buffer_bytes" },
    };
    adit_config *cfg = adit_config_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (adit_config_set(cfg, cases[i].name, cases[i].value) !=
                ADIT_EINVAL ||
            strstr(adit_config_why(cfg), cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].why, adit_config_why(cfg));
        assert_int_equal(adit_config_set(cfg, "relay.enabled", "no"), ADIT_OK);
        assert_string_equal(adit_config_why(cfg), "");
    }
    assert_int_equal(adit_config_get(cfg, "no.such", NULL, 0), 0);
    adit_config_free(cfg);
}

static void
addresses(void **state)
{
    struct adit_addr_why why = { .size = sizeof(why) };

    (void)state;
    assert_int_equal(adit_addr_check("/ip4/127.0.0.1/tcp/4001", NULL),
                     ADIT_OK);
    assert_int_equal(adit_addr_check("/ip4/127.0.0.1/tcp/99999", &why),
                     ADIT_EINVAL);
    assert_true(why.at >= 15);
    assert_true(strlen(why.what) > 0);
    assert_int_equal(adit_addr_check("", NULL), ADIT_EINVAL);
}

/* A node that cannot be: it says which option, or which address. */
static void
node_errors(void **state)
{
    adit_config *cfg = adit_config_new();
    adit_node *n = NULL, *m = NULL;
    adit_key *key;

    (void)state;
    assert_int_equal(adit_key_new(&key), ADIT_OK);
    assert_int_equal(adit_config_set(cfg, "listen.tcp", "/ip4/1.2.3.4"),
                     ADIT_OK);
    assert_int_equal(adit_node_new(cfg, key, NULL, &n), ADIT_EINVAL);
    assert_non_null(strstr(adit_config_why(cfg), "listen.tcp"));
    assert_null(n);

    assert_int_equal(
        adit_config_set(cfg, "listen.tcp", "/ip4/192.0.2.77/tcp/0"), ADIT_OK);
    assert_int_equal(adit_node_new(cfg, key, NULL, &n), ADIT_OK);
    assert_int_equal(adit_node_start(n), ADIT_EUNREACHABLE);
    assert_non_null(strstr(adit_node_why(n), "192.0.2.77"));
    assert_int_equal(adit_node_fd(n), -1);
    adit_node_dispatch(n); /* nothing, and no harm */
    assert_int_equal(adit_node_attach(n, NULL), ADIT_EINVAL);

    assert_int_equal(adit_reserve(n, "/ip4/127.0.0.1/tcp/1"), ADIT_EINVAL);
    assert_int_equal(adit_reserve(n, "nonsense"), ADIT_EINVAL);
    assert_int_equal(adit_handle(n, "no-slash", true), ADIT_EINVAL);
    assert_int_equal(adit_handle(n, "/a b", true), ADIT_EINVAL);
    assert_int_equal(adit_handle(n, "", true), ADIT_EINVAL);
    adit_node_free(n);

    /* One that runs, runs once; what it listens on is taken. */
    assert_int_equal(
        adit_config_set(cfg, "listen.tcp", "/ip4/127.0.0.1/tcp/0"), ADIT_OK);
    assert_int_equal(adit_node_new(cfg, key, NULL, &n), ADIT_OK);
    assert_int_equal(adit_node_start(n), ADIT_OK);
    assert_int_equal(adit_node_start(n), ADIT_ESTATE);
    assert_true(adit_node_fd(n) >= 0);
    adit_node_free(m);
    adit_node_free(n);
    adit_key_free(key);
    adit_config_free(cfg);
}

/* An older program's table of events ends before the newer entries. */
static void
n_ready(void *ctx, adit_node *n, const char *const *addrs, size_t n_addrs)
{
    (void)n;
    (void)addrs;
    (void)n_addrs;
    ++*(int *)ctx;
}

static void
shorter_events(void **state)
{
    struct adit_events ev;
    adit_config *cfg = adit_config_new();
    adit_node *n;
    adit_key *key;
    int ready = 0;

    (void)state;
    memset(&ev, 0x5a, sizeof(ev)); /* calling any of them would crash */
    ev.size = offsetof(struct adit_events, on_stream);
    ev.ctx = &ready;
    ev.on_ready = n_ready;
    assert_int_equal(adit_key_new(&key), ADIT_OK);
    assert_int_equal(
        adit_config_set(cfg, "listen.tcp", "/ip4/127.0.0.1/tcp/0"), ADIT_OK);
    assert_int_equal(adit_node_new(cfg, key, &ev, &n), ADIT_OK);
    assert_int_equal(adit_node_start(n), ADIT_OK);
    adit_node_dispatch(n);
    assert_int_equal(ready, 1);
    adit_node_free(n);
    adit_key_free(key);
    adit_config_free(cfg);
}

static void
metrics(void **state)
{
    adit_config *cfg = adit_config_new();
    adit_node *n;
    adit_key *key;
    size_t len;
    char *text, cut[32];
    char seen[128] = "";

    (void)state;
    assert_int_equal(adit_key_new(&key), ADIT_OK);
    assert_int_equal(adit_node_new(cfg, key, NULL, &n), ADIT_OK);
    len = adit_node_metrics(n, NULL, 0);
    assert_true(len > 1000);
    assert_int_equal(adit_node_metrics(n, cut, sizeof(cut)), len);
    assert_int_equal(strlen(cut), sizeof(cut) - 1);
    text = malloc(len + 1);
    assert_int_equal(adit_node_metrics(n, text, len + 1), len);
    assert_int_equal(strlen(text), len);

    /* Each name is introduced once, and its rows follow. */
    for (char *at = text, *next; *at != '\0'; at = next) {
        char word[128];

        next = strchr(at, '\n');
        assert_non_null(next);
        *next++ = '\0';
        if (sscanf(at, "# HELP %127s", word) == 1) {
            char again[160];

            snprintf(again, sizeof(again), "# HELP %s ", word);
            assert_null(strstr(next, again));
            assert_true(strlen(at) > strlen(again));
            snprintf(seen, sizeof(seen), "%s", word);
        } else if (sscanf(at, "# TYPE %127s", word) == 1) {
            assert_string_equal(word, seen);
        } else {
            assert_int_equal(strncmp(at, seen, strlen(seen)), 0);
            assert_true(strtod(strrchr(at, ' '), NULL) == 0);
        }
    }
    free(text);
    adit_node_free(n);
    adit_key_free(key);
    adit_config_free(cfg);
}

static void
version(void **state)
{
    int a, b, c;

    (void)state;
    assert_int_equal(sscanf(adit_version(), "%d.%d.%d", &a, &b, &c), 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),       cmocka_unit_test(shorter_structs),
        cmocka_unit_test(config_errors), cmocka_unit_test(addresses),
        cmocka_unit_test(node_errors),   cmocka_unit_test(shorter_events),
        cmocka_unit_test(metrics),       cmocka_unit_test(version),
    };

    return cmocka_run_group_tests_name("embed/config", tests, NULL, NULL);
}
