/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The settings: those that the manual page tells are those there are, with its
 * limits and defaults; and lines that make no sense are told and passed over. */

#include <glib.h>
#include <string.h>
#include <syslog.h>

#include "lib/config.h"
#include "tree.h"

typedef struct Reading {
        Config config;
        Findings findings;
} Reading;

static void reading_clear(Reading *reading) {
        findings_clear(&reading->findings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

static Reading read_tree(const Tree *tree) {
        g_autofree char *path = tree_path(tree, "berthd.conf");
        Reading reading = {};

        config_set_defaults(&reading.config);
        g_assert_cmpint(config_read(&reading.config, path, &reading.findings), ==, 0);
        return reading;
}

static Reading read_text(const char *text) {
        g_autoptr(Tree) tree = tree_new();

        tree_write(tree, "berthd.conf", text);
        return read_tree(tree);
}

static char *source(const char *path) {
        g_autofree char *whole = g_build_filename(g_getenv("BERTH_SOURCE_ROOT"), path, NULL);
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        g_file_get_contents(whole, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}

/* A setting as the manual page has it. */
typedef struct Told {
        char *section, *key;
        guint64 minimum, maximum, initial;      /* none for a word */
        gboolean is_number;
} Told;

static void told_free(void *data) {
        Told *told = data;

        g_free(told->section);
        g_free(told->key);
        g_free(told);
}

static GPtrArray *read_manual(void) {
        g_autofree char *text = source("data/berthd.conf.5");
        g_autoptr(GRegex) limits = g_regex_new("(\\d+) to (\\d+); (\\d+) by default", 0, 0, NULL);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        GPtrArray *all = g_ptr_array_new_with_free_func(told_free);
        g_autofree char *section = NULL;
        Told *told = NULL;

        for (char **line = lines; *line; line++) {
                g_autoptr(GMatchInfo) match = NULL;

                if (g_str_has_prefix(*line, ".SH")) {
                        told = NULL;
                        g_free(section);
                        section = g_str_has_prefix(*line, ".SH [") ? g_strndup(*line + 5, strlen(*line) - 6) : NULL;
                } else if (section && g_str_has_prefix(*line, ".B ") && g_str_has_suffix(*line, "=")) {
                        told = g_new0(Told, 1);
                        told->section = g_strdup(section);
                        told->key = g_strndup(*line + 3, strlen(*line) - 4);
                        g_ptr_array_add(all, told);
                } else if (told && g_regex_match(limits, *line, 0, &match)) {
                        g_autofree char *minimum = g_match_info_fetch(match, 1);
                        g_autofree char *maximum = g_match_info_fetch(match, 2);
                        g_autofree char *initial = g_match_info_fetch(match, 3);

                        told->is_number = TRUE;
                        told->minimum = g_ascii_strtoull(minimum, NULL, 10);
                        told->maximum = g_ascii_strtoull(maximum, NULL, 10);
                        told->initial = g_ascii_strtoull(initial, NULL, 10);
                }
        }
        return all;
}

/* The settings of the table in config.c, as "Section.Key". */
static char *settings_of_source(void) {
        g_autofree char *text = source("service/lib/config.c");
        g_autoptr(GRegex) row = g_regex_new("\\{ \"(\\w+)\", \"(\\w+)\", offsetof\\(Config,", 0, 0, NULL);
        g_autoptr(GString) all = g_string_new(NULL);
        g_autoptr(GMatchInfo) match = NULL;

        for (g_regex_match(row, text, 0, &match); g_match_info_matches(match); g_match_info_next(match, NULL)) {
                g_autofree char *section = g_match_info_fetch(match, 1), *key = g_match_info_fetch(match, 2);

                g_string_append_printf(all, "%s.%s\n", section, key);
        }
        return g_string_free(g_steal_pointer(&all), FALSE);
}

static void the_manual_tells_every_setting_and_no_other(void) {
        g_autoptr(GPtrArray) manual = read_manual();
        g_autofree char *settings = settings_of_source();
        g_autoptr(GString) all = g_string_new(NULL);

        for (guint i = 0; i < manual->len; i++) {
                const Told *told = manual->pdata[i];

                g_string_append_printf(all, "%s.%s\n", told->section, told->key);
        }
        g_assert_cmpuint(manual->len, >, 0);
        g_assert_cmpstr(all->str, ==, settings);
}

static Reading read_one(const Told *told, guint64 value) {
        g_autofree char *text = g_strdup_printf("[%s]\n%s=%" G_GUINT64_FORMAT "\n", told->section, told->key, value);

        return read_text(text);
}

static gboolean config_equal(const Config *a, const Config *b) {
        return memcmp(&a->pending_per_user, &b->pending_per_user, sizeof *a - G_STRUCT_OFFSET(Config, pending_per_user)) == 0 &&
                a->log_level == b->log_level;
}

static void limits_and_defaults_are_those_of_the_manual(void) {
        g_autoptr(GPtrArray) manual = read_manual();
        Config defaults;
        unsigned n = 0;

        config_set_defaults(&defaults);
        for (guint i = 0; i < manual->len; i++) {
                const Told *told = manual->pdata[i];

                if (!told->is_number)
                        continue;
                n++;
                g_test_message("setting %s", told->key);
                {
                        g_auto(Reading) least = read_one(told, told->minimum), most = read_one(told, told->maximum);
                        g_auto(Reading) less = read_one(told, told->minimum - 1), more = read_one(told, told->maximum + 1);
                        g_auto(Reading) same = read_one(told, told->initial);

                        g_assert_cmpuint(least.findings.n_items, ==, 0);
                        g_assert_cmpuint(most.findings.n_items, ==, 0);
                        g_assert_false(config_equal(&least.config, &most.config));
                        g_assert_cmpuint(same.findings.n_items, ==, 0);
                        g_assert_true(config_equal(&same.config, &defaults));
                        g_assert_cmpuint(less.findings.n_items, ==, 1);
                        g_assert_true(config_equal(&less.config, &defaults));
                        g_assert_cmpuint(more.findings.n_items, ==, 1);
                        g_assert_true(config_equal(&more.config, &defaults));
                }
        }
        g_assert_cmpuint(n + 1, ==, manual->len);
}

/* The sample, with all its settings uncommented, changes nothing. */
static void the_sample_shows_the_defaults(void) {
        g_autofree char *sample = source("data/berthd.conf.sample");
        g_autoptr(GRegex) commented = g_regex_new("^#(\\w+=)", G_REGEX_MULTILINE, 0, NULL);
        g_autofree char *text = g_regex_replace(commented, sample, -1, 0, "\\1", 0, NULL);
        g_autoptr(GPtrArray) manual = read_manual();
        g_auto(Reading) reading = read_text(text);
        Config defaults;

        config_set_defaults(&defaults);
        g_assert_cmpuint(reading.findings.n_items, ==, 0);
        g_assert_true(config_equal(&reading.config, &defaults));
        for (guint i = 0; i < manual->len; i++) {
                const Told *told = manual->pdata[i];
                g_autofree char *line = g_strdup_printf("\n%s=", told->key);

                g_assert_nonnull(strstr(text, line));
        }
}

static void every_setting_goes_to_its_field(void) {
        g_auto(Reading) reading = read_text("# comment\n"
                                            "; another\n"
                                            "\n"
                                            "[Log]\n"
                                            "Level=debug\n"
                                            "[Authorization]\n"
                                            "  PendingPerUser = 3\t\n"
                                            "PendingTotal=33\r\n"
                                            "TimeoutSec=44\n"
                                            "InteractiveTimeoutSec=55\n"
                                            "[Host]\n"
                                            "CoalesceMSec=66");

        g_assert_cmpuint(reading.findings.n_items, ==, 0);
        g_assert_cmpint(reading.config.log_level, ==, LOG_DEBUG);
        g_assert_cmpuint(reading.config.pending_per_user, ==, 3);
        g_assert_cmpuint(reading.config.pending_total, ==, 33);
        g_assert_cmpuint(reading.config.authorization_timeout_usec, ==, 44000000);
        g_assert_cmpuint(reading.config.interactive_timeout_usec, ==, 55000000);
        g_assert_cmpuint(reading.config.coalesce_usec, ==, 66000);
}

static void each_level_has_its_word(void) {
        static const struct { const char *word; int level; } rows[] = {
                { "err", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE }, { "info", LOG_INFO }, { "debug", LOG_DEBUG },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *text = g_strdup_printf("[Log]\nLevel=%s\n", rows[i].word);
                g_auto(Reading) reading = read_text(text);

                g_assert_cmpuint(reading.findings.n_items, ==, 0);
                g_assert_cmpint(reading.config.log_level, ==, rows[i].level);
        }
}

/* Each row has one line that makes no sense, and is told by its number; the good
 * one after it holds. */
static const struct { const char *text; unsigned line; const char *message; } garbage[] = {
        { "[Host]\nCoalesceMSec=\n", 2, "CoalesceMSec is \"\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=0\n", 2, "CoalesceMSec is \"0\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=-5\n", 2, "CoalesceMSec is \"-5\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=50ms\n", 2, "CoalesceMSec is \"50ms\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=0x10\n", 2, "CoalesceMSec is \"0x10\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=1.5\n", 2, "CoalesceMSec is \"1.5\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=5 # comment\n", 2, "CoalesceMSec is \"5 # comment\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec=18446744073709551617\n", 2, "CoalesceMSec is \"18446744073709551617\"; it can be 1 to 10000" },
        { "[Host]\nCoalesceMSec==5\n", 2, "CoalesceMSec is \"=5\"; it can be 1 to 10000" },
        { "[Log]\nLevel=loud\n", 2, "Level is \"loud\"; it can be err, warning, notice, info or debug" },
        { "[Log]\nLevel=\n", 2, "Level is \"\"; it can be err, warning, notice, info or debug" },
        { "[Log]\nLevel=DEBUG\n", 2, "Level is \"DEBUG\"; it can be err, warning, notice, info or debug" },
        { "[Log]\nLevel=7\n", 2, "Level is \"7\"; it can be err, warning, notice, info or debug" },
        { "[Host]\ncoalescemsec=5\n", 2, "there is no setting coalescemsec in [Host]" },
        { "[Log]\nCoalesceMSec=5\n", 2, "there is no setting CoalesceMSec in [Log]" },
        { "CoalesceMSec=5\n", 1, "there is no setting CoalesceMSec in []" },
        { "[]\nCoalesceMSec=5\n", 2, "there is no setting CoalesceMSec in []" },
        { "[Host]\n=5\n", 2, "there is no setting  in [Host]" },
        { "[Host]\nCoalesceMSec 5\n", 2, "a line is a [Section], a Key=value, or a comment that starts with #" },
        { "nonsense\n", 1, "a line is a [Section], a Key=value, or a comment that starts with #" },
        { "[Host\n", 1, "a section is written as [Name]" },
        { "[\n", 1, "a section is written as [Name]" },
        { "[Host] # comment\n", 1, "a section is written as [Name]" },
        { "[AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]\n", 1, "a section is written as [Name]" },
        { "\xff\xfe[H\n", 1, "a line is a [Section], a Key=value, or a comment that starts with #" },
};

static void a_line_without_sense_is_told_and_passed_over(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(garbage); i++) {
                g_autoptr(Tree) tree = tree_new();
                g_autofree char *text = g_strdup_printf("%s[Authorization]\nPendingTotal=33\n", garbage[i].text);
                g_autofree char *subject = NULL;
                g_auto(Reading) reading = {};

                g_test_message("row %zu: %s", i, garbage[i].message);
                tree_write(tree, "berthd.conf", text);
                subject = g_strdup_printf("%s/berthd.conf:%u", tree->root, garbage[i].line);
                reading = read_tree(tree);
                g_assert_cmpuint(reading.findings.n_items, ==, 1);
                g_assert_cmpstr(reading.findings.items[0].code, ==, "config-invalid");
                g_assert_cmpint(reading.findings.items[0].severity, ==, SEVERITY_WARNS);
                g_assert_cmpstr(reading.findings.items[0].subject, ==, subject);
                g_assert_cmpstr(reading.findings.items[0].message, ==, garbage[i].message);
                g_assert_cmpuint(reading.config.pending_total, ==, 33);
                g_assert_cmpuint(reading.config.coalesce_usec, ==, 50000);
                g_assert_cmpint(reading.config.log_level, ==, LOG_INFO);
        }
}

/* Settings below a section that is none belong to no other. */
static void a_broken_section_takes_its_settings_with_it(void) {
        g_auto(Reading) reading = read_text("[Host]\nCoalesceMSec=7\n[Log\nCoalesceMSec=8\n");

        g_assert_cmpuint(reading.findings.n_items, ==, 2);
        g_assert_cmpuint(reading.config.coalesce_usec, ==, 7000);
}

static void a_line_may_be_too_long(void) {
        static const size_t lengths[] = { 1022, 1023, 1024, 1025, 5000, 100000 };

        for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
                g_autofree char *blanks = g_strnfill(lengths[i] - strlen("CoalesceMSec=7"), ' ');
                g_autofree char *text = g_strdup_printf("[Host]\nCoalesceMSec=%s7\n[Log]\nLevel=err\n", blanks);
                g_auto(Reading) reading = read_text(text);

                g_test_message("a line of %zu", lengths[i]);
                if (lengths[i] <= 1023) {
                        g_assert_cmpuint(reading.findings.n_items, ==, 0);
                        g_assert_cmpuint(reading.config.coalesce_usec, ==, 7000);
                } else {
                        g_assert_cmpuint(reading.findings.n_items, ==, 1);
                        g_assert_cmpstr(reading.findings.items[0].message, ==, "the line is too long");
                        g_assert_cmpuint(reading.config.coalesce_usec, ==, 50000);
                }
                g_assert_cmpint(reading.config.log_level, ==, LOG_ERR);
        }
}

static void assert_unreadable(const Reading *reading, const char *suffix) {
        g_assert_cmpuint(reading->findings.n_items, ==, 1);
        g_assert_cmpstr(reading->findings.items[0].code, ==, "config-unreadable");
        g_assert_true(g_str_has_suffix(reading->findings.items[0].subject, suffix));
}

static void a_line_with_a_nul_byte_is_none(void) {
        static const char text[] = "[Host]\nCoalesceMSec=7\0 and more\n\0CoalesceMSec=8\n[Log]\nLevel=err\n";
        g_autoptr(Tree) tree = tree_new();
        g_auto(Reading) reading = {};

        tree_write_bytes(tree, "berthd.conf", text, sizeof text - 1);
        reading = read_tree(tree);
        g_assert_cmpuint(reading.findings.n_items, ==, 2);
        g_assert_true(g_str_has_suffix(reading.findings.items[0].subject, ":2"));
        g_assert_true(g_str_has_suffix(reading.findings.items[1].subject, ":3"));
        g_assert_cmpuint(reading.config.coalesce_usec, ==, 50000);
        g_assert_cmpint(reading.config.log_level, ==, LOG_ERR);
}

static void a_file_may_be_too_long(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(GString) comments = g_string_new("[Log]\nLevel=err\n");

        while (comments->len < 300 * 1024)
                g_string_append(comments, "# a comment as any other, and again and again\n");
        tree_write(tree, "berthd.conf", comments->str);
        {
                g_auto(Reading) reading = read_tree(tree);

                assert_unreadable(&reading, "/berthd.conf");
        }

        /* One line of it, and one of nothing at all. */
        g_string_printf(comments, "# %0300000d", 0);
        tree_write(tree, "berthd.conf", comments->str);
        {
                g_auto(Reading) reading = read_tree(tree);

                g_assert_cmpuint(reading.findings.n_items, >=, 1);
                g_assert_cmpstr(reading.findings.items[reading.findings.n_items - 1].code, ==, "config-unreadable");
        }
        tree_write_sparse(tree, "berthd.conf", 64 * 1024 * 1024);
        {
                g_auto(Reading) reading = read_tree(tree);

                g_assert_cmpuint(reading.findings.n_items, >=, 1);
                g_assert_cmpstr(reading.findings.items[reading.findings.n_items - 1].code, ==, "config-unreadable");
        }
}

/* Every byte there is, in every order that a program's code has: findings that
 * D-Bus would carry, and the defaults. */
static void binary_garbage_leaves_the_defaults(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_auto(Reading) reading = {};
        Config defaults;

        for (unsigned i = 0; i < 64 * 1024; i++) {
                guint8 byte = (guint8) g_test_rand_int();

                g_byte_array_append(bytes, &byte, 1);
        }
        tree_write_bytes(tree, "berthd.conf", (const char *) bytes->data, bytes->len);
        reading = read_tree(tree);
        config_set_defaults(&defaults);
        g_assert_true(config_equal(&reading.config, &defaults));
        g_assert_cmpuint(reading.findings.n_items, >, 0);
        g_assert_cmpuint(reading.findings.n_items, <=, FINDINGS_MAX);
        for (size_t i = 0; i < reading.findings.n_items; i++)
                g_assert_true(g_utf8_validate(reading.findings.items[i].message, -1, NULL));
}

static void nothing_there_is_no_error(void) {
        g_autoptr(Tree) tree = tree_new();
        g_auto(Reading) reading = read_tree(tree);
        Config defaults;

        config_set_defaults(&defaults);
        g_assert_cmpuint(reading.findings.n_items, ==, 0);
        g_assert_true(config_equal(&reading.config, &defaults));
}

static void what_is_read_later_wins(void) {
        g_autoptr(Tree) tree = tree_new();
        g_auto(Reading) reading = {};

        /* Each file takes what the one before it set, and sets one more. */
        tree_write(tree, "berthd.conf", "[Host]\nCoalesceMSec=1\n[Log]\nLevel=err\n");
        tree_write(tree, "berthd.conf.d/20-middle.conf", "[Authorization]\nPendingTotal=20\nTimeoutSec=20\n");
        tree_write(tree, "berthd.conf.d/10-first.conf", "[Host]\nCoalesceMSec=10\n[Authorization]\nPendingTotal=10\n");
        tree_write(tree, "berthd.conf.d/30-last.conf", "[Authorization]\nTimeoutSec=30\n");
        /* None of these is a *.conf. */
        tree_write(tree, "berthd.conf.d/99-other.conf~", "[Host]\nCoalesceMSec=99\n");
        tree_write(tree, "berthd.conf.d/99-other.conf.bak", "[Host]\nCoalesceMSec=99\n");
        tree_write(tree, "berthd.conf.d/.99-hidden.conf", "[Host]\nCoalesceMSec=99\n");
        tree_write(tree, "berthd.conf.d/.conf", "[Host]\nCoalesceMSec=99\n");
        tree_write(tree, "berthd.conf.d/conf", "[Host]\nCoalesceMSec=99\n");
        tree_write(tree, "berthd.conf.d/README", "[Host]\nCoalesceMSec=99\n");
        reading = read_tree(tree);
        g_assert_cmpuint(reading.findings.n_items, ==, 0);
        g_assert_cmpint(reading.config.log_level, ==, LOG_ERR);
        g_assert_cmpuint(reading.config.coalesce_usec, ==, 10000);
        g_assert_cmpuint(reading.config.pending_total, ==, 20);
        g_assert_cmpuint(reading.config.authorization_timeout_usec, ==, 30000000);
}

static void a_later_invalid_value_leaves_the_earlier(void) {
        g_autoptr(Tree) tree = tree_new();
        g_auto(Reading) reading = {};

        tree_write(tree, "berthd.conf", "[Host]\nCoalesceMSec=7\n");
        tree_write(tree, "berthd.conf.d/10.conf", "[Host]\nCoalesceMSec=soon\n");
        reading = read_tree(tree);
        g_assert_cmpuint(reading.findings.n_items, ==, 1);
        g_assert_true(g_str_has_suffix(reading.findings.items[0].subject, "/berthd.conf.d/10.conf:2"));
        g_assert_cmpuint(reading.config.coalesce_usec, ==, 7000);
}

/* What is no file is told, and the others are read all the same. */
static void a_file_may_be_unreadable(void) {
        g_autoptr(Tree) tree = tree_new();
        g_auto(Reading) reading = {};

        tree_folder(tree, "berthd.conf");
        tree_write(tree, "berthd.conf.d/10.conf", "[Host]\nCoalesceMSec=7\n");
        reading = read_tree(tree);
        assert_unreadable(&reading, "/berthd.conf");
        g_assert_cmpuint(reading.config.coalesce_usec, ==, 7000);
}

static void a_link_that_loops_is_unreadable(void) {
        g_autoptr(Tree) tree = tree_new();
        g_auto(Reading) reading = {};

        tree_link(tree, "berthd.conf", "berthd.conf");
        tree_fifo(tree, "berthd.conf.d/10.conf");
        reading = read_tree(tree);
        assert_unreadable(&reading, "/berthd.conf");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/config/the-manual-tells-every-setting-and-no-other", the_manual_tells_every_setting_and_no_other);
        g_test_add_func("/config/limits-and-defaults-are-those-of-the-manual", limits_and_defaults_are_those_of_the_manual);
        g_test_add_func("/config/the-sample-shows-the-defaults", the_sample_shows_the_defaults);
        g_test_add_func("/config/every-setting-goes-to-its-field", every_setting_goes_to_its_field);
        g_test_add_func("/config/each-level-has-its-word", each_level_has_its_word);
        g_test_add_func("/config/a-line-without-sense-is-told-and-passed-over", a_line_without_sense_is_told_and_passed_over);
        g_test_add_func("/config/a-broken-section-takes-its-settings-with-it", a_broken_section_takes_its_settings_with_it);
        g_test_add_func("/config/a-line-may-be-too-long", a_line_may_be_too_long);
        g_test_add_func("/config/a-line-with-a-nul-byte-is-none", a_line_with_a_nul_byte_is_none);
        g_test_add_func("/config/a-file-may-be-too-long", a_file_may_be_too_long);
        g_test_add_func("/config/binary-garbage-leaves-the-defaults", binary_garbage_leaves_the_defaults);
        g_test_add_func("/config/nothing-there-is-no-error", nothing_there_is_no_error);
        g_test_add_func("/config/what-is-read-later-wins", what_is_read_later_wins);
        g_test_add_func("/config/a-later-invalid-value-leaves-the-earlier", a_later_invalid_value_leaves_the_earlier);
        g_test_add_func("/config/a-file-may-be-unreadable", a_file_may_be_unreadable);
        g_test_add_func("/config/a-link-that-loops-is-unreadable", a_link_that_loops_is_unreadable);
        return g_test_run();
}
