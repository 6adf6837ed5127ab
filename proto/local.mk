# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# protobuf: a new proto/x.proto is one word in this list.  protoc-c puts
# proto/x.pb-c.c and .h into the build directory; a tarball ships both.
# Included as "proto/x.pb-c.h", from src/codec only (see src/LAYERS).

noinst_LTLIBRARIES += proto/libproto.la
proto_libproto_la_CFLAGS = $(QUIET_CFLAGS)
proto_libproto_la_SOURCES = \
	proto/circuit.pb-c.c proto/circuit.pb-c.h \
	proto/identify.pb-c.c proto/identify.pb-c.h \
	proto/keys.pb-c.c proto/keys.pb-c.h \
	proto/noise.pb-c.c proto/noise.pb-c.h \
	proto/record.pb-c.c proto/record.pb-c.h

EXTRA_DIST += proto/circuit.proto proto/identify.proto proto/keys.proto \
	proto/noise.proto proto/record.proto

pb_headers = $(filter %.pb-c.h,$(proto_libproto_la_SOURCES))
BUILT_SOURCES += $(pb_headers)
MAINTAINERCLEANFILES += $(proto_libproto_la_SOURCES)

%.pb-c.c %.pb-c.h: %.proto
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(PROTOC_C) --proto_path=$(top_srcdir) --c_out=. $<
