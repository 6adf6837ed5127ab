/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* target: whom to dial, and by which addresses: as named, or a bare /p2p/ID
 * behind each relay of one's own list. */
#ifndef ADIT_CLI_TARGET_H
#define ADIT_CLI_TARGET_H

#include "cli/cli.h"

struct adit_cli_target {
    char *addrs[ADIT_CLI_MAX_LIST];
    size_t n, next;
    struct adit_dial_options opt;
};

/* What the commands that dial have in common. */
struct adit_cli_dial_args {
    bool is_direct;
    uint32_t wait_ms, timeout_ms;
    struct adit_cli_list relays;
    const char *key;
};
#define ADIT_CLI_DIAL_ARGS_INIT                                               \
    {                                                                         \
        .timeout_ms = 30000                                                   \
    }

/* Their rows; returns how many, at most 8. */
size_t adit_cli_dial_rows(struct adit_cli_dial_args *a,
                          struct adit_cli_arg out[8]);

/* Checks the addresses.  ADIT_CLI_OK, or the exit code. */
int adit_cli_target_init(struct adit_cli *c, struct adit_cli_target *t,
                         const char *addr, const struct adit_cli_dial_args *a);
void adit_cli_target_fini(struct adit_cli_target *t);

/* The next address to try; NULL: there are no more. */
const char *adit_cli_target_next(struct adit_cli_target *t);

/* -v's story of a connection, and the event "connected". */
void adit_cli_on_conn(struct adit_cli *c, const struct adit_conn_info *info);
void adit_cli_on_conn_end(struct adit_cli *c,
                          const struct adit_conn_info *info, adit_err why,
                          const char *text);
void adit_cli_on_peer(struct adit_cli *c, const struct adit_peer_info *p);

#endif
