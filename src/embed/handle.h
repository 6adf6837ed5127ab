/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* handle: what is behind adit_config and adit_key. */
#ifndef ADIT_EMBED_HANDLE_H
#define ADIT_EMBED_HANDLE_H

#include "adit/adit.h"
#include "codec/key.h"
#include "host/node.h"

struct adit_config_handle {
    struct adit_node_config cfg;
    enum adit_level level;
    void (*sink)(void *ctx, enum adit_level level, const char *line);
    void *sink_ctx;
    char why[ADIT_OPT_WHY_BYTES];
};

struct adit_key_handle {
    struct adit_identity id;
};

/*
 * Copy what fits of our struct `from` of `n` bytes into the caller's of
 * `theirs`, which may be older or newer; its first field, the size, stays.
 */
void adit_copy_sized(void *to, size_t theirs, const void *from, size_t n);

#endif
