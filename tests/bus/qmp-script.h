/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A monitor that does what the test says: a QEMU without the guest, for what a real one
 * does never or seldom. */

#include <gio/gio.h>

typedef struct QmpScript QmpScript;

/* Listens at a path. Nobody is greeted before qmp_script_greet(). */
QmpScript *qmp_script_new(const char *path);
void qmp_script_free(QmpScript *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpScript, qmp_script_free)

/* What a command is answered from here on: the JSON of "return". Without one it is
 * refused. */
void qmp_script_answer(QmpScript *script, const char *command, const char *json);

/* From here on it is refused, with this description. */
void qmp_script_refuse(QmpScript *script, const char *command, const char *description);

/* From here on a function answers: with the JSON of "return", which is freed, or with
 * NULL to say nothing, ever. It gets the line that came, and may send events. */
typedef char *(*QmpScriptHandler)(QmpScript *script, const char *line, gpointer userdata);
void qmp_script_handle(QmpScript *script, const char *command, QmpScriptHandler handler, gpointer userdata);

/* Answers to a command wait from here on; releasing sends what waits, as it was made when the
 * command came, and what comes later is answered at once again. */
void qmp_script_hold(QmpScript *script, const char *command);
void qmp_script_release(QmpScript *script, const char *command);

/* Takes the connection that waits, or waits for one, and greets. */
void qmp_script_greet(QmpScript *script);

/* Takes it, and says this instead; or says it at any time later. */
void qmp_script_say(QmpScript *script, const char *bytes);

/* Ends the connection; the next greeting is for another, and what was held is forgotten. */
void qmp_script_hang_up(QmpScript *script);

/* Waits until the other end has hung up. */
void qmp_script_wait_end(QmpScript *script);

/* How often a command came. */
guint qmp_script_asked(const QmpScript *script, const char *command);

/* Waits until it has come so often. */
void qmp_script_wait_asked(QmpScript *script, const char *command, guint n);

/* An event; with data, which is JSON. */
void qmp_script_event(QmpScript *script, const char *name);
void qmp_script_event_data(QmpScript *script, const char *name, const char *data);
