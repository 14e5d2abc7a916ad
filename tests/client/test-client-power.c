/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sleep: what each verb shows of a scripted host, and what it asks for. */

#include <json-c/json.h>

#include "peer.h"

#define HOST "/org/berth1/host"
#define POWER "org.berth1.Host.Power"

enum { WORDS_MAX = 8 };

static void test_power_tells_each_reason_once(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) run = RUN(peer, "power");
        assert_run(run, 0,
                   "TARGET             HOST     YOU\n"
                   "suspend                     yes\n"
                   "suspend_mem        yes      with a password\n"
                   "suspend_idle       blocked  no\n"
                   "suspend_disk       no       no\n"
                   "suspend_hybrid     no       no\n"
                   "suspend_then_disk  no       no\n"
                   "\n"
                   "suspend_idle\n"
                   "Blocks   apt: apt (process 977, user 0) holds up sleep: packages are being\n"
                   "         installed\n"
                   "         wait until it is done\n"
                   "\n"
                   "suspend_disk, suspend_hybrid, suspend_then_disk\n"
                   "Blocks   /proc/swaps: there is no swap to write the image to: it needs 3.1 GiB\n"
                   "         make a swap partition or a swap file on a disk (mkswap, swapon), name\n"
                   "         it in /etc/fstab, and its device as resume= on the command line of the\n"
                   "         kernel\n"
                   "\n"
                   "All targets\n"
                   "Warning  the clock of this host has no alarm: it cannot be woken at a time\n"
                   "         wake it over the network\n"
                   "\n"
                   "Wake alarm  none\n"
                   "Woken by    network card (52:54:00:12:34:56)\n",
                   "");
        /* The properties, six targets, and what wakes it; nobody is asked for a password. */
        g_assert_cmpint(peer_calls_left(peer), ==, 8);
        while (peer_calls_left(peer) > 0) {
                g_autoptr(PeerCall) call = peer_wait_call(peer);
                g_assert_false(call->interactive);
        }
}

static void test_power_of_one_target(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) run = RUN(peer, "power", "suspend_idle");
        assert_run(run, 0,
                   "TARGET        HOST     YOU\n"
                   "suspend_idle  blocked  no\n"
                   "\n"
                   "Blocks   apt: apt (process 977, user 0) holds up sleep: packages are being\n"
                   "         installed\n"
                   "         wait until it is done\n"
                   "Warning  the clock of this host has no alarm: it cannot be woken at a time\n"
                   "         wake it over the network\n",
                   "");
        peer_answer(peer, "Check suspend_mem", "(saa{sv})", "('yes', @aa{sv} [])");
        g_auto(Run) plain = RUN(peer, "power", "suspend_mem");
        assert_run(plain, 0, "TARGET       HOST  YOU\nsuspend_mem  yes   yes\n", "");
        g_auto(Run) json = RUN(peer, "power", "suspend_mem", "--json=short");
        assert_run(json, 0, "{\"target\":\"suspend_mem\",\"host\":\"yes\",\"verdict\":\"yes\",\"findings\":[]}\n", "");
        /* Which there are is the service's to know. */
        g_auto(Run) unknown = RUN(peer, "power", "nap");
        assert_run(unknown, 1, "", "berthctl: \"nap\" is no target; there are suspend and others\n");
        g_auto(Run) two = RUN(peer, "power", "suspend", "suspend_mem");
        g_assert_cmpint(two.status, ==, 2);
}

static void test_power_tells_of_the_alarm_and_of_a_sleep_that_begins(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        peer_answer(peer, POWER ".GetAll", "(a{sv})",
                    "({'CanSuspendMem': <'yes'>, 'WakeAlarm': <uint64 1000000000000000>, 'PreparingForSleep': <true>},)");
        g_auto(Run) run = RUN(peer, "power");
        g_assert_cmpint(run.status, ==, 0);
        g_assert_nonnull(strstr(run.out, "\n\nThis host is about to sleep.\n\n"));
        g_assert_nonnull(strstr(run.out, "\nWake alarm  Sun 2001-09-09 at 01:46:40 UTC, "));
        g_assert_nonnull(strstr(run.out, "suspend_disk             no\n"));
}

static void test_power_sums_up_what_wakes_it(void) {
        static const struct {
                const char *sources, *line;
        } rows[] = {
                { "@aa{sv} []", "nothing" },
                { "[{'device': <'a'>, 'kind': <'rtc'>, 'enabled': <false>}, {'device': <'b'>, 'kind': <'lid'>, 'enabled': <false>}]",
                  "nothing; 2 could be armed: 'berthctl wake-sources' shows them" },
                { "[{'device': <'a'>, 'kind': <'lid'>, 'enabled': <true>}, {'device': <'b'>, 'kind': <'usb'>, 'enabled': <true>},"
                  " {'device': <'c'>, 'kind': <'usb'>, 'enabled': <true>}, {'device': <'d'>, 'kind': <'new'>, 'enabled': <true>},"
                  " {'device': <'e'>, 'kind': <'other'>, 'enabled': <true>}]",
                  "2 USB devices, lid, 2 other devices" },
                { "[{'device': <'a'>, 'kind': <'network'>, 'enabled': <true>}, {'device': <'b'>, 'kind': <'rtc'>, 'enabled': <true>}]",
                  "clock, network card" },
                { "[{'device': <'a'>, 'kind': <'network'>, 'enabled': <true>}]", "network card" },
                { "[{'device': <'a'>, 'kind': <'network'>, 'enabled': <true>, 'mac': <'1'>},"
                  " {'device': <'a'>, 'kind': <'network'>, 'enabled': <true>, 'mac': <'2'>},"
                  " {'device': <'a'>, 'kind': <'network'>, 'enabled': <true>, 'mac': <'3'>},"
                  " {'device': <'a'>, 'kind': <'network'>, 'enabled': <true>, 'mac': <'4'>},"
                  " {'device': <'a'>, 'kind': <'network'>, 'enabled': <true>, 'mac': <'5'>}]",
                  "5 network cards (1 2 3 4 ...)" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *answer = g_strdup_printf("(%s,)", rows[i].sources);
                peer_answer(peer, "ListWakeSources", "(aa{sv})", answer);
                g_auto(Run) run = RUN(peer, "power");
                g_assert_cmpint(run.status, ==, 0);
                g_autofree char *line = g_strdup_printf("Woken by    %s\n", rows[i].line);
                g_assert_cmpstr(strstr(run.out, "Woken by"), ==, line);
        }
}

static void test_power_in_json(void) {
        static const char targets[] = "[{\"target\":\"suspend\",\"verdict\":\"yes\",\"findings\":[{\"code\":\"no-alarm\",";
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) run = RUN(peer, "power", "--json=short");
        g_assert_cmpstr(run.err, ==, "");
        json_object *all = json_tokener_parse(run.out), *power, *list, *sources, *alarm;
        g_assert_true(json_object_object_get_ex(all, "Power", &power));
        g_assert_true(json_object_object_get_ex(power, "WakeAlarm", &alarm));
        g_assert_true(json_object_object_get_ex(all, "WakeSources", &sources));
        g_assert_cmpuint(json_object_array_length(sources), ==, 3);
        g_assert_true(json_object_object_get_ex(all, "Targets", &list));
        g_assert_cmpuint(json_object_array_length(list), ==, 6);
        g_assert_true(g_str_has_prefix(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN), targets));
        json_object_put(all);
}

/* What is not as it is documented is named, and never shown. */
static void test_odd_answers(void) {
        static const struct {
                const char *member, *type, *answer;
                const char *words[WORDS_MAX];
                const char *says;
        } rows[] = {
                { "Check suspend", "(s)", "('yes',)", { "power" }, "answered Check with 's' where 'saa{sv}' is documented" },
                { "Check suspend", "(saa{sv})", "('yes', [{'message': <uint32 1>}])", { "power" }, "Check is not as it is documented: message" },
                { POWER ".GetAll", "(a{sv})", "({'CanSuspendMem': <true>},)", { "power" }, "GetAll is not as it is documented: CanSuspendMem" },
                { POWER ".GetAll", "(a{sv})", "({'WakeAlarm': <'soon'>},)", { "alarm" }, "GetAll is not as it is documented: WakeAlarm" },
                { "ListWakeSources", "(aa{sv})", "([{'kind': <'rtc'>, 'enabled': <true>}],)", { "wake-sources" }, ": device" },
                { "ListWakeSources", "(aa{sv})", "([{'device': <'x'>, 'kind': <'rtc'>, 'enabled': <uint32 1>}],)", { "power" }, ": enabled" },
                { "ListWakeSources", "(aa{sv})", "([{'device': <'x'>, 'kind': <'rtc'>}],)", { "wake-sources" }, ": enabled" },
                { "ListInhibitors", "(aa{sv})", "([{'uid': <'root'>}],)", { "inhibitors" }, ": uid" },
                { "ListInhibitors", "(as)", "(['x'],)", { "inhibitors" }, "where 'aa{sv}' is documented" },
                { "SetWakeAlarm", "(s)", "('x',)", { "alarm", "set", "8h" }, "where '' is documented" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Peer) peer = peer_new();

                peer_power(peer);
                peer_answer(peer, rows[i].member, rows[i].type, rows[i].answer);
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                g_assert_cmpstr(run.out, ==, "");
                g_assert_cmpint(run.status, ==, 1);
                g_assert_nonnull(strstr(run.err, rows[i].says));
        }
}

static void test_a_service_without_it_is_older(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer_error(peer, POWER ".GetAll", "org.freedesktop.DBus.Error.UnknownInterface", "There is no such interface");
        g_auto(Run) run = RUN(peer, "power");
        assert_run(run, 1, "",
                   "berthctl: The Berth service does not know GetAll: There is no such interface\n"
                   "It is probably older than this berthctl.\n");
}

static void test_inhibitors(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) run = RUN(peer, "inhibitors");
        assert_run(run, 0,
                   "WHO             MODE   WHAT            USER  PID  WHY\n"
                   "NetworkManager  delay  sleep              0  812  it turns off networks\n"
                   "apt             block  sleep:shutdown  1000  977  packages are being installed\n",
                   "");
        g_auto(Run) json = RUN(peer, "inhibitors", "--json=short");
        g_assert_true(g_str_has_prefix(json.out, "[{\"what\":\"sleep\",\"who\":\"NetworkManager\","));
        /* Who they are and why is their own to say. */
        peer_answer(peer, "ListInhibitors", "(aa{sv})", "([{'who': <'a\\nb\\u001b[2J'>, 'why': <''>}],)");
        g_auto(Run) hostile = RUN(peer, "inhibitors");
        assert_run(hostile, 0, "WHO\na b?[2J\n", "");
        peer_answer(peer, "ListInhibitors", "(aa{sv})", "(@aa{sv} [],)");
        g_auto(Run) none = RUN(peer, "inhibitors");
        assert_run(none, 0, "Nobody holds up sleep or power-off.\n", "");
}

static void test_wake_sources(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) run = RUN(peer, "wake-sources");
        assert_run(run, 0,
                   "KIND     ARMED  MAC                DEVICE\n"
                   "rtc      no                        pnp0/00:04/rtc/rtc0\n"
                   "network  yes    52:54:00:12:34:56  pci0000:00/0000:00:03.0\n"
                   "network  no     52:54:00:12:34:57  pci0000:00/0000:00:04.0\n",
                   "");
        g_auto(Run) json = RUN(peer, "wake-sources", "--json=short");
        g_assert_true(g_str_has_prefix(json.out, "[{\"device\":\"pnp0/00:04/rtc/rtc0\",\"kind\":\"rtc\",\"enabled\":false},"));
        peer_answer(peer, "ListWakeSources", "(aa{sv})", "(@aa{sv} [],)");
        g_auto(Run) none = RUN(peer, "wake-sources");
        assert_run(none, 0, "The kernel tells of nothing that could wake this host.\n", "");
}

/* The alarm */

static void test_alarm_is_shown(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) none = RUN(peer, "alarm");
        assert_run(none, 0, "No alarm is set by this service.\n", "");
        g_auto(Run) json_none = RUN(peer, "alarm", "--json=short");
        assert_run(json_none, 0, "{\"WakeAlarm\":0}\n", "");

        peer_wake_alarm_is(peer, G_GUINT64_CONSTANT(7258145400000000));
        g_auto(Run) run = RUN(peer, "alarm");
        g_assert_true(g_regex_match_simple("^The host is woken Wed 2200-01-01 at 07:30 UTC, in [0-9]+ d [0-9]+ h\\.\n$", run.out, 0, 0));
        g_assert_cmpint(run.status, ==, 0);
        g_auto(Run) json = RUN(peer, "alarm", "--json=short");
        assert_run(json, 0, "{\"WakeAlarm\":7258145400000000}\n", "");
        peer_wake_alarm_is(peer, G_MAXUINT64);
        g_auto(Run) odd = RUN(peer, "alarm");
        assert_run(odd, 0, "The host is woken @18446744073709.\n", "");
}

static void test_alarm_is_set(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *arguments, *out;
        } rows[] = {
                { { "alarm", "set", "2200-01-01 07:30" }, "(uint64 7258145400000000, @as [])", "^The host will be woken Wed 2200-01-01 at 07:30 UTC, in " },
                { { "alarm", "set", "2200-01-01", "07:30" }, "(uint64 7258145400000000, @as [])", "^The host will be woken Wed 2200-01-01 at 07:30 UTC, in " },
                { { "alarm", "set", "@7258145400", "--replace" }, "(uint64 7258145400000000, ['replace'])", "^The host will be woken Wed 2200-01-01 at 07:30 UTC, in " },
                { { "alarm", "set", "@7258145400", "--dry-run" }, "(uint64 7258145400000000, ['dry-run'])", "^The host would be woken Wed 2200-01-01 at 07:30 UTC, in " },
                { { "--replace", "alarm", "--dry-run", "set", "@7258145400" }, "(uint64 7258145400000000, ['replace', 'dry-run'])", "^The host would be woken " },
                { { "alarm", "set", "@7258145400", "--json=short" }, "(uint64 7258145400000000, @as [])", "^{\"WakeAlarm\":7258145400000000}\n$" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);

                g_assert_cmpstr(run.err, ==, "");
                g_assert_cmpint(run.status, ==, 0);
                g_assert_true(g_regex_match_simple(rows[i].out, run.out, 0, 0));
                peer_assert_change(peer, HOST, POWER, "SetWakeAlarm", rows[i].arguments);
        }
}

/* What is sent lies between the times before and after. */
static void test_alarm_is_counted_from_now(void) {
        static const struct {
                const char *word;
                gint64 least, most; /* seconds from now */
        } rows[] = {
                { "8h", 8 * 3600, 8 * 3600 }, { "+8h", 8 * 3600, 8 * 3600 }, { "00:00", 1, 24 * 3600 },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                gint64 before = g_get_real_time() / G_USEC_PER_SEC;
                g_auto(Run) run = RUN(peer, "alarm", "set", rows[i].word);
                gint64 after = g_get_real_time() / G_USEC_PER_SEC;
                g_autoptr(PeerCall) call = peer_last_call(peer);

                g_assert_cmpint(run.status, ==, 0);
                g_assert_true(g_str_has_prefix(call->arguments, "(uint64 "));
                gint64 usec = g_ascii_strtoll(call->arguments + strlen("(uint64 "), NULL, 10);
                g_assert_cmpint(usec % G_USEC_PER_SEC, ==, 0);
                g_assert_cmpint(usec / G_USEC_PER_SEC, >=, before + rows[i].least);
                g_assert_cmpint(usec / G_USEC_PER_SEC, <=, after + rows[i].most);
                if (rows[i].least == rows[i].most)
                        g_assert_true(g_str_has_suffix(run.out, ", in 8 h 0 min.\n"));
        }
}

static void test_alarm_is_cleared(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_auto(Run) none = RUN(peer, "alarm", "clear");
        assert_run(none, 0, "No alarm was set by this service.\n", "");
        peer_assert_change(peer, HOST, POWER, "ClearWakeAlarm", "(@as [],)");
        peer_wake_alarm_is(peer, G_GUINT64_CONSTANT(7258145400000000));
        g_auto(Run) run = RUN(peer, "alarm", "clear");
        g_assert_true(g_regex_match_simple("^The alarm for Wed 2200-01-01 at 07:30 UTC, in [0-9]+ d [0-9]+ h, is cleared\\.\n$", run.out, 0, 0));
        peer_assert_change(peer, HOST, POWER, "ClearWakeAlarm", "(@as [],)");
        g_auto(Run) dry = RUN(peer, "alarm", "clear", "--dry-run");
        g_assert_true(g_str_has_suffix(dry.out, ", would be cleared.\n"));
        peer_assert_change(peer, HOST, POWER, "ClearWakeAlarm", "(['dry-run'],)");
        g_auto(Run) json = RUN(peer, "alarm", "clear", "--json=short");
        assert_run(json, 0, "{\"WakeAlarm\":0}\n", "");
}

static void test_refusals_of_an_alarm(void) {
        static const struct {
                const char *name, *message;
                gboolean replace;
                int status;
                const char *err;
        } rows[] = {
                { "org.berth1.Error.AlreadyExists", "There is an alarm that is not ours.", FALSE, 1,
                  "berthctl: There is an alarm that is not ours.\n--replace takes its place.\n" },
                { "org.berth1.Error.AlreadyExists", "There is an alarm that is not ours.", TRUE, 1,
                  "berthctl: There is an alarm that is not ours.\n" },
                { "org.freedesktop.DBus.Error.InvalidArgs", "An alarm at 5 s is past.", FALSE, 1, "berthctl: An alarm at 5 s is past.\n" },
                { "org.berth1.Error.NotSupported", "No clock here can wake it.", FALSE, 1, "berthctl: No clock here can wake it.\n" },
                { "org.freedesktop.DBus.Error.AccessDenied", "no", FALSE, 4,
                  "berthctl: Not authorized: no\nRoot is; polkit's rules decide for others.\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                peer_answer_error(peer, "SetWakeAlarm", rows[i].name, rows[i].message);
                g_auto(Run) run = RUN(peer, "alarm", "set", "@5", rows[i].replace ? "--replace" : "--json=off");
                assert_run(run, rows[i].status, "", rows[i].err);
        }
}

static void test_alarms_that_are_not_asked_for(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *says;
        } rows[] = {
                { { "alarm", "on" }, "'on' is neither 'set' nor 'clear'." },
                { { "alarm", "" }, "'' is neither 'set' nor 'clear'." },
                { { "alarm", "07:30" }, "'07:30' is neither 'set' nor 'clear'." },
                { { "alarm", "set" }, "'set' needs a time: berthctl alarm set 07:30" },
                { { "alarm", "set", "" }, "'' is no time: it is like 07:30 (the next)" },
                { { "alarm", "set", "soon" }, "'soon' is no time" },
                { { "alarm", "set", "8" }, "'8' is no time" },
                { { "alarm", "set", "07:30", "08:30" }, "'07:30 08:30' is no time" },
                { { "alarm", "set", "1d", "2h", "3m", "4s" }, "'4s' is too much" },
                { { "alarm", "set", "24:00" }, "'24:00': there is no such day or hour here." },
                { { "alarm", "set", "2026-02-30 07:30" }, "there is no such day or hour here." },
                { { "alarm", "set", "@253402300800" }, "'@253402300800' is after the year 9999." },
                { { "alarm", "set", "-8h" }, "-8h" },
                { { "alarm", "clear", "07:30" }, "'07:30' is too much: berthctl alarm clear" },
                { { "alarm", "clear", "--replace" }, "--replace goes with 'alarm set' only." },
                { { "alarm", "--replace" }, "--replace goes with 'alarm set' only." },
                { { "alarm", "--dry-run" }, "--dry-run goes with 'alarm set' and 'alarm clear' only." },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);

                g_assert_cmpint(run.status, ==, 2);
                g_assert_cmpstr(run.out, ==, "");
                g_assert_nonnull(strstr(run.err, rows[i].says));
                g_assert_cmpint(peer_calls_left(peer), ==, 0);
        }
}

/* The overview */

static void test_overview_has_a_line_about_sleep(void) {
        static const struct {
                const char *power, *line;
        } rows[] = {
                { "'CanSuspendMem': <'yes'>, 'CanSuspendIdle': <'yes'>, 'CanSuspendDisk': <'yes'>", "Sleep    memory, idle, disk\n" },
                { "'CanSuspendMem': <'yes'>, 'CanSuspendIdle': <'no'>, 'CanSuspendDisk': <'blocked'>",
                  "Sleep    memory; disk blocked: 'berthctl power' tells why\n" },
                { "'CanSuspendMem': <'blocked'>, 'CanSuspendIdle': <'blocked'>, 'CanSuspendDisk': <'blocked'>",
                  "Sleep    memory, idle, disk blocked: 'berthctl power' tells why\n" },
                { "'CanSuspendMem': <'no'>, 'CanSuspendIdle': <'no'>, 'CanSuspendDisk': <'no'>",
                  "Sleep    none: 'berthctl power' tells why\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *objects = g_strdup_printf(
                        "({'/org/berth1/host': {'org.berth1.Host.Topology': {'Threads': <uint32 8>}, '" POWER "': {%s}}},)", rows[i].power);

                peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", objects);
                g_auto(Run) run = RUN(peer);
                g_assert_cmpint(run.status, ==, 0);
                g_assert_nonnull(strstr(run.out, rows[i].line));
        }
        g_auto(Run) json = RUN(peer, "--json=short");
        g_assert_nonnull(strstr(json.out, "\"Power\":{\"CanSuspendMem\":\"no\",\"CanSuspendIdle\":\"no\",\"CanSuspendDisk\":\"no\"}"));
        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})",
                    "({'/org/berth1/host': {'org.berth1.Host.Topology': {'Threads': <uint32 8>}, '" POWER "': {'CanSuspendMem': <1>}}},)");
        g_auto(Run) odd = RUN(peer);
        g_assert_cmpint(odd.status, ==, 1);
        g_assert_nonnull(strstr(odd.err, "not as it is documented: CanSuspendMem"));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/power/" #name, test_##name)
        ADD(power_tells_each_reason_once);
        ADD(power_of_one_target);
        ADD(power_tells_of_the_alarm_and_of_a_sleep_that_begins);
        ADD(power_sums_up_what_wakes_it);
        ADD(power_in_json);
        ADD(odd_answers);
        ADD(a_service_without_it_is_older);
        ADD(inhibitors);
        ADD(wake_sources);
        ADD(alarm_is_shown);
        ADD(alarm_is_set);
        ADD(alarm_is_counted_from_now);
        ADD(alarm_is_cleared);
        ADD(refusals_of_an_alarm);
        ADD(alarms_that_are_not_asked_for);
        ADD(overview_has_a_line_about_sleep);
        return g_test_run();
}
