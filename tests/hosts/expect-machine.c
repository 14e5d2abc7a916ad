/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What concerns the whole machine: summary{}, kernel{}, identity{}, caches[],
 * hmat{}. */

#include "expect-parts.h"

#include <string.h>

enum { KIB = 1024 };

static void compare_count(Context *context, const char *name, GVariant *properties, const char *property,
                          json_object *value) {
        g_autofree char *where = g_strdup_printf("summary.%s (%s)", name, property);
        guint32 seen;

        g_assert_true(seen_u32(properties, property, &seen));
        report_compare_number(context->report, where, (guint64) json_object_get_int64(value), seen);
}

/* How many CPUs are in a list; 0 for an empty one. */
static guint count_list(GVariant *properties, const char *property) {
        g_autofree char *list = seen_string(properties, property);
        g_autoptr(GArray) numbers = NULL;

        g_assert_nonnull(list);
        numbers = numbers_from_list(list);
        g_assert_nonnull(numbers);
        return numbers->len;
}

/* --- summary */

static void summary_cpus_present(Context *context, json_object *value) {
        guint64 expected = (guint64) json_object_get_int64(value);

        report_compare_number(context->report, "summary.cpus_present (ListCpus)", expected,
                              g_variant_n_children(context->seen->cpus));
        report_compare_number(context->report, "summary.cpus_present (PresentCpus)", expected,
                              count_list(context->seen->topology, "PresentCpus"));
}

static void summary_cpus_online(Context *context, json_object *value) {
        compare_count(context, "cpus_online", context->seen->topology, "Threads", value);
        report_compare_number(context->report, "summary.cpus_online (OnlineCpus)", (guint64) json_object_get_int64(value),
                              count_list(context->seen->topology, "OnlineCpus"));
}

static void summary_cpus_possible(Context *context, json_object *value) {
        report_compare_number(context->report, "summary.cpus_possible", (guint64) json_object_get_int64(value),
                              count_list(context->seen->topology, "PossibleCpus"));
}

static void summary_cells(Context *context, json_object *value) {
        compare_count(context, "cells", context->seen->cells, "Count", value);
}

static void summary_cells_without_cpus(Context *context, json_object *value) {
        g_autoptr(GArray) expected = numbers_from_json(value), seen = numbers_new();
        g_autofree char *expected_list = numbers_to_list(expected), *seen_list = NULL;

        for (guint i = 0; i < context->seen->cell->len; i++) {
                SeenCell *cell = g_ptr_array_index(context->seen->cell, i);
                g_autofree char *cpus = seen_string(cell->properties, "Cpus");

                if (!cpus[0])
                        numbers_add(seen, cell->id);
        }
        seen_list = numbers_to_list(seen);
        report_compare(context->report, "summary.cells_without_cpus", expected_list, seen_list);
}

/* Those of which the kernel says so; a cell of which it does not tell shows 0
 * too, but cannot tell what is free. */
static void summary_cells_without_memory(Context *context, json_object *value) {
        g_autoptr(GArray) expected = numbers_from_json(value), seen = numbers_new();
        g_autofree char *expected_list = numbers_to_list(expected), *seen_list = NULL;

        for (guint i = 0; i < context->seen->cell->len; i++) {
                SeenCell *cell = g_ptr_array_index(context->seen->cell, i);
                guint64 memory;

                g_assert_true(seen_u64(cell->properties, "Memory", &memory));
                if (memory == 0 && cell->free_told)
                        numbers_add(seen, cell->id);
        }
        seen_list = numbers_to_list(seen);
        report_compare(context->report, "summary.cells_without_memory", expected_list, seen_list);
}

static void summary_packages(Context *context, json_object *value) {
        compare_count(context, "packages", context->seen->topology, "Sockets", value);
}

static void summary_dies(Context *context, json_object *value) {
        compare_count(context, "dies", context->seen->topology, "Dies", value);
}

static void summary_clusters(Context *context, json_object *value) {
        report_compare_number(context->report, "summary.clusters", (guint64) json_object_get_int64(value),
                              json_object_array_length(fields_get(context->expected, "clusters")));
}

static void summary_cores(Context *context, json_object *value) {
        compare_count(context, "cores", context->seen->topology, "Cores", value);
}

static void summary_threads(Context *context, json_object *value) {
        guint64 expected = (guint64) json_object_get_int64(value), most = 0;
        gboolean smt;

        for (gsize i = 0; i < g_variant_n_children(context->seen->cpus); i++) {
                g_autoptr(GVariant) cpu = g_variant_get_child_value(context->seen->cpus, i);
                g_autofree char *siblings = seen_string(cpu, "siblings");
                g_autoptr(GArray) numbers = siblings ? numbers_from_list(siblings) : NULL;

                if (numbers)
                        most = MAX(most, numbers->len);
        }
        report_compare_number(context->report, "summary.threads_per_core_max (siblings)", expected, most);

        g_assert_true(seen_bool(context->seen->topology, "SmtActive", &smt));
        report_compare(context->report, "summary.threads_per_core_max (SmtActive)", expected > 1 ? "yes" : "no",
                       smt ? "yes" : "no");
}

static void summary_caches(Context *context, json_object *value) {
        report_compare_number(context->report, "summary.caches", (guint64) json_object_get_int64(value),
                              g_variant_n_children(context->seen->caches));
}

static void summary_memory(Context *context, json_object *value) {
        guint64 sum = 0;

        for (guint i = 0; i < context->seen->cell->len; i++) {
                SeenCell *cell = g_ptr_array_index(context->seen->cell, i);
                guint64 memory;

                g_assert_true(seen_u64(cell->properties, "Memory", &memory));
                sum += memory;
        }
        report_compare_number(context->report, "summary.memory_kib_total",
                              (guint64) json_object_get_int64(value) * KIB, sum);
}

void expect_summary(Context *context, json_object *value) {
        static const Field fields[] = {
                { "cpus_present", summary_cpus_present },
                { "cpus_online", summary_cpus_online },
                { "cpus_possible", summary_cpus_possible },
                { "cells", summary_cells },
                { "cells_without_cpus", summary_cells_without_cpus },
                { "cells_without_memory", summary_cells_without_memory },
                { "packages", summary_packages },
                { "dies", summary_dies },
                { "clusters", summary_clusters },
                { "cores", summary_cores },
                { "threads_per_core_max", summary_threads },
                { "caches", summary_caches },
                { "memory_kib_total", summary_memory },
                {},
        };

        fields_compare(context, fields, value);
}

/* --- kernel: its own lists. null = it has no such file. */

static void compare_list(Context *context, const char *name, const char *property, json_object *value) {
        g_autofree char *seen = seen_string(context->seen->topology, property);
        g_autofree char *where = g_strdup_printf("kernel.%s (%s)", name, property);

        report_compare(context->report, where, json_object_get_string(value), seen);
}

/* Without its lists, the service goes by the folders. */
static void kernel_cpu_online(Context *context, json_object *value) {
        if (value)
                compare_list(context, "cpu_online", "OnlineCpus", value);
}

static void kernel_cpu_present(Context *context, json_object *value) {
        if (value)
                compare_list(context, "cpu_present", "PresentCpus", value);
}

static void kernel_cpu_possible(Context *context, json_object *value) {
        g_autofree char *seen = seen_string(context->seen->topology, "PossibleCpus");

        report_compare(context->report, "kernel.cpu_possible", value ? json_object_get_string(value) : "", seen);
}

static void kernel_cpu_isolated(Context *context, json_object *value) {
        g_autoptr(GArray) isolated = numbers_from_list(json_object_get_string(value));

        g_assert_nonnull(isolated);
        compare_list(context, "cpu_isolated", "IsolatedCpus", value);
        for (gsize i = 0; i < g_variant_n_children(context->seen->cpus); i++) {
                g_autoptr(GVariant) cpu = g_variant_get_child_value(context->seen->cpus, i);
                gboolean seen = FALSE;
                guint32 id;

                seen_bool(cpu, "isolated", &seen);
                g_assert_true(seen_u32(cpu, "id", &id));
                if (seen != numbers_contain(isolated, id))
                        report_add(context->report, "kernel.cpu_isolated", "CPU %u is shown %sisolated", id, seen ? "" : "not ");
        }
}

/* The possible ones that are not online. */
static void kernel_cpu_offline(Context *context, json_object *value) {
        g_autofree char *possible_list = seen_string(context->seen->topology, "PossibleCpus");
        g_autofree char *online_list = seen_string(context->seen->topology, "OnlineCpus");
        g_autoptr(GArray) possible = numbers_from_list(possible_list), online = numbers_from_list(online_list);
        g_autoptr(GArray) offline = numbers_new();
        g_autofree char *seen = NULL;

        if (!value)
                return;
        for (guint i = 0; i < possible->len; i++)
                if (!numbers_contain(online, g_array_index(possible, guint, i)))
                        numbers_add(offline, g_array_index(possible, guint, i));
        seen = numbers_to_list(offline);
        report_compare(context->report, "kernel.cpu_offline", json_object_get_string(value), seen);
}

static void kernel_node_online(Context *context, json_object *value) {
        g_autoptr(GArray) seen = numbers_new();
        g_autofree char *list = NULL;

        if (!value)
                return;
        for (guint i = 0; i < context->seen->cell->len; i++)
                numbers_add(seen, ((SeenCell *) g_ptr_array_index(context->seen->cell, i))->id);
        list = numbers_to_list(seen);
        report_compare(context->report, "kernel.node_online", json_object_get_string(value), list);
}

/* The machine's pools are the sum of the cells'. */
static void kernel_hugepages(Context *context, json_object *value) {
        for (gsize i = 0; i < json_object_array_length(value); i++) {
                json_object *pool = json_object_array_get_idx(value, i);
                guint64 size = (guint64) json_object_get_int64(fields_get(pool, "size_kib")) * KIB;
                guint64 sum = 0, sum_free = 0;
                gboolean found = FALSE;

                g_assert_cmpint(json_object_object_length(pool), ==, 3);
                for (guint j = 0; j < context->seen->cell->len; j++) {
                        SeenCell *cell = g_ptr_array_index(context->seen->cell, j);

                        for (gsize k = 0; k < g_variant_n_children(cell->pages); k++) {
                                guint64 row, total, free;

                                g_variant_get_child(cell->pages, k, "(ttt)", &row, &total, &free);
                                if (row == size) {
                                        found = TRUE;
                                        sum += total;
                                        sum_free += free;
                                }
                        }
                }
                if (!found)
                        report_add(context->report, "kernel.hugepages", "no cell has pages of %" G_GUINT64_FORMAT, size);
                report_compare_number(context->report, "kernel.hugepages.total",
                                      (guint64) json_object_get_int64(fields_get(pool, "total")), sum);
                report_compare_number(context->report, "kernel.hugepages.free",
                                      (guint64) json_object_get_int64(fields_get(pool, "free")), sum_free);
        }
}

/* /proc/meminfo is a cell's truth only where there are no node directories;
 * elsewhere the kernel's two accounts differ by a few pages. */
static void kernel_meminfo(Context *context, json_object *value) {
        json_object *kernel = fields_get(context->expected, "kernel"), *summary = fields_get(context->expected, "summary");
        guint64 memory;

        if (!value || fields_get(kernel, "node_online") || json_object_get_int(fields_get(summary, "cells")) != 1 ||
            context->seen->cell->len != 1)
                return;
        g_assert_true(seen_u64(((SeenCell *) g_ptr_array_index(context->seen->cell, 0))->properties, "Memory", &memory));
        report_compare_number(context->report, "kernel.meminfo_total_kib",
                              (guint64) json_object_get_int64(value) * KIB, memory);
}

void expect_kernel(Context *context, json_object *value) {
        static const Field fields[] = {
                { "cpu_online", kernel_cpu_online },
                { "cpu_offline", kernel_cpu_offline },
                { "cpu_present", kernel_cpu_present },
                { "cpu_possible", kernel_cpu_possible },
                { "cpu_isolated", kernel_cpu_isolated },
                { "node_online", kernel_node_online },
                { "node_possible", NULL, "the interface shows no cells that are not there yet" },
                { "hugepages", kernel_hugepages },
                { "meminfo_total_kib", kernel_meminfo },
                {},
        };

        fields_compare(context, fields, value);
}

/* --- identity */

static void compare_text(Context *context, const char *property, json_object *value) {
        g_autofree char *seen = seen_string(context->seen->topology, property);

        report_compare(context->report, property, json_object_get_string(value), seen);
}

static void identity_arch(Context *context, json_object *value) {
        compare_text(context, "Arch", value);
}

static void identity_vendor(Context *context, json_object *value) {
        compare_text(context, "Vendor", value);
}

static void identity_model(Context *context, json_object *value) {
        compare_text(context, "Model", value);
}

void expect_identity(Context *context, json_object *value) {
        static const Field fields[] = {
                { "arch", identity_arch },
                { "vendor", identity_vendor },
                { "model", identity_model },
                {},
        };

        fields_compare(context, fields, value);
}

/* --- caches: each is known by level, type, and the CPUs that share it */

/* {CPU: cell}, by expected.json. */
static GHashTable *cells_of_cpus(Context *context) {
        GHashTable *cell_of = g_hash_table_new(NULL, NULL);
        json_object *cells = fields_get(context->expected, "cells");

        for (gsize i = 0; i < json_object_array_length(cells); i++) {
                json_object *cell = json_object_array_get_idx(cells, i);
                g_autoptr(GArray) members = numbers_from_json(fields_get(cell, "cpus"));

                for (guint j = 0; j < members->len; j++)
                        g_hash_table_insert(cell_of, GUINT_TO_POINTER(g_array_index(members, guint, j)),
                                            GUINT_TO_POINTER((guint) json_object_get_int(fields_get(cell, "id"))));
        }
        return cell_of;
}

/* The cell that all of these CPUs are of. */
static gboolean common_cell(GHashTable *cell_of, const Numbers *cpus, guint *ret) {
        for (guint i = 0; i < cpus->len; i++) {
                gpointer cell;

                if (!g_hash_table_lookup_extended(cell_of, GUINT_TO_POINTER(g_array_index(cpus, guint, i)), NULL, &cell))
                        return FALSE;
                if (i > 0 && GPOINTER_TO_UINT(cell) != *ret)
                        return FALSE;
                *ret = GPOINTER_TO_UINT(cell);
        }
        return cpus->len > 0;
}

static char *cache_name(guint level, const char *type, const char *cpus) {
        g_autofree char *lower = g_ascii_strdown(type, -1);

        return g_strdup_printf("L%u %s of %s", level, lower, cpus);
}

static void variant_unref(gpointer variant) {
        g_variant_unref(variant);
}

void expect_caches(Context *context, json_object *value) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, variant_unref);
        g_autoptr(GHashTable) cell_of = cells_of_cpus(context);
        static const char *const keys[] = { "level", "type", "size", "cpus", "id", "cell" };

        for (gsize i = 0; i < g_variant_n_children(context->seen->caches); i++) {
                g_autoptr(GVariant) cache = g_variant_get_child_value(context->seen->caches, i);
                g_autofree char *type = seen_string(cache, "type"), *cpus = seen_string(cache, "cpus");
                GVariantIter members;
                const char *key;
                guint32 level;

                g_assert_nonnull(type);
                g_assert_nonnull(cpus);
                g_assert_true(seen_u32(cache, "level", &level));
                g_variant_iter_init(&members, cache);
                while (g_variant_iter_loop(&members, "{&sv}", &key, NULL)) {
                        guint k = 0;

                        while (k < G_N_ELEMENTS(keys) && strcmp(keys[k], key) != 0)
                                k++;
                        if (k == G_N_ELEMENTS(keys))
                                report_add(context->report, "caches", "ListCaches has a key \"%s\"", key);
                }
                if (!g_hash_table_insert(seen, cache_name(level, type, cpus), g_steal_pointer(&cache)))
                        report_add(context->report, "caches", "L%u %s of %s is there twice", level, type, cpus);
        }

        for (gsize i = 0; i < json_object_array_length(value); i++) {
                json_object *cache = json_object_array_get_idx(value, i), *expected_id = NULL;
                g_autoptr(GArray) cpus = numbers_from_json(fields_get(cache, "cpus"));
                g_autofree char *list = numbers_to_list(cpus);
                g_autofree char *name = cache_name((guint) json_object_get_int(fields_get(cache, "level")),
                                                   json_object_get_string(fields_get(cache, "type")), list);
                GVariant *is = g_hash_table_lookup(seen, name);
                guint64 size = 0;
                guint32 id, cell;
                guint expected_cell = 0;
                gboolean has_id = json_object_object_get_ex(cache, "id", &expected_id);

                g_assert_cmpint(json_object_object_length(cache), ==, has_id ? 5 : 4);
                if (!is) {
                        report_add(context->report, name, "not there");
                        continue;
                }
                g_assert_true(seen_u64(is, "size", &size));
                report_compare_number(context->report, name,
                                      (guint64) json_object_get_int64(fields_get(cache, "size_kib")) * KIB, size);

                if (seen_u32(is, "id", &id) != has_id)
                        report_add(context->report, name, "its id is %s", has_id ? "not told" : "told");
                else if (has_id)
                        report_compare_number(context->report, name, (guint64) json_object_get_int64(expected_id), id);

                if (seen_u32(is, "cell", &cell) != common_cell(cell_of, cpus, &expected_cell))
                        report_add(context->report, name, "its cell");
                else if (seen_u32(is, "cell", &cell))
                        report_compare_number(context->report, name, expected_cell, cell);
                g_hash_table_remove(seen, name);
        }

        {
                GHashTableIter rest;
                gpointer name;

                g_hash_table_iter_init(&rest, seen);
                while (g_hash_table_iter_next(&rest, &name, NULL))
                        report_add(context->report, name, "nobody expected it");
        }
}

/* --- hmat: lists of {kind, initiator, target, type, value}, one per witness */

typedef struct Access {
        const char *kind, *type, *key;
        guint scale;            /* of the value in expected.json to the key's unit */
} Access;

static const Access accesses[] = {
        { "latency", "read", "read_latency_ns", 1 },
        { "latency", "write", "write_latency_ns", 1 },
        { "bandwidth", "read", "read_bandwidth_mbs", KIB },
        { "bandwidth", "write", "write_bandwidth_mbs", KIB },
};

/* That an entry is what the comparison takes it for: of bandwidths in KiB/s. */
static void check_access(Context *context, json_object *item) {
        gboolean bandwidth = strcmp(json_object_get_string(fields_get(item, "kind")), "bandwidth") == 0;
        json_object *unit = NULL;

        json_object_object_get_ex(item, "unit", &unit);
        if (g_strcmp0(unit ? json_object_get_string(unit) : NULL, bandwidth ? "KiB" : NULL) != 0)
                report_add(context->report, "hmat", "expected.json has a %s with another unit than this test knows",
                           json_object_get_string(fields_get(item, "kind")));
        if (json_object_object_length(item) != (bandwidth ? 6 : 5))
                report_add(context->report, "hmat", "expected.json has members that this test does not know");
}

static void compare_access(Context *context, json_object *list) {
        gsize n = json_object_array_length(list), confirmed = 0;

        for (gsize j = 0; j < n; j++)
                check_access(context, json_object_array_get_idx(list, j));

        for (guint c = 0; c < context->seen->cell->len; c++) {
                SeenCell *cell = g_ptr_array_index(context->seen->cell, c);

                for (gsize i = 0; i < g_variant_n_children(cell->access); i++) {
                        g_autoptr(GVariant) entry = g_variant_get_child_value(cell->access, i);
                        guint32 initiator, class;

                        g_assert_true(seen_u32(entry, "initiator", &initiator));
                        g_assert_true(seen_u32(entry, "class", &class));
                        for (guint a = 0; a < G_N_ELEMENTS(accesses); a++) {
                                g_autofree char *where = g_strdup_printf("cell %u, from %u, class %u, %s", cell->id,
                                                                         initiator, class, accesses[a].key);
                                gboolean found = FALSE;
                                guint32 value;

                                if (!seen_u32(entry, accesses[a].key, &value))
                                        continue;
                                for (gsize j = 0; j < n; j++) {
                                        json_object *item = json_object_array_get_idx(list, j);

                                        if (strcmp(json_object_get_string(fields_get(item, "kind")), accesses[a].kind) != 0 ||
                                            strcmp(json_object_get_string(fields_get(item, "type")), accesses[a].type) != 0 ||
                                            (guint32) json_object_get_int(fields_get(item, "initiator")) != initiator ||
                                            (guint32) json_object_get_int(fields_get(item, "target")) != cell->id)
                                                continue;
                                        found = TRUE;
                                        report_compare_number(context->report, where,
                                                              (guint64) json_object_get_int64(fields_get(item, "value")),
                                                              (guint64) value * accesses[a].scale);
                                }
                                if (!found)
                                        report_add(context->report, where, "is %u, nobody expected it", value);
                        }
                }
        }

        /* And each that is expected is told, in one class or the other. */
        for (gsize j = 0; j < n; j++) {
                json_object *item = json_object_array_get_idx(list, j);
                SeenCell *cell = seen_cell(context->seen, (guint) json_object_get_int(fields_get(item, "target")));
                gboolean told = FALSE;

                for (guint a = 0; cell && a < G_N_ELEMENTS(accesses); a++) {
                        if (strcmp(json_object_get_string(fields_get(item, "kind")), accesses[a].kind) != 0 ||
                            strcmp(json_object_get_string(fields_get(item, "type")), accesses[a].type) != 0)
                                continue;
                        for (gsize i = 0; i < g_variant_n_children(cell->access); i++) {
                                g_autoptr(GVariant) entry = g_variant_get_child_value(cell->access, i);
                                guint32 initiator, value;

                                g_assert_true(seen_u32(entry, "initiator", &initiator));
                                told = told || (initiator == (guint32) json_object_get_int(fields_get(item, "initiator")) &&
                                                seen_u32(entry, accesses[a].key, &value));
                        }
                }
                confirmed += told ? 1 : 0;
        }
        report_compare_number(context->report, "hmat: values told", n, confirmed);
}

void expect_hmat(Context *context, json_object *value) {
        if (!value) {
                /* Firmware that gives zeros, or nothing, has told nothing. */
                g_autoptr(json_object_owned) nothing = json_object_new_array();

                compare_access(context, nothing);
                return;
        }
        json_object_object_foreach(value, witness, list) {
                /* null: this witness did not look. */
                g_assert_nonnull(witness);
                if (list)
                        compare_access(context, list);
        }
}
