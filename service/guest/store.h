/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A folder with one XML file for each guest, under its name. A file is always the old one
 * or the new one, whatever comes between; what cannot be read is never written over. All
 * is done relative to the folder as it was opened, no link is followed, and nothing is
 * looked at but regular files. */

#include <stdbool.h>
#include <stddef.h>

#include "lib/cleanup.h"

typedef struct Store Store;

/* Opens a folder, which is made if it is not there, with the one it is in.
 * Returns -EPERM if others than its owner may write to it, or it belongs to neither root
 * nor us; -ENOTDIR, -ELOOP for what is no folder. */
int store_open(const char *parent, const char *folder, Store **ret);
Store *store_free(Store *store);
DEFINE_CLEANUP(Store *, store_free)

/* Calls back for each guest that has a file ("file" is NULL), and for each file that
 * was set aside; what a killed writer left is removed, the rest is passed over with a line
 * in the log. */
typedef int (*StoreVisit)(const char *name, const char *file, void *userdata);
int store_list(Store *store, StoreVisit visit, void *userdata);

/* Returns -ENOENT if there is none, -EFBIG above "max" bytes, -EBADF for what is no
 * regular file. */
int store_read(const Store *store, const char *name, size_t max, char **ret, size_t *ret_length);

/* Whether the file system takes files here at all. */
bool store_is_writable(const Store *store);

/* These two may be called on any thread, by one at a time for one name. "sync" waits until
 * the disk has it.
 * Returns 1 if it is done, and the disk did not confirm it: the new state is what is read
 * from now on, and may be the old one again if the host fails before it is written. */
int store_write(const Store *store, const char *name, const char *text, size_t length, bool sync);
int store_remove(const Store *store, const char *name, bool sync);

/* Gives a file another name, which none has yet; "*ret_file" is that. Returns -EEXIST
 * if there are STORE_DAMAGED_MAX already: it stays where it is then. */
#define STORE_DAMAGED_MAX 99u
int store_set_aside(const Store *store, const char *name, char **ret_file);
