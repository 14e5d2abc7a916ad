/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* cpus[], and what groups them: packages[], dies[], clusters[], cpukinds[].
 * All of it is in the entries of ListCpus. */

#include "expect-parts.h"

#include <string.h>

/* An id that is null in expected.json must be absent, not 0 and not −1. */
static void compare_id(Context *context, const char *name, const char *key, json_object *value) {
        g_autofree char *where = fields_where(context, name);
        guint32 seen;

        if (!seen_u32(context->cpu, key, &seen)) {
                if (value)
                        report_add(context->report, where, "expected %d, is not told", json_object_get_int(value));
        } else if (!value)
                report_add(context->report, where, "expected nothing, is %u", seen);
        else
                report_compare_number(context->report, where, (guint64) json_object_get_int64(value), seen);
}

static void cpu_id(Context *context, json_object *value) {
        compare_id(context, "id", "id", value);
}

static void cpu_online(Context *context, json_object *value) {
        g_autofree char *where = fields_where(context, "online");
        gboolean online;

        g_assert_true(seen_bool(context->cpu, "online", &online));
        report_compare(context->report, where, json_object_get_boolean(value) ? "online" : "offline",
                       online ? "online" : "offline");
}

static void cpu_package(Context *context, json_object *value) {
        compare_id(context, "package", "socket", value);
}

static void cpu_die(Context *context, json_object *value) {
        compare_id(context, "die", "die", value);
}

static void cpu_cluster(Context *context, json_object *value) {
        compare_id(context, "cluster", "cluster", value);
}

static void cpu_core(Context *context, json_object *value) {
        compare_id(context, "core", "core", value);
}

static void cpu_book(Context *context, json_object *value) {
        compare_id(context, "book", "book", value);
}

static void cpu_drawer(Context *context, json_object *value) {
        compare_id(context, "drawer", "drawer", value);
}

static void cpu_cell(Context *context, json_object *value) {
        compare_id(context, "cell", "cell", value);
}

static void cpu_siblings(Context *context, json_object *value) {
        g_autoptr(GArray) numbers = numbers_from_json(value);
        g_autofree char *list = numbers_to_list(numbers);
        g_autofree char *seen = seen_string(context->cpu, "siblings");
        g_autofree char *where = fields_where(context, "siblings");

        report_compare(context->report, where, list[0] ? list : NULL, seen);
}

static const Field cpu_fields[] = {
        { "id", cpu_id },
        { "online", cpu_online },
        { "package", cpu_package },
        { "die", cpu_die },
        { "cluster", cpu_cluster },
        { "core", cpu_core },
        { "book", cpu_book },
        { "drawer", cpu_drawer },
        { "cell", cpu_cell },
        { "siblings", cpu_siblings },
        {},
};

/* The keys that ListCpus may have, of which expected.json need not speak. */
static void compare_keys(Context *context, json_object *cpu) {
        static const struct { const char *key, *type, *expected; } keys[] = {
                { "id", "u", "id" },           { "online", "b", "online" },     { "cell", "u", "cell" },
                { "socket", "u", "package" },  { "die", "u", "die" },           { "cluster", "u", "cluster" },
                { "core", "u", "core" },       { "book", "u", "book" },         { "drawer", "u", "drawer" },
                { "siblings", "s", "siblings" }, { "kind", "s" },               { "capacity", "u" },
                { "max_khz", "u" },            { "isolated", "b" },
        };
        GVariantIter i;
        const char *key;
        GVariant *value;

        g_variant_iter_init(&i, context->cpu);
        while (g_variant_iter_loop(&i, "{&sv}", &key, &value)) {
                g_autofree char *where = fields_where(context, key);
                guint k = 0;

                while (k < G_N_ELEMENTS(keys) && strcmp(keys[k].key, key) != 0)
                        k++;
                if (k == G_N_ELEMENTS(keys))
                        report_add(context->report, where, "ListCpus has a key that is not documented");
                else if (!g_variant_is_of_type(value, G_VARIANT_TYPE(keys[k].type)))
                        report_add(context->report, where, "has type %s", g_variant_get_type_string(value));
                else if (keys[k].expected && !json_object_object_get_ex(cpu, keys[k].expected, NULL))
                        report_add(context->report, where, "is told, but nobody expected it");
        }
}

/* 1024 is the strongest of the machine. */
static void compare_capacities(Context *context) {
        guint32 capacity, strongest = 0;
        gsize told = 0, n = g_variant_n_children(context->seen->cpus);

        for (gsize i = 0; i < n; i++) {
                g_autoptr(GVariant) cpu = g_variant_get_child_value(context->seen->cpus, i);

                if (!seen_u32(cpu, "capacity", &capacity))
                        continue;
                told++;
                strongest = MAX(strongest, capacity);
                if (capacity == 0 || capacity > 1024)
                        report_add(context->report, "cpus", "a capacity of %u", capacity);
        }
        if (told > 0)
                report_compare_number(context->report, "cpus: the highest capacity", 1024, strongest);
}

void expect_cpus(Context *context, json_object *value) {
        gsize n = json_object_array_length(value);

        report_compare_number(context->report, "cpus", n, g_variant_n_children(context->seen->cpus));
        for (gsize i = 0; i < n; i++) {
                json_object *cpu = json_object_array_get_idx(value, i);
                guint id = (guint) json_object_get_int(fields_get(cpu, "id"));
                g_autofree char *where = g_strdup_printf("cpus[%u]", id);
                g_autoptr(GVariant) seen = seen_cpu(context->seen, id);

                context->where = where;
                context->cpu = seen;
                if (!seen)
                        report_add(context->report, where, "not there");
                else {
                        fields_compare(context, cpu_fields, cpu);
                        compare_keys(context, cpu);
                }
        }
        context->where = NULL;
        context->cpu = NULL;
        compare_capacities(context);

        /* Only machines with more than one kind of CPU tell kinds. */
        if (!json_object_object_get_ex(context->expected, "cpukinds", NULL))
                for (gsize i = 0; i < g_variant_n_children(context->seen->cpus); i++) {
                        g_autoptr(GVariant) cpu = g_variant_get_child_value(context->seen->cpus, i);
                        g_autofree char *kind = seen_string(cpu, "kind");

                        if (kind)
                                report_add(context->report, "cpus", "a CPU of kind %s", kind);
                }
}

/* Ordered from the weakest on, as hwloc does. */
void expect_cpu_kinds(Context *context, json_object *value) {
        static const char *const words[] = { "low-power", "efficiency", "performance" };
        gsize n = json_object_array_length(value);

        g_assert_cmpuint(n, >=, 2);
        g_assert_cmpuint(n, <=, G_N_ELEMENTS(words));
        for (gsize i = 0; i < n; i++) {
                const char *word = words[G_N_ELEMENTS(words) - n + i];
                json_object *kind = json_object_array_get_idx(value, i);
                json_object *info = fields_get(kind, "info");
                static const Field info_fields[] = {
                        { "FrequencyMaxMHz", NULL, "compared below" },
                        { "FrequencyBaseMHz", NULL, "no interface shows a base frequency" },
                        {},
                };
                guint64 max_khz = g_ascii_strtoull(json_object_get_string(fields_get(info, "FrequencyMaxMHz")), NULL, 10) * 1000;
                g_autoptr(GArray) cpus = numbers_from_list(json_object_get_string(fields_get(kind, "cpus")));
                g_autoptr(GArray) seen = numbers_new();
                g_autofree char *expected_list = numbers_to_list(cpus), *seen_list = NULL;
                guint32 lowest = G_MAXUINT32;

                g_assert_cmpint(json_object_object_length(kind), ==, 2);
                fields_compare(context, info_fields, info);
                for (gsize j = 0; j < g_variant_n_children(context->seen->cpus); j++) {
                        g_autoptr(GVariant) cpu = g_variant_get_child_value(context->seen->cpus, j);
                        g_autofree char *seen_kind = seen_string(cpu, "kind");
                        guint32 id, khz = 0;

                        if (!seen_u32(cpu, "id", &id) || g_strcmp0(seen_kind, word) != 0)
                                continue;
                        numbers_add(seen, id);
                        seen_u32(cpu, "max_khz", &khz);
                        lowest = MIN(lowest, khz);
                }
                /* hwloc gives a kind the maximum that all of it reach; some may
                 * turn faster. */
                report_compare_number(context->report, "cpukinds: max_khz", max_khz, lowest);
                seen_list = numbers_to_list(seen);
                report_compare(context->report, word, expected_list, seen_list);
        }
}

/* --- groups: those CPUs, online, that have the same ids */

typedef struct Key {
        const char *expected;   /* in expected.json */
        const char *seen;       /* in ListCpus */
} Key;

static void numbers_free(gpointer numbers) {
        g_array_unref(numbers);
}

/* "id/book/drawer" of a CPU, of those keys that matter; NULL if it lacks one. */
static char *group_of_cpu(GVariant *cpu, const Key *keys, gsize n_keys, json_object *like) {
        g_autoptr(GString) name = g_string_new(NULL);
        gboolean online;
        guint32 id;

        if (!seen_bool(cpu, "online", &online) || !online)
                return NULL;
        for (gsize i = 0; i < n_keys; i++) {
                if (!json_object_object_get_ex(like, keys[i].expected, NULL))
                        continue;
                if (!seen_u32(cpu, keys[i].seen, &id))
                        return NULL;
                g_string_append_printf(name, "%s%s %u", name->len > 0 ? ", " : "", keys[i].expected, id);
        }
        return g_strdup(name->str);
}

static char *group_of_json(Context *context, const char *where, json_object *group, const Key *keys, gsize n_keys) {
        g_autoptr(GString) name = g_string_new(NULL);

        for (gsize i = 0; i < n_keys; i++) {
                json_object *value;

                if (json_object_object_get_ex(group, keys[i].expected, &value))
                        g_string_append_printf(name, "%s%s %d", name->len > 0 ? ", " : "", keys[i].expected,
                                               json_object_get_int(value));
        }
        json_object_object_foreach(group, member, unused) {
                gboolean known = strcmp(member, "cpus") == 0;

                (void) unused;
                for (gsize i = 0; i < n_keys; i++)
                        known = known || strcmp(member, keys[i].expected) == 0;
                if (!known)
                        report_add(context->report, where,
                                   "expected.json has a member \"%s\" that this test does not know", member);
        }
        return g_strdup(name->str);
}

/* Sockets without a number cannot be told apart by their CPUs' ids. How many
 * they are is compared elsewhere (summary); here, that each online CPU is in one
 * of them, and has the other ids of it. */
static void compare_unnumbered(Context *context, const char *where, json_object *groups, const Key *keys, gsize n_keys) {
        g_autoptr(GArray) members = numbers_new();
        g_autofree char *members_list = NULL, *online_list = seen_string(context->seen->topology, "OnlineCpus");

        for (gsize i = 0; i < json_object_array_length(groups); i++) {
                json_object *group = json_object_array_get_idx(groups, i);
                g_autoptr(GArray) cpus = numbers_from_json(fields_get(group, "cpus"));

                g_free(group_of_json(context, where, group, keys, n_keys));
                for (guint j = 0; j < cpus->len; j++) {
                        guint id = g_array_index(cpus, guint, j);
                        g_autoptr(GVariant) cpu = seen_cpu(context->seen, id);

                        if (numbers_contain(members, id))
                                report_add(context->report, where, "CPU %u is in two of them", id);
                        numbers_add(members, id);
                        for (gsize k = 0; k < n_keys && cpu; k++) {
                                json_object *expected = NULL;
                                gboolean has = json_object_object_get_ex(group, keys[k].expected, &expected);
                                guint32 seen;

                                if (has && (seen_u32(cpu, keys[k].seen, &seen) != (expected != NULL) ||
                                            (expected && (guint32) json_object_get_int64(expected) != seen)))
                                        report_add(context->report, where, "the %s of CPU %u", keys[k].seen, id);
                        }
                }
        }
        members_list = numbers_to_list(members);
        report_compare(context->report, where, members_list, online_list);
}

static void compare_groups(Context *context, const char *where, json_object *groups, const Key *keys, gsize n_keys) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, numbers_free);
        gsize n = json_object_array_length(groups);

        /* Where nothing is expected, any id is one too many. */
        g_autoptr(json_object_owned) none = NULL;
        json_object *like = n > 0 ? json_object_array_get_idx(groups, 0) : NULL;

        if (!like) {
                like = none = json_object_new_object();
                json_object_object_add(none, "id", NULL);
        } else if (!fields_get(like, "id")) {
                compare_unnumbered(context, where, groups, keys, n_keys);
                return;
        }

        for (gsize i = 0; i < g_variant_n_children(context->seen->cpus); i++) {
                g_autoptr(GVariant) cpu = g_variant_get_child_value(context->seen->cpus, i);
                g_autofree char *group = group_of_cpu(cpu, keys, n_keys, like);
                Numbers *members;
                guint32 id;

                if (!group || !seen_u32(cpu, "id", &id))
                        continue;
                members = g_hash_table_lookup(seen, group);
                if (!members) {
                        members = numbers_new();
                        g_hash_table_insert(seen, g_strdup(group), members);
                }
                numbers_add(members, id);
        }

        report_compare_number(context->report, where, n, g_hash_table_size(seen));
        for (gsize i = 0; i < n; i++) {
                json_object *group = json_object_array_get_idx(groups, i);
                g_autofree char *name = group_of_json(context, where, group, keys, n_keys);
                g_autofree char *place = g_strdup_printf("%s[%s]", where, name);
                g_autoptr(GArray) cpus = numbers_from_json(fields_get(group, "cpus"));
                g_autofree char *expected_list = numbers_to_list(cpus), *seen_list = NULL;
                Numbers *members = g_hash_table_lookup(seen, name);

                seen_list = members ? numbers_to_list(members) : NULL;
                report_compare(context->report, place, expected_list, seen_list);
        }
}

void expect_packages(Context *context, json_object *value) {
        static const Key keys[] = { { "id", "socket" }, { "book", "book" }, { "drawer", "drawer" } };

        compare_groups(context, "packages", value, keys, G_N_ELEMENTS(keys));
}

void expect_dies(Context *context, json_object *value) {
        static const Key keys[] = { { "id", "die" }, { "package", "socket" } };

        compare_groups(context, "dies", value, keys, G_N_ELEMENTS(keys));
}

void expect_clusters(Context *context, json_object *value) {
        static const Key keys[] = { { "id", "cluster" }, { "package", "socket" } };

        compare_groups(context, "clusters", value, keys, G_N_ELEMENTS(keys));
}
