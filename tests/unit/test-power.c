/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether a host can sleep, and what is told of it: a sound machine, spoilt in one place
 * each time. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "fixture.h"
#include "host/power.h"
#include "host/topology-xml.h"

#define SWAPS "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
#define CARD "sys/devices/pci0000:00/0000:00:03.0"

typedef struct Sleeper {
        Fixture *fixture;
        Power *power;
        unsigned changes;       /* all that were told since the last look */
        unsigned n_changes;
        bool was_refreshing;    /* when the last was told */
} Sleeper;

static void on_change(unsigned change, void *userdata) {
        Sleeper *sleeper = userdata;

        g_assert_cmpuint(change, !=, 0);
        sleeper->changes |= change;
        sleeper->n_changes++;
        sleeper->was_refreshing = sleeper->power && power_is_refreshing(sleeper->power);
}

static Sleeper *sleeper_free(Sleeper *sleeper) {
        power_free(sleeper->power);
        g_assert_null(sleeper->fixture->host->power);
        fixture_free(sleeper->fixture);
        g_free(sleeper);
        return NULL;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sleeper, sleeper_free)

/* 16 GiB of memory, of which 3 are anonymous, 8 GiB of swap on a disk. */
static Tree *sound_new(void) {
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        tree_write(tree, "sys/power/state", "freeze mem disk\n");
        tree_write(tree, "sys/power/mem_sleep", "s2idle [deep]\n");
        tree_write(tree, "sys/power/disk", "[platform] shutdown reboot suspend test_resume \n");
        tree_write(tree, "sys/power/resume", "8:2\n");
        tree_write(tree, "sys/power/resume_offset", "0\n");
        tree_write(tree, "sys/power/image_size", "6871947673\n");
        tree_write(tree, "sys/class/block/sda2/dev", "8:2\n");
        tree_write(tree, "sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        tree_write(tree, "proc/swaps", SWAPS "/dev/sda2 partition 8388608 0 -2\n");
        tree_write(tree, "proc/meminfo", "MemTotal: 16777216 kB\nMemFree: 8388608 kB\nActive(anon): 2097152 kB\nInactive(anon): 1048576 kB\n");
        tree_write(tree, "proc/cmdline", "root=/dev/sda1 resume=/dev/sda2\n");
        tree_write(tree, "sys/class/rtc/rtc0/wakealarm", "");
        tree_write(tree, "sys/class/rtc/rtc0/hctosys", "1\n");
        tree_write(tree, CARD "/power/wakeup", "enabled\n");
        tree_write(tree, CARD "/net/eth0/address", "52:54:00:12:34:56\n");
        return tree;
}

static void settle(Sleeper *sleeper) {
        while (power_is_refreshing(sleeper->power))
                g_assert_cmpint(sd_event_run(sleeper->fixture->event, UINT64_MAX), >=, 0);
}

/* With "live" as if it were the machine that runs this. */
static Sleeper *sleeper_start(Tree *tree, bool live) {
        Sleeper *sleeper = g_new0(Sleeper, 1);

        sleeper->fixture = fixture_new(tree);
        sleeper->fixture->host->live = live;
        g_assert_cmpint(power_new(sleeper->fixture->host, sleeper->fixture->event, on_change, sleeper, &sleeper->power), ==, 0);
        g_assert_true(sleeper->fixture->host->power == sleeper->power);
        settle(sleeper);
        return sleeper;
}

static Sleeper *sleeper_new(Tree *tree) {
        return sleeper_start(tree, false);
}

/* "yes: code@subject code@subject!", with "!" after what forbids. */
static char *check_to_string(const Sleeper *sleeper, SleepTarget target) {
        _cleanup_findings_ Findings findings = {};
        SleepAnswer answer = power_check(sleeper->power, target, &findings);
        GString *text = g_string_new(sleep_answer_to_string(answer));
        bool forbidden = false;

        g_assert_cmpint(answer, ==, power_answer(sleeper->power, target));
        for (size_t i = 0; i < findings.n_items; i++) {
                const Finding *finding = findings.items + i;

                g_assert_cmpuint(strlen(finding->message), >, 0);
                g_assert_cmpuint(strlen(finding->remedy), >, 0);
                forbidden = forbidden || finding->severity == SEVERITY_BLOCKS;
                g_string_append_printf(text, "%s %s@%s%s", i == 0 ? ":" : "", finding->code, finding->subject,
                                       finding->severity == SEVERITY_BLOCKS ? "!" : "");
        }
        g_assert_cmpint(forbidden, ==, answer != SLEEP_YES);
        return g_string_free(text, FALSE);
}

static void assert_check(const Sleeper *sleeper, SleepTarget target, const char *wanted) {
        g_autofree char *text = check_to_string(sleeper, target);

        g_assert_cmpstr(text, ==, wanted);
}

/* The message or the remedy of a code has this in it. */
static void assert_told(const Sleeper *sleeper, SleepTarget target, const char *code, const char *part) {
        _cleanup_findings_ Findings findings = {};

        (void) power_check(sleeper->power, target, &findings);
        for (size_t i = 0; i < findings.n_items; i++)
                if (strcmp(findings.items[i].code, code) == 0) {
                        if (!strstr(findings.items[i].message, part) && !strstr(findings.items[i].remedy, part))
                                g_error("\"%s\" stands neither in \"%s\" nor in \"%s\"", part, findings.items[i].message, findings.items[i].remedy);
                        return;
                }
        g_error("no %s", code);
}

/* The answers, in the order of the targets: "yes yes no …". */
static void assert_answers(const Sleeper *sleeper, const char *wanted) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (SleepTarget target = 0; target < _SLEEP_TARGET_MAX; target++)
                g_string_append_printf(text, "%s%s", target > 0 ? " " : "", sleep_answer_to_string(power_answer(sleeper->power, target)));
        g_assert_cmpstr(text->str, ==, wanted);
}

static void targets_have_names(void) {
        for (SleepTarget target = 0; target < _SLEEP_TARGET_MAX; target++) {
                SleepTarget back = _SLEEP_TARGET_MAX;

                g_assert_cmpint(sleep_target_from_string(sleep_target_to_string(target), &back), ==, 0);
                g_assert_cmpint(back, ==, target);
        }
        {
                SleepTarget untouched = SLEEP_HYBRID;

                g_assert_cmpint(sleep_target_from_string("suspend", &untouched), ==, -EINVAL);
                g_assert_cmpint(sleep_target_from_string("", &untouched), ==, -EINVAL);
                g_assert_cmpint(untouched, ==, SLEEP_HYBRID);
        }
        g_assert_null(sleep_target_to_string(_SLEEP_TARGET_MAX));
}

static void a_sound_host_can_all(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());

        assert_answers(sleeper, "yes yes yes yes yes");
        for (SleepTarget target = 0; target < _SLEEP_TARGET_MAX; target++)
                assert_check(sleeper, target, "yes");
        g_assert_cmpuint(sleeper->n_changes, ==, 0);
}

static void one_thing_wrong_is_found(void) {
        static const struct { const char *path, *text; SleepTarget target; const char *wanted, *told; } rows[] = {
                { "proc/swaps", SWAPS, SLEEP_DISK, "no: no-swap@/proc/swaps!", "it takes 3.0 GiB now" },
                { "proc/swaps", SWAPS, SLEEP_DISK, "no: no-swap@/proc/swaps!", "as much as there is memory, 16.0 GiB, is always enough" },
                { "proc/swaps", SWAPS, SLEEP_HYBRID, "no: no-swap@/proc/swaps!", "mkswap" },
                { "proc/swaps", SWAPS, SLEEP_THEN_DISK, "no: no-swap@/proc/swaps!", "from 2.1 GiB on (Active(anon) alone)" },
                { "proc/swaps", SWAPS, SLEEP_MEM, "yes", NULL },
                { "proc/swaps", SWAPS, SLEEP_IDLE, "yes", NULL },
                { "proc/swaps", NULL, SLEEP_DISK, "no: no-swap@/proc/swaps!", "it takes" },
                { "proc/swaps", SWAPS "/dev/sda2 partition many 0 -2\n", SLEEP_DISK, "no: no-swap@/proc/swaps!", NULL },
                { "proc/swaps", SWAPS "/swapfile\\040(deleted) file 8388608 0 -2\n", SLEEP_DISK, "no: no-swap@/proc/swaps!", NULL },
                { "proc/swaps", SWAPS "/dev/zram0 partition 8388608 0 100\n", SLEEP_DISK, "no: swap-in-memory@/dev/zram0!", "it takes 3.0 GiB now" },
                { "proc/swaps", SWAPS "/dev/zram0 partition 8388608 0 100\n/dev/sda2 partition 8388608 0 -2\n", SLEEP_DISK, "yes", NULL },
                { "proc/swaps", SWAPS "/dev/sda2 partition 1048576 0 -2\n", SLEEP_DISK, "blocked: swap-too-small@/dev/sda2!", "has 1.0 GiB free" },
                { "proc/swaps", SWAPS "/dev/sda2 partition 8388608 7340032 -2\n", SLEEP_DISK, "blocked: swap-too-small@/dev/sda2!", "it takes 3.0 GiB now" },
                { "proc/swaps", SWAPS "/dev/sda2 partition 8388608 7340032 -2\n", SLEEP_MEM, "yes", NULL },
                /* 98 % of it, as logind reckons */
                { "proc/swaps", SWAPS "/dev/sda2 partition 2139951 0 -2\n", SLEEP_DISK, "blocked: swap-too-small@/dev/sda2!", "has 2.0 GiB free" },
                { "proc/swaps", SWAPS "/dev/sda2 partition 2139952 0 -2\n", SLEEP_DISK, "yes: swap-too-small@/dev/sda2", "/sys/power/image_size" },
                { "proc/swaps", SWAPS "/dev/sda2 partition 4194304 0 -2\n", SLEEP_DISK, "yes: swap-too-small@/dev/sda2", "may take 6.5 GiB" },
                { "proc/swaps", SWAPS "/dev/sdb2 partition 8388608 0 -2\n", SLEEP_DISK, "yes", NULL },
                { "proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 1024 kB\nActive(anon): 524288 kB\n", SLEEP_DISK, "yes", NULL },
                /* which logind does not mind, but the kernel may */
                { "proc/meminfo", "Active(anon): 1024 kB\nInactive(anon): 9437184 kB\n", SLEEP_DISK, "yes: swap-too-small@/dev/sda2", "may take 9.1 GiB" },
                { "proc/meminfo", "Active(anon): 1024 kB\nInactive(anon): lots kB\n", SLEEP_DISK, "yes", NULL },
                { "sys/power/image_size", "0\n", SLEEP_DISK, "yes", NULL },
                { "proc/meminfo", "MemTotal: 16777216 kB\n", SLEEP_DISK, "yes", NULL },
                { "proc/meminfo", "Active(anon): 18014398509481983 kB\n", SLEEP_DISK, "yes", NULL },
                { "proc/meminfo", "Active(anon): 1801439850948197 kB\n", SLEEP_DISK, "blocked: swap-too-small@/dev/sda2!", NULL },
                { "sys/power/resume", "8:3\n", SLEEP_DISK, "no: no-resume-device@8:3!", "no swap on it" },
                { "sys/power/resume", "0:0\n", SLEEP_DISK, "yes", NULL },
                { "sys/power/resume", "garbage\n", SLEEP_DISK, "yes", NULL },
                { "proc/cmdline", "root=/dev/sda1\n", SLEEP_DISK, "yes", NULL },
                { "sys/kernel/security/lockdown", "none [integrity] confidentiality\n", SLEEP_DISK, "no: locked-down@/sys/kernel/security/lockdown!", "(integrity)" },
                { "sys/kernel/security/lockdown", "none integrity [confidentiality]\n", SLEEP_DISK, "no: locked-down@/sys/kernel/security/lockdown!", "Secure Boot" },
                { "sys/kernel/security/lockdown", "none integrity [confidentiality]\n", SLEEP_MEM, "yes", NULL },
                { "sys/power/disk", "[disabled]\n", SLEEP_DISK, "no: locked-down@/sys/power/disk!", "memfd_secret" },
                { "sys/power/disk", "[platform] shutdown reboot\n", SLEEP_DISK, "yes", NULL },
                { "sys/power/disk", "[platform] shutdown reboot\n", SLEEP_HYBRID, "no: kernel-lacks-it@/sys/power/disk!", "without \"suspend\"" },
                { "sys/power/disk", "platform [suspend]\n", SLEEP_HYBRID, "yes", NULL },
                { "sys/power/disk", NULL, SLEEP_HYBRID, "no: kernel-lacks-it@/sys/power/disk!", NULL },
                { "sys/power/state", "freeze mem\n", SLEEP_DISK, "no: kernel-lacks-it@/sys/power/state!", "without \"disk\"" },
                { "sys/power/state", "freeze mem\n", SLEEP_THEN_DISK, "no: kernel-lacks-it@/sys/power/state!", NULL },
                { "sys/power/state", "disk\n", SLEEP_THEN_DISK, "no: kernel-lacks-it@/sys/power/state!", "without \"mem\"" },
                { "sys/power/state", "disk\n", SLEEP_IDLE, "no: kernel-lacks-it@/sys/power/state!", "without \"freeze\"" },
                { "sys/power/state", "disk\n", SLEEP_MEM, "no: kernel-lacks-it@/sys/power/state!", "has \"disk\"" },
                { "sys/power/state", "mem\n", SLEEP_IDLE, "yes", NULL },
                { "sys/power/state", "\n", SLEEP_MEM, "no: kernel-lacks-it@/sys/power/state!", NULL },
                { "sys/power/state", "\n", SLEEP_DISK, "no: kernel-lacks-it@/sys/power/state!", NULL },
                { "sys/power/state", NULL, SLEEP_MEM, "no: kernel-lacks-it@/sys/power/state!", "not a container" },
                { "sys/power/state", NULL, SLEEP_THEN_DISK, "no: kernel-lacks-it@/sys/power/state!", NULL },
                { "sys/power/mem_sleep", "[s2idle]\n", SLEEP_MEM, "no: kernel-lacks-it@/sys/power/mem_sleep!", "firmware" },
                { "sys/power/mem_sleep", "[s2idle]\n", SLEEP_THEN_DISK, "yes", NULL },
                { "sys/power/mem_sleep", "[s2idle]\n", SLEEP_IDLE, "yes", NULL },
                { "sys/power/mem_sleep", "s2idle deep\n", SLEEP_MEM, "yes", NULL },
                { "sys/power/mem_sleep", "", SLEEP_MEM, "no: kernel-lacks-it@/sys/power/mem_sleep!", NULL },
                /* older kernels have no choice */
                { "sys/power/mem_sleep", NULL, SLEEP_MEM, "yes", NULL },
                { "sys/class/rtc", NULL, SLEEP_MEM, "yes: no-alarm@/sys/class/rtc", "rtc_cmos" },
                { "sys/class/rtc", NULL, SLEEP_DISK, "yes: no-alarm@/sys/class/rtc", NULL },
                /* which has to wake in between */
                { "sys/class/rtc", NULL, SLEEP_THEN_DISK, "no: no-alarm@/sys/class/rtc!", NULL },
                { CARD, NULL, SLEEP_MEM, "yes", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Tree *tree = sound_new();
                g_autoptr(Sleeper) sleeper = NULL;

                g_test_message("row %zu", i);
                if (rows[i].text)
                        tree_write(tree, rows[i].path, rows[i].text);
                else
                        tree_remove(tree, rows[i].path);
                sleeper = sleeper_new(tree);
                assert_check(sleeper, rows[i].target, rows[i].wanted);
                if (rows[i].told) {
                        g_autofree char *code = g_strdup(strchr(rows[i].wanted, ' ') + 1);

                        *strchr(code, '@') = 0;
                        assert_told(sleeper, rows[i].target, code, rows[i].told);
                }
        }
}

/* The next start would not find it: nothing is set, or a file's place is missing. */
static void an_image_has_to_be_found_again(void) {
        static const struct { const char *command_line, *swaps, *offset; bool efi, unit; const char *wanted; } rows[] = {
                { "quiet", "/dev/sda2 partition 8388608 0 -2\n", "0", false, false, "no: no-resume-device@/sys/power/resume!" },
                { "resume=/dev/sda2", "/dev/sda2 partition 8388608 0 -2\n", "0", false, false, "yes" },
                { "resume=/dev/sda1", "/swapfile file 8388608 0 -2\n", "0", false, false, "no: no-resume-device@/swapfile!" },
                { "resume=/dev/sda1 resume_offset=34816", "/swapfile file 8388608 0 -2\n", "0", false, false, "yes" },
                { "resume=/dev/sda1", "/swapfile file 8388608 0 -2\n", "34816", false, false, "yes" },
                { "quiet", "/swapfile file 8388608 0 -2\n", "0", false, false, "no: no-resume-device@/sys/power/resume!" },
                { "quiet", "", "0", false, false, "no: no-swap@/proc/swaps! no-resume-device@/sys/power/resume!" },
                { "quiet", "/dev/sda2 partition 8388608 0 -2\n", "0", true, false, "no: no-resume-device@/sys/power/resume!" },
                { "quiet", "/dev/sda2 partition 8388608 0 -2\n", "0", false, true, "no: no-resume-device@/sys/power/resume!" },
                /* a systemd that leaves a note for the next start */
                { "quiet", "/dev/sda2 partition 8388608 0 -2\n", "0", true, true, "yes: no-resume-device@/sys/power/resume" },
        };
        const SleepManager manager = { .present = true };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Tree *tree = sound_new();
                g_autofree char *swaps = g_strconcat(SWAPS, rows[i].swaps, NULL);
                g_autoptr(Sleeper) sleeper = NULL;

                g_test_message("row %zu", i);
                tree_write(tree, "sys/power/resume", "0:0\n");
                tree_write(tree, "sys/power/resume_offset", rows[i].offset);
                tree_write(tree, "proc/cmdline", rows[i].command_line);
                tree_write(tree, "proc/swaps", swaps);
                if (rows[i].efi)
                        tree_folder(tree, "sys/firmware/efi");
                if (rows[i].unit)
                        tree_write(tree, "usr/lib/systemd/system/systemd-hibernate-resume.service", "");
                sleeper = sleeper_new(tree);
                g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
                assert_check(sleeper, SLEEP_DISK, rows[i].wanted);
        }
}

/* "disk" is missing as where the kernel was built without, but that is not why. */
static void the_real_reason_is_told(void) {
        g_autoptr(Sleeper) sleeper = NULL;
        Tree *tree = sound_new();

        tree_write(tree, "sys/power/state", "freeze mem\n");
        tree_write(tree, "sys/power/disk", "[disabled]\n");
        sleeper = sleeper_new(tree);
        assert_check(sleeper, SLEEP_DISK, "no: locked-down@/sys/power/disk!");
        tree_write(tree, "proc/cmdline", "nohibernate resume=/dev/sda2\n");
        power_look(sleeper->power);
        assert_check(sleeper, SLEEP_DISK, "no: kernel-lacks-it@/proc/cmdline!");
        tree_write(tree, "sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        power_look(sleeper->power);
        assert_check(sleeper, SLEEP_HYBRID, "no: locked-down@/sys/kernel/security/lockdown! kernel-lacks-it@/proc/cmdline!");
}

static void all_that_is_wrong_is_told(void) {
        g_autoptr(Sleeper) sleeper = NULL;
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        sleeper = sleeper_new(tree);
        assert_answers(sleeper, "no no no no no");
        assert_check(sleeper, SLEEP_DISK, "no: kernel-lacks-it@/sys/power/state! no-swap@/proc/swaps! no-alarm@/sys/class/rtc nothing-wakes-it@/sys/devices");
        assert_told(sleeper, SLEEP_DISK, "no-swap", "as much as there is memory, 1.0 GiB, is always enough");
        tree_remove(tree, "proc/meminfo");
        power_look(sleeper->power);
        assert_told(sleeper, SLEEP_DISK, "no-swap", "does not tell how much memory");
}

static void what_logind_says_is_minded(void) {
        static const struct { ManagerAnswer said; SleepTarget target; const char *wanted, *told; } rows[] = {
                { MANAGER_UNKNOWN, SLEEP_MEM, "yes", NULL },
                { MANAGER_YES, SLEEP_MEM, "yes", NULL },
                { MANAGER_CHALLENGE, SLEEP_MEM, "yes", NULL },
                { MANAGER_NA, SLEEP_MEM, "no: manager-refuses@systemd-logind!", "\"na\" to CanSuspend:" },
                { MANAGER_NA, SLEEP_IDLE, "no: manager-refuses@systemd-logind!", "CanSuspend:" },
                { MANAGER_NA, SLEEP_DISK, "no: manager-refuses@systemd-logind!", "CanHibernate:" },
                { MANAGER_NA, SLEEP_HYBRID, "no: manager-refuses@systemd-logind!", "CanHybridSleep:" },
                { MANAGER_NA, SLEEP_THEN_DISK, "no: manager-refuses@systemd-logind!", "CanSuspendThenHibernate:" },
                { MANAGER_NO, SLEEP_DISK, "blocked: manager-refuses@systemd-logind!", "\"no\" to CanHibernate" },
                { MANAGER_INHIBITED, SLEEP_DISK, "blocked: inhibited@systemd-logind!", "systemd-inhibit --list" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
                SleepManager manager = { .present = true };

                g_test_message("row %zu", i);
                manager.answers[rows[i].target] = rows[i].said;
                g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
                assert_check(sleeper, rows[i].target, rows[i].wanted);
                if (rows[i].told)
                        assert_told(sleeper, rows[i].target, i == ELEMENTSOF(rows) - 1 ? "inhibited" : "manager-refuses", rows[i].told);
                g_assert_cmpuint(sleeper->changes, ==, strcmp(rows[i].wanted, "yes") == 0 ? 0 :
                                 POWER_CHANGE_ANSWERS | (unsigned) POWER_CHANGE_TARGETS << rows[i].target);
        }
}

/* "na" because of what is in memory now is not for ever. */
static void what_is_of_the_moment_is_no_no(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        SleepManager manager = { .present = true, .answers = { [SLEEP_DISK] = MANAGER_NA } };

        tree_write(sleeper->fixture->tree, "proc/swaps", SWAPS "/dev/sda2 partition 1048576 0 -2\n");
        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        assert_answers(sleeper, "yes yes no yes yes");
        power_look(sleeper->power);
        assert_answers(sleeper, "yes yes blocked blocked blocked");
        assert_check(sleeper, SLEEP_DISK, "blocked: swap-too-small@/dev/sda2! manager-refuses@systemd-logind!");
}

static void without_logind_the_kernel_is_told(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        const SleepManager none = { .present = false }, some = { .present = true };

        g_assert_cmpint(power_set_manager(sleeper->power, &none), ==, 0);
        assert_check(sleeper, SLEEP_MEM, "yes: manager-missing@systemd-logind");
        g_assert_cmpuint(sleeper->n_changes, ==, 0);
        g_assert_cmpint(power_set_manager(sleeper->power, &some), ==, 0);
        assert_check(sleeper, SLEEP_MEM, "yes");
}

static void who_holds_up_sleep_is_told(void) {
        static const struct { const char *what; bool block, told; } rows[] = {
                { "sleep", true, true },
                { "shutdown:sleep:idle", true, true },
                { "shutdown:sleep", true, true },
                { "sleep", false, false },
                { "shutdown:idle", true, false },
                { "handle-suspend-key", true, false },
                { "sleeping:asleep", true, false },
                { "", true, false },
                { ":", true, false },
                { NULL, true, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
                SleepInhibitor inhibitor = {
                        .what = (char *) rows[i].what, .who = (char *) "apt", .why = (char *) "at work", .block = rows[i].block, .uid = 0, .pid = 77,
                };
                const SleepManager manager = { .present = true, .inhibitors = &inhibitor, .n_inhibitors = 1 };

                g_test_message("row %zu", i);
                g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
                assert_answers(sleeper, rows[i].told ? "blocked blocked blocked blocked blocked" : "yes yes yes yes yes");
                assert_check(sleeper, SLEEP_IDLE, rows[i].told ? "blocked: inhibited@apt!" : "yes");
                if (rows[i].told)
                        assert_told(sleeper, SLEEP_MEM, "inhibited", "apt (process 77, user 0) holds up sleep: at work");
        }
}

static void each_inhibitor_is_told_and_too_many_still_block(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        SleepInhibitor inhibitors[100];
        SleepManager manager = { .present = true, .inhibitors = inhibitors, .n_inhibitors = 2 };
        _cleanup_findings_ Findings findings = {};

        for (size_t i = 0; i < ELEMENTSOF(inhibitors); i++)
                inhibitors[i] = (SleepInhibitor) { .what = (char *) "sleep", .who = (char *) (i % 2 ? "b\x1b[31m" : ""), .block = true };
        /* Who and why are of them, and logind's own word for it says no more. */
        manager.answers[SLEEP_MEM] = MANAGER_INHIBITED;
        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        assert_check(sleeper, SLEEP_MEM, "blocked: inhibited@somebody! inhibited@b?[31m!");
        manager.n_inhibitors = ELEMENTSOF(inhibitors);
        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        g_assert_cmpint(power_check(sleeper->power, SLEEP_MEM, &findings), ==, SLEEP_BLOCKED);
        g_assert_cmpuint(findings.n_items, ==, FINDINGS_MAX);
        g_assert_cmpuint(findings.n_dropped, >, 0);
}

static void a_sleep_on_its_way_blocks_another(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        SleepManager manager = { .present = true, .preparing = true };

        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        assert_check(sleeper, SLEEP_MEM, "blocked: sleeping@systemd-logind!");
        g_assert_true(sleeper->changes & POWER_CHANGE_PREPARING);
        g_assert_true(power_manager(sleeper->power)->preparing);
        for (SleepTarget target = 0; target < _SLEEP_TARGET_MAX; target++)
                g_assert_true(power_changed_target(sleeper->changes, target));

        /* The same again is no change. */
        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        g_assert_cmpuint(sleeper->n_changes, ==, 1);
        manager.preparing = false;
        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        g_assert_cmpuint(sleeper->n_changes, ==, 2);
        assert_answers(sleeper, "yes yes yes yes yes");
}

static void guests_that_cannot_are_told(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        const SleepGuest guests[] = {
                { .name = (char *) "db", .reason = (char *) "its policy is to block" },
                { .name = (char *) "gpu", .reason = (char *) "PCI device 0000:3b:00.0 is passed through to it" },
        };

        g_assert_cmpint(power_set_guests(sleeper->power, guests, 2), ==, 0);
        assert_answers(sleeper, "blocked blocked blocked blocked blocked");
        assert_check(sleeper, SLEEP_MEM, "blocked: guest-blocks@db! guest-blocks@gpu!");
        assert_told(sleeper, SLEEP_MEM, "guest-blocks", "db cannot take a sleep: its policy is to block");
        g_assert_cmpint(power_set_guests(sleeper->power, guests, 1), ==, 0);
        g_assert_cmpuint(sleeper->n_changes, ==, 1);
        g_assert_cmpint(power_set_guests(sleeper->power, NULL, 0), ==, 0);
        assert_answers(sleeper, "yes yes yes yes yes");
        g_assert_cmpuint(sleeper->n_changes, ==, 2);
}

static void copies_are_whole(void) {
        SleepInhibitor inhibitor = { .what = (char *) "sleep", .who = NULL, .why = (char *) "", .block = true, .uid = 5, .pid = 6 };
        SleepManager manager = { .present = true, .answers = { [SLEEP_HYBRID] = MANAGER_NO }, .inhibitors = &inhibitor, .n_inhibitors = 1 };
        _cleanup_(sleep_manager_clear) SleepManager copy = {};

        g_assert_cmpint(sleep_manager_copy(&manager, &copy), ==, 0);
        g_assert_true(sleep_manager_equal(&manager, &copy));
        g_assert_true(copy.inhibitors != manager.inhibitors);

#define DIFFERS(field, other) \
        do { \
                __auto_type kept_ = field; \
                field = other; \
                g_assert_false(sleep_manager_equal(&manager, &copy)); \
                field = kept_; \
        } while (0)
        DIFFERS(manager.present, false);
        DIFFERS(manager.preparing, true);
        DIFFERS(manager.answers[SLEEP_HYBRID], MANAGER_NA);
        DIFFERS(manager.n_inhibitors, 0);
        DIFFERS(inhibitor.what, (char *) "idle");
        DIFFERS(inhibitor.who, (char *) "me");
        DIFFERS(inhibitor.why, (char *) "because");
        DIFFERS(inhibitor.block, false);
        DIFFERS(inhibitor.uid, 7);
        DIFFERS(inhibitor.pid, 7);
        g_assert_true(sleep_manager_equal(&manager, &copy));
}

static void the_default_is_what_the_kernel_has_chosen(void) {
        static const struct { const char *state, *mem_sleep; SleepTarget target; } rows[] = {
                { "freeze mem disk", "s2idle [deep]", SLEEP_MEM },
                { "freeze mem disk", "[s2idle] deep", SLEEP_IDLE },
                { "freeze mem disk", "[s2idle]", SLEEP_IDLE },
                { "freeze mem disk", "s2idle deep", SLEEP_MEM },
                { "freeze mem disk", "s2idle [shallow]", SLEEP_IDLE },
                { "freeze mem", NULL, SLEEP_MEM },
                { "freeze", NULL, SLEEP_IDLE },
                { "", "", SLEEP_MEM },
                { NULL, NULL, SLEEP_MEM },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Tree *tree = sound_new();
                g_autoptr(Sleeper) sleeper = NULL;

                g_test_message("row %zu", i);
                tree_remove(tree, "sys/power/state");
                tree_remove(tree, "sys/power/mem_sleep");
                if (rows[i].state)
                        tree_write(tree, "sys/power/state", rows[i].state);
                if (rows[i].mem_sleep)
                        tree_write(tree, "sys/power/mem_sleep", rows[i].mem_sleep);
                sleeper = sleeper_new(tree);
                g_assert_cmpint(power_default_target(sleeper->power), ==, rows[i].target);
        }
}

static void a_look_tells_what_changed(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());

        power_look(sleeper->power);
        g_assert_cmpuint(sleeper->n_changes, ==, 0);
        tree_write(sleeper->fixture->tree, "sys/power/disk", "[platform]\n");
        power_look(sleeper->power);
        g_assert_cmpuint(sleeper->changes, ==, POWER_CHANGE_ANSWERS | (unsigned) POWER_CHANGE_TARGETS << SLEEP_HYBRID);
        g_assert_true(power_changed_target(sleeper->changes, SLEEP_HYBRID));
        g_assert_false(power_changed_target(sleeper->changes, SLEEP_DISK));
        /* Another finding for the same answer. */
        sleeper->n_changes = 0;
        tree_remove(sleeper->fixture->tree, "sys/power/disk");
        power_look(sleeper->power);
        g_assert_cmpuint(sleeper->n_changes, ==, 0);
}

static void what_wakes_it_is_found_by_a_worker(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        const Tree *tree = sleeper->fixture->tree;

        tree_remove(tree, "sys/class/rtc");
        power_refresh(sleeper->power);
        settle(sleeper);
        assert_check(sleeper, SLEEP_MEM, "yes: no-alarm@/sys/class/rtc");

        tree_write(tree, CARD "/power/wakeup", "disabled\n");
        tree_write(tree, "sys/devices/LNXSYSTM:00/LNXPWRBN:00/power/wakeup", "enabled\n");
        power_refresh(sleeper->power);
        settle(sleeper);
        assert_check(sleeper, SLEEP_MEM, "yes: no-alarm@/sys/class/rtc nothing-wakes-it@/sys/devices");
        assert_told(sleeper, SLEEP_MEM, "nothing-wakes-it", "only somebody at the machine");

        tree_write(tree, "sys/devices/LNXSYSTM:00/LNXPWRBN:00/power/wakeup", "disabled\n");
        power_refresh(sleeper->power);
        settle(sleeper);
        assert_told(sleeper, SLEEP_MEM, "nothing-wakes-it", "no device is armed");
}

/* Before the worker is back, nothing is claimed of what it looks for. */
static void what_is_not_known_is_not_told(void) {
        Tree *tree = sound_new();
        g_autoptr(Sleeper) sleeper = g_new0(Sleeper, 1);
        Hold *hold;

        tree_remove(tree, "sys/class/rtc");
        tree_remove(tree, CARD);
        sleeper->fixture = fixture_new(tree);
        hold = fixture_hold(sleeper->fixture);
        g_assert_cmpint(power_new(sleeper->fixture->host, sleeper->fixture->event, on_change, sleeper, &sleeper->power), ==, 0);
        assert_check(sleeper, SLEEP_MEM, "yes: no-alarm@/sys/class/rtc");
        /* Two more make one. */
        power_refresh(sleeper->power);
        power_refresh(sleeper->power);
        fixture_let_go(hold);
        settle(sleeper);
        assert_check(sleeper, SLEEP_MEM, "yes: no-alarm@/sys/class/rtc nothing-wakes-it@/sys/devices");
}

static void it_may_go_before_the_worker(void) {
        Fixture *fixture = fixture_new(sound_new());
        Hold *hold = fixture_hold(fixture);
        Sleeper heard = {};
        Power *power;

        g_assert_cmpint(power_new(fixture->host, fixture->event, on_change, &heard, &power), ==, 0);
        g_assert_true(power_is_refreshing(power));
        power_free(power);
        fixture_let_go(hold);
        fixture_free(fixture);
        g_assert_cmpuint(heard.n_changes, ==, 0);
        g_assert_null(power_free(NULL));
}

static void the_worker_may_go_before_it(void) {
        Fixture *fixture = fixture_new(sound_new());
        Sleeper heard = {};
        Power *power;

        g_assert_cmpint(power_new(fixture->host, fixture->event, on_change, &heard, &power), ==, 0);
        workers_free(TAKE_PTR(fixture->workers));
        g_assert_false(power_is_refreshing(power));
        power_free(power);
        fixture_free(fixture);
}

static void another_alarm_is_told(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        uint64_t at = (uint64_t) g_get_real_time() / G_USEC_PER_SEC + 5000;
        const uint64_t alarms[] = { at, at + 1, at + 100, 0 };
        const bool told[] = { true, false, true, true };

        for (size_t i = 0; i < ELEMENTSOF(alarms); i++) {
                g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", alarms[i]);

                g_test_message("row %zu", i);
                sleeper->changes = 0;
                tree_write(sleeper->fixture->tree, "sys/class/rtc/rtc0/wakealarm", text);
                power_refresh(sleeper->power);
                settle(sleeper);
                g_assert_cmpuint(sleeper->changes, ==, told[i] ? POWER_CHANGE_ALARM : 0);
        }
}

/* The walk that is on its way may have passed the place already. */
static void one_that_is_asked_for_meanwhile_is_another(void) {
        for (unsigned more = 0; more < 2; more++) {
                g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
                g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT "\n", g_get_real_time() / G_USEC_PER_SEC + 5000);
                Hold *hold;

                g_test_message("row %u", more);
                tree_write(sleeper->fixture->tree, "sys/class/rtc/rtc0/wakealarm", text);
                hold = fixture_hold(sleeper->fixture);
                for (unsigned i = 0; i <= more; i++)
                        power_refresh(sleeper->power);
                fixture_let_go(hold);
                settle(sleeper);
                g_assert_cmpuint(sleeper->n_changes, ==, 1);
                g_assert_cmpint(sleeper->was_refreshing, ==, more > 0);
        }
}

static void a_live_host_is_followed(void) {
        static const struct { const char *path, *text, *answers; } rows[] = {
                { "sys/power/mem_sleep", "[s2idle]\n", "no yes yes yes yes" },
                { "sys/power/disk", "[platform]\n", "yes yes yes no yes" },
                { "sys/power/resume", "8:3\n", "yes yes no no no" },
                { "sys/power/state", "disk\n", "no no yes yes no" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Sleeper) sleeper = sleeper_start(sound_new(), true);

                g_test_message("row %zu", i);
                tree_write(sleeper->fixture->tree, rows[i].path, rows[i].text);
                while (sleeper->n_changes == 0)
                        g_assert_cmpint(sd_event_run(sleeper->fixture->event, UINT64_MAX), >=, 0);
                /* A file is made empty, and then written. */
                while (sd_event_run(sleeper->fixture->event, 0) > 0)
                        ;
                assert_answers(sleeper, rows[i].answers);
        }
}

static void a_file_that_is_not_ours_is_no_news(void) {
        g_autoptr(Sleeper) sleeper = sleeper_start(sound_new(), true);

        /* Not written to, and so not told. */
        tree_write(sleeper->fixture->tree, "proc/swaps", SWAPS);
        tree_write(sleeper->fixture->tree, "sys/power/wakeup_count", "5\n");
        while (sd_event_run(sleeper->fixture->event, 0) > 0)
                ;
        assert_answers(sleeper, "yes yes yes yes yes");
        tree_write(sleeper->fixture->tree, "sys/power/image_size", "5\n");
        while (sleeper->n_changes == 0)
                g_assert_cmpint(sd_event_run(sleeper->fixture->event, UINT64_MAX), >=, 0);
        assert_answers(sleeper, "yes yes no no no");
}

static void a_recorded_host_is_not_followed(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());

        tree_write(sleeper->fixture->tree, "sys/power/mem_sleep", "[s2idle]\n");
        while (sd_event_run(sleeper->fixture->event, 0) > 0)
                ;
        assert_answers(sleeper, "yes yes yes yes yes");
}

static void the_xml_is_that_of_libvirt(void) {
        g_autoptr(Sleeper) sleeper = sleeper_new(sound_new());
        SleepManager manager = { .present = true, .preparing = true };
        _cleanup_free_ char *xml = NULL, *less = NULL, *none = NULL, *host = NULL;

        /* What is only blocked is offered. */
        g_assert_cmpint(power_set_manager(sleeper->power, &manager), ==, 0);
        g_assert_cmpint(power_to_xml(sleeper->power, &xml), ==, 0);
        g_assert_cmpstr(xml, ==, "<power_management>\n  <suspend_mem/>\n  <suspend_disk/>\n  <suspend_hybrid/>\n</power_management>\n");
        tree_write(sleeper->fixture->tree, "proc/swaps", SWAPS);
        power_look(sleeper->power);
        g_assert_cmpint(power_to_xml(sleeper->power, &less), ==, 0);
        g_assert_cmpstr(less, ==, "<power_management>\n  <suspend_mem/>\n</power_management>\n");
        g_assert_cmpint(capabilities_to_xml(sleeper->fixture->host, &host), ==, 0);
        g_assert_nonnull(strstr(host, "    </cpu>\n    <power_management>\n      <suspend_mem/>\n    </power_management>\n    <topology>\n"));
        tree_write(sleeper->fixture->tree, "sys/power/state", "\n");
        power_look(sleeper->power);
        g_assert_cmpint(power_to_xml(sleeper->power, &none), ==, 0);
        g_assert_cmpstr(none, ==, "<power_management/>\n");
}

/* Most show no /sys/power, and none has a swap: whatever they hold, there is an answer. */
static void look_at_recording(const char *folder, const char *archive) {
        g_autofree char *path = g_build_filename(folder, archive, NULL), *state = NULL;
        g_autoptr(Sleeper) sleeper = NULL;
        g_autoptr(GError) error = NULL;
        Tree *tree = tree_new();
        /* Without what makes them large: of CPUs, one is enough here. */
        const char *const tar[] = { "tar", "-xJf", path, "--strip-components=1", "--no-same-owner", "--exclude=cpu", "--exclude=node",
                                    "--exclude=hugepages*", "-C", tree->root, NULL };
        int status;

        g_spawn_sync(NULL, (char **) tar, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error);
        g_assert_no_error(error);
        g_assert_cmpint(status, ==, 0);

        tree_write(tree, CPU "/present", "0\n");
        tree_write(tree, CPU "/online", "0\n");
        state = tree_path(tree, "sys/power/state");
        sleeper = sleeper_new(tree);
        for (SleepTarget target = 0; target < _SLEEP_TARGET_MAX; target++) {
                g_autofree char *text = check_to_string(sleeper, target);

                g_test_message("%s: %s: %s", archive, sleep_target_to_string(target), text);
                if (!g_file_test(state, G_FILE_TEST_EXISTS))
                        g_assert_true(g_str_has_prefix(text, "no: kernel-lacks-it@/sys/power/state! "));
                if (target == SLEEP_DISK || target == SLEEP_HYBRID || target == SLEEP_THEN_DISK)
                        g_assert_true(g_str_has_prefix(text, "no: ") && strstr(text, "no-swap@/proc/swaps!"));
        }
}

static void recorded_hosts_are_answered_for(void) {
        const char *fixtures = g_getenv("BERTH_FIXTURES"), *sources = g_getenv("BERTH_SOURCE_ROOT");
        g_autofree char *own = g_build_filename(sources, "tests", "fixtures", "hosts", NULL);
        g_autofree char *collection = fixtures ? g_build_filename(fixtures, "hosts", NULL) : g_build_filename(sources, "..", "shared", "fixtures", "hosts", NULL);
        const char *const folders[] = { own, collection };
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                g_autoptr(GDir) dir = g_dir_open(folders[i], 0, NULL);
                const char *name;

                while (dir && (name = g_dir_read_name(dir)))
                        if (g_str_has_suffix(name, ".tar.xz")) {
                                look_at_recording(folders[i], name);
                                n++;
                        }
        }
        /* The project's own are always there. */
        g_assert_cmpuint(n, >, 0);
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(targets_have_names),
                TEST(a_sound_host_can_all),
                TEST(one_thing_wrong_is_found),
                TEST(an_image_has_to_be_found_again),
                TEST(the_real_reason_is_told),
                TEST(all_that_is_wrong_is_told),
                TEST(what_logind_says_is_minded),
                TEST(what_is_of_the_moment_is_no_no),
                TEST(without_logind_the_kernel_is_told),
                TEST(who_holds_up_sleep_is_told),
                TEST(each_inhibitor_is_told_and_too_many_still_block),
                TEST(a_sleep_on_its_way_blocks_another),
                TEST(guests_that_cannot_are_told),
                TEST(copies_are_whole),
                TEST(the_default_is_what_the_kernel_has_chosen),
                TEST(a_look_tells_what_changed),
                TEST(what_wakes_it_is_found_by_a_worker),
                TEST(what_is_not_known_is_not_told),
                TEST(it_may_go_before_the_worker),
                TEST(the_worker_may_go_before_it),
                TEST(another_alarm_is_told),
                TEST(one_that_is_asked_for_meanwhile_is_another),
                TEST(a_live_host_is_followed),
                TEST(a_file_that_is_not_ours_is_no_news),
                TEST(a_recorded_host_is_not_followed),
                TEST(the_xml_is_that_of_libvirt),
                TEST(recorded_hosts_are_answered_for),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/power/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
