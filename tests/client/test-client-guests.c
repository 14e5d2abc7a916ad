/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is shown of guests: none, one, many, with odd names, with half of what there
 * could be known, and with answers that are not as they are documented. */

#include <json-c/json.h>

#include "peer.h"
#include "units.h"
#include "verbs.h"

#define UUID "5a1e6c1e-0d3c-4a3f-9d5e-0c1f2e3d4b5a"
#define WEB "/org/berth1/domains/web"

/* The smallest host there can be, with these objects beside it. */
static void answer_objects(Peer *peer, const char *objects) {
        g_autofree char *text = g_strdup_printf(
                "({'/org/berth1': {'org.berth1.Manager': {'Backends': <['qemu']>}},"
                "  '/org/berth1/host': {'org.berth1.Host.Topology': {'Threads': <uint32 2>}}%s%s},)",
                *objects ? "," : "", objects);

        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", text);
        peer_answer(peer, "GetFreeMemory", "(a(ut))", "(@a(ut) [],)");
        peer_answer(peer, "GetFreePages", "(a(utt))", "(@a(utt) [],)");
        peer_answer(peer, "ListCaches", "(aa{sv})", "(@aa{sv} [],)");
}

#define WEB_OBJECT                                                                                                    \
        "'" WEB "': {'org.berth1.Domain': {'Name': <'web'>, 'Uuid': <'" UUID "'>, 'Backend': <'qemu'>,"              \
        "     'State': <'running'>, 'Pid': <uint32 4711>, 'Warnings': <@aa{sv} []>},"                                 \
        "   'org.berth1.Domain.Vcpus': {'Maximum': <uint32 3>, 'Current': <uint32 2>, 'Sparse': <false>}}"

#define WEB_JSON                                                                                                      \
        "{\"Name\":\"web\",\"Uuid\":\"" UUID "\",\"Backend\":\"qemu\",\"State\":\"running\",\"Pid\":4711,"            \
        "\"Warnings\":[],\"Vcpus\":{\"Maximum\":3,\"Current\":2,\"Sparse\":false}}"

#define WEB_VCPUS                                                                                                     \
        "([{'id': <uint32 0>, 'state': <'enabled'>, 'hotpluggable': <false>,"                                         \
        "   'reason': <\"it is the guest's first, which always stays\">, 'unit': <'0'>, 'cell': <uint32 0>,"          \
        "   'order': <uint32 1>, 'thread': <uint32 4713>, 'effective_cpus': <'0-3'>, 'scheduler': <'other'>,"         \
        "   'priority': <0>, 'host_cpu': <uint32 2>, 'cpu_time_usec': <uint64 8054000000>,"                           \
        "   'wait_usec': <uint64 12345678>},"                                                                         \
        "  {'id': <uint32 1>, 'state': <'enabled'>, 'hotpluggable': <true>, 'unit': <'1'>, 'cell': <uint32 0>,"       \
        "   'order': <uint32 2>, 'thread': <uint32 4714>, 'effective_cpus': <'4'>, 'scheduler': <'fifo'>,"            \
        "   'priority': <50>, 'host_cpu': <uint32 4>, 'cpu_time_usec': <uint64 185000000>,"                           \
        "   'wait_usec': <uint64 40999>},"                                                                            \
        "  {'id': <uint32 2>, 'state': <'disabled'>, 'hotpluggable': <true>, 'unit': <'2'>, 'cell': <uint32 0>}],)"

static void guest_web(Peer *peer) {
        answer_objects(peer, WEB_OBJECT);
        peer_answer(peer, "GetDomain", "(o)", "('" WEB "',)");
        peer_answer(peer, "ListVcpus", "(aa{sv})", WEB_VCPUS);
}

/* The table */

static void test_no_guests_says_how_one_appears(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "domains");

        assert_run(run, 0,
                   "No guests: one appears when QEMU is started with "
                   "-qmp unix:/run/berth/domains/NAME/qmp.sock,server=on,wait=off\n",
                   "");
        g_auto(Run) json = RUN(peer, "domains", "--json=short");
        assert_run(json, 0, "[]\n", "");

        /* A service that has no way to guests does not promise one. */
        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})",
                    "({'/org/berth1': {'org.berth1.Manager': {'Backends': <@as []>}}},)");
        g_auto(Run) none = RUN(peer, "domains");
        assert_run(none, 0, "No guests: the service has no way to reach any; 'journalctl -u berthd' says why.\n", "");
        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", "(@a{oa{sa{sv}}} {},)");
        g_auto(Run) nothing = RUN(peer, "domains");
        g_assert_true(g_str_has_prefix(nothing.out, "No guests: one appears when"));
        g_assert_cmpint(nothing.status, ==, 0);
}

static void test_one_guest_is_one_row_and_one_call(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        g_auto(Run) run = RUN(peer, "domains");
        assert_run(run, 0,
                   "NAME  STATE    VCPUS    PID  UUID\n"
                   "web   running  2 of 3  4711  " UUID "\n",
                   "");
        g_assert_cmpint(peer_calls_left(peer), ==, 1);
        g_auto(Run) json = RUN(peer, "domains", "--json=short");
        assert_run(json, 0, "[" WEB_JSON "]\n", "");
}

static void answer_twelve(Peer *peer) {
        g_autoptr(GString) objects = g_string_new(NULL);

        for (unsigned i = 12; i > 0; i--)
                g_string_append_printf(objects, "%s'/org/berth1/domains/vm%u': {'org.berth1.Domain': {'Name': <'vm%u'>,"
                                       "'State': <'%s'>, 'Pid': <uint32 %u>}}", i < 12 ? "," : "", i, i,
                                       i % 5 == 0 ? "paused" : "running", 900 + i * 10);
        answer_objects(peer, objects->str);
}

static void test_twelve_guests_are_sorted_by_name(void) {
        g_autoptr(Peer) peer = peer_new();

        answer_twelve(peer);
        g_auto(Run) run = RUN(peer, "domains");
        assert_run(run, 0,
                   "NAME  STATE     PID\n"
                   "vm1   running   910\n"
                   "vm2   running   920\n"
                   "vm3   running   930\n"
                   "vm4   running   940\n"
                   "vm5   paused    950\n"
                   "vm6   running   960\n"
                   "vm7   running   970\n"
                   "vm8   running   980\n"
                   "vm9   running   990\n"
                   "vm10  paused   1000\n"
                   "vm11  running  1010\n"
                   "vm12  running  1020\n",
                   "");
}

static void test_odd_names_are_shown_and_do_no_harm(void) {
        g_autofree char *x = g_strnfill(200, 'x');
        g_autofree char *objects = g_strdup_printf(
                "'/org/berth1/domains/a': {'org.berth1.Domain': {'Name': <'Bücher und 本'>, 'State': <'running'>}},"
                "'/org/berth1/domains/b': {'org.berth1.Domain': {'Name': <'a b'>, 'State': <'paused'>}},"
                "'/org/berth1/domains/c': {'org.berth1.Domain': {'Name': <'e\\u001b[31m\\n%%s'>, 'State': <'%%n'>}},"
                "'/org/berth1/domains/d': {'org.berth1.Domain': {'Name': <'%s'>, 'State': <'running'>}}", x);
        g_autofree char *expected = g_strdup_printf("NAME%*s  STATE\n"
                                                    "Bücher und 本%*s  running\n"
                                                    "a b%*s  paused\n"
                                                    "e?[31m %%s%*s  %%n\n"
                                                    "%s  running\n", 196, "", 187, "", 197, "", 191, "", x);
        g_autoptr(Peer) peer = peer_new();

        answer_objects(peer, objects);
        g_auto(Run) run = RUN(peer, "domains");
        assert_run(run, 0, expected, "");
        /* The overview takes them too. */
        g_auto(Run) overview = RUN(peer);
        g_assert_cmpint(overview.status, ==, 0);
        g_assert_nonnull(strstr(overview.out, "\ne?[31m %s "));
}

static void test_warnings_stand_below_and_name_their_guest(void) {
        g_autoptr(Peer) peer = peer_new();

        answer_objects(peer,
                       WEB_OBJECT ", '/org/berth1/domains/db': {'org.berth1.Domain': {'Name': <'db'>, 'State': <'unknown'>,"
                       "    'Warnings': <[{'code': <'monitor-silent'>, 'severity': <'blocks'>, 'message': <'The monitor is silent.'>,"
                       "                   'remedy': <'Wait for QEMU.'>},"
                       "                  {'code': <'vcpus-unknown'>, 'severity': <'warns'>, 'subject': <'vCPU 3'>},"
                       "                  {'subject': <'guest db'>, 'message': <'Third.'>}]>}}");
        g_auto(Run) run = RUN(peer, "domains");
        assert_run(run, 0,
                   "NAME  STATE    VCPUS    PID  UUID\n"
                   "db    unknown\n"
                   "web   running  2 of 3  4711  " UUID "\n"
                   "\n"
                   "Error    db: The monitor is silent.\n"
                   "         Wait for QEMU.\n"
                   "Warning  db, vCPU 3: vcpus-unknown\n"
                   "Warning  guest db: Third.\n",
                   "");
        g_auto(Run) overview = RUN(peer);
        g_assert_nonnull(strstr(overview.out, "\nNAME  STATE    VCPUS    PID\n"
                                              "db    unknown\n"
                                              "web   running  2 of 3  4711\n"
                                              "\n"
                                              "Error    db: The monitor is silent.\n"));
        /* JSON has them as the service does. */
        g_auto(Run) json = RUN(peer, "domains", "--json=short");
        g_assert_nonnull(strstr(json.out, "{\"code\":\"vcpus-unknown\",\"severity\":\"warns\",\"subject\":\"vCPU 3\"}"));
}

/* Whatever is missing is left out; what is not known yet is no number. */
static void test_missing_keys_are_left_out(void) {
        g_autoptr(Peer) peer = peer_new();

        answer_objects(peer, "'/org/berth1/domains/a': {'org.berth1.Domain': {'Name': <'a'>}},"
                             "'/org/berth1/domains/b': {'org.berth1.Domain': {'Name': <'b'>, 'Uuid': <''>, 'Pid': <uint32 0>},"
                             "   'org.berth1.Domain.Vcpus': {'Current': <uint32 0>, 'Maximum': <uint32 0>}}");
        g_auto(Run) run = RUN(peer, "domains");
        assert_run(run, 0, "NAME\na\nb\n", "");
        answer_objects(peer, "'/org/berth1/domains/b': {'org.berth1.Domain': {'Name': <'b'>, 'State': <'running'>},"
                             "   'org.berth1.Domain.Vcpus': {'Current': <uint32 4>}}");
        g_auto(Run) current = RUN(peer, "domains");
        assert_run(current, 0, "NAME  STATE    VCPUS\nb     running  4\n", "");
}

/* The overview */

static void test_overview_has_a_few_guests(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        g_auto(Run) one = RUN(peer);
        assert_run(one, 0,
                   "CPUs     2 online\n"
                   "Memory   0 cells\n"
                   "\n"
                   "NAME  STATE    VCPUS    PID  ON CPUS\n"
                   "web   running  2 of 3  4711  0-4\n",
                   "");
        answer_twelve(peer);
        g_auto(Run) many = RUN(peer);
        assert_run(many, 0,
                   "CPUs     2 online\n"
                   "Memory   0 cells\n"
                   "\n"
                   "NAME  STATE     PID  ON CPUS\n"
                   "vm1   running   910  0-4\n"
                   "vm2   running   920  0-4\n"
                   "vm3   running   930  0-4\n"
                   "… and 9 more: 'berthctl domains' shows all.\n",
                   "");
        g_auto(Run) json = RUN(peer, "overview", "--json=short");
        g_assert_nonnull(strstr(json.out, ",\"Domains\":[{\"Name\":\"vm1\",\"State\":\"running\",\"Pid\":910},"));
}

/* Many cells, many guests and many warnings still leave a terminal of 24 lines whole. */
static void test_overview_of_all_that_is_large_fits_24_lines(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GString) objects = g_string_new(NULL);

        for (unsigned i = 0; i < 64; i++)
                g_string_append_printf(objects, "%s'/org/berth1/host/cells/%u': {'org.berth1.Host.Cell': {'Id': <uint32 %u>,"
                                       "'Cpus': <'%u'>}}, '/org/berth1/domains/g%u': {'org.berth1.Domain': {'Name': <'g%u'>,"
                                       "'Warnings': <[{'message': <'wrong'>, 'remedy': <'mend'>}]>}}",
                                       i > 0 ? "," : "", i, i, i, i, i);
        answer_objects(peer, objects->str);
        g_auto(Run) run = RUN(peer);
        g_assert_cmpint(run.status, ==, 0);
        g_auto(GStrv) lines = g_strsplit(run.out, "\n", -1);
        g_assert_cmpuint(g_strv_length(lines) - 1, <=, 23);
        g_assert_nonnull(strstr(run.out, "more: 'berthctl cells' shows all.\n"));
        g_assert_nonnull(strstr(run.out, "more: 'berthctl domains' shows all.\n"));
        g_assert_nonnull(strstr(run.out, "more; 'berthctl topology' shows those of the machine, 'berthctl domains' those of guests.\n"));
}

/* Each guest of this many vCPUs: the list of one answers for all. */
static void host_with_guests(Peer *peer, const char *objects, const char *vcpus) {
        g_autofree char *text = g_strdup_printf(
                "({'/org/berth1/host': {'org.berth1.Host.Topology': {'Threads': <uint32 8>}},"
                "  '/org/berth1/host/cells/0': {'org.berth1.Host.Cell': {'Id': <uint32 0>, 'Cpus': <'0-1,4-5'>}},"
                "  '/org/berth1/host/cells/1': {'org.berth1.Host.Cell': {'Id': <uint32 1>, 'Cpus': <'2-3,6-7'>}},%s},)", objects);

        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", text);
        peer_answer(peer, "ListVcpus", "(aa{sv})", vcpus);
}

/* Where the vCPUs that are there may run; of a guest that is off, where they are to. */
static void test_overview_shows_where_guests_run(void) {
        static const struct {
                const char *vcpus, *row;
        } rows[] = {
                { "([{'id': <uint32 0>, 'state': <'enabled'>, 'effective_cpus': <'0'>, 'cpus': <'0-1'>},"
                  "  {'id': <uint32 1>, 'state': <'enabled'>, 'effective_cpus': <'2-3'>},"
                  "  {'id': <uint32 2>, 'state': <'disabled'>, 'cpus': <'7'>}],)", "web   running  2 of 3  4711  0,2-3    0-1\n" },
                { "([{'id': <uint32 0>, 'state': <'enabled'>, 'cpus': <'6-7'>}],)", "web   running  2 of 3  4711  6-7      1\n" },
                { "([{'id': <uint32 0>, 'state': <'enabled'>}],)", "web   running  2 of 3  4711\n" },
                { "(@aa{sv} [],)", "web   running  2 of 3  4711\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                host_with_guests(peer, WEB_OBJECT, rows[i].vcpus);
                g_auto(Run) run = RUN(peer);
                g_assert_cmpstr(run.err, ==, "");
                if (!strstr(run.out, rows[i].row))
                        g_error("'%s' is not in: %s", rows[i].row, run.out);
        }
        /* A guest that goes meanwhile has no places. */
        peer_answer_error(peer, "ListVcpus", "org.freedesktop.DBus.Error.UnknownObject", "gone");
        g_auto(Run) gone = RUN(peer);
        g_assert_nonnull(strstr(gone.out, "\nweb   running  2 of 3  4711\n"));
        peer_answer(peer, "ListVcpus", "(aa{sv})", "([{'id': <uint32 0>, 'state': <'enabled'>, 'effective_cpus': <'x'>}],)");
        g_auto(Run) wrong = RUN(peer);
        g_assert_cmpint(wrong.status, ==, 1);
        g_assert_nonnull(strstr(wrong.err, "a list of CPUs"));
}

/* The map */

static void test_map_shows_where_vcpus_are(void) {
        g_autoptr(Peer) peer = peer_new();

        host_with_guests(peer,
                         WEB_OBJECT ", '/org/berth1/domains/db': {'org.berth1.Domain': {'Name': <'a\n本-very-long-name-of-it'>}}",
                         "([{'id': <uint32 0>, 'state': <'enabled'>, 'effective_cpus': <'0-1,4-5'>, 'host_cpu': <uint32 4>},"
                         "  {'id': <uint32 1>, 'state': <'enabled'>, 'effective_cpus': <'2'>, 'host_cpu': <uint32 2>},"
                         "  {'id': <uint32 2>, 'state': <'enabled'>, 'effective_cpus': <'3'>, 'host_cpu': <uint32 3>},"
                         "  {'id': <uint32 3>, 'state': <'enabled'>, 'effective_cpus': <'0-7'>, 'host_cpu': <uint32 7>},"
                         "  {'id': <uint32 4>, 'state': <'enabled'>, 'host_cpu': <uint32 0>},"
                         "  {'id': <uint32 5>, 'state': <'enabled'>, 'effective_cpus': <'900'>, 'host_cpu': <uint32 900>},"
                         "  {'id': <uint32 6>, 'state': <'disabled'>, 'cpus': <'0'>}],)");
        g_auto(Run) run = RUN(peer, "map");
        assert_run(run, 0,
                   "┌─ Socket 0 · Cell 0 · L3 13.8 MiB ─┐ ┌─ Socket 1 · Cell 1 · L3 13.8 MiB ─┐\n"
                   "│ [0 4] [1 5]                       │ │ [2 6] [3 7]                       │\n"
                   "│ a ?-very-long-name-o… 0 ~4        │ │ a ?-very-long-name-o… 1-2→2-3 ~3  │\n"
                   "│ web 0 ~4                          │ │ web 1-2→2-3 ~3                    │\n"
                   "└───────────────────────────────────┘ └───────────────────────────────────┘\n"
                   "[ ] a core and its CPUs   NAME 0-3 vCPUs of a guest   → bound to these CPUs\n"
                   "~ ran there last, may leave\n",
                   "");
}

/* As many as there may be on a server: what does not fit is counted. */
static void test_map_counts_what_does_not_fit(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GString) objects = g_string_new(NULL), vcpus = g_string_new("([");

        for (unsigned i = 1; i <= 50; i++)
                g_string_append_printf(objects, "%s'/org/berth1/domains/vm%u': {'org.berth1.Domain': {'Name': <'vm%u'>}}",
                                       i > 1 ? "," : "", i, i);
        for (unsigned i = 0; i < 64; i += 2)
                g_string_append_printf(vcpus, "%s{'id': <uint32 %u>, 'state': <'enabled'>, 'effective_cpus': <'0-1,4-5'>}",
                                       i > 0 ? "," : "", i);
        g_string_append(vcpus, "],)");
        host_with_guests(peer, objects->str, vcpus->str);
        g_auto(Run) run = RUN(peer, "map");
        assert_run(run, 0,
                   "┌─ Socket 0 · Cell 0 · L3 13.8 MiB ─┐ ┌─ Socket 1 · Cell 1 · L3 13.8 MiB ─┐\n"
                   "│ [0 4] [1 5]                       │ │ [2 6] [3 7]                       │\n"
                   "│ vm1 32 vCPUs  vm2 32 vCPUs        │ │                                   │\n"
                   "│ vm3 32 vCPUs  vm4 32 vCPUs        │ │                                   │\n"
                   "│ vm5 32 vCPUs  vm6 32 vCPUs        │ │                                   │\n"
                   "│ … and 44 more                     │ │                                   │\n"
                   "└───────────────────────────────────┘ └───────────────────────────────────┘\n"
                   "[ ] a core and its CPUs   NAME 0-3 vCPUs of a guest\n",
                   "");
}

static void test_map_json_has_the_guests(void) {
        g_autoptr(Peer) peer = peer_new();

        host_with_guests(peer, WEB_OBJECT, "([{'id': <uint32 0>, 'state': <'enabled'>}],)");
        g_auto(Run) run = RUN(peer, "map", "--json=short");
        g_assert_true(g_str_has_suffix(run.out, ",\"Domains\":[{\"Domain\":" WEB_JSON
                                                ",\"Vcpus\":[{\"id\":0,\"state\":\"enabled\"}]}]}\n"));
        peer_answer(peer, "ListVcpus", "(aa{sv})", "([{'id': <uint32 0>, 'state': <'enabled'>, 'effective_cpus': <'0-'>}],)");
        g_auto(Run) wrong = RUN(peer, "map");
        g_assert_cmpint(wrong.status, ==, 1);
        g_assert_nonnull(strstr(wrong.err, "a list of CPUs"));
}

/* vCPUs */

static void test_vcpus_shows_pins_and_what_is_pending(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        peer_answer(peer, "ListVcpus", "(aa{sv})",
                    "([{'id': <uint32 0>, 'state': <'enabled'>, 'hotpluggable': <true>, 'cpus': <'4-7'>, 'effective_cpus': <'4-5'>,"
                    "   'scheduler': <'other'>, 'guest_online': <true>},"
                    "  {'id': <uint32 1>, 'state': <'enabled'>, 'hotpluggable': <true>, 'pending': <'unplug'>,"
                    "   'effective_cpus': <'0-7'>, 'scheduler': <'rr'>, 'priority': <5>, 'guest_online': <false>},"
                    "  {'id': <uint32 2>, 'state': <'disabled'>, 'hotpluggable': <true>, 'cpus': <'3'>, 'scheduler': <'idle'>}],)");
        g_auto(Run) run = RUN(peer, "vcpus", "web", "--guest", "--live");
        assert_run(run, 0,
                   "web: running, 2 of 3 vCPUs, process 4711, UUID " UUID "\n"
                   "\n"
                   "VCPU  STATE     PENDING  IN GUEST  PIN  CPUS  SCHEDULER\n"
                   "   0  enabled            online    4-7  4-5   other\n"
                   "   1  enabled   unplug   offline        0-7   rr 5\n"
                   "   2  disabled                     3          idle\n",
                   "");
        g_autoptr(PeerCall) call = peer_last_call(peer);
        g_assert_cmpstr(call->arguments, ==, "(['live', 'guest'],)");
        g_auto(Run) stored = RUN(peer, "vcpus", "web", "--config", "--json=short");
        g_assert_cmpint(stored.status, ==, 0);
        g_autoptr(PeerCall) config = peer_last_call(peer);
        g_assert_cmpstr(config->arguments, ==, "(['config'],)");
}

static void test_vcpus_shows_the_guest_and_each_vcpu(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        g_auto(Run) run = RUN(peer, "vcpus", "web");
        assert_run(run, 0,
                   "web: running, 2 of 3 vCPUs, process 4711, UUID " UUID "\n"
                   "\n"
                   "VCPU  STATE     CELL  THREAD  CPUS  HOST CPU        TIME    WAIT  SCHEDULER\n"
                   "   0  enabled      0    4713  0-3          2  2 h 14 min  12.3 s  other\n"
                   "   1  enabled      0    4714  4            4   3 min 5 s   40 ms  fifo 50\n"
                   "   2  disabled     0\n"
                   "\n"
                   "FIXED  BECAUSE\n"
                   "0      it is the guest's first, which always stays\n",
                   "");
        g_autoptr(PeerCall) find = peer_wait_call(peer);
        g_assert_cmpstr(find->member, ==, "GetDomain");
        g_assert_cmpstr(find->path, ==, "/org/berth1");
        g_assert_cmpstr(find->arguments, ==, "('web',)");
        g_autoptr(PeerCall) objects = peer_wait_call(peer);
        g_assert_cmpstr(objects->member, ==, "GetManagedObjects");
        g_autoptr(PeerCall) list = peer_wait_call(peer);
        g_assert_cmpstr(list->member, ==, "ListVcpus");
        g_assert_cmpstr(list->interface, ==, "org.berth1.Domain.Vcpus");
        g_assert_cmpstr(list->path, ==, WEB);
        g_assert_cmpstr(list->arguments, ==, "(@as [],)");
        g_assert_false(list->interactive);
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
}

static void test_vcpus_json_has_the_bus_keys(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        peer_answer(peer, "ListVcpus", "(aa{sv})",
                    "([{'id': <uint32 7>, 'state': <'enabled'>, 'hotpluggable': <true>, 'unit': <'6-7'>, 'priority': <-3>,"
                    "   'cpu_time_usec': <uint64 18446744073709551615>, 'future': <[1, 2]>}],)");
        g_auto(Run) run = RUN(peer, "vcpus", UUID, "--json=short");
        assert_run(run, 0,
                   "{\"Domain\":" WEB_JSON ",\"Vcpus\":[{\"id\":7,\"state\":\"enabled\",\"hotpluggable\":true,"
                   "\"unit\":\"6-7\",\"priority\":-3,\"cpu_time_usec\":18446744073709551615,\"future\":[1,2]}]}\n",
                   "");
        g_autoptr(PeerCall) find = peer_wait_call(peer);
        g_assert_cmpstr(find->arguments, ==, "('" UUID "',)");
}

/* Units of more than one vCPU, reasons told once, and columns that nobody has. */
static void test_vcpus_units_and_reasons(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        peer_answer(peer, "ListVcpus", "(aa{sv})",
                    "([{'id': <uint32 0>, 'state': <'enabled'>, 'hotpluggable': <false>, 'reason': <'one'>, 'unit': <'0-1'>},"
                    "  {'id': <uint32 1>, 'state': <'enabled'>, 'hotpluggable': <false>, 'reason': <'one'>, 'unit': <'0-1'>},"
                    "  {'id': <uint32 2>, 'state': <'enabled'>, 'hotpluggable': <false>, 'reason': <'%s%n\\nother'>, 'unit': <'2'>},"
                    "  {'id': <uint32 3>, 'state': <'disabled'>, 'hotpluggable': <false>, 'unit': <''>},"
                    "  {'id': <uint32 4>, 'state': <'enabled'>, 'hotpluggable': <false>, 'reason': <'one'>},"
                    "  {'id': <uint32 5>, 'state': <'enabled'>, 'hotpluggable': <false>, 'reason': <'one'>},"
                    "  {'id': <uint32 8>, 'state': <'enabled'>, 'hotpluggable': <false>, 'reason': <'one'>},"
                    "  {'id': <uint32 9>, 'state': <'enabled'>, 'hotpluggable': <true>, 'reason': <'nobody asks'>},"
                    "  {'id': <uint32 10>, 'state': <'enabled'>}],)");
        g_auto(Run) run = RUN(peer, "vcpus", "web");
        assert_run(run, 0,
                   "web: running, 2 of 3 vCPUs, process 4711, UUID " UUID "\n"
                   "\n"
                   "VCPU  STATE     UNIT\n"
                   "   0  enabled   0-1\n"
                   "   1  enabled   0-1\n"
                   "   2  enabled\n"
                   "   3  disabled\n"
                   "   4  enabled\n"
                   "   5  enabled\n"
                   "   8  enabled\n"
                   "   9  enabled\n"
                   "  10  enabled\n"
                   "\n"
                   "FIXED      BECAUSE\n"
                   "0-1,4-5,8  one\n"
                   "2          %s%n other\n"
                   "3          no reason is told\n",
                   "");
}

static void test_vcpus_of_guests_of_which_little_is_known(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        answer_objects(peer, "'" WEB "': {'org.berth1.Domain': {'Name': <'a\\nb\\tc ü'>, 'Warnings': <[{'message': <'Silent.'>}]>}}");
        peer_answer(peer, "ListVcpus", "(aa{sv})", "(@aa{sv} [],)");
        g_auto(Run) run = RUN(peer, "vcpus", "a b");
        assert_run(run, 0,
                   "a b c ü\n"
                   "It has not told its vCPUs yet.\n"
                   "\n"
                   "Warning  a b c ü: Silent.\n",
                   "");
        g_auto(Run) json = RUN(peer, "vcpus", "a b", "--json=short");
        g_assert_true(g_str_has_suffix(json.out, ",\"Vcpus\":[]}\n"));

        answer_objects(peer, "'" WEB "': {'org.berth1.Domain': {'Name': <'web'>, 'Uuid': <'" UUID "'>},"
                             "   'org.berth1.Domain.Vcpus': {'Current': <uint32 1>}}");
        g_auto(Run) one = RUN(peer, "vcpus", "web");
        g_assert_true(g_str_has_prefix(one.out, "web: 1 vCPU, UUID " UUID "\n"));
        answer_objects(peer, "'" WEB "': {'org.berth1.Domain': {'Name': <'web'>, 'State': <'running'>},"
                             "   'org.berth1.Domain.Vcpus': {'Current': <uint32 2>, 'Maximum': <uint32 4>, 'Sparse': <true>}}");
        g_auto(Run) sparse = RUN(peer, "vcpus", "web");
        g_assert_true(g_str_has_prefix(sparse.out, "web: running, 2 of 4 vCPUs (not the first ones)\n"));
}

/* Errors */

static void assert_failed(Run run, int status, const char *says) {
        g_assert_cmpstr(run.out, ==, "");
        g_assert_true(g_str_has_prefix(run.err, "berthctl: "));
        if (!strstr(run.err, says))
                g_error("'%s' is not in: %s", says, run.err);
        g_assert_cmpint(run.status, ==, status);
}

static void test_guest_that_is_not_there(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        peer_answer_error(peer, "GetDomain", "org.berth1.Error.NoSuchDomain", "There is no guest 'x'");
        g_auto(Run) run = RUN(peer, "vcpus", "x");
        assert_run(run, 3, "", "berthctl: There is no guest 'x'\n");
        g_auto(Run) json = RUN(peer, "vcpus", "x", "--json=pretty");
        assert_failed(json, 3, "There is no guest 'x'");

        /* It goes between the calls. */
        peer_answer(peer, "GetDomain", "(o)", "('/org/berth1/domains/other',)");
        g_auto(Run) gone = RUN(peer, "vcpus", "other");
        assert_run(gone, 3, "", "berthctl: The guest 'other' has just gone.\n");
        guest_web(peer);
        peer_answer_error(peer, "ListVcpus", "org.freedesktop.DBus.Error.UnknownObject", "Unknown object '" WEB "'.");
        g_auto(Run) later = RUN(peer, "vcpus", "web");
        assert_failed(later, 3, "Unknown object");
}

static void test_command_lines_that_are_refused(void) {
        g_autoptr(Peer) peer = peer_new();

        g_auto(Run) none = RUN(peer, "vcpus");
        assert_failed(none, 2, "'vcpus' needs more: berthctl vcpus NAME");
        g_auto(Run) two = RUN(peer, "vcpus", "a", "b");
        assert_failed(two, 2, "'b' is too much");
        g_auto(Run) more = RUN(peer, "domains", "a");
        assert_failed(more, 2, "'a' is too much");
        g_auto(Run) binary = RUN(peer, "vcpus", "a\xff");
        assert_failed(binary, 2, "is no name of a guest: it is not UTF-8.");
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
}

static void test_services_that_fail(void) {
        static const char *const verbs[] = { "domains", "vcpus" };
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
                peer_answer_error(peer, i == 0 ? "GetManagedObjects" : "GetDomain",
                                  "org.freedesktop.DBus.Error.UnknownMethod", "There is no such method");
                g_auto(Run) old = RUN(peer, verbs[i], i == 0 ? NULL : "web");
                assert_failed(old, 1, "It is probably older than this berthctl.");
        }
        peer_disown(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
                g_auto(Run) away = RUN(peer, verbs[i], i == 0 ? NULL : "web");
                assert_failed(away, 1, "The Berth service is not on this bus");
        }
        peer_own(peer);
        guest_web(peer);
        peer_answer_leaving(peer, "ListVcpus");
        g_auto(Run) leaving = RUN(peer, "vcpus", "web");
        assert_failed(leaving, 1, "left without an answer to ListVcpus");
}

static void test_malformed_guests(void) {
        static const struct {
                const char *domain, *vcpus, *says;
        } rows[] = {
                { "{'State': <'running'>}", "@a{sv} {}", ": Name." },
                { "{'Name': <uint32 1>}", "@a{sv} {}", ": Name." },
                { "{'Name': <'a'>, 'Uuid': <[1]>}", "@a{sv} {}", ": Uuid." },
                { "{'Name': <'a'>, 'State': <true>}", "@a{sv} {}", ": State." },
                { "{'Name': <'a'>, 'Pid': <-1>}", "@a{sv} {}", ": Pid." },
                { "{'Name': <'a'>, 'Warnings': <'all'>}", "@a{sv} {}", ": Warnings." },
                { "{'Name': <'a'>, 'Warnings': <['all']>}", "@a{sv} {}", ": an entry." },
                { "{'Name': <'a'>, 'Warnings': <[{'message': <1>}]>}", "@a{sv} {}", ": message." },
                { "{'Name': <'a'>}", "{'Current': <'two'>}", ": Current." },
                { "{'Name': <'a'>}", "{'Maximum': <-2>}", ": Maximum." },
                { "{'Name': <'a'>}", "{'Sparse': <uint32 0>}", ": Sparse." },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Peer) peer = peer_new();
                g_autofree char *objects = g_strdup_printf(
                        "'" WEB "': {'org.berth1.Domain': %s, 'org.berth1.Domain.Vcpus': %s}", rows[i].domain, rows[i].vcpus);
                guest_web(peer);
                answer_objects(peer, objects);
                g_auto(Run) domains = RUN(peer, "domains");
                assert_failed(domains, 1, rows[i].says);
                g_auto(Run) vcpus = RUN(peer, "vcpus", "web");
                assert_failed(vcpus, 1, rows[i].says);
                g_auto(Run) overview = RUN(peer);
                assert_failed(overview, 1, rows[i].says);
                /* What is of the host only goes on. */
                g_auto(Run) cells = RUN(peer, "cells");
                g_assert_cmpint(cells.status, ==, 0);
        }
}

static void test_malformed_vcpus(void) {
        static const struct {
                const char *member, *type, *text, *says;
        } rows[] = {
                { "GetDomain", "(s)", "('" WEB "',)", "with 's' where 'o' is documented" },
                { "ListVcpus", "(a{sv})", "(@a{sv} {},)", "with 'a{sv}' where 'aa{sv}'" },
                { "ListVcpus", "(aa{sv})", "([@a{sv} {}],)", ": id." },
                { "ListVcpus", "(aa{sv})", "([{'id': <uint32 0>}],)", ": state." },
                { "ListVcpus", "(aa{sv})", "([{'id': <-1>, 'state': <'enabled'>}],)", ": id." },
                { "ListVcpus", "(aa{sv})", "([{'id': <uint32 0>, 'state': <'enabled'>, 'priority': <'high'>}],)", ": priority." },
                { "ListVcpus", "(aa{sv})", "([{'id': <uint32 0>, 'state': <'enabled'>, 'hotpluggable': <'no'>}],)",
                  ": hotpluggable." },
                { "ListVcpus", "(aa{sv})", "([{'id': <uint32 0>, 'state': <'enabled'>, 'cpu_time_usec': <1.5>}],)",
                  ": cpu_time_usec." },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Peer) peer = peer_new();
                guest_web(peer);
                peer_answer(peer, rows[i].member, rows[i].type, rows[i].text);
                g_auto(Run) run = RUN(peer, "vcpus", "web");
                assert_failed(run, 1, rows[i].says);
        }
}

/* Pieces and documents */

static void test_times_are_readable(void) {
        static const struct {
                uint64_t usec;
                const char *text;
        } rows[] = {
                { 0, "0 s" },
                { 1, "1 us" },
                { 999, "999 us" },
                { 1000, "1 ms" },
                { 999999, "999 ms" },
                { 1000000, "1 s" },
                { 12345678, "12.3 s" },
                { 59999999, "59.9 s" },
                { 60000000, "1 min 0 s" },
                { 3599999999, "59 min 59 s" },
                { 3600000000, "1 h 0 min" },
                { 86399999999, "23 h 59 min" },
                { 86400000000, "1 d 0 h" },
                { UINT64_MAX, "213503982 d 8 h" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                char buffer[UNIT_TEXT_MAX];
                g_assert_cmpstr(usec_format(buffer, rows[i].usec), ==, rows[i].text);
        }
}

/* The examples in help and manual are what one sees. */
static void test_examples_are_what_is_shown(void) {
        g_autoptr(Peer) peer = peer_new();

        guest_web(peer);
        g_autofree char *vcpus = g_strdup_printf("%s\n", verb_find("vcpus")->example_output);
        g_auto(Run) run = RUN(peer, "vcpus", "web");
        assert_run(run, 0, vcpus, "");
        answer_objects(peer,
                       "'" WEB "': {'org.berth1.Domain': {'Name': <'web'>, 'Uuid': <'" UUID "'>, 'State': <'running'>,"
                       "     'Pid': <uint32 4711>}, 'org.berth1.Domain.Vcpus': {'Maximum': <uint32 8>, 'Current': <uint32 2>}},"
                       "'/org/berth1/domains/db': {'org.berth1.Domain': {'Name': <'db'>, 'State': <'unknown'>, 'Pid': <uint32 5120>,"
                       "     'Warnings': <[{'message': <'The monitor has not greeted.'>,"
                       "       'remedy': <'QEMU may still be starting; if not, see who else holds its socket.'>}]>}}");
        g_autofree char *domains = g_strdup_printf("%s\n", verb_find("domains")->example_output);
        g_auto(Run) all = RUN(peer, "domains");
        assert_run(all, 0, domains, "");
}

/* Those of the verbs that change a guest: what they are answered is what the line says. */
static void test_examples_of_changes_are_what_is_shown(void) {
        static const struct {
                const char *verb, *answer;
        } rows[] = {
                { "set-vcpu", "('2', 0)" }, { "set-vcpus", "('2-3,5', 0)" }, { "set-count", "('2-3', 0)" },
                { "pin", NULL },            { "scheduler", NULL },           { "memory", NULL },
                { "threads", NULL },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer(peer, "org.berth1.Domain.GetAll", "(a{sv})", "({'Name': <'web'>, 'State': <'running'>},)");
        peer_answer(peer, "GetMemoryByCell", "(a(ut))", "([(0, 3221225472), (1, 1073741824)],)");
        peer_answer(peer, "ListThreads", "(aa{sv})",
                    "([{'thread': <uint32 4711>, 'role': <'emulator'>, 'effective_cpus': <'0-7'>, 'scheduler': <'other'>,"
                    "   'name': <'qemu-system-x86'>},"
                    "  {'thread': <uint32 4712>, 'role': <'iothread'>, 'id': <uint32 1>, 'effective_cpus': <'0-7'>,"
                    "   'scheduler': <'other'>, 'name': <'IO iothread1'>},"
                    "  {'thread': <uint32 4713>, 'role': <'vcpu'>, 'id': <uint32 0>, 'effective_cpus': <'4-7'>, 'cpus': <'4-7'>,"
                    "   'scheduler': <'other'>, 'name': <'CPU 0/KVM'>}],)");
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                const Verb *verb = verb_find(rows[i].verb);
                g_auto(GStrv) words = g_strsplit(verb->example, " ", -1);
                g_autofree char *expected = g_strdup_printf("%s\n", verb->example_output);
                if (rows[i].answer)
                        for (size_t m = 0; m < 3; m++)
                                peer_answer(peer, (const char *[]) { "SetVcpu", "SetVcpus", "SetCount" }[m], "(st)", rows[i].answer);
                g_auto(Run) run = run_berthctl(peer, (const char *const *) words + 1);
                assert_run(run, 0, expected, "");
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/guests/" #name, test_##name)
        ADD(no_guests_says_how_one_appears);
        ADD(one_guest_is_one_row_and_one_call);
        ADD(twelve_guests_are_sorted_by_name);
        ADD(odd_names_are_shown_and_do_no_harm);
        ADD(warnings_stand_below_and_name_their_guest);
        ADD(missing_keys_are_left_out);
        ADD(overview_has_a_few_guests);
        ADD(overview_of_all_that_is_large_fits_24_lines);
        ADD(overview_shows_where_guests_run);
        ADD(map_shows_where_vcpus_are);
        ADD(map_counts_what_does_not_fit);
        ADD(map_json_has_the_guests);
        ADD(vcpus_shows_the_guest_and_each_vcpu);
        ADD(vcpus_shows_pins_and_what_is_pending);
        ADD(vcpus_json_has_the_bus_keys);
        ADD(vcpus_units_and_reasons);
        ADD(vcpus_of_guests_of_which_little_is_known);
        ADD(guest_that_is_not_there);
        ADD(command_lines_that_are_refused);
        ADD(services_that_fail);
        ADD(malformed_guests);
        ADD(malformed_vcpus);
        ADD(times_are_readable);
        ADD(examples_are_what_is_shown);
        ADD(examples_of_changes_are_what_is_shown);
        return g_test_run();
}
