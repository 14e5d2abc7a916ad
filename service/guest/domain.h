/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A guest as clients know it, whatever hypervisor it has, and the list of all of them.
 * A backend makes domains, fills them in and says what changed; whoever shows them
 * listens. */

#include <sys/types.h>

#include "guest/process.h"
#include "guest/vcpu.h"
#include "lib/cleanup.h"
#include "lib/finding.h"

typedef enum DomainState {
        DOMAIN_UNKNOWN,
        DOMAIN_RUNNING,
        DOMAIN_PAUSED,
        DOMAIN_SUSPENDED,
        DOMAIN_SHUTOFF,
        DOMAIN_CRASHED,
} DomainState;

const char *domain_state_to_string(DomainState state);

typedef struct Guests Guests;
typedef struct Domain Domain;

struct Domain {
        Guests *guests;
        Domain *next;
        const char *backend;            /* "qemu" */
        char *name;
        char uuid[37];                  /* "" until it is known */
        DomainState state;
        pid_t pid;                      /* of the VMM; 0 if it has none or is not known */
        Process *process;               /* the same, held; NULL if it cannot be looked at */
        VcpuTable *vcpus;               /* NULL until they are known */
        Findings findings;
        void *published;                /* whoever shows it keeps its own here */
};

typedef enum DomainChange {
        DOMAIN_CHANGE_UUID = 1 << 0,
        DOMAIN_CHANGE_STATE = 1 << 1,
        DOMAIN_CHANGE_PID = 1 << 2,
        DOMAIN_CHANGE_VCPUS = 1 << 3,
        DOMAIN_CHANGE_FINDINGS = 1 << 4,
} DomainChange;

typedef struct GuestsListener {
        void (*added)(Domain *domain, void *userdata);
        /* The domain is freed when this returns. */
        void (*removed)(Domain *domain, void *userdata);
        void (*changed)(Domain *domain, unsigned change, void *userdata);
} GuestsListener;

int guests_new(Guests **ret);
Guests *guests_free(Guests *guests);
DEFINE_CLEANUP(Guests *, guests_free)

/* Calls "added" for each that is there, and all three from now on. NULL ends it. */
void guests_listen(Guests *guests, const GuestsListener *listener, void *userdata);

/* The first of all domains, and so on by ->next. */
Domain *guests_first(const Guests *guests);

/* By name, or by UUID if only one has it. NULL if there is none. */
Domain *guests_find(const Guests *guests, const char *name_or_uuid);
Domain *guests_find_by_pid(const Guests *guests, pid_t pid);

/* Makes one that nobody has heard of before domain_announce(). */
int domain_new(Guests *guests, const char *backend, const char *name, Domain **ret);
void domain_announce(Domain *domain);
Domain *domain_free(Domain *domain);

/* What changed since it was announced. */
void domain_changed(Domain *domain, unsigned change);
