/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests appear by themselves and go: real QEMUs, always emulated and stopped before
 * their first instruction, and monitors that misbehave. */

#include "harness.h"
#include "qemu.h"
#include "qmp-script.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DOMAIN "org.berth1.Domain"
#define VCPUS "org.berth1.Domain.Vcpus"
#define MANAGER "org.berth1.Manager"

static char *list_vcpus(const Service *service, const char *name) {
        g_autofree char *path = g_strconcat(DOMAINS, name, NULL);
        g_autoptr(GVariant) reply = call(service->bus, path, VCPUS, "ListVcpus", g_variant_new("(^as)", (const char *[]) { NULL }), "(aa{sv})");

        return g_variant_print(reply, FALSE);
}

static char *get_all(const Service *service, const char *name, const char *interface) {
        g_autofree char *path = g_strconcat(DOMAINS, name, NULL);
        g_autoptr(GVariant) reply = call(service->bus, path, "org.freedesktop.DBus.Properties", "GetAll", g_variant_new("(s)", interface), "(a{sv})");

        return g_variant_print(reply, FALSE);
}

static void guest_appears_and_goes(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        GSubprocess *qemu = qemu_start(service->folder, "alpha");
        g_autofree char *pid = g_strdup_printf("'Pid': <uint32 %s>", g_subprocess_get_identifier(qemu)), *vcpus = NULL, *domain = NULL, *all = NULL;

        signals_wait(signals, "InterfacesAdded ('" DOMAINS "alpha'");
        wait_for_vcpus(service, DOMAINS "alpha", 2);
        domain = get_all(service, "alpha", DOMAIN);
        assert_says(domain, PARTS("'Name': <'alpha'>", "'Uuid': <'" QEMU_UUID "'>", "'State': <'paused'>", "'Backend': <'qemu'>", pid,
                                  "'Warnings': <@aa{sv} []>", "'plug'", "'pin'"));
        all = get_all(service, "alpha", VCPUS);
        assert_says(all, PARTS("'Maximum': <uint32 4>", "'Current': <uint32 2>", "'Sparse': <false>"));
        vcpus = list_vcpus(service, "alpha");
        assert_says(vcpus, PARTS("{'id': <uint32 0>, 'state': <'enabled'>, 'hotpluggable': <false>", "'thread'", "'effective_cpus'", "'scheduler': <'other'>", "'host_cpu'", "'cpu_time_usec'",
                                 "{'id': <uint32 2>, 'state': <'disabled'>, 'hotpluggable': <true>", "'cell': <uint32 1>"));

        qemu_kill(qemu);
        assert_says(signals_wait(signals, "InterfacesRemoved"), PARTS("'" DOMAINS "alpha'", "'" DOMAIN "'", "'" VCPUS "'"));
        g_assert_cmpuint(signals_count(signals, "InterfacesAdded"), ==, 1);
}

static void guest_is_found_by_name_uuid_and_process(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        GSubprocess *qemu = qemu_start(service->folder, "a b\xc3\xa4r");
        guint32 pid = (guint32) g_ascii_strtoull(g_subprocess_get_identifier(qemu), NULL, 10);
        g_autofree char *upper = g_ascii_strup(QEMU_UUID, -1);
        GVariant *arguments[] = { g_variant_new("(s)", "a b\xc3\xa4r"), g_variant_new("(s)", QEMU_UUID), g_variant_new("(s)", upper), g_variant_new("(u)", pid) };

        signals_wait(signals, "InterfacesAdded");
        for (size_t i = 0; i < G_N_ELEMENTS(arguments); i++) {
                g_autoptr(GVariant) reply = call(service->bus, ROOT_PATH, MANAGER, i < 3 ? "GetDomain" : "GetDomainByPid", arguments[i], "(o)");
                const char *path;

                g_variant_get(reply, "(&o)", &path);
                g_assert_cmpstr(path, ==, DOMAINS "a_20b_c3_a4r");
        }
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", "nobody"), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", PARTS("nobody"));
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", ""), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", NULL);
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomainByPid", g_variant_new("(u)", 0), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", PARTS("0"));
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomainByPid", g_variant_new("(u)", G_MAXUINT32), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", NULL);
        qemu_kill(qemu);
        signals_wait(signals, "InterfacesRemoved");
}

static void state_follows_the_guest(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        GSubprocess *qemu = qemu_start(service->folder, "alpha");

        signals_wait(signals, "InterfacesAdded");
        qemu_control(service->folder, "alpha", "cont");
        signals_wait(signals, "('" DOMAIN "', {'State': <'running'>}");
        qemu_control(service->folder, "alpha", "stop");
        signals_wait(signals, "('" DOMAIN "', {'State': <'paused'>}");
        qemu_kill(qemu);
        signals_wait(signals, "InterfacesRemoved");
}

static void guest_stays_while_the_service_restarts(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *folder = g_dir_make_tmp("berth-guests-XXXXXX", &error), *option = g_strdup_printf("--runtime-dir=%s/run", folder);
        GSubprocess *qemu = qemu_start(folder, "alpha");

        g_assert_no_error(error);
        for (unsigned i = 0; i < 2; i++) {
                /* The later option holds. */
                g_autoptr(Service) service = service_start(NULL, host_make(), (const char *[]) { option, NULL });
                g_autoptr(Signals) signals = signals_record(service->bus);
                g_autoptr(GVariant) reply = NULL;

                /* It may have been there before anybody listened. */
                reply = g_dbus_connection_call_sync(service->bus, BUS_NAME, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", "alpha"), NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, NULL);
                if (!reply)
                        signals_wait(signals, "'" DOMAINS "alpha'");
        }
        qemu_kill(qemu);
        host_remove(folder, "");
}

/* Answers of a guest of one vCPU whose thread is somebody else's. */
static QmpScript *script_new(const Service *service, const char *name) {
        g_autofree char *path = monitor_path(service->folder, name);
        QmpScript *script = qmp_script_new(path);

        qmp_script_answer(script, "query-uuid", "{\"UUID\": \"00000000-0000-0000-0000-000000000000\"}");
        qmp_script_answer(script, "query-status", "{\"status\": \"running\", \"running\": true}");
        qmp_script_answer(script, "query-cpus-fast", "[{\"thread-id\": 1, \"props\": {\"core-id\": 0}, \"qom-path\": \"/machine/unattached/device[0]\", \"cpu-index\": 0, \"target\": \"x86_64\"}]");
        return script;
}

static void silent_monitor_is_unknown_until_it_speaks(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(QmpScript) script = script_new(service, "beta");

        assert_says(signals_wait(signals, "InterfacesAdded"), PARTS("'" DOMAINS "beta'", "'State': <'unknown'>", "monitor-silent"));
        qmp_script_greet(script);
        signals_wait(signals, "'State': <'running'>");
        signals_wait(signals, "'Warnings': <@aa{sv} []>");
        signals_wait(signals, "'Current': <uint32 1>");

        qmp_script_answer(script, "query-status", "{\"status\": \"guest-panicked\", \"running\": false}");
        qmp_script_event(script, "GUEST_PANICKED");
        signals_wait(signals, "'State': <'crashed'>");
}

static void thread_of_somebody_else_is_not_looked_at(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(QmpScript) script = script_new(service, "beta");
        g_autofree char *vcpus = NULL;

        qmp_script_greet(script);
        signals_wait(signals, "InterfacesAdded");
        vcpus = list_vcpus(service, "beta");
        assert_says(vcpus, PARTS("'state': <'enabled'>"));
        g_assert_null(strstr(vcpus, "thread"));
        g_assert_null(strstr(vcpus, "effective_cpus"));
}

static void nonsense_about_vcpus_is_a_warning(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(QmpScript) script = script_new(service, "beta");

        qmp_script_answer(script, "query-cpus-fast", "[{\"thread-id\": \"one\"}]");
        qmp_script_greet(script);
        signals_wait(signals, "InterfacesAdded ('" DOMAINS "beta'");
        for (;;) {
                g_autofree char *domain = get_all(service, "beta", DOMAIN);

                if (strstr(domain, "vcpus-unknown"))
                        break;
                g_main_context_iteration(NULL, TRUE);
        }
}

/* Each is hung up on, and leaves the service as it was. (It is tried again, and silent
 * then; that is no concern here.) */
static void hostile_monitors_are_dropped(void) {
        g_autofree char *endless = g_strnfill(300 * 1024, 'x'), *deep = g_strnfill(1000, '['), *deep_line = g_strconcat(deep, "\r\n", NULL);
        const char *const says[] = { "hello\r\n", "[]\r\n", "{\"QMP\": \xff}\r\n", endless, deep_line, "{\"a\": NaN}\r\n" };
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        QmpScript *scripts[G_N_ELEMENTS(says)];

        for (size_t i = 0; i < G_N_ELEMENTS(says); i++) {
                g_autofree char *name = g_strdup_printf("hostile%zu", i);

                scripts[i] = script_new(service, name);
                qmp_script_say(scripts[i], says[i]);
                qmp_script_wait_end(scripts[i]);
        }
        {
                g_autoptr(QmpScript) good = script_new(service, "good");
                g_autoptr(GVariant) all = NULL;
                g_autofree char *text = NULL;

                qmp_script_greet(good);
                signals_wait(signals, "'" DOMAINS "good'");
                all = call(service->bus, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, NULL);
                text = g_variant_print(all, FALSE);
                assert_says(text, PARTS("'" DOMAINS "good'"));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(says); i++)
                qmp_script_free(scripts[i]);
}

/* What is no guest is none, and what comes after it is. */
static void what_is_no_guest_is_passed_over(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autofree char *domains = g_build_filename(service->folder, "run", "domains", NULL), *long_name = g_strnfill(40, 'n');
        g_autofree char *link = g_build_filename(domains, "link", NULL);
        g_autoptr(QmpScript) good = NULL;

        host_write(domains, "file", "");
        host_write(domains, "plain/qmp.sock", "");
        host_write(domains, "\xff\xfe/x", "");
        host_write(domains, ".hidden/x", "");
        host_write(domains, "new\nline/x", "");
        host_write(domains, "empty/x", "");
        g_assert_cmpint(symlink("/", link), ==, 0);
        good = script_new(service, long_name);
        qmp_script_greet(good);
        assert_says(signals_wait(signals, "InterfacesAdded"), PARTS(long_name));
        g_assert_cmpuint(signals_count(signals, "InterfacesAdded"), ==, 1);
}

/* Exchanged in one step, as "mv --exchange" does: each guest has the other's name. */
static void folders_that_are_exchanged_change_names(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(QmpScript) first = script_new(service, "first"), second = script_new(service, "second");
        g_autofree char *a = g_build_filename(service->folder, "run", "domains", "first", NULL), *b = g_build_filename(service->folder, "run", "domains", "second", NULL);

        qmp_script_greet(first);
        qmp_script_greet(second);
        signals_wait(signals, "InterfacesAdded ('" DOMAINS "first'");
        signals_wait(signals, "InterfacesAdded ('" DOMAINS "second'");
        g_assert_cmpint(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), ==, 0);
        signals_wait(signals, "InterfacesRemoved ('" DOMAINS "first'");
        signals_wait(signals, "InterfacesRemoved ('" DOMAINS "second'");
        g_ptr_array_set_size(signals->seen, 0);
        qmp_script_hang_up(first);
        qmp_script_hang_up(second);
        qmp_script_greet(first);
        qmp_script_greet(second);
        signals_wait(signals, "InterfacesAdded ('" DOMAINS "first'");
        signals_wait(signals, "InterfacesAdded ('" DOMAINS "second'");
}

/* However many events there are, a question is asked at a pace. */
static void events_without_end_are_few_questions(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(QmpScript) script = script_new(service, "beta");
        guint before;

        qmp_script_greet(script);
        signals_wait(signals, "InterfacesAdded");
        before = qmp_script_asked(script, "query-status");
        for (unsigned i = 0; i < 1000; i++)
                qmp_script_event(script, "RESET");
        qmp_script_answer(script, "query-status", "{\"status\": \"paused\", \"running\": false}");
        qmp_script_event(script, "STOP");
        signals_wait(signals, "'State': <'paused'>");
        g_assert_cmpuint(qmp_script_asked(script, "query-status") - before, <, 100);
}

static void uuid_that_two_claim_finds_neither(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(QmpScript) first = script_new(service, "first"), second = script_new(service, "second");

        qmp_script_answer(first, "query-uuid", "{\"UUID\": \"" QEMU_UUID "\"}");
        qmp_script_answer(second, "query-uuid", "{\"UUID\": \"" QEMU_UUID "\"}");
        qmp_script_greet(first);
        signals_wait(signals, "'" DOMAINS "first'");
        g_variant_unref(call(service->bus, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", QEMU_UUID), "(o)"));
        qmp_script_greet(second);
        signals_wait(signals, "'" DOMAINS "second'");
        call_refused(service->bus, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", QEMU_UUID), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.NoSuchDomain", PARTS(QEMU_UUID));
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/guests/guest-appears-and-goes", guest_appears_and_goes },
                { "/guests/guest-is-found-by-name-uuid-and-process", guest_is_found_by_name_uuid_and_process },
                { "/guests/state-follows-the-guest", state_follows_the_guest },
                { "/guests/guest-stays-while-the-service-restarts", guest_stays_while_the_service_restarts },
                { "/guests/silent-monitor-is-unknown-until-it-speaks", silent_monitor_is_unknown_until_it_speaks },
                { "/guests/thread-of-somebody-else-is-not-looked-at", thread_of_somebody_else_is_not_looked_at },
                { "/guests/nonsense-about-vcpus-is-a-warning", nonsense_about_vcpus_is_a_warning },
                { "/guests/hostile-monitors-are-dropped", hostile_monitors_are_dropped },
                { "/guests/what-is-no-guest-is-passed-over", what_is_no_guest_is_passed_over },
                { "/guests/folders-that-are-exchanged-change-names", folders_that_are_exchanged_change_names },
                { "/guests/events-without-end-are-few-questions", events_without_end_are_few_questions },
                { "/guests/uuid-that-two-claim-finds-neither", uuid_that_two_claim_finds_neither },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
