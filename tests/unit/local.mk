# SPDX-License-Identifier: Apache-2.0 OR MIT
# One cmocka program per module.  A new tests/unit/codec/x.c is one line here:
# check_PROGRAMS += %D%/codec/x
check_PROGRAMS += %D%/build
check_PROGRAMS += %D%/codec/basex %D%/codec/key %D%/codec/maddr %D%/codec/pb
check_PROGRAMS += %D%/codec/peerid %D%/codec/record %D%/codec/uvarint
EXTRA_DIST += %D%/codec/hex.h tests/vectors/keys.h tests/vectors/maddr.h
check_PROGRAMS += %D%/wire/cipher %D%/wire/lpm %D%/wire/mss %D%/wire/ping
check_PROGRAMS += %D%/wire/noise %D%/wire/xx
check_PROGRAMS += %D%/wire/proxy
EXTRA_DIST += %D%/wire/common.h tests/vectors/noise-xx.txt
check_PROGRAMS += %D%/loop/worker
tests_unit_loop_worker_SOURCES = %D%/loop/worker.c %D%/loop/rig.h
check_PROGRAMS += %D%/wire/circuit/hop_cli %D%/wire/circuit/hop_srv
check_PROGRAMS += %D%/wire/circuit/stop_cli %D%/wire/circuit/stop_srv
check_PROGRAMS += %D%/wire/circuit/pair %D%/wire/circuit/status
check_PROGRAMS += %D%/wire/identify
EXTRA_DIST += %D%/wire/circuit/messages.h
check_PROGRAMS += %D%/net/addr %D%/net/tcp %D%/net/conn
check_PROGRAMS += %D%/policy/rate
check_PROGRAMS += %D%/policy/acl %D%/policy/asn %D%/policy/budget
check_PROGRAMS += %D%/policy/caps %D%/policy/class %D%/policy/pace
check_PROGRAMS += %D%/policy/rsvp %D%/policy/rsvp_model
EXTRA_DIST += tests/vectors/asn.mmdb tests/vectors/asn.py
check_PROGRAMS += %D%/wire/yamux %D%/wire/yamux_pair
tests_unit_wire_yamux_SOURCES = %D%/wire/yamux.c %D%/wire/yamux_scripts.h
check_PROGRAMS += %D%/loop/resolve
EXTRA_DIST += %D%/loop/dnsd.h
check_PROGRAMS += %D%/net/dial
check_PROGRAMS += %D%/net/listener
check_PROGRAMS += %D%/embed/config %D%/embed/key %D%/embed/pair
tests_unit_embed_pair_SOURCES = %D%/embed/pair.c %D%/embed/duo.h
thread_tests += %D%/embed/pair
check_PROGRAMS += %D%/host/observed
check_PROGRAMS += %D%/loop/http
tests_unit_loop_http_SOURCES = %D%/loop/http.c %D%/loop/httpd.h
check_PROGRAMS += %D%/host/admission
check_PROGRAMS += %D%/host/refusal
check_PROGRAMS += %D%/net/bound %D%/host/proxies
check_PROGRAMS += %D%/embed/sockets
tests_unit_embed_sockets_SOURCES = %D%/embed/sockets.c %D%/embed/duo.h
check_PROGRAMS += %D%/base/civil
check_PROGRAMS += %D%/policy/account
if WITH_RELAY
check_PROGRAMS += %D%/ledger/redis %D%/ledger/sqlite
ledger_books = %D%/ledger/books.c %D%/ledger/books.h %D%/ledger/suite.c
tests_unit_ledger_redis_SOURCES = %D%/ledger/redis.c $(ledger_books)
tests_unit_ledger_sqlite_SOURCES = %D%/ledger/sqlite.c $(ledger_books)
thread_tests += %D%/ledger/redis %D%/ledger/sqlite
endif
check_PROGRAMS += %D%/daemon/confine %D%/daemon/json %D%/daemon/notify
check_PROGRAMS += %D%/daemon/settings
daemon_ldadd = src/daemon/libdaemon.la $(SECCOMP_LIBS) $(LDADD)
tests_unit_daemon_confine_LDADD = $(daemon_ldadd)
tests_unit_daemon_json_LDADD = $(daemon_ldadd)
tests_unit_daemon_notify_LDADD = $(daemon_ldadd)
tests_unit_daemon_settings_LDADD = $(daemon_ldadd)
check_PROGRAMS += %D%/admin/web %D%/admin/sock %D%/metrics/expo
EXTRA_DIST += %D%/admin/client.h
check_PROGRAMS += %D%/admin/desk
tests_unit_admin_desk_SOURCES = %D%/admin/desk.c %D%/admin/fakes.c \
	%D%/admin/fakes.h
noinst_PROGRAMS += %D%/admin/faked
tests_unit_admin_faked_SOURCES = %D%/admin/faked.c %D%/admin/fakes.c \
	%D%/admin/fakes.h
check_PROGRAMS += %D%/cli/table
tests_unit_cli_table_SOURCES = %D%/cli/table.c src/cli/table.c
