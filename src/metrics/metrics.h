/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * metrics: one table of counters; from it come the cells, the text
 * exposition and the manual's page.
 *
 * Each worker adds to a cell of its own, a reader sums; nothing is sent per
 * increment.  Every refusal has its counter.  Labels are fixed here, so
 * their number is bounded.  Thread: cells are relaxed atomics, any thread
 * may read.
 */
#ifndef ADIT_METRICS_METRICS_H
#define ADIT_METRICS_METRICS_H

#include "base/err.h"
#include "base/slice.h"
#include "policy/rule.h"

#include <stdatomic.h>

enum adit_metric_kind {
    ADIT_METRIC_COUNTER,
    ADIT_METRIC_GAUGE,
    ADIT_METRIC_SECONDS, /* a counter in microseconds, shown as seconds */
    /*
     * A histogram: rows of one name; BUCKETs by rising bound, each counting
     * what lies between the one before and its own, then a SUM in
     * microseconds, shown as seconds.
     */
    ADIT_METRIC_BUCKET,
    ADIT_METRIC_SUM
};

/*
 * Y(X, symbol, microseconds, text): how long circuits last.  Up to 10 s these
 * are go-libp2p's (client_golang's defaults, seen in v0.51); behind them come
 * what circuits here really last.
 */
#define ADIT_DURATIONS(Y, X)                                                  \
    Y(X, 5MS, 5000, "0.005")                                                  \
    Y(X, 10MS, 10000, "0.01")                                                 \
    Y(X, 25MS, 25000, "0.025")                                                \
    Y(X, 50MS, 50000, "0.05")                                                 \
    Y(X, 100MS, 100000, "0.1")                                                \
    Y(X, 250MS, 250000, "0.25")                                               \
    Y(X, 500MS, 500000, "0.5")                                                \
    Y(X, 1S, 1000000, "1")                                                    \
    Y(X, 2500MS, 2500000, "2.5")                                              \
    Y(X, 5S, 5000000, "5")                                                    \
    Y(X, 10S, 10000000, "10")                                                 \
    Y(X, 30S, 30000000, "30")                                                 \
    Y(X, 1M, 60000000, "60")                                                  \
    Y(X, 2M, 120000000, "120")                                                \
    Y(X, 5M, 300000000, "300")                                                \
    Y(X, 30M, 1800000000, "1800")                                             \
    Y(X, 2H, 7200000000, "7200")                                              \
    Y(X, 1D, 86400000000, "86400")                                            \
    Y(X, INF, INT64_MAX, "+Inf")

#define ADIT_METRIC_OF_DURATION(X, sym, us, text)                             \
    X(CIRCUIT_LE_##sym, BUCKET,                                               \
      "libp2p_relaysvc_connection_duration_seconds", "le=\"" text "\"",       \
      "how long circuits lasted that are over")

#define ADIT_METRIC_OF_RULE(X, sym, text)                                     \
    X(REFUSED_##sym, COUNTER, "adit_refused_total", "rule=\"" text "\"",      \
      "refusals, by rule")

/* X(symbol, kind, name, labels, help) */
#define ADIT_METRICS(X)                                                       \
    X(CONNS, GAUGE, "adit_connections", "", "connections open")               \
    X(CONNS_OPENED, COUNTER, "adit_connections_opened_total", "",             \
      "connections accepted or dialled")                                      \
    X(HANDSHAKES, GAUGE, "adit_handshakes", "", "upgrades under way")         \
    X(HANDSHAKE_FAILED, COUNTER, "adit_handshakes_failed_total", "",          \
      "upgrades that did not end in a secured connection")                    \
    X(CONN_PROTOCOL_ERROR, COUNTER, "adit_connection_errors_total",           \
      "reason=\"protocol\"", "connections ended by us, by reason")            \
    X(CONN_PARTIAL_DEADLINE, COUNTER, "adit_connection_errors_total",         \
      "reason=\"partial_frame\"", "")                                         \
    X(CONN_WRITE_STALL, COUNTER, "adit_connection_errors_total",              \
      "reason=\"write_stall\"", "")                                           \
    X(CONN_KEEPALIVE, COUNTER, "adit_connection_errors_total",                \
      "reason=\"keepalive\"", "")                                             \
    X(CONN_BUFFERS, COUNTER, "adit_connection_errors_total",                  \
      "reason=\"buffers\"", "")                                               \
    X(CONN_IDLE, COUNTER, "adit_connection_errors_total", "reason=\"idle\"",  \
      "")                                                                     \
    X(STARVED, COUNTER, "adit_listener_starved_total", "",                    \
      "times a listener rested for want of descriptors")                      \
    X(PROXY_BAD, COUNTER, "adit_proxy_refused_total", "why=\"header\"",       \
      "connections from balancers that did not say for whom they are")        \
    X(PROXY_SILENT, COUNTER, "adit_proxy_refused_total", "why=\"silent\"",    \
      "")                                                                     \
    X(PROXY_FULL, COUNTER, "adit_proxy_refused_total", "why=\"full\"", "")    \
    X(STREAMS, GAUGE, "adit_streams", "", "streams open")                     \
    X(STREAMS_REFUSED, COUNTER, "adit_streams_refused_total", "",             \
      "streams reset because of a limit or an unknown protocol")              \
    X(BUFFER_BYTES, GAUGE, "adit_buffer_bytes", "",                           \
      "bytes in pooled chunks, waiting to be sent or completed")              \
    X(STATUS, GAUGE, "libp2p_relaysvc_status", "",                            \
      "1 while reservations and circuits are taken")                          \
    X(RSVP, GAUGE, "adit_reservations", "", "reservations held")              \
    X(RSVP_OPENED, COUNTER, "libp2p_relaysvc_reservations_total",             \
      "type=\"opened\"", "relay reservations")                                \
    X(RSVP_RENEWED, COUNTER, "libp2p_relaysvc_reservations_total",            \
      "type=\"renewed\"", "")                                                 \
    X(RSVP_CLOSED, COUNTER, "libp2p_relaysvc_reservations_total",             \
      "type=\"closed\"", "")                                                  \
    X(RSVP_ST_OK, COUNTER,                                                    \
      "libp2p_relaysvc_reservation_request_response_status_total",            \
      "status=\"ok\"", "answers to RESERVE")                                  \
    X(RSVP_ST_REJECTED, COUNTER,                                              \
      "libp2p_relaysvc_reservation_request_response_status_total",            \
      "status=\"rejected\"", "")                                              \
    X(RSVP_ST_ERROR, COUNTER,                                                 \
      "libp2p_relaysvc_reservation_request_response_status_total",            \
      "status=\"error\"", "")                                                 \
    X(RSVP_REJ_IP, COUNTER, "libp2p_relaysvc_reservation_rejections_total",   \
      "reason=\"ip constraint violation\"",                                   \
      "refused reservations, by reason")                                      \
    X(RSVP_REJ_LIMIT, COUNTER,                                                \
      "libp2p_relaysvc_reservation_rejections_total",                         \
      "reason=\"resource limit exceeded\"", "")                               \
    X(RSVP_REJ_DENIED, COUNTER,                                               \
      "libp2p_relaysvc_reservation_rejections_total",                         \
      "reason=\"permission denied\"", "")                                     \
    X(RSVP_REJ_MALFORMED, COUNTER,                                            \
      "libp2p_relaysvc_reservation_rejections_total",                         \
      "reason=\"malformed message\"", "")                                     \
    X(CIRCUITS, GAUGE, "adit_circuits", "", "circuits open")                  \
    ADIT_DURATIONS(ADIT_METRIC_OF_DURATION, X)                                \
    X(CIRCUIT_LASTED_US, SUM, "libp2p_relaysvc_connection_duration_seconds",  \
      "", "")                                                                 \
    X(CIRCUIT_OPENED, COUNTER, "libp2p_relaysvc_connections_total",           \
      "type=\"opened\"", "relayed connections")                               \
    X(CIRCUIT_CLOSED, COUNTER, "libp2p_relaysvc_connections_total",           \
      "type=\"closed\"", "")                                                  \
    X(CONNECT_ST_OK, COUNTER,                                                 \
      "libp2p_relaysvc_connection_request_response_status_total",             \
      "status=\"ok\"", "answers to CONNECT")                                  \
    X(CONNECT_ST_REJECTED, COUNTER,                                           \
      "libp2p_relaysvc_connection_request_response_status_total",             \
      "status=\"rejected\"", "")                                              \
    X(CONNECT_ST_ERROR, COUNTER,                                              \
      "libp2p_relaysvc_connection_request_response_status_total",             \
      "status=\"error\"", "")                                                 \
    X(CONNECT_REJ_LIMIT, COUNTER,                                             \
      "libp2p_relaysvc_connection_rejections_total",                          \
      "reason=\"resource limit exceeded\"", "refused circuits, by reason")    \
    X(CONNECT_REJ_DENIED, COUNTER,                                            \
      "libp2p_relaysvc_connection_rejections_total",                          \
      "reason=\"permission denied\"", "")                                     \
    X(CONNECT_REJ_NO_RSVP, COUNTER,                                           \
      "libp2p_relaysvc_connection_rejections_total",                          \
      "reason=\"no reservation\"", "")                                        \
    X(CONNECT_REJ_MALFORMED, COUNTER,                                         \
      "libp2p_relaysvc_connection_rejections_total",                          \
      "reason=\"malformed message\"", "")                                     \
    X(CONNECT_FAILED, COUNTER, "adit_circuits_failed_total", "",              \
      "circuits that the destination did not take")                           \
    X(CIRCUIT_END_DATA, COUNTER, "adit_circuits_ended_total",                 \
      "why=\"data_limit\"", "why circuits ended")                             \
    X(CIRCUIT_END_TIME, COUNTER, "adit_circuits_ended_total",                 \
      "why=\"time_limit\"", "")                                               \
    X(CIRCUIT_END_FIN, COUNTER, "adit_circuits_ended_total", "why=\"fin\"",   \
      "")                                                                     \
    X(CIRCUIT_END_RESET, COUNTER, "adit_circuits_ended_total",                \
      "why=\"reset\"", "")                                                    \
    X(CIRCUIT_END_STALLED, COUNTER, "adit_circuits_ended_total",              \
      "why=\"stalled_buffers_full\"", "")                                     \
    X(RELAYED_BYTES, COUNTER, "libp2p_relaysvc_data_transferred_bytes_total", \
      "", "circuit payload handed on")                                        \
    ADIT_RULES(ADIT_METRIC_OF_RULE, X)                                        \
    X(DRAINING, GAUGE, "adit_draining", "", "1 while the relay drains")       \
    X(PACED_US, SECONDS, "adit_paced_seconds_total", "",                      \
      "time that circuits had something to carry and waited for a rate")      \
    X(PACED, GAUGE, "adit_paced_circuits", "",                                \
      "circuits that wait for a rate now")                                    \
    X(ADMISSION_ASKED, COUNTER, "adit_admission_requests_total",              \
      "result=\"asked\"", "questions to the admission service, by result")    \
    X(ADMISSION_CACHED, COUNTER, "adit_admission_requests_total",             \
      "result=\"cached\"", "")                                                \
    X(ADMISSION_FAILED, COUNTER, "adit_admission_requests_total",             \
      "result=\"failed\"", "")                                                \
    X(LEDGER_FLUSHES, COUNTER, "adit_ledger_flushes_total", "result=\"ok\"",  \
      "batches written to the ledger, by result")                             \
    X(LEDGER_FAILED, COUNTER, "adit_ledger_flushes_total",                    \
      "result=\"failed\"", "")                                                \
    X(LEDGER_LOST_BYTES, COUNTER, "adit_ledger_lost_bytes_total", "",         \
      "circuit payload that was carried and could not be written down")       \
    X(LEDGER_LOST_RECORDS, COUNTER, "adit_ledger_lost_records_total", "",     \
      "closing records of circuits that could not be written down")           \
    X(LEDGER_PENDING, GAUGE, "adit_ledger_pending", "",                       \
      "peers and circuits that wait to be written down")                      \
    X(LOG_SWALLOWED, COUNTER, "adit_log_lines_swallowed_total", "",           \
      "log lines dropped by a limiter")

enum adit_metric {
#define X(sym, kind, name, labels, help) ADIT_M_##sym,
    ADIT_METRICS(X)
#undef X
        ADIT_N_METRICS
};

/* One worker's cells. */
struct adit_metrics {
    _Atomic uint64_t v[ADIT_N_METRICS];
};

/* Owner thread only: one writer per cell, so no locked add is needed. */
static inline void
adit_metric_add(struct adit_metrics *m, enum adit_metric i, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&m->v[i], memory_order_relaxed);

    atomic_store_explicit(&m->v[i], v + n, memory_order_relaxed);
}

/* Gauges go down too. */
static inline void
adit_metric_sub(struct adit_metrics *m, enum adit_metric i, uint64_t n)
{
    adit_metric_add(m, i, (uint64_t)0 - n);
}

static inline void
adit_metric_set(struct adit_metrics *m, enum adit_metric i, uint64_t n)
{
    atomic_store_explicit(&m->v[i], n, memory_order_relaxed);
}

static inline uint64_t
adit_metric_get(const struct adit_metrics *m, enum adit_metric i)
{
    return atomic_load_explicit(&m->v[i], memory_order_relaxed);
}

/* A circuit is over that lasted `us`.  Owner thread. */
void adit_metric_circuit_lasted(struct adit_metrics *m, int64_t us);

/*
 * What is of the process and not of a worker, and is only known when somebody
 * looks.  X(symbol, kind, name, labels, help)
 */
#define ADIT_SCRAPED_METRICS(X)                                               \
    X(BUILD_INFO, GAUGE, "adit_build_info",                                   \
      "version=\"" PACKAGE_VERSION "\"", "always 1")                          \
    X(CONFIG_GENERATION, GAUGE, "adit_config_generation", "",                 \
      "how often the configuration was taken, the start included")            \
    X(BUFFER_LIMIT, GAUGE, "adit_buffer_limit_bytes", "",                     \
      "what adit_buffer_bytes may reach")                                     \
    X(RSVP_LIMIT, GAUGE, "adit_reservations_limit", "",                       \
      "what adit_reservations may reach; 0: no limit")                        \
    X(LEDGER_FAILING, GAUGE, "adit_ledger_failing", "",                       \
      "1 while the ledger cannot be written")                                 \
    X(START_TIME, GAUGE, "process_start_time_seconds", "",                    \
      "when the process began, in Unix time")                                 \
    X(CPU, SECONDS, "process_cpu_seconds_total", "",                          \
      "time on a processor, user and system")                                 \
    X(OPEN_FDS, GAUGE, "process_open_fds", "", "descriptors open")            \
    X(MAX_FDS, GAUGE, "process_max_fds", "", "descriptors allowed")           \
    X(RESIDENT, GAUGE, "process_resident_memory_bytes", "", "memory resident")

enum adit_scraped_metric {
#define X(sym, kind, name, labels, help) ADIT_SCRAPED_##sym,
    ADIT_SCRAPED_METRICS(X)
#undef X
        ADIT_N_SCRAPED
};

struct adit_scraped {
    bool is_known[ADIT_N_SCRAPED]; /* else it is left out */
    uint64_t v[ADIT_N_SCRAPED];
};

static inline void
adit_scraped_set(struct adit_scraped *s, enum adit_scraped_metric i,
                 uint64_t v)
{
    s->is_known[i] = true;
    s->v[i] = v;
}

/* A row of the table. */
struct adit_metric_row {
    enum adit_metric_kind kind;
    const char *name;   /* rows of one name are adjacent */
    const char *labels; /* "" or `key="value"` */
    const char *help;   /* "" but for the first row of a name */
};
const struct adit_metric_row *adit_metric_row(enum adit_metric i);
const struct adit_metric_row *adit_scraped_row(enum adit_scraped_metric i);

#endif
