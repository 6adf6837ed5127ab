/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * join: a stream coupled with two descriptors, what comes in with one and
 * what goes out with the other; each way ends by itself.
 *
 * Holds at most a buffer each way: who does not read stops who writes.
 */
#ifndef ADIT_CLI_JOIN_H
#define ADIT_CLI_JOIN_H

#include <adit/adit.h>

#include "cli/loop.h"

struct adit_cli_join;

struct adit_cli_join_config {
    struct adit_cli_loop *loop;
    adit_stream *stream; /* taken */
    int in_fd;           /* its bytes go into the stream */
    int out_fd;          /* it gets the stream's */
    /*
     * The two are ours alone: they are non-blocking, and closed at the end.
     * Otherwise they may be shared with others, and stay as they are.
     */
    bool is_own;
    /*
     * Over: ADIT_DONE when both ways ended, else what went wrong.  `text` is
     * half a sentence.  The join is gone after the call; adit_cli_join_count
     * still answers within it.
     */
    void (*done)(void *ctx, adit_err why, const char *text);
    void *ctx;
};

/* NULL: no memory; the stream was aborted. */
struct adit_cli_join *adit_cli_join_new(
    const struct adit_cli_join_config *cfg);

/* Bytes into the stream and out of it, so far. */
void adit_cli_join_count(const struct adit_cli_join *j, uint64_t *in,
                         uint64_t *out);

/* Ends it at once, by reset; `done` is not called.  NULL is fine. */
void adit_cli_join_abort(struct adit_cli_join *j);

/* The stream, borrowed. */
adit_stream *adit_cli_join_stream(const struct adit_cli_join *j);

#endif
