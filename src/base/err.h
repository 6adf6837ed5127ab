/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* err: adit_err for the inner rings; the codes are the public ones. */
#ifndef ADIT_BASE_ERR_H
#define ADIT_BASE_ERR_H

#include "adit/err.h"
#include "base/cc.h"

#endif
