/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What was asked before, put on threads when something happens: the guest starts, a vCPU
 * comes, CPUs of the host go and come. There is nobody to be told of an error: what
 * cannot be had is a warning.
 *
 * A new thread starts with the affinity of the one that made it. For a vCPU that is
 * plugged this is QEMU's main thread, which the emulator's pin moves; so a vCPU without
 * a pin has to be sent to where it would be if there were none. A scheduler of its own the
 * main thread is never given. */

#include <errno.h>
#include <string.h>

#include "guest/tune-threads.h"

/* What is asked in domain->live, as far as it goes. */
static void put_or_warn(Putting *putting, ThreadRole role, uint32_t id, bool pin) {
        _cleanup_error_ Error error = {};

        (void) putting_put(putting, role, id, pin, &error);
        tuned_set_problem(putting->domain, role, id, pin, &error);
}

static void warn_of_all(Domain *domain, const Error *why) {
        for (size_t i = 0; i < domain->live.n_items; i++)
                for (int pin = 0; pin < 2; pin++) {
                        const ThreadTuning *item = domain->live.items + i;
                        Error error = { .code = why->code };

                        if (!(pin ? item->pinned : item->scheduled))
                                continue;
                        error.message = strdup(why->message ?: "");
                        tuned_set_problem(domain, item->role, item->id, pin, &error);
                }
}

void tune_vcpu_put(Domain *domain, uint32_t id, bool pin) {
        _cleanup_(putting_clear) Putting putting = { .domain = domain, .wanted = &domain->live };

        put_or_warn(&putting, THREAD_ROLE_VCPU, id, pin);
}

void tune_vcpu_arrived(Domain *domain, uint32_t id) {
        const ThreadTuning *item = tuning_find(&domain->live, THREAD_ROLE_VCPU, id);
        const ThreadTuning *emulator = tuning_find(&domain->live, THREAD_ROLE_EMULATOR, 0);
        bool pinned = tuning_cpus(&domain->live, THREAD_ROLE_VCPU, id);
        _cleanup_(putting_clear) Putting putting = { .domain = domain, .wanted = &domain->live };
        _cleanup_error_ Error error = {};

        if (!pinned && !(emulator && emulator->pinned) && !(item && item->scheduled))
                return;
        if (tune_check_threads(domain, true, &error) < 0) {
                if (pinned)
                        tuned_set_problem(domain, THREAD_ROLE_VCPU, id, true, &error);
                tune_update_findings(domain);
                return;
        }
        if (pinned || (emulator && emulator->pinned))
                put_or_warn(&putting, THREAD_ROLE_VCPU, id, true);
        if (item && item->scheduled)
                put_or_warn(&putting, THREAD_ROLE_VCPU, id, false);
        tune_update_findings(domain);
}

void tune_vcpu_went(Domain *domain, uint32_t id) {
        if (!domain->tuned)
                return;
        tuned_forget(domain, THREAD_ROLE_VCPU, id);
        tune_update_findings(domain);
}

/* The pins of others than vCPUs wait for what the monitor says of iothreads. */
static void on_iothreads(int result, const Error *error, const Iothread *iothreads, size_t n, void *userdata) {
        Domain *domain = userdata;
        _cleanup_(putting_clear) Putting putting = {
                .domain = domain,
                .wanted = &domain->live,
                .iothreads = iothreads,
                .n_iothreads = n,
        };

        if (!domain_is_running(domain) || !domain->process || (error && error->code == ERROR_NOT_RUNNING))
                return;
        for (size_t i = 0; i < domain->live.n_items; i++) {
                const ThreadTuning *item = domain->live.items + i;

                if (item->role == THREAD_ROLE_VCPU || !item->pinned)
                        continue;
                if (result < 0) {
                        Error problem = { .code = ERROR_BACKEND_FAILED, .message = strdup(error && error->message ? error->message : strerror(-result)) };

                        tuned_set_problem(domain, item->role, item->id, true, &problem);
                } else
                        put_or_warn(&putting, item->role, item->id, true);
        }
        tune_update_findings(domain);
}

static void put_others(Domain *domain) {
        bool any = false;

        for (size_t i = 0; i < domain->live.n_items; i++)
                any |= domain->live.items[i].role != THREAD_ROLE_VCPU && domain->live.items[i].pinned;
        if (any && domain->backend->list_iothreads)
                (void) domain->backend->list_iothreads(domain, on_iothreads, domain, NULL);
}

void tune_all(Domain *domain) {
        _cleanup_(putting_clear) Putting putting = { .domain = domain, .wanted = &domain->live };
        const VcpuTable *table = domain->vcpus_of_run ? domain->vcpus : NULL;
        _cleanup_error_ Error error = {};

        if (!domain_is_running(domain) || (domain->live.n_items == 0 && cpuset_is_empty(&domain->live.default_cpus)))
                return;
        if (tune_check_threads(domain, true, &error) < 0) {
                warn_of_all(domain, &error);
                tune_update_findings(domain);
                return;
        }

        /* Nothing was put on a thread yet, whatever is asked. */
        tune_learn_base(domain);
        for (uint32_t id = 0; table && id < table->maximum; id++) {
                const ThreadTuning *item;

                if (!tune_find_vcpu(domain, id))
                        continue;
                item = tuning_find(&domain->live, THREAD_ROLE_VCPU, id);
                if (tuning_cpus(&domain->live, THREAD_ROLE_VCPU, id)) {
                        put_or_warn(&putting, THREAD_ROLE_VCPU, id, true);
                        if (putting.changed)
                                domain_mark_vcpu(domain, id, VCPU_CHANGE_PIN, VCPU_CAUSE_REQUEST);
                }
                if (item && item->scheduled) {
                        put_or_warn(&putting, THREAD_ROLE_VCPU, id, false);
                        if (putting.changed)
                                domain_mark_vcpu(domain, id, VCPU_CHANGE_SCHEDULER, VCPU_CAUSE_REQUEST);
                }
        }
        tune_update_findings(domain);
        put_others(domain);
}

/* Looks first: the kernel takes CPUs out by itself, and newer ones put them back, too. */
static void put_right(Putting *putting, uint32_t id, uint32_t thread) {
        Domain *domain = putting->domain;
        const CpuSet *asked = tuning_cpus(&domain->live, THREAD_ROLE_VCPU, id);
        _cleanup_cpuset_ CpuSet wanted = {}, effective = {};
        _cleanup_error_ Error error = {};
        bool changed = false;
        pid_t tid;

        if (cpuset_and(asked, guests_online_cpus(domain->guests), &wanted) < 0 || putting_find_thread(putting, thread, &tid, &error) < 0 ||
            thread_get_affinity(domain->process, tid, &effective, &error) < 0)
                goto end;
        if (!cpuset_is_empty(&wanted) && !cpuset_equal(&wanted, &effective)) {
                _cleanup_cpuset_ CpuSet now = {};

                if (tune_set_cpus(domain, tid, asked, &now, &error) < 0)
                        goto end;
                changed = !cpuset_equal(&now, &effective);
                cpuset_clear(&effective);
                effective = TAKE(now);
        }
        changed |= tuned_set_effective(domain, THREAD_ROLE_VCPU, id, &effective);
        if (changed)
                domain_mark_vcpu(domain, id, VCPU_CHANGE_PIN, VCPU_CAUSE_HOST);
end:
        tuned_set_problem(domain, THREAD_ROLE_VCPU, id, true, &error);
}

void tune_host_changed(Domain *domain) {
        _cleanup_(putting_clear) Putting putting = { .domain = domain, .wanted = &domain->live };
        const VcpuTable *table = domain->vcpus_of_run ? domain->vcpus : NULL;

        if (!domain_is_running(domain) || (domain->live.n_items == 0 && cpuset_is_empty(&domain->live.default_cpus)))
                return;
        if (tune_check_threads(domain, true, NULL) < 0)
                return;
        for (uint32_t id = 0; table && id < table->maximum; id++) {
                const Vcpu *vcpu = tune_find_vcpu(domain, id);

                if (vcpu && vcpu->thread != 0 && tuning_cpus(&domain->live, THREAD_ROLE_VCPU, id))
                        put_right(&putting, id, vcpu->thread);
        }
        tune_update_findings(domain);
        put_others(domain);
}
