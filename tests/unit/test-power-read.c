/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the kernel's files say of sleep, and what becomes of those that make no sense. */

#include <glib.h>
#include <string.h>

#include "host/power-read.h"
#include "machine.h"

static void words_are_found_and_one_is_chosen(void) {
        static const struct { const char *text, *word; bool has, chose; } rows[] = {
                { "s2idle [deep]", "deep", true, true },
                { "s2idle [deep]", "s2idle", true, false },
                { "[s2idle] deep", "deep", true, false },
                { "[s2idle]", "s2idle", true, true },
                { "s2idle deep", "deep", true, false },
                { "s2idle\tdeep", "deep", true, false },
                { "deeper", "deep", false, false },
                { "[deeper]", "deep", false, false },
                { "[deep", "deep", false, false },
                { "deep]", "deep", false, false },
                { "[]", "", false, false },
                { "[", "deep", false, false },
                { "", "deep", false, false },
                { "   ", "deep", false, false },
                { "[s2idle] [deep]", "deep", true, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                WordList list = { .known = true };

                g_test_message("row %zu", i);
                g_strlcpy(list.text, rows[i].text, sizeof list.text);
                g_assert_cmpint(word_list_has(&list, rows[i].word), ==, rows[i].has);
                g_assert_cmpint(word_list_chose(&list, rows[i].word), ==, rows[i].chose);
        }
}

#define HEAD "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

/* "PATH SIZE USED PRIORITY letters" */
static char *swaps_to_string(const SwapArea *areas, size_t n) {
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "%s%s%s",
                                       i > 0 ? ", " : "", areas[i].path, areas[i].size_bytes >> 10, areas[i].used_bytes >> 10, areas[i].priority,
                                       areas[i].file ? " file" : "", areas[i].in_memory ? " memory" : "", areas[i].deleted ? " deleted" : "");
        return g_string_free(text, FALSE);
}

static void swaps_are_read_row_by_row(void) {
        static const struct { const char *text, *areas; } rows[] = {
                { "", "" },
                { HEAD, "" },
                { HEAD "/dev/sda2                               partition\t8388604\t\t1024\t\t-2\n", "/dev/sda2 8388604 1024 -2" },
                { HEAD "/dev/sda2 partition 1 0 -2", "/dev/sda2 1 0 -2" },
                { HEAD "/swap\\040file\\011x file 4 4 32767\n/dev/zram0 partition 8 0 100\n", "/swap file\tx 4 4 32767 file, /dev/zram0 8 0 100 memory" },
                { HEAD "/swapfile\\040(deleted) file 4 0 -2\n", "/swapfile (deleted) 4 0 -2 file deleted" },
                { HEAD "/back\\134slash file 4 0 1\n/short\\04 file 4 0 1\n/nine\\999 file 4 0 1\n/end\\ file 4 0 1\n",
                  "/back\\slash 4 0 1 file, /short\\04 4 0 1 file, /nine\\999 4 0 1 file, /end\\ 4 0 1 file" },
                { HEAD "/four\\477 file 4 0 1\n", "/four\\477 4 0 1 file" },
                /* a word is missing, or is none */
                { HEAD "/dev/sda2 partition 8388604 1024\n/dev/sdb2 partition 1 0 -3\n", "/dev/sdb2 1 0 -3" },
                { HEAD "/dev/sda2\n\n \n/dev/sdb2 partition 1 0 -3\n", "/dev/sdb2 1 0 -3" },
                { "sda2 partition 8 0 -2\n", "" },
                { "/dev/sda2 partition -8 0 -2\n", "" },
                { "/dev/sda2 partition 8 -1 -2\n", "" },
                { "/dev/sda2 partition 8 0 --2\n", "" },
                { "/dev/sda2 partition 8 0 -\n", "" },
                { "/dev/sda2 partition 8kB 0 -2\n", "" },
                { "/dev/sda2 partition 0x8 0 -2\n", "" },
                /* more in use than there is */
                { "/dev/sda2 partition 8 9 -2\n", "" },
                { "/dev/sda2 partition 9007199254740991 0 -2\n", "/dev/sda2 9007199254740991 0 -2" },
                { "/dev/sda2 partition 9007199254740992 0 -2\n", "" },
                { "/dev/sda2 partition 18446744073709551616 0 -2\n", "" },
                { "/dev/sda2 partition 99999999999999999999999999999999 0 -2\n", "" },
                { "/dev/sda2 partition 8 0 99999999999999999999\n", "" },
                { "/dev/sda2 partition 8 0 -9223372036854775807\n", "/dev/sda2 8 0 -9223372036854775807" },
                /* a column that is new to us */
                { "/dev/sda2 partition 8 0 -2 more\n", "/dev/sda2 8 0 -2" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                SwapArea areas[SWAP_AREAS_MAX];
                g_autofree char *text = NULL;

                g_test_message("row %zu", i);
                text = swaps_to_string(areas, swaps_parse(rows[i].text, areas, ELEMENTSOF(areas)));
                g_assert_cmpstr(text, ==, rows[i].areas);
        }
}

static void swaps_and_their_names_have_bounds(void) {
        g_autoptr(GString) text = g_string_new(HEAD);
        SwapArea areas[4];
        g_autofree char *name = g_strnfill(800, 'x'), *line = g_strnfill(2000, 'y');

        g_string_append_printf(text, "/%s partition 1 0 1\n/%s partition 2 0 1\n", name, line);
        g_assert_cmpuint(swaps_parse(text->str, areas, ELEMENTSOF(areas)), ==, 1);
        g_assert_cmpuint(strlen(areas[0].path), ==, sizeof areas[0].path - 1);
        for (unsigned i = 0; i < 100; i++)
                g_string_append_printf(text, "/dev/sd%u partition 1 0 1\n", i);
        g_assert_cmpuint(swaps_parse(text->str, areas, ELEMENTSOF(areas)), ==, ELEMENTSOF(areas));
}

static void what_is_not_there_is_not_known(void) {
        g_autoptr(Tree) tree = tree_new();
        PowerFacts facts;

        power_facts_read(tree->fd, &facts);
        g_assert_false(facts.state.known || facts.mem_sleep.known || facts.disk.known || facts.resume_known ||
                       facts.resume_offset_known || facts.image_size_known || facts.swaps_known ||
                       facts.memory_known || facts.anonymous_known || facts.alarm_clock || facts.resume_by_firmware);
        g_assert_cmpint(facts.lockdown, ==, LOCKDOWN_UNKNOWN);
        g_assert_null(power_facts_image_swap(&facts));
}

static void an_empty_state_is_known(void) {
        g_autoptr(Tree) tree = tree_new();
        PowerFacts facts;

        tree_write(tree, "sys/power/state", "\n");
        tree_write(tree, "sys/power/mem_sleep", "");
        power_facts_read(tree->fd, &facts);
        g_assert_true(facts.state.known);
        g_assert_true(facts.mem_sleep.known);
        g_assert_false(word_list_has(&facts.state, "mem"));
}

static void garbage_leaves_a_fact_unknown(void) {
        static const struct { const char *path, *text; } rows[] = {
                { "sys/power/resume", "" }, { "sys/power/resume", "8" }, { "sys/power/resume", ":" }, { "sys/power/resume", "8:" },
                { "sys/power/resume", ":3" }, { "sys/power/resume", "8:3:1" }, { "sys/power/resume", "-8:3" }, { "sys/power/resume", "8: 3" },
                { "sys/power/resume", "4294967296:0" }, { "sys/power/resume", "0:4294967296" }, { "sys/power/resume", "12345678901234567890:1" },
                { "sys/power/resume", "/dev/sda2" },
                { "sys/power/image_size", "" }, { "sys/power/image_size", "-1" }, { "sys/power/image_size", "18446744073709551616" },
                { "sys/power/image_size", "much" },
                { "sys/power/resume_offset", "here" },
                { "proc/meminfo", "" }, { "proc/meminfo", "MemTotal: 1 kB\nActive(anon): kB\n" },
                { "proc/meminfo", "MemTotal: 1 kB\nMemFree: 2 kB\n" }, { "proc/meminfo", "MemFree: 2 kB\nActive(anon): -2 kB\n" },
                { "sys/kernel/security/lockdown", "none integrity" }, { "sys/kernel/security/lockdown", "[much]" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                PowerFacts facts;

                g_test_message("row %zu", i);
                tree_write(tree, rows[i].path, rows[i].text);
                power_facts_read(tree->fd, &facts);
                g_assert_false(facts.resume_known || facts.image_size_known || facts.resume_offset_known ||
                               facts.memory_known || facts.anonymous_known);
                g_assert_cmpint(facts.lockdown, ==, LOCKDOWN_UNKNOWN);
        }
}

/* Files of the wrong sort, and far too much in them. */
static void odd_files_are_no_facts(void) {
        static const char *const paths[] = {
                "sys/power/state", "sys/power/mem_sleep", "sys/power/disk", "sys/power/resume", "proc/swaps", "proc/meminfo",
                "proc/cmdline", "sys/kernel/security/lockdown", "sys/class/rtc",
        };
        g_autofree char *much = g_strnfill(1 << 20, 'm');

        for (unsigned sort = 0; sort < 5; sort++) {
                g_autoptr(Tree) tree = tree_new();
                PowerFacts facts;

                g_test_message("sort %u", sort);
                for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                        switch (sort) {
                        case 0:
                                tree_folder(tree, paths[i]);
                                break;
                        case 1:
                                tree_fifo(tree, paths[i]);
                                break;
                        case 2:
                                tree_link(tree, paths[i], "nowhere");
                                break;
                        case 3:
                                tree_write_bytes(tree, paths[i], "mem\0[deep]", 10);
                                break;
                        case 4:
                                tree_write(tree, paths[i], much);
                                break;
                        }
                power_facts_read(tree->fd, &facts);
                g_assert_false(word_list_has(&facts.state, "mem"));
                g_assert_false(facts.memory_known || facts.anonymous_known || facts.resume_known || facts.alarm_clock);
                g_assert_cmpuint(facts.n_swaps, ==, 0);
        }
}

static void the_command_line_is_read_by_words(void) {
        static const struct { const char *text; bool no_hibernate, resume, offset; } rows[] = {
                { "root=/dev/sda1 resume=/dev/sda2 resume_offset=4096 quiet", false, true, true },
                { "nohibernate", true, false, false },
                { "quiet hibernate=no", true, false, false },
                { "hibernate=nocompress nohibernates xnohibernate", false, false, false },
                { "noresume rd.resume=/dev/sda2 resume", false, false, false },
                { "resume= resume_offset=", false, false, false },
                { "", false, false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                PowerFacts facts;

                g_test_message("row %zu", i);
                tree_write(tree, "proc/cmdline", rows[i].text);
                power_facts_read(tree->fd, &facts);
                g_assert_cmpint(facts.no_hibernate, ==, rows[i].no_hibernate);
                g_assert_cmpint(facts.resume_named, ==, rows[i].resume);
                g_assert_cmpint(facts.resume_offset_named, ==, rows[i].offset);
        }
}

/* The one that the next start looks at; else as logind chooses. */
static void an_image_goes_to_one_swap(void) {
        static const struct { const char *resume, *swaps, *path; } rows[] = {
                { "8:2", "/dev/sda2 partition 8 0 -2\n/dev/sdb2 partition 80 0 5\n", "/dev/sda2" },
                { "8:18", "/dev/sda2 partition 8 0 -2\n/dev/sdb2 partition 80 0 -5\n", "/dev/sdb2" },
                { "8:3", "/dev/sda2 partition 8 0 -2\n", NULL },
                /* a file may lie on it */
                { "8:3", "/dev/sda2 partition 8 0 -2\n/swapfile file 8 0 -3\n", "/swapfile" },
                { "8:2", "/swapfile file 8 0 9\n/dev/sda2 partition 8 0 -2\n", "/dev/sda2" },
                /* a device that the kernel does not list */
                { "8:3", "/dev/mapper/swap partition 8 0 -2\n", "/dev/mapper/swap" },
                { "0:0", "/dev/sda2 partition 8 0 -2\n/dev/sdb2 partition 8 0 5\n", "/dev/sdb2" },
                { "0:0", "/dev/sda2 partition 8 4 5\n/dev/sdb2 partition 8 1 5\n", "/dev/sdb2" },
                { "nothing", "/dev/sda2 partition 8 4 5\n/dev/sdb2 partition 8 1 5\n", "/dev/sdb2" },
                { "0:0", "/dev/zram0 partition 800 0 100\n/dev/sda2 partition 8 0 -2\n", "/dev/sda2" },
                { "0:0", "/dev/zram0 partition 800 0 100\n", NULL },
                { "0:0", "/swapfile\\040(deleted) file 8 0 5\n", NULL },
                { "8:2", "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                const SwapArea *area;
                PowerFacts facts;

                g_test_message("row %zu", i);
                tree_write(tree, "sys/class/block/sda2/dev", "8:2\n");
                tree_write(tree, "sys/class/block/sdb2/dev", "8:18\n");
                tree_write(tree, "sys/power/resume", rows[i].resume);
                tree_write(tree, "proc/swaps", rows[i].swaps);
                power_facts_read(tree->fd, &facts);
                area = power_facts_image_swap(&facts);
                g_assert_cmpstr(area ? area->path : NULL, ==, rows[i].path);
        }
}

static void names_of_devices_lead_nowhere(void) {
        static const char *const names[] = { "/dev/..", "/dev/.", "/dev/", "/" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autoptr(Tree) tree = tree_new();
                g_autofree char *text = g_strdup_printf("%s partition 8 0 -2\n", names[i]);
                PowerFacts facts;

                tree_write(tree, "sys/class/dev", "8:2\n");
                tree_write(tree, "sys/class/block/dev", "8:2\n");
                tree_write(tree, "proc/swaps", text);
                power_facts_read(tree->fd, &facts);
                g_assert_cmpuint(facts.n_swaps, ==, 1);
                g_assert_false(facts.swaps[0].device_known);
        }
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(words_are_found_and_one_is_chosen),
                TEST(swaps_are_read_row_by_row),
                TEST(swaps_and_their_names_have_bounds),
                TEST(what_is_not_there_is_not_known),
                TEST(an_empty_state_is_known),
                TEST(garbage_leaves_a_fact_unknown),
                TEST(odd_files_are_no_facts),
                TEST(the_command_line_is_read_by_words),
                TEST(an_image_goes_to_one_swap),
                TEST(names_of_devices_lead_nowhere),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/power-read/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
