/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads a domain's XML into a definition. What is asked of threads is collected first
 * and sorted, so that a document with many pins costs no more than its length, and then
 * kept; the pins of a guest are checked against its vCPUs when both are known,
 * whatever stood first. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "guest/definition-write.h"
#include "guest/definition.h"
#include "guest/name.h"
#include "xml/reader.h"

/* libvirt's and QEMU's guests have less: 128 cells. */
#define CELLS_MAX 1024u

/* As many characters as tell of what is not kept. */
#define IGNORED_MAX 400u

/* A pin and a scheduler for each thread that there can be, and some more. */
#define WISHES_MAX (4 * VCPU_MAX)

/* What one element asks of one thread. */
typedef struct Wish {
        ThreadRole role;
        uint32_t id;
        bool pin;
        CpuSet cpus;
        SchedulerPolicy policy;
        int priority;
        unsigned line;
} Wish;

typedef struct Reading {
        Definition *definition;
        Wish *wishes;
        size_t n_wishes;
        size_t n_allocated;
        const XmlElement *vcpu, *vcpus;         /* of <domain> */
        Error *error;
} Reading;

static void reading_clear(Reading *reading) {
        for (size_t i = 0; i < reading->n_wishes; i++)
                cpuset_clear(&reading->wishes[i].cpus);
        free(reading->wishes);
        definition_free(reading->definition);
}

static int refuse(const Reading *reading, const XmlElement *element, const char *format, ...) _printf_(3, 4);

static int refuse(const Reading *reading, const XmlElement *element, const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&message, format, ap);
        va_end(ap);
        if (n < 0) {
                message = NULL;
                return -ENOMEM;
        }
        return error_set(reading->error, ERROR_INVALID_ARGS, "line %u: %s", xml_line(element), message);
}

static int refuse_missing(const Reading *reading, const XmlElement *element, const char *attribute) {
        return refuse(reading, element, "<%.32s> has no attribute \"%s\"", xml_name(element), attribute);
}

/* Remembers an element that is not kept. "parent" is NULL for a child of <domain>. */
static int ignore(Reading *reading, const char *parent, const char *name) {
        _cleanup_free_ char *entry = NULL;
        char *ignored = reading->definition->ignored, *longer;
        size_t n;

        if (asprintf(&entry, "%s%s%.64s", parent ?: "", parent ? "/" : "", name) < 0) {
                entry = NULL;
                return -ENOMEM;
        }
        n = strlen(entry);
        for (const char *at = ignored; at && (at = strstr(at, entry)); at += n)
                if ((at == ignored || at[-1] == ' ') && (at[n] == 0 || at[n] == ','))
                        return 0;
        if (ignored && strlen(ignored) + n > IGNORED_MAX) {
                if (strlen(ignored) > 5 && strcmp(ignored + strlen(ignored) - 5, ", ...") == 0)
                        return 0;
                free(entry);
                entry = strdup("...");
                if (!entry)
                        return -ENOMEM;
        }
        if (asprintf(&longer, "%s%s%s", ignored ?: "", ignored ? ", " : "", entry) < 0)
                return -ENOMEM;
        free(ignored);
        reading->definition->ignored = longer;
        return 0;
}

static int number_from_text(const char *text, uint64_t max, uint64_t *ret) {
        unsigned long long number;
        char *end;

        if (!isdigit((unsigned char) *text))
                return -EINVAL;
        errno = 0;
        number = strtoull(text, &end, 10);
        if (*end)
                return -EINVAL;
        if (errno != 0 || number > max)
                return -ERANGE;
        *ret = number;
        return 0;
}

/* Returns 1, or 0 if there is no such attribute. */
static int read_number(const Reading *reading, const XmlElement *element, const char *attribute,
                       uint64_t min, uint64_t max, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        uint64_t number;
        int r;

        r = xml_get_attribute(element, attribute, &text);
        if (r < 0 || !text)
                return r;
        if (number_from_text(text, max, &number) < 0 || number < min)
                return refuse(reading, element, "<%.32s %s=\"%.32s\">: it can be %" PRIu64 " to %" PRIu64,
                              xml_name(element), attribute, text, min, max);
        *ret = number;
        return 1;
}

static int require_id(const Reading *reading, const XmlElement *element, const char *attribute, uint32_t *ret) {
        uint64_t number;
        int r;

        r = read_number(reading, element, attribute, 0, VCPU_MAX - 1, &number);
        if (r < 0)
                return r;
        if (r == 0)
                return refuse_missing(reading, element, attribute);
        *ret = (uint32_t) number;
        return 0;
}

static int list_number(const char **text, uint32_t *ret) {
        uint32_t number = 0;
        const char *p = *text;

        if (!isdigit((unsigned char) *p))
                return -EINVAL;
        for (; isdigit((unsigned char) *p); p++) {
                number = number * 10 + (uint32_t) (*p - '0');
                if (number >= CPUSET_LIMIT)
                        return -ERANGE;
        }
        *text = p;
        *ret = number;
        return 0;
}

#define WORD_BITS 64u
#define WORDS (CPUSET_LIMIT / WORD_BITS)

static void bits_set(uint64_t words[static WORDS], uint32_t first, uint32_t last, bool on) {
        for (uint32_t word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
                uint64_t mask = UINT64_MAX;

                if (word == first / WORD_BITS)
                        mask &= UINT64_MAX << first % WORD_BITS;
                if (word == last / WORD_BITS)
                        mask &= UINT64_MAX >> (WORD_BITS - 1 - last % WORD_BITS);
                words[word] = on ? words[word] | mask : words[word] & ~mask;
        }
}

static bool bits_have(const uint64_t words[static WORDS], uint32_t number) {
        return words[number / WORD_BITS] >> number % WORD_BITS & 1;
}

static int bits_to_set(const uint64_t words[static WORDS], CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};

        for (uint32_t word = 0; word < WORDS; word++)
                for (uint64_t rest = words[word]; rest; rest &= rest - 1) {
                        int r = cpuset_add(&set, word * WORD_BITS + (uint32_t) __builtin_ctzll(rest));

                        if (r < 0)
                                return r;
                }
        *ret = TAKE(set);
        return 0;
}

/* libvirt's lists: like the kernel's, and "^3" takes out again what stood before it.
 * A bit for each number, so that no list costs more than its length. */
static int set_from_text(const char *text, CpuSet *ret) {
        uint64_t words[WORDS] = {};
        const char *p = text;

        for (;;) {
                uint32_t first, last;
                bool out;
                int r;

                while (isspace((unsigned char) *p))
                        p++;
                out = *p == '^';
                p += out;
                r = list_number(&p, &first);
                last = first;
                if (r >= 0 && *p == '-' && !out) {
                        p++;
                        r = list_number(&p, &last);
                }
                if (r < 0)
                        return r;
                if (last < first)
                        return -EINVAL;
                bits_set(words, first, last, !out);
                while (isspace((unsigned char) *p))
                        p++;
                if (*p == 0)
                        return bits_to_set(words, ret);
                if (*p++ != ',')
                        return -EINVAL;
        }
}

/* Returns 1, or 0 if there is no such attribute. */
static int read_set(const Reading *reading, const XmlElement *element, const char *attribute, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet set = {};
        _cleanup_free_ char *text = NULL;
        int r;

        r = xml_get_attribute(element, attribute, &text);
        if (r < 0 || !text)
                return r;
        r = set_from_text(text, &set);
        if (r == -EINVAL || r == -ERANGE)
                return refuse(reading, element, "<%.32s %s=\"%.64s\"> is no list of numbers up to %u, such as \"1-4,^3,6\"",
                              xml_name(element), attribute, text, CPUSET_LIMIT - 1);
        if (r < 0)
                return r;
        if (cpuset_is_empty(&set))
                return refuse(reading, element, "<%.32s %s=\"%.64s\"> leaves nothing", xml_name(element), attribute, text);
        *ret = TAKE(set);
        return 1;
}

static int require_set(const Reading *reading, const XmlElement *element, const char *attribute, CpuSet *ret) {
        int r = read_set(reading, element, attribute, ret);

        return r == 0 ? refuse_missing(reading, element, attribute) : r;
}

static int read_yes(const Reading *reading, const XmlElement *element, const char *attribute, bool missing, bool *ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = xml_get_attribute(element, attribute, &text);
        if (r < 0)
                return r;
        if (text && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
                return refuse(reading, element, "<%.32s %s=\"%.32s\">: it can be \"yes\" or \"no\"", xml_name(element), attribute, text);
        *ret = text ? strcmp(text, "yes") == 0 : missing;
        return 0;
}

static int read_name(Reading *reading, const XmlElement *element) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (reading->definition->name)
                return refuse(reading, element, "a second <name>");
        r = xml_get_text(element, &text);
        if (r < 0)
                return r;
        if (!guest_name_is_valid(text))
                return refuse(reading, element, "\"%.64s\" is no name of a guest: 1 to %u bytes of printable UTF-8, no \"/\", no \".\" at its start",
                              text, GUEST_NAME_MAX);
        reading->definition->name = TAKE_PTR(text);
        return 0;
}

/* Hyphens at their places, or none. */
static int uuid_from_text(const char *text, char ret[static 37]) {
        char uuid[37];
        size_t n = 0;
        bool hyphens = strlen(text) == 36;

        if (!hyphens && strlen(text) != 32)
                return -EINVAL;
        for (; n < 36; n++)
                if (n == 8 || n == 13 || n == 18 || n == 23) {
                        uuid[n] = '-';
                        if (hyphens && *text++ != '-')
                                return -EINVAL;
                } else {
                        if (!isxdigit((unsigned char) *text))
                                return -EINVAL;
                        uuid[n] = (char) tolower((unsigned char) *text++);
                }
        uuid[36] = 0;
        memcpy(ret, uuid, sizeof uuid);
        return 0;
}

static int read_uuid(Reading *reading, const XmlElement *element) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (*reading->definition->uuid)
                return refuse(reading, element, "a second <uuid>");
        r = xml_get_text(element, &text);
        if (r < 0)
                return r;
        if (uuid_from_text(text, reading->definition->uuid) < 0)
                return refuse(reading, element, "\"%.64s\" is no UUID: 32 hexadecimal digits, as in 12345678-1234-1234-1234-123456789abc", text);
        if (strcmp(reading->definition->uuid, "00000000-0000-0000-0000-000000000000") == 0)
                return refuse(reading, element, "a UUID of zeroes alone says nothing; leave out <uuid> for a guest that has none");
        return 0;
}

static int read_maximum(Reading *reading) {
        _cleanup_free_ char *text = NULL;
        Definition *definition = reading->definition;
        uint64_t maximum, current;
        int r;

        r = xml_get_text(reading->vcpu, &text);
        if (r < 0)
                return r;
        if (number_from_text(text, VCPU_MAX, &maximum) < 0 || maximum == 0)
                return refuse(reading, reading->vcpu, "<vcpu>%.32s</vcpu>: a guest can have 1 to %u vCPUs", text, VCPU_MAX);
        definition->maximum = (uint32_t) maximum;
        r = read_set(reading, reading->vcpu, "cpuset", &definition->tuning.default_cpus);
        if (r >= 0)
                r = read_number(reading, reading->vcpu, "current", 1, maximum, &current);
        if (r <= 0)
                return r;
        definition->chosen = true;
        return cpuset_add_range(&definition->enabled, 0, (uint32_t) current - 1);
}

typedef struct VcpuBits {
        uint64_t seen[WORDS];
        uint64_t enabled[WORDS];
        uint64_t fixed[WORDS];
} VcpuBits;

/* One <vcpu> of <vcpus>. */
static int read_vcpu(Reading *reading, const XmlElement *element, VcpuBits *bits) {
        const Definition *definition = reading->definition;
        bool on, hotpluggable;
        uint64_t order;
        uint32_t id;
        int r;

        r = require_id(reading, element, "id", &id);
        if (r >= 0)
                r = read_yes(reading, element, "enabled", true, &on);
        if (r >= 0)
                r = read_yes(reading, element, "hotpluggable", true, &hotpluggable);
        if (r >= 0)
                r = read_number(reading, element, "order", 1, VCPU_MAX, &order);
        if (r < 0)
                return r;
        if (id >= definition->maximum)
                return refuse(reading, element, "there is no vCPU %u; <vcpu> says that the guest can have 0-%u", id, definition->maximum - 1);
        if (bits_have(bits->seen, id))
                return refuse(reading, element, "vCPU %u stands there twice", id);
        if (!on && !hotpluggable)
                return refuse(reading, element, "vCPU %u is neither enabled nor hotpluggable: it could never be there", id);
        bits_set(bits->seen, id, id, true);
        bits_set(bits->enabled, id, id, on);
        bits_set(bits->fixed, id, id, !hotpluggable);
        return 0;
}

/* Those that are not named are off. */
static int read_vcpus(Reading *reading) {
        _cleanup_cpuset_ CpuSet enabled = {};
        Definition *definition = reading->definition;
        VcpuBits bits = {};
        int r;

        if (definition->maximum == 0)
                return refuse(reading, reading->vcpus, "<vcpus> without a <vcpu> that says how many there can be");
        for (const XmlElement *child = xml_first_child(reading->vcpus); child; child = xml_next(child)) {
                r = xml_is(child, NULL, "vcpu") ? read_vcpu(reading, child, &bits) : ignore(reading, "vcpus", xml_name(child));
                if (r < 0)
                        return r;
        }
        r = bits_to_set(bits.enabled, &enabled);
        if (r >= 0)
                r = bits_to_set(bits.fixed, &definition->fixed);
        if (r < 0)
                return r;
        if (cpuset_is_empty(&enabled))
                return refuse(reading, reading->vcpus, "<vcpus> enables no vCPU; a guest has at least 1");
        if (definition->chosen && cpuset_count(&definition->enabled) != cpuset_count(&enabled))
                return refuse(reading, reading->vcpus, "<vcpus> enables %zu vCPUs, and <vcpu current> says %zu",
                              cpuset_count(&enabled), cpuset_count(&definition->enabled));
        cpuset_clear(&definition->enabled);
        definition->enabled = TAKE(enabled);
        definition->chosen = true;
        return 0;
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
                r = require_id(reading, element, id_attribute, &pin.id);
        if (r >= 0)
                r = require_set(reading, element, "cpuset", &pin.cpus);
        return r < 0 ? r : wish(reading, &pin);
}

static int read_scheduler(Reading *reading, const XmlElement *element, ThreadRole role, const char *ids_attribute) {
        _cleanup_cpuset_ CpuSet ids = {};
        Wish scheduler = { .role = role, .line = xml_line(element) };
        _cleanup_free_ char *word = NULL;
        _cleanup_error_ Error checked = {};
        uint64_t priority = 0;
        int r;

        r = ids_attribute ? require_set(reading, element, ids_attribute, &ids) : cpuset_add(&ids, 0);
        if (r >= 0)
                r = xml_get_attribute(element, "scheduler", &word);
        if (r >= 0)
                r = read_number(reading, element, "priority", 0, 99, &priority);
        if (r < 0)
                return r;
        if (!word)
                return refuse_missing(reading, element, "scheduler");
        if (scheduler_policy_from_string(word, &scheduler.policy) < 0)
                return refuse(reading, element, "<%.32s scheduler=\"%.32s\">: it can be \"other\", \"batch\", \"idle\", \"fifo\" or \"rr\"",
                              xml_name(element), word);
        scheduler.priority = (int) priority;
        r = scheduler_check(scheduler.policy, scheduler.priority, &checked);
        if (r < 0)
                return refuse(reading, element, "%s", checked.message ?: "no such scheduler");

        if (reading->n_wishes + cpuset_count(&ids) > WISHES_MAX)
                return refuse(reading, element, "the schedulers up to here are for more than %u threads", WISHES_MAX);
        CPUSET_FOREACH(id, &ids) {
                scheduler.id = id;
                r = wish(reading, &scheduler);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_cputune(Reading *reading, const XmlElement *cputune) {
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
                        r = ignore(reading, "cputune", xml_name(child));
                else if (known[i].pin)
                        r = read_pin(reading, child, known[i].role, known[i].ids);
                else
                        r = read_scheduler(reading, child, known[i].role, known[i].ids);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A cell without an id has the number of its place, as libvirt gives it. */
static int read_cell(Reading *reading, const XmlElement *element, CpuSet *seen) {
        _cleanup_cpuset_ CpuSet vcpus = {}, twice = {};
        Definition *definition = reading->definition;
        uint64_t id = definition->n_cells;
        DefinedCell *cells;
        size_t at;
        int r;

        r = read_number(reading, element, "id", 0, CELLS_MAX - 1, &id);
        if (r >= 0)
                r = read_set(reading, element, "cpus", &vcpus);
        if (r >= 0)
                r = cpuset_and(seen, &vcpus, &twice);
        if (r < 0)
                return r;
        if (definition->n_cells >= CELLS_MAX)
                return refuse(reading, element, "there are more than %u cells", CELLS_MAX);
        if (!cpuset_is_empty(&twice))
                return refuse(reading, element, "vCPU %u is on two cells", twice.ranges[0].first);
        for (size_t i = 0; i < vcpus.n_ranges; i++) {
                r = cpuset_add_range(seen, vcpus.ranges[i].first, vcpus.ranges[i].last);
                if (r < 0)
                        return r;
        }

        for (at = definition->n_cells; at > 0 && definition->cells[at - 1].id >= id; at--)
                if (definition->cells[at - 1].id == id)
                        return refuse(reading, element, "cell %" PRIu64 " stands there twice", id);
        cells = reallocarray(definition->cells, definition->n_cells + 1, sizeof *cells);
        if (!cells)
                return -ENOMEM;
        definition->cells = cells;
        memmove(cells + at + 1, cells + at, (definition->n_cells - at) * sizeof *cells);
        cells[at] = (DefinedCell) { .id = (uint32_t) id, .vcpus = TAKE(vcpus) };
        definition->n_cells++;

        for (const XmlElement *child = xml_first_child(element); child; child = xml_next(child)) {
                r = ignore(reading, "cpu/numa/cell", xml_name(child));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_numa(Reading *reading, const XmlElement *numa) {
        _cleanup_cpuset_ CpuSet seen = {};

        for (const XmlElement *child = xml_first_child(numa); child; child = xml_next(child)) {
                int r = xml_is(child, NULL, "cell") ? read_cell(reading, child, &seen) : ignore(reading, "cpu/numa", xml_name(child));

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_cpu(Reading *reading, const XmlElement *cpu) {
        const XmlElement *numa = NULL;

        for (const XmlElement *child = xml_first_child(cpu); child; child = xml_next(child)) {
                int r;

                if (xml_is(child, NULL, "numa")) {
                        if (numa)
                                return refuse(reading, child, "a second <numa>");
                        numa = child;
                        r = read_numa(reading, child);
                } else
                        r = ignore(reading, "cpu", xml_name(child));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is kept of a run. */
static int read_run(Reading *reading, const XmlElement *element) {
        Definition *definition = reading->definition;
        _cleanup_free_ char *boot = NULL;
        uint64_t pid = 0, ticks = 0;
        int r;

        if (definition->run_pid > 0)
                return refuse(reading, element, "a second <run>");
        r = read_number(reading, element, "pid", 1, INT32_MAX, &pid);
        if (r > 0)
                r = read_number(reading, element, "start", 0, UINT64_MAX, &ticks);
        if (r > 0)
                r = xml_get_attribute(element, "boot", &boot);
        if (r < 0)
                return r;
        if (pid == 0 || !boot || uuid_from_text(boot, definition->run_boot) < 0)
                return refuse(reading, element, "<run> does not name a run: \"pid\", \"start\" and \"boot\" do");
        definition->run_pid = (pid_t) pid;
        definition->run_start_ticks = ticks;
        r = read_set(reading, element, "cpus", &definition->run_base_cpus);
        if (r >= 0 && cpuset_is_empty(&definition->tuning.default_cpus))
                r = read_set(reading, element, "default", &definition->tuning.default_cpus);
        return r < 0 ? r : 0;
}

static int read_ignored(Reading *reading, const XmlElement *element) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = xml_get_text(element, &text);
        if (r < 0)
                return r;
        if (reading->definition->ignored || *text == 0 || strlen(text) > IGNORED_MAX + 100)
                return 0;
        reading->definition->ignored = TAKE_PTR(text);
        return 0;
}

static int read_metadata(Reading *reading, const XmlElement *metadata) {
        for (const XmlElement *child = xml_first_child(metadata); child; child = xml_next(child)) {
                int r;

                if (xml_is(child, BERTH_NAMESPACE, "run"))
                        r = read_run(reading, child);
                else if (xml_is(child, BERTH_NAMESPACE, "ignored"))
                        r = read_ignored(reading, child);
                else
                        r = ignore(reading, "metadata", xml_name(child));
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

static int keep_wishes(Reading *reading) {
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

static int check_cells(Reading *reading, const XmlElement *cpu) {
        const Definition *definition = reading->definition;

        for (size_t i = 0; i < definition->n_cells && definition->maximum > 0; i++) {
                const CpuSet *vcpus = &definition->cells[i].vcpus;

                if (!cpuset_is_empty(vcpus) && vcpus->ranges[vcpus->n_ranges - 1].last >= definition->maximum)
                        return refuse(reading, cpu, "cell %u has a vCPU %u; <vcpu> says that the guest can have 0-%u",
                                      definition->cells[i].id, vcpus->ranges[vcpus->n_ranges - 1].last, definition->maximum - 1);
        }
        return 0;
}

static int read_domain(Reading *reading, const XmlElement *domain) {
        enum { NAME, UUID, VCPU, VCPUS, CPUTUNE, CPU, METADATA, N_KNOWN };
        static const char *const known[N_KNOWN] = { "name", "uuid", "vcpu", "vcpus", "cputune", "cpu", "metadata" };
        const XmlElement *found[N_KNOWN] = {};
        int r = 0;

        if (!xml_is(domain, NULL, "domain"))
                return refuse(reading, domain, "the document is a <%.32s>, and has to be a <domain>", xml_name(domain));
        for (const XmlElement *child = xml_first_child(domain); child; child = xml_next(child)) {
                size_t i = 0;

                while (i < N_KNOWN && !xml_is(child, NULL, known[i]))
                        i++;
                if (i == N_KNOWN)
                        r = ignore(reading, NULL, xml_name(child));
                else if (found[i])
                        r = refuse(reading, child, "a second <%s>; the first is in line %u", known[i], xml_line(found[i]));
                else
                        found[i] = child;
                if (r < 0)
                        return r;
        }
        reading->vcpu = found[VCPU];
        reading->vcpus = found[VCPUS];

        if (found[NAME])
                r = read_name(reading, found[NAME]);
        if (r >= 0 && found[UUID])
                r = read_uuid(reading, found[UUID]);
        if (r >= 0 && found[METADATA])
                r = read_metadata(reading, found[METADATA]);
        if (r >= 0 && found[VCPU])
                r = read_maximum(reading);
        if (r >= 0 && found[VCPUS])
                r = read_vcpus(reading);
        if (r >= 0 && found[CPUTUNE])
                r = read_cputune(reading, found[CPUTUNE]);
        if (r >= 0 && found[CPU])
                r = read_cpu(reading, found[CPU]);
        if (r >= 0 && found[CPU])
                r = check_cells(reading, found[CPU]);
        return r < 0 ? r : keep_wishes(reading);
}

int definition_parse(const char *xml, size_t length, Error *error, Definition **ret) {
        _cleanup_(xml_document_freep) XmlDocument *document = NULL;
        _cleanup_(reading_clear) Reading reading = { .error = error };
        int r;

        r = xml_document_parse(xml, length, DEFINITION_MAX, error, &document);
        if (r >= 0)
                r = definition_new(NULL, "", &reading.definition);
        if (r >= 0)
                r = read_domain(&reading, xml_document_root(document));
        if (r < 0)
                return r;

        *ret = TAKE_PTR(reading.definition);
        return 0;
}
