/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pins and schedulers of a running guest, put on its threads; what is asked is kept in
 * domain->live, for threads that are not there yet, and to be put right when the host's
 * CPUs come back. */

#include "guest/backend.h"
#include "guest/domain.h"

/* One thing that is asked of one thread. */
typedef struct TuneChange {
        ThreadRole role;
        uint32_t id;
        bool pin;                       /* else it is the scheduler that is asked for */
        CpuSet cpus;                    /* empty: no pin any more */
        SchedulerPolicy policy;
        int priority;
} TuneChange;

void tune_changes_free(TuneChange *changes, size_t n);

/* Whether such changes make sense, for the running guest ("live"), for what is stored
 * ("config"), or both; at least one is true. Nothing is looked at that takes time.
 * Errors: InvalidArgs (no change; one thread twice; an empty guest), NoSuchVcpu, NoSuchCpu,
 * NotRunning, NotSupported (all vCPUs in one thread; a process whose threads are not
 * known to be its own), those of affinity_check() and scheduler_check(). */
int tune_check(const Domain *domain, const TuneChange *changes, size_t n, bool live, bool config, Error *error);

/* Makes them, all or none, in the running guest and in what is stored. The changes
 * are copied. "done" is called once; possibly before this returns 0.
 * Errors: those of tune_check(), and of thread_set_affinity(), thread_set_scheduler(). */
int tune(Domain *domain, const TuneChange *changes, size_t n, bool live, bool config,
         BackendDone done, void *userdata, Error *error);

/* A vCPU's thread is there for the first time: it gets what was asked for it; without a
 * pin the place that the guest's threads had before any was pinned, since it has
 * started with that of the thread that made it. What fails is a warning. */
void tune_vcpu_arrived(Domain *domain, uint32_t id);

/* What was asked in domain->live (and is new to the guest) is put on all its threads as
 * far as it goes; the rest is a warning. For a guest that has just started. */
void tune_all(Domain *domain);

/* A vCPU is off: where it ran is no matter any more. */
void tune_vcpu_went(Domain *domain, uint32_t id);

/* The host's CPUs are others, or what was asked in domain->live was read back after a
 * restart of this service: pins that the kernel narrowed are put right. */
void tune_host_changed(Domain *domain);

/* What became of what was asked of a run; of domain.c to be freed. NULL does nothing. */
struct Tuned *tuned_free(struct Tuned *tuned);

/* The threads of the guest with their roles; "done" gets them with what the monitor
 * tells of iothreads. The items belong to the caller of "done". */
typedef struct GuestThread {
        pid_t tid;                      /* as we see it */
        ThreadRole role;
        uint32_t id;                    /* of vCPUs and iothreads, else ID_NONE */
        char comm[COMM_MAX];
} GuestThread;

typedef void (*GuestThreadsDone)(int result, const Error *error, const GuestThread *threads, size_t n, void *userdata);

int tune_list_threads(Domain *domain, GuestThreadsDone done, void *userdata, Error *error);
