/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wire/mss/mss.h"

/* A length of up to 1024 takes two bytes at most. */
#define LEN_MAX_BYTES 2

#define HEADER "/multistream/1.0.0"
#define NA "na"
#define LS "ls"

enum state {
    S_HEADER, /* wait for the peer's first token */
    S_TOKEN,  /* dialer: an answer; listener: a proposal */
    S_ASKED,  /* listener: wait for _accept or _refuse */
    S_OVER,   /* agreed, or nothing left to propose */
};

enum pending { P_NOTHING, P_PROPOSED, P_AGREED, P_NONE };

static adit_err
fail(struct adit_mss *m, adit_err e, const char *why)
{
    m->err = e;
    m->why = why;
    m->out_n = 0;
    m->pending = P_NOTHING;
    return e;
}

static bool
token_is(struct adit_slice token, const char *text)
{
    return adit_slice_eq(token, adit_slice_str(text));
}

/* Room for one more token of any size behind what waits to be sent. */
static bool
out_has_room(const struct adit_mss *m)
{
    return sizeof(m->out) - m->out_n >=
           LEN_MAX_BYTES + ADIT_MSS_MAX_TOKEN_BYTES;
}

static uint8_t *
out_tail(struct adit_mss *m, size_t n)
{
    if (m->out_off > 0) {
        memmove(m->out, m->out + m->out_off, m->out_n);
        m->out_off = 0;
    }
    adit_assert(n <= sizeof(m->out) - m->out_n);
    m->out_n += n;
    return m->out + m->out_n - n;
}

/* Append `text` as a token. */
static void
put_token(struct adit_mss *m, struct adit_slice text)
{
    size_t n = text.n + 1;
    size_t n_len = n < 0x80 ? 1 : 2;
    uint8_t *p = out_tail(m, n_len + n);

    adit_assert(n <= ADIT_MSS_MAX_TOKEN_BYTES);
    *p++ = (uint8_t)(n_len == 1 ? n : (n & 0x7f) | 0x80);
    if (n_len == 2)
        *p++ = (uint8_t)(n >> 7);
    adit_copy(p, text);
    p[text.n] = '\n';
}

/* ---- reading tokens ------------------------------------------------------ */

/*
 * The length of the token whose first bytes are in m->in, when they tell:
 * 0 while they do not.  ADIT_EPROTO: no such length.
 */
static adit_err
token_length(const struct adit_mss *m, size_t *n_len, size_t *n)
{
    const uint8_t *p = m->in;

    *n = 0;
    if (m->have == 0 || (m->have == 1 && p[0] >= 0x80))
        return ADIT_OK;
    *n_len = p[0] < 0x80 ? 1 : 2;
    *n = *n_len == 1 ? p[0] : (size_t)(p[0] & 0x7f) | (size_t)p[1] << 7;
    /* A second byte that adds nothing, or asks for a third. */
    if (*n_len == 2 && (p[1] == 0 || p[1] >= 0x80))
        return ADIT_EPROTO;
    if (*n == 0 || *n > ADIT_MSS_MAX_TOKEN_BYTES)
        return ADIT_EPROTO;
    return ADIT_OK;
}

/*
 * Take bytes up to the end of one token and not one further.
 *
 *   ADIT_OK      *token holds its text without the newline, in m->in
 *   ADIT_AGAIN   all of `in` was taken and it does not end there
 *   ADIT_EPROTO  failed
 */
static adit_err
take_token(struct adit_mss *m, struct adit_slice *in, struct adit_slice *token)
{
    size_t n_len, n;

    for (;;) {
        size_t want = 1;

        if (token_length(m, &n_len, &n) != ADIT_OK)
            return fail(m, ADIT_EPROTO, "token of impossible length");
        if (n > 0)
            want = n_len + n - m->have;
        if (want == 0)
            break;
        if (in->n == 0)
            return ADIT_AGAIN;
        want = ADIT_MIN(want, in->n);
        memcpy(m->in + m->have, in->p, want);
        m->have += want;
        *in = adit_slice_skip(*in, want);
    }
    if (m->in[n_len + n - 1] != '\n')
        return fail(m, ADIT_EPROTO, "token does not end in a newline");
    *token = adit_slice(m->in + n_len, n - 1);
    return ADIT_OK;
}

/* ---- what a token means -------------------------------------------------- */

static adit_err
dialer_token(struct adit_mss *m, struct adit_slice token)
{
    m->have = 0;
    if (token_is(token, NA)) {
        m->at++;
        if (m->at == m->n_names) {
            m->state = S_OVER;
            m->pending = P_NONE;
        } else {
            put_token(m, adit_slice_str(m->names[m->at]));
        }
        return ADIT_OK;
    }
    if (m->state == S_HEADER) {
        if (!token_is(token, HEADER))
            return fail(m, ADIT_EPROTO, "not multistream-select");
        m->state = S_TOKEN;
        return ADIT_OK;
    }
    if (!token_is(token, m->names[m->at]))
        return fail(m, ADIT_EPROTO, "answer names another protocol");
    m->state = S_OVER;
    m->pending = P_AGREED;
    return ADIT_OK;
}

static void
refuse(struct adit_mss *m)
{
    m->n_refused++;
    m->have = 0;
    m->state = S_TOKEN;
    put_token(m, adit_slice_str(NA));
}

static adit_err
listener_token(struct adit_mss *m, struct adit_slice token)
{
    if (m->state == S_HEADER) {
        if (!token_is(token, HEADER))
            return fail(m, ADIT_EPROTO, "not multistream-select");
        m->have = 0;
        m->state = S_TOKEN;
        return ADIT_OK;
    }
    if (m->n_refused == ADIT_MSS_MAX_REFUSALS)
        return fail(m, ADIT_EPROTO, "too many proposals");
    if (token_is(token, LS)) {
        refuse(m);
        return ADIT_OK;
    }
    m->state = S_ASKED;
    m->pending = P_PROPOSED;
    return ADIT_OK;
}

/* ---- public -------------------------------------------------------------- */

/* The buffers are written before they are read: no need to zero 2 KiB. */
static void
init(struct adit_mss *m, enum adit_mss_role role)
{
    memset(m, 0, offsetof(struct adit_mss, in));
    m->role = role;
    m->state = S_HEADER;
    m->pending = P_NOTHING;
}

void
adit_mss_init_dialer(struct adit_mss *m, const char *const *names,
                     size_t n_names)
{
    init(m, ADIT_MSS_DIALER);
    m->names = names;
    m->n_names = n_names;
    for (size_t i = 0; i < n_names; i++) {
        size_t n = strlen(names[i]);

        if (n == 0 || n >= ADIT_MSS_MAX_TOKEN_BYTES ||
            memchr(names[i], '\n', n) != NULL) {
            (void)fail(m, ADIT_EINVAL, "a proposal that is no token");
            return;
        }
    }
    if (n_names == 0) {
        m->state = S_OVER;
        m->pending = P_NONE;
        return;
    }
    put_token(m, adit_slice_str(HEADER));
    put_token(m, adit_slice_str(names[0]));
}

void
adit_mss_init_listener(struct adit_mss *m)
{
    init(m, ADIT_MSS_LISTENER);
    put_token(m, adit_slice_str(HEADER));
}

adit_err
adit_mss_feed(struct adit_mss *m, struct adit_slice in, size_t *used)
{
    struct adit_slice left = in;
    struct adit_slice token;
    adit_err e = ADIT_OK;

    if (m->err != ADIT_OK)
        return m->err;
    while (m->pending == P_NOTHING && m->state != S_ASKED &&
           m->state != S_OVER && out_has_room(m)) {
        e = take_token(m, &left, &token);
        if (e == ADIT_OK)
            e = m->role == ADIT_MSS_DIALER ? dialer_token(m, token)
                                           : listener_token(m, token);
        if (e != ADIT_OK)
            break;
    }
    if (e != ADIT_OK && e != ADIT_AGAIN)
        return e;
    *used = in.n - left.n;
    return ADIT_OK;
}

adit_err
adit_mss_next(struct adit_mss *m, struct adit_mss_event *ev)
{
    size_t n_len, n;

    switch ((enum pending)m->pending) {
    case P_NOTHING:
        return ADIT_AGAIN;
    case P_PROPOSED:
        if (token_length(m, &n_len, &n) != ADIT_OK || n == 0)
            return ADIT_AGAIN; /* cannot be: the token was whole */
        *ev = (struct adit_mss_event){
            .type = ADIT_MSS_PROPOSED,
            .name = adit_slice(m->in + n_len, n - 1),
        };
        break;
    case P_AGREED:
        *ev =
            (struct adit_mss_event){ .type = ADIT_MSS_AGREED, .index = m->at };
        break;
    case P_NONE:
        *ev = (struct adit_mss_event){ .type = ADIT_MSS_NONE };
        break;
    }
    m->pending = P_NOTHING;
    return ADIT_OK;
}

void
adit_mss_accept(struct adit_mss *m)
{
    adit_assert(m->state == S_ASKED);
    memcpy(out_tail(m, m->have), m->in, m->have); /* the token, as it came */
    m->have = 0;
    m->state = S_OVER;
    m->pending = P_AGREED;
}

void
adit_mss_refuse(struct adit_mss *m)
{
    adit_assert(m->state == S_ASKED);
    m->pending = P_NOTHING;
    refuse(m);
}

struct adit_slice
adit_mss_out(const struct adit_mss *m)
{
    return adit_slice(m->out + m->out_off, m->out_n);
}

void
adit_mss_sent(struct adit_mss *m, size_t n)
{
    adit_assert(n <= m->out_n);
    m->out_off += n;
    m->out_n -= n;
    if (m->out_n == 0)
        m->out_off = 0;
}

const char *
adit_mss_why(const struct adit_mss *m)
{
    return m->why;
}
