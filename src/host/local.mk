# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_host_libhost_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libhost.la
src_host_libhost_la_CFLAGS = $(AM_CFLAGS)
src_host_libhost_la_SOURCES =
src_host_libhost_la_SOURCES += %D%/bridge.c %D%/bridge.h
src_host_libhost_la_SOURCES += %D%/circuit.c %D%/circuit.h
src_host_libhost_la_SOURCES += %D%/connect.c %D%/connect.h
src_host_libhost_la_SOURCES += %D%/host.c %D%/host.h
src_host_libhost_la_SOURCES += %D%/node.c %D%/node.h %D%/node_opts.c
src_host_libhost_la_SOURCES += %D%/refusal.c %D%/refusal.h
src_host_libhost_la_SOURCES += %D%/relay.c %D%/relay.h
src_host_libhost_la_SOURCES += %D%/reserve.c %D%/reserve.h
src_host_libhost_la_SOURCES += %D%/hstream.c %D%/hstream.h
src_host_libhost_la_SOURCES += %D%/svc_identify.c %D%/svc_identify.h
src_host_libhost_la_SOURCES += %D%/svc_ping.c %D%/svc_ping.h
src_host_libhost_la_SOURCES += %D%/svc_stop.c %D%/svc_stop.h
src_host_libhost_la_SOURCES += %D%/dialer.h
