# SPDX-License-Identifier: Apache-2.0 OR MIT
# A new tests/sim/x.c is one line here: check_PROGRAMS += %D%/x
# Helpers that several of them share: tests_sim_libsim_la_SOURCES += %D%/y.c
check_LTLIBRARIES += %D%/libsim.la
tests_sim_libsim_la_SOURCES =
tests_sim_libsim_la_SOURCES += %D%/world.c %D%/world.h
tests_sim_libsim_la_SOURCES += %D%/run.c %D%/run.h %D%/raw.c %D%/raw.h
check_PROGRAMS += %D%/circuit
check_PROGRAMS += %D%/hostile
check_PROGRAMS += %D%/flood
check_PROGRAMS += %D%/random
tests_sim_random_SOURCES = %D%/random.c %D%/fakes.c %D%/fakes.h
check_PROGRAMS += %D%/caps
check_PROGRAMS += %D%/classes
tests_sim_classes_SOURCES = %D%/classes.c %D%/fakes.c %D%/fakes.h
check_PROGRAMS += %D%/rates
