/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "polkit-script.h"

#include "harness.h"

#define POLKIT "org.freedesktop.PolicyKit1"
#define PATH "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE "org.freedesktop.PolicyKit1.Authority"

struct PolkitScript {
        GDBusConnection *bus;
        guint filter;
        GQueue questions;               /* GDBusMessage, oldest first */
        GQueue cancelled;               /* char */
};

/* A filter rather than an exported object: it may answer with what no
 * introspection data would let it. */
typedef struct Heard {
        PolkitScript *script;
        GDBusMessage *message;
} Heard;

static gboolean on_heard(gpointer userdata) {
        Heard *heard = userdata;
        const char *member = g_dbus_message_get_member(heard->message);

        if (g_str_equal(member, "CheckAuthorization"))
                g_queue_push_tail(&heard->script->questions, g_object_ref(heard->message));
        else if (g_str_equal(member, "CancelCheckAuthorization")) {
                const char *id;

                g_variant_get(g_dbus_message_get_body(heard->message), "(&s)", &id);
                g_queue_push_tail(&heard->script->cancelled, g_strdup(id));
        }
        g_object_unref(heard->message);
        g_free(heard);
        return G_SOURCE_REMOVE;
}

static GDBusMessage *on_message(GDBusConnection *bus, GDBusMessage *message, gboolean incoming, gpointer userdata) {
        if (incoming && g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_METHOD_CALL &&
            g_strcmp0(g_dbus_message_get_interface(message), INTERFACE) == 0) {
                Heard *heard = g_new0(Heard, 1);

                heard->script = userdata;
                heard->message = message;
                g_main_context_invoke(NULL, on_heard, heard);
                return NULL;
        }
        return message;
}

PolkitScript *polkit_script_new(void) {
        PolkitScript *script = g_new0(PolkitScript, 1);
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;
        guint32 result;

        script->bus = bus_connect(NULL);
        g_queue_init(&script->questions);
        g_queue_init(&script->cancelled);
        script->filter = g_dbus_connection_add_filter(script->bus, on_message, script, NULL);
        reply = g_dbus_connection_call_sync(script->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                                            g_variant_new("(su)", POLKIT, 4), G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, 60000, NULL, &error);
        g_assert_no_error(error);
        g_variant_get(reply, "(u)", &result);
        g_assert_cmpuint(result, ==, 1);
        return script;
}

void polkit_script_free(PolkitScript *script) {
        g_dbus_connection_remove_filter(script->bus, script->filter);
        g_dbus_connection_close_sync(script->bus, NULL, NULL);
        /* What the filter has put into the context is still ours. */
        while (g_main_context_iteration(NULL, FALSE))
                ;
        g_object_unref(script->bus);
        g_queue_clear_full(&script->questions, g_object_unref);
        g_queue_clear_full(&script->cancelled, g_free);
        g_free(script);
}

typedef struct Wanted {
        PolkitScript *script;
        guint n;
} Wanted;

static gboolean has_questions(gpointer userdata) {
        const Wanted *wanted = userdata;

        return g_queue_get_length(&wanted->script->questions) >= wanted->n;
}

void polkit_script_wait(PolkitScript *script, guint n) {
        wait_until(has_questions, &(Wanted) { script, n });
}

guint polkit_script_open(const PolkitScript *script) {
        return script->questions.length;
}

GVariant *polkit_script_question(const PolkitScript *script) {
        return g_variant_ref(g_dbus_message_get_body(g_queue_peek_head((GQueue *) &script->questions)));
}

static void send_answer(PolkitScript *script, GDBusMessage *reply) {
        g_autoptr(GError) error = NULL;

        g_dbus_connection_send_message(script->bus, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, &error);
        g_assert_no_error(error);
        g_dbus_connection_flush_sync(script->bus, NULL, &error);
        g_assert_no_error(error);
}

void polkit_script_babble(PolkitScript *script, GVariant *nonsense) {
        g_autoptr(GDBusMessage) question = g_queue_pop_head(&script->questions);
        g_autoptr(GDBusMessage) reply = g_dbus_message_new_method_reply(question);

        if (nonsense)
                g_dbus_message_set_body(reply, nonsense);
        send_answer(script, reply);
}

void polkit_script_answer(PolkitScript *script, gboolean authorized, gboolean challenge) {
        polkit_script_babble(script, g_variant_new("((bba{ss}))", authorized, challenge, NULL));
}

void polkit_script_fail(PolkitScript *script, const char *name, const char *message) {
        g_autoptr(GDBusMessage) question = g_queue_pop_head(&script->questions);
        g_autoptr(GDBusMessage) reply = g_dbus_message_new_method_error_literal(question, name, message);

        send_answer(script, reply);
}

static gboolean has_cancelled(gpointer userdata) {
        return !g_queue_is_empty(&((PolkitScript *) userdata)->cancelled);
}

char *polkit_script_wait_cancel(PolkitScript *script) {
        wait_until(has_cancelled, script);
        return g_queue_pop_head(&script->cancelled);
}
