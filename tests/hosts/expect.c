/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "expect.h"

#include "expect-parts.h"

/* Codes of Topology.Warnings; a machine that is described soundly has none. */
static void expect_warnings(Context *context, json_object *value) {
        g_autofree char *seen = seen_warning_codes(context->seen);
        g_autoptr(GString) expected = g_string_new(NULL);

        for (gsize i = 0; i < json_object_array_length(value); i++)
                g_string_append_printf(expected, i > 0 ? " %s" : "%s",
                                       json_object_get_string(json_object_array_get_idx(value, i)));
        report_compare(context->report, "warnings", expected->str, seen);
}

static const Field document_fields[] = {
        { "cells", expect_cells },
        { "cpus", expect_cpus },
        { "cpukinds", expect_cpu_kinds },
        { "caches", expect_caches },
        { "packages", expect_packages },
        { "dies", expect_dies },
        { "clusters", expect_clusters },
        { "summary", expect_summary },
        { "kernel", expect_kernel },
        { "identity", expect_identity },
        { "warnings", expect_warnings },
        { "hmat", NULL, "compared below, as its absence says something too" },
        { "resctrl", NULL, "no interface shows cache allocation yet" },
        { "hwloc_memory_side_caches", NULL, "hwloc's reading of what cells[].memory_side_caches says" },
        { "schema", NULL, "about the file" },
        { "name", NULL, "about the file" },
        { "set", NULL, "about the file" },
        { "description", NULL, "about the file" },
        { "source", NULL, "about the file" },
        { "tree", NULL, "about the archive" },
        { "tools", NULL, "who said so" },
        { "strength", NULL, "who said so" },
        { "cpus_from", NULL, "who said so" },
        { "caches_from", NULL, "who said so" },
        { "packages_from", NULL, "who said so" },
        { "dies_from", NULL, "who said so" },
        { "clusters_from", NULL, "who said so" },
        { "hwloc_published_check", NULL, "how the peers were checked themselves" },
        { "disagreements", NULL, "between peers; the stands taken are in the other members" },
        { "notes", NULL, "for people" },
        {},
};

void expect_answers(Report *report, json_object *expected, const Seen *seen) {
        static const char *const required[] = {
                "cells", "cpus", "caches", "packages", "dies", "clusters", "summary", "kernel",
        };
        Context context = { .report = report, .seen = seen, .expected = expected };
        json_object *hmat = NULL;

        for (guint i = 0; i < G_N_ELEMENTS(required); i++)
                fields_get(expected, required[i]);
        fields_compare(&context, document_fields, expected);

        json_object_object_get_ex(expected, "hmat", &hmat);
        expect_hmat(&context, hmat);
}
