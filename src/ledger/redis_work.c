/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What the ledger does in Redis.  Names, each behind the prefix P; DAY and
 * MONTH are their begin in Unix seconds, PEER is base58:
 *
 *   d:DAY:PEER  m:MONTH:PEER    hash: s r bytes sent, received; a b circuits
 *                               as source, destination; n reservations;
 *                               f l first and last seen
 *   d:DAY:      m:MONTH:        the same of all peers
 *   dx:... mx:...               hash: rule, refusals
 *   di:DAY      mi:MONTH        sorted set: peer, bytes
 *   days        months          sorted set of those that there are
 *   c                           sorted set of closing records, by begin
 *   marks                       hash
 *   mv                          how often a mark was set
 *   ml                          sorted set: peer, mv when its mark was set last
 *   i:INSTANCE                  the last part of a batch of that process
 *
 * A part of a batch is one script, hence atomic; it begins with setting the
 * number of the part, so that one that is sent twice is counted once.
 * Names are made within the scripts: no Redis Cluster.
 */
#include "base/secret.h"
#include "base/civil.h"
#include "ledger/redis.h"

#include <inttypes.h>

/* Of each kind in one script, so that a server that others use too is held
 * for some milliseconds only. */
#define PART_ITEMS 128

/* A batch has fewer parts: ADIT_LEDGER_MAX_PEERS / PART_ITEMS. */
#define PARTS_PER_BATCH 1024

/* Closing records in Redis' memory: some 40 MB. */
#define MAX_CIRCUITS 100000

/* Marks read in one script of those that were set since. */
#define PAGE_MARKS 1000

/* Hashes read in one script, and records in one page. */
#define PAGE_HASHES 20000
#define PAGE_RECORDS 1000

/* What a reading has put together goes by itself after this. */
#define SCRATCH_S 60

/*
 * A month's hash is for who moved bytes or had a circuit, since anybody can
 * be refused or given a reservation.  It begins with what its days say, since
 * there may have been reservations before.
 */
static const char apply_script[] =
    "local p = ARGV[1]\n"
    "local seq, num = p .. 'i:' .. ARGV[2], tonumber(ARGV[3])\n"
    "local today, month, keep = ARGV[4], ARGV[5], ARGV[6]\n"
    "local at = 12\n"
    "local function take() at = at + 1; return ARGV[at] end\n"
    "local function add(key, e)\n"
    "  for f, v in pairs(e.sums) do\n"
    "    if v ~= '0' then redis.call('HINCRBY', key, f, v) end\n"
    "  end\n"
    "  local seen = redis.call('HMGET', key, 'f', 'l')\n"
    "  local f, l = tonumber(seen[1]), tonumber(seen[2])\n"
    "  if not f or f > tonumber(e.first) or l < tonumber(e.last) then\n"
    "    redis.call('HSET', key, 'f', math.min(f or e.first, e.first),\n"
    "               'l', math.max(l or e.last, e.last))\n"
    "  end\n"
    "end\n"
    "local function expire(key) redis.call('EXPIRE', key, keep) end\n"
    "local function refuse(key, rules)\n"
    "  for rule, n in pairs(rules) do redis.call('HINCRBY', key, rule, n) "
    "end\n"
    "  expire(key)\n"
    "end\n"
    "local function stay(key) redis.call('EXPIRE', key, ARGV[10]) end\n"
    "local function put_month(who, day, mon, e)\n"
    "  local key, n = p .. 'm:' .. mon .. ':' .. who, e.sums.n\n"
    "  if redis.call('EXISTS', key) == 0 then\n"
    "    if not e.used then return '0' end\n"
    "    local sum, first = 0, e.first\n"
    "    for d = tonumber(mon), tonumber(day), 86400 do\n"
    "      local h = redis.call('HMGET', string.format('%sd:%.0f:%s', p, d,\n"
    "                                                  who), 'n', 'f')\n"
    "      sum = sum + (tonumber(h[1]) or 0)\n"
    "      first = math.min(first, tonumber(h[2]) or first)\n"
    "    end\n"
    "    n = string.format('%.0f', sum)\n"
    "    e = { first = first, last = e.last, sums = e.sums }\n"
    "  end\n"
    "  e.sums.n = n\n"
    "  add(key, e)\n"
    "  stay(key)\n"
    "  return n\n"
    "end\n"
    "local function put_day(who, day, mon, e)\n"
    "  local tail = day .. ':' .. who\n"
    "  add(p .. 'd:' .. tail, e)\n"
    "  expire(p .. 'd:' .. tail)\n"
    "  if next(e.rules) then\n"
    "    refuse(p .. 'dx:' .. tail, e.rules)\n"
    "    refuse(p .. 'mx:' .. mon .. ':' .. who, e.rules)\n"
    "  end\n"
    "end\n"
    "local last = tonumber(redis.call('GET', seq) or '0')\n"
    "local fresh = last < num\n"
    "if fresh then redis.call('SET', seq, ARGV[3], 'EX', keep) end\n"
    "local out, all = { string.format('%.0f', last), '0' }, {}\n"
    "local n = tonumber(take())\n"
    "for i = 1, n do\n"
    "  local peer, day, mon = take(), take(), take()\n"
    "  local e = { first = tonumber(take()), last = tonumber(take()) }\n"
    "  e.sums, e.rules, e.used = {}, {}, false\n"
    "  for _, f in ipairs({ 's', 'r', 'a', 'b', 'n' }) do\n"
    "    e.sums[f] = take()\n"
    "    e.used = e.used or (f ~= 'n' and e.sums[f] ~= '0')\n"
    "  end\n"
    "  for k = 1, tonumber(take()) do\n"
    "    local rule = take()\n"
    "    e.rules[rule] = take()\n"
    "  end\n"
    "  if fresh then\n"
    "    local n = e.sums.n\n"
    "    put_day(peer, day, mon, e)\n"
    "    local in_month = put_month(peer, day, mon, e)\n"
    "    e.sums.n = n\n"
    "    local bytes = string.format('%.0f', e.sums.s + e.sums.r)\n"
    "    redis.call('ZINCRBY', p .. 'di:' .. day, bytes, peer)\n"
    "    if e.used then\n"
    "      redis.call('ZINCRBY', p .. 'mi:' .. mon, bytes, peer)\n"
    "    end\n"
    "    local t = all[day]\n"
    "    if not t then\n"
    "      t = { mon = mon, first = e.first, last = e.last, used = false,\n"
    "            sums = {}, rules = {}, in_month = 0 }\n"
    "      all[day] = t\n"
    "    end\n"
    "    t.first, t.last = math.min(t.first, e.first), math.max(t.last, "
    "e.last)\n"
    "    t.used = t.used or e.used\n"
    "    t.in_month = t.in_month + in_month\n"
    "    for f, v in pairs(e.sums) do t.sums[f] = (t.sums[f] or 0) + v end\n"
    "    for r, v in pairs(e.rules) do t.rules[r] = (t.rules[r] or 0) + v "
    "end\n"
    "  end\n"
    "  local d = redis.call('HMGET', p .. 'd:' .. today .. ':' .. peer,\n"
    "                       's', 'r')\n"
    "  local m = redis.call('HMGET', p .. 'm:' .. month .. ':' .. peer,\n"
    "                       's', 'r')\n"
    "  for _, v in ipairs({ d[1] or '0', d[2] or '0', m[1] or '0',\n"
    "                       m[2] or '0' }) do out[#out + 1] = v end\n"
    "end\n"
    "for day, t in pairs(all) do\n"
    "  for _, of in ipairs({ t.sums, t.rules }) do\n"
    "    for k, v in pairs(of) do of[k] = string.format('%.0f', v) end\n"
    "  end\n"
    "  put_day('', day, t.mon, t)\n"
    "  expire(p .. 'di:' .. day)\n"
    "  redis.call('ZADD', p .. 'days', day, day)\n"
    "  if t.used or t.in_month > 0 then\n"
    "    t.sums.n = string.format('%.0f', t.in_month)\n"
    "    add(p .. 'm:' .. t.mon .. ':', t)\n"
    "    stay(p .. 'm:' .. t.mon .. ':')\n"
    "    stay(p .. 'mi:' .. t.mon)\n"
    "    redis.call('ZADD', p .. 'months', t.mon, t.mon)\n"
    "  end\n"
    "end\n"
    "for i = 1, tonumber(take()) do\n"
    "  local began, line = take(), take()\n"
    "  if fresh then\n"
    "    redis.call('ZADD', p .. 'c', began,\n"
    "               line .. ' ' .. ARGV[2] .. ':' .. ARGV[3] .. ':' .. i)\n"
    "  end\n"
    "end\n"
    "for i = 1, tonumber(take()) do\n"
    "  local peer, mark = take(), take()\n"
    "  if fresh and mark == '' then\n"
    "    redis.call('HDEL', p .. 'marks', peer)\n"
    "  elseif fresh then\n"
    "    redis.call('HSET', p .. 'marks', peer, mark)\n"
    "  end\n"
    "  if fresh then\n"
    "    redis.call('ZADD', p .. 'ml', redis.call('INCR', p .. 'mv'), peer)\n"
    "  end\n"
    "end\n"
    "out[2] = redis.call('GET', p .. 'mv') or '0'\n"
    "redis.call('ZREMRANGEBYRANK', p .. 'ml', 0, -1 - tonumber(ARGV[12]))\n"
    "redis.call('ZREMRANGEBYRANK', p .. 'c', 0, -1 - tonumber(ARGV[9]))\n"
    "redis.call('ZREMRANGEBYSCORE', p .. 'c', '-inf', '(' .. ARGV[8])\n"
    "redis.call('ZREMRANGEBYSCORE', p .. 'days', '-inf', '(' .. ARGV[7])\n"
    "redis.call('ZREMRANGEBYSCORE', p .. 'months', '-inf', '(' .. ARGV[11])\n"
    "return out\n";

static const char ask_script[] =
    "local p, out = ARGV[1], {}\n"
    "for i = 4, #ARGV do\n"
    "  for _, head in ipairs({ 'd:' .. ARGV[2], 'm:' .. ARGV[3] }) do\n"
    "    local v = redis.call('HMGET', p .. head .. ':' .. ARGV[i],\n"
    "                         's', 'r')\n"
    "    out[#out + 1] = v[1] or '0'\n"
    "    out[#out + 1] = v[2] or '0'\n"
    "  end\n"
    "end\n"
    "return out\n";

/*
 * P, "d" or "m", from, to, offset, rows, how: "sum" (a row a peer, over the
 * periods) or "each" (a row a period), peer or "", scratch's name, most
 * hashes, seconds that the scratch stays.  A row: peer, period, first, last, s, r, a, b, n, then rule and
 * refusals.
 */
static const char read_script[] =
    "local p, kind, from, to = ARGV[1], ARGV[2], ARGV[3], ARGV[4]\n"
    "local off, rows = tonumber(ARGV[5]), tonumber(ARGV[6])\n"
    "local how, one, tmp = ARGV[7], ARGV[8], p .. 'q:' .. ARGV[9]\n"
    "local left = tonumber(ARGV[10])\n"
    "local all = p .. (kind == 'd' and 'days' or 'months')\n"
    "local function new(peer, period)\n"
    "  return { peer = peer, period = period, f = false, l = 0, s = 0,\n"
    "           r = 0, a = 0, b = 0, n = 0, x = {}, any = false }\n"
    "end\n"
    "local function read(row, period, who)\n"
    "  local tail = period .. ':' .. who\n"
    "  local h = redis.call('HGETALL', p .. kind .. ':' .. tail)\n"
    "  for i = 1, #h, 2 do\n"
    "    local k, v = h[i], tonumber(h[i + 1])\n"
    "    row.any = true\n"
    "    if k == 'f' then\n"
    "      if not row.f or v < row.f then row.f = v end\n"
    "    elseif k == 'l' then\n"
    "      if v > row.l then row.l = v end\n"
    "    elseif row[k] then\n"
    "      row[k] = row[k] + v\n"
    "    end\n"
    "  end\n"
    "  h = redis.call('HGETALL', p .. kind .. 'x:' .. tail)\n"
    "  for i = 1, #h, 2 do\n"
    "    row.x[h[i]] = (row.x[h[i]] or 0) + tonumber(h[i + 1])\n"
    "  end\n"
    "  left = left - 2\n"
    "end\n"
    "local out = {}\n"
    "local function put(row)\n"
    "  if not row.any then return end\n"
    "  local r = { row.peer, row.period }\n"
    "  for _, v in ipairs({ row.f or 0, row.l, row.s, row.r, row.a, row.b,\n"
    "                       row.n }) do\n"
    "    r[#r + 1] = string.format('%.0f', v)\n"
    "  end\n"
    "  for k, v in pairs(row.x) do\n"
    "    r[#r + 1] = k\n"
    "    r[#r + 1] = string.format('%.0f', v)\n"
    "  end\n"
    "  out[#out + 1] = r\n"
    "end\n"
    "if how == 'each' then\n"
    "  local v = redis.call('ZREVRANGEBYSCORE', all, to, from,\n"
    "                       'LIMIT', off, rows)\n"
    "  local seen = 0\n"
    "  for _, period in ipairs(v) do\n"
    "    if left <= 0 then break end\n"
    "    seen = seen + 1\n"
    "    local row = new(one, period)\n"
    "    read(row, period, one)\n"
    "    put(row)\n"
    "  end\n"
    "  return { seen, out }\n"
    "end\n"
    "local periods = redis.call('ZRANGEBYSCORE', all, from, to)\n"
    "local peers = { one }\n"
    "if one == '' then\n"
    "  if off == 0 then\n"
    "    redis.call('DEL', tmp)\n"
    "    for i = 1, #periods do\n"
    "      redis.call('ZUNIONSTORE', tmp, 2, tmp,\n"
    "                 p .. kind .. 'i:' .. periods[i])\n"
    "    end\n"
    "    redis.call('EXPIRE', tmp, ARGV[11])\n"
    "  end\n"
    "  peers = redis.call('ZREVRANGE', tmp, off, off + rows - 1)\n"
    "elseif off > 0 then\n"
    "  peers = {}\n"
    "end\n"
    "local seen = 0\n"
    "for _, peer in ipairs(peers) do\n"
    "  if left <= 0 then break end\n"
    "  seen = seen + 1\n"
    "  local row = new(peer, '0')\n"
    "  for _, period in ipairs(periods) do read(row, period, peer) end\n"
    "  put(row)\n"
    "end\n"
    "return { seen, out }\n";

/* ---- commands --------------------------------------------------------------- */

/* Room in front of the arguments for "*N\r\n". */
#define HEAD_BYTES 24

void
adit_redis_cmd_init(struct adit_redis_cmd *c, struct adit_mem *mem)
{
    *c = (struct adit_redis_cmd){ .mem = mem, .n = HEAD_BYTES };
}

void
adit_redis_cmd_fini(struct adit_redis_cmd *c)
{
    if (c->buf != NULL) {
        adit_wipe(c->buf, c->cap);
        adit_mem_free(c->mem, c->buf, c->cap);
    }
    *c = (struct adit_redis_cmd){ 0 };
}

static void
put(struct adit_redis_cmd *c, struct adit_slice s)
{
    if (!c->failed && c->n + s.n > c->cap) {
        size_t cap = ADIT_MAX(2 * c->cap, c->n + s.n + 512);
        char *buf = adit_mem_alloc(c->mem, cap);

        /* Not resized in place: what it leaves behind is wiped. */
        if (buf != NULL && c->buf != NULL) {
            memcpy(buf, c->buf, c->n);
            adit_wipe(c->buf, c->cap);
            adit_mem_free(c->mem, c->buf, c->cap);
        }
        c->failed = buf == NULL;
        if (buf != NULL) {
            c->buf = buf;
            c->cap = cap;
        }
    }
    if (c->failed)
        return;
    adit_copy(c->buf + c->n, s);
    c->n += s.n;
}

void
adit_redis_cmd_bytes(struct adit_redis_cmd *c, struct adit_slice arg)
{
    char head[32];
    int n = snprintf(head, sizeof(head), "$%zu\r\n", arg.n);

    put(c, adit_slice(head, (size_t)n));
    put(c, arg);
    put(c, adit_slice_str("\r\n"));
    c->n_args++;
}

void
adit_redis_cmd_str(struct adit_redis_cmd *c, const char *arg)
{
    adit_redis_cmd_bytes(c, adit_slice_str(arg));
}

void
adit_redis_cmd_i64(struct adit_redis_cmd *c, int64_t arg)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, arg);
    adit_redis_cmd_str(c, text);
}

void
adit_redis_cmd_u64(struct adit_redis_cmd *c, uint64_t arg)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, arg);
    adit_redis_cmd_str(c, text);
}

void
adit_redis_cmd_peer(struct adit_redis_cmd *c, const struct adit_peerid *p)
{
    char text[ADIT_PEERID_TEXT_BYTES];

    adit_redis_cmd_str(c, adit_peerid_format(p, text));
}

adit_err
adit_redis_cmd_get(struct adit_redis_cmd *c, struct adit_slice *out)
{
    char head[HEAD_BYTES];
    int n = snprintf(head, sizeof(head), "*%zu\r\n", c->n_args);

    if (c->failed || c->buf == NULL)
        return ADIT_ENOMEM;
    memcpy(c->buf + HEAD_BYTES - n, head, (size_t)n);
    *out = adit_slice(c->buf + HEAD_BYTES - n, c->n - HEAD_BYTES + (size_t)n);
    return ADIT_OK;
}

static void
eval(struct adit_redis_cmd *c, const char *script, const char *prefix)
{
    adit_redis_cmd_str(c, "EVAL");
    adit_redis_cmd_str(c, script);
    adit_redis_cmd_str(c, "0");
    adit_redis_cmd_str(c, prefix);
}

/* ---- replies ---------------------------------------------------------------- */

static bool
is_text(const redisReply *r)
{
    return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
}

static uint64_t
u64_of(const redisReply *r)
{
    if (r->type == REDIS_REPLY_INTEGER)
        return (uint64_t)r->integer;
    return is_text(r) ? strtoull(r->str, NULL, 10) : 0;
}

static int64_t
i64_of(const redisReply *r)
{
    if (r->type == REDIS_REPLY_INTEGER)
        return r->integer;
    return is_text(r) ? strtoll(r->str, NULL, 10) : 0;
}

/* Four numbers: day's two ways, month's two ways. */
static void
totals_of(redisReply *const *v, uint64_t *day, uint64_t *month)
{
    *day = u64_of(v[0]) + u64_of(v[1]);
    *month = u64_of(v[2]) + u64_of(v[3]);
}

static void
peer_of(struct adit_slice text, struct adit_peerid *out)
{
    if (text.n == 0 || adit_peerid_parse(text, out) != ADIT_OK)
        *out = (struct adit_peerid){ 0 };
}

/* ---- a batch ------------------------------------------------------------------ */

static void
put_entry(struct adit_redis_cmd *c, const struct adit_entry *e)
{
    adit_redis_cmd_peer(c, &e->peer);
    adit_redis_cmd_i64(c, e->day_unix_s);
    adit_redis_cmd_i64(c, adit_month_begin(e->day_unix_s));
    adit_redis_cmd_i64(c, e->first_unix_s);
    adit_redis_cmd_i64(c, e->last_unix_s);
    adit_redis_cmd_u64(c, e->gains.sent_bytes);
    adit_redis_cmd_u64(c, e->gains.received_bytes);
    adit_redis_cmd_u64(c, e->gains.n_as_src);
    adit_redis_cmd_u64(c, e->gains.n_as_dst);
    adit_redis_cmd_u64(c, e->gains.n_reservations);
    adit_redis_cmd_u64(c, e->n_refused);
    for (uint8_t i = 0; i < e->n_refused; i++) {
        adit_redis_cmd_str(c, adit_rule_name(e->refused[i].rule));
        adit_redis_cmd_u64(c, e->refused[i].n);
    }
}

/* "BEGAN LASTED_US SRC DST ACCEPTED.. HANDED.. WHY", and what tells it from
 * all others. */
static void
put_record(struct adit_redis_cmd *c, const struct adit_ledger_record *r)
{
    char src[ADIT_PEERID_TEXT_BYTES], dst[ADIT_PEERID_TEXT_BYTES];
    char line[512];

    snprintf(line, sizeof(line),
             "%" PRId64 " %" PRId64 " %s %s %" PRIu64 " %" PRIu64 " %" PRIu64
             " %" PRIu64 " %s",
             r->began_unix_s, r->lasted_us, adit_peerid_format(&r->src, src),
             adit_peerid_format(&r->dst, dst), r->accepted_bytes[0],
             r->accepted_bytes[1], r->handed_bytes[0], r->handed_bytes[1],
             r->why[0] != '\0' ? r->why : "-");
    adit_redis_cmd_i64(c, r->began_unix_s);
    adit_redis_cmd_str(c, line);
}

static void
put_mark(struct adit_redis_cmd *c, const struct adit_ledger_mark *m)
{
    char text[96] = "";

    if (m->is_banned || m->class_name[0] != '\0')
        snprintf(text, sizeof(text), "%d %" PRId64 " %s", m->is_banned,
                 m->until_unix_s, m->class_name);
    adit_redis_cmd_peer(c, &m->peer);
    adit_redis_cmd_str(c, text);
}

static uint64_t
part_number(const struct adit_redis_work *x, const struct adit_batch *b)
{
    /* Below 2^53, so that a script's numbers hold it. */
    return b->seq * PARTS_PER_BATCH + x->part;
}

static void
next_part(struct adit_redis_work *x, struct adit_redis_cmd *c)
{
    struct adit_batch_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_batch_job, job);
    int64_t day = adit_day_begin(j->job.now_unix_s);
    size_t n;

    eval(c, apply_script, x->prefix);
    adit_redis_cmd_str(c, x->instance);
    adit_redis_cmd_u64(c, part_number(x, &j->batch));
    adit_redis_cmd_i64(c, day);
    adit_redis_cmd_i64(c, adit_month_begin(day));
    /* A day more: it counts from the last write, by the server's clock. */
    adit_redis_cmd_i64(c, x->keep_days_us / ADIT_S + ADIT_DAY_S);
    adit_redis_cmd_i64(
        c, adit_day_begin(j->prune_unix_s - x->keep_days_us / ADIT_S));
    adit_redis_cmd_i64(c, j->prune_unix_s - x->keep_circuits_us / ADIT_S);
    adit_redis_cmd_i64(c, MAX_CIRCUITS); /* ARGV[9] */
    /* Longer than a month, so that it goes behind its place in `months`. */
    adit_redis_cmd_i64(c, x->keep_months_us / ADIT_S + 32 * ADIT_DAY_S);
    adit_redis_cmd_i64(
        c, adit_month_begin(j->prune_unix_s - x->keep_months_us / ADIT_S));
    adit_redis_cmd_i64(c, ADIT_MARKS_MAX); /* ARGV[12] */

    n = 0;
    for (x->next_entry = x->entry; x->next_entry != NULL && n < PART_ITEMS;
         x->next_entry = x->next_entry->next)
        n++;
    adit_redis_cmd_u64(c, n);
    for (struct adit_entry *e = x->entry; e != x->next_entry; e = e->next)
        put_entry(c, e);

    n = 0;
    for (x->next_record = x->record; x->next_record != NULL && n < PART_ITEMS;
         x->next_record = x->next_record->next)
        n++;
    adit_redis_cmd_u64(c, n);
    for (struct adit_record_node *r = x->record; r != x->next_record;
         r = r->next)
        put_record(c, &r->r);

    n = 0;
    for (x->next_mark = x->mark; x->next_mark != NULL && n < PART_ITEMS;
         x->next_mark = x->next_mark->next)
        n++;
    adit_redis_cmd_u64(c, n);
    for (struct adit_mark_node *m = x->mark; m != x->next_mark; m = m->next)
        put_mark(c, &m->m);
}

static adit_err
part_reply(struct adit_redis_work *x, const redisReply *r)
{
    struct adit_batch_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_batch_job, job);
    size_t at = 2;

    if (r->type != REDIS_REPLY_ARRAY || r->elements < 2)
        return ADIT_EPROTO;
    j->marks_version = u64_of(r->element[1]);
    if (u64_of(r->element[0]) < x->acked)
        j->is_rolled_back = true;
    x->acked = ADIT_MAX(u64_of(r->element[0]), part_number(x, &j->batch));
    for (struct adit_entry *e = x->entry; e != x->next_entry; e = e->next) {
        if (r->elements - at < 4)
            return ADIT_EPROTO;
        totals_of(r->element + at, &e->day_bytes, &e->month_bytes);
        at += 4;
    }
    x->entry = x->next_entry;
    x->record = x->next_record;
    x->mark = x->next_mark;
    x->part++;
    return x->entry != NULL || x->record != NULL || x->mark != NULL
               ? ADIT_AGAIN
               : ADIT_OK;
}

/* ---- asked for ------------------------------------------------------------------ */

static void
next_ask(struct adit_redis_work *x, struct adit_redis_cmd *c)
{
    struct adit_ask_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_ask_job, job);

    eval(c, ask_script, x->prefix);
    adit_redis_cmd_i64(c, adit_day_begin(j->job.now_unix_s));
    adit_redis_cmd_i64(c, adit_month_begin(j->job.now_unix_s));
    for (size_t i = 0; i < j->n; i++)
        adit_redis_cmd_peer(c, &j->v[i].peer);
}

static adit_err
ask_reply(struct adit_redis_work *x, const redisReply *r)
{
    struct adit_ask_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_ask_job, job);

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 4 * j->n)
        return ADIT_EPROTO;
    for (size_t i = 0; i < j->n; i++)
        totals_of(r->element + 4 * i, &j->v[i].day_bytes,
                  &j->v[i].month_bytes);
    return ADIT_OK;
}

/* ---- marks ------------------------------------------------------------------------ */

/* All, too, of a server that has lost what it had. */
static const char marks_script[] =
    "local p, since, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local v, out = redis.call('GET', p .. 'mv') or '0', {}\n"
    "if since < 0 or since > tonumber(v) then\n"
    "  return { v, redis.call('HGETALL', p .. 'marks') }\n"
    "end\n"
    "local l = redis.call('ZRANGEBYSCORE', p .. 'ml', '(' .. ARGV[2], "
    "'+inf',\n"
    "                     'WITHSCORES', 'LIMIT', 0, most)\n"
    "for i = 1, #l, 2 do\n"
    "  out[i] = l[i]\n"
    "  out[i + 1] = redis.call('HGET', p .. 'marks', l[i]) or ''\n"
    "end\n"
    "if #l == 2 * most then v = l[#l] end\n"
    "return { v, out }\n";

static void
next_marks(struct adit_redis_work *x, struct adit_redis_cmd *c)
{
    const struct adit_marks_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_marks_job, job);

    eval(c, marks_script, x->prefix);
    adit_redis_cmd_i64(c, j->wants_all ? -1 : (int64_t)j->since);
    adit_redis_cmd_u64(c, PAGE_MARKS);
}

static adit_err
marks_reply(struct adit_redis_work *x, const redisReply *r)
{
    struct adit_marks_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_marks_job, job);

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
        r->element[1]->type != REDIS_REPLY_ARRAY)
        return ADIT_EPROTO;
    j->version = u64_of(r->element[0]);
    r = r->element[1];
    for (size_t i = 0; i + 1 < r->elements; i += 2) {
        const redisReply *peer = r->element[i], *mark = r->element[i + 1];
        struct adit_ledger_mark m = { 0 }, *out;
        int banned = 0;

        if (!is_text(peer) || !is_text(mark))
            return ADIT_EPROTO;
        peer_of(adit_slice(peer->str, peer->len), &m.peer);
        if (m.peer.n == 0 ||
            (mark->len > 0 && sscanf(mark->str, "%d %" SCNd64 " %31s", &banned,
                                     &m.until_unix_s, m.class_name) < 2))
            continue; /* somebody else's hand was in it */
        m.is_banned = banned != 0;
        out = adit_marks_add(j);
        if (out == NULL)
            break;
        *out = m;
    }
    return ADIT_OK;
}

/* ---- reading ------------------------------------------------------------------------ */

static void
put_range(struct adit_redis_cmd *c, const struct adit_usage_query *q,
          bool newest_first)
{
    bool has_range = q->from_unix_s != 0 || q->to_unix_s != 0;
    char from[32] = "-inf", to[32] = "+inf";

    if (has_range) {
        snprintf(from, sizeof(from), "%" PRId64, q->from_unix_s);
        snprintf(to, sizeof(to), "(%" PRId64, q->to_unix_s);
    }
    adit_redis_cmd_str(c, newest_first ? to : from);
    adit_redis_cmd_str(c, newest_first ? from : to);
}

static void
next_query(struct adit_redis_work *x, struct adit_redis_cmd *c)
{
    struct adit_query_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_query_job, job);
    const struct adit_usage_query *q = &j->q;
    bool has_range = q->from_unix_s != 0 || q->to_unix_s != 0;
    bool by_peer = q->by == ADIT_USAGE_BY_PEER;
    bool months =
        q->by == ADIT_USAGE_BY_MONTH || (by_peer && !has_range && !x->by_day);
    char key[ADIT_REDIS_PREFIX_BYTES + 8];

    if (q->by == ADIT_USAGE_BY_CIRCUIT) {
        snprintf(key, sizeof(key), "%sc", x->prefix);
        adit_redis_cmd_str(c, "ZREVRANGEBYSCORE");
        adit_redis_cmd_str(c, key);
        put_range(c, q, true);
        adit_redis_cmd_str(c, "LIMIT");
        adit_redis_cmd_u64(c, x->offset);
        adit_redis_cmd_u64(c, PAGE_RECORDS);
        return;
    }
    eval(c, read_script, x->prefix);
    adit_redis_cmd_str(c, months ? "m" : "d");
    put_range(c, q, false);
    adit_redis_cmd_u64(c, x->offset);
    adit_redis_cmd_u64(c, q->max_rows - j->n);
    adit_redis_cmd_str(c, by_peer ? "sum" : "each");
    if (q->has_peer)
        adit_redis_cmd_peer(c, &q->peer);
    else
        adit_redis_cmd_str(c, "");
    adit_redis_cmd_str(c, x->instance);
    adit_redis_cmd_u64(c, PAGE_HASHES);
    adit_redis_cmd_u64(c, SCRATCH_S);
}

static adit_err
read_row(struct adit_query_job *j, const redisReply *r)
{
    struct adit_usage_row *row;

    if (r->type != REDIS_REPLY_ARRAY || r->elements < 9 ||
        !is_text(r->element[0]))
        return ADIT_EPROTO;
    row = adit_query_row(j);
    if (row == NULL)
        return ADIT_OK; /* enough */
    peer_of(adit_slice(r->element[0]->str, r->element[0]->len), &row->peer);
    row->period_unix_s = i64_of(r->element[1]);
    row->first_unix_s = i64_of(r->element[2]);
    row->last_unix_s = i64_of(r->element[3]);
    row->sums.sent_bytes = u64_of(r->element[4]);
    row->sums.received_bytes = u64_of(r->element[5]);
    row->sums.n_as_src = u64_of(r->element[6]);
    row->sums.n_as_dst = u64_of(r->element[7]);
    row->sums.n_reservations = u64_of(r->element[8]);
    for (size_t i = 9; i + 1 < r->elements; i += 2) {
        enum adit_rule rule =
            is_text(r->element[i])
                ? adit_rule_of_name(r->element[i]->str, r->element[i]->len)
                : ADIT_RULE_NONE;

        if (rule != ADIT_RULE_NONE)
            row->sums.refusals[rule] = u64_of(r->element[i + 1]);
    }
    return ADIT_OK;
}

static adit_err
read_rows(struct adit_redis_work *x, const redisReply *r)
{
    struct adit_query_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_query_job, job);
    const struct adit_usage_query *q = &j->q;
    uint64_t seen;

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
        r->element[1]->type != REDIS_REPLY_ARRAY)
        return ADIT_EPROTO;
    seen = u64_of(r->element[0]);
    for (size_t i = 0; i < r->element[1]->elements; i++) {
        adit_err e = read_row(j, r->element[1]->element[i]);

        if (e != ADIT_OK)
            return e;
    }
    x->offset += seen;
    if (seen > 0 && j->n < q->max_rows &&
        !(q->by == ADIT_USAGE_BY_PEER && q->has_peer))
        return ADIT_AGAIN; /* until a page is empty */
    /* One who never used anything has no months. */
    if (j->n == 0 && q->by == ADIT_USAGE_BY_PEER && q->has_peer &&
        q->from_unix_s == 0 && q->to_unix_s == 0 && !x->by_day) {
        x->by_day = true;
        x->offset = 0;
        return ADIT_AGAIN;
    }
    return ADIT_OK;
}

/* False: no record of ours. */
static bool
parse_record(const redisReply *r, struct adit_ledger_record *out)
{
    char src[ADIT_PEERID_TEXT_BYTES], dst[ADIT_PEERID_TEXT_BYTES];

    if (!is_text(r) ||
        sscanf(r->str,
               "%" SCNd64 " %" SCNd64 " %95s %95s %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64 " %23s",
               &out->began_unix_s, &out->lasted_us, src, dst,
               &out->accepted_bytes[0], &out->accepted_bytes[1],
               &out->handed_bytes[0], &out->handed_bytes[1], out->why) != 9)
        return false;
    peer_of(adit_slice_str(src), &out->src);
    peer_of(adit_slice_str(dst), &out->dst);
    return true;
}

static adit_err
read_circuits(struct adit_redis_work *x, const redisReply *r)
{
    struct adit_query_job *j =
        ADIT_CONTAINER_OF(x->job, struct adit_query_job, job);
    const struct adit_usage_query *q = &j->q;

    if (r->type != REDIS_REPLY_ARRAY)
        return ADIT_EPROTO;
    for (size_t i = 0; i < r->elements; i++) {
        struct adit_ledger_record rec = { 0 };
        struct adit_usage_row *row;

        if (!parse_record(r->element[i], &rec) ||
            (q->has_peer && !adit_peerid_eq(&rec.src, &q->peer) &&
             !adit_peerid_eq(&rec.dst, &q->peer)))
            continue;
        row = adit_query_row(j);
        if (row == NULL)
            return ADIT_OK;
        row->record = rec;
        row->peer = rec.src;
        row->period_unix_s = row->first_unix_s = rec.began_unix_s;
        row->last_unix_s = rec.began_unix_s + rec.lasted_us / ADIT_S;
    }
    x->offset += r->elements;
    return r->elements == PAGE_RECORDS && j->n < q->max_rows ? ADIT_AGAIN
                                                             : ADIT_OK;
}

/* ---- a job ------------------------------------------------------------------------------ */

void
adit_redis_work_begin(struct adit_redis_work *x, struct adit_job *job)
{
    x->job = job;
    x->part = 0;
    x->offset = 0;
    x->by_day = false;
    x->entry = NULL;
    x->record = NULL;
    x->mark = NULL;
    if (job->kind == ADIT_JOB_BATCH) {
        struct adit_batch *b =
            &ADIT_CONTAINER_OF(job, struct adit_batch_job, job)->batch;

        x->entry = b->entries;
        x->record = b->records;
        x->mark = b->marks;
    }
}

void
adit_redis_work_next(struct adit_redis_work *x, struct adit_redis_cmd *c)
{
    switch (x->job->kind) {
    case ADIT_JOB_BATCH:
        next_part(x, c);
        break;
    case ADIT_JOB_ASK:
        next_ask(x, c);
        break;
    case ADIT_JOB_QUERY:
        next_query(x, c);
        break;
    case ADIT_JOB_MARKS:
        next_marks(x, c);
        break;
    }
}

adit_err
adit_redis_work_reply(struct adit_redis_work *x, const redisReply *r)
{
    switch (x->job->kind) {
    case ADIT_JOB_BATCH:
        return part_reply(x, r);
    case ADIT_JOB_ASK:
        return ask_reply(x, r);
    case ADIT_JOB_QUERY:
        return ADIT_CONTAINER_OF(x->job, struct adit_query_job, job)->q.by ==
                       ADIT_USAGE_BY_CIRCUIT
                   ? read_circuits(x, r)
                   : read_rows(x, r);
    case ADIT_JOB_MARKS:
        return marks_reply(x, r);
    }
    return ADIT_EPROTO;
}
