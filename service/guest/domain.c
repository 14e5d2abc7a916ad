/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/domain.h"

#include <errno.h>
#include <string.h>

struct Guests {
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

int guests_new(Guests **ret) {
        Guests *guests = calloc(1, sizeof *guests);

        if (!guests)
                return -ENOMEM;
        *ret = guests;
        return 0;
}

Guests *guests_free(Guests *guests) {
        if (!guests)
                return NULL;
        while (guests->first)
                domain_free(guests->first);
        free(guests);
        return NULL;
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

int domain_new(Guests *guests, const char *backend, const char *name, Domain **ret) {
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

void domain_announce(Domain *domain) {
        Guests *guests = domain->guests;

        assert(!domain_link(domain));
        domain->next = guests->first;
        guests->first = domain;
        if (guests->listener)
                guests->listener->added(domain, guests->userdata);
}

Domain *domain_free(Domain *domain) {
        Domain **link;

        if (!domain)
                return NULL;
        link = domain_link(domain);
        if (link) {
                *link = domain->next;
                if (domain->guests->listener)
                        domain->guests->listener->removed(domain, domain->guests->userdata);
        }
        vcpu_table_free(domain->vcpus);
        process_free(domain->process);
        findings_clear(&domain->findings);
        free(domain->name);
        free(domain);
        return NULL;
}

void domain_changed(Domain *domain, unsigned change) {
        if (change != 0 && domain->guests->listener && domain_link(domain))
                domain->guests->listener->changed(domain, change, domain->guests->userdata);
}
