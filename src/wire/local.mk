# SPDX-License-Identifier: Apache-2.0 OR MIT
# One archive for all protocol machines; each folder names its own files.
noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_CFLAGS = $(RING_CFLAGS)
src_wire_libwire_la_SOURCES =

include src/wire/lpm/local.mk
include src/wire/mss/local.mk
include src/wire/noise/local.mk
include src/wire/yamux/local.mk
include src/wire/identify/local.mk
include src/wire/ping/local.mk
include src/wire/circuit/local.mk
include src/wire/proxy/local.mk
