/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * head: what an HTTP request says up to its empty line: enough for a server
 * that only gives away three pages.
 *
 * Of the fields none is needed, so they are only looked at for their form.
 * Pure.  Follows RFC 9112, sections 2 to 5.  Thread: any.
 */
#ifndef ADIT_ADMIN_HEAD_H
#define ADIT_ADMIN_HEAD_H

#include "base/err.h"
#include "base/slice.h"

struct adit_http_head {
    struct adit_slice method; /* of the input */
    struct adit_slice path;   /* the target up to its "?" */
    size_t n_bytes;           /* of the head, its empty line included */
};

/*
 *   ADIT_AGAIN        it does not end yet
 *   ADIT_EPROTO       that is no HTTP/1
 *   ADIT_EUNSUPPORTED of another version
 */
ADIT_MUST_USE adit_err adit_http_head_dec(struct adit_slice in,
                                          struct adit_http_head *out);

#endif
