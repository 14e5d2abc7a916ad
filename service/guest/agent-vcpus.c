/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/agent-vcpus.h"

#include <errno.h>

/* Asked for what there is, then to change it. The agent goes through what it is told in
 * order and stops at the first vCPU that fails: then it tells how many it had done, and
 * not why; asked for the rest, it says why. What it had done is undone. */
struct AgentChange {
        Domain *domain;
        CpuSet ids;
        bool by_count;
        bool enable;
        uint32_t count;
        bool dry_run;
        AgentVcpu *vcpus;               /* what is to be changed, in this order */
        size_t n_vcpus, n_changed;
        bool asked_again;
        Error failure;                  /* why it is being undone */
        AgentVcpusChanged done;
        void *userdata;
};

static AgentChange *change_free(AgentChange *change) {
        if (!change)
                return NULL;
        if (change->domain->agent_change == change)
                change->domain->agent_change = NULL;
        cpuset_clear(&change->ids);
        free(change->vcpus);
        error_clear(&change->failure);
        free(change);
        return NULL;
}
DEFINE_CLEANUP(AgentChange *, change_free)

/* Tells how it ended, when another may be started already. */
static void change_end(AgentChange *change, int result, const Error *error, const CpuSet *changed) {
        AgentVcpusChanged done = change->done;
        void *userdata = change->userdata;

        change_free(change);
        done(result, error, changed, userdata);
}

static void change_fail(AgentChange *change, int result, Error *error) {
        change_end(change, result, error->code == ERROR_NONE ? NULL : error, NULL);
        error_clear(error);
}

/* The ids of the first "n" that are to be changed. */
static int change_to_set(const AgentChange *change, size_t n, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};

        for (size_t i = 0; i < n; i++) {
                int r = cpuset_add(&set, change->vcpus[i].id);

                if (r < 0)
                        return r;
        }

        *ret = TAKE(set);
        return 0;
}

static void change_succeed(AgentChange *change) {
        _cleanup_cpuset_ CpuSet changed = {};
        int r;

        r = change_to_set(change, change->n_vcpus, &changed);
        if (r < 0)
                change_end(change, r, NULL, NULL);
        else
                change_end(change, 0, NULL, &changed);
}

static char *change_to_list(const AgentChange *change, size_t n) {
        _cleanup_cpuset_ CpuSet set = {};

        return change_to_set(change, n, &set) < 0 ? NULL : cpuset_to_list(&set);
}

static void on_undone(int result, const Error *why, void *userdata) {
        AgentChange *change = userdata;
        _cleanup_free_ char *list = change_to_list(change, change->n_changed);
        Error error = {};
        int r;

        if (result >= 0 && (size_t) result == change->n_changed)
                r = error_set(&error, change->failure.code, "%s; vCPU %s, which it had taken %s before, is as it was",
                              change->failure.message, list ?: "?", change->enable ? "online" : "offline");
        else
                r = error_set(&error, change->failure.code, "%s; vCPU %s, which it had taken %s before, could not be put back: %s",
                              change->failure.message, list ?: "?", change->enable ? "online" : "offline",
                              why && why->message ? why->message : "the guest agent stopped again, and does not say why");
        change_fail(change, r, &error);
}

/* Puts back what was changed, in the other order. */
static void change_undo(AgentChange *change) {
        _cleanup_free_ AgentVcpu *vcpus = NULL;
        _cleanup_error_ Error error = {};
        int r;

        vcpus = calloc(change->n_changed, sizeof *vcpus);
        if (!vcpus)
                r = -ENOMEM;
        else {
                for (size_t i = 0; i < change->n_changed; i++)
                        vcpus[i] = (AgentVcpu) { .id = change->vcpus[change->n_changed - 1 - i].id, .online = !change->enable };
                r = change->domain->backend->agent_set_vcpus(change->domain, vcpus, change->n_changed, on_undone, change, &error);
        }
        if (r < 0)
                on_undone(r, &error, change);
}

static void change_ask(AgentChange *change);

static void on_set(int result, const Error *error, void *userdata) {
        AgentChange *change = userdata;

        if (result >= 0) {
                change->n_changed += (size_t) result;
                if (change->n_changed >= change->n_vcpus) {
                        change_succeed(change);
                        return;
                }
                if (!change->asked_again) {
                        change->asked_again = true;
                        change_ask(change);
                        return;
                }
                (void) error_set(&change->failure, ERROR_GUEST_REFUSED, "the guest agent of %s stopped at vCPU %u, and does not say why",
                                 change->domain->name, change->vcpus[change->n_changed].id);
        } else {
                if (change->n_changed == 0) {
                        change_end(change, result, error, NULL);
                        return;
                }
                (void) error_set(&change->failure, error ? error->code : ERROR_NO_MEMORY, "%s, at vCPU %u",
                                 error && error->message ? error->message : "there is not enough memory", change->vcpus[change->n_changed].id);
        }
        if (change->n_changed > 0)
                change_undo(change);
        else {
                Error failure = TAKE(change->failure);

                change_fail(change, -ECONNREFUSED, &failure);
        }
}

/* Asks for what is not changed yet. */
static void change_ask(AgentChange *change) {
        _cleanup_error_ Error error = {};
        int r;

        r = change->domain->backend->agent_set_vcpus(change->domain, change->vcpus + change->n_changed, change->n_vcpus - change->n_changed,
                                                     on_set, change, &error);
        if (r < 0)
                on_set(r, error.code == ERROR_NONE ? NULL : &error, change);
}

static const AgentVcpu *find_vcpu(const AgentVcpu *vcpus, size_t n, uint32_t id) {
        for (size_t i = 0; i < n; i++)
                if (vcpus[i].id == id)
                        return vcpus + i;
        return NULL;
}

static int refuse_unknown(const AgentVcpu *vcpus, size_t n, uint32_t id, Error *error) {
        _cleanup_cpuset_ CpuSet all = {};
        _cleanup_free_ char *list = NULL;

        for (size_t i = 0; i < n; i++) {
                int r = cpuset_add(&all, vcpus[i].id);

                if (r < 0)
                        return r;
        }
        list = cpuset_to_list(&all);
        if (!list)
                return -ENOMEM;
        return error_set(error, ERROR_NO_SUCH_VCPU, "the guest has no vCPU %u; it sees %s", id, list);
}

/* Takes those that were named; from the highest down where they go. */
static int choose_ids(AgentChange *change, const AgentVcpu *vcpus, size_t n, size_t n_online, Error *error) {
        CPUSET_FOREACH(id, &change->ids)
                if (!find_vcpu(vcpus, n, id))
                        return refuse_unknown(vcpus, n, id, error);

        for (size_t i = 0; i < n; i++) {
                const AgentVcpu *vcpu = vcpus + (change->enable ? i : n - 1 - i);

                if (!cpuset_contains(&change->ids, vcpu->id) || vcpu->online == change->enable)
                        continue;
                if (!change->enable && !vcpu->can_offline)
                        return error_set(error, ERROR_NOT_SUPPORTED, "vCPU %u can't be taken offline: the guest's own system does not allow that", vcpu->id);
                change->vcpus[change->n_vcpus++] = (AgentVcpu) { .id = vcpu->id, .online = change->enable };
        }
        if (!change->enable && change->n_vcpus > 0 && change->n_vcpus == n_online)
                return error_set(error, ERROR_INVALID_ARGS, "that would leave the guest without a vCPU; of the %zu that it uses at least 1 stays", n_online);
        return 0;
}

/* Takes the lowest that are offline, or the highest that can go. */
static int choose_count(AgentChange *change, const AgentVcpu *vcpus, size_t n, size_t n_online, Error *error) {
        size_t left;

        if (change->count == 0 || change->count > n)
                return error_set(error, ERROR_INVALID_ARGS, "a count of %u is not possible; this guest can use 1 to %zu vCPUs, and uses %zu",
                                 change->count, n, n_online);
        change->enable = change->count > n_online;
        left = change->enable ? change->count - n_online : n_online - change->count;
        for (size_t i = 0; i < n && change->n_vcpus < left; i++) {
                const AgentVcpu *vcpu = vcpus + (change->enable ? i : n - 1 - i);

                if (vcpu->online != change->enable && (change->enable || vcpu->can_offline))
                        change->vcpus[change->n_vcpus++] = (AgentVcpu) { .id = vcpu->id, .online = change->enable };
        }
        if (change->n_vcpus < left)
                return error_set(error, ERROR_NOT_SUPPORTED, "a count of %u can't be reached, the least is %zu now: the guest's own system can't take the others offline",
                                 change->count, n_online - change->n_vcpus);
        return 0;
}

static void on_vcpus(int result, const Error *why, const AgentVcpu *vcpus, size_t n, void *userdata) {
        AgentChange *change = userdata;
        Error error = {};
        size_t n_online = 0;
        int r;

        if (result < 0) {
                change_end(change, result, why, NULL);
                return;
        }
        for (size_t i = 0; i < n; i++)
                n_online += vcpus[i].online;
        change->vcpus = calloc(n, sizeof *change->vcpus);
        if (!change->vcpus)
                r = -ENOMEM;
        else if (change->by_count)
                r = choose_count(change, vcpus, n, n_online, &error);
        else
                r = choose_ids(change, vcpus, n, n_online, &error);

        if (r < 0)
                change_fail(change, r, &error);
        else if (change->n_vcpus == 0 || change->dry_run)
                change_succeed(change);
        else
                change_ask(change);
}

int agent_vcpus_set(Domain *domain, const AgentVcpusRequest *request, AgentVcpusChanged done, void *userdata, Error *error) {
        _cleanup_(change_freep) AgentChange *change = NULL;
        int r;

        if (request->ids && cpuset_is_empty(request->ids))
                return error_set(error, ERROR_INVALID_ARGS, "the list of vCPUs is empty; name at least one");
        if (!domain_is_running(domain))
                return error_set(error, ERROR_NOT_RUNNING, "the guest %s does not run, so there is no agent to ask", domain->name);
        if (!domain->backend || !domain->backend->agent_get_vcpus || !domain->backend->agent_set_vcpus)
                return error_set(error, ERROR_NOT_SUPPORTED, "the guest %s has no agent that could be asked", domain->name);
        if (domain->agent_change && !request->dry_run)
                return error_set(error, ERROR_BUSY, "the agent of the guest %s is changing its vCPUs right now; try again when that is over", domain->name);

        change = calloc(1, sizeof *change);
        if (!change)
                return -ENOMEM;
        change->domain = domain;
        change->by_count = !request->ids;
        change->enable = request->enable;
        change->count = request->count;
        change->dry_run = request->dry_run;
        change->done = done;
        change->userdata = userdata;
        if (request->ids) {
                r = cpuset_copy(request->ids, &change->ids);
                if (r < 0)
                        return r;
        }
        r = domain->backend->agent_get_vcpus(domain, on_vcpus, change, error);
        if (r < 0)
                return r;
        if (!change->dry_run)
                domain->agent_change = change;
        TAKE_PTR(change);
        return 0;
}
