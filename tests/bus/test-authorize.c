/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may change something, by the word of a real polkit. The rules of these tests
 * are in rules/; harness.h says what they say. */

#include "harness.h"

#define CELLS "org.berth1.Host.Cells"
#define MANAGER "org.berth1.Manager"
#define DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define POOL "sys/devices/system/node/node%u/hugepages/hugepages-2048kB/nr_hugepages"

static GVariant *pages(guint cell, guint64 count, const char *flag) {
        const char *flags[] = { flag, NULL };

        return g_variant_new("(utt^as)", cell, G_GUINT64_CONSTANT(2097152), count, flags);
}

static guint64 alloc(GDBusConnection *bus, guint cell, guint64 count, const char *flag) {
        g_autoptr(GVariant) reply = call(bus, HOST_PATH, CELLS, "AllocPages", pages(cell, count, flag), "(t)");
        guint64 total;

        g_variant_get(reply, "(t)", &total);
        return total;
}

static void assert_pool(const Service *service, guint cell, const char *expected) {
        g_autofree char *path = g_strdup_printf(POOL, cell);
        g_autofree char *text = host_read(service->root, path);

        g_assert_cmpstr(text, ==, expected);
}

static void root_needs_nobody(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);

        g_assert_cmpuint(alloc(service->bus, 1, 3, NULL), ==, 3);
        assert_pool(service, 1, "3");
        g_assert_cmpuint(alloc(service->bus, 1, 4, "add"), ==, 7);
        g_assert_cmpuint(alloc(service->bus, 1, 2, "set"), ==, 2);
        assert_pool(service, 1, "2");
        assert_pool(service, 0, "0");
}

static void rule_lets_one_user_change_one_cell(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);

        g_assert_cmpuint(alloc(user, 0, 5, NULL), ==, 5);
        assert_pool(service, 0, "5");
        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(1, 5, NULL), G_DBUS_CALL_FLAGS_NONE, DENIED, PARTS("org.berth1.host.alloc-pages"));
        assert_pool(service, 1, "0");
}

static void refused_user_changes_nothing(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(REFUSED_USER);

        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(0, 5, NULL), G_DBUS_CALL_FLAGS_NONE, DENIED, PARTS("org.berth1.host.alloc-pages"));
        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(0, 5, "dry-run"), G_DBUS_CALL_FLAGS_NONE, DENIED, NULL);
        assert_pool(service, 0, "0");
}

static void password_is_asked_for_only_where_allowed(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ASKED_USER);

        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(0, 5, NULL), G_DBUS_CALL_FLAGS_NONE,
                     "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", PARTS("org.berth1.host.alloc-pages"));
        /* It may ask, and there is no agent that could. */
        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(0, 5, NULL), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
                     DENIED, PARTS("org.berth1.host.alloc-pages", "agent"));
        assert_pool(service, 0, "0");
}

static void arguments_are_checked_before_anyone_is_asked(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ASKED_USER);

        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(7, 5, NULL), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, "org.berth1.Error.NoSuchCell", NULL);
        call_refused(user, HOST_PATH, CELLS, "AllocPages", pages(0, 5, "quick"), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, "org.freedesktop.DBus.Error.InvalidArgs", NULL);
}

static void dry_run_changes_nothing(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(ALLOWED_USER);

        g_assert_cmpuint(alloc(user, 0, 5, "dry-run"), ==, 0);
        assert_pool(service, 0, "0");
}

static void can_call_says_what_would_happen(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        static const struct { const char *user, *method, *arguments, *word; } rows[] = {
                { NULL, "AllocPages", "{}", "yes" },
                { ALLOWED_USER, "AllocPages", "{'cell': <uint32 0>}", "yes" },
                { ALLOWED_USER, "AllocPages", "{'cell': <uint32 1>}", "no" },
                /* An argument that is not given is not 0. */
                { ALLOWED_USER, "AllocPages", "{}", "no" },
                { ALLOWED_USER, "AllocPages", "{'cell': <uint32 0>, 'flags': <['set']>}", "yes" },
                { REFUSED_USER, "AllocPages", "{}", "no" },
                { REFUSED_USER, "GetFreeMemory", "{}", "yes" },
                { ASKED_USER, "AllocPages", "{}", "challenge" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GDBusConnection) user = bus_connect(rows[i].user);
                GVariant *arguments = g_variant_parse(G_VARIANT_TYPE_VARDICT, rows[i].arguments, NULL, NULL, NULL);
                g_autoptr(GVariant) reply = call(user, ROOT_PATH, MANAGER, "CanCall", g_variant_new("(oss@a{sv})", HOST_PATH, CELLS, rows[i].method, arguments), "(s)");
                const char *word;

                g_variant_get(reply, "(&s)", &word);
                g_assert_cmpstr(word, ==, rows[i].word);
                g_variant_unref(arguments);
        }
        assert_pool(service, 0, "0");
}

static void kernel_that_refuses_is_told(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);

        /* What nobody can write to: a folder in its place. */
        host_remove(service->root, "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
        host_write(service->root, "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages/x", "");
        call_refused(service->bus, HOST_PATH, CELLS, "AllocPages", pages(0, 1, NULL), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.BackendFailed", PARTS("cell 0", "2048 KiB"));
        g_assert_cmpuint(alloc(service->bus, 1, 1, NULL), ==, 1);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/authorize/root-needs-nobody", root_needs_nobody);
        g_test_add_func("/authorize/rule-lets-one-user-change-one-cell", rule_lets_one_user_change_one_cell);
        g_test_add_func("/authorize/refused-user-changes-nothing", refused_user_changes_nothing);
        g_test_add_func("/authorize/password-is-asked-for-only-where-allowed", password_is_asked_for_only_where_allowed);
        g_test_add_func("/authorize/arguments-are-checked-before-anyone-is-asked", arguments_are_checked_before_anyone_is_asked);
        g_test_add_func("/authorize/dry-run-changes-nothing", dry_run_changes_nothing);
        g_test_add_func("/authorize/can-call-says-what-would-happen", can_call_says_what_would_happen);
        g_test_add_func("/authorize/kernel-that-refuses-is-told", kernel_that_refuses_is_told);
        return g_test_run();
}
