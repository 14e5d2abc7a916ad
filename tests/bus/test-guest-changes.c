/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests are changed: vCPUs, pins, schedulers, what is stored for them. Real QEMUs that
 * are stopped: plugging needs no guest that runs. On the running machine's CPUs. */

#include "harness.h"
#include "qemu.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DOMAIN "org.berth1.Domain"
#define VCPUS "org.berth1.Domain.Vcpus"
#define MANAGER "org.berth1.Manager"
#define ALPHA DOMAINS "alpha"
#define ERROR(name) "org.berth1.Error." name
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"

static const char *const no_flags[] = { NULL };
#define FLAGS(...) ((const char *[]) { __VA_ARGS__, NULL })

/* A service with folders that outlive it. */
typedef struct Place {
        char *folder;
        Service *service;
        Signals *signals;
} Place;

static void place_start(Place *place) {
        g_autofree char *runtime = g_strdup_printf("--runtime-dir=%s/run", place->folder), *state = g_strdup_printf("--state-dir=%s/state", place->folder);

        place->service = service_start(NULL, NULL, (const char *[]) { runtime, state, NULL });
        place->signals = signals_record(place->service->bus);
}

static void place_stop(Place *place) {
        g_clear_pointer(&place->signals, signals_free);
        g_clear_pointer(&place->service, service_stop);
}

static void place_free(Place *place) {
        place_stop(place);
        host_remove(place->folder, "");
        g_free(place->folder);
        g_free(place);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Place, place_free)

static Place *place_new(void) {
        g_autoptr(GError) error = NULL;
        Place *place = g_new0(Place, 1);

        place->folder = g_dir_make_tmp("berth-changes-XXXXXX", &error);
        g_assert_no_error(error);
        place_start(place);
        return place;
}

static char *change(const Place *place, const char *method, GVariant *arguments) {
        g_autoptr(GVariant) reply = call(place->service->bus, ALPHA, VCPUS, method, arguments, "(st)");

        return g_variant_print(reply, FALSE);
}

static void tune(const Place *place, const char *method, GVariant *arguments) {
        g_variant_unref(call(place->service->bus, ALPHA, VCPUS, method, arguments, "()"));
}

static void refused(const Place *place, const char *method, GVariant *arguments, const char *name, const char *const *parts) {
        call_refused(place->service->bus, ALPHA, VCPUS, method, arguments, G_DBUS_CALL_FLAGS_NONE, name, parts);
}

static char *vcpu(const Place *place, guint32 id, const char *const *flags) {
        g_autoptr(GVariant) reply = call(place->service->bus, ALPHA, VCPUS, "GetVcpu", g_variant_new("(u^as)", id, flags), "(a{sv})");

        return g_variant_print(reply, FALSE);
}

static guint32 current(const Place *place) {
        g_autoptr(GVariant) value = get_property(place->service->bus, ALPHA, VCPUS, "Current");

        return g_variant_get_uint32(value);
}

/* A CPU of this machine, and all that are online. */
static guint32 first_cpu(const Place *place, char **ret_all) {
        g_autoptr(GVariant) online = get_property(place->service->bus, HOST_PATH, "org.berth1.Host.Topology", "OnlineCpus");

        if (ret_all)
                *ret_all = g_variant_dup_string(online, NULL);
        return (guint32) g_ascii_strtoull(g_variant_get_string(online, NULL), NULL, 10);
}

static GSubprocess *start_alpha(Place *place) {
        GSubprocess *qemu = qemu_start(place->folder, "alpha");

        signals_wait(place->signals, "InterfacesAdded ('" ALPHA "'");
        wait_for_vcpus(place->service, ALPHA, 2);
        return qemu;
}

static void vcpu_is_plugged_and_told_once(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        g_autofree char *changed = NULL, *again = NULL, *shown = NULL;
        const char *text;

        changed = change(place, "SetVcpu", g_variant_new("(ub^as)", 3, TRUE, no_flags));
        g_assert_cmpstr(changed, ==, "('3', 0)");
        g_assert_cmpuint(current(place), ==, 3);
        text = signals_wait(place->signals, "VcpuChanged (3");
        assert_says(text, PARTS("'state': <'enabled'>", "'thread'", "'effective_cpus'", "'request'"));
        text = signals_wait(place->signals, "('" VCPUS "', {");
        assert_says(text, PARTS("'Current': <uint32 3>", "'Sparse': <true>"));
        g_assert_cmpuint(signals_count(place->signals, "VcpuChanged"), ==, 1);

        again = change(place, "SetVcpu", g_variant_new("(ub^as)", 3, TRUE, no_flags));
        g_assert_cmpstr(again, ==, "('', 0)");
        shown = vcpu(place, 3, no_flags);
        assert_says(shown, PARTS("'state': <'enabled'>", "'order': <uint32 3>", "'cell': <uint32 1>"));
        qemu_kill(qemu);
        signals_wait(place->signals, "InterfacesRemoved");
        g_assert_cmpuint(signals_count(place->signals, "VcpuChanged"), ==, 1);
}

static void count_and_cell_choose_the_lowest(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        g_autofree char *planned = NULL, *cell = NULL, *count = NULL;

        planned = change(place, "SetCellVcpus", g_variant_new("(uu^as)", 1, 2, FLAGS("dry-run")));
        g_assert_cmpstr(planned, ==, "('3', 0)");
        g_assert_cmpuint(current(place), ==, 2);
        cell = change(place, "SetCellVcpus", g_variant_new("(uu^as)", 1, 2, no_flags));
        g_assert_cmpstr(cell, ==, "('3', 0)");
        count = change(place, "SetCount", g_variant_new("(u^as)", 4, no_flags));
        g_assert_cmpstr(count, ==, "('2', 0)");
        g_assert_cmpuint(current(place), ==, 4);
        qemu_kill(qemu);
}

static void job_ends_after_what_it_changed(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        g_autofree char *changed = NULL;
        guint at_change = 0, at_end = 0;

        changed = change(place, "SetVcpus", g_variant_new("(sb^as)", "2-3", TRUE, FLAGS("async")));
        g_assert_cmpstr(changed, ==, "('2-3', 1)");
        signals_wait(place->signals, "JobDone (1, 'done', '', '')");
        g_assert_cmpuint(signals_count(place->signals, "VcpuChanged"), ==, 2);
        for (guint i = 0; i < place->signals->seen->len; i++) {
                const char *text = place->signals->seen->pdata[i];

                if (strstr(text, "VcpuChanged"))
                        at_change = i;
                if (strstr(text, "JobDone"))
                        at_end = i;
        }
        g_assert_cmpuint(at_change, <, at_end);
        qemu_kill(qemu);
}

static void nonsense_is_refused_and_changes_nothing(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        const struct { const char *method; GVariant *arguments; const char *error; const char *const *parts; } rows[] = {
                { "SetVcpu", g_variant_new("(ub^as)", 4, TRUE, no_flags), ERROR("NoSuchVcpu"), PARTS("4", "0-3") },
                { "SetVcpu", g_variant_new("(ub^as)", G_MAXUINT32, TRUE, no_flags), ERROR("NoSuchVcpu"), PARTS("4294967295") },
                { "SetVcpu", g_variant_new("(ub^as)", 0, FALSE, no_flags), ERROR("NotSupported"), PARTS("vCPU 0", "can't be unplugged") },
                { "SetVcpus", g_variant_new("(sb^as)", "", TRUE, no_flags), INVALID_ARGS, PARTS("empty") },
                { "SetVcpus", g_variant_new("(sb^as)", "1-", TRUE, no_flags), INVALID_ARGS, PARTS("\"1-\"") },
                { "SetVcpus", g_variant_new("(sb^as)", "2,70000", TRUE, no_flags), INVALID_ARGS, PARTS("70000") },
                { "SetVcpus", g_variant_new("(sb^as)", "2,9", TRUE, no_flags), ERROR("NoSuchVcpu"), PARTS("9") },
                { "SetVcpus", g_variant_new("(sb^as)", "2", TRUE, FLAGS("now")), INVALID_ARGS, PARTS("now") },
                { "SetVcpus", g_variant_new("(sb^as)", "2", TRUE, FLAGS("guest", "config")), INVALID_ARGS, PARTS("guest", "config") },
                { "SetVcpus", g_variant_new("(sb^as)", "2", TRUE, FLAGS("guest")), ERROR("GuestAgentUnavailable"), PARTS("alpha") },
                { "SetCount", g_variant_new("(u^as)", 0, no_flags), INVALID_ARGS, PARTS("1 to 4") },
                { "SetCount", g_variant_new("(u^as)", 5, no_flags), INVALID_ARGS, PARTS("1 to 4") },
                { "SetCellVcpus", g_variant_new("(uu^as)", 2, 1, no_flags), ERROR("NoSuchCell"), PARTS("0-1") },
                { "SetCellVcpus", g_variant_new("(uu^as)", 0, 3, no_flags), INVALID_ARGS, PARTS("0 to 2") },
                { "SetCellVcpus", g_variant_new("(uu^as)", 0, 1, FLAGS("guest")), INVALID_ARGS, PARTS("guest") },
                { "GetVcpu", g_variant_new("(u^as)", 4, no_flags), ERROR("NoSuchVcpu"), PARTS("0-3") },
                { "GetVcpu", g_variant_new("(u^as)", 1, FLAGS("config")), ERROR("NotSupported"), PARTS("stored") },
                { "ListVcpus", g_variant_new("(^as)", FLAGS("live", "config")), INVALID_ARGS, PARTS("live") },
                { "ListVcpus", g_variant_new("(^as)", FLAGS("guest")), ERROR("GuestAgentUnavailable"), PARTS("alpha") },
                { "Pin", g_variant_new("(us^as)", 9, "0", no_flags), ERROR("NoSuchVcpu"), PARTS("9") },
                { "Pin", g_variant_new("(us^as)", 0, "60000", no_flags), ERROR("NoSuchCpu"), PARTS("60000") },
                { "Pin", g_variant_new("(us^as)", 0, "zero", no_flags), INVALID_ARGS, PARTS("zero") },
                { "Pin", g_variant_new("(us^as)", 0, " ", no_flags), INVALID_ARGS, PARTS("no CPU") },
                { "PinAll", g_variant_new_parsed("(@a(us) [], @as [])"), INVALID_ARGS, NULL },
                { "PinAll", g_variant_new_parsed("([(uint32 1, '0'), (1, '0')], @as [])"), INVALID_ARGS, PARTS("1") },
                { "PinAll", g_variant_new_parsed("([(uint32 1, '0'), (7, '0')], @as [])"), ERROR("NoSuchVcpu"), PARTS("7") },
                { "PinIothread", g_variant_new("(us^as)", 1, "0", no_flags), INVALID_ARGS, PARTS("1") },
                { "SetScheduler", g_variant_new("(usi^as)", 0, "fifo", 100, no_flags), INVALID_ARGS, PARTS("100", "99") },
                { "SetScheduler", g_variant_new("(usi^as)", 0, "other", 1, no_flags), INVALID_ARGS, PARTS("other") },
                { "SetScheduler", g_variant_new("(usi^as)", 0, "deadline", 0, no_flags), INVALID_ARGS, PARTS("deadline", "fifo") },
                { "GetXml", g_variant_new("(^as)", FLAGS("config")), ERROR("NotSupported"), PARTS("stored") },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                refused(place, rows[i].method, rows[i].arguments, rows[i].error, rows[i].parts);
        g_assert_cmpuint(current(place), ==, 2);
        g_assert_cmpuint(signals_count(place->signals, "VcpuChanged"), ==, 0);
        qemu_kill(qemu);
}

static void pin_and_scheduler_hold_for_a_vcpu_that_comes_and_over_a_restart(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        guint32 cpu = first_cpu(place, NULL);
        g_autofree char *list = g_strdup_printf("%u", cpu), *asked = g_strdup_printf("'cpus': <'%u'>", cpu), *effective = g_strdup_printf("'effective_cpus': <'%u'>", cpu);
        g_autofree char *off = NULL, *on = NULL, *after = NULL, *unpinned = NULL;

        tune(place, "Pin", g_variant_new("(us^as)", 3, list, no_flags));
        tune(place, "SetScheduler", g_variant_new("(usi^as)", 3, "batch", 0, no_flags));
        off = vcpu(place, 3, no_flags);
        assert_says(off, PARTS(asked, "'scheduler': <'batch'>"));
        g_assert_null(strstr(off, "effective_cpus"));

        g_free(change(place, "SetVcpu", g_variant_new("(ub^as)", 3, TRUE, no_flags)));
        on = vcpu(place, 3, no_flags);
        assert_says(on, PARTS(asked, effective, "'scheduler': <'batch'>"));

        place_stop(place);
        place_start(place);
        while (!signals_count(place->signals, "InterfacesAdded ('" ALPHA "'")) {
                g_autoptr(GVariant) reply = g_dbus_connection_call_sync(place->service->bus, BUS_NAME, ROOT_PATH, MANAGER, "GetDomain", g_variant_new("(s)", "alpha"), NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, NULL);

                if (reply)
                        break;
                g_main_context_iteration(NULL, TRUE);
        }
        wait_for_vcpus(place->service, ALPHA, 3);
        after = vcpu(place, 3, no_flags);
        assert_says(after, PARTS(asked, effective, "'scheduler': <'batch'>"));

        tune(place, "Pin", g_variant_new("(us^as)", 3, "", no_flags));
        unpinned = vcpu(place, 3, no_flags);
        g_assert_null(strstr(unpinned, asked));
        qemu_kill(qemu);
}

static void pins_of_all_threads_are_told(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        guint32 cpu = first_cpu(place, NULL);
        g_autofree char *list = g_strdup_printf("%u", cpu), *asked = g_strdup_printf("'cpus': <'%u'>", cpu);
        g_autofree char *emulator = g_strdup_printf("'role': <'emulator'>, 'name'"), *text = NULL;
        g_autoptr(GVariant) threads = NULL;

        g_variant_unref(call(place->service->bus, ALPHA, VCPUS, "PinAll", g_variant_new_parsed("([(uint32 0, %s), (1, %s)], @as [])", list, list), "()"));
        assert_says(signals_wait(place->signals, "VcpuChanged (0"), PARTS(asked, "'request'"));
        assert_says(signals_wait(place->signals, "VcpuChanged (1"), PARTS(asked, "'request'"));
        tune(place, "PinEmulator", g_variant_new("(s^as)", list, no_flags));
        threads = call(place->service->bus, ALPHA, VCPUS, "ListThreads", g_variant_new("(^as)", no_flags), "(aa{sv})");
        text = g_variant_print(threads, FALSE);
        assert_says(text, PARTS(emulator, "'role': <'vcpu'>", asked));
        qemu_kill(qemu);
}

#define DEFINITION(uuid, more) "<domain><name>alpha</name>" uuid "<vcpu current='3'>4</vcpu>" more "</domain>"
#define WITH_UUID "<uuid>" QEMU_UUID "</uuid>"

static void define(const Place *place, const char *xml) {
        g_autoptr(GVariant) reply = call(place->service->bus, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", "alpha", xml, no_flags), "(o)");
        const char *path;

        g_variant_get(reply, "(&o)", &path);
        g_assert_cmpstr(path, ==, ALPHA);
}

static void what_was_chosen_before_the_start_is_there_after_it(void) {
        g_autoptr(Place) place = place_new();
        g_autofree char *changed = NULL, *stored = NULL, *running = NULL, *asked = NULL, *list = NULL;
        guint32 cpu = first_cpu(place, NULL);
        GSubprocess *qemu;

        list = g_strdup_printf("%u", cpu);
        asked = g_strdup_printf("'cpus': <'%u'>", cpu);
        define(place, DEFINITION(WITH_UUID, ""));
        assert_says(signals_wait(place->signals, "InterfacesAdded ('" ALPHA "'"), PARTS("'State': <'shutoff'>", "'Current': <uint32 3>", "'Maximum': <uint32 4>"));
        changed = change(place, "SetCount", g_variant_new("(u^as)", 4, no_flags));
        g_assert_cmpstr(changed, ==, "('3', 0)");
        tune(place, "Pin", g_variant_new("(us^as)", 3, list, no_flags));
        assert_says(signals_wait(place->signals, asked), PARTS("VcpuChanged (3", "'request'"));
        refused(place, "SetCount", g_variant_new("(u^as)", 2, FLAGS("live")), ERROR("NotRunning"), PARTS("alpha"));
        refused(place, "Pin", g_variant_new("(us^as)", 3, list, FLAGS("live", "config")), ERROR("NotRunning"), PARTS("alpha"));

        /* It is there again after a restart, and its run is the same object. */
        place_stop(place);
        place_start(place);
        stored = vcpu(place, 3, FLAGS("config"));
        assert_says(stored, PARTS("'state': <'enabled'>", asked));
        qemu = qemu_start(place->folder, "alpha");
        signals_wait(place->signals, "'State': <'paused'>");
        wait_for_vcpus(place->service, ALPHA, 4);
        running = vcpu(place, 3, FLAGS("live"));
        assert_says(running, PARTS("'state': <'enabled'>", asked, "'thread'"));
        g_assert_cmpuint(signals_count(place->signals, "InterfacesAdded"), ==, 0);

        qemu_kill(qemu);
        signals_wait(place->signals, "'State': <'shutoff'>");
        g_assert_cmpuint(signals_count(place->signals, "InterfacesRemoved"), ==, 0);
        g_variant_unref(call(place->service->bus, ROOT_PATH, MANAGER, "UndefineDomain", g_variant_new("(o^as)", ALPHA, no_flags), "()"));
        signals_wait(place->signals, "InterfacesRemoved ('" ALPHA "'");
}

static void stranger_of_the_same_name_inherits_nothing(void) {
        g_autoptr(Place) place = place_new();
        g_autofree char *shown = NULL, *list = g_strdup_printf("%u", first_cpu(place, NULL));
        GSubprocess *qemu;

        define(place, DEFINITION("<uuid>99999999-1234-1234-1234-1234567890ab</uuid>", ""));
        tune(place, "Pin", g_variant_new("(us^as)", 1, list, no_flags));
        qemu = qemu_start(place->folder, "alpha");
        /* What is stored parts from it, and is an object of its own. */
        signals_wait(place->signals, "InterfacesAdded ('" ALPHA "_2d99999999");
        wait_for_vcpus(place->service, ALPHA, 2);
        shown = vcpu(place, 1, FLAGS("live"));
        g_assert_null(strstr(shown, "'cpus'"));
        qemu_kill(qemu);
}

static void both_or_none_when_the_guest_is_stored_too(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        g_autofree char *changed = NULL, *stored = NULL, *xml = NULL;
        g_autoptr(GVariant) document = NULL;

        changed = change(place, "SetVcpus", g_variant_new("(sb^as)", "2", TRUE, FLAGS("live", "config")));
        g_assert_cmpstr(changed, ==, "('2', 0)");
        stored = vcpu(place, 2, FLAGS("config"));
        assert_says(stored, PARTS("'state': <'enabled'>"));
        document = call(place->service->bus, ALPHA, DOMAIN, "GetXml", g_variant_new("(^as)", FLAGS("config")), "(s)");
        xml = g_variant_print(document, FALSE);
        assert_says(xml, PARTS("<name>alpha</name>", QEMU_UUID, "current=\"3\""));
        qemu_kill(qemu);
}

/* A pin alone chooses no vCPUs: what is stored of these is told alike everywhere. */
static void what_is_stored_is_told_alike(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        g_autofree char *list = g_strdup_printf("%u", first_cpu(place, NULL)), *off = NULL, *on = NULL, *xml = NULL;
        g_autoptr(GVariant) document = NULL;

        tune(place, "Pin", g_variant_new("(us^as)", 1, list, FLAGS("config")));
        on = vcpu(place, 1, FLAGS("config"));
        assert_says(on, PARTS("'state': <'enabled'>", "'cpus'", "'cell': <uint32 1>"));
        off = vcpu(place, 3, FLAGS("config"));
        assert_says(off, PARTS("'state': <'disabled'>"));
        document = call(place->service->bus, ALPHA, DOMAIN, "GetXml", g_variant_new("(^as)", FLAGS("config")), "(s)");
        xml = g_variant_print(document, FALSE);
        assert_says(xml, PARTS("current=\"2\"", "id=\"3\" state=\"disabled\"", "<vcpupin vcpu=\"1\""));
        qemu_kill(qemu);
}

static void definitions_that_make_no_sense_are_refused(void) {
        g_autoptr(Place) place = place_new();
        g_autofree char *long_name = g_strnfill(300, 'n');
        const struct { const char *name; const char *xml; const char *error; const char *const *parts; } rows[] = {
                { "", DEFINITION("", ""), INVALID_ARGS, PARTS("name") },
                { "a/b", "<domain/>", INVALID_ARGS, PARTS("a/b") },
                { "..", "<domain/>", INVALID_ARGS, PARTS("..") },
                { long_name, "<domain/>", INVALID_ARGS, PARTS("240") },
                { "beta", DEFINITION("", ""), INVALID_ARGS, PARTS("alpha", "beta") },
                { "alpha", "", INVALID_ARGS, NULL },
                { "alpha", "<domain>", INVALID_ARGS, NULL },
                { "alpha", "<volume/>", INVALID_ARGS, PARTS("volume") },
                { "alpha", "<domain><vcpu current='9'>4</vcpu></domain>", INVALID_ARGS, PARTS("9", "4") },
                { "alpha", "<domain><vcpu>zero</vcpu></domain>", INVALID_ARGS, PARTS("zero") },
                { "alpha", "<domain><uuid>12</uuid><vcpu>4</vcpu></domain>", INVALID_ARGS, PARTS("12") },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                call_refused(place->service->bus, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", rows[i].name, rows[i].xml, no_flags),
                             G_DBUS_CALL_FLAGS_NONE, rows[i].error, rows[i].parts);
        call_refused(place->service->bus, ROOT_PATH, MANAGER, "UndefineDomain", g_variant_new("(o^as)", ALPHA, no_flags), G_DBUS_CALL_FLAGS_NONE, ERROR("NoSuchDomain"), PARTS("alpha"));
        define(place, DEFINITION(WITH_UUID, ""));
        call_refused(place->service->bus, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", "alpha", DEFINITION("<uuid>99999999-1234-1234-1234-1234567890ab</uuid>", ""), no_flags),
                     G_DBUS_CALL_FLAGS_NONE, ERROR("AlreadyExists"), PARTS("alpha"));
        /* Once more with the same UUID is another version of it. */
        define(place, "<domain>" WITH_UUID "<vcpu>8</vcpu></domain>");
        signals_wait(place->signals, "'Maximum': <uint32 8>");
}

static void a_damaged_definition_is_warned_of_until_there_is_another(void) {
        g_autoptr(Place) place = place_new();
        g_autoptr(GVariant) before = NULL, damaged = NULL, after = NULL;
        g_autofree char *text = NULL;

        before = get_property(place->service->bus, ROOT_PATH, MANAGER, "Warnings");
        place_stop(place);
        host_write(place->folder, "state/domains/alpha.xml", "<domain>");
        place_start(place);
        damaged = get_property(place->service->bus, ROOT_PATH, MANAGER, "Warnings");
        text = g_variant_print(damaged, FALSE);
        assert_says(text, PARTS("'config-damaged'", "'subject': <'alpha'>", "alpha.xml.damaged-1"));

        define(place, DEFINITION(WITH_UUID, ""));
        signals_wait(place->signals, "'Warnings': <");
        after = get_property(place->service->bus, ROOT_PATH, MANAGER, "Warnings");
        g_assert_true(g_variant_equal(after, before));
        call_refused(place->service->bus, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", "beta", "<domain>" WITH_UUID "</domain>", no_flags),
                     G_DBUS_CALL_FLAGS_NONE, ERROR("AlreadyExists"), PARTS("alpha"));
}

static void memory_lies_on_some_cell(void) {
        g_autoptr(Place) place = place_new();
        GSubprocess *qemu = start_alpha(place);
        g_autoptr(GVariant) reply = call(place->service->bus, ALPHA, DOMAIN, "GetMemoryByCell", NULL, "(a(ut))");
        g_autoptr(GVariantIter) iter = NULL;
        guint64 bytes, total = 0;
        guint32 cell;

        g_variant_get(reply, "(a(ut))", &iter);
        while (g_variant_iter_loop(iter, "(ut)", &cell, &bytes))
                total += bytes;
        g_assert_cmpuint(total, >, 1024 * 1024);
        qemu_kill(qemu);
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/guest-changes/vcpu-is-plugged-and-told-once", vcpu_is_plugged_and_told_once },
                { "/guest-changes/count-and-cell-choose-the-lowest", count_and_cell_choose_the_lowest },
                { "/guest-changes/job-ends-after-what-it-changed", job_ends_after_what_it_changed },
                { "/guest-changes/nonsense-is-refused-and-changes-nothing", nonsense_is_refused_and_changes_nothing },
                { "/guest-changes/pin-and-scheduler-hold-for-a-vcpu-that-comes-and-over-a-restart", pin_and_scheduler_hold_for_a_vcpu_that_comes_and_over_a_restart },
                { "/guest-changes/pins-of-all-threads-are-told", pins_of_all_threads_are_told },
                { "/guest-changes/what-was-chosen-before-the-start-is-there-after-it", what_was_chosen_before_the_start_is_there_after_it },
                { "/guest-changes/stranger-of-the-same-name-inherits-nothing", stranger_of_the_same_name_inherits_nothing },
                { "/guest-changes/both-or-none-when-the-guest-is-stored-too", both_or_none_when_the_guest_is_stored_too },
                { "/guest-changes/what-is-stored-is-told-alike", what_is_stored_is_told_alike },
                { "/guest-changes/definitions-that-make-no-sense-are-refused", definitions_that_make_no_sense_are_refused },
                { "/guest-changes/a-damaged-definition-is-warned-of-until-there-is-another", a_damaged_definition_is_warned_of_until_there_is_another },
                { "/guest-changes/memory-lies-on-some-cell", memory_lies_on_some_cell },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
