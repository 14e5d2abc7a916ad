/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The folder of files: what stands in one at each moment, and what is not touched. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "failing-sync.h"
#include "guest/name.h"
#include "guest/store.h"
#include "tree.h"

static Store *open_store(const Tree *tree) {
        Store *store = NULL;

        g_assert_cmpint(store_open(tree->root, "d", &store), ==, 0);
        return store;
}

static char *read_text(const Store *store, const char *name) {
        char *text = NULL;
        size_t length = 0;

        g_assert_cmpint(store_read(store, name, 1 << 20, &text, &length), ==, 0);
        g_assert_cmpuint(strlen(text), ==, length);
        return text;
}

static mode_t mode_of(const Tree *tree, const char *path) {
        g_autofree char *whole = tree_path(tree, path);
        struct stat st;

        g_assert_cmpint(lstat(whole, &st), ==, 0);
        return st.st_mode & 07777;
}

static int note(const char *name, const char *file, void *userdata) {
        g_ptr_array_add(userdata, file ? g_strdup_printf("%s:%s", name, file) : g_strdup(name));
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *list(Store *store) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

        g_assert_cmpint(store_list(store, note, names), ==, 0);
        g_ptr_array_sort(names, compare);
        g_ptr_array_add(names, NULL);
        return g_strjoinv(" ", (char **) names->pdata);
}

static void what_is_written_is_read_until_it_is_removed(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);
        _cleanup_free_ char *first = NULL, *second = NULL;
        char longest[GUEST_NAME_MAX + 1], *text = NULL;
        size_t length;

        memset(longest, 'n', GUEST_NAME_MAX);
        longest[GUEST_NAME_MAX] = 0;
        g_assert_cmpint(store_write(store, longest, "one", 3, true), ==, 0);
        first = read_text(store, longest);
        g_assert_cmpstr(first, ==, "one");
        g_assert_cmpint(store_write(store, longest, "two!", 4, false), ==, 0);
        second = read_text(store, longest);
        g_assert_cmpstr(second, ==, "two!");
        g_assert_cmpint(store_remove(store, longest, true), ==, 0);
        g_assert_cmpint(store_read(store, longest, 10, &text, &length), ==, -ENOENT);
        g_assert_cmpint(store_remove(store, longest, true), ==, -ENOENT);
}

static void nobody_else_may_look(void) {
        mode_t before = umask(0);
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);

        g_assert_cmpint(store_write(store, "a", "x", 1, true), ==, 0);
        umask(before);
        g_assert_cmpuint(mode_of(tree, "d"), ==, 0700);
        g_assert_cmpuint(mode_of(tree, "d/a.xml"), ==, 0600);
}

static void missing_folders_are_made(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *parent = tree_path(tree, "state");
        _cleanup_(store_freep) Store *store = NULL;

        g_assert_cmpint(store_open(parent, "domains", &store), ==, 0);
        g_assert_cmpint(store_write(store, "a", "x", 1, true), ==, 0);
}

static void a_folder_of_others_is_refused(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *path = tree_path(tree, "d");
        Store *store = NULL;

        tree_folder(tree, "d");
        g_assert_cmpint(chmod(path, 0777), ==, 0);
        g_assert_cmpint(store_open(tree->root, "d", &store), ==, -EPERM);
        tree_folder(tree, "real");
        tree_link(tree, "link", "real");
        g_assert_cmpint(store_open(tree->root, "link", &store), <, 0);
        tree_write(tree, "file", "");
        g_assert_cmpint(store_open(tree->root, "file", &store), ==, -ENOTDIR);
        g_assert_null(store);
}

static void only_guests_are_listed(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);
        g_autofree char *left = tree_path(tree, "d/.c.xml.new"), *listed = NULL;

        tree_write(tree, "d/a.xml", "");
        tree_write(tree, "d/b c.xml", "");
        tree_write(tree, "d/a.xml.damaged-2", "");
        tree_write(tree, "d/a.xml.damaged-", "");
        tree_write(tree, "d/a.xml.damaged-x", "");
        tree_write(tree, "d/.xml", "");
        tree_write(tree, "d/..xml", "");
        tree_write(tree, "d/.hidden.xml", "");
        tree_write(tree, "d/\x01.xml", "");
        tree_write(tree, "d/a.txt", "");
        tree_write(tree, "d/.c.xml.new", "half of a");
        listed = list(store);
        g_assert_cmpstr(listed, ==, "a a:a.xml.damaged-2 b c");
        g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
}

static void only_regular_files_of_a_size_are_read(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);
        char *text = NULL;
        size_t length;

        tree_write(tree, "d/target", "secret");
        tree_link(tree, "d/link.xml", "target");
        tree_fifo(tree, "d/fifo.xml");
        tree_folder(tree, "d/folder.xml");
        tree_write(tree, "d/four.xml", "1234");
        tree_write_sparse(tree, "d/huge.xml", (goffset) 1 << 40);
        g_assert_cmpint(store_read(store, "link", 100, &text, &length), ==, -EBADF);
        g_assert_cmpint(store_read(store, "fifo", 100, &text, &length), ==, -EBADF);
        g_assert_cmpint(store_read(store, "folder", 100, &text, &length), ==, -EBADF);
        g_assert_cmpint(store_read(store, "huge", 100, &text, &length), ==, -EFBIG);
        g_assert_cmpint(store_read(store, "four", 3, &text, &length), ==, -EFBIG);
        g_assert_null(text);
        g_assert_cmpint(store_read(store, "four", 4, &text, &length), ==, 0);
        free(text);
}

static void a_link_is_not_written_through(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);
        g_autofree char *target = NULL;

        tree_write(tree, "d/target", "keep");
        tree_link(tree, "d/.a.xml.new", "target");
        tree_link(tree, "d/a.xml", "target");
        g_assert_cmpint(store_write(store, "a", "new", 3, true), ==, 0);
        target = tree_read(tree, "d/target");
        g_assert_cmpstr(target, ==, "keep");
}

static void what_is_set_aside_overwrites_nothing(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);

        for (unsigned n = 1; n <= STORE_DAMAGED_MAX; n++) {
                g_autofree char *text = g_strdup_printf("%u", n), *expected = g_strdup_printf("a.xml.damaged-%u", n);
                _cleanup_free_ char *file = NULL;

                g_assert_cmpint(store_write(store, "a", text, strlen(text), false), ==, 0);
                g_assert_cmpint(store_set_aside(store, "a", &file), ==, 0);
                g_assert_cmpstr(file, ==, expected);
        }
        for (unsigned n = 1; n <= STORE_DAMAGED_MAX; n++) {
                g_autofree char *path = g_strdup_printf("d/a.xml.damaged-%u", n), *text = tree_read(tree, path), *expected = g_strdup_printf("%u", n);

                g_assert_cmpstr(text, ==, expected);
        }
        {
                _cleanup_free_ char *file = NULL, *text = NULL;

                g_assert_cmpint(store_write(store, "a", "one too many", 12, false), ==, 0);
                g_assert_cmpint(store_set_aside(store, "a", &file), ==, -EEXIST);
                g_assert_null(file);
                text = read_text(store, "a");
                g_assert_cmpstr(text, ==, "one too many");
        }
}

/* A writer is killed at any point: what is read is whole, of one write. */
static void a_killed_writer_leaves_a_whole_file(void) {
        enum { SIZE = 200000, ROUNDS = 60 };
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);
        g_autofree char *text = g_malloc0(SIZE + 1);

        memset(text, 'a', SIZE);
        g_assert_cmpint(store_write(store, "g", text, SIZE, true), ==, 0);
        for (unsigned round = 0; round < ROUNDS; round++) {
                _cleanup_free_ char *seen = NULL;
                g_autofree char *listed = NULL;
                int pipes[2];
                pid_t pid;
                char byte;

                g_assert_cmpint(pipe2(pipes, O_CLOEXEC), ==, 0);
                pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        for (char c = 'a';; c = c == 'z' ? 'a' : (char) (c + 1)) {
                                memset(text, c, SIZE);
                                if (store_write(store, "g", text, SIZE, round % 8 == 0) < 0 || write(pipes[1], &c, 1) != 1)
                                        _exit(1);
                        }
                }
                close(pipes[1]);
                for (unsigned i = 0; i <= round % 5; i++)
                        g_assert_cmpint(read(pipes[0], &byte, 1), ==, 1);
                for (volatile unsigned i = 0; i < round * 3000; i++)
                        ;
                g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
                close(pipes[0]);

                seen = read_text(store, "g");
                g_assert_cmpuint(strlen(seen), ==, SIZE);
                for (size_t i = 1; i < SIZE; i++)
                        g_assert_cmpint(seen[i], ==, seen[0]);
                listed = list(store);
                g_assert_cmpstr(listed, ==, "g");
        }
}

/* In a mount namespace of its own, on a disk of 64 KiB. */
static void on_a_full_disk(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *big = g_malloc0(200000), *left = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_free_ char *seen = NULL;

        memset(big, 'x', 200000);
        g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
        g_assert_cmpint(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), ==, 0);
        g_assert_cmpint(mount("tmpfs", tree->root, "tmpfs", 0, "size=64k,mode=0700"), ==, 0);
        store = open_store(tree);
        g_assert_true(store_is_writable(store));
        g_assert_cmpint(store_write(store, "a", "old", 3, true), ==, 0);
        g_assert_cmpint(store_write(store, "a", big, 200000, true), ==, -ENOSPC);
        seen = read_text(store, "a");
        g_assert_cmpstr(seen, ==, "old");
        left = tree_path(tree, "d/.a.xml.new");
        g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
        g_assert_cmpint(store_write(store, "a", "new", 3, true), ==, 0);

        g_assert_cmpint(mount("none", tree->root, "none", MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
        g_assert_false(store_is_writable(store));
        g_assert_cmpint(store_write(store, "a", "newer", 5, true), ==, -EROFS);
        g_assert_cmpint(store_remove(store, "a", true), ==, -EROFS);
        free(seen);
        seen = read_text(store, "a");
        g_assert_cmpstr(seen, ==, "new");
        store = store_free(store);
        g_assert_cmpint(umount2(tree->root, MNT_DETACH), ==, 0);
}

static void a_full_or_read_only_disk_leaves_the_old_file(void) {
        int status;
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                on_a_full_disk();
                _exit(0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
}

static void what_the_disk_does_not_confirm_is_done_all_the_same(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(store_freep) Store *store = open_store(tree);
        _cleanup_free_ char *seen = NULL, *listed = NULL;
        size_t length;

        g_assert_cmpint(store_write(store, "a", "old", 3, true), ==, 0);
        folders_fail_to_sync = true;
        g_assert_cmpint(store_write(store, "a", "new", 3, true), ==, 1);
        seen = read_text(store, "a");
        g_assert_cmpstr(seen, ==, "new");
        g_assert_cmpint(store_write(store, "b", "not waited for", 14, false), ==, 0);
        g_assert_cmpint(store_remove(store, "b", true), ==, 1);
        g_assert_cmpint(store_remove(store, "b", true), ==, -ENOENT);
        folders_fail_to_sync = false;
        listed = list(store);
        g_assert_cmpstr(listed, ==, "a");
        free(seen);
        seen = NULL;
        g_assert_cmpint(store_read(store, "b", 99, &seen, &length), ==, -ENOENT);
}

static void names_are_checked(void) {
        static const struct { const char *name; bool valid; } rows[] = {
                { "a", true }, { "a b", true }, { "B\xc3\xbcro", true }, { "a.xml", true }, { "-", true },
                { "", false }, { ".", false }, { "..", false }, { ".a", false }, { "a/b", false }, { "/", false },
                { "a\n", false }, { "a\x7f", false }, { "\xff", false }, { "a\xc3", false },
                { "a\xc2\x80", false }, { "a\xc2\x9b" "2J", false }, { "\xc2\x9f", false }, { "\xc2\xa0", true },
        };
        char name[GUEST_NAME_MAX + 2];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                g_assert_cmpint(guest_name_is_valid(rows[i].name), ==, rows[i].valid);
        memset(name, 'a', sizeof name);
        name[GUEST_NAME_MAX] = 0;
        g_assert_true(guest_name_is_valid(name));
        name[GUEST_NAME_MAX] = 'a';
        name[GUEST_NAME_MAX + 1] = 0;
        g_assert_false(guest_name_is_valid(name));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/store/" #test, test)
        ADD(what_is_written_is_read_until_it_is_removed);
        ADD(nobody_else_may_look);
        ADD(missing_folders_are_made);
        ADD(a_folder_of_others_is_refused);
        ADD(only_guests_are_listed);
        ADD(only_regular_files_of_a_size_are_read);
        ADD(a_link_is_not_written_through);
        ADD(what_is_set_aside_overwrites_nothing);
        ADD(a_killed_writer_leaves_a_whole_file);
        ADD(a_full_or_read_only_disk_leaves_the_old_file);
        ADD(what_the_disk_does_not_confirm_is_done_all_the_same);
        ADD(names_are_checked);
#undef ADD
        return g_test_run();
}
