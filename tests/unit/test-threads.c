/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Affinity, scheduler and times of threads: of this program's own, of a child's, and
 * of a child's in a PID namespace. What was set is looked at with the C library. */

#include <errno.h>
#include <glib.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "child.h"
#include "guest/threads.h"

/* As wide as a set can be: no machine has that many. */
#define BEYOND 65535u

static Process *open_process(pid_t pid) {
        Process *process = NULL;

        g_assert_cmpint(process_open(pid, &process, NULL), ==, 0);
        return process;
}

static CpuSet set_of(const char *list) {
        CpuSet set = {};

        g_assert_cmpint(cpuset_parse_list(list, &set), ==, 0);
        return set;
}

/* The CPUs that this program may use; on a small machine the first is the last. */
static void own_cpus(CpuSet *ret, uint32_t *ret_first, uint32_t *ret_last) {
        _cleanup_(process_freep) Process *process = open_process(getpid());

        g_assert_cmpint(thread_get_affinity(process, getpid(), ret, NULL), ==, 0);
        g_assert_false(cpuset_is_empty(ret));
        *ret_first = ret->ranges[0].first;
        *ret_last = ret->ranges[ret->n_ranges - 1].last;
}

/* What the C library says of a thread. */
static char *affinity_of(pid_t tid) {
        size_t size = CPU_ALLOC_SIZE(BEYOND + 1);
        cpu_set_t *mask = CPU_ALLOC(BEYOND + 1);
        CpuSet set = {};
        char *list;

        g_assert_no_errno(sched_getaffinity(tid, size, mask));
        for (uint32_t cpu = 0; cpu <= BEYOND; cpu++)
                if (CPU_ISSET_S(cpu, size, mask))
                        g_assert_cmpint(cpuset_add(&set, cpu), ==, 0);
        CPU_FREE(mask);
        list = cpuset_to_list(&set);
        cpuset_clear(&set);
        return list;
}

static void assert_affinity(pid_t tid, const char *wanted) {
        g_autofree char *list = affinity_of(tid);

        g_assert_cmpstr(list, ==, wanted);
}

static void a_set_is_a_mask_of_any_width(void) {
        static const struct { const char *list; size_t n_bits; } rows[] = {
                { "", 64 }, { "0", 64 }, { "63", 64 }, { "64", 128 }, { "0-63", 64 }, { "0-127", 128 },
                { "31-32,63-64", 128 }, { "1023", 1024 }, { "1024", 1088 }, { "0,1023-1024,4095", 4096 },
                { "8191", 8192 }, { "0,2,4,8190", 8192 }, { "65535", 65536 }, { "0-65535", 65536 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_cpuset_ CpuSet set = set_of(rows[i].list), again = {};
                _cleanup_free_ unsigned long *words = NULL;
                size_t size = 0;

                g_test_message("row %zu", i);
                g_assert_cmpint(cpuset_to_words(&set, &words, &size), ==, 0);
                if (sizeof(long) == 8)
                        g_assert_cmpuint(size, ==, rows[i].n_bits / 8);
                g_assert_cmpuint(size % sizeof *words, ==, 0);
                /* As the C library counts bits. */
                CPUSET_FOREACH(cpu, &set)
                        g_assert_true(CPU_ISSET_S(cpu, size, (const cpu_set_t *) words));
                g_assert_cmpuint((unsigned) CPU_COUNT_S(size, (const cpu_set_t *) words), ==, cpuset_count(&set));

                g_assert_cmpint(cpuset_from_words(words, size / sizeof *words, &again), ==, 0);
                g_assert_true(cpuset_equal(&set, &again));
        }
}

static void a_mask_with_more_than_there_can_be_is_refused(void) {
        _cleanup_free_ unsigned long *words = calloc(CPUSET_LIMIT / 8 + sizeof *words, 1);
        size_t n = CPUSET_LIMIT / 8 / sizeof *words + 1;
        CpuSet set = {};

        g_assert_cmpint(cpuset_from_words(words, n, &set), ==, 0);
        g_assert_true(cpuset_is_empty(&set));
        words[n - 1] = 1;
        g_assert_cmpint(cpuset_from_words(words, n, &set), ==, -ERANGE);
        g_assert_true(cpuset_is_empty(&set));
}

/* A kernel with masks of "needed" bytes, of which it fills the first and last bit. */
static size_t needed;
static unsigned n_asked;

static ssize_t made_kernel(pid_t tid, size_t size, unsigned long *words) {
        n_asked++;
        g_assert_cmpuint(size % sizeof *words, ==, 0);
        for (size_t i = 0; i < size / sizeof *words; i++)
                g_assert_cmpuint(words[i], ==, 0);
        if (size < needed)
                return -EINVAL;
        words[0] = 1;
        words[needed / sizeof *words - 1] |= 1ul << (8 * sizeof *words - 1);
        return (ssize_t) needed;
}

static ssize_t broken_kernel(pid_t tid, size_t size, unsigned long *words) {
        n_asked++;
        return tid == 1 ? -ESRCH : (ssize_t) size + 8;
}

static void a_mask_grows_until_the_kernel_takes_it(void) {
        static const struct { size_t needed; const char *list; unsigned n_asked; } rows[] = {
                { 8, "0,63", 1 },
                { 128, "0,1023", 1 },
                { 136, "0,1087", 2 },
                { 256, "0,2047", 2 },
                { 1024, "0,8191", 4 },
                { 8192, "0,65535", 7 },
        };
        CpuSet untouched = { .n_ranges = 77 };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_cpuset_ CpuSet set = {};
                _cleanup_free_ char *list = NULL;

                g_test_message("row %zu", i);
                needed = rows[i].needed;
                n_asked = 0;
                g_assert_cmpint(affinity_read(made_kernel, 0, &set), ==, 0);
                list = cpuset_to_list(&set);
                g_assert_cmpstr(list, ==, rows[i].list);
                g_assert_cmpuint(n_asked, ==, rows[i].n_asked);
        }

        /* There is an end to it, and other errors are one. */
        needed = 8200;
        g_assert_cmpint(affinity_read(made_kernel, 0, &untouched), ==, -EINVAL);
        n_asked = 0;
        g_assert_cmpint(affinity_read(broken_kernel, 1, &untouched), ==, -ESRCH);
        g_assert_cmpint(affinity_read(broken_kernel, 2, &untouched), ==, -EIO);
        g_assert_cmpuint(n_asked, ==, 2);
        g_assert_cmpuint(untouched.n_ranges, ==, 77);
}

static void a_schedstat_is_read_and_garbage_is_refused(void) {
        static const struct { const char *text; int result; uint64_t wait_usec; } rows[] = {
                { "1 2000 3\n", 0, 2 },
                { "1 2999 3", 0, 2 },
                { "0 0 0\n", 0, 0 },
                { "18446744073709551615 18446744073709551615 18446744073709551615\n", 0, UINT64_C(18446744073709551) },
                { "", -EINVAL, 0 },
                { "\n", -EINVAL, 0 },
                { "1", -EINVAL, 0 },
                { "1 2", -EINVAL, 0 },
                { "1 2 ", -EINVAL, 0 },
                { "1 2 3 4\n", -EINVAL, 0 },
                { "1 2 3x", -EINVAL, 0 },
                { "1 2 3\n\n", -EINVAL, 0 },
                { " 1 2 3", -EINVAL, 0 },
                { "1  2 3", -EINVAL, 0 },
                { "1\t2 3", -EINVAL, 0 },
                { "1 -2 3", -EINVAL, 0 },
                { "1 +2 3", -EINVAL, 0 },
                { "1 0x2 3", -EINVAL, 0 },
                { "1 2.0 3", -EINVAL, 0 },
                { "\xff", -EINVAL, 0 },
                { "1 18446744073709551616 3", -ERANGE, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t usec = 77;

                g_test_message("row %zu", i);
                g_assert_cmpint(schedstat_parse(rows[i].text, &usec), ==, rows[i].result);
                g_assert_cmpuint(usec, ==, rows[i].result < 0 ? 77 : rows[i].wait_usec);
        }
}

static void ticks_become_microseconds(void) {
        static const struct { uint64_t ticks, per_second; int result; uint64_t usec; } rows[] = {
                { 0, 100, 0, 0 },
                { 1, 100, 0, 10000 },
                { 250, 100, 0, 2500000 },
                { 1, 1024, 0, 976 },
                { 1025, 1024, 0, 1000976 },
                { UINT64_C(1844674407370955), 100, 0, UINT64_C(18446744073709550000) },
                { UINT64_C(1844674407370956), 100, -ERANGE, 0 },
                { UINT64_MAX, 100, -ERANGE, 0 },
                { UINT64_MAX, 1000000, 0, UINT64_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t usec = 77;

                g_test_message("row %zu", i);
                g_assert_cmpint(ticks_to_usec(rows[i].ticks, rows[i].per_second, &usec), ==, rows[i].result);
                g_assert_cmpuint(usec, ==, rows[i].result < 0 ? 77 : rows[i].usec);
        }
}

static void pin_refuses_what_is_not_there(void) {
        static const struct { const char *cpus, *online, *present; ErrorCode code; const char *part; } rows[] = {
                { "0", "0", "0", ERROR_NONE, NULL },
                { "0-1,3", "0-3", "0-7", ERROR_NONE, NULL },
                { "8000", "0-8191", "0-8191", ERROR_NONE, NULL },
                { "", "0-3", "0-7", ERROR_INVALID_ARGS, "empty" },
                { "", "", "", ERROR_INVALID_ARGS, "empty" },
                { "8", "0-3", "0-7", ERROR_NO_SUCH_CPU, "Not present: CPU 8. This host has 0-7." },
                { "0,2,7-9", "0-3", "0-7", ERROR_NO_SUCH_CPU, "Not present: CPU 8-9." },
                { "0-7", "0-3", "0-7", ERROR_NO_SUCH_CPU, "Not online: CPU 4-7. This host has 0-3." },
                { "2", "0-1,3", "0-7", ERROR_NO_SUCH_CPU, "Not online: CPU 2. This host has 0-1,3." },
                { "0", "", "", ERROR_NO_SUCH_CPU, "has none" },
                { "65535", "0-3", "0-7", ERROR_NO_SUCH_CPU, "65535" },
        };
        g_autoptr(Child) child = child_new(1);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        g_autofree char *before = affinity_of(child->pid);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_cpuset_ CpuSet cpus = set_of(rows[i].cpus), online = set_of(rows[i].online),
                        present = set_of(rows[i].present), effective = {};
                _cleanup_error_ Error error = {}, again = {};
                int r;

                g_test_message("row %zu", i);
                r = affinity_check(&cpus, &online, &present, &error);
                g_assert_cmpint(error.code, ==, rows[i].code);
                if (rows[i].code == ERROR_NONE) {
                        g_assert_cmpint(r, ==, 0);
                        continue;
                }
                g_assert_cmpint(r, <, 0);
                g_assert_nonnull(strstr(error.message, rows[i].part));

                g_assert_cmpint(thread_set_affinity(process, child->pid, &cpus, &online, &present, &effective, &again), ==, r);
                g_assert_cmpstr(again.message, ==, error.message);
                g_assert_true(cpuset_is_empty(&effective));
        }
        assert_affinity(child->pid, before);
}

static void pin_and_see(const Process *process, pid_t tid) {
        _cleanup_cpuset_ CpuSet all = {};
        g_autofree char *all_list = NULL;
        uint32_t cpus[2];

        own_cpus(&all, &cpus[0], &cpus[1]);
        for (size_t i = 0; i < ELEMENTSOF(cpus); i++) {
                g_autofree char *list = g_strdup_printf("%u", cpus[i]);
                _cleanup_cpuset_ CpuSet one = set_of(list), effective = {}, seen = {};

                g_assert_cmpint(thread_set_affinity(process, tid, &one, &all, &all, &effective, NULL), ==, 0);
                g_assert_true(cpuset_equal(&effective, &one));
                assert_affinity(tid, list);
                g_assert_cmpint(thread_get_affinity(process, tid, &seen, NULL), ==, 0);
                g_assert_true(cpuset_equal(&seen, &one));
        }

        {
                _cleanup_cpuset_ CpuSet effective = {};

                g_assert_cmpint(thread_set_affinity(process, tid, &all, &all, &all, &effective, NULL), ==, 0);
                all_list = cpuset_to_list(&all);
                assert_affinity(tid, all_list);
        }
}

static void own_threads_are_pinned(void) {
        _cleanup_(process_freep) Process *process = open_process(getpid());

        pin_and_see(process, gettid());
}

static void threads_of_a_child_are_pinned_one_by_one(void) {
        g_autoptr(Child) child = child_new(3);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        g_autofree char *before = affinity_of(child->tids[0]);

        pin_and_see(process, child->tids[1]);
        pin_and_see(process, child->tids[2]);
        assert_affinity(child->tids[0], before);
}

/* By the numbers of the monitor in there, which are others' here. */
static void threads_in_a_namespace_are_pinned(void) {
        g_autoptr(Child) child = child_new_in_namespace(3);
        _cleanup_(process_freep) Process *process = NULL;

        if (!child) {
                g_test_skip("no PID namespaces here");
                return;
        }
        process = open_process(child->pid);
        for (unsigned i = 0; i < child->n_tids; i++) {
                SchedulerPolicy policy;
                ThreadStat stat;
                int priority;
                pid_t tid;

                g_assert_cmpint(process_find_thread(process, child->tids[i], &tid, NULL), ==, 0);
                pin_and_see(process, tid);
                g_assert_cmpint(thread_set_scheduler(process, tid, SCHEDULER_BATCH, 0, NULL), ==, 0);
                g_assert_cmpint(sched_getscheduler(tid), ==, SCHED_BATCH);
                g_assert_cmpint(thread_get_scheduler(process, tid, &policy, &priority, NULL), ==, 0);
                g_assert_cmpint(policy, ==, SCHEDULER_BATCH);
                g_assert_cmpint(thread_read_stat(process, tid, &stat, NULL), ==, 0);
        }
}

/* The sets are those of a captured host with more CPUs than there are here. */
static void what_the_kernel_leaves_out_is_told(void) {
        g_autoptr(Child) child = child_new(2);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        _cleanup_cpuset_ CpuSet all = {}, wide = {}, there = set_of("0-65535"), effective = {}, beyond = set_of("65535"), none = {};
        _cleanup_error_ Error error = {};
        g_autofree char *list = NULL;
        uint32_t first, last;

        own_cpus(&all, &first, &last);
        g_assert_cmpint(cpuset_add(&wide, first), ==, 0);
        g_assert_cmpint(cpuset_add(&wide, BEYOND), ==, 0);
        list = g_strdup_printf("%u", first);

        g_assert_cmpint(thread_set_affinity(process, child->tids[1], &wide, &there, &there, &effective, &error), ==, 1);
        g_assert_cmpint(error.code, ==, ERROR_NONE);
        g_assert_cmpuint(cpuset_count(&effective), ==, 1);
        g_assert_true(cpuset_contains(&effective, first));
        assert_affinity(child->tids[1], list);

        /* Nothing is left: a refusal, and it stays where it is. */
        g_assert_cmpint(thread_set_affinity(process, child->tids[1], &beyond, &there, &there, &none, &error), <, 0);
        g_test_message("%s", error.message);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
        g_assert_nonnull(strstr(error.message, "65535"));
        g_assert_true(cpuset_is_empty(&none));
        assert_affinity(child->tids[1], list);
}

#define ALL_FACTS (THREAD_FACT_AFFINITY | THREAD_FACT_SCHEDULER | THREAD_FACT_STAT)

/* Each thread has others, so that none is told for another. */
static void facts_are_those_of_one_thread_and_those_asked_for(void) {
        g_autoptr(Child) child = child_new(2);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        _cleanup_cpuset_ CpuSet all = {}, one = {}, effective = {};
        uint32_t first, last;

        own_cpus(&all, &first, &last);
        g_assert_cmpint(cpuset_add(&one, last), ==, 0);
        g_assert_cmpint(thread_set_affinity(process, child->tids[1], &one, &all, &all, &effective, NULL), ==, 0);
        g_assert_cmpint(thread_set_scheduler(process, child->tids[1], SCHEDULER_BATCH, 0, NULL), ==, 0);

        for (unsigned wanted = 0; wanted <= ALL_FACTS; wanted++)
                for (unsigned i = 0; i < 2; i++) {
                        _cleanup_(thread_facts_clear) ThreadFacts facts = {};

                        g_assert_cmpint(thread_read_facts(process, child->tids[i], wanted, &facts, NULL), ==, 0);
                        g_assert_cmpuint(facts.known, ==, wanted);
                        g_assert_true(!(wanted & THREAD_FACT_AFFINITY) ? cpuset_is_empty(&facts.affinity) : cpuset_equal(&facts.affinity, i == 1 ? &one : &all));
                        if (wanted & THREAD_FACT_SCHEDULER)
                                g_assert_cmpint(facts.policy, ==, i == 1 ? SCHEDULER_BATCH : SCHEDULER_OTHER);
                        if (wanted & THREAD_FACT_STAT)
                                g_assert_true(strchr("RSD", facts.stat.state));
                        /* One that sleeps is where it was until it runs again. */
                        if (wanted & THREAD_FACT_STAT)
                                g_assert_true(cpuset_contains(&all, facts.stat.last_cpu));
                }
}

static void expect_refusal(const Process *process, pid_t tid, ErrorCode code) {
        _cleanup_cpuset_ CpuSet all = {}, effective = {}, one = {}, seen = {};
        ThreadFacts facts = {};
        Error errors[7] = {};
        SchedulerPolicy policy;
        uint32_t first, last;
        ThreadStat stat;
        int priority;

        own_cpus(&all, &first, &last);
        g_assert_cmpint(cpuset_add(&one, last), ==, 0);
        g_assert_cmpint(thread_set_affinity(process, tid, &one, &all, &all, &effective, &errors[0]), <, 0);
        g_assert_cmpint(thread_get_affinity(process, tid, &seen, &errors[1]), <, 0);
        g_assert_cmpint(thread_set_scheduler(process, tid, SCHEDULER_IDLE, 0, &errors[2]), <, 0);
        g_assert_cmpint(thread_get_scheduler(process, tid, &policy, &priority, &errors[3]), <, 0);
        g_assert_cmpint(thread_read_stat(process, tid, &stat, &errors[4]), <, 0);
        g_assert_cmpint(thread_read_facts(process, tid, ALL_FACTS, &facts, &errors[5]), <, 0);
        g_assert_cmpint(thread_read_facts(process, tid, 0, &facts, &errors[6]), <, 0);
        g_assert_cmpuint(facts.known, ==, 0);
        g_assert_true(cpuset_is_empty(&effective) && cpuset_is_empty(&seen));
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                g_test_message("%s", errors[i].message);
                g_assert_cmpint(errors[i].code, ==, code);
                error_clear(errors + i);
        }
}

static void a_thread_of_another_is_not_touched(void) {
        g_autoptr(Child) child = child_new(1), other = child_new(2);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        g_autofree char *before = affinity_of(other->tids[1]);

        expect_refusal(process, other->tids[1], ERROR_BACKEND_FAILED);
        expect_refusal(process, other->pid, ERROR_BACKEND_FAILED);
        assert_affinity(other->tids[1], before);
        g_assert_cmpint(sched_getscheduler(other->tids[1]), ==, SCHED_OTHER);

        /* 0 would be ourselves, for the system calls. */
        expect_refusal(process, 0, ERROR_NOT_RUNNING);
        expect_refusal(process, -1, ERROR_NOT_RUNNING);
        expect_refusal(process, INT_MAX, ERROR_NOT_RUNNING);
        g_assert_cmpint(sched_getscheduler(0), ==, SCHED_OTHER);
}

static void what_has_ended_is_not_touched(void) {
        g_autoptr(Child) child = child_new(3);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        _cleanup_close_ int pidfd = -1;
        pid_t tid;

        g_assert_cmpint(process_find_thread(process, child->tids[1], &tid, NULL), ==, 0);
        child_exec(child);
        expect_refusal(process, tid, ERROR_NOT_RUNNING);

        child_end(child);
        expect_refusal(process, tid, ERROR_NOT_RUNNING);
        expect_refusal(process, child->pid, ERROR_NOT_RUNNING);
        pidfd = TAKE_FD(process->pidfd);
        expect_refusal(process, child->pid, ERROR_NOT_RUNNING);
}

static void schedulers_have_words(void) {
        static const char *const garbage[] = { "", "Other", "other ", "SCHED_FIFO", "fif", "fifo1", "deadline", "ext", "unknown", "0", "\xff" };
        static const char *const words[] = { "other", "batch", "idle", "fifo", "rr" };
        SchedulerPolicy policy = SCHEDULER_UNKNOWN;

        for (size_t i = 0; i < ELEMENTSOF(garbage); i++) {
                g_assert_cmpint(scheduler_policy_from_string(garbage[i], &policy), ==, -EINVAL);
                g_assert_cmpint(policy, ==, SCHEDULER_UNKNOWN);
        }
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                g_assert_cmpint(scheduler_policy_from_string(words[i], &policy), ==, 0);
                g_assert_cmpstr(scheduler_policy_to_string(policy), ==, words[i]);
        }
        g_assert_cmpstr(scheduler_policy_to_string(SCHEDULER_DEADLINE), ==, "deadline");
        g_assert_cmpstr(scheduler_policy_to_string(SCHEDULER_EXT), ==, "ext");
        g_assert_cmpstr(scheduler_policy_to_string(SCHEDULER_UNKNOWN), ==, "unknown");
}

static void a_priority_has_limits(void) {
        static const struct { SchedulerPolicy policy; int priority; ErrorCode code; const char *part; } rows[] = {
                { SCHEDULER_OTHER, 0, ERROR_NONE, NULL },
                { SCHEDULER_BATCH, 0, ERROR_NONE, NULL },
                { SCHEDULER_IDLE, 0, ERROR_NONE, NULL },
                { SCHEDULER_FIFO, 1, ERROR_NONE, NULL },
                { SCHEDULER_FIFO, 99, ERROR_NONE, NULL },
                { SCHEDULER_RR, 1, ERROR_NONE, NULL },
                { SCHEDULER_RR, 99, ERROR_NONE, NULL },
                { SCHEDULER_OTHER, 1, ERROR_INVALID_ARGS, "“other” has only 0" },
                { SCHEDULER_BATCH, -1, ERROR_INVALID_ARGS, "“batch” has only 0" },
                { SCHEDULER_IDLE, 99, ERROR_INVALID_ARGS, "“idle” has only 0" },
                { SCHEDULER_FIFO, 0, ERROR_INVALID_ARGS, "“fifo” has 1 to 99" },
                { SCHEDULER_FIFO, 100, ERROR_INVALID_ARGS, "“fifo” has 1 to 99" },
                { SCHEDULER_RR, -1, ERROR_INVALID_ARGS, "“rr” has 1 to 99" },
                { SCHEDULER_RR, INT_MAX, ERROR_INVALID_ARGS, "2147483647" },
                { SCHEDULER_RR, INT_MIN, ERROR_INVALID_ARGS, "-2147483648" },
                { SCHEDULER_DEADLINE, 0, ERROR_NOT_SUPPORTED, "“deadline” cannot be set" },
                { SCHEDULER_EXT, 0, ERROR_NOT_SUPPORTED, "“ext” cannot be set" },
                { SCHEDULER_UNKNOWN, 0, ERROR_NOT_SUPPORTED, "“unknown” cannot be set" },
        };
        _cleanup_(process_freep) Process *process = open_process(getpid());

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_error_ Error error = {}, again = {};

                g_test_message("row %zu", i);
                (void) scheduler_check(rows[i].policy, rows[i].priority, &error);
                g_assert_cmpint(error.code, ==, rows[i].code);
                if (rows[i].code == ERROR_NONE)
                        continue;
                g_assert_nonnull(strstr(error.message, rows[i].part));
                g_assert_cmpint(thread_set_scheduler(process, gettid(), rows[i].policy, rows[i].priority, &again), <, 0);
                g_assert_cmpstr(again.message, ==, error.message);
        }
        g_assert_cmpint(sched_getscheduler(0), ==, SCHED_OTHER);
}

static void schedulers_are_set_and_read_back(void) {
        static const struct { SchedulerPolicy policy; int priority, number; } rows[] = {
                { SCHEDULER_FIFO, 1, SCHED_FIFO },
                { SCHEDULER_FIFO, 2, SCHED_FIFO },
                { SCHEDULER_RR, 3, SCHED_RR },
                { SCHEDULER_OTHER, 0, SCHED_OTHER },
                { SCHEDULER_BATCH, 0, SCHED_BATCH },
                { SCHEDULER_OTHER, 0, SCHED_OTHER },
                { SCHEDULER_IDLE, 0, SCHED_IDLE },
        };
        g_autoptr(Child) child = child_new(2), probe = child_new(1);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        /* Root may in general, and in some containers not. */
        gboolean may = sched_setscheduler(probe->pid, SCHED_FIFO, &(struct sched_param) { .sched_priority = 3 }) == 0;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                gboolean real_time = rows[i].policy == SCHEDULER_FIFO || rows[i].policy == SCHEDULER_RR;
                _cleanup_error_ Error error = {};
                SchedulerPolicy policy;
                struct sched_param param;
                int priority, r;

                g_test_message("row %zu", i);
                r = thread_set_scheduler(process, child->tids[1], rows[i].policy, rows[i].priority, &error);
                if (real_time && !may) {
                        g_assert_cmpint(error.code, ==, ERROR_ACCESS_DENIED);
                        continue;
                }
                g_assert_cmpint(r, ==, 0);
                g_assert_cmpint(sched_getscheduler(child->tids[1]), ==, rows[i].number);
                g_assert_no_errno(sched_getparam(child->tids[1], &param));
                g_assert_cmpint(param.sched_priority, ==, rows[i].priority);
                g_assert_cmpint(thread_get_scheduler(process, child->tids[1], &policy, &priority, NULL), ==, 0);
                g_assert_cmpint(policy, ==, rows[i].policy);
                g_assert_cmpint(priority, ==, rows[i].priority);
                /* It is this thread alone. */
                g_assert_cmpint(sched_getscheduler(child->tids[0]), ==, SCHED_OTHER);
        }
}

static void what_a_child_would_inherit_is_kept(void) {
        g_autoptr(Child) child = child_new(2);
        _cleanup_(process_freep) Process *process = open_process(child->pid);
        SchedulerPolicy policy;
        int priority;

        g_assert_no_errno(sched_setscheduler(child->tids[1], SCHED_OTHER | SCHED_RESET_ON_FORK, &(struct sched_param) {}));
        g_assert_cmpint(thread_get_scheduler(process, child->tids[1], &policy, &priority, NULL), ==, 0);
        g_assert_cmpint(policy, ==, SCHEDULER_OTHER);
        g_assert_cmpint(thread_set_scheduler(process, child->tids[1], SCHEDULER_BATCH, 0, NULL), ==, 0);
        g_assert_cmpint(sched_getscheduler(child->tids[1]), ==, SCHED_BATCH | SCHED_RESET_ON_FORK);
}

static gboolean says(const Error *error, const char *part) {
        return error->code == ERROR_ACCESS_DENIED && strstr(error->message, part);
}

/* As somebody who may nothing: 0 if all was refused as it should be. */
static int try_without_rights(pid_t other) {
        _cleanup_error_ Error real_time = {}, scheduler = {}, affinity = {};
        _cleanup_cpuset_ CpuSet all = {}, effective = {};
        uint32_t first, last;

        if (setrlimit(RLIMIT_RTPRIO, &(struct rlimit) {}) < 0)
                return 1;
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
                return 2;

        {
                _cleanup_(process_freep) Process *process = open_process(getpid());

                own_cpus(&all, &first, &last);
                (void) thread_set_scheduler(process, getpid(), SCHEDULER_FIFO, 50, &real_time);
                if (!says(&real_time, "CAP_SYS_NICE") || !says(&real_time, "RLIMIT_RTPRIO as high, which is 0"))
                        return 3;
        }
        if (other > 0) {
                _cleanup_(process_freep) Process *process = open_process(other);

                (void) thread_set_scheduler(process, other, SCHEDULER_IDLE, 0, &scheduler);
                if (!says(&scheduler, "CAP_SYS_NICE"))
                        return 4;
                (void) thread_set_affinity(process, other, &all, &all, &all, &effective, &affinity);
                if (!says(&affinity, "CAP_SYS_NICE"))
                        return 5;
        }

        return 0;
}

static void who_may_not_is_told_what_is_missing(void) {
        static Child *root;     /* not lost in the process that forks off */
        int status;
        pid_t pid;

        root = geteuid() == 0 ? child_new(1) : NULL;
        pid = fork();
        g_assert_no_errno(pid);
        if (pid == 0)
                _exit(try_without_rights(root ? root->pid : 0));
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
        root = child_free(root);
}

static void times_and_the_last_cpu_are_read(void) {
        _cleanup_(process_freep) Process *process = open_process(getpid());
        _cleanup_cpuset_ CpuSet all = {}, one = {}, effective = {};
        ThreadStat before, after;
        char name[16];
        uint32_t first, last;

        /* On one CPU, it is that one. */
        own_cpus(&all, &first, &last);
        g_assert_cmpint(cpuset_add(&one, last), ==, 0);
        g_assert_cmpint(thread_set_affinity(process, gettid(), &one, &all, &all, &effective, NULL), ==, 0);

        g_assert_no_errno(prctl(PR_GET_NAME, name));
        g_assert_no_errno(prctl(PR_SET_NAME, "x) R (\n1 2"));
        g_assert_cmpint(thread_read_stat(process, gettid(), &before, NULL), ==, 0);
        g_assert_no_errno(prctl(PR_SET_NAME, name));
        g_assert_cmpstr(before.comm, ==, "x) R (?1 2");
        g_assert_cmpint(before.state, ==, 'R');
        g_assert_cmpuint(before.last_cpu, ==, last);

        /* Our own CPU time goes on while we look. */
        do
                g_assert_cmpint(thread_read_stat(process, gettid(), &after, NULL), ==, 0);
        while (after.cpu_time_usec <= before.cpu_time_usec);
        g_assert_cmpuint(after.wait_usec, >=, before.wait_usec);
        g_assert_cmpuint(after.last_cpu, ==, last);

        cpuset_clear(&effective);
        g_assert_cmpint(thread_set_affinity(process, gettid(), &all, &all, &all, &effective, NULL), ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/threads/a-set-is-a-mask-of-any-width", a_set_is_a_mask_of_any_width);
        g_test_add_func("/threads/a-mask-with-more-than-there-can-be-is-refused", a_mask_with_more_than_there_can_be_is_refused);
        g_test_add_func("/threads/a-mask-grows-until-the-kernel-takes-it", a_mask_grows_until_the_kernel_takes_it);
        g_test_add_func("/threads/a-schedstat-is-read-and-garbage-is-refused", a_schedstat_is_read_and_garbage_is_refused);
        g_test_add_func("/threads/ticks-become-microseconds", ticks_become_microseconds);
        g_test_add_func("/threads/pin-refuses-what-is-not-there", pin_refuses_what_is_not_there);
        g_test_add_func("/threads/own-threads-are-pinned", own_threads_are_pinned);
        g_test_add_func("/threads/threads-of-a-child-are-pinned-one-by-one", threads_of_a_child_are_pinned_one_by_one);
        g_test_add_func("/threads/threads-in-a-namespace-are-pinned", threads_in_a_namespace_are_pinned);
        g_test_add_func("/threads/what-the-kernel-leaves-out-is-told", what_the_kernel_leaves_out_is_told);
        g_test_add_func("/threads/facts-are-those-of-one-thread-and-those-asked-for", facts_are_those_of_one_thread_and_those_asked_for);
        g_test_add_func("/threads/a-thread-of-another-is-not-touched", a_thread_of_another_is_not_touched);
        g_test_add_func("/threads/what-has-ended-is-not-touched", what_has_ended_is_not_touched);
        g_test_add_func("/threads/schedulers-have-words", schedulers_have_words);
        g_test_add_func("/threads/a-priority-has-limits", a_priority_has_limits);
        g_test_add_func("/threads/schedulers-are-set-and-read-back", schedulers_are_set_and_read_back);
        g_test_add_func("/threads/what-a-child-would-inherit-is-kept", what_a_child_would_inherit_is_kept);
        g_test_add_func("/threads/who-may-not-is-told-what-is-missing", who_may_not_is_told_what_is_missing);
        g_test_add_func("/threads/times-and-the-last-cpu-are-read", times_and_the_last_cpu_are_read);
        return g_test_run();
}
