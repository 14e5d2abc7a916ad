/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

#include <ftw.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
        return remove(path);
}

static void remove_all(const char *path) {
        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The private bus has a folder in memory; a tree of thousands of files on disk
 * costs seconds, and what an aborted test leaves there is gone with the bus. */
char *tree_make_folder(void) {
        const char *memory = g_getenv("BERTH_TEST_BUS_DIR");
        char *folder = g_build_filename(memory ? memory : g_get_tmp_dir(), "berth-hosts-XXXXXX", NULL);

        g_assert_nonnull(g_mkdtemp(folder));
        return folder;
}

Tree *tree_new(void) {
        Tree *tree = g_new0(Tree, 1);

        tree->folder = tree_make_folder();
        tree->root = g_build_filename(tree->folder, "root", NULL);
        g_assert_cmpint(g_mkdir_with_parents(tree->root, 0755), ==, 0);
        return tree;
}

Tree *tree_unpack(const char *archive) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GSubprocess) tar = NULL;
        g_autofree char *name = g_path_get_basename(archive);
        Tree *tree = tree_new();

        g_assert_true(g_str_has_suffix(name, ".tar.xz"));
        name[strlen(name) - strlen(".tar.xz")] = '\0';
        tar = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, &error, "tar", "-C", tree->folder,
                               "--no-same-owner", "-xJf", archive, NULL);
        g_assert_no_error(error);
        g_subprocess_wait_check(tar, NULL, &error);
        g_assert_no_error(error);

        g_free(tree->root);
        tree->root = g_build_filename(tree->folder, name, NULL);
        g_assert_true(g_file_test(tree->root, G_FILE_TEST_IS_DIR));
        return tree;
}

Tree *tree_free(Tree *tree) {
        if (!tree)
                return NULL;
        remove_all(tree->folder);
        g_free(tree->folder);
        g_free(tree->root);
        g_free(tree);
        return NULL;
}

char *tree_path(const Tree *tree, const char *path) {
        return g_build_filename(tree->root, path, NULL);
}

/* Where something new is to be put: what was there is gone. */
static char *make_room(const Tree *tree, const char *path) {
        g_autofree char *full = tree_path(tree, path);
        g_autofree char *parent = g_path_get_dirname(full);

        remove_all(full);
        g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
        return g_steal_pointer(&full);
}

void tree_write(const Tree *tree, const char *path, const char *content, gssize length) {
        g_autoptr(GError) error = NULL;
        g_autofree char *full = make_room(tree, path);

        g_file_set_contents(full, content, length, &error);
        g_assert_no_error(error);
}

void tree_write_large(const Tree *tree, const char *path, char byte, gsize size) {
        g_autofree char *full = make_room(tree, path);
        g_autofree char *block = g_malloc(1 << 20);
        FILE *file = fopen(full, "we");

        g_assert_nonnull(file);
        memset(block, byte, 1 << 20);
        for (gsize written = 0; written < size; written += 1 << 20)
                g_assert_cmpuint(fwrite(block, 1 << 20, 1, file), ==, 1);
        g_assert_cmpint(fclose(file), ==, 0);
}

void tree_fifo(const Tree *tree, const char *path) {
        g_autofree char *full = make_room(tree, path);

        g_assert_cmpint(mkfifo(full, 0644), ==, 0);
}

void tree_link(const Tree *tree, const char *path, const char *target) {
        g_autofree char *full = make_room(tree, path);

        g_assert_cmpint(symlink(target, full), ==, 0);
}

void tree_remove(const Tree *tree, const char *path) {
        g_autofree char *full = tree_path(tree, path);

        g_assert_true(g_file_test(full, G_FILE_TEST_EXISTS));
        remove_all(full);
}
