/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Guests that come and go by a command: documents that are handed on, monitors that are
 * connected to, and what neither of them can be. */

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define DOMAIN "org.berth1.Domain"
#define MANAGER "org.berth1.Manager"

enum { WORDS_MAX = 10 };


static char *folder_make(void) {
        g_autoptr(GError) error = NULL;
        char *path = g_dir_make_tmp("berthctl-XXXXXX", &error);

        g_assert_no_error(error);
        return path;
}

static void test_define_sends_the_document_as_it_is(void) {
        static const char document[] = "<domain>\n  <name>db</name><!-- ü -->\n</domain>\n";
        g_autofree char *folder = folder_make(), *file = g_build_filename(folder, "db.xml", NULL);
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        g_assert_true(g_file_set_contents(file, document, -1, NULL));
        g_auto(Run) run = RUN(peer, "define", "db", file);
        assert_run(run, 0, "db: is defined.\n", "");
        g_autoptr(PeerCall) call = peer_wait_call(peer);
        g_assert_cmpstr(call->member, ==, "DefineDomain");
        g_assert_cmpstr(call->interface, ==, MANAGER);
        g_assert_cmpstr(call->path, ==, "/org/berth1");
        g_assert_cmpstr(call->arguments, ==, "('db', '<domain>\\n  <name>db</name><!-- ü -->\\n</domain>\\n', @as [])");
        g_assert_true(call->interactive);

        peer_forget_calls(peer);
        g_auto(Run) dry = RUN(peer, "define", "db", file, "--dry-run");
        assert_run(dry, 0, "db: would be defined.\n", "");
        g_autoptr(PeerCall) dry_call = peer_wait_call(peer);
        g_assert_true(g_str_has_suffix(dry_call->arguments, ", ['dry-run'])"));
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
        g_auto(Run) json = RUN(peer, "define", "db", file, "--json=short");
        assert_run(json, 0, "{\"domain\":\"" PEER_DB "\"}\n", "");

        /* What is not kept of it is listed. */
        peer_answer(peer, DOMAIN ".GetAll", "(a{sv})",
                    "({'Name': <'db'>, 'Warnings': <[{'code': <'config-ignored'>, 'severity': <'warns'>,"
                    "  'message': <'<devices> is not kept.'>}]>},)");
        g_auto(Run) warned = RUN(peer, "define", "db", file);
        assert_run(warned, 0, "db: is defined.\nWarning  db: <devices> is not kept.\n", "");

        (void) g_unlink(file);
        (void) g_rmdir(folder);
}

static void test_define_reads_standard_input(void) {
        g_autoptr(GSubprocessLauncher) launcher =
                berthctl_launcher(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE);
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, (const char *const[]) { "define", "db", "-", NULL });
        g_autoptr(GError) error = NULL;
        g_autofree char *out = NULL;

        peer_guest_db(peer);
        g_autoptr(GSubprocess) process =
                g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(process, "<domain/>", NULL, &out, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(out, ==, "db: is defined.\n");
        g_autoptr(PeerCall) call = peer_wait_call(peer);
        g_assert_cmpstr(call->arguments, ==, "('db', '<domain/>', @as [])");
}

static void test_documents_that_cannot_be_sent(void) {
        static const struct {
                const char *text;
                gssize length;
                const char *says;
        } rows[] = {
                { "", 0, "is empty: it is to have a guest's XML." },
                { "<domain>\xff</domain>", -1, "is not UTF-8" },
                { "<domain>\0</domain>", 18, "has a zero byte in it." },
        };
        g_autofree char *folder = folder_make(), *file = g_build_filename(folder, "db.xml", NULL);
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_assert_true(g_file_set_contents(file, rows[i].text, rows[i].length, NULL));
                g_auto(Run) run = RUN(peer, "define", "db", file);
                g_assert_cmpint(run.status, ==, 1);
                g_assert_nonnull(strstr(run.err, rows[i].says));
        }
        g_autofree char *large = g_strnfill(1024 * 1024 + 1, ' ');
        g_assert_true(g_file_set_contents(file, large, -1, NULL));
        g_auto(Run) too_long = RUN(peer, "define", "db", file);
        g_assert_cmpint(too_long.status, ==, 1);
        g_assert_nonnull(strstr(too_long.err, "is longer than the 1 MiB"));
        (void) g_unlink(file);
        g_auto(Run) none = RUN(peer, "define", "db", file);
        g_assert_cmpint(none.status, ==, 1);
        g_assert_nonnull(strstr(none.err, "Cannot open"));
        g_auto(Run) is_folder = RUN(peer, "define", "db", folder);
        g_assert_cmpint(is_folder.status, ==, 1);
        g_assert_nonnull(strstr(is_folder.err, "Cannot read"));
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
        (void) g_rmdir(folder);
}

static void test_guests_are_let_go(void) {
        static const struct {
                const char *words[WORDS_MAX];
                const char *member, *arguments, *out;
        } rows[] = {
                { { "undefine", "db" }, "UndefineDomain", "(objectpath '" PEER_DB "', @as [])",
                  "db: what is stored for it is forgotten; it runs on.\n" },
                { { "undefine", "db", "--dry-run" }, "UndefineDomain", "(objectpath '" PEER_DB "', ['dry-run'])",
                  "db: what is stored for it would be forgotten; it runs on.\n" },
                { { "undefine", "db", "--json=short" }, "UndefineDomain", "(objectpath '" PEER_DB "', @as [])",
                  "{\"domain\":\"" PEER_DB "\"}\n" },
                { { "unregister", "db" }, "UnregisterDomain", "(objectpath '" PEER_DB "', @as [])",
                  "db: is let go; it runs on.\n" },
                { { "unregister", "db", "--dry-run" }, "UnregisterDomain", "(objectpath '" PEER_DB "', ['dry-run'])",
                  "db: would be let go; it runs on.\n" },
                { { "unregister", "db", "--json=short" }, "UnregisterDomain", "(objectpath '" PEER_DB "', @as [])",
                  "{\"domain\":\"" PEER_DB "\"}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                assert_run(run, 0, rows[i].out, "");
                peer_assert_change(peer, "/org/berth1", MANAGER, rows[i].member, rows[i].arguments);
        }
        peer_guest_is(peer, "shutoff", 0);
        g_auto(Run) off = RUN(peer, "undefine", "db");
        assert_run(off, 0, "db: what is stored for it is forgotten.\n", "");
}

static GSocket *listen_at(const char *path) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
        GSocket *socket = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);

        g_assert_no_error(error);
        g_assert_true(g_socket_bind(socket, address, TRUE, &error) && g_socket_listen(socket, &error));
        return socket;
}

/* That the descriptor is our end of the connection that the listener has. */
static void assert_connected(GSocket *listener, GUnixFDList *fds, int index, char byte) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GSocket) accepted = g_socket_accept(listener, NULL, &error);
        char got = 0;
        int fd;

        g_assert_no_error(error);
        fd = g_unix_fd_list_get(fds, index, &error);
        g_assert_no_error(error);
        g_assert_cmpint(send(fd, &byte, 1, 0), ==, 1);
        close(fd);
        g_assert_cmpint(g_socket_receive(accepted, &got, 1, NULL, &error), ==, 1);
        g_assert_cmpint(got, ==, byte);
}

static void assert_pidfd_of_us(GUnixFDList *fds, int index) {
        g_autoptr(GError) error = NULL;
        int fd = g_unix_fd_list_get(fds, index, &error);
        g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd), *text = NULL;
        g_autofree char *expected = g_strdup_printf("\nPid:\t%d\n", (int) getpid());

        g_assert_no_error(error);
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        close(fd);
        g_assert_nonnull(strstr(text, expected));
}

static void test_register_passes_connected_descriptors(void) {
        g_autofree char *folder = folder_make();
        g_autofree char *monitor = g_build_filename(folder, "qmp", NULL), *agent = g_build_filename(folder, "qga", NULL);
        g_autofree char *pid = g_strdup_printf("--pid=%d", (int) getpid());
        g_autoptr(GSocket) monitor_socket = listen_at(monitor), agent_socket = listen_at(agent);
        g_autoptr(Peer) peer = peer_new();

        peer_guest_db(peer);
        g_auto(Run) plain = RUN(peer, "register", "db", monitor);
        assert_run(plain, 0, "db: is registered.\n", "");
        g_autoptr(PeerCall) one = peer_wait_call(peer);
        g_assert_cmpstr(one->member, ==, "RegisterDomain");
        g_assert_cmpstr(one->arguments, ==, "('db', handle 0, @a{sv} {}, @as [])");
        g_assert_true(one->interactive);
        g_assert_cmpint(g_unix_fd_list_get_length(one->fds), ==, 1);
        assert_connected(monitor_socket, one->fds, 0, 'q');

        g_auto(Run) all = RUN(peer, "register", "db", monitor, "--agent", agent, pid, "--dry-run");
        assert_run(all, 0, "db: would be registered.\n", "");
        g_autoptr(PeerCall) three = peer_wait_call(peer);
        g_assert_cmpstr(three->arguments, ==, "('db', handle 0, {'pidfd': <handle 1>, 'agent': <handle 2>}, ['dry-run'])");
        assert_connected(monitor_socket, three->fds, 0, 'q');
        assert_pidfd_of_us(three->fds, 1);
        assert_connected(agent_socket, three->fds, 2, 'a');
        g_auto(Run) json = RUN(peer, "register", "db", monitor, "--json=short");
        assert_run(json, 0, "{\"domain\":\"" PEER_DB "\"}\n", "");

        (void) g_unlink(monitor);
        (void) g_unlink(agent);
        (void) g_rmdir(folder);
}

static void test_sockets_that_cannot_be_connected_to(void) {
        g_autofree char *folder = folder_make(), *path = g_build_filename(folder, "qmp", NULL);
        g_autofree char *file = g_build_filename(folder, "file", NULL);
        g_autoptr(GSocket) socket = listen_at(path);
        g_autoptr(Peer) peer = peer_new();

        g_assert_true(g_file_set_contents(file, "x", 1, NULL));
        const struct {
                const char *words[WORDS_MAX];
                const char *says;
        } rows[] = {
                { { "register", "db", file }, "Cannot connect to the monitor at " },
                { { "register", "db", "/nonexistent/qmp" }, "/nonexistent/qmp: No such file or directory." },
                { { "register", "db", path, "--agent=/nonexistent/qga" }, "Cannot connect to the guest agent at /nonexistent/qga" },
                { { "register", "db", path, "--pid=2147483647" }, "Cannot open the process 2147483647: No such process." },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(peer, rows[i].words);
                g_assert_cmpint(run.status, ==, 1);
                if (!strstr(run.err, rows[i].says))
                        g_error("'%s' is not in: %s", rows[i].says, run.err);
        }
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
        (void) g_unlink(file);
        (void) g_unlink(path);
        (void) g_rmdir(folder);
}

/* A monitor that serves somebody else does not take a second one, and does not hold us. */
static void test_monitor_that_is_taken_is_not_waited_for(void) {
        g_autofree char *folder = folder_make(), *path = g_build_filename(folder, "qmp", NULL);
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
        g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(g_object_unref);
        g_autoptr(GError) error = NULL;
        g_autoptr(GSocket) socket = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
        g_autoptr(Peer) peer = peer_new();

        g_assert_no_error(error);
        g_socket_set_listen_backlog(socket, 1);
        g_assert_true(g_socket_bind(socket, address, TRUE, NULL) && g_socket_listen(socket, NULL));
        for (gboolean room = TRUE; room;) {
                GSocket *other = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
                g_ptr_array_add(others, other);
                g_socket_set_blocking(other, FALSE);
                room = g_socket_connect(other, address, NULL, NULL);
        }
        g_auto(Run) run = RUN(peer, "register", "db", path);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_nonnull(strstr(run.err, "Somebody else is connected, and it takes no second one.\n"));
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
        (void) g_unlink(path);
        (void) g_rmdir(folder);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/define/" #name, test_##name)
        ADD(define_sends_the_document_as_it_is);
        ADD(define_reads_standard_input);
        ADD(documents_that_cannot_be_sent);
        ADD(guests_are_let_go);
        ADD(register_passes_connected_descriptors);
        ADD(sockets_that_cannot_be_connected_to);
        ADD(monitor_that_is_taken_is_not_waited_for);
        return g_test_run();
}
