# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_wire_libwire_la_SOURCES += %D%/x.c %D%/x.h
src_wire_libwire_la_SOURCES += %D%/cipher.c %D%/cipher.h
src_wire_libwire_la_SOURCES += %D%/noise.c %D%/noise.h
src_wire_libwire_la_SOURCES += %D%/xx.c %D%/xx.h
