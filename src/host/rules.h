/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * rules: what a relay was told about peers: its classes, and the lists that
 * say who is in which, who is allowed and who is denied.
 *
 * A snapshot: made whole from a configuration and the files that it names,
 * on any thread, then handed to a worker that only reads it; a reload makes
 * a new one and frees the old.
 */
#ifndef ADIT_HOST_RULES_H
#define ADIT_HOST_RULES_H

#include "host/node.h"
#include "policy/acl.h"
#include "policy/asn.h"
#include "policy/class.h"

struct adit_rules {
    struct adit_mem mem;
    struct adit_class classes[ADIT_MAX_CLASSES];
    size_t n_classes;
    struct adit_acl *members; /* tag: a class's index */
    struct adit_acl *allow;   /* NULL: everybody; the tag says nothing */
    struct adit_acl *deny;    /* stands above it */
    struct adit_asn *asn;     /* NULL: none */
    bool wider;
    char *admission_token; /* NULL: none */
};

/*
 * ADIT_EINVAL, ADIT_EIO: `why` begins with the option, then says the file,
 * the line and what is wrong.  ADIT_ENOMEM.
 */
ADIT_MUST_USE adit_err adit_rules_new(const struct adit_node_config *cfg,
                                      struct adit_rules **out,
                                      char why[ADIT_NODE_WHY_BYTES]);
/* NULL is fine. */
void adit_rules_free(struct adit_rules *r);

/* The class of that name; ADIT_NO_CLASS. */
uint8_t adit_rules_class(const struct adit_rules *r, const char *name);

/*
 * The class that the lists give a peer there: by its id, else its address,
 * else its autonomous system; ADIT_NO_CLASS: they do not name it.
 */
uint8_t adit_rules_find(const struct adit_rules *r,
                        const struct adit_peerid *peer, struct adit_slice ip,
                        uint32_t asn);

/* ADIT_RULE_NONE, DENIED or NOT_ALLOWED. */
enum adit_rule adit_rules_access(const struct adit_rules *r,
                                 const struct adit_peerid *peer,
                                 struct adit_slice ip);

#endif
