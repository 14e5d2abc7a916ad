/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* vCPUs taken online and offline by the guest's own system, through the agent in it:
 * asked, checked, chosen and changed, all or none. One such change at a time for each
 * guest. The ids are the guest's own numbers. */

#include "guest/backend.h"

typedef struct AgentChange AgentChange;

typedef struct AgentVcpusRequest {
        const CpuSet *ids;              /* these, or with NULL a count; copied */
        bool enable;                    /* of ids */
        uint32_t count;                 /* how many the guest is to use */
        bool dry_run;                   /* chosen only */
} AgentVcpusRequest;

/* "changed" has the ids that changed, or would; it belongs to the caller, and is NULL
 * with an error. */
typedef void (*AgentVcpusChanged)(int result, const Error *error, const CpuSet *changed, void *userdata);

/* "done" is called once and later, if this returns 0, and before the guest is gone.
 * Those are taken that are offline from the lowest on, or that can go from the highest
 * down. If the agent stops in the middle, what it had done is undone before "done",
 * whose error says what failed, what was undone, and what could not be.
 * Errors, returned: InvalidArgs (no ids), NotRunning, NotSupported (no agent with this
 * hypervisor), Busy. In "done": NoSuchVcpu, NotSupported (a vCPU that the guest cannot
 * take offline), InvalidArgs (all of the guest; a count of 0 or of more than it has),
 * GuestRefused, and all that the agent's two questions may end with. */
int agent_vcpus_set(Domain *domain, const AgentVcpusRequest *request, AgentVcpusChanged done, void *userdata, Error *error);
