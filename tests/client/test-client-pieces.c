/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* berthctl's own pieces, linked in: what reads text, what writes it, and the agent. */

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <math.h>
#include <signal.h>

#include "agent.h"
#include "cpulist.h"
#include "fields.h"
#include "map.h"
#include "message-json.h"
#include "peer.h"
#include "suggest.h"
#include "table.h"
#include "units.h"

static void test_bytes_parse(void) {
        static const struct {
                const char *text;
                int r;
                uint64_t bytes;
        } rows[] = {
                { "0", 0, 0 },
                { "4096", 0, 4096 },
                { "4K", 0, 4096 },
                { "2M", 0, 2097152 },
                { "2m", 0, 2097152 },
                { "2MiB", 0, 2097152 },
                { "2MB", 0, 2097152 },
                { "7B", 0, 7 },
                { "1G", 0, 1073741824 },
                { "15E", 0, UINT64_C(15) << 60 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE },
                { "16E", -ERANGE },
                { "17179869184G", -ERANGE },
                { "", -EINVAL },
                { " 2M", -EINVAL },
                { "2M ", -EINVAL },
                { "-2M", -EINVAL },
                { "+2M", -EINVAL },
                { "2.5M", -EINVAL },
                { "0x10", -EINVAL },
                { "M", -EINVAL },
                { "2iB", -EINVAL },
                { "2MiBB", -EINVAL },
                { "2Z", -EINVAL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                uint64_t bytes = 77;
                g_assert_cmpint(bytes_parse(rows[i].text, &bytes), ==, rows[i].r);
                g_assert_cmpuint(bytes, ==, rows[i].r < 0 ? 77 : rows[i].bytes);
        }
}

static void test_bytes_format(void) {
        static const struct {
                uint64_t bytes;
                const char *text;
        } rows[] = {
                { 0, "0 B" },
                { 1023, "1023 B" },
                { 1024, "1 KiB" },
                { 1536, "1.5 KiB" },
                { 2097152, "2 MiB" },
                { 14417920, "13.8 MiB" },
                { 1048575, "1 MiB" },
                { 1048524, "1023.9 KiB" },
                { UINT64_C(34359738368), "32 GiB" },
                { UINT64_MAX, "16 EiB" },
        };
        char buffer[UNIT_TEXT_MAX];

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                g_assert_cmpstr(bytes_format(buffer, rows[i].bytes), ==, rows[i].text);
}

static void test_cpulist(void) {
        static const struct {
                const char *text;
                int r;
                unsigned count;
        } rows[] = {
                { "", 0, 0 },
                { "0", 0, 1 },
                { "0-3,8", 0, 5 },
                { "0-3,2-5", 0, 6 },
                { "65535", 0, 1 },
                { "0-65535", 0, 65536 },
                { "65536", -ERANGE },
                { "0-4294967295", -ERANGE },
                { "99999999999999999999", -ERANGE },
                { "3-1", -EINVAL },
                { "1-", -EINVAL },
                { "-1", -EINVAL },
                { "1,", -EINVAL },
                { ",1", -EINVAL },
                { "1,,2", -EINVAL },
                { "1 2", -EINVAL },
                { "0-3:1/2", -EINVAL },
                { "all", -EINVAL },
        };
        g_autofree CpuList *list = g_new0(CpuList, 1);

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_assert_cmpint(cpulist_parse(rows[i].text, list), ==, rows[i].r);
                if (rows[i].r == 0)
                        g_assert_cmpuint(cpulist_count(list), ==, rows[i].count);
        }
        g_assert_cmpint(cpulist_parse("1,63-64", list), ==, 0);
        g_assert_true(cpulist_has(list, 1) && cpulist_has(list, 63) && cpulist_has(list, 64));
        g_assert_false(cpulist_has(list, 0) || cpulist_has(list, 65) || cpulist_has(list, CPU_ID_MAX + 1u));
}

/* Lists as people write them, and as the kernel does: what one makes of the other. */
static void test_cpulist_loose(void) {
        static const struct {
                const char *text;
                int r;
                const char *kernel;
        } rows[] = {
                { "2", 0, "2" },
                { "0-3,^1", 0, "0,2-3" },
                { "0-3,^0", 0, "1-3" },
                { "0-7,^2-5", 0, "0-1,6-7" },
                { "0-3,^1,1", 0, "0-3" },
                { "3,1,2", 0, "1-3" },
                { "65535", 0, "65535" },
                { "63-64,^63", 0, "64" },
                { "", -EINVAL },
                { "^", -EINVAL },
                { "^1", -EINVAL },
                { "1,^1", -EINVAL },
                { "0-3,^4", -EINVAL },
                { "0-3,^", -EINVAL },
                { "0-3^1", -EINVAL },
                { "0-^3", -EINVAL },
                { "0-3,,^1", -EINVAL },
                { "0-3,^^1", -EINVAL },
                { "0-3, ^1", -EINVAL },
                { "!1", -EINVAL },
                { "65536", -ERANGE },
                { "0,^65536", -ERANGE },
        };
        g_autofree CpuList *list = g_new(CpuList, 1);

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_assert_cmpint(cpulist_parse_loose(rows[i].text, list), ==, rows[i].r);
                if (rows[i].r < 0)
                        continue;
                char *kernel = cpulist_format(list);
                g_assert_cmpstr(kernel, ==, rows[i].kernel);
                free(kernel);
        }
        /* The service's own lists have no such thing. */
        g_assert_cmpint(cpulist_parse("0-3,^1", list), ==, -EINVAL);
        g_assert_cmpint(cpulist_parse("", list), ==, 0);
        char *empty = cpulist_format(list);
        g_assert_cmpstr(empty, ==, "");
        free(empty);
}

static void test_numbers(void) {
        static const struct {
                const char *text;
                uint64_t max;
                bool good;
        } rows[] = {
                { "0", 10, true },   { "10", 10, true }, { "11", 10, false }, { "0000000000000000000000001", 1, true },
                { "", 10, false },   { "-1", 10, false }, { "1x", 10, false }, { " 1", 10, false },
                { "18446744073709551615", UINT64_MAX, true }, { "18446744073709551616", UINT64_MAX, false },
                { "9", 8, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                uint64_t n;
                g_assert_cmpint(number_parse(rows[i].text, rows[i].max, &n), ==, rows[i].good);
        }
}

static void test_suggestions(void) {
        static const char *const words[] = { "cells", "cpus", "caches", "capabilities", "topology", "map", "monitor" };
        static const struct {
                const char *typed, *meant;
        } rows[] = {
                { "cell", "cells" },     { "celsl", "cells" },   { "topologie", "topology" }, { "cach", "caches" },
                { "mapp", "map" },       { "cpu", "cpus" },      { "capabilites", "capabilities" },
                { "", NULL },            { "x", NULL },          { "zzzzzz", NULL },          { "c", NULL },
                { "a-word-that-is-longer-than-any-verb-has-a-right-to-be", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                Suggestion s;
                suggestion_init(&s, rows[i].typed);
                for (size_t j = 0; j < G_N_ELEMENTS(words); j++)
                        suggestion_offer(&s, words[j]);
                g_assert_cmpstr(s.best, ==, rows[i].meant);
        }
        g_assert_cmpuint(word_distance("abcd", "acbd"), ==, 1);
        g_assert_cmpuint(word_distance("", "abc"), ==, 3);
}

static Terminal memory_terminal(char **text, size_t *size, bool utf8, unsigned columns) {
        return (Terminal) { .file = open_memstream(text, size), .utf8 = utf8, .columns = columns, .rows = 24 };
}

static void test_text_is_made_harmless(void) {
        static const struct {
                const char *text, *utf8, *plain;
        } rows[] = {
                { "plain", "plain", "plain" },
                { "a\nb\tc", "a\nb\tc", "a\nb\tc" },
                { "\033[31mred", "?[31mred", "?[31mred" },
                { "\177\002\r", "???", "???" },
                { "caf\303\251", "caf\303\251", "caf?" },
                { "\302\233", "?", "?" },                      /* CSI in one character */
                { "a\342\200\256b", "a?b", "a?b" },            /* turns the direction of writing */
                { "\342\224\200\342\206\222", "\342\224\200\342\206\222", "->" },
                { "x\302\240y", "x y", "x y" },
                { "\377\300\257", "\357\277\275\357\277\275\357\277\275", "???" }, /* no UTF-8 */
                { "\355\240\200", "\357\277\275\357\277\275\357\277\275", "???" }, /* a surrogate */
                { "\342\224", "\357\277\275\357\277\275", "??" },                  /* cut off */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                for (int utf8 = 0; utf8 < 2; utf8++) {
                        char *text;
                        size_t size;
                        Terminal t = memory_terminal(&text, &size, utf8, 80);
                        terminal_put(&t, rows[i].text);
                        fclose(t.file);
                        g_assert_cmpstr(text, ==, utf8 ? rows[i].utf8 : rows[i].plain);
                        free(text);
                }
}

static void test_table_aligns_by_what_is_seen(void) {
        static const Column columns[] = { { "NAME" }, { "EMPTY" }, { "N", .right = true }, {} };
        char *text;
        size_t size;
        Terminal t = memory_terminal(&text, &size, true, 80);
        Table *table = table_new(columns);

        g_assert_cmpint(table_add(table, "caf\303\251"), ==, 0);
        g_assert_cmpint(table_add(table, NULL), ==, 0);
        g_assert_cmpint(table_addf(table, "%d", 7), ==, 0);
        g_assert_cmpint(table_add(table, "\346\227\245\346\234\254"), ==, 0); /* two of double width */
        g_assert_cmpint(table_add(table, ""), ==, 0);
        g_assert_cmpint(table_add(table, "1000"), ==, 0);
        g_assert_cmpint(table_add(table, "a\nb"), ==, 0);
        g_assert_cmpint(table_add(table, NULL), ==, 0);
        g_assert_cmpint(table_add(table, NULL), ==, 0);
        table_print(table, &t, 100);
        table_free(table);
        fclose(t.file);
        g_assert_cmpstr(text, ==,
                        "NAME     N\n"
                        "caf\303\251     7\n"
                        "\346\227\245\346\234\254  1000\n"
                        "a b\n");
        free(text);
}

/* Any D-Bus value has a JSON form. */
static void test_any_message_becomes_json(void) {
        g_autoptr(Peer) peer = peer_new();
        sd_bus *bus = NULL;
        sd_bus_message *m = NULL;
        json_object *json = NULL;

        g_assert_cmpint(sd_bus_new(&bus), >=, 0);
        g_assert_cmpint(sd_bus_set_address(bus, peer_address(peer)), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(bus, true), >=, 0);
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        g_assert_cmpint(sd_bus_message_new_signal(bus, &m, "/x", "x.y", "Z"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "ybnqiuxtdsog", 255, 1, -32768, 65535, -1, UINT32_MAX, INT64_MIN, UINT64_MAX,
                                              0.5, "\"s\"\n", "/o", "a{sv}"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "d", (double) NAN), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "a{uu}", 2, 7, 8, 33, 10), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "a(st)av", 1, "x", UINT64_C(1), 2, "as", 0, "v", "b", 0), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "ay", 2, 1, 2), >=, 0);
        g_assert_cmpint(sd_bus_message_seal(m, 1, 0), >=, 0);
        g_assert_cmpint(message_to_json(m, &json), ==, 0);
        g_assert_cmpstr(json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE), ==,
                        "[255,true,-32768,65535,-1,4294967295,-9223372036854775808,18446744073709551615,0.5,\"\\\"s\\\"\\n\","
                        "\"/o\",\"a{sv}\",null,{\"7\":8,\"33\":10},[[\"x\",1]],[[],false],[1,2]]");
        json_object_put(json);
        sd_bus_message_unref(m);
        sd_bus_flush_close_unref(bus);
}

/* Pictures */

typedef struct MapRow {
        const char *cells, *cpus, *caches;
        unsigned columns;
        const char *picture;
} MapRow;

static const MapRow map_rows[] = {
        /* the smallest machine, of which little is known */
        { "[{\"Id\":0}]", "[{\"id\":0,\"online\":true}]", "[]", 80,
          "┌─ CPUs ─────────┐ ┌─ Without CPUs ─┐\n"
          "│ [0]            │ │ [Cell 0]       │\n"
          "└────────────────┘ └────────────────┘\n" },
        /* one socket, two CPUs, both of one core */
        { "[{\"Id\":0,\"Memory\":8589934592}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"socket\":0,\"siblings\":\"0-1\"},"
          "{\"id\":1,\"online\":true,\"cell\":0,\"socket\":0,\"siblings\":\"0-1\"}]",
          "[{\"level\":3,\"type\":\"unified\",\"size\":33554432,\"cpus\":\"0-1\"}]", 80,
          "┌─ Socket 0 · Cell 0: 8 GiB · L3 32 MiB ─┐\n"
          "│ [0 1]                                  │\n"
          "└────────────────────────────────────────┘\n"
          "[ ] a core and its CPUs\n" },
        /* a hybrid: each kind in rows of its own; one isolated, one offline whose place is known, one whose is not */
        { "[{\"Id\":0}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"kind\":\"performance\",\"siblings\":\"0-1\"},"
          "{\"id\":1,\"online\":false,\"cell\":0,\"kind\":\"performance\",\"siblings\":\"0-1\"},"
          "{\"id\":10,\"online\":true,\"cell\":0,\"kind\":\"efficiency\"},"
          "{\"id\":11,\"online\":true,\"cell\":0,\"kind\":\"efficiency\",\"isolated\":true},"
          "{\"id\":12,\"online\":true,\"cell\":0,\"kind\":\"low-power\"},"
          "{\"id\":13,\"online\":false}]",
          "[]", 80,
          "┌─ Cell 0 ──────┐ ┌─ Offline ─────┐\n"
          "│ P [0 x1]      │ │ [x13]         │\n"
          "│ E [ 10] [*11] │ │               │\n"
          "│ L [12]        │ │               │\n"
          "└───────────────┘ └───────────────┘\n"
          "[ ] a core and its CPUs   P performance   E efficiency   L low power   x offline\n"
          "* isolated\n" },
        /* strong cores stand first, whatever their numbers */
        { "[{\"Id\":0}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"kind\":\"efficiency\"},{\"id\":1,\"online\":true,\"cell\":0,\"kind\":\"performance\"},"
          "{\"id\":2,\"online\":true,\"cell\":0,\"kind\":\"efficiency\"}]", "[]", 80,
          "┌─ Cell 0 ──┐\n"
          "│ P [1]     │\n"
          "│ E [0] [2] │\n"
          "└───────────┘\n"
          "P performance   E efficiency\n" },
        /* boxes in a column are of one width, and what is in them fills it */
        { "[{\"Id\":0}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"socket\":0},{\"id\":1,\"online\":true,\"cell\":0,\"socket\":0},"
          "{\"id\":1000,\"online\":true,\"cell\":1,\"socket\":1},{\"id\":1001,\"online\":true,\"cell\":1,\"socket\":1}]",
          "[{\"level\":3,\"type\":\"unified\",\"cpus\":\"0\"},{\"level\":3,\"type\":\"unified\",\"cpus\":\"1\"},"
          "{\"level\":3,\"type\":\"unified\",\"cpus\":\"1000\"},{\"level\":3,\"type\":\"unified\",\"cpus\":\"1001\"}]", 30,
          "┌─ Socket 0 · Cell 0 ───┐\n"
          "│ ┌─ L3 ───┐ ┌─ L3 ───┐ │\n"
          "│ │ [0]    │ │ [1]    │ │\n"
          "│ └────────┘ └────────┘ │\n"
          "└───────────────────────┘\n"
          "┌─ Socket 1 · Cell 1 ───┐\n"
          "│ ┌─ L3 ───┐ ┌─ L3 ───┐ │\n"
          "│ │ [1000] │ │ [1001] │ │\n"
          "│ └────────┘ └────────┘ │\n"
          "└───────────────────────┘\n" },
        /* CPUs that are offline, of which a little is known; one that is online in no cell */
        { "[{\"Id\":0}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"socket\":0},{\"id\":1,\"online\":false,\"cell\":0,\"socket\":0},"
          "{\"id\":2,\"online\":false,\"socket\":0},{\"id\":3,\"online\":true,\"socket\":1},{\"id\":4,\"online\":true,\"cell\":0,\"socket\":1}]",
          "[{\"level\":3,\"type\":\"unified\",\"cpus\":\"0\"}]", 40,
          "┌─ Cell 0 ────────────────────────┐\n"
          "│ ┌─ Socket 0 (a part) ─────────┐ │\n"
          "│ │ ┌─ L3 ──────┐ ┌─ Offline ─┐ │ │\n"
          "│ │ │ [0]       │ │ [x1]      │ │ │\n"
          "│ │ └───────────┘ └───────────┘ │ │\n"
          "│ └─────────────────────────────┘ │\n"
          "│ ┌─ Socket 1 (a part) ─────────┐ │\n"
          "│ │ [4]                         │ │\n"
          "│ └─────────────────────────────┘ │\n"
          "└─────────────────────────────────┘\n"
          "┌─ In no cell ────────────────────┐\n"
          "│ ┌─ Socket 0 (a part) ─────────┐ │\n"
          "│ │ [x2]                        │ │\n"
          "│ └─────────────────────────────┘ │\n"
          "│ ┌─ Socket 1 (a part) ─────────┐ │\n"
          "│ │ [3]                         │ │\n"
          "│ └─────────────────────────────┘ │\n"
          "└─────────────────────────────────┘\n"
          "x offline\n" },
        /* an L2 that no two cores share says nothing */
        { "[{\"Id\":0}]", "[{\"id\":0,\"online\":true,\"cell\":0},{\"id\":1,\"online\":true,\"cell\":0}]",
          "[{\"level\":2,\"type\":\"unified\",\"cpus\":\"0\"},{\"level\":2,\"type\":\"unified\",\"cpus\":\"1\"}]", 80,
          "┌─ Cell 0 ─┐\n"
          "│ [0] [1]  │\n"
          "└──────────┘\n" },
        /* one cell that holds two sockets stands outside; the sockets stand in their order */
        { "[{\"Id\":0}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"socket\":1},{\"id\":1,\"online\":true,\"cell\":0,\"socket\":0}]", "[]", 80,
          "┌─ Cell 0 ──────────────────────┐\n"
          "│ ┌─ Socket 0 ─┐ ┌─ Socket 1 ─┐ │\n"
          "│ │ [1]        │ │ [0]        │ │\n"
          "│ └────────────┘ └────────────┘ │\n"
          "└───────────────────────────────┘\n" },
        /* an L3 that two cells share is in both, as a part */
        { "[{\"Id\":0},{\"Id\":1},{\"Id\":5,\"Memory\":1073741824}]",
          "[{\"id\":0,\"online\":true,\"cell\":0,\"socket\":0},{\"id\":1,\"online\":true,\"cell\":1,\"socket\":0}]",
          "[{\"level\":3,\"type\":\"unified\",\"cpus\":\"0-1\"}]", 44,
          "┌─ Socket 0 ─────────────────┐\n"
          "│ ┌─ Cell 0 · L3 (a part) ─┐ │\n"
          "│ │ [0]                    │ │\n"
          "│ └────────────────────────┘ │\n"
          "│ ┌─ Cell 1 · L3 (a part) ─┐ │\n"
          "│ │ [1]                    │ │\n"
          "│ └────────────────────────┘ │\n"
          "└────────────────────────────┘\n"
          "┌─ Without CPUs ─────────────┐\n"
          "│ [Cell 5: 1 GiB]            │\n"
          "└────────────────────────────┘\n" },
        /* drawers and books tell sockets of one number apart */
        { "[]",
          "[{\"id\":0,\"online\":true,\"drawer\":0,\"book\":1,\"socket\":1},{\"id\":1,\"online\":true,\"drawer\":0,\"book\":0,\"socket\":1}]",
          "[]", 80,
          "┌─ Drawer 0, book 0, socket 1 ─┐ ┌─ Drawer 0, book 1, socket 1 ─┐\n"
          "│ [1]                          │ │ [0]                          │\n"
          "└──────────────────────────────┘ └──────────────────────────────┘\n" },
        /* nothing at all */
        { "[]", "[]", "[]", 80, "" },
};

static void test_map_pictures(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(map_rows); i++) {
                json_object *cells = json_tokener_parse(map_rows[i].cells), *cpus = json_tokener_parse(map_rows[i].cpus);
                json_object *caches = json_tokener_parse(map_rows[i].caches);
                MapNode *map = NULL;
                char *text;
                size_t size;
                Terminal t = memory_terminal(&text, &size, true, map_rows[i].columns);

                g_assert_true(cells && cpus && caches);
                g_assert_cmpint(map_build(cells, cpus, caches, &map), ==, 0);
                g_assert_cmpint(map_draw(map, &t), ==, 0);
                fclose(t.file);
                g_assert_cmpstr(text, ==, map_rows[i].picture);
                free(text);
                map_free(map);
                json_object_put(cells);
                json_object_put(cpus);
                json_object_put(caches);
        }
}

/* 8192 CPUs in 64 cells are drawn whole. */
static void test_map_of_the_largest_machine(void) {
        json_object *cells = json_object_new_array(), *cpus = json_object_new_array(), *caches = json_object_new_array();
        MapNode *map = NULL;
        char *text;
        size_t size;
        Terminal t = memory_terminal(&text, &size, true, 200);

        for (unsigned i = 0; i < 8192; i++) {
                json_object *cpu = json_object_new_object();
                json_object_object_add(cpu, "id", json_object_new_int(i));
                json_object_object_add(cpu, "online", json_object_new_boolean(true));
                json_object_object_add(cpu, "cell", json_object_new_int(i / 128));
                json_object_object_add(cpu, "socket", json_object_new_int(i / 512));
                json_object_array_add(cpus, cpu);
        }
        g_assert_cmpint(map_build(cells, cpus, caches, &map), ==, 0);
        g_assert_cmpint(map_draw(map, &t), ==, 0);
        fclose(t.file);
        g_assert_nonnull(strstr(text, "[8191]"));
        g_assert_nonnull(strstr(text, "Cell 63"));
        free(text);
        map_free(map);
        json_object_put(cells);
        json_object_put(cpus);
        json_object_put(caches);
}

/* The agent: a pkttyagent that writes down how it was called, says that it is ready,
 * and waits to be ended. */
static void test_agent_runs_until_it_is_stopped(void) {
        g_autoptr(GError) error = NULL;
        g_autofree char *folder = g_dir_make_tmp("berthctl-XXXXXX", &error);
        g_assert_no_error(error);
        g_autofree char *script = g_build_filename(folder, "pkttyagent", NULL), *log = g_build_filename(folder, "log", NULL);
        g_autofree char *text = g_strdup_printf(
                "#!/usr/bin/env python3\n"
                "import os, signal, sys\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
                "with open('%s', 'w') as log:\n"
                "    print(sys.argv[1], *sys.argv[3:], file=log, flush=True)\n"
                "    os.close(int(sys.argv[2]))\n"
                "    signal.sigwait({signal.SIGTERM})\n"
                "    print('ended', file=log)\n",
                log);
        g_autofree char *path = g_strdup_printf("%s:%s", folder, g_getenv("PATH")), *before = g_strdup(g_getenv("PATH"));
        g_autofree char *called = NULL, *expected = g_strdup_printf("--notify-fd --process %d\nended\n", (int) getpid());
        Agent agent = AGENT_NONE;

        g_file_set_contents(script, text, -1, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_chmod(script, 0755), ==, 0);
        g_setenv("PATH", path, TRUE);
        g_assert_cmpint(agent_start(&agent), ==, 0);
        g_setenv("PATH", before, TRUE);
        g_assert_cmpint(agent.pid, >, 0);
        g_assert_cmpint(kill(agent.pid, 0), ==, 0);
        pid_t pid = agent.pid;
        agent_stop(&agent);
        g_assert_cmpint(kill(pid, 0), ==, -1);
        g_assert_cmpint(agent.pid, ==, 0);
        agent_stop(&agent); /* is nothing */
        g_file_get_contents(log, &called, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(called, ==, expected);
        (void) g_unlink(script);
        (void) g_unlink(log);
        (void) g_rmdir(folder);
}

static void test_agent_that_is_not_installed(void) {
        g_autofree char *before = g_strdup(g_getenv("PATH"));
        Agent agent = AGENT_NONE;

        g_setenv("PATH", "/nonexistent", TRUE);
        g_assert_cmpint(agent_start(&agent), ==, 0);
        agent_stop(&agent);
        g_setenv("PATH", before, TRUE);
}

static void test_agent_is_not_wanted_elsewhere(void) {
        Ctl ctl = {};

        g_assert_false(agent_is_wanted(&ctl)); /* not on a terminal, or root */
        ctl.option_values[OPTION_HOST] = "somewhere";
        g_assert_false(agent_is_wanted(&ctl));
}

int main(int argc, char *argv[]) {
        setlocale(LC_CTYPE, "C.UTF-8");
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/pieces/" #name, test_##name)
        ADD(bytes_parse);
        ADD(bytes_format);
        ADD(cpulist);
        ADD(cpulist_loose);
        ADD(numbers);
        ADD(suggestions);
        ADD(text_is_made_harmless);
        ADD(table_aligns_by_what_is_seen);
        ADD(any_message_becomes_json);
        ADD(map_pictures);
        ADD(map_of_the_largest_machine);
        ADD(agent_runs_until_it_is_stopped);
        ADD(agent_that_is_not_installed);
        ADD(agent_is_not_wanted_elsewhere);
        return g_test_run();
}
