# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_metrics_libmetrics_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libmetrics.la
src_metrics_libmetrics_la_CFLAGS = $(AM_CFLAGS)
src_metrics_libmetrics_la_SOURCES =
src_metrics_libmetrics_la_SOURCES += %D%/metrics.c %D%/metrics.h
src_metrics_libmetrics_la_SOURCES += %D%/expo.c %D%/expo.h

# Prints docs/METRICS.md.
noinst_PROGRAMS += %D%/page
src_metrics_page_SOURCES = %D%/page.c
src_metrics_page_LDADD = src/metrics/libmetrics.la src/base/libbase.la \
	$(SODIUM_LIBS)
