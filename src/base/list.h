/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * list: intrusive, doubly linked, circular around its head.
 *
 * A node that is in no list points at itself or is all zero; removing it
 * again is fine.  O(1) but for `n`, which nobody keeps.
 */
#ifndef ADIT_BASE_LIST_H
#define ADIT_BASE_LIST_H

#include "base/cc.h"

struct adit_list {
    struct adit_list *next, *prev;
};

static inline void
adit_list_init(struct adit_list *l)
{
    l->next = l->prev = l;
}

static inline bool
adit_list_is_empty(const struct adit_list *l)
{
    return l->next == l || l->next == NULL;
}

/* For a node: is it in a list?  For a head: the opposite of empty. */
static inline bool
adit_list_is_linked(const struct adit_list *n)
{
    return !adit_list_is_empty(n);
}

static inline void
adit_list_remove(struct adit_list *n)
{
    if (n->next != NULL) {
        n->next->prev = n->prev;
        n->prev->next = n->next;
    }
    adit_list_init(n);
}

/* `n` must be in no list. */
static inline void
adit_list_push_tail(struct adit_list *head, struct adit_list *n)
{
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}

static inline void
adit_list_push_head(struct adit_list *head, struct adit_list *n)
{
    n->next = head->next;
    n->prev = head;
    head->next->prev = n;
    head->next = n;
}

/* NULL when empty; the node leaves the list. */
static inline struct adit_list *
adit_list_pop_head(struct adit_list *head)
{
    struct adit_list *n = head->next;

    if (adit_list_is_empty(head))
        return NULL;
    adit_list_remove(n);
    return n;
}

/* `n` may be removed inside the body, no other node may. */
#define ADIT_LIST_EACH(n, tmp, head)                                          \
    for (struct adit_list *n = (head)->next, *tmp = n->next; n != (head);     \
         n = tmp, tmp = n->next)

#endif
