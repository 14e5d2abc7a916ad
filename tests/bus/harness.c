/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "harness.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

void host_write(const char *root, const char *path, const char *text) {
        g_autofree char *file = g_build_filename(root, path, NULL);
        g_autofree char *folder = g_path_get_dirname(file);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
        g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error);
        g_assert_no_error(error);
}

char *host_read(const char *root, const char *path) {
        g_autofree char *file = g_build_filename(root, path, NULL);
        g_autoptr(GError) error = NULL;
        char *text;

        g_file_get_contents(file, &text, NULL, &error);
        g_assert_no_error(error);
        return g_strchomp(text);
}

static void remove_tree(const char *path) {
        GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
        const char *name;

        if (dir) {
                while ((name = g_dir_read_name(dir))) {
                        g_autofree char *entry = g_build_filename(path, name, NULL);

                        remove_tree(entry);
                }
                g_dir_close(dir);
        }
        g_assert_cmpint(g_remove(path), ==, 0);
}

void host_remove(const char *root, const char *path) {
        g_autofree char *file = g_build_filename(root, path, NULL);

        remove_tree(file);
}

void host_set_online(const char *root, unsigned n) {
        g_autofree char *list = g_strdup_printf("0-%u\n", n - 1);

        host_write(root, "sys/devices/system/cpu/online", list);
}

#define CPU "sys/devices/system/cpu/"
#define NODE "sys/devices/system/node/"

char *host_make(void) {
        g_autoptr(GError) error = NULL;
        char *root = g_dir_make_tmp("berth-host-XXXXXX", &error);

        g_assert_no_error(error);
        g_assert_cmpint(g_chmod(root, 0755), ==, 0);
        host_write(root, CPU "possible", "0-7\n");
        host_write(root, CPU "present", "0-3\n");
        host_write(root, CPU "online", "0-3\n");
        for (unsigned i = 0; i < 4; i++) {
                const struct { const char *name; unsigned value; } ids[] = {
                        { "physical_package_id", i / 2 }, { "die_id", 0 }, { "core_id", i % 2 },
                };

                for (size_t j = 0; j < G_N_ELEMENTS(ids); j++) {
                        g_autofree char *path = g_strdup_printf(CPU "cpu%u/topology/%s", i, ids[j].name);
                        g_autofree char *text = g_strdup_printf("%u\n", ids[j].value);

                        host_write(root, path, text);
                }
                {
                        g_autofree char *path = g_strdup_printf(CPU "cpu%u/topology/core_cpus_list", i);
                        g_autofree char *text = g_strdup_printf("%u\n", i);

                        host_write(root, path, text);
                }
        }
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *node = g_strdup_printf(NODE "node%u", i);
                g_autofree char *meminfo = g_strdup_printf("Node %u MemTotal:       4194304 kB\nNode %u MemFree:        %u kB\nNode %u MemUsed:        100 kB\n",
                                                           i, i, 1000000 + i, i);
                const struct { const char *name, *text; } files[] = {
                        { "cpulist", i == 0 ? "0-1\n" : "2-3\n" },
                        { "distance", i == 0 ? "10 21\n" : "21 10\n" },
                        { "meminfo", meminfo },
                        { "numastat", "numa_hit 11\nnuma_miss 0\n" },
                        { "hugepages/hugepages-2048kB/nr_hugepages", "0\n" },
                        { "hugepages/hugepages-2048kB/free_hugepages", "0\n" },
                };

                for (size_t j = 0; j < G_N_ELEMENTS(files); j++) {
                        g_autofree char *path = g_build_filename(node, files[j].name, NULL);

                        host_write(root, path, files[j].text);
                }
        }
        host_write(root, NODE "online", "0-1\n");
        host_write(root, "proc/cpuinfo", "vendor_id\t: GenuineIntel\nmodel name\t: Test CPU\nflags\t\t: fpu lm \n");
        host_write(root, "proc/meminfo", "MemTotal:        8388608 kB\nMemFree:         2000001 kB\n");
        return root;
}

void wait_until(gboolean (*done)(gpointer), gpointer userdata) {
        gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
        g_autoptr(GSource) alarm = g_timeout_source_new_seconds(60);

        /* Wakes the context at the end of the time, no more. */
        g_source_set_dummy_callback(alarm);
        g_source_attach(alarm, NULL);
        while (!done(userdata)) {
                g_main_context_iteration(NULL, TRUE);
                g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        }
        g_source_destroy(alarm);
}

GDBusConnection *bus_connect(const char *user) {
        const char *address = g_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        g_autoptr(GError) error = NULL;
        GDBusConnection *bus;

        g_assert_nonnull(address);
        /* The kernel tells the bus who we are at the time of connect(2). */
        if (user) {
                const struct passwd *entry = getpwnam(user);

                g_assert_nonnull(entry);
                g_assert_cmpint(seteuid(entry->pw_uid), ==, 0);
        }
        bus = g_dbus_connection_new_for_address_sync(address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL, NULL, &error);
        if (user)
                g_assert_cmpint(seteuid(0), ==, 0);
        g_assert_no_error(error);
        g_dbus_connection_set_exit_on_close(bus, FALSE);
        return bus;
}

static void on_appeared(GDBusConnection *bus, const char *name, const char *owner, gpointer userdata) {
        *(gboolean *) userdata = TRUE;
}

static gboolean is_true(gpointer userdata) {
        return *(gboolean *) userdata;
}

Service *service_start(const char *program, char *root, const char *const *arguments) {
        Service *service = g_new0(Service, 1);
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        gboolean appeared = FALSE;
        guint watch;

        service->root = root;
        service->folder = g_dir_make_tmp("berth-service-XXXXXX", &error);
        g_assert_no_error(error);
        service->bus = bus_connect(NULL);

        g_ptr_array_add(argv, g_strdup(program ?: g_getenv("BERTHD")));
        g_ptr_array_add(argv, g_strdup_printf("--address=%s", g_getenv("DBUS_SYSTEM_BUS_ADDRESS")));
        g_ptr_array_add(argv, g_strdup_printf("--state-dir=%s/state", service->folder));
        g_ptr_array_add(argv, g_strdup_printf("--runtime-dir=%s/run", service->folder));
        g_ptr_array_add(argv, g_strdup_printf("--config=%s/berthd.conf", service->folder));
        if (root)
                g_ptr_array_add(argv, g_strdup_printf("--root=%s", root));
        for (size_t i = 0; arguments && arguments[i]; i++)
                g_ptr_array_add(argv, g_strdup(arguments[i]));
        g_ptr_array_add(argv, NULL);

        watch = g_bus_watch_name_on_connection(service->bus, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, NULL, &appeared, NULL);
        service->process = g_subprocess_newv((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_NONE, &error);
        g_assert_no_error(error);
        wait_until(is_true, &appeared);
        g_bus_unwatch_name(watch);
        return service;
}

void service_signal(Service *service, int signal) {
        g_subprocess_send_signal(service->process, signal);
}

void service_stop(Service *service) {
        g_autoptr(GError) error = NULL;

        service_signal(service, SIGTERM);
        g_subprocess_wait(service->process, NULL, &error);
        g_assert_no_error(error);
        g_assert_true(g_subprocess_get_if_exited(service->process));
        g_assert_cmpint(g_subprocess_get_exit_status(service->process), ==, 0);

        g_dbus_connection_close_sync(service->bus, NULL, NULL);
        g_object_unref(service->bus);
        g_object_unref(service->process);
        remove_tree(service->folder);
        if (service->root)
                remove_tree(service->root);
        g_free(service->folder);
        g_free(service->root);
        g_free(service);
}

GVariant *call(GDBusConnection *bus, const char *path, const char *interface, const char *method, GVariant *arguments, const char *type) {
        g_autoptr(GError) error = NULL;
        GVariant *reply;

        reply = g_dbus_connection_call_sync(bus, BUS_NAME, path, interface, method, arguments, type ? G_VARIANT_TYPE(type) : NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, &error);
        g_assert_no_error(error);
        return reply;
}

void assert_says(const char *text, const char *const *parts) {
        for (size_t i = 0; parts && parts[i]; i++)
                if (!strstr(text, parts[i]))
                        g_error("\"%s\" does not say \"%s\"", text, parts[i]);
}

void call_refused(GDBusConnection *bus, const char *path, const char *interface, const char *method, GVariant *arguments,
                  GDBusCallFlags flags, const char *name, const char *const *parts) {
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *remote = NULL;

        reply = g_dbus_connection_call_sync(bus, BUS_NAME, path, interface, method, arguments, NULL, flags, 60000, NULL, &error);
        if (reply)
                g_error("%s.%s on %s was not refused", interface, method, path);
        remote = g_dbus_error_get_remote_error(error);
        if (g_strcmp0(remote, name) != 0)
                g_error("%s.%s on %s was refused with \"%s\", not with %s", interface, method, path, error->message, name);
        assert_says(error->message, parts);
}

GVariant *get_property(GDBusConnection *bus, const char *path, const char *interface, const char *property) {
        g_autoptr(GVariant) reply = call(bus, path, "org.freedesktop.DBus.Properties", "Get", g_variant_new("(ss)", interface, property), "(v)");
        GVariant *value;

        g_variant_get(reply, "(v)", &value);
        return value;
}

static void on_signal(GDBusConnection *bus, const char *sender, const char *path, const char *interface, const char *member, GVariant *values, gpointer userdata) {
        Signals *signals = userdata;
        g_autofree char *text = g_variant_print(values, FALSE);

        g_ptr_array_add(signals->seen, g_strdup_printf("%s %s.%s %s", path, interface, member, text));
}

Signals *signals_record(GDBusConnection *bus) {
        Signals *signals = g_new0(Signals, 1);

        signals->bus = g_object_ref(bus);
        signals->seen = g_ptr_array_new_with_free_func(g_free);
        signals->subscription = g_dbus_connection_signal_subscribe(bus, BUS_NAME, NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, signals, NULL);
        /* The bus works in order: once this is answered, the match holds. */
        g_variant_unref(call(bus, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL));
        return signals;
}

void signals_free(Signals *signals) {
        g_dbus_connection_signal_unsubscribe(signals->bus, signals->subscription);
        g_object_unref(signals->bus);
        g_ptr_array_unref(signals->seen);
        g_free(signals);
}

static const char *signals_find(const Signals *signals, const char *part) {
        for (guint i = 0; i < signals->seen->len; i++)
                if (strstr(signals->seen->pdata[i], part))
                        return signals->seen->pdata[i];
        return NULL;
}

typedef struct Wanted {
        Signals *signals;
        const char *part;
} Wanted;

static gboolean is_there(gpointer userdata) {
        const Wanted *wanted = userdata;

        return signals_find(wanted->signals, wanted->part) != NULL;
}

const char *signals_wait(Signals *signals, const char *part) {
        wait_until(is_there, &(Wanted) { signals, part });
        return signals_find(signals, part);
}

guint signals_count(const Signals *signals, const char *part) {
        guint n = 0;

        for (guint i = 0; i < signals->seen->len; i++)
                if (strstr(signals->seen->pdata[i], part))
                        n++;
        return n;
}
