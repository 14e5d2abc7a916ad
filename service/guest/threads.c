/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The scheduler's system calls take a number, and a number can be another thread's
 * by the time it gets there: a vCPU is unplugged, its thread ends, and the kernel
 * gives the number away again. The calls have no form that takes a descriptor. So
 * each of them is put between two looks at the thread's folder in /proc:
 *
 *   - it is opened below the process's own right before the call, which works for
 *     threads of that process only (process.c), and
 *   - it is looked at once more after the call. If the thread is still there, the
 *     number was its own all the time in between, and the call did or told what it
 *     should. If not, nothing is believed, and the caller is told.
 *
 * What remains: a thread that ends between the first look and the call, and whose
 * number is given to a new thread in these few microseconds. The kernel hands out
 * numbers in turn, up to pid_max, so that all others would have to be used up
 * meanwhile; whoever can bring that about on purpose is root. Only numbers that a
 * checkpointed container asks for (clone3(2) with set_tid) come out of turn, which
 * takes CAP_CHECKPOINT_RESTORE. The second look tells even then that something went
 * wrong, though not what it hit.
 *
 * glibc's wrappers are not used for affinity: its cpu_set_t ends at 1,024 CPUs, and
 * it does not say how long the kernel's mask is. The kernel takes a mask of any
 * length and ignores bits that it has no CPU for; it gives one only to who has room
 * for all of its own, and says EINVAL to others. */

#include "threads.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/sysfs.h"
#include "lib/text.h"

#define WORD_BITS (8 * sizeof(unsigned long))

/* The longest mask that a CpuSet can be. */
#define MASK_SIZE_MAX (CPUSET_LIMIT / 8)

#define NSEC_PER_USEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)

int cpuset_to_words(const CpuSet *set, unsigned long **ret, size_t *ret_size) {
        unsigned long *words;
        size_t n = 1;

        if (!cpuset_is_empty(set))
                n = set->ranges[set->n_ranges - 1].last / WORD_BITS + 1;
        words = calloc(n, sizeof *words);
        if (!words)
                return -ENOMEM;
        CPUSET_FOREACH(cpu, set)
                words[cpu / WORD_BITS] |= 1ul << cpu % WORD_BITS;

        *ret = words;
        *ret_size = n * sizeof *words;
        return 0;
}

int cpuset_from_words(const unsigned long *words, size_t n_words, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        int r;

        for (size_t i = 0; i < n_words; i++)
                for (size_t bit = 0; bit < WORD_BITS && words[i] >> bit; bit++)
                        if (words[i] >> bit & 1) {
                                if (i * WORD_BITS + bit >= CPUSET_LIMIT)
                                        return -ERANGE;
                                r = cpuset_add(&set, (uint32_t) (i * WORD_BITS + bit));
                                if (r < 0)
                                        return r;
                        }

        *ret = TAKE(set);
        return 0;
}

static ssize_t read_from_kernel(pid_t tid, size_t size, unsigned long *words) {
        long n = syscall(SYS_sched_getaffinity, tid, size, words);

        return n < 0 ? -errno : n;
}

int affinity_read(AffinityReader reader, pid_t tid, CpuSet *ret) {
        /* 1,024 CPUs are nearly always enough. */
        for (size_t size = 128; size <= MASK_SIZE_MAX; size *= 2) {
                _cleanup_free_ unsigned long *words = calloc(1, size);
                ssize_t n;

                if (!words)
                        return -ENOMEM;
                n = reader(tid, size, words);
                if (n == -EINVAL)
                        continue;
                if (n < 0)
                        return (int) n;
                if ((size_t) n > size)
                        return -EIO;
                return cpuset_from_words(words, size / sizeof *words, ret);
        }

        return -EINVAL;
}

int schedstat_parse(const char *text, uint64_t *ret_wait_usec) {
        uint64_t numbers[3];
        const char *p = text;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                char *end;

                if (!isdigit((unsigned char) *p))
                        return -EINVAL;
                errno = 0;
                numbers[i] = strtoumax(p, &end, 10);
                if (errno == ERANGE)
                        return -ERANGE;
                p = end;
                if (i + 1 < ELEMENTSOF(numbers) && *p++ != ' ')
                        return -EINVAL;
        }
        if (*p == '\n')
                p++;
        if (*p)
                return -EINVAL;

        *ret_wait_usec = numbers[1] / NSEC_PER_USEC;
        return 0;
}

int ticks_to_usec(uint64_t ticks, uint64_t ticks_per_second, uint64_t *ret_usec) {
        uint64_t usec, rest;

        assert(ticks_per_second > 0 && ticks_per_second <= USEC_PER_SEC);

        /* Whole seconds by themselves, so that nothing overflows on the way. */
        if (__builtin_mul_overflow(ticks / ticks_per_second, USEC_PER_SEC, &usec))
                return -ERANGE;
        rest = ticks % ticks_per_second * USEC_PER_SEC / ticks_per_second;
        if (__builtin_add_overflow(usec, rest, &usec))
                return -ERANGE;

        *ret_usec = usec;
        return 0;
}

/* Why a call on a thread failed, where it is nothing that this call explains better. */
static int call_error(const Process *process, pid_t tid, const char *what, int r, Error *error) {
        if (r == -ESRCH || r == -ENOENT)
                return error_set(error, ERROR_NOT_RUNNING, "Thread %d of process %d has ended.",
                                 (int) tid, (int) process->pid);
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "No memory for %s of thread %d.", what, (int) tid);
        return error_set(error, ERROR_BACKEND_FAILED, "The kernel refuses %s of thread %d of process %d: %s.",
                         what, (int) tid, (int) process->pid, strerror(-r));
}

/* The second look. The folder is the thread's and not the number's, and has nothing
 * in it any more once the thread is gone. */
static int thread_check(const Process *process, pid_t tid, int thread_fd, Error *error) {
        struct stat st;

        if (fstatat(thread_fd, "stat", &st, 0) < 0)
                return call_error(process, tid, "a look at the folder", -errno, error);
        return 0;
}

int thread_get_affinity(const Process *process, pid_t tid, CpuSet *ret, Error *error) {
        _cleanup_cpuset_ CpuSet set = {};
        _cleanup_close_ int fd = -1;
        int r;

        fd = process_open_thread(process, tid, error);
        if (fd < 0)
                return fd;
        r = affinity_read(read_from_kernel, tid, &set);
        if (r < 0)
                return call_error(process, tid, "the affinity", r, error);
        r = thread_check(process, tid, fd, error);
        if (r < 0)
                return r;

        *ret = TAKE(set);
        return 0;
}

/* Refuses what is not among those that there are. */
static int check_among(const CpuSet *cpus, const CpuSet *there, const char *word, Error *error) {
        _cleanup_cpuset_ CpuSet missing = {};
        _cleanup_free_ char *missing_list = NULL, *there_list = NULL;
        int r;

        r = cpuset_and_not(cpus, there, &missing);
        if (r == 0 && cpuset_is_empty(&missing))
                return 0;
        if (r == 0) {
                missing_list = cpuset_to_list(&missing);
                there_list = cpuset_to_list(there);
        }
        if (!missing_list || !there_list)
                return error_set(error, ERROR_NO_MEMORY, "No memory for a set of CPUs.");

        return error_set(error, ERROR_NO_SUCH_CPU, "Not %s: CPU %s. This host has %s.",
                         word, missing_list, *there_list ? there_list : "none");
}

int affinity_check(const CpuSet *cpus, const CpuSet *online, const CpuSet *present, Error *error) {
        int r;

        if (cpuset_is_empty(cpus))
                return error_set(error, ERROR_INVALID_ARGS, "A thread needs at least one CPU; the set is empty.");
        r = check_among(cpus, present, "present", error);
        if (r < 0)
                return r;
        return check_among(cpus, online, "online", error);
}

static int affinity_error(const Process *process, pid_t tid, const CpuSet *cpus, int r, Error *error) {
        _cleanup_free_ char *list = cpuset_to_list(cpus);

        if (!list)
                return error_set(error, ERROR_NO_MEMORY, "No memory for a set of CPUs.");
        if (r == -EINVAL)
                return error_set(error, ERROR_INVALID_ARGS,
                                 "Thread %d of process %d may run on none of CPU %s: "
                                 "the kernel has none of them for it, or its cgroup's cpuset has not.",
                                 (int) tid, (int) process->pid, list);
        if (r == -EPERM)
                return error_set(error, ERROR_ACCESS_DENIED,
                                 "The kernel does not let us send thread %d of process %d to CPU %s: "
                                 "for another user's thread that takes CAP_SYS_NICE.",
                                 (int) tid, (int) process->pid, list);
        return call_error(process, tid, "a new affinity", r, error);
}

int thread_set_affinity(const Process *process, pid_t tid, const CpuSet *cpus,
                        const CpuSet *online, const CpuSet *present, CpuSet *ret_effective, Error *error) {
        _cleanup_cpuset_ CpuSet effective = {};
        _cleanup_free_ unsigned long *words = NULL;
        _cleanup_close_ int fd = -1;
        size_t size;
        int r;

        r = affinity_check(cpus, online, present, error);
        if (r < 0)
                return r;
        r = cpuset_to_words(cpus, &words, &size);
        if (r < 0)
                return call_error(process, tid, "a new affinity", r, error);

        /* From here to the call there is nothing that takes time. */
        fd = process_open_thread(process, tid, error);
        if (fd < 0)
                return fd;
        if (syscall(SYS_sched_setaffinity, tid, size, words) < 0)
                return affinity_error(process, tid, cpus, -errno, error);

        r = affinity_read(read_from_kernel, tid, &effective);
        if (r < 0)
                return call_error(process, tid, "the affinity", r, error);
        r = thread_check(process, tid, fd, error);
        if (r < 0)
                return r;

        r = !cpuset_equal(cpus, &effective);
        *ret_effective = TAKE(effective);
        return r;
}

#ifndef SCHED_EXT
#define SCHED_EXT 7
#endif

static const struct { const char *word; int number; bool settable; } policies[_SCHEDULER_POLICY_MAX] = {
        [SCHEDULER_OTHER] = { "other", SCHED_OTHER, true },
        [SCHEDULER_BATCH] = { "batch", SCHED_BATCH, true },
        [SCHEDULER_IDLE] = { "idle", SCHED_IDLE, true },
        [SCHEDULER_FIFO] = { "fifo", SCHED_FIFO, true },
        [SCHEDULER_RR] = { "rr", SCHED_RR, true },
        [SCHEDULER_DEADLINE] = { "deadline", SCHED_DEADLINE, false },
        [SCHEDULER_EXT] = { "ext", SCHED_EXT, false },
        [SCHEDULER_UNKNOWN] = { "unknown", -1, false },
};

const char *scheduler_policy_to_string(SchedulerPolicy policy) {
        assert(policy < _SCHEDULER_POLICY_MAX);
        return policies[policy].word;
}

int scheduler_policy_from_string(const char *word, SchedulerPolicy *ret) {
        for (SchedulerPolicy policy = 0; policy < _SCHEDULER_POLICY_MAX; policy++)
                if (policies[policy].settable && strcmp(policies[policy].word, word) == 0) {
                        *ret = policy;
                        return 0;
                }

        return -EINVAL;
}

static SchedulerPolicy policy_from_number(int number) {
        for (SchedulerPolicy policy = 0; policy < SCHEDULER_UNKNOWN; policy++)
                if (policies[policy].number == number)
                        return policy;

        return SCHEDULER_UNKNOWN;
}

/* What the kernel has now. "*ret_flags" is SCHED_RESET_ON_FORK or 0. */
static int read_scheduler(pid_t tid, SchedulerPolicy *ret_policy, int *ret_priority, int *ret_flags) {
        struct sched_param param = {};
        int number;

        number = sched_getscheduler(tid);
        if (number < 0 || sched_getparam(tid, &param) < 0)
                return -errno;

        *ret_policy = policy_from_number(number & ~SCHED_RESET_ON_FORK);
        *ret_priority = param.sched_priority;
        *ret_flags = number & SCHED_RESET_ON_FORK;
        return 0;
}

int thread_get_scheduler(const Process *process, pid_t tid, SchedulerPolicy *ret_policy, int *ret_priority, Error *error) {
        _cleanup_close_ int fd = -1;
        SchedulerPolicy policy = SCHEDULER_UNKNOWN;
        int priority = 0, flags, r;

        fd = process_open_thread(process, tid, error);
        if (fd < 0)
                return fd;
        r = read_scheduler(tid, &policy, &priority, &flags);
        if (r < 0)
                return call_error(process, tid, "the scheduler", r, error);
        r = thread_check(process, tid, fd, error);
        if (r < 0)
                return r;

        *ret_policy = policy;
        *ret_priority = priority;
        return 0;
}

int scheduler_check(SchedulerPolicy policy, int priority, Error *error) {
        const char *word = scheduler_policy_to_string(policy);
        int min, max;

        if (!policies[policy].settable)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "The scheduler “%s” cannot be set; other, batch, idle, fifo and rr can.", word);
        min = sched_get_priority_min(policies[policy].number);
        max = sched_get_priority_max(policies[policy].number);
        if (min < 0 || max < 0)
                return error_set(error, ERROR_NOT_SUPPORTED, "The kernel has no scheduler “%s”.", word);
        if (priority < min || priority > max) {
                if (min == max)
                        return error_set(error, ERROR_INVALID_ARGS, "The priority %d is not possible: “%s” has only %d.",
                                         priority, word, min);
                return error_set(error, ERROR_INVALID_ARGS, "The priority %d is not possible: “%s” has %d to %d.",
                                 priority, word, min, max);
        }

        return 0;
}

static int scheduler_error(const Process *process, pid_t tid, SchedulerPolicy policy, int priority, int r, Error *error) {
        const char *word = scheduler_policy_to_string(policy);
        char limit_text[sizeof ", which is 18446744073709551615"] = "";
        struct rlimit limit;

        if (r != -EPERM)
                return call_error(process, tid, "a new scheduler", r, error);
        if (policy != SCHEDULER_FIFO && policy != SCHEDULER_RR)
                return error_set(error, ERROR_ACCESS_DENIED,
                                 "The kernel does not let us set “%s” for thread %d of process %d: "
                                 "for another user's thread, or one that was “idle”, that takes CAP_SYS_NICE.",
                                 word, (int) tid, (int) process->pid);

        /* For the text alone; it is not always ours to know. */
        if (prlimit(process->pid, RLIMIT_RTPRIO, NULL, &limit) == 0)
                (void) snprintf(limit_text, sizeof limit_text, ", which is %" PRIu64, (uint64_t) limit.rlim_cur);
        return error_set(error, ERROR_ACCESS_DENIED,
                         "The kernel does not let us set “%s” with priority %d for thread %d of process %d: "
                         "that takes CAP_SYS_NICE, or a process of our user with a RLIMIT_RTPRIO as high%s; "
                         "or its cgroup has no real-time budget (cpu.rt_runtime_us).",
                         word, priority, (int) tid, (int) process->pid, limit_text);
}

int thread_set_scheduler(const Process *process, pid_t tid, SchedulerPolicy policy, int priority, Error *error) {
        _cleanup_close_ int fd = -1;
        SchedulerPolicy seen_policy = SCHEDULER_UNKNOWN;
        int seen_priority = 0, flags = 0, r;

        r = scheduler_check(policy, priority, error);
        if (r < 0)
                return r;

        fd = process_open_thread(process, tid, error);
        if (fd < 0)
                return fd;
        r = read_scheduler(tid, &seen_policy, &seen_priority, &flags);
        if (r < 0)
                return call_error(process, tid, "the scheduler", r, error);
        if (sched_setscheduler(tid, policies[policy].number | flags,
                               &(struct sched_param) { .sched_priority = priority }) < 0)
                return scheduler_error(process, tid, policy, priority, -errno, error);

        r = read_scheduler(tid, &seen_policy, &seen_priority, &flags);
        if (r < 0)
                return call_error(process, tid, "the scheduler", r, error);
        r = thread_check(process, tid, fd, error);
        if (r < 0)
                return r;
        if (seen_policy != policy || seen_priority != priority)
                return error_set(error, ERROR_BACKEND_FAILED,
                                 "Thread %d of process %d was set to “%s” with priority %d, and has “%s” with %d.",
                                 (int) tid, (int) process->pid, scheduler_policy_to_string(policy), priority,
                                 scheduler_policy_to_string(seen_policy), seen_priority);

        return 0;
}

static int read_stat(const Process *process, pid_t tid, int fd, ThreadStat *ret, Error *error) {
        ThreadStat stat = { .wait_usec = WAIT_USEC_UNKNOWN };
        uint64_t ticks;
        char text[4096];
        ProcStat parsed;
        ssize_t n;
        int r;

        n = sysfs_read(fd, "stat", text, sizeof text);
        r = n < 0 ? (int) n : proc_stat_parse(text, &parsed);
        if (r < 0)
                return call_error(process, tid, "the state", r, error);

        if (__builtin_add_overflow(parsed.user_ticks, parsed.system_ticks, &ticks) ||
            ticks_to_usec(ticks, (uint64_t) sysconf(_SC_CLK_TCK), &stat.cpu_time_usec) < 0)
                return call_error(process, tid, "the CPU time", -ERANGE, error);
        stat.last_cpu = parsed.last_cpu;
        stat.state = parsed.state;
        memcpy(stat.comm, parsed.comm, sizeof stat.comm);
        text_make_printable(stat.comm);

        /* Read from the thread's own folder: missing is the file, or the thread. */
        n = sysfs_read(fd, "schedstat", text, sizeof text);
        if (n >= 0)
                (void) schedstat_parse(text, &stat.wait_usec);
        else {
                r = thread_check(process, tid, fd, error);
                if (r < 0)
                        return r;
        }

        *ret = stat;
        return 0;
}

int thread_read_stat(const Process *process, pid_t tid, ThreadStat *ret, Error *error) {
        _cleanup_close_ int fd = -1;

        fd = process_open_thread(process, tid, error);
        if (fd < 0)
                return fd;
        return read_stat(process, tid, fd, ret, error);
}

void thread_facts_clear(ThreadFacts *facts) {
        cpuset_clear(&facts->affinity);
        *facts = (ThreadFacts) {};
}

int thread_read_facts(const Process *process, pid_t tid, unsigned wanted, ThreadFacts *ret, Error *error) {
        _cleanup_(thread_facts_clear) ThreadFacts facts = {};
        _cleanup_close_ int fd = -1;
        int flags, r;

        fd = process_open_thread(process, tid, error);
        if (fd < 0)
                return fd;
        if ((wanted & THREAD_FACT_AFFINITY) && affinity_read(read_from_kernel, tid, &facts.affinity) >= 0)
                facts.known |= THREAD_FACT_AFFINITY;
        if ((wanted & THREAD_FACT_SCHEDULER) && read_scheduler(tid, &facts.policy, &facts.priority, &flags) >= 0)
                facts.known |= THREAD_FACT_SCHEDULER;
        /* After the calls that have only the number: a look at the folder as well. */
        if ((wanted & THREAD_FACT_STAT) && read_stat(process, tid, fd, &facts.stat, NULL) >= 0)
                facts.known |= THREAD_FACT_STAT;
        else {
                r = thread_check(process, tid, fd, error);
                if (r < 0)
                        return r;
        }

        *ret = TAKE(facts);
        return 0;
}
