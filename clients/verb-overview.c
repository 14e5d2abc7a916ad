/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The machine at a glance, in no more lines than a terminal has: first the few
 * lines that sum it up, last the warnings with at most a third of the lines, and
 * between them a few of the guests with where they run, and as many cells as find room. */

#include <inttypes.h>
#include <string.h>

#include "cpulist.h"
#include "fields.h"
#include "guests.h"
#include "show.h"
#include "units.h"

enum { LABEL = 9 };

#define NBSP "\u00a0"

typedef struct Overview {
        Host host;
        json_object *caches;
        json_object *guests, *guest_paths;
        json_object *guest_vcpus; /* of the first of them */
} Overview;

static void overview_clear(Overview *o) {
        host_clear(&o->host);
        json_object_put(o->caches);
        json_object_put(o->guests);
        json_object_put(o->guest_paths);
        json_object_put(o->guest_vcpus);
}

static unsigned cpus_count(json_object *topology, const char *name) {
        CpuList list;

        return cpulist_parse(field_string(topology, name), &list) < 0 ? 0 : cpulist_count(&list);
}

static void put_host(FILE *f, json_object *topology) {
        const char *model = field_string(topology, "Model"), *vendor = field_string(topology, "Vendor");
        const char *arch = field_string(topology, "Arch");

        fprintf(f, "%s%s%s", *model ? model : vendor, *arch && (*model || *vendor) ? ", " : "", arch);
}

static void put_count(FILE *f, const char *before, uint64_t n, const char *one) {
        if (n > 0)
                fprintf(f, "%s%" PRIu64 " %s%s", before, n, one, n == 1 ? "" : "s");
}

static void put_cpus(FILE *f, json_object *topology) {
        uint64_t threads = field_number_or(topology, "Threads", 0), cores = field_number_or(topology, "Cores", 0);
        uint64_t sockets = field_number_or(topology, "Sockets", 0), dies = field_number_or(topology, "Dies", 0);
        unsigned present = cpus_count(topology, "PresentCpus");
        const char *isolated = field_string(topology, "IsolatedCpus");

        fprintf(f, "%" PRIu64 " online", threads);
        if (present > threads)
                fprintf(f, " of %u", present);
        put_count(f, ": ", sockets, "socket");
        if (dies > sockets)
                put_count(f, ", ", dies, "die");
        put_count(f, sockets > 0 ? ", " : ": ", cores, "core");
        if (cores > 0 && threads > cores && threads % cores == 0)
                fprintf(f, ", %" PRIu64 " threads each", threads / cores);
        if (*isolated)
                fprintf(f, ", %s isolated", isolated);
}

/* "L1d 4 x 32 KiB, L2 …": caches come level by level, so that those of one kind
 * stand together, but not those of one kind and one size. */
static void put_caches(FILE *f, json_object *caches) {
        typedef struct Kind {
                char *name;
                uint64_t size;
                unsigned count;
        } Kind;
        Kind kinds[16] = {};
        size_t n = 0;

        for (size_t i = 0; i < list_length(caches); i++) {
                json_object *cache = json_object_array_get_idx(caches, i);
                uint64_t size = field_number_or(cache, "size", 0);
                _cleanup_free_ char *name = cache_name(cache);
                size_t k = 0;

                if (!name)
                        continue;
                while (k < n && (kinds[k].size != size || strcmp(kinds[k].name, name) != 0))
                        k++;
                if (k == ELEMENTS(kinds))
                        continue;
                if (k == n) {
                        kinds[n].name = TAKE(name);
                        kinds[n++].size = size;
                }
                kinds[k].count++;
        }
        for (size_t k = 0; k < n; k++) {
                char size[UNIT_TEXT_MAX] = "";
                if (kinds[k].size > 0)
                        bytes_format(size, kinds[k].size);
                /* What belongs together stays on one line: with spaces that do not break. */
                fprintf(f, "%s%s" NBSP "%u", k > 0 ? ", " : "", kinds[k].name, kinds[k].count);
                if (*size)
                        fputs(NBSP "×" NBSP, f);
                for (const char *c = size; *c; c++)
                        fprintf(f, "%s", *c == ' ' ? NBSP : (char[]) { *c, '\0' });
                free(kinds[k].name);
        }
}

static void put_memory(FILE *f, const Host *host) {
        uint64_t total = 0, available = 0, n;
        bool told = false;
        char buffer[UNIT_TEXT_MAX];

        for (size_t i = 0; i < list_length(host->cells); i++) {
                json_object *cell = json_object_array_get_idx(host->cells, i);
                total += field_number_or(cell, "Memory", 0);
                if (field_number(cell, "FreeMemory", &n)) {
                        available += n;
                        told = true;
                }
        }
        if (total > 0)
                fprintf(f, "%s in ", bytes_format(buffer, total));
        fprintf(f, "%zu cell%s", list_length(host->cells), list_length(host->cells) == 1 ? "" : "s");
        if (told)
                fprintf(f, ", %s free", bytes_format(buffer, available));
}

/* "memory, idle; disk blocked": the three ways to sleep that the others are made of. */
static void put_sleep(FILE *f, json_object *power) {
        static const struct {
                const char *property, *name;
        } ways[] = {
                { "CanSuspendMem", "memory" }, { "CanSuspendIdle", "idle" }, { "CanSuspendDisk", "disk" },
        };
        bool some = false, blocked = false;

        for (size_t i = 0; i < ELEMENTS(ways); i++)
                if (strcmp(field_string(power, ways[i].property), "yes") == 0) {
                        fprintf(f, "%s%s", some ? ", " : "", ways[i].name);
                        some = true;
                }
        for (size_t i = 0; i < ELEMENTS(ways); i++)
                if (strcmp(field_string(power, ways[i].property), "blocked") == 0) {
                        fprintf(f, "%s%s", blocked ? ", " : some ? "; " : "", ways[i].name);
                        blocked = true;
                }
        if (power)
                fprintf(f, "%s", blocked ? " blocked: 'berthctl power' tells why" : some ? "" : "none: 'berthctl power' tells why");
}

static unsigned lines_count(const char *text) {
        unsigned n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

static void show_summary(const Terminal *t, const Overview *o) {
        const char *const labels[] = { "Host", "CPUs", "Caches", "Memory", "Sleep" };

        for (size_t i = 0; i < ELEMENTS(labels); i++) {
                _cleanup_free_ char *text = NULL;
                size_t size;
                FILE *f = open_memstream(&text, &size);
                if (!f)
                        return;
                switch (i) {
                case 0:
                        put_host(f, o->host.topology);
                        break;
                case 1:
                        put_cpus(f, o->host.topology);
                        break;
                case 2:
                        put_caches(f, o->caches);
                        break;
                case 3:
                        put_memory(f, &o->host);
                        break;
                case 4:
                        put_sleep(f, o->host.power);
                        break;
                }
                fclose(f);
                show_wrapped(t, labels[i], LABEL, text, MAX(t->columns, 40u));
        }
}

/* The service's own warnings, those about the machine and those about guests, in one list. */
static json_object *warnings_join(const Overview *o) {
        json_object *all = json_object_new_array();
        json_object *const lists[] = {
                field_list(o->host.manager, "Warnings"),
                field_list(o->host.topology, "Warnings"),
        };

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                for (size_t j = 0; j < list_length(lists[i]); j++)
                        json_object_array_add(all, json_object_get(json_object_array_get_idx(lists[i], j)));
        for (size_t i = 0; i < list_length(o->guests); i++)
                guest_add_warnings(json_object_array_get_idx(o->guests, i), all);
        return all;
}

/* As many of the warnings as fit into @max_lines, but one at least, as text. */
static char *render_warnings(const Terminal *t, json_object *warnings, bool guests, unsigned max_lines) {
        size_t n = list_length(warnings);

        for (size_t show = n;; show--) {
                char *text = NULL;
                size_t size;
                Terminal memory = *t;

                memory.file = open_memstream(&text, &size);
                if (!memory.file)
                        return NULL;
                show_warnings(&memory, warnings, show);
                if (show < n)
                        terminal_printf(&memory, "… and %zu more; 'berthctl topology' shows those of the machine%s.\n", n - show,
                                        guests ? ", 'berthctl domains' those of guests" : "");
                fclose(memory.file);
                if (lines_count(text) <= max_lines || show <= 1)
                        return text;
                free(text);
        }
}

/* As many rows of a table as fit into @max_lines, but one at least: the cells, or the guests. */
static ExitCode render_rows(const Ctl *ctl, const Overview *o, bool guests, unsigned max_lines, char **ret) {
        size_t n = list_length(guests ? o->guests : o->host.cells), show = MIN(n, (size_t) max_lines);
        const Terminal *t = &ctl->terminal;

        for (;; show--) {
                char *text = NULL;
                size_t size;
                Terminal memory = *t;
                ExitCode e;

                memory.file = open_memstream(&text, &size);
                if (!memory.file)
                        return fail_no_memory(ctl);
                e = guests ? show_guests_placed(ctl, &memory, o->guests, o->guest_vcpus, &o->host, show)
                           : show_cells(ctl, &memory, &o->host, show);
                if (show < n)
                        terminal_printf(&memory, "… and %zu more: 'berthctl %s' shows all.\n", n - show,
                                        guests ? "domains" : "cells");
                fclose(memory.file);
                if (e == CTL_DONE && (lines_count(text) <= max_lines || show <= 1)) {
                        *ret = text;
                        return CTL_DONE;
                }
                free(text);
                if (e != CTL_DONE)
                        return e;
        }
}

/* As many guests as may be shown are asked where their vCPUs are. */
static unsigned guest_lines(unsigned lines) {
        return MAX(lines / 4, 3u);
}

static ExitCode show_overview(Ctl *ctl, Overview *o) {
        const Terminal *t = &ctl->terminal;
        _cleanup_json_ json_object *warnings = warnings_join(o);
        _cleanup_free_ char *warnings_text = NULL, *cells_text = NULL, *guests_text = NULL, *summary = NULL;
        unsigned lines = t->rows > 1 ? t->rows - 1 : 1; /* the prompt takes one */
        size_t size;
        Terminal memory = *t;
        ExitCode e;

        memory.file = open_memstream(&summary, &size);
        if (!memory.file)
                return fail_no_memory(ctl);
        show_summary(&memory, o);
        fclose(memory.file);

        warnings_text = render_warnings(t, warnings, list_length(o->guests) > 0, lines / 3);
        if (!warnings_text)
                return fail_no_memory(ctl);
        if (list_length(o->guests) > 0) {
                e = guests_list_vcpus(ctl, o->guest_paths, guest_lines(lines), &o->guest_vcpus);
                if (e == CTL_DONE)
                        e = render_rows(ctl, o, true, guest_lines(lines), &guests_text);
                if (e != CTL_DONE)
                        return e;
        }

        unsigned used = lines_count(summary) + 1 + (*warnings_text ? lines_count(warnings_text) + 1 : 0) +
                (guests_text ? lines_count(guests_text) + 1 : 0);
        e = render_rows(ctl, o, false, lines > used ? lines - used : 1, &cells_text);
        if (e != CTL_DONE)
                return e;
        fprintf(t->file, "%s%s%s%s%s%s%s", summary, *cells_text ? "\n" : "", cells_text, guests_text ? "\n" : "",
                guests_text ?: "", *warnings_text ? "\n" : "", warnings_text);
        return CTL_DONE;
}

int verb_overview(Ctl *ctl) {
        _cleanup_(overview_clear) Overview o = {};
        ExitCode e;

        e = host_load(ctl, &o.host);
        if (e == CTL_DONE)
                e = host_load_free(ctl, &o.host);
        if (e == CTL_DONE)
                e = host_list_caches(ctl, &o.caches);
        if (e == CTL_DONE)
                e = guests_take(ctl, o.host.objects, &o.guests, &o.guest_paths);
        if (e != CTL_DONE)
                return e;

        if (ctl->json == JSON_OFF)
                return show_overview(ctl, &o);
        _cleanup_json_ json_object *all = json_object_new_object();
        json_object_object_add(all, "Manager", json_object_get(o.host.manager));
        json_object_object_add(all, "Topology", json_object_get(o.host.topology));
        if (o.host.power)
                json_object_object_add(all, "Power", json_object_get(o.host.power));
        json_object_object_add(all, "Cells", json_object_get(o.host.cells));
        json_object_object_add(all, "Caches", json_object_get(o.caches));
        json_object_object_add(all, "Domains", json_object_get(o.guests));
        return ctl_print_json(ctl, all);
}
