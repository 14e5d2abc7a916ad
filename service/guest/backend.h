/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a hypervisor does for a domain that runs. Each call is answered once, through its
 * "done", never from within the call itself, and before the domain is gone: with
 * NotRunning if that comes first. An error that is returned is instead of it.
 *
 * "error" is NULL in a "done" where "result" says all; both belong to the caller. */

#include "guest/domain.h"
#include "lib/error.h"

typedef void (*BackendDone)(int result, const Error *error, void *userdata);

typedef struct Iothread {
        uint32_t id;                    /* as ListThreads numbers them */
        uint32_t thread;                /* as the hypervisor calls it, in its own PID namespace */
        char *name;
} Iothread;

typedef void (*IothreadsDone)(int result, const Error *error, const Iothread *iothreads, size_t n, void *userdata);

/* A vCPU as the guest's own system sees it. */
typedef struct AgentVcpu {
        uint32_t id;                    /* logical-id: the guest's own number */
        bool online;
        bool can_offline;
} AgentVcpu;

typedef void (*AgentVcpusDone)(int result, const Error *error, const AgentVcpu *vcpus, size_t n, void *userdata);

struct Backend {
        const char *name;               /* "qemu" */

        /* Plugs or unplugs the unit that a vCPU is in; "done" with 0 when the hypervisor
         * has it, or has it no more, and domain_take_vcpus() was called with it.
         * Errors: GuestRefused, TimedOut (it may still come: the unit stays in
         * domain->pending_unplug), BackendFailed, NotRunning. */
        int (*set_unit)(Domain *domain, uint32_t vcpu, bool enable, uint64_t timeout_usec,
                        BackendDone done, void *userdata, Error *error);

        int (*list_iothreads)(Domain *domain, IothreadsDone done, void *userdata, Error *error);

        /* Through the agent. Errors: GuestAgentUnavailable, GuestRefused. "set" tells how
         * many of the vCPUs were changed by its result, as the agent does. */
        int (*agent_get_vcpus)(Domain *domain, AgentVcpusDone done, void *userdata, Error *error);
        int (*agent_set_vcpus)(Domain *domain, const AgentVcpu *vcpus, size_t n, BackendDone done, void *userdata, Error *error);
};
