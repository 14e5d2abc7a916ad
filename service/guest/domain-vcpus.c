/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A domain's vCPUs are replaced whole, table by table; here is what follows from the
 * difference: what is to be told, and of which cause; which requests are fulfilled;
 * which threads are new. */

#include <errno.h>
#include <string.h>

#include "guest/backend.h"
#include "guest/definitions.h"
#include "guest/domain.h"
#include "guest/plug.h"
#include "guest/tune.h"

typedef struct VcpuMark {
        uint32_t id;
        unsigned change;
        VcpuCause cause;
} VcpuMark;

struct VcpuMarks {
        VcpuMark *items;                /* by id, from "first" on */
        size_t first;
        size_t n_items;
        size_t n_allocated;
};

struct VcpuMarks *vcpu_marks_free(struct VcpuMarks *marks) {
        if (!marks)
                return NULL;
        free(marks->items);
        free(marks);
        return NULL;
}

const char *vcpu_cause_to_string(VcpuCause cause) {
        switch (cause) {
        case VCPU_CAUSE_REQUEST:
                return "request";
        case VCPU_CAUSE_GUEST:
                return "guest";
        case VCPU_CAUSE_BACKEND:
                return "backend";
        case VCPU_CAUSE_HOST:
                return "host";
        }
        return NULL;
}

/* Without memory a change is not told: the properties still are. */
void domain_mark_vcpu(Domain *domain, uint32_t id, unsigned change, VcpuCause cause) {
        struct VcpuMarks *marks;
        size_t at;

        if (change == 0 || !domain_is_announced(domain))
                return;
        if (!domain->marks)
                domain->marks = calloc(1, sizeof *domain->marks);
        marks = domain->marks;
        if (!marks)
                return;

        at = marks->n_items;
        while (at > marks->first && marks->items[at - 1].id >= id)
                at--;
        if (at < marks->n_items && marks->items[at].id == id)
                marks->items[at].change |= change;
        else {
                if (marks->n_items == marks->n_allocated) {
                        size_t n = marks->n_allocated > 0 ? marks->n_allocated * 2 : 8;
                        VcpuMark *items = reallocarray(marks->items, n, sizeof *items);

                        if (!items)
                                return;
                        marks->items = items;
                        marks->n_allocated = n;
                }
                memmove(marks->items + at + 1, marks->items + at, (marks->n_items - at) * sizeof *marks->items);
                marks->items[at] = (VcpuMark) { .id = id, .change = change, .cause = cause };
                marks->n_items++;
        }
        domain_changed(domain, DOMAIN_CHANGE_VCPU_MARKS);
}

bool domain_take_vcpu_mark(Domain *domain, uint32_t *ret_id, unsigned *ret_change, VcpuCause *ret_cause) {
        struct VcpuMarks *marks = domain->marks;

        if (!marks || marks->first == marks->n_items) {
                domain->marks = vcpu_marks_free(marks);
                return false;
        }
        *ret_id = marks->items[marks->first].id;
        *ret_change = marks->items[marks->first].change;
        *ret_cause = marks->items[marks->first].cause;
        marks->first++;
        return true;
}

bool domain_pending_remove(CpuSet *pending, uint32_t id) {
        _cleanup_cpuset_ CpuSet one = {}, rest = {};

        if (!cpuset_contains(pending, id) || cpuset_add(&one, id) < 0 || cpuset_and_not(pending, &one, &rest) < 0)
                return false;
        cpuset_clear(pending);
        *pending = TAKE(rest);
        return true;
}

/* Why a vCPU came or went. One that a guest gives back after nobody waits any more
 * went by the guest's own will. */
static VcpuCause find_cause(const Domain *domain, uint32_t id, bool enabled) {
        if (plug_waits_for(domain, id))
                return VCPU_CAUSE_REQUEST;
        return enabled ? VCPU_CAUSE_BACKEND : VCPU_CAUSE_GUEST;
}

void domain_take_vcpus(Domain *domain, VcpuTable *table) {
        _cleanup_cpuset_ CpuSet arrived = {};
        VcpuTable *before = domain->vcpus;
        bool first = !domain->vcpus_of_run;
        unsigned change = vcpu_table_diff(before, table);
        const char *features[2][DOMAIN_FEATURES_MAX];
        uint32_t maximum = table->maximum;
        VcpuCause others = VCPU_CAUSE_BACKEND;

        domain_features(domain, features[0]);
        domain->vcpus = table;
        domain->vcpus_of_run = true;
        domain_features(domain, features[1]);

        /* What changes of others with one that comes or goes (the order of all) has its
         * cause. */
        for (uint32_t id = 0; id < maximum && !first; id++)
                if (vcpu_diff(before, table, id) & VCPU_CHANGE_ENABLED) {
                        others = find_cause(domain, id, table->vcpus[id].enabled);
                        break;
                }
        for (uint32_t id = 0; id < maximum && (change & VCPU_TABLE_CHANGE_VCPUS); id++) {
                unsigned bits = vcpu_diff(before, table, id);
                const Vcpu *vcpu = table->vcpus + id;
                VcpuCause cause = others;

                if (bits == 0)
                        continue;
                if (bits & (VCPU_CHANGE_PRESENCE | VCPU_CHANGE_ENABLED)) {
                        if (!first)
                                cause = find_cause(domain, id, vcpu->enabled);
                        if (domain_pending_remove(vcpu->enabled ? &domain->pending_plug : &domain->pending_unplug, id))
                                bits |= VCPU_CHANGE_PENDING;
                }
                if (!first && !vcpu->enabled)
                        tune_vcpu_went(domain, id);
                if (bits & (VCPU_CHANGE_PRESENCE | VCPU_CHANGE_ENABLED | VCPU_CHANGE_THREAD)) {
                        bits |= VCPU_CHANGE_PIN | VCPU_CHANGE_SCHEDULER;
                        /* Those of a guest that has just appeared were there before us. */
                        if (!first && vcpu->thread != 0)
                                (void) cpuset_add(&arrived, id);
                }
                domain_mark_vcpu(domain, id, bits, cause);
        }
        vcpu_table_free(before);

        CPUSET_FOREACH(id, &arrived)
                tune_vcpu_arrived(domain, id);
        for (size_t i = 0; i < DOMAIN_FEATURES_MAX && (features[0][i] || features[1][i]); i++)
                if (features[0][i] != features[1][i]) {
                        domain_changed(domain, DOMAIN_CHANGE_FEATURES);
                        break;
                }
        if (change & (VCPU_TABLE_CHANGE_MAXIMUM | VCPU_TABLE_CHANGE_CURRENT | VCPU_TABLE_CHANGE_SPARSE))
                domain_changed(domain, DOMAIN_CHANGE_VCPUS);
        definitions_meet(domain);
}
