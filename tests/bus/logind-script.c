/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "logind-script.h"

#include "harness.h"

#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <unistd.h>

#define LOGIND "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define PROPERTIES "org.freedesktop.DBus.Properties"

/* What is said to one member: an error if there is a name for it. */
typedef struct Line {
        GVariant *body;
        char *error, *message;
        gboolean held, gives;
        GQueue waiting;                 /* GDBusMessage */
        GVariant *arguments;
        guint calls;
} Line;

struct LogindScript {
        GDBusConnection *bus;
        guint filter;
        GHashTable *lines;              /* by member */
        int end;
        gboolean leaving;
};

static void line_clear(Line *line) {
        g_clear_pointer(&line->body, g_variant_unref);
        g_clear_pointer(&line->error, g_free);
        g_clear_pointer(&line->message, g_free);
        line->held = line->gives = FALSE;
}

static void line_free(gpointer data) {
        Line *line = data;

        line_clear(line);
        g_queue_clear_full(&line->waiting, g_object_unref);
        g_clear_pointer(&line->arguments, g_variant_unref);
        g_free(line);
}

static Line *line_of(const LogindScript *script, const char *member) {
        Line *line = g_hash_table_lookup(script->lines, member);

        if (!line) {
                line = g_new0(Line, 1);
                g_queue_init(&line->waiting);
                line->error = g_strdup("org.freedesktop.DBus.Error.UnknownMethod");
                line->message = g_strdup_printf("Unknown method %s.", member);
                g_hash_table_insert(script->lines, g_strdup(member), line);
        }
        return line;
}

static void give(LogindScript *script, GDBusMessage *reply) {
        g_autoptr(GUnixFDList) fds = NULL;
        g_autoptr(GError) error = NULL;
        int ends[2];

        g_unix_open_pipe(ends, FD_CLOEXEC, &error);
        g_assert_no_error(error);
        if (script->end >= 0)
                close(script->end);
        script->end = ends[0];
        fds = g_unix_fd_list_new_from_array(ends + 1, 1);
        g_dbus_message_set_unix_fd_list(reply, fds);
        g_dbus_message_set_body(reply, g_variant_new("(h)", 0));
}

static void speak(LogindScript *script, const Line *line, GDBusMessage *call) {
        g_autoptr(GDBusMessage) reply = line->error ? g_dbus_message_new_method_error_literal(call, line->error, line->message) : g_dbus_message_new_method_reply(call);
        g_autoptr(GError) error = NULL;

        if (line->gives)
                give(script, reply);
        else if (line->body)
                g_dbus_message_set_body(reply, line->body);
        g_dbus_connection_send_message(script->bus, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, &error);
        g_assert_no_error(error);
}

typedef struct Heard {
        LogindScript *script;
        GDBusMessage *message;
} Heard;

static gboolean on_heard(gpointer userdata) {
        Heard *heard = userdata;
        const char *member = g_dbus_message_get_member(heard->message);
        GVariant *body = g_dbus_message_get_body(heard->message);
        Line *line;

        /* Nobody is to start the real one for our sake. */
        g_assert_true(g_dbus_message_get_flags(heard->message) & G_DBUS_MESSAGE_FLAGS_NO_AUTO_START);
        g_assert_cmpstr(g_dbus_message_get_path(heard->message), ==, LOGIND_PATH);
        if (g_str_equal(member, "Get")) {
                const char *interface;

                g_variant_get(body, "(&s&s)", &interface, &member);
                g_assert_cmpstr(interface, ==, LOGIND_MANAGER);
        }

        line = line_of(heard->script, member);
        line->calls++;
        g_clear_pointer(&line->arguments, g_variant_unref);
        line->arguments = body ? g_variant_ref(body) : NULL;
        if (line->held)
                g_queue_push_tail(&line->waiting, g_object_ref(heard->message));
        else if (!heard->script->leaving)
                speak(heard->script, line, heard->message);
        g_object_unref(heard->message);
        g_free(heard);
        return G_SOURCE_REMOVE;
}

/* A filter, as in polkit-script.c: it may answer with what no introspection data
 * would let it. */
static GDBusMessage *on_message(GDBusConnection *bus, GDBusMessage *message, gboolean incoming, gpointer userdata) {
        const char *interface = g_dbus_message_get_interface(message);

        if (incoming && g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_METHOD_CALL &&
            (g_strcmp0(interface, LOGIND_MANAGER) == 0 || g_strcmp0(interface, PROPERTIES) == 0)) {
                Heard *heard = g_new0(Heard, 1);

                heard->script = userdata;
                heard->message = message;
                g_main_context_invoke(NULL, on_heard, heard);
                return NULL;
        }
        return message;
}

LogindScript *logind_script_new(void) {
        LogindScript *script = g_new0(LogindScript, 1);
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;
        guint32 result;

        script->end = -1;
        script->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, line_free);
        logind_script_answer(script, "CanSuspend", g_variant_new("(s)", "yes"));
        logind_script_answer(script, "CanHibernate", g_variant_new("(s)", "yes"));
        logind_script_answer(script, "CanHybridSleep", g_variant_new("(s)", "yes"));
        logind_script_answer(script, "CanSuspendThenHibernate", g_variant_new("(s)", "yes"));
        logind_script_answer(script, "ListInhibitors", g_variant_new_parsed("(@a(ssssuu) [],)"));
        logind_script_answer(script, "PreparingForSleep", g_variant_new_parsed("(<false>,)"));
        logind_script_answer(script, "InhibitDelayMaxUSec", g_variant_new_parsed("(<uint64 5000000>,)"));
        logind_script_answer(script, "ListSessionsEx", g_variant_new_parsed("(@a(sussussbto) [],)"));
        logind_script_give(script);

        script->bus = bus_connect(NULL);
        script->filter = g_dbus_connection_add_filter(script->bus, on_message, script, NULL);
        reply = g_dbus_connection_call_sync(script->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                                            g_variant_new("(su)", LOGIND, 4), G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, 60000, NULL, &error);
        g_assert_no_error(error);
        g_variant_get(reply, "(u)", &result);
        g_assert_cmpuint(result, ==, 1);
        return script;
}

void logind_script_free(LogindScript *script) {
        g_dbus_connection_remove_filter(script->bus, script->filter);
        g_dbus_connection_close_sync(script->bus, NULL, NULL);
        script->leaving = TRUE;
        /* What the filter has put into the context is still ours. */
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_object_unref(script->bus);
        g_hash_table_unref(script->lines);
        if (script->end >= 0)
                close(script->end);
        g_free(script);
}

static void speak_to_waiting(LogindScript *script, Line *line) {
        while (!g_queue_is_empty(&line->waiting)) {
                g_autoptr(GDBusMessage) call = g_queue_pop_head(&line->waiting);

                speak(script, line, call);
        }
}

void logind_script_answer(LogindScript *script, const char *member, GVariant *body) {
        Line *line = line_of(script, member);

        line_clear(line);
        line->body = body ? g_variant_ref_sink(body) : NULL;
        speak_to_waiting(script, line);
}

void logind_script_fail(LogindScript *script, const char *member, const char *name, const char *message) {
        Line *line = line_of(script, member);

        line_clear(line);
        line->error = g_strdup(name);
        line->message = g_strdup(message);
        speak_to_waiting(script, line);
}

void logind_script_give(LogindScript *script) {
        Line *line = line_of(script, "Inhibit");

        line_clear(line);
        line->gives = TRUE;
        speak_to_waiting(script, line);
}

void logind_script_hold(LogindScript *script, const char *member) {
        line_of(script, member)->held = TRUE;
}

guint logind_script_calls(const LogindScript *script, const char *member) {
        return line_of(script, member)->calls;
}

typedef struct Wanted {
        LogindScript *script;
        const char *member;
        guint n;
} Wanted;

static gboolean was_called(gpointer userdata) {
        const Wanted *wanted = userdata;

        return logind_script_calls(wanted->script, wanted->member) >= wanted->n;
}

void logind_script_wait(LogindScript *script, const char *member, guint n) {
        wait_until(was_called, &(Wanted) { script, member, n });
}

GVariant *logind_script_arguments(const LogindScript *script, const char *member) {
        const Line *line = line_of(script, member);

        g_assert_nonnull(line->arguments);
        return g_variant_ref(line->arguments);
}

int logind_script_take_end(LogindScript *script) {
        int end = script->end;

        g_assert_cmpint(end, >=, 0);
        script->end = -1;
        return end;
}

void logind_script_emit(LogindScript *script, const char *path, const char *interface, const char *member, GVariant *body) {
        g_autoptr(GError) error = NULL;

        g_dbus_connection_emit_signal(script->bus, NULL, path, interface, member, body, &error);
        g_assert_no_error(error);
}

void logind_script_prepare(LogindScript *script, gboolean start) {
        logind_script_emit(script, LOGIND_PATH, LOGIND_MANAGER, "PrepareForSleep", g_variant_new("(b)", start));
}

void logind_script_touch(LogindScript *script, const char *property) {
        GVariantBuilder values;

        g_variant_builder_init(&values, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&values, "{sv}", property, g_variant_new_string("sleep"));
        logind_script_emit(script, LOGIND_PATH, PROPERTIES, "PropertiesChanged", g_variant_new("(sa{sv}as)", LOGIND_MANAGER, &values, NULL));
}
