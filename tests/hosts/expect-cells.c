/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* cells[]: objects of org.berth1.Host.Cell. */

#include "expect-parts.h"

#include <string.h>

enum { KIB = 1024 };

static void cell_id(Context *context, json_object *value) {
        guint32 id;

        g_assert_true(seen_u32(context->cell->properties, "Id", &id));
        report_compare_number(context->report, context->where, (guint64) json_object_get_int(value), id);
}

static void cell_cpus(Context *context, json_object *value) {
        g_autoptr(GArray) numbers = numbers_from_json(value);
        g_autofree char *list = numbers_to_list(numbers);
        g_autofree char *seen = seen_string(context->cell->properties, "Cpus");
        g_autofree char *where = fields_where(context, "cpus");

        report_compare(context->report, where, list, seen);
}

/* CPUs that the cell has and that are offline: not among its Cpus, but known. */
static void cell_cpus_offline(Context *context, json_object *value) {
        g_autoptr(GArray) numbers = numbers_from_json(value);
        g_autofree char *list = seen_string(context->cell->properties, "Cpus");
        g_autoptr(GArray) shown = numbers_from_list(list);
        g_autofree char *where = fields_where(context, "cpus_offline_in_mask");

        for (guint i = 0; i < numbers->len; i++) {
                guint id = g_array_index(numbers, guint, i);
                g_autoptr(GVariant) cpu = seen_cpu(context->seen, id);
                gboolean online = TRUE;

                if (numbers_contain(shown, id))
                        report_add(context->report, where, "CPU %u is offline, and among the cell's CPUs", id);
                if (!cpu || !seen_bool(cpu, "online", &online) || online)
                        report_add(context->report, where, "CPU %u is not shown as offline", id);
        }
}

static void cell_memory(Context *context, json_object *value) {
        g_autofree char *where = fields_where(context, "memory_kib");
        guint64 memory;

        g_assert_true(seen_u64(context->cell->properties, "Memory", &memory));
        report_compare_number(context->report, where, (guint64) json_object_get_int64(value) * KIB, memory);
        if (!value && (context->cell->free_told || context->cell->stats))
                report_add(context->report, where, "unknown, but GetFreeMemory or GetMemoryStats tells something");
        if (value) {
                guint64 total = 0;

                if (!context->cell->stats || !g_variant_lookup(context->cell->stats, "MemTotal", "t", &total))
                        report_add(context->report, where, "GetMemoryStats lacks MemTotal");
                else
                        report_compare_number(context->report, where, memory, total);
        }
}

static void cell_free(Context *context, json_object *value) {
        g_autofree char *where = fields_where(context, "free_kib");

        if (!context->cell->free_told)
                report_add(context->report, where, "expected %" G_GINT64_FORMAT " KiB, is not told",
                           json_object_get_int64(value));
        else
                report_compare_number(context->report, where, (guint64) json_object_get_int64(value) * KIB,
                                      context->cell->free_bytes);
}

static void cell_distances(Context *context, json_object *value) {
        g_autoptr(GVariant) distances =
                g_variant_lookup_value(context->cell->properties, "Distances", G_VARIANT_TYPE("a{uu}"));
        g_autofree char *where = fields_where(context, "distances");
        gsize n = json_object_array_length(value);

        g_assert_nonnull(distances);
        report_compare_number(context->report, where, n, g_variant_n_children(distances));
        for (gsize i = 0; i < n; i++) {
                json_object *item = json_object_array_get_idx(value, i);
                guint id = (guint) json_object_get_int(fields_get(item, "id"));
                guint expected = (guint) json_object_get_int(fields_get(item, "value"));
                gboolean found = FALSE;

                g_assert_cmpint(json_object_object_length(item), ==, 2);
                for (gsize j = 0; j < g_variant_n_children(distances); j++) {
                        guint to, distance;

                        g_variant_get_child(distances, j, "{uu}", &to, &distance);
                        if (to != id)
                                continue;
                        found = TRUE;
                        if (distance != expected)
                                report_add(context->report, where, "to cell %u: expected %u, is %u", id, expected, distance);
                }
                if (!found)
                        report_add(context->report, where, "to cell %u: expected %u, is not told", id, expected);
        }
}

/* The row of GetPages for a size. */
static gboolean find_pages(SeenCell *cell, guint64 size, guint64 *ret_total, guint64 *ret_free) {
        for (gsize i = 0; i < g_variant_n_children(cell->pages); i++) {
                guint64 row;

                g_variant_get_child(cell->pages, i, "(ttt)", &row, ret_total, ret_free);
                if (row == size)
                        return TRUE;
        }
        return FALSE;
}

static gboolean has_page_size(SeenCell *cell, guint64 size) {
        g_autoptr(GVariant) sizes = g_variant_lookup_value(cell->properties, "PageSizes", G_VARIANT_TYPE("at"));
        const guint64 *all;
        gsize n;

        g_assert_nonnull(sizes);
        all = g_variant_get_fixed_array(sizes, &n, sizeof(guint64));
        for (gsize i = 0; i < n; i++)
                if (all[i] == size)
                        return TRUE;
        return FALSE;
}

static gboolean expects_pool(json_object *pools, guint64 size) {
        for (gsize i = 0; i < json_object_array_length(pools); i++)
                if ((guint64) json_object_get_int64(fields_get(json_object_array_get_idx(pools, i), "size_kib")) * KIB == size)
                        return TRUE;
        return FALSE;
}

/* The pools, and that there is nothing else but them and the base pages. */
static void cell_hugepages(Context *context, json_object *value) {
        g_autofree char *where = fields_where(context, "hugepages");
        g_autoptr(GVariant) sizes =
                g_variant_lookup_value(context->cell->properties, "PageSizes", G_VARIANT_TYPE("at"));
        const guint64 *all;
        gsize n;

        for (gsize i = 0; i < json_object_array_length(value); i++) {
                json_object *pool = json_object_array_get_idx(value, i);
                guint64 size = (guint64) json_object_get_int64(fields_get(pool, "size_kib")) * KIB;
                json_object *total = fields_get(pool, "total"), *free = fields_get(pool, "free");
                guint64 seen_total, seen_free;

                g_assert_cmpint(json_object_object_length(pool), ==, 3);
                if (!has_page_size(context->cell, size))
                        report_add(context->report, where, "PageSizes lacks %" G_GUINT64_FORMAT, size);
                if (!find_pages(context->cell, size, &seen_total, &seen_free)) {
                        /* A pool whose numbers the kernel does not tell is left out. */
                        if (total && free)
                                report_add(context->report, where, "GetPages lacks %" G_GUINT64_FORMAT, size);
                        continue;
                }
                if (total)
                        report_compare_number(context->report, where, (guint64) json_object_get_int64(total), seen_total);
                if (free)
                        report_compare_number(context->report, where, (guint64) json_object_get_int64(free), seen_free);
        }

        all = g_variant_get_fixed_array(sizes, &n, sizeof(guint64));
        for (gsize i = 0; i < n; i++)
                if (!expects_pool(value, all[i]) && (i > 0 || all[i] > 64 * KIB))
                        report_add(context->report, where, "PageSizes has %" G_GUINT64_FORMAT, all[i]);
}

static void cell_base_pages(Context *context, json_object *value) {
        g_autofree char *where = fields_where(context, "base_pages");
        guint64 size = (guint64) json_object_get_int64(fields_get(value, "size_kib")) * KIB, total, free;

        g_assert_cmpint(json_object_object_length(value), ==, 2);
        if (!has_page_size(context->cell, size))
                report_add(context->report, where, "PageSizes lacks %" G_GUINT64_FORMAT, size);
        if (!find_pages(context->cell, size, &total, &free)) {
                /* Where nobody tells how many are free there is no row; the
                 * total is in the documents. */
                if (context->cell->free_told)
                        report_add(context->report, where, "GetPages has no row for %" G_GUINT64_FORMAT, size);
                return;
        }
        report_compare_number(context->report, where,
                              (guint64) json_object_get_int64(fields_get(value, "total")), total);
        if (context->cell->free_told)
                report_compare_number(context->report, where, context->cell->free_bytes / size, free);
}

static void cell_devices(Context *context, json_object *value) {
        g_autofree char *where = fields_where(context, "devices");
        gsize n = json_object_array_length(value);

        report_compare_number(context->report, where, n, g_variant_n_children(context->cell->devices));
        for (gsize i = 0; i < n && i < g_variant_n_children(context->cell->devices); i++) {
                json_object *device = json_object_array_get_idx(value, i);
                g_autoptr(GVariant) seen = g_variant_get_child_value(context->cell->devices, i);
                const char *keys[] = { "address", "class", "driver" };

                for (guint j = 0; j < G_N_ELEMENTS(keys); j++) {
                        g_autofree char *text = seen_string(seen, keys[j]);

                        report_compare(context->report, where,
                                       json_object_get_string(fields_get(device, keys[j])), text);
                }
        }
}

static const Field cell_fields[] = {
        { "id", cell_id },
        { "cpus", cell_cpus },
        { "cpus_offline_in_mask", cell_cpus_offline },
        { "memory_kib", cell_memory },
        { "free_kib", cell_free },
        { "distances", cell_distances },
        { "hugepages", cell_hugepages },
        { "base_pages", cell_base_pages },
        { "devices", cell_devices },
        { "memory_side_caches", NULL, "only documents show it: see expect-documents.c" },
        { "hwloc_locality_cpus", NULL, "what hwloc thinks is near a cell without CPUs; its cpus are none" },
        { "from", NULL, "who said so" },
        {},
};

/* All caches of the last level for data that the cell has a part in. */
static void compare_cache_size(Context *context, const Numbers *cpus) {
        json_object *caches = fields_get(context->expected, "caches");
        g_autofree char *where = fields_where(context, "CacheSize");
        guint64 expected = 0, seen;
        int last = 0;

        for (gsize i = 0; i < json_object_array_length(caches); i++) {
                json_object *cache = json_object_array_get_idx(caches, i);
                json_object *members = fields_get(cache, "cpus");
                int level = json_object_get_int(fields_get(cache, "level"));
                gboolean here = FALSE;

                if (level < last || strcmp(json_object_get_string(fields_get(cache, "type")), "Instruction") == 0)
                        continue;
                for (gsize j = 0; j < json_object_array_length(members) && !here; j++)
                        here = numbers_contain(cpus, (guint) json_object_get_int(json_object_array_get_idx(members, j)));
                if (!here)
                        continue;
                if (level > last)
                        expected = 0;
                last = level;
                expected += (guint64) json_object_get_int64(fields_get(cache, "size_kib")) * KIB;
        }
        g_assert_true(seen_u64(context->cell->properties, "CacheSize", &seen));
        report_compare_number(context->report, where, expected, seen);
}

/* What is on no cell's page of expected.json, but must hold of each cell. */
static void compare_cell_with_itself(Context *context) {
        g_autoptr(GVariant) sockets =
                g_variant_lookup_value(context->cell->properties, "Sockets", G_VARIANT_TYPE("au"));
        g_autofree char *list = seen_string(context->cell->properties, "Cpus");
        g_autoptr(GArray) cpus = numbers_from_list(list), expected = numbers_new(), seen = numbers_new();
        g_autofree char *where = fields_where(context, "Sockets");
        g_autofree char *expected_list = NULL, *seen_list = NULL;

        compare_cache_size(context, cpus);
        g_assert_nonnull(sockets);
        for (guint i = 0; i < cpus->len; i++) {
                g_autoptr(GVariant) cpu = seen_cpu(context->seen, g_array_index(cpus, guint, i));
                guint32 socket;

                if (cpu && seen_u32(cpu, "socket", &socket))
                        numbers_add(expected, socket);
        }
        for (gsize i = 0; i < g_variant_n_children(sockets); i++) {
                guint32 socket;

                g_variant_get_child(sockets, i, "u", &socket);
                numbers_add(seen, socket);
        }
        expected_list = numbers_to_list(expected);
        seen_list = numbers_to_list(seen);
        report_compare(context->report, where, expected_list, seen_list);
}

/* Host.Cells says the same of all cells as each says of itself. */
static void compare_cells_together(Context *context) {
        guint free_rows = 0, page_rows = 0;
        guint32 count = 0;

        g_assert_true(seen_u32(context->seen->cells, "Count", &count));
        report_compare_number(context->report, "Host.Cells.Count", context->seen->cell->len, count);

        for (guint i = 0; i < context->seen->cell->len; i++) {
                SeenCell *cell = g_ptr_array_index(context->seen->cell, i);

                if (cell->free_told) {
                        guint32 id = G_MAXUINT32;
                        guint64 bytes = 0;

                        if (free_rows < g_variant_n_children(context->seen->free_memory))
                                g_variant_get_child(context->seen->free_memory, free_rows, "(ut)", &id, &bytes);
                        if (id != cell->id || bytes != cell->free_bytes)
                                report_add(context->report, "Host.Cells.GetFreeMemory", "row %u is not cell %u's",
                                           free_rows, cell->id);
                        free_rows++;
                }
                for (gsize j = 0; j < g_variant_n_children(cell->pages); j++) {
                        guint64 size, total, free, row_size = 0, row_free = 0;
                        guint32 id = G_MAXUINT32;

                        g_variant_get_child(cell->pages, j, "(ttt)", &size, &total, &free);
                        if (page_rows < g_variant_n_children(context->seen->free_pages))
                                g_variant_get_child(context->seen->free_pages, page_rows, "(utt)", &id, &row_size, &row_free);
                        if (id != cell->id || row_size != size || row_free != free)
                                report_add(context->report, "Host.Cells.GetFreePages", "row %u is not cell %u's of size %" G_GUINT64_FORMAT,
                                           page_rows, cell->id, size);
                        page_rows++;
                }
        }
        report_compare_number(context->report, "Host.Cells.GetFreeMemory", free_rows,
                              g_variant_n_children(context->seen->free_memory));
        report_compare_number(context->report, "Host.Cells.GetFreePages", page_rows,
                              g_variant_n_children(context->seen->free_pages));
}

void expect_cells(Context *context, json_object *value) {
        gsize n = json_object_array_length(value);

        report_compare_number(context->report, "cells", n, context->seen->cell->len);
        for (gsize i = 0; i < n; i++) {
                json_object *cell = json_object_array_get_idx(value, i);
                guint id = (guint) json_object_get_int(fields_get(cell, "id"));
                g_autofree char *where = g_strdup_printf("cells[%u]", id);

                context->where = where;
                context->cell = seen_cell(context->seen, id);
                if (!context->cell)
                        report_add(context->report, where, "not there");
                else {
                        fields_compare(context, cell_fields, cell);
                        compare_cell_with_itself(context);
                }
        }
        context->where = NULL;
        context->cell = NULL;
        compare_cells_together(context);
}
