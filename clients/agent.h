/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "ctl.h"

/* polkit's agent for terminals, which asks for passwords while it runs. */
typedef struct Agent {
        pid_t pid; /* 0: none */
} Agent;

#define AGENT_NONE ((Agent) {})

/* Whether one would help: someone sits at a terminal of the machine that the
 * service runs on, and is not root. */
bool agent_is_wanted(const Ctl *ctl);

/* Starts it for this process, and returns when it is ready, or has ended
 * because it could not be. */
int agent_start(Agent *ret);

/* Ends it and waits until it has ended. */
void agent_stop(Agent *agent);
