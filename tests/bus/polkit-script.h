/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A polkit that does what the test says, and when: for all that the real one does
 * once in ten thousand times. It is an object on the private bus like any other,
 * and knows the two methods that we call. */

#include <gio/gio.h>

typedef struct PolkitScript PolkitScript;

PolkitScript *polkit_script_new(void);

/* Leaves the bus, with what it owes. */
void polkit_script_free(PolkitScript *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PolkitScript, polkit_script_free)

/* Waits until so many questions are open. */
void polkit_script_wait(PolkitScript *script, guint n);
guint polkit_script_open(const PolkitScript *script);

/* The arguments of the oldest open question: ((sa{sv})sa{ss}us). */
GVariant *polkit_script_question(const PolkitScript *script);

/* Answers the oldest question: with (authorized, challenge); with an error; with
 * something else altogether. */
void polkit_script_answer(PolkitScript *script, gboolean authorized, gboolean challenge);
void polkit_script_fail(PolkitScript *script, const char *name, const char *message);
void polkit_script_babble(PolkitScript *script, GVariant *nonsense);

/* Waits for the next CancelCheckAuthorization and returns its id. */
char *polkit_script_wait_cancel(PolkitScript *script);
