/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a thread of a VMM's process runs on and how, and what it has had so far. All
 * take the process and the thread's id in our own PID namespace, and touch none that
 * is another process's: see threads.c.
 *
 * Errors of all: NotRunning if process or thread have ended, BackendFailed if the id
 * is that of another process's thread. */

#include "lib/cpuset.h"
#include "process.h"

/* No reading: a kernel without CONFIG_SCHED_INFO. */
#define WAIT_USEC_UNKNOWN UINT64_MAX

/* The CPUs on which the thread may run and that are there now.
 * Source: sched_getaffinity(2). */
int thread_get_affinity(const Process *process, pid_t tid, CpuSet *ret, Error *error);

/* Whether threads may be sent to these CPUs; for pins that are kept until their vCPU
 * arrives, too.
 * Errors: InvalidArgs for an empty set, NoSuchCpu for CPUs that are not present or
 * not online. */
int affinity_check(const CpuSet *cpus, const CpuSet *online, const CpuSet *present, Error *error);

/* Sends the thread to these CPUs. "*ret_effective" is what the kernel made of it: it
 * takes out what the cgroup's cpuset or the machine does not have, and says nothing.
 * Source: sched_setaffinity(2).
 * Returns 0 if both are the same, 1 if they differ.
 * Errors: those of affinity_check(), InvalidArgs if nothing would be left, AccessDenied. */
int thread_set_affinity(const Process *process, pid_t tid, const CpuSet *cpus,
                        const CpuSet *online, const CpuSet *present, CpuSet *ret_effective, Error *error);

typedef enum SchedulerPolicy {
        SCHEDULER_OTHER,
        SCHEDULER_BATCH,
        SCHEDULER_IDLE,
        SCHEDULER_FIFO,
        SCHEDULER_RR,
        /* These are seen, and never set. */
        SCHEDULER_DEADLINE,
        SCHEDULER_EXT,
        SCHEDULER_UNKNOWN,
        _SCHEDULER_POLICY_MAX,
} SchedulerPolicy;

const char *scheduler_policy_to_string(SchedulerPolicy policy);

/* Only what can be set. Returns -EINVAL for any other word. */
int scheduler_policy_from_string(const char *word, SchedulerPolicy *ret);

/* Source: sched_getscheduler(2), sched_getparam(2). */
int thread_get_scheduler(const Process *process, pid_t tid, SchedulerPolicy *ret_policy, int *ret_priority, Error *error);

/* Whether there is such a priority: 0 for other, batch and idle, and what the kernel
 * has for fifo and rr (1 to 99).
 * Errors: InvalidArgs with what is allowed, NotSupported for what is only seen. */
int scheduler_check(SchedulerPolicy policy, int priority, Error *error);

/* A thread whose children are to start as "other" (SCHED_RESET_ON_FORK) keeps that;
 * its nice value stays, too.
 * Source: sched_setscheduler(2).
 * Errors: those of scheduler_check(), AccessDenied with what is missing,
 * BackendFailed if something else is read back. */
int thread_set_scheduler(const Process *process, pid_t tid, SchedulerPolicy policy, int priority, Error *error);

typedef struct ThreadStat {
        uint32_t last_cpu;
        uint64_t cpu_time_usec;         /* user and system, the guest's own included */
        uint64_t wait_usec;             /* ready to run and not running; or WAIT_USEC_UNKNOWN */
        char state;                     /* a letter of proc_pid_stat(5) */
        char comm[COMM_MAX];            /* printable */
} ThreadStat;

/* Source: /proc/PID/task/TID/{stat,schedstat}. */
int thread_read_stat(const Process *process, pid_t tid, ThreadStat *ret, Error *error);

enum {
        THREAD_FACT_AFFINITY = 1 << 0,
        THREAD_FACT_SCHEDULER = 1 << 1,
        THREAD_FACT_STAT = 1 << 2,
};

typedef struct ThreadFacts {
        unsigned known;                 /* which of them */
        CpuSet affinity;
        SchedulerPolicy policy;
        int priority;
        ThreadStat stat;
} ThreadFacts;

void thread_facts_clear(ThreadFacts *facts);

/* Several of them with one look at the thread, which costs less than one each. One that
 * the kernel does not tell is not known, and no error. */
int thread_read_facts(const Process *process, pid_t tid, unsigned wanted, ThreadFacts *ret, Error *error);

/* Pure functions, and the kernel's side of a long mask. */

/* "RUN_NS WAIT_NS SLICES", Documentation/scheduler/sched-stats.rst.
 * Returns -EINVAL for anything else, -ERANGE for a number too large. */
int schedstat_parse(const char *text, uint64_t *ret_wait_usec);

/* Ticks of which there are "ticks_per_second". Returns -ERANGE if that is too much. */
int ticks_to_usec(uint64_t ticks, uint64_t ticks_per_second, uint64_t *ret_usec);

/* A mask as the system calls have it: CPU n is bit n of words in the machine's order.
 * "*ret_size" is in bytes; never less than one word. */
int cpuset_to_words(const CpuSet *set, unsigned long **ret, size_t *ret_size);
int cpuset_from_words(const unsigned long *words, size_t n_words, CpuSet *ret);

/* Fills in a mask of "size" bytes like the bare sched_getaffinity system call: bytes
 * written, or a negative errno; -EINVAL while "size" is less than the kernel's. */
typedef ssize_t (*AffinityReader)(pid_t tid, size_t size, unsigned long *words);

/* Asks with ever longer masks until the kernel takes one. The call is an argument,
 * so that kernels can be tried that have more CPUs than this one. */
int affinity_read(AffinityReader reader, pid_t tid, CpuSet *ret);
