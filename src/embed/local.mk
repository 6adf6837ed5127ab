# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_embed_libembed_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libembed.la
src_embed_libembed_la_CFLAGS = $(AM_CFLAGS)
src_embed_libembed_la_SOURCES =

# The public headers, the only ones that are installed.
aditincludedir = $(includedir)/adit
aditinclude_HEADERS =
aditinclude_HEADERS += src/include/adit/err.h
aditinclude_HEADERS += src/include/adit/adit.h
src_embed_libembed_la_SOURCES += %D%/back.c %D%/back.h
src_embed_libembed_la_SOURCES += %D%/bdial.c
src_embed_libembed_la_SOURCES += %D%/bstream.c
src_embed_libembed_la_SOURCES += %D%/config.c %D%/handle.h %D%/inner.h
src_embed_libembed_la_SOURCES += %D%/cross.c %D%/cross.h
src_embed_libembed_la_SOURCES += %D%/dial.c %D%/front.h
src_embed_libembed_la_SOURCES += %D%/info.c %D%/info.h
src_embed_libembed_la_SOURCES += %D%/key.c
src_embed_libembed_la_SOURCES += %D%/node.c
src_embed_libembed_la_SOURCES += %D%/stream.c
src_embed_libembed_la_SOURCES += %D%/pulse.c %D%/pulse.h
