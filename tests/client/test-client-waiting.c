/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* While a guest is waited for: what the terminal shows, what a pipe does not, and what
 * leaving early does. */

#include <signal.h>
#include <unistd.h>

#include "peer.h"

enum { WORDS_MAX = 10 };

typedef struct Waiting {
        GSubprocess *process;
        int terminal; /* where its standard error is read */
} Waiting;

static void on_child_ignores_sigint(gpointer data) {
        (void) signal(SIGINT, SIG_IGN);
}

/* Started with its standard error on a terminal; its call has come. */
static Waiting waiting_start(Peer *peer, const char *const *words, gboolean ignores) {
        g_autoptr(GSubprocessLauncher) launcher = berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, words);
        g_autoptr(GError) error = NULL;
        Waiting w = {};
        int end;

        terminal_make(80, 24, &w.terminal, &end);
        g_subprocess_launcher_take_stderr_fd(launcher, end);
        g_subprocess_launcher_setenv(launcher, "NO_COLOR", "1", TRUE);
        if (ignores)
                g_subprocess_launcher_set_child_setup(launcher, on_child_ignores_sigint, NULL, NULL);
        w.process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        for (gboolean come = FALSE; !come;) {
                g_autoptr(PeerCall) call = peer_wait_call(peer);
                come = g_str_has_prefix(call->member, "Set");
        }
        return w;
}

/* What it writes to the terminal, until that has @text in it, or (NULL) until it has ended. */
static char *waiting_read(const Waiting *w, const char *text) {
        GString *read_so_far = g_string_new(NULL);
        char buffer[512];
        ssize_t n;

        while (!(text && strstr(read_so_far->str, text)) && (n = read(w->terminal, buffer, sizeof buffer)) > 0)
                g_string_append_len(read_so_far, buffer, n);
        return g_string_free(read_so_far, FALSE);
}

static char *waiting_end(Waiting *w) {
        g_autoptr(GError) error = NULL;
        char *out = NULL;

        g_subprocess_communicate_utf8(w->process, NULL, NULL, &out, NULL, &error);
        g_assert_no_error(error);
        close(w->terminal);
        return out;
}

static void waiting_clear(Waiting *w) {
        g_clear_object(&w->process);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Waiting, waiting_clear)

#define WORDS(...) ((const char *const[]) { __VA_ARGS__, NULL })

static void test_terminal_shows_what_is_waited_for(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *member, *line;
        } rows[] = {
                { { "set-vcpu", "db", "3", "off" }, "SetVcpu", "waiting for db to give back vCPU 3 … 1 s" },
                { { "set-vcpus", "db", "2-3", "on" }, "SetVcpus", "waiting for db to take vCPUs 2-3 … 1 s" },
                { { "set-count", "db", "1" }, "SetCount", "waiting for db to give back 1 vCPU … 1 s" },
                { { "set-vcpu", "db", "1", "off", "--guest" }, "SetVcpu", "waiting for the agent in db … 1 s" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                peer_answer_held(peer, rows[i].member);
                g_auto(Waiting) w = waiting_start(peer, rows[i].words, FALSE);
                g_autofree char *line = waiting_read(&w, "1 s");
                g_assert_cmpstr(line, ==, rows[i].line);
                peer_release(peer, "(st)", "('3', 0)");
                /* All of it is gone, and nothing follows. */
                g_autofree char *rest = waiting_read(&w, NULL);
                g_auto(GStrv) parts = g_strsplit(rest, "\r", -1);
                guint n = g_strv_length(parts);
                g_assert_cmpuint(n, >=, 3);
                g_assert_cmpstr(parts[n - 1], ==, "");
                g_assert_cmpuint(strspn(parts[n - 2], " "), ==, strlen(parts[n - 2]));
                g_assert_cmpuint(strlen(parts[n - 2]), >=, g_utf8_strlen(rows[i].line, -1));
                g_autofree char *out = waiting_end(&w);
                g_assert_true(g_str_has_prefix(out, "db: "));
                g_assert_cmpint(g_subprocess_get_exit_status(w.process), ==, 0);
        }
}

/* Long enough that there would have been a line. */
static void test_nothing_but_the_error_on_a_pipe(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer_never(peer, "SetVcpu");
        g_auto(Run) run = RUN(peer, "set-vcpu", "db", "3", "off", "--timeout=1.5");
        assert_run(run, 1, "",
                   "berthctl: The Berth service did not answer SetVcpu within 1.5 s.\n"
                   "'systemctl status berthd' may say why; --timeout= waits longer.\n");
}

static void test_interrupt_leaves_and_says_that_it_goes_on(void) {
        static const int signals[] = { SIGINT, SIGTERM };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer_never(peer, "SetVcpu");
        for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
                g_auto(Waiting) w = waiting_start(peer, WORDS("set-vcpu", "db", "3", "off"), FALSE);
                g_subprocess_send_signal(w.process, signals[i]);
                g_autofree char *text = waiting_read(&w, NULL);
                /* It may have waited for a second already. */
                const char *last = strrchr(text, '\r');
                g_assert_cmpstr(last ? last + 1 : text, ==,
                                "berthctl: Interrupted. The change goes on.\n"
                                "'berthctl vcpus db' shows how far it is.\n");
                g_autofree char *out = waiting_end(&w);
                g_assert_cmpstr(out, ==, "");
                g_assert_true(g_subprocess_get_if_signaled(w.process));
                g_assert_cmpint(g_subprocess_get_term_sig(w.process), ==, signals[i]);
        }
}

static void test_interrupt_that_is_ignored_stays_so(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer_held(peer, "SetVcpu");
        g_auto(Waiting) w = waiting_start(peer, WORDS("set-vcpu", "db", "3", "off"), TRUE);
        g_subprocess_send_signal(w.process, SIGINT);
        peer_release(peer, "(st)", "('3', 0)");
        g_autofree char *text = waiting_read(&w, NULL);
        g_autofree char *out = waiting_end(&w);
        g_assert_null(strstr(text, "Interrupted"));
        g_assert_cmpstr(out, ==, "db: vCPU 3 is unplugged.\n");
}

static void test_service_or_bus_leaves_meanwhile(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        peer_answer_leaving(peer, "SetVcpu");
        g_auto(Run) run = RUN(peer, "set-vcpu", "db", "3", "off");
        g_assert_cmpint(run.status, ==, 1);
        g_assert_nonnull(strstr(run.err, "The Berth service left without an answer to SetVcpu"));

        g_autoptr(Peer) other = peer_new();
        peer_guest_db(other);
        peer_answer_never(other, "SetVcpu");
        g_auto(Waiting) w = waiting_start(other, WORDS("set-vcpu", "db", "3", "off"), FALSE);
        peer_stop_bus(other);
        g_autofree char *text = waiting_read(&w, NULL);
        g_assert_nonnull(strstr(text, "berthctl: The bus was lost while SetVcpu was asked for"));
        g_autofree char *out = waiting_end(&w);
        g_assert_cmpint(g_subprocess_get_exit_status(w.process), ==, 1);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/waiting/" #name, test_##name)
        ADD(terminal_shows_what_is_waited_for);
        ADD(nothing_but_the_error_on_a_pipe);
        ADD(interrupt_leaves_and_says_that_it_goes_on);
        ADD(interrupt_that_is_ignored_stays_so);
        ADD(service_or_bus_leaves_meanwhile);
        return g_test_run();
}
