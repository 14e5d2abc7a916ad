/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening below a folder and nowhere else: the kernel's way and our own walk
 * must say the same of one table of paths. (Where the kernel or valgrind has no
 * openat2(2), the first is the second.) */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/beneath.h"
#include "tree.h"

typedef int (*Opener)(int dir_fd, const char *path, int flags);

typedef struct Way {
        const char *name;
        Opener open;
} Way;

static const Way ways[] = {
        { "kernel", open_beneath },
        { "walking", open_beneath_walking },
};

/* The folder that is opened is base/, with a secret beside it. */
static Tree *harbour_new(void) {
        Tree *tree = tree_new();

        tree_write(tree, "secret", "secret");
        tree_write(tree, "base/in/file", "inside");
        tree_write(tree, "base/other/file", "other");
        tree_link(tree, "base/in/link", "file");
        tree_link(tree, "base/in/across", "../other/file");
        tree_link(tree, "base/in/dots", "./.././in/../other//file");
        tree_link(tree, "base/to-folder", "in");
        tree_link(tree, "base/to-link", "in/across");
        tree_link(tree, "base/to-slash", "in/");
        tree_link(tree, "base/file-slash", "in/file/");
        tree_link(tree, "base/out", "../secret");
        tree_link(tree, "base/out-and-in", "../base/in/file");
        tree_link(tree, "base/deep-out", "in/../../secret");
        tree_link(tree, "base/out-folder", "..");
        tree_link(tree, "base/absolute", "/etc/passwd");
        tree_link(tree, "base/root", "/");
        tree_link(tree, "base/self", "self");
        tree_link(tree, "base/loop-a", "loop-b");
        tree_link(tree, "base/loop-b", "loop-a");
        tree_link(tree, "base/in-itself", "in-itself/file");
        tree_link(tree, "base/dangling", "in/nothing");
        tree_fifo(tree, "base/fifo");
        {
                g_autofree char *target = g_build_filename(tree->root, "base/in/file", NULL);

                tree_link(tree, "base/absolute-in", target);
        }

        /* chain-40 takes forty links to the file. */
        tree_link(tree, "base/chain-1", "in/file");
        for (unsigned i = 2; i <= 41; i++) {
                char from[32], to[32];

                snprintf(from, sizeof from, "base/chain-%u", i);
                snprintf(to, sizeof to, "chain-%u", i - 1);
                tree_link(tree, from, to);
        }
        return tree;
}

static const struct { const char *path; int flags; int result; const char *content; } rows[] = {
        { "in/file", O_RDONLY, 0, "inside" },
        { "in//file", O_RDONLY, 0, "inside" },
        { "./in/./file", O_RDONLY, 0, "inside" },
        { "in/../in/file", O_RDONLY, 0, "inside" },
        { "in/../other/../in/file", O_RDONLY, 0, "inside" },
        { "in/link", O_RDONLY, 0, "inside" },
        { "in/across", O_RDONLY, 0, "other" },
        { "in/dots", O_RDONLY, 0, "other" },
        { "to-folder/file", O_RDONLY, 0, "inside" },
        { "to-folder/../in/file", O_RDONLY, 0, "inside" },
        { "to-slash/file", O_RDONLY, 0, "inside" },
        { "to-folder/across", O_RDONLY, 0, "other" },
        { "to-link", O_RDONLY, 0, "other" },
        { "chain-40", O_RDONLY, 0, "inside" },
        { ".", O_RDONLY | O_DIRECTORY, 0, NULL },
        { "in", O_RDONLY | O_DIRECTORY, 0, NULL },
        { "in/", O_RDONLY, 0, NULL },
        { "in/..", O_RDONLY | O_DIRECTORY, 0, NULL },
        { "to-folder", O_RDONLY | O_DIRECTORY, 0, NULL },
        { "to-folder/", O_RDONLY, 0, NULL },
        { "to-slash", O_RDONLY, 0, NULL },
        { "fifo", O_RDONLY | O_NONBLOCK, 0, NULL },

        { "..", O_RDONLY, -EXDEV, NULL },
        { "../secret", O_RDONLY, -EXDEV, NULL },
        { "../base/in/file", O_RDONLY, -EXDEV, NULL },
        { "in/../../secret", O_RDONLY, -EXDEV, NULL },
        { "in/../..", O_RDONLY, -EXDEV, NULL },
        { "out", O_RDONLY, -EXDEV, NULL },
        { "out-and-in", O_RDONLY, -EXDEV, NULL },
        { "deep-out", O_RDONLY, -EXDEV, NULL },
        { "out-folder", O_RDONLY, -EXDEV, NULL },
        { "out-folder/secret", O_RDONLY, -EXDEV, NULL },
        { "/", O_RDONLY, -EXDEV, NULL },
        { "/etc/passwd", O_RDONLY, -EXDEV, NULL },
        { "//in/file", O_RDONLY, -EXDEV, NULL },
        { "absolute", O_RDONLY, -EXDEV, NULL },
        { "absolute-in", O_RDONLY, -EXDEV, NULL },
        { "root/etc/passwd", O_RDONLY, -EXDEV, NULL },

        { "self", O_RDONLY, -ELOOP, NULL },
        { "loop-a", O_RDONLY, -ELOOP, NULL },
        { "loop-b/file", O_RDONLY, -ELOOP, NULL },
        { "in-itself", O_RDONLY, -ELOOP, NULL },
        { "chain-41", O_RDONLY, -ELOOP, NULL },

        { "", O_RDONLY, -ENOENT, NULL },
        { "nothing", O_RDONLY, -ENOENT, NULL },
        { "nothing/file", O_RDONLY, -ENOENT, NULL },
        { "nothing/..", O_RDONLY, -ENOENT, NULL },
        { "dangling", O_RDONLY, -ENOENT, NULL },
        { "in/file/more", O_RDONLY, -ENOTDIR, NULL },
        { "in/file/..", O_RDONLY, -ENOTDIR, NULL },
        { "in/file/.", O_RDONLY, -ENOTDIR, NULL },
        { "in/file/", O_RDONLY, -ENOTDIR, NULL },
        { "in/link/", O_RDONLY, -ENOTDIR, NULL },
        { "file-slash", O_RDONLY, -ENOTDIR, NULL },
        { "in/file", O_RDONLY | O_DIRECTORY, -ENOTDIR, NULL },
        { "in/link", O_RDONLY | O_DIRECTORY, -ENOTDIR, NULL },
        { "in", O_WRONLY, -EISDIR, NULL },
        { "fifo", O_WRONLY | O_NONBLOCK, -ENXIO, NULL },
};

static unsigned count_descriptors(void) {
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned n = 0;

        while (g_dir_read_name(dir))
                n++;
        return n;
}

static void every_path_is_answered_alike(const void *data) {
        const Way *way = data;
        g_autoptr(Tree) tree = harbour_new();
        _cleanup_close_ int base = openat(tree->fd, "base", O_PATH | O_DIRECTORY | O_CLOEXEC);
        unsigned open_before = count_descriptors();

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char text[64] = "";
                ssize_t n;
                int fd;

                g_test_message("row \"%s\", flags %#o", rows[i].path, (unsigned) rows[i].flags);
                fd = way->open(base, rows[i].path, rows[i].flags);
                if (rows[i].result < 0) {
                        g_assert_cmpint(fd, ==, rows[i].result);
                        continue;
                }
                g_assert_cmpint(fd, >=, 0);
                g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, !=, 0);
                if (rows[i].content) {
                        n = read(fd, text, sizeof text - 1);
                        g_assert_cmpint(n, >=, 0);
                        g_assert_cmpstr(text, ==, rows[i].content);
                }
                close(fd);
        }
        g_assert_cmpuint(count_descriptors(), ==, open_before);
}

static void a_name_or_path_may_be_too_long(const void *data) {
        const Way *way = data;
        g_autoptr(Tree) tree = harbour_new();
        g_autofree char *name = g_strnfill(256, 'x');
        g_autoptr(GString) path = g_string_new("in");

        g_assert_cmpint(way->open(tree->fd, name, O_RDONLY), ==, -ENAMETOOLONG);
        while (path->len < 5000)
                g_string_append(path, "/../in");
        g_assert_cmpint(way->open(tree->fd, path->str, O_RDONLY), ==, -ENAMETOOLONG);
}

/* As deep as /sys is, three times over; our own walk gives up at 64. */
static void deep_folders_open(const void *data) {
        const Way *way = data;
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(GString) path = g_string_new(NULL);
        _cleanup_close_ int fd = -1;
        int r;

        for (unsigned i = 0; i < 60; i++)
                g_string_append(path, "d/");
        g_string_append(path, "file");
        tree_write(tree, path->str, "deep");
        fd = way->open(tree->fd, path->str, O_RDONLY);
        g_assert_cmpint(fd, >=, 0);

        for (unsigned i = 0; i < 60; i++)
                g_string_prepend(path, "d/");
        tree_write(tree, path->str, "deeper");
        r = way->open(tree->fd, path->str, O_RDONLY);
        if (r >= 0)
                close(r);
        else
                g_assert_cmpint(r, ==, -ELOOP);
}

/* What is a link at one look may be a folder at the next. Whichever it is, the
 * answer is inside or a refusal. And a rename anywhere on the machine makes the
 * kernel give up a path with ".." in it, to be asked again: that is no answer
 * either, and /sys is full of such links. */
typedef struct Rename {
        int fd;
        int stop;
        GMutex lock;
        GCond begun;
        bool running;
} Rename;

static void *rename_on(void *data) {
        Rename *all = data;

        g_mutex_lock(&all->lock);
        all->running = true;
        g_cond_signal(&all->begun);
        g_mutex_unlock(&all->lock);
        while (!g_atomic_int_get(&all->stop)) {
                (void) renameat(all->fd, "moved", all->fd, "elsewhere");
                (void) renameat(all->fd, "elsewhere", all->fd, "moved");
                g_thread_yield();
        }
        return NULL;
}

static bool kernel_has_openat2(void) {
        return syscall(SYS_openat2, -1, NULL, NULL, 0) >= 0 || errno != ENOSYS;
}

static void renames_elsewhere_do_not_matter(const void *data) {
        const Way *way = data;
        g_autoptr(Tree) tree = harbour_new();
        Rename all = { .fd = tree->fd };
        GThread *thread;
        unsigned n;

        tree_write(tree, "moved", "");
        g_mutex_init(&all.lock);
        g_cond_init(&all.begun);
        g_mutex_lock(&all.lock);
        thread = g_thread_new("renames", rename_on, &all);
        while (!all.running)
                g_cond_wait(&all.begun, &all.lock);
        g_mutex_unlock(&all.lock);

        /* Only the kernel's way can be disturbed; threads take turns under valgrind. */
        n = kernel_has_openat2() ? 5000 : 20;
        for (unsigned i = 0; i < n; i++) {
                _cleanup_close_ int fd = way->open(tree->fd, "base/in/../other/../in/dots", O_RDONLY);

                g_assert_cmpint(fd, >=, 0);
        }

        g_atomic_int_set(&all.stop, 1);
        g_thread_join(thread);
        g_mutex_clear(&all.lock);
        g_cond_clear(&all.begun);
}

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(const void *); } tests[] = {
                { "every-path-is-answered-alike", every_path_is_answered_alike },
                { "a-name-or-path-may-be-too-long", a_name_or_path_may_be_too_long },
                { "deep-folders-open", deep_folders_open },
                { "renames-elsewhere-do-not-matter", renames_elsewhere_do_not_matter },
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                for (size_t j = 0; j < ELEMENTSOF(tests); j++) {
                        g_autofree char *path = g_strdup_printf("/beneath/%s/%s", ways[i].name, tests[j].name);

                        g_test_add_data_func(path, ways + i, tests[j].run);
                }
        return g_test_run();
}
