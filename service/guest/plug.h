/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* vCPUs plugged and unplugged in a running guest: one unit after the other, all or
 * none. One such change at a time for each guest. */

#include "guest/backend.h"
#include "guest/domain.h"

typedef struct Plug Plug;

/* Refuses while another change of this guest is under way, or QEMU has yet to plug a unit of the
 * choice; or any, where a count was asked for, since nobody knows how many there will be:
 * Busy. A unit that the guest was asked for in vain may be asked for again. */
int plug_check(const Domain *domain, const VcpuChoice *choice, Error *error);

/* Starts what was chosen from domain->vcpus. "done" is called once and later, when
 * all is done; or with what failed, and was undone before: its error says what failed,
 * what was undone, and what could not be. The whole takes no longer than the timeout,
 * undoing included.
 * Errors of "done": GuestRefused, TimedOut, BackendFailed, NotRunning. */
int plug_start(Domain *domain, const VcpuChoice *choice, uint64_t timeout_usec,
               BackendDone done, void *userdata, Error *error);

/* Whether somebody waits for this vCPU to come or go, right now. */
bool plug_waits_for(const Domain *domain, uint32_t id);

/* The guest is gone: what is under way ends with NotRunning. */
void plug_stopped(Domain *domain);
