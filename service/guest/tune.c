/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A change of pins or schedulers that somebody asks for: checked, put on the threads, and
 * stored, all or none.
 *
 * The running guest comes first, at once and as a whole, and domain->live with it: a vCPU
 * that is plugged meanwhile gets what holds. What is stored is written by others, and
 * takes a disk's time. If that fails, the threads go back to what they had, as far as
 * nobody has asked anything else of them since: what came later stays. */

#include "guest/tune.h"

#include <errno.h>
#include <string.h>

#include "guest/definitions.h"
#include "guest/tune-threads.h"

typedef struct Request {
        Domain *domain;
        TuneChange *changes;
        size_t n_changes;
        bool live;
        bool config;
        BackendDone done;
        void *userdata;

        bool *changed;                  /* of each change: there is something to tell */
        Tuning before;                  /* what was asked before, and what the threads had */
        ThreadsBefore threads;
        pid_t pid;                      /* the run whose threads were changed */
        uint64_t start_ticks;
} Request;

void tune_changes_free(TuneChange *changes, size_t n) {
        for (size_t i = 0; i < n; i++)
                cpuset_clear(&changes[i].cpus);
        free(changes);
}

static Request *request_free(Request *request) {
        if (!request)
                return NULL;
        tune_changes_free(request->changes, request->n_changes);
        free(request->changed);
        tuning_clear(&request->before);
        threads_before_clear(&request->threads);
        free(request);
        return NULL;
}
DEFINE_CLEANUP(Request *, request_free)

static int no_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "No memory for what is asked of the guest's threads.");
}

static int request_new(Domain *domain, const TuneChange *changes, size_t n, Request **ret) {
        _cleanup_(request_freep) Request *request = calloc(1, sizeof *request);
        int r;

        if (!request)
                return -ENOMEM;
        request->domain = domain;
        request->changes = calloc(n, sizeof *request->changes);
        request->changed = calloc(n, sizeof *request->changed);
        if (!request->changes || !request->changed)
                return -ENOMEM;
        for (; request->n_changes < n; request->n_changes++) {
                TuneChange *copy = request->changes + request->n_changes;

                *copy = changes[request->n_changes];
                copy->cpus = (CpuSet) {};
                r = cpuset_copy(&changes[request->n_changes].cpus, &copy->cpus);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(request);
        return 0;
}

static int change_apply(const TuneChange *change, Tuning *tuning) {
        if (change->pin)
                return tuning_pin(tuning, change->role, change->id, &change->cpus);
        return tuning_schedule(tuning, change->role, change->id, change->policy, change->priority);
}

/* Whether this is what is asked of the thread. */
static bool change_holds(const TuneChange *change, const Tuning *tuning) {
        const ThreadTuning *item = tuning_find(tuning, change->role, change->id);

        if (!change->pin)
                return item && item->scheduled && item->policy == change->policy && item->priority == change->priority;
        if (!item || !item->pinned)
                return cpuset_is_empty(&change->cpus);
        return cpuset_equal(&item->cpus, &change->cpus);
}

static int compare_changes(const void *a, const void *b) {
        const TuneChange *left = *(const TuneChange *const *) a, *right = *(const TuneChange *const *) b;

        if (left->role != right->role)
                return left->role < right->role ? -1 : 1;
        if (left->id != right->id)
                return left->id < right->id ? -1 : 1;
        return (int) left->pin - (int) right->pin;
}

static int check_twice(const TuneChange *changes, size_t n, Error *error) {
        _cleanup_free_ const TuneChange **sorted = calloc(n, sizeof *sorted);

        if (!sorted)
                return no_memory(error);
        for (size_t i = 0; i < n; i++)
                sorted[i] = changes + i;
        qsort(sorted, n, sizeof *sorted, compare_changes);
        for (size_t i = 1; i < n; i++) {
                if (compare_changes(sorted + i - 1, sorted + i) != 0)
                        continue;
                if (sorted[i]->role == THREAD_ROLE_EMULATOR)
                        return error_set(error, ERROR_INVALID_ARGS, "The emulator comes twice; once is allowed.");
                return error_set(error, ERROR_INVALID_ARGS, "%s %u comes twice; each is allowed once.",
                                 sorted[i]->role == THREAD_ROLE_VCPU ? "vCPU" : "Iothread", sorted[i]->id);
        }
        return 0;
}

static int check_thread(const Domain *domain, const TuneChange *change, Error *error) {
        const VcpuTable *table = domain->vcpus;

        switch (change->role) {
        case THREAD_ROLE_VCPU:
                if (!table || table->maximum == 0)
                        return error_set(error, ERROR_INVALID_ARGS, "%s has no vCPUs, or they are not known yet.", domain->name);
                if (change->id >= table->maximum)
                        return error_set(error, ERROR_NO_SUCH_VCPU, "There is no vCPU %u; %s can have 0-%u.",
                                         change->id, domain->name, table->maximum - 1);
                return 0;
        case THREAD_ROLE_EMULATOR:
                if (change->pin && change->id == 0)
                        return 0;
                break;
        case THREAD_ROLE_IOTHREAD:
                if (change->pin)
                        return 0;
                break;
        case THREAD_ROLE_VHOST:
        case _THREAD_ROLE_MAX:
                break;
        }
        return error_set(error, ERROR_NOT_SUPPORTED, "Only vCPUs have a scheduler of their own; vCPUs, iothreads and the emulator can be pinned.");
}

/* The hypervisor is asked for iothreads before these. */
static bool change_needs_iothreads(const TuneChange *change) {
        return change->role != THREAD_ROLE_VCPU;
}

static int check_live(const Domain *domain, const TuneChange *changes, size_t n, Error *error) {
        bool vcpus = false, others = false;
        int r;

        if (!domain_is_running(domain))
                return error_set(error, ERROR_NOT_RUNNING, "%s does not run.", domain->name);
        for (size_t i = 0; i < n; i++) {
                vcpus |= changes[i].role == THREAD_ROLE_VCPU;
                others |= change_needs_iothreads(changes + i);
        }
        r = tune_check_threads(domain, vcpus, error);
        if (r < 0)
                return r;
        if (others && !domain->backend->list_iothreads)
                return error_set(error, ERROR_NOT_SUPPORTED, "The hypervisor of %s does not tell its iothreads: "
                                 "only vCPUs can be pinned.", domain->name);
        return 0;
}

int tune_check(const Domain *domain, const TuneChange *changes, size_t n, bool live, bool config, Error *error) {
        const Guests *guests = domain->guests;
        int r;

        assert(live || config);
        if (n == 0)
                return error_set(error, ERROR_INVALID_ARGS, "Nothing is asked: at least one vCPU is needed.");
        if (live) {
                r = check_live(domain, changes, n, error);
                if (r < 0)
                        return r;
        }
        if (config && !guests_definitions(guests))
                return error_set(error, ERROR_NOT_SUPPORTED, "Nothing can be stored for %s: there is no place for it.", domain->name);
        r = check_twice(changes, n, error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                const TuneChange *change = changes + i;

                r = check_thread(domain, change, error);
                if (r >= 0 && !change->pin)
                        r = scheduler_check(change->policy, change->priority, error);
                else if (r >= 0 && !cpuset_is_empty(&change->cpus))
                        r = affinity_check(&change->cpus, guests_online_cpus(guests), guests_present_cpus(guests), error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A domain can be stopped, and run again, while something is written. */
static bool request_is_of_run(const Request *request) {
        const Domain *domain = request->domain;

        return request->live && domain_is_running(domain) && domain->process &&
               domain->process->pid == request->pid && domain->process->start_ticks == request->start_ticks;
}

static int request_put(Request *request, const Iothread *iothreads, size_t n_iothreads, Error *error) {
        Domain *domain = request->domain;
        _cleanup_tuning_ Tuning after = {};
        _cleanup_(putting_clear) Putting putting = {
                .domain = domain,
                .wanted = &after,
                .iothreads = iothreads,
                .n_iothreads = n_iothreads,
                .before = &request->threads,
        };
        int r;

        r = tuning_copy(&domain->live, &after);
        for (size_t i = 0; r >= 0 && i < request->n_changes; i++)
                r = change_apply(request->changes + i, &after);
        if (r < 0)
                return no_memory(error);

        /* The main thread tells only as long as it is where it was. */
        if (!tuning_cpus(&domain->live, THREAD_ROLE_EMULATOR, 0))
                tune_learn_base(domain);
        for (size_t i = 0; i < request->n_changes; i++) {
                const TuneChange *change = request->changes + i;

                r = putting_put(&putting, change->role, change->id, change->pin, error);
                if (r < 0) {
                        for (size_t j = i + 1; j-- > 0;)
                                threads_put_back(domain, &request->threads, request->changes[j].role,
                                                 request->changes[j].id, request->changes[j].pin);
                        return r;
                }
                request->changed[i] = putting.changed || !change_holds(change, &domain->live);
        }

        request->pid = domain->process->pid;
        request->start_ticks = domain->process->start_ticks;
        request->before = TAKE(domain->live);
        domain->live = TAKE(after);
        for (size_t i = 0; i < request->n_changes; i++)
                tuned_set_problem(domain, request->changes[i].role, request->changes[i].id, request->changes[i].pin, &(Error) {});
        return 0;
}

/* Back to what was asked before. Of a vCPU that came meanwhile the thread has what was
 * asked for it when it came. */
static void request_undo(Request *request) {
        Domain *domain = request->domain;

        if (!request_is_of_run(request))
                return;
        for (size_t i = request->n_changes; i-- > 0;) {
                const TuneChange *change = request->changes + i;
                const ThreadTuning *item = tuning_find(&request->before, change->role, change->id);
                size_t n;

                if (!change_holds(change, &domain->live))
                        continue;
                if (change->pin)
                        (void) tuning_pin(&domain->live, change->role, change->id, item ? &item->cpus : &(CpuSet) {});
                else if (item && item->scheduled)
                        (void) tuning_schedule(&domain->live, change->role, change->id, item->policy, item->priority);
                else
                        tuning_unschedule(&domain->live, change->role, change->id);

                n = threads_put_back(domain, &request->threads, change->role, change->id, change->pin);
                if (n == 0 && change->role == THREAD_ROLE_VCPU)
                        tune_vcpu_put(domain, change->id, change->pin);
        }
        tune_update_findings(domain);
}

/* The last that is done with a request: whoever is told may do away with the domain. */
static void request_end(Request *request, int result, const Error *error) {
        _cleanup_(request_freep) Request *ended = request;
        Domain *domain = request->domain;
        bool of_run = request_is_of_run(request);

        if (result >= 0) {
                bool tell = of_run || (request->config && !domain_is_running(domain));

                if (of_run) {
                        definitions_keep_run(domain);
                        tune_update_findings(domain);
                }
                for (size_t i = 0; tell && i < request->n_changes; i++)
                        if (request->changes[i].role == THREAD_ROLE_VCPU && (request->changed[i] || !of_run))
                                domain_mark_vcpu(domain, request->changes[i].id,
                                                 request->changes[i].pin ? VCPU_CHANGE_PIN : VCPU_CHANGE_SCHEDULER, VCPU_CAUSE_REQUEST);
        }
        request->done(result, error, request->userdata);
}

static int edit_definition(Definition *definition, void *userdata, Error *error) {
        const Request *request = userdata;

        for (size_t i = 0; i < request->n_changes; i++)
                if (change_apply(request->changes + i, &definition->tuning) < 0)
                        return no_memory(error);
        return 0;
}

static void on_config(int result, const Error *error, void *userdata) {
        Request *request = userdata;

        if (result < 0)
                request_undo(request);
        request_end(request, result, error);
}

/* Takes the request over if it returns 0. */
static int request_run(Request *request, const Iothread *iothreads, size_t n_iothreads, Error *error) {
        int r;

        if (request->live) {
                r = request_put(request, iothreads, n_iothreads, error);
                if (r < 0) {
                        tune_update_findings(request->domain);
                        return r;
                }
        }
        if (!request->config) {
                request_end(request, 0, NULL);
                return 0;
        }
        r = definitions_change(request->domain, edit_definition, on_config, request, error);
        if (r < 0) {
                request_undo(request);
                return r;
        }
        return 0;
}

static void on_iothreads(int result, const Error *error, const Iothread *iothreads, size_t n, void *userdata) {
        _cleanup_(request_freep) Request *request = userdata;
        _cleanup_error_ Error failed = {};
        int r;

        if (result < 0) {
                request_end(TAKE_PTR(request), result, error);
                return;
        }
        /* Much may have changed since it was checked. */
        r = tune_check(request->domain, request->changes, request->n_changes, request->live, request->config, &failed);
        if (r >= 0)
                r = request_run(request, iothreads, n, &failed);
        if (r < 0)
                request_end(request, r, &failed);
        (void) TAKE_PTR(request);
}

int tune(Domain *domain, const TuneChange *changes, size_t n, bool live, bool config,
         BackendDone done, void *userdata, Error *error) {
        _cleanup_(request_freep) Request *request = NULL;
        bool needs_iothreads = false;
        int r;

        r = tune_check(domain, changes, n, live, config, error);
        if (r < 0)
                return r;
        r = request_new(domain, changes, n, &request);
        if (r < 0)
                return no_memory(error);
        request->live = live;
        request->config = config;
        request->done = done;
        request->userdata = userdata;

        for (size_t i = 0; live && i < n; i++)
                needs_iothreads |= change_needs_iothreads(changes + i);
        if (needs_iothreads)
                r = domain->backend->list_iothreads(domain, on_iothreads, request, error);
        else
                r = request_run(request, NULL, 0, error);
        if (r < 0)
                return r;
        (void) TAKE_PTR(request);
        return 0;
}
