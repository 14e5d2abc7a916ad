/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A process with threads that wait: a VMM, as far as /proc can tell. It ends with the
 * test in any case. */

#include <glib.h>
#include <sys/types.h>

#define CHILD_THREADS_MAX 8

typedef struct Child {
        pid_t pid;                              /* as we see it */
        pid_t waiter;                           /* whom we wait for; 0 after that */
        int commands, answers;
        pid_t tids[CHILD_THREADS_MAX];          /* as its threads see themselves; the first is the main one */
        unsigned n_tids;
} Child;

Child *child_new(unsigned n_threads);

/* In a PID namespace of its own; as an ordinary user in a user namespace of its own,
 * too. NULL where neither is allowed. */
Child *child_new_in_namespace(unsigned n_threads);

/* Ends it, and waits until it is gone. */
void child_end(Child *child);

/* Ends it, and waits until it has: somebody has yet to take notice. */
void child_end_unnoticed(Child *child);

/* It becomes another program, with its main thread alone. Returns when the others
 * are gone. */
void child_exec(Child *child);

/* Its main thread ends, and leaves the others. */
void child_end_main(Child *child);

Child *child_free(Child *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Child, child_free)
