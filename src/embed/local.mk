# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_embed_libembed_la_SOURCES += %D%/x.c %D%/x.h
noinst_LTLIBRARIES += %D%/libembed.la
src_embed_libembed_la_CFLAGS = $(AM_CFLAGS)
src_embed_libembed_la_SOURCES =

# The public headers, the only ones that are installed.
aditincludedir = $(includedir)/adit
aditinclude_HEADERS =
aditinclude_HEADERS += src/include/adit/err.h
