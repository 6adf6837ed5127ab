# SPDX-License-Identifier: Apache-2.0 OR MIT
# Dashboards and alerts ask for metrics that there are, with labels that they
# have; go-libp2p's dashboard finds all of its own.
. "${0%/*}/lib.sh"

docs=$abs_top_srcdir/docs
page=$abs_top_builddir/docs/metrics

# ours FILE: each of our names in it is in the list, with its labels' values.
ours() {
    "$page" | "$PYTHON3" -c '
import re, sys
known = {}
for line in sys.stdin:
    m = re.match(r"\| `(\w+)` \| (\w+) \| (?:`(\w+)`(?: = )?([^|]*))? *\|", line)
    if m:
        names = [m[1]]
        if m[2] == "histogram":
            names = [m[1] + tail for tail in ("_bucket", "_sum", "_count")]
        for name in names:
            known[name] = (m[3], [v.strip() for v in (m[4] or "").split(",")])
text = open(sys.argv[1], encoding="utf-8").read().replace("\\\"", "\"")
bad, n = [], 0
for m in re.finditer(r"\b((?:adit|libp2p_relaysvc|process)_\w+)(\{[^}]*\})?", text):
    n += 1
    if m[1] not in known:
        bad.append("there is no " + m[1])
        continue
    label, values = known[m[1]]
    for key, value in re.findall(r"(\w+)\s*=\s*\"([^\"]*)\"", m[2] or ""):
        if key not in ("instance", "job") and (
                key != label or value not in values):
            bad.append("%s has no %s=%s" % (m[1], key, value))
if n == 0:
    bad.append("it names nothing of ours")
print("\n".join(bad))
sys.exit(1 if bad else 0)' "$1"
}

# What go-libp2p v0.51 has on its dashboard (dashboards/relaysvc).
put go <<'EOF'
libp2p_relaysvc_status{instance=~"$instance"}
libp2p_relaysvc_reservations_total{type="opened"}
libp2p_relaysvc_reservations_total{type="closed"}
libp2p_relaysvc_reservations_total{type="renewed"}
libp2p_relaysvc_reservation_request_response_status_total{status="ok"}
libp2p_relaysvc_reservation_request_response_status_total{status="rejected"}
libp2p_relaysvc_reservation_request_response_status_total{status="error"}
libp2p_relaysvc_reservation_rejections_total{reason="ip constraint violation"}
libp2p_relaysvc_reservation_rejections_total{reason="resource limit exceeded"}
libp2p_relaysvc_reservation_rejections_total{reason="permission denied"}
libp2p_relaysvc_reservation_rejections_total{reason="malformed message"}
libp2p_relaysvc_data_transferred_bytes_total
libp2p_relaysvc_connections_total{type="opened"}
libp2p_relaysvc_connections_total{type="closed"}
libp2p_relaysvc_connection_request_response_status_total{status="ok"}
libp2p_relaysvc_connection_request_response_status_total{status="rejected"}
libp2p_relaysvc_connection_request_response_status_total{status="error"}
libp2p_relaysvc_connection_rejections_total{reason="no reservation"}
libp2p_relaysvc_connection_rejections_total{reason="resource limit exceeded"}
libp2p_relaysvc_connection_rejections_total{reason="permission denied"}
libp2p_relaysvc_connection_rejections_total{reason="malformed message"}
libp2p_relaysvc_connection_duration_seconds_sum
libp2p_relaysvc_connection_duration_seconds_count
libp2p_relaysvc_connection_duration_seconds_bucket{le="0.005"}
libp2p_relaysvc_connection_duration_seconds_bucket{le="10"}
libp2p_relaysvc_connection_duration_seconds_bucket{le="+Inf"}
EOF

is_json() { "$PYTHON3" -m json.tool "$1" /dev/null; }

promtool_is_content() {
    if ! command -v promtool >/dev/null; then
        echo "promtool is not installed"
        return 77
    fi
    promtool check rules "$1"
}

clean "go-libp2p's dashboard finds what it asks for" ours "$plant/go"
clean "our dashboard asks for what there is" ours "$docs/grafana/adit-relay.json"
clean "our dashboard is JSON" is_json "$docs/grafana/adit-relay.json"
clean "our alerts ask for what there is" ours "$docs/prometheus/adit-alerts.yml"
clean "promtool takes our alerts" promtool_is_content \
    "$docs/prometheus/adit-alerts.yml"

sed 's/adit_draining/adit_drains/' "$docs/prometheus/adit-alerts.yml" \
    >"$plant/alerts.yml"
finds "an alert on what there is not" 'there is no adit_drains' \
    ours "$plant/alerts.yml"
sed 's/result="failed"/result="failing"/' \
    "$docs/prometheus/adit-alerts.yml" >"$plant/alerts.yml"
finds "an alert on a label that is not" 'has no result=failing' \
    ours "$plant/alerts.yml"
sed 's/adit_circuits{/adit_circuit{/' "$docs/grafana/adit-relay.json" \
    >"$plant/dash.json"
finds "a panel of what there is not" 'there is no adit_circuit$' \
    ours "$plant/dash.json"
finish
