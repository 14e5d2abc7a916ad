/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.berth1.Manager: the service itself. */

#include "bus/tree.h"
#include "guest/domain.h"
#include "guest/qemu/registered.h"
#include "host/host.h"
#include "lib/finding.h"

#define MANAGER_PATH "/org/berth1"

typedef struct Manager Manager;

struct Manager {
        Tree *tree;
        Host *host;
        Guests *guests;
        QemuRegistered *registered;
        const char *const *backends;    /* names; NULL at the end */
        const char *version;
        Findings findings;      /* changed by manager_set_findings() only */
        Object *object;
};

/* Details for polkit of the calls about guests: which one. */
extern const FaceHooks manager_hooks;

/* The guest whose object it is; NULL, and manager_no_such_domain() says so, if it is no
 * guest's. */
Domain *manager_find_domain(const Manager *manager, const char *path);
int manager_no_such_domain(const char *path, Error *error);

/* InvalidArgs for what can be no guest's name. */
int manager_check_name(const char *name, Error *error);

/* Shows it. "manager" is filled in by its owner up to its findings, and must
 * outlive the tree's object. */
int manager_publish(Manager *manager);
void manager_unpublish(Manager *manager);

/* Replaces the warnings and announces them if they differ; takes them over. */
void manager_set_findings(Manager *manager, Findings *findings);
