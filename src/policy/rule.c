/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "policy/rule.h"

const char *
adit_rule_name(enum adit_rule rule)
{
    static const char *const names[] = { [ADIT_RULE_NONE] = "none",
#define ADIT_RULE_NAME(X, sym, text) [ADIT_RULE_##sym] = text,
                                         ADIT_RULES(ADIT_RULE_NAME, )
#undef ADIT_RULE_NAME
    };

    adit_assert(rule < ADIT_N_RULES);
    return names[rule];
}
