# SPDX-License-Identifier: Apache-2.0 OR MIT
# The manual pages, the sample file, and the example that EMBEDDING.md shows.
dist_man_MANS = %D%/man/adit.1 %D%/man/aditd.8
dist_doc_DATA = %D%/aditd.conf.sample %D%/OPERATING.md %D%/EMBEDDING.md \
	%D%/METRICS.md

# For those who watch a relay.
grafanadir = $(pkgdatadir)/grafana
dist_grafana_DATA = %D%/grafana/adit-relay.json
prometheusdir = $(pkgdatadir)/prometheus
dist_prometheus_DATA = %D%/prometheus/adit-alerts.yml

noinst_PROGRAMS += docs/examples/hello
docs_examples_hello_SOURCES = %D%/examples/hello.c
docs_examples_hello_LDADD = libadit.la

# Prints METRICS.md.
noinst_PROGRAMS += docs/metrics
docs_metrics_SOURCES = %D%/metrics.c
docs_metrics_LDADD = src/metrics/libmetrics.la src/base/libbase.la \
	$(SODIUM_LIBS)

# What is made from the option table; tests/checks/docs.sh compares.
docs: aditd docs/metrics
	./aditd --man > $(top_srcdir)/docs/man/aditd.8
	./aditd --sample-config > $(top_srcdir)/docs/aditd.conf.sample
	./docs/metrics > $(top_srcdir)/docs/METRICS.md
.PHONY: docs
