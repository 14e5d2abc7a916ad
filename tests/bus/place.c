/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "place.h"

#include <signal.h>
#include <string.h>

struct Pending {
        GVariant *reply;
        GError *error;
        gboolean over;
};

Place *place_new(const char *config) {
        g_autoptr(GError) error = NULL;
        Place *place = g_new0(Place, 1);

        place->folder = g_dir_make_tmp("berth-place-XXXXXX", &error);
        g_assert_no_error(error);
        host_write(place->folder, "berthd.conf", config ?: "");
        place_start(place);
        return place;
}

/* The later options hold. */
void place_start(Place *place) {
        g_autofree char *runtime = g_strdup_printf("--runtime-dir=%s/run", place->folder);
        g_autofree char *state = g_strdup_printf("--state-dir=%s/state", place->folder);
        g_autofree char *config = g_strdup_printf("--config=%s/berthd.conf", place->folder);

        place->service = service_start(NULL, NULL, (const char *[]) { runtime, state, config, NULL });
        place->signals = signals_record(place->service->bus);
}

void place_stop(Place *place) {
        g_clear_pointer(&place->signals, signals_free);
        g_clear_pointer(&place->service, service_stop);
}

void place_free(Place *place) {
        place_stop(place);
        host_remove(place->folder, "");
        g_free(place->folder);
        g_free(place);
}

static void on_vanished(GDBusConnection *bus, const char *name, gpointer userdata) {
        *(gboolean *) userdata = TRUE;
}

static gboolean is_true(gpointer userdata) {
        return *(gboolean *) userdata;
}

void place_kill(Place *place) {
        g_autoptr(GError) error = NULL;
        Service *service = place->service;
        gboolean vanished = FALSE;
        guint watch;

        service_signal(service, SIGKILL);
        g_subprocess_wait(service->process, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_subprocess_get_term_sig(service->process), ==, SIGKILL);
        watch = g_bus_watch_name_on_connection(service->bus, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL, on_vanished, &vanished, NULL);
        wait_until(is_true, &vanished);
        g_bus_unwatch_name(watch);

        g_clear_pointer(&place->signals, signals_free);
        g_dbus_connection_close_sync(service->bus, NULL, NULL);
        g_object_unref(service->bus);
        g_object_unref(service->process);
        host_remove(service->folder, "");
        g_free(service->folder);
        g_free(service);
        place->service = NULL;
}

static char *process_path(const Place *place, const char *what) {
        return g_strdup_printf("/proc/%s/%s", g_subprocess_get_identifier(place->service->process), what);
}

/* All of them, and those that a worker has while it looks at the host: a root of its own,
 * folders and files of devices. */
static guint count_descriptors(const Place *place, guint *ret_looking) {
        g_autofree char *path = process_path(place, "fd");
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
        const char *name;
        guint n = 0, roots = 0;

        g_assert_no_error(error);
        *ret_looking = 0;
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL), *target = g_file_read_link(file, NULL);

                n++;
                if (target && g_str_has_prefix(target, "/sys/") && !g_str_has_prefix(target, "/sys/devices/system/node/"))
                        (*ret_looking)++;
                if (g_strcmp0(target, "/") == 0 && roots++ > 0)
                        (*ret_looking)++;
        }
        return n;
}

/* For who reads of a test that failed. */
static char *list_descriptors(const Place *place) {
        g_autofree char *path = process_path(place, "fd");
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        GString *text = g_string_new(NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL), *target = g_file_read_link(file, NULL);

                g_string_append_printf(text, "\n%s -> %s", name, target ?: "?");
        }
        return g_string_free(text, FALSE);
}

/* The kernel tells of each timer when it goes off next. */
static guint count_timers(const Place *place) {
        g_autofree char *path = process_path(place, "fdinfo");
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
        const char *name;
        guint n = 0;

        g_assert_no_error(error);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL), *text = NULL;

                /* It may have been closed meanwhile. */
                if (g_file_get_contents(file, &text, NULL, NULL) && strstr(text, "it_value:") && !strstr(text, "it_value: (0, 0)"))
                        n++;
        }
        return n;
}

/* Its answer to a call wakes us again. */
static void on_pong(GObject *source, GAsyncResult *result, gpointer userdata) {
        g_autoptr(GVariant) reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);

        *(gboolean *) userdata = TRUE;
}

/* Once round its loop. */
static void place_ping(const Place *place) {
        gboolean answered = FALSE;

        g_dbus_connection_call(place->service->bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, on_pong, &answered);
        while (!answered)
                g_main_context_iteration(NULL, TRUE);
}

guint place_count_descriptors(const Place *place) {
        guint n, looking;

        /* The look at the start is over when one that was asked for later is. */
        g_variant_unref(call(place->service->bus, HOST_PATH, "org.berth1.Host.Power", "ListWakeSources", NULL, "(aa{sv})"));
        g_variant_unref(call(place->service->bus, HOST_PATH, "org.berth1.Host.Power", "ListWakeSources", NULL, "(aa{sv})"));
        while ((n = count_descriptors(place, &looking)), looking > 0)
                place_ping(place);
        return n;
}

typedef struct Idle {
        Place *place;
        guint descriptors;
        gint64 deadline_usec;
} Idle;

static gboolean is_idle(gpointer userdata) {
        const Idle *idle = userdata;
        guint looking;

        place_ping(idle->place);
        if (count_descriptors(idle->place, &looking) == idle->descriptors && count_timers(idle->place) == 0)
                return TRUE;
        if (g_get_monotonic_time() > idle->deadline_usec) {
                g_autofree char *list = list_descriptors(idle->place);

                g_error("%u timers run, and there are not %u descriptors but:%s", count_timers(idle->place), idle->descriptors, list);
        }
        /* Whoever waits iterates: there is something to be woken by. */
        g_main_context_wakeup(NULL);
        return FALSE;
}

void place_wait_idle(Place *place, guint descriptors) {
        wait_until(is_idle, &(Idle) { place, descriptors, g_get_monotonic_time() + 30 * G_USEC_PER_SEC });
}

static void on_answer(GObject *source, GAsyncResult *result, gpointer userdata) {
        Pending *pending = userdata;

        pending->reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &pending->error);
        pending->over = TRUE;
}

Pending *call_begin(Place *place, const char *path, const char *interface, const char *method, GVariant *arguments) {
        Pending *pending = g_new0(Pending, 1);

        g_dbus_connection_call(place->service->bus, BUS_NAME, path, interface, method, arguments, NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, on_answer, pending);
        return pending;
}

gboolean call_is_over(const Pending *pending) {
        return pending->over;
}

static gboolean is_over(gpointer userdata) {
        return call_is_over(userdata);
}

static void pending_free(Pending *pending) {
        g_clear_pointer(&pending->reply, g_variant_unref);
        g_clear_error(&pending->error);
        g_free(pending);
}

char *call_outcome(Pending *pending) {
        char *text;

        wait_until(is_over, pending);
        text = pending->reply ? g_variant_print(pending->reply, FALSE) : g_strdup(pending->error->message);
        pending_free(pending);
        return text;
}

char *call_answer(Pending *pending) {
        wait_until(is_over, pending);
        g_assert_no_error(pending->error);
        return call_outcome(pending);
}

void call_fails(Pending *pending, const char *name, const char *const *parts) {
        g_autofree char *remote = NULL;

        wait_until(is_over, pending);
        g_assert_nonnull(pending->error);
        remote = g_dbus_error_get_remote_error(pending->error);
        if (g_strcmp0(remote, name) != 0)
                g_error("it failed with \"%s\", not with %s", pending->error->message, name);
        assert_says(pending->error->message, parts);
        pending_free(pending);
}

char *place_read(const Place *place, const char *path) {
        g_autofree char *file = g_build_filename(place->folder, path, NULL);
        char *text;

        return g_file_get_contents(file, &text, NULL, NULL) ? text : g_strdup("");
}
