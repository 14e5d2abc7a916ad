/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What was asked of a guest's threads: where they shall run, and how they shall be
 * scheduled. Not what is: that is the kernel's, see threads.h. Kept for vCPUs that are
 * off, too. Plain data. */

#include <stdbool.h>
#include <stdint.h>

#include "guest/process.h"
#include "guest/threads.h"
#include "lib/cpuset.h"

typedef struct ThreadTuning {
        ThreadRole role;                /* THREAD_ROLE_VCPU, _EMULATOR or _IOTHREAD */
        uint32_t id;                    /* the vCPU's or the iothread's; 0 for the emulator */
        bool pinned;
        bool scheduled;
        CpuSet cpus;                    /* if it is pinned */
        SchedulerPolicy policy;         /* if it is scheduled */
        int priority;
} ThreadTuning;

typedef struct Tuning {
        ThreadTuning *items;            /* by role, then by id; none that is neither pinned nor scheduled */
        size_t n_items;
        CpuSet default_cpus;            /* of vCPUs without a pin of their own: <vcpu cpuset>; empty if not said */
} Tuning;

void tuning_clear(Tuning *tuning);
#define _cleanup_tuning_ _cleanup_(tuning_clear)

int tuning_copy(const Tuning *tuning, Tuning *ret);
bool tuning_equal(const Tuning *a, const Tuning *b);

/* NULL if nothing was asked of it. */
const ThreadTuning *tuning_find(const Tuning *tuning, ThreadRole role, uint32_t id);

/* The pin of a thread: its own, or of a vCPU the default. NULL if it has none. */
const CpuSet *tuning_cpus(const Tuning *tuning, ThreadRole role, uint32_t id);

/* An empty set takes the pin away. -ENOMEM leaves all as it was. */
int tuning_pin(Tuning *tuning, ThreadRole role, uint32_t id, const CpuSet *cpus);
int tuning_schedule(Tuning *tuning, ThreadRole role, uint32_t id, SchedulerPolicy policy, int priority);

/* Nothing is asked of its scheduling any more. */
void tuning_unschedule(Tuning *tuning, ThreadRole role, uint32_t id);
