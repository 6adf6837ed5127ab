/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "embed/pulse.h"

#include "embed/front.h"

static void
on_back(adit_node *n, struct adit_note *note)
{
    struct adit_pulse *p = ADIT_CONTAINER_OF(note, struct adit_pulse, up);

    p->is_out = false;
    if (!n->is_deaf)
        p->fn(p->ctx);
}

static void
on_worker(struct adit_worker *w, struct adit_msg *m)
{
    struct adit_pulse *p = ADIT_CONTAINER_OF(m, struct adit_pulse, down);

    if (w != NULL)
        adit_front_note(p->node, &p->up, on_back);
}

void
adit_pulse_send(struct adit_pulse *p)
{
    if (p->is_out)
        return;
    p->is_out = true;
    adit_front_post(p->node, &p->down, on_worker);
}
