/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests with a Linux in them are changed over the bus: one that obeys, one that is
 * stopped and so never answers, and one that is asked through its agent. */

#include "guest.h"
#include "harness.h"
#include "qemu.h"

#include <string.h>

#define VCPUS "org.berth1.Domain.Vcpus"
#define ALPHA DOMAINS "alpha"

static const char *const no_flags[] = { NULL };
#define FLAGS(...) ((const char *[]) { __VA_ARGS__, NULL })

/* A guest of two vCPUs of four, and a service with little patience. */
typedef struct Place {
        char *settings;
        Service *service;
        Signals *signals;
        BootedGuest *guest;
} Place;

static Place *place_new(const char *settings) {
        Place *place = g_new0(Place, 1);
        g_autofree char *option = NULL, *runtime_dir = NULL;
        g_autoptr(GError) error = NULL;

        place->settings = g_dir_make_tmp("berth-settings-XXXXXX", &error);
        g_assert_no_error(error);
        host_write(place->settings, "berthd.conf", settings);
        option = g_strdup_printf("--config=%s/berthd.conf", place->settings);
        place->service = service_start(NULL, NULL, (const char *[]) { option, NULL });
        place->signals = signals_record(place->service->bus);
        runtime_dir = g_build_filename(place->service->folder, "run", NULL);
        place->guest = booted_guest_start(runtime_dir, "alpha", 2, 4, TRUE);
        signals_wait(place->signals, "InterfacesAdded ('" ALPHA "'");
        wait_for_vcpus(place->service, ALPHA, 2);
        return place;
}

static void place_free(Place *place) {
        booted_guest_free(place->guest);
        signals_free(place->signals);
        service_stop(place->service);
        host_remove(place->settings, "");
        g_free(place->settings);
        g_free(place);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Place, place_free)

static char *change(const Place *place, const char *method, GVariant *arguments) {
        g_autoptr(GVariant) reply = call(place->service->bus, ALPHA, VCPUS, method, arguments, "(st)");

        return g_variant_print(reply, FALSE);
}

static char *list(const Place *place, const char *const *flags) {
        g_autoptr(GVariant) reply = call(place->service->bus, ALPHA, VCPUS, "ListVcpus", g_variant_new("(^as)", flags), "(aa{sv})");

        return g_variant_print(reply, FALSE);
}

static void guest_that_obeys_gives_back_what_it_was_given(void) {
        g_autoptr(Place) place = place_new("");
        g_autofree char *plugged = NULL, *unplugged = NULL;

        plugged = change(place, "SetVcpus", g_variant_new("(sb^as)", "2-3", TRUE, no_flags));
        g_assert_cmpstr(plugged, ==, "('2-3', 0)");
        unplugged = change(place, "SetCount", g_variant_new("(u^as)", 3, no_flags));
        g_assert_cmpstr(unplugged, ==, "('3', 0)");
        assert_says(signals_wait(place->signals, "VcpuChanged (3, {'state': <'disabled'>"), PARTS("'request'"));
        wait_for_vcpus(place->service, ALPHA, 3);
        g_assert_cmpuint(signals_count(place->signals, "'disabled'"), ==, 1);
        g_assert_cmpuint(signals_count(place->signals, "VcpuChanged (2"), ==, 1);
}

/* Nobody is at home: the call ends in time, and what comes later is told then. */
static void guest_that_is_late_is_told_when_it_comes(void) {
        g_autoptr(Place) place = place_new("[Guests]\nUnplugTimeoutMSec=300\n");
        g_autofree char *pending = NULL, *later = NULL;

        g_free(change(place, "SetVcpu", g_variant_new("(ub^as)", 2, TRUE, no_flags)));
        booted_guest_control(place->guest, "stop", NULL);
        call_refused(place->service->bus, ALPHA, VCPUS, "SetVcpu", g_variant_new("(ub^as)", 2, FALSE, no_flags), G_DBUS_CALL_FLAGS_NONE,
                     "org.berth1.Error.TimedOut", PARTS("vCPU 2"));
        pending = list(place, no_flags);
        assert_says(pending, PARTS("{'id': <uint32 2>, 'state': <'enabled'>, 'pending': <'unplug'>"));

        booted_guest_control(place->guest, "cont", NULL);
        assert_says(signals_wait(place->signals, "VcpuChanged (2, {'state': <'disabled'>"), PARTS("'guest'"));
        wait_for_vcpus(place->service, ALPHA, 2);
        later = list(place, no_flags);
        g_assert_null(strstr(later, "pending"));
}

static void job_with_a_guest_that_is_silent_ends(void) {
        g_autoptr(Place) place = place_new("[Guests]\nJobTimeoutSec=1\n");
        g_autofree char *accepted = NULL;

        g_free(change(place, "SetVcpu", g_variant_new("(ub^as)", 2, TRUE, no_flags)));
        booted_guest_control(place->guest, "stop", NULL);
        accepted = change(place, "SetVcpus", g_variant_new("(sb^as)", "2", FALSE, FLAGS("async")));
        g_assert_cmpstr(accepted, ==, "('2', 1)");
        call_refused(place->service->bus, ALPHA, VCPUS, "SetCount", g_variant_new("(u^as)", 4, no_flags), G_DBUS_CALL_FLAGS_NONE,
                     "org.berth1.Error.Busy", NULL);
        assert_says(signals_wait(place->signals, "JobDone (1"), PARTS("'timed-out'", "org.berth1.Error.TimedOut", "vCPU 2"));
}

static void agent_takes_vcpus_online_and_offline(void) {
        g_autoptr(Place) place = place_new("[Guests]\nAgentTimeoutMSec=12000\n");
        g_autofree char *before = NULL, *planned = NULL, *changed = NULL, *after = NULL, *again = NULL;

        before = list(place, FLAGS("guest"));
        assert_says(before, PARTS("'guest_online': <true>"));
        g_assert_null(strstr(before, "'guest_online': <false>"));
        planned = change(place, "SetCount", g_variant_new("(u^as)", 1, FLAGS("guest", "dry-run")));
        g_assert_cmpstr(planned, ==, "('1', 0)");
        changed = change(place, "SetVcpus", g_variant_new("(sb^as)", "1", FALSE, FLAGS("guest")));
        g_assert_cmpstr(changed, ==, "('1', 0)");
        after = list(place, FLAGS("guest"));
        assert_says(after, PARTS("'guest_online': <true>", "'guest_online': <false>"));
        again = change(place, "SetCount", g_variant_new("(u^as)", 2, FLAGS("guest", "async")));
        g_assert_cmpstr(again, ==, "('', 1)");
        signals_wait(place->signals, "JobDone (1, 'done', '', '')");
        call_refused(place->service->bus, ALPHA, VCPUS, "SetVcpu", g_variant_new("(ub^as)", 0, FALSE, FLAGS("guest")), G_DBUS_CALL_FLAGS_NONE,
                     "org.berth1.Error.NotSupported", PARTS("vCPU 0"));
        call_refused(place->service->bus, ALPHA, VCPUS, "SetCount", g_variant_new("(u^as)", 9, FLAGS("guest")), G_DBUS_CALL_FLAGS_NONE,
                     "org.freedesktop.DBus.Error.InvalidArgs", NULL);
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/booted-changes/guest-that-obeys-gives-back-what-it-was-given", guest_that_obeys_gives_back_what_it_was_given },
                { "/booted-changes/guest-that-is-late-is-told-when-it-comes", guest_that_is_late_is_told_when_it_comes },
                { "/booted-changes/job-with-a-guest-that-is-silent-ends", job_with_a_guest_that_is_silent_ends },
                { "/booted-changes/agent-takes-vcpus-online-and-offline", agent_takes_vcpus_online_and_offline },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
