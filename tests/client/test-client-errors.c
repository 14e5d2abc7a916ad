/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What goes wrong, and what is then said and returned: on the command line, on the
 * way to the service, and in what it answers. */

#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>

#include "peer.h"

static void assert_failure(Run run, int status, const char *const *words) {
        g_assert_cmpstr(run.out, ==, "");
        for (; *words; words++)
                if (!strstr(run.err, *words))
                        g_error("'%s' is not in: %s", *words, run.err);
        g_assert_cmpint(run.status, ==, status);
        /* A sentence for a person, by its name, and nothing that is left of a format. */
        g_assert_true(g_str_has_prefix(run.err, "berthctl: "));
        g_assert_null(strstr(run.err, "(null)"));
        g_assert_true(g_str_has_suffix(run.err, "\n"));
}
#define assert_failed(run, status, ...) assert_failure(run, status, (const char *const[]) { __VA_ARGS__, NULL })

static void test_command_line_that_is_not_understood(void) {
        static const struct {
                const char *words[4];
                const char *says;
        } rows[] = {
                { { "celsl" }, "There is no verb 'celsl'.\nDid you mean 'cells'?" },
                { { "mon" }, "Did you mean 'monitor'?" },
                { { "capabilites" }, "Did you mean 'capabilities'?" },
                { { "xyzzy" }, "There is no verb 'xyzzy'.\n'berthctl --help' shows" },
                { { "" }, "There is no verb ''." },
                { { "--jsno=short" }, "There is no option '--jsno'.\nDid you mean '--json'?" },
                { { "--adress", "x" }, "Did you mean '--address'?" },
                { { "--frobnicate" }, "There is no option '--frobnicate'.\n'berthctl --help'" },
                { { "-x" }, "There is no option '-x'." },
                { { "cells", "--set" }, "The verb 'cells' has no option --set.\n'berthctl cells --help'" },
                { { "--dry-run", "topology" }, "The verb 'topology' has no option --dry-run." },
                { { "--json" }, "The option --json needs a value: --json=MODE" },
                { { "--json=xml" }, "--json=xml: it can be short, pretty or off." },
                { { "--json=" }, "--json=: it can be" },
                { { "--version=1" }, "The option --version takes no value" },
                { { "--timeout=0" }, "--timeout=0: it is a number of seconds" },
                { { "--timeout=-1" }, "--timeout=-1" },
                { { "--timeout=1e99" }, "--timeout=1e99" },
                { { "--timeout=nan" }, "--timeout=nan" },
                { { "--timeout=5s" }, "--timeout=5s" },
                { { "--address=unix:path=/x", "-Hhost" }, "--address and --host exclude each other." },
                { { "map", "4" }, "'4' is too much: berthctl map\n" },
                { { "alloc-pages", "0" }, "'alloc-pages' needs more: berthctl alloc-pages CELL SIZE COUNT" },
                { { "topology", "--nested" }, "--nested is an option of --xml." },
                { { "help", "celsl" }, "Did you mean 'cells'?" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = run_berthctl(NULL, rows[i].words);
                assert_failed(run, 2, rows[i].says);
        }
}

static void test_options_stand_anywhere(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) plain = RUN(peer, "--json=short", "cells", "0");
        g_auto(Run) after = RUN(peer, "cells", "--json", "short", "--", "0");

        g_assert_cmpint(plain.status, ==, 0);
        g_assert_cmpstr(plain.out, ==, after.out);
        g_auto(Run) dash = RUN(peer, "cells", "--", "--json");
        assert_failed(dash, 2, "'--json' is no cell");
        g_auto(Run) help = RUN(NULL, "cells", "--help", "--nonsense-is-not-forgiven");
        g_assert_cmpint(help.status, ==, 2);
}

/* One row for each class of errors. */
static void test_errors_of_the_service(void) {
        static const struct {
                const char *name, *message;
                int status;
                const char *says;
        } rows[] = {
                { "org.berth1.Error.NoSuchCell", "There is no cell 9: there are 0-1", 3, "There is no cell 9: there are 0-1\n" },
                { "org.berth1.Error.NoSuchDomain", "none", 3, "none" },
                { "org.freedesktop.DBus.Error.UnknownObject", "gone", 3, "gone" },
                { "org.freedesktop.DBus.Error.AccessDenied", "org.berth1.host.alloc-pages", 4,
                  "Not authorized: org.berth1.host.alloc-pages\nRoot is" },
                { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "org.berth1.host.alloc-pages", 4,
                  "Not authorized without a password: org.berth1.host.alloc-pages" },
                { "org.freedesktop.DBus.Error.InvalidArgs", "This cell has pages of 2 MiB", 1, "This cell has pages of 2 MiB\n" },
                { "org.berth1.Error.NotSupported", "no huge pages", 1, "no huge pages\n" },
                { "org.berth1.Error.TimedOut", "still at it", 1, "still at it\n" },
                { "org.berth1.Error.BackendFailed", "EBUSY\n", 1, "berthctl: EBUSY\n" },
                { "org.freedesktop.DBus.Error.UnknownMethod", "no such method", 1, "older than this berthctl" },
                { "org.freedesktop.DBus.Error.ServiceUnknown", "not provided", 1, "'berthd --address=" },
                { "org.freedesktop.DBus.Error.Spawn.ChildExited", "ended with 1", 1, "ended with 1\n'berthd" },
                { "org.freedesktop.DBus.Error.NoReply", "left", 1, "left without an answer to AllocPages: left\n" },
                { "com.example.Odd", "%s%n", 1, "AllocPages failed: %s%n (com.example.Odd)" },
                { "com.example.Mute", "", 1, "AllocPages failed: com.example.Mute" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                peer_answer_error(peer, "AllocPages", rows[i].name, rows[i].message);
                g_auto(Run) run = RUN(peer, "alloc-pages", "9", "2M", "1", "--set");
                assert_failed(run, rows[i].status, rows[i].says);
        }
}

static void test_cell_that_is_not_there(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "cells", "0", "7");

        assert_failed(run, 3, "There is no cell 7 on this host; its cells are 0-1.");
        g_auto(Run) garbage = RUN(peer, "cells", "0-1");
        assert_failed(garbage, 2, "'0-1' is no cell");
}

static void test_service_is_not_there(void) {
        static const char *const verbs[] = { "overview", "topology", "cells", "cpus", "caches", "map", "capabilities" };
        g_autoptr(Peer) peer = peer_new();

        peer_disown(peer);
        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
                g_auto(Run) run = RUN(peer, verbs[i]);
                assert_failed(run, 1, "The Berth service is not on this bus", "'berthd --address=");
        }
}

static void test_bus_is_not_there(void) {
        g_auto(Run) run = RUN(NULL, "--address=unix:path=/nonexistent/bus", "cells");

        assert_failed(run, 1, "Cannot connect to the bus at unix:path=/nonexistent/bus: No such file or directory.");

        g_autoptr(GSubprocessLauncher) launcher =
                berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
        g_autoptr(GError) error = NULL;
        g_auto(Run) system = {};
        g_subprocess_launcher_setenv(launcher, "DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", TRUE);
        g_autoptr(GSubprocess) process = g_subprocess_launcher_spawn(launcher, &error, g_getenv("BERTHCTL"), "cells", NULL);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(process, NULL, NULL, &system.out, &system.err, &error);
        g_assert_no_error(error);
        system.status = g_subprocess_get_exit_status(process);
        assert_failed(system, 1, "Cannot connect to the system bus", "'systemctl start dbus'");
}

static void test_service_that_never_answers(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer_never(peer, "GetManagedObjects");
        g_auto(Run) run = RUN(peer, "--timeout=1.5", "cells"); /* the bus itself must answer in that time */
        assert_failed(run, 1, "did not answer GetManagedObjects within 1.5 s.", "--timeout=");
}

/* A bus that accepts and says nothing is under the same deadline. */
static void test_bus_that_never_greets(void) {
        g_autoptr(GSocketListener) listener = g_socket_listener_new();
        g_autoptr(GError) error = NULL;
        g_autofree char *folder = g_dir_make_tmp("berthctl-XXXXXX", &error);
        g_assert_no_error(error);
        g_autofree char *path = g_build_filename(folder, "bus", NULL);
        g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);

        g_socket_listener_add_address(listener, address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
        g_assert_no_error(error);
        g_autofree char *option = g_strdup_printf("--address=unix:path=%s", path);
        g_auto(Run) run = RUN(NULL, option, "--timeout=0.2", "cells");
        assert_failed(run, 1, "Cannot connect to the bus at unix:path=");
        g_socket_listener_close(listener);
        (void) g_unlink(path);
        (void) g_rmdir(folder);
}

static void test_service_that_leaves_with_the_call(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer_leaving(peer, "ListCpus");
        g_auto(Run) run = RUN(peer, "cpus");
        assert_failed(run, 1, "left without an answer to ListCpus", "journalctl -u berthd");
}

/* Answers that are not as they are documented. */
static void test_malformed_answers(void) {
        static const struct {
                const char *verb, *member, *type, *text, *says;
        } rows[] = {
                { "cells", "GetManagedObjects", "(s)", "('no',)", "with 's' where 'a{oa{sa{sv}}}' is documented" },
                { "cells", "GetManagedObjects", "(a{oa{sa{sv}}})", "(@a{oa{sa{sv}}} {},)", "no object has org.berth1.Host.Topology" },
                { "cells", "GetManagedObjects", "(a{oa{sa{sv}}})",
                  "({'/h': {'org.berth1.Host.Topology': @a{sv} {}}, '/c': {'org.berth1.Host.Cell': {'Cpus': <'0'>}}},)", ": Id." },
                { "cells", "GetManagedObjects", "(a{oa{sa{sv}}})",
                  "({'/h': {'org.berth1.Host.Topology': @a{sv} {}}, '/c': {'org.berth1.Host.Cell': {'Id': <'0'>}}},)", ": Id." },
                { "cells", "GetManagedObjects", "(a{oa{sa{sv}}})",
                  "({'/h': {'org.berth1.Host.Topology': @a{sv} {}}, '/c': {'org.berth1.Host.Cell': {'Id': <-1>}}},)", ": Id." },
                { "cells", "GetManagedObjects", "(a{oa{sa{sv}}})",
                  "({'/h': {'org.berth1.Host.Topology': @a{sv} {}}, '/c': {'org.berth1.Host.Cell':"
                  " {'Id': <uint32 0>, 'Distances': <'near'>}}},)", ": Distances." },
                { "overview", "GetManagedObjects", "(a{oa{sa{sv}}})",
                  "({'/h': {'org.berth1.Host.Topology': {'Warnings': <[1, 2]>}}},)", ": an entry." },
                { "topology", "GetAll", "(a{sv})", "({'Sockets': <'two'>},)", ": Sockets." },
                { "topology", "GetAll", "(as)", "(['Sockets'],)", "with 'as' where 'a{sv}'" },
                { "cells", "GetFreeMemory", "(a(uu))", "([(0, 1)],)", "with 'a(uu)' where 'a(ut)'" },
                { "cells", "GetFreePages", "(u)", "(1,)", "with 'u' where 'a(utt)'" },
                { "cpus", "ListCpus", "(aa{sv})", "([{'online': <true>}],)", ": id." },
                { "cpus", "ListCpus", "(aa{sv})", "([{'id': <uint32 0>}],)", ": online." },
                { "cpus", "ListCpus", "(aa{sv})", "([{'id': <uint32 0>, 'online': <true>, 'siblings': <[0, 1]>}],)", ": siblings." },
                { "map", "ListCpus", "(aa{sv})", "([{'id': <uint32 4294967295>, 'online': <true>}],)", "a list of CPUs" },
                { "map", "ListCpus", "(aa{sv})", "([{'id': <uint32 0>, 'online': <true>, 'siblings': <'0-4294967295'>}],)",
                  "a list of CPUs" },
                { "map", "ListCpus", "(aa{sv})", "([{'id': <uint32 0>, 'online': <true>, 'siblings': <'3-1'>}],)", "a list of CPUs" },
                { "map", "ListCaches", "(aa{sv})", "([{'level': <uint32 3>, 'type': <'unified'>, 'cpus': <'0-'>}],)", "a list of CPUs" },
                { "caches", "ListCaches", "(aa{sv})", "([{'level': <uint32 3>}],)", ": type." },
                { "caches", "ListCaches", "()", "()", "with '' where 'aa{sv}'" },
                { "capabilities", "GetCapabilitiesXml", "(ss)", "('a', 'b')", "with 'ss' where 's'" },
                { "alloc-pages", "AllocPages", "(u)", "(1,)", "with 'u' where 't'" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Peer) peer = peer_new();
                peer_answer(peer, rows[i].member, rows[i].type, rows[i].text);
                g_auto(Run) run = g_str_equal(rows[i].verb, "alloc-pages") ? RUN(peer, rows[i].verb, "0", "2M", "1")
                                                                           : RUN(peer, rows[i].verb);
                assert_failed(run, 1, rows[i].says);
        }
}

/* What is odd, but as documented, is shown. */
static void test_absurd_sizes_are_shown(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "ListCaches", "(aa{sv})",
                    "([{'level': <uint32 4294967295>, 'type': <''>, 'size': <uint64 18446744073709551615>, 'cpus': <''>}],)");
        g_auto(Run) run = RUN(peer, "caches");
        assert_run(run, 0, "LEVEL          SIZE\nL4294967295  16 EiB\n", "");
        g_auto(Run) json = RUN(peer, "caches", "--json=short");
        assert_run(json, 0, "[{\"level\":4294967295,\"type\":\"\",\"size\":18446744073709551615,\"cpus\":\"\"}]\n", "");
}

static void test_output_that_cannot_be_written(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GSubprocessLauncher) launcher = berthctl_launcher(G_SUBPROCESS_FLAGS_STDERR_PIPE);
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, (const char *const[]) { "cpus", NULL });
        g_autoptr(GError) error = NULL;
        g_auto(Run) run = {};

        g_subprocess_launcher_set_stdout_file_path(launcher, "/dev/full");
        g_autoptr(GSubprocess) process =
                g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(process, NULL, NULL, NULL, &run.err, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_subprocess_get_exit_status(process), ==, 1);
        g_assert_nonnull(strstr(run.err, "Cannot write all of the output: No space left on device."));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/errors/" #name, test_##name)
        ADD(command_line_that_is_not_understood);
        ADD(options_stand_anywhere);
        ADD(errors_of_the_service);
        ADD(cell_that_is_not_there);
        ADD(service_is_not_there);
        ADD(bus_is_not_there);
        ADD(service_that_never_answers);
        ADD(bus_that_never_greets);
        ADD(service_that_leaves_with_the_call);
        ADD(malformed_answers);
        ADD(absurd_sizes_are_shown);
        ADD(output_that_cannot_be_written);
        return g_test_run();
}
