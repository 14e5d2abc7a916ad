/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What can be plugged is not one vCPU everywhere. Cores of eight threads exist with KVM on
 * Power only, since QEMU emulates none: a monitor is played for them, in the shape of the real
 * one's answers. All else is real QEMUs, stopped before their first instruction. */

#include "place.h"
#include "qemu.h"
#include "qmp-script.h"

#include <string.h>
#include <unistd.h>

#define VCPUS "org.berth1.Domain.Vcpus"
#define ALPHA DOMAINS "alpha"
#define ERROR(name) "org.berth1.Error." name
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"

static const char *const no_flags[] = { NULL };
#define FLAGS(...) ((const char *[]) { __VA_ARGS__, NULL })

static char *change(Place *place, const char *method, GVariant *arguments) {
        return call_answer(call_begin(place, ALPHA, VCPUS, method, arguments));
}

static void refused(Place *place, const char *method, GVariant *arguments, const char *name, const char *const *parts) {
        call_fails(call_begin(place, ALPHA, VCPUS, method, arguments), name, parts);
}

static char *vcpu(Place *place, guint32 id) {
        return change(place, "GetVcpu", g_variant_new("(u^as)", id, no_flags));
}

static char *list(Place *place) {
        return change(place, "ListVcpus", g_variant_new("(^as)", no_flags));
}

/* A machine of two cores with eight threads each. */
typedef struct Cores {
        const char *path;               /* of the second; NULL: off */
        char *id;
} Cores;

static char *list_cores(QmpScript *script, const char *line, gpointer userdata) {
        const Cores *cores = userdata;

        return g_strdup_printf("[{\"props\": {\"core-id\": 8}, \"vcpus-count\": 8%s%s%s, \"type\": \"host-spapr-cpu-core\"}, "
                               "{\"props\": {\"core-id\": 0}, \"vcpus-count\": 8, \"qom-path\": \"/machine/unattached/device[1]\", \"type\": \"host-spapr-cpu-core\"}]",
                               cores->path ? ", \"qom-path\": \"" : "", cores->path ?: "", cores->path ? "\"" : "");
}

/* All in one thread: nothing is pinned here. */
static char *list_threads(QmpScript *script, const char *line, gpointer userdata) {
        const Cores *cores = userdata;
        GString *text = g_string_new("[");

        for (unsigned i = 0; i < (cores->path ? 16u : 8u); i++)
                g_string_append_printf(text, "%s{\"thread-id\": %d, \"props\": {\"core-id\": %u}, \"qom-path\": \"%s/thread[%u]\", \"cpu-index\": %u, \"target\": \"ppc64\"}",
                                       i > 0 ? ", " : "", getpid(), i / 8 * 8, i < 8 ? "/machine/unattached/device[1]" : cores->path, i % 8, i);
        return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static char *add_core(QmpScript *script, const char *line, gpointer userdata) {
        Cores *cores = userdata;

        assert_says(line, PARTS("host-spapr-cpu-core", "\"core-id\":8", "berth-vcpu-8"));
        cores->path = "/machine/peripheral/berth-vcpu-8";
        return g_strdup("{}");
}

static char *remove_core(QmpScript *script, const char *line, gpointer userdata) {
        Cores *cores = userdata;

        assert_says(line, PARTS("berth-vcpu-8"));
        cores->path = NULL;
        qmp_script_event_data(script, "DEVICE_DELETED", "{\"device\": \"berth-vcpu-8\", \"path\": \"/machine/peripheral/berth-vcpu-8\"}");
        return g_strdup("{}");
}

static QmpScript *cores_new(Place *place, Cores *cores) {
        g_autofree char *path = monitor_path(place->folder, "alpha");
        QmpScript *script = qmp_script_new(path);

        qmp_script_answer(script, "query-uuid", "{\"UUID\": \"00000000-0000-0000-0000-000000000000\"}");
        qmp_script_answer(script, "query-status", "{\"status\": \"running\", \"running\": true}");
        qmp_script_handle(script, "query-hotpluggable-cpus", list_cores, cores);
        qmp_script_handle(script, "query-cpus-fast", list_threads, cores);
        qmp_script_handle(script, "device_add", add_core, cores);
        qmp_script_handle(script, "device_del", remove_core, cores);
        qmp_script_greet(script);
        signals_wait(place->signals, "'Current': <uint32 8>");
        return script;
}

static void part_of_a_core_is_refused_by_name(void) {
        g_autoptr(Place) place = place_new(NULL);
        Cores cores = {};
        g_autoptr(QmpScript) script = cores_new(place, &cores);

        refused(place, "SetVcpu", g_variant_new("(ub^as)", 9, TRUE, no_flags), INVALID_ARGS, PARTS("8-15", "core"));
        refused(place, "SetVcpus", g_variant_new("(sb^as)", "8-14", TRUE, no_flags), INVALID_ARGS, PARTS("8-15", "core"));
        refused(place, "SetVcpus", g_variant_new("(sb^as)", "0-9", TRUE, FLAGS("dry-run")), INVALID_ARGS, PARTS("8-15"));
        refused(place, "SetVcpu", g_variant_new("(ub^as)", 3, FALSE, FLAGS("core")), ERROR("NotSupported"), PARTS("0-7"));
        g_assert_cmpuint(qmp_script_asked(script, "device_add"), ==, 0);
        g_assert_cmpuint(qmp_script_asked(script, "device_del"), ==, 0);
}

static void core_is_plugged_and_unplugged_as_a_whole(void) {
        g_autoptr(Place) place = place_new(NULL);
        Cores cores = {};
        g_autoptr(QmpScript) script = cores_new(place, &cores);
        g_autofree char *planned = NULL, *plugged = NULL, *shown = NULL, *unplugged = NULL, *counted = NULL;

        planned = change(place, "SetVcpu", g_variant_new("(ub^as)", 9, TRUE, FLAGS("core", "dry-run")));
        g_assert_cmpstr(planned, ==, "('8-15', 0)");
        plugged = change(place, "SetVcpu", g_variant_new("(ub^as)", 9, TRUE, FLAGS("core")));
        g_assert_cmpstr(plugged, ==, "('8-15', 0)");
        shown = vcpu(place, 12);
        assert_says(shown, PARTS("'state': <'enabled'>", "'hotpluggable': <true>", "'unit': <'8-15'>", "'order': <uint32 2>"));
        unplugged = change(place, "SetVcpus", g_variant_new("(sb^as)", "8-15", FALSE, no_flags));
        g_assert_cmpstr(unplugged, ==, "('8-15', 0)");
        counted = change(place, "SetCount", g_variant_new("(u^as)", 16, no_flags));
        g_assert_cmpstr(counted, ==, "('8-15', 0)");
}

static void count_that_is_no_multiple_is_refused_with_the_nearest(void) {
        g_autoptr(Place) place = place_new(NULL);
        Cores cores = {};
        g_autoptr(QmpScript) script = cores_new(place, &cores);
        g_autofree char *all = NULL;

        refused(place, "SetCount", g_variant_new("(u^as)", 12, no_flags), INVALID_ARGS, PARTS("12", "8", "16"));
        refused(place, "SetCount", g_variant_new("(u^as)", 15, no_flags), INVALID_ARGS, PARTS("15", "8", "16"));
        refused(place, "SetCount", g_variant_new("(u^as)", 17, no_flags), INVALID_ARGS, PARTS("1 to 16"));
        all = list(place);
        assert_says(all, PARTS("'unit': <'0-7'>", "'unit': <'8-15'>"));
}

static void vcpus_in_one_thread_are_not_pinned_one_by_one(void) {
        g_autoptr(Place) place = place_new(NULL);
        Cores cores = {};
        g_autoptr(QmpScript) script = cores_new(place, &cores);

        refused(place, "Pin", g_variant_new("(us^as)", 1, "0", no_flags), ERROR("NotSupported"), PARTS("alpha", "one thread"));
}

/* Starts a real one; "arguments" say which. */
static GSubprocess *start(Place *place, guint32 n, const char *const *arguments) {
        g_autofree char *monitor = monitor_path(place->folder, "alpha"), *qmp = g_strdup_printf("unix:%s,server=on,wait=off", monitor);
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autoptr(GError) error = NULL;
        GSubprocess *process;

        for (; *arguments; arguments++)
                g_ptr_array_add(argv, (gpointer) *arguments);
        for (const char *const *more = (const char *const[]) { "-S", "-nodefaults", "-display", "none", "-qmp", qmp, NULL }; *more; more++)
                g_ptr_array_add(argv, (gpointer) *more);
        g_ptr_array_add(argv, NULL);
        /* Both tell of what they do not emulate. */
        process = g_subprocess_newv((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
        g_assert_no_error(error);
        signals_wait(place->signals, "InterfacesAdded ('" ALPHA "'");
        wait_for_vcpus(place->service, ALPHA, n);
        return process;
}

static void real_core_is_plugged_on_power(void) {
        g_autoptr(Place) place = place_new(NULL);
        GSubprocess *qemu = start(place, 2, (const char *[]) { "qemu-system-ppc64", "-machine", "pseries", "-accel", "tcg", "-m", "256", "-smp", "2,maxcpus=4,threads=1,cores=4,sockets=1", NULL });
        g_autofree char *first = NULL, *plugged = NULL, *shown = NULL, *pinned = NULL;

        first = vcpu(place, 1);
        assert_says(first, PARTS("'hotpluggable': <false>", "'reason'", "'unit': <'1'>", "'thread'", "'effective_cpus'"));
        plugged = change(place, "SetVcpu", g_variant_new("(ub^as)", 3, TRUE, FLAGS("core")));
        g_assert_cmpstr(plugged, ==, "('3', 0)");
        shown = vcpu(place, 3);
        assert_says(shown, PARTS("'state': <'enabled'>", "'hotpluggable': <true>", "'thread'", "'effective_cpus'"));
        refused(place, "SetCount", g_variant_new("(u^as)", 5, no_flags), INVALID_ARGS, PARTS("1 to 4"));
        qemu_kill(qemu);
}

static void single_thread_is_refused_by_name(void) {
        g_autoptr(Place) place = place_new(NULL);
        GSubprocess *qemu = start(place, 2, (const char *[]) { "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=single", "-m", "32", "-smp", "2,sockets=4,maxcpus=4", NULL });
        g_autofree char *emulator = NULL, *plugged = NULL;

        refused(place, "Pin", g_variant_new("(us^as)", 1, "0", no_flags), ERROR("NotSupported"), PARTS("alpha", "one thread", "thread=single"));
        refused(place, "PinAll", g_variant_new_parsed("([(uint32 0, '0')], @as [])"), ERROR("NotSupported"), PARTS("thread=single"));
        refused(place, "SetScheduler", g_variant_new("(usi^as)", 0, "batch", 0, no_flags), ERROR("NotSupported"), PARTS("thread=single"));
        plugged = change(place, "SetVcpu", g_variant_new("(ub^as)", 2, TRUE, no_flags));
        g_assert_cmpstr(plugged, ==, "('2', 0)");
        qemu_kill(qemu);
}

static void ids_follow_sockets_dies_cores_and_threads(void) {
        g_autoptr(Place) place = place_new(NULL);
        GSubprocess *qemu = start(place, 2, (const char *[]) { "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "32",
                                                               "-smp", "2,sockets=2,dies=2,cores=2,threads=2,maxcpus=16", NULL });
        g_autofree char *count = NULL, *far = NULL, *text = NULL, *again = NULL;
        g_autoptr(GVariant) sparse = NULL;

        count = change(place, "SetCount", g_variant_new("(u^as)", 5, no_flags));
        g_assert_cmpstr(count, ==, "('2-4', 0)");
        far = change(place, "SetVcpus", g_variant_new("(sb^as)", "15,8", TRUE, no_flags));
        g_assert_cmpstr(far, ==, "('8,15', 0)");
        text = vcpu(place, 4);
        assert_says(text, PARTS("'state': <'enabled'>", "'unit': <'4'>", "'order': <uint32 5>"));
        g_free(text);
        text = vcpu(place, 8);
        assert_says(text, PARTS("'order': <uint32 6>"));
        g_free(text);
        text = vcpu(place, 15);
        assert_says(text, PARTS("'order': <uint32 7>"));
        g_free(text);
        text = vcpu(place, 5);
        assert_says(text, PARTS("'state': <'disabled'>", "'hotpluggable': <true>"));
        sparse = get_property(place->service->bus, ALPHA, VCPUS, "Sparse");
        g_assert_true(g_variant_get_boolean(sparse));
        again = change(place, "SetCount", g_variant_new("(u^as)", 16, no_flags));
        g_assert_cmpstr(again, ==, "('5-7,9-14', 0)");
        qemu_kill(qemu);
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/guest-units/part-of-a-core-is-refused-by-name", part_of_a_core_is_refused_by_name },
                { "/guest-units/core-is-plugged-and-unplugged-as-a-whole", core_is_plugged_and_unplugged_as_a_whole },
                { "/guest-units/count-that-is-no-multiple-is-refused-with-the-nearest", count_that_is_no_multiple_is_refused_with_the_nearest },
                { "/guest-units/vcpus-in-one-thread-are-not-pinned-one-by-one", vcpus_in_one_thread_are_not_pinned_one_by_one },
                { "/guest-units/real-core-is-plugged-on-power", real_core_is_plugged_on_power },
                { "/guest-units/single-thread-is-refused-by-name", single_thread_is_refused_by_name },
                { "/guest-units/ids-follow-sockets-dies-cores-and-threads", ids_follow_sockets_dies_cores_and_threads },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
