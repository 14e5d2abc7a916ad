/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A pin can be cut by the machine, by a cgroup, or by a CPU that goes offline later, and
 * nobody tells. So what became of what was asked is remembered, for those threads of which
 * something was: asked and effective are compared to warn a person. */

#include "guest/tune-threads.h"

#include <stdio.h>
#include <string.h>

typedef struct TunedThread {
        ThreadRole role;
        uint32_t id;
        bool known;                     /* where it runs */
        CpuSet effective;               /* of the emulator that of its main thread */
        char *pin_problem;              /* why its pin could not be put on it */
        char *scheduler_problem;
} TunedThread;

struct Tuned {
        TunedThread *items;             /* by role, then by id */
        size_t n_items;
};

static void tuned_thread_clear(TunedThread *thread) {
        cpuset_clear(&thread->effective);
        free(thread->pin_problem);
        free(thread->scheduler_problem);
}

struct Tuned *tuned_free(struct Tuned *tuned) {
        if (!tuned)
                return NULL;
        for (size_t i = 0; i < tuned->n_items; i++)
                tuned_thread_clear(tuned->items + i);
        free(tuned->items);
        free(tuned);
        return NULL;
}

static size_t tuned_place(const struct Tuned *tuned, ThreadRole role, uint32_t id) {
        size_t low = 0, high = tuned->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const TunedThread *thread = tuned->items + middle;

                if (thread->role < role || (thread->role == role && thread->id < id))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static TunedThread *tuned_find(const Domain *domain, ThreadRole role, uint32_t id) {
        const struct Tuned *tuned = domain->tuned;
        size_t at = tuned ? tuned_place(tuned, role, id) : 0;

        if (!tuned || at == tuned->n_items || tuned->items[at].role != role || tuned->items[at].id != id)
                return NULL;
        return tuned->items + at;
}

/* NULL without memory: then there is one warning less. */
static TunedThread *tuned_require(Domain *domain, ThreadRole role, uint32_t id) {
        TunedThread *thread = tuned_find(domain, role, id), *items;
        struct Tuned *tuned;
        size_t at;

        if (thread)
                return thread;
        if (!domain->tuned)
                domain->tuned = calloc(1, sizeof *domain->tuned);
        tuned = domain->tuned;
        if (!tuned)
                return NULL;
        items = reallocarray(tuned->items, tuned->n_items + 1, sizeof *items);
        if (!items)
                return NULL;
        tuned->items = items;
        at = tuned_place(tuned, role, id);
        memmove(items + at + 1, items + at, (tuned->n_items - at) * sizeof *items);
        tuned->n_items++;
        items[at] = (TunedThread) { .role = role, .id = id };
        return items + at;
}

bool tuned_set_effective(Domain *domain, ThreadRole role, uint32_t id, CpuSet *effective) {
        TunedThread *thread = tuned_require(domain, role, id);
        bool changed;

        if (!thread) {
                cpuset_clear(effective);
                return false;
        }
        changed = thread->known && !cpuset_equal(&thread->effective, effective);
        thread->known = true;
        cpuset_clear(&thread->effective);
        thread->effective = TAKE(*effective);
        return changed;
}

void tuned_set_problem(Domain *domain, ThreadRole role, uint32_t id, bool pin, Error *error) {
        TunedThread *thread = error->message ? tuned_require(domain, role, id) : tuned_find(domain, role, id);
        char **problem;

        if (thread) {
                problem = pin ? &thread->pin_problem : &thread->scheduler_problem;
                free(*problem);
                *problem = TAKE_PTR(error->message);
        }
        error_clear(error);
}

void tuned_forget(Domain *domain, ThreadRole role, uint32_t id) {
        TunedThread *thread = tuned_find(domain, role, id);
        struct Tuned *tuned = domain->tuned;

        if (!thread)
                return;
        tuned_thread_clear(thread);
        tuned->n_items--;
        memmove(thread, thread + 1, (size_t) (tuned->items + tuned->n_items - thread) * sizeof *thread);
}

const Vcpu *tune_find_vcpu(const Domain *domain, uint32_t id) {
        const Vcpu *vcpu = domain->vcpus && domain->vcpus_of_run ? vcpu_table_find(domain->vcpus, id) : NULL;

        return vcpu && vcpu->enabled ? vcpu : NULL;
}

static void describe_thread(ThreadRole role, uint32_t id, char *ret, size_t size) {
        switch (role) {
        case THREAD_ROLE_VCPU:
                (void) snprintf(ret, size, "vCPU %u", id);
                return;
        case THREAD_ROLE_IOTHREAD:
                (void) snprintf(ret, size, "iothread %u", id);
                return;
        case THREAD_ROLE_EMULATOR:
        case THREAD_ROLE_VHOST:
        case _THREAD_ROLE_MAX:
                (void) snprintf(ret, size, "emulator");
                return;
        }
}

static void find_pin(const Domain *domain, const TunedThread *thread, const char *subject, Findings *findings) {
        const CpuSet *asked = tuning_cpus(&domain->live, thread->role, thread->id);
        _cleanup_free_ char *asked_list = asked ? cpuset_to_list(asked) : NULL;
        _cleanup_free_ char *effective_list = thread->known ? cpuset_to_list(&thread->effective) : NULL;

        if (!asked_list)
                return;
        if (thread->pin_problem)
                findings_add(findings, "pin-not-met", SEVERITY_WARNS, "pin it anew when the reason is gone", subject,
                             "%s shall run on CPU %s%s%s: %s", subject, asked_list, effective_list ? ", and runs on " : "",
                             effective_list ?: "", thread->pin_problem);
        else if (effective_list && !cpuset_equal(asked, &thread->effective))
                findings_add(findings, "pin-not-met", SEVERITY_WARNS,
                             "take CPUs online that are offline, look at the cpuset of the guest's cgroup, or pin it anew", subject,
                             "%s shall run on CPU %s, and runs on %s", subject, asked_list, effective_list);
}

void tune_update_findings(Domain *domain) {
        const struct Tuned *tuned = domain->tuned;
        Findings findings = {};

        for (size_t i = 0; tuned && i < tuned->n_items; i++) {
                const TunedThread *thread = tuned->items + i;
                const ThreadTuning *asked = tuning_find(&domain->live, thread->role, thread->id);
                char subject[sizeof "iothread 4294967295"];

                if (thread->role == THREAD_ROLE_VCPU && !tune_find_vcpu(domain, thread->id))
                        continue;
                describe_thread(thread->role, thread->id, subject, sizeof subject);
                find_pin(domain, thread, subject, &findings);
                if (thread->scheduler_problem && asked && asked->scheduled)
                        findings_add(&findings, "scheduler-not-met", SEVERITY_WARNS, "set it anew when the reason is gone", subject,
                                     "%s shall be scheduled as “%s” with priority %d: %s", subject,
                                     scheduler_policy_to_string(asked->policy), asked->priority, thread->scheduler_problem);
        }
        domain_set_findings(domain, DOMAIN_FINDINGS_TUNING, &findings);
}
