/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What depends on where berthctl runs: on a terminal or not, how wide, in which
 * locale, through which ssh. */

#include <glib/gstdio.h>
#include <unistd.h>

#include "peer.h"

/* What it writes to a terminal of that size. */
static char *run_on_terminal(Peer *peer, unsigned columns, unsigned rows, const char *const *environment,
                             const char *const *words) {
        g_autoptr(GSubprocessLauncher) launcher = berthctl_launcher(G_SUBPROCESS_FLAGS_NONE);
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, words);
        g_autoptr(GSubprocess) process = NULL;
        g_autoptr(GError) error = NULL;
        GString *output = g_string_new(NULL);
        char buffer[4096];
        ssize_t n;

        int terminal, end;
        terminal_make(columns, rows, &terminal, &end);
        for (; *environment; environment += 2)
                g_subprocess_launcher_setenv(launcher, environment[0], environment[1], TRUE);
        g_subprocess_launcher_take_stdout_fd(launcher, end);
        process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        g_clear_object(&launcher); /* and with it our copy of the end */
        while ((n = read(terminal, buffer, sizeof buffer)) > 0)
                g_string_append_len(output, buffer, n);
        close(terminal);
        g_subprocess_wait_check(process, NULL, &error);
        g_assert_no_error(error);
        return g_string_free(output, FALSE);
}
#define ENVIRONMENT(...) ((const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })
#define WORDS(...) ((const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })

static char *without_escapes(const char *text) {
        g_autoptr(GRegex) regex = g_regex_new("\033\\[[0-9;]*m", 0, 0, NULL);

        return g_regex_replace_literal(regex, text, -1, 0, "", 0, NULL);
}

static void test_colour_only_on_a_terminal(void) {
        static const char *const verbs[] = { "overview", "topology", "cells", "cpus", "caches", "map", "power",
                                             "inhibitors", "wake-sources" };
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);

        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
                g_auto(Run) plain = RUN(peer, verbs[i]);
                g_autofree char *coloured = run_on_terminal(peer, 80, 24, ENVIRONMENT(), WORDS(verbs[i]));
                g_autofree char *bare = without_escapes(coloured);

                g_assert_null(strchr(plain.out, '\033'));
                g_assert_nonnull(strchr(coloured, '\033'));
                /* Colour says nothing that is not there without it. */
                g_assert_cmpstr(bare, ==, plain.out);
        }
}

/* The colour of a place ends with it. */
static void test_answers_have_colours(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_power(peer);
        g_autofree char *out = run_on_terminal(peer, 80, 50, ENVIRONMENT(), WORDS("power"));
        g_assert_nonnull(strstr(out, "suspend_mem        \033[32myes\033[0m      \033[1;33mwith a password\033[0m\n"));
        g_assert_nonnull(strstr(out, "suspend_idle       \033[1;33mblocked\033[0m  \033[1;31mno\033[0m\n"));
        g_assert_nonnull(strstr(out, "\033[1;31mBlocks   \033[0mapt: "));
        g_assert_nonnull(strstr(out, "\033[1;33mWarning  \033[0mthe clock "));
}

static void test_no_colour_where_it_is_not_wanted(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autofree char *no_color = run_on_terminal(peer, 80, 24, ENVIRONMENT("NO_COLOR", "1"), WORDS("cells"));
        g_autofree char *dumb = run_on_terminal(peer, 80, 24, ENVIRONMENT("TERM", "dumb"), WORDS("cells"));
        g_autofree char *empty = run_on_terminal(peer, 80, 24, ENVIRONMENT("NO_COLOR", ""), WORDS("cells"));
        g_autofree char *json = run_on_terminal(peer, 80, 24, ENVIRONMENT(), WORDS("cells", "--json=pretty"));

        g_assert_null(strchr(no_color, '\033'));
        g_assert_null(strchr(dumb, '\033'));
        g_assert_nonnull(strchr(empty, '\033'));
        g_assert_null(strchr(json, '\033'));
}

static unsigned longest_line(const char *text) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        unsigned longest = 0;

        for (char **line = lines; *line; line++)
                longest = MAX(longest, g_utf8_strlen(*line, -1));
        return longest;
}

static void test_map_is_as_wide_as_the_terminal(void) {
        static const unsigned widths[] = { 48, 80, 132, 300 };
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GString) cpus = g_string_new("([");

        for (unsigned i = 0; i < 256; i++)
                g_string_append_printf(cpus, "%s{'id': <uint32 %u>, 'online': <true>, 'cell': <uint32 %u>, 'socket': <uint32 %u>}",
                                       i > 0 ? "," : "", i, i / 4, i / 64);
        g_string_append(cpus, "],)");
        peer_answer(peer, "ListCpus", "(aa{sv})", cpus->str);
        peer_answer(peer, "ListCaches", "(aa{sv})", "(@aa{sv} [],)");
        for (size_t i = 0; i < G_N_ELEMENTS(widths); i++) {
                g_autofree char *map = run_on_terminal(peer, widths[i], 24, ENVIRONMENT("NO_COLOR", "1"), WORDS("map"));
                g_assert_cmpuint(longest_line(map), <=, widths[i]);
                g_assert_cmpuint(longest_line(map), >, widths[i] / 2);
                g_assert_nonnull(strstr(map, "Cell 63"));
                g_assert_nonnull(strstr(map, "[255]"));

                g_autofree char *columns = g_strdup_printf("%u", widths[i]);
                g_autofree char *by_variable =
                        run_on_terminal(peer, 20, 24, ENVIRONMENT("NO_COLOR", "1", "COLUMNS", columns), WORDS("map"));
                g_assert_cmpstr(by_variable, ==, map);
        }
}

static void test_tables_wrap_on_a_narrow_terminal(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "ListCaches", "(aa{sv})",
                    "([{'level': <uint32 3>, 'type': <'unified'>, 'size': <uint64 33554432>,"
                    "   'cpus': <'0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30'>, 'id': <uint32 0>, 'cell': <uint32 0>}],)");
        g_autofree char *narrow = run_on_terminal(peer, 50, 24, ENVIRONMENT("NO_COLOR", "1"), WORDS("caches"));
        g_assert_cmpstr(narrow, ==,
                        "LEVEL  TYPE       SIZE  CPUS              ID  CELL\n"
                        "L3     unified  32 MiB  0,2,4,6,8,10,12,   0     0\n"
                        "                        14,16,18,20,22,\n"
                        "                        24,26,28,30\n");
}

static void test_plain_characters_where_the_locale_has_no_others(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GSubprocessLauncher) launcher = berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, WORDS("map"));
        g_autoptr(GError) error = NULL;
        g_autofree char *out = NULL;

        g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
        g_autoptr(GSubprocess) process =
                g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(out, ==,
                        "+- Socket 0 - Cell 0: 32 GiB - L3 13.8 MiB -+\n"
                        "| [0 4] [1 5]                               |\n"
                        "+-------------------------------------------+\n"
                        "+- Socket 1 - Cell 1: 32 GiB - L3 13.8 MiB -+\n"
                        "| [2 6] [3 7]                               |\n"
                        "+-------------------------------------------+\n"
                        "[ ] a core and its CPUs\n");
}

static void write_script(const char *path, const char *text) {
        g_autoptr(GError) error = NULL;

        g_file_set_contents(path, text, -1, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

/* -H, with an ssh that writes down how it was called, and is the bridge itself. */
static void test_host_goes_through_ssh(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GError) error = NULL;
        g_autofree char *folder = g_dir_make_tmp("berthctl-XXXXXX", &error);
        g_assert_no_error(error);
        g_autofree char *script = g_build_filename(folder, "ssh", NULL), *log = g_build_filename(folder, "log", NULL);
        g_autofree char *path = g_strdup_printf("%s:%s", folder, g_getenv("PATH"));
        g_autoptr(GSubprocessLauncher) launcher =
                berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
        g_auto(Run) run = {};

        g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"$*\" >%s\n"
                                                "exec systemd-stdio-bridge --bus-path='%s'\n",
                                                log, peer_address(peer));
        write_script(script, text);
        g_subprocess_launcher_setenv(launcher, "PATH", path, TRUE);
        g_autoptr(GSubprocess) process = g_subprocess_launcher_spawn(
                launcher, &error, g_getenv("BERTHCTL"), "-H", "someone@somewhere", "--json=short", "topology", "--xml", NULL);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(process, NULL, NULL, &run.out, &run.err, &error);
        g_assert_no_error(error);
        run.status = g_subprocess_get_exit_status(process);
        assert_run(run, 0, "{\"Xml\":\"<topology/>\"}\n", "");

        g_autofree char *called = NULL;
        g_file_get_contents(log, &called, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(called, ==, "-xT -- someone@somewhere systemd-stdio-bridge\n");

        /* One that cannot log in. */
        write_script(script, "#!/bin/sh\nexit 255\n");
        g_auto(Run) refused = {};
        g_autoptr(GSubprocess) second =
                g_subprocess_launcher_spawn(launcher, &error, g_getenv("BERTHCTL"), "--host=somewhere", "cells", NULL);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(second, NULL, NULL, &refused.out, &refused.err, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_subprocess_get_exit_status(second), ==, 1);
        g_assert_nonnull(strstr(refused.err, "Cannot connect to the bus of somewhere through ssh"));

        (void) g_unlink(script);
        (void) g_unlink(log);
        (void) g_rmdir(folder);
}

/* A long name is broken, so that the rows stay rows; one with room is not. */
static void test_long_names_of_guests_stay_in_their_column(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})",
                    "({'/org/berth1/domains/a': {'org.berth1.Domain': {'Name': <'a-very-long-name-of-a-guest'>, 'State': <'running'>,"
                    "    'Pid': <uint32 1234567>, 'Uuid': <'5a1e6c1e-0d3c-4a3f-9d5e-0c1f2e3d4b5a'>}}},)");
        g_autofree char *narrow = run_on_terminal(peer, 76, 24, ENVIRONMENT("NO_COLOR", "1"), WORDS("domains"));
        g_assert_cmpstr(narrow, ==,
                        "NAME                  STATE        PID  UUID\n"
                        "a-very-long-name-of-  running  1234567  5a1e6c1e-0d3c-4a3f-9d5e-0c1f2e3d4b5a\n"
                        "a-guest\n");
        g_autofree char *wide = run_on_terminal(peer, 100, 24, ENVIRONMENT("NO_COLOR", "1"), WORDS("domains"));
        g_assert_nonnull(strstr(wide, "\na-very-long-name-of-a-guest  running  1234567  5a1e"));
}

/* What could be done next is for a person who looks, not for a program. */
static void test_hints_only_on_a_terminal(void) {
        static const struct {
                const char *words[8];
                const char *answer, *shown;
        } rows[] = {
                { { "set-vcpu", "db", "2", "on" }, "('2', 0)",
                  "db: vCPU 2 is plugged.\nWith --live --config it is so at its next starts, too.\n" },
                { { "set-vcpu", "db", "2", "on", "--live" }, "('2', 0)", "db: vCPU 2 is plugged.\n" },
                { { "set-vcpu", "db", "2", "on", "--dry-run" }, "('2', 0)", "db: would plug vCPU 2.\n" },
                { { "set-vcpu", "db", "2", "on" }, "('', 0)", "db: vCPU 2 is enabled already.\n" },
                { { "set-vcpu", "db", "2", "on", "--async" }, "('2', 5)", "job 5\n'berthctl monitor' shows how it ends.\n" },
                { { "set-vcpu", "db", "2", "on", "--json=short" }, "('2', 0)", "{\"changed\":\"2\",\"job\":0}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                peer_answer(peer, "SetVcpu", "(st)", rows[i].answer);
                g_autofree char *shown = run_on_terminal(peer, 80, 24, ENVIRONMENT("NO_COLOR", "1"), rows[i].words);
                g_assert_cmpstr(shown, ==, rows[i].shown);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/terminal/" #name, test_##name)
        ADD(colour_only_on_a_terminal);
        ADD(answers_have_colours);
        ADD(no_colour_where_it_is_not_wanted);
        ADD(map_is_as_wide_as_the_terminal);
        ADD(tables_wrap_on_a_narrow_terminal);
        ADD(plain_characters_where_the_locale_has_no_others);
        ADD(host_goes_through_ssh);
        ADD(hints_only_on_a_terminal);
        ADD(long_names_of_guests_stay_in_their_column);
        return g_test_run();
}
