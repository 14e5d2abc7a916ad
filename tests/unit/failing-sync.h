/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A disk that does not confirm what was done in its folders: the fsync() of a program
 * that is linked with this. */

#include <stdbool.h>

extern bool folders_fail_to_sync;
