/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verb that runs: its output is read line by line as it comes. That it is
 * ready is known by its asking for the objects, which it does after it has
 * subscribed. */

#include <json-c/json.h>
#include <signal.h>

#include "peer.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define MANAGER "org.freedesktop.DBus.ObjectManager"

typedef struct Monitor {
        GSubprocess *process;
        GDataInputStream *lines;
} Monitor;

static Monitor monitor_start_unready(Peer *peer, const char *mode) {
        g_autoptr(GSubprocessLauncher) launcher =
                berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
        g_autofree char *option = g_strdup_printf("--json=%s", mode);
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, (const char *const[]) { "monitor", option, NULL });
        g_autoptr(GError) error = NULL;
        Monitor m;

        m.process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        m.lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(m.process));
        return m;
}

static void wait_read(Peer *peer) {
        g_autoptr(PeerCall) call = peer_wait_call(peer);

        g_assert_cmpstr(call->member, ==, "GetManagedObjects");
}

static Monitor monitor_start(Peer *peer, const char *mode) {
        Monitor m = monitor_start_unready(peer, mode);

        wait_read(peer);
        return m;
}

static void monitor_clear(Monitor *m) {
        g_subprocess_send_signal(m->process, SIGTERM);
        g_subprocess_wait(m->process, NULL, NULL);
        g_object_unref(m->lines);
        g_object_unref(m->process);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Monitor, monitor_clear)

static char *monitor_line(Monitor *m) {
        g_autoptr(GError) error = NULL;
        char *line = g_data_input_stream_read_line_utf8(m->lines, NULL, NULL, &error);

        g_assert_no_error(error);
        g_assert_nonnull(line);
        return line;
}

/* A line without the time before it. */
static void assert_line(Monitor *m, const char *expected) {
        g_autofree char *line = monitor_line(m);

        g_assert_true(g_regex_match_simple("^[0-2][0-9]:[0-5][0-9]:[0-6][0-9] ", line, 0, 0));
        g_assert_cmpstr(line + 9, ==, expected);
}

static void change_cpus(Peer *peer, const char *cpus) {
        g_autofree char *text = g_strdup_printf("('org.berth1.Host.Cell', {'Cpus': <'%s'>}, @as [])", cpus);

        peer_emit(peer, "/org/berth1/host/cells/1", PROPERTIES, "PropertiesChanged", "(sa{sv}as)", text);
}

static void test_changes_show_old_and_new(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        change_cpus(peer, "2-3,6");
        assert_line(&m, "cells/1   Cpus: 2-3,6-7 -> 2-3,6");
        change_cpus(peer, "");
        assert_line(&m, "cells/1   Cpus: 2-3,6 -> none");
        /* What did not change is no event; the next is. */
        change_cpus(peer, "");
        peer_emit(peer, "/org/berth1/host", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Host.Topology', {'Threads': <uint32 7>, 'SmtActive': <false>}, ['Model'])");
        assert_line(&m, "host      Threads: 8 -> 7");
        assert_line(&m, "host      SmtActive: true -> false");
        assert_line(&m, "host      Model: changed");
        peer_emit(peer, "/org/berth1", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Manager', {'Future': <'line\\nbreak'>}, @as [])");
        assert_line(&m, "service   Future: line break");
}

static void test_lists_are_readable(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        peer_emit(peer, "/org/berth1", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Manager', {'Warnings': <[{'code': <'a'>, 'message': <'One is wrong'>},"
                  "                                      {'code': <'b'>, 'message': <'Two is'>}]>}, @as [])");
        assert_line(&m, "service   Warnings: none -> One is wrong; Two is");
        peer_emit(peer, "/org/berth1/host/cells/0", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Host.Cell', {'Sockets': <[uint32 0, 1]>, 'PageSizes': <@at []>}, @as [])");
        assert_line(&m, "cells/0   Sockets: 0 -> 0,1");
        assert_line(&m, "cells/0   PageSizes: 4096,2097152,1073741824 -> none");
}

static void test_objects_come_and_go(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesRemoved", "(oas)",
                  "('/org/berth1/host/cells/1', ['org.freedesktop.DBus.Properties', 'org.berth1.Host.Cell'])");
        assert_line(&m, "cells/1   gone");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesAdded", "(oa{sa{sv}})",
                  "('/org/berth1/host/cells/2', {'org.berth1.Host.Cell': {'Id': <uint32 2>, 'Cpus': <'8-9'>}})");
        assert_line(&m, "cells/2   new, with CPUs: 8-9");
        peer_emit(peer, "/org/berth1/host/cells/2", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Host.Cell', {'Cpus': <'8'>}, @as [])");
        assert_line(&m, "cells/2   Cpus: 8-9 -> 8");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesAdded", "(oa{sa{sv}})",
                  "('/org/berth1/domains/web', {'org.berth1.Domain': @a{sv} {}})");
        assert_line(&m, "domains/web new");
}

/* A guest comes and goes in one line, though it has several interfaces, by its name. */
static void test_guests_come_change_and_go(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesAdded", "(oa{sa{sv}})",
                  "('/org/berth1/domains/web', {'org.freedesktop.DBus.Properties': @a{sv} {},"
                  "   'org.berth1.Domain': {'Name': <'web'>, 'State': <'running'>},"
                  "   'org.berth1.Domain.Vcpus': {'Current': <uint32 2>, 'Maximum': <uint32 8>}})");
        assert_line(&m, "domains/web new, running, 2 of 8 vCPUs");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesAdded", "(oa{sa{sv}})",
                  "('/org/berth1/domains/B_c3_bccher_20_31_0a', {'org.berth1.Domain': {'State': <'unknown'>},"
                  "   'org.berth1.Domain.Vcpus': {'Current': <uint32 0>, 'Maximum': <uint32 0>}})");
        assert_line(&m, "domains/Bücher 1  new, unknown");
        peer_emit(peer, "/org/berth1/domains/web", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Domain', {'State': <'paused'>}, @as [])");
        assert_line(&m, "domains/web State: running -> paused");
        peer_emit(peer, "/org/berth1/domains/web", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.berth1.Domain.Vcpus', {'Current': <uint32 3>}, ['Sparse'])");
        assert_line(&m, "domains/web Vcpus.Current: 2 -> 3");
        assert_line(&m, "domains/web Vcpus.Sparse: changed");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesRemoved", "(oas)",
                  "('/org/berth1/domains/web', ['org.berth1.Domain.Vcpus', 'org.berth1.Domain'])");
        assert_line(&m, "domains/web gone");
        /* A part alone is named. */
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesAdded", "(oa{sa{sv}})",
                  "('/org/berth1/domains/web', {'org.berth1.Domain': {'State': <uint32 1>},"
                  "   'org.berth1.Domain.Vcpus': {'Current': <'many'>}})");
        assert_line(&m, "domains/web new");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesRemoved", "(oas)",
                  "('/org/berth1/domains/web', ['org.berth1.Domain.Vcpus'])");
        assert_line(&m, "domains/web gone: org.berth1.Domain.Vcpus");
}

/* Signals that are not as they are documented are passed over. */
#define VCPUS "org.berth1.Domain.Vcpus"
#define WEB "/org/berth1/domains/web"

static void test_vcpus_and_jobs_are_readable(void) {
        static const struct {
                const char *signal, *line;
        } rows[] = {
                { "(2, {'state': <'enabled'>, 'thread': <uint32 4715>, 'cpus': <'4-7'>, 'effective_cpus': <'4-5'>}, 'request')",
                  "domains/web vCPU 2: enabled, thread 4715, pin 4-7, CPUs 4-5 (as asked)" },
                { "(2, {'cell': <uint32 0>, 'state': <'disabled'>}, 'guest')", "domains/web vCPU 2: disabled, cell 0 (by the guest)" },
                { "(3, {'pending': <'unplug'>}, 'request')", "domains/web vCPU 3: pending unplug (as asked)" },
                { "(3, {'cpus': <''>, 'scheduler': <'fifo'>, 'priority': <10>}, 'backend')",
                  "domains/web vCPU 3: pin none, scheduler fifo, priority 10 (by somebody else)" },
                { "(0, {'effective_cpus': <'0'>}, 'host')", "domains/web vCPU 0: CPUs 0 (CPUs of the host changed)" },
                { "(0, {'guest_online': <false>}, 'later')", "domains/web vCPU 0: used by the guest false (later)" },
                { "(0, @a{sv} {}, 'guest')", "domains/web vCPU 0: changed (by the guest)" },
                { "(4294967295, {'a\\nb': <'%s\\n\\u001b'>}, '')", "domains/web vCPU 4294967295: a b %s ? ()" },
        };
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                peer_emit(peer, WEB, VCPUS, "VcpuChanged", "(ua{sv}s)", rows[i].signal);
                assert_line(&m, rows[i].line);
        }
        peer_emit(peer, "/org/berth1", "org.berth1.Manager", "JobDone", "(tsss)", "(7, 'done', '', '')");
        assert_line(&m, "service   job 7: done");
        peer_emit(peer, "/org/berth1", "org.berth1.Manager", "JobDone", "(tsss)",
                  "(8, 'timed-out', 'org.berth1.Error.TimedOut', 'web did not give back vCPU 3.')");
        assert_line(&m, "service   job 8: timed-out: web did not give back vCPU 3.");
        /* What is not as it is documented is passed over. */
        peer_emit(peer, WEB, VCPUS, "VcpuChanged", "(ss)", "('2', 'request')");
        peer_emit(peer, "/org/berth1", "org.berth1.Manager", "JobDone", "(t)", "(9,)");
        peer_emit(peer, "/org/berth1", "org.berth1.Manager", "JobDone", "(tsss)", "(10, 'done', '', '')");
        assert_line(&m, "service   job 10: done");
}

static void test_vcpus_and_jobs_in_json(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "short");

        peer_emit(peer, WEB, VCPUS, "VcpuChanged", "(ua{sv}s)", "(2, {'state': <'enabled'>}, 'request')");
        g_autofree char *vcpu = monitor_line(&m);
        g_assert_true(g_str_has_prefix(vcpu, "{\"event\":\"vcpu-changed\",\"at_usec\":"));
        g_assert_true(g_str_has_suffix(vcpu, ",\"path\":\"" WEB "\",\"vcpu\":2,\"changed\":{\"state\":\"enabled\"},"
                                             "\"cause\":\"request\"}"));
        peer_emit(peer, "/org/berth1", "org.berth1.Manager", "JobDone", "(tsss)",
                  "(18446744073709551615, 'failed', 'org.berth1.Error.BackendFailed', 'no')");
        g_autofree char *job = monitor_line(&m);
        g_assert_true(g_str_has_suffix(job, ",\"job\":18446744073709551615,\"result\":\"failed\","
                                            "\"error\":\"org.berth1.Error.BackendFailed\",\"message\":\"no\"}"));
}

#define POWER "org.berth1.Host.Power"
#define HOST "/org/berth1/host"

static void test_sleep_is_readable(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        peer_emit(peer, HOST, POWER, "PrepareForSleep", "(bs)", "(true, 'suspend_mem')");
        assert_line(&m, "host      about to sleep (suspend_mem)");
        peer_emit(peer, HOST, POWER, "PrepareForSleep", "(bs)", "(false, '')");
        assert_line(&m, "host      awake again");
        /* An alarm is a time; and in the year 586524 it is a number. */
        peer_emit(peer, HOST, PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('" POWER "', {'WakeAlarm': <uint64 1000000000000000>}, @as [])");
        g_autofree char *set = monitor_line(&m);
        g_assert_true(g_str_has_prefix(set + 9, "host      WakeAlarm: Sun 2001-09-09 at 01:46:40 UTC, "));
        g_assert_true(g_str_has_suffix(set, " ago"));
        peer_emit(peer, HOST, PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('" POWER "', {'WakeAlarm': <uint64 18446744073709551615>}, @as [])");
        g_autofree char *odd = monitor_line(&m);
        g_assert_true(g_str_has_suffix(odd, " -> @18446744073709"));
        peer_emit(peer, HOST, PROPERTIES, "PropertiesChanged", "(sa{sv}as)", "('" POWER "', {'WakeAlarm': <uint64 0>}, @as [])");
        assert_line(&m, "host      WakeAlarm: @18446744073709 -> none");
        peer_emit(peer, HOST, PROPERTIES, "PropertiesChanged", "(sa{sv}as)", "('" POWER "', {'WakeAlarm': <'soon'>}, @as [])");
        assert_line(&m, "host      WakeAlarm: none -> soon");
        /* What is not as it is documented is passed over. */
        peer_emit(peer, HOST, POWER, "PrepareForSleep", "(b)", "(true,)");
        peer_emit(peer, HOST, POWER, "PrepareForSleep", "(bs)", "(true, '\\u001b[2J\\n')");
        assert_line(&m, "host      about to sleep (?[2J )");
}

static void test_sleep_in_json(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "short");

        peer_emit(peer, HOST, POWER, "PrepareForSleep", "(bs)", "(true, 'suspend_disk')");
        g_autofree char *line = monitor_line(&m);
        g_assert_true(g_str_has_prefix(line, "{\"event\":\"prepare-for-sleep\",\"at_usec\":"));
        g_assert_true(g_str_has_suffix(line, ",\"start\":true,\"target\":\"suspend_disk\"}"));
}

static void test_malformed_signals_are_passed_over(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        peer_emit(peer, "/org/berth1/host", PROPERTIES, "PropertiesChanged", "(s)", "('org.berth1.Host.Topology',)");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesAdded", "(as)", "(['x'],)");
        peer_emit(peer, "/org/berth1", MANAGER, "InterfacesRemoved", "(o)", "('/x',)");
        /* Nor is what others say the service's. */
        peer_emit(peer, "/somewhere/else", PROPERTIES, "PropertiesChanged", "(sa{sv}as)",
                  "('org.example', {'Cpus': <'1'>}, @as [])");
        change_cpus(peer, "2");
        assert_line(&m, "cells/1   Cpus: 2-3,6-7 -> 2");
}

static void test_service_goes_and_comes(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");

        peer_disown(peer);
        assert_line(&m, "service   stopped");
        peer_own(peer);
        assert_line(&m, "service   started");
        wait_read(peer);
        change_cpus(peer, "2-3");
        assert_line(&m, "cells/1   Cpus: 2-3,6-7 -> 2-3");
}

static void test_waits_for_a_service(void) {
        g_autoptr(Peer) peer = peer_new();
        peer_disown(peer);
        g_auto(Monitor) m = monitor_start_unready(peer, "off");

        assert_line(&m, "service   is not running; waiting for it");
        peer_own(peer);
        assert_line(&m, "service   started");
}

static void test_json_is_an_object_a_line(void) {
        static const char *const modes[] = { "short", "pretty" };

        for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
                g_autoptr(Peer) peer = peer_new();
                g_auto(Monitor) m = monitor_start(peer, modes[i]);

                change_cpus(peer, "2");
                g_autofree char *line = monitor_line(&m);
                json_object *event = json_tokener_parse(line), *value;
                g_assert_nonnull(event);
                g_assert_true(json_object_object_get_ex(event, "at_usec", &value));
                g_assert_cmpint(json_object_get_int64(value), >, G_GINT64_CONSTANT(1600000000000000));
                json_object_object_del(event, "at_usec");
                g_assert_cmpstr(json_object_to_json_string_ext(event, JSON_C_TO_STRING_NOSLASHESCAPE), ==,
                                "{\"event\":\"property-changed\",\"path\":\"/org/berth1/host/cells/1\","
                                "\"interface\":\"org.berth1.Host.Cell\",\"property\":\"Cpus\",\"old\":\"2-3,6-7\",\"new\":\"2\"}");
                json_object_put(event);
                peer_disown(peer);
                g_autofree char *stopped = monitor_line(&m);
                g_assert_true(g_str_has_prefix(stopped, "{\"event\":\"service-stopped\",\"at_usec\":") ||
                              g_str_has_prefix(stopped, "{ \"event\": \"service-stopped\", \"at_usec\":"));
        }
}

static void test_loss_of_the_bus_is_a_failure(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Monitor) m = monitor_start(peer, "off");
        g_autoptr(GError) error = NULL;
        g_autoptr(GDataInputStream) errors = g_data_input_stream_new(g_subprocess_get_stderr_pipe(m.process));

        peer_stop_bus(peer);
        g_subprocess_wait(m.process, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_subprocess_get_exit_status(m.process), ==, 1);
        g_autofree char *line = g_data_input_stream_read_line_utf8(errors, NULL, NULL, NULL);
        g_assert_true(g_str_has_prefix(line, "berthctl: The bus was lost"));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/monitor/" #name, test_##name)
        ADD(changes_show_old_and_new);
        ADD(lists_are_readable);
        ADD(objects_come_and_go);
        ADD(guests_come_change_and_go);
        ADD(vcpus_and_jobs_are_readable);
        ADD(vcpus_and_jobs_in_json);
        ADD(sleep_is_readable);
        ADD(sleep_in_json);
        ADD(malformed_signals_are_passed_over);
        ADD(service_goes_and_comes);
        ADD(waits_for_a_service);
        ADD(json_is_an_object_a_line);
        ADD(loss_of_the_bus_is_a_failure);
        return g_test_run();
}
