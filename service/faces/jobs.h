/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A change that its caller does not wait for: it has a number, and its end is told to
 * everybody by the Manager's JobDone. */

#include "bus/tree.h"
#include "lib/error.h"

/* A number that no other job of this service has. */
uint64_t job_begin(Tree *tree);

/* Announces what changed, then that it is over. "error" may be NULL. */
void job_end(Tree *tree, uint64_t job, int result, const Error *error);
