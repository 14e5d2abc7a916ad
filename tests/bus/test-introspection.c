/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The live objects say of themselves what the interface files say of them: member
 * by member, in both directions. */

#include "harness.h"
#include "qmp-script.h"

static GDBusInterfaceInfo *info_from_file(const char *path, char **ret_object) {
        g_autoptr(GDBusNodeInfo) node = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *xml = NULL;
        char **parts;

        g_file_get_contents(path, &xml, NULL, &error);
        g_assert_no_error(error);
        node = g_dbus_node_info_new_for_xml(xml, &error);
        g_assert_no_error(error);
        /* N stands for a cell's number, and every host has a cell 0; or for the name of a
         * guest, and there is one called so. */
        parts = g_strsplit(node->path, "/cells/N", 2);
        *ret_object = g_strjoinv("/cells/0", parts);
        g_strfreev(parts);
        return g_dbus_interface_info_ref(node->interfaces[0]);
}

static GDBusInterfaceInfo *info_from_object(GDBusConnection *bus, const char *object, const char *interface) {
        g_autoptr(GVariant) reply = call(bus, object, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, "(s)");
        g_autoptr(GDBusNodeInfo) node = NULL;
        g_autoptr(GError) error = NULL;
        GDBusInterfaceInfo *info;
        const char *xml;

        g_variant_get(reply, "(&s)", &xml);
        node = g_dbus_node_info_new_for_xml(xml, &error);
        g_assert_no_error(error);
        info = g_dbus_node_info_lookup_interface(node, interface);
        return info ? g_dbus_interface_info_ref(info) : NULL;
}

/* "name(type name, …)": everything of a member that a client depends on. */
static void describe_args(GString *text, GDBusArgInfo **args) {
        for (; args && *args; args++)
                g_string_append_printf(text, " %s:%s", (*args)->signature, (*args)->name ?: "?");
}

static int compare_lines(gconstpointer a, gconstpointer b) {
        return g_strcmp0(*(const char *const *) a, *(const char *const *) b);
}

static char *describe(const GDBusInterfaceInfo *info) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        for (GDBusMethodInfo **method = info->methods; method && *method; method++) {
                GString *line = g_string_new(NULL);

                g_string_append_printf(line, "method %s in", (*method)->name);
                describe_args(line, (*method)->in_args);
                g_string_append(line, " out");
                describe_args(line, (*method)->out_args);
                g_ptr_array_add(lines, g_string_free(line, FALSE));
        }
        for (GDBusSignalInfo **signal = info->signals; signal && *signal; signal++) {
                GString *line = g_string_new(NULL);

                g_string_append_printf(line, "signal %s", (*signal)->name);
                describe_args(line, (*signal)->args);
                g_ptr_array_add(lines, g_string_free(line, FALSE));
        }
        for (GDBusPropertyInfo **property = info->properties; property && *property; property++)
                g_ptr_array_add(lines, g_strdup_printf("property %s %s flags %i emits %s", (*property)->name, (*property)->signature, (*property)->flags,
                                                       g_dbus_annotation_info_lookup((*property)->annotations, "org.freedesktop.DBus.Property.EmitsChangedSignal") ?: "true"));
        g_ptr_array_sort(lines, compare_lines);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("\n", (char **) lines->pdata);
}

static void live_objects_are_what_the_files_say(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autofree char *monitor = g_build_filename(service->folder, "run", "domains", "N", "qmp.sock", NULL), *guest = g_path_get_dirname(monitor);
        g_autoptr(QmpScript) script = NULL;
        const char *folder = g_getenv("BERTH_INTERFACES");
        g_autoptr(GError) error = NULL;
        GDir *dir = g_dir_open(folder, 0, &error);
        const char *name;
        guint n = 0;

        g_assert_no_error(error);
        g_assert_cmpint(g_mkdir_with_parents(guest, 0755), ==, 0);
        script = qmp_script_new(monitor);
        qmp_script_greet(script);
        signals_wait(signals, "InterfacesAdded");
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(folder, name, NULL), *object = NULL, *expected = NULL, *found = NULL;
                GDBusInterfaceInfo *file, *live;

                if (!g_str_has_suffix(name, ".xml"))
                        continue;
                file = info_from_file(path, &object);
                live = info_from_object(service->bus, object, file->name);
                g_assert_nonnull(live);
                expected = describe(file);
                found = describe(live);
                g_assert_cmpstr(found, ==, expected);
                g_dbus_interface_info_unref(file);
                g_dbus_interface_info_unref(live);
                n++;
        }
        g_dir_close(dir);
        g_assert_cmpuint(n, >=, 6);
}

/* No object has an interface of ours that no file describes. */
static void nothing_is_there_that_no_file_says(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GVariant) reply = call(service->bus, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, "(a{oa{sa{sv}}})");
        g_autoptr(GVariantIter) objects = NULL;
        const char *path;
        GVariantIter *interfaces;
        guint n = 0;

        g_variant_get(reply, "(a{oa{sa{sv}}})", &objects);
        while (g_variant_iter_loop(objects, "{&oa{sa{sv}}}", &path, &interfaces)) {
                const char *interface;
                GVariant *properties;

                while (g_variant_iter_loop(interfaces, "{&s@a{sv}}", &interface, &properties)) {
                        g_autofree char *file = g_strdup_printf("%s/%s.xml", g_getenv("BERTH_INTERFACES"), interface);

                        if (g_str_has_prefix(interface, "org.berth1"))
                                g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
                }
                n++;
        }
        /* The root (in some versions of sd-bus), the host and two cells. */
        g_assert_cmpuint(n, >=, 3);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/introspection/live-objects-are-what-the-files-say", live_objects_are_what_the_files_say);
        g_test_add_func("/introspection/nothing-is-there-that-no-file-says", nothing_is_there_that_no_file_says);
        return g_test_run();
}
