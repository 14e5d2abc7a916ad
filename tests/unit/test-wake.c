/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What wakes a host: its devices, told apart, and the alarm of its clock. */

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/wake.h"
#include "machine.h"

#define DEVICES "sys/devices/"
#define PCI DEVICES "pci0000:00/"

static char *sources_to_string(const Tree *tree) {
        _cleanup_wake_sources_ WakeSources sources = {};
        GString *text = g_string_new(NULL);

        g_assert_cmpint(wake_sources_read(tree->fd, &sources), ==, 0);
        for (size_t i = 0; i < sources.n_items; i++) {
                const WakeSource *source = sources.items + i;

                g_string_append_printf(text, "%s%s %s%s%s%s", i > 0 ? ", " : "", source->device, source->kind,
                                       source->enabled ? "" : " off", source->mac ? " " : "", source->mac ?: "");
        }
        return g_string_free(text, FALSE);
}

static void assert_sources(const Tree *tree, const char *wanted) {
        g_autofree char *text = sources_to_string(tree);

        g_assert_cmpstr(text, ==, wanted);
}

static void each_kind_is_told(void) {
        static const struct { const char *device, *path, *text, *told; } rows[] = {
                { "pnp0/00:02", "rtc/rtc0/name", "rtc_cmos", "rtc" },
                { "pnp0/00:02/rtc/rtc0/alarmtimer.0.auto", "x", "", "rtc" },
                { "pci0000:00/0000:00:03.0", "net/eth0/address", "52:54:00:12:34:56\n", "network 52:54:00:12:34:56" },
                { "pci0000:00/0000:00:03.0", "virtio0/net/eth0/address", "52:54:00:12:34:56\n", "network 52:54:00:12:34:56" },
                { "pci0000:00/usb1/1-4", "1-4:1.0/net/usb0/address", "52:54:00:12:34:57\n", "network 52:54:00:12:34:57" },
                { "pci0000:00/0000:00:03.0", "net/ib0/address",
                  "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:10:11:12\n", "network 80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:10:11:12" },
                { "pci0000:00/0000:00:14.0", "class", "0x0c0330\n", "usb" },
                { "LNXSYSTM:00/LNXPWRBN:00", "x", "", "button" },
                { "LNXSYSTM:00/LNXSYBUS:00/PNP0C0C:00", "x", "", "button" },
                { "LNXSYSTM:00/LNXSYBUS:00/PNP0C0E:00", "x", "", "button" },
                { "LNXSYSTM:00/LNXSYBUS:00/PNP0C0D:00", "x", "", "lid" },
                { "platform/i8042/serio0", "x", "", "other" },
                /* what stands there is no address */
                { "pci0000:00/0000:00:03.0", "net/eth0/address", "52:54:00:12:34\n", "network" },
                { "pci0000:00/0000:00:03.0", "net/eth0/address", "52:54:00:12:34:5g\n", "network" },
                { "pci0000:00/0000:00:03.0", "net/eth0/address", "52-54-00-12-34-56\n", "network" },
                { "pci0000:00/0000:00:03.0", "net/eth0/address", "", "network" },
                { "pci0000:00/0000:00:03.0", "net/eth0/x", "", "network" },
                { "pci0000:00/0000:00:03.0", "net", "a file", "other" },
                { "pci0000:00/0000:00:14.0", "class", "0x030000\n", "other" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                g_autofree char *wanted = g_strdup_printf("%s %s", rows[i].device, rows[i].told);

                g_test_message("row %zu", i);
                tree_writef(tree, "enabled\n", DEVICES "%s/power/wakeup", rows[i].device);
                tree_writef(tree, rows[i].text, DEVICES "%s/%s", rows[i].device, rows[i].path);
                assert_sources(tree, wanted);
        }
}

static void kinds_are_known_by_links(void) {
        g_autoptr(Tree) tree = tree_new();

        tree_write(tree, PCI "usb1/power/wakeup", "disabled\n");
        tree_link(tree, PCI "usb1/subsystem", "../../../bus/usb");
        tree_write(tree, DEVICES "platform/keys/power/wakeup", "enabled\n");
        tree_link(tree, DEVICES "platform/keys/driver", "../../../bus/platform/drivers/gpio-keys");
        tree_write(tree, DEVICES "platform/other/power/wakeup", "enabled\n");
        tree_link(tree, DEVICES "platform/other/driver", "gpio-keys/");
        assert_sources(tree, "pci0000:00/usb1 usb off, platform/keys button, platform/other other");
}

static void only_devices_that_can_are_listed(void) {
        static const struct { const char *text; const char *wanted; } rows[] = {
                { "enabled\n", "pci0000:00/x other" },
                { "disabled\n", "pci0000:00/x other off" },
                { "", "" },
                { "\n", "" },
                { "on\n", "" },
                { "enabled disabled\n", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();

                g_test_message("row %zu", i);
                tree_write(tree, PCI "x/power/wakeup", rows[i].text);
                tree_write(tree, PCI "y/power/control", "auto\n");
                assert_sources(tree, rows[i].wanted);
        }
}

static void a_host_without_devices_has_no_sources(void) {
        g_autoptr(Tree) tree = tree_new();

        assert_sources(tree, "");
        tree_folder(tree, "sys/devices");
        assert_sources(tree, "");
        tree_write(tree, "sys/devices/power/wakeup", "enabled\n");
        assert_sources(tree, "");
}

/* CPUs and what is no hardware; the part of a bridge is not the bridge. */
static void what_is_passed_over(void) {
        g_autoptr(Tree) tree = tree_new();

        tree_write(tree, DEVICES "system/cpu/cpu0/power/wakeup", "enabled\n");
        tree_write(tree, DEVICES "virtual/net/tap0/power/wakeup", "enabled\n");
        tree_write(tree, PCI "0000:00:1c.0/power/wakeup", "enabled\n");
        tree_write(tree, PCI "0000:00:1c.0/0000:01:00.0/power/wakeup", "enabled\n");
        tree_write(tree, PCI "0000:00:1c.0/0000:01:00.0/net/eth0/address", "52:54:00:12:34:56\n");
        tree_write(tree, PCI "virtual/power/wakeup", "disabled\n");
        assert_sources(tree, "pci0000:00/0000:00:1c.0 other, pci0000:00/0000:00:1c.0/0000:01:00.0 network 52:54:00:12:34:56, "
                       "pci0000:00/virtual other off");
}

static void the_walk_follows_no_links(void) {
        g_autoptr(Tree) tree = tree_new();

        tree_write(tree, PCI "x/power/wakeup", "enabled\n");
        tree_link(tree, PCI "x/loop", "../../pci0000:00");
        tree_link(tree, DEVICES "again", "pci0000:00");
        tree_link(tree, PCI "y/power", "../x/power");
        assert_sources(tree, "pci0000:00/x other");
        tree_folder(tree, PCI "z/power");
        tree_link(tree, PCI "z/power/wakeup", "nowhere");
        assert_sources(tree, "pci0000:00/x other");
}

static void the_walk_has_bounds(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(GString) path = g_string_new(DEVICES "deep");
        _cleanup_wake_sources_ WakeSources sources = {};

        for (unsigned i = 0; i < 40; i++)
                g_string_append(path, "/d");
        tree_writef(tree, "enabled\n", "%s/power/wakeup", path->str);
        assert_sources(tree, "");
        for (unsigned i = 0; i < 1100; i++)
                tree_writef(tree, "enabled\n", DEVICES "x%u/power/wakeup", i);
        g_assert_cmpint(wake_sources_read(tree->fd, &sources), ==, 0);
        g_assert_cmpuint(sources.n_items, ==, 1024);
}

static void names_that_a_bus_does_not_carry_are_mended(void) {
        g_autoptr(Tree) tree = tree_new();

        tree_write(tree, DEVICES "a\xff" "b/power/wakeup", "enabled\n");
        assert_sources(tree, "a?b other");
}

#define RTC "sys/class/rtc/rtc0/"

static Tree *clock_new(const char *alarm) {
        Tree *tree = tree_new();

        tree_write(tree, RTC "wakealarm", alarm);
        tree_write(tree, RTC "hctosys", "1\n");
        return tree;
}

static uint64_t now_sec(void) {
        return (uint64_t) time(NULL);
}

static void assert_alarm(const Tree *tree, const char *wanted) {
        g_autofree char *text = tree_read(tree, RTC "wakealarm");

        g_assert_cmpstr(g_strchomp(text), ==, wanted);
}

static int set_alarm(const Tree *tree, uint64_t wake, uint64_t expected, bool replace, ErrorCode *ret_code) {
        _cleanup_error_ Error error = {};
        int r = wake_clock_set(tree->fd, wake, expected, replace, &error);

        g_assert_cmpint(r < 0, ==, error.code != ERROR_NONE);
        *ret_code = error.code;
        return r;
}

static void the_clock_that_can_wake_is_found(void) {
        g_autoptr(Tree) tree = tree_new();
        WakeClock clock;

        g_assert_cmpint(wake_clock_read(tree->fd, &clock), ==, 0);
        g_assert_false(clock.present);
        g_assert_false(wake_clock_present(tree->fd));

        /* The kernel's own cannot wake it. */
        tree_write(tree, "sys/class/rtc/rtc0/hctosys", "1\n");
        tree_write(tree, "sys/class/rtc/rtc1/wakealarm", "");
        tree_write(tree, "sys/class/rtc/rtc2/wakealarm", "");
        g_assert_cmpint(wake_clock_read(tree->fd, &clock), ==, 0);
        g_assert_true(clock.present);
        g_assert_cmpstr(clock.name, ==, "rtc1");
        g_assert_true(wake_clock_present(tree->fd));

        tree_write(tree, "sys/class/rtc/rtc2/hctosys", "1\n");
        g_assert_cmpint(wake_clock_read(tree->fd, &clock), ==, 0);
        g_assert_cmpstr(clock.name, ==, "rtc2");
        g_assert_cmpuint(clock.alarm_sec, ==, 0);
}

static void an_alarm_is_read_if_it_is_to_come(void) {
        uint64_t now = now_sec();
        g_autofree char *future = g_strdup_printf("%" G_GUINT64_FORMAT "\n", now + 5000);
        g_autofree char *past = g_strdup_printf("%" G_GUINT64_FORMAT "\n", now - 5000);
        const struct { const char *text; uint64_t alarm; int r; } rows[] = {
                { future, now + 5000, 0 },
                { past, 0, 0 },
                { "0\n", 0, 0 },
                { "", 0, 0 },
                { "18446744073709551615\n", 0, 0 },
                { "18446744073709551616\n", 0, -ERANGE },
                { "-1\n", 0, -EINVAL },
                { "soon\n", 0, -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = clock_new(rows[i].text);
                WakeClock clock = {};
                ErrorCode code;

                g_test_message("row %zu", i);
                g_assert_cmpint(wake_clock_read(tree->fd, &clock), ==, rows[i].r);
                g_assert_cmpuint(clock.alarm_sec, ==, rows[i].alarm);
                if (rows[i].r < 0) {
                        set_alarm(tree, now + 100, 0, true, &code);
                        g_assert_cmpint(code, ==, ERROR_BACKEND_FAILED);
                }
        }
}

static void an_alarm_is_set_and_cleared(void) {
        g_autoptr(Tree) tree = clock_new("");
        uint64_t wake = now_sec() + 5000;
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, wake), *later = g_strdup_printf("%" G_GUINT64_FORMAT, wake + 50);
        WakeClock clock;
        ErrorCode code;

        g_assert_cmpint(set_alarm(tree, wake, 0, false, &code), ==, 0);
        assert_alarm(tree, text);
        g_assert_cmpint(wake_clock_read(tree->fd, &clock), ==, 0);
        g_assert_cmpuint(clock.alarm_sec, ==, wake);

        g_assert_cmpint(set_alarm(tree, wake + 50, wake, false, &code), ==, 0);
        assert_alarm(tree, later);
        g_assert_cmpint(set_alarm(tree, 0, wake + 50, false, &code), ==, 0);
        assert_alarm(tree, "0");
        /* There is none to take away. */
        g_assert_cmpint(set_alarm(tree, 0, wake + 50, false, &code), ==, 0);
}

static void somebody_elses_alarm_stays(void) {
        uint64_t theirs = now_sec() + 5000;
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", theirs);
        g_autoptr(Tree) tree = clock_new(text);
        const struct { uint64_t wake, expected; } rows[] = {
                { theirs + 100, 0 },
                { theirs + 100, theirs + 3 },
                { theirs + 100, theirs - 3 },
                { theirs, 0 },
                { 0, 0 },
                { 0, theirs + 100 },
        };
        ErrorCode code;

        g_strchomp(text);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_test_message("row %zu", i);
                g_assert_cmpint(set_alarm(tree, rows[i].wake, rows[i].expected, false, &code), ==, -EEXIST);
                g_assert_cmpint(code, ==, ERROR_ALREADY_EXISTS);
                assert_alarm(tree, text);
        }
        g_assert_cmpint(set_alarm(tree, theirs + 100, 0, true, &code), ==, 0);
        g_assert_cmpint(set_alarm(tree, 0, 0, true, &code), ==, 0);
        assert_alarm(tree, "0");
}

/* The kernel refuses one over another that is set. */
static void an_alarm_goes_before_another_comes(void) {
        static const struct { bool set, clear; unsigned writes; } rows[] = {
                { false, false, 1 }, { true, false, 2 }, { true, true, 1 }, { false, true, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t at = now_sec() + 5000;
                g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", at), *path = NULL;
                g_autoptr(Tree) tree = clock_new(rows[i].set ? text : "");
                _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
                union { struct inotify_event event; char bytes[4096]; } buffer;
                unsigned writes = 0;
                ErrorCode code;
                ssize_t n;

                g_test_message("row %zu", i);
                path = tree_path(tree, RTC "wakealarm");
                g_assert_cmpint(inotify_add_watch(fd, path, IN_OPEN | IN_CLOSE_WRITE), >=, 0);
                g_assert_cmpint(set_alarm(tree, rows[i].clear ? 0 : at + 100, at, false, &code), ==, 0);
                n = read(fd, buffer.bytes, sizeof buffer.bytes);
                /* Those of a file itself have no name, and so one size. */
                for (ssize_t j = 0; j < n; j += (ssize_t) sizeof buffer.event) {
                        struct inotify_event event;

                        memcpy(&event, buffer.bytes + j, sizeof event);
                        writes += event.mask & IN_CLOSE_WRITE ? 1 : 0;
                }
                g_assert_cmpuint(writes, ==, rows[i].writes);
        }
}

/* Nobody waits for one that has gone off. */
static void an_alarm_that_is_past_is_nobodys(void) {
        g_autofree char *past = g_strdup_printf("%" G_GUINT64_FORMAT "\n", now_sec() - 1000);
        g_autoptr(Tree) tree = clock_new(past);
        ErrorCode code;

        g_assert_cmpint(set_alarm(tree, now_sec() + 100, 0, false, &code), ==, 0);
}

/* A clock with the time of a place, or a wrong one. */
static void a_clock_with_another_time_is_minded(void) {
        static const int64_t ahead[] = { 7200, -7200, 90, -400000000 };

        for (size_t i = 0; i < ELEMENTSOF(ahead); i++) {
                g_autoptr(Tree) tree = clock_new("");
                uint64_t now = now_sec(), wake = now + 5000, seen;
                g_autofree char *epoch = g_strdup_printf("%" G_GINT64_FORMAT "\n", (int64_t) now + ahead[i]), *text = NULL;
                WakeClock clock;
                ErrorCode code;

                g_test_message("row %zu", i);
                tree_write(tree, RTC "since_epoch", epoch);
                g_assert_cmpint(set_alarm(tree, wake, 0, false, &code), ==, 0);
                text = tree_read(tree, RTC "wakealarm");
                seen = g_ascii_strtoull(text, NULL, 10);
                /* The clock stands still here, ours does not. */
                g_assert_cmpint((int64_t) seen - (int64_t) wake, <=, ahead[i]);
                g_assert_cmpint((int64_t) seen - (int64_t) wake, >, ahead[i] - 60);
                g_assert_cmpint(wake_clock_read(tree->fd, &clock), ==, 0);
                g_assert_cmpuint(clock.alarm_sec, >=, wake);
                g_assert_cmpuint(clock.alarm_sec, <, wake + 60);
        }
}

static void no_clock_no_alarm(void) {
        g_autoptr(Tree) tree = tree_new();
        ErrorCode code;

        set_alarm(tree, now_sec() + 100, 0, false, &code);
        g_assert_cmpint(code, ==, ERROR_NOT_SUPPORTED);
        tree_write(tree, RTC "name", "rtc_cmos\n");
        set_alarm(tree, 0, 0, false, &code);
        g_assert_cmpint(code, ==, ERROR_NOT_SUPPORTED);
}

static void impossible_times_are_refused(void) {
        static const struct { const char *epoch; uint64_t wake; } rows[] = {
                { NULL, UINT64_MAX }, { NULL, (uint64_t) INT64_MAX + 1 }, { "9223372036854775807\n", INT64_MAX }, { "5\n", 10 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = clock_new("");
                ErrorCode code;

                g_test_message("row %zu", i);
                if (rows[i].epoch)
                        tree_write(tree, RTC "since_epoch", rows[i].epoch);
                set_alarm(tree, rows[i].wake, 0, false, &code);
                g_assert_cmpint(code, ==, ERROR_INVALID_ARGS);
                assert_alarm(tree, "");
        }
}

/* Takes no write: nobody reads from it. */
static void a_clock_that_refuses_is_an_error(void) {
        g_autoptr(Tree) tree = tree_new();
        ErrorCode code;

        tree_fifo(tree, RTC "wakealarm");
        set_alarm(tree, now_sec() + 100, 0, false, &code);
        g_assert_cmpint(code, ==, ERROR_BACKEND_FAILED);
}

/* The clock is in the year 2001, a minute before its seconds have a digit more; and a
 * file takes ten bytes: "999999995\n" and "0\n", but not the new alarm. */
static void what_was_there_is_set_again(void) {
        g_autoptr(Tree) tree = clock_new("999999995\n");
        uint64_t theirs = now_sec() + 55, wake = theirs + 300;
        struct rlimit before, ten;
        ErrorCode code;
        void (*handler)(int);

        tree_write(tree, RTC "since_epoch", "999999940\n");
        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
        ten = (struct rlimit) { .rlim_cur = 10, .rlim_max = before.rlim_max };
        handler = signal(SIGXFSZ, SIG_IGN);
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &ten), ==, 0);
        set_alarm(tree, wake, 0, true, &code);
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
        signal(SIGXFSZ, handler);
        g_assert_cmpint(code, ==, ERROR_BACKEND_FAILED);
        assert_alarm(tree, "999999995");
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(each_kind_is_told),
                TEST(kinds_are_known_by_links),
                TEST(only_devices_that_can_are_listed),
                TEST(a_host_without_devices_has_no_sources),
                TEST(what_is_passed_over),
                TEST(the_walk_follows_no_links),
                TEST(the_walk_has_bounds),
                TEST(names_that_a_bus_does_not_carry_are_mended),
                TEST(the_clock_that_can_wake_is_found),
                TEST(an_alarm_is_read_if_it_is_to_come),
                TEST(an_alarm_is_set_and_cleared),
                TEST(somebody_elses_alarm_stays),
                TEST(an_alarm_goes_before_another_comes),
                TEST(an_alarm_that_is_past_is_nobodys),
                TEST(a_clock_with_another_time_is_minded),
                TEST(no_clock_no_alarm),
                TEST(impossible_times_are_refused),
                TEST(a_clock_that_refuses_is_an_error),
                TEST(what_was_there_is_set_again),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/wake/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
