/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may change which guest, by the word of a real polkit: rules/ says what its rules
 * say. */

#include "harness.h"
#include "qemu.h"

#define VCPUS "org.berth1.Domain.Vcpus"
#define MANAGER "org.berth1.Manager"
#define DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define CHALLENGED "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

static const char *const dry_run[] = { "dry-run", NULL };

/* Every method that changes a guest, with arguments that make sense. */
typedef struct Change {
        const char *method;
        const char *arguments;
        const char *type;
        const char *action;
} Change;

static const Change changes[] = {
        { "SetVcpu", "(uint32 2, true, ['dry-run'])", "(st)", "org.berth1.domain.set-vcpus" },
        { "SetVcpus", "('2-3', true, ['dry-run'])", "(st)", "org.berth1.domain.set-vcpus" },
        { "SetCount", "(uint32 3, ['dry-run'])", "(st)", "org.berth1.domain.set-vcpus" },
        { "SetCellVcpus", "(uint32 1, uint32 2, ['dry-run'])", "(st)", "org.berth1.domain.set-vcpus" },
        { "Pin", "(uint32 1, '0', ['dry-run'])", "()", "org.berth1.domain.pin" },
        { "PinAll", "([(uint32 1, '0')], ['dry-run'])", "()", "org.berth1.domain.pin" },
        { "PinEmulator", "('0', ['dry-run'])", "()", "org.berth1.domain.pin" },
        { "SetScheduler", "(uint32 1, 'batch', 0, ['dry-run'])", "()", "org.berth1.domain.set-scheduler" },
};

static GVariant *arguments_of(const Change *change) {
        g_autoptr(GError) error = NULL;
        GVariant *value = g_variant_parse(NULL, change->arguments, NULL, NULL, &error);

        g_assert_no_error(error);
        return value;
}

static void start_guest(Service *service, Signals *signals, const char *name, GSubprocess **ret) {
        g_autofree char *path = g_strconcat(DOMAINS, name, NULL), *added = g_strdup_printf("InterfacesAdded ('%s'", path);

        *ret = qemu_start(service->folder, name);
        signals_wait(signals, added);
        wait_for_vcpus(service, path, 2);
}

static void rule_lets_one_user_change_one_guest(void) {
        g_autoptr(Service) service = service_start(NULL, NULL, NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) allowed = bus_connect(ALLOWED_USER), refused = bus_connect(REFUSED_USER), asked = bus_connect(ASKED_USER);
        GSubprocess *alpha, *beta;

        start_guest(service, signals, "alpha", &alpha);
        start_guest(service, signals, "beta", &beta);
        for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
                const Change *change = changes + i;
                const char *const parts[] = { change->action, NULL };

                g_variant_unref(call(service->bus, DOMAINS "beta", VCPUS, change->method, arguments_of(change), change->type));
                if (g_str_equal(change->action, "org.berth1.domain.set-scheduler"))
                        call_refused(allowed, DOMAINS "alpha", VCPUS, change->method, arguments_of(change), G_DBUS_CALL_FLAGS_NONE, DENIED, parts);
                else
                        g_variant_unref(call(allowed, DOMAINS "alpha", VCPUS, change->method, arguments_of(change), change->type));
                call_refused(allowed, DOMAINS "beta", VCPUS, change->method, arguments_of(change), G_DBUS_CALL_FLAGS_NONE, DENIED, parts);
                call_refused(refused, DOMAINS "alpha", VCPUS, change->method, arguments_of(change), G_DBUS_CALL_FLAGS_NONE, DENIED, parts);
                call_refused(asked, DOMAINS "alpha", VCPUS, change->method, arguments_of(change), G_DBUS_CALL_FLAGS_NONE, CHALLENGED, parts);
        }
        qemu_kill(alpha);
        qemu_kill(beta);
}

/* A wrong argument is told before anybody is asked. */
static void arguments_come_before_permission(void) {
        g_autoptr(Service) service = service_start(NULL, NULL, NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) refused = bus_connect(REFUSED_USER);
        GSubprocess *alpha;

        start_guest(service, signals, "alpha", &alpha);
        call_refused(refused, DOMAINS "alpha", VCPUS, "SetVcpu", g_variant_new("(ub^as)", 9, TRUE, dry_run), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchVcpu", NULL);
        call_refused(refused, DOMAINS "alpha", VCPUS, "PinAll", g_variant_new_parsed("([(uint32 9, '0')], ['dry-run'])"), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchVcpu", NULL);
        call_refused(refused, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", "a/b", "", dry_run), G_DBUS_CALL_FLAGS_NONE, "org.freedesktop.DBus.Error.InvalidArgs", NULL);
        call_refused(refused, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", "web", "<domain><vcpu>1</vcpu></domain>", dry_run), G_DBUS_CALL_FLAGS_NONE, DENIED, PARTS("org.berth1.domain.define"));
        qemu_kill(alpha);
}

static void can_call_says_it_of_each_guest(void) {
        g_autoptr(Service) service = service_start(NULL, NULL, NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) allowed = bus_connect(ALLOWED_USER);
        const struct { const char *guest; const char *method; const char *answer; } rows[] = {
                { "alpha", "SetCount", "yes" },
                { "alpha", "SetScheduler", "no" },
                { "alpha", "ListVcpus", "yes" },
                { "beta", "SetCount", "no" },
        };
        GSubprocess *alpha, *beta;

        start_guest(service, signals, "alpha", &alpha);
        start_guest(service, signals, "beta", &beta);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *path = g_strconcat(DOMAINS, rows[i].guest, NULL);
                g_autoptr(GVariant) reply = call(allowed, ROOT_PATH, MANAGER, "CanCall",
                                                 g_variant_new("(oss@a{sv})", path, VCPUS, rows[i].method, g_variant_new_parsed("@a{sv} {}")), "(s)");
                const char *answer;

                g_variant_get(reply, "(&s)", &answer);
                g_assert_cmpstr(answer, ==, rows[i].answer);
        }
        g_variant_unref(call(allowed, ROOT_PATH, MANAGER, "CanCall",
                             g_variant_new("(oss@a{sv})", ROOT_PATH, MANAGER, "DefineDomain", g_variant_new_parsed("{'name': <'a/b'>}")), "(s)"));
        qemu_kill(alpha);
        qemu_kill(beta);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/guest-access/rule-lets-one-user-change-one-guest", rule_lets_one_user_change_one_guest);
        g_test_add_func("/guest-access/arguments-come-before-permission", arguments_come_before_permission);
        g_test_add_func("/guest-access/can-call-says-it-of-each-guest", can_call_says_it_of_each_guest);
        return g_test_run();
}
