/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/domain.h"

#include <errno.h>
#include <string.h>

#include "guest/backend.h"
#include "guest/definition.h"
#include "guest/memory.h"
#include "guest/definitions.h"
#include "guest/plug.h"
#include "guest/tune.h"

#define SEC UINT64_C(1000000)

struct Guests {
        sd_event *event;
        Workers *workers;
        GuestSettings settings;
        Definitions *definitions;
        MemoryQueue memory_queue;
        CpuSet online, present;
        bool live_host;
        Domain *first;
        const GuestsListener *listener;
        void *userdata;
};

const char *domain_state_to_string(DomainState state) {
        switch (state) {
        case DOMAIN_UNKNOWN:
                return "unknown";
        case DOMAIN_RUNNING:
                return "running";
        case DOMAIN_PAUSED:
                return "paused";
        case DOMAIN_SUSPENDED:
                return "suspended";
        case DOMAIN_SHUTOFF:
                return "shutoff";
        case DOMAIN_CRASHED:
                return "crashed";
        }
        return NULL;
}

int guests_new(sd_event *event, Workers *workers, Guests **ret) {
        Guests *guests = calloc(1, sizeof *guests);

        if (!guests)
                return -ENOMEM;
        guests->event = sd_event_ref(event);
        guests->workers = workers;
        guests->settings = (GuestSettings) {
                .unplug_timeout_usec = 10 * SEC,
                .job_timeout_usec = 60 * SEC,
                .agent_timeout_usec = 5 * SEC,
        };
        *ret = guests;
        return 0;
}

Guests *guests_free(Guests *guests) {
        if (!guests)
                return NULL;
        while (guests->first)
                domain_free(guests->first);
        cpuset_clear(&guests->online);
        cpuset_clear(&guests->present);
        (void) sd_event_unref(guests->event);
        free(guests);
        return NULL;
}

sd_event *guests_event(const Guests *guests) {
        return guests->event;
}

Workers *guests_workers(const Guests *guests) {
        return guests->workers;
}

const GuestSettings *guests_settings(const Guests *guests) {
        return &guests->settings;
}

void guests_set_settings(Guests *guests, const GuestSettings *settings) {
        guests->settings = *settings;
}

MemoryQueue *guests_memory_queue(Guests *guests) {
        return &guests->memory_queue;
}

Definitions *guests_definitions(const Guests *guests) {
        return guests->definitions;
}

void guests_set_definitions(Guests *guests, Definitions *definitions) {
        guests->definitions = definitions;
}

int guests_set_host_cpus(Guests *guests, const CpuSet *online, const CpuSet *present, bool live) {
        _cleanup_cpuset_ CpuSet new_online = {}, new_present = {};
        int r;

        r = cpuset_copy(online, &new_online);
        if (r >= 0)
                r = cpuset_copy(present, &new_present);
        if (r < 0)
                return r;
        if (cpuset_equal(&guests->online, &new_online) && cpuset_equal(&guests->present, &new_present) && guests->live_host == live)
                return 0;
        cpuset_clear(&guests->online);
        cpuset_clear(&guests->present);
        guests->online = TAKE(new_online);
        guests->present = TAKE(new_present);
        guests->live_host = live;
        for (Domain *domain = guests->first; domain; domain = domain->next)
                if (domain_is_running(domain))
                        tune_host_changed(domain);
        return 0;
}

const CpuSet *guests_online_cpus(const Guests *guests) {
        return &guests->online;
}

const CpuSet *guests_present_cpus(const Guests *guests) {
        return &guests->present;
}

bool guests_host_is_live(const Guests *guests) {
        return guests->live_host;
}

void guests_listen(Guests *guests, const GuestsListener *listener, void *userdata) {
        guests->listener = listener;
        guests->userdata = userdata;
        for (Domain *domain = guests->first; listener && domain; domain = domain->next)
                listener->added(domain, userdata);
}

Domain *guests_first(const Guests *guests) {
        return guests->first;
}

Domain *guests_find(const Guests *guests, const char *name_or_uuid) {
        Domain *found = NULL;

        for (Domain *domain = guests->first; domain; domain = domain->next)
                if (strcmp(domain->name, name_or_uuid) == 0)
                        return domain;
        /* Two that claim one UUID: neither is believed. */
        for (Domain *domain = guests->first; domain; domain = domain->next)
                if (*domain->uuid && strcasecmp(domain->uuid, name_or_uuid) == 0) {
                        if (found)
                                return NULL;
                        found = domain;
                }
        return found;
}

Domain *guests_find_by_pid(const Guests *guests, pid_t pid) {
        for (Domain *domain = guests->first; domain; domain = domain->next)
                if (domain->pid > 0 && domain->pid == pid)
                        return domain;
        return NULL;
}

int domain_new(Guests *guests, const Backend *backend, const char *name, Domain **ret) {
        Domain *domain;

        domain = calloc(1, sizeof *domain);
        if (!domain)
                return -ENOMEM;
        domain->guests = guests;
        domain->backend = backend;
        domain->name = strdup(name);
        if (!domain->name) {
                free(domain);
                return -ENOMEM;
        }

        *ret = domain;
        return 0;
}

static Domain **domain_link(Domain *domain) {
        for (Domain **at = &domain->guests->first; *at; at = &(*at)->next)
                if (*at == domain)
                        return at;
        return NULL;
}

bool domain_is_announced(const Domain *domain) {
        return domain_link((Domain *) domain);
}

void domain_announce(Domain *domain) {
        Guests *guests = domain->guests;

        assert(!domain_link(domain));
        domain->next = guests->first;
        guests->first = domain;
        if (guests->listener)
                guests->listener->added(domain, guests->userdata);
}

/* What is known of a run, and ends with it. */
static void domain_forget_run(Domain *domain) {
        domain->run = NULL;
        memory_stopped(domain);
        domain->pid = 0;
        domain->has_owner = false;
        domain->process = process_free(domain->process);
        domain->has_agent = false;
        domain->vcpus = vcpu_table_free(domain->vcpus);
        domain->vcpus_of_run = false;
        cpuset_clear(&domain->pending_plug);
        cpuset_clear(&domain->pending_unplug);
        cpuset_clear(&domain->base_cpus);
        tuning_clear(&domain->live);
        domain->tuned = tuned_free(domain->tuned);
        domain->meeting = DOMAIN_MEETING_BEFORE;
}

Domain *domain_free(Domain *domain) {
        Domain **link;

        if (!domain)
                return NULL;
        plug_stopped(domain);
        link = domain_link(domain);
        if (link) {
                *link = domain->next;
                if (domain->guests->listener)
                        domain->guests->listener->removed(domain, domain->guests->userdata);
        }
        domain_forget_run(domain);
        definition_free(domain->definition);
        for (size_t i = 0; i < _DOMAIN_FINDINGS_MAX; i++)
                findings_clear(domain->findings_parts + i);
        findings_clear(&domain->findings);
        vcpu_marks_free(domain->marks);
        free(domain->name);
        free(domain);
        return NULL;
}

void domain_stopped(Domain *domain) {
        static const DomainFindings of_a_run[] = { DOMAIN_FINDINGS_BACKEND, DOMAIN_FINDINGS_TUNING, DOMAIN_FINDINGS_AGENT };

        if (!domain->definition && !definitions_are_changing(domain)) {
                domain_free(domain);
                return;
        }

        plug_stopped(domain);
        domain_forget_run(domain);
        domain->marks = vcpu_marks_free(domain->marks);
        domain->state = DOMAIN_SHUTOFF;
        for (size_t i = 0; i < ELEMENTSOF(of_a_run); i++) {
                Findings none = {};

                domain_set_findings(domain, of_a_run[i], &none);
        }
        definitions_run_over(domain);
        if (domain->definition)
                (void) definition_to_table(domain->definition, &domain->vcpus);
        domain_changed(domain, DOMAIN_CHANGE_STATE | DOMAIN_CHANGE_PID | DOMAIN_CHANGE_VCPUS | DOMAIN_CHANGE_FEATURES);
}

void domain_changed(Domain *domain, unsigned change) {
        if (change != 0 && domain->guests->listener && domain_link(domain))
                domain->guests->listener->changed(domain, change, domain->guests->userdata);
}

void domain_set_findings(Domain *domain, DomainFindings part, Findings *findings) {
        Findings *old = domain->findings_parts + part;

        if (findings_equal(old, findings)) {
                findings_clear(findings);
                return;
        }
        findings_clear(old);
        *old = TAKE(*findings);

        findings_clear(&domain->findings);
        for (size_t i = 0; i < _DOMAIN_FINDINGS_MAX; i++)
                findings_append(&domain->findings, domain->findings_parts + i);
        domain_changed(domain, DOMAIN_CHANGE_FINDINGS);
}

void domain_features(const Domain *domain, const char *ret[static DOMAIN_FEATURES_MAX]) {
        size_t n = 0;

        if (domain->run && domain->vcpus) {
                bool plug = false, unplug = false;

                for (size_t i = 0; i < domain->vcpus->n_units; i++) {
                        const PlugUnit *unit = domain->vcpus->units + i;

                        plug |= !unit->plugged && domain->vcpus->vcpus[unit->first].hotpluggable;
                        unplug |= unit->plugged && unit->removable;
                }
                if (plug)
                        ret[n++] = "plug";
                if (unplug)
                        ret[n++] = "unplug";
        }
        if (domain->run && domain->process && !(domain->vcpus && domain->vcpus->one_thread)) {
                ret[n++] = "pin";
                ret[n++] = "scheduler";
        }
        if (definitions_can_store(guests_definitions(domain->guests)))
                ret[n++] = "config";
        if (domain->run && domain->has_agent)
                ret[n++] = "guest-agent";
        ret[n] = NULL;
}
