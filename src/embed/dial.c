/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/front.h"

/*
 * The longest name that is taken.  multistream-select could carry a
 * kilobyte; in identify a handful of such would push out all others.
 */
#define MAX_PROTOCOL_BYTES 255

static bool
is_protocol(const char *name)
{
    size_t n = name != NULL ? strlen(name) : 0;

    if (n < 2 || n > MAX_PROTOCOL_BYTES || name[0] != '/')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
            return false;
    return true;
}

static adit_err
parse_target(const char *addr, const struct adit_dial_options *opt,
             struct adit_target *out)
{
    struct adit_dial_options o = ADIT_DIAL_OPTIONS_INIT;
    struct adit_maddr rest;
    adit_err e;

    if (addr == NULL)
        return ADIT_EINVAL;
    e = adit_maddr_parse(adit_slice_str(addr), &out->addr, NULL);
    if (e != ADIT_OK)
        return e;
    adit_maddr_peer(&out->addr, &out->peer);
    if (adit_peerid_is_none(&out->peer))
        return ADIT_EINVAL;
    rest = out->addr;
    adit_maddr_strip_peer(&rest);
    if (rest.n == 0)
        out->addr.n = 0;
    if (opt != NULL)
        adit_copy_sized(&o, opt->size, opt, sizeof(o));
    if ((int)o.mode < ADIT_DIAL_ANY || (int)o.mode > ADIT_DIAL_DIRECT_ONLY)
        return ADIT_EINVAL;
    out->opt = o;
    return ADIT_OK;
}

adit_err
adit_open(adit_node *n, const char *addr, const char *protocol,
          const struct adit_dial_options *opt,
          const struct adit_stream_events *ev, adit_stream **out)
{
    struct adit_target t;
    adit_err e;
    adit_stream *s;

    if (!is_protocol(protocol))
        return ADIT_EINVAL;
    e = parse_target(addr, opt, &t);
    if (e != ADIT_OK)
        return e;
    s = adit_front_stream_new(n, protocol, strlen(protocol));
    if (s == NULL)
        return ADIT_ENOMEM;
    adit_list_push_tail(&n->streams, &s->link);
    adit_stream_set_events(s, ev);
    s->b.back = &n->back;
    s->b.target = t;
    adit_front_post(n, &s->b.start, adit_bstream_on_start);
    *out = s;
    return ADIT_OK;
}

adit_err
adit_ping(adit_node *n, const char *addr, const struct adit_dial_options *opt,
          unsigned count, uint32_t gap_ms, void *tag)
{
    struct adit_target t;
    adit_err e = count > 0 ? parse_target(addr, opt, &t) : ADIT_EINVAL;
    struct adit_ping_cmd *c;

    if (e != ADIT_OK)
        return e;
    c = ADIT_CROSS_NEW(struct adit_ping_cmd);
    if (c == NULL)
        return ADIT_ENOMEM;
    c->b = &n->back;
    c->target = t;
    c->count = count;
    c->gap_us = gap_ms * ADIT_MS;
    c->tag = tag;
    adit_front_post(n, &c->msg, adit_back_ping);
    return ADIT_OK;
}

adit_err
adit_reserve(adit_node *n, const char *addr)
{
    struct adit_target t;
    struct adit_slice unused;
    struct adit_reserve_cmd *c;
    adit_err e = parse_target(addr, NULL, &t);

    if (e != ADIT_OK)
        return e;
    if (t.addr.n == 0 ||
        adit_maddr_find(&t.addr, ADIT_MA_P2P_CIRCUIT, &unused))
        return ADIT_EINVAL;
    c = ADIT_CROSS_NEW(struct adit_reserve_cmd);
    if (c == NULL)
        return ADIT_ENOMEM;
    c->b = &n->back;
    c->addr = t.addr;
    adit_front_post(n, &c->msg, adit_back_reserve);
    return ADIT_OK;
}

adit_err
adit_handle(adit_node *n, const char *protocol, bool on_limited)
{
    struct adit_handle_cmd *c;
    size_t name_bytes;

    if (!is_protocol(protocol))
        return ADIT_EINVAL;
    name_bytes = strlen(protocol) + 1;
    c = adit_cross_alloc(sizeof(*c) + name_bytes);
    if (c == NULL)
        return ADIT_ENOMEM;
    c->b = &n->back;
    c->on_limited = on_limited;
    c->n = name_bytes;
    memcpy(c->name, protocol, name_bytes);
    adit_front_post(n, &c->msg, adit_back_handle);
    return ADIT_OK;
}
