/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is stored is written first: that is quick, and can be written again. Then the
 * guest does its part, which may take long and fail, and then what was stored is taken
 * back, for those vCPUs alone: another change may have been stored meanwhile. */

#include "guest/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/agent-vcpus.h"
#include "guest/definition.h"
#include "guest/definitions.h"
#include "guest/plug.h"

void vcpu_request_clear(VcpuRequest *request) {
        cpuset_clear(&request->ids);
        *request = (VcpuRequest) {};
}

static int refuse_off(const Domain *domain, Error *error) {
        return error_set(error, ERROR_NOT_RUNNING, "%s does not run; without the flag \"live\" what is stored for it is meant", domain->name);
}

int domain_choose_target(const Domain *domain, bool *live, bool *config, Error *error) {
        if (*live && !domain_is_running(domain))
                return refuse_off(domain, error);
        if (!*live && !*config)
                *(domain_is_running(domain) ? live : config) = true;
        return 0;
}

static int choose(const VcpuTable *table, const VcpuRequest *request, Error *error, VcpuChoice *ret) {
        if (!request->by_count)
                return vcpu_table_choose_set(table, &request->ids, request->enable, request->whole_units, error, ret);
        if (request->cell != ID_NONE)
                return vcpu_table_choose_cell(table, request->cell, request->count, error, ret);
        return vcpu_table_choose_count(table, request->count, error, ret);
}

/* What is chosen of what is stored, as ids. */
static int choose_stored(const Domain *domain, const Definition *definition, const VcpuRequest *request,
                         Error *error, VcpuTable **ret_table, bool *ret_enable, CpuSet *ret_ids) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        int r;

        r = domain_stored_table(domain, definition, &table);
        if (r == -ENODATA)
                return error_set(error, ERROR_NOT_SUPPORTED, "how many vCPUs %s can have is not stored, and not known while it does not run", domain->name);
        if (r >= 0)
                r = choose(table, request, error, &choice);
        if (r >= 0)
                r = vcpu_choice_to_set(table, &choice, ret_ids);
        if (r < 0)
                return r;

        *ret_enable = choice.enable;
        if (ret_table)
                *ret_table = TAKE_PTR(table);
        return 0;
}

static int add_all(CpuSet *set, const CpuSet *more) {
        for (size_t i = 0; i < more->n_ranges; i++) {
                int r = cpuset_add_range(set, more->ranges[i].first, more->ranges[i].last);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int choose_live(const Domain *domain, const VcpuRequest *request, Error *error, VcpuChoice *ret) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        int r;

        if (!domain_is_running(domain))
                return refuse_off(domain, error);
        if (!domain->vcpus_of_run)
                return error_set(error, ERROR_NOT_RUNNING, "%s has not told its vCPUs yet", domain->name);
        r = choose(domain->vcpus, request, error, &choice);
        if (r >= 0)
                r = plug_check(domain, &choice, error);
        if (r < 0)
                return r;
        *ret = TAKE(choice);
        return 0;
}

int vcpu_change_check(const Domain *domain, const VcpuRequest *request, Error *error, CpuSet *ret_changed) {
        _cleanup_cpuset_ CpuSet changed = {}, stored = {};
        bool enable;
        int r;

        if (request->guest) {
                if (!domain_is_running(domain))
                        return refuse_off(domain, error);
                if (!domain->has_agent)
                        return error_set(error, ERROR_GUEST_AGENT_UNAVAILABLE, "%s has no agent that could be reached: there is no qga.sock beside its monitor", domain->name);
                *ret_changed = TAKE(changed);
                return 0;
        }

        if (request->live) {
                _cleanup_vcpu_choice_ VcpuChoice choice = {};

                r = choose_live(domain, request, error, &choice);
                if (r >= 0)
                        r = vcpu_choice_to_set(domain->vcpus, &choice, &changed);
                if (r < 0)
                        return r;
        }
        if (request->config) {
                if (!guests_definitions(domain->guests))
                        return error_set(error, ERROR_NOT_SUPPORTED, "nothing can be stored: the folder for it cannot be used");
                r = choose_stored(domain, domain->definition, request, error, NULL, &enable, &stored);
                if (r >= 0)
                        r = add_all(&changed, &stored);
                if (r < 0)
                        return r;
        }

        *ret_changed = TAKE(changed);
        return 0;
}

/* A change on its way. */
typedef struct Change {
        Domain *domain;
        VcpuRequest request;
        uint64_t timeout_usec;
        VcpuChangeDone done;
        void *userdata;

        CpuSet changed;
        CpuSet stored;                  /* of those, what was changed in the definition */
        bool stored_enable;
        char uuid[37];                  /* whose change it is */
        bool was_defined;               /* before, something was stored */
        bool was_chosen;                /* before, somebody had chosen already */
        CpuSet before;                  /* if nobody had: what held instead */
        int result;                     /* the guest's, while what was stored is taken back */
        Error error;
} Change;

static void change_free(Change *change) {
        vcpu_request_clear(&change->request);
        cpuset_clear(&change->changed);
        cpuset_clear(&change->stored);
        cpuset_clear(&change->before);
        error_clear(&change->error);
        free(change);
}

DEFINE_CLEANUP(Change *, change_free)

static void change_end(Change *taken, int result, const Error *error) {
        _cleanup_(change_freep) Change *change = taken;

        change->done(result, error, &change->changed, change->userdata);
}

/* Makes vCPUs enabled or disabled in a definition. */
static int definition_enable(Definition *definition, const CpuSet *ids, bool enable) {
        _cleanup_cpuset_ CpuSet rest = {};
        int r;

        if (enable)
                return add_all(&definition->enabled, ids);
        r = cpuset_and_not(&definition->enabled, ids, &rest);
        if (r < 0)
                return r;
        cpuset_clear(&definition->enabled);
        definition->enabled = TAKE(rest);
        return 0;
}

static int edit_choose(Definition *definition, void *userdata, Error *error) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        Change *change = userdata;
        int r;

        r = choose_stored(change->domain, definition, &change->request, error, &table, &change->stored_enable, &change->stored);
        if (r < 0)
                return r;
        change->was_defined = change->domain->definition;
        change->was_chosen = definition->chosen;
        if (definition->maximum == 0)
                definition->maximum = table->maximum;
        if (!definition->chosen) {
                _cleanup_cpuset_ CpuSet enabled = {};

                r = vcpu_table_enabled(table, &enabled);
                if (r >= 0)
                        r = cpuset_copy(&enabled, &change->before);
                if (r < 0)
                        return r;
                cpuset_clear(&definition->enabled);
                definition->enabled = TAKE(enabled);
                definition->chosen = true;
        }
        return definition_enable(definition, &change->stored, change->stored_enable);
}

static int edit_take_back(Definition *definition, void *userdata, Error *error) {
        Change *change = userdata;
        int r;

        r = definition_enable(definition, &change->stored, !change->stored_enable);
        if (r >= 0 && !change->was_chosen && cpuset_equal(&definition->enabled, &change->before)) {
                cpuset_clear(&definition->enabled);
                definition->chosen = false;
        }
        return r;
}

/* Whether all that is stored is what this change has stored. */
static bool change_is_all(const Change *change) {
        _cleanup_(definition_freep) Definition *bare = NULL;
        const Definition *now = change->domain->definition;

        if (change->was_defined || !now || definitions_are_changing(change->domain) || definition_copy(now, &bare) < 0 ||
            edit_take_back(bare, (void *) change, NULL) < 0)
                return false;
        return !bare->chosen && cpuset_is_empty(&bare->fixed) && bare->n_cells == 0 && bare->tuning.n_items == 0 &&
                cpuset_is_empty(&bare->tuning.default_cpus) && !bare->ignored;
}

static void on_taken_back(int result, const Error *error, void *userdata) {
        Change *change = userdata;
        _cleanup_error_ Error both = {};

        if (result < 0) {
                (void) error_set(&both, change->error.code != ERROR_NONE ? change->error.code : ERROR_BACKEND_FAILED,
                                 "%s; what was stored could not be taken back: %s", change->error.message ?: strerror(-change->result),
                                 error && error->message ? error->message : strerror(-result));
                change_end(change, change->result, &both);
                return;
        }
        change_end(change, change->result, &change->error);
}

static void on_plugged(int result, const Error *error, void *userdata) {
        _cleanup_error_ Error back = {};
        Change *change = userdata;
        int r;

        if (result >= 0 || !change->request.config || cpuset_is_empty(&change->stored)) {
                change_end(change, result, error);
                return;
        }

        change->result = result;
        if (error && error->code != ERROR_NONE)
                (void) error_set(&change->error, error->code, "%s", error->message ?: "");
        if (change_is_all(change))
                r = definitions_undefine(change->domain, on_taken_back, change, &back);
        else
                r = definitions_change(change->domain, edit_take_back, on_taken_back, change, &back);
        if (r < 0)
                on_taken_back(r, &back, change);
}

/* The running guest's part. */
static int change_live(Change *change, Error *error) {
        _cleanup_vcpu_choice_ VcpuChoice choice = {};
        _cleanup_cpuset_ CpuSet ids = {};
        int r;

        r = choose_live(change->domain, &change->request, error, &choice);
        if (r >= 0)
                r = vcpu_choice_to_set(change->domain->vcpus, &choice, &ids);
        if (r >= 0)
                r = add_all(&change->changed, &ids);
        if (r < 0)
                return r;
        if (choice.n_units == 0) {
                on_plugged(0, NULL, change);
                return 0;
        }
        return plug_start(change->domain, &choice, change->timeout_usec, on_plugged, change, error);
}

static void on_stored(int result, const Error *error, void *userdata) {
        _cleanup_error_ Error live_error = {};
        Change *change = userdata;
        int r;

        if (result >= 0)
                result = add_all(&change->changed, &change->stored);
        if (result < 0 || !change->request.live) {
                change_end(change, result, error);
                return;
        }
        /* What was stored is that guest's, and stays. */
        if (strcmp(change->domain->uuid, change->uuid) != 0) {
                r = error_set(&live_error, ERROR_NOT_RUNNING, "another guest runs as %s since the change was asked for; it is stored, and nothing else was done",
                              change->domain->name);
                change_end(change, r, &live_error);
                return;
        }
        r = change_live(change, &live_error);
        if (r < 0)
                on_plugged(r, &live_error, change);
}

static void on_agent(int result, const Error *error, const CpuSet *changed, void *userdata) {
        Change *change = userdata;

        if (result >= 0)
                result = add_all(&change->changed, changed);
        change_end(change, result, error);
}

static int request_copy(const VcpuRequest *request, VcpuRequest *ret) {
        VcpuRequest copy = *request;
        int r;

        copy.ids = (CpuSet) {};
        r = cpuset_copy(&request->ids, &copy.ids);
        if (r < 0)
                return r;
        *ret = copy;
        return 0;
}

int vcpu_change(Domain *domain, const VcpuRequest *request, uint64_t timeout_usec, bool dry_run,
                VcpuChangeDone done, void *userdata, Error *error) {
        _cleanup_(change_freep) Change *change = NULL;
        _cleanup_cpuset_ CpuSet planned = {};
        int r;

        r = vcpu_change_check(domain, request, error, &planned);
        if (r < 0)
                return r;
        if (dry_run && !request->guest) {
                done(0, NULL, &planned, userdata);
                return 0;
        }

        change = calloc(1, sizeof *change);
        if (!change)
                return -ENOMEM;
        change->domain = domain;
        snprintf(change->uuid, sizeof change->uuid, "%s", domain->uuid);
        change->timeout_usec = timeout_usec;
        change->done = done;
        change->userdata = userdata;
        r = request_copy(request, &change->request);
        if (r < 0)
                return r;

        if (request->guest) {
                const AgentVcpusRequest asked = {
                        .ids = request->by_count ? NULL : &change->request.ids,
                        .enable = request->enable,
                        .count = request->count,
                        .dry_run = dry_run,
                };

                r = agent_vcpus_set(domain, &asked, on_agent, change, error);
        } else if (request->config)
                r = definitions_change(domain, edit_choose, on_stored, change, error);
        else
                r = change_live(change, error);
        if (r < 0)
                return r;
        (void) TAKE_PTR(change);
        return 0;
}
