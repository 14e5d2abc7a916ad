/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

Tree *tree_new(void) {
        g_autoptr(GError) error = NULL;
        Tree *tree = g_new0(Tree, 1);

        tree->root = g_dir_make_tmp("berth-unit-XXXXXX", &error);
        g_assert_no_error(error);
        tree->fd = open(tree->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(tree->fd, >=, 0);
        return tree;
}

Tree *tree_free(Tree *tree) {
        g_assert_cmpint(nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
        close(tree->fd);
        g_free(tree->root);
        g_free(tree);
        return NULL;
}

char *tree_path(const Tree *tree, const char *path) {
        return g_build_filename(tree->root, path, NULL);
}

/* The whole path of a file whose folder is made. */
static char *prepare(const Tree *tree, const char *path) {
        char *whole = tree_path(tree, path);
        g_autofree char *folder = g_path_get_dirname(whole);

        g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
        return whole;
}

void tree_write_bytes(const Tree *tree, const char *path, const char *bytes, gsize n_bytes) {
        g_autofree char *whole = prepare(tree, path);
        int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        /* In place, as the kernel's files change: whoever has it open sees it. */
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, bytes, n_bytes), ==, (gssize) n_bytes);
        close(fd);
}

void tree_write(const Tree *tree, const char *path, const char *text) {
        tree_write_bytes(tree, path, text, strlen(text));
}

void tree_writef(const Tree *tree, const char *text, const char *path_format, ...) {
        g_autofree char *path = NULL;
        va_list ap;

        va_start(ap, path_format);
        path = g_strdup_vprintf(path_format, ap);
        va_end(ap);
        tree_write(tree, path, text);
}

void tree_write_sparse(const Tree *tree, const char *path, goffset size) {
        g_autofree char *whole = prepare(tree, path);

        tree_write(tree, path, "");
        g_assert_cmpint(truncate(whole, size), ==, 0);
}

void tree_link(const Tree *tree, const char *path, const char *target) {
        g_autofree char *whole = prepare(tree, path);

        g_assert_cmpint(symlink(target, whole), ==, 0);
}

void tree_fifo(const Tree *tree, const char *path) {
        g_autofree char *whole = prepare(tree, path);

        g_assert_cmpint(mkfifo(whole, 0644), ==, 0);
}

void tree_folder(const Tree *tree, const char *path) {
        g_autofree char *whole = tree_path(tree, path);

        g_assert_cmpint(g_mkdir_with_parents(whole, 0755), ==, 0);
}

void tree_remove(const Tree *tree, const char *path) {
        g_autofree char *whole = tree_path(tree, path);

        g_assert_cmpint(nftw(whole, remove_one, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
}

char *tree_read(const Tree *tree, const char *path) {
        g_autofree char *whole = tree_path(tree, path);
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        g_file_get_contents(whole, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}
