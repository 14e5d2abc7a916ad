/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/tuning.h"

#include <errno.h>
#include <string.h>

void tuning_clear(Tuning *tuning) {
        for (size_t i = 0; i < tuning->n_items; i++)
                cpuset_clear(&tuning->items[i].cpus);
        free(tuning->items);
        cpuset_clear(&tuning->default_cpus);
        *tuning = (Tuning) {};
}

int tuning_copy(const Tuning *tuning, Tuning *ret) {
        _cleanup_tuning_ Tuning copy = {};
        int r;

        if (tuning->n_items > 0) {
                copy.items = calloc(tuning->n_items, sizeof *copy.items);
                if (!copy.items)
                        return -ENOMEM;
        }
        for (; copy.n_items < tuning->n_items; copy.n_items++) {
                ThreadTuning *item = copy.items + copy.n_items;

                *item = tuning->items[copy.n_items];
                item->cpus = (CpuSet) {};
                r = cpuset_copy(&tuning->items[copy.n_items].cpus, &item->cpus);
                if (r < 0)
                        return r;
        }
        r = cpuset_copy(&tuning->default_cpus, &copy.default_cpus);
        if (r < 0)
                return r;

        *ret = TAKE(copy);
        return 0;
}

static bool item_equal(const ThreadTuning *a, const ThreadTuning *b) {
        return a->role == b->role && a->id == b->id && a->pinned == b->pinned && a->scheduled == b->scheduled &&
               (!a->pinned || cpuset_equal(&a->cpus, &b->cpus)) &&
               (!a->scheduled || (a->policy == b->policy && a->priority == b->priority));
}

bool tuning_equal(const Tuning *a, const Tuning *b) {
        if (a->n_items != b->n_items || !cpuset_equal(&a->default_cpus, &b->default_cpus))
                return false;
        for (size_t i = 0; i < a->n_items; i++)
                if (!item_equal(a->items + i, b->items + i))
                        return false;
        return true;
}

/* The first item that is not before this thread's. */
static size_t tuning_place(const Tuning *tuning, ThreadRole role, uint32_t id) {
        size_t low = 0, high = tuning->n_items;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const ThreadTuning *item = tuning->items + middle;

                if (item->role < role || (item->role == role && item->id < id))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static ThreadTuning *find(const Tuning *tuning, ThreadRole role, uint32_t id) {
        size_t at = tuning_place(tuning, role, id);

        if (at == tuning->n_items || tuning->items[at].role != role || tuning->items[at].id != id)
                return NULL;
        return tuning->items + at;
}

const ThreadTuning *tuning_find(const Tuning *tuning, ThreadRole role, uint32_t id) {
        return find(tuning, role, id);
}

const CpuSet *tuning_cpus(const Tuning *tuning, ThreadRole role, uint32_t id) {
        const ThreadTuning *item = find(tuning, role, id);

        if (item && item->pinned)
                return &item->cpus;
        if (role == THREAD_ROLE_VCPU && !cpuset_is_empty(&tuning->default_cpus))
                return &tuning->default_cpus;
        return NULL;
}

/* The item of a thread, made if it is not there. NULL without memory. */
static ThreadTuning *require(Tuning *tuning, ThreadRole role, uint32_t id) {
        size_t at = tuning_place(tuning, role, id);
        ThreadTuning *items;

        if (at < tuning->n_items && tuning->items[at].role == role && tuning->items[at].id == id)
                return tuning->items + at;
        items = reallocarray(tuning->items, tuning->n_items + 1, sizeof *items);
        if (!items)
                return NULL;
        tuning->items = items;
        memmove(items + at + 1, items + at, (tuning->n_items - at) * sizeof *items);
        tuning->n_items++;
        items[at] = (ThreadTuning) { .role = role, .id = id };
        return items + at;
}

static void remove_if_empty(Tuning *tuning, ThreadTuning *item) {
        if (item->pinned || item->scheduled)
                return;
        tuning->n_items--;
        memmove(item, item + 1, (size_t) (tuning->items + tuning->n_items - item) * sizeof *item);
}

static void unpin(Tuning *tuning, ThreadRole role, uint32_t id) {
        ThreadTuning *item = find(tuning, role, id);

        if (!item)
                return;
        item->pinned = false;
        cpuset_clear(&item->cpus);
        remove_if_empty(tuning, item);
}

int tuning_pin(Tuning *tuning, ThreadRole role, uint32_t id, const CpuSet *cpus) {
        _cleanup_cpuset_ CpuSet copy = {};
        ThreadTuning *item;
        int r;

        if (cpuset_is_empty(cpus)) {
                unpin(tuning, role, id);
                return 0;
        }

        r = cpuset_copy(cpus, &copy);
        if (r < 0)
                return r;
        item = require(tuning, role, id);
        if (!item)
                return -ENOMEM;
        cpuset_clear(&item->cpus);
        item->cpus = TAKE(copy);
        item->pinned = true;
        return 0;
}

int tuning_schedule(Tuning *tuning, ThreadRole role, uint32_t id, SchedulerPolicy policy, int priority) {
        ThreadTuning *item = require(tuning, role, id);

        if (!item)
                return -ENOMEM;
        item->scheduled = true;
        item->policy = policy;
        item->priority = priority;
        return 0;
}

void tuning_unschedule(Tuning *tuning, ThreadRole role, uint32_t id) {
        ThreadTuning *item = find(tuning, role, id);

        if (!item)
                return;
        item->scheduled = false;
        item->policy = SCHEDULER_OTHER;
        item->priority = 0;
        remove_if_empty(tuning, item);
}
