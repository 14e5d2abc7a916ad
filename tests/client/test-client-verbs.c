/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each verb shows of a scripted host: the exact text, and the JSON. */

#include <json-c/json.h>

#include "peer.h"
#include "verbs.h"

static void test_overview_fits_and_sums_up(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer);

        assert_run(run, 0,
                   "Host     Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz, x86_64\n"
                   "CPUs     8 online: 2 sockets, 4 cores, 2 threads each\n"
                   "Caches   L1d 4 × 32 KiB, L1i 4 × 32 KiB, L2 4 × 1 MiB, L3 2 × 13.8 MiB\n"
                   "Memory   64 GiB in 2 cells, 47.5 GiB free\n"
                   "Sleep    memory; idle blocked: 'berthctl power' tells why\n"
                   "\n"
                   "CELL  CPUS     MEMORY      FREE     CACHE  SOCKET  FREE HUGE PAGES\n"
                   "   0  0-1,4-5  32 GiB  15.5 GiB  13.8 MiB  0       512 of 2 MiB\n"
                   "   1  2-3,6-7  32 GiB    32 GiB  13.8 MiB  1       none\n",
                   "");
}

/* 64 cells and many warnings leave no more lines than a terminal of 24 has. */
static void test_overview_of_a_large_host_fits_24_lines(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GString) objects = g_string_new("({'/org/berth1/host': {'org.berth1.Host.Topology': {'Warnings': <[");

        for (unsigned i = 0; i < 20; i++)
                g_string_append_printf(objects, "%s{'message': <'wrong %u'>, 'remedy': <'mend %u'>}", i > 0 ? "," : "", i, i);
        g_string_append(objects, "]>}}");
        for (unsigned i = 0; i < 64; i++)
                g_string_append_printf(objects, ",'/org/berth1/host/cells/%u': {'org.berth1.Host.Cell': {'Id': <uint32 %u>,"
                                                "'Cpus': <'%u-%u'>}}", i, i, i * 4, i * 4 + 3);
        g_string_append(objects, "},)");
        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", objects->str);

        g_auto(Run) run = RUN(peer);
        g_assert_cmpstr(run.err, ==, "");
        g_assert_cmpint(run.status, ==, 0);
        g_auto(GStrv) lines = g_strsplit(run.out, "\n", -1);
        g_assert_cmpuint(g_strv_length(lines) - 1, <=, 23);
        g_assert_nonnull(strstr(run.out, "more: 'berthctl cells' shows all."));
        g_assert_nonnull(strstr(run.out, "Warning  wrong 0\n         mend 0\n"));
        g_assert_nonnull(strstr(run.out, "more; 'berthctl topology' shows those of the machine."));
}

static void test_overview_ends_with_warnings_and_remedies(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})",
                    "({'/org/berth1': {'org.berth1.Manager': {'Warnings': <[{'code': <'polkit-missing'>, 'severity': <'blocks'>,"
                    "    'subject': <'polkit'>, 'message': <'There is no polkit on the bus.'>, 'remedy': <'Install polkitd.'>}]>}},"
                    "  '/org/berth1/host': {'org.berth1.Host.Topology': {'Threads': <uint32 2>, 'Warnings': <[{"
                    "    'code': <'siblings-disagree'>, 'severity': <'warns'>}]>}}},)");
        peer_answer(peer, "GetFreeMemory", "(a(ut))", "(@a(ut) [],)");
        peer_answer(peer, "GetFreePages", "(a(utt))", "(@a(utt) [],)");
        peer_answer(peer, "ListCaches", "(aa{sv})", "(@aa{sv} [],)");
        g_auto(Run) run = RUN(peer);
        assert_run(run, 0,
                   "CPUs     2 online\n"
                   "Memory   0 cells\n"
                   "\n"
                   "Error    polkit: There is no polkit on the bus.\n"
                   "         Install polkitd.\n"
                   "Warning  siblings-disagree\n",
                   "");
}

static void test_topology_shows_what_is_known(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "topology");

        assert_run(run, 0,
                   "Architecture   x86_64\n"
                   "Vendor         Intel\n"
                   "Model          Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz\n"
                   "Sockets        2\n"
                   "Dies           2\n"
                   "Cores          4\n"
                   "Threads        8\n"
                   "SMT            active\n"
                   "Possible CPUs  0-7\n"
                   "Present CPUs   0-7\n"
                   "Online CPUs    0-7\n"
                   "Generation     3\n",
                   "");
}

static void test_topology_xml_asks_for_nested(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "topology", "--xml", "--nested");
        g_autoptr(PeerCall) call = peer_wait_call(peer);

        assert_run(run, 0, "<topology/>\n", "");
        g_assert_cmpstr(call->member, ==, "GetXml");
        g_assert_cmpstr(call->arguments, ==, "(['nested'],)");
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
}

static void test_cells_takes_three_calls(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "cells");

        assert_run(run, 0,
                   "CELL  CPUS     MEMORY      FREE     CACHE  SOCKET  FREE HUGE PAGES\n"
                   "   0  0-1,4-5  32 GiB  15.5 GiB  13.8 MiB  0       512 of 2 MiB\n"
                   "   1  2-3,6-7  32 GiB    32 GiB  13.8 MiB  1       none\n"
                   "\n"
                   "DISTANCE   0   1\n"
                   "       0  10  21\n"
                   "       1  21  10\n",
                   "");
        g_assert_cmpint(peer_calls_left(peer), ==, 3);
}

/* A host that does not tell what is free is shown without it. */
static void test_cells_without_free_memory(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer_error(peer, "GetFreeMemory", "org.berth1.Error.NotSupported", "The kernel does not tell");
        peer_answer_error(peer, "GetFreePages", "org.berth1.Error.NoSuchCell", "There is no cell");
        g_auto(Run) run = RUN(peer, "cells");
        g_assert_cmpint(run.status, ==, 0);
        g_assert_true(g_str_has_prefix(run.out,
                                       "CELL  CPUS     MEMORY     CACHE  SOCKET\n"
                                       "   0  0-1,4-5  32 GiB  13.8 MiB  0\n"));
}

static void test_cells_far_too_many_for_a_matrix(void) {
        g_autoptr(Peer) peer = peer_new();
        g_autoptr(GString) objects = g_string_new("({'/org/berth1/host': {'org.berth1.Host.Topology': @a{sv} {}}");

        for (unsigned i = 0; i < 64; i++) {
                g_string_append_printf(objects, ",'/org/berth1/host/cells/%u': {'org.berth1.Host.Cell': {'Id': <uint32 %u>,"
                                                "'Distances': <{", i, i);
                for (unsigned j = 0; j < 64; j++)
                        g_string_append_printf(objects, "%suint32 %u: uint32 %u", j > 0 ? "," : "", j,
                                               i == j ? 10 : i / 4 == j / 4 ? 12 : 32);
                g_string_append(objects, "}>}}");
        }
        g_string_append(objects, "},)");
        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", objects->str);
        peer_answer(peer, "GetFreeMemory", "(a(ut))", "(@a(ut) [],)");
        peer_answer(peer, "GetFreePages", "(a(utt))", "(@a(utt) [],)");
        g_auto(Run) run = RUN(peer, "cells");
        g_assert_cmpint(run.status, ==, 0);
        g_assert_nonnull(strstr(run.out, "\nCELL  DISTANCES\n   0  10 to 0; 12 to 1-3; 32 to 4-63\n"));
        g_assert_nonnull(strstr(run.out, "\n   5  10 to 5; 12 to 4,6-7; 32 to 0-3,8-63\n"));
}

static void test_one_cell_in_full(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "cells", "0");

        assert_run(run, 0,
                   "Cell 0\n"
                   "CPUs       0-1,4-5\n"
                   "Sockets    0\n"
                   "Memory     32 GiB, 15.5 GiB free\n"
                   "Used by    8 GiB anonymous, 2 GiB files, 512 MiB kernel\n"
                   "Pages      7864320 of 4 KiB, 4063272 free\n"
                   "           1024 of 2 MiB, 512 free\n"
                   "           0 of 1 GiB, 0 free\n"
                   "Cache      13.8 MiB\n"
                   "Distances  10 to 0; 21 to 1\n"
                   "Access     from cell 0 (class 0), read 80 ns, 100000 MiB/s, write 90 ns\n"
                   "Devices    0000:00:1f.2  SATA controller (ahci)\n"
                   "           0000:01:00.0  020000\n",
                   "");
}

static void test_cpus_lists_offline_ones(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "ListCpus", "(aa{sv})",
                    "([{'id': <uint32 0>, 'online': <true>, 'cell': <uint32 0>, 'core': <uint32 0>, 'siblings': <'0,2'>,"
                    "   'kind': <'performance'>, 'max_khz': <uint32 5400000>},"
                    "  {'id': <uint32 1>, 'online': <false>},"
                    "  {'id': <uint32 2>, 'online': <true>, 'cell': <uint32 0>, 'core': <uint32 0>, 'siblings': <'0,2'>,"
                    "   'kind': <'performance'>, 'isolated': <true>, 'max_khz': <uint32 800000>}],)");
        g_auto(Run) run = RUN(peer, "cpus");
        assert_run(run, 0,
                   "CPU  STATE             CELL  CORE  SIBLINGS  KIND         MAX\n"
                   "  0  online               0     0  0,2       performance  5.4 GHz\n"
                   "  1  offline\n"
                   "  2  online, isolated     0     0  0,2       performance  800 MHz\n",
                   "");
}

static void test_caches_lists_each(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "ListCaches", "(aa{sv})",
                    "([{'level': <uint32 1>, 'type': <'data'>, 'size': <uint64 32768>, 'cpus': <'0-1'>},"
                    "  {'level': <uint32 3>, 'type': <'unified'>, 'size': <uint64 33554432>, 'cpus': <'0-3'>, 'id': <uint32 0>,"
                    "   'cell': <uint32 0>}],)");
        g_auto(Run) run = RUN(peer, "caches");
        assert_run(run, 0,
                   "LEVEL  TYPE       SIZE  CPUS  ID  CELL\n"
                   "L1     data     32 KiB  0-1\n"
                   "L3     unified  32 MiB  0-3    0     0\n",
                   "");
}

static void test_caches_says_when_there_are_none(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "ListCaches", "(aa{sv})", "(@aa{sv} [],)");
        g_auto(Run) run = RUN(peer, "caches");
        assert_run(run, 0, "The kernel tells of no caches here.\n", "");
}

static void test_map_draws_the_host(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "map");

        assert_run(run, 0,
                   "┌─ Socket 0 · Cell 0: 32 GiB · L3 13.8 MiB ─┐\n"
                   "│ [0 4] [1 5]                               │\n"
                   "└───────────────────────────────────────────┘\n"
                   "┌─ Socket 1 · Cell 1: 32 GiB · L3 13.8 MiB ─┐\n"
                   "│ [2 6] [3 7]                               │\n"
                   "└───────────────────────────────────────────┘\n"
                   "[ ] a core and its CPUs\n",
                   "");
}

static void test_capabilities_prints_the_document(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "capabilities");

        assert_run(run, 0, "<capabilities>\n  <host/>\n</capabilities>\n", "");
}

/* alloc-pages */

static void test_alloc_pages_adds(void) {
        g_autoptr(Peer) peer = peer_new();
        peer_answer(peer, "AllocPages", "(t)", "(1026,)");
        g_auto(Run) run = RUN(peer, "alloc-pages", "0", "2M", "2");

        assert_run(run, 0, "Cell 0 has 1026 pages of 2 MiB.\n", "");
        g_autoptr(PeerCall) before = peer_wait_call(peer);
        g_assert_cmpstr(before->member, ==, "GetPages");
        g_assert_cmpstr(before->path, ==, "/org/berth1/host/cells/0");
        g_assert_false(before->interactive);
        g_autoptr(PeerCall) call = peer_wait_call(peer);
        g_assert_cmpstr(call->interface, ==, "org.berth1.Host.Cells");
        g_assert_cmpstr(call->member, ==, "AllocPages");
        g_assert_cmpstr(call->arguments, ==, "(uint32 0, uint64 2097152, uint64 2, ['add'])");
        g_assert_true(call->interactive);
}

static void test_alloc_pages_tells_of_fewer(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "alloc-pages", "0", "2M", "100");

        g_assert_cmpint(run.status, ==, 1);
        g_assert_cmpstr(run.out, ==, "Cell 0 has 1024 pages of 2 MiB.\n");
        g_assert_true(g_str_has_prefix(run.err, "berthctl: 1124 were asked for in all: the kernel did not find"));
}

static void test_alloc_pages_sets_without_asking_first(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "--no-ask-password", "alloc-pages", "1", "1GiB", "1024", "--set");

        assert_run(run, 0, "Cell 1 has 1024 pages of 1 GiB.\n", "");
        g_autoptr(PeerCall) call = peer_wait_call(peer);
        g_assert_cmpstr(call->arguments, ==, "(uint32 1, uint64 1073741824, uint64 1024, ['set'])");
        g_assert_false(call->interactive);
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
}

static void test_alloc_pages_tells_of_more(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "alloc-pages", "0", "2M", "0", "--set");

        g_assert_cmpint(run.status, ==, 1);
        g_assert_nonnull(strstr(run.err, "0 were asked for: the others are in use"));
}

static void test_alloc_pages_dry_run(void) {
        g_autoptr(Peer) peer = peer_new();
        g_auto(Run) run = RUN(peer, "alloc-pages", "0", "2097152", "4000", "--dry-run");

        assert_run(run, 0, "Cell 0 has 1024 pages of 2 MiB; nothing was changed.\n", "");
        g_autoptr(PeerCall) call = peer_wait_call(peer);
        g_assert_cmpstr(call->arguments, ==, "(uint32 0, uint64 2097152, uint64 4000, ['add', 'dry-run'])");
}

static void test_alloc_pages_refuses_garbage(void) {
        static const struct {
                const char *cell, *size, *count, *names;
        } rows[] = {
                { "x", "2M", "1", "'x' is no cell" },
                { "-1", "2M", "1", "There is no option '-1'" },
                { "4294967296", "2M", "1", "'4294967296' is no cell" },
                { "", "2M", "1", "'' is no cell" },
                { "0", "", "1", "'' is no size" },
                { "0", "M", "1", "'M' is no size" },
                { "0", "2Q", "1", "'2Q' is no size" },
                { "0", "2MM", "1", "'2MM' is no size" },
                { "0", "2 M", "1", "'2 M' is no size" },
                { "0", "0", "1", "'0' is no size" },
                { "0", "99999999999999999999", "1", "is more than a size can be" },
                { "0", "16E", "1", "is more than a size can be" },
                { "0", "2M", "1.5", "'1.5' is no count" },
                { "0", "2M", "18446744073709551616", "is no count" },
                { "0", "2M", "", "'' is no count" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = RUN(peer, "alloc-pages", rows[i].cell, rows[i].size, rows[i].count);
                g_assert_cmpint(run.status, ==, 2);
                g_assert_nonnull(strstr(run.err, rows[i].names));
        }
        g_assert_cmpint(peer_calls_left(peer), ==, 0);
}

/* JSON */

typedef struct JsonRow {
        const char *verb, *expected;
} JsonRow;

static void test_json_is_exact_and_has_the_bus_keys(void) {
        static const JsonRow rows[] = {
                { "cells",
                  "[{\"Id\":0,\"Cpus\":\"0-1,4-5\",\"Memory\":34359738368,\"CacheSize\":14417920,"
                  "\"Distances\":{\"0\":10,\"1\":21},\"PageSizes\":[4096,2097152,1073741824],\"Sockets\":[0],"
                  "\"FreeMemory\":16643162112,\"FreePages\":[{\"size\":4096,\"free\":4063272},"
                  "{\"size\":2097152,\"free\":512},{\"size\":1073741824,\"free\":0}]},"
                  "{\"Id\":1,\"Cpus\":\"2-3,6-7\",\"Memory\":34359738368,\"CacheSize\":14417920,"
                  "\"Distances\":{\"0\":21,\"1\":10},\"PageSizes\":[4096,2097152,1073741824],\"Sockets\":[1],"
                  "\"FreeMemory\":34359738368,\"FreePages\":[{\"size\":4096,\"free\":8388608},"
                  "{\"size\":2097152,\"free\":0},{\"size\":1073741824,\"free\":0}]}]\n" },
                { "topology",
                  "{\"Arch\":\"x86_64\",\"Vendor\":\"Intel\",\"Model\":\"Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz\","
                  "\"Generation\":3,\"Warnings\":[],\"Sockets\":2,\"Dies\":2,\"Cores\":4,\"Threads\":8,"
                  "\"PossibleCpus\":\"0-7\",\"PresentCpus\":\"0-7\",\"OnlineCpus\":\"0-7\",\"IsolatedCpus\":\"\","
                  "\"SmtActive\":true}\n" },
                { "capabilities", "{\"Xml\":\"<capabilities>\\n  <host/>\\n</capabilities>\\n\"}\n" },
        };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = RUN(peer, "--json=short", rows[i].verb);
                assert_run(run, 0, rows[i].expected, "");
        }

        g_auto(Run) alloc = RUN(peer, "alloc-pages", "0", "2M", "1024", "--set", "--json=short");
        assert_run(alloc, 0, "{\"cell\":0,\"page_size\":2097152,\"count\":1024,\"total\":1024}\n", "");
}

static void test_json_of_each_verb_is_whole(void) {
        static const struct {
                const char *verb, *keys; /* of the object, or of the list's first; in order */
        } rows[] = {
                { "overview", "Manager Topology Power Cells Caches Domains" },
                { "cpus", "id online cell socket core siblings max_khz" },
                { "caches", "level type size cpus id cell" },
                { "map", "Cells Cpus Caches Domains" },
        };
        static const char *const modes[] = { "short", "pretty" };
        g_autoptr(Peer) peer = peer_new();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                for (size_t m = 0; m < G_N_ELEMENTS(modes); m++) {
                        g_autofree char *option = g_strdup_printf("--json=%s", modes[m]);
                        g_auto(Run) run = RUN(peer, option, rows[i].verb);
                        g_assert_cmpint(run.status, ==, 0);
                        json_object *whole = json_tokener_parse(run.out);
                        g_assert_nonnull(whole);
                        json_object *first = json_object_is_type(whole, json_type_array)
                                ? json_object_array_get_idx(whole, 0)
                                : whole;
                        g_autoptr(GString) keys = g_string_new(NULL);
                        json_object_object_foreach(first, key, value) {
                                (void) value;
                                g_string_append_printf(keys, "%s%s", keys->len > 0 ? " " : "", key);
                        }
                        g_assert_cmpstr(keys->str, ==, rows[i].keys);
                        /* One line is one line. */
                        g_assert_cmpint(strchr(run.out, '\n') == run.out + strlen(run.out) - 1, ==, m == 0);
                        json_object_put(whole);
                }
}

/* The examples in help and manual are what one sees, in plain characters. */
static void test_examples_are_what_is_shown(void) {
        static const char *const verbs[] = { "overview", "cells", "cpus", "caches", "map", "power", "inhibitors",
                                             "wake-sources", "alloc-pages" };

        for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
                g_autoptr(Peer) peer = peer_new();
                const Verb *verb = verb_find(verbs[i]);
                g_autoptr(GSubprocessLauncher) launcher = berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
                g_auto(GStrv) words = g_strsplit(verb->example, " ", -1);
                g_autoptr(GPtrArray) argv = berthctl_argv(peer, (const char *const *) words + 1);
                g_autoptr(GError) error = NULL;
                g_autofree char *out = NULL, *expected = g_strdup_printf("%s\n", verb->example_output);

                /* Some show what the small host does not have, or less of it. */
                peer_answer(peer, "AllocPages", "(t)", "(512,)");
                peer_power(peer);
                if (g_str_equal(verbs[i], "cpus"))
                        peer_answer(peer, "ListCpus", "(aa{sv})",
                                    "([{'id': <uint32 0>, 'online': <true>, 'cell': <uint32 0>, 'socket': <uint32 0>, 'core': <uint32 0>,"
                                    "   'siblings': <'0,2'>, 'max_khz': <uint32 3000000>},"
                                    "  {'id': <uint32 1>, 'online': <true>, 'cell': <uint32 0>, 'socket': <uint32 0>, 'core': <uint32 1>,"
                                    "   'siblings': <'1'>, 'max_khz': <uint32 3000000>},"
                                    "  {'id': <uint32 2>, 'online': <true>, 'cell': <uint32 0>, 'socket': <uint32 0>, 'core': <uint32 0>,"
                                    "   'siblings': <'0,2'>, 'max_khz': <uint32 3000000>},"
                                    "  {'id': <uint32 3>, 'online': <false>}],)");
                if (g_str_equal(verbs[i], "caches"))
                        peer_answer(peer, "ListCaches", "(aa{sv})",
                                    "([{'level': <uint32 1>, 'type': <'data'>, 'size': <uint64 32768>, 'cpus': <'0,4'>, 'id': <uint32 0>,"
                                    "   'cell': <uint32 0>},"
                                    "  {'level': <uint32 1>, 'type': <'instruction'>, 'size': <uint64 32768>, 'cpus': <'0,4'>,"
                                    "   'id': <uint32 0>, 'cell': <uint32 0>},"
                                    "  {'level': <uint32 2>, 'type': <'unified'>, 'size': <uint64 1048576>, 'cpus': <'0,4'>,"
                                    "   'id': <uint32 0>, 'cell': <uint32 0>},"
                                    "  {'level': <uint32 3>, 'type': <'unified'>, 'size': <uint64 14417920>, 'cpus': <'0-1,4-5'>,"
                                    "   'id': <uint32 0>, 'cell': <uint32 0>}],)");
                g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
                g_autoptr(GSubprocess) process =
                        g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
                g_assert_no_error(error);
                g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, &error);
                g_assert_no_error(error);
                g_assert_cmpstr(out, ==, expected);
        }
}

/* Nothing that the service says steers the terminal. */
static void test_text_from_the_service_is_harmless(void) {
        g_autoptr(Peer) peer = peer_new();

        peer_answer(peer, "GetAll", "(a{sv})",
                    "({'Model': <'evil \\u001b]0;title\\u0007 \\u009b31m \\u202e'>, 'Vendor': <'Ünïcode'>},)");
        g_auto(Run) run = RUN(peer, "topology");
        assert_run(run, 0,
                   "Vendor         Ünïcode\n"
                   "Model          evil ?]0;title? ?31m ?\n",
                   "");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/verbs/" #name, test_##name)
        ADD(overview_fits_and_sums_up);
        ADD(overview_of_a_large_host_fits_24_lines);
        ADD(overview_ends_with_warnings_and_remedies);
        ADD(topology_shows_what_is_known);
        ADD(topology_xml_asks_for_nested);
        ADD(cells_takes_three_calls);
        ADD(cells_without_free_memory);
        ADD(cells_far_too_many_for_a_matrix);
        ADD(one_cell_in_full);
        ADD(cpus_lists_offline_ones);
        ADD(caches_lists_each);
        ADD(caches_says_when_there_are_none);
        ADD(map_draws_the_host);
        ADD(capabilities_prints_the_document);
        ADD(alloc_pages_adds);
        ADD(alloc_pages_tells_of_fewer);
        ADD(alloc_pages_sets_without_asking_first);
        ADD(alloc_pages_tells_of_more);
        ADD(alloc_pages_dry_run);
        ADD(alloc_pages_refuses_garbage);
        ADD(json_is_exact_and_has_the_bus_keys);
        ADD(json_of_each_verb_is_whole);
        ADD(examples_are_what_is_shown);
        ADD(text_from_the_service_is_harmless);
        return g_test_run();
}
