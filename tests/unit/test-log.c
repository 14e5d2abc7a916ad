/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The log: plain lines for a person, fields for the journal. What goes to
 * standard error is looked at from outside, by running this program again for
 * each test. The journal's socket has a fixed place: where a mount namespace can
 * be had, one of ours stands there and what it receives is compared; elsewhere,
 * all that can be seen is that nothing came out plain. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

static void words_of_levels(void) {
        static const struct { const char *word; int result, level; } rows[] = {
                { "err", 0, LOG_ERR },
                { "warning", 0, LOG_WARNING },
                { "notice", 0, LOG_NOTICE },
                { "info", 0, LOG_INFO },
                { "debug", 0, LOG_DEBUG },
                { "", -EINVAL, 99 },
                { "error", -EINVAL, 99 },
                { "Err", -EINVAL, 99 },
                { "info ", -EINVAL, 99 },
                { "7", -EINVAL, 99 },
                { "\xff", -EINVAL, 99 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                int level = 99;

                g_assert_cmpint(log_level_from_string(rows[i].word, &level), ==, rows[i].result);
                g_assert_cmpint(level, ==, rows[i].level);
        }
}

static void a_line_is_plain_where_no_journal_listens(void) {
        if (g_test_subprocess()) {
                g_unsetenv("JOURNAL_STREAM");
                log_info("cell %u has %s", 3u, "memory");
                log_fields(LOG_ERR, LOG_FIELDS("BERTH_CELL", "3", "EMPTY", NULL), "%s", "100% sure");
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr("berthd: cell 3 has memory\nberthd: 100% sure\n");
}

static void what_is_less_urgent_is_not_logged(void) {
        if (g_test_subprocess()) {
                g_unsetenv("JOURNAL_STREAM");
                log_debug("debug is not told at first");
                log_set_level(LOG_WARNING);
                log_info("info");
                log_warning("a warning");
                log_fields(LOG_NOTICE, NULL, "a notice");
                log_fields(LOG_ERR, NULL, "an error");
                log_set_level(LOG_DEBUG);
                log_debug("all");
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr("berthd: a warning\nberthd: an error\nberthd: all\n");
}

/* Whoever starts us from a unit inherits the variable; it is not about us unless
 * device and inode are those of our standard error. */
static void name_stderr_as_journal(uintmax_t inode_offset) {
        g_autofree char *stream = NULL;
        struct stat st;

        g_assert_cmpint(fstat(STDERR_FILENO, &st), ==, 0);
        stream = g_strdup_printf("%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino + inode_offset);
        g_setenv("JOURNAL_STREAM", stream, TRUE);
}

static void a_journal_of_somebody_else_is_none(void) {
        static const char *const rows[] = { "", "1:2", "garbage", "1", ":", "-1:-1", "18446744073709551616:1", "a neighbour" };

        if (g_test_subprocess()) {
                g_setenv("JOURNAL_STREAM", g_getenv("BERTH_TEST_STREAM"), TRUE);
                if (strcmp(g_getenv("BERTH_TEST_STREAM"), "a neighbour") == 0)
                        name_stderr_as_journal(1);
                log_info("plain");
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_setenv("BERTH_TEST_STREAM", rows[i], TRUE);
                g_test_trap_subprocess(NULL, 0, 0);
                g_test_trap_assert_passed();
                g_test_trap_assert_stderr("berthd: plain\n");
        }
}

/* A journal's socket of our own, seen by this process only. -1 if that cannot
 * be had here. */
static int make_journal(void) {
        const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
        int fd;

        if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return -1;
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("none", "/run", "tmpfs", 0, NULL) < 0)
                return -1;
        if (g_mkdir_with_parents("/run/systemd/journal", 0755) < 0)
                return -1;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return bind(fd, (const struct sockaddr *) &address, sizeof address) < 0 ? -1 : fd;
}

/* Reads one entry: lines "NAME=value", as the journal's protocol has values of
 * one line. */
static void assert_entry(int fd, const char *const *wanted) {
        char entry[4096];
        ssize_t n = recv(fd, entry, sizeof entry - 1, MSG_DONTWAIT);
        g_auto(GStrv) lines = NULL;

        g_assert_cmpint(n, >, 0);
        entry[n] = 0;
        lines = g_strsplit(entry, "\n", -1);
        for (size_t i = 0; wanted[i]; i++)
                g_assert_true(g_strv_contains((const char *const *) lines, wanted[i]));
        g_assert_null(strstr(entry, "EMPTY"));
}

static void fields_go_to_the_journal(void) {
        if (g_test_subprocess()) {
                char more;
                int fd;

                name_stderr_as_journal(0);
                fd = make_journal();
                log_fields(LOG_WARNING,
                           LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_HOST_CONTRADICTS, "EMPTY", NULL, "BERTH_CELL", "3=4"),
                           "cell %u", 3u);
                log_debug("not this");
                log_error("without fields");
                if (fd < 0)
                        return;
                assert_entry(fd, (const char *const[]) { "MESSAGE=cell 3", "PRIORITY=4", "BERTH_CELL=3=4",
                                                         "MESSAGE_ID=" MESSAGE_ID_HOST_CONTRADICTS, NULL });
                assert_entry(fd, (const char *const[]) { "MESSAGE=without fields", "PRIORITY=3", NULL });
                g_assert_cmpint(recv(fd, &more, 1, MSG_DONTWAIT), ==, -1);
                printf("seen by a journal\n");
                return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr("");
}

/* Each operator's message has a text in the catalog, and none too many. */
static void every_message_id_is_in_the_catalog(void) {
        static const char *const ids[] = {
                MESSAGE_ID_STARTED, MESSAGE_ID_CONFIG_INVALID, MESSAGE_ID_POLKIT_MISSING,
                MESSAGE_ID_HOST_CONTRADICTS, MESSAGE_ID_PAGES_ALLOCATED,
                MESSAGE_ID_GUEST_CHANGED, MESSAGE_ID_DEFINITION_DAMAGED,
        };
        g_autofree char *path = g_build_filename(g_getenv("BERTH_SOURCE_ROOT"), "data/berth.catalog", NULL);
        g_autofree char *header_path = g_build_filename(g_getenv("BERTH_SOURCE_ROOT"), "service/lib/log.h", NULL);
        g_autofree char *catalog = NULL, *header = NULL;
        unsigned n_defined = 0, n_entries = 0;

        g_assert_true(g_file_get_contents(path, &catalog, NULL, NULL));
        g_assert_true(g_file_get_contents(header_path, &header, NULL, NULL));
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                g_autofree char *entry = g_strdup_printf("-- %s\n", ids[i]);

                g_assert_cmpuint(strlen(ids[i]), ==, 32);
                g_assert_nonnull(strstr(catalog, entry));
        }
        for (const char *p = header; (p = strstr(p, "#define MESSAGE_ID_")); p++)
                n_defined++;
        for (const char *p = catalog; (p = strstr(p, "\n-- ")); p++)
                n_entries++;
        g_assert_cmpuint(n_defined, ==, ELEMENTSOF(ids));
        g_assert_cmpuint(n_entries + g_str_has_prefix(catalog, "-- "), ==, ELEMENTSOF(ids));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/log/words-of-levels", words_of_levels);
        g_test_add_func("/log/a-line-is-plain-where-no-journal-listens", a_line_is_plain_where_no_journal_listens);
        g_test_add_func("/log/what-is-less-urgent-is-not-logged", what_is_less_urgent_is_not_logged);
        g_test_add_func("/log/a-journal-of-somebody-else-is-none", a_journal_of_somebody_else_is_none);
        g_test_add_func("/log/fields-go-to-the-journal", fields_go_to_the_journal);
        g_test_add_func("/log/every-message-id-is-in-the-catalog", every_message_id_is_in_the_catalog);
        return g_test_run();
}
