/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ctl: a conversation with a running aditd over its control socket. */
#ifndef ADIT_CLI_CTL_H
#define ADIT_CLI_CTL_H

#include "cli/cli.h"

#define ADIT_CLI_SOCKET "/run/adit/aditd.sock"

struct adit_cli_ctl {
    struct adit_cli *c;
    const char *path;
    int fd;      /* -1 */
    int stop_fd; /* readable: stop waiting; -1: none */
    /* Before something is said that went wrong; NULL. */
    void (*on_error)(void *ctx);
    void *ctx;
    char *buf;
    size_t n, room;
};

/* The option that they all have; `path` is filled in. */
struct adit_cli_arg adit_cli_ctl_arg(const char **path);

/*
 * Connect: to `path`, else $ADIT_SOCKET, else ADIT_CLI_SOCKET.  Says what is
 * wrong.  ADIT_CLI_OK, or the exit code.
 */
int adit_cli_ctl_open(struct adit_cli_ctl *ctl, struct adit_cli *c,
                      const char *path);
void adit_cli_ctl_close(struct adit_cli_ctl *ctl);

/*
 * Ask (takes `question`), and give each line of the answer to `row` (which
 * borrows it; NULL: none wanted).  *last (NULL: not wanted) is the caller's.
 * ADIT_CLI_OK, or the exit code, said why; -1: stop_fd, nothing said.
 */
int adit_cli_ctl_ask(struct adit_cli_ctl *ctl, json_t *question,
                     void (*row)(void *ctx, json_t *row), void *ctx,
                     json_t **last);

/* What a row has under `key`; 0 and "" if it has not. */
int64_t adit_cli_int(const json_t *row, const char *key);
const char *adit_cli_str(const json_t *row, const char *key);

#endif
