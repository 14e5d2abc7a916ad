/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is asked of a guest's threads is put on them here, and they are told apart: which
 * is which is the monitor's word; that it is one of the guest's own process is the
 * kernel's (process.c, threads.c). */

#include "guest/tune-threads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

/* Threads come while others are being sent away; those that came after the last look
 * have it from who made them. */
#define LOOKS_MAX 5u

void threads_before_clear(ThreadsBefore *before) {
        for (size_t i = 0; i < before->n_items; i++)
                cpuset_clear(&before->items[i].cpus);
        free(before->items);
        *before = (ThreadsBefore) {};
}

static int before_reserve(ThreadsBefore *before) {
        size_t n = before->n_allocated > 0 ? before->n_allocated * 2 : 8;
        ThreadBefore *items;

        if (before->n_items < before->n_allocated)
                return 0;
        items = reallocarray(before->items, n, sizeof *items);
        if (!items)
                return -ENOMEM;
        before->items = items;
        before->n_allocated = n;
        return 0;
}

void putting_clear(Putting *putting) {
        process_threads_clear(&putting->threads);
}

static int no_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "No memory for what is asked of the guest's threads.");
}

int tune_check_threads(const Domain *domain, bool vcpus, Error *error) {
        if (!domain->process && domain->pid > 0)
                return error_set(error, ERROR_NOT_SUPPORTED, "The process of %s, %d, cannot be looked at: "
                                 "its threads are not known to be its own, and none is touched.", domain->name, (int) domain->pid);
        if (!domain->process)
                return error_set(error, ERROR_NOT_SUPPORTED, "The process of %s is not known: "
                                 "its threads are not known to be its own, and none is touched.", domain->name);
        if (vcpus && domain->vcpus && domain->vcpus->one_thread)
                return error_set(error, ERROR_NOT_SUPPORTED, "All vCPUs of %s are one thread (QEMU's -accel tcg,thread=single): "
                                 "pinning one would pin all.", domain->name);
        return 0;
}

void tune_learn_base(Domain *domain) {
        _cleanup_cpuset_ CpuSet set = {}, missing = {};

        if (!cpuset_is_empty(&domain->base_cpus))
                return;
        if (thread_get_affinity(domain->process, domain->process->pid, &set, NULL) < 0 ||
            cpuset_and_not(guests_online_cpus(domain->guests), &set, &missing) < 0)
                return;
        /* On all that there are: then also on those that come. */
        if (cpuset_is_empty(&missing))
                return;
        domain->base_cpus = TAKE(set);
}

/* All that there can be; the kernel takes out what it has not. */
static int set_anywhere(const Process *process, pid_t tid, CpuSet *ret_effective, Error *error) {
        _cleanup_cpuset_ CpuSet all = {};
        int r;

        r = cpuset_add_range(&all, 0, CPUSET_LIMIT - 1);
        if (r < 0)
                return no_memory(error);
        return thread_set_affinity(process, tid, &all, &all, &all, ret_effective, error);
}

static int take_pin_away(Domain *domain, pid_t tid, CpuSet *ret_effective, Error *error) {
        const CpuSet *base = &domain->base_cpus;
        _cleanup_error_ Error refused = {};
        int r;

        if (!cpuset_is_empty(base)) {
                r = thread_set_affinity(domain->process, tid, base, base, base, ret_effective, &refused);
                if (r != -EINVAL) {
                        if (r < 0 && error)
                                *error = TAKE(refused);
                        return r;
                }
        }
        return set_anywhere(domain->process, tid, ret_effective, error);
}

int tune_set_cpus(Domain *domain, pid_t tid, const CpuSet *cpus, CpuSet *ret_effective, Error *error) {
        _cleanup_cpuset_ CpuSet wanted = {};
        _cleanup_error_ Error refused = {};
        int r;

        r = cpuset_and(cpus, guests_online_cpus(domain->guests), &wanted);
        if (r < 0)
                return no_memory(error);
        if (cpuset_is_empty(&wanted))
                return error_set(error, ERROR_NO_SUCH_CPU, "None of these CPUs is online.");
        r = thread_set_affinity(domain->process, tid, &wanted, &wanted, &wanted, ret_effective, &refused);
        if (r == -EINVAL && !guests_host_is_live(domain->guests))
                return thread_get_affinity(domain->process, tid, ret_effective, error);
        if (r < 0 && error)
                *error = TAKE(refused);
        return r;
}

static int put_affinity(Putting *putting, ThreadBefore *had, CpuSet *ret_effective, Error *error) {
        Domain *domain = putting->domain;
        const CpuSet *cpus = tuning_cpus(putting->wanted, had->role, had->id);
        int r;

        r = thread_get_affinity(domain->process, had->tid, &had->cpus, error);
        if (r < 0)
                return r;
        if (cpus)
                return tune_set_cpus(domain, had->tid, cpus, ret_effective, error);
        return take_pin_away(domain, had->tid, ret_effective, error);
}

static int put_scheduler(Putting *putting, ThreadBefore *had, Error *error) {
        const ThreadTuning *item = tuning_find(putting->wanted, had->role, had->id);
        const Process *process = putting->domain->process;
        int r;

        if (!item || !item->scheduled)
                return 0;
        r = thread_get_scheduler(process, had->tid, &had->policy, &had->priority, error);
        if (r < 0)
                return r;
        r = thread_set_scheduler(process, had->tid, item->policy, item->priority, error);
        if (r < 0)
                return r;
        putting->changed |= had->policy != item->policy || had->priority != item->priority;
        return 0;
}

/* "main" is false for the emulator's other threads: where these run is told of none. */
static int put_thread(Putting *putting, ThreadRole role, uint32_t id, pid_t tid, bool pin, bool main, Error *error) {
        ThreadBefore had = { .role = role, .id = id, .tid = tid, .pin = pin };
        _cleanup_cpuset_ CpuSet effective = {};
        int r;

        if (putting->before && before_reserve(putting->before) < 0)
                return no_memory(error);
        r = pin ? put_affinity(putting, &had, &effective, error) : put_scheduler(putting, &had, error);
        if (r >= 0 && pin)
                putting->changed |= !cpuset_equal(&had.cpus, &effective);
        if (r < 0 || !putting->before)
                cpuset_clear(&had.cpus);
        else
                putting->before->items[putting->before->n_items++] = had;
        if (r < 0)
                return r;

        if (pin && main)
                (void) tuned_set_effective(putting->domain, role, id, &effective);
        return 0;
}

int putting_find_thread(Putting *putting, uint32_t thread, pid_t *ret, Error *error) {
        const Process *process = putting->domain->process;
        const ProcessThread *found;
        int r;

        /* In a namespace each search goes through all threads. */
        if (process->namespace_depth > 0 && putting->threads.n_items == 0) {
                r = process_list_threads(process, &putting->threads, error);
                if (r < 0)
                        return r;
        }
        found = process_threads_find(&putting->threads, (pid_t) thread);
        if (found) {
                *ret = found->tid;
                return 0;
        }
        return process_find_thread(process, (pid_t) thread, ret, error);
}

static int put_named(Putting *putting, ThreadRole role, uint32_t id, uint32_t thread, bool pin, Error *error) {
        pid_t tid;
        int r;

        r = putting_find_thread(putting, thread, &tid, error);
        if (r < 0)
                return r;
        return put_thread(putting, role, id, tid, pin, true, error);
}

static int no_such_iothread(const Putting *putting, uint32_t id, Error *error) {
        _cleanup_free_ char *list = NULL;
        char name[sizeof ", 4294967295"];
        size_t length = 0;

        if (putting->n_iothreads == 0)
                return error_set(error, ERROR_INVALID_ARGS, "%s has no iothread %u; it has none.", putting->domain->name, id);
        list = calloc(putting->n_iothreads, sizeof name);
        if (!list)
                return no_memory(error);
        for (size_t i = 0; i < putting->n_iothreads; i++) {
                int n = snprintf(name, sizeof name, "%s%u", i > 0 ? ", " : "", putting->iothreads[i].id);

                memcpy(list + length, name, (size_t) n + 1);
                length += (size_t) n;
        }
        return error_set(error, ERROR_INVALID_ARGS, "%s has no iothread %u; it has %.1000s.", putting->domain->name, id, list);
}

static int put_iothread(Putting *putting, uint32_t id, bool pin, Error *error) {
        for (size_t i = 0; i < putting->n_iothreads; i++)
                if (putting->iothreads[i].id == id)
                        return put_named(putting, THREAD_ROLE_IOTHREAD, id, putting->iothreads[i].thread, pin, error);
        return no_such_iothread(putting, id, error);
}

/* The threads that the monitor names, by their numbers. */
typedef struct NamedThread {
        uint32_t thread;
        ThreadRole role;
        uint32_t id;
} NamedThread;

typedef struct NamedThreads {
        NamedThread *items;
        size_t n_items;
} NamedThreads;

static void named_threads_clear(NamedThreads *named) {
        free(named->items);
}

static int compare_named(const void *a, const void *b) {
        const NamedThread *left = a, *right = b;

        if (left->thread != right->thread)
                return left->thread < right->thread ? -1 : 1;
        return left->id < right->id ? -1 : left->id > right->id;
}

static int name_threads(const Domain *domain, const Iothread *iothreads, size_t n_iothreads, NamedThreads *ret, Error *error) {
        const VcpuTable *table = domain->vcpus_of_run ? domain->vcpus : NULL;
        uint32_t n_vcpus = table ? table->maximum : 0;
        _cleanup_(named_threads_clear) NamedThreads named = {};
        size_t n = 0;

        named.items = calloc(n_vcpus + n_iothreads + 1, sizeof *named.items);
        if (!named.items)
                return no_memory(error);
        for (uint32_t id = 0; id < n_vcpus; id++)
                if (table->vcpus[id].enabled && table->vcpus[id].thread != 0)
                        named.items[named.n_items++] = (NamedThread) { table->vcpus[id].thread, THREAD_ROLE_VCPU, id };
        for (size_t i = 0; i < n_iothreads; i++)
                named.items[named.n_items++] = (NamedThread) { iothreads[i].thread, THREAD_ROLE_IOTHREAD, iothreads[i].id };
        qsort(named.items, named.n_items, sizeof *named.items, compare_named);
        /* One thread of several vCPUs is the first's. */
        for (size_t i = 0; i < named.n_items; i++)
                if (n == 0 || named.items[n - 1].thread != named.items[i].thread)
                        named.items[n++] = named.items[i];
        named.n_items = n;

        *ret = TAKE(named);
        return 0;
}

static const NamedThread *find_named(const NamedThreads *named, pid_t thread) {
        size_t low = 0, high = named->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (named->items[middle].thread < (uint32_t) thread)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < named->n_items && named->items[low].thread == (uint32_t) thread ? named->items + low : NULL;
}

static bool threads_have(const ProcessThreads *threads, pid_t tid) {
        size_t low = 0, high = threads->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (threads->items[middle].tid < tid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < threads->n_items && threads->items[low].tid == tid;
}

/* QEMU's workers come and go, and the kernel's own among them (io_uring's) let nobody
 * send them anywhere: neither is a reason to give up. */
static int put_emulator_thread(Putting *putting, pid_t tid, bool pin, Error *error) {
        const Process *process = putting->domain->process;
        bool main = tid == process->pid;
        _cleanup_error_ Error refused = {};
        int r;

        r = put_thread(putting, THREAD_ROLE_EMULATOR, 0, tid, pin, main, &refused);
        if (r >= 0 || (refused.code == ERROR_NOT_RUNNING && process_is_alive(process)) ||
            (refused.code == ERROR_INVALID_ARGS && !main))
                return 0;
        if (error)
                *error = TAKE(refused);
        return r;
}

/* Without knowing all threads of vCPUs nobody can tell which are none. */
static int check_vcpus_known(const Domain *domain, Error *error) {
        const VcpuTable *table = domain->vcpus_of_run ? domain->vcpus : NULL;

        if (!table)
                return error_set(error, ERROR_NOT_SUPPORTED, "%s has not told its vCPUs: which threads are none is not known.", domain->name);
        for (uint32_t id = 0; id < table->maximum; id++)
                if (table->vcpus[id].enabled && table->vcpus[id].thread == 0)
                        return error_set(error, ERROR_NOT_SUPPORTED, "%s does not tell the thread of vCPU %u: "
                                         "which threads are none of a vCPU is not known.", domain->name, id);
        return 0;
}

static int put_emulator(Putting *putting, bool pin, Error *error) {
        const Process *process = putting->domain->process;
        _cleanup_(named_threads_clear) NamedThreads named = {};
        _cleanup_process_threads_ ProcessThreads seen = {};
        bool more = true;
        int r;

        r = check_vcpus_known(putting->domain, error);
        if (r < 0)
                return r;
        r = name_threads(putting->domain, putting->iothreads, putting->n_iothreads, &named, error);
        if (r < 0)
                return r;

        /* From the main thread on, so that who comes later has it already. */
        r = put_emulator_thread(putting, process->pid, pin, error);
        for (unsigned look = 0; r >= 0 && more && look < LOOKS_MAX; look++) {
                _cleanup_process_threads_ ProcessThreads threads = {};

                more = false;
                r = process_list_threads(process, &threads, error);
                for (size_t i = 0; r >= 0 && i < threads.n_items; i++) {
                        const ProcessThread *thread = threads.items + i;

                        if (thread->tid == process->pid || find_named(&named, thread->tid_in_its_namespace) || threads_have(&seen, thread->tid))
                                continue;
                        more = true;
                        r = put_emulator_thread(putting, thread->tid, pin, error);
                }
                process_threads_clear(&seen);
                seen = TAKE(threads);
        }
        return r;
}

int putting_put(Putting *putting, ThreadRole role, uint32_t id, bool pin, Error *error) {
        const Vcpu *vcpu;

        putting->changed = false;
        switch (role) {
        case THREAD_ROLE_VCPU:
                vcpu = tune_find_vcpu(putting->domain, id);
                if (!vcpu || vcpu->thread == 0)
                        return 0;
                return put_named(putting, role, id, vcpu->thread, pin, error);
        case THREAD_ROLE_IOTHREAD:
                return put_iothread(putting, id, pin, error);
        case THREAD_ROLE_EMULATOR:
                return put_emulator(putting, pin, error);
        case THREAD_ROLE_VHOST:
        case _THREAD_ROLE_MAX:
                break;
        }
        return error_set(error, ERROR_INVALID_ARGS, "Only vCPUs, iothreads and the emulator are pinned.");
}

size_t threads_put_back(Domain *domain, const ThreadsBefore *before, ThreadRole role, uint32_t id, bool pin) {
        size_t n = 0;

        for (size_t i = before->n_items; i-- > 0;) {
                const ThreadBefore *had = before->items + i;
                _cleanup_cpuset_ CpuSet effective = {};
                _cleanup_error_ Error error = {};
                int r;

                if (had->role != role || had->id != id || had->pin != pin)
                        continue;
                n++;
                r = pin ? thread_set_affinity(domain->process, had->tid, &had->cpus, &had->cpus, &had->cpus, &effective, &error)
                        : thread_set_scheduler(domain->process, had->tid, had->policy, had->priority, &error);
                if (r < 0 && error.code != ERROR_NOT_RUNNING)
                        log_warning("What thread %d of %s had before is not put back: %s", (int) had->tid, domain->name,
                                    error.message ?: strerror(-r));
                if (r >= 0 && pin && (role != THREAD_ROLE_EMULATOR || had->tid == domain->process->pid))
                        (void) tuned_set_effective(domain, role, id, &effective);
        }
        return n;
}

typedef struct ThreadsCall {
        Domain *domain;
        GuestThreadsDone done;
        void *userdata;
} ThreadsCall;

static int list_threads(const Domain *domain, const Iothread *iothreads, size_t n_iothreads,
                        GuestThread **ret, size_t *ret_n, Error *error) {
        _cleanup_(named_threads_clear) NamedThreads named = {};
        _cleanup_process_threads_ ProcessThreads threads = {};
        _cleanup_free_ GuestThread *items = NULL;
        int r;

        if (!domain_is_running(domain) || !domain->process)
                return error_set(error, ERROR_NOT_RUNNING, "%s does not run any more.", domain->name);
        r = name_threads(domain, iothreads, n_iothreads, &named, error);
        if (r < 0)
                return r;
        r = process_list_threads(domain->process, &threads, error);
        if (r < 0)
                return r;
        items = calloc(threads.n_items + 1, sizeof *items);
        if (!items)
                return no_memory(error);
        for (size_t i = 0; i < threads.n_items; i++) {
                const ProcessThread *thread = threads.items + i;
                const NamedThread *name = find_named(&named, thread->tid_in_its_namespace);

                items[i] = (GuestThread) {
                        .tid = thread->tid,
                        .role = name ? name->role : thread->role == THREAD_ROLE_VHOST ? THREAD_ROLE_VHOST : THREAD_ROLE_EMULATOR,
                        .id = name ? name->id : ID_NONE,
                };
                memcpy(items[i].comm, thread->comm, sizeof items[i].comm);
        }

        *ret = TAKE_PTR(items);
        *ret_n = threads.n_items;
        return 0;
}

static void answer_threads(const ThreadsCall *call, const Iothread *iothreads, size_t n_iothreads) {
        _cleanup_free_ GuestThread *threads = NULL;
        _cleanup_error_ Error error = {};
        size_t n = 0;
        int r;

        r = list_threads(call->domain, iothreads, n_iothreads, &threads, &n, &error);
        call->done(r, r < 0 ? &error : NULL, threads, n, call->userdata);
}

static void on_threads_iothreads(int result, const Error *error, const Iothread *iothreads, size_t n, void *userdata) {
        _cleanup_free_ ThreadsCall *call = userdata;

        if (result < 0)
                call->done(result, error, NULL, 0, call->userdata);
        else
                answer_threads(call, iothreads, n);
}

int tune_list_threads(Domain *domain, GuestThreadsDone done, void *userdata, Error *error) {
        _cleanup_free_ ThreadsCall *call = NULL;
        int r;

        if (!domain_is_running(domain))
                return error_set(error, ERROR_NOT_RUNNING, "%s does not run.", domain->name);
        r = tune_check_threads(domain, false, error);
        if (r < 0)
                return r;
        call = calloc(1, sizeof *call);
        if (!call)
                return no_memory(error);
        *call = (ThreadsCall) { domain, done, userdata };
        if (!domain->backend->list_iothreads) {
                answer_threads(call, NULL, 0);
                return 0;
        }
        r = domain->backend->list_iothreads(domain, on_threads_iothreads, call, error);
        if (r < 0)
                return r;
        (void) TAKE_PTR(call);
        return 0;
}
