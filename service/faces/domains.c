/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "domains.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domain.gen.h"
#include "domain.h"
#include "domain-vcpus.h"
#include "domain-vcpus.gen.h"
#include "lib/log.h"

static const FaceHooks domain_hooks = {
        .describe = domain_describe,
};

struct DomainFaces {
        Tree *tree;
        Guests *guests;
};

/* The name's path; where another guest of that name has it, the UUID is appended. */
static int new_object(DomainFaces *faces, const Domain *domain, Object **ret) {
        _cleanup_free_ char *path = NULL, *label = NULL, *longer = NULL;
        int r;

        r = sd_bus_path_encode(DOMAINS_PATH, domain->name, &path);
        if (r >= 0)
                r = object_new(faces->tree, path, ret);
        if (r != -EEXIST)
                return r;
        if (asprintf(&label, "%s-%s", domain->name, domain->uuid) < 0)
                return -ENOMEM;
        r = sd_bus_path_encode(DOMAINS_PATH, label, &longer);
        if (r >= 0)
                r = object_new(faces->tree, longer, ret);
        return r;
}

static int show(DomainFaces *faces, Domain *domain, Object **ret) {
        Object *object = NULL;
        int r;

        r = new_object(faces, domain, &object);
        if (r >= 0)
                r = object_add_face(object, &domain_interface, domain);
        if (r >= 0) {
                object_set_hooks(object, &domain_hooks);
                r = object_add_face(object, &domain_vcpus_interface, domain);
        }
        if (r >= 0) {
                object_set_hooks(object, &domain_vcpus_hooks);
                r = object_publish(object);
        }
        if (r < 0) {
                object_remove(object);
                return r;
        }

        *ret = object;
        return 0;
}

static void on_added(Domain *domain, void *userdata) {
        Object *object;
        int r;

        r = show(userdata, domain, &object);
        if (r < 0) {
                log_error("The guest %s cannot be shown: %s", domain->name, strerror(-r));
                return;
        }
        domain->published = object;
}

static void on_removed(Domain *domain, void *userdata) {
        domain->published = object_remove(domain->published);
}

static void on_changed(Domain *domain, unsigned change, void *userdata) {
        static const struct { unsigned change; const Interface *interface; unsigned property; } marks[] = {
                { DOMAIN_CHANGE_FEATURES, &domain_interface, DOMAIN_FEATURES },
                { DOMAIN_CHANGE_UUID, &domain_interface, DOMAIN_UUID },
                { DOMAIN_CHANGE_STATE, &domain_interface, DOMAIN_STATE },
                { DOMAIN_CHANGE_PID, &domain_interface, DOMAIN_PID },
                { DOMAIN_CHANGE_FINDINGS, &domain_interface, DOMAIN_WARNINGS },
                { DOMAIN_CHANGE_VCPUS, &domain_vcpus_interface, DOMAIN_VCPUS_MAXIMUM },
                { DOMAIN_CHANGE_VCPUS, &domain_vcpus_interface, DOMAIN_VCPUS_CURRENT },
                { DOMAIN_CHANGE_VCPUS, &domain_vcpus_interface, DOMAIN_VCPUS_SPARSE },
        };

        for (size_t i = 0; domain->published && i < ELEMENTSOF(marks); i++)
                if (change & marks[i].change)
                        object_mark(domain->published, marks[i].interface, marks[i].property);
        if (domain->published && (change & DOMAIN_CHANGE_VCPU_MARKS))
                object_touch(domain->published);
}

static const GuestsListener listener = {
        .added = on_added,
        .removed = on_removed,
        .changed = on_changed,
};

int domain_faces_new(Tree *tree, Guests *guests, DomainFaces **ret) {
        DomainFaces *faces;
        int r;

        faces = calloc(1, sizeof *faces);
        if (!faces)
                return -ENOMEM;
        faces->tree = tree;
        faces->guests = guests;
        r = tree_add_interface(tree, DOMAINS_PATH, &domain_interface);
        if (r >= 0)
                r = tree_add_interface(tree, DOMAINS_PATH, &domain_vcpus_interface);
        if (r < 0) {
                free(faces);
                return r;
        }
        guests_listen(guests, &listener, faces);

        *ret = faces;
        return 0;
}

DomainFaces *domain_faces_free(DomainFaces *faces) {
        if (!faces)
                return NULL;
        for (Domain *domain = guests_first(faces->guests); domain; domain = domain->next)
                domain->published = object_remove(domain->published);
        guests_listen(faces->guests, NULL, NULL);
        free(faces);
        return NULL;
}
