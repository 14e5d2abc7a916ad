/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which vCPUs a guest has is changed: in the running guest, by its hypervisor or by the
 * agent in it; in what is stored for its next starts; or in the first and the last
 * together, and then both or none. */

#include "guest/backend.h"
#include "guest/domain.h"

typedef struct VcpuRequest {
        bool by_count;                  /* else it is the ids that were named */
        CpuSet ids;
        bool enable;
        uint32_t count;
        uint32_t cell;                  /* the guest's, of a count; ID_NONE: all */
        bool whole_units;
        bool live;
        bool config;
        bool guest;                     /* through the agent; without the other two */
} VcpuRequest;

void vcpu_request_clear(VcpuRequest *request);
#define _cleanup_vcpu_request_ _cleanup_(vcpu_request_clear)

/* What "neither" means: the running guest, or what is stored if it does not run.
 * Errors: NotRunning for "live" of a guest that is off. */
int domain_choose_target(const Domain *domain, bool *live, bool *config, Error *error);

/* Whether it can be done, and with which vCPUs: "*ret_changed" is empty if all is so
 * already, and also if only the agent can tell. Nothing is changed.
 * Errors: those of vcpu_table_choose_*(), plug_check(), NotRunning,
 * GuestAgentUnavailable, NotSupported. */
int vcpu_change_check(const Domain *domain, const VcpuRequest *request, Error *error, CpuSet *ret_changed);

typedef void (*VcpuChangeDone)(int result, const Error *error, const CpuSet *changed, void *userdata);

/* Does it; "done" is called once, possibly before this returns 0. With "dry_run" only the
 * agent is asked what would be changed. The request is copied.
 * Errors also of "done": those of plug_start(), definitions_change(), the agent's. */
int vcpu_change(Domain *domain, const VcpuRequest *request, uint64_t timeout_usec, bool dry_run,
                VcpuChangeDone done, void *userdata, Error *error);
