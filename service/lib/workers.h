/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A few threads for calls that block by nature: kernel files that take long.
 * A job goes in with all it needs, and comes back with plain data; no thread
 * but the loop's ever touches a model. Threads are started with the first job
 * and sleep between jobs. */

#include <stdbool.h>

#include "cleanup.h"

typedef struct Workers Workers;

/* Two: one long walk must not hold up a short one. */
#define WORKERS_MAX 2u

int workers_new(Workers **ret);

/* Interrupts the jobs that are running (SIGUSR1: a system call may end with EINTR) and
 * waits for them, forgets those that are not (their "done"
 * is called with cancelled true), and ends the threads. No job is taken any more. NULL
 * does nothing. */
void workers_stop(Workers *workers);

/* Stops it first. */
Workers *workers_free(Workers *workers);
DEFINE_CLEANUP(Workers *, workers_free)

/* Whether workers_stop() was called: for a job of many short steps, which no signal ends. On
 * any thread. */
bool workers_are_stopping(Workers *workers);

/* Becomes readable when a job has ended: whoever owns the loop calls
 * workers_dispatch() then. */
int workers_fd(const Workers *workers);

/* Calls "done" of the jobs that have ended, on the calling thread. */
void workers_dispatch(Workers *workers);

/* Has run(job) called on some thread, then done(job, cancelled) by
 * workers_dispatch(); "job" belongs to the pool until then.
 * Returns -ECANCELED once the pool was stopped. */
int workers_submit(Workers *workers, void (*run)(void *job), void (*done)(void *job, bool cancelled), void *job);
