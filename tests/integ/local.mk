# SPDX-License-Identifier: Apache-2.0 OR MIT
# Programs that tests/integ/run uses beside aditd and adit.
noinst_PROGRAMS += %D%/churn
tests_integ_churn_SOURCES = %D%/churn.c
tests_integ_churn_LDADD = libadit.la $(LIBEVENT_LIBS)
