/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "seen.h"

#include <string.h>

#define HOST_PATH "/org/berth1/host"
#define CELLS_PATH HOST_PATH "/cells/"
#define TOPOLOGY "org.berth1.Host.Topology"
#define CELLS "org.berth1.Host.Cells"
#define CELL "org.berth1.Host.Cell"

/* The only value that a method answers, of this type. */
static GVariant *ask(Daemon *daemon, const char *path, const char *interface, const char *method,
                     GVariant *arguments, const char *type) {
        g_autofree char *reply_type = g_strdup_printf("(%s)", type);
        g_autoptr(GVariant) reply = daemon_call(daemon, path, interface, method, arguments, reply_type);

        return g_variant_get_child_value(reply, 0);
}

/* The same of a cell that may answer that the kernel does not tell: NULL then. */
static GVariant *ask_if_told(Daemon *daemon, const char *path, const char *method, const char *type) {
        g_autofree char *reply_type = g_strdup_printf("(%s)", type), *name = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply = daemon_try_call(daemon, path, CELL, method, NULL, reply_type, &error);

        if (reply)
                return g_variant_get_child_value(reply, 0);
        name = g_dbus_error_get_remote_error(error);
        g_assert_cmpstr(name, ==, "org.berth1.Error.NotSupported");
        return NULL;
}

static char *ask_text(Daemon *daemon, const char *path, const char *interface, const char *method,
                      GVariant *arguments) {
        g_autoptr(GVariant) text = ask(daemon, path, interface, method, arguments, "s");

        return g_variant_dup_string(text, NULL);
}

static SeenCell *cell_new(Daemon *daemon, const char *path, GVariant *properties) {
        SeenCell *cell = g_new0(SeenCell, 1);
        g_autoptr(GVariant) reply = NULL;
        guint32 id;

        g_assert_true(seen_u32(properties, "Id", &id));
        cell->id = id;
        cell->properties = g_variant_ref(properties);
        cell->pages = ask(daemon, path, CELL, "GetPages", NULL, "a(ttt)");
        cell->access = ask(daemon, path, CELL, "GetAccess", NULL, "aa{sv}");
        cell->devices = ask(daemon, path, CELL, "ListDevices", NULL, "aa{sv}");
        reply = ask_if_told(daemon, path, "GetMemoryStats", "a{st}");
        if (reply)
                cell->stats = g_steal_pointer(&reply);
        reply = ask_if_told(daemon, path, "GetFreeMemory", "t");
        if (reply) {
                cell->free_told = TRUE;
                cell->free_bytes = g_variant_get_uint64(reply);
        }
        return cell;
}

static void cell_free(gpointer data) {
        SeenCell *cell = data;

        g_variant_unref(cell->properties);
        g_variant_unref(cell->pages);
        g_variant_unref(cell->access);
        g_variant_unref(cell->devices);
        g_clear_pointer(&cell->stats, g_variant_unref);
        g_free(cell);
}

static int compare_cells(gconstpointer a, gconstpointer b) {
        const SeenCell *left = *(SeenCell *const *) a, *right = *(SeenCell *const *) b;

        return left->id < right->id ? -1 : left->id > right->id;
}

static void take_objects(Seen *seen, Daemon *daemon) {
        g_autoptr(GVariant) objects = ask(daemon, "/org/berth1", "org.freedesktop.DBus.ObjectManager",
                                          "GetManagedObjects", NULL, "a{oa{sa{sv}}}");
        g_autoptr(GVariant) host = NULL;
        GVariantIter i;
        const char *path;
        GVariant *interfaces;

        host = g_variant_lookup_value(objects, HOST_PATH, G_VARIANT_TYPE("a{sa{sv}}"));
        if (!host)
                g_error("GetManagedObjects does not show %s", HOST_PATH);
        seen->topology = g_variant_lookup_value(host, TOPOLOGY, G_VARIANT_TYPE_VARDICT);
        seen->cells = g_variant_lookup_value(host, CELLS, G_VARIANT_TYPE_VARDICT);
        g_assert_nonnull(seen->topology);
        g_assert_nonnull(seen->cells);

        g_variant_iter_init(&i, objects);
        while (g_variant_iter_loop(&i, "{&o@a{sa{sv}}}", &path, &interfaces)) {
                g_autoptr(GVariant) properties =
                        g_variant_lookup_value(interfaces, CELL, G_VARIANT_TYPE_VARDICT);
                SeenCell *cell;

                if (!properties)
                        continue;
                g_assert_true(g_str_has_prefix(path, CELLS_PATH));
                cell = cell_new(daemon, path, properties);
                g_ptr_array_add(seen->cell, cell);
                g_assert_cmpuint(g_ascii_strtoull(path + strlen(CELLS_PATH), NULL, 10), ==, cell->id);
        }
        g_ptr_array_sort(seen->cell, compare_cells);
}

Seen *seen_new(Daemon *daemon) {
        Seen *seen = g_new0(Seen, 1);

        seen->cell = g_ptr_array_new_with_free_func(cell_free);
        take_objects(seen, daemon);
        seen->cpus = ask(daemon, HOST_PATH, TOPOLOGY, "ListCpus", NULL, "aa{sv}");
        seen->caches = ask(daemon, HOST_PATH, TOPOLOGY, "ListCaches", NULL, "aa{sv}");
        seen->free_memory = ask(daemon, HOST_PATH, CELLS, "GetFreeMemory", g_variant_new("(uu)", 0, 0), "a(ut)");
        seen->free_pages = ask(daemon, HOST_PATH, CELLS, "GetFreePages", g_variant_new("(uu)", 0, 0), "a(utt)");
        seen->xml = ask_text(daemon, HOST_PATH, TOPOLOGY, "GetXml",
                             g_variant_new("(@as)", g_variant_new_strv(NULL, 0)));
        seen->nested_xml = ask_text(daemon, HOST_PATH, TOPOLOGY, "GetXml",
                                    g_variant_new_parsed("(['nested'],)"));
        seen->capabilities_xml = ask_text(daemon, "/org/berth1", "org.berth1.Manager", "GetCapabilitiesXml", NULL);
        return seen;
}

Seen *seen_free(Seen *seen) {
        if (!seen)
                return NULL;
        g_variant_unref(seen->topology);
        g_variant_unref(seen->cells);
        g_variant_unref(seen->cpus);
        g_variant_unref(seen->caches);
        g_variant_unref(seen->free_memory);
        g_variant_unref(seen->free_pages);
        g_ptr_array_unref(seen->cell);
        g_free(seen->xml);
        g_free(seen->nested_xml);
        g_free(seen->capabilities_xml);
        g_free(seen);
        return NULL;
}

SeenCell *seen_cell(const Seen *seen, guint id) {
        for (guint i = 0; i < seen->cell->len; i++) {
                SeenCell *cell = g_ptr_array_index(seen->cell, i);

                if (cell->id == id)
                        return cell;
        }
        return NULL;
}

GVariant *seen_cpu(const Seen *seen, guint id) {
        /* They come in order, mostly without gaps: look where it should be first. */
        gsize n = g_variant_n_children(seen->cpus);

        for (gsize i = 0; i < n; i++) {
                g_autoptr(GVariant) cpu = g_variant_get_child_value(seen->cpus, (id + i) % n);
                guint32 number;

                if (seen_u32(cpu, "id", &number) && number == id)
                        return g_steal_pointer(&cpu);
        }
        return NULL;
}

static int compare_words(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

char *seen_warning_codes(const Seen *seen) {
        g_autoptr(GVariant) warnings =
                g_variant_lookup_value(seen->topology, "Warnings", G_VARIANT_TYPE("aa{sv}"));
        g_autoptr(GPtrArray) codes = g_ptr_array_new_with_free_func(g_free);
        GString *list = g_string_new(NULL);

        g_assert_nonnull(warnings);
        for (gsize i = 0; i < g_variant_n_children(warnings); i++) {
                g_autoptr(GVariant) warning = g_variant_get_child_value(warnings, i);
                const char *keys[] = { "severity", "subject", "message", "remedy" };
                char *code = seen_string(warning, "code");

                /* Each is complete. */
                g_assert_nonnull(code);
                g_ptr_array_add(codes, code);
                for (guint j = 0; j < G_N_ELEMENTS(keys); j++) {
                        g_autofree char *text = seen_string(warning, keys[j]);

                        g_assert_nonnull(text);
                        g_assert_cmpstr(text, !=, "");
                }
        }
        g_ptr_array_sort(codes, compare_words);
        for (guint i = 0; i < codes->len; i++)
                if (i == 0 || strcmp(codes->pdata[i - 1], codes->pdata[i]) != 0)
                        g_string_append_printf(list, list->len > 0 ? " %s" : "%s", (char *) codes->pdata[i]);
        return g_string_free(list, FALSE);
}

/* --- members of dictionaries */

static gboolean lookup(GVariant *dictionary, const char *key, const char *type, gpointer ret) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dictionary, key, NULL);

        if (!value)
                return FALSE;
        if (!g_variant_is_of_type(value, G_VARIANT_TYPE(type)))
                g_error("\"%s\" has type %s, not %s", key, g_variant_get_type_string(value), type);
        g_variant_get(value, type, ret);
        return TRUE;
}

gboolean seen_u32(GVariant *dictionary, const char *key, guint32 *ret) {
        return lookup(dictionary, key, "u", ret);
}

gboolean seen_u64(GVariant *dictionary, const char *key, guint64 *ret) {
        return lookup(dictionary, key, "t", ret);
}

gboolean seen_bool(GVariant *dictionary, const char *key, gboolean *ret) {
        return lookup(dictionary, key, "b", ret);
}

char *seen_string(GVariant *dictionary, const char *key) {
        char *text = NULL;

        return lookup(dictionary, key, "s", &text) ? text : NULL;
}
