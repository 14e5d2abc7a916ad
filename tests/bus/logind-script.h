/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A logind that says what the test says: an object on the private bus like any other.
 * At first it answers "yes" to everything, knows no inhibitors, and delays for 5 s. */

#include <gio/gio.h>

#define LOGIND_MANAGER "org.freedesktop.login1.Manager"

typedef struct LogindScript LogindScript;

LogindScript *logind_script_new(void);

/* Leaves the bus, with what it owes. */
void logind_script_free(LogindScript *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LogindScript, logind_script_free)

/* What it answers to a method of the manager from here on, and to what was held; a property is
 * asked for by its name. "body" is a tuple, or NULL for an answer without anything in
 * it; it is taken over. */
void logind_script_answer(LogindScript *script, const char *member, GVariant *body);
void logind_script_fail(LogindScript *script, const char *member, const char *name, const char *message);

/* Inhibit gives a descriptor, as it does at first. */
void logind_script_give(LogindScript *script);

/* From here on it says nothing. */
void logind_script_hold(LogindScript *script, const char *member);

/* How often it was asked; waits for that; what was said last. */
guint logind_script_calls(const LogindScript *script, const char *member);
void logind_script_wait(LogindScript *script, const char *member, guint n);
GVariant *logind_script_arguments(const LogindScript *script, const char *member);

/* The other end of the descriptor that was given last: it hangs up when nobody has
 * that any more. */
int logind_script_take_end(LogindScript *script);

void logind_script_emit(LogindScript *script, const char *path, const char *interface, const char *member, GVariant *body);
void logind_script_prepare(LogindScript *script, gboolean start);

/* Says that a property of the manager has changed. */
void logind_script_touch(LogindScript *script, const char *property);
