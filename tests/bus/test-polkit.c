/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What polkit does seldom: it is missing, slow, silent, gone, or talks nonsense; and
 * callers that leave meanwhile, or ask too much. */

#include "harness.h"
#include "polkit-script.h"

#include <signal.h>
#include <string.h>

#define CELLS "org.berth1.Host.Cells"
#define MANAGER "org.berth1.Manager"
#define DENIED "org.freedesktop.DBus.Error.AccessDenied"

/* A call whose answer is waited for later. */
typedef struct Asked {
        GDBusConnection *bus;
        GAsyncResult *result;
} Asked;

static void on_answer(GObject *source, GAsyncResult *result, gpointer userdata) {
        ((Asked *) userdata)->result = g_object_ref(result);
}

static void ask(Asked *asked, GDBusConnection *bus, guint cell, GDBusCallFlags flags) {
        *asked = (Asked) { .bus = bus };
        g_dbus_connection_call(bus, BUS_NAME, HOST_PATH, CELLS, "AllocPages", g_variant_new("(utt^as)", cell, G_GUINT64_CONSTANT(2097152), G_GUINT64_CONSTANT(1), (const char *[]) { "set", NULL }),
                               G_VARIANT_TYPE("(t)"), flags, 60000, NULL, on_answer, asked);
}

static gboolean is_answered(gpointer userdata) {
        return ((Asked *) userdata)->result != NULL;
}

/* NULL: it was allowed. */
static void expect(Asked *asked, const char *name, const char *const *parts) {
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *remote = NULL;

        wait_until(is_answered, asked);
        reply = g_dbus_connection_call_finish(asked->bus, asked->result, &error);
        g_clear_object(&asked->result);
        if (!name) {
                g_assert_no_error(error);
                return;
        }
        g_assert_null(reply);
        remote = g_dbus_error_get_remote_error(error);
        g_assert_cmpstr(remote, ==, name);
        assert_says(error->message, parts);
}

static void assert_untouched(const Service *service) {
        g_autofree char *text = host_read(service->root, "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");

        g_assert_cmpstr(text, ==, "0");
}

static void missing_polkit_is_a_warning_and_a_refusal(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(PolkitScript) polkit = NULL;
        Asked asked;

        ask(&asked, user, 0, G_DBUS_CALL_FLAGS_NONE);
        expect(&asked, DENIED, PARTS("polkit is not running", "org.berth1.host.alloc-pages"));
        ask(&asked, service->bus, 1, G_DBUS_CALL_FLAGS_NONE);
        expect(&asked, NULL, NULL);
        {
                g_autoptr(GVariant) warnings = get_property(service->bus, ROOT_PATH, MANAGER, "Warnings");
                g_autofree char *text = g_variant_print(warnings, FALSE);

                assert_says(text, PARTS("polkit-missing", "polkitd"));
        }

        polkit = polkit_script_new();
        assert_says(signals_wait(signals, "('" MANAGER "', {'Warnings': <@aa{sv} []>}"), NULL);
        assert_untouched(service);
}

static void polkit_is_told_what_it_is_about(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        g_autoptr(GVariant) question = NULL;
        g_autofree char *text = NULL, *subject = NULL;
        Asked asked;

        ask(&asked, user, 1, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION);
        polkit_script_wait(polkit, 1);
        question = polkit_script_question(polkit);
        text = g_variant_print(question, FALSE);
        subject = g_strdup_printf("('system-bus-name', {'name': <'%s'>})", g_dbus_connection_get_unique_name(user));
        assert_says(text, PARTS(subject, "'org.berth1.host.alloc-pages'", "'verb': 'AllocPages'", "'cell': '1'", "'page_size': '2097152'", "'count': '1'", "'flags': 'set'", "}, 1, '"));
        polkit_script_answer(polkit, TRUE, FALSE);
        expect(&asked, NULL, NULL);

        ask(&asked, user, 1, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        g_clear_pointer(&question, g_variant_unref);
        g_clear_pointer(&text, g_free);
        question = polkit_script_question(polkit);
        text = g_variant_print(question, FALSE);
        assert_says(text, PARTS("}, 0, '"));
        polkit_script_answer(polkit, TRUE, FALSE);
        expect(&asked, NULL, NULL);
}

static void nonsense_is_a_refusal(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        static const char *const answers[] = { NULL, "(true,)", "('yes',)", "((true, 'no', {'a': 'b'}),)", "(uint32 1, true)", "([true, true],)" };
        Asked asked;

        for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
                g_autoptr(GVariant) nonsense = answers[i] ? g_variant_parse(NULL, answers[i], NULL, NULL, NULL) : NULL;

                g_assert_true(!answers[i] || nonsense);
                ask(&asked, user, 0, G_DBUS_CALL_FLAGS_NONE);
                polkit_script_wait(polkit, 1);
                polkit_script_babble(polkit, nonsense);
                expect(&asked, DENIED, PARTS("makes no sense"));
        }
        ask(&asked, user, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        polkit_script_fail(polkit, "org.freedesktop.PolicyKit1.Error.Failed", "Action org.berth1.x is not registered");
        expect(&asked, DENIED, PARTS("is not registered"));
        assert_untouched(service);
}

static void caller_that_leaves_is_forgotten(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        GDBusConnection *leaver = bus_connect(ALLOWED_USER);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        g_autofree char *text = NULL, *id = NULL;
        g_autoptr(GVariant) question = NULL;
        Asked asked, gone[8];

        for (size_t i = 0; i < G_N_ELEMENTS(gone); i++)
                ask(gone + i, leaver, 0, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION);
        polkit_script_wait(polkit, G_N_ELEMENTS(gone));
        question = polkit_script_question(polkit);
        text = g_variant_print(question, FALSE);
        g_dbus_connection_close_sync(leaver, NULL, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(gone); i++) {
                g_autofree char *cancelled = polkit_script_wait_cancel(polkit);

                if (i == 0)
                        g_assert_nonnull(strstr(cancelled, "berth-"));
                /* polkit answers all the same; nobody is there to hear it. */
                polkit_script_answer(polkit, TRUE, FALSE);
                wait_until(is_answered, gone + i);
                g_clear_object(&gone[i].result);
        }
        g_object_unref(leaver);

        /* Its place is free again: the user's eight are gone with it. */
        ask(&asked, user, 1, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        polkit_script_answer(polkit, TRUE, FALSE);
        expect(&asked, NULL, NULL);
        assert_untouched(service);
}

static void questions_of_one_user_are_limited(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER), again = bus_connect(ALLOWED_USER), other = bus_connect(ASKED_USER);
        Asked asked[8], more, others;

        for (size_t i = 0; i < G_N_ELEMENTS(asked); i++)
                ask(asked + i, user, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 8);
        ask(&more, again, 0, G_DBUS_CALL_FLAGS_NONE);
        expect(&more, "org.berth1.Error.ResourceExhausted", PARTS("8"));

        ask(&others, other, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 9);
        for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
                polkit_script_answer(polkit, FALSE, FALSE);
                expect(asked + i, DENIED, NULL);
        }
        polkit_script_answer(polkit, FALSE, FALSE);
        expect(&others, DENIED, NULL);
        assert_untouched(service);
}

static void questions_of_all_are_limited(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER), other = bus_connect(ASKED_USER);
        Asked asked[3], more;

        /* The second setting tells when the first holds: it makes no sense. */
        host_write(service->folder, "berthd.conf", "[Authorization]\nPendingTotal=3\nPendingPerUser=none\n");
        service_signal(service, SIGHUP);
        signals_wait(signals, "PendingPerUser");

        for (size_t i = 0; i < G_N_ELEMENTS(asked); i++)
                ask(asked + i, user, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 3);
        ask(&more, other, 0, G_DBUS_CALL_FLAGS_NONE);
        expect(&more, "org.berth1.Error.ResourceExhausted", PARTS("3"));
        /* No place is root's that a user could take. */
        ask(&more, service->bus, 1, G_DBUS_CALL_FLAGS_NONE);
        expect(&more, NULL, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
                polkit_script_answer(polkit, FALSE, TRUE);
                expect(asked + i, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", NULL);
        }
        assert_untouched(service);
}

/* Before the bus has said whose they are, calls are put aside; never so many that
 * another's, root's first of all, is refused for it. */
static void flood_of_one_refuses_no_other(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        Asked *asked = g_new0(Asked, 300), root[20];
        GDBusConnection *users[3];

        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                users[i] = bus_connect(ALLOWED_USER);
        for (size_t i = 0; i < 300; i++) {
                ask(asked + i, users[i % G_N_ELEMENTS(users)], 0, G_DBUS_CALL_FLAGS_NONE);
                if (i % 15 == 0)
                        ask(root + i / 15, service->bus, 1, G_DBUS_CALL_FLAGS_NONE);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(root); i++) {
                g_autoptr(GVariant) reply = NULL;
                g_autoptr(GError) error = NULL;

                wait_until(is_answered, root + i);
                reply = g_dbus_connection_call_finish(service->bus, root[i].result, &error);
                g_clear_object(&root[i].result);
                /* One change of pages at a time: that is the model's word. */
                if (error)
                        assert_says(error->message, PARTS("org.berth1.Error.Busy"));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                g_dbus_connection_close_sync(users[i], NULL, NULL);
        for (size_t i = 0; i < 300; i++) {
                wait_until(is_answered, asked + i);
                g_clear_object(&asked[i].result);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                g_object_unref(users[i]);
        g_free(asked);
}

/* A bus lets a connection have 512 matches; sd-bus gives the connection up when one is
 * refused. All of these calls are there before the first is looked at. */
static void flood_of_many_does_not_end_the_service(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        GDBusConnection *users[16];
        Asked asked[16 * 40], root;

        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                users[i] = bus_connect(ALLOWED_USER);
        service_signal(service, SIGSTOP);
        for (size_t i = 0; i < G_N_ELEMENTS(asked); i++)
                ask(asked + i, users[i % G_N_ELEMENTS(users)], 0, G_DBUS_CALL_FLAGS_NONE);
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                g_dbus_connection_flush_sync(users[i], NULL, NULL);
        service_signal(service, SIGCONT);

        ask(&root, service->bus, 1, G_DBUS_CALL_FLAGS_NONE);
        expect(&root, NULL, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                g_dbus_connection_close_sync(users[i], NULL, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
                wait_until(is_answered, asked + i);
                g_clear_object(&asked[i].result);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
                g_object_unref(users[i]);
        assert_untouched(service);
}

static void lie(GDBusConnection *liar, const char *name, const char *before) {
        g_autoptr(GError) error = NULL;

        g_dbus_connection_emit_signal(liar, BUS_NAME, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", g_variant_new("(sss)", name, before, ""), &error);
        g_assert_no_error(error);
        g_dbus_connection_flush_sync(liar, NULL, &error);
        g_assert_no_error(error);
}

/* What is sent to the service alone passes by its matches: anybody can claim that polkit
 * went, or that a caller did, whose call would never be answered. */
static void who_is_not_the_bus_is_not_believed(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER), liar = bus_connect(REFUSED_USER);
        const char *caller = g_dbus_connection_get_unique_name(user);
        g_autoptr(GVariant) warnings = NULL;
        Asked asked;

        ask(&asked, user, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        lie(liar, caller, caller);
        lie(liar, "org.freedesktop.PolicyKit1", ":1.1");
        /* Of the same connection, so it comes after them. */
        g_variant_unref(call(liar, HOST_PATH, CELLS, "GetFreeMemory", g_variant_new("(uu)", 0, 0), "(a(ut))"));
        polkit_script_answer(polkit, TRUE, FALSE);
        expect(&asked, NULL, NULL);
        warnings = get_property(service->bus, ROOT_PATH, MANAGER, "Warnings");
        g_assert_cmpuint(g_variant_n_children(warnings), ==, 0);
}

static void polkit_that_dies_is_a_refusal(void) {
        PolkitScript *polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        Asked asked;

        ask(&asked, user, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        polkit_script_free(polkit);
        expect(&asked, DENIED, PARTS("polkit"));
        assert_untouched(service);
}

static void arguments_are_checked_again_after_the_answer(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        Asked asked;

        ask(&asked, user, 1, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        host_set_online(service->root, 2);
        host_write(service->root, "sys/devices/system/node/online", "0\n");
        service_signal(service, SIGHUP);
        signals_wait(signals, "InterfacesRemoved");
        polkit_script_answer(polkit, TRUE, FALSE);
        expect(&asked, "org.berth1.Error.NoSuchCell", PARTS("1"));
}

static void silent_polkit_is_a_refusal_in_time(void) {
        g_autoptr(PolkitScript) polkit = polkit_script_new();
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);
        g_autofree char *cancelled = NULL;
        Asked asked;

        /* The shortest that can be set: above the 15 s after which some polkits
         * answer at last. */
        host_write(service->folder, "berthd.conf", "[Authorization]\nTimeoutSec=16\nPendingPerUser=none\n");
        service_signal(service, SIGHUP);
        signals_wait(signals, "PendingPerUser");
        ask(&asked, user, 0, G_DBUS_CALL_FLAGS_NONE);
        polkit_script_wait(polkit, 1);
        cancelled = polkit_script_wait_cancel(polkit);
        g_assert_nonnull(cancelled);
        expect(&asked, DENIED, PARTS("in time"));
        assert_untouched(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/polkit/missing-polkit-is-a-warning-and-a-refusal", missing_polkit_is_a_warning_and_a_refusal);
        g_test_add_func("/polkit/polkit-is-told-what-it-is-about", polkit_is_told_what_it_is_about);
        g_test_add_func("/polkit/nonsense-is-a-refusal", nonsense_is_a_refusal);
        g_test_add_func("/polkit/caller-that-leaves-is-forgotten", caller_that_leaves_is_forgotten);
        g_test_add_func("/polkit/questions-of-one-user-are-limited", questions_of_one_user_are_limited);
        g_test_add_func("/polkit/questions-of-all-are-limited", questions_of_all_are_limited);
        g_test_add_func("/polkit/flood-of-one-refuses-no-other", flood_of_one_refuses_no_other);
        g_test_add_func("/polkit/flood-of-many-does-not-end-the-service", flood_of_many_does_not_end_the_service);
        g_test_add_func("/polkit/who-is-not-the-bus-is-not-believed", who_is_not_the_bus_is_not_believed);
        g_test_add_func("/polkit/polkit-that-dies-is-a-refusal", polkit_that_dies_is_a_refusal);
        g_test_add_func("/polkit/arguments-are-checked-again-after-the-answer", arguments_are_checked_again_after_the_answer);
        g_test_add_func("/polkit/silent-polkit-is-a-refusal-in-time", silent_polkit_is_a_refusal_in_time);
        return g_test_run();
}
