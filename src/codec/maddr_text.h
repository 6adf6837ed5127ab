/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * maddr_text: what maddr.c (bytes) and maddr_text.c (text) share: the table
 * of protocols.  For these two files only.
 */
#ifndef ADIT_CODEC_MADDR_TEXT_H
#define ADIT_CODEC_MADDR_TEXT_H

#include "codec/maddr.h"

/* A sha2-512 multihash and some. */
#define ADIT_MADDR_MAX_HASH_BYTES 72

/* How a value is written. */
enum adit_maddr_kind {
    ADIT_MADDR_FLAG, /* there is none */
    ADIT_MADDR_IP4,
    ADIT_MADDR_IP6,
    ADIT_MADDR_PORT,
    ADIT_MADDR_U8,
    ADIT_MADDR_U64,
    ADIT_MADDR_NAME,    /* as it is, no slash */
    ADIT_MADDR_PATH,    /* as it is, slashes included, to the end */
    ADIT_MADDR_ESCAPED, /* percent-encoded */
    ADIT_MADDR_PEER,
    ADIT_MADDR_HASH,  /* multibase of a multihash */
    ADIT_MADDR_ONION, /* base32, colon, port */
};

struct adit_maddr_proto {
    enum adit_maddr_code code;
    const char *name;
    enum adit_maddr_kind kind;
    int n_bytes; /* of the value; -1: a length stands before it */
};

/* NULL: not known. */
const struct adit_maddr_proto *adit_maddr_proto(uint64_t code);
const struct adit_maddr_proto *adit_maddr_proto_named(struct adit_slice name);

/* May `v` be the value of such a component? */
bool adit_maddr_fits(const struct adit_maddr_proto *p, struct adit_slice v);

#endif
