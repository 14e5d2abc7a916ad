/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel's accounts of memory, of a machine and of a cell. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "host/meminfo.h"

#define MACHINE \
        "MemTotal:       16307428 kB\n" \
        "MemFree:          123456 kB\n" \
        "SwapCached:            0 kB\n" \
        "Active(anon):       1024 kB\n" \
        "HugePages_Total:       5\n" \
        "Hugepagesize:       2048 kB\n"
#define CELL \
        "Node 12 MemTotal:       100 kB\n" \
        "Node 12 MemFree:         50 kB\n" \
        "Node 12 HugePages_Total:     4\n"

static const struct { const char *text, *name; int result; uint64_t bytes; } rows[] = {
        { MACHINE, "MemTotal", 0, UINT64_C(16307428) << 10 },
        { MACHINE, "MemFree", 0, UINT64_C(123456) << 10 },
        { MACHINE, "SwapCached", 0, 0 },
        { MACHINE, "Active(anon)", 0, 1024 << 10 },
        { MACHINE, "Hugepagesize", 0, 2048 << 10 },
        { CELL, "MemTotal", 0, 100 << 10 },
        { CELL, "MemFree", 0, 50 << 10 },
        { "MemTotal: 1 kB", "MemTotal", 0, 1 << 10 },
        { "MemTotal:1 kB\n", "MemTotal", 0, 1 << 10 },
        { "MemTotal:\t1 kB\n", "MemTotal", 0, 1 << 10 },
        /* A longer name that ends or starts alike is another. */
        { "XMemTotal: 2 kB\nMemTotal: 1 kB\n", "MemTotal", 0, 1 << 10 },
        { "MemTotalX: 2 kB\nMemTotal: 1 kB\n", "MemTotal", 0, 1 << 10 },
        { "Node 0 XMemTotal: 2 kB\nNode 0 MemTotal: 1 kB\n", "MemTotal", 0, 1 << 10 },
        { "MemTotal: 18014398509481984 kB\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: 18014398509481000 kB\n", "MemTotal", 0, UINT64_C(18014398509481000) << 10 },
        { "MemTotal: 99999999999999999999999999 kB\n", "MemTotal", -EINVAL, 0 },

        { MACHINE, "MemAvailable", -ENODATA, 0 },
        { MACHINE, "Mem", -ENODATA, 0 },
        { MACHINE, "Total", -ENODATA, 0 },
        { MACHINE, "Node", -ENODATA, 0 },
        { "", "MemTotal", -ENODATA, 0 },
        { "\n\n\n", "MemTotal", -ENODATA, 0 },
        { "MemTotal", "MemTotal", -ENODATA, 0 },
        { "memtotal: 1 kB\n", "MemTotal", -ENODATA, 0 },
        { "\xff\xfe\xfd", "MemTotal", -ENODATA, 0 },
        { MACHINE, "HugePages_Total", -EINVAL, 0 },
        { CELL, "HugePages_Total", -EINVAL, 0 },
        { "MemTotal:", "MemTotal", -EINVAL, 0 },
        { "MemTotal:\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: kB\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: -1 kB\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: 0x10 kB\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: 1 MB\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: 1 kBytes\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: 1kB\n", "MemTotal", -EINVAL, 0 },
        { "MemTotal: 12", "MemTotal", -EINVAL, 0 },
        { "Node MemTotal: 1 kB\n", "MemTotal", -EINVAL, 0 },
        /* Cut off in the middle, as a buffer does it: no half of a number. */
        { "MemFree: 1 kB\nMemTotal: 1630", "MemTotal", -EINVAL, 0 },
        { "MemFree: 1 kB\nMemTotal: 16307428 k", "MemTotal", -EINVAL, 0 },
        { "MemFree: 1 kB\nMemTot", "MemTotal", -ENODATA, 0 },
};

static void a_line_is_found_by_its_name(void) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                /* At the end of its memory, where valgrind and ASan see a step too far. */
                g_autofree char *text = g_memdup2(rows[i].text, strlen(rows[i].text) + 1);
                uint64_t bytes = 77;

                g_test_message("row %zu, %s", i, rows[i].name);
                g_assert_cmpint(meminfo_find(text, rows[i].name, &bytes), ==, rows[i].result);
                g_assert_cmpuint(bytes, ==, rows[i].result < 0 ? 77 : rows[i].bytes);
        }
}

static int collect(const char *name, size_t length, uint64_t bytes, void *userdata) {
        g_string_append_printf(userdata, "%.*s=%" G_GUINT64_FORMAT " ", (int) length, name, bytes);
        return 0;
}

static void every_line_in_kb_is_told(void) {
        static const struct { const char *text, *told; } all[] = {
                { MACHINE, "MemTotal=16698806272 MemFree=126418944 SwapCached=0 Active(anon)=1048576 Hugepagesize=2097152 " },
                { CELL, "MemTotal=102400 MemFree=51200 " },
                { "", "" },
                { "\n", "" },
                { "garbage\nMemFree: 1 kB\n: 5 kB\nNode x y: 1 kB\n\nA: B kB\nEnd: 2 kB", "MemFree=1024 End=2048 " },
                /* A name goes over the bus as it is. */
                { "M\xfcll: 1 kB\nA\tb: 1 kB\n\x01: 1 kB\nGood: 1 kB\n", "Good=1024 " },
        };

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                g_autoptr(GString) told = g_string_new(NULL);

                g_test_message("text %zu", i);
                g_assert_cmpint(meminfo_foreach(all[i].text, collect, told), ==, 0);
                g_assert_cmpstr(told->str, ==, all[i].told);
        }
}

static int stop_at_once(const char *name, size_t length, uint64_t bytes, void *userdata) {
        (*(unsigned *) userdata)++;
        return -ECANCELED;
}

static void an_error_stops_it(void) {
        unsigned n = 0;

        g_assert_cmpint(meminfo_foreach(MACHINE, stop_at_once, &n), ==, -ECANCELED);
        g_assert_cmpuint(n, ==, 1);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/meminfo/a-line-is-found-by-its-name", a_line_is_found_by_its_name);
        g_test_add_func("/meminfo/every-line-in-kb-is-told", every_line_in_kb_is_told);
        g_test_add_func("/meminfo/an-error-stops-it", an_error_stops_it);
        return g_test_run();
}
