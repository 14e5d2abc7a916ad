/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What changes a guest, or shows it in another way than the tables of guests: which call
 * a command line becomes, what is said of its answer, and which command lines become no
 * call at all. */

#include "peer.h"

#define VCPUS "org.berth1.Domain.Vcpus"
#define DOMAIN "org.berth1.Domain"

enum { WORDS_MAX = 10 };

/* vCPUs */

typedef struct PlugRow {
        const char *words[WORDS_MAX];
        const char *answer; /* as the service gives it: changed, job */
        const char *member, *arguments, *out;
} PlugRow;

static void run_plug_rows(Peer *peer, const PlugRow *rows, size_t n) {
        for (size_t i = 0; i < n; i++) {
                peer_answer(peer, rows[i].member, "(st)", rows[i].answer);
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                assert_run(run, 0, rows[i].out, "");
                peer_assert_change(peer, PEER_DB, VCPUS, rows[i].member, rows[i].arguments);
        }
}

static void test_set_vcpu_is_one_call_and_one_line(void) {
        static const PlugRow rows[] = {
                { { "set-vcpu", "db", "2", "on" }, "('2', 0)", "SetVcpu", "(uint32 2, true, @as [])",
                  "db: vCPU 2 is plugged.\n" },
                { { "set-vcpu", "db", "2", "off" }, "('2', 0)", "SetVcpu", "(uint32 2, false, @as [])",
                  "db: vCPU 2 is unplugged.\n" },
                { { "set-vcpu", "db", "2", "on", "--core" }, "('2-3', 0)", "SetVcpu", "(uint32 2, true, ['core'])",
                  "db: vCPUs 2-3 are plugged.\n" },
                { { "set-vcpu", "db", "2", "on" }, "('', 0)", "SetVcpu", "(uint32 2, true, @as [])",
                  "db: vCPU 2 is enabled already.\n" },
                { { "set-vcpu", "db", "2", "off", "--live" }, "('', 0)", "SetVcpu", "(uint32 2, false, ['live'])",
                  "db: vCPU 2 is disabled already.\n" },
                { { "set-vcpu", "db", "2", "on", "--config" }, "('2', 0)", "SetVcpu", "(uint32 2, true, ['config'])",
                  "db: vCPU 2 is enabled at its next starts.\n" },
                { { "set-vcpu", "db", "2", "off", "--config", "--live" }, "('2', 0)", "SetVcpu",
                  "(uint32 2, false, ['live', 'config'])", "db: vCPU 2 is unplugged, now and at its next starts.\n" },
                { { "set-vcpu", "db", "2", "on", "--dry-run" }, "('2', 0)", "SetVcpu", "(uint32 2, true, ['dry-run'])",
                  "db: would plug vCPU 2.\n" },
                { { "set-vcpu", "db", "2", "off", "--dry-run", "--config" }, "('2', 0)", "SetVcpu",
                  "(uint32 2, false, ['config', 'dry-run'])", "db: would disable vCPU 2 at its next starts.\n" },
                { { "set-vcpu", "db", "1", "on", "--guest" }, "('1', 0)", "SetVcpu", "(uint32 1, true, ['guest'])",
                  "db: its agent took vCPU 1 online.\n" },
                { { "set-vcpu", "db", "1", "off", "--guest", "--dry-run" }, "('1', 0)", "SetVcpu",
                  "(uint32 1, false, ['guest', 'dry-run'])", "db: would have its agent take vCPU 1 offline.\n" },
                { { "set-vcpu", "db", "1", "off", "--guest" }, "('', 0)", "SetVcpu", "(uint32 1, false, ['guest'])",
                  "db: vCPU 1 is offline in the guest already.\n" },
                { { "set-vcpu", "db", "3", "off", "--async" }, "('3', 7)", "SetVcpu", "(uint32 3, false, ['async'])",
                  "job 7\n" },
                { { "set-vcpu", "db", "3", "off", "--async" }, "('', 0)", "SetVcpu", "(uint32 3, false, ['async'])",
                  "db: vCPU 3 is disabled already.\n" },
                { { "set-vcpu", "db", "4294967295", "on" }, "('4294967295', 0)", "SetVcpu",
                  "(uint32 4294967295, true, @as [])", "db: vCPU 4294967295 is plugged.\n" },
                { { "set-vcpu", "db", "3", "off", "--json=short" }, "('3', 0)", "SetVcpu", "(uint32 3, false, @as [])",
                  "{\"changed\":\"3\",\"job\":0}\n" },
                { { "set-vcpu", "db", "3", "off", "--json=short", "--async" }, "('3', 18446744073709551615)", "SetVcpu",
                  "(uint32 3, false, ['async'])", "{\"changed\":\"3\",\"job\":18446744073709551615}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        run_plug_rows(peer, rows, G_N_ELEMENTS(rows));
}

static void test_set_vcpus_sends_the_kernels_lists(void) {
        static const PlugRow rows[] = {
                { { "set-vcpus", "db", "0-3,^1", "on" }, "('2-3', 0)", "SetVcpus", "('0,2-3', true, @as [])",
                  "db: vCPUs 2-3 are plugged.\n" },
                { { "set-vcpus", "db", "3,2,2", "off" }, "('2-3', 0)", "SetVcpus", "('2-3', false, @as [])",
                  "db: vCPUs 2-3 are unplugged.\n" },
                { { "set-vcpus", "db", "2", "off" }, "('', 0)", "SetVcpus", "('2', false, @as [])",
                  "db: vCPU 2 is disabled already.\n" },
                { { "set-vcpus", "db", "0-1", "on", "--dry-run" }, "('', 0)", "SetVcpus", "('0-1', true, ['dry-run'])",
                  "db: vCPUs 0-1 are enabled already.\n" },
                { { "set-vcpus", "db", "2-5,^4", "on", "--dry-run" }, "('2-3,5', 0)", "SetVcpus",
                  "('2-3,5', true, ['dry-run'])", "db: would plug vCPUs 2-3,5.\n" },
                { { "set-vcpus", "db", "2-3", "on", "--core", "--live", "--config", "--async", "--dry-run" }, "('2-3', 0)",
                  "SetVcpus", "('2-3', true, ['live', 'config', 'core', 'async', 'dry-run'])",
                  "db: would plug vCPUs 2-3, now and at its next starts.\n" },
                { { "--json=short", "set-vcpus", "db", "2-3", "on" }, "('2-3', 0)", "SetVcpus", "('2-3', true, @as [])",
                  "{\"changed\":\"2-3\",\"job\":0}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        run_plug_rows(peer, rows, G_N_ELEMENTS(rows));
}

static void test_set_count_says_which_way_it_went(void) {
        static const PlugRow rows[] = {
                { { "set-count", "db", "4" }, "('2-3', 0)", "SetCount", "(uint32 4, @as [])",
                  "db: vCPUs 2-3 are plugged; it has 4 now.\n" },
                { { "set-count", "db", "1" }, "('1', 0)", "SetCount", "(uint32 1, @as [])",
                  "db: vCPU 1 is unplugged; it has 1 now.\n" },
                { { "set-count", "db", "2" }, "('', 0)", "SetCount", "(uint32 2, @as [])", "db: it has 2 vCPUs already.\n" },
                { { "set-count", "db", "3", "--dry-run" }, "('2', 0)", "SetCount", "(uint32 3, ['dry-run'])",
                  "db: would plug vCPU 2; it would have 3.\n" },
                { { "set-count", "db", "3", "--config" }, "('2', 0)", "SetCount", "(uint32 3, ['config'])",
                  "db: vCPU 2 is enabled at its next starts; it starts with 3.\n" },
                { { "set-count", "db", "2", "--guest" }, "('1', 0)", "SetCount", "(uint32 2, ['guest'])",
                  "db: its agent took vCPU 1 online; it has 2 online.\n" },
                { { "set-count", "db", "4", "--async" }, "('2-3', 9)", "SetCount", "(uint32 4, ['async'])", "job 9\n" },
                { { "set-count", "db", "2", "--cell", "1" }, "('2-3', 0)", "SetCellVcpus", "(uint32 1, uint32 2, @as [])",
                  "db: vCPUs 2-3 are plugged; its cell 1 has 2 now.\n" },
                { { "set-count", "db", "1", "--cell", "1" }, "('2', 0)", "SetCellVcpus", "(uint32 1, uint32 1, @as [])",
                  "db: vCPU 2 is plugged; its cell 1 has 1 now.\n" },
                { { "set-count", "db", "0", "--cell=0" }, "('0-1', 0)", "SetCellVcpus", "(uint32 0, uint32 0, @as [])",
                  "db: vCPUs 0-1 are unplugged; its cell 0 has 0 now.\n" },
                { { "set-count", "db", "0", "--cell=1", "--live" }, "('', 0)", "SetCellVcpus",
                  "(uint32 1, uint32 0, ['live'])", "db: its cell 1 has 0 vCPUs already.\n" },
                { { "set-count", "db", "1", "--cell=1", "--json=short" }, "('2', 0)", "SetCellVcpus",
                  "(uint32 1, uint32 1, @as [])", "{\"changed\":\"2\",\"job\":0}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        run_plug_rows(peer, rows, G_N_ELEMENTS(rows));
}

/* Without --live and --config it is what is stored that changes. */
static void test_guest_that_is_off_is_changed_for_its_next_starts(void) {
        static const PlugRow rows[] = {
                { { "set-vcpus", "db", "2-3", "on" }, "('2-3', 0)", "SetVcpus", "('2-3', true, @as [])",
                  "db: vCPUs 2-3 are enabled at its next starts.\n" },
                { { "set-vcpu", "db", "2", "off" }, "('', 0)", "SetVcpu", "(uint32 2, false, @as [])",
                  "db: vCPU 2 is disabled already at its next starts.\n" },
                /* An agent is of one that runs: what was answered is believed. */
                { { "set-vcpu", "db", "2", "off", "--guest" }, "('2', 0)", "SetVcpu", "(uint32 2, false, ['guest'])",
                  "db: its agent took vCPU 2 offline.\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_guest_is(peer, "shutoff", 0);
        run_plug_rows(peer, rows, G_N_ELEMENTS(rows));
        g_auto(Run) run = RUN(peer, "pin", "db", "2", "0");
        assert_run(run, 0, "db: vCPU 2 is pinned to CPU 0 at its next starts.\n", "");
        /* One that has powered off and still has its process is there. */
        peer_guest_is(peer, "shutoff", 4711);
        g_auto(Run) live = RUN(peer, "pin", "db", "2", "0");
        assert_run(live, 0, "db: vCPU 2 is pinned to CPU 0.\n", "");
}

/* The guest's own name is shown, not what was typed, and its name does no harm. */
static void test_guest_is_called_by_its_name(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer(peer, DOMAIN ".GetAll", "(a{sv})", "({'Name': <'a\\u001b\\n%s'>, 'State': <'running'>},)");
        peer_answer(peer, "SetVcpu", "(st)", "('2', 0)");
        g_auto(Run) run = RUN(peer, "set-vcpu", "5a1e6c1e-0d3c-4a3f-9d5e-0c1f2e3d4b5a", "2", "on");
        assert_run(run, 0, "a? %s: vCPU 2 is plugged.\n", "");
        g_autoptr(PeerCall) find = peer_wait_call(peer);
        g_assert_cmpstr(find->member, ==, "GetDomain");
        g_assert_cmpstr(find->arguments, ==, "('5a1e6c1e-0d3c-4a3f-9d5e-0c1f2e3d4b5a',)");
}

/* Pins and schedulers */

static void test_pins_are_the_calls_they_say(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *member, *arguments, *out;
        } rows[] = {
                { { "pin", "db", "0", "0-3,^1" }, "Pin", "(uint32 0, '0,2-3', @as [])",
                  "db: vCPU 0 is pinned to CPUs 0,2-3.\n" },
                { { "pin", "db", "0=2" }, "Pin", "(uint32 0, '2', @as [])", "db: vCPU 0 is pinned to CPU 2.\n" },
                { { "pin", "db", "3", "none" }, "Pin", "(uint32 3, '', @as [])", "db: vCPU 3 is not pinned any more.\n" },
                { { "pin", "db", "0-1", "4-7" }, "PinAll", "([(uint32 0, '4-7'), (1, '4-7')], @as [])",
                  "db: vCPUs 0-1 are pinned to CPUs 4-7.\n" },
                { { "pin", "db", "0=0-1", "1=2-3" }, "PinAll", "([(uint32 0, '0-1'), (1, '2-3')], @as [])",
                  "db: vCPU 0 is pinned to CPUs 0-1; vCPU 1 is pinned to CPUs 2-3.\n" },
                { { "pin", "db", "0-3,^1=0", "1=none" }, "PinAll", "([(uint32 0, '0'), (2, '0'), (3, '0'), (1, '')], @as [])",
                  "db: vCPUs 0,2-3 are pinned to CPU 0; vCPU 1 is not pinned any more.\n" },
                { { "pin", "db", "0=0", "1=1", "2=2", "3=none" }, "PinAll",
                  "([(uint32 0, '0'), (1, '1'), (2, '2'), (3, '')], @as [])", "db: 4 vCPUs are pinned as asked.\n" },
                { { "pin", "db", "emulator", "6-7" }, "PinEmulator", "('6-7', @as [])",
                  "db: the emulator is pinned to CPUs 6-7.\n" },
                { { "pin", "db", "iothread:2=none", "--config" }, "PinIothread", "(uint32 2, '', ['config'])",
                  "db: iothread 2 is not pinned any more at its next starts.\n" },
                { { "pin", "db", "1", "1", "--live", "--config" }, "Pin", "(uint32 1, '1', ['live', 'config'])",
                  "db: vCPU 1 is pinned to CPU 1, now and at its next starts.\n" },
                { { "pin", "db", "0=1", "1=none", "--dry-run" }, "PinAll", "([(uint32 0, '1'), (1, '')], ['dry-run'])",
                  "db: would pin vCPU 0 to CPU 1; unpin vCPU 1.\n" },
                { { "pin", "db", "0=0", "1=1", "2=2", "3=none", "--dry-run" }, "PinAll",
                  "([(uint32 0, '0'), (1, '1'), (2, '2'), (3, '')], ['dry-run'])", "db: would pin or unpin 4 vCPUs.\n" },
                { { "pin", "db", "0-1=4-7", "2=none", "--json=short" }, "PinAll",
                  "([(uint32 0, '4-7'), (1, '4-7'), (2, '')], @as [])",
                  "{\"pins\":[{\"vcpus\":\"0-1\",\"cpus\":\"4-7\"},{\"vcpus\":\"2\",\"cpus\":\"\"}]}\n" },
                { { "pin", "db", "emulator", "0", "--json=short" }, "PinEmulator", "('0', @as [])",
                  "{\"pins\":[{\"emulator\":true,\"cpus\":\"0\"}]}\n" },
                { { "pin", "db", "iothread:1", "0", "--json=short" }, "PinIothread", "(uint32 1, '0', @as [])",
                  "{\"pins\":[{\"iothread\":1,\"cpus\":\"0\"}]}\n" },
                { { "scheduler", "db", "1", "fifo", "10" }, "SetScheduler", "(uint32 1, 'fifo', 10, @as [])",
                  "db: vCPU 1 is scheduled by 'fifo' with priority 10.\n" },
                { { "scheduler", "db", "1", "other" }, "SetScheduler", "(uint32 1, 'other', 0, @as [])",
                  "db: vCPU 1 is scheduled by 'other'.\n" },
                { { "scheduler", "db", "1", "batch", "0", "--config" }, "SetScheduler", "(uint32 1, 'batch', 0, ['config'])",
                  "db: vCPU 1 is scheduled by 'batch' at its next starts.\n" },
                { { "scheduler", "db", "1", "rr", "99", "--dry-run", "--live" }, "SetScheduler",
                  "(uint32 1, 'rr', 99, ['live', 'dry-run'])", "db: would schedule vCPU 1 by 'rr' with priority 99.\n" },
                { { "scheduler", "db", "1", "idle", "--json=short" }, "SetScheduler", "(uint32 1, 'idle', 0, @as [])",
                  "{\"vcpu\":1,\"scheduler\":\"idle\",\"priority\":0}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                assert_run(run, 0, rows[i].out, "");
                peer_assert_change(peer, PEER_DB, VCPUS, rows[i].member, rows[i].arguments);
        }
}

/* Shown */

static void test_threads_are_a_table(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer(peer, "ListThreads", "(aa{sv})",
                    "([{'thread': <uint32 4711>, 'role': <'emulator'>, 'effective_cpus': <'0-7'>, 'scheduler': <'other'>,"
                    "   'priority': <0>, 'name': <'qemu-system-x86'>},"
                    "  {'thread': <uint32 4712>, 'role': <'iothread'>, 'id': <uint32 1>, 'effective_cpus': <'0-7'>,"
                    "   'scheduler': <'other'>, 'priority': <0>, 'name': <'IO iothread1'>},"
                    "  {'thread': <uint32 4713>, 'role': <'vcpu'>, 'id': <uint32 0>, 'effective_cpus': <'4-7'>, 'cpus': <'4-7'>,"
                    "   'scheduler': <'fifo'>, 'priority': <10>, 'name': <'CPU 0\\u001b'>}],)");
        g_auto(Run) run = RUN(peer, "threads", "db");
        assert_run(run, 0,
                   "THREAD  ROLE        NAME             PIN  CPUS  SCHEDULER\n"
                   "  4711  emulator    qemu-system-x86       0-7   other\n"
                   "  4712  iothread 1  IO iothread1          0-7   other\n"
                   "  4713  vCPU 0      CPU 0?           4-7  4-7   fifo 10\n",
                   "");
        g_autoptr(PeerCall) call = peer_last_call(peer);
        g_assert_cmpstr(call->member, ==, "ListThreads");
        g_assert_cmpstr(call->interface, ==, VCPUS);
        g_assert_cmpstr(call->arguments, ==, "(@as [],)");
        g_auto(Run) json = RUN(peer, "threads", "db", "--json=short");
        g_assert_true(g_str_has_prefix(json.out, "[{\"thread\":4711,\"role\":\"emulator\","));
}

static void test_memory_is_a_table(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer(peer, "GetMemoryByCell", "(a(ut))", "([(0, 3221225472), (1, 1073741824)],)");
        g_auto(Run) run = RUN(peer, "memory", "db");
        assert_run(run, 0,
                   "CELL  MEMORY  SHARE\n"
                   "   0   3 GiB   75 %\n"
                   "   1   1 GiB   25 %\n",
                   "");
        g_autoptr(PeerCall) call = peer_last_call(peer);
        g_assert_cmpstr(call->interface, ==, DOMAIN);
        g_assert_cmpstr(call->path, ==, PEER_DB);
        g_auto(Run) json = RUN(peer, "memory", "db", "--json=short");
        assert_run(json, 0, "[{\"cell\":0,\"bytes\":3221225472},{\"cell\":1,\"bytes\":1073741824}]\n", "");
        peer_answer(peer, "GetMemoryByCell", "(a(ut))", "(@a(ut) [],)");
        g_auto(Run) none = RUN(peer, "memory", "db");
        assert_run(none, 0, "No memory of it lies on any cell yet.\n", "");
        peer_answer(peer, "GetMemoryByCell", "(a(ut))", "([(0, 0)],)");
        g_auto(Run) zero = RUN(peer, "memory", "db");
        assert_run(zero, 0, "CELL  MEMORY  SHARE\n   0     0 B    0 %\n", "");
}

static void test_xml_is_printed_as_it_is(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *interface, *arguments, *out;
        } rows[] = {
                { { "xml", "db" }, DOMAIN, "(@as [],)", "<domain/>\n" },
                { { "xml", "db", "--live" }, DOMAIN, "(['live'],)", "<domain/>\n" },
                { { "xml", "db", "--config", "--json=short" }, DOMAIN, "(['config'],)", "{\"Xml\":\"<domain/>\"}\n" },
                { { "xml", "db", "--vcpus", "--config" }, VCPUS, "(['config'],)", "<vcpus/>\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer(peer, DOMAIN ".GetXml", "(s)", "('<domain/>',)");
        peer_answer(peer, VCPUS ".GetXml", "(s)", "('<vcpus/>\\n',)");
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                assert_run(run, 0, rows[i].out, "");
                g_autoptr(PeerCall) call = peer_last_call(peer);
                g_assert_cmpstr(call->interface, ==, rows[i].interface);
                g_assert_cmpstr(call->arguments, ==, rows[i].arguments);
        }
}

/* What is wrong */

static void test_garbage_is_refused_before_any_call(void) {
        static const char long_name[] =
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        static const struct {
                const char *words[WORDS_MAX];
                const char *says;
        } rows[] = {
                { { "set-vcpu", "db", "2" }, "'set-vcpu' needs more: berthctl set-vcpu NAME ID on|off" },
                { { "set-vcpu", "db", "x", "on" }, "'x' is no vCPU: a vCPU has a number, from 0 on." },
                { { "set-vcpu", "db", "", "on" }, "'' is no vCPU" },
                { { "set-vcpu", "db", "1-2", "on" }, "'1-2' is no vCPU" },
                { { "set-vcpu", "db", "4294967296", "on" }, "'4294967296' is no vCPU" },
                { { "set-vcpu", "db", "2", "yes" }, "'yes' is neither 'on' nor 'off'." },
                { { "set-vcpu", "db", "2", "" }, "'' is neither 'on' nor 'off'." },
                { { "set-vcpu", "db", "2", "on", "--config", "--guest" }, "--config and --guest exclude each other." },
                { { "set-vcpu", "db", "2", "on", "--core", "--guest" }, "--core and --guest exclude each other." },
                { { "set-vcpu", "a\xff", "2", "on" }, "is no name of a guest: it is not UTF-8." },
                { { "set-vcpus", "db", "", "on" }, "'' is no list of vCPUs: one looks like 2 or 0,2-4 or 0-7,^3" },
                { { "set-vcpus", "db", "2-", "on" }, "'2-' is no list of vCPUs" },
                { { "set-vcpus", "db", "3-2", "on" }, "'3-2' is no list of vCPUs" },
                { { "set-vcpus", "db", "1,", "on" }, "'1,' is no list of vCPUs" },
                { { "set-vcpus", "db", "^1", "on" }, "'^1' is no list of vCPUs" },
                { { "set-vcpus", "db", "0-3,^7", "on" }, "'0-3,^7' is no list of vCPUs" },
                { { "set-vcpus", "db", "1,^1", "on" }, "'1,^1' is no list of vCPUs" },
                { { "set-vcpus", "db", "1 2", "on" }, "'1 2' is no list of vCPUs" },
                { { "set-vcpus", "db", "70000", "on" }, "'70000' has a number above 65535" },
                { { "set-count", "db", "0" }, "'0' is no count of vCPUs: it is a whole number, 1 or more." },
                { { "set-count", "db", "1.5" }, "'1.5' is no count of vCPUs" },
                { { "set-count", "db", "4294967296" }, "'4294967296' is no count" },
                { { "set-count", "db", "2", "--cell=x" }, "--cell=x: a cell of the guest's has a number" },
                { { "set-count", "db", "x", "--cell=1" }, "it is a whole number, 0 or more." },
                { { "set-count", "db", "2", "--cell=1", "--guest" }, "--cell and --guest exclude each other" },
                { { "set-count", "db", "2", "--core" }, "The verb 'set-count' has no option --core." },
                { { "pin", "db", "0" }, "'0' is no pin: one looks like 0=4-7" },
                { { "pin", "db" }, "'pin' needs more: berthctl pin NAME WHAT CPUS | WHAT=CPUS..." },
                { { "pin", "db", "0", "1", "2" }, "'0' is no pin" },
                { { "pin", "db", "0=1", "2" }, "'2' is no pin" },
                { { "pin", "db", "x", "1" }, "'x' is nothing that can be pinned: that is a vCPU or a list of them" },
                { { "pin", "db", "=1" }, "'' is nothing that can be pinned" },
                { { "pin", "db", "iothread", "1" }, "'iothread' is nothing that can be pinned" },
                { { "pin", "db", "iothread:", "1" }, "'iothread:' is no iothread: one looks like iothread:1" },
                { { "pin", "db", "iothread:x", "1" }, "'iothread:x' is no iothread" },
                { { "pin", "db", "0", "all" }, "'all' is no list of CPUs: one looks like 2 or 0,2-4 or 0-7,^3" },
                { { "pin", "db", "0=" }, "'' is no list of CPUs" },
                { { "pin", "db", "0=1=2" }, "'1=2' is no list of CPUs" },
                { { "pin", "db", "0", "65536" }, "'65536' has a number above 65535, which no CPU has." },
                { { "pin", "db", "0=1", "0=2" }, "vCPU 0 comes twice." },
                { { "pin", "db", "0-3=1", "2-9=2" }, "vCPU 2 comes twice." },
                { { "pin", "db", "0=1", "emulator=2" }, "'emulator=2' stands alone: only vCPUs are pinned several at once" },
                { { "pin", "db", "emulator=2", "emulator=3" }, "'emulator=2' stands alone" },
                { { "pin", "db", "iothread:1=2", "0=3" }, "'iothread:1=2' stands alone" },
                { { "scheduler", "db", "0", "nice" }, "'nice' is no policy: it is other, batch, idle, fifo or rr." },
                { { "scheduler", "db", "0", "deadline", "1" }, "'deadline' is no policy" },
                { { "scheduler", "db", "0", "fifo" }, "'fifo' needs a priority, from 1 to 99." },
                { { "scheduler", "db", "0", "fifo", "0" }, "'0' is no priority: it is a whole number from 1 to 99." },
                { { "scheduler", "db", "0", "rr", "100" }, "'100' is no priority" },
                { { "scheduler", "db", "0", "rr", "high" }, "'high' is no priority" },
                { { "scheduler", "db", "0", "other", "5" }, "'other' has no priority: fifo and rr have one." },
                { { "scheduler", "db", "x", "other" }, "'x' is no vCPU" },
                { { "vcpus", "db", "--live", "--config" }, "--live and --config exclude each other." },
                { { "vcpus", "db", "--guest", "--config" }, "--config and --guest exclude each other." },
                { { "xml", "db", "--live", "--config" }, "--live and --config exclude each other." },
                { { "define", "a/b", "-" }, "'a/b' is no name for a guest: it has no '/' in it" },
                { { "define", "a\nb", "-" }, "and nothing that cannot be printed." },
                { { "define", "..", "-" }, "'..' is no name for a guest: it has 1 to 240 bytes" },
                { { "define", "", "-" }, "'' is no name for a guest" },
                { { "define", long_name, "-" }, "xxx…' is no name for a guest" },
                { { "define", "a\xff", "-" }, "it is not UTF-8." },
                { { "register", ".x", "/tmp/x" }, "'.x' is no name for a guest" },
                { { "register", "db", "" }, "'' is no path of a socket." },
                { { "register", "db", long_name }, "is too long: the path of a socket has at most 107 bytes." },
                { { "register", "db", "/tmp/x", "--agent=" }, "'' is no path of a socket." },
                { { "register", "db", "/tmp/x", "--pid=0" }, "--pid=0: it is the number of a process." },
                { { "register", "db", "/tmp/x", "--pid=-4" }, "--pid=-4" },
                { { "unregister" }, "'unregister' needs more: berthctl unregister NAME" },
                { { "undefine", "a", "b" }, "'b' is too much" },
                { { "threads" }, "'threads' needs more" },
                { { "memory", "a", "b" }, "'b' is too much" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                g_assert_cmpstr(run.out, ==, "");
                if (!strstr(run.err, rows[i].says))
                        g_error("'%s' is not in: %s", rows[i].says, run.err);
                g_assert_cmpint(run.status, ==, 2);
        }
        g_assert_cmpint(peer_calls_left(peer), ==, 0);

        g_auto(Run) afar = RUN(NULL, "-Hsomewhere", "register", "db", "/tmp/x");
        g_assert_cmpint(afar.status, ==, 2);
        g_assert_nonnull(strstr(afar.err, "--host: a guest is registered on the machine that it runs on."));
}

/* Each verb with the call that may fail. */
static const struct {
        const char *words[WORDS_MAX];
        const char *member;
} every_verb[] = {
        { { "set-vcpu", "db", "2", "on" }, "SetVcpu" },
        { { "set-vcpus", "db", "2-3", "off" }, "SetVcpus" },
        { { "set-count", "db", "4" }, "SetCount" },
        { { "set-count", "db", "2", "--cell=1" }, "SetCellVcpus" },
        { { "pin", "db", "0", "0" }, "Pin" },
        { { "pin", "db", "0-1", "0" }, "PinAll" },
        { { "pin", "db", "emulator", "0" }, "PinEmulator" },
        { { "pin", "db", "iothread:1", "0" }, "PinIothread" },
        { { "scheduler", "db", "0", "idle" }, "SetScheduler" },
        { { "undefine", "db" }, "UndefineDomain" },
        { { "unregister", "db" }, "UnregisterDomain" },
        { { "threads", "db" }, "ListThreads" },
        { { "memory", "db" }, "GetMemoryByCell" },
        { { "xml", "db" }, "GetXml" },
        { { "vcpus", "db", "--config" }, "ListVcpus" },
};

static void test_errors_of_the_service_are_sentences(void) {
        static const struct {
                const char *name, *message;
                int status;
                const char *says;
        } rows[] = {
                { "org.berth1.Error.NoSuchVcpu", "There is no vCPU 2: db has 0-1.", 3, "berthctl: There is no vCPU 2: db has 0-1.\n" },
                { "org.berth1.Error.NoSuchCpu", "CPU 9 is offline.", 3, "berthctl: CPU 9 is offline.\n" },
                { "org.berth1.Error.NotSupported", "vCPU 0 stays.", 1, "berthctl: vCPU 0 stays.\n" },
                { "org.berth1.Error.NotRunning", "db is off.", 1, "berthctl: db is off.\n" },
                { "org.berth1.Error.Busy", "Another change is under way.", 1, "berthctl: Another change is under way.\n" },
                { "org.berth1.Error.GuestRefused", "db keeps vCPU 2; 3 was plugged again.", 1,
                  "berthctl: db keeps vCPU 2; 3 was plugged again.\n" },
                { "org.berth1.Error.TimedOut", "db did not answer.", 1, "berthctl: db did not answer.\n" },
                { "org.berth1.Error.GuestAgentUnavailable", "There is no agent.", 1, "berthctl: There is no agent.\n" },
                { "org.berth1.Error.BackendFailed", "QEMU says: %s%n", 1, "berthctl: QEMU says: %s%n\n" },
                { "org.berth1.Error.AlreadyExists", "db runs.", 1, "berthctl: db runs.\n" },
                { "org.freedesktop.DBus.Error.InvalidArgs", "1 to 4.", 1, "berthctl: 1 to 4.\n" },
                { "org.freedesktop.DBus.Error.AccessDenied", "org.berth1.domain.pin", 4,
                  "berthctl: Not authorized: org.berth1.domain.pin\nRoot is" },
                { "org.freedesktop.DBus.Error.UnknownObject", "Gone.", 3, "berthctl: Gone.\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t v = 0; v < G_N_ELEMENTS(every_verb); v++) {
                peer_guest_db(peer);
                for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                        peer_answer_error(peer, every_verb[v].member, rows[i].name, rows[i].message);
                        g_auto(Run) run = run_berthctl(peer, every_verb[v].words);
                        g_assert_cmpstr(run.out, ==, "");
                        if (!g_str_has_prefix(run.err, rows[i].says))
                                g_error("%s: not '%s' but: %s", every_verb[v].member, rows[i].says, run.err);
                        g_assert_cmpint(run.status, ==, rows[i].status);
                }
        }
}

static void test_guest_that_is_not_there(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer_error(peer, "GetDomain", "org.berth1.Error.NoSuchDomain", "There is no guest 'db'.");
        for (size_t v = 0; v < G_N_ELEMENTS(every_verb); v++) {
                g_auto(Run) run = run_berthctl(peer, every_verb[v].words);
                assert_run(run, 3, "", "berthctl: There is no guest 'db'.\n");
                g_autoptr(PeerCall) call = peer_wait_call(peer);
                g_assert_cmpstr(call->member, ==, "GetDomain");
                g_assert_cmpint(peer_calls_left(peer), ==, 0);
        }
}

static void test_answers_that_are_not_as_documented(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *member, *type, *text, *says;
        } rows[] = {
                { { "set-vcpu", "db", "2", "on" }, "SetVcpu", "(s)", "('2',)", "SetVcpu with 's' where 'st' is documented" },
                { { "pin", "db", "0", "0" }, "Pin", "(s)", "('',)", "Pin with 's' where '' is documented" },
                { { "memory", "db" }, "GetMemoryByCell", "(a(tt))", "([(0, 0)],)", "where 'a(ut)' is documented" },
                { { "threads", "db" }, "ListThreads", "(aa{sv})", "([{'thread': <uint32 1>}],)", ": role." },
                { { "threads", "db" }, "ListThreads", "(aa{sv})",
                  "([{'thread': <uint32 1>, 'role': <'vcpu'>, 'priority': <'high'>}],)", ": priority." },
                { { "set-vcpu", "db", "2", "on" }, DOMAIN ".GetAll", "(a{sv})", "({'Name': <uint32 1>},)", ": Name." },
                { { "set-count", "db", "2" }, "ListVcpus", "(aa{sv})", "([{'id': <'x'>, 'state': <'enabled'>}],)", ": id." },
                { { "define", "db", "/dev/null" }, "DefineDomain", "(s)", "('" PEER_DB "',)", "is empty" },
                { { "vcpus", "db" }, "ListVcpus", "(aa{sv})",
                  "([{'id': <uint32 0>, 'state': <'enabled'>, 'pending': <true>}],)", ": pending." },
                { { "vcpus", "db" }, "ListVcpus", "(aa{sv})",
                  "([{'id': <uint32 0>, 'state': <'enabled'>, 'guest_online': <'yes'>}],)", ": guest_online." },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Peer) peer = peer_new();
                peer_guest_db(peer);
                peer_answer(peer, rows[i].member, rows[i].type, rows[i].text);
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                g_assert_cmpstr(run.out, ==, "");
                if (!strstr(run.err, rows[i].says))
                        g_error("'%s' is not in: %s", rows[i].says, run.err);
                g_assert_cmpint(run.status, ==, 1);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/changes/" #name, test_##name)
        ADD(set_vcpu_is_one_call_and_one_line);
        ADD(set_vcpus_sends_the_kernels_lists);
        ADD(set_count_says_which_way_it_went);
        ADD(guest_that_is_off_is_changed_for_its_next_starts);
        ADD(guest_is_called_by_its_name);
        ADD(pins_are_the_calls_they_say);
        ADD(threads_are_a_table);
        ADD(memory_is_a_table);
        ADD(xml_is_printed_as_it_is);
        ADD(garbage_is_refused_before_any_call);
        ADD(errors_of_the_service_are_sentences);
        ADD(guest_that_is_not_there);
        ADD(answers_that_are_not_as_documented);
        return g_test_run();
}
