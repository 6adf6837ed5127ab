# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_metrics_libmetrics_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libmetrics.la
src_metrics_libmetrics_la_CFLAGS = $(AM_CFLAGS)
src_metrics_libmetrics_la_SOURCES =
src_metrics_libmetrics_la_SOURCES += %D%/metrics.c %D%/metrics.h
src_metrics_libmetrics_la_SOURCES += %D%/expo.c %D%/expo.h
