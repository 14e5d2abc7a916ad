/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is asked of threads, <cputune>, is collected first and sorted, so that a document with
 * many pins costs no more than its length, and then kept. */

#include "guest/definition-read.h"

#include <errno.h>
#include <string.h>

/* A pin and a scheduler for each thread that there can be, and some more. */
#define WISHES_MAX (4 * VCPU_MAX)

struct Wish {
        ThreadRole role;
        uint32_t id;
        bool pin;
        CpuSet cpus;
        SchedulerPolicy policy;
        int priority;
        unsigned line;
};

void reading_clear_wishes(Reading *reading) {
        for (size_t i = 0; i < reading->n_wishes; i++)
                cpuset_clear(&reading->wishes[i].cpus);
        free(reading->wishes);
}

/* Takes the set over. */
static int wish(Reading *reading, const Wish *taken) {
        if (reading->n_wishes == reading->n_allocated) {
                size_t n = reading->n_allocated > 0 ? 2 * reading->n_allocated : 16;
                Wish *wishes = reallocarray(reading->wishes, n, sizeof *wishes);

                if (!wishes) {
                        CpuSet set = taken->cpus;

                        cpuset_clear(&set);
                        return -ENOMEM;
                }
                reading->wishes = wishes;
                reading->n_allocated = n;
        }
        reading->wishes[reading->n_wishes++] = *taken;
        return 0;
}

static int read_pin(Reading *reading, const XmlElement *element, ThreadRole role, const char *id_attribute) {
        Wish pin = { .role = role, .pin = true, .line = xml_line(element) };
        int r = 0;

        if (id_attribute)
                r = reading_require_id(reading, element, id_attribute, &pin.id);
        if (r >= 0)
                r = reading_require_set(reading, element, "cpuset", &pin.cpus);
        return r < 0 ? r : wish(reading, &pin);
}

static int read_scheduler(Reading *reading, const XmlElement *element, ThreadRole role, const char *ids_attribute) {
        _cleanup_cpuset_ CpuSet ids = {};
        Wish scheduler = { .role = role, .line = xml_line(element) };
        _cleanup_free_ char *word = NULL;
        _cleanup_error_ Error checked = {};
        uint64_t priority = 0;
        int r;

        r = ids_attribute ? reading_require_set(reading, element, ids_attribute, &ids) : cpuset_add(&ids, 0);
        if (r >= 0)
                r = xml_get_attribute(element, "scheduler", &word);
        if (r >= 0)
                r = reading_number(reading, element, "priority", 0, 99, &priority);
        if (r < 0)
                return r;
        if (!word)
                return reading_refuse_missing(reading, element, "scheduler");
        if (scheduler_policy_from_string(word, &scheduler.policy) < 0)
                return reading_refuse(reading, element, "<%.32s scheduler=\"%.32s\">: it can be \"other\", \"batch\", \"idle\", \"fifo\" or \"rr\"",
                                      xml_name(element), word);
        scheduler.priority = (int) priority;
        r = scheduler_check(scheduler.policy, scheduler.priority, &checked);
        if (r < 0)
                return reading_refuse(reading, element, "%s", checked.message ?: "no such scheduler");

        if (reading->n_wishes + cpuset_count(&ids) > WISHES_MAX)
                return reading_refuse(reading, element, "the schedulers up to here are for more than %u threads", WISHES_MAX);
        CPUSET_FOREACH(id, &ids) {
                scheduler.id = id;
                r = wish(reading, &scheduler);
                if (r < 0)
                        return r;
        }
        return 0;
}

int reading_cputune(Reading *reading, const XmlElement *cputune) {
        static const struct { const char *name; bool pin; ThreadRole role; const char *ids; } known[] = {
                { "vcpupin", true, THREAD_ROLE_VCPU, "vcpu" },
                { "emulatorpin", true, THREAD_ROLE_EMULATOR, NULL },
                { "iothreadpin", true, THREAD_ROLE_IOTHREAD, "iothread" },
                { "vcpusched", false, THREAD_ROLE_VCPU, "vcpus" },
                { "emulatorsched", false, THREAD_ROLE_EMULATOR, NULL },
                { "iothreadsched", false, THREAD_ROLE_IOTHREAD, "iothreads" },
        };

        for (const XmlElement *child = xml_first_child(cputune); child; child = xml_next(child)) {
                size_t i = 0;
                int r;

                while (i < ELEMENTSOF(known) && !xml_is(child, NULL, known[i].name))
                        i++;
                if (i == ELEMENTSOF(known))
                        r = reading_ignore(reading, "cputune", xml_name(child));
                else if (known[i].pin)
                        r = read_pin(reading, child, known[i].role, known[i].ids);
                else
                        r = read_scheduler(reading, child, known[i].role, known[i].ids);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_wishes(const void *a, const void *b) {
        const Wish *x = a, *y = b;

        if (x->role != y->role)
                return x->role < y->role ? -1 : 1;
        if (x->id != y->id)
                return x->id < y->id ? -1 : 1;
        if (x->pin != y->pin)
                return x->pin ? -1 : 1;
        return x->line < y->line ? -1 : x->line > y->line;
}

int reading_keep_wishes(Reading *reading) {
        Definition *definition = reading->definition;

        if (reading->n_wishes > 0)
                qsort(reading->wishes, reading->n_wishes, sizeof *reading->wishes, compare_wishes);
        for (size_t i = 0; i < reading->n_wishes; i++) {
                const Wish *item = reading->wishes + i, *before = i > 0 ? item - 1 : NULL;
                int r;

                if (item->role == THREAD_ROLE_VCPU && definition->maximum > 0 && item->id >= definition->maximum)
                        return error_set(reading->error, ERROR_INVALID_ARGS,
                                         "line %u: there is no vCPU %u; <vcpu> says that the guest can have 0-%u",
                                         item->line, item->id, definition->maximum - 1);
                if (before && before->pin == item->pin && before->role == item->role && before->id == item->id)
                        return error_set(reading->error, ERROR_INVALID_ARGS, "line %u: the %s of %s %u stands there twice; it is in line %u, too",
                                         item->line, item->pin ? "pin" : "scheduler", thread_role_to_string(item->role), item->id, before->line);
                r = item->pin ? tuning_pin(&definition->tuning, item->role, item->id, &item->cpus) :
                                tuning_schedule(&definition->tuning, item->role, item->id, item->policy, item->priority);
                if (r < 0)
                        return r;
        }
        return 0;
}
