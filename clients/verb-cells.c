/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The cells: all of them as a table with the distances below it, which takes
 * three calls however many there are; or some of them with all that is known of
 * each. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bus.h"
#include "fields.h"
#include "show.h"
#include "table.h"
#include "units.h"

enum { LABEL = 11 };

/* "10 to 0, 21 to 1-3": by distance, the nearest first. To be freed. */
static char *distances_format(const Host *host, json_object *cell) {
        json_object *distances;
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        uint64_t last = 0;
        bool any = false;

        if (!f)
                return NULL;
        json_object_object_get_ex(cell, "Distances", &distances);
        for (;;) {
                uint64_t next = UINT64_MAX, run_start = UINT64_MAX, run_end = 0;

                json_object_object_foreach(distances, key, value) {
                        uint64_t d = json_object_get_uint64(value);
                        (void) key;
                        if ((!any || d > last) && d < next)
                                next = d;
                }
                if (next == UINT64_MAX)
                        break;
                fprintf(f, "%s%" PRIu64 " to ", any ? "; " : "", next);
                bool first = true;
                /* The cells at that distance, those that stand next to each other in the list as a run. */
                for (size_t i = 0; i <= list_length(host->cells); i++) {
                        json_object *other = i < list_length(host->cells) ? json_object_array_get_idx(host->cells, i) : NULL;
                        uint64_t id = field_number_or(other, "Id", UINT64_MAX), d = 0;
                        char name[24];

                        snprintf(name, sizeof name, "%" PRIu64, id);
                        bool here = other && field_number(distances, name, &d) && d == next;
                        if (here && run_start != UINT64_MAX && id == run_end + 1) {
                                run_end = id;
                                continue;
                        }
                        if (run_start != UINT64_MAX) {
                                fprintf(f, "%s%" PRIu64, first ? "" : ",", run_start);
                                if (run_end > run_start)
                                        fprintf(f, "-%" PRIu64, run_end);
                                first = false;
                                run_start = UINT64_MAX;
                        }
                        if (here)
                                run_start = run_end = id;
                }
                last = next;
                any = true;
        }
        fclose(f);
        return text;
}

static void show_matrix(const Terminal *t, const Host *host, unsigned width) {
        size_t n = list_length(host->cells);

        terminal_style(t, STYLE_HEADING);
        terminal_put(t, "DISTANCE");
        for (size_t j = 0; j < n; j++)
                terminal_printf(t, "%*" PRIu64, (int) width,
                                field_number_or(json_object_array_get_idx(host->cells, j), "Id", 0));
        terminal_style(t, STYLE_NORMAL);
        terminal_put(t, "\n");
        for (size_t i = 0; i < n; i++) {
                json_object *cell = json_object_array_get_idx(host->cells, i), *distances;

                json_object_object_get_ex(cell, "Distances", &distances);
                terminal_printf(t, "%8" PRIu64, field_number_or(cell, "Id", 0));
                for (size_t j = 0; j < n; j++) {
                        char name[24];
                        uint64_t d;

                        snprintf(name, sizeof name, "%" PRIu64,
                                 field_number_or(json_object_array_get_idx(host->cells, j), "Id", 0));
                        if (field_number(distances, name, &d))
                                terminal_printf(t, "%*" PRIu64, (int) width, d);
                        else
                                terminal_printf(t, "%*s", (int) width, "-");
                }
                terminal_put(t, "\n");
        }
}

/* All distances: as a matrix where it is not wider than the terminal. */
static void show_distances(const Terminal *t, const Host *host) {
        size_t n = list_length(host->cells);
        unsigned digits = 2;
        bool any = false;

        for (size_t i = 0; i < n; i++) {
                json_object *cell = json_object_array_get_idx(host->cells, i), *distances;
                char text[24];

                digits = MAX(digits, (unsigned) snprintf(text, sizeof text, "%" PRIu64, field_number_or(cell, "Id", 0)));
                if (!json_object_object_get_ex(cell, "Distances", &distances))
                        continue;
                json_object_object_foreach(distances, key, value) {
                        (void) key;
                        any = true;
                        digits = MAX(digits, (unsigned) snprintf(text, sizeof text, "%" PRIu64, json_object_get_uint64(value)));
                }
        }
        if (n < 2 || !any)
                return;
        terminal_put(t, "\n");
        if (8 + n * (digits + 2) <= t->columns) {
                show_matrix(t, host, digits + 2);
                return;
        }
        static const Column columns[] = { { "CELL", .right = true }, { "DISTANCES", .wraps = true }, {} };
        _cleanup_table_ Table *table = table_new(columns);
        for (size_t i = 0; table && i < n; i++) {
                json_object *cell = json_object_array_get_idx(host->cells, i);
                _cleanup_free_ char *distances = distances_format(host, cell);
                if (table_addf(table, "%" PRIu64, field_number_or(cell, "Id", 0)) < 0 || table_add(table, distances) < 0)
                        return;
        }
        if (table)
                table_print(table, t, UINT32_MAX);
}

/* A list of lists of numbers as a list of objects with these keys. */
static json_object *rows_to_objects(json_object *rows, const char *const *keys) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < list_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i), *object = json_object_new_object();
                for (size_t k = 0; keys[k]; k++)
                        json_object_object_add(object, keys[k], json_object_get(json_object_array_get_idx(row, k)));
                json_object_array_add(list, object);
        }
        return list;
}

/* Adds "Pages", "MemoryStats", "Devices" and "Access" to a cell. */
static ExitCode cell_load_details(Ctl *ctl, json_object *cell) {
        static const char *const page_keys[] = { "size", "total", "free", NULL };
        static const Field device_fields[] = {
                { "address", json_type_string }, { "class", json_type_string }, { "driver", json_type_string },
                { "name", json_type_string },    {},
        };
        static const Field access_fields[] = {
                { "initiator", json_type_int },         { "class", json_type_int },
                { "read_latency_ns", json_type_int },   { "write_latency_ns", json_type_int },
                { "read_bandwidth_mbs", json_type_int }, { "write_bandwidth_mbs", json_type_int },
                {},
        };
        static const struct {
                const char *member, *reply, *key;
                const Field *fields;
        } details[] = {
                { "GetPages", "a(ttt)", "Pages", NULL },
                { "GetMemoryStats", "a{st}", "MemoryStats", NULL },
                { "ListDevices", "aa{sv}", "Devices", device_fields },
                { "GetAccess", "aa{sv}", "Access", access_fields },
        };
        char path[64];

        snprintf(path, sizeof path, BERTH_HOST_PATH "/cells/%" PRIu64, field_number_or(cell, "Id", 0));
        for (size_t i = 0; i < ELEMENTS(details); i++) {
                const Call call = { path, BERTH_CELL, details[i].member, details[i].reply, false };
                _cleanup_json_ json_object *answer = NULL;
                const char *wrong;
                ExitCode e;

                e = bus_call(ctl, &call, &answer, NULL);
                if (e != CTL_DONE)
                        return e;
                for (size_t j = 0; details[i].fields && j < list_length(answer); j++)
                        if (!fields_check(json_object_array_get_idx(answer, j), details[i].fields, &wrong))
                                return host_fail_malformed(ctl, call.member, wrong);
                json_object_object_add(cell, details[i].key,
                                       i == 0 ? rows_to_objects(answer, page_keys) : json_object_get(answer));
        }
        return CTL_DONE;
}

static void show_pages(const Terminal *t, json_object *cell) {
        json_object *pages = field_list(cell, "Pages");

        for (size_t i = 0; i < list_length(pages); i++) {
                json_object *entry = json_object_array_get_idx(pages, i);
                char size[UNIT_TEXT_MAX], text[128];

                snprintf(text, sizeof text, "%" PRIu64 " of %s, %" PRIu64 " free", field_number_or(entry, "total", 0),
                         bytes_format(size, field_number_or(entry, "size", 0)), field_number_or(entry, "free", 0));
                show_line(t, i == 0 ? "Pages" : "", LABEL, text);
        }
}

/* What the memory is used for, by the larger of the kernel's accounts. */
static void show_use(const Terminal *t, json_object *cell) {
        static const struct {
                const char *name, *label;
        } accounts[] = {
                { "AnonPages", "anonymous" }, { "FilePages", "files" }, { "Shmem", "of these shared" }, { "Slab", "kernel" },
        };
        char text[256] = "", size[UNIT_TEXT_MAX];
        json_object *stats;
        uint64_t n;

        json_object_object_get_ex(cell, "MemoryStats", &stats);
        for (size_t i = 0; i < ELEMENTS(accounts); i++)
                if (field_number(stats, accounts[i].name, &n) && n > 0)
                        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %s", *text ? ", " : "",
                                 bytes_format(size, n), accounts[i].label);
        show_line(t, "Used by", LABEL, text);
}

static void put_speed(FILE *f, const char *what, json_object *entry, const char *latency, const char *bandwidth) {
        bool has_latency, has_bandwidth;
        uint64_t ns, mbs;

        has_latency = field_number(entry, latency, &ns);
        has_bandwidth = field_number(entry, bandwidth, &mbs);
        if (has_latency || has_bandwidth)
                fprintf(f, ", %s", what);
        if (has_latency)
                fprintf(f, " %" PRIu64 " ns", ns);
        if (has_bandwidth)
                fprintf(f, "%s %" PRIu64 " MiB/s", has_latency ? "," : "", mbs);
}

static void show_access(const Terminal *t, json_object *cell) {
        json_object *access = field_list(cell, "Access");

        for (size_t i = 0; i < list_length(access); i++) {
                json_object *entry = json_object_array_get_idx(access, i);
                _cleanup_free_ char *text = NULL;
                size_t size;
                uint64_t n;
                FILE *f = open_memstream(&text, &size);
                if (!f)
                        return;
                if (field_number(entry, "initiator", &n))
                        fprintf(f, "from cell %" PRIu64, n);
                if (field_number(entry, "class", &n))
                        fprintf(f, " (class %" PRIu64 ")", n);
                put_speed(f, "read", entry, "read_latency_ns", "read_bandwidth_mbs");
                put_speed(f, "write", entry, "write_latency_ns", "write_bandwidth_mbs");
                fclose(f);
                show_line(t, i == 0 ? "Access" : "", LABEL, text);
        }
}

static void show_devices(const Terminal *t, json_object *cell) {
        json_object *devices = field_list(cell, "Devices");

        for (size_t i = 0; i < list_length(devices); i++) {
                json_object *device = json_object_array_get_idx(devices, i);
                const char *driver = field_string(device, "driver"), *name = field_string(device, "name");
                _cleanup_free_ char *text = NULL;

                if (asprintf(&text, "%s  %s%s%s%s", field_string(device, "address"),
                             *name ? name : field_string(device, "class"), *driver ? " (" : "", driver,
                             *driver ? ")" : "") < 0) {
                        text = NULL;
                        return;
                }
                show_line(t, i == 0 ? "Devices" : "", LABEL, text);
        }
}

static void show_cell(const Ctl *ctl, const Host *host, json_object *cell) {
        const Terminal *t = &ctl->terminal;
        const char *cpus = field_string(cell, "Cpus");
        _cleanup_free_ char *sockets = numbers_format(field_list(cell, "Sockets"));
        _cleanup_free_ char *distances = distances_format(host, cell);
        char text[2 * UNIT_TEXT_MAX + 16], size[UNIT_TEXT_MAX];
        uint64_t n;

        terminal_style(t, STYLE_HEADING);
        terminal_printf(t, "Cell %" PRIu64 "\n", field_number_or(cell, "Id", 0));
        terminal_style(t, STYLE_NORMAL);
        show_line(t, "CPUs", LABEL, *cpus ? cpus : "none");
        show_line(t, "Sockets", LABEL, sockets);
        *text = '\0';
        if (field_number(cell, "Memory", &n) && n > 0)
                snprintf(text, sizeof text, "%s", bytes_format(size, n));
        if (field_number(cell, "FreeMemory", &n))
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s free", *text ? ", " : "", bytes_format(size, n));
        show_line(t, "Memory", LABEL, text);
        show_use(t, cell);
        show_pages(t, cell);
        if (field_number(cell, "CacheSize", &n) && n > 0)
                show_line(t, "Cache", LABEL, bytes_format(size, n));
        show_line(t, "Distances", LABEL, distances);
        show_access(t, cell);
        show_devices(t, cell);
}

/* "0-1,45", for the message about a cell that is not there. To be freed. */
static char *cell_ids_format(const Host *host) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0, n = list_length(host->cells); i < n;) {
                uint64_t first = field_number_or(json_object_array_get_idx(host->cells, i), "Id", 0), last = first;
                fprintf(f, "%s%" PRIu64, i > 0 ? "," : "", first);
                while (++i < n && field_number_or(json_object_array_get_idx(host->cells, i), "Id", 0) == last + 1)
                        last++;
                if (last > first)
                        fprintf(f, "-%" PRIu64, last);
        }
        fclose(f);
        return text;
}

/* The cells that were named, in a list of its own. */
static ExitCode cells_select(const Ctl *ctl, const Host *host, json_object **ret) {
        _cleanup_json_ json_object *list = json_object_new_array();

        for (unsigned i = 0; i < ctl->n_arguments; i++) {
                uint64_t id;

                if (!number_parse(ctl->arguments[i], UINT32_MAX, &id))
                        return ctl_fail(ctl, CTL_USAGE, "'%s' is no cell: a cell has a number; 'berthctl cells' shows them.",
                                        ctl->arguments[i]);
                json_object *cell = host_find_cell(host, id);
                if (!cell) {
                        _cleanup_free_ char *ids = cell_ids_format(host);
                        return ctl_fail(ctl, CTL_NO_SUCH_OBJECT, "There is no cell %" PRIu64 " on this host; its cells are %s.", id,
                                        ids && *ids ? ids : "none");
                }
                json_object_array_add(list, json_object_get(cell));
        }
        *ret = TAKE(list);
        return CTL_DONE;
}

int verb_cells(Ctl *ctl) {
        _cleanup_host_ Host host = HOST_NONE;
        _cleanup_json_ json_object *selected = NULL;
        ExitCode e;

        e = host_load(ctl, &host);
        if (e == CTL_DONE)
                e = cells_select(ctl, &host, &selected);
        if (e == CTL_DONE)
                e = host_load_free(ctl, &host);
        for (size_t i = 0; i < list_length(selected) && e == CTL_DONE; i++)
                e = cell_load_details(ctl, json_object_array_get_idx(selected, i));
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, ctl->n_arguments > 0 ? selected : host.cells);
        if (ctl->n_arguments == 0) {
                e = show_cells(ctl, &ctl->terminal, &host, UINT32_MAX);
                if (e == CTL_DONE)
                        show_distances(&ctl->terminal, &host);
                return e;
        }
        for (size_t i = 0; i < list_length(selected); i++) {
                if (i > 0)
                        terminal_put(&ctl->terminal, "\n");
                show_cell(ctl, &host, json_object_array_get_idx(selected, i));
        }
        return CTL_DONE;
}
