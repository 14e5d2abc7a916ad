/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qmp-script.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>

#include "harness.h"

/* What is said to a command. */
typedef struct Reply {
        char *value;                    /* of "return"; NULL: refused, or the handler's */
        char *description;              /* of the refusal */
        QmpScriptHandler handler;
        gpointer userdata;
} Reply;

struct QmpScript {
        GSocketListener *listener;
        GSocketConnection *connection;
        GDataInputStream *input;
        GHashTable *replies;            /* Reply, by command */
        GHashTable *held;               /* GString of what waits, by command */
        GHashTable *asked;              /* how often, by command */
        GCancellable *cancellable;
        gboolean ended;
};

static void reply_free(gpointer data) {
        Reply *reply = data;

        g_free(reply->value);
        g_free(reply->description);
        g_free(reply);
}

static void held_free(gpointer data) {
        g_string_free(data, TRUE);
}

QmpScript *qmp_script_new(const char *path) {
        QmpScript *script = g_new0(QmpScript, 1);
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
        g_autoptr(GError) error = NULL;

        script->listener = g_socket_listener_new();
        script->replies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, reply_free);
        script->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, held_free);
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
        g_hash_table_unref(script->replies);
        g_hash_table_unref(script->held);
        g_hash_table_unref(script->asked);
        g_free(script);
}

static void set_reply(QmpScript *script, const char *command, Reply reply) {
        g_hash_table_replace(script->replies, g_strdup(command), g_memdup2(&reply, sizeof reply));
}

void qmp_script_answer(QmpScript *script, const char *command, const char *json) {
        set_reply(script, command, (Reply) { .value = g_strdup(json) });
}

void qmp_script_refuse(QmpScript *script, const char *command, const char *description) {
        set_reply(script, command, (Reply) { .description = g_strdup(description) });
}

void qmp_script_handle(QmpScript *script, const char *command, QmpScriptHandler handler, gpointer userdata) {
        set_reply(script, command, (Reply) { .handler = handler, .userdata = userdata });
}

static void send(QmpScript *script, const char *bytes) {
        GOutputStream *output;

        if (!script->connection)
                return;
        output = g_io_stream_get_output_stream(G_IO_STREAM(script->connection));
        /* The other end may be gone already: that is then what the test is about. */
        (void) g_output_stream_write_all(output, bytes, strlen(bytes), NULL, NULL, NULL);
}

static void read_on(QmpScript *script);

/* The line that answers a command; NULL if none does. */
static char *make_reply(QmpScript *script, const char *command, const char *id, const char *line) {
        const Reply *reply = g_hash_table_lookup(script->replies, command);
        g_autofree char *value = NULL;

        if (!reply || reply->description)
                return g_strdup_printf("{\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}, \"id\": %s}\r\n", reply ? "GenericError" : "CommandNotFound",
                                       reply ? reply->description : "no such command", id);
        value = reply->handler ? reply->handler(script, line, reply->userdata) : g_strdup(reply->value);
        return value ? g_strdup_printf("{\"return\": %s, \"id\": %s}\r\n", value, id) : NULL;
}

static void on_line(GObject *source, GAsyncResult *result, gpointer userdata) {
        g_autoptr(GError) error = NULL;
        g_autofree char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, &error);
        g_autoptr(GRegex) regex = NULL;
        g_autoptr(GMatchInfo) match = NULL;
        QmpScript *script = userdata;

        if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
                return;
        if (!line) {
                script->ended = TRUE;
                return;
        }
        regex = g_regex_new("\"execute\":\\s*\"([^\"]+)\".*\"id\":\\s*([0-9]+)", 0, 0, NULL);
        if (g_regex_match(regex, line, 0, &match)) {
                g_autofree char *command = g_match_info_fetch(match, 1), *id = g_match_info_fetch(match, 2);
                g_autofree char *reply = make_reply(script, command, id, line);
                GString *held = g_hash_table_lookup(script->held, command);

                g_hash_table_replace(script->asked, g_strdup(command), GUINT_TO_POINTER(qmp_script_asked(script, command) + 1));
                if (reply && held)
                        g_string_append(held, reply);
                else if (reply)
                        send(script, reply);
        }
        read_on(script);
}

void qmp_script_hold(QmpScript *script, const char *command) {
        g_hash_table_replace(script->held, g_strdup(command), g_string_new(NULL));
}

void qmp_script_release(QmpScript *script, const char *command) {
        const GString *held = g_hash_table_lookup(script->held, command);

        send(script, held->str);
        g_hash_table_remove(script->held, command);
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
        script->ended = FALSE;
        script->input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(script->connection)));
        read_on(script);
}

void qmp_script_hang_up(QmpScript *script) {
        g_cancellable_cancel(script->cancellable);
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_cancellable_reset(script->cancellable);
        g_hash_table_remove_all(script->held);
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

typedef struct Asked {
        QmpScript *script;
        const char *command;
        guint n;
} Asked;

static gboolean was_asked(gpointer userdata) {
        const Asked *asked = userdata;

        return qmp_script_asked(asked->script, asked->command) >= asked->n;
}

void qmp_script_wait_asked(QmpScript *script, const char *command, guint n) {
        wait_until(was_asked, &(Asked) { script, command, n });
}

void qmp_script_event_data(QmpScript *script, const char *name, const char *data) {
        g_autofree char *text = g_strdup_printf("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"%s\"%s%s}\r\n", name, data ? ", \"data\": " : "", data ?: "");

        send(script, text);
}

void qmp_script_event(QmpScript *script, const char *name) {
        qmp_script_event_data(script, name, NULL);
}
