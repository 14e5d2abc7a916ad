/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tree.h"

#define BUS_NAME "org.berth1"

struct Daemon {
        GDBusConnection *bus;
        GSubprocess *process;
        char *folder;           /* runtime and state folders */
        guint watch;
        gboolean named;
        gboolean ended;
        gboolean ever_named;
};

static void on_name(GDBusConnection *bus, const char *name, const char *owner, gpointer data) {
        Daemon *daemon = data;

        daemon->named = daemon->ever_named = TRUE;
}

static void on_no_name(GDBusConnection *bus, const char *name, gpointer data) {
        Daemon *daemon = data;

        daemon->named = FALSE;
}

static void on_end(GObject *process, GAsyncResult *result, gpointer data) {
        Daemon *daemon = data;

        g_subprocess_wait_finish(G_SUBPROCESS(process), result, NULL);
        daemon->ended = TRUE;
}

static char *written_by(Daemon *daemon) {
        g_autofree char *path = g_build_filename(daemon->folder, "log", NULL);
        char *text = NULL;

        g_file_get_contents(path, &text, NULL, NULL);
        return text ? text : g_strdup("");
}

static Daemon *start(const char *root) {
        const char *program = g_getenv("BERTHD"), *address = g_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
        g_autoptr(GError) error = NULL;
        Daemon *daemon = g_new0(Daemon, 1);

        g_assert_nonnull(program);
        g_assert_nonnull(address);

        daemon->folder = tree_make_folder();
        daemon->bus = g_dbus_connection_new_for_address_sync(
                address,
                G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                NULL, NULL, &error);
        g_assert_no_error(error);
        daemon->watch = g_bus_watch_name_on_connection(daemon->bus, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                       on_name, on_no_name, daemon, NULL);

        g_autofree char *address_option = g_strdup_printf("--address=%s", address);
        g_autofree char *root_option = g_strdup_printf("--root=%s", root);
        g_autofree char *runtime_option = g_strdup_printf("--runtime-dir=%s/run", daemon->folder);
        g_autofree char *state_option = g_strdup_printf("--state-dir=%s/state", daemon->folder);
        g_autofree char *log = g_build_filename(daemon->folder, "log", NULL);
        const char *folders[] = { "run", "state" };

        for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
                g_autofree char *folder = g_build_filename(daemon->folder, folders[i], NULL);

                g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
        }
        g_subprocess_launcher_set_stderr_file_path(launcher, log);
        daemon->process = g_subprocess_launcher_spawn(launcher, &error, program, address_option, root_option,
                                                      runtime_option, state_option, NULL);
        g_assert_no_error(error);
        g_subprocess_wait_async(daemon->process, NULL, on_end, daemon);
        return daemon;
}

static void release(Daemon *daemon) {
        const char *entries[] = { "run/domains", "run", "state", "log", "" };

        g_bus_unwatch_name(daemon->watch);
        g_dbus_connection_close_sync(daemon->bus, NULL, NULL);
        g_object_unref(daemon->bus);
        g_object_unref(daemon->process);
        for (guint i = 0; i < G_N_ELEMENTS(entries); i++) {
                g_autofree char *path = g_build_filename(daemon->folder, entries[i], NULL);

                remove(path);
        }
        g_free(daemon->folder);
        g_free(daemon);
}

Daemon *daemon_start(const char *root) {
        Daemon *daemon = start(root);

        while (!daemon->named && !daemon->ended)
                g_main_context_iteration(NULL, TRUE);
        if (!daemon->named) {
                g_autofree char *text = written_by(daemon);

                g_error("berthd --root=%s did not come to the bus: %s", root, text);
        }
        return daemon;
}

char *daemon_start_in_vain(const char *root) {
        Daemon *daemon = start(root);
        char *text;

        while (!daemon->ended)
                g_main_context_iteration(NULL, TRUE);
        /* Had it had its name, the bus would have told us before this answer. */
        {
                g_autoptr(GVariant) answer = g_dbus_connection_call_sync(
                        daemon->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                        "GetId", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);

                g_assert_nonnull(answer);
        }
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_assert_false(daemon->ever_named);
        g_assert_true(g_subprocess_get_if_exited(daemon->process));
        g_assert_cmpint(g_subprocess_get_exit_status(daemon->process), !=, 0);
        text = written_by(daemon);
        release(daemon);
        return text;
}

Daemon *daemon_stop(Daemon *daemon) {
        if (!daemon)
                return NULL;

        if (!daemon->ended)
                g_subprocess_send_signal(daemon->process, SIGTERM);
        while (!daemon->ended || daemon->named)
                g_main_context_iteration(NULL, TRUE);
        if (!g_subprocess_get_successful(daemon->process)) {
                g_autofree char *text = written_by(daemon);

                g_test_fail_printf("berthd did not end well (wait status %d): %s",
                                   g_subprocess_get_status(daemon->process), text);
        }
        release(daemon);
        return NULL;
}

guint64 daemon_peak_memory(Daemon *daemon) {
        g_autofree char *path = g_strdup_printf("/proc/%s/status", g_subprocess_get_identifier(daemon->process));
        g_autofree char *text = NULL;
        const char *peak;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        peak = strstr(text, "VmHWM:");
        g_assert_nonnull(peak);
        return g_ascii_strtoull(peak + strlen("VmHWM:"), NULL, 10) * 1024;
}

GVariant *daemon_try_call(Daemon *daemon, const char *path, const char *interface, const char *method,
                          GVariant *arguments, const char *reply_type, GError **error) {
        return g_dbus_connection_call_sync(daemon->bus, BUS_NAME, path, interface, method, arguments,
                                           G_VARIANT_TYPE(reply_type), G_DBUS_CALL_FLAGS_NO_AUTO_START,
                                           -1, NULL, error);
}

GVariant *daemon_call(Daemon *daemon, const char *path, const char *interface, const char *method,
                      GVariant *arguments, const char *reply_type) {
        g_autoptr(GError) error = NULL;
        GVariant *reply = daemon_try_call(daemon, path, interface, method, arguments, reply_type, &error);

        if (!reply) {
                g_autofree char *text = written_by(daemon);

                g_error("%s %s.%s: %s; berthd wrote: %s", path, interface, method, error->message, text);
        }
        return reply;
}
