# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_net_libnet_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libnet.la
src_net_libnet_la_CFLAGS = $(AM_CFLAGS)
src_net_libnet_la_SOURCES =
src_net_libnet_la_SOURCES += %D%/addr.h %D%/pipe.h
src_net_libnet_la_SOURCES += %D%/conn.c %D%/conn.h
src_net_libnet_la_SOURCES += %D%/net.c %D%/net.h
src_net_libnet_la_SOURCES += %D%/upgrade.c %D%/upgrade.h
src_net_libnet_la_SOURCES += %D%/addr.c
src_net_libnet_la_SOURCES += %D%/listener.c %D%/listener.h
src_net_libnet_la_SOURCES += %D%/tcp.c %D%/tcp.h
src_net_libnet_la_SOURCES += %D%/dial.c %D%/dial.h
src_net_libnet_la_SOURCES += %D%/lobby.c %D%/lobby.h
src_net_libnet_la_SOURCES += %D%/bound.c %D%/bound.h
