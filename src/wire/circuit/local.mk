# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new file is one line here: src_wire_libwire_la_SOURCES += %D%/x.c %D%/x.h
src_wire_libwire_la_SOURCES += %D%/hop_cli.c %D%/hop_cli.h
src_wire_libwire_la_SOURCES += %D%/hop_srv.c %D%/hop_srv.h
src_wire_libwire_la_SOURCES += %D%/io.c %D%/io.h
src_wire_libwire_la_SOURCES += %D%/status.c %D%/status.h
src_wire_libwire_la_SOURCES += %D%/stop_cli.c %D%/stop_cli.h
src_wire_libwire_la_SOURCES += %D%/stop_srv.c %D%/stop_srv.h
