/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service is killed in the middle of a change, and so is QEMU, at each step that there
 * is. What was stored is whole, what was answered holds, whoever waits is answered, and
 * nothing stays open. */

#include "place.h"
#include "qemu.h"
#include "scripted-guest.h"

#include <signal.h>
#include <string.h>

#define DOMAIN "org.berth1.Domain"
#define VCPUS "org.berth1.Domain.Vcpus"
#define MANAGER "org.berth1.Manager"
#define ALPHA DOMAINS "alpha"
#define ERROR(name) "org.berth1.Error." name

static const char *const no_flags[] = { NULL };
#define FLAGS(...) ((const char *[]) { __VA_ARGS__, NULL })

static Pending *begin(Place *place, const char *method, GVariant *arguments) {
        return call_begin(place, ALPHA, VCPUS, method, arguments);
}

static char *change(Place *place, const char *method, GVariant *arguments) {
        return call_answer(begin(place, method, arguments));
}

static char *vcpu(Place *place, guint32 id, const char *const *flags) {
        return change(place, "GetVcpu", g_variant_new("(u^as)", id, flags));
}

/* A CPU of this machine. */
static char *some_cpu(Place *place) {
        g_autoptr(GVariant) online = get_property(place->service->bus, HOST_PATH, "org.berth1.Host.Topology", "OnlineCpus");

        return g_strdup_printf("%u", (guint) g_ascii_strtoull(g_variant_get_string(online, NULL), NULL, 10));
}

/* A vCPU that is enabled so, live or stored. */
static gboolean is_enabled(Place *place, guint32 id, const char *const *flags) {
        g_autofree char *text = vcpu(place, id, flags);

        return strstr(text, "'state': <'enabled'>") != NULL;
}

typedef struct Step {
        const char *label;
        const char *vcpus;
        gboolean enable;
        const char *held;               /* the command whose answer does not come; NULL: the guest does not do its part */
        guint passed;                   /* so many of them are answered before */
        guint32 one;                    /* one of the vCPUs */
} Step;

static const Step steps[] = {
        { "the first is plugged", "4-5", TRUE, "device_add", 0, 4 },
        { "the second is plugged", "4-5", TRUE, "device_add", 1, 4 },
        { "it is looked for", "4-5", TRUE, "query-cpus-fast", 0, 4 },
        { "the slots are looked at", "4-5", TRUE, "query-hotpluggable-cpus", 0, 4 },
        { "one is to be unplugged", "2-3", FALSE, "device_del", 0, 3 },
        { "the other is to be unplugged", "2-3", FALSE, "device_del", 1, 3 },
        { "the guest thinks about it", "2-3", FALSE, NULL, 0, 3 },
        { "it is looked whether it is gone", "2-3", FALSE, "query-cpus-fast", 0, 3 },
};

/* Starts the change of a step and has it stop there. */
static Pending *stop_at(Place *place, ScriptedGuest *guest, const Step *step, const char *const *flags) {
        const char *command = step->held ?: "device_del";
        guint before = qmp_script_asked(guest->qmp, command), before_change = qmp_script_asked(guest->qmp, step->enable ? "device_add" : "device_del");
        Pending *pending;

        guest->obeys = step->held != NULL;
        if (step->held)
                qmp_script_hold(guest->qmp, step->held);
        pending = begin(place, "SetVcpus", g_variant_new("(sb^as)", step->vcpus, step->enable, flags));
        for (guint i = 0; i < step->passed; i++) {
                qmp_script_wait_asked(guest->qmp, command, before + 1 + i);
                qmp_script_release(guest->qmp, command);
                qmp_script_hold(guest->qmp, command);
        }
        qmp_script_wait_asked(guest->qmp, command, before + 1 + step->passed);
        qmp_script_wait_asked(guest->qmp, step->enable ? "device_add" : "device_del", before_change + 1);
        g_assert_false(call_is_over(pending));
        return pending;
}

static void no_intent_is_lost_when_the_service_dies(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
                const Step *step = steps + i;
                g_autoptr(Place) place = place_new(NULL);
                g_autoptr(ScriptedGuest) guest = scripted_guest_new(place, "alpha", 4, 8);
                g_autofree char *cpu = some_cpu(place), *pin = g_strdup_printf("'cpus': <'%s'>", cpu), *outcome = NULL;
                g_autofree char *off = NULL, *on = NULL, *stored = NULL, *again = NULL, *xml = NULL, *after = NULL, *warnings = NULL;
                guint present;

                g_test_message("%s", step->label);
                scripted_guest_show(guest, place, "alpha");
                g_free(change(place, "Pin", g_variant_new("(us^as)", 7, cpu, no_flags)));
                g_free(change(place, "SetScheduler", g_variant_new("(usi^as)", 7, "batch", 0, no_flags)));
                g_free(change(place, "Pin", g_variant_new("(us^as)", 1, cpu, FLAGS("live", "config"))));

                Pending *pending = stop_at(place, guest, step, FLAGS("live", "config"));

                place_kill(place);
                outcome = call_outcome(pending);
                scripted_guest_hang_up(guest);
                present = scripted_guest_count(guest);

                guest->obeys = TRUE;
                place_start(place);
                scripted_guest_show(guest, place, "alpha");
                off = vcpu(place, 7, FLAGS("live"));
                assert_says(off, PARTS(pin, "'scheduler': <'batch'>"));
                on = vcpu(place, 1, FLAGS("live"));
                assert_says(on, PARTS(pin, "'effective_cpus'"));
                stored = vcpu(place, 1, FLAGS("config"));
                assert_says(stored, PARTS(pin));

                /* Both vCPUs are stored so, or none; it was stored before anything was plugged. */
                xml = place_read(place, "state/domains/alpha.xml");
                assert_says(xml, PARTS("<domain", "</domain>"));
                g_assert_cmpint(is_enabled(place, step->one, FLAGS("config")), ==, step->enable);
                g_assert_cmpint(is_enabled(place, step->enable ? 5 : 2, FLAGS("config")), ==, step->enable);
                warnings = call_answer(call_begin(place, ALPHA, "org.freedesktop.DBus.Properties", "Get", g_variant_new("(ss)", DOMAIN, "Warnings")));
                g_assert_cmpstr(warnings, ==, "(<@aa{sv} []>,)");

                /* Nothing is plugged or unplugged by who comes after; and a change works. */
                g_assert_cmpuint(scripted_guest_count(guest), ==, present);
                again = change(place, "SetVcpu", g_variant_new("(ub^as)", 7, TRUE, no_flags));
                g_assert_cmpstr(again, ==, "('7', 0)");
                after = vcpu(place, 7, no_flags);
                assert_says(after, PARTS(pin, "'effective_cpus'", "'scheduler': <'batch'>"));
        }
}

/* What the guest gave back while nobody was there to see it is gone, and not plugged again. */
static void what_goes_while_no_service_runs_is_gone(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autoptr(ScriptedGuest) guest = scripted_guest_new(place, "alpha", 4, 8);
        Pending *pending;

        scripted_guest_show(guest, place, "alpha");
        pending = begin(place, "SetVcpu", g_variant_new("(ub^as)", 3, FALSE, no_flags));
        qmp_script_wait_asked(guest->qmp, "device_del", 1);
        place_kill(place);
        g_free(call_outcome(pending));
        scripted_guest_hang_up(guest);
        scripted_guest_remove(guest, 3, FALSE);
        place_start(place);
        scripted_guest_show(guest, place, "alpha");
        g_assert_false(is_enabled(place, 3, no_flags));
        g_assert_cmpuint(qmp_script_asked(guest->qmp, "device_add"), ==, 0);
}

/* Six are asked for at once; however far it came, those that were answered are there. */
static void what_was_answered_is_stored(void) {
        for (guint answered = 0; answered < 6; answered++) {
                g_autoptr(Place) place = place_new(NULL);
                g_autofree char *cpu = some_cpu(place), *pin = g_strdup_printf("'cpus': <'%s'>", cpu);
                Pending *pendings[6];

                g_free(call_answer(call_begin(place, ROOT_PATH, MANAGER, "DefineDomain", g_variant_new("(ss^as)", "alpha", "<domain><uuid>" SCRIPTED_UUID "</uuid><vcpu>8</vcpu></domain>", no_flags))));
                for (guint32 i = 0; i < G_N_ELEMENTS(pendings); i++)
                        pendings[i] = begin(place, "Pin", g_variant_new("(us^as)", i, cpu, no_flags));
                for (guint i = 0; i < answered; i++)
                        g_free(call_answer(pendings[i]));
                place_kill(place);
                for (guint i = answered; i < G_N_ELEMENTS(pendings); i++)
                        g_free(call_outcome(pendings[i]));
                place_start(place);
                for (guint32 i = 0; i < answered; i++) {
                        g_autofree char *stored = vcpu(place, i, FLAGS("config"));

                        assert_says(stored, PARTS(pin));
                }
                g_free(change(place, "SetCount", g_variant_new("(u^as)", 3, no_flags)));
                g_assert_false(is_enabled(place, 3, no_flags));
        }
}

/* Pins of a run are kept in the runtime folder: whatever was answered holds. */
static void what_was_answered_of_a_run_is_kept(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autoptr(ScriptedGuest) guest = scripted_guest_new(place, "alpha", 2, 8);
        g_autofree char *cpu = some_cpu(place), *pin = g_strdup_printf("'cpus': <'%s'>", cpu);

        scripted_guest_show(guest, place, "alpha");
        for (guint32 id = 0; id < 8; id++) {
                g_autofree char *shown = NULL;

                g_free(change(place, "Pin", g_variant_new("(us^as)", id, cpu, no_flags)));
                place_kill(place);
                scripted_guest_hang_up(guest);
                place_start(place);
                scripted_guest_show(guest, place, "alpha");
                shown = vcpu(place, id, no_flags);
                assert_says(shown, PARTS(pin));
        }
}

/* The guest ends, and its folder goes with it. */
static void end_guest(Place *place, ScriptedGuest *guest) {
        qmp_script_hang_up(guest->qmp);
        g_clear_pointer(&guest->qmp, qmp_script_free);
        host_remove(place->folder, "run/domains/alpha");
}

static void whoever_waits_is_told_that_the_guest_is_gone(void) {
        g_autoptr(Place) place = place_new(NULL);
        guint descriptors = place_count_descriptors(place);

        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
                g_autoptr(ScriptedGuest) guest = scripted_guest_new(place, "alpha", 4, 8);
                Pending *pending;

                g_test_message("%s", steps[i].label);
                scripted_guest_show(guest, place, "alpha");
                pending = stop_at(place, guest, steps + i, no_flags);
                g_ptr_array_set_size(place->signals->seen, 0);
                end_guest(place, guest);
                call_fails(pending, ERROR("NotRunning"), PARTS("alpha"));
                signals_wait(place->signals, "InterfacesRemoved ('" ALPHA "'");
                place_wait_idle(place, descriptors);
        }
}

static void job_fails_when_the_guest_is_gone(void) {
        g_autoptr(Place) place = place_new(NULL);
        guint descriptors = place_count_descriptors(place);

        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
                g_autoptr(ScriptedGuest) guest = scripted_guest_new(place, "alpha", 4, 8);
                Pending *pending;

                g_test_message("%s", steps[i].label);
                scripted_guest_show(guest, place, "alpha");
                g_ptr_array_set_size(place->signals->seen, 0);
                guest->obeys = steps[i].held != NULL;
                if (steps[i].held)
                        qmp_script_hold(guest->qmp, steps[i].held);
                pending = begin(place, "SetVcpus", g_variant_new("(sb^as)", steps[i].vcpus, steps[i].enable, FLAGS("async")));
                g_free(call_answer(pending));
                qmp_script_wait_asked(guest->qmp, steps[i].enable ? "device_add" : "device_del", 1);
                end_guest(place, guest);
                assert_says(signals_wait(place->signals, "JobDone ("), PARTS("'failed'", ERROR("NotRunning"), "alpha"));
                signals_wait(place->signals, "InterfacesRemoved ('" ALPHA "'");
                g_assert_cmpuint(signals_count(place->signals, "JobDone ("), ==, 1);
                place_wait_idle(place, descriptors);
        }
}

/* One that is stored is an object still, and what was stored before is taken back. */
static void stored_guest_is_off_and_as_it_was(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
                const Step *step = steps + i;
                g_autoptr(Place) place = place_new(NULL);
                g_autoptr(ScriptedGuest) guest = NULL;
                guint descriptors;
                Pending *pending;

                g_test_message("%s", step->label);
                g_free(call_answer(call_begin(place, ROOT_PATH, MANAGER, "DefineDomain",
                                              g_variant_new("(ss^as)", "alpha", "<domain><uuid>" SCRIPTED_UUID "</uuid><vcpu current='4'>8</vcpu></domain>", no_flags))));
                descriptors = place_count_descriptors(place);
                guest = scripted_guest_new(place, "alpha", 4, 8);
                scripted_guest_show(guest, place, "alpha");
                pending = stop_at(place, guest, step, FLAGS("live", "config"));
                end_guest(place, guest);
                call_fails(pending, ERROR("NotRunning"), PARTS("alpha"));
                signals_wait(place->signals, "'State': <'shutoff'>");
                g_assert_cmpuint(signals_count(place->signals, "InterfacesRemoved"), ==, 0);
                for (guint32 id = 0; id < 8; id++)
                        g_assert_cmpint(is_enabled(place, id, FLAGS("config")), ==, id < 4);
                /* One is for the end of the monitor's process, which is the test's. */
                place_wait_idle(place, descriptors + 1);
        }
}

/* Calls that ask the monitor for something before they do anything. */
static void calls_that_ask_first_are_told_too(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autofree char *cpu = some_cpu(place);
        guint descriptors = place_count_descriptors(place);
        const char *const methods[] = { "PinEmulator", "PinIothread", "ListThreads" };

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
                g_autoptr(ScriptedGuest) guest = scripted_guest_new(place, "alpha", 4, 8);
                GVariant *arguments = i == 0 ? g_variant_new("(s^as)", cpu, FLAGS("live", "config")) :
                        i == 1 ? g_variant_new("(us^as)", 1, cpu, no_flags) : g_variant_new("(^as)", no_flags);
                Pending *pending;

                g_test_message("%s", methods[i]);
                scripted_guest_show(guest, place, "alpha");
                g_ptr_array_set_size(place->signals->seen, 0);
                qmp_script_hold(guest->qmp, "query-iothreads");
                pending = begin(place, methods[i], arguments);
                qmp_script_wait_asked(guest->qmp, "query-iothreads", 1);
                end_guest(place, guest);
                call_fails(pending, ERROR("NotRunning"), PARTS("alpha"));
                signals_wait(place->signals, "InterfacesRemoved ('" ALPHA "'");
                place_wait_idle(place, descriptors);
        }
}

/* A real one, stopped so that it cannot be faster than its end. */
static void killed_qemu_ends_what_waits_for_it(void) {
        g_autoptr(Place) place = place_new(NULL);
        guint descriptors = place_count_descriptors(place);

        for (unsigned i = 0; i < 4; i++) {
                GSubprocess *qemu = qemu_start(place->folder, "alpha");
                gboolean async = i % 2 == 1;
                Pending *pending;

                signals_wait(place->signals, "InterfacesAdded ('" ALPHA "'");
                wait_for_vcpus(place->service, ALPHA, 2);
                g_ptr_array_set_size(place->signals->seen, 0);
                g_subprocess_send_signal(qemu, SIGSTOP);
                pending = begin(place, "SetVcpus", g_variant_new("(sb^as)", "2-3", TRUE, async ? FLAGS("async") : no_flags));
                if (async)
                        g_free(call_answer(pending));
                signals_wait(place->signals, "'pending': <'plug'>");
                qemu_kill(qemu);
                if (async)
                        assert_says(signals_wait(place->signals, "JobDone ("), PARTS("'failed'", ERROR("NotRunning"), "alpha"));
                else
                        call_fails(pending, ERROR("NotRunning"), PARTS("alpha"));
                signals_wait(place->signals, "InterfacesRemoved ('" ALPHA "'");
                host_remove(place->folder, "run/domains/alpha");
                place_wait_idle(place, descriptors);
        }
}

/* Both parts of a pin, and the guest's end at any moment of it: it is stored or it is not,
 * as the answer says. */
static void pins_with_config_are_stored_or_refused(void) {
        g_autoptr(Place) place = place_new(NULL);
        g_autofree char *cpu = some_cpu(place), *pin = g_strdup_printf("'cpus': <'%s'>", cpu);

        g_free(call_answer(call_begin(place, ROOT_PATH, MANAGER, "DefineDomain",
                                      g_variant_new("(ss^as)", "alpha", "<domain><uuid>" QEMU_UUID "</uuid><vcpu>4</vcpu></domain>", no_flags))));
        for (unsigned i = 0; i < 4; i++) {
                GSubprocess *qemu = qemu_start(place->folder, "alpha");
                g_autofree char *outcome = NULL, *stored = NULL;
                Pending *pending;

                signals_wait(place->signals, "'State': <'paused'>");
                wait_for_vcpus(place->service, ALPHA, 2);
                g_ptr_array_set_size(place->signals->seen, 0);
                pending = begin(place, "PinAll", g_variant_new_parsed("([(uint32 0, %s), (1, %s)], ['live', 'config'])", cpu, cpu));
                if (i % 2 == 1)
                        g_main_context_iteration(NULL, FALSE);
                qemu_kill(qemu);
                outcome = call_outcome(pending);
                signals_wait(place->signals, "'State': <'shutoff'>");
                stored = vcpu(place, 1, FLAGS("config"));
                if (strcmp(outcome, "()") == 0)
                        assert_says(stored, PARTS(pin));
                else if (!strstr(outcome, ERROR("NotRunning")) && !strstr(outcome, ERROR("BackendFailed")))
                        g_error("it ended with %s", outcome);
                else if (strstr(stored, pin))
                        g_error("it is stored though the call failed: %s", outcome);
                g_free(change(place, "PinAll", g_variant_new_parsed("([(uint32 0, ''), (1, '')], ['config'])")));
        }
}

int main(int argc, char **argv) {
        static const struct { const char *path; void (*run)(void); } tests[] = {
                { "/guest-crashes/no-intent-is-lost-when-the-service-dies", no_intent_is_lost_when_the_service_dies },
                { "/guest-crashes/what-goes-while-no-service-runs-is-gone", what_goes_while_no_service_runs_is_gone },
                { "/guest-crashes/what-was-answered-is-stored", what_was_answered_is_stored },
                { "/guest-crashes/what-was-answered-of-a-run-is-kept", what_was_answered_of_a_run_is_kept },
                { "/guest-crashes/whoever-waits-is-told-that-the-guest-is-gone", whoever_waits_is_told_that_the_guest_is_gone },
                { "/guest-crashes/job-fails-when-the-guest-is-gone", job_fails_when_the_guest_is_gone },
                { "/guest-crashes/stored-guest-is-off-and-as-it-was", stored_guest_is_off_and_as_it_was },
                { "/guest-crashes/calls-that-ask-first-are-told-too", calls_that_ask_first_are_told_too },
                { "/guest-crashes/killed-qemu-ends-what-waits-for-it", killed_qemu_ends_what_waits_for_it },
                { "/guest-crashes/pins-with-config-are-stored-or-refused", pins_with_config_are_stored_or_refused },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add_func(tests[i].path, tests[i].run);
        return g_test_run();
}
