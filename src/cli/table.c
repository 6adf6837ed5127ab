/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between two columns. */
#define GAP 2

void
adit_cli_table_init(struct adit_cli_table *t,
                    const struct adit_cli_column *cols, size_t n_cols,
                    bool is_exact)
{
    *t = (struct adit_cli_table){ .cols = cols,
                                  .n_cols = n_cols,
                                  .is_exact = is_exact };
}

void
adit_cli_table_clear(struct adit_cli_table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    t->n_cells = 0;
}

void
adit_cli_table_fini(struct adit_cli_table *t)
{
    adit_cli_table_clear(t);
    free(t->cells);
    t->cells = NULL;
    t->room = 0;
}

size_t
adit_cli_table_n_rows(const struct adit_cli_table *t)
{
    return t->n_cells / t->n_cols;
}

/* ---- cells ------------------------------------------------------------------------- */

void
adit_cli_table_text(struct adit_cli_table *t, const char *text)
{
    char *cell = strdup(text != NULL ? text : "");

    if (cell != NULL && t->n_cells == t->room) {
        size_t room = 2 * t->room + 64;
        char **more = realloc(t->cells, room * sizeof(*more));

        if (more != NULL) {
            t->cells = more;
            t->room = room;
        }
    }
    if (cell == NULL || t->n_cells == t->room) {
        free(cell);
        t->is_broken = true;
        return;
    }
    for (char *p = cell; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    t->cells[t->n_cells++] = cell;
}

static void
number(struct adit_cli_table *t, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, n);
    adit_cli_table_text(t, n == 0 && !t->is_exact ? "-" : text);
}

void
adit_cli_table_count(struct adit_cli_table *t, uint64_t n)
{
    number(t, n);
}

/* Three digits and a unit: "1.23 GiB", "12.3 MiB", "123 KiB". */
static void
amount(uint64_t n, const char *tail, char *out, size_t cap)
{
    static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
                                         "TiB", "PiB", "EiB" };
    double v = (double)n;
    size_t u = 0;

    while (v >= 999.5 && u + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1024;
        u++;
    }
    snprintf(out, cap, "%.*f %s%s",
             u == 0 || v >= 99.95 ? 0
             : v >= 9.995         ? 1
                                  : 2,
             v, units[u], tail);
}

void
adit_cli_table_bytes(struct adit_cli_table *t, uint64_t n)
{
    char text[32];

    if (t->is_exact || n == 0) {
        number(t, n);
        return;
    }
    amount(n, "", text, sizeof(text));
    adit_cli_table_text(t, text);
}

void
adit_cli_table_rate(struct adit_cli_table *t, uint64_t n)
{
    char text[32];

    if (t->is_exact || n == 0) {
        number(t, n);
        return;
    }
    amount(n, "/s", text, sizeof(text));
    adit_cli_table_text(t, text);
}

/* "42s", "3m07s", "2h05m", "12d03h". */
void
adit_cli_table_seconds(struct adit_cli_table *t, uint64_t s)
{
    char text[48];

    if (t->is_exact || s == 0) {
        number(t, s);
        return;
    }
    if (s < 60)
        snprintf(text, sizeof(text), "%" PRIu64 "s", s);
    else if (s < 3600)
        snprintf(text, sizeof(text), "%" PRIu64 "m%02" PRIu64 "s", s / 60,
                 s % 60);
    else if (s < 86400)
        snprintf(text, sizeof(text), "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
                 s % 3600 / 60);
    else
        snprintf(text, sizeof(text), "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
                 s % 86400 / 3600);
    adit_cli_table_text(t, text);
}

void
adit_cli_table_time(struct adit_cli_table *t, int64_t unix_s)
{
    time_t at = (time_t)unix_s;
    struct tm tm;
    char text[32] = "";

    if (unix_s != 0 && gmtime_r(&at, &tm) != NULL &&
        strftime(text, sizeof(text),
                 t->is_exact ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d %H:%M",
                 &tm) == 0)
        text[0] = '\0';
    adit_cli_table_text(t, text[0] == '\0' && !t->is_exact ? "-" : text);
}

/* ---- for people ---------------------------------------------------------------------- */

/* How wide each column is; 0: left out. */
struct layout {
    size_t w[ADIT_CLI_MAX_COLUMNS];
};

static size_t
total(const struct layout *l, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (l->w[i] > 0)
            sum += l->w[i] + (sum > 0 ? GAP : 0);
    return sum;
}

/* The widest that may be cut gives a letter.  False: none may. */
static bool
shrink(const struct adit_cli_table *t, struct layout *l)
{
    size_t widest = t->n_cols;

    for (size_t i = 0; i < t->n_cols; i++)
        if (t->cols[i].least > 0 && l->w[i] > t->cols[i].least &&
            (widest == t->n_cols || l->w[i] > l->w[widest]))
            widest = i;
    if (widest == t->n_cols)
        return false;
    l->w[widest]--;
    return true;
}

static bool
drop(const struct adit_cli_table *t, struct layout *l)
{
    for (size_t i = t->n_cols; i-- > 0;)
        if (l->w[i] > 0 && t->cols[i].can_go) {
            l->w[i] = 0;
            return true;
        }
    return false;
}

static struct layout
lay_out(const struct adit_cli_table *t, unsigned width, size_t n_rows)
{
    struct layout l = { { 0 } };

    for (size_t i = 0; i < t->n_cols; i++) {
        if (t->cols[i].is_csv_only)
            continue;
        l.w[i] = strlen(t->cols[i].title);
        for (size_t r = 0; r < n_rows; r++) {
            size_t n = strlen(t->cells[r * t->n_cols + i]);

            if (n > l.w[i])
                l.w[i] = n;
        }
    }
    while (width > 0 && total(&l, t->n_cols) > width &&
           (shrink(t, &l) || drop(t, &l)))
        ;
    return l;
}

/* Cut in its middle: of a peer id both ends tell more than one. */
static void
put_cell(char *line, size_t *n, const char *cell, size_t w, bool is_right)
{
    size_t len = strlen(cell);

    if (len > w) {
        size_t head = w > 2 ? (w - 2 + 1) / 2 : w;
        size_t tail = w > 2 ? w - 2 - head : 0;

        memcpy(line + *n, cell, head);
        if (w > 2)
            memcpy(line + *n + head, "..", 2);
        memcpy(line + *n + w - tail, cell + len - tail, tail);
    } else {
        memset(line + *n, ' ', w);
        memcpy(line + *n + (is_right ? w - len : 0), cell, len);
    }
    *n += w;
}

static void
print_line(const struct adit_cli_table *t, const struct layout *l, FILE *out,
           unsigned width, const char *const *cells)
{
    char *line = malloc(total(l, t->n_cols) + 1);
    size_t n = 0;

    if (line == NULL)
        return;
    for (size_t i = 0; i < t->n_cols; i++) {
        if (l->w[i] == 0)
            continue;
        if (n > 0) {
            memset(line + n, ' ', GAP);
            n += GAP;
        }
        put_cell(line, &n, cells != NULL ? cells[i] : t->cols[i].title,
                 l->w[i], t->cols[i].is_right);
    }
    if (width > 0 && n > width)
        n = width;
    while (n > 0 && line[n - 1] == ' ')
        n--;
    fprintf(out, "%.*s\n", (int)n, line);
    free(line);
}

void
adit_cli_table_print(const struct adit_cli_table *t, FILE *out, unsigned width,
                     size_t max_rows)
{
    size_t n = adit_cli_table_n_rows(t);
    struct layout l;

    if (n > max_rows)
        n = max_rows;
    l = lay_out(t, width, n);
    print_line(t, &l, out, width, NULL);
    for (size_t r = 0; r < n; r++)
        print_line(t, &l, out, width,
                   (const char *const *)t->cells + r * t->n_cols);
}

/* ---- for programs ---------------------------------------------------------------------- */

static void
put_csv(FILE *out, const char *cell)
{
    if (strpbrk(cell, ",\"\r\n") == NULL && cell[0] != ' ') {
        fputs(cell, out);
        return;
    }
    fputc('"', out);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            fputc('"', out);
        fputc(*cell, out);
    }
    fputc('"', out);
}

void
adit_cli_table_csv(const struct adit_cli_table *t, FILE *out)
{
    for (size_t i = 0; i < t->n_cols; i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", t->cols[i].key);
    fputs("\r\n", out);
    for (size_t r = 0; r < adit_cli_table_n_rows(t); r++) {
        for (size_t i = 0; i < t->n_cols; i++) {
            if (i > 0)
                fputc(',', out);
            put_csv(out, t->cells[r * t->n_cols + i]);
        }
        fputs("\r\n", out);
    }
}
