/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "admin/head.h"

static const char *
find(struct adit_slice s, char c)
{
    return s.n > 0 ? memchr(s.p, c, s.n) : NULL;
}

/* Takes a line without its CR LF, or LF alone.  ADIT_AGAIN. */
static adit_err
take_line(struct adit_slice *s, struct adit_slice *line)
{
    const char *end = find(*s, '\n');
    size_t n;

    if (end == NULL)
        return ADIT_AGAIN;
    n = (size_t)(end - (const char *)s->p);
    *line = adit_slice(s->p, n > 0 && s->p[n - 1] == '\r' ? n - 1 : n);
    *s = adit_slice_skip(*s, n + 1);
    return ADIT_OK;
}

/* A letter, digit or sign of a "token"; what is not is no name. */
static bool
is_token_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(struct adit_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_byte(s.p[i]))
            return false;
    return s.n > 0;
}

static bool
is_visible(struct adit_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    return s.n > 0;
}

/* Takes what stands in front of a blank, and the blank. */
static bool
take_word(struct adit_slice *s, struct adit_slice *word)
{
    const char *end = find(*s, ' ');

    if (end == NULL)
        return false;
    *word = adit_slice(s->p, (size_t)(end - (const char *)s->p));
    *s = adit_slice_skip(*s, word->n + 1);
    return true;
}

static adit_err
request_line(struct adit_slice line, struct adit_http_head *h)
{
    struct adit_slice target;
    const char *query;

    if (!take_word(&line, &h->method) || !take_word(&line, &target) ||
        !is_token(h->method) || !is_visible(target) || target.p[0] != '/')
        return ADIT_EPROTO;
    if (line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0 || line.p[6] != '.')
        return ADIT_EPROTO;
    if (line.p[5] != '1')
        return ADIT_EUNSUPPORTED;
    query = find(target, '?');
    h->path =
        query == NULL
            ? target
            : adit_slice(target.p, (size_t)(query - (const char *)target.p));
    return ADIT_OK;
}

adit_err
adit_http_head_dec(struct adit_slice in, struct adit_http_head *out)
{
    struct adit_http_head h = { 0 };
    struct adit_slice left = in, line;
    adit_err e = take_line(&left, &line);

    if (e == ADIT_OK)
        e = request_line(line, &h);
    while (e == ADIT_OK) {
        const char *colon;

        e = take_line(&left, &line);
        if (e != ADIT_OK || line.n == 0)
            break;
        colon = find(line, ':');
        if (colon == NULL ||
            !is_token(
                adit_slice(line.p, (size_t)(colon - (const char *)line.p))))
            e = ADIT_EPROTO;
    }
    if (e != ADIT_OK)
        return e;
    h.n_bytes = in.n - left.n;
    *out = h;
    return ADIT_OK;
}
