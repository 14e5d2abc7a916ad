/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the service says of sleep over the bus, of a machine that is made of files. What
 * it says of which machine is tested with the model. */

#include "harness.h"

#include <signal.h>
#include <string.h>

#define POWER "org.berth1.Host.Power"
#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define RTC "sys/class/rtc/rtc0/"

static const char *const no_flags[] = { NULL };

/* A host that could sleep, but for the swap, with a clock. */
static char *sleeper_make(void) {
        char *root = host_make();
        g_autofree char *now = g_strdup_printf("%" G_GINT64_FORMAT "\n", g_get_real_time() / G_USEC_PER_SEC);

        host_write(root, "sys/power/state", "freeze mem disk\n");
        host_write(root, "sys/power/mem_sleep", "s2idle [deep]\n");
        host_write(root, "sys/power/disk", "[platform] shutdown reboot suspend\n");
        host_write(root, "sys/power/resume", "0:0\n");
        host_write(root, "sys/power/image_size", "1000000000\n");
        host_write(root, "proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
        host_write(root, RTC "wakealarm", "\n");
        host_write(root, RTC "since_epoch", now);
        return root;
}

static char *check(GDBusConnection *bus, const char *target) {
        g_autoptr(GVariant) reply = call(bus, HOST_PATH, POWER, "Check", g_variant_new("(s)", target), "(saa{sv})");

        return g_variant_print(reply, FALSE);
}

static void verdict_comes_with_reasons(void) {
        g_autoptr(Service) service = service_start(NULL, sleeper_make(), NULL);
        g_autoptr(GVariant) mem = get_property(service->bus, HOST_PATH, POWER, "CanSuspendMem"), disk = get_property(service->bus, HOST_PATH, POWER, "CanSuspendDisk");
        g_autofree char *of_disk = check(service->bus, "suspend_disk"), *of_mem = check(service->bus, "suspend");

        /* Whether there is a logind, the bus has to tell first. */
        while (!strstr(of_mem, "manager-missing")) {
                g_free(of_mem);
                of_mem = check(service->bus, "suspend");
        }

        g_assert_cmpstr(g_variant_get_string(mem, NULL), ==, "yes");
        g_assert_cmpstr(g_variant_get_string(disk, NULL), ==, "no");
        assert_says(of_disk, PARTS("('no'", "'code': <'no-swap'>", "'severity': <'blocks'>", "mkswap"));
        assert_says(of_mem, PARTS("('yes'", "'code': <'manager-missing'>", "'severity': <'warns'>"));
        g_assert_null(strstr(of_mem, "'blocks'"));
        call_refused(service->bus, HOST_PATH, POWER, "Check", g_variant_new("(s)", "hibernate"), G_DBUS_CALL_FLAGS_NONE, INVALID_ARGS, PARTS("hibernate", "suspend_then_disk"));
}

/* Sleeping is logind's to allow, and its actions are not among those of this bus: polkit
 * says no of what it does not know. */
static void verdict_is_that_of_the_caller(void) {
        g_autoptr(Service) service = service_start(NULL, sleeper_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(REFUSED_USER);
        g_autofree char *of_mem = check(user, "suspend_mem");

        assert_says(of_mem, PARTS("('no'"));
        g_assert_null(strstr(of_mem, "'blocks'"));
}

static GVariant *alarm_at(gint64 from_now_sec, const char *const *flags) {
        return g_variant_new("(t^as)", (guint64) (g_get_real_time() / G_USEC_PER_SEC + from_now_sec) * G_USEC_PER_SEC, flags);
}

static guint64 alarm_of(const Service *service) {
        g_autoptr(GVariant) value = get_property(service->bus, HOST_PATH, POWER, "WakeAlarm");

        return g_variant_get_uint64(value) / G_USEC_PER_SEC;
}

static void alarm_is_set_told_and_cleared(void) {
        g_autoptr(Service) service = service_start(NULL, sleeper_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GDBusConnection) user = bus_connect(REFUSED_USER);
        g_autofree char *in_clock = NULL, *afterwards = NULL;

        call_refused(user, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3600, no_flags), G_DBUS_CALL_FLAGS_NONE, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", NULL);
        call_refused(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(10, no_flags), G_DBUS_CALL_FLAGS_NONE, INVALID_ARGS, PARTS("60"));
        call_refused(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(-3600, no_flags), G_DBUS_CALL_FLAGS_NONE, INVALID_ARGS, PARTS("past"));
        call_refused(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(400 * 24 * 3600, no_flags), G_DBUS_CALL_FLAGS_NONE, INVALID_ARGS, PARTS("year"));
        call_refused(service->bus, HOST_PATH, POWER, "SetWakeAlarm", g_variant_new("(t^as)", G_MAXUINT64, no_flags), G_DBUS_CALL_FLAGS_NONE, INVALID_ARGS, PARTS("year"));
        g_variant_unref(call(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3600, (const char *[]) { "dry-run", NULL }), "()"));
        g_assert_cmpuint(alarm_of(service), ==, 0);

        g_variant_unref(call(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3600, no_flags), "()"));
        g_assert_cmpuint(alarm_of(service), >, 0);
        signals_wait(signals, "'WakeAlarm'");
        in_clock = host_read(service->root, RTC "wakealarm");
        g_assert_cmpuint(g_ascii_strtoull(in_clock, NULL, 10), >, 0);

        g_variant_unref(call(service->bus, HOST_PATH, POWER, "ClearWakeAlarm", g_variant_new("(^as)", no_flags), "()"));
        g_assert_cmpuint(alarm_of(service), ==, 0);
        afterwards = host_read(service->root, RTC "wakealarm");
        g_assert_cmpuint(g_ascii_strtoull(afterwards, NULL, 10), ==, 0);
}

static void alarm_of_somebody_else_stays(void) {
        char *root = sleeper_make();
        g_autofree char *theirs = g_strdup_printf("%" G_GINT64_FORMAT "\n", g_get_real_time() / G_USEC_PER_SEC + 7200), *still = NULL;
        g_autoptr(Service) service = NULL;

        host_write(root, RTC "wakealarm", theirs);
        service = service_start(NULL, root, NULL);
        call_refused(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3600, no_flags), G_DBUS_CALL_FLAGS_NONE, "org.berth1.Error.AlreadyExists", PARTS("replace"));
        still = host_read(service->root, RTC "wakealarm");
        g_assert_cmpuint(g_ascii_strtoull(still, NULL, 10), ==, g_ascii_strtoull(theirs, NULL, 10));
        g_variant_unref(call(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3600, (const char *[]) { "replace", NULL }), "()"));
        g_assert_cmpuint(alarm_of(service), >, 0);
}

/* A clock in local time is read a second apart from ours now and then: the alarm in it is
 * ours all the same. */
static void alarm_in_another_clock_is_known_again(void) {
        char *root = sleeper_make();
        gint64 now = g_get_real_time() / G_USEC_PER_SEC;
        g_autofree char *first = g_strdup_printf("%" G_GINT64_FORMAT "\n", now + 7200), *later = g_strdup_printf("%" G_GINT64_FORMAT "\n", now + 7202);
        g_autoptr(Service) service = NULL;

        host_write(root, RTC "since_epoch", first);
        service = service_start(NULL, root, NULL);
        g_variant_unref(call(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3600, no_flags), "()"));
        host_write(service->root, RTC "since_epoch", later);
        g_variant_unref(call(service->bus, HOST_PATH, POWER, "SetWakeAlarm", alarm_at(3660, no_flags), "()"));
        g_variant_unref(call(service->bus, HOST_PATH, POWER, "ClearWakeAlarm", g_variant_new("(^as)", no_flags), "()"));
        g_assert_cmpuint(alarm_of(service), ==, 0);
}

static void swap_that_comes_changes_the_answer(void) {
        g_autoptr(Service) service = service_start(NULL, sleeper_make(), NULL);
        g_autofree char *before = check(service->bus, "suspend_disk"), *after = NULL;

        assert_says(before, PARTS("'no-swap'"));
        host_write(service->root, "proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 99999999 0 -2\n");
        after = check(service->bus, "suspend_disk");
        g_assert_null(strstr(after, "'no-swap'"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/power/verdict-comes-with-reasons", verdict_comes_with_reasons);
        g_test_add_func("/power/verdict-is-that-of-the-caller", verdict_is_that_of_the_caller);
        g_test_add_func("/power/alarm-is-set-told-and-cleared", alarm_is_set_told_and_cleared);
        g_test_add_func("/power/alarm-of-somebody-else-stays", alarm_of_somebody_else_stays);
        g_test_add_func("/power/alarm-in-another-clock-is-known-again", alarm_in_another_clock_is_known_again);
        g_test_add_func("/power/swap-that-comes-changes-the-answer", swap_that_comes_changes_the_answer);
        return g_test_run();
}
