# SPDX-License-Identifier: Apache-2.0 OR MIT
# Debian's Prometheus, for the profile "monitoring" of compose.yml.
FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends prometheus && \
    rm -rf /var/lib/apt/lists/* && \
    chown -R prometheus:prometheus /var/lib/prometheus
USER prometheus
VOLUME /var/lib/prometheus
EXPOSE 9090
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", \
    "--storage.tsdb.path=/var/lib/prometheus", \
    "--web.listen-address=0.0.0.0:9090"]
