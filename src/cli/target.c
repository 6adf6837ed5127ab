/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/target.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

size_t
adit_cli_dial_rows(struct adit_cli_dial_args *a, struct adit_cli_arg out[8])
{
    const struct adit_cli_arg rows[] = {
        { "direct", 0, ADIT_CLI_FLAG, &a->is_direct, NULL,
          "not through a relay" },
        { "wait", 0, ADIT_CLI_TIME, &a->wait_ms, "TIME",
          "use a relayed path only if none is direct by then" },
        { "timeout", 't', ADIT_CLI_TIME, &a->timeout_ms, "TIME",
          "give up connecting after this long (30s)" },
        { "relay", 'r', ADIT_CLI_LIST, &a->relays, "ADDR",
          "a relay to try for a bare /p2p/ID; may be repeated" },
        { "key", 'k', ADIT_CLI_TEXT, &a->key, "FILE",
          "identity to be; else a new one for this run" },
        { "identity", 0, ADIT_CLI_TEXT, &a->key, "FILE", NULL },
    };

    memcpy(out, rows, sizeof(rows));
    return ADIT_CLI_NITEMS(rows);
}

int
adit_cli_target_init(struct adit_cli *c, struct adit_cli_target *t,
                     const char *addr, const struct adit_cli_dial_args *a)
{
    bool is_bare = strncmp(addr, "/p2p/", 5) == 0;

    *t = (struct adit_cli_target){ .opt = ADIT_DIAL_OPTIONS_INIT };
    t->opt.timeout_ms = a->timeout_ms;
    if (a->is_direct && a->wait_ms > 0) {
        adit_cli_error(c, "--direct and --wait exclude each other");
        return ADIT_CLI_USAGE;
    }
    if (a->is_direct) {
        t->opt.mode = ADIT_DIAL_DIRECT_ONLY;
        t->opt.on_limited = false;
    } else if (a->wait_ms > 0) {
        t->opt.mode = ADIT_DIAL_WAIT;
        t->opt.wait_ms = a->wait_ms;
    }
    if (!adit_cli_check_addr(c, addr))
        return ADIT_CLI_USAGE;
    if (strstr(addr, "/p2p/") == NULL) {
        adit_cli_error(c,
                       "%s does not say which peer is meant: it must end in "
                       "/p2p/ID",
                       addr);
        return ADIT_CLI_USAGE;
    }
    for (size_t i = 0; i < a->relays.n; i++)
        if (!adit_cli_check_addr(c, a->relays.v[i]))
            return ADIT_CLI_USAGE;
    if (is_bare && a->relays.n == 0) {
        adit_cli_error(c, "%s says who, not where: name a --relay", addr);
        return ADIT_CLI_USAGE;
    }
    for (size_t i = 0; i < (is_bare ? a->relays.n : 1); i++) {
        const char *relay = is_bare ? a->relays.v[i] : "";
        size_t n = strlen(relay) + strlen(addr) + sizeof("/p2p-circuit");
        char *s = malloc(n);

        if (s == NULL) {
            adit_cli_fail(c, "dial", ADIT_ENOMEM, NULL);
            return ADIT_CLI_LOCAL;
        }
        snprintf(s, n, "%s%s%s", relay, is_bare ? "/p2p-circuit" : "", addr);
        t->addrs[t->n++] = s;
    }
    return ADIT_CLI_OK;
}

void
adit_cli_target_fini(struct adit_cli_target *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->addrs[i]);
    t->n = 0;
}

const char *
adit_cli_target_next(struct adit_cli_target *t)
{
    return t->next < t->n ? t->addrs[t->next++] : NULL;
}

/* ---- the story ------------------------------------------------------------- */

void
adit_cli_on_conn(struct adit_cli *c, const struct adit_conn_info *info)
{
    char n[ADIT_CLI_AMOUNT_BYTES] = "no limit of bytes";
    char s[ADIT_CLI_AMOUNT_BYTES] = "no limit of time";

    adit_cli_event(c, json_pack("{s:s,s:I,s:s,s:s,s:s?,s:b,s:b}", "event",
                                info->is_inbound ? "accepted" : "connected",
                                "conn", (json_int_t)info->id, "peer",
                                info->peer, "addr", info->addr, "relay",
                                info->relay, "inbound", info->is_inbound,
                                "limited", info->is_limited));
    if (!info->is_limited) {
        adit_cli_note(c, "%s %s at %s, %s",
                      info->is_inbound ? "connection from" : "connected to",
                      info->peer, info->addr,
                      info->relay != NULL ? "through a relay without limits"
                                          : "direct");
        return;
    }
    if (info->left_out_bytes != UINT64_MAX)
        adit_cli_bytes(info->left_out_bytes, n);
    if (info->left_ms != INT64_MAX)
        adit_cli_seconds((uint64_t)(info->left_ms + 500) / 1000, s);
    adit_cli_note(c,
                  "%s %s through relay %s, which limits it: %s each way, %s",
                  info->is_inbound ? "connection from" : "connected to",
                  info->peer, info->relay != NULL ? info->relay : "?", n, s);
}

void
adit_cli_on_conn_end(struct adit_cli *c, const struct adit_conn_info *info,
                     adit_err why, const char *text)
{
    adit_cli_event(c,
                   json_pack("{s:s,s:I,s:s,s:s,s:s}", "event", "disconnected",
                             "conn", (json_int_t)info->id, "peer", info->peer,
                             "code", adit_err_name(why), "text", text));
    adit_cli_note(c, "connection with %s ended: %s", info->peer, text);
}

static json_t *
texts(const char *const *v, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(v[i]));
    return a;
}

void
adit_cli_on_peer(struct adit_cli *c, const struct adit_peer_info *p)
{
    adit_cli_event(c, json_pack("{s:s,s:I,s:s,s:s,s:s,s:o,s:o}", "event",
                                "identified", "conn", (json_int_t)p->conn,
                                "peer", p->peer, "agent", p->agent, "observed",
                                p->observed, "protocols",
                                texts(p->protocols, p->n_protocols), "addrs",
                                texts(p->addrs, p->n_addrs)));
    adit_cli_note(c, "%s is %s, and sees us at %s", p->peer, p->agent,
                  p->observed[0] != '\0' ? p->observed : "an unknown address");
}
