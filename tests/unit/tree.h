/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A folder of its own for a test, in which a small machine is written down file
 * by file, and which goes with the test. Paths are relative to it; the folders
 * on the way to a file are made. */

#include <glib.h>

typedef struct Tree {
        char *root;
        int fd;         /* of the root */
} Tree;

Tree *tree_new(void);
Tree *tree_free(Tree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)

/* Within the root. Free the result. */
char *tree_path(const Tree *tree, const char *path);

/* Writes a file, or over one. */
void tree_write(const Tree *tree, const char *path, const char *text);
void tree_write_bytes(const Tree *tree, const char *path, const char *bytes, gsize n_bytes);

/* The same with a path that is put together. */
void tree_writef(const Tree *tree, const char *text, const char *path_format, ...) G_GNUC_PRINTF(3, 4);

/* A file of so many NUL bytes that takes no room. */
void tree_write_sparse(const Tree *tree, const char *path, goffset size);

void tree_link(const Tree *tree, const char *path, const char *target);
void tree_fifo(const Tree *tree, const char *path);
void tree_folder(const Tree *tree, const char *path);

/* Removes a file, or a folder and all in it. It must be there. */
void tree_remove(const Tree *tree, const char *path);

/* What stands in a file. Free the result. */
char *tree_read(const Tree *tree, const char *path);
