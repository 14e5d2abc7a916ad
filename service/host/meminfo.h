/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's accounts of memory: lines "Name:  123 kB", in a cell's file with
 * "Node N " before each. */

#include <stdint.h>

#include "lib/cleanup.h"

/* Finds one line and gives its value in bytes. Returns -ENODATA if there is no
 * such line, -EINVAL if it makes no sense. */
int meminfo_find(const char *text, const char *name, uint64_t *ret_bytes);

/* Calls "each" for every line with a value in kB, with that value in bytes; stops
 * when it returns a negative errno, and returns that. "name" ends where its
 * length says. Lines that make no sense are passed over. */
int meminfo_foreach(const char *text, int (*each)(const char *name, size_t length, uint64_t bytes, void *userdata), void *userdata);
