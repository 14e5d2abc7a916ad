/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Domain.Vcpus: what changes it. Each method says what it wants as a request
 * of the model, which is checked before anybody is asked for a password, and again
 * when the call comes back. */

#include "domain-vcpus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bus/call.h"
#include "domain-vcpus.gen.h"
#include "guest/change.h"
#include "guest/tune.h"
#include "jobs.h"
#include "lib/log.h"
#include "lib/sysfs.h"

/* Which vCPUs a guest has. */

/* The flags of all methods that change, in one place: each method has bits of its own. */
typedef struct Flags {
        bool live;
        bool config;
        bool guest;
        bool core;
        bool async;
        bool dry_run;
} Flags;

#define FLAGS_TARGET(METHOD, bits)                                      \
        .live = (bits) & DOMAIN_VCPUS_##METHOD##_LIVE,                  \
        .config = (bits) & DOMAIN_VCPUS_##METHOD##_CONFIG,              \
        .dry_run = (bits) & DOMAIN_VCPUS_##METHOD##_DRY_RUN

#define FLAGS_WAIT(METHOD, bits) FLAGS_TARGET(METHOD, bits), .async = (bits) & DOMAIN_VCPUS_##METHOD##_ASYNC
#define FLAGS_COUNT(METHOD, bits) FLAGS_WAIT(METHOD, bits), .guest = (bits) & DOMAIN_VCPUS_##METHOD##_GUEST
#define FLAGS_IDS(METHOD, bits) FLAGS_COUNT(METHOD, bits), .core = (bits) & DOMAIN_VCPUS_##METHOD##_CORE

static int finish_request(const Domain *domain, const Flags *flags, VcpuRequest *request, Error *error) {
        request->live = flags->live;
        request->config = flags->config;
        request->guest = flags->guest;
        request->whole_units = flags->core;
        if (!flags->guest)
                return domain_choose_target(domain, &request->live, &request->config, error);
        request->live = false;
        return 0;
}

static int check_request(const Domain *domain, const Flags *flags, VcpuRequest *request, Error *error) {
        _cleanup_cpuset_ CpuSet changed = {};
        int r;

        r = finish_request(domain, flags, request, error);
        if (r < 0)
                return r;
        return vcpu_change_check(domain, request, error, &changed);
}

/* What is kept of a call while a guest does its part. */
typedef struct Waiting {
        Call *call;                     /* NULL if nobody waits */
        Tree *tree;
        uint64_t job;                   /* 0 if somebody waits */
        char *name;
        bool dry_run;
        uint32_t uid;
} Waiting;

static void waiting_free(Waiting *waiting) {
        free(waiting->name);
        free(waiting);
}

DEFINE_CLEANUP(Waiting *, waiting_free)

static void log_change(const char *name, uint32_t uid, const char *what, const char *list) {
        char user[16];

        snprintf(user, sizeof user, "%u", uid);
        log_fields(LOG_NOTICE, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_GUEST_CHANGED, "BERTH_UID", user, "BERTH_DOMAIN", name),
                   "Changed %s of %s for user %s: %s", what, name, user, list);
}

static void on_changed(int result, const Error *error, const CpuSet *changed, void *userdata) {
        _cleanup_(waiting_freep) Waiting *waiting = userdata;
        _cleanup_free_ char *list = result >= 0 ? cpuset_to_list(changed) : NULL;
        int r = result >= 0 && !list ? -ENOMEM : result;

        if (r >= 0 && *list && !waiting->dry_run)
                log_change(waiting->name, waiting->uid, "the vCPUs", list);
        if (waiting->job != 0)
                job_end(waiting->tree, waiting->job, r, error);
        else if (r < 0)
                call_fail(waiting->call, r, error);
        else
                call_answer(waiting->call, "st", list, (uint64_t) 0);
}

static int reply_changed(const CpuSet *changed, uint64_t job, const Request *request) {
        _cleanup_free_ char *list = cpuset_to_list(changed);

        return list ? sd_bus_reply_method_return(request->message, "st", list, job) : -ENOMEM;
}

/* Answers with what was accepted, and starts it after: a job's end must not be told
 * before its number. What cannot be started at once is an error of the call still. */
static int start_job(Domain *domain, const VcpuRequest *request, Waiting *taken, const Request *call, Error *error) {
        _cleanup_(waiting_freep) Waiting *waiting = taken;
        _cleanup_cpuset_ CpuSet planned = {};
        int r;

        r = vcpu_change_check(domain, request, error, &planned);
        if (r < 0)
                return r;
        waiting->job = job_begin(waiting->tree);
        r = reply_changed(&planned, waiting->job, call);
        if (r < 0)
                return r;

        r = vcpu_change(domain, request, guests_settings(domain->guests)->job_timeout_usec, false, on_changed, waiting, error);
        if (r < 0) {
                job_end(waiting->tree, waiting->job, r, error);
                error_clear(error);
                return 0;
        }
        (void) TAKE_PTR(waiting);
        return 0;
}

static int run_request(Domain *domain, const Flags *flags, VcpuRequest *request, const Request *call, Error *error) {
        _cleanup_(waiting_freep) Waiting *waiting = NULL;
        int r;

        r = finish_request(domain, flags, request, error);
        if (r < 0)
                return r;

        waiting = calloc(1, sizeof *waiting);
        if (!waiting)
                return -ENOMEM;
        waiting->tree = object_tree(call->object);
        waiting->uid = call->uid;
        waiting->dry_run = flags->dry_run;
        waiting->name = strdup(domain->name);
        if (!waiting->name)
                return -ENOMEM;
        if (flags->async && !flags->dry_run)
                return start_job(domain, request, TAKE_PTR(waiting), call, error);

        r = call_new(call, CALL_TIMEOUT_USEC, "the guest has not done its part yet; VcpuChanged tells when it does", &waiting->call);
        if (r < 0)
                return r;
        r = vcpu_change(domain, request, guests_settings(domain->guests)->unplug_timeout_usec, flags->dry_run, on_changed, waiting, error);
        if (r < 0) {
                call_drop(waiting->call);
                return r;
        }
        (void) TAKE_PTR(waiting);
        return 0;
}

/* A list of ids that somebody wrote. */
static int parse_list(const char *what, const char *text, CpuSet *ret, Error *error) {
        int r = cpuset_parse_list(text, ret);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return error_set(error, ERROR_INVALID_ARGS, "\"%.64s\" is no list of %s; one is written like 0-3,8", text, what);
        return 0;
}

static int one_vcpu(uint32_t vcpu, bool enabled, VcpuRequest *ret, Error *error) {
        ret->enable = enabled;
        ret->cell = ID_NONE;
        if (vcpu >= VCPU_MAX)
                return error_set(error, ERROR_NO_SUCH_VCPU, "there is no vCPU %u, and no guest can have it", vcpu);
        return cpuset_add(&ret->ids, vcpu);
}

int domain_vcpus_set_vcpu_check(Domain *domain, const DomainVcpusSetVcpuArgs *args, Error *error) {
        const Flags flags = { FLAGS_IDS(SET_VCPU, args->flags) };
        _cleanup_vcpu_request_ VcpuRequest request = {};
        int r;

        r = one_vcpu(args->vcpu, args->enabled, &request, error);
        return r < 0 ? r : check_request(domain, &flags, &request, error);
}

int domain_vcpus_set_vcpu(Domain *domain, const DomainVcpusSetVcpuArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_IDS(SET_VCPU, args->flags) };
        _cleanup_vcpu_request_ VcpuRequest request = {};
        int r;

        r = one_vcpu(args->vcpu, args->enabled, &request, error);
        return r < 0 ? r : run_request(domain, &flags, &request, call, error);
}

static int some_vcpus(const char *vcpus, bool enabled, VcpuRequest *ret, Error *error) {
        ret->enable = enabled;
        ret->cell = ID_NONE;
        return parse_list("vCPUs", vcpus, &ret->ids, error);
}

int domain_vcpus_set_vcpus_check(Domain *domain, const DomainVcpusSetVcpusArgs *args, Error *error) {
        const Flags flags = { FLAGS_IDS(SET_VCPUS, args->flags) };
        _cleanup_vcpu_request_ VcpuRequest request = {};
        int r;

        r = some_vcpus(args->vcpus, args->enabled, &request, error);
        return r < 0 ? r : check_request(domain, &flags, &request, error);
}

int domain_vcpus_set_vcpus(Domain *domain, const DomainVcpusSetVcpusArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_IDS(SET_VCPUS, args->flags) };
        _cleanup_vcpu_request_ VcpuRequest request = {};
        int r;

        r = some_vcpus(args->vcpus, args->enabled, &request, error);
        return r < 0 ? r : run_request(domain, &flags, &request, call, error);
}

int domain_vcpus_set_count_check(Domain *domain, const DomainVcpusSetCountArgs *args, Error *error) {
        const Flags flags = { FLAGS_COUNT(SET_COUNT, args->flags) };
        VcpuRequest request = { .by_count = true, .count = args->count, .cell = ID_NONE };

        return check_request(domain, &flags, &request, error);
}

int domain_vcpus_set_count(Domain *domain, const DomainVcpusSetCountArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_COUNT(SET_COUNT, args->flags) };
        VcpuRequest request = { .by_count = true, .count = args->count, .cell = ID_NONE };

        return run_request(domain, &flags, &request, call, error);
}

static int check_cell(uint32_t cell, Error *error) {
        if (cell == ID_NONE)
                return error_set(error, ERROR_NO_SUCH_CELL, "no guest has a cell %u", cell);
        return 0;
}

int domain_vcpus_set_cell_vcpus_check(Domain *domain, const DomainVcpusSetCellVcpusArgs *args, Error *error) {
        const Flags flags = { FLAGS_WAIT(SET_CELL_VCPUS, args->flags) };
        VcpuRequest request = { .by_count = true, .count = args->count, .cell = args->guest_cell };
        int r;

        r = check_cell(args->guest_cell, error);
        return r < 0 ? r : check_request(domain, &flags, &request, error);
}

int domain_vcpus_set_cell_vcpus(Domain *domain, const DomainVcpusSetCellVcpusArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_WAIT(SET_CELL_VCPUS, args->flags) };
        VcpuRequest request = { .by_count = true, .count = args->count, .cell = args->guest_cell };

        return run_request(domain, &flags, &request, call, error);
}

/* Where its threads run, and how. */

/* The changes that one call asks for. */
typedef struct Changes {
        TuneChange *items;
        size_t n_items;
} Changes;

static void changes_clear(Changes *changes) {
        tune_changes_free(changes->items, changes->n_items);
        *changes = (Changes) {};
}

static int changes_add(Changes *changes, TuneChange *taken) {
        TuneChange *items = reallocarray(changes->items, changes->n_items + 1, sizeof *items);

        if (!items) {
                cpuset_clear(&taken->cpus);
                return -ENOMEM;
        }
        changes->items = items;
        items[changes->n_items++] = *taken;
        return 0;
}

static int changes_add_pin(Changes *changes, ThreadRole role, uint32_t id, const char *cpus, Error *error) {
        TuneChange change = { .role = role, .id = id, .pin = true };
        int r;

        r = parse_list("CPUs", cpus, &change.cpus, error);
        if (r < 0)
                return r;
        if (*cpus && cpuset_is_empty(&change.cpus))
                return error_set(error, ERROR_INVALID_ARGS, "\"%.64s\" names no CPU; an empty string removes a pin", cpus);
        return changes_add(changes, &change);
}

static int check_tuning(const Domain *domain, const Changes *changes, Flags flags, Error *error) {
        int r;

        r = domain_choose_target(domain, &flags.live, &flags.config, error);
        return r < 0 ? r : tune_check(domain, changes->items, changes->n_items, flags.live, flags.config, error);
}

static void on_tuned(int result, const Error *error, void *userdata) {
        _cleanup_(waiting_freep) Waiting *waiting = userdata;

        if (result < 0) {
                call_fail(waiting->call, result, error);
                return;
        }
        log_change(waiting->name, waiting->uid, "where the threads run, or how,", "done");
        call_answer(waiting->call, "");
}

static int run_tuning(Domain *domain, const Changes *changes, Flags flags, const Request *call, Error *error) {
        _cleanup_(waiting_freep) Waiting *waiting = NULL;
        int r;

        r = check_tuning(domain, changes, flags, error);
        if (r < 0)
                return r;
        if (flags.dry_run)
                return sd_bus_reply_method_return(call->message, "");

        r = domain_choose_target(domain, &flags.live, &flags.config, error);
        if (r < 0)
                return r;
        waiting = calloc(1, sizeof *waiting);
        if (!waiting)
                return -ENOMEM;
        waiting->uid = call->uid;
        waiting->name = strdup(domain->name);
        if (!waiting->name)
                return -ENOMEM;
        r = call_new(call, CALL_TIMEOUT_USEC, "it is not stored yet; whether it will be, GetXml tells", &waiting->call);
        if (r < 0)
                return r;
        r = tune(domain, changes->items, changes->n_items, flags.live, flags.config, on_tuned, waiting, error);
        if (r < 0) {
                call_drop(waiting->call);
                return r;
        }
        (void) TAKE_PTR(waiting);
        return 0;
}

int domain_vcpus_pin_check(Domain *domain, const DomainVcpusPinArgs *args, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_pin(&changes, THREAD_ROLE_VCPU, args->vcpu, args->cpus, error);
        return r < 0 ? r : check_tuning(domain, &changes, flags, error);
}

int domain_vcpus_pin(Domain *domain, const DomainVcpusPinArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_pin(&changes, THREAD_ROLE_VCPU, args->vcpu, args->cpus, error);
        return r < 0 ? r : run_tuning(domain, &changes, flags, call, error);
}

/* As many pins as a guest can have vCPUs; the check for one that comes twice is the
 * model's. */
static int read_pins(sd_bus_message *call, Changes *changes, Error *error) {
        const char *cpus;
        uint32_t vcpu;
        int r;

        r = sd_bus_message_enter_container(call, 'a', "(us)");
        while (r >= 0 && (r = sd_bus_message_read(call, "(us)", &vcpu, &cpus)) > 0) {
                if (changes->n_items == VCPU_MAX)
                        return error_set(error, ERROR_INVALID_ARGS, "more than %u pins in one call; no guest has so many vCPUs", VCPU_MAX);
                r = changes_add_pin(changes, THREAD_ROLE_VCPU, vcpu, cpus, error);
        }
        return r < 0 ? r : sd_bus_message_exit_container(call);
}

int domain_vcpus_pin_all_check(Domain *domain, const DomainVcpusPinAllArgs *args, sd_bus_message *call, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN_ALL, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = read_pins(call, &changes, error);
        return r < 0 ? r : check_tuning(domain, &changes, flags, error);
}

int domain_vcpus_pin_all(Domain *domain, const DomainVcpusPinAllArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN_ALL, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = read_pins(call->message, &changes, error);
        return r < 0 ? r : run_tuning(domain, &changes, flags, call, error);
}

int domain_vcpus_pin_emulator_check(Domain *domain, const DomainVcpusPinEmulatorArgs *args, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN_EMULATOR, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_pin(&changes, THREAD_ROLE_EMULATOR, 0, args->cpus, error);
        return r < 0 ? r : check_tuning(domain, &changes, flags, error);
}

int domain_vcpus_pin_emulator(Domain *domain, const DomainVcpusPinEmulatorArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN_EMULATOR, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_pin(&changes, THREAD_ROLE_EMULATOR, 0, args->cpus, error);
        return r < 0 ? r : run_tuning(domain, &changes, flags, call, error);
}

int domain_vcpus_pin_iothread_check(Domain *domain, const DomainVcpusPinIothreadArgs *args, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN_IOTHREAD, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_pin(&changes, THREAD_ROLE_IOTHREAD, args->id, args->cpus, error);
        return r < 0 ? r : check_tuning(domain, &changes, flags, error);
}

int domain_vcpus_pin_iothread(Domain *domain, const DomainVcpusPinIothreadArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_TARGET(PIN_IOTHREAD, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_pin(&changes, THREAD_ROLE_IOTHREAD, args->id, args->cpus, error);
        return r < 0 ? r : run_tuning(domain, &changes, flags, call, error);
}

static int changes_add_scheduler(Changes *changes, uint32_t vcpu, const char *policy, int priority, Error *error) {
        TuneChange change = { .role = THREAD_ROLE_VCPU, .id = vcpu, .priority = priority };

        if (scheduler_policy_from_string(policy, &change.policy) < 0)
                return error_set(error, ERROR_INVALID_ARGS, "\"%.64s\" is no policy that can be set; there are other, batch, idle, fifo and rr", policy);
        return changes_add(changes, &change);
}

int domain_vcpus_set_scheduler_check(Domain *domain, const DomainVcpusSetSchedulerArgs *args, Error *error) {
        const Flags flags = { FLAGS_TARGET(SET_SCHEDULER, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_scheduler(&changes, args->vcpu, args->policy, args->priority, error);
        return r < 0 ? r : check_tuning(domain, &changes, flags, error);
}

int domain_vcpus_set_scheduler(Domain *domain, const DomainVcpusSetSchedulerArgs *args, const Request *call, Error *error) {
        const Flags flags = { FLAGS_TARGET(SET_SCHEDULER, args->flags) };
        _cleanup_(changes_clear) Changes changes = {};
        int r;

        r = changes_add_scheduler(&changes, args->vcpu, args->policy, args->priority, error);
        return r < 0 ? r : run_tuning(domain, &changes, flags, call, error);
}
