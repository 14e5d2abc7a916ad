/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files behind tune.h share: tune.c has what is asked for, tune-follow.c what is
 * done when something happens, tune-threads.c the threads, and tuned.c what became of it. */

#include "guest/tune.h"

/* What one thread had, to be put back. */
typedef struct ThreadBefore {
        ThreadRole role;
        uint32_t id;
        pid_t tid;                      /* as we see it */
        bool pin;                       /* else it is the scheduler */
        CpuSet cpus;
        SchedulerPolicy policy;
        int priority;
} ThreadBefore;

typedef struct ThreadsBefore {
        ThreadBefore *items;            /* in the order in which they were changed */
        size_t n_items;
        size_t n_allocated;
} ThreadsBefore;

void threads_before_clear(ThreadsBefore *before);

/* Puts what "wanted" asks of one thread (of all threads of the emulator) on it: the pin, or
 * else the scheduler. A vCPU that is off has none. */
typedef struct Putting {
        Domain *domain;
        const Tuning *wanted;
        const Iothread *iothreads;      /* where the change is about others than vCPUs */
        size_t n_iothreads;
        ThreadsBefore *before;          /* grows by what was changed; NULL if nobody asks */
        bool changed;                   /* something runs elsewhere, or otherwise, than before */
        ProcessThreads threads;         /* of a process in a namespace: looked up once */
} Putting;

void putting_clear(Putting *putting);
int putting_put(Putting *putting, ThreadRole role, uint32_t id, bool pin, Error *error);

/* In our own PID namespace. */
int putting_find_thread(Putting *putting, uint32_t thread, pid_t *ret, Error *error);

/* Back to what was, from the last to the first. Returns how many threads that were. */
size_t threads_put_back(Domain *domain, const ThreadsBefore *before, ThreadRole role, uint32_t id, bool pin);

/* Why the vCPUs' threads cannot be told apart, or are not the guest's own.
 * Errors: NotSupported. */
int tune_check_threads(const Domain *domain, bool vcpus, Error *error);

/* Sends a thread to those of the CPUs that are online. A captured host's CPUs need not be
 * this kernel's: what it does not have is no error, and shows in "*ret_effective". */
int tune_set_cpus(Domain *domain, pid_t tid, const CpuSet *cpus, CpuSet *ret_effective, Error *error);

/* Before the emulator's pin: where the threads may run without any. */
void tune_learn_base(Domain *domain);

/* Puts what is asked in domain->live on a vCPU's thread, if it has one. */
void tune_vcpu_put(Domain *domain, uint32_t id, bool pin);

/* NULL if it is off. */
const Vcpu *tune_find_vcpu(const Domain *domain, uint32_t id);

/* Where a thread runs now; takes the set over. Returns whether it was known to run
 * elsewhere. */
bool tuned_set_effective(Domain *domain, ThreadRole role, uint32_t id, CpuSet *effective);

/* Why something could not be put on a thread; takes the text over. No error: it could. */
void tuned_set_problem(Domain *domain, ThreadRole role, uint32_t id, bool pin, Error *error);
void tuned_forget(Domain *domain, ThreadRole role, uint32_t id);

/* What is wrong is put together anew. */
void tune_update_findings(Domain *domain);
