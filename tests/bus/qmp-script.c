/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qmp-script.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>

#include "harness.h"

struct QmpScript {
        GSocketListener *listener;
        GSocketConnection *connection;
        GDataInputStream *input;
        GHashTable *answers;
        GHashTable *asked;              /* how often, by command */
        GCancellable *cancellable;
        gboolean ended;
};

QmpScript *qmp_script_new(const char *path) {
        QmpScript *script = g_new0(QmpScript, 1);
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
        g_autoptr(GError) error = NULL;

        script->listener = g_socket_listener_new();
        script->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        script->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        script->cancellable = g_cancellable_new();
        g_socket_listener_add_address(script->listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
        g_assert_no_error(error);
        qmp_script_answer(script, "qmp_capabilities", "{}");
        return script;
}

void qmp_script_free(QmpScript *script) {
        g_cancellable_cancel(script->cancellable);
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_clear_object(&script->input);
        if (script->connection)
                g_io_stream_close(G_IO_STREAM(script->connection), NULL, NULL);
        g_clear_object(&script->connection);
        g_socket_listener_close(script->listener);
        g_object_unref(script->listener);
        g_object_unref(script->cancellable);
        g_hash_table_unref(script->answers);
        g_hash_table_unref(script->asked);
        g_free(script);
}

void qmp_script_answer(QmpScript *script, const char *command, const char *json) {
        g_hash_table_replace(script->answers, g_strdup(command), g_strdup(json));
}

static void send(QmpScript *script, const char *bytes) {
        GOutputStream *output = g_io_stream_get_output_stream(G_IO_STREAM(script->connection));

        /* The other end may be gone already: that is then what the test is about. */
        (void) g_output_stream_write_all(output, bytes, strlen(bytes), NULL, NULL, NULL);
}

static void read_on(QmpScript *script);

static void on_line(GObject *source, GAsyncResult *result, gpointer userdata) {
        g_autofree char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, NULL);
        g_autoptr(GRegex) regex = NULL;
        g_autoptr(GMatchInfo) match = NULL;
        QmpScript *script = userdata;

        if (!line) {
                script->ended = TRUE;
                return;
        }
        regex = g_regex_new("\"execute\":\\s*\"([^\"]+)\".*\"id\":\\s*([0-9]+)", 0, 0, NULL);
        if (g_regex_match(regex, line, 0, &match)) {
                g_autofree char *command = g_match_info_fetch(match, 1), *id = g_match_info_fetch(match, 2);
                const char *answer = g_hash_table_lookup(script->answers, command);
                g_autofree char *reply = answer ? g_strdup_printf("{\"return\": %s, \"id\": %s}\r\n", answer, id) :
                        g_strdup_printf("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no such command\"}, \"id\": %s}\r\n", id);

                g_hash_table_replace(script->asked, g_strdup(command), GUINT_TO_POINTER(qmp_script_asked(script, command) + 1));
                send(script, reply);
        }
        read_on(script);
}

static void read_on(QmpScript *script) {
        g_data_input_stream_read_line_async(script->input, G_PRIORITY_DEFAULT, script->cancellable, on_line, script);
}

void qmp_script_say(QmpScript *script, const char *bytes) {
        g_autoptr(GError) error = NULL;

        if (!script->connection) {
                script->connection = g_socket_listener_accept(script->listener, NULL, NULL, &error);
                g_assert_no_error(error);
        }
        send(script, bytes);
}

void qmp_script_greet(QmpScript *script) {
        qmp_script_say(script, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": []}}\r\n");
        script->input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(script->connection)));
        read_on(script);
}

void qmp_script_hang_up(QmpScript *script) {
        g_cancellable_cancel(script->cancellable);
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_cancellable_reset(script->cancellable);
        g_clear_object(&script->input);
        g_io_stream_close(G_IO_STREAM(script->connection), NULL, NULL);
        g_clear_object(&script->connection);
}

static gboolean has_ended(gpointer userdata) {
        return ((QmpScript *) userdata)->ended;
}

void qmp_script_wait_end(QmpScript *script) {
        if (!script->input) {
                script->input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(script->connection)));
                read_on(script);
        }
        wait_until(has_ended, script);
}

guint qmp_script_asked(const QmpScript *script, const char *command) {
        return GPOINTER_TO_UINT(g_hash_table_lookup(script->asked, command));
}

void qmp_script_event(QmpScript *script, const char *name) {
        g_autofree char *text = g_strdup_printf("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"%s\"}\r\n", name);

        send(script, text);
}
