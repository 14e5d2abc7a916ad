/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Captured hosts as folders: unpacked from an archive into a place of their
 * own, edited for tests of what is wrong with them, and removed. */

#include <glib.h>

typedef struct Tree {
        char *folder;           /* what is removed at the end */
        char *root;             /* what --root is given */
} Tree;

/* A new folder for what a test needs, in memory where there is some. */
char *tree_make_folder(void);

/* Unpacks NAME.tar.xz, which holds one folder NAME. */
Tree *tree_unpack(const char *archive);

/* An empty one, without sys/. */
Tree *tree_new(void);

Tree *tree_free(Tree *tree);

/* Within the root; the path ends in NULL. Free the result. */
char *tree_path(const Tree *tree, const char *path);

/* Replaces a file, or makes it; "length" -1 if "content" is a string. */
void tree_write(const Tree *tree, const char *path, const char *content, gssize length);

/* A file of so many bytes, all of them this one. */
void tree_write_large(const Tree *tree, const char *path, char byte, gsize size);

/* A pipe that nobody writes to. */
void tree_fifo(const Tree *tree, const char *path);

void tree_link(const Tree *tree, const char *path, const char *target);

/* Removes a file, or a folder with everything in it. */
void tree_remove(const Tree *tree, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)
