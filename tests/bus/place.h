/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A service with folders that outlive it: it can be ended in any way, and started again
 * on what it has left behind. And calls whose answer is waited for later, so that a peer of
 * the test's own can play its part meanwhile. */

#include "harness.h"

typedef struct Place {
        char *folder;
        Service *service;               /* NULL while none runs */
        Signals *signals;
} Place;

/* With these lines in the configuration file, or NULL. */
Place *place_new(const char *config);
void place_free(Place *place);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Place, place_free)

void place_start(Place *place);
void place_stop(Place *place);

/* SIGKILL; returns when the bus knows that it is gone. */
void place_kill(Place *place);

/* How many descriptors the service has open, now. */
guint place_count_descriptors(const Place *place);

/* Waits until it has so many again, and no timer is running: nothing will wake it. */
void place_wait_idle(Place *place, guint descriptors);

/* A call that is under way. */
typedef struct Pending Pending;

Pending *call_begin(Place *place, const char *path, const char *interface, const char *method, GVariant *arguments);
gboolean call_is_over(const Pending *pending);

/* Each waits for the answer and ends it: what was answered as a text; an error of this
 * name with all of "parts" in its message; whatever it was, as a text. */
char *call_answer(Pending *pending);
void call_fails(Pending *pending, const char *name, const char *const *parts);
char *call_outcome(Pending *pending);

/* A file as it is now, as a text; "" if there is none. */
char *place_read(const Place *place, const char *path);
