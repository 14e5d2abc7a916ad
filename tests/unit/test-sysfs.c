/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Small files of the kernel, and everything that may stand where one should be:
 * a captured machine may hold anything. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>

#include "lib/sysfs.h"
#include "tree.h"

typedef struct Row {
        const char *text;
        int result;
        uint64_t value;
} Row;

#define BIG (64 * 1024 * 1024)

static const Row numbers[] = {
        { "0", 0, 0 },
        { "0\n", 0, 0 },
        { "42\n", 0, 42 },
        { "42 \t\n\n", 0, 42 },
        { "00042", 0, 42 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999999999", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "\n", -EINVAL, 0 },
        { "   ", -EINVAL, 0 },
        { " 42", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "42 kB", -EINVAL, 0 },
        { "42\n43\n", -EINVAL, 0 },
        { "4 2", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "1.0", -EINVAL, 0 },
        { "1,000", -EINVAL, 0 },
        { "<unsupported>", -EINVAL, 0 },
        { "\xff\xfe", -EINVAL, 0 },
        /* No number has 64 digits. */
        { "0000000000000000000000000000000000000000000000000000000000000000042", -EFBIG, 0 },
};

static void numbers_are_read(void) {
        g_autoptr(Tree) tree = tree_new();

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                uint64_t value = 7;

                g_test_message("row %zu", i);
                tree_write(tree, "f", numbers[i].text);
                g_assert_cmpint(sysfs_read_u64(tree->fd, "f", &value), ==, numbers[i].result);
                g_assert_cmpuint(value, ==, numbers[i].result < 0 ? 7 : numbers[i].value);
        }
}

static void a_number_of_32_bits_has_no_more(void) {
        g_autoptr(Tree) tree = tree_new();
        uint32_t value = 7;

        tree_write(tree, "f", "4294967296\n");
        g_assert_cmpint(sysfs_read_u32(tree->fd, "f", &value), ==, -ERANGE);
        g_assert_cmpuint(value, ==, 7);
        tree_write(tree, "f", "-1\n");
        g_assert_cmpint(sysfs_read_u32(tree->fd, "f", &value), ==, -EINVAL);
        g_assert_cmpuint(value, ==, 7);
        tree_write(tree, "f", "4294967295\n");
        g_assert_cmpint(sysfs_read_u32(tree->fd, "f", &value), ==, 0);
        g_assert_cmpuint(value, ==, UINT32_MAX);
}

static const Row sizes[] = {
        { "0K", 0, 0 },
        { "32K\n", 0, 32 << 10 },
        { "512\n", 0, 512 },
        { "30976K\n", 0, UINT64_C(30976) << 10 },
        { "4M", 0, 4 << 20 },
        { "2G", 0, UINT64_C(2) << 30 },
        { "18014398509481983K", 0, UINT64_C(18014398509481983) << 10 },
        { "18014398509481984K", -ERANGE, 0 },
        { "17179869184G", -ERANGE, 0 },
        { "18446744073709551616", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "\n", -EINVAL, 0 },
        { "K", -EINVAL, 0 },
        { "32 K", -EINVAL, 0 },
        { "32k", -EINVAL, 0 },
        { "32KB", -EINVAL, 0 },
        { "32KK", -EINVAL, 0 },
        { "32T", -EINVAL, 0 },
        { "-32K", -EINVAL, 0 },
        { "3.5M", -EINVAL, 0 },
};

static void sizes_are_read_with_their_letter(void) {
        g_autoptr(Tree) tree = tree_new();

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                uint64_t value = 7;

                g_test_message("row \"%s\"", sizes[i].text);
                tree_write(tree, "f", sizes[i].text);
                g_assert_cmpint(sysfs_read_size(tree->fd, "f", &value), ==, sizes[i].result);
                g_assert_cmpuint(value, ==, sizes[i].result < 0 ? 7 : sizes[i].value);
        }
}

static const Row ids[] = {
        { "0\n", 0, 0 },
        { "17\n", 0, 17 },
        { "65534", 0, 65534 },
        { "65536", 0, 65536 },
        { "2147483646", 0, 2147483646 },
        { "-1\n", 0, ID_NONE },
        { "65535\n", 0, ID_NONE },
        { "4294967295\n", 0, ID_NONE },
        { "2147483647", -ERANGE, ID_NONE },
        { "4294967294", -ERANGE, ID_NONE },
        { "18446744073709551616", -ERANGE, ID_NONE },
        { "-2", -EINVAL, ID_NONE },
        { "", -EINVAL, ID_NONE },
        { "none", -EINVAL, ID_NONE },
        { "1 1", -EINVAL, ID_NONE },
};

static void ids_are_read_and_none_is_none(void) {
        g_autoptr(Tree) tree = tree_new();
        uint32_t value;

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                value = 7;
                g_test_message("row \"%s\"", ids[i].text);
                tree_write(tree, "f", ids[i].text);
                g_assert_cmpint(sysfs_read_id(tree->fd, "f", &value), ==, ids[i].result);
                g_assert_cmpuint(value, ==, (uint32_t) ids[i].value);
        }

        value = 7;
        g_assert_cmpint(sysfs_read_id(tree->fd, "missing", &value), ==, 0);
        g_assert_cmpuint(value, ==, ID_NONE);
        value = 7;
        g_assert_cmpint(sysfs_read_id(tree->fd, "f/below-a-file", &value), ==, 0);
        g_assert_cmpuint(value, ==, ID_NONE);
}

static void sets_come_from_a_list_or_a_mask(void) {
        static const struct { const char *list, *mask; int result; const char *set; } rows[] = {
                { "0-3\n", "f0\n", 0, "0-3" },          /* the list comes first */
                { NULL, "f0\n", 0, "4-7" },
                { "\n", "f0\n", 0, "" },                /* an empty list is an answer */
                { "0-3", NULL, 0, "0-3" },
                { NULL, NULL, -ENOENT, NULL },
                { "garbage", "f0", -EINVAL, NULL },
                { NULL, "", -EINVAL, NULL },
                { NULL, "xyz", -EINVAL, NULL },
                { "70000", NULL, -ERANGE, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_cpuset_ CpuSet set = {};
                _cleanup_free_ char *text = NULL;

                g_test_message("list \"%s\", mask \"%s\"", rows[i].list, rows[i].mask);
                if (rows[i].list)
                        tree_write(tree, "list", rows[i].list);
                if (rows[i].mask)
                        tree_write(tree, "mask", rows[i].mask);
                g_assert_cmpint(sysfs_read_cpuset(tree->fd, "list", "mask", &set), ==, rows[i].result);
                if (rows[i].result < 0)
                        continue;
                text = cpuset_to_list(&set);
                g_assert_cmpstr(text, ==, rows[i].set);
        }
}

static void either_name_of_a_set_may_be_missing(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_cpuset_ CpuSet set = {}, other = {};

        tree_write(tree, "list", "1");
        tree_write(tree, "mask", "4");
        g_assert_cmpint(sysfs_read_cpuset(tree->fd, NULL, "mask", &set), ==, 0);
        g_assert_true(cpuset_contains(&set, 2));
        g_assert_cmpint(sysfs_read_cpuset(tree->fd, "list", NULL, &other), ==, 0);
        g_assert_true(cpuset_contains(&other, 1));
        g_assert_cmpint(sysfs_read_cpuset(tree->fd, NULL, NULL, &set), ==, -ENOENT);
}

/* Longer than a page, as every second of 8,192 CPUs is. */
static void a_long_list_is_read_whole(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(GString) text = g_string_new(NULL);
        _cleanup_cpuset_ CpuSet set = {};

        for (unsigned i = 0; i < 8192; i += 2)
                g_string_append_printf(text, "%s%u", i > 0 ? "," : "", i);
        g_string_append_c(text, '\n');
        tree_write(tree, "list", text->str);
        g_assert_cmpint(sysfs_read_cpuset(tree->fd, "list", NULL, &set), ==, 0);
        g_assert_cmpuint(cpuset_count(&set), ==, 4096);
}

/* Whatever it is that stands there, each reader refuses it, in the same way and
 * without waiting. */
static void things_that_are_no_value(void) {
        static const struct { const char *path; int result; } rows[] = {
                { "missing", -ENOENT },
                { "folder", -EISDIR },
                { "nul", -EINVAL },
                { "huge", -EFBIG },
                { "sparse", -EFBIG },
                { "out", -EXDEV },
                { "loop", -ELOOP },
                { "value/below", -ENOTDIR },
        };
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *digits = g_strnfill(300 * 1024, '1');

        tree_folder(tree, "folder");
        tree_write_bytes(tree, "nul", "4\0002\n", 4);
        tree_write(tree, "huge", digits);
        tree_write_sparse(tree, "sparse", BIG);
        tree_link(tree, "out", "../../../../../../etc/hostname");
        tree_link(tree, "loop", "loop");
        tree_write(tree, "value", "1");
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *path = rows[i].path;
                CpuSet set = {};
                uint64_t u64;
                uint32_t u32;
                char *text;

                g_test_message("row \"%s\"", path);
                g_assert_cmpint(sysfs_read_u64(tree->fd, path, &u64), ==, rows[i].result);
                g_assert_cmpint(sysfs_read_u32(tree->fd, path, &u32), ==, rows[i].result);
                g_assert_cmpint(sysfs_read_size(tree->fd, path, &u64), ==, rows[i].result);
                g_assert_cmpint(sysfs_read_text(tree->fd, path, &text), ==, rows[i].result);
                g_assert_cmpint(sysfs_read_cpuset(tree->fd, path, NULL, &set), ==, rows[i].result);
                if (rows[i].result != -ENOENT && rows[i].result != -ENOTDIR)
                        g_assert_cmpint(sysfs_read_id(tree->fd, path, &u32), ==, rows[i].result);
        }
}

static void a_fifo_does_not_hold_us_up(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_close_ int writer = -1;
        char *path = tree_path(tree, "fifo");
        uint64_t value;

        tree_fifo(tree, "fifo");
        /* Nobody writes: it is empty. Somebody holds it and is silent: an error. */
        g_assert_cmpint(sysfs_read_u64(tree->fd, "fifo", &value), ==, -EINVAL);
        writer = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        g_assert_cmpint(writer, >=, 0);
        g_assert_cmpint(sysfs_read_u64(tree->fd, "fifo", &value), ==, -EIO);
        g_free(path);
}

static void a_text_is_read_up_to_its_limit(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *most = g_strnfill(SYSFS_TEXT_MAX - 1, 'x');
        g_autofree char *more = g_strnfill(SYSFS_TEXT_MAX, 'x');
        _cleanup_free_ char *text = NULL;
        char *none = NULL;

        tree_write(tree, "f", most);
        g_assert_cmpint(sysfs_read_text(tree->fd, "f", &text), ==, 0);
        g_assert_cmpuint(strlen(text), ==, SYSFS_TEXT_MAX - 1);
        tree_write(tree, "f", more);
        g_assert_cmpint(sysfs_read_text(tree->fd, "f", &none), ==, -EFBIG);
        g_assert_null(none);
}

static void a_buffer_is_never_overrun(void) {
        g_autoptr(Tree) tree = tree_new();
        char buffer[8];

        tree_write(tree, "f", "1234567");
        memset(buffer, '#', sizeof buffer);
        g_assert_cmpint(sysfs_read(tree->fd, "f", buffer, sizeof buffer), ==, 7);
        g_assert_cmpstr(buffer, ==, "1234567");
        tree_write(tree, "f", "12345678");
        g_assert_cmpint(sysfs_read(tree->fd, "f", buffer, sizeof buffer), ==, -EFBIG);
        tree_write(tree, "f", "");
        g_assert_cmpint(sysfs_read(tree->fd, "f", buffer, sizeof buffer), ==, 0);
        g_assert_cmpstr(buffer, ==, "");
}

static void an_open_file_is_read_again_from_its_start(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_close_ int fd = -1;
        char buffer[8];

        tree_write(tree, "f", "one\n");
        fd = openat(tree->fd, "f", O_RDONLY | O_CLOEXEC);
        g_assert_cmpint(sysfs_pread(fd, buffer, sizeof buffer), ==, 3);
        g_assert_cmpstr(buffer, ==, "one");
        tree_write(tree, "f", "two and more");
        g_assert_cmpint(sysfs_pread(fd, buffer, sizeof buffer), ==, 7);
        g_assert_cmpstr(buffer, ==, "two and");
        tree_write_bytes(tree, "f", "a\0b", 3);
        g_assert_cmpint(sysfs_pread(fd, buffer, sizeof buffer), ==, -EINVAL);
        g_assert_cmpint(sysfs_pread(-1, buffer, sizeof buffer), ==, -EBADF);
        g_assert_cmpint(sysfs_pread(tree->fd, buffer, sizeof buffer), ==, -EISDIR);
}

static void numbered_entries_are_listed_in_order(void) {
        static const char *const names[] = {
                "cpu10", "cpu2", "cpu0", "cpu65535",
                /* none of these is a CPU's */
                "cpu", "cpu01", "cpu007", "cpu-1", "cpu+3", "cpu3x", "cpu 4", "cpufreq", "cpuidle", "xcpu5", "CPU6",
                "cpu65536", "cpu18446744073709551617", "node7",
        };
        g_autoptr(Tree) tree = tree_new();
        _cleanup_cpuset_ CpuSet set = {};
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                tree_writef(tree, "", "d/%s/x", names[i]);
        g_assert_cmpint(sysfs_list_numbered(tree->fd, "d", "cpu", &set), ==, 0);
        text = cpuset_to_list(&set);
        g_assert_cmpstr(text, ==, "0,2,10,65535");

        g_assert_cmpint(sysfs_list_numbered(tree->fd, "nothing", "cpu", &set), ==, -ENOENT);
        g_assert_cmpint(sysfs_list_numbered(tree->fd, "d/cpu0/x", "cpu", &set), ==, -ENOTDIR);
}

static void a_number_is_written_at_once(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *text = NULL;

        tree_write(tree, "f", "a longer text than a number\n");
        g_assert_cmpint(sysfs_write_u64(tree->fd, "f", UINT64_MAX), ==, 0);
        text = tree_read(tree, "f");
        g_assert_cmpstr(text, ==, "18446744073709551615\n");

        /* No file is made, none outside is touched, and a FIFO does not wait. */
        tree_folder(tree, "folder");
        tree_fifo(tree, "fifo");
        tree_link(tree, "out", "../berth-unit-must-not-appear");
        g_assert_cmpint(sysfs_write_u64(tree->fd, "missing", 1), ==, -ENOENT);
        g_assert_cmpint(sysfs_write_u64(tree->fd, "folder", 1), ==, -EISDIR);
        g_assert_cmpint(sysfs_write_u64(tree->fd, "fifo", 1), ==, -ENXIO);
        g_assert_cmpint(sysfs_write_u64(tree->fd, "out", 1), ==, -EXDEV);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/sysfs/numbers-are-read", numbers_are_read);
        g_test_add_func("/sysfs/a-number-of-32-bits-has-no-more", a_number_of_32_bits_has_no_more);
        g_test_add_func("/sysfs/sizes-are-read-with-their-letter", sizes_are_read_with_their_letter);
        g_test_add_func("/sysfs/ids-are-read-and-none-is-none", ids_are_read_and_none_is_none);
        g_test_add_func("/sysfs/sets-come-from-a-list-or-a-mask", sets_come_from_a_list_or_a_mask);
        g_test_add_func("/sysfs/either-name-of-a-set-may-be-missing", either_name_of_a_set_may_be_missing);
        g_test_add_func("/sysfs/a-long-list-is-read-whole", a_long_list_is_read_whole);
        g_test_add_func("/sysfs/things-that-are-no-value", things_that_are_no_value);
        g_test_add_func("/sysfs/a-fifo-does-not-hold-us-up", a_fifo_does_not_hold_us_up);
        g_test_add_func("/sysfs/a-text-is-read-up-to-its-limit", a_text_is_read_up_to_its_limit);
        g_test_add_func("/sysfs/a-buffer-is-never-overrun", a_buffer_is_never_overrun);
        g_test_add_func("/sysfs/an-open-file-is-read-again-from-its-start", an_open_file_is_read_again_from_its_start);
        g_test_add_func("/sysfs/numbered-entries-are-listed-in-order", numbered_entries_are_listed_in_order);
        g_test_add_func("/sysfs/a-number-is-written-at-once", a_number_is_written_at_once);
        return g_test_run();
}
