/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Objects that come and go, marks that become signals, and answers that come late:
 * bus/ alone, with a peer that does what it is told. */

#include "harness.h"
#include "polkit-script.h"

#include <string.h>

#define TEST "org.berth1.Test"
#define OBJECT "org.berth1.Test.Object"
#define OBJECTS ROOT_PATH "/objects"
#define UNKNOWN_OBJECT "org.freedesktop.DBus.Error.UnknownObject"

static Service *peer_start(void) {
        return service_start(g_getenv("BERTH_TEST_PEER"), NULL, NULL);
}

static void tell(Service *service, const char *method, const char *name) {
        g_variant_unref(call(service->bus, ROOT_PATH, TEST, method, g_variant_new("(s)", name), "()"));
}

static void burst_of_marks_is_one_signal(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);

        tell(service, "Add", "a");
        signals_wait(signals, "InterfacesAdded");
        g_variant_unref(call(service->bus, ROOT_PATH, TEST, "Count", g_variant_new("(su)", "a", 1000), "()"));
        assert_says(signals_wait(signals, "PropertiesChanged"), PARTS("{'Number': <uint32 1000>}"));
        g_variant_unref(call(service->bus, ROOT_PATH, TEST, "Count", g_variant_new("(su)", "a", 1), "()"));
        signals_wait(signals, "<uint32 1001>");
        g_assert_cmpuint(signals_count(signals, "PropertiesChanged"), ==, 2);
}

static void new_object_tells_its_state_once(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);

        tell(service, "Add", "a");
        assert_says(signals_wait(signals, "InterfacesAdded"), PARTS("'" OBJECTS "/a'", "{'Number': <uint32 0>}"));
        g_assert_cmpuint(signals_count(signals, "PropertiesChanged"), ==, 0);
}

static void removal_names_the_interface(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);

        tell(service, "Add", "a");
        signals_wait(signals, "InterfacesAdded");
        tell(service, "Remove", "a");
        assert_says(signals_wait(signals, "InterfacesRemoved"), PARTS("'" OBJECTS "/a'", "'" OBJECT "'"));
        call_refused(service->bus, OBJECTS "/a", OBJECT, "Hold", g_variant_new("(u)", 1), G_DBUS_CALL_FLAGS_NONE, UNKNOWN_OBJECT, NULL);
}

static void replaced_object_goes_before_it_comes(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);
        guint removed = G_MAXUINT, added = G_MAXUINT;

        tell(service, "Add", "a");
        signals_wait(signals, "InterfacesAdded");
        g_variant_unref(call(service->bus, ROOT_PATH, TEST, "Count", g_variant_new("(su)", "a", 5), "()"));
        signals_wait(signals, "PropertiesChanged");
        g_ptr_array_set_size(signals->seen, 0);

        tell(service, "Replace", "a");
        signals_wait(signals, "InterfacesAdded");
        for (guint i = 0; i < signals->seen->len; i++) {
                if (strstr(signals->seen->pdata[i], "InterfacesRemoved"))
                        removed = i;
                if (strstr(signals->seen->pdata[i], "InterfacesAdded"))
                        added = i;
        }
        g_assert_cmpuint(removed, <, added);
        g_assert_cmpuint(signals->seen->len, ==, 2);
        assert_says(signals->seen->pdata[added], PARTS("{'Number': <uint32 0>}"));
}

static void object_that_flickers_was_never_there(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);

        tell(service, "Flicker", "a");
        tell(service, "Add", "b");
        signals_wait(signals, "InterfacesAdded");
        g_assert_cmpuint(signals->seen->len, ==, 1);
        assert_says(signals->seen->pdata[0], PARTS("'" OBJECTS "/b'"));
}

typedef struct Asked {
        GAsyncResult *result;
} Asked;

static void on_answer(GObject *source, GAsyncResult *result, gpointer userdata) {
        ((Asked *) userdata)->result = g_object_ref(result);
}

static gboolean is_answered(gpointer userdata) {
        return ((Asked *) userdata)->result != NULL;
}

/* Whoever has the answer has heard the change. The marks are made in the same turn of
 * the loop as the answer. */
static void change_is_heard_before_its_answer(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;
        Asked asked = {};

        tell(service, "Add", "a");
        g_dbus_connection_call(service->bus, BUS_NAME, OBJECTS "/a", OBJECT, "Hold", g_variant_new("(u)", 60000), G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, 60000, NULL, on_answer, &asked);
        signals_wait(signals, "{'Number': <uint32 1>}");
        g_variant_unref(call(service->bus, ROOT_PATH, TEST, "Release", NULL, "(u)"));
        wait_until(is_answered, &asked);
        g_assert_cmpuint(signals_count(signals, "{'Number': <uint32 2>}"), ==, 1);
        reply = g_dbus_connection_call_finish(service->bus, asked.result, &error);
        g_assert_no_error(error);
        g_object_unref(asked.result);
}

static void late_answer_goes_nowhere(void) {
        g_autoptr(Service) service = peer_start();
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GVariant) first = NULL, second = NULL;
        g_autoptr(GError) error = NULL;

        tell(service, "Add", "a");
        signals_wait(signals, "InterfacesAdded");
        /* Its time is over at once: the answer is an error, and what the work
         * changed was announced before it. */
        first = g_dbus_connection_call_sync(service->bus, BUS_NAME, OBJECTS "/a", OBJECT, "Hold", g_variant_new("(u)", 0), NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, &error);
        g_assert_null(first);
        assert_says(error->message, PARTS("org.berth1.Error.TimedOut", "still being held"));
        while (g_main_context_pending(NULL))
                g_main_context_iteration(NULL, FALSE);
        g_assert_cmpuint(signals_count(signals, "{'Number': <uint32 1>}"), ==, 1);

        /* The work ends later, and its answer goes nowhere. */
        second = call(service->bus, ROOT_PATH, TEST, "Release", NULL, "(u)");
        signals_wait(signals, "{'Number': <uint32 2>}");
        g_assert_cmpuint(signals_count(signals, "PropertiesChanged"), ==, 2);
}


static void change(Asked *asked, GDBusConnection *user, const char *kind) {
        asked->result = NULL;
        g_dbus_connection_call(user, BUS_NAME, OBJECTS "/a", OBJECT, "Change", g_variant_new("(s^as)", kind, (const char *[]) { NULL }),
                               G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, 60000, NULL, on_answer, asked);
}

static void expect(Asked *asked, GDBusConnection *user, const char *name) {
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *remote = NULL;

        wait_until(is_answered, asked);
        reply = g_dbus_connection_call_finish(user, asked->result, &error);
        g_clear_object(&asked->result);
        if (name) {
                g_assert_nonnull(error);
                remote = g_dbus_error_get_remote_error(error);
        } else
                g_assert_no_error(error);
        g_assert_cmpstr(remote, ==, name);
}

/* The approval is for the object that was looked at, not for one that took its
 * path while polkit was thinking; and not for one that is gone. */
static void approval_is_for_one_object(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = peer_start();
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        static const char *const meanwhile[] = { NULL, "Replace", "Remove" };

        for (size_t i = 0; i < G_N_ELEMENTS(meanwhile); i++) {
                Asked asked;

                if (i == 0)
                        tell(service, "Add", "a");
                change(&asked, user, "small");
                polkit_script_wait(polkit, 1);
                if (meanwhile[i])
                        tell(service, meanwhile[i], "a");
                polkit_script_answer(polkit, TRUE, FALSE);
                expect(&asked, user, meanwhile[i] ? UNKNOWN_OBJECT : NULL);
        }

        /* Nothing is kept of the one whose object was gone: the user's eight places
         * are free. */
        tell(service, "Add", "a");
        {
                Asked asked[8];

                for (size_t i = 0; i < G_N_ELEMENTS(asked); i++)
                        change(asked + i, user, "small");
                polkit_script_wait(polkit, G_N_ELEMENTS(asked));
                for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
                        polkit_script_answer(polkit, TRUE, FALSE);
                        expect(asked + i, user, NULL);
                }
        }
}

static void action_depends_on_the_argument(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = peer_start();
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        static const char *const kinds[] = { "small", "large" };

        tell(service, "Add", "a");
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autofree char *action = g_strdup_printf("'org.berth1.test.%s'", kinds[i]), *text = NULL;
                g_autoptr(GVariant) question = NULL;
                Asked asked;

                change(&asked, user, kinds[i]);
                polkit_script_wait(polkit, 1);
                question = polkit_script_question(polkit);
                text = g_variant_print(question, FALSE);
                assert_says(text, PARTS(action));
                polkit_script_answer(polkit, FALSE, FALSE);
                expect(&asked, user, "org.freedesktop.DBus.Error.AccessDenied");
        }
        call_refused(user, OBJECTS "/a", OBJECT, "Change", g_variant_new("(s^as)", "huge", (const char *[]) { NULL }), G_DBUS_CALL_FLAGS_NONE,
                     "org.freedesktop.DBus.Error.InvalidArgs", PARTS("small", "large", "huge"));
        g_assert_cmpuint(polkit_script_open(polkit), ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/objects/burst-of-marks-is-one-signal", burst_of_marks_is_one_signal);
        g_test_add_func("/objects/new-object-tells-its-state-once", new_object_tells_its_state_once);
        g_test_add_func("/objects/removal-names-the-interface", removal_names_the_interface);
        g_test_add_func("/objects/replaced-object-goes-before-it-comes", replaced_object_goes_before_it_comes);
        g_test_add_func("/objects/object-that-flickers-was-never-there", object_that_flickers_was_never_there);
        g_test_add_func("/objects/change-is-heard-before-its-answer", change_is_heard_before_its_answer);
        g_test_add_func("/objects/late-answer-goes-nowhere", late_answer_goes_nowhere);
        g_test_add_func("/objects/approval-is-for-one-object", approval_is_for_one_object);
        g_test_add_func("/objects/action-depends-on-the-argument", action_depends_on_the_argument);
        return g_test_run();
}
