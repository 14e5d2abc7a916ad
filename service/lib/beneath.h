/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Opens files below a folder and nowhere else: what --root names may come from
 * a stranger, with links in it that lead to /etc/shadow. */

#include "cleanup.h"

/* Opens "path" below "dir_fd"; flags as for open(2), O_CLOEXEC is added. Links
 * are followed as long as they stay below the folder; absolute ones do not.
 * Returns a descriptor; -EXDEV for a path or link that leads out, -ELOOP for
 * too many links, else what open(2) says.
 * Source: openat2(2) with RESOLVE_BENEATH, where the kernel has it. */
int open_beneath(int dir_fd, const char *path, int flags);

/* The same without openat2(2), for kernels (and valgrind) that lack it: walks
 * the path itself. For tests, and for open_beneath(). */
int open_beneath_walking(int dir_fd, const char *path, int flags);
